//! Heads as nearly all of them are, read in one pass over their bytes: HTTP/1.1, a usual method, lines that end in CRLF, names in ASCII,
//! and no doubt about where the body ends. Whatever is in the least odd is left to [`Head::parse`] and [`framing`], which would say
//! the same of these, and take longer.

use mynah_message::Head;
use mynah_traffic::{Flags, Side};
use wide::u8x16;

use super::framing::{Asked, Framing, framing};

/// Bytes that are looked at together: as many as a mask has bits.
const BLOCK: usize = 64;
/// Longer lengths may be more than a number holds.
const MAX_DIGITS: usize = 18;
const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";

/// What such a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    /// Its length, blank line included.
    pub(super) end: usize,
    asked: Asked,
    /// Zero in a request.
    status: u16,
    length: Option<u64>,
    chunked: bool,
}

/// A head of which all is known that reading on takes.
pub(super) enum Read<'a> {
    Plain(Plain),
    Parsed(Head<'a>),
}

/// Where there are line ends, colons, and bytes beyond ASCII; a bit each.
struct Block {
    lines: u64,
    colons: u64,
    beyond: u64,
}

impl Block {
    #[inline]
    fn of(bytes: &[u8; BLOCK]) -> Block {
        let mut block = Block { lines: 0, colons: 0, beyond: 0 };
        for (number, piece) in bytes.as_chunks::<16>().0.iter().enumerate() {
            let piece = u8x16::new(*piece);
            let bits = |mask: u8x16| u64::from(mask.to_bitmask()) << (number * 16);
            block.lines |= bits(piece.simd_eq(u8x16::splat(b'\n')));
            block.colons |= bits(piece.simd_eq(u8x16::splat(b':')));
            block.beyond |= bits(piece);
        }
        block
    }

    /// Of the last bytes, fewer than that.
    #[inline]
    fn of_last(data: &[u8], length: usize) -> Block {
        if let Some(whole) = data.last_chunk::<BLOCK>() {
            // what stands before them was seen already
            let Block { lines, colons, beyond } = Block::of(whole);
            let old = (BLOCK - length) as u32;
            let fresh = |bits: u64| bits.checked_shr(old).unwrap_or(0);
            return Block { lines: fresh(lines), colons: fresh(colons), beyond: fresh(beyond) };
        }
        let mut whole = [0; BLOCK];
        if let Some(there) = whole.get_mut(..length) {
            there.copy_from_slice(data);
        }
        Block::of(&whole)
    }
}

/// The bits below this one.
#[inline]
fn below(bit: u32) -> u64 {
    (1 << bit) - 1
}

impl Plain {
    /// Reads the head that `data` begins with. `None` when it is not whole, or not plain.
    pub(super) fn read(side: Side, data: &[u8]) -> Option<Plain> {
        let mut plain = Plain { end: 0, asked: Asked::default(), status: 0, length: None, chunked: false };
        let (mut line, mut colon) = (0, None);
        let (blocks, last) = data.as_chunks::<BLOCK>();
        let blocks =
            blocks.iter().map(Block::of).chain(std::iter::once_with(|| Block::of_last(data, last.len())));
        for (number, mut block) in blocks.enumerate() {
            let at = number * BLOCK;
            while block.lines != 0 {
                let bit = block.lines.trailing_zeros();
                let end = at + bit as usize;
                let colons = block.colons & below(bit);
                if colon.is_none() && colons != 0 {
                    colon = Some(at + colons.trailing_zeros() as usize);
                }
                let text = data.get(line..end)?.strip_suffix(b"\r")?;
                if line == 0 {
                    plain.start(side, text)?;
                } else if text.is_empty() {
                    plain.end = end + 1;
                    let sure = block.beyond & below(bit) == 0 && !(plain.chunked && plain.length.is_some());
                    return sure.then_some(plain);
                } else {
                    plain.field(text, colon? - line)?;
                }
                block.colons &= !below(bit);
                block.lines &= block.lines - 1;
                (line, colon) = (end + 1, None);
            }
            if block.beyond != 0 {
                return None;
            }
            if colon.is_none() && block.colons != 0 {
                colon = Some(at + block.colons.trailing_zeros() as usize);
            }
        }
        None
    }

    fn start(&mut self, side: Side, line: &[u8]) -> Option<()> {
        match side {
            Side::Request => {
                let rest = line.strip_suffix(b" HTTP/1.1")?;
                let method = rest.iter().take(8).position(|&b| b == b' ')?;
                let (method, target) = rest.split_at_checked(method)?;
                let usual: &[&[u8]] = &[b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS"];
                self.asked.head = method == b"HEAD";
                let whole = target.get(1)?.is_ascii_graphic();
                (whole && usual.contains(&method)).then_some(())
            }
            Side::Response => {
                let rest = line.strip_prefix(b"HTTP/1.1 ")?;
                let (&[a, b, c], rest) = rest.split_first_chunk::<3>()?;
                if ![a, b, c].iter().all(u8::is_ascii_digit) || rest.first().is_some_and(|&b| b != b' ') {
                    return None;
                }
                let digit = |b: u8| u16::from(b - b'0');
                self.status = digit(a) * 100 + digit(b) * 10 + digit(c);
                Some(())
            }
        }
    }

    /// `colon`: where it stands in the line.
    #[inline]
    fn field(&mut self, line: &[u8], colon: usize) -> Option<()> {
        let (name, value) = line.split_at_checked(colon)?;
        if !name.first()?.is_ascii_graphic() || !name.last()?.is_ascii_graphic() {
            return None;
        }
        if name.len() == CONTENT_LENGTH.len() && name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            let digits = value.get(1..)?.trim_ascii();
            if self.length.is_some() || digits.is_empty() || digits.len() > MAX_DIGITS {
                return None;
            }
            let number = |so_far: u64, b: &u8| b.is_ascii_digit().then(|| so_far * 10 + u64::from(b - b'0'));
            self.length = Some(digits.iter().try_fold(0, number)?);
        } else if name.len() == TRANSFER_ENCODING.len() && name.eq_ignore_ascii_case(TRANSFER_ENCODING) {
            if self.chunked || !value.get(1..)?.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            self.chunked = true;
        }
        Some(())
    }

    /// How the body is delimited. `asked` is the request of a response.
    fn framing(&self, side: Side, asked: Asked) -> Framing {
        if side == Side::Response {
            let none = asked.head || self.status < 200 || self.status == 204 || self.status == 304;
            if none || asked.connect && self.status < 300 {
                return Framing::Empty;
            }
        }
        match (self.chunked, self.length, side) {
            (true, ..) => Framing::Chunked,
            (false, Some(0), _) | (false, None, Side::Request) => Framing::Empty,
            (false, Some(length), _) => Framing::Fixed(length),
            (false, None, Side::Response) => Framing::UntilClose,
        }
    }
}

impl<'a> Read<'a> {
    /// A head, by what was seen of it already, or parsed. `None` when it is none.
    pub(super) fn of(plain: Option<Plain>, head: &'a [u8]) -> Option<Read<'a>> {
        match plain {
            Some(plain) => Some(Read::Plain(plain)),
            None => Head::parse(head).ok().map(Read::Parsed),
        }
    }

    /// The status code, of a response.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Read::Plain(plain) => Some(plain.status).filter(|&status| status > 0),
            Read::Parsed(head) => head.status(),
        }
    }

    /// What of a request decides about its response.
    pub(super) fn asked(&self) -> Asked {
        match self {
            Read::Plain(plain) => plain.asked,
            Read::Parsed(head) => Asked::of(head),
        }
    }

    /// How the body is delimited; sets the flags that this takes.
    pub(super) fn framing(&self, side: Side, asked: Asked, flags: &mut Flags) -> Framing {
        match self {
            Read::Plain(plain) => plain.framing(side, asked),
            Read::Parsed(head) => framing(head, side, asked, flags),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is plain must be what the parser of all heads says it is.
    fn agrees(side: Side, data: &[u8]) -> bool {
        let Some(plain) = Plain::read(side, data) else { return false };
        let bytes = &data[..plain.end];
        assert!(bytes.ends_with(b"\r\n\r\n"));
        let head = Head::parse(bytes).unwrap();
        assert_eq!(head.len(), plain.end);
        assert_eq!(head.status(), Some(plain.status).filter(|_| side == Side::Response));
        assert!(side == Side::Response || plain.status == 0);
        assert!(super::super::start::plausible(side, data));
        let own = Asked::of(&head);
        assert_eq!((own, plain.asked.connect), (plain.asked, false));
        for (head_asked, connect) in [(false, false), (true, false), (false, true)] {
            let asked = Asked { head: head_asked, connect };
            let mut flags = Flags::default();
            assert_eq!(framing(&head, side, asked, &mut flags), plain.framing(side, asked));
            assert!(flags.is_empty(), "{flags:?}");
        }
        true
    }

    #[test]
    fn usual_heads_are_plain() {
        let long = "x".repeat(200);
        for (side, text) in [
            (Side::Request, "GET / HTTP/1.1\r\n\r\n".to_owned()),
            (
                Side::Request,
                format!("POST /{long} HTTP/1.1\r\nHost: a:80\r\ncontent-LENGTH:  12 \r\n\r\nbody:\n"),
            ),
            (Side::Request, "HEAD /a b HTTP/1.1\r\nX:\r\n\r\n".to_owned()),
            (Side::Response, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n".to_owned()),
            (
                Side::Response,
                format!(
                    "HTTP/1.1 404 Not: Found\r\nA: {long}\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\n\u{e4}"
                ),
            ),
            (Side::Response, "HTTP/1.1 304 Same\r\nContent-Length: 7\r\nDate: 10:00:00\r\n\r\n".to_owned()),
            (Side::Response, "HTTP/1.1 200 OK\r\nServer: s\r\n\r\nto the end".to_owned()),
        ] {
            assert!(agrees(side, text.as_bytes()), "{text}");
            for cut in 0..text.len() {
                let data = &text.as_bytes()[..cut];
                assert_eq!(Plain::read(side, data).is_some(), agrees(side, data), "cut at {cut}: {text}");
            }
        }
    }

    #[test]
    fn odd_heads_are_not() {
        for text in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET  HTTP/1.1\r\n\r\n",
            "GET HTTP/1.1\r\n\r\n",
            "BREW / HTTP/1.1\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nno field\r\n\r\n",
            "GET / HTTP/1.1\r\nno field\r\nb: c\r\n\r\n",
            "GET / HTTP/1.1\r\n: no name\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c: folded\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1234567890123456789\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /\u{e4} HTTP/1.1\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 20x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: \u{e4}\r\n\r\n",
        ] {
            let side = if text.starts_with("HTTP") { Side::Response } else { Side::Request };
            assert_eq!(Plain::read(side, text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_plain_is_what_the_parser_says(
            start in prop::sample::select(vec![
                "GET / HTTP/1.1", "POST /a b HTTP/1.1", "HEAD /: HTTP/1.1", "GET / HTTP/1.1 ", "HTTP/1.1 200 OK",
                "HTTP/1.1 204", "HTTP/1.1 101 Switching", "HTTP/1.1 200\tOK", "HTTP/1.1 099 x", " GET / HTTP/1.1",
            ]),
            lines in prop::collection::vec((
                prop::sample::select(vec![
                    "Content-Length", "content-length", "Transfer-Encoding", "Host", "X", "", "\t", " A", "B ", "\u{c}C", "\u{e4}",
                ]),
                prop::sample::select(vec![":", ": ", "", " :", ":\t", "::"]),
                prop::sample::select(vec!["5", "0", "007", "5 ", "chunked", "Chunked\t", "gzip", "a:b", "", "\u{e4}", "\r", "x\ry"]),
                prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n"]),
            ), 0..5),
            padding in 0_usize..80,
            end in prop::sample::select(vec!["\r\n", "\r\n", "\n", "", "\r\nbody\n\u{e4}"]),
        ) {
            let pad = if padding > 3 { format!("P:{}\r\n", "p".repeat(padding)) } else { String::new() };
            let lines: Vec<String> = lines.iter().map(|(name, colon, value, end)| format!("{name}{colon}{value}{end}")).collect();
            let lines = lines.concat();
            let text = format!("{start}\r\n{pad}{lines}{end}");
            for side in [Side::Request, Side::Response] {
                agrees(side, text.as_bytes());
            }
        }

        #[test]
        fn any_bytes(data: Vec<u8>) {
            agrees(Side::Request, &data);
            agrees(Side::Response, &data);
        }
    }
}
