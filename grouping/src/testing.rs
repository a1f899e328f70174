//! A little traffic for tests.

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::{Connection, Exchange, Nanos, Scheme, Times};

use crate::Pass;

/// Exchanges, made one after the other.
#[derive(Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) exchanges: Vec<Exchange>,
    /// Now, in milliseconds.
    pub(crate) now: u64,
}

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;

impl Traffic {
    pub(crate) fn new() -> Traffic {
        Traffic { exchanges: Vec::new(), now: 1_000_000 }
    }

    /// An exchange of 10 ms that begins now; the clock goes on by 20 ms.
    pub(crate) fn raw(&mut self, connection: u64, request: &str, response: &str) -> &mut Exchange {
        let message = |text: &str| {
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
            Message {
                head: Bytes::from(format!("{head}\r\n\r\n")),
                body: Bytes::copy_from_slice(body.as_bytes()),
                trailers: Bytes::new(),
            }
        };
        let start = self.now;
        self.now += 20;
        self.exchanges.push(Exchange {
            request: Some(message(request)),
            response: Some(message(response)),
            scheme: Scheme::Http,
            connection: Connection {
                id: connection,
                ordinal: 0,
                client: Some(std::net::SocketAddr::from(([10, 0, 0, 1], 1000 + connection as u16))),
                ..Connection::default()
            },
            times: Times {
                request_first: Nanos(start * MS),
                request_last: Nanos((start + 1) * MS),
                response_first: Some(Nanos((start + 9) * MS)),
                response_last: Some(Nanos((start + 10) * MS)),
            },
            ..Exchange::default()
        });
        let last = self.exchanges.len() - 1;
        &mut self.exchanges[last]
    }

    /// A plain GET, answered with an empty page.
    pub(crate) fn get(&mut self, connection: u64, path: &str) -> &mut Exchange {
        self.raw(
            connection,
            &format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
        )
    }

    /// A request with header lines (each with its line end), answered likewise.
    pub(crate) fn ask(&mut self, connection: u64, line: &str, headers: &str, answer: &str) -> &mut Exchange {
        self.raw(
            connection,
            &format!("{line} HTTP/1.1\r\nHost: shop.test\r\n{headers}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{answer}\r\n"),
        )
    }

    /// In the order in which they were completed, as a recording has them.
    pub(crate) fn open(&self) -> impl Fn() -> Result<Pass, mynah_traffic::Error> + use<> {
        let mut exchanges = self.exchanges.clone();
        exchanges.sort_by_key(|exchange| exchange.times.end());
        move || Ok(Box::new(exchanges.clone().into_iter().map(Ok)) as Pass)
    }
}
