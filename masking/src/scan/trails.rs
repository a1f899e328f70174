//! What stands between two values of a page: quotes, tags and their class names, white space. Pages have the same in each row of a list,
//! so that the same bytes come again and again, mostly behind the same: what they lead to is found out once.
//!
//! Kept are trails of plain markup only (see `mynah_message::Spot`), which mean the same wherever they stand, as long as what they
//! begin in is the same.

use super::pieces::{Behind, Known, Piece, Pieces};
use crate::hash::{Prints, Strong};
use crate::names::Rule;

/// No longer one is kept: all take two megabytes or so.
const LONGEST: usize = 512;
/// How many are kept in mind that came behind one.
const NEXT: usize = 4;

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
    piece: Piece,
    from: u8,
    pub(super) to: To,
    /// Whether nothing was found in it, so that nothing can be but what was learnt.
    pub(super) idle: bool,
    /// What came behind it, the last one first.
    next: [u32; NEXT],
}

impl Trail {
    pub(super) fn len(&self) -> usize {
        self.piece.len()
    }
}

impl Known for Trail {
    fn piece(&self) -> &Piece {
        &self.piece
    }

    fn sort(&self) -> u8 {
        self.from
    }
}

/// All that were met.
#[derive(Default)]
pub(crate) struct Trails {
    each: Pieces<Trail>,
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
        self.clean.keep(print, CLEAN);
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
        let last = self.each.get(behind.0)?;
        last.next.iter().find_map(|at| {
            let trail = self.each.get(*at)?;
            (trail.piece.begins(rest) && trail.from == from).then_some((Behind(*at), trail))
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
        let same = |trail: &Trail| trail.from == from && trail.to == to;
        let make = |piece| Trail { piece, from, to, idle, next: [Behind::NOWHERE; NEXT] };
        let Some(at) = self.each.number(from, bytes, same, make) else { return };
        if let Some(trail) = self.each.get_mut(at) {
            trail.idle |= idle;
        }
        if let Some(last) = self.each.get_mut(before.0) {
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
