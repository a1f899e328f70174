//! For tests: a connection as its two ends would write it, segment by segment.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mynah_traffic::{Exchange, Nanos};

use super::Table;
use super::table::Statistics;
use crate::Options;
use crate::http::Out;
use crate::net::{End, Segment};

/// A segment that owns its bytes.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) by_client: bool,
    pub(super) port: u16,
    pub(super) sequence: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) data: Vec<u8>,
    pub(super) missing: u32,
    pub(super) time: Nanos,
}

/// One connection; every call appends what is sent.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) port: u16,
    pub(super) next: [u32; 2],
    pub(super) now: u64,
    pub(super) sent: Vec<Sent>,
}

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

impl Wire {
    /// Without a handshake.
    pub(super) fn midway() -> Self {
        Wire { port: 40_000, next: [1000, 5000], now: 1, sent: Vec::new() }
    }

    /// With a handshake.
    pub(super) fn new() -> Self {
        Wire::numbered(999, 4999)
    }

    pub(super) fn numbered(client: u32, server: u32) -> Self {
        let mut wire = Wire { next: [client, server], ..Wire::midway() };
        wire.handshake();
        wire
    }

    pub(super) fn handshake(&mut self) {
        self.push(CLIENT, b"").syn = true;
        self.last().acknowledged = None;
        self.next[CLIENT] = self.next[CLIENT].wrapping_add(1);
        self.push(SERVER, b"").syn = true;
        self.next[SERVER] = self.next[SERVER].wrapping_add(1);
        self.push(CLIENT, b"");
    }

    /// A segment at the sender's place in its stream, without moving on.
    pub(super) fn push(&mut self, from: usize, data: &[u8]) -> &mut Sent {
        self.now += 1;
        self.sent.push(Sent {
            by_client: from == CLIENT,
            port: self.port,
            sequence: self.next[from],
            acknowledged: Some(self.next[1 - from]),
            syn: false,
            fin: false,
            rst: false,
            data: data.to_vec(),
            missing: 0,
            time: Nanos(self.now * 1000),
        });
        self.last()
    }

    /// The segment sent last.
    pub(super) fn last(&mut self) -> &mut Sent {
        self.sent.last_mut().unwrap()
    }

    /// Data.
    pub(super) fn send(&mut self, from: usize, data: impl AsRef<[u8]>) -> &mut Self {
        let data = data.as_ref();
        self.push(from, data);
        self.next[from] = self.next[from].wrapping_add(data.len() as u32);
        self
    }

    pub(super) fn client(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.send(CLIENT, data)
    }

    pub(super) fn server(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.send(SERVER, data)
    }

    /// Data that the capture misses, and of which only the acknowledgement tells.
    pub(super) fn lose(&mut self, from: usize, length: usize) -> &mut Self {
        self.next[from] = self.next[from].wrapping_add(length as u32);
        self
    }

    pub(super) fn fin(&mut self, from: usize) -> &mut Self {
        self.push(from, b"").fin = true;
        self.next[from] = self.next[from].wrapping_add(1);
        self
    }

    pub(super) fn wait(&mut self, time: Nanos) -> &mut Self {
        self.now += time.0 / 1000;
        self
    }

    pub(super) fn run(&self) -> Vec<Exchange> {
        run(&self.sent, &Options::default()).0
    }
}

/// Captures segments.
pub(super) fn run(sent: &[Sent], options: &Options) -> (Vec<Exchange>, Statistics) {
    let client = |port: u16| End::from(SocketAddr::from(([10, 0, 0, 1], port)));
    let server = End::from(SocketAddr::from(([10, 0, 0, 2], 80)));
    let mut table = Table::new(options);
    let (mut exchanges, mut next) = (VecDeque::new(), options.first_connection);
    let mut out = Out { exchanges: &mut exchanges, next_connection: &mut next };
    for sent in sent {
        let (from, to) =
            if sent.by_client { (client(sent.port), server) } else { (server, client(sent.port)) };
        let segment = Segment {
            from,
            to,
            sequence: sent.sequence,
            acknowledged: sent.acknowledged,
            syn: sent.syn,
            fin: sent.fin,
            rst: sent.rst,
            data: &sent.data,
            missing: sent.missing,
        };
        table.segment(&segment, sent.time, &mut out);
    }
    while table.finish(&mut out) {}
    (exchanges.into(), table.statistics)
}

/// `GET /a → 200 "body" [flags]`, for comparing.
pub(super) fn shown(exchange: &Exchange) -> String {
    let request = exchange.request.as_ref().map_or("-".to_owned(), |message| {
        let head = exchange.request_head();
        let line =
            head.as_ref().map(|h| format!("{} {}", h.method().unwrap_or("?"), h.target().unwrap_or("?")));
        let body = String::from_utf8_lossy(&message.body).into_owned();
        line.unwrap_or_default() + &if body.is_empty() { body } else { format!(" {body:?}") }
    });
    let response = exchange.response.as_ref().map_or("-".to_owned(), |message| {
        let status = exchange.status().map_or("?".to_owned(), |status| status.to_string());
        format!("{status} {:?}", String::from_utf8_lossy(&message.body))
    });
    let flags: Vec<&str> = exchange.flags.iter().map(mynah_traffic::Flag::name).collect();
    format!("{request} → {response} [{}]", flags.join(" "))
}

pub(super) fn all_shown(exchanges: &[Exchange]) -> Vec<String> {
    exchanges.iter().map(shown).collect()
}
