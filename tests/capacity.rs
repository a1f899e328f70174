//! The highest rate of a server whose capacity is known, and what a search says where there is none.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mynah_traffic::capacity::{CapacityDocument, CapacityOutcome, Phase, StepVerdict};
use mynah_traffic::run::RunFolder;

use crate::common::{Anything, Place};

const SCENARIO: &str = r#"
version = 1
name = "five"
[[profile]]
name = "all"
weight = 1
[[profile.step]]
request = "GET /1"
expect = 200
[[profile.step]]
request = "GET /2"
expect = 200
[[profile.step]]
request = "GET /3"
expect = 200
[[profile.step]]
request = "GET /4"
expect = 200
[[profile.step]]
request = "GET /5"
expect = 200
"#;

/// Answers so many requests a second; what comes faster waits its turn. See `bench/capacity/bucket.rs`.
fn bucket(per_second: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gap = Duration::from_secs(1) / per_second;
    let next = Arc::new(Mutex::new(Instant::now()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let next = Arc::clone(&next);
            std::thread::spawn(move || serve(stream, &next, gap));
        }
    });
    address
}

fn serve(stream: TcpStream, next: &Mutex<Instant>, gap: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line != "\r\n" {
            continue;
        }
        let token = {
            let mut next = next.lock().unwrap();
            // Ten tokens are saved while nobody asks, so that a thread that wakes up late costs nothing.
            let token = (*next).max(Instant::now().checked_sub(gap * 10)?);
            *next = token + gap;
            token
        };
        std::thread::sleep(token.saturating_duration_since(Instant::now()));
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
    }
}

#[test]
fn the_capacity_of_a_known_server_is_found() {
    let place = Place::new();
    let scenario = place.write("five.toml", SCENARIO);
    let target = format!("http://{}", bucket(500));
    // From 425 requests a second to 575.
    let rates =
        ["--from", "85/s", "--up-to", "115/s", "--precision", "2.5%", "--step", "2s", "--late-after", "10ms"];
    let line = [&["capacity", &scenario, "--target", &target][..], &rates].concat();
    let more =
        ["--hold", "3s", "--warm-up", "300ms", "--threshold", "p99 < 1s", "-o", "out", "--force", "--json"];
    // A machine that is busy with other things makes the generator late, once.
    let mut document: Option<CapacityDocument> = None;
    for attempt in 1..=2 {
        let run = place.mynah(&[&line[..], &more[..]].concat());
        let found: CapacityDocument = serde_json::from_slice(&run.output.stdout).unwrap();
        match run.output.status.code() {
            Some(0) => document = Some(found),
            Some(11) => println!("attempt {attempt}: the generator was invalid: {}", found.summary),
            code => panic!("{code:?}: {}\n{}", found.summary, run.stderr()),
        }
        if document.is_some() {
            break;
        }
    }
    let Some(document) = document else {
        println!("skipped: this machine is too busy to send five hundred requests a second in time");
        return;
    };
    assert_eq!(document.outcome, CapacityOutcome::Found);
    let answer = document.step(document.answer).unwrap();
    assert_eq!((answer.phase, answer.verdict), (Phase::Hold, StepVerdict::Holds));
    assert!((475.0..=525.0).contains(&answer.requests_per_s), "{}", document.summary);
    let knee = document.step(document.knee).unwrap();
    assert!(knee.sessions_per_s > answer.sessions_per_s && knee.verdict == StepVerdict::Fails);
    assert!(
        document.summary.contains("fell behind") || document.summary.contains("p99 < 1s"),
        "{}",
        document.summary
    );
    // What is in the folder is what was printed, and each step is a run.
    let written = std::fs::read_to_string(place.path().join("out/capacity.json")).unwrap();
    assert_eq!(serde_json::from_str::<CapacityDocument>(&written).unwrap(), document);
    let page = std::fs::read_to_string(place.path().join("out/capacity.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains(&format!("{}/report.html", answer.run.replace('/', "&#x2f;"))),
        "{page}"
    );
    for step in &document.steps {
        let run = RunFolder::open(place.path().join("out").join(&step.run));
        assert_eq!(run.document().unwrap().requests, step.requests);
        assert!(run.path().join("report.html").is_file());
    }
    let report = place.file(&format!("out/{}", answer.run));
    assert!(place.mynah(&["report", &report]).exits(0).stdout().contains("GET /5"));
}

#[test]
fn where_nothing_holds_it_exits_10() {
    let place = Place::new();
    let scenario = place.write("five.toml", SCENARIO);
    let target = Anything::start().url();
    let line = [
        "capacity",
        &scenario,
        "--target",
        &target,
        "--from",
        "5/s",
        "--step",
        "1s",
        "--warm-up",
        "0s",
        "-o",
        "out",
    ];
    let run = place.mynah(&[&line[..], &["--threshold", "p50 < 1us"]].concat());
    // Eleven: this machine stalled.
    let code = run.output.status.code();
    assert!(matches!(code, Some(10 | 11)), "{code:?} {}", run.stderr());
    if code == Some(10) {
        let said = run.stdout();
        assert!(said.starts_with("NOTHING HOLDS") && said.contains("p50 < 1us: failed"), "{said}");
        assert!(
            run.stderr().contains(" 1 grow ") && run.stderr().contains("fails: p50 < 1us"),
            "{}",
            run.stderr()
        );
    }
    // What is there already stays.
    assert!(place.mynah(&line).exits(2).stderr().contains("add --force"));
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let place = Place::new();
    let scenario = place.write("five.toml", SCENARIO);
    let target = Anything::start().url();
    let says = |more: &[&str], part: &str| {
        let run = place.mynah(&[&["capacity", &scenario][..], more].concat()).exits(2);
        assert!(run.stderr().contains(part), "{part}: {}", run.stderr());
    };
    says(&[], "add --target URL");
    says(&["--target", &target, "--from", "9/s", "--up-to", "5/s"], "no rate to try");
    says(&["--target", &target, "--from", "2x"], "relative to a recording");
    says(&["--target", &target, "--precision", "90%"], "from 0.1% to 50%");
    says(&["--target", &target, "--step", "10ms"], "a second or more");
    // Where nobody answers nothing is left behind, and the same command can be given again.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = ["capacity", &scenario, "--target", &format!("http://{free}"), "-o", "out"];
    place.mynah(&line).exits(4);
    place.mynah(&line).exits(4).says("cannot reach");
}
