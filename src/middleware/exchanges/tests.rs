use mynah_traffic::{Connection, SensitiveSpan};

use super::*;

fn message(head: &str, body: &str) -> Message {
    Message {
        head: head.replace('\n', "\r\n").into_bytes().into(),
        body: body.to_owned().into(),
        ..Message::default()
    }
}

fn exchange(number: u64) -> Masked<Exchange> {
    crate::unmasked::pass(Exchange {
        request: Some(message(&format!("GET /{number} HTTP/1.1\n\n"), "")),
        response: Some(message("HTTP/1.1 200 OK\nContent-Length: 2\n\n", "ok")),
        connection: Connection { id: number, ..Connection::default() },
        ..Exchange::default()
    })
}

/// One that never answers by itself, with so many exchanges before it, and their records.
#[cfg(unix)]
fn silent(count: u64) -> (Rewriter, Vec<Record>) {
    let mut rewriter = Rewriter::start("sleep 600").unwrap();
    let mut all = Vec::new();
    for number in 0..count {
        let exchange = exchange(number);
        let id = Id::of(&exchange.get().connection, number as u32).to_string();
        all.extend(records(exchange.get(), &id));
        rewriter.push(exchange).unwrap();
    }
    (rewriter, all)
}

#[cfg(unix)]
fn through(rewriter: &mut Rewriter) -> Vec<u64> {
    std::iter::from_fn(|| rewriter.ready()).map(|exchange| exchange.get().connection.id).collect()
}

#[cfg(unix)]
#[test]
fn exchanges_come_out_in_the_order_they_went_in() {
    let (mut rewriter, records) = silent(3);
    for at in [5, 4, 3, 0] {
        rewriter.take(Ok(records[at].clone()));
        rewriter.settle();
    }
    assert!(through(&mut rewriter).is_empty(), "a response is still to come, and it is the first's");
    rewriter.take(Ok(records[1].clone()));
    rewriter.settle();
    assert_eq!(through(&mut rewriter), [0]);
    rewriter.take(Ok(records[2].clone()));
    rewriter.settle();
    assert_eq!(through(&mut rewriter), [1, 2]);
    // twice, too late, of nobody, of a kind that was not sent
    rewriter.take(Ok(records[2].clone()));
    rewriter.take(Ok(Record { id: "other".to_owned(), ..records[0].clone() }));
    rewriter.take(Ok(Record { kind: Kind::Replayed, ..records[0].clone() }));
    assert_eq!((rewriter.tally.strays, rewriter.held, rewriter.away()), (3, 0, 0));
}

#[cfg(unix)]
#[test]
fn who_is_overtaken_for_long_is_given_up() {
    let (mut rewriter, records) = silent(4);
    for at in [0, 1, 3, 4, 5] {
        rewriter.take(Ok(records[at].clone()));
    }
    rewriter.settle();
    assert_eq!(through(&mut rewriter), [0], "the second's request may still come");
    for (when, _) in &mut rewriter.reached {
        *when = when.checked_sub(PATIENCE).unwrap();
    }
    // what answered messages up to the last one is known a little late, as answers that come together are
    rewriter.reached.push_back((Instant::now().checked_sub(PATIENCE).unwrap(), rewriter.latest));
    rewriter.settle();
    assert_eq!(through(&mut rewriter), [2]);
    assert_eq!((rewriter.tally.dropped, rewriter.away()), (1, 1), "the last one was overtaken by nobody");
}

#[cfg(unix)]
#[test]
fn what_comes_back_as_something_else_is_put_in_its_place() {
    let (mut rewriter, records) = silent(3);
    let changed = |at: usize, payload: &[u8]| Record { payload: payload.to_vec(), ..records[at].clone() };
    rewriter.take(Ok(changed(0, b"HEAD /x HTTP/1.1\r\n\r\n")));
    rewriter.take(Ok(changed(1, b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n")));
    rewriter.take(Ok(changed(2, b"no request at all")));
    rewriter.take(Ok(records[3].clone()));
    rewriter.take(Ok(records[4].clone()));
    rewriter.take(Ok(changed(5, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")));
    rewriter.settle();
    let out: Vec<Exchange> = std::iter::from_fn(|| rewriter.ready()).map(Masked::into_inner).collect();
    assert_eq!(out.len(), 2);
    assert_eq!(
        (out[0].status(), out[0].flags.is_empty()),
        (Some(404), true),
        "an answer to HEAD has no body"
    );
    assert_eq!(out[1].response.as_ref().unwrap().body, "half");
    assert!(out[1].flags.has(Flag::Truncated));
    let Tally { dropped, changed, unreadable, .. } = rewriter.tally;
    assert_eq!((dropped, changed, unreadable), (1, 2, 1));
}

#[test]
fn of_what_was_sensitive_that_stays_known_which_still_stands_there() {
    let head = "POST /a HTTP/1.1\nCookie: sid=abc\nX-Key: secret\nHost: h\n\n";
    let span = |side, in_body, text: &str| {
        let part = if in_body { "user=bob".to_owned() } else { head.replace('\n', "\r\n") };
        let start = part.find(text).unwrap() as u32;
        SensitiveSpan { side, in_body, start, len: text.len() as u32, kind: text.to_owned() }
    };
    let before = Exchange {
        request: Some(message(head, "user=bob")),
        sensitive: vec![
            span(Side::Request, false, "abc"),
            span(Side::Request, false, "secret"),
            span(Side::Request, true, "bob"),
            span(Side::Response, true, "user"),
        ],
        ..Exchange::default()
    };
    let after = |head: &str, body: &str| {
        let mut exchange = before.clone();
        replace(&mut exchange, Side::Request, message(head, body), Flags::default());
        let request = exchange.request.as_ref().unwrap();
        for span in exchange.sensitive.iter().filter(|span| span.side == Side::Request) {
            let part = if span.in_body { &request.body } else { &request.head };
            assert_eq!(part[span.start as usize..][..span.len as usize], *span.kind.as_bytes());
        }
        exchange.sensitive.iter().map(|span| span.kind.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(after(head, "user=bob"), "abc secret bob user");
    assert_eq!(after(&head.replace("/a", "/longer"), "user=bob"), "abc secret bob user");
    assert_eq!(after(&head.replace("Cookie: sid=abc\n", ""), "user=bob"), "secret bob user");
    assert_eq!(after(&head.replace("secret", "other"), "user=eve"), "abc user");
    assert_eq!(after("", ""), "user");
    let gzip = head.replace("Host", "Content-Encoding: gzip\nHost");
    assert_eq!(after(&gzip, "user=bob"), "abc secret user", "the same bytes say something else now");
}

#[test]
fn http2_bodies_need_no_length() {
    let payload = b"POST / HTTP/1.1\r\nHost: h\r\n\r\nbody";
    let http2: Flags = [Flag::NotHttp1].into_iter().collect();
    let (message, flags) = read(payload, Side::Request, None, http2).unwrap();
    assert_eq!((&message.body[..], flags.is_empty()), (&b"body"[..], true));
    let withheld: Flags = [Flag::BodyWithheld].into_iter().collect();
    let payload = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
    assert!(read(payload, Side::Request, None, withheld).unwrap().1.is_empty(), "it was left out before");
    assert!(read(payload, Side::Request, None, Flags::default()).unwrap().1.has(Flag::Truncated));
}
