//! Long words: keys of vendors, random values, UUIDs, the tax codes of Italy.

use super::{Detectors, Found, before, in_word, national, random, vendor};
use crate::kind::Kind;

/// The detectors that look at long words.
pub(super) const FAMILIES: Detectors =
    Detectors::VENDOR_KEY.with(RANDOM).with(Detectors::UUID).with(Detectors::NATIONAL);
const RANDOM: Detectors = Detectors::RANDOM.with(Detectors::LONG_RANDOM);

/// The shortest key of a link: 32 random bytes take 43 characters, 24 take 32.
const LONG: usize = 36;

/// An Italian's tax code is the shortest of them.
const SHORTEST: usize = 16;

/// What each byte is in a word: 0 for none of it, 1 for a separator, 2 for a letter or digit.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 128 {
        classes[b] = if (b as u8).is_ascii_alphanumeric() {
            2
        } else if matches!(b as u8, b'_' | b'-' | b'+' | b'/') {
            1
        } else {
            0
        };
        b += 1;
    }
    classes
};

fn class(b: u8) -> u8 {
    CLASSES[usize::from(b)]
}

/// What is found in words of sixteen characters and more.
pub(super) fn words(text: &[u8], which: Detectors, found: &mut Vec<Found>) {
    let mut at = 0;
    // Looks at the last one of each sixteen first: most of a text is passed over so.
    while let Some(next) = text.get(at..at + SHORTEST) {
        if let Some(other) = next.iter().rposition(|b| class(*b) == 0) {
            at += other + 1;
            continue;
        }
        let len = text[at..].iter().position(|b| class(*b) == 0).unwrap_or(text.len() - at);
        word(text, at, at + len, which, found);
        at += len + 1;
    }
}

fn word(text: &[u8], start: usize, end: usize, which: Detectors, found: &mut Vec<Found>) {
    if end - start == 36 && random::is_uuid(&text[start..end]) {
        if which.has(Detectors::UUID) {
            found.push(Found { range: start..end, kind: Kind::Id });
        }
        return;
    }
    if which.has(Detectors::VENDOR_KEY) {
        // A part before a stop is a word of its own here, and the prefix of the key there.
        let dotted = [&b"SG."[..], b"hvs.", b"ya29."].into_iter().find(|p| text[..start].ends_with(p));
        let mut at = start - dotted.map_or(0, <[u8]>::len);
        while at < end {
            // At the word's beginning, or behind a separator in it.
            let begins = vendor::may_begin(text[at])
                && match before(text, at) {
                    Some(b) if at > start => class(*b) == 1,
                    b => !in_word(b),
                };
            if begins && let Some((_, len)) = vendor::key(&text[at..]) {
                found.push(Found { range: at..at + len, kind: Kind::VendorKey });
                at += len;
            } else {
                at += 1;
            }
        }
    }
    if which.has(Detectors::NATIONAL)
        && end - start == SHORTEST
        && !in_word(before(text, start))
        && national::is_italian(&text[start..end])
    {
        found.push(Found { range: start..end, kind: Kind::NationalId });
    }
    if which.has(RANDOM)
        && let Some(range) = random::within(text, start, end)
        && (which.has(Detectors::RANDOM)
            || range.len() >= LONG && random::has_both_cases(&text[range.clone()]))
    {
        found.push(Found { range, kind: Kind::Random });
    }
}
