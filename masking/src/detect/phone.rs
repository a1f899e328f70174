//! Telephone numbers with their country's calling code:
//! [ITU-T E.164](https://www.itu.int/rec/T-REC-E.164), fifteen digits at most.

use super::{Found, before, in_word};
use crate::kind::Kind;

/// Calling codes in use, of one to three digits; `x` stands for any digit
/// ([ITU Operational Bulletin 1114, annex](https://www.itu.int/pub/T-SP-E.164D)).
const CODES: &str = "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 \
     90 91 92 93 94 95 98 211 212 213 216 218 22x 23x 24x 25x 26x 290 291 297 298 299 35x 370 371 372 373 374 375 376 377 378 379 \
     380 381 382 383 385 386 387 389 420 421 423 50x 59x 670 672 673 674 675 676 677 678 679 68x 690 691 692 800 808 850 852 853 855 856 \
     870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 996 998";

/// How many of the digits are the calling code.
pub(crate) fn code_length(digits: &[u8]) -> Option<usize> {
    CODES
        .as_bytes()
        .split(|b| *b == b' ')
        .find(|code| digits.len() >= code.len() && code.iter().zip(digits).all(|(c, d)| *c == b'x' || c == d))
        .map(<[u8]>::len)
}

/// Whether a number of so many digits can be dialled from everywhere.
pub(crate) fn is_dialled(digits: &[u8]) -> bool {
    (8..=15).contains(&digits.len())
        && code_length(digits).is_some_and(|code| match digits.first() {
            // North America: area and exchange begin with 2 to 9.
            Some(b'1') => digits.len() == 11 && matches!((digits[1], digits[4]), (b'2'..=b'9', b'2'..=b'9')),
            _ => digits.len() >= code + 5,
        })
}

/// The number behind the plus sign at `at`: digits with single spaces, dashes, dots or parentheses between groups.
pub(super) fn after_plus(text: &[u8], at: usize) -> Option<Found> {
    // Not a sum, not a time zone's offset, not a `+` within base64.
    if before(text, at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'/' | b'=')) {
        return None;
    }
    let mut digits = [0; 16];
    let mut len = 0;
    let mut end = at + 1;
    let mut place = at + 1;
    let mut open = false;
    while let Some(b) = text.get(place) {
        match b {
            b'0'..=b'9' => {
                *digits.get_mut(len)? = *b;
                len += 1;
                end = place + 1;
            }
            b'(' if !open && len > 0 => open = true,
            b')' if open => open = false,
            b' ' | b'-' | b'.' if len > 0 && is_separator(text, place) => {}
            _ => break,
        }
        place += 1;
    }
    let digits = &digits[..len];
    // A trunk zero in parentheses, +44 (0)20 …, is no part of the number.
    let dialled = is_dialled(digits);
    (dialled && !open && !in_word(text.get(end))).then_some(Found { range: at..end, kind: Kind::Phone })
}

/// Whether one separator stands between a digit or parenthesis and the next.
fn is_separator(text: &[u8], at: usize) -> bool {
    before(text, at).is_some_and(|b| b.is_ascii_digit() || *b == b')')
        && text.get(at + 1).is_some_and(|b| b.is_ascii_digit() || *b == b'(')
}
