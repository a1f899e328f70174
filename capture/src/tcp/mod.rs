//! TCP: segments in, both byte streams of each connection out, in causal order and with their holes.
//!
//! Each direction is a [`half::Half`]: what comes in order is handed on at once and without a copy, what comes early waits. A
//! [`flow::Flow`] joins two of them; a segment also waits until the other direction has come to where its sender had
//! acknowledged it, so that requests and responses can be paired even when the capture has holes. A [`table::Table`] finds the flow of
//! a segment and keeps all of them within their memory and idle limits.

mod flow;
mod half;
mod table;

pub(crate) use table::Table;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire;
