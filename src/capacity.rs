//! `mynah capacity`: the highest rate that a target carries.

use std::path::{Path, PathBuf};

use mynah_replay::{Seek, Told};
use mynah_report::capacity as page;
use mynah_traffic::Nanos;
use mynah_traffic::capacity::{CapacityDocument, CapacityOutcome, DOCUMENT, HTML};
use mynah_traffic::run::RunFolder;
use mynah_traffic::scenario::Rate;
use mynah_traffic::threshold::{Metric, Threshold};
use mynah_traffic::units::{parse_duration, split_number};

use crate::driving::{self, How, What, Where};
use crate::exit::{Exit, Exits, Failure, Outcome};
use crate::progress::Progress;
use crate::{output, replay, report, terminal};

/// Find the highest rate at which every threshold holds and the target keeps up.
///
/// The rate is doubled until a step fails, then narrowed down between what held and what did not, and what was found is held for
/// longer. A target that falls behind fails, whatever the thresholds: requests that are due and not answered pile up through
/// the step, and response times grow.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah capacity shop.toml --target http://127.0.0.1:8080 --threshold 'p99 < 500ms'
  mynah capacity shop.toml --target http://127.0.0.1:8080 --think-time 0 --from 10/s --up-to 2000/s -o carries
  mynah capacity shop.toml --target http://127.0.0.1:8080 --precision 5% --step 5s --hold 15s --json | jq .summary

Exits 0 when a rate is found, 10 when not even the lowest holds, 11 when the generator could send no more.")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,

    #[command(flatten)]
    place: Where,

    /// The lowest rate, in sessions: 20/s, or 0.5x the recorded one. The scenario's when left out, and less where that does not
    /// hold.
    #[arg(long, value_name = "R")]
    from: Option<Rate>,

    /// The highest rate to try. Until a step fails when left out.
    #[arg(long, value_name = "R")]
    up_to: Option<Rate>,

    /// How close together the rate that holds and the one that does not are at the end.
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = parse_precision)]
    precision: f64,

    /// How long a step is counted for; a third of it while the rate is doubled.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    step: Nanos,

    /// How long the rate that was found is held for.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_span)]
    hold: Nanos,

    /// How long a step runs before it is counted. As long as sessions last when left out, from 2s to 1m.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    warm_up: Option<Nanos>,

    #[command(flatten)]
    how: How,

    /// The folder for capacity.json, capacity.html and the run of each step; a new one under runs/ when left out.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,

    /// Write over what is in that folder.
    #[arg(long)]
    force: bool,

    /// Print capacity.json on standard output instead of the table.
    #[arg(long)]
    json: bool,
}

fn parse_precision(text: &str) -> Result<f64, String> {
    let share = match split_number(text) {
        Some((number, "%")) => Some(number / 100.0),
        Some((number, "")) => Some(number),
        _ => None,
    };
    share
        .filter(|share| (0.001..=0.5).contains(share))
        .ok_or_else(|| "expected a share from 0.1% to 50%, such as 2%".to_owned())
}

fn parse_span(text: &str) -> Result<Nanos, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span.0 >= Nanos::PER_SECOND { Ok(span) } else { Err("expected a second or more".to_owned()) }
}

/// What must hold besides what is asked: a target that refuses quickly is no faster.
const FAILURES: &str = "failure_rate < 1%";

pub(crate) fn run(args: &Args) -> Outcome {
    args.place.check(false)?;
    let temporary = tempfile::tempdir().exits(Exit::Usage)?;
    let prepared = args.what.prepare(temporary.path())?;
    let mut options = driving::options(&args.place, &args.how, prepared.scenario())?;
    for note in prepared.notes(&options) {
        terminal::warn(&note);
    }
    let about_failures =
        |threshold: &Threshold| matches!(threshold.metric, Metric::FailureRate | Metric::Failures);
    if !options.thresholds.iter().any(about_failures) {
        options.thresholds.push(FAILURES.parse()?);
    }
    let seek = Seek {
        from: args.from,
        up_to: args.up_to,
        precision: args.precision,
        step: args.step,
        hold: args.hold,
        warm_up: args.warm_up,
    };
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| driving::default_folder(&format!("{}-capacity", prepared.scenario().name)));
    if !args.force {
        driving::refuse_taken(&folder, DOCUMENT)?;
    }
    let folder = RunFolder::create(folder).exits(Exit::Usage)?;
    let stop = driving::stop()?;
    let mut progress = None;
    let mut doing = String::new();
    let document =
        mynah_replay::capacity(&prepared, &options, &seek, &folder, &stop, &mut |told| match told {
            Told::Begins { number, phase, sessions_per_s } => {
                doing = format!("step {number}, {phase}, {sessions_per_s} sessions/s");
                progress = Some(Progress::new(doing.clone()));
            }
            Told::Going(now) => {
                if let Some(progress) = &mut progress {
                    progress.text(&format!("{doing}: {}", replay::line(now)));
                }
            }
            Told::Ended(step) => {
                progress = None;
                terminal::say(page::line(step));
            }
        })
        .map_err(driving::failure)?;
    drop(progress);
    write(&folder, &document)?;
    if args.json {
        output::print(&(serde_json::to_string_pretty(&document).exits(Exit::Internal)? + "\n"))?;
    } else {
        output::print(&page::render(&document, report::style()))?;
    }
    terminal::say(format!("wrote       {}", folder.path().join(HTML).display()));
    Ok(match document.outcome {
        CapacityOutcome::Found | CapacityOutcome::UpTo => Exit::Ok,
        CapacityOutcome::NothingHolds => Exit::Gate,
        CapacityOutcome::Generator => Exit::Invalid,
        CapacityOutcome::Interrupted => Exit::Interrupted,
    })
}

/// The document and the pages: its own, and that of each step.
fn write(folder: &RunFolder, document: &CapacityDocument) -> Result<(), Failure> {
    document.write(folder.path()).exits(Exit::Usage)?;
    for step in &document.steps {
        let own = RunFolder::open(folder.path().join(&step.run));
        driving::write_page(&own, &own.document()?, None)?;
    }
    let path = folder.path().join(HTML);
    let text = page::html(document).exits(Exit::Internal)?;
    write_file(&path, &text)
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_spans() {
        assert_eq!((parse_precision("2%"), parse_precision("0.05")), (Ok(0.02), Ok(0.05)));
        for wrong in ["0", "2", "80%", "x", "2s"] {
            assert!(parse_precision(wrong).is_err(), "{wrong}");
        }
        assert!(parse_span("1s").is_ok() && parse_span("10ms").is_err() && parse_span("soon").is_err());
    }
}
