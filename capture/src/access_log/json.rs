//! JSON lines, as nginx, Caddy, Traefik, Envoy and log shippers write them.

use std::borrow::Cow;

use mynah_traffic::Nanos;
use mynah_traffic::units::parse_duration;
use serde_json::{Map, Value};

use super::fields::{Field, LogFields};
use super::{Bad, Entry, given, time};

/// An object with fewer members is no request.
const MIN_MEMBERS: usize = 3;

/// Whether a line may be a log's: an object on one line, with some members, and no HTTP archive.
pub(crate) fn is_json_line(line: &[u8]) -> bool {
    let parsed: Result<Map<String, Value>, _> = serde_json::from_slice(line);
    parsed.is_ok_and(|members| {
        members.len() >= MIN_MEMBERS && !members.get("log").is_some_and(Value::is_object)
    })
}

pub(super) fn parse(line: &[u8], fields: &LogFields) -> Result<Entry, Bad> {
    // bytes that are no UTF-8 are found in user agents
    let text = String::from_utf8_lossy(line);
    let object: Value = serde_json::from_str(&text)
        .map_err(|error| Bad::new(error.column().saturating_sub(1), format!("no JSON object: {error}")))?;
    let find = |field| fields.of(field).find_map(|name| Some((name, text_of(at(&object, name)?)?)));
    let get = |field| find(field).and_then(|(_, text)| given(&text));
    let scheme = get(Field::Scheme).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    // Caddy tells of TLS by an object
    let https = scheme || at(&object, "request.tls").is_some_and(Value::is_object);
    let mut entry = Entry { host: get(Field::Host), https, ..Entry::default() };
    if let (Some(method), Some(target)) = (get(Field::Method), get(Field::Target)) {
        entry.method = method;
        entry.version = version(&object);
        entry.asked(&target).map_err(|message| Bad::new(0, message))?;
    } else {
        let line = get(Field::Request).ok_or_else(|| missing("method and target, or request"))?;
        entry.request_line(&line).map_err(|message| Bad::new(0, message))?;
    }
    let (name, when) = find(Field::Time).ok_or_else(|| missing("time"))?;
    entry.time = time(&when).ok_or_else(|| Bad::new(0, format!("{name}: expected a time")))?;
    // the others write when the line was written
    entry.starts = name.to_ascii_lowercase().starts_with("start") || name == "request_creation_time";
    entry.status = get(Field::Status)
        .and_then(|status| status.parse().ok())
        .filter(|status| (100..1000).contains(status))
        .ok_or_else(|| missing("status"))?;
    entry.size = get(Field::Size).and_then(|size| size.parse().ok());
    entry.client = get(Field::Client).unwrap_or_default();
    entry.user_agent = get(Field::UserAgent);
    entry.referer = get(Field::Referer);
    if let Some((name, took)) = find(Field::Duration) {
        entry.duration = duration(fields, name, &took);
    }
    Ok(entry)
}

fn missing(what: &str) -> Bad {
    Bad::new(0, format!("no {what} under a known name; say where it is with --log-fields"))
}

/// A number in its unit, or `12ms`; nothing when it is neither.
fn duration(fields: &LogFields, name: &str, text: &str) -> Nanos {
    match text.parse::<f64>() {
        Ok(number) => Nanos::from_secs_f64(number * fields.unit(name, text.contains('.')).seconds()),
        Err(_) => parse_duration(text).unwrap_or_default(),
    }
}

/// `HTTP/2.0`, where it is told.
fn version(object: &Value) -> String {
    let names = ["server_protocol", "request.proto", "RequestProtocol", "protocol"];
    names.iter().find_map(|name| at(object, name)?.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The member of that name, or what the dots in it lead to.
fn at<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    if let Some(found) = members.get(name) {
        return Some(found);
    }
    name.match_indices('.').find_map(|(dot, _)| {
        let (outer, inner) = (name.get(..dot)?, name.get(dot + 1..)?);
        at(members.get(outer)?, inner)
    })
}

/// A string, a number, or the first of several.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => {
            Some(Cow::Borrowed(text.as_str())).filter(|text| !text.is_empty() && text != "-")
        }
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Array(several) => text_of(several.first()?),
        _ => None,
    }
}
