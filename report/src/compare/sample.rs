//! A run as the comparison needs it: by endpoint, the response times of each second.

use std::collections::BTreeMap;

use mynah_traffic::Error;
use mynah_traffic::run::{Answers, Interleaved, RunDocument, RunFolder};

/// The response times of one second: value in microseconds, and how often.
pub(super) type Second = Vec<(u64, u64)>;

/// Requests of one endpoint, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// By second of the run; those without requests are not there.
    pub(super) seconds: BTreeMap<u32, Second>,
    /// Requests that ended.
    pub(super) requests: u64,
    /// Of those, failed.
    pub(super) failures: u64,
}

/// One run, to be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Where it is, for the report.
    pub name: String,
    /// By endpoint, `GET /items/{id}`.
    pub(super) endpoints: BTreeMap<String, Series>,
    /// All together.
    pub(super) all: Series,
    /// What was played, and what was asked for.
    pub(super) scenario: String,
    pub(super) asked: String,
    /// Seconds that were measured.
    pub(super) duration_s: f64,
    /// What its answers were, where it tells.
    pub(super) answers: Option<Answers>,
    /// Which part of an interleaved run it is.
    pub(super) interleaved: Option<Interleaved>,
    /// Why its figures say nothing, where they do not.
    pub(super) invalid: Option<String>,
}

impl Sample {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(folder: &RunFolder) -> Result<Sample, Error> {
        let document = folder.document()?;
        let mut sample = Sample::of(&document, folder.path().display().to_string());
        sample.answers = folder.answers()?;
        let names: BTreeMap<&str, &str> =
            document.tags.iter().map(|tag| (tag.tag.as_str(), tag.endpoint.as_str())).collect();
        folder.intervals()?.each(|second, tag, histogram| {
            let Some(name) = tag.strip_suffix(".response").and_then(|tag| names.get(tag)) else { return };
            let values = histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value()));
            sample.add(name, second, values.collect());
        })?;
        Ok(sample)
    }

    /// With what the document says; the times are to be added.
    fn of(document: &RunDocument, name: String) -> Sample {
        let count = |requests, failures| Series { requests, failures, ..Series::default() };
        Sample {
            name,
            endpoints: document
                .endpoints
                .iter()
                .map(|e| (format!("{} {}", e.method, e.name), count(e.requests, e.failures)))
                .collect(),
            all: count(document.requests, document.failures),
            scenario: document.scenario.clone(),
            asked: document.arrivals.asked.clone(),
            duration_s: document.duration_s,
            answers: None,
            interleaved: document.interleaved,
            invalid: (document.verdict == mynah_traffic::run::Verdict::Invalid)
                .then(|| {
                    document
                        .reasons
                        .first()
                        .cloned()
                        .unwrap_or_else(|| "its generator was the bottleneck".into())
                })
                .or_else(|| (document.requests == 0).then(|| "no request was made".to_owned())),
        }
    }

    /// Adds an endpoint's response times in a second.
    pub(super) fn add(&mut self, endpoint: &str, second: u32, values: Second) {
        let all = self.all.seconds.entry(second).or_default();
        all.extend_from_slice(&values);
        let series = self.endpoints.entry(endpoint.to_owned()).or_default();
        series.seconds.entry(second).or_default().extend(values);
    }

    /// The endpoint's series; `None`: all together.
    pub(super) fn series(&self, endpoint: Option<&str>) -> Option<&Series> {
        endpoint.map_or(Some(&self.all), |endpoint| self.endpoints.get(endpoint))
    }
}

impl Series {
    /// Response times that there are.
    pub(super) fn answers(&self) -> u64 {
        self.seconds.values().flatten().map(|(_, count)| count).sum()
    }

    /// The quantile of all, in microseconds; `None` where there are none.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        quantile_of(self.seconds.values(), quantile)
    }

    /// The windows of so many seconds that have at least half as many answers as the mean one: not the end of a run, in which late
    /// answers come.
    pub(super) fn full_windows(&self, seconds: u32) -> Vec<u32> {
        let mut windows: BTreeMap<u32, u64> = BTreeMap::new();
        for (second, values) in &self.seconds {
            let answers: u64 = values.iter().map(|(_, count)| count).sum();
            *windows.entry(second / seconds.max(1)).or_default() += answers;
        }
        let mean = self.answers() / (windows.len() as u64).max(1);
        windows.into_iter().filter(|(_, answers)| answers * 2 >= mean).map(|(window, _)| window).collect()
    }

    /// The quantile of each window of so many seconds, by the window's number; of windows with fewer answers than `least` none.
    pub(super) fn windows(&self, seconds: u32, quantile: f64, least: u64) -> BTreeMap<u32, f64> {
        let mut windows: BTreeMap<u32, Vec<&Second>> = BTreeMap::new();
        for (second, values) in &self.seconds {
            windows.entry(second / seconds.max(1)).or_default().push(values);
        }
        windows
            .into_iter()
            .filter(|(_, values)| values.iter().flat_map(|v| v.iter()).map(|(_, n)| n).sum::<u64>() >= least)
            .filter_map(|(window, values)| Some((window, quantile_of(values, quantile)?)))
            .collect()
    }
}

/// The quantile of some seconds together: as in HDR histograms, the smallest value that so large a share of all does not exceed.
pub(super) fn quantile_of<'s>(seconds: impl IntoIterator<Item = &'s Second>, quantile: f64) -> Option<f64> {
    let mut values: Vec<(u64, u64)> = seconds.into_iter().flatten().copied().collect();
    values.sort_unstable();
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    let rank = ((quantile * all as f64).ceil() as u64).clamp(1, all.max(1));
    let mut below = 0;
    for (value, count) in values {
        below += count;
        if below >= rank {
            return Some(value as f64);
        }
    }
    None
}
