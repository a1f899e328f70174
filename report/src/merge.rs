//! Shards of one timetable made into the run that one machine would have measured.
//!
//! | figure | of the merged run |
//! |---|---|
//! | counts, bytes, status codes, failures, sessions | sums: exact |
//! | times by endpoint, profile and second, of connections and handshakes | histograms added up, bucket by bucket: exact |
//! | what the answers were (`shapes.json`) | not merged: a comparison of merged runs has no differences of answers |
//! | thresholds | evaluated again over the merged figures; see `gates` for what is bounded instead |
//! | duration | the longest of the shards', which begin together |
//! | send lag, CPU | the worst of the shards': a quantile of all lies below it |
//! | fidelity | the mean of the shards', weighted by requests: near it, not exact; of the arrivals none |
//!
//! What does not belong together, or is not all there, makes the merged run invalid.

mod check;
mod gates;
#[cfg(test)]
mod tests;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use mynah_traffic::run::{
    Arrivals, EndpointFigures, FailureRow, Fidelity, GeneratorFigures, Latency, MetricFigures,
    ProfileFigures, RunDocument, RunFolder, SCHEMA, SecondFigures, SendLag, TagName, Tally, TotalFigures,
    Verdict,
};
use mynah_traffic::units::parse_time;

use crate::Error;
use times::Times;

/// Samples of answers unlike the recorded ones that are kept.
const MISMATCHES: usize = 50;

/// One shard as it is read.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) document: RunDocument,
}

impl Part {
    /// `shard 2`
    fn called(&self) -> String {
        self.document
            .shard
            .as_ref()
            .map_or_else(|| self.name.clone(), |shard| format!("shard {}", shard.number))
    }
}

/// Merges the runs in `shards` into `out`: `intervals.hlog` is written, the document is the caller's to write.
///
/// # Errors
/// When a run cannot be read or is no shard, or the folder cannot be written.
pub fn merge(shards: &[RunFolder], out: &RunFolder) -> Result<RunDocument, Error> {
    let mut parts = Vec::new();
    for folder in shards {
        let document = folder.document()?;
        let name = folder.path().display().to_string();
        if document.shard.is_none() {
            return Err(Error::Merge(format!(
                "{name}: this is no shard of a run (replay --shard 1/3), it is a run by itself"
            )));
        }
        parts.push((folder, Part { name, document }));
    }
    parts.sort_by_key(|(_, part)| part.document.shard.as_ref().map(|shard| shard.number));
    let mut times = Times::default();
    let mut tags = Tags::default();
    for (folder, part) in &parts {
        let names: BTreeMap<&str, String> =
            part.document.tags.iter().map(|tag| (tag.tag.as_str(), tags.of(tag))).collect();
        times.read(folder, &names)?;
    }
    let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
    let Some(first) = parts.first() else {
        return Err(Error::Merge("there is no shard to merge".to_owned()));
    };
    let started =
        parts.iter().filter_map(|part| parse_time(&part.document.started)).min().unwrap_or_default();
    times.write(out, SystemTime::UNIX_EPOCH + Duration::from_nanos(started.0))?;
    Ok(document(&parts, first, &times, &tags))
}

/// Tags of the merged run: an endpoint keeps the one it has, unless another one has that.
#[derive(Default)]
struct Tags {
    /// Endpoint → tag.
    of: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Tags {
    fn of(&mut self, tag: &TagName) -> String {
        if let Some(known) = self.of.get(&tag.endpoint) {
            return known.clone();
        }
        let mut own = tag.tag.clone();
        let mut number = self.taken.len();
        while !self.taken.insert(own.clone()) {
            own = format!("e{number}");
            number += 1;
        }
        self.of.insert(tag.endpoint.clone(), own.clone());
        own
    }
}

fn document(parts: &[Part], first: &Part, times: &Times, tags: &Tags) -> RunDocument {
    let documents = || parts.iter().map(|part| &part.document);
    let duration_s = documents().map(|run| run.duration_s).fold(0.0, f64::max);
    let endpoints = endpoints(parts, times, tags);
    let mut all = Tally::default();
    for (_, tally) in endpoints.values() {
        all.merge(tally);
    }
    all.connect = Some(Box::new(times.total("connect")));
    all.tls = Some(Box::new(times.total("tls")));
    let profiles = profiles(parts, times);
    let (thresholds, failed) = gates::evaluate(parts, first, &endpoints, &profiles, &all, times, duration_s);
    let invalid = check::reasons(parts, first);
    let verdict = match (invalid.is_empty(), failed.is_empty()) {
        (false, _) => Verdict::Invalid,
        (true, false) => Verdict::Fail,
        (true, true) => Verdict::Pass,
    };
    let reasons = [invalid, failed, check::remarks(parts)].concat();
    let mut figures: Vec<EndpointFigures> = endpoints
        .values()
        .map(|(named, tally)| {
            EndpointFigures::of(named.tag.clone(), &named.method, &named.name, tally, duration_s)
        })
        .collect();
    figures.sort_by_key(|figure| std::cmp::Reverse(figure.requests));
    let targets: BTreeSet<&str> = documents().map(|run| run.target.as_str()).collect();
    RunDocument {
        schema: SCHEMA,
        verdict,
        reasons,
        started: documents().map(|run| run.started.clone()).min().unwrap_or_default(),
        duration_s,
        seed: first.document.seed,
        scenario: first.document.scenario.clone(),
        target: targets.into_iter().collect::<Vec<_>>().join(", "),
        interrupted: documents().any(|run| run.interrupted),
        interleaved: None,
        shard: None,
        merged_from: parts.iter().map(|part| part.name.clone()).collect(),
        measured: None,
        mirror: None,
        requests: all.requests,
        failures: all.failures,
        requests_per_s: if duration_s > 0.0 {
            (all.requests as f64 / duration_s * 1000.0).round() / 1000.0
        } else {
            0.0
        },
        bytes_in: all.bytes_in,
        bytes_out: all.bytes_out,
        total: TotalFigures {
            requests: all.requests,
            failures: all.failures,
            response_time_ms: Latency::of(&all.response),
            service_time_ms: Latency::of(&all.service),
            first_byte_ms: Latency::of(&all.first_byte),
            connections: documents().map(|run| run.total.connections).sum(),
            connect_ms: all.connect.as_deref().map(Latency::of).unwrap_or_default(),
            tls_ms: all.tls.as_deref().map(Latency::of).unwrap_or_default(),
            protocols: documents().flat_map(|run| &run.total.protocols).fold(
                BTreeMap::new(),
                |mut all, (name, count)| {
                    *all.entry(name.clone()).or_default() += count;
                    all
                },
            ),
            status: all.status.clone(),
            mismatches: all.mismatches,
        },
        endpoints: figures,
        profiles,
        metrics: MetricFigures::merge(documents().flat_map(|run| &run.metrics), duration_s),
        thresholds,
        fidelity: fidelity(parts),
        arrivals: arrivals(parts, first),
        generator: generator(parts),
        seconds: seconds(parts, times),
        failure_rows: failure_rows(parts),
        mismatch_samples: documents().flat_map(|run| run.mismatch_samples.clone()).take(MISMATCHES).collect(),
        tags: tags
            .of
            .iter()
            .map(|(endpoint, tag)| TagName { tag: tag.clone(), endpoint: endpoint.clone() })
            .collect(),
    }
}

/// What an endpoint is called.
pub(crate) struct Named {
    tag: String,
    method: String,
    name: String,
}

/// By `GET /items/{id}`.
pub(crate) type Endpoints = BTreeMap<String, (Named, Tally)>;

fn endpoints(parts: &[Part], times: &Times, tags: &Tags) -> Endpoints {
    let mut endpoints = Endpoints::new();
    for endpoint in parts.iter().flat_map(|part| &part.document.endpoints) {
        let called = format!("{} {}", endpoint.method, endpoint.name);
        let tag = tags.of.get(&called).cloned().unwrap_or_else(|| endpoint.tag.clone());
        let (_, tally) = endpoints.entry(called).or_insert_with(|| {
            let [response, service, first_byte] =
                ["response", "service", "first_byte"].map(|kind| times.total(&format!("{tag}.{kind}")));
            let named = Named { tag, method: endpoint.method.clone(), name: endpoint.name.clone() };
            (named, Tally { response, service, first_byte, ..Tally::default() })
        });
        tally.requests += endpoint.requests;
        tally.failures += endpoint.failures;
        tally.mismatches += endpoint.mismatches;
        tally.bytes_in += endpoint.bytes_in;
        tally.bytes_out += endpoint.bytes_out;
        for (status, count) in &endpoint.status {
            *tally.status.entry(*status).or_default() += count;
        }
    }
    endpoints
}

/// Shards are of one scenario: its profiles have the same numbers in each.
fn profiles(parts: &[Part], times: &Times) -> Vec<ProfileFigures> {
    let mut profiles: Vec<ProfileFigures> = Vec::new();
    for profile in parts.iter().flat_map(|part| &part.document.profiles) {
        match profiles.iter_mut().find(|known| known.name == profile.name) {
            Some(known) => {
                known.sessions += profile.sessions;
                known.completed += profile.completed;
                known.requests += profile.requests;
                known.failures += profile.failures;
            }
            None => profiles.push(profile.clone()),
        }
    }
    for profile in &mut profiles {
        profile.response_time_ms = Latency::of(&times.total(&gates::time_of(profile)));
    }
    profiles
}

fn arrivals(parts: &[Part], first: &Part) -> Arrivals {
    let sum = |of: fn(&Arrivals) -> u64| parts.iter().map(|part| of(&part.document.arrivals)).sum();
    let own = &first.document.arrivals;
    Arrivals {
        model: own.model.clone(),
        asked: own.asked.clone(),
        planned_s: own.planned_s,
        scheduled: sum(|arrivals| arrivals.scheduled),
        scheduled_requests: own
            .scheduled_requests
            .map(|_| sum(|arrivals| arrivals.scheduled_requests.unwrap_or_default())),
        started: sum(|arrivals| arrivals.started),
        completed: sum(|arrivals| arrivals.completed),
    }
}

fn generator(parts: &[Part]) -> GeneratorFigures {
    let all = || parts.iter().map(|part| &part.document.generator);
    let worst = |of: fn(&GeneratorFigures) -> f64| all().map(of).fold(0.0, f64::max);
    let mut errors = BTreeMap::new();
    for (kind, count) in all().flat_map(|generator| &generator.errors) {
        *errors.entry(kind.clone()).or_default() += count;
    }
    let limits: BTreeSet<&String> = all().flat_map(|generator| &generator.limits).collect();
    GeneratorFigures {
        threads: all().map(|generator| generator.threads).sum(),
        send_lag_us: SendLag {
            p50: worst(|generator| generator.send_lag_us.p50),
            p99: worst(|generator| generator.send_lag_us.p99),
            p999: worst(|generator| generator.send_lag_us.p999),
            max: worst(|generator| generator.send_lag_us.max),
        },
        cpu_busy: worst(|generator| generator.cpu_busy),
        late_after_ms: worst(|generator| generator.late_after_ms),
        late_arrivals: all().map(|generator| generator.late_arrivals).sum(),
        held_back: all().map(|generator| generator.held_back).sum(),
        limits: limits.into_iter().cloned().collect(),
        errors,
    }
}

fn seconds(parts: &[Part], times: &Times) -> Vec<SecondFigures> {
    let mut seconds: BTreeMap<u32, SecondFigures> = BTreeMap::new();
    for second in parts.iter().flat_map(|part| &part.document.seconds) {
        let own =
            seconds.entry(second.t).or_insert(SecondFigures { t: second.t, ..SecondFigures::default() });
        own.requests += second.requests;
        own.failures += second.failures;
        own.users += second.users;
    }
    for second in seconds.values_mut() {
        let response = times.second(second.t, "response");
        if !response.is_empty() {
            let quantile = |q: f64| response.value_at_quantile(q) as f64 / 1e3;
            (second.p50, second.p95, second.p99) = (quantile(0.5), quantile(0.95), quantile(0.99));
        }
    }
    seconds.into_values().collect()
}

fn failure_rows(parts: &[Part]) -> Vec<FailureRow> {
    let mut rows: Vec<FailureRow> = Vec::new();
    let same =
        |a: &FailureRow, b: &FailureRow| (&a.method, &a.name, &a.error) == (&b.method, &b.name, &b.error);
    for row in parts.iter().flat_map(|part| &part.document.failure_rows) {
        match rows.iter_mut().find(|known| same(known, row)) {
            Some(known) => {
                known.occurrences += row.occurrences;
                known.first_s = known.first_s.min(row.first_s);
                known.last_s = known.last_s.max(row.last_s);
            }
            None => rows.push(row.clone()),
        }
    }
    rows.sort_by(|a, b| {
        b.occurrences.cmp(&a.occurrences).then_with(|| (&a.name, &a.error).cmp(&(&b.name, &b.error)))
    });
    rows
}

/// The mean, weighted by requests; of a distance that not every shard has there is none.
fn fidelity(parts: &[Part]) -> Option<Fidelity> {
    let all: Vec<(f64, &Fidelity)> = parts
        .iter()
        .filter_map(|part| Some((part.document.requests as f64, part.document.fidelity.as_ref()?)))
        .collect();
    let whole: f64 = all.iter().map(|(weight, _)| weight).sum();
    if all.len() < parts.len() || whole <= 0.0 {
        return None;
    }
    let mean = |of: fn(&Fidelity) -> Option<f64>| {
        all.iter().map(|(weight, fidelity)| Some(weight / whole * of(fidelity)?)).sum::<Option<f64>>()
    };
    Some(Fidelity {
        behaviour: all.first().map(|(_, fidelity)| fidelity.behaviour.clone()).unwrap_or_default(),
        endpoint_mix: mean(|fidelity| Some(fidelity.endpoint_mix))?,
        transitions: mean(|fidelity| fidelity.transitions),
        think_times: mean(|fidelity| fidelity.think_times),
        session_length: mean(|fidelity| fidelity.session_length),
        // The gaps within a stripe are not those of the whole.
        arrivals: None,
        body_sizes: mean(|fidelity| fidelity.body_sizes),
        status_parity: mean(|fidelity| Some(fidelity.status_parity))?,
    })
}
