//! What the first pass found in a body, so that the second one, and every body that is the same again, need not be taken
//! apart: which leaves held something, or may hold it when more is known. All other leaves can change by the search for
//! learnt values only, which no plan stands in for.
//!
//! Plans are kept by a keyed fingerprint of 128 bits over the whole body, so one can never be taken for that of another body,
//! whatever became of the file between the passes; a body without a plan is taken apart. The table is bounded.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use mynah_message::{Encoding, Side, json};

use crate::hash::{Prints, Strong};
use crate::names::Rule;

/// Bytes that all plans may take. A body without anything in it takes 48, one with three steps about a hundred.
const ROOM: usize = 64 << 20;
/// The same where a body is masked as soon as it has been learnt from, and plans are for what comes again.
const ROOM_OF_STREAM: usize = 8 << 20;

/// A leaf, or what lies between two of them, that is to be looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    start: u32,
    len: u32,
    pub(crate) what: What,
    /// What the leaf's name says.
    pub(crate) rule: Option<Rule>,
    /// Nothing was found in it, but it has escapes that the search does not see through.
    pub(crate) only_escaped: bool,
}

/// What a step is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// Of a JSON body.
    Leaf(json::Kind),
    /// Of any other body: how it is written, whether digits may be a card's, and what holds it.
    Value { encoding: Encoding, cards: bool, place: &'static str },
    /// What lies between leaves.
    Between,
}

impl Step {
    /// `None` beyond the first 4 GiB.
    pub(crate) fn new(
        span: &Range<usize>,
        what: What,
        rule: Option<Rule>,
        only_escaped: bool,
    ) -> Option<Step> {
        let start = u32::try_from(span.start).ok()?;
        let len = u32::try_from(span.len()).ok()?;
        Some(Step { start, len, what, rule, only_escaped })
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// The steps of a body, in the order in which they are taken.
pub(crate) type Plan = Arc<[Step]>;

/// All plans at hand.
#[derive(Default)]
pub(crate) struct Plans {
    hasher: Strong,
    young: HashTable<(u128, Plan)>,
    old: HashTable<(u128, Plan)>,
    /// Bytes taken by the young ones.
    taken: usize,
    /// Old plans give way to new ones; else there are no more when there is no more room.
    rolls: bool,
    /// Field lines in which there is nothing, nor within anything in them: only the search for learnt values can say more.
    lines: Prints,
}

/// Lines of which it is kept that there is nothing in them, some 32 MiB.
const LINES: usize = 1 << 20;
/// The same in a stream.
const LINES_OF_STREAM: usize = 1 << 16;

impl Plans {
    /// For a stream: what came last is kept.
    pub(crate) fn of_stream() -> Plans {
        Plans { rolls: true, ..Plans::default() }
    }

    /// Stands for a body of that sort in messages of that side. `None` for one that is not worth it, and where there are no plans.
    pub(crate) fn print(&self, side: Side, sort: u64, body: &[u8], learns: bool) -> Option<u128> {
        let worth = body.len() >= 32 && (learns || !self.young.is_empty() || !self.old.is_empty());
        worth.then(|| self.hasher.hash(sort << 1 | u64::from(side == Side::Response), body))
    }

    /// Stands for a field line in messages of that side.
    pub(crate) fn line(&self, side: u8, line: &[u8]) -> u128 {
        // No sort of body has that number.
        self.hasher.hash(u64::MAX << 1 | u64::from(side), line)
    }

    /// Whether nothing was found in a line, whatever has been learnt since.
    pub(crate) fn is_clean(&self, line: u128) -> bool {
        self.lines.contains(line)
    }

    /// Nothing was found in a line.
    pub(crate) fn note_clean(&mut self, line: u128) {
        if self.lines.len() >= if self.rolls { LINES_OF_STREAM } else { LINES } {
            if !self.rolls {
                return;
            }
            self.lines.clear();
        }
        self.lines.insert(line);
    }

    pub(crate) fn get(&self, print: u128) -> Option<Plan> {
        let find = |table: &HashTable<(u128, Plan)>| {
            table.find(print as u64, |(there, _)| *there == print).map(|(_, plan)| Arc::clone(plan))
        };
        find(&self.young).or_else(|| find(&self.old))
    }

    pub(crate) fn put(&mut self, print: u128, steps: &[Step]) {
        let room = if self.rolls { ROOM_OF_STREAM / 2 } else { ROOM };
        let size = 48 + if steps.is_empty() { 0 } else { 16 + size_of_val(steps) };
        if self.taken + size > room {
            if !self.rolls {
                return;
            }
            self.old = std::mem::take(&mut self.young);
            self.taken = 0;
        }
        self.taken += size;
        self.young.insert_unique(print as u64, (print, steps.into()), |(print, _)| *print as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(n: u32) -> Vec<Step> {
        let span = n as usize..n as usize + 4;
        vec![Step::new(&span, What::Between, None, false).unwrap(); n as usize]
    }

    #[test]
    fn what_does_not_fit_is_forgotten() {
        for (mut plans, room) in [(Plans::default(), ROOM), (Plans::of_stream(), ROOM_OF_STREAM)] {
            let many = 2 * room / (64 + 1000 * size_of::<Step>());
            for n in 0..many as u128 {
                plans.put(n, &steps(1000));
            }
            assert!(plans.taken <= room);
            assert!(plans.young.len() + plans.old.len() < many);
            assert_eq!(plans.get(0).is_some(), !plans.rolls);
            assert_eq!(plans.get(many as u128 - 1).is_some(), plans.rolls);
        }
    }

    #[test]
    fn clean_lines_are_known_by_side_and_bytes() {
        let mut plans = Plans::of_stream();
        let print = plans.line(0, b"A: b");
        plans.note_clean(print);
        assert!(plans.is_clean(print) && print == plans.line(0, b"A: b"));
        assert!(!plans.is_clean(plans.line(1, b"A: b")) && !plans.is_clean(plans.line(0, b"A: c")));
        for n in 0..LINES_OF_STREAM as u128 {
            plans.note_clean(n);
        }
        assert!(plans.lines.len() <= LINES_OF_STREAM && !plans.is_clean(print));
    }

    #[test]
    fn other_bodies_have_other_prints() {
        let plans = Plans::default();
        let body = [b'x'; 64];
        let print = plans.print(Side::Request, 0, &body, true);
        assert!(print.is_some() && print == plans.print(Side::Request, 0, &body, true));
        assert_ne!(print, plans.print(Side::Response, 0, &body, true));
        assert_ne!(print, Plans::default().print(Side::Request, 0, &body, true));
        assert_ne!(print, plans.print(Side::Request, 1, &body, true));
        assert_eq!(plans.print(Side::Request, 0, &body, false), None);
        assert_eq!(plans.print(Side::Request, 0, b"{}", true), None);
    }
}
