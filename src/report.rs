//! `mynah report`: a run that was measured before, shown again.

use std::path::PathBuf;

use mynah_report::{html, table};
use mynah_traffic::run::RunFolder;

use crate::exit::{Exit, Exits, Outcome};
use crate::{output, terminal};

/// Show the report of a run again: as a table, or as HTML or JSON.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah report run
  mynah report run --html run.html
  mynah report run --json | jq .total.response_time_ms.p99")]
pub(crate) struct Args {
    /// The run's folder.
    run: PathBuf,

    /// Write one self-contained HTML page.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,

    /// Print run.json instead of the table.
    #[arg(long)]
    json: bool,
}

/// How the terminal wants its table.
pub(crate) fn style() -> table::Style {
    table::Style { color: terminal::stdout_color(), width: terminal::stdout_width() }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let document = RunFolder::open(&args.run).document()?;
    if let Some(path) = &args.html {
        let page = html::render(&document).exits(Exit::Internal)?;
        std::fs::write(path, page)
            .map_err(|error| mynah_traffic::Error::io(path, error))
            .exits(Exit::Usage)?;
        terminal::say(format!("wrote {}", path.display()));
    }
    if args.json {
        output::print(&(serde_json::to_string_pretty(&document).exits(Exit::Internal)? + "\n"))?;
    } else if args.html.is_none() {
        output::print(&table::render(&document, style()))?;
    }
    Ok(Exit::Ok)
}
