//! Where a message ends, [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3).

use std::borrow::Cow;

use mynah_message::{Head, Version};
use mynah_traffic::{Flag, Flags, Side};

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    Empty,
    /// So many bytes.
    Fixed(u64),
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What of a request decides about its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) head: bool,
    pub(super) connect: bool,
}

impl Asked {
    pub(super) fn of(head: &Head<'_>) -> Asked {
        let method = head.method();
        Asked { head: method == Some("HEAD"), connect: method == Some("CONNECT") }
    }
}

/// The framing fields of a head, read in one pass.
#[derive(Default)]
struct Fields {
    lengths: Option<Lengths>,
    codings: Option<Codings>,
    malformed: bool,
}

/// The lengths that were said.
#[derive(Clone, Copy)]
struct Lengths {
    first: Option<u64>,
    /// The first that is a number.
    number: Option<u64>,
    /// Not all say the same.
    differ: bool,
}

impl Lengths {
    fn add(so_far: Option<Lengths>, length: Option<u64>) -> Lengths {
        match so_far {
            None => Lengths { first: length, number: length, differ: false },
            Some(lengths) => Lengths {
                number: lengths.number.or(length),
                differ: lengths.differ || length != lengths.first,
                ..lengths
            },
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Codings {
    chunked: u32,
    chunked_last: bool,
    others: u32,
}

fn fields(head: &Head<'_>) -> Fields {
    let mut found = Fields::default();
    for (name, value) in head.raw_fields() {
        if name.is_empty() {
            found.malformed = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            for part in value.split(|&b| b == b',') {
                found.lengths = Some(Lengths::add(found.lengths, decimal(part.trim_ascii())));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let codings = found.codings.get_or_insert_default();
            for part in unfolded(value).split(|&b| b == b',') {
                let name = part.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
                if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                codings.chunked_last = name.eq_ignore_ascii_case(b"chunked");
                codings.chunked += u32::from(codings.chunked_last);
                codings.others += u32::from(!codings.chunked_last);
            }
        }
    }
    found.codings = found.codings.filter(|codings| codings.chunked + codings.others > 0);
    found
}

/// A fold is one space, RFC 9112 §5.2.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().map(|&b| if b == b'\r' || b == b'\n' { b' ' } else { b }).collect())
}

fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// How the body of the message with this head is delimited. `asked` is the request of a response.
/// Sets [`Flag::AmbiguousFraming`] and [`Flag::Malformed`] where they apply.
pub(super) fn framing(head: &Head<'_>, side: Side, asked: Asked, flags: &mut Flags) -> Framing {
    let fields = fields(head);
    if fields.malformed || head.version() == Version::Other || head.version() == Version::Http09 {
        flags.set(Flag::Malformed);
    }
    if side == Side::Response {
        let status = head.status().unwrap_or_default();
        if asked.head || status < 200 || status == 204 || status == 304 {
            return Framing::Empty;
        }
        if asked.connect && status < 300 {
            return Framing::Empty;
        }
    }
    let unbounded = if side == Side::Response { Framing::UntilClose } else { Framing::Empty };
    if let Some(codings) = fields.codings {
        let odd = !codings.chunked_last || codings.chunked != 1 || head.version() == Version::Http10;
        if fields.lengths.is_some() || odd {
            flags.set(Flag::AmbiguousFraming);
        }
        return match (codings.chunked_last, side) {
            (true, _) => Framing::Chunked,
            (false, Side::Response) => Framing::UntilClose,
            // such a request is refused by its server; what can be read of it is what its chunks say
            (false, Side::Request) if codings.chunked > 0 => Framing::Chunked,
            (false, Side::Request) => Framing::Empty,
        };
    }
    let Some(lengths) = fields.lengths else { return unbounded };
    if lengths.differ {
        flags.set(Flag::AmbiguousFraming);
    }
    match lengths.number {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Fixed(length),
        None => {
            flags.set(Flag::Malformed);
            flags.set(Flag::AmbiguousFraming);
            unbounded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, asked: Asked) -> (Framing, Vec<Flag>) {
        let head = Head::parse(text.as_bytes()).unwrap();
        let side = if head.status().is_some() { Side::Response } else { Side::Request };
        let mut flags = Flags::default();
        (framing(&head, side, asked, &mut flags), flags.iter().collect())
    }

    #[test]
    fn the_rules_of_rfc_9112() {
        use Flag::{AmbiguousFraming, Malformed};
        use Framing::{Chunked, Empty, Fixed, UntilClose};
        let plain = Asked::default();
        let head = Asked { head: true, connect: false };
        let connect = Asked { head: false, connect: true };
        let cases: &[(&str, Asked, Framing, &[Flag])] = &[
            ("HTTP/1.1 200 OK\n\n", plain, UntilClose, &[]),
            ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", plain, Fixed(5), &[]),
            ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", head, Empty, &[]),
            ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", connect, Empty, &[]),
            ("HTTP/1.1 407 No\nContent-Length: 5\n\n", connect, Fixed(5), &[]),
            ("HTTP/1.1 304 Same\nContent-Length: 5\n\n", plain, Empty, &[]),
            ("HTTP/1.1 204 None\nTransfer-Encoding: chunked\n\n", plain, Empty, &[]),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n", plain, Chunked, &[]),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: identity\nContent-Length: 2\n\n", plain, Fixed(2), &[]),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n",
                plain,
                Chunked,
                &[AmbiguousFraming],
            ),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", plain, UntilClose, &[AmbiguousFraming]),
            ("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\n", plain, Fixed(5), &[]),
            ("HTTP/1.1 200 OK\nContent-Length: 5, 6\n\n", plain, Fixed(5), &[AmbiguousFraming]),
            ("HTTP/1.1 200 OK\nContent-Length: +5\n\n", plain, UntilClose, &[AmbiguousFraming, Malformed]),
            (
                "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\n",
                plain,
                UntilClose,
                &[AmbiguousFraming, Malformed],
            ),
            ("GET / HTTP/1.1\n\n", plain, Empty, &[]),
            ("POST / HTTP/1.1\nContent-Length: 0007\n\n", plain, Fixed(7), &[]),
            ("POST / HTTP/1.1\nTransfer-Encoding: Chunked\n\n", plain, Chunked, &[]),
            ("POST / HTTP/1.0\nTransfer-Encoding: chunked\n\n", plain, Chunked, &[AmbiguousFraming]),
            ("GET / HTTP/1.\nHost: x\n\n", plain, Empty, &[Malformed]),
        ];
        for (text, asked, framing, flags) in cases {
            assert_eq!(of(text, *asked), (*framing, flags.to_vec()), "{text}");
        }
    }
}
