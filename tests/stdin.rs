//! Captures come by standard input, too.

use std::io::Write;
use std::process::Stdio;

use crate::common::{Place, fixture};

/// Runs the binary with these bytes on its standard input: exit code and standard error.
fn piped(place: &Place, args: &[&str], bytes: &[u8]) -> (Option<i32>, String) {
    let mut child = place
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // a command that refuses its arguments does not read
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn lines(place: &Place, file: &str) -> String {
    place.mynah(&["inspect", file, "--exchanges", "--json"]).ok().stdout()
}

#[test]
fn every_kind_is_read_from_standard_input_as_from_its_file() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "raw.mynah", "--unmasked"]).ok();
    place.mynah(&["export", "raw.mynah", "--format", "gor", "-o", "shop.gor.gz"]).ok();
    let files = [
        fixture("shop.pcap"),
        fixture("shop-chromium.har"),
        place.file("shop.gor.gz"),
        place.file("raw.mynah"),
    ];
    for file in files {
        place.mynah(&["capture", &file, "-o", "file.mynah", "--key-file", "k"]).ok();
        let bytes = std::fs::read(&file).unwrap();
        let (code, said) = piped(&place, &["capture", "-", "-o", "pipe.mynah", "--key-file", "k"], &bytes);
        assert_eq!(code, Some(0), "{file}: {said}");
        assert!(said.contains("audit     passed"), "{file}: {said}");
        assert!(lines(&place, "file.mynah") == lines(&place, "pipe.mynah"), "{file}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_are_inputs_and_no_scenarios() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "raw.mynah", "--unmasked"]).ok();
    place
        .mynah(&[
            "capture",
            "raw.mynah",
            &fixture("shop-chromium.har"),
            "-o",
            "file.mynah",
            "--key-file",
            "k",
        ])
        .ok();
    // Two at once, as of `<(…) <(…)`.
    let shell = |line: &str| {
        let mut command = place.program("sh");
        command.args(["-c", &format!("rm -f a b; mkfifo a b; {line}"), "sh", env!("CARGO_BIN_EXE_mynah")]);
        let output = command.arg(fixture("shop-chromium.har")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) =
        shell(r#"cat raw.mynah > a & cat "$2" > b & "$1" capture a b -o pipe.mynah --key-file k"#);
    assert_eq!(code, Some(0), "{said}");
    assert!(lines(&place, "file.mynah") == lines(&place, "pipe.mynah"));
    // Nobody writes into that one: it is not even opened.
    let (code, said) = shell(r#""$1" replay a --target http://127.0.0.1:9 --once"#);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("a: is a pipe") && said.contains("write it to a file first"), "{said}");
}

#[test]
fn what_is_wrong_with_standard_input_is_told() {
    let place = Place::new();
    for bytes in [&b""[..], b"no capture at all\n"] {
        let (code, said) = piped(&place, &["capture", "-", "-o", "x.mynah"], bytes);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("standard input: not a capture"), "{said}");
    }
    let whole = std::fs::read(fixture("shop.pcap")).unwrap();
    let (code, said) = piped(&place, &["capture", "-", "-o", "cut.mynah"], &whole[..whole.len() / 2 + 7]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("standard input: cut short"), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_program_that_captures_and_costs_nothing() {
    use std::io::{BufRead, BufReader, Read};

    let place = Place::new();
    let whole = std::fs::read(fixture("shop.pcap")).unwrap();
    let (first, rest) = whole.split_at(whole.len() / 2);
    let mut child = place
        .command(&["capture", "-", "-o", "pipe.mynah"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // more than a pipe holds: when it is written, reading has begun
    assert!(first.len() > 1 << 20);
    input.write_all(first).unwrap();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("stopping: what is still in the pipe is read") {
        assert!(said.read_line(&mut line).unwrap() > 0, "{line}");
    }
    input.write_all(rest).unwrap();
    drop(input);
    let mut rest_said = String::new();
    said.read_to_string(&mut rest_said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest_said}");
    let summary = place.mynah(&["inspect", "pipe.mynah", "--json"]).ok().json();
    assert_eq!(summary["exchanges"], 2816);
}
