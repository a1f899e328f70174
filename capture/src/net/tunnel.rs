//! Packets inside packets: VXLAN ([RFC 7348](https://www.rfc-editor.org/rfc/rfc7348)), Geneve ([RFC 8926](https://www.rfc-editor.org/rfc/rfc8926)),
//! GRE ([RFC 2784](https://www.rfc-editor.org/rfc/rfc2784)) with ERSPAN, IP in IP, MPLS. `None` when a header is not whole,
//! `Some(None)` when it carries nothing of use.

use super::Layer;
use super::bytes::{u16_at, u32_at};

type Inner<'a> = Option<Option<(Layer, &'a [u8])>>;

const VXLAN_PORT: u16 = 4789;
/// Linux' port from before the assignment.
const OLD_VXLAN_PORT: u16 = 8472;
const GENEVE_PORT: u16 = 6081;

/// What an IP protocol number announces, other than TCP.
pub(super) fn by_protocol(protocol: u8, source: [u8; 16], destination: [u8; 16], data: &[u8]) -> Inner<'_> {
    match protocol {
        4 | 41 => Some(Some((Layer::Ip, data))),
        17 => udp(data),
        47 => gre(data),
        137 => Some(Some((Layer::Mpls, data))),
        // an authentication header behind reassembled fragments
        51 => {
            let length = (usize::from(*data.get(1)?) + 2) * 4;
            let layer = Layer::Protocol(*data.first()?, source, destination);
            Some(Some((layer, data.get(length..)?)))
        }
        _ => Some(None),
    }
}

fn udp(data: &[u8]) -> Inner<'_> {
    let port = u16_at(data, 2)?;
    let payload = data.get(8..)?;
    match port {
        VXLAN_PORT | OLD_VXLAN_PORT if payload.first().is_some_and(|flags| flags & 0x08 != 0) => {
            Some(payload.get(8..).map(|rest| (Layer::Ethernet, rest)))
        }
        GENEVE_PORT if payload.first().is_some_and(|first| first >> 6 == 0) => {
            let options = usize::from(*payload.first()? & 0x3f) * 4;
            let kind = u16_at(payload, 2)?;
            Some(payload.get(8 + options..).map(|rest| (Layer::Type(kind), rest)))
        }
        _ => Some(None),
    }
}

fn gre(data: &[u8]) -> Inner<'_> {
    let flags = u16_at(data, 0)?;
    let kind = u16_at(data, 2)?;
    let has = |bit: u16| usize::from(flags & bit != 0);
    // PPTP's version 1 always has the key and may have an acknowledgement (RFC 2637)
    let length = match flags & 7 {
        0 => 4 + 4 * (has(0x8000) + has(0x2000) + has(0x1000)),
        1 => 8 + 4 * (has(0x1000) + has(0x0080)),
        _ => return Some(None),
    };
    let rest = data.get(length..)?;
    Some(match kind {
        // ERSPAN type I has no header of its own and no GRE sequence number, type II has both
        0x88be if has(0x1000) == 0 => Some((Layer::Ethernet, rest)),
        0x88be => Some((Layer::Ethernet, rest.get(8..)?)),
        // ERSPAN type III: twelve bytes, and eight more when the last bit says so
        0x22eb => {
            let extra = if rest.get(11)? & 1 == 1 { 8 } else { 0 };
            Some((Layer::Ethernet, rest.get(12 + extra..)?))
        }
        0x880b => Some((Layer::Ppp, rest)),
        _ => Some((Layer::Type(kind), rest)),
    })
}

/// A stack of labels. What is below is not said: IP by its version, else Ethernet, perhaps behind a control word (RFC 4385).
pub(super) fn mpls(data: &[u8]) -> Inner<'_> {
    let mut rest = data;
    loop {
        let label = u32_at(rest, 0)?;
        rest = rest.get(4..)?;
        if label & 0x100 != 0 {
            break;
        }
    }
    // a control word and a vendor's address may both begin with a zero: a known EtherType decides
    let ethernet = matches!(u16_at(rest, 12), Some(0x0800 | 0x86dd | 0x8100));
    Some(match rest.first()? >> 4 {
        4 | 6 => Some((Layer::Ip, rest)),
        0 if !ethernet => Some((Layer::Ethernet, rest.get(4..)?)),
        _ => Some((Layer::Ethernet, rest)),
    })
}
