//! Request targets and URL references taken apart, with byte spans.
//! [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2),
//! [RFC 3986 §4](https://www.rfc-editor.org/rfc/rfc3986#section-4).

use std::borrow::Cow;
use std::ops::Range;

use crate::percent::{self, Pair};

/// A request target or URL reference. Spans are byte offsets in the text that was parsed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    /// `http` in `http://host/path`; absent in origin-form.
    pub scheme: Option<&'a str>,
    /// `host:port`, user information included; absent in origin-form.
    pub authority: Option<&'a str>,
    /// The path as written, `/` first unless the reference is relative. Empty where there is none.
    pub path: &'a str,
    /// The query as written, without `?`.
    pub query: Option<&'a str>,
    /// Where the path stands.
    pub path_span: Range<usize>,
    /// Where the query stands, without `?`.
    pub query_span: Option<Range<usize>>,
}

/// One segment of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Percent-decoded.
    pub value: Cow<'a, [u8]>,
    /// Where it is written.
    pub span: Range<usize>,
}

impl Segment<'_> {
    /// The segment as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

impl<'a> Target<'a> {
    /// Takes a request target apart: origin-form (`/path?query`), absolute-form (`http://host/path`),
    /// `*`; anything else (a `CONNECT` authority) is taken as a path.
    pub fn parse(text: &'a str) -> Target<'a> {
        Self::from_parts(text, &Parts::target(text.as_bytes()))
    }

    /// Takes a URL reference apart, as in `Location` or `href`: like [`Target::parse`], but `//host/path`
    /// has an authority, and a reference such as `mailto:x` or `javascript:y` has a scheme and nothing else.
    pub fn parse_reference(text: &'a str) -> Target<'a> {
        Self::from_parts(text, &Parts::reference(text.as_bytes()))
    }

    fn from_parts(text: &'a str, parts: &Parts) -> Target<'a> {
        // Every cut is at an ASCII byte, so these slices are always on character boundaries.
        let cut = |r: &Range<usize>| text.get(r.clone()).unwrap_or("");
        Target {
            scheme: parts.scheme.as_ref().map(cut),
            authority: parts.authority.as_ref().map(cut),
            path: cut(&parts.path),
            query: parts.query.as_ref().map(cut),
            path_span: parts.path.clone(),
            query_span: parts.query.clone(),
        }
    }

    /// The path's segments, decoded, in order. `/` has none; one trailing slash adds none; an empty segment
    /// in between (`/a//b`) counts.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        segments(self.path.as_bytes(), self.path_span.start)
    }

    /// The query's pairs, decoded, in order.
    pub fn query_pairs(&self) -> impl Iterator<Item = Pair<'a>> + use<'a> {
        let base = self.query_span.as_ref().map_or(0, |s| s.start);
        percent::pairs(self.query.unwrap_or("").as_bytes(), base)
    }

    /// True when the path ends in `/` and has segments before it.
    pub fn trailing_slash(&self) -> bool {
        self.path.len() > 1 && self.path.ends_with('/')
    }

    /// The host without port and user information, if there is an authority.
    pub fn host(&self) -> Option<&'a str> {
        let host = self.authority?.rsplit('@').next()?;
        if host.starts_with('[') {
            return host.find(']').and_then(|end| host.get(..=end));
        }
        host.split(':').next()
    }
}

pub(crate) fn segments(path: &[u8], base: usize) -> impl Iterator<Item = Segment<'_>> {
    let mut at = usize::from(path.first() == Some(&b'/'));
    std::iter::from_fn(move || {
        let rest = path.get(at..).filter(|r| !r.is_empty())?;
        let len = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let span = base + at..base + at + len;
        at += len + 1;
        Some(Segment { value: percent::decode(&rest[..len], false), span })
    })
}

/// The cuts of a target, for text that need not be UTF-8.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) scheme: Option<Range<usize>>,
    pub(crate) authority: Option<Range<usize>>,
    pub(crate) path: Range<usize>,
    pub(crate) query: Option<Range<usize>>,
}

impl Parts {
    pub(crate) fn target(raw: &[u8]) -> Parts {
        Self::cut(raw, false)
    }

    pub(crate) fn reference(raw: &[u8]) -> Parts {
        Self::cut(raw, true)
    }

    fn cut(raw: &[u8], reference: bool) -> Parts {
        let mut parts = Parts::default();
        let end = memchr::memchr(b'#', raw).unwrap_or(raw.len());
        let raw = &raw[..end];
        let mut at = 0;
        if let Some(len) = scheme_len(raw) {
            if raw[len + 1..].starts_with(b"//") {
                parts.scheme = Some(0..len);
                at = len + 1;
            } else if reference {
                parts.scheme = Some(0..len);
                parts.path = end..end;
                return parts;
            }
        }
        if (at > 0 || reference) && raw[at..].starts_with(b"//") {
            at += 2;
            let len = raw[at..].iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(end - at);
            parts.authority = Some(at..at + len);
            at += len;
        }
        let question = memchr::memchr(b'?', &raw[at..]).map(|q| at + q);
        parts.path = at..question.unwrap_or(end);
        parts.query = question.map(|q| q + 1..end);
        parts
    }
}

fn scheme_len(raw: &[u8]) -> Option<usize> {
    if !raw.first()?.is_ascii_alphabetic() {
        return None;
    }
    let len = raw.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))?;
    (raw[len] == b':').then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(t: &Target<'_>) -> Vec<String> {
        t.segments().map(|s| s.text().into_owned()).collect()
    }

    #[test]
    fn origin_form() {
        let text = "/items/a%20b//7/?q=x+y&flag&&e=%zz#frag";
        let t = Target::parse(text);
        assert_eq!(names(&t), ["items", "a b", "", "7"]);
        assert!(t.trailing_slash());
        let pairs: Vec<_> =
            t.query_pairs().map(|p| (p.name_text().into_owned(), p.value_text().into_owned())).collect();
        assert_eq!(
            pairs,
            [("q".into(), "x y".into()), (String::new(), "flag".into()), ("e".into(), "%zz".into())]
        );
        for p in t.query_pairs() {
            assert_eq!(percent::decode(&text.as_bytes()[p.value_span], true), p.value);
        }
        assert_eq!(names(&Target::parse("/")), Vec::<String>::new());
        assert_eq!(names(&Target::parse("*")), ["*"]);
    }

    #[test]
    fn absolute_form_and_references() {
        let t = Target::parse("http://u@shop.example:80/a/b?x=1");
        assert_eq!((t.scheme, t.host()), (Some("http"), Some("shop.example")));
        assert_eq!(t.path, "/a/b");
        assert_eq!(&"http://u@shop.example:80/a/b?x=1"[t.path_span.clone()], "/a/b");
        let bare = Target::parse("http://[::1]:80?x=1");
        assert_eq!((bare.host(), bare.path, bare.query), (Some("[::1]"), "", Some("x=1")));
        assert_eq!(Target::parse("//a/b").authority, None);
        assert_eq!(Target::parse_reference("//a/b").authority, Some("a"));
        assert_eq!(Target::parse_reference("mailto:a@b.c").path, "");
        assert_eq!(names(&Target::parse_reference("orders/7")), ["orders", "7"]);
    }
}
