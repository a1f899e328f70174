//! Several files read as one, by the times of their records.

use std::io::Read;
use std::path::PathBuf;

use mynah_traffic::Nanos;
use mynah_traffic::gor::{Found, Reader};

use super::NO_MOMENT;
use crate::input::Input;
use crate::{Error, Place};

/// The files.
pub(super) struct Files {
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    compressed: bool,
    reader: Reader<Box<dyn Read + Send>>,
    /// The next record, read ahead.
    waiting: Option<Found>,
    /// Its time, or that of the latest before it that has one.
    time: Nanos,
    /// A record that could be read was among those so far.
    good: bool,
    /// The first that could not.
    broken: Option<(u64, String)>,
    ended: bool,
}

/// What comes next.
pub(super) enum Next {
    /// A record, and the number of its file.
    Record(Found, usize),
    /// A file that ends before its time.
    Cut(String),
    /// A file that yields nothing, or nothing more.
    Failed(Error),
}

impl Files {
    pub(super) fn new(inputs: Vec<Input>, max_payload: u64) -> Self {
        let files = inputs.into_iter().map(|input| File {
            path: input.path().to_owned(),
            compressed: input.compressed(),
            reader: Reader::new(input.into_reader(), max_payload),
            waiting: None,
            time: Nanos(0),
            good: false,
            broken: None,
            ended: false,
        });
        Files { files: files.collect() }
    }

    /// The earliest record of those that come next in their files; of equally early ones, that of the first file.
    pub(super) fn next(&mut self) -> Option<Next> {
        for number in 0..self.files.len() {
            let prefix = self.prefix(number);
            if let Some(other) = self.files.get_mut(number).and_then(|file| file.fill(&prefix)) {
                return Some(other);
            }
        }
        let waiting = self.files.iter_mut().enumerate().filter(|(_, file)| file.waiting.is_some());
        let (number, file) = waiting.min_by_key(|(_, file)| file.time)?;
        file.waiting.take().map(|found| Next::Record(found, number))
    }

    /// Names a file in front of a warning, when there are several.
    pub(super) fn prefix(&self, number: usize) -> String {
        let file = self.files.get(number).filter(|_| self.files.len() > 1);
        file.map_or_else(String::new, |file| format!("{}: ", file.path.display()))
    }
}

impl File {
    /// Reads ahead; gives what is no record.
    fn fill(&mut self, prefix: &str) -> Option<Next> {
        if self.ended || self.waiting.is_some() {
            return None;
        }
        match self.reader.next() {
            Some(Ok(found)) => {
                match &found.record {
                    Ok(record) => {
                        self.good = true;
                        self.time = record.time.filter(|&time| time >= NO_MOMENT).unwrap_or(self.time);
                    }
                    Err(broken) => {
                        self.broken.get_or_insert_with(|| (found.offset, broken.to_string()));
                    }
                }
                self.waiting = Some(found);
                None
            }
            Some(Err(source)) => {
                self.ended = true;
                Some(if self.compressed && self.good {
                    Next::Cut(format!(
                        "{prefix}cut short: the file cannot be decompressed any further ({source})"
                    ))
                } else {
                    Next::Failed(Error::Io { path: self.path.clone(), source })
                })
            }
            None => {
                self.ended = true;
                let (offset, why) = self.broken.take().filter(|_| !self.good)?;
                Some(Next::Failed(Error::Malformed {
                    path: self.path.clone(),
                    place: Place::Offset(offset),
                    message: format!("there is no record of GoReplay in it: {why}"),
                }))
            }
        }
    }
}
