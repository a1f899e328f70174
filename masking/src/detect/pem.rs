//! Private keys in textual encoding: [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468), and OpenSSH's and OpenPGP's likes.

use std::sync::LazyLock;

use super::Found;
use crate::kind::Kind;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Whether a value begins as one does.
pub(crate) fn begins(value: &[u8]) -> bool {
    value.starts_with(BEGIN)
}

/// Those in a text, each from its BEGIN to the last dash of its END; to the end of the text where that is missing.
pub(super) fn private_keys(text: &[u8], found: &mut Vec<Found>) {
    let mut after = 0;
    static FINDER: LazyLock<memchr::memmem::Finder<'static>> =
        LazyLock::new(|| memchr::memmem::Finder::new(BEGIN));
    for at in FINDER.find_iter(text) {
        if at < after {
            continue;
        }
        let rest = &text[at + BEGIN.len()..];
        let Some(label) = label(rest) else { continue };
        if memchr::memmem::find(label, b"PRIVATE KEY").is_none() {
            continue;
        }
        let end = memchr::memmem::find(rest, END)
            .filter(|end| rest[end + END.len()..].starts_with(label))
            .map_or(text.len(), |end| at + BEGIN.len() + end + END.len() + label.len() + DASHES.len());
        after = end.min(text.len());
        found.push(Found { range: at..after, kind: Kind::PrivateKey });
    }
}

/// What stands between `BEGIN` and the dashes.
pub(crate) fn label(rest: &[u8]) -> Option<&[u8]> {
    let len =
        rest.iter().take(64).take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b' ');
    let (label, dashes) = rest.split_at(len.count());
    dashes.starts_with(DASHES).then_some(label)
}

/// A private key's lines from BEGIN to END.
pub(crate) fn is_private_key(value: &[u8]) -> bool {
    let mut found = Vec::new();
    if begins(value) {
        private_keys(value, &mut found);
    }
    found.first().is_some_and(|f| f.range == (0..value.len()))
}
