//! Several machines that play one timetable, and runs of which a part is counted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use mynah_replay::{Error, LoadModel, Options, Prepared, Seek, Shard, Stop, capacity};
use mynah_traffic::Nanos;
use mynah_traffic::capacity::{CapacityOutcome, Phase, StepVerdict};
use mynah_traffic::run::RunFolder;
use mynah_traffic::scenario::{Rate, Scenario};

use crate::server::{Reply, Server};
use crate::{SECOND, once, play, try_play};

/// Every request names who sends it, as what user, and carries a value of its own.
const SCENARIO: &str = r#"
version = 1
name = "t"
[identities]
file = "users.csv"
[vary.order]
make = "o{n}"
[[profile]]
name = "a"
weight = 70
[[profile.step]]
request = "GET /a?user=${identity.name}&order=${vary.order}"
[[profile]]
name = "b"
weight = 30
[[profile.step]]
request = "GET /b?user=${identity.name}&order=${vary.order}"
[[profile.step]]
request = "GET /b2"
"#;

fn shop(folder: &std::path::Path) -> Prepared {
    let rows: Vec<String> = (0..500).map(|n| format!("user{n}")).collect();
    std::fs::write(folder.join("users.csv"), format!("name\n{}\n", rows.join("\n"))).unwrap();
    Prepared::from_scenario(Scenario::parse(SCENARIO, "t.toml").unwrap(), folder).unwrap()
}

/// What was asked for, sorted; by path without the query how often.
fn asked(server: &Server) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut targets: Vec<String> =
        server.seen().iter().map(|seen| seen.target.clone()).filter(|t| !t.is_empty()).collect();
    targets.sort();
    let mut counts = BTreeMap::new();
    for target in &targets {
        *counts.entry(target.split('?').next().unwrap().to_owned()).or_default() += 1;
    }
    (targets, counts)
}

#[test]
fn shards_together_send_what_one_run_does() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = shop(folder.path());
    let options = |server: &Server| Options {
        load: LoadModel::Open { rate: Rate::PerSecond(150.0) },
        duration: Some(SECOND),
        seed: 11,
        threads: 2,
        ..once(server)
    };
    let whole = Server::start(|_| Reply::ok(""));
    let single = play(&prepared, &options(&whole));
    let parts = Server::start(|_| Reply::ok(""));
    let mut shards = Vec::new();
    for index in 0..3 {
        // However many threads each has.
        let threads = index as usize + 1;
        let options = Options { shard: Some(Shard { index, of: 3 }), threads, ..options(&parts) };
        shards.push(play(&prepared, &options));
    }
    // The same users with the same values of their own, each once.
    assert_eq!(asked(&whole), asked(&parts));
    let sum = |of: fn(&mynah_traffic::run::RunDocument) -> u64| shards.iter().map(of).sum::<u64>();
    assert_eq!(sum(|run| run.requests), single.requests);
    assert_eq!(sum(|run| run.arrivals.scheduled), single.arrivals.scheduled);
    assert_eq!(sum(|run| run.arrivals.started), single.arrivals.started);
    let shard: Vec<_> = shards.iter().map(|run| run.shard.clone().unwrap()).collect();
    assert_eq!(
        shard.iter().map(|shard| (shard.number, shard.of)).collect::<Vec<_>>(),
        [(1, 3), (2, 3), (3, 3)]
    );
    assert!(shard.windows(2).all(|pair| pair[0].timetable == pair[1].timetable) && single.shard.is_none());
    // Another seed is another timetable.
    let other = Options { seed: 12, shard: Some(Shard { index: 0, of: 3 }), ..options(&parts) };
    assert_ne!(play(&prepared, &other).shard.unwrap().timetable, shard[0].timetable);
}

#[test]
fn users_are_divided_and_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = shop(folder.path());
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(20)));
    let mut users = Vec::new();
    for index in 0..2 {
        let before = server.seen().len();
        let options = Options {
            load: LoadModel::Closed { users: 5, spawn_rate: 0.0 },
            duration: Some(Nanos(SECOND.0 / 2)),
            shard: Some(Shard { index, of: 2 }),
            ..once(&server)
        };
        play(&prepared, &options);
        let mut own: Vec<String> = server.seen()[before..]
            .iter()
            .filter_map(|seen| Some(seen.target.split_once("user=")?.1.split('&').next()?.to_owned()))
            .collect();
        own.sort();
        own.dedup();
        users.push(own);
    }
    assert_eq!(users, [vec!["user0", "user2", "user4"], vec!["user1", "user3"]]);
    let nobody = Options {
        load: LoadModel::Closed { users: 2, spawn_rate: 0.0 },
        duration: Some(SECOND),
        shard: Some(Shard { index: 2, of: 3 }),
        ..once(&server)
    };
    let error = try_play(&prepared, &nobody).unwrap_err().to_string();
    assert!(error.contains("shard 3 of 3: there are 2 users in all"), "{error}");
}

#[test]
fn a_run_begins_at_its_moment_or_says_that_it_is_past() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = shop(folder.path());
    let server = Server::start(|_| Reply::ok(""));
    let options = |at: SystemTime| Options {
        load: LoadModel::Open { rate: Rate::PerSecond(100.0) },
        duration: Some(Nanos(SECOND.0 / 2)),
        seed: 1,
        start_at: Some(at),
        ..once(&server)
    };
    let at = SystemTime::now() + Duration::from_millis(700);
    let document = play(&prepared, &options(at));
    assert!(SystemTime::now() > at);
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(document.started, mynah_traffic::units::format_time(since.into()));
    assert!(
        document.requests > 0 && document.total.response_time_ms.max < 700.0,
        "waiting for the start is no waiting"
    );
    let past = try_play(&prepared, &options(SystemTime::now() - Duration::from_mins(1)));
    assert!(matches!(past, Err(Error::Config(why)) if why.contains("which is 1m ago")));
}

#[test]
fn what_warms_up_is_not_counted_and_sessions_are_cut_off_at_the_end() {
    let toml = "version = 1\nname = \"t\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /first\"\n\
                [[profile.step]]\nrequest = \"GET /late\"\nthink = \"30s\"\n";
    let prepared = Prepared::from_scenario(Scenario::parse(toml, "t.toml").unwrap(), "".as_ref()).unwrap();
    let server = Server::start(|_| Reply::ok(""));
    let options = Options {
        load: LoadModel::Open { rate: Rate::PerSecond(100.0) },
        duration: Some(Nanos(2 * SECOND.0)),
        warm_up: Some(SECOND),
        think_time: None,
        seed: 3,
        ..once(&server)
    };
    let document = play(&prepared, &options);
    let measured = document.measured.clone().unwrap();
    assert_eq!((measured.from_s, measured.until_s), (1.0, 2.0));
    assert!(document.requests < server.seen().len() as u64 * 3 / 4, "a half is not counted");
    assert_eq!((document.requests, server.counts().contains_key("/late")), (measured.due, false));
    assert!(measured.ended.abs_diff(measured.due) < 20, "{measured:?}");
    assert!(document.duration_s < 10.0, "nobody waits for the second step");
}

#[test]
fn a_search_ends_where_nothing_holds_where_it_was_told_to_and_when_it_is_stopped() {
    let toml = "version = 1\nname = \"t\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /x\"\nexpect = 200\n";
    let prepared = Prepared::from_scenario(Scenario::parse(toml, "t.toml").unwrap(), "".as_ref()).unwrap();
    let server = Server::start(|_| Reply::new(503, "text/html", b""));
    let folder = tempfile::tempdir().unwrap();
    let seek = Seek {
        from: Some(Rate::PerSecond(20.0)),
        step: SECOND,
        hold: SECOND,
        warm_up: Some(Nanos(SECOND.0 / 10)),
        ..Seek::default()
    };
    let options =
        Options { thresholds: vec!["failure_rate < 1%".parse().unwrap()], seed: 1, ..once(&server) };
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let none = capacity(&prepared, &options, &seek, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    assert_eq!(
        (none.outcome, none.answer, none.steps.len()),
        (CapacityOutcome::NothingHolds, None, 1),
        "{}",
        none.summary
    );
    assert!(
        none.summary.starts_with("not even ") && none.summary.contains("failure_rate < 1%: failed, 100%"),
        "{}",
        none.summary
    );
    let fine = Server::start(|_| Reply::ok(""));
    let options = Options { target: Some(fine.url().parse().unwrap()), ..options };
    let seek = Seek { up_to: Some(Rate::PerSecond(30.0)), ..seek };
    let all = capacity(&prepared, &options, &seek, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    if all.outcome == CapacityOutcome::Generator {
        println!("skipped: this machine is too busy to send thirty requests a second in time");
        return;
    }
    assert_eq!(all.outcome, CapacityOutcome::UpTo, "{}", all.summary);
    let answer = all.step(all.answer).unwrap();
    assert_eq!(
        (answer.phase, answer.verdict, answer.sessions_per_s),
        (Phase::Hold, StepVerdict::Holds, 30.0)
    );
    // Each step is a run like any other.
    let run = RunFolder::open(folder.path().join(&answer.run)).document().unwrap();
    assert_eq!(run.requests, answer.requests);
    let stop = Stop::new();
    stop.trigger();
    let stopped = capacity(&prepared, &options, &seek, &run_folder, &stop, &mut |_| {}).unwrap();
    assert_eq!((stopped.outcome, stopped.answer), (CapacityOutcome::Interrupted, None));
}
