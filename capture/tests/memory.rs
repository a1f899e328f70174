//! What reassembly holds stays within its limit: 100,000 half-open connections, one whose head never ends, one whose body never
//! ends, and a healthy one among them that loses nothing. A test binary of its own, because it measures its process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // the lint's exception for tests does not reach helpers outside of test functions

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mynah_capture::{Input, Options, Source};
use mynah_traffic::Flag;

const HALF_OPEN: u32 = 100_000;
const MEMORY: u64 = 16 << 20;
/// Ports and addresses of the three that talk on.
const HEALTHY: u32 = 1;
const ENDLESS_HEAD: u32 = 2;
const ENDLESS_BODY: u32 = 3;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// A healthy exchange comes once in so many half-open flows.
const EVERY: u32 = 50;

/// Makes the capture while it is read: no more than one round of it is ever there.
struct Generator {
    round: u32,
    now: u64,
    ready: Vec<u8>,
    at: usize,
    /// Next sequence numbers of the three, client and server.
    next: [[u32; 2]; 4],
    /// The most that was resident at any look.
    peak: Arc<AtomicU64>,
}

impl Generator {
    fn new(peak: Arc<AtomicU64>) -> Self {
        let mut ready = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x0004_0000, 101] {
            ready.extend(word.to_le_bytes());
        }
        Generator { round: 0, now: 1_000_000_000_000, ready, at: 0, next: [[1; 2]; 4], peak }
    }

    /// A segment of the flow numbered `flow`; `from`: 0 client, 1 server.
    fn packet(&mut self, flow: u32, from: usize, flags: u8, sequence: u32, acknowledged: u32, data: &[u8]) {
        self.now += 20;
        let length = (40 + data.len()) as u32;
        for word in [(self.now / 1_000_000) as u32, (self.now % 1_000_000) as u32, length, length] {
            self.ready.extend(word.to_le_bytes());
        }
        let [_, a, b, c] = (flow / 50_000 + 1).to_be_bytes();
        let client = ([10, a, b, c], (flow % 50_000 + 10_000) as u16);
        let server = ([192, 168, 0, 1], 80);
        let (source, destination) = if from == 0 { (client, server) } else { (server, client) };
        self.ready.extend([0x45, 0]);
        self.ready.extend((length as u16).to_be_bytes());
        self.ready.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        self.ready.extend(source.0);
        self.ready.extend(destination.0);
        self.ready.extend(source.1.to_be_bytes());
        self.ready.extend(destination.1.to_be_bytes());
        self.ready.extend(sequence.to_be_bytes());
        self.ready.extend(acknowledged.to_be_bytes());
        self.ready.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.ready.extend(data);
    }

    /// Data of one of the three.
    fn say(&mut self, flow: u32, from: usize, data: &[u8]) {
        let [own, other] = [self.next[flow as usize][from], self.next[flow as usize][1 - from]];
        self.packet(flow, from, ACK, own, other, data);
        self.next[flow as usize][from] = own.wrapping_add(data.len() as u32);
    }

    fn round(&mut self) {
        let round = self.round;
        self.round += 1;
        if round.is_multiple_of(100) {
            self.peak.fetch_max(resident(), Ordering::Relaxed);
        }
        if round == 0 {
            for flow in [HEALTHY, ENDLESS_HEAD, ENDLESS_BODY] {
                self.packet(flow, 0, SYN, 0, 0, b"");
                self.packet(flow, 1, SYN | ACK, 0, 1, b"");
            }
            self.say(ENDLESS_HEAD, 0, b"GET /head HTTP/1.1\r\nHost: a\r\n");
            self.say(
                ENDLESS_BODY,
                0,
                b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            return;
        }
        let flow = 10 + round;
        self.packet(flow, 0, SYN, 0, 0, b"");
        let partial = format!(
            "GET /half/{round} HTTP/1.1\r\nHost: example.org\r\nCookie: sid={round:064}\r\nX-Cut: she"
        );
        self.packet(flow, 0, ACK, 1, 1, partial.as_bytes());
        if round.is_multiple_of(EVERY) {
            let n = round / EVERY;
            self.say(
                HEALTHY,
                0,
                format!("POST /healthy/{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").as_bytes(),
            );
        } else if round % EVERY == EVERY - 1 && round > EVERY {
            let n = round / EVERY;
            self.say(
                HEALTHY,
                1,
                format!("HTTP/1.1 200 OK\r\nX-Of: {n}\r\nContent-Length: 2\r\n\r\nok").as_bytes(),
            );
        }
        if round.is_multiple_of(4) {
            self.say(ENDLESS_HEAD, 0, format!("X-{round}: {}\r\n", "h".repeat(1300)).as_bytes());
        }
        let chunk = format!("{:x}\r\n{}\r\n", 1200, "b".repeat(1200));
        self.say(ENDLESS_BODY, 0, chunk.as_bytes());
    }
}

impl Read for Generator {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
            if self.round <= HALF_OPEN {
                self.round();
            }
        }
        let here = (self.ready.len() - self.at).min(out.len());
        out[..here].copy_from_slice(&self.ready[self.at..self.at + here]);
        self.at += here;
        Ok(here)
    }
}

/// Resident bytes of this process, without the program itself, which is paged in as it is first used.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn half_open_and_endless_connections_stay_within_the_limit() {
    let peak = Arc::new(AtomicU64::new(0));
    let options = Options { memory: MEMORY, max_body: 64 << 20, flow_memory: 64 << 20, ..Options::default() };
    let input =
        Input::from_reader(Path::new("generated.pcap"), Box::new(Generator::new(Arc::clone(&peak)))).unwrap();
    let mut source = Source::new(input, &options).unwrap();
    let before = resident();
    let mut seen = 0_u64;
    let mut healthy = Vec::new();
    for exchange in &mut source {
        let exchange = exchange.unwrap();
        seen += 1;
        if seen.is_multiple_of(64) {
            peak.fetch_max(resident(), Ordering::Relaxed);
        }
        let head = exchange.request_head();
        let target = head.as_ref().and_then(mynah_message::Head::target).unwrap_or("?").to_owned();
        if let Some(n) = target.strip_prefix("/healthy/") {
            let n: u32 = n.parse().unwrap();
            assert_eq!(exchange.request.as_ref().unwrap().body, "abc");
            if n < HALF_OPEN / EVERY {
                let answer = exchange.response_head().unwrap();
                assert_eq!(answer.get("x-of"), Some(n.to_string().as_str()));
            }
            healthy.push(n);
        } else {
            assert!(
                exchange.flags.has(Flag::Truncated) || exchange.flags.has(Flag::Junk),
                "{target}: {:?}",
                exchange.flags
            );
        }
    }
    let held = peak.load(Ordering::Relaxed).saturating_sub(before);
    let counts = source.counts();
    println!(
        "{} packets, {} flows given up, {:.1} MiB held at the most with a limit of {:.1} MiB",
        counts.seen,
        counts.evicted,
        held as f64 / 1_048_576.0,
        MEMORY as f64 / 1_048_576.0
    );
    assert_eq!(healthy, (1..=HALF_OPEN / EVERY).collect::<Vec<_>>(), "the healthy connection loses nothing");
    assert!(counts.evicted > u64::from(HALF_OPEN) / 2, "{} flows were given up", counts.evicted);
    assert!(held <= MEMORY + MEMORY / 10, "{held} bytes held with a limit of {MEMORY}");
}
