//! The values of a body, by what kind of body it is.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::{Counter, Coverage, Emit, Want, html, xml};
use crate::{BodyKind, Encoding, Head, Leaf, Locator, Nth, Part, json, multipart, percent};

pub(super) struct Source<'v, 'o> {
    pub(super) body: &'v [u8],
    pub(super) json_depth: usize,
    pub(super) want: Want,
    pub(super) only: Option<&'o Locator>,
}

/// The kind that the head says, unless the body evidently is something else.
pub(super) fn kind(head: &Head<'_>, body: &[u8]) -> BodyKind {
    let said = head.content_type();
    let generic = said.as_ref().is_none_or(|t| {
        matches!(
            t.media_type.as_str(),
            "" | "application/octet-stream" | "text/plain" | "binary/octet-stream"
        )
    });
    let said = match said.map_or(BodyKind::Binary, |t| t.kind) {
        // Text by another name: an image that is JSON, a type that nobody knows.
        BodyKind::Binary if !generic && is_text(body) => {
            return if json::looks_like(body) { BodyKind::Json } else { BodyKind::Text };
        }
        said => said,
    };
    let mislabelled = matches!(said, BodyKind::Html | BodyKind::Script | BodyKind::Form);
    if (generic || mislabelled) && json::looks_like(body) && (generic || said != BodyKind::Script) {
        return BodyKind::Json;
    }
    if !generic {
        return said;
    }
    let start = &body[..body.len().min(512)];
    let start = start.trim_ascii_start().to_ascii_lowercase();
    if said != BodyKind::Text {
        if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
            return BodyKind::Html;
        }
        if start.starts_with(b"<?xml") {
            return BodyKind::Xml;
        }
    }
    if std::str::from_utf8(body).is_ok_and(|t| !t.contains('\0')) { BodyKind::Text } else { said }
}

/// Whether there is nothing in a body that a text has not. Looks at the beginning first, which tells most.
fn is_text(body: &[u8]) -> bool {
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b) || *b == 0x7f;
    !body.iter().take(64).any(control)
        && std::str::from_utf8(body).is_ok_and(|text| !text.bytes().any(|b| control(&b)))
}

pub(super) fn walk<'v>(
    source: &Source<'v, '_>,
    kind: &BodyKind,
    emit: Emit<'_, 'v>,
) -> (ControlFlow<()>, Coverage) {
    let want = source.want;
    let read = match kind {
        BodyKind::Json if want.has(Want::JSON) => return json(source, emit),
        BodyKind::Form if want.has(Want::FORM) => form(source, emit),
        BodyKind::Multipart { boundary } if want.has(Want::MULTIPART) => parts(source, boundary, emit),
        BodyKind::Html => html::walk(source, emit),
        BodyKind::Script if want.has(Want::SCRIPT) => html::walk_script(source, emit),
        BodyKind::Xml if want.has(Want::XML) => {
            let (read, coverage) = xml::walk(source, emit);
            if read.is_break() {
                return (read, Coverage::Whole);
            }
            return (whole(source, emit, false), coverage);
        }
        BodyKind::Binary => {
            let _ = whole(source, emit, false);
            return (ControlFlow::Continue(()), Coverage::Opaque);
        }
        _ => ControlFlow::Continue(()),
    };
    if read.is_break() {
        return (read, Coverage::Whole);
    }
    (whole(source, emit, *kind == BodyKind::Text), Coverage::Whole)
}

/// The body as one value: among all leaves only when it is plain text, but always when asked for by name.
fn whole<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>, text: bool) -> ControlFlow<()> {
    if !source.want.has(Want::BODY) || (source.only.is_none() && !text) {
        return ControlFlow::Continue(());
    }
    emit(Leaf {
        locator: Locator::Body,
        value: Cow::Borrowed(source.body),
        part: Part::Body,
        span: 0..source.body.len(),
        encoding: Encoding::Raw,
        composite: false,
    })
}

fn json<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> (ControlFlow<()>, Coverage) {
    let only = match source.only {
        Some(Locator::Json { path }) => Some(path.as_str()),
        _ => None,
    };
    let end = json::scan(source.body, source.json_depth, &mut |found| {
        if only.is_some_and(|only| !json::path::covers(only, found.path)) {
            return ControlFlow::Continue(());
        }
        let (value, encoding) = match found.kind {
            json::Kind::String => (json::unescape(found.raw), Encoding::JsonString),
            json::Kind::Number => (Cow::Borrowed(found.raw), Encoding::JsonNumber),
            json::Kind::Literal => (Cow::Borrowed(found.raw), Encoding::JsonLiteral),
        };
        emit(Leaf {
            locator: Locator::Json { path: json::path::JsonPath::from_canonical(found.path) },
            value,
            part: Part::Body,
            span: found.span,
            encoding,
            composite: false,
        })
    });
    match end {
        json::End::Whole => (ControlFlow::Continue(()), Coverage::Whole),
        json::End::Stopped => (ControlFlow::Break(()), Coverage::Whole),
        json::End::Garbage(at) => (ControlFlow::Continue(()), Coverage::Until(at)),
    }
}

fn form<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    let mut counter = Counter::new(source.want);
    for pair in percent::pairs(source.body, 0) {
        let name = pair.name_text().into_owned();
        emit(Leaf {
            locator: Locator::Form { nth: Nth::Index(counter.next(&name)), name },
            value: pair.value,
            part: Part::Body,
            span: pair.value_span,
            encoding: Encoding::FormPercent,
            composite: false,
        })?;
    }
    ControlFlow::Continue(())
}

fn parts<'v>(source: &Source<'v, '_>, boundary: &str, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    let body = source.body;
    let mut counter = Counter::new(source.want);
    for part in multipart::parts(body, boundary) {
        emit(Leaf {
            locator: Locator::Multipart { nth: Nth::Index(counter.next(&part.name)), name: part.name },
            value: Cow::Borrowed(&body[part.content.clone()]),
            part: Part::Body,
            span: part.content,
            encoding: Encoding::Raw,
            composite: false,
        })?;
    }
    ControlFlow::Continue(())
}
