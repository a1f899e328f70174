//! Which values can be told from accident: identifiers and tokens, not words, prices and dates.

/// Shorter values are not looked at: page numbers, quantities, flags.
pub(crate) const SHORTEST: usize = 4;
/// Longer ones are documents.
pub(crate) const LONGEST: usize = 8192;

/// Whether a value can be looked up at all.
pub(crate) fn is_eligible(value: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&value.len())
        && !value.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

/// Whether a value looks like one that a machine made: an identifier or a token. Words, prices, dates, addresses and
/// URLs do not, as people choose and type them.
pub(crate) fn is_strong(value: &str) -> bool {
    if !is_eligible(value)
        || value.contains(['@', '<', '>'])
        || value.contains("://")
        || value.starts_with('/')
    {
        return false;
    }
    let count = |test: fn(&u8) -> bool| value.bytes().filter(test).count();
    let digits = count(u8::is_ascii_digit);
    let letters = count(u8::is_ascii_alphabetic);
    if letters == 0 {
        let others = value.len() - digits;
        return others == 0 || digits >= 8 && !is_date(value) && !is_decimal(value);
    }
    if digits > 0 {
        return !is_date(value);
    }
    // Letters only: long, with many changes of case and neighbouring capitals, which a CamelCase name has not.
    let cases: Vec<bool> =
        value.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte.is_ascii_uppercase()).collect();
    let changes = cases.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let neighbours = cases.windows(2).filter(|pair| pair[0] && pair[1]).count();
    value.len() >= 16 && changes * 4 >= value.len() && neighbours >= 2
}

/// Whether it is made of capitals, digits and hyphens as codes are (and names of constants): too little to conclude from,
/// enough to be looked at where most values in the same place are strong.
pub(crate) fn is_code(value: &str) -> bool {
    value.len() >= 8
        && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        && value.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether it looks random enough to be taken for a session's own on one sighting.
pub(crate) fn is_random(value: &str) -> bool {
    is_strong(value) && (value.len() >= 8 || value.len() >= 5 && value.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether it is so long and mixed that the same value twice is no accident, nor one of a menu.
pub(crate) fn is_opaque(value: &str) -> bool {
    value.len() >= 12 && is_random(value)
}

fn is_decimal(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'-' | b'+'))
        && value.bytes().filter(|byte| matches!(byte, b'.' | b',')).count() >= 1
}

/// `2026-11-21`, `2026-11-21T10:00:00Z`, `21.11.2026`, `11/29`.
fn is_date(value: &str) -> bool {
    let date = value.split(['T', 't']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split(['-', '.', '/']).collect();
    matches!(parts.len(), 2 | 3)
        && parts
            .iter()
            .all(|part| matches!(part.len(), 1 | 2 | 4) && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `Bearer abc` apart: the scheme with its space (empty when there is none), and the value.
pub(crate) fn without_scheme(value: &str) -> (&str, &str) {
    match value.find(' ') {
        Some(space)
            if space > 0
                && value.bytes().take(space).all(|byte| byte.is_ascii_alphabetic())
                && !value[space + 1..].contains(' ') =>
        {
            value.split_at(space + 1)
        }
        _ => ("", value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_make_and_what_people_type() {
        for value in [
            "123456",
            "4711",
            "0b6a3c52-9d0e-4c8a-bb3f-2a5f6f5f0c11",
            "ORD-7K2M9",
            "deadbeef01",
            "FERN-7AQ2-K9PX",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "qWErtYUioPaSDfgHJkl",
            "oak-lamp-12",
        ] {
            assert!(is_strong(value), "{value}");
        }
        for value in [
            "7",
            "12",
            "lamp",
            "furniture",
            "oak lamp 12",
            "12.95",
            "1,299.00",
            "2026-11-21",
            "2026-11-21T10:00:00Z",
            "04/29",
            "ada@example.org",
            "/account/17",
            "https://a/17",
            "SomeLongCamelCaseName",
            "CREDIT_CARD_PAYMENT",
            "",
        ] {
            assert!(!is_strong(value), "{value}");
        }
    }

    #[test]
    fn schemes() {
        assert_eq!(without_scheme("Bearer abc"), ("Bearer ", "abc"));
        assert_eq!(without_scheme("abc"), ("", "abc"));
        assert_eq!(without_scheme("a b c"), ("", "a b c"));
        assert_eq!(without_scheme("Digest a=1, b=2"), ("", "Digest a=1, b=2"));
    }
}
