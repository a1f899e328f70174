//! From a captured frame to the TCP segment in it: link layers, tunnels, IP with its fragments. Checksums are ignored, because
//! offload makes them wrong on the machine that sends.

mod bytes;
mod fragments;
mod ip;
mod link;
mod tunnel;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use mynah_traffic::Nanos;

use self::fragments::Fragments;

/// One end of a connection. IPv4 is kept as IPv4-mapped IPv6, so that a key has one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct End {
    pub(crate) address: [u8; 16],
    pub(crate) port: u16,
}

impl End {
    pub(crate) fn socket(self) -> SocketAddr {
        let address = Ipv6Addr::from(self.address).to_canonical();
        SocketAddr::new(address, self.port)
    }
}

impl From<SocketAddr> for End {
    fn from(socket: SocketAddr) -> Self {
        let address = match socket.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        End { address, port: socket.port() }
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) sequence: u32,
    /// The acknowledgement number, when the ACK flag is set.
    pub(crate) acknowledged: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) data: &'a [u8],
    /// Bytes that the snap length cut off behind `data`.
    pub(crate) missing: u32,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A TCP segment was handed on.
    Segment,
    /// Something else than TCP, or a fragment that waits for others.
    Other,
    /// Not made as its own headers say.
    Undecodable,
    /// A link type that mynah does not know.
    UnknownLink(u16),
}

/// What stands at the front of some bytes.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Ethernet,
    /// By EtherType.
    Type(u16),
    /// The version is told by the first nibble.
    Ip,
    Ppp,
    Mpls,
    /// By IP protocol number, with the addresses of the IP header before.
    Protocol(u8, [u8; 16], [u8; 16]),
}

/// How many layers may be stacked; real captures stay below ten.
const MAX_DEPTH: u8 = 24;

/// Decodes frames; keeps IP fragments between them.
#[derive(Default)]
pub(crate) struct Decoder {
    fragments: Fragments,
}

/// What all layers of one frame share.
struct Frame<'s> {
    time: Nanos,
    /// Bytes that the snap length cut off the frame.
    cut: u32,
    sink: &'s mut dyn FnMut(Segment<'_>),
}

impl Decoder {
    /// Decodes one frame and hands the segment in it to `sink`.
    pub(crate) fn decode(
        &mut self,
        packet: &crate::container::Packet<'_>,
        sink: &mut dyn FnMut(Segment<'_>),
    ) -> Outcome {
        if packet.link == link::ETHERNET
            && let Some(segment) = ip::usual(packet.data)
        {
            sink(segment);
            return Outcome::Segment;
        }
        let cut = packet.original.saturating_sub(packet.data.len() as u32);
        let Some(opened) = link::open(packet.link, packet.data) else {
            return Outcome::UnknownLink(packet.link);
        };
        let Some((layer, data)) = opened else { return Outcome::Undecodable };
        let mut frame = Frame { time: packet.time, cut, sink };
        self.layers(&mut frame, layer, data, 0).unwrap_or(Outcome::Undecodable)
    }

    /// Follows the layers inwards. `None` when a header is not whole.
    fn layers(
        &mut self,
        frame: &mut Frame<'_>,
        mut layer: Layer,
        mut data: &[u8],
        depth: u8,
    ) -> Option<Outcome> {
        for depth in depth..MAX_DEPTH {
            let inner = match layer {
                Layer::Ethernet => link::ethernet(data)?,
                Layer::Type(kind) => link::by_type(kind, data)?,
                Layer::Ppp => link::ppp(data)?,
                Layer::Mpls => tunnel::mpls(data)?,
                Layer::Ip => {
                    let header = ip::open(data)?;
                    let missing = header.missing.unwrap_or(frame.cut);
                    let Some(fragment) = header.fragment else {
                        frame.cut = missing;
                        (layer, data) = (header.layer(), header.payload);
                        continue;
                    };
                    if missing > 0 {
                        return Some(Outcome::Other);
                    }
                    let whole = self.fragments.add(&header, fragment, frame.time);
                    return match whole {
                        Some((protocol, whole)) => {
                            frame.cut = 0;
                            let layer = Layer::Protocol(protocol, header.source, header.destination);
                            self.layers(frame, layer, &whole, depth + 1)
                        }
                        None => Some(Outcome::Other),
                    };
                }
                Layer::Protocol(ip::TCP, source, destination) => {
                    let segment = ip::tcp(data, source, destination, frame.cut)?;
                    (frame.sink)(segment);
                    return Some(Outcome::Segment);
                }
                Layer::Protocol(protocol, source, destination) => {
                    tunnel::by_protocol(protocol, source, destination, data)?
                }
            };
            match inner {
                Some(next) => (layer, data) = next,
                None => return Some(Outcome::Other),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
