//! Keyed hashes: a quick one for tables whose entries are compared in full, so that what a collision costs is time, never a
//! wrong answer; and a longer one for what cannot be compared.

use std::hash::{BuildHasher, Hasher, RandomState};

use hashbrown::HashTable;

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
        while rest.len() > 16
            && let Some((pair, more)) = rest.split_first_chunk::<16>()
        {
            let [first, second] = pair_of(*pair);
            hash = fold(hash ^ first, second ^ self.1);
            rest = more;
        }
        let [first, second] = last_pair(bytes, rest);
        fold(fold(hash ^ first, second ^ self.1), 0x9e37_79b9_7f4a_7c15)
    }
}

/// For tables of the standard library's.
impl BuildHasher for Quick {
    type Hasher = Running;

    fn build_hasher(&self) -> Running {
        Running { quick: *self, hash: 0 }
    }
}

/// A hash of several things, one after the other.
pub(crate) struct Running {
    quick: Quick,
    hash: u64,
}

impl Hasher for Running {
    fn write(&mut self, bytes: &[u8]) {
        self.hash = fold(self.hash ^ self.quick.hash(0, bytes), self.quick.1);
    }

    fn write_usize(&mut self, number: usize) {
        self.hash = fold(self.hash ^ self.quick.0, number as u64 ^ self.quick.1);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// A set of fingerprints, which need not be hashed once more.
#[derive(Default)]
pub(crate) struct Prints(HashTable<u128>);

impl Prints {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn contains(&self, print: u128) -> bool {
        self.0.find(print as u64, |there| *there == print).is_some()
    }

    pub(crate) fn insert(&mut self, print: u128) {
        if !self.contains(print) {
            self.0.insert_unique(print as u64, print, |there| *there as u64);
        }
    }

    /// The same where no more than so many are kept: then they are collected anew.
    pub(crate) fn keep(&mut self, print: u128, most: usize) {
        if self.len() >= most {
            self.clear();
        }
        self.insert(print);
    }
}

fn pair_of(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    [both as u64, (both >> 64) as u64]
}

/// What is left of some bytes behind their last whole pair of words, in a pair: with bytes before them where there are any, and bytes
/// twice, which does no harm, for the length counts, too.
#[inline]
fn last_pair(bytes: &[u8], rest: &[u8]) -> [u64; 2] {
    if let Some(pair) = bytes.last_chunk::<16>() {
        return pair_of(*pair);
    }
    if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]
        }
        _ => [rest.iter().fold(0, |word, b| word << 8 | u64::from(*b)), 0],
    }
}

/// Fingerprints of 128 bits: two hashes of 64 with keys and a pairing of words of their own. The keys are random and are never
/// shown, so nobody can choose two texts that share one; by chance, among a billion texts two do with a probability of 2⁻⁶⁹.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strong([u64; 8]);

impl Default for Strong {
    fn default() -> Self {
        let random = RandomState::new();
        Strong(std::array::from_fn(|n| random.hash_one(n)))
    }
}

impl Strong {
    /// The fingerprint of some bytes of a sort.
    pub(crate) fn hash(&self, sort: u64, bytes: &[u8]) -> u128 {
        let [key0, key1, key2, key3, of0, of1, of2, of3] = self.0;
        let mut first = (key0 ^ sort, key1);
        let mut second = (key2 ^ sort, key3);
        let mut add = |words: [u64; 4]| {
            let [w0, w1, w2, w3] = words;
            first = (fold(w0 ^ of0, w1 ^ first.0), fold(w2 ^ of1, w3 ^ first.1));
            second = (fold(w0 ^ second.0, w2 ^ of2), fold(w1 ^ second.1, w3 ^ of3));
        };
        let words = |chunk: &[u8; 32]| -> [u64; 4] {
            let (words, _) = chunk.as_chunks::<8>();
            std::array::from_fn(|n| words.get(n).map_or(0, |w| u64::from_le_bytes(*w)))
        };
        let (chunks, rest) = bytes.as_chunks::<32>();
        for chunk in chunks {
            add(words(chunk));
        }
        let mut last = [0; 32];
        last[..rest.len()].copy_from_slice(rest);
        add(words(&last));
        let len = bytes.len() as u64;
        let high = fold(first.0 ^ key2, first.1 ^ len ^ key3);
        let low = fold(second.0 ^ key0, second.1 ^ len ^ key1);
        u128::from(high) << 64 | u128::from(low)
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

    #[test]
    fn every_byte_counts_in_fingerprints() {
        let strong = Strong::default();
        let text = [b'a'; 100];
        let mut seen = std::collections::HashSet::new();
        for len in 0..=text.len() {
            assert!(seen.insert(strong.hash(0, &text[..len])));
            assert!(seen.insert(strong.hash(1, &text[..len])));
        }
        for at in 0..text.len() {
            let mut other = text;
            other[at] = b'b';
            assert!(seen.insert(strong.hash(0, &other)), "{at}");
        }
        for bits in [64, 0] {
            let halves: std::collections::HashSet<u64> =
                seen.iter().map(|print| (print >> bits) as u64).collect();
            assert_eq!(halves.len(), seen.len());
        }
    }
}
