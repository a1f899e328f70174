//! JSON web tokens: [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519).

use std::sync::LazyLock;

use base64::Engine as _;
use mynah_message::json;

use super::Found;
use crate::kind::Kind;

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

pub(super) fn jwts(text: &[u8], found: &mut Vec<Found>) {
    static START: LazyLock<memchr::memmem::Finder<'static>> =
        LazyLock::new(|| memchr::memmem::Finder::new(b"ey"));
    let mut end = 0;
    for at in START.find_iter(text) {
        if at < end || (at > 0 && is_base64url(text[at - 1])) {
            continue;
        }
        // Five parts at most: text of nothing but dots must not be read again from each of them.
        let mut dots = 0;
        let part = |b: &&u8| {
            dots += usize::from(**b == b'.');
            is_base64url(**b) || **b == b'.' && dots < 6
        };
        let len = text[at..].iter().take_while(part).count();
        let mut run = &text[at..at + len];
        // A full stop behind it ends the sentence, unless the token has an empty signature (two stops in all).
        while run.ends_with(b".") && memchr::memchr_iter(b'.', run).count() > 2 {
            run = &run[..run.len() - 1];
        }
        if is_jwt(run) {
            end = at + run.len();
            found.push(Found { range: at..end, kind: Kind::Jwt });
        }
    }
}

/// Three (signed) or five (encrypted) parts, of which the first is a header.
pub(crate) fn is_jwt(value: &[u8]) -> bool {
    if !value.starts_with(b"ey") || value.len() < 20 || !value.iter().all(|b| is_base64url(*b) || *b == b'.')
    {
        return false;
    }
    let parts: Vec<&[u8]> = value.split(|b| *b == b'.').collect();
    if !matches!(parts.len(), 3 | 5) || parts[1].is_empty() && parts.len() == 3 {
        return false;
    }
    decode_part(parts[0]).is_some_and(|header| {
        let mut telling = false;
        let end = json::scan(&header, 16, &mut |v| {
            telling |= matches!(v.path, "$.alg" | "$.enc" | "$.typ");
            std::ops::ControlFlow::Continue(())
        });
        telling && end == json::End::Whole
    })
}

/// Whether a value is the header of a web token, or its beginning, perhaps behind a name (`jwt=eyJhbGci…`): that is no secret, and the
/// same in very many tokens.
pub(crate) fn is_jwt_header(value: &[u8]) -> bool {
    const FIRST: [&[u8]; 8] =
        [b"alg\"", b"typ\"", b"kid\"", b"enc\"", b"cty\"", b"zip\"", b"x5t\"", b"jku\""];
    let value = value.strip_suffix(b".").unwrap_or(value);
    let is_name = |name: &[u8]| name.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_');
    let value = match memchr::memchr(b'=', value) {
        Some(at) if is_name(&value[..at]) => &value[at + 1..],
        _ => value,
    };
    let whole = value.len() / 4 * 4;
    value.starts_with(b"eyJ")
        && value.iter().all(|b| is_base64url(*b))
        && decode_part(&value[..whole])
            .and_then(|text| {
                text.strip_prefix(b"{\"").map(|rest| FIRST.iter().any(|name| rest.starts_with(name)))
            })
            .unwrap_or(false)
}

/// A part of a web token, decoded; sloppy last bits are forgiven.
pub(crate) fn decode_part(part: &[u8]) -> Option<Vec<u8>> {
    use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
    const LENIENT: GeneralPurpose =
        GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    LENIENT.decode(part).ok()
}
