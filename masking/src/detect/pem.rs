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

/// A body of fewer characters is an example, or the armour alone in a program that makes keys.
const SHORTEST: usize = 16;

/// What may stand between the armour's lines: base64, white space, `\n` where nobody undid the escape, headers (RFC 1421).
fn may_stand(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\:,.-".contains(&b)
}

/// Those in a text, each from its BEGIN to the last dash of its END; where that is missing, as far as a key can go on.
pub(super) fn private_keys(text: &[u8], found: &mut Vec<Found>) {
    static FINDER: LazyLock<memchr::memmem::Finder<'static>> =
        LazyLock::new(|| memchr::memmem::Finder::new(BEGIN));
    let mut after = 0;
    for at in FINDER.find_iter(text) {
        if at < after {
            continue;
        }
        let Some(label) = label(&text[at + BEGIN.len()..]) else { continue };
        if memchr::memmem::find(label, b"PRIVATE KEY").is_none() {
            continue;
        }
        let body = at + BEGIN.len() + label.len() + DASHES.len();
        let len = text[body..].iter().take_while(|b| may_stand(**b)).count();
        let closed = memchr::memmem::find(&text[body..body + len], END);
        let len = closed.unwrap_or(len);
        let symbols = text[body..body + len].iter().filter(|b| b.is_ascii_alphanumeric()).take(SHORTEST);
        if symbols.count() < SHORTEST {
            continue;
        }
        let tail = [END, label, DASHES].concat();
        let whole = text[body + len..].starts_with(&tail);
        after = body + len + if whole { tail.len() } else { 0 };
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
