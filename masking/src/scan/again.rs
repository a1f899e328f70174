//! A body that is no JSON, taken apart before: only the leaves that held something are looked at again.

use std::ops::Range;

use mynah_message::{BodyKind, Encoding, Leaf};

use super::document::touches;
use super::layer::Layer;
use super::leaf::place;
use super::part::{Planned, planned};
use super::settle::settle;
use super::{Context, Scanner, shift};
use crate::learned::Match;
use crate::plan::{Step, What};

/// Takes note of where to look again, while a body is taken apart.
pub(super) struct Notes {
    /// `None` when that cannot be said.
    steps: Option<Vec<Step>>,
    met: u64,
}

/// A leaf that was looked at.
pub(super) struct Noted<'n> {
    pub(super) span: &'n Range<usize>,
    pub(super) raw: &'n [u8],
    /// What that means.
    pub(super) value: &'n [u8],
    pub(super) encoding: Encoding,
    pub(super) place: &'static str,
}

impl Notes {
    /// For bodies of which plans are made.
    pub(super) fn new(wanted: bool) -> Notes {
        Notes { steps: wanted.then(Vec::new), met: 0 }
    }

    /// Before a piece is looked at.
    pub(super) fn begin(&mut self, scanner: &mut Scanner<'_>) {
        self.met = scanner.met;
        scanner.within = false;
    }

    /// A leaf was looked at.
    pub(super) fn leaf(&mut self, scanner: &Scanner<'_>, bytes: &[u8], leaf: &Leaf<'_>, context: Context) {
        // Such a leaf has its bytes in common with another one: which of them has its way is not for us to say.
        if leaf.composite {
            self.steps = None;
        }
        let Some(raw) = bytes.get(leaf.span.clone()) else { return };
        let Leaf { span, value, encoding, .. } = leaf;
        let noted = Noted { span, raw, value, encoding: *encoding, place: place(&leaf.locator) };
        self.value(scanner, &noted, context);
    }

    /// The same of what is known of one.
    pub(super) fn value(&mut self, scanner: &Scanner<'_>, noted: &Noted<'_>, context: Context) {
        let Some(steps) = &mut self.steps else { return };
        let held = scanner.met != self.met || scanner.within;
        let &Noted { span, raw, value, encoding, place } = noted;
        let escaped = *raw != *value;
        if !held && !escaped {
            return;
        }
        let what = What::Value { encoding, cards: context.cards, place };
        // It must be possible to read it again without what stands around it.
        let step = encoding
            .decode(raw)
            .filter(|there| **there == *value)
            .and_then(|_| Step::new(span, what, context.rule, !held));
        match step {
            Some(step) => steps.push(step),
            None => self.steps = None,
        }
    }

    /// What lies between two leaves was looked at.
    pub(super) fn gap(&mut self, scanner: &Scanner<'_>, gap: &Range<usize>) {
        if scanner.met == self.met && !scanner.within {
            return;
        }
        match (&mut self.steps, Step::new(gap, What::Between, None, false)) {
            (Some(steps), Some(step)) => steps.push(step),
            (steps, _) => *steps = None,
        }
    }

    pub(super) fn finish(self) -> Option<Vec<Step>> {
        self.steps
    }
}

impl Scanner<'_> {
    /// What is to be done in the leaves of a body. `None` when what has been learnt since stands where nothing was.
    pub(super) fn follow_leaves(
        &mut self,
        body: &[u8],
        matches: &[Match],
        steps: &[Step],
    ) -> Option<Vec<Planned>> {
        let mut spans: Vec<_> = steps.iter().map(Step::span).collect();
        spans.sort_unstable_by_key(|span| span.start);
        spans.dedup_by(|next, last| {
            let joins = next.start <= last.end;
            last.end = if joins { last.end.max(next.end) } else { last.end };
            joins
        });
        let noted = |at: usize| {
            let first = spans.partition_point(|span| span.end <= at);
            spans.get(first).is_some_and(|span| span.start <= at)
        };
        if !matches.iter().all(|m| noted(m.range.start)) {
            return None;
        }
        let mut plan = Vec::new();
        for step in steps {
            let span = step.span();
            let What::Value { encoding, cards, place } = step.what else { continue };
            let raw = body.get(span.clone())?;
            let touched = touches(matches, &span);
            if step.only_escaped && !touched && !self.sink.may_hide(raw, encoding) {
                continue;
            }
            let value = encoding.decode(raw)?;
            let searched = !touched && *raw == *value;
            let context = Context { cards, searched, ..Context::new(step.rule) };
            let lifted = match encoding {
                Encoding::JsonNumber | Encoding::ScriptNumber => {
                    Layer::new(raw, &value, encoding).lift(self.number(&value, context))
                }
                _ => self.written(raw, &value, encoding, context),
            };
            plan.extend(planned(shift(lifted, span.start), place));
        }
        let mut plan = settle(plan);
        for step in steps.iter().filter(|step| step.what == What::Between) {
            let span = step.span();
            let context = Context { searched: !touches(matches, &span), between: true, ..Context::new(None) };
            let patches = self.free(body.get(span.clone())?, context);
            plan.extend(planned(shift(patches, span.start), "between"));
        }
        Some(settle(plan))
    }
}

/// Tells bodies apart by what they are read as; `None` where that takes more than the kind.
pub(super) fn sort(kind: &BodyKind) -> Option<u64> {
    Some(match kind {
        BodyKind::Json => 0,
        BodyKind::Form => 1,
        BodyKind::Html => 2,
        BodyKind::Xml => 3,
        BodyKind::Script => 4,
        BodyKind::Text => 5,
        BodyKind::Multipart { .. } | BodyKind::Binary => return None,
    })
}
