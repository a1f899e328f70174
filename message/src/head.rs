//! The head of a message: start line and field lines, borrowed, with byte spans.
//! Lenient where [RFC 9112 §2–5](https://www.rfc-editor.org/rfc/rfc9112#section-2) lets a recipient be,
//! and a little more: what was recorded did pass between two programs that understood each other.

mod cut;

use std::borrow::Cow;
use std::ops::Range;

use cut::{Cut, first, is_ascii, trimmed};

use crate::target::Target;
use crate::{Error, Side};

/// Protocol version in the start line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// `GET /` without a version.
    Http09,
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`
    Http11,
    /// `HTTP/2` or `HTTP/2.0`
    Http2,
    /// `HTTP/3` or `HTTP/3.0`
    Http3,
    /// Anything else.
    Other,
}

/// One field line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// As written. Empty for a line that is no field line (no colon, or a name that is not UTF-8);
    /// such a line is all value, so that nothing in it goes unseen.
    pub name: &'a str,
    /// Without the white space around it; a folded value (obs-fold) is still folded.
    pub value: &'a [u8],
    /// Where the name is written.
    pub name_span: Range<usize>,
    /// Where the value is written.
    pub value_span: Range<usize>,
}

impl<'a> Field<'a> {
    /// The value as text, when it is UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok()
    }

    /// Compares names without regard to case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value with each fold (line break and white space) replaced by one space, RFC 9112 §5.2.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        if memchr::memchr(b'\n', self.value).is_none() {
            return Cow::Borrowed(self.value);
        }
        let mut out = Vec::with_capacity(self.value.len());
        for line in self.value.split(|&b| b == b'\n') {
            let line = line.trim_ascii();
            if !line.is_empty() {
                if !out.is_empty() {
                    out.push(b' ');
                }
                out.extend_from_slice(line);
            }
        }
        Cow::Owned(out)
    }
}

/// What a body is, by its media type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyKind {
    /// `application/json`, `…+json`, newline-delimited JSON.
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/…`
    Multipart {
        /// The boundary parameter; empty when missing.
        boundary: String,
    },
    /// `text/html`, `application/xhtml+xml`
    Html,
    /// `…/xml`, `…+xml`
    Xml,
    /// JavaScript.
    Script,
    /// Other text.
    Text,
    /// Everything else.
    Binary,
}

/// A `Content-Type`, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentType {
    /// `type/subtype`, lower-cased, without parameters.
    pub media_type: String,
    /// What that means for the body.
    pub kind: BodyKind,
}

impl ContentType {
    /// Reads the value of a `Content-Type` field.
    pub fn parse(value: &str) -> ContentType {
        let media_type = before(value, |b| b == b';').trim().to_ascii_lowercase();
        let kind = match media_type.as_str() {
            "application/json"
            | "text/json"
            | "text/x-json"
            | "application/x-json"
            | "application/csp-report"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/graphql-response" => BodyKind::Json,
            "application/x-www-form-urlencoded" => BodyKind::Form,
            "text/html" | "application/xhtml+xml" => BodyKind::Html,
            "text/xml" | "application/xml" => BodyKind::Xml,
            "text/javascript"
            | "application/javascript"
            | "application/x-javascript"
            | "text/ecmascript"
            | "application/ecmascript" => BodyKind::Script,
            m if m.ends_with("+json") => BodyKind::Json,
            m if m.ends_with("+xml") => BodyKind::Xml,
            m if m.starts_with("multipart/") => {
                BodyKind::Multipart { boundary: parameter(value, "boundary").unwrap_or_default() }
            }
            m if m.starts_with("text/") => BodyKind::Text,
            "application/graphql"
            | "application/sql"
            | "application/yaml"
            | "application/toml"
            | "application/jwt" => BodyKind::Text,
            _ => BodyKind::Binary,
        };
        ContentType { media_type, kind }
    }
}

/// The value of a `; name=value` parameter of a field's value, unquoted: of `charset`, say.
pub fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.get(before(value, |b| b == b';').len() + 1..)?;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';', '\r', '\n']);
        let key = before(rest, |b| matches!(b, b'=' | b';'));
        let tail = &rest[key.len()..];
        if tail.is_empty() {
            return None;
        }
        let Some(tail) = tail.strip_prefix('=') else {
            rest = tail;
            continue;
        };
        let tail = tail.trim_start();
        let (found, after) = if let Some(inner) = tail.strip_prefix('"') {
            unquote(inner)
        } else {
            let found = before(tail, |b| b == b';');
            (found.trim().to_owned(), &tail[found.len()..])
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = after;
    }
}

/// A short text up to the first byte in ASCII that is one of those; all of it where there is none.
fn before(text: &str, ends: impl Fn(u8) -> bool) -> &str {
    text.bytes().position(ends).and_then(|end| text.get(..end)).unwrap_or(text)
}

fn unquote(inner: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, &inner[at + 1..]),
            // Browsers do not escape backslashes in file names, so only \" and \\ count as escapes.
            '\\' => match chars.peek() {
                Some(&(_, next @ ('"' | '\\'))) => {
                    out.push(next);
                    chars.next();
                }
                _ => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    (out, "")
}

#[derive(Clone, Debug)]
enum Start {
    Request { method: Range<usize>, target: Range<usize> },
    Response { status: u16 },
}

/// Borrowed parse of a head.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    raw: &'a [u8],
    start: Start,
    start_line: Range<usize>,
    version: Version,
    lines: Vec<Line>,
    end: usize,
}

#[derive(Clone, Debug)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

impl<'a> Head<'a> {
    /// Parses up to the blank line, or to the end where there is none. Accepts bare LF, obs-fold, blank lines before the
    /// start line, spaces before a colon, and lines that are no fields.
    ///
    /// # Errors
    /// [`Error::StartLine`] when there is neither a request line nor a status line.
    pub fn parse(raw: &'a [u8]) -> Result<Head<'a>, Error> {
        let at = raw.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let mut cut = Cut::new(raw, at);
        let start_line = cut.next_line().map_or(at..at, |(at, line)| at..at + line.len());
        let (start, version) = start_line_of(raw, start_line.clone()).ok_or_else(|| Error::StartLine {
            found: String::from_utf8_lossy(&raw[start_line.start..start_line.end.min(start_line.start + 40)])
                .into_owned(),
        })?;
        // What is ASCII from end to end is text wherever it is cut.
        let is_text = is_ascii(raw);
        let mut lines: Vec<Line> = Vec::with_capacity(16);
        while let Some((at, line)) = cut.next_line() {
            let Some(first) = line.first() else { break };
            if matches!(first, b' ' | b'\t')
                && let Some(last) = lines.last_mut()
            {
                let text = trimmed(at, line);
                if !text.is_empty() {
                    last.value.end = text.end;
                    if last.value.is_empty() {
                        last.value.start = text.start;
                    }
                }
                continue;
            }
            lines.push(field_line(at, line, is_text));
        }
        Ok(Head { raw, start, start_line, version, lines, end: cut.at })
    }

    /// Whether bytes begin with a start line: nothing else is asked of what [`Head::parse`] reads.
    pub fn begins(raw: &[u8]) -> bool {
        let at = raw.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        Cut::new(raw, at)
            .next_line()
            .is_some_and(|(at, line)| start_line_of(raw, at..at + line.len()).is_some())
    }

    /// The bytes that were parsed.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where the start line stands, without its line break.
    pub fn start_line(&self) -> Range<usize> {
        self.start_line.clone()
    }

    /// Length of the head in bytes, blank line included.
    pub fn len(&self) -> usize {
        self.end
    }

    /// Never: a head has a start line.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Request or response.
    pub fn side(&self) -> Side {
        match self.start {
            Start::Request { .. } => Side::Request,
            Start::Response { .. } => Side::Response,
        }
    }

    /// The method, of a request.
    pub fn method(&self) -> Option<&'a str> {
        match &self.start {
            Start::Request { method, .. } => self.text(method.clone()),
            Start::Response { .. } => None,
        }
    }

    /// The target as on the request line; `None` in a response or when it is not UTF-8.
    pub fn target(&self) -> Option<&'a str> {
        self.text(self.target_span()?)
    }

    /// Where the target stands, in a request.
    pub fn target_span(&self) -> Option<Range<usize>> {
        match &self.start {
            Start::Request { target, .. } => Some(target.clone()),
            Start::Response { .. } => None,
        }
    }

    /// The status code, of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status } => Some(status),
        }
    }

    /// The version in the start line.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The field lines in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'a>> {
        self.lines.iter().map(|line| self.field_of(line))
    }

    /// A field line by its number.
    pub fn field(&self, number: usize) -> Option<Field<'a>> {
        self.lines.get(number).map(|line| self.field_of(line))
    }

    fn field_of(&self, line: &Line) -> Field<'a> {
        Field {
            name: self.text(line.name.clone()).unwrap_or(""),
            value: &self.raw[line.value.clone()],
            name_span: line.name.clone(),
            value_span: line.value.clone(),
        }
    }

    /// Where name and value of each field line stand, in order.
    pub fn field_spans(&self) -> impl ExactSizeIterator<Item = (Range<usize>, Range<usize>)> {
        self.lines.iter().map(|line| (line.name.clone(), line.value.clone()))
    }

    /// Name and value of each field line as bytes, without their places: for who looks at every head and wants few fields.
    /// The name is empty for a line that is no field line.
    pub fn raw_fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let raw = self.raw;
        self.lines.iter().map(move |line| (&raw[line.name.clone()], &raw[line.value.clone()]))
    }

    /// The first field of that name (case does not matter) whose value is UTF-8.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut named = self.raw_fields().filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        named.find_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The values of every field of that name that are UTF-8, in order.
    pub fn get_all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        let named = move |(field, _): &(&[u8], &[u8])| field.eq_ignore_ascii_case(name.as_bytes());
        self.raw_fields().filter(named).filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The media type and what it means for the body.
    pub fn content_type(&self) -> Option<ContentType> {
        self.get("content-type").map(ContentType::parse)
    }

    /// The authority of an absolute-form target, which wins (RFC 9112 §3.2.2), else the `Host` field; with its port.
    pub fn host(&self) -> Option<&'a str> {
        let authority = self.target().and_then(|t| Target::parse(t).authority).filter(|a| !a.is_empty());
        authority.or_else(|| self.get("host"))
    }

    /// True when the last transfer coding is `chunked`.
    pub fn is_chunked(&self) -> bool {
        self.get_all("transfer-encoding")
            .last()
            .and_then(|v| v.rsplit(',').next())
            .is_some_and(|v| v.trim().eq_ignore_ascii_case("chunked"))
    }

    /// The `Content-Length`, when it is a number.
    pub fn content_length(&self) -> Option<u64> {
        self.get("content-length")?.split(',').next()?.trim().parse().ok()
    }

    /// Whether the connection may be used again, RFC 9112 §9.3.
    pub fn keep_alive(&self) -> bool {
        let says = |option: &str| {
            self.get_all("connection")
                .flat_map(|v| v.split(','))
                .any(|v| v.trim().eq_ignore_ascii_case(option))
        };
        match self.version {
            Version::Http09 => false,
            Version::Http10 => says("keep-alive") && !says("close"),
            _ => !says("close"),
        }
    }

    fn text(&self, span: Range<usize>) -> Option<&'a str> {
        std::str::from_utf8(self.raw.get(span)?).ok()
    }
}

fn trim(raw: &[u8], span: Range<usize>) -> Range<usize> {
    trimmed(span.start, raw.get(span).unwrap_or_default())
}

/// A line that begins at `at`; `is_text` says that all of it is ASCII.
#[inline]
fn field_line(at: usize, line: &[u8], is_text: bool) -> Line {
    if let Some(colon) = first(b':', line)
        && let Some((name, [_, value @ ..])) = line.split_at_checked(colon)
    {
        let span = trimmed(at, name);
        if !span.is_empty() && (is_text || std::str::from_utf8(name.trim_ascii()).is_ok()) {
            return Line { name: span, value: trimmed(at + colon + 1, value) };
        }
    }
    Line { name: at..at, value: trimmed(at, line) }
}

fn start_line_of(raw: &[u8], line: Range<usize>) -> Option<(Start, Version)> {
    let text = &raw[line.clone()];
    if text.starts_with(b"HTTP/") {
        let space = memchr::memchr(b' ', text)?;
        let rest = text[space..].trim_ascii_start();
        let digits = rest.get(..3).filter(|d| d.iter().all(u8::is_ascii_digit))?;
        if rest.get(3).is_some_and(|b| !b.is_ascii_whitespace()) {
            return None;
        }
        let status = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
        return Some((Start::Response { status }, version(&text[..space])));
    }
    let method = text.iter().position(|b| !is_token(*b)).filter(|&n| n > 0)?;
    if !matches!(text.get(method), Some(b' ' | b'\t')) {
        return None;
    }
    // The target ends at the last space before a version, so that stray spaces in it survive.
    let rest = trim(raw, line.start + method..line.end);
    let tail = &raw[rest.clone()];
    if tail.is_empty() {
        return None;
    }
    let method = line.start..line.start + method;
    let cut = memchr::memrchr2(b' ', b'\t', tail).filter(|&s| tail[s + 1..].starts_with(b"HTTP/"));
    match cut {
        Some(space) => {
            let target = trim(raw, rest.start..rest.start + space);
            (!target.is_empty()).then(|| (Start::Request { method, target }, version(&tail[space + 1..])))
        }
        None if tail.starts_with(b"HTTP/") => None,
        None => Some((Start::Request { method, target: rest }, Version::Http09)),
    }
}

fn version(text: &[u8]) -> Version {
    match text {
        b"HTTP/1.0" => Version::Http10,
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/2" | b"HTTP/2.0" => Version::Http2,
        b"HTTP/3" | b"HTTP/3.0" => Version::Http3,
        _ => Version::Other,
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_line_and_fields() {
        let raw =
            b"GET /a b?x=1 HTTP/1.1\r\nHost: h\r\nX-Fold: one\r\n  two\r\nBad line\nx-fold :  3 \r\n\r\nrest";
        let head = Head::parse(raw).unwrap();
        assert_eq!(head.method(), Some("GET"));
        assert_eq!(head.target(), Some("/a b?x=1"));
        assert_eq!(&raw[head.target_span().unwrap()], b"/a b?x=1");
        assert_eq!(head.version(), Version::Http11);
        assert_eq!(head.host(), Some("h"));
        let fields: Vec<_> = head.fields().map(|f| (f.name, f.unfolded().into_owned())).collect();
        assert_eq!(
            fields,
            [
                ("Host", b"h".to_vec()),
                ("X-Fold", b"one two".to_vec()),
                ("", b"Bad line".to_vec()),
                ("x-fold", b"3".to_vec())
            ]
        );
        assert_eq!(head.len(), raw.len() - 4);
        assert_eq!(head.get_all("X-FOLD").count(), 2);
    }

    #[test]
    fn names_that_are_no_text_are_no_names() {
        for (name, is_name) in [(&b"caf\xc3\xa9"[..], true), (b"caf\xe9", false), (b"\xff", false)] {
            for before in [0, 1, 40, 70] {
                let raw = [b"GET / HTTP/1.1\r\nA: ", &b"b".repeat(before)[..], b"\r\n", name, b": x\r\n\r\n"]
                    .concat();
                let head = Head::parse(&raw).unwrap();
                let field = head.field(1).unwrap();
                assert_eq!(field.name.as_bytes(), if is_name { name } else { b"" });
                assert_eq!(field.value.len(), if is_name { 1 } else { name.len() + 3 });
                assert!(head.field(2).is_none());
            }
        }
    }

    #[test]
    fn status_line() {
        let head = Head::parse(b"HTTP/2 204 \r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!((head.status(), head.version(), head.keep_alive()), (Some(204), Version::Http2, false));
        assert_eq!(head.side(), Side::Response);
        assert_eq!(Head::parse(b"HTTP/1.1 200\n\n").unwrap().status(), Some(200));
        assert!(Head::parse(b"HTTP/1.1 20\n\n").is_err());
        assert!(Head::parse(b"").is_err());
        assert!(Head::parse(b"\x16\x03\x01").is_err());
        assert_eq!(Head::parse(b"GET /\r\n").unwrap().version(), Version::Http09);
    }

    #[test]
    fn framing_fields() {
        let head =
            Head::parse(b"POST http://abs:1/x HTTP/1.0\nHost: other\nTransfer-Encoding: gzip, Chunked\n\n")
                .unwrap();
        assert!(head.is_chunked());
        assert!(!head.keep_alive());
        assert_eq!(head.host(), Some("abs:1"));
        let head = Head::parse(b"HTTP/1.1 200 OK\nContent-Length: 12\n\n").unwrap();
        assert_eq!(head.content_length(), Some(12));
    }

    #[test]
    fn content_types() {
        let kind = |v| ContentType::parse(v).kind;
        assert_eq!(kind("Application/JSON; charset=utf-8"), BodyKind::Json);
        assert_eq!(kind("application/problem+json"), BodyKind::Json);
        assert_eq!(kind("image/svg+xml"), BodyKind::Xml);
        assert_eq!(kind("text/css"), BodyKind::Text);
        assert_eq!(kind("image/png"), BodyKind::Binary);
        assert_eq!(
            kind("multipart/form-data; x=\"a;b\\\"\"; Boundary=\"--x y\""),
            BodyKind::Multipart { boundary: "--x y".into() }
        );
    }
}
