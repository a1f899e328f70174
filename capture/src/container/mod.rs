//! Capture files as containers of packets. Framing and its bounds are checked here, the records are taken apart by `pcap-parser`.

mod pcap;
mod pcapng;
mod refill;

use std::io::{self, Read};
use std::ops::Range;

use mynah_traffic::Nanos;

use self::refill::Refill;
use crate::Kind;

/// A record or block that claims to be longer than this is damage, not data.
const MAX_RECORD: usize = 64 << 20;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) time: Nanos,
    /// LINKTYPE value, <https://www.tcpdump.org/linktypes.html>.
    pub(crate) link: u16,
    pub(crate) data: &'a [u8],
    /// Length on the wire, which is longer than `data` when the snap length cut it.
    pub(crate) original: u32,
}

/// Why no more packets come before the end of the file.
#[derive(Debug)]
pub(crate) enum Stop {
    Io(io::Error),
    /// The file ends within a record.
    Cut {
        offset: u64,
    },
    Damaged {
        offset: u64,
        message: String,
    },
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

/// A packet whose bytes still stand in the buffer.
struct Found {
    time: Nanos,
    link: u16,
    original: u32,
    data: Range<usize>,
}

enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// Reads packets one after the other, holding one buffer.
pub(crate) struct PacketReader {
    buffer: Refill,
    format: Format,
}

impl PacketReader {
    /// Reads the file header. `kind` must be one of the two packet containers; everything else is read as pcapng.
    pub(crate) fn new(kind: Kind, reader: Box<dyn Read + Send>) -> Result<PacketReader, Stop> {
        let mut buffer = Refill::new(reader);
        let format = if kind == Kind::Pcap {
            Format::Pcap(pcap::Pcap::new(&mut buffer)?)
        } else {
            Format::Pcapng(pcapng::Pcapng::default())
        };
        Ok(PacketReader { buffer, format })
    }

    /// The next packet; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Packet<'_>>, Stop> {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.buffer)?,
            Format::Pcapng(pcapng) => pcapng.next(&mut self.buffer)?,
        };
        Ok(found.map(|found| Packet {
            time: found.time,
            link: found.link,
            original: found.original,
            data: self.buffer.slice(found.data),
        }))
    }

    /// Where the reader stands, in bytes from the start of the (decompressed) file.
    pub(crate) fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    /// Packets that the capturing kernel had no room for, as far as the file tells (interface statistics of pcapng).
    pub(crate) fn dropped_by_kernel(&self) -> u64 {
        match &self.format {
            Format::Pcap(_) => 0,
            Format::Pcapng(pcapng) => pcapng.dropped_by_kernel(),
        }
    }

    /// Packet blocks that could not be read: of an unknown interface, or not made as they should be.
    pub(crate) fn unreadable(&self) -> u64 {
        match &self.format {
            Format::Pcap(_) => 0,
            Format::Pcapng(pcapng) => pcapng.unreadable,
        }
    }
}

#[cfg(test)]
mod tests;
