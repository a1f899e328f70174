//! What goes wrong is said with its place, ends with the documented code, and costs nothing already read.

use crate::common::{Anything, Place, fixture, run_json};

const HAND_WRITTEN: &str = r#"
version = 1
name = "by hand"

[[profile]]
name = "only"
weight = 100

[[profile.step]]
request = "GET /hello"
expect = 200
"#;

#[test]
fn a_threshold_that_fails_exits_10_and_says_wanted_and_seen() {
    let place = Place::new();
    let server = Anything::start();
    place.write("s.toml", HAND_WRITTEN);
    let run = place
        .mynah(&[
            "replay",
            "s.toml",
            "--target",
            &server.url(),
            "--users",
            "2",
            "--for",
            "1s",
            "--threshold",
            "p99 < 1us",
            "--threshold",
            "failure_rate < 1%",
            "-o",
            "run",
        ])
        .exits(10);
    let text = run.stdout();
    assert!(
        text.contains("FAIL") && text.contains("p99 < 1us: failed, ") && text.contains(" seen"),
        "{text}"
    );
    let document = run_json(&place.file("run"));
    assert_eq!(document["verdict"], "fail");
    assert_eq!(document["thresholds"][0]["ok"], false);
    assert_eq!(document["thresholds"][1]["ok"], true);
    assert_eq!(document["requests"].as_u64().unwrap(), server.requests());
    assert_eq!(document["failures"], 0);
}

/// With so few file descriptors that most users cannot connect: the generator's fault, whatever the thresholds come to.
fn without_descriptors(place: &Place, target: &str, thresholds: &[&str]) -> (Option<i32>, String) {
    let mut command = place.program("sh");
    command.args([
        "-c",
        "ulimit -n 48 && exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_mynah"),
        "replay",
        "s.toml",
    ]);
    command.args(["--target", target, "--users", "200", "--for", "1s", "--force", "-o", "run"]);
    command.args(thresholds.iter().flat_map(|threshold| ["--threshold", threshold]));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn an_invalid_run_exits_11_and_wins_over_thresholds() {
    let place = Place::new();
    let server = Anything::start();
    place.write("s.toml", HAND_WRITTEN);
    let (code, text) = without_descriptors(&place, &server.url(), &["failure_rate < 100%"]);
    assert_eq!(code, Some(11), "{text}");
    assert!(text.starts_with("INVALID") && text.contains("file descriptors"), "{text}");
    // A threshold that fails is told all the same, and so is why it says nothing.
    let (code, text) = without_descriptors(&place, &server.url(), &["p99 < 1us"]);
    assert_eq!(code, Some(11), "{text}");
    assert!(text.starts_with("INVALID") && text.contains("FAIL p99 < 1us"), "{text}");
    let document = run_json(&place.file("run"));
    assert_eq!((&document["verdict"], &document["thresholds"][0]["ok"]), (&"invalid".into(), &false.into()));
    assert!(document["reasons"].to_string().contains("file descriptors"), "{}", document["reasons"]);
}

#[test]
fn thresholds_in_the_scenario_count_too() {
    let place = Place::new();
    let server = Anything::start();
    place.write("s.toml", format!("{HAND_WRITTEN}\n[[threshold]]\nexpr = \"GET /hello: p50 < 1us\"\n"));
    place.mynah(&["replay", "s.toml", "--target", &server.url(), "--users", "1", "--for", "1s"]).exits(10);
}

#[test]
fn a_target_that_cannot_be_reached_exits_4() {
    let place = Place::new();
    place.write("s.toml", HAND_WRITTEN);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place
        .mynah(&["replay", "s.toml", "--target", &format!("http://{free}"), "--users", "1", "--for", "1s"])
        .exits(4)
        .says("cannot reach");
}

#[test]
fn a_truncated_pcap_yields_what_was_whole_and_a_warning() {
    let place = Place::new();
    let whole = std::fs::read(fixture("shop.pcap")).unwrap();
    let cut = place.write("cut.pcap", &whole[..whole.len() / 2 + 7]);
    place.mynah(&["capture", &cut, "-o", "cut.mynah"]).ok().says("warning").says("cut");
    let summary = place.mynah(&["inspect", "cut.mynah", "--json"]).ok().json();
    let exchanges = summary["exchanges"].as_u64().unwrap();
    assert!((1000..2816).contains(&exchanges), "{exchanges}");
    assert!(!summary["warnings"].as_array().unwrap().is_empty());
}

#[test]
fn a_file_of_noise_exits_3() {
    let place = Place::new();
    let noise: Vec<u8> = (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    place.write("noise", noise);
    place.write("empty", "");
    for name in ["noise", "empty", "no-such-file"] {
        let run = place.mynah(&["capture", name, "-o", "out.mynah"]).exits(3);
        assert!(run.stderr().contains(name), "{}", run.stderr());
        assert!(!place.path().join("out.mynah").exists());
        place.mynah(&["inspect", name]).exits(3);
    }
    place.mynah(&["profile", "noise", "-o", "out.toml"]).exits(3);
    place.mynah(&["report", "no-such-run"]).exits(3);
}

#[test]
fn a_misspelt_scenario_key_exits_2_and_names_the_key_meant() {
    let place = Place::new();
    place.write("s.toml", HAND_WRITTEN.replace("weight", "wieght"));
    place
        .mynah(&["replay", "s.toml", "--target", "http://127.0.0.1:1", "--users", "1"])
        .exits(2)
        .says("s.toml:7:1: unknown key 'wieght'; did you mean 'weight'?");
}

#[test]
fn wrong_usage_exits_2() {
    let place = Place::new();
    place.write("s.toml", HAND_WRITTEN);
    let target = ["--target", "http://127.0.0.1:1"];
    for (args, says) in [
        (vec!["replay", "s.toml"], "--target"),
        (vec!["replay", "s.toml", target[0], target[1]], "how much load?"),
        (vec!["replay", "s.toml", target[0], target[1], "--rate", "fast"], "expected '10x'"),
        (vec!["replay", "s.toml", target[0], target[1], "--users", "0"], "0"),
        (vec!["replay", "s.toml", target[0], target[1], "--rate", "10x"], "relative to a recording"),
        (vec!["replay", "s.toml", target[0], target[1], "--users", "1", "--threshold", "p99 <"], "p99"),
        (vec!["replay", "s.toml", target[0], "ftp://x", "--users", "1"], "ftp"),
        (vec!["replay", "s.toml", target[0], target[1], "--users", "1", "--for", "10"], "number with a unit"),
        (
            vec!["replay", "s.toml", target[0], target[1], "--users", "4000000000"],
            "more than one machine can be",
        ),
        (
            vec!["replay", "s.toml", target[0], target[1], "--rate", "1000000000/s", "--for", "1s"],
            "more than a timetable holds",
        ),
        (
            vec!["replay", "s.toml", target[0], target[1], "--rate", "1/s", "--for", "1000000h"],
            "more than a timetable holds",
        ),
        (vec!["capture"], "INPUT"),
        (vec!["capture", "-", "-", "-o", "x"], "standard input can be read once only"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["mask-value", "--type", "email", "a@b.c"], "--key-file"),
        (vec!["mask-value", "--type", "email", "--key-file", "missing", "a@b.c"], "missing"),
    ] {
        place.mynah(&args).exits(2).says(says);
    }
}

#[test]
fn a_damaged_recording_exits_3_and_recover_takes_what_is_whole() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    let mut bytes = std::fs::read(place.file("shop.mynah")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    place.write("bad.mynah", &bytes);
    place.mynah(&["inspect", "bad.mynah"]).exits(3).says("damaged at byte").says("--recover");
    place.mynah(&["profile", "bad.mynah", "-o", "bad.toml"]).exits(3);
    let summary = place.mynah(&["inspect", "bad.mynah", "--recover", "--json"]).ok().json();
    assert!((100..2816).contains(&summary["exchanges"].as_u64().unwrap()));
    place.mynah(&["profile", "bad.mynah", "-o", "bad.toml", "--recover"]).ok();
    // One that was never sealed is refused until it is asked for.
    let mut bytes = std::fs::read(place.file("shop.mynah")).unwrap();
    bytes.truncate(bytes.len() * 3 / 4);
    place.write("torn.mynah", &bytes);
    place.mynah(&["mask", "torn.mynah", "-o", "x.mynah"]).exits(3);
    assert!(!place.path().join("x.mynah").exists());
    place.mynah(&["mask", "torn.mynah", "-o", "x.mynah", "--recover"]).ok();
}

#[test]
fn a_host_of_the_recording_is_refused_as_target() {
    let place = Place::new();
    place.write("s.toml", format!("{HAND_WRITTEN}\n[recorded]\nmasked = true\nexchanges = 1\nsessions = 1\nduration_s = 1.0\nsessions_per_s = 1.0\nhosts = [\"shop.example:8080\"]\n"));
    place
        .mynah(&["replay", "s.toml", "--target", "http://shop.example:8080", "--users", "1", "--for", "1s"])
        .exits(2)
        .says("--allow-recorded-host");
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let place = Place::new();
    let help = place.mynah(&["--help"]).ok().stdout();
    for code in [
        "0  done",
        "1  internal",
        "2  wrong usage",
        "3  an input",
        "4  the target",
        "10  a gate",
        "11  the run",
        "12  masking",
        "130  interrupted",
    ] {
        assert!(help.contains(code), "{code}: {help}");
    }
    for command in
        ["capture", "export", "mask", "mask-value", "inspect", "profile", "replay", "report", "demo-server"]
    {
        let help = place.mynah(&[command, "--help"]).ok().stdout();
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains(&format!("mynah {command}")), "{command}");
    }
}

#[test]
fn json_stands_alone_on_standard_output() {
    let place = Place::new();
    let server = Anything::start();
    place.write("s.toml", HAND_WRITTEN);
    let run = place
        .mynah(&["replay", "s.toml", "--target", &server.url(), "--users", "1", "--for", "1s", "--json"])
        .ok();
    assert_eq!(run.json()["schema"], 1);
    assert!(place.path().join("runs").is_dir(), "without -o a run gets a folder of its own");
}
