//! Whose request it is, and whether that client is in the sample.
//!
//! A session goes by the value of its key where there is one, else by its connection. A connection whose answer hands the key out
//! (`Set-Cookie`) hands its session over with it, so that a log-in and what follows are one; where that is its first answer, the
//! value decides whether the session is in the sample.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use mynah_grouping::SessionKey;
use mynah_message::{Locator, View};
use mynah_traffic::{Exchange, Nanos};

use crate::live::Share;

/// Keys, and connections, that are remembered.
const KNOWN: usize = 200_000;

/// The sessions that are known.
pub(super) struct Sessions {
    share: f64,
    key: Option<Locator>,
    /// The key's name, where it is a cookie.
    cookie: Option<String>,
    idle: Nanos,
    next: u64,
    /// By hash of the key's value.
    by_key: HashMap<u64, Known>,
    by_connection: HashMap<u64, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    session: u64,
    taken: bool,
    used: Nanos,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Sessions {
    pub(super) fn new(share: Share, key: Option<&SessionKey>, idle: Nanos) -> Sessions {
        let text = key.map(ToString::to_string).unwrap_or_default();
        Sessions {
            share: share.of_one(),
            // Both are written alike.
            key: text.parse().ok(),
            cookie: text.strip_prefix("cookie:").map(str::to_owned),
            idle,
            next: 0,
            by_key: HashMap::new(),
            by_connection: HashMap::new(),
        }
    }

    /// The number of an exchange's session; `None` where that is not in the sample.
    pub(super) fn of(&mut self, exchange: &Exchange) -> Option<u64> {
        let now = exchange.times.request_first;
        let key = self.key_of(exchange).map(|value| hash(&value));
        let known = match key {
            Some(key) => self.by_key.get(&key),
            None => self.by_connection.get(&exchange.connection.id),
        };
        let handed = self.handed_out(exchange);
        let known = match known.filter(|known| now.since(known.used) <= self.idle) {
            Some(known) => *known,
            None => self.begin(key.or(handed).unwrap_or_else(|| address(exchange)), now),
        };
        let known = Known { used: now.max(known.used), ..known };
        match key {
            Some(key) => self.by_key.insert(key, known),
            None => self.by_connection.insert(exchange.connection.id, known),
        };
        if let Some(handed) = handed {
            self.by_key.entry(handed).or_insert(known);
        }
        for map in [&mut self.by_key, &mut self.by_connection] {
            make_room(map, now, self.idle);
        }
        known.taken.then_some(known.session)
    }

    fn begin(&mut self, hash: u64, now: Nanos) -> Known {
        self.next += 1;
        Known { session: self.next, taken: (hash as f64 / u64::MAX as f64) < self.share, used: now }
    }

    fn key_of(&self, exchange: &Exchange) -> Option<String> {
        let (locator, request) = (self.key.as_ref()?, exchange.request.as_ref()?);
        View::open_head(request).ok()?.extract(locator).filter(|value| !value.is_empty())
    }

    /// Hash of the key's value that an answer hands out.
    fn handed_out(&self, exchange: &Exchange) -> Option<u64> {
        let name = self.cookie.as_deref()?;
        let head = exchange.response_head()?;
        let value = head.get_all("set-cookie").find_map(|field| {
            let (own, value) = field.split(';').next()?.split_once('=')?;
            (own.trim() == name).then(|| value.trim()).filter(|value| !value.is_empty())
        })?;
        Some(hash(value))
    }
}

/// What a client without a key is sampled by.
fn address(exchange: &Exchange) -> u64 {
    match exchange.connection.client {
        Some(client) => hash(&client.ip().to_string()),
        None => hash(&exchange.connection.id.to_string()),
    }
}

/// Forgets whose time is over, and where that is not enough, those that were not seen for longest.
fn make_room(map: &mut HashMap<u64, Known>, now: Nanos, idle: Nanos) {
    if map.len() <= KNOWN {
        return;
    }
    map.retain(|_, known| now.since(known.used) <= idle);
    if map.len() <= KNOWN * 9 / 10 {
        return;
    }
    let mut used: Vec<Nanos> = map.values().map(|known| known.used).collect();
    used.sort_unstable();
    let from = used.get(used.len() / 10).copied().unwrap_or(now);
    map.retain(|_, known| known.used > from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_message::Message;
    use mynah_traffic::Connection;

    fn exchange(connection: u64, second: u64, cookie: &str, set: &str) -> Exchange {
        let message = |head: String| Some(Message { head: head.into(), ..Message::default() });
        let mut exchange = Exchange {
            request: message(format!("GET / HTTP/1.1\r\nHost: a\r\n{cookie}\r\n")),
            response: message(format!("HTTP/1.1 200 OK\r\n{set}\r\n")),
            connection: Connection {
                id: connection,
                client: Some(([10, 0, 0, connection as u8], 1).into()),
                ..Connection::default()
            },
            ..Exchange::default()
        };
        exchange.times.request_first = Nanos(second * Nanos::PER_SECOND);
        exchange
    }

    fn sessions(share: &str, key: &str) -> Sessions {
        let key = (!key.is_empty()).then(|| key.parse::<SessionKey>().unwrap());
        Sessions::new(share.parse().unwrap(), key.as_ref(), Nanos(60 * Nanos::PER_SECOND))
    }

    #[test]
    fn connections_are_sessions_where_no_key_is_given() {
        let mut all = sessions("100%", "");
        let one = all.of(&exchange(1, 0, "Cookie: sid=a\r\n", ""));
        assert_eq!(all.of(&exchange(1, 30, "Cookie: sid=b\r\n", "")), one);
        assert_ne!(all.of(&exchange(2, 30, "Cookie: sid=a\r\n", "")), one);
        assert_ne!(all.of(&exchange(1, 100, "", "")), one, "after the idle timeout it is another");
    }

    #[test]
    fn a_key_makes_a_session_of_many_connections_and_takes_its_log_in_along() {
        let mut all = sessions("100%", "cookie:sid");
        let login = all.of(&exchange(1, 0, "", "Set-Cookie: sid=abc; Path=/\r\n"));
        assert_eq!(all.of(&exchange(2, 1, "Cookie: x=y; sid=abc\r\n", "")), login);
        assert_eq!(all.of(&exchange(3, 2, "Cookie: sid=abc\r\n", "")), login);
        assert_ne!(all.of(&exchange(1, 3, "Cookie: sid=other\r\n", "")), login);
    }

    #[test]
    fn a_sample_has_sessions_whole() {
        let mut some = sessions("25%", "cookie:sid");
        let mut taken = 0;
        for n in 0..2000 {
            // The log-in of every second one is seen, all from one address.
            if n % 2 == 0 {
                let mut login = exchange(n + 20_000, 0, "", &format!("Set-Cookie: sid=s{n}\r\n"));
                login.connection.client = None;
                some.of(&login);
            }
            let cookie = format!("Cookie: sid=s{n}\r\n");
            let first = some.of(&exchange(n, 0, &cookie, ""));
            assert_eq!(some.of(&exchange(n + 5000, 1, &cookie, "")), first);
            taken += u32::from(first.is_some());
        }
        assert!((400..600).contains(&taken), "{taken} of 2000");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut all = sessions("100%", "cookie:sid");
        for n in 0..(KNOWN as u64 + 50_000) {
            all.of(&exchange(n, n / 10_000, &format!("Cookie: sid={n}\r\n"), ""));
        }
        assert!(all.by_key.len() <= KNOWN && all.by_connection.is_empty());
    }
}
