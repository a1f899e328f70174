//! E-mail addresses: one reserved address ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)) for each.

use crate::detect;
use crate::key::SubKey;
use crate::kind::Kind;

/// Characters of the local part at least: 36^9 × 26 of them, so that a million addresses stay apart.
const LOCAL: usize = 10;
const DOMAIN: usize = 8;

/// `token@token.example` in lower case; `Ann@x.com` and `ann@X.com` are one address. The domain's part depends on the domain
/// alone. `None` when the value is no address.
pub(super) fn email(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    if detect::shape(value) != Some(Kind::Email) {
        return None;
    }
    let canonical = value.to_ascii_lowercase();
    let at = memchr::memrchr(b'@', &canonical)?;
    let mut out = Vec::with_capacity(at.max(LOCAL) + DOMAIN + 9);
    name(key, &canonical, at.clamp(LOCAL, 64), &mut out);
    out.push(b'@');
    name(key, &canonical[at..], DOMAIN, &mut out);
    out.extend_from_slice(b".example");
    Some(out)
}

/// A letter, then letters and digits.
fn name(key: &SubKey, seed: &[u8], len: usize, out: &mut Vec<u8>) {
    const SET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    for (i, word) in key.stream(seed).take(len).enumerate() {
        let size = if i == 0 { 26 } else { 36 };
        out.push(SET[word as usize % size]);
    }
}
