//! What everything is counted by: method + host + path template, `GET /listings/{id}`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// Number of an endpoint within one scenario, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub u32);

/// One piece of a path template.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// This very text.
    Literal(String),
    /// Any one segment; the name says what kind was seen: `id`, `uuid`, `slug`, …
    Any(String),
    /// Whatever is left of the path, one segment or more. Only at the end.
    Rest(String),
}

/// A path with places left open: `/users/{id}/orders`, `/static/{*path}`. Where one path stands for many operations, the one
/// that is meant, as `?name=value`: `/index.php?action=show`, `/graphql?operationName=AddToCart`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Template {
    segments: Vec<Segment>,
    operation: Option<(String, String)>,
    label: Option<String>,
}

impl Template {
    /// From segments.
    pub fn new(segments: Vec<Segment>) -> Self {
        Template { segments, operation: None, label: None }
    }

    /// A name that a person gave: no path fits it, what is counted by it says so itself.
    pub fn named(name: &str) -> Self {
        Template { segments: Vec::new(), operation: None, label: Some(name.to_owned()) }
    }

    /// The template that only this path fits. Braces in the path are taken as they are.
    pub fn literal(path: &str) -> Self {
        Template::new(split(path).map(|segment| Segment::Literal(segment.to_owned())).collect())
    }

    /// The same for one operation only.
    #[must_use]
    pub fn with_operation(mut self, name: &str, value: &str) -> Self {
        self.operation = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// What tells its operation, if it is of one: the name of a query value, or of a GraphQL request's member, and the value.
    pub fn operation(&self) -> Option<(&str, &str)> {
        self.operation.as_ref().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Its segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether `path` (without its query) fits; of the operation nothing is asked.
    ///
    /// ```
    /// let template: mynah_traffic::Template = "/users/{id}/orders".parse().unwrap();
    /// assert!(template.matches("/users/17/orders"));
    /// assert!(!template.matches("/users/17"));
    /// ```
    pub fn matches(&self, path: &str) -> bool {
        if self.label.is_some() {
            return false;
        }
        let mut rest = split(path).peekable();
        for segment in &self.segments {
            match segment {
                Segment::Rest(_) => return rest.peek().is_some(),
                Segment::Literal(text) => {
                    if rest.next() != Some(text) {
                        return false;
                    }
                }
                Segment::Any(_) => match rest.next() {
                    Some(found) if !found.is_empty() => {}
                    _ => return false,
                },
            }
        }
        rest.next().is_none()
    }

    /// How many segments are fixed: of two templates that fit a path, the one with more is meant.
    pub fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if !text.starts_with('/') {
            return Err(Error::syntax("path template", text, "expected it to begin with '/'"));
        }
        let (path, operation) = match text.split_once('?') {
            Some((path, query)) => {
                let pair = query.split_once('=').filter(|(name, value)| {
                    !name.is_empty() && !value.is_empty() && !query.contains(['&', '?', '{', '}'])
                });
                let Some((name, value)) = pair else {
                    return Err(Error::syntax(
                        "path template",
                        text,
                        "after the path may stand one ?name=value that tells the operation, such as ?action=show",
                    ));
                };
                (path, Some((name.to_owned(), value.to_owned())))
            }
            None => (text, None),
        };
        let mut segments: Vec<Segment> = Vec::new();
        for piece in split(path) {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err(Error::syntax("path template", text, "nothing may follow {*…}"));
            }
            segments.push(match piece.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
                Some("" | "*") => {
                    return Err(Error::syntax("path template", text, "a place needs a name, such as {id}"));
                }
                Some(name) => match name.strip_prefix('*') {
                    Some(rest) => Segment::Rest(rest.to_owned()),
                    None => Segment::Any(name.to_owned()),
                },
                None => Segment::Literal(piece.to_owned()),
            });
        }
        Ok(Template { segments, operation, label: None })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(label) = &self.label {
            return f.write_str(label);
        }
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Any(name) => write!(f, "/{{{name}}}")?,
                Segment::Rest(name) => write!(f, "/{{*{name}}}")?,
            }
        }
        if self.segments.is_empty() {
            f.write_str("/")?;
        }
        match &self.operation {
            Some((name, value)) => write!(f, "?{name}={value}"),
            None => Ok(()),
        }
    }
}

/// Method, host and path template.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The method, as sent.
    pub method: String,
    /// Host with its port where that is not the scheme's default; `None`: any host.
    pub host: Option<String>,
    /// The path's template.
    pub template: Template,
}

impl Endpoint {
    /// Whether a request with this method, host and path (without query) is one of its.
    pub fn matches(&self, method: &str, host: &str, path: &str) -> bool {
        self.method == method
            && self.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(host))
            && self.template.matches(path)
    }

    /// `GET /listings/{id}`: as it is called in tables where the host goes without saying.
    pub fn short(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{} {host}{}", self.method, self.template),
            None => write!(f, "{} {}", self.method, self.template),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    /// Reads `GET /listings/{id}` or `GET shop.example:8080/listings/{id}`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong =
            || Error::syntax("endpoint", text, "expected METHOD and a path, such as 'GET /listings/{id}'");
        let (method, target) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let target = target.trim();
        let slash = target.find('/').ok_or_else(wrong)?;
        let (host, path) = target.split_at(slash);
        let host = (!host.is_empty()).then(|| host.to_ascii_lowercase());
        Ok(Endpoint { method: method.to_owned(), host, template: path.parse()? })
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in [
            "GET /",
            "GET /listings/{id}",
            "POST shop.example:8080/a/{uuid}/b",
            "GET /static/{*path}",
            "GET /a/",
            "POST /graphql?operationName=AddToCart",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "GET", "GET listings", "GET /{}", "GET /{*a}/b", "GET /a?b", "GET /a?b=1&c=2"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn matching() {
        let fits = |template: &str, path: &str| template.parse::<Template>().unwrap().matches(path);
        assert!(fits("/", "/"));
        assert!(!fits("/", "/a"));
        assert!(fits("/a/{id}", "/a/1"));
        assert!(!fits("/a/{id}", "/a/"), "an empty segment is not an id");
        assert!(!fits("/a/{id}", "/a/1/"), "a trailing slash is another path");
        assert!(fits("/static/{*rest}", "/static/css/app.css"));
        assert!(!fits("/static/{*rest}", "/static"));
        assert!(Template::literal("/a/{b}").matches("/a/{b}"));
    }
}
