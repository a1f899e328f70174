//! Load over time, as it is asked for: stages, named shapes, a recording's own, points of a file; made into a curve.

use std::path::Path;
use std::sync::Arc;

use mynah_traffic::scenario::{Level, LoadShape, Stage, Unit};
use mynah_traffic::units::{format_duration, parse_duration};
use mynah_traffic::{Error as TrafficError, Nanos};

use crate::Error;
use crate::curve::{Curve, Piece};
use crate::script::{Sampled, sample};

/// Pieces that a period of a sine is made of: its area is off by less than one in ten thousand.
const SINE_PIECES: u32 = 256;
/// A recorded shape is counted by the second, and by longer spans where that were more of them than this.
const MOST_BINS: f64 = 1000.0;
/// Bytes of a file with points.
const MOST_BYTES: u64 = 16 << 20;

/// A rate, or a number of users, that changes over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    form: Form,
    text: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Stages(Vec<Stage>),
    Named(LoadShape),
    /// So many times the recorded one.
    Recorded(f64),
    /// By seconds, ascending; two at the same one are a jump.
    Points(Vec<(f64, Level)>),
    /// The same, of a function that says not when it is over.
    Endless(Arc<[(f64, Level)]>),
}

impl Course {
    /// One stage after the other, the first from zero.
    ///
    /// # Errors
    /// [`Error::Config`] when they are of different things, or together take no time.
    pub fn stages(stages: Vec<Stage>) -> Result<Course, Error> {
        let text: Vec<String> = stages.iter().map(Stage::to_string).collect();
        let course = Course { text: format!("stages {}", text.join(", ")), form: Form::Stages(stages) };
        course.unit()?;
        if course.own_length() == Some(Nanos(0)) {
            return Err(Error::Config("the stages together take no time: nothing would be sent".to_owned()));
        }
        Ok(course)
    }

    /// A shape by its name. `times`: how many times the recorded one, where it is that. Files are relative to `folder`.
    ///
    /// # Errors
    /// [`Error::Traffic`] when its file cannot be read, [`Error::Config`] with the line for what is wrong in it.
    pub fn shape(shape: &LoadShape, times: f64, folder: &Path) -> Result<Course, Error> {
        let (form, text) = match shape {
            LoadShape::Recorded if (times - 1.0).abs() < f64::EPSILON => {
                (Form::Recorded(times), "the recorded shape".to_owned())
            }
            LoadShape::Recorded => (Form::Recorded(times), format!("{times}x the recorded shape")),
            LoadShape::File(name) if !name.to_ascii_lowercase().ends_with(".csv") => {
                let Sampled { points, ends } = sample(&folder.join(name))?;
                (if ends { Form::Points(points) } else { Form::Endless(points.into()) }, name.clone())
            }
            LoadShape::File(name) => {
                let path = folder.join(name);
                let text = read(&path)?;
                (Form::Points(points(&text, &path.display().to_string())?), name.clone())
            }
            named => (Form::Named(named.clone()), named.to_string()),
        };
        Ok(Course { form, text })
    }

    /// Whether it is of users (closed model), not of a rate.
    pub fn is_of_users(&self) -> bool {
        self.unit().is_ok_and(|unit| unit == Unit::Users)
    }

    /// Whether it is of requests, each with its own place in the timetable.
    pub fn is_of_requests(&self) -> bool {
        self.unit().is_ok_and(|unit| unit == Unit::Requests)
    }

    /// How it is said.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What it counts.
    pub(crate) fn unit(&self) -> Result<Unit, Error> {
        let same = |levels: &mut dyn Iterator<Item = (String, Level)>| {
            let mut units = levels.map(|(place, level)| (place, level.unit));
            let (first, unit) = units.next().unwrap_or((String::new(), Unit::Sessions));
            match units.find(|(_, other)| *other != unit) {
                None => Ok(unit),
                Some((place, other)) => Err(Error::Config(format!(
                    "{first} is of {} and {place} of {}: all of them must be of the same",
                    unit.words(),
                    other.words()
                ))),
            }
        };
        match &self.form {
            Form::Stages(stages) => {
                same(&mut stages.iter().map(|stage| (format!("stage {stage}"), stage.to)))
            }
            // A function's are all of the same.
            Form::Endless(points) => Ok(points.first().map_or(Unit::Sessions, |(_, level)| level.unit)),
            Form::Points(points) => same(
                &mut points.iter().map(|(at, level)| (format!("{}: the point at {at} s", self.text), *level)),
            ),
            Form::Named(LoadShape::Spike { base, .. }) => Ok(base.unit),
            Form::Named(LoadShape::Steps { from, .. }) => Ok(from.unit),
            Form::Named(LoadShape::Sine { min, .. }) => Ok(min.unit),
            Form::Recorded(_) | Form::Named(LoadShape::Recorded | LoadShape::File(_)) => Ok(Unit::Times),
        }
    }

    /// How long it takes, where it says that itself.
    pub(crate) fn own_length(&self) -> Option<Nanos> {
        match &self.form {
            Form::Stages(stages) => {
                Some(Nanos(stages.iter().fold(0_u64, |sum, stage| sum.saturating_add(stage.span.0))))
            }
            Form::Points(points) => points.last().map(|(at, _)| Nanos::from_secs_f64(*at)),
            _ => None,
        }
    }

    /// Whether it is the recording's.
    pub(crate) fn is_recorded(&self) -> bool {
        matches!(self.form, Form::Recorded(_))
    }

    /// The curve. `per`: what one of its unit is in sessions a second, or in users. `recorded`: when sessions began, as parts of the
    /// recording, and how long that is (at the speed that is asked for).
    pub(crate) fn curve(
        &self,
        duration: Nanos,
        per: f64,
        recorded: Option<(&[f64], f64)>,
    ) -> Result<Curve, Error> {
        let seconds = duration.as_secs_f64();
        let wrong = |why: String| Err(Error::Config(format!("{}: {why}", self.text)));
        let piece = |length: f64, from: Level, to: Level| Piece {
            length,
            from: from.value * per,
            to: to.value * per,
        };
        let pieces: Vec<Piece> = match &self.form {
            Form::Stages(stages) => {
                let mut last = 0.0;
                let piece = |stage: &Stage| {
                    let to = stage.to.value * per;
                    let from = std::mem::replace(&mut last, to);
                    Piece { length: stage.span.as_secs_f64(), from: if stage.holds { to } else { from }, to }
                };
                stages.iter().map(piece).collect()
            }
            Form::Endless(points) => {
                let last = points.last().map_or(0.0, |(at, _)| *at);
                if seconds > last {
                    return wrong(format!(
                        "the run takes {}, and shape(t) is asked about {} at most; let it say when it is over: export const duration",
                        format_duration(duration),
                        format_duration(Nanos::from_secs_f64(last))
                    ));
                }
                let until = points.partition_point(|(at, _)| *at < seconds);
                lines(points.get(..=until).unwrap_or(points), piece)
            }
            Form::Points(points) => lines(points, piece),
            Form::Recorded(times) => {
                let Some((starts, length)) = recorded else {
                    return wrong("the scenario does not say when its sessions began: it is not learnt from a recording".to_owned());
                };
                bins(starts, length, *times)
            }
            Form::Named(LoadShape::Spike { base, peak, at, length }) => {
                if *at >= duration {
                    return wrong(format!(
                        "its peak begins after the run's end at {}; make the run longer (--for)",
                        format_duration(duration)
                    ));
                }
                let (at, length) = (at.as_secs_f64(), length.as_secs_f64());
                let after = (seconds - at - length).max(0.0);
                vec![piece(at, *base, *base), piece(length, *peak, *peak), piece(after, *base, *base)]
            }
            Form::Named(LoadShape::Steps { from, to, count }) => {
                let step = |n: u32| {
                    let part = f64::from(n) / f64::from(count.saturating_sub(1).max(1));
                    let level = Level { value: from.value + (to.value - from.value) * part, unit: from.unit };
                    let level = if from.unit == Unit::Users {
                        Level { value: level.value.round(), ..level }
                    } else {
                        level
                    };
                    piece(seconds / f64::from(*count), level, level)
                };
                (0..*count).map(step).collect()
            }
            Form::Named(LoadShape::Sine { min, max, period }) => {
                let part = |n: u32| f64::from(n) / f64::from(SINE_PIECES);
                let at = |part: f64| {
                    let up = (1.0 - (part * std::f64::consts::TAU).cos()) / 2.0;
                    (min.value + (max.value - min.value) * up) * per
                };
                let length = period.as_secs_f64() / f64::from(SINE_PIECES);
                let piece = |n: u32| Piece { length, from: at(part(n)), to: at(part(n + 1)) };
                (0..SINE_PIECES).map(piece).collect()
            }
            Form::Named(LoadShape::Recorded | LoadShape::File(_)) => Vec::new(),
        };
        Ok(Curve::new(pieces, duration))
    }
}

/// Straight lines between points; before the first it is as at the first.
fn lines(points: &[(f64, Level)], piece: impl Fn(f64, Level, Level) -> Piece) -> Vec<Piece> {
    let first = points.first().map(|&(at, level)| piece(at, level, level));
    let rest = points.windows(2).filter_map(|pair| match pair {
        [(begin, from), (end, to)] => Some(piece(end - begin, *from, *to)),
        _ => None,
    });
    first.into_iter().chain(rest).collect()
}

/// How many sessions began in each second.
fn bins(starts: &[f64], length: f64, times: f64) -> Vec<Piece> {
    let count = length.ceil().clamp(1.0, MOST_BINS);
    let width = length / count;
    let mut bins = vec![0_u32; count as usize];
    for start in starts {
        if let Some(bin) = bins.get_mut((start * count) as usize) {
            *bin += 1;
        }
    }
    let piece = |began: u32| {
        let rate = f64::from(began) / width * times;
        Piece { length: width, from: rate, to: rate }
    };
    bins.into_iter().map(piece).collect()
}

fn read(path: &Path) -> Result<String, Error> {
    let size = std::fs::metadata(path).map_err(|error| TrafficError::io(path, error))?.len();
    if size > MOST_BYTES {
        return Err(Error::Config(format!("{}: {size} bytes are more than a curve needs", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|error| TrafficError::io(path, error))?;
    String::from_utf8(bytes).map_err(|_| Error::Config(format!("{}: it is not text", path.display())))
}

/// Lines of a time (seconds, or a duration) and a level. A head may say what plain numbers are of: `t,sessions/s`, `t,users`.
fn points(text: &str, place: &str) -> Result<Vec<(f64, Level)>, Error> {
    let mut unit = Unit::Users;
    let mut points: Vec<(f64, Level)> = Vec::new();
    let mut begun = false;
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| Error::Config(format!("{place}, line {}: {why}", number + 1));
        let cells: Vec<&str> =
            line.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"').trim()).collect();
        let [time, value] = cells[..] else {
            return Err(wrong(format!(
                "'{line}': expected two columns, a time and a level, such as 30s,50/s"
            )));
        };
        let is_head = !begun && !time.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        begun = true;
        if is_head {
            unit = match value.to_ascii_lowercase().as_str() {
                "users" | "vus" => Unit::Users,
                "rate" | "sessions" | "sessions/s" | "sessions_per_s" => Unit::Sessions,
                "requests" | "requests/s" | "requests_per_s" => Unit::Requests,
                "times" | "x" => Unit::Times,
                "value" => continue,
                _ => {
                    return Err(wrong(format!(
                        "the head '{value}' says not what is counted; expected users, sessions/s, requests/s or times"
                    )));
                }
            };
            continue;
        }
        let seconds = match time.parse::<f64>() {
            Ok(seconds) if (0.0..=1e9).contains(&seconds) => seconds,
            Ok(_) => {
                return Err(wrong(format!(
                    "'{time}' is no time; expected seconds or a duration such as 30s"
                )));
            }
            Err(_) => parse_duration(time).map_err(|error| wrong(error.to_string()))?.as_secs_f64(),
        };
        if let Some((before, _)) = points.last().filter(|(before, _)| *before > seconds) {
            return Err(wrong(format!("{seconds} s comes after {before} s; times must not go back")));
        }
        let level = match value.parse::<f64>() {
            Ok(number) if unit != Unit::Users && (0.0..=1e12).contains(&number) => {
                Level { value: number, unit }
            }
            _ => value.parse().map_err(|error: TrafficError| wrong(error.to_string()))?,
        };
        points.push((seconds, level));
    }
    match points.last() {
        None => Err(Error::Config(format!("{place}: no points in it; expected lines such as 30s,50/s"))),
        Some((0.0, _)) => Err(Error::Config(format!("{place}: it ends at 0 s; a curve needs a later point"))),
        Some(_) => Ok(points),
    }
}

#[cfg(test)]
mod tests;
