//! A head, line by line: most lines are known, or evidently hold nothing; the values of the others are looked at, and what
//! lies between them.

use std::ops::Range;

use mynah_message::view::{HeadPlace, HeadValue};
use mynah_message::{Head, Side, digest};

use super::changes::HeadPlan;
use super::document::touches;
use super::layer::Layer;
use super::leaf::pattern_name;
use super::lines::{Known, Line};
use super::part::planned;
use super::value::SHORTEST;
use super::{Context, Scanner, Unreadable, inlaid, signature};
use crate::kind::Kind;
use crate::learned::Match;
use crate::names::{Names, Rule};

/// What is found in a head, as far as it was read.
struct Reading<'h> {
    raw: &'h [u8],
    side: Side,
    matches: Vec<Match>,
    plan: HeadPlan,
    /// Where what was not looked at yet begins.
    at: usize,
    /// Ranges between values in which something was found.
    soiled: Vec<Range<usize>>,
}

impl Scanner<'_> {
    /// What is to be done in a head where no rule of the user's is about a place, in order and without overlaps.
    pub(super) fn steady_head(&mut self, head: &Head<'_>) -> Result<HeadPlan, Unreadable> {
        let mut lines = self.lines(head);
        // One search for all that was learnt; values in which it saw nothing need not be searched again.
        let matches = lines.search(self, head.raw());
        let mut reading = Reading {
            raw: head.raw(),
            side: head.side(),
            matches,
            // It is empty.
            plan: std::mem::take(&mut self.memo.head_room),
            at: 0,
            soiled: Vec::new(),
        };
        // In those that were searched before nothing shows any more.
        let raw = head.raw();
        let fresh = |line: &Line| !line.known.is_searched();
        let holds = |line: &Line| raw.get(line.span.clone()).is_none_or(inlaid::may_hold);
        self.runs |= !self.sink.learns() && lines.each.iter().any(|line| fresh(line) && holds(line));
        let mut end = 0;
        for line in &mut lines.each {
            // Between these two there are lines with which there is nothing to do.
            if line.span.start > end {
                self.gap(&mut reading, end);
                reading.at = line.span.start;
            }
            end = line.span.end;
            if line.known.is() {
                self.gap(&mut reading, line.span.start);
                reading.at = end;
                if let Known::Kept { number, changes: true, .. } = line.known {
                    let (text, changes) = self.memo.lines.changes(number);
                    reading.plan.add_line(text, changes, line.span.start);
                }
                continue;
            }
            let field = line.field;
            let mut visit = |value: HeadValue<'_>| self.head_value(&mut reading, line, &value);
            match field {
                Some(field) => head.field_values(field, &mut visit),
                None => head.target_values(&mut visit),
            }
        }
        if lines.end > end {
            self.gap(&mut reading, end);
            reading.at = lines.end;
        }
        self.gap(&mut reading, head.raw().len());
        self.within_limits()?;
        let Reading { raw, mut matches, mut plan, soiled, .. } = reading;
        plan.settle();
        for range in soiled.iter().chain(plan.ranges()).chain(matches.iter().map(|m| &m.range)) {
            lines.soil(range);
        }
        let rests = plan.settle_with(self, raw, &mut matches);
        if !rests.is_empty() {
            plan.extend(planned(rests, "anywhere"));
            plan.settle();
        }
        lines.remember(self, raw, &plan, &matches);
        // What was learnt, wherever it stands.
        if !matches.is_empty() {
            plan.extend(planned(self.sink.sweep(self.policy, raw, matches, false), "anywhere"));
            plan.settle();
        }
        Ok(plan)
    }

    /// Looks at a value, and at what lies before it.
    fn head_value(&mut self, reading: &mut Reading<'_>, line: &mut Line, value: &HeadValue<'_>) {
        // The pieces of a composite come by themselves.
        if value.composite {
            return;
        }
        let HeadValue { place, value, span, encoding, .. } = value;
        self.gap(reading, span.start);
        reading.at = reading.at.max(span.end);
        let Some(raw) = reading.raw.get(span.clone()) else { return };
        let searched = *raw == **value && !touches(&reading.matches, span);
        let (rule, in_path) = self.head_rule(place, value, reading.side);
        let unnamed = matches!(rule, Some(Rule::Without(_)) | None);
        if searched && unnamed && value.len() < SHORTEST && self.policy.is_plain() {
            return;
        }
        let context = Context { searched, cards: !in_path, ..Context::new(rule) };
        let met = self.met;
        self.within = false;
        if !value.is_empty() {
            let lifted = self.written(raw, value, *encoding, context);
            // Of a head the one value goes, not all of the message.
            let lifted = match self.over.take() {
                Some(_) => Layer::new(raw, value, *encoding).lift(self.whole(Kind::Random, value)),
                None => lifted,
            };
            reading.plan.add(lifted, span.start, holder(place));
        }
        if self.met > met {
            reading.soiled.push(span.clone());
        }
        line.nested |= self.within || !searched;
    }

    /// Looks at what lies between the last value and the next, which begins at `end`.
    #[inline]
    fn gap(&mut self, reading: &mut Reading<'_>, end: usize) {
        // No address and no learnt value is shorter.
        if reading.at + SHORTEST <= end {
            self.long_gap(reading, end);
        }
    }

    fn long_gap(&mut self, reading: &mut Reading<'_>, end: usize) {
        let gap = reading.at..end;
        let Some(text) = reading.raw.get(gap.clone()) else { return };
        let searched = !touches(&reading.matches, &gap);
        if searched && self.policy.is_plain() && self.is_quiet_gap(text) {
            return;
        }
        let context = Context { searched, between: true, ..Context::new(None) };
        let met = self.met;
        self.within = false;
        let patches = self.free(text, context);
        if self.met > met || self.within {
            reading.soiled.push(gap.clone());
        }
        reading.plan.add(patches, gap.start, "between");
    }

    /// What a value's place says, and whether that is a path.
    pub(super) fn head_rule(
        &mut self,
        place: &HeadPlace<'_>,
        value: &[u8],
        side: Side,
    ) -> (Option<Rule>, bool) {
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut named = |name: &str| memo.name(names, name.as_bytes()).rule;
        // Resource ids stand in paths.
        let id = self.policy.strict.then_some(Rule::Id);
        match place {
            HeadPlace::Cookie(name) => (Names::cookie(named(name), name, value), false),
            HeadPlace::Header(name) => (header_rule(name, side).or_else(|| named(name)), false),
            HeadPlace::Query(name) => (named(name), false),
            HeadPlace::PathSegment(_) => (id, true),
            HeadPlace::Location(pattern) => match pattern_name(pattern) {
                Some(name) => (named(name), false),
                None => (id.filter(|_| !pattern.contains('?')), true),
            },
        }
    }
}

/// What is said of a header by more than what its name means.
pub(super) fn header_rule(name: &str, side: Side) -> Option<Rule> {
    let misplaced = match side {
        Side::Response => "cookie",
        Side::Request => "set-cookie",
    };
    if name.eq_ignore_ascii_case(misplaced) {
        // On the wrong side these are not taken apart, so all of them goes.
        Some(Rule::Mask(Kind::Cookie))
    } else if digest::is_digest(name) {
        // They say what a body is, and follow it when it changes.
        Some(Rule::Keep)
    } else {
        signature::is_field(name.as_bytes()).then_some(Rule::Signatures)
    }
}

fn holder(place: &HeadPlace<'_>) -> &'static str {
    match place {
        HeadPlace::Header(_) => "header",
        HeadPlace::Cookie(_) => "cookie",
        HeadPlace::Query(_) => "query",
        HeadPlace::PathSegment(_) => "path",
        HeadPlace::Location(_) => "location",
    }
}
