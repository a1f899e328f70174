//! The values of a head.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::{Counter, Emit, Want, url};
use crate::target::{Parts, segments};
use crate::{Encoding, Field, Head, Leaf, Locator, Nth, Part, Side, percent};

/// A value of a head, whose place is borrowed from it: a [`Leaf`] for who looks at every head there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadValue<'a> {
    /// Where it stands.
    pub place: HeadPlace<'a>,
    /// The value with its encoding undone.
    pub value: Cow<'a, [u8]>,
    /// The bytes of the head in which it is written.
    pub span: Range<usize>,
    /// How it is written there.
    pub encoding: Encoding,
    /// True when pieces of this value follow.
    pub composite: bool,
}

/// Where a value of a head stands: what a [`Locator`] says of it, but for how often the name came before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeadPlace<'a> {
    /// A field's value; the name as written, empty for a line that is no field line.
    Header(&'a str),
    /// A cookie of that name.
    Cookie(Cow<'a, str>),
    /// A query's value of that name.
    Query(Cow<'a, str>),
    /// A segment of the target's path, by its number.
    PathSegment(usize),
    /// A piece of a `Location`, by its pattern.
    Location(Cow<'a, str>),
}

impl<'a> HeadValue<'a> {
    /// The same as a leaf that is the `nth` of its name.
    fn leaf(self, nth: usize) -> Leaf<'a> {
        let nth = Nth::Index(nth);
        let locator = match self.place {
            HeadPlace::Header(name) => Locator::Header { name: name.to_owned(), nth },
            HeadPlace::Cookie(name) => Locator::Cookie { name: name.into_owned() },
            HeadPlace::Query(name) => Locator::Query { name: name.into_owned(), nth },
            HeadPlace::PathSegment(index) => Locator::PathSegment { index },
            HeadPlace::Location(pattern) => Locator::Location { pattern: pattern.into_owned() },
        };
        let HeadValue { value, span, encoding, composite, .. } = self;
        Leaf { locator, value, part: Part::Head, span, encoding, composite }
    }
}

impl<'a> Head<'a> {
    /// The values of the request's target, in order: path segments, then query pairs.
    pub fn target_values(&self, visit: &mut impl FnMut(HeadValue<'a>)) {
        let _ = target(self, Want::ALL, &mut |value| {
            visit(value);
            ControlFlow::Continue(())
        });
    }

    /// The values of a field line, by its number: all of it, and the pieces of a `Cookie` or a `Location`, whose patterns say no
    /// more than whether it is a path's or a query's and the query's name.
    pub fn field_values(&self, number: usize, visit: &mut impl FnMut(HeadValue<'a>)) {
        let Some(field) = self.field(number) else { return };
        let want = Want::ALL.with(super::Detail::Names);
        let _ = pieces(&field, self.side(), want, &mut |value| {
            visit(value);
            ControlFlow::Continue(())
        });
    }
}

/// Of the fields only those that `take` says.
pub(super) fn walk<'v>(
    head: &Head<'v>,
    want: Want,
    take: &mut dyn FnMut(&Field<'v>) -> bool,
    emit: Emit<'_, 'v>,
) -> ControlFlow<()> {
    let mut counter = Counter::new(want);
    target(head, want, &mut |value| {
        let nth = if let HeadPlace::Query(name) = &value.place { counter.next(name) } else { 0 };
        emit(value.leaf(nth))
    })?;
    // Looking back costs less than a table as long as there is little to look back at.
    let few = head.fields().len() <= 64;
    let counts = want.has(Want::HEADER) && want.has(Want::DETAIL);
    let mut counter = Counter::new(want);
    let mut lower = String::new();
    for (number, field) in head.fields().enumerate() {
        let mut nth = 0;
        if counts && !few {
            lower.clear();
            lower.push_str(field.name);
            lower.make_ascii_lowercase();
            nth = counter.next(&lower);
        }
        if !take(&field) {
            continue;
        }
        if counts && few {
            let named = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(field.name.as_bytes());
            nth = head.raw_fields().take(number).filter(named).count();
        }
        pieces(&field, head.side(), want, &mut |value| emit(value.leaf(nth)))?;
    }
    ControlFlow::Continue(())
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// The values of a target.
fn target<'v>(
    head: &Head<'v>,
    want: Want,
    emit: &mut impl FnMut(HeadValue<'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if !(want.has(Want::PATH) || want.has(Want::QUERY)) || head.method() == Some("CONNECT") {
        return ControlFlow::Continue(());
    }
    let Some(span) = head.target_span() else { return ControlFlow::Continue(()) };
    let raw = &head.raw()[span.clone()];
    let parts = Parts::target(raw);
    if want.has(Want::PATH) {
        let path = shift(&parts.path, span.start);
        for (index, segment) in segments(&head.raw()[path.clone()], path.start).enumerate() {
            emit(HeadValue {
                place: HeadPlace::PathSegment(index),
                value: segment.value,
                span: segment.span,
                encoding: Encoding::Percent,
                composite: false,
            })?;
        }
    }
    if let Some(query) = parts.query.filter(|_| want.has(Want::QUERY)) {
        let query = shift(&query, span.start);
        for pair in percent::pairs(&head.raw()[query.clone()], query.start) {
            emit(HeadValue {
                place: HeadPlace::Query(text(pair.name)),
                value: pair.value,
                span: pair.value_span,
                encoding: Encoding::FormPercent,
                composite: false,
            })?;
        }
    }
    ControlFlow::Continue(())
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD.
fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The value of a field line, and those within it.
fn pieces<'v>(
    field: &Field<'v>,
    side: Side,
    want: Want,
    emit: &mut impl FnMut(HeadValue<'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let cookie = match side {
        Side::Request => field.is("cookie"),
        Side::Response => field.is("set-cookie"),
    };
    let location = field.is("location") || field.is("content-location");
    if want.has(Want::HEADER) {
        emit(HeadValue {
            place: HeadPlace::Header(field.name),
            value: field.unfolded(),
            span: field.value_span.clone(),
            encoding: Encoding::Header,
            composite: cookie || (location && url::divides(field.value)),
        })?;
    }
    if cookie && want.has(Want::COOKIE) {
        cookies(field, side, emit)?;
    }
    if location && want.has(Want::LOCATION) {
        url::pieces(field.value, want, &mut |piece| {
            emit(HeadValue {
                place: HeadPlace::Location(piece.pattern),
                value: piece.value,
                span: shift(&piece.span, field.value_span.start),
                encoding: piece.encoding,
                composite: false,
            })
        })?;
    }
    ControlFlow::Continue(())
}

/// The pairs of `Cookie`, or the first pair of `Set-Cookie`, whose attributes are not values.
/// [RFC 6265 §5.2](https://www.rfc-editor.org/rfc/rfc6265#section-5.2): a pair without `=` has an empty name.
fn cookies<'v>(
    field: &Field<'v>,
    side: Side,
    emit: &mut impl FnMut(HeadValue<'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut at = 0;
    let take = if side == Side::Response { 1 } else { usize::MAX };
    for item in field.value.split(|&b| b == b';').take(take) {
        let start = field.value_span.start + at;
        at += item.len() + 1;
        let equals = memchr::memchr(b'=', item);
        let name = &item[..equals.unwrap_or(0)];
        let skip = equals.map_or(0, |e| e + 1);
        let value = item[skip..].trim_ascii();
        let lead = item.len() - skip - item[skip..].trim_ascii_start().len();
        if equals.is_none() && value.is_empty() {
            continue;
        }
        // White space only: the value is empty and stands right after the equals sign.
        let value_at = start + skip + if value.is_empty() { 0 } else { lead };
        emit(HeadValue {
            place: HeadPlace::Cookie(String::from_utf8_lossy(name.trim_ascii())),
            value: Cow::Borrowed(value),
            span: value_at..value_at + value.len(),
            encoding: Encoding::Cookie,
            composite: false,
        })?;
    }
    ControlFlow::Continue(())
}
