//! What a path segment looks like by itself.

use mynah_message::percent;

/// A kind of segment that is a value rather than a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Number,
    Uuid,
    Date,
    Hex,
    /// Hexadecimal as long as a digest: MD5, SHA-1, SHA-2.
    Hash,
    Token,
    /// Words and numbers with hyphens; alone it may as well be a name (`step-2`).
    Slug,
    /// Short and mixed (`ORD-7K2M`); alone it may as well be a name (`oauth2`).
    Code,
}

impl Kind {
    /// What it is called in a template.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Number => "id",
            Kind::Uuid => "uuid",
            Kind::Date => "date",
            Kind::Hex => "hex",
            Kind::Hash => "hash",
            Kind::Token => "token",
            Kind::Slug => "slug",
            Kind::Code => "code",
        }
    }

    /// Whether one sighting is enough to take it for a value.
    pub(crate) fn is_certain(self) -> bool {
        !matches!(self, Kind::Slug | Kind::Code)
    }
}

/// The kind of a segment as written in a path; `None` for words.
pub(crate) fn kind(segment: &str) -> Option<Kind> {
    let decoded = percent::decode(segment.as_bytes(), false);
    let text = std::str::from_utf8(&decoded).ok()?;
    // `17.json` is a 17.
    let text = match text.rsplit_once('.') {
        Some((stem, "json" | "xml" | "html" | "htm" | "pdf" | "csv")) if !stem.is_empty() => stem,
        _ => text,
    };
    let bytes = text.as_bytes();
    let all = |test: fn(&u8) -> bool| !bytes.is_empty() && bytes.iter().all(test);
    let any = |test: fn(&u8) -> bool| bytes.iter().any(test);
    if all(u8::is_ascii_digit) {
        return Some(Kind::Number);
    }
    if is_uuid(bytes) {
        return Some(Kind::Uuid);
    }
    if is_date(text) {
        return Some(Kind::Date);
    }
    let digits = any(u8::is_ascii_digit);
    let letters = any(u8::is_ascii_alphabetic);
    if matches!(bytes.len(), 32 | 40 | 56 | 64 | 96 | 128) && all(u8::is_ascii_hexdigit) {
        return Some(Kind::Hash);
    }
    if bytes.len() >= 8 && digits && all(u8::is_ascii_hexdigit) {
        return Some(Kind::Hex);
    }
    if bytes.len() >= 32 && all(u8::is_ascii_hexdigit) {
        return Some(Kind::Hex);
    }
    if !all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'~' | b':' | b'+')) {
        return None;
    }
    if !digits || !letters {
        // Digits with separators: `12-34`, `1.2.3`. The latter is a version, a word as good as any.
        return (digits && !text.contains('.') && !bytes.contains(&b':')).then_some(Kind::Code);
    }
    let lower_words = text.split('-').count() >= 2 && !any(u8::is_ascii_uppercase) && !text.contains('.');
    if lower_words && text.split('-').all(|word| !mixed(word) || word.len() < 4) {
        return Some(Kind::Slug);
    }
    if bytes.len() >= 16 && !text.contains('.') {
        return Some(Kind::Token);
    }
    if bytes.len() >= 16 && text.split('.').count() == 3 {
        return Some(Kind::Token);
    }
    // `ORD-7K2M9QX4AB`: capitals and digits at this length are no word.
    let many_digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2;
    if bytes.len() >= 10 && many_digits && any(u8::is_ascii_uppercase) && !text.contains('.') {
        return Some(Kind::Token);
    }
    // `v1`, `mp3`, `oauth2` are words with a number at the end; `7Kq2` and `ORD-17` are not.
    let word_and_number =
        text.trim_end_matches(|c: char| c.is_ascii_digit()).bytes().all(|b| b.is_ascii_lowercase());
    (!text.contains('.') && (bytes.len() >= 4 && !word_and_number || text.contains('-')))
        .then_some(Kind::Code)
}

fn mixed(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic())
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2026-11-21`, `2026-11`, with or without a time.
fn is_date(text: &str) -> bool {
    let date = text.split('T').next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [year, rest @ ..] if !rest.is_empty() && rest.len() <= 2 => {
            digits(year, 4)
                && (year.starts_with("19") || year.starts_with("20"))
                && rest.iter().all(|part| digits(part, 2) && *part <= "31")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (segment, wanted) in [
            ("17", Some(Kind::Number)),
            ("17.json", Some(Kind::Number)),
            ("0b6a3c52-9d0e-4c8a-bb3f-2a5f6f5f0c11", Some(Kind::Uuid)),
            ("2026-11-21", Some(Kind::Date)),
            ("2026-11", Some(Kind::Date)),
            ("deadbeef01", Some(Kind::Hex)),
            ("d41d8cd98f00b204e9800998ecf8427e", Some(Kind::Hash)),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", Some(Kind::Hash)),
            ("da39a3ee5e6b4b0d3255bfef95601890afd8070", Some(Kind::Hex)),
            ("oak-lamp-12", Some(Kind::Slug)),
            ("ORD-7K2M9QX4AB", Some(Kind::Token)),
            ("ORD-17", Some(Kind::Code)),
            ("7Kq2x", Some(Kind::Code)),
            ("dGhpcyBpcyBhIHRlc3Q1", Some(Kind::Token)),
            ("users", None),
            ("v1", None),
            ("oauth2", None),
            ("me", None),
            ("app.css", None),
            ("1.2.3", None),
            ("sign-in", None),
            ("", None),
            ("deadbeef", None),
        ] {
            assert_eq!(kind(segment), wanted, "{segment}");
        }
    }
}
