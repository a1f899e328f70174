//! Requests signed anew: what masking and correlated values change is no longer what was signed.
//!
//! Only a request that bears a scheme's signature is signed, over the bytes that are about to be sent and with the present time
//! where the scheme has one.
//!
//! | scheme | signature | source |
//! |---|---|---|
//! | `github-webhook` | `X-Hub-Signature-256: sha256=hex`, `X-Hub-Signature: sha1=hex` | [GitHub](https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries) |
//! | `stripe-webhook` | `Stripe-Signature: t=…,v1=hex` | [Stripe](https://docs.stripe.com/webhooks#verify-manually) |
//! | `slack-webhook` | `X-Slack-Signature: v0=hex` | [Slack](https://api.slack.com/authentication/verifying-requests-from-slack) |
//! | `shopify-webhook` | `X-Shopify-Hmac-Sha256: base64` | [Shopify](https://shopify.dev/docs/apps/build/webhooks) |
//! | `standard-webhook` | `webhook-signature: v1,base64` | [Standard Webhooks](https://www.standardwebhooks.com) |
//! | `aws-sigv4` | `Authorization: AWS4-HMAC-SHA256 …` | [AWS Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html) |

mod aws;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mynah_message::Head;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;

/// Signs the requests of one scheme.
pub struct Signer {
    scheme: Scheme,
    secret: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    GitHub,
    Stripe,
    Slack,
    Shopify,
    Standard,
    Aws,
}

const SCHEMES: [(&str, Scheme); 6] = [
    ("github-webhook", Scheme::GitHub),
    ("stripe-webhook", Scheme::Stripe),
    ("slack-webhook", Scheme::Slack),
    ("shopify-webhook", Scheme::Shopify),
    ("standard-webhook", Scheme::Standard),
    ("aws-sigv4", Scheme::Aws),
];

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?})", self.scheme)
    }
}

impl Signer {
    /// The names of the schemes.
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        SCHEMES.iter().map(|(name, _)| *name)
    }

    /// A signer by the scheme's name. `secret`: as the service shows it; for `aws-sigv4` the access key's name, a colon and the
    /// secret key. White space around it is left off.
    ///
    /// # Errors
    /// [`Error::Config`] for another scheme, and for a secret that cannot be one.
    pub fn new(scheme: &str, secret: &[u8]) -> Result<Signer, Error> {
        let known = SCHEMES.iter().find(|(name, _)| *name == scheme);
        let Some((name, scheme)) = known else {
            let names: Vec<_> = Signer::schemes().collect();
            return Err(Error::Config(format!(
                "no signature scheme '{scheme}'; there are {}",
                names.join(", ")
            )));
        };
        let secret = secret.trim_ascii();
        let wrong = |what| Err(Error::Config(format!("the secret for {name} {what}")));
        let secret = match scheme {
            _ if secret.is_empty() => return wrong("is empty"),
            Scheme::Aws if memchr::memchr(b':', secret).is_none() => {
                return wrong("must be ACCESS_KEY_ID:SECRET_ACCESS_KEY");
            }
            Scheme::Standard => match STANDARD.decode(secret.strip_prefix(b"whsec_").unwrap_or(secret)) {
                Ok(bytes) => bytes,
                Err(_) => return wrong("must be base64, as in whsec_…"),
            },
            _ => secret.to_vec(),
        };
        Ok(Signer { scheme: *scheme, secret: Zeroizing::new(secret) })
    }

    /// The request with another signature; `None` when it bears none of this scheme. `now`: seconds since the Unix epoch.
    pub(crate) fn sign(&self, request: &[u8], now: u64) -> Option<Vec<u8>> {
        let head = Head::parse(request).ok()?;
        let body = body(&head, request)?;
        let sha256 = |parts: &[&[u8]]| hmac_sha256(&self.secret, parts);
        let mut fields: Vec<(&str, Vec<u8>)> = Vec::new();
        match self.scheme {
            Scheme::GitHub => {
                head.get("x-hub-signature").or(head.get("x-hub-signature-256"))?;
                fields.push(("x-hub-signature-256", [b"sha256=", hex(&sha256(&[body])).as_slice()].concat()));
                fields.push(("x-hub-signature", [b"sha1=", hex(&self.sha1(body)).as_slice()].concat()));
            }
            Scheme::Stripe => {
                head.get("stripe-signature")?;
                let v1 = hex(&sha256(&[now.to_string().as_bytes(), b".", body]));
                fields.push(("stripe-signature", [format!("t={now},v1=").as_bytes(), &v1].concat()));
            }
            Scheme::Slack => {
                head.get("x-slack-signature")?;
                let v0 = hex(&sha256(&[format!("v0:{now}:").as_bytes(), body]));
                fields.push(("x-slack-signature", [b"v0=", v0.as_slice()].concat()));
                fields.push(("x-slack-request-timestamp", now.to_string().into_bytes()));
            }
            Scheme::Shopify => {
                head.get("x-shopify-hmac-sha256")?;
                fields.push(("x-shopify-hmac-sha256", STANDARD.encode(sha256(&[body])).into_bytes()));
            }
            Scheme::Standard => {
                for kind in ["webhook", "svix"] {
                    let Some(id) = head.get(&format!("{kind}-id")) else { continue };
                    let v1 = sha256(&[format!("{id}.{now}.").as_bytes(), body]);
                    let v1 = format!("v1,{}", STANDARD.encode(v1)).into_bytes();
                    let (signature, timestamp) = if kind == "webhook" {
                        ("webhook-signature", "webhook-timestamp")
                    } else {
                        ("svix-signature", "svix-timestamp")
                    };
                    fields.push((signature, v1));
                    fields.push((timestamp, now.to_string().into_bytes()));
                }
            }
            Scheme::Aws => fields = aws::fields(&head, body, &self.secret, now)?,
        }
        let signed = with(request, &head, &fields);
        (signed != request).then_some(signed)
    }

    fn sha1(&self, body: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).unwrap_or_else(|_| unreachable_key());
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable_key());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// HMAC takes keys of any length (RFC 2104 §2).
fn unreachable_key<M>() -> M {
    unreachable!("HMAC takes any key")
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    mynah_message::hex::encode(bytes, false)
}

/// The body without its chunks: what is sent in chunks is sent in one.
fn body<'r>(head: &Head<'_>, request: &'r [u8]) -> Option<&'r [u8]> {
    let rest = request.get(head.len()..)?;
    if !head.is_chunked() {
        return Some(rest);
    }
    let line = memchr::memmem::find(rest, b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
    rest.get(line + 2..line + 2 + size)
}

/// The request with other values in fields that it has.
fn with(request: &[u8], head: &Head<'_>, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(request.len() + 64);
    let mut at = 0;
    for field in head.fields() {
        if let Some((_, value)) = fields.iter().find(|(name, _)| field.is(name)) {
            out.extend_from_slice(request.get(at..field.value_span.start).unwrap_or_default());
            out.extend_from_slice(value);
            at = field.value_span.end;
        }
    }
    out.extend_from_slice(request.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
