//! Sessions that are read and compiled again each time they are due, for recordings that are larger than memory.

use std::fmt;
use std::sync::Arc;

use mynah_traffic::scenario::{Conduct, Move, SessionsReader};

use super::compiler::{Compiler, Numbers};
use super::{Plan, SessionPlan, StepPlan};

/// A session by itself, its steps counted within it.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) session: SessionPlan,
    pub(crate) steps: Vec<StepPlan>,
    /// What the run's fidelity is worked out from, when the session is gone.
    pub(crate) moves: Arc<[Move]>,
    /// Bytes of memory that it takes, about.
    pub(crate) bytes: u64,
}

/// Where they are read, and how they are compiled.
pub(crate) struct Stream {
    pub(super) compiler: Compiler,
    pub(super) files: Vec<(SessionsReader, Numbers)>,
    /// Bytes of memory that all of them would take, about.
    pub(crate) bytes: u64,
    /// What of them may be kept in memory.
    pub(crate) memory: u64,
    /// What was recorded of them, taken together.
    pub(crate) conduct: Conduct,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stream { bytes, memory, .. } = self;
        f.debug_struct("Stream").field("bytes", bytes).field("memory", memory).finish_non_exhaustive()
    }
}

impl Recorded {
    /// One without steps.
    #[cfg(test)]
    pub(crate) fn empty() -> Recorded {
        Recorded::new(Vec::new(), 0)
    }

    pub(super) fn new(steps: Vec<StepPlan>, bytes: u64) -> Recorded {
        let order: Vec<(u32, Option<u32>)> =
            (0..).zip(&steps).map(|(number, step)| (number, step.waits_for)).collect();
        let session = SessionPlan::of(&order);
        let moves = session.moves(&steps).collect();
        Recorded { session, steps, moves, bytes }
    }
}

impl Plan {
    /// Reads and compiles a session of a profile whose sessions are streamed. Takes a while: not for a sending thread.
    ///
    /// # Errors
    /// In words, when it cannot be read, or is not what it was when the scenario was loaded.
    pub(crate) fn read(&self, profile: u32, number: u32) -> Result<Recorded, String> {
        let gone = || "there is no such session".to_owned();
        let streamed = self.profiles.get(profile as usize).and_then(|profile| profile.sessions.streamed());
        let (streamed, stream) = streamed.zip(self.stream.as_ref()).ok_or_else(gone)?;
        let known = streamed.known.get(number as usize).ok_or_else(gone)?;
        let (reader, numbers) = stream.files.get(streamed.file as usize).ok_or_else(gone)?;
        let script = reader.read_shared(known.position as usize).map_err(|error| error.to_string())?;
        let other = |what: &str| {
            let path = reader.path().display();
            format!("{path}: the file is not what it was when it was loaded: {what}")
        };
        let steps = stream.compiler.chosen(script.steps);
        let table = &reader.tables().endpoints;
        let compiled =
            stream.compiler.session(steps, table, numbers, &mut |_| {}).map_err(|what| other(&what))?;
        if compiled.steps.len() != known.steps as usize {
            return Err(other(&format!(
                "a session has {} steps, and had {}",
                compiled.steps.len(),
                known.steps
            )));
        }
        Ok(Recorded::new(compiled.steps, compiled.bytes))
    }

    /// Calls `each` with the first sessions of a profile, as recorded, and their steps; those that cannot be read are left out.
    pub(crate) fn first_sessions(
        &self,
        profile: u32,
        most: usize,
        mut each: impl FnMut(&SessionPlan, &[StepPlan]),
    ) {
        let Some(plan) = self.profiles.get(profile as usize) else { return };
        for session in plan.sessions.kept().iter().take(most) {
            each(session, &plan.steps);
        }
        if plan.sessions.are_streamed() {
            let numbers = 0..plan.sessions.len().min(most) as u32;
            for recorded in numbers.filter_map(|number| self.read(profile, number).ok()) {
                each(&recorded.session, &recorded.steps);
            }
        }
    }
}
