//! Weighted profiles, correlations, load and thresholds: the `.toml` file that people edit, and the session file beside it.
//!
//! ```text
//! scenario.toml ── [[profile]] sessions_from = "scenario.sessions#buyer" ──► scenario.sessions (recorded requests)
//!              └── [[profile.step]] … everything inline, for small inputs and hand-written flows
//! ```
//!
//! Both forms become [`SessionScript`]s, which is all that replay knows. Endpoints and correlations are called by their
//! text and name in the session file, so that a person may reorder, add and switch off without breaking the link.

mod check;
mod data;
mod extract;
mod fidelity;
mod file;
mod find;
mod inline;
mod load;
mod named;
mod pause;
mod placeholder;
mod rewrite;
mod script;
mod sessions;
mod spoken;
mod stage;
mod tags;
#[cfg(test)]
mod tests;
mod uses;
mod variables;
mod vary;
mod verify;
mod walk;
mod write;

use serde::{Deserialize, Serialize};

pub use check::{Answered, Check};
pub use data::{DataSet, RowOrder, Rows};
pub use extract::{Extract, ExtractList};
pub use fidelity::{Conduct, Distances, Move, compare};
pub use file::place_in;
pub use find::{Css, Finder, Pattern};
pub use inline::InlineStep;
pub use load::{Behaviour, Load, Rate, ThinkTime};
pub use pause::{Order, Span, Wait, chance};
pub use rewrite::{PathRewrite, Rewrite};
pub use script::{Expect, Injection, Portion, SessionScript, Source, Step};
pub use sessions::{SessionEntry, SessionsReader, SessionsWriter, Tables};
pub use spoken::fill_places;
pub use stage::{Arrivals, Level, LoadShape, Stage, Unit};
pub use tags::{Chosen, is_safe};
pub use uses::Use;
pub use variables::Overrides;
pub use vary::{Draw, Maker, Vary};
pub use walk::{Place, Turn, Walker};

use crate::{Correlation, Endpoint};

/// The version of the scenario file that this mynah writes.
pub const VERSION: u32 = 1;

/// A whole scenario, as in its file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of the file's form; see [`VERSION`].
    pub version: u32,
    /// What it is called in reports.
    pub name: String,
    /// Texts that stand elsewhere in it as `${var.NAME}`; they have been put in when it is read.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub variables: toml::Table,
    /// How sessions are made of the recorded ones, unless a profile or a flag says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// A file of JavaScript whose functions are called as it is played, relative to the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// What it was made from. Absent in a hand-written one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// How like the recording it plays, as measured when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<ScenarioFidelity>,
    /// How it is driven when no flag says otherwise.
    #[serde(default, skip_serializing_if = "Load::is_empty")]
    pub load: Load,
    /// What must hold for a run to pass.
    #[serde(default, rename = "threshold", skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<ThresholdEntry>,
    /// Who the users are.
    #[serde(default, rename = "profile", skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// Files whose profiles are played, too; they have been taken in, and this is empty, when it is read.
    #[serde(default, rename = "use", skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Use>,
    /// What becomes of every request on its way out.
    #[serde(default, skip_serializing_if = "Rewrite::is_empty")]
    pub rewrite: Rewrite,
    /// Rows for hand-written users: `[data.NAME]` or `[[data]]`.
    #[serde(default, deserialize_with = "named::list_or_table", skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataSet>,
    /// Hosts of the recordings that used files were made from: not to be sent to, like those of `recorded`.
    #[serde(skip)]
    pub hosts_of_used: Vec<String>,
    /// Credentials for virtual users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identities: Option<Identities>,
    /// Values that are carried from responses to later requests: `[correlation.NAME]` or `[[correlation]]`.
    #[serde(
        default,
        rename = "correlation",
        deserialize_with = "named::list_or_table",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub correlations: Vec<Correlation>,
    /// Values that are made anew for each session, as they must be unique: `[vary.NAME]` or `[[vary]]`.
    #[serde(default, deserialize_with = "named::list_or_table", skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<Vary>,
    /// What requests are counted by: `[endpoints]` with a count by name, or `[[endpoint]]`. A request that fits none is
    /// counted by its method and path.
    #[serde(
        default,
        rename = "endpoints",
        alias = "endpoint",
        deserialize_with = "named::list_or_table",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub endpoints: Vec<EndpointEntry>,
}

/// Where a scenario comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Names of the inputs.
    #[serde(default)]
    pub from: Vec<String>,
    /// Whether those were masked.
    pub masked: bool,
    /// Exchanges that became steps.
    pub exchanges: u64,
    /// Sessions found.
    pub sessions: u64,
    /// First to last byte, in seconds.
    pub duration_s: f64,
    /// Sessions that began per second: what `--rate 1x` means.
    pub sessions_per_s: f64,
    /// Hosts in the recording; a target among them is refused unless it is loopback.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// One weighted kind of user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is called in tables.
    pub name: String,
    /// Its share of the sessions, relative to the other profiles' (percent when mynah wrote it); 1 when left out.
    #[serde(default = "one")]
    pub weight: f64,
    /// So many users of the closed model are of this kind, whatever the weights; the others share the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// What it can be chosen by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Sessions recorded of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// How its sessions are made, instead of what the scenario says for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// What becomes of its recorded pauses, instead of what `[load]` says for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<ThinkTime>,
    /// Median and 95th percentile of its think times, in seconds: told for the reader, replay uses each step's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_s: Option<ThinkSummary>,
    /// `FILE#CLUSTER`: its sessions stand in this file under that name. Relative to the scenario file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_from: Option<String>,
    /// `FILE#PROFILE`: what it does stands in another scenario. It has been taken in, and this is `None`, when it is read.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub uses: Option<String>,
    /// In what order its written steps come; `sequence` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Steps that a session of weighted order has; without it a user of the closed model goes on until the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_per_session: Option<u32>,
    /// What lies between a user's iterations: its sessions, or in weighted order its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// What a user does first: once in the closed model, where it stays; in the open model each session is a new user's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_start: Vec<InlineStep>,
    /// Its one session, written out.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<InlineStep>,
    /// What a user does last, also when its session was cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_stop: Vec<InlineStep>,
}

fn one() -> f64 {
    1.0
}

impl Profile {
    /// Everything that is written out of it: beginning, steps, end.
    pub fn all_steps(&self) -> impl Iterator<Item = &InlineStep> {
        self.on_start.iter().chain(&self.steps).chain(&self.on_stop)
    }
}

/// How long users of a profile pause, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThinkSummary {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// How like the recording a scenario plays, by the way its sessions are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFidelity {
    /// Recorded sessions, drawn by weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Distances>,
    /// Walks along the recorded transitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markov: Option<Distances>,
}

/// Credentials for virtual users.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// CSV whose first row names the columns. Absent: what was recorded is sent (masked, it logs in only where the
    /// target's accounts were seeded with the same pseudonyms). Relative to the scenario file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where each column's value is sent.
    #[serde(
        default,
        rename = "column",
        deserialize_with = "named::list_or_table",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub columns: Vec<IdentityColumn>,
}

/// One column of the identities' CSV.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityColumn {
    /// The column's name.
    pub name: String,
    /// Where requests carry it.
    pub to: Vec<crate::Site>,
}

/// One threshold of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdEntry {
    /// Such as `p99 < 500ms`; see [`crate::threshold`].
    pub expr: String,
}

/// One endpoint of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointEntry {
    /// `GET /listings/{id}`, with a host before the path where the scenario has several.
    #[serde(rename = "match")]
    pub endpoint: Endpoint,
    /// Requests recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}
