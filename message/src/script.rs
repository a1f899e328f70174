//! Strings and numbers in scripts, with the names they go by. A lexer, no parser: JavaScript and JSON alike.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use crate::json::push_wtf8;
use crate::percent::hex;

/// One value in a script. Spans are byte offsets in the script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    /// What it is assigned to (`key = "x"`, `a.key = "x"`), keyed by (`key: "x"`, `"key": "x"`), or passed first to
    /// (`key("x")`); as written. Empty when it is none of these.
    pub key: &'a [u8],
    /// As written, without quotes.
    pub raw: &'a [u8],
    /// Where.
    pub span: Range<usize>,
    /// A string rather than a number.
    pub string: bool,
}

#[derive(Clone, PartialEq)]
enum Last {
    /// A name or a string, which may turn out to be a key.
    Name(Range<usize>),
    /// `=`, `:` or `(` after a name.
    Bound(Range<usize>),
    /// A name in square brackets.
    Subscript(Range<usize>),
    /// `)`, `]`, `}` or a number: what follows it is an operator.
    Operand,
    /// Anything else.
    Other,
}

/// Hands out every string, and every number that has a key, in order.
pub fn scan<'a>(script: &'a [u8], visit: &mut dyn FnMut(Value<'a>) -> ControlFlow<()>) -> ControlFlow<()> {
    let mut at = 0;
    let mut last = Last::Other;
    while let Some(&b) = script.get(at) {
        let start = at;
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'/' if script.get(at + 1) == Some(&b'/') => {
                at += memchr::memchr(b'\n', &script[at..]).unwrap_or(script.len() - at);
            }
            b'/' if script.get(at + 1) == Some(&b'*') => {
                at = memchr::memmem::find(&script[at + 2..], b"*/").map_or(script.len(), |n| at + n + 4);
            }
            b'/' if matches!(last, Last::Other | Last::Bound(_)) => {
                at = regex_end(script, at);
                last = Last::Operand;
            }
            b'"' | b'\'' | b'`' => {
                let (end, closed) = string_end(script, at + 1, b);
                let span = at + 1..end;
                at = end + usize::from(closed);
                // "name": is a key, and so is ["name"] = ; what follows shows it.
                let mut rest = script[at..].iter().filter(|c| !c.is_ascii_whitespace());
                let key = match rest.next() {
                    Some(b':') => !matches!(last, Last::Bound(_)),
                    Some(b']') => rest.next() == Some(&b'=') && rest.next() != Some(&b'='),
                    _ => false,
                };
                if !key {
                    let name = match &last {
                        Last::Bound(name) => &script[name.clone()],
                        _ => b"",
                    };
                    visit(Value { key: name, raw: &script[span.clone()], span: span.clone(), string: true })?;
                }
                last = Last::Name(span);
            }
            b'0'..=b'9' => {
                at += word_len(&script[at..], |c| c == b'.');
                emit_number(script, start..at, &last, visit)?;
                last = Last::Operand;
            }
            b'-' if matches!(last, Last::Bound(_)) && script.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                at += 1 + word_len(&script[at + 1..], |c| c == b'.');
                emit_number(script, start..at, &last, visit)?;
                last = Last::Operand;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => {
                at += word_len(&script[at..], |_| false);
                let keyword =
                    matches!(&script[start..at], b"return" | b"typeof" | b"case" | b"in" | b"of" | b"else");
                last = if keyword { Last::Other } else { Last::Name(start..at) };
            }
            b'=' | b':' | b'(' => {
                let run = script[at..].iter().take_while(|c| matches!(c, b'=' | b'>')).count().max(1);
                at += run;
                last = match last {
                    Last::Name(name) | Last::Subscript(name) if run == 1 => Last::Bound(name),
                    _ => Last::Other,
                };
            }
            b']' => {
                at += 1;
                last = match last {
                    Last::Name(name) => Last::Subscript(name),
                    _ => Last::Operand,
                };
            }
            b')' | b'}' => {
                at += 1;
                last = Last::Operand;
            }
            _ => {
                at += 1;
                last = Last::Other;
            }
        }
    }
    ControlFlow::Continue(())
}

fn emit_number<'a>(
    script: &'a [u8],
    span: Range<usize>,
    last: &Last,
    visit: &mut dyn FnMut(Value<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let raw = &script[span.clone()];
    match last {
        Last::Bound(name) if crate::json::is_number(raw) => {
            visit(Value { key: &script[name.clone()], raw, span, string: false })
        }
        _ => ControlFlow::Continue(()),
    }
}

fn word_len(text: &[u8], more: impl Fn(u8) -> bool) -> usize {
    text.iter()
        .take_while(|&&c| c.is_ascii_alphanumeric() || c == b'_' || c == b'$' || c >= 0x80 || more(c))
        .count()
}

/// Where the string's closing quote is. A line break ends a string of `"` or `'` that was not closed, so that one
/// stray quote does not turn the rest of the script inside out.
fn string_end(script: &[u8], mut at: usize, quote: u8) -> (usize, bool) {
    while let Some(&b) = script.get(at) {
        match b {
            b'\\' => at += 2,
            b'\n' if quote != b'`' => return (at, false),
            _ if b == quote => return (at, true),
            _ => at += 1,
        }
    }
    (script.len(), false)
}

/// Past a regular expression literal, or past the slash alone when the line ends before it does.
fn regex_end(script: &[u8], start: usize) -> usize {
    // No one writes longer ones, and a stray slash must not cost a look at the whole line.
    let script = &script[..script.len().min(start + 1000)];
    let mut at = start + 1;
    let mut class = false;
    while let Some(&b) = script.get(at) {
        match b {
            b'\\' => at += 1,
            b'[' => class = true,
            b']' => class = false,
            b'/' if !class => return at + 1,
            b'\n' => return start + 1,
            _ => {}
        }
        at += 1;
    }
    start + 1
}

/// Undoes the escapes of a JavaScript or JSON string; surrogates as in [`json::unescape`](crate::json::unescape).
pub fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut at = first;
    while let Some(&b) = raw.get(at) {
        if b != b'\\' {
            out.push(b);
            at += 1;
            continue;
        }
        let digits = |from: usize, len: usize| {
            let text = raw.get(from..from + len)?;
            text.iter().try_fold(0u32, |n, &d| Some(n << 4 | u32::from(hex(d)?)))
        };
        let Some(&escape) = raw.get(at + 1) else {
            out.push(b'\\');
            break;
        };
        at += 2;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'0' => out.push(0),
            b'\n' => {}
            b'x' => match digits(at, 2) {
                Some(code) => {
                    push_wtf8(code, &mut out);
                    at += 2;
                }
                None => out.push(b'x'),
            },
            b'u' if raw.get(at) == Some(&b'{') => {
                let len = raw[at + 1..].iter().take(6).take_while(|d| d.is_ascii_hexdigit()).count();
                match digits(at + 1, len).filter(|&c| len > 0 && c < 0x11_0000) {
                    Some(code) if raw.get(at + 1 + len) == Some(&b'}') => {
                        push_wtf8(code, &mut out);
                        at += len + 2;
                    }
                    _ => out.push(b'u'),
                }
            }
            b'u' => match digits(at, 4) {
                Some(high @ 0xd800..0xdc00) if raw.get(at + 4..at + 6) == Some(b"\\u") => {
                    if let Some(low @ 0xdc00..0xe000) = digits(at + 6, 4) {
                        push_wtf8(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), &mut out);
                        at += 10;
                    } else {
                        push_wtf8(high, &mut out);
                        at += 4;
                    }
                }
                Some(code) => {
                    push_wtf8(code, &mut out);
                    at += 4;
                }
                None => out.push(b'u'),
            },
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Escapes for a string of any quote, in JavaScript and in JSON, that stands in a `<script>` element.
pub fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for b in crate::json::escape(value) {
        match b {
            b'\'' | b'`' | b'$' | b'<' | b'>' | b'&' => {
                out.extend_from_slice(format!("\\u{b:04x}").as_bytes());
            }
            _ => out.push(b),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(script: &str) -> Vec<(String, String)> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let mut found = Vec::new();
        let _ = scan(script.as_bytes(), &mut |v| {
            found.push((text(v.key), text(&unescape(v.raw))));
            ControlFlow::Continue(())
        });
        found
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn names() {
        assert_eq!(
            all(
                "var csrf = \"a\"; window.cfg={token:'b', \"user id\": 42, n:-1.5, \"x\" : `t`}; o['k'] = \"c\";\n\
                 setToken(\"d\", \"e\"); if (q == \"f\") {} // k = 'no'\n/* k='no' */ re = /[\"/]/; z = \"g\"; l = ['h', 1];"
            ),
            pairs(&[
                ("csrf", "a"),
                ("token", "b"),
                ("user id", "42"),
                ("n", "-1.5"),
                ("x", "t"),
                ("k", "c"),
                ("setToken", "d"),
                ("", "e"),
                ("", "f"),
                ("z", "g"),
                ("", "h"),
            ])
        );
    }

    #[test]
    fn odd_scripts() {
        assert_eq!(all("a = 'open\nb = 'x'"), pairs(&[("a", "open"), ("b", "x")]));
        assert_eq!(
            all("a = 'it\\'s \\x41\\u0042\\u{43}\\ud83d\\ude00\\q\\\n'"),
            pairs(&[("a", "it's ABC\u{1f600}q")])
        );
        for odd in ["'", "\\", "'\\", "/", "/*", "a = /x", "x = -", "`${", "'\\u", "'\\u{", "'\\x4"] {
            all(odd);
        }
    }

    #[test]
    fn escape_reads_back_both_ways() {
        let odd = "</script>'\"`${x}\\\n\u{7f}é".as_bytes();
        let written = escape(odd);
        assert_eq!(&*unescape(&written), odd);
        assert_eq!(&*crate::json::unescape(&written), odd);
    }
}
