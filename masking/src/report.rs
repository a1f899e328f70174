//! What was found and done, in counts: never with a value in it.

use std::collections::BTreeMap;

use serde::Serialize;

/// The masking report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Exchanges that went through.
    pub exchanges: u64,
    /// Values hard enough to guess to be replaced wherever they occur.
    pub learned: u64,
    /// Spans replaced, by what was found: `password`, `card`, …
    pub masked: BTreeMap<String, u64>,
    /// Spans replaced, by what held the value: `header`, `json`, …; `anywhere` when only its being known gave it away, `between`
    /// when it stood outside of every value.
    pub by_place: BTreeMap<String, u64>,
    /// Parts withheld because they could not be masked, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Messages that are signed over what may have been changed, by scheme: their signatures are pseudonyms and hold no more.
    pub signed: BTreeMap<String, u64>,
    /// The policy, SHA-256 in hex.
    pub policy_hash: String,
    /// The key, by name, in hex.
    pub key_id: String,
}

impl Report {
    pub(crate) fn count(&mut self, kind: &'static str, place: &'static str) {
        add(&mut self.masked, kind);
        add(&mut self.by_place, place);
    }

    pub(crate) fn sign(&mut self, scheme: &'static str) {
        add(&mut self.signed, scheme);
    }

    pub(crate) fn quarantine(&mut self, reason: &'static str) {
        add(&mut self.quarantined, reason);
    }

    /// What was counted after `before` was.
    pub(crate) fn since(&self, before: &Report) -> Report {
        let less = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            now.iter()
                .map(|(name, count)| {
                    (name.clone(), count - before.get(name).copied().unwrap_or(0).min(*count))
                })
                .filter(|(_, count)| *count > 0)
                .collect()
        };
        Report {
            exchanges: self.exchanges.saturating_sub(before.exchanges),
            masked: less(&self.masked, &before.masked),
            by_place: less(&self.by_place, &before.by_place),
            quarantined: less(&self.quarantined, &before.quarantined),
            signed: less(&self.signed, &before.signed),
            ..self.clone()
        }
    }

    /// Parts withheld, of all reasons.
    pub fn quarantined_total(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// Spans replaced, of all kinds.
    pub fn masked_total(&self) -> u64 {
        self.masked.values().sum()
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        counts.insert(name.to_owned(), 1);
    }
}
