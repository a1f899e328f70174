//! Where a value stands in a message, and the text form of that for files and people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
pub use crate::json::path::{JsonPath, Step};

/// Which of several values under one name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Nth {
    /// Zero-based, in document order.
    Index(usize),
    /// Every one: `#*`.
    All,
}

impl Default for Nth {
    fn default() -> Self {
        Nth::Index(0)
    }
}

impl Nth {
    /// Whether this takes in the occurrence with the given index.
    pub fn takes(self, index: usize) -> bool {
        match self {
            Nth::Index(i) => i == index,
            Nth::All => true,
        }
    }

    fn covers(self, other: Nth) -> bool {
        self == Nth::All || self == other
    }
}

/// Where a value stands in a message.
///
/// The text form ([`Display`](fmt::Display), [`FromStr`], and serde as that string) is `kind:name`, then `#n` for the
/// occurrence when it is not the first (or when the name itself has a `#`), or `#*` for all of them.
/// Header names and HTML names compare without regard to case; all else is exact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Locator {
    /// `header:X-Csrf`, `header:X#1`: a field's whole value.
    Header {
        /// Field name, as seen; compared without regard to case.
        name: String,
        /// Which of the fields of that name.
        nth: Nth,
    },
    /// `cookie:sid`: a pair of `Cookie` in a request, the value of `Set-Cookie` in a response.
    Cookie {
        /// The cookie's name.
        name: String,
    },
    /// `query:page`: a query value. An item without `=` is found under the empty name.
    Query {
        /// Decoded name.
        name: String,
        /// Which of the pairs of that name.
        nth: Nth,
    },
    /// `path:2`: a segment of the request target's path.
    PathSegment {
        /// Zero-based.
        index: usize,
    },
    /// `json:$.items[3].id`: a string, number or literal in a JSON body.
    Json {
        /// The way from the root.
        path: JsonPath,
    },
    /// `form:csrf`: a value in an `application/x-www-form-urlencoded` body.
    Form {
        /// Decoded name.
        name: String,
        /// Which of the pairs of that name.
        nth: Nth,
    },
    /// `multipart:file`: the content of a part.
    Multipart {
        /// The part's name; empty when it has none.
        name: String,
        /// Which of the parts of that name.
        nth: Nth,
    },
    /// `input:csrf`: the value of an HTML form control.
    Input {
        /// The control's name.
        name: String,
        /// Which of the controls of that name.
        nth: Nth,
    },
    /// `meta:csrf-token`: the content of `<meta name|property=…>`.
    Meta {
        /// The `name` or `property`.
        name: String,
    },
    /// `attr:body@data-csrf#0`: another attribute that may carry a value.
    Attr {
        /// Element name, lower-case.
        tag: String,
        /// Attribute name, lower-case.
        attr: String,
        /// Which of the elements with that attribute.
        nth: Nth,
    },
    /// `link:/items/{}#3`: what stands at `{}` in a link of an HTML body (`href`, `src`, `action`, `formaction`).
    ///
    /// The pattern is a path with one segment replaced by `{}` (any query fits), or a path with one query
    /// value replaced: `/search?cursor={}` (other pairs do not matter). Scheme and host are left off: the
    /// target of a replay has another host. A segment `*` fits any segment. All else is as written in the URL.
    Link {
        /// See above.
        pattern: String,
        /// Which of the links that fit.
        nth: Nth,
    },
    /// `location:/orders/{}`: the same in the `Location` or `Content-Location` header.
    Location {
        /// As for `Link`.
        pattern: String,
    },
    /// `script:csrfToken`: a string or number assigned to, keyed by, or passed first to that name in an inline
    /// script or a JavaScript body. The empty name holds the strings that have no name.
    Script {
        /// Variable, property or function name.
        key: String,
        /// Which of the values under that name.
        nth: Nth,
    },
    /// `text:td#3`: a run of text in an HTML body, by the tag before it (`/b` for an end tag).
    Text {
        /// Element name, lower-case; with `/` before it for an end tag; empty before the first tag.
        tag: String,
        /// Which of the runs after such a tag.
        nth: Nth,
    },
    /// `xml:/order/item/@id#2`: text or an attribute in an XML body.
    Xml {
        /// Element names from the root, as written; `@name` last for an attribute.
        path: String,
        /// Which of the values under that path.
        nth: Nth,
    },
    /// `body`: the whole body of a text message.
    Body,
}

impl Locator {
    /// Each array index or occurrence replaced by the wildcard, and what they were.
    pub fn generalise(&self) -> (Locator, Vec<usize>) {
        let mut general = self.clone();
        let mut indices = Vec::new();
        if let Locator::Json { path } = &mut general {
            let (wild, found) = path.generalise();
            *path = wild;
            indices = found;
        } else if let Some(nth) = general.nth_mut()
            && let Nth::Index(i) = *nth
        {
            indices.push(i);
            *nth = Nth::All;
        }
        (general, indices)
    }

    /// The opposite of [`generalise`](Self::generalise): wildcards filled from `indices`, in order. Wildcards for which there
    /// is no index stay.
    #[must_use]
    pub fn specialise(&self, indices: &[usize]) -> Locator {
        let mut special = self.clone();
        if let Locator::Json { path } = &mut special {
            *path = path.specialise(indices);
        } else if let Some(nth) = special.nth_mut()
            && *nth == Nth::All
            && let Some(&i) = indices.first()
        {
            *nth = Nth::Index(i);
        }
        special
    }

    /// Whether it can stand for several values.
    pub fn has_wildcard(&self) -> bool {
        match self {
            Locator::Json { path } => path.has_wildcard(),
            Locator::Link { pattern, .. } | Locator::Location { pattern } if has_star(pattern) => true,
            _ => self.nth() == Some(Nth::All),
        }
    }

    /// Whether this locator, which may have wildcards, takes in that one. A pattern with `*` segments takes in
    /// patterns; their occurrence then counts for that pattern alone.
    pub fn covers(&self, other: &Locator) -> bool {
        use Locator as L;
        match (self, other) {
            (L::Json { path }, L::Json { path: found }) => path.covers(found),
            (L::Link { pattern: p, nth: n }, L::Link { pattern: q, nth: m }) => fits(p, q) && n.covers(*m),
            (L::Location { pattern: p }, L::Location { pattern: q }) => fits(p, q),
            _ => {
                self.names() == other.names()
                    && self.nth().unwrap_or_default().covers(other.nth().unwrap_or_default())
            }
        }
    }

    /// The occurrence, for the kinds that have one.
    pub fn nth(&self) -> Option<Nth> {
        use Locator as L;
        match self {
            L::Header { nth, .. }
            | L::Query { nth, .. }
            | L::Form { nth, .. }
            | L::Multipart { nth, .. }
            | L::Input { nth, .. }
            | L::Attr { nth, .. }
            | L::Link { nth, .. }
            | L::Script { nth, .. }
            | L::Text { nth, .. }
            | L::Xml { nth, .. } => Some(*nth),
            L::Cookie { .. }
            | L::PathSegment { .. }
            | L::Json { .. }
            | L::Meta { .. }
            | L::Location { .. }
            | L::Body => None,
        }
    }

    fn nth_mut(&mut self) -> Option<&mut Nth> {
        use Locator as L;
        match self {
            L::Header { nth, .. }
            | L::Query { nth, .. }
            | L::Form { nth, .. }
            | L::Multipart { nth, .. }
            | L::Input { nth, .. }
            | L::Attr { nth, .. }
            | L::Link { nth, .. }
            | L::Script { nth, .. }
            | L::Text { nth, .. }
            | L::Xml { nth, .. } => Some(nth),
            L::Cookie { .. }
            | L::PathSegment { .. }
            | L::Json { .. }
            | L::Meta { .. }
            | L::Location { .. }
            | L::Body => None,
        }
    }

    /// Kind and names, without the occurrence; case folded where it does not matter.
    fn names(&self) -> (u8, Name<'_>, Name<'_>, usize) {
        use Locator as L;
        let none = Name::Exact("");
        match self {
            L::Header { name, .. } => (0, Name::Folded(name), none, 0),
            L::Cookie { name } => (1, Name::Exact(name), none, 0),
            L::Query { name, .. } => (2, Name::Exact(name), none, 0),
            L::PathSegment { index } => (3, none, none, *index),
            L::Json { path } => (4, Name::Exact(path.as_str()), none, 0),
            L::Form { name, .. } => (5, Name::Exact(name), none, 0),
            L::Multipart { name, .. } => (6, Name::Exact(name), none, 0),
            L::Input { name, .. } => (7, Name::Exact(name), none, 0),
            L::Meta { name } => (8, Name::Folded(name), none, 0),
            L::Attr { tag, attr, .. } => (9, Name::Folded(tag), Name::Folded(attr), 0),
            L::Link { pattern, .. } => (10, Name::Exact(pattern), none, 0),
            L::Location { pattern } => (11, Name::Exact(pattern), none, 0),
            L::Script { key, .. } => (12, Name::Exact(key), none, 0),
            L::Text { tag, .. } => (13, Name::Folded(tag), none, 0),
            L::Xml { path, .. } => (14, Name::Exact(path), none, 0),
            L::Body => (15, none, none, 0),
        }
    }
}

/// A name with its own idea of equality, so that `Eq`, `Ord` and `Hash` of locators agree.
#[derive(Clone, Copy)]
enum Name<'a> {
    Exact(&'a str),
    Folded(&'a str),
}

impl Name<'_> {
    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let (text, fold) = match self {
            Name::Exact(t) => (t, false),
            Name::Folded(t) => (t, true),
        };
        text.bytes().map(move |b| if fold { b.to_ascii_lowercase() } else { b })
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Name::Exact(a), Name::Exact(b)) => a == b,
            (Name::Folded(a), Name::Folded(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

impl PartialEq for Locator {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names() && self.nth() == other.nth()
    }
}

impl Eq for Locator {}

impl std::hash::Hash for Locator {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let (kind, a, b, index) = self.names();
        kind.hash(state);
        index.hash(state);
        for name in [a, b] {
            match name {
                Name::Exact(t) => t.hash(state),
                Name::Folded(_) => {
                    for byte in name.bytes() {
                        state.write_u8(byte);
                    }
                    state.write_u8(0xff);
                }
            }
        }
        self.nth().hash(state);
    }
}

impl PartialOrd for Locator {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Locator {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (kind, a, b, index) = self.names();
        let (kind2, a2, b2, index2) = other.names();
        kind.cmp(&kind2)
            .then_with(|| a.bytes().cmp(a2.bytes()))
            .then_with(|| b.bytes().cmp(b2.bytes()))
            .then_with(|| index.cmp(&index2))
            .then_with(|| self.nth().cmp(&other.nth()))
    }
}

pub(crate) fn has_star(pattern: &str) -> bool {
    pattern.split('?').next().unwrap_or("").split('/').any(|s| s == "*")
}

/// Whether `pattern`, which may have `*` segments, takes in the concrete `found`.
pub(crate) fn fits(pattern: &str, found: &str) -> bool {
    if !has_star(pattern) {
        return pattern == found;
    }
    let (path, query) = cut(pattern);
    let (found_path, found_query) = cut(found);
    if query != found_query {
        return false;
    }
    let (mut a, mut b) = (path.split('/'), found_path.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some("*"), Some(s)) if s != "{}" && !s.is_empty() => {}
            (Some(p), Some(s)) if p == s => {}
            _ => return false,
        }
    }
}

fn cut(url: &str) -> (&str, Option<&str>) {
    url.split_once('?').map_or((url, None), |(p, q)| (p, Some(q)))
}

fn write_nth(f: &mut fmt::Formatter<'_>, name: &str, nth: Nth) -> fmt::Result {
    match nth {
        Nth::All => f.write_str("#*"),
        // A name with a # in it needs the occurrence, or its own tail would be read as one.
        Nth::Index(0) if !name.contains('#') => Ok(()),
        Nth::Index(i) => write!(f, "#{i}"),
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, nth) = match self {
            Locator::Header { name, nth } => ("header", name, *nth),
            Locator::Query { name, nth } => ("query", name, *nth),
            Locator::Form { name, nth } => ("form", name, *nth),
            Locator::Multipart { name, nth } => ("multipart", name, *nth),
            Locator::Input { name, nth } => ("input", name, *nth),
            Locator::Link { pattern, nth } => ("link", pattern, *nth),
            Locator::Script { key, nth } => ("script", key, *nth),
            Locator::Text { tag, nth } => ("text", tag, *nth),
            Locator::Xml { path, nth } => ("xml", path, *nth),
            Locator::Attr { tag, attr, nth } => {
                write!(f, "attr:{tag}@{attr}")?;
                return write_nth(f, attr, *nth);
            }
            Locator::Cookie { name } => return write!(f, "cookie:{name}"),
            Locator::PathSegment { index } => return write!(f, "path:{index}"),
            Locator::Json { path } => return write!(f, "json:{path}"),
            Locator::Meta { name } => return write!(f, "meta:{name}"),
            Locator::Location { pattern } => return write!(f, "location:{pattern}"),
            Locator::Body => return f.write_str("body"),
        };
        write!(f, "{kind}:{name}")?;
        write_nth(f, name, nth)
    }
}

fn split_nth(rest: &str) -> (String, Nth) {
    if let Some((name, suffix)) = rest.rsplit_once('#') {
        if suffix == "*" {
            return (name.to_owned(), Nth::All);
        }
        if suffix.bytes().all(|b| b.is_ascii_digit())
            && let Ok(index) = suffix.parse()
        {
            return (name.to_owned(), Nth::Index(index));
        }
    }
    (rest.to_owned(), Nth::default())
}

impl FromStr for Locator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |expected| Error::Locator { text: text.to_owned(), expected };
        if text == "body" {
            return Ok(Locator::Body);
        }
        let (kind, rest) = text.split_once(':').ok_or_else(|| {
            wrong("kind:name, such as header:X-Csrf, cookie:sid, json:$.items[0].id, or the word body")
        })?;
        let (name, nth) = split_nth(rest);
        Ok(match kind {
            "header" => Locator::Header { name, nth },
            "cookie" => Locator::Cookie { name: rest.to_owned() },
            "query" => Locator::Query { name, nth },
            "path" => Locator::PathSegment {
                index: rest.parse().map_err(|_| wrong("a segment number from 0, such as path:2"))?,
            },
            "json" => Locator::Json {
                path: rest
                    .parse()
                    .map_err(|_| wrong("a JSON path, such as json:$.items[0].id or json:$['a b']"))?,
            },
            "form" => Locator::Form { name, nth },
            "multipart" => Locator::Multipart { name, nth },
            "input" => Locator::Input { name, nth },
            "meta" => Locator::Meta { name: rest.to_owned() },
            "attr" => {
                let (tag, attr) =
                    name.split_once('@').ok_or_else(|| wrong("tag@attribute, such as attr:body@data-id"))?;
                Locator::Attr { tag: tag.to_owned(), attr: attr.to_owned(), nth }
            }
            "link" if name.contains("{}") => Locator::Link { pattern: name, nth },
            "location" if rest.contains("{}") => Locator::Location { pattern: rest.to_owned() },
            "link" | "location" => return Err(wrong("a pattern with {} in it, such as link:/items/{}")),
            "script" => Locator::Script { key: name, nth },
            "text" => Locator::Text { tag: name, nth },
            "xml" => Locator::Xml { path: name, nth },
            _ => {
                return Err(wrong(
                    "one of header, cookie, query, path, json, form, multipart, input, meta, attr, link, location, \
                     script, text, xml, body",
                ));
            }
        })
    }
}

impl Serialize for Locator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Locator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
