//! A scenario brought into the form in which it is played: every session compiled, every name resolved.
//!
//! Sessions are held in memory, each recorded request once.

mod bind;
mod endpoints;
mod identities;
mod load;

use std::path::Path;
use std::sync::Arc;

use mynah_message::Locator;
use mynah_traffic::scenario::{Expect, Scenario};
use mynah_traffic::{Endpoint, Nanos, Scheme};

use crate::Error;
use crate::template::Template;
use crate::timetable::Share;

pub(crate) use endpoints::EndpointTable;
pub(crate) use identities::Identities;

/// Warnings that are kept; a scenario edited wrongly has one for every session.
const WARNINGS: usize = 100;

/// One place where requests went in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// With its port where that is not the default; empty in a step that names none.
    pub(crate) host: String,
}

/// One request of a session, compiled.
#[derive(Debug)]
pub(crate) struct StepPlan {
    /// Index into the run's endpoints.
    pub(crate) endpoint: u32,
    /// Index into [`Prepared::origins`].
    pub(crate) origin: u32,
    pub(crate) connection: u32,
    pub(crate) waits_for: Option<u32>,
    pub(crate) think: Nanos,
    /// Or why it cannot be sent.
    pub(crate) template: Result<Template, String>,
    pub(crate) expect: Expect,
    /// The recorded path without query: decides which cookies go with it.
    pub(crate) path: String,
    /// Written by hand: a value that is missing keeps it from being sent, as there is no recorded one.
    pub(crate) inline: bool,
    /// Steps that wait for this one.
    pub(crate) next: Vec<u32>,
}

/// One session, compiled.
#[derive(Debug)]
pub(crate) struct SessionPlan {
    pub(crate) steps: Vec<StepPlan>,
    /// Steps that wait for none.
    pub(crate) first: Vec<u32>,
}

/// One profile with its sessions.
#[derive(Debug)]
pub(crate) struct ProfilePlan {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) sessions: Vec<SessionPlan>,
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
    pub(crate) profiles: Vec<ProfilePlan>,
    /// Names of the correlations that are switched on.
    pub(crate) correlations: Vec<String>,
    /// By endpoint.
    pub(crate) extracts: Vec<Extracts>,
    pub(crate) identities: Identities,
    pub(crate) warnings: Vec<String>,
}

impl Prepared {
    /// Reads a scenario with the session files and identities that it names (relative to it) and compiles it.
    ///
    /// # Errors
    /// [`Error::Traffic`] when a file cannot be read or is not what it should be; [`Error::Config`] when the scenario asks
    /// for what is not there. Both say where.
    pub fn load(scenario: &Path) -> Result<Prepared, Error> {
        let parsed = Scenario::load(scenario)?;
        let folder = scenario.parent().unwrap_or(Path::new(""));
        load::load(parsed, folder, scenario)
    }

    /// Compiles a scenario that was made rather than read. `folder`: what the files it names are relative to.
    ///
    /// # Errors
    /// As [`Prepared::load`].
    pub fn from_scenario(scenario: Scenario, folder: &Path) -> Result<Prepared, Error> {
        load::load(scenario, folder, Path::new("scenario"))
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

    /// What could not be done as written and is sent as recorded (at most a hundred sentences).
    pub fn warnings(&self) -> &[String] {
        &self.plan.warnings
    }
}

impl Plan {
    /// What the timetable needs to know.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let share = |profile: &ProfilePlan| Share {
            weight: profile.weight,
            sessions: u32::try_from(profile.sessions.len()).unwrap_or(u32::MAX),
        };
        self.profiles.iter().map(share).collect()
    }

    pub(crate) fn session(&self, profile: u32, session: u32) -> Option<&SessionPlan> {
        self.profiles.get(profile as usize)?.sessions.get(session as usize)
    }
}
