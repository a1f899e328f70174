//! International bank account numbers: another account in the same country, with check digits that are right.

use super::{Pseudonyms, token};
use crate::detect;

/// Keeps the country and the class of each character; repairs the check digits (ISO 7064 mod 97-10). `None` when the
/// value is no IBAN.
pub(super) fn iban(pseudonyms: &Pseudonyms, value: &[u8]) -> Option<Vec<u8>> {
    if !detect::is_iban(value) {
        return None;
    }
    // One account is one value, however it is written.
    let mut compact: Vec<u8> = value.iter().filter(|b| **b != b' ').map(u8::to_ascii_uppercase).collect();
    let account = token::token(pseudonyms, compact.get(4..)?);
    compact.splice(4.., account);
    compact[2..4].copy_from_slice(b"00");
    let check = 98 - detect::iban::iban_remainder(&compact);
    compact[2] = b'0' + (check / 10) as u8;
    compact[3] = b'0' + (check % 10) as u8;
    let mut masked = compact.into_iter();
    Some(
        value
            .iter()
            .map(|b| match b {
                b' ' => b' ',
                b if b.is_ascii_lowercase() => masked.next().unwrap_or(*b).to_ascii_lowercase(),
                b => masked.next().unwrap_or(*b),
            })
            .collect(),
    )
}
