//! HTTP/2 against a server in this process: sharing connections, giving them up, and streams that go wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, Request, Response};
use mynah_replay::{Error, HttpVersion, Options, trace};
use mynah_traffic::run::RunDocument;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::recorded::{prepared as recorded, script};
use crate::server::{Reply, Server, tls_config};
use crate::{once, play, prepared, try_play};

/// A request as it came.
#[derive(Clone, Debug, Default)]
struct Seen {
    connection: usize,
    uri: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What is done with a request.
enum Deed {
    Answer(Response<Vec<u8>>),
    After(Duration, Response<Vec<u8>>),
    Reset(Reason),
    /// Half of an answer, then the stream is reset.
    Half(Reason),
    /// Nothing at all, for ever.
    Stall,
    /// An answer, after which the connection takes no more.
    Last(Response<Vec<u8>>),
    /// The whole connection is given up.
    Abrupt(Reason),
    /// The connection is closed without a word.
    HangUp,
    /// Interim answers without an end.
    Interim,
}

type Doing = dyn Fn(&Seen) -> Deed + Send + Sync;

#[derive(Clone)]
struct H2Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Streams at the same time, the most there were.
    most: Arc<Mutex<(usize, usize)>>,
}

fn ok(body: &str) -> Response<Vec<u8>> {
    Response::builder().header("content-type", "text/html").body(body.as_bytes().to_vec()).unwrap()
}

impl H2Server {
    fn start(streams: u32, doing: impl Fn(&Seen) -> Deed + Send + Sync + 'static) -> H2Server {
        H2Server::run(streams, None, Arc::new(doing))
    }

    fn run(streams: u32, tls: Option<TlsAcceptor>, doing: Arc<Doing>) -> H2Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let server =
            H2Server { address: listener.local_addr().unwrap(), seen: Arc::default(), most: Arc::default() };
        let own = server.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                // The first one is that by which the run looks whether there is anybody.
                for number in 0.. {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    let (own, tls, doing) = (own.clone(), tls.clone(), doing.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => own.serve(stream, number, streams, doing).await,
                            Some(tls) => match tls.accept(stream).await {
                                Ok(stream) => own.serve(stream, number, streams, doing).await,
                                Err(_) => None,
                            },
                        }
                    });
                }
            });
        });
        server
    }

    fn options(&self) -> Options {
        Options {
            target: Some(format!("http://{}", self.address).parse().unwrap()),
            http: HttpVersion::Two,
            request_timeout: Duration::from_secs(10),
            threads: 1,
            load: mynah_replay::LoadModel::Once,
            late_after: crate::LATE_AFTER,
            think_time: Some(mynah_traffic::scenario::ThinkTime::Fixed(mynah_traffic::Nanos(0))),
            ..Options::default()
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        connection: usize,
        streams: u32,
        doing: Arc<Doing>,
    ) -> Option<()> {
        let mut h2: Connection<S, Bytes> =
            h2::server::Builder::new().max_concurrent_streams(streams).handshake(stream).await.ok()?;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        loop {
            let (request, respond) = tokio::select! {
                request = h2.accept() => request?.ok()?,
                end = told.recv() => {
                    match end? {
                        None => return None,
                        Some(Reason::NO_ERROR) => h2.graceful_shutdown(),
                        Some(reason) => h2.abrupt_shutdown(reason),
                    }
                    continue;
                }
            };
            tokio::spawn(self.clone().one(connection, request, respond, doing.clone(), tell.clone()));
        }
    }

    async fn one(
        self,
        connection: usize,
        request: Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
        doing: Arc<Doing>,
        tell: tokio::sync::mpsc::UnboundedSender<Option<Reason>>,
    ) {
        {
            let mut most = self.most.lock().unwrap();
            most.0 += 1;
            most.1 = most.1.max(most.0);
        }
        let (parts, mut stream) = request.into_parts();
        let mut body = Vec::new();
        if parts.headers.contains_key("expect") {
            respond.send_informational(Response::builder().status(100).body(()).unwrap()).unwrap();
        }
        while let Some(Ok(data)) = stream.data().await {
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let seen = Seen { connection, uri: parts.uri.to_string(), headers: parts.headers, body };
        let deed = doing(&seen);
        self.seen.lock().unwrap().push(seen);
        let mut last = None;
        let response = match deed {
            Deed::Answer(response) => Some(response),
            Deed::After(delay, response) => {
                tokio::time::sleep(delay).await;
                Some(response)
            }
            Deed::Last(response) => {
                last = Some(Some(Reason::NO_ERROR));
                Some(response)
            }
            Deed::Reset(reason) => {
                respond.send_reset(reason);
                None
            }
            Deed::Half(reason) => {
                let mut out = respond.send_response(Response::new(()), false).unwrap();
                let _ = out.send_data(Bytes::from_static(b"half"), false);
                tokio::time::sleep(Duration::from_millis(20)).await;
                out.send_reset(reason);
                None
            }
            Deed::Stall => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                None
            }
            Deed::Abrupt(reason) => {
                last = Some(Some(reason));
                None
            }
            Deed::HangUp => {
                last = Some(None);
                None
            }
            Deed::Interim => {
                let again = || Response::builder().status(103).body(()).unwrap();
                for _ in 0..5_000 {
                    if respond.send_informational(again()).is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                tokio::time::sleep(Duration::from_mins(1)).await;
                None
            }
        };
        self.most.lock().unwrap().0 -= 1;
        if let Some(response) = response {
            let (parts, body) = response.into_parts();
            if let Ok(mut out) = respond.send_response(Response::from_parts(parts, ()), false) {
                let _ = out.send_data(body.into(), false);
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let _ = out.send_trailers(trailers);
            }
        }
        if let Some(last) = last {
            let _ = tell.send(last);
            // The stream must not be closed before.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// So many requests of one session, one after the other, with a word on each.
fn chain(requests: &[&str]) -> mynah_replay::Prepared {
    let steps: Vec<String> = requests
        .iter()
        .map(|request| format!("[[profile.step]]\nrequest='{request}'\nexpect=200\n"))
        .collect();
    let steps = steps.concat();
    prepared(&format!("[[profile]]\nname='a'\nweight=1\n{steps}"))
}

fn well(document: &RunDocument, requests: u64) {
    assert_eq!((document.requests, document.failures), (requests, 0), "{:#?}", document.failure_rows);
    assert_eq!(document.total.protocols, BTreeMap::from([("h2".to_owned(), requests)]));
}

#[test]
fn a_session_goes_over_one_connection() {
    let server = H2Server::start(100, |seen| match seen.uri.rsplit('/').next().unwrap() {
        "first" => Deed::Answer(
            Response::builder()
                .header("content-type", "application/json")
                .header("set-cookie", "sid=live; Path=/")
                .header("set-cookie", "lang=de; Path=/")
                .body(br#"{"id":"a17"}"#.to_vec())
                .unwrap(),
        ),
        _ => Deed::Answer(ok(&"x".repeat(seen.body.len()))),
    });
    let toml = "[[profile]]\nname='a'\nweight=1\n\
        [[profile.step]]\nrequest='GET /first'\nexpect=200\nheaders = { X-Case = 'Kept', Connection = 'keep-alive' }\n\
        [[profile.step]]\nrequest='POST /items/${id}'\nexpect=200\nbody='some text'\n\
        [[profile.step]]\nrequest='POST /large'\nexpect=200\nheaders = { Expect = '100-continue' }\nbody='BODY'\n\
        [[correlation]]\nname='id'\nfrom=['GET /first json:$.id']\nto=[]\n";
    let large = "y".repeat(300_000);
    let prepared = prepared(&toml.replace("BODY", &large));
    let document = play(&prepared, &server.options());
    well(&document, 3);
    assert_eq!(document.total.connections, 1);
    assert!(document.bytes_out > 300_000 && document.bytes_in > 300_000, "{document:?}");
    assert!(document.total.first_byte_ms.max > 0.0 && document.total.service_time_ms.max > 0.0);
    let seen = server.seen();
    assert_eq!(seen[0].uri, format!("http://{}/first", server.address));
    assert_eq!(seen[0].headers["x-case"], "Kept");
    assert!(!seen[0].headers.contains_key("connection") && !seen[0].headers.contains_key("host"));
    assert_eq!(
        (seen[1].uri.ends_with("/items/a17"), seen[1].body.as_slice()),
        (true, b"some text".as_slice())
    );
    let cookies: Vec<_> = seen[1].headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["sid=live", "lang=de"]);
    assert_eq!(seen[2].body.len(), large.len());
    // A trace goes the same way.
    let mut steps = Vec::new();
    let summary = trace(&prepared, &server.options(), &mut |step| steps.push(step)).unwrap();
    assert_eq!((summary.steps, summary.ok), (3, 3), "{steps:#?}");
}

/// One request, and then so many at the same time.
fn together(folder: &std::path::Path, count: usize) -> mynah_replay::Prepared {
    let mut session = script(&vec!["GET /x"; count + 1]);
    for step in session.steps.iter_mut().skip(1) {
        step.waits_for = Some(0);
        step.endpoint = 0;
    }
    recorded(folder, &[session], "")
}

#[test]
fn requests_at_the_same_time_share_the_connection_and_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = H2Server::start(100, |_| Deed::After(Duration::from_millis(100), ok("x")));
    let document = play(&together(folder.path(), 20), &server.options());
    well(&document, 21);
    assert_eq!(document.total.connections, 1);
    assert_eq!(server.most.lock().unwrap().1, 20);
    assert_eq!(document.generator.held_back, 0);
}

#[test]
fn no_more_streams_than_the_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let server = H2Server::start(1, |_| Deed::After(Duration::from_millis(10), ok("x")));
    let document = play(&together(folder.path(), 6), &server.options());
    well(&document, 7);
    assert_eq!((document.total.connections, server.most.lock().unwrap().1), (1, 1));
    assert_eq!(document.generator.held_back, 5);
}

#[test]
fn connections_that_the_server_gives_up_are_made_anew() {
    // Politely after each second request of a connection.
    let asked = Arc::new(Mutex::new(BTreeMap::<usize, usize>::new()));
    let server = H2Server::start(100, move |seen| {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(seen.connection).or_default();
        *count += 1;
        if *count == 2 { Deed::Last(ok("last")) } else { Deed::Answer(ok("")) }
    });
    // A POST as well: what was refused was not taken.
    let document = play(&chain(&["POST /x"; 8]), &server.options());
    well(&document, 8);
    assert!(document.total.connections >= 2, "{}", document.total.connections);
}

#[test]
fn a_stream_that_is_refused_is_asked_for_once_more() {
    let first = Mutex::new(true);
    let server = H2Server::start(100, move |_| {
        if std::mem::take(&mut *first.lock().unwrap()) {
            Deed::Reset(Reason::REFUSED_STREAM)
        } else {
            Deed::Answer(ok(""))
        }
    });
    let document = play(&chain(&["POST /x", "GET /y"]), &server.options());
    well(&document, 2);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn what_goes_wrong_is_counted_as_what_it_is() {
    type Rude = (fn() -> Deed, &'static str, &'static str);
    let all: &[Rude] = &[
        (
            || Deed::Reset(Reason::INTERNAL_ERROR),
            "stream_reset",
            "the server reset the stream: INTERNAL_ERROR",
        ),
        (|| Deed::Reset(Reason::REFUSED_STREAM), "stream_reset", "REFUSED_STREAM"),
        (|| Deed::Half(Reason::CANCEL), "stream_reset", "CANCEL"),
        (|| Deed::Stall, "timeout", "timeout after 1s"),
        (|| Deed::HangUp, "closed", "before an answer came"),
        (|| Deed::Interim, "limit", "interim answers"),
    ];
    for (rude, kind, words) in all {
        let rude = *rude;
        let server =
            H2Server::start(
                100,
                move |seen| {
                    if seen.uri.ends_with("/rude") { rude() } else { Deed::Answer(ok("")) }
                },
            );
        let options = Options { request_timeout: Duration::from_secs(1), ..server.options() };
        let document = play(&chain(&["GET /fine", "POST /rude", "GET /fine"]), &options);
        assert_eq!((document.requests, document.failures), (3, 1), "{words}: {:?}", document.failure_rows);
        assert_eq!(
            document.generator.errors,
            BTreeMap::from([((*kind).to_owned(), 1)]),
            "{words}: {:?}",
            document.failure_rows
        );
        assert!(document.failure_rows[0].error.contains(words), "{:?}", document.failure_rows);
    }
}

#[test]
fn an_answer_may_have_less_time_to_begin_than_to_end() {
    let server =
        H2Server::start(
            100,
            |seen| {
                if seen.uri.ends_with("/rude") { Deed::Stall } else { Deed::Answer(ok("")) }
            },
        );
    let options = Options { first_byte_timeout: Some(Duration::from_millis(200)), ..server.options() };
    let document = play(&chain(&["GET /fine", "POST /rude", "GET /fine"]), &options);
    assert_eq!((document.requests, document.failures), (3, 1), "{:?}", document.failure_rows);
    let error = &document.failure_rows[0].error;
    assert!(error.contains("nothing of an answer within 200ms"), "{error}");
}

#[test]
fn a_connection_that_is_given_up_in_anger_fails_what_is_on_it() {
    let server = H2Server::start(100, |seen| {
        if seen.uri.ends_with("/rude") {
            Deed::Abrupt(Reason::ENHANCE_YOUR_CALM)
        } else {
            Deed::Answer(ok(""))
        }
    });
    let document = play(&chain(&["GET /fine", "POST /rude", "GET /fine"]), &server.options());
    assert_eq!((document.requests, document.failures), (3, 1), "{:?}", document.failure_rows);
    let errors = &document.generator.errors;
    assert!(errors.contains_key("goaway") || errors.contains_key("closed"), "{:?}", document.failure_rows);
}

#[test]
fn long_answers_are_read_to_their_end_at_once() {
    let server = H2Server::start(100, |_| Deed::Answer(ok(&"z".repeat(40 << 20))));
    let document = play(&chain(&["GET /long"]), &server.options());
    well(&document, 1);
    assert!(document.bytes_in > 40 << 20 && document.bytes_in < 41 << 20, "{}", document.bytes_in);
}

#[test]
fn who_speaks_something_else_is_told_at_the_start() {
    let server = Server::start(|_| Reply::ok(""));
    let options = Options { http: HttpVersion::Two, ..once(&server) };
    match try_play(&chain(&["GET /"]), &options).unwrap_err() {
        Error::Unreachable { source, .. } => {
            assert!(source.to_string().contains("does not speak HTTP/2 in the clear"), "{source}");
        }
        other => panic!("{other}"),
    }
    let server = Server::start_tls(|_| Reply::ok(""));
    let target = Some(format!("https://localhost:{}", server.address.port()).parse().unwrap());
    let options = Options { http: HttpVersion::Two, insecure: true, target, ..once(&server) };
    match try_play(&chain(&["GET /"]), &options).unwrap_err() {
        Error::Unreachable { source, .. } => {
            assert!(source.to_string().contains("does not agree to HTTP/2"), "{source}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn over_tls_the_server_has_the_choice() {
    let tls = |protocols: &[&[u8]]| {
        let mut config = tls_config();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Some(TlsAcceptor::from(Arc::new(config)))
    };
    let server = H2Server::run(100, tls(&[b"h2", b"http/1.1"]), Arc::new(|_: &Seen| Deed::Answer(ok(""))));
    let target = Some(format!("https://localhost:{}", server.address.port()).parse().unwrap());
    let options = Options { http: HttpVersion::Auto, insecure: true, target, ..server.options() };
    let document = play(&chain(&["GET /a", "GET /b"]), &options);
    well(&document, 2);
    assert!(document.total.tls_ms.max > 0.0);
    assert_eq!(server.seen()[0].uri, format!("https://localhost:{}/a", server.address.port()));
    // The same server over HTTP/1 is not understood, as it is none here; what was asked for is what is offered.
    let plain = Server::start_tls(|_| Reply::ok(""));
    let target = Some(format!("https://localhost:{}", plain.address.port()).parse().unwrap());
    let options = Options { insecure: true, target, ..once(&plain) };
    let document = play(&chain(&["GET /a"]), &options);
    assert_eq!(document.total.protocols, BTreeMap::from([("HTTP/1.1".to_owned(), 1)]));
}
