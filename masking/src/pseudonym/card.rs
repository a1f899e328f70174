//! Payment card numbers: another number of the same issuer, written alike, with a check digit that is right.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};

use crate::detect;
use crate::key::SubKey;

/// The first six digits say the issuer and the sort of card; servers look at them.
const KEPT: usize = 6;

/// Keeps the first six digits, puts what is between them and the check digit through FF1
/// ([NIST SP 800-38G](https://doi.org/10.6028/NIST.SP.800-38G)), repairs the check digit. `None` when the value is no card
/// number.
pub(super) fn card(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    if !detect::is_card(value) {
        return None;
    }
    let digits: Vec<u8> = value.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
    let (kept, rest) = digits.split_at(KEPT);
    let (middle, _check) = rest.split_at(rest.len() - 1);
    let plain = FlexibleNumeralString::from(middle.iter().map(|d| u16::from(*d)).collect::<Vec<_>>());
    // At least six digits, so never below the million that FF1 asks for.
    let cipher = FF1::<Aes256>::new(key.bytes(), 10).ok()?.encrypt(kept, &plain).ok()?;
    let mut masked = kept.to_vec();
    masked.extend(Vec::<u16>::from(cipher).into_iter().map(|d| d as u8));
    masked.push(0);
    let over = detect::luhn_sum(&masked) % 10;
    if let Some(check) = masked.last_mut() {
        *check = ((10 - over) % 10) as u8;
    }
    let mut masked = masked.into_iter();
    Some(
        value
            .iter()
            .map(|b| if b.is_ascii_digit() { masked.next().map_or(*b, |d| d + b'0') } else { *b })
            .collect(),
    )
}
