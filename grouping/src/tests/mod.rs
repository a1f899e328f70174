//! The whole way, on generated traffic whose truth is known.

mod coincidences;
mod shop;

use std::collections::{BTreeMap, BTreeSet};

use mynah_message::{Head, Limits, View};
use mynah_traffic::scenario::{Scenario, SessionScript, SessionsReader, Source};
use mynah_traffic::{Exchange, Nanos};

use crate::testing::Traffic;
use crate::{Error, LeftOut, Options, ProfileCount, Profiled, profile, sessionise};
use shop::{Kind, Shop};

fn run(traffic: &Traffic, options: &Options, folder: &tempfile::TempDir) -> Profiled {
    let path = folder.path().join("s.toml");
    profile(&traffic.open(), vec!["test".to_owned()], true, options, &path).unwrap()
}

fn truth(exchange: &Exchange) -> usize {
    exchange.request_head().unwrap().get("x-truth").unwrap().parse().unwrap()
}

fn visitor(script: &SessionScript) -> usize {
    let head = Head::parse(&script.steps[0].request.head).unwrap();
    head.get("x-truth").unwrap().parse().unwrap()
}

fn read_all(folder: &tempfile::TempDir) -> Vec<(String, SessionScript)> {
    let mut reader = SessionsReader::open(folder.path().join("s.sessions")).unwrap();
    let profiles = reader.tables().profiles.clone();
    let index = reader.index().to_vec();
    (0..index.len())
        .map(|number| (profiles[index[number].profile as usize].clone(), reader.read(number).unwrap()))
        .collect()
}

/// Without what is written as comments.
fn without_remarks(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    for profile in &mut scenario.profiles {
        (profile.sessions, profile.think_s) = (None, None);
    }
    for correlation in &mut scenario.correlations {
        correlation.evidence = None;
    }
    for vary in &mut scenario.vary {
        vary.evidence = None;
    }
    scenario
}

#[test]
fn sessions_profiles_and_correlations_are_those_that_were_made() {
    let shop = Shop::open(1, 400);
    let folder = tempfile::tempdir().unwrap();
    let Profiled { scenario, explanation } = run(&shop.traffic, &Options::default(), &folder);
    println!("{explanation}");

    // Sessions: exactly those that there were.
    let mut exchanges = shop.traffic.exchanges.clone();
    exchanges.sort_by_key(|exchange| exchange.times.end());
    let sessions = sessionise(&shop.traffic.open(), &Options::default()).unwrap();
    assert_eq!(sessions.len(), 400);
    for session in &sessions {
        let owners: BTreeSet<usize> =
            session.exchanges.iter().map(|&number| truth(&exchanges[number as usize])).collect();
        assert_eq!(owners.len(), 1, "session {:?}", session.id);
    }

    // Profiles: each is of one kind, and their shares are the kinds'.
    let mut shares: BTreeMap<Kind, f64> = BTreeMap::new();
    for (name, script) in read_all(&folder) {
        let profile = scenario.profiles.iter().find(|profile| profile.name == name).unwrap();
        shares.insert(shop.kinds[visitor(&script)], profile.weight);
    }
    assert_eq!(scenario.profiles.len(), 3, "{explanation}");
    for (kind, weight) in shares {
        let real = shop.kinds.iter().filter(|other| **other == kind).count() as f64 / 4.0;
        assert!((weight - real).abs() <= 3.0, "{kind:?}: {weight} instead of {real}\n{explanation}");
    }
    assert!((scenario.profiles.iter().map(|profile| profile.weight).sum::<f64>() - 100.0).abs() < 1e-9);

    // Correlations: all of these and no others.
    let found: BTreeSet<String> = scenario
        .correlations
        .iter()
        .flat_map(|one| {
            let format = one.format.clone().unwrap_or_default();
            one.to.iter().map(move |to| format!("{to} {format}").trim_end().to_owned())
        })
        .collect();
    let wanted: BTreeSet<String> = [
        "GET /checkout query:basket",
        "GET /items/{id} path:1",
        "GET /orders/{token} path:1",
        "POST /api/basket header:X-CSRF-Token",
        "POST /api/basket json:$.item_id",
        "POST /api/checkout header:Authorization Bearer {}",
        "POST /api/checkout json:$.basket_id",
        "POST /login form:csrf",
        "POST /logout form:csrf",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(found, wanted, "{explanation}");
    let names: BTreeSet<&str> = scenario.correlations.iter().map(|one| one.name.as_str()).collect();
    for name in ["csrf", "item_id", "api_token", "order_id"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }

    // Log-ins, and the address that is sent again at the checkout.
    let identities = scenario.identities.as_ref().unwrap();
    let columns: Vec<(String, Vec<String>)> = identities
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.to.iter().map(ToString::to_string).collect()))
        .collect();
    let email = vec!["POST /login form:email".to_owned(), "POST /api/checkout json:$.email".to_owned()];
    assert_eq!(columns[0], ("email".to_owned(), email));
    assert_eq!(columns[1], ("password".to_owned(), vec!["POST /login form:password".to_owned()]));

    // What is written is a scenario.
    let text = scenario.to_toml().unwrap();
    assert_eq!(Scenario::parse(&text, "s.toml").unwrap(), without_remarks(&scenario));
    let recorded = scenario.recorded.unwrap();
    assert_eq!((recorded.sessions, recorded.exchanges), (400, exchanges.len() as u64));
    assert_eq!(recorded.hosts, ["shop.test"]);
}

/// Plays every session against the recorded responses by replay's rules: each injected value must be the one that was
/// really sent.
#[test]
fn played_against_the_recording_the_same_is_sent() {
    let shop = Shop::open(2, 120);
    let folder = tempfile::tempdir().unwrap();
    let Profiled { scenario, .. } = run(&shop.traffic, &Options::default(), &folder);
    let origin = shop.traffic.exchanges.iter().map(|exchange| exchange.times.request_first).min().unwrap();
    let mut injected = 0;
    for (_, script) in read_all(&folder) {
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut at = origin.plus(script.start);
        let visitor = visitor(&script);
        for step in &script.steps {
            at = at.plus(step.think);
            let exchange = shop
                .traffic
                .exchanges
                .iter()
                .find(|exchange| exchange.times.request_first == at && truth(exchange) == visitor)
                .unwrap();
            at = exchange.times.end();
            assert!(
                !String::from_utf8_lossy(&step.request.head).contains("sid="),
                "the jar's cookie is gone"
            );
            let view = View::open(&step.request, &Limits::default()).unwrap();
            for injection in &step.injections {
                let sent = view.extract(&injection.at).unwrap();
                let Source::Correlation { name, index } = &injection.source else { continue };
                let list = &lists[name.as_str()];
                let value = &list[*index as usize % list.len()];
                let value =
                    injection.format.as_ref().map_or(value.clone(), |format| format.replace("{}", value));
                assert_eq!(value, sent, "{name} at {}", injection.at);
                injected += 1;
            }
            let endpoint = scenario
                .endpoints
                .iter()
                .map(|entry| &entry.endpoint)
                .find(|endpoint| {
                    let head = exchange.request_head().unwrap();
                    let path = head.target().unwrap().split('?').next().unwrap();
                    endpoint.matches(head.method().unwrap(), "shop.test", path)
                })
                .unwrap();
            let response = View::open(exchange.response.as_ref().unwrap(), &Limits::default()).unwrap();
            for correlation in &scenario.correlations {
                for site in correlation.from.iter().filter(|site| site.endpoint == *endpoint) {
                    let values = response.extract_all(&site.at);
                    if !values.is_empty() {
                        lists.insert(&correlation.name, values);
                    }
                }
            }
        }
    }
    assert!(injected > 300, "{injected}");
}

#[test]
fn the_same_seed_gives_the_same_scenario() {
    let shop = Shop::open(3, 150);
    let make = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { seed, ..Options::default() };
        let Profiled { scenario, explanation } = run(&shop.traffic, &options, &folder);
        let sessions = std::fs::read(folder.path().join("s.sessions")).unwrap();
        (scenario.to_toml().unwrap(), explanation.to_string(), sessions)
    };
    assert_eq!(make(7), make(7));
    let fixed = Options { profiles: ProfileCount::Fixed(2), ..Options::default() };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&shop.traffic, &fixed, &folder).scenario.profiles.len(), 2);
}

/// One buyer alone, as a HAR would have it.
fn lone_buyer() -> Traffic {
    for seed in 10.. {
        let shop = Shop::open(seed, 1);
        if shop.kinds[0] == Kind::Buyer {
            let mut traffic = shop.traffic;
            for exchange in &mut traffic.exchanges {
                exchange.connection.client_hint = Some(1);
            }
            return traffic;
        }
    }
    Traffic::new()
}

#[test]
fn a_single_session_is_written_inline() {
    let mut traffic = lone_buyer();
    let asset = "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n\r\n";
    traffic.raw(1, "GET /app.css HTTP/1.1\r\nHost: shop.test\r\n\r\n", asset).connection.client_hint =
        Some(1);
    traffic.raw(1, "GET /t.gif HTTP/1.1\r\nHost: ads.example\r\n\r\n", asset).connection.client_hint =
        Some(1);
    let folder = tempfile::tempdir().unwrap();
    let Profiled { scenario, explanation } = run(&traffic, &Options::default(), &folder);
    assert_eq!(explanation.steps, 11);
    assert_eq!(explanation.left_out, BTreeMap::from([(LeftOut::Static, 1), (LeftOut::ThirdParty, 1)]));
    assert_eq!(explanation.exchanges, 13);
    assert!(!folder.path().join("s.sessions").exists());
    let text = scenario.to_toml().unwrap();
    println!("{text}\n{explanation}");
    assert_eq!(Scenario::parse(&text, "s.toml").unwrap(), without_remarks(&scenario));
    assert_eq!(scenario.profiles.len(), 1);
    assert_eq!(scenario.profiles[0].steps.len(), 11);
    for part in [
        "request = \"GET /items/${item_id",
        "csrf = \"${csrf}\"",
        "email = \"${identity.email:-",
        "password = \"${identity.password:-",
        "Authorization = \"Bearer ${api_token}\"",
        "request = \"GET /orders/${order_id:-",
        "\"X-CSRF-Token\" = \"${csrf}\"",
    ] {
        let plain = part.replace("\"X-CSRF-Token\"", "X-CSRF-Token");
        assert!(text.contains(part) || text.contains(&plain), "{part} is not in\n{text}");
    }
    assert!(!text.contains("Cookie = \"theme=dark; sid"), "{text}");
    assert!(text.contains("Cookie = \"theme=dark\""), "{text}");
    // A number stands bare, so that it is sent as one.
    assert!(text.contains("{\"item_id\":${item_id},\"quantity\":"), "{text}");
    let step = scenario.profiles[0].steps[6].to_step(0, "shop.test", None).unwrap();
    assert!(
        step.injections.iter().any(|one| one.at.to_string() == "json:$.item_id"),
        "{:?}",
        step.injections
    );
    // More steps than are readable go into a session file.
    let folder = tempfile::tempdir().unwrap();
    let options = Options { inline_steps: 10, ..Options::default() };
    let scenario = run(&lone_buyer(), &options, &folder).scenario;
    assert!(scenario.profiles[0].steps.is_empty());
    assert!(scenario.profiles[0].sessions_from.as_deref().unwrap().starts_with("s.sessions#"));
    assert_eq!(read_all(&folder)[0].1.steps.len(), 11);
}

#[test]
fn concurrent_requests_wait_for_the_same_step() {
    let mut traffic = Traffic::new();
    for _ in 0..2 {
        traffic.get(1, "/page");
        traffic.now += 100;
        let now = traffic.now;
        traffic.get(1, "/part/a");
        traffic.now = now + 5;
        traffic.get(2, "/part/b");
        traffic.now += 1_000;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = Options { inline_steps: 0, ..Options::default() };
    for exchange in &mut traffic.exchanges {
        exchange.connection.client_hint = Some(0);
    }
    run(&traffic, &options, &folder);
    let script = &read_all(&folder)[0].1;
    let waits: Vec<(Option<u32>, u64, u32)> =
        script.steps.iter().map(|step| (step.waits_for, step.think.0 / 1_000_000, step.connection)).collect();
    assert_eq!(waits[..3], [(None, 0, 0), (Some(0), 110, 0), (Some(0), 115, 1)]);
    assert_eq!(waits[3].0, Some(2));
    assert_eq!(script.start, Nanos(0));
}

#[test]
fn nothing_to_play_is_an_error_that_says_why() {
    let path = std::path::Path::new("s.toml");
    let options = Options::default();
    let error = profile(&Traffic::new().open(), Vec::new(), true, &options, path).unwrap_err();
    assert_eq!(error.to_string(), "nothing to make a scenario from: the recording holds no exchanges");
    let mut traffic = Traffic::new();
    traffic.get(1, "/a.css");
    let error = profile(&traffic.open(), Vec::new(), true, &options, path).unwrap_err();
    assert!(matches!(&error, Error::Empty(why) if why.contains("--keep-static")), "{error}");
    let keep = Options { keep_static: true, ..Options::default() };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&traffic, &keep, &folder).scenario.profiles[0].steps.len(), 1);
}

#[test]
fn the_kinds_are_found_whatever_the_dice_say() {
    for seed in 20..28 {
        let shop = Shop::open(seed, 250);
        let folder = tempfile::tempdir().unwrap();
        let Profiled { scenario, explanation } = run(&shop.traffic, &Options::default(), &folder);
        let mut owners: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
        for (name, script) in read_all(&folder) {
            owners.entry(name).or_default().insert(shop.kinds[visitor(&script)]);
        }
        assert!(owners.values().all(|kinds| kinds.len() == 1), "seed {seed}: {owners:?}\n{explanation}");
        assert_eq!(scenario.profiles.len(), 3, "seed {seed}\n{explanation}");
    }
}
