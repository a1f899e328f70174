//! Packets → exchanges, whether they come from a file or from an interface: frames → segments → streams → HTTP, and the books of it.

use std::collections::{BTreeMap, VecDeque};

use mynah_traffic::Exchange;
#[cfg(feature = "live")]
use mynah_traffic::Nanos;
use mynah_traffic::recording::CaptureCounts;

use crate::Options;
use crate::container::Packet;
use crate::http::Out;
use crate::net::{Decoder, Outcome};
use crate::source::counted;
use crate::tcp::Table;

/// Takes packets in, gives exchanges out.
pub(crate) struct Assembly {
    decoder: Decoder,
    table: Table,
    finished: VecDeque<Exchange>,
    next_connection: u64,
    captured: u64,
    undecodable: u64,
    unknown_links: BTreeMap<u16, u64>,
    exchanges: u64,
}

impl Assembly {
    pub(crate) fn new(options: &Options) -> Assembly {
        Assembly {
            decoder: Decoder::default(),
            table: Table::new(options),
            finished: VecDeque::new(),
            next_connection: options.first_connection,
            captured: 0,
            undecodable: 0,
            unknown_links: BTreeMap::new(),
            exchanges: 0,
        }
    }

    /// Takes one packet.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        let mut out = Out { exchanges: &mut self.finished, next_connection: &mut self.next_connection };
        let table = &mut self.table;
        let outcome =
            self.decoder.decode(packet, &mut |segment| table.segment(&segment, packet.time, &mut out));
        match outcome {
            Outcome::Segment | Outcome::Other => self.captured += 1,
            Outcome::Undecodable => self.undecodable += 1,
            Outcome::UnknownLink(link) => *self.unknown_links.entry(link).or_default() += 1,
        }
    }

    /// No packet came until `now`: flows that have been silent for too long end.
    #[cfg(feature = "live")]
    pub(crate) fn quiet(&mut self, now: Nanos) {
        let mut out = Out { exchanges: &mut self.finished, next_connection: &mut self.next_connection };
        self.table.quiet(now, &mut out);
    }

    /// No more packets come: ends flows until an exchange comes of it. False when none is left. Few at a time, so that what all of
    /// them had in hand is never there twice.
    pub(crate) fn finish(&mut self) -> bool {
        let mut out = Out { exchanges: &mut self.finished, next_connection: &mut self.next_connection };
        while out.exchanges.is_empty() {
            if !self.table.finish(&mut out) {
                return false;
            }
        }
        true
    }

    /// The next exchange that is complete.
    #[cfg(feature = "live")]
    pub(crate) fn pop(&mut self) -> Option<Exchange> {
        let exchange = self.finished.pop_front()?;
        self.exchanges += 1;
        Some(exchange)
    }

    /// Drops it; where it stands, as a rule, for it is large.
    pub(crate) fn drop_front(&mut self) {
        self.exchanges += 1;
        if self.finished.len() == 1 {
            self.finished.clear();
        } else {
            self.finished.pop_front();
        }
    }

    /// Whether none is complete.
    pub(crate) fn is_empty(&self) -> bool {
        self.finished.is_empty()
    }

    /// The next exchange that is complete, left where it is.
    pub(crate) fn front(&mut self) -> Option<&mut Exchange> {
        self.finished.front_mut()
    }

    /// What became of the packets that were given; nothing is known here of those that never were.
    pub(crate) fn counts(&self) -> CaptureCounts {
        let flows = self.table.statistics;
        let dropped_by_mynah = self.undecodable + self.unknown_links.values().sum::<u64>();
        CaptureCounts {
            seen: self.captured + dropped_by_mynah,
            captured: self.captured,
            dropped_by_kernel: 0,
            dropped_by_mynah,
            gaps: flows.gaps,
            evicted: flows.evicted,
        }
    }

    /// What a reader must know, as sentences; `dropped_by_kernel` as the source knows it.
    pub(crate) fn warnings(&self, dropped_by_kernel: u64) -> Vec<String> {
        let mut warnings = Vec::new();
        let flows = self.table.statistics;
        let mut say = |count: u64, one: &str, many: &str| {
            if count > 0 {
                warnings.push(counted(count, one, many));
            }
        };
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
            flows.gaps,
            "hole in the streams: bytes were lost before the capture saw them",
            "holes in the streams: bytes were lost before the capture saw them",
        );
        say(
            flows.evicted,
            "connection was given up to stay within the memory limit",
            "connections were given up to stay within the memory limit",
        );
        let kernel = "dropped by the kernel that captured";
        say(dropped_by_kernel, &format!("packet {kernel}"), &format!("packets {kernel}"));
        if self.exchanges == 0 && self.finished.is_empty() {
            warnings.push("no HTTP in it".to_owned());
        }
        warnings
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection
    }
}
