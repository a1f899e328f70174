//! The first pass: of each exchange a small record, no body.

use std::ops::Range;

use mynah_message::{BodyKind, Head, Limits, Locator, Target, View};
use mynah_traffic::{Exchange, Nanos};

use crate::correlate::values;
use crate::filter::{self, LeftOut};
use crate::hash::{Map, Names, hash};
use crate::{Error, Open, Options, SessionKey};

/// JSON bodies longer than this are not searched for tokens.
const TOKEN_BODY: usize = 256 << 10;

/// Header fields that a client sends alike with all its requests, whatever it asks for (unlike `Accept`), and that differ
/// between clients.
const FINGERPRINT: [&str; 6] =
    ["user-agent", "accept-language", "sec-ch-ua", "sec-ch-ua-platform", "sec-ch-ua-mobile", "dnt"];

/// A cookie seen, by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crumb {
    /// Number of its name.
    pub(crate) name: u32,
    /// Hash of its value; `None`: the server took it away.
    pub(crate) value: Option<u64>,
}

/// The number of no operation.
pub(crate) const NO_OPERATION: u32 = 0;

/// What is kept of an exchange.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) method: u32,
    pub(crate) host: u32,
    pub(crate) path: u32,
    /// Number in [`Scan::operations`].
    pub(crate) operation: u32,
    /// First byte of the request.
    pub(crate) start: Nanos,
    /// Last byte of all.
    pub(crate) end: Nanos,
    pub(crate) connection: u64,
    pub(crate) hint: Option<u64>,
    /// Number of the client's address as text.
    pub(crate) address: u32,
    /// Hash of address and fingerprint: what a client says of itself in every request ([`FINGERPRINT`]).
    pub(crate) client: u64,
    /// It said something of itself.
    pub(crate) fingerprinted: bool,
    /// The address was told by a proxy.
    pub(crate) forwarded: bool,
    /// Status, 0 without a response.
    pub(crate) status: u16,
    /// An HTML document was answered.
    pub(crate) document: bool,
    /// In [`Scan::crumbs`].
    pub(crate) sent: Range<u32>,
    /// In [`Scan::crumbs`].
    pub(crate) set: Range<u32>,
    /// Hash of the authorization value.
    pub(crate) authorization: Option<u64>,
    /// In [`Scan::tokens`]: hashes of tokens in the response's JSON.
    pub(crate) tokens: Range<u32>,
    /// In [`Scan::tokens`]: hashes of tokens in the request's body, such as the one that a new access token is asked for with.
    pub(crate) brought: Range<u32>,
    /// Hash of the value at the user's session key.
    pub(crate) key: Option<u64>,
    pub(crate) left_out: Option<LeftOut>,
}

/// How the values of one cookie name look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    pub(crate) seen: u64,
    pub(crate) bytes: u64,
    /// Values that look like identifiers.
    pub(crate) strong: u64,
}

/// All records, and the tables that they refer to.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) records: Vec<Record>,
    pub(crate) methods: Names,
    pub(crate) hosts: Names,
    pub(crate) paths: Names,
    /// As `name=value`; the first is none.
    pub(crate) operations: Names,
    pub(crate) cookies: Names,
    pub(crate) addresses: Names,
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) tokens: Vec<u64>,
    /// By cookie name.
    pub(crate) looks: Map<u32, Looks>,
}

impl Scan {
    /// Reads the recording once.
    pub(crate) fn read(open: &Open<'_>, options: &Options) -> Result<Scan, Error> {
        let mut scan = Scan::default();
        scan.operations.number("");
        for exchange in open()? {
            if scan.records.len() >= u32::MAX as usize {
                return Err(Error::TooMany);
            }
            scan.add(&exchange?, options);
        }
        filter::by_behaviour(&mut scan, options);
        if !options.keep_third_party {
            filter::third_parties(&mut scan);
        }
        Ok(scan)
    }

    pub(crate) fn sent(&self, record: &Record) -> &[Crumb] {
        self.crumbs.get(record.sent.start as usize..record.sent.end as usize).unwrap_or_default()
    }

    pub(crate) fn set(&self, record: &Record) -> &[Crumb] {
        self.crumbs.get(record.set.start as usize..record.set.end as usize).unwrap_or_default()
    }

    pub(crate) fn tokens(&self, record: &Record) -> &[u64] {
        self.tokens.get(record.tokens.start as usize..record.tokens.end as usize).unwrap_or_default()
    }

    pub(crate) fn brought(&self, record: &Record) -> &[u64] {
        self.tokens.get(record.brought.start as usize..record.brought.end as usize).unwrap_or_default()
    }

    fn add(&mut self, exchange: &Exchange, options: &Options) {
        let head = exchange.request_head();
        let left_out = match (&head, &exchange.request) {
            (Some(head), _) => filter::decide(exchange, head, options),
            (None, Some(_)) => Some(LeftOut::Unreadable),
            (None, None) => Some(LeftOut::NoRequest),
        };
        let target = head.as_ref().and_then(Head::target).unwrap_or_default();
        let parsed = Target::parse(target);
        let path = if parsed.path.is_empty() { "/" } else { parsed.path };
        let operation = exchange.request.as_ref().and_then(mynah_traffic::operation);
        let operation = operation.map_or_else(String::new, |(name, value)| format!("{name}={value}"));
        let response = exchange.response_head();
        let header = |name: &str| head.as_ref().and_then(|head| head.get(name));
        let forwarded = header("x-forwarded-for")
            .and_then(|list| list.split(',').next())
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(str::to_owned)
            .or_else(|| header("forwarded").and_then(forwarded_for));
        let own = exchange.connection.client.map(|client| client.ip().to_string());
        let address = forwarded.clone().or(own).unwrap_or_default();
        let mut client = address.clone();
        for name in FINGERPRINT {
            client.push('\n');
            client.push_str(header(name).unwrap_or_default());
        }
        let sent = self.crumbs_of(exchange, true);
        let set = self.crumbs_of(exchange, false);
        let key = options.session_key.as_ref().and_then(|key| match key {
            SessionKey::Cookie(_) => None,
            SessionKey::Header(name) => header(name).map(|value| hash(value.as_bytes())),
            SessionKey::Query(name) => parsed
                .query_pairs()
                .find(|pair| pair.name_text() == name.as_str())
                .map(|pair| hash(&pair.value)),
        });
        let tokens = self.tokens_of(exchange);
        let brought = self.brought_by(exchange);
        let record = Record {
            method: self.methods.number(head.as_ref().and_then(Head::method).unwrap_or_default()),
            host: self.hosts.number(&exchange.host()),
            path: self.paths.number(path),
            operation: self.operations.number(&operation),
            start: exchange.times.request_first,
            end: exchange.times.end().max(exchange.times.request_first),
            connection: exchange.connection.id,
            hint: exchange.connection.client_hint,
            client: hash(client.as_bytes()),
            fingerprinted: header("user-agent").is_some(),
            address: self.addresses.number(&address),
            forwarded: forwarded.is_some(),
            status: response.as_ref().and_then(Head::status).unwrap_or(0),
            document: response
                .and_then(|head| head.content_type())
                .is_some_and(|media| media.kind == BodyKind::Html),
            sent,
            set,
            authorization: header("authorization")
                .map(|value| hash(values::without_scheme(value).1.as_bytes())),
            tokens,
            brought,
            key,
            left_out,
        };
        self.records.push(record);
    }

    fn crumbs_of(&mut self, exchange: &Exchange, sent: bool) -> Range<u32> {
        let start = self.crumbs.len() as u32;
        let message = if sent { exchange.request.as_ref() } else { exchange.response.as_ref() };
        let Some(view) = message.and_then(|message| View::open_head(message).ok()) else {
            return start..start;
        };
        for field in view.head().fields() {
            if !field.is(if sent { "cookie" } else { "set-cookie" }) {
                continue;
            }
            let text = String::from_utf8_lossy(field.value);
            let pairs = text.split(';').take(if sent { usize::MAX } else { 1 });
            for (name, value) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
                let number = self.cookies.number(name.trim());
                let value = value.trim().trim_matches('"');
                let gone = !sent && is_taken_away(&text, value);
                if !gone {
                    let looks = self.looks.entry(number).or_default();
                    looks.seen += 1;
                    looks.bytes += value.len() as u64;
                    looks.strong += u64::from(values::is_strong(value));
                }
                let value = (!gone).then(|| hash(value.as_bytes()));
                self.crumbs.push(Crumb { name: number, value });
            }
        }
        start..self.crumbs.len() as u32
    }

    /// Values under keys such as `access_token` in JSON answers, which later requests may carry as authorization.
    fn tokens_of(&mut self, exchange: &Exchange) -> Range<u32> {
        let start = self.tokens.len() as u32;
        let wanted = exchange.response.as_ref().filter(|response| {
            response.body.len() <= TOKEN_BODY
                && exchange
                    .response_head()
                    .and_then(|head| head.content_type())
                    .is_some_and(|media| media.kind == BodyKind::Json)
        });
        let Some(response) = wanted else { return start..start };
        let Ok(view) = View::open(response, &Limits::default()) else { return start..start };
        if memchr::memmem::find(view.body(), b"oken").is_none()
            && memchr::memmem::find(view.body(), b"jwt").is_none()
        {
            return start..start;
        }
        view.leaves(&mut |leaf| {
            if let Locator::Json { path } = &leaf.locator
                && leaf.value.len() >= 16
                && ["oken", "jwt"].iter().any(|part| path.as_str().contains(part))
            {
                self.tokens.push(hash(&leaf.value));
            }
        });
        start..self.tokens.len() as u32
    }
}

// A request's tokens, see `Record::brought`.
impl Scan {
    /// Values under keys such as `refresh_token` in a JSON or form body.
    fn brought_by(&mut self, exchange: &Exchange) -> Range<u32> {
        let start = self.tokens.len() as u32;
        let wanted = exchange.request.as_ref().filter(|request| {
            request.body.len() <= TOKEN_BODY && memchr::memmem::find(&request.body, b"oken").is_some()
        });
        let Some(view) = wanted.and_then(|request| View::open(request, &Limits::default()).ok()) else {
            return start..start;
        };
        view.leaves(&mut |leaf| {
            let named = match &leaf.locator {
                Locator::Json { path } => path.as_str().contains("oken"),
                Locator::Form { name, .. } => name.contains("oken"),
                _ => false,
            };
            if named && leaf.value.len() >= 16 {
                self.tokens.push(hash(&leaf.value));
            }
        });
        start..self.tokens.len() as u32
    }
}

/// `for=` of the first element of `Forwarded`, [RFC 7239 §5.2](https://www.rfc-editor.org/rfc/rfc7239#section-5.2).
fn forwarded_for(value: &str) -> Option<String> {
    let first = value.split(',').next()?;
    let (_, address) = first
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    let address = address.trim_matches('"');
    (!address.is_empty()).then(|| address.to_owned())
}

/// Whether a `Set-Cookie` deletes: [RFC 6265 §5.3](https://www.rfc-editor.org/rfc/rfc6265#section-5.3).
pub(crate) fn is_taken_away(set_cookie: &str, value: &str) -> bool {
    let attribute = |wanted: &str| {
        set_cookie
            .split(';')
            .skip(1)
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    if let Some(age) = attribute("max-age") {
        return age.parse::<i64>().is_ok_and(|age| age <= 0);
    }
    value.is_empty()
        || value.eq_ignore_ascii_case("deleted")
        || attribute("expires").is_some_and(|date| date.contains("1970") || date.contains("-70 "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_that_are_taken_away() {
        assert!(is_taken_away("sid=; Path=/", ""));
        assert!(is_taken_away("sid=x; Max-Age=0", "x"));
        assert!(is_taken_away("sid=x; expires=Thu, 01 Jan 1970 00:00:00 GMT", "x"));
        assert!(!is_taken_away("sid=x; Max-Age=60; expires=Thu, 01 Jan 1970 00:00:00 GMT", "x"));
        assert!(!is_taken_away("sid=x; Path=/", "x"));
    }

    #[test]
    fn forwarded_headers() {
        assert_eq!(forwarded_for("for=192.0.2.1;proto=https, for=10.0.0.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(
            forwarded_for("proto=http; For=\"[2001:db8::1]:80\"").as_deref(),
            Some("[2001:db8::1]:80")
        );
        assert_eq!(forwarded_for("by=10.0.0.1"), None);
    }
}
