//! A capture file as a source of exchanges: container → frames → segments → streams → HTTP.

use std::collections::{BTreeMap, VecDeque};

use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;

use crate::container::{PacketReader, Stop};
use crate::http::Out;
use crate::input::Input;
use crate::net::{Decoder, Outcome};
use crate::source::counted;
use crate::tcp::Table;
use crate::{Error, Options};

/// Reads one capture file.
pub(crate) struct Packets {
    reader: PacketReader,
    path: std::path::PathBuf,
    compressed: bool,
    decoder: Decoder,
    table: Table,
    finished: VecDeque<Exchange>,
    next_connection: u64,
    captured: u64,
    undecodable: u64,
    unknown_links: BTreeMap<u16, u64>,
    exchanges: u64,
    warnings: Vec<String>,
    ended: bool,
    /// Flows are left that must be ended.
    finishing: bool,
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
        Ok(Packets {
            reader,
            path,
            compressed,
            decoder: Decoder::default(),
            table: Table::new(options),
            finished: VecDeque::new(),
            next_connection: options.first_connection,
            captured: 0,
            undecodable: 0,
            unknown_links: BTreeMap::new(),
            exchanges: 0,
            warnings: Vec::new(),
            ended: false,
            finishing: false,
        })
    }

    pub(crate) fn next(&mut self) -> Option<Result<Exchange, Error>> {
        loop {
            if let Some(exchange) = self.finished.pop_front() {
                self.exchanges += 1;
                return Some(Ok(exchange));
            }
            if self.finishing {
                self.finish();
                continue;
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.step() {
                return Some(Err(error));
            }
        }
    }

    /// Reads one packet, or ends.
    fn step(&mut self) -> Result<(), Error> {
        let packet = match self.reader.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                self.end(None);
                return Ok(());
            }
            Err(Stop::Io(source)) if !self.compressed => {
                self.end(None);
                return Err(Error::Io { path: self.path.clone(), source });
            }
            Err(stop) => {
                self.end(Some(&stop));
                return Ok(());
            }
        };
        let mut out = Out { exchanges: &mut self.finished, next_connection: &mut self.next_connection };
        let table = &mut self.table;
        let outcome =
            self.decoder.decode(&packet, &mut |segment| table.segment(&segment, packet.time, &mut out));
        match outcome {
            Outcome::Segment | Outcome::Other => self.captured += 1,
            Outcome::Undecodable => self.undecodable += 1,
            Outcome::UnknownLink(link) => *self.unknown_links.entry(link).or_default() += 1,
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
        let mut out = Out { exchanges: &mut self.finished, next_connection: &mut self.next_connection };
        while out.exchanges.is_empty() {
            if !self.table.finish(&mut out) {
                self.finishing = false;
                self.warn();
                return;
            }
        }
    }

    fn warn(&mut self) {
        let flows = self.table.statistics;
        let counts = self.counts();
        let unreadable = self.reader.unreadable();
        let mut say = |count: u64, one: &str, many: &str| {
            if count > 0 {
                self.warnings.push(counted(count, one, many));
            }
        };
        say(unreadable, "packet block could not be read", "packet blocks could not be read");
        say(self.undecodable, "packet could not be decoded", "packets could not be decoded");
        for (link, count) in &self.unknown_links {
            let what = format!("of link type {link} not supported yet");
            say(*count, &format!("packet {what}"), &format!("packets {what}"));
        }
        say(flows.tls, "TLS connection was not decrypted", "TLS connections were not decrypted");
        say(flows.http2, "HTTP/2 connection not supported yet", "HTTP/2 connections not supported yet");
        say(flows.other, "connection carried no HTTP", "connections carried no HTTP");
        let junk = "bytes that belong to no message";
        say(flows.junk, &format!("connection had {junk}"), &format!("connections had {junk}"));
        say(
            counts.gaps,
            "hole in the streams: bytes were lost before the capture saw them",
            "holes in the streams: bytes were lost before the capture saw them",
        );
        say(
            counts.evicted,
            "connection was given up to stay within the memory limit",
            "connections were given up to stay within the memory limit",
        );
        let kernel = "dropped by the kernel that captured";
        say(counts.dropped_by_kernel, &format!("packet {kernel}"), &format!("packets {kernel}"));
        if self.exchanges == 0 && self.finished.is_empty() {
            self.warnings.push("no HTTP in it".to_owned());
        }
    }

    pub(crate) fn counts(&self) -> CaptureCounts {
        let flows = self.table.statistics;
        let unknown: u64 = self.unknown_links.values().sum();
        let dropped_by_kernel = self.reader.dropped_by_kernel();
        let dropped_by_mynah = self.undecodable + unknown + self.reader.unreadable();
        CaptureCounts {
            seen: self.captured + dropped_by_kernel + dropped_by_mynah,
            captured: self.captured,
            dropped_by_kernel,
            dropped_by_mynah,
            gaps: flows.gaps,
            evicted: flows.evicted,
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection
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
