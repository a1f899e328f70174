//! Requests of clients: each is passed on, its answer passed back, and both recorded.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, request};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mynah_message::{Head, Message};
use mynah_traffic::{Connection, Exchange, Flag, Flags, Scheme, Side, Times};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_rustls::TlsAcceptor;

use super::body::Passing;
use super::record::{Desk, Record, count};
use super::tap::{SharedHeads, Tap, Wire, look};
use super::tls;
use super::upstream::{Failed, Lease, Upstream};
use super::{MAX_FIELDS, MAX_HEAD, fields};
use crate::http::{Found, Heads};

/// What an HTTP/2 client sends first ([RFC 9113 §3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What all connections share.
pub(super) struct Shared {
    pub(super) desk: Arc<Desk>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) preserve_host: bool,
    pub(super) head_timeout: Duration,
    /// True when it is time to come to an end.
    pub(super) stopping: watch::Receiver<bool>,
}

/// A connection of a client.
struct Client {
    shared: Arc<Shared>,
    id: u64,
    address: SocketAddr,
    scheme: Scheme,
    /// Absent for HTTP/2, whose heads are no text.
    heads: Option<SharedHeads>,
    requests: AtomicU32,
    /// Its place among the connections that there may be.
    _place: OwnedSemaphorePermit,
}

/// Serves a connection to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    id: u64,
    place: OwnedSemaphorePermit,
) {
    // without it small answers wait for acknowledgements; a connection that refuses it is served all the same
    let _ = stream.set_nodelay(true);
    let Ok(opened) = tokio::time::timeout(shared.head_timeout, open(&shared, stream)).await else {
        return count(&shared.desk.tally.slow);
    };
    let Some((wire, before, http2)) = opened else { return };
    let heads = (!http2).then(|| SharedHeads::new(Heads::new(Side::Request).into()));
    let scheme = if matches!(wire, Wire::Tls(_)) { Scheme::Https } else { Scheme::Http };
    let io = TokioIo::new(Tap::new(wire, before, heads.clone(), shared.desk.clock));
    let client = Arc::new(Client {
        shared: Arc::clone(&shared),
        id,
        address,
        scheme,
        heads: heads.clone(),
        requests: AtomicU32::new(0),
        _place: place,
    });
    let service = service_fn(move |request| {
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(client.answer(request).await) }
    });
    let stopping = shared.stopping.clone();
    if http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .auto_date_header(false)
            .max_header_list_size(MAX_HEAD)
            .serve_connection(io, service);
        // its errors are those of the client's exchanges, which are flagged
        let _ = until(pin!(connection), stopping, http2::Connection::graceful_shutdown).await;
        return;
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.head_timeout)
        .preserve_header_case(true)
        .auto_date_header(false)
        .half_close(true)
        .max_headers(MAX_FIELDS)
        .serve_connection(io, service)
        .with_upgrades();
    let ended = until(pin!(connection), stopping, http1::UpgradeableConnection::graceful_shutdown).await;
    if let Err(error) = ended {
        let tally = &shared.desk.tally;
        if error.is_parse() {
            count(&tally.malformed);
        } else if error.is_timeout() && heads.is_some_and(|heads| look(&heads).within_head()) {
            count(&tally.slow);
        }
    }
}

/// Runs a connection; asks it to come to an end when it is time.
async fn until<C: Future>(
    mut connection: Pin<&mut C>,
    mut stopping: watch::Receiver<bool>,
    end: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        output = connection.as_mut() => return output,
        _ = stopping.wait_for(|stopping| *stopping) => end(connection.as_mut()),
    }
    connection.await
}

/// The connection ready for HTTP, what was read of it already, and whether HTTP/2 is spoken on it.
async fn open(shared: &Shared, mut stream: TcpStream) -> Option<(Wire, Bytes, bool)> {
    if let Some(acceptor) = &shared.tls {
        let Ok(stream) = acceptor.accept(stream).await else {
            count(&shared.desk.tally.handshakes);
            return None;
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
        return Some((Wire::Tls(Box::new(stream.into())), Bytes::new(), http2));
    }
    let mut first = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut first).await.ok()? == 0 && first.is_empty() {
            return None;
        }
        let looked = first.len().min(PREFACE.len());
        if first.get(..looked) != PREFACE.get(..looked) {
            return Some((Wire::Plain(stream), first.freeze(), false));
        }
        if looked == PREFACE.len() {
            return Some((Wire::Plain(stream), first.freeze(), true));
        }
    }
}

impl Client {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Passing> {
        let desk = &self.shared.desk;
        let found = self.head_of(&request);
        if request.method() == Method::CONNECT {
            count(&desk.tally.connect);
            return own(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not served here\n");
        }
        let http2 = request.version() == Version::HTTP_2;
        let upgrade = if http2 { None } else { fields::upgrade(request.headers()) };
        let on_client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        if http2 {
            parts.extensions.clear();
            fields::join_cookies(&mut parts.headers);
        }
        let record = Record::begin(desk, self.exchange(found, &parts, http2));
        self.prepare(&mut parts, &body, upgrade);
        let bodiless = parts.method == Method::HEAD;
        let body = Passing::through(body, Side::Request, Arc::clone(&record), None);
        match self.shared.upstream.send(Request::from_parts(parts, body)).await {
            Ok((response, lease)) => self.pass_back(response, lease, record, on_client),
            Err(failed) => {
                count(&desk.tally.unanswered);
                own(StatusCode::BAD_GATEWAY, if bodiless { String::new() } else { words(&failed) })
            }
        }
    }

    /// What was read of the request's head, when it is this one's.
    fn head_of(&self, request: &Request<Incoming>) -> Option<Found> {
        let mut heads = look(self.heads.as_ref()?);
        let found = heads.pop()?;
        let fits = Head::parse(&found.head).is_ok_and(|head| {
            let path = request.uri().path_and_query().map_or("", |target| target.as_str());
            head.method() == Some(request.method().as_str())
                // an absolute form without a path has been given one
                && head.target().is_some_and(|target| target.ends_with(path) || path == "/")
        });
        if !fits {
            heads.off();
        }
        fits.then_some(found)
    }

    /// The exchange, as far as the request's head tells.
    fn exchange(&self, found: Option<Found>, parts: &request::Parts, http2: bool) -> Exchange {
        let now = self.shared.desk.clock.now();
        let mut flags = found.as_ref().map(|found| found.flags).unwrap_or_default();
        if http2 {
            flags.set(Flag::NotHttp1);
        }
        let (first, last) = found.as_ref().map_or((now, now), |found| (found.first, found.last));
        let head = found.map_or_else(|| fields::request_head(parts), |found| found.head);
        Exchange {
            request: Some(Message { head, ..Message::default() }),
            scheme: self.scheme,
            connection: Connection {
                id: self.id,
                ordinal: self.requests.fetch_add(1, Ordering::Relaxed),
                client: Some(self.address),
                ..Connection::default()
            },
            times: Times { request_first: first, request_last: last, ..Times::default() },
            flags,
            ..Exchange::default()
        }
    }

    /// Makes the request fit for the connection that it goes on by.
    fn prepare(&self, parts: &mut request::Parts, body: &Incoming, upgrade: Option<HeaderValue>) {
        let authority = parts.uri.authority().and_then(|own| HeaderValue::from_str(own.as_str()).ok());
        parts.uri = fields::origin_form(&parts.uri);
        parts.version = Version::HTTP_11;
        let headers = &mut parts.headers;
        fields::strip(headers);
        // a target with an authority overrides the field (RFC 9112 §3.2.2)
        let host =
            if self.shared.preserve_host { authority.or_else(|| headers.get(HOST).cloned()) } else { None };
        headers.insert(HOST, host.unwrap_or_else(|| self.shared.upstream.authority.clone()));
        if !body.is_end_stream() && !headers.contains_key(CONTENT_LENGTH) {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if let Some(to) = upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, to);
        }
    }

    fn pass_back(
        &self,
        mut response: Response<Incoming>,
        lease: Lease,
        record: Arc<Record>,
        on_client: Option<OnUpgrade>,
    ) -> Response<Passing> {
        record.server(lease.address());
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let on_server = switched.then(|| hyper::upgrade::on(&mut response));
        let (mut parts, body) = response.into_parts();
        self.note_answer(&record, &parts, &lease);
        if let (Some(on_client), Some(on_server)) = (on_client, on_server) {
            record.flag(Flag::Upgraded);
            for heads in [self.heads.as_ref(), Some(lease.heads())].into_iter().flatten() {
                look(heads).off();
            }
            record.end(Side::Response, super::record::End::Whole);
            tokio::spawn(tunnel(on_client, on_server, self.shared.stopping.clone()));
            return Response::from_parts(parts, Passing::own(""));
        }
        if switched {
            return own(StatusCode::BAD_GATEWAY, "the server switched protocols unasked\n");
        }
        fields::strip(&mut parts.headers);
        parts.headers.remove(http::header::TE);
        Response::from_parts(parts, Passing::through(body, Side::Response, record, Some(lease)))
    }

    /// Records the head of the response, as it came.
    fn note_answer(&self, record: &Record, parts: &http::response::Parts, lease: &Lease) {
        let now = self.shared.desk.clock.now();
        let mut flags = Flags::default();
        let mut heads = look(lease.heads());
        while let Some(found) = heads.pop() {
            let status = found.status().unwrap_or_default();
            if (100..200).contains(&status) && status != 101 {
                flags.set(Flag::Interim);
                continue;
            }
            if status != parts.status.as_u16() {
                break;
            }
            found.flags.iter().for_each(|flag| flags.set(flag));
            if found.until_close {
                flags.set(Flag::CloseDelimited);
            }
            return record.answer(found.head, found.first, found.last, flags);
        }
        drop(heads);
        record.answer(fields::response_head(parts), now, now, flags);
    }
}

/// Carries bytes between the two sides until one of them has enough, or the proxy stops.
async fn tunnel(on_client: OnUpgrade, on_server: OnUpgrade, mut stopping: watch::Receiver<bool>) {
    let (Ok(client), Ok(server)) = tokio::join!(on_client, on_server) else { return };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    tokio::select! {
        // either side's error ends both; there is nobody left to tell
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// What the proxy answers by itself.
fn own(status: StatusCode, text: impl Into<Bytes>) -> Response<Passing> {
    let mut response = Response::new(Passing::own(text));
    *response.status_mut() = status;
    response
}

fn words(failed: &Failed) -> String {
    let why = match failed {
        Failed::Unreachable(error) if error.kind() == io::ErrorKind::TimedOut => {
            "no connection in time".to_owned()
        }
        Failed::Unreachable(error) => error.to_string(),
        Failed::Broken(error) => error.to_string(),
    };
    format!("mynah: the server behind this proxy did not answer: {why}\n")
}
