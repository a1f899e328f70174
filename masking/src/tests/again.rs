//! What is remembered must make no difference: not from the first pass to the second, nor from one message to the next.

use std::collections::BTreeMap;

use super::*;

/// Values that are learnt under some names, or by their form, and others that are not.
const VALUES: &[&str] = &[
    "9f86d081884c7d659a2feaa0c55ad015",
    "ann.lee@mail.example",
    "Leslie Rossi",
    "pa\"ss\\w0rd&<Zq81/aWT",
    "k3J9xQ2mLp0Z\nq81aWTx7",
    "k3J9xQ2m Lp0Z+81aWT=x7",
    "4111111111111111",
    "+44 20 7946 0123",
    "442079460123",
    "wireless mouse",
    "x",
    // What is passed over quickly, and what looks like it.
    "2026-11-21T02:13:00Z",
    "9f86d081-884c-4d65-9a2f-eaa0c55ad015",
    "/api/v2/items/4711/reviews?limit=20",
    "https://cdn.shop.example/img/9f86d081884c.jpg?w=640",
];
const NAMES: &[&str] =
    &["password", "session", "email", "name", "user", "title", "note", "token", "phone", "id", "data"];

fn written(value: &str, way: u8) -> String {
    let bytes = value.as_bytes();
    match way % 12 {
        0 => STANDARD.encode(value),
        1 => URL_SAFE_NO_PAD.encode(format!("u:{value}")),
        2 => format!("https://shop.example/a?token={}&x=1", percent(bytes)),
        3 => format!(r#"{{"password":{}}}"#, serde_json::to_string(value).unwrap()),
        4 => format!("see {value}, again"),
        5 => percent(bytes),
        6 => bytes.iter().fold(String::new(), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        }),
        7 => format!("mutation {{ login(password: {}) {{ id }} }}", serde_json::to_string(value).unwrap()),
        8 => {
            let packed = mynah_message::encode_content(&[mynah_message::Coding::Gzip], value.as_bytes());
            STANDARD.encode(packed.unwrap())
        }
        _ => value.to_owned(),
    }
}

pub(super) fn percent(bytes: &[u8]) -> String {
    String::from_utf8(mynah_message::percent::encode(bytes, |b| b.is_ascii_alphanumeric(), false)).unwrap()
}

/// A value's name, which value, and how it is written: once in itself, and once in its place.
type Item = (usize, usize, u8, u8);

fn item(&(name, value, way, _): &Item) -> (&'static str, String) {
    (NAMES[name % NAMES.len()], written(VALUES[value % VALUES.len()], way))
}

/// A JSON string, some of whose letters are escapes.
fn json_string(text: &str, how: u8) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    match how % 4 {
        0 => quoted.replace('/', "\\/"),
        1 => quoted.replace('1', "\\u0031").replace('L', "\\u004c"),
        _ => quoted,
    }
}

fn json_body(items: &[Item]) -> String {
    let mut pieces = Vec::new();
    for (number, each) in items.iter().enumerate() {
        let (name, text) = item(each);
        let value = match text.parse::<u64>() {
            Ok(n) if each.3 % 2 == 0 => n.to_string(),
            _ => json_string(&text, each.3),
        };
        pieces.push(match number % 3 {
            0 => format!(r#""{name}":{value}"#),
            1 => format!(r#""in{number}":{{"{name}":{value},"name":"Leslie Rossi"}}"#),
            _ => format!(r#""{name} {number}": [ {value}, null, 1.5 ]"#),
        });
    }
    format!("{{{}}}", pieces.join(","))
}

fn html_text(text: &str, how: u8) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    if how.is_multiple_of(3) { escaped.replace('1', "&#49;").replace('@', "&commat;") } else { escaped }
}

fn html_body(items: &[Item]) -> String {
    let mut page = "<!doctype html><title>Shop</title>".to_owned();
    for (number, each) in items.iter().enumerate() {
        let (name, text) = item(each);
        let value = html_text(&text, each.3);
        let _ = match number % 5 {
            0 => write!(page, "<input name=\"{name}\" value=\"{value}\">"),
            1 => write!(
                page,
                "<a href=\"/a/{}?{name}={}&amp;b=2\">{value}</a>",
                percent(text.as_bytes()),
                percent(text.as_bytes())
            ),
            2 => write!(page, "<script>var o = {{{name}: {}}};</script>", json_string(&text, each.3)),
            3 => write!(page, "<select name={name}><option value=\"{value}\">1<option>2</select>"),
            _ => {
                write!(page, "<p data-{name}='{}'>{value}</p><!-- {value} -->", value.replace('\'', "&#39;"))
            }
        };
    }
    page
}

fn body(kind: usize, items: &[Item]) -> (&'static str, String) {
    match kind % 5 {
        0 | 1 => ("application/json", json_body(items)),
        2 => ("text/html", html_body(items)),
        3 => {
            let pairs: Vec<_> =
                items.iter().map(|i| format!("{}={}", item(i).0, percent(item(i).1.as_bytes()))).collect();
            ("application/x-www-form-urlencoded", pairs.join("&"))
        }
        _ => {
            let elements: Vec<_> = items
                .iter()
                .map(|i| format!("<{0}>{1}</{0}>", item(i).0, html_text(&item(i).1, 1)))
                .collect();
            ("application/xml", format!("<a>{}</a>", elements.concat()))
        }
    }
}

fn field(each: &Item) -> String {
    let (name, text) = item(each);
    let text = text.replace(['\n', '\r'], if each.3.is_multiple_of(2) { "\r\n " } else { " " });
    match each.3 % 7 {
        5 => format!("Stripe-Signature: t=1492774577,v1={}", percent(text.as_bytes())),
        6 => format!("Cookie: {name}={}", STANDARD.encode(text)),
        0 => format!("Cookie: theme=dark; {name}={}; a=b", percent(text.as_bytes())),
        1 => format!("Authorization: Bearer {}", text.replace(' ', "")),
        2 => format!("Referer: https://shop.example/{}?{name}={}", each.2, percent(text.as_bytes())),
        3 => format!("Set-Cookie: {name}={}; Path=/; Secure", percent(text.as_bytes())),
        _ => format!("X-{name}:   {text}  "),
    }
}

fn made(kind: usize, items: &[Item]) -> Exchange {
    let (media, body) = body(kind, items);
    let fields: Vec<_> = items.iter().map(field).collect();
    // Some are compressed, and known again without being opened.
    let packed = items.iter().any(|item| item.3 % 8 == 0);
    let coding = if packed { "Content-Encoding: gzip\n" } else { "" };
    let body = if packed {
        mynah_message::encode_content(&[mynah_message::Coding::Gzip], body.as_bytes()).unwrap()
    } else {
        body.into_bytes()
    };
    let head = format!(
        "POST /a?b={kind} HTTP/1.1\nHost: shop.example\n{}\n{coding}Content-Type: {media}\n",
        fields.join("\n")
    );
    let answer = format!("HTTP/1.1 200 OK\n{}\n{coding}Content-Type: {media}\n", fields.join("\n"));
    exchange(message(&head, &body), message(&answer, &body))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 192 } else { 2000 }))]

    #[test]
    fn what_is_remembered_makes_no_difference(
        pages in prop::collection::vec((0_usize..5, prop::collection::vec((0_usize..16, 0_usize..16, 0_u8..=255, 0_u8..=255), 1..5)), 1..5),
        order in prop::collection::vec(0_usize..8, 1..12),
    ) {
        let pages: Vec<_> = pages.iter().map(|(kind, items)| made(*kind, items)).collect();
        let exchanges: Vec<_> = order.iter().map(|n| pages[n % pages.len()].clone()).collect();
        let (masked, masker) = run(&exchanges);
        let known = masker.state().known.clone();
        // Each by itself, with nothing known of it but what was learnt.
        for (exchange, wanted) in exchanges.iter().zip(&masked) {
            let mut fresh = Masker::new(Policy::built_in(), &Key::from([3; 32]), known.clone());
            prop_assert_eq!(&fresh.mask(exchange.clone()).unwrap().into_inner(), wanted);
        }
        // Nor does it matter for what is learnt that pages come again.
        let mut alone = BTreeMap::new();
        for (value, kind) in exchanges.iter().flat_map(|e| run(std::slice::from_ref(e)).1.state().known.listed()) {
            let least = alone.entry(value).or_insert(kind);
            *least = kind.min(*least);
        }
        prop_assert_eq!(known.listed().into_iter().collect::<BTreeMap<_, _>>(), alone);
    }
}

#[test]
fn what_changed_between_the_passes_is_looked_at_anew() {
    let page = |password: &str| {
        let json = format!(r#"{{"user":{{"password":"{password}","note":"nothing of interest in here"}}}}"#);
        exchange(
            message("GET /a HTTP/1.1\n", ""),
            message("HTTP/1.1 200 OK\nContent-Type: application/json\n", json),
        )
    };
    let mut learner = Learner::new(Policy::built_in(), Key::from([3; 32]));
    learner.learn(&page("k3J9xQ2mLp0Z"));
    let mut masker = learner.finish();
    for password in ["k3J9xQ2mLp0Z", "m3J9xQ2mLp0Y", "Zq81aWTk3J9x"] {
        let text = everything(&[masker.mask(page(password)).unwrap().into_inner()]);
        assert!(!text.contains(password) && text.contains("nothing of interest"), "{text}");
    }
}

#[test]
fn a_message_that_comes_again_whole_is_masked_and_counted_as_before() {
    let gzip = "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Encoding: gzip\n";
    let png = "HTTP/1.1 200 OK\nContent-Type: image/png\n";
    let asks = || message("GET /a?token=k3J9xQ2mLp0Z HTTP/1.1\nHost: a.example\n", "");
    let mut first = flow();
    let signed = message(
        "POST /hook HTTP/1.1\nStripe-Signature: t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd\n",
        "kept",
    );
    first.push(exchange(asks(), message(gzip, "no gzip, but with k3J9xQ2mLp0Z in it")));
    first.push(exchange(signed, message(png, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR k3J9xQ2mLp0Z")));
    let mut trailed = message("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", "");
    trailed.trailers = "X-Token: k3J9xQ2mLp0Z\r\n".into();
    first.push(exchange(asks(), trailed));
    let (once, masker) = run(&first);
    let counts = masker.report().clone();
    assert_eq!((counts.quarantined.len(), counts.unread, counts.signed.len()), (1, 1, 1));
    let times = 5;
    let all: Vec<_> = (0..times).flat_map(|_| first.clone()).collect();
    let (masked, masker) = run(&all);
    for (number, masked) in masked.iter().enumerate() {
        let once = &once[number % once.len()];
        assert_eq!((&masked.request, &masked.response), (&once.request, &once.response));
        assert_eq!((&masked.sensitive, masked.flags), (&once.sensitive, once.flags));
    }
    assert_eq!(audit(masker.auditor(), &masked), audit(masker.auditor(), &once));
    let report = masker.report();
    let each = |counts: &BTreeMap<String, u64>| -> BTreeMap<String, u64> {
        counts.iter().map(|(what, count)| (what.clone(), count * times)).collect()
    };
    assert_eq!(report.quarantined, each(&counts.quarantined));
    assert_eq!(report.signed, each(&counts.signed));
    assert_eq!(report.masked, each(&counts.masked));
    assert_eq!(report.by_place, each(&counts.by_place));
    assert_eq!(report.unread, counts.unread * times);
}

#[test]
fn a_message_that_comes_again_whole_is_searched_for_what_was_learnt_since() {
    let secret = "Xk3J9xQ2mLp0ZTq8";
    let says = || {
        let body = format!("it was {secret} then");
        exchange(
            message("GET /a HTTP/1.1\nHost: a.example\n", ""),
            message("HTTP/1.1 200 OK\nContent-Type: text/plain\n", body),
        )
    };
    let learns = exchange(
        message(
            "POST /a HTTP/1.1\nContent-Type: application/json\n",
            format!("{{\"password\":\"{secret}\"}}"),
        ),
        message("HTTP/1.1 204 No Content\n", ""),
    );
    let mut stream = crate::Stream::new(Policy::built_in(), Key::from([3; 32]));
    let mut shown = |e: Exchange| everything(&[stream.mask(e).unwrap().into_inner()]).contains(secret);
    assert!((0..5).all(|_| shown(says())));
    assert!(!shown(learns));
    assert!((0..5).all(|_| !shown(says())));
}

#[test]
fn base64_in_which_two_known_values_share_some_letters_keeps_neither() {
    let (first, second) = ("q9PonDJhhrhSlEi1", "hhrhSlEi1Zx7Wm3Kp0");
    let both = "q9PonDJhhrhSlEi1Zx7Wm3Kp0";
    let known = message(&format!("GET / HTTP/1.1\nX-Auth-Token: {first}\nX-Api-Key: {second}\n"), "");
    for text in ["{}", "a {} b", "ab {}/{}", "{} and q9PonDJhhrhSlEi1 again"] {
        let base64 = STANDARD.encode(text.replace("{}", both));
        for field in
            ["X-Note: ", "X-Note: see ", "Referer: http://h.example/?q=", "Referer: http://h.example/"]
        {
            let get = message(&format!("GET /a HTTP/1.1\n{field}{base64}\n"), "");
            let ok = || message("HTTP/1.1 200 OK\n", "");
            let (masked, masker) = run(&[exchange(get, ok()), exchange(known.clone(), ok())]);
            assert_eq!(audit(masker.auditor(), &masked), Ok(()), "{field}{base64}");
            assert_eq!(masker.report().quarantined_total(), 0, "{field}{base64}");
        }
    }
}
