//! What must hold of a scenario that has been read, before anything is done with it.

use std::collections::BTreeSet;

use super::pause::Order;
use super::{InlineStep, LoadShape, Profile, Scenario, Source, VERSION};
use crate::nearest;
use crate::threshold::Threshold;

/// What is wrong, in words; and a text of the file beside which it is.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) at: Option<String>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong { message, at: None }
    }
}

fn at(text: &str, message: String) -> Wrong {
    Wrong { message, at: Some(text.to_owned()) }
}

fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, show: impl Fn(&str) -> String) -> String {
    nearest(name, known).map(|meant| format!("; did you mean '{}'?", show(meant))).unwrap_or_default()
}

impl Scenario {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.version == 0 || self.version > VERSION {
            return Err(format!(
                "version {} is not one that this mynah reads (up to {VERSION})",
                self.version
            )
            .into());
        }
        if self.profiles.is_empty() {
            return Err("there is no [[profile]]: nobody to play".to_owned().into());
        }
        for (number, profile) in self.profiles.iter().enumerate() {
            let name = &profile.name;
            if self.profiles[..number].iter().any(|other| other.name == *name) {
                return Err(at(name, format!("two profiles are called '{name}'")));
            }
            check_profile(profile).map_err(|why| at(name, format!("profile '{name}'{why}")))?;
            for step in profile.all_steps() {
                let text = step.text();
                let beside = if text.is_empty() { name } else { text };
                let wrong = |why: String| at(beside, format!("profile '{name}': {why}"));
                step.check_protocol().map_err(|why| wrong(format!("step '{text}': {why}")))?;
                step.to_step(0, "localhost", None).map_err(|error| wrong(error.to_string()))?;
                check_step(profile, step).map_err(|why| wrong(format!("step '{text}': {why}")))?;
            }
        }
        if self.profiles.iter().map(|profile| profile.weight).sum::<f64>() <= 0.0
            && self.profiles.iter().all(|profile| profile.users.is_none())
        {
            return Err("all profiles have weight 0: nobody to play".to_owned().into());
        }
        for (number, correlation) in self.correlations.iter().enumerate() {
            if self.correlations[..number].iter().any(|other| other.name == correlation.name) {
                return Err(format!("two correlations are called '{}'", correlation.name).into());
            }
        }
        for threshold in &self.thresholds {
            let parsed = threshold.expr.parse::<Threshold>();
            parsed.map_err(|error| at(&threshold.expr, error.to_string()))?;
        }
        if let Some(duration) = &self.load.duration {
            crate::units::parse_duration(duration)
                .map_err(|error| at(duration, format!("[load] for: {error}")))?;
        }
        if self.load.rate.is_some() && self.load.users.is_some() {
            return Err("[load] has both rate (open model) and users (closed model); choose one"
                .to_owned()
                .into());
        }
        self.check_curve()?;
        if self.load.spawn_rate.is_some() && self.load.users.is_none() {
            return Err("[load] has spawn_rate without users; give users, or take it away".to_owned().into());
        }
        for (number, vary) in self.vary.iter().enumerate() {
            if self.vary[..number].iter().any(|other| other.name == vary.name) {
                return Err(format!("two [[vary]] are called '{}'", vary.name).into());
            }
        }
        for (number, set) in self.data.iter().enumerate() {
            if self.data[..number].iter().any(|other| other.name == set.name) {
                return Err(at(&set.file, format!("two [data] are called '{}'", set.name)));
            }
        }
        self.rewrite.fields().map_err(|error| Wrong::from(error.to_string()))?;
        self.profiles.iter().try_for_each(|profile| self.check_names(profile))
    }

    /// One thing says how much load there is, and one how long.
    fn check_curve(&self) -> Result<(), String> {
        let load = &self.load;
        let said = [
            ("rate", load.rate.is_some()),
            ("users", load.users.is_some()),
            ("stages", !load.stages.is_empty()),
            ("shape", load.shape.is_some()),
        ];
        let mut said = said.iter().filter(|(_, said)| *said).map(|(name, _)| *name);
        // `rate` is what the recorded shape is a multiple of.
        let together =
            load.shape == Some(LoadShape::Recorded) && load.users.is_none() && load.stages.is_empty();
        if let (Some(one), Some(other), false) = (said.next(), said.next(), together) {
            return Err(format!("[load] has both {one} and {other}; choose one"));
        }
        if load.duration.is_some() && !load.stages.is_empty() {
            return Err(
                "[load] has both for and stages, which say how long they are; take one away".to_owned()
            );
        }
        Ok(())
    }

    /// Every `${name}` of an inline step must be something that exists.
    fn check_names(&self, profile: &Profile) -> Result<(), Wrong> {
        let vary = || self.vary.iter().map(|vary| vary.name.as_str());
        let sets = || self.data.iter().map(|set| set.name.as_str());
        let correlations = || self.correlations.iter().map(|correlation| correlation.name.as_str());
        let extracted: BTreeSet<&str> =
            profile.all_steps().flat_map(|step| &step.extract.0).map(|one| one.name.as_str()).collect();
        for step in profile.all_steps() {
            let wrong = |why: String| at(step.text(), format!("profile '{}': {why}", profile.name));
            if let Some(one) = step.extract.0.iter().find(|one| correlations().any(|name| name == one.name)) {
                return Err(wrong(format!(
                    "step '{}' extracts '{1}', and there is a correlation '{1}'; give one of them another name",
                    step.text(),
                    one.name
                )));
            }
            let made = step.to_step(0, "localhost", None).map_err(|error| wrong(error.to_string()))?;
            for source in made.injections.iter().flat_map(|injection| injection.source.singles()) {
                match source {
                    Source::Vary { name } if vary().all(|known| known != name) => {
                        let hint = meant(name, vary(), |name| format!("${{vary.{name}}}"));
                        return Err(wrong(format!("there is no [vary.{name}]{hint}")));
                    }
                    Source::Data { set, .. } if sets().all(|known| known != set) => {
                        let hint = meant(set, sets(), |name| format!("data.{name}"));
                        return Err(wrong(format!("there is no [data.{set}]{hint}")));
                    }
                    // Flags can name a script, too.
                    Source::Correlation { name, .. } if name.starts_with("script.") => {}
                    Source::Correlation { name, .. }
                        if !extracted.contains(name.as_str())
                            && correlations().all(|known| known != name) =>
                    {
                        let known = correlations().chain(extracted.iter().copied());
                        let hint = meant(name, known, |name| format!("${{{name}}}"));
                        return Err(wrong(format!(
                            "'${{{name}}}' is no correlation, and no step of the profile extracts it{hint}"
                        )));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn check_profile(profile: &Profile) -> Result<(), String> {
    if !(profile.weight >= 0.0 && profile.weight.is_finite()) {
        return Err(format!(": weight {} must be zero or more", profile.weight));
    }
    match (&profile.sessions_from, profile.steps.is_empty()) {
        (None, true) => return Err(" has neither [[profile.step]] nor sessions_from".to_owned()),
        (Some(_), false) => {
            return Err(" has both [[profile.step]] and sessions_from; choose one".to_owned());
        }
        _ => {}
    }
    if profile.users == Some(0) {
        return Err(": users = 0 is nobody; take the profile out, or give it weight = 0".to_owned());
    }
    if profile.tags.iter().any(String::is_empty) {
        return Err(" has an empty tag".to_owned());
    }
    let weighted = profile.order == Some(Order::Weighted);
    if profile.steps_per_session.is_some() && !weighted {
        return Err(": steps_per_session goes with order = \"weighted\"".to_owned());
    }
    if profile.steps_per_session == Some(0) {
        return Err(": steps_per_session = 0 plays nothing; give at least 1".to_owned());
    }
    if weighted && profile.sessions_from.is_some() {
        return Err(": order = \"weighted\" is for steps written out; behaviour = \"markov\" walks along recorded ones".to_owned());
    }
    if weighted && profile.steps.iter().all(|step| step.weight == Some(0.0)) {
        return Err(": all steps have weight 0: none can be drawn".to_owned());
    }
    Ok(())
}

fn check_step(profile: &Profile, step: &InlineStep) -> Result<(), String> {
    if step.name.as_ref().is_some_and(|name| name.trim().is_empty() || name.contains(char::is_control)) {
        return Err("its name is empty, or has a control character in it".to_owned());
    }
    if step.tags.iter().any(String::is_empty) {
        return Err("has an empty tag".to_owned());
    }
    let Some(weight) = step.weight else { return Ok(()) };
    if profile.order != Some(Order::Weighted) {
        return Err(
            "has a weight, and the profile's steps come in sequence; say order = \"weighted\"".to_owned()
        );
    }
    if profile.on_start.iter().chain(&profile.on_stop).any(|one| std::ptr::eq(one, step)) {
        return Err("has a weight; what is done at the beginning and at the end is not drawn".to_owned());
    }
    if !(weight >= 0.0 && weight.is_finite()) {
        return Err(format!("weight {weight} must be zero or more"));
    }
    Ok(())
}
