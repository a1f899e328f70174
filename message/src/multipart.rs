//! Parts of a multipart body. [RFC 2046 §5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1),
//! [RFC 7578](https://www.rfc-editor.org/rfc/rfc7578).

use std::ops::Range;

use memchr::memmem;

use crate::head::parameter;

/// One part of a multipart body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodyPart {
    /// The `name` in its `Content-Disposition`; empty when there is none.
    pub name: String,
    /// Where its header lines stand.
    pub head: Range<usize>,
    /// Where its content stands.
    pub content: Range<usize>,
}

/// The parts in order. A part that the body cuts off ends with the body.
pub fn parts(body: &[u8], boundary: &str) -> Vec<BodyPart> {
    let mut found = Vec::new();
    if boundary.is_empty() {
        return found;
    }
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let finder = memmem::Finder::new(&delimiter);
    // A delimiter counts only at the start of a line.
    let next = |mut from: usize| loop {
        let at = from + finder.find(body.get(from..)?)?;
        if at == 0 || body[at - 1] == b'\n' {
            return Some(at);
        }
        from = at + 1;
    };
    let mut delimiter_at = next(0);
    while let Some(at) = delimiter_at {
        let after = at + delimiter.len();
        if body[after..].starts_with(b"--") {
            break;
        }
        let Some(line) = memchr::memchr(b'\n', &body[after..]) else { break };
        let start = after + line + 1;
        delimiter_at = next(start);
        let mut end = delimiter_at.unwrap_or(body.len());
        if delimiter_at.is_some() {
            // The line break before a delimiter belongs to the delimiter.
            end = end.saturating_sub(1).max(start);
            if end > start && body[end - 1] == b'\r' {
                end -= 1;
            }
        }
        found.push(part(body, start..end));
    }
    found
}

fn part(body: &[u8], span: Range<usize>) -> BodyPart {
    let mut at = span.start;
    let mut name = String::new();
    while at < span.end {
        let text = &body[at..span.end];
        let len = memchr::memchr(b'\n', text).map_or(text.len(), |n| n + 1);
        let line = text[..len].trim_ascii();
        at += len;
        if line.is_empty() {
            break;
        }
        const DISPOSITION: &[u8] = b"content-disposition:";
        if line.get(..DISPOSITION.len()).is_some_and(|l| l.eq_ignore_ascii_case(DISPOSITION)) {
            name = parameter(&String::from_utf8_lossy(line), "name").unwrap_or_default();
        }
    }
    BodyPart { name, head: span.start..at, content: at..span.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_spans() {
        let body = b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none --B\r\ntwo\r\n--B\r\n\
            content-disposition: form-data; filename=\"x.png\"; name=\"f\"\r\nContent-Type: image/png\r\n\r\n\x89P\r\n--B\r\n\r\nbare\r\n--B--\r\nepilogue";
        let found: Vec<_> =
            parts(body, "B").into_iter().map(|p| (p.name, body[p.content].to_vec())).collect();
        assert_eq!(
            found,
            [
                ("a".into(), b"one --B\r\ntwo".to_vec()),
                ("f".into(), b"\x89P".to_vec()),
                (String::new(), b"bare".to_vec())
            ]
        );
        let cut = parts(b"--B\nContent-Disposition: form-data; name=a\n\ncut o", "B");
        assert_eq!((cut[0].name.as_str(), cut[0].content.clone()), ("a", 44..49));
        assert!(parts(b"--B\r\n", "").is_empty());
        assert!(parts(b"--B", "B").is_empty());
    }
}
