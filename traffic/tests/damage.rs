//! A recording cut anywhere in its last 64 KiB, or with one bit flipped anywhere: every whole frame before the damage is
//! read, nothing false ever is.

#![allow(clippy::unwrap_used)] // the lint's exception for tests does not reach helpers outside of test functions

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::recording::{Audit, CaptureCounts, Header, Reader, Summary, VERSION, Writer};
use mynah_traffic::{Connection, Exchange, Flag, Flags, Masked, Nanos, Provenance, Times};

const HEADER: usize = 80;
const FRAME_HEADER: usize = 9;
const TAIL: usize = 64 << 10;
const FRAMES: u64 = 14;
const IN_A_FRAME: u64 = 3;

/// Numbers without a pattern, so that bodies do not get smaller by compression.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// A whole recording, and where its frames of exchanges end.
struct Recording {
    bytes: Arc<Vec<u8>>,
    exchanges: Vec<Exchange>,
    /// Offset behind each frame of exchanges, and how many exchanges stand up to there.
    frames: Vec<(usize, usize)>,
    /// Offset behind the index, where the footer begins.
    footer: usize,
}

fn recording() -> Recording {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut noise =
        |length: usize| Bytes::from((0..length).map(|_| random.next() as u8).collect::<Vec<u8>>());
    let mut exchanges = Vec::new();
    for n in 0..FRAMES * IN_A_FRAME {
        // a frame is closed when a second of traffic is in it
        let time = Nanos((1_000_000 + n / IN_A_FRAME * 2) * Nanos::PER_SECOND + n);
        exchanges.push(Exchange {
            request: Some(Message {
                head: Bytes::from(format!("POST /{n} HTTP/1.1\r\nHost: a\r\n\r\n")),
                body: noise(700),
                ..Message::default()
            }),
            response: Some(Message {
                head: Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n"),
                body: noise(1300),
                ..Message::default()
            }),
            connection: Connection {
                id: n,
                client: Some(([10, 0, 0, 1], 9).into()),
                ..Connection::default()
            },
            times: Times {
                request_first: time,
                request_last: time,
                response_first: Some(time),
                response_last: Some(time),
            },
            flags: Flags::from_iter([Flag::CloseDelimited]),
            ..Exchange::default()
        });
    }
    let header = Header {
        version: VERSION,
        provenance: Provenance::Policy,
        audit: Audit::Pending,
        created: Nanos(17),
        key_id: [7; 8],
        policy_hash: [9; 32],
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mynah");
    let mut writer = Writer::create(&path, &header).unwrap();
    for exchange in &exchanges {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test of the file format needs something to write"
        )]
        writer.write(&Masked::assume(exchange.clone(), Provenance::Policy)).unwrap();
    }
    let summary = Summary {
        sources: vec!["a.pcap".into()],
        capture: CaptureCounts { seen: 5, captured: 5, ..CaptureCounts::default() },
        ..Summary::default()
    };
    writer.finish(&summary).unwrap().seal(Audit::Passed).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (mut frames, mut at, mut kinds) = (Vec::new(), HEADER, Vec::new());
    while at < bytes.len() - 16 {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let kind = bytes[at + 4];
        at += FRAME_HEADER + length;
        kinds.push(kind);
        if kind == 1 {
            frames.push((at, frames.len() + 1));
        }
    }
    assert_eq!(kinds.len() as u64, FRAMES + 2, "frames of exchanges, a summary, an index");
    assert_eq!(frames.len() as u64, FRAMES);
    for (_, count) in &mut frames {
        *count *= IN_A_FRAME as usize;
    }
    assert!(bytes.len() - HEADER > TAIL + 4096, "the last 64 KiB are less than the whole");
    Recording { bytes: Arc::new(bytes), exchanges, frames, footer: at }
}

/// The recording as a damaged disk would give it.
struct Damaged {
    bytes: Arc<Vec<u8>>,
    length: usize,
    flipped: Option<(usize, u8)>,
    at: usize,
}

impl Read for Damaged {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at.min(self.length)..self.length];
        let here = rest.len().min(out.len());
        out[..here].copy_from_slice(&rest[..here]);
        if let Some((byte, mask)) = self.flipped
            && (self.at..self.at + here).contains(&byte)
        {
            out[byte - self.at] ^= mask;
        }
        self.at += here;
        Ok(here)
    }
}

impl Seek for Damaged {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => at as i64,
            SeekFrom::End(by) => self.length as i64 + by,
            SeekFrom::Current(by) => self.at as i64 + by,
        };
        self.at = usize::try_from(to).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(self.at as u64)
    }
}

impl Recording {
    /// Reads the damaged recording and compares: `damage` is the first byte that is missing or wrong.
    fn check(&self, length: usize, flipped: Option<(usize, u8)>) {
        let damage = flipped.map_or(length, |(byte, _)| byte);
        let whole = self.frames.iter().rev().find(|(end, _)| *end <= damage).map_or(0, |(_, count)| *count);
        let input = Damaged { bytes: Arc::clone(&self.bytes), length, flipped, at: 0 };
        let Ok(mut reader) = Reader::of(input, "damaged.mynah") else {
            assert!(damage < HEADER, "damage at byte {damage} must not close the whole file");
            return;
        };
        assert!(damage >= HEADER, "a header with a wrong byte at {damage} is believed");
        let (mut read, mut told) = (0, false);
        for item in reader.by_ref() {
            assert!(!told, "damage at {damage}: something comes behind the error");
            match item {
                Ok(exchange) => {
                    assert!(
                        self.exchanges.get(read) == Some(exchange.get()),
                        "damage at {damage}: exchange {read} is a false one"
                    );
                    read += 1;
                }
                Err(error) => {
                    told = true;
                    assert!(matches!(error, mynah_traffic::Error::Damaged { .. }), "{error}");
                }
            }
        }
        assert_eq!(read, whole, "damage at byte {damage} of {}, flipped {flipped:?}", self.bytes.len());
        // the end of a frame is no damage that can be seen there, but the summary is missing
        let at_boundary = length == damage && self.frames.iter().any(|(end, _)| *end == damage);
        let silent =
            damage >= self.footer || (flipped.is_none() && (at_boundary || reader.summary().is_some()));
        assert!(told || silent || length == HEADER, "damage at byte {damage} is not told");
        assert!(told || damage >= self.footer || flipped.is_none(), "a flipped bit at {damage} is not told");
    }
}

#[test]
fn a_cut_at_every_byte_of_the_last_64_kib_costs_only_what_is_behind_it() {
    let recording = recording();
    let length = recording.bytes.len();
    for cut in length - TAIL..length {
        recording.check(cut, None);
    }
    for cut in 0..=HEADER + FRAME_HEADER {
        recording.check(cut, None);
    }
}

#[test]
fn a_flipped_bit_costs_only_what_is_behind_it() {
    let recording = recording();
    let length = recording.bytes.len();
    // every bit of all that is not payload: header, frame headers, and the summary, the index and the footer as a whole
    let mut bytes: Vec<usize> = (0..HEADER).collect();
    let mut start = HEADER;
    for (end, _) in &recording.frames {
        bytes.extend(start..start + FRAME_HEADER + 16);
        start = *end;
    }
    bytes.extend(start..length);
    for byte in bytes {
        for bit in 0..8 {
            recording.check(length, Some((byte, 1 << bit)));
        }
    }
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..20_000 {
        let bit = random.next() as usize % (length * 8);
        recording.check(length, Some((bit / 8, 1 << (bit % 8))));
    }
}

/// Takes minutes without optimisation: `cargo test --release -p mynah-traffic --test damage -- --ignored`.
#[test]
#[ignore = "every bit of 90 KiB; the test above takes a sample of those in payloads"]
fn every_single_bit_flipped_costs_only_what_is_behind_it() {
    let recording = recording();
    let length = recording.bytes.len();
    for bit in 0..length * 8 {
        recording.check(length, Some((bit / 8, 1 << (bit % 8))));
    }
    println!("{} bits of a recording of {length} bytes", length * 8);
}
