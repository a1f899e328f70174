//! AWS Signature Version 4 in the `Authorization` header. Signed URLs are left as they are.

use mynah_message::{Head, percent};
use sha2::{Digest as _, Sha256};

use super::{hex, hmac_sha256};

/// The fields that a signed request has anew: `Authorization`, the date, the hash of the body. `None` when it is not signed so.
pub(super) fn fields(
    head: &Head<'_>,
    body: &[u8],
    secret: &[u8],
    now: u64,
) -> Option<Vec<(&'static str, Vec<u8>)>> {
    let old = head.get("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
    let parameter = |name: &str| {
        old.split(',').find_map(|item| item.trim().strip_prefix(name)?.strip_prefix('=')).map(str::trim)
    };
    // KEY/20130524/us-east-1/s3/aws4_request
    let mut scope = parameter("Credential")?.split('/').rev().skip(1);
    let (service, region) = (scope.next()?, scope.next()?);
    let signed = parameter("SignedHeaders")?;

    let key_ends = memchr::memchr(b':', secret)?;
    let (key_id, key) = (std::str::from_utf8(&secret[..key_ends]).ok()?, &secret[key_ends + 1..]);
    let moment = jiff::Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
    let (date, time) = (moment.strftime("%Y%m%d").to_string(), moment.strftime("%Y%m%dT%H%M%SZ").to_string());

    let hash = match head.get("x-amz-content-sha256") {
        // UNSIGNED-PAYLOAD, STREAMING-…: no hash of this body.
        Some(word) if word.len() != 64 => word.as_bytes().to_vec(),
        _ => hex(&Sha256::digest(body)),
    };
    let mut fields = vec![("x-amz-date", time.clone().into_bytes()), ("x-amz-content-sha256", hash.clone())];

    let (path, query) = head.target()?.split_once('?').unwrap_or((head.target()?, ""));
    let mut canonical = Vec::new();
    for piece in [head.method()?.as_bytes(), &canonical_path(path, service), &canonical_query(query)] {
        canonical.extend_from_slice(piece);
        canonical.push(b'\n');
    }
    for name in signed.split(';') {
        let renewed = fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone());
        let value = renewed.unwrap_or_else(|| {
            let values: Vec<_> =
                head.get_all(name).map(|v| v.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            values.join(",").into_bytes()
        });
        canonical.extend_from_slice(name.as_bytes());
        canonical.push(b':');
        canonical.extend(value);
        canonical.push(b'\n');
    }
    for piece in [b"\n", signed.as_bytes(), b"\n", hash.as_slice()] {
        canonical.extend_from_slice(piece);
    }

    let scope = format!("{date}/{region}/{service}/aws4_request");
    let digest = hex(&Sha256::digest(&canonical));
    let mut signing = [b"AWS4", key].concat();
    for part in [date.as_str(), region, service, "aws4_request"] {
        signing = hmac_sha256(&signing, &[part.as_bytes()]);
    }
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n");
    let signature = hex(&hmac_sha256(&signing, &[text.as_bytes(), &digest]));
    let value = format!("AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, Signature=");
    fields.push(("authorization", [value.as_bytes(), &signature].concat()));
    Some(fields)
}

/// Everything but letters, digits and `-._~`.
fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The path, encoded once for S3 and twice for all else.
fn canonical_path(path: &str, service: &str) -> Vec<u8> {
    let safe = |b: u8| unreserved(b) || b == b'/';
    let once = percent::encode(&percent::decode(path.as_bytes(), false), safe, false);
    if service == "s3" { once } else { percent::encode(&once, safe, false) }
}

/// The pairs in the order of their names, encoded alike.
fn canonical_query(query: &str) -> Vec<u8> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let again =
                |text: &str| percent::encode(&percent::decode(text.as_bytes(), true), unreserved, false);
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| [name.as_slice(), b"=", value].concat()).collect::<Vec<_>>().join(&b'&')
}
