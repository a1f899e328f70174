//! A request that was written for HTTP/1, as HTTP/2 has it: [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113) §8.2 and §8.3.

use std::fmt::Write as _;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Uri, Version};
use mynah_traffic::Scheme;

use crate::net::reader::{Chunks, FIELD_LIMIT};

/// A request for one stream.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) request: Request<()>,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    /// Its body is to wait for the server's word.
    pub(super) waits: bool,
}

/// Says of a connection what HTTP/2 says otherwise, or not at all.
fn is_hop(name: &HeaderName) -> bool {
    matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Reads a request as it would be sent over HTTP/1: `bytes`, then `rest`.
///
/// # Errors
/// In words, when it is one that HTTP/2 has no form for.
pub(super) fn outgoing(bytes: &[u8], rest: &Bytes, scheme: Scheme) -> Result<Outgoing, String> {
    // What comes from middleware is in one piece, all of it in the rest.
    let (head, whole) = if bytes.is_empty() { (&rest[..], true) } else { (bytes, false) };
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut parsed = httparse::Request::new(&mut []);
    let length = match parsed.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("its head has no end".to_owned()),
        Err(error) => return Err(format!("its head cannot be read: {error}")),
    };
    let method =
        Method::from_bytes(parsed.method.unwrap_or("").as_bytes()).map_err(|error| error.to_string())?;
    // What of the head is of the connection, before anything is taken over: fields that are removed later lose their order.
    let mut chunked = false;
    let mut named: Vec<&[u8]> = Vec::new();
    for field in parsed.headers.iter() {
        let last = || field.value.rsplit(|&byte| byte == b',').next().unwrap_or(&[]).trim_ascii();
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = last().eq_ignore_ascii_case(b"chunked");
        } else if field.name.eq_ignore_ascii_case("connection") {
            named.extend(field.value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii));
        }
    }
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + 4);
    let mut authority = None;
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| format!("a header cannot be called '{}'", field.name))?;
        if name == header::HOST {
            authority = Some(field.value);
            continue;
        }
        let is_named = || named.iter().any(|named| named.eq_ignore_ascii_case(field.name.as_bytes()));
        if is_hop(&name)
            || (chunked && name == header::CONTENT_LENGTH)
            || (name == header::TE && !field.value.eq_ignore_ascii_case(b"trailers"))
            || (name != header::TE && is_named())
        {
            continue;
        }
        let value = |bytes: &[u8]| {
            HeaderValue::from_bytes(bytes).map_err(|_| format!("{name} holds a character that no header can"))
        };
        if name == header::COOKIE {
            // §8.2.3: one at a time compresses better, and browsers do it.
            for crumb in field.value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii) {
                if !crumb.is_empty() {
                    headers.append(header::COOKIE, value(crumb)?);
                }
            }
        } else {
            let value = value(field.value)?;
            headers.append(name, value);
        }
    }
    let behind = head.get(length..).unwrap_or(&[]);
    let (body, trailers) = if chunked {
        let all = if whole { behind.to_vec() } else { [behind, &rest[..]].concat() };
        unchunked(&all)?
    } else if whole {
        (rest.slice(length..), None)
    } else if behind.is_empty() {
        (rest.clone(), None)
    } else if rest.is_empty() {
        (Bytes::copy_from_slice(behind), None)
    } else {
        ([behind, &rest[..]].concat().into(), None)
    };
    let waits = !body.is_empty()
        && headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let mut request = Request::new(());
    *request.uri_mut() = uri(scheme, authority, parsed.path.unwrap_or("/"))?;
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(Outgoing { request, body, trailers, waits })
}

fn uri(scheme: Scheme, authority: Option<&[u8]>, path: &str) -> Result<Uri, String> {
    let host = authority.unwrap_or(&[]).trim_ascii();
    let authority = Authority::try_from(host)
        .map_err(|_| format!("'{}' cannot be its :authority", String::from_utf8_lossy(host)))?;
    // A few characters that are in nobody's grammar are sent by browsers all the same; here they must be encoded.
    let path = PathAndQuery::try_from(path).or_else(|_| PathAndQuery::try_from(encoded(path)));
    let mut parts = http::uri::Parts::default();
    parts.scheme =
        Some(if scheme == Scheme::Https { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    parts.authority = Some(authority);
    parts.path_and_query = Some(path.map_err(|error| format!("its path cannot be sent: {error}"))?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len() + 8), |mut out, byte| {
        if byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'`' | b'\\' | b'^' | b'#' | b'"') {
            out.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The data of a chunked body, and the fields after it.
fn unchunked(bytes: &[u8]) -> Result<(Bytes, Option<HeaderMap>), String> {
    let mut chunks = Chunks::default();
    let mut data = Vec::with_capacity(bytes.len());
    let mut after = 0;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let step = chunks.step(rest).map_err(|fault| format!("its chunks cannot be read: {fault:?}"))?;
        data.extend_from_slice(rest.get(..step.data).unwrap_or(&[]));
        at += step.used;
        if step.data > 0 {
            after = at;
        }
        if step.complete {
            break;
        }
        if step.used == 0 {
            return Err("its chunks have no end".to_owned());
        }
    }
    let mut trailers = HeaderMap::new();
    for line in bytes.get(after..at).unwrap_or(&[]).split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or(&[]).trim_ascii()),
        ) {
            trailers.append(name, value);
        }
    }
    Ok((data.into(), (!trailers.is_empty()).then_some(trailers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, rest: &'static [u8]) -> Result<Outgoing, String> {
        outgoing(text.replace('\n', "\r\n").as_bytes(), &Bytes::from_static(rest), Scheme::Https)
    }

    #[test]
    fn heads_lose_what_is_said_of_connections() {
        let text = "GET /a?b=<c> HTTP/1.1\nHOST: Shop.example:81\nConnection: keep-alive, X-Own, TE\nX-Own: 1\nTE: trailers\n\
                    Keep-Alive: 5\nUpgrade: h2c\nHTTP2-Settings: AA\nProxy-Connection: x\nX-Two: a\nx-two: b\nCookie: a=1; b=2\n\n";
        let sent = read(text, b"").unwrap();
        assert_eq!(sent.request.uri().to_string(), "https://Shop.example:81/a?b=%3Cc%3E");
        let fields: Vec<(&str, &[u8])> =
            sent.request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(
            fields,
            [
                ("te", b"trailers".as_slice()),
                ("x-two", b"a"),
                ("x-two", b"b"),
                ("cookie", b"a=1"),
                ("cookie", b"b=2")
            ]
        );
        assert!(sent.body.is_empty() && sent.trailers.is_none());
    }

    #[test]
    fn bodies_are_the_same_whatever_they_came_in() {
        let plain =
            read("POST / HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 3\n\na", b"bc").unwrap();
        assert_eq!((&plain.body[..], plain.waits), (b"abc".as_slice(), true));
        let whole = Bytes::from_static(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(outgoing(&[], &whole, Scheme::Http).unwrap().body, "abc");
        let text =
            "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n2\nab\n1\nc\n0\ngrpc-status: 0\n\n";
        let chunked = read(text, b"").unwrap();
        assert_eq!(chunked.body, "abc");
        assert_eq!(chunked.trailers.unwrap()["grpc-status"], "0");
        assert!(chunked.request.headers().is_empty());
    }

    #[test]
    fn what_has_no_form_is_told() {
        for (text, why) in [
            ("GET / HTTP/1.1\nHost: a b\n\n", "authority"),
            ("GET / HTTP/1.1\n\n", "authority"),
            ("GET / HTTP/1.1\nHost: h\n", "no end"),
            ("POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\nabc", "no end"),
            ("POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\nx\n", "chunks"),
        ] {
            let said = read(text, b"").unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_request_or_told(
            head in "(GET|POST|X) [ -~]{0,20} HTTP/1.1\r\n([A-Za-z-]{1,12}: ?[ -~]{0,12}\r\n|Host: h\r\n|Transfer-Encoding: chunked\r\n){0,5}",
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
            at in 0usize..200,
        ) {
            let whole = [head.as_bytes(), b"\r\n", &body].concat();
            let at = at.min(whole.len());
            let (first, rest) = whole.split_at(at);
            // However it is cut, what it is does not change, as long as its head is in one piece.
            let in_one = outgoing(&whole, &Bytes::new(), Scheme::Http);
            let _ = outgoing(first, &Bytes::copy_from_slice(rest), Scheme::Http);
            let behind = outgoing(&[], &Bytes::copy_from_slice(&whole), Scheme::Http);
            match (in_one, behind) {
                (Ok(one), Ok(other)) => proptest::prop_assert_eq!(one.body, other.body),
                (one, other) => proptest::prop_assert_eq!(one.is_ok(), other.is_ok()),
            }
        }
    }
}
