//! Load that changes over time, as people write it: stages, named shapes, how arrivals lie.

use std::fmt;
use std::str::FromStr;

use super::load::Rate;
use crate::units::{format_duration, parse_duration, split_number};
use crate::{Error, Nanos};

/// A duration as it is read again, to the nanosecond.
fn exact(span: Nanos) -> String {
    let text = format_duration(span);
    if parse_duration(&text).is_ok_and(|read| read == span) { text } else { format!("{}ns", span.0) }
}

/// What a number of a curve counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Virtual users at the same time (closed model): `50`.
    Users,
    /// Sessions that begin in a second: `50/s`.
    Sessions,
    /// Requests in a second, by the mean of the profiles: `500req/s`.
    Requests,
    /// Times the recorded rate of sessions: `2x`.
    Times,
}

impl Unit {
    /// How it is said in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Unit::Users => "users",
            Unit::Sessions => "sessions/s",
            Unit::Requests => "requests/s",
            Unit::Times => "times the recorded rate",
        }
    }
}

/// A point of a curve: how many users, or what rate. Zero or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// How many.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

/// More than anything that can be asked for; sums of it are still numbers.
const MOST: f64 = 1e12;

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::syntax(
                "level",
                text,
                "expected a rate such as '50/s' (sessions), '500req/s' (requests) or '2x' (times the recorded one), or a number \
                 of users such as '50'",
            )
        };
        let (number, unit) = split_number(text.trim()).ok_or_else(wrong)?;
        let (per, unit) = match unit {
            "" => (1.0, Unit::Users),
            "x" => (1.0, Unit::Times),
            _ => match Rate::unit(unit).ok_or_else(wrong)? {
                Rate::PerSecond(per) => (per, Unit::Sessions),
                Rate::Requests(per) => (per, Unit::Requests),
                Rate::Times(per) => (per, Unit::Times),
            },
        };
        let value = number * per;
        if !(0.0..=MOST).contains(&value) {
            return Err(Error::syntax("level", text, "this is more than can be sent"));
        }
        if unit == Unit::Users && number.fract() != 0.0 {
            return Err(Error::syntax(
                "level",
                text,
                "users are whole numbers; a rate has a unit, such as '1.5/s'",
            ));
        }
        Ok(Level { value, unit })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Users => "",
            Unit::Sessions => "/s",
            Unit::Requests => "req/s",
            Unit::Times => "x",
        };
        write!(f, "{}{unit}", self.value)
    }
}

/// One stage: from where the last one ended (zero before the first) along a straight line to `to`, as in k6.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// How long it takes; nothing is a jump.
    pub span: Nanos,
    /// Where it ends.
    pub to: Level,
    /// It jumps there at once and stays: `30s:=50/s`.
    pub holds: bool,
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::syntax("stage", text, why);
        let (span, to) = text.split_once(':').ok_or_else(|| {
            wrong("expected TIME:LEVEL, such as '30s:10/s' (to 10 sessions/s in 30 s), '1m:=50/s' (at 50/s for a minute) or '30s:100' (to 100 users)")
        })?;
        let span = parse_duration(span).map_err(|error| wrong(&format!("before the colon: {error}")))?;
        let (to, holds) = match to.trim().strip_prefix('=') {
            Some(to) => (to, true),
            None => (to, false),
        };
        let to = to.parse().map_err(|error| wrong(&format!("behind the colon: {error}")))?;
        Ok(Stage { span, to, holds })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = if self.holds { "=" } else { "" };
        write!(f, "{}:{equals}{}", exact(self.span), self.to)
    }
}

/// A load shape by its name.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadShape {
    /// `spike:10/s..200/s@30s+10s`: `base`, but `peak` from `at` for `length`.
    Spike {
        /// Before and after.
        base: Level,
        /// Meanwhile.
        peak: Level,
        /// When it begins.
        at: Nanos,
        /// How long it lasts.
        length: Nanos,
    },
    /// `steps:10/s..100/s/10`: so many steps of the same length and height.
    Steps {
        /// The first step's.
        from: Level,
        /// The last step's.
        to: Level,
        /// How many there are, two or more.
        count: u32,
    },
    /// `sine:10/s..50/s/1m`: up and down, beginning at the lowest.
    Sine {
        /// The lowest.
        min: Level,
        /// The highest, half a period later.
        max: Level,
        /// From lowest to lowest.
        period: Nanos,
    },
    /// `recorded`: sessions begin as often as they did in the recording, moment by moment.
    Recorded,
    /// `curve.csv`: points in a file; `curve.js`: a function of time in one.
    File(String),
}

/// `10/s..200/s`; what the first has no unit of is of the second's.
fn range(text: &str) -> Result<(Level, Level), String> {
    let (low, high) = text.split_once("..").ok_or("expected two levels, such as 10/s..200/s")?;
    let high: Level = high.parse().map_err(|error: Error| error.to_string())?;
    let low: Level = match low.trim().parse::<f64>() {
        Ok(value) if (0.0..=MOST).contains(&value) && (high.unit != Unit::Users || value.fract() == 0.0) => {
            Level { value, unit: high.unit }
        }
        _ => low.parse().map_err(|error: Error| error.to_string())?,
    };
    if low.unit != high.unit {
        return Err(format!("{} and {} are not the same thing", low.unit.words(), high.unit.words()));
    }
    Ok((low, high))
}

fn spike(text: &str) -> Result<LoadShape, String> {
    let parts = text.split_once('@').and_then(|(levels, when)| Some((levels, when.split_once('+')?)));
    let (levels, (at, length)) =
        parts.ok_or("expected BASE..PEAK@AT+LENGTH, such as spike:10/s..200/s@30s+10s")?;
    let (base, peak) = range(levels)?;
    let span = |text: &str| parse_duration(text).map_err(|error| error.to_string());
    let (at, length) = (span(at)?, span(length)?);
    if length == Nanos(0) {
        return Err("a spike that lasts no time is none".to_owned());
    }
    Ok(LoadShape::Spike { base, peak, at, length })
}

fn steps(text: &str) -> Result<LoadShape, String> {
    let wrong = "expected FROM..TO/COUNT, such as steps:10/s..100/s/10";
    let (levels, count) = text.rsplit_once('/').ok_or(wrong)?;
    let count = count.parse().map_err(|_| format!("'{count}' is no number of steps; {wrong}"))?;
    if !(2..=10_000).contains(&count) {
        return Err(format!("{count} steps; expected 2 to 10000"));
    }
    let (from, to) = range(levels)?;
    Ok(LoadShape::Steps { from, to, count })
}

fn sine(text: &str) -> Result<LoadShape, String> {
    let wrong = "expected MIN..MAX/PERIOD, such as sine:10/s..50/s/1m";
    let (levels, period) = text.rsplit_once('/').ok_or(wrong)?;
    let period = parse_duration(period).map_err(|error| format!("{error}; {wrong}"))?;
    if period < Nanos(Nanos::PER_SECOND) {
        return Err(format!("a period of {}; expected a second or more", format_duration(period)));
    }
    let (min, max) = range(levels)?;
    if min.value > max.value {
        return Err(format!("{min} is more than {max}; the lower one comes first"));
    }
    Ok(LoadShape::Sine { min, max, period })
}

impl FromStr for LoadShape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = |why: &str| Error::syntax("shape", text, why);
        let named = |read: fn(&str) -> Result<LoadShape, String>, rest| read(rest).map_err(|why| wrong(&why));
        match text.split_once(':') {
            Some(("spike", rest)) => named(spike, rest),
            Some(("steps", rest)) => named(steps, rest),
            Some(("sine", rest)) => named(sine, rest),
            None if text == "recorded" => Ok(LoadShape::Recorded),
            _ if [".csv", ".js", ".mjs"].iter().any(|end| text.to_ascii_lowercase().ends_with(end)) => {
                Ok(LoadShape::File(text.to_owned()))
            }
            _ => Err(wrong(
                "expected spike:BASE..PEAK@AT+LENGTH, steps:FROM..TO/COUNT, sine:MIN..MAX/PERIOD, recorded, or a .csv or .js file",
            )),
        }
    }
}

impl fmt::Display for LoadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadShape::Spike { base, peak, at, length } => {
                write!(f, "spike:{base}..{peak}@{}+{}", exact(*at), exact(*length))
            }
            LoadShape::Steps { from, to, count } => write!(f, "steps:{from}..{to}/{count}"),
            LoadShape::Sine { min, max, period } => write!(f, "sine:{min}..{max}/{}", exact(*period)),
            LoadShape::Recorded => f.write_str("recorded"),
            LoadShape::File(name) => f.write_str(name),
        }
    }
}

/// How arrivals lie around the rate that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// By chance, as independent users come.
    #[default]
    Poisson,
    /// Evenly.
    Uniform,
    /// With the gaps of the recording, as long or short as the rate makes them.
    Recorded,
}

impl FromStr for Arrivals {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "poisson" => Ok(Arrivals::Poisson),
            "uniform" => Ok(Arrivals::Uniform),
            "recorded" => Ok(Arrivals::Recorded),
            _ => Err(Error::syntax("arrivals", text, "expected 'poisson', 'uniform' or 'recorded'")),
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arrivals::Poisson => "poisson",
            Arrivals::Uniform => "uniform",
            Arrivals::Recorded => "recorded",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stages_as_written() {
        let stage = |text: &str| text.parse::<Stage>().unwrap();
        let sessions = |value| Level { value, unit: Unit::Sessions };
        let second = Nanos::PER_SECOND;
        assert_eq!(stage("30s:10/s"), Stage { span: Nanos(30 * second), to: sessions(10.0), holds: false });
        assert_eq!(stage("1m:=120/m"), Stage { span: Nanos(60 * second), to: sessions(2.0), holds: true });
        assert_eq!(stage("0s:100").to, Level { value: 100.0, unit: Unit::Users });
        assert_eq!(stage("1m30s:1.5x").to, Level { value: 1.5, unit: Unit::Times });
        assert_eq!(stage("1s:500req/s").to, Level { value: 500.0, unit: Unit::Requests });
        for text in ["30s:10/s", "1m30s:=50/s", "30s:100", "0:2x", "500ms:20req/s", "12345678901ns:2/s"] {
            assert_eq!(stage(text).to_string(), text);
        }
    }

    #[test]
    fn wrong_stages_say_what_is_wrong() {
        for (text, why) in [
            ("30s", "expected TIME:LEVEL"),
            ("30:10/s", "before the colon: duration '30'"),
            ("30s:", "behind the colon: level ''"),
            ("30s:-5/s", "behind the colon"),
            ("30s:2.5", "users are whole numbers"),
            ("30s:10/d", "behind the colon"),
            ("30s:99999999999999/s", "more than can be sent"),
        ] {
            let error = text.parse::<Stage>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn shapes_as_written() {
        for text in [
            "spike:10/s..200/s@30s+10s",
            "steps:10/s..100/s/10",
            "steps:10..100/10",
            "sine:1x..3x/1m",
            "recorded",
            "a b/curve.CSV",
        ] {
            assert_eq!(text.parse::<LoadShape>().unwrap().to_string(), text);
        }
        let short = "spike:10..200/s@30s+10s".parse::<LoadShape>().unwrap();
        assert_eq!(short.to_string(), "spike:10/s..200/s@30s+10s");
        for (text, why) in [
            ("spike", "expected spike:BASE..PEAK@AT+LENGTH"),
            ("spike:10/s..200/s", "expected BASE..PEAK@AT+LENGTH"),
            ("spike:10/s..200/s@30s+0s", "lasts no time"),
            ("steps:10/s..100/s", "'s' is no number of steps"),
            ("steps:10/s..100/s/1", "expected 2 to 10000"),
            ("sine:50/s..10/s/1m", "the lower one comes first"),
            ("sine:10/s..50/s", "expected MIN..MAX/PERIOD"),
            ("sine:10/s..50x/9s", "not the same thing"),
            ("curve.py", "a .csv or .js file"),
        ] {
            let error = text.parse::<LoadShape>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9a-z:=./@+ x%-]{0,24}") {
            let _ = text.parse::<Stage>();
            let _ = text.parse::<LoadShape>();
            let _ = format!("spike:{text}").parse::<LoadShape>();
            let _ = format!("steps:{text}").parse::<LoadShape>();
            let _ = format!("sine:{text}").parse::<LoadShape>();
        }
    }
}
