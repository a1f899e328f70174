//! `mynah demo-server`: the shop that the demo replays against.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use mynah_shop::{Accounts, Latency, Options, Shop};

use crate::exit::{Exit, Exits, Outcome};
use crate::terminal;

/// Run the demo's web shop: log-in with a CSRF token, listing, search, basket, checkout. Tokens and ids differ at each start.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  mynah demo-server --port 18080 --accounts accounts.csv")]
pub(crate) struct Args {
    /// Port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = PORT)]
    port: u16,

    /// Who may log in: CSV with the columns email (or username) and password.
    #[arg(long, value_name = "F.csv")]
    accounts: Option<PathBuf>,

    /// Answer as fast as it can, without the shop's usual few milliseconds.
    #[arg(long)]
    no_latency: bool,

    /// The seed that tokens and ids come from; another one at each start when left out.
    #[arg(long)]
    seed: Option<u64>,
}

/// The shop's usual port.
pub(crate) const PORT: u16 = 18080;

/// A seed that differs at each start.
pub(crate) fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::SystemTime::now())
}

pub(crate) fn run(args: &Args) -> Outcome {
    let accounts = match &args.accounts {
        Some(path) => Accounts::from_csv_file(path).exits(Exit::Input)?,
        None => Accounts::new(),
    };
    let latency = if args.no_latency { None } else { Some(Latency::default()) };
    let options = Options::new(accounts).seed(args.seed.unwrap_or_else(fresh_seed)).latency(latency);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().exits(Exit::Internal)?;
    runtime.block_on(async {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
        let shop = Shop::bind(address, options).await.exits(Exit::Usage)?;
        terminal::say(format!("the shop is open at http://{} (Ctrl-C closes it)", shop.local_addr()));
        shop.serve(async {
            // Without a handler there is nothing to wait for but the end of the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await;
        Ok(Exit::Ok)
    })
}
