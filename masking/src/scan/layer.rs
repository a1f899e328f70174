//! From a decoded value back to the bytes in which it is written: patches of the one become patches of the other.

use std::borrow::Cow;
use std::ops::Range;

use mynah_message::{Encoding, json, percent};

use super::Patch;

/// A value and how it is written.
pub(crate) struct Layer<'v> {
    raw: &'v [u8],
    value: &'v [u8],
    encoding: Encoding,
    /// A query or form in which a `+` is one, and stays so.
    pluses: bool,
}

enum Map {
    /// Each byte is written as itself.
    Same,
    /// Where each unit (a byte, or an escape) begins: raw, decoded. The last entry is the end of both.
    Units(Vec<(usize, usize)>),
    /// Decoding cannot be followed byte by byte: the whole is written anew.
    Whole,
}

impl<'v> Layer<'v> {
    /// `value` is what `raw` means in `encoding`.
    pub(crate) fn new(raw: &'v [u8], value: &'v [u8], encoding: Encoding) -> Layer<'v> {
        Layer { raw, value, encoding, pluses: false }
    }

    /// The same of a value of a query or form in which each `+` is one.
    pub(crate) fn with_pluses(raw: &'v [u8], value: &'v [u8]) -> Layer<'v> {
        Layer { raw, value, encoding: Encoding::Percent, pluses: true }
    }

    fn map(&self) -> Map {
        let number = matches!(
            self.encoding,
            Encoding::JsonNumber | Encoding::JsonLiteral | Encoding::ScriptNumber | Encoding::HtmlAttrBare
        );
        if number {
            Map::Whole
        } else if self.raw == self.value {
            Map::Same
        } else {
            units(self.raw, self.value, self.encoding).map_or(Map::Whole, Map::Units)
        }
    }

    /// The same patches, in terms of the raw bytes. What a patch leaves as it was stays as it was written.
    pub(crate) fn lift(&self, patches: Vec<Patch>) -> Vec<Patch> {
        if patches.is_empty() {
            return patches;
        }
        // Most leaves hold nothing, and no map of them is needed.
        let map = self.map();
        let units = match &map {
            Map::Same => return patches.into_iter().map(|p| self.lift_same(p)).collect(),
            Map::Units(units) => units,
            Map::Whole => return self.rewrite(&patches).into_iter().collect(),
        };
        let mut out: Vec<Patch> = Vec::with_capacity(patches.len());
        for patch in patches {
            let Some(lifted) = self.lift_units(units, &patch) else { continue };
            // Two patches within one escape: they cannot both be made, the first one may reach over the second.
            if out.last().is_some_and(|last| last.range.end > lifted.range.start) {
                continue;
            }
            out.push(lifted);
        }
        out
    }

    fn lift_same(&self, patch: Patch) -> Patch {
        // That needs no escapes anywhere.
        if patch.bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return patch;
        }
        let old = self.value.get(patch.range.clone()).unwrap_or_default();
        let bytes = if old.len() == patch.bytes.len() {
            let pairs: Vec<_> = letters(old).map(|letter| (letter, letter)).collect();
            self.write(&pairs, &patch.bytes)
        } else {
            self.encode(old, &patch.bytes)
        };
        Patch { bytes, ..patch }
    }

    fn lift_units(&self, units: &[(usize, usize)], patch: &Patch) -> Option<Patch> {
        let Range { start, end } = patch.range;
        let first = units.partition_point(|(_, decoded)| *decoded <= start).checked_sub(1)?;
        let last = units.partition_point(|(_, decoded)| *decoded < end);
        let (raw_start, decoded_start) = *units.get(first)?;
        let (raw_end, decoded_end) = *units.get(last)?;
        // A patch that begins or ends within an escape takes the rest of it along.
        let bytes =
            [self.value.get(decoded_start..start)?, &patch.bytes, self.value.get(end..decoded_end)?].concat();
        let raw = self.raw.get(raw_start..raw_end)?;
        let bytes = if bytes.len() == decoded_end - decoded_start {
            let pairs: Vec<_> = units[first..=last]
                .windows(2)
                .filter_map(|w| Some((self.raw.get(w[0].0..w[1].0)?, self.value.get(w[0].1..w[1].1)?)))
                .collect();
            self.write(&pairs, &bytes)
        } else {
            self.encode(raw, &bytes)
        };
        Some(Patch { range: raw_start..raw_end, bytes, kind: patch.kind, why: patch.why })
    }

    /// Unit by unit: what did not change as before, the rest encoded.
    fn write(&self, units: &[(&[u8], &[u8])], new: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(new.len());
        let mut at = 0;
        let mut changed = 0;
        let mut gone = Vec::new();
        for (raw, old) in units {
            let next = at + old.len();
            let now = new.get(at..next).unwrap_or_default();
            if now == *old {
                out.extend(self.encode(&gone, new.get(changed..at).unwrap_or_default()));
                out.extend_from_slice(raw);
                gone.clear();
                changed = next;
            } else if !raw.is_ascii() {
                gone.extend_from_slice(raw);
            }
            at = next;
        }
        out.extend(self.encode(&gone, new.get(changed..).unwrap_or_default()));
        out
    }

    /// Encodes; a character that stood there unescaped may stand there again.
    fn encode(&self, raw: &[u8], value: &[u8]) -> Vec<u8> {
        if value.is_empty() {
            return Vec::new();
        }
        if self.pluses {
            let stands = |b: u8| matches!(b, b'+' | b'/' | b'=') && memchr::memchr(b, self.raw).is_some();
            return percent::encode(value, |b| percent::form_safe(b) || stands(b), false);
        }
        let safe: fn(u8) -> bool = match self.encoding {
            Encoding::Percent => percent::path_safe,
            Encoding::FormPercent => percent::form_safe,
            _ => return self.encoding.encode(value),
        };
        let plus = self.encoding == Encoding::FormPercent;
        // An escape's percent sign and a plus for a space are none of these. Of a letter of several bytes all are written alike.
        let wide = !raw.is_ascii();
        let stood = |b: u8| match b {
            b'%' | b'+' | b' ' => false,
            0x80.. => wide,
            _ => memchr::memchr(b, raw).is_some(),
        };
        percent::encode(value, |b| safe(b) || stood(b), plus)
    }

    fn rewrite(&self, patches: &[Patch]) -> Option<Patch> {
        let Patch { kind, why, .. } = *patches.first()?;
        let mut value = splice(self.value, patches);
        let number = matches!(self.encoding, Encoding::JsonNumber | Encoding::ScriptNumber);
        if number && json::is_number(self.value) && !json::is_number(&value) {
            value = keep_number(self.value, value);
        }
        Some(Patch { range: 0..self.raw.len(), bytes: self.encoding.encode(&value), kind, why })
    }
}

/// Every such quote written twice.
pub(crate) fn twice(value: &[u8], quote: u8) -> Vec<u8> {
    value.iter().flat_map(|b| std::iter::repeat_n(*b, if *b == quote { 2 } else { 1 })).collect()
}

/// Each two of them written once.
pub(crate) fn once(text: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        out.push(*first);
        rest = if *first == quote { more.strip_prefix(&[quote]).unwrap_or(more) } else { more };
    }
    out
}

/// Where a quote is first written twice in a text.
pub(super) fn first_twice(text: &[u8], quote: u8) -> Option<usize> {
    memchr::memmem::find(text, &[quote, quote])
}

/// The same patches of a value, in terms of how it is written: with that quote twice where it is one.
pub(super) fn lift_twice(raw: &[u8], value: &[u8], quote: u8, patches: &[Patch]) -> Vec<Patch> {
    let Some((kind, why)) = patches.first().map(|patch| (patch.kind, patch.why)) else { return Vec::new() };
    vec![Patch { range: 0..raw.len(), bytes: twice(&splice(value, patches), quote), kind, why }]
}

/// The value with the patches made.
pub(crate) fn splice(value: &[u8], patches: &[Patch]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    let mut at = 0;
    for patch in patches {
        out.extend_from_slice(value.get(at..patch.range.start).unwrap_or_default());
        out.extend_from_slice(&patch.bytes);
        at = patch.range.end;
    }
    out.extend_from_slice(value.get(at..).unwrap_or_default());
    out
}

/// Puts the signs, the point and the exponent's letter back, so that a number stays one.
fn keep_number(old: &[u8], new: Vec<u8>) -> Vec<u8> {
    if old.len() != new.len() {
        return new;
    }
    let first = old.iter().position(u8::is_ascii_digit);
    old.iter()
        .zip(new)
        .enumerate()
        .map(|(i, (old, new))| match (old, new) {
            _ if !old.is_ascii_digit() || !new.is_ascii_digit() => *old,
            // Nor does it get a leading zero, or lose one.
            (b'0', _) if first == Some(i) => b'0',
            (_, b'0') if first == Some(i) => b'1',
            _ => new,
        })
        .collect()
}

/// Follows the decoding; `None` when what comes out is not `value`.
fn units(raw: &[u8], value: &[u8], encoding: Encoding) -> Option<Vec<(usize, usize)>> {
    let mut units = Vec::with_capacity(value.len() + 1);
    let mut at = 0;
    let mut decoded = 0;
    while at < raw.len() {
        let (len, text) = unit(&raw[at..], encoding)?;
        if value.get(decoded..decoded + text.len())? != &*text {
            return None;
        }
        units.push((at, decoded));
        at += len;
        decoded += text.len();
    }
    units.push((at, decoded));
    if !value.is_ascii() {
        // A letter whose bytes are escaped one by one is one unit all the same.
        let mut letters = letters(value);
        let mut begins = 0;
        units.retain(|(_, decoded)| {
            while begins < *decoded {
                begins += letters.next().map_or(value.len(), <[u8]>::len);
            }
            begins == *decoded
        });
    }
    (decoded == value.len()).then_some(units)
}

/// The unit at the start of `raw`: its length and its meaning.
fn unit(raw: &[u8], encoding: Encoding) -> Option<(usize, Cow<'_, [u8]>)> {
    let first = raw.first()?;
    let len = match (encoding, first) {
        (Encoding::Percent | Encoding::FormPercent, b'%') => 3,
        (Encoding::JsonString | Encoding::ScriptString, b'\\') => escape_len(raw),
        (Encoding::HtmlAttr | Encoding::HtmlAttrUnquoted | Encoding::HtmlText, b'&') => {
            let name = raw[1..].iter().take(40).take_while(|b| b.is_ascii_alphanumeric() || **b == b'#');
            let len = 1 + name.count();
            len + usize::from(raw.get(len) == Some(&b';'))
        }
        (Encoding::FormPercent, b'+') => return Some((1, Cow::Borrowed(b" "))),
        _ => {
            let letter = letters(raw).next()?;
            return Some((letter.len(), Cow::Borrowed(letter)));
        }
    };
    let text = raw.get(..len).unwrap_or(raw);
    let meaning = encoding.decode(text)?;
    // What is no escape after all stands for itself, its first character at least.
    if meaning == text && text.len() > 1 {
        Some((1, Cow::Borrowed(&raw[..1])))
    } else {
        Some((text.len(), meaning))
    }
}

/// The letters of a text, each with all of its bytes; of what is no UTF-8 each byte by itself.
fn letters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let len = match rest.first()? {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let whole = rest.get(..len).is_some_and(|letter| std::str::from_utf8(letter).is_ok());
        let (letter, behind) = rest.split_at(if whole { len } else { 1 });
        rest = behind;
        Some(letter)
    })
}

/// Length of a backslash escape.
fn escape_len(raw: &[u8]) -> usize {
    match raw.get(1) {
        Some(b'u') if raw.get(2) == Some(&b'{') => {
            raw.iter().take(16).position(|b| *b == b'}').map_or(2, |end| end + 1)
        }
        Some(b'u') => {
            let surrogate = raw.get(2).is_some_and(|b| matches!(b, b'd' | b'D'))
                && raw.get(3).is_some_and(|b| matches!(b, b'8' | b'9' | b'a'..=b'b' | b'A'..=b'B'))
                && raw.get(6..8) == Some(b"\\u")
                && raw.get(8).is_some_and(|b| matches!(b, b'd' | b'D'))
                && raw.get(9).is_some_and(|b| matches!(b, b'c'..=b'f' | b'C'..=b'F'));
            if surrogate { 12 } else { 6 }
        }
        Some(b'x') => 4,
        Some(b'\r') if raw.get(2) == Some(&b'\n') => 3,
        Some(_) => 2,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Kind;
    use crate::scan::Why;

    fn lifted(raw: &str, encoding: Encoding, range: Range<usize>, bytes: &str) -> String {
        let value = encoding.decode(raw.as_bytes()).unwrap_or(Cow::Borrowed(raw.as_bytes()));
        let layer = Layer::new(raw.as_bytes(), &value, encoding);
        let patches =
            layer.lift(vec![Patch { range, bytes: bytes.into(), kind: Kind::Token, why: Why::Name }]);
        String::from_utf8(splice(raw.as_bytes(), &patches)).unwrap()
    }

    #[test]
    fn what_is_not_patched_stays_as_written() {
        assert_eq!(lifted(r"\u0061\/b\n cde", Encoding::JsonString, 5..8, "xyz"), r"\u0061\/b\n xyz");
        assert_eq!(lifted(r"\u0061\/b\n cde", Encoding::JsonString, 0..3, "x/y"), r"x\/y\n cde");
        assert_eq!(lifted("a%2Fb%2bc+d", Encoding::FormPercent, 0..7, "x/y+z w"), "x%2Fy%2bz+w");
        assert_eq!(lifted("q&amp;a&#43;b", Encoding::HtmlAttr, 2..5, "c+d"), "q&amp;c&#43;d");
        assert_eq!(lifted(r"\x61bc", Encoding::ScriptString, 0..2, "zz"), "zzc");
        assert_eq!(lifted("ann@x.io", Encoding::FormPercent, 0..8, "bobby@y.example"), "bobby@y.example");
        assert_eq!(lifted("2a::7", Encoding::FormPercent, 0..5, "2b:c:8"), "2b:c:8");
        assert_eq!(lifted("ann%40x.io", Encoding::FormPercent, 0..8, "bobby@y.example"), "bobby%40y.example");
    }

    #[test]
    fn letters_stay_whole() {
        for encoding in [Encoding::Percent, Encoding::FormPercent] {
            assert_eq!(lifted("p\u{e4}ss1", encoding, 0..6, "f\u{f3}zq7"), "f\u{f3}zq7");
            assert_eq!(lifted("p\u{e4}%20s1", encoding, 0..6, "f\u{f3}zq7"), "f\u{f3}zq7");
            assert_eq!(lifted("p%C3%A4ss1", encoding, 0..6, "f\u{f3}zq7"), "f%C3%B3zq7");
            assert_eq!(lifted("p\u{e4}s", encoding, 0..4, "\u{f3}longer\u{20ac}"), "\u{f3}longer\u{20ac}");
            assert_eq!(lifted("%C3%A4\u{f6}9", encoding, 0..5, "\u{ee}\u{f3}7"), "\u{ee}\u{f3}7");
            assert_eq!(lifted("\u{f6}%C3%A49", encoding, 0..5, "\u{f6}\u{f3}7"), "\u{f6}%C3%B37");
            assert_eq!(lifted("%C3%A49", encoding, 0..3, "\u{e4}7"), "%C3%A47");
            assert_eq!(lifted("pass", encoding, 0..4, "\u{f3}longer"), "%C3%B3longer");
        }
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(lifted("12e400", Encoding::JsonNumber, 0..6, "07q999"), "17e999");
        assert_eq!(lifted("1234", Encoding::JsonNumber, 0..4, "5678"), "5678");
    }

    proptest! {
        #[test]
        fn any_patch_reads_back(raw in "[a-c%+&;#\\\\u0-9x{}/\"é]{0,24}", from in 0_usize..20, len in 0_usize..8, new in "[a-z]{1,8}") {
            for encoding in [Encoding::JsonString, Encoding::FormPercent, Encoding::HtmlAttr, Encoding::ScriptString, Encoding::Raw] {
                let decode = |raw: &[u8]| encoding.decode(raw).map(Cow::into_owned).unwrap();
                let value = decode(raw.as_bytes());
                let range = from.min(value.len())..(from + len).min(value.len());
                if range.is_empty() { continue; }
                let layer = Layer::new(raw.as_bytes(), &value, encoding);
                let patch = Patch { range, bytes: new.clone().into_bytes(), kind: Kind::Token, why: Why::Name };
                let wanted = splice(&value, std::slice::from_ref(&patch));
                let done = splice(raw.as_bytes(), &layer.lift(vec![patch]));
                let read = decode(&done);
                let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
                prop_assert!(is_text(&done) || !is_text(&wanted), "{raw} -> {done:?}");
                // A loose & or % before the new text may bind with it; no other byte may move.
                let loose = raw.contains('&') || raw.contains('%') || raw.contains('\\');
                prop_assert!(read == wanted || loose, "{raw} -> {}", String::from_utf8_lossy(&done));
            }
        }
    }
}
