//! Percent-encoding ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)) and its form
//! variant with `+` for a space ([WHATWG URL §5.1](https://url.spec.whatwg.org/#urlencoded-parsing)),
//! both lenient: a `%` that no two hex digits follow stands for itself.

use std::borrow::Cow;
use std::ops::Range;

/// Undoes percent-encoding; with `plus`, `+` is a space. Borrows when there is nothing to undo.
pub fn decode(raw: &[u8], plus: bool) -> Cow<'_, [u8]> {
    let next = |rest: &[u8]| {
        if plus { memchr::memchr2(b'%', b'+', rest) } else { memchr::memchr(b'%', rest) }
    };
    let Some(mut first) = next(raw) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        let (clean, there) = rest.split_at(first);
        out.extend_from_slice(clean);
        let (byte, after) = match there {
            [b'+', after @ ..] => (b' ', after),
            [percent, after @ ..] => encoded(after).unwrap_or((*percent, after)),
            [] => return Cow::Owned(out),
        };
        out.push(byte);
        rest = after;
        first = next(rest).unwrap_or(rest.len());
    }
}

/// The byte that is written behind a percent sign, and what follows it.
fn encoded(rest: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], after) = rest.split_first_chunk()?;
    Some((hex(*high)? << 4 | hex(*low)?, after))
}

/// Percent-encodes every byte that is not `safe`; with `plus`, a space becomes `+`.
pub fn encode(value: &[u8], safe: impl Fn(u8) -> bool, plus: bool) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(value.len() + 8);
    for &b in value {
        if b == b' ' && plus {
            out.push(b'+');
        } else if safe(b) {
            out.push(b);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        }
    }
    out
}

/// What a path segment may hold unescaped. Fewer than RFC 3986 allows: `&` and `'` are left out so that the
/// result can also stand in an HTML attribute.
pub fn path_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'(' | b')' | b'*' | b',' | b':' | b'=' | b'@'
        )
}

/// What a query or form value may hold unescaped.
pub fn form_safe(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'*')
}

pub(crate) fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// One `name=value` of a query or form. An item without `=` is a value whose name is empty: what stands
/// there (`?1693423`) is data that must be seen as such.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair<'a> {
    /// Decoded name; empty when there is no `=`.
    pub name: Cow<'a, [u8]>,
    /// Decoded value.
    pub value: Cow<'a, [u8]>,
    /// Where the name is written.
    pub name_span: Range<usize>,
    /// Where the value is written.
    pub value_span: Range<usize>,
}

impl Pair<'_> {
    /// The name as text; bytes that are not UTF-8 become U+FFFD.
    pub fn name_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// The value as text; bytes that are not UTF-8 become U+FFFD.
    pub fn value_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

/// The pairs of a query or form body. Spans are offsets in `raw` plus `base`. Empty items (`a=1&&b=2`) are skipped.
pub fn pairs(raw: &[u8], base: usize) -> impl Iterator<Item = Pair<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = raw.get(at..)?;
            if rest.is_empty() {
                return None;
            }
            let len = memchr::memchr(b'&', rest).unwrap_or(rest.len());
            let item = &rest[..len];
            let start = base + at;
            at += len + 1;
            if item.is_empty() {
                continue;
            }
            let (name, skip) = match memchr::memchr(b'=', item) {
                Some(eq) => (&item[..eq], eq + 1),
                None => (&item[..0], 0),
            };
            return Some(Pair {
                name: decode(name, true),
                value: decode(&item[skip..], true),
                name_span: start..start + name.len(),
                value_span: start + skip..start + item.len(),
            });
        }
    })
}
