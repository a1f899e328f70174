//! With real sockets on loopback, and a server that says what the test wants it to.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mynah_traffic::Scheme;

use super::*;

/// Nothing here takes as long; it ends a test that hangs.
const LONG: Duration = Duration::from_secs(20);

/// A server that gives each connection to `serve`.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A server that answers each request without a body with the same bytes.
fn answering(answer: &'static [u8]) -> SocketAddr {
    server(move |stream| {
        let mut reader = BufReader::new(stream);
        while !head(&mut reader).is_empty() {
            reader.get_mut().write_all(answer).unwrap();
        }
    })
}

fn head(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|n| n > 0) && !head.ends_with("\r\n\r\n") {}
    head
}

fn options(upstream: SocketAddr) -> ProxyOptions {
    ProxyOptions::new("127.0.0.1:0", format!("http://{upstream}"))
}

fn proxy(upstream: SocketAddr) -> Proxy {
    Proxy::listen(&options(upstream)).unwrap()
}

fn connect(proxy: &Proxy) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    BufReader::new(stream)
}

fn send(client: &mut BufReader<TcpStream>, text: impl AsRef<[u8]>) {
    client.get_mut().write_all(text.as_ref()).unwrap();
}

/// A head, and so many bytes of body.
fn read(client: &mut BufReader<TcpStream>, body: usize) -> (String, String) {
    let head = head(client);
    let mut text = vec![0; body];
    client.read_exact(&mut text).unwrap();
    (head, String::from_utf8_lossy(&text).into_owned())
}

fn rest(mut client: BufReader<TcpStream>) -> String {
    let mut text = Vec::new();
    // a connection that is cut may end in an error; what came is what counts
    let _ = client.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The next exchange.
fn next(proxy: &mut Proxy) -> mynah_traffic::Exchange {
    match proxy.next(LONG).unwrap() {
        Next::Exchange(exchange) => *exchange,
        other => panic!("{other:?}"),
    }
}

/// Everything until the end.
fn finish(mut proxy: Proxy) -> (Vec<mynah_traffic::Exchange>, CaptureCounts, Vec<String>) {
    proxy.stop().stop();
    let mut all = Vec::new();
    loop {
        match proxy.next(LONG).unwrap() {
            Next::Exchange(exchange) => all.push(*exchange),
            Next::Ended => return (all, proxy.counts(), proxy.warnings()),
            Next::Nothing => panic!("it does not end"),
        }
    }
}

fn flags(exchange: &mynah_traffic::Exchange) -> Vec<Flag> {
    exchange.flags.iter().collect()
}

use mynah_traffic::Flag;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn keep_alive_and_pipelined_as_sent() {
    let (seen, got) = channel();
    let upstream = server(move |stream| {
        let mut reader = BufReader::new(stream);
        loop {
            let head = head(&mut reader);
            if head.is_empty() {
                return;
            }
            seen.send(head).unwrap();
            let answer =
                b"HTTP/1.1 200 Fine By Me\r\nX-CaSe: 1\r\nContent-Length: 2\r\nKeep-Alive: x\r\n\r\nhi";
            reader.get_mut().write_all(answer).unwrap();
        }
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    let first = "GET /a?b=1 HTTP/1.1\r\nHoSt: shop.example\r\nX-Own:  odd \r\nconnection: keep-alive\r\n\r\n";
    send(&mut client, first);
    let (head, body) = read(&mut client, 2);
    assert_eq!(
        (head.as_str(), body.as_str()),
        ("HTTP/1.1 200 Fine By Me\r\nX-CaSe: 1\r\nContent-Length: 2\r\n\r\n", "hi")
    );
    send(&mut client, "GET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(read(&mut client, 2).1, "hi");
    assert_eq!(read(&mut client, 2).1, "hi");
    let own = client.get_ref().local_addr().unwrap();
    let (all, counts, warnings) = finish(proxy);
    assert_eq!((counts.seen, counts.captured, counts.dropped_by_mynah, warnings.len()), (3, 3, 0, 0));
    let [a, b, c] = &all[..] else { panic!("{all:?}") };
    assert_eq!(text(&a.request.as_ref().unwrap().head), first);
    assert_eq!(text(&c.request.as_ref().unwrap().head), "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = a.response.as_ref().unwrap();
    assert!(
        text(&answer.head).contains("Fine By Me\r\nX-CaSe: 1\r\n")
            && text(&answer.head).contains("Keep-Alive")
    );
    assert_eq!(answer.body, "hi");
    assert_eq!([a, b, c].map(|e| e.connection.ordinal), [0, 1, 2]);
    assert_eq!(
        (a.connection.client, a.connection.server, a.scheme),
        (Some(own), Some(upstream), Scheme::Http)
    );
    let times = a.times;
    assert!(times.request_first <= times.request_last && Some(times.request_last) <= times.response_first);
    assert!(times.response_first <= times.response_last && all.iter().all(|e| e.flags.is_empty()), "{all:?}");
    let forwarded = got.recv_timeout(LONG).unwrap();
    assert!(
        forwarded.contains(&format!(": {upstream}\r\n")) && forwarded.contains("X-Own: odd"),
        "{forwarded}"
    );
    assert!(!forwarded.to_ascii_lowercase().contains("connection"), "{forwarded}");
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let (seen, got) = channel();
    let upstream = server(move |stream| {
        let mut reader = BufReader::new(stream);
        let mut all = head(&mut reader);
        while !all.ends_with("0\r\nx-sum: 1\r\n\r\n") {
            assert!(reader.read_line(&mut all).unwrap() > 0);
        }
        seen.send(all).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-End: 2\r\n\r\n";
        reader.get_mut().write_all(answer).unwrap();
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(
        &mut client,
        "GET /t HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    send(&mut client, "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n");
    let mut answer = head(&mut client);
    while !answer.ends_with("0\r\nx-end: 2\r\n\r\n") {
        assert!(client.read_line(&mut answer).unwrap() > 0, "{answer}");
    }
    assert!(got.recv_timeout(LONG).unwrap().to_ascii_lowercase().contains("transfer-encoding: chunked"));
    let (all, ..) = finish(proxy);
    let [one] = &all[..] else { panic!("{all:?}") };
    let (request, response) = (one.request.as_ref().unwrap(), one.response.as_ref().unwrap());
    assert_eq!(
        (text(&request.body), text(&request.trailers)),
        ("hello".to_owned(), "x-sum: 1\r\n".to_owned())
    );
    assert_eq!(
        (text(&response.body), text(&response.trailers)),
        ("abc".to_owned(), "x-end: 2\r\n".to_owned())
    );
    assert!(one.flags.is_empty(), "{:?}", one.flags);
}

#[test]
fn long_bodies_pass_whole_and_are_kept_in_part() {
    const LENGTH: usize = 10 << 20;
    let upstream = server(|stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        let mut body = vec![0; LENGTH];
        reader.read_exact(&mut body).unwrap();
        let stream = reader.get_mut();
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    });
    let proxy = Proxy::listen(&ProxyOptions { max_body: 1 << 20, ..options(upstream) }).unwrap();
    let mut client = connect(&proxy);
    let body: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
    send(&mut client, format!("PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n"));
    send(&mut client, &body);
    head(&mut client);
    let mut back = vec![0; LENGTH];
    client.read_exact(&mut back).unwrap();
    assert!(back == body, "what came back is not what was sent");
    let (all, ..) = finish(proxy);
    assert_eq!(flags(&all[0]), [Flag::BodyCut]);
    for message in [&all[0].request, &all[0].response] {
        let message = message.as_ref().unwrap();
        assert_eq!(message.body, body[..1 << 20]);
        assert!(text(&message.head).contains("Content-Length: 10485760\r\n"));
    }
}

#[test]
fn answers_without_bodies() {
    for (method, answer, length) in [
        ("HEAD", &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"[..], true),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", false),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", false),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false),
    ] {
        let proxy = proxy(answering(answer));
        let mut client = connect(&proxy);
        for _ in 0..2 {
            send(&mut client, format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"));
            let head = head(&mut client);
            assert_eq!(head.contains("Content-Length: 100"), length, "{head}");
            assert!(length || !head.to_ascii_lowercase().contains("content-length"), "{method} {head}");
        }
        let (all, ..) = finish(proxy);
        let interim = text(answer).contains("103");
        for exchange in &all {
            assert_eq!(flags(exchange), if interim { vec![Flag::Interim] } else { vec![] });
            let response = exchange.response.as_ref().unwrap();
            assert!(answer.ends_with(&response.head) && response.body.is_empty());
        }
        assert_eq!(all.len(), 2);
    }
}

#[test]
fn a_body_that_ends_with_the_connection() {
    let upstream = server(|stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        reader.get_mut().write_all(b"HTTP/1.0 200 OK\r\n\r\nall of it").unwrap();
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(&mut client, "GET / HTTP/1.0\r\n\r\n");
    assert!(rest(client).ends_with("\r\n\r\nall of it"));
    let (all, ..) = finish(proxy);
    assert_eq!(flags(&all[0]), [Flag::CloseDelimited]);
    assert_eq!(all[0].response.as_ref().unwrap().body, "all of it");
}

#[test]
fn nobody_behind_it() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = proxy(closed);
    let mut client = connect(&proxy);
    send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(rest(client).starts_with("HTTP/1.1 502 "));
    let (all, counts, warnings) = finish(proxy);
    assert_eq!((flags(&all[0]), &all[0].response), (vec![Flag::NoResponse], &None));
    assert_eq!((counts.seen, counts.captured), (1, 1));
    assert!(warnings.iter().any(|warning| warning.contains("502")), "{warnings:?}");
}

#[test]
fn the_server_breaks_off() {
    let upstream = server(|stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .unwrap();
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = rest(client);
    assert!(answer.contains("abc") && !answer.ends_with("0\r\n\r\n"), "it must not look whole: {answer}");
    let (all, ..) = finish(proxy);
    assert!(all[0].flags.has(Flag::Truncated));
    assert_eq!(all[0].response.as_ref().unwrap().body, "abc");
}

#[test]
fn the_client_breaks_off() {
    let (closed, told) = channel();
    let upstream = server(move |stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        let stream = reader.get_mut();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        let piece = vec![0; 65536];
        let error = loop {
            if let Err(error) = stream.write_all(&piece) {
                break error.kind();
            }
        };
        closed.send(error).unwrap();
    });
    let mut proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    read(&mut client, 1000);
    client.get_ref().shutdown(Shutdown::Both).unwrap();
    drop(client);
    assert!(next(&mut proxy).flags.has(Flag::Truncated));
    let error = told.recv_timeout(LONG).unwrap();
    assert!(!matches!(error, ErrorKind::WouldBlock | ErrorKind::TimedOut), "the server is cut off: {error}");
}

#[test]
fn a_connection_that_the_server_closed_is_no_error() {
    let upstream = server(|stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    for _ in 0..20 {
        send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = read(&mut client, 2);
        assert!(head.starts_with("HTTP/1.1 200") && body == "hi", "{head}");
    }
    assert_eq!(finish(proxy).1.captured, 20);
}

#[test]
fn websockets_are_tunnelled() {
    let upstream = server(|stream| {
        let mut reader = BufReader::new(stream);
        let asked = head(&mut reader).to_ascii_lowercase();
        assert!(asked.contains("connection: upgrade") && asked.contains("upgrade: websocket"), "{asked}");
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
        reader.get_mut().write_all(answer).unwrap();
        let mut said = [0; 4];
        reader.read_exact(&mut said).unwrap();
        reader.get_mut().write_all(&said).unwrap();
    });
    let proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(&mut client, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let (head, body) = read(&mut client, 5);
    assert!(head.starts_with("HTTP/1.1 101 ") && body == "hello", "{head}");
    send(&mut client, "ping");
    assert_eq!(rest(client), "ping");
    let (all, ..) = finish(proxy);
    assert_eq!((all[0].status(), flags(&all[0])), (Some(101), vec![Flag::Upgraded]));
}

#[test]
fn nonsense_is_refused_and_counted() {
    let proxy = proxy(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let mut client = connect(&proxy);
    send(&mut client, "GET / nonsense\r\n\r\n");
    assert!(rest(client).starts_with("HTTP/1.1 400 "));
    let mut client = connect(&proxy);
    send(&mut client, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n");
    assert!(rest(client).starts_with("HTTP/1.1 405 "));
    let (all, counts, warnings) = finish(proxy);
    assert_eq!((all.len(), counts.seen), (0, 0));
    assert!(warnings.iter().any(|w| w.starts_with("1 request refused")), "{warnings:?}");
    assert!(warnings.iter().any(|w| w.starts_with("1 CONNECT refused")), "{warnings:?}");
}

#[test]
fn who_sends_no_whole_head_is_cut() {
    let upstream = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let proxy =
        Proxy::listen(&ProxyOptions { head_timeout: Duration::from_millis(200), ..options(upstream) })
            .unwrap();
    let (mut slow, silent) = (connect(&proxy), connect(&proxy));
    send(&mut slow, "GET / HTTP/1.1\r\nHost:");
    assert_eq!((rest(slow), rest(silent)), (String::new(), String::new()));
    let (_, counts, warnings) = finish(proxy);
    assert_eq!(counts.seen, 0);
    assert!(warnings.iter().any(|w| w.starts_with("2 connections closed")), "{warnings:?}");
}

#[test]
fn a_full_queue_costs_recordings_and_no_traffic() {
    let upstream = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let proxy = Proxy::listen(&ProxyOptions { memory: 8 << 10, ..options(upstream) }).unwrap();
    let mut client = connect(&proxy);
    for _ in 0..100 {
        send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(read(&mut client, 2).1, "hi");
    }
    let (all, counts, warnings) = finish(proxy);
    assert!(counts.dropped_by_mynah > 0 && !all.is_empty());
    assert_eq!((counts.seen, counts.captured), (100, 100 - counts.dropped_by_mynah));
    assert_eq!(all.len() as u64, counts.captured);
    assert!(warnings.iter().any(|w| w.contains("queue")), "{warnings:?}");
}

#[test]
fn a_request_under_way_is_let_end() {
    let (arrived, told) = channel();
    let (go, may) = channel::<()>();
    let may = std::sync::Mutex::new(may);
    let upstream = server(move |stream| {
        let mut reader = BufReader::new(stream);
        head(&mut reader);
        arrived.send(()).unwrap();
        may.lock().unwrap().recv_timeout(LONG).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    let mut proxy = proxy(upstream);
    let mut client = connect(&proxy);
    send(&mut client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    told.recv_timeout(LONG).unwrap();
    proxy.stop().stop();
    // it no longer listens once it comes to its end
    let begun = Instant::now();
    while TcpStream::connect(proxy.address()).is_ok() {
        assert!(begun.elapsed() < LONG);
        thread::yield_now();
    }
    go.send(()).unwrap();
    assert_eq!(read(&mut client, 2).1, "hi");
    assert_eq!(next(&mut proxy).status(), Some(200));
    assert!(matches!(proxy.next(LONG), Ok(Next::Ended)));
}

/// Two requests by HTTP/2 at a time, over what `open` makes of a connection.
fn http2(proxy: &Proxy, tls: Option<Vec<u8>>) -> Vec<(u16, String)> {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

    let address = proxy.address();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let wire = match tls {
            None => tap::Wire::Plain(stream),
            Some(certificate) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from(certificate)).unwrap();
                let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                config.alpn_protocols = vec![tls::H2.to_vec()];
                let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
                let stream = connector.connect(tls::name("localhost").unwrap(), stream).await.unwrap();
                tap::Wire::Tls(Box::new(stream.into()))
            }
        };
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await.unwrap();
        tokio::spawn(connection);
        let ask = |path: &'static str| {
            let mut sender = sender.clone();
            async move {
                let request = http::Request::post(format!("https://shop.example{path}"))
                    .header("cookie", "a=1")
                    .header("cookie", "b=2")
                    .body(Full::new(bytes::Bytes::from_static(b"abc")))
                    .unwrap();
                let response = sender.send_request(request).await.unwrap();
                let status = response.status().as_u16();
                (status, text(&response.into_body().collect().await.unwrap().to_bytes()))
            }
        };
        let (a, b) = tokio::join!(ask("/a?x=1"), ask("/b"));
        vec![a, b]
    })
}

/// A server that echoes bodies of three bytes.
fn echo() -> (SocketAddr, Receiver<String>) {
    let (seen, got) = channel();
    let address = server(move |stream| {
        let mut reader = BufReader::new(stream);
        loop {
            let head = head(&mut reader);
            if head.is_empty() {
                return;
            }
            seen.send(head).unwrap();
            let mut body = [0; 3];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n").unwrap();
            reader.get_mut().write_all(&body).unwrap();
        }
    });
    (address, got)
}

fn check_http2(proxy: Proxy, scheme: Scheme, got: &Receiver<String>) {
    let (all, ..) = finish(proxy);
    assert_eq!(all.len(), 2);
    for exchange in &all {
        assert_eq!(
            (flags(exchange), exchange.status(), exchange.scheme),
            (vec![Flag::NotHttp1], Some(201), scheme)
        );
        let request = exchange.request.as_ref().unwrap();
        let head = text(&request.head);
        assert!(head.starts_with("POST /") && head.contains(" HTTP/1.1\r\nHost: shop.example\r\n"), "{head}");
        assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
        assert_eq!(
            (&request.body[..], &exchange.response.as_ref().unwrap().body[..]),
            (&b"abc"[..], &b"abc"[..])
        );
        assert!(got.recv_timeout(LONG).unwrap().contains("cookie: a=1; b=2\r\n"));
    }
}

#[test]
fn http2_in_the_clear() {
    let (upstream, got) = echo();
    let proxy = proxy(upstream);
    assert_eq!(http2(&proxy, None), vec![(201, "abc".to_owned()); 2]);
    check_http2(proxy, Scheme::Http, &got);
}

#[test]
fn http2_over_tls_and_a_server_behind_tls() {
    let (upstream, got) = echo();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some((certificate.clone(), key.clone()));
    let inner = Proxy::listen(&ProxyOptions { tls: tls.clone(), ..options(upstream) }).unwrap();
    let behind = format!("https://{}", inner.address());
    let options = ProxyOptions { tls, ..ProxyOptions::new("127.0.0.1:0", behind) };
    // the certificate is not one of the system's, and one's own word makes it good
    let distrusting = Proxy::listen(&options);
    if let Ok(distrusting) = distrusting {
        assert_eq!(http2(&distrusting, Some(made.cert.der().to_vec()))[0].0, 502);
    }
    let outer =
        Proxy::listen(&ProxyOptions { upstream_ca: Some(certificate.clone()), ..options.clone() }).unwrap();
    assert_eq!(http2(&outer, Some(made.cert.der().to_vec())), vec![(201, "abc".to_owned()); 2]);
    check_http2(outer, Scheme::Https, &got);
    assert!(
        finish(inner).0.iter().all(|exchange| exchange.scheme == Scheme::Https && exchange.flags.is_empty())
    );
    let wrong = Some((key, certificate));
    assert!(matches!(Proxy::listen(&ProxyOptions { tls: wrong, ..options }), Err(Error::Malformed { .. })));
}

#[test]
fn what_cannot_be_meant_is_said() {
    for upstream in ["nonsense", "ftp://a", "http://a/b", "http://u@a"] {
        assert!(matches!(
            Proxy::listen(&ProxyOptions::new("127.0.0.1:0", upstream)),
            Err(Error::Live { .. })
        ));
    }
    assert!(matches!(Proxy::listen(&ProxyOptions::new("nowhere", "http://a")), Err(Error::Live { .. })));
}
