//! The chunked transfer coding undone, [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1), from any split of the stream.

/// Chunk extensions and trailers beyond this are no HTTP any more.
const MAX_LINE: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size; how many there were.
    Size(u8),
    /// Behind the digits, up to the line break.
    Extension(usize),
    Data,
    /// In the line break behind the data.
    DataEnd,
    Trailers,
    Done,
}

/// A decoder of one body.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Of the current chunk: its size so far, then what is left of it.
    left: u64,
    /// Whether the current line holds anything yet.
    line_empty: bool,
}

/// What a step found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Of the input, so many bytes were framing.
    Framing(usize),
    /// So many bytes of the input are body.
    Data(usize),
    /// So many bytes of the input are trailer lines.
    Trailer(usize),
    /// So many bytes of framing, and the body is over.
    Done(usize),
    /// This is no chunked coding.
    Broken,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { state: State::Size(0), left: 0, line_empty: true }
    }

    /// Looks at the next bytes of the stream, which must not be empty.
    pub(super) fn step(&mut self, data: &[u8]) -> Step {
        match self.state {
            State::Size(digits) => self.size(data, digits),
            State::Extension(length) => self.extension(data, length),
            State::Data => {
                let here = (data.len() as u64).min(self.left) as usize;
                self.left -= here as u64;
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
                Step::Data(here)
            }
            State::DataEnd => match data.first() {
                Some(b'\r') => Step::Framing(1),
                Some(b'\n') => {
                    (self.state, self.left) = (State::Size(0), 0);
                    Step::Framing(1)
                }
                _ => Step::Broken,
            },
            State::Trailers => self.trailer(data),
            State::Done => Step::Done(0),
        }
    }

    /// Skips `length` bytes that were not captured. False when they were not all data, so that the framing is lost.
    pub(super) fn skip(&mut self, length: u64) -> bool {
        if self.state != State::Data || length >= self.left {
            return false;
        }
        self.left -= length;
        true
    }

    fn size(&mut self, data: &[u8], mut digits: u8) -> Step {
        for (at, &byte) in data.iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ if digits > 0 => {
                    self.state = State::Extension(0);
                    return Step::Framing(at);
                }
                b' ' | b'\t' => continue,
                _ => return Step::Broken,
            };
            let Some(size) = self.left.checked_mul(16).map(|size| size | u64::from(digit)) else {
                return Step::Broken;
            };
            (self.left, digits) = (size, digits.saturating_add(1));
            self.state = State::Size(digits);
        }
        Step::Framing(data.len())
    }

    fn extension(&mut self, data: &[u8], length: usize) -> Step {
        // only white space, a semicolon or the line break may follow the size
        if length == 0 && !matches!(data.first(), Some(b' ' | b'\t' | b';' | b'\r' | b'\n')) {
            return Step::Broken;
        }
        match memchr::memchr(b'\n', data) {
            Some(at) => {
                self.state = if self.left == 0 { State::Trailers } else { State::Data };
                self.line_empty = true;
                Step::Framing(at + 1)
            }
            None if length + data.len() > MAX_LINE => Step::Broken,
            None => {
                self.state = State::Extension(length + data.len());
                Step::Framing(data.len())
            }
        }
    }

    fn trailer(&mut self, data: &[u8]) -> Step {
        if self.line_empty {
            match data.first() {
                Some(b'\n') => {
                    self.state = State::Done;
                    return Step::Done(1);
                }
                // of the final line break; a trailer line does not begin with one
                Some(b'\r') => return Step::Framing(1),
                _ => {}
            }
        }
        let end = memchr::memchr(b'\n', data);
        self.line_empty = end.is_some();
        Step::Trailer(end.map_or(data.len(), |at| at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Body, trailers, what is left; `None` when broken.
    fn decode(input: &[u8], piece: usize) -> Option<(Vec<u8>, Vec<u8>, usize, bool)> {
        let (mut body, mut trailers, mut at, mut chunked) = (Vec::new(), Vec::new(), 0, Chunked::new());
        while at < input.len() {
            let data = &input[at..(at + piece).min(input.len())];
            match chunked.step(data) {
                Step::Framing(n) => at += n,
                Step::Data(n) => {
                    body.extend(&data[..n]);
                    at += n;
                }
                Step::Trailer(n) => {
                    trailers.extend(&data[..n]);
                    at += n;
                }
                Step::Done(n) => return Some((body, trailers, at + n, true)),
                Step::Broken => return None,
            }
        }
        Some((body, trailers, at, false))
    }

    #[test]
    fn the_same_from_every_split() {
        let input =
            b"5;name=\"v\"\r\nhello\r\n 006 \r\n world\r\n3\n!\r\n\r\n0;x\r\nA: b\r\nC: d\r\n\r\nGET /";
        for piece in 1..input.len() {
            let (body, trailers, used, done) = decode(input, piece).unwrap();
            assert_eq!(body, b"hello world!\r\n", "{piece}");
            assert_eq!(trailers, b"A: b\r\nC: d\r\n");
            assert_eq!((used, done), (input.len() - 5, true));
        }
    }

    #[test]
    fn broken_codings_are_told() {
        for input in [
            &b"xyz\r\n"[..],
            b"5 hello\rhelloX\r\n",
            b"5\r\nhelloworld",
            b"ffffffffffffffffff\r\n",
            b"5x\r\n",
        ] {
            let got = decode(input, 100);
            assert!(got.is_none() || !got.unwrap().3, "{:?}", String::from_utf8_lossy(input));
        }
        assert!(decode(b"fffffffffffffffff\r\n", 3).is_none());
    }

    #[test]
    fn holes_in_data_are_skipped() {
        let mut chunked = Chunked::new();
        assert!(!chunked.skip(1), "in the size line nothing can be skipped");
        assert_eq!(chunked.step(b"a\r\n"), Step::Framing(1));
        assert_eq!(chunked.step(b"\r\n"), Step::Framing(2));
        assert!(chunked.skip(9));
        assert!(!chunked.skip(1), "the end of the data may be where the hole ends or not");
        assert_eq!(chunked.step(b"x\r\n"), Step::Data(1));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces(data: Vec<u8>, piece in 1_usize..9) {
            let _ = decode(&data, piece);
        }
    }
}
