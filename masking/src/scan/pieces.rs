//! Bytes that stand between values and come again and again, mostly behind the same: all that have come twice, with what is known
//! of them.

use hashbrown::HashTable;

use crate::hash::Quick;

/// Pieces kept; beyond that they are collected anew.
const MOST: usize = 1 << 12;
/// Bytes that are compared without a call.
const HEAD: usize = 32;

/// The bytes.
pub(super) struct Piece {
    /// The first ones, with zeros behind them, and which of them count.
    head: [u128; 2],
    counts: [u128; 2],
    bytes: Box<[u8]>,
}

impl Piece {
    fn of(bytes: &[u8]) -> Piece {
        let mut head = [0; HEAD];
        let mut counts = [0; HEAD];
        for ((head, counts), b) in head.iter_mut().zip(&mut counts).zip(bytes) {
            (*head, *counts) = (*b, 0xff);
        }
        Piece { head: halves(&head), counts: halves(&counts), bytes: bytes.into() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a text begins with it.
    #[inline]
    pub(super) fn begins(&self, rest: &[u8]) -> bool {
        match rest.first_chunk::<HEAD>() {
            Some(there) => {
                let [one, two] = halves(there);
                ((one ^ self.head[0]) & self.counts[0]) | ((two ^ self.head[1]) & self.counts[1]) == 0
                    && (self.len() <= HEAD || rest.starts_with(&self.bytes))
            }
            None => rest.starts_with(&self.bytes),
        }
    }
}

fn halves(bytes: &[u8; HEAD]) -> [u128; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    std::array::from_fn(|n| halves.get(n).map_or(0, |half| u128::from_le_bytes(*half)))
}

/// What is known of a piece.
pub(super) trait Known {
    fn piece(&self) -> &Piece;

    /// Tells apart pieces of the same bytes, as far as that goes.
    fn sort(&self) -> u8;
}

/// Where a reader is: behind which piece.
#[derive(Clone, Copy)]
pub(super) struct Behind(pub(super) u32);

impl Behind {
    /// None.
    pub(super) const NOWHERE: u32 = u32::MAX;
}

impl Default for Behind {
    fn default() -> Self {
        Behind(Behind::NOWHERE)
    }
}

/// All that were met, by number.
pub(super) struct Pieces<K> {
    hasher: Quick,
    each: Vec<K>,
    /// Numbers of those in `each`.
    index: HashTable<u32>,
    /// Pieces that were met once: most of them never come again, and are not worth being kept. Two in each place, the newer one
    /// first: where there was but one, two of one place that come in turns would never be kept.
    once: Vec<[u32; 2]>,
}

impl<K> Default for Pieces<K> {
    fn default() -> Self {
        Pieces { hasher: Quick::default(), each: Vec::new(), index: HashTable::new(), once: Vec::new() }
    }
}

impl<K: Known> Pieces<K> {
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&K> {
        self.each.get(number as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut K> {
        self.each.get_mut(number as usize)
    }

    /// The number of the piece of these bytes that is the `same` in all else. One that is not kept yet is made, when it was met
    /// before; `None` when it was not.
    pub(super) fn number(
        &mut self,
        sort: u8,
        bytes: &[u8],
        same: impl Fn(&K) -> bool,
        make: impl FnOnce(Piece) -> K,
    ) -> Option<u32> {
        let hash = self.hasher.hash(sort, bytes);
        let is_it = |at: &u32| self.get(*at).is_some_and(|k| *k.piece().bytes == *bytes && same(k));
        if let Some(number) = self.index.find(hash, is_it) {
            return Some(*number);
        }
        self.once.resize(MOST, [0; 2]);
        let print = (hash >> 32) as u32;
        let once = self.once.get_mut(hash as usize % MOST)?;
        if !once.contains(&print) {
            *once = [print, once[0]];
            return None;
        }
        if self.each.len() >= MOST {
            (self.each, self.index) = Default::default();
            return None;
        }
        let number = self.each.len() as u32;
        self.each.push(make(Piece::of(bytes)));
        let (hasher, each) = (&self.hasher, &self.each);
        self.index.insert_unique(hash, number, |at| {
            each.get(*at as usize).map_or(0, |k| hasher.hash(k.sort(), &k.piece().bytes))
        });
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Known for Piece {
        fn piece(&self) -> &Piece {
            self
        }

        fn sort(&self) -> u8 {
            0
        }
    }

    #[test]
    fn pieces_that_come_in_turns_are_kept() {
        let number = |pieces: &mut Pieces<Piece>, n: u32| {
            let bytes = n.to_le_bytes();
            pieces.number(0, &bytes, |_| true, |piece| piece)
        };
        let mut pieces = Pieces::default();
        let place = |pieces: &Pieces<Piece>, n: u32| pieces.hasher.hash(0, &n.to_le_bytes()) as usize % MOST;
        let other = (1..u32::MAX).find(|n| place(&pieces, *n) == place(&pieces, 0)).unwrap();
        assert_eq!([0, other].map(|n| number(&mut pieces, n)), [None, None]);
        assert_eq!([0, other].map(|n| number(&mut pieces, n)), [Some(0), Some(1)]);
        assert_eq!([0, other].map(|n| number(&mut pieces, n)), [Some(0), Some(1)]);
    }
}
