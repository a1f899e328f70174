//! From a step as it was recorded or written to one that is played.
//!
//! Nothing is learnt here: the numbers of all that a step can name are known before. So a session can be compiled again at any
//! time, and comes out the same.

use mynah_message::{Head, Limits, Target, View};
use mynah_traffic::Endpoint;
use mynah_traffic::scenario::{Source, Span, Step};

use super::bind::Bindings;
use super::reading::only_reading;
use super::vary::Varied;
use super::{DataPlan, NotHttp, Origin, StepPlan};
use crate::template::{Names, NeedSource, compile};

/// What it takes.
pub(super) struct Compiler {
    /// Where requests went; those of a step must be among them.
    pub(super) origins: Vec<Origin>,
    /// Names of the correlations that are switched on, then of what steps extract.
    pub(super) correlations: Vec<String>,
    pub(super) columns: Vec<String>,
    /// The identities' columns in the scenario, where there is no file.
    pub(super) recorded_columns: Vec<String>,
    /// Names of the values made anew that are switched on.
    pub(super) vary: Vec<String>,
    pub(super) bindings: Bindings,
    pub(super) varied: Varied,
    pub(super) read_only: bool,
}

/// Numbers of what one session file has in its tables, by theirs.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) endpoints: Vec<u32>,
    pub(super) shapes: Vec<u32>,
}

/// What a step is counted by, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) endpoint: u32,
    pub(super) site: u32,
    pub(super) origin: u32,
    pub(super) shapes: u32,
}

/// What only steps that are written by hand can send.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByHand<'a> {
    pub(super) data: &'a [DataPlan],
    /// Data sets whose row a user of the profile in hand keeps.
    pub(super) kept_sets: &'a [u32],
}

/// A recorded session, compiled.
pub(super) struct Compiled {
    pub(super) steps: Vec<StepPlan>,
    /// By column of the identities: what its user logged in with.
    pub(super) person: Box<[Option<String>]>,
    /// By value made anew: how many it has.
    pub(super) made: Vec<u64>,
    /// Bytes of memory that it takes, about.
    pub(super) bytes: u64,
}

impl Compiler {
    /// The number of the origin that a step goes to.
    pub(super) fn origin(&self, step: &Step) -> Option<u32> {
        let same =
            |known: &Origin| known.scheme == step.scheme && known.host.eq_ignore_ascii_case(&step.host);
        self.origins.iter().position(same).map(|at| at as u32)
    }

    /// What is sent of a recorded session.
    pub(super) fn chosen(&self, steps: Vec<Step>) -> Vec<Step> {
        if self.read_only { only_reading(steps) } else { steps }
    }

    /// A recorded session, of the steps that are sent. `table`: its file's endpoints. `tell` is given what cannot be done as is meant.
    ///
    /// # Errors
    /// In words, when a step goes where none did.
    pub(super) fn session(
        &self,
        steps: Vec<Step>,
        table: &[Endpoint],
        numbers: &Numbers,
        tell: &mut dyn FnMut(String),
    ) -> Result<Compiled, String> {
        let mut seen = self.varied.fresh();
        let mut person: Box<[Option<String>]> = vec![None; self.recorded_columns.len()].into();
        let mut bytes = 0;
        let mut plans = Vec::with_capacity(steps.len());
        for mut step in steps {
            let mut again = Vec::new();
            if let Some(endpoint) = table.get(step.endpoint as usize) {
                let found = step.injections.iter().filter_map(|one| self.bindings.bind(one, endpoint));
                step.injections = found.collect();
                self.note_person(&step, &mut person);
                again = self.varied.bind(&mut step, endpoint, &mut seen);
            }
            let origin = self
                .origin(&step)
                .ok_or_else(|| format!("a request goes to {}://{}", step.scheme.as_str(), step.host))?;
            // The reader has checked that every step's endpoint is in its table.
            let number = |of: &[u32]| of.get(step.endpoint as usize).copied().unwrap_or(0);
            let endpoint = number(&numbers.endpoints);
            let spot = Spot { endpoint, site: endpoint, origin, shapes: number(&numbers.shapes) };
            let plan = self.step(&step, spot, &again, None, tell);
            bytes += plan.weight() + (step.request.head.len() + step.request.body.len()) as u64;
            plans.push(plan);
        }
        let made = seen.iter().map(|values| values.len() as u64).collect();
        Ok(Compiled { steps: plans, person, made, bytes })
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

    /// What the injections of a step can name. `by_hand`: where it was not recorded.
    pub(super) fn names<'a>(&'a self, by_hand: Option<ByHand<'a>>) -> Names<'a> {
        Names {
            correlations: &self.correlations,
            columns: &self.columns,
            recorded_columns: &self.recorded_columns,
            vary: &self.vary,
            data: by_hand.map_or(&[], |own| own.data),
            kept_sets: by_hand.map_or(&[], |own| own.kept_sets),
            inline: by_hand.is_some(),
        }
    }

    /// `again`: injections of values made anew that the session has had, with how many newer ones there are. `by_hand`: where it
    /// was not recorded.
    pub(super) fn step(
        &self,
        step: &Step,
        spot: Spot,
        again: &[(usize, u32)],
        by_hand: Option<ByHand<'_>>,
        tell: &mut dyn FnMut(String),
    ) -> StepPlan {
        let mut told = Vec::new();
        let names = self.names(by_hand);
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
            tell(format!("{method} {path}: {text}"));
        }
        StepPlan {
            endpoint: spot.endpoint,
            site: spot.site,
            origin: spot.origin,
            connection: step.connection,
            waits_for: step.waits_for,
            think: Span::fixed(step.think),
            template: template.map_err(NotHttp::Unsendable),
            expect: step.expect.clone(),
            asks: None,
            shapes: spot.shapes,
            path: path.to_owned(),
            cookie_path: None,
            inline: by_hand.is_some(),
            body_bytes: u32::try_from(step.request.body.len()).unwrap_or(u32::MAX),
        }
    }
}
