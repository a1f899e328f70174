//! `capacity.json`: what a search for the highest rate that a target carries came to, step by step.
//!
//! | file of the folder | content |
//! |---|---|
//! | `capacity.json` | [`CapacityDocument`]: every step and the answer, schema-versioned |
//! | `capacity.html` | the same for people (written by the report stage) |
//! | `steps/03-grow-40` | the run of each step, like any other run |

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The version of `capacity.json` that this mynah writes.
pub const SCHEMA: u32 = 1;
/// `capacity.json`
pub const DOCUMENT: &str = "capacity.json";
/// `capacity.html`
pub const HTML: &str = "capacity.html";
/// The folder of the steps' runs.
pub const STEPS: &str = "steps";

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The rate is doubled until a step fails (or halved until one holds).
    Grow,
    /// Between a rate that held and one that failed.
    Narrow,
    /// The rate that was found, for longer.
    Hold,
}

impl Phase {
    /// `grow`, `narrow` or `hold`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Grow => "grow",
            Phase::Narrow => "narrow",
            Phase::Hold => "hold",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepVerdict {
    /// The target carried the rate.
    Holds,
    /// It did not.
    Fails,
    /// The generator was the bottleneck: nothing is known of the target.
    Invalid,
}

impl StepVerdict {
    /// `holds`, `fails` or `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            StepVerdict::Holds => "holds",
            StepVerdict::Fails => "fails",
            StepVerdict::Invalid => "invalid",
        }
    }
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityStep {
    /// From 1, in the order in which they were tried.
    pub number: u32,
    /// What it is for.
    pub phase: Phase,
    /// Sessions that were to begin each second.
    pub sessions_per_s: f64,
    /// Requests that would have been sent each second had the target answered each at once.
    pub asked_per_s: f64,
    /// Requests that ended each second.
    pub requests_per_s: f64,
    /// Seconds that were counted.
    pub seconds: f64,
    /// Requests that were counted.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Response times, ms.
    pub p50_ms: f64,
    /// See `p50_ms`.
    pub p95_ms: f64,
    /// See `p50_ms`.
    pub p99_ms: f64,
    /// See `p50_ms`.
    pub max_ms: f64,
    /// By how much the requests that wait grew through it, as a share of what was asked for.
    pub behind: f64,
    /// What it comes to.
    pub verdict: StepVerdict,
    /// Why, as sentences; empty where it holds.
    pub reasons: Vec<String>,
    /// What the generator ran out of: `time`, `files`, `ports`, `users`.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The folder of its run, from the folder of `capacity.json`.
    pub run: String,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityOutcome {
    /// A rate holds, and one that is hardly higher does not.
    Found,
    /// The highest rate that was to be tried holds.
    UpTo,
    /// Not even the lowest rate held.
    NothingHolds,
    /// The generator could not send more.
    Generator,
    /// It was stopped.
    Interrupted,
}

/// The whole of `capacity.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityDocument {
    /// Version of this form; see [`SCHEMA`].
    pub schema: u32,
    /// How it ended.
    pub outcome: CapacityOutcome,
    /// The answer in words.
    pub summary: String,
    /// What else is to be said, as sentences.
    pub remarks: Vec<String>,
    /// Number of the step that is the answer: the highest rate that holds, as far as was found out.
    pub answer: Option<u32>,
    /// Number of the step with the lowest rate above it that does not.
    pub knee: Option<u32>,
    /// RFC 3339, UTC.
    pub started: String,
    /// The scenario's name.
    pub scenario: String,
    /// Where it was sent.
    pub target: String,
    /// The seed that gives the same schedules again.
    pub seed: u64,
    /// What had to hold.
    pub thresholds: Vec<String>,
    /// How close the rates are between which the answer lies, as a share.
    pub precision: f64,
    /// Seconds that are counted of a step, and of one that holds the rate that was found.
    pub step_s: f64,
    /// See `step_s`.
    pub hold_s: f64,
    /// Seconds before them that are not.
    pub warm_up_s: f64,
    /// Every step, in the order in which they were tried.
    pub steps: Vec<CapacityStep>,
}

impl CapacityDocument {
    /// The step with this number.
    pub fn step(&self, number: Option<u32>) -> Option<&CapacityStep> {
        self.steps.iter().find(|step| Some(step.number) == number)
    }

    /// Writes `capacity.json` into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(DOCUMENT);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Limit(format!("cannot write {DOCUMENT}: {error}")))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|error| Error::io(&path, error))
    }
}
