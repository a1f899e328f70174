//! What stands between two values of a page: quotes, tags and their class names, white space. Pages have the same in each row of a list,
//! so that the same bytes come again and again, mostly behind the same: what they lead to is found out once.
//!
//! Kept are trails of plain markup only (see `mynah_message::Spot`), which mean the same wherever they stand, as long as what they
//! begin in is the same.

use hashbrown::HashTable;

use crate::hash::{Prints, Quick, Strong};
use crate::names::Rule;

/// No longer one is kept.
const LONGEST: usize = 512;
/// Trails kept, two megabytes or so; beyond that they are collected anew.
const MOST: usize = 1 << 12;
/// Bytes that are compared without a call.
const HEAD: usize = 32;
/// How many are kept in mind that came behind one.
const NEXT: usize = 4;
/// None.
const NOWHERE: u32 = u32::MAX;

/// What the value stands in behind which a trail begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    Text,
    /// An attribute in these quotes, at its end.
    Quoted(u8),
    /// The path of a link in these quotes.
    Path(u8),
    /// The same of its query.
    Query(u8),
}

impl From {
    /// Stands for it, and for the side of the message: what is found in a trail may go by that.
    fn number(self, answers: bool) -> u8 {
        let (sort, quote) = match self {
            From::Text => (0, 0),
            From::Quoted(quote) => (1, quote),
            From::Path(quote) => (2, quote),
            From::Query(quote) => (3, quote),
        };
        sort << 2 | u8::from(quote == b'"') << 1 | u8::from(answers)
    }
}

/// What value a trail leads to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum To {
    Text,
    /// All of an attribute in these quotes that is no link.
    Attribute {
        quote: u8,
        /// What the attribute's name says.
        rule: Option<Rule>,
    },
    /// The first segment of the path of a link in these quotes, of which so many bytes stand before it.
    Link {
        quote: u8,
        before: usize,
    },
    /// A segment further on in the path.
    Segment,
    /// The value of a pair in the query, whose name says that.
    Pair {
        rule: Option<Rule>,
    },
}

/// The bytes between two values, and what they lead to.
pub(super) struct Trail {
    /// The first bytes, with zeros behind them, and which of them count.
    head: [u128; 2],
    counts: [u128; 2],
    from: u8,
    pub(super) to: To,
    /// Whether nothing was found in it, so that nothing can be but what was learnt.
    pub(super) idle: bool,
    bytes: Box<[u8]>,
    /// What came behind it, the last one first.
    next: [u32; NEXT],
}

impl Trail {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a text begins with it.
    #[inline]
    fn fits(&self, from: u8, rest: &[u8]) -> bool {
        let same = match rest.first_chunk::<HEAD>() {
            Some(there) => {
                let [one, two] = halves(there);
                ((one ^ self.head[0]) & self.counts[0]) | ((two ^ self.head[1]) & self.counts[1]) == 0
                    && (self.bytes.len() <= HEAD || rest.starts_with(&self.bytes))
            }
            None => rest.starts_with(&self.bytes),
        };
        same && self.from == from
    }
}

fn halves(bytes: &[u8; HEAD]) -> [u128; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    std::array::from_fn(|n| halves.get(n).map_or(0, |half| u128::from_le_bytes(*half)))
}

/// Where a reader is: behind which trail.
#[derive(Clone, Copy)]
pub(super) struct Behind(u32);

impl Default for Behind {
    fn default() -> Self {
        Behind(NOWHERE)
    }
}

/// All that were met.
#[derive(Default)]
pub(crate) struct Trails {
    hasher: Quick,
    each: Vec<Trail>,
    /// Places in `each`.
    index: HashTable<u32>,
    /// Trails that were met once: most of a page that is read once never come again, and are not worth being kept.
    once: Vec<u32>,
    strong: Strong,
    /// What lies between values in which nothing was found, plain or not: scripts and styles come again with each page.
    clean: Prints,
}

/// Fingerprints kept of these; then they are collected anew.
const CLEAN: usize = 1 << 14;

impl Trails {
    /// Stands for what lies between two values.
    pub(super) fn print(&self, answers: bool, bytes: &[u8]) -> u128 {
        self.strong.hash(u64::from(answers), bytes)
    }

    /// Whether nothing was found in that, so that nothing can be but what was learnt.
    pub(super) fn is_clean(&self, print: u128) -> bool {
        self.clean.contains(print)
    }

    pub(super) fn note_clean(&mut self, print: u128) {
        if self.clean.len() >= CLEAN {
            self.clean.clear();
        }
        self.clean.insert(print);
    }

    /// The trail that a text begins with, if it is one of those that came behind the last one.
    #[inline]
    pub(super) fn next(
        &self,
        behind: Behind,
        from: From,
        answers: bool,
        rest: &[u8],
    ) -> Option<(Behind, &Trail)> {
        let from = from.number(answers);
        let last = self.each.get(behind.0 as usize)?;
        last.next.iter().find_map(|at| {
            let trail = self.each.get(*at as usize)?;
            trail.fits(from, rest).then_some((Behind(*at), trail))
        })
    }

    /// Takes note of a trail.
    pub(super) fn note(
        &mut self,
        behind: &mut Behind,
        from: From,
        answers: bool,
        bytes: &[u8],
        (to, idle): (To, bool),
    ) {
        let before = std::mem::take(behind);
        if bytes.is_empty() || bytes.len() > LONGEST {
            return;
        }
        let from = from.number(answers);
        let hash = self.hasher.hash(from, bytes);
        let same = |at: &u32| {
            self.each.get(*at as usize).is_some_and(|t| *t.bytes == *bytes && t.from == from && t.to == to)
        };
        let at = if let Some(at) = self.index.find(hash, same) {
            *at
        } else {
            self.once.resize(MOST, 0);
            let print = (hash >> 32) as u32;
            let slot = self.once.get_mut(hash as usize % MOST);
            if slot.is_none_or(|once| std::mem::replace(once, print) != print) {
                return;
            }
            if self.each.len() >= MOST {
                (self.each, self.index) = Default::default();
                return;
            }
            let mut head = [0; HEAD];
            let mut counts = [0; HEAD];
            for ((head, counts), b) in head.iter_mut().zip(&mut counts).zip(bytes) {
                (*head, *counts) = (*b, 0xff);
            }
            let at = self.each.len() as u32;
            self.each.push(Trail {
                head: halves(&head),
                counts: halves(&counts),
                from,
                to,
                idle,
                bytes: bytes.into(),
                next: [NOWHERE; NEXT],
            });
            let (hasher, each) = (&self.hasher, &self.each);
            self.index.insert_unique(hash, at, |at| {
                each.get(*at as usize).map_or(0, |trail| hasher.hash(trail.from, &trail.bytes))
            });
            at
        };
        if let Some(trail) = self.each.get_mut(at as usize) {
            trail.idle |= idle;
        }
        if let Some(last) = self.each.get_mut(before.0 as usize) {
            // What came before it makes room, down to where it stood.
            let mut put = at;
            for place in &mut last.next {
                let there = std::mem::replace(place, put);
                if there == at {
                    break;
                }
                put = there;
            }
        }
        behind.0 = at;
    }
}
