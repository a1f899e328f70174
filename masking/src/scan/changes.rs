//! What is to be done in a head.

use std::ops::Range;

use super::part::Planned;
use super::settle::{among, settled};
use super::{Patch, Scanner, Why};
use crate::kind::Kind;
use crate::learned::Match;

/// Changes in order and without overlaps, and all that they put there, one after the other: a head takes no more memory than these
/// two lists, which are kept from one head to the next.
#[derive(Default)]
pub(crate) struct HeadPlan {
    changes: Vec<Change>,
    text: Vec<u8>,
}

/// A range of a head, or of a line of it, and what is to stand there.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) range: Range<usize>,
    /// Where that is in the text of all changes.
    text: Range<usize>,
    pub(crate) kind: Kind,
    /// Who found it.
    pub(crate) why: Why,
    /// What held the value: `header`, `cookie`, …
    pub(crate) holder: &'static str,
}

impl HeadPlan {
    pub(crate) fn of(plan: Vec<Planned>) -> HeadPlan {
        let mut changes = HeadPlan::default();
        changes.extend(plan);
        changes
    }

    /// The changes and what they put there.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Change, &[u8])> {
        self.changes.iter().map(|change| (change, text_of(&self.text, change)))
    }

    /// Those that reach into a range.
    pub(super) fn within(&self, range: &Range<usize>) -> impl Iterator<Item = (&Change, &[u8])> {
        let first = self.changes.partition_point(|c| c.range.end <= range.start);
        let there = self.changes.get(first..).unwrap_or_default().iter();
        let end = range.end;
        there.take_while(move |c| c.range.start < end).map(|change| (change, text_of(&self.text, change)))
    }

    /// So many bytes more, or less, the head will have.
    pub(crate) fn growth(&self) -> (usize, usize) {
        self.changes.iter().fold((0, 0), |(put, taken), c| (put + c.text.len(), taken + c.range.len()))
    }

    /// Takes over patches of what stands at `start`.
    pub(super) fn add(&mut self, patches: Vec<Patch>, start: usize, holder: &'static str) {
        for Patch { range, bytes, kind, why } in patches {
            self.put(range.start + start..range.end + start, &bytes, kind, why, holder);
        }
    }

    /// Adds what is to be done besides.
    pub(super) fn extend(&mut self, plan: Vec<Planned>) {
        for Planned { range, bytes, kind, why, place } in plan {
            self.put(range, &bytes, kind, why, place);
        }
    }

    /// Takes over the changes of a line that begins at `start`, which are counted from there.
    pub(super) fn add_line<'c>(
        &mut self,
        text: &[u8],
        changes: impl Iterator<Item = &'c Change>,
        start: usize,
    ) {
        for change in changes {
            let range = change.range.start + start..change.range.end + start;
            self.put(range, text_of(text, change), change.kind, change.why, change.holder);
        }
    }

    fn put(&mut self, range: Range<usize>, bytes: &[u8], kind: Kind, why: Why, holder: &'static str) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.changes.push(Change { range, text: start..self.text.len(), kind, why, holder });
    }

    /// Puts this there, instead of all that was to be done with these bytes. The changes are in order.
    pub(super) fn replace(
        &mut self,
        range: Range<usize>,
        bytes: &[u8],
        kind: Kind,
        why: Why,
        holder: &'static str,
    ) {
        self.changes.retain(|change| change.range.end <= range.start || range.end <= change.range.start);
        self.put(range, bytes, kind, why, holder);
        self.changes.sort_by_key(|change| change.range.start);
    }

    /// The bytes of a range with all done that lies in it; `None` where something reaches over an end of it.
    pub(super) fn done(&self, raw: &[u8], range: &Range<usize>) -> Option<Vec<u8>> {
        let (mut out, mut at) = (Vec::with_capacity(range.len()), range.start);
        for (change, put) in self.within(range) {
            out.extend_from_slice(raw.get(at..change.range.start)?);
            out.extend_from_slice(put);
            at = change.range.end;
        }
        out.extend_from_slice(raw.get(at..range.end)?);
        Some(out)
    }

    /// In order; of those that overlap the earlier in the list stays.
    pub(super) fn settle(&mut self) {
        self.changes = settled(std::mem::take(&mut self.changes), |change| &change.range);
    }

    /// The same with what is known, which is in order too.
    pub(super) fn settle_with(
        &mut self,
        scanner: &mut Scanner<'_>,
        head: &[u8],
        matches: &mut Vec<Match>,
    ) -> Vec<Patch> {
        let text = &self.text;
        let put = |change: &Change| text_of(text, change).to_vec();
        scanner.settle_with(head, matches, &mut self.changes, |change| &change.range, put)
    }

    /// Where something changes.
    pub(super) fn ranges(&self) -> impl Iterator<Item = &Range<usize>> {
        self.changes.iter().map(|change| &change.range)
    }

    /// Whether something is to be done with these bytes.
    pub(crate) fn sees_to(&self, range: &Range<usize>) -> bool {
        !among(&self.changes, |change| &change.range, range).is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.text.clear();
    }
}

/// What a change puts there, out of the text of all.
pub(crate) fn text_of<'t>(text: &'t [u8], change: &Change) -> &'t [u8] {
    text.get(change.text.clone()).unwrap_or_default()
}

impl Change {
    /// The same of a line that begins at `start`, where its text stands at `text`.
    pub(crate) fn in_line(&self, start: usize, text: usize) -> Change {
        Change {
            range: self.range.start - start..self.range.end - start,
            text: text..text + self.text.len(),
            ..self.clone()
        }
    }
}
