use std::io::Cursor;
use std::path::Path;

use mynah_traffic::{Exchange, Flag, Nanos, Scheme};
use serde_json::{Value, json};

use crate::input::Input;
use crate::{Error, Options, Place, Source};

fn open(text: &[u8], options: &Options) -> Source {
    let input = Input::from_reader(Path::new("test.har"), Box::new(Cursor::new(text.to_vec()))).unwrap();
    Source::new(input, options).unwrap()
}

fn read(text: &str) -> (Vec<Exchange>, Source) {
    let mut source = open(text.as_bytes(), &Options::default());
    let exchanges = source.by_ref().map(Result::unwrap).collect();
    (exchanges, source)
}

fn archive(entries: &[Value]) -> String {
    json!({"log": {"version": "1.2", "pages": [{"id": "p"}], "entries": entries, "comment": "x"}}).to_string()
}

fn entry() -> Value {
    json!({
        "startedDateTime": "2026-01-02T03:04:05.678Z",
        "time": 100,
        "request": {
            "method": "POST", "url": "https://shop.example:8443/a%20b?q=1#top", "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Accept", "value": "*/*"}, {"name": "content-length", "value": "999"}],
            "postData": {"mimeType": "application/json", "text": "{\"a\":1}"}
        },
        "response": {
            "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1",
            "headers": [
                {"name": "Content-Encoding", "value": "gzip"}, {"name": "Transfer-Encoding", "value": "chunked"},
                {"name": "Set-Cookie", "value": "a=1\nb=2"}, {"name": "Content-Type", "value": "text/plain"}
            ],
            "content": {"size": 5, "text": "aGVsbG8=", "encoding": "base64"}
        },
        "timings": {"blocked": 5, "dns": -1, "connect": -1, "send": 15, "wait": 50, "receive": 30},
        "serverIPAddress": "[2001:db8::1]", "connection": "17"
    })
}

fn one(change: impl Fn(&mut Value)) -> Exchange {
    let mut entry = entry();
    change(&mut entry);
    let (mut exchanges, _) = read(&archive(&[entry]));
    exchanges.remove(0)
}

#[test]
fn an_entry_becomes_an_exchange() {
    let exchange = one(|_| ());
    let request = exchange.request.as_ref().unwrap();
    assert_eq!(
        request.head,
        "POST /a%20b?q=1 HTTP/1.1\r\nHost: shop.example:8443\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: 7\r\n\r\n"
    );
    assert_eq!(request.body, "{\"a\":1}");
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(
        response.head,
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
    );
    assert_eq!(response.body, "hello");
    assert_eq!(exchange.scheme, Scheme::Https);
    assert_eq!(exchange.connection.server.unwrap().to_string(), "[2001:db8::1]:8443");
    assert_eq!(exchange.connection.client_hint, Some(0));
    assert!(exchange.flags.is_empty());
    let start = exchange.times.request_first;
    assert_eq!(start, mynah_traffic::units::parse_time("2026-01-02T03:04:05.678Z").unwrap());
    let after = |ms: u64| start.plus(Nanos(ms * 1_000_000));
    assert_eq!(exchange.times.request_last, after(20));
    assert_eq!(exchange.times.response_first, Some(after(70)));
    assert_eq!(exchange.times.response_last, Some(after(100)));
}

#[test]
fn liberties_of_writers() {
    // HTTP/2: pseudo-headers, and no Host
    let exchange = one(|entry| {
        entry["request"]["httpVersion"] = json!("http/2.0");
        entry["request"]["headers"] =
            json!([{"name": ":authority", "value": "h2.example"}, {"name": ":path", "value": "/"}]);
    });
    assert!(exchange.flags.has(Flag::NotHttp1));
    assert_eq!(exchange.host(), "h2.example");
    assert!(!exchange.request_head().unwrap().fields().any(|field| field.name.starts_with(':')));
    // status 0: blocked or aborted
    let exchange = one(|entry| entry["response"]["status"] = json!(0));
    assert!(exchange.response.is_none() && exchange.flags.has(Flag::NoResponse));
    // nulls and what is not there
    let exchange = one(|entry| {
        entry["response"] = Value::Null;
        entry["request"]["headers"] = Value::Null;
        entry["request"]["postData"] = Value::Null;
        for key in ["time", "timings", "connection", "serverIPAddress"] {
            entry[key] = Value::Null;
        }
    });
    assert_eq!(exchange.request.as_ref().unwrap().body, "");
    // numbers in strings
    let exchange = one(|entry| {
        entry["response"]["status"] = json!("404");
        entry["time"] = json!("100.0");
    });
    assert_eq!(exchange.status(), Some(404));
    assert!(exchange.times.response_last > exchange.times.response_first);
    // a body that was left out: its length stays
    let exchange = one(|entry| entry["response"]["content"] = json!({"size": 12345}));
    assert!(exchange.flags.has(Flag::BodyWithheld));
    assert_eq!(exchange.response_head().unwrap().content_length(), Some(12345));
    // what has no body on the wire gets none from a cache
    let exchange = one(|entry| entry["response"]["status"] = json!(304));
    assert_eq!(exchange.response.as_ref().unwrap().body, "");
    let exchange = one(|entry| entry["request"]["method"] = json!("HEAD"));
    assert_eq!(exchange.response.as_ref().unwrap().body, "");
    // cookies only in their own list; a header that would break the head
    let exchange = one(|entry| {
        entry["request"]["cookies"] = json!([{"name": "s", "value": "1"}, {"name": "t", "value": "2"}]);
        entry["request"]["headers"] =
            json!([{"name": "bad name", "value": "x"}, {"name": "X", "value": "a\r\n\r\nb"}]);
    });
    let head = exchange.request_head().unwrap();
    assert_eq!(head.get("cookie"), Some("s=1; t=2"));
    assert!(head.get("bad name").is_none());
    assert_eq!(head.get_all("x").collect::<Vec<_>>(), ["a", "", "b"]);
}

#[test]
fn connections_and_clients() {
    let mut other = entry();
    other["connection"] = json!("18");
    let text = archive(&[entry(), other, entry()]);
    let options = Options { first_connection: 40, ..Options::default() };
    let mut source = open(text.as_bytes(), &options);
    let got: Vec<_> = source
        .by_ref()
        .map(|exchange| exchange.unwrap().connection)
        .map(|connection| (connection.id, connection.ordinal, connection.client_hint))
        .collect();
    assert_eq!(got, [(40, 0, Some(40)), (41, 0, Some(40)), (40, 1, Some(40))]);
    assert_eq!(source.next_connection(), 42);
    assert_eq!(open(archive(&[]).as_bytes(), &options).next_connection(), 41);
}

#[test]
fn what_is_no_http_is_counted() {
    let with = |url: &str| {
        let mut entry = entry();
        entry["request"]["url"] = json!(url);
        entry
    };
    let entries = [
        with("data:text/plain,hi"),
        with("blob:https://h/1"),
        with("chrome-extension://x/y"),
        with("/relative"),
        with("http://"),
        json!(7),
        with("wss://h/socket"),
    ];
    let (exchanges, source) = read(&archive(&entries));
    assert_eq!(exchanges.len(), 1);
    let counts = source.counts();
    assert_eq!((counts.seen, counts.captured, counts.dropped_by_mynah), (7, 1, 6));
    let warnings = source.warnings();
    assert!(warnings[0].starts_with("3 entries skipped because its URL"), "{warnings:?}");
    assert!(warnings[1].starts_with("3 entries skipped"), "{warnings:?}");
}

#[test]
fn a_damaged_tail_costs_only_itself() {
    let whole = archive(&[entry(), entry(), entry()]);
    let third = whole.rfind("\"connection\"").unwrap();
    for cut in [third, third + 5, whole.len() - 30] {
        let (exchanges, source) = read(&whole[..cut]);
        assert!(exchanges.len() >= 2, "{cut}");
        assert!(source.warnings()[0].starts_with("cut short at line 1, column "), "{:?}", source.warnings());
    }
    let broken = whole.replacen("\"time\"", "time", 3).replacen("time:", "\"time\":", 2);
    let (exchanges, source) = read(&broken);
    assert_eq!(exchanges.len(), 2, "{:?}", source.warnings());
}

#[test]
fn a_byte_that_is_no_text_costs_nothing_else() {
    let mut text = archive(&[entry(), entry()]).into_bytes();
    let at = text.windows(6).position(|window| window == b"\"*/*\"}").unwrap();
    text[at + 1] = 0xe9;
    let mut source = open(&text, &Options::default());
    assert_eq!(source.by_ref().flatten().count(), 2);
    assert!(source.warnings().is_empty());
}

#[test]
fn what_is_no_archive_is_an_error_with_its_place() {
    let error = |text: &str| {
        let mut source = open(text.as_bytes(), &Options::default());
        let error = source.next().unwrap().unwrap_err();
        assert!(source.next().is_none());
        error
    };
    let found = error("{\n \"log\": {\n  xxx\n }}");
    assert!(matches!(found, Error::Malformed { place: Place::Line { line: 3, column: 3 }, .. }), "{found}");
    for text in ["{\"log\": {}}", "{\"log\": 7}", "{\"a\": \"log\", \"log\": {\"entries\": {}}}", "{ \"log\""]
    {
        assert!(matches!(error(text), Error::Malformed { .. }), "{text}");
    }
    let (exchanges, source) = read("\u{feff}{\"log\": {\"entries\": null}}");
    assert_eq!((exchanges.len(), source.warnings()), (0, vec!["no entries in it".to_owned()]));
}

#[test]
fn a_source_may_be_dropped_early() {
    let entries: Vec<Value> = (0..500).map(|_| entry()).collect();
    let mut source = open(archive(&entries).as_bytes(), &Options::default());
    assert!(source.next().is_some());
    drop(source);
}

proptest::proptest! {
    #[test]
    fn changed_archives_never_panic(at in 0_usize..4000, value: u8) {
        let mut text = archive(&[entry(), entry()]).into_bytes();
        let at = at % text.len();
        text[at] = value;
        let input = Input::from_reader(Path::new("x"), Box::new(Cursor::new(text)));
        if let Ok(mut source) = input.and_then(|input| Source::new(input, &Options::default())) {
            let _ = source.by_ref().count();
            let _ = source.warnings();
        }
    }
}

/// Found by fuzzing: the reader's thread outlived its source.
#[test]
fn the_reader_is_gone_when_the_archive_has_ended() {
    let input =
        Input::from_reader(Path::new("test.har"), Box::new(Cursor::new(archive(&[entry()])))).unwrap();
    let mut har = super::Har::open(input, &Options::default()).unwrap();
    assert!(har.reader.is_some());
    while har.next().is_some() {}
    assert!(har.reader.is_none());
}
