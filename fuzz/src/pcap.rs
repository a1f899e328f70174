//! Classic pcap files made up in memory.

/// Ends of the one connection: client, server.
const ADDRESSES: [[u8; 4]; 2] = [[10, 0, 0, 1], [10, 0, 0, 2]];
const PORTS: [u16; 2] = [40_000, 80];

/// Every link type that is read, and one that is not.
pub const LINKS: [u8; 16] = [1, 101, 113, 0, 108, 12, 14, 228, 229, 9, 50, 51, 104, 239, 147, 127];
/// Linux cooked v2 does not fit in a byte.
const SLL2: u32 = 276;

/// A file that grows.
pub struct Pcap(Vec<u8>);

impl Pcap {
    pub fn new(link: u32) -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x0004_0000, link] {
            bytes.extend(word.to_le_bytes());
        }
        Pcap(bytes)
    }

    /// With the link type that a byte picks.
    pub fn picked(byte: u8) -> Self {
        Pcap::new(LINKS.get(usize::from(byte)).map_or(SLL2, |&link| u32::from(link)))
    }

    /// `cut`: bytes that the snap length took.
    pub fn packet(&mut self, micros: u64, data: &[u8], cut: u32) {
        let length = data.len() as u32;
        for word in
            [(micros / 1_000_000) as u32, (micros % 1_000_000) as u32, length, length.saturating_add(cut)]
        {
            self.0.extend(word.to_le_bytes());
        }
        self.0.extend(data);
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

/// A segment of the one connection.
#[derive(Clone, Debug)]
pub struct Segment {
    /// 0: the client sends, 1: the server.
    pub from: usize,
    pub sequence: u32,
    pub acknowledged: u32,
    pub flags: u8,
    pub data: Vec<u8>,
    /// Bytes behind `data` that the snap length cut off.
    pub missing: u16,
}

impl Segment {
    /// As an IPv4 packet.
    pub fn packet(&self) -> Vec<u8> {
        let (from, to) = (self.from, 1 - self.from);
        let total = 40 + self.data.len() as u16 + self.missing;
        let mut bytes = vec![0x45, 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        bytes.extend(ADDRESSES[from]);
        bytes.extend(ADDRESSES[to]);
        bytes.extend(PORTS[from].to_be_bytes());
        bytes.extend(PORTS[to].to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledged.to_be_bytes());
        bytes.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(&self.data);
        bytes
    }
}

/// One connection as its two ends write it.
pub struct Wire {
    pub next: [u32; 2],
    pub sent: Vec<Segment>,
}

impl Wire {
    /// With the handshake done.
    pub fn new(numbers: [u32; 2]) -> Self {
        let mut wire = Wire { next: numbers, sent: Vec::new() };
        for (from, flags) in [(0, SYN), (1, SYN | ACK), (0, ACK)] {
            wire.push(from, &[], flags);
            if flags & SYN != 0 {
                wire.next[from] = wire.next[from].wrapping_add(1);
            }
        }
        wire
    }

    pub fn push(&mut self, from: usize, data: &[u8], flags: u8) {
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[1 - from] };
        let sequence = self.next[from];
        self.sent.push(Segment { from, sequence, acknowledged, flags, data: data.to_vec(), missing: 0 });
    }

    pub fn send(&mut self, from: usize, data: &[u8]) {
        self.push(from, data, ACK);
        self.next[from] = self.next[from].wrapping_add(data.len() as u32);
    }

    pub fn fin(&mut self, from: usize) {
        self.push(from, &[], ACK | FIN);
        self.next[from] = self.next[from].wrapping_add(1);
    }
}

/// A file of raw IP packets, `step` microseconds apart.
pub fn file<'a>(segments: impl IntoIterator<Item = &'a Segment>, step: u64) -> Vec<u8> {
    let mut pcap = Pcap::new(101);
    for (n, segment) in segments.into_iter().enumerate() {
        pcap.packet(1_000_000_000_000 + n as u64 * step, &segment.packet(), u32::from(segment.missing));
    }
    pcap.finish()
}
