//! Where JSON lines have what.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What can be told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Time,
    Request,
    Method,
    Target,
    Status,
    Size,
    Host,
    Scheme,
    Client,
    UserAgent,
    Referer,
    Duration,
}

/// Its name in `--log-fields`, and the names that nginx, Caddy, Traefik, Envoy, AWS and others have for it, the surest first.
const FIELDS: &[(Field, &str, &[&str])] = &[
    (
        Field::Time,
        "time",
        &[
            "msec",
            "time_iso8601",
            "time_local",
            "StartUTC",
            "StartLocal",
            "start_time",
            "request_creation_time",
            "@timestamp",
            "timestamp",
            "ts",
            "time",
            "date",
        ],
    ),
    (Field::Request, "request", &["request", "request_line", "http_request"]),
    (
        Field::Method,
        "method",
        &[
            "request_method",
            "request.method",
            "RequestMethod",
            "http.request.method",
            "httpRequest.requestMethod",
            "method",
            "verb",
        ],
    ),
    (
        Field::Target,
        "target",
        &[
            "request_uri",
            "request.uri",
            "RequestPath",
            "url.original",
            "httpRequest.requestUrl",
            "request_url",
            "uri",
            "path",
            "url",
            "target",
        ],
    ),
    (
        Field::Status,
        "status",
        &[
            "status",
            "response.status",
            "DownstreamStatus",
            "OriginStatus",
            "response_code",
            "elb_status_code",
            "http.response.status_code",
            "httpRequest.status",
            "status_code",
            "code",
        ],
    ),
    (
        Field::Size,
        "size",
        &["body_bytes_sent", "size", "DownstreamContentSize", "bytes_sent", "sent_bytes", "bytes"],
    ),
    (
        Field::Host,
        "host",
        &[
            "http_host",
            "request.host",
            "RequestHost",
            "authority",
            "url.domain",
            "domain_name",
            "host",
            "vhost",
            "server_name",
        ],
    ),
    (Field::Scheme, "scheme", &["scheme", "request_scheme", "RequestScheme", "url.scheme"]),
    (
        Field::Client,
        "client",
        &[
            "remote_addr",
            "request.client_ip",
            "request.remote_ip",
            "ClientHost",
            "ClientAddr",
            "downstream_remote_address",
            "client.ip",
            "httpRequest.remoteIp",
            "client_ip",
            "remote_ip",
            "client",
        ],
    ),
    (
        Field::UserAgent,
        "user_agent",
        &[
            "http_user_agent",
            "request.headers.User-Agent",
            "request_User-Agent",
            "user_agent.original",
            "httpRequest.userAgent",
            "user_agent",
            "agent",
        ],
    ),
    (
        Field::Referer,
        "referer",
        &[
            "http_referer",
            "request.headers.Referer",
            "request_Referer",
            "httpRequest.referer",
            "referer",
            "referrer",
        ],
    ),
    (
        Field::Duration,
        "duration",
        &[
            "request_time",
            "Duration",
            "duration_ms",
            "duration",
            "target_processing_time",
            "httpRequest.latency",
        ],
    ),
];

/// What a number of a duration counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// In seconds.
    pub(super) fn seconds(self) -> f64 {
        match self {
            Unit::Seconds => 1.0,
            Unit::Millis => 1e-3,
            Unit::Micros => 1e-6,
            Unit::Nanos => 1e-9,
        }
    }
}

/// Where JSON lines have what: `time=ts,method=req.method,target=uri,status=code,duration=took:ms`. A dot leads into an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFields {
    named: BTreeMap<Field, String>,
    unit: Option<Unit>,
}

impl LogFields {
    /// Where to look, in turn.
    pub(super) fn of(&self, field: Field) -> impl Iterator<Item = &str> {
        let own = self.named.get(&field).map(String::as_str);
        let usual = FIELDS.iter().filter(move |(known, ..)| *known == field && own.is_none());
        own.into_iter().chain(usual.flat_map(|(.., names)| names.iter().copied()))
    }

    /// What a number under this name counts. A `duration` with a point is Caddy's, in seconds; without, Envoy's.
    pub(super) fn unit(&self, name: &str, fractional: bool) -> Unit {
        match name {
            _ if self.named.contains_key(&Field::Duration) => self.unit.unwrap_or(Unit::Seconds),
            "Duration" => Unit::Nanos,
            "duration_ms" => Unit::Millis,
            "duration" if !fractional => Unit::Millis,
            _ => Unit::Seconds,
        }
    }
}

/// A field map that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFields(String);

impl fmt::Display for BadFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFields {}

impl FromStr for LogFields {
    type Err = BadFields;

    fn from_str(text: &str) -> Result<Self, BadFields> {
        let mut fields = LogFields::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (what, place) = part
                .split_once('=')
                .filter(|(_, place)| !place.trim().is_empty())
                .ok_or_else(|| BadFields(format!("expected FIELD=NAME, such as time=ts, found {part:?}")))?;
            let Some((field, ..)) = FIELDS.iter().find(|(_, name, _)| *name == what.trim()) else {
                let known: Vec<&str> = FIELDS.iter().map(|(_, name, _)| *name).collect();
                return Err(BadFields(format!(
                    "unknown field {:?}; there are {}",
                    what.trim(),
                    known.join(", ")
                )));
            };
            let mut place = place.trim();
            if *field == Field::Duration
                && let Some((name, unit)) = place.rsplit_once(':')
            {
                place = name;
                fields.unit = Some(match unit {
                    "s" => Unit::Seconds,
                    "ms" => Unit::Millis,
                    "us" => Unit::Micros,
                    "ns" => Unit::Nanos,
                    _ => return Err(BadFields(format!("unknown unit {unit:?}; there are s, ms, us, ns"))),
                });
            }
            fields.named.insert(*field, place.to_owned());
        }
        Ok(fields)
    }
}
