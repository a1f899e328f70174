//! Fields that hold a digest of the body: read, and written anew for another body.
//!
//! | field | form | source |
//! |---|---|---|
//! | `Content-Digest`, `Repr-Digest` | `sha-256=:base64:` | [RFC 9530](https://www.rfc-editor.org/rfc/rfc9530) |
//! | `Digest` | `SHA-256=base64` | [RFC 3230](https://www.rfc-editor.org/rfc/rfc3230), [RFC 5843](https://www.rfc-editor.org/rfc/rfc5843) |
//! | `Content-MD5` | base64 | [RFC 1864](https://www.rfc-editor.org/rfc/rfc1864) |
//! | `X-Amz-Content-SHA256` | hex | AWS Signature Version 4 |
//! | `X-Amz-Checksum-SHA256`, `X-Amz-Checksum-SHA1` | base64 | Amazon S3, object integrity |
//! | `X-Goog-Hash` | `md5=base64` | Cloud Storage, XML API |
//!
//! All are over the body as it is sent, content coding included and transfer coding not, which is how bodies are kept here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use crate::hex;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `name=base64`, with this around the base64.
    Named(&'static [u8]),
    /// The base64 of one algorithm.
    Base64(Algorithm),
    /// The hex of one.
    Hex(Algorithm),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

const FIELDS: [(&str, Field); 8] = [
    ("content-digest", Field::Named(b":")),
    ("repr-digest", Field::Named(b":")),
    ("digest", Field::Named(b"")),
    ("x-goog-hash", Field::Named(b"")),
    ("content-md5", Field::Base64(Algorithm::Md5)),
    ("x-amz-checksum-sha256", Field::Base64(Algorithm::Sha256)),
    ("x-amz-checksum-sha1", Field::Base64(Algorithm::Sha1)),
    ("x-amz-content-sha256", Field::Hex(Algorithm::Sha256)),
];

/// A bit for each length that the name of such a field has.
const LENGTHS: u64 = {
    let mut lengths = 0;
    let mut n = 0;
    while n < FIELDS.len() {
        lengths |= 1 << FIELDS[n].0.len();
        n += 1;
    }
    lengths
};

fn field(name: &str) -> Option<Field> {
    // Most names are not even as long as one of these.
    if LENGTHS >> name.len().min(63) & 1 == 0 {
        return None;
    }
    FIELDS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, field)| *field)
}

/// Whether a field of that name holds a digest of the body.
pub fn is_digest(name: &str) -> bool {
    field(name).is_some()
}

/// The value that this digest field has with another body. `None` when it holds no algorithm that is known here.
pub(crate) fn renewed(name: &str, value: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    match field(name)? {
        Field::Named(around) => named(value, body, around),
        Field::Base64(algorithm) => Some(STANDARD.encode(algorithm.of(body)).into_bytes()),
        // `UNSIGNED-PAYLOAD` and its like are no digests.
        Field::Hex(_) if value.len() < 32 || !value.iter().all(u8::is_ascii_hexdigit) => Some(value.to_vec()),
        Field::Hex(algorithm) => Some(hex::encode(&algorithm.of(body), false)),
    }
}

/// Items whose algorithm is not known are left out: they no longer hold.
fn named(old: &[u8], body: &[u8], around: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for item in old.split(|b| *b == b',') {
        let item = item.trim_ascii();
        let Some(equals) = memchr::memchr(b'=', item) else { continue };
        let name = &item[..equals];
        let Some(algorithm) = Algorithm::named(name) else { continue };
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        for piece in [name, b"=", around, STANDARD.encode(algorithm.of(body)).as_bytes(), around] {
            out.extend_from_slice(piece);
        }
    }
    (!out.is_empty()).then_some(out)
}

impl Algorithm {
    fn named(name: &[u8]) -> Option<Algorithm> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"md5" => Algorithm::Md5,
            b"sha" | b"sha-1" => Algorithm::Sha1,
            b"sha-256" => Algorithm::Sha256,
            b"sha-512" => Algorithm::Sha512,
            _ => return None,
        })
    }

    fn of(self, body: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::Md5 => md5::Md5::digest(body).to_vec(),
            Algorithm::Sha1 => sha1::Sha1::digest(body).to_vec(),
            Algorithm::Sha256 => sha2::Sha256::digest(body).to_vec(),
            Algorithm::Sha512 => sha2::Sha512::digest(body).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_hello(name: &str, value: &str) -> String {
        renewed(name, value.as_bytes(), b"hello").map_or_else(String::new, |v| String::from_utf8(v).unwrap())
    }

    #[test]
    fn every_field_has_its_form() {
        assert_eq!(of_hello("Content-MD5", "x"), "XUFAKrxLKna5cZ2REBfFkg==");
        assert_eq!(
            of_hello("x-amz-content-sha256", &"0".repeat(64)),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert_eq!(of_hello("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), "UNSIGNED-PAYLOAD");
        assert_eq!(of_hello("X-Goog-Hash", "crc32c=AAAAAA==,md5=x"), "md5=XUFAKrxLKna5cZ2REBfFkg==");
        assert_eq!(of_hello("Digest", "SHA=x"), "SHA=qvTGHdzF6KLavt4PO0gs2a6pQ00=");
        assert_eq!(
            of_hello("Content-Digest", "unknown=:x:, sha-256=:y:"),
            "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
        );
        assert_eq!(of_hello("Content-Digest", "unknown=:x:"), "");
    }
}
