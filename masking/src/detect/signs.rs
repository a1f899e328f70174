//! One look at a text for the bytes without which no detector can find anything in it.

/// Which telling bytes a text has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    bits: u8,
    digits: usize,
}

const AT: u8 = 1;
const PERCENT: u8 = 1 << 1;
const EQUALS: u8 = 1 << 2;
const DOT: u8 = 1 << 3;
const Y: u8 = 1 << 4;

impl Signs {
    pub(crate) fn of(text: &[u8]) -> Signs {
        let (chunks, rest) = text.as_chunks::<16>();
        let mut signs = Signs { bits: 0, digits: 0 };
        // A lane's count must not overflow.
        for chunks in chunks.chunks(255) {
            let mut lanes = Lanes::default();
            for chunk in chunks {
                lanes.add(chunk);
            }
            signs.take(&lanes);
        }
        if !rest.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            let mut lanes = Lanes::default();
            lanes.add(&last);
            signs.take(&lanes);
        }
        signs
    }

    #[inline]
    fn take(&mut self, lanes: &Lanes) {
        self.bits |= lanes.bits.iter().fold(0, |all, bits| all | bits);
        self.digits += lanes.digits.iter().map(|n| usize::from(*n)).sum::<usize>();
    }

    fn has(self, bits: u8) -> bool {
        self.bits & bits == bits
    }

    /// Pairs need an equals sign, user information an @.
    pub(crate) fn may_hold_url(self) -> bool {
        self.has(EQUALS) || self.has(AT)
    }

    /// Whether an address, a web token or a card number can be in a text of that length.
    pub(crate) fn may_tell(self, len: usize) -> bool {
        self.has(AT) || self.digits >= 13 || len >= 20 && self.has(DOT | Y)
    }

    pub(crate) fn has_percent(self) -> bool {
        self.has(PERCENT)
    }
}

/// What sixteen bytes at a time show, each in its own lane: summed up once.
#[derive(Default)]
struct Lanes {
    bits: [u8; 16],
    digits: [u8; 16],
}

impl Lanes {
    /// In the form that compilers make vector instructions of.
    #[inline]
    fn add(&mut self, chunk: &[u8; 16]) {
        for ((bits, digits), b) in self.bits.iter_mut().zip(&mut self.digits).zip(chunk) {
            let sign = |is: u8, bit: u8| if *b == is { bit } else { 0 };
            *bits |=
                sign(b'@', AT) | sign(b'%', PERCENT) | sign(b'=', EQUALS) | sign(b'.', DOT) | sign(b'y', Y);
            *digits += u8::from(b.wrapping_sub(b'0') < 10);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::detect;

    proptest! {
        #[test]
        fn what_shows_no_signs_holds_nothing(text in "[ey@.0-9 a-c=%-]{0,60}|[0-9 -]{10,40}|ey[a-zA-Z0-9]{10,30}\\.ey[a-z]{4,8}\\.[a-z]{0,9}") {
            if !Signs::of(text.as_bytes()).may_tell(text.len()) {
                prop_assert!(detect(text.as_bytes(), true).is_empty());
            }
        }
    }
}
