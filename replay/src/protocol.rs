//! Protocols besides HTTP, written by whoever needs one: what such a crate implements, and what it reports.
//!
//! A scenario's step says `protocol = "redis"`, `send = "GET user:${user}"` and `to = "redis://127.0.0.1:6379"`. Whoever speaks that
//! protocol reads the text once ([`Protocol::parse`]), makes connections ([`Protocol::connect`]) and sends over them
//! ([`Connection::exchange`]). All else is the engine's, and the same as for HTTP: who sends what when, values, pauses, timeouts,
//! counting, checks and extraction on the answer's body, thresholds, and whether the generator kept up.
//!
//! Everything runs on the sending threads, each with its own current-thread tokio runtime inside a
//! [`LocalSet`](tokio::task::LocalSet): futures need not be [`Send`], `spawn_local` works, and what blocks holds up everybody. A future
//! that takes too long is dropped, and its connection with it.
//!
//! A protocol of lines, whole:
//!
//! ```
//! use std::time::Instant;
//!
//! use mynah_replay::protocol::{Connection, Failure, LocalBoxFuture, Protocol, Reply, Request, Url, dial};
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
//! use tokio::net::TcpStream;
//!
//! struct Lines;
//! struct Line(BufStream<TcpStream>);
//!
//! impl Protocol for Lines {
//!     fn name(&self) -> &str {
//!         "lines"
//!     }
//!
//!     fn parse(&self, send: &str) -> Result<Vec<String>, String> {
//!         if send.contains('\n') { Err("it is one line".to_owned()) } else { Ok(vec![send.to_owned()]) }
//!     }
//!
//!     fn connect<'a>(&'a self, to: &'a Url) -> LocalBoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
//!         Box::pin(async move {
//!             let stream = dial(to, 7).await?;
//!             Ok(Box::new(Line(BufStream::new(stream))) as Box<dyn Connection>)
//!         })
//!     }
//! }
//!
//! impl Connection for Line {
//!     fn exchange<'a>(&'a mut self, request: Request<'a>) -> LocalBoxFuture<'a, Result<Reply, Failure>> {
//!         Box::pin(async move {
//!             let line = request.parts.concat() + "\n";
//!             self.0.write_all(line.as_bytes()).await?;
//!             self.0.flush().await?;
//!             self.0.fill_buf().await?;
//!             let first_byte = Some(Instant::now());
//!             let mut body = Vec::new();
//!             self.0.read_until(b'\n', &mut body).await?;
//!             if !body.ends_with(b"\n") {
//!                 return Err(Failure::closed(body.len()));
//!             }
//!             let error = body.strip_prefix(b"ERR ").map(|text| String::from_utf8_lossy(text).trim().to_owned());
//!             let (bytes_in, bytes_out) = (body.len() as u64, line.len() as u64);
//!             Ok(Reply { body, error, first_byte, bytes_in, bytes_out })
//!         })
//!     }
//! }
//! ```
//!
//! It is handed to [`Prepared::load_with`](crate::Prepared::load_with); `examples/redis` is a program with one.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Instant;

use tokio::net::TcpStream;
pub use url::Url;

use crate::net::{Failure as NetFailure, Kind};

/// A future of one thread, boxed.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A TCP connection to a URL's host and port, that sends what is written at once.
///
/// # Errors
/// What the system says, or that the URL has no host.
pub async fn dial(to: &Url, default_port: u16) -> io::Result<TcpStream> {
    let host =
        to.host_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL has no host"))?;
    // In a URL an IPv6 address stands in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, to.port().unwrap_or(default_port))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A protocol: how a step's text is read, and how connections are made. One value serves all threads.
pub trait Protocol: Send + Sync {
    /// What scenarios call it, and reports: `redis`.
    fn name(&self) -> &str;

    /// Reads a step's text when the scenario is loaded: its parts, such as a command and its arguments, or the one that it is. `${…}`
    /// stands in it as written, and is to be left whole. Values are put into each part when it is sent, so that whatever a value
    /// holds, it does not make two parts of one.
    ///
    /// # Errors
    /// In words, what is wrong with the text; the engine says where it stands.
    fn parse(&self, send: &str) -> Result<Vec<String>, String>;

    /// Makes a connection, log-in included: how long that takes is what the report has as connection time. The engine bounds it.
    fn connect<'a>(&'a self, to: &'a Url) -> LocalBoxFuture<'a, Result<Box<dyn Connection>, Failure>>;
}

/// A connection of one simulated user, over which one request goes at a time.
pub trait Connection {
    /// Sends a request and waits for the whole answer. The engine bounds how long; after an error, and when the time is over, the
    /// connection is dropped and the user's next request gets a new one.
    fn exchange<'a>(&'a mut self, request: Request<'a>) -> LocalBoxFuture<'a, Result<Reply, Failure>>;

    /// Whether another request can go over it. Asked before each but the first, and not to wait: where the server has closed it
    /// meanwhile, a new one is made rather than a request lost.
    fn is_open(&mut self) -> bool {
        true
    }
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// What [`Protocol::parse`] made of the step's text, with values in their places.
    pub parts: &'a [&'a str],
    /// Whether anybody looks at the answer's body: a check, an extraction, a trace. Where not, it may be left empty.
    pub keep_body: bool,
}

impl<'a> Request<'a> {
    /// One whose answer is kept.
    pub fn new(parts: &'a [&'a str]) -> Request<'a> {
        Request { parts, keep_body: true }
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What checks and extractions look at, as text or JSON.
    pub body: Vec<u8>,
    /// What the server said where it did not do what it was asked: the request has failed then, and is counted as an `error_reply`. Its
    /// times count as any answer's. Equal failures are counted together, so this is best short and without values.
    pub error: Option<String>,
    /// When the first byte of the answer was here; `None`: with all of it.
    pub first_byte: Option<Instant>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// Why there is no connection, or no answer. Each has its kind in `run.json`'s errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// What the system said: `connect` while a connection is made; else `reset`, `closed` (an unexpected end) or `other`.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed in the middle of an answer (`truncated`).
    #[error("connection closed in the middle of an answer")]
    Truncated,
    /// What came is not of this protocol (`protocol`): what was expected, what was found.
    #[error("{0}")]
    Malformed(String),
    /// More came than an answer may have (`limit`).
    #[error("{0}")]
    TooLarge(String),
    /// The server would not have us, in its words: a log-in that failed, too many clients (`connect` while a connection is made, else
    /// `error_reply`).
    #[error("{0}")]
    Refused(String),
    /// With these values in it the request cannot be sent, and was not; the connection is as good as before.
    #[error("{0}")]
    Unsendable(String),
}

impl Failure {
    /// The server has closed, after so many bytes of an answer.
    pub fn closed(after: usize) -> Failure {
        if after == 0 { Failure::Io(io::ErrorKind::UnexpectedEof.into()) } else { Failure::Truncated }
    }

    /// As the engine counts it. `protocol`: its name; `connecting`: while the connection was made.
    pub(crate) fn counted(&self, protocol: &str, connecting: bool) -> NetFailure {
        match self {
            Failure::Io(error) if connecting => NetFailure::connect(error),
            Failure::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => NetFailure::closed(),
            Failure::Io(error) => NetFailure::exchange(error),
            Failure::Truncated => NetFailure::new(Kind::Truncated, self.to_string()),
            Failure::Malformed(what) => NetFailure::new(Kind::Protocol, format!("not {protocol}: {what}")),
            Failure::TooLarge(what) => NetFailure::new(Kind::Limit, format!("given up: {what}")),
            Failure::Refused(what) | Failure::Unsendable(what) => {
                let kind = if connecting { Kind::Connect } else { Kind::ErrorReply };
                NetFailure::new(kind, what.clone())
            }
        }
    }
}

impl fmt::Debug for dyn Protocol + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protocol").field(&self.name()).finish()
    }
}
