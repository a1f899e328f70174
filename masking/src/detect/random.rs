//! Values of which nothing is known but that no one made them up: long, of mixed characters, without words.

use std::ops::Range;

use base64::Engine as _;
use wide::u8x16;

use super::before;
use crate::entropy;

/// Bits that a value has at least to be taken for random; of a long one, in which some letters look like words by chance, less.
const BITS: f64 = 100.0;
const BITS_OF_LONG: f64 = 64.0;
const LONG: usize = 32;
/// Shorter ones are names of things; longer ones are documents.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=512;

/// The random value in a word, whole.
pub(super) fn within(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let padding = text[end..].iter().take(2).take_while(|b| **b == b'=').count();
    let end = end + padding;
    let value = &text[start..end];
    if !LENGTHS.contains(&value.len()) || value.starts_with(b"--") || !is_mixed(value) {
        return None;
    }
    // Part of something longer that has a meaning of its own: a file's name, an encoded image, a web token, a digest's name.
    if text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric)
        || matches!(before(text, start), Some(b'.' | b'%' | b'@' | b'#'))
        || text[..start].ends_with(b"base64,")
        || [&b"sha256-"[..], b"sha384-", b"sha512-", b"sha1-", b"md5-"].iter().any(|p| value.starts_with(p))
    {
        return None;
    }
    let wanted = if value.len() < LONG { BITS } else { BITS_OF_LONG };
    (!is_path(value) && entropy::is_random(value, wanted) && !is_readable(value)).then_some(start..end)
}

/// Whether capital and small letters stand side by side, as in base64: most identifiers in paths are of one case.
pub(super) fn has_both_cases(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase)
}

/// Letters in both cases and digits; or, without separators, letters that are no hex digits with digits among them.
fn is_mixed(value: &[u8]) -> bool {
    let (mut digits, mut upper, mut lower) = (0, 0, 0);
    for b in value {
        digits += usize::from(b.is_ascii_digit());
        upper += usize::from(b.is_ascii_uppercase());
        lower += usize::from(b.is_ascii_lowercase());
    }
    if digits == 0 {
        return false;
    }
    if upper > 0 && lower > 0 {
        // A UUID with a word before it is mixed too.
        return memchr::memchr(b'-', value).is_none() || !value.windows(36).any(is_uuid);
    }
    let plain = digits + upper + lower == value.len();
    plain && value.len() >= 24 && digits >= 3 && value.iter().any(|b| matches!(b | 0x20, b'g'..=b'z'))
}

/// Whether slashes divide names rather than stand by chance: base64 has one in thirty characters or so.
fn is_path(value: &[u8]) -> bool {
    let slashes = memchr::memchr_iter(b'/', value).count();
    slashes > 0
        && (value.starts_with(b"/")
            || slashes * 12 > value.len()
            || value.split(|b| *b == b'/').any(|piece| piece.len() >= 3 && !entropy::is_random(piece, 5.0)))
}

/// Whether it is base64 of a text or an image: that is for others to look into.
fn is_readable(value: &[u8]) -> bool {
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    const FILES: &[&[u8]] = &[
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"RIFF",
        b"%PDF",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"wOF",
        b"\0\x01\0\0",
        b"\x28\xb5\x2f\xfd",
        b"<svg",
    ];
    let Ok(decoded) = STANDARD.decode(value).or_else(|_| URL_SAFE.decode(value)) else { return false };
    let printable = decoded.iter().filter(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t')).count();
    FILES.iter().any(|f| decoded.starts_with(f))
        || printable * 10 >= decoded.len() * 9
        || std::str::from_utf8(&decoded).is_ok()
}

/// 8-4-4-4-12 hex digits, [RFC 9562](https://www.rfc-editor.org/rfc/rfc9562).
pub(crate) fn is_uuid(value: &[u8]) -> bool {
    // In the form that compilers make vector instructions of.
    value.len() == 36
        && [8, 13, 18, 23].iter().all(|at| value[*at] == b'-')
        && value.iter().map(|b| u8::from(b.is_ascii_hexdigit()) + u8::from(*b == b'-')).sum::<u8>() == 36
}

/// The same of one in which nobody can find anything within: none is base64 of a text, as the dash in its ninth place stands for a
/// byte that is in no UTF-8, and but for two beginnings none is base64 of something compressed.
pub(crate) fn is_plain_uuid(value: &[u8]) -> bool {
    is_uuid(value) && !value.starts_with(b"eA") && !value.starts_with(b"eF")
}

/// Whether a value is a moment, as machines write it ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)): digits, and nothing to be found
/// in them.
pub(crate) fn is_moment(value: &[u8]) -> bool {
    /// The dashes between year, month and day, and the colon between hour and minute.
    const SIGNS: u128 = 0xff << (4 * 8) | 0xff << (7 * 8) | 0xff << (13 * 8);
    const THERE: u128 = 0x2d << (4 * 8) | 0x2d << (7 * 8) | 0x3a << (13 * 8);
    let (Some(first), Some(last)) = (value.first_chunk::<16>(), value.last_chunk::<16>()) else {
        return false;
    };
    let between = value.get(16..32).filter(|_| value.len() > 32).and_then(|middle| middle.first_chunk());
    u128::from_le_bytes(*first) & SIGNS == THERE
        && matches!(value.get(10), Some(b'T' | b' '))
        && value.len() <= 35
        // The letter between day and hour is none of these, also where it is seen once more.
        && of_moments(first) | 1 << 10 == 0xffff
        && of_moments(last) | (1_u32 << 26).wrapping_shr(value.len() as u32) & 0xffff == 0xffff
        && between.is_none_or(|middle| of_moments(middle) == 0xffff)
}

/// Which of these bytes a moment is made of, but for the letter within it.
#[inline]
fn of_moments(bytes: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*bytes);
    let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
    // From + to : there are two more.
    let low = super::words::within(bytes, b'+', b':' - b'+') & !(is(b',') | is(b'/'));
    (low | is(b'Z')).to_bitmask()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte.
    fn is_moment_by_bytes(value: &[u8]) -> bool {
        (16..=35).contains(&value.len())
            && value[4] == b'-'
            && value[7] == b'-'
            && value[13] == b':'
            && matches!(value[10], b'T' | b' ')
            && value
                .iter()
                .enumerate()
                .all(|(i, b)| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'+' | b'Z') || i == 10)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn moments_are_known_as_byte_by_byte(
            text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,12})?)?(Z|[+-][0-9]{2}:[0-9]{2})?",
            at in 0_usize..80,
            other: u8,
        ) {
            prop_assert!(is_moment_by_bytes(text.as_bytes()) == is_moment(text.as_bytes()) , "{}", text);
            let mut text = text.into_bytes();
            if let Some(b) = text.get_mut(at) {
                *b = other;
            }
            prop_assert_eq!(is_moment(&text), is_moment_by_bytes(&text), "{:?}", text);
        }
    }
}
