//! The last pass: sessions as steps to play, with what each waits for, how long its user thought, and what is injected.

use bytes::Bytes;
use mynah_message::{Head, Leaf, Locator, Message, View};
use mynah_traffic::scenario::Identities;
use mynah_traffic::scenario::{Expect, Injection, SessionScript, Source, Step};
use mynah_traffic::shape::{Answer, Shapes};
use mynah_traffic::{Correlation, Exchange, Nanos, Template};

use crate::correlate::{self, open_view, sites};
use crate::endpoints::Table;
use crate::hash::{Map, Set, hash};
use crate::scan::{Scan, is_taken_away};
use crate::sessions::SessionInfo;
use crate::vary::Finder;
use crate::{Error, Open};

/// What is learnt on the way.
pub(crate) struct Learning<'l> {
    pub(crate) finder: &'l mut Finder,
    pub(crate) shapes: &'l mut Shapes,
}

/// Which exchanges are steps of which session.
pub(crate) struct Steps {
    /// Record numbers in order of start; sessions of which nothing is left are not there.
    pub(crate) sessions: Vec<Vec<u32>>,
    /// Which of the sessions found each is.
    pub(crate) origin: Vec<u32>,
    /// Session and position by record; `None` for what is left out.
    places: Vec<Option<(u32, u32)>>,
}

impl Steps {
    pub(crate) fn of(scan: &Scan, found: &[SessionInfo]) -> Steps {
        let mut steps =
            Steps { sessions: Vec::new(), origin: Vec::new(), places: vec![None; scan.records.len()] };
        for (number, session) in found.iter().enumerate() {
            let kept: Vec<u32> = session
                .exchanges
                .iter()
                .copied()
                .filter(|&record| scan.records[record as usize].left_out.is_none())
                .collect();
            if kept.is_empty() {
                continue;
            }
            for (position, &record) in kept.iter().enumerate() {
                steps.places[record as usize] = Some((steps.sessions.len() as u32, position as u32));
            }
            steps.sessions.push(kept);
            steps.origin.push(number as u32);
        }
        steps
    }

    pub(crate) fn session_of(&self, record: u32) -> Option<u32> {
        self.places.get(record as usize).copied().flatten().map(|(session, _)| session)
    }

    /// All kept records.
    pub(crate) fn records(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.sessions.iter().flatten().copied().collect();
        all.sort_unstable();
        all
    }
}

/// Where values are taken and put, by endpoint.
pub(crate) struct Plan<'s> {
    correlations: &'s [Correlation],
    producers: Map<u32, Vec<(u32, Locator)>>,
    consumers: Map<(u32, Locator, Option<String>), u32>,
    /// Endpoint → column, place.
    identities: Map<u32, Vec<(String, Locator)>>,
}

impl<'s> Plan<'s> {
    /// By endpoint: the correlations that its responses hand out.
    pub(crate) fn gives(&self, endpoints: usize) -> Vec<Vec<u32>> {
        let of = |endpoint: u32| {
            let places = self.producers.get(&endpoint).into_iter().flatten();
            places.map(|(correlation, _)| *correlation).collect()
        };
        (0..endpoints as u32).map(of).collect()
    }

    pub(crate) fn of(
        correlations: &'s [Correlation],
        identities: Option<&Identities>,
        table: &Table,
    ) -> Plan<'s> {
        let numbers: Map<&mynah_traffic::Endpoint, u32> =
            table.endpoints.iter().enumerate().map(|(number, endpoint)| (endpoint, number as u32)).collect();
        let mut plan = Plan {
            correlations,
            producers: Map::default(),
            consumers: Map::default(),
            identities: Map::default(),
        };
        for (correlation, number) in correlations.iter().zip(0..) {
            for site in &correlation.from {
                if let Some(&endpoint) = numbers.get(&site.endpoint) {
                    plan.producers.entry(endpoint).or_default().push((number, site.at.clone()));
                }
            }
            for site in &correlation.to {
                if let Some(&endpoint) = numbers.get(&site.endpoint) {
                    plan.consumers.insert((endpoint, site.at.clone(), correlation.format.clone()), number);
                }
            }
        }
        for column in identities.into_iter().flat_map(|identities| &identities.columns) {
            for site in &column.to {
                if let Some(&endpoint) = numbers.get(&site.endpoint) {
                    plan.identities.entry(endpoint).or_default().push((column.name.clone(), site.at.clone()));
                }
            }
        }
        plan
    }
}

impl Plan<'_> {
    /// Whether a place is filled in: by a correlation or an identity.
    fn fills(&self, endpoint: u32, leaf: &Leaf<'_>, template: &Template) -> bool {
        let personal = self.identities.get(&endpoint);
        if personal.is_some_and(|places| places.iter().any(|(_, at)| at.covers(&leaf.locator))) {
            return true;
        }
        let Some(format) = leaf.text().map(|text| sites::unwrapped(text).0) else { return false };
        sites::consumer(leaf, template).is_some_and(|at| self.consumers.contains_key(&(endpoint, at, format)))
    }
}

/// A value that was sent at a place where one is injected.
struct Pending {
    correlation: u32,
    at: Locator,
    format: Option<String>,
    value: u64,
}

/// A step before its session is known as a whole.
struct Draft {
    step: Step,
    start: Nanos,
    end: Nanos,
    connection: u64,
    pending: Vec<Pending>,
    /// Column, place and value of what an identity replaces.
    personal: Vec<(String, Locator, u64)>,
    login: Option<u64>,
    /// Correlation and values, as replay would take them from the response.
    handed: Vec<(u32, Vec<u64>)>,
    /// Cookies that the response set, or took away (`false`).
    cookies: Vec<(String, bool)>,
}

struct Building {
    drafts: Vec<Option<Draft>>,
    missing: usize,
}

/// Reads the recording and hands out each session when it is complete. Memory: the sessions under way.
pub(crate) fn build(
    open: &Open<'_>,
    steps: &Steps,
    table: &Table,
    plan: &Plan<'_>,
    origin: Nanos,
    learning: &mut Learning<'_>,
    sink: &mut dyn FnMut(u32, SessionScript) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut under_way: Map<u32, Building> = Map::default();
    let mut done = 0;
    for (number, exchange) in open()?.enumerate() {
        let exchange = exchange?;
        let Some(Some((session, position))) = steps.places.get(number).copied() else { continue };
        let building = under_way.entry(session).or_insert_with(|| {
            let length = steps.sessions[session as usize].len();
            Building { drafts: (0..length).map(|_| None).collect(), missing: length }
        });
        let draft = draft((session, table.of(number as u32)), &exchange, table, plan, learning.finder)
            .ok_or_else(|| Error::Changed(format!("exchange {number} has lost its request")))?;
        building.drafts[position as usize] = Some(draft);
        if let Some((status, answer)) = Answer::recorded(&exchange) {
            learning.shapes.note(table.of(number as u32), status, &answer);
        }
        building.missing -= 1;
        if building.missing == 0
            && let Some(building) = under_way.remove(&session)
        {
            done += 1;
            sink(session, finish(building, plan, origin))?;
        }
    }
    if done != steps.sessions.len() {
        return Err(Error::Changed("it is shorter than before".to_owned()));
    }
    Ok(())
}

fn draft(
    (session, endpoint): (u32, u32),
    exchange: &Exchange,
    table: &Table,
    plan: &Plan<'_>,
    finder: &mut Finder,
) -> Option<Draft> {
    let request = exchange.request.as_ref()?;
    let head = exchange.request_head()?;
    let view = open_view(request)?;
    let start = exchange.times.request_first;
    let mut draft = Draft {
        start,
        end: exchange.times.end().max(start),
        connection: exchange.connection.id,
        pending: Vec::new(),
        personal: Vec::new(),
        login: None,
        handed: Vec::new(),
        cookies: Vec::new(),
        step: Step {
            endpoint,
            scheme: exchange.scheme,
            host: exchange.host(),
            // A copy: the recording's buffer is a frame of many exchanges, which must not be held for one of them.
            request: Message {
                head: Bytes::copy_from_slice(request.head.get(..head.len()).unwrap_or(&request.head)),
                body: Bytes::copy_from_slice(&request.body),
                trailers: Bytes::copy_from_slice(&request.trailers),
            },
            expect: expect(exchange),
            ..Step::default()
        },
    };
    note_request(&mut draft, endpoint, &view, table, plan);
    if let Some(own) = table.endpoints.get(endpoint as usize) {
        let taken = |leaf: &Leaf<'_>| plan.fills(endpoint, leaf, &own.template);
        finder.note((session, endpoint, &own.method), start, &view, &taken);
    }
    if let Some(response) = exchange.response.as_ref() {
        note_response(&mut draft, endpoint, response, plan);
    }
    Some(draft)
}

fn note_request(draft: &mut Draft, endpoint: u32, view: &View<'_>, table: &Table, plan: &Plan<'_>) {
    let Some(own) = table.endpoints.get(endpoint as usize) else { return };
    if let Some(places) = plan.identities.get(&endpoint) {
        draft.login = correlate::login_name(endpoint, view);
        for (column, at) in places {
            for leaf in view.find(at) {
                draft.personal.push((column.clone(), leaf.locator.clone(), hash(&leaf.value)));
            }
        }
    }
    if plan.consumers.is_empty() {
        return;
    }
    view.leaves(&mut |leaf| {
        let Some((format, value)) = leaf.text().map(sites::unwrapped) else { return };
        let Some(at) = sites::consumer(&leaf, &own.template) else { return };
        if let Some(&correlation) = plan.consumers.get(&(endpoint, at, format.clone())) {
            draft.pending.push(Pending {
                correlation,
                at: leaf.locator.clone(),
                format,
                value: hash(value.as_bytes()),
            });
        }
    });
}

fn note_response(draft: &mut Draft, endpoint: u32, response: &Message, plan: &Plan<'_>) {
    if let Ok(head) = Head::parse(&response.head) {
        for cookie in head.get_all("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                draft.cookies.push((name.trim().to_owned(), !is_taken_away(cookie, value.trim())));
            }
        }
    }
    let Some(places) = plan.producers.get(&endpoint) else { return };
    let Some(view) = open_view(response) else { return };
    for (correlation, at) in places {
        let values: Vec<u64> = view.extract_all(at).iter().map(|value| hash(value.as_bytes())).collect();
        if !values.is_empty() {
            draft.handed.push((*correlation, values));
        }
    }
}

fn expect(exchange: &Exchange) -> Expect {
    let head = exchange.response_head();
    Expect {
        status: head.as_ref().and_then(Head::status),
        content_type: head.and_then(|head| head.content_type()).map(|media| media.media_type),
        body_bytes: exchange.response.as_ref().map_or(0, |response| response.body.len() as u64),
    }
}

/// Goes through a session in time order, as replay will: at each request's start, what the responses before it
/// have left in the jar and in the lists of values.
fn finish(building: Building, plan: &Plan<'_>, origin: Nanos) -> SessionScript {
    let mut drafts: Vec<Draft> = building.drafts.into_iter().flatten().collect();
    let begun = drafts.first().map(|draft| draft.start).unwrap_or_default();
    let logins: Set<u64> = drafts.iter().filter_map(|draft| draft.login).collect();
    let mut ends: Vec<(Nanos, usize)> = drafts
        .iter()
        .enumerate()
        .map(|(number, draft)| (draft.end.max(draft.start.plus(Nanos(1))), number))
        .collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    let mut jar: Set<String> = Set::default();
    let mut lists: Map<u32, Vec<u64>> = Map::default();
    let mut connections: Map<u64, u32> = Map::default();
    let mut before: Option<(Nanos, usize)> = None;
    for number in 0..drafts.len() {
        let start = drafts[number].start;
        while let Some((_, ended)) = ends.next_if(|(end, _)| *end <= start) {
            let done = &mut drafts[ended];
            if before.is_none_or(|(end, _)| done.end >= end) {
                before = Some((done.end, ended));
            }
            for (name, kept) in done.cookies.drain(..) {
                if kept {
                    jar.insert(name)
                } else {
                    jar.remove(&name)
                };
            }
            for (correlation, values) in done.handed.drain(..) {
                lists.insert(correlation, values);
            }
        }
        let fresh = connections.len() as u32;
        let draft = &mut drafts[number];
        draft.step.connection = *connections.entry(draft.connection).or_insert(fresh);
        (draft.step.waits_for, draft.step.think) = match before {
            Some((end, earlier)) => (Some(earlier as u32), start.since(end)),
            None => (None, start.since(begun)),
        };
        draft.step.request.head = without_cookies(&draft.step.request.head, &jar);
        draft.step.injections = injections(draft, plan, &lists, &logins);
    }
    SessionScript { start: begun.since(origin), steps: drafts.into_iter().map(|draft| draft.step).collect() }
}

fn injections(
    draft: &Draft,
    plan: &Plan<'_>,
    lists: &Map<u32, Vec<u64>>,
    logins: &Set<u64>,
) -> Vec<Injection> {
    let mut injections: Vec<Injection> = Vec::new();
    for (column, at, value) in &draft.personal {
        if column == "password" || logins.contains(value) {
            let source = Source::Identity { column: column.clone() };
            injections.push(Injection { at: at.clone(), source, format: None, required: false });
        }
    }
    for pending in &draft.pending {
        let Some(list) = lists.get(&pending.correlation).filter(|list| !list.is_empty()) else { continue };
        // A value from an older page: any other of the list will do, and the same at each run.
        let index = list
            .iter()
            .position(|value| *value == pending.value)
            .unwrap_or((pending.value % list.len() as u64) as usize);
        let Some(correlation) = plan.correlations.get(pending.correlation as usize) else { continue };
        if injections.iter().any(|known| known.at == pending.at) {
            continue;
        }
        injections.push(Injection {
            at: pending.at.clone(),
            source: Source::Correlation { name: correlation.name.clone(), index: index as u32 },
            format: pending.format.clone(),
            required: false,
        });
    }
    injections
}

/// The head without the cookies that the jar will send; a `Cookie` line of which nothing is left goes.
fn without_cookies(head: &Bytes, jar: &Set<String>) -> Bytes {
    let Ok(parsed) = Head::parse(head) else { return head.clone() };
    let mut out: Option<Vec<u8>> = None;
    let mut from = 0;
    for field in parsed.fields().filter(|field| field.is("cookie")) {
        let pairs: Vec<&[u8]> = field
            .value
            .split(|&byte| byte == b';')
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty())
            .collect();
        let name = |pair: &&&[u8]| {
            let end = memchr::memchr(b'=', pair).unwrap_or(0);
            !jar.contains(&*String::from_utf8_lossy(pair[..end].trim_ascii()))
        };
        let kept: Vec<&[u8]> = pairs.iter().filter(name).copied().collect();
        if kept.len() == pairs.len() {
            continue;
        }
        let out = out.get_or_insert_with(Vec::new);
        if kept.is_empty() {
            out.extend_from_slice(&head[from..field.name_span.start]);
            let line_end = memchr::memchr(b'\n', &head[field.value_span.end..]);
            from = line_end.map_or(head.len(), |at| field.value_span.end + at + 1);
        } else {
            out.extend_from_slice(&head[from..field.value_span.start]);
            out.extend_from_slice(&kept.join(b"; ".as_slice()));
            from = field.value_span.end;
        }
    }
    match out {
        Some(mut out) => {
            out.extend_from_slice(&head[from..]);
            Bytes::from(out)
        }
        None => head.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jars_cookies_are_taken_out() {
        let jar: Set<String> = ["sid", "b"].map(str::to_owned).into_iter().collect();
        let strip = |head: &str| {
            let head = without_cookies(&Bytes::copy_from_slice(head.as_bytes()), &jar);
            String::from_utf8_lossy(&head).into_owned()
        };
        assert_eq!(
            strip("GET / HTTP/1.1\r\nHost: a\r\ncookie: sid=1; own=2;b=3\r\nAccept: */*\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\ncookie: own=2\r\nAccept: */*\r\n\r\n"
        );
        assert_eq!(strip("GET / HTTP/1.1\r\nCookie: sid=1\r\n\r\n"), "GET / HTTP/1.1\r\n\r\n");
        assert_eq!(strip("GET / HTTP/1.1\nCookie: sid=1\nA: b\n\n"), "GET / HTTP/1.1\nA: b\n\n");
        let same = "GET / HTTP/1.1\r\nCookie: own=1\r\n\r\n";
        assert_eq!(strip(same), same);
    }
}
