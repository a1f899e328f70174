//! Requests and responses that wait for each other, within a memory limit.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mynah_traffic::{Nanos, Side};

/// What a waiting record costs beside its payload and twice its identifier.
const OVERHEAD: usize = 256;

/// One of the two records of an exchange.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) side: Side,
    /// Its first byte, where the record tells.
    pub(super) moment: Option<Nanos>,
    /// Of a response in very old files: how long after the request's first byte.
    pub(super) since_request: Option<Nanos>,
    /// The latest moment that the file had told until then.
    pub(super) read_at: Nanos,
    /// First to last byte.
    pub(super) span: Nanos,
    pub(super) payload: Vec<u8>,
    /// More than the limit of what is kept.
    pub(super) cut: bool,
    /// Of a request: it got a `1xx` response.
    pub(super) interim: bool,
}

/// The records of one exchange, as far as there are any.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) id: String,
    pub(super) request: Option<Half>,
    pub(super) response: Option<Half>,
}

/// Records that wait for their counterpart, in the order of the file.
#[derive(Debug)]
pub(super) struct Pairs {
    waiting: BTreeMap<u64, (String, Half)>,
    /// Those with the same identifier, all of one side.
    by_id: HashMap<String, VecDeque<u64>>,
    next: u64,
    bytes: u64,
    limit: u64,
    /// How many were given up because of the limit.
    pub(super) evicted: u64,
}

impl Pairs {
    pub(super) fn new(limit: u64) -> Self {
        Pairs { waiting: BTreeMap::new(), by_id: HashMap::new(), next: 0, bytes: 0, limit, evicted: 0 }
    }

    /// Takes a record; gives what is complete with it, and what had to be given up for it.
    pub(super) fn push(&mut self, id: String, half: Half) -> Vec<Pair> {
        let first = self.by_id.get(&id).and_then(|queue| queue.front().copied());
        let other = first
            .filter(|number| self.waiting.get(number).is_some_and(|(_, waiting)| waiting.side != half.side));
        if let Some((id, other)) = other.and_then(|number| self.remove(number)) {
            let (request, response) = if half.side == Side::Request { (half, other) } else { (other, half) };
            return vec![Pair { id, request: Some(request), response: Some(response) }];
        }
        self.bytes += cost(&id, &half);
        self.by_id.entry(id.clone()).or_default().push_back(self.next);
        self.waiting.insert(self.next, (id, half));
        self.next += 1;
        let mut given_up = Vec::new();
        while self.bytes > self.limit
            && let Some(pair) = self.oldest()
        {
            self.evicted += 1;
            given_up.push(pair);
        }
        given_up
    }

    /// An interim response came. False when no request waits for one.
    pub(super) fn interim(&mut self, id: &str) -> bool {
        let first = self.by_id.get(id).and_then(|queue| queue.front());
        match first.and_then(|number| self.waiting.get_mut(number)) {
            Some((_, half)) if half.side == Side::Request => {
                half.interim = true;
                true
            }
            _ => false,
        }
    }

    /// The one that has waited longest, without its counterpart.
    pub(super) fn oldest(&mut self) -> Option<Pair> {
        let number = *self.waiting.first_key_value()?.0;
        let (id, half) = self.remove(number)?;
        Some(match half.side {
            Side::Request => Pair { id, request: Some(half), response: None },
            Side::Response => Pair { id, request: None, response: Some(half) },
        })
    }

    fn remove(&mut self, number: u64) -> Option<(String, Half)> {
        let (id, half) = self.waiting.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(cost(&id, &half));
        if let Some(queue) = self.by_id.get_mut(&id) {
            // always the first: records leave in the order in which they came
            if queue.front() == Some(&number) {
                queue.pop_front();
            }
            if queue.is_empty() {
                self.by_id.remove(&id);
            }
        }
        Some((id, half))
    }
}

fn cost(id: &str, half: &Half) -> u64 {
    (half.payload.capacity() + 2 * id.len() + OVERHEAD) as u64
}
