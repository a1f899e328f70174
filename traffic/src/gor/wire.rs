//! A message as it stood on the wire: the chunked coding, which recordings undo, done again.

use mynah_message::{Head, Message};

use crate::Side;

/// The bytes of a message. `bodiless`: its head announces a body that by rule is not there (an answer to `HEAD`).
/// `whole`: its body is; of one that was cut short the end is not told.
pub(super) fn bytes(message: &Message, side: Side, bodiless: bool, whole: bool) -> Vec<u8> {
    let Message { head, body, trailers } = message;
    let mut out = Vec::with_capacity(head.len() + body.len() + trailers.len() + 32);
    out.extend_from_slice(head);
    if bodiless || !Head::parse(head).is_ok_and(|head| is_chunked(&head, side)) {
        out.extend_from_slice(body);
        return out;
    }
    if !body.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    }
    if whole {
        out.extend_from_slice(b"0\r\n");
        out.extend_from_slice(trailers);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Whether a response of this status, to a request of this method, has no body whatever its head says,
/// [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
pub(super) fn is_bodiless(method: Option<&str>, status: u16) -> bool {
    match method {
        Some("HEAD") => true,
        Some("CONNECT") if status < 300 => true,
        _ => status < 200 || status == 204 || status == 304,
    }
}

/// Whether a reader undoes a chunked coding here: it is the last one, or, in a request, any.
fn is_chunked(head: &Head<'_>, side: Side) -> bool {
    let (mut last, mut any) = (false, false);
    for field in head.fields().filter(|field| field.is("transfer-encoding")) {
        for coding in field.unfolded().split(|&byte| byte == b',') {
            let name = coding.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
            if !name.is_empty() && !name.eq_ignore_ascii_case(b"identity") {
                last = name.eq_ignore_ascii_case(b"chunked");
                any |= last;
            }
        }
    }
    last || (any && side == Side::Request)
}
