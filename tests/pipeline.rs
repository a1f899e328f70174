//! The main job, end to end: capture → mask → profile → replay ×10 against a shop whose every token and id is new.

use crate::common::{Place, fixture, fixture_json, run_json, shop_for};

fn prepare(place: &Place) {
    place
        .mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah", "--key-file", "k"])
        .ok()
        .says("audit     passed");
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
}

#[test]
fn the_capture_finds_every_exchange_and_session() {
    let place = Place::new();
    let truth = fixture_json("truth.json");
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    let summary = place.mynah(&["inspect", "shop.mynah", "--json"]).ok().json();
    assert_eq!(summary["exchanges"], truth["requests"]);
    assert_eq!(summary["sessions"], truth["sessions"]);
    assert_eq!(summary["requests_without_response"], 0);
    assert_eq!(summary["responses_without_request"], 0);
    assert_eq!(summary["masked"], true);
    assert_eq!(summary["capture"]["gaps"], 0);
    let seen = summary["capture"]["seen"].as_u64().unwrap();
    let parts = ["captured", "dropped_by_kernel", "dropped_by_mynah"]
        .map(|part| summary["capture"][part].as_u64().unwrap());
    assert_eq!(seen, parts.iter().sum::<u64>());
}

#[test]
fn profiles_have_the_true_shares() {
    let place = Place::new();
    prepare(&place);
    let truth = fixture_json("truth.json");
    let total = truth["sessions"].as_f64().unwrap();
    let mut shares: Vec<f64> = truth["kinds"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| 100.0 * count.as_f64().unwrap() / total)
        .collect();
    let scenario: toml::Table = std::fs::read_to_string(place.file("shop.toml")).unwrap().parse().unwrap();
    let mut weights: Vec<f64> = scenario["profile"]
        .as_array()
        .unwrap()
        .iter()
        .map(|profile| {
            let weight = &profile["weight"];
            weight.as_float().or_else(|| weight.as_integer().map(|whole| whole as f64)).unwrap()
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    weights.sort_by(f64::total_cmp);
    assert_eq!(weights.len(), shares.len(), "profiles {weights:?}, kinds of visitor {shares:?}");
    for (weight, share) in weights.iter().zip(&shares) {
        assert!((weight - share).abs() <= 3.0, "profiles {weights:?}, true shares {shares:?}");
    }
}

/// Of a scenario: profiles with weights and sizes, correlations with their evidence, endpoints. Comments count.
fn shape_of(place: &Place, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.file(file)).unwrap();
    let begin = text.find("[[profile]]").unwrap();
    text[begin..]
        .lines()
        .filter(|line| !line.starts_with("sessions_from") && !line.contains("identities.csv"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn masking_changes_neither_sessions_nor_profiles_nor_correlations() {
    let place = Place::new();
    prepare(&place);
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "raw.mynah", "--unmasked"]).ok();
    place.mynah(&["profile", "raw.mynah", "-o", "raw.toml"]).ok();

    let sessions = |file: &str| -> Vec<String> {
        let lines = place.mynah(&["inspect", file, "--sessions", "--json"]).ok().stdout();
        lines
            .lines()
            .map(|line| {
                let session: serde_json::Value = serde_json::from_str(line).unwrap();
                ["exchanges", "started_ns", "duration_s", "identified_by"]
                    .map(|key| session[key].to_string())
                    .join(" ")
            })
            .collect()
    };
    assert_eq!(sessions("shop.mynah"), sessions("raw.mynah"));
    let (masked, raw) = (shape_of(&place, "shop.toml"), shape_of(&place, "raw.toml"));
    for (masked, raw) in masked.iter().zip(&raw) {
        assert_eq!(masked, raw);
    }
    assert_eq!(masked.len(), raw.len());
    // One of the correlated tokens stands in an inline script and nowhere else.
    assert!(masked.iter().any(|line| line.starts_with("from = ") && line.contains("script:")), "{masked:#?}");
}

#[test]
fn log_in_and_checkout_succeed_at_ten_times_the_rate() {
    let place = Place::new();
    prepare(&place);
    let scenario = std::fs::read_to_string(place.file("shop.toml")).unwrap();
    let shop = shop_for(&place, "k", 4711);
    place
        .mynah(&[
            "replay",
            "shop.toml",
            "--target",
            &shop.url(),
            "--rate",
            "10x",
            "--for",
            "6s",
            "--threshold",
            "failure_rate <= 0.5%",
            "-o",
            "run",
        ])
        .ok();
    let run = run_json(&place.file("run"));
    let counts = shop.counts();
    assert!(run["fidelity"]["status_parity"].as_f64().unwrap() >= 0.995, "{}", run["fidelity"]);
    assert!(counts.logins_ok > 20 && counts.logins_failed == 0, "{counts:?}");
    assert!(counts.orders > 20 && counts.confirmed > 20, "{counts:?}");
    assert_ne!(run["verdict"], "fail");
    assert_eq!(run["total"]["mismatches"], 0, "{:#}", run["mismatch_samples"]);
    assert_eq!(run["requests"].as_u64().unwrap(), counts.requests, "what was sent is what the shop served");
    assert!(run["fidelity"]["endpoint_mix"].as_f64().unwrap() < 0.05, "{}", run["fidelity"]);
    // Nobody wrote a correlation by hand, and none of the recorded values is the shop's now.
    assert!(scenario.contains("[correlation."));
    for name in ["run.json", "report.html", "intervals.hlog", "failures.csv"] {
        assert!(place.path().join("run").join(name).is_file(), "{name}");
    }
    // The report stage reads what replay wrote.
    let again = place.mynah(&["report", "run", "--json"]).ok().json();
    assert_eq!(again["requests"], run["requests"]);
    place.mynah(&["report", "run", "--html", "again.html"]).ok();
    assert_eq!(
        std::fs::read(place.file("again.html")).unwrap(),
        std::fs::read(place.file("run/report.html")).unwrap()
    );
}

#[test]
fn once_with_trace_shows_each_step() {
    let place = Place::new();
    prepare(&place);
    let shop = shop_for(&place, "k", 12);
    let trace = place
        .mynah(&["replay", "shop.toml", "--target", &shop.url(), "--once", "--trace", "--think-time", "0"])
        .ok();
    let text = trace.stdout();
    for wanted in ["POST", "/login", "wanted 303, got 303", "sent ", "keeps ", "steps right"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(shop.counts().orders, 1);
}

#[test]
fn without_the_right_accounts_log_in_fails_and_is_said_to() {
    let place = Place::new();
    prepare(&place);
    let shop =
        mynah_shop::Running::start(mynah_shop::Options::new(mynah_shop::Accounts::new()).seed(3)).unwrap();
    place
        .mynah(&[
            "replay",
            "shop.toml",
            "--target",
            &shop.url(),
            "--rate",
            "10x",
            "--for",
            "2s",
            "--think-time",
            "x0.2",
            "--threshold",
            "failure_rate < 0.5%",
            "-o",
            "run",
        ])
        .exits(10);
    let failures = std::fs::read_to_string(place.file("run/failures.csv")).unwrap();
    assert!(failures.contains("/login") && failures.contains("401"), "{failures}");
}

#[test]
fn a_recording_can_be_replayed_without_a_scenario() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah", "--key-file", "k"]).ok();
    let shop = shop_for(&place, "k", 5);
    place
        .mynah(&[
            "replay",
            "shop.mynah",
            "--target",
            &shop.url(),
            "--users",
            "5",
            "--for",
            "2s",
            "--think-time",
            "0",
            "-o",
            "run",
        ])
        .ok();
    assert!(run_json(&place.file("run"))["requests"].as_u64().unwrap() > 20);
}

#[test]
fn identities_from_a_csv_log_in() {
    let place = Place::new();
    prepare(&place);
    let accounts = "email,password\nann@shop.example,open sesame\nbob@shop.example,swordfish!\n";
    place.write("people.csv", accounts);
    let scenario = std::fs::read_to_string(place.file("shop.toml")).unwrap();
    let columns: Vec<&str> = scenario
        .lines()
        .filter_map(|line| line.strip_prefix("column.")?.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(columns.len(), 2, "{scenario}");
    let (user, password) =
        if columns[0].contains("pass") { (columns[1], columns[0]) } else { (columns[0], columns[1]) };
    place.write("identities.csv", accounts.replace("email,password", &format!("{user},{password}")));
    // The one hand edit that identities want.
    let edited = scenario.replacen("# file = \"shop.identities.csv\"", "file = \"identities.csv\"", 1);
    assert_ne!(edited, scenario);
    place.write("shop.toml", edited);
    let accounts = mynah_shop::Accounts::from_csv_file(&place.path().join("people.csv")).unwrap();
    let shop = mynah_shop::Running::start(mynah_shop::Options::new(accounts).seed(9)).unwrap();
    place
        .mynah(&[
            "replay",
            "shop.toml",
            "--target",
            &shop.url(),
            "--rate",
            "10x",
            "--for",
            "2s",
            "--think-time",
            "x0.2",
            "--threshold",
            "failure_rate <= 0.5%",
            "-o",
            "run",
        ])
        .ok();
    assert!(shop.counts().logins_ok > 5 && shop.counts().logins_failed == 0, "{:?}", shop.counts());
}
