//! Where bytes of some sorts stand in a text that is not long, one bit for each byte: whether they stand in such rows that a
//! detector can find anything shows in a few operations on all of them.

use wide::u8x16;

use super::words::{padded, within};
use super::{Detectors, mac, vendor};

/// No longer text is looked at.
pub(super) const LONGEST: usize = 128;

/// One bit for each byte of a text, the first one lowest.
type Map = u128;

/// Where so many of them begin that stand in a row.
fn rows(map: Map, wanted: u32) -> Map {
    let mut row = map;
    let mut len = 1;
    while len * 2 <= wanted {
        row &= row >> len;
        len *= 2;
    }
    row & row >> (wanted - len)
}

/// Where so many of them begin that stand one every so many bytes.
fn steps(map: Map, wanted: u32, each: u32) -> Map {
    (1..wanted).fold(map, |row, n| row & map >> (n * each))
}

/// The places in a map.
fn each(mut map: Map) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = map.trailing_zeros() as usize;
        (map != 0).then(|| {
            map &= map - 1;
            at
        })
    })
}

/// Where letters, digits and what stands between them are.
pub(super) struct Rows<'t> {
    text: &'t [u8],
    digits: Map,
    letters: Map,
    /// Digits and what stands between them in numbers, and a few signs more.
    numeric: Map,
    /// What stands between letters and digits in the words of [`runs`](super::runs).
    joints: Map,
    dots: Map,
    colons: Map,
    dashes: Map,
    equals: Map,
    capitals: bool,
}

impl<'t> Rows<'t> {
    /// Of a text that is not longer than [`LONGEST`].
    pub(super) fn of(text: &'t [u8]) -> Rows<'t> {
        let mut maps = [[0_u64; 2]; 8];
        let mut capitals = u8x16::splat(0);
        let mut look = |piece: &[u8; 16], n: usize| {
            let bytes = u8x16::new(*piece);
            let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
            let folded = bytes | u8x16::splat(0x20);
            let letters = within(folded, b'a', 25);
            let dashes = is(b'-');
            let joints = dashes | is(b'_') | is(b'+') | is(b'/');
            // From ( to 9, which is all of these.
            let numeric = within(bytes, b'(', b'9' - b'(') | is(b' ');
            capitals |= letters & !bytes.simd_eq(folded);
            let all =
                [within(bytes, b'0', 9), letters, numeric, joints, is(b'.'), is(b':'), dashes, is(b'=')];
            for (map, lanes) in maps.iter_mut().zip(all) {
                map[n / 4 % 2] |= u64::from(lanes.to_bitmask()) << (n % 4 * 16);
            }
        };
        let (pieces, rest) = text.as_chunks::<16>();
        for (n, piece) in pieces.iter().enumerate() {
            look(piece, n);
        }
        if !rest.is_empty() {
            look(&padded(rest, 0), pieces.len());
        }
        let [digits, letters, numeric, joints, dots, colons, dashes, equals] =
            maps.map(|[low, high]| u128::from(high) << 64 | u128::from(low));
        let capitals = capitals.any();
        Rows { text, digits, letters, numeric, joints, dots, colons, dashes, equals, capitals }
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
            let long = rows(self.word(), 16) != 0;
            rule_out(!(long && self.has_vendor_key()), Detectors::VENDOR_KEY);
            // Two equals signs may be the end of it. In one case it has no separators.
            let random = long && rows(self.word(), 18) != 0 && (self.capitals || rows(self.alnum(), 24) != 0);
            rule_out(!random, RANDOM);
        }
        if which.has(NUMBERS) {
            let numbers = self.has_number();
            rule_out(!numbers, Detectors::SSN);
            rule_out(!numbers || rows(self.numeric, 13) == 0, Detectors::CARD);
            rule_out(!self.has_iban(), Detectors::IBAN);
            rule_out(!(numbers || self.has_foreigner() || self.has_italian()), Detectors::NATIONAL);
        }
        if which.has(Detectors::MAC) {
            let pairs = steps(self.colons, 5, 3) | steps(self.dashes, 5, 3);
            let fours = each(steps(self.dots, 2, 5)).any(|at| {
                at.checked_sub(4).and_then(|start| self.text.get(start..start + 14)).is_some_and(mac::is_mac)
            });
            rule_out(pairs == 0 && !fours, Detectors::MAC);
        }
        if which.has(Detectors::IP) {
            let between = self.dots & self.digits << 1 & self.digits >> 1;
            // Four hex digits at most stand between two colons.
            let close = (1..=5).fold(0, |close, n| close | self.colons & self.colons >> n);
            rule_out(between.count_ones() < 3 && close == 0, Detectors::IP);
        }
        which.without(none)
    }

    fn alnum(&self) -> Map {
        self.letters | self.digits
    }

    fn word(&self) -> Map {
        self.alnum() | self.joints
    }

    /// Where letters and digits begin behind something else, be it an underscore.
    fn begins(&self) -> Map {
        self.alnum() & !(self.alnum() << 1)
    }

    /// Whether a number may begin anywhere, of which all that is found has six in a row of what numbers are made of.
    fn has_number(&self) -> bool {
        self.digits & self.begins() & rows(self.numeric, 6) != 0
    }

    /// Whether two letters begin a word and two digits follow.
    fn has_iban(&self) -> bool {
        let country = self.begins() & self.letters & self.letters >> 1;
        country & self.digits >> 2 & self.digits >> 3 != 0
    }

    /// Whether seven digits follow a letter that begins a word, or the dash behind one.
    fn has_foreigner(&self) -> bool {
        let lead = self.begins() & self.letters;
        let digits = rows(self.digits, 7);
        lead & digits >> 1 != 0 || lead & self.dashes >> 1 & digits >> 2 != 0
    }

    /// Whether a word has sixteen characters, as many as a tax code of Italy's.
    fn has_italian(&self) -> bool {
        let word = self.word();
        rows(self.alnum(), 16) & !(word << 1) & !(word >> 16) != 0
    }

    /// Whether a vendor's key begins where a word or a part of one does. The shortest have twenty characters.
    fn has_vendor_key(&self) -> bool {
        let made_of = self.alnum() | self.joints | self.equals | self.dots;
        let begins = self.begins() & rows(made_of, 20);
        each(begins).any(|at| self.text.get(at..).is_some_and(|there| vendor::key(there).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::{Signs, run, tests::ONE_OF_EACH};

    const ALL: Detectors = Detectors::DEFAULT.with(Detectors::UUID).with(Detectors::LONG_RANDOM);

    proptest! {
        #[test]
        fn rows_are_seen_as_byte_by_byte(text in "[a1.:-]{0,128}", wanted in 1_usize..26, each in 1_usize..6) {
            let map = Rows::of(text.as_bytes()).alnum();
            let alnum: Vec<bool> = text.bytes().map(|b| b.is_ascii_alphanumeric()).collect();
            prop_assert_eq!(rows(map, wanted as u32) != 0, alnum.windows(wanted).any(|w| w.iter().all(|is| *is)));
            let there = (0..alnum.len()).any(|at| (0..3).all(|n| alnum.get(at + n * each) == Some(&true)));
            prop_assert_eq!(steps(map, 3, each as u32) != 0, there);
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
            let possible = Signs::of(text.as_bytes()).possible_in(text.as_bytes(), ALL);
            let (mut all, mut some) = (Vec::new(), Vec::new());
            run(text.as_bytes(), ALL, &mut all);
            run(text.as_bytes(), possible, &mut some);
            for found in all {
                prop_assert!(some.contains(&found), "{:?} in {}", found, text);
            }
        }
    }
}
