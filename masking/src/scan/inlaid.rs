//! Base64 and hex in the midst of a text: a state in a sentence, a cookie in a line of a log, a `data:` URI in a style sheet.
//!
//! A run of their alphabet is worth a look only where its first characters may be those of a text, or of something compressed.

use std::ops::Range;

use mynah_message::Limits;
use wide::u8x16;

use super::opened::{self, Opened, TooLarge};
use super::value::closed;
use super::{Context, Patch, Scanner, Unreadable, shift};
use crate::detect::Found;
use crate::detect::words::{padded, within};

/// Characters of the shortest run of base64 that is looked into, without its padding; and of hex.
pub(crate) const SHORTEST: usize = PIECE;
pub(crate) const SHORTEST_HEX: usize = 32;

/// Hex of a text has at least so many digits, and base64 so many capital letters if it is of letters alone, and one among its first
/// sixteen characters: names of functions have fewer, and so has all that [`words`](crate::detect::words) passes over.
pub(crate) const DIGITS: usize = 8;
const CAPITALS: usize = 4;

/// Bytes that are looked at at once.
const PIECE: usize = 16;

/// Characters that are decoded of a long run to see whether it goes on as a text.
const SOME: usize = 64;

/// How often something is taken for the beginning of a text within one run: a picture in base64 has thousands of signs behind which a
/// text might begin.
const TRIES: usize = 32;

impl Scanner<'_> {
    /// The patches of what is in base64 or hex in the midst of a text, but for what is part of something that was detected (a web
    /// token, a key) or learnt.
    pub(super) fn inlaid(
        &mut self,
        value: &[u8],
        context: Context,
        detected: &[Found],
        learnt: &[Patch],
    ) -> Vec<Patch> {
        let policy = self.policy;
        let mut patches = Vec::new();
        let mut all = Inlaid::of(value, &policy.limits);
        while let Some(found) = all.next() {
            let Ok((range, opened)) = found else {
                self.inlaid = true;
                self.over = Some(Unreadable("nested-too-large"));
                continue;
            };
            let Some(text) = value.get(range.clone()) else { continue };
            let lies_in = |outer: &Range<usize>| outer.start <= range.start && range.end <= outer.end;
            // What was learnt and stands within it is seen there, too.
            let reaches = |patch: &Patch| {
                let meets = patch.range.start < range.end && range.start < patch.range.end;
                meets && (patch.range.start < range.start || range.end < patch.range.end)
            };
            if range == (0..value.len())
                || detected.iter().any(|found| lies_in(&found.range))
                || learnt.iter().any(reaches)
                || !learnt.is_empty() && self.sink.known(text).is_some()
            {
                self.runs |= range != (0..value.len());
                continue;
            }
            self.inlaid = true;
            if !self.may_open(context, opened.text.len() + std::mem::take(&mut all.work)) {
                break;
            }
            let found = self.free(&opened.text, context.inner(None));
            let closed = closed(&opened, text, &found).unwrap_or_default();
            patches.extend(shift(closed, range.start));
        }
        // What was no text after all took time as well.
        if all.work > 0 && context.depth < policy.depth {
            self.may_open(context, all.work);
        }
        patches
    }
}

/// Whether there is a run that is worth a look.
pub(crate) fn may_hold(text: &[u8]) -> bool {
    Starts::of(text).next().is_some()
}

/// The texts that stand in base64 or hex within a text, in order.
pub(crate) struct Inlaid<'t> {
    starts: Starts<'t>,
    limits: &'t Limits,
    /// Characters that were decoded, be they of a text or not.
    pub(crate) work: usize,
    /// Where the run at hand ends, and how often a text was looked for in it.
    run: usize,
    tries: usize,
}

impl<'t> Inlaid<'t> {
    pub(crate) fn of(text: &'t [u8], limits: &'t Limits) -> Inlaid<'t> {
        Inlaid { starts: Starts::of(text), limits, work: 0, run: 0, tries: 0 }
    }

    /// The longest text of those that may begin there, and where it stands.
    fn open(&mut self, start: usize) -> Result<Option<(Range<usize>, Opened)>, TooLarge> {
        let text = self.starts.text;
        if start >= self.run {
            let rest = text.get(start..).unwrap_or_default();
            let len = rest.iter().position(|b| !is_one(*b)).unwrap_or(rest.len());
            (self.run, self.tries) = (start + len, 0);
        }
        self.tries += 1;
        if self.tries > TRIES {
            self.starts.from = self.run;
            return Ok(None);
        }
        for end in ends(text, start, self.run) {
            let Some(value) = text.get(start..end) else { continue };
            self.work += value.len().min(SOME);
            if !opened::goes_on_as_text(value.get(..SOME).unwrap_or_default()) || !is_likely(value) {
                continue;
            }
            self.work += value.len();
            if let Some(opened) = Opened::of(value, self.limits)? {
                return Ok(Some((start..end, opened)));
            }
        }
        Ok(None)
    }
}

impl Iterator for Inlaid<'_> {
    type Item = Result<(Range<usize>, Opened), TooLarge>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.starts.next()?;
            match self.open(start) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    self.starts.from = found.0.end;
                    return Some(Ok(found));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Where what begins there may end, the likeliest end first; the run ends at `run`.
fn ends(text: &[u8], start: usize, run: usize) -> impl Iterator<Item = usize> + use<> {
    let rest = text.get(start..).unwrap_or_default();
    let there = text.get(start..run).unwrap_or_default();
    let hex = there.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let whole = there.get(hex).is_none_or(|b| !b.is_ascii_alphanumeric());
    // Of the signs of one alphabet none stands in the other.
    let sign = there.iter().position(|b| is_sign(*b));
    let url = sign.and_then(|at| there.get(at)).is_some_and(|b| matches!(b, b'-' | b'_'));
    let other = |b: &u8| is_sign(*b) && matches!(b, b'-' | b'_') != url;
    let len = there.iter().position(other).unwrap_or(there.len());
    let padding = match len % 4 {
        2 if rest.get(len..).is_some_and(|rest| rest.starts_with(b"==")) => 2,
        3 if rest.get(len) == Some(&b'=') => 1,
        _ => 0,
    };
    [
        (whole && hex >= SHORTEST_HEX && hex.is_multiple_of(2)).then_some(hex),
        (padding > 0).then_some(len + padding),
        Some(len),
        // A segment of a path.
        sign.filter(|_| !url),
    ]
    .into_iter()
    .flatten()
    .map(move |len| start + len)
}

/// Whether a run is more than a name, which nobody would take for base64 or hex.
fn is_likely(value: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| value.iter().filter(|b| is(b)).count();
    let (digits, capitals) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let first = value.get(..SHORTEST).unwrap_or_default();
    let base64 = first.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && (digits > 0 || capitals >= CAPITALS || value.iter().any(|b| is_sign(*b)));
    let hex = || digits >= DIGITS && value.len() >= SHORTEST_HEX && value.iter().all(u8::is_ascii_hexdigit);
    value.len() >= SHORTEST && (base64 || hex())
}

/// Where base64 or hex of a text may begin: at a run's beginning, behind an escape or a sign in it.
struct Starts<'t> {
    text: &'t [u8],
    /// What was opened ends there.
    from: usize,
    /// Where the piece begins whose beginnings are to be seen next, and where those end that are to be looked at.
    piece: usize,
    until: usize,
    /// Where the next piece begins that may be telling.
    ahead: usize,
    /// Where the piece at hand begins, and where in it runs begin, one bit for each.
    at: usize,
    bits: u32,
    /// Which bytes of the piece that begins there are of the alphabets, and which are signs that divide.
    known: (usize, (u16, u16)),
    /// The same beginning behind an escape.
    behind_escape: Option<usize>,
}

impl<'t> Starts<'t> {
    fn of(text: &'t [u8]) -> Starts<'t> {
        Starts {
            text,
            from: 0,
            piece: 0,
            until: 0,
            ahead: 0,
            at: 0,
            bits: 0,
            known: (usize::MAX, (0, 0)),
            behind_escape: None,
        }
    }

    /// Goes on to the next piece in which a run begins that is long enough; says whether there is one.
    fn look(&mut self) -> bool {
        loop {
            while self.piece < self.until {
                self.at = self.piece;
                self.piece += PIECE;
                self.bits = self.begins();
                if self.bits != 0 {
                    return true;
                }
            }
            let Some(rest) = self.text.get(self.ahead..).filter(|rest| !rest.is_empty()) else {
                return false;
            };
            let (pieces, tail) = rest.as_chunks::<PIECE>();
            let found = pieces.iter().map(telling).enumerate().find(|(_, tells)| *tells > 0);
            let (number, tells) = found.unwrap_or_else(|| (pieces.len(), telling(&padded(tail, 0))));
            let found = self.ahead + number * PIECE;
            self.ahead = found + PIECE;
            // What tells stands behind the beginning, in the same piece or a later one.
            if tells > 0 {
                self.piece = self.piece.max(found.saturating_sub(tells * PIECE));
                self.until = self.ahead;
            }
        }
    }

    /// The piece that begins there, with zeros behind the end.
    fn load(&self, at: usize) -> [u8; PIECE] {
        let rest = self.text.get(at..).unwrap_or_default();
        rest.first_chunk::<PIECE>().copied().unwrap_or_else(|| padded(rest, 0))
    }

    /// Where runs begin in the piece at hand, or may as there is a sign before.
    fn begins(&mut self) -> u32 {
        let (there, signs) = if self.known.0 == self.at { self.known.1 } else { is_in(&self.load(self.at)) };
        self.known = (self.piece, is_in(&self.load(self.piece)));
        let all = u32::from(there) | u32::from(self.known.1.0) << PIECE;
        let long = [1, 2, 4, 8].into_iter().fold(all, |long, shift| long & long >> shift);
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at)).copied().unwrap_or(0);
        let divided = u32::from(!is_one(before) || divides(before));
        long & 0xffff & (!(u32::from(there) << 1 | 1) | u32::from(signs) << 1 | divided)
    }

    /// Whether what begins there may be a text in base64 or hex.
    fn may_begin(&self, start: usize) -> bool {
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(first) = rest.first_chunk::<8>() else { return false };
        let base64 = || rest.get(..SHORTEST).is_some_and(|some| some.iter().any(u8::is_ascii_uppercase));
        let hex = || rest.get(..SHORTEST_HEX).is_some_and(|some| some.iter().all(u8::is_ascii_hexdigit));
        opened::begins_text(first) && base64() || opened::begins_text_in_hex(*first) && hex()
    }

    /// Whether these are the digits behind a percent sign.
    fn is_percent(&self, start: usize) -> bool {
        let before = start.checked_sub(1).and_then(|at| self.text.get(at));
        let digits = self.text.get(start..start + 2);
        before == Some(&b'%') && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    }

    /// Where it begins when there is an escape, the sign of which stands before the run: `\n`, `%0A`, `\u000a`.
    fn escaped(&self, start: usize) -> Option<usize> {
        let there = self.text.get(start..)?;
        let len = match (start.checked_sub(1).and_then(|at| self.text.get(at)), there) {
            (Some(b'%' | b'\\'), [b'u', ..]) => 5,
            (Some(b'\\'), [b'x', ..]) => 3,
            (Some(b'\\'), [b'n' | b'r' | b't' | b'b' | b'f' | b'/', ..]) => 1,
            (Some(b'%'), _) | (_, [b'0', b'x', ..]) => 2,
            _ => return None,
        };
        Some(start + len)
    }
}

impl Iterator for Starts<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let start = if let Some(start) = self.behind_escape.take() {
                start
            } else if self.bits != 0 {
                let start = self.at + self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                self.behind_escape = self.escaped(start);
                if self.is_percent(start) {
                    continue;
                }
                start
            } else if self.look() {
                continue;
            } else {
                return None;
            };
            if start >= self.from && self.may_begin(start) {
                return Some(start);
            }
        }
    }
}

/// In how many pieces before this one, and in itself, something may begin that is worth a look, by what is in it: a capital letter, or
/// nothing that is not hex. Zero where it does not tell.
#[inline]
fn telling(piece: &[u8; PIECE]) -> usize {
    let bytes = u8x16::new(*piece);
    // Among the first sixteen characters of base64.
    let capital = within(bytes, b'A', 25).to_bitmask() != 0;
    // And a few signs, and capital letters.
    let hex = within(bytes, b'0', b'f' - b'0').to_bitmask() == 0xffff;
    if hex { 2 } else { usize::from(capital) }
}

/// Which bytes are of the alphabets, and which of them divide what may be base64 from what may not, one bit for each.
fn is_in(piece: &[u8; PIECE]) -> (u16, u16) {
    let bytes = u8x16::new(*piece);
    let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
    let letters = within(bytes | u8x16::splat(0x20), b'a', 25);
    let digits = within(bytes, b'0', 9);
    let divides = is(b'/') | is(b'_') | is(b'+');
    ((letters | digits | divides | is(b'-')).to_bitmask() as u16, divides.to_bitmask() as u16)
}

fn is_one(b: u8) -> bool {
    b.is_ascii_alphanumeric() || is_sign(b)
}

fn is_sign(b: u8) -> bool {
    divides(b) || b == b'-'
}

/// A dash stands between the groups of a UUID, in which there is nothing.
fn divides(b: u8) -> bool {
    matches!(b, b'/' | b'_' | b'+')
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use mynah_message::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::detect::signs::Look;
    use crate::detect::{self, words};

    fn texts(text: &str) -> Vec<(Range<usize>, String)> {
        let limits = Limits::default();
        let found = Inlaid::of(text.as_bytes(), &limits).map(|found| found.unwrap());
        found.map(|(range, opened)| (range, String::from_utf8(opened.text).unwrap())).collect()
    }

    /// Where texts may begin, byte by byte; and those of them behind an escape that are seen in any case.
    fn naive(text: &[u8]) -> (Vec<usize>, Vec<usize>) {
        let one = |at: usize| text.get(at).is_some_and(|b| is_one(*b));
        let all = Starts::of(text);
        let begins = |at: &usize| {
            let before = at.checked_sub(1).and_then(|at| text.get(at));
            before.is_none_or(|b| !is_one(*b) || divides(*b)) && (*at..at + SHORTEST).all(one)
        };
        let starts = (0..text.len()).filter(begins);
        let starts: Vec<usize> = starts.collect();
        let may_begin = |at: &usize| all.may_begin(*at);
        let plain = starts.iter().copied().filter(|at| !all.is_percent(*at)).filter(may_begin);
        let escaped = starts.iter().filter_map(|at| all.escaped(*at)).filter(may_begin);
        (plain.collect(), escaped.collect())
    }

    #[test]
    fn texts_are_found_in_the_midst_of_others() {
        let json = r#"{"password":"hunter2-hunter2"}"#;
        for (before, behind) in [
            ("state is ", " now"),
            ("url(data:application/json;base64,", ")"),
            ("/state/", "/next"),
            ("sess_", ""),
            (r"line\n", r"\n"),
            ("a%0A", "&b"),
            (r"\x22", r"\x22"),
            ("key-", "."),
        ] {
            for coded in [
                STANDARD.encode(json),
                STANDARD_NO_PAD.encode(json),
                URL_SAFE.encode(json),
                URL_SAFE_NO_PAD.encode(json),
                String::from_utf8(hex::encode(json.as_bytes(), false)).unwrap(),
                String::from_utf8(hex::encode(json.as_bytes(), true)).unwrap(),
            ] {
                let text = format!("{before}{coded}{behind}");
                let wanted = vec![(before.len()..before.len() + coded.len(), json.to_owned())];
                // Behind a dash nothing begins.
                let wanted = if before == "key-" { Vec::new() } else { wanted };
                assert_eq!(texts(&text), wanted, "{text}");
            }
        }
        let hexed = String::from_utf8(hex::encode(json.as_bytes(), false)).unwrap();
        assert_eq!(texts(&format!("at 0x{hexed};")).len(), 1);
    }

    #[test]
    fn a_long_run_is_not_tried_from_every_sign_in_it() {
        // Behind each slash there may begin a text, which goes on as none.
        let run = "eyJhIjoiAAAA/".repeat(10_000);
        let limits = Limits::default();
        let mut all = Inlaid::of(run.as_bytes(), &limits);
        assert!(all.by_ref().next().is_none());
        assert!(all.work <= TRIES * 4 * SOME, "{}", all.work);
        let text = format!("{run} eyJhIjoiYiBjIGQgZSBmIn0= {}", "eyJhIjoiYiBjIGQgZSBmIn0/".repeat(3));
        let found = texts(&text);
        assert_eq!(found.first().map(|(_, text)| text.as_str()), Some(r#"{"a":"b c d e f"}"#));
    }

    #[test]
    fn names_hashes_and_paths_are_none() {
        for text in [
            "getElementsByClassName of InternalServerErrorException",
            "application/vnd.api+json; charset=utf-8",
            "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "/api/v2/items/4711/reviews/abcdefghijklmnop",
            "k3J9xQ2mLp0Zr8k3J9xQ2mLp0Zr8",
        ] {
            assert_eq!(texts(text), [], "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn every_beginning_is_seen(
            text in "[ -~]{0,90}|([A-Za-z0-9+/_-]{10,40}[ .:=\\\\%]{0,2}){0,5}|(eyJ[A-Za-z0-9]{12,30}[/_+. -]){0,4}|(\\\\[nxu]|%0A)?eyJ[a-zA-Z0-9]{20}",
            shift in "[ -~]{0,17}",
        ) {
            let text = format!("{shift}{text}");
            let found: Vec<usize> = Starts::of(text.as_bytes()).collect();
            let (plain, escaped) = naive(text.as_bytes());
            prop_assert!(plain.iter().all(|at| found.contains(at)), "{} {:?}", text, plain);
            prop_assert!(found.iter().all(|at| plain.contains(at) || escaped.contains(at)), "{} {:?}", text, found);
        }

        #[test]
        fn whoever_says_that_there_is_nothing_sees_what_is_inlaid(
            inner in "[ -~]{12,40}|[a-z]{12,30}|\\{\"[a-z]{2,8}\":\"[a-z ]{2,9}\"\\}|[а-я一-丁]{6,20}",
            before in "([a-zA-Z ,']{0,60}[ ,'/_])?|/[a-z]{1,8}/",
            behind in "([ ,'/][a-zA-Z ,']{0,60})?",
        ) {
            for coded in [
                STANDARD.encode(&inner),
                URL_SAFE_NO_PAD.encode(&inner),
                String::from_utf8(hex::encode(inner.as_bytes(), false)).unwrap(),
            ] {
                let text = format!("{before}{coded}{behind}");
                let bytes = text.as_bytes();
                if texts(&text).iter().any(|(range, _)| *range != (0..text.len())) {
                    prop_assert!(may_hold(bytes) && Look::of(bytes).may_hold_inlaid(), "{}", text);
                    prop_assert!(!words::holds_nothing(bytes) && !words::with_quotes_holds_nothing(bytes), "{}", text);
                    prop_assert!(!words::is_plain_path(bytes) && !detect::is_moment(bytes), "{}", text);
                }
            }
        }

        #[test]
        fn what_is_encoded_is_found(
            inner in "[ -~é\\n]{12,60}",
            before in "([ -~]{0,20}[ .:,;='\"(<])?",
            behind in "([ .:,;'\")<][ -~]{0,20})?",
        ) {
            for coded in [STANDARD.encode(&inner), URL_SAFE_NO_PAD.encode(&inner), URL_SAFE.encode(&inner)] {
                let bare = coded.trim_end_matches('=');
                let usual = bare.len() >= SHORTEST && is_likely(bare.as_bytes());
                let text = format!("{before}{coded}{behind}");
                let there = before.len()..before.len() + coded.len();
                if usual {
                    prop_assert!(texts(&text).contains(&(there, inner.clone())), "{}", text);
                }
            }
        }
    }
}
