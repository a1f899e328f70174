//! Recordings that are larger than the memory they may take.

use std::io::Write as _;

use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Expect, SessionScript, SessionsWriter, Step, Tables};

use crate::common::{Anything, Place, run_json};

const BODY: usize = 24 << 10;

/// Bytes that no two sessions have alike, and that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(state >> 58) as usize]
    };
    (0..length).map(letter).collect()
}

/// Sessions of an upload and a look at it.
fn written(place: &Place, sessions: usize, more: &str) -> String {
    let endpoints = ["POST /files", "GET /files/{id}"].map(|text| text.parse().unwrap()).to_vec();
    let tables = Tables { endpoints, profiles: vec!["up".to_owned()] };
    let mut writer = SessionsWriter::create(place.path().join("s.sessions"), &tables).unwrap();
    for number in 0..sessions {
        let mut head = Vec::new();
        write!(head, "POST /files HTTP/1.1\r\nHost: up.example\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
        let upload = mynah_message::Message {
            head: head.into(),
            body: noise(number as u64 + 1, BODY).into(),
            ..Default::default()
        };
        let look = mynah_message::Message {
            head: format!("GET /files/{number} HTTP/1.1\r\nHost: up.example\r\n\r\n").into(),
            ..Default::default()
        };
        let expect = Expect { status: Some(200), ..Expect::default() };
        let host = || "up.example".to_owned();
        let steps = vec![
            Step { host: host(), request: upload, expect: expect.clone(), ..Step::default() },
            Step {
                endpoint: 1,
                host: host(),
                waits_for: Some(0),
                think: Nanos(1_000_000),
                request: look,
                expect,
                ..Step::default()
            },
        ];
        writer.write(0, &SessionScript { start: Nanos(number as u64 * 20_000_000), steps }).unwrap();
    }
    writer.finish().unwrap();
    place.write(
        "s.toml",
        format!(
            "version = 1\nname = \"up\"\n{more}\n[[profile]]\nname = \"up\"\nweight = 1\nsessions_from = \"s.sessions#up\"\n"
        ),
    )
}

#[cfg(target_os = "linux")]
const RECORDED: &str = r#"
[recorded]
masked = true
exchanges = 8000
sessions = 4000
duration_s = 80.0
sessions_per_s = 50.0
hosts = ["up.example"]
"#;

/// The most memory that a command had, in MiB.
#[cfg(target_os = "linux")]
fn peak(place: &Place, args: &[&str]) -> u64 {
    use std::process::Stdio;

    let mut child = place.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let own = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(own.unwrap_or(0) >> 10);
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(matches!(ended.code(), Some(0 | 11)), "{ended}");
            return most;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_recording() {
    let place = Place::new();
    let server = Anything::start();
    // 94 MiB of bodies.
    let scenario = written(&place, 4000, RECORDED);
    let url = server.url();
    let replay = |memory: &str, out: &str| {
        let line =
            ["replay", &scenario, "--target", &url, "--rate", "100/s", "--for", "2s", "--memory", memory];
        peak(&place, &[&line[..], &["-o", out]].concat())
    };
    let (kept, streamed) = (replay("1GiB", "kept"), replay("8MiB", "streamed"));
    assert!(kept > 94 && streamed < kept - 47, "kept {kept} MiB, streamed {streamed} MiB");
    let (kept, streamed) = (run_json(&place.file("kept")), run_json(&place.file("streamed")));
    for field in ["requests", "failures", "bytes_out"] {
        assert_eq!(kept[field], streamed[field], "{field}");
    }
    assert_eq!(kept["failures"], 0);
    assert!(kept["fidelity"]["body_sizes"].is_number(), "{}", kept["fidelity"]);
    for field in ["endpoint_mix", "transitions", "body_sizes", "session_length"] {
        assert_eq!(kept["fidelity"][field], streamed["fidelity"][field], "{field}");
    }
}

#[test]
fn it_is_told_that_sessions_are_not_kept_and_what_cannot_do_without_memory() {
    let place = Place::new();
    let server = Anything::start();
    let scenario = written(&place, 50, "behaviour = \"markov\"");
    let url = server.url();
    let line = ["replay", &scenario, "--target", &url, "--rate", "50/s", "--for", "1s"];
    let kept = place.mynah(&[&line[..], &["-o", "kept"]].concat()).ok();
    assert!(!kept.stderr().contains("--memory"), "{}", kept.stderr());
    place
        .mynah(&[&line[..], &["-o", "walks", "--memory", "1MiB"]].concat())
        .exits(2)
        .says("profile 'up': walks (behaviour markov)")
        .says("allow more (--memory 2MiB)");
    place.mynah(&[&line[..], &["-o", "allowed", "--memory", "2MiB"]].concat()).ok();
    place
        .mynah(&[&line[..], &["-o", "streamed", "--memory", "1MiB", "--behaviour", "recorded"]].concat())
        .ok()
        .says("more than --memory 1.0 MiB: each is read when it is due");
    assert_eq!(run_json(&place.file("streamed"))["failures"], 0);
}
