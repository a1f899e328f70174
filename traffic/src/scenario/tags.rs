//! Choosing steps and profiles: by their tags, and by whether they change anything.

use std::collections::BTreeSet;

use super::{InlineStep, Scenario};
use crate::{Error, nearest};

/// What is played of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Only what has one of these; everything when empty.
    pub only: Vec<String>,
    /// Nothing that has one of these.
    pub without: Vec<String>,
    /// Only requests that are to change nothing at the server; see [`is_safe`].
    pub read_only: bool,
}

/// Whether a request with this method is to change nothing at the server
/// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110) §9.2.1).
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

impl Chosen {
    /// Whether everything is played.
    pub fn is_everything(&self) -> bool {
        self.only.is_empty() && self.without.is_empty() && !self.read_only
    }

    fn skips(&self, tags: &[String]) -> bool {
        tags.iter().any(|tag| self.without.contains(tag))
    }

    fn sends(&self, step: &InlineStep) -> bool {
        !self.read_only || step.parts().is_ok_and(|(_, _, method, _)| is_safe(method))
    }

    fn takes(&self, tags: &[String]) -> bool {
        self.only.is_empty() || tags.iter().any(|tag| self.only.contains(tag))
    }
}

impl Scenario {
    /// Every tag of its profiles and steps, in order.
    pub fn tags(&self) -> BTreeSet<&str> {
        let steps = self.profiles.iter().flat_map(super::Profile::all_steps).flat_map(|step| &step.tags);
        self.profiles.iter().flat_map(|profile| &profile.tags).chain(steps).map(String::as_str).collect()
    }

    /// Takes everything out that is not chosen. A step has its own tags and its profile's. What users do at their beginning and
    /// end stays with the profile, unless one of its tags is to be left out.
    ///
    /// # Errors
    /// When there is no such tag, or nothing is left.
    pub fn choose(&mut self, chosen: &Chosen) -> Result<(), Error> {
        if chosen.is_everything() {
            return Ok(());
        }
        let known = self.tags();
        for tag in chosen.only.iter().chain(&chosen.without) {
            if !known.contains(tag.as_str()) {
                let all = known.iter().copied().collect::<Vec<_>>().join(", ");
                let all = if all.is_empty() {
                    "the scenario has none".to_owned()
                } else {
                    format!("there are: {all}")
                };
                let hint = nearest(tag, known.iter().copied())
                    .map(|meant| format!("; did you mean '{meant}'?"))
                    .unwrap_or_default();
                return Err(Error::syntax(
                    "tag",
                    tag,
                    format!("no profile and no step has it ({all}){hint}"),
                ));
            }
        }
        self.profiles.retain_mut(|profile| {
            if chosen.skips(&profile.tags) {
                return false;
            }
            let whole = chosen.takes(&profile.tags);
            let own = |step: &InlineStep| !chosen.skips(&step.tags) && chosen.sends(step);
            profile.on_start.retain(own);
            profile.on_stop.retain(own);
            profile.steps.retain(|step| own(step) && (whole || chosen.takes(&step.tags)));
            if profile.sessions_from.is_some() { whole } else { !profile.steps.is_empty() }
        });
        if self.profiles.is_empty() {
            if chosen.read_only {
                return Err(Error::syntax("scenario", &self.name, "nothing is left to play that only reads"));
            }
            return Err(Error::syntax(
                "tag",
                chosen.only.iter().chain(&chosen.without).cloned().collect::<Vec<_>>().join(", "),
                "nothing is left to play",
            ));
        }
        Ok(())
    }
}
