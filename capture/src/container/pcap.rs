//! Classic pcap, <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>.

use mynah_traffic::Nanos;
use pcap_parser::{PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified};

use super::{Found, MAX_RECORD, Refill, Stop};

pub(super) struct Pcap {
    header: PcapHeader,
    link: u16,
}

impl Pcap {
    pub(super) fn new(buffer: &mut Refill) -> Result<Pcap, Stop> {
        if !buffer.need(24)? {
            return Err(Stop::Cut { offset: 0 });
        }
        let (_, header) = pcap_parser::parse_pcap_header(buffer.available())
            .map_err(|_| Stop::Damaged { offset: 0, message: "the pcap header cannot be read".to_owned() })?;
        buffer.take(24);
        // the upper half of the field holds the length of the frame check sequence
        let link = header.network.0 as u16;
        Ok(Pcap { header, link })
    }

    pub(super) fn next(&mut self, buffer: &mut Refill) -> Result<Option<Found>, Stop> {
        let offset = buffer.offset();
        let head = if self.header.is_modified_format() { 24 } else { 16 };
        if !buffer.need(head)? {
            return if buffer.available().is_empty() { Ok(None) } else { Err(Stop::Cut { offset }) };
        }
        let length = buffer.available().get(8..12).and_then(|b| b.first_chunk::<4>()).map_or(0, |bytes| {
            if self.header.is_bigendian() { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
        }) as usize;
        if length > MAX_RECORD {
            return Err(Stop::Damaged {
                offset,
                message: format!("a packet record claims to be {length} bytes long"),
            });
        }
        if !buffer.need(head + length)? {
            return Err(Stop::Cut { offset });
        }
        let parse = if self.header.is_modified_format() {
            parse_pcap_frame_modified
        } else if self.header.is_bigendian() {
            parse_pcap_frame_be
        } else {
            parse_pcap_frame
        };
        let (seconds, fraction, original) = match parse(buffer.available()) {
            Ok((_, frame)) => (frame.ts_sec, frame.ts_usec, frame.origlen),
            Err(_) => {
                return Err(Stop::Damaged { offset, message: "a packet record cannot be read".to_owned() });
            }
        };
        let unit = if self.header.is_nanosecond_precision() { 1 } else { 1000 };
        let time = Nanos(u64::from(seconds) * Nanos::PER_SECOND + u64::from(fraction) * unit);
        buffer.take(head);
        Ok(Some(Found { time, link: self.link, original, data: buffer.take(length) }))
    }
}
