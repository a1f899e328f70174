//! The heads in one direction of a connection, as on the wire, with their bodies passed over: what a proxy's HTTP library has taken
//! apart, as it was sent.

use std::collections::VecDeque;

use bytes::Bytes;
use mynah_message::Head;
use mynah_traffic::{Flags, Nanos, Side};

use super::framing::{Asked, Framing, framing};
use super::parser::{Event, Parser};

/// Heads that may wait to be asked for. The library reads ahead much less than that.
const MAX_WAITING: usize = 4096;

/// A head.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) head: Bytes,
    /// When its first byte came.
    pub(crate) first: Nanos,
    /// When its last byte came.
    pub(crate) last: Nanos,
    /// The end of the connection is the end of its body.
    pub(crate) until_close: bool,
    /// Of its framing.
    pub(crate) flags: Flags,
}

impl Found {
    /// Of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        Head::parse(&self.head).ok()?.status()
    }
}

/// Finds them.
#[derive(Debug)]
pub(crate) struct Heads {
    side: Side,
    parser: Parser,
    asked: Asked,
    found: VecDeque<Found>,
    off: bool,
}

impl Heads {
    pub(crate) fn new(side: Side) -> Self {
        Heads {
            side,
            parser: Parser::new(side, 0, false),
            asked: Asked::default(),
            found: VecDeque::new(),
            off: false,
        }
    }

    /// The next response answers this request; what came before answers none.
    pub(crate) fn expect(&mut self, method: &str) {
        self.found.clear();
        self.asked = Asked { head: method == "HEAD", connect: method == "CONNECT" };
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// Looks for no more: the connection speaks something else, or what it speaks is understood in two ways.
    pub(crate) fn off(&mut self) {
        self.off = true;
        self.parser.off();
        self.found.clear();
    }

    /// Whether a head has begun and has not ended.
    pub(crate) fn within_head(&self) -> bool {
        self.parser.cost() > 0
    }

    /// Bytes came.
    pub(crate) fn push(&mut self, mut data: &[u8], time: Nanos) {
        while !data.is_empty() && !self.off {
            let (used, event) = self.parser.push(data, time);
            data = data.get(used..).unwrap_or_default();
            match event {
                Some(Event::Head) => {
                    let (head, _) = self.parser.take_head();
                    self.head(head, time);
                }
                Some(Event::Done) => {
                    self.parser.drop_message();
                }
                Some(Event::Junk) => self.off(),
                None if used == 0 => return,
                None => {}
            }
        }
    }

    fn head(&mut self, raw: Bytes, time: Nanos) {
        let mut flags = Flags::default();
        let framing = match Head::parse(&raw) {
            Ok(head) if self.found.len() < MAX_WAITING => framing(&head, self.side, self.asked, &mut flags),
            _ => return self.off(),
        };
        let until_close = framing == Framing::UntilClose;
        self.found.push_back(Found { head: raw, first: self.parser.first, last: time, until_close, flags });
        if self.parser.begin(framing) {
            self.parser.drop_message();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(side: Side, pieces: &[&[u8]]) -> Vec<String> {
        let mut heads = Heads::new(side);
        for (at, piece) in pieces.iter().enumerate() {
            heads.push(piece, Nanos(at as u64));
        }
        std::iter::from_fn(|| heads.pop())
            .map(|found| {
                let first =
                    String::from_utf8_lossy(&found.head).lines().next().unwrap_or_default().to_owned();
                format!("{first} @{}-{}", found.first.0, found.last.0)
            })
            .collect()
    }

    #[test]
    fn heads_are_found_behind_bodies_that_look_like_heads() {
        let stream: &[&[u8]] = &[
            b"POST /a HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET /no HTTP/1.1\r\n",
            b"POST /b HTTP/1.1\r\nTransfer-Encod",
            b"ing: chunked\r\n\r\n12\r\nGET /no HTTP/1.1\r\n\r\n0\r\nA: b\r\n\r\nGET /c HTTP/1.1\r\n\r\n",
        ];
        assert_eq!(
            heads(Side::Request, stream),
            ["POST /a HTTP/1.1 @0-0", "POST /b HTTP/1.1 @1-2", "GET /c HTTP/1.1 @2-2"]
        );
    }

    #[test]
    fn interim_responses_are_heads_of_their_own() {
        let stream: &[&[u8]] = &[b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 no\r\n\r\n"];
        assert_eq!(heads(Side::Response, stream), ["HTTP/1.1 103 Early @0-0", "HTTP/1.1 200 OK @0-0"]);
    }

    #[test]
    fn other_protocols_turn_it_off() {
        assert!(heads(Side::Request, &[b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\n\r\n"]).is_empty());
    }
}
