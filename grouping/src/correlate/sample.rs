//! What the sampled sessions' responses handed out and what their requests sent, by hash, in time order.

use mynah_message::{Limits, Locator, View};
use mynah_traffic::{Exchange, Nanos};
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::{identity, sites, values};
use crate::endpoints::Table;
use crate::hash::{Map, Set, hash};
use crate::scan::Scan;
use crate::script::Steps;
use crate::{Error, Open};

/// Sessions looked at.
const SESSIONS: usize = 2_000;
/// Their exchanges at most (the first session counts whatever its length).
const EXCHANGES: usize = 40_000;

/// A place in one endpoint's responses.
pub(super) struct Site {
    pub(super) endpoint: u32,
    pub(super) at: Locator,
    /// Never were there two different values in one response.
    pub(super) single: bool,
}

/// A place in one endpoint's requests.
pub(super) struct Consumer {
    pub(super) endpoint: u32,
    pub(super) at: Locator,
    pub(super) format: Option<String>,
}

/// A value that a request sent.
pub(super) struct Use {
    pub(super) consumer: u32,
    pub(super) value: u64,
    pub(super) strong: bool,
    pub(super) random: bool,
    pub(super) opaque: bool,
    /// It was the client that first had it.
    pub(super) from_client: bool,
}

/// What a message did, at its moment.
pub(super) enum Event {
    /// A response was complete: sites and values in document order.
    Handed { endpoint: u32, values: Vec<(u32, u64)> },
    /// A request began.
    Sent { uses: Vec<Use>, login: Option<identity::Login> },
}

#[derive(Default)]
pub(super) struct Session {
    pub(super) events: Vec<(Nanos, Event)>,
}

pub(super) struct Sample {
    pub(super) sites: Vec<Site>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) sessions: Vec<Session>,
    /// There is but one session in the whole recording.
    pub(super) alone: bool,
}

struct Reading<'t> {
    table: &'t Table,
    sample: Sample,
    sites: Map<(u32, Locator), u32>,
    consumers: Map<(u32, Locator, Option<String>), u32>,
    /// Names of cookies that responses set: the jar carries them.
    jar: Set<String>,
}

impl Sample {
    pub(super) fn read(
        open: &Open<'_>,
        scan: &Scan,
        steps: &Steps,
        table: &Table,
        seed: u64,
    ) -> Result<Sample, Error> {
        let mut order: Vec<usize> = (0..steps.sessions.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut budget = EXCHANGES;
        let mut chosen: Map<u32, usize> = Map::default();
        for session in order.into_iter().take(SESSIONS) {
            let length = steps.sessions[session].len();
            if length > budget && !chosen.is_empty() {
                continue;
            }
            budget = budget.saturating_sub(length);
            let place = chosen.len();
            chosen.insert(session as u32, place);
        }
        let jar = scan
            .records
            .iter()
            .filter(|record| record.left_out.is_none())
            .flat_map(|record| scan.set(record))
            .map(|crumb| scan.cookies.text(crumb.name).to_owned())
            .collect();
        let sample = Sample {
            sites: Vec::new(),
            consumers: Vec::new(),
            sessions: (0..chosen.len()).map(|_| Session::default()).collect(),
            alone: steps.sessions.len() == 1,
        };
        let mut reading = Reading { table, sample, sites: Map::default(), consumers: Map::default(), jar };
        for (number, exchange) in open()?.enumerate() {
            let exchange = exchange?;
            let session = steps.session_of(number as u32);
            if let Some(&place) = session.and_then(|session| chosen.get(&session)) {
                reading.add(place, table.of(number as u32), &exchange);
            }
        }
        let mut sample = reading.sample;
        for session in &mut sample.sessions {
            // A request at the very moment at which a response ends may well be its consequence.
            session.events.sort_by_key(|(at, event)| (*at, matches!(event, Event::Sent { .. })));
            mark_origins(session);
        }
        Ok(sample)
    }
}

/// Who had each value first.
fn mark_origins(session: &mut Session) {
    let mut from_client: Map<u64, bool> = Map::default();
    for (_, event) in &mut session.events {
        match event {
            Event::Handed { values, .. } => {
                for (_, value) in values {
                    from_client.entry(*value).or_insert(false);
                }
            }
            Event::Sent { uses, .. } => {
                for one in uses {
                    one.from_client = *from_client.entry(one.value).or_insert(true);
                }
            }
        }
    }
}

impl Reading<'_> {
    fn add(&mut self, place: usize, endpoint: u32, exchange: &Exchange) {
        let start = exchange.times.request_first;
        if let Some(view) = exchange.request.as_ref().and_then(open_view) {
            let event = self.sent(endpoint, &view);
            self.sample.sessions[place].events.push((start, event));
        }
        if let Some(view) = exchange.response.as_ref().and_then(open_view) {
            let event = self.handed(endpoint, &view);
            // Never before its own request.
            let end = exchange.times.end().max(start.plus(Nanos(1)));
            self.sample.sessions[place].events.push((end, event));
        }
    }

    fn sent(&mut self, endpoint: u32, view: &View<'_>) -> Event {
        let login = identity::Login::of(endpoint, view);
        let mut uses = Vec::new();
        let Some(own) = self.table.endpoints.get(endpoint as usize) else {
            return Event::Sent { uses, login };
        };
        view.leaves(&mut |leaf| {
            let Some((format, value)) = leaf.text().map(sites::unwrapped) else { return };
            if !values::is_eligible(value) {
                return;
            }
            let Some(at) = sites::consumer(&leaf, &own.template) else { return };
            if matches!(&at, Locator::Cookie { name } if self.jar.contains(name)) {
                return;
            }
            let consumers = &mut self.sample.consumers;
            let consumer =
                *self.consumers.entry((endpoint, at, format)).or_insert_with_key(|(_, at, format)| {
                    consumers.push(Consumer { endpoint, at: at.clone(), format: format.clone() });
                    consumers.len() as u32 - 1
                });
            uses.push(Use {
                consumer,
                value: hash(value.as_bytes()),
                strong: values::is_strong(value),
                random: values::is_random(value),
                opaque: values::is_opaque(value),
                from_client: false,
            });
        });
        Event::Sent { uses, login }
    }

    fn handed(&mut self, endpoint: u32, view: &View<'_>) -> Event {
        let mut found: Vec<(u32, u64)> = Vec::new();
        let mut first: Map<u32, u64> = Map::default();
        view.leaves(&mut |leaf| {
            let Some(value) = leaf.text().filter(|value| values::is_eligible(value)) else { return };
            let Some(at) = sites::producer(&leaf, value) else { return };
            let all = &mut self.sample.sites;
            let site = *self.sites.entry((endpoint, at)).or_insert_with_key(|(_, at)| {
                all.push(Site { endpoint, at: at.clone(), single: true });
                all.len() as u32 - 1
            });
            let value = hash(value.as_bytes());
            if *first.entry(site).or_insert(value) != value {
                all[site as usize].single = false;
            }
            found.push((site, value));
        });
        Event::Handed { endpoint, values: found }
    }
}

/// The message opened; only its head where its body cannot be.
pub(crate) fn open_view(message: &mynah_message::Message) -> Option<View<'_>> {
    View::open(message, &Limits::default()).or_else(|_| View::open_head(message)).ok()
}
