//! `mynah capture`: inputs → a masked, sealed recording.

use std::path::PathBuf;

use mynah_traffic::recording::Reader;
use mynah_traffic::units::parse_size;

use crate::exit::{Exit, Exits, Outcome};
use crate::input::{FilterArgs, Inputs, LogArgs, Reading};
use crate::output;
use crate::pipeline::{self, Masking};

/// Make a recording of captured traffic: pcap, pcapng, HAR, GoReplay's .gor (each also as .gz or .zst) or another recording, told apart by content.
///
/// Secrets and personal data are masked before the recording gets its name; what was written is audited.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah capture site.pcap -o site.mynah
  tcpdump -w - 'tcp port 80' | mynah capture - -o site.mynah
  mynah capture requests_0.gor requests_1.gor -o goreplay.mynah
  mynah capture monday.har tuesday.har -o week.mynah --key-file team.key")]
pub(crate) struct Args {
    /// Files to read; '-' is standard input.
    #[arg(required = true, value_name = "INPUT")]
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

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    log: LogArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
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
    let inputs = Inputs::look(
        &args.inputs,
        &Reading {
            filter: args.filter.clone(),
            recover: args.recover,
            max_body: args.max_body,
            log: args.log.clone(),
        },
    )?;
    let masking = if args.unmasked {
        Masking::Refused
    } else {
        Masking::Under(pipeline::key(args.masking.key_file.as_deref())?)
    };
    make(&inputs, &args.output, masking, &args.masking)
}

/// Makes the recording, tells of it and writes the masking report.
pub(crate) fn make(
    inputs: &Inputs,
    output: &std::path::Path,
    masking: Masking,
    args: &MaskingArgs,
) -> Outcome {
    output::check(output, inputs, Reader::recognises)?;
    let made = pipeline::record(inputs, output, masking)?;
    pipeline::tell(&made);
    if let (Some(path), Some(report)) = (&args.report, &made.report) {
        let text = serde_json::to_string_pretty(report).exits(Exit::Internal)?;
        std::fs::write(path, text + "\n")
            .map_err(|error| mynah_traffic::Error::io(path, error))
            .exits(Exit::Usage)?;
    }
    Ok(Exit::Ok)
}
