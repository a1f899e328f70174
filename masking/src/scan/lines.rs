//! The lines of a head: of which of them it is known what they hold, and what was found in the others.

use std::ops::Range;

use mynah_message::{Head, Side};

use super::Scanner;
use super::changes::HeadPlan;
use super::settle::crosses;
use super::value::SHORTEST;
use crate::learned::{Match, Seen};
use crate::memo::{Found, Hash, may_be_escaped};

/// The lines of a head: the start line, then each field line from the end of the line before to the end of its value. Those with
/// which there is nothing to do, as was found out before, are left out.
pub(super) struct Lines {
    side: u8,
    /// No learnt value has a line break in it.
    apart: bool,
    pub(super) each: Vec<Line>,
    /// Where the last line ends, be it left out or not.
    pub(super) end: usize,
}

/// One of them.
pub(crate) struct Line {
    pub(super) span: Range<usize>,
    /// Which field it is; `None` for the start line.
    pub(super) field: Option<usize>,
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
        number: u32,
        /// The search for all that is known now has no more to say about the line.
        searched: bool,
        /// Something is to be done in it.
        changes: bool,
    },
}

impl Known {
    pub(super) fn is(self) -> bool {
        !matches!(self, Known::Not)
    }

    /// Whether there is nothing to do with the line; with one that holds nothing, where nothing is searched for.
    fn is_settled(self, learns: bool) -> bool {
        match self {
            Known::Not => false,
            Known::Clean => learns,
            Known::Kept { searched, changes, .. } => searched && !changes,
        }
    }

    pub(super) fn is_searched(self) -> bool {
        matches!(self, Known::Kept { searched: true, .. })
    }
}

impl Scanner<'_> {
    /// The lines of a head, and of which of them it is known what they hold.
    pub(super) fn lines(&mut self, head: &Head<'_>) -> Lines {
        let side = u8::from(head.side() == Side::Response);
        // Where a value may reach over the end of a line, or a rule counts lines, a line does not say what is in it.
        let apart = !self.sink.may_cross_lines() && self.policy.is_steady();
        let (plain, learns) = (self.policy.is_plain(), self.sink.learns());
        let raw = head.raw();
        let breaks = |at: usize| matches!(raw.get(at), None | Some(b'\r' | b'\n'));
        let mut each = std::mem::take(&mut self.memo.line_room);
        each.clear();
        let mut fields = head.field_spans();
        // The start line has no name.
        let mut next = Some((0..0, head.start_line()));
        let (mut number, mut last) = (0_usize, None);
        let (mut end, mut begins) = (0, true);
        while let Some((name, value)) = next {
            let span = end..value.end;
            end = span.end;
            let ends = breaks(end);
            let whole = apart && begins && ends;
            begins = ends;
            let field = number.checked_sub(1);
            let (known, hash) = match raw.get(span.clone()).filter(|_| whole) {
                Some(text) => {
                    let named = (field.is_some() && plain).then_some((&name, &value));
                    self.line(head, text, &span, named, &mut last, side)
                }
                None => (Known::Not, None),
            };
            if hash.is_some() || !known.is_settled(learns) {
                each.push(Line { span, field, known, whole, hash, soiled: false, nested: false });
            }
            number += 1;
            next = fields.next();
        }
        Lines { side, apart, each, end }
    }

    /// What a line is known to hold, and what stands for it in the table of lines where it is not in there. `field` is where name
    /// and value are, in a field line which these may tell something of; `last` is where the line before stands in the table.
    fn line(
        &mut self,
        head: &Head<'_>,
        text: &[u8],
        line: &Range<usize>,
        field: Option<(&Range<usize>, &Range<usize>)>,
        last: &mut Option<u32>,
        side: u8,
    ) -> (Known, Option<Hash>) {
        if let Some(found) = self.memo.lines.expected(side, text, last) {
            return self.kept(found, side, text);
        }
        let clean = match field {
            Some((name, value)) => self.clean_field(head.raw(), line, name, value),
            None => (self.policy.is_plain() && self.is_clean_target(head, line)).then_some(false),
        };
        // Probably another one in each head, and not worth looking for.
        if clean == Some(false) {
            return (Known::Clean, None);
        }
        let hash = match self.memo.lines.find(side, text, last) {
            Found::Unknown(hash) => hash,
            found => return self.kept(found, side, text),
        };
        // While learning, what was seen once is looked at once more. Of what may have escapes nothing is noted.
        let noted = || {
            let may_be = !self.sink.learns() && !may_be_escaped(text);
            may_be && self.memo.plans.is_clean(self.memo.plans.line(side, text))
        };
        (if clean.is_some() || noted() { Known::Clean } else { Known::Not }, hash)
    }

    /// What the table of lines says of a line that is in there. One that was looked at when less was known is what it was as long as
    /// nothing shows in it that was learnt since.
    fn kept(&mut self, found: Found, side: u8, text: &[u8]) -> (Known, Option<Hash>) {
        match found {
            Found::Known { number, searched, changes } => (Known::Kept { number, searched, changes }, None),
            Found::Old { number, known, changes }
                if !self.sink.shows_later(text, &self.policy.limits, known) =>
            {
                self.memo.lines.renew(number);
                (Known::Kept { number, searched: true, changes }, None)
            }
            Found::Old { .. } => (Known::Not, Some(self.memo.lines.hash(side, text))),
            Found::Unknown(hash) => (Known::Not, hash),
        }
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
            let Some(text) = head.get(range.clone()).filter(|text| text.len() >= SHORTEST) else { return };
            found.extend(scanner.sink.matches(text).into_iter().map(|m| m.behind(range.start)));
        };
        // From where on nothing was searched, and where the line before ends.
        let (mut from, mut end) = (0, 0);
        for line in &self.each {
            if line.span.start > end {
                search(from..end);
                from = line.span.start;
            }
            end = line.span.end;
            if line.known.is_searched() {
                search(from..line.span.start);
                from = end;
            }
        }
        if self.end > end {
            search(from..end);
            from = self.end;
        }
        search(from..head.len());
        found
    }

    /// Notes what was found in the lines that were not soiled, or where no more is to be done than that plan says: `matches` is what was
    /// learnt that stands elsewhere. Gives the lines' room back.
    pub(super) fn remember(self, scanner: &mut Scanner<'_>, head: &[u8], plan: &HeadPlan, matches: &[Match]) {
        let learns = scanner.sink.learns();
        let seen = Seen::of(matches);
        let fresh = |l: &&Line| l.whole && !l.known.is_searched();
        for line in self.each.iter().filter(fresh) {
            let Some(text) = head.get(line.span.clone()) else { continue };
            if let Known::Kept { number, .. } = line.known {
                if !line.soiled {
                    scanner.memo.lines.renew(number);
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
            let here = || plan.within(span);
            let shows = || seen.meeting(span).next().is_some();
            let stays = || here().next().is_none();
            // Nothing was found in it; or what is learnt from it has been; or what was found stays.
            let nothing = learns || !line.soiled || scanner.sink.leaves_most() && stays() && !shows();
            // What lies between leaves may begin in the line before; and the search must have no more to say.
            let open = || {
                here().any(|(change, _)| change.holder == "between" || crosses(&change.range, span))
                    || shows()
                    || stays()
            };
            if nothing {
                scanner.memo.lines.put(hash, self.side, text, line.nested || line.soiled, std::iter::empty());
            } else if !open() {
                let changes = here().map(|(change, put)| (change, put, span.start));
                scanner.memo.lines.put(hash, self.side, text, line.nested, changes);
            }
        }
        scanner.memo.line_room = self.each;
    }
}
