//! The way from a JSON document's root to a value, kept as its canonical text: a scanner makes one for every
//! leaf, and one string is cheaper than a list of them.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use crate::Error;

/// `$.items[3].id`, `$.items[*].id`, `$['a b']`.
///
/// `$` is the first document in a body, `$1` the second one (newline-delimited JSON), `$*` any. A key
/// of letters, digits, `_` and `-` that does not begin with a digit or `-` is written `.key`, any other `['key']` with
/// `\'` and `\\`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JsonPath(String);

/// One step of a [`JsonPath`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step<'a> {
    /// Into an object.
    Key(Cow<'a, str>),
    /// Into an array, zero-based.
    Index(usize),
    /// Into each element of an array.
    AnyIndex,
}

impl Default for JsonPath {
    fn default() -> Self {
        Self::root()
    }
}

impl JsonPath {
    /// `$`
    pub fn root() -> JsonPath {
        JsonPath("$".to_owned())
    }

    pub(crate) fn from_canonical(text: &str) -> JsonPath {
        JsonPath(text.to_owned())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One level down, into an object.
    pub fn push_key(&mut self, key: &str) {
        push_key(&mut self.0, key);
    }

    /// One level down, into an array.
    pub fn push_index(&mut self, index: usize) {
        push_index(&mut self.0, index);
    }

    /// One level down, into each element of an array.
    pub fn push_any(&mut self) {
        self.0.push_str("[*]");
    }

    /// Whether it can stand for several values.
    pub fn has_wildcard(&self) -> bool {
        self.0.starts_with("$*") || self.steps().any(|s| s == Step::AnyIndex)
    }

    /// The steps from the root.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut rest = &self.0[root_len(&self.0)..];
        std::iter::from_fn(move || {
            let (step, tail) = read_step(rest)?;
            rest = tail;
            Some(step)
        })
    }

    /// Whether this path, which may have wildcards, takes in that one.
    pub fn covers(&self, other: &JsonPath) -> bool {
        covers(&self.0, &other.0)
    }

    /// Each array index, and the number of the document when it is not the first, replaced by `*`; and what they were.
    pub fn generalise(&self) -> (JsonPath, Vec<usize>) {
        let mut indices = Vec::new();
        let mut text = String::with_capacity(self.0.len());
        let root = root_len(&self.0);
        text.push('$');
        match self.0[1..root].parse() {
            Ok(document) => {
                indices.push(document);
                text.push('*');
            }
            Err(_) => text.push_str(&self.0[1..root]),
        }
        for step in self.steps() {
            match step {
                Step::Key(key) => push_key(&mut text, &key),
                Step::Index(i) => {
                    indices.push(i);
                    text.push_str("[*]");
                }
                Step::AnyIndex => text.push_str("[*]"),
            }
        }
        (JsonPath(text), indices)
    }

    /// The opposite of [`generalise`](Self::generalise). Wildcards for which there is no index stay.
    #[must_use]
    pub fn specialise(&self, indices: &[usize]) -> JsonPath {
        let mut indices = indices.iter();
        let mut text = String::with_capacity(self.0.len());
        let root = root_len(&self.0);
        text.push('$');
        match (&self.0[1..root], root) {
            ("*", _) => match indices.next() {
                Some(0) => {}
                Some(i) => push_number(&mut text, *i),
                None => text.push('*'),
            },
            (number, _) => text.push_str(number),
        }
        for step in self.steps() {
            match step {
                Step::Key(key) => push_key(&mut text, &key),
                Step::Index(i) => push_index(&mut text, i),
                Step::AnyIndex => match indices.next() {
                    Some(i) => push_index(&mut text, *i),
                    None => text.push_str("[*]"),
                },
            }
        }
        JsonPath(text)
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JsonPath {
    type Err = Error;

    /// Reads the text form; `["key"]` is also understood. The result is canonical.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Locator {
            text: text.to_owned(),
            expected: "a JSON path, such as $.items[0].id, $.items[*].id or $['a b']",
        };
        if !text.starts_with('$') {
            return Err(wrong());
        }
        let root = root_len(text);
        let mut out = String::with_capacity(text.len());
        out.push('$');
        match &text[1..root] {
            "" => {}
            "*" => out.push('*'),
            number => match number.parse::<usize>().map_err(|_| wrong())? {
                0 => {}
                n => push_number(&mut out, n),
            },
        }
        let mut rest = &text[root..];
        while !rest.is_empty() {
            let (step, tail) = read_step(rest).ok_or_else(wrong)?;
            match step {
                Step::Key(key) => push_key(&mut out, &key),
                Step::Index(i) => push_index(&mut out, i),
                Step::AnyIndex => out.push_str("[*]"),
            }
            rest = tail;
        }
        Ok(JsonPath(out))
    }
}

/// Length of `$`, `$12` or `$*`.
fn root_len(text: &str) -> usize {
    let tail = &text.as_bytes()[1..];
    if tail.first() == Some(&b'*') {
        return 2;
    }
    1 + tail.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn read_step(rest: &str) -> Option<(Step<'_>, &str)> {
    if let Some(tail) = rest.strip_prefix('.') {
        let len = tail.find(['.', '[']).unwrap_or(tail.len());
        return (len > 0).then(|| (Step::Key(Cow::Borrowed(&tail[..len])), &tail[len..]));
    }
    let tail = rest.strip_prefix('[')?;
    if let Some(after) = tail.strip_prefix("*]") {
        return Some((Step::AnyIndex, after));
    }
    let Some(quote) = tail.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let len = tail.find(']')?;
        let digits = &tail[..len];
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        return Some((Step::Index(digits.parse().ok().filter(|_| plain)?), &tail[len + 1..]));
    };
    let tail = &tail[1..];
    let mut key = String::new();
    let mut chars = tail.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            c if c == quote => {
                return Some((Step::Key(Cow::Owned(key)), tail[at + 1..].strip_prefix(']')?));
            }
            c => key.push(c),
        }
    }
    None
}

pub(crate) fn push_key(path: &mut String, key: &str) {
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if plain {
        path.push('.');
        path.push_str(key);
        return;
    }
    path.push_str("['");
    for c in key.chars() {
        if matches!(c, '\'' | '\\') {
            path.push('\\');
        }
        path.push(c);
    }
    path.push_str("']");
}

pub(crate) fn push_index(path: &mut String, index: usize) {
    path.push('[');
    push_number(path, index);
    path.push(']');
}

pub(crate) fn push_number(path: &mut String, number: usize) {
    if number < 10 {
        path.push(char::from(b'0' + number as u8));
    } else {
        // Writing to a string cannot fail.
        let _ = write!(path, "{number}");
    }
}

/// Whether the canonical `pattern` takes in the canonical `found`.
pub(crate) fn covers(pattern: &str, found: &str) -> bool {
    let (pattern, found) = (pattern.as_bytes(), found.as_bytes());
    let (mut p, mut f) = (0, 0);
    let mut quoted = false;
    let digits = |from: usize| found[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    while p < pattern.len() {
        let star = pattern[p] == b'*' && !quoted && (p == 1 || pattern[p - 1] == b'[');
        if star {
            // The root's number is absent for the first document; an index always has digits.
            if f > found.len() {
                return false;
            }
            let any = found.get(f) == Some(&b'*');
            let len = if any { 1 } else { digits(f) };
            if p > 1 && len == 0 {
                return false;
            }
            p += 1;
            f += len;
            continue;
        }
        if found.get(f) != Some(&pattern[p]) {
            return false;
        }
        match pattern[p] {
            b'\\' if quoted => {
                p += 1;
                f += 1;
                if found.get(f) != pattern.get(p) {
                    return false;
                }
            }
            b'\'' => quoted = !quoted,
            _ => {}
        }
        p += 1;
        f += 1;
    }
    f == found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text() {
        for (given, canonical) in [
            ("$", "$"),
            ("$0.a", "$.a"),
            ("$12.a", "$12.a"),
            ("$*", "$*"),
            ("$['a']", "$.a"),
            ("$[\"a b\"][07]", "$['a b'][7]"),
            ("$.a b", "$['a b']"),
            (r"$['it\'s']['\\']", r"$['it\'s']['\\']"),
            ("$['']", "$['']"),
        ] {
            assert_eq!(given.parse::<JsonPath>().unwrap().as_str(), canonical);
        }
        for bad in ["", "a", "$a", "$.", "$..a", "$[", "$[x]", "$['a'", "$['a']b", "$[-1]", "$[+1]"] {
            assert!(bad.parse::<JsonPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn cover() {
        let covers = |p: &str, f: &str| p.parse::<JsonPath>().unwrap().covers(&f.parse().unwrap());
        assert!(covers("$.a[*].b", "$.a[10].b"));
        assert!(!covers("$.a[*].b", "$.a.b"));
        assert!(!covers("$.a[*]", "$.a['3']"));
        assert!(covers("$['[*]']", "$['[*]']"));
        assert!(!covers("$['[*]']", "$['[3]']"));
        assert!(covers("$*.a", "$.a") && covers("$*.a", "$7.a") && !covers("$.a", "$7.a"));
        assert!(covers("$[*]", "$[*]"));
        assert!(!covers("$[*][*]", "$[1]"));
    }
}
