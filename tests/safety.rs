//! What keeps a replay from doing harm: it can be asked what it would send, and told to send only what reads.

use crate::common::{Anything, Place, fixture, run_json};

const MIXED: &str = r#"
version = 1
name = "mixed"
[[profile]]
name = "a"
weight = 1
[[profile.step]]
request = "GET /one"
[[profile.step]]
request = "POST /two"
body = "x"
[[profile.step]]
request = "HEAD /three"
"#;

#[test]
fn a_dry_run_says_what_would_be_sent_where_and_sends_nothing() {
    let place = Place::new();
    let server = Anything::start();
    place.write("mixed.toml", MIXED);
    let run = place
        .mynah(&[
            "replay",
            "mixed.toml",
            "--target",
            &server.url(),
            "--rate",
            "10/s",
            "--for",
            "10s",
            "--dry-run",
        ])
        .ok();
    let text = run.stdout();
    let wanted = format!("to {}: GET 33.3%, HEAD 33.3%, POST 33.3%", server.url().trim_end_matches('/'));
    assert!(text.contains(&wanted) && text.contains("nothing was sent"), "{text}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn read_only_leaves_out_what_changes_something_in_written_and_in_recorded_sessions() {
    let place = Place::new();
    let server = Anything::start();
    place.write("mixed.toml", MIXED);
    let args =
        ["--target", &server.url(), "--users", "1", "--for", "1s", "--read-only", "--force", "-o", "run"];
    place.mynah(&[&["replay", "mixed.toml"], &args[..]].concat()).ok();
    let document = run_json(&place.file("run"));
    let methods = |document: &serde_json::Value| -> Vec<String> {
        let endpoints = document["endpoints"].as_array().unwrap().iter();
        let mut all: Vec<String> = endpoints.map(|one| one["method"].as_str().unwrap().to_owned()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    assert_eq!(methods(&document), ["GET", "HEAD"]);

    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    let args = ["--target", &server.url(), "--rate", "20/s", "--for", "1s", "--think-time", "0"];
    let more = ["--read-only", "--force", "-o", "run"];
    let run = place.mynah(&[&["replay", "shop.toml"], &args[..], &more[..]].concat()).ok();
    assert!(
        run.stderr().contains("recorded requests may change something, and are left out"),
        "{}",
        run.stderr()
    );
    let document = run_json(&place.file("run"));
    assert_eq!(methods(&document), ["GET"], "{}", run.stdout());
    assert_eq!(document["arrivals"]["started"], document["arrivals"]["completed"]);

    let only = MIXED.replace("GET /one", "PUT /one").replace("HEAD /three", "DELETE /three");
    place.write("writes.toml", &only);
    let run =
        place.mynah(&["replay", "writes.toml", "--target", &server.url(), "--users", "1", "--read-only"]);
    let run = run.exits(2);
    assert!(run.stderr().contains("nothing is left to play that only reads"), "{}", run.stderr());
}
