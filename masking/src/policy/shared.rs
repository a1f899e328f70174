//! How many clients share a path segment or query value: `--k`.
//!
//! A client is told by the source's own word (a HAR is one browser's), else by its session cookie or credentials, else by its
//! address, else by its connection. Of each value a keyed fingerprint of 64 bits and those of its first k clients are
//! kept, and the value itself while they are few and it is hard enough to guess to be replaced everywhere; of at most a
//! million values. What comes beyond is taken for rare, and masked.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use mynah_message::{Detail, Locator, View};
use mynah_traffic::Exchange;

use super::Policy;
use crate::kind::Kind;
use crate::learned::Learning;
use crate::names::Rule;

/// Values that are counted.
const MOST: usize = 1 << 20;

/// Counts while learning.
pub(crate) struct Sharing {
    key: RandomState,
    k: usize,
    values: HashMap<u64, Sharers>,
    is_full: bool,
}

/// Who shares a value.
#[derive(Default)]
struct Sharers {
    /// None when they are enough.
    clients: Vec<u32>,
    is_enough: bool,
    value: Option<Box<[u8]>>,
}

/// What few share.
#[derive(Debug)]
pub(crate) struct Rare {
    key: RandomState,
    /// Whether enough share it, for each that was counted.
    counted: HashMap<u64, bool>,
    is_full: bool,
}

impl Sharing {
    pub(crate) fn new(k: u32) -> Sharing {
        Sharing { key: RandomState::new(), k: k as usize, values: HashMap::new(), is_full: false }
    }

    /// Counts the path segments and query values of a request.
    pub(crate) fn count(&mut self, policy: &Policy, exchange: &Exchange) {
        let Some(view) = exchange.request.as_ref().and_then(|request| View::open_head(request).ok()) else {
            return;
        };
        let mut values = Vec::new();
        let mut identity = None;
        view.head_leaves(Detail::Names, &mut |_| true, &mut |leaf| match &leaf.locator {
            Locator::PathSegment { .. } | Locator::Query { .. } if !leaf.value.is_empty() => {
                values.push(leaf.value.to_vec());
            }
            Locator::Cookie { name }
                if matches!(policy.names.rule(name), Some(Rule::Mask(Kind::Session | Kind::Token))) =>
            {
                identity.get_or_insert_with(|| leaf.value.to_vec());
            }
            Locator::Header { name, .. } if name.eq_ignore_ascii_case("authorization") => {
                identity = Some(leaf.value.to_vec());
            }
            _ => {}
        });
        let connection = &exchange.connection;
        let client = match (connection.client_hint, identity, connection.client) {
            (Some(hint), ..) => self.key.hash_one(("hint", hint)),
            (None, Some(identity), _) => self.key.hash_one(("identity", identity)),
            (None, None, Some(client)) => self.key.hash_one(("address", client.ip())),
            (None, None, None) => self.key.hash_one(("connection", connection.id)),
        };
        for value in values {
            self.note(&value, (client >> 32) as u32);
        }
    }

    fn note(&mut self, value: &[u8], client: u32) {
        let print = self.key.hash_one(value);
        if self.values.len() >= MOST && !self.values.contains_key(&print) {
            self.is_full = true;
            return;
        }
        let sharers = self.values.entry(print).or_insert_with(|| Sharers {
            value: Learning::would_take(Kind::Id, value).then(|| value.into()),
            ..Sharers::default()
        });
        if sharers.is_enough || sharers.clients.contains(&client) {
            return;
        }
        sharers.clients.push(client);
        if sharers.clients.len() >= self.k {
            *sharers = Sharers { is_enough: true, ..Sharers::default() };
        }
    }

    /// What few share; those that are hard to guess are learnt.
    pub(crate) fn finish(self, learning: &mut Learning) -> Rare {
        let mut counted = HashMap::with_capacity(self.values.len());
        for (print, sharers) in self.values {
            counted.insert(print, sharers.is_enough);
            if let Some(value) = sharers.value.filter(|_| !sharers.is_enough) {
                learning.note(Kind::Id, &value);
            }
        }
        Rare { key: self.key, counted, is_full: self.is_full }
    }
}

impl Rare {
    /// Whether it is a path segment or query value that few share.
    pub(crate) fn has(&self, value: &[u8]) -> bool {
        self.counted.get(&self.key.hash_one(value)) == Some(&false)
    }

    /// Whether nobody asked for it, as far as was counted.
    pub(crate) fn is_unseen(&self, value: &[u8]) -> bool {
        !self.counted.contains_key(&self.key.hash_one(value))
    }

    /// The same of a value that must have been counted, as it stands in a request's path or query: if it was not, there were
    /// too many.
    pub(crate) fn has_requested(&self, value: &[u8]) -> bool {
        match self.counted.get(&self.key.hash_one(value)) {
            Some(is_enough) => !is_enough,
            None => self.is_full,
        }
    }
}
