//! Link layers, tunnels, IP and its fragments: the first byte picks the link type, then come packets, each behind three bytes
//! (length, two; a nibble of what the snap length cut, a nibble of time).

#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_fuzz::pcap::Pcap;
use mynah_fuzz::{drain, small};

fuzz_target!(|data: &[u8]| {
    let Some((&link, mut rest)) = data.split_first() else { return };
    let mut pcap = Pcap::picked(link % 17);
    let mut now = 1_000_000_000_000_u64;
    let mut packets = 0;
    while let [low, high, more, behind @ ..] = rest {
        let length = (usize::from(*low) | usize::from(*high) << 8).min(behind.len());
        let (packet, next) = behind.split_at(length);
        // up to 32 seconds: idle limits and the patience with fragments are reached
        now += if more >> 4 == 0 { 10 } else { 1 << (more >> 4) << 10 };
        pcap.packet(now, packet, u32::from(more & 15) * 100);
        packets += 1;
        rest = next;
    }
    let (counts, _) = drain(pcap.finish(), &small(), drop).expect("a pcap file is read");
    assert_eq!(counts.seen, packets);
});
