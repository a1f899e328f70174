//! What scripts are made from: of each profile some recorded sessions, their steps one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mynah_message::Target;
use mynah_traffic::scenario::{
    Behaviour, ExtractList, Finder, Injection, Order, Profile, Scenario, SessionScript, SessionsReader,
    Source, Step as Recorded, ThinkTime, Wait,
};
use mynah_traffic::threshold::Threshold;
use mynah_traffic::{Correlation, Endpoint, Nanos, Scheme, Template};

use super::choose::{Counts, choose};
use super::lookup::{Lookup, lookup};
use super::request::{Body, Origin, Piece, Request, Text, Value, request};
use crate::Error;

/// Recorded sessions that are written out when nothing is said: what a person can still page through.
pub(super) const SESSIONS: usize = 40;
/// Sessions of a profile that are looked at to choose from.
const CANDIDATES: usize = 2000;

/// A scenario as far as a script shows it.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) name: String,
    /// What it was recorded from, in words.
    pub(super) origin: String,
    /// Where requests go when nothing else is said.
    pub(super) target: Option<String>,
    /// Hosts of the recording; the first is the one most requests went to.
    pub(super) hosts: Vec<String>,
    /// Whether any of it was recorded over TLS.
    pub(super) https: bool,
    /// Headers that stand as they are, each set once.
    pub(super) headers: Vec<Vec<(String, String)>>,
    /// File of the users' log-ins, as the scenario names it.
    pub(super) identities: Option<String>,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) profiles: Vec<ProfileOutline>,
    pub(super) notes: Vec<String>,
}

/// One profile.
#[derive(Debug)]
pub(super) struct ProfileOutline {
    pub(super) name: String,
    /// Its share of the sessions, 0 to 1.
    pub(super) share: f64,
    /// Sessions that there are.
    pub(super) of_sessions: usize,
    /// Mean of the sessions' pauses, in seconds each session.
    pub(super) pauses_s: f64,
    /// Mean number of requests of a session.
    pub(super) requests: f64,
    pub(super) sessions: Vec<Session>,
}

/// One recorded session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) steps: Vec<Step>,
}

/// One request, and what is kept of its response.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) endpoint: Endpoint,
    /// Index into [`Outline::hosts`].
    pub(super) host: usize,
    pub(super) method: String,
    pub(super) path: Text,
    /// Index into [`Outline::headers`].
    pub(super) set: Option<usize>,
    /// Headers with values in them.
    pub(super) headers: Vec<(String, Text)>,
    pub(super) cookies: Vec<(String, Text)>,
    pub(super) body: Body,
    /// Pause before it.
    pub(super) pause: Nanos,
    /// The recorded status.
    pub(super) want: Option<u16>,
    /// What a hand-written step takes from its response.
    pub(super) extract: ExtractList,
    pub(super) keeps: Vec<Keep>,
}

/// A value kept for later steps.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) name: String,
    pub(super) lookup: Lookup,
    pub(super) which: Option<usize>,
}

impl Step {
    /// What it is counted by: `GET /items/{id}`, with the host where the scenario has it.
    pub(super) fn name(&self) -> String {
        self.endpoint.to_string()
    }
}

impl Outline {
    /// Reads the scenario's sessions and takes at most `most` of them.
    pub(super) fn read(
        scenario: &Scenario,
        folder: &Path,
        most: usize,
        target: Option<&str>,
    ) -> Result<Outline, Error> {
        let mut builder = Builder::of(scenario);
        let total: f64 = scenario.profiles.iter().map(|profile| profile.weight).sum();
        let mut profiles = Vec::new();
        for profile in scenario.profiles.iter().filter(|profile| profile.weight > 0.0) {
            let share = profile.weight / total;
            let few = ((share * most as f64).round() as usize).max(1);
            let taken = sessions(profile, scenario, folder, few)?;
            builder.note_unsaid(profile);
            profiles.push((profile.name.clone(), share, taken));
        }
        if profiles.is_empty() {
            return Err(Error::Empty("no profile has a weight".to_owned()));
        }
        builder.find_hosts(&profiles);
        let profiles = profiles.into_iter().map(|(name, share, taken)| ProfileOutline {
            name,
            share,
            of_sessions: taken.of,
            pauses_s: taken.pauses_s,
            requests: taken.requests,
            sessions: taken.sessions.iter().map(|session| builder.session(session)).collect(),
        });
        let profiles = profiles.collect();
        Ok(Outline {
            name: scenario.name.clone(),
            origin: origin(scenario),
            target: target.map(|target| target.trim_end_matches('/').to_owned()),
            hosts: builder.hosts,
            https: builder.https,
            headers: builder.headers,
            identities: scenario.identities.as_ref().and_then(|identities| identities.file.clone()),
            thresholds: scenario.thresholds.iter().filter_map(|one| one.expr.parse().ok()).collect(),
            profiles,
            notes: builder.notes.into_iter().collect(),
        })
    }
}

fn origin(scenario: &Scenario) -> String {
    let Some(recorded) = &scenario.recorded else { return "written by hand".to_owned() };
    format!(
        "{} sessions of {} ({})",
        recorded.sessions,
        if recorded.from.is_empty() { "a recording".to_owned() } else { recorded.from.join(", ") },
        if recorded.masked { "masked" } else { "NOT masked" }
    )
}

/// A session with the endpoint of each step.
pub(super) struct Taken {
    pub(super) script: SessionScript,
    pub(super) endpoints: Vec<Endpoint>,
    /// By step, of those written by hand.
    extracts: Vec<ExtractList>,
    /// Written by hand: each value goes where it is written, by its name.
    inline: bool,
}

/// Sessions of a profile, chosen.
pub(super) struct Chosen {
    pub(super) sessions: Vec<Taken>,
    of: usize,
    pauses_s: f64,
    requests: f64,
}

impl Chosen {
    /// Of so many.
    pub(super) fn of(&self) -> usize {
        self.of
    }
}

/// Of each step that speaks another protocol, that it is left out.
pub(super) fn left_out(profile: &Profile) -> impl Iterator<Item = String> {
    profile.all_steps().filter_map(|step| {
        let protocol = step.protocol.as_ref()?;
        Some(format!("{}: '{}' is not in it: it speaks {protocol}, not HTTP", profile.name, step.text()))
    })
}

/// The profile's sessions, at most `few` of them.
pub(super) fn sessions(
    profile: &Profile,
    scenario: &Scenario,
    folder: &Path,
    few: usize,
) -> Result<Chosen, Error> {
    let think = profile.think_time.or(scenario.load.think_time).unwrap_or(ThinkTime::Recorded);
    let rest = |script: &mut SessionScript| {
        for step in &mut script.steps {
            step.think = think.apply(step.think);
        }
    };
    let Some(from) = &profile.sessions_from else {
        let mut taken = inline(profile, scenario)?;
        rest(&mut taken.script);
        let (requests, pauses_s) = (taken.script.steps.len() as f64, pauses_of(&taken.script));
        return Ok(Chosen { sessions: vec![taken], of: 1, pauses_s, requests });
    };
    let (file, cluster) = from.rsplit_once('#').ok_or_else(|| {
        Error::Option(format!(
            "profile '{}': sessions_from = '{from}': expected FILE#CLUSTER, such as 'scenario.sessions#buyer'",
            profile.name
        ))
    })?;
    let path: PathBuf = folder.join(file);
    let mut reader = SessionsReader::open(&path)?;
    let positions = reader.by_profile().get(cluster).cloned().unwrap_or_default();
    if positions.is_empty() {
        return Err(Error::Option(format!(
            "{}: there is no session of '{cluster}', which profile '{}' names",
            path.display(),
            profile.name
        )));
    }
    let stride = positions.len().div_ceil(few.max(CANDIDATES)).max(1);
    let candidates: Vec<usize> = positions.iter().copied().step_by(stride).collect();
    let mut counts: Vec<Counts> = Vec::with_capacity(candidates.len());
    let (mut pauses_s, mut requests) = (0.0, 0.0);
    for &position in &candidates {
        let mut script = reader.read(position)?;
        rest(&mut script);
        let mut count: BTreeMap<u32, f64> = BTreeMap::new();
        for step in &script.steps {
            *count.entry(step.endpoint).or_default() += 1.0;
        }
        pauses_s += pauses_of(&script) / candidates.len() as f64;
        requests += script.steps.len() as f64 / candidates.len() as f64;
        counts.push(count.into_iter().collect());
    }
    let table = reader.tables().endpoints.clone();
    let mut sessions = Vec::new();
    for index in choose(&counts, few) {
        let Some(&position) = candidates.get(index) else { continue };
        let mut script = reader.read(position)?;
        rest(&mut script);
        let endpoints = script.steps.iter().filter_map(|step| table.get(step.endpoint as usize).cloned());
        sessions.push(Taken { endpoints: endpoints.collect(), script, extracts: Vec::new(), inline: false });
    }
    Ok(Chosen { sessions, of: positions.len(), pauses_s, requests })
}

fn pauses_of(script: &SessionScript) -> f64 {
    pauses(script).iter().map(|pause| pause.as_secs_f64()).sum()
}

/// The pause before each step where they come one by one: in the recording a browser may have had several under way.
fn pauses(script: &SessionScript) -> Vec<Nanos> {
    let mut pauses = Vec::with_capacity(script.steps.len());
    let mut ends: Vec<Nanos> = Vec::with_capacity(script.steps.len());
    let mut ended = Nanos(0);
    for step in &script.steps {
        let base = step.waits_for.and_then(|before| ends.get(before as usize)).copied().unwrap_or_default();
        let start = base.plus(step.think);
        pauses.push(start.since(ended));
        ended = ended.max(start);
        ends.push(start);
    }
    pauses
}

fn inline(profile: &Profile, scenario: &Scenario) -> Result<Taken, Error> {
    let mut taken =
        Taken { script: SessionScript::default(), endpoints: Vec::new(), extracts: Vec::new(), inline: true };
    // What speaks another protocol has no place in a script of HTTP requests; that is noted.
    for (number, step) in profile.all_steps().filter(|step| step.protocol.is_none()).enumerate() {
        let previous = number.checked_sub(1).map(|number| number as u32);
        let (_, host, method, target) = step.parts()?;
        let path = Target::parse(target).path;
        let fits = scenario.endpoints.iter().map(|entry| &entry.endpoint);
        let named = step.name.as_deref().map(|name| Endpoint {
            method: method.to_owned(),
            host: None,
            template: Template::named(name),
        });
        let found = fits
            .filter(|endpoint| endpoint.matches(method, host.unwrap_or(""), path))
            .max_by_key(|endpoint| endpoint.template.literals())
            .cloned()
            .unwrap_or_else(|| Endpoint {
                method: method.to_owned(),
                host: None,
                template: Template::literal(path),
            });
        let endpoint = named.unwrap_or(found);
        let mut made = step.to_step(0, "localhost", previous)?;
        if host.is_none() {
            made.host = String::new();
        }
        taken.endpoints.push(endpoint);
        taken.extracts.push(step.extract.clone());
        taken.script.steps.push(made);
    }
    if taken.script.steps.is_empty() {
        return Err(Error::Option(format!(
            "profile '{}': none of its steps is an HTTP request, and nothing else can be exported",
            profile.name
        )));
    }
    Ok(taken)
}

struct Builder<'s> {
    scenario: &'s Scenario,
    hosts: Vec<String>,
    https: bool,
    origins: Vec<String>,
    headers: Vec<Vec<(String, String)>>,
    sets: BTreeMap<Vec<(String, String)>, usize>,
    notes: BTreeSet<String>,
}

impl<'s> Builder<'s> {
    fn of(scenario: &'s Scenario) -> Self {
        Builder {
            scenario,
            hosts: Vec::new(),
            https: false,
            origins: Vec::new(),
            headers: Vec::new(),
            sets: BTreeMap::new(),
            notes: BTreeSet::new(),
        }
    }

    /// What scripts do not say of it.
    fn note_unsaid(&mut self, profile: &Profile) {
        if profile.behaviour.or(self.scenario.behaviour) == Some(Behaviour::Markov) {
            self.notes.insert(format!(
                "{}: its users take whole recorded sessions; a script has no walks (behaviour = \"markov\")",
                profile.name
            ));
        }
        let varied: Vec<&str> =
            self.scenario.vary.iter().filter(|vary| vary.enabled).map(|vary| vary.name.as_str()).collect();
        if !varied.is_empty() {
            self.notes.insert(format!("sent as recorded, and not made anew: [vary] {}", varied.join(", ")));
        }
        self.note_written(profile);
    }

    /// What a person wrote of a profile that scripts do not have.
    fn note_written(&mut self, profile: &Profile) {
        let name = &profile.name;
        let mut note = |text: String| {
            self.notes.insert(text);
        };
        let around = !profile.on_start.is_empty() || !profile.on_stop.is_empty();
        if around && profile.sessions_from.is_some() {
            note(format!("{name}: on_start and on_stop are not in it: its sessions are recorded ones"));
        } else if around {
            note(format!("{name}: on_start and on_stop are played in every session, not once for each user"));
        }
        if profile.order == Some(Order::Weighted) {
            note(format!(
                "{name}: its steps come one after the other, each once; they are not drawn by their weights"
            ));
        }
        if let Some(wait) = profile.wait.filter(|wait| *wait != Wait::Recorded) {
            note(format!("{name}: wait = \"{wait}\" is not in it; its users pause as their steps say"));
        }
        if let Some(users) = profile.users {
            note(format!("{name}: users = {users} is not in it; it has its share by its weight"));
        }
        let checks: usize = profile.all_steps().map(|step| step.check.len()).sum();
        if checks > 0 {
            note(format!("{name}: {checks} checks are not in it; a response is right by its status"));
        }
        left_out(profile).for_each(&mut note);
        for step in profile.all_steps().filter(|step| step.protocol.is_none()) {
            let Ok(made) = step.to_step(0, "localhost", None) else { continue };
            for injection in &made.injections {
                if matches!(injection.source, Source::Joined { .. }) {
                    note(format!(
                        "{name}: '{}': several values in one are sent as they are written, {}",
                        step.request, injection.at
                    ));
                } else if let Source::Data { set, column } = &injection.source {
                    note(format!(
                        "{name}: '{}': ${{data.{set}.{column}}} is sent as it is written",
                        step.request
                    ));
                }
            }
        }
        if !self.scenario.rewrite.is_empty() {
            self.notes.insert("[rewrite] is not in it: requests go out as they are written".to_owned());
        }
        if let Some(script) = &self.scenario.script {
            self.notes.insert(format!("the script {script} is not in it: its hooks are not called"));
        }
    }

    fn find_hosts(&mut self, profiles: &[(String, f64, Chosen)]) {
        let mut requests: BTreeMap<String, usize> = BTreeMap::new();
        let mut origins: BTreeSet<String> = BTreeSet::new();
        let sessions = profiles.iter().flat_map(|(_, _, chosen)| &chosen.sessions);
        for step in sessions.flat_map(|taken| &taken.script.steps) {
            self.https |= step.scheme == Scheme::Https;
            if !step.host.is_empty() {
                *requests.entry(step.host.to_ascii_lowercase()).or_default() += 1;
                origins.insert(format!("{}://{}", step.scheme.as_str(), step.host));
            }
        }
        let mut hosts: Vec<(String, usize)> = requests.into_iter().collect();
        hosts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        self.hosts = hosts.into_iter().map(|(host, _)| host).collect();
        self.origins = origins.into_iter().collect();
    }

    fn session(&mut self, taken: &Taken) -> Session {
        let pauses = pauses(&taken.script);
        let mut session = Session::default();
        let recorded = taken.script.steps.iter().zip(&taken.endpoints).zip(pauses);
        for (number, ((step, endpoint), pause)) in recorded.enumerate() {
            let bound =
                |one: &Injection| if taken.inline { Some(one.clone()) } else { self.bound(one, endpoint) };
            let kept: Vec<Injection> = step.injections.iter().filter_map(bound).collect();
            let notes = &mut self.notes;
            let made = request(&step.request, &kept, &self.origins, &mut |note| {
                notes.insert(note);
            });
            let Some(request) = made else {
                self.notes.insert(format!("step {number} of a session is no request that could be sent"));
                continue;
            };
            let mut step = self.step(step, endpoint, request, pause);
            step.extract = taken.extracts.get(number).cloned().unwrap_or_default();
            session.steps.push(step);
        }
        self.keeps(&mut session);
        session
    }

    fn step(&mut self, step: &Recorded, endpoint: &Endpoint, request: Request, pause: Nanos) -> Step {
        let mut fixed = Vec::new();
        let mut headers = Vec::new();
        for (name, text) in request.headers {
            match text.as_slice() {
                [] => fixed.push((name, String::new())),
                [Piece::Literal(literal)] => fixed.push((name, literal.clone())),
                _ => headers.push((name, text)),
            }
        }
        let set = (!fixed.is_empty()).then(|| {
            *self.sets.entry(fixed).or_insert_with_key(|fixed| {
                self.headers.push(fixed.clone());
                self.headers.len() - 1
            })
        });
        let host = step.host.to_ascii_lowercase();
        Step {
            endpoint: endpoint.clone(),
            host: self.hosts.iter().position(|known| *known == host).unwrap_or(0),
            method: request.method,
            path: request.path,
            set,
            headers,
            cookies: request.cookies,
            body: request.body,
            pause,
            want: step.expect.status,
            extract: ExtractList::default(),
            keeps: Vec::new(),
        }
    }

    fn enabled(&self) -> impl Iterator<Item = &'s Correlation> + use<'s> {
        self.scenario.correlations.iter().filter(|correlation| correlation.enabled)
    }

    /// The injection as the scenario has it now, which people edit: under the name that it has there for this place.
    fn bound(&self, injection: &Injection, endpoint: &Endpoint) -> Option<Injection> {
        let Source::Correlation { name, index } = &injection.source else { return Some(injection.clone()) };
        let goes = |correlation: &&Correlation| {
            correlation.to.iter().any(|site| site.endpoint == *endpoint && site.at.covers(&injection.at))
        };
        let same = self.enabled().find(|correlation| correlation.name == *name && goes(correlation));
        let found = same.or_else(|| self.enabled().find(goes))?;
        let source = Source::Correlation { name: found.name.clone(), index: *index };
        Some(Injection { source, ..injection.clone() })
    }

    /// Each step keeps what a later one sends.
    fn keeps(&mut self, session: &mut Session) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for step in session.steps.iter_mut().rev() {
            for correlation in self.enabled().filter(|correlation| wanted.contains(&correlation.name)) {
                for site in correlation.from.iter().filter(|site| site.endpoint == step.endpoint) {
                    match lookup(&site.at) {
                        Some((lookup, which)) => {
                            step.keeps.push(Keep { name: correlation.name.clone(), lookup, which });
                        }
                        None => {
                            self.notes.insert(format!("nothing is taken from {}", site.at));
                        }
                    }
                }
            }
            for one in step.extract.0.iter().filter(|one| wanted.contains(&one.name)) {
                let found = if let Finder::At(at) = &one.from { lookup(at) } else { None };
                match found {
                    Some((lookup, which)) => step.keeps.push(Keep { name: one.name.clone(), lookup, which }),
                    None => {
                        self.notes.insert(format!("nothing is taken from {}", one.from));
                    }
                }
            }
            wanted.extend(step.wants());
        }
    }
}

impl Step {
    /// Names of the correlations that it sends.
    fn wants(&self) -> Vec<String> {
        let source = |piece: &Piece| match piece {
            Piece::Value(Value { origin: Origin::Kept { name, .. }, .. }) => Some(name.clone()),
            _ => None,
        };
        self.texts().into_iter().flatten().filter_map(source).collect()
    }

    /// Everything in it that may hold a value.
    pub(super) fn texts(&self) -> Vec<&Text> {
        let mut texts = vec![&self.path];
        texts.extend(self.headers.iter().chain(&self.cookies).map(|(_, text)| text));
        match &self.body {
            Body::Form(pairs) => texts.extend(pairs.iter().map(|(_, text)| text)),
            Body::Text(text) => texts.push(text),
            Body::None | Body::Binary(_) => {}
        }
        texts
    }
}
