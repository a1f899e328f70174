//! IPv4, IPv6 with its extension headers, and the TCP header. The lengths in them cut off link padding; where they are zero
//! (segmentation offload) the frame's own length counts, and where the frame is shorter the rest is `missing`.

use std::net::Ipv4Addr;

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};

use super::bytes::{u16_at, u32_at};
use super::{End, Layer, Segment};

pub(super) const TCP: u8 = 6;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;

/// An IP header, opened.
pub(super) struct Header<'a> {
    pub(super) source: [u8; 16],
    pub(super) destination: [u8; 16],
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
    /// Bytes that belong to the payload and were not captured. `None` when the header does not tell the length.
    pub(super) missing: Option<u32>,
    pub(super) fragment: Option<Fragment>,
}

impl Header<'_> {
    pub(super) fn layer(&self) -> Layer {
        Layer::Protocol(self.protocol, self.source, self.destination)
    }
}

/// A piece of a larger datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: u16,
    pub(super) more: bool,
}

pub(super) fn open(data: &[u8]) -> Option<Header<'_>> {
    match data.first()? >> 4 {
        4 => v4(data),
        6 => v6(data),
        _ => None,
    }
}

/// The payload behind `header` bytes when the whole is `total` bytes long, and what of it is missing.
fn payload(data: &[u8], header: usize, total: usize) -> Option<(&[u8], Option<u32>)> {
    if total < header {
        return Some((data.get(header..)?, None));
    }
    let end = total.min(data.len());
    Some((data.get(header..end)?, Some((total - end) as u32)))
}

fn v4(data: &[u8]) -> Option<Header<'_>> {
    let header = Ipv4HeaderSlice::from_slice(data).ok()?;
    let (mut payload, missing) = payload(data, header.slice().len(), usize::from(header.total_len()))?;
    let mut protocol = header.protocol().0;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset: header.fragments_offset().byte_offset(),
        more: header.more_fragments(),
    });
    if protocol == AUTHENTICATION && fragment.is_none() {
        let length = (usize::from(*payload.get(1)?) + 2) * 4;
        (protocol, payload) = (*payload.first()?, payload.get(length..)?);
    }
    let mapped = |address: [u8; 4]| Ipv4Addr::from(address).to_ipv6_mapped().octets();
    Some(Header {
        source: mapped(header.source()),
        destination: mapped(header.destination()),
        protocol,
        payload,
        missing,
        fragment,
    })
}

fn v6(data: &[u8]) -> Option<Header<'_>> {
    let header = Ipv6HeaderSlice::from_slice(data).ok()?;
    let declared = usize::from(header.payload_length());
    // zero: segmentation offload, or a jumbogram
    let total = if declared == 0 { 0 } else { 40 + declared };
    let (mut rest, missing) = payload(data, 40, total)?;
    let mut protocol = header.next_header().0;
    let mut fragment = None;
    loop {
        let length = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY => (usize::from(*rest.get(1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(*rest.get(1)?) + 2) * 4,
            FRAGMENT => 8,
            _ => break,
        };
        let is_fragment = protocol == FRAGMENT;
        if is_fragment {
            let field = u16_at(rest, 2)?;
            let (offset, more) = (field & !7, field & 1 == 1);
            // an atomic fragment (RFC 6946) is whole in itself
            if offset > 0 || more {
                fragment = Some(Fragment { id: u32_at(rest, 4)?, offset, more });
            }
        }
        protocol = *rest.first()?;
        rest = rest.get(length..)?;
        if fragment.is_some() {
            break;
        }
    }
    Some(Header {
        source: header.source(),
        destination: header.destination(),
        protocol,
        payload: rest,
        missing,
        fragment,
    })
}

/// The segment in an Ethernet frame as most are: TCP in IPv4 without options, all of it there and in no fragments. `None` of any
/// other, which goes layer by layer.
pub(super) fn usual(frame: &[u8]) -> Option<Segment<'_>> {
    let (ethernet, packet) = frame.split_first_chunk::<14>()?;
    let &[0x45, _, h, l, _, _, flags, offset, _, TCP, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        packet.first_chunk::<20>()?
    else {
        return None;
    };
    // more fragments, or not the first
    let fragment = u16::from_be_bytes([flags, offset]) & 0x3fff != 0;
    if !ethernet.ends_with(&[0x08, 0x00]) || fragment {
        return None;
    }
    let payload = packet.get(20..usize::from(u16::from_be_bytes([h, l])))?;
    let mapped = |a, b, c, d| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d];
    tcp(payload, mapped(s0, s1, s2, s3), mapped(d0, d1, d2, d3), 0)
}

/// The segment in the payload of an IP packet.
pub(super) fn tcp(data: &[u8], source: [u8; 16], destination: [u8; 16], missing: u32) -> Option<Segment<'_>> {
    let header = TcpHeaderSlice::from_slice(data).ok()?;
    Some(Segment {
        from: End { address: source, port: header.source_port() },
        to: End { address: destination, port: header.destination_port() },
        sequence: header.sequence_number(),
        acknowledged: header.ack().then(|| header.acknowledgment_number()),
        syn: header.syn(),
        fin: header.fin(),
        rst: header.rst(),
        data: data.get(header.slice().len()..)?,
        missing,
    })
}
