//! Format-preserving encryption for rules that ask for it: digits become digits, letters letters, and no two values of one
//! form become one.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use mynah_message::json;

use super::{Pseudonyms, permute, token};
use crate::detect;
use crate::kind::Kind;

/// FF1 asks for a million alternatives ([NIST SP 800-38G](https://doi.org/10.6028/NIST.SP.800-38G)); below, a permutation.
const LEAST: u64 = 1_000_000;
/// Longer values are documents.
const LONGEST: usize = 512;

/// Cards and IBANs keep check digits that are right. Digits, lower-case and upper-case letters are enciphered each as
/// one number, tweaked with the form and with those enciphered before; all else stays. A number that JSON could hold keeps
/// its range; beyond 19 digits, its first digit is no zero.
pub(super) fn fpe(pseudonyms: &Pseudonyms, value: &[u8]) -> Vec<u8> {
    if detect::is_card(value) {
        return pseudonyms.make(Kind::Card, value);
    }
    if detect::is_iban(value) {
        return pseudonyms.make(Kind::Iban, value);
    }
    let number = json::is_number(value);
    // A token of these is a permutation already, and there are letters that have no alphabet of 26.
    if number && value.len() <= 18 || value.len() > LONGEST || !value.is_ascii() {
        return token::token(pseudonyms, value);
    }
    let mut out = value.to_vec();
    let form: Vec<u8> = value.iter().map(|b| class(*b).map_or(*b, |class| class.0)).collect();
    for (base, radix) in [(b'0', 10), (b'a', 26), (b'A', 26)] {
        let places: Vec<usize> = (0..value.len())
            .filter(|at| value.get(*at).and_then(|b| class(*b)) == Some((base, radix)))
            .collect();
        let mut digits: Vec<u16> =
            places.iter().filter_map(|at| value.get(*at)).map(|b| u16::from(b - base)).collect();
        // What was enciphered before, and what is still to be, tell apart where this class alone is alike.
        let tweak: Vec<u8> = form
            .iter()
            .copied()
            .chain(out.iter().enumerate().map(|(at, b)| if places.contains(&at) { 0 } else { *b }))
            .collect();
        loop {
            let Some(next) = encipher(pseudonyms, &tweak, &digits, radix) else {
                return token::token(pseudonyms, value);
            };
            digits = next;
            if !(number && base == b'0' && digits.first() == Some(&0)) {
                break;
            }
        }
        for (at, digit) in places.iter().zip(&digits) {
            if let Some(slot) = out.get_mut(*at) {
                *slot = base + *digit as u8;
            }
        }
    }
    out
}

/// The first of a byte's alternatives, and how many there are.
fn class(b: u8) -> Option<(u8, u32)> {
    match b {
        b'0'..=b'9' => Some((b'0', 10)),
        b'a'..=b'z' => Some((b'a', 26)),
        b'A'..=b'Z' => Some((b'A', 26)),
        _ => None,
    }
}

fn encipher(pseudonyms: &Pseudonyms, tweak: &[u8], digits: &[u16], radix: u32) -> Option<Vec<u16>> {
    if digits.is_empty() {
        return Some(Vec::new());
    }
    let domain = u64::from(radix).checked_pow(digits.len() as u32);
    if let Some(domain) = domain.filter(|domain| *domain < LEAST) {
        let rank = digits.iter().fold(0, |rank, digit| rank * u64::from(radix) + u64::from(*digit));
        let mut rank = permute::permute(&pseudonyms.fpe, tweak, domain, rank);
        let mut out = vec![0; digits.len()];
        for digit in out.iter_mut().rev() {
            *digit = (rank % u64::from(radix)) as u16;
            rank /= u64::from(radix);
        }
        return Some(out);
    }
    let cipher = FF1::<Aes256>::new(pseudonyms.fpe.bytes(), radix).ok()?;
    let plain = FlexibleNumeralString::from(digits.to_vec());
    Some(Vec::<u16>::from(cipher.encrypt(tweak, &plain).ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Key;

    #[test]
    fn forms_stay_and_values_stay_apart() {
        let pseudonyms = Pseudonyms::new(&Key::from([9; 32]));
        let made = |text: &str| String::from_utf8(pseudonyms.fpe(text.as_bytes())).unwrap();
        for text in [
            "AB-1234-xy",
            "123456789012345678901234",
            "Zz9",
            "CUST-000017",
            "4111 1111 1111 1111",
            "DE89370400440532013000",
        ] {
            let other = made(text);
            assert_ne!(other, text);
            assert_eq!(other, made(text));
            let form = |text: &str| text.bytes().map(|b| class(b).map_or(b, |c| c.0)).collect::<Vec<_>>();
            assert_eq!(form(&other), form(text), "{text} {other}");
        }
        assert!(detect::is_card(made("4111111111111111").as_bytes()));
        assert!(detect::is_iban(made("DE89370400440532013000").as_bytes()));
        assert!(!made("123456789012345678901234").starts_with('0'));
        let all: HashSet<String> = (0..3000).map(|n| made(&format!("C{n:04}-x"))).collect();
        assert_eq!(all.len(), 3000);
        assert_eq!(made("ключ").chars().count(), 4);
    }
}
