//! A message opened once: head parsed, body decoded, values found.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::locator::{Nth, fits, has_star};
use crate::{BodyKind, Error, Field, Head, Leaf, Limits, Locator, Message, Side, content};

mod body;
mod fields;
mod html;
mod page;
mod url;
mod walk;
mod xml;

pub use fields::{HeadPlace, HeadValue};
pub use page::{Onward, PageEvents, Spot};
pub(crate) use walk::{Counter, Emit, Want};

/// How much of a message's body [`View::leaves`] could read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// All of it; what lies between the leaves is structure.
    Whole,
    /// Up to this offset in the decoded body; what follows is not what the media type says, is nested too deep,
    /// or is cut off.
    Until(usize),
    /// None of it: no format that this crate reads (an image, say).
    Opaque,
}

/// How much the locators of leaves say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Everything: such a locator finds its leaf again.
    Full,
    /// Names: no counts, no tags, and of the pattern of a link in a page only what tells a query's value and its name. For who looks at
    /// every value there is and asks for none again.
    Names,
}

/// A message opened once.
#[derive(Clone, Debug)]
pub struct View<'a> {
    message: &'a Message,
    head: Head<'a>,
    body: Cow<'a, [u8]>,
    kind: BodyKind,
    json_depth: usize,
}

impl<'a> View<'a> {
    /// Parses the head and undoes the body's content coding.
    ///
    /// # Errors
    /// [`Error::StartLine`]; [`Error::UnknownCoding`], [`Error::Coding`], [`Error::TooLarge`], after which
    /// [`View::open_head`] still gives the head.
    pub fn open(message: &'a Message, limits: &Limits) -> Result<View<'a>, Error> {
        let mut view = View::open_head(message)?;
        view.open_body(limits)?;
        Ok(view)
    }

    /// Opens a message whose body cannot or need not be looked at: it counts as empty. Edits of the head are
    /// possible, and [`patch`](crate::patch()) keeps the body as it is.
    ///
    /// # Errors
    /// [`Error::StartLine`].
    pub fn open_head(message: &'a Message) -> Result<View<'a>, Error> {
        let head = Head::parse(&message.head)?;
        Ok(View { message, head, body: Cow::Borrowed(b""), kind: BodyKind::Binary, json_depth: 0 })
    }

    /// Opens the body of a message whose head was opened by itself.
    ///
    /// # Errors
    /// As [`View::open`], but for the head's; the view is then as it was.
    pub fn open_body(&mut self, limits: &Limits) -> Result<(), Error> {
        let body = content::decode_content(&self.head, &self.message.body, limits)?;
        self.kind = body::kind(&self.head, &body);
        self.body = body;
        self.json_depth = limits.json_depth;
        Ok(())
    }

    /// The message that was opened.
    pub fn message(&self) -> &'a Message {
        self.message
    }

    /// Its head.
    pub fn head(&self) -> &Head<'a> {
        &self.head
    }

    /// Its body with the content coding undone.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the body is taken for: by its media type, or by how it begins where that is absent or evidently wrong.
    pub fn kind(&self) -> &BodyKind {
        &self.kind
    }

    /// Request or response.
    pub fn side(&self) -> Side {
        self.head.side()
    }

    /// Hands out every value of head and body in document order: path segments and query pairs; each header
    /// (those that have leaves within are marked [`composite`](Leaf::composite)), cookie pairs, the parts of
    /// `Location`; then the body's, by its kind. Says how much of the body was read.
    pub fn leaves(&self, visit: &mut dyn FnMut(Leaf<'_>)) -> Coverage {
        let mut emit = |leaf: Leaf<'_>| {
            visit(leaf);
            ControlFlow::Continue(())
        };
        self.walk(Want::ALL, None, &mut emit).1
    }

    /// The body's values alone, as [`View::leaves`] does.
    pub fn body_leaves(&self, detail: Detail, visit: &mut dyn FnMut(Leaf<'_>)) -> Coverage {
        let mut emit = |leaf: Leaf<'_>| {
            visit(leaf);
            ControlFlow::Continue(())
        };
        self.walk(Want::BODIES.with(detail), None, &mut emit).1
    }

    /// The values of a body that is HTML, with names only as [`View::body_leaves`] hands them out, for who may know what follows.
    /// Nothing where it is something else.
    pub fn page_values(&self, events: &mut dyn PageEvents) {
        if self.kind == BodyKind::Html {
            html::walk_page(&self.body, Want::BODIES.with(Detail::Names), events);
        }
    }

    /// The head's values alone, as [`View::leaves`] does, of those fields only that `take` says: who knows what is in most of
    /// them need not have them taken apart.
    pub fn head_leaves(
        &self,
        detail: Detail,
        take: &mut dyn FnMut(&Field<'a>) -> bool,
        visit: &mut dyn FnMut(Leaf<'_>),
    ) {
        let _ = fields::walk(&self.head, Want::ALL.with(detail), take, &mut |leaf| {
            visit(leaf);
            ControlFlow::Continue(())
        });
    }

    /// Every value that the locator takes in, in document order. The leaves' own locators are concrete.
    pub fn find(&self, locator: &Locator) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        self.search(locator, &mut |leaf| {
            found.push(leaf);
            ControlFlow::Continue(())
        });
        found
    }

    /// The first value that the locator takes in, as text; bytes that are not UTF-8 become U+FFFD.
    pub fn extract(&self, locator: &Locator) -> Option<String> {
        let mut found = None;
        self.search(locator, &mut |leaf| {
            found = Some(String::from_utf8_lossy(&leaf.value).into_owned());
            ControlFlow::Break(())
        });
        found
    }

    /// Every value that the locator takes in, as text.
    pub fn extract_all(&self, locator: &Locator) -> Vec<String> {
        let mut found = Vec::new();
        self.search(locator, &mut |leaf| {
            found.push(String::from_utf8_lossy(&leaf.value).into_owned());
            ControlFlow::Continue(())
        });
        found
    }

    fn search<'v>(&'v self, locator: &Locator, emit: Emit<'_, 'v>) {
        // A pattern with a * counts its own occurrences: the leaves' count is of their concrete patterns.
        let starred = match locator {
            Locator::Link { pattern, nth } if has_star(pattern) => Some((pattern, *nth)),
            Locator::Location { pattern } if has_star(pattern) => Some((pattern, Nth::All)),
            _ => None,
        };
        let mut count = 0;
        let _ = self.walk(Want::kind_of(locator), Some(locator), &mut |leaf| {
            let hit = match (starred, &leaf.locator) {
                (Some((p, nth)), Locator::Link { pattern: q, .. } | Locator::Location { pattern: q }) => {
                    let fit = fits(p, q);
                    count += usize::from(fit);
                    fit && nth.takes(count - 1)
                }
                (Some(_), _) => false,
                (None, concrete) => locator.covers(concrete),
            };
            if hit { emit(leaf) } else { ControlFlow::Continue(()) }
        });
    }

    fn walk<'v>(
        &'v self,
        want: Want,
        only: Option<&Locator>,
        emit: Emit<'_, 'v>,
    ) -> (ControlFlow<()>, Coverage) {
        if want.head() && fields::walk(&self.head, want, &mut |_| true, emit).is_break() {
            return (ControlFlow::Break(()), Coverage::Whole);
        }
        if !want.body() || self.body.is_empty() {
            return (ControlFlow::Continue(()), Coverage::Whole);
        }
        let source = body::Source { body: &self.body, json_depth: self.json_depth, want, only };
        body::walk(&source, &self.kind, emit)
    }
}

#[cfg(test)]
mod tests;
