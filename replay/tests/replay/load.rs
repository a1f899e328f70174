//! How sessions begin, what is measured, and what a run comes to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mynah_replay::timetable::Timetable;
use mynah_replay::{Error, LoadModel, Options, Stop, run};
use mynah_traffic::Nanos;
use mynah_traffic::run::{RunFolder, Verdict};
use mynah_traffic::scenario::Rate;

use crate::server::{Reply, Server};
use crate::{SECOND, once, play, prepared, try_play};

const TWO: &str = r#"
[[profile]]
name = "a"
weight = 70
[[profile.step]]
request = "GET /a"
[[profile]]
name = "b"
weight = 30
[[profile.step]]
request = "GET /b"
[[profile.step]]
request = "GET /b2"
"#;

const ONE: &str = "[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /x'\nexpect=200\n";

fn open(server: &Server, rate: f64, duration: Nanos) -> Options {
    Options {
        load: LoadModel::Open { rate: Rate::PerSecond(rate) },
        duration: Some(duration),
        seed: 11,
        ..once(server)
    }
}

#[test]
fn the_open_model_plays_the_timetable_whatever_the_threads() {
    let shares =
        [(70.0, 1), (30.0, 1)].map(|(weight, sessions)| mynah_replay::timetable::Share { weight, sessions });
    let arrivals: Vec<_> = Timetable::open(&shares, 300.0, SECOND, 11).unwrap().collect();
    let b = arrivals.iter().filter(|arrival| arrival.card.profile == 1).count();
    for threads in [1, 3] {
        let server = Server::start(|_| Reply::ok(""));
        let options = Options { threads, ..open(&server, 300.0, SECOND) };
        let document = play(&prepared(TWO), &options);
        let counts = server.counts();
        assert_eq!(counts["/b"], b);
        assert_eq!((counts["/a"], counts["/b2"]), (arrivals.len() - b, b));
        assert_eq!(document.arrivals.scheduled, arrivals.len() as u64);
        assert_eq!(document.arrivals.completed, arrivals.len() as u64);
        assert_eq!(document.arrivals.asked, "300 sessions/s");
        assert_eq!(document.generator.threads, threads as u32);
        assert_eq!((document.profiles[1].sessions, document.profiles[1].completed), (b as u64, b as u64));
    }
}

#[test]
fn waiting_counts_in_the_response_time() {
    // One connection, three requests at once, each takes 100 ms: the third has waited for the two before it.
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(100)));
    let mut script = crate::recorded::script(&["GET /1", "GET /2", "GET /3"]);
    for step in &mut script.steps {
        step.waits_for = None;
    }
    let folder = tempfile::tempdir().unwrap();
    let prepared = crate::recorded::prepared(folder.path(), &[script], "");
    let document = play(&prepared, &once(&server));
    assert_eq!((document.requests, document.failures), (3, 0), "{:?}", document.failure_rows);
    assert!(document.total.response_time_ms.max >= 300.0, "{:?}", document.total.response_time_ms);
    assert!(document.total.service_time_ms.min >= 100.0);
    assert_eq!(document.generator.held_back, 2);
    assert_eq!(server.seen().iter().map(|seen| seen.connection).max(), Some(1), "0 was the probe");
}

#[test]
fn the_closed_model_keeps_users_and_their_connections() {
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(5)).with("Set-Cookie", "s=1"));
    let options = Options {
        load: LoadModel::Closed { users: 3, spawn_rate: 0.0 },
        duration: Some(SECOND),
        threads: 2,
        ..once(&server)
    };
    let document = play(&prepared(ONE), &options);
    let connections: std::collections::BTreeSet<usize> =
        server.seen().iter().map(|seen| seen.connection).filter(|number| *number > 0).collect();
    // Connection 0 is the probe.
    assert_eq!(connections.len(), 3, "each user has one, and keeps it");
    assert!(
        server.seen().iter().all(|seen| seen.header("cookie").is_empty()),
        "a session begins without cookies"
    );
    assert!(document.requests >= 3, "{}", document.requests);
    assert_eq!((document.arrivals.model.as_str(), document.arrivals.asked.as_str()), ("closed", "3 users"));
    assert_eq!(document.requests as usize, server.seen().len());
}

#[test]
fn thresholds_decide() {
    let server = Server::start(|_| Reply::ok(""));
    let thresholds = ["p99 < 1us", "failure_rate < 1%", "GET /x: requests >= 1", "GET /y: p50 < 1s"];
    let options = Options {
        thresholds: thresholds.iter().map(|text| text.parse().unwrap()).collect(),
        ..once(&server)
    };
    let document = play(&prepared(ONE), &options);
    assert_eq!(document.verdict, Verdict::Fail);
    let ok: Vec<bool> = document.thresholds.iter().map(|threshold| threshold.ok).collect();
    assert_eq!(ok, [false, true, true, false]);
    assert_eq!(document.reasons.len(), 2);
    assert!(document.reasons[0].starts_with("p99 < 1us: failed"), "{:?}", document.reasons);
    let holds = Options { thresholds: vec!["p99 < 1h".parse().unwrap()], ..once(&server) };
    let document = play(&prepared(ONE), &holds);
    assert_eq!((document.verdict, document.reasons.len()), (Verdict::Pass, 0));
}

const BROWSERS: &str = r#"
[[profile]]
name = "browse"
weight = 1
[[profile.step]]
request = "GET /x"
[[profile]]
name = "check out"
weight = 1
[[profile.step]]
request = "GET /missing"
expect = 200
"#;

#[test]
fn first_bytes_connections_and_profiles_are_counted_apart() {
    let server = Server::start(|request| match request.target.as_str() {
        "/missing" => Reply { status: 404, ..Reply::ok("no") },
        _ => Reply::ok("yes"),
    });
    let thresholds = [
        "first_byte.p99 < 10s",
        "GET /x: first_byte.max < 1us",
        "connect.p99 < 10s",
        "tls.p99 < 10s",
        "profile browse: failure_rate < 1%",
        "profile check out: failure_rate < 1%",
        "profile browse: p95 < 10s over any 1s",
        "profile brows: p95 < 10s",
        "profile brows: p95 < 10s over any 1s",
        "connect.max < 10s over any 1s",
        "profile check out: requests >= 1",
    ];
    let options = Options {
        thresholds: thresholds.iter().map(|text| text.parse().unwrap()).collect(),
        ..open(&server, 20.0, Nanos(2 * SECOND.0))
    };
    let document = play(&prepared(BROWSERS), &options);
    let ok: Vec<(&str, bool)> = document.thresholds.iter().map(|t| (t.expr.as_str(), t.ok)).collect();
    let wanted = [true, false, true, false, true, false, true, false, false, true, true];
    assert_eq!(ok, thresholds.into_iter().zip(wanted).collect::<Vec<_>>(), "{:?}", document.reasons);
    let told = "profile brows: p95 < 10s: failed, there is no profile 'brows'; the nearest is 'browse'";
    assert!(document.reasons.iter().any(|reason| reason == told), "{:?}", document.reasons);
    let [browse, out] = document.profiles.as_slice() else { panic!("{:?}", document.profiles) };
    assert_eq!((browse.requests + out.requests, browse.failures), (document.requests, 0));
    assert_eq!((out.failures, out.tag.as_str()), (out.requests, "p1"));
    assert!(browse.response_time_ms.p50 > 0.0);
    let total = &document.total;
    assert_eq!((total.connections, total.tls_ms.max), (document.arrivals.started, 0.0));
    assert!(total.connect_ms.p50 > 0.0 && total.first_byte_ms.p50 > 0.0);
    assert!(total.first_byte_ms.max <= total.service_time_ms.max, "{total:?}");
}

#[test]
fn every_time_is_in_the_interval_log_and_every_answer_in_the_list() {
    let server = Server::start(|_| Reply::ok("yes"));
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let options = open(&server, 20.0, SECOND);
    let document = run(&prepared(BROWSERS), &options, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    let totals = run_folder.intervals().unwrap().totals().unwrap();
    let of = |end: &str| -> u64 {
        totals.iter().filter(|(tag, _)| tag.ends_with(end)).map(|(_, histogram)| histogram.len()).sum()
    };
    assert_eq!(
        (of(".first_byte"), of(".time"), of(".service")),
        (document.requests, document.requests, document.requests)
    );
    assert_eq!((of("connect"), of("tls")), (document.total.connections, 0));
    let answers = run_folder.answers().unwrap().unwrap();
    let statuses = answers.endpoints.iter().flat_map(|own| own.statuses.values()).flatten().sum::<u64>();
    let looked =
        answers.endpoints.iter().flat_map(|own| &own.classes).flat_map(|own| own.answers).sum::<u64>();
    assert_eq!((statuses, looked), (document.requests, document.requests), "{answers:?}");
}

#[test]
fn a_target_that_is_not_there_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start(|_| Reply::ok(""));
    let options = Options { target: Some(format!("127.0.0.1:{port}").parse().unwrap()), ..once(&server) };
    let error = try_play(&prepared(ONE), &options).unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { target, .. } if target.contains(&port.to_string())),
        "{error}"
    );
}

#[test]
fn a_stop_ends_the_run_and_keeps_what_was_measured() {
    let server = Server::start(|_| Reply::ok(""));
    let options = open(&server, 50.0, Nanos(600 * SECOND.0));
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let stop = Stop::new();
    let switch = stop.clone();
    let mut seen = Vec::new();
    let document = run(&prepared(ONE), &options, &run_folder, &stop, &mut |progress| {
        seen.push(*progress);
        switch.trigger();
    })
    .unwrap();
    assert!(document.interrupted);
    assert!(document.requests > 0);
    assert!(document.arrivals.scheduled > document.arrivals.started);
    assert_eq!(seen[0].planned, Duration::from_mins(10));
    assert!(seen[0].requests > 0);
}

#[test]
fn a_closed_connection_is_opened_again_and_the_request_goes_out_once_more() {
    // Every second request of a connection meets a server that has just closed it.
    let server = Server::start(|seen| Reply { hang_up: seen.ordinal == 1, ..Reply::ok("") });
    let toml = "[[profile]]\nname='a'\nweight=1\n".to_owned()
        + &"[[profile.step]]\nrequest='GET /x'\nexpect=200\n".repeat(4);
    let document = play(&prepared(&toml), &once(&server));
    assert_eq!((document.requests, document.failures), (4, 0), "{:?}", document.failure_rows);
    // A POST is not sent twice: it may have been taken.
    let posts = "[[profile]]\nname='a'\nweight=1\n".to_owned()
        + &"[[profile.step]]\nrequest='POST /x'\nexpect=200\n".repeat(2);
    let document = play(&prepared(&posts), &once(&server));
    assert_eq!((document.requests, document.failures), (2, 1));
    assert_eq!(document.generator.errors.get("closed"), Some(&1), "{:?}", document.failure_rows);
    // A server that says so beforehand costs nobody anything.
    let polite = Server::start(|_| Reply { close: true, ..Reply::ok("") });
    let document = play(&prepared(&posts), &once(&polite));
    assert_eq!((document.requests, document.failures), (2, 0), "{:?}", document.failure_rows);
}

#[test]
fn timeouts_and_a_server_that_dies_are_failures_by_kind() {
    let server = Server::start(|_| Reply::ok("").after(Duration::from_secs(30)));
    let options = Options { request_timeout: Duration::from_millis(50), ..once(&server) };
    let document = play(&prepared(ONE), &options);
    assert_eq!(document.failure_rows[0].error, "timeout after 50ms");
    assert_eq!(document.generator.errors.get("timeout"), Some(&1));
    assert_eq!(document.verdict, Verdict::Fail);
    assert_eq!(document.reasons, ["none of 1 requests was answered"]);
    let server = Server::start(|_| Reply { hang_up: true, ..Reply::ok("") });
    let document = play(&prepared(ONE), &once(&server));
    assert_eq!(document.generator.errors.get("closed"), Some(&1), "{:?}", document.failure_rows);
}

#[test]
fn sessions_past_the_limit_make_the_run_invalid() {
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(500)));
    let options = Options { max_vus: 1, threads: 1, ..open(&server, 50.0, Nanos(SECOND.0 / 4)) };
    let document = play(&prepared(ONE), &options);
    assert_eq!(document.verdict, Verdict::Invalid);
    assert!(document.reasons[0].contains("limit of 1 virtual users"), "{:?}", document.reasons);
}

#[test]
fn rates_relative_to_nothing_are_refused() {
    let server = Server::start(|_| Reply::ok(""));
    let options = Options { load: LoadModel::Open { rate: Rate::Times(2.0) }, ..once(&server) };
    let error = try_play(&prepared(ONE), &options).unwrap_err();
    assert!(error.to_string().contains("relative to a recording"), "{error}");
    let none = Options { load: LoadModel::Closed { users: 0, spawn_rate: 1.0 }, ..once(&server) };
    assert!(matches!(try_play(&prepared(ONE), &none), Err(Error::Config(_))));
}

#[test]
fn the_end_of_a_closed_run_waits_for_answers_under_way() {
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = Server::start(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Reply::ok("").after(Duration::from_millis(400))
    });
    let options = Options {
        load: LoadModel::Closed { users: 1, spawn_rate: 0.0 },
        duration: Some(Nanos(SECOND.0 / 10)),
        ..once(&server)
    };
    let document = play(&prepared(ONE), &options);
    assert_eq!((document.requests, document.failures), (1, 0), "{:?}", document.failure_rows);
    assert!(document.total.service_time_ms.max >= 400.0);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
