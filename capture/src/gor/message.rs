//! One message out of a record's payload.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use mynah_message::Message;
use mynah_traffic::{Flags, Nanos, Side};

use crate::http::{Conversation, Ending, Limits, Out};

/// The message that a payload holds, as recordings keep it: its chunked coding undone. `method` is that of the request which a
/// response answers: what decides whether it has a body. The flags tell what is wrong with it.
///
/// `None` when the payload is no HTTP/1, or more than one message.
pub fn message(payload: &[u8], side: Side, method: Option<&str>) -> Option<(Message, Flags)> {
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into();
    let limits = Limits { max_body: u64::MAX, waiting: u64::MAX };
    let mut conversation = Conversation::new(nobody, nobody, false, limits);
    let (mut found, mut number) = (VecDeque::new(), 0);
    let mut out = Out { exchanges: &mut found, next_connection: &mut number };
    if side == Side::Response {
        let asked = format!("{} / HTTP/1.1\r\n\r\n", method.unwrap_or("GET"));
        conversation.feed(Side::Request, asked.as_bytes(), Nanos(0), &mut out);
    }
    conversation.feed(side, payload, Nanos(0), &mut out);
    if side == Side::Request {
        conversation.eof(Side::Request, &mut out);
    }
    conversation.close(Ending::Closed, &mut out);
    let exchange = found.pop_front().filter(|_| found.is_empty())?;
    let message = match side {
        Side::Request => exchange.request,
        Side::Response => exchange.response,
    };
    let ours = |flag| {
        use mynah_traffic::Flag::{AmbiguousFraming, Junk, Malformed, Truncated};
        [AmbiguousFraming, Junk, Malformed, Truncated].contains(&flag)
    };
    Some((message?, exchange.flags.iter().filter(|&flag| ours(flag)).collect()))
}

#[cfg(test)]
mod tests {
    use mynah_traffic::Flag;

    use super::*;

    #[test]
    fn requests_are_read() {
        let (message, flags) =
            super::message(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", Side::Request, None).unwrap();
        assert_eq!((&message.body[..], flags.is_empty()), (&b"abc"[..], true));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        let (message, flags) = super::message(chunked, Side::Request, None).unwrap();
        assert_eq!((&message.body[..], flags.is_empty()), (&b"ab"[..], true), "{flags:?}");
        let (message, flags) =
            super::message(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", Side::Request, None).unwrap();
        assert_eq!((&message.body[..], flags.has(Flag::Truncated)), (&b"abc"[..], true));
    }

    #[test]
    fn responses_are_read_by_the_method_they_answer() {
        let payload = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let (_, flags) = super::message(payload, Side::Response, Some("HEAD")).unwrap();
        assert!(flags.is_empty(), "{flags:?}");
        let (_, flags) = super::message(payload, Side::Response, Some("GET")).unwrap();
        assert!(flags.has(Flag::Truncated), "{flags:?}");
        let (message, flags) =
            super::message(b"HTTP/1.1 200 OK\r\n\r\nto the end", Side::Response, None).unwrap();
        assert_eq!((&message.body[..], flags.is_empty()), (&b"to the end"[..], true), "{flags:?}");
    }

    #[test]
    fn what_is_no_message_is_none() {
        let two = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        for payload in [&b""[..], b"nonsense", b"\x00\x01", two] {
            assert_eq!(super::message(payload, Side::Request, None), None);
        }
        assert_eq!(super::message(b"", Side::Response, None), None);
        assert_eq!(super::message(b"GET / HTTP/1.1\r\n\r\n", Side::Response, None), None);
    }
}
