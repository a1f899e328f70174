//! The values found sensitive anywhere that are hard enough to guess to be replaced everywhere, and the search for them in
//! the forms in which they can be written inside of other text.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hashbrown::HashTable;
use zeroize::Zeroize as _;

use crate::detect;
use crate::entropy;
use crate::finder::{Candidate, Finder};
use crate::hash::Quick;
use crate::kind::Kind;
use crate::variant::{Variant, Way};

/// Values and their kinds while learning.
#[derive(Default)]
pub(crate) struct Learning {
    /// What was settled before: of that nothing is to be noted any more.
    known: Known,
    values: HashMap<Box<[u8]>, Kind, Quick>,
}

impl Learning {
    /// For a stream, in which what is known has its kind for good.
    pub(crate) fn beside(known: Known) -> Learning {
        Learning { known, values: HashMap::default() }
    }

    /// Notes a value when it is hard to guess. Found under two kinds it gets the more telling one, in whichever order.
    pub(crate) fn note(&mut self, kind: Kind, value: &[u8]) {
        // Looking it up costs less than judging it again; of full names and cookies the kind has a say in that.
        if let Some(known) = self.values.get_mut(value)
            && (kind >= *known || is_learnable(kind, value))
        {
            *known = kind.min(*known);
        } else if self.known.kind(value).is_none() && is_learnable(kind, value) {
            self.values.insert(value.into(), kind);
        }
    }

    /// Whether a value of that kind would be noted.
    pub(crate) fn would_take(kind: Kind, value: &[u8]) -> bool {
        is_learnable(kind, value)
    }

    /// Whether the value was noted under that kind or a more telling one, or is settled.
    pub(crate) fn has(&self, kind: Kind, value: &[u8]) -> bool {
        self.values.get(value).is_some_and(|known| *known <= kind) || self.known.kind(value).is_some()
    }

    /// Whether the value was noted under that very kind.
    pub(crate) fn is(&self, kind: Kind, value: &[u8]) -> bool {
        self.values.get(value).copied().or_else(|| self.known.kind(value)) == Some(kind)
    }

    /// Makes known what was noted, and begins anew. Says whether that was anything.
    pub(crate) fn settle(&mut self) -> bool {
        if self.values.is_empty() {
            return false;
        }
        let mut fresh: Vec<_> = self.values.drain().collect();
        fresh.sort_unstable();
        self.known.learned.add(fresh);
        true
    }

    pub(crate) fn finish(mut self) -> Known {
        self.settle();
        self.known
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
    if detect::is_jwt_header(value) {
        return false;
    }
    // Punctuation is kept: what is made of little else would be its own pseudonym.
    let changes = match std::str::from_utf8(value) {
        Ok(text) => text.chars().filter(|c| c.is_alphanumeric()).take(4).count(),
        Err(_) => value.iter().filter(|b| b.is_ascii_alphanumeric() || **b >= 0x80).take(4).count(),
    };
    if changes < 4 {
        return false;
    }
    if kind == Kind::Password && is_mixed(value) {
        return true;
    }
    entropy::is_unique(value) && (kind != Kind::Cookie || entropy::is_random(value, entropy::UNIQUE_BITS))
}

/// Letters, digits and signs in ten characters or more: a password, whatever words its letters make, and nothing else.
fn is_mixed(value: &[u8]) -> bool {
    value.len() >= 10
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && value.iter().any(|b| b.is_ascii_punctuation() && !matches!(b, b'-' | b'_' | b'.'))
        && entropy::has_bits(value, PASSWORD_BITS)
}

/// Bits of a password that is replaced wherever it occurs, by an estimate in which a word's letters count little.
const PASSWORD_BITS: f64 = 30.0;

/// Two words or more, each of two letters at least, and nothing else.
fn is_full_name(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let letter = |c: char| c.is_alphabetic() || matches!(c, '\'' | '-' | '.' | ',' | '’');
    let words = || text.split(' ').filter(|w| w.chars().filter(|c| c.is_alphabetic()).count() > 1);
    (entropy::UNIQUE_BYTES..=80).contains(&value.len())
        && words().count() > 1
        && text.chars().all(|c| c == ' ' || letter(c))
}

/// All that was learnt. Values are only ever added, and what is there never changes: so one who looks at no more than the
/// first so many sees what was known at some time, whatever is added meanwhile.
///
/// A value takes its bytes twice or so, for its own copy and those of its writings' windows: some 900 bytes for a session of
/// 32 characters (see the test, which measures it).
#[derive(Default)]
pub(crate) struct Learned {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    values: Vec<Value>,
    hasher: Quick,
    /// Places in `values`.
    index: HashTable<u32>,
    finder: Finder,
    /// Values with a space in them.
    spaced: usize,
    alphabet: Alphabet,
    /// Of those that are what was written of others, which ones these are.
    forms: HashMap<u32, u32, Quick>,
}

/// The bytes that can stand in a learnt value, in base64, or in an escape.
#[derive(Clone)]
pub(crate) struct Alphabet([bool; 256]);

impl Default for Alphabet {
    fn default() -> Self {
        Alphabet(std::array::from_fn(|b| {
            (b as u8).is_ascii_alphanumeric() || b"+/-_=%\\&#;".contains(&(b as u8))
        }))
    }
}

impl Alphabet {
    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// The same with the braces of `\u{22}`.
    pub(crate) fn with_braces(&self) -> Alphabet {
        let mut all = self.clone();
        for b in b"{}" {
            all.0[usize::from(*b)] = true;
        }
        all
    }

    pub(crate) fn has_any(&self, bytes: &[u8]) -> bool {
        bytes.iter().any(|b| self.has(*b))
    }
}

struct Value {
    bytes: Box<[u8]>,
    kind: Kind,
}

impl Learned {
    /// Adds values, in their order. Those that are there already stay as they are.
    fn add(&self, fresh: Vec<(Box<[u8]>, Kind)>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.reserve(fresh.len());
        for (bytes, kind) in fresh {
            inner.add(bytes, kind);
        }
    }

    /// Adds what was written of values, which stand at these places.
    fn add_forms(&self, forms: Vec<(Vec<u8>, usize)>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (form, of) in forms {
            let Some(kind) = inner.values.get(of).map(|value| value.kind) else { continue };
            let number = inner.values.len();
            inner.add(form.into(), kind);
            if inner.values.len() > number {
                inner.forms.insert(number as u32, of as u32);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // Whoever panicked while adding left a value without some of its writings at worst.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many values there can be: what is left of a tag beside the way of writing.
const MOST: usize = (u32::MAX >> Way::BITS) as usize;

impl Inner {
    /// Makes room for so many values more, where that is worth it.
    fn reserve(&mut self, values: usize) {
        if values < 64 {
            return;
        }
        self.values.reserve(values);
        let (known, hasher) = (&self.values, &self.hasher);
        self.index.reserve(values, |n| known.get(*n as usize).map_or(0, |v| hasher.hash(0, &v.bytes)));
        // Letters and digits are written alike in most ways; base64 and hex are four.
        self.finder.reserve(values.saturating_mul(4));
    }

    fn add(&mut self, bytes: Box<[u8]>, kind: Kind) {
        let number = self.values.len();
        if self.find(&bytes).is_some() || number >= MOST {
            return;
        }
        for (text, way) in written(&bytes) {
            self.finder.add(&text, (number as u32) << Way::BITS | u32::from(way.number()));
        }
        for byte in &bytes {
            self.alphabet.0[usize::from(*byte)] = true;
        }
        self.spaced += usize::from(bytes.contains(&b' '));
        let hash = self.hasher.hash(0, &bytes);
        self.values.push(Value { bytes, kind });
        let (values, hasher) = (&self.values, &self.hasher);
        self.index.insert_unique(hash, number as u32, |n| {
            values.get(*n as usize).map_or(0, |v| hasher.hash(0, &v.bytes))
        });
    }

    fn find(&self, value: &[u8]) -> Option<u32> {
        if self.values.is_empty() {
            return None;
        }
        let same = |n: &u32| self.values.get(*n as usize).is_some_and(|v| *v.bytes == *value);
        self.index.find(self.hasher.hash(0, value), same).copied()
    }

    /// The value of which that one is what was written, if it is.
    fn meant(&self, number: u32) -> Option<&[u8]> {
        Some(&self.values.get(*self.forms.get(&number)? as usize)?.bytes)
    }

    /// The match at a candidate's place, if there is one.
    fn compare(&self, text: &[u8], candidate: Candidate) -> Option<Match> {
        let value = candidate.tag >> Way::BITS;
        let way = Way::from_number(candidate.tag as u8 & Way::MASK)?;
        let bytes = &*self.values.get(value as usize)?.bytes;
        let len = way.matches(text.get(candidate.start..)?, bytes)?;
        Some(Match { range: candidate.start..candidate.start + len, value, way })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for value in &mut self.values {
            value.bytes.zeroize();
        }
    }
}

/// A learnt value seen in a text, written in some way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Match {
    pub(crate) range: Range<usize>,
    /// The value's number.
    value: u32,
    way: Way,
}

impl Match {
    /// The number of the value that is seen.
    pub(crate) fn number(&self) -> usize {
        self.value as usize
    }

    /// Whether it is seen in base64 for links, or in the usual one; `None` where it is in neither.
    pub(crate) fn base64(&self) -> Option<bool> {
        match self.way.variant() {
            Variant::Base64 { url, .. } => Some(url),
            _ => None,
        }
    }

    /// The same in a text that begins so many bytes earlier.
    pub(crate) fn behind(mut self, bytes: usize) -> Match {
        self.range = self.range.start + bytes..self.range.end + bytes;
        self
    }
}

/// What was learnt, as far as its holder is to see it.
#[derive(Clone)]
pub(crate) struct Known {
    learned: Arc<Learned>,
    /// The numbers of the values that are seen.
    from: u32,
    to: u32,
    /// Whether what was written of values is seen, too.
    forms: bool,
}

impl Default for Known {
    fn default() -> Self {
        Known { learned: Arc::default(), from: 0, to: u32::MAX, forms: false }
    }
}

impl Known {
    /// How many values are seen.
    pub(crate) fn len(&self) -> usize {
        let end = self.learned.read().values.len().min(self.to as usize);
        end.saturating_sub(self.from as usize)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known now, whatever is learnt later; without the first `from` values.
    pub(crate) fn now(&self, from: usize) -> Known {
        let to = self.learned.read().values.len().min(self.to as usize) as u32;
        Known {
            learned: Arc::clone(&self.learned),
            from: from.min(to as usize) as u32,
            to,
            forms: self.forms,
        }
    }

    /// How many values were learnt, seen or not: without what was written of some of them.
    pub(crate) fn learnt(&self) -> usize {
        let inner = self.learned.read();
        inner.values.len() - inner.forms.len()
    }

    /// Values from that number on, with their numbers and kinds.
    pub(crate) fn values_from(&self, first: usize) -> Vec<(usize, Box<[u8]>, Kind)> {
        let inner = self.learned.read();
        let values = inner.values.iter().enumerate().skip(first);
        values.map(|(number, value)| (number, value.bytes.clone(), value.kind)).collect()
    }

    /// Notes what was written of values, given by their numbers, where only something in them was replaced: who sees it takes it for them.
    pub(crate) fn note_forms(&self, forms: Vec<(Vec<u8>, usize)>) {
        if !forms.is_empty() {
            self.learned.add_forms(forms);
        }
    }

    /// The same with what was written of them.
    pub(crate) fn with_forms(self) -> Known {
        Known { forms: true, ..self }
    }

    fn sees(&self, inner: &Inner, number: u32) -> bool {
        (self.from..self.to).contains(&number) && (self.forms || !inner.forms.contains_key(&number))
    }

    /// The kind of a value that was learnt.
    pub(crate) fn kind(&self, value: &[u8]) -> Option<Kind> {
        if value.len() < entropy::UNIQUE_BYTES || self.from == self.to {
            return None;
        }
        let inner = self.learned.read();
        let number = inner.find(value).filter(|n| self.sees(&inner, *n))?;
        inner.values.get(number as usize).map(|v| v.kind)
    }

    /// The same, and the value itself, or that of which it is what was written.
    pub(crate) fn meant(&self, value: &[u8]) -> Option<(Kind, Box<[u8]>)> {
        let kind = self.kind(value)?;
        let inner = self.learned.read();
        let meant = inner.find(value).and_then(|number| inner.meant(number));
        Some((kind, meant.unwrap_or(value).into()))
    }

    /// Every place in a text where something is written as a learnt value is, by where they begin, the longest first; they
    /// may overlap.
    pub(crate) fn matches(&self, text: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        if text.len() < entropy::UNIQUE_BYTES || self.from == self.to {
            return found;
        }
        let inner = self.learned.read();
        inner.finder.each(text, &mut |candidate| {
            if self.sees(&inner, candidate.tag >> Way::BITS) {
                found.extend(inner.compare(text, candidate));
            }
        });
        let bytes = |m: &Match| inner.values.get(m.value as usize).map(|v| &*v.bytes);
        found.sort_by(|a, b| {
            // In whichever order they were learnt.
            (a.range.start, b.range.end, a.way)
                .cmp(&(b.range.start, a.range.end, b.way))
                .then_with(|| bytes(a).cmp(&bytes(b)))
        });
        found
    }

    /// How often learnt values are written in a text, overlapping ones too; with `spaced`, only those with a space in them.
    pub(crate) fn count(&self, text: &[u8], spaced: bool) -> u64 {
        let mut count = 0;
        let inner = self.learned.read();
        if spaced && inner.spaced == 0 {
            return 0;
        }
        inner.finder.each(text, &mut |candidate| {
            let number = candidate.tag >> Way::BITS;
            let wanted = self.sees(&inner, number)
                && (!spaced || inner.values.get(number as usize).is_some_and(|v| v.bytes.contains(&b' ')));
            if wanted && inner.compare(text, candidate).is_some() {
                count += 1;
            }
        });
        count
    }

    /// The bytes of which values are made.
    pub(crate) fn alphabet(&self) -> Alphabet {
        self.learned.read().alphabet.clone()
    }

    /// Asks something about the bytes of which values are made.
    pub(crate) fn with_alphabet<T>(&self, ask: impl FnOnce(&Alphabet) -> T) -> T {
        ask(&self.learned.read().alphabet)
    }

    /// Whether any value, seen or not, has a space in it.
    pub(crate) fn has_spaced(&self) -> bool {
        self.learned.read().spaced > 0
    }

    /// Of these places the leftmost and longest, without overlaps: range, kind, way of writing, value.
    pub(crate) fn sightings(&self, matches: Vec<Match>) -> Vec<Sighting> {
        let inner = self.learned.read();
        let mut end = 0;
        matches
            .into_iter()
            .filter(|m| {
                let free = m.range.start >= end;
                if free {
                    end = m.range.end;
                }
                free
            })
            .filter_map(|m| {
                let Value { bytes, kind } = inner.values.get(m.value as usize)?;
                Some(Sighting {
                    range: m.range,
                    kind: *kind,
                    variant: m.way.variant(),
                    value: bytes.clone(),
                    meant: inner.meant(m.value).map(Box::from),
                })
            })
            .collect()
    }

    /// Every value that was learnt, with its kind.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> Vec<(Vec<u8>, Kind)> {
        let inner = self.learned.read();
        let values = inner.values.iter().zip(0..).filter(|(_, number)| !inner.forms.contains_key(number));
        values.map(|(v, _)| (v.bytes.to_vec(), v.kind)).collect()
    }

    /// Bytes taken by all that was learnt.
    #[cfg(test)]
    fn memory(&self) -> usize {
        let inner = self.learned.read();
        inner.values.iter().map(|v| v.bytes.len()).sum::<usize>()
            + inner.values.capacity() * size_of::<Value>()
            + inner.index.allocation_size()
            + inner.finder.memory()
    }
}

/// Where known values stand in a text, in the order of their beginnings.
pub(crate) struct Seen<'m> {
    matches: &'m [Match],
    longest: usize,
}

impl<'m> Seen<'m> {
    pub(crate) fn of(matches: &'m [Match]) -> Seen<'m> {
        Seen { matches, longest: matches.iter().map(|m| m.range.len()).max().unwrap_or(0) }
    }

    /// Those that have bytes in common with a value.
    pub(crate) fn meeting(&self, value: &Range<usize>) -> impl Iterator<Item = &'m Range<usize>> {
        let Range { start, end } = *value;
        let first = self.matches.partition_point(|m| m.range.start + self.longest <= start);
        let there = self.matches.get(first..).unwrap_or_default().iter().map(|m| &m.range);
        there.take_while(move |range| range.start < end).filter(move |range| start < range.end)
    }

    /// Whether a known value goes over an end of this one: that is the value then.
    pub(crate) fn goes_beyond(&self, value: &Range<usize>) -> bool {
        self.meeting(value).any(|range| range.start < value.start || value.end < range.end)
    }
}

/// A learnt value seen in a text.
pub(crate) struct Sighting {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
    pub(crate) variant: Variant,
    pub(crate) value: Box<[u8]>,
    /// Of which value it is what was written, if of any.
    pub(crate) meant: Option<Box<[u8]>>,
}

/// Every way of writing a value that differs from the others.
fn written(value: &[u8]) -> Vec<(Vec<u8>, Way)> {
    // Most values are of such bytes only, and to write them all over costs more than all else that is done with them.
    let is_plain = value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let mut ways: Vec<(Vec<u8>, Way)> = Vec::with_capacity(Way::ALL.len());
    for way in Way::ALL {
        let as_before = match way.variant() {
            Variant::Raw | Variant::Hex => false,
            // The other alphabet follows the usual one, from which it differs in two signs.
            Variant::Base64 { url, .. } => {
                url && ways.last().is_some_and(|(text, _)| !text.iter().any(|b| matches!(b, b'+' | b'/')))
            }
            _ => is_plain,
        };
        if as_before {
            continue;
        }
        let text = way.write(value);
        if ways.iter().all(|(other, _)| *other != text) {
            ways.push((text, *way));
        }
    }
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
            (Kind::Token, b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
            (Kind::Token, b"jwt=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
        ] {
            learning.note(kind, value);
        }
        assert_eq!(learning.finish().len(), 0);
    }

    #[test]
    fn what_only_ends_like_the_header_of_a_web_token_is_a_secret() {
        for value in [
            "abc7Kd9Q2mLp!eyJhbGciOi",
            "Xq7Kd9Q2mLp4z:eyJ0eXAiOiJhY2Nlc3MifQ",
            "q9PonDJhhrhSlEi1.eyJraWQiOiI3In0",
        ] {
            assert!(is_learnable(Kind::Password, value.as_bytes()), "{value}");
        }
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
    fn a_value_takes_less_than_a_kilobyte() {
        let known = Known::default();
        let values = 100_000_u64;
        known.learned.add(
            (0..values)
                .map(|n| {
                    format!(
                        "{:032x}",
                        u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                    )
                })
                .map(|text| (text.into_bytes().into_boxed_slice(), Kind::Session))
                .collect(),
        );
        let each = known.memory() as u64 / values;
        println!("{each} bytes for each session of 32 hex digits");
        assert!(each < 1000, "{each}");
    }

    proptest::proptest! {
        #[test]
        fn every_writing_is_there_once(value in "[a-zA-Z0-9._-]{6,20}|[ -~]{6,20}|\\PC{6,12}") {
            let mut all: Vec<(Vec<u8>, Way)> = Vec::new();
            for way in Way::ALL {
                let text = way.write(value.as_bytes());
                if all.iter().all(|(other, _)| *other != text) {
                    all.push((text, *way));
                }
            }
            proptest::prop_assert_eq!(written(value.as_bytes()), all);
        }
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
