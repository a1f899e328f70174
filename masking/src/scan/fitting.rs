//! What is written in JSON in place of a learnt value that stands there byte for byte, though JSON means something else by it: `\u006b` is
//! a letter, and what begins behind a backslash is a part of an escape. Another value there makes other escapes, or none.

use super::Unreadable;
use super::part::Planned;

/// Bytes of the longest escape.
const LONGEST: usize = 6;

/// The plan of a JSON body in which all that is written is JSON.
///
/// # Errors
/// What would have to be written reaches over something else.
pub(super) fn fitted(body: &[u8], mut plan: Vec<Planned>) -> Result<Vec<Planned>, Unreadable> {
    let mut widened = false;
    for planned in plan.iter_mut().filter(|planned| matches!(planned.place, "anywhere" | "between")) {
        widened |= fit(body, planned);
    }
    let ranges = || plan.windows(2).all(|w| matches!(w, [a, b] if a.range.end <= b.range.start));
    if widened && !ranges() { Err(Unreadable::HIDES) } else { Ok(plan) }
}

/// Makes what is written fit. Says whether it now takes the place of more.
fn fit(body: &[u8], planned: &mut Planned) -> bool {
    let range = &planned.range;
    let Some(there) = body.get(range.clone()) else { return false };
    let start = around(body, range.start).map_or(range.start, |escape| escape.0);
    let end = around(body, range.end).map_or(range.end, |escape| escape.1);
    let widened = start < range.start || end > range.end;
    let has_backslash =
        memchr::memchr(b'\\', there).is_some() || memchr::memchr(b'\\', &planned.bytes).is_some();
    if !widened && (!has_backslash || are_escapes(&planned.bytes)) {
        return false;
    }
    planned.bytes = without_escapes(&planned.bytes);
    planned.range = start..end;
    widened
}

/// The escape of which some bytes stand before that place, and some behind it.
fn around(body: &[u8], at: usize) -> Option<(usize, usize)> {
    let before = body.get(at.saturating_sub(LONGEST - 1)..at)?;
    let backslash = at - before.len() + memchr::memrchr(b'\\', before)?;
    // One of two in a row stands for the other.
    let row = body.get(..=backslash)?.iter().rev().take_while(|b| **b == b'\\').count();
    let start = if row.is_multiple_of(2) { backslash - 1 } else { backslash };
    let len = if body.get(start + 1) == Some(&b'u') { LONGEST } else { 2 };
    (at < start + len).then(|| (start, (start + len).min(body.len())))
}

/// Whether all backslashes begin escapes of JSON.
fn are_escapes(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        let escape = text.get(at..at + LONGEST);
        at += match text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if escape.is_some_and(|e| e.iter().skip(2).all(u8::is_ascii_hexdigit)) => LONGEST,
            _ => return false,
        };
    }
    true
}

/// A dash for each backslash, and for what needs one before it.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut escaped = false;
    for b in text {
        let begins = *b == b'\\' && !escaped;
        out.push(if *b == b'\\' || escaped && *b == b'"' { b'-' } else { *b });
        escaped = begins;
    }
    out
}
