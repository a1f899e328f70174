//! Whose fault it was: a generator that is too slow says so, and a target that is too slow never makes a run invalid.

use std::process::{Child, Stdio};

use crate::common::{Anything, Place, run_json};

const ONE: &str = r#"
version = 1
name = "one"
[[profile]]
name = "a"
weight = 1
[[profile.step]]
request = "GET /hello"
"#;

/// Work that wants a core for itself, until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    /// So many, on the core with this number.
    fn on(place: &Place, core: u32, many: usize) -> Busy {
        let one = |_| {
            let mut command = place.program("taskset");
            command.args(["-c", &core.to_string(), "sh", "-c", "while :; do :; done"]);
            command.stdout(Stdio::null()).spawn().unwrap()
        };
        Busy((0..many).map(one).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn has(program: &str) -> bool {
    std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
}

#[test]
fn a_machine_too_slow_for_the_rate_makes_the_run_invalid_and_says_what_was_short() {
    if !has("taskset") || !has("nice") {
        eprintln!("skipped: there is no taskset (util-linux) or no nice");
        return;
    }
    let place = Place::new();
    let server = Anything::start();
    place.write("one.toml", ONE);
    // On a core that others use up, with the least right to it.
    let _busy = Busy::on(&place, 0, 3);
    let mut command = place.program("nice");
    command.args(["-n", "19", "taskset", "-c", "0", env!("CARGO_BIN_EXE_mynah"), "replay", "one.toml"]);
    command.args(["--target", &server.url(), "--requests", "2000/s", "--max-in-flight", "64", "--for", "3s"]);
    command.args(["--threads", "1", "-o", "run"]).env_remove("MYNAH_LATE_AFTER");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(11), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let document = run_json(&place.file("run"));
    assert_eq!(document["verdict"], "invalid");
    assert_eq!(document["generator"]["limits"], serde_json::json!(["time"]), "{document}");
    let why = document["reasons"][0].as_str().unwrap();
    assert!(why.contains("the generator was too slow") && why.contains("lower the rate"), "{why}");
    assert!(
        why.contains("more than 10ms late") && document["generator"]["late_after_ms"] == 10.0,
        "{document}"
    );
}

#[test]
fn a_target_too_slow_for_the_rate_never_makes_a_run_invalid() {
    let place = Place::new();
    place.write("one.toml", ONE);
    // One after the other, 20 ms each: 50 a second, and 200 are asked for.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let turn = std::sync::Arc::new(std::sync::Mutex::new(()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let turn = turn.clone();
            std::thread::spawn(move || slowly(&stream, &turn));
        }
    });
    for load in [["--requests", "200/s"], ["--rate", "200/s"], ["--users", "20"]] {
        // What a machine that others keep busy is late by is less than what the target is.
        let args = ["replay", "one.toml", "--target", &url, "--for", "2s", "--late-after", "1s"];
        let args = [&args[..], &["--force", "-o", "run"], &load].concat();
        let more: &[&str] =
            if load[0] == "--users" { &[] } else { &["--max-in-flight", "8", "--timeout", "20s"] };
        let run = place.mynah(&[&args[..], more].concat()).ok();
        let document = run_json(&place.file("run"));
        assert_eq!(document["verdict"], "pass", "{load:?}: {}", run.stdout());
        assert_eq!(document["failures"], 0, "{load:?}");
        if load[0] != "--users" {
            // What waited is in the response times: the last ones, for six seconds and more.
            assert!(document["generator"]["held_back"].as_u64().unwrap() > 200, "{document}");
            assert!(document["total"]["response_time_ms"]["max"].as_f64().unwrap() > 4000.0, "{load:?}");
        }
    }
}

fn slowly(mut stream: &std::net::TcpStream, turn: &std::sync::Mutex<()>) -> Option<()> {
    use std::io::{Read as _, Write as _};
    loop {
        let mut head = Vec::new();
        let mut part = [0; 512];
        while !head.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
            head.extend_from_slice(&part[..count]);
        }
        let guard = turn.lock().ok()?;
        std::thread::sleep(std::time::Duration::from_millis(20));
        drop(guard);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
    }
}
