//! Ctrl-C writes what there is and exits 130.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::{Anything, Place, run_json};

#[test]
fn ctrl_c_writes_what_there_is_and_exits_130() {
    let place = Place::new();
    let server = Anything::start();
    place.write("s.toml", "version = 1\nname = \"x\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /\"\nthink = \"20ms\"\nexpect = 200\n");
    let mut child = place
        .command(&[
            "replay",
            "s.toml",
            "--target",
            &server.url(),
            "--users",
            "3",
            "--for",
            "10m",
            "-o",
            "run",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The server's own count says that the run is under way: nothing is slept for.
    while server.requests() < 20 {
        std::thread::yield_now();
        assert!(child.try_wait().unwrap().is_none(), "the replay ended by itself");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said: Vec<String> =
        BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{said:?}");
    let run = run_json(&place.file("run"));
    assert_eq!(run["interrupted"], true);
    assert!(run["requests"].as_u64().unwrap() >= 20);
    assert_eq!(run["requests"].as_u64().unwrap(), server.requests());
    assert!(place.path().join("run/report.html").is_file());
}

#[test]
fn ctrl_c_ends_a_search_with_what_it_found_so_far() {
    let place = Place::new();
    let server = Anything::start();
    let scenario = "version = 1\nname = \"x\"\n[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /\"\n";
    place.write("s.toml", scenario);
    let url = server.url();
    let line = ["capacity", "s.toml", "--target", &url, "--from", "20/s", "--step", "1s", "--warm-up", "0s"];
    let mut child = place
        .command(&[&line[..], &["--hold", "10m", "--up-to", "20/s", "-o", "out", "--json"]].concat())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The first step has some twenty requests: with sixty the long one is under way.
    while server.requests() < 60 {
        std::thread::yield_now();
        assert!(child.try_wait().unwrap().is_none(), "the search ended by itself");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["outcome"], "interrupted");
    // Two, where this machine stalled in the first.
    let steps = document["steps"].as_array().unwrap().len();
    assert!((1..=2).contains(&steps), "{document}");
    assert!(
        place.path().join("out/capacity.json").is_file() && place.path().join("out/capacity.html").is_file()
    );
}
