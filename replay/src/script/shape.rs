//! `shape(t)` as points of a curve.
//!
//! It is evaluated when it is loaded, each 100 ms of the run from zero on, in an engine without a clock and with a chance of its own:
//! the same file gives the same curve.

use std::path::Path;

use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Level, Unit};
use mynah_traffic::units::parse_duration;
use rquickjs::Value;

use super::engine::{Engine, ONCE, settled, type_error};
use super::read;
use crate::Error;

/// Points in a second.
const EACH_SECOND: u32 = 10;
/// Hours that a curve is asked about which does not end by itself.
const HOURS: u32 = 24;
/// The highest level that is taken for meant.
const MOST: f64 = 1e12;

/// A curve by its points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampled {
    /// By seconds, ascending; between two of them lies a straight line.
    pub(crate) points: Vec<(f64, Level)>,
    /// Whether it says itself when it is over.
    pub(crate) ends: bool,
}

/// Evaluates it.
///
/// # Errors
/// [`Error::Traffic`] when it cannot be read, [`Error::Config`] with the place for what is wrong in it.
pub(crate) fn sample(path: &Path) -> Result<Sampled, Error> {
    let (name, source) = read(path)?;
    sampled(&name, &source).map_err(Error::Config)
}

pub(super) fn sampled(name: &str, source: &str) -> Result<Sampled, String> {
    let engine = Engine::new(name, source, 0, true)?;
    let shape = engine.function("shape")?.ok_or_else(|| {
        format!("{name}: it exports no function 'shape'; expected 'export function shape(t) {{ return … }}'")
    })?;
    let unit = match engine.text("unit")?.as_deref() {
        None | Some("sessions/s" | "sessions" | "rate") => Unit::Sessions,
        Some("users" | "vus") => Unit::Users,
        Some("requests/s" | "requests") => Unit::Requests,
        Some("times" | "x") => Unit::Times,
        Some(other) => {
            return Err(format!(
                "{name}: unit is '{other}'; expected 'sessions/s' (when left out), 'users', 'requests/s' or 'times'"
            ));
        }
    };
    let length = match engine.text("duration")? {
        None => None,
        Some(text) => Some(
            text.parse::<f64>()
                .ok()
                .or_else(|| parse_duration(&text).ok().map(Nanos::as_secs_f64))
                .filter(|seconds| *seconds > 0.0 && *seconds <= f64::from(HOURS) * 3600.0)
                .ok_or_else(|| {
                    format!("{name}: duration is '{text}'; expected seconds or a text such as '5m', {HOURS} hours at most")
                })?,
        ),
    };
    let all = f64::from(HOURS) * 3600.0;
    let last = (length.unwrap_or(all) * f64::from(EACH_SECOND)).ceil() as u32;
    engine.run(ONCE, |ctx| {
        let shape = shape.clone().restore(ctx)?;
        let mut points: Vec<(f64, Level)> = Vec::new();
        let mut ends = length.is_some();
        for number in 0..=last {
            let t = f64::from(number) / f64::from(EACH_SECOND);
            let t = length.map_or(t, |length| t.min(length));
            let value: Value<'_> = shape.call((t,))?;
            let value = settled(value)?;
            if length.is_none() && (value.is_null() || value.is_undefined()) {
                ends = true;
                break;
            }
            let level = value.as_number().filter(|level| (0.0..=MOST).contains(level)).ok_or_else(|| {
                let got = super::engine::shown(&value).ok().flatten().unwrap_or_else(|| "nothing".to_owned());
                type_error(
                    ctx,
                    &format!("shape({t}) returned {got}; expected a number that is not below zero"),
                )
            })?;
            put(&mut points, t, Level { value: level, unit });
        }
        match points.last() {
            Some((at, _)) if *at > 0.0 => Ok(Sampled { points, ends }),
            _ => Err(type_error(ctx, "shape(t) ends at 0 s: nothing would be sent")),
        }
    })
}

/// Adds a point; one in the middle of a level stretch is moved on instead.
fn put(points: &mut Vec<(f64, Level)>, t: f64, level: Level) {
    if let [.., (_, before), (at, last)] = points.as_mut_slice()
        && before.value.to_bits() == level.value.to_bits()
        && last.value.to_bits() == level.value.to_bits()
    {
        *at = t;
        return;
    }
    points.push((t, level));
}
