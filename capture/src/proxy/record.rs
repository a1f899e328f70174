//! An exchange in the making, filled from both directions and handed over when nobody holds it any more: however it ends, it is
//! recorded once.

use std::error::Error as _;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use mynah_message::Message;
use mynah_traffic::{Exchange, Flag, Flags, Nanos, Side};

use super::clock::Clock;
use crate::feed::Queue;

/// What all exchanges of a proxy share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Clock,
    /// Bytes kept of one body.
    pub(super) max_body: u64,
    /// Bytes that bodies in the making may hold together.
    pub(super) limit: u64,
    held: AtomicU64,
    pub(super) tally: Tally,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) seen: AtomicU64,
    pub(super) captured: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// Bodies that were kept in part because others held all the room.
    pub(super) short_of_memory: AtomicU64,
    /// Refused with 400, 414 or 431.
    pub(super) malformed: AtomicU64,
    /// Cut because a head did not come to its end.
    pub(super) slow: AtomicU64,
    pub(super) connect: AtomicU64,
    /// Answered with 502.
    pub(super) unanswered: AtomicU64,
    pub(super) handshakes: AtomicU64,
    pub(super) accept: AtomicU64,
    /// Connections cut because they had not come to their end at the stop.
    pub(super) cut: AtomicU64,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Desk {
    pub(super) fn new(queue: Arc<Queue>, max_body: u64, limit: u64) -> Self {
        Desk { queue, clock: Clock::new(), max_body, limit, held: AtomicU64::new(0), tally: Tally::default() }
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Cut off; `reset` says whether by force.
    Broken {
        reset: bool,
    },
}

impl End {
    pub(super) fn of(error: &hyper::Error) -> End {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(inner) = inner.downcast_ref::<io::Error>() {
                return End::Broken { reset: inner.kind() == io::ErrorKind::ConnectionReset };
            }
            cause = inner.source();
        }
        End::Broken { reset: false }
    }
}

/// The exchange.
#[derive(Debug)]
pub(super) struct Record {
    desk: Arc<Desk>,
    making: Mutex<Making>,
}

#[derive(Debug, Default)]
struct Making {
    exchange: Exchange,
    request: Half,
    response: Half,
}

#[derive(Debug, Default)]
struct Half {
    body: BytesMut,
    trailers: BytesMut,
    done: bool,
    cut: bool,
}

impl Record {
    /// Begins with what is known of the exchange: its request's head.
    pub(super) fn begin(desk: &Arc<Desk>, exchange: Exchange) -> Arc<Record> {
        count(&desk.tally.seen);
        let making = Making { exchange, ..Making::default() };
        Arc::new(Record { desk: Arc::clone(desk), making: Mutex::new(making) })
    }

    fn making(&self) -> MutexGuard<'_, Making> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn flag(&self, flag: Flag) {
        self.making().exchange.flags.set(flag);
    }

    pub(super) fn server(&self, address: Option<std::net::SocketAddr>) {
        self.making().exchange.connection.server = address;
    }

    /// The final response's head came.
    pub(super) fn answer(&self, head: Bytes, first: Nanos, last: Nanos, flags: Flags) {
        let mut making = self.making();
        let early = !making.request.done;
        let exchange = &mut making.exchange;
        exchange.response = Some(Message { head, ..Message::default() });
        exchange.times.response_first = Some(first);
        exchange.times.response_last = Some(last.max(first));
        flags.iter().for_each(|flag| exchange.flags.set(flag));
        if early {
            exchange.flags.set(Flag::EarlyResponse);
        }
    }

    /// A piece of a body passed by.
    pub(super) fn data(&self, side: Side, data: &[u8]) {
        let now = self.desk.clock.now();
        let mut making = self.making();
        making.passed(side, now);
        let half = making.half(side);
        let room = self.desk.max_body.saturating_sub(half.body.len() as u64).min(data.len() as u64) as usize;
        let mut kept = if half.cut { 0 } else { room };
        let held = self.desk.held.fetch_add(kept as u64, Ordering::Relaxed);
        if kept > 0 && held + kept as u64 > self.desk.limit {
            self.desk.held.fetch_sub(kept as u64, Ordering::Relaxed);
            count(&self.desk.tally.short_of_memory);
            kept = 0;
        }
        half.body.extend_from_slice(data.get(..kept).unwrap_or_default());
        half.cut |= kept < data.len();
    }

    /// Trailers passed by.
    pub(super) fn trailers(&self, side: Side, fields: &HeaderMap) {
        let now = self.desk.clock.now();
        let mut making = self.making();
        making.passed(side, now);
        let half = making.half(side);
        for (name, value) in fields {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                half.trailers.extend_from_slice(part);
            }
        }
    }

    /// A body is over.
    pub(super) fn end(&self, side: Side, end: End) {
        let mut making = self.making();
        if let End::Broken { reset } = end {
            making.exchange.flags.set(Flag::Truncated);
            if reset {
                making.exchange.flags.set(Flag::Reset);
            }
        }
        making.half(side).done = true;
    }
}

impl Making {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn passed(&mut self, side: Side, now: Nanos) {
        let times = &mut self.exchange.times;
        match side {
            Side::Request => times.request_last = now,
            Side::Response => times.response_last = Some(now),
        }
    }

    fn finish(mut self) -> Exchange {
        let mut exchange = self.exchange;
        if exchange.response.is_none() {
            exchange.flags.set(Flag::NoResponse);
        }
        let messages =
            [(&mut exchange.request, &mut self.request), (&mut exchange.response, &mut self.response)];
        for (message, half) in messages {
            let Some(message) = message else { continue };
            message.body = half.body.split().freeze();
            message.trailers = half.trailers.split().freeze();
            if half.cut {
                exchange.flags.set(Flag::BodyCut);
            }
            if !half.done {
                exchange.flags.set(Flag::Truncated);
            }
        }
        exchange
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let making = mem::take(self.making.get_mut().unwrap_or_else(PoisonError::into_inner));
        let held = making.request.body.len() + making.response.body.len();
        self.desk.held.fetch_sub(held as u64, Ordering::Relaxed);
        let tally = &self.desk.tally;
        match self.desk.queue.offer(Box::new(making.finish())) {
            Ok(()) => count(&tally.captured),
            Err(_) => count(&tally.dropped),
        }
    }
}
