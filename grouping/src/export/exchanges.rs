//! A scenario's sessions as exchanges, for formats that hold traffic rather than code.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::scenario::Scenario;
use mynah_traffic::{Connection, Exchange, Flag, Flags, Nanos, Times};

use super::{ExportCounts, ExportOptions, outline};
use crate::Error;

/// A moment that no recording is mistaken for: 2000-01-01.
const EPOCH: Nanos = Nanos(946_684_800 * Nanos::PER_SECOND);

/// The requests of a scenario's sessions, by time, each with the recorded status where one is known: a scenario holds no more of
/// the responses. Values that responses hand out are sent as recorded, and cookies that responses set are not in it.
///
/// # Errors
/// When a session file cannot be read, or there is nothing to write.
pub fn exchanges(
    scenario: &Scenario,
    folder: &Path,
    options: &ExportOptions,
) -> Result<(Vec<Exchange>, ExportCounts), Error> {
    let total: f64 = scenario.profiles.iter().map(|profile| profile.weight).sum();
    let mut counts = ExportCounts::default();
    let mut all = Vec::new();
    for profile in scenario.profiles.iter().filter(|profile| profile.weight > 0.0) {
        let few = options
            .sessions
            .map_or(usize::MAX, |most| ((profile.weight / total * most as f64).round() as usize).max(1));
        let chosen = outline::sessions(profile, scenario, folder, few)?;
        counts.notes.extend(outline::left_out(profile));
        counts.profiles += 1;
        counts.of_sessions += chosen.of();
        for taken in &chosen.sessions {
            session(&taken.script, counts.sessions as u64, &mut all);
            counts.sessions += 1;
            counts.requests += taken.script.steps.len();
        }
    }
    if all.is_empty() {
        return Err(Error::Empty("no profile has a weight".to_owned()));
    }
    counts.notes.push(
        "a scenario keeps no responses and none of the cookies that they set: values are as they were recorded"
            .to_owned(),
    );
    all.sort_by_key(|exchange| exchange.times.request_first);
    Ok((all, counts))
}

fn session(script: &mynah_traffic::scenario::SessionScript, number: u64, all: &mut Vec<Exchange>) {
    let begun = EPOCH.plus(script.start);
    let mut ends: Vec<Nanos> = Vec::with_capacity(script.steps.len());
    for (ordinal, step) in script.steps.iter().enumerate() {
        let base = step.waits_for.and_then(|before| ends.get(before as usize)).copied().unwrap_or(begun);
        let start = base.plus(step.think);
        ends.push(start);
        let response = step.expect.status.map(|status| {
            let kind = step.expect.content_type.as_deref().map(|kind| format!("Content-Type: {kind}\r\n"));
            let head = format!(
                "HTTP/1.1 {status} \r\n{}Content-Length: {}\r\n\r\n",
                kind.unwrap_or_default(),
                step.expect.body_bytes
            );
            Message { head: Bytes::from(head), ..Message::default() }
        });
        let mut flags = Flags::default();
        if response.is_none() {
            flags.set(Flag::NoResponse);
        } else if step.expect.body_bytes > 0 {
            flags.set(Flag::BodyWithheld);
        }
        let answered = response.is_some().then_some(start);
        all.push(Exchange {
            request: Some(step.request.clone()),
            response,
            scheme: step.scheme,
            connection: connection(number, ordinal),
            times: Times {
                request_first: start,
                request_last: start,
                response_first: answered,
                response_last: answered,
            },
            flags,
            sensitive: Vec::new(),
        });
    }
}

/// A client with one connection for each session: a scenario knows no addresses, and without the cookies nothing else would keep
/// sessions from melting into one another.
fn connection(session: u64, ordinal: usize) -> Connection {
    let [.., a, b, c] = session.to_be_bytes();
    Connection {
        id: session,
        ordinal: ordinal as u32,
        client: Some(SocketAddr::from(([10, a, b, c], 1024))),
        client_hint: Some(session),
        ..Connection::default()
    }
}
