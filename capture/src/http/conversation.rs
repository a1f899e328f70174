//! Both directions of one connection, paired. Responses answer requests in order
//! ([RFC 9112 §9.3.2](https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2)). The caller feeds both directions in causal order
//! (a segment after all that its sender had acknowledged): so a request that follows a hole among the responses tells that the
//! ones before it lost theirs.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mynah_message::{Head, Message, Version};
use mynah_traffic::{Exchange, Flag, Nanos, Side};

use super::Limits;
use super::framing::{Asked, Framing};
use super::parser::{Event, Hole, Parser};
use super::plain::Read;
use crate::net::End;

/// Requests that may wait for their responses.
const MAX_OUTSTANDING: usize = 4096;
/// Bytes kept that a client sent behind a `CONNECT` which has no answer yet.
const MAX_HELD: usize = 64 << 10;

/// How a connection, or the view of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides said goodbye.
    Closed,
    /// RST.
    Reset,
    /// The capture ended, or mynah gave the flow up.
    Unseen,
}

/// What a connection went over to when it left HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// HTTP/2, by `Upgrade: h2c`.
    Http2,
    /// WebSocket, a tunnel, or anything else.
    Other,
}

/// An exchange in the making.
#[derive(Debug, Default)]
struct Pending {
    /// As far as it is known. A message is there from its head on.
    exchange: Exchange,
    request_done: bool,
    asked: Asked,
    response_started: bool,
    response_done: bool,
    /// A hole among the responses lies behind this request: its response may have been in it.
    doubtful: bool,
}

impl Pending {
    fn cost(&self) -> u64 {
        let message =
            |m: &Option<Message>| m.as_ref().map_or(0, |m| m.head.len() + m.body.len() + m.trailers.len());
        let messages = message(&self.exchange.request) + message(&self.exchange.response);
        (messages + size_of::<Pending>()) as u64
    }
}

/// Where finished exchanges go.
pub(crate) struct Out<'a> {
    pub(crate) exchanges: &'a mut VecDeque<Exchange>,
    /// The number that the next connection with an exchange gets.
    pub(crate) next_connection: &'a mut u64,
}

/// The HTTP/1 on one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    limits: Limits,
    /// The client's and the server's.
    sockets: (SocketAddr, SocketAddr),
    mid_stream: bool,
    id: Option<u64>,
    ordinals: u32,
    requests: Parser,
    responses: Parser,
    queue: VecDeque<Pending>,
    /// Of what is in the queue, in bytes.
    stored: u64,
    /// No response comes any more.
    server_done: bool,
    /// The last request is a `CONNECT` without an answer; what the client sent behind it.
    tunnel: Option<Vec<(Vec<u8>, Nanos)>>,
    /// What the connection went over to.
    pub(crate) left: Option<Left>,
    /// Bytes that belong to no message were seen, on either side.
    pub(crate) junk: bool,
}

impl Conversation {
    pub(crate) fn new(client: End, server: End, mid_stream: bool, limits: Limits) -> Self {
        Conversation {
            limits,
            sockets: (client.socket(), server.socket()),
            mid_stream,
            id: None,
            ordinals: 0,
            requests: Parser::new(Side::Request, limits.max_body, mid_stream),
            responses: Parser::new(Side::Response, limits.max_body, mid_stream),
            queue: VecDeque::new(),
            stored: 0,
            server_done: false,
            tunnel: None,
            left: None,
            junk: false,
        }
    }

    /// The handshake was captured after all, behind data that overtook it.
    pub(crate) fn began(&mut self) {
        self.mid_stream = false;
    }

    /// Bytes held.
    pub(crate) fn cost(&self) -> u64 {
        let tunnel = self.tunnel.as_ref().map_or(0, |held| held.iter().map(|(data, _)| data.len()).sum());
        self.stored + (self.requests.cost() + self.responses.cost() + tunnel) as u64
    }

    /// Whether anything of HTTP has been seen.
    pub(crate) fn spoke_http(&self) -> bool {
        self.ordinals > 0
    }

    /// The next bytes that the client ([`Side::Request`]) or the server sent.
    pub(crate) fn feed(&mut self, side: Side, data: &[u8], time: Nanos, out: &mut Out<'_>) {
        if side == Side::Request
            && let Some(held) = &mut self.tunnel
        {
            let size: usize = held.iter().map(|(data, _)| data.len()).sum();
            if size + data.len() <= MAX_HELD {
                held.push((data.to_vec(), time));
                return;
            }
            // nobody sends that much without an answer: it was a tunnel, and its answer was not captured
            self.tunnel = None;
            self.requests.off();
        }
        self.parse(side, data, time, out);
        self.bound(out);
    }

    fn parse(&mut self, side: Side, mut data: &[u8], time: Nanos, out: &mut Out<'_>) {
        while !data.is_empty() {
            let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
            let (used, event) = parser.push(data, time);
            data = data.get(used..).unwrap_or_default();
            match event {
                None => {}
                Some(Event::Head) => self.head(side, true, out),
                Some(Event::Done) => self.done(side, out),
                Some(Event::Junk) => self.junk(side),
            }
            if side == Side::Request && self.tunnel.is_some() {
                if !data.is_empty() {
                    self.feed(side, data, time, out);
                }
                return;
            }
        }
    }

    /// `length` bytes of one direction were never captured.
    pub(crate) fn hole(&mut self, side: Side, length: u64, out: &mut Out<'_>) {
        if side == Side::Request && self.tunnel.is_some() {
            return;
        }
        let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
        match parser.hole(length) {
            Hole::Within => {}
            Hole::Ended { in_step } => {
                self.done(side, out);
                if !in_step {
                    self.doubt(side);
                }
            }
            Hole::InHead => {
                self.partial_head(side, Flag::Gap, out);
                self.doubt(side);
            }
            Hole::Between => self.doubt(side),
        }
    }

    /// Bytes of one direction are missing; it is not known yet how many, or whether they come late.
    pub(crate) fn suspect(&mut self, side: Side) {
        self.doubt(side);
    }

    /// One direction has ended in order.
    pub(crate) fn eof(&mut self, side: Side, out: &mut Out<'_>) {
        if side == Side::Request && self.tunnel.is_some() {
            return;
        }
        self.end_side(side, None, out);
        if side == Side::Response {
            self.server_done = true;
            self.flush(|pending| pending.request_done, out);
        }
    }

    /// The connection is over: everything that is unfinished goes out with its flags.
    pub(crate) fn close(&mut self, ending: Ending, out: &mut Out<'_>) {
        let mark = match ending {
            Ending::Closed => None,
            Ending::Reset => Some(Flag::Reset),
            Ending::Unseen => Some(Flag::Truncated),
        };
        if ending == Ending::Reset {
            self.queue.iter_mut().for_each(|pending| pending.exchange.flags.set(Flag::Reset));
        }
        for side in [Side::Request, Side::Response] {
            self.end_side(side, mark, out);
        }
        self.flush(|_| true, out);
    }

    fn end_side(&mut self, side: Side, mark: Option<Flag>, out: &mut Out<'_>) {
        let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
        let cut = parser.until_close() && mark.is_some();
        match parser.end() {
            Some(Event::Head) => self.partial_head(side, Flag::Truncated, out),
            Some(Event::Done) => {
                if cut {
                    parser.flags.set(Flag::Truncated);
                }
                self.done(side, out);
            }
            _ => {}
        }
    }

    /// A head that was cut short: a message of its own when at least its start line is whole.
    fn partial_head(&mut self, side: Side, why: Flag, out: &mut Out<'_>) {
        let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
        if !parser.keep_whole_lines() {
            return;
        }
        parser.flags.set(why);
        parser.flags.set(Flag::Truncated);
        self.head(side, false, out);
    }

    /// `whole`: up to its blank line, so that a body may follow.
    fn head(&mut self, side: Side, whole: bool, out: &mut Out<'_>) {
        match side {
            Side::Request => self.request_head(whole, out),
            Side::Response => self.response_head(whole, out),
        }
    }

    fn request_head(&mut self, whole: bool, out: &mut Out<'_>) {
        let (bytes, plain) = self.requests.take_head();
        let head = match Read::of(plain, &bytes) {
            Some(head) if head.status().is_none() && is_http(&head) => head,
            _ => return self.no_message(Side::Request),
        };
        let asked = head.asked();
        let framing =
            if whole { head.framing(Side::Request, asked, &mut self.requests.flags) } else { Framing::Empty };
        drop(head);
        let first = self.requests.first;
        self.begin_pending(|pending| {
            pending.asked = asked;
            pending.exchange.times.request_first = first;
            // moved, not cloned: a second owner would cost an allocation for each
            pending.exchange.request = Some(Message { head: bytes, ..Message::default() });
        });
        let empty = self.requests.begin(framing);
        if empty {
            self.done(Side::Request, out);
        }
        if asked.connect && whole {
            self.tunnel = Some(Vec::new());
        }
    }

    fn response_head(&mut self, whole: bool, out: &mut Out<'_>) {
        let (bytes, plain) = self.responses.take_head();
        let head = Read::of(plain, &bytes);
        let Some((head, status)) = head.and_then(|head| head.status().map(|status| (head, status))) else {
            return self.no_message(Side::Response);
        };
        self.drop_doubtful(out);
        if (100..200).contains(&status) && status != 101 {
            if let Some(pending) = self.queue.iter_mut().find(|pending| !pending.response_started) {
                pending.exchange.flags.set(Flag::Interim);
            }
            self.responses.begin(Framing::Empty);
            self.responses.drop_message();
            return;
        }
        if !self.queue.iter().any(|pending| !pending.response_started) {
            let first = self.responses.first;
            self.begin_pending(|orphan| {
                orphan.request_done = true;
                orphan.exchange.flags.set(Flag::NoRequest);
                orphan.exchange.times.request_first = first;
                orphan.exchange.times.request_last = first;
            });
        }
        let Some(pending) = self.queue.iter_mut().find(|pending| !pending.response_started) else { return };
        if !pending.request_done {
            pending.exchange.flags.set(Flag::EarlyResponse);
        }
        let asked = pending.asked;
        pending.response_started = true;
        pending.exchange.times.response_first = Some(self.responses.first);
        self.stored += bytes.len() as u64;
        let framing = if whole {
            head.framing(Side::Response, asked, &mut self.responses.flags)
        } else {
            Framing::Empty
        };
        let tunnel = asked.connect && (200..300).contains(&status);
        drop(head);
        let leaves = (status == 101 || tunnel).then(|| {
            let upgrade = Head::parse(&bytes).ok().and_then(|head| head.get("upgrade"));
            upgrade.is_some_and(|to| to.eq_ignore_ascii_case("h2c"))
        });
        pending.exchange.response = Some(Message { head: bytes, ..Message::default() });
        if let Some(to_http2) = leaves {
            pending.exchange.flags.set(Flag::Upgraded);
            self.leave(to_http2, out);
        }
        let empty = self.responses.begin(framing);
        if self.left.is_some() {
            self.responses.off();
        }
        if empty {
            self.done(Side::Response, out);
        }
        if asked.connect && self.left.is_none() {
            self.refused_tunnel(out);
        }
    }

    /// The connection speaks something else from here on.
    fn leave(&mut self, http2: bool, out: &mut Out<'_>) {
        self.left = Some(if http2 { Left::Http2 } else { Left::Other });
        self.tunnel = None;
        if let Some(Event::Done) = self.requests.end() {
            self.done(Side::Request, out);
        }
        self.requests.off();
    }

    /// A `CONNECT` was refused: what the client sent behind it is HTTP after all.
    fn refused_tunnel(&mut self, out: &mut Out<'_>) {
        for (data, time) in self.tunnel.take().unwrap_or_default() {
            self.feed(Side::Request, &data, time, out);
        }
    }

    /// The message in hand of `side` is over.
    fn done(&mut self, side: Side, out: &mut Out<'_>) {
        let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
        let last = parser.last;
        let found = match side {
            Side::Request => self.queue.iter_mut().rev().find(|pending| !pending.request_done),
            Side::Response => {
                self.queue.iter_mut().find(|pending| pending.response_started && !pending.response_done)
            }
        };
        let Some(pending) = found else {
            parser.drop_message();
            return;
        };
        let exchange = &mut pending.exchange;
        let message = match side {
            Side::Request => {
                pending.request_done = true;
                exchange.times.request_last = last;
                &mut exchange.request
            }
            Side::Response => {
                pending.response_done = true;
                exchange.times.response_last = Some(last);
                &mut exchange.response
            }
        };
        let message = message.get_or_insert_default();
        exchange.flags.join(parser.take(message));
        // the head was counted when it came
        self.stored += (message.body.len() + message.trailers.len()) as u64;
        let server_done = self.server_done;
        self.flush(|pending| pending.request_done && (pending.response_done || server_done), out);
    }

    /// Bytes that belong to no message: the exchange in hand is told, else the next.
    fn junk(&mut self, side: Side) {
        self.junk = true;
        match self.queue.back_mut() {
            Some(pending) => pending.exchange.flags.set(Flag::Junk),
            None if side == Side::Request => self.requests.flags.set(Flag::Junk),
            None => self.responses.flags.set(Flag::Junk),
        }
    }

    /// What looked like the beginning of a message is none.
    fn no_message(&mut self, side: Side) {
        let parser = if side == Side::Request { &mut self.requests } else { &mut self.responses };
        parser.lose();
        parser.drop_message();
        self.junk(side);
    }

    /// There is a hole between messages. Behind one among the responses it is open whether the outstanding requests were answered.
    fn doubt(&mut self, side: Side) {
        if side == Side::Response {
            let outstanding = self.queue.iter_mut().filter(|pending| !pending.response_started);
            outstanding.for_each(|pending| pending.doubtful = true);
        }
    }

    /// A response comes. Which of the doubtful requests is it for? Clients seldom pipeline: when a request was sent after the
    /// hole, it is for that one. When several were outstanding at the hole, the first lost its response.
    fn drop_doubtful(&mut self, out: &mut Out<'_>) {
        let waiting = || self.queue.iter().filter(|pending| !pending.response_started);
        let doubtful = waiting().take_while(|pending| pending.doubtful).count();
        if doubtful == 0 {
            return;
        }
        let lost = if waiting().count() > doubtful { doubtful } else { usize::from(doubtful > 1) };
        let mut left = lost;
        for pending in self.queue.iter_mut().filter(|pending| !pending.response_started) {
            pending.doubtful = false;
            // with several in doubt the pairing of the rest is a guess, and says so
            if doubtful > 1 || left > 0 {
                pending.exchange.flags.set(Flag::Gap);
            }
            if left > 0 {
                left -= 1;
                pending.response_started = true;
                pending.response_done = true;
            }
        }
        self.flush(|pending| pending.request_done && pending.response_done, out);
    }

    /// Puts another exchange at the end of the queue; made in its place, for it is large.
    fn begin_pending(&mut self, fill: impl FnOnce(&mut Pending)) {
        self.queue.push_back(Pending::default());
        if let Some(pending) = self.queue.back_mut() {
            fill(pending);
            pending.exchange.connection.ordinal = self.ordinals;
            self.stored += pending.cost();
        }
        self.ordinals = self.ordinals.saturating_add(1);
    }

    /// Keeps what waits within its limits: the oldest goes out without what it waits for.
    fn bound(&mut self, out: &mut Out<'_>) {
        while self.queue.len() > MAX_OUTSTANDING
            || (self.stored > self.limits.waiting && self.queue.len() > 1)
        {
            self.emit(0, out);
        }
    }

    /// Sends out, in order, what `is_ready`.
    fn flush(&mut self, is_ready: impl Fn(&Pending) -> bool, out: &mut Out<'_>) {
        let mut at = 0;
        while at < self.queue.len() {
            if self.queue.get(at).is_some_and(&is_ready) {
                self.emit(at, out);
            } else {
                at += 1;
            }
        }
    }

    /// Sends out the one at this place of the queue.
    fn emit(&mut self, at: usize, out: &mut Out<'_>) {
        let Some(pending) = self.queue.get_mut(at) else { return };
        self.stored = self.stored.saturating_sub(pending.cost());
        let (request_done, response_done) = (pending.request_done, pending.response_done);
        out.exchanges.push_back(std::mem::take(&mut pending.exchange));
        // where it stands, as a rule: taken out it would be moved once more
        if self.queue.len() == 1 {
            self.queue.clear();
        } else {
            self.queue.remove(at);
        }
        let Some(exchange) = out.exchanges.back_mut() else { return };
        // a message in hand whose exchange must go: its head is all there is
        if exchange.request.is_some() && !request_done || exchange.response.is_some() && !response_done {
            exchange.flags.set(Flag::Truncated);
        }
        if exchange.response.is_none() {
            exchange.flags.set(Flag::NoResponse);
        }
        if self.mid_stream {
            exchange.flags.set(Flag::MidStream);
        }
        exchange.times.request_last = exchange.times.request_last.max(exchange.times.request_first);
        exchange.connection.id = *self.id.get_or_insert_with(|| {
            let id = *out.next_connection;
            *out.next_connection += 1;
            id
        });
        exchange.connection.client = Some(self.sockets.0);
        exchange.connection.server = Some(self.sockets.1);
    }
}

/// Whether a request line without an HTTP version is a simple or misspelt request rather than another protocol's.
fn is_http(head: &Read<'_>) -> bool {
    let Read::Parsed(head) = head else { return true };
    head.version() != Version::Http09
        || head.target().is_some_and(|target| {
            !target.contains([' ', '\t']) && (target.starts_with(['/', '*']) || target.starts_with("http"))
        })
}
