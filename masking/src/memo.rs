//! What need not be found out twice: what names say, and which header lines hold nothing. Tables of a fixed size in which the
//! newest entry of a slot stays; entries are compared in full.

use std::borrow::Cow;

use mynah_message::json;

use crate::hash::Quick;
use crate::names::{Names, Rule};

/// Slots of a table, a power of two.
const SLOTS: usize = 4096;
/// Nothing longer is kept.
const LONGEST: usize = 512;

/// Everything that is remembered.
#[derive(Default)]
pub(crate) struct Memo {
    names: Table<NameInfo>,
    /// Field lines in which nothing was found, and the epoch in which that was so.
    lines: Table<u64>,
    /// Counts on when more is known than before: what held nothing then may hold something now.
    epoch: u64,
}

/// Nothing is written in such a line that the search by value would not see.
const FOR_GOOD: u64 = u64::MAX;

/// All that a name can say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameInfo {
    /// What its value is.
    pub(crate) rule: Option<Rule>,
    /// That its value is a person's, and so is a `name` beside it.
    pub(crate) tells_person: bool,
    /// That a `name` beside it is no person's.
    pub(crate) tells_thing: bool,
    /// That a `name` below it is a person's.
    pub(crate) is_person: bool,
    /// That it is `name` itself.
    pub(crate) is_name: bool,
    /// That nothing in the name itself gives itself away.
    pub(crate) is_plain: bool,
    /// Stands for the name: equal names, equal numbers.
    pub(crate) number: u64,
}

impl NameInfo {
    fn of(names: &Names, name: &str) -> NameInfo {
        NameInfo {
            rule: names.rule(name),
            tells_person: names.tells_person(name),
            tells_thing: Names::tells_thing(name),
            is_person: Names::is_person(name),
            is_name: name == "name",
            is_plain: name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'$')),
            number: name.as_bytes().chunks(8).fold(name.len() as u64, |number, bytes| {
                let word = bytes.iter().fold(0, |word, b| word << 8 | u64::from(*b));
                (number ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
            }),
        }
    }
}

impl Memo {
    /// What a JSON key, as written, says.
    pub(crate) fn json_key(&mut self, names: &Names, raw: &[u8]) -> NameInfo {
        if memchr::memchr(b'\\', raw).is_some() {
            return NameInfo::of(names, &String::from_utf8_lossy(&json::unescape(raw)));
        }
        self.name(names, raw)
    }

    /// What a name says.
    pub(crate) fn name(&mut self, names: &Names, name: &[u8]) -> NameInfo {
        if let Some(info) = self.names.get(0, name) {
            return *info;
        }
        let text: Cow<'_, str> = String::from_utf8_lossy(name);
        let info = NameInfo::of(names, &text);
        self.names.put(0, name, info);
        info
    }

    /// Whether nothing was found in this line before.
    pub(crate) fn is_clean(&self, side: u8, line: &[u8]) -> bool {
        self.lines.get(side, line).is_some_and(|epoch| *epoch == self.epoch || *epoch == FOR_GOOD)
    }

    /// Notes that nothing was found in a line.
    pub(crate) fn clean(&mut self, side: u8, line: &[u8]) {
        let encoded = line.iter().any(|b| matches!(b, b'%' | b'+' | b'&' | b'\\' | b'\n'));
        self.lines.put(side, line, if encoded { self.epoch } else { FOR_GOOD });
    }

    /// More is known from now on.
    pub(crate) fn begin_epoch(&mut self) {
        self.epoch += 1;
    }
}

/// What was found out about some bytes of a sort.
struct Entry<V> {
    sort: u8,
    bytes: Box<[u8]>,
    found: V,
}

struct Table<V> {
    hasher: Quick,
    slots: Vec<Option<Entry<V>>>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Table { hasher: Quick::default(), slots: Vec::new() }
    }
}

impl<V> Table<V> {
    fn slot(&self, sort: u8, bytes: &[u8]) -> usize {
        self.hasher.hash(sort, bytes) as usize % SLOTS
    }

    fn get(&self, sort: u8, bytes: &[u8]) -> Option<&V> {
        if bytes.len() > LONGEST || self.slots.is_empty() {
            return None;
        }
        let entry = self.slots.get(self.slot(sort, bytes))?.as_ref()?;
        (entry.sort == sort && *entry.bytes == *bytes).then_some(&entry.found)
    }

    fn put(&mut self, sort: u8, bytes: &[u8], found: V) {
        if bytes.len() > LONGEST {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let slot = self.slot(sort, bytes);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(Entry { sort, bytes: bytes.into(), found });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn names_say_the_same_twice() {
        let names = Names::built_in();
        let mut memo = Memo::default();
        for _ in 0..2 {
            assert_eq!(memo.name(&names, b"password").rule, Some(Rule::Mask(Kind::Password)));
            assert_eq!(memo.json_key(&names, br"pass\u0077ord").rule, Some(Rule::Mask(Kind::Password)));
            assert!(memo.json_key(&names, b"name").is_name && memo.name(&names, b"customer").is_person);
            assert!(memo.name(&names, b"email").tells_person);
            assert_eq!(memo.name(&names, &[b'x'; 900]).rule, None);
        }
    }

    #[test]
    fn lines_are_clean_on_their_side_only() {
        let mut memo = Memo::default();
        assert!(!memo.is_clean(0, b"Host: a"));
        memo.clean(0, b"Host: a");
        assert!(
            memo.is_clean(0, b"Host: a") && !memo.is_clean(1, b"Host: a") && !memo.is_clean(0, b"Host: b")
        );
    }

    #[test]
    fn what_the_search_cannot_see_is_looked_at_again_when_more_is_known() {
        let mut memo = Memo::default();
        memo.clean(0, b"A: plain");
        memo.clean(0, b"A: enc%6fded");
        assert!(memo.is_clean(0, b"A: plain") && memo.is_clean(0, b"A: enc%6fded"));
        memo.begin_epoch();
        assert!(memo.is_clean(0, b"A: plain") && !memo.is_clean(0, b"A: enc%6fded"));
    }
}
