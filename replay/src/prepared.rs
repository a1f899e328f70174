//! A scenario brought into the form in which it is played: every session compiled, every name resolved.
//!
//! Sessions are held in memory, each recorded request once; where they are larger than they may be there, each is read and
//! compiled again when it is due (`stream.rs`), and a few bytes are held.

mod asks;
mod bind;
mod compiler;
mod data;
mod endpoints;
mod identities;
mod load;
mod picks;
mod reading;
mod session;
mod sessions;
mod shapes;
mod spoken;
mod stream;
mod vary;
mod walks;

use std::path::Path;
use std::sync::Arc;

use mynah_message::Locator;
use mynah_traffic::scenario::{
    Behaviour, Chosen, Expect, Maker, Overrides, RowOrder, Scenario, Span, ThinkTime, Wait,
};
use mynah_traffic::{Endpoint, Scheme};
use sha2::{Digest as _, Sha256};

use crate::protocol::Protocol;
use crate::template::{Need, Template};
use crate::timetable::Share;
use crate::{Error, Script};

pub(crate) use asks::Asks;
pub(crate) use data::DataPlan;
pub(crate) use endpoints::EndpointTable;
pub(crate) use identities::Identities;
pub(crate) use picks::Picks;
pub(crate) use session::SessionPlan;
pub(crate) use sessions::Sessions;
pub(crate) use shapes::ShapeTable;
pub(crate) use spoken::{PeerPlan, Spoken};
pub(crate) use stream::{Recorded, Stream};
pub(crate) use walks::Walks;

/// Bytes of memory in which recorded sessions are kept, where nothing else is said.
pub const MEMORY: u64 = 512 << 20;

/// How a scenario is read.
#[derive(Clone, Debug)]
pub struct Loading {
    /// Variables that are said elsewhere.
    pub overrides: Overrides,
    /// What of it is played, by tags.
    pub chosen: Chosen,
    /// What its steps may speak besides HTTP.
    pub protocols: Vec<Arc<dyn Protocol>>,
    /// Recorded sessions are kept in memory where all of them together take no more than so many bytes. Else none is kept: all are
    /// read once, so that what is wrong with any is told, and again when they are due.
    pub memory: u64,
}

impl Default for Loading {
    fn default() -> Self {
        Loading {
            overrides: Overrides::default(),
            chosen: Chosen::default(),
            protocols: Vec::new(),
            memory: MEMORY,
        }
    }
}

/// Warnings that are kept; a scenario edited wrongly has one for every session.
const WARNINGS: usize = 100;

/// One place where requests went in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// With its port where that is not the default; empty in a step that names none.
    pub(crate) host: String,
}

/// Why a step is no HTTP request.
#[derive(Debug)]
pub(crate) enum NotHttp {
    /// It speaks another protocol.
    Spoken(Box<Spoken>),
    /// It cannot be sent, for this reason.
    Unsendable(String),
}

/// One request of a session, compiled.
#[derive(Debug)]
pub(crate) struct StepPlan {
    /// Index into the run's endpoints: what it is counted by.
    pub(crate) endpoint: u32,
    /// Index into [`Plan::extracts`]: the endpoint whose answers it gets, whatever it is counted by.
    pub(crate) site: u32,
    /// Index into [`Plan::origins`]; [`NO_ORIGIN`] over another protocol.
    pub(crate) origin: u32,
    pub(crate) connection: u32,
    pub(crate) waits_for: Option<u32>,
    pub(crate) think: Span,
    /// Or why it is no HTTP request.
    pub(crate) template: Result<Template, NotHttp>,
    pub(crate) expect: Expect,
    /// What a person asks of its answers, and takes from them.
    pub(crate) asks: Option<Box<Asks>>,
    /// Group of what its answers are like, in [`Plan::shapes`].
    pub(crate) shapes: u32,
    /// The recorded path without query: decides which cookies go with it.
    pub(crate) path: String,
    /// The same as it is sent, where paths are rewritten and the step was read when it was due; else the run knows it.
    pub(crate) cookie_path: Option<Box<str>>,
    /// Written by hand: a value that is missing keeps it from being sent, as there is no recorded one.
    pub(crate) inline: bool,
    /// Bytes of the recorded request's body.
    pub(crate) body_bytes: u32,
}

/// Of steps that go to a peer.
pub(crate) const NO_ORIGIN: u32 = u32::MAX;

/// One profile with its sessions.
#[derive(Debug)]
pub(crate) struct ProfilePlan {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) behaviour: Option<Behaviour>,
    pub(crate) think_time: Option<ThinkTime>,
    /// Users of the closed model that are always of this kind.
    pub(crate) users: Option<u32>,
    pub(crate) wait: Wait,
    /// Steps are drawn instead of played in order.
    pub(crate) picks: Option<Picks>,
    /// What a user does first and last; empty where nothing.
    pub(crate) on_start: SessionPlan,
    pub(crate) on_stop: SessionPlan,
    /// Data sets that it uses, by number, and whether a user keeps its row for all its sessions.
    pub(crate) data: Vec<(u32, bool)>,
    /// Of all sessions that are kept in memory, one after the other.
    pub(crate) steps: Vec<StepPlan>,
    /// Of what is done first and last.
    pub(crate) around: Vec<StepPlan>,
    /// As recorded, or written by hand.
    pub(crate) sessions: Sessions,
    /// By session: when it began, nanoseconds from the start of the recording; empty in a hand-written one.
    pub(crate) starts: Vec<u64>,
    /// By session and column of the identities: what was recorded. Empty where a file has them, and of streamed sessions: these
    /// are not walked along.
    pub(crate) people: Vec<Box<[Option<String>]>>,
}

/// A value that is made anew.
#[derive(Debug)]
pub(crate) struct VaryPlan {
    pub(crate) maker: Maker,
    /// Values that a recorded session has of it at most.
    pub(crate) per_session: u64,
}

/// What is taken from the responses of one endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extracts {
    /// Number of the correlation and where its values stand.
    pub(crate) sites: Vec<(u32, Locator)>,
    /// Whether any of them stands in the body.
    pub(crate) body: bool,
}

/// A scenario ready to be played. A handle: cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) plan: Arc<Plan>,
}

/// What is shared by all sending threads.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) endpoints: EndpointTable,
    pub(crate) origins: Vec<Origin>,
    /// What the program speaks besides HTTP.
    pub(crate) protocols: Vec<Arc<dyn Protocol>>,
    /// Places that steps of these go to.
    pub(crate) peers: Vec<PeerPlan>,
    pub(crate) profiles: Vec<ProfilePlan>,
    /// Names of the correlations that are switched on.
    pub(crate) correlations: Vec<String>,
    /// By endpoint.
    pub(crate) extracts: Vec<Extracts>,
    pub(crate) shapes: ShapeTable,
    pub(crate) identities: Identities,
    /// Those that are switched on.
    pub(crate) vary: Vec<VaryPlan>,
    pub(crate) data: Vec<DataPlan>,
    /// By profile: those that share a data set have the same number.
    pub(crate) groups: Arc<[u32]>,
    pub(crate) warnings: Vec<String>,
    /// The script that the scenario names.
    pub(crate) script: Option<Script>,
    /// Where sessions are read that are not kept.
    pub(crate) stream: Option<Stream>,
}

impl Prepared {
    /// Reads a scenario with the session files and identities that it names (relative to it) and compiles it.
    ///
    /// # Errors
    /// [`Error::Traffic`] when a file cannot be read or is not what it should be; [`Error::Config`] when the scenario asks
    /// for what is not there. Both say where.
    pub fn load(scenario: &Path) -> Result<Prepared, Error> {
        Prepared::load_with(scenario, &Loading::default())
    }

    /// The same, read as is said.
    ///
    /// # Errors
    /// As [`Prepared::load`]; where a variable or a tag is named that there is not; and where a step is of a protocol that is not
    /// spoken, or that cannot read it, with its place.
    pub fn load_with(scenario: &Path, how: &Loading) -> Result<Prepared, Error> {
        let mut parsed = Scenario::load_with(scenario, &how.overrides)?;
        parsed.choose(&how.chosen)?;
        let folder = scenario.parent().unwrap_or(Path::new(""));
        load::load(parsed, folder, scenario, how)
    }

    /// Compiles a scenario that was made rather than read. `folder`: what the files it names are relative to.
    ///
    /// # Errors
    /// As [`Prepared::load`].
    pub fn from_scenario(scenario: Scenario, folder: &Path) -> Result<Prepared, Error> {
        load::load(scenario, folder, Path::new("scenario"), &Loading::default())
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.plan.scenario
    }

    /// Every endpoint that requests can be counted by.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.plan.endpoints.all()
    }

    /// Sessions that there are to play.
    pub fn sessions(&self) -> usize {
        self.plan.profiles.iter().map(|profile| profile.sessions.len()).sum()
    }

    /// Bytes of memory that the recorded sessions would take, about, where they are read when they are due instead.
    pub fn streams(&self) -> Option<u64> {
        self.plan.stream.as_ref().map(|stream| stream.bytes)
    }

    /// What of the scenario means nothing to a run with these options, in sentences.
    pub fn notes(&self, options: &crate::Options) -> Vec<String> {
        crate::load::notes(&self.plan, options)
    }

    /// What could not be done as written and is sent as recorded (at most a hundred sentences).
    pub fn warnings(&self) -> &[String] {
        &self.plan.warnings
    }
}

impl StepPlan {
    /// Where it goes over another protocol than HTTP: index into [`Plan::peers`].
    pub(crate) fn peer(&self) -> Option<u32> {
        match &self.template {
            Err(NotHttp::Spoken(spoken)) => Some(spoken.peer),
            _ => None,
        }
    }

    /// The values that it wants, in order.
    pub(crate) fn needs(&self) -> Vec<&Need> {
        match &self.template {
            Ok(template) => template.needs.iter().collect(),
            Err(NotHttp::Spoken(spoken)) => spoken.needs().collect(),
            Err(NotHttp::Unsendable(_)) => Vec::new(),
        }
    }

    /// Bytes of memory that it takes besides the recorded message, about.
    fn weight(&self) -> u64 {
        let template = self.template.as_ref().map_or(0, Template::weight);
        (size_of::<StepPlan>() + self.path.len() + template) as u64
    }

    /// Adds what it is told by.
    fn mark(&self, hash: &mut Sha256) {
        let waits =
            (self.endpoint, self.origin, self.connection, self.waits_for, self.think, self.body_bytes);
        hash.update(format!("{waits:?} {}", self.path));
    }
}

impl ProfilePlan {
    /// Requests of a session on average: the session's own, and what a user does first and last.
    pub(crate) fn mean_requests(&self) -> (f64, f64) {
        let mean = self.sessions.requests() as f64 / self.sessions.len().max(1) as f64;
        let own = self.picks.as_ref().and_then(|picks| picks.per_session).map_or(mean, f64::from);
        (own, (self.on_start.len() + self.on_stop.len()) as f64)
    }

    /// Requests of a session of so many steps, a whole user's where there is one for each.
    pub(crate) fn requests_of(&self, steps: usize) -> usize {
        let own = self.picks.as_ref().and_then(|picks| picks.per_session).map_or(steps, |n| n as usize);
        own + self.on_start.len() + self.on_stop.len()
    }

    /// Whether a session of it goes on until somebody ends it.
    pub(crate) fn is_endless(&self) -> bool {
        self.picks.as_ref().is_some_and(|picks| picks.per_session.is_none())
    }
}

impl Plan {
    /// Whether every session needs a row of which there is only one each: when none is left nobody has anything to do.
    pub(crate) fn lives_on_rows(&self) -> bool {
        let once = |(set, _): &(u32, bool)| {
            self.data.get(*set as usize).is_some_and(|data| data.pick == RowOrder::Once)
        };
        let can = |profile: &&ProfilePlan| profile.weight > 0.0 && !profile.sessions.is_empty();
        self.profiles.iter().filter(can).all(|profile| profile.data.iter().any(once))
    }

    /// Whether users of the closed model are of one profile each, for as long as they are there.
    pub(crate) fn binds_users(&self) -> bool {
        self.profiles.iter().any(|profile| {
            profile.users.is_some()
                || profile.is_endless()
                || profile.on_start.len() + profile.on_stop.len() > 0
        })
    }

    /// The number of the profile with that name.
    pub(crate) fn profile(&self, name: &str) -> Option<u32> {
        self.profiles.iter().position(|profile| profile.name == name).map(|at| at as u32)
    }

    /// What the timetable needs to know; `walks`: how many sessions there are of a profile that plays no recorded ones.
    pub(crate) fn shares(&self, walks: &[Option<usize>]) -> Vec<Share> {
        let share = |(number, profile): (usize, &ProfilePlan)| {
            let sessions = walks.get(number).copied().flatten().unwrap_or(profile.sessions.len());
            Share { weight: profile.weight, sessions: u32::try_from(sessions).unwrap_or(u32::MAX) }
        };
        self.profiles.iter().enumerate().map(share).collect()
    }

    /// How a profile's sessions are made: a flag over its own word over the scenario's.
    pub(crate) fn behaviour(&self, profile: &ProfilePlan, flag: Option<Behaviour>) -> Behaviour {
        flag.or(profile.behaviour).or(self.scenario.behaviour).unwrap_or_default()
    }
}
