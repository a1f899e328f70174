//! `mynah`: capture production HTTP traffic, mask it, learn how users behave, and replay that at any rate.
//!
//! This crate only parses arguments, wires the stages together and maps errors to exit codes. One file a subcommand,
//! each with its `Args` and a `run` that returns an [`Outcome`]; what they share stands beside them:
//!
//! | module | job |
//! |---|---|
//! | [`bug`] | what a panic says, which is never a captured value |
//! | [`driving`] | what the commands that send have in common |
//! | [`exit`] | exit codes and the errors that carry them |
//! | [`input`] | any input as a stream of exchanges |
//! | [`output`] | files that must not be somebody else's, and a standard output that may be gone |
//! | [`pipeline`] | files: learn → mask → write → audit → seal |
//! | [`live`] | live sources: sampled, for a time, with a line of statistics |
//! | [`middleware`] | `--middleware`: messages through a program of the user's |
//! | [`recorder`] | live traffic: mask → write → make good → audit → seal, one file after the other |
//! | [`sniff`], [`proxy`] | the two live sources as the command line has them |
//! | [`privileges`] | rights given up |
//! | [`unmasked`] | the one place where `--unmasked` is obeyed |
//! | [`progress`] | a line on the terminal while something takes long |
//! | [`spool`] | standard input and pipes, kept so that they can be read twice |
//! | [`terminal`] | what the terminal can show |
//! | [`trial`] | `mynah mask --try`: one message on the screen, before and after |

mod bug;
mod capacity;
mod capture;
mod compare;
mod demo;
mod demo_server;
mod destination;
mod driving;
mod exit;
mod export;
mod init;
mod input;
mod inspect;
mod interrupt;
mod live;
mod mask;
mod mask_value;
mod middleware;
mod mirror;
mod output;
mod pipeline;
mod preview;
#[cfg(all(unix, feature = "live"))]
mod privileges;
mod profile;
mod progress;
mod proxy;
mod recorder;
mod replay;
mod report;
mod shaped;
#[cfg(feature = "live")]
mod sniff;
mod spool;
mod terminal;
mod trial;
mod unmasked;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use exit::{Exit, Outcome};

/// Capture production HTTP traffic, mask it, learn how users behave, and replay that at any rate.
#[derive(Debug, Parser)]
#[command(name = "mynah", version, after_help = exit::HELP, max_term_width = 110)]
pub(crate) struct Cli {
    /// Say more: -v what is done and how long it takes, -vv each input too. Never shows a captured value.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Capture(Box<capture::Args>),
    Mirror(Box<mirror::Args>),
    Mask(mask::Args),
    MaskValue(mask_value::Args),
    Init(init::Args),
    Inspect(inspect::Args),
    Export(export::Args),
    Profile(profile::Args),
    Replay(Box<replay::Args>),
    Report(report::Args),
    Compare(Box<compare::Args>),
    Capacity(Box<capacity::Args>),
    DemoServer(demo_server::Args),
}

impl Command {
    fn run(&self) -> Outcome {
        match self {
            Command::Demo(args) => demo::run(args),
            Command::Capture(args) => capture::run(args),
            Command::Mirror(args) => mirror::run(args),
            Command::Mask(args) => mask::run(args),
            Command::MaskValue(args) => mask_value::run(args),
            Command::Init(args) => init::run(args),
            Command::Inspect(args) => inspect::run(args),
            Command::Export(args) => export::run(args),
            Command::Profile(args) => profile::run(args),
            Command::Replay(args) => replay::run(args),
            Command::Report(args) => report::run(args),
            Command::Compare(args) => compare::run(args),
            Command::Capacity(args) => capacity::run(args),
            Command::DemoServer(args) => demo_server::run(args),
        }
    }
}

/// Parses a command line and runs it: what the shell does, and what the demo does with each command it prints.
pub(crate) fn dispatch(line: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>) -> Outcome {
    match Cli::try_parse_from(line) {
        Ok(cli) => cli.command.run(),
        Err(error) => Err(exit::Failure { exit: Exit::Usage, error: error.into() }),
    }
}

fn log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let level = match verbose {
        0 => "warn",
        1 => "mynah=info",
        2 => "mynah=debug",
        // never all of "trace": other crates show what they read
        _ => "mynah=trace",
    };
    let filter = EnvFilter::try_from_env("MYNAH_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // A second subscriber (a test's) is no reason to stop.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal::stderr_color())
        .try_init();
}

fn main() -> ExitCode {
    bug::say_where_only();
    let cli = Cli::parse();
    log(cli.verbose);
    // A panic has been told by then.
    let Ok(outcome) = std::panic::catch_unwind(|| cli.command.run()) else { return Exit::Internal.into() };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::say(format_args!("{} {}", terminal::error_word(), exit::words(&failure.error)));
            failure.exit.into()
        }
    }
}
