//! `mynah mask-value`: the pseudonym that a value gets under a key.

use std::path::PathBuf;

use mynah_masking::{Key, VALUE_KINDS, mask_value};

use crate::exit::{Exit, Exits, Outcome, fail};

/// Print the pseudonym that a value gets under a key: to seed a staging database with matching accounts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  mynah mask-value --key-file team.key --type email alice@shop.example")]
pub(crate) struct Args {
    /// What the value is.
    #[arg(long = "type", value_name = "T", value_parser = clap::builder::PossibleValuesParser::new(VALUE_KINDS))]
    kind: String,

    /// The key that the recording was masked under.
    #[arg(long, value_name = "F", env = "MYNAH_KEY_FILE")]
    key_file: PathBuf,

    /// The value; one is read from each line of standard input when it is left out.
    value: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let key = Key::load(&args.key_file).exits(Exit::Usage)?;
    let pseudonym = |value: &str| mask_value(&key, &args.kind, value).exits(Exit::Usage);
    if let Some(value) = &args.value {
        println!("{}", pseudonym(value)?);
        return Ok(Exit::Ok);
    }
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| fail(Exit::Input, format!("standard input: {error}")))?;
        println!("{}", pseudonym(line.trim_end_matches('\r'))?);
    }
    Ok(Exit::Ok)
}
