//! The summary.

use std::collections::BTreeMap;
use std::io::Write;

use mynah_grouping::Options;
use mynah_traffic::recording::{Audit, CaptureCounts};
use mynah_traffic::units::{format_duration, format_time};
use mynah_traffic::{Flag, Nanos, Provenance};
use serde::Serialize;

use super::Stopped;
use crate::input::Inputs;
use crate::pipeline::list;
use crate::terminal;

/// `inspect --json`: DESIGN §4.
#[derive(Serialize)]
struct Summary {
    format: &'static str,
    masked: bool,
    exchanges: u64,
    requests_without_response: u64,
    responses_without_request: u64,
    sessions: u64,
    started: Option<String>,
    duration_s: f64,
    endpoints: Vec<Endpoint>,
    capture: Counts,
    masked_values: BTreeMap<String, u64>,
    quarantined: BTreeMap<String, u64>,
    flags: BTreeMap<&'static str, u64>,
    warnings: Vec<String>,
}

/// An endpoint as in the summary and in `--endpoints --json`.
#[derive(Serialize)]
pub(super) struct Endpoint {
    method: String,
    host: String,
    template: String,
    requests: u64,
    status: BTreeMap<u16, u64>,
}

impl From<mynah_grouping::EndpointCount> for Endpoint {
    fn from(count: mynah_grouping::EndpointCount) -> Self {
        Endpoint {
            method: count.endpoint.method.clone(),
            template: count.endpoint.template.to_string(),
            host: count.host,
            requests: count.requests,
            status: count.status,
        }
    }
}

impl Endpoint {
    /// For people.
    pub(super) fn line(&self) -> String {
        let statuses: Vec<String> =
            self.status.iter().map(|(status, count)| format!("{status} x {count}")).collect();
        format!(
            "{:>8}  {} {}{}  {}",
            self.requests,
            self.method,
            self.host,
            self.template,
            statuses.join(", ")
        )
    }
}

#[derive(Serialize)]
struct Counts {
    seen: u64,
    captured: u64,
    dropped_by_kernel: u64,
    dropped_by_mynah: u64,
    gaps: u64,
    evicted: u64,
}

impl From<CaptureCounts> for Counts {
    fn from(counts: CaptureCounts) -> Self {
        let CaptureCounts { seen, captured, dropped_by_kernel, dropped_by_mynah, gaps, evicted } = counts;
        Counts { seen, captured, dropped_by_kernel, dropped_by_mynah, gaps, evicted }
    }
}

fn collect(inputs: &Inputs, options: &Options) -> Result<Summary, Stopped> {
    let (mut exchanges, mut no_response, mut no_request) = (0, 0, 0);
    let (mut first, mut last) = (None::<Nanos>, Nanos(0));
    let mut flags: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut counts = CaptureCounts::default();
    let mut warnings = Vec::new();
    let mut format = "mynah";
    let (mut masked_values, mut quarantined) = (BTreeMap::new(), BTreeMap::new());
    for input in inputs.iter() {
        let mut stream = input.open()?;
        for exchange in stream.by_ref() {
            let exchange = exchange?;
            exchanges += 1;
            no_response += u64::from(exchange.response.is_none());
            no_request += u64::from(exchange.request.is_none());
            for flag in
                exchange.flags.iter().filter(|flag| !matches!(flag, Flag::NoResponse | Flag::NoRequest))
            {
                *flags.entry(flag.name()).or_default() += 1;
            }
            let start = exchange.times.request_first;
            first = Some(first.map_or(start, |first| first.min(start)));
            last = last.max(exchange.times.end());
        }
        counts.add(&stream.counts());
        warnings.extend(stream.warnings());
        format = stream.format();
        if let Some(summary) = stream.summary() {
            masked_values.clone_from(&summary.masked);
            quarantined.clone_from(&summary.quarantined);
        }
    }
    let open = || inputs.open();
    Ok(Summary {
        format,
        masked: inputs.masked(),
        exchanges,
        requests_without_response: no_response,
        responses_without_request: no_request,
        sessions: mynah_grouping::sessionise(&open, options)?.len() as u64,
        started: first.map(format_time),
        duration_s: first.map_or(0.0, |first| last.since(first).as_secs_f64()),
        endpoints: mynah_grouping::endpoints(&open, options)?.into_iter().map(Into::into).collect(),
        capture: counts.into(),
        masked_values,
        quarantined,
        flags,
        warnings,
    })
}

/// Writes the summary.
pub(super) fn summary(
    inputs: &Inputs,
    options: &Options,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    let summary = collect(inputs, options)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &summary).map_err(std::io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    for input in inputs.iter() {
        let state = match input.header() {
            None => format!("{} (never masked)", summary.format),
            Some(header) => match (header.provenance, header.audit) {
                (Provenance::Unmasked, _) => "recording, NOT masked (--unmasked)".to_owned(),
                (Provenance::Policy, Audit::Passed) => "recording, masked, audit passed".to_owned(),
                (Provenance::Policy, _) => "recording, never sealed: masking is not proven".to_owned(),
            },
        };
        writeln!(out, "{}: {state}", input.path().display())?;
    }
    let rate = if summary.duration_s > 0.0 { summary.exchanges as f64 / summary.duration_s } else { 0.0 };
    let started = summary.started.as_deref().unwrap_or("-");
    writeln!(
        out,
        "exchanges   {} in {} from {started} ({rate:.1}/s)",
        summary.exchanges,
        format_duration(Nanos::from_secs_f64(summary.duration_s)),
    )?;
    if summary.requests_without_response + summary.responses_without_request > 0 {
        writeln!(
            out,
            "unpaired    {} requests without response, {} responses without request",
            summary.requests_without_response, summary.responses_without_request
        )?;
    }
    writeln!(out, "sessions    {}", summary.sessions)?;
    let capture = &summary.capture;
    writeln!(
        out,
        "capture     {} seen = {} captured + {} dropped by kernel + {} dropped by mynah; {} gaps, {} evicted",
        capture.seen,
        capture.captured,
        capture.dropped_by_kernel,
        capture.dropped_by_mynah,
        capture.gaps,
        capture.evicted
    )?;
    if summary.masked {
        writeln!(out, "masked      {}", list(&summary.masked_values, "nothing was found to be sensitive"))?;
    }
    if !summary.quarantined.is_empty() {
        writeln!(out, "withheld    {}", list(&summary.quarantined, "nothing"))?;
    }
    if !summary.flags.is_empty() {
        let flags = summary.flags.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        writeln!(out, "flags       {}", list(&flags, "none"))?;
    }
    writeln!(out, "endpoints   requests, template, answers by status")?;
    for endpoint in &summary.endpoints {
        writeln!(out, "{}", endpoint.line())?;
    }
    for warning in &summary.warnings {
        terminal::warn(warning);
    }
    Ok(())
}
