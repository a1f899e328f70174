//! A message that was masked, masked again by what is known by now: what is not known stays, pseudonyms above all.

use std::ops::Range;

use bytes::Bytes;
use mynah_message::{Head, Limits, Message, View};
use mynah_traffic::{SensitiveSpan, Side};

use crate::audit;
use crate::kind::Kind;
use crate::learned::{Known, Match};
use crate::masker::State;
use crate::message::{self, Place};
use crate::policy::Policy;
use crate::scan::{Met, Patch, Scanner, Sink, inlaid};

/// Replaces what is known and nothing else, whatever its name or form says: that has been seen to.
pub(crate) struct Again<'s> {
    pub(crate) policy: &'s Policy,
    pub(crate) state: &'s mut State,
    /// What was not known when the exchange was masked.
    pub(crate) late: &'s Known,
}

impl Sink for Again<'_> {
    fn replace(&mut self, _kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        let (kind, meant) = self.late.meant(value)?;
        self.state.pseudonym(self.policy, kind, &meant)
    }

    fn replace_jwt(&mut self, value: &[u8], masked: Option<Vec<u8>>) -> Option<Vec<u8>> {
        masked.filter(|masked| masked != value)
    }

    fn sign(&mut self, _token: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        // It was made of the original token: with the claims that have changed now it has nothing to do.
        Some(signature.to_vec())
    }

    fn known(&self, value: &[u8]) -> Option<Kind> {
        self.late.kind(value)
    }

    fn met_jwt(&mut self, value: &[u8]) -> Met {
        let known = self.late.meant(value);
        match known.and_then(|(kind, meant)| self.state.pseudonym(self.policy, kind, &meant)) {
            Some(made) => Met::Replaced(made),
            None => Met::New,
        }
    }

    fn leaves_most(&self) -> bool {
        true
    }

    fn may_cross_lines(&self) -> bool {
        self.state.may_cross_lines()
    }

    fn hides(&self, masked: &[u8], limits: &Limits, runs: bool, written: bool) -> bool {
        self.state.hides(masked, limits, runs, written)
    }

    fn note_inlaid(&self) {
        self.state.note_inlaid();
    }

    fn blot(&self, value: &[u8]) -> Option<Vec<u8>> {
        self.state.blot(value)
    }

    fn matches(&self, text: &[u8]) -> Vec<Match> {
        self.late.matches(text)
    }

    fn sweep(&mut self, policy: &Policy, text: &[u8], matches: Vec<Match>, in_place: bool) -> Vec<Patch> {
        self.state.sweep(policy, text, matches, in_place)
    }
}

/// What became of a message.
pub(crate) struct Remasked {
    /// `None` when it can no longer be read.
    pub(crate) message: Option<Message>,
    /// Where pseudonyms stand now, the old and the new ones; of the new ones what is written there.
    pub(crate) spans: Vec<(SensitiveSpan, Option<Vec<u8>>)>,
    /// What was replaced now.
    pub(crate) places: Vec<Place>,
    /// Why parts were withheld now.
    pub(crate) withheld: Vec<&'static str>,
    /// Whether something in the head was made illegible now.
    pub(crate) blotted: bool,
}

/// Masks again; `None` when nothing changes. `old` are the message's spans.
pub(crate) fn remask(
    scanner: &mut Scanner<'_>,
    late: &Known,
    message: &Message,
    side: Side,
    old: &[SensitiveSpan],
) -> Option<Remasked> {
    let limits = scanner.policy.limits;
    let (body_is_quiet, head_is_quiet) = quiet(late, message, &limits);
    if body_is_quiet && head_is_quiet && message.trailers.is_empty() {
        return None;
    }
    let mut spans: Vec<Span> = old.iter().map(Span::of).collect();
    let mut places = Vec::new();
    let mut withheld = Vec::new();
    let body =
        if body_is_quiet { Ok((message.clone(), Vec::new())) } else { message::body(scanner, message) };
    let mut now = match body {
        Ok((now, made)) => {
            carry(&mut spans, true, &made);
            places.extend(made);
            now
        }
        Err(unreadable) => {
            spans.retain(|s| !s.in_body);
            withheld.push(unreadable.0);
            message::withheld(message)
        }
    };
    follow(&mut spans, &message.head, &now.head);
    let head = if head_is_quiet { Ok((now.clone(), Vec::new())) } else { message::head(scanner, &now) };
    match head {
        Ok((masked, made)) => {
            carry(&mut spans, false, &made);
            places.extend(made);
            now = masked;
        }
        // It was read when it was masked. Nothing may stay of what cannot be read.
        Err(unreadable) => {
            let withheld = vec![unreadable.of_head()];
            return Some(Remasked {
                message: None,
                spans: Vec::new(),
                places: Vec::new(),
                withheld,
                blotted: false,
            });
        }
    }
    if let Some((trailers, made)) = message::trailers(scanner, &message.trailers, side) {
        now.trailers = trailers;
        places.extend(made);
    } else {
        now.trailers = Bytes::new();
        withheld.push("trailers-unreadable");
    }
    if places.is_empty() && withheld.is_empty() {
        return None;
    }
    let body = View::open(&now, &limits);
    let spans = spans
        .into_iter()
        .filter_map(|span| {
            let part: &[u8] = match &body {
                Ok(view) if span.in_body => view.body(),
                _ => &now.head,
            };
            let written = if span.fresh { Some(part.get(span.range.clone())?.to_vec()) } else { None };
            Some((span.finish(side)?, written))
        })
        .collect();
    Some(Remasked {
        message: Some(now),
        spans,
        places,
        withheld,
        blotted: std::mem::take(&mut scanner.blotted),
    })
}

/// Of body and head whether it is certain that no value is in them: none is written there, and there is nothing in which one
/// could be written that the search does not see through. So it is with most.
fn quiet(late: &Known, message: &Message, limits: &Limits) -> (bool, bool) {
    let alphabet = late.alphabet();
    let quiet = |bytes: &[u8]| {
        // Claims of web tokens may have escapes of their own; a field may be folded within a value.
        let nests = |at: usize| {
            matches!(
                bytes.get(at..),
                Some([b'\n', b' ' | b'\t', ..] | [b'\\', b'x', ..] | [b'\\', b'u', b'{', ..])
            )
        };
        !audit::may_hide(bytes, late.has_spaced(), &alphabet)
            && !memchr::memchr2_iter(b'\n', b'\\', bytes).any(nests)
            && memchr::memmem::find(bytes, b"eyJ").is_none()
            && !inlaid::may_hold(bytes)
            && late.count(bytes, false) == 0
    };
    let Ok(view) = View::open(message, limits) else { return (false, false) };
    (quiet(view.body()), quiet(&message.head))
}

/// A sensitive span on its way.
struct Span {
    in_body: bool,
    range: Range<usize>,
    kind: String,
    /// Something was replaced in it now.
    fresh: bool,
}

impl Span {
    fn of(span: &SensitiveSpan) -> Span {
        let start = span.start as usize;
        Span {
            in_body: span.in_body,
            range: start..start + span.len as usize,
            kind: span.kind.clone(),
            fresh: false,
        }
    }

    fn finish(self, side: Side) -> Option<SensitiveSpan> {
        let start = u32::try_from(self.range.start).ok()?;
        let len = u32::try_from(self.range.len()).ok().filter(|len| *len > 0)?;
        Some(SensitiveSpan { side, in_body: self.in_body, start, len, kind: self.kind })
    }
}

/// Moves the spans of a part to where they stand after its edits, and adds those of the edits. Where an edit reaches into a
/// span, or over several, the whole becomes one span.
fn carry(spans: &mut Vec<Span>, in_body: bool, made: &[Place]) {
    if made.is_empty() {
        return;
    }
    // In terms of the old part first.
    let fresh = made.iter().map(|place| Span {
        in_body,
        range: place.moved().0,
        kind: place.name.to_owned(),
        fresh: true,
    });
    let (mut part, mut others): (Vec<Span>, Vec<Span>) =
        spans.drain(..).chain(fresh).partition(|s| s.in_body == in_body);
    // The old ones are first of those that begin together, and give the name.
    part.sort_by_key(|s| s.range.start);
    let mut joined: Vec<Span> = Vec::with_capacity(part.len());
    for span in part {
        match joined.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                last.range.end = last.range.end.max(span.range.end);
                last.fresh |= span.fresh;
            }
            _ => joined.push(span),
        }
    }
    // Both are in order, and no edit reaches over the end of a span.
    let mut moves = made.iter().map(Place::moved).peekable();
    let mut shift = 0_isize;
    for span in &mut joined {
        let start = loop {
            match moves.next_if(|(old, _)| old.end <= span.range.start) {
                Some((old, len)) => shift += len as isize - old.len() as isize,
                None => break span.range.start.saturating_add_signed(shift),
            }
        };
        while let Some((old, len)) = moves.next_if(|(old, _)| old.end <= span.range.end) {
            shift += len as isize - old.len() as isize;
        }
        span.range = start..span.range.end.saturating_add_signed(shift);
    }
    others.append(&mut joined);
    *spans = others;
}

/// Moves the spans of a head whose framing has followed a new body: the same fields with other values, some of them gone.
fn follow(spans: &mut Vec<Span>, old: &[u8], new: &[u8]) {
    if old == new {
        return;
    }
    let (Ok(old), Ok(new)) = (Head::parse(old), Head::parse(new)) else { return };
    let mut left = new.fields().peekable();
    let mut pairs = Vec::new();
    for field in old.fields() {
        // Those that are gone are left out.
        if let Some(same) = left.next_if(|f| f.name == field.name) {
            pairs.push((field.name_span.start..field.value_span.end, same, field.value));
        }
    }
    let fields = old.fields().next().map_or(usize::MAX, |f| f.name_span.start);
    spans.retain_mut(|span| {
        if span.in_body || span.range.start < fields {
            return true;
        }
        let Some((was, now, value)) =
            pairs.iter().find(|(was, ..)| was.start <= span.range.start && span.range.end <= was.end)
        else {
            return false;
        };
        // What has another value now, a length or a digest, holds no pseudonym any more.
        if now.value != *value {
            return false;
        }
        let shift = now.name_span.start as isize - was.start as isize;
        span.range =
            span.range.start.saturating_add_signed(shift)..span.range.end.saturating_add_signed(shift);
        true
    });
}
