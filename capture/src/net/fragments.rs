//! IP datagrams that came in pieces, [RFC 791 §3.2](https://www.rfc-editor.org/rfc/rfc791#section-3.2) and
//! [RFC 8200 §4.5](https://www.rfc-editor.org/rfc/rfc8200#section-4.5). Bounded in number, bytes and packet time.

use std::collections::HashMap;

use etherparse::defrag::IpDefragBuf;
use etherparse::{IpFragOffset, IpNumber};
use mynah_traffic::Nanos;

use super::ip::{Fragment, Header};

/// Datagrams in the making: with at most 64 KiB each, 16 MiB.
const MAX_DATAGRAMS: usize = 256;
/// How long a datagram waits for its pieces (RFC 8200 says a minute; captures hold what arrives within seconds).
const PATIENCE: Nanos = Nanos(30 * Nanos::PER_SECOND);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: [u8; 16],
    destination: [u8; 16],
    protocol: u8,
    id: u32,
}

#[derive(Default)]
pub(super) struct Fragments {
    datagrams: HashMap<Key, (IpDefragBuf, Nanos)>,
}

impl Fragments {
    /// Adds a piece. Gives the protocol and payload of the datagram when it has become whole.
    pub(super) fn add(
        &mut self,
        header: &Header<'_>,
        fragment: Fragment,
        time: Nanos,
    ) -> Option<(u8, Vec<u8>)> {
        let key = Key {
            source: header.source,
            destination: header.destination,
            // later pieces of IPv6 may name another next header (RFC 8200 §4.5); the identification is wide enough alone
            protocol: if fragment.id > u32::from(u16::MAX) { 0 } else { header.protocol },
            id: fragment.id,
        };
        self.make_room(&key, time);
        let offset = IpFragOffset::try_new(fragment.offset / 8).ok()?;
        let fresh = || (IpDefragBuf::new(IpNumber(header.protocol), Vec::new(), Vec::new()), time);
        let (buffer, seen) = self.datagrams.entry(key).or_insert_with(fresh);
        *seen = time;
        if buffer.add(offset, fragment.more, header.payload).is_err() {
            // contradicting pieces: what was gathered is worth nothing
            self.datagrams.remove(&key);
            return None;
        }
        if !buffer.is_complete() {
            return None;
        }
        let (buffer, _) = self.datagrams.remove(&key)?;
        let protocol = buffer.ip_number().0;
        Some((protocol, buffer.take_bufs().0))
    }

    fn make_room(&mut self, key: &Key, now: Nanos) {
        if self.datagrams.len() < MAX_DATAGRAMS || self.datagrams.contains_key(key) {
            return;
        }
        self.datagrams.retain(|_, (_, seen)| now.since(*seen) <= PATIENCE);
        while self.datagrams.len() >= MAX_DATAGRAMS {
            let oldest = self.datagrams.iter().min_by_key(|(_, (_, seen))| *seen).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.datagrams.remove(&oldest);
        }
    }
}
