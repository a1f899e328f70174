//! Ways in which a value can be written inside of another text, and how to write another value in its place.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use mynah_message::{html, json, percent};

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
}

const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));
const URL_SAFE: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

fn engine(url: bool) -> &'static GeneralPurpose {
    if url { &URL_SAFE } else { &STANDARD }
}

impl Variant {
    /// Whether the case of letters matters.
    pub(crate) fn is_exact(self) -> bool {
        matches!(self, Variant::Base64 { .. })
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
        let written = match self {
            Variant::Raw => other.to_vec(),
            Variant::Form => percent::encode(other, percent::form_safe, true),
            Variant::Percent => percent::encode(other, percent::form_safe, false),
            Variant::Json => json::escape(other),
            Variant::JsonSlashes => json_with_slashes(other),
            Variant::Html => html::entity::escape(other),
            Variant::Hex => hex(other, text.get(seen.clone())?.iter().any(u8::is_ascii_uppercase)),
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

pub(crate) fn hex(value: &[u8], upper: bool) -> Vec<u8> {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    value.iter().flat_map(|b| [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]).collect()
}

/// The characters that depend on the value alone, for each of the three places in a group and both alphabets.
pub(crate) fn base64_forms(value: &[u8]) -> Vec<(Vec<u8>, Variant)> {
    let mut forms = Vec::with_capacity(6);
    for align in 0..3_u8 {
        let padded = [&[0; 2][..usize::from(align)], value].concat();
        let from = skipped(align);
        let to = padded.len() * 8 / 6;
        for url in [false, true] {
            let text = engine(url).encode(&padded).into_bytes();
            if let Some(inner) = text.get(from..to)
                && forms.iter().all(|(other, _)| other != inner)
            {
                forms.push((inner.to_vec(), Variant::Base64 { align, url }));
            }
        }
    }
    forms
}

/// Characters at the beginning of a group that also depend on what stands before the value.
fn skipped(align: u8) -> usize {
    match align {
        0 => 0,
        1 => 2,
        _ => 3,
    }
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
    let (plus, slash) = if url { (b'-', b'_') } else { (b'+', b'/') };
    let rest = text.get(start..)?;
    let mut len =
        rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == plus || **b == slash).count();
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
                let hits: Vec<_> = base64_forms(value)
                    .into_iter()
                    .filter_map(|(form, variant)| {
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
