//! One message, masked: body first, then the head (whose framing the body has changed), then trailers.

use std::ops::Range;

use bytes::Bytes;
use mynah_message::{
    Edit, Error, Head, Message, Part, PatchedBody, View, patch, patch_body, without_digests,
};
use mynah_traffic::{SensitiveSpan, Side};

use crate::kind::Kind;
use crate::policy::Policy;
use crate::scan::changes::{Change, HeadPlan};
use crate::scan::part::Planned;
use crate::scan::value::SHORTEST;
use crate::scan::{Scanner, Unreadable, Why};

/// What became of a message.
#[derive(Clone)]
pub(crate) struct Outcome {
    /// The masked message; `None` when even its head could not be read.
    pub(crate) message: Option<Message>,
    /// Where pseudonyms stand.
    pub(crate) places: Vec<Place>,
    /// Why parts were withheld.
    pub(crate) withheld: Vec<&'static str>,
    /// Whether something in its head was made illegible as it showed what nobody could rewrite.
    pub(crate) blotted: bool,
    /// Whether nobody can read its body, so that only what is known was looked for in it.
    pub(crate) unread: bool,
    /// Under which scheme it is signed, if it is.
    pub(crate) signed: Option<&'static str>,
}

/// Where a pseudonym stands in the new message.
#[derive(Clone)]
pub(crate) struct Place {
    in_body: bool,
    /// `None` in trailers, in which spans cannot point.
    start: Option<usize>,
    len: usize,
    /// What is written there, where that is not the head.
    written: Option<Vec<u8>>,
    pub(crate) kind: Kind,
    /// What it is called in reports.
    pub(crate) name: &'static str,
    /// Who found it.
    pub(crate) why: Why,
    /// What held the value before.
    pub(crate) holder: &'static str,
    /// The bytes that gave way, in the old part.
    old: Range<usize>,
}

impl Place {
    /// What is written there; `head` is the new one.
    pub(crate) fn written<'p>(&'p self, head: &'p [u8]) -> &'p [u8] {
        match (&self.written, self.start) {
            (Some(written), _) => written,
            (None, Some(start)) => head.get(start..start + self.len).unwrap_or_default(),
            (None, None) => &[],
        }
    }

    /// The bytes that gave way, and where their replacement stands.
    pub(crate) fn moved(&self) -> (Range<usize>, usize) {
        (self.old.clone(), self.len)
    }

    /// `None` beyond the first 4 GiB, in trailers, and where nothing is left.
    pub(crate) fn span(&self, side: Side) -> Option<SensitiveSpan> {
        let start = u32::try_from(self.start?).ok()?;
        let len = u32::try_from(self.len).ok().filter(|len| *len > 0)?;
        Some(SensitiveSpan { side, in_body: self.in_body, start, len, kind: self.name.to_owned() })
    }
}

/// Hands every part to the scanner and forgets what it would do.
pub(crate) fn learn(scanner: &mut Scanner<'_>, message: &Message, side: Side) {
    if met(scanner, message, side).is_some() {
        return;
    }
    if let Ok(mut view) = View::open_head(message) {
        let print = print(scanner, &view);
        let known = message.body.is_empty() || print.is_some_and(|print| scanner.memo.done.is_learnt(print));
        if !known {
            if view.open_body(&scanner.policy.limits).is_ok() {
                let _ = scanner.body(&view);
            }
            if let Some(print) = print {
                scanner.memo.done.note_learnt(print);
            }
        }
        let _ = scanner.head(&view);
    }
    let _ = trailers(scanner, &message.trailers, side);
}

/// Masks a message, or says what became of it when it was masked before.
pub(crate) fn mask(scanner: &mut Scanner<'_>, message: &Message, side: Side) -> Outcome {
    let Some(print) = met(scanner, message, side) else { return mask_anew(scanner, message, side) };
    if let Some(outcome) = scanner.memo.whole.outcome(print) {
        return outcome;
    }
    let outcome = mask_anew(scanner, message, side);
    scanner.memo.whole.put(print, &outcome);
    outcome
}

fn mask_anew(scanner: &mut Scanner<'_>, message: &Message, side: Side) -> Outcome {
    let mut outcome = Outcome {
        message: None,
        places: Vec::new(),
        withheld: Vec::new(),
        blotted: false,
        unread: false,
        signed: None,
    };
    let Ok(mut view) = View::open_head(message) else {
        // Without a head nothing can be said about the body either.
        outcome.withheld.push("head-unreadable");
        return outcome;
    };
    let body = if message.body.is_empty() { Ok(None) } else { body_of(scanner, &mut view) };
    let with_head = match body {
        Ok(None) => head_of(scanner, &view),
        Ok(Some(changed)) => {
            outcome.places = changed.places;
            framed_head(scanner, &view, changed.body, changed.framing)
        }
        Err(Unreadable(reason)) => {
            outcome.withheld.push(reason);
            head(scanner, &withheld(message))
        }
    };
    outcome.signed = scanner.signed.take();
    outcome.unread = std::mem::take(&mut scanner.unread);
    let (mut masked, places) = match with_head {
        Ok(masked) => masked,
        Err(unreadable) => {
            outcome.places.clear();
            outcome.withheld = vec![unreadable.of_head()];
            return outcome;
        }
    };
    if outcome.places.is_empty() {
        outcome.places = places;
    } else {
        outcome.places.extend(places);
    }
    if let Some((trailers, places)) = trailers(scanner, &message.trailers, side) {
        masked.trailers = trailers;
        outcome.places.extend(places);
    } else {
        masked.trailers = Bytes::new();
        outcome.withheld.push("trailers-unreadable");
    }
    outcome.blotted = std::mem::take(&mut scanner.blotted);
    outcome.message = Some(masked);
    outcome
}

/// The message without its body, and without what would tell whether a guess at the body is right.
pub(crate) fn withheld(message: &Message) -> Message {
    Message { body: Bytes::new(), head: without_digests(&message.head), trailers: message.trailers.clone() }
}

/// Stands for a message that was met before; never where rules of the user's ask for more than the message.
fn met(scanner: &mut Scanner<'_>, message: &Message, side: Side) -> Option<u128> {
    if scanner.policy.is_steady() { scanner.memo.whole.meet(message, side) } else { None }
}

/// Stands for a body that need not be opened to be known again. `None` where rules of the user's ask for more than the body.
fn print(scanner: &Scanner<'_>, view: &View<'_>) -> Option<u128> {
    let steady = scanner.policy.is_steady();
    if steady { scanner.memo.done.print(view.head(), &view.message().body) } else { None }
}

/// The message with its body masked.
pub(crate) fn body(
    scanner: &mut Scanner<'_>,
    message: &Message,
) -> Result<(Message, Vec<Place>), Unreadable> {
    let mut view = View::open_head(message).map_err(|error| reason(&error))?;
    let Some(Changed { body, framing, places }) = body_of(scanner, &mut view)? else {
        return Ok((message.clone(), Vec::new()));
    };
    Ok((framed(message, body, framing)?, places))
}

/// A body that was masked.
struct Changed {
    body: Bytes,
    /// What its head takes to follow.
    framing: Vec<Edit>,
    places: Vec<Place>,
}

/// The message with another body, and a head that follows.
fn framed(message: &Message, body: Bytes, framing: Vec<Edit>) -> Result<Message, Unreadable> {
    let view = View::open_head(message).map_err(|error| reason(&error))?;
    let framed = patch(&view, framing).map_err(|error| reason(&error))?;
    Ok(Message { body, ..framed })
}

/// The same of a message whose head is open; `None` when nothing changes.
fn body_of(scanner: &mut Scanner<'_>, view: &mut View<'_>) -> Result<Option<Changed>, Unreadable> {
    let print = print(scanner, view);
    if print.is_some_and(|print| scanner.memo.done.is_unchanged(print)) {
        return Ok(None);
    }
    view.open_body(&scanner.policy.limits).map_err(|error| reason(&error))?;
    let plan = scanner.body(view)?;
    if plan.is_empty() {
        if scanner.body_hides(view.kind(), view.body()) {
            return Err(Unreadable::HIDES);
        }
        // Only what may stay as it is: the same body that hides something must be withheld again.
        if let Some(print) = print {
            scanner.memo.done.note_unchanged(print);
        }
        return Ok(None);
    }
    let (edits, places) = edits(plan, Part::Body, scanner.policy);
    let patched = patch_body(view, edits).map_err(|error| reason(&error))?;
    let hides =
        scanner.body_hides(view.kind(), patched.as_ref().map_or(view.body(), |patched| &patched.decoded));
    if hides {
        return Err(Unreadable::HIDES);
    }
    Ok(Some(match patched {
        Some(PatchedBody { body, framing, .. }) => Changed { body, framing, places },
        // All pseudonyms are what stood there.
        None => Changed { body: view.message().body.clone(), framing: Vec::new(), places },
    }))
}

/// The message with its head masked.
pub(crate) fn head(
    scanner: &mut Scanner<'_>,
    message: &Message,
) -> Result<(Message, Vec<Place>), Unreadable> {
    head_of(scanner, &View::open_head(message).map_err(|error| reason(&error))?)
}

/// The same of a message whose head is open.
fn head_of(scanner: &mut Scanner<'_>, view: &View<'_>) -> Result<(Message, Vec<Place>), Unreadable> {
    let mut plan = scanner.head(view)?;
    let message = view.message();
    let spliced = legible(scanner, view, &mut plan, &[])?;
    Ok((with_head(scanner, view, plan, spliced.head, message.body.clone())?, spliced.places))
}

/// The head with all done, and with nothing in it that the audit would see.
fn legible(
    scanner: &mut Scanner<'_>,
    view: &View<'_>,
    plan: &mut HeadPlan,
    framing: &[Edit],
) -> Result<Spliced, Unreadable> {
    let head = &view.message().head;
    let done = spliced(head, plan, framing, scanner.policy)?;
    if !scanner.hides(&done.head) {
        return Ok(done);
    }
    scanner.blot(view.head(), plan);
    let done = spliced(head, plan, framing, scanner.policy)?;
    if scanner.hides(&done.head) { Err(Unreadable::HIDES) } else { Ok(done) }
}

/// The message with another body, and its head masked and made to follow that body.
fn framed_head(
    scanner: &mut Scanner<'_>,
    view: &View<'_>,
    body: Bytes,
    framing: Vec<Edit>,
) -> Result<(Message, Vec<Place>), Unreadable> {
    // Another length is nothing to look into, and what is longer may be a value like any other.
    let is_simple = |edit: &Edit| (1..SHORTEST).contains(&edit.bytes.len()) && !edit.span.is_empty();
    if framing.iter().all(is_simple) && !scanner.sink.may_cross_lines() {
        let mut plan = scanner.head(view)?;
        if !framing.iter().any(|edit| plan.sees_to(&edit.span)) {
            let spliced = legible(scanner, view, &mut plan, &framing)?;
            // What was learnt may have the new length in it, in theory.
            let mut lines = spliced.framed.iter().map(|at| line_around(&spliced.head, *at));
            if lines.all(|line| scanner.sink.matches(line).is_empty()) {
                return Ok((with_head(scanner, view, plan, spliced.head, body)?, spliced.places));
            }
        }
    }
    head(scanner, &framed(view.message(), body, framing)?)
}

/// The message with that head, which has all of the plan done.
fn with_head(
    scanner: &mut Scanner<'_>,
    view: &View<'_>,
    mut plan: HeadPlan,
    head: Bytes,
    body: Bytes,
) -> Result<Message, Unreadable> {
    // With its line break.
    let start_line = view.head().start_line().end + 2;
    let starts_anew = plan.iter().next().is_some_and(|(first, _)| first.range.start < start_line);
    plan.clear();
    scanner.memo.head_room = plan;
    // What the edits made of it must still be a head.
    if starts_anew && !Head::begins(&head) {
        return Err(Unreadable("head-unreadable"));
    }
    Ok(Message { head, body, trailers: view.message().trailers.clone() })
}

/// A head put together.
struct Spliced {
    head: Bytes,
    /// Where pseudonyms stand in it.
    places: Vec<Place>,
    /// Where what makes its framing right does.
    framed: Vec<usize>,
}

/// The head with all of its plan done, and these edits, which are in order and overlap nothing of that.
fn spliced(head: &Bytes, plan: &HeadPlan, framing: &[Edit], policy: &Policy) -> Result<Spliced, Unreadable> {
    let changes = plan.iter();
    let mut places = Vec::with_capacity(changes.len());
    let mut framed = Vec::new();
    if changes.len() == 0 && framing.is_empty() {
        return Ok(Spliced { head: head.clone(), places, framed });
    }
    // Exactly so long, and not copied once more.
    let (put, taken) = framing
        .iter()
        .fold(plan.growth(), |(put, taken), edit| (put + edit.bytes.len(), taken + edit.span.len()));
    let mut out = Vec::with_capacity((head.len() + put).saturating_sub(taken));
    let mut at = 0;
    let mut copy_to = |out: &mut Vec<u8>, range: &Range<usize>| {
        let before = head.get(at..range.start).filter(|_| range.end <= head.len());
        out.extend_from_slice(before.ok_or(Unreadable("not-patched"))?);
        at = range.end;
        Ok(())
    };
    let mut framing = framing.iter().peekable();
    for (change, put) in changes {
        while let Some(edit) = framing.next_if(|edit| edit.span.end <= change.range.start) {
            copy_to(&mut out, &edit.span)?;
            framed.push(out.len());
            out.extend_from_slice(&edit.bytes);
        }
        copy_to(&mut out, &change.range)?;
        let &Change { ref range, kind, why, holder, .. } = change;
        places.push(Place {
            in_body: false,
            start: Some(out.len()),
            len: put.len(),
            written: None,
            kind,
            name: policy.kind_name(kind),
            why,
            holder,
            old: range.clone(),
        });
        out.extend_from_slice(put);
    }
    for edit in framing {
        copy_to(&mut out, &edit.span)?;
        framed.push(out.len());
        out.extend_from_slice(&edit.bytes);
    }
    copy_to(&mut out, &(head.len()..head.len()))?;
    Ok(Spliced { head: out.into(), places, framed })
}

/// The line in which that place is.
fn line_around(head: &[u8], at: usize) -> &[u8] {
    let start = memchr::memrchr(b'\n', head.get(..at).unwrap_or_default()).map_or(0, |n| n + 1);
    let rest = head.get(start..).unwrap_or_default();
    rest.split(|b| *b == b'\n').next().unwrap_or_default()
}

/// Trailers are field lines: read behind a start line they are a head.
pub(crate) fn trailers(
    scanner: &mut Scanner<'_>,
    trailers: &Bytes,
    side: Side,
) -> Option<(Bytes, Vec<Place>)> {
    if trailers.is_empty() {
        return Some((Bytes::new(), Vec::new()));
    }
    let start: &[u8] = match side {
        Side::Request => b"GET / HTTP/1.1\r\n",
        Side::Response => b"HTTP/1.1 200 OK\r\n",
    };
    let message = Message { head: [start, trailers].concat().into(), ..Message::default() };
    let (masked, mut places) = head(scanner, &message).ok()?;
    for place in &mut places {
        place.written = Some(place.written(&masked.head).to_vec());
        place.start = None;
        place.holder = "trailer";
    }
    let masked = masked.head.strip_prefix(start)?.to_vec();
    Some((masked.into(), places))
}

/// The edits, and where they will stand when all are made.
fn edits(plan: Vec<Planned>, part: Part, policy: &Policy) -> (Vec<Edit>, Vec<Place>) {
    let mut edits = Vec::with_capacity(plan.len());
    let mut places = Vec::with_capacity(plan.len());
    let mut old = 0;
    let mut new = 0;
    for planned in plan {
        let Planned { range, bytes, kind, why, place } = planned;
        new += range.start - old;
        places.push(Place {
            in_body: part == Part::Body,
            start: Some(new),
            len: bytes.len(),
            written: Some(bytes.clone()),
            kind,
            name: policy.kind_name(kind),
            why,
            holder: place,
            old: range.clone(),
        });
        new += bytes.len();
        old = range.end;
        edits.push(Edit { part, span: range, bytes });
    }
    (edits, places)
}

fn reason(error: &Error) -> Unreadable {
    Unreadable(match error {
        Error::UnknownCoding { .. } => "coding-unknown",
        Error::Coding { .. } => "coding-damaged",
        Error::TooLarge { .. } => "too-large",
        Error::StartLine { .. } => "head-unreadable",
        _ => "not-patched",
    })
}
