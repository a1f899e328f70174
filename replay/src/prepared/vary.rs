//! Where values are made anew: at the places that the scenario names, equal where recorded values were equal.

use mynah_message::{Limits, View};
use mynah_traffic::scenario::{Injection, Scenario, Source, Step};
use mynah_traffic::{Endpoint, Site};

/// The scenario's `[vary]` that are switched on, each with its places.
pub(super) struct Varied {
    all: Vec<(String, Vec<Site>)>,
}

/// By vary: values of the session in hand, in order.
pub(super) type Seen = Vec<Vec<String>>;

impl Varied {
    pub(super) fn of(scenario: &Scenario) -> Varied {
        let all: Vec<_> = scenario
            .vary
            .iter()
            .filter(|vary| vary.enabled)
            .map(|vary| (vary.name.clone(), vary.at.clone()))
            .collect();
        Varied { all }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(|(name, _)| name.clone())
    }

    pub(super) fn fresh(&self) -> Seen {
        vec![Vec::new(); self.all.len()]
    }

    /// Adds to a recorded step what is made anew in it. Gives the injections' places in the step with how many values of
    /// that name came after the one that is meant; a new value is not among them.
    pub(super) fn bind(&self, step: &mut Step, endpoint: &Endpoint, seen: &mut Seen) -> Vec<(usize, u32)> {
        let mut again = Vec::new();
        let goes_there = |sites: &[Site]| sites.iter().any(|site| site.endpoint == *endpoint);
        if !self.all.iter().any(|(_, at)| goes_there(at)) {
            return again;
        }
        let Ok(view) =
            View::open(&step.request, &Limits::default()).or_else(|_| View::open_head(&step.request))
        else {
            return again;
        };
        for ((name, at), seen) in self.all.iter().zip(seen) {
            for site in at.iter().filter(|site| site.endpoint == *endpoint) {
                for leaf in view.find(&site.at) {
                    if step.injections.iter().any(|known| known.at == leaf.locator) {
                        continue;
                    }
                    let value = String::from_utf8_lossy(&leaf.value);
                    match seen.iter().position(|known| *known == value) {
                        Some(known) => again.push((step.injections.len(), (seen.len() - 1 - known) as u32)),
                        None => seen.push(value.into_owned()),
                    }
                    step.injections.push(Injection {
                        at: leaf.locator.clone(),
                        source: Source::Vary { name: name.clone() },
                        format: None,
                        required: false,
                    });
                }
            }
        }
        again
    }
}
