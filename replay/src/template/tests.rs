use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use mynah_message::{Coding, Message, encode_content};
use mynah_traffic::scenario::{Injection, Source};

use super::*;

fn bound() -> Bound {
    Bound {
        host: Some("target:81".to_owned()),
        authority: "target:81".to_owned(),
        base_path: String::new(),
        rewrites: Arc::new([]),
        origins: Arc::new([(
            "https://shop.example".to_owned(),
            "http://target:81".to_owned(),
            "/base".to_owned(),
        )]),
        set_headers: Arc::new([]),
    }
}

fn message(head: &str, body: &[u8]) -> Message {
    Message {
        head: head.replace('\n', "\r\n").into(),
        body: Bytes::copy_from_slice(body),
        trailers: Bytes::new(),
    }
}

fn inject(at: &str, format: Option<&str>) -> Injection {
    let source = Source::Correlation { name: "x".into(), index: 0 };
    Injection { at: at.parse().unwrap(), source, format: format.map(str::to_owned), required: false }
}

fn make(message: &Message, injections: &[Injection]) -> Template {
    let names = ["x".to_owned()];
    let names = Names { correlations: &names, ..Names::default() };
    compile(message, injections, &names, &mut |warning| panic!("{warning}")).unwrap()
}

/// A rendered request, taken apart again.
struct Sent {
    method: String,
    target: String,
    version: String,
    /// The header lines, as sent.
    headers: String,
    body: Vec<u8>,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
    }
}

fn send(template: &Template, values: &[Option<String>], bound: &Bound, jar: &[(&str, &str)]) -> Sent {
    let mut out = Vec::new();
    let rendered = render(template, values, bound, jar, &mut out).unwrap();
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&out[..end]).unwrap().replace("\r\n", "\n");
    let (line, headers) = head.split_once('\n').unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words.len(), 3, "{line}");
    assert_eq!(&out[rendered.target.clone()], words[1].as_bytes());
    Sent {
        method: words[0].to_owned(),
        target: words[1].to_owned(),
        version: words[2].to_owned(),
        headers: headers.to_owned(),
        body: [&out[end + 4..], &rendered.rest].concat(),
    }
}

#[test]
fn every_place_is_filled_in_and_the_rest_stays() {
    let message = message(
        "POST http://shop.example/a/old/b?t=1&u=2#frag HTTP/1.1\nHost: shop.example\nX-Token: old\n\
         Content-Length: 99\nAuthorization: Bearer old\nContent-Type: application/x-www-form-urlencoded\n\n",
        b"keep=1&csrf=old&z=",
    );
    let template = make(
        &message,
        &[
            inject("path:1", None),
            inject("query:u", None),
            inject("header:Authorization", Some("Bearer {}")),
            inject("form:csrf", None),
        ],
    );
    assert_eq!(template.needs.len(), 4);
    let values = ["a/b", "q&r", "Bearer tok", "ü +"].map(|value| Some(value.to_owned()));
    let request = send(&template, &values, &bound(), &[]);
    assert_eq!(request.target, "/a/a%2Fb/b?t=1&u=q%26r");
    assert_eq!(request.method, "POST");
    let shown = request.headers;
    assert_eq!(
        shown,
        "Host: target:81\nX-Token: old\nContent-Length: 25\nAuthorization: Bearer tok\n\
         Content-Type: application/x-www-form-urlencoded"
    );
    assert_eq!(request.body, b"keep=1&csrf=%C3%BC+%2B&z=");
    let recorded = send(&template, &[None, None, None, None], &bound(), &[]);
    assert_eq!(recorded.target, "/a/old/b?t=1&u=2");
    assert_eq!(recorded.body, b"keep=1&csrf=old&z=");
}

#[test]
fn cookies_of_the_jar_come_first_in_their_recorded_places() {
    let message = message("GET / HTTP/1.1\nhost: h\ncookie: a=1; sid=old; c\ncookie: d=4\n\n", b"");
    let template = make(&message, &[]);
    assert!(template.lower_case);
    let jar = [("sid", "new"), ("extra", "e")];
    let request = send(&template, &[], &bound(), &jar);
    assert_eq!(request.headers, "host: target:81\ncookie: a=1; sid=new; c; d=4; extra=e");
    let plain = make(&self::message("GET / HTTP/1.1\nHost: h\n\n", b""), &[]);
    let request = send(&plain, &[], &bound(), &jar);
    assert_eq!(request.headers, "Host: target:81\nCookie: sid=new; extra=e");
}

#[test]
fn where_it_is_sent_shows_in_origin_referer_path_and_headers() {
    let message = message(
        "GET /x HTTP/1.0\nHost: shop.example\nOrigin: https://shop.example\n\
         Referer: https://shop.example/p?q\nReferer: https://shop.example.evil/\nX-Env: prod\n\n",
        b"",
    );
    let template = make(&message, &[]);
    let bound = Bound {
        host: None,
        base_path: "/base".to_owned(),
        set_headers: Arc::new([(HeaderName::from_static("x-env"), b"x-ENV: staging\r\n".to_vec())]),
        ..bound()
    };
    let request = send(&template, &[], &bound, &[]);
    assert_eq!(request.target, "/base/x");
    assert_eq!(request.version, "HTTP/1.0");
    assert_eq!(
        request.headers,
        "Host: shop.example\nOrigin: http://target:81\nReferer: http://target:81/base/p?q\n\
         Referer: https://shop.example.evil/\nx-ENV: staging"
    );
}

#[test]
fn compressed_bodies_are_opened_and_closed_again() {
    let packed = encode_content(&[Coding::Gzip], br#"{"csrf":"old","n":1}"#).unwrap();
    let head = "POST / HTTP/1.1\nHost: h\nContent-Type: application/json\nContent-Encoding: gzip\nContent-Length: 1\n\n";
    let template = make(&message(head, &packed), &[inject("json:$.csrf", None)]);
    let request = send(&template, &[Some("n\"ew".to_owned())], &bound(), &[]);
    let sent = request.body.clone();
    assert_eq!(request.header("Content-Length"), sent.len().to_string());
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(sent.as_slice()), &mut plain).unwrap();
    assert_eq!(plain, r#"{"csrf":"n\"ew","n":1}"#);
    let recorded = send(&template, &[None], &bound(), &[]);
    assert_eq!(recorded.body, packed, "without a value the recorded bytes go out");
}

#[test]
fn a_length_is_added_where_none_was_recorded_and_large_bodies_are_not_copied() {
    let large = vec![b'x'; 20_000];
    let lower = make(&message("POST / HTTP/1.1\nhost: h\nX-a: b\n\n", &large), &[]);
    let request = send(&lower, &[], &bound(), &[]);
    assert_eq!(request.headers, "host: target:81\nX-a: b\ncontent-length: 20000");
    assert_eq!(request.body, large);
    let mut out = Vec::new();
    assert_eq!(render(&lower, &[], &bound(), &[], &mut out).unwrap().rest.len(), 20_000);
    let empty = send(&make(&message("POST / HTTP/1.1\nHost: h\n\n", b""), &[]), &[], &bound(), &[]);
    assert_eq!(empty.headers, "Host: target:81");
}

#[test]
fn chunked_stays_chunked() {
    let head = "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nContent-Length: 3\n\n";
    let request = send(&make(&message(head, b"abc"), &[]), &[], &bound(), &[]);
    assert_eq!(request.headers, "Host: target:81\nTransfer-Encoding: chunked");
    assert_eq!(request.body, b"3\r\nabc\r\n0\r\n\r\n");
    let mut with_trailers = message(head, b"");
    with_trailers.trailers = "Sum: a\u{1}b\r\n\r\n".into();
    let request = send(&make(&with_trailers, &[]), &[], &bound(), &[]);
    assert_eq!(request.body, b"0\r\nSum: a b\r\n\r\n");
    // HTTP/1.0 knows no chunks.
    let old = send(&make(&message(&head.replace("1.1", "1.0"), b"abc"), &[]), &[], &bound(), &[]);
    assert_eq!(
        (old.headers.as_str(), old.body.as_slice()),
        ("Host: target:81\nContent-Length: 3", b"abc".as_slice())
    );
}

#[test]
fn what_is_odd_is_sent_and_what_cannot_be_is_told() {
    let odd = message("GET /a|b?q=<x> y HTTP/1.1\nHost: h\nX: a\u{1}b\n\n", b"");
    let request = send(&make(&odd, &[]), &[], &bound(), &[]);
    assert!(request.target.starts_with("/a|b?q=<x>"), "{}", request.target);
    assert_eq!(request.header("X"), "a b");
    let names = Names::default();
    for head in ["CONNECT a:443 HTTP/1.1\n\n", "HTTP/1.1 200 OK\n\n", ""] {
        assert!(compile(&message(head, b""), &[], &names, &mut |_| {}).is_err(), "{head}");
    }
    let mut told = Vec::new();
    let plain = message("GET / HTTP/1.1\nHost: h\n\n", b"");
    let injections = [inject("form:csrf", None), inject("header:Host", None), inject("header:Host", None)];
    compile(&plain, &injections, &names, &mut |warning| told.push(warning)).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
}

proptest::proptest! {
    #[test]
    fn whatever_the_value_the_request_keeps_its_shape(value in "\\PC{0,30}|[\\x00-\\x7f]{0,30}") {
        let message = message(
            "POST /a/old?u=2 HTTP/1.1\nHost: h\nX: old\nCookie: c=1; d=2\nContent-Type: application/json\n\n",
            br#"{"csrf":"old","n":1}"#,
        );
        let places = ["path:1", "query:u", "header:X", "cookie:d", "json:$.csrf"];
        let template = make(&message, &places.map(|at| inject(at, None)));
        let values = vec![Some(value.clone()); places.len()];
        let request = send(&template, &values, &bound(), &[]);
        proptest::prop_assert_eq!(request.target.split('/').count(), 3);
        proptest::prop_assert_eq!(request.headers.lines().count(), 5);
        proptest::prop_assert_eq!(request.header("Cookie").split(';').count(), 2);
        let sent = Message {
            head: "POST / HTTP/1.1\r\nContent-Type: application/json\r\n\r\n".into(),
            body: request.body.into(),
            trailers: Bytes::new(),
        };
        let view = mynah_message::View::open(&sent, &mynah_message::Limits::default()).unwrap();
        proptest::prop_assert_eq!(view.extract(&"json:$.csrf".parse().unwrap()), Some(value));
        proptest::prop_assert_eq!(view.extract(&"json:$.n".parse().unwrap()), Some("1".to_owned()));
    }
}
