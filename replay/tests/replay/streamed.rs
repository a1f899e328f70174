//! Sessions that are not kept in memory: the same requests as of those that are, and what becomes of a file that changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use mynah_replay::{
    Error, LoadModel, Loading, Options, Prepared, Seek, Shard, Stop, TraceStep, capacity, destinations,
    preview, trace,
};
use mynah_traffic::Nanos;
use mynah_traffic::run::{RunFolder, Verdict};
use mynah_traffic::scenario::{Behaviour, Injection, Rate, SessionScript, Source, Step, ThinkTime};

use crate::recorded::{message, prepared, script};
use crate::server::{Reply, Seen, Server};
use crate::{SECOND, once, play};

const SESSIONS: usize = 60;

const MORE: &str = r#"
[recorded]
masked = true
exchanges = 180
sessions = 60
duration_s = 6.0
sessions_per_s = 10.0
hosts = ["shop.example"]

[[correlation]]
name = "csrf"
from = ["GET /form input:csrf"]
to = ["POST /send form:csrf"]

[vary.order]
make = "o{n}"
at = ["POST /send form:order"]

[rewrite]
path = ["^/=/v2/"]
"#;

const AROUND: &str = r#"
[[profile.on_start]]
request = "GET /hello"
[[profile.on_stop]]
request = "GET /bye"
"#;

/// A profile written by hand, and the recorded sessions once more.
const OTHERS: &str = r#"
[[profile]]
name = "again"
weight = 50
sessions_from = "s.sessions#c0"
[[profile]]
name = "hand"
weight = 50
[[profile.step]]
request = "GET /hand?order=${vary.order}"
"#;

/// Each with a form that is filled in and sent, and some with more; each says which it is.
fn recorded_sessions() -> Vec<SessionScript> {
    let session = |number: usize| {
        let mut session = script(&["GET /form", "POST /send", "GET /after"]);
        session.start = Nanos(number as u64 * 100_000_000);
        let body = format!("csrf=old&order=o{number}&text={}", "x".repeat(number * 7));
        session.steps[1].request = message(
            &format!(
                "POST /send HTTP/1.1\nHost: shop.example\nX-Session: {number}\n\
                 Content-Type: application/x-www-form-urlencoded\nContent-Length: {}\n\n",
                body.len()
            ),
            body.as_bytes(),
        );
        let source = Source::Correlation { name: "csrf".to_owned(), index: 0 };
        let injection = Injection { at: "form:csrf".parse().unwrap(), source, format: None, required: false };
        session.steps[1].injections = vec![injection];
        session.steps[1].think = Nanos(1_000_000 * number as u64);
        // A second form beside the last page, with the first one's order again.
        if number.is_multiple_of(3) {
            session.steps.push(Step { waits_for: Some(0), connection: 1, ..session.steps[1].clone() });
        }
        session
    };
    (0..SESSIONS).map(session).collect()
}

/// Writes the files and loads them both ways: kept, and streamed.
fn both(folder: &Path, more: &str) -> [Prepared; 2] {
    prepared(folder, &recorded_sessions(), MORE);
    let path = folder.join("s.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{more}")).unwrap();
    [u64::MAX, 0].map(|memory| {
        let prepared = within(folder, memory);
        assert_eq!(prepared.streams().is_some(), memory == 0);
        prepared
    })
}

fn within(folder: &Path, memory: u64) -> Prepared {
    let path = folder.join("s.toml");
    Prepared::load_with(&path, &Loading { memory, ..Loading::default() }).unwrap()
}

fn shop() -> Server {
    Server::start(|seen| match seen.target.as_str() {
        "/v2/form" => Reply::ok("<input name=csrf value=fresh>").with("Set-Cookie", "sid=live; Path=/v2"),
        _ => Reply::ok(""),
    })
}

fn options(server: &Server) -> Options {
    Options { think_time: Some(ThinkTime::Scaled(0.1)), threads: 2, seed: 7, ..once(server) }
}

/// By connection: all that came over it, in order.
fn by_connection(seen: &[Seen], from: usize) -> Vec<Vec<String>> {
    let mut all: BTreeMap<usize, Vec<(usize, String)>> = BTreeMap::new();
    for seen in &seen[from..] {
        let sent = format!("{}\n{}", seen.head, seen.text());
        all.entry(seen.connection).or_default().push((seen.ordinal, sent));
    }
    let mut all: Vec<Vec<String>> = all
        .into_values()
        .map(|mut sent| {
            sent.sort();
            sent.into_iter().map(|(_, sent)| sent).collect()
        })
        .collect();
    all.sort();
    all
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, streamed] = both(folder.path(), &format!("{AROUND}{OTHERS}"));
    let server = shop();
    // Every session of the deck, and many of them again.
    let rate = |rate| Options {
        load: LoadModel::Open { rate },
        duration: Some(Nanos(2 * SECOND.0)),
        ..options(&server)
    };
    for options in [rate(Rate::PerSecond(100.0)), once(&server)] {
        let before = server.seen().len();
        let one = play(&kept, &options);
        let between = server.seen().len();
        let other = play(&streamed, &options);
        let seen = server.seen();
        assert_eq!((one.failures, other.failures), (0, 0), "{:?} {:?}", one.failure_rows, other.failure_rows);
        assert_eq!(other.requests, one.requests);
        assert!(by_connection(&seen[..between], before) == by_connection(&seen, between));
        assert_eq!(one.arrivals.scheduled, other.arrivals.scheduled);
        if matches!(options.load, LoadModel::Open { .. }) {
            assert!(one.arrivals.completed > 2 * SESSIONS as u64, "{}", one.arrivals.completed);
            let (one, other) = (one.fidelity.unwrap(), other.fidelity.unwrap());
            assert_eq!((one.endpoint_mix, one.transitions), (other.endpoint_mix, other.transitions));
            assert_eq!(one.session_length, other.session_length);
            assert_eq!(one.body_sizes, other.body_sizes);
        }
    }
}

#[test]
fn requests_by_their_own_timetable_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, streamed] = both(folder.path(), "");
    let server = shop();
    let options = Options {
        load: LoadModel::Open { rate: Rate::Requests(300.0) },
        duration: Some(Nanos(SECOND.0)),
        ..options(&server)
    };
    let before = server.seen().len();
    let one = play(&kept, &options);
    let between = server.seen().len();
    let other = play(&streamed, &options);
    assert_eq!((one.requests, one.failures), (other.requests, other.failures));
    assert_eq!(one.arrivals.scheduled_requests, other.arrivals.scheduled_requests);
    // Which sessions are under way at the end is a matter of moments: those that both have begun were sent the same.
    let orders = |seen: &[Seen]| {
        let sent = seen.iter().filter(|seen| seen.method == "POST" && seen.text().contains("order=o"));
        let order = |text: &str| text.split('&').find(|part| part.starts_with("order=")).map(str::to_owned);
        sent.map(|seen| (order(&seen.text()), (seen.head.clone(), seen.text()))).collect::<BTreeMap<_, _>>()
    };
    let seen = server.seen();
    let (one, other) = (orders(&seen[before..between]), orders(&seen[between..]));
    let same = one.iter().filter(|(order, _)| other.contains_key(*order));
    let count = same.map(|(order, sent)| assert_eq!(sent, &other[order])).count();
    assert!(count > 30, "{count} of {} and {}", one.len(), other.len());
}

#[test]
fn users_who_come_back_play_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, streamed] = both(folder.path(), AROUND);
    let server = shop();
    let options = Options {
        load: LoadModel::Closed { users: 5, spawn_rate: 0.0 },
        // Six orders each take a part of a second, on a machine that is busy with other things more.
        duration: Some(Nanos(3 * SECOND.0)),
        ..options(&server)
    };
    // What users play follows from their numbers: the first sessions of each are the same, however far they come.
    let posts = |from: usize| {
        let seen = server.seen();
        let by_connection = by_connection(&seen, from);
        let mut posts: Vec<Vec<String>> = Vec::new();
        for sent in by_connection.iter().filter(|sent| sent.iter().any(|sent| sent.contains("/hello"))) {
            posts.push(sent.iter().filter(|sent| sent.starts_with("POST")).take(6).cloned().collect());
        }
        posts.sort();
        posts
    };
    let before = server.seen().len();
    let one = play(&kept, &options);
    let sent = posts(before);
    let between = server.seen().len();
    let other = play(&streamed, &options);
    assert_eq!((one.failures, other.failures), (0, 0), "{:?}", other.failure_rows);
    assert!(sent.len() == 5 && sent.iter().all(|posts| posts.len() == 6), "{}", sent.len());
    assert!(sent == posts(between));
}

#[test]
fn what_is_told_without_sending_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, streamed] = both(folder.path(), &format!("{AROUND}{OTHERS}"));
    let server = shop();
    let options = Options {
        load: LoadModel::Open { rate: Rate::PerSecond(20.0) },
        duration: Some(Nanos(SECOND.0)),
        shard: Some(Shard { index: 0, of: 2 }),
        ..options(&server)
    };
    assert_eq!(kept.warnings(), streamed.warnings());
    assert_eq!((kept.sessions(), kept.endpoints()), (streamed.sessions(), streamed.endpoints()));
    assert_eq!(destinations(&kept, &options).unwrap(), destinations(&streamed, &options).unwrap());
    assert_eq!(preview(&kept, &options, 10).unwrap(), preview(&streamed, &options, 10).unwrap());
    let closed = Options {
        load: LoadModel::Closed { users: 3, spawn_rate: 0.0 },
        think_time: None,
        shard: None,
        ..options.clone()
    };
    assert_eq!(preview(&kept, &closed, 10).unwrap(), preview(&streamed, &closed, 10).unwrap());
    let timetable = |prepared: &Prepared| play(prepared, &options).shard.unwrap().timetable;
    // The first profile's sessions fit in, and have to leave again for those of the second.
    let late = within(folder.path(), streamed.streams().unwrap() / 4 * 3);
    assert_eq!(late.streams(), streamed.streams());
    assert_eq!(timetable(&kept), timetable(&streamed), "shards may keep and stream as each can");
    assert_eq!(timetable(&kept), timetable(&late));
    assert_eq!(destinations(&kept, &options).unwrap(), destinations(&late, &options).unwrap());
    let traced = |prepared: &Prepared| {
        let mut steps = Vec::new();
        trace(prepared, &once(&server), &mut |step| {
            steps.push(TraceStep { ms: 0.0, ..step });
        })
        .unwrap();
        steps
    };
    assert_eq!(traced(&kept), traced(&streamed));
}

#[test]
fn capacity_goes_by_the_same_timetable() {
    let folder = tempfile::tempdir().unwrap();
    let [_, streamed] = both(folder.path(), "");
    let server = shop();
    let options = Options {
        thresholds: vec!["failure_rate < 50%".parse().unwrap()],
        think_time: Some(ThinkTime::Fixed(Nanos(0))),
        ..options(&server)
    };
    let seek = Seek {
        from: Some(Rate::PerSecond(20.0)),
        up_to: Some(Rate::PerSecond(20.0)),
        step: Nanos(2 * SECOND.0),
        hold: Nanos(2 * SECOND.0),
        warm_up: Some(Nanos(SECOND.0 / 2)),
        ..Seek::default()
    };
    let run_folder = RunFolder::create(folder.path().join("c")).unwrap();
    let found = capacity(&streamed, &options, &seek, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    let answer = found.steps.last().unwrap();
    assert!(answer.asked_per_s > 0.0 && answer.requests > 0, "{found:?}");
}

#[test]
fn walks_want_their_sessions_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, streamed] = both(folder.path(), "");
    let server = shop();
    let options = Options { behaviour: Some(Behaviour::Markov), ..once(&server) };
    assert!(play(&kept, &options).requests > 0);
    let error = preview(&streamed, &options, 1).unwrap_err();
    assert!(matches!(error, Error::Config(_)));
    let told = error.to_string();
    assert!(told.contains("have to be in memory") && told.contains("--memory 1MiB"), "{told}");
}

#[test]
fn a_file_that_is_cut_short_costs_what_was_in_it_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let [_, streamed] = both(folder.path(), "");
    let path = folder.path().join("s.sessions");
    let length = path.metadata().unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(length / 3).unwrap();
    let server = shop();
    for load in [
        LoadModel::Open { rate: Rate::PerSecond(60.0) },
        LoadModel::Open { rate: Rate::Requests(200.0) },
        LoadModel::Closed { users: 4, spawn_rate: 0.0 },
    ] {
        let options = Options { load, duration: Some(Nanos(SECOND.0)), ..options(&server) };
        let document = play(&streamed, &options);
        assert_eq!(document.verdict, Verdict::Invalid);
        assert!(document.reasons[0].contains("could not read"), "{:?}", document.reasons);
        assert!(document.failures > 0 && document.requests > document.failures, "{}", document.requests);
        for row in &document.failure_rows {
            assert!(row.error.contains("could not be read") && row.error.contains("s.sessions"), "{row:?}");
            assert!(row.error.contains("the file ends"), "{row:?}");
        }
        let profile = &document.profiles[0];
        assert!(profile.completed > 0 && profile.completed < profile.sessions, "{profile:?}");
    }
}

#[test]
fn a_file_that_was_made_again_is_the_old_one_for_this_run() {
    let folder = tempfile::tempdir().unwrap();
    let [_, streamed] = both(folder.path(), "");
    // As 'mynah profile' does: a new file in its place.
    prepared(folder.path(), &[script(&["GET /other"])], "");
    let server = shop();
    let options = Options {
        load: LoadModel::Open { rate: Rate::PerSecond(30.0) },
        duration: Some(Nanos(SECOND.0)),
        ..options(&server)
    };
    let document = play(&streamed, &options);
    assert_eq!(document.failures, 0, "{:?}", document.failure_rows);
    assert!(server.counts().keys().all(|target| target != "/v2/other"));
    // Written over, it is another one.
    let path = folder.path().join("s.sessions");
    let [_, streamed] = both(folder.path(), "");
    let length = path.metadata().unwrap().len() as usize;
    std::fs::write(&path, vec![7; length]).unwrap();
    let document = play(&streamed, &options);
    assert_eq!(document.requests, document.failures);
    assert!(document.failure_rows.iter().all(|row| row.error.contains("could not be read")));
}
