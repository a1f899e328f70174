//! Identities joined with a union-find, then each exchange on the first rung that holds it.

use std::collections::BTreeMap;

use mynah_traffic::Nanos;
use mynah_traffic::session::IdentifiedBy;

use super::cookies;
use super::idle::{self, IdleSource, IdleTimeout};
use super::lines::{self, Span};
use crate::hash::{Map, Set};
use crate::scan::{Record, Scan};
use crate::{Options, SessionKey};

/// One client's exchanges, not yet cut at pauses.
pub(super) struct Group {
    pub(super) identified_by: IdentifiedBy,
    pub(super) exchanges: Vec<u32>,
    /// Of these, the ones that carry an identity or are handed one, ascending.
    pub(super) marked: Vec<u32>,
    /// Different values that the client is known by.
    pub(super) values: u64,
}

/// Something that a client is known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    Key(u64),
    Source(u64),
    Cookie(u32, u64),
    Authorization(u64),
}

#[derive(Default)]
struct Clients {
    numbers: Map<Mark, u32>,
    marks: Vec<Mark>,
    parents: Vec<u32>,
}

impl Clients {
    fn number(&mut self, mark: Mark) -> u32 {
        let next = self.marks.len() as u32;
        let number = *self.numbers.entry(mark).or_insert(next);
        if number == next {
            self.marks.push(mark);
            self.parents.push(next);
        }
        number
    }

    fn root(&mut self, number: u32) -> u32 {
        let mut at = number;
        while self.parents[at as usize] != at {
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

/// What counts as an identity in this recording.
struct Rungs<'o> {
    key: Option<&'o SessionKey>,
    key_cookie: Option<u32>,
    cookies: Set<u32>,
    /// Values of these that requests carried: what was handed out and never came back is nobody's.
    returned: Set<(u32, u64)>,
    /// Empty: authorization values do not tell clients apart.
    authorizations: Set<u64>,
}

impl Rungs<'_> {
    fn of<'o>(scan: &Scan, options: &'o Options) -> Rungs<'o> {
        let key = options.session_key.as_ref();
        let key_cookie = match key {
            Some(SessionKey::Cookie(wanted)) => {
                (0..scan.cookies.len() as u32).find(|&number| scan.cookies.text(number) == wanted)
            }
            _ => None,
        };
        let (cookies, authorizations) = match key {
            Some(_) => (Set::default(), Set::default()),
            None => (cookies::session_cookies(scan), session_authorizations(scan)),
        };
        let returned = scan
            .records
            .iter()
            .flat_map(|record| scan.sent(record))
            .filter(|crumb| cookies.contains(&crumb.name) || Some(crumb.name) == key_cookie)
            .filter_map(|crumb| Some((crumb.name, crumb.value?)))
            .collect();
        Rungs { key, key_cookie, cookies, returned, authorizations }
    }

    fn mark(&self, crumb: crate::scan::Crumb) -> Option<Mark> {
        let value = (crumb.name, crumb.value?);
        self.returned.contains(&value).then_some(Mark::Cookie(value.0, value.1))
    }

    /// The marks that an exchange shows: those that its request carries, then those that its response hands out.
    fn marks(&self, scan: &Scan, record: &Record) -> (Vec<Mark>, Vec<Mark>) {
        if self.key.is_some() {
            let of = |crumbs: &[crate::scan::Crumb]| {
                crumbs
                    .iter()
                    .filter(|crumb| Some(crumb.name) == self.key_cookie)
                    .filter_map(|crumb| self.mark(*crumb))
                    .collect::<Vec<_>>()
            };
            let mut carried: Vec<Mark> = record.key.map(Mark::Key).into_iter().collect();
            carried.extend(of(scan.sent(record)));
            return (carried, of(scan.set(record)));
        }
        if let Some(hint) = record.hint {
            return (vec![Mark::Source(hint)], Vec::new());
        }
        let of = |crumbs: &[crate::scan::Crumb]| {
            crumbs
                .iter()
                .filter(|crumb| self.cookies.contains(&crumb.name))
                .filter_map(|crumb| self.mark(*crumb))
                .collect::<Vec<_>>()
        };
        let known = |value: &u64| self.authorizations.contains(value);
        let mut carried = of(scan.sent(record));
        carried.extend(record.authorization.filter(known).map(Mark::Authorization));
        carried.extend(scan.brought(record).iter().copied().filter(known).map(Mark::Authorization));
        let mut handed = of(scan.set(record));
        handed.extend(scan.tokens(record).iter().copied().filter(known).map(Mark::Authorization));
        (carried, handed)
    }
}

/// The authorization values, if they tell clients apart: there are several, and each is one client's.
fn session_authorizations(scan: &Scan) -> Set<u64> {
    let mut clients: Map<u64, Set<u64>> = Map::default();
    for record in &scan.records {
        if let Some(value) = record.authorization {
            let seen = clients.entry(value).or_default();
            if seen.len() < 16 {
                seen.insert(record.client);
            }
        }
    }
    let pairs: usize = clients.values().map(Set::len).sum();
    let telling = clients.len() >= 2 && pairs <= clients.len() * 3;
    if !telling {
        return Set::default();
    }
    let mut values: Set<u64> = clients.into_keys().collect();
    values.extend(refresh_tokens(scan));
    values
}

/// Tokens that one answer handed out and one client's requests brought back in their bodies: what a client shows when its
/// access token is over, so that the next one is known to be the same client's.
fn refresh_tokens(scan: &Scan) -> Vec<u64> {
    #[derive(Default)]
    struct Token {
        handed: u32,
        client: Option<u64>,
        several: bool,
    }
    let mut tokens: Map<u64, Token> = Map::default();
    for record in &scan.records {
        for &value in scan.brought(record) {
            let token = tokens.entry(value).or_default();
            token.several |= token.client.is_some_and(|client| client != record.client);
            token.client = Some(record.client);
        }
    }
    for record in &scan.records {
        for value in scan.tokens(record) {
            if let Some(token) = tokens.get_mut(value) {
                token.handed += 1;
            }
        }
    }
    let own = |token: &Token| token.handed == 1 && !token.several;
    tokens.into_iter().filter(|(_, token)| own(token)).map(|(value, _)| value).collect()
}

/// What is known of a connection: its client if it had one only.
#[derive(Default)]
struct Line {
    root: Option<u32>,
    several: bool,
    client: Option<u64>,
    several_clients: bool,
    exchanges: u32,
}

pub(super) fn groups(scan: &Scan, options: &Options) -> (Vec<Group>, IdleTimeout) {
    let rungs = Rungs::of(scan, options);
    let mut clients = Clients::default();
    // Own mark of each exchange, `u32::MAX` without one.
    let mut own: Vec<u32> = Vec::with_capacity(scan.records.len());
    let mut labels: Map<(u32, IdentifiedBy), u64> = Map::default();
    // The client whose cookie was just taken away on a connection.
    let mut logged_out: Map<u64, u32> = Map::default();
    for record in &scan.records {
        let (carried, handed) = rungs.marks(scan, record);
        let first = carried.first().or(handed.first()).map(|&mark| clients.number(mark));
        for &mark in carried.iter().chain(&handed) {
            let number = clients.number(mark);
            if let Some(first) = first {
                clients.join(first, number);
            }
        }
        if carried.is_empty() {
            if let (Some(&before), Some(first)) = (logged_out.get(&record.connection), first) {
                clients.join(before, first);
            }
        } else {
            logged_out.remove(&record.connection);
        }
        let cleared = scan.set(record).iter().any(|crumb| {
            crumb.value.is_none()
                && (rungs.cookies.contains(&crumb.name) || Some(crumb.name) == rungs.key_cookie)
        });
        if let (true, Some(first), true) = (cleared, first, handed.is_empty()) {
            logged_out.insert(record.connection, first);
        }
        own.push(first.unwrap_or(u32::MAX));
    }
    for (record, &mark) in scan.records.iter().zip(&own) {
        if mark != u32::MAX {
            let root = clients.root(mark);
            let (carried, handed) = rungs.marks(scan, record);
            for label in carried.iter().chain(&handed).map(|&mark| label(scan, &rungs, mark)) {
                *labels.entry((root, label)).or_default() += 1;
            }
        }
    }
    let mut lines: Map<u64, Line> = Map::default();
    for (record, &mark) in scan.records.iter().zip(&own) {
        let line = lines.entry(record.connection).or_default();
        line.exchanges += 1;
        line.several_clients |= line.client.is_some_and(|client| client != record.client);
        line.client = Some(record.client);
        if mark != u32::MAX {
            let root = clients.root(mark);
            line.several |= line.root.is_some_and(|known| known != root);
            line.root = Some(root);
        }
    }
    let idle = match options.idle_timeout {
        Some(timeout) => IdleTimeout { timeout, from: IdleSource::Given },
        None => idle::fit(pauses(scan, &own, &mut clients).into_iter()),
    };
    let anonymous = Anonymous::of(scan, &own, &lines, idle.timeout);
    (assemble(scan, &own, &mut clients, &lines, &anonymous, &labels), idle)
}

/// Pauses between a client's exchanges: of those known by an identity, by address and fingerprint of the others.
fn pauses(scan: &Scan, own: &[u32], clients: &mut Clients) -> Vec<Nanos> {
    let mut order: Vec<u32> = (0..scan.records.len() as u32).collect();
    order.sort_by_key(|&number| (scan.records[number as usize].start, number));
    let mut busy_until: Map<(bool, u64), Nanos> = Map::default();
    let mut pauses = Vec::with_capacity(order.len());
    for number in order {
        let record = &scan.records[number as usize];
        let client = match own[number as usize] {
            u32::MAX => (false, record.client),
            mark => (true, u64::from(clients.root(mark))),
        };
        match busy_until.entry(client) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                pauses.push(record.start.since(*entry.get()));
                let end = record.end.max(*entry.get());
                entry.insert(end);
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(record.end);
            }
        }
    }
    pauses
}

fn label(scan: &Scan, rungs: &Rungs<'_>, mark: Mark) -> IdentifiedBy {
    match (rungs.key, mark) {
        (Some(key), _) => IdentifiedBy::Key(key.to_string()),
        (None, Mark::Cookie(name, _)) => IdentifiedBy::Cookie(scan.cookies.text(name).to_owned()),
        (None, Mark::Authorization(_)) => IdentifiedBy::Authorization("Authorization".to_owned()),
        (None, Mark::Source(_) | Mark::Key(_)) => IdentifiedBy::Source,
    }
}

/// What is known of the connections on which nobody showed an identity.
struct Anonymous {
    /// Clients that open a connection for each request cannot be known by it. That is only concluded where addresses or
    /// fingerprints do tell clients apart.
    by_address: bool,
    /// The number of its client, by connection, where it has a fingerprint.
    chains: Map<u64, u32>,
}

impl Anonymous {
    fn of(scan: &Scan, own: &[u32], lines: &Map<u64, Line>, timeout: Nanos) -> Anonymous {
        let anonymous = || lines.values().filter(|line| line.root.is_none());
        let single = anonymous().filter(|line| line.exchanges == 1).count();
        let clients: Set<u64> = anonymous().filter_map(|line| line.client).collect();
        let by_address = clients.len() >= 2
            && single * 10 >= anonymous().count() * 8
            && anonymous().count() >= clients.len() * 2;
        let mut spans: BTreeMap<u64, Map<u64, Span>> = BTreeMap::new();
        for (number, record) in scan.records.iter().enumerate() {
            let alone = lines
                .get(&record.connection)
                .is_some_and(|line| line.root.is_none() && !line.several_clients);
            if own[number] == u32::MAX && alone && record.fingerprinted {
                spans
                    .entry(record.client)
                    .or_default()
                    .entry(record.connection)
                    .or_insert_with(|| Span { connection: record.connection, exchanges: Vec::new() })
                    .exchanges
                    .push(number as u32);
            }
        }
        let (mut chains, mut next) = (Map::default(), 0);
        for of_client in spans.into_values() {
            let mut of_client: Vec<Span> = of_client.into_values().collect();
            for span in &mut of_client {
                span.exchanges.sort_by_key(|&number| (scan.records[number as usize].start, number));
            }
            lines::chain(scan, &mut of_client, timeout, &mut next, &mut chains);
        }
        Anonymous { by_address, chains }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Client(u32),
    Chain(u32),
    Connection(u64),
    Address(u64),
}

fn assemble(
    scan: &Scan,
    own: &[u32],
    clients: &mut Clients,
    lines: &Map<u64, Line>,
    anonymous: &Anonymous,
    labels: &Map<(u32, IdentifiedBy), u64>,
) -> Vec<Group> {
    // Clients by the address that a proxy wrote: where one address is one client's, what it sent without identity is too.
    let mut forwarded: Map<u64, (u32, bool)> = Map::default();
    for (record, &mark) in scan.records.iter().zip(own) {
        if mark != u32::MAX && record.forwarded {
            let root = clients.root(mark);
            let known = forwarded.entry(record.client).or_insert((root, false));
            known.1 |= known.0 != root;
        }
    }
    let mut best: Map<u32, (&IdentifiedBy, u64)> = Map::default();
    for ((root, label), &count) in labels {
        let known = best.entry(*root).or_insert((label, count));
        if (count, std::cmp::Reverse(label)) > (known.1, std::cmp::Reverse(known.0)) {
            *known = (label, count);
        }
    }
    let mut values: Map<u32, u64> = Map::default();
    for number in 0..clients.marks.len() as u32 {
        *values.entry(clients.root(number)).or_default() += 1;
    }
    let mut places: Map<Place, usize> = Map::default();
    let mut groups: Vec<Group> = Vec::new();
    for (number, (record, &mark)) in scan.records.iter().zip(own).enumerate() {
        let line = lines.get(&record.connection);
        let place = match line {
            _ if mark != u32::MAX => Place::Client(clients.root(mark)),
            Some(Line { root: Some(root), several: false, several_clients: false, .. }) => {
                Place::Client(*root)
            }
            Some(Line { root: None, several_clients: false, .. })
                if anonymous.chains.contains_key(&record.connection) =>
            {
                Place::Chain(anonymous.chains.get(&record.connection).copied().unwrap_or(0))
            }
            Some(Line { root: None, several_clients: false, .. }) if !anonymous.by_address => {
                Place::Connection(record.connection)
            }
            _ => match forwarded.get(&record.client) {
                Some((root, false)) if record.forwarded => Place::Client(*root),
                _ => Place::Address(record.client),
            },
        };
        let group = *places.entry(place).or_insert_with(|| {
            let identified_by = match place {
                Place::Client(root) => {
                    best.get(&root).map_or(IdentifiedBy::Source, |(label, _)| (*label).clone())
                }
                Place::Chain(_) | Place::Connection(_) => IdentifiedBy::Connection,
                Place::Address(_) => IdentifiedBy::Address,
            };
            let values =
                if let Place::Client(root) = place { values.get(&root).copied().unwrap_or(0) } else { 0 };
            groups.push(Group { identified_by, exchanges: Vec::new(), marked: Vec::new(), values });
            groups.len() - 1
        });
        groups[group].exchanges.push(number as u32);
        if mark != u32::MAX {
            groups[group].marked.push(number as u32);
        }
    }
    groups
}
