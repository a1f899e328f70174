//! Replaces byte spans and makes the framing right again.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::content::{codings, encode_content};
use crate::{Error, Field, Head, Message, Part, Side, View, digest};

/// One span and what is to stand there instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// What `span` counts in.
    pub part: Part,
    /// The bytes to replace. An empty span inserts.
    pub span: Range<usize>,
    /// Their replacement, already encoded for the place ([`Encoding::encode`](crate::Encoding::encode)).
    pub bytes: Vec<u8>,
}

/// Makes the edits and then the framing: the content coding is applied again, `Content-Length` follows the new size where there
/// was one, [digests](crate::digest) of the body are recomputed; those by algorithms that are not known no longer hold and are
/// dropped. Chunked stays chunked (bodies are stored
/// without the chunks). A message whose body has no effective edit keeps the body's very bytes, compressed or not.
///
/// Edits may come in any order. The same edit twice counts once.
///
/// # Errors
/// [`Error::EditOutside`], [`Error::EditOverlap`]; [`Error::Coding`] when a codec refuses; [`Error::StartLine`] when
/// an edit broke the start line.
pub fn patch(view: &View<'_>, edits: Vec<Edit>) -> Result<Message, Error> {
    patch_decoded(view, edits).map(|(message, _)| message)
}

/// The same, and the new body before its content coding was applied; `None` where the edits change nothing in it.
///
/// # Errors
/// As [`patch()`].
pub fn patch_decoded(view: &View<'_>, edits: Vec<Edit>) -> Result<(Message, Option<Bytes>), Error> {
    let message = view.message();
    let (in_head, in_body): (Vec<Edit>, Vec<Edit>) = edits.into_iter().partition(|e| e.part == Part::Head);
    let edited = splice(&message.head, in_head)?.map(Bytes::from);
    let Some(decoded) = splice(view.body(), in_body)? else {
        let head = edited.unwrap_or_else(|| message.head.clone());
        let same = Message { head, body: message.body.clone(), trailers: message.trailers.clone() };
        return Ok((same, None));
    };
    let decoded = Bytes::from(decoded);
    let codings = codings(view.head())?;
    let body = if codings.is_empty() { decoded.clone() } else { encode_content(&codings, &decoded)?.into() };
    let head = match edited {
        Some(head) => reframe(&Head::parse(&head)?, &head, &body, true)?,
        None => reframe(view.head(), &message.head, &body, true)?,
    };
    Ok((Message { head, body, trailers: message.trailers.clone() }, Some(decoded)))
}

/// A body with edits made, by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PatchedBody {
    /// As it is sent, with its content coding.
    pub body: Bytes,
    /// Before that was applied.
    pub decoded: Bytes,
    /// What makes the head right again, in order: edits of `Content-Length` and of [digests](crate::digest).
    pub framing: Vec<Edit>,
}

/// Makes edits of the body alone, and leaves it to the caller to make those of the head, which may have some of its own: so it
/// need not be parsed once more. `None` where the edits change nothing.
///
/// # Errors
/// As [`patch()`]; [`Error::EditOutside`] for an edit of the head.
pub fn patch_body(view: &View<'_>, edits: Vec<Edit>) -> Result<Option<PatchedBody>, Error> {
    if let Some(Edit { part, span, .. }) = edits.iter().find(|e| e.part != Part::Body) {
        return Err(Error::EditOutside { part: *part, start: span.start, end: span.end, len: 0 });
    }
    let Some(decoded) = splice(view.body(), edits)?.map(Bytes::from) else { return Ok(None) };
    let codings = codings(view.head())?;
    let body = if codings.is_empty() { decoded.clone() } else { encode_content(&codings, &decoded)?.into() };
    let framing = framing(view.head(), &view.message().head, &body, true);
    Ok(Some(PatchedBody { body, decoded, framing }))
}

/// Makes `Content-Length` match the body. It is left alone where there is none, where the message is chunked, and in a
/// response without a body (of a HEAD request, or 304), whose length speaks of a body that was not sent. A message that
/// cannot be parsed comes back as it was.
pub fn fix_framing(message: Message) -> Message {
    let Ok(head) = Head::parse(&message.head) else { return message };
    if head.side() == Side::Response && message.body.is_empty() {
        return message;
    }
    match reframe(&head, &message.head, &message.body, false) {
        Ok(head) => Message { head, ..message },
        Err(_) => message,
    }
}

/// The head without [digests](crate::digest) of the body: who may not have a body may not try out guesses at it either. A head
/// that cannot be parsed comes back as it was.
pub fn without_digests(raw: &Bytes) -> Bytes {
    let Ok(head) = Head::parse(raw) else { return raw.clone() };
    let lines = head.fields().filter(|field| digest::is_digest(field.name));
    let edits: Vec<Edit> =
        lines.map(|f| Edit { part: Part::Head, span: line_span(raw, &f), bytes: Vec::new() }).collect();
    splice(raw, edits).ok().flatten().map_or_else(|| raw.clone(), Bytes::from)
}

/// A field's whole line, with its line break.
fn line_span(raw: &[u8], field: &Field<'_>) -> Range<usize> {
    let end = memchr::memchr(b'\n', raw.get(field.value_span.end..).unwrap_or_default());
    field.name_span.start..end.map_or(raw.len(), |n| field.value_span.end + n + 1)
}

/// The data with the edits made; `None` when that changes nothing.
fn splice(data: &[u8], mut edits: Vec<Edit>) -> Result<Option<Vec<u8>>, Error> {
    edits.sort_by_key(|e| (e.span.start, e.span.end));
    edits.dedup();
    let mut grown = data.len();
    let mut last = 0;
    let mut changes = false;
    for edit in &edits {
        let Range { start, end } = edit.span;
        if start > end || end > data.len() {
            return Err(Error::EditOutside { part: edit.part, start, end, len: data.len() });
        }
        if start < last {
            return Err(Error::EditOverlap { part: edit.part, at: start });
        }
        last = end;
        grown += edit.bytes.len();
        changes |= data[start..end] != *edit.bytes;
    }
    if let Some(pair) = edits.windows(2).find(|p| p[0].span == p[1].span) {
        return Err(Error::EditOverlap { part: pair[0].part, at: pair[0].span.start });
    }
    if !changes {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(grown);
    let mut at = 0;
    for edit in &edits {
        out.extend_from_slice(&data[at..edit.span.start]);
        out.extend_from_slice(&edit.bytes);
        at = edit.span.end;
    }
    out.extend_from_slice(&data[at..]);
    Ok(Some(out))
}

/// `raw` is what `head` was parsed of.
fn reframe(head: &Head<'_>, raw: &Bytes, body: &[u8], digests: bool) -> Result<Bytes, Error> {
    Ok(splice(raw, framing(head, raw, body, digests))?.map_or_else(|| raw.clone(), Bytes::from))
}

/// The edits that this takes, in order.
fn framing(head: &Head<'_>, raw: &Bytes, body: &[u8], digests: bool) -> Vec<Edit> {
    let chunked = head.is_chunked();
    let mut edits = Vec::new();
    for field in head.fields() {
        let value: Option<Cow<'_, [u8]>> = if field.is("content-length") && !chunked {
            Some(Cow::Owned(body.len().to_string().into_bytes()))
        } else if digests && digest::is_digest(field.name) {
            digest::renewed(field.name, field.value, body).map(Cow::Owned)
        } else {
            continue;
        };
        let (span, bytes) = if let Some(value) = value {
            (field.value_span, value.into_owned())
        } else {
            (line_span(raw, &field), Vec::new())
        };
        edits.push(Edit { part: Part::Head, span, bytes });
    }
    edits
}

#[cfg(test)]
mod tests;
