//! `mynah mask`: a recording → a masked one; and the policy explained, or tried on one message.

use std::path::PathBuf;

use crate::capture::{MaskingArgs, make};
use crate::exit::{Exit, Outcome, fail};
use crate::input::{FilterArgs, Inputs, Reading};
use crate::{output, trial};

/// Mask a recording that was made with --unmasked (or mask one again under another key); or see what a policy does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah mask raw.mynah -o safe.mynah --key-file team.key --report masking.json
  mynah mask raw.mynah -o safe.mynah --policy masking.toml --strict --fail-on-quarantine
  mynah mask --explain-policy --policy masking.toml
  mynah mask --try request.http --policy masking.toml")]
pub(crate) struct Args {
    /// The recording to read.
    #[arg(required_unless_present_any = ["explain_policy", "attempt"])]
    input: Option<PathBuf>,

    /// The recording to write.
    #[arg(short, long, value_name = "F.mynah", required_unless_present_any = ["explain_policy", "attempt"])]
    output: Option<PathBuf>,

    #[command(flatten)]
    masking: MaskingArgs,

    /// Print every rule of the policy in words, and do nothing.
    #[arg(long, conflicts_with_all = ["input", "output", "attempt", "report"])]
    explain_policy: bool,

    /// Mask the one HTTP message in this file (or a request and its response), as on the wire, and show each value before and
    /// after. Nothing is written; the values are shown, so mind who looks on. '-' is standard input.
    #[arg(long = "try", id = "attempt", value_name = "F.http", conflicts_with_all = ["input", "output", "report"])]
    attempt: Option<PathBuf>,

    /// With --try: as JSON.
    #[arg(long, requires = "attempt")]
    json: bool,

    #[command(flatten)]
    filter: FilterArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.explain_policy {
        let policy = args.masking.policy()?;
        return output::print(&policy.explain()).map(|()| Exit::Ok);
    }
    if let Some(path) = &args.attempt {
        return trial::run(path, &args.masking, args.json);
    }
    let (Some(input), Some(output)) = (&args.input, &args.output) else {
        return Err(fail(Exit::Usage, "name the recording to read, and with -o the one to write"));
    };
    let reading = Reading { filter: args.filter.clone(), recover: args.recover, ..Reading::default() };
    let inputs = Inputs::recordings(std::slice::from_ref(input), &reading)?;
    args.masking.check_report(output, &inputs)?;
    let masking = args.masking.masking()?;
    make(&inputs, output, masking, None, &args.masking)
}
