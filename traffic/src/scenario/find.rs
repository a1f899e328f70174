//! Where a hand-written step finds something in a response: the places of `mynah-message`, a regular expression, or a CSS selector.

use std::fmt;
use std::str::FromStr;

use mynah_message::json::path::Step;
use mynah_message::{Locator, View};
use scraper::{Html, Selector};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::Error;

/// Values that are taken from one response at most.
const MOST: usize = 1000;
/// Bytes that a compiled expression may have: one that a person writes has some thousands.
const PATTERN_BYTES: usize = 1 << 20;

/// A regular expression over bytes, compiled; equal to another of the same text.
#[derive(Clone)]
pub struct Pattern(regex::bytes::Regex);

/// A CSS selector, compiled, and what is taken of what it selects.
#[derive(Clone, Debug, PartialEq)]
pub struct Css {
    text: String,
    selector: Selector,
    /// An attribute; `None`: the text.
    attribute: Option<String>,
}

/// A place in responses. Text form: a [`Locator`]'s (`json:$.token`, `header:Location`, `input:csrf`, …), `regex:order-(\d+)` (on
/// the body), `css:input[name=csrf]@value` (without `@` the text).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Finder {
    /// As correlations have them.
    At(Locator),
    /// What its one group captures; without a group, all that it matches.
    Regex(Pattern),
    /// What it selects.
    Css(Css),
}

// === impl Pattern ===

impl Pattern {
    /// The value in a match: its group, or all of it.
    fn value(&self, found: &regex::bytes::Captures<'_>) -> String {
        let value = found.get(self.groups().min(1)).map_or(&b""[..], |group| group.as_bytes());
        String::from_utf8_lossy(value).into_owned()
    }

    /// Groups that capture.
    pub fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }

    /// Whether it matches somewhere.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Every match replaced; `$1` and `${name}` in `with` are groups.
    pub fn replace_all<'t>(&self, bytes: &'t [u8], with: &[u8]) -> std::borrow::Cow<'t, [u8]> {
        self.0.replace_all(bytes, with)
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let built = regex::bytes::RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
        built.map(Pattern).map_err(|error| {
            // The crate draws the place on lines of its own; the last says what is wrong.
            let said = error.to_string();
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let last = last.trim().trim_start_matches("error: ").to_owned();
            Error::syntax("regular expression", text, last)
        })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.as_str())
    }
}

// === impl Css ===

impl FromStr for Css {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_name = |name: &&str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b))
        };
        let (selector, attribute) = match text.rsplit_once('@').filter(|(_, name)| is_name(name)) {
            Some((selector, name)) => (selector, Some(name.to_ascii_lowercase())),
            None => (text, None),
        };
        let parsed = Selector::parse(selector.trim())
            .map_err(|error| Error::syntax("CSS selector", text, error.to_string()))?;
        Ok(Css { text: text.to_owned(), selector: parsed, attribute })
    }
}

impl Css {
    fn find(&self, body: &str) -> Vec<String> {
        let page = Html::parse_document(body);
        let found = page.select(&self.selector);
        match &self.attribute {
            Some(name) => {
                found.filter_map(|one| one.value().attr(name)).take(MOST).map(str::to_owned).collect()
            }
            None => found.take(MOST).map(|one| one.text().collect::<String>().trim().to_owned()).collect(),
        }
    }
}

// === impl Finder ===

impl Finder {
    /// What it finds, in the response's order.
    pub fn find(&self, view: &View<'_>) -> Vec<String> {
        match self {
            Finder::At(at) => view.extract_all(at),
            Finder::Regex(pattern) => {
                pattern.0.captures_iter(view.body()).take(MOST).map(|found| pattern.value(&found)).collect()
            }
            Finder::Css(css) => css.find(&String::from_utf8_lossy(view.body())),
        }
    }

    /// Whether an object or a list stands there.
    pub(super) fn holds_more(&self, view: &View<'_>) -> bool {
        let Finder::At(Locator::Json { path }) = self else { return false };
        let Ok(root) = serde_json::from_slice::<Value>(view.body()) else { return false };
        let mut found = vec![&root];
        for step in path.steps() {
            found = found
                .into_iter()
                .flat_map(|value| -> Vec<&Value> {
                    match &step {
                        Step::Key(key) => value.get(key.as_ref()).into_iter().collect(),
                        Step::Index(index) => value.get(index).into_iter().collect(),
                        Step::AnyIndex => value.as_array().into_iter().flatten().take(MOST).collect(),
                    }
                })
                .collect();
        }
        found.iter().any(|value| value.is_object() || value.is_array())
    }

    /// Whether it looks into the body.
    pub fn reads_body(&self) -> bool {
        !matches!(
            self,
            Finder::At(Locator::Header { .. } | Locator::Cookie { .. } | Locator::Location { .. })
        )
    }
}

impl FromStr for Finder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Some(pattern) = text.strip_prefix("regex:") {
            let pattern: Pattern = pattern.parse()?;
            if pattern.groups() > 1 {
                return Err(Error::syntax(
                    "regular expression",
                    pattern.as_str(),
                    format!(
                        "has {} groups, and one value is wanted: write (?:…) for those that are not",
                        pattern.groups()
                    ),
                ));
            }
            return Ok(Finder::Regex(pattern));
        }
        if let Some(css) = text.strip_prefix("css:") {
            return Ok(Finder::Css(css.parse()?));
        }
        let parsed: Result<Locator, _> = text.parse();
        if let Ok(
            Locator::Query { .. }
            | Locator::PathSegment { .. }
            | Locator::Form { .. }
            | Locator::Multipart { .. },
        ) = parsed
        {
            return Err(Error::syntax(
                "place in a response",
                text,
                "this is a place in requests; an answer has none",
            ));
        }
        parsed.map(Finder::At).map_err(|error: mynah_message::Error| {
            let kind = text.split(':').next().unwrap_or_default();
            let hint = crate::nearest(
                kind,
                ["regex", "css", "json", "header", "cookie", "input", "meta", "location"],
            )
            .filter(|meant| *meant != kind)
            .map(|meant| format!("; did you mean '{meant}:'?"))
            .unwrap_or_default();
            Error::syntax("place in a response", text, format!("{error}{hint}"))
        })
    }
}

impl fmt::Display for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finder::At(at) => at.fmt(f),
            Finder::Regex(pattern) => write!(f, "regex:{}", pattern.as_str()),
            Finder::Css(css) => write!(f, "css:{}", css.text),
        }
    }
}

impl Serialize for Finder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Finder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mynah_message::{Limits, Message};
    use proptest::prelude::*;

    use super::*;

    pub(in crate::scenario) fn page(kind: &str, body: &str) -> Message {
        Message {
            head: format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nLocation: /orders/17\r\n\r\n").into(),
            body: body.to_owned().into(),
            trailers: bytes::Bytes::new(),
        }
    }

    fn found(finder: &str, kind: &str, body: &str) -> Vec<String> {
        let message = page(kind, body);
        let view = View::open(&message, &Limits::default()).unwrap();
        let finder: Finder = finder.parse().unwrap();
        assert_eq!(finder.to_string().parse::<Finder>().unwrap(), finder);
        finder.find(&view)
    }

    #[test]
    fn each_kind_finds_its_values() {
        let html = "<form><input name=csrf value='a&amp;b'></form><ul><li class=x> 1 </li><li>2</li></ul> order-17 order-18";
        assert_eq!(found("css:input[name=csrf]@value", "text/html", html), ["a&b"]);
        assert_eq!(found("css:ul > li.x", "text/html", html), ["1"]);
        assert_eq!(found("css:li", "text/html", html), ["1", "2"]);
        assert_eq!(found(r"regex:order-(\d+)", "text/html", html), ["17", "18"]);
        assert_eq!(found(r"regex:order-\d+", "text/html", html), ["order-17", "order-18"]);
        assert_eq!(found("header:Location", "text/html", html), ["/orders/17"]);
        assert_eq!(found("input:csrf", "text/html", html), ["a&b"]);
        assert_eq!(found("json:$.a[*].id", "application/json", r#"{"a":[{"id":1},{"id":"x"}]}"#), ["1", "x"]);
        assert!(found("css:b", "text/html", html).is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("regex:(", "unclosed group"),
            ("regex:(a)(b)", "has 2 groups"),
            ("css:li[", "CSS selector"),
            ("jsn:$.a", "did you mean 'json:'?"),
            ("token", "place in a response 'token'"),
            ("query:page", "a place in requests"),
        ] {
            let said = text.parse::<Finder>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(regex:|css:|json:|)[ -~é]{0,40}", body in ".{0,60}") {
            if let Ok(finder) = text.parse::<Finder>() {
                let message = page("text/html", &body);
                finder.find(&View::open(&message, &Limits::default()).unwrap());
            }
        }
    }
}
