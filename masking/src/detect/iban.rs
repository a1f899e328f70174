//! International bank account numbers: ISO 13616, by the
//! [registry](https://www.swift.com/standards/data-standards/iban-international-bank-account-number) of countries.

use super::{Found, before, in_word};
use crate::kind::Kind;

/// Countries and the lengths of their numbers.
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 \
     ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 \
     LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 \
     SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// The same by the letters of the country; zero for those that have none.
const TABLE: [[u8; 26]; 26] = {
    let rows = LENGTHS.as_bytes();
    let mut table = [[0; 26]; 26];
    let mut at = 0;
    while at + 4 <= rows.len() {
        let (first, second) = (rows[at] - b'A', rows[at + 1] - b'A');
        table[first as usize][second as usize] = (rows[at + 2] - b'0') * 10 + (rows[at + 3] - b'0');
        at += 5;
    }
    table
};

/// The length of that country's numbers; the country in upper case.
fn length([first, second]: [u8; 2]) -> Option<usize> {
    let place = |letter: u8| usize::from(letter.wrapping_sub(b'A'));
    let length = *TABLE.get(place(first))?.get(place(second))?;
    (length > 0).then_some(usize::from(length))
}

/// Whether a text begins with a country of the registry, in either case.
pub(super) fn begins_with_country(text: &[u8]) -> bool {
    text.first_chunk::<2>().is_some_and(|country| length(country.map(|b| b.to_ascii_uppercase())).is_some())
}

/// An IBAN: country, check digits, up to 30 letters and digits, in groups or not; mod 97 is 1.
pub(crate) fn is_iban(value: &[u8]) -> bool {
    let compact: Vec<u8> = value.iter().filter(|b| **b != b' ').map(u8::to_ascii_uppercase).collect();
    let Some(country) = compact.first_chunk::<2>() else { return false };
    length(*country) == Some(compact.len())
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

/// The IBAN whose check digits begin at `at`, in one run or in groups of four.
pub(super) fn around(text: &[u8], at: usize) -> Option<Found> {
    let start = at.checked_sub(2)?;
    let country = text.get(start..at)?.first_chunk::<2>()?.map(|b| b.to_ascii_uppercase());
    if !country.iter().all(u8::is_ascii_uppercase) || in_word(before(text, start)) {
        return None;
    }
    let wanted = length(country)?;
    let mut end = start;
    let mut count = 0;
    let grouped = text.get(start + 4) == Some(&b' ');
    while count < wanted {
        if grouped && count > 0 && count % 4 == 0 {
            if text.get(end) != Some(&b' ') {
                return None;
            }
            end += 1;
        }
        if !text.get(end)?.is_ascii_alphanumeric() {
            return None;
        }
        end += 1;
        count += 1;
    }
    let value = &text[start..end];
    // One case only: a word of both is something else.
    let mixed = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    (!mixed && !in_word(text.get(end)) && is_iban(value))
        .then_some(Found { range: start..end, kind: Kind::Iban })
}
