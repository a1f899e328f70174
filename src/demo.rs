//! `mynah demo`: the whole pipeline, each step as a command that can be run by hand.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use mynah_shop::{Accounts, Options, Running};
use mynah_traffic::run::RunFolder;

use crate::exit::{Exit, Exits, Failure, Outcome};
use crate::{demo_server, dispatch, terminal};

/// Real traffic of the shop (`mynah demo-server`): 240 sessions of curl, Python clients and Chromium, recorded with tcpdump.
const CAPTURE: &[u8] = include_bytes!("../fixtures/shop.pcap");
/// Who logged in while it was recorded.
const ACCOUNTS: &str = include_str!("../fixtures/accounts.csv");

/// Run the whole pipeline on a bundled capture against a shop of our own: capture, mask, profile, replay x10, report.
///
/// Takes less than a minute; needs no network but loopback. Each step is printed as the command that does it.
/// On a machine that is too busy for the times to say anything it says so, and exits 0 where all steps worked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the demo's files go.
    #[arg(short, long, value_name = "DIR", default_value = "mynah-demo")]
    output: PathBuf,

    /// For how long sessions are begun.
    #[arg(long = "for", value_name = "TIME", default_value = "10s")]
    duration: String,
}

/// One step: says what it is for, prints the command, runs it.
fn step(title: &str, words: &[&str]) -> Outcome {
    let words: Vec<String> =
        std::iter::once("mynah").chain(words.iter().copied()).map(str::to_owned).collect();
    println!("\n# {title}\n$ {}", terminal::shell_line(&words));
    // What the command says to people goes to standard error: the order must hold in a log, too.
    std::io::stdout().flush().map_err(anyhow::Error::from).exits(Exit::Internal)?;
    dispatch(words)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Usage)
}

pub(crate) fn run(args: &Args) -> Outcome {
    let folder = &args.output;
    std::fs::create_dir_all(folder)
        .map_err(|error| mynah_traffic::Error::io(folder, error))
        .exits(Exit::Usage)?;
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (pcap, recording, key, scenario, run) =
        (file("shop.pcap"), file("shop.mynah"), file("demo.key"), file("shop.toml"), file("run"));
    let (accounts, masked) = (file("accounts.csv"), file("accounts-masked.csv"));
    write(Path::new(&pcap), CAPTURE)?;
    write(Path::new(&accounts), ACCOUNTS.as_bytes())?;

    step(
        "1. Production traffic, as tcpdump saw it: find the exchanges, take the secrets out",
        &["capture", &pcap, "-o", &recording, "--key-file", &key],
    )?;
    step("2. What is in the recording", &["inspect", &recording])?;
    step(
        "3. How users behave: profiles with weights, and the values that responses hand out",
        &["profile", &recording, "-o", &scenario],
    )?;
    // Masked passwords log in nowhere by themselves.
    step(
        "4. A fresh shop, its accounts seeded with the pseudonyms that the same key gives",
        &[
            "mask-value",
            "--key-file",
            &key,
            "--csv",
            &accounts,
            "--column",
            "email=email",
            "--column",
            "password=password",
            "-o",
            &masked,
        ],
    )?;
    let shop = open_shop(Path::new(&masked))?;
    println!("$ mynah demo-server --port {} --accounts {masked} &", shop.addr().port());
    let threshold = ["failure_rate < 0.5%", "p99 < 500ms"];
    let target = shop.url();
    let exit = step(
        "5. Ten times the recorded sessions, each with its own cookies, tokens and order",
        &[
            "replay",
            &scenario,
            "--target",
            &target,
            "--rate",
            "10x",
            "--for",
            &args.duration,
            "--threshold",
            threshold[0],
            "--threshold",
            threshold[1],
            "-o",
            &run,
            "--force",
        ],
    )?;
    let counts = shop.counts();
    println!(
        "\nThe shop's own books: {} requests, {} log-ins ({} refused), {} orders, {} confirmed.",
        counts.requests, counts.logins_ok, counts.logins_failed, counts.orders, counts.confirmed
    );
    println!("Look at {}, edit {scenario}, run any of the commands above again.", file("run/report.html"));
    if exit == Exit::Invalid && was_busy(Path::new(&run)) {
        println!(
            "\nAll steps worked, but this machine was too busy for the times to say anything: a gate would exit with 11 here."
        );
        return Ok(Exit::Ok);
    }
    Ok(exit)
}

/// Whether a run is invalid as the machine was too busy, and for nothing else.
fn was_busy(run: &Path) -> bool {
    RunFolder::open(run).document().is_ok_and(|document| document.generator.limits == ["time"])
}

/// On the shop's usual port, so that the printed commands can be repeated; on any free one where that is taken.
fn open_shop(accounts: &Path) -> Result<Running, Failure> {
    let accounts = Accounts::from_csv_file(accounts).exits(Exit::Internal)?;
    let options = Options::new(accounts).seed(demo_server::fresh_seed());
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, demo_server::PORT));
    Running::start_on(usual, options.clone()).or_else(|_| Running::start(options)).exits(Exit::Internal)
}
