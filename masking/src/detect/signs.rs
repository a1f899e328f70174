//! One look at a text for the bytes without which no detector can find anything in it.

use super::Detectors;

/// Which telling bytes a text has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    bits: u8,
    digits: usize,
    capitals: usize,
}

const AT: u8 = 1;
const PERCENT: u8 = 1 << 1;
const EQUALS: u8 = 1 << 2;
const DOT: u8 = 1 << 3;
const Y: u8 = 1 << 4;
const DASH: u8 = 1 << 5;
const COLON: u8 = 1 << 6;
const PLUS: u8 = 1 << 7;

impl Signs {
    pub(crate) fn of(text: &[u8]) -> Signs {
        let (chunks, rest) = text.as_chunks::<16>();
        let mut signs = Signs { bits: 0, digits: 0, capitals: 0 };
        // A lane's count must not overflow.
        for chunks in chunks.chunks(255) {
            let mut lanes = Lanes::default();
            for chunk in chunks {
                lanes.add(chunk);
            }
            signs.take(&lanes);
        }
        if !rest.is_empty() {
            let mut lanes = Lanes::default();
            lanes.add(&last(text, rest));
            signs.take(&lanes);
        }
        signs
    }

    #[inline]
    fn take(&mut self, lanes: &Lanes) {
        self.bits |= lanes.bits.iter().fold(0, |all, bits| all | bits);
        self.capitals += lanes.capitals.iter().map(|n| usize::from(*n)).sum::<usize>();
        self.digits += lanes.digits.iter().map(|n| usize::from(*n)).sum::<usize>();
    }

    fn has(self, bits: u8) -> bool {
        self.bits & bits == bits
    }

    /// Pairs need an equals sign, user information an @.
    pub(crate) fn may_hold_url(self) -> bool {
        self.has(EQUALS) || self.has(AT)
    }

    /// Those of the detectors that can find anything in a text of that length.
    pub(crate) fn possible(self, len: usize, which: Detectors) -> Detectors {
        let some = |can: bool, detectors: Detectors| if can { detectors } else { Detectors::NONE };
        let (digits, capitals) = (self.digits, self.capitals);
        let possible = some(self.has(AT), Detectors::EMAIL)
            .with(some(len >= 20 && self.has(DOT | Y), Detectors::JWT))
            // As long as one armour's words.
            .with(some(len >= 32 && capitals >= 10 && self.has(DASH), Detectors::PRIVATE_KEY))
            // Of keys without digits the few that there are have capital letters.
            .with(some(len >= 20 && (digits > 0 || capitals >= 4), Detectors::VENDOR_KEY))
            .with(some(len >= 20 && digits > 0, Detectors::RANDOM.with(Detectors::LONG_RANDOM)))
            .with(some(len >= 36 && self.has(DASH), Detectors::UUID))
            .with(some(len >= 14 && self.bits & (COLON | DASH | DOT) != 0, Detectors::MAC))
            .with(some(digits >= 4 && self.has(DOT) || digits > 0 && self.has(COLON), Detectors::IP));
        if digits < 7 {
            return possible.only(which);
        }
        possible
            .with(some(digits >= 13, Detectors::CARD))
            // Malta's have five digits besides the check digits.
            .with(some(len >= 15, Detectors::IBAN))
            .with(some(digits >= 9 && self.has(DASH), Detectors::SSN))
            .with(some(len >= 9, Detectors::NATIONAL))
            .with(some(digits >= 8 && self.has(PLUS), Detectors::PHONE))
            .only(which)
    }

    pub(crate) fn has_percent(self) -> bool {
        self.has(PERCENT)
    }
}

/// The bytes of a text behind its last whole sixteen, in any order, and zeros.
#[inline]
fn last(text: &[u8], rest: &[u8]) -> [u8; 16] {
    let mut last = [0; 16];
    if let Some(end) = text.last_chunk::<16>() {
        for (i, (last, b)) in last.iter_mut().zip(end).enumerate() {
            *last = if i + rest.len() < 16 { 0 } else { *b };
        }
    } else if let (Some(first), Some(end)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        // Those that are in both count once.
        let end = u64::from_le_bytes(*end).unbounded_shr(8 * (16 - rest.len() as u32));
        last[..8].copy_from_slice(first);
        last[8..].copy_from_slice(&end.to_le_bytes());
    } else {
        for (last, b) in last.iter_mut().zip(rest) {
            *last = *b;
        }
    }
    last
}

/// What sixteen bytes at a time show, each in its own lane: summed up once.
#[derive(Default)]
struct Lanes {
    bits: [u8; 16],
    digits: [u8; 16],
    capitals: [u8; 16],
}

impl Lanes {
    /// In the form that compilers make vector instructions of.
    #[inline]
    fn add(&mut self, chunk: &[u8; 16]) {
        for (i, b) in chunk.iter().enumerate() {
            let sign = |is: u8, bit: u8| if *b == is { bit } else { 0 };
            self.bits[i] |= sign(b'@', AT)
                | sign(b'%', PERCENT)
                | sign(b'=', EQUALS)
                | sign(b'.', DOT)
                | sign(b'y', Y)
                | sign(b'-', DASH)
                | sign(b':', COLON)
                | sign(b'+', PLUS);
            self.digits[i] += u8::from(b.wrapping_sub(b'0') < 10);
            self.capitals[i] += u8::from(b.wrapping_sub(b'A') < 26);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::detect;

    #[test]
    fn nothing_is_ruled_out_that_is_there() {
        for (which, name, text) in crate::detect::tests::ONE_OF_EACH {
            let signs = Signs::of(text.as_bytes());
            assert!(signs.possible(text.len(), *which).has(*which), "{name}: {text}");
            assert!(!detect(text.as_bytes(), *which).is_empty(), "{name}: {text}");
        }
        assert_eq!(Signs::of(b"a plain word").possible(12, Detectors::DEFAULT), Detectors::NONE);
    }

    proptest! {
        #[test]
        fn each_byte_counts_once(text in prop::collection::vec(any::<u8>(), 0..70)) {
            let signs = Signs::of(&text);
            let count = |is: fn(&u8) -> bool| text.iter().filter(|b| is(b)).count();
            prop_assert_eq!(signs.digits, count(u8::is_ascii_digit));
            prop_assert_eq!(signs.capitals, count(u8::is_ascii_uppercase));
            let marks = [(b'@', AT), (b'%', PERCENT), (b'=', EQUALS), (b'.', DOT), (b'y', Y), (b'-', DASH), (b':', COLON), (b'+', PLUS)];
            for (mark, bit) in marks {
                prop_assert_eq!(signs.has(bit), text.contains(&mark));
            }
        }

        #[test]
        fn what_shows_no_signs_holds_nothing(text in "[ey@.0-9 a-c=%:+-]{0,60}|[0-9 -]{10,40}|ey[a-zA-Z0-9]{10,30}\\.ey[a-z]{4,8}\\.[a-z]{0,9}|[0-9a-f:.]{7,40}") {
            let bytes = text.as_bytes();
            let (all, mut found) = (Signs::of(bytes).possible(bytes.len(), ALL), Vec::new());
            // Each detector by itself, whatever the signs say.
            crate::detect::run(bytes, ALL, &mut found);
            for f in found {
                let mut again = Vec::new();
                crate::detect::run(bytes, all, &mut again);
                prop_assert!(again.contains(&f), "{:?}", f);
            }
        }
    }

    const ALL: Detectors = Detectors::DEFAULT.with(Detectors::UUID);
}
