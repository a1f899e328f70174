//! What a hand-written step asks of its answers, and what it takes from them.

use mynah_message::View;
use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Answered, Check, ExtractList, Finder, InlineStep};

/// A value that is taken.
#[derive(Debug)]
pub(crate) struct Taking {
    /// Its number among the correlations.
    pub(crate) number: u32,
    name: String,
    from: Finder,
    optional: bool,
}

/// See above.
#[derive(Debug)]
pub(crate) struct Asks {
    pub(crate) checks: Vec<Check>,
    pub(crate) takes: Vec<Taking>,
    /// A check says which status is right.
    pub(crate) of_status: bool,
    /// The response must be kept: its head, its body.
    pub(crate) head: bool,
    pub(crate) body: bool,
}

impl Asks {
    /// Of a step; `number` gives a value's.
    pub(crate) fn of(step: &InlineStep, number: impl Fn(&str) -> Option<u32>) -> Option<Box<Asks>> {
        let ExtractList(extracts) = &step.extract;
        if step.check.is_empty() && extracts.is_empty() {
            return None;
        }
        let takes: Vec<Taking> = extracts
            .iter()
            .filter_map(|one| {
                let (name, from) = (one.name.clone(), one.from.clone());
                Some(Taking { number: number(&one.name)?, name, from, optional: one.optional })
            })
            .collect();
        Some(Box::new(Asks {
            of_status: step.check.iter().any(Check::is_of_status),
            head: !takes.is_empty() || step.check.iter().any(Check::needs_view),
            body: takes.iter().any(|one| one.from.reads_body()) || step.check.iter().any(Check::reads_body),
            checks: step.check.clone(),
            takes,
        }))
    }

    /// The first check that does not hold, in words; `all` hears of each.
    pub(crate) fn judge(
        &self,
        (status, took): (u16, u64),
        view: Option<&View<'_>>,
        mut all: impl FnMut(&Check, bool),
    ) -> Option<String> {
        let mut first = None;
        for check in &self.checks {
            let judged = check.judge(Answered { status, took: Nanos(took), view });
            all(check, judged.is_ok());
            first = first.or(judged.err());
        }
        first
    }

    /// Hands out what is there; in words, what is not and should be.
    pub(crate) fn take(
        &self,
        view: Option<&View<'_>>,
        mut out: impl FnMut(u32, Vec<String>),
    ) -> Option<String> {
        let mut missing = None;
        for one in &self.takes {
            let found = view.map(|view| one.from.find(view)).unwrap_or_default();
            if !found.is_empty() {
                out(one.number, found);
            } else if !one.optional && missing.is_none() {
                missing = Some(format!("extract {}: there is nothing at {}", one.name, one.from));
            }
        }
        missing
    }
}
