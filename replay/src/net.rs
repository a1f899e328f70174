//! Connections to targets: resolving, connecting, TLS, and one exchange at a time over HTTP/1.
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
mod reader;
mod tls;
mod wire;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

pub(crate) use buffers::Buffers;
pub(crate) use connection::{Connection, Exchanged, Sending};
pub(crate) use deadlines::Deadlines;
pub(crate) use failure::{Exhausted, Failure, Kind};
pub(crate) use reader::{Answer, Ask, Keep};
pub(crate) use tls::client_config;
use wire::Stream;

use crate::{Error, Target};

/// How long a connection took to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialled {
    /// TCP, at the address that answered.
    pub(crate) connect: Duration,
    /// The handshake.
    pub(crate) tls: Option<Duration>,
}

/// A target with its addresses, resolved once at the start.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) target: Target,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_timeout: Duration,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Place {
    /// Resolves the name. Blocks.
    pub(crate) fn resolve(
        target: &Target,
        tls: Option<&Arc<ClientConfig>>,
        connect_timeout: Duration,
    ) -> Result<Place, Error> {
        let unreachable = |source| Error::Unreachable { target: target.to_string(), source };
        let addresses: Vec<SocketAddr> =
            (target.host.as_str(), target.port).to_socket_addrs().map_err(unreachable)?.collect();
        if addresses.is_empty() {
            return Err(unreachable(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        let tls = match tls {
            Some(config) => {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| Error::Config(format!("target {target}: {error}")))?;
                Some((TlsConnector::from(config.clone()), name))
            }
            None => None,
        };
        Ok(Place { target: target.clone(), addresses, tls, connect_timeout })
    }

    /// Makes one connection and drops it; the address that answered is tried first from then on.
    pub(crate) async fn probe(&mut self) -> Result<(), Error> {
        match timeout(self.connect_timeout, self.try_all()).await {
            Ok(Ok((_, position))) => {
                self.addresses.swap(0, position);
                Ok(())
            }
            Ok(Err(source)) => Err(Error::Unreachable { target: self.target.to_string(), source }),
            Err(_) => {
                let why = format!("no connection within {} s", self.connect_timeout.as_secs_f64());
                let source = io::Error::new(io::ErrorKind::TimedOut, why);
                Err(Error::Unreachable { target: self.target.to_string(), source })
            }
        }
    }

    async fn try_all(&self) -> io::Result<((Stream, Dialled), usize)> {
        let mut last = None;
        for (position, address) in self.addresses.iter().enumerate() {
            match self.try_one(*address).await {
                Ok(stream) => return Ok((stream, position)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
    }

    async fn try_one(&self, address: SocketAddr) -> io::Result<(Stream, Dialled)> {
        let begun = Instant::now();
        let tcp = TcpStream::connect(address).await?;
        // Requests are written whole: waiting for more to send would only delay them.
        tcp.set_nodelay(true)?;
        let connect = begun.elapsed();
        match &self.tls {
            None => Ok((Stream::Plain(tcp), Dialled { connect, tls: None })),
            Some((connector, name)) => {
                let begun = Instant::now();
                let stream = connector.connect(name.clone(), tcp).await?;
                Ok((Stream::Tls(Box::new(stream)), Dialled { connect, tls: Some(begun.elapsed()) }))
            }
        }
    }

    async fn stream(&self) -> Result<(Stream, Dialled), Failure> {
        match timeout(self.connect_timeout, self.try_all()).await {
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(error)) => Err(Failure::connect(&error)),
            Err(_) => Err(Failure::connect_timeout(self.connect_timeout)),
        }
    }
}
