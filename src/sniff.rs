//! `mynah capture -i`: what can be said of sniffing, and rights that are given up once the interface is open.

use mynah_capture::Feed;
use mynah_capture::live::{Live, LiveOptions};
use mynah_traffic::units::parse_size;

use crate::exit::{Exit, Exits, Failure};
#[cfg(unix)]
use crate::privileges;

/// What is not sniffing. Said again beside `requires`, which clap passes over where what is required cannot be.
const OTHERS: [&str; 2] = ["inputs", "listen"];

/// How an interface is listened on.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sniffing")]
pub(crate) struct SniffArgs {
    /// Listen on this interface: eth0, lo, or any for all.
    #[arg(short, long, value_name = "IFACE", group = "source", conflicts_with_all = ["inputs", "recover"])]
    interface: Option<String>,

    /// TCP port of the server; repeatable. Without it: every connection that speaks HTTP.
    #[arg(long, value_name = "PORT", requires = "interface", conflicts_with_all = OTHERS, value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,

    /// What the kernel hands over, as for tcpdump: 'host 10.0.0.7 and tcp port 80'. With --port both must hold. Traffic in
    /// tunnels (VXLAN, GRE) has to be let through as such: 'udp port 4789'.
    #[arg(long = "filter", value_name = "BPF", requires = "interface", conflicts_with_all = OTHERS)]
    bpf: Option<String>,

    /// The kernel's ring: how much traffic may wait while mynah is busy.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", requires = "interface", conflicts_with_all = OTHERS, value_parser = parse_size)]
    buffer: u64,

    /// Take packets that are meant for other machines, too: on a mirror port.
    #[arg(long, requires = "interface", conflicts_with_all = OTHERS)]
    promiscuous: bool,

    /// Go on as this user once the interface is open; the recording is theirs.
    #[cfg(unix)]
    #[arg(long, value_name = "NAME", requires = "interface", conflicts_with_all = OTHERS)]
    user: Option<String>,
}

impl SniffArgs {
    /// Whether an interface is named.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.interface.is_some()
    }

    /// The server's ports, as far as they are named.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.port
    }
}

/// Opens the interface, if one is named, and gives rights up.
pub(crate) fn open(
    args: &SniffArgs,
    limits: mynah_capture::Options,
) -> Result<Option<Box<dyn Feed>>, Failure> {
    let Some(interface) = &args.interface else { return Ok(None) };
    let live = Live::open(&LiveOptions {
        interface: interface.clone(),
        ports: args.port.clone(),
        filter: args.bpf.clone(),
        ring: args.buffer,
        promiscuous: args.promiscuous,
        limits,
    })
    .exits(Exit::Usage)?;
    #[cfg(unix)]
    if let Some(user) = &args.user {
        privileges::drop_to(user)?;
    }
    Ok(Some(Box::new(live)))
}
