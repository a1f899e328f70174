//! What the first bytes of a stream, or of what follows a hole, look like.

use memchr::memmem;
use mynah_traffic::Side;

/// The first bytes of HTTP/2 with prior knowledge, [RFC 9113 §3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// No method in the registry is half as long.
const MAX_METHOD: usize = 64;
const METHODS: &[&str] = &[
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "PURGE",
    "QUERY",
    "MERGE",
    "CHECKOUT",
];

/// What a stream carries, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    Request,
    Response,
    Tls,
    Http2,
    /// Too short to tell.
    Unclear,
    Other,
}

/// What `data`, the beginning of a stream or of a segment, looks like.
pub(crate) fn looks(data: &[u8]) -> Looks {
    let data = skip_line_breaks(data);
    match data {
        [] => return Looks::Unclear,
        // a TLS record: change cipher spec, alert, handshake or application data; version; length
        [0x14..=0x17, 0x03, 0..=4, high, _, ..] if *high <= 0x48 => return Looks::Tls,
        [0x14..=0x17, rest @ ..] if rest.len() < 4 => return Looks::Unclear,
        _ => {}
    }
    if data.len() >= 3 && common_prefix(data, HTTP2_PREFACE) {
        return if data.len() >= HTTP2_PREFACE.len() { Looks::Http2 } else { Looks::Unclear };
    }
    if common_prefix(data, b"HTTP/") {
        return if data.len() >= 5 { Looks::Response } else { Looks::Unclear };
    }
    match method_length(data) {
        Some(Some(length)) => {
            let method = &data[..length];
            let target = &data[length + 1..];
            if METHODS.iter().any(|known| known.as_bytes() == method) {
                return match target.first() {
                    None => Looks::Unclear,
                    Some(b'/' | b'*' | b'h' | b'H') => Looks::Request,
                    Some(_) if method == b"CONNECT" => Looks::Request,
                    Some(_) => Looks::Other,
                };
            }
            match memchr::memchr(b'\n', target) {
                Some(end) if memmem::find(&target[..end], b" HTTP/1.").is_some() => Looks::Request,
                None if target.len() < 4096 => Looks::Unclear,
                _ => Looks::Other,
            }
        }
        Some(None) => Looks::Unclear,
        None => Looks::Other,
    }
}

/// Whether a message of `side` may begin with `data`, where one is due.
pub(super) fn plausible(side: Side, data: &[u8]) -> bool {
    match side {
        Side::Response => common_prefix(data, b"HTTP/"),
        Side::Request => method_length(data).is_some() && !(data.len() >= 5 && data.starts_with(b"HTTP/")),
    }
}

/// Where in `data` a message of `side` begins for certain, when none is due. A segment that begins with one is the usual case;
/// within a segment only a whole start line counts.
pub(super) fn find(side: Side, data: &[u8]) -> Option<usize> {
    let leading = data.len() - skip_line_breaks(data).len();
    let wanted = if side == Side::Request { Looks::Request } else { Looks::Response };
    if looks(data) == wanted && (side == Side::Request || is_status_line(&data[leading..])) {
        return Some(leading);
    }
    match side {
        Side::Response => memmem::find_iter(data, b"HTTP/1.").find(|&at| is_status_line(&data[at..])),
        Side::Request => memmem::find_iter(data, b" HTTP/1.").find_map(|at| {
            let start = memchr::memrchr(b'\n', &data[..at])? + 1;
            (looks(&data[start..]) == Looks::Request).then_some(start)
        }),
    }
}

/// `HTTP/1.x ddd`, as far as there are bytes.
fn is_status_line(data: &[u8]) -> bool {
    let shape: &[fn(u8) -> bool] = &[
        |b| b.is_ascii_digit(),
        |b| b == b' ',
        |b| (b'1'..=b'9').contains(&b),
        |b| b.is_ascii_digit(),
        |b| b.is_ascii_digit(),
    ];
    data.strip_prefix(b"HTTP/1.")
        .is_some_and(|rest| rest.len() >= shape.len() && rest.iter().zip(shape).all(|(&b, is)| is(b)))
}

/// `data` without the empty lines that a recipient skips ([RFC 9112 §2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2)).
pub(super) fn skip_line_breaks(data: &[u8]) -> &[u8] {
    let end = data.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(data.len());
    &data[end..]
}

fn common_prefix(data: &[u8], wanted: &[u8]) -> bool {
    let length = data.len().min(wanted.len());
    data[..length] == wanted[..length]
}

/// Length of the method before the first space; `Some(None)` when the space has yet to come, `None` when there is no method.
#[allow(clippy::option_option)]
fn method_length(data: &[u8]) -> Option<Option<usize>> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    match data.iter().take(MAX_METHOD).position(|&b| !token(b)) {
        Some(0) => None,
        Some(at) => (data[at] == b' ').then_some(Some(at)),
        None if data.len() >= MAX_METHOD => None,
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        for (data, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], Looks::Request),
            (b"\r\nGET /", Looks::Request),
            (b"CONNECT host:443", Looks::Request),
            (b"BREW /pot HTTP/1.1\r\n", Looks::Request),
            (b"BREW /pot", Looks::Unclear),
            (b"G", Looks::Unclear),
            (b"HTT", Looks::Unclear),
            (b"HTTP/1.1 200", Looks::Response),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Looks::Http2),
            (b"PRI *", Looks::Unclear),
            (b"\x16\x03\x01\x02\0", Looks::Tls),
            (b"SSH-2.0-OpenSSH\r\n", Looks::Other),
            (b"EHLO example.org\r\n", Looks::Other),
            (b"\0\0\0\x2a", Looks::Other),
            (b"", Looks::Unclear),
        ] {
            assert_eq!(looks(data), expected, "{:?}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn beginnings_are_found_behind_a_hole() {
        assert_eq!(find(Side::Response, b"rest of body HTTP/1.1 200 OK\r\n"), Some(13));
        assert_eq!(find(Side::Response, b"about HTTP/1.1 and its ways"), None);
        assert_eq!(find(Side::Request, b"a=b\nGET /next HTTP/1.1\r\n"), Some(4));
        assert_eq!(find(Side::Request, b"GET /a-very-long-target"), Some(0));
        assert_eq!(find(Side::Request, b"some text about GET / HTTP/1.1"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(data: Vec<u8>) {
            let _ = looks(&data);
            let _ = (find(Side::Request, &data), find(Side::Response, &data));
        }
    }
}
