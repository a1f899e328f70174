//! Texts of words: most values of an interface are some, and nothing but what was learnt can be in them. Sixteen bytes are looked at
//! at once.

use wide::u8x16;

use super::rows::rows;

/// Bytes that are looked at at once.
const PIECE: usize = 16;
/// Of longer texts the capital letters are not counted, as each place of a piece counts up to 255.
const LONGEST: usize = PIECE * 255;

/// What is known of a text of which all is letters, spaces, commas and apostrophes.
struct Words {
    spaced: bool,
    /// At least so many as there are.
    capitals: usize,
    /// Whether there is a letter that is no hex digit.
    beyond_hex: bool,
    /// Whether there is a backslash.
    backslashes: bool,
    /// Whether a quote stands behind each backslash, and a backslash before each quote.
    quoted: bool,
}

/// Whether neither a detector nor anybody who opens encodings can find anything in a text, as it is made of words.
#[inline]
pub(crate) fn holds_nothing(text: &[u8]) -> bool {
    match text.len() {
        ..PIECE => few_hold_nothing(text),
        _ => many_hold_nothing(text),
    }
}

fn many_hold_nothing(text: &[u8]) -> bool {
    Words::of::<false>(text).is_some_and(|words| words.hold_nothing(text))
}

/// The same of less than a piece, of which a bit for each byte says all.
fn few_hold_nothing(text: &[u8]) -> bool {
    let bytes = u8x16::new(text.first_chunk().copied().unwrap_or_else(|| padded(text, b'a')));
    let folded = bytes | u8x16::splat(0x20);
    let (letters, space) = (within(folded, b'a', 25), bytes.simd_eq(u8x16::splat(b' ')));
    let others = bytes.simd_eq(u8x16::splat(b',')) | bytes.simd_eq(u8x16::splat(b'\''));
    let high = bytes.max(u8x16::splat(0x80)).simd_eq(bytes);
    if (letters | space | others | high).to_bitmask() != 0xffff {
        return false;
    }
    if space.any() {
        return !begins_scheme(text);
    }
    // None, or the first one.
    let capitals = (letters & !bytes.simd_eq(folded)).to_bitmask();
    capitals <= 1 && (letters & !within(folded, b'a', 5)).any()
}

/// The same of what a JSON string means in which quotes are escaped and nothing else: then says whether there are any.
pub(crate) fn quoted_holds_nothing(raw: &[u8]) -> Option<bool> {
    let words = Words::of::<true>(raw)?;
    (words.quoted && words.hold_nothing(raw)).then_some(words.backslashes)
}

/// The same of a text with quotes in it.
pub(crate) fn with_quotes_holds_nothing(text: &[u8]) -> bool {
    Words::of::<true>(text).is_some_and(|words| !words.backslashes && words.hold_nothing(text))
}

/// The same of a path of names in small letters and of short numbers: most links of an interface are some. Digits are too few for any
/// number that is looked for, no word is long enough to be random, and no base64 of a text begins with a slash.
pub(crate) fn is_plain_path(text: &[u8]) -> bool {
    /// Digits of the shortest number there is a detector for, and of a word that may be random.
    const NUMBER: u32 = 7;
    const RANDOM: u32 = 24;
    /// The shortest key of a vendor's; all in small letters have one of these signs in them, or a long word.
    const KEY: usize = 20;
    /// An interface's address has as many dashes.
    const MAC: u32 = 5;
    if text.first() != Some(&b'/') || text.len() > 64 {
        return false;
    }
    // One bit for each byte.
    let (mut digits, mut signs, mut slashes) = (0_u64, 0_u64, 0_u64);
    let mut look = |piece: &[u8; PIECE], before: usize| {
        let bytes = u8x16::new(*piece);
        let digit = within(bytes, b'0', 9);
        let sign = bytes.simd_eq(u8x16::splat(b'-')) | bytes.simd_eq(u8x16::splat(b'_'));
        let slash = bytes.simd_eq(u8x16::splat(b'/'));
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << before;
        digits |= bits(digit);
        signs |= bits(sign);
        slashes |= bits(slash);
        (within(bytes, b'a', 25) | digit | sign | slash).to_bitmask() == 0xffff
    };
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let mut before = 0;
    for piece in pieces {
        if !look(piece, before) {
            return false;
        }
        before += PIECE;
    }
    // The last bytes once more, with those before them where there are so many.
    let is_plain = match text.last_chunk::<PIECE>() {
        _ if rest.is_empty() => true,
        Some(last) => look(last, text.len() - PIECE),
        None => look(&padded(rest, b'/'), before),
    };
    if !is_plain {
        return false;
    }
    // Where a word's first bytes stand so many in a row.
    let random = || rows(!slashes & u64::MAX >> (64 - text.len()), RANDOM) != 0;
    let key = || text.len() >= KEY || signs.count_ones() >= MAC;
    !(text.len() >= RANDOM as usize && random() || signs != 0 && key()) && digits.count_ones() < NUMBER
}

/// Whether there is a digit in a text.
pub(crate) fn has_digit(text: &[u8]) -> bool {
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let look = |all: u8x16, piece: &[u8; PIECE]| all | within(u8x16::new(*piece), b'0', 9);
    let all = pieces.iter().fold(u8x16::splat(0), look);
    let all = if rest.is_empty() { all } else { look(all, &last_of(text, rest)) };
    all.to_bitmask() != 0
}

/// The bytes with `A` for every capital letter, `a` for every small one and `0` for every digit.
#[inline]
pub(crate) fn form_of(piece: &[u8; PIECE]) -> [u8; PIECE] {
    let bytes = u8x16::new(*piece);
    let in_place_of = |those: u8x16, with: u8| those & (bytes ^ u8x16::splat(with));
    // No byte is two of these.
    let capitals = in_place_of(within(bytes, b'A', 25), b'A');
    let small = in_place_of(within(bytes, b'a', 25), b'a');
    let digits = in_place_of(within(bytes, b'0', 9), b'0');
    (bytes ^ (capitals | small | digits)).to_array()
}

/// Whether each of these, lane by lane, is one of so many from the first on.
#[inline]
pub(crate) fn within(bytes: u8x16, first: u8, more: u8) -> u8x16 {
    let above = bytes - u8x16::splat(first);
    above.min(u8x16::splat(more)).simd_eq(above)
}

impl Words {
    fn hold_nothing(&self, text: &[u8]) -> bool {
        // Of vendors' keys without digits all have some of these, and so has base64 in a text.
        if self.capitals >= 4 && text.len() >= 16 {
            return false;
        }
        if self.spaced {
            return !begins_scheme(text);
        }
        // Base64 mixes capital letters and others; hex is of few letters.
        let named = self.capitals == 1 && text.first().is_some_and(u8::is_ascii_uppercase);
        self.beyond_hex && (self.capitals == 0 || named)
    }

    /// `QUOTED`: with backslashes and quotes.
    #[inline]
    fn of<const QUOTED: bool>(text: &[u8]) -> Option<Words> {
        if text.len() > LONGEST {
            return None;
        }
        let mut spaces = u8x16::splat(0);
        let mut capitals = u8x16::splat(0);
        let mut beyond = u8x16::splat(0);
        let (mut backslashes, mut quoted) = (0, true);
        // `wanted` is where a quote must stand: one bit for each byte of the piece, and one for that behind it.
        let mut look = |piece: &[u8; PIECE], wanted: &mut u32| {
            let bytes = u8x16::new(*piece);
            let folded = bytes | u8x16::splat(0x20);
            let letters = within(folded, b'a', 25);
            let space = bytes.simd_eq(u8x16::splat(b' '));
            let mut others = bytes.simd_eq(u8x16::splat(b',')) | bytes.simd_eq(u8x16::splat(b'\''));
            if QUOTED {
                let (quote, backslash) =
                    (bytes.simd_eq(u8x16::splat(b'"')), bytes.simd_eq(u8x16::splat(b'\\')));
                others |= quote | backslash;
                let there = backslash.to_bitmask();
                backslashes |= there;
                *wanted = *wanted >> PIECE | there << 1;
                quoted &= *wanted & 0xffff == quote.to_bitmask();
            }
            // Letters of other scripts.
            let high = bytes.max(u8x16::splat(0x80)).simd_eq(bytes);
            spaces |= space;
            // Each lane of a mask is -1.
            capitals -= letters & !bytes.simd_eq(folded);
            beyond |= letters & !within(folded, b'a', 5);
            (letters | space | others | high).to_bitmask() == 0xffff
        };
        let (pieces, rest) = text.as_chunks::<PIECE>();
        let mut wanted = 0;
        for piece in pieces {
            if !look(piece, &mut wanted) {
                return None;
            }
        }
        if !rest.is_empty() {
            if QUOTED {
                // The last piece may begin anywhere.
                let before = text.len().checked_sub(PIECE + 1).and_then(|at| text.get(at));
                wanted = u32::from(before == Some(&b'\\')) << PIECE;
            }
            if !look(&last_of(text, rest), &mut wanted) {
                return None;
            }
        }
        let sum = |lanes: u8x16| lanes.to_array().iter().map(|lane| usize::from(*lane)).sum();
        Some(Words {
            spaced: spaces.any(),
            capitals: if capitals == u8x16::splat(0) { 0 } else { sum(capitals) },
            beyond_hex: beyond.any(),
            backslashes: backslashes != 0,
            quoted: quoted && wanted >> PIECE == 0,
        })
    }
}

/// Whether a text may begin with a scheme that has credentials behind it.
fn begins_scheme(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'B' | b'b')) && behind_scheme(text).is_some()
}

/// What stands behind `Bearer` or `Basic`, in any case, at the beginning of a text.
pub(crate) fn behind_scheme(text: &[u8]) -> Option<&[u8]> {
    [&b"bearer"[..], b"basic"].into_iter().find_map(|scheme| {
        let (there, behind) = text.split_at_checked(scheme.len())?;
        there.eq_ignore_ascii_case(scheme).then_some(behind)
    })
}

/// The last bytes of a text as a whole piece: with those before them, which may be looked at twice, or with letters behind them.
#[inline]
fn last_of(text: &[u8], rest: &[u8]) -> [u8; PIECE] {
    text.last_chunk::<PIECE>().copied().unwrap_or_else(|| padded(rest, b'a'))
}

/// Fewer bytes than a piece has, and one byte over and over behind them.
#[inline]
pub(crate) fn padded(rest: &[u8], with: u8) -> [u8; PIECE] {
    let len = rest.len();
    let bytes = match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(first), Some(last)) if len < PIECE => {
            u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (len - 8))
        }
        _ => match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
            (Some(first), Some(last)) if len < 8 => {
                u128::from(u32::from_le_bytes(*first))
                    | u128::from(u32::from_le_bytes(*last)) << (8 * (len - 4))
            }
            _ => rest.iter().take(4).rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)),
        },
    };
    let behind = u128::MAX.checked_shl(8 * len as u32).unwrap_or(0);
    (bytes | u128::from_le_bytes([with; PIECE]) & behind).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::{Detectors, detect};

    #[test]
    fn words_are_told_from_what_may_hold_something() {
        for text in [
            "wireless mouse",
            "leather",
            "Springfield",
            "café with two adapters, made in small series",
            "Müller's garden chair",
            "black bottle",
            "Best chair",
            "made in small series, quiet keys of steel with light and warm cotton",
        ] {
            assert!(holds_nothing(text.as_bytes()), "{text}");
        }
        for text in [
            "decade",
            "aGVsbG8gd29ybGQ",
            "bearer abcdefgh",
            "Basic abcdefgh",
            "ann@b.c",
            "one.two",
            "two words 7",
            "SKABCDEFABCDEFABCDEFABCDEF",
            "a\nb words",
            "a\\u0040b",
            "two \\\"words",
        ] {
            assert!(!holds_nothing(text.as_bytes()), "{text}");
        }
        for (text, wanted) in [
            (&br#"the \"best\" chair"#[..], Some(true)),
            (br#"\"best\""#, Some(true)),
            (b"the best chair", Some(false)),
            (br"a\u0040b words", None),
            (br"bearer\nabcdefgh", None),
            (br"a chair\", None),
        ] {
            assert_eq!(quoted_holds_nothing(text), wanted);
        }
    }

    #[test]
    fn links_are_plain_paths() {
        for text in ["/api/v2/items/4711", "/api/v2/items/4711/reviews", "/", "/user-groups/12", "/a_b/c"] {
            assert!(is_plain_path(text.as_bytes()), "{text}");
        }
        for text in [
            "api/v2",
            "/items?id=4",
            "/Items/4",
            "/orders/1234567",
            "/1/2/3/4/5/6/7",
            "/a.b",
            "/keys/abcdefghijklmnopqrstuvwxyz",
            "/ghp-abcdefghijklmno-x",
            "/00-11-22-33-44-5",
        ] {
            assert!(!is_plain_path(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_padded(text in prop::collection::vec(any::<u8>(), 0..16)) {
            let mut wanted = [b'a'; PIECE];
            wanted[..text.len()].copy_from_slice(&text);
            prop_assert_eq!(padded(&text, b'a'), wanted);
        }

        #[test]
        fn quotes_stand_behind_backslashes(text in "([a-z ]{0,20}|[a-z ]{0,9}\\\\\"){0,8}[a-z]{0,3}([\\\\\"]{0,2}[a-z ]{0,18})") {
            let bytes = text.as_bytes();
            let escaped = |at: usize| at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'\\');
            let behind = |at: usize| bytes.get(at + 1) == Some(&b'"');
            let quoted = memchr::memchr_iter(b'\\', bytes).all(behind) && memchr::memchr_iter(b'"', bytes).all(escaped);
            let words = Words::of::<true>(bytes).unwrap();
            prop_assert_eq!((words.quoted, words.backslashes), (quoted, text.contains('\\')), "{}", text);
        }

        #[test]
        fn digits_are_seen(before in "[a-z:/!-~&&[^0-9]]{0,40}", digit in "[0-9]?", behind in "[ -/:-~]{0,40}") {
            let text = format!("{before}{digit}{behind}");
            prop_assert_eq!(has_digit(text.as_bytes()), !digit.is_empty());
        }

        #[test]
        fn nothing_is_in_plain_paths(
            text in "/([a-z]{1,9}/)?[a-z0-9]{1,23}(/[0-9]{1,7})?|(/[a-z0-9_-]{0,12}){1,3}|/[a-z0-9/]{0,62}|/(ghp_|sk-|dapi|hf_|npm_)[a-f0-9]{8,34}",
        ) {
            let bytes = text.as_bytes();
            if is_plain_path(bytes) {
                prop_assert!(detect(bytes, Detectors::DEFAULT.with(Detectors::UUID).with(Detectors::LONG_RANDOM)).is_empty());
            }
        }

        #[test]
        fn few_are_looked_at_as_many(text in "[A-Za-z]{0,2}[a-zé]{0,8}[ ,'A-Z]?[a-f]{0,8}|[bB][aeAE]?(arer|sic)? ?[a-z]{0,9}|[ -~]{0,16}") {
            prop_assert_eq!(holds_nothing(text.as_bytes()), many_hold_nothing(text.as_bytes()), "{}", text);
        }

        #[test]
        fn all_is_counted(text in "[a-zA-Zé ,']{0,70}|[a-f]{6,20}|[a-zA-Z ]{15,17}[0-9.]?") {
            let bytes = text.as_bytes();
            let plain = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80 || b" ,'".contains(b);
            let words = Words::of::<false>(bytes);
            prop_assert_eq!(words.is_some(), bytes.iter().all(plain));
            if let Some(words) = words {
                prop_assert_eq!(words.spaced, text.contains(' '));
                prop_assert!(words.capitals >= bytes.iter().filter(|b| b.is_ascii_uppercase()).count());
                let beyond = |b: &u8| b.is_ascii_alphabetic() && !b.is_ascii_hexdigit();
                prop_assert_eq!(words.beyond_hex, bytes.iter().any(beyond));
            }
            prop_assert_eq!(holds_nothing(bytes), many_hold_nothing(bytes));
            if holds_nothing(bytes) {
                prop_assert!(detect(bytes, Detectors::DEFAULT.with(Detectors::UUID)).is_empty());
            }
        }
    }
}
