//! Telephone numbers with a calling code: another number of the same country and length, written alike.

use super::permute::permute;
use crate::detect::phone::{code_length, is_dialled};
use crate::key::SubKey;

/// Keeps the calling code. `None` when the value is no number with one; what has none is a token.
pub(super) fn phone(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    let telling = value.first() == Some(&b'+')
        && value.iter().skip(1).all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b'(' | b')'));
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    if !telling || !is_dialled(&digits) {
        return None;
    }
    let (code, national) = digits.split_at(code_length(&digits)?);
    // Where the number has a zero in front, or none, so has the other one; North America's places are dialled so only.
    let sizes: Vec<(u8, u64)> = national
        .iter()
        .enumerate()
        .map(|(i, d)| match (code, i, d) {
            (b"1", 0 | 3, _) => (b'2', 8),
            (_, 0, b'0') => (b'0', 1),
            (_, 0, _) => (b'1', 9),
            _ => (b'0', 10),
        })
        .collect();
    let n: u64 = sizes.iter().map(|(_, size)| size).product();
    let rank = national.iter().zip(&sizes).fold(0, |n, (d, (base, size))| n * size + u64::from(d - base));
    let tweak = [code, &[national.len() as u8, sizes[0].1 as u8]].concat();
    let mut masked = permute(key, &tweak, n, rank);
    let mut out = digits.clone();
    for (slot, (base, size)) in out[code.len()..].iter_mut().zip(&sizes).rev() {
        *slot = base + (masked % size) as u8;
        masked /= size;
    }
    let mut out = out.into_iter();
    Some(value.iter().map(|b| if b.is_ascii_digit() { out.next().unwrap_or(*b) } else { *b }).collect())
}
