//! Recordings. The first byte says how the rest is meant: as a file, or as the unpacked contents of frames whose lengths, checks
//! and compression are right, so that what is behind the checksum is reached too.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use mynah_traffic::Exchange;
use mynah_traffic::recording::Reader;

const HEADER: usize = 80;
const FRAME: usize = 9;

fn all(file: &[u8]) -> (Vec<Exchange>, bool) {
    let Ok(reader) = Reader::of(Cursor::new(file.to_vec()), "fuzz") else { return (Vec::new(), true) };
    let (mut exchanges, mut failed) = (Vec::new(), false);
    for item in reader {
        assert!(!failed, "something comes behind damage");
        match item {
            Ok(exchange) => exchanges.push(exchange.into_inner()),
            Err(_) => failed = true,
        }
    }
    (exchanges, failed)
}

fn check(length: &[u8], kind: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(length), &[kind]), payload)
}

/// Where the last whole frame of exchanges ends.
fn whole_frames(file: &[u8]) -> usize {
    let mut at = HEADER;
    while let Some((header, rest)) = file.get(at..).and_then(|rest| rest.split_first_chunk::<FRAME>()) {
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some(payload) = rest.get(..length) else { break };
        if check(&header[..4], kind, payload) != u32::from_le_bytes([c0, c1, c2, c3]) || kind == 3 {
            break;
        }
        at += FRAME + length;
    }
    at.min(file.len())
}

fn frame(kind: u8, unpacked: &[u8]) -> Vec<u8> {
    let payload = zstd::bulk::compress(unpacked, 1).unwrap();
    let length = (payload.len() as u32).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.push(kind);
    bytes.extend(check(&length, kind, &payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn header() -> Vec<u8> {
    let mut bytes = b"\x89MYNAH\r\n\x01\0\x01\x01".to_vec();
    bytes.resize(HEADER - 4, 0);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    if how & 1 == 0 {
        let (exchanges, _) = all(rest);
        let (whole, _) = all(&rest[..whole_frames(rest)]);
        assert_eq!(exchanges, whole, "what is not whole and checked gave something, or took something");
        let _ = mynah_traffic::recording::Reader::recognises(rest);
        return;
    }
    let mut file = header();
    let mut rest = rest;
    let mut before = Vec::new();
    while let [kind, low, high, behind @ ..] = rest {
        let length = (usize::from(*low) | usize::from(*high) << 8).min(behind.len());
        let (contents, next) = behind.split_at(length);
        file.extend(frame(kind % 5, contents));
        let (exchanges, _) = all(&file);
        assert!(exchanges.len() <= file.len() * 64);
        assert!(exchanges.starts_with(&before), "a frame changed what stood before it");
        before = exchanges;
        rest = next;
        if file.len() > 4096 {
            break;
        }
    }
    // damage behind costs nothing
    file.extend([0xff; 7]);
    let (exchanges, _) = all(&file);
    assert_eq!(exchanges, before);
});
