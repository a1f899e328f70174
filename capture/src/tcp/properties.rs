//! Any segmentation, reordering, duplication and overlap of two byte streams gives the exchanges of the plain streams.

use proptest::prelude::*;

use super::wire::{CLIENT, SERVER, Sent, Wire, all_shown, run};
use crate::Options;

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
enum Sending {
    None,
    Length,
    Chunks,
}

#[derive(Clone, Debug)]
struct Talk {
    request: (Sending, Vec<u8>),
    response: (Sending, Vec<u8>),
    interim: bool,
}

fn message(start: &str, sending: Sending, body: &[u8]) -> Vec<u8> {
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

fn body() -> impl Strategy<Value = (Sending, Vec<u8>)> {
    let nasty = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        Just(b"GET /no HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n".to_vec()),
    ];
    prop_oneof![
        Just((Sending::None, Vec::new())),
        nasty.clone().prop_map(|body| (Sending::Length, body)),
        nasty.prop_map(|body| (Sending::Chunks, body)),
    ]
}

fn talk() -> impl Strategy<Value = Talk> {
    (body(), body(), any::<bool>()).prop_map(|(request, response, interim)| Talk {
        request,
        response,
        interim,
    })
}

/// Sends a piece in segments of the sizes given, in turn.
fn send_split(wire: &mut Wire, from: usize, data: &[u8], sizes: &[usize], turn: &mut usize) {
    let mut rest = data;
    while !rest.is_empty() {
        let size = sizes[*turn % sizes.len()].min(rest.len());
        *turn += 1;
        wire.send(from, &rest[..size]);
        rest = &rest[size..];
        // acknowledged now and then
        if turn.is_multiple_of(3) {
            wire.push(1 - from, b"");
        }
    }
}

/// The connection, `burst` requests in flight at a time.
fn connection(talks: &[Talk], burst: usize, sizes: &[usize], numbers: (u32, u32)) -> Wire {
    let mut wire = Wire::numbered(numbers.0, numbers.1);
    let mut turn = 0;
    for (round, talks) in talks.chunks(burst).enumerate() {
        let mut requests = Vec::new();
        let mut responses = Vec::new();
        for (n, talk) in talks.iter().enumerate() {
            let start = format!("POST /{round}/{n} HTTP/1.1\r\nHost: h");
            requests.extend(message(&start, talk.request.0, &talk.request.1));
            if talk.interim {
                responses.extend(b"HTTP/1.1 103 Early Hints\r\n\r\n");
            }
            responses.extend(message("HTTP/1.1 200 OK", talk.response.0, &talk.response.1));
        }
        send_split(&mut wire, CLIENT, &requests, sizes, &mut turn);
        send_split(&mut wire, SERVER, &responses, sizes, &mut turn);
    }
    wire.fin(CLIENT).fin(SERVER);
    wire
}

/// A copy of some bytes that were sent up to `at`, cut as it comes: partly or wholly over others. Of one turn only, for a
/// sender repeats only what is not acknowledged, and so nothing from before the other's answer.
fn overlap(sent: &[Sent], at: usize, back: usize, length: usize) -> Option<Sent> {
    let last = sent.get(at).filter(|sent| !sent.data.is_empty() && !sent.syn)?;
    let mut bytes = Vec::new();
    let mut first = last.sequence;
    for earlier in
        sent[..=at].iter().rev().filter(|sent| sent.by_client == last.by_client && !sent.data.is_empty())
    {
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
    let end = (skip + length).min(bytes.len());
    let data = bytes.get(skip..end)?.to_vec();
    Some(Sent { sequence: first.wrapping_add(skip as u32), data, fin: false, ..last.clone() })
}

proptest! {
    #[test]
    fn segments_do_not_matter(
        talks in proptest::collection::vec(talk(), 1..6),
        burst in 1_usize..4,
        sizes in proptest::collection::vec(1_usize..80, 1..5),
        numbers in prop_oneof![Just((999, 4999)), Just((u32::MAX - 60, u32::MAX - 5)), any::<(u32, u32)>()],
        copies in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, 1_usize..150, 1_usize..150), 0..12),
        delays in proptest::collection::vec((any::<prop::sample::Index>(), 1_usize..24), 0..40),
    ) {
        let plain = connection(&talks, burst, &[usize::MAX], numbers);
        let (expected, statistics) = run(&plain.sent, &Options::default());
        prop_assert_eq!(expected.len(), talks.len());
        prop_assert_eq!(statistics.gaps, 0);
        for (exchange, talk) in expected.iter().zip(&talks) {
            prop_assert_eq!(&exchange.request.as_ref().unwrap().body, &talk.request.1);
            prop_assert_eq!(&exchange.response.as_ref().unwrap().body, &talk.response.1);
        }

        let wire = connection(&talks, burst, &sizes, numbers);
        // segments come up to 24 places late; the handshake stays in front
        let mut order: Vec<(usize, Sent)> = wire.sent.iter().cloned().enumerate().collect();
        for (index, late) in delays {
            let at = 3 + index.index(order.len() - 3);
            order[at].0 = at + late;
        }
        for (index, later, back, length) in copies {
            let at = index.index(wire.sent.len());
            order.extend(overlap(&wire.sent, at, back, length).map(|copy| (at + later, copy)));
        }
        order.sort_by_key(|(place, _)| *place);
        let clock = (1..).map(|n| mynah_traffic::Nanos(n * 1000));
        let sent: Vec<Sent> = order.into_iter().zip(clock).map(|((_, sent), time)| Sent { time, ..sent }).collect();
        let (got, statistics) = run(&sent, &Options::default());
        prop_assert_eq!(all_shown(&got), all_shown(&expected));
        prop_assert_eq!(statistics.gaps, 0);
    }

    #[test]
    fn nothing_panics_and_nothing_is_held_beyond_the_limit(
        segments in proptest::collection::vec(
            (any::<bool>(), 0_u32..400, proptest::option::of(0_u32..400), 0_u8..32, proptest::collection::vec(any::<u8>(), 0..40), 0_u64..3_000_000),
            0..80,
        ),
        texts in proptest::collection::vec(0_usize..4, 1..20),
    ) {
        let known = ["GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", "HTTP/1.1 200", "CONNECT x HTTP/1.1\n\n"];
        let mut now = 0;
        let sent: Vec<Sent> = segments.into_iter().enumerate().map(|(n, (by_client, sequence, acknowledged, flags, noise, wait))| {
            now += wait * 1000;
            let text = known[texts[n % texts.len()]].as_bytes().to_vec();
            Sent {
                by_client,
                port: 1,
                sequence,
                acknowledged,
                        syn: flags == 1,
                fin: flags == 2,
                rst: flags == 3,
                data: if flags & 4 == 0 { text } else { noise },
                missing: u32::from(flags == 5) * 9,
                time: mynah_traffic::Nanos(now),
            }
        }).collect();
        let _ = run(&sent, &Options { flow_memory: 100, max_body: 10, memory: 4096, ..Options::default() });
    }
}
