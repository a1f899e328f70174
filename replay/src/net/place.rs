//! A target with its addresses: resolving, connecting, TLS, and which version of HTTP is spoken there.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mynah_traffic::Scheme;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::wire::Stream;
use super::{Failure, H1, H2};
use crate::options::{HttpVersion, Resolve};
use crate::{Error, Options, Target};

/// After the first address has answered, the others get this long at the start of a run.
const OTHERS: Duration = Duration::from_millis(300);

/// How long a connection took to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialled {
    /// TCP, at the address that answered.
    pub(crate) connect: Duration,
    /// The handshake.
    pub(crate) tls: Option<Duration>,
}

/// Why there is no connection.
#[derive(Debug)]
enum Refused {
    Connect(io::Error),
    Tls(io::Error),
    /// Something answers that speaks another version of HTTP.
    Version(io::Error),
}

impl Refused {
    fn failure(&self) -> Failure {
        match self {
            Refused::Connect(error) => Failure::connect(error),
            Refused::Tls(error) | Refused::Version(error) => Failure::tls(error),
        }
    }

    /// For a run that cannot begin.
    fn into_source(self) -> io::Error {
        match self {
            Refused::Connect(error) | Refused::Version(error) => error,
            Refused::Tls(error) => {
                let mut text = Failure::tls(&error).text;
                if text.contains("not valid for name") {
                    text.push_str("; ask for the recorded name with --host recorded, or accept any certificate with --insecure");
                } else if text.contains("certificate: ") {
                    text.push_str(
                        "; trust its authority with --ca FILE, or accept any certificate with --insecure",
                    );
                }
                io::Error::new(error.kind(), text)
            }
        }
    }
}

/// Where connections go to.
#[derive(Debug)]
enum Addresses {
    /// In turn.
    Known(Vec<SocketAddr>),
    /// Asked for before each connection.
    Named(String, u16),
    Socket(PathBuf),
}

/// A target with its addresses.
pub(crate) struct Place {
    pub(crate) target: Target,
    addresses: Addresses,
    /// Connections are from these in turn.
    sources: Vec<IpAddr>,
    turn: AtomicUsize,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Several requests at a time go over a connection.
    h2: bool,
    version: HttpVersion,
    connect_timeout: Duration,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Place {
    /// Resolves the name. Blocks. `name`: what the certificate must be for, where that is not the target's host.
    pub(crate) fn resolve(
        target: &Target,
        name: Option<&str>,
        tls: Option<&Arc<ClientConfig>>,
        options: &Options,
    ) -> Result<Place, Error> {
        let addresses = match &target.unix {
            Some(path) => Addresses::Socket(path.clone()),
            None => Addresses::Known(look_up(target, &options.bind)?),
        };
        let tls = match tls {
            Some(config) => {
                let name = name.unwrap_or(&target.host);
                let name = ServerName::try_from(name.to_owned())
                    .map_err(|error| Error::Config(format!("target {target}: TLS for '{name}': {error}")))?;
                Some((config.clone(), name))
            }
            None => None,
        };
        Ok(Place {
            target: target.clone(),
            addresses,
            sources: options.bind.clone(),
            turn: AtomicUsize::new(0),
            h2: target.scheme == Scheme::Http && options.http == HttpVersion::Two,
            tls,
            version: options.http,
            connect_timeout: options.connect_timeout,
        })
    }

    /// Whether HTTP/2 is spoken there, and requests share connections.
    pub(crate) fn is_h2(&self) -> bool {
        self.h2
    }

    /// Makes a connection to each address and drops it. From then on connections go to those that answered, and the version of
    /// HTTP is the one that was agreed upon.
    pub(crate) async fn probe(&mut self, resolve: Resolve) -> Result<(), Error> {
        let unreachable = |source| Error::Unreachable { target: self.target.to_string(), source };
        let all = match &self.addresses {
            Addresses::Known(all) => all.clone(),
            Addresses::Named(..) | Addresses::Socket(_) => Vec::new(),
        };
        let Ok(probed) = timeout(self.connect_timeout, self.probe_all(&all)).await else {
            let why = format!("no connection within {} s", self.connect_timeout.as_secs_f64());
            return Err(unreachable(io::Error::new(io::ErrorKind::TimedOut, why)));
        };
        let (answered, agreed) = probed.map_err(|refused| unreachable(refused.into_source()))?;
        if let Addresses::Known(all) = &mut self.addresses {
            all.retain(|address| answered.contains(address));
            if resolve == Resolve::EachConnection && self.target.host.parse::<IpAddr>().is_err() {
                self.addresses = Addresses::Named(self.target.host.clone(), self.target.port);
            }
        }
        if let Some((config, _)) = &mut self.tls {
            self.h2 = agreed.as_deref() == Some(H2);
            // What was agreed upon is asked for from now on: a target that changes its mind in the middle of a run is told of.
            let mut own = ClientConfig::clone(config);
            own.alpn_protocols = vec![if self.h2 { H2 } else { H1 }.to_vec()];
            *config = Arc::new(own);
        }
        Ok(())
    }

    /// Addresses that answer, and what the first of them agreed upon.
    async fn probe_all(&self, all: &[SocketAddr]) -> Result<(Vec<SocketAddr>, Option<Vec<u8>>), Refused> {
        let one = |address: Option<SocketAddr>| async move {
            let (stream, _) = match address {
                Some(address) => self.try_address(address, self.source(address, 0)).await?,
                None => self.dial().await?,
            };
            self.greet(stream).await
        };
        if all.is_empty() {
            return Ok((Vec::new(), one(None).await?));
        }
        let first = tokio::sync::Notify::new();
        let attempts = all.iter().map(|address| async {
            let attempt = async {
                let found = one(Some(*address)).await;
                if found.is_ok() {
                    first.notify_one();
                }
                found
            };
            let late = async {
                first.notified().await;
                first.notify_one();
                tokio::time::sleep(OTHERS).await;
            };
            tokio::select! {
                biased;
                found = attempt => Some((*address, found)),
                () = late => None,
            }
        });
        let mut answered = Vec::new();
        let mut agreed = None;
        let mut refused = None;
        for (address, found) in join_all(attempts).await.into_iter().flatten() {
            match found {
                Ok(protocol) => {
                    agreed.get_or_insert(protocol);
                    answered.push(address);
                }
                Err(error) => refused = Some(error),
            }
        }
        match (agreed, refused) {
            (Some(agreed), _) => Ok((answered, agreed)),
            (None, Some(refused)) => Err(refused),
            (None, None) => Err(Refused::Connect(no_address())),
        }
    }

    /// What was agreed upon over TLS; in the clear, whether HTTP/2 is understood where that is meant.
    async fn greet(&self, mut stream: Stream) -> Result<Option<Vec<u8>>, Refused> {
        let agreed = stream.alpn().map(<[u8]>::to_vec);
        if self.tls.is_some() {
            if self.version == HttpVersion::Two && agreed.as_deref() != Some(H2) {
                let why = "it does not agree to HTTP/2 (ALPN h2); leave --http 2 out to speak what it does";
                return Err(Refused::Version(io::Error::other(why)));
            }
            return Ok(agreed);
        }
        if self.h2 {
            // RFC 9113 §3.4: both sides begin with SETTINGS.
            let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            let mut first = [0; 9];
            let exchanged = async {
                stream.write_all(begin).await?;
                stream.read_exact(&mut first).await.map(drop)
            };
            let speaks = exchanged.await.is_ok() && first.get(3) == Some(&4);
            if !speaks {
                let why = "it does not speak HTTP/2 in the clear (with prior knowledge); leave --http 2 out";
                return Err(Refused::Version(io::Error::other(why)));
            }
        }
        Ok(None)
    }

    /// Makes a connection, at the first address that answers from the one on whose turn it is.
    async fn dial(&self) -> Result<(Stream, Dialled), Refused> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let found: Vec<SocketAddr>;
        let all = match &self.addresses {
            Addresses::Socket(path) => {
                let begun = Instant::now();
                let stream = UnixStream::connect(path).await.map_err(Refused::Connect)?;
                return Ok((Stream::Unix(stream), Dialled { connect: begun.elapsed(), tls: None }));
            }
            Addresses::Known(all) => all,
            Addresses::Named(name, port) => {
                let looked_up = tokio::net::lookup_host((name.as_str(), *port)).await;
                found = looked_up.map_err(Refused::Connect)?.collect();
                &found
            }
        };
        let mut last = None;
        for at in 0..all.len() {
            let Some(address) = all.get(turn.wrapping_add(at) % all.len()) else { break };
            // Each source goes to each address in the course of time.
            let source = self.source(*address, turn / all.len());
            match self.try_address(*address, source).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Refused::Connect(no_address())))
    }

    /// Whose turn it is of the sources that can reach an address; `None`: the system's choice.
    fn source(&self, address: SocketAddr, turn: usize) -> Option<IpAddr> {
        let fitting = || self.sources.iter().filter(|source| source.is_ipv4() == address.is_ipv4());
        let count = fitting().count();
        if count == 0 { None } else { fitting().nth(turn % count).copied() }
    }

    async fn try_address(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> Result<(Stream, Dialled), Refused> {
        let begun = Instant::now();
        let tcp = match source {
            None => TcpStream::connect(address).await,
            Some(source) => connect_from(source, address).await,
        };
        let tcp = tcp.map_err(Refused::Connect)?;
        // Requests are written whole: waiting for more to send would only delay them.
        tcp.set_nodelay(true).map_err(Refused::Connect)?;
        let connect = begun.elapsed();
        match &self.tls {
            None => Ok((Stream::Plain(tcp), Dialled { connect, tls: None })),
            Some((config, name)) => {
                let begun = Instant::now();
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name.clone(), tcp).await.map_err(Refused::Tls)?;
                Ok((Stream::Tls(Box::new(stream)), Dialled { connect, tls: Some(begun.elapsed()) }))
            }
        }
    }

    pub(super) async fn stream(&self) -> Result<(Stream, Dialled), Failure> {
        match timeout(self.connect_timeout, self.dial()).await {
            Ok(Ok((stream, dialled))) => match stream.alpn() {
                agreed if self.tls.is_some() && self.h2 != (agreed == Some(H2)) => {
                    let why = "TLS: the target speaks another version of HTTP than at the start of the run";
                    Err(Failure::new(super::Kind::Tls, why))
                }
                _ => Ok((stream, dialled)),
            },
            Ok(Err(refused)) => Err(refused.failure()),
            Err(_) => Err(Failure::connect_timeout(self.connect_timeout)),
        }
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// The addresses of a target, of the families that can be reached from the sources that were asked for.
fn look_up(target: &Target, sources: &[IpAddr]) -> Result<Vec<SocketAddr>, Error> {
    let unreachable = |source| Error::Unreachable { target: target.to_string(), source };
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in (target.host.as_str(), target.port).to_socket_addrs().map_err(unreachable)? {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    if found.is_empty() {
        return Err(unreachable(no_address()));
    }
    if !sources.is_empty() {
        found.retain(|address| sources.iter().any(|source| source.is_ipv4() == address.is_ipv4()));
        if found.is_empty() {
            return Err(Error::Config(format!(
                "--bind: no address of {target} is of the same family (IPv4, IPv6) as the source addresses"
            )));
        }
    }
    Ok(found)
}

/// Addresses that connections are to be made from must be this machine's.
pub(crate) fn check_sources(sources: &[IpAddr]) -> Result<(), Error> {
    for source in sources {
        std::net::UdpSocket::bind((*source, 0)).map_err(|error| {
            Error::Config(format!("--bind {source}: no address of this machine ({error})"))
        })?;
    }
    Ok(())
}
