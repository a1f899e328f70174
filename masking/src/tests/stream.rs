//! What can be read once only.

use mynah_traffic::Masked;

use super::*;
use crate::{Sealer, Stream};

fn stream() -> Stream {
    Stream::new(Policy::built_in(), Key::from([3; 32]))
}

/// One file: masked as it comes, then remasked.
fn streamed(exchanges: &[Exchange]) -> (Vec<Exchange>, Vec<Exchange>, Sealer) {
    let mut stream = stream();
    let written: Vec<_> = exchanges.iter().map(|e| stream.mask(e.clone()).unwrap()).collect();
    let mut sealer = stream.sealer();
    let sealed = written.iter().map(|w| again(&mut sealer, w)).collect();
    (written.into_iter().map(Masked::into_inner).collect(), sealed, sealer)
}

fn again(sealer: &mut Sealer, written: &Masked<Exchange>) -> Exchange {
    let sealed = sealer.remask(written);
    if let Some(sealed) = &sealed {
        assert_eq!(sealer.remask(sealed), None, "there is nothing more to do");
        assert_eq!(sealed.provenance(), Provenance::Policy);
    }
    sealed.unwrap_or_else(|| written.clone()).into_inner()
}

fn same_as_two_passes(exchanges: &[Exchange]) {
    let (_, sealed, sealer) = streamed(exchanges);
    let (masked, masker) = run(exchanges);
    for (number, (one, two)) in sealed.iter().zip(&masked).enumerate() {
        for (one, two) in [(&one.request, &two.request), (&one.response, &two.response)] {
            let text = |m: &Option<Message>| {
                m.as_ref().map(|m| {
                    (String::from_utf8_lossy(&m.head).into_owned(), m.body.clone(), m.trailers.clone())
                })
            };
            assert_eq!(text(one), text(two), "exchange {number}");
        }
        let places = |e: &Exchange| -> Vec<_> {
            e.sensitive.iter().map(|s| (s.side, s.in_body, s.start, s.len)).collect()
        };
        assert_eq!(places(one), places(two), "exchange {number}");
    }
    assert_eq!(audit(sealer.auditor(), &sealed), Ok(()));
    assert_eq!(audit(masker.auditor(), &sealed), Ok(()));
    assert_eq!(sealer.report().exchanges, exchanges.len() as u64);
}

#[test]
fn one_pass_and_remasking_make_what_two_passes_make() {
    same_as_two_passes(&flow());
    let mut backward = flow();
    backward.reverse();
    same_as_two_passes(&backward);
}

#[test]
fn what_a_later_exchange_gives_away_goes_from_the_earlier_ones() {
    let mut exchanges = vec![exchange(
        message(&format!("GET /old/{SID}/x?back={SID}%2Fy HTTP/1.1\nHost: a.example\n"), ""),
        message(
            "HTTP/1.1 200 OK\nContent-Type: text/plain\n",
            format!("your link: /old/{SID}, {}", STANDARD.encode(SID)),
        ),
    )];
    for n in 0..3 {
        exchanges
            .push(exchange(message(&format!("GET /{n} HTTP/1.1\n"), ""), message("HTTP/1.1 200 OK\n", "")));
    }
    exchanges.push(exchange(
        message("GET /in HTTP/1.1\n", ""),
        message(&format!("HTTP/1.1 200 OK\nSet-Cookie: sid={SID}\n"), ""),
    ));
    let (written, sealed, sealer) = streamed(&exchanges);
    assert!(everything(&written).contains(SID));
    let findings = audit(sealer.auditor(), &written).unwrap_err();
    assert_eq!((findings.places[0].exchange, findings.places[0].what), (0, "original"));
    assert!(sealer.has_late() && !everything(&sealed).contains(SID));
    assert_eq!(audit(sealer.auditor(), &sealed), Ok(()));
    let sid = response(&sealed[4], "cookie:sid");
    assert_eq!(request(&sealed[0], "path:1"), sid);
    assert_eq!(sealed[0].sensitive.len(), 4);
    assert_eq!(sealed[1..], written[1..]);
    let report = sealer.report();
    assert_eq!((report.exchanges, report.learned, report.masked["session"]), (5, 1, 5));
    same_as_two_passes(&exchanges);
}

#[test]
fn claims_learnt_later_go_from_tokens_that_were_given_out() {
    let claims = format!(r#"{{"ctx":"{SID}","n":[1,"{PASSWORD}"],"iat":1700000000}}"#);
    let token = format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(claims),
        URL_SAFE_NO_PAD.encode([0xA7; 32])
    );
    let with_token = || {
        exchange(
            message(&format!("GET /a HTTP/1.1\nAuthorization: Bearer {token}\n"), ""),
            message("HTTP/1.1 200 OK\n", ""),
        )
    };
    let login = exchange(
        message(
            &format!("POST /login HTTP/1.1\nCookie: sid={SID}\nContent-Type: application/json\n"),
            format!(r#"{{"password":"{PASSWORD}"}}"#),
        ),
        message("HTTP/1.1 200 OK\n", ""),
    );
    let exchanges = [with_token(), login, with_token()];
    let (written, sealed, sealer) = streamed(&exchanges);
    let bearer = |e: &Exchange| request(e, "header:Authorization");
    assert_ne!(bearer(&written[0]), bearer(&written[2]), "the second time more is known");
    assert_eq!(bearer(&sealed[0]), bearer(&written[2]));
    assert_eq!(sealed[0].sensitive.len(), 1);
    assert!(audit(sealer.auditor(), &written).is_err());
    assert_eq!(audit(sealer.auditor(), &sealed), Ok(()));
    same_as_two_passes(&exchanges);
}

#[test]
fn a_sealer_sees_what_was_known_at_its_time() {
    let mut stream = stream();
    let late = "Zq81aWWTk3J9xQ2mLp0Z";
    let first = stream
        .mask(exchange(
            message(&format!("GET /{late}/{SID} HTTP/1.1\n"), ""),
            message("HTTP/1.1 200 OK\n", ""),
        ))
        .unwrap();
    let second = stream
        .mask(exchange(
            message(&format!("GET / HTTP/1.1\nCookie: sid={SID}\n"), ""),
            message("HTTP/1.1 200 OK\n", ""),
        ))
        .unwrap();
    let mut sealer = stream.sealer();
    let third = stream
        .mask(exchange(
            message(&format!("GET / HTTP/1.1\nCookie: sid={late}; old={SID}\n"), ""),
            message("HTTP/1.1 200 OK\n", ""),
        ))
        .unwrap();
    let sealed = again(&mut sealer, &first);
    assert_eq!(request(&sealed, "path:0"), late, "learnt after its file had ended");
    assert_eq!(request(&sealed, "path:1"), request(second.get(), "cookie:sid"));
    assert_eq!(sealer.remask(&second), None);
    assert_eq!(audit(sealer.auditor(), &[sealed, second.into_inner()]), Ok(()));
    // The next file has what was learnt in the first one.
    let mut next = stream.sealer();
    assert!(!next.has_late() && next.remask(&third).is_none());
    assert_eq!(request(third.get(), "cookie:old"), request(&again(&mut sealer, &first), "path:1"));
    assert_eq!((next.report().exchanges, sealer.report().exchanges, stream.report().exchanges), (1, 2, 3));
    assert_eq!(audit(next.auditor(), &[third.into_inner()]), Ok(()));
    assert!(audit(next.auditor(), &[first.into_inner()]).is_err());
    // On another thread.
    std::thread::spawn(move || drop((sealer, next))).join().unwrap();
}

#[test]
fn a_sealer_works_while_its_stream_goes_on() {
    let number = |n: usize| crate::Key::from([(n % 251) as u8; 32]).sub("test").digest(&[&n.to_le_bytes()]);
    let token = |n: usize| String::from_utf8(mynah_message::hex::encode(&number(n)[..12], false)).unwrap();
    // Each token stands in a path first and in a cookie ten exchanges later.
    let get = |n: usize| {
        let cookie = n.checked_sub(10).map_or(String::new(), |m| format!("Cookie: sid={}\n", token(m)));
        exchange(
            message(&format!("GET /{} HTTP/1.1\n{cookie}", token(n)), ""),
            message("HTTP/1.1 200 OK\n", ""),
        )
    };
    let mut stream = stream();
    let written: Vec<_> = (0..100).map(|n| stream.mask(get(n)).unwrap()).collect();
    let mut sealer = stream.sealer();
    let others = std::thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            let sealed: Vec<_> = written.iter().map(|w| again(&mut sealer, w)).collect();
            assert_eq!(audit(sealer.auditor(), &sealed), Ok(()));
            sealed
        });
        let others: Vec<_> = (100..400).map(|n| stream.mask(get(n)).unwrap()).collect();
        let sealed = sealing.join().unwrap();
        for (n, e) in sealed.iter().enumerate() {
            let known = n + 10 < 100;
            assert_eq!(request(e, "path:0") == token(n), !known, "{n}");
            if known {
                assert_eq!(request(e, "path:0"), request(sealed.get(n + 10).unwrap(), "cookie:sid"));
            }
        }
        others
    });
    let mut next = stream.sealer();
    let sealed: Vec<_> = others.iter().map(|w| again(&mut next, w)).collect();
    assert_eq!(audit(next.auditor(), &sealed), Ok(()));
}

#[test]
fn spans_follow_edits_that_change_lengths() {
    let body = |more: &str| format!(r#"{{"a":"write to bob@x.io or {PASSWORD}.","cvc":"999","z":"{more}"}}"#);
    for coding in ["", "Content-Encoding: gzip\n"] {
        let pack = |text: String| {
            if coding.is_empty() {
                text.into_bytes()
            } else {
                encode_content(&[mynah_message::Coding::Gzip], text.as_bytes()).unwrap()
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\nX-Token: k3J9xQ2mLp0Z\nContent-MD5: xx\nContent-Type: application/json\n{coding}X-B: {EMAIL}\n"
        );
        let first = exchange(
            message("GET / HTTP/1.1\n", ""),
            message(&head, pack(body(&format!("{}x{}", STANDARD.encode(EMAIL), "-".repeat(900))))),
        );
        let second = exchange(
            message(
                "POST / HTTP/1.1\nContent-Type: application/json\n",
                format!(r#"{{"password":"{PASSWORD}","email":"{EMAIL}"}}"#),
            ),
            message("HTTP/1.1 200 OK\n", ""),
        );
        let exchanges = [first, second];
        let (_, sealed, sealer) = streamed(&exchanges);
        assert_eq!(audit(sealer.auditor(), &sealed), Ok(()));
        same_as_two_passes(&exchanges);
    }
}

#[test]
fn many_secrets_in_one_run_of_base64() {
    let text = STANDARD.encode(format!("a {SID} b {PASSWORD} c {EMAIL} d"));
    let e = exchange(
        message(
            &format!("POST / HTTP/1.1\nCookie: sid={SID}\nX-Debug: {text}\nContent-Type: application/json\n"),
            format!(r#"{{"password":"{PASSWORD}","email":"{EMAIL}"}}"#),
        ),
        message("HTTP/1.1 200 OK\n", ""),
    );
    proven(std::slice::from_ref(&e));
    same_as_two_passes(&[e]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_of_places_comes_to_the_same(
        secrets in prop::collection::vec("[a-zA-Z0-9/+]{20,32}", 1..4),
        places in prop::collection::vec((0..4_usize, 0..10_usize), 1..8),
    ) {
        prop_assume!(secrets.iter().all(|s| crate::entropy::is_unique(s.as_bytes())));
        same_as_two_passes(&in_places(&secrets, &places));
    }

    #[test]
    fn any_order_of_secrets_within_each_other_comes_to_the_same(
        (inner, around) in ("[a-zA-Z0-9]{12,20}", prop::collection::vec(("[a-zA-Z0-9]{0,4}", "[a-zA-Z0-9]{4,6}"), 1..3)),
        places in prop::collection::vec((0..3_usize, 0..10_usize), 2..10),
    ) {
        let mut secrets = vec![inner];
        for (before, after) in around {
            secrets.push(format!("{before}{}{after}", secrets.last().unwrap()));
        }
        prop_assume!(secrets.iter().all(|s| crate::entropy::is_unique(s.as_bytes())));
        same_as_two_passes(&in_places(&secrets, &places));
    }
}

/// Exchanges in which these secrets stand in these places.
fn in_places(secrets: &[String], places: &[(usize, usize)]) -> Vec<Exchange> {
    places
        .iter()
        .map(|(secret, place)| {
            let secret = &secrets[secret % secrets.len()];
            let percent = String::from_utf8(mynah_message::percent::encode(
                secret.as_bytes(),
                |b| b.is_ascii_alphanumeric(),
                false,
            ))
            .unwrap();
            let (head, kind, body) = match place {
                0 => (format!("X-Auth-Token: {secret}\n"), "text/plain", String::new()),
                1 => (format!("Cookie: a=1; sid={percent}\n"), "text/plain", String::new()),
                2 => (String::new(), "application/json", format!(r#"{{"token":"{secret}","n":1}}"#)),
                3 => (String::new(), "application/json", format!(r#"{{"x":"see {secret}","{secret}":[1]}}"#)),
                4 => (
                    String::new(),
                    "text/html",
                    format!(
                        "<p title=\"{percent}\">{secret}</p><!-- {secret} --><script>x('{secret}')</script>"
                    ),
                ),
                5 => (String::new(), "application/x-www-form-urlencoded", format!("a={percent}&b=2")),
                6 => (
                    format!("X-Blob: {}\n", STANDARD.encode(format!("u:{secret}"))),
                    "text/plain",
                    secret.clone(),
                ),
                7 => (
                    format!(
                        "Referer: https://a.example/x?q={}\n",
                        secret.replace('+', "%2b").replace('/', "%2f")
                    ),
                    "application/octet-stream",
                    format!("\0{secret}\0"),
                ),
                8 => (
                    String::new(),
                    "application/json",
                    serde_json::json!({ "p": serde_json::json!({ "q": secret }).to_string() }).to_string(),
                ),
                _ => (
                    format!("Authorization: Basic {}\n", STANDARD.encode(format!("bob:{secret}"))),
                    "text/plain",
                    String::new(),
                ),
            };
            exchange(
                message(&format!("POST /x HTTP/1.1\n{head}Content-Type: {kind}\n"), body),
                message("HTTP/1.1 204 No Content\n", ""),
            )
        })
        .collect()
}

#[test]
fn lines_that_were_met_before_are_searched_for_what_was_learnt_since() {
    let escaped = PASSWORD.replace('-', "%2d").replace('o', "%6f");
    let hexed =
        String::from_utf8(mynah_message::hex::encode(format!("note {PASSWORD}").as_bytes(), false)).unwrap();
    for note in [
        PASSWORD,
        &escaped,
        &hexed,
        &STANDARD.encode(format!("a note: {PASSWORD}")),
        &STANDARD.encode(format!(r#"{{"note":"{}"}}"#, STANDARD.encode(PASSWORD))),
    ] {
        let noted = || {
            let head = format!(
                "GET /a HTTP/1.1\nReferer: https://a.example/b?token=k3J9xQ2mLp0Zr8Vt&note={note}\nX-Note: {note}\nCookie: sid={SID}; theme={note}\n"
            );
            exchange(message(&head, ""), message("HTTP/1.1 200 OK\n", ""))
        };
        let login = exchange(
            message(
                "POST /login HTTP/1.1\nContent-Type: application/json\n",
                format!(r#"{{"password":"{PASSWORD}"}}"#),
            ),
            message("HTTP/1.1 200 OK\n", ""),
        );
        let exchanges = [noted(), noted(), noted(), login, noted(), noted()];
        let (written, sealed, sealer) = streamed(&exchanges);
        // Some of these look like secrets, and are masked at once.
        if note == PASSWORD {
            assert!(audit(sealer.auditor(), &written[..3]).is_err(), "it is not known yet");
        }
        assert_eq!(audit(sealer.auditor(), &written[3..]), Ok(()), "{note}");
        assert_eq!(written[4].request, sealed[0].request, "{note}");
        same_as_two_passes(&exchanges);
    }
}

#[test]
fn what_was_written_of_a_secret_before_it_was_one_goes_too() {
    let inner = "q9PonDJhhrhSlEi1";
    let outer = format!("Wx3{inner}y5");
    let whole = format!("{outer}-7Kd2");
    let get = |fields: &str, body: &str| {
        exchange(
            message(&format!("GET /a HTTP/1.1\n{fields}"), ""),
            message("HTTP/1.1 200 OK\nContent-Type: text/plain\n", body),
        )
    };
    let escaped = outer.replace('W', "%57");
    let mut exchanges = vec![
        get(&format!("X-Auth-Token: {inner}\n"), ""),
        get(
            &format!(
                "ETag: {outer}\nX-Note: {escaped}\nX-More: {}\n",
                STANDARD.encode(format!("a {outer} b"))
            ),
            &outer,
        ),
        get(&format!("ETag: {whole}\n"), &format!("see {whole} and {outer}")),
        get(&format!("X-Api-Key: {outer}\n"), ""),
        get(&format!("ETag: {whole}\n"), &format!("see {whole} and {outer}")),
        get(&format!("X-Session-Token: {whole}\n"), &outer),
    ];
    let (written, sealed, sealer) = streamed(&exchanges);
    assert!(everything(&written).contains("y5-7Kd2") && !everything(&written).contains(&outer));
    assert!(!everything(&sealed).contains("7Kd2"));
    assert_eq!(response(&sealed[1], "body"), request(&sealed[3], "header:X-Api-Key"));
    assert_eq!(sealer.report().learned, 3);
    same_as_two_passes(&exchanges);
    exchanges.reverse();
    same_as_two_passes(&exchanges);
}
