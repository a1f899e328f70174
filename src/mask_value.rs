//! `mynah mask-value`: the pseudonym that a value gets under a key.

use std::io::Write;
use std::path::{Path, PathBuf};

use mynah_masking::{Key, Policy, VALUE_KINDS, Values};

use crate::exit::{Exit, Exits, Failure, Outcome, fail};

/// Print the pseudonym that a value gets under a key: to seed a staging database with matching accounts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah mask-value --key-file team.key --type email alice@shop.example
  mynah mask-value --key-file team.key --csv users.csv --column email=email --column password=password > masked.csv")]
pub(crate) struct Args {
    #[arg(long = "type", value_name = "T", help = kinds(), value_parser = parse_kind, required_unless_present = "csv")]
    kind: Option<String>,

    /// The policy that the recording was masked under.
    #[arg(long, value_name = "F.toml", env = "MYNAH_POLICY")]
    policy: Option<PathBuf>,

    /// The key that the recording was masked under.
    #[arg(long, value_name = "F", env = "MYNAH_KEY_FILE")]
    key_file: PathBuf,

    /// Mask columns of this CSV file, whose first row names them; the other columns stay.
    #[arg(long, value_name = "F.csv", conflicts_with_all = ["kind", "value"], requires = "columns")]
    csv: Option<PathBuf>,

    /// What stands in a column; repeatable.
    #[arg(long = "column", value_name = "NAME=T", requires = "csv", value_parser = parse_column)]
    columns: Vec<(String, String)>,

    /// Where the CSV goes; standard output when left out.
    #[arg(short, long, value_name = "F.csv", requires = "csv")]
    output: Option<PathBuf>,

    /// The value; one is read from each line of standard input when it is left out.
    value: Option<String>,
}

fn kinds() -> String {
    format!("What the value is: {}; or rule:NAME, for a rule of the policy", VALUE_KINDS.join(", "))
}

fn parse_kind(text: &str) -> Result<String, String> {
    if VALUE_KINDS.contains(&text) || text.starts_with("rule:") {
        return Ok(text.to_owned());
    }
    let hint = mynah_traffic::nearest(text, VALUE_KINDS.iter().copied())
        .map(|near| format!("; did you mean '{near}'?"))
        .unwrap_or_default();
    Err(format!("unknown type '{text}'{hint}; there are {}, and rule:NAME", VALUE_KINDS.join(", ")))
}

fn parse_column(text: &str) -> Result<(String, String), String> {
    let (name, kind) = text.split_once('=').ok_or("expected NAME=TYPE, such as password=password")?;
    Ok((name.to_owned(), parse_kind(kind)?))
}

pub(crate) fn run(args: &Args) -> Outcome {
    let key = Key::load(&args.key_file).exits(Exit::Usage)?;
    let policy = match &args.policy {
        Some(path) => Policy::load(path).exits(Exit::Usage)?,
        None => Policy::built_in(),
    };
    let mut values = Values::new(policy, &key);
    let mut pseudonym = |kind: &str, value: &str| values.mask(kind, value).exits(Exit::Usage);
    match (&args.csv, &args.kind) {
        (Some(path), _) => csv(args, path, &mut pseudonym),
        (None, Some(kind)) => lines(args, kind, &mut pseudonym),
        // clap has seen to it that one of them is there.
        (None, None) => Err(fail(Exit::Usage, "name the value's --type, or a --csv")),
    }
}

/// Makes the pseudonym of a value of a kind.
type Pseudonym<'p> = &'p mut dyn FnMut(&str, &str) -> Result<String, Failure>;

fn lines(args: &Args, kind: &str, pseudonym: Pseudonym<'_>) -> Outcome {
    let mut out = std::io::stdout().lock();
    let mut print = |text: String| writeln!(out, "{text}").map_err(|error| output_failure(&error));
    if let Some(value) = &args.value {
        print(pseudonym(kind, value)?)?;
        return Ok(Exit::Ok);
    }
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| fail(Exit::Input, format!("standard input: {error}")))?;
        print(pseudonym(kind, line.trim_end_matches('\r'))?)?;
    }
    Ok(Exit::Ok)
}

fn output_failure(error: &std::io::Error) -> Failure {
    fail(Exit::Usage, format!("cannot write the output: {error}"))
}

fn csv(args: &Args, path: &Path, pseudonym: Pseudonym<'_>) -> Outcome {
    let input = |error: csv::Error| fail(Exit::Input, format!("{}: {error}", path.display()));
    let output = |error: csv::Error| fail(Exit::Usage, format!("cannot write the output: {error}"));
    let mut reader = csv::Reader::from_path(path).map_err(input)?;
    let header = reader.headers().map_err(input)?.clone();
    let mut kinds = vec![None; header.len()];
    for (name, kind) in &args.columns {
        let at = header.iter().position(|column| column == name).ok_or_else(|| {
            let known: Vec<&str> = header.iter().collect();
            fail(
                Exit::Usage,
                format!("{}: there is no column '{name}'; there are {}", path.display(), known.join(", ")),
            )
        })?;
        kinds[at] = Some(kind.as_str());
    }
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(
            std::fs::File::create(path)
                .map_err(|error| mynah_traffic::Error::io(path, error))
                .exits(Exit::Usage)?,
        ),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&header).map_err(output)?;
    for row in reader.records() {
        let row = row.map_err(input)?;
        let mut masked = Vec::with_capacity(row.len());
        for (value, kind) in row.iter().zip(&kinds) {
            masked.push(match kind {
                Some(kind) => pseudonym(kind, value)?,
                None => value.to_owned(),
            });
        }
        writer.write_record(&masked).map_err(output)?;
    }
    writer.flush().map_err(|error| output_failure(&error))?;
    Ok(Exit::Ok)
}
