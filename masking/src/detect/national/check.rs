//! Check digits: each function writes them behind the rest.

use super::luhn_sum;

/// The sum of digits, each with its weight.
fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| u32::from(d.wrapping_sub(b'0')) * w).sum()
}

fn digit(n: u32) -> u8 {
    b'0' + (n % 10) as u8
}

/// Writes the last character.
fn last(number: &mut [u8], check: u8) -> bool {
    if let Some(slot) = number.last_mut() {
        *slot = check;
    }
    true
}

/// A large number's remainder.
fn modulo(digits: &[u8], n: u64) -> u64 {
    digits.iter().fold(0, |rest, d| (rest * 10 + u64::from(d.wrapping_sub(b'0'))) % n)
}

/// Writes two digits at the end.
fn last_two(number: &mut [u8], check: u64) -> bool {
    let [.., a, b] = number else { return false };
    (*a, *b) = (digit((check / 10) as u32), digit(check as u32));
    true
}

/// Sum over the digits before the check digit, doubled from the right: ISO/IEC 7812-1.
pub(super) fn luhn(number: &mut [u8]) -> bool {
    last(number, b'0');
    let digits: Vec<u8> = number.iter().map(|b| b.wrapping_sub(b'0')).collect();
    let over = luhn_sum(&digits) % 10;
    last(number, digit(10 - over))
}

/// The century has no part in it.
pub(super) fn swedish(number: &mut [u8]) -> bool {
    number.get_mut(2..).is_some_and(luhn)
}

/// GB 11643-1999: ISO 7064 mod 11-2.
pub(super) fn chinese(number: &mut [u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let rest = weighted(&number[..number.len().min(17)], &WEIGHTS) % 11;
    last(number, b"10X98765432"[rest as usize])
}

/// 97 less the remainder of the rest.
pub(super) fn french(number: &mut [u8]) -> bool {
    let rest = modulo(&number[..number.len().min(13)], 97);
    last_two(number, 97 - rest)
}

/// EAN-13.
pub(super) fn ean(number: &mut [u8]) -> bool {
    let sum = weighted(&number[..number.len().min(12)], &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
    last(number, digit(10 - sum % 10))
}

/// Eleven less the remainder, and zero for ten and eleven.
fn brazilian(digits: &[u8], weights: &[u32]) -> u8 {
    let rest = weighted(digits, weights) % 11;
    digit(if rest < 2 { 0 } else { 11 - rest })
}

pub(super) fn cpf(number: &mut [u8]) -> bool {
    if number.len() != 11 {
        return false;
    }
    number[9] = brazilian(&number[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    number[10] = brazilian(&number[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    true
}

pub(super) fn cnpj(number: &mut [u8]) -> bool {
    if number.len() != 14 {
        return false;
    }
    number[12] = brazilian(&number[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    number[13] = brazilian(&number[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    true
}

/// [Skatteetaten](https://www.skatteetaten.no/en/person/national-registry/identitetsnummer/): where a check would be ten the
/// number is not given out.
pub(super) fn norwegian(number: &mut [u8]) -> bool {
    if number.len() != 11 {
        return false;
    }
    for (at, weights) in [(9, &[3, 7, 6, 1, 8, 9, 4, 5, 2][..]), (10, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2][..])] {
        let check = (11 - weighted(&number[..at], weights) % 11) % 11;
        if check == 10 {
            return false;
        }
        number[at] = digit(check);
    }
    true
}

/// For who was born from 2000 on a 2 stands in front.
pub(super) fn belgian(number: &mut [u8]) -> bool {
    if number.len() != 11 {
        return false;
    }
    let mut digits = number[..9].to_vec();
    if digits[0] < b'3' {
        digits.insert(0, b'2');
    }
    last_two(number, 97 - modulo(&digits, 97))
}

pub(super) fn turkish(number: &mut [u8]) -> bool {
    if number.len() != 11 {
        return false;
    }
    let odd = weighted(&number[..9], &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(&number[..9], &[0, 1, 0, 1, 0, 1, 0, 1, 0]);
    number[9] = digit((odd * 7 + 100 - even) % 10);
    number[10] = digit(weighted(&number[..10], &[1; 10]));
    true
}

pub(super) fn pesel(number: &mut [u8]) -> bool {
    let sum = weighted(&number[..number.len().min(10)], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    last(number, digit(10 - sum % 10))
}

/// ISO 7064 mod 11,10; among the first ten digits exactly one comes twice or three times.
pub(super) fn german(number: &mut [u8]) -> bool {
    let mut counts = [0_u8; 10];
    let mut product = 10;
    for d in number.iter().take(10).map(|b| u32::from(b.wrapping_sub(b'0')) % 10) {
        counts[d as usize] += 1;
        let sum = (d + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    let repeated = counts.iter().filter(|c| **c > 1).count();
    repeated == 1 && counts.iter().all(|c| *c < 4) && last(number, digit((11 - product) % 10))
}

/// [Verhoeff, 1969](https://en.wikipedia.org/wiki/Verhoeff_algorithm), by the dihedral group of ten.
pub(super) fn verhoeff(number: &mut [u8]) -> bool {
    const SHIFT: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let times = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let mut check = 0;
    for (place, b) in number.iter().rev().enumerate().skip(1) {
        let mut d = usize::from(b.wrapping_sub(b'0')) % 10;
        for _ in 0..place % 8 {
            d = SHIFT[d];
        }
        check = times(check, d);
    }
    let inverse = if check < 5 { (5 - check) % 5 } else { check };
    last(number, digit(inverse as u32))
}

/// The eleven test, the last digit counting −1.
pub(super) fn dutch(number: &mut [u8]) -> bool {
    let rest = weighted(&number[..number.len().min(8)], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    rest < 10 && last(number, digit(rest)) && number.iter().any(|b| *b != b'0')
}

/// Weights 1, 4, 3, 7, 5, 8, 6, 9 and 10: a multiple of eleven.
pub(super) fn australian(number: &mut [u8]) -> bool {
    let rest = weighted(&number[..number.len().min(8)], &[1, 4, 3, 7, 5, 8, 6, 9]) % 11;
    rest < 10 && last(number, digit(rest)) && number.iter().any(|b| *b != b'0')
}

/// The letter by the remainder of 23; X, Y and Z in front stand for 0, 1 and 2.
pub(super) fn spanish(number: &mut [u8]) -> bool {
    let mut digits = number[..number.len().min(8)].to_vec();
    if let Some(first @ b'X'..=b'Z') = digits.first_mut() {
        *first = *first - b'X' + b'0';
    }
    last(number, b"TRWAGMYFPDXBNJZSQVHLCKE"[modulo(&digits, 23) as usize])
}

/// [D.P.R. 605/1973](https://www.agenziaentrate.gov.it/portale/web/english/nse/individuals/tax-identification-number-for-foreign-citizens):
/// characters in odd places by a table, in even ones by their number, mod 26. Women's days have forty added.
pub(super) fn italian(number: &mut [u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let day = number.get(9..11).and_then(super::value).unwrap_or(0);
    if !matches!(day, 1..=31 | 41..=71) {
        return false;
    }
    let sum: u32 = number
        .iter()
        .take(15)
        .enumerate()
        .map(|(i, b)| {
            let n = u32::from(if b.is_ascii_digit() { b - b'0' } else { b.wrapping_sub(b'A') % 26 });
            if i % 2 == 0 { ODD[n as usize] } else { n }
        })
        .sum();
    last(number, b'A' + (sum % 26) as u8)
}

/// Day and number together, mod 31; the sign between them says the century.
pub(super) fn finnish(number: &mut [u8]) -> bool {
    if number.len() != 11 {
        return false;
    }
    let rest = modulo(&[&number[..6], &number[7..10]].concat(), 31);
    last(number, b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest as usize])
}

/// No check digit, but letters that are not given out
/// ([HMRC, NIM39110](https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110)).
pub(super) fn british(number: &mut [u8]) -> bool {
    let [a, b, ..] = number else { return false };
    !b"DFIQUV".contains(a)
        && !b"DFIOQUV".contains(b)
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&[*a, *b])
}
