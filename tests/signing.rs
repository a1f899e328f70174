//! `replay --sign`: what the server gets bears a signature that is right for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::common::Place;

#[test]
fn webhooks_are_signed_anew_for_the_body_that_is_sent() {
    let place = Place::new();
    // printf '{"email":"a@b.example"}' | openssl dgst -sha256 -hmac swordfish
    const RIGHT: &str = "sha256=cb1142d2d788cc6b503c5aa0e44443660aabb953712897b556b400b9bd276bee";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(8).flatten() {
            let mut reader = BufReader::new(stream);
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                head.push_str(&std::mem::take(&mut line));
            }
            let length =
                head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if head.is_empty() || reader.read_exact(&mut body).is_err() {
                continue;
            }
            let _ = heard.send(head);
            let _ = reader
                .get_mut()
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    place.write("secret", "swordfish\n");
    place.write(
        "hook.toml",
        r#"version = 1
name = "hooks"

[[profile]]
name = "github"
weight = 1

[[profile.step]]
request = "POST /hook"
headers = { X-Hub-Signature-256 = "sha256=00", Content-Type = "application/json" }
body = '{"email":"a@b.example"}'
"#,
    );
    let line = ["replay", "hook.toml", "--target", &url, "--once", "--trace"];
    place.mynah(&[&line[..], &["--sign", "github-webhook=secret"]].concat()).sent();
    let head = hears.recv().unwrap();
    assert!(head.contains(RIGHT), "{head}");
    place.mynah(&line).sent();
    assert!(hears.recv().unwrap().contains("sha256=00"), "without --sign it is sent as it stands");
    place
        .mynah(&[&line[..], &["--sign", "github-webhok=secret"]].concat())
        .exits(2)
        .says("did you mean github-webhook?");
    place.mynah(&[&line[..], &["--sign", "github-webhook=nothing"]].concat()).exits(2).says("nothing");
}
