//! What the page's charts are drawn from: a run's response times by column of time, and by endpoint.
//!
//! However long the run, there are at most 300 columns and what they hold is bounded: the interval log is read once, and
//! each of its lines is added to a column and to an endpoint.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use mynah_traffic::Error;
use mynah_traffic::run::{RunDocument, RunFolder, new_histogram};

/// Seconds are put together until there are no more columns than these.
pub(crate) const COLUMNS: usize = 300;

/// One run, or several of a side laid over each other from their starts.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Seconds a column holds.
    pub(crate) width_s: u32,
    /// By time.
    pub(crate) columns: Vec<Column>,
    /// All response times, microseconds.
    pub(crate) all: Option<Histogram<u64>>,
    /// The same by endpoint, `GET /items/{id}`, to two digits.
    pub(crate) endpoints: BTreeMap<String, Histogram<u64>>,
}

/// Some seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    /// Seconds from the start.
    pub(crate) from_s: u32,
    /// Requests that ended, by second; of several runs their mean.
    pub(crate) requests: f64,
    /// Of those, failed.
    pub(crate) failures: f64,
    /// Virtual users, at most.
    pub(crate) users: u32,
    /// Response times, microseconds. `None`: there is no interval log.
    pub(crate) times: Option<Histogram<u64>>,
    /// p50, p95 and p99 in ms as `run.json` has them, where there is no interval log.
    pub(crate) known: Option<[f64; 3]>,
}

impl Column {
    /// A quantile in milliseconds; `None` where nothing ended.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        match (&self.times, self.known) {
            (Some(times), _) => (!times.is_empty()).then(|| times.value_at_quantile(quantile) as f64 / 1e3),
            (None, Some(known)) => {
                let kept = [0.5, 0.95, 0.99].into_iter().zip(known);
                kept.into_iter().find(|(at, _)| (at - quantile).abs() < 1e-9).map(|(_, value)| value)
            }
            (None, None) => None,
        }
    }
}

impl Timeline {
    /// Reads a run's interval log; without one (`run.json` alone) there are the seconds that the document has.
    ///
    /// # Errors
    /// When there is a log and it cannot be understood.
    pub fn read(folder: &RunFolder, document: &RunDocument) -> Result<Timeline, Error> {
        Timeline::side(&[(folder, document)])
    }

    /// The same of several runs together.
    ///
    /// # Errors
    /// As [`Timeline::read`].
    pub fn side(runs: &[(&RunFolder, &RunDocument)]) -> Result<Timeline, Error> {
        let seconds =
            runs.iter().filter_map(|(_, run)| run.seconds.last()).map(|last| last.t + 1).max().unwrap_or(0);
        let mut timeline = Timeline::empty(seconds);
        for (folder, document) in runs {
            timeline.count(document, runs.len() as f64);
            if folder.path().join(mynah_traffic::run::INTERVALS).is_file() {
                timeline.add(folder, document)?;
            } else if runs.len() == 1 {
                timeline.take_known(document);
            }
        }
        for times in timeline.columns.iter().filter_map(|column| column.times.as_ref()) {
            let _ = timeline.all.get_or_insert_with(new_histogram).add(times);
        }
        Ok(timeline)
    }

    /// From the document alone.
    pub fn of(document: &RunDocument) -> Timeline {
        let mut timeline = Timeline::empty(document.seconds.last().map_or(0, |last| last.t + 1));
        timeline.count(document, 1.0);
        timeline.take_known(document);
        timeline
    }

    fn empty(seconds: u32) -> Timeline {
        let width_s = seconds.div_ceil(COLUMNS as u32).max(1);
        let columns = (0..seconds.div_ceil(width_s))
            .map(|at| Column { from_s: at * width_s, ..Column::default() })
            .collect();
        Timeline { width_s, columns, ..Timeline::default() }
    }

    fn column(&mut self, second: u32) -> Option<&mut Column> {
        self.columns.get_mut((second / self.width_s.max(1)) as usize)
    }

    fn count(&mut self, document: &RunDocument, runs: f64) {
        // The last column may be shorter than the others.
        let end = document.seconds.last().map_or(0, |last| last.t + 1);
        for second in &document.seconds {
            let width = self.width_s;
            let Some(column) = self.column(second.t) else { continue };
            let wide = f64::from(width.min(end.saturating_sub(column.from_s)).max(1)) * runs;
            column.requests += second.requests as f64 / wide;
            column.failures += second.failures as f64 / wide;
            column.users = column.users.max(second.users);
        }
    }

    fn take_known(&mut self, document: &RunDocument) {
        if self.width_s != 1 {
            // Percentiles of seconds do not add up to those of a minute.
            return;
        }
        for second in document.seconds.iter().filter(|second| second.requests > 0) {
            if let Some(column) = self.column(second.t) {
                column.known = Some([second.p50, second.p95, second.p99]);
            }
        }
    }

    fn add(&mut self, folder: &RunFolder, document: &RunDocument) -> Result<(), Error> {
        let names: BTreeMap<&str, &str> =
            document.tags.iter().map(|tag| (tag.tag.as_str(), tag.endpoint.as_str())).collect();
        folder.intervals()?.each(|second, tag, histogram| {
            let Some(name) = tag.strip_suffix(".response").and_then(|tag| names.get(tag)) else { return };
            // They grow as they must: adding cannot fail.
            // What ended after the last second stands in the last column.
            let last = self.columns.len().saturating_sub(1);
            let at = ((second / self.width_s.max(1)) as usize).min(last);
            if let Some(column) = self.columns.get_mut(at) {
                let _ = column.times.get_or_insert_with(new_histogram).add(&histogram);
            }
            if !self.endpoints.contains_key(*name) {
                self.endpoints.insert((*name).to_owned(), coarse());
            }
            if let Some(total) = self.endpoints.get_mut(*name) {
                let _ = total.add(&histogram);
            }
        })?;
        Ok(())
    }

    /// Whether there are distributions to show.
    pub(crate) fn has_times(&self) -> bool {
        self.all.as_ref().is_some_and(|all| !all.is_empty())
    }

    /// The end of the last column, in seconds.
    pub(crate) fn end_s(&self) -> u32 {
        self.columns.last().map_or(0, |last| last.from_s + self.width_s)
    }
}

/// Two digits are more than a curve shows, and take a seventh of the memory: there may be a thousand.
fn coarse() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 2).unwrap_or_else(|_| new_histogram());
    histogram.auto(true);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::document;
    use mynah_traffic::run::SecondFigures;

    #[test]
    fn hours_fit_in_three_hundred_columns_and_nothing_is_lost() {
        let seconds = 4 * 3600 + 7;
        let mut run = document();
        run.seconds = (0..seconds)
            .map(|t| SecondFigures { t, requests: 3, users: t % 5, p50: 1.0, ..SecondFigures::default() })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(folder.path()).unwrap();
        let mut log = folder.intervals_writer(std::time::SystemTime::UNIX_EPOCH).unwrap();
        for second in (0..seconds).step_by(100) {
            let mut histogram = new_histogram();
            histogram.record_n(u64::from(second) + 1, 3).unwrap();
            log.write(second, &BTreeMap::from([("e0.response".to_owned(), histogram)])).unwrap();
        }
        log.finish().unwrap();
        let timeline = Timeline::read(&folder, &run).unwrap();
        assert!(timeline.columns.len() <= COLUMNS && timeline.end_s() >= seconds);
        assert!(timeline.columns.iter().all(|c| (c.requests - 3.0).abs() < 1e-9), "{timeline:?}");
        let of_columns: u64 =
            timeline.columns.iter().filter_map(|c| c.times.as_ref()).map(Histogram::len).sum();
        assert_eq!(of_columns, u64::from(seconds.div_ceil(100)) * 3);
        assert_eq!(timeline.all.unwrap().len(), of_columns);
        assert_eq!(timeline.endpoints["GET /items/{id}"].len(), of_columns);
    }

    #[test]
    fn without_a_log_there_are_the_seconds_of_the_document() {
        let timeline = Timeline::of(&document());
        assert!(!timeline.has_times() && timeline.columns.len() == 10);
        let column = &timeline.columns[0];
        assert_eq!(
            [0.5, 0.95, 0.99, 0.9].map(|q| column.quantile(q)),
            [Some(1.0), Some(2.0), Some(3.0), None]
        );
        assert!(Timeline::default().columns.is_empty());
    }
}
