//! The values of a head.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::{Counter, Emit, Want, url};
use crate::target::{Parts, segments};
use crate::{Encoding, Field, Head, Leaf, Locator, Nth, Part, Side, percent};

/// Of the fields only those that `take` says.
pub(super) fn walk<'v>(
    head: &Head<'v>,
    want: Want,
    take: &mut dyn FnMut(&Field<'v>) -> bool,
    emit: Emit<'_, 'v>,
) -> ControlFlow<()> {
    if (want.has(Want::PATH) || want.has(Want::QUERY)) && head.method() != Some("CONNECT") {
        target(head, want, emit)?;
    }
    // Looking back costs less than a table as long as there is little to look back at.
    let few = head.fields().len() <= 64;
    let detail = want.has(Want::DETAIL);
    let mut counter = Counter::new(want);
    let mut lower = String::new();
    for (number, field) in head.fields().enumerate() {
        let mut nth = 0;
        if want.has(Want::HEADER) && detail && !few {
            lower.clear();
            lower.push_str(field.name);
            lower.make_ascii_lowercase();
            nth = counter.next(&lower);
        }
        if !take(&field) {
            continue;
        }
        let cookie = match head.side() {
            Side::Request => field.is("cookie"),
            Side::Response => field.is("set-cookie"),
        };
        let location = field.is("location") || field.is("content-location");
        if want.has(Want::HEADER) {
            if few && detail {
                let named = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(field.name.as_bytes());
                nth = head.raw_fields().take(number).filter(named).count();
            }
            emit(Leaf {
                locator: Locator::Header { name: field.name.to_owned(), nth: Nth::Index(nth) },
                value: field.unfolded(),
                part: Part::Head,
                span: field.value_span.clone(),
                encoding: Encoding::Header,
                composite: cookie || (location && url::divides(field.value)),
            })?;
        }
        if cookie && want.has(Want::COOKIE) {
            cookies(&field, head.side(), emit)?;
        }
        if location && want.has(Want::LOCATION) {
            url::pieces(field.value, want, &mut |piece| {
                emit(Leaf {
                    locator: Locator::Location { pattern: piece.pattern },
                    value: piece.value,
                    part: Part::Head,
                    span: shift(&piece.span, field.value_span.start),
                    encoding: piece.encoding,
                    composite: false,
                })
            })?;
        }
    }
    ControlFlow::Continue(())
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

fn target<'v>(head: &Head<'v>, want: Want, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    let Some(span) = head.target_span() else { return ControlFlow::Continue(()) };
    let raw = &head.raw()[span.clone()];
    let parts = Parts::target(raw);
    if want.has(Want::PATH) {
        let path = shift(&parts.path, span.start);
        for (index, segment) in segments(&head.raw()[path.clone()], path.start).enumerate() {
            emit(Leaf {
                locator: Locator::PathSegment { index },
                value: segment.value,
                part: Part::Head,
                span: segment.span,
                encoding: Encoding::Percent,
                composite: false,
            })?;
        }
    }
    if let Some(query) = parts.query.filter(|_| want.has(Want::QUERY)) {
        let query = shift(&query, span.start);
        let mut counter = Counter::new(want);
        for pair in percent::pairs(&head.raw()[query.clone()], query.start) {
            let name = pair.name_text().into_owned();
            emit(Leaf {
                locator: Locator::Query { nth: Nth::Index(counter.next(&name)), name },
                value: pair.value,
                part: Part::Head,
                span: pair.value_span,
                encoding: Encoding::FormPercent,
                composite: false,
            })?;
        }
    }
    ControlFlow::Continue(())
}

/// The pairs of `Cookie`, or the first pair of `Set-Cookie`, whose attributes are not values.
/// [RFC 6265 §5.2](https://www.rfc-editor.org/rfc/rfc6265#section-5.2): a pair without `=` has an empty name.
fn cookies<'v>(field: &Field<'v>, side: Side, emit: Emit<'_, 'v>) -> ControlFlow<()> {
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
        emit(Leaf {
            locator: Locator::Cookie { name: String::from_utf8_lossy(name.trim_ascii()).into_owned() },
            value: Cow::Borrowed(value),
            part: Part::Head,
            span: value_at..value_at + value.len(),
            encoding: Encoding::Cookie,
            composite: false,
        })?;
    }
    ControlFlow::Continue(())
}
