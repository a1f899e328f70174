//! Scenarios whose sessions were recorded: session files, injections into recorded requests, safety, fidelity.

use std::path::Path;

use bytes::Bytes;
use mynah_message::{Coding, Message, encode_content};
use mynah_replay::{Error, LoadModel, Options, Prepared};
use mynah_traffic::run::Verdict;
use mynah_traffic::scenario::{Expect, Injection, Rate, SessionScript, SessionsWriter, Source, Step, Tables};
use mynah_traffic::{Endpoint, Nanos, Scheme};

use crate::server::{Reply, Server};
use crate::{once, play, try_play};

/// A chain of requests as recorded at `https://shop.example`, each answered with 200 and HTML.
pub(crate) fn script(requests: &[&str]) -> SessionScript {
    let steps = requests.iter().enumerate().map(|(number, request)| Step {
        endpoint: number as u32,
        scheme: Scheme::Https,
        host: "shop.example".to_owned(),
        waits_for: number.checked_sub(1).map(|number| number as u32),
        request: message(&format!("{request} HTTP/1.1\nHost: shop.example\n\n"), b""),
        expect: Expect { status: Some(200), content_type: Some("text/html".to_owned()), body_bytes: 0 },
        ..Step::default()
    });
    SessionScript { start: Nanos(0), steps: steps.collect() }
}

pub(crate) fn message(head: &str, body: &[u8]) -> Message {
    Message {
        head: head.replace('\n', "\r\n").into(),
        body: Bytes::copy_from_slice(body),
        trailers: Bytes::new(),
    }
}

/// Endpoints are called by the first session's methods and paths.
pub(crate) fn prepared(folder: &Path, sessions: &[SessionScript], more: &str) -> Prepared {
    try_prepared(folder, sessions, more).unwrap()
}

fn try_prepared(folder: &Path, sessions: &[SessionScript], more: &str) -> Result<Prepared, Error> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for step in &sessions[0].steps {
        let head = String::from_utf8_lossy(&step.request.head).into_owned();
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        endpoints.push(format!("{method} {}", target.split('?').next().unwrap()).parse().unwrap());
    }
    let tables = Tables { endpoints, profiles: vec!["c0".to_owned()] };
    let mut writer = SessionsWriter::create(folder.join("s.sessions"), &tables).unwrap();
    for session in sessions {
        writer.write(0, session).unwrap();
    }
    writer.finish().unwrap();
    let toml = format!(
        "version = 1\nname = \"recorded\"\n{more}\n[[profile]]\nname = \"p\"\nweight = 100\nsessions_from = \"s.sessions#c0\"\n"
    );
    let path = folder.join("s.toml");
    std::fs::write(&path, toml).unwrap();
    Prepared::load(&path)
}

const RECORDED: &str = r#"
[recorded]
masked = true
exchanges = 4
sessions = 2
duration_s = 1.0
sessions_per_s = 2.0
hosts = ["shop.example", "192.0.2.7:8080"]
"#;

const CSRF: &str = r#"
[[correlation]]
name = "csrf"
from = ["GET /form input:csrf"]
to = ["POST /send form:csrf"]
"#;

fn inject(at: &str, name: &str) -> Injection {
    let source = Source::Correlation { name: name.to_owned(), index: 0 };
    Injection { at: at.parse().unwrap(), source, format: None, required: false }
}

fn form_session() -> SessionScript {
    let mut session = script(&["GET /form", "POST /send"]);
    session.steps[1].request = message(
        "POST /send HTTP/1.1\nHost: shop.example\nOrigin: https://shop.example\nCookie: lang=de; sid=dead\n\
         Referer: https://shop.example/form\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 12\n\n",
        b"csrf=old&x=1",
    );
    session.steps[1].injections = vec![inject("form:csrf", "csrf")];
    session
}

#[test]
fn recorded_values_give_way_to_fresh_ones() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|seen| {
        if seen.method == "GET" {
            return Reply::ok("<input name=csrf value=fresh>").with("Set-Cookie", "sid=live; Secure; Path=/");
        }
        Reply::ok("")
    });
    let document = play(&prepared(folder.path(), &[form_session()], CSRF), &once(&server));
    assert_eq!(document.failures, 0, "{:?}", document.failure_rows);
    let sent = &server.seen()[1];
    assert_eq!(sent.text(), "csrf=fresh&x=1");
    assert_eq!(sent.header("content-length"), "14");
    assert_eq!(sent.header("cookie"), "lang=de; sid=live");
    assert_eq!(sent.header("origin"), server.url());
    assert_eq!(sent.header("referer"), format!("{}/form", server.url()));
}

#[test]
fn switched_off_or_without_a_value_what_was_recorded_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|seen| match seen.text().as_str() {
        "csrf=old&x=1" => Reply::new(403, "text/html", b""),
        _ => Reply::ok("nothing here"),
    });
    let document = play(&prepared(folder.path(), &[form_session()], CSRF), &once(&server));
    assert_eq!(document.failure_rows[0].error, "status 403, recorded 200; there was no value for ${csrf}");
    let off = CSRF.replace("name = \"csrf\"", "name = \"csrf\"\nenabled = false");
    let document = play(&prepared(folder.path(), &[form_session()], &off), &once(&server));
    assert_eq!(document.failure_rows[0].error, "status 403, recorded 200");
    assert_eq!(server.seen()[3].text(), "csrf=old&x=1");
}

#[test]
fn gzip_and_chunks_survive() {
    let folder = tempfile::tempdir().unwrap();
    let packed = encode_content(&[Coding::Gzip], br#"{"csrf":"old"}"#).unwrap();
    let mut session = form_session();
    session.steps[1].request = message(
        "POST /send HTTP/1.1\nHost: shop.example\nContent-Type: application/json\nContent-Encoding: gzip\n\
         Transfer-Encoding: chunked\n\n",
        &packed,
    );
    session.steps[1].injections = vec![inject("json:$.csrf", "csrf")];
    let page = encode_content(&[Coding::Gzip], b"<input name=csrf value=fresh>").unwrap();
    let server = Server::start(move |seen| {
        let reply = Reply::new(200, "text/html", &page);
        if seen.method == "GET" { reply.with("Content-Encoding", "gzip") } else { Reply::ok("") }
    });
    let correlation = CSRF.replace("form:csrf", "json:$.csrf");
    let document = play(&prepared(folder.path(), &[session], &correlation), &once(&server));
    assert_eq!(document.failures, 0, "{:?}", document.failure_rows);
    let sent = &server.seen()[1];
    assert_eq!(sent.header("transfer-encoding"), "chunked");
    assert_eq!(sent.header("content-length"), "");
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(sent.body.as_slice()), &mut plain)
        .unwrap();
    assert_eq!(plain, r#"{"csrf":"fresh"}"#);
}

#[test]
fn connections_are_as_recorded_and_steps_wait_for_those_they_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = script(&["GET /page", "GET /a", "GET /b", "GET /after"]);
    session.steps[1].waits_for = Some(0);
    session.steps[2].waits_for = Some(0);
    session.steps[2].connection = 1;
    session.steps[3].waits_for = Some(2);
    let server = Server::start(|_| Reply::ok(""));
    let document = play(&prepared(folder.path(), &[session], ""), &once(&server));
    assert_eq!((document.requests, document.failures), (4, 0));
    let seen = server.seen();
    let at = |target: &str| seen.iter().position(|seen| seen.target == target).unwrap();
    assert_eq!(at("/page"), 0);
    assert!(at("/after") > at("/b"));
    assert_ne!(seen[at("/a")].connection, seen[at("/b")].connection);
    assert_eq!(seen[at("/a")].connection, seen[at("/page")].connection);
}

#[test]
fn ten_times_the_recording_is_ten_times_its_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Reply::ok(""));
    let entries =
        "[[endpoint]]\nmatch = 'GET /a'\nrequests = 2\n[[endpoint]]\nmatch = 'GET /b'\nrequests = 2\n";
    let prepared = prepared(
        folder.path(),
        &[script(&["GET /a", "GET /b"]), script(&["GET /a", "GET /b"])],
        &format!("{RECORDED}{entries}"),
    );
    let options = Options {
        load: LoadModel::Open { rate: Rate::Times(10.0) },
        duration: Some(Nanos(1_000_000_000)),
        ..once(&server)
    };
    let document = play(&prepared, &options);
    assert_eq!(document.arrivals.asked, "10x = 20 sessions/s");
    assert_eq!(document.requests, document.arrivals.scheduled * 2);
    let fidelity = document.fidelity.unwrap();
    assert!(fidelity.endpoint_mix < 1e-6, "{fidelity:?}");
    assert!((fidelity.status_parity - 1.0).abs() < 1e-9);
    assert_eq!(document.verdict, Verdict::Pass, "{:?}", document.reasons);
}

#[test]
fn a_recorded_host_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Reply::ok(""));
    let prepared = prepared(folder.path(), &[script(&["GET /a"])], RECORDED);
    for target in ["https://shop.example", "http://192.0.2.7:9999"] {
        let options = Options { target: Some(target.parse().unwrap()), ..once(&server) };
        assert!(matches!(try_play(&prepared, &options), Err(Error::Refused { .. })), "{target}");
    }
}

#[test]
fn what_is_wrong_with_the_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = [script(&["GET /a"])];
    let path = folder.path().join("s.toml");
    let rewrite = |from: &str, to: &str| {
        prepared(folder.path(), &sessions, "");
        let text = std::fs::read_to_string(&path).unwrap().replace(from, to);
        std::fs::write(&path, text).unwrap();
        Prepared::load(&path).unwrap_err().to_string()
    };
    assert!(rewrite("#c0", "#c9").contains("has no session of 'c9' (there are: c0)"));
    assert!(rewrite("#c0", "").contains("expected FILE#CLUSTER"));
    assert!(rewrite("s.sessions#", "t.sessions#").contains("t.sessions"));
    let unknown = "[[correlation]]\nname='x'\nfrom=['GET /nowhere input:x']\nto=[]\n";
    assert!(prepared(folder.path(), &sessions, unknown).warnings()[0].contains("no request goes to"));
    let mut odd = script(&["GET /a"]);
    odd.steps[0].injections = vec![inject("form:csrf", "csrf")];
    let prepared = prepared(folder.path(), &[odd], &CSRF.replace("POST /send", "GET /a"));
    assert!(
        prepared.warnings().iter().any(|warning| warning.contains("there is nothing at form:csrf")),
        "{:?}",
        prepared.warnings()
    );
}
