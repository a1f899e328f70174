//! Ways in which a value can be written inside of another text, and how to write another value in its place.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use mynah_message::{Encoding, hex, html, json, percent};

use crate::kind::Kind;
use crate::scan::Patch;
use crate::scan::layer::{Layer, splice, twice};

/// Whether a text may begin with a value, as far as its first letters and digits tell: in all but base64 and hex they are written
/// as they are. Most places that share a window with a value are told apart by that.
fn begins_alike(text: &[u8], value: &[u8], variant: Variant) -> bool {
    if matches!(variant, Variant::Base64 { .. } | Variant::Hex) {
        return true;
    }
    let plain = value.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let percent = matches!(variant, Variant::Form | Variant::Percent);
    let (Some(there), Some(wanted)) = (text.get(..plain), value.get(..plain)) else { return false };
    // What follows is an escape, if it is anything that needs one.
    let next = !percent
        || match (value.get(plain), text.get(plain)) {
            (Some(b'-' | b'.' | b'_' | b'~') | None, _) => true,
            (Some(wanted), Some(there)) => matches!(there, b'%' | b'+') || wanted == there,
            (Some(_), None) => false,
        };
    next && there.eq_ignore_ascii_case(wanted)
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Variant {
    /// As it is.
    Raw,
    /// Percent-encoded, `+` for a space.
    Form,
    /// Percent-encoded.
    Percent,
    /// With the escapes of a JSON string.
    Json,
    /// The same with `\/`.
    JsonSlashes,
    /// With character references.
    Html,
    /// Within base64, beginning at this byte of a group of three.
    Base64 {
        /// 0, 1 or 2.
        align: u8,
        /// `-_` rather than `+/`.
        url: bool,
    },
    /// Two hex digits a byte.
    Hex,
    /// With this quote written twice, as in SQL and in tables.
    Twice(u8),
}

const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));
const URL_SAFE: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

fn engine(url: bool) -> &'static GeneralPurpose {
    if url { &URL_SAFE } else { &STANDARD }
}

/// One of the ways in which a value is searched for: a variant, and for percent-encoding which characters it leaves alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Way(u8);

/// In the order in which they are preferred. The second percent-encoding is that of paths.
const WAYS: [Variant; 16] = [
    Variant::Raw,
    Variant::Form,
    Variant::Percent,
    Variant::Percent,
    Variant::Json,
    Variant::JsonSlashes,
    Variant::Html,
    Variant::Base64 { align: 0, url: false },
    Variant::Base64 { align: 0, url: true },
    Variant::Base64 { align: 1, url: false },
    Variant::Base64 { align: 1, url: true },
    Variant::Base64 { align: 2, url: false },
    Variant::Base64 { align: 2, url: true },
    Variant::Hex,
    Variant::Twice(b'\''),
    Variant::Twice(b'"'),
];

impl Way {
    /// Bits that a number takes.
    pub(crate) const BITS: u32 = 4;
    /// These bits.
    pub(crate) const MASK: u8 = (1 << Way::BITS) - 1;
    /// All, the preferred first.
    pub(crate) const ALL: &'static [Way] = &{
        let mut all = [Way(0); WAYS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = Way(at as u8);
            at += 1;
        }
        all
    };

    pub(crate) fn number(self) -> u8 {
        self.0
    }

    pub(crate) fn from_number(number: u8) -> Option<Way> {
        Way::ALL.get(usize::from(number)).copied()
    }

    pub(crate) fn variant(self) -> Variant {
        WAYS.get(usize::from(self.0)).copied().unwrap_or(Variant::Raw)
    }

    /// The value written so.
    pub(crate) fn write(self, value: &[u8]) -> Vec<u8> {
        match self.variant() {
            Variant::Percent if self.0 == 3 => percent::encode(value, percent::path_safe, false),
            variant => variant.write(value),
        }
    }

    /// The length of the value when it is written so at the beginning of `text`.
    pub(crate) fn matches(self, text: &[u8], value: &[u8]) -> Option<usize> {
        let written;
        let wanted = if self.variant() == Variant::Raw {
            value
        } else if !begins_alike(text, value, self.variant()) {
            return None;
        } else {
            written = self.write(value);
            &written
        };
        let there = text.get(..wanted.len())?;
        let same =
            if self.variant().is_exact() { there == wanted } else { there.eq_ignore_ascii_case(wanted) };
        same.then_some(wanted.len())
    }
}

impl Variant {
    /// Whether the case of letters matters.
    fn is_exact(self) -> bool {
        matches!(self, Variant::Base64 { .. })
    }

    /// The value written so; in base64 the characters that depend on the value alone.
    fn write(self, value: &[u8]) -> Vec<u8> {
        match self {
            Variant::Raw => value.to_vec(),
            Variant::Form => percent::encode(value, percent::form_safe, true),
            Variant::Percent => percent::encode(value, percent::form_safe, false),
            Variant::Json => json::escape(value),
            Variant::JsonSlashes => json_with_slashes(value),
            Variant::Html => html::entity::escape(value),
            Variant::Base64 { align, url } => base64_inner(value, align, url),
            Variant::Hex => hex::encode(value, false),
            Variant::Twice(quote) => twice(value, quote),
        }
    }

    /// What to put where in `text`, in which `value` is written at `seen`, so that `other` is read there. `None` when it is not
    /// written there after all.
    pub(crate) fn rewrite(
        self,
        text: &[u8],
        seen: &Range<usize>,
        value: &[u8],
        other: &[u8],
    ) -> Option<(Range<usize>, Vec<u8>)> {
        let there = text.get(seen.clone())?;
        let written = match self {
            Variant::Raw => other.to_vec(),
            Variant::Form => alike(there, other, Encoding::FormPercent),
            Variant::Percent => alike(there, other, Encoding::Percent),
            Variant::Json | Variant::JsonSlashes => alike(there, other, Encoding::JsonString),
            Variant::Html => alike(there, other, Encoding::HtmlAttr),
            Variant::Twice(quote) => twice(other, quote),
            Variant::Hex => hex::encode(other, there.iter().any(u8::is_ascii_uppercase)),
            Variant::Base64 { align, url } => return rewrite_base64(text, seen, align, url, value, other),
        };
        Some((seen.clone(), written))
    }
}

pub(crate) fn json_with_slashes(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for b in json::escape(value) {
        if b == b'/' {
            out.push(b'\\');
        }
        out.push(b);
    }
    out
}

/// `other` written as what stands there is: each escape that means the same in both stays as it is.
fn alike(there: &[u8], other: &[u8], encoding: Encoding) -> Vec<u8> {
    let decoded = encoding.decode(there).unwrap_or(Cow::Borrowed(there));
    let patch = Patch {
        range: 0..decoded.len(),
        bytes: other.to_vec(),
        kind: Kind::Token,
        why: crate::scan::Why::Name,
    };
    let lifted = Layer::new(there, &decoded, encoding).lift(vec![patch]);
    splice(there, &lifted)
}

/// The characters that depend on the value alone, when it begins at this byte of a group of three.
fn base64_inner(value: &[u8], align: u8, url: bool) -> Vec<u8> {
    let padded = match align {
        0 => Cow::Borrowed(value),
        _ => Cow::Owned([&[0; 2][..usize::from(align)], value].concat()),
    };
    let mut text = engine(url).encode(&padded).into_bytes();
    text.truncate(padded.len() * 8 / 6);
    text.drain(..skipped(align).min(text.len()));
    text
}

/// Characters at the beginning of a group that also depend on what stands before the value.
fn skipped(align: u8) -> usize {
    match align {
        0 => 0,
        1 => 2,
        _ => 3,
    }
}

/// How many characters of one of the two alphabets of base64 a text begins with.
pub(crate) fn base64_run(text: &[u8], url: bool) -> usize {
    let (plus, slash) = if url { (b'-', b'_') } else { (b'+', b'/') };
    text.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == plus || **b == slash).count()
}

fn rewrite_base64(
    text: &[u8],
    seen: &Range<usize>,
    align: u8,
    url: bool,
    value: &[u8],
    other: &[u8],
) -> Option<(Range<usize>, Vec<u8>)> {
    let start = seen.start.checked_sub(skipped(align))?;
    let rest = text.get(start..)?;
    let mut len = base64_run(rest, url);
    // A last single character holds no whole byte.
    if len % 4 == 1 {
        len -= 1;
    }
    let mut bytes = engine(url).decode(&rest[..len]).ok()?;
    let place = usize::from(align)..usize::from(align) + value.len();
    if bytes.get(place.clone())? != value {
        return None;
    }
    bytes.splice(place, other.iter().copied());
    let mut written = engine(url).encode(bytes).into_bytes();
    let padding = rest[len..].iter().take(2).take_while(|b| **b == b'=').count();
    // What fitted without padding may have been padded where it did not: so it is usual in the standard alphabet.
    if padding > 0 || (len.is_multiple_of(4) && !url) {
        while !written.len().is_multiple_of(4) {
            written.push(b'=');
        }
    }
    Some((start..start + len + padding, written))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD as PADDED;

    use super::*;

    #[test]
    fn base64_is_opened_at_every_alignment() {
        let value = b"k3J9xQ2mLp0Z";
        for before in ["", "u", "us", "user:"] {
            for (after, other) in [("", &b"0Zk3J9xQ2mLp"[..]), ("@", b"longer-than-before"), ("ab", b"short")]
            {
                let inner = [before.as_bytes(), value, after.as_bytes()].concat();
                let text = format!("Basic {} tail", PADDED.encode(&inner));
                let hits: Vec<_> = Way::ALL
                    .iter()
                    .filter(|way| matches!(way.variant(), Variant::Base64 { url: false, .. }))
                    .filter_map(|way| {
                        let (form, variant) = (way.write(value), way.variant());
                        let at = memchr::memmem::find(text.as_bytes(), &form)?;
                        variant.rewrite(text.as_bytes(), &(at..at + form.len()), value, other)
                    })
                    .collect();
                assert_eq!(hits.len(), 1, "{text}");
                let (range, written) = &hits[0];
                let mut masked = text.clone();
                masked.replace_range(range.clone(), std::str::from_utf8(written).unwrap());
                let wanted = [before.as_bytes(), other, after.as_bytes()].concat();
                assert_eq!(masked, format!("Basic {} tail", PADDED.encode(wanted)));
            }
        }
    }
}
