use std::path::Path;

use bytes::Bytes;
use mynah_message::Message;
use proptest::prelude::*;

use super::*;
use crate::exchange::{Exchange, Flag, Flags, Nanos, SensitiveSpan, Side, Times};
use crate::{Error, Masked, Provenance};

fn header() -> Header {
    Header {
        version: VERSION,
        provenance: Provenance::Policy,
        audit: Audit::Pending,
        created: Nanos(17),
        key_id: [7; 8],
        policy_hash: [9; 32],
    }
}

fn exchange(n: u64, body: usize) -> Exchange {
    Exchange {
        request: Some(Message {
            head: Bytes::from(format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")),
            body: Bytes::from(vec![b'x'; body]),
            ..Message::default()
        }),
        times: Times {
            request_first: Nanos(1_000_000_000_000 - n * 1000),
            request_last: Nanos(1_000_000_000_000 + n * 10_000_000),
            response_first: None,
            response_last: None,
        },
        flags: Flags::from_iter([Flag::NoResponse]),
        sensitive: vec![SensitiveSpan {
            side: Side::Request,
            in_body: false,
            start: 4,
            len: 2,
            kind: "token".into(),
        }],
        ..Exchange::default()
    }
}

fn masked(exchange: Exchange) -> Masked<Exchange> {
    #[expect(clippy::disallowed_methods, reason = "the tests of the file format need something to write")]
    Masked::assume(exchange, Provenance::Policy)
}

fn write(path: &Path, exchanges: &[Exchange]) -> std::path::PathBuf {
    let mut writer = Writer::create(path, &header()).unwrap();
    for exchange in exchanges {
        writer.write(&masked(exchange.clone())).unwrap();
    }
    let summary = Summary { sources: vec!["a.pcap".into()], ..Summary::default() };
    writer.finish(&summary).unwrap().seal(Audit::Passed).unwrap()
}

fn read(path: &Path) -> (Vec<Exchange>, Option<Error>, Reader) {
    let mut reader = Reader::open(path).unwrap();
    let mut exchanges = Vec::new();
    let mut error = None;
    for item in reader.by_ref() {
        match item {
            Ok(exchange) => exchanges.push(exchange.into_inner()),
            Err(found) => error = Some(found),
        }
    }
    (exchanges, error, reader)
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    // Over several frames by time, and one by size.
    let mut all: Vec<Exchange> = (0..300).map(|n| exchange(n, 10)).collect();
    all.push(exchange(300, 3 << 20));
    all.push(exchange(301, 0));
    write(&path, &all);
    let (found, error, reader) = read(&path);
    assert!(error.is_none());
    assert_eq!(found, all);
    assert_eq!(reader.summary().unwrap().sources, ["a.pcap"]);
    assert_eq!(*reader.header(), Header { audit: Audit::Passed, ..header() });
    assert!(!folder.path().join("t.mynah.partial").exists());
}

#[test]
fn the_same_is_read_without_a_copy_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    let all: Vec<Exchange> = (0..300).map(|n| exchange(n, 10)).collect();
    write(&path, &all);
    let mut reader = Reader::open(&path).unwrap().sharing();
    assert!(reader.current().is_none());
    let mut kept = Vec::new();
    while let Some(found) = reader.advance() {
        found.unwrap();
        // one is kept, so that its frame cannot be used again; the others are only looked at
        let taken = kept.len() % 7 == 3;
        let exchange = reader.current().unwrap();
        kept.push(if taken { std::mem::take(exchange) } else { exchange.clone() });
    }
    assert_eq!(kept, all);
    assert!(reader.current().is_none() && reader.advance().is_none());
    assert!(reader.summary().is_some());
}

#[test]
fn the_index_is_by_start_and_the_same_when_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    write(&path, &(0..300).map(|n| exchange(n, 10)).collect::<Vec<_>>());
    let index = Reader::index(&path).unwrap();
    assert_eq!(index.len(), 300);
    assert!(index.is_sorted_by_key(|entry| entry.started_ns));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    assert_eq!(Reader::index(&path).unwrap(), index);
}

#[test]
fn a_recording_too_long_for_an_index_is_indexed_by_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    let count = super::writer::MAX_INDEX as u64 + 1;
    write(&path, &(0..count).map(|n| exchange(n, 1)).collect::<Vec<_>>());
    let (found, error, reader) = read(&path);
    assert!(error.is_none() && reader.summary().is_some());
    assert_eq!(found.len() as u64, count);
    let index = Reader::index(&path).unwrap();
    assert_eq!(index.len() as u64, count);
    assert!(index.is_sorted_by_key(|entry| entry.started_ns));
}

#[cfg(unix)]
#[test]
fn while_it_is_written_only_the_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    std::fs::write(folder.path().join("t.mynah.partial"), "left behind").unwrap();
    let writer = Writer::create(&path, &header()).unwrap();
    let mode = std::fs::metadata(writer.partial_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!path.exists());
}

#[test]
fn unmasked_exchanges_are_refused_by_a_masked_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(folder.path().join("t.mynah"), &header()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "this is what must be refused")]
    let open = Masked::assume(exchange(1, 1), Provenance::Unmasked);
    assert!(writer.write(&open).is_err());
}

#[test]
fn other_files_and_newer_versions_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    std::fs::write(&path, "not one").unwrap();
    assert!(matches!(Reader::open(&path), Err(Error::NotA { .. })));
    let newer = Header { version: VERSION + 1, ..header() };
    std::fs::write(&path, newer.to_bytes_for_test()).unwrap();
    assert!(matches!(Reader::open(&path), Err(Error::TooNew { .. })));
}

impl Header {
    fn to_bytes_for_test(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_costs_only_what_stands_behind_it(at in 0.0..1.0_f64, bit in 0..8_u32, cut: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.mynah");
        let all: Vec<Exchange> = (0..300).map(|n| exchange(n, 10)).collect();
        write(&path, &all);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = 80 + ((bytes.len() - 80) as f64 * at) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        std::fs::write(&path, &bytes).unwrap();
        let (found, _, _) = read(&path);
        prop_assert!(found.len() <= all.len());
        prop_assert_eq!(&found[..], &all[..found.len()], "never a false one, never out of order");
    }
}
