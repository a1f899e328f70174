//! A quick keyed hash for tables whose entries are compared in full: what a collision costs is time, never a wrong answer.

use std::hash::{BuildHasher as _, RandomState};

/// The hash's key, another one for each table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quick(u64, u64);

impl Default for Quick {
    fn default() -> Self {
        let random = RandomState::new();
        Quick(random.hash_one(0_u8), random.hash_one(1_u8) | 1)
    }
}

impl Quick {
    /// The hash of some bytes of a sort.
    pub(crate) fn hash(self, sort: u8, bytes: &[u8]) -> u64 {
        let mut hash = self.0 ^ (bytes.len() as u64) << 8 ^ u64::from(sort);
        let mut rest = bytes;
        while let Some((word, more)) = rest.split_first_chunk::<8>() {
            hash = fold(hash ^ u64::from_le_bytes(*word), self.1);
            rest = more;
        }
        let last = rest.iter().fold(0, |word, b| word << 8 | u64::from(*b));
        fold(hash ^ last, 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of the product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let quick = Quick::default();
        let text = b"sixteen letters!and some";
        let mut seen = std::collections::HashSet::new();
        for len in 0..=text.len() {
            assert!(seen.insert(quick.hash(0, &text[..len])));
            assert!(seen.insert(quick.hash(1, &text[..len])));
        }
        assert_ne!(quick.hash(0, text), Quick::default().hash(0, text));
    }
}
