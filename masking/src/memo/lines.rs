//! The lines of heads that come again and again, and what was found in them.
//!
//! Most lines of a head are those of the head before, in the same order. So each line knows which one came behind it last, and that one is
//! compared first, before anything is hashed; and a line that never comes again costs a look at a small table of fingerprints.

use crate::hash::Quick;
use crate::scan::changes::Change;

/// Slots of the table, a power of two.
const SLOTS: usize = 1 << 15;
/// No longer line is kept: cookies may take some kilobytes.
const LONGEST: usize = 4096;
/// Bytes that all lines may take.
const ROOM: usize = 16 << 20;

/// A table of a fixed size, in which the newest line of a slot stays; lines are compared in full.
#[derive(Default)]
pub(crate) struct LineTable {
    hasher: Quick,
    slots: Vec<Slot>,
    /// The lines side by side, in the order in which they came: those at work are few, and so are soon all at hand.
    entries: Vec<Entry>,
    /// Bytes of all lines.
    taken: usize,
    /// Where the line stands that a head began with last, for each side.
    first: [u32; 2],
    /// How much is known: what held nothing when it was less may hold something now.
    known: usize,
}

/// What a slot is about, to be asked before its line, which is seldom at hand.
#[derive(Clone, Copy)]
struct Slot {
    /// Of the line in it.
    kept: u16,
    /// Of the line that was asked about last: most never come again, and are not worth a place.
    asked: u16,
    /// Where its line stands.
    entry: u32,
}

/// Where no line stands.
const NOWHERE: u32 = u32::MAX;

impl Slot {
    const FREE: Slot = Slot { kept: 0, asked: 0, entry: NOWHERE };
}

struct Entry {
    side: u8,
    /// Nothing was found in it, and nothing can be written in it that the search by value would not see.
    for_good: bool,
    /// Where the line stands that came behind it last.
    next: u32,
    /// How much was known when it was looked at.
    known: usize,
    /// How long the line is.
    len: u32,
    /// The line, and behind it all that changes put there: side by side, as they are asked for together.
    bytes: Box<[u8]>,
    /// What is to be done, counted from the line's beginning, and put there out of `bytes`; nothing while learning. Most often it is
    /// one thing, which is at hand with all of this.
    change: Option<Change>,
    more: Box<[Change]>,
}

impl Entry {
    fn is(&self, side: u8, line: &[u8]) -> bool {
        line.len() == self.len as usize && self.bytes.starts_with(line) && self.side == side
    }
}

/// Stands for a line that is not in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }

    fn print(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// What is known of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Known {
        /// Where it stands.
        number: u32,
        /// Whether the search for all that is known now has no more to say about the line.
        searched: bool,
        /// Whether something is to be done in it.
        changes: bool,
    },
    /// The same as long as nothing shows in the line that was learnt since so much was known.
    Old { number: u32, known: usize, changes: bool },
    /// Nothing; `None` for a line that is too long to be kept.
    Unknown(Option<Hash>),
}

impl LineTable {
    /// What was found in a line before, if it is the one that was expected behind the line before it in its head. That stands at
    /// `last`, `None` for the first, which follows.
    #[inline]
    pub(crate) fn expected(&self, side: u8, line: &[u8], last: &mut Option<u32>) -> Option<Found> {
        let next = match *last {
            Some(last) => self.at(last)?.next,
            None => *self.first.get(usize::from(side))?,
        };
        let entry = self.at(next).filter(|entry| entry.is(side, line))?;
        *last = Some(next);
        Some(self.found(next, entry))
    }

    /// The same wherever the line is; from now on it is the one that is expected behind the last.
    pub(crate) fn find(&mut self, side: u8, line: &[u8], last: &mut Option<u32>) -> Found {
        if line.len() > LONGEST {
            return Found::Unknown(None);
        }
        let hash = self.hash(side, line);
        let slot = self.slots.get(hash.slot()).filter(|slot| slot.kept == hash.print());
        let number = slot.map_or(NOWHERE, |slot| slot.entry);
        let Some(entry) = self.at(number).filter(|entry| entry.is(side, line)) else {
            return Found::Unknown(Some(hash));
        };
        let found = self.found(number, entry);
        let follows = match *last {
            Some(before) => self.entries.get_mut(before as usize).map(|entry| &mut entry.next),
            None => self.first.get_mut(usize::from(side)),
        };
        if let Some(follows) = follows {
            *follows = number;
        }
        *last = Some(number);
        found
    }

    /// What is known of a line.
    fn found(&self, number: u32, entry: &Entry) -> Found {
        let (searched, known, changes) = (entry.known == self.known, entry.known, entry.change.is_some());
        if searched || entry.for_good {
            Found::Known { number, searched, changes }
        } else {
            Found::Old { number, known, changes }
        }
    }

    /// What stands for a line that is in the table and no longer what it was.
    pub(crate) fn hash(&self, side: u8, line: &[u8]) -> Hash {
        Hash(self.hasher.hash(side, line))
    }

    /// What is to be done in a line, counted from its beginning, and the text that is put there.
    pub(crate) fn changes(&self, number: u32) -> (&[u8], impl Iterator<Item = &Change>) {
        let entry = self.at(number);
        let changes = entry.into_iter().flat_map(|entry| entry.change.iter().chain(&entry.more));
        (entry.map_or(&[], |entry| &*entry.bytes), changes)
    }

    #[inline]
    fn at(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)
    }

    /// Whether what is found in this line is worth keeping: it has been asked about before.
    pub(crate) fn comes_again(&mut self, hash: Hash) -> bool {
        self.slot(hash).is_some_and(|slot| std::mem::replace(&mut slot.asked, hash.print()) == hash.print())
    }

    /// The slot of a line, in a table that has its slots from now on.
    fn slot(&mut self, hash: Hash) -> Option<&mut Slot> {
        if self.slots.is_empty() {
            self.slots = vec![Slot::FREE; SLOTS];
        }
        self.slots.get_mut(hash.slot())
    }

    /// Notes what was found in a line that is not in the table, or when less was known: changes, what they put there, and where the line
    /// begins in what they are counted in. `nested` says whether something in it was decoded.
    pub(crate) fn put<'c>(
        &mut self,
        hash: Hash,
        side: u8,
        line: &[u8],
        nested: bool,
        found: impl Iterator<Item = (&'c Change, &'c [u8], usize)>,
    ) {
        let mut bytes = line.to_vec();
        let mut changes = found.map(|(change, put, start)| {
            let change = change.in_line(start, bytes.len());
            bytes.extend_from_slice(put);
            change
        });
        let change = changes.next();
        let more: Box<[Change]> = changes.collect();
        let number = self.slot(hash).map_or(NOWHERE, |slot| slot.entry);
        let there = self.at(number);
        let taken = self.taken - there.map_or(0, |entry| entry.bytes.len()) + bytes.len();
        let Some(len) = u32::try_from(line.len()).ok().filter(|_| taken <= ROOM) else { return };
        let for_good = change.is_none() && !nested && !may_be_escaped(line);
        let next = there.filter(|entry| entry.is(side, line)).map_or(NOWHERE, |entry| entry.next);
        let entry = Entry { side, for_good, next, known: self.known, len, bytes: bytes.into(), change, more };
        self.taken = taken;
        let fresh = self.entries.len() as u32;
        let number = if let Some(place) = self.entries.get_mut(number as usize) {
            *place = entry;
            number
        } else {
            self.entries.push(entry);
            fresh
        };
        if let Some(slot) = self.slot(hash) {
            (slot.kept, slot.entry) = (hash.print(), number);
        }
    }

    /// Of what was learnt since a line was looked at nothing shows in it.
    pub(crate) fn renew(&mut self, number: u32) {
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.known = self.known;
        }
    }

    /// Forgets all lines: in one of them something shows.
    pub(crate) fn clear(&mut self) {
        *self =
            LineTable { hasher: std::mem::take(&mut self.hasher), known: self.known, ..LineTable::default() };
    }

    /// More is known from now on: so many values.
    pub(crate) fn begin_epoch(&mut self, known: usize) {
        self.known = known;
    }
}

/// Whether there may be something in a line, behind the break that it begins with, that the search by value would not see.
pub(crate) fn may_be_escaped(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\n").unwrap_or(line);
    memchr::memchr3(b'%', b'+', b'&', line).is_some() || memchr::memchr2(b'\\', b'\n', line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks about the lines of a head one after the other, and keeps those that come again.
    fn read(table: &mut LineTable, side: u8, lines: &[&[u8]]) -> Vec<bool> {
        let mut last = None;
        let mut known = Vec::new();
        for line in lines {
            let found =
                table.expected(side, line, &mut last).unwrap_or_else(|| table.find(side, line, &mut last));
            if let Found::Unknown(Some(hash)) = &found
                && table.comes_again(*hash)
            {
                table.put(*hash, side, line, false, std::iter::empty());
            }
            known.push(matches!(found, Found::Known { .. }));
        }
        known
    }

    #[test]
    fn lines_are_known_when_they_have_come_twice_on_their_side() {
        let mut table = LineTable::default();
        let lines: [&[u8]; 3] = [b"\r\nHost: a", b"\r\nAccept: b", b"\r\nVary: c"];
        assert_eq!(read(&mut table, 0, &lines), [false; 3]);
        assert_eq!(read(&mut table, 0, &lines), [false; 3]);
        for _ in 0..3 {
            assert_eq!(read(&mut table, 0, &lines), [true; 3]);
        }
        assert_eq!(read(&mut table, 1, &lines), [false; 3]);
        assert_eq!(
            read(&mut table, 0, &[lines[2], b"\r\nHost: A", lines[0], lines[1]]),
            [true, false, true, true]
        );
        assert_eq!(read(&mut table, 0, &[lines[1], lines[1], lines[1]]), [true; 3]);
    }

    #[test]
    fn the_line_that_is_expected_is_compared_in_full() {
        let mut table = LineTable::default();
        let head: [&[u8]; 2] = [b"\r\nAccept: b", b"\r\nCookie: theme=dark"];
        for _ in 0..3 {
            read(&mut table, 0, &head);
        }
        for other in
            [&b"\r\nCookie: theme=dork"[..], b"\r\nCookie: theme=dark; sid=1", b"\r\nCookie: theme=dar"]
        {
            assert_eq!(read(&mut table, 0, &[head[0], other]), [true, false]);
        }
    }

    #[test]
    fn what_the_search_cannot_see_is_looked_at_again_when_more_is_known() {
        let mut table = LineTable::default();
        let lines: [&[u8]; 4] = [b"A: plain", b"\r\nA: plain", b"\r\nA: folded\r\n plain", b"A: enc%6fded"];
        read(&mut table, 0, &lines);
        read(&mut table, 0, &lines);
        assert_eq!(read(&mut table, 0, &lines), [true; 4]);
        table.begin_epoch(1);
        let mut last = None;
        let searched = |found: Found| match found {
            Found::Known { number, searched, .. } => Some((number, searched)),
            Found::Old { .. } | Found::Unknown(_) => None,
        };
        for line in &lines[..2] {
            let (number, was) = searched(table.find(0, line, &mut last)).unwrap();
            assert!(!was);
            table.renew(number);
            assert!(searched(table.find(0, line, &mut last)).unwrap().1);
        }
        for line in &lines[2..] {
            let found = table.find(0, line, &mut last);
            let Found::Old { number, known: 0, changes: false } = found else { panic!("{found:?}") };
            table.renew(number);
            assert!(searched(table.find(0, line, &mut last)).unwrap().1);
        }
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_room() {
        let mut table = LineTable::default();
        for n in 0..3 * ROOM / LONGEST {
            let line = format!("{n:>LONGEST$}").into_bytes();
            let Found::Unknown(Some(hash)) = table.find(0, &line, &mut None) else { panic!("known") };
            table.put(hash, 0, &line, false, std::iter::empty());
        }
        let kept: usize = table.entries.iter().map(|entry| entry.bytes.len()).sum();
        assert!(kept == table.taken && kept <= ROOM && kept > ROOM / 2);
        assert!(matches!(table.find(0, &[b'a'; LONGEST + 1], &mut None), Found::Unknown(None)));
    }
}
