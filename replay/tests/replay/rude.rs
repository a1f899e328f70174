//! Servers that misbehave: each in its own way is a failure of its own kind, in words, and the run goes on.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use mynah_replay::Options;
use mynah_traffic::run::{RunDocument, Verdict};
use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use crate::server::{Reply, Server, tls_config};
use crate::{once, play, prepared};

/// Two steps: the server is rude to the first.
const STEPS: &str = "[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /rude'\nexpect=200\n\
                     [[profile.step]]\nrequest='GET /fine'\nexpect=200\n";

/// A server that is polite to whoever asks for `/fine`, and else does as `rude` says with the connection.
fn server(rude: fn(&mut TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while let Some(head) = head(&mut stream) {
                    if !head.starts_with("GET /fine ") {
                        return rude(&mut stream);
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
    address
}

fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// What comes of a run, whose second request must have gone well.
fn visit(address: SocketAddr, options: Options) -> RunDocument {
    let target = options.target.or_else(|| Some(format!("http://{address}").parse().unwrap()));
    let document = play(&prepared(STEPS), &Options { target, ..options });
    assert_eq!((document.requests, document.failures), (2, 1), "{:?}", document.failure_rows);
    assert_eq!(document.total.status, BTreeMap::from([(200, 1)]));
    assert_eq!(document.verdict, Verdict::Pass, "no threshold was given");
    document
}

fn options() -> Options {
    Options {
        load: mynah_replay::LoadModel::Once,
        think_time: Some(mynah_traffic::scenario::ThinkTime::Fixed(mynah_traffic::Nanos(0))),
        request_timeout: Duration::from_secs(20),
        ..Options::default()
    }
}

#[track_caller]
fn counted(document: &RunDocument, kind: &str, words: &str) {
    assert_eq!(
        document.generator.errors,
        BTreeMap::from([(kind.to_owned(), 1)]),
        "{:?}",
        document.failure_rows
    );
    assert!(document.failure_rows[0].error.contains(words), "{:?}", document.failure_rows);
}

/// Sends this again and again until the other side has had enough.
fn for_ever(stream: &mut TcpStream, begin: &str, again: &str) {
    let many = again.repeat(8192 / again.len() + 1);
    let _ = stream.write_all(begin.as_bytes());
    // More than any answer may take of this, and yet not for ever.
    for _ in 0..20_000 {
        if stream.write_all(many.as_bytes()).is_err() {
            return;
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn reset(stream: &mut TcpStream) {
    // A connection that is closed while there is something to read in it is reset.
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let mut more = [0; 1];
    let _ = stream.peek(&mut more);
}

#[test]
fn each_is_counted_as_what_it_is() {
    type Rude = (fn(&mut TcpStream), &'static str, &'static str);
    let all: &[Rude] = &[
        (|_| {}, "closed", "before an answer came"),
        (|s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")), "truncated", "head of the answer"),
        (
            |s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")),
            "truncated",
            "body of the answer",
        ),
        (
            |s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")),
            "truncated",
            "body of the answer",
        ),
        (|s| drop(s.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")), "protocol", "does not begin with HTTP/1"),
        (|s| drop(s.write_all(&vec![0xff; 70_000])), "protocol", "not HTTP"),
        (|s| drop(s.write_all(b"\x15\x03\x03\0\x02\x02\x46")), "protocol", "is https:// meant?"),
        (
            |s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")),
            "protocol",
            "contradict",
        ),
        (
            |s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc")),
            "protocol",
            "length that is no number",
        ),
        (
            |s| drop(s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")),
            "protocol",
            "chunk size",
        ),
        (|s| for_ever(s, OK, "X-More: and more\r\n"), "limit", "head of more than"),
        (|s| for_ever(s, "HTTP/1.1 200 OK\r\nX: ", "x"), "limit", "head of more than 64 KiB"),
        (|s| for_ever(s, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "limit", "interim"),
        (
            |s| for_ever(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;ext=more\r\nx\r\n"),
            "limit",
            "chunk extensions",
        ),
        (
            |s| for_ever(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"),
            "limit",
            "trailers",
        ),
    ];
    for (rude, kind, words) in all {
        let document = visit(server(*rude), options());
        counted(&document, kind, words);
    }
}

#[test]
fn a_reset_is_told_from_an_end() {
    // SO_LINGER of zero cannot be had in std: what was sent and not read makes the kernel reset.
    let long = STEPS.replace("GET /rude'", "POST /rude'\nbody='more than is ever read'");
    let address = server(reset);
    let target = Some(format!("http://{address}").parse().unwrap());
    let document = play(&prepared(&long), &Options { target, ..options() });
    assert_eq!((document.requests, document.failures), (2, 1), "{:?}", document.failure_rows);
    counted(&document, "reset", "connection reset");
}

#[test]
fn a_stall_is_a_timeout_wherever_it_is() {
    let begun: &[fn(&mut TcpStream)] = &[
        |s| drop(head(s)),
        |s| {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            drop(head(s));
        },
        // A byte every now and then does not count as an answer either.
        |s| {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while s.write_all(b"1\r\nx\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        },
    ];
    for rude in begun {
        let document =
            visit(server(*rude), Options { request_timeout: Duration::from_millis(200), ..options() });
        counted(&document, "timeout", "timeout after 200ms");
        assert!(document.endpoints.iter().any(|e| e.response_time_ms.max >= 200.0));
    }
}

#[test]
fn an_answer_may_have_less_time_to_begin_than_to_end() {
    let options = |first, total| Options {
        first_byte_timeout: Some(Duration::from_millis(first)),
        request_timeout: Duration::from_millis(total),
        ..options()
    };
    let silent: fn(&mut TcpStream) = |s| drop(head(s));
    let document = visit(server(silent), options(150, 20_000));
    counted(&document, "timeout", "nothing of an answer within 150ms");
    // One that has begun has the rest of the time.
    let slow: fn(&mut TcpStream) = |s| {
        let _ = s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        std::thread::sleep(Duration::from_millis(500));
        let _ = s.write_all(b"k");
    };
    let target = Some(format!("http://{}", server(slow)).parse().unwrap());
    let document = play(&prepared(STEPS), &Options { target, ..options(150, 20_000) });
    assert_eq!((document.requests, document.failures), (2, 0), "{:?}", document.failure_rows);
    let document = visit(server(slow), options(150, 300));
    counted(&document, "timeout", "timeout after 300ms");
    // An interim answer is none.
    let interim: fn(&mut TcpStream) = |s| {
        let _ = s.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        drop(head(s));
    };
    let document = visit(server(interim), options(150, 20_000));
    counted(&document, "timeout", "nothing of an answer within 150ms");
    // More than there is at all is all.
    let document = visit(server(silent), options(9_000, 200));
    counted(&document, "timeout", "timeout after 200ms");
}

#[test]
fn an_answer_that_never_ends_is_given_up_when_its_time_is_over() {
    let rude: fn(&mut TcpStream) = |stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n",
        );
        let part = vec![b'7'; 1 << 16];
        while stream.write_all(&part).is_ok() {}
    };
    let document = visit(server(rude), Options { request_timeout: Duration::from_millis(300), ..options() });
    counted(&document, "timeout", "timeout after 300ms");
}

#[test]
fn what_comes_too_early_or_too_much_costs_the_connection_only() {
    // An answer before the question, and more than the one answer: never taken for the next one's.
    let rude: fn(&mut TcpStream) = |stream| {
        let twice =
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(twice);
        let _ = head(stream);
    };
    let target = Some(format!("http://{}", server(rude)).parse().unwrap());
    let document = play(&prepared(STEPS), &Options { target, ..options() });
    assert_eq!((document.requests, document.failures), (2, 0), "{:?}", document.failure_rows);
    assert_eq!(document.total.connections, 2);
}

/// Answers the first connection as it should, which is the one by which a run looks whether there is anybody, and is rude to the
/// others.
fn tls_server(rude: fn(&mut TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(tls_config());
    std::thread::spawn(move || {
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let config = config.clone();
            std::thread::spawn(move || {
                if number == 1 {
                    return rude(&mut stream);
                }
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                while head(&mut stream).is_some() {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
    address
}

#[test]
fn handshakes_fail_in_the_words_of_tls() {
    type Rude = (fn(&mut TcpStream), &'static str);
    let all: &[Rude] = &[
        (|_| {}, "TLS: "),
        (
            |s| {
                let mut hello = [0; 64];
                let _ = s.read(&mut hello);
                let _ = s.shutdown(Shutdown::Write);
                let _ = s.read_to_end(&mut Vec::new());
            },
            "TLS: connection closed during the handshake",
        ),
        (
            |s| drop((s.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"), s.read_to_end(&mut Vec::new()))),
            "does the target speak TLS there?",
        ),
        // handshake_failure, RFC 8446 §6.2.
        (
            |s| drop((s.write_all(b"\x15\x03\x03\0\x02\x02\x28"), s.read_to_end(&mut Vec::new()))),
            "HandshakeFailure",
        ),
    ];
    for (rude, words) in all {
        let address = tls_server(*rude);
        let target = Some(format!("https://localhost:{}", address.port()).parse().unwrap());
        let document = visit(address, Options { target, insecure: true, ..options() });
        counted(&document, "tls", words);
    }
}

#[test]
fn a_connection_that_was_closed_early_costs_nobody_anything() {
    // As a server whose keep-alive is over: between two requests, without a word.
    let server = Server::start(|_| Reply { silent: true, ..Reply::ok("") });
    let toml = "[[profile]]\nname='a'\nweight=1\n".to_owned()
        + &"[[profile.step]]\nrequest='POST /x'\nthink='20ms'\nexpect=200\n".repeat(5);
    let options = Options { think_time: None, ..once(&server) };
    let document = play(&prepared(&toml), &options);
    assert_eq!((document.requests, document.failures), (5, 0), "{:?}", document.failure_rows);
}
