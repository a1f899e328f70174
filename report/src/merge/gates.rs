//! Thresholds over merged figures.
//!
//! Most can be evaluated as if one machine had measured. Three are bounded by what the shards say instead: send lag (no histogram of
//! it is kept), and within windows mismatches of all and counts of one endpoint (not kept by second). Of a share the merged one lies
//! between the shards'; counts and rates add up to no more than the worst windows together. What holds for the bound holds.

use std::collections::BTreeMap;

use mynah_traffic::run::{ProfileFigures, Tally, ThresholdResult, Verdict};
use mynah_traffic::threshold::{Metric, Op, Outcome, Threshold};
use mynah_traffic::watch::{Scope, Watch};

use super::{Endpoints, Part, Times};

/// Every threshold anew, and why the run fails, as sentences.
pub(super) fn evaluate(
    parts: &[Part],
    first: &Part,
    endpoints: &Endpoints,
    profiles: &[ProfileFigures],
    all: &Tally,
    times: &Times,
    duration_s: f64,
) -> (Vec<ThresholdResult>, Vec<String>) {
    let names: Vec<&str> = endpoints.keys().map(String::as_str).collect();
    let profile_names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let mut results = Vec::new();
    let mut failed = Vec::new();
    for gate in &first.document.thresholds {
        let Ok(threshold) = gate.expr.parse::<Threshold>() else {
            // Written by another version: what the shards say of it is all there is.
            results.push(gate.clone());
            failed.extend((!gate.ok).then(|| gate.text.clone()));
            continue;
        };
        let of_profile = threshold.profile.as_ref().map(|name| profile(profiles, name, times));
        let tally = match (&threshold.endpoint, &of_profile) {
            (Some(name), _) => endpoints.get(name).map(|(_, tally)| tally),
            (None, Some(profile)) => profile.as_ref(),
            (None, None) => Some(all),
        };
        let names = if of_profile.is_some() { &profile_names } else { &names };
        let outcome = match (threshold.metric, threshold.window) {
            (Metric::SendLag(_), _) => bound(parts, &threshold),
            (_, Some(_)) => {
                window(parts, &threshold, (endpoints, profiles), times).or_else(|| bound(parts, &threshold))
            }
            (_, None) => None,
        };
        // In a window, what nobody measured was not measured: the whole run is no window.
        let tally = tally.filter(|_| threshold.window.is_none());
        let outcome = outcome.unwrap_or_else(|| threshold.evaluate(tally, duration_s, names));
        failed.extend((!outcome.ok).then(|| outcome.text.clone()));
        results.push(ThresholdResult {
            expr: outcome.expr,
            ok: outcome.ok,
            value: outcome.value,
            text: outcome.text,
        });
    }
    let unlike = parts.iter().filter(|part| {
        let exprs =
            |part: &Part| part.document.thresholds.iter().map(|gate| gate.expr.clone()).collect::<Vec<_>>();
        exprs(part) != exprs(first)
    });
    failed
        .extend(unlike.map(|part| format!("{} had other thresholds than {}", part.called(), first.called())));
    for part in parts {
        let arrivals = &part.document.arrivals;
        let unsent = arrivals.scheduled_requests.is_some_and(|scheduled| part.document.requests < scheduled);
        if part.document.verdict == Verdict::Fail && (arrivals.started < arrivals.scheduled || unsent) {
            failed.push(format!("{} was ended before its time", part.called()));
        }
    }
    if all.requests == 0 {
        failed.push("no request was made".to_owned());
    } else if all.status.is_empty() && all.first_byte.is_empty() {
        failed.push(format!("none of {} requests was answered", all.requests));
    }
    (results, failed)
}

/// The tag of a profile's response times.
pub(super) fn time_of(profile: &ProfileFigures) -> String {
    format!("{}.time", profile.tag)
}

fn profile(profiles: &[ProfileFigures], name: &str, times: &Times) -> Option<Tally> {
    let profile = profiles.iter().find(|profile| profile.name == name)?;
    Some(Tally {
        requests: profile.requests,
        failures: profile.failures,
        response: times.total(&time_of(profile)),
        ..Tally::default()
    })
}

/// The worst window; `None` where what it needs is not kept by second.
fn window(
    parts: &[Part],
    threshold: &Threshold,
    (endpoints, profiles): (&Endpoints, &[ProfileFigures]),
    times: &Times,
) -> Option<Outcome> {
    let (kind, counts) = match threshold.metric {
        Metric::Response(_) => ("response", false),
        Metric::Service(_) => ("service", false),
        Metric::FirstByte(_) => ("first_byte", false),
        Metric::Connect(_) => ("connect", false),
        Metric::Tls(_) => ("tls", false),
        _ => ("", true),
    };
    let of_mismatches = matches!(threshold.metric, Metric::Mismatches | Metric::MismatchRate);
    if counts && (threshold.endpoint.is_some() || threshold.profile.is_some() || of_mismatches) {
        return None;
    }
    // One tag, or all endpoints' together.
    let tag = match (&threshold.endpoint, &threshold.profile) {
        (Some(name), _) => Some(format!("{}.{kind}", endpoints.get(name)?.0.tag)),
        (None, Some(name)) => Some(time_of(profiles.iter().find(|profile| profile.name == *name)?)),
        (None, None) => matches!(kind, "connect" | "tls").then(|| kind.to_owned()),
    };
    let mut seconds: BTreeMap<u32, Tally> = BTreeMap::new();
    for second in parts.iter().flat_map(|part| &part.document.seconds) {
        let tally = seconds.entry(second.t).or_default();
        tally.requests += second.requests;
        tally.failures += second.failures;
    }
    let planned_s = parts.iter().map(|part| part.document.arrivals.planned_s).fold(0.0, f64::max);
    let mut watch = Watch::new(0, threshold, Scope::All)?;
    let last = seconds.keys().next_back().copied()?;
    for second in 0..=last {
        let mut tally = seconds.remove(&second).unwrap_or_default();
        if !counts {
            let own = tag.as_ref().map_or_else(|| times.second(second, kind), |tag| times.at(second, tag));
            match threshold.metric {
                Metric::Service(_) => tally.service = own,
                Metric::FirstByte(_) => tally.first_byte = own,
                Metric::Connect(_) => tally.connect = Some(Box::new(own)),
                Metric::Tls(_) => tally.tls = Some(Box::new(own)),
                _ => tally.response = own,
            }
        }
        let _ = watch.second(second, tally, f64::from(second + 1) <= planned_s);
    }
    let (worst, _) = watch.worst?;
    Some(threshold.outcome(worst, &watch.when()))
}

/// What the merged value is no worse than; `None` where a shard says nothing.
fn bound(parts: &[Part], threshold: &Threshold) -> Option<Outcome> {
    let values: Vec<f64> = parts
        .iter()
        .filter_map(|part| part.document.thresholds.iter().find(|gate| gate.expr == threshold.expr)?.value)
        .collect();
    // A shard that measured nothing says nothing.
    let values = Some(values).filter(|values| !values.is_empty())?;
    let adds_up = matches!(
        threshold.metric,
        Metric::Requests | Metric::Failures | Metric::Mismatches | Metric::RequestsPerSecond
    );
    let value = match (adds_up, threshold.op) {
        (true, _) => values.iter().sum(),
        (false, Op::Less | Op::AtMost) => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        (false, Op::More | Op::AtLeast) => values.iter().copied().fold(f64::INFINITY, f64::min),
    };
    Some(threshold.outcome(value, " at worst, by what the shards say"))
}
