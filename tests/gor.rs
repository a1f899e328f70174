//! GoReplay's files are read and written.

use std::io::Write;

use serde_json::Value;

use crate::common::{Place, fixture, shared_data};

/// What `inspect` tells of each exchange, without what the format does not hold.
fn exchanges(place: &Place, file: &str) -> Vec<Value> {
    let lines = place.mynah(&["inspect", file, "--exchanges", "--json"]).ok().stdout();
    lines
        .lines()
        .map(|line| {
            let mut exchange: Value = serde_json::from_str(line).unwrap();
            for field in ["server", "session"] {
                exchange.as_object_mut().unwrap().remove(field);
            }
            exchange
        })
        .collect()
}

/// The whole of each exchange, its connection aside.
fn dump(place: &Place, file: &str) -> Vec<mynah_traffic::Exchange> {
    mynah_traffic::recording::Reader::open(place.path().join(file))
        .unwrap()
        .map(|exchange| mynah_traffic::Exchange {
            connection: mynah_traffic::Connection::default(),
            ..exchange.unwrap().into_inner()
        })
        .collect()
}

#[test]
fn a_recording_survives_the_way_through_gor() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "a.mynah", "--unmasked"]).ok();
    for name in ["shop.gor", "shop.gor.gz"] {
        place
            .mynah(&["export", "a.mynah", "--format", "gor", "-o", name])
            .ok()
            .says("exported  2816 exchanges: 2816 requests, 2816 responses")
            .says("--unmasked");
        place.mynah(&["capture", name, "-o", "b.mynah", "--unmasked"]).ok();
        assert_eq!(exchanges(&place, "a.mynah"), exchanges(&place, "b.mynah"), "{name}");
        assert!(dump(&place, "a.mynah") == dump(&place, "b.mynah"), "{name}: heads, bodies, times and flags");
    }
    let gzip = std::fs::read(place.file("shop.gor.gz")).unwrap();
    assert!(gzip.starts_with(&[0x1f, 0x8b]));
    let sessions = |file: &str| place.mynah(&["inspect", file, "--json"]).ok().json()["sessions"].clone();
    assert_eq!(sessions("a.mynah"), sessions("b.mynah"));
}

#[test]
fn a_gor_file_becomes_a_scenario() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "a.mynah", "--key-file", "k"]).ok();
    place.mynah(&["export", "a.mynah", "--format", "gor", "-o", "shop.gor", "--include", "path =~ ^/"]).ok();
    let text = std::fs::read(place.file("shop.gor")).unwrap();
    let head = String::from_utf8_lossy(text.split(|&b| b == b'\n').next().unwrap()).into_owned();
    let fields: Vec<&str> = head.split(' ').collect();
    assert_eq!((fields.len(), fields[0], fields[1].len()), (4, "1", 24), "{head}");
    let summary = place.mynah(&["inspect", "shop.gor", "--json"]).ok().json();
    assert_eq!(summary["format"], "GoReplay file (.gor)");
    place.mynah(&["capture", "shop.gor", "-o", "b.mynah"]).ok();
    place.mynah(&["profile", "b.mynah", "-o", "s.toml"]).ok();
    place.mynah(&["export", "s.toml", "--format", "gor", "-o", "x.gor"]).ok().says("keeps no responses");
    let again = place.mynah(&["inspect", "x.gor", "--json"]).ok().json();
    let scenario = mynah_traffic::scenario::Scenario::load(place.file("s.toml")).unwrap();
    assert_eq!(again["exchanges"].as_u64(), scenario.recorded.map(|recorded| recorded.exchanges));
    assert!(again["sessions"].as_u64().unwrap() >= 240, "sessions do not melt into one another: {again}");
}

#[test]
fn a_file_that_is_cut_short_is_a_warning() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "a.mynah", "--unmasked"]).ok();
    place.mynah(&["export", "a.mynah", "--format", "gor", "-o", "a.gor"]).ok();
    let whole = std::fs::read(place.file("a.gor")).unwrap();
    place.write("cut.gor", &whole[..whole.len() / 2]);
    place.mynah(&["capture", "cut.gor", "-o", "cut.mynah"]).ok().says("warning").says("cut short");
    let zipped = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&whole).unwrap();
        encoder.finish().unwrap()
    };
    place.write("cut.gor.gz", &zipped[..zipped.len() / 2]);
    place
        .mynah(&["capture", "cut.gor.gz", "-o", "cut.mynah"])
        .ok()
        .says("cannot be decompressed any further");
}

#[test]
fn wrong_usage_is_told() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "a.mynah"]).ok();
    place.mynah(&["export", "a.mynah", "--format", "gor", "-o", "a.mynah"]).exits(2).says("is an input, too");
    place.mynah(&["export", "a.mynah", "--format", "gor", "-o", "no/such/folder"]).exits(2);
    place.mynah(&["export", "missing", "--format", "gor", "-o", "x"]).exits(3);
    place
        .mynah(&["export", &fixture("shop.pcap"), "--format", "gor", "-o", "x"])
        .exits(3)
        .says("not a recording");
}

#[test]
fn the_public_files_are_read_as_counted_and_survive() {
    let Some(data) = shared_data() else { return };
    // file, requests, final responses: as its index says, but for a lone `100 Continue` in the second
    for (name, requests, responses) in [
        ("datadog-ecommerce-requests_0.gor", 101, 0),
        ("rec-keepalive-mixed.gor", 15, 13),
        ("pcpp-tcp-reassembly.gor.gz", 15, 14),
    ] {
        let place = Place::new();
        let path = data.join("gor").join(name);
        place.mynah(&["capture", &path.to_string_lossy(), "-o", "a.mynah", "--unmasked"]).ok();
        let summary = place.mynah(&["inspect", "a.mynah", "--json"]).ok().json();
        let count = |field: &str| summary[field].as_u64().unwrap();
        assert_eq!(
            (
                count("exchanges") - count("responses_without_request"),
                count("exchanges") - count("requests_without_response")
            ),
            (requests, responses),
            "{name}: {summary}"
        );
        place.mynah(&["export", "a.mynah", "--format", "gor", "-o", "a.gor"]).ok();
        place.mynah(&["capture", "a.gor", "-o", "b.mynah", "--unmasked"]).ok();
        let sorted = |file: &str| {
            let mut all = dump(&place, file);
            all.sort_by_key(|exchange| exchange.times.request_first);
            all
        };
        assert!(sorted("a.mynah") == sorted("b.mynah"), "{name}");
        assert_eq!(exchanges(&place, "a.mynah").len(), exchanges(&place, "b.mynah").len());
    }
}
