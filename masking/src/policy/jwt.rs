//! The test key under which masked web tokens are signed, so that a system which is given the same key takes them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use mynah_message::json;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::detect;

/// A secret shared with the system under test ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
pub(crate) struct JwtKey(Zeroizing<Vec<u8>>);

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKey(…)")
    }
}

impl JwtKey {
    pub(crate) fn new(secret: &[u8]) -> JwtKey {
        JwtKey(Zeroizing::new(secret.to_vec()))
    }

    /// The token with a signature under this key; `None` when its header asks for another sort of signature than HS256, HS384 or HS512.
    pub(crate) fn sign(&self, token: &[u8]) -> Option<Vec<u8>> {
        let signed = &token[..memchr::memrchr(b'.', token)?];
        let header = detect::decode_part(&signed[..memchr::memchr(b'.', signed)?])?;
        let mut algorithm = Vec::new();
        let _ = json::scan(&header, 4, &mut |value| {
            if value.path == "$.alg" {
                algorithm = value.raw.to_vec();
            }
            std::ops::ControlFlow::Continue(())
        });
        let signature = match algorithm.as_slice() {
            b"HS256" => self.mac::<Hmac<Sha256>>(signed)?,
            b"HS384" => self.mac::<Hmac<Sha384>>(signed)?,
            b"HS512" => self.mac::<Hmac<Sha512>>(signed)?,
            _ => return None,
        };
        Some([signed, b".", URL_SAFE_NO_PAD.encode(signature).as_bytes()].concat())
    }

    fn mac<M: hmac::Mac + hmac::KeyInit>(&self, signed: &[u8]) -> Option<Vec<u8>> {
        let mut mac = <M as hmac::KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(signed);
        Some(mac.finalize().into_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_right_for_the_key() {
        // RFC 7515, appendix A.1.
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let key = JwtKey::new(&URL_SAFE_NO_PAD.decode(key).unwrap());
        let other = token.replace("dBjf", "AAAA");
        assert_eq!(key.sign(other.as_bytes()).unwrap(), token.as_bytes());
        assert_eq!(key.sign(b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), None);
        assert_eq!(key.sign(b"x"), None);
        assert!(!format!("{key:?}").contains("Ay"));
    }
}
