//! Comparisons and reports for CI: what is slower exits 10, what says nothing exits 11, and every form of report is written.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use mynah_traffic::Nanos;
use mynah_traffic::run::{
    Arrivals, EndpointFigures, GeneratorFigures, Latency, RunDocument, RunFolder, SCHEMA, SecondFigures,
    TagName, Tally, TotalFigures, Verdict, new_histogram, record,
};

use crate::common::{Anything, Place, run_json};

const SECONDS: u32 = 12;
const A_SECOND: u64 = 100;

/// A run as a replay leaves it: `ms` is its level, and each run has an offset of its own.
fn write_run(place: &Place, name: &str, ms: f64, number: u32, verdict: Verdict) {
    let folder = RunFolder::create(place.path().join(name)).unwrap();
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_166_100 + u64::from(number) * 60);
    let mut log = folder.intervals_writer(started).unwrap();
    let mut all = Tally::default();
    let level = ms * (1.0 + 0.004 * f64::from(number % 5));
    for second in 0..SECONDS {
        let mut times = new_histogram();
        for n in 0..A_SECOND {
            // Evenly over a fifth above the level, in another order each second.
            let place = (n * 37 + u64::from(second * 11 + number)) % A_SECOND;
            record(&mut times, Nanos((level * (1.0 + 0.2 * place as f64 / A_SECOND as f64) * 1e6) as u64));
        }
        all.requests += A_SECOND;
        all.response.add(&times).unwrap();
        all.service.add(&times).unwrap();
        log.write(second, &BTreeMap::from([("e0.response".to_owned(), times)])).unwrap();
    }
    log.finish().unwrap();
    all.status.insert(200, all.requests);
    let reasons =
        if verdict == Verdict::Invalid { vec!["the generator was too slow".to_owned()] } else { vec![] };
    let document = RunDocument {
        schema: SCHEMA,
        verdict,
        reasons,
        started: mynah_traffic::units::format_time(
            started.duration_since(SystemTime::UNIX_EPOCH).unwrap().into(),
        ),
        duration_s: f64::from(SECONDS),
        seed: 1,
        scenario: "shop".into(),
        target: "http://127.0.0.1:1".into(),
        interrupted: false,
        interleaved: None,
        shard: None,
        merged_from: Vec::new(),
        mirror: None,
        metrics: Vec::new(),
        measured: None,
        requests: all.requests,
        failures: 0,
        requests_per_s: A_SECOND as f64,
        bytes_in: all.requests * 100,
        bytes_out: all.requests,
        total: TotalFigures {
            requests: all.requests,
            failures: 0,
            response_time_ms: Latency::of(&all.response),
            service_time_ms: Latency::of(&all.service),
            status: all.status.clone(),
            mismatches: 0,
            ..TotalFigures::default()
        },
        endpoints: vec![EndpointFigures::of("e0".into(), "GET", "/items/{id}", &all, f64::from(SECONDS))],
        profiles: Vec::new(),
        thresholds: Vec::new(),
        fidelity: None,
        arrivals: Arrivals::default(),
        generator: GeneratorFigures::default(),
        seconds: (0..SECONDS)
            .map(|t| SecondFigures { t, requests: A_SECOND, ..SecondFigures::default() })
            .collect(),
        failure_rows: Vec::new(),
        mismatch_samples: Vec::new(),
        tags: vec![TagName { tag: "e0".into(), endpoint: "GET /items/{id}".into() }],
    };
    folder.write(&document).unwrap();
}

fn write_side(place: &Place, side: &str, ms: f64) {
    std::fs::create_dir_all(place.path().join(side)).unwrap();
    for number in 0..5 {
        write_run(place, &format!("{side}/{number}"), ms, number, Verdict::Pass);
    }
}

#[test]
fn slower_runs_exit_10_and_equal_ones_0() {
    let place = Place::new();
    write_side(&place, "main", 20.0);
    write_side(&place, "same", 20.0);
    write_side(&place, "slow", 22.0);
    let same = place.mynah(&["compare", "main", "same"]).exits(0);
    assert!(same.stdout().starts_with("PASS") && same.stdout().contains("same"), "{}", same.stdout());
    let slow = place.mynah(&["compare", "main/*", "slow/*"]).exits(10);
    assert!(slow.stdout().contains("GET /items/{id}: p95 got slower from"), "{}", slow.stdout());
    let faster = place.mynah(&["compare", "slow", "main"]).exits(0);
    assert!(faster.stdout().contains("faster"), "{}", faster.stdout());
    // A tenth may be allowed.
    place.mynah(&["compare", "main", "slow", "--relative", "20%"]).exits(0);
    let json = place.mynah(&["compare", "main", "slow", "--json"]).exits(10).json();
    let change = json["rows"][0]["change"].as_f64().unwrap();
    assert!((0.08..0.12).contains(&change) && json["verdict"] == "fail", "{json}");
    let markdown = place.mynah(&["compare", "main", "slow", "--markdown"]).exits(10).stdout();
    assert!(markdown.starts_with("### ❌ fail"), "{markdown}");
    let github = place.mynah(&["compare", "main", "slow", "--github"]).exits(10).stdout();
    assert!(github.starts_with("::error title=mynah compare::"), "{github}");
    place.mynah(&["compare", "main", "slow", "--junit", "compare.xml"]).exits(10);
    let junit = std::fs::read_to_string(place.path().join("compare.xml")).unwrap();
    assert!(junit.contains("<failure message=\"GET /items/{id}: p95 got slower"), "{junit}");
}

#[test]
fn what_says_nothing_exits_11_and_what_is_no_run_is_told() {
    let place = Place::new();
    write_run(&place, "good", 20.0, 0, Verdict::Pass);
    write_run(&place, "bad", 200.0, 1, Verdict::Invalid);
    let run = place.mynah(&["compare", "good", "bad"]).exits(11);
    assert!(run.stdout().contains("bad: the run is invalid: the generator was too slow"), "{}", run.stdout());
    assert!(place.mynah(&["compare", "good", "nowhere"]).exits(3).stderr().contains("no such run"));
    assert!(place.mynah(&["compare", "good", "good"]).exits(2).stderr().contains("on both sides"));
    place.write("notes.txt", "x");
    assert!(place.mynah(&["compare", "good", "notes.txt"]).exits(3).stderr().contains("notes.txt"));
    assert!(
        place
            .mynah(&["compare", "good", "bad", "--quantile", "95"])
            .exits(2)
            .stderr()
            .contains("such as p95")
    );
    // However it is spelt, a run is on one side; what else lies beside runs is no run.
    for same in ["./good", "good/", "good/run.json"] {
        place.mynah(&["compare", "good", same]).exits(2).says("on both sides");
    }
    place.write("good.log", "x");
    write_run(&place, "other", 20.0, 2, Verdict::Pass);
    place.mynah(&["compare", "goo*", "other"]).exits(0);
    write_run(&place, "ab/baseline", 20.0, 3, Verdict::Pass);
    write_run(&place, "ab/candidate", 20.0, 4, Verdict::Pass);
    place.mynah(&["compare", "ab", "other"]).exits(2).says("both sides of a comparison");
    std::fs::create_dir(place.path().join("empty")).unwrap();
    assert!(place.mynah(&["compare", "good", "empty"]).exits(3).stderr().contains("nor a folder of runs"));
}

#[test]
fn every_form_of_report_is_written_and_nothing_else_is_lost() {
    let place = Place::new();
    write_run(&place, "run", 20.0, 0, Verdict::Fail);
    write_run(&place, "later", 30.0, 1, Verdict::Pass);
    place.mynah(&["report", "run", "--csv", "locust", "--junit", "run.xml", "--html", "run.html"]).exits(0);
    // Again over its own files, but over nobody else's.
    place.mynah(&["report", "run", "--csv", "locust", "--junit", "run.xml", "--html", "run.html"]).exits(0);
    place.mynah(&["report", "run", "--html", "run/run.json"]).exits(2);
    for (file, lines) in [("stats", 3), ("stats_history", 13), ("failures", 1), ("exceptions", 1)] {
        let text = std::fs::read_to_string(place.path().join(format!("locust_{file}.csv"))).unwrap();
        assert_eq!(text.lines().count(), lines, "{file}: {text}");
    }
    let history = place.mynah(&["report", "later", "run"]).exits(0).stdout();
    assert!(history.find("run ") < history.find("later") && history.contains("+50."), "{history}");
    place.mynah(&["report", "later", "run", "--csv", "x"]).exits(2);
    assert!(place.mynah(&["report", "run", "--markdown"]).exits(0).stdout().starts_with("### ❌ fail"));
}

const SCENARIO: &str = r#"
version = 1
name = "two"
[[profile]]
name = "all"
weight = 1
[[profile.step]]
request = "GET /a"
"#;

#[test]
fn two_targets_in_turn_are_two_runs_and_a_comparison() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    let (a, b) = (Anything::start(), Anything::start());
    let (one, other) = (a.url(), b.url());
    let line =
        ["replay", &scenario, "--against", &one, &other, "--rate", "100/s", "--for", "6s", "--block", "1s"];
    let run = place.mynah(&[&line[..], &["--late-after", "10ms", "-o", "ab", "--json"]].concat());
    let code = run.output.status.code();
    // A machine that stalls makes the run invalid, and equal servers may differ once in twenty times.
    assert!(matches!(code, Some(0 | 10 | 11)), "{code:?} {}", run.stderr());
    let json = run.json();
    assert!(
        json["method"].as_str().unwrap().starts_with("one run with both targets in turn, 1 s each"),
        "{json}"
    );
    let document = |side: &str| RunFolder::open(place.path().join("ab").join(side)).document().unwrap();
    let (baseline, candidate) = (document("baseline"), document("candidate"));
    assert_eq!((baseline.target.as_str(), candidate.target.as_str()), (one.as_str(), other.as_str()));
    assert_eq!((a.requests(), b.requests()), (baseline.requests, candidate.requests));
    assert!(baseline.requests > 200 && candidate.requests > 200);
    // No second but one's own: each request ends in the turn in which it began, or hardly later.
    let own = |run: &RunDocument, turn: u32| {
        run.seconds.iter().filter(|s| s.t % 2 == turn).map(|s| s.requests).sum::<u64>()
    };
    assert!(
        own(&baseline, 0) * 10 > baseline.requests * 9 && own(&candidate, 1) * 10 > candidate.requests * 9
    );
    let again = place.mynah(&["compare", "ab/baseline", "ab/candidate", "--json"]);
    assert_eq!((again.output.status.code(), again.stdout().contains("in turn")), (code, true));
    // Too short, or nothing that arrives.
    place.mynah(&["replay", &scenario, "--against", &one, &other, "--rate", "9/s", "--for", "5s"]).exits(2);
    place.mynah(&["replay", &scenario, "--against", &one, &other, "--users", "5"]).exits(2);
}

#[test]
fn a_threshold_with_a_window_ends_the_run() {
    let place = Place::new();
    // Every answer is wrong.
    let scenario = place.write("two.toml", format!("{SCENARIO}expect = 500\n"));
    let server = Anything::start();
    let target = server.url();
    let line = ["replay", &scenario, "--target", &target, "--rate", "50/s", "--for", "60s", "-o", "run"];
    let run = place
        .mynah(
            &[
                &line[..],
                &["--threshold", "failure_rate < 50% abort after 2s", "--threshold", "p99 < 1h over any 2s"],
            ]
            .concat(),
        )
        .exits(10);
    assert!(run.stdout().contains("failed, 100% seen from 0s to 2s"), "{}", run.stdout());
    let json = run_json(&place.file("run"));
    assert!(json["duration_s"].as_f64().unwrap() < 30.0 && json["interrupted"] == false, "{json}");
    assert_eq!((&json["thresholds"][0]["ok"], &json["thresholds"][1]["ok"]), (&false.into(), &true.into()));
}

#[test]
fn a_run_is_ended_when_it_takes_too_long() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    // What comes back comes after the run's end.
    let server = Anything::after(Duration::from_mins(2));
    let target = server.url();
    let line = ["replay", &scenario, "--target", &target, "--max-time", "1s", "-o", "run", "--force"];
    for load in [&["--rate", "20/s", "--for", "60s"][..], &["--once"]] {
        let run = place.mynah(&[&line[..], load].concat()).exits(10);
        assert!(run.stdout().contains("the run was ended after 1s, as --max-time says"), "{}", run.stdout());
        let json = run_json(&place.file("run"));
        assert!(json["duration_s"].as_f64().unwrap() < 30.0 && json["interrupted"] == false, "{json}");
    }
    // One that is over by then is left alone.
    let quick = Anything::start();
    place
        .mynah(&[
            "replay",
            &scenario,
            "--target",
            &quick.url(),
            "--rate",
            "20/s",
            "--for",
            "1s",
            "--max-time",
            "1m",
        ])
        .exits(0);
}

#[test]
fn the_slower_of_two_targets_is_found() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    let (a, b) = (Anything::after(Duration::from_millis(10)), Anything::after(Duration::from_millis(25)));
    let run = |one: &str, other: &str| {
        place.mynah(&[
            "replay",
            &scenario,
            "--against",
            one,
            other,
            "--rate",
            "100/s",
            "--for",
            "6s",
            "--block",
            "1s",
            // The median: one stall of a busy machine moves a p95.
            "--quantile",
            "p50",
            "--late-after",
            "10ms",
            "--force",
            "-o",
            "ab",
        ])
    };
    let slower = run(&a.url(), &b.url());
    // A machine that stalls makes a run invalid, and says nothing of either.
    if slower.output.status.code() != Some(11) {
        let text = slower.exits(10).stdout();
        assert!(text.contains("GET /a: p50 got slower"), "{text}");
    }
    let faster = run(&b.url(), &a.url());
    if faster.output.status.code() != Some(11) {
        assert!(faster.exits(0).stdout().contains("faster"));
    }
}

#[test]
fn a_threshold_may_end_a_run_of_two_targets() {
    let place = Place::new();
    let scenario = place
        .write("two.toml", SCENARIO.replace("request = \"GET /a\"", "request = \"GET /a\"\nexpect = 404"));
    let (a, b) = (Anything::start(), Anything::start());
    let (one, other) = (a.url(), b.url());
    let line = [
        "replay",
        &scenario,
        "--against",
        &one,
        &other,
        "--rate",
        "50/s",
        "--for",
        "20s",
        "--block",
        "1s",
        "--force",
        "-o",
        "ab",
    ];
    place
        .mynah(&[&line[..], &["--threshold", "requests_per_s > 1"]].concat())
        .exits(2)
        .says("the other's turn");
    let run = place.mynah(&[&line[..], &["--threshold", "failure_rate < 50% abort after 2s"]].concat());
    // Ended by what it was told to be ended by, and nobody interrupted it.
    assert!(
        matches!(run.output.status.code(), Some(10 | 11)),
        "{:?} {}",
        run.output.status.code(),
        run.stderr()
    );
    assert!(run.stdout().contains("ended by it before its time"), "{}", run.stdout());
    // The next run in the folder finds nothing of this one.
    std::fs::write(place.path().join("ab/notes.txt"), "mine").unwrap();
    place.mynah(&["replay", &scenario, "--target", &one, "--once", "--force", "-o", "ab"]);
    assert!(place.path().join("ab/run.json").is_file() && !place.path().join("ab/baseline").exists());
    assert!(place.path().join("ab/notes.txt").is_file(), "what is not ours stays");
}

/// `ci/gate.sh`, which is what the GitHub action and the GitLab template run.
fn gate(place: &Place, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_mynah")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(binary.to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = place
        .program(concat!(env!("CARGO_MANIFEST_DIR"), "/ci/gate.sh"))
        .env("PATH", path.unwrap())
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_gate_of_ci_writes_its_reports_and_exits_as_the_run_does() {
    let place = Place::new();
    let server = Anything::after(Duration::from_millis(2));
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/load/shop.toml");
    let url = server.url();
    let base = [
        ("MYNAH_SCENARIO", scenario),
        ("MYNAH_TARGET", &*url),
        ("MYNAH_FOR", "2s"),
        ("MYNAH_ARGS", "--think-time 0"),
    ];
    let read = |file: &str| std::fs::read_to_string(place.path().join(file)).unwrap();
    let (code, text) =
        gate(&place, &[&base[..], &[("MYNAH_THRESHOLDS", "p99 < 1us\nrequests > 10")]].concat());
    assert!(matches!(code, Some(10 | 11)), "{code:?} {text}");
    assert!(read("mynah-gate/junit.xml").contains("p99 &lt; 1us"), "{text}");
    assert!(read("mynah-gate/summary.md").contains("`requests > 10`"), "{text}");
    assert!(place.path().join("mynah-gate/run/report.html").is_file());
    // Two versions side by side, with what GitHub wants.
    let other = Anything::after(Duration::from_millis(2));
    let against = other.url();
    let github = [
        ("MYNAH_AGAINST", &*against),
        ("MYNAH_FOR", "6s"),
        ("MYNAH_ARGS", "--think-time 0 --block 1s"),
        ("MYNAH_OUT", "ab"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("MYNAH_RETRIES", "0"),
    ];
    let (code, text) = gate(&place, &[&base[..], &github].concat());
    assert!(matches!(code, Some(0 | 10 | 11)), "{code:?} {text}");
    assert!(read("summary.md").contains("against") && text.contains("title=mynah compare::"), "{text}");
    assert!(place.path().join("ab/junit-compare.xml").is_file());
    // What is wrong with the settings is said, and leaves no report.
    let (code, text) =
        gate(&place, &[("MYNAH_SCENARIO", "none.toml"), ("MYNAH_TARGET", &*url), ("MYNAH_OUT", "none")]);
    assert!(code == Some(2) || code == Some(3), "{code:?} {text}");
    assert!(text.contains("none.toml") && !place.path().join("none/junit.xml").exists(), "{text}");
    let (code, text) = gate(&place, &[("MYNAH_TARGET", &*url)]);
    assert!(code != Some(0) && text.contains("MYNAH_SCENARIO"), "{text}");
}
