//! The lines of a head: of which of them it is known what they hold, and what was found in the others.

use std::ops::Range;

use mynah_message::{Head, Side};

use super::Scanner;
use super::changes::HeadPlan;
use super::part::crosses;
use crate::learned::Match;
use crate::memo::{Found, Hash, may_be_escaped};

/// The lines of a head: the start line, then each field line from the end of the line before to the end of its value.
pub(super) struct Lines {
    side: u8,
    /// No learnt value has a line break in it.
    apart: bool,
    pub(super) each: Vec<Line>,
}

/// One of them.
pub(crate) struct Line {
    pub(super) span: Range<usize>,
    pub(super) known: Known,
    /// A line break stands before and behind it, and no value reaches over one.
    whole: bool,
    /// Stands for it in the table of lines, where it is not in there.
    hash: Option<Hash>,
    /// Something was found in it now.
    soiled: bool,
    /// There is something in it that was decoded.
    pub(super) nested: bool,
}

/// What a line is known to hold, be it by itself or because it was looked at before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// That must be found out.
    Not,
    /// Nothing.
    Clean,
    /// What the table of lines says.
    Kept {
        slot: u32,
        /// The search for all that is known now has no more to say about the line.
        searched: bool,
    },
}

impl Known {
    pub(super) fn is(self) -> bool {
        !matches!(self, Known::Not)
    }

    fn is_searched(self) -> bool {
        matches!(self, Known::Kept { searched: true, .. })
    }
}

impl Scanner<'_> {
    /// The lines of a head, and of which of them it is known what they hold.
    pub(super) fn lines(&mut self, head: &Head<'_>) -> Lines {
        let side = u8::from(head.side() == Side::Response);
        // Where a value may reach over the end of a line, or a rule counts lines, a line does not say what is in it.
        let apart = !self.sink.may_cross_lines() && self.policy.is_steady();
        let plain = self.policy.is_plain();
        let raw = head.raw();
        let breaks = |at: usize| matches!(raw.get(at), None | Some(b'\r' | b'\n'));
        let mut each = std::mem::take(&mut self.memo.line_room);
        each.clear();
        let mut last = None;
        let mut start = 0;
        let ends = std::iter::once((0..0, head.start_line())).chain(head.field_spans());
        for (number, (name, value)) in ends.enumerate() {
            let span = start..value.end;
            start = span.end;
            let whole = apart && (span.start == 0 || breaks(span.start)) && breaks(span.end);
            let (known, hash) = if whole {
                let field = (number > 0 && plain).then_some((&name, &value));
                self.line(raw, &span, field, &mut last, side)
            } else {
                (Known::Not, None)
            };
            each.push(Line { span, known, whole, hash, soiled: false, nested: false });
        }
        Lines { side, apart, each }
    }

    /// What a line is known to hold, and what stands for it in the table of lines where it is not in there. `field` is where name
    /// and value are, in a field line which these may tell something of; `last` is where the line before stands in the table.
    fn line(
        &mut self,
        head: &[u8],
        line: &Range<usize>,
        field: Option<(&Range<usize>, &Range<usize>)>,
        last: &mut Option<usize>,
        side: u8,
    ) -> (Known, Option<Hash>) {
        let Some(text) = head.get(line.clone()) else { return (Known::Not, None) };
        if let Some(Found::Known { slot, searched }) = self.memo.lines.expected(side, text, last) {
            return (Known::Kept { slot, searched }, None);
        }
        let clean = field.and_then(|(name, value)| self.clean_field(head, line, name, value));
        // Probably another one in each head, and not worth looking for.
        if clean == Some(false) {
            return (Known::Clean, None);
        }
        let hash = match self.memo.lines.find(side, text, last) {
            Found::Known { slot, searched } => {
                return (Known::Kept { slot, searched }, None);
            }
            Found::Unknown(hash) => hash,
        };
        // While learning, what was seen once is looked at once more.
        let noted = || !self.sink.learns() && self.memo.plans.is_clean(self.memo.plans.line(side, text));
        (if clean.is_some() || noted() { Known::Clean } else { Known::Not }, hash)
    }
}

impl Lines {
    /// Something was found in the lines that the range reaches into.
    pub(super) fn soil(&mut self, range: &Range<usize>) {
        let first = self.each.partition_point(|l| l.span.end <= range.start);
        for line in self.each.iter_mut().skip(first).take_while(|l| l.span.start < range.end) {
            line.soiled = true;
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
            if line.known.is_searched() {
                search(from..line.span.start);
                from = line.span.end;
            }
        }
        search(from..head.len());
        found
    }

    /// Notes what was found in the lines: `plan` is all that is to be done, but for what was learnt. Gives the lines' room back.
    pub(super) fn remember(
        mut self,
        scanner: &mut Scanner<'_>,
        head: &[u8],
        plan: &HeadPlan,
        matches: &[Match],
    ) {
        for range in matches.iter().map(|m| &m.range) {
            self.soil(range);
        }
        let learns = scanner.sink.learns();
        let fresh = |l: &&Line| l.whole && !l.known.is_searched();
        for line in self.each.iter().filter(fresh) {
            let Some(text) = head.get(line.span.clone()) else { continue };
            if let Known::Kept { slot, .. } = line.known {
                if !line.soiled {
                    scanner.memo.lines.renew(slot);
                }
                continue;
            }
            let holds_something = line.soiled || line.nested;
            if learns && !holds_something && !line.known.is() && !may_be_escaped(text) {
                let print = scanner.memo.plans.line(self.side, text);
                scanner.memo.plans.note_clean(print);
            }
            // What something was found in is worth keeping at once: it takes long to look at, and most often it is a session's.
            let again = |hash: &Hash| line.soiled || scanner.memo.lines.comes_again(*hash);
            let Some(hash) = line.hash.filter(again) else { continue };
            let span = &line.span;
            let inside = |range: &Range<usize>| range.start < span.end && range.end > span.start;
            let here = || plan.iter().filter(|(change, _)| inside(&change.range));
            // Nothing was found in it; or what is learnt from it has been.
            let nothing = learns || !line.soiled;
            // What lies between leaves may begin in the line before; and the search must have no more to say.
            let open = || {
                here().any(|(change, _)| change.holder == "between" || crosses(&change.range, span))
                    || matches.iter().any(|m| inside(&m.range) && !plan.sees_to(&m.range))
                    || here().next().is_none()
            };
            if nothing {
                scanner.memo.lines.put(hash, self.side, text, std::iter::empty());
            } else if !open() {
                let changes = here().map(|(change, put)| (change, put, span.start));
                scanner.memo.lines.put(hash, self.side, text, changes);
            }
        }
        scanner.memo.line_room = self.each;
    }
}
