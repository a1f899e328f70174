//! A value that a response hands out and a later request sends back.

use std::fmt;
use std::str::FromStr;

use mynah_message::Locator;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Endpoint, Error};

/// A place in the messages of one endpoint: `GET /login input:csrf`.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Whose messages.
    pub endpoint: Endpoint,
    /// Where in them. A wildcard stands for each of several values in document order.
    pub at: Locator,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.endpoint, self.at)
    }
}

impl FromStr for Site {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: &str| Error::syntax("correlation site", text, message);
        let text = text.trim();
        // METHOD PATH LOCATOR: the locator is all after the second run of spaces, as it may hold spaces itself.
        let (method, rest) = text.split_once(' ').ok_or_else(|| wrong("expected 'METHOD /path locator'"))?;
        let (path, at) =
            rest.trim_start().split_once(' ').ok_or_else(|| wrong("expected 'METHOD /path locator'"))?;
        let endpoint = format!("{method} {path}").parse()?;
        let at = at.trim().parse::<Locator>().map_err(|error| wrong(&error.to_string()))?;
        Ok(Site { endpoint, at })
    }
}

impl Serialize for Site {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Site {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A rule found in the traffic (or written by hand): what stands at one of `from` in a response is what stands at each
/// of `to` in later requests of the same session. The latest value handed out wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// What steps call it: `${name}`, or `${name[3]}` for the fourth of several values.
    pub name: String,
    /// Where responses hand the value out.
    pub from: Vec<Site>,
    /// Where requests send it back.
    pub to: Vec<Site>,
    /// Text around the value where it is sent, `{}` being the value: `Bearer {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Switched off by a person: recorded values are sent then.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// Why it was accepted, in words.
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
