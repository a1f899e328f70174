//! Header fields on their way through: which go on ([RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)), and heads
//! written down where the wire had none in HTTP/1.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Uri, request, response, uri};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// The words of a list, such as `Connection: close, te`.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// What the connection is asked to become. `h2c` is not asked on: HTTP/1.1 goes on instead.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"));
    let to = headers.get(UPGRADE).filter(|_| asked)?;
    let h2c = words(headers, &UPGRADE).any(|word| word.eq_ignore_ascii_case("h2c"));
    (!h2c).then(|| to.clone())
}

/// Takes out what was meant for this connection only. `Host` and `Content-Length` stay, whatever a client says of them.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = words(headers, &CONNECTION)
        .filter_map(|word| HeaderName::try_from(word).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    let trailers = words(headers, &TE).any(|word| word.eq_ignore_ascii_case("trailers"));
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    for name in &named {
        headers.remove(name);
    }
    for name in
        [&CONNECTION, &KEEP_ALIVE, &PROXY_CONNECTION, &HTTP2_SETTINGS, &TE, &TRANSFER_ENCODING, &UPGRADE]
    {
        headers.remove(name);
    }
    if chunked {
        // chunks decide (RFC 9112 §6.3); the length must not go on beside them
        headers.remove(CONTENT_LENGTH);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// HTTP/2 may send cookies one by one; HTTP/1 has one field
/// ([RFC 9113 §8.2.3](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3)).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// `/path?query`, or `*`.
pub(super) fn origin_form(uri: &Uri) -> Uri {
    let mut parts = uri::Parts::default();
    let target = uri.path_and_query().filter(|target| !target.as_str().is_empty());
    parts.path_and_query = Some(target.cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_default()
}

/// A request's head as HTTP/1.1 text.
pub(super) fn request_head(parts: &request::Parts) -> Bytes {
    let mut head = BytesMut::with_capacity(512);
    let target = parts.uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
    for part in [parts.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.put_slice(part.as_bytes());
    }
    if let Some(authority) = parts.uri.authority().filter(|_| !parts.headers.contains_key(HOST)) {
        line(&mut head, b"Host", authority.as_str().as_bytes());
    }
    lines(head, &parts.headers)
}

/// A response's.
pub(super) fn response_head(parts: &response::Parts) -> Bytes {
    let mut head = BytesMut::with_capacity(512);
    let reason = parts.status.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", parts.status.as_str(), " ", reason, "\r\n"] {
        head.put_slice(part.as_bytes());
    }
    lines(head, &parts.headers)
}

fn lines(mut head: BytesMut, headers: &HeaderMap) -> Bytes {
    for (name, value) in headers {
        line(&mut head, name.as_str().as_bytes(), value.as_bytes());
    }
    head.put_slice(b"\r\n");
    head.freeze()
}

fn line(head: &mut BytesMut, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        head.put_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_is_meant_for_one_connection_stays_on_it() {
        let mut sent = headers(&[
            ("host", "shop"),
            ("connection", "close, X-Own, host"),
            ("x-own", "1"),
            ("x-other", "2"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
        ]);
        strip(&mut sent);
        assert_eq!(sent, headers(&[("host", "shop"), ("x-other", "2"), ("te", "trailers")]));
    }

    #[test]
    fn upgrades_are_asked_on_except_to_http2() {
        let asked = |to| upgrade(&headers(&[("connection", "Keep-Alive, Upgrade"), ("upgrade", to)]));
        assert_eq!(asked("websocket").as_ref().and_then(|to| to.to_str().ok()), Some("websocket"));
        assert_eq!(asked("h2c"), None);
        assert_eq!(upgrade(&headers(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn http2_is_written_as_http1() {
        let (mut parts, ()) = http::Request::get("https://shop.example/a?b=1")
            .header("x-a", "1")
            .body(())
            .unwrap()
            .into_parts();
        for crumb in ["a=1", "b=2"] {
            parts.headers.append(COOKIE, HeaderValue::from_static(crumb));
        }
        join_cookies(&mut parts.headers);
        assert_eq!(
            request_head(&parts),
            "GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nx-a: 1\r\ncookie: a=1; b=2\r\n\r\n"
        );
        assert_eq!(origin_form(&parts.uri), "/a?b=1");
        assert_eq!(origin_form(&Uri::from_static("*")), "*");
        assert_eq!(origin_form(&Uri::from_static("http://shop")), "/");
    }
}
