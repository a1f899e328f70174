//! From what was counted to `run.json`, with the verdict.

use std::collections::BTreeMap;

use mynah_traffic::Endpoint;
use mynah_traffic::run::{
    Answers, Arrivals, EndpointFigures, FailureRow, GeneratorFigures, Interleaved, Latency, MetricFigures,
    MismatchSample, ProfileFigures, RunDocument, SCHEMA, SendLag, Shard, TagName, Tally, ThresholdResult,
    TotalFigures, Verdict,
};
use mynah_traffic::threshold::{Metric, Threshold};
use mynah_traffic::units::format_duration;

use super::{Measuring, Totals, fidelity};
use crate::engine::Setup;
use crate::net::Kind;
use crate::prepared::Plan;

/// Late requests by all requests, above which a run says nothing of the target.
const LATE_SHARE: f64 = 0.01;
/// So many may be late in any case: one hiccup of the machine must not make a run of four requests invalid.
const LATE_ALWAYS: u64 = 10;

/// What else stands in the document.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) plan: &'a Plan,
    pub(crate) started: String,
    pub(crate) seed: u64,
    pub(crate) target: String,
    pub(crate) interrupted: bool,
    pub(crate) threads: u32,
    pub(crate) max_vus: u32,
    pub(crate) thresholds: &'a [Threshold],
    /// `open` or `closed`, what was asked, and the timetable's length (open model).
    pub(crate) model: &'static str,
    pub(crate) asked: String,
    pub(crate) scheduled: Option<u64>,
    /// The timetable is one of requests.
    pub(crate) of_requests: bool,
    pub(crate) planned_s: f64,
    pub(crate) shard: Option<Shard>,
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What the answers were.
pub(crate) fn answers(totals: &Totals, facts: &Facts<'_>) -> Answers {
    let names: Vec<String> =
        names(facts.plan).into_iter().map(|(method, path)| format!("{method} {path}")).collect();
    totals.answered.document(facts.plan, facts.setup.block_s(), &names)
}

/// Methods and paths of the endpoints, with hosts where they have some.
fn names(plan: &Plan) -> Vec<(String, String)> {
    let of = |endpoint: &Endpoint| {
        let host = endpoint.host.as_deref().unwrap_or("");
        (endpoint.method.clone(), format!("{host}{}", endpoint.template))
    };
    plan.endpoints.all().iter().map(of).collect()
}

/// Writes it all down.
pub(crate) fn document(totals: &Totals, facts: &Facts<'_>) -> RunDocument {
    let seconds = totals.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9);
    let names = names(facts.plan);
    let name = |endpoint: u32| names.get(endpoint as usize).cloned().unwrap_or_default();
    let mut figures = Vec::new();
    let mut tags = Vec::new();
    for (number, (tally, (method, path))) in totals.endpoints.iter().zip(&names).enumerate() {
        if tally.requests == 0 {
            continue;
        }
        let tag = format!("e{number}");
        tags.push(TagName { tag: tag.clone(), endpoint: format!("{method} {path}") });
        figures.push(EndpointFigures::of(tag, method, path, tally, seconds));
    }
    figures.sort_by_key(|figure| std::cmp::Reverse(figure.requests));
    let thresholds = evaluate(totals, facts, &names, seconds);
    let (verdict, reasons) = verdict(totals, facts, &thresholds);
    let all = &totals.all;
    let spoken = facts.plan.protocols.iter().map(|protocol| protocol.name());
    RunDocument {
        schema: SCHEMA,
        verdict,
        reasons,
        started: facts.started.clone(),
        duration_s: rounded(seconds),
        seed: facts.seed,
        scenario: facts.plan.scenario.name.clone(),
        target: facts.target.clone(),
        interrupted: facts.interrupted,
        interleaved: facts
            .setup
            .turn
            .map(|turn| Interleaved { side: if turn.second { 'b' } else { 'a' }, block_s: turn.block_s }),
        shard: facts.shard.clone(),
        merged_from: Vec::new(),
        mirror: None,
        measured: totals.measuring.as_ref().map(Measuring::figures),
        requests: all.requests,
        failures: all.failures,
        requests_per_s: if seconds > 0.0 { rounded(all.requests as f64 / seconds) } else { 0.0 },
        bytes_in: all.bytes_in,
        bytes_out: all.bytes_out,
        total: TotalFigures {
            requests: all.requests,
            failures: all.failures,
            response_time_ms: Latency::of(&all.response),
            service_time_ms: Latency::of(&all.service),
            first_byte_ms: Latency::of(&all.first_byte),
            connections: all.connect.as_ref().map_or(0, |times| times.len()),
            connect_ms: all.connect.as_deref().map(Latency::of).unwrap_or_default(),
            tls_ms: all.tls.as_deref().map(Latency::of).unwrap_or_default(),
            protocols: ["HTTP/1.1", "h2"]
                .into_iter()
                .zip(totals.counters.protocols)
                .chain(spoken.zip(totals.counters.spoken.iter().copied()))
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            status: all.status.clone(),
            mismatches: all.mismatches,
        },
        endpoints: figures,
        profiles: profiles(totals, facts),
        metrics: totals
            .metrics
            .iter()
            .map(|(name, one)| MetricFigures::of(name, one.count, one.sum, one.values.as_ref(), seconds))
            .collect(),
        thresholds,
        fidelity: fidelity::fidelity(totals, facts),
        arrivals: arrivals(totals, facts),
        generator: generator(totals, facts),
        seconds: totals.seconds.clone(),
        failure_rows: failure_rows(totals, &name),
        mismatch_samples: totals
            .mismatches
            .iter()
            .map(|mismatch| {
                let (method, path) = name(mismatch.endpoint);
                MismatchSample {
                    endpoint: format!("{method} {path}"),
                    wanted: mismatch.wanted.clone(),
                    got: mismatch.got.clone(),
                }
            })
            .collect(),
        tags,
    }
}

fn evaluate(
    totals: &Totals,
    facts: &Facts<'_>,
    names: &[(String, String)],
    seconds: f64,
) -> Vec<ThresholdResult> {
    let called: Vec<String> = names.iter().map(|(method, path)| format!("{method} {path}")).collect();
    let shown: Vec<&str> = called.iter().map(String::as_str).collect();
    let profiles: Vec<&str> = facts.plan.profiles.iter().map(|profile| profile.name.as_str()).collect();
    let find = |wanted: &str| -> Option<&Tally> {
        let at = facts.plan.endpoints.called(wanted)?;
        totals.endpoints.get(at as usize).filter(|tally| tally.requests > 0)
    };
    let evaluated = |(number, threshold): (usize, &Threshold)| {
        let (tally, shown) = match (&threshold.endpoint, &threshold.profile) {
            (Some(wanted), _) => (find(wanted), shown.as_slice()),
            (None, Some(wanted)) => {
                let at = facts.plan.profile(wanted);
                (at.and_then(|at| totals.profiles.get(at as usize)), profiles.as_slice())
            }
            (None, None) => (Some(&totals.all), [].as_slice()),
        };
        let watched = totals.watches.iter().find(|watch| watch.number == number);
        let outcome = match (threshold.metric, watched.and_then(|watch| Some((watch, watch.worst?)))) {
            (Metric::SendLag(figure), _) if !totals.lag.is_empty() => {
                threshold.outcome(figure.of(&totals.lag).unwrap_or_default(), "")
            }
            (_, Some((watch, (worst, _)))) => threshold.outcome(worst, &watch.when()),
            // Shorter than a window: all of it is one.
            _ => threshold.evaluate(tally, seconds, shown),
        };
        ThresholdResult { expr: outcome.expr, ok: outcome.ok, value: outcome.value, text: outcome.text }
    };
    facts.thresholds.iter().enumerate().map(evaluated).collect()
}

/// A run without thresholds passes whatever fails; above this share that is said.
const UNWATCHED_FAILURES: f64 = 0.01;

/// What the generator ran out of, and that in words.
fn limits(totals: &Totals, facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let counters = &totals.counters;
    let mut limits = Vec::new();
    let answered = totals.lag.len();
    if totals.late > LATE_ALWAYS && totals.late as f64 > LATE_SHARE * answered as f64 {
        let busy = cpu_busy(totals);
        // What little it had to do was late all the same.
        let hint = if busy < 0.5 {
            "something else may keep the machine's cores: free them, lower the rate"
        } else {
            "lower the rate"
        };
        let why = format!(
            "the generator was too slow: {} of {answered} requests were sent more than {} late by its own fault \
             (its CPU was {:.0}% busy); {hint} or use more threads or machines",
            totals.late,
            format_duration(facts.setup.late_after),
            busy * 100.0
        );
        limits.push(("time", why));
    }
    if counters.no_files > 0 {
        let why = format!(
            "the generator ran out of file descriptors: {} connections could not be opened; raise the limit \
             (ulimit -n) or lower the rate",
            counters.no_files
        );
        limits.push(("files", why));
    }
    if counters.no_ports > 0 {
        let why = format!(
            "the generator ran out of local ports: {} connections could not be opened; use more source addresses or \
             lower the rate",
            counters.no_ports
        );
        limits.push(("ports", why));
    }
    if counters.dropped > 0 {
        let why = format!(
            "the generator reached its limit of {} virtual users: {} sessions of the timetable were not begun",
            facts.max_vus, counters.dropped
        );
        limits.push(("users", why));
    }
    if counters.unread > 0 {
        let why = format!(
            "the generator could not read {} sessions of its session files, and did not begin them: the failures say why",
            counters.unread
        );
        limits.push(("sessions", why));
    }
    limits
}

/// Invalid before failed: figures that say nothing of the target cannot fail it.
fn verdict(totals: &Totals, facts: &Facts<'_>, thresholds: &[ThresholdResult]) -> (Verdict, Vec<String>) {
    let counters = &totals.counters;
    let mut invalid: Vec<String> = limits(totals, facts).into_iter().map(|(_, why)| why).collect();
    let mut failed: Vec<String> =
        thresholds.iter().filter(|result| !result.ok).map(|result| result.text.clone()).collect();
    if totals.all.requests == 0 {
        failed.push("no request was made".to_owned());
    } else if totals.all.requests > 0 && totals.all.first_byte.is_empty() {
        failed.push(format!("none of {} requests was answered", totals.all.requests));
    }
    if counters.unsent > 0 {
        failed.push(format!(
            "the target did not keep up: {} of {} requests of the timetable were still waiting for a user 30 s after its end",
            counters.unsent,
            facts.scheduled.unwrap_or_default()
        ));
    }
    if totals.aborted.is_some() {
        failed.push("the run was ended by it before its time".to_owned());
    }
    if let Some(most) = totals.overran {
        failed.push(format!("the run was ended after {}, as --max-time says", format_duration(most.into())));
    }
    let verdict = match (invalid.is_empty(), failed.is_empty()) {
        (false, _) => Verdict::Invalid,
        (true, false) => Verdict::Fail,
        (true, true) => Verdict::Pass,
    };
    invalid.extend(failed);
    let all = &totals.all;
    if verdict == Verdict::Pass
        && thresholds.is_empty()
        && all.failures as f64 > UNWATCHED_FAILURES * all.requests as f64
    {
        invalid.push(format!(
            "{} of {} requests failed ({:.1}%), and no threshold says whether that is right: --threshold \
             'failure_rate < 1%' would",
            all.failures,
            all.requests,
            100.0 * all.failures as f64 / all.requests as f64
        ));
    }
    let watched = thresholds.iter().any(|result| result.expr.contains("mismatch"));
    if verdict == Verdict::Pass
        && !watched
        && all.mismatches as f64 > UNWATCHED_FAILURES * all.requests as f64
    {
        invalid.push(format!(
            "{} of {} answers are unlike the recorded ones, and no threshold says whether that is right: --threshold \
             'mismatch_rate < 1%' would",
            all.mismatches, all.requests
        ));
    }
    if counters.without_value > 0 {
        invalid.push(format!(
            "{} requests were sent with a recorded value where a correlation had none to give",
            counters.without_value
        ));
    }
    if counters.too_large > 0 {
        invalid.push(format!(
            "{} answers were not compared with the recorded ones in their bodies: these have more than 1 MiB",
            counters.too_large
        ));
    }
    for (set, count) in &counters.without_row {
        let rows =
            facts.plan.data.iter().find(|data| data.name == *set).map_or(0, |data| data.rows.rows.len());
        invalid.push(if facts.model == "closed" {
            format!(
                "{count} sessions were not begun, and users who had nothing else to do ended: [data.{set}] has {rows} rows, and each \
                 is sent once"
            )
        } else {
            format!("{count} sessions were not begun: [data.{set}] has {rows} rows, and each is sent once")
        });
    }
    if counters.identities_reused > 0 {
        invalid.push(format!(
            "{} sessions had an identity that an earlier one had ({} rows in the identities' file)",
            counters.identities_reused,
            facts.plan.identities.len()
        ));
    }
    invalid.extend(totals.notes.iter().cloned());
    (verdict, invalid)
}

fn cpu_busy(totals: &Totals) -> f64 {
    let (cpu, spun, wall) = totals.cpu;
    if wall == 0 { 0.0 } else { (cpu.saturating_sub(spun) as f64 / wall as f64).clamp(0.0, 1.0) }
}

fn profiles(totals: &Totals, facts: &Facts<'_>) -> Vec<ProfileFigures> {
    let counts = |at: usize| totals.counters.sessions.get(at).copied().unwrap_or_default();
    let of = |(at, profile): (usize, &crate::prepared::ProfilePlan)| {
        let (sessions, completed) = counts(at);
        let tally = totals.profiles.get(at);
        ProfileFigures {
            name: profile.name.clone(),
            sessions,
            completed,
            tag: format!("p{at}"),
            requests: tally.map_or(0, |tally| tally.requests),
            failures: tally.map_or(0, |tally| tally.failures),
            response_time_ms: tally.map(|tally| Latency::of(&tally.response)).unwrap_or_default(),
        }
    };
    facts.plan.profiles.iter().enumerate().map(of).collect()
}

fn arrivals(totals: &Totals, facts: &Facts<'_>) -> Arrivals {
    let started = totals.counters.sessions.iter().map(|(started, _)| started).sum();
    let completed = totals.counters.sessions.iter().map(|(_, completed)| completed).sum();
    Arrivals {
        model: facts.model.to_owned(),
        asked: facts.asked.clone(),
        planned_s: facts.planned_s,
        scheduled: facts.scheduled.filter(|_| !facts.of_requests).unwrap_or(started),
        scheduled_requests: facts.scheduled.filter(|_| facts.of_requests),
        started,
        completed,
    }
}

fn generator(totals: &Totals, facts: &Facts<'_>) -> GeneratorFigures {
    let lag = &totals.lag;
    let quantile = |q: f64| if lag.is_empty() { 0.0 } else { lag.value_at_quantile(q) as f64 };
    let mut errors = BTreeMap::new();
    for (kind, count) in Kind::ALL.iter().zip(totals.counters.errors) {
        if count > 0 {
            errors.insert(kind.name().to_owned(), count);
        }
    }
    GeneratorFigures {
        threads: facts.threads,
        send_lag_us: SendLag {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: if lag.is_empty() { 0.0 } else { lag.max() as f64 },
        },
        cpu_busy: rounded(cpu_busy(totals)),
        late_after_ms: facts.setup.late_after.0 as f64 / 1e6,
        late_arrivals: totals.late,
        held_back: totals.counters.held_back,
        limits: limits(totals, facts).into_iter().map(|(what, _)| what.to_owned()).collect(),
        errors,
    }
}

fn failure_rows(totals: &Totals, name: &dyn Fn(u32) -> (String, String)) -> Vec<FailureRow> {
    let mut rows: Vec<FailureRow> = totals
        .failures
        .iter()
        .map(|((endpoint, text), seen)| {
            let (method, path) = name(*endpoint);
            FailureRow {
                method,
                name: path,
                error: text.clone(),
                occurrences: seen.count,
                first_s: rounded(seen.first as f64 / 1e9),
                last_s: rounded(seen.last as f64 / 1e9),
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        b.occurrences.cmp(&a.occurrences).then_with(|| (&a.name, &a.error).cmp(&(&b.name, &b.error)))
    });
    rows
}
