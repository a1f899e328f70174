//! Reading the `.toml` file.

use std::fmt::Write as _;
use std::path::Path;

use super::{LoadShape, Scenario, VERSION};
use crate::threshold::Threshold;
use crate::{Error, nearest};

/// Turns serde's "unknown field `a`, expected one of `b`, `c`" into one that names the key that was meant.
fn explain_unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let mut text = format!("unknown key '{key}'");
    match nearest(key, known.iter().copied()) {
        Some(meant) => {
            let _ = write!(text, "; did you mean '{meant}'?");
        }
        None if known.is_empty() => {}
        None => {
            let _ = write!(text, "; known here: {}", known.join(", "));
        }
    }
    Some(text)
}

/// Line and column, from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

impl Scenario {
    /// Reads a scenario from text; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column: what is no TOML, an unknown key (with the nearest known one), a value
    /// that cannot be, a reference to something that is not there.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Scenario, Error> {
        let path = path.as_ref();
        let scenario: Scenario = toml::from_str(text).map_err(|error| {
            let message = error.message();
            Error::Config {
                path: path.to_path_buf(),
                place: error.span().map(|span| place(text, span.start)),
                message: explain_unknown_key(message).unwrap_or_else(|| message.to_owned()),
            }
        })?;
        scenario.check().map_err(|message| Error::Config {
            path: path.to_path_buf(),
            place: None,
            message,
        })?;
        Ok(scenario)
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// As [`Scenario::parse`], or when the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Scenario, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let text = String::from_utf8(bytes).map_err(|error| Error::NotA {
            path: path.to_path_buf(),
            wanted: "scenario",
            found: format!("it is not text: byte {} is not UTF-8", error.utf8_error().valid_up_to()),
        })?;
        Scenario::parse(&text, path)
    }

    fn check(&self) -> Result<(), String> {
        if self.version == 0 || self.version > VERSION {
            return Err(format!(
                "version {} is not one that this mynah reads (up to {VERSION})",
                self.version
            ));
        }
        if self.profiles.is_empty() {
            return Err("there is no [[profile]]: nobody to play".to_owned());
        }
        for (number, profile) in self.profiles.iter().enumerate() {
            let name = &profile.name;
            if !(profile.weight >= 0.0 && profile.weight.is_finite()) {
                return Err(format!("profile '{name}': weight {} must be zero or more", profile.weight));
            }
            if self.profiles[..number].iter().any(|other| other.name == *name) {
                return Err(format!("two profiles are called '{name}'"));
            }
            match (&profile.sessions_from, profile.steps.is_empty()) {
                (None, true) => {
                    return Err(format!("profile '{name}' has neither [[profile.step]] nor sessions_from"));
                }
                (Some(_), false) => {
                    return Err(format!(
                        "profile '{name}' has both [[profile.step]] and sessions_from; choose one"
                    ));
                }
                _ => {}
            }
            for step in &profile.steps {
                step.to_step(0, "localhost", None).map_err(|error| format!("profile '{name}': {error}"))?;
            }
        }
        if self.profiles.iter().map(|profile| profile.weight).sum::<f64>() <= 0.0 {
            return Err("all profiles have weight 0: nobody to play".to_owned());
        }
        for (number, correlation) in self.correlations.iter().enumerate() {
            if self.correlations[..number].iter().any(|other| other.name == correlation.name) {
                return Err(format!("two correlations are called '{}'", correlation.name));
            }
        }
        for threshold in &self.thresholds {
            threshold.expr.parse::<Threshold>().map_err(|error| error.to_string())?;
        }
        if let Some(duration) = &self.load.duration {
            crate::units::parse_duration(duration).map_err(|error| format!("[load] for: {error}"))?;
        }
        if self.load.rate.is_some() && self.load.users.is_some() {
            return Err("[load] has both rate (open model) and users (closed model); choose one".to_owned());
        }
        self.check_curve()?;
        if self.load.spawn_rate.is_some() && self.load.users.is_none() {
            return Err("[load] has spawn_rate without users; give users, or take it away".to_owned());
        }
        for (number, vary) in self.vary.iter().enumerate() {
            if self.vary[..number].iter().any(|other| other.name == vary.name) {
                return Err(format!("two [[vary]] are called '{}'", vary.name));
            }
        }
        self.check_names()
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
    fn check_names(&self) -> Result<(), String> {
        use super::Source;
        let vary = || self.vary.iter().map(|vary| vary.name.as_str());
        let correlations = || self.correlations.iter().map(|correlation| correlation.name.as_str());
        for profile in &self.profiles {
            for step in &profile.steps {
                let step = step.to_step(0, "localhost", None).map_err(|error| error.to_string())?;
                for injection in &step.injections {
                    if let Source::Vary { name } = &injection.source
                        && !vary().any(|known| known == name)
                    {
                        let hint = nearest(name, vary())
                            .map(|meant| format!("; did you mean '${{vary.{meant}}}'?"))
                            .unwrap_or_default();
                        return Err(format!("profile '{}': there is no [vary.{name}]{hint}", profile.name));
                    }
                    let Source::Correlation { name, .. } = &injection.source else { continue };
                    if !correlations().any(|known| known == name) {
                        let hint = nearest(name, correlations())
                            .map(|meant| format!("; did you mean '${{{meant}}}'?"))
                            .unwrap_or_default();
                        return Err(format!(
                            "profile '{}': '${{{name}}}' is no correlation{hint}",
                            profile.name
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
