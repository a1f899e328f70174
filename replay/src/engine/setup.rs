//! Options and scenario brought together: where each recorded origin is sent, and whether it may be.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use mynah_traffic::scenario::{Behaviour, Move, PathRewrite, RowOrder, Span, ThinkTime, Wait, chance};
use mynah_traffic::{Nanos, Scheme};

use super::peer::Peer;
use super::session::{Act, Part};
use crate::middleware::Hook;
use crate::net::{Patience, Place, check_sources, client_config};
use crate::options::{HostHeader, LoadModel, Options, Resolve, Turn};
use crate::prepared::{Origin, Plan, ProfilePlan, Recorded, SessionPlan, StepPlan, Walks};
use crate::script::{Hooks, PREFIX, Scripted};
use crate::target::host_of;
use crate::template::Bound;
use crate::timetable::Card;
use crate::{Error, Signer, Target};

/// What is the same for all threads of a run.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) plan: Arc<Plan>,
    pub(crate) places: Vec<Place>,
    /// By recorded origin: index into `places`.
    pub(crate) place_of: Vec<usize>,
    /// Where steps of other protocols go.
    pub(crate) peers: Vec<Peer>,
    /// By recorded origin.
    pub(crate) bound: Vec<Bound>,
    /// By recorded origin: the recorded host without its port.
    pub(crate) hosts: Vec<String>,
    /// By profile.
    pub(crate) think_times: Vec<ThinkTime>,
    /// By profile.
    waits: Vec<Wait>,
    /// By data set: the order of its rows, where they are shuffled.
    pub(crate) orders: Vec<Vec<u32>>,
    /// What becomes of paths.
    rewrites: Arc<[PathRewrite]>,
    /// Recorded path → as it is sent, where paths are rewritten; of sessions in memory.
    cookie_paths: HashMap<String, String>,
    /// Each profile is played once: steps that would be drawn come one after the other.
    pub(crate) once: bool,
    /// Whether anybody does something at its end.
    pub(crate) says_goodbye: bool,
    /// Sessions of profiles that play no recorded ones.
    walks: Walks,
    pub(crate) seed: u64,
    /// The longest send lag of a request that is not late.
    pub(crate) late_after: Nanos,
    /// How many more values made anew a session may need than any recorded one did.
    pub(crate) vary_room: u64,
    pub(crate) request_timeout: Duration,
    pub(crate) patience: Patience,
    /// Requests under way at the same time, over all threads.
    pub(crate) max_in_flight: Option<u32>,
    /// Redirects of one request that are followed.
    pub(crate) follow_redirects: u32,
    pub(crate) host_header: HostHeader,
    pub(crate) body_checks: bool,
    pub(crate) middleware: Option<Hook>,
    pub(crate) script: Option<Scripted>,
    pub(crate) signers: Vec<Arc<Signer>>,
    pub(crate) turn: Option<Turn>,
    pub(crate) warm_up: Option<Nanos>,
}

impl Setup {
    /// `walks`: how many sessions to make of each profile. Finds the targets, checks that they may be used, and that each can be reached.
    pub(crate) fn new(plan: &Arc<Plan>, options: &Options, walks: &[Option<usize>]) -> Result<Setup, Error> {
        let targets: Vec<&Target> =
            plan.origins.iter().map(|origin| target_of(origin, options)).collect::<Result<_, _>>()?;
        for target in &targets {
            allow(&target.host, target.is_loopback(), plan, options)?;
        }
        check_map(plan, options)?;
        check_sources(&options.bind)?;
        let tls = if targets.iter().any(|target| target.scheme == Scheme::Https) {
            Some(client_config(options)?)
        } else {
            None
        };
        let mut places: Vec<Place> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut place_of = Vec::with_capacity(targets.len());
        for (target, origin) in targets.iter().zip(&plan.origins) {
            let tls = tls.as_ref().filter(|_| target.scheme == Scheme::Https);
            // The certificate is that of whoever is asked for.
            let recorded = host_of(&origin.host);
            let asks =
                host_header(plan, options) == HostHeader::Recorded && tls.is_some() && !recorded.is_empty();
            let name = asks.then_some(recorded.as_str());
            // Connections do not depend on the path that a target is mounted at.
            let key = format!("{} {}", target.place(), name.unwrap_or(""));
            if !known.contains_key(&key) {
                known.insert(key.clone(), places.len());
                places.push(Place::resolve(target, name, tls, options)?);
            }
            place_of.extend(known.get(&key));
        }
        probe(&mut places, options.resolve)?;
        let peers = Peer::all(plan, options)?;
        let walks = Walks::make(plan, walks, options.seed);
        let own =
            |profile: &ProfilePlan| options.think_time(profile.think_time, plan.scenario.load.think_time);
        let rewrites: Arc<[PathRewrite]> =
            plan.scenario.rewrite.path.iter().chain(&options.path_rewrites).cloned().collect();
        Ok(Setup {
            waits: plan.profiles.iter().map(|profile| wait(profile.wait, options.think_time)).collect(),
            orders: plan.data.iter().zip(0..).map(|(set, at)| order(set, at, options.seed)).collect(),
            cookie_paths: cookie_paths(plan, &rewrites),
            once: options.load == LoadModel::Once,
            says_goodbye: plan.profiles.iter().any(|profile| !profile.on_stop.is_empty()),
            bound: bind(plan, &targets, &rewrites, options)?,
            hosts: plan.origins.iter().map(|origin| host_of(&origin.host)).collect(),
            rewrites,
            plan: plan.clone(),
            places,
            place_of,
            peers,
            think_times: plan.profiles.iter().map(own).collect(),
            // A walk may go past more places that want a new value than any one session had.
            vary_room: if walks.any() { 8 } else { 1 },
            walks,
            seed: options.seed,
            late_after: options.late_after.into(),
            request_timeout: options.request_timeout,
            patience: Patience::new(options.first_byte_timeout, options.request_timeout),
            max_in_flight: options.max_in_flight,
            follow_redirects: options.follow_redirects,
            host_header: host_header(plan, options),
            body_checks: options.body_checks,
            middleware: options
                .middleware
                .clone()
                .map(|program| Hook::new(program, options.middleware_timeout)),
            script: scripted(plan, options)?,
            signers: options.signers.clone(),
            turn: options.turn,
            warm_up: options.warm_up,
        })
    }

    /// A thread's hooks, if any is called while requests are sent.
    pub(crate) fn hooks(&self, thread: usize) -> Result<Option<Rc<Hooks>>, Error> {
        let Some(script) = &self.script else { return Ok(None) };
        Ok(script.start(thread, &self.plan.correlations)?.map(Rc::new))
    }

    /// Whether a request that was to start then is counted.
    pub(crate) fn counts(&self, intended: u64) -> bool {
        self.warm_up.is_none_or(|warm_up| intended >= warm_up.0)
    }

    /// Seconds of the blocks that answers are counted by: as long as both turns, where there are two targets.
    pub(crate) fn block_s(&self) -> u32 {
        self.turn.map_or(5, |turn| turn.block_s.max(1).saturating_mul(2))
    }

    /// The longest pause that a step makes.
    pub(crate) fn longest_think(&self) -> Nanos {
        let profiles = self.plan.profiles.iter().zip(&self.think_times);
        let longest = profiles.map(|(profile, think_time)| profile.longest_think(*think_time));
        let waits = self.waits.iter().map(|wait| match wait {
            Wait::Recorded => Nanos(0),
            Wait::Between(span) => span.most,
            Wait::Pacing(span) => *span,
        });
        longest.chain(waits).max().unwrap_or_default()
    }

    /// The sessions that are played of a profile and are in memory: all, or none.
    fn sessions(&self, profile: u32) -> &[SessionPlan] {
        let recorded = || Some(self.plan.profiles.get(profile as usize)?.sessions.kept());
        self.walks.of(profile).or_else(recorded).unwrap_or(&[])
    }

    /// Steps of a session that is played.
    pub(crate) fn length(&self, card: Card) -> usize {
        if let Some(walks) = self.walks.of(card.profile) {
            return walks.get(card.session as usize).map_or(0, SessionPlan::len);
        }
        let profile = self.plan.profiles.get(card.profile as usize);
        profile.map_or(0, |profile| profile.sessions.length(card.session))
    }

    /// What a session in memory did.
    pub(crate) fn moves(&self, card: Card) -> Option<impl Iterator<Item = Move>> {
        let profile = self.plan.profiles.get(card.profile as usize)?;
        Some(self.sessions(card.profile).get(card.session as usize)?.moves(&profile.steps))
    }

    /// What a card stands for. `read`: the session, where it is none that is in memory.
    pub(crate) fn part<'a>(&'a self, card: Card, read: Option<&'a Recorded>) -> Option<Part<'a>> {
        let profile = self.plan.profiles.get(card.profile as usize)?;
        let (session, steps) = match read {
            Some(recorded) => (&recorded.session, &recorded.steps),
            None => (self.sessions(card.profile).get(card.session as usize)?, &profile.steps),
        };
        let (number, at) = (card.profile, card.profile as usize);
        let think_time = self.think_times.get(at).copied().unwrap_or_default();
        let wait = self.waits.get(at).copied().unwrap_or_default();
        Some(Part { number, profile, session, steps, read, think_time, wait, act: Act::Session })
    }

    /// What users of a profile do last.
    pub(crate) fn ending(&self, profile: u32) -> Option<Part<'_>> {
        let plan = self.plan.profiles.get(profile as usize)?;
        let (number, session, steps) = (profile, &plan.on_stop, plan.around.as_slice());
        let think_time = self.think_times.get(profile as usize).copied().unwrap_or_default();
        Some(Part {
            number,
            profile: plan,
            session,
            steps,
            read: None,
            think_time,
            wait: Wait::default(),
            act: Act::Stop,
        })
    }

    /// Bytes that a session takes while it is played, where it has to be read for that.
    pub(crate) fn reads(&self, card: Card) -> Option<u64> {
        self.plan.profiles.get(card.profile as usize)?.sessions.bytes(card.session)
    }

    /// Reads such a session. Takes a while: not for a sending thread.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn read(&self, card: Card) -> Result<Recorded, String> {
        let mut recorded = self.plan.read(card.profile, card.session)?;
        if !self.rewrites.is_empty() {
            for step in &mut recorded.steps {
                step.cookie_path = Some(rewritten(&step.path, &self.rewrites).into());
            }
        }
        Ok(recorded)
    }

    /// The path that cookies go by.
    pub(crate) fn cookie_path<'s>(&'s self, step: &'s StepPlan) -> &'s str {
        if self.rewrites.is_empty() {
            return &step.path;
        }
        let known = || self.cookie_paths.get(&step.path).map(String::as_str);
        step.cookie_path.as_deref().or_else(known).unwrap_or(&step.path)
    }

    /// `recorded`, `markov`, or both.
    pub(crate) fn behaviour(&self) -> String {
        let all = 0..self.plan.profiles.len() as u32;
        let walks = all.filter(|&profile| self.walks.of(profile).is_some()).count();
        match walks {
            0 => Behaviour::Recorded.to_string(),
            n if n == self.plan.profiles.len() => Behaviour::Markov.to_string(),
            n => format!("markov in {n} of {} profiles", self.plan.profiles.len()),
        }
    }
}

/// A flag about pauses holds for waits, too; a pace is part of the load, and stays.
fn wait(own: Wait, flag: Option<ThinkTime>) -> Wait {
    match (own, flag) {
        (Wait::Between(_), Some(ThinkTime::Fixed(span))) => Wait::Between(Span::fixed(span)),
        (Wait::Between(_), Some(ThinkTime::Between(span))) => Wait::Between(span),
        (Wait::Between(own), Some(scaled @ ThinkTime::Scaled(_))) => {
            Wait::Between(Span { least: scaled.apply(own.least), most: scaled.apply(own.most) })
        }
        (own, _) => own,
    }
}

/// The order of a set's rows; empty where it is the file's. Fisher–Yates.
fn order(set: &crate::prepared::DataPlan, number: u64, seed: u64) -> Vec<u32> {
    if set.pick != RowOrder::Shuffle {
        return Vec::new();
    }
    let mut order: Vec<u32> = (0..set.rows.rows.len() as u32).collect();
    for last in (1..order.len()).rev() {
        let other = (chance(seed, [number, 0x6461_7461, last as u64]) * (last as f64 + 1.0)) as usize;
        order.swap(last, other.min(last));
    }
    order
}

/// The script: the flag's, else the scenario's.
fn scripted(plan: &Plan, options: &Options) -> Result<Option<Scripted>, Error> {
    let script = options.script.clone().or_else(|| plan.script.clone());
    if script.is_none()
        && let Some(name) = plan.correlations.iter().find(|name| name.starts_with(PREFIX))
    {
        return Err(Error::Config(format!(
            "'${{{name}}}' is sent, and there is no script to hand it out: script = \"hooks.js\" in the scenario, or --script hooks.js"
        )));
    }
    Ok(script.map(|script| Scripted::new(script, options.seed)))
}

fn cookie_paths(plan: &Plan, rewrites: &[PathRewrite]) -> HashMap<String, String> {
    let mut paths = HashMap::new();
    if rewrites.is_empty() {
        return paths;
    }
    for step in plan.profiles.iter().flat_map(ProfilePlan::steps_at_hand) {
        paths.entry(step.path.clone()).or_insert_with(|| rewritten(&step.path, rewrites));
    }
    paths
}

/// A path as it is sent.
fn rewritten(path: &str, rewrites: &[PathRewrite]) -> String {
    let mut path = path.as_bytes().to_vec();
    for rewrite in rewrites {
        path = rewrite.apply(&path).into_owned();
    }
    let path = String::from_utf8_lossy(&path).into_owned();
    path.split('?').next().unwrap_or_default().to_owned()
}

/// Where requests of a kind go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The recorded host; empty in steps that name none.
    pub recorded: String,
    /// Where its requests go.
    pub target: Target,
    /// By method: requests of all sessions that there are to play.
    pub methods: BTreeMap<String, u64>,
}

/// Where a run with these options would send HTTP requests, by recorded host.
///
/// # Errors
/// [`Error::Config`] and [`Error::Refused`] as a run.
pub fn destinations(prepared: &crate::Prepared, options: &Options) -> Result<Vec<Destination>, Error> {
    let plan = &prepared.plan;
    let mut all = Vec::with_capacity(plan.origins.len());
    for origin in &plan.origins {
        let target = target_of(origin, options)?;
        allow(&target.host, target.is_loopback(), plan, options)?;
        let (recorded, methods) = (origin.host.clone(), BTreeMap::new());
        all.push(Destination { recorded, target: target.clone(), methods });
    }
    check_map(plan, options)?;
    for profile in plan.profiles.iter().filter(|profile| profile.weight > 0.0) {
        for ((origin, method), count) in profile.methods() {
            if let Some(destination) = all.get_mut(origin as usize) {
                *destination.methods.entry(method.to_string()).or_default() += count;
            }
        }
    }
    all.retain(|destination| !destination.methods.is_empty());
    Ok(all)
}

fn target_of<'a>(origin: &Origin, options: &'a Options) -> Result<&'a Target, Error> {
    let mapped = options.map.iter().find(|(host, _)| host.eq_ignore_ascii_case(&origin.host));
    mapped.map(|(_, target)| target).or(options.target.as_ref()).ok_or_else(|| {
        let host = if origin.host.is_empty() { "HOST" } else { &origin.host };
        Error::Config(format!(
            "there is nowhere to send requests for '{}'; give --target URL, or --map {host}=URL",
            origin.host
        ))
    })
}

/// A mapped host that no request goes to is a misspelt one.
fn check_map(plan: &Plan, options: &Options) -> Result<(), Error> {
    let hosts = || plan.origins.iter().map(|origin| origin.host.as_str());
    for (host, _) in &options.map {
        if !hosts().any(|known| known.eq_ignore_ascii_case(host)) {
            let hint = mynah_traffic::nearest(host, hosts())
                .map(|meant| format!("; did you mean '{meant}'?"))
                .unwrap_or_default();
            return Err(Error::Config(format!("--map {host}: no request of the scenario goes there{hint}")));
        }
    }
    Ok(())
}

/// Whether it may be sent to a host; `local`: it is this machine.
pub(super) fn allow(host: &str, local: bool, plan: &Plan, options: &Options) -> Result<(), Error> {
    let own = plan.scenario.recorded.iter().flat_map(|recorded| &recorded.hosts);
    let name = host_of(host);
    let known = own.chain(&plan.scenario.hosts_of_used).any(|recorded| host_of(recorded) == name);
    if known && !local && !options.allow_recorded_host {
        return Err(Error::Refused { host: host.to_owned() });
    }
    Ok(())
}

fn probe(places: &mut [Place], resolve: Resolve) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Engine(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        for place in places {
            place.probe(resolve).await?;
        }
        Ok(())
    })
}

/// What is sent in `Host`: a flag over the scenario's word. A host that the scenario spells out is a header like others.
fn host_header(plan: &Plan, options: &Options) -> HostHeader {
    let recorded = plan.scenario.rewrite.host.as_deref() == Some("recorded");
    options.host_header.unwrap_or(if recorded { HostHeader::Recorded } else { HostHeader::Target })
}

fn bind(
    plan: &Plan,
    targets: &[&Target],
    rewrites: &Arc<[PathRewrite]>,
    options: &Options,
) -> Result<Vec<Bound>, Error> {
    let rewrite = &plan.scenario.rewrite;
    let mut fields = rewrite.fields()?;
    let host_header = host_header(plan, options);
    if let (None, Some(host)) = (options.host_header, rewrite.host.as_deref())
        && host != "target"
        && host != "recorded"
    {
        fields.push(("Host".to_owned(), host.to_owned()));
    }
    fields.retain(|(name, _)| {
        !options.set_headers.iter().any(|(said, _)| said.trim().eq_ignore_ascii_case(name))
    });
    let mut set_headers = Vec::new();
    for (name, value) in fields.iter().chain(&options.set_headers) {
        let wrong = |what: &str| {
            Error::Config(format!("--set-header {name}: the {what} holds a character that no header can"))
        };
        let written = name.trim();
        let name = HeaderName::from_bytes(written.as_bytes()).map_err(|_| wrong("name"))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong("value"))?;
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(Error::Config(format!("--set-header {name}: a request's framing follows its body")));
        }
        set_headers.push((name, [written.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()));
    }
    let set_headers: Arc<[_]> = set_headers.into();
    let origins: Arc<[_]> = plan
        .origins
        .iter()
        .zip(targets)
        .filter(|(origin, _)| !origin.host.is_empty())
        .map(|(origin, target)| {
            let recorded = format!("{}://{}", origin.scheme.as_str(), origin.host);
            (recorded, target.origin(), target.base_path.clone())
        })
        .collect();
    targets
        .iter()
        .map(|target| {
            let authority = target.authority();
            HeaderValue::from_str(&authority).map_err(|_| {
                Error::Config(format!("target {target}: its host cannot be sent in a header"))
            })?;
            Ok(Bound {
                host: (host_header == HostHeader::Target).then(|| authority.clone()),
                rewrites: rewrites.clone(),
                authority,
                base_path: target.base_path.clone(),
                origins: origins.clone(),
                set_headers: set_headers.clone(),
            })
        })
        .collect()
}
