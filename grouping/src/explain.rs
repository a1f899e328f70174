//! All that was decided, and why, in words.

use std::collections::BTreeMap;
use std::fmt;

use mynah_traffic::session::IdentifiedBy;

use crate::{IdleTimeout, LeftOut};

/// A correlation that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name in the scenario.
    pub name: String,
    /// Where responses hand it out.
    pub from: Vec<String>,
    /// Where requests send it back.
    pub to: Vec<String>,
    /// Why it was accepted.
    pub evidence: String,
}

/// A candidate that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where responses had handed values out.
    pub from: Vec<String>,
    /// Where requests sent them.
    pub to: String,
    /// Why not.
    pub reason: String,
}

/// One profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileNote {
    /// Its name in the scenario.
    pub name: String,
    /// Its share in percent.
    pub weight: f64,
    /// Its sessions.
    pub sessions: u64,
    /// Number of the session in its middle, among the sessions of the recording.
    pub medoid: u32,
    /// The medoid's endpoints in order.
    pub medoid_steps: Vec<String>,
    /// What sets it apart: endpoint, share of its sessions that use it, share of the others.
    pub telling: Vec<(String, f64, f64)>,
    /// Mean silhouette, −1 to 1; `None` where it is the only one.
    pub silhouette: Option<f64>,
}

/// All that was decided. Displays as a text for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// Exchanges read.
    pub exchanges: u64,
    /// Exchanges that became steps. With those left out, they make up all that were read.
    pub steps: u64,
    /// Exchanges left out, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Hosts left out as third parties.
    pub third_parties: Vec<String>,
    /// Sessions of the scenario by the rung of the ladder that held.
    pub sessions: BTreeMap<IdentifiedBy, u64>,
    /// The pause that ends a session.
    pub idle: IdleTimeout,
    /// Session (its number among those of the recording) and profile (its place in `profiles`), by session.
    pub members: Vec<(u32, u32)>,
    /// Endpoints with their requests, most frequent first.
    pub endpoints: Vec<(String, u64)>,
    /// Profiles, largest first.
    pub profiles: Vec<ProfileNote>,
    /// Correlations that were accepted.
    pub correlations: Vec<Accepted>,
    /// Candidates that were not.
    pub rejected: Vec<Rejected>,
    /// Sessions that correlations were looked for in.
    pub correlated_sessions: u64,
    /// Where log-ins are sent: column and places.
    pub identities: Vec<(String, Vec<String>)>,
}

const SHOWN_ENDPOINTS: usize = 40;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} exchanges: {} are steps", self.exchanges, self.steps)?;
        for (reason, count) in &self.left_out {
            writeln!(f, "  {count} left out: {reason}")?;
        }
        if !self.third_parties.is_empty() {
            writeln!(f, "  third parties: {}", self.third_parties.join(", "))?;
        }
        writeln!(f, "\n{} sessions", self.sessions.values().sum::<u64>())?;
        for (rung, count) in &self.sessions {
            writeln!(f, "  {count} identified by {rung}")?;
        }
        writeln!(f, "  a session ends after {}", self.idle)?;
        writeln!(f, "\n{} endpoints", self.endpoints.len())?;
        for (endpoint, requests) in self.endpoints.iter().take(SHOWN_ENDPOINTS) {
            writeln!(f, "  {requests:>8}  {endpoint}")?;
        }
        if self.endpoints.len() > SHOWN_ENDPOINTS {
            writeln!(f, "  … and {} more, all in the scenario", self.endpoints.len() - SHOWN_ENDPOINTS)?;
        }
        writeln!(f, "\n{} profiles", self.profiles.len())?;
        for profile in &self.profiles {
            write!(f, "  {}: {} sessions, {} %", profile.name, profile.sessions, profile.weight)?;
            match profile.silhouette {
                Some(silhouette) => writeln!(f, ", silhouette {silhouette:.2}")?,
                None => writeln!(f)?,
            }
            for (endpoint, inside, outside) in &profile.telling {
                writeln!(
                    f,
                    "    {:>3.0} % use {endpoint} (others {:.0} %)",
                    inside * 100.0,
                    outside * 100.0
                )?;
            }
            writeln!(f, "    typical: session {}: {}", profile.medoid, path(&profile.medoid_steps))?;
        }
        writeln!(
            f,
            "\n{} correlations, looked for in {} sessions",
            self.correlations.len(),
            self.correlated_sessions
        )?;
        for one in &self.correlations {
            writeln!(f, "  {}: {}", one.name, one.evidence)?;
            for from in &one.from {
                writeln!(f, "    from {from}")?;
            }
            for to in &one.to {
                writeln!(f, "    to   {to}")?;
            }
        }
        if !self.identities.is_empty() {
            writeln!(f, "\nlog-ins")?;
            for (column, places) in &self.identities {
                writeln!(f, "  {column}: {}", places.join(", "))?;
            }
        }
        if !self.rejected.is_empty() {
            writeln!(f, "\n{} candidates rejected", self.rejected.len())?;
            for one in &self.rejected {
                writeln!(f, "  {}: {}", one.to, one.reason)?;
                if !one.from.is_empty() {
                    writeln!(f, "    would have come from {}", one.from.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

/// Steps with repetitions counted, the first dozen.
fn path(steps: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        match parts.last_mut() {
            Some((last, count)) if *last == step => *count += 1,
            _ => parts.push((step, 1)),
        }
    }
    let more = parts.len().saturating_sub(SHOWN);
    let mut text = parts
        .iter()
        .take(SHOWN)
        .map(|(step, count)| if *count > 1 { format!("{step} ×{count}") } else { (*step).to_owned() })
        .collect::<Vec<_>>()
        .join(" → ");
    if more > 0 {
        text.push_str(" → …");
    }
    text
}
