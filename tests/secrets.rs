//! No planted secret survives masking, anywhere; and the search that says so finds every one where nothing was masked.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Place, fixture, fixture_json, shop_for};

/// The fixtures' planted secrets by kind. CVCs are three digits: they occur by chance, and are left to masking's own tests.
fn secrets(file: &str) -> BTreeMap<String, Vec<String>> {
    let wanted = ["passwords", "card_numbers", "emails", "session_ids", "csrf_tokens", "api_tokens"];
    let all = fixture_json(file);
    wanted
        .iter()
        .map(|kind| {
            let values: Vec<String> = all[*kind]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_str().unwrap().to_owned())
                .collect();
            assert!(!values.is_empty(), "{kind}");
            ((*kind).to_owned(), values)
        })
        .collect()
}

/// A value as it may be written: as it is, percent-encoded (either way), as JSON and as HTML.
fn forms(value: &str) -> Vec<String> {
    let percent = |space: &str, keep: &[u8]| -> String {
        value
            .bytes()
            .map(|byte| match byte {
                b' ' => space.to_owned(),
                _ if byte.is_ascii_alphanumeric() || keep.contains(&byte) => (byte as char).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let json = serde_json::to_string(value).unwrap();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut forms = vec![
        value.to_owned(),
        percent("+", b"-_.~"),
        percent("%20", b"-_.~"),
        percent("%20", b"-_.~@"),
        json[1..json.len() - 1].to_owned(),
        html,
    ];
    forms.sort();
    forms.dedup();
    forms
}

fn found(haystack: &[u8], value: &str) -> bool {
    forms(value).iter().any(|form| memchr::memmem::find(haystack, form.as_bytes()).is_some())
}

fn survivors(haystack: &[u8], secrets: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    secrets
        .iter()
        .flat_map(|(kind, values)| {
            values.iter().filter(|value| found(haystack, value)).map(move |value| format!("{kind}: {value}"))
        })
        .collect()
}

/// Every byte of every file below a folder.
fn all_files(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.extend(std::fs::read(path).unwrap());
            into.push(b'\n');
        }
    }
}

#[test]
fn nothing_survives_in_recording_scenario_run_or_log() {
    let place = Place::new();
    let secrets = secrets("secrets.json");
    let mut log = Vec::new();
    let mut note =
        |run: &crate::common::Run| log.extend([&run.output.stdout[..], &run.output.stderr[..]].concat());
    note(
        &place
            .mynah(&[
                "-vvv",
                "capture",
                &fixture("shop.pcap"),
                "-o",
                "shop.mynah",
                "--key-file",
                "k",
                "--report",
                "masking.json",
            ])
            .ok(),
    );
    note(&place.mynah(&["-vvv", "profile", "shop.mynah", "-o", "shop.toml", "--explain"]).ok());
    let shop = shop_for(&place, "k", 1);
    note(
        &place
            .mynah(&[
                "-vvv",
                "replay",
                "shop.toml",
                "--target",
                &shop.url(),
                "--rate",
                "10x",
                "--for",
                "2s",
                "--think-time",
                "x0.2",
                "-o",
                "run",
            ])
            .ok(),
    );
    note(
        &place
            .mynah(&[
                "-vvv",
                "replay",
                "shop.toml",
                "--target",
                &shop.url(),
                "--once",
                "--trace",
                "--think-time",
                "0",
            ])
            .ok(),
    );
    assert_eq!(survivors(&log, &secrets), [""; 0], "in the log");
    let dump = place.mynah(&["inspect", "shop.mynah", "--dump"]).ok();
    assert_eq!(survivors(&dump.output.stdout, &secrets), [""; 0], "in the recording");
    let mut files = Vec::new();
    all_files(place.path(), &mut files);
    assert_eq!(survivors(&files, &secrets), [""; 0], "in the scenario, the run folder, or left beside them");
    // The session file is compressed: what it holds is what is sent, so the trace above has shown it; its own frames too.
    let mut reader = mynah_traffic::scenario::SessionsReader::open(place.file("shop.sessions")).unwrap();
    let mut sent = Vec::new();
    for position in 0..reader.index().len() {
        for step in reader.read(position).unwrap().steps {
            sent.extend([&step.request.head[..], &step.request.body[..], b"\n"].concat());
        }
    }
    assert!(!sent.is_empty());
    assert_eq!(survivors(&sent, &secrets), [""; 0], "in the sessions that are replayed");
}

#[test]
fn the_search_finds_every_one_of_them_unmasked() {
    let place = Place::new();
    let secrets = secrets("secrets.json");
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "raw.mynah", "--unmasked"]).ok().says("--unmasked");
    let dump = place.mynah(&["inspect", "raw.mynah", "--dump"]).ok();
    for (kind, values) in &secrets {
        for value in values {
            assert!(found(&dump.output.stdout, value), "the search misses {kind}: {value}");
        }
    }
    // Masked afterwards, they are gone.
    place.mynah(&["mask", "raw.mynah", "-o", "safe.mynah"]).ok();
    let dump = place.mynah(&["inspect", "safe.mynah", "--dump"]).ok();
    assert_eq!(survivors(&dump.output.stdout, &secrets), [""; 0]);
}

#[test]
fn nothing_of_the_har_survives() {
    let place = Place::new();
    let secrets = fixture_json("secrets-chromium.json");
    let values: BTreeMap<String, Vec<String>> = secrets
        .as_object()
        .unwrap()
        .iter()
        .filter(|(kind, _)| !["cvcs", "other"].contains(&kind.as_str()))
        .map(|(kind, values)| {
            let values = values
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str())
                .map(str::to_owned)
                .collect();
            (kind.clone(), values)
        })
        .collect();
    place.mynah(&["capture", &fixture("shop-chromium.har"), "-o", "har.mynah"]).ok();
    let dump = place.mynah(&["inspect", "har.mynah", "--dump"]).ok();
    assert_eq!(survivors(&dump.output.stdout, &values), [""; 0]);
}

#[test]
fn a_value_has_one_pseudonym_however_it_is_asked_for() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop-chromium.har"), "-o", "t.mynah", "--key-file", "k"]).ok();
    place.write(
        "people.csv",
        "id,username,password\n1,Ann@Shop.example,\"open, sesame\"\n2,bob@shop.example,x\n",
    );
    let csv = ["mask-value", "--key-file", "k", "--csv", "people.csv", "--column", "username=email"];
    let masked = place.mynah(&[&csv[..], &["--column", "password=password"]].concat()).ok().stdout();
    let rows: Vec<Vec<String>> = csv::Reader::from_reader(masked.as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let one = |kind: &str, value: &str| {
        place
            .mynah(&["mask-value", "--key-file", "k", "--type", kind, value])
            .ok()
            .stdout()
            .trim_end()
            .to_owned()
    };
    assert_eq!(rows[0], ["1".to_owned(), one("email", "Ann@Shop.example"), one("password", "open, sesame")]);
    assert_eq!(rows[1][0], "2");
    assert!(!masked.contains("bob") && !masked.contains("sesame"), "{masked}");
    place.mynah(&[&csv[..6], &["user=email"]].concat()).exits(2).says("there is no column 'user'");
    place.mynah(&[&csv[..6], &["username=colour"]].concat()).exits(2).says("unknown type 'colour'");
}
