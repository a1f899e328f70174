//! Payment card numbers: [ISO/IEC 7812-1](https://www.iso.org/standard/70484.html).

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
    // Visa's old numbers are as long as a bar code.
    is_issued(digits) && luhn_sum(digits).is_multiple_of(10) && !(len == 13 && is_ean(digits))
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

/// Whether the check digit of an EAN holds ([GS1 General Specifications §7.9](https://www.gs1.org/services/how-calculate-check-digit-manually)).
fn is_ean(digits: &[u8]) -> bool {
    let weighted = |(i, d): (usize, &u8)| u32::from(*d) * if i % 2 == 1 { 3 } else { 1 };
    digits.iter().rev().enumerate().map(weighted).sum::<u32>().is_multiple_of(10)
}
