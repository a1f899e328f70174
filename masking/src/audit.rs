//! The audit: looks again at what is about to be sealed, with none of the masker's rules.
//!
//! Long originals are searched for in all bytes of a message: as they are, in base64 and in hex, and again in what
//! the bytes become when percent-encoding, JSON escapes and character references are undone, and base64 and hex of a text
//! opened. Short ones cannot be
//! searched for (`123` is everywhere), so each sensitive span must hold something that was issued as a pseudonym.

mod inlaid;
mod views;

use std::borrow::Cow;
use std::fmt;

use mynah_message::{Head, Limits, Message, content};
use mynah_traffic::{Exchange, SensitiveSpan, Side};
use serde::Serialize;
use views::{Decoded, has_escapes, views};
pub(crate) use views::{html_tells, json_tells, may_hide, percent_tells};

use crate::hash::{Prints, Strong};
use crate::learned::Known;
use crate::masker::Issued;
use crate::memo::whole::Looks;
use crate::worth::Worth;

/// Findings kept with their place; all are counted.
const LISTED: usize = 1000;

/// Checks masked exchanges, in the order in which they stand in the recording.
pub struct Auditor {
    known: Known,
    issued: Issued,
    /// How far bodies are opened: as far as when they were masked.
    limits: Limits,
    exchange: u64,
    findings: Findings,
    clean: Clean,
    /// Parts that were searched.
    parts: u64,
}

/// Bodies in which the search found nothing: production sends the same ones again and again. Known by keyed fingerprints of
/// 128 bits over all of their bytes.
#[derive(Default)]
struct Clean {
    hasher: Strong,
    prints: Prints,
    /// The same of whole messages, with the places of their pseudonyms.
    whole: Looks,
    /// What was searched for: how many values, and in what.
    values: usize,
    worth: Worth,
}

/// Shorter ones are searched in less time than it takes to look them up.
const WORTH_KNOWING: usize = 512;
/// Fingerprints kept, some 32 MiB; then they are collected anew.
const PRINTS: usize = 1 << 20;

impl Clean {
    /// Stands for a message with these spans, and says whether nothing was found in the same when the same was searched for. `None` for one
    /// that is not worth looking up.
    fn whole<'s>(
        &mut self,
        side: Side,
        message: &Message,
        spans: impl Iterator<Item = &'s SensitiveSpan>,
        values: usize,
    ) -> Option<(u128, bool)> {
        let print = self.whole.print(message, side)?;
        self.expect(values);
        let print = spans.fold(print, |print, span| {
            let place = u64::from(span.start) << 32 | u64::from(span.len);
            self.hasher.hash(print as u64 ^ u64::from(span.in_body), &place.to_le_bytes()) ^ print
        });
        let known = self.prints.contains(print);
        self.whole.note(side, known);
        Some((print, known))
    }

    /// The same of a compressed body as it is sent, with its codings; `None` where it is not compressed.
    fn packed(&mut self, head: &Head<'_>, body: &[u8], values: usize) -> Option<(u128, bool)> {
        let codings = content::codings(head).ok().filter(|codings| !codings.is_empty())?;
        self.expect(values);
        // No body that is not compressed has that number.
        let sort = codings.iter().fold(1, |sort: u64, coding| sort << 3 | (*coding as u64 + 1));
        let print = self.hasher.hash(sort, body);
        Some((print, self.prints.contains(print)))
    }

    /// Forgets what was clean when something else was searched for.
    fn expect(&mut self, values: usize) {
        if self.values != values {
            self.values = values;
            self.prints.clear();
        }
    }

    /// The body's fingerprint, and whether nothing was found in the same body when the same was searched for. `None` for one that is
    /// not worth looking up.
    fn print(&mut self, body: &[u8], values: usize) -> Option<(u128, bool)> {
        if body.len() < WORTH_KNOWING || !self.worth.look() {
            return None;
        }
        self.expect(values);
        let print = self.hasher.hash(0, body);
        let known = self.prints.contains(print);
        self.worth.note(known);
        Some((print, known))
    }

    fn note(&mut self, print: u128) {
        self.prints.keep(print, PRINTS);
    }
}

/// Where the audit found what should not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Findings {
    /// How many.
    pub count: u64,
    /// The first thousand.
    pub places: Vec<Finding>,
}

/// One thing that should not be there; without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Number of the exchange, from 0 in the order in which they were checked.
    pub exchange: u64,
    /// `request` or `response`.
    pub side: &'static str,
    /// `head`, `body` or `trailers`.
    pub part: &'static str,
    /// `original` (a value found sensitive elsewhere), `not-issued` (a sensitive span without a pseudonym) or `unreadable`.
    pub what: &'static str,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.count == 1 { "finding" } else { "findings" };
        write!(f, "masking is not proven: {} {noun}", self.count)?;
        for finding in self.places.iter().take(5) {
            let Finding { exchange, side, part, what } = finding;
            write!(f, "; exchange {exchange}, {side} {part}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl Auditor {
    pub(crate) fn new(known: Known, issued: Issued) -> Auditor {
        Auditor {
            known,
            issued,
            limits: Limits::default(),
            exchange: 0,
            findings: Findings::default(),
            clean: Clean::default(),
            parts: 0,
        }
    }

    /// Opens bodies as far as that.
    pub(crate) fn with_limits(self, limits: Limits) -> Auditor {
        Auditor { limits, ..self }
    }

    /// Looks at one exchange.
    pub fn check(&mut self, exchange: &Exchange) {
        for (side, message) in [(Side::Request, &exchange.request), (Side::Response, &exchange.response)] {
            if let Some(message) = message {
                self.message(side, message, exchange);
            }
        }
        self.exchange += 1;
    }

    /// Whether nothing was found.
    ///
    /// # Errors
    /// What was found, by place. The recording must not be sealed; the command exits 12.
    pub fn finish(self) -> Result<(), Findings> {
        if self.findings.count == 0 { Ok(()) } else { Err(self.findings) }
    }

    fn message(&mut self, side: Side, message: &Message, exchange: &Exchange) {
        let spans = exchange.sensitive.iter().filter(|s| s.side == side);
        match self.clean.whole(side, message, spans, self.searched_for()) {
            Some((_, true)) => {}
            Some((print, false)) => {
                let before = self.findings.count;
                self.message_anew(side, message, exchange);
                if self.findings.count == before {
                    self.clean.note(print);
                }
            }
            None => self.message_anew(side, message, exchange),
        }
    }

    /// Stands for what is looked for: how many values, and in what.
    fn searched_for(&self) -> usize {
        self.known.len() << 1 | usize::from(self.issued.has_inlaid())
    }

    fn message_anew(&mut self, side: Side, message: &Message, exchange: &Exchange) {
        self.search(side, "head", &message.head);
        self.search(side, "trailers", &message.trailers);
        // Without a body it does not matter what else is in the head.
        let head = if message.body.is_empty() && Head::begins(&message.head) {
            None
        } else {
            Some(Head::parse(&message.head))
        };
        let values = self.searched_for();
        let spans = || exchange.sensitive.iter().filter(|s| s.side == side);
        // A compressed body that was clean before need not be opened, unless pseudonyms are to be looked at in it.
        let packed = match &head {
            Some(Ok(head)) if !spans().any(|s| s.in_body) => self.clean.packed(head, &message.body, values),
            _ => None,
        };
        let opened = match head {
            None => Ok(Cow::Borrowed(&b""[..])),
            Some(Ok(_)) if packed.is_some_and(|(_, clean)| clean) => Ok(Cow::Borrowed(&b""[..])),
            Some(Ok(head)) => content::decode_content(&head, &message.body, &self.limits),
            Some(Err(error)) => Err(error),
        };
        if opened.is_err() {
            self.report(side, "body", "unreadable");
        }
        let body: &[u8] = opened.as_deref().unwrap_or(&message.body);
        let before = self.findings.count;
        match self.clean.print(body, values) {
            Some((_, true)) => {}
            Some((print, false)) => {
                self.search(side, "body", body);
                if self.findings.count == before {
                    self.clean.note(print);
                }
            }
            None => self.search(side, "body", body),
        }
        if let Some((print, false)) = packed
            && opened.is_ok()
            && self.findings.count == before
        {
            self.clean.note(print);
        }
        for span in spans() {
            let (part, bytes) = if span.in_body { ("body", body) } else { ("head", &*message.head) };
            let start = span.start as usize;
            let issued =
                bytes.get(start..start.saturating_add(span.len as usize)).is_some_and(|b| self.issued.has(b));
            if !issued {
                self.report(side, part, "not-issued");
            }
        }
    }

    /// Searches bytes, and what they mean.
    fn search(&mut self, side: Side, part: &'static str, bytes: &[u8]) {
        if bytes.is_empty() || self.known.is_empty() {
            return;
        }
        let runs = self.looks_into_runs();
        let mut met = false;
        let runs = if runs { Runs::All(&mut met) } else { Runs::None };
        let found = shown(&self.known, bytes, &self.limits, runs, true);
        if met {
            self.issued.note_inlaid();
        }
        for _ in 0..found {
            self.report(side, part, "original");
        }
    }

    /// Whether the runs of base64 and hex in the part at hand are to be opened: of all parts, once who masks, or this, has met any that
    /// is of a text. Most traffic has none, and to look for them takes as long as all else: there only some parts are looked at.
    fn looks_into_runs(&mut self) -> bool {
        const FIRST: u64 = 256;
        const SOME: u64 = 32;
        self.parts += 1;
        self.issued.has_inlaid() || self.parts <= FIRST || self.parts.is_multiple_of(SOME)
    }

    fn report(&mut self, side: Side, part: &'static str, what: &'static str) {
        self.findings.count += 1;
        if self.findings.places.len() < LISTED {
            let side = match side {
                Side::Request => "request",
                Side::Response => "response",
            };
            self.findings.places.push(Finding { exchange: self.exchange, side, part, what });
        }
    }
}

/// In which base64 and hex it is looked; each says whether there was a text in any.
pub(crate) enum Runs<'m> {
    None,
    /// In that which shows when escapes are undone.
    InEscapes(&'m mut bool),
    All(&'m mut bool),
}

/// How often learnt values show when escapes are undone, and within base64 and hex; and as they are where that is `written`, or where
/// escapes are undone, as the same bytes may be part of a longer value there. The audit asks this of all that was written, and who masks
/// of what is about to be: better to withhold one part than to have the audit refuse a whole recording.
pub(crate) fn shown(known: &Known, bytes: &[u8], limits: &Limits, runs: Runs<'_>, written: bool) -> u64 {
    if known.is_empty() {
        return 0;
    }
    let views = if has_escapes(bytes) { views(known, bytes) } else { Vec::new() };
    let seen = |found: u64, view: &Decoded| found.max(known.count(&view.bytes, view.spaces));
    let mut found = views.iter().fold(0, seen);
    if written || views.iter().any(|view| !view.spaces) {
        found = found.max(known.count(bytes, false));
    }
    let (met, whole) = match runs {
        Runs::None => return found,
        Runs::InEscapes(met) => (met, None),
        Runs::All(met) => (met, Some(bytes)),
    };
    for text in views.iter().map(|view| &*view.bytes).chain(whole) {
        found = found.max(inlaid::count(known, text, limits, met));
    }
    found
}

#[cfg(test)]
mod tests {
    use mynah_message::{Coding, encode_content};
    use mynah_traffic::SensitiveSpan;

    use super::*;
    use crate::kind::Kind;
    use crate::learned::Learning;

    #[test]
    fn runs_are_opened_in_all_parts_when_there_was_one() {
        let mut auditor = Auditor::new(Known::default(), Issued::default());
        let looked = |auditor: &mut Auditor| (0..3200).filter(|_| auditor.looks_into_runs()).count();
        assert_eq!((looked(&mut auditor), looked(&mut auditor)), (256 + 92, 100));
        auditor.issued.note_inlaid();
        assert_eq!(looked(&mut auditor), 3200);
        // The first one that is met will do.
        let mut learning = Learning::default();
        learning.note(Kind::Token, b"k3J9xQ2mLp0Z");
        let mut auditor = Auditor::new(learning.finish(), Issued::default());
        auditor.search(Side::Request, "body", b"at eyJhIjoiYiBjIGQgZSBmIn0= or so");
        assert!(auditor.findings.count == 0 && auditor.issued.has_inlaid());
    }

    #[test]
    fn a_clean_body_is_searched_again_when_more_is_known() {
        for codings in [&[][..], &[Coding::Gzip]] {
            let text = format!("{{\"note\":\"{} k3J9xQ2mLp0Z\"}}", "x".repeat(WORTH_KNOWING));
            let body = encode_content(codings, text.as_bytes()).unwrap();
            let coding = if codings.is_empty() { "" } else { "Content-Encoding: gzip\r\n" };
            let head = format!("HTTP/1.1 200 OK\r\n{coding}Content-Length: {}\r\n\r\n", body.len());
            let message = Message { head: head.into(), body: body.into(), ..Message::default() };
            let mut exchange = Exchange { response: Some(message), ..Exchange::default() };
            let known = Known::default();
            let mut auditor = Auditor::new(known.clone(), Issued::default());
            let mut learning = Learning::beside(known);
            learning.note(Kind::Token, b"m3J9xQ2mLp0Z");
            learning.settle();
            for _ in 0..2 {
                auditor.check(&exchange);
                assert_eq!(auditor.findings.count, 0);
            }
            // One is of the whole message, and of a compressed body there is a second, of what was sent.
            assert_eq!(auditor.clean.prints.len(), 2 + codings.len());
            learning.note(Kind::Token, b"k3J9xQ2mLp0Z");
            learning.settle();
            for found in 1..3 {
                auditor.check(&exchange);
                assert_eq!(auditor.findings.count, found);
            }
            // A span is looked at in what the body means, whether that is known to be clean or not.
            let spans = [(9, 3), (0, 4)].map(|(start, len)| SensitiveSpan {
                side: Side::Response,
                in_body: true,
                start,
                len,
                kind: "token".into(),
            });
            auditor.issued.note(b"xxx");
            exchange.sensitive = spans.into();
            auditor.check(&exchange);
            assert_eq!(auditor.findings.count, 4);
        }
    }
}
