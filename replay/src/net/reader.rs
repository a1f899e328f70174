//! Reading one response from a stream of bytes, whatever pieces it comes in:
//! [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112) §4–§7. No input or output of its own.
//!
//! Only what the engine asks for is kept; a body that nobody looks into is counted past. Tolerated, because what was recorded
//! did pass between two programs that understood each other: bare line feeds, folded header lines, white space before the
//! colon, lines that are no header. Not tolerated, because the end of the message would be a guess: lengths that contradict
//! each other or are no number, chunk sizes that are none.

mod chunks;
mod room;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use mynah_traffic::shape;

pub(super) use chunks::Chunks;
pub(super) use room::Room;

/// Longest head, in bytes.
pub(super) const HEAD_LIMIT: usize = 64 << 10;
/// Most header lines.
pub(super) const FIELD_LIMIT: usize = 256;

/// What is to be known of a response.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask {
    /// It answers a `HEAD` and has no body.
    pub(crate) head_only: bool,
    pub(crate) keep_head: bool,
    pub(crate) keep: Keep,
}

/// What is kept of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keep {
    #[default]
    Nothing,
    /// What is needed to look at its shape: nothing where it is too large, the beginning of what is no JSON.
    Shape,
    /// Up to 16 MiB of it.
    All,
}

/// A response, as far as it was asked for. Its buffers serve again for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The first `Content-Type`.
    pub(crate) content_type: Vec<u8>,
    /// The first `Content-Encoding`.
    pub(crate) content_encoding: Vec<u8>,
    pub(crate) set_cookies: Vec<Vec<u8>>,
    /// As it came; empty unless it was asked for.
    pub(crate) head: Vec<u8>,
    /// Chunks taken out; as much of it as was asked for.
    pub(crate) body: Vec<u8>,
    /// Its length, chunks taken out, kept or not.
    pub(crate) body_bytes: u64,
    /// Whether the server lets the connection be used again.
    pub(crate) keep_alive: bool,
}

impl Answer {
    /// Makes ready for another one.
    pub(super) fn begin(&mut self, body: Vec<u8>) {
        self.status = 0;
        self.content_type.clear();
        self.content_encoding.clear();
        self.body_bytes = 0;
        self.set_cookies.clear();
        self.head = Vec::new();
        self.body = body;
        self.keep_alive = false;
    }

    /// As far as its shape goes.
    pub(crate) fn shaped(&self) -> shape::Answer<'_> {
        shape::Answer {
            content_type: &self.content_type,
            content_encoding: &self.content_encoding,
            body: &self.body,
            length: self.body_bytes,
        }
    }
}

/// The stream ended, or holds what is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Before anything came.
    Ended,
    /// In the middle of this.
    Cut(&'static str),
    /// It takes more than an answer may, and might never end; in words.
    Endless(&'static str),
    /// In words.
    Malformed(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    Complete,
}

/// Reads one response after another.
#[derive(Debug)]
pub(crate) struct Reader {
    state: State,
    ask: Ask,
    /// The part of a head that is here while the rest is not.
    pending: Vec<u8>,
    /// Bytes of interim answers before this one, and whether one of them was 100 (Continue).
    interim: usize,
    pub(super) goes_on: bool,
    room: Room,
    pub(crate) answer: Answer,
}

impl Reader {
    pub(crate) fn new() -> Reader {
        Reader {
            state: State::Complete,
            ask: Ask::default(),
            pending: Vec::new(),
            interim: 0,
            goes_on: false,
            room: Room::default(),
            answer: Answer::default(),
        }
    }

    /// Makes ready for the next response, whose body is kept in this buffer.
    pub(crate) fn begin(&mut self, ask: Ask, body: Vec<u8>) {
        self.state = State::Head;
        self.ask = ask;
        self.pending = Vec::new();
        self.interim = 0;
        self.goes_on = false;
        self.answer.begin(body);
    }

    /// Whether anything of the answer is here, interim ones (1xx) aside.
    pub(super) fn has_begun(&self) -> bool {
        self.state != State::Head || !self.pending.is_empty()
    }

    /// Whether the end of the stream is what ends the body.
    pub(super) fn ends_with_the_stream(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Takes bytes in. `Some`: the response is complete after so many of them.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or(&[]);
            if self.state == State::Complete {
                return Ok(Some(at));
            }
            if rest.is_empty() {
                return Ok(None);
            }
            at += match &mut self.state {
                State::Head => self.head(rest)?,
                State::Length(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = State::Complete;
                    }
                    self.keep(&rest[..count]);
                    count
                }
                State::Chunked(chunks) => {
                    let step = chunks.step(rest)?;
                    if step.complete {
                        self.state = State::Complete;
                    }
                    self.keep(rest.get(..step.data).unwrap_or(&[]));
                    step.used
                }
                State::UntilClose => {
                    self.keep(rest);
                    rest.len()
                }
                State::Complete => 0,
            };
        }
    }

    /// The stream has ended: which may be what ends the body.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Complete => Ok(()),
            State::UntilClose => {
                self.state = State::Complete;
                Ok(())
            }
            State::Head => {
                let pending = std::mem::take(&mut self.pending);
                let cut = if pending.is_empty() && self.interim == 0 {
                    Fault::Ended
                } else {
                    Fault::Cut("the head of the answer")
                };
                Err(self.parse(&pending).err().unwrap_or(cut))
            }
            _ => Err(Fault::Cut("the body of the answer")),
        }
    }

    fn keep(&mut self, data: &[u8]) {
        self.room.keep(&mut self.answer, data);
    }

    /// Takes in what belongs to the head; how much that was.
    fn head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        // A whole head in one piece, which is how most come, is never copied.
        if self.pending.is_empty() {
            let part = &bytes[..bytes.len().min(HEAD_LIMIT)];
            if let Some(used) = self.parse(part)? {
                return Ok(used);
            }
            self.pending.extend_from_slice(part);
            return self.more(part.len());
        }
        let before = self.pending.len();
        let part = &bytes[..bytes.len().min(HEAD_LIMIT - before)];
        self.pending.extend_from_slice(part);
        // Without a line's end there is nothing new to find.
        if part.contains(&b'\n') {
            let pending = std::mem::take(&mut self.pending);
            if let Some(used) = self.parse(&pending)? {
                return Ok(used.saturating_sub(before));
            }
            self.pending = pending;
        }
        self.more(part.len())
    }

    fn more(&self, used: usize) -> Result<usize, Fault> {
        if self.pending.len() >= HEAD_LIMIT {
            return Err(Fault::Endless("a head of more than 64 KiB"));
        }
        Ok(used)
    }

    /// Parses a head, if all of it is there: its length. An interim response is passed over.
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
        let mut response = httparse::Response::new(&mut []);
        let mut config = httparse::ParserConfig::default();
        config
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .ignore_invalid_headers_in_responses(true);
        let length = match config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Fault::Endless("a head of more than 256 lines"));
            }
            Err(error) => return Err(Fault::Malformed(words(error, bytes))),
        };
        let status = response.code.unwrap_or(0);
        if status == 0 {
            return Err(Fault::Malformed("status 0"));
        }
        if matches!(status, 100..=199) && status != 101 {
            self.goes_on |= status == 100;
            self.interim += length;
            if self.interim > HEAD_LIMIT {
                return Err(Fault::Endless("more than 64 KiB of interim answers (1xx)"));
            }
            return Ok(Some(length));
        }
        self.take_head(status, response.version == Some(1), response.headers)?;
        if self.ask.keep_head {
            self.answer.head.extend_from_slice(bytes.get(..length).unwrap_or(bytes));
        }
        Ok(Some(length))
    }

    /// Keeps what was asked for and decides where the body ends, §6.3.
    fn take_head(&mut self, status: u16, http11: bool, fields: &[httparse::Header<'_>]) -> Result<(), Fault> {
        let answer = &mut self.answer;
        answer.status = status;
        let mut length: Option<u64> = None;
        let mut coded = false;
        let mut chunked = false;
        let mut typed = false;
        let (mut close, mut keep) = (false, false);
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            match field.name.len() {
                10 if is("set-cookie") => answer.set_cookies.push(field.value.to_vec()),
                10 if is("connection") => {
                    for token in field.value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                        close |= token.eq_ignore_ascii_case(b"close");
                        keep |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                12 if !typed && is("content-type") => {
                    typed = true;
                    answer.content_type.extend_from_slice(field.value);
                }
                16 if is("content-encoding") && answer.content_encoding.is_empty() => {
                    answer.content_encoding.extend_from_slice(field.value);
                }
                14 if is("content-length") => {
                    for text in field.value.split(|&b| b == b',') {
                        let found = number(text.trim_ascii())?;
                        if length.is_some_and(|known| known != found) {
                            return Err(Fault::Malformed("two lengths that contradict each other"));
                        }
                        length = Some(found);
                    }
                }
                17 if is("transfer-encoding") => {
                    coded = true;
                    let last = field.value.rsplit(|&b| b == b',').next().unwrap_or(&[]).trim_ascii();
                    chunked = last.eq_ignore_ascii_case(b"chunked");
                }
                _ => {}
            }
        }
        // §6.1: a length beside a coding, or a coding from HTTP/1.0, is the mark of a message whose framing is not to be
        // trusted for a second one.
        answer.keep_alive =
            status != 101 && !close && (http11 || keep) && !(coded && (length.is_some() || !http11));
        self.state = if self.ask.head_only || matches!(status, 101 | 204 | 304) {
            State::Complete
        } else if chunked {
            State::Chunked(Chunks::default())
        } else if coded {
            State::UntilClose
        } else {
            match length {
                Some(0) => State::Complete,
                Some(length) => State::Length(length),
                None => State::UntilClose,
            }
        };
        self.answer.keep_alive &= self.state != State::UntilClose;
        self.room = Room::new(self.ask.keep, &self.answer, length);
        Ok(())
    }
}

fn number(text: &[u8]) -> Result<u64, Fault> {
    let wrong = Fault::Malformed("a length that is no number");
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(wrong);
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(wrong)
}

fn words(error: httparse::Error, bytes: &[u8]) -> &'static str {
    match (error, bytes) {
        // An alert or a handshake record, RFC 8446 §5.1; and a SETTINGS frame of stream 0, RFC 9113 §6.5.
        (_, [0x15 | 0x16, 3, ..]) => return "it is TLS: is https:// meant?",
        (_, [_, _, _, 4, 0 | 1, 0, 0, 0, 0, ..]) => return "it is HTTP/2: is --http 2 meant?",
        _ => {}
    }
    match error {
        httparse::Error::HeaderName => "a header's name holds what no name can",
        httparse::Error::HeaderValue => "a header's value holds what no value can",
        httparse::Error::NewLine => "a line that does not end",
        httparse::Error::Status => "a status that is none",
        httparse::Error::Token => "a character where none can be",
        httparse::Error::TooManyHeaders => "more than 256 header lines",
        httparse::Error::Version => "it does not begin with HTTP/1",
    }
}
