//! What a mirror holds and counts, without a network; tests/mirror.rs of the workspace has the rest.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mynah_traffic::run::Dropped;
use mynah_traffic::scenario::Scenario;

use super::session::Handed;
use super::told::Told;
use super::{MirrorOptions, Waiting, expect, reasons, step};
use crate::{Options, Prepared};

fn options() -> MirrorOptions {
    MirrorOptions {
        send: Options { target: "http://127.0.0.1:9".parse().ok(), ..Options::default() },
        source: String::new(),
        rate: 1.0,
        delay: Duration::ZERO,
        max_lag: Duration::from_secs(1),
        max_exchanges: 3,
        max_bytes: 100,
        idle: Duration::from_secs(1),
        endpoints: Vec::new(),
        fold: Arc::new(|_| None),
    }
}

#[test]
fn what_waits_is_bounded_by_number_and_by_bytes() {
    let waiting = Arc::new(Waiting::default());
    let rooms: Vec<_> = (0..4).map(|_| waiting.take(10, &options())).collect();
    assert_eq!(rooms.iter().flatten().count(), 3);
    drop(rooms);
    let large = waiting.take(90, &options());
    assert!(large.is_some() && waiting.take(11, &options()).is_none());
    drop(large);
    let now = [&waiting.exchanges, &waiting.bytes].map(|count| count.load(Ordering::Relaxed));
    let most = [&waiting.most_exchanges, &waiting.most_bytes].map(|count| count.load(Ordering::Relaxed));
    assert_eq!((now, most), ([0, 0], [3, 90]));
}

#[test]
fn a_value_is_known_by_its_place_among_the_latest_and_for_a_while_after() {
    let mut handed = Handed::new(0, vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!((handed.find("b"), handed.find("c")), (Some(1), None));
    handed.put(vec!["c".to_owned()]);
    assert_eq!((handed.find("c"), handed.find("b"), handed.find("x")), (Some(0), Some(0), None));
    for n in 0..100 {
        handed.put(vec![format!("n{n}")]);
    }
    assert_eq!((handed.find("n98"), handed.find("b")), (Some(0), None));
}

#[test]
fn a_scenario_gives_correlations_and_endpoints_and_no_sessions() {
    let given = "version = 1\nname = \"shop\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /x\"\n\
                 [[correlation]]\nname = \"csrf\"\nfrom = [\"GET /f input:csrf\"]\nto = [\"POST /f form:csrf\"]\n\
                 [[endpoint]]\nmatch = \"GET /u/{name}\"\n";
    let given = Scenario::parse(given, "shop.toml").unwrap();
    let mut options = options();
    options.send.map = vec![("api.test".to_owned(), "http://127.0.0.1:10".parse().unwrap())];
    options.send.thresholds = vec!["GET /cart: p95 < 1s".parse().unwrap()];
    let made = step::scenario(Some(&given), &options).unwrap();
    let plan = Prepared::from_scenario(made, "".as_ref()).unwrap().plan;
    let names: Vec<String> = plan.endpoints.all().iter().map(ToString::to_string).collect();
    assert!(
        ["GET /cart", "GET /u/{name}", "GET /f", "POST /f"]
            .iter()
            .all(|name| names.contains(&(*name).to_owned()))
    );
    let hosts: Vec<&str> = plan.origins.iter().map(|origin| origin.host.as_str()).collect();
    assert_eq!((hosts, plan.correlations.len()), (vec!["", "api.test"], 1));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn answers_are_held_against_productions() {
    let head = "HTTP/1.1 201 Created\r\nContent-Type: Application/JSON; charset=utf-8\r\n\r\n";
    let response = mynah_message::Message { head: head.into(), ..Default::default() };
    let exchange = mynah_traffic::Exchange { response: Some(response), ..Default::default() };
    let wanted = expect(&exchange);
    assert_eq!((wanted.status, wanted.content_type.as_deref()), (Some(201), Some("application/json")));
    let mut told = Told::default();
    for (recorded, got) in [(200, 200), (200, 404), (200, 404), (500, 200)] {
        told.compare(0, recorded, got);
    }
    let mut figures = told.figures(&["GET /a".parse().unwrap()]);
    assert_eq!((figures.compared, figures.differ), (4, 3));
    assert_eq!((figures.differences[0].count, figures.differences[0].got), (2, 404));
    assert_eq!(figures.differences[1].endpoint, "GET /a");
    figures.dropped = Dropped { too_late: 2, queue_full: 3, sampled_out: 9, ..Dropped::default() };
    figures.sent = 5;
    let said = reasons(&figures).join("\n");
    assert!(said.contains("5 of 10 requests were not sent: 2 too late"), "{said}");
    assert!(said.contains("3 of 4 answers have another status"), "{said}");
}
