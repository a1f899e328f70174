//! One look at a text for the bytes without which no detector can find anything in it.

use super::Detectors;
use super::rows::{self, Map, Rows};
use crate::scan::inlaid;

/// Which telling bytes a text has, and how many of some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Signs {
    marks: u32,
    digits: usize,
    capitals: usize,
    dots: usize,
    colons: usize,
    dashes: usize,
}

const AT: u32 = 1;
const PERCENT: u32 = 1 << 1;
const EQUALS: u32 = 1 << 2;
const DOT: u32 = 1 << 3;
const Y: u32 = 1 << 4;
const DASH: u32 = 1 << 5;
const COLON: u32 = 1 << 6;
const PLUS: u32 = 1 << 7;
const BRACE: u32 = 1 << 8;
const ANGLE: u32 = 1 << 9;
const LINE: u32 = 1 << 10;
const AMPERSAND: u32 = 1 << 11;
const BACKSLASH: u32 = 1 << 12;
const SPACE: u32 = 1 << 13;
/// What opens a call, a bar between cells, or an apostrophe, which may be a quote.
const PAIR: u32 = 1 << 14;
/// How a colon or an equals sign of full width begins.
const WIDE: u32 = 1 << 15;

/// What a byte counts as: a field of eight bits for each sort that is counted.
const DIGIT_ONE: u64 = 1;
const CAPITAL_ONE: u64 = 1 << 8;
const DOT_ONE: u64 = 1 << 16;
const COLON_ONE: u64 = 1 << 24;
const DASH_ONE: u64 = 1 << 32;
/// Where the marks begin, above the counts: these are added up, and marks are not looked at in a sum.
const MARKS: u32 = 40;
/// Bytes that can be added up before a count overflows.
const COUNTABLE: usize = 255;

/// What each byte is: its mark, and what it counts as.
const BYTES: [u64; 256] = {
    let mut bytes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        let (mark, one) = match byte {
            b'0'..=b'9' => (0, DIGIT_ONE),
            b'A'..=b'Z' => (0, CAPITAL_ONE),
            b'.' => (DOT, DOT_ONE),
            b':' => (COLON, COLON_ONE),
            b'-' => (DASH, DASH_ONE),
            b'@' => (AT, 0),
            b'%' => (PERCENT, 0),
            b'=' => (EQUALS, 0),
            b'y' => (Y, 0),
            b'+' => (PLUS, 0),
            b'{' => (BRACE, 0),
            b'<' => (ANGLE, 0),
            b'\n' => (LINE, 0),
            b'&' => (AMPERSAND, 0),
            b'\\' => (BACKSLASH, 0),
            b' ' => (SPACE, 0),
            b'(' | b'|' | b'\'' => (PAIR, 0),
            0xef => (WIDE, 0),
            _ => (0, 0),
        };
        bytes[b] = (mark as u64) << MARKS | one;
        b += 1;
    }
    bytes
};

/// A text that was looked at.
pub(crate) struct Look<'t> {
    text: &'t [u8],
    signs: Signs,
    rows: Maps<'t>,
}

/// Where bytes stand in a text, if it is not long.
enum Maps<'t> {
    Short(Rows<'t, u64>),
    Middling(Rows<'t, u128>),
    Long,
}

impl<'t> Look<'t> {
    pub(crate) fn of(text: &'t [u8]) -> Look<'t> {
        let (signs, rows) = if text.len() <= u64::LEN {
            let rows = Rows::of(text);
            (Signs::by(&rows), Maps::Short(rows))
        } else if text.len() <= rows::LONGEST {
            let rows = Rows::of(text);
            (Signs::by(&rows), Maps::Middling(rows))
        } else {
            (Signs::of(text), Maps::Long)
        };
        Look { text, signs, rows }
    }

    /// Its signs.
    pub(crate) fn signs(&self) -> Signs {
        self.signs
    }

    /// Where the query of a URL begins, if it evidently is one, and no pairs stand before it.
    pub(crate) fn query(&self) -> Option<usize> {
        match &self.rows {
            Maps::Short(rows) => rows.query(),
            Maps::Middling(rows) => rows.query(),
            Maps::Long => None,
        }
    }

    /// Whether it is known to be of letters, digits, spaces and the signs of which there are maps.
    pub(crate) fn is_bare(&self) -> bool {
        match &self.rows {
            Maps::Short(rows) => rows.is_bare(),
            Maps::Middling(rows) => rows.is_bare(),
            Maps::Long => false,
        }
    }

    /// Whether there may be base64 or hex in the midst of it that is worth a look.
    pub(crate) fn may_hold_inlaid(&self) -> bool {
        let len = self.text.len();
        if len < inlaid::SHORTEST || self.signs.capitals == 0 && self.signs.digits < inlaid::DIGITS {
            return false;
        }
        match &self.rows {
            Maps::Short(rows) => rows.may_hold_inlaid(),
            Maps::Middling(rows) => rows.may_hold_inlaid(),
            Maps::Long => true,
        }
    }

    /// Those of the detectors that can find anything in it.
    pub(crate) fn possible(&self, which: Detectors) -> Detectors {
        let possible = self.signs.possible(self.text.len(), which);
        match &self.rows {
            _ if possible == Detectors::NONE => possible,
            Maps::Short(rows) => rows.possible(possible),
            Maps::Middling(rows) => rows.possible(possible),
            Maps::Long => possible,
        }
    }
}

impl Signs {
    /// The same by the maps of a text.
    fn by<M: Map>(rows: &Rows<'_, M>) -> Signs {
        let mark = |is: bool, mark: u32| if is { mark } else { 0 };
        let there = |map: M, of: u32| mark(map != M::NONE, of);
        let marks = there(rows.dots, DOT)
            | there(rows.dashes, DASH)
            | there(rows.colons, COLON)
            | mark(rows.has_spaces, SPACE)
            | mark(rows.has_y, Y);
        Signs {
            marks: rows.others().fold(marks, |marks, b| marks | (BYTES[usize::from(b)] >> MARKS) as u32),
            digits: rows.digits.count() as usize,
            capitals: rows.capitals.count() as usize,
            dots: rows.dots.count() as usize,
            colons: rows.colons.count() as usize,
            dashes: rows.dashes.count() as usize,
        }
    }

    /// Byte by byte.
    fn of(text: &[u8]) -> Signs {
        let mut signs = Signs { marks: 0, digits: 0, capitals: 0, dots: 0, colons: 0, dashes: 0 };
        for some in text.chunks(COUNTABLE) {
            let (mut marks, mut sum) = (0, 0_u64);
            for b in some {
                let is = BYTES[usize::from(*b)];
                marks |= is;
                sum = sum.wrapping_add(is);
            }
            signs.marks |= (marks >> MARKS) as u32;
            let count = |one: u64| (sum / one) as usize & 0xff;
            signs.digits += count(DIGIT_ONE);
            signs.capitals += count(CAPITAL_ONE);
            signs.dots += count(DOT_ONE);
            signs.colons += count(COLON_ONE);
            signs.dashes += count(DASH_ONE);
        }
        signs
    }

    fn has(self, marks: u32) -> bool {
        self.marks & marks == marks
    }

    fn has_any(self, marks: u32) -> bool {
        self.marks & marks != 0
    }

    /// Pairs need an equals sign, user information an @.
    pub(crate) fn may_hold_url(self) -> bool {
        self.has(EQUALS) || self.has(AT)
    }

    /// Those of the detectors that can find anything in some text of that length with these signs.
    fn possible(self, len: usize, which: Detectors) -> Detectors {
        let some = |can: bool, detectors: Detectors| if can { detectors } else { Detectors::NONE };
        let (digits, capitals) = (self.digits, self.capitals);
        let possible = some(self.has(AT), Detectors::EMAIL)
            .with(some(len >= 20 && self.dots >= 2 && self.has(Y), Detectors::JWT))
            // As long as one armour's words.
            .with(some(len >= 32 && capitals >= 10 && self.has(DASH), Detectors::PRIVATE_KEY))
            // Of keys without digits the few that there are have capital letters.
            .with(some(len >= 20 && (digits > 0 || capitals >= 4), Detectors::VENDOR_KEY))
            .with(some(len >= 20 && digits > 0, Detectors::RANDOM.with(Detectors::LONG_RANDOM)))
            .with(some(len >= 36 && self.dashes >= 4, Detectors::UUID))
            .with(some(self.colons >= 5 || self.dashes >= 5 || self.dots >= 2, Detectors::MAC))
            .with(some(digits >= 4 && self.dots >= 3 || digits > 0 && self.colons >= 2, Detectors::IP));
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

    pub(crate) fn has_at(self) -> bool {
        self.has(AT)
    }

    /// Names and their values may be written in one of some ways.
    pub(crate) fn may_hold_names(self) -> bool {
        self.has_any(COLON | EQUALS | PAIR | ANGLE | WIDE) || self.may_hold_flags()
    }

    /// Most have either between them.
    pub(crate) fn has_colon_or_equals(self) -> bool {
        self.has_any(COLON | EQUALS)
    }

    /// Or one of full width.
    pub(crate) fn may_be_wide(self) -> bool {
        self.has(WIDE)
    }

    /// Others stand in calls, in tables, or in quotes by themselves.
    pub(crate) fn may_hold_pairs(self) -> bool {
        self.has(PAIR)
    }

    /// Or in a command line.
    pub(crate) fn may_hold_flags(self) -> bool {
        self.has(DASH | SPACE)
    }

    pub(crate) fn has_percent(self) -> bool {
        self.has(PERCENT)
    }

    /// A brace that opens: JSON or code.
    pub(crate) fn has_brace(self) -> bool {
        self.has(BRACE)
    }

    /// What tags begin with.
    pub(crate) fn has_angle(self) -> bool {
        self.has(ANGLE)
    }

    pub(crate) fn has_line_break(self) -> bool {
        self.has(LINE)
    }

    /// What character references begin with.
    pub(crate) fn has_ampersand(self) -> bool {
        self.has(AMPERSAND)
    }

    /// What escapes begin with.
    pub(crate) fn has_backslash(self) -> bool {
        self.has(BACKSLASH)
    }

    /// Whether there is no sign in a query but those that make it one.
    pub(crate) fn is_query(self) -> bool {
        !self.has_any(AT | PERCENT | PLUS | BRACE | ANGLE | LINE | BACKSLASH | SPACE)
    }

    /// Whether it can be base64 or hex from end to end: none of these stands in them.
    pub(crate) fn may_be_enclosed(self) -> bool {
        const NEVER: u32 = SPACE | DOT | COLON | AT | PERCENT | BRACE | ANGLE | LINE | AMPERSAND | BACKSLASH;
        !self.has_any(NEVER)
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
            assert!(Look::of(text.as_bytes()).possible(*which).has(*which), "{name}: {text}");
            assert!(!detect(text.as_bytes(), *which).is_empty(), "{name}: {text}");
        }
        assert_eq!(Signs::of(b"a plain word").possible(12, Detectors::DEFAULT), Detectors::NONE);
    }

    proptest! {
        #[test]
        fn each_byte_counts_once(text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'7'), Just(b'-')], 0..700)) {
            let signs = Signs::of(&text);
            let count = |is: fn(&u8) -> bool| text.iter().filter(|b| is(b)).count();
            prop_assert_eq!(signs.digits, count(u8::is_ascii_digit));
            prop_assert_eq!(signs.capitals, count(u8::is_ascii_uppercase));
            prop_assert_eq!((signs.dots, signs.colons, signs.dashes), (count(|b| *b == b'.'), count(|b| *b == b':'), count(|b| *b == b'-')));
            let marks = [(b'@', AT), (b'%', PERCENT), (b'=', EQUALS), (b'.', DOT), (b'y', Y), (b'-', DASH), (b':', COLON), (b'+', PLUS), (b'{', BRACE), (b'<', ANGLE), (b'\n', LINE), (b'&', AMPERSAND), (b'\\', BACKSLASH), (b' ', SPACE)];
            for (mark, bit) in marks {
                prop_assert_eq!(signs.has(bit), text.contains(&mark));
            }
            for len in [text.len() % 64, 64, text.len() % 128, 128] {
                let some = text.get(..len).unwrap_or(&text);
                prop_assert_eq!(Look::of(some).signs(), Signs::of(some));
            }
        }

        #[test]
        fn what_shows_no_signs_holds_nothing(text in "[ey@.0-9 a-c=%:+-]{0,140}|[0-9 -]{10,40}|ey[a-zA-Z0-9]{10,30}\\.ey[a-z]{4,8}\\.[a-z]{0,9}|[0-9a-f:.]{7,40}") {
            let bytes = text.as_bytes();
            let (all, mut found) = (Look::of(bytes).possible(ALL), Vec::new());
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
