//! Histograms by second, of several logs added up. Adding counts bucket by bucket loses nothing: all of mynah's histograms have the
//! same buckets.

use std::collections::BTreeMap;
use std::time::SystemTime;

use hdrhistogram::Histogram;
use mynah_traffic::run::{Intervals, RunFolder, new_histogram};

use crate::Error;

/// Counts by value in microseconds: what a histogram holds, at a tenth of its size.
type Counts = BTreeMap<u64, u64>;

/// By second and tag.
#[derive(Default)]
pub(crate) struct Times {
    seconds: BTreeMap<u32, BTreeMap<String, Counts>>,
}

impl Times {
    /// Adds a log. `tags`: what its tags are called in the merged one.
    pub(crate) fn read(&mut self, folder: &RunFolder, tags: &BTreeMap<&str, String>) -> Result<(), Error> {
        folder.intervals()?.each(|second, tag, histogram| {
            let renamed = tag
                .split_once('.')
                .and_then(|(endpoint, kind)| Some(format!("{}.{kind}", tags.get(endpoint)?)))
                .unwrap_or_else(|| tag.to_owned());
            let counts = self.seconds.entry(second).or_default().entry(renamed).or_default();
            for value in histogram.iter_recorded() {
                *counts.entry(value.value_iterated_to()).or_default() += value.count_at_value();
            }
        })?;
        Ok(())
    }

    /// All seconds of one tag: `e12.response`, `connect`.
    pub(crate) fn total(&self, tag: &str) -> Histogram<u64> {
        histogram(self.seconds.values().filter_map(|second| second.get(tag)))
    }

    /// One second of one tag.
    pub(crate) fn at(&self, second: u32, tag: &str) -> Histogram<u64> {
        histogram(self.seconds.get(&second).and_then(|tags| tags.get(tag)))
    }

    /// One second of all endpoints.
    pub(crate) fn second(&self, second: u32, kind: &str) -> Histogram<u64> {
        let own = |name: &str| name.split_once('.').is_some_and(|(_, is)| is == kind);
        let all = self.seconds.get(&second).into_iter().flatten();
        histogram(all.filter(|(name, _)| own(name)).map(|(_, counts)| counts))
    }

    /// Writes them down.
    pub(crate) fn write(&self, folder: &RunFolder, started: SystemTime) -> Result<(), Error> {
        let mut writer = folder.intervals_writer(started)?;
        for (second, tags) in &self.seconds {
            let intervals: Intervals =
                tags.iter().map(|(tag, counts)| (tag.clone(), histogram([counts]))).collect();
            writer.write(*second, &intervals)?;
        }
        Ok(writer.finish()?)
    }
}

fn histogram<'c>(all: impl IntoIterator<Item = &'c Counts>) -> Histogram<u64> {
    let mut histogram = new_histogram();
    for (value, count) in all.into_iter().flatten() {
        // It grows as it must: recording cannot fail.
        let _ = histogram.record_n(*value, *count);
    }
    histogram
}
