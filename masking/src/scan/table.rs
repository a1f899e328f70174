//! Tables in text ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), also with `;` or tabs): values go by the names of their columns.

use std::ops::Range;

use super::layer::{first_twice, lift_twice, once};
use super::{Context, Patch, Scanner, merge, shift};
use crate::names::Rule;

/// A line of names is no longer.
const LONGEST: usize = 4096;

impl Scanner<'_> {
    /// The patches of a table of which a column's name says something; `None` when the text is none.
    pub(super) fn table(&mut self, text: &[u8], context: Context) -> Option<Vec<Patch>> {
        let start = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let first = &text[start..];
        let first = &first[..memchr::memchr(b'\n', first.get(..LONGEST.min(first.len()))?)?];
        let separator =
            [b',', b';', b'\t'].into_iter().max_by_key(|s| memchr::memchr_iter(*s, first).count())?;
        let mut rules: Vec<Option<Rule>> = Vec::new();
        for (_, span) in fields(first, separator) {
            let name = first.get(span)?.trim_ascii();
            let plain =
                |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' ') || *b >= 0x80;
            if name.is_empty() || name.len() > 40 || !name.iter().all(plain) || name[0].is_ascii_digit() {
                return None;
            }
            rules.push(self.memo.name(&self.policy.names, name).rule);
        }
        let telling = rules.iter().any(|rule| matches!(rule, Some(Rule::Mask(_) | Rule::Own(_))));
        let behind = start + first.len() + 1;
        let rows = text.get(behind..)?;
        let next = &rows[..memchr::memchr(b'\n', rows).unwrap_or(rows.len())];
        if rules.len() < 2 || !telling || fields(next, separator).count() != rules.len() {
            return None;
        }
        let mut patches = Vec::new();
        for (column, span) in fields(rows, separator) {
            let Some(Some(rule)) = rules.get(column) else { continue };
            let Some(value) = rows.get(span.clone()).filter(|value| !value.is_empty()) else { continue };
            let context = context.inner(Some(*rule));
            let found = match first_twice(value, b'"') {
                Some(_) => {
                    let meant = once(value, b'"');
                    lift_twice(value, &meant, b'"', &self.value(&meant, context))
                }
                None => self.value(value, context),
            };
            merge(&mut patches, shift(found, behind + span.start));
        }
        Some(patches)
    }
}

/// What stands between the fields of a text that is evidently a table: its first lines have as many of them, and more than one.
pub(super) fn separator(text: &[u8]) -> Option<u8> {
    let some = text.get(..LONGEST).unwrap_or(text);
    // The last line may be cut.
    let some = some.get(..=memchr::memrchr(b'\n', some)?)?;
    let of = |separator: u8| {
        let mut lines = Vec::new();
        for (column, _) in fields(some, separator).take(64) {
            match lines.last_mut() {
                Some(last) if column > 0 => *last = column,
                _ => lines.push(column),
            }
        }
        let first = *lines.first()?;
        // The last one of many need not be there to its end.
        let whole = lines.get(..lines.len() - 1).filter(|rest| rest.len() > 2).unwrap_or(&lines);
        (first > 0 && lines.len() > 1 && whole.iter().all(|columns| *columns == first)).then_some(separator)
    };
    [b',', b';', b'\t'].into_iter().find_map(of)
}

/// The fields of all lines: each one's number in its line, and where it is without its quotes.
fn fields(text: &[u8], separator: u8) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut at = 0;
    let mut column = 0;
    std::iter::from_fn(move || {
        if at > text.len() || at == text.len() && column == 0 {
            return None;
        }
        let here = column;
        let quoted = text.get(at) == Some(&b'"');
        let span = if quoted {
            let mut end = at + 1;
            while let Some(quote) = text.get(end..).and_then(|rest| memchr::memchr(b'"', rest)) {
                end += quote;
                // Two of them are one in the value.
                if text.get(end + 1) != Some(&b'"') {
                    break;
                }
                end += 2;
            }
            let end = end.min(text.len());
            let span = at + 1..end.max(at + 1).min(text.len());
            at = end;
            span
        } else {
            at..at
        };
        let rest = text.get(at..).unwrap_or_default();
        let len = memchr::memchr2(separator, b'\n', rest).unwrap_or(rest.len());
        let end = at + len;
        let span = if quoted { span } else { at..end - usize::from(rest[..len].ends_with(b"\r")) };
        if text.get(end) == Some(&separator) {
            column += 1;
        } else {
            column = 0;
        }
        at = end + 1;
        Some((here, span))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_by_their_lines() {
        for (text, wanted) in [
            ("id,url,n\n1,https://a.example/?token=abc,2\n", Some(b',')),
            ("https://a.example/?token=abc;2\r\nhttps://b.example;3\r\n", Some(b';')),
            ("a\tb\nc\td\n", Some(b'\t')),
            ("one line, and no more\n", None),
            ("some, words\nand none here\n", None),
            ("a,b", None),
        ] {
            assert_eq!(separator(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn fields_are_told_apart() {
        let text = b"a,\"b,\"\"c\"\"\nd\",\r\n,x\n\"\",y";
        let found: Vec<_> = fields(text, b',')
            .map(|(n, span)| (n, String::from_utf8_lossy(&text[span]).into_owned()))
            .collect();
        let wanted = [(0, "a"), (1, "b,\"\"c\"\"\nd"), (2, ""), (0, ""), (1, "x"), (0, ""), (1, "y")];
        assert_eq!(found, wanted.map(|(n, text)| (n, text.to_owned())));
        assert_eq!(fields(b"", b',').count(), 0);
        assert_eq!(fields(b"\"open", b',').count(), 1);
    }
}
