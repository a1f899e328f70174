//! An HTML body for who looks at very many: with each value comes what is plain about the way there, and who knows that way again can
//! go it without it being read.
//!
//! Plain is markup that means the same whatever stands around it: end tags, comments, and start tags of elements whose name says
//! nothing of the values in them or of their content.

use std::ops::{ControlFlow, Range};

use super::Emit;
use crate::Leaf;

/// Who is told of the values of a page.
pub trait PageEvents {
    /// A value, and in what it stands.
    fn value(&mut self, leaf: Leaf<'_>, spot: &Spot);

    /// There is nothing but plain markup behind the last value that was told of, as far as the page was read. Whoever knows what
    /// follows may say where to go on.
    fn ahead(&mut self) -> Option<Onward>;
}

/// In what a value stands. Whether the way from the last value to this one is plain, too, goes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spot {
    /// All that is in the quotes of an attribute that is no link.
    Attribute {
        /// The quote.
        quote: u8,
        /// Whether the way there is plain.
        plain: bool,
    },
    /// A piece of the link that is in the quotes of an attribute.
    Piece {
        /// All between the quotes.
        url: Range<usize>,
        /// The quote.
        quote: u8,
        /// Whether the way there is plain.
        plain: bool,
    },
    /// A link in quotes that has no pieces.
    Link {
        /// The quote.
        quote: u8,
    },
    /// Text that ends where there is markup again.
    Text {
        /// Whether the way there is plain.
        plain: bool,
    },
    /// Anything else.
    Odd,
}

impl Spot {
    /// Whether what stands behind it is read alike whatever came before.
    fn is_known(&self) -> bool {
        *self != Spot::Odd
    }
}

/// Where a page is to be read on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Onward {
    /// In text.
    Text(usize),
    /// Within a plain start tag, behind the closing quote of an attribute.
    Tag(usize),
    /// In a link in quotes, all of it, behind the piece that ends there.
    Link(Range<usize>, usize),
}

/// Where the values of a walk go.
pub(super) trait Told<'v> {
    fn leaf(&mut self, leaf: Leaf<'v>, spot: &Spot) -> ControlFlow<()>;

    fn ahead(&mut self) -> Option<Onward> {
        None
    }
}

/// Nobody asks in what the values stand.
pub(super) struct Leaves<'e, 'v>(pub(super) Emit<'e, 'v>);

impl<'v> Told<'v> for Leaves<'_, 'v> {
    fn leaf(&mut self, leaf: Leaf<'v>, _spot: &Spot) -> ControlFlow<()> {
        (self.0)(leaf)
    }
}

/// A walk over a page, which keeps in mind whether it is plain.
pub(super) struct Way<T> {
    told: T,
    /// Whether there was only plain markup since the last value, and what is behind that is known.
    plain: bool,
}

impl<'v, T: Told<'v>> Way<T> {
    pub(super) fn new(told: T) -> Way<T> {
        Way { told, plain: false }
    }

    /// Something that is not plain.
    pub(super) fn is_odd(&mut self) {
        self.plain = false;
    }

    /// Whether all since the last value is plain.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    pub(super) fn leaf(&mut self, leaf: Leaf<'v>, spot: &Spot) -> ControlFlow<()> {
        self.plain = spot.is_known();
        self.told.leaf(leaf, spot)
    }

    /// A value whose pieces follow.
    pub(super) fn whole(&mut self, leaf: Leaf<'v>) -> ControlFlow<()> {
        self.told.leaf(leaf, &Spot::Odd)
    }

    pub(super) fn ahead(&mut self) -> Option<Onward> {
        if self.plain { self.told.ahead() } else { None }
    }
}

/// For [`PageEvents`].
pub(super) struct Events<'e>(pub(super) &'e mut dyn PageEvents);

impl<'v> Told<'v> for Events<'_> {
    fn leaf(&mut self, leaf: Leaf<'v>, spot: &Spot) -> ControlFlow<()> {
        self.0.value(leaf, spot);
        ControlFlow::Continue(())
    }

    fn ahead(&mut self) -> Option<Onward> {
        self.0.ahead()
    }
}
