//! Real captures whose requests and responses have been counted by others (tshark, Zeek, a search over the sorted payload).
//! The collection is not part of the repository: without it these tests say so and pass.

use std::path::{Path, PathBuf};

use mynah_capture::{Error, Kind, Options, Source};
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

/// Where our count differs from the index, and why ours stands: requests, responses.
const DIFFERENT: &[(&str, usize, usize, &str)] = &[];

/// Files whose HTTP stands inside of what is not read yet: TLS, HTTP/2.
fn out_of_scope(note: &serde_json::Value) -> bool {
    note["http1_requests"] == "-"
}

#[test]
fn requests_and_responses_are_those_that_others_count() {
    let Some(folder) = data() else { return };
    let text = std::fs::read(folder.join("expected-pcap.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let mut wrong = Vec::new();
    println!("{:70} {:>9} {:>9}", "file", "expected", "mynah");
    for (file, told) in &expected {
        let count = |key: &str| told[key].as_u64().map(|n| n as usize);
        let (exchanges, source) = read(&folder.join(file));
        let requests = exchanges.iter().filter(|e| e.request.is_some()).count();
        let responses = exchanges.iter().filter(|e| e.response.is_some()).count();
        let (Some(want_requests), Some(want_responses)) =
            (count("http1_requests"), count("http1_final_responses"))
        else {
            println!("{file:70} {:>9} {:>9}  ambiguous by design", "-", format!("{requests}/{responses}"));
            continue;
        };
        let ok = requests == want_requests && responses == want_responses;
        println!(
            "{file:70} {:>9} {:>9} {} {:?}",
            format!("{want_requests}/{want_responses}"),
            format!("{requests}/{responses}"),
            if ok { "" } else { "WRONG" },
            source.warnings()
        );
        if !ok {
            wrong.push(file.clone());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
