//! Rows that hand-written users send, and which profiles share them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use mynah_traffic::scenario::{InlineStep, Profile, RowOrder, Rows, Scenario, Source};

use crate::Error;

/// A data set, read.
#[derive(Debug)]
pub(crate) struct DataPlan {
    pub(crate) name: String,
    pub(crate) rows: Rows,
    pub(crate) pick: RowOrder,
}

/// Sets and columns that a step sends.
fn used(step: &InlineStep) -> Result<Vec<(String, String)>, Error> {
    let step = step.to_step(0, "localhost", None)?;
    let sources = step.injections.iter().flat_map(|injection| injection.source.singles());
    let of_data = |source: &Source| match source {
        Source::Data { set, column } => Some((set.clone(), column.clone())),
        _ => None,
    };
    Ok(sources.filter_map(of_data).collect())
}

/// Reads every set, with the columns that are sent of it.
pub(super) fn read(scenario: &Scenario, folder: &Path) -> Result<Vec<DataPlan>, Error> {
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    for step in scenario.profiles.iter().flat_map(Profile::all_steps) {
        wanted.extend(used(step)?);
    }
    let read = |set: &mynah_traffic::scenario::DataSet| {
        let columns: Vec<&str> =
            wanted.iter().filter(|(name, _)| *name == set.name).map(|(_, column)| column.as_str()).collect();
        let rows = Rows::read(&folder.join(&set.file), &columns)?;
        Ok(DataPlan { name: set.name.clone(), rows, pick: set.pick })
    };
    scenario.data.iter().map(read).collect()
}

/// By profile: the sets that it uses, and whether a user keeps its row: it has begun with it.
pub(super) fn by_profile(scenario: &Scenario, sets: &[DataPlan]) -> Result<Vec<Vec<(u32, bool)>>, Error> {
    let number = |name: &str| sets.iter().position(|set| set.name == name).map(|at| at as u32);
    let mut all = Vec::with_capacity(scenario.profiles.len());
    for profile in &scenario.profiles {
        let mut own: Vec<(u32, bool)> = Vec::new();
        let first = profile.on_start.iter().map(|step| (step, true));
        let rest = profile.steps.iter().chain(&profile.on_stop).map(|step| (step, false));
        for (step, keeps) in first.chain(rest) {
            for (set, _) in used(step)? {
                let Some(number) = number(&set) else { continue };
                if own.iter().all(|(known, _)| *known != number) {
                    own.push((number, keeps));
                }
            }
        }
        all.push(own);
    }
    Ok(all)
}

/// Profiles that share a set, directly or by another, have the same number: their sessions are counted together, so that rows
/// go round among them.
pub(super) fn groups(data: &[Vec<(u32, bool)>]) -> Arc<[u32]> {
    let mut groups: Vec<u32> = (0..data.len() as u32).collect();
    for (at, sets) in data.iter().enumerate() {
        for before in 0..at {
            let shares = sets.iter().any(|(set, _)| data[before].iter().any(|(known, _)| known == set));
            if shares {
                let (from, to) = (groups[at], groups[before]);
                for group in &mut groups {
                    if *group == from {
                        *group = to;
                    }
                }
            }
        }
    }
    groups.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_set_is_counted_together() {
        let data =
            [vec![(0, false)], vec![(1, false)], vec![], vec![(0, true), (2, false)], vec![(2, false)]];
        assert_eq!(groups(&data)[..], [0, 1, 2, 0, 0]);
    }
}
