//! Addresses of network interfaces: [IEEE 802, EUI-48](https://standards.ieee.org/products-programs/regauth/).

use super::{Found, before, in_word};
use crate::kind::Kind;

/// `3c:a4:d8:01:aa:bb`, `3C-A4-…`, `3ca4.d801.aabb`; not of all or no devices.
pub(crate) fn is_mac(value: &[u8]) -> bool {
    let (step, separators): (usize, &[u8]) = match value.len() {
        17 => (3, b":-"),
        14 => (5, b"."),
        _ => return false,
    };
    let separator = value[step - 1];
    separators.contains(&separator)
        && value
            .iter()
            .enumerate()
            .all(|(i, b)| if i % step == step - 1 { *b == separator } else { b.is_ascii_hexdigit() })
        && !value.iter().all(|b| *b == b'0' || *b == separator)
        && !value.iter().all(|b| matches!(b, b'f' | b'F') || *b == separator)
}

/// Those in a text.
pub(super) fn in_text(text: &[u8], found: &mut Vec<Found>) {
    let mut after = 0;
    for at in memchr::memchr3_iter(b':', b'-', b'.', text) {
        let (pair, len) = if text[at] == b'.' { (4, 14) } else { (2, 17) };
        // Two more of the same, in their places: so few dashes and stops are left.
        if at < after || text.get(at + pair + 1) != Some(&text[at]) || at < pair {
            continue;
        }
        let start = at - pair;
        let end = start + len;
        let Some(value) = text.get(start..end) else { continue };
        // An IPv6 address may begin like one; so may a UUID or a row of times.
        let goes_on = |b: Option<&u8>| in_word(b) || b == Some(&text[at]);
        if is_mac(value) && !goes_on(before(text, start)) && !goes_on(text.get(end)) && is_telling(value) {
            after = end;
            found.push(Found { range: start..end, kind: Kind::Mac });
        }
    }
}

/// Groups of digits only, `10-11-12-13-14-15`, may be anything when dashes or stops divide them.
fn is_telling(value: &[u8]) -> bool {
    value[2] == b':' || value.iter().any(u8::is_ascii_alphabetic)
}
