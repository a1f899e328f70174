//! Values that must be unique, made anew for each session: what is made, and where it goes.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::format_time;
use crate::{Error, Nanos, Site};

/// A field that gets a fresh value: equal within a session where recorded values were equal, else never twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vary {
    /// What inline steps call it: `${vary.NAME}`.
    pub name: String,
    /// What is made.
    pub make: Maker,
    /// Where requests carry it. The same value goes to all places that had the same in the recorded session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<Site>,
    /// Switched off by a person: recorded values are sent then.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// Why it was found to be so, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// What one value is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    /// The run's.
    pub seed: u64,
    /// Which of the scenario's makers: two give different values for the same session.
    pub maker: u64,
    /// Number of the session in the run, the same on whichever thread or machine it is played.
    pub session: u64,
    /// Which of the session's values, from 0.
    pub index: u64,
    /// Values that a session makes at most, as far as is known; short values are unique only up to this index.
    pub per_session: u64,
    /// Now, since the Unix epoch.
    pub now: Nanos,
}

/// A text with `{…}` in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Maker {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// A number that no other value has.
    Number,
    Uuid,
    Chars(&'static Alphabet, usize),
    Now(Now),
}

#[derive(Debug, PartialEq)]
struct Alphabet {
    name: &'static str,
    chars: &'static [u8],
}

static ALPHABETS: [Alphabet; 7] = [
    Alphabet { name: "digits", chars: b"0123456789" },
    Alphabet { name: "hex", chars: b"0123456789abcdef" },
    Alphabet { name: "HEX", chars: b"0123456789ABCDEF" },
    Alphabet { name: "alnum", chars: b"0123456789abcdefghijklmnopqrstuvwxyz" },
    Alphabet { name: "ALNUM", chars: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" },
    Alphabet { name: "Alnum", chars: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" },
    Alphabet { name: "letters", chars: b"abcdefghijklmnopqrstuvwxyz" },
];

/// Longest run of characters that is made.
const LONGEST: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Now {
    Seconds,
    Millis,
    Micros,
    Iso,
    IsoMillis,
}

const NOWS: [(&str, Now); 5] = [
    ("s", Now::Seconds),
    ("ms", Now::Millis),
    ("us", Now::Micros),
    ("iso", Now::Iso),
    ("iso-ms", Now::IsoMillis),
];

/// `SplitMix64`'s step: a bijection of 64 bits that leaves no trace of its input's order.
/// [Steele et al. 2014](https://doi.org/10.1145/2660193.2660195).
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

impl Draw {
    /// Unlike that of any other value of the run.
    fn number(&self) -> u64 {
        self.session.wrapping_mul(self.per_session.max(1)).wrapping_add(self.index)
    }

    /// The `n`-th 64 random bits of this value.
    fn bits(&self, n: u64) -> u64 {
        let whole = mix(mix(self.seed) ^ self.maker);
        mix(mix(mix(whole ^ self.session) ^ self.index.rotate_left(32)) ^ n)
    }
}

impl Maker {
    /// Makes the value. Numbers and short runs of characters are permutations of the value's number, so that no two are
    /// equal as long as there are enough of that length; long ones are random.
    pub fn make(&self, draw: &Draw) -> String {
        let mut out = String::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            let place = place as u64;
            match piece {
                Piece::Text(text) => out.push_str(text),
                // The seed's part keeps the values of runs with other seeds apart.
                Piece::Number => {
                    let _ = write!(out, "{}{:05}", draw.number(), mix(draw.seed ^ draw.maker) % 100_000);
                }
                Piece::Uuid => {
                    let (high, low) = (draw.bits(place << 32), draw.bits(place << 32 | 1));
                    let high = high & !0xF000 | 0x4000;
                    let low = low & !(0b11 << 62) | 0b10 << 62;
                    let _ = write!(
                        out,
                        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                        high >> 32,
                        high >> 16 & 0xFFFF,
                        high & 0xFFFF,
                        low >> 48,
                        low & 0xFFFF_FFFF_FFFF
                    );
                }
                Piece::Chars(alphabet, length) => chars(alphabet.chars, *length, place, draw, &mut out),
                Piece::Now(now) => write_now(*now, draw.now, &mut out),
            }
        }
        out
    }
}

fn chars(alphabet: &[u8], length: usize, place: u64, draw: &Draw, out: &mut String) {
    let base = alphabet.len() as u128;
    let room = u32::try_from(length).ok().and_then(|length| base.checked_pow(length));
    let mut push = |digit: u128| out.extend(alphabet.get(digit as usize).map(|&byte| byte as char));
    match room.filter(|&room| room <= 1 << 62) {
        Some(room) => {
            // x → a·x + b is one to one where a has no factor in common with the room: a prime that divides no base here.
            let key = mix(mix(draw.seed) ^ draw.maker ^ place.rotate_left(48));
            let factor = 0x9E37_79B9_7F4A_7C55_u128 % room;
            let factor = if factor > 1 && gcd(factor, room) == 1 { factor } else { 1 };
            let mut value = (u128::from(draw.number()) % room * factor + u128::from(key)) % room;
            let mut digits = Vec::with_capacity(length);
            for _ in 0..length {
                digits.push(value % base);
                value /= base;
            }
            digits.into_iter().rev().for_each(push);
        }
        None => {
            for position in 0..length as u64 {
                push(u128::from(draw.bits((place << 32) | (position + 2))) % base);
            }
        }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn write_now(now: Now, time: Nanos, out: &mut String) {
    let _ = match now {
        Now::Seconds => write!(out, "{}", time.0 / 1_000_000_000),
        Now::Millis => write!(out, "{}", time.0 / 1_000_000),
        Now::Micros => write!(out, "{}", time.0 / 1_000),
        Now::IsoMillis => write!(out, "{}", format_time(Nanos(time.0 / 1_000_000 * 1_000_000))),
        Now::Iso => {
            let text = format_time(Nanos(time.0 / 1_000_000_000 * 1_000_000_000));
            write!(out, "{}", text.replace(".000", ""))
        }
    };
}

impl FromStr for Maker {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: String| Error::syntax("value to make", text, message);
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let close = rest[open..].find('}').map(|end| open + end);
            let close = close.ok_or_else(|| wrong("has { without }".to_owned()))?;
            pieces.push(piece(&rest[open + 1..close]).map_err(wrong)?);
            rest = &rest[close + 1..];
        }
        if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
            return Err(wrong(
                "every session would send the same; put {uuid}, {n}, {digits:6}, {hex:16}, {alnum:10} or {now:ms} in it"
                    .to_owned(),
            ));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Maker { pieces })
    }
}

fn piece(text: &str) -> Result<Piece, String> {
    let (name, detail) = text.split_once(':').map_or((text, None), |(name, detail)| (name, Some(detail)));
    match (name, detail) {
        ("n", None) => return Ok(Piece::Number),
        ("uuid", None) => return Ok(Piece::Uuid),
        ("now", Some(unit)) => {
            if let Some((_, now)) = NOWS.iter().find(|(known, _)| *known == unit) {
                return Ok(Piece::Now(*now));
            }
            return Err(format!("{{now:{unit}}}: expected s, ms, us, iso or iso-ms"));
        }
        _ => {}
    }
    let known = ALPHABETS.iter().find(|alphabet| alphabet.name == name);
    match (known, detail.map(str::parse::<usize>)) {
        (Some(alphabet), Some(Ok(length))) if (1..=LONGEST).contains(&length) => {
            Ok(Piece::Chars(alphabet, length))
        }
        (Some(_), _) => Err(format!("{{{text}}}: expected a length, as in {{{name}:8}}")),
        (None, _) => {
            let names = ["n", "uuid", "now"].into_iter().chain(ALPHABETS.iter().map(|one| one.name));
            let hint = crate::nearest(name, names)
                .map(|meant| format!("; did you mean {{{meant}}}?"))
                .unwrap_or_default();
            Err(format!("{{{text}}} is nothing that can be made{hint}"))
        }
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Number => f.write_str("{n}")?,
                Piece::Uuid => f.write_str("{uuid}")?,
                Piece::Chars(alphabet, length) => write!(f, "{{{}:{length}}}", alphabet.name)?,
                Piece::Now(now) => {
                    let unit = NOWS.iter().find(|(_, known)| known == now).map_or("s", |(unit, _)| unit);
                    write!(f, "{{now:{unit}}}")?;
                }
            }
        }
        Ok(())
    }
}

impl Serialize for Maker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Maker {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn draw(session: u64, index: u64) -> Draw {
        Draw { seed: 7, maker: 1, session, index, per_session: 2, now: Nanos(1_790_000_000_123_456_789) }
    }

    fn make(text: &str, session: u64) -> String {
        text.parse::<Maker>().unwrap().make(&draw(session, 0))
    }

    #[test]
    fn values_have_their_form() {
        assert_eq!(make("{now:s}", 1), "1790000000");
        assert_eq!(make("t={now:ms};", 1), "t=1790000000123;");
        assert_eq!(make("{now:iso}", 1), "2026-09-21T14:13:20Z");
        assert_eq!(make("{now:iso-ms}", 1), "2026-09-21T14:13:20.123Z");
        let uuid = make("{uuid}", 1);
        assert!(
            uuid.len() == 36 && uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]),
            "{uuid}"
        );
        let code = make("ORD-{ALNUM:8}", 1);
        assert!(
            code.len() == 12 && code[4..].bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
            "{code}"
        );
        assert!(make("user+{n}@shop.example", 3).starts_with("user+6"));
        assert_eq!(make("{hex:40}", 1).len(), 40);
    }

    #[test]
    fn no_two_are_equal() {
        for text in ["{digits:6}", "{hex:5}", "{n}", "{uuid}", "{alnum:9}", "{Alnum:20}", "{letters:5}"] {
            let maker: Maker = text.parse().unwrap();
            assert_eq!(maker.to_string(), text);
            let mut seen = HashSet::new();
            for session in 0..20_000 {
                for index in 0..2 {
                    assert!(seen.insert(maker.make(&draw(session, index))), "{text}");
                }
            }
            assert_eq!(maker.make(&draw(5, 1)), maker.make(&draw(5, 1)));
            let other = Draw { seed: 8, ..draw(5, 1) };
            assert_ne!(maker.make(&draw(5, 1)), maker.make(&other), "{text}: another seed, other values");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("constant", "every session would send the same"),
            ("{uid}", "did you mean {uuid}?"),
            ("{hex}", "expected a length"),
            ("{hex:0}", "expected a length"),
            ("{now:days}", "expected s, ms"),
            ("a{n", "{ without }"),
        ] {
            let said = text.parse::<Maker>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
