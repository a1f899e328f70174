//! Where the threads' samples come together: totals by endpoint, and histograms by second.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use mynah_traffic::Nanos;
use mynah_traffic::run::{IntervalWriter, Intervals, SecondFigures, Tally, new_histogram, record};
use mynah_traffic::scenario::Conduct;
use mynah_traffic::watch::Watch;

use super::answers::Seen as Answered;
use super::measured::Measuring;
use super::recorder::{Conducted, Counters, Dial, Mismatch, NO_STATUS, Report, Rest, Sample, Seen};
use crate::Error;
use crate::engine::Setup;
use crate::net::Kind;
use crate::script::Metric;

/// Mismatch samples that a run keeps.
const MISMATCHES: usize = 50;
/// Kinds of failures that are told apart: a text that holds what was got has as many as there are answers.
const FAILURES: usize = 500;

/// Sessions of which more than a count is kept.
const KEPT: usize = 1 << 20;

/// Everything that was counted.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) all: Tally,
    /// By endpoint.
    pub(crate) endpoints: Vec<Tally>,
    /// By profile: requests, failures, mismatches and response times.
    pub(crate) profiles: Vec<Tally>,
    pub(crate) counters: Counters,
    pub(crate) failures: HashMap<(u32, String), Seen>,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) seconds: Vec<SecondFigures>,
    /// Microseconds.
    pub(crate) lag: Histogram<u64>,
    pub(crate) answered: Answered,
    pub(crate) late: u64,
    /// Answers of the recorded status class, and answers for which a status was recorded.
    pub(crate) parity: (u64, u64),
    /// First intended start and last answer, nanoseconds since the start.
    pub(crate) span: Option<(u64, u64)>,
    /// What sessions did that are in memory no longer.
    pub(crate) conduct: Conduct,
    /// The others by profile and number: how often each was played to its end.
    pub(crate) played: HashMap<(u32, u32), u64>,
    /// Sessions that were cut off, with the steps that ended.
    pub(crate) cut: Vec<(u32, u32, u32)>,
    /// When sessions began, nanoseconds since the start.
    pub(crate) starts: Vec<u64>,
    /// CPU time, time spent waiting in a loop, and time passed, over all threads; nanoseconds.
    pub(crate) cpu: (u64, u64, u64),
    /// Thresholds that must hold in every stretch.
    pub(crate) watches: Vec<Watch>,
    /// What a script has counted, by name.
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// What is to be said of the run besides.
    pub(crate) notes: Vec<String>,
    /// The one that ended the run, in words.
    pub(crate) aborted: Option<String>,
    /// The run took longer than it may, and was ended.
    pub(crate) overran: Option<Duration>,
    /// Where only a part of the run is counted.
    pub(crate) measuring: Option<Measuring>,
}

/// One second that is not over on all threads.
#[derive(Default)]
struct Second {
    /// By endpoint: response and service times, times to the first byte.
    endpoints: BTreeMap<u32, [Histogram<u64>; 3]>,
    /// By profile: response times.
    profiles: BTreeMap<u32, Histogram<u64>>,
    /// Connections that were made: how long they took, and their handshakes.
    dials: Option<Box<Tally>>,
    response: Option<Histogram<u64>>,
    requests: u64,
    failures: u64,
    /// By watch: what it counts.
    watched: Vec<Tally>,
}

/// Folds reports.
pub(crate) struct Collector {
    pub(crate) totals: Totals,
    setup: Arc<Setup>,
    writer: IntervalWriter,
    open: BTreeMap<u32, Second>,
    /// The first second that is not written.
    next: u32,
    /// By thread: how far it has told, and its users.
    threads: Vec<(u32, u32)>,
    spare: Vec<Histogram<u64>>,
    /// For how long sessions begin.
    planned: Nanos,
}

impl Totals {
    /// Takes in what a script has counted.
    pub(crate) fn counted(&mut self, metrics: BTreeMap<String, Metric>) {
        for (name, metric) in metrics {
            match self.metrics.get_mut(&name) {
                // One name is of one kind on all threads, or of the kind that it was first.
                Some(own) => own.absorb(&metric),
                None => {
                    self.metrics.insert(name, metric);
                }
            }
        }
    }

    /// A script has failed at the end of the run.
    pub(crate) fn wrong(&mut self, why: Option<String>) {
        let Some(why) = why else { return };
        if let Some(at) = Kind::ALL.iter().position(|kind| *kind == Kind::Script) {
            self.counters.errors[at] += 1;
        }
        self.notes.push(format!("teardown failed: {why}"));
    }
}

impl Collector {
    /// `setup`: says how long each session is. `planned`: for how long sessions begin. `measuring`: what of it is counted.
    pub(crate) fn new(
        setup: Arc<Setup>,
        threads: usize,
        writer: IntervalWriter,
        watches: Vec<Watch>,
        planned: Nanos,
        measuring: Option<Measuring>,
    ) -> Collector {
        let (endpoints, profiles) = (setup.plan.endpoints.all().len(), setup.plan.profiles.len());
        Collector {
            totals: Totals {
                all: Tally::default(),
                endpoints: vec![Tally::default(); endpoints],
                profiles: vec![Tally::default(); profiles],
                counters: Counters::default(),
                failures: HashMap::new(),
                mismatches: Vec::new(),
                seconds: Vec::new(),
                lag: new_histogram(),
                answered: Answered::default(),
                late: 0,
                parity: (0, 0),
                span: None,
                conduct: Conduct::default(),
                played: HashMap::new(),
                cut: Vec::new(),
                starts: Vec::new(),
                cpu: (0, 0, 0),
                watches,
                metrics: BTreeMap::new(),
                notes: Vec::new(),
                aborted: None,
                overran: None,
                measuring,
            },
            setup,
            writer,
            open: BTreeMap::new(),
            next: 0,
            threads: vec![(0, 0); threads],
            spare: Vec::new(),
            planned,
        }
    }

    /// Virtual users at the moment.
    pub(crate) fn users(&self) -> u32 {
        self.threads.iter().map(|(_, users)| users).sum()
    }

    /// Takes a report in; whether a second was completed by it.
    pub(crate) fn take(&mut self, report: Report) -> Result<bool, Error> {
        match report {
            Report::Samples(samples) => {
                for sample in &samples {
                    self.sample(sample);
                }
                return Ok(false);
            }
            Report::Tick { thread, second, users, rest } => {
                self.rest(*rest);
                self.told(thread, second, users);
            }
            Report::Done { thread, rest, cpu, spun, wall } => {
                self.rest(*rest);
                self.told(thread, u32::MAX, 0);
                let total = &mut self.totals.cpu;
                *total = (total.0 + cpu, total.1 + spun, total.2 + wall);
            }
        }
        let all = self.threads.iter().map(|(second, _)| *second).min().unwrap_or(u32::MAX);
        let last = self.open.keys().next_back().map_or(0, |last| last + 1);
        let until = if all == u32::MAX { last } else { all };
        let progress = self.next < until;
        while self.next < until {
            self.complete()?;
        }
        Ok(progress)
    }

    fn told(&mut self, thread: usize, second: u32, users: u32) {
        if let Some(state) = self.threads.get_mut(thread) {
            *state = (second, users);
        }
    }

    fn rest(&mut self, rest: Rest) {
        self.totals.counters.add(&rest.counters);
        for (mut key, seen) in rest.failures {
            if self.totals.failures.len() >= FAILURES && !self.totals.failures.contains_key(&key) {
                "other failures".clone_into(&mut key.1);
            }
            self.totals.failures.entry(key).and_modify(|known| known.merge(seen)).or_insert(seen);
        }
        self.totals.counted(rest.metrics);
        if let Some((block, looks)) = rest.looks {
            self.totals.answered.looked(block, looks);
        }
        for dial in &rest.dials {
            self.dialled(dial);
        }
        for session in rest.played {
            self.conducted(&session);
        }
        let room = MISMATCHES.saturating_sub(self.totals.mismatches.len());
        self.totals.mismatches.extend(rest.mismatches.into_iter().take(room));
    }

    fn conducted(&mut self, session: &Conducted) {
        let (profile, number) = (session.card.profile, session.card.session);
        let whole = session.ended as usize >= self.setup.length(session.card);
        let totals = &mut self.totals;
        if let Some(moves) = &session.moves {
            totals.conduct.session(1.0, whole, moves.iter().take(session.ended as usize).copied());
        } else if whole {
            *totals.played.entry((profile, number)).or_default() += 1;
        } else if totals.cut.len() < KEPT {
            totals.cut.push((profile, number, session.ended));
        }
        if totals.starts.len() < KEPT {
            totals.starts.push(session.start);
        }
    }

    fn dialled(&mut self, dial: &Dial) {
        let second = ((dial.end / Nanos::PER_SECOND) as u32).max(self.next);
        let open = self.open.entry(second).or_default();
        let (connect, tls) = (Nanos(dial.connect), dial.tls.map(Nanos));
        self.totals.all.dialled(connect, tls);
        open.dials.get_or_insert_default().dialled(connect, tls);
        let watches = &self.totals.watches;
        if watches.iter().any(Watch::counts_dials) {
            open.watched.resize_with(watches.len(), Tally::default);
            for (_, tally) in watches.iter().zip(&mut open.watched).filter(|(watch, _)| watch.counts_dials())
            {
                tally.dialled(connect, tls);
            }
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let totals = &mut self.totals;
        if let Some(measuring) = &mut totals.measuring
            && !measuring.takes(sample)
        {
            return;
        }
        let second = ((sample.end / Nanos::PER_SECOND) as u32).max(self.next);
        let open = self.open.entry(second).or_default();
        open.requests += 1;
        open.failures += u64::from(sample.failed);
        let begun = sample.end.saturating_sub(sample.response);
        totals.span = Some(match totals.span {
            Some((first, last)) => (first.min(begun), last.max(sample.end)),
            None => (begun, sample.end),
        });
        if let Some(same) = sample.parity {
            totals.parity.0 += u64::from(same);
            totals.parity.1 += 1;
        }
        if !totals.watches.is_empty() {
            watch(&totals.watches, &mut open.watched, sample);
        }
        let at = sample.endpoint as usize;
        if at >= totals.endpoints.len() {
            // A mirror finds its endpoints as it goes, and sees to it that there are not too many.
            totals.endpoints.resize_with(at + 1, Tally::default);
        }
        let Some(own) = totals.endpoints.get_mut(at) else { return };
        if let Some(profile) = totals.profiles.get_mut(sample.profile as usize) {
            profile.requests += 1;
            profile.failures += u64::from(sample.failed);
            profile.mismatches += u64::from(sample.mismatch);
        }
        for tally in [&mut *own, &mut totals.all] {
            tally.requests += 1;
            tally.failures += u64::from(sample.failed);
            tally.mismatches += u64::from(sample.mismatch);
            tally.bytes_in += sample.bytes_in;
            tally.bytes_out += sample.bytes_out;
        }
        if sample.status == 0 && !sample.waited {
            return;
        }
        let (response, service, first) =
            (Nanos(sample.response), Nanos(sample.service), Nanos(sample.first_byte));
        let answered = sample.status != 0;
        if answered {
            if sample.status != NO_STATUS {
                *own.status.entry(sample.status).or_default() += 1;
                *totals.all.status.entry(sample.status).or_default() += 1;
            }
            record(&mut totals.lag, Nanos(sample.lag));
            totals.late += u64::from(sample.lag > self.setup.late_after.0);
        }
        let spare = &mut self.spare;
        let mut fresh = || spare.pop().unwrap_or_else(new_histogram);
        let of = open.endpoints.entry(sample.endpoint).or_insert_with(|| [fresh(), fresh(), fresh()]);
        record(&mut of[0], response);
        record(&mut of[1], service);
        if answered {
            record(&mut of[2], first);
        }
        record(open.profiles.entry(sample.profile).or_insert_with(&mut fresh), response);
        record(open.response.get_or_insert_with(&mut fresh), response);
    }

    /// The run has taken as long as it may, and is ended.
    pub(crate) fn overran(&mut self, most: Duration) {
        self.totals.overran = Some(most);
    }

    /// Whether a threshold has ended the run.
    pub(crate) fn is_aborted(&self) -> bool {
        self.totals.aborted.is_some()
    }

    /// Writes the next second.
    fn complete(&mut self) -> Result<(), Error> {
        let second = self.open.remove(&self.next).unwrap_or_default();
        let quantile = |q: f64| {
            second.response.as_ref().map_or(0.0, |histogram| histogram.value_at_quantile(q) as f64 / 1e3)
        };
        self.totals.seconds.push(SecondFigures {
            t: self.next,
            requests: second.requests,
            failures: second.failures,
            users: self.threads.iter().map(|(_, users)| users).sum(),
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        });
        let mut intervals = Intervals::new();
        // An endpoint's and a profile's own histograms are added to here and not at each request, and those of all at the end: there
        // are many of them, and each is more than fits a cache. They grow as they must: adding cannot fail.
        for (endpoint, [response, service, first]) in second.endpoints {
            if let Some(own) = self.totals.endpoints.get_mut(endpoint as usize) {
                let _ = own.response.add(&response);
                let _ = own.service.add(&service);
                let _ = own.first_byte.add(&first);
            }
            intervals.insert(format!("e{endpoint}.response"), response);
            intervals.insert(format!("e{endpoint}.service"), service);
            intervals.insert(format!("e{endpoint}.first_byte"), first);
        }
        for (profile, response) in second.profiles {
            if let Some(own) = self.totals.profiles.get_mut(profile as usize) {
                let _ = own.response.add(&response);
            }
            intervals.insert(format!("p{profile}.time"), response);
        }
        if let Some(dials) = second.dials {
            intervals.extend(dials.connect.map(|times| ("connect".to_owned(), *times)));
            intervals.extend(dials.tls.map(|times| ("tls".to_owned(), *times)));
        }
        self.writer.write(self.next, &intervals)?;
        let planned = u64::from(self.next + 1) * Nanos::PER_SECOND <= self.planned.0;
        let mut watched = second.watched.into_iter();
        // Seconds that are not counted have no figures that could be right or wrong.
        let counted =
            self.totals.measuring.as_ref().is_none_or(|m| u64::from(self.next) * Nanos::PER_SECOND >= m.from);
        for watch in self.totals.watches.iter_mut().filter(|_| counted) {
            let ended = watch.second(self.next, watched.next().unwrap_or_default(), planned);
            self.totals.aborted = self.totals.aborted.take().or(ended);
        }
        self.next += 1;
        let block_s = self.setup.block_s();
        if self.next.is_multiple_of(block_s) {
            self.totals.answered.statuses(self.next / block_s - 1, &self.totals.endpoints);
        }
        // A histogram is some ten kilobytes: those of this second serve in the next.
        let used = intervals.into_values().chain(second.response).map(|mut histogram| {
            histogram.reset();
            histogram
        });
        self.spare.extend(used.take(256));
        self.spare.truncate(256);
        Ok(())
    }

    /// Ends the interval log and hands over what was counted.
    pub(crate) fn finish(mut self) -> Result<Totals, Error> {
        while self.open.keys().next_back().is_some_and(|last| *last >= self.next) {
            self.complete()?;
        }
        let totals = &mut self.totals;
        totals.answered.statuses(self.next / self.setup.block_s(), &totals.endpoints);
        for own in &totals.endpoints {
            let _ = totals.all.response.add(&own.response);
            let _ = totals.all.service.add(&own.service);
            let _ = totals.all.first_byte.add(&own.first_byte);
        }
        self.writer.finish()?;
        Ok(self.totals)
    }
}

/// Counts a sample for those that watch its endpoint.
fn watch(watches: &[Watch], tallies: &mut Vec<Tally>, sample: &Sample) {
    tallies.resize_with(watches.len(), Tally::default);
    for (watch, tally) in watches.iter().zip(tallies) {
        if !watch.counts(sample.endpoint, sample.profile) {
            continue;
        }
        tally.requests += 1;
        tally.failures += u64::from(sample.failed);
        tally.mismatches += u64::from(sample.mismatch);
        if sample.status != 0 || sample.waited {
            record(&mut tally.response, Nanos(sample.response));
            record(&mut tally.service, Nanos(sample.service));
        }
        if sample.status != 0 {
            record(&mut tally.first_byte, Nanos(sample.first_byte));
        }
    }
}
