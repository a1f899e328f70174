//! How much load, and when: the flags of `mynah replay` that say so, over the scenario's `[load]`.

use std::path::Path;

use mynah_replay::{Course, LoadModel};
use mynah_traffic::scenario::{Arrivals, Load, LoadShape, Rate, Stage};
use mynah_traffic::units::split_number;

use crate::driving;
use crate::exit::{Exit, Failure, fail};

/// How many sessions begin, or how many users there are, over time.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How much load")]
pub(crate) struct Shaped {
    /// Open model: sessions that begin, as times the recorded rate (10x) or each second (200/s).
    #[arg(long, value_name = "R", conflicts_with_all = ["requests", "users", "once"])]
    rate: Option<Rate>,

    /// Open model: so many requests (2000/s), each at its own moment: it is the next step of a session that is ready for one,
    /// and waits where none is (--max-in-flight). Pauses are left out.
    #[arg(long, value_name = "R", conflicts_with_all = ["users", "once", "stages", "shape"], value_parser = parse_requests)]
    requests: Option<Rate>,

    /// Closed model: virtual users at the same time.
    #[arg(long, short = 'u', value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u32).range(1..))]
    users: Option<u32>,

    /// Users added each second until there are --users.
    #[arg(long, short = 'r', value_name = "R", requires = "users")]
    spawn_rate: Option<f64>,

    /// Requests under way at the same time, at most. Those that are due wait, which is part of their response times (held back).
    /// With --requests, as many users make them.
    #[arg(long, value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: Option<u32>,

    /// Load over time, stage by stage: 30s:10/s goes in a straight line to 10 sessions/s within 30 s (the first from zero),
    /// 1m:=50/s jumps to 50/s and stays for a minute; 30s:100 goes to 100 users (closed model); 2x and 500req/s will do, too.
    /// Repeatable.
    #[arg(long = "stage", id = "stages", value_name = "TIME:LEVEL", conflicts_with_all = ["shape", "rate", "users", "once"])]
    stages: Vec<Stage>,

    /// Load over time, by name: spike:BASE..PEAK@AT+LENGTH (spike:10/s..200/s@30s+10s), steps:FROM..TO/COUNT
    /// (steps:10/s..100/s/10), sine:MIN..MAX/PERIOD (sine:10/s..50/s/1m), recorded (the recording's own curve, --rate times),
    /// a .csv file with lines of a time and a level (30s,50/s), with straight lines between them, or a .js file that exports
    /// shape(t): seconds to sessions each second.
    #[arg(long, value_name = "SHAPE", conflicts_with_all = ["users", "once"])]
    shape: Option<LoadShape>,

    /// How arrivals lie around the rate: poisson (by chance, as users come), uniform (evenly), recorded (with the recording's
    /// gaps, shortened or lengthened to the rate). When nothing says otherwise, requests (--requests) come evenly and
    /// sessions by chance.
    #[arg(long, value_name = "HOW", conflicts_with_all = ["users", "once"])]
    arrivals: Option<Arrivals>,

    /// Make time pass so many times as fast as it did in the recording: pauses, the recording's length, and rates that are
    /// relative to it (10x). What is said in seconds (200/s, --for 60s, --think-time 2s) stays as it is said.
    #[arg(long, value_name = "X", conflicts_with = "once", value_parser = parse_speed)]
    speed: Option<f64>,
}

fn parse_requests(text: &str) -> Result<Rate, String> {
    match text.parse() {
        Ok(Rate::PerSecond(rate) | Rate::Requests(rate)) => Ok(Rate::Requests(rate)),
        _ => Err("expected requests each second, such as 2000/s".to_owned()),
    }
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match split_number(text.trim()) {
        Some((speed, "x" | "")) if speed > 0.0 && speed <= 1e6 => Ok(speed),
        _ => Err("expected how many times as fast, such as 2x".to_owned()),
    }
}

impl Shaped {
    /// Whether a flag says how the load changes.
    pub(crate) fn is_course(&self) -> bool {
        !self.stages.is_empty() || matches!(self.shape, Some(LoadShape::File(_) | LoadShape::Recorded))
    }

    /// Requests at the same time.
    pub(crate) fn max_in_flight(&self) -> Option<u32> {
        self.max_in_flight
    }

    /// Times as fast as recorded.
    pub(crate) fn speed(&self) -> f64 {
        self.speed.unwrap_or(1.0)
    }

    /// Whether neither flags nor the scenario's `[load]` say how much load there is.
    pub(crate) fn is_open(&self, load: &Load) -> bool {
        let flags = self.rate.is_none() && self.requests.is_none() && self.users.is_none();
        let flags = flags && self.stages.is_empty() && self.shape.is_none();
        flags && load.rate.is_none() && load.users.is_none() && load.stages.is_empty() && load.shape.is_none()
    }

    /// Flags over the scenario's `[load]` over the recorded rate. `folder`: what the scenario's files are relative to.
    pub(crate) fn model(
        &self,
        once: bool,
        load: &Load,
        folder: &Path,
        is_recorded: bool,
    ) -> Result<LoadModel, Failure> {
        let closed = |users: u32| LoadModel::Closed {
            users,
            spawn_rate: self.spawn_rate.or(load.spawn_rate).unwrap_or(f64::from(users)),
        };
        let along = |course: Result<Course, mynah_replay::Error>| {
            course.map(LoadModel::Along).map_err(driving::failure)
        };
        if once {
            return Ok(LoadModel::Once);
        }
        if !self.stages.is_empty() {
            return along(Course::stages(self.stages.clone()));
        }
        if let Some(shape) = &self.shape {
            // A rate of the scenario's that is not times the recorded one is another load, which the flag stands for.
            let own = load.rate.filter(|rate| matches!((shape, rate), (LoadShape::Recorded, Rate::Times(_))));
            let times = times(shape, self.rate.or(own))?;
            return along(Course::shape(shape, times, Path::new("")));
        }
        if let Some(rate) = self.requests.or(self.rate) {
            // The scenario's recorded shape is what --rate 10x is ten times of.
            return match (&load.shape, rate) {
                (Some(shape @ LoadShape::Recorded), Rate::Times(times)) => {
                    along(Course::shape(shape, times, folder))
                }
                _ => Ok(LoadModel::Open { rate }),
            };
        }
        if let Some(users) = self.users {
            return Ok(closed(users));
        }
        if !load.stages.is_empty() {
            return along(Course::stages(load.stages.clone()));
        }
        if let Some(shape) = &load.shape {
            return along(Course::shape(shape, times(shape, load.rate)?, folder));
        }
        match (load.rate, load.users) {
            (Some(rate), _) => Ok(LoadModel::Open { rate }),
            (None, Some(users)) => Ok(closed(users)),
            (None, None) if is_recorded => Ok(LoadModel::Open { rate: Rate::Times(1.0) }),
            (None, None) => Err(fail(
                Exit::Usage,
                "how much load? the scenario says neither rate nor users: add --rate 10/s or --users 20",
            )),
        }
    }

    /// How arrivals lie. What the scenario says is of its arrivals: where there are users instead, it does not matter.
    pub(crate) fn arrivals(&self, load: &Load, model: &LoadModel) -> Result<Arrivals, Failure> {
        if let (Some(arrivals), LoadModel::Closed { .. }) = (self.arrivals, model) {
            return Err(fail(
                Exit::Usage,
                format!("--arrivals {arrivals} goes with sessions that arrive (--rate), not with users"),
            ));
        }
        let arrive = match model {
            LoadModel::Open { .. } => true,
            LoadModel::Along(course) => !course.is_of_users(),
            LoadModel::Closed { .. } | LoadModel::Once => false,
        };
        let own = load.arrivals.filter(|_| arrive);
        // Requests with a place of their own are asked for evenly, as of wrk2; users come by chance.
        let usual = match model {
            LoadModel::Open { rate: Rate::Requests(_) } => Arrivals::Uniform,
            LoadModel::Along(course) if course.is_of_requests() => Arrivals::Uniform,
            _ => Arrivals::default(),
        };
        Ok(self.arrivals.or(own).unwrap_or(usual))
    }
}

/// How many times the recorded shape; another says its rates itself.
fn times(shape: &LoadShape, rate: Option<Rate>) -> Result<f64, Failure> {
    match (shape, rate) {
        (_, None) => Ok(1.0),
        (LoadShape::Recorded, Some(Rate::Times(times))) => Ok(times),
        (LoadShape::Recorded, Some(rate)) => Err(fail(
            Exit::Usage,
            format!("rate {rate}: the recorded shape is taken times something: --rate 2x"),
        )),
        (shape, Some(rate)) => Err(fail(
            Exit::Usage,
            format!("both --shape {shape} and --rate {rate} say how much load there is; take one away"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_speeds() {
        assert_eq!(parse_requests("2000/s"), Ok(Rate::Requests(2000.0)));
        assert_eq!(parse_requests("600/m"), Ok(Rate::Requests(10.0)));
        assert!(parse_requests("10x").is_err() && parse_requests("many").is_err());
        assert_eq!((parse_speed("2x"), parse_speed("0.5")), (Ok(2.0), Ok(0.5)));
        assert!(["0x", "-1x", "x", "2s"].iter().all(|text| parse_speed(text).is_err()));
    }
}
