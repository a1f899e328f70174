//! Character references in HTML. [WHATWG HTML §13.5](https://html.spec.whatwg.org/#named-character-references).
//!
//! Numbers and the everyday names are read here; for the two thousand others `html5gum` is asked, whose table this is.

use std::borrow::Cow;
use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use crate::percent::hex;

/// Replaces character references. In an attribute a name without `;` that a letter, digit or `=` follows is no reference.
pub fn decode(raw: &[u8], attribute: bool) -> Cow<'_, [u8]> {
    // `&` stands between the pairs of every query, where it refers to nothing.
    let refers = |at: usize| raw.get(at..).is_some_and(|there| reference(there, attribute).is_some());
    if !memchr::memchr_iter(b'&', raw).any(refers) {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    each(raw, attribute, |bytes, _| out.extend_from_slice(bytes));
    Cow::Owned(out)
}

/// Like [`decode`] in an attribute, with the offset in `raw` of each byte of the result, and one for its end.
pub(crate) fn decode_mapped(raw: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut out = Vec::with_capacity(raw.len());
    let mut map = Vec::with_capacity(raw.len() + 1);
    each(raw, true, |bytes, at| {
        let literal = raw[at] != b'&' || bytes == b"&";
        map.extend((0..bytes.len()).map(|i| if literal { at + i } else { at }));
        out.extend_from_slice(bytes);
    });
    map.push(raw.len());
    (out, map)
}

/// Hands out runs of literal bytes and replacements, each with its offset.
fn each(raw: &[u8], attribute: bool, mut put: impl FnMut(&[u8], usize)) {
    let mut at = 0;
    while at < raw.len() {
        let len = memchr::memchr(b'&', &raw[at..]).unwrap_or(raw.len() - at);
        if len > 0 {
            put(&raw[at..at + len], at);
            at += len;
            continue;
        }
        if let Some((len, text)) = reference(&raw[at..], attribute) {
            put(text.as_bytes(), at);
            at += len;
        } else {
            put(b"&", at);
            at += 1;
        }
    }
}

/// The reference at the start of `raw`: its length and what it stands for.
fn reference(raw: &[u8], attribute: bool) -> Option<(usize, Cow<'static, str>)> {
    let tail = &raw[1..];
    if let Some(number) = tail.strip_prefix(b"#") {
        return numeric(number).map(|(len, c)| (len + 2, Cow::Owned(c.to_string())));
    }
    if let Some((len, text)) = everyday(tail) {
        return Some((len, Cow::Borrowed(text)));
    }
    // The longest name has 31 letters.
    let len = tail.iter().take(40).take_while(|b| b.is_ascii_alphanumeric()).count();
    if len == 0 {
        return None;
    }
    let semicolon = tail.get(len) == Some(&b';');
    // `&` stands between the pairs of every query: what cannot be a name is not asked about.
    if !semicolon && !begins_with_old(tail) {
        return None;
    }
    let whole = 1 + len + usize::from(semicolon);
    let decoded = ask(&raw[..whole])?;
    let first = decoded.chars().next()?.len_utf8();
    if semicolon && (first == decoded.len() || !decoded.ends_with(';')) {
        return Some((whole, Cow::Owned(decoded)));
    }
    // A name of old that needs no semicolon, always one character, and what follows it.
    let used = whole.checked_sub(decoded.len() - first)?;
    let next = raw.get(used);
    if attribute && next.is_some_and(|&b| b == b'=' || b.is_ascii_alphanumeric()) {
        return None;
    }
    Some((used, Cow::Owned(decoded[..first].to_owned())))
}

/// One of the everyday names at the beginning of what follows a `&`: the length of the whole reference and what it stands for.
pub fn everyday(tail: &[u8]) -> Option<(usize, &'static str)> {
    Some(match tail {
        [b'a', b'm', b'p', b';', ..] => (5, "&"),
        [b'l', b't', b';', ..] => (4, "<"),
        [b'g', b't', b';', ..] => (4, ">"),
        [b'q', b'u', b'o', b't', b';', ..] => (6, "\""),
        [b'a', b'p', b'o', b's', b';', ..] => (6, "'"),
        [b'n', b'b', b's', b'p', b';', ..] => (6, "\u{a0}"),
        [b'e', b'u', b'r', b'o', b';', ..] => (6, "€"),
        [b'p', b'o', b'u', b'n', b'd', b';', ..] => (7, "£"),
        [b'c', b'o', b'p', b'y', b';', ..] => (6, "©"),
        [b'r', b'e', b'g', b';', ..] => (5, "®"),
        [b't', b'r', b'a', b'd', b'e', b';', ..] => (7, "™"),
        [b'h', b'e', b'l', b'l', b'i', b'p', b';', ..] => (8, "…"),
        [b'm', b'd', b'a', b's', b'h', b';', ..] => (7, "—"),
        [b'n', b'd', b'a', b's', b'h', b';', ..] => (7, "–"),
        [b'l', b's', b'q', b'u', b'o', b';', ..] => (7, "‘"),
        [b'r', b's', b'q', b'u', b'o', b';', ..] => (7, "’"),
        [b'l', b'd', b'q', b'u', b'o', b';', ..] => (7, "“"),
        [b'r', b'd', b'q', b'u', b'o', b';', ..] => (7, "”"),
        [b'l', b'a', b'q', b'u', b'o', b';', ..] => (7, "«"),
        [b'r', b'a', b'q', b'u', b'o', b';', ..] => (7, "»"),
        [b'm', b'i', b'd', b'd', b'o', b't', b';', ..] => (8, "·"),
        [b'b', b'u', b'l', b'l', b';', ..] => (6, "•"),
        [b't', b'i', b'm', b'e', b's', b';', ..] => (7, "×"),
        _ => return None,
    })
}

/// Names of old, which need no semicolon behind them, in the order of their bytes: the 106 of the standard's table.
const OLD: &[&str] = &[
    "AElig", "AMP", "Aacute", "Acirc", "Agrave", "Aring", "Atilde", "Auml", "COPY", "Ccedil", "ETH",
    "Eacute", "Ecirc", "Egrave", "Euml", "GT", "Iacute", "Icirc", "Igrave", "Iuml", "LT", "Ntilde", "Oacute",
    "Ocirc", "Ograve", "Oslash", "Otilde", "Ouml", "QUOT", "REG", "THORN", "Uacute", "Ucirc", "Ugrave",
    "Uuml", "Yacute", "aacute", "acirc", "acute", "aelig", "agrave", "amp", "aring", "atilde", "auml",
    "brvbar", "ccedil", "cedil", "cent", "copy", "curren", "deg", "divide", "eacute", "ecirc", "egrave",
    "eth", "euml", "frac12", "frac14", "frac34", "gt", "iacute", "icirc", "iexcl", "igrave", "iquest",
    "iuml", "laquo", "lt", "macr", "micro", "middot", "nbsp", "not", "ntilde", "oacute", "ocirc", "ograve",
    "ordf", "ordm", "oslash", "otilde", "ouml", "para", "plusmn", "pound", "quot", "raquo", "reg", "sect",
    "shy", "sup1", "sup2", "sup3", "szlig", "thorn", "times", "uacute", "ucirc", "ugrave", "uml", "uuml",
    "yacute", "yen", "yuml",
];

/// Whether a name that needs no `;` behind it stands at the beginning of what follows a `&`.
pub fn begins_with_old(tail: &[u8]) -> bool {
    // No name is shorter, and few other words begin with the same two letters.
    let Some(first) = tail.first_chunk::<2>().filter(|[_, second]| second.is_ascii_alphabetic()) else {
        return false;
    };
    let from = OLD.partition_point(|old| old.as_bytes().first_chunk::<2>() < Some(first));
    let alike = OLD.get(from..).unwrap_or_default().iter().map(|old| old.as_bytes());
    alike.take_while(|old| old.starts_with(first)).any(|old| tail.starts_with(old))
}

/// What `html5gum` makes of `&name;`; `None` when it is no reference.
fn ask(raw: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        if let CallbackEvent::String { value } = event {
            text.extend_from_slice(value);
        }
        None
    });
    let Ok(()) = Tokenizer::new_with_emitter(raw, emitter).finish();
    String::from_utf8(text).ok().filter(|t| t.as_bytes() != raw)
}

fn numeric(number: &[u8]) -> Option<(usize, char)> {
    // What Windows-1252 has at 0x80–0x9f; a NUL marks what it does not have.
    const WINDOWS: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";
    let (digits, radix, skip) = match number {
        [b'x' | b'X', rest @ ..] => (rest, 16, 1),
        _ => (number, 10, 0),
    };
    let value = |b: &u8| hex(*b).map(u32::from).filter(|&v| v < radix);
    let len = digits.iter().take_while(|b| value(b).is_some()).count();
    if len == 0 {
        return None;
    }
    let code =
        digits[..len].iter().filter_map(value).fold(0u32, |n, v| n.saturating_mul(radix).saturating_add(v));
    let mapped = match code {
        0x80..=0x9f => {
            WINDOWS.chars().nth(code as usize - 0x80).filter(|&c| c != '\0').or(char::from_u32(code))
        }
        0 => None,
        _ => char::from_u32(code),
    };
    let semicolon = usize::from(digits.get(len) == Some(&b';'));
    Some((skip + len + semicolon, mapped.unwrap_or('\u{fffd}')))
}

/// Escapes for text and for a value in quotes of either kind.
pub fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for &b in value {
        match b {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            _ => out.push(b),
        }
    }
    out
}

/// Escapes for a value without quotes.
pub fn escape_unquoted(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for b in escape(value) {
        match b {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'=' | b'`' => {
                out.extend_from_slice(format!("&#{b};").as_bytes());
            }
            _ => out.push(b),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> String {
        String::from_utf8(decode(raw.as_bytes(), false).into_owned()).unwrap()
    }

    #[test]
    fn references() {
        assert_eq!(text("a&amp;b&lt;&#39;&#x41;&nbsp;&eacute;&notin;&notit;&semi;"), "a&b<'A\u{a0}é∉¬it;;");
        assert_eq!(
            text("&copy2026 &nope; &; & &#; &#xg &AMP &#128; &#0; &#55296;"),
            "©2026 &nope; &; & &#; &#xg & € \u{fffd} \u{fffd}"
        );
        assert_eq!(&*decode(b"?a=1&copy=2&copy;&lt=3&lt", true), "?a=1&copy=2©&lt=3<".as_bytes());
    }

    #[test]
    fn everyday_names_mean_what_the_table_says() {
        for name in [
            "amp", "lt", "gt", "quot", "apos", "nbsp", "euro", "pound", "copy", "reg", "trade", "hellip",
            "mdash", "ndash", "lsquo", "rsquo", "ldquo", "rdquo", "laquo", "raquo", "middot", "bull",
            "times",
        ] {
            let raw = format!("&{name};");
            assert_eq!(Some(text(&raw)), ask(raw.as_bytes()), "{name}");
            assert_eq!(everyday(&raw.as_bytes()[1..]).map(|(len, _)| len), Some(raw.len()), "{name}");
        }
    }

    #[test]
    fn names_of_old_need_no_semicolon() {
        assert!(OLD.is_sorted() && OLD.len() == 106);
        for name in OLD {
            assert!(
                ask(format!("&{name}").as_bytes()).is_some_and(|text| text.chars().count() == 1),
                "{name}"
            );
        }
        // No other of two or three letters is one.
        let letters = || b'a'..=b'z';
        for pair in letters().flat_map(|a| letters().map(move |b| [a, b])) {
            for name in [pair.to_vec(), pair.to_ascii_uppercase(), [&pair[..], b"x"].concat()] {
                let raw = [b"&", &name[..]].concat();
                assert_eq!(begins_with_old(&name), ask(&raw).is_some(), "{}", String::from_utf8_lossy(&raw));
            }
        }
    }

    #[test]
    fn map_points_at_the_source() {
        let (out, map) = decode_mapped(b"a&amp;b&x");
        assert_eq!((out.as_slice(), map.as_slice()), (b"a&b&x".as_slice(), [0, 1, 6, 7, 8, 9].as_slice()));
    }

    #[test]
    fn escapes_read_back() {
        let odd = b"<a b='c' d=\"&amp;\">\n`= \xff";
        assert_eq!(&*decode(&escape(odd), true), odd);
        let unquoted = escape_unquoted(odd);
        assert!(!unquoted.iter().any(|b| b" \n\"'<>`=".contains(b)));
        assert_eq!(&*decode(&unquoted, true), odd);
    }
}
