//! How a scenario is driven: rates and think times as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pause::Span;
use super::stage::{Arrivals, LoadShape, Stage};
use crate::units::{format_duration, parse_duration, split_number};
use crate::{Error, Nanos};

/// How often sessions begin (open model).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many times the recorded rate: `10x`.
    Times(f64),
    /// So many sessions a second: `200/s`.
    PerSecond(f64),
    /// As many sessions as make so many requests a second, by the mean of the profiles: `2000req/s`.
    Requests(f64),
}

impl Rate {
    /// One of a unit: `/s`, `/m`, `/h`, or the same of requests.
    pub(super) fn unit(text: &str) -> Option<Rate> {
        let (requests, per) = match text.split_once('/')? {
            ("", per) => (false, per),
            ("req" | "requests", per) => (true, per),
            _ => return None,
        };
        let one = match per {
            "s" => 1.0,
            "m" | "min" => 1.0 / 60.0,
            "h" => 1.0 / 3600.0,
            _ => return None,
        };
        Some(if requests { Rate::Requests(one) } else { Rate::PerSecond(one) })
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::syntax(
                "rate",
                text,
                "expected '10x' (times the recorded rate), '200/s' (sessions a second) or '2000req/s' (requests a second)",
            )
        };
        let (number, unit) = split_number(text.trim()).ok_or_else(wrong)?;
        if !(number > 0.0 && number.is_finite()) {
            return Err(Error::syntax("rate", text, "expected more than zero"));
        }
        match unit {
            "x" => Ok(Rate::Times(number)),
            unit => match Rate::unit(unit).ok_or_else(wrong)? {
                Rate::PerSecond(one) => Ok(Rate::PerSecond(number * one)),
                Rate::Requests(one) => Ok(Rate::Requests(number * one)),
                Rate::Times(_) => Err(wrong()),
            },
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Times(n) => write!(f, "{n}x"),
            Rate::PerSecond(n) => write!(f, "{n}/s"),
            Rate::Requests(n) => write!(f, "{n}req/s"),
        }
    }
}

/// What becomes of the recorded pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ThinkTime {
    /// As they were.
    #[default]
    Recorded,
    /// Each this long; `0` for none.
    Fixed(Nanos),
    /// Each anything from the one to the other: `1s..5s`.
    Between(Span),
    /// Each multiplied by this: `x0.5`.
    Scaled(f64),
}

impl ThinkTime {
    /// The pause to make where this one was recorded; of those that are drawn the mean.
    pub fn apply(self, recorded: Nanos) -> Nanos {
        match self {
            ThinkTime::Recorded => recorded,
            ThinkTime::Fixed(span) => span,
            ThinkTime::Between(span) => span.mean(),
            ThinkTime::Scaled(factor) => Nanos::from_secs_f64(recorded.as_secs_f64() * factor),
        }
    }

    /// The pause to make where a step has this one; `chance`, from 0 to 1, is asked for where one is drawn.
    pub fn draw(self, own: Span, chance: impl FnOnce() -> f64) -> Nanos {
        match self {
            ThinkTime::Between(span) => span.at(chance()),
            ThinkTime::Fixed(span) => span,
            _ if own.is_fixed() => self.apply(own.least),
            _ => self.apply(own.at(chance())),
        }
    }

    /// The longest that can come of a step's.
    pub fn longest(self, own: Span) -> Nanos {
        match self {
            ThinkTime::Between(span) => span.most,
            _ => self.apply(own.most),
        }
    }
}

impl FromStr for ThinkTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::syntax(
                "think time",
                text,
                "expected 'recorded', '0', a duration such as '2s', a range such as '1s..5s', or a factor such as 'x0.5'",
            )
        };
        match text.trim() {
            "recorded" => Ok(ThinkTime::Recorded),
            other => match other.strip_prefix('x') {
                Some(factor) => match factor.parse::<f64>() {
                    Ok(factor) if factor >= 0.0 && factor.is_finite() => Ok(ThinkTime::Scaled(factor)),
                    _ => Err(wrong()),
                },
                None if other.contains("..") => other.parse().map(ThinkTime::Between).map_err(|_| wrong()),
                None => parse_duration(other).map(ThinkTime::Fixed).map_err(|_| wrong()),
            },
        }
    }
}

impl fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThinkTime::Recorded => f.write_str("recorded"),
            ThinkTime::Fixed(span) => f.write_str(&format_duration(*span)),
            ThinkTime::Between(span) => span.fmt(f),
            ThinkTime::Scaled(factor) => write!(f, "x{factor}"),
        }
    }
}

/// How a session is made of the recorded ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// A recorded session is played from its first request to its last.
    #[default]
    Recorded,
    /// From each request to one that followed such a request in some recorded session: [`Walker`](super::Walker).
    Markov,
}

impl FromStr for Behaviour {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "recorded" => Ok(Behaviour::Recorded),
            "markov" => Ok(Behaviour::Markov),
            _ => Err(Error::syntax("behaviour", text, "expected 'recorded' or 'markov'")),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Behaviour::Recorded => "recorded",
            Behaviour::Markov => "markov",
        })
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(Arrivals, Behaviour, LoadShape, Rate, Stage, ThinkTime);

/// A scenario's `[load]`: what holds where no flag says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Sessions that begin (open model): `10x`, `200/s`, `2000req/s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Virtual users at the same time (closed model).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Users that are added each second until there are `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn_rate: Option<f64>,
    /// Rate or users over time, one stage after the other: `["30s:10/s", "1m:50/s"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Rate or users over time, by name: `spike:10/s..200/s@30s+10s`, `recorded`, `curve.csv` (relative to the scenario).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<LoadShape>,
    /// How arrivals lie: `poisson`, `uniform`, `recorded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    /// For how long sessions are begun: `5m`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// `recorded`, `0`, `2s`, `1s..5s`, `x0.5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<ThinkTime>,
}

impl Load {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Load::default()
    }
}
