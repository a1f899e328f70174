//! What was found, counted as it happens: in an array, of which the tables of a [`Report`] are made when somebody asks for them.

use crate::kind::Kind;
use crate::message::Place;
use crate::policy::Policy;
use crate::report::Report;
use crate::scan::Why;

/// What reports tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sort {
    pub(crate) kind: Kind,
    /// Who found it.
    pub(crate) why: Why,
    /// What held it.
    pub(crate) holder: &'static str,
}

impl Sort {
    pub(crate) fn of(place: &Place) -> Sort {
        Sort { kind: place.kind, why: place.why, holder: place.holder }
    }
}

/// How many of each sort there were, the frequent ones first.
#[derive(Clone, Default)]
pub(crate) struct Tally(Vec<(Sort, u64)>);

impl Tally {
    pub(crate) fn count(&mut self, sort: Sort) {
        let Some(at) = self.0.iter().position(|(there, _)| *there == sort) else {
            self.0.push((sort, 1));
            return;
        };
        if let Some((_, count)) = self.0.get_mut(at) {
            *count += 1;
        }
        let before = at.saturating_sub(1);
        if let [(_, first), (_, second), ..] = self.0.get(before..).unwrap_or_default()
            && first < second
        {
            self.0.swap(before, at);
        }
    }

    /// The report with these counts added.
    pub(crate) fn added_to(&self, mut report: Report, policy: &Policy) -> Report {
        for (sort, spans) in &self.0 {
            report.count(policy, *sort, *spans);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_in_whichever_order() {
        let mut tally = Tally::default();
        let sorts: Vec<Sort> = [(Kind::Token, "header"), (Kind::Token, "cookie"), (Kind::Email, "cookie")]
            .map(|(kind, holder)| Sort { kind, why: Why::Name, holder })
            .into();
        for n in [0, 1, 2, 2, 1, 2, 2, 0, 2] {
            tally.count(sorts[n]);
        }
        assert_eq!(tally.0.first(), Some(&(sorts[2], 5)));
        let report = tally.added_to(Report::default(), &Policy::built_in());
        assert_eq!((report.masked["token"], report.masked["email"]), (4, 5));
        assert_eq!((report.by_place["cookie"], report.by_place["header"]), (7, 2));
        assert_eq!((report.by_rule["name email"], report.by_detector.len()), (5, 0));
    }
}
