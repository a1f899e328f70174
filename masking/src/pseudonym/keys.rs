//! Keys: those of vendors keep their prefix, private ones their armour.

use super::Pseudonyms;
use crate::detect::{pem, vendor};

/// A key of the same vendor and sort: prefix, length and alphabet kept, GitHub's checksum right where it was. `None` when the value
/// is no such key.
pub(super) fn vendor(pseudonyms: &Pseudonyms, value: &[u8]) -> Option<Vec<u8>> {
    let (form, len) = vendor::key(value)?;
    if len != value.len() {
        return None;
    }
    let (prefix, rest) = value.split_at(form.prefix.len());
    if form.rest == vendor::Alphabet::Parts {
        // Each part is a secret by itself.
        return Some([prefix, &pseudonyms.token(rest, true)].concat());
    }
    let set = |is: fn(&u8) -> bool| -> Vec<u8> { (0..128).filter(|b| form.rest.has(*b) && is(b)).collect() };
    let (digits, upper, lower) =
        (set(u8::is_ascii_digit), set(u8::is_ascii_uppercase), set(u8::is_ascii_lowercase));
    let words = pseudonyms.token.stream(value);
    let other = |(b, word): (&u8, u32)| {
        let set = match b {
            b'0'..=b'9' => &digits,
            b'A'..=b'Z' => &upper,
            b'a'..=b'z' => &lower,
            _ => return *b,
        };
        set.get(word as usize % set.len().max(1)).copied().unwrap_or(*b)
    };
    let mut masked: Vec<u8> = rest.iter().zip(words).map(other).collect();
    let checked = |body: &[u8]| {
        let (body, check) = body.split_at(body.len().saturating_sub(6));
        form.prefix.starts_with("gh") && vendor::github_check(body) == *check
    };
    if checked(rest) {
        let body = masked.len() - 6;
        let check = vendor::github_check(&masked[..body]);
        masked[body..].copy_from_slice(&check);
    }
    Some([prefix, &masked].concat())
}

/// The same armour around another body: lines as long as they were, base64 that decodes to as many bytes. Headers within the
/// armour (RFC 1421) stay, but for a checksum. `None` when the value is no private key.
pub(super) fn private_key(pseudonyms: &Pseudonyms, value: &[u8]) -> Option<Vec<u8>> {
    if !pem::is_private_key(value) {
        return None;
    }
    let mut out = Vec::with_capacity(value.len());
    let mut words = pseudonyms.token.stream(value);
    for line in value.split_inclusive(|b| *b == b'\n') {
        // `\n` may stand for the line's end where nobody undid the escape.
        let plain = line.starts_with(b"-----") && memchr::memmem::find(line, b"\\n").is_none();
        if plain || memchr::memchr(b':', line).is_some() {
            out.extend_from_slice(line);
            continue;
        }
        body(line, &mut words, &mut out);
    }
    Some(out)
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')
}

/// A line of base64, or several with escaped ends between armour on one line.
fn body(line: &[u8], words: &mut impl Iterator<Item = u32>, out: &mut Vec<u8>) {
    const SET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while let Some(b) = line.get(at) {
        let rest = &line[at..];
        if rest.starts_with(b"-----") {
            let end = memchr::memmem::find(&rest[5..], b"-----").map_or(rest.len(), |end| end + 10);
            out.extend_from_slice(&rest[..end]);
            at += end;
        } else if rest.starts_with(b"\\n") || rest.starts_with(b"\\r") {
            out.extend_from_slice(&rest[..2]);
            at += 2;
        } else if is_base64(*b) {
            // Before padding some bits mean nothing and must be zero.
            let padding = rest[1..].iter().take(2).take_while(|b| **b == b'=').count();
            let mask = [0x3f, 0x3c, 0x30][padding];
            let word = words.next().unwrap_or(0) as usize & mask;
            out.push(SET[word]);
            at += 1;
        } else {
            out.push(*b);
            at += 1;
        }
    }
}
