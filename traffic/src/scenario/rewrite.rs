//! `[rewrite]`: what becomes of every request on its way out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::find::Pattern;
use crate::Error;

/// A scenario's `[rewrite]`; flags over it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Header fields that every request gets in place of its own of that name.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub headers: toml::Table,
    /// What is sent as `Host`: `target`, `recorded`, or this very text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path and query: `^/v1/=/v2/`, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathRewrite>,
}

/// `PATTERN=REPLACEMENT`: what the pattern matches of a request's path and query becomes the replacement, in which `$1` and `${name}` are
/// its groups. The first `=` that is not written `\=` parts them.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRewrite {
    text: String,
    pattern: Pattern,
    with: String,
}

impl PathRewrite {
    /// A path and query, rewritten.
    pub fn apply<'t>(&self, target: &'t [u8]) -> std::borrow::Cow<'t, [u8]> {
        self.pattern.replace_all(target, self.with.as_bytes())
    }
}

impl FromStr for PathRewrite {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::syntax("path rewrite", text, why);
        let bytes = text.as_bytes();
        let parts = |at: &usize| bytes[*at] == b'=' && (*at == 0 || bytes[at - 1] != b'\\');
        let at = (0..bytes.len())
            .find(parts)
            .ok_or_else(|| wrong("expected PATTERN=REPLACEMENT, such as ^/v1/=/v2/"))?;
        let (pattern, with) = (&text[..at], &text[at + 1..]);
        if pattern.is_empty() {
            return Err(wrong("an empty pattern is everywhere; write ^ for the beginning of the path"));
        }
        Ok(PathRewrite { text: text.to_owned(), pattern: pattern.parse()?, with: with.to_owned() })
    }
}

impl fmt::Display for PathRewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for PathRewrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PathRewrite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Rewrite {
    /// Whether nothing is rewritten.
    pub fn is_empty(&self) -> bool {
        *self == Rewrite::default()
    }

    /// Names and values of `headers`.
    ///
    /// # Errors
    /// When a value is neither text nor a number.
    pub fn fields(&self) -> Result<Vec<(String, String)>, Error> {
        let field = |(name, value): (&String, &toml::Value)| match super::inline::text_of(value) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(Error::syntax("header", name, "[rewrite] headers: expected a text or a number")),
        };
        self.headers.iter().map(field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_rewritten() {
        let apply = |rewrite: &str, path: &str| {
            let rewrite: PathRewrite = rewrite.parse().unwrap();
            String::from_utf8(rewrite.apply(path.as_bytes()).into_owned()).unwrap()
        };
        assert_eq!(apply("^/v1/=/v2/", "/v1/a?b=/v1/"), "/v2/a?b=/v1/");
        assert_eq!(apply(r"^/user/([^/]+)/ping=/u/$1", "/user/7/ping?x"), "/u/7?x");
        assert_eq!(apply(r"id\=(\d+)=item=$1", "/a?id=7"), "/a?item=7");
        assert_eq!(apply("&debug=", "/a?b&debug&debug"), "/a?b");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in
            [("/v1", "PATTERN=REPLACEMENT"), ("=x", "empty pattern"), ("(=x", "unclosed group")]
        {
            let said = text.parse::<PathRewrite>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
