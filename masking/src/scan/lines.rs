//! The lines of a head: of which of them it is known what they hold, and what was found in the others.

use std::cell::Cell;
use std::ops::Range;

use mynah_message::{Side, View};

use super::Scanner;
use super::part::{Planned, crosses, sees_to};
use crate::learned::Match;
use crate::memo::{Known, LineInfo, may_be_escaped};

impl Scanner<'_> {
    /// The field lines of a head, and of which of them it is known what they hold.
    pub(super) fn lines(&self, view: &View<'_>) -> Lines {
        let side = u8::from(view.side() == Side::Response);
        // Where a value may reach over the end of a line, or a rule counts lines, a line does not say what is in it.
        let apart = !self.sink.may_cross_lines() && self.policy.is_steady();
        let head = &*view.message().head;
        let breaks = |at: usize| matches!(head.get(at), None | Some(b'\r' | b'\n'));
        let mut start = 0;
        let each = view
            .head()
            .field_ends()
            .map(|end| {
                let span = start..end;
                start = end;
                let whole = apart && (span.start == 0 || breaks(span.start)) && breaks(span.end);
                let text = head.get(span.clone()).filter(|_| whole);
                let mut known = text.and_then(|text| self.memo.line(side, text));
                let mut print = None;
                if let (Some(text), None) = (text, &known) {
                    let fresh = self.memo.plans.line(side, text);
                    known = self.memo.clean_line(fresh);
                    print = Some(fresh);
                }
                Line { span, whole, known, print, soiled: Cell::new(false), nested: Cell::new(false) }
            })
            .collect();
        Lines { side, apart, each }
    }
}

/// The lines of a head, each from the end of the one before to the end of its value; the first one begins with the start
/// line, which differs from request to request.
#[derive(Default)]
pub(super) struct Lines {
    side: u8,
    /// No learnt value has a line break in it.
    apart: bool,
    each: Vec<Line>,
}

struct Line {
    span: Range<usize>,
    /// A line break stands before and behind it, and no value reaches over one.
    whole: bool,
    /// What it is known to hold.
    known: Option<Known>,
    /// Stands for it where it is not known by itself.
    print: Option<u128>,
    /// Something was found in it now.
    soiled: Cell<bool>,
    /// There is something in it that was decoded.
    nested: Cell<bool>,
}

impl Lines {
    fn line(&self, at: usize) -> Option<&Line> {
        self.each.get(self.each.partition_point(|l| l.span.end < at))
    }

    /// Whether it is known what the line at that offset holds.
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.line(at).is_some_and(|l| l.known.is_some())
    }

    /// What is to be done in the lines of which that is known.
    pub(super) fn planned(&self) -> Vec<Planned> {
        let mut plan = Vec::new();
        for Line { span, known, .. } in &self.each {
            if let Some(Known { info: LineInfo::Planned(there), .. }) = known {
                plan.extend(there.iter().map(|planned| planned.clone().moved(|at| at + span.start)));
            }
        }
        plan
    }

    /// The same of a range, which may begin in the line before: behind the pairs of a `Set-Cookie`, say.
    pub(super) fn is_known_within(&self, range: &Range<usize>) -> bool {
        self.line(range.end).is_some_and(|l| l.known.is_some() && l.span.start <= range.start)
    }

    /// The lines of which it is known what they hold.
    pub(super) fn known(&self) -> impl Iterator<Item = Range<usize>> {
        self.each.iter().filter(|l| l.known.is_some()).map(|l| l.span.clone())
    }

    pub(super) fn soil(&self, at: usize) {
        if let Some(line) = self.line(at) {
            line.soiled.set(true);
        }
    }

    pub(super) fn nest(&self, at: usize) {
        if let Some(line) = self.line(at) {
            line.nested.set(true);
        }
    }

    pub(super) fn soil_all(&self, range: &Range<usize>) {
        let first = self.each.partition_point(|l| l.span.end < range.start);
        for line in self.each.iter().skip(first).take_while(|l| l.span.start <= range.end) {
            line.soiled.set(true);
        }
    }

    /// Where learnt values are written, but for lines that were searched before.
    pub(super) fn search(&self, scanner: &Scanner<'_>, head: &[u8]) -> Vec<Match> {
        if !self.apart {
            return scanner.sink.matches(head);
        }
        let mut found = Vec::new();
        let mut search = |range: Range<usize>| {
            let text = head.get(range.clone()).unwrap_or_default();
            found.extend(scanner.sink.matches(text).into_iter().map(|m| m.behind(range.start)));
        };
        let mut from = 0;
        for line in &self.each {
            if line.known.as_ref().is_some_and(|known| known.searched) {
                search(from..line.span.start);
                from = line.span.end;
            }
        }
        search(from..head.len());
        found
    }

    /// Notes what was found in the lines: `plan` is all that is to be done, but for what was learnt.
    pub(super) fn remember(
        &self,
        scanner: &mut Scanner<'_>,
        head: &[u8],
        plan: &[Planned],
        matches: &[Match],
    ) {
        let learns = scanner.sink.learns();
        let fresh = |l: &Line| l.whole && l.known.as_ref().is_none_or(|known| !known.searched);
        for (number, line) in self.each.iter().enumerate().filter(|(_, line)| fresh(line)) {
            let Some(text) = head.get(line.span.clone()) else { continue };
            if let Some(print) = line.print.filter(|_| learns && line.known.is_none())
                && !(line.soiled.get() || line.nested.get())
                && !parted(text, number == 0).into_iter().any(may_be_escaped)
            {
                scanner.memo.plans.note_clean(print);
            }
            // The start line is in the first one, which hardly ever comes again.
            if number == 0 || !scanner.memo.comes_again(self.side, text) {
                continue;
            }
            let span = &line.span;
            let info = if learns || !line.soiled.get() {
                LineInfo::Clean
            } else {
                let inside = |range: &Range<usize>| range.start < span.end && range.end > span.start;
                let here = || plan.iter().filter(|p| inside(&p.range));
                // What lies between leaves may begin in the line before; and the search must have no more to say.
                if here().any(|p| p.place == "between" || crosses(&p.range, span))
                    || matches.iter().any(|m| inside(&m.range) && !sees_to(plan, &m.range))
                    || here().next().is_none()
                {
                    continue;
                }
                LineInfo::Planned(here().map(|p| p.clone().moved(|at| at - span.start)).collect())
            };
            scanner.memo.note_line(self.side, text, info);
        }
    }
}

/// A line by itself; the first one parted from the start line before it.
fn parted(text: &[u8], first: bool) -> [&[u8]; 2] {
    match memchr::memchr(b'\n', text).filter(|_| first).and_then(|at| text.split_at_checked(at)) {
        Some((start, line)) => [start, line],
        None => [text, b""],
    }
}
