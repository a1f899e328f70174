//! Access logs of servers → exchanges without bodies: common and combined lines (also behind a virtual host's name), and JSON lines.
//!
//! Only `GET` and `HEAD` can be made of a log, since it has no bodies. Times are the log's: where it tells how long a request took, the
//! request begins that much earlier than the line was written; elsewhere all four times are the same. Connections are not
//! in a log; exchanges of one client address share one number.

mod fields;
mod json;
mod line;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::recording::CaptureCounts;
use mynah_traffic::{Connection, Exchange, Flag, Flags, Nanos, Scheme, Times};

pub use self::fields::{BadFields, LogFields};
use crate::input::Input;
use crate::source::counted;
use crate::{Error, Options, Place};

pub(crate) use self::json::is_json_line;

/// A longer line is none.
const MAX_LINE: u64 = 1 << 20;
/// Clients remembered. Beyond that all are forgotten, and who comes again gets a new number.
const MAX_CLIENTS: usize = 1 << 20;

/// What an access log does not say by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogOptions {
    /// The host that was asked, for lines that do not name one.
    pub host: Option<String>,
    /// Where JSON lines have what; what is not named here is looked for under the names that servers use.
    pub fields: LogFields,
}

/// What a line says.
#[derive(Debug, Default)]
struct Entry {
    /// Of the request's beginning when `starts`, else of its end.
    time: Nanos,
    starts: bool,
    duration: Nanos,
    method: String,
    target: String,
    version: String,
    host: Option<String>,
    https: bool,
    status: u16,
    size: Option<u64>,
    client: String,
    user_agent: Option<String>,
    referer: Option<String>,
}

/// Why a line says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bad {
    /// In bytes, from 1.
    column: usize,
    message: String,
}

impl Bad {
    fn new(at: usize, message: impl Into<String>) -> Bad {
        Bad { column: at + 1, message: message.into() }
    }
}

/// Reads one log.
pub(crate) struct AccessLog {
    path: PathBuf,
    compressed: bool,
    reader: BufReader<Box<dyn Read + Send>>,
    options: AccessLogOptions,
    line: usize,
    clients: HashMap<String, (u64, u32)>,
    next_connection: u64,
    seen: u64,
    captured: u64,
    bad: u64,
    first_bad: Option<(usize, Bad)>,
    /// Other methods than `GET` and `HEAD`.
    other: u64,
    cut: Option<String>,
    ended: bool,
}

impl AccessLog {
    pub(crate) fn open(input: Input, options: &Options, log: &AccessLogOptions) -> AccessLog {
        let (path, compressed) = (input.path().to_owned(), input.compressed());
        AccessLog {
            path,
            compressed,
            reader: BufReader::with_capacity(64 << 10, input.into_reader()),
            options: log.clone(),
            line: 0,
            clients: HashMap::new(),
            next_connection: options.first_connection,
            seen: 0,
            captured: 0,
            bad: 0,
            first_bad: None,
            other: 0,
            cut: None,
            ended: false,
        }
    }

    pub(crate) fn next(&mut self) -> Option<Result<Exchange, Error>> {
        let mut line = Vec::new();
        while !self.ended {
            let whole = match self.read_line(&mut line) {
                Ok(Some(whole)) => whole,
                Ok(None) => {
                    self.ended = true;
                    return self.nothing().map(Err);
                }
                Err(source) => {
                    self.ended = true;
                    if self.compressed && self.seen > 0 {
                        self.cut = Some(format!(
                            "cut short: the file cannot be decompressed any further ({source})"
                        ));
                        return None;
                    }
                    return Some(Err(Error::Io { path: self.path.clone(), source }));
                }
            };
            let text = crate::recognise::without_mark(&line).trim_ascii_end();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            self.seen += 1;
            let entry = match text.first() {
                _ if !whole => Err(Bad::new(MAX_LINE as usize, "the line is longer than 1 MiB")),
                Some(b'{') => json::parse(text, &self.options.fields),
                _ => line::parse(text),
            };
            match entry {
                Ok(entry) if matches!(entry.method.as_str(), "GET" | "HEAD") => {
                    let exchange = self.exchange(&entry);
                    self.ended = exchange.is_err();
                    return Some(exchange);
                }
                Ok(_) => self.other += 1,
                Err(bad) => {
                    self.bad += 1;
                    self.first_bad.get_or_insert((self.line, bad));
                }
            }
        }
        None
    }

    /// The next line, and whether it is whole; `None` at the end.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        line.clear();
        self.line += 1;
        if self.reader.by_ref().take(MAX_LINE).read_until(b'\n', line)? == 0 {
            return Ok(None);
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < MAX_LINE;
        let mut rest = Vec::new();
        while !whole && !rest.ends_with(b"\n") {
            rest.clear();
            if self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut rest)? == 0 {
                break;
            }
        }
        Ok(Some(whole))
    }

    /// A log of bad lines only is none.
    fn nothing(&mut self) -> Option<Error> {
        let (line, bad) = self.first_bad.clone().filter(|_| self.bad == self.seen)?;
        let message = format!("no line of it is one of an access log; here: {}", bad.message);
        Some(Error::Malformed {
            path: self.path.clone(),
            place: Place::Line { line, column: bad.column },
            message,
        })
    }

    fn exchange(&mut self, entry: &Entry) -> Result<Exchange, Error> {
        let Some(host) = entry.host.as_deref().or(self.options.host.as_deref()) else {
            return Err(Error::Malformed {
                path: self.path.clone(),
                place: Place::Line { line: self.line, column: 1 },
                message: "the log does not say which host was asked; give it with --log-host HOST".to_owned(),
            });
        };
        self.captured += 1;
        let mut flags = Flags::default();
        if entry.version.starts_with("HTTP/2") || entry.version.starts_with("HTTP/3") {
            flags.set(Flag::NotHttp1);
        }
        let version = if entry.version == "HTTP/1.0" { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut head = format!("{} {} {version}\r\n", entry.method, entry.target);
        field(&mut head, "Host", host);
        for (name, value) in [("User-Agent", &entry.user_agent), ("Referer", &entry.referer)] {
            if let Some(value) = value {
                field(&mut head, name, value);
            }
        }
        head.push_str("\r\n");
        let mut answer = format!("{version} {} \r\n", entry.status);
        let bodiless = entry.method == "HEAD" || entry.status < 200 || matches!(entry.status, 204 | 304);
        if !bodiless && let Some(size) = entry.size {
            field(&mut answer, "Content-Length", &size.to_string());
        }
        if !bodiless && entry.size != Some(0) {
            flags.set(Flag::BodyWithheld);
        }
        answer.push_str("\r\n");
        let (first, last) = if entry.starts {
            (entry.time, entry.time.plus(entry.duration))
        } else {
            (entry.time.since(entry.duration), entry.time)
        };
        let message =
            |head: String| Message { head: head.into(), body: Bytes::new(), trailers: Bytes::new() };
        Ok(Exchange {
            request: Some(message(head)),
            response: Some(message(answer)),
            scheme: if entry.https { Scheme::Https } else { Scheme::Http },
            connection: self.connection(&entry.client),
            times: Times {
                request_first: first,
                request_last: first,
                response_first: Some(last),
                response_last: Some(last),
            },
            flags,
            sensitive: Vec::new(),
        })
    }

    fn connection(&mut self, client: &str) -> Connection {
        if self.clients.len() >= MAX_CLIENTS {
            self.clients.clear();
        }
        let next = &mut self.next_connection;
        let known = self.clients.entry(client.to_owned()).or_insert_with(|| {
            let id = *next;
            *next += 1;
            (id, 0)
        });
        let (id, ordinal) = *known;
        known.1 = known.1.saturating_add(1);
        Connection { id, ordinal, client: address(client), ..Connection::default() }
    }

    pub(crate) fn counts(&self) -> CaptureCounts {
        CaptureCounts {
            seen: self.seen,
            captured: self.captured,
            dropped_by_mynah: self.seen - self.captured,
            ..CaptureCounts::default()
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.cut.iter().cloned().collect();
        if let Some((line, bad)) = &self.first_bad {
            let place = Place::Line { line: *line, column: bad.column };
            let what = format!("that cannot be read, the first at {place}: {}", bad.message);
            warnings.push(counted(self.bad, &format!("line {what}"), &format!("lines {what}")));
        }
        if self.other > 0 {
            let what = "other than GET and HEAD skipped, because a log has no bodies";
            warnings.push(counted(self.other, &format!("request {what}"), &format!("requests {what}")));
        }
        if self.ended && self.seen == 0 {
            warnings.push("no lines in it".to_owned());
        }
        warnings
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection
    }
}

/// `192.0.2.1`, `2001:db8::1`, either with a port behind it.
fn address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, 0)))
}

/// A header field; what would end its line does not.
fn field(head: &mut String, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // writing to a string cannot fail
    let _ = write!(head, "{name}: {}\r\n", value.trim());
}

impl Entry {
    /// `GET /a HTTP/1.1`, also with a whole URL for target.
    fn request_line(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.splitn(2, ' ');
        let (method, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim());
        let (target, version) = match rest.rsplit_once(' ') {
            Some((target, version)) if version.starts_with("HTTP/") => (target.trim(), version),
            _ => (rest, ""),
        };
        method.clone_into(&mut self.method);
        version.clone_into(&mut self.version);
        self.asked(target)
    }

    /// Takes the target, and host and scheme when it has them.
    fn asked(&mut self, target: &str) -> Result<(), String> {
        let method = &self.method;
        if !method.starts_with(|c: char| c.is_ascii_alphabetic())
            || !method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&b))
        {
            return Err("expected a method such as GET".to_owned());
        }
        let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
        let rest =
            ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)).and_then(|scheme| {
                self.https |= scheme == "https://";
                target.get(scheme.len()..)
            });
        let path = match rest {
            None => target,
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                self.host = Some(host.to_owned()).filter(|host| !host.is_empty()).or(self.host.take());
                path
            }
        };
        if method != "GET" && method != "HEAD" {
            return Ok(());
        }
        let from_root = rest.is_some() || path.starts_with('/');
        if !from_root {
            return Err("expected a target that begins with '/'".to_owned());
        }
        if !path.starts_with('/') {
            self.target.push('/');
        }
        for byte in path.split('#').next().unwrap_or_default().bytes() {
            if (0x21..0x7f).contains(&byte) {
                self.target.push(char::from(byte));
            } else {
                // writing to a string cannot fail
                let _ = write!(self.target, "%{byte:02X}");
            }
        }
        Ok(())
    }
}

/// What a log writes for nothing.
fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty() && *text != "-").map(str::to_owned)
}

/// A point in time: of a log, ISO 8601, or since 1970 in seconds, milliseconds, microseconds or nanoseconds.
fn time(text: &str) -> Option<Nanos> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(text, number);
    }
    let moment = mynah_traffic::units::parse_time(text);
    moment.or_else(|| {
        ["%d/%b/%Y:%H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z"].iter().find_map(
            |format| {
                let moment = jiff::fmt::strtime::parse(format, text).ok()?.to_timestamp().ok()?;
                u64::try_from(moment.as_nanosecond()).ok().map(Nanos)
            },
        )
    })
}

/// Seconds until the year 5138, then milliseconds, and so on: no log is that old.
fn epoch(text: &str, number: f64) -> Option<Nanos> {
    if !number.is_finite() || number <= 0.0 {
        return None;
    }
    let (digits, per_unit) = match number {
        n if n < 1e11 => (9, 1e9),
        n if n < 1e14 => (6, 1e6),
        n if n < 1e17 => (3, 1e3),
        _ => (0, 1.0),
    };
    // by decimal digits where possible: a float has not enough of them for nanoseconds
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if plain(whole) && plain(fraction) {
        let all: String =
            whole.chars().chain(fraction.chars().chain(std::iter::repeat('0')).take(digits)).collect();
        return all.parse().ok().map(Nanos);
    }
    Some(Nanos((number * per_unit) as u64))
}
