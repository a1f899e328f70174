//! HTTP/1 as it stands in two byte streams: messages taken apart, and paired to exchanges.

mod chunked;
mod conversation;
mod framing;
#[cfg(feature = "proxy")]
mod heads;
mod parser;
mod plain;
pub(crate) mod start;

pub(crate) use conversation::{Conversation, Ending, Left, Out};
#[cfg(feature = "proxy")]
pub(crate) use heads::{Found, Heads};

/// Limits of one connection, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_body: u64,
    /// Finished messages that wait for their counterpart.
    pub(crate) waiting: u64,
}
