//! A target that misbehaves costs the run its request, and neither its memory nor its end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Place, run_json};

/// Resident memory that the command may ever have had, in KiB.
const MOST_KIB: u64 = 100 << 10;

/// A server that is polite to whoever asks for `/fine`; else it does to the connection what the path says.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> Option<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1)?;
        match path {
            "/fine" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?,
            "/nothing" => return None,
            "/half" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf").ok()?;
                return None;
            }
            "/garbage" => {
                stream.write_all(b"\x01\x02\x03 nobody knows what this is\r\n\r\n").ok()?;
                return None;
            }
            // JSON of no end.
            "/flood" => flood(
                &mut stream,
                "Content-Type: application/json\r\nContent-Length: 4398046511104",
                b"[1,2,3,4,5,6,7,8,9,0],",
            )?,
            "/chunks" => {
                flood(
                    &mut stream,
                    "Content-Type: application/json\r\nTransfer-Encoding: chunked",
                    b"7;extension=value\r\n[1,2,3]\r\n",
                )?;
            }
            "/head" => flood(&mut stream, "X: y", b"X-Another: and another\r\n")?,
            "/long" => {
                let length = 320 << 20;
                stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n").as_bytes()).ok()?;
                let part = vec![b'1'; 1 << 16];
                for _ in 0..length / part.len() {
                    stream.write_all(&part).ok()?;
                }
            }
            _ => std::thread::sleep(Duration::from_mins(1)),
        }
    }
}

fn flood(stream: &mut TcpStream, fields: &str, again: &[u8]) -> Option<()> {
    let end = if fields == "X: y" { "" } else { "\r\n" };
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{end}").as_bytes()).ok()?;
    let many = again.repeat((1 << 16) / again.len());
    let begun = Instant::now();
    // The client has given up long before.
    while begun.elapsed() < Duration::from_mins(1) {
        stream.write_all(&many).ok()?;
    }
    None
}

const SCENARIO: &str = "version = 1\nname = 'rude'\n[[profile]]\nname = 'a'\nweight = 1\n";

/// A value is taken from it, so that as much of it is kept as ever is.
const TAKEN: &str = "[[correlation]]\nname = 'value'\nfrom = ['GET /long json:$[0]']\nto = []\n";

fn scenario(paths: &[&str]) -> String {
    let steps =
        paths.iter().map(|path| format!("[[profile.step]]\nrequest = \"GET {path}\"\nexpect = 200\n"));
    let taken = if paths.contains(&"/long") { TAKEN } else { "" };
    format!("{SCENARIO}{}{taken}", steps.collect::<Vec<_>>().concat())
}

/// The exit code, `run.json`, and the most memory that it had, where the system tells.
fn watched(place: &Place, args: &[&str]) -> (Option<i32>, Value, Option<u64>) {
    let mut child = place.command(args).stdout(std::process::Stdio::null()).spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut most = None;
    let status = loop {
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            most = most.max(kib);
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    (status.code(), run_json(&place.file("run")), most)
}

#[test]
fn whatever_it_does_the_run_goes_on_within_its_memory() {
    let place = Place::new();
    let url = format!("http://{}", server());
    place.write(
        "s.toml",
        scenario(&[
            "/fine", "/nothing", "/half", "/garbage", "/stall", "/flood", "/chunks", "/head", "/fine",
        ]),
    );
    let args = [
        "replay",
        "s.toml",
        "--target",
        &url,
        "--users",
        "16",
        "--for",
        "4s",
        "--think-time",
        "0",
        "--timeout",
        "300ms",
        "--threshold",
        "failure_rate < 99%",
        "-o",
        "run",
    ];
    let (code, document, most) = watched(&place, &args);
    assert!(matches!(code, Some(0 | 11)), "{code:?}: {document:#}");
    let errors = &document["generator"]["errors"];
    for kind in ["closed", "truncated", "protocol", "timeout", "limit"] {
        assert!(errors[kind].as_u64().unwrap_or(0) > 0, "{kind}: {errors:#}");
    }
    assert!(document["total"]["status"]["200"].as_u64().unwrap() > 0);
    let failures: Vec<&str> = document["failure_rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["error"].as_str().unwrap())
        .collect();
    for words in [
        "before an answer came",
        "in the middle of the body",
        "not HTTP",
        "timeout after 300ms",
        "given up: a head",
    ] {
        assert!(failures.iter().any(|error| error.contains(words)), "{words}: {failures:#?}");
    }
    match most {
        Some(kib) => assert!(kib < MOST_KIB, "{kib} KiB"),
        None => println!("memory is not looked at: there is no /proc here"),
    }
    // What must hold decides how it ends.
    let strict = [&args[..12], &["--threshold", "failure_rate < 1%", "-o", "run", "--force"]].concat();
    let (code, document, _) = watched(&place, &strict[..]);
    assert!(matches!(code, Some(10 | 11)), "{code:?}: {document:#}");
}

#[test]
fn an_answer_of_hundreds_of_megabytes_is_counted_past() {
    let place = Place::new();
    let url = format!("http://{}", server());
    place.write("s.toml", scenario(&["/long", "/fine"]));
    let args = [
        "replay",
        "s.toml",
        "--target",
        &url,
        "--users",
        "1",
        "--for",
        "1s",
        "--think-time",
        "0",
        "--threshold",
        "failures < 1",
        "-o",
        "run",
    ];
    let (code, document, most) = watched(&place, &args);
    assert!(matches!(code, Some(0 | 11)), "{code:?}: {document:#}");
    assert!(document["bytes_in"].as_u64().unwrap() > 300 << 20);
    if let Some(kib) = most {
        assert!(kib < MOST_KIB, "{kib} KiB");
    }
}

#[test]
fn a_target_whose_handshakes_fail_is_not_reached_and_it_says_why() {
    let place = Place::new();
    place.write("s.toml", scenario(&["/fine"]));
    // It speaks HTTP, and no TLS.
    let url = format!("https://{}", server());
    place
        .mynah(&[
            "replay",
            "s.toml",
            "--target",
            &url,
            "--insecure",
            "--users",
            "1",
            "--for",
            "1s",
            "-o",
            "run",
            "--connect-timeout",
            "2s",
        ])
        .exits(4);
}
