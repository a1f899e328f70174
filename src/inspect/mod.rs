//! `mynah inspect`: what is in a file.

mod dump;
mod lines;
mod summary;

use std::io::Write;
use std::path::PathBuf;

use mynah_traffic::Filter;

use crate::exit::{Exit, Failure, Outcome};
use crate::input::{FilterArgs, Inputs, Reading};

use crate::profile::GroupingArgs;

/// Say what is in a recording (or in a pcap or HAR, before it is captured).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah inspect shop.mynah
  mynah inspect shop.mynah --exchanges --json | jq .target
  mynah inspect shop.mynah --sessions --why
  mynah inspect shop.mynah --dump | less")]
pub(crate) struct Args {
    /// The file.
    file: PathBuf,

    /// One line for each exchange.
    #[arg(long, group = "what")]
    exchanges: bool,

    /// One line for each session.
    #[arg(long, group = "what")]
    sessions: bool,

    /// With --sessions: what tells that its exchanges are one client's.
    #[arg(long, requires = "sessions")]
    why: bool,

    /// One line for each endpoint.
    #[arg(long, group = "what")]
    endpoints: bool,

    /// Everything there is of each exchange, decompressed and decoded.
    #[arg(long, group = "what", conflicts_with = "json")]
    dump: bool,

    /// As JSON: one object for the summary, one a line for the others.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    grouping: GroupingArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// The same as --include.
    #[arg(long = "filter", value_name = "EXPR")]
    also: Vec<Filter>,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let inputs = Inputs::look(
        std::slice::from_ref(&args.file),
        &Reading { filter: args.filter.or(&args.also), recover: args.recover, ..Reading::default() },
    )?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = match (args.exchanges, args.sessions, args.endpoints, args.dump) {
        (true, ..) => lines::exchanges(&inputs, &args.grouping.options(), args.json, &mut out),
        (_, true, ..) => lines::sessions(&inputs, &args.grouping.options(), args.json, args.why, &mut out),
        (_, _, true, _) => lines::endpoints(&inputs, &args.grouping.options(), args.json, &mut out),
        (.., true) => dump::dump(&inputs, &mut out),
        _ => summary::summary(&inputs, &args.grouping.options(), args.json, &mut out),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => Ok(Exit::Ok),
        Err(Stopped::Failed(failure)) => Err(failure),
        // `mynah inspect … | head` has seen enough.
        Err(Stopped::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(Stopped::Output(error)) => {
            Err(Failure { exit: Exit::Usage, error: anyhow::Error::from(error).context("standard output") })
        }
    }
}

/// Why an output ended early.
enum Stopped {
    Failed(Failure),
    Output(std::io::Error),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Stopped::Output(error)
    }
}

impl From<mynah_traffic::Error> for Stopped {
    fn from(error: mynah_traffic::Error) -> Self {
        Stopped::Failed(error.into())
    }
}

impl From<mynah_grouping::Error> for Stopped {
    fn from(error: mynah_grouping::Error) -> Self {
        Stopped::Failed(crate::profile::grouping_failure(error))
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure)
    }
}
