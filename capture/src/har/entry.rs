//! One entry of an archive → one exchange.
//!
//! Times: `startedDateTime` is the first byte of the request, and `time` later is the last of the response; counted back from
//! there, `receive` gives the first byte of the response and `wait` the last of the request.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::units::parse_time;
use mynah_traffic::{Connection, Exchange, Flag, Flags, Nanos, Scheme, Times};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::{content, posted};
use super::lenient::{known, number, pairs, parse, text};
use crate::Options;

/// Why an entry gives no exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// `data:`, `blob:`, `chrome-extension:`, …
    NotHttp,
    /// No request, no URL, or not even JSON.
    Unusable,
}

/// Makes exchanges of entries; remembers which connections there were.
#[derive(Debug)]
pub(super) struct Converter {
    max_body: u64,
    /// All entries of one archive come from one client, unless they say whose they are.
    client: u64,
    /// Number and exchanges so far of a connection.
    connections: HashMap<(String, String), (u64, u32)>,
    next: u64,
    /// For entries that do not say when they were.
    last_start: Nanos,
    pub(super) websockets: u64,
    pub(super) without_body: u64,
}

/// A URL, as far as a request needs it.
struct Url<'u> {
    scheme: Scheme,
    authority: &'u str,
    target: String,
}

impl Converter {
    pub(super) fn new(options: &Options) -> Self {
        Converter {
            max_body: options.max_body,
            client: options.first_connection,
            connections: HashMap::new(),
            next: options.first_connection,
            last_start: Nanos(0),
            websockets: 0,
            without_body: 0,
        }
    }

    /// The number of the next connection; above the client's number even when there was none.
    pub(super) fn next_connection(&self) -> u64 {
        self.next.max(self.client.saturating_add(1))
    }

    pub(super) fn convert(&mut self, entry: &RawValue) -> Result<Exchange, Skipped> {
        let entry = parse(entry.get()).ok_or(Skipped::Unusable)?;
        let request = entry.get("request").filter(|request| request.is_object()).ok_or(Skipped::Unusable)?;
        let address = text(request, "url").ok_or(Skipped::Unusable)?;
        let url = url(&address)?;
        let mut flags = Flags::default();
        let sent = self.request(request, &url, &mut flags).ok_or(Skipped::Unusable)?;
        let head_only = text(request, "method").is_some_and(|method| method.eq_ignore_ascii_case("HEAD"));
        let answer = entry.get("response").filter(|response| response.is_object());
        let received = answer.and_then(|response| self.response(response, head_only, &mut flags));
        if received.is_none() {
            flags.set(Flag::NoResponse);
        }
        if entry.get("_webSocketMessages").and_then(Value::as_array).is_some_and(|frames| !frames.is_empty())
        {
            self.websockets += 1;
        }
        Ok(Exchange {
            connection: self.connection(&entry, &url),
            times: self.times(&entry, received.is_some()),
            scheme: url.scheme,
            request: Some(sent),
            response: received,
            flags,
            sensitive: Vec::new(),
        })
    }

    fn connection(&mut self, entry: &Value, url: &Url<'_>) -> Connection {
        let server = text(entry, "serverIPAddress").and_then(|address| {
            let address: IpAddr =
                address.trim().trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            let port = url.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            Some(SocketAddr::new(address, port.unwrap_or(url.scheme.default_port())))
        });
        // What mynah writes of exchanges of several clients.
        let client: Option<SocketAddr> = text(entry, "_client").and_then(|address| address.parse().ok());
        let name = text(entry, "connection").filter(|name| !name.is_empty()).unwrap_or_default();
        let origin = format!("{}://{}", url.scheme.as_str(), url.authority);
        let next = &mut self.next;
        let (id, used) = self.connections.entry((origin, name)).or_insert_with(|| {
            let id = *next;
            *next += 1;
            (id, 0)
        });
        let ordinal = *used;
        *used = used.saturating_add(1);
        Connection { id: *id, ordinal, client, server, client_hint: client.is_none().then_some(self.client) }
    }

    fn times(&mut self, entry: &Value, answered: bool) -> Times {
        let start =
            text(entry, "startedDateTime").and_then(|time| parse_time(&time)).unwrap_or(self.last_start);
        self.last_start = start;
        let timings = entry.get("timings").unwrap_or(&Value::Null);
        let phase = |name: &str| known(timings, name).unwrap_or(0.0);
        let sum: f64 = ["blocked", "dns", "connect", "send", "wait", "receive"].map(phase).iter().sum();
        let total = known(entry, "time").unwrap_or(sum);
        let at = |ms: f64| start.plus(Nanos::from_secs_f64(ms.clamp(0.0, total) / 1000.0));
        if !answered {
            return Times {
                request_first: start,
                request_last: start,
                response_first: None,
                response_last: None,
            };
        }
        Times {
            request_first: start,
            request_last: at(total - phase("receive") - phase("wait")),
            response_first: Some(at(total - phase("receive"))),
            response_last: Some(at(total)),
        }
    }

    fn request(&self, request: &Value, url: &Url<'_>, flags: &mut Flags) -> Option<Message> {
        let method = text(request, "method").filter(|method| is_token(method))?;
        let headers = pairs(request, "headers");
        let version = version(request, &headers, flags);
        let find = |name: &str| {
            headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        let mut head = format!("{method} {} {version}\r\n", url.target);
        if find("host").is_none() {
            field(&mut head, "Host", find(":authority").unwrap_or(url.authority));
        }
        let body = posted(request.get("postData").unwrap_or(&Value::Null), find("content-type"));
        let replaced: &[&str] = match body.content_type {
            Some(_) => &["content-length", "transfer-encoding", "content-type"],
            None => &["content-length", "transfer-encoding"],
        };
        fields(&mut head, &headers, replaced);
        if find("cookie").is_none() {
            let cookies = pairs(request, "cookies");
            let cookies: Vec<String> =
                cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if !cookies.is_empty() {
                field(&mut head, "Cookie", &cookies.join("; "));
            }
        }
        if let Some(kind) = &body.content_type {
            field(&mut head, "Content-Type", kind);
        }
        // the size is what the archive says when the body itself was left out
        let declared = known(request, "bodySize").unwrap_or(0.0) as u64;
        if body.bytes.is_empty() && declared > 0 && find("content-length").is_some() {
            flags.set(Flag::BodyWithheld);
        }
        if !body.bytes.is_empty() || matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            field(&mut head, "Content-Length", &body.bytes.len().to_string());
        }
        head.push_str("\r\n");
        Some(Message { head: head.into(), body: self.cut(body.bytes, flags), trailers: Bytes::new() })
    }

    fn response(&mut self, response: &Value, head_only: bool, flags: &mut Flags) -> Option<Message> {
        // zero: blocked, aborted, or from a cache
        let status = number(response, "status").filter(|status| (100.0..1000.0).contains(status))? as u16;
        let headers = pairs(response, "headers");
        let version = version(response, &headers, flags);
        let phrase = text(response, "statusText").unwrap_or_default();
        let mut head = format!("{version} {status} ");
        push_line(&mut head, &phrase);
        head.push_str("\r\n");
        if status == 101 {
            flags.set(Flag::Upgraded);
        }
        let described = response.get("content").unwrap_or(&Value::Null);
        let bodiless = head_only || status < 200 || status == 204 || status == 304;
        let body = if bodiless { Vec::new() } else { content(described).unwrap_or_default() };
        // what the content was coded with has been undone by the archive's writer
        let dropped: &[&str] = match (bodiless, head_only) {
            (true, true) => &["transfer-encoding"],
            (true, false) => &["transfer-encoding", "content-length"],
            _ => &["transfer-encoding", "content-length", "content-encoding"],
        };
        fields(&mut head, &headers, dropped);
        if !bodiless {
            let mut length = body.len() as u64;
            let said = known(described, "size").or_else(|| known(response, "bodySize")).unwrap_or(0.0) as u64;
            if body.is_empty() && said > 0 {
                flags.set(Flag::BodyWithheld);
                self.without_body += 1;
                length = said;
            }
            field(&mut head, "Content-Length", &length.to_string());
        }
        head.push_str("\r\n");
        Some(Message { head: head.into(), body: self.cut(body, flags), trailers: Bytes::new() })
    }

    fn cut(&self, mut body: Vec<u8>, flags: &mut Flags) -> Bytes {
        if body.len() as u64 > self.max_body {
            body.truncate(self.max_body as usize);
            body.shrink_to_fit();
            flags.set(Flag::BodyCut);
        }
        body.into()
    }
}

/// The version to write, which is one of HTTP/1; a flag tells when another was spoken.
fn version(message: &Value, headers: &[(String, String)], flags: &mut Flags) -> &'static str {
    let said = text(message, "httpVersion").unwrap_or_default().to_ascii_lowercase();
    let newer = ["http/2", "http/3", "h2", "h3", "quic", "spdy"].iter().any(|name| said.starts_with(name));
    if newer || headers.iter().any(|(name, _)| name.starts_with(':')) {
        flags.set(Flag::NotHttp1);
    }
    if said == "http/1.0" { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// Writes the field lines except those of pseudo-headers, of no valid name, and of the names given.
fn fields(head: &mut String, headers: &[(String, String)], except: &[&str]) {
    for (name, value) in headers {
        if is_token(name) && !except.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            // Chrome and Firefox join what came in several lines, as Set-Cookie must, by line breaks
            for line in value.split('\n') {
                field(head, name, line.trim());
            }
        }
    }
}

fn field(head: &mut String, name: &str, value: &str) {
    head.push_str(name);
    head.push_str(": ");
    push_line(head, value);
    head.push_str("\r\n");
}

/// Writes text so that it stays on its line.
fn push_line(head: &mut String, text: &str) {
    head.extend(text.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }));
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn url(text: &str) -> Result<Url<'_>, Skipped> {
    let text = text.trim();
    let (scheme, rest) = text.split_once(':').ok_or(Skipped::Unusable)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Scheme::Http,
        "https" | "wss" => Scheme::Https,
        name if !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            return Err(Skipped::NotHttp);
        }
        _ => return Err(Skipped::Unusable),
    };
    let rest = rest.strip_prefix("//").ok_or(Skipped::Unusable)?;
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit('@').next().unwrap_or_default();
    if authority.is_empty() || authority.bytes().any(|b| b <= b' ') {
        return Err(Skipped::Unusable);
    }
    let mut target = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    for byte in path.bytes() {
        if (0x21..0x7f).contains(&byte) {
            target.push(char::from(byte));
        } else {
            // writing to a string cannot fail
            let _ = write!(target, "%{byte:02X}");
        }
    }
    Ok(Url { scheme, authority, target })
}
