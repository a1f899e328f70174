//! Reading and compiling.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_message::{Head, Limits, Target, View};
use mynah_traffic::scenario::{
    Chosen, Expect, InlineStep, Order, Profile, Scenario, SessionScript, SessionsReader, Source, Span, Step,
    place_in,
};
use mynah_traffic::{Correlation, Endpoint};

use url::Url;

use super::bind::Bindings;
use super::reading::only_reading;
use super::vary::Varied;
use super::{
    Asks, DataPlan, EndpointTable, Extracts, Identities, NO_ORIGIN, NotHttp, Origin, PeerPlan, Picks, Plan,
    Prepared, ProfilePlan, SessionPlan, ShapeTable, Spoken, StepPlan, VaryPlan, WARNINGS, data, spoken,
};
use crate::protocol::Protocol;
use crate::script::PREFIX;
use crate::template::{Names, NeedSource, compile, reads_body};
use crate::{Error, Script};

struct Loader<'a> {
    place: &'a Path,
    endpoints: EndpointTable,
    origins: Vec<Origin>,
    protocols: &'a [Arc<dyn Protocol>],
    peers: Vec<PeerPlan>,
    /// Names of the correlations that are switched on, then of what steps extract.
    correlations: Vec<String>,
    data: Vec<DataPlan>,
    /// Data sets whose row a user of the profile in hand keeps.
    kept_sets: Vec<u32>,
    columns: Vec<String>,
    /// The identities' columns in the scenario, where there is no file.
    recorded_columns: Vec<String>,
    bindings: Bindings,
    varied: Varied,
    vary: Vec<String>,
    shapes: ShapeTable,
    warnings: Vec<String>,
    /// Sessions that the scenario says it was learnt from.
    recorded_sessions: Option<u64>,
    /// Some of it was left out on purpose: correlations may have nowhere to go.
    partly: bool,
    read_only: bool,
    /// Recorded requests that are not sent, and of how many.
    left_out: (usize, usize),
}

pub(super) fn load(
    scenario: Scenario,
    folder: &Path,
    place: &Path,
    chosen: &Chosen,
    protocols: &[Arc<dyn Protocol>],
) -> Result<Prepared, Error> {
    let partly = !chosen.is_everything();
    let wrong = |message: String| Error::Config(format!("{}: {message}", place.display()));
    let identities = read_identities(&scenario, folder)?;
    let enabled: Vec<&Correlation> = scenario.correlations.iter().filter(|c| c.enabled).collect();
    let mut values: Vec<String> = enabled.iter().map(|correlation| correlation.name.clone()).collect();
    for one in scenario.profiles.iter().flat_map(Profile::all_steps).flat_map(|step| &step.extract.0) {
        if !values.contains(&one.name) {
            values.push(one.name.clone());
        }
    }
    for name in scripted_names(&scenario)? {
        if !values.contains(&name) {
            values.push(name);
        }
    }
    let script = scenario.script.as_ref().map(|file| Script::load(&folder.join(file))).transpose()?;
    let sets = data::read(&scenario, folder)?;
    let by_profile = data::by_profile(&scenario, &sets)?;
    let groups = data::groups(&by_profile);
    let mut loader = Loader {
        place,
        endpoints: EndpointTable::of(&scenario),
        origins: Vec::new(),
        protocols,
        peers: Vec::new(),
        correlations: values,
        data: sets,
        kept_sets: Vec::new(),
        columns: identities.columns.clone(),
        recorded_columns: match &scenario.identities {
            Some(own) if own.file.is_none() => own.columns.iter().map(|column| column.name.clone()).collect(),
            _ => Vec::new(),
        },
        bindings: Bindings::of(&scenario),
        vary: Vec::new(),
        varied: Varied::of(&scenario),
        shapes: ShapeTable::default(),
        warnings: Vec::new(),
        recorded_sessions: scenario.recorded.as_ref().map(|recorded| recorded.sessions),
        partly,
        read_only: chosen.read_only,
        left_out: (0, 0),
    };
    for (number, set) in loader.data.iter().enumerate() {
        let used = by_profile.iter().flatten().any(|(known, _)| *known as usize == number);
        if !used && !partly {
            loader.warnings.push(format!("[data.{}]: no step sends anything of it", set.name));
        }
    }
    loader.vary = loader.varied.names().collect();
    let mut files: BTreeMap<PathBuf, SessionsReader> = BTreeMap::new();
    let mut profiles = Vec::new();
    for (profile, own_data) in scenario.profiles.iter().zip(by_profile) {
        loader.kept_sets = own_data.iter().filter(|(_, keeps)| *keeps).map(|(set, _)| *set).collect();
        let mut plan = ProfilePlan {
            name: profile.name.clone(),
            weight: profile.weight,
            behaviour: profile.behaviour,
            think_time: profile.think_time,
            users: profile.users,
            wait: profile.wait.unwrap_or_default(),
            picks: None,
            on_start: SessionPlan::default(),
            on_stop: SessionPlan::default(),
            data: own_data,
            steps: Vec::new(),
            sessions: Vec::new(),
            starts: Vec::new(),
            people: Vec::new(),
        };
        match &profile.sessions_from {
            None => loader.inline(profile, &mut plan)?,
            Some(from) => {
                let (file, cluster) = from.rsplit_once('#').ok_or_else(|| {
                    wrong(format!(
                        "profile '{}': sessions_from = '{from}': expected FILE#CLUSTER, such as \
                         'scenario.sessions#buyer'",
                        profile.name
                    ))
                })?;
                let path = folder.join(file);
                if !files.contains_key(&path) {
                    let reader = SessionsReader::open(&path)?;
                    loader.compare(&path, &reader);
                    files.insert(path.clone(), reader);
                }
                let Some(reader) = files.get_mut(&path) else { continue };
                loader.recorded(profile, reader, (&path, cluster), &mut plan)?;
            }
        }
        plan.on_start = loader.chain(profile, &profile.on_start, &mut plan)?;
        plan.on_stop = loader.chain(profile, &profile.on_stop, &mut plan)?;
        profiles.push(plan);
    }
    if let (out, all) = loader.left_out
        && out > 0
    {
        loader
            .warnings
            .push(format!("{out} of {all} recorded requests may change something, and are left out"));
    }
    let extracts = loader.extracts(&enabled);
    let makers = scenario.vary.iter().filter(|vary| vary.enabled);
    let vary = makers.zip(loader.varied.most());
    let vary = vary.map(|(vary, &most)| VaryPlan { maker: vary.make.clone(), per_session: most }).collect();
    let Loader { endpoints, origins, peers, correlations, shapes, warnings, data, .. } = loader;
    let plan = Plan {
        scenario,
        endpoints,
        origins,
        protocols: protocols.to_vec(),
        peers,
        profiles,
        correlations,
        extracts,
        shapes,
        identities,
        vary,
        data,
        groups,
        warnings,
        script,
    };
    Ok(Prepared { plan: Arc::new(plan) })
}

/// Names of what steps want of a script, `${script.NAME}`.
fn scripted_names(scenario: &Scenario) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for step in scenario.profiles.iter().flat_map(Profile::all_steps) {
        for injection in step.to_step(0, "localhost", None)?.injections {
            for source in injection.source.singles() {
                if let Source::Correlation { name, .. } = source
                    && name.starts_with(PREFIX)
                {
                    names.push(name.clone());
                }
            }
        }
    }
    Ok(names)
}

fn read_identities(scenario: &Scenario, folder: &Path) -> Result<Identities, Error> {
    let Some(identities) = &scenario.identities else { return Ok(Identities::default()) };
    let Some(file) = &identities.file else { return Ok(Identities::default()) };
    let mut wanted: Vec<&str> = identities.columns.iter().map(|column| column.name.as_str()).collect();
    let mut inline = Vec::new();
    for step in scenario.profiles.iter().flat_map(Profile::all_steps) {
        for injection in step.to_step(0, "localhost", None)?.injections {
            for source in injection.source.singles() {
                if let Source::Identity { column } = source {
                    inline.push(column.clone());
                }
            }
        }
    }
    wanted.extend(inline.iter().map(String::as_str));
    Identities::read(&folder.join(file), &wanted)
}

impl Loader<'_> {
    fn warn(&mut self, text: String) {
        if self.warnings.len() < WARNINGS && !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Warns of a session file that another scenario was written with.
    fn compare(&mut self, path: &Path, reader: &SessionsReader) {
        let there = reader.index().len() as u64;
        if let Some(learnt) = self.recorded_sessions.filter(|learnt| *learnt != there) {
            self.warn(format!(
                "{}: holds {there} sessions, and the scenario was learnt from {learnt}: it belongs to another one, or was made again since",
                path.display()
            ));
        }
    }

    fn origin(&mut self, step: &Step) -> u32 {
        let origin = Origin { scheme: step.scheme, host: step.host.to_ascii_lowercase() };
        if let Some(at) = self.origins.iter().position(|known| *known == origin) {
            return at as u32;
        }
        self.origins.push(origin);
        (self.origins.len() - 1) as u32
    }

    fn inline(&mut self, profile: &Profile, plan: &mut ProfilePlan) -> Result<(), Error> {
        let session = self.chain(profile, &profile.steps, plan)?;
        plan.sessions.push(session);
        if profile.order == Some(Order::Weighted) {
            let weights = profile.steps.iter().map(|step| step.weight.unwrap_or(1.0));
            plan.picks = Some(Picks::new(weights, profile.steps_per_session));
        }
        Ok(())
    }

    /// Written steps, one after the other.
    fn chain(
        &mut self,
        profile: &Profile,
        steps: &[InlineStep],
        plan: &mut ProfilePlan,
    ) -> Result<SessionPlan, Error> {
        let mut order = Vec::with_capacity(steps.len());
        for (number, inline) in steps.iter().enumerate() {
            let previous = number.checked_sub(1).map(|number| number as u32);
            order.push((plan.steps.len() as u32, previous));
            let mut made = if let Some(protocol) = &inline.protocol {
                self.spoken(&profile.name, inline, protocol)?
            } else {
                let (step, site) = self.inline_step(inline, previous)?;
                StepPlan { site, ..self.step(&profile.name, &step, &[], true) }
            };
            made.waits_for = previous;
            made.think = inline.pause()?;
            let number =
                |name: &str| self.correlations.iter().position(|known| known == name).map(|at| at as u32);
            made.asks = Asks::of(inline, number);
            plan.steps.push(made);
        }
        Ok(SessionPlan::of(&order))
    }

    /// The step, counted by its name where it has one; and the endpoint that it goes to.
    fn inline_step(&mut self, inline: &InlineStep, previous: Option<u32>) -> Result<(Step, u32), Error> {
        let (_, host, method, target) = inline.parts()?;
        let path = Target::parse(target).path;
        let mut step = inline.to_step(0, "localhost", previous)?;
        let operation = mynah_traffic::operation(&step.request);
        let operation = operation.as_ref().map(|(name, value)| (*name, value.as_str()));
        let site = self.endpoints.number_of(method, host.unwrap_or(""), path, operation);
        step.endpoint = match &inline.name {
            Some(name) => self.endpoints.named(method, name),
            None => site,
        };
        if host.is_none() {
            step.host = String::new();
        }
        Ok((step, site))
    }

    /// A step of another protocol than HTTP.
    fn spoken(&mut self, profile: &str, inline: &InlineStep, protocol: &str) -> Result<StepPlan, Error> {
        let text = inline.text();
        let wrong = |why: String| {
            Error::Traffic(mynah_traffic::Error::Config {
                path: self.place.to_path_buf(),
                place: place_in(self.place, text),
                message: format!("profile '{profile}': step '{text}': {why}"),
            })
        };
        let (number, speaker) = spoken::find(self.protocols, protocol).map_err(wrong)?;
        // The URL itself is not told: a password may stand in it.
        let to = inline.to.as_deref().map(|to| {
            Url::parse(to).map_err(|error| {
                wrong(format!("'to' is no URL ({error}); expected one such as {protocol}://127.0.0.1:1234"))
            })
        });
        let to = to.transpose()?;
        let known = |peer: &PeerPlan| peer.protocol == number && peer.to == to;
        let at = self.peers.iter().position(known).unwrap_or(self.peers.len()) as u32;
        let names = self.names(true);
        let compiled = Spoken::compile(inline, at, speaker, &names).map_err(wrong)?;
        if at as usize == self.peers.len() {
            self.peers.push(PeerPlan { protocol: number, to });
        }
        let endpoint = self.endpoints.named(protocol, &spoken::name_of(inline));
        Ok(StepPlan {
            endpoint,
            site: endpoint,
            origin: NO_ORIGIN,
            connection: 0,
            waits_for: None,
            think: Span::default(),
            template: Err(NotHttp::Spoken(Box::new(compiled))),
            expect: Expect::default(),
            asks: None,
            shapes: self.shapes.unknown(endpoint),
            path: String::new(),
            inline: true,
            body_bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
        })
    }

    fn names(&self, inline: bool) -> Names<'_> {
        Names {
            correlations: &self.correlations,
            columns: &self.columns,
            recorded_columns: &self.recorded_columns,
            vary: &self.vary,
            data: &self.data,
            kept_sets: &self.kept_sets,
            inline,
        }
    }

    fn recorded(
        &mut self,
        profile: &Profile,
        reader: &mut SessionsReader,
        (path, cluster): (&Path, &str),
        plan: &mut ProfilePlan,
    ) -> Result<(), Error> {
        let by_profile = reader.by_profile();
        let Some(positions) = by_profile.get(cluster).cloned() else {
            let known: Vec<&str> = by_profile.keys().copied().take(20).collect();
            let known = known.join(", ");
            return Err(Error::Config(format!(
                "{}: profile '{}': its session file has no session of '{cluster}' (there are: {known})",
                self.place.display(),
                profile.name
            )));
        };
        let table = reader.tables().endpoints.clone();
        let numbers: Vec<u32> = table.iter().map(|endpoint| self.endpoints.number(endpoint)).collect();
        let shapes: Vec<u32> = numbers
            .iter()
            .zip(0..)
            .map(|(&endpoint, at)| self.shapes.group((path, at), endpoint, reader.shapes()))
            .collect();
        for position in positions {
            let script = reader.read(position)?;
            self.session(plan, script, &table, (&numbers, &shapes));
        }
        Ok(())
    }

    fn session(
        &mut self,
        profile: &mut ProfilePlan,
        script: SessionScript,
        table: &[Endpoint],
        (numbers, shapes): (&[u32], &[u32]),
    ) {
        let all = script.steps.len();
        let steps = if self.read_only { only_reading(script.steps) } else { script.steps };
        self.left_out.0 += all - steps.len();
        self.left_out.1 += all;
        if steps.is_empty() {
            return;
        }
        let mut seen = self.varied.fresh();
        let mut person: Box<[Option<String>]> = vec![None; self.recorded_columns.len()].into();
        let mut order = Vec::with_capacity(steps.len());
        for mut step in steps {
            let mut again = Vec::new();
            if let Some(endpoint) = table.get(step.endpoint as usize) {
                let found = step.injections.iter().filter_map(|one| self.bindings.bind(one, endpoint));
                step.injections = found.collect();
                self.note_person(&step, &mut person);
                again = self.varied.bind(&mut step, endpoint, &mut seen);
            }
            let mut plan = self.step(&profile.name, &step, &again, false);
            // The reader has checked that every step's endpoint is in its table.
            plan.endpoint = numbers.get(step.endpoint as usize).copied().unwrap_or(0);
            plan.site = plan.endpoint;
            plan.shapes = shapes.get(step.endpoint as usize).copied().unwrap_or(plan.shapes);
            order.push((profile.steps.len() as u32, step.waits_for));
            profile.steps.push(plan);
        }
        profile.sessions.push(SessionPlan::of(&order));
        profile.starts.push(script.start.0);
        if !person.is_empty() {
            profile.people.push(person);
        }
    }

    /// Keeps what a recorded user logged in with: a walk over several sessions is one user's.
    fn note_person(&self, step: &Step, person: &mut [Option<String>]) {
        if person.is_empty() {
            return;
        }
        let mut view = None;
        for injection in &step.injections {
            let Source::Identity { column } = &injection.source else { continue };
            let at = self.recorded_columns.iter().position(|known| known == column);
            let Some(value) = at.and_then(|at| person.get_mut(at)).filter(|value| value.is_none()) else {
                continue;
            };
            let view = view.get_or_insert_with(|| View::open(&step.request, &Limits::default()));
            let Ok(view) = view else { return };
            *value = view.extract_all(&injection.at).into_iter().next();
        }
    }

    /// `again`: injections of values made anew that the session has had, with how many newer ones there are.
    fn step(&mut self, profile: &str, step: &Step, again: &[(usize, u32)], inline: bool) -> StepPlan {
        let origin = self.origin(step);
        let mut told = Vec::new();
        let names = self.names(inline);
        let mut template = compile(&step.request, &step.injections, &names, &mut |text| told.push(text));
        if let Ok(template) = &mut template {
            for (number, newer) in again {
                if let Some(NeedSource::Vary { back, .. }) =
                    template.needs.get_mut(*number).map(|need| &mut need.source)
                {
                    *back = Some(*newer);
                }
            }
        }
        let head = Head::parse(&step.request.head).ok();
        let (method, path) = match &head {
            Some(head) => {
                let path = head.target().map_or("/", |target| Target::parse(target).path);
                (head.method().unwrap_or("?"), if path.is_empty() { "/" } else { path })
            }
            None => ("?", "/"),
        };
        if let Err(why) = &template {
            told.push(format!("it cannot be sent: {why}"));
        }
        for text in told {
            self.warn(format!("profile '{profile}', {method} {path}: {text}"));
        }
        StepPlan {
            endpoint: step.endpoint,
            site: step.endpoint,
            origin,
            connection: step.connection,
            waits_for: step.waits_for,
            think: Span::fixed(step.think),
            template: template.map_err(NotHttp::Unsendable),
            expect: step.expect.clone(),
            asks: None,
            // Steps of session files get their own.
            shapes: self.shapes.unknown(step.endpoint),
            path: path.to_owned(),
            inline,
            body_bytes: u32::try_from(step.request.body.len()).unwrap_or(u32::MAX),
        }
    }

    fn extracts(&mut self, correlations: &[&Correlation]) -> Vec<Extracts> {
        let mut extracts = vec![Extracts::default(); self.endpoints.all().len()];
        for (number, correlation) in correlations.iter().enumerate() {
            if correlation.from.is_empty() {
                self.warn(format!(
                    "correlation '{}': 'from' is empty, so it never gets a value",
                    correlation.name
                ));
            }
            for site in &correlation.to {
                if !self.partly && self.endpoints.find(&site.endpoint.to_string()).is_none() {
                    self.warn(format!(
                        "correlation '{}': no request goes to '{}', so nothing is sent there",
                        correlation.name, site.endpoint
                    ));
                }
            }
            for site in &correlation.from {
                let found = self.endpoints.find(&site.endpoint.to_string());
                match found.and_then(|at| extracts.get_mut(at as usize)) {
                    Some(extract) => {
                        extract.sites.push((number as u32, site.at.clone()));
                        extract.body |= reads_body(&site.at);
                    }
                    None if self.partly => {}
                    None => self.warn(format!(
                        "correlation '{}': no request goes to '{}', so it never gets a value from there",
                        correlation.name, site.endpoint
                    )),
                }
            }
        }
        extracts
    }
}
