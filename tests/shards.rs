//! One timetable played by several processes, and runs that older versions wrote.

use std::time::{Duration, SystemTime};

use mynah_traffic::run::{RunDocument, RunFolder};

use crate::common::{Anything, Place, fixture, run_json};

const SCENARIO: &str = r#"
version = 1
name = "two"
[[profile]]
name = "looks"
weight = 7
[[profile.step]]
request = "GET /a"
expect = 200
[[profile]]
name = "buys"
weight = 3
[[profile.step]]
request = "GET /b"
expect = 200
[[profile.step]]
request = "POST /b"
think = "20ms"
expect = 200
"#;

fn requests(run: &RunDocument) -> Vec<(String, u64)> {
    let mut all: Vec<_> = run
        .endpoints
        .iter()
        .map(|endpoint| (format!("{} {}", endpoint.method, endpoint.name), endpoint.requests))
        .collect();
    all.sort();
    all
}

#[test]
fn three_shards_are_one_run() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    let server = Anything::start();
    let url = server.url();
    let line = [
        "replay",
        &scenario,
        "--target",
        &url,
        "--rate",
        "60/s",
        "--for",
        "2s",
        "--threshold",
        "p99 < 1h",
        "--threads",
        "2",
    ];
    place.mynah(&[&line[..], &["-o", "single"]].concat()).ok();
    let alone = server.requests();
    let at = SystemTime::now() + Duration::from_secs(2);
    let at = mynah_traffic::units::format_time(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().into());
    let children: Vec<_> = ["1", "2", "3"]
        .map(|number| {
            let (shard, folder) = (format!("{number}/3"), format!("shard{number}"));
            let own = ["--shard", &shard, "--start-at", &at, "-o", &folder];
            place
                .command(&[&line[..], &own[..]].concat())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .into();
    for mut child in children {
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 11)), "{code:?}");
    }
    assert_eq!(server.requests(), 2 * alone, "no more and no fewer than one run sends");
    let merge = ["report", "shard3", "shard1", "shard2", "--merge", "-o", "merged"];
    let run = place.mynah(&merge).ok();
    assert!(run.stdout().contains("3 shards merged: 60 sessions/s"), "{}", run.stdout());
    let document = |folder: &str| RunFolder::open(place.path().join(folder)).document().unwrap();
    let (single, merged) = (document("single"), document("merged"));
    assert_eq!(requests(&merged), requests(&single));
    let counted = |run: &RunDocument| -> Vec<(String, u64, u64, u64)> {
        let all = run.profiles.iter();
        all.map(|one| (one.name.clone(), one.sessions, one.completed, one.requests)).collect()
    };
    assert_eq!(counted(&merged), counted(&single));
    assert_eq!(
        (merged.arrivals.scheduled, merged.arrivals.started),
        (single.arrivals.scheduled, single.arrivals.started)
    );
    assert_eq!((merged.thresholds.len(), merged.thresholds[0].ok), (1, true));
    // A run like any other: compared, reported, not merged over itself.
    let compared = place.mynah(&["compare", "single", "merged", "--json"]);
    assert!(matches!(compared.output.status.code(), Some(0 | 10 | 11)), "{}", compared.stderr());
    assert_eq!(compared.json()["rows"].as_array().map(Vec::is_empty), Some(false));
    place.mynah(&["report", "merged", "--csv", "locust"]).exits(0);
    assert!(place.mynah(&merge).exits(2).stderr().contains("holds an earlier run"));
    place
        .mynah(&["report", "shard1", "--merge", "-o", "shard1", "--force"])
        .exits(2)
        .says("is one of the shards");
    // What is missing, or no shard at all.
    let two = place.mynah(&["report", "shard1", "shard3", "--merge", "-o", "two"]).exits(11);
    assert!(two.stdout().contains("1 of 3 shards is missing: 2"), "{}", two.stdout());
    assert_eq!(run_json(&place.file("two"))["verdict"], "invalid");
    place
        .mynah(&["report", "shard1", "single", "--merge", "-o", "x"])
        .exits(2)
        .says("this is no shard of a run");
    place.mynah(&["report", "single", "-o", "x"]).exits(2);
    for shard in ["0/3", "4/3", "1", "a/b"] {
        place
            .mynah(&["replay", &scenario, "--target", &url, "--shard", shard])
            .exits(2)
            .says("1/3, 2/3 and 3/3");
    }
    place.mynah(&["replay", &scenario, "--target", &url, "--start-at", "noon"]).exits(2).says("such as +10s");
    let past = [
        "replay",
        &scenario,
        "--target",
        &url,
        "--rate",
        "5/s",
        "--start-at",
        "2026-01-01T00:00:00Z",
        "-o",
        "y",
    ];
    place.mynah(&past).exits(2).says("give a later moment");
}

/// `fixtures/runs/schema-1` is as the first version with a number wrote it: what was added since is not in it.
#[test]
fn runs_of_every_version_are_read_and_newer_ones_are_told() {
    let place = Place::new();
    let old = fixture("runs/schema-1");
    assert!(run_json(&old).get("shard").is_none() && run_json(&old)["arrivals"].get("planned_s").is_none());
    let table = place.mynah(&["report", &old]).exits(0).stdout();
    assert!(table.contains("GET /items/{id}") || table.contains("GET /"), "{table}");
    place.mynah(&["report", &old, "--csv", "locust", "--html", "page.html", "--junit", "run.xml"]).exits(0);
    // Against itself under another name: nothing moved.
    std::fs::create_dir(place.path().join("again")).unwrap();
    for file in ["run.json", "intervals.hlog"] {
        std::fs::copy(format!("{old}/{file}"), place.path().join("again").join(file)).unwrap();
    }
    let same = place.mynah(&["compare", &old, "again", "--json"]).exits(0).json();
    assert_eq!(same["verdict"], "pass", "{same}");
    assert!(
        same["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["change"].as_f64().is_none_or(|change| change == 0.0)),
        "{same}"
    );
    // A newer one is told by its number, whatever else is in it.
    std::fs::create_dir(place.path().join("newer")).unwrap();
    place.write("newer/run.json", r#"{"schema": 99, "verdict": {"of": "another form"}}"#);
    for line in [&["report", "newer"][..], &["compare", &old, "newer"][..]] {
        place.mynah(line).exits(3).says("schema 99 is newer than this mynah reads (up to 1)");
    }
}
