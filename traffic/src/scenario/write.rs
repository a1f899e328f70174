//! Writing the `.toml` file: made to be read, so each section has its comment, and what is short stands on one line.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::{Behaviour, Distances, Profile, Recorded, Scenario};
use crate::Error;
use crate::recording::partial_path;

/// A value on one line.
fn inline<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    fn write(value: &toml::Value, out: &mut String) {
        let toml::Value::Table(table) = value else {
            let _ = write!(out, "{value}");
            return;
        };
        out.push('{');
        for (number, (name, value)) in table.iter().enumerate() {
            let _ = write!(out, "{} {} = ", if number == 0 { "" } else { "," }, key(name));
            write(value, out);
        }
        out.push_str(" }");
    }
    let value = toml::Value::try_from(value)
        .map_err(|error| Error::Limit(format!("cannot write the scenario as TOML: {error}")))?;
    let mut out = String::new();
    write(&value, &mut out);
    Ok(out)
}

/// A key, in quotes where it must be.
fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if bare { name.to_owned() } else { basic(name) }
}

/// In quotes, on one line: keys cannot be anything else
/// ([TOML 1.0](https://toml.io/en/v1.0.0#string), basic strings).
fn basic(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Every key of a struct or table on a line of its own.
fn lines<T: Serialize>(out: &mut String, value: &T) -> Result<(), Error> {
    let table = toml::Table::try_from(value)
        .map_err(|error| Error::Limit(format!("cannot write the scenario as TOML: {error}")))?;
    for (name, value) in &table {
        let _ = writeln!(out, "{} = {}", key(name), inline(value)?);
    }
    Ok(())
}

/// What stands behind a line for the reader alone.
fn remark(text: Option<&str>) -> String {
    text.map(|text| format!("  # {}", text.replace(['\n', '\r'], " "))).unwrap_or_default()
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl Scenario {
    /// The file's text, with a comment over each section. What mynah found out and does not read again (evidence, counts of a
    /// profile, summaries of its think times) is written as comments.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        let mut out = String::from(
            "# A mynah scenario: who the users are, what they send, what must hold. Edit freely.\n",
        );
        let _ = writeln!(out, "version = {}\nname = {}", self.version, inline(&self.name)?);
        if let Some(script) = &self.script {
            let _ = writeln!(out, "script = {}", inline(script)?);
        }
        if let Some(behaviour) = self.behaviour {
            let what = match behaviour {
                Behaviour::Recorded => {
                    "whole sessions as recorded; \"markov\": walks along the recorded steps"
                }
                Behaviour::Markov => {
                    "walks along the recorded steps; \"recorded\": whole sessions as recorded"
                }
            };
            let _ = writeln!(out, "behaviour = \"{behaviour}\"  # {what}");
        }
        if !self.variables.is_empty() {
            out.push_str("\n# ${var.NAME} stands for these; --var NAME=VALUE replaces one.\n[variables]\n");
            lines(&mut out, &self.variables)?;
        }
        if let Some(recorded) = &self.recorded {
            self.write_recorded(&mut out, recorded)?;
        }
        self.write_load(&mut out)?;
        if !self.rewrite.is_empty() {
            out.push_str("\n# What becomes of every request on its way out.\n[rewrite]\n");
            lines(&mut out, &self.rewrite)?;
        }
        self.write_profiles(&mut out)?;
        for one in &self.uses {
            out.push_str("\n[[use]]\n");
            lines(&mut out, one)?;
        }
        for set in &self.data {
            let _ = writeln!(
                out,
                "\n[data.{}]\nfile = {}\npick = {}",
                key(&set.name),
                inline(&set.file)?,
                inline(&set.pick)?
            );
        }
        self.write_identities(&mut out)?;
        self.write_correlations(&mut out)?;
        self.write_vary(&mut out)?;
        if !self.endpoints.is_empty() {
            out.push_str("\n# What requests are counted by, with how many there were (0 for one of your own).\n[endpoints]\n");
            for entry in &self.endpoints {
                let name = basic(&entry.endpoint.to_string());
                let _ = writeln!(out, "{name} = {}", entry.requests.unwrap_or(0));
            }
        }
        Ok(out)
    }

    fn write_recorded(&self, out: &mut String, recorded: &Recorded) -> Result<(), Error> {
        out.push_str("\n# What it was learnt from. sessions_per_s is what --rate 1x means.\n[recorded]\n");
        lines(out, recorded)?;
        if let Some(fidelity) = &self.fidelity {
            out.push_str(
                "\n# How far from the recording it plays, by behaviour: 0 is the same, 1 nothing in common.\n[fidelity]\n",
            );
            let mut line = |name: &str, distances: &Option<Distances>| -> Result<(), Error> {
                if let Some(distances) = distances {
                    let _ = writeln!(out, "{name} = {}", inline(distances)?);
                }
                Ok(())
            };
            line("recorded", &fidelity.recorded)?;
            line("markov", &fidelity.markov)?;
        }
        Ok(())
    }

    fn write_load(&self, out: &mut String) -> Result<(), Error> {
        out.push_str(
            "\n# How it is driven when no flag says otherwise: rate = \"10x\" or \"200/s\" (sessions), or users and spawn_rate,\n# or stages = [\"30s:10/s\", \"1m:50/s\"], or shape = \"spike:10/s..200/s@30s+10s\"; arrivals = \"uniform\";\n# for = \"5m\"; think_time = \"recorded\", \"0\", \"2s\" or \"x0.5\".\n[load]\n",
        );
        lines(out, &self.load)?;
        out.push_str("\n# What must hold, or `mynah replay` exits 10.");
        if self.thresholds.is_empty() {
            out.push_str(" For example:\n# [[threshold]]\n# expr = \"p99 < 500ms\"\n");
        } else {
            out.push('\n');
        }
        for threshold in &self.thresholds {
            out.push_str("[[threshold]]\n");
            lines(out, threshold)?;
        }
        Ok(())
    }

    fn write_profiles(&self, out: &mut String) -> Result<(), Error> {
        out.push_str(
            "\n# Kinds of user. weight: share of the sessions, in percent as recorded. think_time and behaviour may be set for one, too.\n",
        );
        for (number, profile) in self.profiles.iter().enumerate() {
            if number > 0 && (!profile.steps.is_empty() || !self.profiles[number - 1].steps.is_empty()) {
                out.push('\n');
            }
            write_profile(out, profile)?;
        }
        Ok(())
    }

    fn write_identities(&self, out: &mut String) -> Result<(), Error> {
        let Some(identities) = &self.identities else { return Ok(()) };
        out.push_str(
            "\n# Log-ins: a CSV file with these columns, one row a user. Without one the recorded values are sent.\n[identities]\n",
        );
        match &identities.file {
            Some(file) => {
                let _ = writeln!(out, "file = {}", inline(file)?);
            }
            None => {
                let _ = writeln!(out, "# file = {}", basic(&self.identities_template()));
            }
        }
        for column in &identities.columns {
            let _ = writeln!(out, "column.{} = {}", key(&column.name), inline(&column.to)?);
        }
        Ok(())
    }

    fn write_correlations(&self, out: &mut String) -> Result<(), Error> {
        if !self.correlations.is_empty() {
            out.push_str(
                "\n# Values that responses hand out and later requests send back. enabled = false sends what was recorded.\n",
            );
        }
        for one in &self.correlations {
            let _ = writeln!(out, "[correlation.{}]{}", key(&one.name), remark(one.evidence.as_deref()));
            let _ = writeln!(out, "from = {}\nto = {}", inline(&one.from)?, inline(&one.to)?);
            if let Some(format) = &one.format {
                let _ = writeln!(out, "format = {}", inline(format)?);
            }
            if !one.enabled {
                out.push_str("enabled = false\n");
            }
        }
        Ok(())
    }

    fn write_vary(&self, out: &mut String) -> Result<(), Error> {
        if !self.vary.is_empty() {
            out.push_str(
                "\n# Values made anew for each session, as no two had the same: {uuid}, {digits:6}, {hex:16}, {alnum:10}, {n} (a number of\n# its own), {now:s}, {now:ms}, {now:iso}, with any text around. enabled = false sends what was recorded.\n",
            );
        }
        for one in &self.vary {
            let _ = writeln!(out, "[vary.{}]{}", key(&one.name), remark(one.evidence.as_deref()));
            let _ = writeln!(out, "make = {}\nat = {}", inline(&one.make)?, inline(&one.at)?);
            if !one.enabled {
                out.push_str("enabled = false\n");
            }
        }
        Ok(())
    }

    /// The CSV that `mynah profile` leaves beside a scenario, for accounts to be filled in.
    pub fn identities_template(&self) -> String {
        format!("{}.identities.csv", self.name)
    }

    /// Writes the scenario to a file, which is there as a whole or as it was before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let unfinished = partial_path(path);
        let written =
            std::fs::write(&unfinished, self.to_toml()?).and_then(|()| std::fs::rename(&unfinished, path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&unfinished);
            Error::io(path, error)
        })
    }
}

fn write_profile(out: &mut String, profile: &Profile) -> Result<(), Error> {
    let _ = writeln!(out, "[[profile]]\nname = {}", inline(&profile.name)?);
    let sessions = profile.sessions.map(|count| counted(count, "session"));
    let think =
        profile.think_s.map(|think| format!("pauses: median {} s, 95 % up to {} s", think.p50, think.p95));
    let told: Vec<String> = sessions.into_iter().chain(think).collect();
    let told = (!told.is_empty()).then(|| told.join("; "));
    let _ = writeln!(out, "weight = {}{}", inline(&profile.weight)?, remark(told.as_deref()));
    if let Some(behaviour) = profile.behaviour {
        let _ = writeln!(out, "behaviour = \"{behaviour}\"");
    }
    if let Some(think) = profile.think_time {
        let _ = writeln!(out, "think_time = \"{think}\"");
    }
    if let Some(from) = &profile.sessions_from {
        let _ = writeln!(out, "sessions_from = {}", inline(from)?);
    }
    if let Some(from) = &profile.uses {
        let _ = writeln!(out, "use = {}", inline(from)?);
    }
    if let Some(users) = profile.users {
        let _ = writeln!(out, "users = {users}");
    }
    if !profile.tags.is_empty() {
        let _ = writeln!(out, "tags = {}", inline(&profile.tags)?);
    }
    if let Some(order) = &profile.order {
        let _ = writeln!(out, "order = {}", inline(order)?);
    }
    if let Some(steps) = profile.steps_per_session {
        let _ = writeln!(out, "steps_per_session = {steps}");
    }
    if let Some(wait) = &profile.wait {
        let _ = writeln!(out, "wait = {}", inline(wait)?);
    }
    for (name, steps) in
        [("on_start", &profile.on_start), ("step", &profile.steps), ("on_stop", &profile.on_stop)]
    {
        for step in steps {
            let _ = writeln!(out, "\n[[profile.{name}]]");
            lines(out, step)?;
        }
    }
    Ok(())
}
