//! Which exchanges are one client's: a ladder of evidence, the first rung that holds decides.
//!
//! 1. the user's own key;
//! 2. the source says so (a HAR is one browser's);
//! 3. a cookie that behaves like a session's ([`cookies`]), joined over hand-offs: a request with `sid=A` whose answer sets
//!    `sid=B` is the same client's, and so is a log-in whose JSON answer hands out the token of later requests. What was
//!    handed out and never came back is nobody's: its client takes no cookies;
//! 4. an authorization value that behaves alike;
//! 5. the connection, unless several clients share it. Connections from one address with one fingerprint (user agent, language
//!    and the like) are one client's when it needed the next because the others were closed or busy; who opens another
//!    beside an idle one is somebody else ([`lines`]);
//! 6. client address (the one that a proxy wrote, if any) and fingerprint.
//!
//! A request without identity on a connection that only one client used is that client's. Afterwards pauses longer than
//! the idle timeout cut, which is found from the pauses themselves ([`idle`]) when it is not given.

pub(crate) mod cookies;
pub(crate) mod idle;
mod ladder;
mod lines;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use mynah_traffic::Nanos;
use mynah_traffic::session::{IdentifiedBy, SessionId};

use crate::hash::Map;
use crate::scan::Scan;
use crate::{Error, Open, Options};
pub use idle::{IdleSource, IdleTimeout};

/// One session, for `mynah inspect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its number, in order of start.
    pub id: SessionId,
    /// The client's address where known.
    pub client: String,
    /// The rung that held.
    pub identified_by: IdentifiedBy,
    /// Its exchanges, in order of start: positions in the recording, from 0.
    pub exchanges: Vec<u32>,
    /// First byte of its first request.
    pub started: Nanos,
    /// Last byte of its last response.
    pub ended: Nanos,
    /// What the rung rests on.
    pub evidence: Evidence,
}

impl SessionInfo {
    /// Which rung of the ladder held and what it rests on, in words.
    pub fn why(&self) -> String {
        let Evidence { values, marked, connections, neighbours } = self.evidence;
        let all = self.exchanges.len() as u64;
        let rest = all.saturating_sub(marked);
        let on =
            if connections == 1 { "one connection".to_owned() } else { format!("{connections} connections") };
        let mut text = match &self.identified_by {
            IdentifiedBy::Key(key) => format!("{marked} of {all} exchanges hold a value of the key {key}"),
            IdentifiedBy::Source => "the source is one client's".to_owned(),
            IdentifiedBy::Cookie(name) => {
                format!("{marked} of {all} exchanges carry the cookie {name} or are handed it, on {on}")
            }
            IdentifiedBy::Authorization(name) => {
                format!("{marked} of {all} exchanges carry {name} or are handed its value, on {on}")
            }
            IdentifiedBy::Connection if connections == 1 => {
                "no identity; one connection, which is one client's".to_owned()
            }
            IdentifiedBy::Connection => format!(
                "no identity; {connections} connections from one address with one fingerprint, each opened when the others were closed or busy"
            ),
            IdentifiedBy::Address => {
                format!(
                    "no identity, and connections ({connections}) tell nothing; one address and fingerprint"
                )
            }
        };
        if values > 1 {
            let _ = write!(text, "; {values} values, joined because one answer handed on the next");
        }
        if marked > 0 && rest > 0 {
            let _ = write!(text, "; {rest} more came on connections that only this client used");
        }
        if neighbours > 0 {
            let _ = write!(text, "; told apart from {neighbours} more at this address");
        }
        text
    }
}

/// What a session's rung rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Different values of its client's cookie, key or authorization, over all its sessions.
    pub values: u64,
    /// Exchanges of this session that carry one or are handed one.
    pub marked: u64,
    /// Connections of this session.
    pub connections: u64,
    /// Other clients at the same address.
    pub neighbours: u64,
}

/// Finds the sessions of a recording, of all its exchanges (nothing is filtered out).
///
/// # Errors
/// When the recording cannot be read.
pub fn sessionise(open: &Open<'_>, options: &Options) -> Result<Vec<SessionInfo>, Error> {
    Ok(find(&Scan::read(open, options)?, options).0)
}

/// What to say of a key of the user's that no request has.
pub(crate) fn unseen_key(found: &[SessionInfo], options: &Options) -> Option<String> {
    let key = options.session_key.as_ref()?;
    let seen = found.iter().any(|session| matches!(session.identified_by, IdentifiedBy::Key(_)));
    (!seen)
        .then(|| format!("no exchange has the session key {key}; sessions are told apart by other evidence"))
}

/// Groups the records and cuts at long pauses.
pub(crate) fn find(scan: &Scan, options: &Options) -> (Vec<SessionInfo>, IdleTimeout) {
    let mut sessions = Vec::new();
    let (groups, idle) = ladder::groups(scan, options);
    let mut at_address: Map<u32, u64> = Map::default();
    for group in &groups {
        if let Some(record) = first_of(scan, &group.exchanges) {
            *at_address.entry(record.address).or_default() += 1;
        }
    }
    for mut group in groups {
        let exchanges = &mut group.exchanges;
        let record = |&number: &u32| &scan.records[number as usize];
        exchanges.sort_by_key(|number| (record(number).start, *number));
        let neighbours = first_of(scan, exchanges)
            .filter(|first| !scan.addresses.text(first.address).is_empty())
            .and_then(|first| at_address.get(&first.address))
            .map_or(0, |count| count - 1);
        let mut from = 0;
        let mut busy_until = Nanos(0);
        let mut cut = |from: usize, to: usize, ended: Nanos| {
            if let Some(part) = group.exchanges.get(from..to).filter(|part| !part.is_empty()) {
                sessions.push(close(scan, &group, part, ended, neighbours));
            }
        };
        for (position, number) in group.exchanges.iter().enumerate() {
            let (start, end) = (record(number).start, record(number).end);
            if position > from && start.since(busy_until) > idle.timeout {
                cut(from, position, busy_until);
                from = position;
                busy_until = Nanos(0);
            }
            busy_until = busy_until.max(end);
        }
        cut(from, group.exchanges.len(), busy_until);
    }
    sessions.sort_by_key(|session| (session.started, session.exchanges.first().copied()));
    for (number, session) in sessions.iter_mut().enumerate() {
        session.id = SessionId(number as u32);
    }
    (sessions, idle)
}

fn first_of<'s>(scan: &'s Scan, exchanges: &[u32]) -> Option<&'s crate::scan::Record> {
    exchanges.first().and_then(|&number| scan.records.get(number as usize))
}

fn close(
    scan: &Scan,
    group: &ladder::Group,
    exchanges: &[u32],
    ended: Nanos,
    neighbours: u64,
) -> SessionInfo {
    let first = first_of(scan, exchanges);
    let records = || exchanges.iter().filter_map(|&number| scan.records.get(number as usize));
    let mut connections: Vec<u64> = records().map(|record| record.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    let marked = exchanges.iter().filter(|number| group.marked.binary_search(number).is_ok()).count() as u64;
    SessionInfo {
        id: SessionId(0),
        client: first.map(|record| scan.addresses.text(record.address).to_owned()).unwrap_or_default(),
        identified_by: group.identified_by.clone(),
        started: first.map(|record| record.start).unwrap_or_default(),
        exchanges: exchanges.to_vec(),
        ended,
        evidence: Evidence {
            values: group.values,
            marked,
            connections: connections.len() as u64,
            neighbours,
        },
    }
}
