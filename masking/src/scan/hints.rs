//! What a text may be or hold, by a few of its signs: whether it is worth being read as such.

use mynah_message::Encoding;

use crate::detect::words;

/// Whether names in texts have such a byte in them.
pub(crate) fn is_of_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Bytes of a longest name in a text.
pub(crate) const NAME: usize = 64;

/// Length of the name that a text begins with.
pub(super) fn name_len(text: &[u8]) -> usize {
    text.iter().take(NAME).take_while(|b| is_of_name(**b)).count()
}

/// Whether there are escapes in a text that scripts have, and JSON has not: `\x22`, `\u{22}`.
pub(super) fn script_escapes(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', text).any(|at| match text.get(at + 1..at + 4) {
        Some([b'x', one, two]) => one.is_ascii_hexdigit() && two.is_ascii_hexdigit(),
        Some([b'u', b'{', digit]) => digit.is_ascii_hexdigit(),
        _ => false,
    })
}

/// Whether there is a character reference in a text.
pub(super) fn refers(text: &[u8]) -> bool {
    Encoding::HtmlText.decode(text).is_none_or(|decoded| *decoded != *text)
}

/// `Bearer` or `Basic`, and one word behind it.
pub(super) fn is_schemed(value: &[u8]) -> bool {
    let token = words::behind_scheme(value).and_then(|behind| behind.strip_prefix(b" "));
    token.is_some_and(|token| {
        token.len() >= 8 && token.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b))
    })
}

/// A value without the space and the quotes around it, which are no part of it: quoted or not, it is the same; and how many bytes stand
/// before it. Nobody has this many quotes around a value, and each pair is looked into by itself.
pub(super) fn unquoted(value: &[u8]) -> (usize, &[u8]) {
    const MOST: usize = 8;
    let around = |b: &&u8| **b == b'"' || b.is_ascii_whitespace();
    let quotes = value.iter().take_while(around).filter(|b| **b == b'"').take(MOST + 1).count();
    let trimmed = value.trim_ascii();
    let lead = value.len() - value.trim_ascii_start().len();
    match trimmed {
        [b'"', inner @ .., b'"'] if !inner.is_empty() && quotes <= MOST => (lead + 1, inner),
        _ => (lead, trimmed),
    }
}

/// Whether there are tags in a text.
pub(super) fn is_markup(value: &[u8]) -> bool {
    memchr::memchr_iter(b'<', value).any(|at| value.get(at + 1).is_some_and(u8::is_ascii_alphabetic))
        && memchr::memchr(b'>', value).is_some()
}

/// Whether a text is a document in GraphQL, whose arguments have names.
pub(super) fn is_graphql(text: &[u8]) -> bool {
    let word = text.iter().take(13).take_while(|b| b.is_ascii_lowercase()).count();
    let telling = match &text[..word] {
        b"query" | b"mutation" | b"subscription" => true,
        b"" => text.starts_with(b"{") && !matches!(text[1..].trim_ascii_start().first(), Some(b'"' | b'}')),
        _ => false,
    };
    telling && memchr::memchr(b'(', text).is_some() && memchr::memchr(b'{', text).is_some()
}

/// Whether there is a percent sign with two hex digits.
pub(super) fn has_percent(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value)
        .any(|at| value.get(at + 1..at + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether all there is behind percent signs are bytes that somebody would encode: `a%62c` is a password with a percent sign in it.
pub(super) fn is_percent_encoded(value: &[u8]) -> bool {
    let needless = |at: usize| {
        let digits = value.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
        let needless = |b: u8| b.is_ascii_alphanumeric() || b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n');
        digits.and_then(|d| u8::from_str_radix(d, 16).ok()).is_some_and(needless)
    };
    has_percent(value) && !memchr::memchr_iter(b'%', value).any(needless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_are_not_percent_encoded() {
        assert!(is_percent_encoded(b"a%40b%2Bc") && is_percent_encoded(b"100% a%20b"));
        assert!(
            !is_percent_encoded(b"Sedcho%001xXl")
                && !is_percent_encoded(b"Quojor%628kVj")
                && !is_percent_encoded(b"100%")
                && !is_percent_encoded(b"a%4")
        );
    }
}
