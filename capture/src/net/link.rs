//! Link layers, <https://www.tcpdump.org/linktypes.html>. Each function gives the layer inside with its bytes:
//! `None` when the header is not whole, `Some(None)` when nothing of use is inside.

use super::Layer;
use super::bytes::u16_at;

/// The LINKTYPE of most captures.
pub(super) const ETHERNET: u16 = 1;

type Inner<'a> = Option<Option<(Layer, &'a [u8])>>;

/// Opens a frame by its LINKTYPE. Outer `None` for an unknown one; inner `None` when it is not whole.
#[allow(clippy::option_option)]
pub(super) fn open(link: u16, data: &[u8]) -> Option<Option<(Layer, &[u8])>> {
    let skip = |layer: Layer, length: usize| data.get(length..).map(|rest| (layer, rest));
    let typed = |at: usize, length: usize| {
        let kind = u16_at(data, at)?;
        skip(Layer::Type(kind), length)
    };
    Some(match link {
        ETHERNET => skip(Layer::Ethernet, 0),
        // BSD loopback: four bytes of address family in the sender's byte order; the IP version says the same
        0 | 108 => skip(Layer::Ip, 4),
        12 | 14 | 101 | 228 | 229 => skip(Layer::Ip, 0),
        9 | 50 => skip(Layer::Ppp, 0),
        51 => typed_pppoe(data),
        104 => typed(2, 4),
        113 => typed(14, 16),
        276 => typed(0, 20),
        239 => nflog(data),
        _ => return None,
    })
}

fn typed_pppoe(data: &[u8]) -> Option<(Layer, &[u8])> {
    data.get(6..).map(|rest| (Layer::Ppp, rest))
}

/// NFLOG: a header of four bytes, then attributes in the byte order of the host that captured; number 9 is the packet.
fn nflog(data: &[u8]) -> Option<(Layer, &[u8])> {
    const PAYLOAD: u16 = 9;
    let attributes = data.get(4..)?;
    let find = |number: fn([u8; 2]) -> u16| {
        let mut rest = attributes;
        loop {
            let length = usize::from(number(*rest.first_chunk::<2>()?));
            let kind = number(*rest.get(2..)?.first_chunk::<2>()?) & 0x7fff;
            if length < 4 {
                return None;
            }
            if kind == PAYLOAD {
                return Some((Layer::Ip, rest.get(4..length.min(rest.len()))?));
            }
            rest = rest.get(length.next_multiple_of(4)..)?;
        }
    };
    find(u16::from_le_bytes).or_else(|| find(u16::from_be_bytes))
}

/// Ethernet II, or 802.3 with LLC and SNAP.
pub(super) fn ethernet(data: &[u8]) -> Inner<'_> {
    let kind = u16_at(data, 12)?;
    if kind >= 0x600 {
        return Some(Some((Layer::Type(kind), data.get(14..)?)));
    }
    match data.get(14..20) {
        Some([0xaa, 0xaa, 0x03, 0, 0, 0]) => Some(Some((Layer::Type(u16_at(data, 20)?), data.get(22..)?))),
        _ => Some(None),
    }
}

/// What an EtherType announces.
pub(super) fn by_type(kind: u16, data: &[u8]) -> Inner<'_> {
    Some(match kind {
        0x0800 | 0x86dd => Some((Layer::Ip, data)),
        // 802.1Q, 802.1ad and the two that came before it
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => Some((Layer::Type(u16_at(data, 2)?), data.get(4..)?)),
        0x8847 | 0x8848 => Some((Layer::Mpls, data)),
        0x8864 => Some((Layer::Ppp, data.get(6..)?)),
        0x6558 => Some((Layer::Ethernet, data)),
        _ => None,
    })
}

/// PPP: the protocol number of one or two bytes, perhaps behind HDLC's address and control bytes.
pub(super) fn ppp(data: &[u8]) -> Inner<'_> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let first = *data.first()?;
    let (protocol, rest) =
        if first & 1 == 1 { (u16::from(first), data.get(1..)?) } else { (u16_at(data, 0)?, data.get(2..)?) };
    Some(match protocol {
        0x0021 | 0x0057 => Some((Layer::Ip, rest)),
        0x0281 | 0x0283 => Some((Layer::Mpls, rest)),
        _ => None,
    })
}
