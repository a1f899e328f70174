//! A request and its response: learnt from, masked, audited; files and streams alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_masking::{Key, Learner, Policy, Stream};
use mynah_message::Message;
use mynah_traffic::Exchange;

/// Names and forms that make something sensitive, so that the fuzzer need not find them one by one.
const REQUEST: &str = "POST /a?token=k3J9xQ2mLp0Z HTTP/1.1\r\nCookie: sid=f3a9c1d27be84056a1b2c3d4e5f60718\r\n";

fuzz_target!(|data: &[u8]| {
    let mut pieces = data.splitn(2, |b| *b == 0);
    let (one, two) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
    let message = |start: &str, data: &[u8]| {
        let end = data.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
        let (head, body) = data.split_at(end);
        let head = if head.is_empty() { b"\r\n" } else { head };
        Message { head: [start.as_bytes(), head].concat().into(), body: body.to_vec().into(), ..Message::default() }
    };
    let exchange = Exchange {
        request: Some(message(REQUEST, one)),
        response: Some(message("HTTP/1.1 200 OK\r\n", two)),
        ..Exchange::default()
    };
    let mut learner = Learner::new(Policy::built_in(), Key::from([7; 32]));
    learner.learn(&exchange);
    let mut masker = learner.finish();
    let masked = masker.mask(exchange.clone()).expect("no rule rejects").into_inner();
    let mut auditor = masker.auditor();
    auditor.check(&masked);
    let found = auditor.finish();
    assert!(found.is_ok(), "{found:?}");

    let mut stream = Stream::new(Policy::built_in(), Key::from([7; 32]));
    let again = stream.mask(exchange).expect("no rule rejects").into_inner();
    assert_eq!(again.sensitive.len(), masked.sensitive.len());
});
