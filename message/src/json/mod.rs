//! A JSON scanner that keeps byte spans and every oddity. [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259).
//!
//! It reports each string, number and literal with the way to it, and changes nothing. It tolerates a byte order mark, the
//! prefixes servers put against script inclusion (`)]}'`, `for(;;);`, `while(1);`), duplicate keys, numbers of any size, lone
//! surrogates, raw control characters, invalid UTF-8, trailing commas, and several documents one after the other. At the
//! first byte that cannot be part of JSON it stops and says where.

mod marks;
pub mod path;
mod walk;

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use crate::percent::hex;
use path::{push_index, push_key, push_number};
pub use walk::{Ahead, Leap, Nesting, Reader, Scalar, walk};
use walk::{skip_prefix, skip_space};

/// What kind of value a scan came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A string; its span is inside the quotes.
    String,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

/// One value found by [`scan`].
#[derive(Debug)]
pub struct Value<'s, 'a> {
    /// Canonical path text.
    pub path: &'s str,
    /// What it is.
    pub kind: Kind,
    /// As written, without quotes.
    pub raw: &'a [u8],
    /// Where.
    pub span: Range<usize>,
}

/// How a scan ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Everything was read.
    Whole,
    /// The visitor had enough.
    Stopped,
    /// What begins at this offset is not JSON, or is nested deeper than allowed, or is cut off.
    Garbage(usize),
}

/// What [`walk`] comes by, in document order. All but values may be ignored.
pub trait Events<'a> {
    /// Another document begins: the first one, or one of several in a body.
    fn document(&mut self) {}

    /// An object or array begins.
    fn open(&mut self, array: bool) {
        let _ = array;
    }

    /// The innermost object or array ends.
    fn close(&mut self) {}

    /// A key, as written between its quotes; its value follows. False: what follows is not to be read, as if it were
    /// nested too deep.
    fn key(&mut self, raw: &'a [u8]) -> bool {
        let _ = raw;
        true
    }

    /// The same of a key of which it is known whether it has escapes.
    fn written_key(&mut self, raw: &'a [u8], escaped: bool) -> bool {
        let _ = escaped;
        self.key(raw)
    }

    /// Another element of the array in hand follows.
    fn element(&mut self) {}

    /// A string, number or literal: as written, without quotes, and where.
    fn value(&mut self, kind: Kind, raw: &'a [u8], span: Range<usize>) -> ControlFlow<()>;

    /// The same of a string of which it is known whether it has escapes.
    fn string(&mut self, raw: &'a [u8], span: Range<usize>, escaped: bool) -> ControlFlow<()> {
        let _ = escaped;
        self.value(Kind::String, raw, span)
    }

    /// Behind a value, but for the last one of a document. Who knows what stands between this value and the next one may
    /// [leap](Ahead::leap) over it, which tells nothing of it, read the next value, and so on; what it does not read is told.
    #[inline]
    fn ahead(&mut self, reader: &mut Reader<'a>) {
        let _ = reader;
    }
}

struct Frame {
    array: bool,
    next_index: usize,
    path_len: usize,
}

/// Paths longer than this count as nested too deep: each leaf has one of its own.
const LONGEST_PATH: usize = 8192;

/// Makes the path of each value.
struct Paths<'v, 'a> {
    path: String,
    stack: Vec<Frame>,
    documents: usize,
    visit: &'v mut dyn FnMut(Value<'_, 'a>) -> ControlFlow<()>,
}

impl<'a> Events<'a> for Paths<'_, 'a> {
    fn document(&mut self) {
        self.path.clear();
        self.path.push('$');
        if self.documents > 0 {
            push_number(&mut self.path, self.documents);
        }
        self.documents += 1;
        self.stack.clear();
    }

    fn open(&mut self, array: bool) {
        self.stack.push(Frame { array, next_index: 0, path_len: self.path.len() });
    }

    fn close(&mut self) {
        if let Some(frame) = self.stack.pop() {
            self.path.truncate(frame.path_len);
        }
    }

    fn key(&mut self, raw: &'a [u8]) -> bool {
        if let Some(frame) = self.stack.last() {
            self.path.truncate(frame.path_len);
        }
        push_key(&mut self.path, &String::from_utf8_lossy(&unescape(raw)));
        self.path.len() <= LONGEST_PATH
    }

    fn element(&mut self) {
        if let Some(frame) = self.stack.last_mut().filter(|frame| frame.array) {
            self.path.truncate(frame.path_len);
            push_index(&mut self.path, frame.next_index);
            frame.next_index += 1;
        }
    }

    fn value(&mut self, kind: Kind, raw: &'a [u8], span: Range<usize>) -> ControlFlow<()> {
        (self.visit)(Value { path: &self.path, kind, raw, span })
    }
}

/// Reports every string, number and literal in document order. `depth` limits nesting.
pub fn scan<'a>(
    body: &'a [u8],
    depth: usize,
    visit: &mut dyn FnMut(Value<'_, 'a>) -> ControlFlow<()>,
) -> End {
    walk(body, depth, &mut Paths { path: String::with_capacity(64), stack: Vec::new(), documents: 0, visit })
}

/// Whether a body looks like JSON: an object or array that goes on like one.
pub(crate) fn looks_like(body: &[u8]) -> bool {
    let at = skip_prefix(body);
    let next = body.get(skip_space(body, at + 1));
    match body.get(at) {
        Some(b'{') => matches!(next, Some(b'"' | b'}')),
        Some(b'[') => {
            matches!(next, Some(b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
        }
        _ => false,
    }
}

/// Undoes a string's escapes. A lone surrogate becomes its three bytes as if it were a character (WTF-8), so that unequal
/// strings stay unequal; an unknown escape stands for itself.
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut at = first;
    while let Some(&b) = raw.get(at) {
        if b != b'\\' {
            let len = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
            out.extend_from_slice(&raw[at..at + len]);
            at += len;
            continue;
        }
        let simple = match raw.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&c @ (b'"' | b'\\' | b'/')) => c,
            Some(b'u') => {
                at += read_unicode(raw, at, &mut out);
                continue;
            }
            _ => {
                out.push(b'\\');
                at += 1;
                continue;
            }
        };
        out.push(simple);
        at += 2;
    }
    Cow::Owned(out)
}

/// Reads `\uXXXX`, or a pair of them, at `at`; gives how many bytes that took.
fn read_unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(high) = unit(raw, at) else {
        out.push(b'\\');
        return 1;
    };
    if (0xd800..0xdc00).contains(&high)
        && let Some(low) = unit(raw, at + 6)
        && (0xdc00..0xe000).contains(&low)
    {
        push_wtf8(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), out);
        return 12;
    }
    push_wtf8(high, out);
    6
}

fn unit(raw: &[u8], at: usize) -> Option<u32> {
    let text = raw.get(at..at + 6).filter(|t| t.starts_with(b"\\u"))?;
    text[2..].iter().try_fold(0, |n, &b| Some(n << 4 | u32::from(hex(b)?)))
}

pub(crate) fn push_wtf8(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[0xed, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}

/// Escapes what must be escaped between quotes; a surrogate in WTF-8 becomes `\uXXXX` again.
pub fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    let mut at = 0;
    while let Some(&b) = value.get(at) {
        at += 1;
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            0xed => {
                if let Some(&[second @ 0xa0..=0xbf, third @ 0x80..=0xbf]) = value.get(at..at + 2) {
                    let code = 0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
                    out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
                    at += 2;
                } else {
                    out.push(b);
                }
            }
            _ => out.push(b),
        }
    }
    out
}

/// Whether this is a number by the JSON grammar.
pub fn is_number(text: &[u8]) -> bool {
    let digits = |t: &[u8]| t.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let len = digits(exponent);
        return len > 0 && len == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
