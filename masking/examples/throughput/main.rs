//! How fast masking is by processor time, one core: learn, mask, audit, each by itself and together.
//!
//! Makes its own traffic (seeded, so that two runs see the same bytes): requests of signed-in users against a JSON API, some of
//! them for HTML pages. Or reads the exchanges of an unmasked recording. Counts heads and decoded bodies, and says what share of
//! the bodies' bytes had been there before: every response is another one unless `--repeat` says how many of them show one
//! of a hundred catalogue pages that are the same for all visitors.
//! Goes a few exchanges at a time, which are read through just before, by no one's clock: whoever captured them has just written them.
//! `--stream 0` leaves out the same read once, which is no part of what is taken together. `--heads 1` takes the bodies away, so
//! that what is measured is heads.
//! Usage: `throughput [--megabytes N] [--gzip PERCENT] [--html PERCENT] [--repeat PERCENT] [--seed N] [--stream 0|1]
//! [--heads 0|1] [--peers 0|1] [--recording FILE]`

mod peers;
mod traffic;

use std::collections::HashSet;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use mynah_masking::{Key, Learner, Policy, Stream};
use mynah_message::{Limits, Message, View};
use mynah_traffic::Exchange;
use mynah_traffic::recording::Reader;
use rustix::time::{ClockId, clock_gettime};

use traffic::Traffic;

struct Options {
    megabytes: u64,
    gzip: u64,
    html: u64,
    repeat: u64,
    seed: u64,
    stream: u64,
    heads: u64,
    peers: u64,
    recording: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    let mut exchanges = match &options.recording {
        Some(path) => repeated(read(path)?, options.megabytes << 20),
        None => Traffic::new(&options).exchanges(options.megabytes << 20),
    };
    if options.heads > 0 {
        for message in exchanges.iter_mut().flat_map(|e| [&mut e.request, &mut e.response]).flatten() {
            message.body.clear();
        }
    }
    let megabytes = exchanges.iter().map(size).sum::<u64>() as f64 / 1e6;
    println!(
        "{} exchanges, {megabytes:.1} MB of heads and decoded bodies, {:.1} % of the bodies' bytes a repetition",
        exchanges.len(),
        repetition(&exchanges)
    );

    let mut learner = Learner::new(Policy::built_in(), Key::from([7; 32]));
    let mut learn = Duration::ZERO;
    for some in exchanges.chunks(SOME) {
        touch(some);
        learn += timed(|| some.iter().for_each(|exchange| learner.learn(exchange)));
    }
    let mut masker = None;
    let index = timed(|| masker = Some(learner.finish()));
    let Some(mut masker) = masker else { return Ok(()) };
    // A few at a time, as they would be written: what was masked is checked and forgotten.
    let (mut mask, mut audit) = (Duration::ZERO, Duration::ZERO);
    let mut digest = Digest::default();
    let mut auditor = masker.auditor();
    for some in exchanges.chunks(SOME) {
        touch(some);
        // Cloning a message counts references: the bytes are shared.
        let copies = some.to_vec();
        let mut masked = Vec::with_capacity(copies.len());
        mask += timed(|| masked.extend(copies.into_iter().filter_map(|exchange| masker.mask(exchange))));
        audit += timed(|| masked.iter().for_each(|exchange| auditor.check(exchange.get())));
        for exchange in &masked {
            digest.add(exchange.get());
        }
    }
    let findings = auditor.finish().err();
    if options.stream > 0 {
        let (stream, remask) = streamed(&exchanges);
        println!("stream    {:>9.1} MB/s", megabytes / stream.as_secs_f64());
        println!("remask    {:>9.1} MB/s", megabytes / remask.as_secs_f64());
    }
    for (name, time) in [
        ("learn", learn),
        ("index", index),
        ("mask", mask),
        ("audit", audit),
        ("together", learn + index + mask + audit),
    ] {
        let each = time.as_secs_f64() * 1e6 / exchanges.len().max(1) as f64;
        println!("{name:<9} {:>9.1} MB/s {each:>9.2} us an exchange", megabytes / time.as_secs_f64());
    }
    let report = masker.report();
    println!(
        "{} values learned, {} spans masked, {} parts withheld",
        report.learned,
        report.masked_total(),
        report.quarantined_total()
    );
    println!("digest    {:016x}", digest.0);
    if options.peers > 0 {
        peers::measure(&exchanges, megabytes)?;
    }
    findings.map_or(Ok(()), |findings| Err(findings.into()))
}

/// Exchanges at a time: what one has in hand is in a processor's cache.
const SOME: usize = 32;

/// Reads all of some exchanges.
fn touch(exchanges: &[Exchange]) {
    let messages = exchanges.iter().flat_map(|e| [&e.request, &e.response]).flatten();
    let bytes = messages.flat_map(|message| message.head.iter().chain(&message.body));
    black_box(bytes.fold(0_u8, |all, b| all ^ b));
}

/// The same read once: masked as it comes, then remasked.
fn streamed(exchanges: &[Exchange]) -> (Duration, Duration) {
    let mut stream = Stream::new(Policy::built_in(), Key::from([7; 32]));
    let copies = exchanges.to_vec();
    let mut written = Vec::with_capacity(copies.len());
    let mask = timed(|| written.extend(copies.into_iter().filter_map(|exchange| stream.mask(exchange))));
    let mut sealer = stream.sealer();
    let mut changed = 0;
    let remask = timed(|| {
        for exchange in &mut written {
            if let Some(again) = sealer.remask(exchange) {
                *exchange = again;
                changed += 1;
            }
        }
    });
    let mut digest = Digest::default();
    for exchange in &written {
        digest.add(exchange.get());
    }
    println!("stream: {changed} exchanges remasked, digest {:016x}", digest.0);
    (mask, remask)
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options {
        megabytes: 200,
        gzip: 0,
        html: 5,
        repeat: 0,
        seed: 1,
        stream: 1,
        heads: 0,
        peers: 0,
        recording: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name}: expected a value behind it"))?;
        match name.as_str() {
            "--megabytes" => options.megabytes = value.parse()?,
            "--gzip" => options.gzip = value.parse()?,
            "--html" => options.html = value.parse()?,
            "--repeat" => options.repeat = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            "--stream" => options.stream = value.parse()?,
            "--heads" => options.heads = value.parse()?,
            "--peers" => options.peers = value.parse()?,
            "--recording" => options.recording = Some(value.into()),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// The time that this thread was on a processor: others may have work for it too.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let begun = now();
    work();
    now().saturating_sub(begun)
}

fn read(path: &std::path::Path) -> Result<Vec<Exchange>, mynah_traffic::Error> {
    Reader::open(path)?.map(|exchange| Ok(exchange?.into_inner())).collect()
}

/// The same exchanges over and over, up to that many bytes.
fn repeated(once: Vec<Exchange>, bytes: u64) -> Vec<Exchange> {
    let each = once.iter().map(size).sum::<u64>().max(1);
    let times = (bytes / each).max(1) as usize;
    let all = once.len() * times;
    once.into_iter().cycle().take(all).collect()
}

/// Head and decoded body.
fn size(exchange: &Exchange) -> u64 {
    let message = |message: &Message| {
        let body =
            View::open(message, &Limits::default()).map_or(message.body.len(), |view| view.body().len());
        (message.head.len() + body) as u64
    };
    [&exchange.request, &exchange.response].into_iter().flatten().map(message).sum()
}

/// How much of the bodies has been there before, in percent.
fn repetition(exchanges: &[Exchange]) -> f64 {
    let mut seen = HashSet::new();
    let (mut all, mut again) = (0, 0);
    for message in exchanges.iter().flat_map(|e| [&e.request, &e.response]).flatten() {
        all += message.body.len();
        if !seen.insert(&message.body[..]) {
            again += message.body.len();
        }
    }
    100.0 * again as f64 / all.max(1) as f64
}

/// FNV-1a over what came out: two builds that mask alike print the same.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, exchange: &Exchange) {
        for message in [&exchange.request, &exchange.response].into_iter().flatten() {
            for byte in message.head.iter().chain(&message.body) {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}
