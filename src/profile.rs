//! `mynah profile`: recordings → a weighted scenario.

mod json;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mynah_grouping::{Options, ProfileCount, ProfileNote, Profiled, SessionKey, SourceInfo};
use mynah_report::{behaviour, fidelity};
use mynah_traffic::scenario::SessionsReader;
use mynah_traffic::units::parse_duration;
use mynah_traffic::{Endpoint, Nanos};

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Input, Inputs, Reading};
use crate::output;
use crate::pipeline::list;
use crate::terminal::{self, plural};

/// Group recorded sessions into weighted behaviour profiles: a scenario to replay and to edit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah profile shop.mynah -o shop.toml
  mynah profile browse.mynah checkout.mynah -o hand.toml --weight checkout.har=3
  mynah profile mon.mynah tue.mynah -o week.toml --session-key cookie:sid --endpoint 'GET /u/{name}' --explain")]
pub(crate) struct Args {
    /// Recordings.
    #[arg(required = true, value_name = "IN.mynah")]
    inputs: Vec<PathBuf>,

    /// The scenario to write; recorded requests go beside it, into a file that ends in .sessions.
    #[arg(short, long, value_name = "scenario.toml")]
    output: PathBuf,

    #[command(flatten)]
    grouping: GroupingArgs,

    /// How many profiles: found by itself, or this many.
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = parse_count)]
    profiles: ProfileCount,

    /// Keep requests for static assets (images, style sheets, scripts, fonts).
    #[arg(long)]
    keep_static: bool,

    /// Keep health checks: probes by their agent, by their path, or by asking for one thing like clockwork.
    #[arg(long)]
    keep_health_checks: bool,

    /// Keep requests of crawlers and other bots.
    #[arg(long)]
    keep_bots: bool,

    /// Keep requests to hosts other than the recording's own.
    #[arg(long)]
    keep_third_party: bool,

    /// Each session of this input counts so many times: checkout.mynah=3, or checkout.har=3 for the recording made of it;
    /// repeatable.
    #[arg(long = "weight", value_name = "INPUT=FACTOR", value_parser = parse_weight)]
    weights: Vec<(String, f64)>,

    /// Seed of the clustering's random choices.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Say what was found and why: sessions, profiles, correlations with their evidence, what was left out.
    #[arg(long)]
    explain: bool,

    /// Write a page that shows for each profile what sets it apart and where its sessions go on to.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,

    /// With --explain: as one JSON object, with the profile of each session.
    #[arg(long, requires = "explain")]
    json: bool,

    #[command(flatten)]
    filter: FilterArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,
}

fn parse_count(text: &str) -> Result<ProfileCount, String> {
    match text.parse::<usize>() {
        Ok(count) if count > 0 => Ok(ProfileCount::Fixed(count)),
        Err(_) if text == "auto" => Ok(ProfileCount::Auto),
        _ => Err("expected 'auto' or a number of profiles".to_owned()),
    }
}

/// What an input may count.
const WEIGHTS: std::ops::RangeInclusive<f64> = 0.001..=1e6;

fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let wrong = "expected INPUT=FACTOR, such as checkout.har=3";
    let (name, factor) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or(wrong)?;
    match factor.parse::<f64>() {
        Ok(factor) if WEIGHTS.contains(&factor) => Ok((name.to_owned(), factor)),
        _ => Err(format!("{wrong}; the factor is a number from 0.001 to 1000000")),
    }
}

/// A template as somebody types it: unlike one that was made from recorded paths, a brace in it is never meant as it is.
fn parse_template(text: &str) -> Result<Endpoint, String> {
    let mut open: Option<usize> = None;
    for (at, c) in text.chars().enumerate() {
        let place = at + 1;
        match (c, open) {
            ('{', None) => open = Some(place),
            ('}', Some(_)) => open = None,
            ('}', None) => {
                return Err(format!(
                    "the '}}' at character {place} closes nothing; a place is written {{name}}"
                ));
            }
            ('{' | '/' | '?', Some(from)) => {
                return Err(format!(
                    "the '{{' at character {from} is not closed before '{c}' at {place}; a place is written {{name}}"
                ));
            }
            _ => {}
        }
    }
    if let Some(from) = open {
        return Err(format!("the '{{' at character {from} is not closed; a place is written {{name}}"));
    }
    let path = text.find('/').map_or("", |slash| &text[slash..]);
    let half = path.split(['/', '?']).find(|piece| {
        piece.contains('{') && !(piece.starts_with('{') && piece.find('}') == Some(piece.len() - 1))
    });
    if let Some(half) = half {
        return Err(format!("'{half}': a place is a whole segment, such as /{{name}}/"));
    }
    text.parse::<Endpoint>().map_err(|error| error.to_string())
}

/// What `profile` and `inspect` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct GroupingArgs {
    /// What tells clients apart: cookie:NAME, header:NAME or query:NAME. Found by itself when not given.
    #[arg(long, value_name = "KEY")]
    session_key: Option<SessionKey>,

    /// A longer pause ends a session. Found from the pauses when not given; 30m where they do not show one.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    idle_timeout: Option<Nanos>,

    /// An endpoint template of your own, such as 'GET /u/{name}'; repeatable.
    #[arg(long = "endpoint", value_name = "TEMPLATE", value_parser = parse_template)]
    templates: Vec<Endpoint>,
}

impl GroupingArgs {
    /// As the grouping stage takes them.
    pub(crate) fn options(&self) -> Options {
        Options {
            session_key: self.session_key.clone(),
            idle_timeout: self.idle_timeout,
            templates: self.templates.clone(),
            ..Options::default()
        }
    }
}

/// A grouping error and the code it ends with.
pub(crate) fn grouping_failure(error: mynah_grouping::Error) -> Failure {
    match error {
        mynah_grouping::Error::Traffic(error) => error.into(),
        other => Failure { exit: Exit::Input, error: other.into() },
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let inputs = Inputs::recordings(
        &args.inputs,
        &Reading { filter: args.filter.clone(), recover: args.recover, ..Reading::default() },
    )?;
    let options = Options {
        profiles: args.profiles,
        keep_static: args.keep_static,
        keep_third_party: args.keep_third_party,
        keep_health_checks: args.keep_health_checks,
        keep_bots: args.keep_bots,
        seed: args.seed,
        sources: sources(&inputs, &args.weights)?,
        ..args.grouping.options()
    };
    if let Some(page) = &args.html {
        output::check(page, &inputs, output::is_page)?;
        if output::is_same(page, &args.output) {
            return Err(fail(
                Exit::Usage,
                format!("{}: is the scenario, too; name another page", page.display()),
            ));
        }
    }
    let profiled = make(&inputs, &options, &args.output)?;
    if args.json {
        output::print(&format!("{}\n", json::of(&profiled.explanation)))?;
    } else if args.explain {
        output::print(&format!("{}{}", profiled.explanation, compared(&profiled)))?;
    }
    tell(&profiled, args.profiles, &args.output);
    if let Some(path) = &args.html {
        let profiles: Vec<behaviour::Profile> = profiled.explanation.profiles.iter().map(page).collect();
        let page = behaviour::render(&profiled.scenario.name, &profiles).exits(Exit::Internal)?;
        output::write_report(path, page.as_bytes())?;
    }
    write_template(&profiled, &args.output)?;
    Ok(Exit::Ok)
}

fn page(note: &ProfileNote) -> behaviour::Profile {
    behaviour::Profile {
        name: note.name.clone(),
        weight: note.weight,
        margin: note.margin,
        sessions: note.sessions,
        silhouette: note.silhouette,
        telling: note.telling.clone(),
        medoid: note.medoid_steps.clone(),
        visits: note.visits.iter().map(|v| (v.endpoint.clone(), v.requests, v.place)).collect(),
        transitions: note
            .transitions
            .iter()
            .map(|t| (t.from.clone(), t.to.clone(), t.times, t.pause_s))
            .collect(),
    }
}

/// The inputs with the weights that were given. Each weight is that of one input, which it names by path, by file name, or, where no
/// file is called so, by its stem: `checkout.har` for `checkout.mynah`.
fn sources(inputs: &Inputs, weights: &[(String, f64)]) -> Result<Vec<SourceInfo>, Failure> {
    let stem = |name: &str| Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut sources: Vec<SourceInfo> =
        inputs.iter().map(|input| SourceInfo { name: stem(&input.name()), weight: 1.0 }).collect();
    let mut weighed = vec![false; sources.len()];
    for (name, weight) in weights {
        let wrong = |why: String| Err(fail(Exit::Usage, format!("--weight {name}: {why}")));
        let called = |by: &dyn Fn(&Input) -> bool| {
            inputs.iter().enumerate().filter(|(_, input)| by(input)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let found = [
            called(&|input| input.path().to_string_lossy() == *name),
            called(&|input| input.name() == *name),
            called(&|input| stem(&input.name()) == stem(name)),
        ]
        .into_iter()
        .find(|found| !found.is_empty());
        match found.as_deref() {
            Some(&[at]) if weighed[at] => return wrong("this input has a weight already".to_owned()),
            Some(&[at]) => {
                weighed[at] = true;
                sources[at].weight = *weight;
            }
            Some(several) => {
                return wrong(format!("{} inputs are called so; give the path", several.len()));
            }
            None => {
                let names = inputs.names();
                let hint = mynah_traffic::nearest(name, names.iter().map(String::as_str))
                    .map(|meant| format!("; did you mean '{meant}'?"))
                    .unwrap_or_default();
                return wrong(format!("there is no such input{hint}"));
            }
        }
    }
    Ok(sources)
}

/// A CSV to fill with accounts, under the name that the scenario speaks of; one that is there is somebody's and stays.
fn write_template(profiled: &Profiled, output: &Path) -> Result<(), Failure> {
    let Some(identities) = profiled.scenario.identities.as_ref().filter(|own| own.file.is_none()) else {
        return Ok(());
    };
    let path = output.with_file_name(profiled.scenario.identities_template());
    let columns: Vec<&str> = identities.columns.iter().map(|column| column.name.as_str()).collect();
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(&columns).exits(Exit::Internal)?;
    let line = line.into_inner().map_err(csv::IntoInnerError::into_error).exits(Exit::Internal)?;
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, &line)
            .map_err(|error| mynah_traffic::Error::io(&path, error))
            .exits(Exit::Usage)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(mynah_traffic::Error::io(&path, error)).exits(Exit::Usage),
    }
    terminal::say(format!(
        "wrote     {}: a row of accounts for each user, and 'file' in [identities] logs in with them",
        path.display()
    ));
    Ok(())
}

/// Groups, and writes the scenario and its sessions.
pub(crate) fn make(inputs: &Inputs, options: &Options, output: &Path) -> Result<Profiled, Failure> {
    if output.extension().is_some_and(|extension| extension == "sessions") {
        return Err(fail(
            Exit::Usage,
            format!("{}: the scenario's own name must not end in .sessions", output.display()),
        ));
    }
    if output.to_str().is_none() {
        let why = "the scenario names the file beside it, which a name that is no UTF-8 cannot be said in";
        return Err(fail(Exit::Usage, format!("{}: {why}", output.display())));
    }
    output::check(output, inputs, |first| String::from_utf8_lossy(first).contains("version ="))?;
    output::check(&output.with_extension("sessions"), inputs, SessionsReader::recognises)?;
    keep_edited(output, inputs)?;
    if !inputs.masked() {
        terminal::warn(
            "the recording is not masked: secrets and personal data go into the scenario as they are",
        );
    }
    let name = output.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let options = Options { name, ..options.clone() };
    let open = || inputs.open();
    let begun = Instant::now();
    let profiled = mynah_grouping::profile(&open, inputs.names(), inputs.masked(), &options, output)
        .map_err(grouping_failure)?;
    tracing::info!(
        took = ?begun.elapsed(),
        profiles = profiled.scenario.profiles.len(),
        correlations = profiled.scenario.correlations.len(),
        "grouped"
    );
    profiled.scenario.save(output).exits(Exit::Usage)?;
    Ok(profiled)
}

/// A scenario is there to be edited: one that stands there already is kept as `NAME.bak`, and what is there as `.bak2` and so on.
fn keep_edited(output: &Path, inputs: &Inputs) -> Result<(), Failure> {
    let Ok(edited) = std::fs::read(output) else { return Ok(()) };
    let named = |number: u32| {
        let mut name = output.as_os_str().to_owned();
        name.push(if number == 1 { ".bak".to_owned() } else { format!(".bak{number}") });
        PathBuf::from(name)
    };
    for kept in (1..).map(named) {
        if std::fs::read(&kept).is_ok_and(|there| there == edited) {
            return Ok(());
        }
        if kept.exists() {
            continue;
        }
        output::check(&kept, inputs, |_| false)?;
        output::write_whole(&kept, &edited)?;
        terminal::say(format!("kept      the scenario that was there as {}", kept.display()));
        return Ok(());
    }
    Ok(())
}

/// How like the recording the scenario plays, in words.
fn compared(profiled: &Profiled) -> String {
    let mut text = String::new();
    let Some(fidelity) = &profiled.scenario.fidelity else { return text };
    for (behaviour, distances) in [("recorded", fidelity.recorded), ("markov", fidelity.markov)] {
        let Some(distances) = distances else { continue };
        let _ = writeln!(
            text,
            "\nplayed as {behaviour}, against the recording (0 the same, 1 nothing in common)"
        );
        for line in fidelity::lines(&distances) {
            let _ =
                writeln!(text, "  {:>6.4}  {}: {} ({})", line.distance, line.name, line.says, line.measure);
        }
    }
    text
}

fn tell(profiled: &Profiled, wanted: ProfileCount, output: &Path) {
    let scenario = &profiled.scenario;
    if let Some(recorded) = &scenario.recorded {
        terminal::say(format!(
            "grouped   {} of {}, {:.2} sessions/s over {:.1} s",
            plural(recorded.sessions, "session"),
            plural(recorded.exchanges, "exchange"),
            recorded.sessions_per_s,
            recorded.duration_s
        ));
    }
    for warning in &profiled.explanation.warnings {
        terminal::warn(warning);
    }
    let found = scenario.profiles.len();
    if let ProfileCount::Fixed(wanted) = wanted
        && wanted != found
    {
        terminal::warn(format!(
            "--profiles {wanted}: {}: sessions that are alike stay together, and inputs of different weight apart",
            plural(found as u64, "profile")
        ));
    }
    let left_out: BTreeMap<String, u64> =
        profiled.explanation.left_out.iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
    if !left_out.is_empty() {
        terminal::say(format!("left out  {}", list(&left_out, "nothing")));
    }
    for profile in &scenario.profiles {
        let sessions =
            profile.sessions.map(|count| format!(" ({})", plural(count, "session"))).unwrap_or_default();
        terminal::say(format!("profile   {:>6.2} %  {}{sessions}", profile.weight, profile.name));
    }
    for vary in &scenario.vary {
        let evidence = vary.evidence.as_deref().unwrap_or_default();
        terminal::say(format!("varies    {}: {} ({evidence})", vary.name, vary.make));
    }
    for correlation in &scenario.correlations {
        let evidence = correlation.evidence.as_deref().unwrap_or_default();
        terminal::say(format!("carries   {}: {evidence}", correlation.name));
    }
    terminal::say(format!("wrote     {}", output.display()));
}
