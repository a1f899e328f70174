//! A keyed permutation of the numbers below `n`, for domains too small for a hash: unequal stays unequal.
//!
//! A balanced Feistel network over the next even number of bits, with HMAC-SHA-256 as round function, walked along its
//! cycle until it comes back into the domain (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).

use crate::key::SubKey;

const ROUNDS: u8 = 10;

/// Where `x` goes among the numbers below `n`; `x` must be one of them. `tweak` picks one of many permutations.
pub(super) fn permute(key: &SubKey, tweak: &[u8], n: u64, x: u64) -> u64 {
    if n < 2 || x >= n {
        return x;
    }
    let bits = u64::BITS - (n - 1).leading_zeros();
    let half = bits.div_ceil(2);
    let mask = (1_u64 << half) - 1;
    let domain = n.to_le_bytes();
    let mut x = x;
    loop {
        let (mut left, mut right) = (x >> half, x & mask);
        for round in 0..ROUNDS {
            let digest = key.digest(&[tweak, &domain, &[round], &right.to_le_bytes()]);
            let mut word = [0; 8];
            word.copy_from_slice(&digest[..8]);
            (left, right) = (right, left ^ (u64::from_le_bytes(word) & mask));
        }
        x = left << half | right;
        if x < n {
            return x;
        }
    }
}
