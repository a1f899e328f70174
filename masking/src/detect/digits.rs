//! Where numbers stand in a text, and what they are.

use super::{Detectors, Found, before, card, iban, in_word, ip, national, phone};
use crate::kind::Kind;

/// The detectors that look at numbers.
pub(super) const FAMILIES: Detectors = Detectors::CARD
    .with(Detectors::IBAN)
    .with(Detectors::SSN)
    .with(Detectors::NATIONAL)
    .with(Detectors::PHONE);

/// Digits in a row, with their separators, that each number has at least: a Finn's birthday.
const SHORTEST: usize = 6;

/// No number has more groups of digits.
const GROUPS: usize = 16;

/// Digits and what stands between them.
const NUMERIC: [bool; 256] = {
    let mut numeric = [false; 256];
    let mut b = 0;
    while b < 128 {
        numeric[b] = (b as u8).is_ascii_digit() || matches!(b as u8, b' ' | b'-' | b'.' | b'/' | b'(' | b')');
        b += 1;
    }
    numeric
};

fn is_numeric(b: u8) -> bool {
    NUMERIC[usize::from(b)]
}

/// Cards, IBANs, national ids and telephone numbers in a text.
pub(super) fn numbers(text: &[u8], which: Detectors, found: &mut Vec<Found>) {
    let mut at = 0;
    // Looks at the last one of each six first: most of a text is passed over so.
    while let Some(next) = text.get(at..at + SHORTEST) {
        if let Some(other) = next.iter().rposition(|b| !is_numeric(*b)) {
            at += other + 1;
            continue;
        }
        let len = text[at..].iter().position(|b| !is_numeric(*b)).unwrap_or(text.len() - at);
        let run = &text[at..at + len];
        if run.iter().filter(|b| b.is_ascii_digit()).take(SHORTEST).count() == SHORTEST {
            stretch(text, at, at + len, which, found);
        }
        at += len + 1;
    }
    // Telephone numbers may begin with less than six in a row; IBANs with a few letters among their digits.
    if which.has(Detectors::PHONE) {
        for plus in memchr::memchr_iter(b'+', text) {
            if text.get(plus + 1).is_some_and(|b| matches!(b, b'1'..=b'9')) {
                found.extend(phone::after_plus(text, plus));
            }
        }
    }
}

/// The numbers in a stretch of digits and separators.
fn stretch(text: &[u8], from: usize, to: usize, which: Detectors, found: &mut Vec<Found>) {
    // The digits of an IBAN may begin up to eight characters behind its country, in groups up to ten.
    if which.has(Detectors::IBAN) {
        let mut check = from.saturating_sub(12).max(2);
        while check + 11 < text.len() && check < to {
            let digit = |i: usize| text.get(i).is_some_and(u8::is_ascii_digit);
            if digit(check)
                && digit(check + 1)
                && text[check - 1].is_ascii_alphabetic()
                && let Some(iban) = iban::around(text, check)
            {
                check = iban.range.end;
                found.push(iban);
            } else {
                check += 1;
            }
        }
    }
    let mut at = from;
    while at < to {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (groups, count, end) = groups(text, at, to);
        cluster(text, &groups[..count], which, found);
        at = end;
    }
}

/// The groups of digits from `at` on, each behind the one before and a single separator; and where they end.
fn groups(text: &[u8], at: usize, to: usize) -> ([(usize, usize); GROUPS], usize, usize) {
    let mut groups = [(0, 0); GROUPS];
    let mut count = 0;
    let mut start = at;
    loop {
        let len = text[start..to].iter().take_while(|b| b.is_ascii_digit()).count();
        groups[count] = (start, start + len);
        count += 1;
        let end = start + len;
        let separated = end < to
            && !matches!(text[end], b'(' | b')')
            && text.get(end + 1).is_some_and(u8::is_ascii_digit)
            && end + 1 < to;
        if !separated || count == GROUPS {
            return (groups, count, end);
        }
        start = end + 1;
    }
}

/// What some groups of digits are, all of them, or some in a row.
fn cluster(text: &[u8], groups: &[(usize, usize)], which: Detectors, found: &mut Vec<Found>) {
    let mut first = 0;
    while let Some(&(start, end)) = groups.get(first) {
        let next = number(text, &groups[first..], which);
        let Some(hit) = next else {
            // A letter may come before the digits of a Spaniard's number, and letters before an Italian's.
            if which.has(Detectors::NATIONAL)
                && end - start >= 7
                && let Some(lead) = foreigner(text, start)
                && let Some(len) = national::written(&text[lead..])
                && !in_word(text.get(lead + len))
            {
                found.push(Found { range: lead..lead + len, kind: Kind::NationalId });
            }
            first += 1;
            continue;
        };
        first += groups[first..].iter().take_while(|(start, _)| *start < hit.range.end).count().max(1);
        found.push(hit);
    }
}

/// Where the X, Y or Z stands that begins a foreigner's number in Spain.
fn foreigner(text: &[u8], digits: usize) -> Option<usize> {
    let lead = match before(text, digits)? {
        b'-' => digits.checked_sub(2)?,
        _ => digits.checked_sub(1)?,
    };
    (matches!(text[lead], b'X'..=b'Z' | b'x'..=b'z') && !in_word(before(text, lead))).then_some(lead)
}

/// The number that begins with the first of the groups.
fn number(text: &[u8], groups: &[(usize, usize)], which: Detectors) -> Option<Found> {
    let &(start, end) = groups.first()?;
    let lead = before(text, start);
    // Decimals are measurements; what comes behind two dashes divides the parts of a message.
    if in_word(lead) || lead == Some(&b'.') || lead == Some(&b'-') && before(text, start - 1) == Some(&b'-') {
        return None;
    }
    let whole = |end: usize| {
        let decimal = matches!(text.get(end), Some(b'.' | b'-' | b'/'))
            && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        !in_word(text.get(end)) && !decimal
    };
    let is = |kind, end| Some(Found { range: start..end, kind });
    // Not the tail of a longer number.
    let alone = !matches!(lead, Some(b'-' | b'/'))
        || !start.checked_sub(2).and_then(|i| text.get(i)).is_some_and(u8::is_ascii_digit);
    if which.has(Detectors::CARD)
        && let Some(end) = card_of(text, groups).filter(|end| whole(*end))
    {
        return is(Kind::Card, end);
    }
    // A telephone number, whatever else it could be without its plus.
    if lead == Some(&b'+') {
        return None;
    }
    let run = &text[start..end];
    if which.has(Detectors::NATIONAL) && run.len() >= 11 && whole(end) && alone && national::is_bare(run) {
        return is(Kind::NationalId, end);
    }
    if !alone {
        return None;
    }
    if which.has(Detectors::SSN)
        && run.len() == 3
        && let Some(len) = national::ssn(&text[start..]).filter(|len| whole(start + len))
    {
        return is(Kind::NationalId, start + len);
    }
    if which.has(Detectors::NATIONAL)
        && may_be_written(text, groups, end)
        && let Some(len) = national::written(&text[start..]).filter(|len| whole(start + len))
    {
        return is(Kind::NationalId, start + len);
    }
    None
}

/// Whether the first groups are as long as those of a national id with separators or letters.
fn may_be_written(text: &[u8], groups: &[(usize, usize)], end: usize) -> bool {
    let len = |i: usize| groups.get(i).map_or(0, |(start, end): &(usize, usize)| end - start);
    match len(0) {
        1 | 2 => len(1) == 2 || len(1) == 3,
        3 => len(1) == 3 || len(1) == 4,
        4 => len(1) == 4,
        6 | 17 => true,
        8 => len(1) == 4 || text.get(end).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'-'),
        _ => false,
    }
}

/// Where the card number ends that begins with the first of the groups.
fn card_of(text: &[u8], groups: &[(usize, usize)]) -> Option<usize> {
    let &(start, _) = groups.first()?;
    let mut digits = 0;
    let mut longest = None;
    for (from, end) in groups {
        if *from > start && matches!(text[from - 1], b'.' | b'/') {
            break;
        }
        digits += end - from;
        if digits > 19 {
            break;
        }
        if digits >= 13 && card::is_card(&text[start..*end]) {
            longest = Some(*end);
        }
    }
    longest
}

/// Whether a text has what an address of four numbers has.
pub(super) fn ipv4_candidates(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut after = 0;
    memchr::memchr_iter(b'.', text).filter_map(move |dot| {
        // The first dot of three: up to three digits before it, and another dot within four bytes.
        if dot < after {
            return None;
        }
        let len = text[..dot].iter().rev().take(4).take_while(|b| b.is_ascii_digit()).count();
        let next = text.get(dot + 1..)?;
        let more = next.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if !(1..=3).contains(&len) || !(1..=3).contains(&more) || next.get(more) != Some(&b'.') {
            return None;
        }
        let len_all = ip::dotted(&text[dot - len..]);
        after = dot - len + len_all.max(1);
        Some(dot - len)
    })
}
