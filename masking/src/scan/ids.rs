//! Resource ids, which go under `--strict` and `--k` only: in paths, in URLs within text, under names such as `id`.

use std::ops::Range;

use mynah_message::{Encoding, percent};

use super::layer::Layer;
use super::{Context, Patch, Scanner, Why, merge, shift};
use crate::entropy;
use crate::kind::Kind;

/// Endings of file names that stay, so that a style sheet is still one.
const EXTENSIONS: &str = "png jpg jpeg gif svg webp avif ico css js mjs json xml map html htm php asp aspx jsp do action txt pdf csv \
     woff woff2 ttf mp3 mp4 webm zip gz md rss atom webmanifest";

impl Scanner<'_> {
    /// The patches of a value in whose place identifiers stand.
    pub(super) fn id(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        if let Some((range, why)) = self.find_id(value, true) {
            let text = &value[range.clone()];
            let kind = self.sink.known(text).unwrap_or(Kind::Id);
            return shift(self.whole_because(kind, text, why), range.start);
        }
        self.free(value, context)
    }

    /// Which part of a value is an identifier that goes, and why.
    fn find_id(&self, value: &[u8], requested: bool) -> Option<(Range<usize>, Why)> {
        if self.policy.strict
            && let Some(range) = id_range(value)
        {
            return Some((range, Why::Strict));
        }
        let rare = self.policy.rare.as_ref()?;
        let few = if requested { rare.has_requested(value) } else { rare.has(value) };
        // What nobody asked for stays in a page, unless it looks like an identifier.
        if few || rare.is_unseen(value) && id_range(value).is_some() {
            return Some((0..stem(value), Why::Rare));
        }
        None
    }

    /// The identifiers in the paths of a text's URLs; and of a text that is itself a path.
    pub(super) fn ids_in_urls(&mut self, text: &[u8]) -> Vec<Patch> {
        let mut patches = Vec::new();
        if text.starts_with(b"/") && !text.starts_with(b"//") {
            return self.ids_in_path(text);
        }
        for at in memchr::memmem::find_iter(text, b"://") {
            let rest = &text[at + 3..];
            let Some(slash) = rest.iter().position(|b| *b == b'/' || ends_path(*b)) else { continue };
            if rest.get(slash) == Some(&b'/') {
                let found = self.ids_in_path(&rest[slash..]);
                merge(&mut patches, shift(found, at + 3 + slash));
            }
        }
        patches
    }

    fn ids_in_path(&mut self, text: &[u8]) -> Vec<Patch> {
        let len = text.iter().position(|b| ends_path(*b)).unwrap_or(text.len());
        let mut patches = Vec::new();
        let mut at = 0;
        for segment in text[..len].split(|b| *b == b'/') {
            let start = at;
            at += segment.len() + 1;
            let value = percent::decode(segment, false);
            let Some((range, why)) = self.find_id(&value, false) else { continue };
            let id = &value[range.clone()];
            let kind = self.sink.known(id).unwrap_or(Kind::Id);
            let found = shift(self.whole_because(kind, id, why), range.start);
            merge(&mut patches, shift(Layer::new(segment, &value, Encoding::Percent).lift(found), start));
        }
        patches
    }
}

fn ends_path(b: u8) -> bool {
    b <= b' '
        || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'?' | b'#' | b';' | b',' | b')' | 0x7f)
}

/// Where a file's name ends and its extension begins.
fn stem(value: &[u8]) -> usize {
    match memchr::memrchr(b'.', value) {
        Some(dot)
            if dot > 0
                && EXTENSIONS
                    .split_whitespace()
                    .any(|e| value[dot + 1..].eq_ignore_ascii_case(e.as_bytes())) =>
        {
            dot
        }
        _ => value.len(),
    }
}

/// Which part of a path segment, or of a value under the name of an identifier, is one: numbers, UUIDs, hashes, slugs with
/// digits, random tokens; without a file's extension. Versions (`v2`) and words with a digit or two (`oauth2`) are none.
fn id_range(value: &[u8]) -> Option<Range<usize>> {
    let end = stem(value);
    let id = &value[..end];
    // Longer ones are texts.
    if id.is_empty()
        || id.len() > 256
        || id.iter().any(|b| matches!(b, b' ' | b'/' | b'{' | b'}' | b'<' | b'>'))
    {
        return None;
    }
    let digits = id.iter().filter(|b| b.is_ascii_digit()).count();
    let version = matches!(id, [b'v' | b'V', rest @ ..] if !rest.is_empty() && rest.len() <= 3
        && rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'));
    if version {
        return None;
    }
    let separated = id.iter().any(|b| matches!(b, b'-' | b'_' | b'.' | b'~' | b':' | b'@'));
    let is_id = digits == id.len()
        || digits > 0 && (separated || id.len() >= 10)
        || digits >= 3 && id.len() >= 4
        || entropy::is_random(id, 30.0);
    is_id.then_some(0..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_words() {
        for id in [
            "17",
            "0",
            "4711",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            "wireless-headphones-17",
            "9f86d081884c7d65",
            "dQw4w9WgXcQ",
            "a123",
            "user_7",
            "2024-11-02",
        ] {
            assert_eq!(id_range(id.as_bytes()), Some(0..id.len()), "{id}");
        }
        for word in [
            "",
            "v1",
            "v2.1",
            "oauth2",
            "products",
            "wireless-headphones",
            "s3",
            "login",
            "mp3",
            "index.html",
            "utf8",
            "app.css",
        ] {
            assert_eq!(id_range(word.as_bytes()), None, "{word}");
        }
        assert_eq!(id_range(b"app.3f2a1b9c.css"), Some(0..12));
        assert_eq!(id_range(b"4711.json"), Some(0..4));
    }
}
