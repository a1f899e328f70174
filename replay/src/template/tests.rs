use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Version};
use http_body::Body as _;
use mynah_message::{Coding, Message, encode_content};
use mynah_traffic::scenario::{Injection, Source};

use super::*;
use crate::body::Body;

fn bound() -> Bound {
    Bound {
        host: Some(HeaderValue::from_static("target:81")),
        authority: HeaderValue::from_static("target:81"),
        base_path: String::new(),
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
    let names = Names { correlations: &names, columns: &[] };
    compile(message, injections, &names, &mut |warning| panic!("{warning}")).unwrap()
}

fn headers(request: &Request<Body>) -> String {
    let lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.join("\n")
}

fn body(request: Request<Body>) -> Vec<u8> {
    let mut body = std::pin::pin!(request.into_body());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut all = Vec::new();
    while let std::task::Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
        if let Ok(data) = frame.into_data() {
            all.extend_from_slice(&data);
        }
    }
    all
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
    let request = render(&template, &values, &bound(), &[]).unwrap();
    assert_eq!(request.uri().to_string(), "/a/a%2Fb/b?t=1&u=q%26r");
    assert!(template.title_case);
    let shown = headers(&request);
    assert_eq!(
        shown,
        "host: target:81\nx-token: old\ncontent-length: 25\nauthorization: Bearer tok\n\
         content-type: application/x-www-form-urlencoded"
    );
    assert_eq!(body(request), b"keep=1&csrf=%C3%BC+%2B&z=");
    let recorded = render(&template, &[None, None, None, None], &bound(), &[]).unwrap();
    assert_eq!(recorded.uri().to_string(), "/a/old/b?t=1&u=2");
    assert_eq!(body(recorded), b"keep=1&csrf=old&z=");
}

#[test]
fn cookies_of_the_jar_come_first_in_their_recorded_places() {
    let message = message("GET / HTTP/1.1\nhost: h\ncookie: a=1; sid=old; c\ncookie: d=4\n\n", b"");
    let template = make(&message, &[]);
    assert!(!template.title_case);
    let jar = [("sid", "new"), ("extra", "e")];
    let request = render(&template, &[], &bound(), &jar).unwrap();
    assert_eq!(headers(&request), "host: target:81\ncookie: a=1; sid=new; c; d=4; extra=e");
    let plain = make(&self::message("GET / HTTP/1.1\nHost: h\n\n", b""), &[]);
    let request = render(&plain, &[], &bound(), &jar).unwrap();
    assert_eq!(headers(&request), "host: target:81\ncookie: sid=new; extra=e");
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
        set_headers: Arc::new([(HeaderName::from_static("x-env"), HeaderValue::from_static("staging"))]),
        ..bound()
    };
    let request = render(&template, &[], &bound, &[]).unwrap();
    assert_eq!(request.uri().to_string(), "/base/x");
    assert_eq!(request.version(), Version::HTTP_10);
    assert_eq!(
        headers(&request),
        "host: shop.example\norigin: http://target:81\nreferer: http://target:81/base/p?q\n\
         referer: https://shop.example.evil/\nx-env: staging"
    );
}

#[test]
fn compressed_bodies_are_opened_and_closed_again() {
    let packed = encode_content(&[Coding::Gzip], br#"{"csrf":"old","n":1}"#).unwrap();
    let head = "POST / HTTP/1.1\nHost: h\nContent-Type: application/json\nContent-Encoding: gzip\nContent-Length: 1\n\n";
    let template = make(&message(head, &packed), &[inject("json:$.csrf", None)]);
    let request = render(&template, &[Some("n\"ew".to_owned())], &bound(), &[]).unwrap();
    let length = request.headers()["content-length"].to_str().unwrap().to_owned();
    let sent = body(request);
    assert_eq!(length, sent.len().to_string());
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(sent.as_slice()), &mut plain).unwrap();
    assert_eq!(plain, r#"{"csrf":"n\"ew","n":1}"#);
    let recorded = render(&template, &[None], &bound(), &[]).unwrap();
    assert_eq!(body(recorded), packed, "without a value the recorded bytes go out");
}

#[test]
fn chunked_stays_chunked() {
    let head = "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nContent-Length: 3\n\n";
    let request = render(&make(&message(head, b"abc"), &[]), &[], &bound(), &[]).unwrap();
    assert_eq!(headers(&request), "host: target:81\ntransfer-encoding: chunked");
    assert_eq!(request.body().size_hint().exact(), None);
    assert_eq!(body(request), b"abc");
}

#[test]
fn what_is_odd_is_sent_and_what_cannot_be_is_told() {
    let odd = message("GET /a|b?q=<x> y HTTP/1.1\nHost: h\nX: a\u{1}b\n\n", b"");
    let request = render(&make(&odd, &[]), &[], &bound(), &[]).unwrap();
    assert!(request.uri().to_string().starts_with("/a"), "{}", request.uri());
    assert_eq!(request.headers()["x"], "a b");
    let names = Names { correlations: &[], columns: &[] };
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
        let request = render(&template, &values, &bound(), &[]).unwrap();
        proptest::prop_assert_eq!(request.uri().path().split('/').count(), 3);
        proptest::prop_assert_eq!(request.headers().len(), 4);
        proptest::prop_assert_eq!(request.headers()["cookie"].as_bytes().split(|&b| b == b';').count(), 2);
        let sent = Message {
            head: "POST / HTTP/1.1\r\nContent-Type: application/json\r\n\r\n".into(),
            body: body(request).into(),
            trailers: Bytes::new(),
        };
        let view = mynah_message::View::open(&sent, &mynah_message::Limits::default()).unwrap();
        proptest::prop_assert_eq!(view.extract(&"json:$.csrf".parse().unwrap()), Some(value));
        proptest::prop_assert_eq!(view.extract(&"json:$.n".parse().unwrap()), Some("1".to_owned()));
    }
}
