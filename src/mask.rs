//! `mynah mask`: a recording → a masked one.

use std::path::PathBuf;

use crate::capture::{MaskingArgs, make};
use crate::exit::Outcome;
use crate::input::{FilterArgs, Inputs, Reading};
use crate::pipeline::{self, Masking};

/// Mask a recording that was made with --unmasked (or mask one again under another key).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  mynah mask raw.mynah -o safe.mynah --key-file team.key --report masking.json")]
pub(crate) struct Args {
    /// The recording to read.
    input: PathBuf,

    /// The recording to write.
    #[arg(short, long, value_name = "F.mynah")]
    output: PathBuf,

    #[command(flatten)]
    masking: MaskingArgs,

    #[command(flatten)]
    filter: FilterArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let reading = Reading { filter: args.filter.clone(), recover: args.recover, ..Reading::default() };
    let inputs = Inputs::recordings(std::slice::from_ref(&args.input), &reading)?;
    let key = pipeline::key(args.masking.key_file.as_deref())?;
    make(&inputs, &args.output, Masking::Under(key), None, &args.masking)
}
