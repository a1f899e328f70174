//! Requests by a timetable of their own, and what a target that stops does to their times.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mynah_replay::{LoadModel, Options};
use mynah_traffic::Nanos;
use mynah_traffic::run::{Latency, Verdict};
use mynah_traffic::scenario::{Arrivals, Rate};

use crate::server::{Reply, Server};
use crate::{SECOND, once, play, prepared};

const THREE: &str = r#"
[[profile]]
name = "walk"
weight = 1
[[profile.step]]
request = "GET /1"
[[profile.step]]
request = "GET /2"
think = "10s"
[[profile.step]]
request = "GET /3"
"#;

fn paced(server: &Server, rate: f64, seconds: u64) -> Options {
    Options {
        load: LoadModel::Open { rate: Rate::Requests(rate) },
        arrivals: Arrivals::Uniform,
        duration: Some(Nanos(seconds * SECOND.0)),
        think_time: None,
        ..once(server)
    }
}

#[test]
fn each_request_has_its_own_place_and_sessions_stay_in_order() {
    for threads in [1, 2] {
        let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(20)));
        let late_after = Duration::from_millis(10);
        let document = play(&prepared(THREE), &Options { threads, late_after, ..paced(&server, 300.0, 2) });
        // How many are under way says nothing where something else keeps the machine's cores.
        let was_slow = document.generator.limits == ["time"];
        assert_eq!((document.requests, document.failures), (600, 0), "{:?}", document.failure_rows);
        assert_eq!(document.arrivals.scheduled_requests, Some(600));
        assert_eq!(document.arrivals.asked, "300 requests/s, uniform arrivals");
        let counts = server.counts();
        // Sessions under way at the end are cut: no step has gone before the one that it waits for.
        assert!(counts["/1"] >= counts["/2"] && counts["/2"] >= counts["/3"], "{counts:?}");
        assert!(counts["/1"] - counts["/3"] <= 64 || was_slow, "{counts:?}");
        assert_eq!(document.arrivals.started, counts["/1"] as u64);
        assert_eq!(document.arrivals.completed, counts["/3"] as u64);
        let users = server.seen().iter().map(|seen| seen.connection).max().unwrap();
        assert!(users < 100 || was_slow, "six at a time are enough on a machine that is idle: {users}");
    }
}

#[test]
fn as_many_at_once_as_may_be_and_the_rest_waits() {
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(50)));
    let options = Options { max_in_flight: Some(4), threads: 3, ..paced(&server, 100.0, 1) };
    let document = play(&prepared(THREE), &options);
    // Four at 50 ms each are 80 a second: the hundredth waits for 250 ms.
    assert_eq!(document.requests, 100);
    assert!(document.generator.held_back >= 20, "{:?}", document.generator);
    assert!(document.total.response_time_ms.max >= 250.0, "{:?}", document.total.response_time_ms);
    assert!(document.total.service_time_ms.p50 < 200.0, "{:?}", document.total.service_time_ms);
    assert_eq!(server.seen().iter().map(|seen| seen.connection).max(), Some(4), "0 was the probe");

    // Sessions that arrive are held back just so.
    let server = Server::start(|_| Reply::ok("").after(Duration::from_millis(50)));
    let options = Options {
        load: LoadModel::Open { rate: Rate::PerSecond(100.0) },
        max_in_flight: Some(4),
        ..paced(&server, 1.0, 1)
    };
    let one = prepared("[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /x'\n");
    let document = play(&one, &options);
    assert_eq!((document.requests, document.verdict), (100, Verdict::Pass), "{:?}", document.reasons);
    assert!(document.generator.held_back >= 20, "{:?}", document.generator);
    assert!(document.total.response_time_ms.max >= 250.0, "{:?}", document.total.response_time_ms);
}

/// Requests a second, seconds, requests at a time; when the server stops (by request), for how long, and how long it takes otherwise.
const RATE: f64 = 1000.0;
const SECONDS: u64 = 20;
const AT_ONCE: usize = 64;
const STOPS_AT: usize = 8000;
const STOPS_FOR: f64 = 1.0;
const TAKES: f64 = 0.005;

/// Response times, in seconds, of requests that come every `1 / RATE` seconds to a server that takes `AT_ONCE` at a time and stops
/// when it gets the one with number `STOPS_AT`: the backlog's drain included. Ascending.
fn truth() -> Vec<f64> {
    let stops = (STOPS_AT as f64 + 0.5) / RATE;
    let mut free = vec![0.0_f64; AT_ONCE];
    let mut times: Vec<f64> = (0..(RATE as u64 * SECONDS))
        .map(|number| {
            let due = (number as f64 + 0.5) / RATE;
            free.sort_by(f64::total_cmp);
            let begun = due.max(free[0]);
            let begun_there =
                if (stops..stops + STOPS_FOR).contains(&begun) { stops + STOPS_FOR } else { begun };
            free[0] = begun_there + TAKES;
            free[0] - due
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(ascending: &[f64], share: f64) -> f64 {
    let rank = ((ascending.len() as f64 * share).ceil() as usize).clamp(1, ascending.len());
    ascending[rank - 1] * 1e3
}

/// A target that stops for a second in a run of 20 s at 1,000 requests a second shows that second, and the drain of what has piled
/// up, in the response times as arithmetic says; and it is no fault of the generator's.
#[test]
fn a_target_that_stops_is_seen_as_arithmetic_says() {
    let truth = truth();
    let wanted = [0.99, 0.999, 1.0].map(|share| quantile(&truth, share));
    let mut told = Vec::new();
    // A machine that is busy with something else stops, too. The server shares it, so what it costs is as much again as the generator
    // says it was late; and one of three times is enough.
    for _ in 0..3 {
        let until: Mutex<(usize, Option<Instant>)> = Mutex::default();
        let server = Server::start(move |_| {
            let takes = Duration::from_secs_f64(TAKES);
            let mut state = until.lock().unwrap();
            let now = Instant::now();
            if state.0 == STOPS_AT + 1 {
                state.1 = Some(now + Duration::from_secs_f64(STOPS_FOR));
            }
            state.0 += 1;
            let rest = state.1.and_then(|until| until.checked_duration_since(now)).unwrap_or_default();
            Reply::ok("").after(rest + takes)
        });
        let options = Options {
            max_in_flight: Some(AT_ONCE as u32),
            threads: 1,
            // More than the machine is late by, less than the target is.
            late_after: Duration::from_millis(500),
            ..paced(&server, RATE, SECONDS)
        };
        let one = prepared("[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /x'\n");
        let document = play(&one, &options);
        assert_eq!((document.requests, document.failures), (20_000, 0), "{:?}", document.failure_rows);
        assert_eq!(document.verdict, Verdict::Pass, "{:?}", document.reasons);
        let Latency { p99, p999, max, .. } = document.total.response_time_ms;
        let got = [p99, p999, max];
        let late = document.generator.send_lag_us.max / 1e3;
        let near = got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() <= 0.02 * wanted + late);
        let service = document.total.service_time_ms;
        if near && service.p99 < 10.0 * TAKES * 1e3 + late && document.generator.held_back > 900 {
            println!("p99, p99.9, max: {got:?} ms, by arithmetic {wanted:?}; service p99 {} ms", service.p99);
            return;
        }
        told.push(format!(
            "{got:?}, wanted {wanted:?}; service {service:?}; {:?} {:?}",
            document.verdict, document.generator
        ));
    }
    panic!("{told:#?}");
}
