//! A reverse proxy that records what passes through it: HTTP/1.1 and HTTP/2 in, plain or over TLS; HTTP/1.1 to the server behind.
//!
//! Bodies are streamed; a copy up to a limit is kept. Traffic never waits for the recording: an exchange for which there is no room
//! is counted. Recorded is what the client sent and what the server answered, to the byte where HTTP/1 was spoken ([`Heads`]).
//! The server gets the same with three differences: fields that are meant for one connection only stay on it, `Host` names the
//! server unless [`ProxyOptions::preserve_host`] is set, and trailers go on only where `Trailer` announced them. Nothing is
//! added: no `X-Forwarded-For`, no `Via`.
//!
//! [`Heads`]: crate::http::Heads

mod body;
mod clock;
mod fields;
mod record;
mod serve;
mod tap;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;

use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mynah_traffic::recording::CaptureCounts;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::record::{Desk, Tally, count};
use self::serve::Shared;
use self::upstream::Upstream;
use crate::feed::{Feed, Next, Queue, Stop};
use crate::source::counted;
use crate::{Error, Options};

/// Fields of a head, in both directions; servers allow a hundred or two.
const MAX_FIELDS: usize = 1000;
/// Bytes of a head in HTTP/2, unpacked.
const MAX_HEAD: u32 = 256 << 10;
/// How often it looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);
/// After a failed `accept`, mostly for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(20);
/// For threads that look up names, which cannot be told to stop.
const LAST: Duration = Duration::from_secs(1);
/// Threads that carry traffic; more only pass it around.
const MAX_THREADS: usize = 4;

/// Where a [`Proxy`] listens and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyOptions {
    /// Where clients come to: `127.0.0.1:8080`, `[::]:443`, `:8080`.
    pub listen: String,
    /// The server behind: `http://127.0.0.1:9000`. No path: targets go on as they come.
    pub upstream: String,
    /// PEM files with the certificate chain and its key: then clients speak TLS. Plain otherwise.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// PEM file with the authorities that the server's certificate may come from. The system's otherwise.
    pub upstream_ca: Option<PathBuf>,
    /// Accept any certificate of the server.
    pub insecure: bool,
    /// Send the client's `Host` on. Otherwise the server gets its own name, as from nginx.
    pub preserve_host: bool,
    /// Bytes kept of one message's body; the rest is passed on all the same. 16 MiB.
    pub max_body: u64,
    /// Bytes that exchanges may hold, under way and waiting to be written. 512 MiB.
    pub memory: u64,
    /// Connections of clients at one time; more wait to be accepted. 4096.
    pub max_connections: usize,
    /// A head, and the TLS handshake, must be complete within this; a connection without a request is closed after it. 60 s.
    pub head_timeout: Duration,
    /// How long requests under way may take to their end after [`Stop`]. 10 s.
    pub grace: Duration,
}

impl ProxyOptions {
    /// A plain proxy from `listen` to `upstream`.
    pub fn new(listen: impl Into<String>, upstream: impl Into<String>) -> Self {
        let Options { max_body, memory, .. } = Options::default();
        ProxyOptions {
            listen: listen.into(),
            upstream: upstream.into(),
            tls: None,
            upstream_ca: None,
            insecure: false,
            preserve_host: false,
            max_body,
            memory,
            max_connections: 4096,
            head_timeout: Duration::from_mins(1),
            grace: Duration::from_secs(10),
        }
    }
}

/// A reverse proxy at work, on threads of its own. Dropped, it cuts what is under way.
pub struct Proxy {
    address: SocketAddr,
    upstream: String,
    desk: Arc<Desk>,
    stop: Stop,
    /// Ends at once what has not ended.
    kill: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`Error::Live`] when the address cannot be listened on or the upstream is no URL that can be meant; [`Error::Io`] and
    /// [`Error::Malformed`] for certificates.
    pub fn listen(options: &ProxyOptions) -> Result<Proxy, Error> {
        let fail = |message: String| Error::Live { what: options.listen.clone(), message };
        // half for what waits, half for what is under way
        let (waiting, under_way) = (options.memory / 2, options.memory / 2);
        let desk = Arc::new(Desk::new(Queue::new(waiting), options.max_body, under_way));
        let upstream = Arc::new(Upstream::new(options, desk.clock)?);
        let tls = match &options.tls {
            Some((certificate, key)) => Some(TlsAcceptor::from(tls::server(certificate, key)?)),
            None => None,
        };
        let listener = bind(&options.listen).map_err(|error| {
            fail(format!("cannot be listened on, expected an address such as 127.0.0.1:8080: {error}"))
        })?;
        let address = listener.local_addr().map_err(|error| fail(error.to_string()))?;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("proxy")
            .enable_all()
            .build()
            .map_err(|error| fail(format!("no threads: {error}")))?;
        let (ending, stopping) = watch::channel(false);
        let (kill, killed) = watch::channel(false);
        let shared = Arc::new(Shared {
            desk: Arc::clone(&desk),
            upstream,
            tls,
            preserve_host: options.preserve_host,
            head_timeout: options.head_timeout,
            stopping,
        });
        let stop = Stop::default();
        let work = Work {
            shared,
            stop: stop.clone(),
            ending,
            killed,
            places: options.max_connections.max(1),
            grace: options.grace,
        };
        let thread = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || work.run(runtime, listener))
            .map_err(|error| fail(format!("no thread: {error}")))?;
        Ok(Proxy { address, upstream: options.upstream.clone(), desk, stop, kill, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Feed for Proxy {
    fn next(&mut self, wait: Duration) -> Result<Next, Error> {
        self.desk.queue.next(wait)
    }

    fn counts(&self) -> CaptureCounts {
        let Tally { seen, captured, dropped, .. } = &self.desk.tally;
        CaptureCounts {
            seen: seen.load(Ordering::Relaxed),
            captured: captured.load(Ordering::Relaxed),
            dropped_by_mynah: dropped.load(Ordering::Relaxed),
            ..CaptureCounts::default()
        }
    }

    fn warnings(&self) -> Vec<String> {
        warnings(&self.desk.tally)
    }

    fn name(&self) -> String {
        format!("proxy {} to {}", self.address, self.upstream)
    }

    fn is_in_the_way(&self) -> bool {
        true
    }

    fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.stop();
        self.desk.queue.abandon();
        self.kill.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // a panic there has been reported by then
            let _ = thread.join();
        }
    }
}

fn warnings(tally: &Tally) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut say = |counter: &AtomicU64, one: &str, many: &str| {
        let count = counter.load(Ordering::Relaxed);
        if count > 0 {
            warnings.push(counted(count, one, many));
        }
    };
    let room = "not recorded because the queue to the writer was full; it was served all the same";
    say(&tally.dropped, &format!("exchange {room}"), &format!("exchanges {room}"));
    let memory = "kept in part to stay within the memory limit; all of it was passed on";
    say(&tally.short_of_memory, &format!("piece of a body {memory}"), &format!("pieces of bodies {memory}"));
    let server = "without an answer of the server: its client got status 502";
    say(&tally.unanswered, &format!("request {server}"), &format!("requests {server}"));
    let malformed = "refused as malformed (status 400, 414 or 431), neither passed on nor recorded";
    say(&tally.malformed, &format!("request {malformed}"), &format!("requests {malformed}"));
    let connect = "refused (status 405), neither passed on nor recorded";
    say(&tally.connect, &format!("CONNECT {connect}"), &format!("CONNECT requests {connect}"));
    let slow = "closed because no whole request head came in time";
    say(&tally.slow, &format!("connection {slow}"), &format!("connections {slow}"));
    say(&tally.handshakes, "TLS handshake failed", "TLS handshakes failed");
    let accept = "to accept a connection failed, mostly for want of file descriptors (ulimit -n)";
    say(&tally.accept, &format!("attempt {accept}"), &format!("attempts {accept}"));
    let cut = "cut at the stop because it had not come to its end in time";
    say(&tally.cut, &format!("connection {cut}"), &format!("connections {cut}"));
    warnings
}

/// `:8080` is every address of this machine.
fn bind(address: &str) -> std::io::Result<StdListener> {
    let all = address.strip_prefix(':').map(|port| format!("[::]:{port}"));
    let addresses: Vec<SocketAddr> = all.as_deref().unwrap_or(address).to_socket_addrs()?.collect();
    let listener = StdListener::bind(&addresses[..])?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What the proxy's own thread does.
struct Work {
    shared: Arc<Shared>,
    stop: Stop,
    ending: watch::Sender<bool>,
    killed: watch::Receiver<bool>,
    places: usize,
    grace: Duration,
}

impl Work {
    fn run(self, runtime: Runtime, listener: StdListener) {
        let queue = Arc::clone(&self.shared.desk.queue);
        let ended = runtime.block_on(self.serve(listener));
        // what is left is dropped with its tasks, and recorded by that: before the end is told
        runtime.shutdown_timeout(LAST);
        queue.end(ended);
    }

    async fn serve(mut self, listener: StdListener) -> Result<(), Error> {
        let listener = TcpListener::from_std(listener)
            .map_err(|error| Error::Live { what: "the proxy".to_owned(), message: error.to_string() })?;
        let places = Arc::new(Semaphore::new(self.places));
        let mut connections = JoinSet::new();
        let mut number = 0;
        let mut look = tokio::time::interval(LOOK);
        while !self.stop.asked() {
            let accept = async {
                // never closed
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            };
            tokio::select! {
                (Some(place), accepted) = accept => {
                    if let Ok((stream, client)) = accepted {
                        let shared = Arc::clone(&self.shared);
                        connections.spawn(serve::serve(shared, stream, client, number, place));
                        number += 1;
                    } else {
                        count(&self.shared.desk.tally.accept);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Some(_) = connections.join_next() => {}
                _ = look.tick() => {}
            }
        }
        drop(listener);
        self.ending.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = all => {}
            () = tokio::time::sleep(self.grace) => {}
            _ = self.killed.wait_for(|killed| *killed) => {}
        }
        self.shared.desk.tally.cut.fetch_add(connections.len() as u64, Ordering::Relaxed);
        connections.shutdown().await;
        Ok(())
    }
}
