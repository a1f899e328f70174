//! Which cookies behave like a session's: set by the server, sent back, long and machine-made, and never handed out twice.

use crate::hash::{Map, Set};
use crate::scan::Scan;

#[derive(Default)]
struct Value {
    /// Times that it was set on a client which did not have it.
    given: u32,
    /// Times that it was sent.
    sent: u32,
    /// The clients (address and agent) that sent it: the first, and whether there were more.
    client: Option<u64>,
    clients: u32,
}

#[derive(Default)]
struct Behaviour {
    values: u64,
    given: u64,
    returned: u64,
    shared: u64,
    sent: u64,
    clients: u64,
}

/// The numbers of the cookie names that tell clients apart.
pub(crate) fn session_cookies(scan: &Scan) -> Set<u32> {
    let mut values: Map<(u32, u64), Value> = Map::default();
    let mut ever_set: Set<u32> = Set::default();
    for record in &scan.records {
        for crumb in scan.sent(record) {
            let Some(hash) = crumb.value else { continue };
            let value = values.entry((crumb.name, hash)).or_default();
            value.sent += 1;
            if value.client != Some(record.client) {
                value.client = Some(record.client);
                value.clients += 1;
            }
        }
        for crumb in scan.set(record) {
            ever_set.insert(crumb.name);
            let carried = scan.sent(record).contains(crumb);
            if let Some(hash) = crumb.value
                && !carried
            {
                values.entry((crumb.name, hash)).or_default().given += 1;
            }
        }
    }
    let mut names: Map<u32, Behaviour> = Map::default();
    for ((name, _), value) in &values {
        let behaviour = names.entry(*name).or_default();
        behaviour.values += 1;
        behaviour.given += u64::from(value.given > 0);
        behaviour.returned += u64::from(value.given > 0 && value.sent > 0);
        behaviour.shared += u64::from(value.given > 1);
        behaviour.sent += u64::from(value.sent);
        behaviour.clients += u64::from(value.clients);
    }
    names
        .into_iter()
        .filter(|(name, behaviour)| {
            let looks = scan.looks.get(name).copied().unwrap_or_default();
            let length = looks.bytes / looks.seen.max(1);
            let machine_made = looks.strong * 10 >= looks.seen * 8;
            if ever_set.contains(name) {
                return machine_made
                    && length >= 8
                    && behaviour.returned > 0
                    && behaviour.shared * 20 <= behaviour.given;
            }
            // The server was never seen to set it: it was set before the recording began, or responses are missing. Then
            // more is asked of the values themselves.
            machine_made
                && length >= 16
                && behaviour.values >= 2
                && behaviour.sent >= behaviour.values * 2
                && behaviour.clients * 2 <= behaviour.values * 3
        })
        .map(|(name, _)| name)
        .collect()
}
