//! Ties what requests sent to what responses had handed out, and keeps what holds across sessions.
//!
//! For each place in requests, the places in responses that had handed the values out compete: those are taken, greedily,
//! that explain most of what is not explained yet. The choice is then tried by the rule that replay follows (the
//! latest response of any of the places counts), and accepted when it holds in nine sessions of ten.

use std::collections::BTreeMap;

use mynah_message::Locator;
use mynah_traffic::{Correlation, Site as Place};

use super::name;
use super::sample::{Event, Sample};
use crate::endpoints::Table;
use crate::explain::Rejected;
use crate::hash::{Map, Set};

/// Share of the sessions in which a correlation must hold.
const HOLDS: f64 = 0.9;
/// Share of a place's values that must look machine-made.
const STRONG: f64 = 0.8;
/// Places that one correlation may take its values from.
const MOST_SITES: usize = 16;
/// What one session sends, another session's responses would have had as well: above this share of what its own had, nothing was
/// carried. An enumeration (a menu of categories, a list of sizes), or small numbers that are everywhere.
const ELSEWHERE: f64 = 0.7;
/// Share of a place's values that must be opaque for them to be beyond accident.
const BEYOND: f64 = 0.5;
/// Candidates that are told of as rejected.
const MOST_REJECTED: usize = 100;
/// More candidates than this are not tried pairwise for joining.
const MOST_JOINED: usize = 200;

/// One value sent, and where it had been seen.
struct Occurrence {
    session: u32,
    value: u64,
    strong: bool,
    random: bool,
    opaque: bool,
    from_client: bool,
    /// Sites that had handed it out; whether it was among their latest values.
    sites: Vec<(u32, bool)>,
    /// The site that handed it out last.
    newest: Option<u32>,
}

/// How well a choice of sites explains a consumer.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Fit {
    /// Values that a response had handed out before the client ever sent them.
    all: u32,
    /// Of these, found in what replay would hold at that moment.
    latest: u32,
    /// Of these, handed out by one of the sites at any time before.
    ever: u32,
    sessions: u32,
    /// Sessions in which nine values of ten were handed out by the sites.
    held: u32,
}

struct Candidate {
    sites: Vec<u32>,
    consumers: Vec<u32>,
    format: Option<String>,
    name: String,
}

struct Chooser<'t> {
    sample: Sample,
    table: &'t Table,
    occurrences: Vec<Vec<Occurrence>>,
    rejected: Vec<Rejected>,
}

/// What was chosen.
pub(super) struct Choice {
    pub(super) correlations: Vec<Correlation>,
    pub(super) rejected: Vec<Rejected>,
    /// Candidates that were rejected as well.
    pub(super) untold: usize,
}

pub(super) fn choose(sample: Sample, table: &Table, claimed: &Set<u32>) -> Choice {
    let occurrences = occurrences(&sample);
    let mut chooser = Chooser { sample, table, occurrences, rejected: Vec::new() };
    let mut candidates: Vec<Candidate> = (0..chooser.sample.consumers.len() as u32)
        .filter(|consumer| !claimed.contains(consumer))
        .filter_map(|consumer| chooser.candidate(consumer))
        .collect();
    chooser.join(&mut candidates);
    candidates.sort_by_key(|candidate| chooser.order(candidate));
    let mut taken: Set<String> = Set::default();
    let found = candidates.into_iter().map(|candidate| chooser.correlation(candidate, &mut taken)).collect();
    let mut rejected = chooser.rejected;
    // Of too many those that came nearest to being one are told.
    let untold = rejected.len().saturating_sub(MOST_REJECTED);
    rejected.sort_by(|a, b| {
        let rank = |one: &Rejected| (std::cmp::Reverse(one.values), one.to.clone(), one.reason.clone());
        rank(a).cmp(&rank(b))
    });
    rejected.truncate(MOST_REJECTED);
    rejected.sort_by(|a, b| (&a.to, &a.reason).cmp(&(&b.to, &b.reason)));
    Choice { correlations: found, rejected, untold }
}

/// Plays each session through and notes, for each value sent, which sites had handed it out.
fn occurrences(sample: &Sample) -> Vec<Vec<Occurrence>> {
    let mut all: Vec<Vec<Occurrence>> = sample.consumers.iter().map(|_| Vec::new()).collect();
    for (number, session) in sample.sessions.iter().enumerate() {
        let sent: Set<u64> = session
            .events
            .iter()
            .flat_map(|(_, event)| match event {
                Event::Sent { uses, .. } => uses.as_slice(),
                Event::Handed { .. } => &[],
            })
            .map(|one| one.value)
            .collect();
        // Value → sites with the number of the event in which each last handed it out.
        let mut handed: Map<u64, BTreeMap<u32, usize>> = Map::default();
        let mut latest: Map<u32, usize> = Map::default();
        for (event_number, (_, event)) in session.events.iter().enumerate() {
            match event {
                Event::Handed { values, .. } => {
                    for &(site, value) in values {
                        latest.insert(site, event_number);
                        if sent.contains(&value) {
                            handed.entry(value).or_default().insert(site, event_number);
                        }
                    }
                }
                Event::Sent { uses, .. } => {
                    for one in uses {
                        let known = handed.get(&one.value);
                        let sites = known.map_or_else(Vec::new, |sites| {
                            sites.iter().map(|(&site, at)| (site, latest.get(&site) == Some(at))).collect()
                        });
                        let newest = known
                            .and_then(|sites| {
                                sites.iter().max_by_key(|(site, at)| (**at, std::cmp::Reverse(**site)))
                            })
                            .map(|(site, _)| *site);
                        all[one.consumer as usize].push(Occurrence {
                            session: number as u32,
                            value: one.value,
                            strong: one.strong,
                            random: one.random,
                            opaque: one.opaque,
                            from_client: one.from_client,
                            sites,
                            newest,
                        });
                    }
                }
            }
        }
    }
    all
}

impl Chooser<'_> {
    /// The sites that explain a consumer, if any do well enough.
    fn candidate(&mut self, consumer: u32) -> Option<Candidate> {
        let occurrences = self.occurrences.get(consumer as usize)?;
        // What no response ever handed out is the client's own affair, and not worth a word.
        if occurrences.iter().all(|one| one.sites.is_empty()) {
            return None;
        }
        let total = occurrences.len() as f64;
        let share =
            |test: fn(&Occurrence) -> bool| occurrences.iter().filter(|one| test(one)).count() as f64 / total;
        let sites = self.explain(consumer);
        if share(|one| one.strong) < STRONG {
            return self.reject(
                consumer,
                &sites,
                "its values look like words, dates or small numbers, which people choose".to_owned(),
            );
        }
        if share(|one| one.from_client) > 0.8 {
            let own = share(|one| one.from_client) * 100.0;
            let reason = format!(
                "typed, not handed out: {own:.0} % of its values were sent before any response had them"
            );
            return self.reject(consumer, &sites, reason);
        }
        let values: Set<u64> = occurrences.iter().map(|one| one.value).collect();
        if self.sample.alone {
            if !occurrences.iter().all(|one| one.random || one.from_client) {
                return self.reject(
                    consumer,
                    &sites,
                    "seen in one session only, and its values may be accidents".to_owned(),
                );
            }
        } else if values.len() < 2 {
            return self.reject(
                consumer,
                &sites,
                "constant: it is the same value in every session".to_owned(),
            );
        }
        if sites.is_empty() {
            return self.reject(consumer, &sites, "no place in responses explains its values".to_owned());
        }
        let fit = self.fit(&sites, consumer);
        let support = fit.held >= 2 || self.sample.alone && fit.held == 1;
        if !support {
            return self.reject(
                consumer,
                &sites,
                format!(
                    "held in {} of {} sessions, which is too few to tell from accident",
                    fit.held, fit.sessions
                ),
            );
        }
        let holds = f64::from(fit.held) >= HOLDS * f64::from(fit.sessions);
        if !holds {
            let reason =
                format!("held in {} of {} sessions only, less than nine in ten", fit.held, fit.sessions);
            return self.reject(consumer, &sites, reason);
        }
        if fit.latest * 2 < fit.all {
            let reason = format!(
                "ambiguous: only {} of {} values were among those handed out last, which is what replay would take",
                fit.latest, fit.all
            );
            return self.reject(consumer, &sites, reason);
        }
        if let Some(reason) = self.accident(&sites, consumer) {
            return self.reject(consumer, &sites, reason);
        }
        let place = &self.sample.consumers[consumer as usize];
        let name = name::of(place, &self.places(&sites), self.table);
        Some(Candidate { sites, consumers: vec![consumer], format: place.format.clone(), name })
    }

    /// Why what was sent need not have come from the sites, although it was there: other sessions' responses, which cannot have
    /// been where it came from, have it hardly less often. Asked only of
    /// values that are not opaque.
    fn accident(&self, sites: &[u32], consumer: u32) -> Option<String> {
        let all = &self.occurrences[consumer as usize];
        let opaque = all.iter().filter(|one| one.opaque).count() as f64;
        if self.sample.alone || opaque >= BEYOND * all.len() as f64 {
            return None;
        }
        let mut handed: Vec<(u32, Set<u64>)> = Vec::new();
        for (number, session) in self.sample.sessions.iter().enumerate() {
            let values: Set<u64> = session
                .events
                .iter()
                .filter_map(|(_, event)| match event {
                    Event::Handed { values, .. } => Some(values),
                    Event::Sent { .. } => None,
                })
                .flatten()
                .filter(|(site, _)| sites.contains(site))
                .map(|(_, value)| *value)
                .collect();
            if !values.is_empty() {
                handed.push((number as u32, values));
            }
        }
        let (mut here, mut elsewhere) = (0_u32, 0_u32);
        for one in all {
            // The next session that was handed anything, whichever that is.
            let at = handed.partition_point(|(session, _)| *session < one.session);
            let mine = handed.get(at).filter(|(session, _)| *session == one.session);
            let after = if mine.is_some() { at + 1 } else { at };
            let other =
                handed.get(after).or_else(|| handed.first()).filter(|(session, _)| *session != one.session);
            here +=
                u32::from(!one.from_client && mine.is_some_and(|(_, values)| values.contains(&one.value)));
            elsewhere += u32::from(other.is_some_and(|(_, values)| values.contains(&one.value)));
        }
        let distinct: Set<u64> = all.iter().map(|one| one.value).collect();
        (f64::from(elsewhere) >= ELSEWHERE * f64::from(here)).then(|| {
            format!(
                "an enumeration, or numbers that are everywhere: of its {} values, {here} were sent after a response had them, and {elsewhere} are in another session's responses",
                distinct.len()
            )
        })
    }

    fn reject(&mut self, consumer: u32, sites: &[u32], reason: String) -> Option<Candidate> {
        let from = self.places(sites).iter().map(ToString::to_string).collect();
        if let Some(to) = self.consumer_place(consumer) {
            let values =
                self.occurrences[consumer as usize].iter().filter(|one| !one.sites.is_empty()).count();
            self.rejected.push(Rejected { from, to: to.to_string(), reason, values: values as u64 });
        }
        None
    }

    /// Greedy cover of what was handed out before.
    fn explain(&self, consumer: u32) -> Vec<u32> {
        let mut open: Vec<&Occurrence> = self.occurrences[consumer as usize]
            .iter()
            .filter(|one| !one.from_client && one.sites.iter().any(|(_, latest)| *latest))
            .collect();
        let least = (open.len() / 100).max(1);
        let mut chosen: Vec<u32> = Vec::new();
        while !open.is_empty() && chosen.len() < MOST_SITES {
            let mut covered: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
            for one in &open {
                for &(site, _) in one.sites.iter().filter(|(_, latest)| *latest) {
                    let count = covered.entry(site).or_default();
                    count.0 += 1;
                    count.1 += usize::from(one.newest == Some(site));
                }
            }
            // One site an endpoint: of two in the same response the later would hide the former.
            covered.retain(|site, (count, _)| {
                let endpoint = self.sample.sites[*site as usize].endpoint;
                *count >= least
                    && !chosen.iter().any(|other| self.sample.sites[*other as usize].endpoint == endpoint)
            });
            let score = |site: u32, count: usize, newest: usize| {
                count as f64 * (1.0 + self.preference(consumer, site)) + 0.15 * newest as f64
            };
            let best = covered
                .iter()
                .map(|(&site, &(count, newest))| (score(site, count, newest), site))
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let Some((_, best)) = best else { break };
            chosen.push(best);
            open.retain(|one| !one.sites.contains(&(best, true)));
        }
        self.prune(consumer, chosen)
    }

    /// Takes away sites without which as much holds.
    fn prune(&self, consumer: u32, mut sites: Vec<u32>) -> Vec<u32> {
        let mut best = self.fit(&sites, consumer).latest;
        let mut at = sites.len();
        while at > 0 && sites.len() > 1 {
            at -= 1;
            let mut fewer = sites.clone();
            fewer.remove(at);
            let without = self.fit(&fewer, consumer).latest;
            if without >= best {
                best = without;
                sites = fewer;
            }
        }
        sites
    }

    /// Of sites that explain as much, which to prefer: 0 to about 0.2.
    fn preference(&self, consumer: u32, site: u32) -> f64 {
        let site = &self.sample.sites[site as usize];
        let kind = match &site.at {
            Locator::Input { .. } | Locator::Json { .. } | Locator::Location { .. } => 0.06,
            Locator::Meta { .. } | Locator::Header { .. } | Locator::Cookie { .. } => 0.05,
            Locator::Script { .. } | Locator::Link { .. } => 0.04,
            Locator::Attr { .. } | Locator::Xml { .. } => 0.02,
            _ => 0.0,
        };
        let names = (name::field(&site.at), name::field(&self.sample.consumers[consumer as usize].at));
        let alike = matches!(names, (Some(a), Some(b)) if a.contains(b.as_str()) || b.contains(a.as_str()));
        kind + if site.single { 0.06 } else { 0.0 } + if alike { 0.05 } else { 0.0 }
    }

    /// Plays by replay's rule: the latest response of any of the sites counts.
    fn fit(&self, sites: &[u32], consumer: u32) -> Fit {
        let mut fit = Fit::default();
        let mut sessions: Vec<u32> =
            self.occurrences[consumer as usize].iter().map(|one| one.session).collect();
        sessions.dedup();
        let endpoints: Vec<u32> =
            sites.iter().map(|&site| self.sample.sites[site as usize].endpoint).collect();
        for session in sessions {
            let mut now: Set<u64> = Set::default();
            let mut ever: Set<u64> = Set::default();
            let (mut all, mut held) = (0, 0);
            for (_, event) in &self.sample.sessions[session as usize].events {
                match event {
                    Event::Handed { endpoint, values } if endpoints.contains(endpoint) => {
                        for site in sites {
                            let mut found = values
                                .iter()
                                .filter(|(other, _)| other == site)
                                .map(|(_, value)| *value)
                                .peekable();
                            if found.peek().is_some() {
                                now = found.collect();
                                ever.extend(&now);
                            }
                        }
                    }
                    Event::Handed { .. } => {}
                    Event::Sent { uses, .. } => {
                        for one in uses.iter().filter(|one| one.consumer == consumer && !one.from_client) {
                            all += 1;
                            fit.latest += u32::from(now.contains(&one.value));
                            held += u32::from(ever.contains(&one.value));
                        }
                    }
                }
            }
            fit.all += all;
            fit.ever += held;
            fit.sessions += u32::from(all > 0);
            fit.held += u32::from(all > 0 && held * 10 >= all * 9);
        }
        fit
    }

    /// Joins candidates that are one thing: together they explain as much as each alone.
    fn join(&self, candidates: &mut Vec<Candidate>) {
        if candidates.len() > MOST_JOINED {
            return;
        }
        let mut a = 0;
        while a < candidates.len() {
            let mut b = a + 1;
            while b < candidates.len() {
                match self.joined(&candidates[a], &candidates[b]) {
                    Some(sites) => {
                        let other = candidates.remove(b);
                        let one = &mut candidates[a];
                        one.sites = sites;
                        if name::is_better(&other.name, &one.name) {
                            one.name = other.name;
                        }
                        one.consumers.extend(other.consumers);
                        b = a + 1;
                    }
                    None => b += 1,
                }
            }
            a += 1;
        }
    }

    fn joined(&self, a: &Candidate, b: &Candidate) -> Option<Vec<u32>> {
        let related = a.name == b.name
            || a.sites.iter().any(|site| b.sites.contains(site))
            || self.same_values(&a.consumers, &b.consumers);
        if a.format != b.format || !related {
            return None;
        }
        let mut sites = a.sites.clone();
        for site in &b.sites {
            let endpoint = self.sample.sites[*site as usize].endpoint;
            if !sites.iter().any(|other| self.sample.sites[*other as usize].endpoint == endpoint) {
                sites.push(*site);
            }
        }
        let as_good = |one: &Candidate| {
            one.consumers.iter().all(|&consumer| {
                let (before, after) = (self.fit(&one.sites, consumer), self.fit(&sites, consumer));
                after.latest >= before.latest && after.held >= before.held
            })
        };
        (sites.len() <= MOST_SITES && as_good(a) && as_good(b)).then_some(sites)
    }

    /// Whether most of what the one sends the other sends too.
    fn same_values(&self, a: &[u32], b: &[u32]) -> bool {
        let values = |consumers: &[u32]| -> Set<u64> {
            consumers
                .iter()
                .flat_map(|&consumer| &self.occurrences[consumer as usize])
                .map(|one| one.value)
                .collect()
        };
        let (a, b) = (values(a), values(b));
        a.intersection(&b).count() * 2 >= a.len().max(b.len()).max(1)
    }

    fn places(&self, sites: &[u32]) -> Vec<Place> {
        sites
            .iter()
            .filter_map(|&site| {
                let site = &self.sample.sites[site as usize];
                let endpoint = self.table.endpoints.get(site.endpoint as usize)?.clone();
                // A field that never had two values in one response need not say "all of them".
                let at = match &site.at {
                    Locator::Json { .. } => site.at.clone(),
                    general if site.single => general.specialise(&[0]),
                    general => general.clone(),
                };
                Some(Place { endpoint, at })
            })
            .collect()
    }

    fn consumer_place(&self, consumer: u32) -> Option<Place> {
        let consumer = &self.sample.consumers[consumer as usize];
        let endpoint = self.table.endpoints.get(consumer.endpoint as usize)?.clone();
        Some(Place { endpoint, at: consumer.at.clone() })
    }

    fn order(&self, candidate: &Candidate) -> (String, Vec<String>) {
        (candidate.name.clone(), self.places(&candidate.sites).iter().map(ToString::to_string).collect())
    }

    fn correlation(&self, candidate: Candidate, taken: &mut Set<String>) -> Correlation {
        let mut fit = Fit::default();
        let mut values: Set<u64> = Set::default();
        let mut sessions: Set<u32> = Set::default();
        for &consumer in &candidate.consumers {
            let own = self.fit(&candidate.sites, consumer);
            fit.all += own.all;
            fit.latest += own.latest;
            fit.ever += own.ever;
            for one in self.occurrences[consumer as usize].iter().filter(|one| !one.from_client) {
                values.insert(one.value);
                sessions.insert(one.session);
            }
        }
        let worst = candidate
            .consumers
            .iter()
            .map(|&consumer| self.fit(&candidate.sites, consumer))
            .min_by(|a, b| (a.held * b.sessions.max(1)).cmp(&(b.held * a.sessions.max(1))))
            .unwrap_or_default();
        let held = if worst.held == worst.sessions { sessions.len() as u32 } else { worst.held };
        let of = if worst.held == worst.sessions { sessions.len() as u32 } else { worst.sessions };
        let mut evidence = format!("held in {held} of {of} sessions, {} distinct values", values.len());
        if fit.latest < fit.all {
            use std::fmt::Write as _;
            let _ = write!(evidence, ", {} of {} among those handed out last", fit.latest, fit.all);
        }
        let mut name = candidate.name;
        if taken.contains(&name) {
            let stem = name.clone();
            let mut number = 2;
            while taken.contains(&name) {
                name = format!("{stem}_{number}");
                number += 1;
            }
        }
        taken.insert(name.clone());
        let mut from = self.places(&candidate.sites);
        let mut to: Vec<Place> =
            candidate.consumers.iter().filter_map(|&consumer| self.consumer_place(consumer)).collect();
        from.sort_by_cached_key(ToString::to_string);
        to.sort_by_cached_key(ToString::to_string);
        Correlation { name, from, to, format: candidate.format, enabled: true, evidence: Some(evidence) }
    }
}
