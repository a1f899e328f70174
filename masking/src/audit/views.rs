//! What bytes mean when encodings are undone, as far as a learnt value can show only then.

use std::borrow::Cow;

use mynah_message::{html, json, percent, script};

use crate::learned::{Alphabet, Known};

/// Encodings on top of each other that are undone.
const ROUNDS: usize = 2;

/// Whether there is any sign with which an escape can begin.
pub(super) fn has_escapes(bytes: &[u8]) -> bool {
    memchr::memchr3(b'%', b'&', b'\\', bytes).is_some() || memchr::memchr(b'+', bytes).is_some()
}

/// What bytes mean when encodings are undone, one on top of the other.
pub(super) fn views(known: &Known, bytes: &[u8]) -> Vec<Decoded> {
    let mut views: Vec<Decoded> = Vec::new();
    // All that can newly appear when + is read as a space has a space in it.
    let plus = known.has_spaced();
    let telling = known.alphabet();
    decoded(bytes, false, plus, &telling, &mut views);
    let mut from = 0;
    for _ in 1..ROUNDS {
        let to = views.len();
        for i in from..to {
            let mut further = Vec::new();
            decoded(&views[i].bytes, views[i].spaces, plus, &telling, &mut further);
            views.append(&mut further);
        }
        from = to;
    }
    views
}

/// Bytes with an encoding undone.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Another one differs from it only in `+` where this has spaces.
    pub(super) spaces: bool,
}

/// What of the bytes becomes something else when one encoding is undone, for each of which anything can tell. With `plus`, also what
/// they are when `+` is a space.
fn decoded(bytes: &[u8], spaces: bool, plus: bool, telling: &Alphabet, views: &mut Vec<Decoded>) {
    let [mut percent, mut form, mut json, mut html, mut code] = [const { Stretches::none() }; 5];
    let mut braced = None;
    for at in memchr::memchr3_iter(b'%', b'&', b'\\', bytes) {
        let stretches = match bytes.get(at) {
            Some(b'%') if percent_tells_at(bytes, at, telling) => &mut percent,
            Some(b'&') if html_tells_at(bytes, at, telling) => &mut html,
            Some(b'\\') if script_tells_at(bytes, at, telling) => {
                code.take(bytes, at, braced.get_or_insert_with(|| telling.with_braces()));
                continue;
            }
            Some(b'\\') if json_tells_at(bytes, at, telling) => &mut json,
            _ => continue,
        };
        stretches.take(bytes, at, telling);
    }
    if plus {
        memchr::memchr_iter(b'+', bytes).for_each(|at| form.take(bytes, at, telling));
    }
    let forms = [
        (percent::decode(&percent.taken, false), spaces, &percent),
        (percent::decode(&form.taken, true), true, &form),
        (json::unescape(&json.taken), spaces, &json),
        (html::entity::decode(&html.taken, false), spaces, &html),
        (script::unescape(&code.taken), spaces, &code),
    ];
    for (form, spaces, written) in forms {
        if let Cow::Owned(form) = form
            && form != written.taken
        {
            views.push(Decoded { bytes: form, spaces });
        }
    }
}

/// The stretches of a text in which learnt values can be that show only when an escape is undone: those around such an escape of
/// bytes that can stand in a value or in an escape, each with the bytes before and behind it.
struct Stretches {
    taken: Vec<u8>,
    /// Where the last one ends, without the byte behind it.
    end: usize,
}

impl Stretches {
    const fn none() -> Stretches {
        Stretches { taken: Vec::new(), end: 0 }
    }

    /// Takes the stretch around a place.
    fn take(&mut self, text: &[u8], at: usize, telling: &Alphabet) {
        if at < self.end {
            return;
        }
        let (before, behind) = text.split_at(at);
        let start = before.iter().rposition(|b| !telling.has(*b)).unwrap_or(0);
        let end = behind.iter().position(|b| !telling.has(*b)).map_or(text.len(), |len| at + len);
        self.taken.extend_from_slice(text.get(start..text.len().min(end + 1)).unwrap_or_default());
        self.end = end;
    }
}

/// Whether learnt values may be written in the bytes so that they are seen only when escapes are undone.
pub(crate) fn may_hide(bytes: &[u8], plus: bool, telling: &Alphabet) -> bool {
    percent_tells(bytes, telling)
        || plus && memchr::memchr(b'+', bytes).is_some()
        || json_tells(bytes, telling)
        || html_tells(bytes, telling)
}

// Where an escape stands for a byte that is in no learnt value, in no base64 and in no other escape, it divides what stands
// before it from what stands behind it, undone or not. Most escapes are of that sort: quotes, line breaks, ampersands in
// links. Only where one is not, the bytes are decoded and searched again. In doubt these say yes.

pub(crate) fn percent_tells(bytes: &[u8], telling: &Alphabet) -> bool {
    memchr::memchr_iter(b'%', bytes).any(|at| percent_tells_at(bytes, at, telling))
}

fn percent_tells_at(bytes: &[u8], at: usize, telling: &Alphabet) -> bool {
    let there = &bytes[at..bytes.len().min(at + 3)];
    let meant = percent::decode(there, false);
    *meant != *there && telling.has_any(&meant)
}

pub(crate) fn json_tells(bytes: &[u8], telling: &Alphabet) -> bool {
    memchr::memchr_iter(b'\\', bytes).any(|at| json_tells_at(bytes, at, telling))
}

fn json_tells_at(bytes: &[u8], at: usize, telling: &Alphabet) -> bool {
    match bytes.get(at + 1) {
        // A pair of surrogates takes two of them.
        Some(b'u') => telling.has_any(&json::unescape(&bytes[at..bytes.len().min(at + 12)])),
        Some(b'n') => telling.has(b'\n'),
        Some(b't') => telling.has(b'\t'),
        Some(b'r') => telling.has(b'\r'),
        Some(b'b') => telling.has(8),
        Some(b'f') => telling.has(12),
        Some(b @ (b'"' | b'/' | b'\\')) => telling.has(*b),
        _ => false,
    }
}

/// The same of what scripts have besides.
fn script_tells_at(bytes: &[u8], at: usize, telling: &Alphabet) -> bool {
    let there = match bytes.get(at + 1..) {
        Some([b'x', ..]) => bytes.get(at..at + 4),
        Some([b'u', b'{', rest @ ..]) => {
            let digits = rest.iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
            bytes.get(at..at + 4 + digits)
        }
        _ => None,
    };
    there.is_some_and(|there| telling.has_any(&script::unescape(there)))
}

pub(crate) fn html_tells(bytes: &[u8], telling: &Alphabet) -> bool {
    memchr::memchr_iter(b'&', bytes).any(|at| html_tells_at(bytes, at, telling))
}

fn html_tells_at(bytes: &[u8], at: usize, telling: &Alphabet) -> bool {
    let rest = &bytes[at + 1..];
    if let Some((_, text)) = html::entity::everyday(rest) {
        return telling.has_any(text.as_bytes());
    }
    let len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
    let closed = rest.get(len) == Some(&b';');
    if len == 0 {
        return false;
    }
    // Only the names of old need no semicolon.
    if !closed && rest[0] != b'#' && !html::entity::begins_with_old(rest) {
        return false;
    }
    // But for these four they stand for letters and signs of Latin-1.
    if !closed && rest[0] != b'#' && !telling.has(0xc2) && !telling.has(0xc3) {
        return [&b"amp"[..], b"lt", b"gt", b"quot"].iter().any(|name| {
            rest.get(..name.len()).is_some_and(|there| there.eq_ignore_ascii_case(name))
                && (*name == b"amp"
                    || telling.has_any(&html::entity::decode(&[b"&", *name, b";"].concat(), false)))
        });
    }
    let there = &bytes[at..=at + len + usize::from(closed)];
    let meant = html::entity::decode(there, false);
    *meant != *there && telling.has_any(&meant)
}

#[cfg(test)]
mod tests {
    use mynah_traffic::Side;
    use proptest::prelude::*;

    use super::super::Auditor;
    use super::*;
    use crate::kind::Kind;
    use crate::learned::Learning;
    use crate::masker::Issued;

    /// Every view there is, whatever it may tell.
    fn all_views(bytes: &[u8], rounds: usize) -> Vec<Vec<u8>> {
        let mut views = vec![bytes.to_vec()];
        if rounds > 0 {
            for form in [
                percent::decode(bytes, false),
                percent::decode(bytes, true),
                json::unescape(bytes),
                html::entity::decode(bytes, false),
            ] {
                if *form != *bytes {
                    views.extend(all_views(&form, rounds - 1));
                }
            }
        }
        views
    }

    fn written(byte: u8, way: u8) -> String {
        match way % 7 {
            0 => format!("%{byte:02x}"),
            1 => format!("\\u{byte:04X}"),
            2 => format!("&#{byte};"),
            3 => format!("&#x0{byte:x};"),
            4 => format!("%25{byte:02X}"),
            5 => format!("&amp;#{byte};"),
            _ => char::from(byte).to_string(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn nothing_is_missed_by_not_undoing_what_tells_nothing(
            value in "[a-zA-Z0-9]{6}[ -~]{2,6}[a-zA-Z0-9/+=]{6}",
            ways in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]), 18),
            before in "[ -~\n]{0,12}",
            after in "[%&;#xu0-9a-z\\\\\"+ ]{0,12}",
        ) {
            let mut learning = Learning::default();
            learning.note(Kind::Token, value.as_bytes());
            let known = learning.finish();
            prop_assume!(known.len() == 1);
            let inner: String = value.bytes().zip(ways.iter().cycle()).map(|(b, way)| written(b, *way)).collect();
            let text = format!("{before}{inner}{after}");
            let naive = all_views(text.as_bytes(), ROUNDS).iter().any(|view| {
                view.to_ascii_lowercase().windows(value.len()).any(|w| *w == *value.to_ascii_lowercase().as_bytes())
            });
            let mut auditor = Auditor::new(known, Issued::default());
            auditor.search(Side::Request, "body", text.as_bytes());
            prop_assert!(auditor.finish().is_err() || !naive, "{text}");
        }
    }

    #[test]
    fn old_names_without_a_semicolon_and_long_numbers() {
        for (value, text) in [
            ("k3J9xQ2m<Lp0Z", "x k3J9xQ2m&ltLp0Z"),
            ("k3J9xQ2m&Lp0Z", "x k3J9xQ2m&ampLp0Z"),
            ("k3J9xQ2m©Lp0Z", "x k3J9xQ2m&copyLp0Z"),
            ("k3J9xQ2mALp0Z", "x k3J9xQ2m&#000000000000000000000000000000000000000000065;Lp0Z"),
            ("k3J9xQ2m_Lp0Z", "x k3J9xQ2m&lowbar;Lp0Z"),
            ("k3J9xQ2m\u{1f600}Lp0Z", "x k3J9xQ2m\\ud83d\\ude00Lp0Z"),
            ("k3J9xQ2m\nLp0Z", "x k3J9xQ2m\\nLp0Z"),
            ("k3J9xQ2m Lp0Z", "x k3J9xQ2m+Lp0Z"),
        ] {
            let mut learning = Learning::default();
            learning.note(Kind::Token, value.as_bytes());
            let mut auditor = Auditor::new(learning.finish(), Issued::default());
            auditor.search(Side::Response, "body", text.as_bytes());
            assert!(auditor.finish().is_err(), "{text}");
        }
    }
}
