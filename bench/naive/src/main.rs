//! A naive in-order loop from a capture file to HTTP requests and responses, as somebody would write it in an afternoon:
//! `pcap` reads, `etherparse` slices, `httparse` parses, a map keeps one buffer for each direction of each connection.
//!
//! It believes that every segment comes once and in order, and that `Content-Length` tells where a message ends. It keeps
//! no body, pairs nothing, and forgets no connection. That makes it the speed to measure a reassembler against.

use std::collections::HashMap;
use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap::{Capture, Linktype};

#[derive(PartialEq, Eq, Hash)]
struct Direction {
    from: (IpAddr, u16),
    to: (IpAddr, u16),
}

#[derive(Default)]
struct Stream {
    /// The beginning of a head whose end has not come.
    pending: Vec<u8>,
    /// Bytes of body yet to come.
    body: u64,
}

#[derive(Default)]
struct Totals {
    packets: u64,
    requests: u64,
    responses: u64,
    body_bytes: u64,
    junk: u64,
}

/// Length of the message head at the front of `data` and of the body behind it; `None` when the head is not whole.
fn head(data: &[u8], totals: &mut Totals) -> Result<Option<(usize, u64)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let (length, headers) = if data.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(data)? {
            httparse::Status::Complete(length) => {
                totals.responses += 1;
                (length, response.headers)
            }
            httparse::Status::Partial => return Ok(None),
        }
    } else {
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(data)? {
            httparse::Status::Complete(length) => {
                totals.requests += 1;
                (length, request.headers)
            }
            httparse::Status::Partial => return Ok(None),
        }
    };
    let body = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
        .unwrap_or(0);
    Ok(Some((length, body)))
}

impl Stream {
    fn take(&mut self, data: &[u8], totals: &mut Totals) {
        if self.pending.is_empty() {
            let used = self.parse(data, totals);
            self.pending.extend_from_slice(&data[used..]);
        } else {
            let mut whole = std::mem::take(&mut self.pending);
            whole.extend_from_slice(data);
            let used = self.parse(&whole, totals);
            whole.drain(..used);
            self.pending = whole;
        }
    }

    fn parse(&mut self, data: &[u8], totals: &mut Totals) -> usize {
        let mut at = 0;
        while at < data.len() {
            if self.body > 0 {
                let here = self.body.min((data.len() - at) as u64);
                self.body -= here;
                totals.body_bytes += here;
                at += here as usize;
                continue;
            }
            match head(&data[at..], totals) {
                Ok(Some((length, body))) => {
                    at += length;
                    self.body = body;
                }
                Ok(None) => break,
                Err(_) => {
                    totals.junk += 1;
                    return data.len();
                }
            }
        }
        at
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: naive FILE.pcap")?;
    let mut capture = Capture::from_file(path)?;
    let ethernet = capture.get_datalink() == Linktype::ETHERNET;
    let mut streams: HashMap<Direction, Stream> = HashMap::new();
    let mut totals = Totals::default();
    loop {
        let packet = match capture.next_packet() {
            Ok(packet) => packet,
            Err(pcap::Error::NoMorePackets) => break,
            Err(error) => return Err(error.into()),
        };
        totals.packets += 1;
        let sliced = if ethernet {
            SlicedPacket::from_ethernet(packet.data)
        } else {
            SlicedPacket::from_ip(packet.data)
        };
        let Ok(sliced) = sliced else { continue };
        let (from, to): (IpAddr, IpAddr) = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            Some(NetSlice::Ipv6(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            _ => continue,
        };
        let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { continue };
        if tcp.payload().is_empty() {
            continue;
        }
        let direction = Direction { from: (from, tcp.source_port()), to: (to, tcp.destination_port()) };
        streams.entry(direction).or_default().take(tcp.payload(), &mut totals);
    }
    println!(
        "{} packets, {} requests, {} responses, {} bytes of bodies, {} times lost",
        totals.packets, totals.requests, totals.responses, totals.body_bytes, totals.junk
    );
    Ok(())
}
