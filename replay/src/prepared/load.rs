//! Reading and compiling.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_message::Target;
use mynah_traffic::Correlation;
use mynah_traffic::scenario::{
    Conduct, Expect, InlineStep, Order, Profile, Scenario, SessionsReader, Source, Span, Step, place_in,
};

use url::Url;

use super::bind::Bindings;
use super::compiler::{ByHand, Compiler, Numbers, Spot};
use super::sessions::Streamed;
use super::vary::Varied;
use super::{
    Asks, DataPlan, EndpointTable, Extracts, Identities, Loading, NO_ORIGIN, NotHttp, Origin, PeerPlan,
    Picks, Plan, Prepared, ProfilePlan, SessionPlan, Sessions, ShapeTable, Spoken, StepPlan, Stream,
    VaryPlan, WARNINGS, data, spoken,
};
use crate::protocol::Protocol;
use crate::script::PREFIX;
use crate::template::reads_body;
use crate::{Error, Script};

struct Loader<'a> {
    place: &'a Path,
    endpoints: EndpointTable,
    /// What steps are compiled with; it is given what they name first.
    compiler: Compiler,
    protocols: &'a [Arc<dyn Protocol>],
    peers: Vec<PeerPlan>,
    data: Vec<DataPlan>,
    /// By vary: values of one session at most.
    most: Vec<u64>,
    shapes: ShapeTable,
    warnings: Vec<String>,
    /// Sessions that the scenario says it was learnt from.
    recorded_sessions: Option<u64>,
    /// Some of it was left out on purpose: correlations may have nowhere to go.
    partly: bool,
    /// Recorded requests that are not sent, and of how many.
    left_out: (usize, usize),
    /// Bytes of memory that recorded sessions take, or would, and what they may.
    bytes: u64,
    memory: u64,
    /// What streamed sessions did.
    conduct: Conduct,
}

/// A session file, as it is read.
struct SessionFile {
    path: PathBuf,
    reader: SessionsReader,
    numbers: Numbers,
}

pub(super) fn load(
    scenario: Scenario,
    folder: &Path,
    place: &Path,
    how: &Loading,
) -> Result<Prepared, Error> {
    let partly = !how.chosen.is_everything();
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
    let varied = Varied::of(&scenario);
    let mut loader = Loader {
        place,
        endpoints: EndpointTable::of(&scenario),
        protocols: &how.protocols,
        peers: Vec::new(),
        most: vec![1; varied.names().count()],
        compiler: Compiler {
            origins: Vec::new(),
            correlations: values,
            columns: identities.columns.clone(),
            recorded_columns: match &scenario.identities {
                Some(own) if own.file.is_none() => {
                    own.columns.iter().map(|column| column.name.clone()).collect()
                }
                _ => Vec::new(),
            },
            vary: varied.names().collect(),
            bindings: Bindings::of(&scenario),
            varied,
            read_only: how.chosen.read_only,
        },
        data: sets,
        shapes: ShapeTable::default(),
        warnings: Vec::new(),
        recorded_sessions: scenario.recorded.as_ref().map(|recorded| recorded.sessions),
        partly,
        left_out: (0, 0),
        bytes: 0,
        memory: how.memory,
        conduct: Conduct::default(),
    };
    for (number, set) in loader.data.iter().enumerate() {
        let used = by_profile.iter().flatten().any(|(known, _)| *known as usize == number);
        if !used && !partly {
            loader.warnings.push(format!("[data.{}]: no step sends anything of it", set.name));
        }
    }
    let mut files: Vec<SessionFile> = Vec::new();
    let mut profiles: Vec<ProfilePlan> = Vec::new();
    for (profile, own_data) in scenario.profiles.iter().zip(by_profile) {
        let kept_sets: Vec<u32> = own_data.iter().filter(|(_, keeps)| *keeps).map(|(set, _)| *set).collect();
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
            around: Vec::new(),
            sessions: Sessions::default(),
            starts: Vec::new(),
            people: Vec::new(),
        };
        if let Some(from) = &profile.sessions_from {
            let (file, cluster) = from.rsplit_once('#').ok_or_else(|| {
                wrong(format!(
                    "profile '{}': sessions_from = '{from}': expected FILE#CLUSTER, such as \
                     'scenario.sessions#buyer'",
                    profile.name
                ))
            })?;
            let at = loader.open(folder.join(file), &mut files)?;
            let Some(file) = files.get(at) else { continue };
            loader.recorded(profile, (file, at), cluster, (&mut plan, &mut profiles))?;
        } else {
            let session = loader.chain(profile, &profile.steps, &kept_sets, &mut plan.steps)?;
            plan.sessions.keep(session);
            if profile.order == Some(Order::Weighted) {
                let weights = profile.steps.iter().map(|step| step.weight.unwrap_or(1.0));
                plan.picks = Some(Picks::new(weights, profile.steps_per_session));
            }
        }
        plan.on_start = loader.chain(profile, &profile.on_start, &kept_sets, &mut plan.around)?;
        plan.on_stop = loader.chain(profile, &profile.on_stop, &kept_sets, &mut plan.around)?;
        profiles.push(plan);
    }
    if !loader.streams() {
        for profile in &mut profiles {
            profile.sessions.settle();
        }
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
    let vary = makers.zip(&loader.most);
    let vary = vary.map(|(vary, &most)| VaryPlan { maker: vary.make.clone(), per_session: most }).collect();
    let streams = loader.streams();
    let Loader { endpoints, compiler, peers, shapes, warnings, data, bytes, conduct, .. } = loader;
    let plan = Plan {
        scenario,
        endpoints,
        origins: compiler.origins.clone(),
        protocols: how.protocols.clone(),
        peers,
        profiles,
        correlations: compiler.correlations.clone(),
        extracts,
        shapes,
        identities,
        vary,
        data,
        groups,
        warnings,
        script,
        stream: streams.then(|| Stream {
            compiler,
            files: files.into_iter().map(|file| (file.reader, file.numbers)).collect(),
            bytes,
            memory: how.memory,
            conduct,
        }),
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

    /// The number of the session file at this path among those that are open.
    fn open(&mut self, path: PathBuf, files: &mut Vec<SessionFile>) -> Result<usize, Error> {
        if let Some(at) = files.iter().position(|file| file.path == path) {
            return Ok(at);
        }
        let reader = SessionsReader::open(&path)?;
        self.compare(&path, &reader);
        let table = &reader.tables().endpoints;
        let endpoints: Vec<u32> = table.iter().map(|endpoint| self.endpoints.number(endpoint)).collect();
        let shapes = endpoints
            .iter()
            .zip(0..)
            .map(|(&endpoint, at)| self.shapes.group((&path, at), endpoint, reader.shapes()))
            .collect();
        files.push(SessionFile { numbers: Numbers { endpoints, shapes }, path, reader });
        Ok(files.len() - 1)
    }

    /// Whether sessions are read when they are due.
    fn streams(&self) -> bool {
        self.bytes > self.memory
    }

    fn origin(&mut self, step: &Step) -> u32 {
        self.compiler.origin(step).unwrap_or_else(|| {
            let host = step.host.to_ascii_lowercase();
            self.compiler.origins.push(Origin { scheme: step.scheme, host });
            (self.compiler.origins.len() - 1) as u32
        })
    }

    /// Written steps, one after the other, added to `steps`.
    fn chain(
        &mut self,
        profile: &Profile,
        written: &[InlineStep],
        kept_sets: &[u32],
        steps: &mut Vec<StepPlan>,
    ) -> Result<SessionPlan, Error> {
        let mut order = Vec::with_capacity(written.len());
        for (number, inline) in written.iter().enumerate() {
            let previous = number.checked_sub(1).map(|number| number as u32);
            order.push((steps.len() as u32, previous));
            let mut made = if let Some(protocol) = &inline.protocol {
                self.spoken(&profile.name, inline, protocol, kept_sets)?
            } else {
                let (step, site) = self.inline_step(inline, previous)?;
                let (endpoint, origin) = (step.endpoint, self.origin(&step));
                let spot = Spot { endpoint, site, origin, shapes: self.shapes.unknown(endpoint) };
                let by_hand = Some(ByHand { data: &self.data, kept_sets });
                let mut told = Vec::new();
                let made = self.compiler.step(&step, spot, &[], by_hand, &mut |text| told.push(text));
                self.tell(profile, told);
                made
            };
            made.waits_for = previous;
            made.think = inline.pause()?;
            let correlations = &self.compiler.correlations;
            made.asks = Asks::of(inline, |name| {
                correlations.iter().position(|known| known == name).map(|at| at as u32)
            });
            steps.push(made);
        }
        Ok(SessionPlan::of(&order))
    }

    fn tell(&mut self, profile: &Profile, told: Vec<String>) {
        for text in told {
            self.warn(format!("profile '{}', {text}", profile.name));
        }
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
    fn spoken(
        &mut self,
        profile: &str,
        inline: &InlineStep,
        protocol: &str,
        kept_sets: &[u32],
    ) -> Result<StepPlan, Error> {
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
        let names = self.compiler.names(Some(ByHand { data: &self.data, kept_sets }));
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
            cookie_path: None,
            inline: true,
            body_bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
        })
    }

    /// All recorded sessions of a profile, of the file with this number. `before`: profiles whose sessions may have to leave memory.
    fn recorded(
        &mut self,
        profile: &Profile,
        (file, number): (&SessionFile, usize),
        cluster: &str,
        (plan, before): (&mut ProfilePlan, &mut [ProfilePlan]),
    ) -> Result<(), Error> {
        let by_profile = file.reader.by_profile();
        let Some(positions) = by_profile.get(cluster) else {
            let known: Vec<&str> = by_profile.keys().copied().take(20).collect();
            let known = known.join(", ");
            return Err(Error::Config(format!(
                "{}: profile '{}': its session file has no session of '{cluster}' (there are: {known})",
                self.place.display(),
                profile.name
            )));
        };
        plan.sessions.stream(Box::new(Streamed::new(number as u32)));
        for &position in positions {
            let script = file.reader.read_shared(position)?;
            let all = script.steps.len();
            let steps = self.compiler.chosen(script.steps);
            self.left_out.0 += all - steps.len();
            self.left_out.1 += all;
            if steps.is_empty() {
                continue;
            }
            for step in &steps {
                self.origin(step);
            }
            let (table, mut told) = (&file.reader.tables().endpoints, Vec::new());
            let mut tell = |text| told.push(text);
            let compiled = self
                .compiler
                .session(steps, table, &file.numbers, &mut tell)
                .map_err(|what| Error::Engine(format!("{}: {what}", file.path.display())))?;
            self.tell(profile, told);
            for (most, made) in self.most.iter_mut().zip(&compiled.made) {
                *most = (*most).max(*made);
            }
            let streamed = self.streams();
            self.bytes += compiled.bytes;
            plan.starts.push(script.start.0);
            plan.add(compiled, position);
            if self.streams() {
                for profile in before.iter_mut().filter(|_| !streamed) {
                    profile.let_go(&mut self.conduct);
                }
                plan.let_go(&mut self.conduct);
            }
        }
        Ok(())
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
