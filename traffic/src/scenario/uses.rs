//! Profiles of other files: `[[use]] file = "other.toml" weight = 20`, and `use = "other.toml#profile"` in a profile.
//!
//! With its profiles comes what they stand on: correlations, `[vary]`, `[data]`, endpoints, log-ins. Equal things of one name are one
//! thing; unequal ones are an error. `[load]`, `[[threshold]]` and `[rewrite]` of another file are its own affair.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::variables::Overrides;
use super::{Profile, Scenario};
use crate::{Error, nearest};

/// Files that use one another to this depth.
const DEEPEST: usize = 16;

/// Another scenario whose profiles are played, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// Relative to the scenario file.
    pub file: String,
    /// What its profiles weigh together here; as they do there when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Only these of its profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
}

/// What is known while files are read.
pub(super) struct Reading<'o> {
    pub(super) overrides: &'o Overrides,
    /// Files that are being read, each used by the one before it.
    pub(super) open: Vec<PathBuf>,
    /// Names of all variables.
    pub(super) declared: BTreeSet<String>,
}

/// What both have and is not the same.
fn merge<T: Clone + PartialEq>(
    own: &mut Vec<T>,
    other: &[T],
    what: &str,
    file: &str,
    name: impl Fn(&T) -> &str,
) -> Result<(), String> {
    for one in other {
        match own.iter().find(|known| name(known) == name(one)) {
            None => own.push(one.clone()),
            Some(known) if known == one => {}
            Some(_) => {
                return Err(format!(
                    "{what} '{}' is here and in {file}, and they differ: give one of them another name",
                    name(one)
                ));
            }
        }
    }
    Ok(())
}

impl Scenario {
    /// Reads the files that it names and takes in what it uses of them.
    pub(super) fn take_in(&mut self, path: &Path, reading: &mut Reading<'_>) -> Result<(), Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let wrong = |message: String| Error::Config { path: path.to_path_buf(), place: None, message };
        for number in 0..self.profiles.len() {
            let Some(from) = self.profiles[number].uses.take() else { continue };
            let profile = self.profiles[number].name.clone();
            let wrong = |message: String| wrong(format!("profile '{profile}': {message}"));
            let (file, name) = from.rsplit_once('#').ok_or_else(|| {
                wrong(format!("use = '{from}': expected FILE#PROFILE, such as 'other.toml#buyer'"))
            })?;
            let other = open(folder, file, path, reading)?;
            let found = other.profiles.iter().find(|one| one.name == name).cloned();
            let found = found.ok_or_else(|| wrong(unknown(&other, file, name)))?;
            self.take_common(&other, file).map_err(wrong)?;
            dress(&mut self.profiles[number], found);
        }
        for using in std::mem::take(&mut self.uses) {
            let other = open(folder, &using.file, path, reading)?;
            for name in &using.profiles {
                if other.profiles.iter().all(|one| one.name != *name) {
                    return Err(wrong(unknown(&other, &using.file, name)));
                }
            }
            let mut taken: Vec<Profile> = other.profiles.clone();
            taken.retain(|one| using.profiles.is_empty() || using.profiles.contains(&one.name));
            let all: f64 = taken.iter().map(|one| one.weight).sum();
            for mut profile in taken {
                if let Some(weight) = using.weight {
                    if !(weight >= 0.0 && weight.is_finite()) {
                        return Err(wrong(format!(
                            "[[use]] {}: weight {weight} must be zero or more",
                            using.file
                        )));
                    }
                    profile.weight = if all > 0.0 { profile.weight * weight / all } else { 0.0 };
                }
                if self.profiles.iter().any(|known| known.name == profile.name) {
                    return Err(wrong(format!(
                        "two profiles are called '{0}': one here, one in {1}; take it under another name: [[profile]] name = … \
                         use = \"{1}#{0}\"",
                        profile.name, using.file
                    )));
                }
                self.profiles.push(profile);
            }
            self.take_common(&other, &using.file).map_err(wrong)?;
        }
        Ok(())
    }

    /// What its profiles stand on.
    fn take_common(&mut self, other: &Scenario, file: &str) -> Result<(), String> {
        merge(&mut self.correlations, &other.correlations, "correlation", file, |one| &one.name)?;
        merge(&mut self.vary, &other.vary, "[vary]", file, |one| &one.name)?;
        merge(&mut self.data, &other.data, "[data]", file, |one| &one.name)?;
        for entry in &other.endpoints {
            if self.endpoints.iter().all(|known| known.endpoint != entry.endpoint) {
                self.endpoints.push(entry.clone());
            }
        }
        match (&self.identities, &other.identities) {
            (None, Some(_)) => self.identities.clone_from(&other.identities),
            (Some(own), Some(theirs)) if own != theirs => {
                return Err(format!(
                    "[identities] is here and in {file}, and they differ: log-ins come from one file"
                ));
            }
            _ => {}
        }
        let hosts = other.recorded.iter().flat_map(|recorded| &recorded.hosts).chain(&other.hosts_of_used);
        for host in hosts {
            if !self.hosts_of_used.contains(host) {
                self.hosts_of_used.push(host.clone());
            }
        }
        Ok(())
    }
}

fn unknown(other: &Scenario, file: &str, name: &str) -> String {
    let names = || other.profiles.iter().map(|one| one.name.as_str());
    let hint = nearest(name, names()).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
    format!("{file} has no profile '{name}' (there are: {}){hint}", names().collect::<Vec<_>>().join(", "))
}

/// Gives a profile what it does in the other file; what it says itself stays.
fn dress(own: &mut Profile, found: Profile) {
    let Profile { behaviour, think_time, think_s, sessions, order, steps_per_session, wait, .. } = found;
    own.behaviour = own.behaviour.or(behaviour);
    own.think_time = own.think_time.or(think_time);
    own.think_s = own.think_s.or(think_s);
    own.sessions = own.sessions.or(sessions);
    own.order = own.order.or(order);
    own.steps_per_session = own.steps_per_session.or(steps_per_session);
    own.wait = own.wait.or(wait);
    own.sessions_from = own.sessions_from.take().or(found.sessions_from);
    own.tags.extend(found.tags);
    for (own, found) in [
        (&mut own.on_start, found.on_start),
        (&mut own.steps, found.steps),
        (&mut own.on_stop, found.on_stop),
    ] {
        if own.is_empty() {
            *own = found;
        }
    }
}

/// Another file as its user needs it: names of files relative to the user's folder, and with each profile what holds for all there.
fn open(folder: &Path, file: &str, user: &Path, reading: &mut Reading<'_>) -> Result<Scenario, Error> {
    let path = folder.join(file);
    let same = std::fs::canonicalize(&path).map_err(|error| Error::Config {
        path: user.to_path_buf(),
        place: None,
        message: format!("uses {}: {error}", path.display()),
    })?;
    if reading.open.contains(&same) || reading.open.len() >= DEEPEST {
        let mut way: Vec<String> = reading.open.iter().map(|path| path.display().to_string()).collect();
        way.push(same.display().to_string());
        return Err(Error::Config {
            path: user.to_path_buf(),
            place: None,
            message: format!("files use each other in a circle: {}", way.join(" -> ")),
        });
    }
    reading.open.push(same);
    let mut other = Scenario::read(&path, reading)?;
    reading.open.pop();
    let within = Path::new(file).parent().unwrap_or(Path::new(""));
    let rebase = |name: &mut String| *name = within.join(&*name).to_string_lossy().into_owned();
    let (behaviour, think_time) = (other.behaviour, other.load.think_time);
    for profile in &mut other.profiles {
        profile.behaviour = profile.behaviour.or(behaviour);
        profile.think_time = profile.think_time.or(think_time);
        profile.sessions_from.iter_mut().for_each(rebase);
    }
    other.data.iter_mut().for_each(|set| rebase(&mut set.file));
    other.identities.iter_mut().filter_map(|identities| identities.file.as_mut()).for_each(rebase);
    Ok(other)
}
