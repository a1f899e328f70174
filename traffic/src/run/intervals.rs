//! `intervals.hlog`: the HdrHistogram interval log, one tagged histogram by endpoint, kind and second.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use super::tally::new_histogram;
use crate::Error;

/// The histograms of one second, by tag.
pub type Intervals = BTreeMap<String, Histogram<u64>>;

/// Writes the log second by second.
pub struct IntervalWriter {
    path: PathBuf,
    out: BufWriter<File>,
    serializer: V2DeflateSerializer,
    started: SystemTime,
    begun: bool,
}

impl IntervalWriter {
    /// Begins the log of a run that started at `started`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: impl AsRef<Path>, started: SystemTime) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        Ok(IntervalWriter {
            path,
            out: BufWriter::new(file),
            serializer: V2DeflateSerializer::new(),
            started,
            begun: false,
        })
    }

    /// Adds the histograms of the second that began `second` seconds after the start. Empty ones are left out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, second: u32, intervals: &Intervals) -> Result<(), Error> {
        let io =
            |error: &dyn std::fmt::Display| Error::io(&self.path, std::io::Error::other(error.to_string()));
        let mut builder = IntervalLogWriterBuilder::new();
        if !self.begun {
            builder
                .add_comment("mynah: microseconds, one histogram by endpoint, kind and second; run.json names the tags")
                .with_start_time(self.started)
                .with_base_time(self.started);
        }
        let mut log =
            builder.begin_log_with(&mut self.out, &mut self.serializer).map_err(|error| io(&error))?;
        self.begun = true;
        for (tag, histogram) in intervals.iter().filter(|(_, histogram)| !histogram.is_empty()) {
            let Some(name) = Tag::new(tag) else {
                return Err(Error::Limit(format!("'{tag}' cannot be a tag of an interval log")));
            };
            // The unit of the log's own "max" column: with 1000 it reads as milliseconds.
            log.write_histogram(
                histogram,
                Duration::from_secs(u64::from(second)),
                Duration::from_secs(1),
                Some(name),
            )
            .map_err(|error| io(&format!("{error:?}")))?;
        }
        Ok(())
    }

    /// Ends the log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), Error> {
        std::io::Write::flush(&mut self.out).map_err(|error| Error::io(&self.path, error))
    }
}

/// Reads a log back.
pub struct IntervalReader {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl IntervalReader {
    /// Opens a log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        Ok(IntervalReader { path, bytes })
    }

    /// Calls `visit` with the second, the tag and the histogram of each line.
    ///
    /// # Errors
    /// When a line cannot be understood.
    pub fn each(&self, mut visit: impl FnMut(u32, &str, Histogram<u64>)) -> Result<(), Error> {
        let broken =
            |message: String| Error::NotA { path: self.path.clone(), wanted: "interval log", found: message };
        let mut deserializer = Deserializer::new();
        for entry in IntervalLogIterator::new(&self.bytes) {
            let LogEntry::Interval(interval) = entry.map_err(|error| broken(format!("{error:?}")))? else {
                continue;
            };
            let bytes = base64_of(interval.encoded_histogram())
                .ok_or_else(|| broken("a histogram is not base64".to_owned()))?;
            let histogram: Histogram<u64> = deserializer
                .deserialize(&mut bytes.as_slice())
                .map_err(|error| broken(format!("{error:?}")))?;
            let tag = interval.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default();
            visit(interval.start_timestamp().as_secs() as u32, &tag, histogram);
        }
        Ok(())
    }

    /// All seconds together, by tag.
    ///
    /// # Errors
    /// As [`IntervalReader::each`].
    pub fn totals(&self) -> Result<Intervals, Error> {
        let mut totals = Intervals::new();
        self.each(|_, tag, histogram| {
            let total = totals.entry(tag.to_owned()).or_insert_with(new_histogram);
            // It grows as it must: adding cannot fail.
            let _ = total.add(&histogram);
        })?;
        Ok(totals)
    }
}

fn base64_of(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
