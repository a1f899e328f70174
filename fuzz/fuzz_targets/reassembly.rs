//! One connection, cut into segments that come late, twice, over each other; and then also lost, cut short, with flags and numbers
//! that nobody sent. Where nothing is lost the exchanges are those of the plain connection.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mynah_capture::Options;
use mynah_fuzz::pcap::{ACK, Segment, Wire, file};
use mynah_fuzz::{Read, drain, read};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Sending {
    None,
    Length,
    Chunks,
}

#[derive(Arbitrary, Debug)]
struct Talk {
    request: (Sending, Vec<u8>),
    response: (Sending, Vec<u8>),
    interim: bool,
}

#[derive(Arbitrary, Debug)]
struct Copy {
    of: u8,
    later: u8,
    back: u8,
    length: u8,
}

/// What happens to a segment that no capture without loss shows.
#[derive(Arbitrary, Debug)]
enum Harm {
    Lost,
    Cut(u8),
    Flags(u8),
    Sequence(u32),
    Acknowledged(u32),
    Data(Vec<u8>),
    Late(u16),
}

#[derive(Arbitrary, Debug)]
struct Plan {
    talks: Vec<Talk>,
    burst: u8,
    sizes: [u8; 4],
    numbers: [u32; 2],
    delays: Vec<(u8, u8)>,
    copies: Vec<Copy>,
    harm: Vec<(u8, Harm)>,
    /// Time between packets.
    slow: bool,
}

fn message(start: &str, (sending, body): &(Sending, Vec<u8>)) -> Vec<u8> {
    let mut out = start.as_bytes().to_vec();
    match sending {
        Sending::None => out.extend(b"\r\nContent-Length: 0\r\n\r\n"),
        Sending::Length => {
            out.extend(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).bytes());
            out.extend(body);
        }
        Sending::Chunks => {
            out.extend(b"\r\nTransfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(7) {
                out.extend(format!("{:x};x\r\n", chunk.len()).bytes());
                out.extend(chunk);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\nT: 1\r\n\r\n");
        }
    }
    out
}

fn connection(plan: &Plan, sizes: &[usize]) -> Wire {
    let mut wire = Wire::new(plan.numbers);
    let mut turn = 0;
    let burst = usize::from(plan.burst % 4) + 1;
    for (round, talks) in plan.talks.chunks(burst).enumerate() {
        let mut sides = [Vec::new(), Vec::new()];
        for (n, talk) in talks.iter().enumerate() {
            sides[0].extend(message(&format!("POST /{round}/{n} HTTP/1.1\r\nHost: h"), &talk.request));
            if talk.interim {
                sides[1].extend(b"HTTP/1.1 103 Early Hints\r\n\r\n");
            }
            sides[1].extend(message("HTTP/1.1 200 OK", &talk.response));
        }
        for (from, bytes) in sides.iter().enumerate() {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(sizes[turn % sizes.len()].min(rest.len()));
                wire.send(from, piece);
                rest = behind;
                turn += 1;
                if turn % 3 == 0 {
                    wire.push(1 - from, &[], ACK);
                }
            }
        }
    }
    wire.fin(0);
    wire.fin(1);
    wire
}

/// A copy of bytes sent up to `at`, cut as it comes. Of one turn only: a sender repeats what is not acknowledged, and so
/// nothing from before the other's answer.
fn overlap(sent: &[Segment], at: usize, back: usize, length: usize) -> Option<Segment> {
    let last = sent.get(at).filter(|sent| !sent.data.is_empty())?;
    let (mut bytes, mut first) = (Vec::new(), last.sequence);
    for earlier in sent[..=at].iter().rev().filter(|sent| sent.from == last.from && !sent.data.is_empty()) {
        if earlier.acknowledged != last.acknowledged {
            break;
        }
        bytes.splice(0..0, earlier.data.iter().copied());
        first = earlier.sequence;
        if bytes.len() >= back {
            break;
        }
    }
    let skip = bytes.len().saturating_sub(back);
    let data = bytes.get(skip..(skip + length).min(bytes.len()))?.to_vec();
    Some(Segment { sequence: first.wrapping_add(skip as u32), data, flags: ACK, ..last.clone() })
}

/// All that must not depend on segments.
fn shown(read: &Read) -> Vec<String> {
    read.exchanges
        .iter()
        .map(|e| format!("{:?} {:?} {:?} {}", e.request, e.response, e.flags, e.connection.ordinal))
        .collect()
}

fuzz_target!(|plan: Plan| {
    let total: usize = plan.talks.iter().map(|talk| talk.request.1.len() + talk.response.1.len()).sum();
    if plan.talks.is_empty() || plan.talks.len() > 12 || total > 8192 {
        return;
    }
    // bodies of 8 KiB in segments of a byte are slow and teach nothing
    let least = total / 256 + 1;
    let sizes: Vec<usize> = plan.sizes.iter().map(|&size| usize::from(size).max(least)).collect();
    let wire = connection(&plan, &sizes);
    let mut order: Vec<(usize, Segment)> = wire.sent.iter().cloned().enumerate().collect();
    for &(which, late) in &plan.delays {
        // the handshake stays in front
        let at = 3 + usize::from(which) % (order.len() - 3);
        order[at].0 = at + usize::from(late % 24);
    }
    for copy in plan.copies.iter().take(12) {
        let at = usize::from(copy.of) % wire.sent.len();
        let made = overlap(&wire.sent, at, usize::from(copy.back) + 1, usize::from(copy.length) + 1);
        order.extend(made.map(|made| (at + usize::from(copy.later % 12), made)));
    }
    for (which, harm) in &plan.harm {
        let count = order.len();
        let (place, segment) = &mut order[usize::from(*which) % count];
        match harm {
            Harm::Lost => *place = usize::MAX,
            Harm::Cut(by) => {
                let left = segment.data.len().saturating_sub(usize::from(*by));
                segment.missing = (segment.data.len() - left) as u16;
                segment.data.truncate(left);
            }
            Harm::Flags(flags) => segment.flags ^= flags,
            Harm::Sequence(by) => segment.sequence = segment.sequence.wrapping_add(*by),
            Harm::Acknowledged(by) => segment.acknowledged = segment.acknowledged.wrapping_add(*by),
            Harm::Data(data) => segment.data = data[..data.len().min(2000)].to_vec(),
            Harm::Late(by) => *place = place.saturating_add(usize::from(*by)),
        }
    }
    order.sort_by_key(|(place, _)| *place);
    let sent = order.iter().filter(|(place, _)| *place != usize::MAX).map(|(_, segment)| segment);
    let step = if plan.slow { 400_000 } else { 1 };
    if !plan.harm.is_empty() {
        let tight = Options { flow_memory: 400, max_body: 50, memory: 8192, ..Options::default() };
        drain(file(sent.clone(), step), &tight, drop);
        drain(file(sent, step), &mynah_fuzz::small(), drop);
        return;
    }
    let plain = connection(&plan, &[16_000]);
    let expected = read(file(&plain.sent, 1), &Options::default()).expect("a pcap file is read");
    assert_eq!(expected.exchanges.len(), plan.talks.len());
    assert_eq!(expected.counts.gaps, 0);
    for (exchange, talk) in expected.exchanges.iter().zip(&plan.talks) {
        for (message, (sending, body)) in
            [(&exchange.request, &talk.request), (&exchange.response, &talk.response)]
        {
            let body = if matches!(sending, Sending::None) { &[][..] } else { body };
            assert_eq!(message.as_ref().expect("both sides").body, body);
        }
    }
    let got = read(file(sent, 1), &Options::default()).expect("a pcap file is read");
    assert_eq!(shown(&got), shown(&expected));
    assert_eq!(got.counts.gaps, 0);
});
