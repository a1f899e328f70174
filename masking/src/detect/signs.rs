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
const DIGIT: u8 = 1 << 7;

const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    table[b'@' as usize] = AT;
    table[b'%' as usize] = PERCENT;
    table[b'=' as usize] = EQUALS;
    table[b'.' as usize] = DOT;
    table[b'y' as usize] = Y;
    let mut digit = b'0';
    while digit <= b'9' {
        table[digit as usize] = DIGIT;
        digit += 1;
    }
    table
};

impl Signs {
    pub(crate) fn of(text: &[u8]) -> Signs {
        let mut bits = 0;
        let mut digits = 0;
        for byte in text {
            let sign = TABLE[usize::from(*byte)];
            bits |= sign;
            digits += usize::from(sign >> 7);
        }
        Signs { bits, digits }
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
