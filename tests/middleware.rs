//! `--middleware`: scripts as GoReplay's users have them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mynah_traffic::Nanos;
use mynah_traffic::gor::{Kind, Record};

use crate::common::site::Site;
use crate::common::{Place, fixture, run_json};

/// How a script of ours is started; `None`, and said, where there is no Python.
fn script(name: &str, arguments: &str) -> Option<String> {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if there {
        Some(format!("python3 '{}' {arguments}", fixture(&format!("middleware/{name}"))))
    } else {
        println!("skipped: there is no python3 here");
        None
    }
}

/// A script of one test.
fn written(place: &Place, text: &str) -> Option<String> {
    script("echo.py", "")?;
    Some(format!("python3 '{}'", place.write("script.py", text)))
}

fn capture<'a>(place: &'a Place, output: &'a str, more: &[&'a str]) -> crate::common::Run {
    let input = fixture("shop.pcap");
    let mut args = vec!["capture", &input, "-o", output, "--key-file", "k"];
    args.extend(more);
    place.mynah(&args)
}

fn exchanges(place: &Place, file: &str) -> String {
    place.mynah(&["inspect", file, "--exchanges", "--json"]).ok().stdout()
}

fn whole(place: &Place, file: &str) -> Vec<mynah_traffic::Exchange> {
    let reader = mynah_traffic::recording::Reader::open(place.path().join(file)).unwrap();
    reader.map(|exchange| exchange.unwrap().into_inner()).collect()
}

#[test]
fn what_comes_back_unchanged_leaves_the_recording_as_it_was() {
    let place = Place::new();
    let Some(echo) = script("echo.py", "") else { return };
    capture(&place, "plain.mynah", &[]).ok();
    capture(&place, "through.mynah", &["--middleware", &echo])
        .ok()
        .says("middleware: 0 of 2816 exchanges dropped, 0 changed")
        .says("audit     passed");
    assert_eq!(exchanges(&place, "plain.mynah"), exchanges(&place, "through.mynah"));
    assert!(whole(&place, "plain.mynah") == whole(&place, "through.mynah"));
}

#[test]
fn what_does_not_come_back_is_dropped_and_counted() {
    let place = Place::new();
    let Some(drop) = script("echo.py", "drop 10") else { return };
    capture(&place, "plain.mynah", &[]).ok();
    let says = "middleware: 281 of 2816 exchanges dropped, 0 changed";
    capture(&place, "tenth.mynah", &["--middleware", &drop]).ok().says(says);
    let summary = place.mynah(&["inspect", "tenth.mynah", "--json"]).ok().json();
    assert_eq!(summary["exchanges"], 2816 - 281);
    let warnings = summary["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning == says), "{warnings:?}");
    let mut kept = whole(&place, "plain.mynah");
    let mut number = 0;
    kept.retain(|_| {
        number += 1;
        number % 10 != 0
    });
    assert!(kept == whole(&place, "tenth.mynah"), "the others stay, in their order");

    let drop = script("echo.py", "drop-responses").unwrap();
    capture(&place, "mute.mynah", &["--middleware", &drop])
        .ok()
        .says("middleware: 0 of 2816 exchanges dropped, 2816 changed")
        .says("2816 responses dropped whose request stayed");
    let summary = place.mynah(&["inspect", "mute.mynah", "--json"]).ok().json();
    assert_eq!(summary["requests_without_response"], 2816);
}

#[test]
fn what_comes_back_changed_is_recorded() {
    let place = Place::new();
    let Some(add) = script("echo.py", "header X-Through yes") else { return };
    capture(&place, "plain.mynah", &[]).ok();
    capture(&place, "marked.mynah", &["--middleware", &add])
        .ok()
        .says("middleware: 0 of 2816 exchanges dropped, 2816 changed")
        .says("audit     passed");
    let (plain, marked) = (whole(&place, "plain.mynah"), whole(&place, "marked.mynah"));
    assert_eq!(plain.len(), marked.len());
    for (plain, marked) in plain.iter().zip(&marked) {
        assert_eq!(marked.request_head().unwrap().get("X-Through"), Some("yes"));
        let bodies = [plain, marked].map(|exchange| &exchange.request.as_ref().unwrap().body);
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(
            (&plain.response, plain.flags, plain.times),
            (&marked.response, marked.flags, marked.times)
        );
        // what was sensitive is still known, where it stands now
        assert_eq!(plain.sensitive.len(), marked.sensitive.len());
        let text = |exchange: &mynah_traffic::Exchange, at: usize| {
            let span = &exchange.sensitive[at];
            let message = exchange.request.as_ref().filter(|_| span.side == mynah_traffic::Side::Request)?;
            let part = if span.in_body { &message.body } else { &message.head };
            part.get(span.start as usize..(span.start + span.len) as usize).map(<[u8]>::to_vec)
        };
        for at in 0..plain.sensitive.len() {
            assert_eq!(text(plain, at), text(marked, at));
        }
    }
}

#[test]
fn a_middleware_that_does_not_work_is_told_of() {
    let place = Place::new();
    capture(&place, "x.mynah", &["--middleware", "/no/such/thing at all"])
        .exits(2)
        .says("cannot start the middleware `/no/such/thing at all`");
    capture(&place, "x.mynah", &["--middleware", "python3 'oops"]).exits(2).says("is not closed");
    let Some(exits) = written(&place, "import sys\nsys.exit(7)\n") else { return };
    capture(&place, "x.mynah", &["--middleware", &exits])
        .exits(3)
        .says("script.py'` ended early (exit status: 7)");
    let late =
        written(&place, "import sys\nfor line in sys.stdin: print(line, end='')\nsys.exit(5)\n").unwrap();
    capture(&place, "x.mynah", &["--middleware", &late]).exits(3).says("script.py'` failed (exit status: 5)");
    let garbage = written(&place, "import sys\nfor line in sys.stdin: print('got', len(line))\n").unwrap();
    capture(&place, "x.mynah", &["--middleware", &garbage])
        .exits(3)
        .says("gave no message back, but 5632 lines that cannot be read, the first: byte 0x67 at column 1")
        .says("standard output is for messages only");
    // debugging output between the messages is no reason to stop
    let mixed = written(&place, "import sys\nfor line in sys.stdin: print('x\\n' + line, end='')\n").unwrap();
    capture(&place, "mixed.mynah", &["--middleware", &mixed])
        .ok()
        .says("middleware: 0 of 2816 exchanges dropped, 0 changed")
        .says("middleware: 5632 lines of its output cannot be read");
    let deaf = written(&place, "import time\ntime.sleep(120)\n").unwrap();
    capture(&place, "x.mynah", &["--middleware", &deaf]).exits(3).says("has given nothing back for 10 s");
    assert!(!place.path().join("x.mynah").exists(), "nothing was sealed");
}

#[test]
fn messages_may_come_back_in_any_order_and_be_of_another_length() {
    let place = Place::new();
    let text = "\
import sys
lines = []
def out():
    for line in reversed(lines):
        header, payload = bytes.fromhex(line.strip()).split(b'\\n', 1)
        if header.startswith(b'2') and payload.startswith(b'HTTP/1.1 404'):
            payload = b'HTTP/1.1 404 Gone\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n'
        print((header + b'\\n' + payload).hex().upper())
    sys.stdout.flush()
    lines.clear()
for line in sys.stdin:
    lines.append(line)
    if len(lines) == 37: out()
out()
";
    let Some(command) = written(&place, text) else { return };
    capture(&place, "plain.mynah", &[]).ok();
    capture(&place, "mixed.mynah", &["--middleware", &command]).ok().says("0 of 2816 exchanges dropped");
    let (plain, mixed) = (whole(&place, "plain.mynah"), whole(&place, "mixed.mynah"));
    assert_eq!(plain.len(), mixed.len());
    for (plain, mixed) in plain.iter().zip(&mixed) {
        assert_eq!((&plain.request, plain.status()), (&mixed.request, mixed.status()));
        if mixed.status() == Some(404) {
            assert_eq!(mixed.response.as_ref().unwrap().body, "abc");
        } else {
            assert_eq!(plain.response, mixed.response);
        }
    }
}

#[test]
fn the_protocol_is_goreplays() {
    let Some(_) = script("token.py", "") else { return };
    let mut child = Command::new("python3")
        .arg(fixture("middleware/token.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut through = |kind, id: &str, payload: &str| {
        let record = Record {
            kind,
            id: id.to_owned(),
            time: Some(Nanos(1_700_000_000_000_000_000)),
            latency: Some(Nanos(5)),
            payload: payload.into(),
        };
        input.write_all(&record.to_line()).unwrap();
        let mut line = Vec::new();
        output.read_until(b'\n', &mut line).unwrap();
        let back = Record::from_line(&line).unwrap().unwrap();
        assert_eq!((back.kind, &back.id, back.time), (record.kind, &record.id, record.time));
        String::from_utf8(back.payload).unwrap()
    };
    let ask = "GET /token HTTP/1.1\r\n\r\n";
    let answer = |token: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{token}");
    assert_eq!(through(Kind::Request, "a1", ask), ask);
    assert_eq!(through(Kind::Response, "a1", &answer("old1")), answer("old1"));
    assert_eq!(through(Kind::Replayed, "a1", &answer("new1")), answer("new1"));
    let use_of = |token: &str| format!("GET /secure?token={token} HTTP/1.1\r\n\r\n");
    assert_eq!(through(Kind::Request, "b2", &use_of("old1")), use_of("new1"));
    assert_eq!(through(Kind::Request, "b3", &use_of("other")), use_of("other"));
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Answers 200, in chunks.
fn start() -> Site {
    Site::start(|request, _| {
        if request.head.starts_with("HEAD ") {
            return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_owned();
        }
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned()
    })
}

fn replay(place: &Place, site: &Site, middleware: Option<&str>) -> crate::common::Run {
    if !place.path().join("shop.mynah").exists() {
        capture(place, "shop.mynah", &[]).ok();
    }
    let target = site.url();
    let mut args =
        vec!["replay", "shop.mynah", "--target", &target, "--once", "--think-time", "0", "-o", "run"];
    // A busy machine takes its time to start the program.
    args.extend(
        middleware.iter().flat_map(|command| ["--middleware", command, "--middleware-timeout", "6s"]),
    );
    place.mynah(&args)
}

#[test]
fn a_replay_sends_what_comes_back() {
    let place = Place::new();
    let Some(add) = script("echo.py", "header X-Through yes") else { return };
    let site = start();
    replay(&place, &site, None).ok();
    let without = site.take();
    assert!(!without.is_empty() && !without.iter().any(|one| one.head.contains("X-Through")));
    let failures_without = run_json(&place.file("run"))["failures"].clone();
    std::fs::remove_dir_all(place.path().join("run")).unwrap();

    let run = replay(&place, &site, Some(&add)).ok();
    let with = site.take();
    assert_eq!(with.len(), without.len());
    assert!(with.iter().all(|one| one.field("x-through") == "yes"), "{with:?}");
    let run = run.says(&format!("middleware: 0 of {} requests did not come back", with.len()));
    let told = run.stderr().lines().filter(|line| *line == "replayed: 200").count();
    assert_eq!(told, with.len(), "each response was told of");
    let failures_with = run_json(&place.file("run"))["failures"].clone();
    assert_eq!(failures_with, failures_without, "what was wrong without is wrong with it, and no more");
}

#[test]
fn a_request_that_does_not_come_back_has_failed() {
    let place = Place::new();
    let Some(drop) = script("echo.py", "drop 10") else { return };
    let site = start();
    let run = replay(&place, &site, Some(&drop)).ok();
    let document = run_json(&place.file("run"));
    let requests = document["requests"].as_u64().unwrap();
    let dropped = requests / 10;
    assert_eq!(document["generator"]["errors"]["middleware"], dropped, "{document:#}");
    assert!(document["failures"].as_u64().unwrap() >= dropped);
    assert_eq!(site.take().len() as u64, requests - dropped);
    run.says(&format!("middleware: {dropped} of {requests} requests did not come back"));
}

#[test]
fn a_replay_ends_with_its_middleware() {
    let place = Place::new();
    let Some(exits) = written(&place, "import sys\nsys.exit(7)\n") else { return };
    let site = start();
    replay(&place, &site, Some(&exits)).exits(3).says("ended early (exit status: 7)");
    assert_eq!(site.take().len(), 0);
    std::fs::remove_dir_all(place.path().join("run")).unwrap();
    replay(&place, &site, Some("/no/such/thing")).exits(2).says("cannot start the middleware");
}

/// A proxy that records, before this server, and three requests through it; what it said, and its exit code.
fn record(place: &Place, site: &Site, command: &str) -> (Option<i32>, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, upstream) = (free.to_string(), site.url());
    let args = ["capture", "--listen", &listen, "--upstream", &upstream, "-o", "live.mynah", "--for", "60s"];
    let mut child =
        place.command(&args).args(["--middleware", command]).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let mut stream = loop {
        match TcpStream::connect(free) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    for number in 1..=4 {
        // the middleware that fails does so at the third; the proxy's traffic goes on
        if number == 4 && command.contains("script.py") {
            while !text.contains("nothing is recorded any more") {
                assert!(said.read_line(&mut text).unwrap() > 0, "{text}");
            }
        } else if number == 4 {
            break;
        }
        write!(stream, "GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"0\r\n\r\n") && !answer.ends_with(b"\r\n\r\nok") {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    said.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[cfg(unix)]
#[test]
fn live_traffic_goes_through_it() {
    let Some(add) = script("echo.py", "header X-Through yes") else { return };
    let (place, site) = (Place::new(), start());
    let (code, said) = record(&place, &site, &add);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("middleware: 0 of 3 exchanges dropped, 3 changed"), "{said}");
    let exchanges = whole(&place, "live.mynah");
    assert_eq!(exchanges.len(), 3);
    assert!(exchanges.iter().all(|one| one.request_head().unwrap().get("X-Through") == Some("yes")));
    assert!(
        site.take().iter().all(|one| !one.head.contains("X-Through")),
        "the server sees what clients sent"
    );
}

#[cfg(unix)]
#[test]
fn what_came_before_it_failed_is_sealed() {
    let (place, site) = (Place::new(), start());
    let text = "\
import sys
for number, line in enumerate(sys.stdin):
    if number == 4: sys.exit(9)
    print(line, end='', flush=True)
";
    let Some(command) = written(&place, text) else { return };
    let (code, said) = record(&place, &site, &command);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("(exit status: 9)"), "{said}");
    assert_eq!(whole(&place, "live.mynah").len(), 2);
    let summary = place.mynah(&["inspect", "live.mynah", "--json"]).ok().json();
    assert!(summary["warnings"].to_string().contains("1 exchange had not come back"), "{summary:#}");
}
