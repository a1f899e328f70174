//! `mynah profile`: recordings → a weighted scenario.

mod json;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mynah_grouping::{Options, ProfileCount, Profiled, SessionKey};
use mynah_traffic::units::parse_duration;
use mynah_traffic::{Endpoint, Nanos};

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Inputs, Reading};
use crate::output;
use crate::pipeline::list;
use crate::terminal::{self, plural};

/// Group recorded sessions into weighted behaviour profiles: a scenario to replay and to edit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah profile shop.mynah -o shop.toml
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

    /// Seed of the clustering's random choices.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Say what was found and why: sessions, profiles, correlations with their evidence, what was left out.
    #[arg(long)]
    explain: bool,

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
    let half = path
        .split(['/', '?'])
        .find(|piece| piece.contains('{') && !(piece.starts_with('{') && piece.ends_with('}')));
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
        ..args.grouping.options()
    };
    let profiled = make(&inputs, &options, &args.output)?;
    if args.json {
        output::print(&format!("{}\n", json::of(&profiled.explanation)))?;
    } else if args.explain {
        output::print(&profiled.explanation.to_string())?;
    }
    tell(&profiled, &args.output);
    Ok(Exit::Ok)
}

/// Groups, and writes the scenario and its sessions.
pub(crate) fn make(inputs: &Inputs, options: &Options, output: &Path) -> Result<Profiled, Failure> {
    if output.extension().is_some_and(|extension| extension == "sessions") {
        return Err(fail(
            Exit::Usage,
            format!("{}: the scenario's own name must not end in .sessions", output.display()),
        ));
    }
    output::check(output, inputs, |first| String::from_utf8_lossy(first).contains("version ="))?;
    keep_edited(output)?;
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

/// A scenario is there to be edited: one that stands there already is kept as `NAME.bak`.
fn keep_edited(output: &Path) -> Result<(), Failure> {
    if !output.is_file() {
        return Ok(());
    }
    let mut name = output.as_os_str().to_owned();
    name.push(".bak");
    let kept = PathBuf::from(name);
    std::fs::copy(output, &kept)
        .map_err(|error| mynah_traffic::Error::io(&kept, error))
        .exits(Exit::Usage)?;
    terminal::say(format!("kept      the scenario that was there as {}", kept.display()));
    Ok(())
}

fn tell(profiled: &Profiled, output: &Path) {
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
    for correlation in &scenario.correlations {
        let evidence = correlation.evidence.as_deref().unwrap_or_default();
        terminal::say(format!("carries   {}: {evidence}", correlation.name));
    }
    terminal::say(format!("wrote     {}", output.display()));
}
