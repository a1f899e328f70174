//! Which exchanges are one client's: a ladder of evidence, the first rung that holds decides.
//!
//! 1. the user's own key;
//! 2. the source says so (a HAR is one browser's);
//! 3. a cookie that behaves like a session's ([`cookies`]), joined over hand-offs: a request with `sid=A` whose answer sets
//!    `sid=B` is the same client's, and so is a log-in whose JSON answer hands out the token of later requests;
//! 4. an authorization value that behaves alike;
//! 5. the connection, unless several clients share it;
//! 6. client address (the one that a proxy wrote, if any) and user agent.
//!
//! A request without identity on a connection that only one client used is that client's. Afterwards pauses longer than
//! the idle timeout cut.

pub(crate) mod cookies;
mod ladder;
#[cfg(test)]
mod tests;

use mynah_traffic::Nanos;
use mynah_traffic::session::{IdentifiedBy, SessionId};

use crate::scan::Scan;
use crate::{Error, Open, Options};

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
}

/// Finds the sessions of a recording, of all its exchanges (nothing is filtered out).
///
/// # Errors
/// When the recording cannot be read.
pub fn sessionise(open: &Open<'_>, options: &Options) -> Result<Vec<SessionInfo>, Error> {
    Ok(find(&Scan::read(open, options)?, options))
}

/// Groups the records and cuts at long pauses.
pub(crate) fn find(scan: &Scan, options: &Options) -> Vec<SessionInfo> {
    let mut sessions = Vec::new();
    for group in ladder::groups(scan, options) {
        let mut exchanges = group.exchanges;
        let record = |&number: &u32| &scan.records[number as usize];
        exchanges.sort_by_key(|number| (record(number).start, *number));
        let mut current: Vec<u32> = Vec::new();
        let mut busy_until = Nanos(0);
        for number in exchanges {
            let (start, end) = (record(&number).start, record(&number).end);
            if !current.is_empty() && start.since(busy_until) > options.idle_timeout {
                sessions.push(close(scan, &group.identified_by, std::mem::take(&mut current), busy_until));
                busy_until = Nanos(0);
            }
            busy_until = busy_until.max(end);
            current.push(number);
        }
        if !current.is_empty() {
            sessions.push(close(scan, &group.identified_by, current, busy_until));
        }
    }
    sessions.sort_by_key(|session| (session.started, session.exchanges.first().copied()));
    for (number, session) in sessions.iter_mut().enumerate() {
        session.id = SessionId(number as u32);
    }
    sessions
}

fn close(scan: &Scan, identified_by: &IdentifiedBy, exchanges: Vec<u32>, ended: Nanos) -> SessionInfo {
    let first = exchanges.first().and_then(|&number| scan.records.get(number as usize));
    SessionInfo {
        id: SessionId(0),
        client: first.map(|record| scan.addresses.text(record.address).to_owned()).unwrap_or_default(),
        identified_by: identified_by.clone(),
        started: first.map(|record| record.start).unwrap_or_default(),
        exchanges,
        ended,
    }
}
