//! The sessions of a profile: kept in memory, or read when they are due, with what has to be known of them all the time.

use std::collections::HashMap;

use http::Method;
use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Conduct, Span, ThinkTime};
use sha2::{Digest as _, Sha256};

use super::compiler::Compiled;
use super::{ProfilePlan, SessionPlan, StepPlan};

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// As recorded, or written by hand; their steps are the profile's.
    kept: Vec<SessionPlan>,
    streamed: Option<Box<Streamed>>,
}

/// Steps for which room stays where sessions pass by one after the other.
const ROOM: usize = 4096;

/// Requests by origin and method.
pub(crate) type Methods = HashMap<(u32, Method), u64>;

/// What is known of sessions that are not in memory.
#[derive(Debug)]
pub(super) struct Streamed {
    /// Number of their file in [`super::Stream`].
    pub(super) file: u32,
    pub(super) known: Vec<Known>,
    requests: u64,
    methods: Methods,
    longest: Nanos,
    mark: Sha256,
}

/// What is known of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its place in the file's index.
    pub(super) position: u32,
    pub(super) steps: u32,
    /// Bytes that it takes in memory, about.
    pub(super) bytes: u32,
    /// Its first request's endpoint.
    pub(super) first: u32,
}

impl Streamed {
    pub(super) fn new(file: u32) -> Streamed {
        let (known, methods, mark) = (Vec::new(), Methods::new(), Sha256::new());
        Streamed { file, known, requests: 0, methods, longest: Nanos(0), mark }
    }

    /// Takes in a session whose steps are not kept. It is `known` already.
    pub(super) fn sum(&mut self, session: &SessionPlan, steps: &[StepPlan], conduct: &mut Conduct) {
        conduct.session(1.0, true, session.moves(steps));
        for step in session.steps().filter_map(|step| steps.get(step as usize)) {
            self.requests += 1;
            self.longest = self.longest.max(step.think.most);
            count(&mut self.methods, step);
            step.mark(&mut self.mark);
        }
    }
}

fn count(methods: &mut Methods, step: &StepPlan) {
    let Ok(template) = &step.template else { return };
    *methods.entry((step.origin, template.method.clone())).or_default() += 1;
}

impl Sessions {
    pub(super) fn keep(&mut self, session: SessionPlan) {
        self.kept.push(session);
    }

    pub(super) fn stream(&mut self, streamed: Box<Streamed>) {
        self.streamed = Some(streamed);
    }

    /// All that there are stay in memory.
    pub(super) fn settle(&mut self) {
        self.streamed = None;
    }

    pub(super) fn streamed(&self) -> Option<&Streamed> {
        self.streamed.as_deref()
    }

    /// Whether they are read when they are due.
    pub(crate) fn are_streamed(&self) -> bool {
        self.streamed.is_some()
    }

    /// Those that are in memory: all, or none.
    pub(crate) fn kept(&self) -> &[SessionPlan] {
        &self.kept
    }

    pub(crate) fn len(&self) -> usize {
        self.streamed.as_ref().map_or(self.kept.len(), |streamed| streamed.known.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Steps of one; 0 of one that there is not.
    pub(crate) fn length(&self, number: u32) -> usize {
        match &self.streamed {
            Some(streamed) => streamed.known.get(number as usize).map_or(0, |known| known.steps as usize),
            None => self.kept.get(number as usize).map_or(0, SessionPlan::len),
        }
    }

    /// Bytes of memory that one takes while it is played, where it is read for that.
    pub(crate) fn bytes(&self, number: u32) -> Option<u64> {
        Some(u64::from(self.streamed()?.known.get(number as usize)?.bytes))
    }

    /// The endpoint of one's first request, where it is read when it is due.
    pub(crate) fn first(&self, number: u32) -> Option<u32> {
        Some(self.streamed()?.known.get(number as usize)?.first)
    }

    /// Steps of all of them.
    pub(crate) fn requests(&self) -> u64 {
        match &self.streamed {
            Some(streamed) => streamed.requests,
            None => self.kept.iter().map(|session| session.len() as u64).sum(),
        }
    }
}

impl ProfilePlan {
    /// Adds a recorded session, whose place in the index of its file is `position`.
    pub(super) fn add(&mut self, session: Compiled, position: usize) {
        let Some(streamed) = &mut self.sessions.streamed else { return };
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        streamed.known.push(Known {
            position: small(position as u64),
            steps: small(session.steps.len() as u64),
            bytes: small(session.bytes),
            first: session.steps.first().map_or(0, |step| step.endpoint),
        });
        let first = self.steps.len() as u32;
        let order: Vec<(u32, Option<u32>)> =
            (first..).zip(&session.steps).map(|(number, step)| (number, step.waits_for)).collect();
        self.sessions.kept.push(SessionPlan::of(&order));
        self.steps.extend(session.steps);
        if !session.person.is_empty() {
            self.people.push(session.person);
        }
    }

    /// Sums up recorded sessions that are in memory, and keeps them no longer.
    pub(super) fn let_go(&mut self, conduct: &mut Conduct) {
        let Some(streamed) = &mut self.sessions.streamed else { return };
        for session in self.sessions.kept.drain(..) {
            streamed.sum(&session, &self.steps, conduct);
        }
        self.steps.clear();
        self.people.clear();
        // Where all were kept so far there was room for all of them.
        if self.steps.capacity() > ROOM {
            (self.steps, self.people, self.sessions.kept) = (Vec::new(), Vec::new(), Vec::new());
        }
    }

    /// Requests by origin and method, each session played once.
    pub(crate) fn methods(&self) -> Methods {
        let mut methods =
            self.sessions.streamed().map(|streamed| streamed.methods.clone()).unwrap_or_default();
        for step in self.steps_at_hand() {
            count(&mut methods, step);
        }
        methods
    }

    /// The longest pause of a step.
    pub(crate) fn longest_think(&self, think_time: ThinkTime) -> Nanos {
        let streamed = self.sessions.streamed().filter(|streamed| streamed.requests > 0);
        let streamed = streamed.map(|streamed| think_time.longest(Span::fixed(streamed.longest)));
        let at_hand = self.steps_at_hand().map(|step| think_time.longest(step.think));
        at_hand.chain(streamed).max().unwrap_or_default()
    }

    /// What its steps are told by: the same whether they are kept or streamed.
    pub(crate) fn mark(&self) -> [u8; 32] {
        let mut mark = self.sessions.streamed().map(|streamed| streamed.mark.clone()).unwrap_or_default();
        for step in self.steps_at_hand() {
            step.mark(&mut mark);
        }
        mark.finalize().into()
    }

    /// The steps that are in memory: of kept sessions, and what users do first and last.
    pub(crate) fn steps_at_hand(&self) -> impl Iterator<Item = &StepPlan> {
        self.steps.iter().chain(&self.around)
    }
}
