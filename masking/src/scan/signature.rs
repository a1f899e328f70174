//! Requests that are signed over what masking changes: recognised, so that a report can say whose signatures no longer hold.

use mynah_message::Head;

/// A field that bears a signature, and whose it is.
const FIELDS: [(&str, &str); 16] = [
    ("x-hub-signature", "github-webhook"),
    ("x-hub-signature-256", "github-webhook"),
    ("stripe-signature", "stripe-webhook"),
    ("x-slack-signature", "slack-webhook"),
    ("x-shopify-hmac-sha256", "shopify-webhook"),
    ("x-twilio-signature", "twilio-webhook"),
    ("x-square-hmacsha256-signature", "square-webhook"),
    ("paypal-transmission-sig", "paypal-webhook"),
    ("x-line-signature", "line-webhook"),
    ("x-zm-signature", "zoom-webhook"),
    ("linear-signature", "linear-webhook"),
    ("x-amz-sns-signature", "aws-sns"),
    // https://www.standardwebhooks.com, and the service it came from.
    ("webhook-signature", "standard-webhook"),
    ("svix-signature", "standard-webhook"),
    // RFC 9421 and the drafts before it.
    ("signature", "http-signature"),
    ("x-signature", "signature"),
];

const AUTHORIZATION: &str = "authorization";

/// A bit for each length that the name of a field has that says something about signatures.
const LENGTHS: u64 = {
    let mut lengths = 1 << AUTHORIZATION.len();
    let mut n = 0;
    while n < FIELDS.len() {
        lengths |= 1 << FIELDS[n].0.len();
        n += 1;
    }
    lengths
};

/// Most names are not even as long as one of these, or begin with another letter.
fn may_tell(name: &[u8]) -> bool {
    let begins = |first: &u8| matches!(first | 0x20, b'x' | b's' | b'p' | b'l' | b'w' | b'a');
    LENGTHS >> name.len().min(63) & 1 != 0
        && name.first().is_some_and(begins)
        && (name.len() == AUTHORIZATION.len() || name.first().is_some_and(|first| first | 0x20 != b'a'))
}

/// Whether a field of that name bears a signature.
pub(super) fn is_field(name: &[u8]) -> bool {
    may_tell(name) && FIELDS.iter().any(|(field, _)| name.eq_ignore_ascii_case(field.as_bytes()))
}

/// Under which scheme the message is signed, if it is.
pub(super) fn scheme(head: &Head<'_>) -> Option<&'static str> {
    for (field, value) in head.raw_fields() {
        if !may_tell(field) {
            continue;
        }
        if let Some((_, scheme)) = FIELDS.iter().find(|(name, _)| field.eq_ignore_ascii_case(name.as_bytes()))
        {
            return Some(scheme);
        }
        if field.eq_ignore_ascii_case(AUTHORIZATION.as_bytes()) {
            let value = value.trim_ascii_start();
            let begins =
                |scheme: &[u8]| value.get(..scheme.len()).is_some_and(|v| v.eq_ignore_ascii_case(scheme));
            if begins(b"AWS4-") {
                return Some("aws-sigv4");
            }
            if begins(b"Signature ") {
                return Some("http-signature");
            }
            if begins(b"OAuth ") && memchr::memmem::find(value, b"oauth_signature").is_some() {
                return Some("oauth1");
            }
        }
    }
    // Those few parameters begin with a letter that most targets have not.
    let target = head.target_span().and_then(|span| head.raw().get(span)).unwrap_or_default();
    memchr::memchr(b'X', target)?;
    let query = head.target().and_then(|target| target.split_once('?')).map_or("", |(_, query)| query);
    query.split('&').find_map(|pair| match pair.split('=').next().unwrap_or("") {
        "X-Amz-Signature" => Some("aws-sigv4"),
        "X-Goog-Signature" => Some("google-v4"),
        _ => None,
    })
}

/// The signatures in the value of such a field, without what says how they were made: `t=1492774577,v1=5257…`,
/// `sha256=5257…`, `v1,K5oZ…`, `sig1=:K2qG…:`, `keyId="a",signature="b"`.
pub(super) fn signatures(value: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        let len = value[at..].iter().take_while(|b| is_part(b)).count();
        let padding = value[at + len..].iter().take(2).take_while(|b| **b == b'=').count();
        // Shorter ones are names, numbers and moments.
        if len >= 20 {
            // The name of a parameter is not in quotes, and has one equals sign with something behind it.
            let quoted = at.checked_sub(1).is_some_and(|before| value[before] == b'"');
            let named =
                !quoted && padding == 1 && value.get(at + len + 1).is_some_and(|b| is_part(b) || *b == b'"');
            if !named {
                ranges.push(at..at + len + padding);
            }
        }
        at += (len + padding).max(1);
    }
    ranges.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_with_a_signature_is_seen() {
        for (name, wanted) in FIELDS {
            for name in [name.to_owned(), name.to_uppercase()] {
                assert!(is_field(name.as_bytes()), "{name}");
                let head = format!("POST / HTTP/1.1\r\n{name}: a\r\n\r\n");
                assert_eq!(scheme(&Head::parse(head.as_bytes()).unwrap()), Some(wanted), "{name}");
            }
        }
        assert!(!is_field(b"Authorization") && !is_field(b"Accept-Encoding") && !is_field(b""));
    }

    #[test]
    fn schemes() {
        for (head, wanted) in [
            ("POST /hook HTTP/1.1\r\nX-Hub-Signature-256: sha256=00\r\n\r\n", Some("github-webhook")),
            ("GET / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a\r\n\r\n", Some("aws-sigv4")),
            ("GET /o?a=1&X-Amz-Signature=00 HTTP/1.1\r\n\r\n", Some("aws-sigv4")),
            ("GET / HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n", None),
            ("GET /?q=X-Amz-Signature HTTP/1.1\r\n\r\n", None),
        ] {
            assert_eq!(scheme(&Head::parse(head.as_bytes()).unwrap()), wanted, "{head}");
        }
    }

    #[test]
    fn only_the_signature_goes() {
        const SHA: &str = "5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";
        for (before, after) in [
            (format!("t=1492774577,v1={SHA}"), "t=1492774577,v1=*"),
            (format!("sha256={SHA}"), "sha256=*"),
            ("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=".into(), "v1,*"),
            ("sig1=:K2qGT5srn2OGbOIDzQ6kYT+ruaycnDAAUpKv+ePFfD0RAxn/1BUe==:".into(), "sig1=:*:"),
            (
                "keyId=\"rsa-key-1\",algorithm=\"rsa-sha256\",signature=\"RklpZWxkcyBvZiB0aGUgd29ybGQ=\""
                    .into(),
                "keyId=\"rsa-key-1\",algorithm=\"rsa-sha256\",signature=\"*\"",
            ),
        ] {
            let mut text = before.clone();
            let ranges: Vec<_> = signatures(before.as_bytes()).collect();
            for range in ranges.into_iter().rev() {
                text.replace_range(range, "*");
            }
            assert_eq!(text, after);
        }
    }
}
