//! The folder of a run.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ANSWERS_SCHEMA, Answers, FailureRow, IntervalReader, IntervalWriter, RunDocument, SCHEMA};
use crate::Error;

/// `run.json`
pub const DOCUMENT: &str = "run.json";
/// `intervals.hlog`
pub const INTERVALS: &str = "intervals.hlog";
/// `failures.csv`
pub const FAILURES: &str = "failures.csv";
/// `shapes.json`
pub const SHAPES: &str = "shapes.json";
/// `report.html`
pub const HTML: &str = "report.html";

/// What stands in every `run.json`, whatever its form.
#[derive(serde::Deserialize)]
struct Version {
    schema: u32,
}

/// The folder of a run, to write or to read.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder (and those above it) where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        std::fs::create_dir_all(&path).map_err(|error| Error::io(&path, error))?;
        Ok(RunFolder { path })
    }

    /// Takes away what an earlier run left in it, and in its two sides where it had these: nothing of that must be taken for the
    /// next one's.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> Result<(), Error> {
        for part in ["", "baseline", "candidate"] {
            let folder = self.path.join(part);
            for file in [DOCUMENT, INTERVALS, FAILURES, SHAPES, HTML] {
                let path = folder.join(file);
                match std::fs::remove_file(&path) {
                    Err(error)
                        if !matches!(
                            error.kind(),
                            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                        ) =>
                    {
                        return Err(Error::io(&path, error));
                    }
                    _ => {}
                }
            }
            // One that holds nothing else.
            if !part.is_empty() {
                let _ = std::fs::remove_dir(&folder);
            }
        }
        Ok(())
    }

    /// Takes an existing folder; `run.json` itself may be named too.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let path = if path.file_name().is_some_and(|name| name == DOCUMENT) {
            path.parent().map(Path::to_path_buf).unwrap_or_default()
        } else {
            path.to_path_buf()
        };
        RunFolder { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins `intervals.hlog`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn intervals_writer(&self, started: SystemTime) -> Result<IntervalWriter, Error> {
        IntervalWriter::create(self.path.join(INTERVALS), started)
    }

    /// Opens `intervals.hlog`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn intervals(&self) -> Result<IntervalReader, Error> {
        IntervalReader::open(self.path.join(INTERVALS))
    }

    /// Writes `run.json` and `failures.csv`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, document: &RunDocument) -> Result<(), Error> {
        let path = self.path.join(DOCUMENT);
        let mut text = serde_json::to_string_pretty(document)
            .map_err(|error| Error::Limit(format!("cannot write run.json: {error}")))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|error| Error::io(&path, error))?;
        self.write_failures(&document.failure_rows)
    }

    fn write_failures(&self, rows: &[FailureRow]) -> Result<(), Error> {
        let path = self.path.join(FAILURES);
        let csv_error = |error: csv::Error| Error::io(&path, std::io::Error::other(error));
        let mut out = csv::Writer::from_path(&path).map_err(csv_error)?;
        out.write_record(["method", "name", "error", "occurrences", "first_s", "last_s"])
            .map_err(csv_error)?;
        for row in rows {
            let (count, first, last) =
                (row.occurrences.to_string(), format!("{:.3}", row.first_s), format!("{:.3}", row.last_s));
            out.write_record([&row.method, &row.name, &row.error, &count, &first, &last])
                .map_err(csv_error)?;
        }
        out.flush().map_err(|error| Error::io(&path, error))
    }

    /// Writes `shapes.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_answers(&self, answers: &Answers) -> Result<(), Error> {
        let path = self.path.join(SHAPES);
        let text = serde_json::to_string(answers)
            .map_err(|error| Error::Limit(format!("cannot write shapes.json: {error}")))?;
        std::fs::write(&path, text + "\n").map_err(|error| Error::io(&path, error))
    }

    /// Reads `shapes.json`; `None` where there is none, as in runs of earlier versions.
    ///
    /// # Errors
    /// When it cannot be read, is something else or newer.
    pub fn answers(&self) -> Result<Option<Answers>, Error> {
        let path = self.path.join(SHAPES);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, error)),
        };
        let not_a = |found: String| Error::NotA { path: path.clone(), wanted: "list of answers", found };
        let answers: Answers = serde_json::from_str(&text).map_err(|error| not_a(error.to_string()))?;
        if answers.schema > ANSWERS_SCHEMA {
            return Err(not_a(format!(
                "schema {} is newer than this mynah reads (up to {ANSWERS_SCHEMA})",
                answers.schema
            )));
        }
        Ok(Some(answers))
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// When it cannot be read, is something else or newer.
    pub fn document(&self) -> Result<RunDocument, Error> {
        let path = self.path.join(DOCUMENT);
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let not_a = |found: String| Error::NotA { path: path.clone(), wanted: "run", found };
        // Of a newer form nothing but its number is known.
        let version: Version = serde_json::from_str(&text).map_err(|error| not_a(error.to_string()))?;
        if version.schema > SCHEMA {
            return Err(not_a(format!(
                "schema {} is newer than this mynah reads (up to {SCHEMA})",
                version.schema
            )));
        }
        serde_json::from_str(&text).map_err(|error| not_a(error.to_string()))
    }
}
