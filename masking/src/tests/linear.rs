//! What says the same over and over takes no longer than its length says.

use std::time::{Duration, Instant};

use super::*;

/// What might be looked at again from each place on.
const PIECES: &[&str] = &[
    "password=",
    "password=1",
    "a={}};",
    "Server=\"\"\";",
    "host=a user=",
    "a:b@tcp(",
    "密码：a1",
    "name=",
    "token:",
    "token: ",
    "token:a1",
    "password:1:",
    "(\"password\",\"a",
    "('a','1'",
    "password('",
    "|password|1",
    "\n|password|1",
    "--token ",
    "--token a1",
    "-u a:1 ",
    "curl -u a:1 ",
    "by 'a1",
    "password '1",
    "<b>password:</b>",
    "<td>password</td>",
    "</td><td>",
    "**password:** 1",
    "\"a\":{",
    "{\"a\":",
    "{\"password\":\"x1\"},",
    "<input name=password ",
    "<input name=password value=x1>",
    "<a href=",
    "<script>",
    "<!--",
    "<",
    "Bearer ",
    "Basic ",
    "?a=",
    "?token=a1&",
    "#a=",
    ";token=a1",
    "\\x22",
    "\\\"",
    "\\u0022",
    "\\",
    "%25",
    "%",
    "%7B%22",
    "+",
    "a+",
    "&quot;",
    "&amp;",
    "&",
    "----BEGIN",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "eyJhbGciOiJIUzI1NiJ9.",
    "ey.",
    "eyJhIjoi",
    "H4sI",
    "/H4sI",
    "a@b",
    "a.b@c.",
    "http://",
    "http://a:b@",
    "://",
    "1.",
    "1",
    "1-",
    "4111 ",
    "+1 ",
    "a:",
    "aa:",
    "GB",
    "AKIA",
    "sk_live_",
    "(",
    "[",
    "{",
    "query{a(b:1)",
    ",",
    "a,b\n",
    "a;",
    "'",
    "\"",
    "data:;base64,",
    "data:a;base64,eyJ",
    "a=1,",
    "7b22",
    "Ab1/",
    "Ab1",
    "{\"a\":\"",
    "password=a,",
    "password=a/",
    ";password=a/b",
    "x=password=",
    "\n",
    "a\n",
    "<p>",
    "<p a='",
    "<p a=\"x\">",
    "<a href='?password=1",
    "</",
    "]]>",
    "&#x41;",
    "&#65",
    "\\u{22}",
    "\\n",
    "http://a?b=c#",
    "a://b@",
    "//",
    "/a",
    "..",
    "::",
    "a:b:",
    "-1-",
    "4111111111111111",
    "DE89370400440532013000",
    "+49 30 ",
    "12-34-",
    "eyJhIjoxfQ==",
    "eyJhIjoxfQ=",
    "eyJ+",
    "+eyJhIjoi",
    "JXsi",
    "\" ",
    "\"\"",
    "Bearer \"",
    "Digest a=\"",
    "{\"name\":\"password\",\"value\":",
    "a=\"b\",",
    "function(",
    "`${",
    "/*",
    "query a(b:",
    "token: \"",
    "secret\":\"",
    "%22%3A",
    "%2525",
    "sid=s%3A",
    "password: ",
    "password: 1a ",
    "password = ",
    "password=\"",
    "password=\"1a\" ",
    "password: \"",
    "password: '1a\" ",
    "\"password\":\"",
    "\"password\": '",
    "'password': \"x1y2z3\",",
    "password\":\"\\",
    "password :   ",
    "password=>\"a",
    "password: 'token: \"",
    "Authorization: Bearer ",
    "Authorization: Bearer a1b2c3",
    "API key: ",
    "password: {\"password\": \"",
];

/// Each takes less than a second, and more than a minute where time goes with the square of the length.
const LONGEST: Duration = Duration::from_secs(15);

/// That many bytes of it, and where they stand.
fn placed(piece: &str, len: usize, place: usize) -> Option<Exchange> {
    let text = piece.repeat(len / piece.len());
    let asks = |head: &str| exchange(message(head, ""), message("HTTP/1.1 204 No Content\n", ""));
    let answers = |media: &str, body: &str| {
        let head = format!("HTTP/1.1 200 OK\nContent-Type: {media}\n");
        exchange(message("GET / HTTP/1.1\n", ""), message(&head, body))
    };
    let line = !text.contains('\n');
    Some(match place {
        0 => answers("text/plain", &text),
        1 => answers("application/json", &serde_json::json!({ "x": text }).to_string()),
        2 => answers("application/x-www-form-urlencoded", &format!("x={text}")),
        3 => answers("text/html", &format!("<p>{text}</p><script>const a = 1;{text}</script>")),
        4 if line => asks(&format!("GET / HTTP/1.1\nX-Note: {text}\n")),
        5 if line => asks(&format!("GET / HTTP/1.1\nCookie: {text}\nAuthorization: {text}\n")),
        6 if line && !text.contains(' ') => asks(&format!("GET /{text} HTTP/1.1\nHost: a.example\n")),
        _ => return None,
    })
}

#[test]
fn nothing_is_looked_at_again_from_each_place_on() {
    for place in 0..7 {
        for piece in PIECES {
            let Some(e) = placed(piece, 80_000, place) else { continue };
            let begun = Instant::now();
            proven(&[e]);
            assert!(begun.elapsed() < LONGEST, "{piece} at {place} takes {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_head_may_have_a_secret_in_every_line() {
    let letters: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    // By Knuth's linear congruential generator: no two of them have much in common.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        letters[(state >> 33) as usize % letters.len()]
    };
    let secrets: Vec<String> = (0..60_000).map(|_| (0..16).map(|_| next()).collect()).collect();
    let lines = format!("X-Token: {}\n", secrets.join("\nX-Token: "));
    let begun = Instant::now();
    let masked = proven(&[exchange(
        message(&format!("GET / HTTP/1.1\n{lines}"), ""),
        message("HTTP/1.1 204 No Content\n", ""),
    )]);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    let text = everything(&masked);
    assert!(secrets.iter().step_by(1000).all(|secret| !text.contains(secret)));
}

#[test]
fn what_is_looked_at_too_often_is_withheld() {
    let body = format!("{}{}", "password=".repeat(4000), PASSWORD);
    let e = exchange(message("GET / HTTP/1.1\n", ""), message("HTTP/1.1 200 OK\n", body));
    let (masked, masker) = run(std::slice::from_ref(&e));
    assert!(!everything(&masked).contains(PASSWORD));
    assert_eq!(masker.report().quarantined["nested-too-deep"], 1);
    let few = body_of("text/plain", &format!("{}{PASSWORD}; a=1", "password=".repeat(40)));
    assert!(!few.contains(PASSWORD) && few.ends_with("; a=1"), "{few}");
}

#[test]
fn quotes_around_quotes_are_not_without_end() {
    for quotes in [1, 8, 9, 40_000] {
        let quotes = "\"".repeat(quotes);
        let head = format!("GET / HTTP/1.1\nCookie: session={quotes}{SID}{quotes}\n");
        let masked = proven(&[exchange(message(&head, ""), message("HTTP/1.1 204 No Content\n", ""))]);
        assert!(!everything(&masked).contains(SID));
    }
}
