//! Connections without identity that are one client's.
//!
//! From one address and with one fingerprint (user agent, language and the like) may come one client on several connections
//! or several clients that cannot be told apart otherwise. A client opens another connection because the ones it had were
//! closed or because all of them were busy; a connection that is opened while another is idle is somebody else's.

use mynah_traffic::Nanos;

use crate::hash::Map;
use crate::scan::Scan;

/// A connection: its exchanges in order of start.
pub(super) struct Span {
    pub(super) connection: u64,
    pub(super) exchanges: Vec<u32>,
}

struct Chain {
    number: u32,
    /// Connections that may still be open: positions in the spans, with the last byte seen of each.
    live: Vec<(usize, Nanos)>,
    ended: Nanos,
}

/// A number for each connection; those of one client have the same. `spans` are the connections of one address and
/// fingerprint; `next` counts on.
pub(super) fn chain(
    scan: &Scan,
    spans: &mut [Span],
    timeout: Nanos,
    next: &mut u32,
    numbers: &mut Map<u64, u32>,
) {
    let start = |span: &Span| {
        span.exchanges.first().map(|&number| (scan.records[number as usize].start, span.connection))
    };
    let end = |span: &Span| {
        span.exchanges.iter().map(|&number| scan.records[number as usize].end).max().unwrap_or_default()
    };
    spans.sort_by_key(start);
    let mut chains: Vec<Chain> = Vec::new();
    for position in 0..spans.len() {
        let span = &spans[position];
        let Some((begins, _)) = start(span) else { continue };
        let ends = end(span);
        // What is too long ago for all that follows need not be looked at again.
        chains.retain(|chain| begins.since(chain.ended) <= timeout);
        for chain in &mut chains {
            chain.live.retain(|(_, until)| *until > begins);
        }
        let took = chains
            .iter_mut()
            .filter(|chain| chain.live.iter().all(|&(other, _)| is_busy(scan, &spans[other], begins)))
            .max_by_key(|chain| (chain.ended, std::cmp::Reverse(chain.number)));
        let number = if let Some(chain) = took {
            chain.live.push((position, ends));
            chain.ended = chain.ended.max(ends);
            chain.number
        } else {
            let number = *next;
            *next += 1;
            chains.push(Chain { number, live: vec![(position, ends)], ended: ends });
            number
        };
        numbers.insert(span.connection, number);
    }
}

/// Whether a request of this connection was under way at that time.
fn is_busy(scan: &Scan, span: &Span, at: Nanos) -> bool {
    let begun = span.exchanges.partition_point(|&number| scan.records[number as usize].start <= at);
    // The last few: of a pipeline or HTTP/2 several may be under way.
    span.exchanges[begun.saturating_sub(16)..begun]
        .iter()
        .any(|&number| scan.records[number as usize].end > at)
}
