//! All flows: found by their ends, kept in the order in which they were last heard of.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use mynah_traffic::Nanos;

use super::flow::{Context, Flow, Protocol, Verdict};
use crate::Options;
use crate::http::{Ending, Left, Limits, Out};
use crate::net::{End, Segment};

/// How long a closed flow is remembered, so that its last retransmissions and acknowledgements find it. On the packets' clock.
const LINGER: Nanos = Nanos(30 * Nanos::PER_SECOND);
/// What the table itself holds for a flow, in bytes: the slot, an entry in a map that is half full, and what the allocator adds to
/// the slot, its conversation and the bytes in hand.
const OVERHEAD: u64 = (size_of::<Slot>() - size_of::<Flow>() + 2 * size_of::<(Key, u32)>() + 3 * 16) as u64;
const NONE: u32 = u32::MAX;

/// What the flows were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Connections of TLS.
    pub(crate) tls: u64,
    /// Connections of HTTP/2, from their beginning or by upgrade.
    pub(crate) http2: u64,
    /// Connections that carried data and no HTTP.
    pub(crate) other: u64,
    /// Connections of HTTP with bytes that belong to no message.
    pub(crate) junk: u64,
    /// Holes in streams.
    pub(crate) gaps: u64,
    /// Flows given up to stay within the memory limit.
    pub(crate) evicted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    low: End,
    high: End,
}

impl Hash for Key {
    /// In three words rather than field by field: a hash is taken for most packets.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.low.address));
        state.write_u128(u128::from_ne_bytes(self.high.address));
        state.write_u32(u32::from(self.low.port) << 16 | u32::from(self.high.port));
    }
}

struct Slot {
    key: Key,
    flow: Flow,
    cost: u64,
    /// Neighbours in the list of open or of closed flows.
    before: u32,
    after: u32,
    list: usize,
}

/// A list through the slots, from the one silent for longest to the latest.
#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

pub(crate) struct Table {
    options: Options,
    /// Seeded at random, so that nobody can choose addresses that collide.
    places: HashMap<Key, u32, foldhash::quality::RandomState>,
    /// The flow of the packet before: the next one is often of the same.
    latest: Option<(Key, u32)>,
    /// Boxed: a large vector of large slots would leave holes as large when it grows.
    slots: Vec<Option<Box<Slot>>>,
    free: Vec<u32>,
    /// Open flows, closed flows.
    lists: [List; 2],
    /// Bytes held by all flows.
    cost: u64,
    now: Nanos,
    pub(crate) statistics: Statistics,
}

impl Table {
    pub(crate) fn new(options: &Options) -> Self {
        Table {
            options: *options,
            places: HashMap::default(),
            latest: None,
            slots: Vec::new(),
            free: Vec::new(),
            lists: [List { first: NONE, last: NONE }; 2],
            cost: 0,
            now: Nanos(0),
            statistics: Statistics::default(),
        }
    }

    /// Takes a segment to its flow.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, time: Nanos, out: &mut Out<'_>) {
        self.now = self.now.max(time);
        self.expire(out);
        let (low, high) =
            if segment.from <= segment.to { (segment.from, segment.to) } else { (segment.to, segment.from) };
        let key = Key { low, high };
        let from = usize::from(segment.from != low);
        let known = match self.latest {
            Some((latest, place)) if latest == key => Some(place),
            _ => self.places.get(&key).copied(),
        };
        let mut place = match known {
            Some(place) => place,
            // an acknowledgement or goodbye of something unseen begins nothing
            None if segment.rst => return,
            None => self.open(key),
        };
        if self.give(place, from, segment, time, out) == Verdict::Another {
            self.end(place, Ending::Unseen, out);
            self.drop(place);
            place = self.open(key);
            self.give(place, from, segment, time, out);
        }
        self.touch(place);
        self.latest = Some((key, place));
        if self.cost > self.options.memory {
            self.shrink(place, out);
        }
    }

    /// Time has gone on without a packet.
    #[cfg(feature = "live")]
    pub(crate) fn quiet(&mut self, now: Nanos, out: &mut Out<'_>) {
        self.now = self.now.max(now);
        self.expire(out);
    }

    /// The capture is over: ends one flow, the one silent for longest first. False when none is left. One at a time, so that what
    /// all of them had in hand is never there twice.
    pub(crate) fn finish(&mut self, out: &mut Out<'_>) -> bool {
        let Some(place) = self.lists.iter().map(|list| list.first).find(|&first| first != NONE) else {
            return false;
        };
        self.end(place, Ending::Unseen, out);
        self.drop(place);
        true
    }

    fn give(
        &mut self,
        place: u32,
        from: usize,
        segment: &Segment<'_>,
        time: Nanos,
        out: &mut Out<'_>,
    ) -> Verdict {
        let Some(slot) = self.slots.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return Verdict::Kept;
        };
        let mut context = Context {
            out,
            gaps: &mut self.statistics.gaps,
            limits: limits(&self.options),
            flow_memory: self.options.flow_memory,
        };
        let was_closed = slot.flow.closed;
        let verdict = slot.flow.segment(from, segment, time, &mut context);
        if slot.flow.closed && !was_closed {
            count(&slot.flow, &mut self.statistics);
            slot.flow.forget();
        }
        let cost = slot.flow.cost() + OVERHEAD;
        self.cost = self.cost + cost - slot.cost;
        slot.cost = cost;
        verdict
    }

    /// Ends a flow that is not closed yet.
    fn end(&mut self, place: u32, ending: Ending, out: &mut Out<'_>) {
        let Some(slot) = self.slots.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        if slot.flow.closed {
            return;
        }
        let mut context = Context {
            out,
            gaps: &mut self.statistics.gaps,
            limits: limits(&self.options),
            flow_memory: self.options.flow_memory,
        };
        slot.flow.close(ending, &mut context);
        count(&slot.flow, &mut self.statistics);
    }

    /// Ends flows that have been silent for too long.
    fn expire(&mut self, out: &mut Out<'_>) {
        for (list, patience) in [(0, self.options.idle), (1, LINGER)] {
            while let Some(Some(slot)) = self.slots.get(self.lists[list].first as usize) {
                if self.now.since(slot.flow.last()) <= patience {
                    break;
                }
                let place = self.lists[list].first;
                self.end(place, Ending::Unseen, out);
                self.drop(place);
            }
        }
    }

    /// Comes back within the memory limit. A flow that takes a quarter of it for itself goes before the many that it would drive
    /// out. `place`: the flow that has just grown.
    fn shrink(&mut self, place: u32, out: &mut Out<'_>) {
        while self.cost > self.options.memory && self.lists[1].first != NONE {
            self.evict(out);
        }
        let taken = self.slots.get(place as usize).and_then(Option::as_deref).map_or(0, |slot| slot.cost);
        if self.cost > self.options.memory && taken > self.options.memory / 4 {
            self.statistics.evicted += 1;
            self.end(place, Ending::Unseen, out);
            self.drop(place);
        }
        while self.cost > self.options.memory && self.evict(out) {}
    }

    /// Gives up the flow that was silent for longest, a closed one if there is any. False when there is none left.
    fn evict(&mut self, out: &mut Out<'_>) -> bool {
        let list = usize::from(self.lists[1].first != NONE);
        let place = self.lists[list].first;
        if place == NONE {
            return false;
        }
        if list == 0 {
            self.statistics.evicted += 1;
            self.end(place, Ending::Unseen, out);
        }
        self.drop(place);
        true
    }

    fn open(&mut self, key: Key) -> u32 {
        let flow = Flow::new([key.low, key.high]);
        let cost = flow.cost() + OVERHEAD;
        let slot = Box::new(Slot { key, flow, cost, before: NONE, after: NONE, list: 0 });
        self.cost += cost;
        let place = if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(slot);
            place
        } else {
            self.slots.push(Some(slot));
            (self.slots.len() - 1) as u32
        };
        self.places.insert(key, place);
        self.link(place);
        place
    }

    fn drop(&mut self, place: u32) {
        self.unlink(place);
        self.latest = None;
        if let Some(slot) = self.slots.get_mut(place as usize).and_then(Option::take) {
            self.cost -= slot.cost;
            self.places.remove(&slot.key);
            self.free.push(place);
        }
    }

    /// Moves a flow to the end of the list that it belongs to.
    fn touch(&mut self, place: u32) {
        let Some(Some(slot)) = self.slots.get(place as usize) else { return };
        let list = usize::from(slot.flow.closed);
        if slot.list == list && self.lists[list].last == place {
            return;
        }
        self.unlink(place);
        if let Some(Some(slot)) = self.slots.get_mut(place as usize) {
            slot.list = list;
        }
        self.link(place);
    }

    fn link(&mut self, place: u32) {
        let Some(Some(slot)) = self.slots.get_mut(place as usize) else { return };
        let list = slot.list;
        let last = self.lists[list].last;
        (slot.before, slot.after) = (last, NONE);
        match self.slots.get_mut(last as usize) {
            Some(Some(neighbour)) => neighbour.after = place,
            _ => self.lists[list].first = place,
        }
        self.lists[list].last = place;
    }

    fn unlink(&mut self, place: u32) {
        let Some(Some(slot)) = self.slots.get(place as usize) else { return };
        let (before, after, list) = (slot.before, slot.after, slot.list);
        match self.slots.get_mut(before as usize) {
            Some(Some(neighbour)) => neighbour.after = after,
            _ => self.lists[list].first = after,
        }
        match self.slots.get_mut(after as usize) {
            Some(Some(neighbour)) => neighbour.before = before,
            _ => self.lists[list].last = before,
        }
    }
}

fn limits(options: &Options) -> Limits {
    Limits { max_body: options.max_body, waiting: options.flow_memory.saturating_add(2 * options.max_body) }
}

fn count(flow: &Flow, statistics: &mut Statistics) {
    match flow.protocol {
        Protocol::Tls => statistics.tls += 1,
        Protocol::Http2 => statistics.http2 += 1,
        Protocol::Unclear => statistics.other += u64::from(flow.carried),
        Protocol::Http => {
            let Some(conversation) = &flow.conversation else { return };
            if !conversation.spoke_http() {
                statistics.other += u64::from(flow.carried);
            } else if conversation.junk {
                statistics.junk += 1;
            }
            statistics.http2 += u64::from(conversation.left == Some(Left::Http2));
        }
    }
}
