//! What the audit would see in a head that was masked, and nobody could rewrite: base64 that goes over several segments of a path, or
//! behind escapes. As little as can be of the head becomes illegible, so that the rest can be written.

use std::ops::Range;

use mynah_message::Head;

use super::changes::HeadPlan;
use super::inlaid::Inlaid;
use super::{Scanner, Why};
use crate::kind::Kind;

impl Scanner<'_> {
    /// Adds to what is to be done in a head that all becomes illegible in which learnt values would show.
    pub(crate) fn blot(&mut self, head: &Head<'_>, plan: &mut HeadPlan) {
        // What is in one that is kept is not looked at again.
        self.memo.lines.clear();
        let start = head.target_span().unwrap_or_else(|| head.start_line());
        let values =
            std::iter::once((start, "path")).chain(head.field_spans().map(|(_, value)| (value, "header")));
        for (value, holder) in values {
            self.blot_value(head.raw(), value, plan, holder);
        }
    }

    fn blot_value(&mut self, raw: &[u8], value: Range<usize>, plan: &mut HeadPlan, holder: &'static str) {
        let hides = |scanner: &Self, plan: &HeadPlan| {
            plan.done(raw, &value).is_none_or(|done| scanner.piece_hides(&done))
        };
        let Some(text) = raw.get(value.clone()).filter(|text| !text.is_empty() && hides(self, plan)) else {
            return;
        };
        let limits = self.policy.limits;
        let runs: Vec<_> = Inlaid::of(text, &limits).flatten().map(|(range, _)| range).collect();
        for run in runs {
            let range = value.start + run.start..value.start + run.end;
            // Where something was replaced in it already it may show no more.
            if plan.done(raw, &range).is_none_or(|done| self.piece_hides(&done)) {
                self.illegible(raw, range, plan, holder);
            }
        }
        if hides(self, plan) {
            self.illegible(raw, value.clone(), plan, holder);
        }
    }

    fn illegible(&mut self, raw: &[u8], range: Range<usize>, plan: &mut HeadPlan, holder: &'static str) {
        let Some(bytes) = raw.get(range.clone()).and_then(|text| self.sink.blot(text)) else { return };
        self.blotted = true;
        self.met += 1;
        plan.replace(range, &bytes, Kind::Random, Why::Known, holder);
    }
}
