//! What one session does: correlations, cookies, identities, redirects, traces.

use mynah_replay::{Error, Prepared, trace};
use mynah_traffic::run::Verdict;

use crate::server::{Reply, Seen, Server};
use crate::{once, play, prepared, try_play};

const LOGIN: &str = r#"
[[profile]]
name = "buyer"
weight = 1
[[profile.step]]
request = "GET /login"
expect = 200
[[profile.step]]
request = "POST /login"
form = { csrf = "${csrf}", email = "a b@x.test" }
expect = 303
[[profile.step]]
request = "GET /items"
expect = 200
[[profile.step]]
request = "GET /items/${item[1]}?from=${item}"
headers = { Authorization = "Bearer ${token}" }
expect = 200
expect_type = "application/json"

[[correlation]]
name = "csrf"
from = ["GET /login input:csrf"]
to = ["POST /login form:csrf"]
[[correlation]]
name = "item"
from = ["GET /items json:$.items[*].id"]
to = []
[[correlation]]
name = "token"
from = ["POST /login header:X-Token"]
to = []
[[endpoint]]
match = "GET /items/{id}"
"#;

/// A shop that hands out values and wants them back.
fn shop(seen: &Seen) -> Reply {
    match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", "/login") => Reply::ok(r#"<form><input type=hidden name=csrf value="t&amp;1"></form>"#)
            .with("Set-Cookie", "sid=anonymous; Path=/; HttpOnly"),
        ("POST", "/login") => {
            let right = seen.text() == "csrf=t%261&email=a+b%40x.test";
            if !right || seen.header("cookie") != "sid=anonymous" {
                return Reply::new(403, "text/plain", b"no");
            }
            Reply::new(303, "text/html", b"")
                .with("Location", "/items")
                .with("X-Token", "tok")
                .with("Set-Cookie", "sid=user; Path=/")
        }
        ("GET", "/items") if seen.header("cookie") == "sid=user" => {
            Reply::new(200, "application/json", br#"{"items":[{"id":"a/1"},{"id":"b 2"}]}"#)
        }
        ("GET", "/items/b%202?from=a%2F1") if seen.header("authorization") == "Bearer tok" => {
            Reply::new(200, "application/json", b"{}")
        }
        _ => Reply::new(404, "text/plain", b"?"),
    }
}

#[test]
fn a_login_works_with_fresh_values_and_cookies() {
    let server = Server::start(shop);
    let document = play(&prepared(LOGIN), &once(&server));
    assert_eq!((document.requests, document.failures), (4, 0), "{:#?}", document.failure_rows);
    assert_eq!(document.verdict, Verdict::Pass);
    assert_eq!(document.profiles[0].completed, 1);
    // Redirects are followed where they were recorded, and only there.
    let targets: Vec<String> = server.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(targets, ["/login", "/login", "/items", "/items/b%202?from=a%2F1"]);
    // Connection 0 was the probe.
    assert!(server.seen().iter().all(|seen| seen.connection == 1), "one connection, kept");
    let names: Vec<&str> = document.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert!(names.contains(&"/items/{id}"), "{names:?}");
    assert_eq!(document.arrivals.started, 1);
    assert!(document.bytes_in > 0 && document.bytes_out > 0);
}

#[test]
fn host_is_the_targets_and_names_are_in_title_case() {
    let server = Server::start(|_| Reply::ok(""));
    play(
        &prepared(
            "[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /x'\nheaders={ Accept-Language='de' }",
        ),
        &once(&server),
    );
    let head = server.seen()[0].head.clone();
    assert_eq!(head, format!("GET /x HTTP/1.1\nHost: {}\nAccept-Language: de\n", server.address));
}

#[test]
fn a_value_that_is_missing_keeps_a_hand_written_step_from_being_sent() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/login" if seen.method == "GET" => Reply::ok("no form today"),
        _ => shop(seen),
    });
    let document = play(&prepared(LOGIN), &once(&server));
    assert_eq!(server.counts().get("/login"), Some(&1));
    let row = document.failure_rows.iter().find(|row| row.method == "POST").unwrap();
    assert_eq!(row.error, "no value for ${csrf}");
    assert_eq!(document.profiles[0].completed, 1, "the session goes on");
}

#[test]
fn wrong_answers_are_told_apart() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/mismatch" => Reply::ok("<html>"),
        "/redirect" => Reply::new(302, "text/html", b"").with("Location", "/elsewhere"),
        _ => Reply::new(500, "text/html", b""),
    });
    let document = play(
        &prepared(
            r#"
[[profile]]
name = "a"
weight = 1
[[profile.step]]
request = "GET /mismatch"
expect = 201
expect_type = "application/json"
[[profile.step]]
request = "GET /redirect"
[[profile.step]]
request = "GET /error"
[[profile.step]]
request = "GET /error2"
expect = 200
"#,
        ),
        &once(&server),
    );
    assert_eq!((document.requests, document.failures, document.total.mismatches), (4, 2, 1));
    assert_eq!(document.mismatch_samples[0].got, "text/html");
    let mut errors: Vec<&str> = document.failure_rows.iter().map(|row| row.error.as_str()).collect();
    errors.sort_unstable();
    assert_eq!(errors, ["status 500, wanted 200", "status 500, wanted one below 400"]);
    assert!(!server.counts().contains_key("/elsewhere"));
    assert_eq!(document.verdict, Verdict::Pass, "failures are judged by thresholds");
}

#[test]
fn identities_come_from_the_file_one_row_a_session() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.csv"), "email,password\nann@x.test,p1\nbob@x.test,\"p,2\"\n")
        .unwrap();
    let toml = r#"
version = 1
name = "t"
[identities]
file = "users.csv"
[[profile]]
name = "a"
weight = 1
[[profile.step]]
request = "POST /login"
form = { email = "${identity.email}", password = "${identity.password}" }
[[profile]]
name = "b"
weight = 1
[[profile.step]]
request = "POST /login"
json = '{"email":"${identity.email}"}'
"#;
    let path = folder.path().join("s.toml");
    std::fs::write(&path, toml).unwrap();
    let server = Server::start(|_| Reply::ok(""));
    play(&Prepared::load(&path).unwrap(), &once(&server));
    let mut bodies: Vec<String> = server.seen().iter().map(crate::server::Seen::text).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["email=ann%40x.test&password=p1", r#"{"email":"bob@x.test"}"#]);

    std::fs::write(&path, toml.replace("identity.password", "identity.pasword")).unwrap();
    let error = Prepared::load(&path).unwrap_err();
    assert!(error.to_string().contains("there is no column 'pasword'"), "{error}");
    assert!(error.to_string().contains("did you mean 'password'?"), "{error}");
}

#[test]
fn without_a_file_a_hand_written_identity_is_a_failure() {
    let server = Server::start(|_| Reply::ok(""));
    let toml = "[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET /?u=${identity.email}'";
    let document = play(&prepared(toml), &once(&server));
    assert_eq!(document.failure_rows[0].error, "no value for ${identity.email}");
    assert_eq!(server.seen().len(), 0);
    assert_eq!(document.verdict, Verdict::Fail, "nothing was answered");
}

#[test]
fn a_trace_tells_of_each_step() {
    let server = Server::start(shop);
    let mut steps = Vec::new();
    let summary = trace(&prepared(LOGIN), &once(&server), &mut |step| steps.push(step)).unwrap();
    assert_eq!((summary.sessions, summary.steps, summary.ok), (1, 4, 4));
    let login = &steps[1];
    assert_eq!((login.number, login.of, login.method.as_str(), login.got), (2, 4, "POST", Some(303)));
    assert_eq!(login.url, format!("{}/login", server.url()));
    assert_eq!(login.injected[0].at, "form:csrf");
    assert_eq!(login.injected[0].value.as_deref(), Some("t&1"));
    assert_eq!(login.extracted, [("token".to_owned(), "tok".to_owned())]);
    assert_eq!(steps[2].extracted, [("item".to_owned(), "a/1 (1 of 2)".to_owned())]);
    assert!(steps[3].url.ends_with("/items/b%202?from=a%2F1"));

    let broken = Server::start(|_| Reply::new(500, "text/plain", b""));
    let mut steps = Vec::new();
    let summary = trace(&prepared(LOGIN), &once(&broken), &mut |step| steps.push(step)).unwrap();
    assert_eq!(summary.ok, 0);
    assert_eq!(steps[0].why.as_deref(), Some("status 500, wanted 200"));
    assert_eq!(steps[1].why.as_deref(), Some("no value for ${csrf}"));
}

#[test]
fn nowhere_to_send_and_misspelt_maps_are_configuration_errors() {
    let server = Server::start(|_| Reply::ok(""));
    let prepared =
        prepared("[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET http://shop.test/'");
    let options = once(&server);
    let none = mynah_replay::Options { target: None, ..options.clone() };
    let error = try_play(&prepared, &none).unwrap_err();
    assert!(matches!(&error, Error::Config(text) if text.contains("--map shop.test=URL")), "{error}");
    let map = vec![("shop.tset".to_owned(), server.url().parse().unwrap())];
    let error = try_play(&prepared, &mynah_replay::Options { map, ..options.clone() }).unwrap_err();
    assert!(error.to_string().contains("did you mean 'shop.test'?"), "{error}");
    let map = vec![("shop.test".to_owned(), server.url().parse().unwrap())];
    let only = mynah_replay::Options { map, target: None, ..options };
    assert_eq!(play(&prepared, &only).requests, 1);
}

#[test]
fn over_tls_a_certificate_must_be_trusted_or_waived() {
    let server = Server::start_tls(shop);
    let target = Some(format!("https://localhost:{}", server.address.port()).parse().unwrap());
    let trusting = mynah_replay::Options { target, insecure: true, ..once(&server) };
    let document = play(&prepared(LOGIN), &trusting);
    assert_eq!((document.requests, document.failures), (4, 0), "{:#?}", document.failure_rows);
    let total = &document.total;
    assert!(total.connections > 0 && total.connect_ms.max > 0.0 && total.tls_ms.max > 0.0, "{total:?}");
    assert_eq!(server.seen()[0].header("host"), format!("localhost:{}", server.address.port()));
    let strict = mynah_replay::Options { insecure: false, ..trusting };
    // A system without any root certificate says so instead.
    match try_play(&prepared(LOGIN), &strict).unwrap_err() {
        Error::Unreachable { source, .. } => assert!(source.to_string().contains("certificate"), "{source}"),
        Error::Config(text) => assert!(text.contains("no root certificate"), "{text}"),
        other => panic!("{other}"),
    }
}
