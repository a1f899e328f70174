//! `Authorization` and its like: a scheme and what follows it. [RFC 9110 §11](https://www.rfc-editor.org/rfc/rfc9110#section-11).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, STANDARD_NO_PAD};

use super::layer::splice;
use super::{Context, Patch, Scanner, Why, merge, shift};
use crate::kind::Kind;
use crate::names::Rule;

/// Parameters that say how, not who.
const PLAIN: [&str; 16] = [
    "realm",
    "qop",
    "algorithm",
    "uri",
    "nc",
    "charset",
    "stale",
    "domain",
    "error",
    "error_description",
    "scope",
    "signedheaders",
    "headers",
    "oauth_version",
    "oauth_signature_method",
    "oauth_timestamp",
];

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Scanner<'_> {
    /// The patches of credentials, or of a `challenge`, of which only what is to be sent back is a secret.
    pub(super) fn credentials(&mut self, value: &[u8], context: Context, challenge: bool) -> Vec<Patch> {
        let token = context.inner(Some(Rule::Mask(Kind::Token)));
        let Some(space) = memchr::memchr(b' ', value.trim_ascii_end()) else {
            return if challenge { Vec::new() } else { self.value(value, token) };
        };
        let lead = value[space..].len() - value[space..].trim_ascii_start().len();
        let start = space + lead;
        let rest = value[start..].trim_ascii_end();
        let scheme = value[..space].to_ascii_lowercase();
        let has_params = has_params(rest);
        let patches = match scheme.as_slice() {
            b"basic" if !has_params => self.basic(rest, token),
            _ if has_params => self.params(rest, token, challenge),
            _ if challenge => Vec::new(),
            _ => self.value(rest, token),
        };
        shift(patches, start)
    }

    /// `user:password` in base64, each masked as if it stood alone.
    fn basic(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let Ok(pair) = LENIENT.decode(text) else { return self.value(text, context) };
        let Some(colon) = memchr::memchr(b':', &pair) else { return self.value(text, context) };
        let user = self.value(&pair[..colon], context.inner(Some(Rule::Mask(Kind::User))));
        let password = self.value(&pair[colon + 1..], context.inner(Some(Rule::Mask(Kind::Password))));
        let mut patches = user;
        merge(&mut patches, shift(password, colon + 1));
        if patches.is_empty() {
            return patches;
        }
        let masked = splice(&pair, &patches);
        let bytes = if text.ends_with(b"=") || text.len().is_multiple_of(4) {
            STANDARD.encode(masked)
        } else {
            STANDARD_NO_PAD.encode(masked)
        };
        vec![Patch { range: 0..text.len(), bytes: bytes.into(), kind: Kind::Password, why: Why::Name }]
    }

    /// `name=value, name="value"`.
    fn params(&mut self, text: &[u8], context: Context, challenge: bool) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut quoted = false;
        let mut at = 0;
        for item in text.split(|b| {
            quoted ^= *b == b'"';
            *b == b',' && !quoted
        }) {
            let start = at;
            at += item.len() + 1;
            let Some(equals) = memchr::memchr(b'=', item) else { continue };
            let name = String::from_utf8_lossy(item[..equals].trim_ascii()).to_ascii_lowercase();
            let secret = if challenge {
                matches!(name.as_str(), "nonce" | "opaque" | "nextnonce")
            } else {
                !PLAIN.contains(&&*name)
            };
            if !secret {
                continue;
            }
            let mut value = &item[equals + 1..];
            // AWS4: the key's name, then a scope that says where.
            if name == "credential"
                && let Some(slash) = memchr::memchr(b'/', value)
            {
                value = &value[..slash];
            }
            let kind = match name.as_str() {
                "username" => Kind::User,
                "signature" | "response" | "mac" | "oauth_signature" => Kind::Signature,
                "password" => Kind::Password,
                _ => Kind::Token,
            };
            let found = self.value(value, context.inner(Some(Rule::Mask(kind))));
            merge(&mut patches, shift(found, start + equals + 1));
        }
        patches
    }
}

/// Whether a name and an equals sign with something behind it come first: base64's own padding is not that.
fn has_params(text: &[u8]) -> bool {
    let name =
        text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*')).count();
    name > 0 && text.get(name) == Some(&b'=') && text.get(name + 1).is_some_and(|b| *b != b'=')
}
