//! `mynah compare`: what became slower, and how sure that is.

use std::path::{Path, PathBuf};

use mynah_report::compare::{self, Bounds, Comparison, Sample};
use mynah_report::html::Against;
use mynah_report::timeline::Timeline;
use mynah_report::{html, junit, markdown};
use mynah_traffic::Nanos;
use mynah_traffic::run::{DOCUMENT, RunFolder, Verdict};
use mynah_traffic::units::{parse_duration, split_number};

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::report::Forms;
use crate::{output, report};

/// Compare runs: for each endpoint the change, the interval it lies in, and whether it became slower.
///
/// Each side is a run's folder, a folder of runs, or a pattern in quotes. Five runs a side (or more), or one interleaved run
/// (replay --against), show what moves from run to run by itself; one run a side cannot.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah compare runs/before runs/after
  mynah compare 'runs/main-*' 'runs/pr-*' --markdown
  mynah compare 'runs/main-*' 'runs/pr-*' --quantile p50 --quantile p99 --junit compare.xml

Answers that differ beyond what a side differs by from itself (statuses, content types, fields of JSON bodies) are told, and fail the
comparison with --fail-on-differences.

Exits 0 when nothing is shown to be slower, 10 when something is, 11 when a run is invalid.")]
pub(crate) struct Args {
    /// The runs to compare with.
    baseline: String,

    /// The runs that are judged.
    candidate: String,

    /// Write one self-contained HTML page: both sides' curves, and each endpoint's change with its interval.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,

    #[command(flatten)]
    bounds: BoundArgs,

    #[command(flatten)]
    forms: Forms,
}

/// What counts as a change.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What counts as slower")]
pub(crate) struct BoundArgs {
    /// A quantile to compare by endpoint; repeatable. More of them make each interval wider. [default: p95]
    #[arg(long = "quantile", value_name = "pN", value_parser = parse_quantile)]
    quantiles: Vec<f64>,

    /// A change that may be smaller than this share is no regression.
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = parse_share)]
    relative: f64,

    /// Nor one that may be smaller than this.
    #[arg(long, value_name = "TIME", default_value = "100us", value_parser = parse_duration)]
    absolute: Nanos,

    /// What is shown to have moved by less than this share is the same.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_share)]
    margin: f64,

    /// By how much the share of failed requests may rise, in points.
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = parse_share)]
    failure_margin: f64,

    /// Fail when the answers of the two sides differ: in a status, a content type, a field of a JSON body or its type.
    #[arg(long)]
    fail_on_differences: bool,

    /// By how much, in points, the share of the answers that have such a thing may differ.
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = parse_share)]
    difference_margin: f64,

    /// With which all intervals hold together.
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = parse_confidence)]
    confidence: f64,

    /// How much a quantile moves from run to run by itself (standard deviation): used where there are too few runs to see it.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_share)]
    run_noise: f64,
}

impl BoundArgs {
    pub(crate) fn bounds(&self) -> Bounds {
        let default = Bounds::default();
        Bounds {
            relative: self.relative,
            absolute_ms: self.absolute.0 as f64 / 1e6,
            margin: self.margin,
            failures: self.failure_margin,
            differences: self.difference_margin,
            fail_on_differences: self.fail_on_differences,
            confidence: self.confidence,
            run_noise: self.run_noise,
            quantiles: if self.quantiles.is_empty() { default.quantiles } else { self.quantiles.clone() },
        }
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match split_number(text) {
        Some((number, "%")) if (0.0..=100.0).contains(&number) => Ok(number / 100.0),
        Some((number, "")) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a share such as 5% or 0.05".to_owned()),
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    parse_share(text)
        .ok()
        .filter(|share| (0.5..1.0).contains(share))
        .ok_or_else(|| "expected a share from 50% to less than 100%, such as 95%".to_owned())
}

fn parse_quantile(text: &str) -> Result<f64, String> {
    text.strip_prefix('p')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        .and_then(|digits| digits.parse::<f64>().ok())
        .filter(|percent| *percent > 0.0 && *percent < 100.0)
        .map(|percent| percent / 100.0)
        .ok_or_else(|| "expected a quantile such as p95 or p99.9".to_owned())
}

/// The bootstrap's: the same runs give the same intervals.
const SEED: u64 = 1;

pub(crate) fn run(args: &Args) -> Outcome {
    let (baseline, candidate) = (Side::read(&args.baseline)?, Side::read(&args.candidate)?);
    let comparison = with(&baseline.samples, &candidate.samples, &args.bounds)?;
    if let Some(path) = &args.html {
        output::write_report(path, page(&baseline, &candidate, &comparison)?.as_bytes())?;
    }
    if let Some(path) = &args.forms.junit {
        output::write_report(path, junit::comparison(&comparison).exits(Exit::Internal)?.as_bytes())?;
    }
    if args.forms.json {
        output::print(&(serde_json::to_string_pretty(&comparison).exits(Exit::Internal)? + "\n"))?;
    } else if args.forms.markdown {
        output::print(&compare::markdown(&comparison))?;
    } else if args.forms.github {
        output::print(&markdown::annotations("mynah compare", comparison.verdict, &comparison.reasons))?;
    } else {
        output::print(&compare::render(&comparison, report::style()))?;
    }
    Ok(exit(&comparison))
}

/// Compares, as the flags say.
pub(crate) fn with(
    baseline: &[Sample],
    candidate: &[Sample],
    bounds: &BoundArgs,
) -> Result<Comparison, Failure> {
    let same = |one: &Sample, other: &Sample| {
        one.name == other.name || output::is_same(Path::new(&one.name), Path::new(&other.name))
    };
    if baseline.iter().any(|run| candidate.iter().any(|other| same(run, other))) {
        return Err(fail(Exit::Usage, "a run is on both sides; name different ones"));
    }
    Ok(compare::compare(baseline, candidate, &bounds.bounds(), SEED))
}

/// What a comparison ends with.
pub(crate) fn exit(comparison: &Comparison) -> Exit {
    match comparison.verdict {
        Verdict::Pass => Exit::Ok,
        Verdict::Fail => Exit::Gate,
        Verdict::Invalid => Exit::Invalid,
    }
}

/// The runs of a side, read.
pub(crate) struct Side {
    folders: Vec<RunFolder>,
    /// As the comparison needs them.
    pub(crate) samples: Vec<Sample>,
}

impl Side {
    /// The runs that a side names.
    pub(crate) fn read(side: &str) -> Result<Side, Failure> {
        let folders: Vec<RunFolder> = folders(side)?.iter().map(RunFolder::open).collect();
        let samples = folders.iter().map(Sample::read).collect::<Result<_, _>>()?;
        Ok(Side { folders, samples })
    }

    /// One run.
    pub(crate) fn of(folder: &RunFolder) -> Result<Side, Failure> {
        Ok(Side { folders: vec![folder.clone()], samples: vec![Sample::read(folder)?] })
    }

    /// Whether a folder is one of them.
    pub(crate) fn holds(&self, folder: &Path) -> bool {
        self.folders.iter().any(|own| output::is_same(own.path(), folder))
    }

    /// As the page needs them.
    pub(crate) fn timeline(&self) -> Result<Timeline, Failure> {
        let documents = self.folders.iter().map(RunFolder::document).collect::<Result<Vec<_>, _>>()?;
        let runs: Vec<_> = self.folders.iter().zip(&documents).collect();
        Ok(Timeline::side(&runs)?)
    }
}

/// The comparison as a page.
pub(crate) fn page(baseline: &Side, candidate: &Side, comparison: &Comparison) -> Result<String, Failure> {
    let (baseline, candidate) = (baseline.timeline()?, candidate.timeline()?);
    html::comparison(&Against { comparison, baseline: &baseline }, &candidate).exits(Exit::Internal)
}

fn folders(side: &str) -> Result<Vec<PathBuf>, Failure> {
    let is_run = |path: &Path| {
        path.is_file() && path.file_name().is_some_and(|name| name == DOCUMENT)
            || path.join(DOCUMENT).is_file()
    };
    let path = Path::new(side);
    if path.exists() {
        if path.is_file() || is_run(path) {
            return Ok(vec![path.to_path_buf()]);
        }
        let within = std::fs::read_dir(path).map_err(|error| mynah_traffic::Error::io(path, error))?;
        let mut runs: Vec<PathBuf> = within
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir() && is_run(path))
            .collect();
        runs.sort();
        let called = |name: &str| runs.iter().any(|run| run.file_name().is_some_and(|own| own == name));
        if called("baseline") && called("candidate") {
            return Err(fail(
                Exit::Usage,
                format!("{side}: holds both sides of a comparison; name {side}/baseline or {side}/candidate"),
            ));
        }
        if runs.is_empty() {
            return Err(fail(
                Exit::Input,
                format!("{side}: neither a run (there is no {DOCUMENT}) nor a folder of runs"),
            ));
        }
        return Ok(runs);
    }
    let paths =
        glob::glob(side).map_err(|error| fail(Exit::Usage, format!("{side}: no pattern: {error}")))?;
    let runs: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| is_run(path)).collect();
    if runs.is_empty() { Err(fail(Exit::Input, format!("{side}: there is no such run"))) } else { Ok(runs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_quantiles() {
        assert_eq!((parse_share("5%"), parse_share("0.05")), (Ok(0.05), Ok(0.05)));
        assert!(parse_share("5").is_err() && parse_share("-1%").is_err() && parse_share("nan").is_err());
        assert_eq!((parse_quantile("p95"), parse_quantile("p99.9")), (Ok(0.95), Ok(99.9 / 100.0)));
        assert!(
            parse_quantile("p100").is_err()
                && parse_quantile("95").is_err()
                && parse_confidence("100%").is_err()
        );
    }
}
