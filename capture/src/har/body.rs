//! Bodies as an archive describes them, made bytes again.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use mynah_message::percent;
use serde_json::Value;

use super::lenient::{array, text};

/// With or without padding, as it comes.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The boundary given to multipart bodies whose own is not told.
const BOUNDARY: &str = "----mynah-har-boundary";

/// A request body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Posted {
    pub(super) bytes: Vec<u8>,
    /// The `Content-Type` that the head must have, when it differs from or is missing there.
    pub(super) content_type: Option<String>,
}

/// Text under `text`, decoded when `encoding` says base64. `None` when there is none.
pub(super) fn content(of: &Value) -> Option<Vec<u8>> {
    let text = text(of, "text")?;
    let base64 =
        super::lenient::text(of, "encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
    if base64 {
        let compact: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        // some writers say base64 and write text
        return Some(BASE64.decode(compact).unwrap_or_else(|_| text.into_bytes()));
    }
    Some(text.into_bytes())
}

/// The body that `postData` describes: its text, else its parameters. `content_type`: of the request's head.
pub(super) fn posted(data: &Value, content_type: Option<&str>) -> Posted {
    let mime = text(data, "mimeType").filter(|mime| !mime.is_empty());
    let declared = content_type.map(str::to_owned).or_else(|| mime.clone());
    if let Some(bytes) = content(data).filter(|bytes| !bytes.is_empty()) {
        return Posted { bytes, content_type: if content_type.is_none() { mime } else { None } };
    }
    let parameters = array(data, "params");
    if parameters.is_empty() {
        return Posted::default();
    }
    let declared = declared.unwrap_or_default();
    if !declared.to_ascii_lowercase().starts_with("multipart/") {
        let form = "application/x-www-form-urlencoded".to_owned();
        return Posted {
            bytes: urlencoded(parameters),
            content_type: (content_type.is_none()).then_some(mime.unwrap_or(form)),
        };
    }
    let named =
        [content_type, Some(declared.as_str()), mime.as_deref()].into_iter().flatten().find_map(boundary);
    let boundary = named.clone().unwrap_or_else(|| BOUNDARY.to_owned());
    let kept = content_type.is_some_and(|own| self::boundary(own).is_some());
    let content_type = (!kept).then(|| {
        if named.is_some() {
            mime.clone().unwrap_or_else(|| declared.clone())
        } else {
            format!("{}; boundary={boundary}", declared.trim_end_matches([';', ' ']))
        }
    });
    Posted { bytes: multipart(parameters, &boundary), content_type }
}

fn boundary(content_type: &str) -> Option<String> {
    let at = content_type.to_ascii_lowercase().find("boundary=")?;
    let value = content_type.get(at + "boundary=".len()..)?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ']).next(),
    };
    value.filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Names and values as browsers show them, which is decoded (Chrome, Charles) or not (Firefox): what looks
/// encoded already is left so.
fn urlencoded(parameters: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for parameter in parameters {
        if !out.is_empty() {
            out.push(b'&');
        }
        push_encoded(&mut out, &text(parameter, "name").unwrap_or_default());
        if let Some(value) = text(parameter, "value") {
            out.push(b'=');
            push_encoded(&mut out, &value);
        }
    }
    out
}

fn push_encoded(out: &mut Vec<u8>, text: &str) {
    let is_escape = |at: usize| {
        text.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let safe = |b: u8| percent::form_safe(b) || b"%+".contains(&b);
    let encoded = text.contains('%')
        && text.bytes().all(safe)
        && text.bytes().enumerate().all(|(at, b)| b != b'%' || is_escape(at));
    if encoded {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(percent::encode(text.as_bytes(), percent::form_safe, true));
    }
}

fn multipart(parameters: &[Value], boundary: &str) -> Vec<u8> {
    let quoted = |text: &str| text.replace('"', "%22").replace(['\r', '\n'], " ");
    // writing to a string cannot fail
    let mut out = String::new();
    for parameter in parameters {
        let name = quoted(&text(parameter, "name").unwrap_or_default());
        let _ = write!(out, "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        if let Some(file) = text(parameter, "fileName") {
            let _ = write!(out, "; filename=\"{}\"", quoted(&file));
        }
        out.push_str("\r\n");
        if let Some(kind) = text(parameter, "contentType").filter(|kind| !kind.is_empty()) {
            let _ = write!(out, "Content-Type: {}\r\n", quoted(&kind));
        }
        let _ = write!(out, "\r\n{}\r\n", text(parameter, "value").unwrap_or_default());
    }
    let _ = write!(out, "--{boundary}--\r\n");
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contents() {
        assert_eq!(content(&json!({"text": "aGk=", "encoding": "base64"})).unwrap(), b"hi");
        assert_eq!(content(&json!({"text": "aGk", "encoding": "Base64"})).unwrap(), b"hi");
        assert_eq!(content(&json!({"text": "not base64!", "encoding": "base64"})).unwrap(), b"not base64!");
        assert_eq!(content(&json!({"text": "aGk=", "encoding": "utf-8"})).unwrap(), b"aGk=");
        assert_eq!(content(&json!({"size": 5})), None);
    }

    #[test]
    fn forms() {
        let data = json!({"mimeType": "application/x-www-form-urlencoded", "params": [
            {"name": "a b", "value": "ü&"}, {"name": "encoded", "value": "x%2Fy+z"}, {"name": "percent", "value": "5%"}, {"name": "flag"}
        ]});
        let posted = posted(&data, None);
        assert_eq!(posted.bytes, b"a+b=%C3%BC%26&encoded=x%2Fy+z&percent=5%25&flag");
        assert_eq!(posted.content_type.as_deref(), Some("application/x-www-form-urlencoded"));
        let text = super::posted(&json!({"text": "a=1", "mimeType": "x/y"}), Some("own/type"));
        assert_eq!((text.bytes.as_slice(), text.content_type), (&b"a=1"[..], None));
    }

    #[test]
    fn multiparts() {
        let params =
            json!([{"name": "f", "fileName": "a\".txt", "contentType": "text/plain", "value": "hi"}]);
        let data = json!({"mimeType": "multipart/form-data", "params": params, "text": ""});
        let got = posted(&data, Some("multipart/form-data; boundary=XX"));
        assert_eq!(got.content_type, None);
        assert_eq!(
            String::from_utf8(got.bytes).unwrap(),
            "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a%22.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nhi\r\n--XX--\r\n"
        );
        let got = posted(&data, None);
        assert_eq!(got.content_type.unwrap(), format!("multipart/form-data; boundary={BOUNDARY}"));
    }
}
