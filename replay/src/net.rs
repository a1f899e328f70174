//! Connections to targets: resolving, connecting, TLS, one exchange at a time over HTTP/1, and many over HTTP/2.
//!
//! The HTTP/1 client is our own. Sending what was recorded, as it was recorded, is what this crate exists for, and a general
//! client gets in its way: hyper writes header names in one case for a whole connection, and its request and response
//! maps, its channels and a timer for each request cost more than the system calls between them (1.7 times the CPU of
//! `wrk` for a keep-alive GET; a bare hyper loop 1.07–1.18 times, a bare `httparse` loop 0.93). What is needed here is small: one request,
//! written whole; one response, of which mostly only status and end matter. Heads are parsed by `httparse`.

mod buffers;
mod connection;
mod deadlines;
mod failure;
mod http2;
mod place;
mod reader;
mod tls;
mod wire;

pub(crate) use buffers::Buffers;
pub(crate) use connection::{Broken, Connection, Exchanged, Patience, Sending};
pub(crate) use deadlines::Deadlines;
pub(crate) use failure::{Exhausted, Failure, Kind};
pub(crate) use http2::Http2;
pub(crate) use place::{Dialled, Place, check_sources};
pub(crate) use reader::{Answer, Ask, Keep};
pub(crate) use tls::client_config;

/// The names of both in ALPN.
const H1: &[u8] = b"http/1.1";
const H2: &[u8] = b"h2";
