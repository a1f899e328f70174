//! Exchanges into records.

use std::io::{self, Write};

use super::wire::{bytes, is_bodiless};
use super::{Id, Kind, Record, Writer};
use crate::{Exchange, Flag, Nanos, Side};

/// Writes exchanges as records of type 1 and 2, request before response, one exchange after the other.
#[derive(Debug)]
pub struct Exporter<W> {
    writer: Writer<W>,
    number: u32,
    exported: Exported,
}

/// What became of the exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Exchanges written.
    pub exchanges: u64,
    /// Records of type 1.
    pub requests: u64,
    /// Records of type 2.
    pub responses: u64,
    /// Left out: a message of theirs holds the line that separates records.
    pub unfit: u64,
    /// Written with a message that is not whole: it was cut short, or its body is not in the recording.
    pub partial: u64,
}

impl<W: Write> Exporter<W> {
    /// Writes to `output`, which should be buffered.
    pub fn new(output: W) -> Self {
        Exporter { writer: Writer::new(output), number: 0, exported: Exported::default() }
    }

    /// Writes one exchange, or leaves it out and counts that, when the format cannot hold it.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&mut self, exchange: &Exchange) -> io::Result<()> {
        let id = Id::of(&exchange.connection, self.number).to_string();
        self.number = self.number.wrapping_add(1);
        let records = records(exchange, &id);
        if !records.iter().all(Record::fits) {
            self.exported.unfit += 1;
            return Ok(());
        }
        for record in &records {
            self.writer.write(record)?;
            match record.kind {
                Kind::Request => self.exported.requests += 1,
                Kind::Response | Kind::Replayed => self.exported.responses += 1,
            }
        }
        let partial = [Flag::Truncated, Flag::BodyCut, Flag::BodyWithheld, Flag::Gap];
        self.exported.partial += u64::from(partial.iter().any(|&flag| exchange.flags.has(flag)));
        self.exported.exchanges += 1;
        Ok(())
    }

    /// What was written so far.
    pub fn exported(&self) -> Exported {
        self.exported
    }

    /// The output, to flush and to close.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }
}

/// The records of an exchange, of type 1 and 2: one for each of its messages.
pub fn records(exchange: &Exchange, id: &str) -> Vec<Record> {
    let Exchange { request, response, times, .. } = exchange;
    let cut = exchange.flags.has(Flag::Truncated) || exchange.flags.has(Flag::BodyCut);
    let record = |kind, first: Nanos, last: Nanos, payload| Record {
        kind,
        id: id.to_owned(),
        time: Some(first),
        latency: Some(last.since(first)),
        payload,
    };
    let mut records = Vec::with_capacity(2);
    if let Some(message) = request {
        let whole = !cut || response.is_some();
        let payload = bytes(message, Side::Request, false, whole);
        records.push(record(Kind::Request, times.request_first, times.request_last, payload));
    }
    if let Some(message) = response {
        let head = exchange.request_head();
        let method = head.as_ref().and_then(mynah_message::Head::method);
        let bodiless = exchange.status().is_some_and(|status| is_bodiless(method, status));
        let first = times.response_first.or(times.response_last).unwrap_or(times.request_last);
        let last = times.response_last.unwrap_or(first);
        let payload = bytes(message, Side::Response, bodiless, !cut);
        records.push(record(Kind::Response, first, last, payload));
    }
    records
}
