//! pcapng, <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>: any number of sections and interfaces, each with its own
//! byte order, time resolution and offset. Two things are done by hand that `pcap-parser` 0.17 gets wrong: binary time
//! resolutions (it refuses them all) and time offsets in big-endian sections (it reads them as little-endian).

use mynah_traffic::Nanos;
use pcap_parser::pcapng::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{OptionCode, PcapNGOption};

use super::{Found, MAX_RECORD, Refill, Stop};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const STATISTICS_DROPPED: u16 = 5;

struct Interface {
    link: u16,
    snap_length: u32,
    clock: Clock,
    dropped: u64,
}

/// What a time stamp of an interface means.
#[derive(Clone, Copy)]
struct Clock {
    units_per_second: u128,
    offset_seconds: i64,
}

impl Clock {
    fn read(self, high: u32, low: u32) -> Nanos {
        let units = u128::from(u64::from(high) << 32 | u64::from(low));
        let whole = units / self.units_per_second;
        let part = units % self.units_per_second * u128::from(Nanos::PER_SECOND) / self.units_per_second;
        let seconds = (whole as i128 + i128::from(self.offset_seconds)).max(0);
        let nanos = seconds.saturating_mul(i128::from(Nanos::PER_SECOND)).saturating_add(part as i128);
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Options of `if_tsresol`: a power of ten, or of two when the high bit is set. `None` when it is beyond use.
fn units_per_second(resolution: u8) -> Option<u128> {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u128.checked_pow(power) } else { 1_u128.checked_shl(power) }
        .filter(|&units| units <= 1 << 64)
}

#[derive(Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of sections that have ended.
    dropped: u64,
    /// Simple packets carry no time: they get that of the packet before.
    last: Nanos,
    pub(super) unreadable: u64,
}

impl Pcapng {
    pub(super) fn dropped_by_kernel(&self) -> u64 {
        self.dropped + self.interfaces.iter().map(|interface| interface.dropped).sum::<u64>()
    }

    pub(super) fn next(&mut self, buffer: &mut Refill) -> Result<Option<Found>, Stop> {
        loop {
            let offset = buffer.offset();
            if !buffer.need(12)? {
                return if buffer.available().is_empty() { Ok(None) } else { Err(Stop::Cut { offset }) };
            }
            if buffer.available().starts_with(&SECTION_HEADER.to_le_bytes()) {
                self.begin_section(buffer, offset)?;
            }
            let header = buffer.available();
            let (kind, length) = (self.u32(header, 0), self.u32(header, 4) as usize);
            if !(12..=MAX_RECORD).contains(&length) {
                let message = format!("a block of type {kind:#x} claims to be {length} bytes long");
                return Err(Stop::Damaged { offset, message });
            }
            // some writers forget to round up to a multiple of four
            let length = length.next_multiple_of(4);
            if !buffer.need(length)? {
                return Err(Stop::Cut { offset });
            }
            let block = &buffer.available()[..length];
            let found = match kind {
                INTERFACE_DESCRIPTION => {
                    let interface = self.interface(block);
                    self.interfaces.push(interface);
                    None
                }
                INTERFACE_STATISTICS => {
                    self.statistics(block);
                    None
                }
                ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => {
                    let found = match kind {
                        ENHANCED_PACKET => self.enhanced(block),
                        OBSOLETE_PACKET => self.obsolete(block),
                        _ => self.simple(block),
                    };
                    if found.is_none() {
                        self.unreadable += 1;
                    }
                    found
                }
                _ => None,
            };
            let place = buffer.take(length);
            if let Some(found) = found {
                self.last = found.time;
                let data = place.start + found.data.start..place.start + found.data.end;
                return Ok(Some(Found { data, ..found }));
            }
        }
    }

    fn begin_section(&mut self, buffer: &mut Refill, offset: u64) -> Result<(), Stop> {
        self.big_endian = match buffer.available().get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => true,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => false,
            _ => {
                let message = "a section header has an unknown byte order mark".to_owned();
                return Err(Stop::Damaged { offset, message });
            }
        };
        self.dropped = self.dropped_by_kernel();
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&self, block: &[u8]) -> Interface {
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        match parsed {
            Ok((_, described)) => self.described(&described),
            // with broken options the fixed fields still hold, and interfaces are numbered by their order
            Err(_) => Interface {
                link: self.u16(block, 8),
                snap_length: self.u32(block, 12),
                clock: Clock { units_per_second: 1_000_000, offset_seconds: 0 },
                dropped: 0,
            },
        }
    }

    fn described(&self, block: &InterfaceDescriptionBlock<'_>) -> Interface {
        let option = |code: OptionCode| block.options.iter().find(|option| option.code == code);
        let resolution = option(OptionCode::IfTsresol).and_then(|option| option.value.first()).copied();
        let offset = option(OptionCode::IfTsoffset).and_then(|option| option.value.first_chunk::<8>());
        let offset_seconds = offset.map_or(0, |bytes| {
            if self.big_endian { i64::from_be_bytes(*bytes) } else { i64::from_le_bytes(*bytes) }
        });
        Interface {
            link: block.linktype.0 as u16,
            snap_length: block.snaplen,
            clock: Clock {
                units_per_second: resolution.and_then(units_per_second).unwrap_or(1_000_000),
                offset_seconds,
            },
            dropped: 0,
        }
    }

    fn statistics(&mut self, block: &[u8]) {
        let parsed = if self.big_endian {
            pcap_parser::pcapng::parse_interfacestatisticsblock_be(block)
        } else {
            pcap_parser::pcapng::parse_interfacestatisticsblock_le(block)
        };
        let Ok((_, block)) = parsed else { return };
        let dropped =
            |option: &&PcapNGOption<'_>| option.code == OptionCode(STATISTICS_DROPPED) && option.len == 8;
        let Some(bytes) = block.options.iter().find(dropped).and_then(|o| o.value.first_chunk::<8>()) else {
            return;
        };
        let count = if self.big_endian { u64::from_be_bytes(*bytes) } else { u64::from_le_bytes(*bytes) };
        // the count runs on from block to block
        if let Some(interface) = self.interfaces.get_mut(block.if_id as usize) {
            interface.dropped = interface.dropped.max(count);
        }
    }

    fn enhanced(&self, block: &[u8]) -> Option<Found> {
        let parsed = if self.big_endian {
            parse_enhancedpacketblock_be(block)
        } else {
            parse_enhancedpacketblock_le(block)
        };
        let (interface, high, low, original, captured) = match &parsed {
            Ok((_, packet)) => enhanced_fields(packet),
            // broken options behind the packet do not cost the packet
            Err(_) => (
                self.u32(block, 8),
                self.u32(block, 12),
                self.u32(block, 16),
                self.u32(block, 24),
                self.u32(block, 20),
            ),
        };
        self.found(block, interface, (high, low), 28, captured, original)
    }

    fn obsolete(&self, block: &[u8]) -> Option<Found> {
        let time = (self.u32(block, 12), self.u32(block, 16));
        let interface = u32::from(self.u16(block, 8));
        self.found(block, interface, time, 28, self.u32(block, 20), self.u32(block, 24))
    }

    fn simple(&self, block: &[u8]) -> Option<Found> {
        let interface = self.interfaces.first()?;
        let original = self.u32(block, 8);
        let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
        let room = block.len().checked_sub(16)?;
        let captured = room.min(original.min(limit) as usize);
        Some(Found { time: self.last, link: interface.link, original, data: 12..12 + captured })
    }

    fn found(
        &self,
        block: &[u8],
        interface: u32,
        (high, low): (u32, u32),
        start: usize,
        captured: u32,
        original: u32,
    ) -> Option<Found> {
        let interface = self.interfaces.get(interface as usize)?;
        let data = start..start.checked_add(captured as usize)?;
        block.get(data.clone()).filter(|_| data.end + 4 <= block.len())?;
        Some(Found { time: interface.clock.read(high, low), link: interface.link, original, data })
    }

    fn u32(&self, block: &[u8], at: usize) -> u32 {
        let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk::<4>()) else { return 0 };
        if self.big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
    }

    fn u16(&self, block: &[u8], at: usize) -> u16 {
        let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk::<2>()) else { return 0 };
        if self.big_endian { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) }
    }
}

fn enhanced_fields(packet: &EnhancedPacketBlock<'_>) -> (u32, u32, u32, u32, u32) {
    (packet.if_id, packet.ts_high, packet.ts_low, packet.orig_len(), packet.caplen)
}
