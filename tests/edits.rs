//! A person reads the demo's scenario and edits it, by every edit that the README speaks of; each does what it says.

use mynah_shop::Running;
use serde_json::Value;

use crate::common::{Place, Run, fixture, run_json, shop_for};

/// The demo's scenario, and a shop to play it at.
fn demo() -> (Place, String, Running) {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah", "--key-file", "k"]).ok();
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    let scenario = std::fs::read_to_string(place.file("shop.toml")).unwrap();
    let shop = shop_for(&place, "k", 99);
    (place, scenario, shop)
}

/// Replaces one text by another and replays for a while.
fn edit(place: &Place, shop: &Running, scenario: &str, from: &str, to: &str) -> Run {
    assert!(scenario.contains(from), "'{from}' is not in\n{scenario}");
    place.write("edited.toml", scenario.replacen(from, to, 1));
    let target = shop.url();
    place.mynah(&[
        "replay",
        "edited.toml",
        "--target",
        &target,
        "--rate",
        "40/s",
        "--for",
        "2s",
        "-o",
        "run",
        "--force",
    ])
}

fn share(run: &Value, profile: &str) -> f64 {
    let profiles = run["profiles"].as_array().unwrap();
    let sessions = |one: &Value| one["sessions"].as_f64().unwrap();
    let all: f64 = profiles.iter().map(sessions).sum();
    profiles.iter().find(|one| one["name"] == profile).map_or(0.0, sessions) / all
}

#[test]
fn the_scenario_fits_on_two_screens() {
    let (_, scenario, _) = demo();
    let lines = scenario.lines().count();
    assert!(lines <= 100, "{lines} lines:\n{scenario}");
    for section in ["[recorded]", "[load]", "[[profile]]", "[identities]", "[endpoints]"] {
        let before = scenario.split(section).next().unwrap().lines().last().unwrap();
        assert!(before.starts_with("# "), "{section} stands under '{before}', which is no comment");
    }
}

#[test]
fn weights_thresholds_and_steps_are_edited() {
    let (place, scenario, shop) = demo();
    edit(&place, &shop, &scenario, "weight = 60.0", "weight = 0").ok();
    let run = run_json(&place.file("run"));
    assert!(share(&run, "browse-items") < 1e-9);
    assert!((share(&run, "checkout") - 0.625).abs() < 0.05, "25 of 40: {}", run["profiles"]);

    let line = scenario.lines().find(|line| line.contains("expr = \"p99")).unwrap();
    let threshold = "[[threshold]]\nexpr = \"POST /login: p50 < 1us\"";
    let code = edit(&place, &shop, &scenario, line, threshold).output.status.code();
    // 11: this machine was too busy to send in time.
    assert!(matches!(code, Some(10 | 11)), "{code:?}");
    assert_eq!(run_json(&place.file("run"))["thresholds"][0]["ok"], false);

    // A new kind of user, written out, beside the recorded ones.
    let steps = "\n[[profile]]\nname = \"by hand\"\nweight = 100\n\n[[profile.step]]\nrequest = \"GET /login\"\nexpect = 200\n\n[[profile.step]]\nrequest = \"POST /login\"\nthink = \"10ms\"\nform = { csrf = \"${csrf}\", email = \"nobody@shop.example\", password = \"x\" }\nexpect = 401\n";
    place.write("more.toml", format!("{scenario}{steps}"));
    let more = std::fs::read_to_string(place.file("more.toml")).unwrap();
    edit(&place, &shop, &more, "weight = 60.0", "weight = 0").ok();
    let run = run_json(&place.file("run"));
    assert!((share(&run, "by hand") - 100.0 / 140.0).abs() < 0.05, "{}", run["profiles"]);
    assert_eq!(run["failures"], 0, "{}", run["failure_rows"]);
}

#[test]
fn pauses_are_edited() {
    let (place, scenario, shop) = demo();
    let length = |edited: Run| {
        edited.ok();
        run_json(&place.file("run"))["duration_s"].as_f64().unwrap()
    };
    let as_recorded = length(edit(&place, &shop, &scenario, "rate = \"1x\"", "rate = \"1x\""));
    let load = "rate = \"1x\"\nthink_time = \"0\"";
    let without = length(edit(&place, &shop, &scenario, "rate = \"1x\"", load));
    // Sessions of several seconds, or of none but the shop's own time.
    assert!(
        without < as_recorded / 2.0 + 1.0 && as_recorded > 4.0,
        "{as_recorded} s, {without} s without pauses"
    );
    let one = "name = \"browse-items\"\nthink_time = \"1.5s\"";
    let longer = length(edit(&place, &shop, &scenario, "name = \"browse-items\"", one));
    assert!(longer > as_recorded + 3.0, "{as_recorded} s, {longer} s with 1.5 s between pages");
}

#[test]
fn a_correlation_is_switched_off() {
    let (place, scenario, shop) = demo();
    edit(&place, &shop, &scenario, "rate = \"1x\"", "rate = \"1x\"").ok();
    assert_eq!(run_json(&place.file("run"))["failures"], 0);
    let header = scenario.lines().find(|line| line.starts_with("[correlation.csrf]")).unwrap();
    edit(&place, &shop, &scenario, header, "[correlation.csrf]\nenabled = false").ok();
    let run = run_json(&place.file("run"));
    let failed = run["failure_rows"].as_array().unwrap();
    assert!(failed.iter().any(|row| row["name"] == "/login" && row["method"] == "POST"), "{failed:?}");
}

#[test]
fn a_run_is_not_written_over() {
    let (place, _, shop) = demo();
    let target = shop.url();
    let replay = |more: &[&str]| {
        let args = ["replay", "shop.toml", "--target", &target, "--rate", "20/s", "--for", "1s", "-o", "run"];
        place.mynah(&[&args[..], more].concat())
    };
    replay(&[]).ok();
    replay(&[]).exits(2).says("holds an earlier run; name another folder, or add --force");
    replay(&["--force"]).ok();
    place
        .mynah(&["replay", &fixture("shop.pcap"), "--target", &target])
        .exits(2)
        .says("this is a capture (pcap)");
}
