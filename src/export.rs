//! `mynah export`: a scenario or a recording → other tools' files.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use mynah_grouping::{ExportCounts, ExportOptions, HarCounts, HarWriter, Language};
use mynah_traffic::gor::{Exported, Exporter};
use mynah_traffic::scenario::Scenario;
use mynah_traffic::units::format_bytes;
use mynah_traffic::{Error, Exchange};

use crate::driving;
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Inputs, Reading, begins, show_warnings};
use crate::output::{self, Whole};
use crate::profile::grouping_failure;
use crate::progress::Progress;
use crate::terminal::{self, plural};

/// Take traffic elsewhere: a scenario as a Locust file, a k6 script or curl commands; a scenario or a recording as HAR or
/// GoReplay's .gor.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah export shop.toml --format locust -o locustfile.py --target http://staging.example:8080
  mynah export shop.toml --format k6 -o shop.mjs --sessions 100
  mynah export shop.mynah --format har -o errors.har --include 'status >= 500'
  mynah export shop.mynah --format gor -o shop.gor.gz

Scripts keep profiles, weights, pauses, endpoints' names and correlations. A recording is grouped first, as 'mynah profile' does.
See docs/export.md.")]
pub(crate) struct Args {
    /// The scenario (.toml, its .sessions beside it) or the recording.
    #[arg(value_name = "SCENARIO|RECORDING")]
    input: PathBuf,

    /// What to write.
    #[arg(long, value_enum)]
    format: Format,

    /// The file to write; .har and .gor are compressed when its name ends in .gz.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// Recorded sessions of a scenario that are written out at most, shared among its profiles by weight and at least one of
    /// each; those are taken that together send the same mix. Without it: 40 (locust, k6), one a profile (curl), all (har, gor).
    #[arg(long, value_name = "N", value_parser = parse_sessions)]
    sessions: Option<usize>,

    /// Where requests of a script go when nothing else is said as it is run.
    #[arg(long, value_name = "URL", value_parser = parse_target)]
    target: Option<String>,

    /// A variable of the scenario, put in as the script is written; repeatable. MYNAH_VAR_NAME says one, too.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = driving::parse_variable)]
    variables: Vec<(String, String)>,

    #[command(flatten)]
    filter: FilterArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Locust: a Python file, a user class for each profile.
    Locust,
    /// k6: a JavaScript module, a scenario for each profile.
    K6,
    /// HTTP Archive 1.2, as browsers open it.
    Har,
    /// GoReplay's file: requests and responses as they stood on the wire.
    Gor,
    /// A shell script of curl commands, one session of each profile.
    Curl,
}

impl Format {
    fn language(self) -> Option<Language> {
        match self {
            Format::Locust => Some(Language::Locust),
            Format::K6 => Some(Language::K6),
            Format::Curl => Some(Language::Curl),
            Format::Har | Format::Gor => None,
        }
    }

    /// Whether what stands in the output's place begins like what will be written.
    fn is_ours(self, first: &[u8]) -> bool {
        let begins: &[&[u8]] = match self {
            Format::Locust => &[b"\"\"\""],
            Format::K6 => &[b"// "],
            Format::Curl => &[b"#!/usr/bin/env bash"],
            Format::Har => &[b"{\"log\":", &[0x1f, 0x8b]],
            Format::Gor => &[b"1 ", b"2 ", &[0x1f, 0x8b]],
        };
        begins.iter().any(|mark| first.starts_with(mark))
    }
}

fn parse_sessions(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a number of sessions, from 1".to_owned()),
    }
}

fn parse_target(text: &str) -> Result<String, String> {
    if !text.contains("://") {
        return Err("expected a URL such as http://127.0.0.1:8080".to_owned());
    }
    text.parse::<mynah_replay::Target>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(crate) fn run(args: &Args) -> Outcome {
    if is_scenario(&args.input) {
        return scenario(args);
    }
    let reading = Reading { filter: args.filter.clone(), recover: args.recover, ..Reading::default() };
    let inputs = Inputs::recordings(std::slice::from_ref(&args.input), &reading)?;
    output::check(&args.output, &inputs, |first| args.format.is_ours(first))?;
    if let Some(language) = args.format.language() {
        let folder = tempfile::tempdir().exits(Exit::Usage)?;
        let scenario = grouped(args, &inputs, &folder.path().join("scenario.toml"))?;
        script(args, language, &scenario, folder.path())?;
    } else {
        only_for_scenarios(args.sessions.is_some(), "--sessions")?;
        only_for_scripts(args)?;
        recorded(args, &inputs)?;
    }
    wrote(args, inputs.masked());
    Ok(Exit::Ok)
}

/// The scenario that the recording gives when nothing is said.
fn grouped(args: &Args, inputs: &Inputs, path: &Path) -> Result<Scenario, Failure> {
    let name = args.input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let options = mynah_grouping::Options { name, ..mynah_grouping::Options::default() };
    let open = || inputs.open();
    mynah_grouping::profile(&open, inputs.names(), inputs.masked(), &options, path)
        .map(|profiled| profiled.scenario)
        .map_err(grouping_failure)
}

/// Every exchange of the recording.
fn recorded(args: &Args, inputs: &Inputs) -> Result<(), Failure> {
    let mut progress = Progress::new("exporting");
    let mut archive = Archive::create(args, &archive_comment(&inputs.names(), inputs.masked()))?;
    for input in inputs.iter() {
        let mut stream = input.open()?;
        for exchange in stream.by_ref() {
            archive.write(&exchange?).exits(Exit::Usage)?;
            progress.tick();
        }
        show_warnings(input.path(), &stream.warnings());
    }
    drop(progress);
    archive.close(args)
}

fn only_for_scenarios(given: bool, flag: &str) -> Result<(), Failure> {
    if given {
        return Err(fail(
            Exit::Usage,
            format!("{flag} chooses among a scenario's sessions; of a recording take a part with --include"),
        ));
    }
    Ok(())
}

fn only_for_scripts(args: &Args) -> Result<(), Failure> {
    match args.target {
        Some(_) => {
            let message = "--target is for scripts; a .har or .gor file holds the hosts that were recorded";
            Err(fail(Exit::Usage, message))
        }
        None => Ok(()),
    }
}

fn scenario(args: &Args) -> Outcome {
    if !args.filter.is_empty() || args.recover {
        return Err(fail(
            Exit::Usage,
            "--include, --exclude and --recover are for recordings; a scenario is made of what was meant already",
        ));
    }
    let scenario = Scenario::load_with(&args.input, &driving::variables(&args.variables))?;
    let folder = args.input.parent().unwrap_or(Path::new("")).to_path_buf();
    let named = scenario.profiles.iter().filter_map(|profile| profile.sessions_from.as_deref());
    let sessions = named.map(|from| folder.join(from.rsplit_once('#').map_or(from, |(file, _)| file)));
    if std::iter::once(args.input.clone()).chain(sessions).any(|path| output::is_same(&path, &args.output)) {
        let path = args.output.display();
        return Err(fail(Exit::Usage, format!("{path}: is an input, too; name another output")));
    }
    output::check(&args.output, &Inputs::default(), |first| args.format.is_ours(first))?;
    let masked = scenario.recorded.as_ref().is_none_or(|recorded| recorded.masked);
    if let Some(language) = args.format.language() {
        script(args, language, &scenario, &folder)?;
    } else {
        only_for_scripts(args)?;
        let options = ExportOptions { sessions: args.sessions, target: None };
        let (exchanges, counts) =
            mynah_grouping::scenario_exchanges(&scenario, &folder, &options).map_err(grouping_failure)?;
        let mut archive =
            Archive::create(args, &archive_comment(std::slice::from_ref(&scenario.name), masked))?;
        for exchange in &exchanges {
            archive.write(exchange).exits(Exit::Usage)?;
        }
        tell(&counts);
        archive.close(args)?;
    }
    wrote(args, masked);
    Ok(Exit::Ok)
}

/// Whether the file is a scenario, by what it says.
fn is_scenario(path: &Path) -> bool {
    // what cannot be opened is said when it is opened as a recording
    begins(path).is_ok_and(|first| {
        String::from_utf8_lossy(&first).lines().any(|line| line.trim_start().starts_with("[[profile"))
    })
}

fn script(args: &Args, language: Language, scenario: &Scenario, folder: &Path) -> Result<(), Failure> {
    let options = ExportOptions { sessions: args.sessions, target: args.target.clone() };
    let (text, counts) =
        mynah_grouping::export(scenario, folder, language, &options).map_err(grouping_failure)?;
    output::write_whole(&args.output, text.as_bytes())?;
    tell(&counts);
    Ok(())
}

fn tell(counts: &ExportCounts) {
    terminal::say(format!(
        "exported  {}: {} of {} sessions, {}",
        plural(counts.profiles as u64, "profile"),
        counts.sessions,
        counts.of_sessions,
        plural(counts.requests as u64, "request")
    ));
    for note in &counts.notes {
        terminal::warn(note.clone());
    }
}

fn archive_comment(from: &[String], masked: bool) -> String {
    let masked = if masked { "masked" } else { "NOT masked" };
    format!("made by 'mynah export' from {} ({masked})", from.join(", "))
}

fn wrote(args: &Args, masked: bool) {
    if !masked {
        terminal::warn("secrets and personal data are in it: the recording was made with --unmasked");
    }
    let path = &args.output;
    let size = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
    terminal::say(format!("wrote     {} ({})", path.display(), format_bytes(size)));
}

/// The output: plain, or compressed.
enum Output {
    Plain(BufWriter<Whole>),
    Gzip(BufWriter<Box<GzEncoder<Whole>>>),
}

impl Output {
    fn create(path: &Path) -> Result<Output, Failure> {
        let file = Whole::create(path)?;
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        Ok(if gzip {
            Output::Gzip(BufWriter::new(Box::new(GzEncoder::new(file, Compression::default()))))
        } else {
            Output::Plain(BufWriter::new(file))
        })
    }

    fn close(self) -> Result<(), Failure> {
        let io = |error| fail(Exit::Usage, format!("cannot be written: {error}"));
        match self {
            Output::Plain(out) => out.into_inner().map_err(|error| io(error.into_error()))?,
            Output::Gzip(out) => {
                let gzip = out.into_inner().map_err(|error| io(error.into_error()))?;
                gzip.finish().map_err(io)?
            }
        }
        .finish()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Output::Plain(out) => out.write(bytes),
            Output::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Output::Plain(out) => out.flush(),
            Output::Gzip(out) => out.flush(),
        }
    }
}

/// A file of exchanges being written.
enum Archive {
    Gor(Exporter<Output>, PathBuf),
    Har(HarWriter<Output>, PathBuf),
}

impl Archive {
    fn create(args: &Args, comment: &str) -> Result<Archive, Failure> {
        let path = args.output.clone();
        let io = |error| Error::io(&args.output, error);
        let output = Output::create(&path)?;
        Ok(match args.format {
            Format::Har => {
                Archive::Har(HarWriter::new(output, comment).map_err(io).exits(Exit::Usage)?, path)
            }
            _ => Archive::Gor(Exporter::new(output), path),
        })
    }

    fn write(&mut self, exchange: &Exchange) -> Result<(), Error> {
        match self {
            Archive::Gor(exporter, path) => {
                exporter.write(exchange).map_err(|error| Error::io(path.as_path(), error))
            }
            Archive::Har(writer, path) => {
                writer.write(exchange).map_err(|error| Error::io(path.as_path(), error))
            }
        }
    }

    fn close(self, args: &Args) -> Result<(), Failure> {
        let io = |error| Error::io(&args.output, error);
        match self {
            Archive::Gor(exporter, _) => {
                let exported = exporter.exported();
                exporter.into_inner().close()?;
                tell_gor(exported);
            }
            Archive::Har(writer, _) => {
                let counts = writer.counts();
                writer.finish().map_err(io).exits(Exit::Usage)?.close()?;
                tell_har(counts);
            }
        }
        Ok(())
    }
}

fn tell_partial(partial: u64) {
    if partial > 0 {
        terminal::warn(format!(
            "{} in it not whole: cut short, or with a body that is not in the recording",
            plural(partial, "exchange")
        ));
    }
}

fn tell_gor(exported: Exported) {
    let Exported { exchanges, requests, responses, unfit, partial } = exported;
    terminal::say(format!(
        "exported  {}: {}, {}",
        plural(exchanges, "exchange"),
        plural(requests, "request"),
        plural(responses, "response")
    ));
    tell_partial(partial);
    if unfit > 0 {
        terminal::warn(format!(
            "{} left out: a .gor file cannot hold a message in which its separator stands as a line",
            plural(unfit, "exchange")
        ));
    }
}

fn tell_har(counts: HarCounts) {
    let HarCounts { entries, without_request, partial } = counts;
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    terminal::say(format!("exported  {entries}"));
    tell_partial(partial);
    if without_request > 0 {
        terminal::warn(format!(
            "{} left out: a HAR is a list of requests, and of these only the response was seen",
            plural(without_request, "exchange")
        ));
    }
}
