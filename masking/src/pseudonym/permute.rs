//! A keyed permutation of the numbers below `n`, for domains too small for a hash: unequal stays unequal.
//!
//! A balanced Feistel network over the next even number of bits, with HMAC-SHA-256 as round function, walked along its
//! cycle until it comes back into the domain (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). In small
//! domains, where chance would often leave a number where it is, the network only says in which order all of them stand in one
//! ring, and each goes to the next: none stays.

use crate::key::SubKey;

const ROUNDS: u8 = 10;
/// Above, one value in a million at most is its own pseudonym.
const SMALL: u64 = 1 << 20;

/// Where `x` goes among the numbers below `n`; `x` must be one of them. `tweak` picks one of many permutations.
pub(super) fn permute(key: &SubKey, tweak: &[u8], n: u64, x: u64) -> u64 {
    if n < 2 || x >= n {
        return x;
    }
    let network = Network { key, tweak, n, half: (u64::BITS - (n - 1).leading_zeros()).div_ceil(2) };
    if n >= SMALL {
        return network.walk(x, true);
    }
    let place = network.walk(x, false);
    network.walk(if place + 1 == n { 0 } else { place + 1 }, true)
}

struct Network<'k> {
    key: &'k SubKey,
    tweak: &'k [u8],
    n: u64,
    half: u32,
}

impl Network<'_> {
    /// Through the network, or back, until the number is below `n`.
    fn walk(&self, mut x: u64, forth: bool) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        loop {
            let (mut left, mut right) = (x >> self.half, x & mask);
            for step in 0..ROUNDS {
                if forth {
                    (left, right) = (right, left ^ (self.word(step, right) & mask));
                } else {
                    let round = ROUNDS - 1 - step;
                    (left, right) = (right ^ (self.word(round, left) & mask), left);
                }
            }
            x = left << self.half | right;
            if x < self.n {
                return x;
            }
        }
    }

    fn word(&self, round: u8, half: u64) -> u64 {
        let digest = self.key.digest(&[self.tweak, &self.n.to_le_bytes(), &[round], &half.to_le_bytes()]);
        let mut word = [0; 8];
        word.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(word)
    }
}
