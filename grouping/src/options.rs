//! What the user can say about the grouping.

use std::fmt;
use std::str::FromStr;

use mynah_message::Locator;
use mynah_traffic::{Endpoint, Nanos};

use crate::SourceInfo;

/// A place in each request whose value tells clients apart, instead of what would be found by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionKey {
    /// A cookie; the values that responses set in its place count as the same client's.
    Cookie(String),
    /// A header's whole value.
    Header(String),
    /// A query value.
    Query(String),
}

impl FromStr for SessionKey {
    type Err = mynah_traffic::Error;

    /// Reads `cookie:sid`, `header:X-User` or `query:session`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |message: &str| mynah_traffic::Error::syntax("session key", text, message);
        match text.parse::<Locator>() {
            Ok(Locator::Cookie { name }) if !name.is_empty() => Ok(SessionKey::Cookie(name)),
            Ok(Locator::Header { name, .. }) if !name.is_empty() => Ok(SessionKey::Header(name)),
            Ok(Locator::Query { name, .. }) if !name.is_empty() => Ok(SessionKey::Query(name)),
            Ok(_) | Err(_) => Err(wrong("expected cookie:NAME, header:NAME or query:NAME")),
        }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionKey::Cookie(name) => write!(f, "cookie:{name}"),
            SessionKey::Header(name) => write!(f, "header:{name}"),
            SessionKey::Query(name) => write!(f, "query:{name}"),
        }
    }
}

/// How many behaviour profiles there shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProfileCount {
    /// As many as the sessions show.
    #[default]
    Auto,
    /// So many (fewer where there are not so many different sessions).
    Fixed(usize),
}

/// What the user can say.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the scenario is called in reports.
    pub name: String,
    /// What tells clients apart; found by behaviour when absent.
    pub session_key: Option<SessionKey>,
    /// A pause longer than this ends a session. `None`: found from the pauses, 30 minutes where they do not show one.
    pub idle_timeout: Option<Nanos>,
    /// How many profiles.
    pub profiles: ProfileCount,
    /// The user's own endpoints; a request that fits one is never counted as another.
    pub templates: Vec<Endpoint>,
    /// The inputs, where their sessions count differently or are to be told apart.
    pub sources: Vec<SourceInfo>,
    /// For what is drawn at random: the samples. The same seed gives the same scenario.
    pub seed: u64,
    /// Keep static assets (left out by default).
    pub keep_static: bool,
    /// Keep a HAR's requests to other sites (left out by default).
    pub keep_third_party: bool,
    /// Keep health checks (left out by default).
    pub keep_health_checks: bool,
    /// Keep crawlers and other bots (left out by default).
    pub keep_bots: bool,
    /// Endpoints that there may be at most; beyond, paths are folded harder. 2,000.
    pub max_endpoints: usize,
    /// Steps up to which a scenario of single sessions is written inline, by input. 60.
    pub inline_steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            name: "recorded".to_owned(),
            session_key: None,
            idle_timeout: None,
            profiles: ProfileCount::Auto,
            templates: Vec::new(),
            sources: Vec::new(),
            seed: 0,
            keep_static: false,
            keep_third_party: false,
            keep_health_checks: false,
            keep_bots: false,
            max_endpoints: 2_000,
            inline_steps: 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written() {
        for text in ["cookie:sid", "header:X-User", "query:s"] {
            assert_eq!(text.parse::<SessionKey>().unwrap().to_string(), text);
        }
        for text in ["", "sid", "cookie:", "path:1", "json:$.a"] {
            assert!(text.parse::<SessionKey>().is_err(), "{text}");
        }
    }
}
