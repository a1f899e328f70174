//! One line for each exchange, session or endpoint.

use std::io::Write;

use mynah_grouping::Options;
use mynah_traffic::units::{format_duration, format_time};
use mynah_traffic::{Exchange, Nanos};
use serde::Serialize;

use super::Stopped;
use super::summary::Endpoint;
use crate::input::Inputs;

/// One exchange in `--exchanges --json`: DESIGN §4.
#[derive(Serialize)]
struct ExchangeLine {
    method: Option<String>,
    host: String,
    target: Option<String>,
    status: Option<u16>,
    request_body_bytes: u64,
    response_body_bytes: u64,
    started_ns: u64,
    client: Option<String>,
    server: Option<String>,
    session: Option<u32>,
    flags: Vec<&'static str>,
    #[serde(skip)]
    took: Option<Nanos>,
}

impl ExchangeLine {
    fn of(exchange: &Exchange, session: Option<u32>) -> Self {
        let head = exchange.request_head();
        let length = |message: &Option<mynah_message::Message>| {
            message.as_ref().map_or(0, |message| message.body.len() as u64)
        };
        ExchangeLine {
            method: head.as_ref().and_then(mynah_message::Head::method).map(str::to_owned),
            host: exchange.host(),
            target: head.as_ref().and_then(mynah_message::Head::target).map(str::to_owned),
            status: exchange.status(),
            request_body_bytes: length(&exchange.request),
            response_body_bytes: length(&exchange.response),
            started_ns: exchange.times.request_first.0,
            client: exchange.connection.client.map(|address| address.to_string()),
            server: exchange.connection.server.map(|address| address.to_string()),
            session,
            flags: exchange.flags.iter().map(mynah_traffic::Flag::name).collect(),
            took: exchange.times.response_last.map(|last| last.since(exchange.times.request_first)),
        }
    }

    fn text(&self) -> String {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        format!(
            "{}  session {:>5}  {:>3}  {:>8}  {:>8} B  {} {}{}{}",
            format_time(Nanos(self.started_ns)),
            self.session.map_or("-".to_owned(), |session| session.to_string()),
            self.status.map_or("-".to_owned(), |status| status.to_string()),
            self.took.map_or("-".to_owned(), format_duration),
            self.response_body_bytes,
            or_dash(self.method.as_deref()),
            self.host,
            or_dash(self.target.as_deref()),
            if self.flags.is_empty() { String::new() } else { format!("  [{}]", self.flags.join(" ")) },
        )
    }
}

fn line(
    out: &mut impl Write,
    json: bool,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Stopped> {
    if json {
        serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
        Ok(writeln!(out)?)
    } else {
        Ok(writeln!(out, "{}", text())?)
    }
}

/// Every exchange, in the order of the file.
pub(super) fn exchanges(
    inputs: &Inputs,
    options: &Options,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    let open = || inputs.open();
    let mut session_of = std::collections::HashMap::new();
    for session in mynah_grouping::sessionise(&open, options)? {
        session_of.extend(session.exchanges.iter().map(|&exchange| (exchange, session.id.0)));
    }
    for (number, exchange) in inputs.open()?.enumerate() {
        let exchange = ExchangeLine::of(&exchange?, session_of.get(&(number as u32)).copied());
        line(out, json, &exchange, || exchange.text())?;
    }
    Ok(())
}

/// One session in `--sessions --json`: DESIGN §4.
#[derive(Serialize)]
struct SessionLine {
    session: u32,
    client: String,
    exchanges: u64,
    started_ns: u64,
    duration_s: f64,
    identified_by: String,
    /// Positions of its first and last exchange in the recording, from 0.
    first: Option<u32>,
    last: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Every session, by start.
pub(super) fn sessions(
    inputs: &Inputs,
    options: &Options,
    json: bool,
    why: bool,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    for session in mynah_grouping::sessionise(&|| inputs.open(), options)? {
        let why = why.then(|| session.why());
        let value = SessionLine {
            first: session.exchanges.first().copied(),
            last: session.exchanges.last().copied(),
            why,
            session: session.id.0,
            client: session.client,
            exchanges: session.exchanges.len() as u64,
            started_ns: session.started.0,
            duration_s: session.ended.since(session.started).as_secs_f64(),
            identified_by: session.identified_by.to_string(),
        };
        line(out, json, &value, || {
            let why = value.why.as_ref().map(|why| format!("\n        {why}")).unwrap_or_default();
            format!(
                "{:>6}  {}  {:>4} exchanges in {:>7}  from {}  by {}{why}",
                value.session,
                format_time(session.started),
                value.exchanges,
                format_duration(session.ended.since(session.started)),
                value.client,
                value.identified_by,
            )
        })?;
    }
    Ok(())
}

/// Every endpoint, most requests first.
pub(super) fn endpoints(
    inputs: &Inputs,
    options: &Options,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    for endpoint in mynah_grouping::endpoints(&|| inputs.open(), options)? {
        let endpoint = Endpoint::from(endpoint);
        line(out, json, &endpoint, || endpoint.line())?;
    }
    Ok(())
}
