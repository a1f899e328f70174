//! Text of the traffic as source code: the only way by which it gets into a script.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Whether a character may stand in source code as it is: what is printed, and nothing that could reorder the line.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.is_alphanumeric())
}

/// The quote that needs fewer escapes.
fn quote(text: &str) -> char {
    if text.contains('"') && !text.contains('\'') { '\'' } else { '"' }
}

fn quoted(text: &str, escape: fn(char, &mut String)) -> String {
    let quote = quote(text);
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_plain(c) => out.push(c),
            c => escape(c, &mut out),
        }
    }
    out.push(quote);
    out
}

/// A string of Python.
pub(super) fn python(text: &str) -> String {
    quoted(text, |c, out| {
        // writing to a string cannot fail
        let _ = match c as u32 {
            code @ ..=0xff => write!(out, "\\x{code:02x}"),
            code @ ..=0xffff => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        };
    })
}

/// A string of JavaScript.
pub(super) fn javascript(text: &str) -> String {
    quoted(text, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// A word of the shell (bash), in which nothing is expanded. NUL, which no argument can hold, is left out.
pub(super) fn shell(text: &str) -> String {
    if !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,@%+".contains(&b))
        && !text.starts_with('-')
    {
        return text.to_owned();
    }
    if text.chars().all(is_plain) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\0' => {}
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_plain(c) => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
    out.push('\'');
    out
}

/// Text that may stand in a comment: on one line, short, and without what would end a block comment or a docstring.
pub(super) fn comment(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(200)
        .map(|c| if is_plain(c) && !matches!(c, '"' | '\\' | '`') { c } else { '?' })
        .collect();
    while out.contains("*/") {
        out = out.replace("*/", "*?");
    }
    out
}

/// A pattern's text that stands for itself, in Python's and in JavaScript's regular expressions.
pub(super) fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.^$|?*+()[]{}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Names that were given already, so that each is given once.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeSet<String>,
}

/// How a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// `QuickBuyer`
    Camel,
    /// `quick_buyer`
    Snake,
}

impl Names {
    /// A name made of the letters and digits of `text`, with `after` behind it.
    pub(super) fn give(&mut self, text: &str, case: Case, after: &str) -> String {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut name = String::new();
        for word in words.take(8) {
            match case {
                Case::Camel => {
                    let (first, rest) = word.split_at(1);
                    name.push_str(&first.to_ascii_uppercase());
                    name.push_str(rest);
                }
                Case::Snake => {
                    if !name.is_empty() {
                        name.push('_');
                    }
                    name.push_str(&word.to_ascii_lowercase());
                }
            }
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let lead = if case == Case::Camel { "Profile" } else { "profile_" };
            name.insert_str(0, lead);
        }
        name.push_str(after);
        let mut unique = name.clone();
        let mut number = 2;
        while !self.given.insert(unique.clone()) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        unique
    }
}

/// Seconds, to the millisecond, as every language writes them.
pub(super) fn seconds(span: mynah_traffic::Nanos) -> String {
    let ms = span.0.saturating_add(500_000) / 1_000_000;
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(python("it's"), "\"it's\"");
        assert_eq!(python(r#"{"a": 1}"#), r#"'{"a": 1}'"#);
        assert_eq!(python("\"'\\\n\0\u{202e}\u{1f648}é"), r#""\"'\\\n\x00\u202e\U0001f648é""#);
        assert_eq!(javascript("\"'\\\n\0\u{2028}\u{1f648}"), r#""\"'\\\n\u0000\u2028\ud83d\ude48""#);
        assert_eq!(shell("a b'; rm -rf $HOME `x`"), r"'a b'\''; rm -rf $HOME `x`'");
        assert_eq!(shell("a\nb'\0\u{7f}"), r"$'a\nb\'\x7f'");
        assert_eq!((shell(""), shell("-X"), shell("a/b")), ("''".into(), "'-X'".into(), "a/b".into()));
        assert_eq!(comment("a\n\"\"\" */ b\u{202e}"), "a???? *? b?");
        assert_eq!(comment("**//x"), "**?/x");
        assert_eq!(pattern("/a.b?c={x}"), r"/a\.b\?c=\{x\}");
    }

    #[test]
    fn names() {
        let mut names = Names::default();
        assert_eq!(names.give("quick buyer (2)", Case::Camel, "User"), "QuickBuyer2User");
        assert_eq!(names.give("Quick-buyer 2", Case::Camel, "User"), "QuickBuyer2User_2");
        assert_eq!(names.give("1 + 2", Case::Snake, ""), "profile_1_2");
        assert_eq!(names.give("日本", Case::Camel, ""), "Profile");
    }

    #[test]
    fn spans() {
        let of = |ns| seconds(mynah_traffic::Nanos(ns));
        assert_eq!(
            (of(0), of(1_250_000_000), of(3_000_400_000)),
            ("0.0".into(), "1.25".into(), "3.0".into())
        );
    }
}
