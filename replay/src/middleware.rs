//! Requests through a program of the user's, on their way out.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use mynah_message::{Head, Message};
use mynah_traffic::gor::{Id, Kind, Record, records};
use mynah_traffic::units::format_duration;
use mynah_traffic::{Exchange, Nanos, Times};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::net::{Answer, Ask, Exchanged, Failure, Keep, Kind as Fault, Sending};

/// What requests go through before they are sent. Called on the sending threads: neither function may wait.
pub trait Middleware: Debug + Send + Sync {
    /// Takes a request (type 1) as it is about to be sent. What comes back is sent instead, byte for byte. The sender of
    /// the channel is dropped when nothing will come back.
    fn request(&self, record: Record) -> oneshot::Receiver<Vec<u8>>;

    /// Takes the response that it got (type 3, of the same identifier), for the middleware to know.
    fn replayed(&self, record: Record);
}

/// The middleware of a run, with the identifiers that it is told.
#[derive(Debug)]
pub(crate) struct Hook {
    middleware: Arc<dyn Middleware>,
    next: AtomicU64,
    /// A request that has not come back after this time counts as dropped by the middleware.
    patience: Duration,
}

/// A request that came back.
#[derive(Debug)]
pub(crate) struct Through {
    id: String,
    payload: Bytes,
    head: usize,
    method: Option<Method>,
    /// Nothing can follow it: it says so, or its body is not as long as its head says.
    last: bool,
}

impl Hook {
    pub(crate) fn new(middleware: Arc<dyn Middleware>, patience: Duration) -> Hook {
        Hook { middleware, next: AtomicU64::new(0), patience }
    }

    /// Sends a request through.
    pub(crate) async fn through(&self, sending: &Sending) -> Result<Through, Failure> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = Id { connection: number >> 32, number: number as u32 }.to_string();
        let record = Record {
            kind: Kind::Request,
            id: id.clone(),
            time: Some(now()),
            latency: Some(Nanos(0)),
            payload: [&sending.bytes[..], &sending.rest[..]].concat(),
        };
        let failed = |why: &str| Failure::new(Fault::Middleware, why);
        match timeout(self.patience, self.middleware.request(record)).await {
            Ok(Ok(payload)) => {
                Through::new(id, payload).ok_or_else(|| failed("middleware: what came back is no request"))
            }
            Ok(Err(_)) => Err(failed("middleware: it has ended, or does not keep up")),
            Err(_) => {
                let patience = format_duration(Nanos::from(self.patience));
                Err(failed(&format!("middleware: the request did not come back within {patience}")))
            }
        }
    }

    /// Tells of the response.
    pub(crate) fn replayed(&self, through: &Through, answer: &Answer, exchanged: &Exchanged) {
        let message = |head: &[u8], body: &[u8]| Message {
            head: Bytes::copy_from_slice(head),
            body: Bytes::copy_from_slice(body),
            trailers: Bytes::new(),
        };
        let round_trip = Nanos(exchanged.ended.saturating_sub(exchanged.started));
        let exchange = Exchange {
            request: Some(message(through.payload.get(..through.head).unwrap_or(&[]), &[])),
            response: Some(message(&answer.head, &answer.body)),
            times: Times::default(),
            ..Exchange::default()
        };
        if let Some(record) = records(&exchange, &through.id).pop() {
            let time = Some(Nanos(now().0.saturating_sub(round_trip.0)));
            self.middleware.replayed(Record {
                kind: Kind::Replayed,
                time,
                latency: Some(round_trip),
                ..record
            });
        }
    }
}

impl Through {
    fn new(id: String, payload: Vec<u8>) -> Option<Through> {
        let head = Head::parse(&payload).ok()?;
        let method = Some(Method::from_bytes(head.method()?.as_bytes()).ok()?);
        let body = payload.get(head.len()..).unwrap_or(&[]);
        let framed = if head.is_chunked() {
            body.ends_with(b"\r\n\r\n")
        } else {
            head.content_length().unwrap_or(0) == body.len() as u64
        };
        let (last, head) = (!head.keep_alive() || !framed, head.len());
        Some(Through { id, payload: payload.into(), head, method, last })
    }

    /// The request as it is to be sent. All of the response is wanted, to be told of.
    pub(crate) fn sending(&self) -> Sending {
        Sending {
            bytes: Vec::new(),
            rest: self.payload.clone(),
            ask: Ask { head_only: self.method == Some(Method::HEAD), keep_head: true, keep: Keep::All },
            last: self.last,
        }
    }

    /// Whether it may be sent a second time.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method.as_ref().is_some_and(Method::is_idempotent)
    }

    /// Path and query.
    pub(crate) fn target(&self) -> Option<String> {
        Head::parse(&self.payload).ok()?.target().map(str::to_owned)
    }
}

fn now() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(payload: &str) -> Option<Through> {
        Through::new("a".to_owned(), payload.replace('\n', "\r\n").into_bytes())
    }

    #[test]
    fn what_came_back_decides_how_it_is_sent() {
        let get = through("GET /a?b HTTP/1.1\nHost: h\n\n").unwrap();
        assert_eq!((get.last, get.sending().ask.head_only, get.is_idempotent()), (false, false, true));
        assert_eq!(get.target().as_deref(), Some("/a?b"));
        assert!(through("HEAD / HTTP/1.1\n\n").unwrap().sending().ask.head_only);
        assert!(through("GET / HTTP/1.1\nConnection: close\n\n").unwrap().last);
        assert!(!through("POST / HTTP/1.1\nContent-Length: 3\n\nabc").unwrap().last);
        assert!(!through("POST / HTTP/1.1\nContent-Length: 3\n\nabc").unwrap().is_idempotent());
        assert!(!through("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n").unwrap().last);
    }

    #[test]
    fn a_connection_ends_with_a_request_whose_length_is_wrong() {
        for wrong in [
            "POST / HTTP/1.1\nContent-Length: 3\n\nabcd",
            "POST / HTTP/1.1\nContent-Length: 3\n\nab",
            "GET / HTTP/1.1\n\nx",
            "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc",
        ] {
            assert!(through(wrong).unwrap().last, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_request_is_not_sent() {
        assert!(through("").is_none());
        assert!(through("HTTP/1.1 200 OK\n\n").is_none());
    }
}
