//! One direction of a connection: bytes in, heads and bodies out.

use bytes::{Bytes, BytesMut};
use mynah_message::Message;
use mynah_traffic::{Flag, Flags, Nanos, Side};

use super::chunked::{Chunked, Step};
use super::framing::Framing;
use super::plain::Plain;
use super::start;

/// A head that is longer is no head. Servers stop at 8 to 64 KiB.
const MAX_HEAD: usize = 1 << 20;
const MAX_TRAILERS: usize = 64 << 10;
/// A body's buffer starts no larger than this, whatever its length claims to be.
const FIRST_RESERVE: u64 = 256 << 10;

#[derive(Debug)]
enum State {
    /// Between messages.
    Start,
    /// In a head; the bytes before this one hold no end of it.
    Head(usize),
    /// A head was given out, and how its body is framed has not been told yet.
    Framing,
    Fixed(u64),
    Chunked(Chunked),
    UntilClose,
    /// What comes is no beginning of a message: look for one.
    Lost,
    /// The connection speaks something else now.
    Off,
}

/// What a push led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A head is whole. [`Parser::take_head`] and [`Parser::begin`] must follow.
    Head,
    /// The message is over. [`Parser::take`] must follow.
    Done,
    /// Bytes that belong to no message begin here.
    Junk,
}

/// What a hole did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// It lies within a body whose framing goes on behind it.
    Within,
    /// It took the end of the message in hand, and perhaps more: then the parser is out of step.
    /// [`Parser::take`] must follow.
    Ended { in_step: bool },
    /// It cut a head short, which [`Parser::take_head`] gives.
    InHead,
    /// It lies between messages, as far as can be told.
    Between,
}

#[derive(Debug)]
pub(super) struct Parser {
    side: Side,
    state: State,
    max_body: u64,
    /// A head that came in pieces.
    head: BytesMut,
    /// A head that is there, and what it says when that is plain: given out by themselves, as events that hold them cost more to
    /// hand on than to make.
    found: Bytes,
    plain: Option<Plain>,
    /// A body that came in one piece.
    whole: Bytes,
    body: BytesMut,
    trailers: BytesMut,
    /// Time of the first byte of the message in hand.
    pub(super) first: Nanos,
    /// Time of its latest byte.
    pub(super) last: Nanos,
    /// Of the message in hand.
    pub(super) flags: Flags,
}

impl Parser {
    /// `mid_stream`: the first bytes may be the middle of a message.
    pub(super) fn new(side: Side, max_body: u64, mid_stream: bool) -> Self {
        Parser {
            side,
            state: if mid_stream { State::Lost } else { State::Start },
            max_body,
            head: BytesMut::new(),
            found: Bytes::new(),
            plain: None,
            whole: Bytes::new(),
            body: BytesMut::new(),
            trailers: BytesMut::new(),
            first: Nanos(0),
            last: Nanos(0),
            flags: Flags::default(),
        }
    }

    /// Takes bytes, as many as it says, up to the next event.
    pub(super) fn push(&mut self, data: &[u8], time: Nanos) -> (usize, Option<Event>) {
        match &mut self.state {
            State::Start => self.start(data, time),
            State::Head(_) => self.more_head(data, time),
            State::Fixed(left) => {
                let here = (data.len() as u64).min(*left) as usize;
                *left -= here as u64;
                let (left, done) = (*left, *left == 0);
                self.keep(&data[..here], time, left);
                (here, done.then_some(Event::Done))
            }
            State::Chunked(_) => self.chunk(data, time),
            State::UntilClose => {
                self.keep(data, time, u64::MAX);
                (data.len(), None)
            }
            State::Lost => match start::find(self.side, data) {
                Some(at) => {
                    self.state = State::Start;
                    (at, None)
                }
                None => (data.len(), None),
            },
            State::Framing | State::Off => (data.len(), None),
        }
    }

    fn start(&mut self, data: &[u8], time: Nanos) -> (usize, Option<Event>) {
        let rest = start::skip_line_breaks(data);
        let skipped = data.len() - rest.len();
        if rest.is_empty() {
            return (skipped, None);
        }
        self.plain = Plain::read(self.side, rest);
        if self.plain.is_none() && !start::plausible(self.side, rest) {
            self.state = State::Lost;
            return (skipped, Some(Event::Junk));
        }
        (self.first, self.last) = (time, time);
        match self.plain.as_ref().map_or_else(|| head_end(rest, 0), |plain| Ok(plain.end)) {
            Ok(end) => {
                self.state = State::Framing;
                self.found = Bytes::copy_from_slice(&rest[..end]);
                (skipped + end, Some(Event::Head))
            }
            Err(resume) => {
                self.head.extend_from_slice(rest);
                self.state = State::Head(resume);
                (data.len(), None)
            }
        }
    }

    fn more_head(&mut self, data: &[u8], time: Nanos) -> (usize, Option<Event>) {
        let State::Head(resume) = self.state else { return (0, None) };
        let before = self.head.len();
        self.head.extend_from_slice(data);
        self.last = self.last.max(time);
        match head_end(&self.head, resume) {
            Ok(end) => {
                self.state = State::Framing;
                self.head.truncate(end);
                self.plain = Plain::read(self.side, &self.head);
                self.found = frozen(&mut self.head);
                (end - before, Some(Event::Head))
            }
            Err(_) if self.head.len() > MAX_HEAD || !start::plausible(self.side, &self.head) => {
                self.head = BytesMut::new();
                self.state = State::Lost;
                (data.len(), Some(Event::Junk))
            }
            Err(resume) => {
                self.state = State::Head(resume);
                (data.len(), None)
            }
        }
    }

    fn chunk(&mut self, data: &[u8], time: Nanos) -> (usize, Option<Event>) {
        let State::Chunked(chunked) = &mut self.state else { return (0, None) };
        let step = chunked.step(data);
        self.last = self.last.max(time);
        match step {
            Step::Framing(n) => (n, None),
            Step::Data(n) => {
                self.keep(&data[..n], time, u64::MAX);
                (n, None)
            }
            Step::Trailer(n) if self.trailers.len() + n <= MAX_TRAILERS => {
                self.trailers.extend_from_slice(&data[..n]);
                (n, None)
            }
            Step::Done(n) => (n, Some(Event::Done)),
            Step::Trailer(_) | Step::Broken => {
                self.flags.set(Flag::Malformed);
                self.flags.set(Flag::Truncated);
                self.state = State::Lost;
                (0, Some(Event::Done))
            }
        }
    }

    /// Appends to the body, up to its limit. `left`: how much is yet to come, when that is known.
    fn keep(&mut self, data: &[u8], time: Nanos, left: u64) {
        self.last = self.last.max(time);
        let have = self.body.len() as u64;
        let room = self.max_body.saturating_sub(have).min(data.len() as u64) as usize;
        if room < data.len() {
            self.flags.set(Flag::BodyCut);
        }
        if left == 0 && have == 0 {
            self.whole = Bytes::copy_from_slice(&data[..room]);
            return;
        }
        if have == 0 && left < u64::MAX {
            self.body
                .reserve(left.saturating_add(room as u64).min(FIRST_RESERVE).min(self.max_body) as usize);
        }
        self.body.extend_from_slice(&data[..room]);
    }

    /// The head that is there, and what it says when that is plain.
    #[inline]
    pub(super) fn take_head(&mut self) -> (Bytes, Option<Plain>) {
        (std::mem::take(&mut self.found), self.plain.take())
    }

    /// Of a head that was cut short, keeps the lines that are whole. False when there are none.
    pub(super) fn keep_whole_lines(&mut self) -> bool {
        let end = memchr::memrchr(b'\n', &self.found).map_or(0, |end| end + 1);
        self.found.truncate(end);
        self.plain = None;
        end > 0
    }

    /// Says how the body behind the head just given out ends. True when there is none: [`Parser::take`] must follow.
    pub(super) fn begin(&mut self, framing: Framing) -> bool {
        self.state = match framing {
            Framing::Empty | Framing::Fixed(0) => return true,
            Framing::Fixed(length) => State::Fixed(length),
            Framing::Chunked => State::Chunked(Chunked::new()),
            Framing::UntilClose => State::UntilClose,
        };
        false
    }

    /// Gives the message that is over, of which the head is known, its body and trailers, and its flags; makes ready for the next.
    pub(super) fn take(&mut self, message: &mut Message) -> Flags {
        message.body =
            if self.whole.is_empty() { frozen(&mut self.body) } else { std::mem::take(&mut self.whole) };
        message.trailers = frozen(&mut self.trailers);
        if !matches!(self.state, State::Lost | State::Off) {
            self.state = State::Start;
        }
        std::mem::take(&mut self.flags)
    }

    /// The same where nobody wants the message.
    pub(super) fn drop_message(&mut self) {
        self.take(&mut Message::default());
    }

    /// `length` bytes were never captured.
    pub(super) fn hole(&mut self, length: u64) -> Hole {
        let ended = match &mut self.state {
            State::Off => return Hole::Between,
            State::Start | State::Lost | State::Framing => {
                self.state = State::Lost;
                return Hole::Between;
            }
            State::Head(_) => {
                self.state = State::Lost;
                self.found = frozen(&mut self.head);
                return Hole::InHead;
            }
            State::Fixed(left) if length < *left => {
                *left -= length;
                false
            }
            State::Fixed(left) => {
                // a hole that ends where the message ends leaves the stream in step
                self.state = if length == *left { State::Start } else { State::Lost };
                true
            }
            State::Chunked(chunked) => {
                let within = chunked.skip(length);
                if !within {
                    self.state = State::Lost;
                }
                !within
            }
            State::UntilClose => false,
        };
        self.flags.set(Flag::Gap);
        if !ended {
            return Hole::Within;
        }
        self.flags.set(Flag::Truncated);
        Hole::Ended { in_step: matches!(self.state, State::Start) }
    }

    /// The stream is over: what is in hand, if anything. [`Parser::take`] must follow on [`Event::Done`].
    pub(super) fn end(&mut self) -> Option<Event> {
        let event = match &mut self.state {
            State::Head(_) => {
                self.found = frozen(&mut self.head);
                Some(Event::Head)
            }
            State::UntilClose => {
                self.flags.set(Flag::CloseDelimited);
                Some(Event::Done)
            }
            State::Fixed(_) | State::Chunked(_) => {
                self.flags.set(Flag::Truncated);
                Some(Event::Done)
            }
            _ => None,
        };
        self.state = State::Off;
        event
    }

    /// Whether the end of the message in hand is told by the end of the connection.
    pub(super) fn until_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Reads nothing more.
    pub(super) fn off(&mut self) {
        self.state = State::Off;
        self.head = BytesMut::new();
    }

    /// Looks for the next beginning of a message.
    pub(super) fn lose(&mut self) {
        self.state = State::Lost;
    }

    /// Bytes held.
    pub(super) fn cost(&self) -> usize {
        self.head.len() + self.body.capacity() + self.whole.len() + self.trailers.len()
    }
}

/// What a buffer holds, and an empty buffer in its place. Most are empty: then nothing is allocated.
fn frozen(buffer: &mut BytesMut) -> Bytes {
    if buffer.is_empty() && buffer.capacity() == 0 {
        return Bytes::new();
    }
    std::mem::take(buffer).freeze()
}

/// Where the blank line ends; else where to go on searching. `from` is a line break or lies before the next one.
fn head_end(data: &[u8], from: usize) -> Result<usize, usize> {
    for at in memchr::memchr_iter(b'\n', data.get(from..).unwrap_or_default()) {
        let at = from + at;
        match data.get(at + 1..) {
            Some([b'\n', ..]) => return Ok(at + 2),
            Some([b'\r', b'\n', ..]) => return Ok(at + 3),
            None | Some([] | [b'\r']) => return Err(at),
            _ => {}
        }
    }
    Err(data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_heads() {
        assert_eq!(head_end(b"GET /\r\n\r\nrest", 0), Ok(9));
        assert_eq!(head_end(b"GET /\n\nrest", 0), Ok(7));
        assert_eq!(head_end(b"GET /\r\n\nrest", 0), Ok(8));
        assert_eq!(head_end(b"GET /\r\nA: b\r\n\r", 0), Err(12));
        assert_eq!(head_end(b"GET /\r\nA: b\r\n\r\n", 12), Ok(15));
        assert_eq!(head_end(b"GET /", 0), Err(5));
    }

    #[test]
    fn a_body_that_comes_whole_is_not_copied_twice() {
        let mut parser = Parser::new(Side::Response, 100, false);
        let data = b"HTTP/1.1 200 OK\r\n\r\nabc";
        let (used, event) = parser.push(data, Nanos(1));
        assert_eq!(event, Some(Event::Head));
        let (head, plain) = parser.take_head();
        assert_eq!(plain.map(|plain| plain.end), Some(used));
        assert!(!parser.begin(Framing::Fixed(3)));
        assert_eq!(parser.push(&data[used..], Nanos(2)), (3, Some(Event::Done)));
        assert_eq!(parser.body.capacity(), 0);
        let mut message = Message { head, ..Message::default() };
        parser.take(&mut message);
        assert_eq!(message.body, "abc");
    }

    #[test]
    fn long_bodies_are_cut_and_counted_through() {
        let mut parser = Parser::new(Side::Request, 4, false);
        let (_, event) = parser.push(b"PUT / HTTP/1.1\n\n", Nanos(1));
        assert_eq!(event, Some(Event::Head));
        let (head, plain) = parser.take_head();
        assert_eq!(plain, None);
        parser.begin(Framing::Fixed(8));
        assert_eq!(parser.push(b"abc", Nanos(2)), (3, None));
        assert_eq!(parser.push(b"defghGET", Nanos(3)), (5, Some(Event::Done)));
        let mut message = Message { head, ..Message::default() };
        let flags = parser.take(&mut message);
        assert_eq!(message.body, "abcd");
        assert!(flags.has(Flag::BodyCut));
    }
}
