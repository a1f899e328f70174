//! A recorded request as pieces: text that stands, the target, and places where values go.

use std::fmt::Write as _;
use std::ops::Range;

use mynah_message::{BodyKind, Encoding, Head, Limits, Message, Part, Target, View, percent};
use mynah_traffic::scenario::{Injection, Source};

/// A piece of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// This very text.
    Literal(String),
    /// The target's origin: `http://127.0.0.1:8080`.
    Target,
    /// A value that becomes known while the script runs.
    Value(Value),
}

/// Text with places in it.
pub(super) type Text = Vec<Piece>;

/// Where a script has a value from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// What a response handed out: its name, and which of several.
    Kept { name: String, index: u32 },
    /// A column of the identities.
    Login { column: String },
}

impl Origin {
    /// `None`: scripts know nothing of the kind, and what was recorded is sent.
    fn of(source: &Source) -> Option<Origin> {
        if let Source::Correlation { name, index } = source {
            return Some(Origin::Kept { name: name.clone(), index: *index });
        }
        if let Source::Identity { column } = source {
            return Some(Origin::Login { column: column.clone() });
        }
        None
    }
}

/// A value, and how it is written in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) origin: Origin,
    /// What is sent where there is none: the recorded value, unless it is a long token, which is of no use elsewhere.
    pub(super) recorded: Option<String>,
    pub(super) encoding: Encoding,
}

/// A request's body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Body {
    #[default]
    None,
    Text(Text),
    /// Pairs of a form, decoded.
    Form(Vec<(String, Text)>),
    /// What is no text.
    Binary(Vec<u8>),
}

/// A request, free of any language.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: Text,
    pub(super) headers: Vec<(String, Text)>,
    /// Cookies that were sent without having been set by a response.
    pub(super) cookies: Vec<(String, Text)>,
    pub(super) body: Body,
}

/// Recorded values up to this length stand in the script.
const SHORT: usize = 48;

/// Headers that the sending tool makes by itself, that say how one connection is used, or that number one request.
const NOT_WRITTEN: [&str; 24] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
    "via",
    "forwarded",
    "x-real-ip",
    "x-request-id",
    "x-correlation-id",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "sentry-trace",
    "baggage",
    "cookie",
];

fn is_written(name: &str) -> bool {
    let beginnings = ["x-forwarded-", "x-b3-", ":"];
    !NOT_WRITTEN.iter().any(|own| name.eq_ignore_ascii_case(own))
        && !beginnings.iter().any(|start| {
            name.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
        })
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&b))
}

/// A place in a part of the message.
struct Place {
    span: Range<usize>,
    value: Value,
    /// Text around the value: `Bearer `.
    around: (String, String),
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn push(text: &mut Text, literal: String) {
    match text.last_mut() {
        _ if literal.is_empty() => {}
        Some(Piece::Literal(before)) => before.push_str(&literal),
        _ => text.push(Piece::Literal(literal)),
    }
}

/// Cuts `bytes[range]` at the places in it.
fn cut(bytes: &[u8], range: Range<usize>, places: &[Place]) -> Text {
    let mut text = Text::new();
    let mut at = range.start;
    for place in places {
        if place.span.start < at || place.span.end > range.end {
            continue;
        }
        push(&mut text, lossy(bytes.get(at..place.span.start).unwrap_or_default()));
        // Nothing around a value stays nothing: as a number's it would become an empty string.
        let around = |text: &str| match text {
            "" => String::new(),
            text => lossy(&place.value.encoding.encode(text.as_bytes())),
        };
        push(&mut text, around(&place.around.0));
        text.push(Piece::Value(place.value.clone()));
        push(&mut text, around(&place.around.1));
        at = place.span.end;
    }
    push(&mut text, lossy(bytes.get(at..range.end).unwrap_or_default()));
    text
}

/// Makes a request's pieces. What cannot be done as recorded is told to `note`.
pub(super) fn request(
    message: &Message,
    injections: &[Injection],
    origins: &[String],
    note: &mut dyn FnMut(String),
) -> Option<Request> {
    let opened = View::open(message, &Limits::default()).ok();
    let readable = opened.is_some();
    let view = match opened {
        Some(view) => view,
        None => View::open_head(message).ok()?,
    };
    let head = view.head();
    let method = head.method()?.to_owned();
    let (mut in_head, mut in_body) = (Vec::new(), Vec::new());
    for injection in injections {
        let Some(origin) = Origin::of(&injection.source) else {
            note(format!("{} is sent as recorded: scripts do not make its values", injection.at));
            continue;
        };
        for leaf in view.find(&injection.at) {
            let place = place(injection, &origin, &lossy(&leaf.value), leaf.span.clone(), leaf.encoding);
            if leaf.part == Part::Head { in_head.push(place) } else { in_body.push(place) }
        }
    }
    for places in [&mut in_head, &mut in_body] {
        places.sort_by_key(|place| (place.span.start, place.span.end));
    }
    let decoded = readable && !mynah_message::content::codings(head).unwrap_or_default().is_empty();
    let mut request = Request { method, path: path(message, head, &in_head)?, ..Request::default() };
    request.headers = headers(message, head, &in_head, origins, decoded);
    request.cookies = cookies(message, head, &in_head);
    let body: &[u8] = if readable { view.body() } else { &message.body };
    request.body = self::body(body, view.kind(), &in_body, note);
    Some(request)
}

fn place(
    injection: &Injection,
    origin: &Origin,
    recorded: &str,
    span: Range<usize>,
    encoding: Encoding,
) -> Place {
    let around = injection
        .format
        .as_deref()
        .and_then(|format| format.split_once("{}"))
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .unwrap_or_default();
    let inner = recorded
        .strip_prefix(around.0.as_str())
        .and_then(|rest| rest.strip_suffix(around.1.as_str()))
        .unwrap_or(recorded);
    let keep = !injection.required && inner.len() <= SHORT;
    let value = Value { origin: origin.clone(), recorded: keep.then(|| inner.to_owned()), encoding };
    Place { span, value, around }
}

/// Path and query in origin-form, with nothing in them that ends a URL.
fn path(message: &Message, head: &Head<'_>, places: &[Place]) -> Option<Text> {
    let (span, text) = (head.target_span()?, head.target()?);
    let parsed = Target::parse(text);
    let from = span.start + parsed.path_span.start;
    let to = span.start + text.find('#').unwrap_or(text.len());
    let mut path = if from < to { cut(&message.head, from..to, places) } else { Text::new() };
    for piece in &mut path {
        if let Piece::Literal(literal) = piece {
            *literal = url_safe(literal);
        }
    }
    if !matches!(path.first(), Some(Piece::Literal(first)) if first.starts_with('/')) {
        path.insert(0, Piece::Literal("/".to_owned()));
    }
    Some(path)
}

/// What no URL can hold, percent-encoded; a lone `%` too.
fn url_safe(text: &str) -> String {
    let is_escape = |at: usize| {
        text.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let fine = match byte {
            b'%' => is_escape(at),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            _ => byte.is_ascii_graphic(),
        };
        if fine {
            out.push(byte as char);
        } else {
            // writing to a string cannot fail
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn headers(
    message: &Message,
    head: &Head<'_>,
    places: &[Place],
    origins: &[String],
    decoded: bool,
) -> Vec<(String, Text)> {
    let mut headers: Vec<(String, Text)> = Vec::new();
    for field in head.fields() {
        let digest = ["content-encoding", "content-digest", "repr-digest", "digest", "content-md5"];
        if !is_written(field.name) || (decoded && digest.iter().any(|name| field.is(name))) {
            continue;
        }
        // A second field of a name would overwrite the first in every one of the tools.
        if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(field.name)) {
            continue;
        }
        let mut text = cut(&message.head, field.value_span.clone(), places);
        if let [Piece::Literal(literal)] = text.as_mut_slice() {
            *literal = literal.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            *literal = literal.trim().to_owned();
            if field.is("accept-encoding") {
                *literal = codings(literal);
            }
            if field.is("referer") || field.is("origin") {
                text = retarget(literal, origins);
            }
        }
        headers.push((field.name.to_owned(), text));
    }
    headers
}

/// Of the codings that the recorded client took, those that every tool can undo.
fn codings(accepted: &str) -> String {
    let known = |coding: &&str| {
        let name = coding.split(';').next().unwrap_or_default().trim();
        ["gzip", "deflate", "identity"].iter().any(|one| name.eq_ignore_ascii_case(one))
    };
    let kept: Vec<&str> = accepted.split(',').map(str::trim).filter(known).collect();
    if kept.is_empty() { "identity".to_owned() } else { kept.join(", ") }
}

/// The recorded site at the beginning of a URL becomes the target.
fn retarget(url: &str, origins: &[String]) -> Text {
    for origin in origins {
        let Some((beginning, rest)) = url.split_at_checked(origin.len()) else { continue };
        if beginning.eq_ignore_ascii_case(origin) && (rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
            let mut text = vec![Piece::Target];
            push(&mut text, rest.to_owned());
            return text;
        }
    }
    vec![Piece::Literal(url.to_owned())]
}

fn cookies(message: &Message, head: &Head<'_>, places: &[Place]) -> Vec<(String, Text)> {
    let mut cookies: Vec<(String, Text)> = Vec::new();
    for field in head.fields().filter(|field| field.is("cookie")) {
        let mut start = field.value_span.start;
        while start < field.value_span.end {
            let rest = message.head.get(start..field.value_span.end).unwrap_or_default();
            let end = start + rest.iter().position(|&b| b == b';').unwrap_or(rest.len());
            let item = message.head.get(start..end).unwrap_or_default();
            if let Some(equals) = item.iter().position(|&b| b == b'=') {
                let name = lossy(item.get(..equals).unwrap_or_default().trim_ascii());
                let value = start + equals + 1;
                let length = message.head.get(value..end).unwrap_or_default().trim_ascii_end().len();
                if !name.is_empty() && !cookies.iter().any(|(known, _)| *known == name) {
                    cookies.push((name, cut(&message.head, value..value + length, places)));
                }
            }
            start = end + 1;
        }
    }
    cookies
}

fn body(body: &[u8], kind: &BodyKind, places: &[Place], note: &mut dyn FnMut(String)) -> Body {
    if body.is_empty() {
        return Body::None;
    }
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n');
    if std::str::from_utf8(body).is_err() || body.iter().any(control) {
        if !places.is_empty() {
            note("a body that is no text is sent as it was recorded: no value is put into it".to_owned());
        }
        return Body::Binary(body.to_vec());
    }
    if *kind == BodyKind::Form
        && let Some(pairs) = form(body, places)
    {
        return Body::Form(pairs);
    }
    Body::Text(cut(body, 0..body.len(), places))
}

/// The pairs of a form; `None` when it is not made of plain ones.
fn form(body: &[u8], places: &[Place]) -> Option<Vec<(String, Text)>> {
    let mut pairs = Vec::new();
    let mut used = 0;
    for pair in percent::pairs(body, 0) {
        if pair.value_span.start <= pair.name_span.end {
            return None;
        }
        let name = std::str::from_utf8(&pair.name).ok()?.to_owned();
        let value = std::str::from_utf8(&pair.value).ok()?;
        let text = match places.iter().find(|place| place.span == pair.value_span) {
            Some(place) => {
                used += 1;
                let mut text = Text::new();
                push(&mut text, place.around.0.clone());
                // The tool encodes it.
                text.push(Piece::Value(Value { encoding: Encoding::Raw, ..place.value.clone() }));
                push(&mut text, place.around.1.clone());
                text
            }
            None => vec![Piece::Literal(value.to_owned())],
        };
        pairs.push((name, text));
    }
    (used == places.len() && !pairs.is_empty()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &str, body: &str) -> Message {
        Message { head: head.to_owned().into(), body: body.to_owned().into(), ..Message::default() }
    }

    fn injection(at: &str, format: Option<&str>) -> Injection {
        Injection {
            at: at.parse().unwrap(),
            source: Source::Correlation { name: "v".to_owned(), index: 0 },
            format: format.map(str::to_owned),
            required: false,
        }
    }

    fn literal(text: &str) -> Text {
        vec![Piece::Literal(text.to_owned())]
    }

    fn value(encoding: Encoding, recorded: &str) -> Piece {
        let origin = Origin::Kept { name: "v".to_owned(), index: 0 };
        Piece::Value(Value { origin, recorded: Some(recorded.to_owned()), encoding })
    }

    #[test]
    fn pieces() {
        let sent = message(
            "POST http://shop.example/a/77/b?q=x%zz HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nReferer: http://Shop.example/a\r\nAccept-Encoding: gzip, br;q=1\r\nAuthorization: Bearer abc\r\nCookie: own=1; tok=2\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\n",
            "csrf=ab&x=%20y",
        );
        let injections = [
            injection("path:1", None),
            injection("header:Authorization", Some("Bearer {}")),
            injection("cookie:tok", None),
            injection("form:csrf", None),
        ];
        let got =
            request(&sent, &injections, &["http://shop.example".to_owned()], &mut |note| panic!("{note}"));
        let got = got.unwrap();
        assert_eq!(
            got.path,
            [
                Piece::Literal("/a/".to_owned()),
                value(Encoding::Percent, "77"),
                Piece::Literal("/b?q=x%25zz".to_owned())
            ]
        );
        let header = |name: &str| &got.headers.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(got.headers.len(), 4, "{:?}", got.headers);
        assert_eq!(header("Referer"), &[Piece::Target, Piece::Literal("/a".to_owned())]);
        assert_eq!(header("Accept-Encoding"), &literal("gzip"));
        assert_eq!(
            header("Authorization"),
            &[Piece::Literal("Bearer ".to_owned()), value(Encoding::Header, "abc")]
        );
        assert_eq!(
            got.cookies,
            [("own".to_owned(), literal("1")), ("tok".to_owned(), vec![value(Encoding::Cookie, "2")])]
        );
        assert_eq!(
            got.body,
            Body::Form(vec![
                ("csrf".to_owned(), vec![value(Encoding::Raw, "ab")]),
                ("x".to_owned(), literal(" y"))
            ])
        );
    }

    #[test]
    fn bodies() {
        let head = |kind: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n\r\n");
        let of = |kind: &str, body: &str, at: &[Injection]| {
            request(&message(&head(kind), body), at, &[], &mut |_| {}).unwrap().body
        };
        assert_eq!(
            of("application/json", r#"{"id": 77}"#, &[injection("json:$.id", None)]),
            Body::Text(vec![
                Piece::Literal(r#"{"id": "#.to_owned()),
                value(Encoding::JsonNumber, "77"),
                Piece::Literal("}".to_owned())
            ])
        );
        assert_eq!(of("application/octet-stream", "a\0b", &[]), Body::Binary(b"a\0b".to_vec()));
        assert_eq!(
            of("application/x-www-form-urlencoded", "lonely", &[]),
            Body::Text(literal("lonely")),
            "no pair: sent as it is"
        );
        assert_eq!(of("text/plain", "", &[]), Body::None);
    }
}
