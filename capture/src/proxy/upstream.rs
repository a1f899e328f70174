//! The server behind the proxy, and the connections to it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mynah_traffic::Side;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::body::Passing;
use super::clock::Clock;
use super::tap::{SharedHeads, Tap, Wire, look};
use super::{MAX_FIELDS, ProxyOptions, tls};
use crate::Error;
use crate::http::Heads;

/// For the TCP connection and the TLS handshake together.
const CONNECT: Duration = Duration::from_secs(10);
/// Kept open without a request. Common servers close theirs after 5 seconds or more; a request that meets the closing is
/// lost where it must not be sent twice.
const IDLE: Duration = Duration::from_secs(4);
const MAX_IDLE: usize = 512;

/// The server.
pub(super) struct Upstream {
    host: String,
    port: u16,
    /// What `Host` says to it.
    pub(super) authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<Idle>>,
    clock: Clock,
}

/// A connection that nobody uses.
struct Idle {
    since: Instant,
    link: Link,
}

struct Link {
    sender: SendRequest<Passing>,
    heads: SharedHeads,
    address: Option<SocketAddr>,
}

/// A connection in use. It is closed unless it is given back.
pub(super) struct Lease {
    link: Link,
    upstream: Arc<Upstream>,
}

impl Lease {
    /// The heads that came by it.
    pub(super) fn heads(&self) -> &SharedHeads {
        &self.link.heads
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.link.address
    }

    /// The response has been read to its end.
    pub(super) fn give_back(self) {
        let Lease { link, upstream } = self;
        if link.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = upstream.idle();
        // the longest unused stand in front
        let old = idle.iter().take_while(|idle| now.duration_since(idle.since) > IDLE).count();
        idle.drain(..old);
        if idle.len() < MAX_IDLE {
            idle.push(Idle { since: now, link });
        }
    }
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Failed {
    /// No connection.
    Unreachable(io::Error),
    /// It broke before a response.
    Broken(hyper::Error),
}

impl Upstream {
    pub(super) fn new(options: &ProxyOptions, clock: Clock) -> Result<Upstream, Error> {
        let what = options.upstream.as_str();
        let fail = |message: String| Error::Live { what: what.to_owned(), message };
        let url = Url::parse(what)
            .map_err(|error| fail(format!("expected a URL such as http://127.0.0.1:8080: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail(format!("expected http:// or https://, found {}://", url.scheme())));
        }
        if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
            return Err(fail(
                "expected no more than scheme, host and port: paths go on as they come".to_owned(),
            ));
        }
        let (Some(named), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(fail("expected a host".to_owned()));
        };
        let authority = url.port().map_or_else(|| named.to_string(), |port| format!("{named}:{port}"));
        // without the brackets of IPv6
        let host = match named {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let tls = if url.scheme() == "https" {
            let config = tls::client(what, options.upstream_ca.as_deref(), options.insecure)?;
            let name = tls::name(&host).map_err(|error| fail(error.to_string()))?;
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        let authority = HeaderValue::try_from(authority).map_err(|error| fail(error.to_string()))?;
        Ok(Upstream { host, port, authority, tls, idle: Mutex::default(), clock })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last: the likeliest to be open.
    fn unused(&self) -> Option<Link> {
        let mut idle = self.idle();
        let now = Instant::now();
        loop {
            let ready = idle.iter().rposition(|idle| idle.link.sender.is_ready())?;
            let found = idle.remove(ready);
            if now.duration_since(found.since) <= IDLE && !found.link.sender.is_closed() {
                return Some(found.link);
            }
        }
    }

    async fn connect(&self) -> io::Result<Link> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let address = stream.peer_addr().ok();
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some((connector, name)) => {
                Wire::Tls(Box::new(connector.connect(name.clone(), stream).await?.into()))
            }
        };
        let heads = SharedHeads::new(Heads::new(Side::Response).into());
        let tap = Tap::new(wire, Bytes::new(), Some(Arc::clone(&heads)), self.clock);
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(MAX_FIELDS)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(io::Error::other)?;
        // its errors come back with the request, or concern none
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok(Link { sender, heads, address })
    }

    /// Sends a request, by a connection that is open already where there is one. A request is sent a second time only when that
    /// connection had been closed, and the request never left or may be repeated
    /// ([RFC 9112 §9.3.1](https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1)).
    pub(super) async fn send(
        self: &Arc<Upstream>,
        mut request: Request<Passing>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        loop {
            let unused = self.unused();
            let reused = unused.is_some();
            let link = match unused {
                Some(link) => link,
                None => tokio::time::timeout(CONNECT, self.connect())
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    .map_err(Failed::Unreachable)?,
            };
            let mut lease = Lease { link, upstream: Arc::clone(self) };
            look(lease.heads()).expect(request.method().as_str());
            let spare = if reused { again(&request) } else { None };
            match lease.link.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, lease)),
                Err(mut error) => match error.take_message().or(spare) {
                    Some(unsent) if reused && is_closing(error.error()) => request = unsent,
                    _ => return Err(Failed::Broken(error.into_error())),
                },
            }
        }
    }
}

/// Whether the connection was closed by the other side before a response began.
fn is_closing(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || is_io(error)
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.downcast_ref::<io::Error>().is_some())
}

/// The same request once more, where that is allowed and its body is not on its way.
fn again(request: &Request<Passing>) -> Option<Request<Passing>> {
    let repeatable = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
    if !request.body().is_end_stream() || !repeatable.contains(request.method()) {
        return None;
    }
    let mut same = Request::new(Passing::own(""));
    *same.method_mut() = request.method().clone();
    *same.uri_mut() = request.uri().clone();
    *same.headers_mut() = request.headers().clone();
    *same.extensions_mut() = request.extensions().clone();
    Some(same)
}
