//! Names of persons that can be spoken: a vowel for a vowel, a consonant for a consonant.

use super::Pseudonyms;
use super::permute::permute;

const VOWELS: &[u8] = b"aeiou";
const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxyz";

/// Another name of the same length, class and case. `None` for what is written in other letters than ASCII's, or has digits.
pub(super) fn name(pseudonyms: &Pseudonyms, value: &[u8]) -> Option<Vec<u8>> {
    let plain =
        |b: &u8| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'\'' | b'.' | b',' | b'+' | b'_');
    if !value.iter().all(plain) || value.len() > 512 {
        return None;
    }
    // Each word's letters, counted by themselves, would let two people of one first name share it; the whole is one value.
    let sets: Vec<&[u8]> = value.iter().filter_map(|b| set(*b)).collect();
    let mut masked = value.to_vec();
    let slots = masked.iter_mut().filter(|b| b.is_ascii_alphabetic());
    let count =
        sets.iter().try_fold(1_u64, |n, set| n.checked_mul(set.len() as u64).filter(|n| *n < 1 << 62));
    if let Some(n) = count {
        let letters = value.iter().filter(|b| b.is_ascii_alphabetic());
        let rank = letters.zip(&sets).fold(0, |rank, (b, set)| {
            let index = set.iter().position(|s| s.eq_ignore_ascii_case(b)).unwrap_or(0);
            rank * set.len() as u64 + index as u64
        });
        // Names of one form share a permutation; those of another form cannot meet them.
        let form: Vec<u8> = value
            .iter()
            .map(|b| match set(*b) {
                Some(set) => u8::from(set.len() == VOWELS.len()) | u8::from(b.is_ascii_uppercase()) << 1,
                None => *b,
            })
            .collect();
        let mut other = permute(&pseudonyms.name, &form, n, rank);
        for (slot, set) in slots.rev().zip(sets.iter().rev()) {
            *slot = cased(set[(other % set.len() as u64) as usize], *slot);
            other /= set.len() as u64;
        }
    } else {
        let words = pseudonyms.name.stream(value);
        for ((slot, set), word) in slots.zip(&sets).zip(words) {
            *slot = cased(set[word as usize % set.len()], *slot);
        }
    }
    Some(masked)
}

fn set(b: u8) -> Option<&'static [u8]> {
    match b.to_ascii_lowercase() {
        b'a' | b'e' | b'i' | b'o' | b'u' => Some(VOWELS),
        b'a'..=b'z' => Some(CONSONANTS),
        _ => None,
    }
}

fn cased(letter: u8, like: u8) -> u8 {
    if like.is_ascii_uppercase() { letter.to_ascii_uppercase() } else { letter }
}
