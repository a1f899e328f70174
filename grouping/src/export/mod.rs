//! A scenario, or recorded exchanges, in the form of other tools.
//!
//! ```text
//! scenario.toml + .sessions ─► outline (sessions chosen, steps as requests with places) ─► Locust | k6 | curl
//!                           └► exchanges ─┐
//! recording ──────────────────────────────┴─► HAR (.gor: `mynah_traffic::gor`)
//! ```
//!
//! What comes out is source code that people read, and every text in it was once sent by somebody: nothing of the traffic is
//! written but through [`text`]'s writers, which make literals of it, names and comments.
//!
//! | module | job |
//! |---|---|
//! | `outline` | which sessions are taken, and what the scripts are made from |
//! | `choose` | of many sessions the few that together send the same mix |
//! | `request` | a recorded request as pieces: text, the target, values |
//! | `lookup` | where a value is found in a response, free of any language |
//! | `text` | literals of Python, JavaScript and the shell; names; comments; patterns |
//! | `locust`, `k6`, `curl` | the writers, each with its helpers in a file of that language |
//! | `exchanges` | a scenario's sessions as exchanges |
//! | `har` | exchanges as a HAR |

mod choose;
mod curl;
mod exchanges;
mod har;
mod k6;
mod locust;
mod lookup;
mod outline;
mod request;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use mynah_traffic::scenario::{Rate, Scenario};

pub use exchanges::exchanges;
pub use har::{HarCounts, HarWriter};

use crate::Error;

/// A language that scenarios are written out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A [Locust](https://docs.locust.io) file: Python.
    Locust,
    /// A [k6](https://grafana.com/docs/k6) script: JavaScript.
    K6,
    /// A shell script of curl commands, one session a profile.
    Curl,
}

/// What is written out, and how.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Recorded sessions that are written out at most, over all profiles; at least one of each is. `None`: as many as are
    /// easily read.
    pub sessions: Option<usize>,
    /// The target that is taken where none is said when the script is run.
    pub target: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportCounts {
    /// Profiles.
    pub profiles: usize,
    /// Recorded sessions.
    pub sessions: usize,
    /// Of so many that there are.
    pub of_sessions: usize,
    /// Requests in them.
    pub requests: usize,
    /// What the other tool cannot do as the scenario has it, in sentences.
    pub notes: Vec<String>,
}

/// Writes a scenario out as a script. `folder`: what the files that it names are relative to.
///
/// # Errors
/// When a session file cannot be read, or there is nothing to write.
pub fn script(
    scenario: &Scenario,
    folder: &Path,
    language: Language,
    options: &ExportOptions,
) -> Result<(String, ExportCounts), Error> {
    let most = match language {
        Language::Curl => options.sessions.unwrap_or(1),
        Language::Locust | Language::K6 => options.sessions.unwrap_or(outline::SESSIONS),
    };
    let outline = outline::Outline::read(scenario, folder, most, options.target.as_deref())?;
    let mut notes = outline.notes.clone();
    let load = &scenario.load;
    if load.duration.is_some()
        || load.users.is_some()
        || load.rate.is_some_and(|rate| rate != Rate::Times(1.0))
    {
        notes.push("[load] is not in it: how many users and for how long is said when it is run".to_owned());
    }
    let text =
        match language {
            Language::Locust => {
                notes.extend((!outline.thresholds.is_empty()).then(|| {
                    "Locust has no thresholds; judge its CSV files, or replay with mynah".to_owned()
                }));
                locust::write(&outline)
            }
            Language::K6 => k6::write(&outline, &mut notes),
            Language::Curl => curl::write(&outline, &mut notes),
        };
    let sessions = || outline.profiles.iter().flat_map(|profile| &profile.sessions);
    let counts = ExportCounts {
        profiles: outline.profiles.len(),
        sessions: sessions().count(),
        of_sessions: outline.profiles.iter().map(|profile| profile.of_sessions).sum(),
        requests: sessions().map(|session| session.steps.len()).sum(),
        notes,
    };
    Ok((text, counts))
}
