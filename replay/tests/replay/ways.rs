//! How targets are reached: redirects that are followed, sockets, source addresses, bodies that wait.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mynah_replay::{Error, Options, Resolve, Target, trace};
use mynah_traffic::run::RunDocument;

use crate::server::{Reply, Seen, Server};
use crate::{once, play, prepared, try_play};

fn only(request: &str, more: &str) -> mynah_replay::Prepared {
    prepared(&format!(
        "[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='{request}'\nexpect=200\n{more}"
    ))
}

fn went_well(document: &RunDocument) {
    assert_eq!(document.failures, 0, "{:#?}", document.failure_rows);
}

/// `/a` → `/b` → `/c`, each by its own status.
fn leads(seen: &Seen) -> Reply {
    let to = |status, location: &str| Reply::new(status, "text/plain", b"").with("Location", location);
    match seen.target.as_str() {
        "/a" => to(302, "b?x=1").with("Set-Cookie", "sid=1; Path=/"),
        "/b?x=1" => to(303, "/c"),
        "/keep" => to(307, "/kept"),
        "/round" => to(301, "/round"),
        "/away" => to(302, "http://elsewhere.example/x"),
        _ => Reply::ok("here"),
    }
}

#[test]
fn redirects_are_answers_unless_they_are_to_be_followed() {
    let server = Server::start(leads);
    let document = play(&only("POST /a", "form = { x = 'y' }"), &once(&server));
    assert_eq!((document.requests, document.failures), (1, 1));
    assert_eq!(server.seen().len(), 1);
    let options = Options { follow_redirects: 2, ..once(&server) };
    let document =
        play(&only("POST /a", "form = { x = 'y' }\nheaders = { Authorization = 'B x' }"), &options);
    went_well(&document);
    assert_eq!((document.requests, document.total.status[&200]), (1, 1));
    assert_eq!(document.total.protocols["HTTP/1.1"], 3);
    let seen: Vec<Seen> = server.seen().into_iter().skip(1).collect();
    let lines: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    assert_eq!(lines, ["POST /a", "GET /b?x=1", "GET /c"]);
    assert_eq!(
        (seen[1].header("cookie"), seen[1].header("content-length"), seen[1].text().as_str()),
        ("sid=1", "", "")
    );
    assert_eq!(
        (seen[2].header("authorization"), seen[2].header("host")),
        ("B x", server.address.to_string().as_str())
    );
    let bytes: usize =
        seen.iter().map(|seen| seen.head.len() + seen.head.lines().count() + 2 + seen.body.len()).sum();
    assert_eq!(document.bytes_out, bytes as u64);
    // The trace tells the way.
    let mut steps = Vec::new();
    trace(&only("GET /a", ""), &options, &mut |step| steps.push(step)).unwrap();
    assert!(steps[0].url.ends_with("/a → /b?x=1 → /c"), "{}", steps[0].url);
    assert_eq!(steps[0].got, Some(200));
}

#[test]
fn a_method_that_is_to_be_kept_keeps_its_body() {
    let server = Server::start(leads);
    let options = Options { follow_redirects: 1, ..once(&server) };
    went_well(&play(&only("POST /keep", "body = 'all of it'"), &options));
    let seen = server.seen();
    assert_eq!((seen[1].method.as_str(), seen[1].text().as_str()), ("POST", "all of it"));
}

#[test]
fn redirects_without_an_end_and_to_nowhere_are_failures_of_their_own() {
    let server = Server::start(leads);
    let options = Options { follow_redirects: 5, ..once(&server) };
    for (request, words) in [
        ("GET /round", "more than 5 redirects"),
        ("GET /away", "elsewhere.example, where this run sends nothing"),
    ] {
        let document = play(&only(request, ""), &options);
        assert_eq!((document.requests, document.failures), (1, 1));
        assert_eq!(document.generator.errors.get("redirects"), Some(&1));
        assert!(document.failure_rows[0].error.contains(words), "{:?}", document.failure_rows);
    }
    assert_eq!(server.counts()["/round"], 6);
}

#[test]
fn another_host_of_the_run_is_followed_to_without_credentials() {
    let other = Server::start(|_| Reply::ok("other"));
    let url = other.url();
    let server = Server::start(move |seen| match seen.target.as_str() {
        "/a" => Reply::new(302, "text/plain", b"").with("Location", &format!("{url}/there")),
        _ => Reply::new(302, "text/plain", b"").with("Location", "https://two.example/recorded"),
    });
    let prepared = prepared(
        "[[profile]]\nname='a'\nweight=1\n\
         [[profile.step]]\nrequest='GET http://one.example/a'\nheaders = { Authorization = 'B x', Cookie = 'own=1' }\nexpect=200\n\
         [[profile.step]]\nrequest='GET http://one.example/b'\nexpect=200\n\
         [[profile.step]]\nrequest='GET https://two.example/c'\nexpect=200\n",
    );
    let map = vec![("two.example".to_owned(), other.url().parse().unwrap())];
    let options = Options { follow_redirects: 3, map, ..once(&server) };
    went_well(&play(&prepared, &options));
    let seen = other.seen();
    let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
    assert_eq!(targets, ["/there", "/recorded", "/c"]);
    assert_eq!((seen[0].header("authorization"), seen[0].header("cookie")), ("", ""));
    assert_eq!(seen[0].header("host"), other.address.to_string());
}

#[test]
fn a_socket_in_the_file_system_is_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let log = heads.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
                if head.ends_with(b"\r\n\r\n") {
                    log.lock().unwrap().push(String::from_utf8(std::mem::take(&mut head)).unwrap());
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
            }
        }
    });
    let target: Target = format!("unix:{}", path.display()).parse().unwrap();
    let options = Options { target: Some(target.clone()), ..once(&Server::start(|_| Reply::ok(""))) };
    let document = play(&only("GET /x", ""), &options);
    went_well(&document);
    assert_eq!(document.target, format!("unix:{}", path.display()));
    // By a map, under a path, for one host of several.
    let map = vec![("app.example".to_owned(), Target { base_path: "/base".to_owned(), ..target })];
    went_well(&play(&only("GET http://app.example/y", ""), &Options { map, ..options.clone() }));
    let heads = heads.lock().unwrap().clone();
    assert!(
        heads[0].starts_with("GET /x HTTP/1.1\r\n") && heads[0].contains("Host: localhost\r\n"),
        "{heads:?}"
    );
    assert!(heads[1].starts_with("GET /base/y HTTP/1.1\r\n"), "{heads:?}");
    // One that is not there is no target.
    let gone = Some("unix:/nowhere/at/all.sock".parse().unwrap());
    let error = try_play(&only("GET /x", ""), &Options { target: gone, ..options }).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

/// A server that tells who connects to it.
fn peers(address: &str) -> Option<(std::net::SocketAddr, Arc<Mutex<Vec<IpAddr>>>)> {
    let listener = TcpListener::bind(address).ok()?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, address) = (seen.clone(), listener.local_addr().ok()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            log.lock().unwrap().push(stream.peer_addr().unwrap().ip());
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                }
            });
        }
    });
    Some((address, seen))
}

#[test]
fn connections_are_made_from_the_sources_in_turn() {
    let (address, seen) = peers("127.0.0.1:0").unwrap();
    let steps = "[[profile.step]]\nrequest='GET /'\nexpect=200\n".repeat(6);
    let prepared = prepared(&format!("[[profile]]\nname='a'\nweight=1\n{steps}"));
    let sources: Vec<IpAddr> = (1..=3).map(|last| IpAddr::from(Ipv4Addr::new(127, 0, 0, last))).collect();
    let options = Options {
        target: Some(format!("http://{address}").parse().unwrap()),
        bind: sources.clone(),
        ..once(&Server::start(|_| Reply::ok("")))
    };
    went_well(&play(&prepared, &options));
    // The first one was the look whether there is anybody.
    let seen: Vec<IpAddr> = seen.lock().unwrap()[1..].to_vec();
    for source in &sources {
        assert_eq!(seen.iter().filter(|peer| *peer == source).count(), 2, "{seen:?}");
    }
    for (bind, words) in [("192.0.2.1", "no address of this machine"), ("::1", "same family")] {
        let bind = vec![bind.parse().unwrap()];
        match try_play(&prepared, &Options { bind, ..options.clone() }).unwrap_err() {
            Error::Config(text) => assert!(text.contains(words) || text.contains("no address"), "{text}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_ipv6_address_is_a_target_where_there_is_one() {
    let Some((address, seen)) = peers("[::1]:0") else {
        println!("skipped: there is no ::1 here");
        return;
    };
    let options = Options {
        target: Some(format!("http://[::1]:{}", address.port()).parse().unwrap()),
        ..once(&Server::start(|_| Reply::ok("")))
    };
    went_well(&play(&only("GET /", ""), &options));
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
fn names_are_looked_up_once_or_each_time() {
    let server = Server::start(|_| Reply { close: true, ..Reply::ok("") });
    for resolve in [Resolve::Once, Resolve::EachConnection] {
        // Where it is two addresses, one of which nobody answers at, the other one is gone to.
        let target = Some(format!("http://localhost:{}", server.address.port()).parse().unwrap());
        let steps = "[[profile.step]]\nrequest='GET /'\nexpect=200\n".repeat(4);
        let prepared = prepared(&format!("[[profile]]\nname='a'\nweight=1\n{steps}"));
        went_well(&play(&prepared, &Options { target, resolve, ..once(&server) }));
    }
}

/// Reads a head, says this, and tells what came after it.
fn expecting(say: &'static [u8], then: &'static [u8]) -> (String, std::sync::mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            if head.is_empty() {
                continue;
            }
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let mut early = [0; 1];
            let waited = stream.read(&mut early).is_err();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _ = stream.write_all(say);
            let mut body = if waited { Vec::new() } else { b"EARLY".to_vec() };
            let mut rest = vec![0; 40_000];
            if stream.read_exact(&mut rest).is_ok() {
                body.extend(rest);
                let _ = stream.write_all(then);
            }
            let _ = tell.send(body);
        }
    });
    (url, told)
}

#[test]
fn a_body_waits_for_the_word_to_go_on() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let body = "b".repeat(40_000);
    let more = format!("headers = {{ Expect = '100-continue' }}\nbody = '{body}'");
    let options =
        |url: &str| Options { target: Some(url.parse().unwrap()), ..once(&Server::start(|_| Reply::ok(""))) };
    // It is said, and then the body comes.
    let (url, told) = expecting(b"HTTP/1.1 100 Continue\r\n\r\n", OK);
    went_well(&play(&only("POST /x", &more), &options(&url)));
    assert_eq!(told.recv().unwrap(), body.as_bytes());
    // It is not said: the body comes all the same.
    let (url, told) = expecting(b"", OK);
    let document = play(&only("POST /x", &more), &options(&url));
    went_well(&document);
    assert!(document.total.service_time_ms.max >= 1000.0);
    assert_eq!(told.recv().unwrap(), body.as_bytes());
    // An answer that is not that word: the body stays here, and the connection is not used again.
    let (url, told) = expecting(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", OK);
    let document = play(&only("POST /x", &more.replace("100-continue", "100-Continue")), &options(&url));
    assert_eq!(document.total.status[&417], 1);
    assert!(document.bytes_out < 1000, "{}", document.bytes_out);
    assert_eq!(told.recv().unwrap(), b"");
}
