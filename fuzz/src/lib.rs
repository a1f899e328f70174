//! What the fuzz targets share: captures made up in memory, and reading them with everything watched that must hold.

pub mod pcap;

use std::io::Cursor;
use std::path::Path;

use mynah_capture::{Input, Options, Source};
use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a source may hold besides what its options count: read buffers, the exchange in hand, maps that grow by doubling.
const SLACK: usize = 24 << 20;

/// Small limits, so that small inputs reach them.
pub fn small() -> Options {
    Options { memory: 1 << 20, flow_memory: 1 << 16, max_body: 1 << 16, ..Options::default() }
}

/// What came of an input.
pub struct Read {
    pub exchanges: Vec<Exchange>,
    pub counts: CaptureCounts,
    pub warnings: Vec<String>,
}

/// Reads `bytes` to the end, handing out each exchange at once. Watches that it ends, that the counts add up, that no body is
/// longer than allowed, and that the heap stays within the limit. `None` for bytes that no source reads.
pub fn drain(
    bytes: Vec<u8>,
    options: &Options,
    mut each: impl FnMut(Exchange),
) -> Option<(CaptureCounts, Vec<String>)> {
    // gzip and zstd would let the fuzzer spend its time on bombs; they are other crates' work
    if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return None;
    }
    let length = bytes.len();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let input = Input::from_reader(Path::new("fuzz"), Box::new(Cursor::new(bytes))).ok()?;
    let mut source = Source::new(input, options).ok()?;
    let mut errors = 0;
    while let Some(item) = source.next() {
        match item {
            Ok(exchange) => {
                for message in [&exchange.request, &exchange.response].into_iter().flatten() {
                    assert!(message.body.len() as u64 <= options.max_body, "a body is over the limit");
                }
                assert!(exchange.request.is_some() || exchange.response.is_some(), "an exchange of nothing");
                each(exchange);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                errors += 1;
                assert!(errors <= length + 1, "more errors than bytes");
            }
        }
    }
    assert!(source.next().is_none(), "it goes on behind its end");
    let counts = source.counts();
    assert_eq!(counts.seen, counts.captured + counts.dropped_by_kernel + counts.dropped_by_mynah);
    let held = HEAP.peak_usage().saturating_sub(before);
    let allowed = options.memory as usize + SLACK + 4 * length;
    assert!(held <= allowed, "{held} bytes held, {allowed} allowed");
    Some((counts, source.warnings()))
}

/// The same, with the exchanges kept.
pub fn read(bytes: Vec<u8>, options: &Options) -> Option<Read> {
    let mut exchanges = Vec::new();
    let (counts, warnings) = drain(bytes, options, |exchange| exchanges.push(exchange))?;
    Some(Read { exchanges, counts, warnings })
}
