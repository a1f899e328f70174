//! One HTTP/2 connection, shared by the requests of one user to one origin:
//! [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113), by the `h2` crate.
//!
//! A task of the thread's drives it for as long as it is open. When a request started is the moment before the socket took the
//! first bytes after its HEADERS frame was handed to the connection: that is that frame, unless the socket was too full for
//! what had been queued before, which is then told as sent a little too early. First and last byte of an answer are when the request's own task
//! has seen them, as with HTTP/1. DATA is counted with the request whose it is; what frames and heads took on the wire, and
//! what nobody asked for, with the request that ends next: the sum is that of the connection.

mod request;
mod wire;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response, header};
use mynah_traffic::Scheme;

use super::connection::{Broken, CONTINUE_WAIT, Exchanged, Patience, Sending, TURN, nanos};
use super::deadlines::{Deadline, Deadlines};
use super::reader::{Answer, Ask, HEAD_LIMIT, Keep, Room};
use super::{Buffers, Dialled, Failure, Kind, Place};
use crate::pace::Clock;
use request::{Outgoing, outgoing};
use wire::{Counted, Ledger};

/// A body that nobody waits for must not make a server wait: bytes that may be under way on a stream, and on a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// A DATA frame's head, §4.1.
const FRAME_HEAD: u64 = 9;
/// Interim answers to one request.
const INTERIM_LIMIT: usize = 1000;

/// A connection with any number of requests on it.
pub(crate) struct Http2 {
    send: SendRequest<Bytes>,
    ledger: Rc<Ledger>,
    /// The server has closed it, or said that it will.
    over: Rc<Cell<bool>>,
    /// Requests on it.
    active: Cell<usize>,
    scheme: Scheme,
    clock: Clock,
    buffers: Rc<Buffers>,
    deadlines: Rc<Deadlines>,
    spare: RefCell<Vec<Ticket>>,
    /// Whether a request was answered on it before.
    used: Cell<bool>,
}

/// What one request has of its own, and the next one again.
struct Ticket {
    deadline: Deadline,
    started: Rc<Cell<u64>>,
}

/// One request on a connection.
struct Stream<'a> {
    of: &'a Http2,
    ticket: Option<Ticket>,
    answer: &'a mut Answer,
    ask: Ask,
    done: Exchanged,
    interim: usize,
    /// Told to go on.
    goes_on: bool,
    response: ResponseFuture,
    body: Option<RecvStream>,
    room: Room,
    ended: bool,
}

impl Http2 {
    pub(crate) async fn open(
        place: &Place,
        clock: Clock,
        deadlines: &Rc<Deadlines>,
        buffers: &Rc<Buffers>,
    ) -> Result<(Http2, Dialled), Failure> {
        let (stream, dialled) = place.stream().await?;
        let ledger = Ledger::new(clock);
        let (send, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_LIMIT as u32)
            .enable_push(false)
            .handshake(Counted::new(stream, ledger.clone()))
            .await
            .map_err(|error| failure(&error, true).0)?;
        let over = Rc::new(Cell::new(false));
        let (ends, told) = (over.clone(), ledger.clone());
        tokio::task::spawn_local(async move {
            // What it failed of is told to each of its requests.
            let _ = connection.await;
            ends.set(true);
            told.moved.notify_waiters();
        });
        let http2 = Http2 {
            send,
            ledger,
            over,
            active: Cell::new(0),
            scheme: place.target.scheme,
            clock,
            buffers: buffers.clone(),
            deadlines: deadlines.clone(),
            spare: RefCell::default(),
            used: Cell::new(false),
        };
        Ok((http2, dialled))
    }

    /// Whether another request can go over it, now or when there is room.
    pub(crate) fn is_open(&self) -> bool {
        !self.over.get()
    }

    /// Whether a request was answered on it before.
    pub(crate) fn is_used(&self) -> bool {
        self.used.get()
    }

    /// Whether the server takes one more at the moment.
    pub(crate) fn has_room(&self) -> bool {
        self.active.get() < self.send.current_max_send_streams()
    }

    /// Waits for as long as the server takes no more streams at the same time.
    pub(crate) async fn room(&self) {
        while self.is_open() && !self.has_room() {
            self.ledger.moved.notified().await;
        }
    }

    /// Sends a request and reads its answer to the end, which must be here so long after it was sent.
    pub(crate) async fn exchange(
        &self,
        sending: Sending,
        answer: &mut Answer,
        patience: Patience,
    ) -> Result<Exchanged, Broken> {
        let Sending { bytes, rest, ask, last: _ } = sending;
        let outgoing = outgoing(&bytes, &rest, self.scheme);
        self.buffers.give_back(bytes);
        let outgoing = outgoing.map_err(|why| {
            Broken::unsent(Failure::new(Kind::Protocol, format!("cannot be sent over HTTP/2: {why}")))
        })?;
        answer.begin(if ask.keep == Keep::Nothing { Vec::new() } else { self.buffers.take() });
        let Outgoing { request, body, mut trailers, waits } = outgoing;
        let ends = body.is_empty() && trailers.is_none();
        let before = self.ledger.bytes_read();
        let (response, mut out) = match self.send.clone().send_request(request, ends) {
            Ok(begun) => begun,
            Err(error) => return Err(self.broken(&error, true, true)),
        };
        let mut stream = Stream::new(self, response, ask, answer);
        let mut body = (!ends).then_some(body);
        let from = self.clock.now();
        let first = if waits { patience.first.min(CONTINUE_WAIT) } else { patience.first };
        stream.arm(from.saturating_add(nanos(first)));
        let (mut waits, mut goes_on) = (waits, false);
        let mut step = |cx: &mut Context<'_>| {
            loop {
                if !waits && let Some(body) = body.take() {
                    stream.done.bytes_out += self.ledger.own_written(body.len() as u64);
                    if let Err(error) = upload(&mut out, body, trailers.take()) {
                        return Poll::Ready(Err(error));
                    }
                }
                return match stream.poll(cx) {
                    Poll::Pending if waits && (stream.goes_on || stream.is_past(cx)) => {
                        waits = false;
                        stream.arm(from.saturating_add(nanos(patience.first)));
                        continue;
                    }
                    Poll::Pending | Poll::Ready(Err(Ended::TurnOver)) if stream.is_past(cx) => {
                        if !goes_on && patience.has_more(stream.body.is_some()) {
                            goes_on = true;
                            stream.arm(from.saturating_add(nanos(patience.total)));
                            continue;
                        }
                        Poll::Ready(Err(Ended::Late))
                    }
                    other => other,
                };
            }
        };
        let result = loop {
            match poll_fn(&mut step).await {
                Err(Ended::TurnOver) => tokio::task::yield_now().await,
                result => break result,
            }
        };
        let done = stream.finish();
        match result {
            Ok(()) => {
                self.used.set(true);
                Ok(done)
            }
            Err(Ended::Late) => {
                if self.ledger.bytes_read() == before {
                    // Not a byte in all that time: nobody is there any more.
                    self.over.set(true);
                }
                let failure = patience.over(done.first > 0);
                Err(Broken { bytes_out: done.bytes_out, ..Broken::answered(failure) })
            }
            Err(Ended::Endless | Ended::TurnOver) => {
                let failure = Failure::new(Kind::Limit, "given up: more than 1000 interim answers (1xx)");
                Err(Broken { bytes_out: done.bytes_out, ..Broken::answered(failure) })
            }
            Err(Ended::Failed(error)) => {
                let broken = self.broken(&error, done.first == 0, done.started == 0);
                Err(Broken { bytes_out: done.bytes_out, ..broken })
            }
        }
    }

    fn broken(&self, error: &h2::Error, unanswered: bool, unsent: bool) -> Broken {
        let (failure, refused) = failure(error, unanswered);
        if !error.is_reset() {
            self.over.set(true);
        }
        Broken { failure, unanswered, unsent, refused, bytes_out: 0 }
    }
}

/// Why there is no answer.
enum Ended {
    Failed(h2::Error),
    Late,
    Endless,
    /// It has not: others have their turn.
    TurnOver,
}

impl From<h2::Error> for Ended {
    fn from(error: h2::Error) -> Ended {
        Ended::Failed(error)
    }
}

/// Queues a body. It is sent as the server's windows let it; nothing is copied.
fn upload(out: &mut SendStream<Bytes>, body: Bytes, trailers: Option<HeaderMap>) -> Result<(), Ended> {
    let sent = match trailers {
        None => out.send_data(body, true),
        Some(trailers) => out.send_data(body, false).and_then(|()| out.send_trailers(trailers)),
    };
    match sent {
        // The server may have answered and closed the stream before: then that answer is what counts.
        Err(error) if error.is_reset() || error.is_go_away() || error.is_io() => Err(error.into()),
        _ => Ok(()),
    }
}

impl<'a> Stream<'a> {
    fn new(of: &'a Http2, response: ResponseFuture, ask: Ask, answer: &'a mut Answer) -> Stream<'a> {
        let spare = of.spare.borrow_mut().pop();
        let ticket = spare.unwrap_or_else(|| Ticket { deadline: of.deadlines.add(), started: Rc::default() });
        ticket.started.set(0);
        of.ledger.handed_over(ticket.started.clone());
        of.active.set(of.active.get() + 1);
        Stream {
            of,
            ticket: Some(ticket),
            answer,
            ask,
            done: Exchanged { kept: ask.keep, ..Exchanged::default() },
            interim: 0,
            goes_on: false,
            response,
            body: None,
            room: Room::default(),
            ended: false,
        }
    }

    fn arm(&self, due: u64) {
        if let Some(ticket) = &self.ticket {
            ticket.deadline.arm(due);
        }
    }

    fn is_past(&self, cx: &Context<'_>) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| ticket.deadline.is_past(cx.waker()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        if self.body.is_none() {
            // Those that nobody takes would be kept for ever.
            while let Poll::Ready(Some(interim)) = self.response.poll_informational(cx) {
                self.goes_on |= interim?.status() == http::StatusCode::CONTINUE;
                self.interim += 1;
                if self.interim > INTERIM_LIMIT {
                    return Poll::Ready(Err(Ended::Endless));
                }
            }
            let response = ready!(std::pin::Pin::new(&mut self.response).poll(cx))?;
            self.done.first = self.of.clock.now();
            self.head(&response);
            self.body = Some(response.into_body());
        }
        let Some(body) = &mut self.body else { return Poll::Pending };
        let mut left = TURN;
        while !self.ended {
            if left == 0 {
                return Poll::Ready(Err(Ended::TurnOver));
            }
            match ready!(body.poll_data(cx)) {
                Some(data) => {
                    let data = data?;
                    // Padding aside.
                    self.done.bytes_in += self.of.ledger.own_read(data.len() as u64 + FRAME_HEAD);
                    self.room.keep(self.answer, &data);
                    left = left.saturating_sub(data.len());
                    let _ = body.flow_control().release_capacity(data.len());
                }
                None => self.ended = true,
            }
        }
        ready!(body.poll_trailers(cx))?;
        Poll::Ready(Ok(()))
    }

    fn head(&mut self, response: &Response<RecvStream>) {
        let (answer, fields) = (&mut *self.answer, response.headers());
        answer.status = response.status().as_u16();
        answer.keep_alive = true;
        let first = |name| fields.get(name).map(header::HeaderValue::as_bytes).unwrap_or_default();
        answer.content_type.extend_from_slice(first(header::CONTENT_TYPE));
        answer.content_encoding.extend_from_slice(first(header::CONTENT_ENCODING));
        answer.set_cookies.extend(fields.get_all(header::SET_COOKIE).iter().map(|v| v.as_bytes().to_vec()));
        if self.ask.keep_head {
            let head = &mut answer.head;
            head.extend_from_slice(format!("HTTP/2 {}\r\n", answer.status).as_bytes());
            for (name, value) in fields {
                head.extend_from_slice(name.as_str().as_bytes());
                head.extend_from_slice(b": ");
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(b"\r\n");
        }
        let length = first(header::CONTENT_LENGTH);
        let length = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok());
        self.room = Room::new(self.ask.keep, self.answer, length);
    }

    /// Its times and bytes.
    fn finish(mut self) -> Exchanged {
        let mut done = self.done;
        done.ended = self.of.clock.now();
        done.started = self.ticket.as_ref().map_or(0, |ticket| ticket.started.get());
        let (read, written) = self.of.ledger.rest();
        done.bytes_in += read;
        done.bytes_out += written;
        if let Some(ticket) = self.ticket.take() {
            ticket.deadline.disarm();
            // One that was never sent may yet be told so.
            if ticket.started.get() > 0 {
                self.of.spare.borrow_mut().push(ticket);
            }
        }
        done
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.of.active.set(self.of.active.get().saturating_sub(1));
        self.of.ledger.moved.notify_waiters();
    }
}

/// What went wrong, and whether the server has said that it did nothing with the request.
fn failure(error: &h2::Error, unanswered: bool) -> (Failure, bool) {
    if let Some(io) = error.get_io() {
        return (io_failure(io, unanswered), false);
    }
    let reason = error.reason().unwrap_or(Reason::NO_ERROR);
    let name = format!("{reason:?}");
    if error.is_library() {
        return (Failure::new(Kind::Protocol, format!("not HTTP/2: {}", reason.description())), false);
    }
    if error.is_go_away() {
        // §6.8: streams that the server has begun with are not told of it by this error.
        return (Failure::new(Kind::Goaway, format!("the server gave the connection up: {name}")), true);
    }
    if error.is_reset() {
        let refused = reason == Reason::REFUSED_STREAM;
        return (Failure::new(Kind::Stream, format!("the server reset the stream: {name}")), refused);
    }
    (Failure::new(Kind::Other, format!("HTTP/2: {error}")), false)
}

fn io_failure(error: &std::io::Error, unanswered: bool) -> Failure {
    use std::io::ErrorKind;
    match error.kind() {
        // What `h2` says of streams that a connection's end has cut off.
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof if unanswered => Failure::closed(),
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            Failure::new(Kind::Truncated, "connection closed in the middle of the body of the answer")
        }
        _ => Failure::exchange(error),
    }
}
