//! What is to be driven, worked out from options and scenario: the curve, for how long, by whom.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Arrivals, Rate, Unit, Wait};
use mynah_traffic::units::format_duration;

use crate::curve::{Curve, Piece};
use crate::engine::{Ahead, Deal, End, Hand, Seats, Shape};
use crate::options::{LoadModel, Options, Shard};
use crate::prepared::{Plan, ProfilePlan, Walks};
use crate::timetable::{Card, Share, Spread, Timetable};
use crate::{Course, Error};

/// Sessions are begun for at least this long where nothing else is said.
const SHORTEST_DEFAULT: Nanos = Nanos(10 * Nanos::PER_SECOND);
/// A timetable is gone through ahead of the run, to know its length: this many take some seconds.
const MOST_ARRIVALS: f64 = 1e8;
const MOST_THREADS: usize = 1024;
/// Each takes some 22 KB.
const MOST_USERS: u32 = 1_000_000;

/// See above.
pub(crate) struct Load {
    pub(crate) model: &'static str,
    pub(crate) asked: String,
    pub(crate) duration: Nanos,
    pub(crate) kind: Kind,
    pub(crate) shares: Vec<Share>,
    /// By profile: how many walks are made; `None` where recorded sessions are played.
    pub(crate) walks: Vec<Option<usize>>,
    /// Closed model: who is what, where users are of one profile each.
    seats: Option<Arc<Seats>>,
    groups: Arc<[u32]>,
    seed: u64,
    /// Of the open model; of requests, users who make them.
    max_vus: u32,
    pub(crate) shard: Shard,
    /// Nothing begins any more when its time is over.
    cut: bool,
}

pub(crate) enum Kind {
    /// Sessions a second.
    Open {
        curve: Arc<Curve>,
        spread: Spread,
    },
    /// Requests a second.
    Paced {
        curve: Arc<Curve>,
        spread: Spread,
    },
    /// Users.
    Closed(Arc<Curve>),
    Once(Vec<Card>),
}

impl Load {
    pub(crate) fn new(plan: &Plan, options: &Options) -> Result<Load, Error> {
        if options.threads > MOST_THREADS {
            return Err(Error::Config(format!(
                "{} threads are more than help ({MOST_THREADS} at most; one for each core when left out)",
                options.threads
            )));
        }
        if !(options.speed > 0.0 && options.speed.is_finite()) {
            return Err(Error::Config(format!("a speed of {} is none; give 2x, say", options.speed)));
        }
        let duration = duration(plan, options)?;
        if duration == Nanos(0) {
            return Err(Error::Config("a run of no length sends nothing; give --for 30s, say".to_owned()));
        }
        let (mut asked, kind) = match &options.load {
            LoadModel::Open { rate: Rate::Requests(rate) } => {
                if requests_a_session(plan) <= 0.0 {
                    return Err(nobody());
                }
                let curve = Curve::level(*rate, duration);
                (format!("{} requests/s", rounded(*rate)), paced(open(curve, plan, options)?, options)?)
            }
            LoadModel::Open { rate } => {
                let per_second = sessions_per_second(plan, *rate)?;
                let per_second =
                    if let Rate::Times(_) = rate { per_second * options.speed } else { per_second };
                let per = format!("{} sessions/s", rounded(per_second));
                let asked = match rate {
                    Rate::Times(_) => format!("{rate} = {per}"),
                    Rate::PerSecond(_) | Rate::Requests(_) => per,
                };
                (asked, open(Curve::level(per_second, duration), plan, options)?)
            }
            LoadModel::Closed { users: 0, .. } => {
                return Err(Error::Config("no users, nobody to play; give --users 10, say".to_owned()));
            }
            LoadModel::Closed { users, spawn_rate } => {
                let noun = if *users == 1 { "user" } else { "users" };
                let all = f64::from(*users);
                let ramp = if *spawn_rate > 0.0 && spawn_rate.is_finite() { all / spawn_rate } else { 0.0 };
                let rest = (duration.as_secs_f64() - ramp).max(0.0);
                let ramp = Piece { length: ramp, from: 0.0, to: all };
                let curve = Curve::new([ramp, Piece { length: rest, from: all, to: all }], duration);
                (format!("{users} {noun}"), closed(curve)?)
            }
            LoadModel::Along(course) => along(course, duration, plan, options)?,
            LoadModel::Once => {
                let all = plan.profiles.iter().enumerate();
                let played = all.filter(|(_, profile)| !profile.sessions.is_empty() && profile.weight > 0.0);
                let cards: Vec<Card> =
                    played.map(|(profile, _)| Card { profile: profile as u32, session: 0 }).collect();
                ("one session a profile".to_owned(), Kind::Once(cards))
            }
        };
        if let (Kind::Open { .. } | Kind::Paced { .. }, true) = (&kind, options.arrivals != Arrivals::Poisson)
        {
            let _ = write!(asked, ", {} arrivals", options.arrivals);
        }
        if options.is_sped() {
            let _ = write!(asked, ", at {}x the recorded speed", options.speed);
        }
        let expected = match &kind {
            Kind::Open { curve, .. } => curve.total() * 1.05 + 20.0,
            Kind::Paced { curve, .. } => curve.total() / requests_a_session(plan) * 1.05 + 20.0,
            // Nobody knows how fast the target lets them be.
            Kind::Closed(_) => 20_000.0,
            Kind::Once(_) => 1.0,
        };
        let weights: f64 = plan.profiles.iter().map(|profile| profile.weight).sum();
        let expected: Vec<f64> =
            plan.profiles.iter().map(|profile| (expected * profile.weight / weights).max(1.0)).collect();
        let walks = Walks::counts(plan, options.behaviour, &expected)?;
        let shares = plan.shares(&walks);
        let seats = match &kind {
            Kind::Closed(curve) if plan.binds_users() => {
                Some(Arc::new(Seats::new(plan, &shares, curve.most_users(), options.seed)?))
            }
            Kind::Open { .. } => {
                let endless =
                    plan.profiles.iter().find(|profile| profile.weight > 0.0 && profile.is_endless());
                if let Some(profile) = endless {
                    return Err(Error::Config(format!(
                        "profile '{}': order = \"weighted\" has no end where sessions arrive; give it steps_per_session = 10, say, or \
                         drive users: --users 10",
                        profile.name
                    )));
                }
                None
            }
            _ => None,
        };
        let groups = plan.groups.clone();
        let shard = options.shard.unwrap_or_default();
        check_shard(shard, &kind)?;
        let model = if let Kind::Closed(_) = kind { "closed" } else { "open" };
        if options.warm_up.is_some_and(|warm_up| warm_up >= duration)
            || options.warm_up.is_some() && model != "open"
        {
            return Err(Error::Config(
                "warming up goes with sessions that arrive, and is shorter than the run".to_owned(),
            ));
        }
        let max_vus = match (&kind, options.max_in_flight) {
            (Kind::Paced { .. }, Some(most)) => most.min(options.max_vus),
            _ => options.max_vus,
        };
        let (seed, cut) = (options.seed, options.warm_up.is_some());
        Ok(Load { model, asked, duration, kind, shares, walks, seats, groups, seed, max_vus, shard, cut })
    }

    /// What the timetable is made from besides the scenario.
    pub(crate) fn key(&self) -> String {
        let Load { asked, duration, seed, shares, .. } = self;
        let curve = match &self.kind {
            Kind::Open { curve, spread } | Kind::Paced { curve, spread } => format!("{curve:?} {spread:?}"),
            Kind::Closed(curve) => format!("{curve:?}"),
            Kind::Once(_) => String::new(),
        };
        format!("{asked} {duration:?} {seed} {shares:?} {curve}")
    }

    pub(crate) fn timetable(&self) -> Result<Option<Timetable>, Error> {
        match &self.kind {
            Kind::Open { curve, spread } | Kind::Paced { curve, spread } => {
                Timetable::along(&self.shares, curve.clone(), spread.clone(), self.seed)
                    .ok_or_else(nobody)
                    .map(|timetable| Some(timetable.grouped(self.groups.clone())))
            }
            Kind::Once(cards) => Ok(Some(Timetable::at_once(cards.clone()).grouped(self.groups.clone()))),
            Kind::Closed(_) => Ok(None),
        }
    }

    fn deal(&self, seats: Option<Arc<Seats>>, users: u32) -> Result<Box<Deal>, Error> {
        let can = |share: &Share| share.sessions > 0 && share.weight > 0.0;
        if seats.is_none() && !self.shares.iter().any(can) {
            return Err(nobody());
        }
        Ok(Box::new(Deal::new(&self.shares, self.seed, self.groups.clone(), seats, users)))
    }

    /// Each thread works the same thing out and takes its own part.
    pub(crate) fn shape(&self, stripe: (usize, usize)) -> Result<Shape, Error> {
        match (&self.kind, self.timetable()?) {
            (Kind::Closed(curve), _) => {
                let deal = self.deal(self.seats.clone(), curve.most_users())?;
                Ok(Shape::Closed { deal, curve: curve.clone(), first: HashMap::new() })
            }
            // Its sessions are of nobody in particular, as those that arrive are.
            (Kind::Paced { .. }, Some(timetable)) => Ok(Shape::Paced {
                timetable: Box::new(timetable),
                hand: Box::new(Hand::new(self.deal(None, 1)?, stripe)),
                max_users: self.max_vus,
                end: if self.cut { End::At(self.duration) } else { End::Late },
            }),
            (_, Some(timetable)) => {
                let end = match self.kind {
                    Kind::Open { .. } if self.cut => End::At(self.duration),
                    Kind::Open { .. } => End::Late,
                    _ => End::Never,
                };
                let (timetable, ahead) = (Box::new(timetable), Ahead::default());
                Ok(Shape::Open { timetable, ahead, max_vus: self.max_vus, end })
            }
            (_, None) => Err(nobody()),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub(crate) fn nobody() -> Error {
    Error::Config("no profile has both a weight and a session: nobody to play".to_owned())
}

/// For how long sessions are begun: what is said, what the course says itself, or as long as the recording.
fn duration(plan: &Plan, options: &Options) -> Result<Nanos, Error> {
    let recorded = plan.scenario.recorded.as_ref().map_or(0.0, |recorded| recorded.duration_s);
    let recorded = Nanos::from_secs_f64(recorded / options.speed);
    let LoadModel::Along(course) = &options.load else {
        return Ok(options.duration.unwrap_or(recorded.max(SHORTEST_DEFAULT)));
    };
    match (course.own_length(), options.duration) {
        (Some(own), Some(said)) => Err(Error::Config(format!(
            "{} takes {}, and the run was to take {}: leave --for out",
            course.text(),
            format_duration(own),
            format_duration(said)
        ))),
        (Some(own), None) => Ok(own),
        (None, Some(said)) => Ok(said),
        (None, None) if course.is_recorded() && recorded > Nanos(0) => Ok(recorded),
        (None, None) => Ok(recorded.max(SHORTEST_DEFAULT)),
    }
}

fn open(curve: Curve, plan: &Plan, options: &Options) -> Result<Kind, Error> {
    let arrivals = curve.total();
    if arrivals > MOST_ARRIVALS {
        return Err(Error::Config(format!(
            "{arrivals:.0} arrivals in {} are more than a timetable holds ({MOST_ARRIVALS:.0}); lower the rate or make it shorter",
            format_duration(curve.duration())
        )));
    }
    let spread = match options.arrivals {
        Arrivals::Poisson => Spread::Poisson,
        Arrivals::Uniform => Spread::Uniform,
        Arrivals::Recorded => {
            let (starts, _) = starts(plan).ok_or_else(|| {
                Error::Config(format!(
                    "arrivals as recorded: '{}' does not say when its sessions began: it is not learnt from a recording",
                    plan.scenario.name
                ))
            })?;
            Spread::Recorded(starts.into())
        }
    };
    Ok(Kind::Open { curve: Arc::new(curve), spread })
}

/// The same of requests.
fn paced(kind: Kind, options: &Options) -> Result<Kind, Error> {
    match kind {
        Kind::Open { .. } if options.arrivals == Arrivals::Recorded => Err(Error::Config(
            "recorded arrivals are those of sessions; of requests they are poisson or uniform".to_owned(),
        )),
        Kind::Open { curve, spread } => Ok(Kind::Paced { curve, spread }),
        other => Ok(other),
    }
}

fn closed(curve: Curve) -> Result<Kind, Error> {
    if curve.peak() > f64::from(MOST_USERS) {
        return Err(Error::Config(format!(
            "{} users are more than one machine can be ({MOST_USERS} at most, at some 22 KB each)",
            curve.peak()
        )));
    }
    Ok(Kind::Closed(Arc::new(curve)))
}

fn along(course: &Course, duration: Nanos, plan: &Plan, options: &Options) -> Result<(String, Kind), Error> {
    let unit = course.unit()?;
    let recorded = starts(plan).map(|(starts, length)| (starts, length / options.speed));
    let per = match unit {
        _ if course.is_recorded() => 1.0,
        Unit::Users | Unit::Sessions | Unit::Requests => 1.0,
        Unit::Times => sessions_per_second(plan, Rate::Times(1.0))? * options.speed,
    };
    let recorded = recorded.as_ref().map(|(starts, length)| (starts.as_slice(), *length));
    let curve = course.curve(duration, per, recorded)?;
    if curve.total() <= 0.0 {
        return Err(Error::Config(format!(
            "{}: it is zero all the time: nothing would be sent",
            course.text()
        )));
    }
    if unit == Unit::Users {
        if options.arrivals != Arrivals::Poisson {
            return Err(Error::Config(format!(
                "{}: {} arrivals go with sessions that arrive, not with users who come back",
                course.text(),
                options.arrivals
            )));
        }
        return Ok((course.text().to_owned(), closed(curve)?));
    }
    if course.is_recorded() && options.arrivals == Arrivals::Recorded {
        return Err(Error::Config(
            "recorded arrivals have the recorded shape in them already; leave --shape recorded out"
                .to_owned(),
        ));
    }
    let mean = curve.total() / duration.as_secs_f64();
    let of = if unit == Unit::Requests { "requests" } else { "sessions" };
    let asked = format!("{} (on average {} {of}/s)", course.text(), rounded(mean));
    let kind = open(curve, plan, options)?;
    Ok((asked, if unit == Unit::Requests { paced(kind, options)? } else { kind }))
}

/// When the sessions of the recording began, as parts of it in [0, 1), ascending; and its seconds.
fn starts(plan: &Plan) -> Option<(Vec<f64>, f64)> {
    let recorded = plan.scenario.recorded.as_ref()?;
    let mut starts: Vec<u64> = plan.profiles.iter().flat_map(|profile| &profile.starts).copied().collect();
    starts.sort_unstable();
    let last = Nanos(*starts.last()?).as_secs_f64();
    // The last one, too, began before the end.
    let length = recorded.duration_s.max(last * (1.0 + 1e-9)).max(1e-3);
    Some((starts.iter().map(|start| Nanos(*start).as_secs_f64() / length).collect(), length))
}

/// The mean of the profiles by their weights, with what each user does first and last.
pub(crate) fn requests_a_session(plan: &Plan) -> f64 {
    let can = |profile: &&ProfilePlan| profile.weight > 0.0 && !profile.sessions.is_empty();
    let (mut requests, mut weights) = (0.0, 0.0);
    for profile in plan.profiles.iter().filter(can) {
        let (own, around) = profile.mean_requests();
        requests += profile.weight * (own + around);
        weights += profile.weight;
    }
    if weights > 0.0 { requests / weights } else { 0.0 }
}

fn check_shard(shard: Shard, kind: &Kind) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::Config(format!("shard {} of {}: {why}", shard.index + 1, shard.of)));
    if shard.index >= shard.of {
        return wrong("there is no such one; they are counted from 1".to_owned());
    }
    match kind {
        Kind::Closed(curve) if shard.index >= curve.most_users() => {
            let users = curve.most_users();
            wrong(format!("there are {users} users in all, and none is left for it; use fewer shards"))
        }
        Kind::Once(_) if shard.of > 1 => wrong("one session a profile is not divided".to_owned()),
        _ => Ok(()),
    }
}

pub(crate) fn sessions_per_second(plan: &Plan, rate: Rate) -> Result<f64, Error> {
    match rate {
        Rate::PerSecond(rate) => Ok(rate),
        Rate::Requests(rate) => {
            let mean = requests_a_session(plan);
            if mean > 0.0 { Ok(rate / mean) } else { Err(nobody()) }
        }
        Rate::Times(times) => {
            let recorded = plan.scenario.recorded.as_ref().ok_or_else(|| {
                Error::Config(format!(
                    "--rate {rate} is relative to a recording, and '{}' has none; give sessions a second, such as \
                     --rate 10/s",
                    plan.scenario.name
                ))
            })?;
            if recorded.sessions_per_s > 0.0 {
                Ok(times * recorded.sessions_per_s)
            } else {
                Err(Error::Config(format!(
                    "--rate {rate} is relative to the recorded rate, and [recorded] sessions_per_s is {}",
                    recorded.sessions_per_s
                )))
            }
        }
    }
}

/// What of a scenario means nothing to a run of this kind, in sentences.
pub(crate) fn notes(plan: &Plan, options: &Options) -> Vec<String> {
    let closed = match &options.load {
        LoadModel::Closed { .. } => true,
        LoadModel::Along(course) => course.unit().is_ok_and(|unit| unit == Unit::Users),
        LoadModel::Open { .. } => false,
        LoadModel::Once => return Vec::new(),
    };
    let mut notes = Vec::new();
    for profile in plan.profiles.iter().filter(|_| !closed) {
        let name = &profile.name;
        if profile.users.is_some() {
            notes.push(format!(
                "profile '{name}': 'users' is for users who come back (--users); its sessions arrive by its weight"
            ));
        }
        if profile.wait != Wait::Recorded && profile.picks.is_none() {
            notes.push(format!(
                "profile '{name}': 'wait' lies between a user's sessions, and where sessions arrive each user has one"
            ));
        }
    }
    notes
}
