//! What a scenario is made of besides recorded sessions: values made anew, weighted inputs, accounts, walks; and the way there
//! and back on known traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::common::site::{Site, ok};
use crate::common::{Anything, Place, bench, fixture, run_json, shop_for};

const WORDS: [&str; 6] = ["lamp", "chair", "rope", "kettle", "table", "drum"];

/// Forty visitors register, order and look about; as GoReplay would have written it.
fn registrations() -> String {
    let mut gor = String::new();
    let mut request = 0;
    let mut add = |session: u64, at_ms: u64, text: &str| {
        request += 1;
        // The identifier of a connection: port and address, then a count.
        let id = format!("{:08x}{:08x}{request:08x}", 0x1000 + session, 0x7f00_0001);
        let begin = (1_790_000_000_000 + at_ms) * 1_000_000;
        let _ = write!(gor, "1 {id} {begin} 0\n{text}\n\u{1f435}\u{1f648}\u{1f649}\n");
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok";
        let _ = write!(gor, "2 {id} {} 5000000\n{answer}\n\u{1f435}\u{1f648}\u{1f649}\n", begin + 5_000_000);
    };
    for session in 0..40_u64 {
        let start = session * 700;
        let key = format!("{:08x}-1c2d-4e3f-8a4b-{:012x}", session * 2_654_435 + 77, session * 99_991 + 5);
        let post = |path: &str, kind: &str, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: v{session}\r\nIdempotency-Key: {key}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let get = |path: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: v{session}\r\n\r\n")
        };
        add(session, start, &get(&format!("/find?q={}", WORDS[session as usize % 6])));
        let mail = format!("visitor{}.{session}%40mail.example", WORDS[session as usize % 6]);
        add(
            session,
            start + 100,
            &post("/register", "application/x-www-form-urlencoded", &format!("email={mail}&wish=none")),
        );
        let order = format!(
            "{{\"order_ref\":\"ORD-{:06}\",\"email\":\"{}\",\"sent_at\":{}}}",
            session * 7919 % 1_000_000,
            mail.replace("%40", "@"),
            1_790_000_000_000 + start + 200
        );
        add(session, start + 200, &post("/orders", "application/json", &order));
        add(session, start + 300, &get(&format!("/ping?ts={}", 1_790_000_000 + (start + 300) / 1000)));
    }
    gor
}

#[test]
fn what_must_be_unique_is_made_anew() {
    let place = Place::new();
    place.write("t.gor", registrations());
    place.mynah(&["capture", "t.gor", "-o", "t.mynah"]).ok();
    place.mynah(&["profile", "t.mynah", "-o", "t.toml"]).ok().says("varies ");
    let scenario = std::fs::read_to_string(place.file("t.toml")).unwrap();
    for wanted in [
        "make = \"user+{n}@",
        "make = \"{uuid}\"",
        "{digits:6}\"",
        "make = \"{now:s}\"",
        "make = \"{now:ms}\"",
    ] {
        assert!(scenario.contains(wanted), "{wanted}\n{scenario}");
    }
    let vary = &scenario[scenario.find("[vary.").unwrap()..scenario.find("[endpoints]").unwrap()];
    assert!(!vary.contains("query:q") && !vary.contains("wish"), "what people type is theirs\n{vary}");
    for behaviour in ["recorded", "markov"] {
        let server = Site::start(|_, _| ok());
        place
            .mynah(&[
                "replay",
                "t.toml",
                "--target",
                &server.url(),
                "--rate",
                "100/s",
                "--for",
                "2s",
                "--think-time",
                "x0.1",
                "--threads",
                "2",
                "--behaviour",
                behaviour,
                "-o",
                "run",
                "--force",
            ])
            .ok();
        let kept = server.kept();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut mails: BTreeMap<String, u32> = BTreeMap::new();
        let (mut keys, mut orders, mut registered, mut ordered) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
        for request in &kept {
            let (head, body) = (&request.head, &request.body);
            if head.starts_with("POST /register") {
                registered += 1;
                let mail = body
                    .split('&')
                    .next()
                    .unwrap()
                    .trim_start_matches("email=")
                    .replace("%40", "@")
                    .replace("%2B", "+");
                assert!(mail.starts_with("user+"), "{body}");
                assert_eq!(mails.insert(mail, 1), None, "two registered as one");
                assert!(body.ends_with("&wish=none"), "{body}");
                keys.insert(request.field("idempotency-key").to_owned());
            } else if head.starts_with("POST /orders") {
                ordered += 1;
                let order: serde_json::Value = serde_json::from_str(body).unwrap();
                *mails.get_mut(order["email"].as_str().unwrap()).expect("registered before it ordered") += 1;
                assert!(orders.insert(order["order_ref"].as_str().unwrap().to_owned()), "{body}");
                assert!((order["sent_at"].as_u64().unwrap() / 1000).abs_diff(now) < 120, "{body}");
                assert!(keys.contains(request.field("idempotency-key")), "the session's own");
            } else if let Some((_, time)) = head.lines().next().unwrap().split_once("ts=") {
                let time: u64 = time.split(' ').next().unwrap().parse().unwrap();
                assert!(time + 60 > now, "{head}");
            }
        }
        // More sessions than were recorded, on two threads: yet each is somebody else.
        assert!(registered > 100 && registered == ordered, "{registered} registered, {ordered} ordered");
        assert_eq!((mails.len(), keys.len(), orders.len()), (registered, registered, registered));
        assert!(mails.values().all(|uses| *uses == 2), "{behaviour}: {mails:?}");
    }
    // Switched off, recorded values are sent.
    let off = scenario.replacen("make = \"user+{n}@", "enabled = false\nmake = \"user+{n}@", 1);
    place.write("off.toml", off);
    let server = Site::start(|_, _| ok());
    let rest = ["--users", "1", "--for", "1s", "--think-time", "0", "-o", "run2"];
    place.mynah(&[&["replay", "off.toml", "--target", &server.url()][..], &rest].concat()).ok();
    let kept = server.kept();
    assert!(kept.iter().all(|one| !one.body.contains("user%2B") && !one.body.contains("user+")));
}

#[test]
fn walks_log_in_and_order_as_recorded_sessions_do() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah", "--key-file", "k"]).ok();
    let explained = place.mynah(&["profile", "shop.mynah", "-o", "shop.toml", "--explain"]).ok().stdout();
    assert!(
        explained.contains("played as markov")
            && explained.contains("endpoints were asked for as in the recording")
    );
    // Accounts as recorded: a walk over several people's sessions must be one of them from log-in to order.
    let shop = shop_for(&place, "k", 31);
    let target = shop.url();
    let replay = |behaviour: &str| {
        let args = [
            "replay",
            "shop.toml",
            "--target",
            &target,
            "--rate",
            "60/s",
            "--for",
            "3s",
            "--think-time",
            "x0.2",
        ];
        place
            .mynah(&[&args[..], &["--behaviour", behaviour, "-o", "run", "--force", "--seed", "5"]].concat())
            .ok();
        run_json(&place.file("run"))
    };
    let walks = replay("markov");
    assert_eq!(
        (walks["failures"].as_u64(), &walks["fidelity"]["behaviour"]),
        (Some(0), &"markov".into()),
        "{}",
        walks["failure_rows"]
    );
    assert_eq!(walks["fidelity"]["status_parity"], 1.0);
    assert!(walks["fidelity"]["transitions"].as_f64().unwrap() < 0.1, "{}", walks["fidelity"]);
    let counts = shop.counts();
    assert!(counts.orders > 20 && counts.confirmed > 20 && counts.logins_failed == 0, "{counts:?}");
    // The same seed walks the same ways.
    assert_eq!(replay("markov")["requests"], walks["requests"]);
    assert_ne!(replay("recorded")["requests"], walks["requests"]);
}

/// A HAR of some GETs, one after the other.
fn har(host: &str, minute: u32, paths: &[&str]) -> String {
    let entries: Vec<serde_json::Value> = paths
        .iter()
        .enumerate()
        .map(|(second, path)| {
            serde_json::json!({
                "startedDateTime": format!("2026-10-01T10:{minute:02}:{second:02}.000Z"), "time": 12.0,
                "request": {"method": "GET", "url": format!("https://{host}{path}"), "httpVersion": "HTTP/1.1",
                    "headers": [{"name": "Accept", "value": "text/html"}], "queryString": [], "cookies": [],
                    "headersSize": -1, "bodySize": 0},
                "response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1",
                    "headers": [{"name": "Content-Type", "value": "text/html"}], "cookies": [],
                    "content": {"size": 2, "mimeType": "text/html", "text": "ok"}, "redirectURL": "",
                    "headersSize": -1, "bodySize": 2},
                "cache": {}, "timings": {"send": 1, "wait": 10, "receive": 1},
            })
        })
        .collect();
    serde_json::json!({"log": {"version": "1.2", "creator": {"name": "test", "version": "1"}, "entries": entries}}).to_string()
}

#[test]
fn several_hars_become_one_weighted_readable_scenario() {
    let place = Place::new();
    place.write("browse.har", har("shop.example", 1, &["/", "/lamps", "/lamps/7"]));
    place.write("checkout.har", har("shop.example", 2, &["/", "/basket", "/pay", "/thanks"]));
    for name in ["browse", "checkout"] {
        place.mynah(&["capture", &format!("{name}.har"), "-o", &format!("{name}.mynah")]).ok();
    }
    let profile = ["profile", "browse.mynah", "checkout.mynah", "-o", "hand.toml", "--weight"];
    place.mynah(&[&profile[..], &["chekout.har=3"]].concat()).exits(2).says("did you mean 'checkout.mynah'?");
    place.mynah(&[&profile[..], &["checkout.har=0"]].concat()).exits(2);
    place.mynah(&[&profile[..], &["checkout.har=3"]].concat()).ok();
    assert!(!place.path().join("hand.sessions").exists(), "one file");
    let scenario: toml::Table = std::fs::read_to_string(place.file("hand.toml")).unwrap().parse().unwrap();
    let found: Vec<(&str, f64, usize)> = scenario["profile"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let steps = one["step"].as_array().unwrap().len();
            (one["name"].as_str().unwrap(), one["weight"].as_float().unwrap(), steps)
        })
        .collect();
    assert_eq!(found, [("checkout", 75.0, 4), ("browse", 25.0, 3)]);
    let server = Anything::start();
    let target = server.url();
    place
        .mynah(&[
            "replay",
            "hand.toml",
            "--target",
            &target,
            "--rate",
            "50/s",
            "--for",
            "2s",
            "--think-time",
            "0",
            "-o",
            "run",
        ])
        .ok();
    let run = run_json(&place.file("run"));
    let (all, paid) =
        (run["profiles"][0]["sessions"].as_f64().unwrap(), run["profiles"][1]["sessions"].as_f64().unwrap());
    assert!((all / (all + paid) - 0.75).abs() < 0.03, "{}", run["profiles"]);
    assert_eq!(run["requests"], server.requests());
}

/// A recording of so many HARs, a session each.
fn recorded(place: &Place, name: &str, sessions: u32, path: &str) {
    let files: Vec<String> = (0..sessions)
        .map(|n| place.write(&format!("{name}-{n}.har"), har("shop.example", n, &["/", path, path])))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    place.mynah(&[&["capture"], &files[..], &["-o", &format!("{name}.mynah")]].concat()).ok();
}

#[test]
fn recordings_of_several_files_keep_their_sessions_and_their_weights() {
    let place = Place::new();
    recorded(&place, "read", 12, "/read");
    recorded(&place, "buy", 12, "/buy");
    let profile = ["profile", "read.mynah", "buy.mynah", "-o", "both.toml"];
    place
        .mynah(&[&profile[..], &["--weight", "buy.mynah=9"]].concat())
        .ok()
        .says("24 sessions of 72 exchanges");
    let scenario: toml::Table = std::fs::read_to_string(place.file("both.toml")).unwrap().parse().unwrap();
    let weights: Vec<f64> =
        scenario["profile"].as_array().unwrap().iter().map(|one| one["weight"].as_float().unwrap()).collect();
    assert_eq!(weights, [90.0, 10.0]);
    // Each weight is one input's, and each input is there once.
    std::fs::create_dir(place.path().join("other")).unwrap();
    std::fs::copy(place.file("read.mynah"), place.file("other/read.mynah")).unwrap();
    let two = ["profile", "read.mynah", "other/read.mynah", "-o", "two.toml", "--weight"];
    place.mynah(&[&two[..], &["read.mynah=2"]].concat()).ok();
    place.mynah(&[&two[..], &["read.har=2"]].concat()).exits(2).says("2 inputs are called so");
    place.mynah(&[&profile[..], &["--weight", "buy.mynah=2", "--weight", "buy.mynah=3"]].concat()).exits(2);
    place.mynah(&["profile", "read.mynah", "./read.mynah", "-o", "no.toml"]).exits(2).says("named twice");
}

#[test]
fn nothing_that_stands_there_is_lost() {
    let place = Place::new();
    recorded(&place, "shop", 30, "/read");
    let recording = std::fs::read(place.file("shop.mynah")).unwrap();
    // Neither an input, nor what is not ours, under any of the names that are written to.
    std::fs::copy(place.file("shop.mynah"), place.file("a.sessions")).unwrap();
    place.mynah(&["profile", "a.sessions", "-o", "a.toml"]).exits(2).says("is an input");
    assert_eq!(std::fs::read(place.file("a.sessions")).unwrap(), recording);
    place.write("b.sessions", "mine");
    place.mynah(&["profile", "shop.mynah", "-o", "b.toml"]).exits(2).says("holds something else");
    place.mynah(&["profile", "shop.mynah", "-o", "c.toml", "--html", "shop.mynah"]).exits(2);
    assert!(!place.path().join("c.toml").exists(), "looked at before any work");
    // Every edited scenario is kept, and each once.
    for weight in [7.5, 8.5, 8.5] {
        place.mynah(&["profile", "shop.mynah", "-o", "d.toml"]).ok();
        let text = std::fs::read_to_string(place.file("d.toml")).unwrap();
        place.write("d.toml", text.replace("weight = 100.0", &format!("weight = {weight}")));
    }
    place.mynah(&["profile", "shop.mynah", "-o", "d.toml"]).ok();
    for (file, weight) in [("d.toml.bak", "7.5"), ("d.toml.bak2", "8.5")] {
        let kept = std::fs::read_to_string(place.file(file)).unwrap();
        assert!(kept.contains(&format!("weight = {weight}")), "{file}: {kept}");
    }
    assert!(!place.path().join("d.toml.bak3").exists());
    // The sessions of another scenario are told.
    recorded(&place, "small", 25, "/read");
    place.mynah(&["profile", "small.mynah", "-o", "e.toml"]).ok();
    std::fs::copy(place.file("e.sessions"), place.file("d.sessions")).unwrap();
    let server = Anything::start();
    place
        .mynah(&["replay", "d.toml", "--target", &server.url(), "--once"])
        .says("holds 25 sessions, and the scenario was learnt from 30");
}

#[test]
fn what_stands_in_a_path_does_not_spoil_the_scenario() {
    let place = Place::new();
    place.write("odd.har", har("shop.example", 1, &["/it's/\"quoted\"", "/back\\slash", "/a'''b", "/ok"]));
    place.mynah(&["capture", "odd.har", "-o", "odd.mynah"]).ok();
    place.mynah(&["profile", "odd.mynah", "-o", "odd.toml"]).ok();
    place.mynah(&["export", "odd.toml", "--format", "har", "-o", "odd-again.har"]).ok();
    let server = Anything::start();
    place.mynah(&["replay", "odd.toml", "--target", &server.url(), "--once"]).ok();
    assert_eq!(server.requests(), 4);
    // What cannot be meant is refused.
    place
        .mynah(&["export", "odd.toml", "--format", "har", "-o", "x.har", "--include", "path == /ok"])
        .exits(2);
}

#[test]
fn accounts_are_filled_into_a_template() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok().says("shop.identities.csv");
    let template = std::fs::read_to_string(place.file("shop.identities.csv")).unwrap();
    assert_eq!(template, "email,password\n");
    let scenario = std::fs::read_to_string(place.file("shop.toml")).unwrap();
    place.write("shop.toml", scenario.replacen("# file = \"shop.ident", "file = \"shop.ident", 1));
    let server = Anything::start();
    let target = server.url();
    let replay = [
        "replay",
        "shop.toml",
        "--target",
        &target,
        "--rate",
        "40/s",
        "--for",
        "2s",
        "--think-time",
        "0",
        "-o",
        "run",
        "--force",
    ];
    place.mynah(&replay).exits(2).says("there is no row under the column names");
    place.write("shop.identities.csv", format!("{template}ann@shop.example,one\nbob@shop.example,two\n"));
    place.mynah(&replay).ok();
    let reasons = run_json(&place.file("run"))["reasons"].to_string();
    assert!(reasons.contains("had an identity that an earlier one had (2 rows"), "{reasons}");
    // Filled by somebody, it stays.
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    assert!(std::fs::read_to_string(place.file("shop.identities.csv")).unwrap().contains("ann@"));
}

#[test]
fn load_cannot_be_both_open_and_closed() {
    let place = Place::new();
    let step = "[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /\"\n";
    place.write("s.toml", format!("version = 1\nname = \"s\"\n{step}[load]\nrate = \"5/s\"\nusers = 3\n"));
    place.mynah(&["replay", "s.toml", "--target", "http://127.0.0.1:1"]).exits(2).says("choose one");
}

/// The way there and back at a small size: with few sessions distances have much of chance, so these are bounded wide here.
/// `bench/grouping/roundtrip.py` by itself does it with 5,000 and says how near it came.
#[test]
fn there_and_back_again() {
    let args = ["--sessions", "300", "--seconds", "6", "--points", "100"];
    let Some((_, said)) = bench("grouping/roundtrip.py", &args) else { return };
    for behaviour in ["recorded", "markov"] {
        for wanted in [format!("ok    {behaviour}, nothing lost"), format!("ok    {behaviour}, scenario")] {
            assert!(said.contains(&wanted), "{wanted}\n{said}");
        }
        for (what, most) in [("endpoint mix", 0.06), ("transitions", 0.12)] {
            let line = said.lines().find(|line| line.contains(&format!("{behaviour}, {what}: "))).unwrap();
            let (found, own) = line.split_once(": ").unwrap().1.split_once(" (wanted").unwrap();
            let (found, own): (f64, f64) =
                (found.parse().unwrap(), own.rsplit(' ').next().unwrap().parse().unwrap());
            assert!(found <= most, "{line}");
            assert!((found - own).abs() < 0.01, "mynah's own figure is another: {line}");
        }
    }
}

/// Another protocol is what programs of one's own speak; the command says so before it sends anything, and exports the rest.
#[test]
fn steps_of_another_protocol_are_told_and_left_out_of_exports() {
    let place = Place::new();
    let target = Anything::start();
    let step =
        "[[profile.step]]\nprotocol = \"redis\"\nto = \"redis://127.0.0.1:6379\"\nsend = \"GET user:1\"\n";
    let head = "version = 1\nname = \"x\"\n[[profile]]\nname = \"a\"\n";
    place.write("both.toml", format!("{head}{step}[[profile.step]]\nrequest = \"GET /x\"\n"));
    place.write("redis.toml", format!("{head}{step}"));
    place
        .mynah(&["replay", "both.toml", "--target", &target.url(), "--once"])
        .exits(2)
        .says("both.toml:8:8: profile 'a': step 'GET user:1': protocol 'redis' is not one that this program speaks")
        .says("docs/protocols.md");
    assert_eq!(target.requests(), 0);
    let run = place.mynah(&["export", "both.toml", "--format", "curl", "-o", "both.sh"]).ok();
    let run = run.says("'GET user:1' is not in it: it speaks redis, not HTTP");
    assert!(!run.stdout().contains("6379"));
    assert!(std::fs::read_to_string(place.file("both.sh")).unwrap().contains("/x"));
    place
        .mynah(&["export", "redis.toml", "--format", "curl", "-o", "redis.sh"])
        .exits(3)
        .says("none of its steps is an HTTP request");
}
