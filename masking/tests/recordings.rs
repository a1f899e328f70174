//! Recordings of real browsers, masked and audited. The truth about the secrets in ours comes from the shop's own journal.

use std::path::{Path, PathBuf};

use mynah_masking::{Key, Learner, Masker, Policy};
use mynah_message::{Coding, Limits, Message, View, encode_content, fix_framing, percent};
use mynah_traffic::Exchange;
use serde_json::Value;

/// Enough of HAR 1.2 for a test: bodies as embedded, compressed again where the head says gzip.
fn exchanges(path: &Path) -> Option<Vec<Exchange>> {
    let text = std::fs::read(path).ok()?;
    let har: Value = serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)).ok()?;
    Some(har["log"]["entries"].as_array()?.iter().map(exchange).collect())
}

fn exchange(entry: &Value) -> Exchange {
    let (request, response) = (&entry["request"], &entry["response"]);
    let url = request["url"].as_str().unwrap_or("/");
    let target = url.splitn(4, '/').nth(3).unwrap_or("");
    let start = format!("{} /{target} HTTP/1.1", request["method"].as_str().unwrap_or("GET"));
    let status = format!("HTTP/1.1 {} X", response["status"]);
    let content = &response["content"];
    let text = content["text"].as_str().unwrap_or("");
    let body = if content["encoding"] == "base64" {
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap_or_default()
    } else {
        text.as_bytes().to_vec()
    };
    Exchange {
        request: Some(message(&start, request, request["postData"]["text"].as_str().unwrap_or("").into())),
        response: Some(message(&status, response, body)),
        ..Exchange::default()
    }
}

fn message(start: &str, from: &Value, body: Vec<u8>) -> Message {
    let mut head = format!("{start}\r\n");
    let mut gzip = false;
    for header in from["headers"].as_array().into_iter().flatten() {
        let (name, value) = (header["name"].as_str().unwrap_or(""), header["value"].as_str().unwrap_or(""));
        if name.starts_with(':') {
            continue;
        }
        if name.eq_ignore_ascii_case("content-encoding") {
            // Other codings are left off: the embedded text is what they decode to.
            if value != "gzip" {
                continue;
            }
            gzip = true;
        }
        for value in value.split('\n') {
            head = head + name + ": " + value + "\r\n";
        }
    }
    head += "\r\n";
    let body = if gzip && !body.is_empty() {
        encode_content(&[Coding::Gzip], &body).unwrap_or_default()
    } else {
        body
    };
    fix_framing(Message { head: head.into(), body: body.into(), ..Message::default() })
}

fn mask(original: &[Exchange]) -> (Vec<Exchange>, Masker) {
    let mut learner = Learner::new(Policy::built_in(), Key::from([11; 32]));
    for exchange in original {
        learner.learn(exchange);
    }
    let mut masker = learner.finish();
    let masked: Vec<_> = original.iter().filter_map(|e| Some(masker.mask(e.clone())?.into_inner())).collect();
    let mut auditor = masker.auditor();
    for exchange in &masked {
        auditor.check(exchange);
    }
    if let Err(findings) = auditor.finish() {
        panic!("{findings}");
    }
    (masked, masker)
}

/// Every byte, bodies decoded, percent-encoding undone as well.
fn everything(exchanges: &[Exchange]) -> String {
    let mut all = String::new();
    for message in exchanges.iter().flat_map(|e| [&e.request, &e.response]).flatten() {
        let body = View::open(message, &Limits::default()).map_or(Vec::new(), |v| v.body().to_vec());
        for bytes in [&message.head[..], &body] {
            all.push_str(&String::from_utf8_lossy(bytes));
            all.push_str(&String::from_utf8_lossy(&percent::decode(bytes, true)));
        }
    }
    all
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_shops_secrets_are_gone_and_its_pages_stay() {
    let fixtures = root().join("fixtures");
    let original = exchanges(&fixtures.join("shop-chromium.har")).unwrap();
    let secrets: Value =
        serde_json::from_slice(&std::fs::read(fixtures.join("secrets-chromium.json")).unwrap()).unwrap();
    let (masked, masker) = mask(&original);
    assert_eq!(masker.report().quarantined_total(), 0, "{:?}", masker.report());
    let all = everything(&masked);
    let lower = all.to_ascii_lowercase();
    let mut looked = 0;
    for kind in ["passwords", "card_numbers", "emails", "session_ids", "csrf_tokens", "api_tokens"] {
        for secret in secrets[kind].as_array().unwrap() {
            let secret = secret.as_str().unwrap();
            looked += 1;
            assert!(!lower.contains(&secret.to_ascii_lowercase()), "one of {kind} survived");
        }
    }
    assert!(looked >= 8);
    let names = &secrets["other"];
    for personal in ["names", "addresses"] {
        for value in names[personal].as_array().unwrap() {
            assert!(!all.contains(value.as_str().unwrap()), "one of {personal} survived");
        }
    }
    // Paths, status and the greater part of every page are what they were.
    for (old, new) in original.iter().zip(&masked) {
        let path = |e: &Exchange| {
            let head = e.request_head().unwrap();
            head.target().unwrap().split('?').next().unwrap().to_owned()
        };
        assert_eq!(path(old), path(new));
        assert_eq!(old.status(), new.status());
    }
    println!("{}", serde_json::to_string_pretty(masker.report()).unwrap());
}

#[test]
fn recordings_from_many_tools_pass_the_audit() {
    let folder = root().join("../shared/data/har");
    let Ok(tools) = std::fs::read_dir(&folder) else {
        println!("skipped: no {}", folder.display());
        return;
    };
    for file in tools.flatten().filter_map(|t| std::fs::read_dir(t.path()).ok()).flatten().flatten() {
        let Some(original) = exchanges(&file.path()) else { continue };
        let (masked, masker) = mask(&original);
        assert_eq!(masked.len(), original.len());
        let report = masker.report();
        println!(
            "{}: {} exchanges, {} learned, masked {:?} in {:?}, quarantined {:?}",
            file.path().display(),
            report.exchanges,
            report.learned,
            report.masked,
            report.by_place,
            report.quarantined
        );
    }
}
