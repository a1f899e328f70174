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
    /// What stands around the value there, `Bearer {}`.
    pub format: Option<String>,
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
    /// How often a value was sent that a response had handed out before.
    pub values: u64,
}

/// What the clustering looked at, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clustering {
    /// Different sequences of endpoints among the sessions.
    pub sequences: u64,
    /// Of these, those that the behaviours were learnt from; all sessions were then placed.
    pub learnt: u64,
    /// Share of the sessions that are likely to stand in another profile than their own, 0 to 1; `None` where too few sequences
    /// were there to be fitted.
    pub doubtful: Option<f64>,
}

/// One profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileNote {
    /// Its name in the scenario.
    pub name: String,
    /// Its share in percent.
    pub weight: f64,
    /// Points that the share may be off at 95 %, as the recorded sessions are a sample of all there might have been.
    pub margin: f64,
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
    /// What its sessions ask for, most requests first.
    pub visits: Vec<Visit>,
    /// What they go on to, most frequent first.
    pub transitions: Vec<Transition>,
}

/// An endpoint in a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The endpoint.
    pub endpoint: String,
    /// Requests to it.
    pub requests: u64,
    /// Where in their sessions the first of them stands on average: 0 at the beginning, 1 at the end.
    pub place: f64,
}

/// From one endpoint to the next in a profile's sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// `None`: the session begins.
    pub from: Option<String>,
    /// `None`: the session ends.
    pub to: Option<String>,
    /// How often.
    pub times: u64,
    /// Median pause before the next request, seconds; 0 where there is none.
    pub pause_s: f64,
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
    /// Hosts left out as third parties, with their exchanges.
    pub third_parties: Vec<(String, u64)>,
    /// Sessions of the scenario by the rung of the ladder that held.
    pub sessions: BTreeMap<IdentifiedBy, u64>,
    /// The pause that ends a session.
    pub idle: IdleTimeout,
    /// Session (its number among those of the recording) and profile (its place in `profiles`), by session.
    pub members: Vec<(u32, u32)>,
    /// Endpoints with their requests, most frequent first.
    pub endpoints: Vec<(String, u64)>,
    /// What was asked for and came to nothing, and what had to be cut.
    pub warnings: Vec<String>,
    /// What the profiles rest on.
    pub clustering: Clustering,
    /// Profiles, largest first.
    pub profiles: Vec<ProfileNote>,
    /// Correlations that were accepted.
    pub correlations: Vec<Accepted>,
    /// Candidates that were not, at most a hundred.
    pub rejected: Vec<Rejected>,
    /// Candidates that were rejected beside these.
    pub rejected_untold: u64,
    /// Sessions that correlations were looked for in.
    pub correlated_sessions: u64,
    /// Where log-ins are sent: column and places.
    pub identities: Vec<(String, Vec<String>)>,
}

const SHOWN_ENDPOINTS: usize = 40;
const SHOWN_HOSTS: usize = 10;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.traffic(f)?;
        self.grouped(f)?;
        self.carried(f)
    }
}

impl Explanation {
    /// What was read, what was left out, and who it was.
    fn traffic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} of them steps", counted(self.exchanges, "exchange"), self.steps)?;
        for (reason, count) in &self.left_out {
            write!(f, "  {count:>8}  left out: {reason}")?;
            match reason.keep() {
                Some(flag) => writeln!(f, " ({flag} keeps them)")?,
                None => writeln!(f)?,
            }
        }
        for (host, count) in self.third_parties.iter().take(SHOWN_HOSTS) {
            writeln!(f, "            {count:>6} of {host}")?;
        }
        if self.third_parties.len() > SHOWN_HOSTS {
            writeln!(f, "            … and {} more hosts", self.third_parties.len() - SHOWN_HOSTS)?;
        }
        writeln!(f, "\n{}", counted(self.sessions.values().sum::<u64>(), "session"))?;
        for (rung, count) in &self.sessions {
            writeln!(f, "  {count:>8}  identified by {rung}")?;
        }
        writeln!(f, "  a session ends after {}", self.idle)?;
        writeln!(f, "\n{}", counted(self.endpoints.len() as u64, "endpoint"))?;
        for (endpoint, requests) in self.endpoints.iter().take(SHOWN_ENDPOINTS) {
            writeln!(f, "  {requests:>8}  {endpoint}")?;
        }
        if self.endpoints.len() > SHOWN_ENDPOINTS {
            writeln!(f, "  … and {} more, all in the scenario", self.endpoints.len() - SHOWN_ENDPOINTS)?;
        }
        for warning in &self.warnings {
            writeln!(f, "  {warning}")?;
        }
        Ok(())
    }

    fn grouped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clustering { sequences, learnt, doubtful } = self.clustering;
        writeln!(f, "\n{}", counted(self.profiles.len() as u64, "profile"))?;
        write!(f, "  {} of endpoints", counted(sequences, "different sequence"))?;
        if learnt < sequences {
            write!(f, ", behaviours learnt from {learnt} of them and all sessions placed")?;
        }
        if let Some(share) = doubtful {
            write!(f, "; {:.1} % of the sessions may stand in the wrong profile", share * 100.0)?;
        }
        writeln!(f)?;
        for profile in &self.profiles {
            write!(
                f,
                "  {}: {}, {} % ± {:.1} at 95 %",
                profile.name,
                counted(profile.sessions, "session"),
                profile.weight,
                profile.margin
            )?;
            match profile.silhouette {
                Some(silhouette) => writeln!(f, ", silhouette {silhouette:.2}")?,
                None => writeln!(f)?,
            }
            for (endpoint, inside, outside) in &profile.telling {
                let (inside, outside) = (inside * 100.0, outside * 100.0);
                writeln!(f, "    {inside:>3.0} % use {endpoint} (others {outside:.0} %)")?;
            }
            writeln!(f, "    typical: session {}: {}", profile.medoid, path(&profile.medoid_steps))?;
        }
        Ok(())
    }

    fn carried(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looked = counted(self.correlated_sessions, "session");
        writeln!(f, "\n{}, looked for in {looked}", counted(self.correlations.len() as u64, "correlation"))?;
        for one in &self.correlations {
            writeln!(f, "  {}: {}", one.name, one.evidence)?;
            for from in &one.from {
                writeln!(f, "    from {from}")?;
            }
            for to in &one.to {
                match &one.format {
                    Some(format) => writeln!(f, "    to   {to} as '{format}'")?,
                    None => writeln!(f, "    to   {to}")?,
                }
            }
        }
        if !self.identities.is_empty() {
            writeln!(f, "\nlog-ins")?;
            for (column, places) in &self.identities {
                writeln!(f, "  {column}: {}", places.join(", "))?;
            }
        }
        if self.rejected.is_empty() {
            return Ok(());
        }
        let all = self.rejected.len() as u64 + self.rejected_untold;
        writeln!(f, "\n{} rejected, sent as they were recorded", counted(all, "candidate"))?;
        for one in &self.rejected {
            writeln!(f, "  {}: {}", one.to, one.reason)?;
            if !one.from.is_empty() {
                writeln!(f, "    would have come from {}", one.from.join(", "))?;
            }
        }
        if self.rejected_untold > 0 {
            writeln!(f, "  … and {} that came less near to being one", self.rejected_untold)?;
        }
        Ok(())
    }
}

/// `1 session`, `2 sessions`.
fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
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
