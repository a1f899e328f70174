//! E-mail addresses: local part, @, domain ([RFC 5321 §4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2), as people
//! write them).

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::Found;
use crate::kind::Kind;

/// What ends like a domain and is a file.
const FILES: &str = "png jpg jpeg gif svg webp avif ico css js mjs ts tsx jsx json map html htm php woff woff2 ttf mp4 webm pdf";

/// How much of it is a domain: `shop.de.pdf` is a file that is named after one, `2x.png` is none.
fn without_extension(domain: &[u8]) -> Option<usize> {
    let dot = memchr::memrchr(b'.', domain)?;
    if !FILES.split(' ').any(|f| domain[dot + 1..].eq_ignore_ascii_case(f.as_bytes())) {
        return Some(domain.len());
    }
    let rest = &domain[..dot];
    let tld = memchr::memrchr(b'.', rest)?;
    let letters = |label: &[u8]| label.len() > 1 && label.iter().all(u8::is_ascii_alphabetic);
    let name = rest[..tld].rsplit(|b| *b == b'.').next()?;
    (letters(&rest[tld + 1..]) && name.iter().any(u8::is_ascii_alphabetic)).then_some(dot)
}

pub(super) fn emails(text: &[u8], found: &mut Vec<Found>) {
    static DOMAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // Labels of other scripts are as people write them, RFC 6531.
        Regex::new(r"^(?-u)(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?\.)+([A-Za-z]{2,24}|[\x80-\xff]{4,48})").ok()
    });
    let local = |b: u8| {
        b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
    };
    let Some(domain) = DOMAIN.as_ref() else { return };
    for at in memchr::memchr_iter(b'@', text) {
        let before = &text[at.saturating_sub(64)..at];
        let mut start = at - before.iter().rev().take_while(|b| local(**b)).count();
        // A sentence's quote or full stop is not part of the address; nor is a cut-off character.
        while text.get(start).is_some_and(|b| matches!(b, b'.' | b'\'' | b'-' | b'%' | 0x80..=0xbf))
            && start < at
        {
            start += 1;
        }
        if start == at || &text[start..at] == b"git" {
            continue;
        }
        let rest = &text[at + 1..text.len().min(at + 255)];
        let Some(matched) = domain.captures(rest) else { continue };
        let domain = matched.get(0).map_or(&b""[..], |m| m.as_bytes());
        if let Some(len) = without_extension(domain) {
            found.push(Found { range: start..at + 1 + len, kind: Kind::Email });
        }
    }
}
