//! `mynah report`: runs that were measured before, shown again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mynah_report::timeline::Timeline;
use mynah_report::{compare, csv, history, html, junit, markdown, merge, table};
use mynah_traffic::run::{DOCUMENT, HTML, RunDocument, RunFolder};

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::{driving, output, replay, terminal};

/// Show the report of a run again: as a table, HTML, JSON, CSV, JUnit or Markdown. Several runs make a history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah report run
  mynah report run --html run.html --junit run.xml
  mynah report run --csv locust            # locust_stats.csv, _stats_history, _failures, _exceptions
  mynah report run --markdown >> $GITHUB_STEP_SUMMARY
  mynah report runs/*                      # one below the other, with the trend
  mynah report --schema > run.schema.json
  mynah report shard1 shard2 shard3 --merge -o merged    # what one machine would have measured
  mynah report run --json | jq .total.response_time_ms.p99")]
pub(crate) struct Args {
    /// The run's folder; several are listed, oldest first.
    #[arg(required_unless_present = "schema", value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// Print the JSON Schema of run.json, or with =compare that of compare --json.
    #[arg(long, value_name = "run|compare", num_args = 0..=1, require_equals = true, default_missing_value = "run", exclusive = true, value_parser = ["run", "compare"])]
    schema: Option<String>,

    /// Write one self-contained HTML page.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,

    /// Write Locust's four CSV files: PREFIX_stats.csv, _stats_history.csv, _failures.csv, _exceptions.csv.
    #[arg(long, value_name = "PREFIX")]
    csv: Option<PathBuf>,

    /// Make one run of shards (replay --shard), its thresholds evaluated anew: exits 10 when one fails, 11 when shards are missing,
    /// invalid or of different runs.
    #[arg(long, requires = "output")]
    merge: bool,

    /// The merged run's folder.
    #[arg(short, long, value_name = "RUN", requires = "merge")]
    output: Option<PathBuf>,

    /// Replace an earlier run in that folder.
    #[arg(long, requires = "merge")]
    force: bool,

    #[command(flatten)]
    forms: Forms,
}

/// In which other forms something is reported.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Forms {
    /// Write JUnit XML: each threshold, or each row of a comparison, is a test.
    #[arg(long, value_name = "F")]
    pub(crate) junit: Option<PathBuf>,

    /// Print Markdown, for a pull request's comment, instead of the table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,

    /// Print GitHub's annotations: a line for each thing that was wrong.
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    pub(crate) github: bool,

    /// Print everything as JSON instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the terminal wants its table.
pub(crate) fn style() -> table::Style {
    table::Style { color: terminal::stdout_color(), width: terminal::stdout_width() }
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(of) = &args.schema {
        let schema = if of == "compare" { compare::schema() } else { mynah_traffic::run::schema() };
        output::print(&(serde_json::to_string_pretty(&schema).exits(Exit::Internal)? + "\n"))?;
        return Ok(Exit::Ok);
    }
    if let Some(output) = args.output.as_deref().filter(|_| args.merge) {
        return merged(args, output);
    }
    let [path] = args.runs.as_slice() else { return several(args) };
    let folder = RunFolder::open(path);
    let document = folder.document()?;
    show(args, &folder, &document)?;
    Ok(Exit::Ok)
}

/// The shards as one run, in a folder like any other.
fn merged(args: &Args, output: &Path) -> Outcome {
    let shards: Vec<RunFolder> = args.runs.iter().map(RunFolder::open).collect();
    if args.runs.iter().any(|run| output::is_same(run, output)) {
        return Err(fail(
            Exit::Usage,
            format!("{}: is one of the shards; name another folder", output.display()),
        ));
    }
    if !args.force {
        driving::refuse_taken(output, DOCUMENT)?;
    }
    let folder = RunFolder::create(output).exits(Exit::Usage)?;
    folder.clear().exits(Exit::Usage)?;
    let document = merge::merge(&shards, &folder).map_err(|error| match error {
        mynah_report::Error::Run(error) => error.into(),
        mynah_report::Error::Merge(_) => Failure { exit: Exit::Usage, error: error.into() },
        other => Failure { exit: Exit::Internal, error: other.into() },
    })?;
    folder.write(&document).exits(Exit::Usage)?;
    driving::write_page(&folder, &document, None)?;
    show(args, &folder, &document)?;
    terminal::say(format!("wrote       {}", folder.path().join(HTML).display()));
    Ok(if document.interrupted { Exit::Interrupted } else { replay::verdict(document.verdict) })
}

/// In the forms that are asked for.
fn show(args: &Args, folder: &RunFolder, document: &RunDocument) -> Result<(), Failure> {
    let mut wrote = false;
    if let Some(path) = &args.html {
        let page = html::render(document, &Timeline::read(folder, document)?, None).exits(Exit::Internal)?;
        output::write_report(path, page.as_bytes())?;
        wrote = true;
    }
    if let Some(path) = &args.forms.junit {
        output::write_report(path, junit::run(document).exits(Exit::Internal)?.as_bytes())?;
        wrote = true;
    }
    if let Some(prefix) = &args.csv {
        write_csv(prefix, folder, document)?;
        wrote = true;
    }
    if args.forms.json {
        output::print(&(serde_json::to_string_pretty(document).exits(Exit::Internal)? + "\n"))?;
    } else if args.forms.markdown {
        output::print(&markdown::run(document))?;
    } else if args.forms.github {
        output::print(&markdown::annotations(&document.scenario, document.verdict, &document.reasons))?;
    } else if !wrote {
        output::print(&table::render(document, style()))?;
    }
    Ok(())
}

/// The runs one below the other.
fn several(args: &Args) -> Outcome {
    if args.html.is_some()
        || args.csv.is_some()
        || args.forms.junit.is_some()
        || args.forms.markdown
        || args.forms.github
    {
        return Err(fail(
            Exit::Usage,
            "of several runs there is a table and --json; name one run for the rest",
        ));
    }
    let runs = args
        .runs
        .iter()
        .map(|path| Ok((path.display().to_string(), RunFolder::open(path).document()?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    if args.forms.json {
        let documents: Vec<&RunDocument> = runs.iter().map(|(_, document)| document).collect();
        output::print(&(serde_json::to_string_pretty(&documents).exits(Exit::Internal)? + "\n"))?;
    } else {
        output::print(&history::render(&runs, style()))?;
    }
    Ok(Exit::Ok)
}

fn write_csv(prefix: &Path, folder: &RunFolder, document: &RunDocument) -> Result<(), Failure> {
    let named = |suffix: &str| {
        let mut name = OsString::from(prefix);
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut files: [(&str, Vec<u8>); 4] = [
        ("_stats.csv", Vec::new()),
        ("_stats_history.csv", Vec::new()),
        ("_failures.csv", Vec::new()),
        ("_exceptions.csv", Vec::new()),
    ];
    let [(_, stats), (_, history), (_, failures), (_, exceptions)] = &mut files;
    csv::stats(document, stats).exits(Exit::Internal)?;
    csv::history(document, &folder.intervals()?, history).exits(Exit::Input)?;
    csv::failures(document, failures).exits(Exit::Internal)?;
    csv::exceptions(exceptions).exits(Exit::Internal)?;
    for (suffix, text) in &files {
        output::write_report(&named(suffix), text)?;
    }
    Ok(())
}
