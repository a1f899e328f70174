//! GoReplay's `.gor` files: records of one message each, paired to exchanges by their identifier, also from one file to another.
//!
//! Identifiers of 24 digits tell the connection and the client's address ([`Id`]); of other forms, each exchange is taken to have
//! had a connection of its own. A record holds its message as on the wire, so the parser for connections takes it apart.

mod files;
mod message;
mod pairs;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

use mynah_message::Head;
use mynah_traffic::gor::{Broken, Id, Kind, Record};
use mynah_traffic::recording::CaptureCounts;
use mynah_traffic::{Connection, Exchange, Flag, Nanos, Side, Times};

use self::files::{Files, Next};
pub use self::message::message;
use self::pairs::{Half, Pair, Pairs};
use crate::http::{Conversation, Ending, Limits, Out};
use crate::input::Input;
use crate::source::counted;
use crate::{Error, Options};

/// GoReplay cuts payloads here, in bytes (5 MB; by 10⁶, since either reading of it is found).
const GOREPLAY_CUT: usize = 5_000_000;
/// What a payload may have beside its body: a head, and the framing of chunks.
const FRAMING: u64 = 2 << 20;
/// A third field below this, eleven days after 1970, is no moment: very old files have the latency there.
const NO_MOMENT: Nanos = Nanos(1_000_000_000_000_000);
/// Connections remembered. Beyond that all are forgotten, and what goes on gets new numbers.
const MAX_CONNECTIONS: usize = 1 << 20;

/// Reads files, together.
pub(crate) struct Gor {
    files: Files,
    pairs: Pairs,
    limits: Limits,
    finished: VecDeque<Exchange>,
    /// Number and exchanges so far of a connection.
    connections: HashMap<u64, (u64, u32)>,
    next_connection: u64,
    /// The latest moment read, for records that tell none.
    clock: Nanos,
    seen: u64,
    tally: Tally,
    warnings: Vec<String>,
    ended: bool,
}

/// Records that need a word.
#[derive(Default)]
struct Tally {
    replayed: u64,
    broken: u64,
    first_broken: Option<(usize, u64, Broken)>,
    no_http: u64,
    /// Interim responses to requests that are not in the file.
    interim: u64,
    no_time: u64,
}

impl Gor {
    pub(crate) fn open(inputs: Vec<Input>, options: &Options) -> Gor {
        let max_payload = options.max_body.saturating_add(options.max_body / 8).saturating_add(FRAMING);
        Gor {
            files: Files::new(inputs, max_payload),
            pairs: Pairs::new(options.memory),
            limits: Limits { max_body: options.max_body, waiting: u64::MAX },
            finished: VecDeque::new(),
            connections: HashMap::new(),
            next_connection: options.first_connection,
            clock: Nanos(0),
            seen: 0,
            tally: Tally::default(),
            warnings: Vec::new(),
            ended: false,
        }
    }

    pub(crate) fn next(&mut self) -> Option<Result<Exchange, Error>> {
        loop {
            if let Some(exchange) = self.finished.pop_front() {
                return Some(Ok(exchange));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.step() {
                return Some(Err(error));
            }
        }
    }

    /// Reads one record, or ends.
    fn step(&mut self) -> Result<(), Error> {
        let (found, file) = match self.files.next() {
            Some(Next::Record(found, file)) => (found, file),
            Some(Next::Cut(warning)) => {
                self.warnings.push(warning);
                return Ok(());
            }
            Some(Next::Failed(error)) => return Err(error),
            None => {
                self.end();
                return Ok(());
            }
        };
        self.seen += 1;
        match found.record {
            Ok(record) => {
                if !found.separated {
                    self.warnings.push(format!(
                        "{}cut short: no separator behind the last record, at byte {}; it was kept",
                        self.files.prefix(file),
                        found.offset
                    ));
                }
                self.record(record, found.dropped > 0);
            }
            Err(broken) => {
                self.tally.broken += 1;
                self.tally.first_broken.get_or_insert((file, found.offset, broken));
            }
        }
        Ok(())
    }

    fn record(&mut self, record: Record, cut: bool) {
        let side = match record.kind {
            Kind::Request => Side::Request,
            Kind::Response => Side::Response,
            Kind::Replayed => {
                self.tally.replayed += 1;
                return;
            }
        };
        let moment = record.time.filter(|&time| time >= NO_MOMENT);
        // a small number in a response's third field is its latency, in very old files
        let since_request = record.time.filter(|_| moment.is_none() && side == Side::Response);
        if let Some(moment) = moment {
            self.clock = self.clock.max(moment);
        } else if since_request.is_none() {
            self.tally.no_time += 1;
        }
        let half = Half {
            side,
            moment,
            since_request,
            read_at: self.clock,
            span: record.latency.unwrap_or_default(),
            payload: record.payload,
            cut,
            interim: false,
        };
        if side == Side::Response && is_interim(&half.payload) {
            self.tally.interim += u64::from(!self.pairs.interim(&record.id));
            return;
        }
        for pair in self.pairs.push(record.id, half) {
            self.exchange(pair);
        }
    }

    /// Makes the exchange, or exchanges: what a client sent in one go is one record.
    fn exchange(&mut self, pair: Pair) {
        let Pair { id, request, response } = pair;
        let known = Id::parse(&id);
        let client = known.and_then(Id::client);
        let times = times(request.as_ref(), response.as_ref());
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into();
        let mut conversation = Conversation::new(nobody, nobody, false, self.limits);
        let (mut found, mut number) = (VecDeque::new(), 0);
        let mut out = Out { exchanges: &mut found, next_connection: &mut number };
        if let Some(half) = &request {
            conversation.feed(Side::Request, &half.payload, times.request_first, &mut out);
            // nothing of it is to come, so that no response can be early
            conversation.eof(Side::Request, &mut out);
        }
        if let Some(half) = &response {
            let time = times.response_first.unwrap_or(times.request_last);
            conversation.feed(Side::Response, &half.payload, time, &mut out);
        }
        conversation.close(Ending::Closed, &mut out);
        if found.is_empty() {
            self.tally.no_http += u64::from(request.is_some()) + u64::from(response.is_some());
            return;
        }
        let single = found.len() == 1;
        let halves = || [request.as_ref(), response.as_ref()].into_iter().flatten();
        let cut = halves().any(|half| half.cut);
        let long = halves().any(|half| half.payload.len() >= GOREPLAY_CUT);
        let interim = request.as_ref().is_some_and(|half| half.interim);
        for mut exchange in found {
            if single {
                exchange.times = match (&exchange.request, &exchange.response) {
                    (Some(_), Some(_)) => times,
                    (Some(_), None) => Times { response_first: None, response_last: None, ..times },
                    (None, _) => {
                        let first = times.response_first.unwrap_or(times.request_first);
                        Times { request_first: first, request_last: first, ..times }
                    }
                };
            }
            if cut || (long && exchange.flags.has(Flag::Truncated)) {
                exchange.flags.set(Flag::BodyCut);
            }
            if interim {
                exchange.flags.set(Flag::Interim);
            }
            exchange.connection = self.connection(known, client);
            self.finished.push_back(exchange);
        }
    }

    fn connection(&mut self, id: Option<Id>, client: Option<SocketAddr>) -> Connection {
        let next = &mut self.next_connection;
        let mut new = || {
            let id = *next;
            *next += 1;
            (id, 0)
        };
        let (id, ordinal) = match id {
            None => new(),
            Some(id) => {
                if self.connections.len() >= MAX_CONNECTIONS {
                    self.connections.clear();
                }
                let known = self.connections.entry(id.connection).or_insert_with(new);
                let own = *known;
                known.1 = known.1.saturating_add(1);
                own
            }
        };
        Connection { id, ordinal, client, ..Connection::default() }
    }

    fn end(&mut self) {
        self.ended = true;
        while let Some(pair) = self.pairs.oldest() {
            self.exchange(pair);
        }
    }

    pub(crate) fn counts(&self) -> CaptureCounts {
        let dropped = self.tally.broken + self.tally.no_http + self.tally.interim + self.tally.replayed;
        CaptureCounts {
            seen: self.seen,
            captured: self.seen.saturating_sub(dropped),
            dropped_by_mynah: dropped,
            evicted: self.pairs.evicted,
            ..CaptureCounts::default()
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let Tally { replayed, broken, first_broken, no_http, interim, no_time } = &self.tally;
        let mut warnings = self.warnings.clone();
        let mut say = |count: u64, one: &str, many: &str| {
            if count > 0 {
                warnings.push(counted(count, one, many));
            }
        };
        if let Some((file, offset, why)) = first_broken {
            let file = self.files.prefix(*file);
            let what = format!("that cannot be read, the first at {file}byte {offset}: {why}");
            say(*broken, &format!("record {what}"), &format!("records {what}"));
        }
        say(
            *replayed,
            "response to a replayed request (type 3) skipped",
            "responses to replayed requests (type 3) skipped",
        );
        say(*no_http, "record without HTTP skipped", "records without HTTP skipped");
        let lone = "(1xx) without its request skipped";
        say(*interim, &format!("interim response {lone}"), &format!("interim responses {lone}"));
        let time = "without a time that can be read: the one before it was taken";
        say(*no_time, &format!("record {time}"), &format!("records {time}"));
        let evicted = "given up waiting for its counterpart, to stay within the memory limit";
        say(self.pairs.evicted, &format!("record {evicted}"), &format!("records {evicted}"));
        warnings
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection
    }
}

/// Whether a payload is a `1xx` response and nothing else: the final one comes in a record of its own.
fn is_interim(payload: &[u8]) -> bool {
    Head::parse(payload).is_ok_and(|head| {
        head.len() == payload.trim_ascii_end().len().max(head.len())
            && head.status().is_some_and(|status| (100..200).contains(&status) && status != 101)
    })
}

/// What the two records tell, filled up where they do not.
fn times(request: Option<&Half>, response: Option<&Half>) -> Times {
    let first = request.or(response).map(|half| half.moment.unwrap_or(half.read_at)).unwrap_or_default();
    let last = request.map_or(first, |half| first.plus(half.span));
    let answer = response.map(|half| match (half.moment, half.since_request) {
        (Some(moment), _) => (moment, moment.plus(half.span)),
        (None, Some(span)) => (first.plus(span), first.plus(span)),
        (None, None) => (last, last.plus(half.span)),
    });
    Times {
        request_first: first,
        request_last: last,
        response_first: answer.map(|(first, _)| first),
        response_last: answer.map(|(_, last)| last),
    }
}
