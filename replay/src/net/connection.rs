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
use memchr::memmem;

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
#[derive(Clone, Debug)]
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
    /// The server has said that it did nothing with it.
    pub(crate) refused: bool,
    pub(crate) bytes_out: u64,
}

impl Broken {
    /// Before anything was sent.
    pub(super) fn unsent(failure: Failure) -> Broken {
        Broken { failure, unanswered: true, unsent: true, refused: false, bytes_out: 0 }
    }

    /// Not to be tried again.
    pub(super) fn answered(failure: Failure) -> Broken {
        Broken { failure, unanswered: false, unsent: false, refused: false, bytes_out: 0 }
    }
}

/// A server that says nothing to `Expect: 100-continue` gets the body after so long, as from curl.
/// [RFC 9110 §10.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1): a client is not to wait for ever.
pub(super) const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// How long an answer is waited for, from when its request was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For its first byte; no longer than for all of it.
    pub(crate) first: Duration,
    /// For its last.
    pub(crate) total: Duration,
}

impl Patience {
    pub(crate) fn new(first: Option<Duration>, total: Duration) -> Patience {
        Patience { first: first.map_or(total, |first| first.min(total)), total }
    }

    /// Whether there is more time for an answer that has begun.
    pub(super) fn has_more(self, begun: bool) -> bool {
        begun && self.first < self.total
    }

    /// What came of it when the time is over.
    pub(super) fn over(self, begun: bool) -> Failure {
        if begun || self.first == self.total {
            Failure::timeout(self.total)
        } else {
            Failure::first_byte_timeout(self.first)
        }
    }
}

pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Where the head ends, if the body that follows it is to wait for the server's word (`Expect: 100-continue`).
fn waits_after(bytes: &[u8], total: usize) -> Option<usize> {
    // Most requests have no body, and their head is all there is.
    if bytes.len() == total && bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    memmem::find(bytes, b"100-")?;
    let end = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = bytes.get(..end)?;
    let asks = head.split(|&byte| byte == b'\n').any(|line| {
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(0));
        name.eq_ignore_ascii_case(b"expect")
            && value.get(1..).unwrap_or(&[]).trim_ascii().eq_ignore_ascii_case(b"100-continue")
    });
    (asks && end < total).then_some(end)
}

/// Bytes of an answer after which others have their turn: a server that sends as fast as it is read from would keep the thread
/// from its timers, and from everybody else's requests.
pub(super) const TURN: usize = 256 << 10;

/// Why reading does not go on.
enum Paused {
    Failed(Failure),
    TurnOver,
}

impl From<Failure> for Paused {
    fn from(failure: Failure) -> Paused {
        Paused::Failed(failure)
    }
}

/// How far writing is.
struct Writing {
    head: Vec<u8>,
    rest: Bytes,
    sent: usize,
    /// So much may be sent: all of it, or the head while it waits for the server's word to go on.
    until: usize,
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
    pub(crate) async fn exchange(
        &mut self,
        sending: Sending,
        patience: Patience,
    ) -> Result<Exchanged, Broken> {
        let Sending { bytes, rest, ask, last } = sending;
        let body = if ask.keep == Keep::Nothing { Vec::new() } else { self.buffers.take() };
        self.reader.begin(ask, body);
        self.open = false;
        let total = bytes.len() + rest.len();
        let until = waits_after(&bytes, total).unwrap_or(total);
        let mut writing = Writing { head: bytes, rest, sent: 0, until, total, flushed: false, error: None };
        let mut done = Exchanged { kept: ask.keep, ..Exchanged::default() };
        let mut armed = false;
        let mut goes_on = false;
        let mut step = |cx: &mut Context<'_>| {
            loop {
                self.poll_write(cx, &mut writing, &mut done.started);
                let waits = writing.until < writing.total;
                if !armed {
                    armed = true;
                    let from = if writing.sent > 0 { done.started } else { self.clock.now() };
                    let first = if waits { patience.first.min(CONTINUE_WAIT) } else { patience.first };
                    self.deadline.arm(from.saturating_add(nanos(first)));
                }
                return match self.poll_answer(cx, &mut done) {
                    Poll::Ready(Err(Paused::Failed(failure))) => {
                        Poll::Ready(Err(match writing.error.take() {
                            Some(error) => Paused::Failed(Failure::exchange(&error)),
                            None => Paused::Failed(failure),
                        }))
                    }
                    Poll::Pending if waits && (self.reader.goes_on || self.deadline.is_past(cx.waker())) => {
                        writing.until = writing.total;
                        writing.flushed = false;
                        self.deadline.arm(done.started.saturating_add(nanos(patience.first)));
                        continue;
                    }
                    Poll::Pending | Poll::Ready(Err(Paused::TurnOver))
                        if self.deadline.is_past(cx.waker()) =>
                    {
                        let begun = done.first > 0;
                        if !goes_on && patience.has_more(begun) {
                            goes_on = true;
                            self.deadline.arm(done.started.saturating_add(nanos(patience.total)));
                            continue;
                        }
                        Poll::Ready(Err(Paused::Failed(patience.over(begun))))
                    }
                    other => other,
                };
            }
        };
        let result = loop {
            match poll_fn(&mut step).await {
                Ok(nothing_after) => break Ok(nothing_after),
                Err(Paused::Failed(failure)) => break Err(failure),
                Err(Paused::TurnOver) => tokio::task::yield_now().await,
            }
        };
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
                refused: false,
                bytes_out: done.bytes_out,
            }),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, writing: &mut Writing, started: &mut u64) {
        while writing.sent < writing.until && writing.error.is_none() {
            let left = writing.until - writing.sent;
            let part = match writing.head.get(writing.sent..) {
                Some(part) if !part.is_empty() => part,
                _ => writing.rest.get(writing.sent - writing.head.len()..).unwrap_or(&[]),
            };
            let part = part.get(..left).unwrap_or(part);
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
                    if writing.rest.is_empty() && writing.until == writing.total {
                        // While the answer is waited for, another connection can use it.
                        self.buffers.give_back(std::mem::take(&mut writing.head));
                    }
                }
                Poll::Ready(Err(error)) => writing.error = Some(error),
            }
        }
    }

    /// Reads on. Ready with whether nothing came after the response.
    fn poll_answer(&mut self, cx: &mut Context<'_>, done: &mut Exchanged) -> Poll<Result<bool, Paused>> {
        let mut buffer = self.buffers.read.borrow_mut();
        let mut left = TURN;
        loop {
            if left == 0 {
                return Poll::Ready(Err(Paused::TurnOver));
            }
            let count = match self.stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                // TLS that was not closed before the connection was. Where that is what ends the body, nobody knows.
                Poll::Ready(Err(error))
                    if error.kind() == io::ErrorKind::UnexpectedEof
                        && !self.reader.ends_with_the_stream() =>
                {
                    0
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::exchange(&error).into())),
                Poll::Ready(Ok(count)) => count,
            };
            done.bytes_in += count as u64;
            left = left.saturating_sub(count);
            if count == 0 {
                return Poll::Ready(
                    self.reader.end().map(|()| false).map_err(|fault| Failure::fault(fault).into()),
                );
            }
            match self.reader.feed(buffer.get(..count).unwrap_or(&[])) {
                // The clock is read only where this is not the last byte as well.
                Ok(None) if done.first == 0 && self.reader.has_begun() => done.first = self.clock.now(),
                Ok(None) => {}
                Ok(Some(used)) => return Poll::Ready(Ok(used == count)),
                Err(fault) => return Poll::Ready(Err(Failure::fault(fault).into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_only_where_there_is_one_and_it_is_said() {
        let waits = |text: &str, more: usize| waits_after(text.as_bytes(), text.len() + more);
        let head = "POST / HTTP/1.1\r\nHost: h\r\nexpect:  100-Continue\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(waits(&format!("{head}abc"), 0), Some(head.len()));
        assert_eq!(waits(head, 3), Some(head.len()));
        assert_eq!(waits(head, 0), None);
        assert_eq!(waits("POST / HTTP/1.1\r\nX: 100-continue\r\n\r\nabc", 0), None);
        assert_eq!(waits("POST / HTTP/1.1\r\n\r\nExpect: 100-continue\r\n\r\nabc", 0), None);
    }
}
