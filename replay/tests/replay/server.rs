//! A server on loopback, in the test's own process, that answers as a closure says and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The whole head, as sent.
    pub(crate) head: String,
    /// Chunks taken out.
    pub(crate) body: Vec<u8>,
    /// Number of the connection, from 0.
    pub(crate) connection: usize,
    /// Number of the request on it, from 0.
    pub(crate) ordinal: usize,
}

impl Seen {
    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.head, name).unwrap_or("")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Before the first byte.
    pub(crate) delay: Duration,
    /// Close the connection after it.
    pub(crate) close: bool,
    /// Close the connection after it, without a word of that.
    pub(crate) silent: bool,
    /// Close the connection instead of it.
    pub(crate) hang_up: bool,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Reply {
        Reply::new(200, "text/html", body.as_bytes())
    }

    pub(crate) fn new(status: u16, kind: &str, body: &[u8]) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: body.to_vec(),
            delay: Duration::ZERO,
            close: false,
            silent: false,
            hang_up: false,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Reply {
        Reply { delay, ..self }
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// With the certificate for localhost.
pub(crate) fn tls_config() -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/localhost.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/localhost.key")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// A running server. It ends with the process; a test has few.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        Server::run(None, Arc::new(answer))
    }

    /// Over TLS, with a certificate for localhost that signs itself, is good for a century and trusted by nobody.
    pub(crate) fn start_tls(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        Server::start_with(tls_config(), answer)
    }

    /// Over TLS of the test's own making.
    pub(crate) fn start_with(
        config: ServerConfig,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::run(Some(TlsAcceptor::from(Arc::new(config))), Arc::new(answer))
    }

    fn run(tls: Option<TlsAcceptor>, answer: Arc<Answer>) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                for connection in 0.. {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    let (tls, log, answer) = (tls.clone(), log.clone(), answer.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, connection, log, answer).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    serve(stream, connection, log, answer).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        Server { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests by target.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.seen() {
            *counts.entry(seen.target).or_default() += 1;
        }
        counts
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    connection: usize,
    log: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Answer>,
) {
    let mut buffer = Vec::new();
    for ordinal in 0.. {
        let Some(mut seen) = read(&mut stream, &mut buffer).await else { return };
        seen.connection = connection;
        seen.ordinal = ordinal;
        let reply = answer(&seen);
        log.lock().unwrap().push(seen);
        if reply.hang_up {
            return;
        }
        tokio::time::sleep(reply.delay).await;
        let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if reply.close {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let bytes = [head.as_bytes(), &reply.body].concat();
        if stream.write_all(&bytes).await.is_err() || reply.close || reply.silent {
            return;
        }
    }
}

async fn fill<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(count) if count > 0 => Some(()),
        _ => None,
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Some(line);
        }
        fill(stream, buffer).await?;
    }
}

async fn take<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    while buffer.len() < count {
        fill(stream, buffer).await?;
    }
    Some(buffer.drain(..count).collect())
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Seen> {
    let mut head = String::new();
    loop {
        let line = line(stream, buffer).await?;
        if line.is_empty() {
            break;
        }
        head.push_str(&line);
        head.push('\n');
    }
    let mut body = Vec::new();
    if header(&head, "transfer-encoding").is_some() {
        loop {
            let size = line(stream, buffer).await?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            body.extend(take(stream, buffer, size).await?);
            line(stream, buffer).await?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header(&head, "content-length") {
        body = take(stream, buffer, length.parse().ok()?).await?;
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Seen { method, target, head, body, ..Seen::default() })
}
