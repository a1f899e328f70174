//! One connection.

use mynah_traffic::{Nanos, Side};

use super::half::{Half, Noticed, START};
use crate::http::start::{Looks, looks};
use crate::http::{Conversation, Ending, Limits, Out};
use crate::net::{End, Segment};

/// A hole that the receiver has acknowledged is given up when its bytes have not come by so many packets of the flow later …
const PATIENCE_PACKETS: u64 = 64;
/// … or by so much later, on the packets' clock. Captures reorder, but not by more.
const PATIENCE: Nanos = Nanos(Nanos::PER_SECOND);
/// First bytes kept while it is open what they are.
const MAX_UNCLEAR: usize = 64 << 10;
/// A segment of a closed flow that is further away than this belongs to another connection.
const FAR: u64 = 1 << 24;

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Not told yet.
    Unclear,
    Http,
    Tls,
    Http2,
}

/// What the caller must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    /// The segment begins another connection between the same ends.
    Another,
}

/// What a flow leads to besides exchanges.
pub(super) struct Context<'a, 'b> {
    pub(super) out: &'a mut Out<'b>,
    pub(super) gaps: &'a mut u64,
    pub(super) limits: Limits,
    pub(super) flow_memory: u64,
}

pub(super) struct Flow {
    ends: [End; 2],
    halves: [Half; 2],
    /// Which of the ends is the client.
    client: Option<usize>,
    pub(super) protocol: Protocol,
    pub(super) conversation: Option<Box<Conversation>>,
    /// First bytes of each direction that may be anything yet, with their times.
    unclear: [Vec<(Vec<u8>, Nanos)>; 2],
    packets: u64,
    last: Nanos,
    pub(super) closed: bool,
    /// Data was seen.
    pub(super) carried: bool,
}

impl Flow {
    pub(super) fn new(ends: [End; 2]) -> Self {
        Flow {
            ends,
            halves: [Half::default(), Half::default()],
            client: None,
            protocol: Protocol::Unclear,
            conversation: None,
            unclear: [Vec::new(), Vec::new()],
            packets: 0,
            last: Nanos(0),
            closed: false,
            carried: false,
        }
    }

    /// Bytes held.
    pub(super) fn cost(&self) -> u64 {
        let early: u64 = self.halves.iter().map(Half::cost).sum();
        let unclear: u64 = self.unclear.iter().flatten().map(|(data, _)| data.len() as u64 + 32).sum();
        let conversation = self
            .conversation
            .as_ref()
            .map_or(0, |conversation| conversation.cost() + size_of::<Conversation>() as u64);
        early + unclear + conversation + size_of::<Flow>() as u64
    }

    /// Takes a segment that `ends[from]` sent.
    pub(super) fn segment(
        &mut self,
        from: usize,
        segment: &Segment<'_>,
        time: Nanos,
        context: &mut Context<'_, '_>,
    ) -> Verdict {
        let to = 1 - from;
        self.packets += 1;
        self.last = self.last.max(time);
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        if self.is_another(from, segment, first) {
            return Verdict::Another;
        }
        self.handshake(from, segment, first);
        if self.closed {
            return Verdict::Kept;
        }
        if let Some(number) = segment.acknowledged
            && let Some(position) = self.halves[to].acknowledgement(number)
        {
            let half = &mut self.halves[to];
            half.acknowledged = half.acknowledged.max(position);
        }
        let known = self.halves[from].known();
        if !known && !segment.rst {
            self.halves[from].begin(first);
        }
        if segment.rst {
            return self.reset(from, segment, context);
        }
        let Some(position) = self.halves[from].position(first) else { return Verdict::Kept };
        let need =
            segment.acknowledged.and_then(|number| self.halves[to].acknowledgement(number)).unwrap_or(0);
        if segment.fin {
            let end = position + segment.data.len() as u64 + u64::from(segment.missing);
            let half = &mut self.halves[from];
            if half.fin.is_none() && end >= half.next {
                half.fin = Some((end, need));
            }
        }
        if !segment.data.is_empty() || segment.missing > 0 {
            self.data(from, position, segment, time, need, context);
        }
        self.settle(context);
        Verdict::Kept
    }

    /// Whether the segment belongs to a later connection between the same ends.
    fn is_another(&self, from: usize, segment: &Segment<'_>, first: u32) -> bool {
        let (half, other) = (&self.halves[from], &self.halves[1 - from]);
        if segment.syn {
            if half.began_at(first) {
                return false;
            }
            // a SYN-ACK with other numbers than the data in hand belongs to a connection whose SYN was not captured
            let used = half.used() || (segment.acknowledged.is_none() && other.used());
            return used || self.closed;
        }
        if !self.closed || segment.rst || segment.data.is_empty() {
            return false;
        }
        half.position(first).is_some_and(|position| position.abs_diff(half.next) > FAR)
    }

    fn handshake(&mut self, from: usize, segment: &Segment<'_>, first: u32) {
        if !segment.syn || segment.rst {
            return;
        }
        let to = 1 - from;
        if !self.halves[from].began_at(first) {
            self.halves[from].begin(first);
        }
        self.halves[from].syn = true;
        if let Some(conversation) = &mut self.conversation {
            conversation.began();
        }
        match segment.acknowledged {
            None => self.client = Some(from),
            Some(number) => {
                self.client = self.client.or(Some(to));
                // data in the SYN is acknowledged here or not: the client's own SYN tells better
                if !self.halves[to].known() {
                    self.halves[to].begin(number);
                }
            }
        }
    }

    fn data(
        &mut self,
        from: usize,
        position: u64,
        segment: &Segment<'_>,
        time: Nanos,
        need: u64,
        context: &mut Context<'_, '_>,
    ) {
        self.carried = true;
        let reached = self.halves[1 - from].reached(need);
        let half = &mut self.halves[from];
        let end = position + segment.data.len() as u64;
        if half.early.is_empty() && position <= half.next && reached {
            // the usual case: in order, and nothing to wait for
            let old = (half.next - position) as usize;
            if let Some(fresh) = segment.data.get(old..)
                && !(fresh.is_empty() && segment.missing == 0)
            {
                half.next = end;
                self.deliver(from, fresh, segment.missing, time, context);
            }
        } else if end > half.next {
            half.keep(position, segment, time, need);
        }
    }

    /// Hands on bytes, and the hole behind them that the snap length left.
    fn deliver(
        &mut self,
        from: usize,
        data: &[u8],
        missing: u32,
        time: Nanos,
        context: &mut Context<'_, '_>,
    ) {
        if !data.is_empty() {
            self.hand_on(from, data, time, context);
        }
        if missing > 0 {
            self.halves[from].next += u64::from(missing);
            *context.gaps += 1;
            self.hole(from, u64::from(missing), context);
        }
    }

    /// Hands on all that has become due, ends what has ended and gives up holes that are known for long.
    fn settle(&mut self, context: &mut Context<'_, '_>) {
        self.pump(context);
        for dir in 0..2 {
            while self.halves[dir].cost() > context.flow_memory {
                if !self.give_up(dir, context) {
                    break;
                }
            }
            self.watch(dir, context);
        }
        if self.halves.iter().all(|half| half.ended) {
            self.close(Ending::Closed, context);
        }
    }

    fn pump(&mut self, context: &mut Context<'_, '_>) {
        loop {
            let mut progress = false;
            for dir in 0..2 {
                let (one, two) = self.halves.split_at_mut(1);
                let (half, other) = if dir == 0 { (&mut one[0], &two[0]) } else { (&mut two[0], &one[0]) };
                if let Some(early) = half.due(|need| other.reached(need)) {
                    half.next += early.data.len() as u64;
                    self.deliver(dir, &early.data, early.missing, early.time, context);
                    progress = true;
                } else if !half.ended
                    && let Some((_, need)) = half.fin
                    && half.complete()
                    && other.reached(need)
                {
                    half.ended = true;
                    self.eof(dir, context);
                    progress = true;
                }
            }
            if !progress && !self.untie() {
                return;
            }
        }
    }

    /// Each direction waits for the other. Only a retransmission that acknowledges what came after its bytes were first sent
    /// can make it so, and that is the one captured later: let it go.
    fn untie(&mut self) -> bool {
        let front = |half: &Half| half.first_early().filter(|(at, _)| *at <= half.next).map(|(_, time)| time);
        let (Some(one), Some(two)) = (front(&self.halves[0]), front(&self.halves[1])) else { return false };
        self.halves[usize::from(two >= one)].wait_no_more();
        true
    }

    /// Watches for a hole that the receiver has acknowledged.
    fn watch(&mut self, dir: usize, context: &mut Context<'_, '_>) {
        let (packets, last) = (self.packets, self.last);
        let half = &mut self.halves[dir];
        if !half.has_known_hole() || half.released >= half.acknowledged && half.early.is_empty() {
            half.noticed = None;
            return;
        }
        let released = half.first_early().is_some_and(|(position, ..)| position <= half.released);
        let noticed = half.noticed.filter(|noticed| noticed.next == half.next).unwrap_or(Noticed {
            next: half.next,
            packets,
            time: last,
        });
        half.noticed = Some(noticed);
        let patient = packets - noticed.packets < PATIENCE_PACKETS && last.since(noticed.time) < PATIENCE;
        if patient && !released {
            return;
        }
        half.noticed = None;
        let acknowledged = half.acknowledged;
        match half.first_early() {
            Some((position, ..)) if position <= acknowledged => {
                self.give_up(dir, context);
            }
            // how long the hole is will show when something comes from behind it
            _ if half.released < acknowledged => {
                half.released = acknowledged;
                if let Some(conversation) = &mut self.conversation
                    && let Some(client) = self.client
                {
                    conversation.suspect(if dir == client { Side::Request } else { Side::Response });
                }
                self.pump(context);
            }
            _ => {}
        }
    }

    /// Declares the hole before the first early segment lost, or what the other direction waits for. False when there is nothing to give up.
    fn give_up(&mut self, dir: usize, context: &mut Context<'_, '_>) -> bool {
        let Some((position, _)) = self.halves[dir].first_early() else { return false };
        let half = &mut self.halves[dir];
        if position > half.next {
            let length = position - half.next;
            half.next = position;
            *context.gaps += 1;
            self.hole(dir, length, context);
        } else {
            half.wait_no_more();
        }
        self.pump(context);
        true
    }

    fn hole(&mut self, dir: usize, length: u64, context: &mut Context<'_, '_>) {
        self.unclear[dir].clear();
        if let (Some(conversation), Some(client)) = (&mut self.conversation, self.client) {
            let side = if dir == client { Side::Request } else { Side::Response };
            conversation.hole(side, length, context.out);
        }
    }

    fn eof(&mut self, dir: usize, context: &mut Context<'_, '_>) {
        if let (Some(conversation), Some(client)) = (&mut self.conversation, self.client) {
            let side = if dir == client { Side::Request } else { Side::Response };
            conversation.eof(side, context.out);
        }
    }

    fn reset(&mut self, from: usize, segment: &Segment<'_>, context: &mut Context<'_, '_>) -> Verdict {
        // a blind RST is ignored by its receiver too: it must lie near the stream
        let near = self.halves[from]
            .position(segment.sequence)
            .is_none_or(|position| position.abs_diff(self.halves[from].next) <= FAR);
        if near {
            self.close(Ending::Reset, context);
        }
        Verdict::Kept
    }

    /// Ends the flow: hands on what waits, holes or not, and sends out what is unfinished.
    pub(super) fn close(&mut self, ending: Ending, context: &mut Context<'_, '_>) {
        if self.closed {
            return;
        }
        self.pump(context);
        // first the holes that keep the other direction waiting
        while let Some(dir) = self.stuck() {
            if !self.give_up(dir, context) {
                break;
            }
        }
        self.closed = true;
        if let Some(conversation) = &mut self.conversation {
            conversation.close(ending, context.out);
        }
        self.unclear = [Vec::new(), Vec::new()];
    }

    /// A direction with something that waits; one that waits for its own bytes before one that waits for the other's.
    fn stuck(&self) -> Option<usize> {
        let front =
            |dir: usize| self.halves[dir].first_early().map(|(at, time)| (at <= self.halves[dir].next, time));
        match (front(0), front(1)) {
            (None, None) => None,
            (Some(_), None) => Some(0),
            (None, Some(_)) => Some(1),
            (Some(one), Some(two)) => Some(usize::from(two < one)),
        }
    }

    /// Drops what the flow holds for good.
    pub(super) fn forget(&mut self) {
        self.conversation = None;
        for half in &mut self.halves {
            half.early.clear();
            half.early_bytes = 0;
        }
    }

    /// Gives bytes to whom they belong.
    fn hand_on(&mut self, from: usize, data: &[u8], time: Nanos, context: &mut Context<'_, '_>) {
        match self.protocol {
            Protocol::Http => {
                if let (Some(conversation), Some(client)) = (&mut self.conversation, self.client) {
                    let side = if from == client { Side::Request } else { Side::Response };
                    conversation.feed(side, data, time, context.out);
                }
            }
            Protocol::Unclear => self.tell(from, data, time, context),
            Protocol::Tls | Protocol::Http2 => {}
        }
    }

    /// Finds out from first bytes what the connection carries and who is the client.
    fn tell(&mut self, from: usize, data: &[u8], time: Nanos, context: &mut Context<'_, '_>) {
        let joined;
        let first = if self.unclear[from].is_empty() {
            data
        } else {
            let held = self.unclear[from].iter().flat_map(|(data, _)| data);
            joined = held.chain(data).copied().collect::<Vec<u8>>();
            &joined
        };
        let client = match (looks(first), self.client) {
            (Looks::Tls, _) => {
                self.protocol = Protocol::Tls;
                return;
            }
            (Looks::Http2, _) => {
                self.protocol = Protocol::Http2;
                return;
            }
            (Looks::Unclear, _) if first.len() < MAX_UNCLEAR => {
                self.unclear[from].push((data.to_vec(), time));
                return;
            }
            (Looks::Request, None) => from,
            (Looks::Response, None) => 1 - from,
            // with the handshake seen, roles are known, and what follows the noise may be HTTP all the same
            (_, Some(client)) => client,
            // in mid-stream: the middle of a message, most likely; its next one will tell
            (_, None) => {
                self.unclear[from].clear();
                return;
            }
        };
        self.client = Some(client);
        self.protocol = Protocol::Http;
        let began = self.halves.iter().any(|half| half.syn);
        let (ends, limits) = (self.ends, context.limits);
        self.conversation = Some(Box::new(Conversation::new(ends[client], ends[1 - client], !began, limits)));
        let [one, two] = std::mem::take(&mut self.unclear);
        let (own, others) = if from == 0 { (one, two) } else { (two, one) };
        let now = [(data.to_vec(), time)];
        for (data, time) in own.iter().chain(&now) {
            self.hand_on(from, data, *time, context);
        }
        for (data, time) in &others {
            self.hand_on(1 - from, data, *time, context);
        }
    }

    pub(super) fn last(&self) -> Nanos {
        self.last
    }
}

/// Positions are far above zero, so that none is below.
const _: () = assert!(START > FAR * 2);
