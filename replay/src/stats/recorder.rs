//! One thread's counts, handed over when there are many and each second.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::net::{Exhausted, Failure, Kind};
use crate::script::Metric;
use crate::timetable::Card;
use mynah_traffic::scenario::Move;
use mynah_traffic::shape::Shape;

/// What was seen of answers, by number of their shape.
pub(crate) type Looks = Vec<(usize, Box<Shape>)>;

/// Samples that are handed over at a time: few enough that taking them in does not keep the core from sending for long, where it is the
/// same one.
const BATCH: usize = 512;
/// Mismatch samples that a thread hands over in a second.
const MISMATCHES: usize = 50;
/// Kinds of failure that a thread tells apart in a second; texts can hold what a server says.
const FAILURES: usize = 500;

/// Of an answer that has no status, being another protocol's than HTTP.
pub(crate) const NO_STATUS: u16 = u16::MAX;

/// One request that ended. Times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Since the start of the run.
    pub(crate) end: u64,
    /// Intended start → last byte.
    pub(crate) response: u64,
    /// Actual start → last byte.
    pub(crate) service: u64,
    /// Actual start → first byte of the answer.
    pub(crate) first_byte: u64,
    pub(crate) lag: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) endpoint: u32,
    pub(crate) profile: u32,
    /// 0: no answer came; the times mean nothing, unless it `waited`. [`NO_STATUS`]: one came.
    pub(crate) status: u16,
    /// No answer came, and what was waited for it is the least that it would have taken: to leave these out would forget
    /// just the slowest.
    pub(crate) waited: bool,
    pub(crate) failed: bool,
    pub(crate) mismatch: bool,
    /// A status was recorded, and this answer's is of the same class.
    pub(crate) parity: Option<bool>,
}

/// An answer unlike the recorded one.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    pub(crate) endpoint: u32,
    pub(crate) wanted: String,
    pub(crate) got: String,
}

/// How often one kind of failure was seen, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Seen {
    pub(crate) fn merge(&mut self, other: Seen) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Counts besides the samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) held_back: u64,
    /// Requests for which a correlated value was wanted and none had been handed out.
    pub(crate) without_value: u64,
    /// Connections that could not be made for want of a file descriptor, of a port.
    pub(crate) no_files: u64,
    pub(crate) no_ports: u64,
    /// Arrivals that were not played, as there were too many sessions at once.
    pub(crate) dropped: u64,
    /// Requests of the timetable that were never sent, as all users waited for answers.
    pub(crate) unsent: u64,
    /// Sessions that began with an identity that an earlier session of the run had.
    pub(crate) identities_reused: u64,
    /// JSON bodies that were too large to be looked into.
    pub(crate) too_large: u64,
    /// Answers that came over HTTP/1 and over HTTP/2.
    pub(crate) protocols: [u64; 2],
    /// Answers over other protocols, by their number.
    pub(crate) spoken: Vec<u64>,
    /// By [`Kind::ALL`].
    pub(crate) errors: [u64; Kind::ALL.len()],
    /// Sessions begun and completed, by profile.
    pub(crate) sessions: Vec<(u64, u64)>,
    /// Sessions that were not begun, as they could not be read.
    pub(crate) unread: u64,
    /// By name of the data set: sessions that were not begun, as no row was left for them.
    pub(crate) without_row: BTreeMap<String, u64>,
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Counters) {
        self.held_back += other.held_back;
        self.without_value += other.without_value;
        self.no_files += other.no_files;
        self.no_ports += other.no_ports;
        self.dropped += other.dropped;
        self.unsent += other.unsent;
        self.identities_reused += other.identities_reused;
        self.too_large += other.too_large;
        self.unread += other.unread;
        for (own, more) in self.protocols.iter_mut().zip(other.protocols) {
            *own += more;
        }
        for (own, more) in self.errors.iter_mut().zip(other.errors) {
            *own += more;
        }
        if self.spoken.len() < other.spoken.len() {
            self.spoken.resize(other.spoken.len(), 0);
        }
        for (own, more) in self.spoken.iter_mut().zip(&other.spoken) {
            *own += more;
        }
        if self.sessions.len() < other.sessions.len() {
            self.sessions.resize(other.sessions.len(), (0, 0));
        }
        for (set, more) in &other.without_row {
            *self.without_row.entry(set.clone()).or_default() += more;
        }
        for (own, more) in self.sessions.iter_mut().zip(&other.sessions) {
            own.0 += more.0;
            own.1 += more.1;
        }
    }
}

/// A connection that was made. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial {
    /// Since the start of the run.
    pub(crate) end: u64,
    pub(crate) connect: u64,
    pub(crate) tls: Option<u64>,
}

/// A session that ended.
#[derive(Clone, Debug)]
pub(crate) struct Conducted {
    pub(crate) card: Card,
    /// Steps that ended.
    pub(crate) ended: u32,
    /// Its place in the timetable.
    pub(crate) start: u64,
    /// What it did as recorded, where it is in memory no longer.
    pub(crate) moves: Option<Arc<[Move]>>,
}

/// What a thread tells the collector.
#[derive(Debug)]
pub(crate) enum Report {
    Samples(Vec<Sample>),
    /// All that ended in seconds before this one has been told.
    Tick {
        thread: usize,
        second: u32,
        users: u32,
        rest: Box<Rest>,
    },
    /// The thread has ended. Nanoseconds of CPU time used, spent waiting in a loop, and passed.
    Done {
        thread: usize,
        rest: Box<Rest>,
        cpu: u64,
        spun: u64,
        wall: u64,
    },
}

/// What is handed over each second besides samples.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    pub(crate) failures: HashMap<(u32, String), Seen>,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) counters: Counters,
    pub(crate) played: Vec<Conducted>,
    pub(crate) dials: Vec<Dial>,
    /// With the number of the block.
    pub(crate) looks: Option<(u32, Looks)>,
    /// What a script has counted, by name; handed over at the end.
    pub(crate) metrics: BTreeMap<String, Metric>,
}

/// One thread's counts.
pub(crate) struct Recorder {
    thread: usize,
    out: Sender<Report>,
    samples: Vec<Sample>,
    rest: Rest,
}

impl Recorder {
    pub(crate) fn new(thread: usize, out: Sender<Report>) -> Recorder {
        Recorder { thread, out, samples: Vec::new(), rest: Rest::default() }
    }

    pub(crate) fn counters(&mut self) -> &mut Counters {
        &mut self.rest.counters
    }

    pub(crate) fn sample(&mut self, sample: Sample) {
        if self.samples.capacity() == 0 {
            self.samples.reserve(64);
        }
        self.samples.push(sample);
        if self.samples.len() >= BATCH {
            self.flush();
            // There are more to come.
            self.samples.reserve(BATCH);
        }
    }

    pub(crate) fn session(&mut self, profile: u32) -> &mut (u64, u64) {
        let sessions = &mut self.rest.counters.sessions;
        let at = profile as usize;
        if sessions.len() <= at {
            sessions.resize(at + 1, (0, 0));
        }
        &mut sessions[at]
    }

    /// An answer came over another protocol than HTTP.
    pub(crate) fn spoken(&mut self, protocol: usize) {
        let spoken = &mut self.rest.counters.spoken;
        if spoken.len() <= protocol {
            spoken.resize(protocol + 1, 0);
        }
        spoken[protocol] += 1;
    }

    /// A session was not begun for want of a row.
    pub(crate) fn lacks_row(&mut self, set: &str) {
        let counts = &mut self.rest.counters.without_row;
        match counts.get_mut(set) {
            Some(count) => *count += 1,
            None => {
                counts.insert(set.to_owned(), 1);
            }
        }
    }

    pub(crate) fn played(&mut self, session: Conducted) {
        self.rest.played.push(session);
    }

    /// What was seen in a block that is over.
    pub(crate) fn looked(&mut self, block: u32, looks: Looks) {
        self.rest.looks = Some((block, looks));
    }

    /// What a script has counted.
    pub(crate) fn metrics(&mut self, metrics: BTreeMap<String, Metric>) {
        self.rest.metrics = metrics;
    }

    pub(crate) fn dialled(&mut self, dial: Dial) {
        self.rest.dials.push(dial);
    }

    /// What failed, in words.
    pub(crate) fn failed(&mut self, endpoint: u32, text: String, at: u64) {
        let seen = Seen { count: 1, first: at, last: at };
        let full = self.rest.failures.len() >= FAILURES;
        let key = (endpoint, text);
        let key = if full && !self.rest.failures.contains_key(&key) {
            (endpoint, "other failures".to_owned())
        } else {
            key
        };
        self.rest.failures.entry(key).and_modify(|known| known.merge(seen)).or_insert(seen);
    }

    /// Counts an error of transport.
    pub(crate) fn error(&mut self, failure: &Failure) {
        let at = Kind::ALL.iter().position(|kind| *kind == failure.kind).unwrap_or(0);
        if let Some(count) = self.rest.counters.errors.get_mut(at) {
            *count += 1;
        }
        match failure.exhausted {
            Some(Exhausted::Files) => self.rest.counters.no_files += 1,
            Some(Exhausted::Ports) => self.rest.counters.no_ports += 1,
            None => {}
        }
    }

    pub(crate) fn mismatch(&mut self, mismatch: Mismatch) {
        if self.rest.mismatches.len() < MISMATCHES {
            self.rest.mismatches.push(mismatch);
        }
    }

    // The collector may be gone when the run folder could not be written: nobody is there to be told.

    fn flush(&mut self) {
        if !self.samples.is_empty() {
            let _ = self.out.send(Report::Samples(std::mem::take(&mut self.samples)));
        }
    }

    /// Hands everything over; what comes later ended in `second` or after.
    pub(crate) fn tick(&mut self, second: u32, users: u32) {
        self.flush();
        let rest = Box::new(std::mem::take(&mut self.rest));
        let _ = self.out.send(Report::Tick { thread: self.thread, second, users, rest });
    }

    /// The last word.
    pub(crate) fn done(&mut self, cpu: u64, spun: u64, wall: u64) {
        self.flush();
        let rest = Box::new(std::mem::take(&mut self.rest));
        let _ = self.out.send(Report::Done { thread: self.thread, rest, cpu, spun, wall });
    }
}
