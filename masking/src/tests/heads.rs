//! Heads whose lines come again and again: what is remembered of them must change nothing.

use std::fmt::Write as _;

use mynah_message::{Head, Message};
use mynah_traffic::Exchange;
use proptest::prelude::*;

use crate::{Key, Learner, Masker, Policy, Stream};

const LINES: [&str; 18] = [
    "Host: shop.example",
    "Accept: */*",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
    "Connection: keep-alive",
    "Cookie: theme=dark; sid=k3J9xQ2mLp0Zq81aW#",
    "Cookie: theme=dark; sid=k3J9xQ2mLp0Zq81aW#; _ga=GA1.2.471100#.1732150000",
    "Authorization: Bearer wJa7rXUtnF3MIK7mDKNGb#",
    "X-Request-Id: deadbeef-00c0ffee123#",
    "Referer: https://shop.example/items/#",
    "Referer: https://shop.example/items/?sid=k3J9xQ2mLp0Zq81aW#",
    "X-Note: k3J9xQ2mLp0Zq81aW#",
    "X-Note: see k3J9xQ2mLp0Zq%381aW#",
    "X-Fold: a\r\n k3J9xQ2mLp0Zq81aW#",
    "Token-Type: wJa7rXUtnF3MIK7mDKNGb#",
    "Date: Sat, 21 Nov 2026 02:11:0# GMT",
    "ETag: W/\"c0ffeebadcafe12#\"",
    "no field k3J9xQ2mLp0Zq81aW#",
    "X-Spaced :  k3J9xQ2mLp0Zq81aW# ",
];

const TARGETS: [&str; 5] = [
    "/",
    "/items/471#",
    "/reset/k3J9xQ2mLp0Zq81aW#",
    "/items?q=a+b&page=#&token=abcdef#",
    "/orders/109951162777#?ref=k3J9xQ2mLp0Zq81aW%3#",
];

/// A request with some of the lines, and a response with some; `#` stands for a number.
fn exchange(target: usize, lines: &[usize], answer: &[usize], body: bool, n: u8) -> Exchange {
    let fill = |text: &str| text.replace('#', &n.to_string());
    let text = if body {
        fill(r#"{"email":"ann#@mail.example","token":"wJa7rXUtnF3MIK7mDKNGb#"}"#)
    } else {
        String::new()
    };
    let message = |start: String, lines: &[usize]| {
        let mut head = start + "\r\n";
        for (at, line) in lines.iter().enumerate() {
            if body && at == 1 {
                let _ = write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", text.len());
            }
            head += &fill(LINES[*line]);
            head += "\r\n";
        }
        Message { head: (head + "\r\n").into(), body: text.clone().into(), ..Message::default() }
    };
    Exchange {
        request: Some(message(format!("GET {} HTTP/1.1", fill(TARGETS[target])), lines)),
        response: Some(message("HTTP/1.1 200 OK".to_owned(), answer)),
        ..Exchange::default()
    }
}

fn masker(exchanges: &[Exchange]) -> Masker {
    let mut learner = Learner::new(Policy::built_in(), Key::from([7; 32]));
    for exchange in exchanges {
        learner.learn(exchange);
    }
    learner.finish()
}

fn lengths_are_right(exchange: &Exchange) -> bool {
    [&exchange.request, &exchange.response].into_iter().flatten().all(|message| {
        let head = Head::parse(&message.head).unwrap();
        head.content_length().is_none_or(|len| len == message.body.len() as u64)
    })
}

fn some() -> impl Strategy<Value = Exchange> {
    let lines = || prop::collection::vec(0..LINES.len(), 1..7);
    (0..TARGETS.len(), lines(), lines(), any::<bool>(), 0_u8..3)
        .prop_map(|(target, request, response, body, n)| exchange(target, &request, &response, body, n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_remembered_changes_nothing(exchanges in prop::collection::vec(some(), 1..10), order in prop::collection::vec(any::<prop::sample::Index>(), 24)) {
        let mut remembering = masker(&exchanges);
        let mut auditor = remembering.auditor();
        let fresh: Vec<Exchange> = exchanges
            .iter()
            .map(|exchange| masker(&exchanges).mask(exchange.clone()).unwrap().into_inner())
            .collect();
        for index in order {
            let at = index.index(exchanges.len());
            let masked = remembering.mask(exchanges[at].clone()).unwrap();
            prop_assert_eq!(masked.get(), &fresh[at]);
            prop_assert!(lengths_are_right(masked.get()));
            auditor.check(masked.get());
        }
        prop_assert_eq!(auditor.finish(), Ok(()));
    }

    #[test]
    fn nor_when_more_is_learnt_on_the_way(exchanges in prop::collection::vec(some(), 1..10), order in prop::collection::vec(any::<prop::sample::Index>(), 24)) {
        let mut stream = Stream::new(Policy::built_in(), Key::from([7; 32]));
        let written: Vec<_> = order
            .iter()
            .map(|index| stream.mask(exchanges[index.index(exchanges.len())].clone()).unwrap())
            .collect();
        let mut sealer = stream.sealer();
        let mut auditor = sealer.auditor();
        for exchange in &written {
            let again = sealer.remask(exchange);
            let sealed = again.as_ref().unwrap_or(exchange);
            prop_assert!(lengths_are_right(sealed.get()));
            auditor.check(sealed.get());
        }
        prop_assert_eq!(auditor.finish(), Ok(()));
    }
}

#[test]
fn a_head_follows_its_body_where_the_length_is_a_value_too() {
    // A learnt value where the old length stands, and one that is too short to be learnt.
    for value in ["12345678901234567890", "98"] {
        let line = format!("X-Session-Token: {value}aZ9kQ7\r\nContent-Length: {value}");
        let message = Message {
            head: format!("POST / HTTP/1.1\r\nContent-Type: application/json\r\n{line}\r\nX-A: b\r\n\r\n")
                .into(),
            body: format!(r#"{{"email":"ann@mail.example","session_token":"{value}"}}"#).into(),
            ..Message::default()
        };
        let exchange = Exchange { request: Some(message), ..Exchange::default() };
        let mut masker = masker(std::slice::from_ref(&exchange));
        let mut auditor = masker.auditor();
        let masked = masker.mask(exchange.clone()).unwrap();
        auditor.check(masked.get());
        assert_eq!(auditor.finish(), Ok(()));
        assert!(lengths_are_right(masked.get()));
    }
}
