use mynah_message::Message;
use proptest::prelude::*;

use super::*;
use crate::exchange::{Flags, Times};

fn exchange() -> Exchange {
    Exchange {
        request: Some(Message {
            head: "POST /api/items?page=2 HTTP/1.1\r\nHost: Shop.Example\r\nUser-Agent: Friendly bot (1.0)\r\n\r\n".into(),
            body: "12345".into(),
            ..Message::default()
        }),
        response: Some(Message { head: "HTTP/1.1 503 Busy\r\nX-Cache: miss\r\n\r\n".into(), ..Message::default() }),
        times: Times { request_first: Nanos(0), response_last: Some(Nanos(600_000_000)), ..Times::default() },
        flags: Flags::from_iter([Flag::Gap]),
        ..Exchange::default()
    }
}

fn holds(text: &str) -> bool {
    text.parse::<Filter>().unwrap_or_else(|error| panic!("{error}")).matches(&exchange())
}

#[test]
fn what_holds() {
    for text in [
        "method == post",
        "host == shop.example",
        "path == /api/items",
        "path=~^/api/",
        "query == page=2",
        "target contains items?page",
        "status >= 500 and status < 600",
        "header.user-agent contains bot",
        "header.User-Agent == 'Friendly bot (1.0)'",
        "header.user-agent =~ (?i)BOT",
        "response.header.x-cache != hit",
        "header.missing == ''",
        "request.size == 5",
        "response.size < 1kB",
        "duration > 500ms",
        "flag == gap",
        "flag != truncated",
        "not method == GET",
        "method == GET or (status == 503 and not path =~ ^/static)",
        "(path =~ ^/(api|v2)/)",
        "client == ''",
    ] {
        assert!(holds(text), "{text}");
        assert!(!holds(&format!("not ({text})")), "not ({text})");
    }
    for text in [
        "method == GET",
        "status == 200",
        "duration <= 500ms",
        "path !~ items",
        "method == GET and status == 503 or flag == reset",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn without_a_response_nothing_is_said_of_its_status() {
    let lone = Exchange { response: None, ..exchange() };
    for text in ["status == 200", "status != 200", "status < 1000"] {
        assert!(!text.parse::<Filter>().unwrap().matches(&lone), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, wanted) in [
        ("", "expected a field"),
        ("path", "expected an operator"),
        ("path ==", "expected a value"),
        ("paht == /x", "at character 1: unknown field 'paht'; did you mean 'path'?"),
        ("path < /x", "at character 6: text is compared with"),
        ("status =~ 5..", "a number is compared with"),
        ("status == many", "at character 11: expected a number such as 404"),
        ("duration > 5", "a duration such as"),
        ("path =~ (", "not a regular expression"),
        ("(path == /x", "expected ')'"),
        ("path == /x path", "expected 'and', 'or' or the end, found 'path'"),
        ("path == 'x", "never closed"),
        ("flag == holes", "unknown flag 'holes'; there are truncated, gap"),
    ] {
        let error = text.parse::<Filter>().unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    let deep = format!("{}path == /x{}", "(".repeat(5000), ")".repeat(5000));
    assert!(deep.parse::<Filter>().unwrap_err().to_string().contains("too many brackets"));
}

proptest! {
    #[test]
    fn nothing_panics(text in "[a-z.]{0,8}[ =!<>~()'\"a-z0-9é]{0,40}") {
        let _ = text.parse::<Filter>().map(|filter| filter.matches(&exchange()));
    }
}
