//! A capture file as a source of exchanges.

use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;

use crate::assembly::Assembly;
use crate::container::{PacketReader, Stop};
use crate::input::Input;
use crate::source::counted;
use crate::{Error, Options};

/// Reads one capture file.
pub(crate) struct Packets {
    reader: PacketReader,
    path: std::path::PathBuf,
    compressed: bool,
    assembly: Assembly,
    warnings: Vec<String>,
    ended: bool,
    /// Flows are left that must be ended.
    finishing: bool,
    /// The first of the complete exchanges has been shown.
    shown: bool,
}

impl Packets {
    pub(crate) fn open(input: Input, options: &Options) -> Result<Packets, Error> {
        let (path, compressed, kind) = (input.path().to_owned(), input.compressed(), input.kind());
        let reader = match PacketReader::new(kind, input.into_reader()) {
            Ok(reader) => reader,
            Err(stop) => {
                // nothing of it can be read: an error, for a warning needs something that it warns about
                return Err(match stop {
                    Stop::Io(source) if !compressed => Error::Io { path, source },
                    stop => {
                        let (offset, message) = told(&stop, 0);
                        Error::Malformed { path, place: crate::Place::Offset(offset), message }
                    }
                });
            }
        };
        let assembly = Assembly::new(options);
        Ok(Packets {
            reader,
            path,
            compressed,
            assembly,
            warnings: Vec::new(),
            ended: false,
            finishing: false,
            shown: false,
        })
    }

    pub(crate) fn advance(&mut self) -> Option<Result<(), Error>> {
        if std::mem::take(&mut self.shown) {
            self.assembly.drop_front();
        }
        while self.assembly.is_empty() {
            if self.finishing {
                self.finish();
            } else if self.ended {
                return None;
            } else if let Err(error) = self.step() {
                return Some(Err(error));
            }
        }
        self.shown = true;
        Some(Ok(()))
    }

    pub(crate) fn current(&mut self) -> Option<&mut Exchange> {
        if self.shown { self.assembly.front() } else { None }
    }

    /// Reads one packet, or ends.
    fn step(&mut self) -> Result<(), Error> {
        match self.reader.next() {
            Ok(Some(packet)) => self.assembly.packet(&packet),
            Ok(None) => self.end(None),
            Err(Stop::Io(source)) if !self.compressed => {
                self.end(None);
                return Err(Error::Io { path: self.path.clone(), source });
            }
            Err(stop) => self.end(Some(&stop)),
        }
        Ok(())
    }

    fn end(&mut self, stop: Option<&Stop>) {
        self.ended = true;
        self.finishing = true;
        if let Some(stop) = stop {
            let (offset, message) = told(stop, self.reader.offset());
            self.warnings
                .push(format!("cut short at byte {offset}: {message}; what stood before it was kept"));
        }
    }

    /// Ends flows until something comes of it.
    fn finish(&mut self) {
        self.finishing = self.assembly.finish();
        if !self.finishing {
            self.warn();
        }
    }

    fn warn(&mut self) {
        let unreadable = self.reader.unreadable();
        if unreadable > 0 {
            self.warnings.push(counted(
                unreadable,
                "packet block could not be read",
                "packet blocks could not be read",
            ));
        }
        self.warnings.extend(self.assembly.warnings(self.reader.dropped_by_kernel()));
    }

    pub(crate) fn counts(&self) -> CaptureCounts {
        let mut counts = self.assembly.counts();
        counts.dropped_by_kernel = self.reader.dropped_by_kernel();
        counts.dropped_by_mynah += self.reader.unreadable();
        counts.seen += counts.dropped_by_kernel + self.reader.unreadable();
        counts
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.assembly.next_connection()
    }
}

/// Where and why reading stopped. `offset`: where the reader stood.
fn told(stop: &Stop, offset: u64) -> (u64, String) {
    match stop {
        Stop::Cut { offset } => (*offset, "the file ends within a packet".to_owned()),
        Stop::Damaged { offset, message } => (*offset, message.clone()),
        Stop::Io(error) => (offset, format!("the file cannot be decompressed any further ({error})")),
    }
}

#[cfg(test)]
mod tests;
