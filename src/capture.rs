//! `mynah capture`: inputs → a masked, sealed recording.

use std::path::PathBuf;

use mynah_capture::Feed;
use mynah_traffic::recording::Reader;
use mynah_traffic::units::parse_size;

use crate::exit::{Exit, Exits, Failure, Outcome};
use crate::input::{FilterArgs, Inputs, LogArgs, Reading};
use crate::live::{self, LiveArgs};
use crate::middleware::Rewriter;
use crate::output;
use crate::pipeline::{self, Masking};
use crate::recorder::Recorder;

/// Make a recording: of an interface's traffic, as a reverse proxy, or of files: pcap, pcapng, HAR, GoReplay's .gor, access logs (each also as .gz or .zst) or another recording, told apart by content.
///
/// Secrets and personal data are masked before the recording gets its name; what was written is audited.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah capture site.pcap -o site.mynah
  sudo mynah capture -i eth0 --port 8080 --user $USER --for 10m -o site.mynah
  mynah capture --listen 127.0.0.1:8080 --upstream http://127.0.0.1:3000 -o site.mynah
  tcpdump -w - 'tcp port 80' | mynah capture - -o site.mynah
  mynah capture requests_0.gor requests_1.gor -o goreplay.mynah
  mynah capture monday.har tuesday.har -o week.mynah --key-file team.key
  mynah capture access.log --log-host shop.example -o log.mynah")]
pub(crate) struct Args {
    /// Files to read; '-' is standard input.
    #[arg(required_unless_present = "source", value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// The recording to write.
    #[arg(short, long, value_name = "F.mynah")]
    output: PathBuf,

    #[command(flatten)]
    masking: MaskingArgs,

    /// Keep secrets and personal data as they are; the recording says so for ever.
    #[arg(long, conflicts_with_all = ["key_file", "report"])]
    unmasked: bool,

    /// Bytes kept of a body; longer ones are flagged, and withheld (with --unmasked: cut).
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_size)]
    max_body: u64,

    /// Send exchanges, when they are masked, through this program, as GoReplay does: 'python3 rewrite.py'. What it does not
    /// give back is dropped and counted.
    #[arg(long, value_name = "CMD")]
    middleware: Option<String>,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    log: LogArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,

    /// Bytes that reassembly, and exchanges that wait to be written, may hold. What this costs is counted.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_memory)]
    memory: u64,

    #[command(flatten)]
    live: LiveArgs,

    #[cfg(feature = "live")]
    #[command(flatten)]
    sniff: crate::sniff::SniffArgs,

    #[command(flatten)]
    proxy: crate::proxy::ProxyArgs,
}

/// Below this not even one connection of an ordinary size has room.
const LEAST_MEMORY: u64 = 1 << 20;

fn parse_memory(text: &str) -> Result<u64, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    if size < LEAST_MEMORY { Err("at least 1MiB".to_owned()) } else { Ok(size) }
}

/// What `capture` and `mask` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct MaskingArgs {
    /// Key under which pseudonyms are made (made when missing). Without it the key is random and forgotten.
    #[arg(long, value_name = "F", env = "MYNAH_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Write what was masked, by kind and place, as JSON (counts only, never a value).
    #[arg(long, value_name = "F.json")]
    pub(crate) report: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(feed) = open(args)? {
        return record(feed, args);
    }
    let inputs = Inputs::look(
        &args.inputs,
        &Reading {
            filter: args.filter.clone(),
            recover: args.recover,
            max_body: args.max_body,
            memory: args.memory,
            log: args.log.clone(),
        },
    )?;
    make(&inputs, &args.output, masking(args)?, middleware(args)?, &args.masking)
}

fn masking(args: &Args) -> Result<Masking, Failure> {
    if args.unmasked {
        return Ok(Masking::Refused);
    }
    pipeline::key(args.masking.key_file.as_deref()).map(Masking::Under)
}

fn middleware(args: &Args) -> Result<Option<Rewriter>, Failure> {
    args.middleware.as_deref().map(Rewriter::start).transpose()
}

/// The live source that the arguments name, if they do.
fn open(args: &Args) -> Result<Option<Box<dyn Feed>>, Failure> {
    let limits = mynah_capture::Options {
        max_body: args.max_body,
        memory: args.memory,
        ..mynah_capture::Options::default()
    };
    #[cfg(feature = "live")]
    if let Some(feed) = crate::sniff::open(&args.sniff, limits)? {
        return Ok(Some(feed));
    }
    crate::proxy::open(&args.proxy, limits)
}

/// Records live traffic.
fn record(mut feed: Box<dyn Feed>, args: &Args) -> Outcome {
    output::check(&args.output, &Inputs::default(), Reader::recognises)?;
    let recorder =
        Recorder::begin(&args.output, args.live.max_size, masking(args)?, args.max_body, feed.name())?
            .through(middleware(args)?);
    let made = live::record(feed.as_mut(), recorder, &args.live, &args.filter)?;
    made.iter().for_each(pipeline::tell);
    if made.len() > 1 && !args.unmasked {
        crate::terminal::warn(
            "each file was masked and audited with what was known when it ended; what showed only later that a value is \
             sensitive has no say in earlier files",
        );
    }
    let reports: Vec<_> = made.iter().filter_map(|made| made.report.as_ref()).collect();
    write_report(&args.masking, &reports)?;
    Ok(Exit::Ok)
}

/// Makes the recording, tells of it and writes the masking report.
pub(crate) fn make(
    inputs: &Inputs,
    output: &std::path::Path,
    masking: Masking,
    middleware: Option<Rewriter>,
    args: &MaskingArgs,
) -> Outcome {
    output::check(output, inputs, Reader::recognises)?;
    let made = pipeline::record(inputs, output, masking, middleware)?;
    pipeline::tell(&made);
    if let Some(report) = &made.report {
        write_report(args, report)?;
    }
    Ok(Exit::Ok)
}

/// Writes the masking report, of live traffic one for each file.
fn write_report(args: &MaskingArgs, report: &impl serde::Serialize) -> Result<(), Failure> {
    let Some(path) = &args.report else { return Ok(()) };
    let text = serde_json::to_string_pretty(report).exits(Exit::Internal)?;
    std::fs::write(path, text + "\n")
        .map_err(|error| mynah_traffic::Error::io(path, error))
        .exits(Exit::Usage)
}
