//! Pauses as people write them for hand-written users: `think = "1s..5s"` before a step, `wait = "pacing 10s"` between iterations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::vary::mix;
use crate::units::{format_duration, parse_duration, split_number};
use crate::{Error, Nanos};

/// Lengths of time, each as likely as the other: from the first to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub least: Nanos,
    /// The most.
    pub most: Nanos,
}

impl Span {
    /// Always this one.
    pub fn fixed(span: Nanos) -> Span {
        Span { least: span, most: span }
    }

    /// Whether there is nothing to draw.
    pub fn is_fixed(self) -> bool {
        self.least == self.most
    }

    /// The one at this place, 0 to 1.
    pub fn at(self, place: f64) -> Nanos {
        let room = self.most.0.saturating_sub(self.least.0);
        Nanos(self.least.0 + (room as f64 * place.clamp(0.0, 1.0)) as u64)
    }

    /// The mean.
    pub fn mean(self) -> Nanos {
        self.at(0.5)
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((least, most)) = text.split_once("..") else { return parse_duration(text).map(Span::fixed) };
        let span = Span { least: parse_duration(least)?, most: parse_duration(most)? };
        if span.least > span.most {
            return Err(Error::syntax("duration", text, "the first of a range is the smaller one: 1s..5s"));
        }
        Ok(span)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.least))?;
        if self.is_fixed() { Ok(()) } else { write!(f, "..{}", format_duration(self.most)) }
    }
}

/// A number in [0, 1) that is the same for the same seed and what it is drawn for.
pub fn chance(seed: u64, of: [u64; 3]) -> f64 {
    let bits = of.iter().fold(mix(seed ^ 0x5743_4149_5421), |bits, one| mix(bits ^ one));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// What lies between a user's iterations: sessions in `sequence`, picks of a step in `weighted` order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Wait {
    /// Nothing but the pauses of the steps: `recorded`.
    #[default]
    Recorded,
    /// A pause behind each: `between 1s 5s`, `constant 2s`.
    Between(Span),
    /// One begins so long after the one before it began, or at once when that took longer: `pacing 10s`, `throughput 0.5/s`.
    Pacing(Nanos),
}

impl FromStr for Wait {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::syntax("wait", text, why);
        let mut words = text.split_whitespace();
        let (kind, first, second) = (words.next().unwrap_or_default(), words.next(), words.next());
        if words.next().is_some() {
            return Err(wrong("has more words than it can"));
        }
        match (kind, first, second) {
            ("recorded", None, None) => Ok(Wait::Recorded),
            ("between", Some(range), None) if range.contains("..") => range.parse().map(Wait::Between),
            ("between", Some(least), Some(most)) => format!("{least}..{most}").parse().map(Wait::Between),
            ("constant", Some(span), None) => {
                parse_duration(span).map(|span| Wait::Between(Span::fixed(span)))
            }
            ("pacing", Some(span), None) => match parse_duration(span)? {
                Nanos(0) => Err(wrong("a pace takes some time")),
                span => Ok(Wait::Pacing(span)),
            },
            ("throughput", Some(rate), None) => {
                let (number, unit) =
                    split_number(rate).ok_or_else(|| wrong("expected a rate such as 0.5/s"))?;
                let seconds = match unit {
                    "/s" => 1.0,
                    "/m" | "/min" => 60.0,
                    "/h" => 3600.0,
                    _ => return Err(wrong("expected a rate such as 0.5/s, 6/m or 10/h")),
                };
                let span = Nanos::from_secs_f64(seconds / number);
                if number > 0.0 && span.0 > 0 {
                    Ok(Wait::Pacing(span))
                } else {
                    Err(wrong("expected more than nothing"))
                }
            }
            _ => {
                let known = ["between", "constant", "pacing", "throughput", "recorded"];
                let hint = crate::nearest(kind, known)
                    .filter(|meant| *meant != kind)
                    .map(|meant| format!("; did you mean '{meant}'?"))
                    .unwrap_or_default();
                Err(wrong(&format!(
                    "expected 'between 1s 5s', 'constant 2s', 'pacing 10s', 'throughput 0.5/s' or 'recorded'{hint}"
                )))
            }
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Recorded => f.write_str("recorded"),
            Wait::Between(span) if span.is_fixed() => write!(f, "constant {}", format_duration(span.least)),
            Wait::Between(span) => {
                write!(f, "between {} {}", format_duration(span.least), format_duration(span.most))
            }
            Wait::Pacing(span) => write!(f, "pacing {}", format_duration(*span)),
        }
    }
}

/// In what order a profile's steps come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// One after the other, as they are written.
    #[default]
    Sequence,
    /// Each time one is drawn, by its `weight`.
    Weighted,
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

serde_as_text!(Span, Wait);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_and_written() {
        for (text, written) in [
            ("recorded", "recorded"),
            ("between 1s 5s", "between 1s 5s"),
            ("between 1s..5s", "between 1s 5s"),
            ("constant 2s", "constant 2s"),
            ("pacing 10s", "pacing 10s"),
            ("throughput 0.5/s", "pacing 2s"),
            ("throughput 6/m", "pacing 10s"),
        ] {
            let wait: Wait = text.parse().unwrap();
            assert_eq!(wait.to_string(), written);
            assert_eq!(written.parse::<Wait>().unwrap(), wait);
        }
        for (text, wanted) in [
            ("pace 10s", "did you mean 'pacing'?"),
            ("between 5s 1s", "the smaller one"),
            ("throughput 5", "such as 0.5/s"),
            ("throughput 0/s", "more than nothing"),
            ("pacing 0", "takes some time"),
            ("constant 1 s", "expected 'between"),
        ] {
            let said = text.parse::<Wait>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn spans_are_drawn_evenly_and_the_same_again() {
        let span: Span = "1s..5s".parse().unwrap();
        assert_eq!(
            (span.at(0.0), span.mean(), span.to_string()),
            (Nanos(1_000_000_000), Nanos(3_000_000_000), "1s..5s".into())
        );
        assert_eq!("2s".parse::<Span>().unwrap().at(0.9), Nanos(2_000_000_000));
        let drawn: Vec<f64> = (0..4000).map(|n| chance(7, [n, 1, 2])).collect();
        let mean = drawn.iter().sum::<f64>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(drawn.iter().all(|one| (0.0..1.0).contains(one)));
        assert_eq!(chance(7, [3, 1, 2]).to_bits(), drawn[3].to_bits());
        assert!((chance(8, [3, 1, 2]) - drawn[3]).abs() > 1e-9);
    }
}
