//! From a template and the values at hand to a request.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::uri::Uri;
use http::{HeaderMap, Request};
use mynah_message::{Edit, Limits, View, patch};

use super::compile::{Names, compile, value};
use super::{Field, Piece, Template, Text};
use crate::body::Body;

/// What a run adds to every request for one recorded origin.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The target's authority; `None`: the recorded one is sent.
    pub(crate) host: Option<HeaderValue>,
    /// The target's own authority, for requests that recorded none.
    pub(crate) authority: HeaderValue,
    /// Put before the path.
    pub(crate) base_path: String,
    /// Recorded origin (`https://shop.example`) → the target's origin and base path.
    pub(crate) origins: std::sync::Arc<[(String, String, String)]>,
    /// Sent in place of recorded ones.
    pub(crate) set_headers: std::sync::Arc<[(HeaderName, HeaderValue)]>,
}

impl Text {
    fn render(&self, values: &[Option<String>]) -> Bytes {
        let pieces = match self {
            Text::Fixed(bytes) => return bytes.clone(),
            Text::Parts(pieces) => pieces,
        };
        let mut out = BytesMut::new();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.put_slice(bytes),
                Piece::Value { need, encoding, recorded } => match values.get(*need) {
                    Some(Some(value)) => out.put_slice(&encoding.encode(value.as_bytes())),
                    _ => out.put_slice(recorded),
                },
            }
        }
        out.freeze()
    }
}

/// Fills a template in. `values`: one for each of its needs, with the text around them; `None` leaves what was recorded.
/// `cookies`: what the jar has for this request, in the order in which it is to be sent.
///
/// # Errors
/// In words, when the result is no request that could be sent.
pub(crate) fn render(
    template: &Template,
    values: &[Option<String>],
    bound: &Bound,
    cookies: &[(&str, &str)],
) -> Result<Request<Body>, String> {
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
        let fixed = compile(&message, &[], &Names { correlations: &[], columns: &[] }, &mut |_| {})?;
        return render(&fixed, &[], bound, cookies);
    }
    let body = template.body.render(values);
    let body_bytes = body.len();
    let mut request = Request::new(Body::empty());
    *request.method_mut() = template.method.clone();
    *request.version_mut() = template.version;
    *request.uri_mut() = uri(&template.target.render(values), &bound.base_path)?;
    let headers = request.headers_mut();
    headers.reserve(template.fields.len() + bound.set_headers.len() + 1);
    for (name, field) in &template.fields {
        if bound.set_headers.iter().any(|(other, _)| other == name) {
            continue;
        }
        let value = match field {
            Field::Fixed(value) => value.clone(),
            Field::Host(recorded) => bound.host.clone().unwrap_or_else(|| recorded.clone()),
            Field::Text(text) => value(&text.render(values)),
            Field::Url(text) => value(&retarget(text.render(values), bound, *name == header::REFERER)),
            Field::Cookie(recorded) => match cookie_header(recorded, values, cookies) {
                Some(value) => value,
                None => continue,
            },
            // A chunked message has no length, whatever was recorded beside it.
            Field::Length if template.chunked => continue,
            Field::Length => HeaderValue::from(body_bytes),
        };
        headers.append(name.clone(), value);
    }
    for (name, value) in bound.set_headers.iter() {
        headers.append(name.clone(), value.clone());
    }
    complete(headers, bound, cookies);
    *request.body_mut() =
        if template.chunked { Body::chunked(body, template.trailers.clone()) } else { Body::full(body) };
    Ok(request)
}

/// What the recorded head had no line for.
fn complete(headers: &mut HeaderMap, bound: &Bound, cookies: &[(&str, &str)]) {
    if !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, bound.host.clone().unwrap_or_else(|| bound.authority.clone()));
    }
    if !cookies.is_empty()
        && !headers.contains_key(header::COOKIE)
        && let Some(value) = cookie_header(&[], &[], cookies)
    {
        headers.append(header::COOKIE, value);
    }
}

/// Recorded cookies in their order, those that the jar knows with the jar's value, then what else the jar has.
fn cookie_header(
    recorded: &[(Bytes, Text)],
    values: &[Option<String>],
    jar: &[(&str, &str)],
) -> Option<HeaderValue> {
    let mut out = BytesMut::new();
    let mut push = |name: &[u8], value: &[u8]| {
        if !out.is_empty() {
            out.put_slice(b"; ");
        }
        if !name.is_empty() {
            out.put_slice(name);
            out.put_u8(b'=');
        }
        out.put_slice(value);
    };
    for (name, text) in recorded {
        match jar.iter().find(|(known, _)| known.as_bytes() == name.as_ref()) {
            Some((_, value)) => push(name, value.as_bytes()),
            None => push(name, &text.render(values)),
        }
    }
    for (name, cookie) in jar {
        if !recorded.iter().any(|(known, _)| known.as_ref() == name.as_bytes()) {
            push(name.as_bytes(), cookie.as_bytes());
        }
    }
    (!out.is_empty()).then(|| value(&out))
}

/// Puts the target in the place of a recorded origin at the beginning of a URL.
fn retarget(url: Bytes, bound: &Bound, with_path: bool) -> Bytes {
    for (recorded, origin, base_path) in bound.origins.iter() {
        let Some(head) = url.get(..recorded.len()) else { continue };
        let rest = &url[recorded.len()..];
        let ends = matches!(rest.first(), None | Some(b'/' | b'?' | b'#'));
        if ends && head.eq_ignore_ascii_case(recorded.as_bytes()) {
            let path: &[u8] = if with_path { base_path.as_bytes() } else { b"" };
            return [origin.as_bytes(), path, rest].concat().into();
        }
    }
    url
}

/// The request's target. Bytes that were recorded although no target may hold them are percent-encoded.
fn uri(target: &Bytes, base_path: &str) -> Result<Uri, String> {
    let whole: Bytes = if base_path.is_empty() || target.as_ref() == b"*" {
        target.clone()
    } else {
        [base_path.as_bytes(), target].concat().into()
    };
    Uri::from_maybe_shared(whole.clone()).or_else(|_| {
        let mut clean = Vec::with_capacity(whole.len() + 8);
        for &byte in &whole {
            if matches!(byte, 0..=b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7f..) {
                clean.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                clean.push(byte);
            }
        }
        let shown = String::from_utf8_lossy(whole.get(..80).unwrap_or(&whole)).into_owned();
        Uri::from_maybe_shared(Bytes::from(clean))
            .map_err(|error| format!("its target cannot be sent ({error}): {shown}"))
    })
}
