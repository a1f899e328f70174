//! Real captures whose requests and responses have been counted by others (tshark, Zeek, a search over the sorted payload).
//! The collection is not part of the repository: without it these tests say so and pass.

#![allow(clippy::unwrap_used)] // the lint's exception for tests does not reach helpers outside of test functions

use std::path::{Path, PathBuf};

use mynah_capture::{Error, Input, Kind, Options, Place, Source};
use mynah_traffic::{Exchange, Flag};

fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the captures are not at {}", folder.display());
    None
}

fn read(path: &Path) -> (Vec<Exchange>, Source) {
    let mut source = Source::open(path, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let exchanges =
        source.by_ref().map(|exchange| exchange.unwrap_or_else(|error| panic!("{error}"))).collect();
    (exchanges, source)
}

/// Where our count differs from the index's: file, requests, responses, and why ours stands.
const DIFFERENT: &[(&str, usize, usize, &str)] = &[
    (
        "pcap/pcapplusplus/raw_ip.pcap",
        19,
        7,
        "tshark leaves out the seventh response, whose head is there (frame 49) and whose body the capture cuts off",
    ),
    (
        "pcap/zeek/http-11-request-then-cruft.pcap",
        1,
        2,
        "the server did answer the cruft, with a whole 400 (frame 11): it is kept as a response without request",
    ),
    (
        "pcap/zeek/methods.pcap",
        25,
        49,
        "`OPTIONS HTTP/1.1` (frame 14) names no target and so is no request line (RFC 9112, section 3)",
    ),
    (
        "pcap/zeek/ipv6-http-atomic-frag.pcap",
        4,
        0,
        "the responses are of HTTP/0.9, which has no heads: not read, and counted as bytes that belong to no message",
    ),
    ("pcap/rec/rec-tls12-h1-aesgcm.pcap", 0, 0, "TLS is not decrypted yet"),
    ("pcap/rec/rec-tls12-h1-aesgcm-dsb.pcapng", 0, 0, "TLS is not decrypted yet"),
    ("pcap/zeek/tls12-decryption.pcap", 0, 0, "TLS is not decrypted yet"),
];

/// Connections of HTTP/2 and TLS that must be told of, not passed over.
const COUNTED: &[(&str, &str)] = &[
    ("pcap/rec/rec-h2c-multiplex.pcap", "2 HTTP/2 connections not supported yet"),
    ("pcap/suricata-verify/http2-continuation__input.pcap", "1 HTTP/2 connection not supported yet"),
    ("pcap/suricata-verify/dns-over-http2__dns_over_https.pcap", "1 HTTP/2 connection not supported yet"),
    ("pcap/rec/rec-tls13-h2-dsb.pcapng", "1 TLS connection was not decrypted"),
    ("pcap/zeek/tls12-decryption.pcap", "1 TLS connection was not decrypted"),
];

/// How many characters of a target are listed.
const LISTED: usize = 300;

type Expected = serde_json::Map<String, serde_json::Value>;

fn expected(folder: &Path) -> Expected {
    let text = std::fs::read(folder.join("expected-pcap.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What the index lists of a file: each request's method and target, each final response's status. `None` where tshark's list is
/// known to be incomplete, because another source decided.
fn listed(told: &serde_json::Value) -> Option<Vec<String>> {
    if told["source"] == "adjudicated" {
        return None;
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let list = |key: &str| told[key].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<String> = list("requests")
        .iter()
        .map(|request| format!("{} {}", text(&request["method"]), text(&request["target"])))
        .collect();
    lines.extend(
        list("statuses").iter().map(text).filter(|status| !status.starts_with('1') || status == "101"),
    );
    lines.sort();
    Some(lines)
}

/// The same of what we read.
fn lines(exchanges: &[Exchange]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for exchange in exchanges {
        if let Some(head) = exchange.request_head() {
            // the list cuts targets
            let target: String = head.target().unwrap_or("?").chars().take(LISTED).collect();
            lines.push(format!("{} {target}", head.method().unwrap_or("?")));
        }
        lines.extend(exchange.status().map(|status| status.to_string()));
    }
    lines.sort();
    lines
}

/// Whether `got` is what the index lists. Requests and responses of HTTP/2 stand in the same lists.
fn agrees(told: &serde_json::Value, want: &[String], got: &[String]) -> bool {
    let http2 = told["http2_responses"].as_u64() != Some(0);
    want == got || (http2 && got.iter().all(|line| want.contains(line)))
}

#[test]
fn requests_and_responses_are_those_that_others_count() {
    let Some(folder) = data() else { return };
    let mut wrong = Vec::new();
    println!(
        "requests/responses; 'same' when each method, target and status is the index's, '-' where it has no list\n\n{:87} {:>9} {:>9} {:>5} why",
        "file", "expected", "mynah", "lines"
    );
    for (file, told) in &expected(&folder) {
        let (exchanges, source) = read(&folder.join(file));
        let got = (
            exchanges.iter().filter(|e| e.request.is_some()).count(),
            exchanges.iter().filter(|e| e.response.is_some()).count(),
        );
        let count = |key: &str| told[key].as_u64().map(|n| n as usize);
        let want = count("http1_requests").zip(count("http1_final_responses"));
        let ours = DIFFERENT.iter().find(|(name, ..)| name == file);
        let shown = want.map_or("-".to_owned(), |(requests, responses)| format!("{requests}/{responses}"));
        let why = match (want, ours) {
            (None, _) => "ambiguous by design",
            (_, Some((.., why))) => why,
            _ => "",
        };
        let listed = listed(told).filter(|_| want.is_some());
        let same = match listed {
            None => "-",
            Some(want) if agrees(told, &want, &lines(&exchanges)) => "same",
            Some(_) => "other",
        };
        if same == "other" && why.is_empty() {
            wrong.push(format!("{file}: methods, targets or statuses differ, without a reason"));
        }
        println!("{file:87} {shown:>9} {:>9} {same:>5} {why}", format!("{}/{}", got.0, got.1));
        let right = ours.map(|(_, requests, responses, _)| (*requests, *responses)).or(want);
        if right.is_some_and(|right| right != got) {
            wrong.push(format!("{file}: wanted {right:?}, got {got:?}, {:?}", source.warnings()));
        }
        let counts = source.counts();
        let packets = told["packets"].as_u64().unwrap_or(counts.seen);
        if counts.seen != packets || counts.seen != counts.captured + counts.dropped_by_mynah {
            wrong.push(format!("{file}: {packets} packets, {counts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn methods_targets_and_statuses_are_those_that_tshark_lists() {
    let Some(folder) = data() else { return };
    let mut wrong = Vec::new();
    for (file, told) in &expected(&folder) {
        let Some(want) = listed(told).filter(|_| DIFFERENT.iter().all(|(name, ..)| name != file)) else {
            continue;
        };
        let got = lines(&read(&folder.join(file)).0);
        if !agrees(told, &want, &got) {
            wrong.push(format!("{file}\n  wanted {want:?}\n  got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_read_yet_is_counted() {
    let Some(folder) = data() else { return };
    for (file, warning) in COUNTED {
        let (_, source) = read(&folder.join(file));
        assert!(source.warnings().iter().any(|line| line == warning), "{file}: {:?}", source.warnings());
    }
}

#[test]
fn interim_responses_gaps_and_upgrades_are_flagged() {
    let Some(folder) = data() else { return };
    for (file, flag, count) in [
        ("zeek/100-continue.pcap", Flag::Interim, 1),
        ("suricata-verify/http-multiple100__input.pcap", Flag::Interim, 1),
        ("suricata-verify/http-gap-simple__input.pcap", Flag::Gap, 1),
        ("suricata-verify/http-gap-whole-body__input.pcap", Flag::Gap, 1),
        ("zeek/entity_gap.pcap", Flag::Gap, 1),
        ("zeek/get_nosyn.pcap", Flag::MidStream, 1),
        ("zeek/websocket.pcap", Flag::Upgraded, 1),
        ("zeek/connect-with-header.pcap", Flag::Upgraded, 1),
        ("zeek/variant-04-te_cl_desync.pcap", Flag::AmbiguousFraming, 1),
        ("zeek/zero-length-bodies-with-drops.pcap", Flag::NoRequest, 1),
        ("pcap2har/missing_response.pcap", Flag::NoResponse, 1),
        ("arkime/http-no-length.pcap", Flag::CloseDelimited, 1),
    ] {
        let (exchanges, _) = read(&folder.join("pcap").join(file));
        assert_eq!(exchanges.iter().filter(|e| e.flags.has(flag)).count(), count, "{file}");
    }
}

#[test]
fn every_prefix_of_a_capture_is_read_without_error() {
    let Some(folder) = data() else { return };
    let whole = std::fs::read(folder.join("pcap/zeek/pipelined-requests.pcap")).unwrap();
    let mut last = 0;
    for cut in (24..whole.len()).step_by(97) {
        let reader = Box::new(std::io::Cursor::new(whole[..cut].to_vec()));
        let input = Input::from_reader(Path::new("cut.pcap"), reader).unwrap();
        let mut source = Source::new(input, &Options::default()).unwrap();
        let requests = source.by_ref().filter(|e| e.as_ref().unwrap().request.is_some()).count();
        assert!(requests >= last, "{requests} requests in {cut} bytes, {last} in fewer");
        last = requests;
    }
    assert_eq!(last, 5);
}

#[test]
fn archives_are_read_whole() {
    let Some(folder) = data() else { return };
    for (file, entries, skipped) in [
        ("PerfCascade/chrome_h2_www.nghttp2.org.har", 11, 0),
        ("PerfCascade/firefox_www.nghttp2.org.har", 10, 0),
        ("gatling/charles42-redirect-post.har", 2, 0),
        ("gatling/chrome61-multipart.har", 2, 0),
        ("gatling/firefox56-form.har", 2, 0),
        ("har2case/demo-quickstart.har", 2, 0),
        ("har2locust/reqres.in.har", 2, 0),
        ("har2locust/url-encoded-body-no-text-field.har", 1, 0),
        ("harviewer/ie11.fiddler.har", 11, 0),
        ("harviewer/noPages.har", 87, 0),
        ("mitmproxy/charles.har", 1, 0),
        ("mitmproxy/chrome.har", 3, 0),
        ("mitmproxy/insomnia.har", 1, 0),
        ("mitmproxy/postdata.har", 1, 0),
        ("mitmproxy/websocket.har", 3, 0),
        ("mitmproxy/with-bom.har", 1, 0),
        ("pcap2har-expected/missing_response.pcap.har", 2, 0),
        ("pcap2har-expected/sajal.pcap.har", 58, 0),
        ("playwright/har-redirect.har", 3, 0),
    ] {
        let (exchanges, source) = read(&folder.join("har").join(file));
        assert_eq!(source.kind(), Kind::Har, "{file}");
        assert_eq!((source.counts().seen, source.counts().dropped_by_mynah), (entries, skipped), "{file}");
        assert_eq!(exchanges.len() as u64, entries - skipped, "{file}");
        for exchange in &exchanges {
            let head = exchange.request_head().unwrap_or_else(|| panic!("{file}: no head"));
            assert!(head.host().is_some_and(|host| !host.is_empty()), "{file}");
            let length = head.content_length().unwrap_or(0);
            assert_eq!(length, exchange.request.as_ref().unwrap().body.len() as u64, "{file}");
            assert!(exchange.times.request_first.0 > 0, "{file}");
            if let Some(head) = exchange.response_head()
                && !exchange.flags.has(Flag::BodyWithheld)
                && head.status() != Some(304)
            {
                let body = exchange.response.as_ref().unwrap().body.len() as u64;
                assert_eq!(head.content_length().unwrap_or(0), body, "{file} {:?}", head.target());
                assert!(head.get("content-encoding").is_none() || body == 0, "{file}");
            }
        }
    }
}

#[test]
fn what_is_no_archive_is_refused_with_its_place() {
    let Some(folder) = data() else { return };
    let path = folder.join("har/harviewer/not-json.har");
    let mut source = Source::open(&path, &Options::default()).unwrap();
    match source.next() {
        Some(Err(Error::Malformed { place: Place::Line { line: 8, column: 5 }, .. })) => {}
        other => panic!("{other:?}"),
    }
    assert!(source.next().is_none());
    for file in ["har/mitmproxy/chrome.json", "pcap/rec/rec-tls13-h2.keylog", "INDEX.md"] {
        let error = Source::open(&folder.join(file), &Options::default()).unwrap_err();
        assert!(matches!(error, Error::Unrecognised { .. }), "{file}: {error}");
    }
}

#[test]
fn records_of_goreplay_are_paired() {
    let Some(folder) = data() else { return };
    let (exchanges, source) = read(&folder.join("gor/rec-keepalive-mixed.gor"));
    let answered = exchanges.iter().filter(|exchange| exchange.response.is_some()).count();
    assert_eq!((exchanges.len(), answered, source.counts().seen), (15, 13, 29));
    assert_eq!(source.warnings(), ["1 interim response (1xx) without its request skipped"]);
}

/// Every file of the collection with bytes changed, again and again: whatever comes of it, it ends and does not panic.
#[test]
fn damaged_files_never_panic() {
    let Some(folder) = data() else { return };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        // xorshift, for the same damage each time
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for kind in ["pcap", "har"] {
        for group in std::fs::read_dir(folder.join(kind)).unwrap() {
            let group = std::fs::read_dir(group.unwrap().path()).unwrap();
            files.extend(group.map(|file| file.unwrap().path()));
        }
    }
    files.sort();
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        let rounds = if whole.len() > 200_000 { 2 } else { 20 };
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..=random(40) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(bytes.len() / 4));
            let options =
                Options { memory: 1 << 20, flow_memory: 1 << 16, max_body: 1 << 16, ..Options::default() };
            let input = Input::from_reader(&file, Box::new(std::io::Cursor::new(bytes)));
            if let Ok(mut source) = input.and_then(|input| Source::new(input, &options)) {
                let _ = source.by_ref().count();
                let counts = source.counts();
                let sum = counts.captured + counts.dropped_by_kernel + counts.dropped_by_mynah;
                assert_eq!(counts.seen, sum, "{}", file.display());
            }
        }
    }
}
