//! One client's exchanges without a longer pause than the idle timeout.

use std::fmt;

/// Number of a session within one grouping, from 0, in order of start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// How a session's exchanges are known to belong together: the rung of the ladder that held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifiedBy {
    /// The key that the user named, such as `cookie:sid`.
    Key(String),
    /// A cookie that behaves like a session's.
    Cookie(String),
    /// An authorization value that behaves like a session's; the header's name.
    Authorization(String),
    /// The source says which client it was (one HAR, one browser).
    Source,
    /// The transport connection.
    Connection,
    /// Client address and user agent.
    Address,
}

impl fmt::Display for IdentifiedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentifiedBy::Key(key) => write!(f, "key {key}"),
            IdentifiedBy::Cookie(name) => write!(f, "cookie {name}"),
            IdentifiedBy::Authorization(name) => write!(f, "authorization {name}"),
            IdentifiedBy::Source => f.write_str("source"),
            IdentifiedBy::Connection => f.write_str("connection"),
            IdentifiedBy::Address => f.write_str("address"),
        }
    }
}
