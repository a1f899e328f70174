//! One HTTP/1 connection, driven by whoever has a request on it.
//!
//! There is no task behind it: an idle connection is a socket and a few words of memory, and that the server has closed it is
//! noticed when it is to be used again.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::deadlines::{Deadline, Deadlines};
use super::reader::{Answer, Ask, Keep, Reader};
use super::wire::Stream;
use super::{Buffers, Dialled, Failure, Place};
use crate::pace::Clock;

/// A connection to a target.
pub(crate) struct Connection {
    stream: Stream,
    reader: Reader,
    deadline: Deadline,
    buffers: Rc<Buffers>,
    clock: Clock,
    /// Whether the last exchange left it so that another can follow.
    open: bool,
    /// Whether a request was answered on it before.
    pub(crate) used: bool,
}

/// A request, written out.
#[derive(Debug)]
pub(crate) struct Sending {
    /// Head and, unless it is large, body. Taken from the thread's buffers, and given back to them.
    pub(crate) bytes: Vec<u8>,
    /// What comes after them.
    pub(crate) rest: Bytes,
    pub(crate) ask: Ask,
    /// It says that it is the last one on the connection.
    pub(crate) last: bool,
}

/// When and how much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchanged {
    /// When the socket took the request's first byte.
    pub(crate) started: u64,
    /// What was kept of the body.
    pub(crate) kept: Keep,
    /// When the first byte of the answer was here.
    pub(crate) first: u64,
    /// When the last byte was here.
    pub(crate) ended: u64,
    /// With TLS, bytes are those inside it.
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// An exchange that failed.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// Nothing of a response had come.
    pub(crate) unanswered: bool,
    /// Not a byte of the request was taken.
    pub(crate) unsent: bool,
    pub(crate) bytes_out: u64,
}

/// How far writing is.
struct Writing {
    head: Vec<u8>,
    rest: Bytes,
    sent: usize,
    total: usize,
    flushed: bool,
    /// Why it could not go on. The server may have answered all the same, and then that is what counts.
    error: Option<io::Error>,
}

impl Connection {
    pub(crate) async fn open(
        place: &Place,
        clock: Clock,
        deadlines: &Rc<Deadlines>,
        buffers: &Rc<Buffers>,
    ) -> Result<(Connection, Dialled), Failure> {
        let (stream, dialled) = place.stream().await?;
        let connection = Connection {
            stream,
            reader: Reader::new(),
            deadline: deadlines.add(),
            buffers: buffers.clone(),
            clock,
            open: true,
            used: false,
        };
        Ok((connection, dialled))
    }

    /// Whether another request can go over it. Does not wait.
    pub(crate) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            let mut buffer = self.buffers.read.borrow_mut();
            // Nothing is to be read between two exchanges: what comes is an end, an error, or an answer to no question.
            Poll::Ready(self.open && self.stream.poll_read(cx, &mut buffer).is_pending())
        })
        .await
    }

    /// Whether the last exchange left it so that another can follow, unless the server has closed it since.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// The response that was read last.
    pub(crate) fn answer(&mut self) -> &mut Answer {
        &mut self.reader.answer
    }

    /// Sends a request and reads its answer to the end, which must be here so long after the first byte was sent.
    pub(crate) async fn exchange(&mut self, sending: Sending, limit: Duration) -> Result<Exchanged, Broken> {
        let Sending { bytes, rest, ask, last } = sending;
        let body = if ask.keep == Keep::Nothing { Vec::new() } else { self.buffers.take() };
        self.reader.begin(ask, body);
        self.open = false;
        let total = bytes.len() + rest.len();
        let mut writing = Writing { head: bytes, rest, sent: 0, total, flushed: false, error: None };
        let mut done = Exchanged { kept: ask.keep, ..Exchanged::default() };
        let mut armed = false;
        let result = poll_fn(|cx| {
            self.poll_write(cx, &mut writing, &mut done.started);
            if !armed {
                armed = true;
                let from = if writing.sent > 0 { done.started } else { self.clock.now() };
                let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
                self.deadline.arm(from.saturating_add(limit));
            }
            match self.poll_answer(cx, &mut done) {
                Poll::Ready(Err(failure)) => Poll::Ready(Err(match writing.error.take() {
                    Some(error) => Failure::exchange(&error),
                    None => failure,
                })),
                Poll::Pending if self.deadline.is_past(cx.waker()) => {
                    Poll::Ready(Err(Failure::timeout(limit)))
                }
                other => other,
            }
        })
        .await;
        self.deadline.disarm();
        done.ended = self.clock.now();
        if done.first == 0 {
            done.first = done.ended;
        }
        done.bytes_out = writing.sent as u64;
        let whole = writing.sent == writing.total && writing.flushed;
        if !writing.head.is_empty() {
            self.buffers.give_back(writing.head);
        }
        match result {
            Ok(nothing_after) => {
                self.open = nothing_after && whole && !last && self.reader.answer.keep_alive;
                self.used = true;
                Ok(done)
            }
            Err(failure) => Err(Broken {
                failure,
                unanswered: done.bytes_in == 0,
                unsent: writing.sent == 0,
                bytes_out: done.bytes_out,
            }),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, writing: &mut Writing, started: &mut u64) {
        while writing.sent < writing.total && writing.error.is_none() {
            let part = match writing.head.get(writing.sent..) {
                Some(part) if !part.is_empty() => part,
                _ => writing.rest.get(writing.sent - writing.head.len()..).unwrap_or(&[]),
            };
            // Before the call: on loopback the answer can be there when it returns.
            let now = if writing.sent == 0 { self.clock.now() } else { 0 };
            match self.stream.poll_write(cx, part) {
                Poll::Pending => return,
                Poll::Ready(Err(error)) => writing.error = Some(error),
                Poll::Ready(Ok(count)) => {
                    if writing.sent == 0 {
                        *started = now;
                    }
                    writing.sent += count;
                }
            }
        }
        if !writing.flushed && writing.error.is_none() {
            match self.stream.poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    writing.flushed = true;
                    if writing.rest.is_empty() {
                        // While the answer is waited for, another connection can use it.
                        self.buffers.give_back(std::mem::take(&mut writing.head));
                    }
                }
                Poll::Ready(Err(error)) => writing.error = Some(error),
            }
        }
    }

    /// Reads on. Ready with whether nothing came after the response.
    fn poll_answer(&mut self, cx: &mut Context<'_>, done: &mut Exchanged) -> Poll<Result<bool, Failure>> {
        let mut buffer = self.buffers.read.borrow_mut();
        loop {
            let count = match self.stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::exchange(&error))),
                Poll::Ready(Ok(count)) => count,
            };
            let is_first = done.bytes_in == 0;
            done.bytes_in += count as u64;
            if count == 0 {
                return Poll::Ready(self.reader.end().map(|()| false).map_err(Failure::fault));
            }
            match self.reader.feed(buffer.get(..count).unwrap_or(&[])) {
                // The clock is read only where this is not the last byte as well.
                Ok(None) if is_first => done.first = self.clock.now(),
                Ok(None) => {}
                Ok(Some(used)) => return Poll::Ready(Ok(used == count)),
                Err(fault) => return Poll::Ready(Err(Failure::fault(fault))),
            }
        }
    }
}
