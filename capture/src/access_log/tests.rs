use std::io::Cursor;
use std::path::Path;

use super::*;
use crate::{Kind, Source};

fn log(text: &[u8], host: Option<&str>, fields: &str) -> Source {
    let input = Input::from_reader(Path::new("access.log"), Box::new(Cursor::new(text.to_vec()))).unwrap();
    assert_eq!(input.kind(), Kind::AccessLog);
    let log = AccessLogOptions { host: host.map(str::to_owned), fields: fields.parse().unwrap() };
    Source::with_log(input, &Options::default(), &log).unwrap()
}

fn all(source: &mut Source) -> Vec<Exchange> {
    source.map(Result::unwrap).collect()
}

fn one(text: &str) -> Exchange {
    let mut found = all(&mut log(text.as_bytes(), Some("shop"), ""));
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

fn heads(exchange: &Exchange) -> (String, String) {
    let text =
        |message: &Option<Message>| String::from_utf8_lossy(&message.as_ref().unwrap().head).into_owned();
    (text(&exchange.request), text(&exchange.response))
}

#[test]
fn combined_and_common_lines() {
    let text = concat!(
        "192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a?b=1 HTTP/1.0\" 200 2326\n",
        "2001:db8::1 - - [10/Oct/2000:13:55:37 -0700] \"GET /b HTTP/1.1\" 304 - \"http://r/\" \"A \\\"B\\\" \\x41\\\\\" \"1.2.3.4\" 0.3\n",
        "192.0.2.1 - - [10/Oct/2000:13:55:38 -0700] \"POST /c HTTP/1.1\" 201 5 \"-\" \"-\"\n",
        "192.0.2.1 - - [10/Oct/2000:13:55:38 -0700] \"HEAD /d e\\x22 HTTP/2.0\" 200 5 \"-\" \"x\\ny\"\r\n",
        "\n192.0.2.1 - - [10/Oct/2000:13:55:39 -0700] \"-\" 400 0 \"-\" \"-\"\n",
    );
    let mut source = log(text.as_bytes(), Some("shop.example"), "");
    let found = all(&mut source);
    let [a, b, d] = &found[..] else { panic!("{found:?}") };
    assert_eq!(heads(a).0, "GET /a?b=1 HTTP/1.0\r\nHost: shop.example\r\n\r\n");
    assert_eq!(heads(a).1, "HTTP/1.0 200 \r\nContent-Length: 2326\r\n\r\n");
    assert_eq!(a.flags.iter().collect::<Vec<_>>(), [Flag::BodyWithheld]);
    assert_eq!(a.times.request_first, Nanos(971_211_336 * Nanos::PER_SECOND));
    assert_eq!(a.times.response_last, Some(a.times.request_first));
    assert_eq!(a.connection.client, Some("192.0.2.1:0".parse().unwrap()));
    assert_eq!(
        heads(b).0,
        "GET /b HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: A \"B\" A\\\r\nReferer: http://r/\r\n\r\n"
    );
    assert_eq!((b.status(), b.flags.is_empty()), (Some(304), true));
    assert_eq!(b.connection.client, Some("[2001:db8::1]:0".parse().unwrap()));
    assert_eq!(heads(d).0, "HEAD /d%20e\" HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x y\r\n\r\n");
    assert_eq!(d.flags.iter().collect::<Vec<_>>(), [Flag::NotHttp1]);
    assert_eq!([a, b, d].map(|e| (e.connection.id, e.connection.ordinal)), [(0, 0), (1, 0), (0, 1)]);
    let counts = source.counts();
    assert_eq!((counts.seen, counts.captured, counts.dropped_by_mynah), (5, 3, 2));
    let warnings = source.warnings();
    assert!(
        warnings[0].starts_with("1 line that cannot be read, the first at line 6, column 45"),
        "{warnings:?}"
    );
    assert!(warnings[1].starts_with("1 request other than GET"), "{warnings:?}");
}

#[test]
fn virtual_hosts_and_whole_urls_name_the_host() {
    let line =
        "shop.example:443 192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n";
    let exchange = one(line);
    assert_eq!((exchange.host(), exchange.scheme), ("shop.example".to_owned(), Scheme::Https));
    let line = "client.example - - [10/Oct/2000:13:55:36 +0000] \"GET http://Other:81?x=1 HTTP/1.1\" 200 1\n";
    let exchange = one(line);
    assert_eq!(heads(&exchange).0, "GET /?x=1 HTTP/1.1\r\nHost: Other:81\r\n\r\n");
    assert_eq!(exchange.connection.client, None);
}

#[test]
fn without_a_host_it_says_what_to_do() {
    let text = b"::1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2\n";
    let mut source = log(text, None, "");
    let error = source.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("--log-host") && error.contains("line 1"), "{error}");
    assert!(source.next().is_none());
}

#[test]
fn json_lines_of_servers() {
    let time = |exchange: &Exchange| (exchange.times.request_first.0, exchange.times.end().0);
    let nginx = r#"{"msec":"1700000000.250","request":"GET /a HTTP/1.1","status":"200","remote_addr":"192.0.2.1","http_host":"h","request_time":"0.050","http_user_agent":"u","http_referer":"-","body_bytes_sent":"7"}"#;
    let exchange = one(nginx);
    assert_eq!(
        heads(&exchange),
        (
            "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\n".to_owned(),
            "HTTP/1.1 200 \r\nContent-Length: 7\r\n\r\n".to_owned(),
        )
    );
    assert_eq!(time(&exchange), (1_700_000_000_200_000_000, 1_700_000_000_250_000_000));
    let caddy = r#"{"level":"info","ts":1700000000.5,"request":{"remote_ip":"192.0.2.1","proto":"HTTP/2.0","method":"GET","host":"h","uri":"/b?c","headers":{"User-Agent":["u"]},"tls":{}},"duration":0.5,"size":9,"status":200}"#;
    let exchange = one(caddy);
    assert_eq!(heads(&exchange).0, "GET /b?c HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\n");
    assert_eq!((exchange.scheme, exchange.flags.has(Flag::NotHttp1)), (Scheme::Https, true));
    assert_eq!(time(&exchange), (1_700_000_000_000_000_000, 1_700_000_000_500_000_000));
    let traefik = r#"{"ClientHost":"192.0.2.1","DownstreamStatus":200,"Duration":5000000,"RequestHost":"h","RequestMethod":"GET","RequestPath":"/c","StartUTC":"2023-11-14T22:13:20Z","request_User-Agent":"u","time":"2023-11-14T22:13:21Z"}"#;
    assert_eq!(time(&one(traefik)), (1_700_000_000_000_000_000, 1_700_000_000_005_000_000));
    let envoy = r#"{"start_time":"2023-11-14T22:13:20.000Z","method":"GET","path":"/d","authority":"h","response_code":200,"duration":12,"downstream_remote_address":"192.0.2.1:5555","protocol":"HTTP/1.1"}"#;
    let exchange = one(envoy);
    assert_eq!(time(&exchange), (1_700_000_000_000_000_000, 1_700_000_000_012_000_000));
    assert_eq!(exchange.connection.client, Some("192.0.2.1:5555".parse().unwrap()));
}

#[test]
fn json_lines_with_a_map() {
    let text = br#"{"t":1700000000123,"q":{"m":"GET","u":"/x"},"code":"404","took":5}"#;
    let mut source = log(text, Some("h"), "time=t,method=q.m,target=q.u,status=code,duration=took:ms");
    let found = all(&mut source);
    assert_eq!((found[0].status(), found[0].times.request_first.0), (Some(404), 1_700_000_000_118_000_000));
    let mut unmapped = log(text, Some("h"), "");
    let error = unmapped.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("--log-fields"), "{error}");
    for bad in ["when=x", "time", "time=", "duration=a:weeks"] {
        assert!(bad.parse::<LogFields>().is_err(), "{bad}");
    }
}

#[test]
fn times_as_logs_write_them() {
    for text in [
        "14/Nov/2023:23:13:20 +0100",
        "2023-11-14T22:13:20Z",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14T23:13:20+0100",
        "1700000000",
        "1700000000.0",
        "1700000000000",
        "1700000000000000",
        "1700000000000000000",
        "1.7e9",
    ] {
        assert_eq!(time(text), Some(Nanos(1_700_000_000 * Nanos::PER_SECOND)), "{text}");
    }
    assert_eq!(time("1700000000.123456789"), Some(Nanos(1_700_000_000_123_456_789)));
    for text in ["", "-", "yesterday", "-1", "nan", "99/Nov/2023:00:00:00 +0000"] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn a_long_line_is_passed_over() {
    let good = "::1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2\n";
    let long = "x".repeat(3 << 20);
    let mut source = log(format!("{good}{long}\n{good}").as_bytes(), Some("h"), "");
    assert_eq!(all(&mut source).len(), 2);
    assert!(source.warnings()[0].contains("longer than 1 MiB"), "{:?}", source.warnings());
}

proptest::proptest! {
    #[test]
    fn any_line_is_read_without_panic(bytes: Vec<u8>, text in "[-a-zA-Z0-9 :/\\[\\]\"\\\\x{}.,é]{0,80}") {
        let _ = (line::parse(&bytes), line::parse(text.as_bytes()), time(&text));
        let _ = (json::parse(&bytes, &LogFields::default()), text.parse::<LogFields>());
    }

    #[test]
    fn any_damage_to_a_line_is_no_panic(at in 0usize..90, byte: u8) {
        let mut text = b"::1 - - [10/Oct/2000:13:55:36 -0700] \"GET /\\x22 HTTP/1.0\" 200 2 \"http://a/\" \"agent\"\n".to_vec();
        let at = at.min(text.len() - 1);
        text[at] = byte;
        let _ = line::parse(&text);
        let mut json = br#"{"ts":1700000000.5,"request":{"method":"GET","host":"h","uri":"http://b/b?c"},"duration":0.5,"status":200}"#.to_vec();
        let at = at.min(json.len() - 1);
        json[at] = byte;
        let _ = json::parse(&json, &LogFields::default());
    }
}
