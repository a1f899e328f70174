//! Captured exchanges through the middleware: masked ones in, masked ones out, in the order in which they came.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use mynah_message::{Head, Message};
use mynah_traffic::gor::{BadLine, Id, Kind, Record, records};
use mynah_traffic::{Exchange, Flag, Flags, Masked, Side};

use super::child::{Answer, Child, Sent};
use crate::exit::Failure;
use crate::terminal::plural;

/// What may wait for answers, in bytes and in exchanges.
const MAX_HELD: usize = 64 << 20;
const MAX_WAITING: usize = 1 << 16;
/// A message that has not come back so long after a later one did is not going to.
const PATIENCE: Duration = Duration::from_secs(5);
/// A child that says nothing at all for so long, with messages before it, does not work.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a wait for an answer may last before it is looked whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// One message of an exchange, on its way.
enum Part {
    /// The exchange has none.
    Absent,
    /// Sent, as this payload.
    Away(Vec<u8>),
    Unchanged,
    Changed(Vec<u8>),
}

impl Part {
    fn is_away(&self) -> bool {
        matches!(self, Part::Away(_))
    }
}

/// An exchange on its way.
struct Waiting {
    exchange: Masked<Exchange>,
    id: Id,
    request: Part,
    response: Part,
    bytes: usize,
}

/// What became of the exchanges.
#[derive(Default)]
struct Tally {
    sent: u64,
    dropped: u64,
    changed: u64,
    /// Responses that did not come back while their request did.
    responses_dropped: u64,
    /// Messages that came back as something that is no HTTP.
    unreadable: u64,
    /// Messages that nobody waited for.
    strays: u64,
    answers: u64,
    bad_lines: u64,
    first_bad: Option<BadLine>,
}

/// Sends exchanges through a middleware.
pub(crate) struct Rewriter {
    child: Child,
    waiting: VecDeque<Waiting>,
    /// Number of the first that waits. Exchange `n` is messages `2n` and `2n + 1`.
    first: u64,
    held: usize,
    /// When it was known that messages up to which number had been answered.
    reached: VecDeque<(Instant, u64)>,
    latest: u64,
    /// When the child last said something, or had nothing to say.
    heard: Instant,
    ready: VecDeque<Masked<Exchange>>,
    tally: Tally,
}

impl Rewriter {
    /// Starts the command.
    pub(crate) fn start(command: &str) -> Result<Rewriter, Failure> {
        Ok(Rewriter {
            child: Child::start(command)?,
            waiting: VecDeque::new(),
            first: 0,
            held: 0,
            reached: VecDeque::new(),
            latest: 0,
            heard: Instant::now(),
            ready: VecDeque::new(),
            tally: Tally::default(),
        })
    }

    /// Sends an exchange. Waits while too much is on its way.
    pub(crate) fn push(&mut self, exchange: Masked<Exchange>) -> Result<(), Failure> {
        let number = self.first + self.waiting.len() as u64;
        let id = Id::of(&exchange.get().connection, number as u32);
        let records = records(exchange.get(), &id.to_string());
        let size: usize = records.iter().map(|record| record.payload.len()).sum();
        // the payload is kept to compare, beside the messages themselves
        let bytes = 2 * size + size_of::<Waiting>();
        self.poll()?;
        while !self.waiting.is_empty() && (self.held + bytes > MAX_HELD || self.waiting.len() >= MAX_WAITING)
        {
            self.wait()?;
        }
        if self.waiting.is_empty() {
            self.heard = Instant::now();
        }
        self.tally.sent += 1;
        self.held += bytes;
        let lines: Vec<Vec<u8>> = records.iter().map(Record::to_line).collect();
        let (mut request, mut response) = (Part::Absent, Part::Absent);
        for record in records {
            match record.kind {
                Kind::Request => request = Part::Away(record.payload),
                Kind::Response | Kind::Replayed => response = Part::Away(record.payload),
            }
        }
        self.waiting.push_back(Waiting { exchange, id, request, response, bytes });
        for line in lines {
            self.send(line)?;
        }
        Ok(())
    }

    fn send(&mut self, mut line: Vec<u8>) -> Result<(), Failure> {
        loop {
            line = match self.child.send(line) {
                Sent::Queued => return Ok(()),
                Sent::Full(line) => line,
                Sent::Closed => return Err(self.child.gone()),
            };
            self.wait()?;
        }
    }

    /// Exchanges that have not come back.
    pub(crate) fn away(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// The next exchange that is through.
    pub(crate) fn ready(&mut self) -> Option<Masked<Exchange>> {
        self.ready.pop_front()
    }

    /// Takes what has come back. Does not wait.
    pub(crate) fn poll(&mut self) -> Result<(), Failure> {
        loop {
            match self.child.answer() {
                Ok(answer) => self.take(answer),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    // what came back before it went is whole
                    self.settle();
                    return Err(self.child.gone());
                }
            }
        }
        self.settle();
        Ok(())
    }

    /// Waits a moment for an answer.
    fn wait(&mut self) -> Result<(), Failure> {
        match self.child.answer_within(LOOK) {
            Ok(answer) => self.take(answer),
            Err(RecvTimeoutError::Timeout) if self.heard.elapsed() >= SILENCE => return Err(self.silent()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(self.child.gone()),
        }
        self.settle();
        Ok(())
    }

    fn silent(&self) -> Failure {
        self.child.failure(&format!(
            "has given nothing back for {} s, with {} before it; it must read lines from its standard input, write each that \
             is to stay to its standard output, and flush",
            SILENCE.as_secs(),
            plural(self.waiting.len() as u64, "exchange"),
        ))
    }

    /// Ends the child's input, waits for what is still to come back, and counts the rest as dropped. In the end: what
    /// is to be said of all that.
    pub(crate) fn end(&mut self) -> Result<Vec<String>, Failure> {
        self.child.close();
        self.heard = Instant::now();
        let silent = loop {
            match self.child.answer_within(LOOK) {
                Ok(answer) => self.take(answer),
                Err(RecvTimeoutError::Timeout) if self.heard.elapsed() >= SILENCE => break true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        };
        self.settle();
        if self.tally.sent > 0 && self.tally.answers == 0 {
            return Err(self.nothing(silent));
        }
        if !silent
            && let Some(status) = self.child.ended()
            && !status.success()
        {
            return Err(self.child.failure(&format!("failed ({status})")));
        }
        while let Some(waiting) = self.next() {
            self.finish(waiting);
        }
        let mut warnings = self.warnings();
        if silent {
            warnings.push("middleware: it went on after its input had ended, and was stopped".to_owned());
        }
        Ok(warnings)
    }

    /// The failure of one that gave no message back: a recording of nothing is not what anybody wants.
    fn nothing(&mut self, silent: bool) -> Failure {
        if let Some(bad) = &self.tally.first_bad {
            return self.child.failure(&format!(
                "gave no message back, but {} that cannot be read, the first: {bad}; its standard output is for messages only, \
                 one a line, as hexadecimal text",
                plural(self.tally.bad_lines, "line"),
            ));
        }
        if silent {
            return self.silent();
        }
        let status = self.child.ended().map(|status| format!(" ({status})")).unwrap_or_default();
        self.child
            .failure(&format!("ended{status} and gave back none of {}", plural(self.tally.sent, "exchange")))
    }

    fn take(&mut self, answer: Answer) {
        self.heard = Instant::now();
        let record = match answer {
            Ok(record) => record,
            Err(bad) => {
                self.tally.bad_lines += 1;
                self.tally.first_bad.get_or_insert(bad);
                return;
            }
        };
        self.tally.answers += 1;
        let id = Id::parse(&record.id);
        let at = id.map(|id| id.number.wrapping_sub(self.first as u32) as usize);
        let found = at.zip(id).and_then(|(at, id)| {
            let waiting = self.waiting.get_mut(at).filter(|waiting| waiting.id == id)?;
            let (part, side) = match record.kind {
                Kind::Request => (&mut waiting.request, 0),
                Kind::Response => (&mut waiting.response, 1),
                Kind::Replayed => return None,
            };
            let Part::Away(payload) = part else { return None };
            *part = if *payload == record.payload { Part::Unchanged } else { Part::Changed(record.payload) };
            Some(2 * (self.first + at as u64) + side)
        });
        let Some(message) = found else {
            self.tally.strays += 1;
            return;
        };
        if message > self.latest {
            self.latest = message;
            if self.reached.back().is_none_or(|(when, _)| when.elapsed() >= LOOK) {
                self.reached.push_back((Instant::now(), message));
            }
        }
    }

    /// Lets through what is complete, or will not be any more, up to the first that has to wait.
    fn settle(&mut self) {
        while self.reached.get(1).is_some_and(|(when, _)| when.elapsed() >= PATIENCE) {
            self.reached.pop_front();
        }
        // what comes before this message is given up
        let limit = match self.reached.front() {
            Some((when, message)) if when.elapsed() >= PATIENCE => *message,
            _ => 0,
        };
        while let Some(front) = self.waiting.front() {
            let open = |part: &Part, message: u64| part.is_away() && message >= limit;
            if open(&front.request, 2 * self.first) || open(&front.response, 2 * self.first + 1) {
                break;
            }
            if let Some(waiting) = self.next() {
                self.finish(waiting);
            }
        }
    }

    fn next(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.first += 1;
        self.held = self.held.saturating_sub(waiting.bytes);
        Some(waiting)
    }

    /// Puts into an exchange what came back of it.
    fn finish(&mut self, waiting: Waiting) {
        let Waiting { exchange, request, response, .. } = waiting;
        let whole = exchange.get();
        let mut unreadable = 0;
        let mut read = |payload: &[u8], side, method: Option<&str>| {
            let read = read(payload, side, method, whole.flags);
            unreadable += u64::from(read.is_none());
            read
        };
        let (request, request_stays) = match request {
            Part::Changed(payload) => {
                let read = read(&payload, Side::Request, None);
                let stays = read.is_some();
                (read, stays)
            }
            Part::Away(_) => (None, false),
            Part::Unchanged | Part::Absent => (None, true),
        };
        let asked = match &request {
            Some((message, _)) => Head::parse(&message.head).ok(),
            None => whole.request_head(),
        };
        let method = asked.as_ref().and_then(Head::method);
        let (response, response_stays) = match response {
            Part::Changed(payload) if request_stays => {
                let read = read(&payload, Side::Response, method);
                let stays = read.is_some();
                (read, stays)
            }
            Part::Changed(_) | Part::Away(_) => (None, false),
            Part::Unchanged | Part::Absent => (None, true),
        };
        self.tally.unreadable += unreadable;
        if !request_stays || (whole.request.is_none() && !response_stays) {
            self.tally.dropped += 1;
            return;
        }
        self.tally.responses_dropped += u64::from(!response_stays);
        if request.is_none() && response.is_none() && response_stays {
            self.ready.push_back(exchange);
            return;
        }
        self.tally.changed += 1;
        #[expect(clippy::disallowed_methods, reason = "the middleware saw what is masked, and nothing else")]
        let exchange = exchange.rewrite(|exchange| {
            if let Some((message, flags)) = request {
                replace(exchange, Side::Request, message, flags);
            }
            if let Some((message, flags)) = response {
                replace(exchange, Side::Response, message, flags);
            }
            if !response_stays {
                exchange.response = None;
                (exchange.times.response_first, exchange.times.response_last) = (None, None);
                exchange.flags.set(Flag::NoResponse);
                exchange.sensitive.retain(|span| span.side == Side::Request);
            }
        });
        self.ready.push_back(exchange);
    }

    fn warnings(&self) -> Vec<String> {
        let Tally { sent, dropped, changed, responses_dropped, unreadable, strays, bad_lines, .. } =
            self.tally;
        let mut warnings =
            vec![format!("middleware: {dropped} of {} dropped, {changed} changed", plural(sent, "exchange"))];
        let mut say = |count: u64, what: String| {
            if count > 0 {
                warnings.push(format!("middleware: {what}"));
            }
        };
        say(
            responses_dropped,
            format!("{} dropped whose request stayed", plural(responses_dropped, "response")),
        );
        say(
            unreadable,
            format!("{} came back as no HTTP/1 and counted as dropped", plural(unreadable, "message")),
        );
        say(
            strays,
            format!(
                "{} came back that nobody waited for (late, twice, or its own)",
                plural(strays, "message")
            ),
        );
        if let Some(bad) = &self.tally.first_bad {
            say(
                bad_lines,
                format!("{} of its output cannot be read, the first: {bad}", plural(bad_lines, "line")),
            );
        }
        warnings
    }
}

/// The message in a payload, and what is wrong with it that was not with the exchange before.
fn read(payload: &[u8], side: Side, method: Option<&str>, before: Flags) -> Option<(Message, Flags)> {
    if before.has(Flag::NotHttp1)
        && let Ok(head) = Head::parse(payload)
        && head.content_length().is_none()
        && !head.is_chunked()
    {
        // of HTTP/2 nothing tells the length in the head
        let (head, body) = payload.split_at_checked(head.len())?;
        let (head, body) = (head.to_vec().into(), body.to_vec().into());
        return Some((Message { head, body, ..Message::default() }, Flags::default()));
    }
    let (message, flags) = mynah_capture::message(payload, side, method)?;
    let partial = [Flag::BodyWithheld, Flag::BodyCut, Flag::Gap].iter().any(|&flag| before.has(flag));
    let told = |flag: &Flag| !(partial && *flag == Flag::Truncated);
    Some((message, flags.iter().filter(told).collect()))
}

/// Puts another message in the place of one. Of what was sensitive in it, that stays known which still stands there.
fn replace(exchange: &mut Exchange, side: Side, new: Message, flags: Flags) {
    flags.iter().for_each(|flag| exchange.flags.set(flag));
    let place = if side == Side::Request { &mut exchange.request } else { &mut exchange.response };
    let old = place.replace(new).unwrap_or_default();
    let Some(new) = place else { return };
    let same_body = old.body == new.body && encodings(&old.head) == encodings(&new.head);
    let common = |a: &mut dyn Iterator<Item = (&u8, &u8)>| a.take_while(|(a, b)| a == b).count();
    let before = common(&mut old.head.iter().zip(new.head.iter()));
    let shorter = old.head.len().min(new.head.len());
    let behind = common(&mut old.head.iter().rev().zip(new.head.iter().rev())).min(shorter - before);
    let (old_len, new_len) = (old.head.len(), new.head.len());
    exchange.sensitive.retain_mut(|span| {
        if span.side != side {
            return true;
        }
        if span.in_body {
            return same_body;
        }
        let (start, end) = (span.start as usize, span.start as usize + span.len as usize);
        if end <= before {
            return true;
        }
        span.start = (start + new_len).saturating_sub(old_len) as u32;
        start >= old_len - behind
    });
}

fn encodings(head: &[u8]) -> Vec<u8> {
    let Ok(head) = Head::parse(head) else { return Vec::new() };
    head.fields()
        .filter(|field| field.is("content-encoding"))
        .flat_map(|field| field.unfolded().into_owned())
        .collect()
}
