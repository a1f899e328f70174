//! Labels and what they are about in another element: `<th>Password</th><td>…</td>`.

use super::super::hints::{NAME, is_of_name};
use super::sites::{Form, QUOTED, SPACES, Site, bare, is_telling, trimmed, without_marks};
use crate::names;

/// Bytes of a longest tag.
const TAG: usize = 128;
/// Tags between a label and its value.
const TAGS: usize = 4;
/// Elements in which a value may stand behind its label.
const HOLDERS: [&[u8]; 20] = [
    b"td", b"dd", b"value", b"string", b"span", b"code", b"b", b"strong", b"em", b"i", b"p", b"div", b"br",
    b"tt", b"kbd", b"samp", b"pre", b"a", b"font", b"small",
];

/// Visits all labels in a page or in XML, each of the name of what evidently is a secret, and a value in the next element.
pub(super) fn visit(text: &[u8], take: &mut impl FnMut(Site)) {
    for at in memchr::memchr_iter(b'<', text) {
        let before = text.get(..at).unwrap_or_default();
        let label = before.strip_suffix(b":").unwrap_or(before);
        // Most elements end with others.
        if text.get(at + 1) == Some(&b'/')
            && names::is_strong(label)
            && let Some(site) = labelled_at(text, at)
        {
            take(site);
        }
    }
}

/// `<b>Password:</b> …`, `<th>Password</th><td>…</td>`, `<name>password</name><value>…</value>`: at a tag that ends there.
#[inline]
pub(super) fn labelled(text: &[u8], at: usize) -> Option<Site> {
    if text.get(at + 1) != Some(&b'/') || at == 0 {
        return None;
    }
    labelled_at(text, at)
}

fn labelled_at(text: &[u8], at: usize) -> Option<Site> {
    let before = trimmed(text.get(..at)?);
    let mut colon = before.ends_with(b":");
    let label = trimmed(before.strip_suffix(b":").unwrap_or(before));
    let name = label.iter().rev().take(NAME).take_while(|b| is_of_name(**b) || **b == b' ').count();
    let cell = label.len() - name..label.len();
    let lead = text.get(cell.clone())?.iter().take_while(|b| **b == b' ').count();
    let name = cell.start + lead..cell.end;
    if name.is_empty() || text.get(..cell.start)?.last() != Some(&b'>') {
        return None;
    }
    let (mut end, first) = tag(text, at)?;
    let is_heading = matches!(first, b"th" | b"td" | b"dt" | b"label" | b"name" | b"key");
    if !is_heading && !matches!(first, b"b" | b"strong" | b"em" | b"i" | b"span" | b"p" | b"div") {
        return None;
    }
    let mut opens = false;
    for _ in 0..TAGS {
        end += space_between(text.get(end..)?);
        match text.get(end)? {
            b':' if !colon && !opens => {
                colon = true;
                end += 1;
            }
            b'<' => {
                let closes = text.get(end + 1) == Some(&b'/');
                let (behind, inner) = tag(text, end)?;
                // The next row, the next heading, or what asks for a value.
                if closes && inner == b"tr" || !closes && !HOLDERS.contains(&inner) {
                    return None;
                }
                opens |= !closes;
                end = behind;
            }
            _ => break,
        }
    }
    if !(colon || is_heading && opens) {
        return None;
    }
    let rest = text.get(end..)?;
    let len = rest.iter().position(|b| *b == b'<').unwrap_or(rest.len().min(QUOTED));
    let shown = rest.get(..len)?;
    // Words may follow where it is a text.
    let len = if opens { shown.trim_ascii_end().len() } else { bare(shown) };
    let value = without_marks(text, end..end + len);
    is_telling(text.get(value.clone())?).then_some(Site {
        name,
        longer: None,
        value,
        quoted: false,
        form: Form::Marked,
    })
}

/// Where a tag ends, and what it is called.
fn tag(text: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let start = at + 1 + usize::from(text.get(at + 1) == Some(&b'/'));
    let rest = text.get(start..)?;
    let len = rest.iter().take(16).take_while(|b| b.is_ascii_alphanumeric()).count();
    let end = rest.iter().take(TAG).position(|b| *b == b'>')?;
    Some((start + end + 1, rest.get(..len)?))
}

fn space_between(text: &[u8]) -> usize {
    text.iter().take(SPACES).take_while(|b| b.is_ascii_whitespace()).count()
}
