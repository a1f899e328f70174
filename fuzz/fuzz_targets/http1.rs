//! HTTP/1 on one connection, in order: pieces of the input, each behind a byte (direction, and up to 127 bytes of length; none
//! is the whole rest of the line).

#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_fuzz::pcap::{Wire, file};
use mynah_fuzz::{read, small};

fuzz_target!(|data: &[u8]| {
    let mut wire = Wire::new([1000, 2000]);
    let Some((&how, mut rest)) = data.split_first() else { return };
    let mut sent = [0, 0];
    while let Some((&first, behind)) = rest.split_first() {
        let from = usize::from(first >> 7);
        let length = match usize::from(first & 127) {
            0 => behind.iter().position(|&b| b == b'\n').map_or(behind.len(), |at| at + 1),
            1 => behind.windows(4).position(|w| w == b"\r\n\r\n").map_or(behind.len(), |at| at + 4),
            length => length.min(behind.len()),
        };
        let (piece, next) = behind.split_at(length.min(60_000));
        if !piece.is_empty() {
            wire.send(from, piece);
            sent[from] += piece.len();
        }
        rest = next;
    }
    if how & 1 == 0 {
        wire.fin(0);
        wire.fin(1);
    }
    // without its handshake the roles must be guessed
    let skip = if how & 2 == 0 { 0 } else { 3 };
    let found = read(file(&wire.sent[skip..], 1000), &small()).expect("a pcap file is read");
    assert_eq!(found.counts.gaps, 0, "in order, and nothing is missing");
    assert_eq!(found.counts.evicted, 0);
    // nothing is made up: all that comes out went in, on its side or, where roles were guessed, on the other
    let size =
        |message: &mynah_message::Message| message.head.len() + message.body.len() + message.trailers.len();
    let out: [usize; 2] = [
        found.exchanges.iter().filter_map(|e| e.request.as_ref()).map(size).sum(),
        found.exchanges.iter().filter_map(|e| e.response.as_ref()).map(size).sum(),
    ];
    let fits = |a: usize, b: usize| out[0] <= sent[a] && out[1] <= sent[b];
    assert!(fits(0, 1) || (skip > 0 && fits(1, 0)), "{out:?} bytes of {sent:?}");
});
