//! `run.json`.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use super::{MetricFigures, MirrorFigures, Tally};
use crate::scenario::Distances;

/// The JSON Schema (2020-12) of `run.json` as this mynah writes it. Further fields may come without a new [`SCHEMA`]; none goes.
pub fn schema() -> serde_json::Value {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<RunDocument>();
    schema.insert("$id".to_owned(), format!("urn:mynah:run:{SCHEMA}").into());
    schema.insert("title".to_owned(), "run.json of mynah".into());
    schema.to_value()
}

/// The version of `run.json` that this mynah writes.
pub const SCHEMA: u32 = 1;

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every gate passed.
    Pass,
    /// A gate failed.
    Fail,
    /// The generator, not the target, was the bottleneck: the figures say nothing of the target.
    Invalid,
}

impl Verdict {
    /// `pass`, `fail` or `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Invalid => "invalid",
        }
    }
}

/// Figures of a latency distribution, in milliseconds. All zero where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Smallest, ms.
    pub min: f64,
    /// Arithmetic mean, ms.
    pub mean: f64,
    /// Median, ms.
    pub p50: f64,
    /// 66 % of the values are not above this, ms.
    pub p66: f64,
    /// 75 % of the values are not above this, ms.
    pub p75: f64,
    /// 80 % of the values are not above this, ms.
    pub p80: f64,
    /// 90 % of the values are not above this, ms.
    pub p90: f64,
    /// 95 % of the values are not above this, ms.
    pub p95: f64,
    /// 98 % of the values are not above this, ms.
    pub p98: f64,
    /// 99 % of the values are not above this, ms.
    pub p99: f64,
    /// 99.9 % of the values are not above this, ms.
    pub p999: f64,
    /// 99.99 % of the values are not above this, ms.
    pub p9999: f64,
    /// Largest, ms.
    pub max: f64,
}

impl Latency {
    /// From a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Latency {
        if histogram.is_empty() {
            return Latency::default();
        }
        let q = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Latency {
            min: histogram.min() as f64 / 1e3,
            mean: (histogram.mean()).round() / 1e3,
            p50: q(0.5),
            p66: q(0.66),
            p75: q(0.75),
            p80: q(0.8),
            p90: q(0.9),
            p95: q(0.95),
            p98: q(0.98),
            p99: q(0.99),
            p999: q(0.999),
            p9999: q(0.9999),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// One endpoint's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointFigures {
    /// Number in the tags of `intervals.hlog`: `e12`.
    pub tag: String,
    /// Method.
    pub method: String,
    /// Path template, with its host where the scenario has several.
    pub name: String,
    /// Requests that ended.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Requests by second of the run.
    pub requests_per_s: f64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Intended start → last byte.
    pub response_time_ms: Latency,
    /// Actual start → last byte.
    pub service_time_ms: Latency,
    /// Actual start → first byte of the answer.
    #[serde(default)]
    pub first_byte_ms: Latency,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Right status, other shape than recorded.
    pub mismatches: u64,
}

impl EndpointFigures {
    /// From what was counted, over `seconds`.
    pub fn of(tag: String, method: &str, name: &str, tally: &Tally, seconds: f64) -> Self {
        EndpointFigures {
            tag,
            method: method.to_owned(),
            name: name.to_owned(),
            requests: tally.requests,
            failures: tally.failures,
            requests_per_s: per_second(tally.requests, seconds),
            bytes_in: tally.bytes_in,
            bytes_out: tally.bytes_out,
            response_time_ms: Latency::of(&tally.response),
            service_time_ms: Latency::of(&tally.service),
            first_byte_ms: Latency::of(&tally.first_byte),
            status: tally.status.clone(),
            mismatches: tally.mismatches,
        }
    }
}

/// All endpoints together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TotalFigures {
    /// Requests that ended.
    #[serde(default)]
    pub requests: u64,
    /// Of those, failed.
    #[serde(default)]
    pub failures: u64,
    /// Intended start → last byte.
    pub response_time_ms: Latency,
    /// Actual start → last byte.
    pub service_time_ms: Latency,
    /// Actual start → first byte of the answer.
    #[serde(default)]
    pub first_byte_ms: Latency,
    /// Connections that were made.
    #[serde(default)]
    pub connections: u64,
    /// How long connections took to be made (TCP, at the address that answered).
    #[serde(default)]
    pub connect_ms: Latency,
    /// How long TLS handshakes took; all zero without TLS.
    #[serde(default)]
    pub tls_ms: Latency,
    /// Answers by what they came over: `HTTP/1.1`, `h2`, or another protocol by its name. Redirects that were followed are among them.
    #[serde(default)]
    pub protocols: BTreeMap<String, u64>,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Right status, other shape than recorded.
    pub mismatches: u64,
}

/// One profile's sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileFigures {
    /// Its name.
    pub name: String,
    /// Sessions begun.
    pub sessions: u64,
    /// Sessions that came to their end.
    pub completed: u64,
    /// Number in the tags of `intervals.hlog`: `p2`.
    #[serde(default)]
    pub tag: String,
    /// Its requests that ended.
    #[serde(default)]
    pub requests: u64,
    /// Of those, failed.
    #[serde(default)]
    pub failures: u64,
    /// Intended start → last byte.
    #[serde(default)]
    pub response_time_ms: Latency,
}

/// One threshold and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdResult {
    /// As written.
    pub expr: String,
    /// Whether it held.
    pub ok: bool,
    /// What was measured: nanoseconds for times, 0–1 for rates, else counts. `null`: nothing was.
    pub value: Option<f64>,
    /// In words.
    pub text: String,
}

/// How late requests were sent by the generator's own fault, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SendLag {
    /// Median, µs.
    pub p50: f64,
    /// 99 % of the values are not above this, µs.
    pub p99: f64,
    /// 99.9 % of the values are not above this, µs.
    pub p999: f64,
    /// Largest, µs.
    pub max: f64,
}

/// How the generator itself did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorFigures {
    /// Threads that sent.
    pub threads: u32,
    /// Actual start − max(intended start, a connection was free).
    pub send_lag_us: SendLag,
    /// CPU time used by available thread time, 0–1.
    pub cpu_busy: f64,
    /// The longest send lag of a request that was not late, ms.
    #[serde(default = "unsaid_late_after")]
    pub late_after_ms: f64,
    /// Requests that were sent later than that by the generator's own fault.
    pub late_arrivals: u64,
    /// Requests that waited for a free connection.
    pub held_back: u64,
    /// What it ran out of, where that makes the run invalid: `time` (requests were sent late), `files`, `ports`, `users`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Errors by kind: `connect`, `timeout`, `reset`, …
    pub errors: BTreeMap<String, u64>,
}

/// What it was in every run that does not say it, ms.
fn unsaid_late_after() -> f64 {
    10.0
}

/// How sessions were asked to begin, and how they did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arrivals {
    /// `open` or `closed`.
    pub model: String,
    /// In words: `10x = 33.3 sessions/s`, `20 users`.
    pub asked: String,
    /// For how long sessions were to begin, seconds.
    #[serde(default)]
    pub planned_s: f64,
    /// Sessions in the timetable.
    pub scheduled: u64,
    /// Requests in the timetable, where each has its own place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_requests: Option<u64>,
    /// Sessions begun.
    pub started: u64,
    /// Sessions that came to their end.
    pub completed: u64,
}

/// How like the recording the run was: what was sent against what was recorded, as distances from 0 (the same) to 1
/// (nothing in common); see [`Distances`](crate::scenario::Distances) for what each is. Absent where there was nothing to compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fidelity {
    /// How sessions were made: `recorded`, `markov`.
    #[serde(default)]
    pub behaviour: String,
    /// Jensen–Shannon distance (base 2, 0–1) between the endpoint mixes.
    pub endpoint_mix: f64,
    /// Jensen–Shannon distance (base 2, 0–1) between the shares of pairs of endpoints in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions: Option<f64>,
    /// Kolmogorov–Smirnov distance of the pauses that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_times: Option<f64>,
    /// Kolmogorov–Smirnov distance of the requests a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_length: Option<f64>,
    /// Kolmogorov–Smirnov distance of the gaps between sessions' beginnings, in units of their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<f64>,
    /// Kolmogorov–Smirnov distance of the sizes of request bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sizes: Option<f64>,
    /// Answers with the recorded status class by answers expected, 0–1.
    pub status_parity: f64,
}

/// One of two targets that were sent to in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interleaved {
    /// `a` or `b`: whose turn came first, and whose second.
    pub side: char,
    /// Seconds that a turn takes. Sessions go to the target whose turn it is when they begin, and stay there.
    pub block_s: u32,
}

/// Which part of one timetable a run played, where several runs share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// A fingerprint of what the timetable is made from (scenario, load, length, seed): shards that differ in it do not belong
    /// together.
    pub timetable: String,
}

/// What was counted of a run whose beginning was not. Sessions are cut off at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Requests that were to start from here on are counted; seconds from the start.
    pub from_s: f64,
    /// To here.
    pub until_s: f64,
    /// Requests that would have started in that time had the target answered each at once.
    pub due: u64,
    /// Requests that ended in that time, those from before it too.
    pub ended: u64,
    /// Requests that were due and had not ended: the fewest that there were in its first, second and last third.
    #[serde(default)]
    pub waiting: [u64; 3],
    /// Mean response times of the requests that were to start in its first, second and last third, ms; 0 where there were none.
    pub thirds_ms: [f64; 3],
}

impl Fidelity {
    /// All but the answers.
    pub fn distances(&self) -> Distances {
        Distances {
            endpoint_mix: Some(self.endpoint_mix),
            transitions: self.transitions,
            think_times: self.think_times,
            session_length: self.session_length,
            arrivals: self.arrivals,
            body_sizes: self.body_sizes,
        }
    }
}

/// One second of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecondFigures {
    /// Seconds from the start.
    pub t: u32,
    /// Requests that ended in it.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Virtual users at its end.
    pub users: u32,
    /// Median response time, ms.
    pub p50: f64,
    /// 95th percentile, ms.
    pub p95: f64,
    /// 99th percentile, ms.
    pub p99: f64,
}

/// One kind of failure at one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureRow {
    /// Method.
    pub method: String,
    /// Endpoint.
    pub name: String,
    /// What happened.
    pub error: String,
    /// How often.
    pub occurrences: u64,
    /// Seconds from the start to the first one.
    pub first_s: f64,
    /// Seconds from the start to the last one.
    pub last_s: f64,
}

/// An answer that was unlike the recorded one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MismatchSample {
    /// Endpoint.
    pub endpoint: String,
    /// What was wanted.
    pub wanted: String,
    /// What came.
    pub got: String,
}

/// Which endpoint a tag of `intervals.hlog` stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TagName {
    /// `e12`
    pub tag: String,
    /// `GET /items/{id}`
    pub endpoint: String,
}

/// The whole of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// Version of this form; see [`SCHEMA`].
    pub schema: u32,
    /// What the run comes to.
    pub verdict: Verdict,
    /// Why, as sentences; empty for a plain pass.
    pub reasons: Vec<String>,
    /// RFC 3339, UTC.
    pub started: String,
    /// Seconds from the first intended start to the last answer.
    pub duration_s: f64,
    /// The seed that gives the same schedule again.
    pub seed: u64,
    /// The scenario's name.
    pub scenario: String,
    /// Where it was sent.
    pub target: String,
    /// Stopped before its end (Ctrl-C).
    #[serde(default)]
    pub interrupted: bool,
    /// Which side of an interleaved run this is; absent where there was one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleaved: Option<Interleaved>,
    /// Which part of a timetable it played; absent where it played all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The shards that it was put together from, by their folders; empty for a run that was measured as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<String>,
    /// Which part of it was counted; absent where all of it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// How live traffic was mirrored; absent where a scenario was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<MirrorFigures>,
    /// Requests that ended.
    pub requests: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Requests by second.
    pub requests_per_s: f64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// All endpoints together.
    pub total: TotalFigures,
    /// By endpoint, most requests first.
    pub endpoints: Vec<EndpointFigures>,
    /// By profile.
    pub profiles: Vec<ProfileFigures>,
    /// What the scenario's script has counted, by name; absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricFigures>,
    /// Every threshold.
    pub thresholds: Vec<ThresholdResult>,
    /// Sent against recorded; absent for a hand-written scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// How sessions began.
    pub arrivals: Arrivals,
    /// How the generator itself did.
    pub generator: GeneratorFigures,
    /// Second by second.
    pub seconds: Vec<SecondFigures>,
    /// What failed, most frequent first.
    pub failure_rows: Vec<FailureRow>,
    /// Some answers that were unlike the recorded ones.
    pub mismatch_samples: Vec<MismatchSample>,
    /// Names of the tags in `intervals.hlog`.
    pub tags: Vec<TagName>,
}

/// A count by second; 0 for no time.
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { (count as f64 / seconds * 1000.0).round() / 1000.0 } else { 0.0 }
}
