//! The values found sensitive anywhere that are hard enough to guess to be replaced everywhere, and the search for them in
//! the forms in which they can be written inside of other text.

use std::collections::HashMap;

use mynah_message::{html, json, percent};
use zeroize::Zeroize as _;

use crate::entropy;
use crate::finder::{self, Finder, Match, Pattern};
use crate::kind::Kind;
use crate::variant::{self, Variant};

/// Values and their kinds while learning.
#[derive(Default)]
pub(crate) struct Learning {
    values: HashMap<Box<[u8]>, Kind>,
}

impl Learning {
    /// Notes a value when it is hard to guess. Found under two kinds it gets the more telling one, in whichever order.
    pub(crate) fn note(&mut self, kind: Kind, value: &[u8]) {
        // Looking it up costs less than judging it again; of full names and cookies the kind has a say in that.
        if let Some(known) = self.values.get_mut(value)
            && (kind >= *known || is_learnable(kind, value))
        {
            *known = kind.min(*known);
        } else if is_learnable(kind, value) {
            self.values.insert(value.into(), kind);
        }
    }

    /// Whether the value was noted under that kind or a more telling one.
    pub(crate) fn has(&self, kind: Kind, value: &[u8]) -> bool {
        self.values.get(value).is_some_and(|known| *known <= kind)
    }

    pub(crate) fn finish(self) -> Learned {
        Learned::new(self.values)
    }
}

/// No longer value is searched for: what is longer is a document under the name of a secret, not a secret that
/// is handed from place to place.
const LONGEST: usize = 16 << 10;

/// Whether a value is to be replaced wherever it occurs. A person's full name counts although it can be guessed: pages
/// show it without a name that would give it away. Cookies of unknown meaning must look random: a path or a product's name
/// kept in one must not be wiped out of all the traffic.
fn is_learnable(kind: Kind, value: &[u8]) -> bool {
    if value.len() > LONGEST || value.starts_with(b"http://") || value.starts_with(b"https://") {
        return false;
    }
    if kind == Kind::Name && is_full_name(value) {
        return true;
    }
    entropy::is_unique(value) && (kind != Kind::Cookie || entropy::random_bits(value) >= entropy::UNIQUE_BITS)
}

/// Two words or more, each of two letters at least, and nothing else.
fn is_full_name(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let letter = |c: char| c.is_alphabetic() || matches!(c, '\'' | '-' | '.' | ',' | '’');
    let words = || text.split(' ').filter(|w| w.chars().filter(|c| c.is_alphabetic()).count() > 1);
    (entropy::UNIQUE_BYTES..=80).contains(&value.len())
        && words().count() > 1
        && text.chars().all(|c| c == ' ' || letter(c))
}

/// What was learnt, fixed: kinds no longer change, so that the order of exchanges has no say in pseudonyms.
#[derive(Default)]
pub(crate) struct Learned {
    values: HashMap<Box<[u8]>, Kind>,
    finder: Finder,
    /// For each of the finder's patterns: the value, its kind, how it is written.
    patterns: Vec<(Box<[u8]>, Kind, Variant)>,
}

impl Learned {
    fn new(values: HashMap<Box<[u8]>, Kind>) -> Learned {
        let mut sorted: Vec<_> = values.iter().collect();
        sorted.sort_unstable();
        let mut texts = Vec::new();
        let mut patterns = Vec::new();
        for (value, kind) in sorted {
            for (text, variant) in written(value) {
                texts.push(Pattern { bytes: text.into(), exact: variant.is_exact() });
                patterns.push((value.clone(), *kind, variant));
            }
        }
        Learned { values, finder: Finder::new(texts), patterns }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The kind of a value that was learnt.
    pub(crate) fn kind(&self, value: &[u8]) -> Option<Kind> {
        if value.len() < entropy::UNIQUE_BYTES { None } else { self.values.get(value).copied() }
    }

    /// The values in no particular order.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&[u8], Kind)> {
        self.values.iter().map(|(value, kind)| (&**value, *kind))
    }

    /// Every place in a text where something is written as a learnt value is; they may overlap.
    pub(crate) fn matches(&self, text: &[u8]) -> Vec<Match> {
        if self.finder.is_empty() { Vec::new() } else { self.finder.all(text) }
    }

    /// Of these places the leftmost and longest: range, kind, way of writing, value.
    pub(crate) fn sightings(&self, matches: Vec<Match>) -> Vec<Sighting<'_>> {
        finder::leftmost(matches)
            .into_iter()
            .filter_map(|m| {
                let (value, kind, variant) = self.patterns.get(m.pattern)?;
                Some(Sighting { range: m.range, kind: *kind, variant: *variant, value })
            })
            .collect()
    }
}

impl Drop for Learned {
    fn drop(&mut self) {
        for (mut value, _) in self.values.drain() {
            value.zeroize();
        }
        for (value, ..) in &mut self.patterns {
            value.zeroize();
        }
    }
}

/// A learnt value seen in a text.
pub(crate) struct Sighting<'l> {
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) kind: Kind,
    pub(crate) variant: Variant,
    pub(crate) value: &'l [u8],
}

/// Every way of writing a value that differs from the others.
fn written(value: &[u8]) -> Vec<(Vec<u8>, Variant)> {
    let mut ways = vec![(value.to_vec(), Variant::Raw)];
    let mut add = |text: Vec<u8>, variant: Variant| {
        if ways.iter().all(|(other, _)| *other != text) {
            ways.push((text, variant));
        }
    };
    add(percent::encode(value, percent::form_safe, true), Variant::Form);
    add(percent::encode(value, percent::form_safe, false), Variant::Percent);
    add(percent::encode(value, percent::path_safe, false), Variant::Percent);
    add(json::escape(value), Variant::Json);
    if value.contains(&b'/') {
        add(variant::json_with_slashes(value), Variant::JsonSlashes);
    }
    add(html::entity::escape(value), Variant::Html);
    for (text, variant) in variant::base64_forms(value) {
        add(text, variant);
    }
    add(variant::hex(value, false), Variant::Hex);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_telling_kind_wins_in_any_order() {
        for kinds in [[Kind::Csrf, Kind::Session], [Kind::Session, Kind::Csrf]] {
            let mut learning = Learning::default();
            for kind in kinds {
                learning.note(kind, b"k3J9xQ2mLp0Z");
            }
            assert_eq!(learning.finish().kind(b"k3J9xQ2mLp0Z"), Some(Kind::Csrf));
        }
    }

    #[test]
    fn what_is_easy_to_guess_is_not_searched_for() {
        let mut learning = Learning::default();
        for (kind, value) in [
            (Kind::Password, &b"true"[..]),
            (Kind::Password, b"password"),
            (Kind::Name, b"Springfield"),
            (Kind::Cookie, b"/products/wireless-headphones/black-leather-case"),
            (Kind::Cookie, b"wireless-headphones-black-leather-case"),
            (Kind::Token, b"https://shop.example/k3J9xQ2mLp0Z"),
        ] {
            learning.note(kind, value);
        }
        assert_eq!(learning.finish().len(), 0);
    }

    #[test]
    fn full_names_are_searched_for() {
        let names = ["Leslie Rossi", "José d'Ávila-Núñez", "Leslie", "A B C D E", "Room 12 b"];
        let found: Vec<_> = names.iter().filter(|n| is_learnable(Kind::Name, n.as_bytes())).collect();
        assert_eq!(found, [&names[0], &names[1]]);
        assert!(!is_learnable(Kind::User, b"Leslie Rossi"));
        assert!(!is_learnable(Kind::Token, &b"k3J9xQ2m".repeat(4096)));
    }

    #[test]
    fn values_are_seen_in_every_writing() {
        let value = b"a+b/c=k3J9xQ2mLp0Z&\"<";
        let mut learning = Learning::default();
        learning.note(Kind::Token, value);
        let learned = learning.finish();
        for text in [
            &b"x a+b/c=k3J9xQ2mLp0Z&\"< y"[..],
            b"q=a%2bb%2Fc%3dk3J9xQ2mLp0Z%26%22%3C",
            br#"{"a":"a+b\/c=k3J9xQ2mLp0Z&\"<"}"#,
            b"v='a+b/c=k3J9xQ2mLp0Z&amp;&quot;&lt;'",
            b"612b622f633d6b334A397851326d4c70305a26223c",
        ] {
            assert_eq!(
                learned.sightings(learned.matches(text)).len(),
                1,
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        assert_eq!(learned.matches(b"nothing of that sort in here").len(), 0);
    }
}
