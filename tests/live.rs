//! Live traffic: sniffed on the loopback interface (where that is allowed) and recorded as a reverse proxy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Anything, Place};

/// What `capture` listens to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Sniff,
    Proxy,
}

/// A capture that is under way.
struct Capture {
    child: Child,
    said: BufReader<ChildStderr>,
    /// Where requests are to be sent to.
    address: SocketAddr,
}

impl Capture {
    /// Begins to record this server's traffic into `live.mynah`; `None` where that is not allowed.
    fn begin(place: &Place, how: How, server: &Anything, more: &[&str]) -> Option<Capture> {
        Capture::begin_saying(place, how, server, more, "")
    }

    /// The same, when it has something to say before.
    fn begin_saying(
        place: &Place,
        how: How,
        server: &Anything,
        more: &[&str],
        before: &str,
    ) -> Option<Capture> {
        let (port, url) = (server.address.port().to_string(), server.url());
        let mut args = match how {
            How::Sniff => vec!["capture", "-i", "lo", "--port", &port],
            How::Proxy => vec!["capture", "--listen", "127.0.0.1:0", "--upstream", &url],
        };
        args.extend(["-o", "live.mynah"]);
        args.extend(more);
        let mut child = place.command(&args).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        if !before.is_empty() {
            assert!(first.contains(before), "{first}");
            first.clear();
            said.read_line(&mut first).unwrap();
        }
        if how == How::Sniff && !first.starts_with("recording") {
            println!("skipped: {first}");
            assert!(first.contains("may not be listened on"), "{first}");
            child.wait().unwrap();
            return None;
        }
        let words: Vec<&str> = first.split(' ').collect();
        assert_eq!(words.first(), Some(&"recording"), "{first}");
        let address = match how {
            How::Sniff => server.address,
            How::Proxy => words[2].parse().unwrap(),
        };
        Some(Capture { child, said, address })
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the end: the exit code, and everything that was said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// One connection.
struct Client(TcpStream);

impl Client {
    fn to(address: SocketAddr) -> Client {
        Client(TcpStream::connect(address).unwrap())
    }

    /// Sends a request and reads the answer, which ends with `ok`.
    fn get(&mut self, target: &str, fields: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n");
        self.0.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.ends_with(b"\r\n\r\nok") {
            let read = self.0.read(&mut piece).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
    }
}

fn targets(place: &Place, file: &str) -> Vec<String> {
    let lines = place.mynah(&["inspect", file, "--recover", "--exchanges", "--json"]).ok().stdout();
    lines
        .lines()
        .map(|line| {
            let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
            exchange["target"].as_str().unwrap().to_owned()
        })
        .collect()
}

const TOKEN: &str = "k3J9xQ2mLp0Zq81aWTb7";

#[test]
fn a_signal_ends_it_and_everything_is_written_masked_and_sealed() {
    for how in [How::Sniff, How::Proxy] {
        for signal in ["-INT", "-TERM"] {
            let (place, server) = (Place::new(), Anything::start());
            let Some(capture) = Capture::begin(&place, how, &server, &[]) else { continue };
            let mut client = Client::to(capture.address);
            // that the path held a session's identifier is known only when the cookie comes
            client.get(&format!("/reset/{TOKEN}"), "");
            for n in 0..50 {
                client.get(&format!("/items/{n}"), &format!("Cookie: sid={TOKEN}\r\n"));
            }
            drop(client);
            capture.signal(signal);
            let (code, said) = capture.end();
            assert_eq!(code, Some(0), "{how:?} {signal}: {said}");
            assert!(said.contains("audit     passed"), "{said}");
            let found = targets(&place, "live.mynah");
            assert_eq!(found.len(), 51, "{how:?}: {said}");
            assert!(found[0].starts_with("/reset/") && !found[0].contains(TOKEN), "{found:?}");
            let dump = place.mynah(&["inspect", "live.mynah", "--dump"]).ok().stdout();
            assert!(!dump.contains(TOKEN) && dump.contains("/items/49"));
            assert!(!place.path().join("live.mynah.partial").exists());
            let summary = place.mynah(&["inspect", "live.mynah", "--json"]).ok().json();
            let count = |part: &str| summary["capture"][part].as_u64().unwrap();
            assert!(count("seen") >= 51);
            let parts = count("captured") + count("dropped_by_kernel") + count("dropped_by_mynah");
            assert_eq!(count("seen"), parts);
            assert_eq!((summary["masked"].as_bool(), count("gaps")), (Some(true), 0));
        }
    }
}

#[test]
fn what_was_there_before_the_last_second_survives_kill_9() {
    // the promise is one second; the machine that tests may be busy with other tests for another
    const PROMISED: Duration = Duration::from_secs(3);
    for how in [How::Sniff, How::Proxy] {
        let (place, server) = (Place::new(), Anything::start());
        let Some(mut capture) = Capture::begin(&place, how, &server, &[]) else { continue };
        let mut client = Client::to(capture.address);
        let begun = Instant::now();
        let mut done = Vec::new();
        while begun.elapsed() < PROMISED + Duration::from_secs(1) {
            client.get(&format!("/items/{}", done.len()), &format!("Cookie: sid={TOKEN}\r\n"));
            done.push(Instant::now());
            // a client that thinks, so that the recording stays small
            std::thread::sleep(Duration::from_millis(5));
        }
        let killed = Instant::now();
        capture.child.kill().unwrap();
        capture.child.wait().unwrap();
        let safe = done.iter().filter(|done| killed.duration_since(**done) > PROMISED).count();
        assert!(safe > 0);
        assert!(!place.path().join("live.mynah").exists());
        // it was never proven, so it is not taken by accident
        place.mynah(&["inspect", "live.mynah.partial"]).exits(3).says("--recover");
        let found = targets(&place, "live.mynah.partial");
        assert!(found.len() >= safe, "{how:?}: {} of {safe}", found.len());
        place
            .mynah(&["capture", "live.mynah.partial", "--recover", "-o", "whole.mynah"])
            .ok()
            .says("audit     passed");
        let whole = targets(&place, "whole.mynah");
        let sent: Vec<String> = (0..whole.len()).map(|n| format!("/items/{n}")).collect();
        assert_eq!(whole, sent, "{how:?}");
        assert!(!place.mynah(&["inspect", "whole.mynah", "--dump"]).ok().stdout().contains(TOKEN));
    }
}

#[test]
fn what_a_crash_left_is_never_written_over() {
    let (place, server) = (Place::new(), Anything::start());
    let mut capture = Capture::begin(&place, How::Proxy, &server, &[]).unwrap();
    Client::to(capture.address).get("/valuable", "");
    while std::fs::metadata(place.path().join("live.mynah.partial")).unwrap().len() <= 80 {
        std::thread::yield_now();
    }
    // a second one with the same output would tear the first one's file
    place
        .mynah(&["capture", "--listen", "127.0.0.1:0", "--upstream", &server.url(), "-o", "live.mynah"])
        .exits(2)
        .says("is being written by another process");
    capture.child.kill().unwrap();
    capture.child.wait().unwrap();
    // recovered into the name that it was to have, it would be replaced while it is read
    place
        .mynah(&["capture", "--recover", "live.mynah.partial", "-o", "live.mynah"])
        .exits(2)
        .says("name another output");
    place
        .mynah(&["capture", "--recover", "live.mynah.partial", "-o", "whole.mynah"])
        .ok()
        .says("never sealed");
    assert_eq!(targets(&place, "whole.mynah"), ["/valuable"]);
    // the service is started again
    let capture = Capture::begin_saying(&place, How::Proxy, &server, &[], "is kept as").unwrap();
    capture.signal("-INT");
    assert_eq!(capture.end().0, Some(0));
    assert_eq!(targets(&place, "live.mynah"), [""; 0]);
    assert_eq!(targets(&place, "live.mynah.partial.1"), ["/valuable"]);
}

#[test]
fn numbered_files_go_on_where_an_earlier_run_left_off() {
    let (place, server) = (Place::new(), Anything::start());
    place.write("live-0001.mynah", "somebody else's");
    for _ in 0..2 {
        let capture = Capture::begin(&place, How::Proxy, &server, &["--max-size", "1MiB"]).unwrap();
        capture.signal("-INT");
        assert_eq!(capture.end().0, Some(0));
    }
    assert_eq!(std::fs::read_to_string(place.file("live-0001.mynah")).unwrap(), "somebody else's");
    assert!(place.path().join("live-0002.mynah").exists() && place.path().join("live-0003.mynah").exists());
}

#[test]
fn files_turn_over_at_their_size_and_none_is_lost() {
    let (place, server) = (Place::new(), Anything::start());
    let more = ["--max-size", "64KiB", "--unmasked"];
    let Some(capture) = Capture::begin(&place, How::Proxy, &server, &more) else { return };
    let mut client = Client::to(capture.address);
    let second = || place.path().join("live-0002.mynah.partial").exists();
    let mut sent: u32 = 0;
    while !second() {
        // what does not compress
        let noise: String = (0..200_u32)
            .map(|n| {
                char::from(
                    b'a' + ((n + 7).wrapping_mul(sent.wrapping_add(n * n)).wrapping_mul(2_654_435_761) >> 27)
                        as u8
                        % 26,
                )
            })
            .collect();
        client.get(&format!("/{sent}/{noise}"), "");
        sent += 1;
        assert!(sent < 100_000, "it never turns over");
    }
    capture.signal("-INT");
    let (code, said) = capture.end();
    assert_eq!(code, Some(0), "{said}");
    let files: Vec<String> = (1..=9)
        .map(|n| format!("live-000{n}.mynah"))
        .filter(|name| place.path().join(name).exists())
        .collect();
    assert!(files.len() >= 2, "{said}");
    let all: Vec<String> = files.iter().flat_map(|file| targets(&place, file)).collect();
    assert_eq!(all.len(), sent as usize);
    let seen: u64 = files
        .iter()
        .map(|file| {
            place.mynah(&["inspect", file, "--json"]).ok().json()["capture"]["seen"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(seen, u64::from(sent), "each file has its own counts");
}

#[test]
fn time_and_filters_end_and_thin_it() {
    let (place, server) = (Place::new(), Anything::start());
    let more = ["--for", "3s", "--exclude", "path =~ ^/health", "--report", "masked.json"];
    let Some(capture) = Capture::begin(&place, How::Proxy, &server, &more) else { return };
    let mut client = Client::to(capture.address);
    client.get("/items/1", "");
    client.get("/health", "");
    let (code, said) = capture.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(targets(&place, "live.mynah"), ["/items/1"]);
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.file("masked.json")).unwrap()).unwrap();
    assert_eq!(report[0]["exchanges"], 1);
}

#[test]
fn wrong_wishes_are_refused_before_anything_is_written() {
    let place = Place::new();
    for (args, says) in [
        (&["-i", "none-such0"][..], ""),
        (&["-i", "lo", "--filter", "tcp prot 80"], ""),
        (&["-i", "lo", "--port", "0"], "--port"),
        (&["-i", "lo", "--sample", "0"], "--sample"),
        (&["-i", "lo", "in.pcap"], "cannot be used with"),
        (&["-i", "lo", "--listen", ":0", "--upstream", "http://127.0.0.1:1"], "cannot be used with"),
        (&["-i", "lo", "--memory", "1"], "--memory"),
        (&["in.pcap", "--for", "3s"], "required"),
        (&["-i", "lo", "--for", "0"], "--for"),
        (&["in.pcap", "--buffer", "3MiB"], "cannot be used with"),
        (&["in.pcap", "--insecure"], "cannot be used with"),
        (&["--listen", "127.0.0.1:0"], "--upstream"),
        (&["--listen", "127.0.0.1:0", "--upstream", "ftp://127.0.0.1"], "ftp"),
        (&["--listen", "nowhere.invalid:x", "--upstream", "http://127.0.0.1:1"], "nowhere.invalid"),
        (
            &["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--tls-cert", "c.pem"],
            "--tls-key",
        ),
    ] {
        let line = [&["capture"], args, &["-o", "out.mynah"]].concat();
        place.mynah(&line).exits(2).says(says);
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
