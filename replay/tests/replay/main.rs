//! Replay against a server in this process, on loopback.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail with it")]

mod certificates;
mod flows;
mod http2;
mod load;
mod paced;
mod recorded;
mod rude;
mod server;
mod shards;
mod spoken;
mod streamed;
mod ways;

use std::path::Path;
use std::time::Duration;

use mynah_replay::{Error, LoadModel, Options, Prepared, Stop, run};
use mynah_traffic::Nanos;
use mynah_traffic::run::{RunDocument, RunFolder};
use mynah_traffic::scenario::{Scenario, ThinkTime};
use server::Server;

const SECOND: Nanos = Nanos(1_000_000_000);
/// What something else on this machine keeps a run from is no reason to fail a test.
const LATE_AFTER: Duration = Duration::from_mins(1);

fn prepared(toml: &str) -> Prepared {
    let scenario = Scenario::parse(&format!("version = 1\nname = \"t\"\n{toml}"), "t.toml").unwrap();
    Prepared::from_scenario(scenario, Path::new("")).unwrap()
}

/// One session of each profile, without pauses.
fn once(server: &Server) -> Options {
    Options {
        target: Some(server.url().parse().unwrap()),
        load: LoadModel::Once,
        late_after: LATE_AFTER,
        think_time: Some(ThinkTime::Fixed(Nanos(0))),
        ..Options::default()
    }
}

fn try_play(prepared: &Prepared, options: &Options) -> Result<RunDocument, Error> {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let document = run(prepared, options, &run_folder, &Stop::new(), &mut |_| {})?;
    // What the totals say must also be what the interval log holds.
    let logged: u64 = run_folder
        .intervals()
        .unwrap()
        .totals()
        .unwrap()
        .iter()
        .filter(|(tag, _)| tag.ends_with(".response"))
        .map(|(_, histogram)| histogram.len())
        .sum();
    let waited = document.generator.errors.get("timeout").copied().unwrap_or_default();
    assert_eq!(
        logged,
        document.total.status.values().sum::<u64>() + waited,
        "a timeout counts with what it waited"
    );
    assert_eq!(document.seconds.iter().map(|second| second.requests).sum::<u64>(), document.requests);
    assert_eq!(document.endpoints.iter().map(|endpoint| endpoint.requests).sum::<u64>(), document.requests);
    Ok(document)
}

fn play(prepared: &Prepared, options: &Options) -> RunDocument {
    try_play(prepared, options).unwrap()
}
