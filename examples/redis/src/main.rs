//! Redis under load: a scenario in, a run's folder out, as `mynah replay` leaves one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use mynah_redis::Redis;
use mynah_replay::protocol::Url;
use mynah_replay::{LoadModel, Loading, Options, Prepared, Stop, run};
use mynah_report::html;
use mynah_report::table::{self, Style};
use mynah_report::timeline::Timeline;
use mynah_traffic::Nanos;
use mynah_traffic::run::{HTML, RunFolder, Verdict};
use mynah_traffic::scenario::{Arrivals, Rate, Scenario};
use mynah_traffic::units::parse_duration;

/// Drive a scenario whose steps speak Redis.
#[derive(Parser)]
struct Args {
    /// The scenario; see examples/redis/scenario.toml.
    scenario: PathBuf,
    /// Where all Redis steps go, whatever the scenario says.
    #[arg(long)]
    to: Option<Url>,
    /// Open model: 200/s (sessions) or 2000req/s.
    #[arg(long, conflicts_with = "users")]
    rate: Option<Rate>,
    /// Closed model: so many users, each with its connection.
    #[arg(long)]
    users: Option<u32>,
    /// For how long.
    #[arg(long = "for", value_parser = parse_duration)]
    duration: Option<Nanos>,
    /// Sending threads; one for each core when left out.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The run's folder.
    #[arg(short, long, default_value = "run")]
    output: PathBuf,
}

impl Args {
    /// Flags over what the scenario says.
    fn options(&self, scenario: &Scenario) -> Result<Options> {
        let load = &scenario.load;
        let closed = |users| LoadModel::Closed { users, spawn_rate: load.spawn_rate.unwrap_or_default() };
        let load_model = match (self.rate, self.users, load.rate, load.users) {
            (Some(rate), ..) | (None, None, Some(rate), _) => LoadModel::Open { rate },
            (None, Some(users), ..) | (None, None, None, Some(users)) => closed(users),
            _ => closed(10),
        };
        let duration = load.duration.as_deref().map(parse_duration).transpose()?;
        let thresholds = scenario.thresholds.iter().map(|entry| entry.expr.parse());
        Ok(Options {
            protocol_targets: self.to.iter().map(|to| ("redis".to_owned(), to.clone())).collect(),
            load: load_model,
            arrivals: load.arrivals.unwrap_or(Arrivals::Uniform),
            duration: self.duration.or(duration),
            threads: self.threads,
            thresholds: thresholds.collect::<Result<_, _>>()?,
            seed: 1,
            ..Options::default()
        })
    }
}

fn main() -> ExitCode {
    match drive(&Args::parse()) {
        Ok(Verdict::Pass) => ExitCode::SUCCESS,
        Ok(Verdict::Fail) => ExitCode::from(10),
        Ok(Verdict::Invalid) => ExitCode::from(11),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn drive(args: &Args) -> Result<Verdict> {
    let speaking = Loading { protocols: vec![Arc::new(Redis)], ..Loading::default() };
    let prepared = Prepared::load_with(&args.scenario, &speaking)?;
    let options = args.options(prepared.scenario())?;
    let folder = RunFolder::create(&args.output)?;
    folder.clear()?;
    let document = run(&prepared, &options, &folder, &Stop::new(), &mut |now| {
        eprintln!("{:.0?}: {} requests, {} failed", now.elapsed, now.requests, now.failures);
    })?;
    folder.write(&document)?;
    let page = html::render(&document, &Timeline::read(&folder, &document)?, None)?;
    let path = folder.path().join(HTML);
    std::fs::write(&path, page).with_context(|| path.display().to_string())?;
    print!("{}", table::render(&document, Style { color: false, width: None }));
    eprintln!("wrote {}", path.display());
    Ok(document.verdict)
}
