//! Values that give themselves away by their form: e-mail addresses, JSON web tokens, card numbers.
//!
//! A search for one byte comes before each pattern, so that text without candidates costs little.

pub(crate) mod signs;

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use mynah_message::json;
use regex::bytes::Regex;

use crate::kind::Kind;

/// The detectors in words.
pub(crate) const EXPLAIN: &str = "detector email: local part, @, domain with a top-level domain that is no file extension\n\
    detector jwt: base64url parts, the first one a JSON object with alg or enc\n\
    detector card: 13 to 19 digits, also grouped by single spaces or dashes, of a known issuer range, Luhn; not in path segments\n\
    detector iban: only under a name, length and mod 97\n";

/// A value found in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

/// The e-mail addresses, web tokens and (if asked for) card numbers in a text, in order, without overlaps.
pub(crate) fn detect(text: &[u8], cards: bool) -> Vec<Found> {
    let mut found = Vec::new();
    emails(text, &mut found);
    if text.len() >= 20 && memchr::memchr(b'.', text).is_some() {
        jwts(text, &mut found);
    }
    if cards {
        card_numbers(text, &mut found);
    }
    found.sort_by_key(|f| f.range.start);
    let mut end = 0;
    found.retain(|f| {
        let keep = f.range.start >= end;
        if keep {
            end = f.range.end;
        }
        keep
    });
    found
}

/// What a value is as a whole, by its form.
pub(crate) fn shape(value: &[u8]) -> Option<Kind> {
    let whole = |found: Option<&Found>| found.is_some_and(|f| f.range == (0..value.len()));
    if value.len() <= 320 && memchr::memchr(b'@', value).is_some() {
        let mut found = Vec::new();
        emails(value, &mut found);
        if whole(found.first()) {
            return Some(Kind::Email);
        }
    }
    if is_jwt(value) {
        return Some(Kind::Jwt);
    }
    if value.len() <= 40 && is_card(value) {
        return Some(Kind::Card);
    }
    None
}

const FILES: &str = "png jpg jpeg gif svg webp avif ico css js mjs ts tsx jsx json map html htm php woff woff2 ttf mp4 webm pdf";

fn emails(text: &[u8], found: &mut Vec<Found>) {
    static DOMAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?-u)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,24})").ok()
    });
    let local = |b: u8| {
        b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
    };
    let Some(domain) = DOMAIN.as_ref() else { return };
    for at in memchr::memchr_iter(b'@', text) {
        let before = &text[at.saturating_sub(64)..at];
        let mut start = at - before.iter().rev().take_while(|b| local(**b)).count();
        // A sentence's quote or full stop is not part of the address; nor is a cut-off character.
        while text.get(start).is_some_and(|b| matches!(b, b'.' | b'\'' | b'-' | b'%' | 0x80..=0xbf))
            && start < at
        {
            start += 1;
        }
        if start == at || &text[start..at] == b"git" {
            continue;
        }
        let rest = &text[at + 1..text.len().min(at + 255)];
        let Some(matched) = domain.captures(rest) else { continue };
        let tld = matched.get(1).map_or(&b""[..], |m| m.as_bytes());
        if FILES.split(' ').any(|f| tld.eq_ignore_ascii_case(f.as_bytes())) {
            continue;
        }
        let end = at + 1 + matched.get(0).map_or(0, |m| m.end());
        found.push(Found { range: start..end, kind: Kind::Email });
    }
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

fn jwts(text: &[u8], found: &mut Vec<Found>) {
    static START: LazyLock<memchr::memmem::Finder<'static>> =
        LazyLock::new(|| memchr::memmem::Finder::new(b"ey"));
    let mut end = 0;
    for at in START.find_iter(text) {
        if at < end || (at > 0 && is_base64url(text[at - 1])) {
            continue;
        }
        // Five parts at most: text of nothing but dots must not be read again from each of them.
        let mut dots = 0;
        let part = |b: &&u8| {
            dots += usize::from(**b == b'.');
            is_base64url(**b) || **b == b'.' && dots < 6
        };
        let len = text[at..].iter().take_while(part).count();
        let mut run = &text[at..at + len];
        // A full stop behind it ends the sentence, unless the token has an empty signature (two stops in all).
        while run.ends_with(b".") && memchr::memchr_iter(b'.', run).count() > 2 {
            run = &run[..run.len() - 1];
        }
        if is_jwt(run) {
            end = at + run.len();
            found.push(Found { range: at..end, kind: Kind::Jwt });
        }
    }
}

/// Three (signed) or five (encrypted) parts, of which the first is a header.
pub(crate) fn is_jwt(value: &[u8]) -> bool {
    if !value.starts_with(b"ey") || value.len() < 20 || !value.iter().all(|b| is_base64url(*b) || *b == b'.')
    {
        return false;
    }
    let parts: Vec<&[u8]> = value.split(|b| *b == b'.').collect();
    if !matches!(parts.len(), 3 | 5) || parts[1].is_empty() && parts.len() == 3 {
        return false;
    }
    decode_part(parts[0]).is_some_and(|header| {
        let mut telling = false;
        let end = json::scan(&header, 16, &mut |v| {
            telling |= matches!(v.path, "$.alg" | "$.enc" | "$.typ");
            std::ops::ControlFlow::Continue(())
        });
        telling && end == json::End::Whole
    })
}

/// Whether a value is the header of a web token, or its beginning: that is no secret, and the same in very many tokens.
pub(crate) fn begins_jwt_header(value: &[u8]) -> bool {
    const FIRST: [&[u8]; 8] =
        [b"alg\"", b"typ\"", b"kid\"", b"enc\"", b"cty\"", b"zip\"", b"x5t\"", b"jku\""];
    let value = value.strip_suffix(b".").unwrap_or(value);
    let whole = value.len() / 4 * 4;
    value.starts_with(b"eyJ")
        && value.iter().all(|b| is_base64url(*b))
        && decode_part(&value[..whole])
            .and_then(|text| {
                text.strip_prefix(b"{\"").map(|rest| FIRST.iter().any(|name| rest.starts_with(name)))
            })
            .unwrap_or(false)
}

/// A part of a web token, decoded; sloppy last bits are forgiven.
pub(crate) fn decode_part(part: &[u8]) -> Option<Vec<u8>> {
    use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
    const LENIENT: GeneralPurpose =
        GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    LENIENT.decode(part).ok()
}

/// Whether there are thirteen characters of card numbers in a row. Looks at the last one of each thirteen first.
fn may_hold_card(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(next) = rest.get(..13) {
        match next.iter().rposition(|b| !(b.is_ascii_digit() || matches!(b, b' ' | b'-'))) {
            Some(other) => rest = &rest[other + 1..],
            None => return true,
        }
    }
    false
}

fn card_numbers(text: &[u8], found: &mut Vec<Found>) {
    if !may_hold_card(text) {
        return;
    }
    let mut at = 0;
    while let Some(skip) = text.get(at..).and_then(|t| t.iter().position(u8::is_ascii_digit)) {
        at += skip;
        let start = at;
        let mut digits = 0;
        let mut end = at;
        while let Some(&b) = text.get(at) {
            if b.is_ascii_digit() {
                digits += 1;
                at += 1;
                end = at;
            } else if matches!(b, b' ' | b'-') && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
                at += 1;
            } else {
                break;
            }
        }
        let inside_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let before = start.checked_sub(1).and_then(|i| text.get(i));
        if !(13..=19).contains(&digits) || inside_word(before) || inside_word(text.get(end)) {
            continue;
        }
        // Decimals are measurements.
        let decimal = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if before == Some(&b'.') || decimal {
            continue;
        }
        if is_card(&text[start..end]) {
            found.push(Found { range: start..end, kind: Kind::Card });
        }
    }
}

/// A card number: digits, single spaces or dashes between groups of at least three, issuer, length, check digit.
pub(crate) fn is_card(text: &[u8]) -> bool {
    if text.len() < 13 {
        return false;
    }
    let groups = text.split(|b| matches!(b, b' ' | b'-'));
    let mut digits = [0; 19];
    let mut len = 0;
    for group in groups {
        if group.len() < 3 || !group.iter().all(u8::is_ascii_digit) || len + group.len() > digits.len() {
            return false;
        }
        for b in group {
            digits[len] = b - b'0';
            len += 1;
        }
    }
    let digits = &digits[..len];
    is_issued(digits) && luhn_sum(digits).is_multiple_of(10)
}

/// Issuer ranges with the lengths in use there.
fn is_issued(digits: &[u8]) -> bool {
    if digits.len() < 13 {
        return false;
    }
    let prefix = |n: usize| digits[..n].iter().fold(0_u32, |sum, d| sum * 10 + u32::from(*d));
    let len = digits.len();
    match prefix(4) {
        4000..=4999 => matches!(len, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => len == 16,
        3400..=3499 | 3700..=3799 => len == 15,
        6011 | 6440..=6599 | 3528..=3589 | 6200..=6299 => (16..=19).contains(&len),
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&len),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true,
        _ => false,
    }
}

/// The Luhn sum, ISO/IEC 7812-1: a multiple of ten for a valid number.
pub(crate) fn luhn_sum(digits: &[u8]) -> u32 {
    let doubled = |d: u8| u32::from(if d > 4 { d * 2 - 9 } else { d * 2 });
    digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { doubled(*d) } else { u32::from(*d) }).sum()
}

/// An IBAN: country, check digits, up to 30 letters and digits, in groups or not; mod 97 is 1.
pub(crate) fn is_iban(value: &[u8]) -> bool {
    let compact: Vec<u8> = value.iter().filter(|b| **b != b' ').map(u8::to_ascii_uppercase).collect();
    (15..=34).contains(&compact.len())
        && compact[..2].iter().all(u8::is_ascii_uppercase)
        && compact[2..4].iter().all(u8::is_ascii_digit)
        && compact[4..].iter().all(u8::is_ascii_alphanumeric)
        && iban_remainder(&compact) == 1
}

/// ISO 7064 mod 97 of an upper-case IBAN without spaces, its first four characters moved to the end.
pub(crate) fn iban_remainder(compact: &[u8]) -> u32 {
    let (front, back) = compact.split_at(compact.len().min(4));
    back.iter().chain(front).fold(0, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.to_ascii_uppercase().wrapping_sub(b'A')) + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(&str, Kind)> {
        detect(text.as_bytes(), true).into_iter().map(|f| (&text[f.range], f.kind)).collect()
    }

    const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

    #[test]
    fn emails_in_text() {
        assert_eq!(
            names("Write to <Ann.Lee+x@mail.shop.example>, or 'bob@x.io'."),
            [("Ann.Lee+x@mail.shop.example", Kind::Email), ("bob@x.io", Kind::Email)]
        );
        for none in
            ["logo@2x.png", "react@17.0.2", "git@github.com:a/b", "@media screen", "a@b", "x@y.css", "@a.com"]
        {
            assert_eq!(names(none), [], "{none}");
        }
        assert_eq!(shape(b"a@b.co"), Some(Kind::Email));
        assert_eq!(shape(b"a@b.co,"), None);
    }

    #[test]
    fn web_tokens_in_text() {
        assert_eq!(names(&format!("var t='{JWT}';")), [(JWT, Kind::Jwt)]);
        assert_eq!(names(&format!("It is {JWT}.")), [(JWT, Kind::Jwt)]);
        assert_eq!(names(&format!("x{JWT}")), []);
        assert_eq!(names("eyJub3QiOiJqd3QifQ.eyJub3QiOiJqd3QifQ.x"), []);
        assert_eq!(names("hey.they.were there. eye.of.tiger"), []);
        assert_eq!(shape(JWT.as_bytes()), Some(Kind::Jwt));
    }

    #[test]
    fn cards_in_text() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
        ] {
            assert_eq!(names(&format!("card {card}, thanks")), [(card, Kind::Card)], "{card}");
            assert_eq!(shape(card.as_bytes()), Some(Kind::Card));
        }
        for none in [
            "4111111111111112",
            "1612345678901234",
            "a4111111111111111",
            "0.4111111111111111",
            "4111111111111111.5",
            "411111111111111111111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "9999999999999995",
        ] {
            assert_eq!(names(none), [], "{none}");
        }
    }

    #[test]
    fn ibans() {
        assert!(is_iban(b"DE89 3704 0044 0532 0130 00") && is_iban(b"gb29NWBK60161331926819"));
        assert!(!is_iban(b"DE89 3704 0044 0532 0130 01") && !is_iban(b"") && !is_iban(b"DE8"));
    }
}
