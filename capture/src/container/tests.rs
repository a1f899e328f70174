use std::io::Cursor;

use super::*;

/// Time, link type, data, length on the wire.
type Read = (u64, u16, Vec<u8>, u32);

fn read_all(kind: Kind, bytes: Vec<u8>) -> (Vec<Read>, Option<Stop>, PacketReaderEnd) {
    let mut reader = match PacketReader::new(kind, Box::new(Cursor::new(bytes))) {
        Ok(reader) => reader,
        Err(stop) => return (Vec::new(), Some(stop), PacketReaderEnd::default()),
    };
    let mut packets = Vec::new();
    let stop = loop {
        match reader.next() {
            Ok(Some(p)) => packets.push((p.time.0, p.link, p.data.to_vec(), p.original)),
            Ok(None) => break None,
            Err(stop) => break Some(stop),
        }
    };
    let end = PacketReaderEnd { dropped: reader.dropped_by_kernel(), unreadable: reader.unreadable() };
    (packets, stop, end)
}

#[derive(Debug, Default, PartialEq)]
struct PacketReaderEnd {
    dropped: u64,
    unreadable: u64,
}

/// Writes numbers in one byte order.
struct Out {
    big: bool,
    bytes: Vec<u8>,
}

impl Out {
    fn u32(mut self, value: u32) -> Self {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    fn u16(mut self, value: u16) -> Self {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }
}

fn out(big: bool) -> Out {
    Out { big, bytes: Vec::new() }
}

fn pcap(big: bool, nanos: bool) -> Vec<u8> {
    let magic = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let head = out(big).u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(1);
    head.u32(10).u32(5).u32(3).u32(9).raw(b"abc").bytes
}

fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = body.len() as u32 + 12;
    out(big).u32(kind).u32(length).raw(&body).u32(length).bytes
}

fn section(big: bool) -> Vec<u8> {
    let body = out(big).u32(0x1a2b_3c4d).u16(1).u16(0).raw(&[0xff; 8]).bytes;
    block(big, SECTION, &body)
}

const SECTION: u32 = 0x0a0d_0d0a;

fn option(big: bool, code: u16, value: &[u8]) -> Vec<u8> {
    let mut padded = value.to_vec();
    padded.resize(value.len().next_multiple_of(4), 0);
    out(big).u16(code).u16(value.len() as u16).raw(&padded).bytes
}

fn interface(big: bool, link: u16, options: &[u8]) -> Vec<u8> {
    block(big, 1, &out(big).u16(link).u16(0).u32(0).raw(options).bytes)
}

fn enhanced(big: bool, interface: u32, units: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
    let mut padded = data.to_vec();
    padded.resize(data.len().next_multiple_of(4), 0);
    let body = out(big).u32(interface).u32((units >> 32) as u32).u32(units as u32);
    block(big, 6, &body.u32(data.len() as u32).u32(data.len() as u32).raw(&padded).raw(options).bytes)
}

#[test]
fn pcap_in_every_order_and_resolution() {
    for (big, nanos, time) in [
        (false, false, 10_000_005_000),
        (true, false, 10_000_005_000),
        (false, true, 10_000_000_005),
        (true, true, 10_000_000_005),
    ] {
        let (packets, stop, _) = read_all(Kind::Pcap, pcap(big, nanos));
        assert_eq!(packets, [(time, 1, b"abc".to_vec(), 9)], "{big} {nanos}");
        assert!(stop.is_none());
    }
}

#[test]
fn a_cut_pcap_gives_what_is_whole() {
    let whole = pcap(false, false);
    let mut two = whole.clone();
    two.extend(&whole[24..]);
    for cut in 44..two.len() - 1 {
        let (packets, stop, _) = read_all(Kind::Pcap, two[..cut].to_vec());
        assert_eq!(packets.len(), 1);
        assert!(matches!(stop, Some(Stop::Cut { offset: 43 })), "{cut}: {stop:?}");
    }
    let mut wild = whole;
    wild.extend([0xff; 16]);
    assert!(matches!(read_all(Kind::Pcap, wild).1, Some(Stop::Damaged { offset: 43, .. })));
}

#[test]
fn pcapng_sections_interfaces_and_clocks() {
    let mut file = section(false);
    file.extend(interface(false, 1, &option(false, 9, &[9])));
    file.extend(interface(false, 101, &option(false, 9, &[0x8a])));
    file.extend(enhanced(false, 0, 1_500_000_000, b"nanos", &[]));
    file.extend(block(false, 0x0bad, b"unknown"));
    file.extend(enhanced(false, 1, 1536, b"binary", &option(false, 1, b"comment")));
    // a big-endian section with its own interfaces
    file.extend(section(true));
    file.extend(interface(true, 113, &option(true, 14, &100_i64.to_be_bytes())));
    file.extend(enhanced(true, 0, 2_000_001, b"micros", &[]));
    file.extend(block(true, 3, &out(true).u32(6).raw(b"simple").bytes));
    let obsolete = out(true).u16(0).u16(0).u32(0).u32(3_000_000).u32(3).u32(3).raw(b"old").bytes;
    file.extend(block(true, 2, &obsolete));
    file.extend(enhanced(true, 7, 1, b"no such interface", &[]));
    let statistics = out(true).u32(0).u32(0).u32(0).raw(&option(true, 5, &42_u64.to_be_bytes())).bytes;
    file.extend(block(true, 5, &statistics));
    let (packets, stop, end) = read_all(Kind::Pcapng, file);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!(
        packets,
        [
            (1_500_000_000, 1, b"nanos".to_vec(), 5),
            (1_500_000_000, 101, b"binary".to_vec(), 6),
            (102_000_001_000, 113, b"micros".to_vec(), 6),
            (102_000_001_000, 113, b"simple".to_vec(), 6),
            (103_000_000_000, 113, b"old".to_vec(), 3),
        ]
    );
    assert_eq!(end, PacketReaderEnd { dropped: 42, unreadable: 1 });
}

#[test]
fn broken_options_do_not_cost_the_packet() {
    let mut file = section(false);
    file.extend(interface(false, 1, b""));
    file.extend(enhanced(false, 0, 1, b"data", &[1, 0, 0xff, 0xff]));
    assert_eq!(read_all(Kind::Pcapng, file).0.len(), 1);
}

proptest::proptest! {
    #[test]
    fn noise_behind_a_header_never_panics(noise: Vec<u8>, flip in 0_usize..400, value: u8) {
        let mut file = section(false);
        file.extend(interface(false, 1, &option(false, 9, &[9])));
        file.extend(enhanced(false, 0, 5, b"some data", &option(false, 1, b"x")));
        file.extend(&noise);
        let at = flip % file.len();
        file[at] = value;
        let _ = read_all(Kind::Pcapng, file);
        let mut file = pcap(true, false);
        file.extend(&noise);
        let at = flip % file.len();
        file[at] = value;
        let _ = read_all(Kind::Pcap, file);
    }
}
