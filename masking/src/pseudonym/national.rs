//! Numbers that states give to persons: another one of the same scheme, with a day that exists and check digits that are right.

use super::permute::permute;
use crate::detect::national::{Field, SSN, Scheme, scheme_of, schemes_of, value};
use crate::key::SubKey;

/// A permutation of all valid numbers of the scheme that the value fits. `None` when it fits none.
pub(super) fn national(key: &SubKey, text: &[u8]) -> Option<Vec<u8>> {
    let kept = |b: &&u8| b.is_ascii_alphanumeric();
    let compact: Vec<u8> = text.iter().filter(kept).map(u8::to_ascii_uppercase).collect();
    // A Finn's number has a sign in the middle that tells the century.
    let signed: Vec<u8> = text.to_ascii_uppercase();
    let (compact, all) = match scheme_of(&compact) {
        Some(_) => (compact, false),
        None => (signed, true),
    };
    let separators = |b: &u8| matches!(b, b' ' | b'-' | b'.' | b'/' | b'+');
    if !text.iter().all(|b| b.is_ascii_alphanumeric() || separators(b)) {
        return None;
    }
    let (_, scheme) = scheme_of(&compact)?;
    let masked = walk(key, scheme, &compact)?;
    let mut masked = masked.into_iter();
    let written = |b: &u8| {
        if !all && separators(b) {
            return *b;
        }
        let new = masked.next().unwrap_or(*b);
        if b.is_ascii_lowercase() { new.to_ascii_lowercase() } else { new }
    };
    Some(text.iter().map(written).collect())
}

/// Along the permutation's cycle to the next number that is valid, of no stricter scheme, and as good a number for others: of the
/// same second scheme, with a leading zero or without, and of a social security number's form or not. Who made the numbers has no say in
/// how long that takes: two schemes leave one number in some thousands, three could leave one in millions.
fn walk(key: &SubKey, scheme: &Scheme, compact: &[u8]) -> Option<Vec<u8>> {
    let (n, mut x) = rank(scheme, compact)?;
    let schemes = schemes_of(compact);
    let alike = |other: &[u8]| {
        (other.first() == Some(&b'0')) == (compact.first() == Some(&b'0'))
            && SSN.is_valid(other) == SSN.is_valid(compact)
            && schemes_of(other) == schemes
    };
    loop {
        x = permute(key, scheme.name.as_bytes(), n, x);
        let mut other = unrank(scheme, x);
        if (scheme.repair)(&mut other) && alike(&other) {
            return Some(other);
        }
    }
}

/// How many alternatives a field has.
fn size(field: Field) -> u64 {
    match field {
        Field::Digits(n) => 10_u64.pow(u32::from(n)),
        Field::Range(_, low, high) => u64::from(high - low) + 1,
        Field::Date(date) => {
            let (first, last) = date.span();
            (last - first) as u64 + 1
        }
        Field::Letters(n) => 26_u64.pow(u32::from(n)),
        Field::One(set) => set.len() as u64,
        Field::Check(_) => 1,
    }
}

/// How many numbers there are without their check characters, and which of them this is.
fn rank(scheme: &Scheme, compact: &[u8]) -> Option<(u64, u64)> {
    let (mut n, mut rank, mut at) = (1_u64, 0, 0);
    for field in scheme.fields {
        let text = compact.get(at..at + field.width())?;
        at += field.width();
        let index = match field {
            Field::Digits(_) => text.iter().fold(0, |n, b| n * 10 + u64::from(b.wrapping_sub(b'0'))),
            Field::Range(_, low, _) => u64::from(value(text)?.checked_sub(*low)?),
            Field::Date(date) => (date.read(text)? - date.span().0) as u64,
            Field::Letters(_) => text.iter().fold(0, |n, b| n * 26 + u64::from(b.wrapping_sub(b'A'))),
            Field::One(set) => set.iter().position(|b| Some(b) == text.first())? as u64,
            Field::Check(_) => 0,
        };
        n = n.checked_mul(size(*field))?;
        rank = rank * size(*field) + index;
    }
    (n < 1 << 62).then_some((n, rank))
}

/// That number, with zeros for its check characters.
fn unrank(scheme: &Scheme, mut rank: u64) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = Vec::with_capacity(scheme.fields.len());
    for field in scheme.fields.iter().rev() {
        let index = rank % size(*field);
        rank /= size(*field);
        let width = field.width();
        parts.push(match field {
            Field::Digits(_) => format!("{index:0width$}").into_bytes(),
            Field::Range(_, low, _) => format!("{:0width$}", u64::from(*low) + index).into_bytes(),
            Field::Date(date) => date.write(date.span().0 + index as i64),
            Field::Letters(_) => {
                let mut rest = index;
                let mut letters: Vec<u8> = (0..width)
                    .map(|_| {
                        let letter = b'A' + (rest % 26) as u8;
                        rest /= 26;
                        letter
                    })
                    .collect();
                letters.reverse();
                letters
            }
            Field::One(set) => vec![set[index as usize % set.len()]],
            Field::Check(_) => vec![b'0'; width],
        });
    }
    parts.reverse();
    parts.concat()
}
