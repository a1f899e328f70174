//! How names are spelled: what of a name counts, and the words of which it is made.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// `password` of `user[password]`, `items` of `items[]`.
pub(super) fn last_bracket(name: &str) -> &str {
    let trimmed = name.strip_suffix("[]").unwrap_or(name);
    match trimmed.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
        Some((_, last)) if !last.is_empty() && !last.bytes().all(|b| b.is_ascii_digit()) => last,
        _ => trimmed,
    }
}

/// The words of a name, by its separators and its capital letters.
pub(super) fn words(name: &str) -> Vec<&str> {
    name.split(|c: char| !c.is_alphanumeric())
        .flat_map(|part| {
            let bytes = part.as_bytes();
            let mut words = Vec::new();
            let mut start = 0;
            for i in 1..bytes.len() {
                let camel = bytes[i].is_ascii_uppercase() && !bytes[i - 1].is_ascii_uppercase();
                // `XSsn`, `IPAddress`: the last capital letter of a row begins a word.
                let acronym = bytes[i].is_ascii_uppercase()
                    && bytes[i - 1].is_ascii_uppercase()
                    && bytes.get(i + 1).is_some_and(u8::is_ascii_lowercase);
                if camel || acronym {
                    words.extend(part.get(start..i));
                    start = i;
                }
            }
            words.extend(part.get(start..));
            words
        })
        .filter(|w| !w.is_empty())
        .collect()
}

/// The letters and digits of a name in small ones, as far as they fit.
pub(super) fn fold<'b>(name: &str, buffer: &'b mut [u8; 128]) -> &'b str {
    let mut len = 0;
    for c in name.chars() {
        each_letter(c, &mut |c| {
            if let Some(there) = buffer.get_mut(len..len + c.len_utf8()) {
                len += c.encode_utf8(there).len();
            }
        });
    }
    std::str::from_utf8(&buffer[..len]).unwrap_or("")
}

/// A character of a name in small ones: a Latin letter without its accents (NFKD, [UAX #15](https://www.unicode.org/reports/tr15/)), any
/// other as it is; nothing for what is neither letter nor digit.
fn each_letter(c: char, visit: &mut dyn FnMut(char)) {
    if c.is_ascii() {
        if c.is_ascii_alphanumeric() {
            visit(c.to_ascii_lowercase());
        }
        return;
    }
    // Those whose accent is none by Unicode's account, and two forms of one letter.
    let plain = match c {
        'ł' | 'Ł' => "l",
        'ø' | 'Ø' => "o",
        'đ' | 'Đ' => "d",
        'ı' => "i",
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        // At the end of a word.
        'ς' => "σ",
        _ => "",
    };
    plain.chars().for_each(&mut *visit);
    if !plain.is_empty() {
        return;
    }
    let mut apart = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(std::iter::once(c)).peekable();
    if apart.peek().is_some_and(char::is_ascii_alphanumeric) {
        apart.filter(char::is_ascii_alphanumeric).for_each(|c| visit(c.to_ascii_lowercase()));
    } else if c.is_alphanumeric() {
        c.to_lowercase().for_each(visit);
    }
}

/// A name with `*` in it, folded as names are.
pub(crate) fn fold_pattern(pattern: &str) -> String {
    let mut folded = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if c == '*' {
            folded.push(c);
        }
        each_letter(c, &mut |c| folded.push(c));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_signs_and_forms_of_letters_do_not_count() {
        let mut buffer = [0; 128];
        assert_eq!(fold("a\u{202e}-²½ÅﬃǆⅧ €", &mut buffer), "a212affidzviii");
        // What does not fit is left out.
        assert_eq!(fold(&"ж".repeat(100), &mut buffer).len(), 128);
    }

    #[test]
    fn names_are_divided_into_words() {
        for (name, divided) in [
            ("X-First-Name", &["X", "First", "Name"][..]),
            ("clientIPAddress", &["client", "IP", "Address"]),
            ("date_ofBirth2", &["date", "of", "Birth2"]),
            ("--", &[]),
            ("größe-x", &["größe", "x"]),
        ] {
            assert_eq!(words(name), divided, "{name}");
        }
    }
}
