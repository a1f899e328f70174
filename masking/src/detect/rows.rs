//! Where bytes of some sorts stand in a text that is not long, one bit for each byte: whether they stand in such rows that a
//! detector can find anything shows in a few operations on all of them.

use std::ops::{BitAnd, BitOr, Not, Shl, Shr};

use wide::u8x16;

use super::words::{padded, within};
use super::{Detectors, iban, mac, vendor};
use crate::scan::inlaid;

/// No longer text is looked at.
pub(super) const LONGEST: usize = 128;

/// One bit for each byte of a text, the first one lowest.
pub(super) trait Map:
    Copy
    + PartialEq
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    const NONE: Self;
    /// Bytes that it has bits for.
    const LEN: usize;

    /// Of the bits of up to 128 bytes.
    fn of(words: [u64; 2]) -> Self;

    /// Of all bytes before one.
    fn below(end: usize) -> Self;

    /// How many bytes are in it.
    fn count(self) -> u32;

    /// The first byte in it, and the others.
    fn first(self) -> (usize, Self);
}

macro_rules! map {
    ($word:ty) => {
        impl Map for $word {
            const NONE: Self = 0;
            const LEN: usize = <$word>::BITS as usize;

            #[inline]
            fn of(words: [u64; 2]) -> Self {
                (u128::from(words[1]) << 64 | u128::from(words[0])) as $word
            }

            #[inline]
            fn below(end: usize) -> Self {
                !<$word>::MAX.checked_shl(end as u32).unwrap_or(0)
            }

            #[inline]
            fn count(self) -> u32 {
                // Most are empty, and to count takes many steps where a processor cannot be asked to.
                if self == 0 { 0 } else { self.count_ones() }
            }

            #[inline]
            fn first(self) -> (usize, Self) {
                (self.trailing_zeros() as usize, self & self.wrapping_sub(1))
            }
        }
    };
}

map!(u64);
map!(u128);

/// Where so many of them begin that stand in a row.
pub(super) fn rows<M: Map>(map: M, wanted: u32) -> M {
    let mut row = map;
    let mut len = 1;
    while len * 2 <= wanted {
        row = row & row >> len;
        len *= 2;
    }
    row & row >> (wanted - len)
}

/// Where so many of them begin that stand one every so many bytes.
pub(super) fn steps<M: Map>(map: M, wanted: u32, each: u32) -> M {
    (1..wanted).fold(map, |row, n| row & map >> (n * each))
}

/// The places in a map.
pub(super) fn each<M: Map>(mut map: M) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let (at, rest) = map.first();
        (map != M::NONE).then(|| {
            map = rest;
            at
        })
    })
}

/// Where letters, digits and what stands between them are.
pub(super) struct Rows<'t, M> {
    text: &'t [u8],
    pub(super) digits: M,
    letters: M,
    /// Digits and what stands between them in numbers, and a few signs more.
    numeric: M,
    /// What stands between letters and digits in the words of [`runs`](super::runs).
    joints: M,
    pub(super) dots: M,
    pub(super) colons: M,
    pub(super) dashes: M,
    pub(super) capitals: M,
    /// All that is none of these, nor a space; and `+`.
    others: M,
    /// Whether there are any.
    pub(super) has_spaces: bool,
    pub(super) has_y: bool,
}

impl<'t, M: Map> Rows<'t, M> {
    /// Of a text that the map has bits for.
    #[inline]
    pub(super) fn of(text: &'t [u8]) -> Rows<'t, M> {
        let mut maps = [[0_u64; 2]; 9];
        let (mut any_spaces, mut any_y) = (u8x16::splat(0), u8x16::splat(0));
        let mut look = |piece: &[u8; 16], n: usize| {
            let bytes = u8x16::new(*piece);
            let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
            let folded = bytes | u8x16::splat(0x20);
            let letters = within(folded, b'a', 25);
            let digits = within(bytes, b'0', 9);
            let (dashes, dots, colons) = (is(b'-'), is(b'.'), is(b':'));
            let spaces = is(b' ');
            let between = dashes | is(b'_') | is(b'/');
            let joints = between | is(b'+');
            let usual = between | letters | digits | dots | colons | spaces;
            // From ( to 9, which is all of these.
            let numeric = within(bytes, b'(', b'9' - b'(') | spaces;
            let capitals = letters & !bytes.simd_eq(folded);
            any_spaces |= spaces;
            any_y |= is(b'y');
            let all = [digits, letters, numeric, joints, dots, colons, dashes, capitals, !usual];
            for (map, lanes) in maps.iter_mut().zip(all) {
                map[n / 4 % 2] |= u64::from(lanes.to_bitmask()) << (n % 4 * 16);
            }
        };
        let (pieces, rest) = text.as_chunks::<16>();
        for (n, piece) in pieces.iter().enumerate().take(M::LEN / 16) {
            look(piece, n);
        }
        if !rest.is_empty() && text.len() < M::LEN {
            // The bytes behind the text are usual ones, and none of those of which there are maps.
            look(&padded(rest, b'_'), pieces.len());
        }
        let [digits, letters, numeric, joints, dots, colons, dashes, capitals, others] = maps.map(M::of);
        // Behind the end there is none.
        let joints = if rest.is_empty() { joints } else { joints & M::below(text.len()) };
        let (has_spaces, has_y) = (any_spaces.any(), any_y.any());
        Rows {
            text,
            digits,
            letters,
            numeric,
            joints,
            dots,
            colons,
            dashes,
            capitals,
            others,
            has_spaces,
            has_y,
        }
    }

    /// Where the query of a URL begins, with the question mark: where no sign stands before it that is in none of the maps.
    pub(super) fn query(&self) -> Option<usize> {
        let (at, _) = self.others.first();
        (self.text.get(at) == Some(&b'?')).then_some(at)
    }

    /// Whether there are no bytes but those of which there are maps, and spaces.
    pub(super) fn is_bare(&self) -> bool {
        self.others == M::NONE
    }

    /// The bytes that are none of those of which there are maps; and `+`.
    pub(super) fn others(&self) -> impl Iterator<Item = u8> {
        each(self.others).filter_map(|at| self.text.get(at).copied())
    }

    /// Those of these detectors that can find anything.
    pub(super) fn possible(&self, which: Detectors) -> Detectors {
        const LONG_WORDS: Detectors = Detectors::VENDOR_KEY.with(RANDOM);
        const RANDOM: Detectors = Detectors::RANDOM.with(Detectors::LONG_RANDOM);
        const NUMBERS: Detectors =
            Detectors::CARD.with(Detectors::IBAN).with(Detectors::SSN).with(Detectors::NATIONAL);
        let mut none = Detectors::NONE;
        let mut rule_out = |cannot: bool, detectors: Detectors| {
            if cannot {
                none = none.with(detectors);
            }
        };
        if which.has(LONG_WORDS) {
            let long = rows(self.word(), 16) != M::NONE;
            rule_out(!(long && self.has_vendor_key()), Detectors::VENDOR_KEY);
            // Two equals signs may be the end of it. In one case it has no separators.
            let random = long
                && rows(self.word(), 18) != M::NONE
                && (self.capitals != M::NONE || rows(self.alnum(), 24) != M::NONE);
            rule_out(!random, RANDOM);
        }
        if which.has(NUMBERS) {
            let numbers = self.has_number();
            rule_out(!numbers, Detectors::SSN);
            rule_out(!numbers || rows(self.numeric, 13) == M::NONE, Detectors::CARD);
            rule_out(!self.has_iban(), Detectors::IBAN);
            rule_out(!(numbers || self.has_foreigner() || self.has_italian()), Detectors::NATIONAL);
        }
        if which.has(Detectors::MAC) {
            let pairs = steps(self.colons, 5, 3) | steps(self.dashes, 5, 3);
            let fours = each(steps(self.dots, 2, 5)).any(|at| {
                at.checked_sub(4).and_then(|start| self.text.get(start..start + 14)).is_some_and(mac::is_mac)
            });
            rule_out(pairs == M::NONE && !fours, Detectors::MAC);
        }
        if which.has(Detectors::IP) {
            let between = self.dots & self.digits << 1 & self.digits >> 1;
            // Four hex digits at most stand between two colons.
            let close = (1..=5).fold(M::NONE, |close, n| close | self.colons & self.colons >> n);
            rule_out(between.count() < 3 && close == M::NONE, Detectors::IP);
        }
        which.without(none)
    }

    /// Whether there may be base64 or hex in the midst of the text that is worth a look.
    pub(super) fn may_hold_inlaid(&self) -> bool {
        self.capitals != M::NONE && rows(self.word(), inlaid::SHORTEST as u32) != M::NONE
            || self.text.len() >= inlaid::SHORTEST_HEX
                && rows(self.alnum(), inlaid::SHORTEST_HEX as u32) != M::NONE
    }

    fn alnum(&self) -> M {
        self.letters | self.digits
    }

    fn word(&self) -> M {
        self.alnum() | self.joints
    }

    /// Where letters and digits begin behind something else, be it an underscore.
    fn begins(&self) -> M {
        self.alnum() & !(self.alnum() << 1)
    }

    /// Whether a number may begin anywhere, of which all that is found has six in a row of what numbers are made of.
    fn has_number(&self) -> bool {
        self.digits & self.begins() & rows(self.numeric, 6) != M::NONE
    }

    /// Whether a country's letters begin a word, two digits follow, and more in one word or behind a space.
    fn has_iban(&self) -> bool {
        let letters = self.begins() & self.letters & self.letters >> 1;
        let begins = letters & self.digits >> 2 & self.digits >> 3;
        begins != M::NONE
            && each(begins).any(|at| {
                let there = self.text.get(at..).unwrap_or_default();
                there.get(4).is_some_and(|b| *b == b' ' || b.is_ascii_alphanumeric())
                    && iban::begins_with_country(there)
            })
    }

    /// Whether seven digits follow a letter that begins a word, or the dash behind one.
    fn has_foreigner(&self) -> bool {
        let lead = self.begins() & self.letters;
        let digits = rows(self.digits, 7);
        lead & digits >> 1 != M::NONE || lead & self.dashes >> 1 & digits >> 2 != M::NONE
    }

    /// Whether letters and digits stand in a word of sixteen as they do in a tax code of Italy's: `AAAAAA##A##A###A`. Hashes have as
    /// many, and are everywhere.
    fn has_italian(&self) -> bool {
        let (word, letters, digits) = (self.word(), self.letters, self.digits);
        let begins = rows(letters, 6) & !(word << 1) & !(word >> 16);
        let date = rows(digits, 2) >> 6 & letters >> 8 & rows(digits, 2) >> 9;
        begins & date & letters >> 11 & rows(digits, 3) >> 12 & letters >> 15 != M::NONE
    }

    /// Whether a vendor's key begins where a word or a part of one does.
    fn has_vendor_key(&self) -> bool {
        each(self.begins()).any(|at| {
            self.text
                .get(at..)
                .is_some_and(|there| vendor::may_begin_with(there) && vendor::key(there).is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::{run, signs::Look, tests::ONE_OF_EACH};

    const ALL: Detectors = Detectors::DEFAULT.with(Detectors::UUID).with(Detectors::LONG_RANDOM);

    proptest! {
        #[test]
        fn rows_are_seen_as_byte_by_byte(text in "[a1.:-]{0,128}", wanted in 1_usize..26, each in 1_usize..6) {
            let map = Rows::<u128>::of(text.as_bytes()).alnum();
            let alnum: Vec<bool> = text.bytes().map(|b| b.is_ascii_alphanumeric()).collect();
            prop_assert_eq!(rows(map, wanted as u32) != 0, alnum.windows(wanted).any(|w| w.iter().all(|is| *is)));
            let there = (0..alnum.len()).any(|at| (0..3).all(|n| alnum.get(at + n * each) == Some(&true)));
            prop_assert_eq!(steps(map, 3, each as u32) != 0, there);
        }

        #[test]
        fn what_is_written_like_a_tax_code_is_not_ruled_out(
            before in "([a-z0-9]{1,9}[ ,:(])?",
            code in "[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]",
            behind in "([ ,:)][a-z0-9]{0,9})?",
        ) {
            let text = format!("{before}{code}{behind}");
            prop_assert!(Rows::<u64>::of(text.as_bytes()).has_italian(), "{}", text);
            prop_assert!(Rows::<u128>::of(text.as_bytes()).has_italian(), "{}", text);
        }

        #[test]
        fn what_is_found_is_not_ruled_out(
            one in prop::sample::select(ONE_OF_EACH.to_vec()),
            other in prop::sample::select(ONE_OF_EACH.to_vec()),
            before in "[a-zA-Z0-9 ,;:=/(_.-]{0,12}",
            between in "[ ,;:=/(_.-]{0,3}",
            behind in "[a-zA-Z0-9 ,;:=/)_.-]{0,12}",
        ) {
            let text = format!("{before}{}{between}{}{behind}", one.2, other.2);
            let possible = Look::of(text.as_bytes()).possible(ALL);
            let (mut all, mut some) = (Vec::new(), Vec::new());
            run(text.as_bytes(), ALL, &mut all);
            run(text.as_bytes(), possible, &mut some);
            for found in all {
                prop_assert!(some.contains(&found), "{:?} in {}", found, text);
            }
        }
    }
}
