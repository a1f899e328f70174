//! Reading the `.toml` file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::Scenario;
use super::uses::Reading;
use super::variables::{self, Overrides};
use super::verify::Wrong;
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

/// Where this stands for the first time.
fn near(text: &str, what: &str) -> Option<(usize, usize)> {
    text.find(what).map(|at| place(text, at))
}

/// Where this stands for the first time as a whole text.
fn quoted(text: &str, what: &str) -> Option<(usize, usize)> {
    near(text, &format!("\"{what}\"")).or_else(|| near(text, &format!("'{what}'")))
}

/// Line and column, from 1, of the first text of a scenario file that is this one: for errors that are found when it is compiled.
pub fn place_in(file: &Path, what: &str) -> Option<(usize, usize)> {
    quoted(&std::fs::read_to_string(file).ok()?, what)
}

impl Scenario {
    /// Reads a scenario from text; `path` is for messages, and what the files that it uses are relative to.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column: what is no TOML, an unknown key (with the nearest known one), a value
    /// that cannot be, a reference to something that is not there.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Scenario, Error> {
        let overrides = Overrides::default();
        let mut reading = Reading { overrides: &overrides, open: Vec::new(), declared: BTreeSet::new() };
        Scenario::parse_in(text, path.as_ref(), &mut reading)
    }

    fn parse_in(text: &str, path: &Path, reading: &mut Reading<'_>) -> Result<Scenario, Error> {
        let wrong = |place, message| Error::Config { path: path.to_path_buf(), place, message };
        let of_toml = |error: toml::de::Error| {
            let message = error.message();
            wrong(
                error.span().map(|span| place(text, span.start)),
                explain_unknown_key(message).unwrap_or_else(|| message.to_owned()),
            )
        };
        let mut scenario: Scenario = if text.contains("variables") || text.contains("${var.") {
            let mut table: toml::Table = text.parse().map_err(of_toml)?;
            let variables = variables::of(&table, reading.overrides).map_err(|why| wrong(None, why))?;
            let put_in = variables::put_in_all(&mut table, &variables);
            let put_in = put_in.map_err(|(why, at)| wrong(near(text, &at), why))?;
            reading.declared.extend(variables.into_keys());
            if put_in {
                // What is wrong with the text itself has its place; what is wrong with what was put in has not.
                table.try_into().map_err(|error| match toml::from_str::<Scenario>(text) {
                    Err(same) => of_toml(same),
                    Ok(_) => of_toml(error),
                })?
            } else {
                toml::from_str(text).map_err(of_toml)?
            }
        } else {
            toml::from_str(text).map_err(of_toml)?
        };
        scenario.take_in(path, reading)?;
        scenario.check().map_err(|Wrong { message, at }| {
            let place = at.and_then(|at| quoted(text, &at));
            wrong(place, message)
        })?;
        Ok(scenario)
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// As [`Scenario::parse`], or when the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Scenario, Error> {
        Scenario::load_with(path, &Overrides::default())
    }

    /// Reads a scenario file, with variables that are said elsewhere.
    ///
    /// # Errors
    /// As [`Scenario::load`], or when a flag names a variable that there is not.
    pub fn load_with(path: impl AsRef<Path>, overrides: &Overrides) -> Result<Scenario, Error> {
        let path = path.as_ref();
        let open = std::fs::canonicalize(path).into_iter().collect();
        let mut reading = Reading { overrides, open, declared: BTreeSet::new() };
        let scenario = Scenario::read(path, &mut reading)?;
        let known = || reading.declared.iter().map(String::as_str);
        for (name, _) in &overrides.flags {
            if !reading.declared.contains(name) {
                let hint = nearest(name, known()).map(|meant| format!("; did you mean '{meant}'?"));
                let all = known().collect::<Vec<_>>().join(", ");
                return Err(Error::Config {
                    path: path.to_path_buf(),
                    place: None,
                    message: format!(
                        "there is no variable '{name}' in [variables] ({}){}",
                        if all.is_empty() { "there is none".to_owned() } else { format!("there are: {all}") },
                        hint.unwrap_or_default()
                    ),
                });
            }
        }
        Ok(scenario)
    }

    pub(super) fn read(path: &Path, reading: &mut Reading<'_>) -> Result<Scenario, Error> {
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let text = String::from_utf8(bytes).map_err(|error| Error::NotA {
            path: path.to_path_buf(),
            wanted: "scenario",
            found: format!("it is not text: byte {} is not UTF-8", error.utf8_error().valid_up_to()),
        })?;
        Scenario::parse_in(&text, path, reading)
    }
}
