//! From a template and the values at hand to the bytes of a request.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use bytes::Bytes;
use http::header::{self, HeaderName};
use mynah_message::{Edit, Limits, View, patch};
use mynah_traffic::scenario::PathRewrite;

use super::compile::{Names, clean, compile};
use super::{Field, Piece, Template, Text};

/// A body from this size on is not copied behind its head.
const LARGE: usize = 16 << 10;

/// What a run adds to every request for one recorded origin.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The target's authority; `None`: the recorded one is sent.
    pub(crate) host: Option<String>,
    /// The target's own authority, for requests that recorded none.
    pub(crate) authority: String,
    /// Put before the path.
    pub(crate) base_path: String,
    /// What becomes of the path and query before that.
    pub(crate) rewrites: std::sync::Arc<[PathRewrite]>,
    /// Recorded origin (`https://shop.example`) → the target's origin and base path.
    pub(crate) origins: std::sync::Arc<[(String, String, String)]>,
    /// Sent in place of recorded ones: name, and the whole line.
    pub(crate) set_headers: std::sync::Arc<[(HeaderName, Vec<u8>)]>,
}

/// What a request was rendered to besides its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rendered {
    /// Of the body, what was not written behind the head.
    pub(crate) rest: Bytes,
    /// Where in the bytes the target stands.
    pub(crate) target: std::ops::Range<usize>,
}

impl Text {
    fn write(&self, values: &[Option<String>], out: &mut Vec<u8>) {
        let pieces = match self {
            Text::Fixed(bytes) => return out.extend_from_slice(bytes),
            Text::Parts(pieces) => pieces,
        };
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Value { need, encoding, recorded } => match values.get(*need) {
                    Some(Some(value)) => out.extend_from_slice(&encoding.encode(value.as_bytes())),
                    _ => out.extend_from_slice(recorded),
                },
            }
        }
    }

    fn render(&self, values: &[Option<String>]) -> Cow<'_, [u8]> {
        if let Text::Fixed(bytes) = self {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::new();
        self.write(values, &mut out);
        Cow::Owned(out)
    }
}

/// Fills a template in, at the end of `out`. `values`: one for each of its needs, with the text around them; `None` leaves
/// what was recorded. `cookies`: what the jar has for this request, in the order in which it is to be sent.
///
/// # Errors
/// In words, when a body that is compressed or digested cannot be made anew.
pub(crate) fn render(
    template: &Template,
    values: &[Option<String>],
    bound: &Bound,
    cookies: &[(&str, &str)],
    out: &mut Vec<u8>,
) -> Result<Rendered, String> {
    if let Some(patched) = template.patched.as_deref()
        && values.iter().any(Option::is_some)
    {
        let view = View::open(&patched.message, &Limits::default()).map_err(|error| error.to_string())?;
        let mut edits: Vec<Edit> = Vec::new();
        for (injection, value) in patched.injections.iter().zip(values) {
            let Some(value) = value else { continue };
            edits.extend(view.find(&injection.at).iter().map(|leaf| leaf.edit(value.as_bytes())));
        }
        let message = patch(&view, edits).map_err(|error| error.to_string())?;
        let fixed = compile(&message, &[], &Names::default(), &mut |_| {})?;
        return render(&fixed, &[], bound, cookies, out);
    }
    let body = template.body.render(values);
    out.extend_from_slice(&template.begin);
    let from = out.len();
    write_target(template, values, bound, out);
    let target = from..out.len();
    out.extend_from_slice(template.version);
    write_lines(template, values, bound, cookies, body.len(), out);
    out.extend_from_slice(b"\r\n");
    if template.chunked {
        if !body.is_empty() {
            // Writing into memory does not fail.
            let _ = write!(out, "{:x}\r\n", body.len());
            out.extend_from_slice(&body);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n");
        out.extend_from_slice(&template.trailers);
        out.extend_from_slice(b"\r\n");
    } else if body.len() >= LARGE {
        let rest = match (&template.body, body) {
            (Text::Fixed(bytes), _) => bytes.clone(),
            (_, body) => body.into_owned().into(),
        };
        return Ok(Rendered { rest, target });
    } else {
        out.extend_from_slice(&body);
    }
    Ok(Rendered { rest: Bytes::new(), target })
}

/// Path and query. What would end the target is percent-encoded; whatever else was recorded is sent as it was.
fn write_target(template: &Template, values: &[Option<String>], bound: &Bound, out: &mut Vec<u8>) {
    let from = out.len();
    if !bound.base_path.is_empty() && !matches!(&template.target, Text::Fixed(star) if star.as_ref() == b"*")
    {
        out.extend_from_slice(bound.base_path.as_bytes());
    }
    let own = out.len();
    template.target.write(values, out);
    if !bound.rewrites.is_empty() {
        let mut target = out.split_off(own);
        for rewrite in bound.rewrites.iter() {
            if let Cow::Owned(other) = rewrite.apply(&target) {
                target = other;
            }
        }
        out.extend_from_slice(&target);
    }
    let bad = |byte: u8| byte <= b' ' || byte == 0x7f;
    if out.get(from..).unwrap_or(&[]).iter().fold(false, |any, &byte| any | bad(byte)) {
        for byte in out.split_off(from) {
            if bad(byte) {
                let _ = write!(out, "%{byte:02X}");
            } else {
                out.push(byte);
            }
        }
    }
}

fn write_lines(
    template: &Template,
    values: &[Option<String>],
    bound: &Bound,
    cookies: &[(&str, &str)],
    body_bytes: usize,
    out: &mut Vec<u8>,
) {
    let (mut host, mut cookie, mut framed) = (false, false, template.chunked || body_bytes == 0);
    let written = |run: Range<usize>| template.written.get(run).unwrap_or(&[]);
    // What is to be written as it stands and was not yet.
    let mut run = 0..0;
    for line in &template.lines {
        let replaced = bound.set_headers.iter().any(|(name, _)| *name == line.name);
        if replaced || (matches!(line.field, Field::Coding) && !template.chunked) {
            continue;
        }
        if run.end != line.written.start {
            out.extend_from_slice(written(run));
            run = line.written.start..line.written.start;
        }
        if matches!(line.field, Field::Fixed | Field::Coding) {
            run.end = line.written.end;
            continue;
        }
        let begin = out.len() + line.written.start - run.start;
        out.extend_from_slice(written(run.start..line.written.end));
        run = line.written.end..line.written.end;
        let from = out.len();
        match &line.field {
            Field::Fixed | Field::Coding => {}
            Field::Host(recorded) => {
                host = true;
                out.extend_from_slice(bound.host.as_ref().map_or(recorded, |host| host.as_bytes()));
            }
            Field::Text(text) => {
                cookie |= line.name == header::COOKIE;
                text.write(values, out);
                clean(out, from);
            }
            Field::Url(text) => {
                out.extend_from_slice(&retarget(text.render(values), bound, line.name == header::REFERER));
                clean(out, from);
            }
            Field::Cookie(recorded) => {
                write_cookies(recorded, values, cookies, out);
                clean(out, from);
                if out.len() == from {
                    out.truncate(begin);
                    continue;
                }
                cookie = true;
            }
            // A chunked message has no length, whatever was recorded beside it.
            Field::Length if template.chunked => {
                out.truncate(begin);
                continue;
            }
            Field::Length => {
                framed = true;
                let _ = write!(out, "{body_bytes}");
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(written(run));
    for (name, line) in bound.set_headers.iter() {
        host |= *name == header::HOST;
        cookie |= *name == header::COOKIE;
        out.extend_from_slice(line);
    }
    // What the recorded head had no line for.
    let name = |written: &'static str, lower: &'static str| if template.lower_case { lower } else { written };
    if !host {
        let host = bound.host.as_ref().unwrap_or(&bound.authority);
        let _ = write!(out, "{}: {host}\r\n", name("Host", "host"));
    }
    if !cookies.is_empty() && !cookie {
        out.extend_from_slice(name("Cookie: ", "cookie: ").as_bytes());
        let from = out.len();
        write_cookies(&[], &[], cookies, out);
        clean(out, from);
        out.extend_from_slice(b"\r\n");
    }
    if !framed {
        let _ = write!(out, "{}: {body_bytes}\r\n", name("Content-Length", "content-length"));
    }
}

/// Recorded cookies in their order, those that the jar knows with the jar's value, then what else the jar has.
fn write_cookies(
    recorded: &[(Bytes, Text)],
    values: &[Option<String>],
    jar: &[(&str, &str)],
    out: &mut Vec<u8>,
) {
    let from = out.len();
    let begin = |name: &[u8], out: &mut Vec<u8>| {
        if out.len() > from {
            out.extend_from_slice(b"; ");
        }
        if !name.is_empty() {
            out.extend_from_slice(name);
            out.push(b'=');
        }
    };
    for (name, text) in recorded {
        begin(name, out);
        match jar.iter().find(|(known, _)| known.as_bytes() == name.as_ref()) {
            Some((_, value)) => out.extend_from_slice(value.as_bytes()),
            None => text.write(values, out),
        }
    }
    for (name, value) in jar {
        if !recorded.iter().any(|(known, _)| known.as_ref() == name.as_bytes()) {
            begin(name.as_bytes(), out);
            out.extend_from_slice(value.as_bytes());
        }
    }
}

/// Puts the target in the place of a recorded origin at the beginning of a URL.
fn retarget<'a>(url: Cow<'a, [u8]>, bound: &Bound, with_path: bool) -> Cow<'a, [u8]> {
    for (recorded, origin, base_path) in bound.origins.iter() {
        let Some(head) = url.get(..recorded.len()) else { continue };
        let rest = &url[recorded.len()..];
        let ends = matches!(rest.first(), None | Some(b'/' | b'?' | b'#'));
        if ends && head.eq_ignore_ascii_case(recorded.as_bytes()) {
            let path: &[u8] = if with_path { base_path.as_bytes() } else { b"" };
            return Cow::Owned([origin.as_bytes(), path, rest].concat());
        }
    }
    url
}
