//! Traffic in which something is broken, divided or cut.

use super::*;

#[test]
fn an_object_written_in_two_halves_is_one_person() {
    let json = r#"{"x":{"email":"a@b.co"},"y":[{"name":"Oak"},{"email":"c@d.co"}],"x":{"name":"Kim"},"y":[{"x":1},{"n\u0061me":"Sam"}]}
{"x":{"name":"Elm"}}"#;
    let masked = body_of("application/json", json);
    assert!(!masked.contains("Kim") && !masked.contains("Sam"), "{masked}");
    assert!(masked.contains("Oak") && masked.contains("Elm"), "{masked}");
}

#[test]
fn damaged_and_divided_tokens_are_no_trouble() {
    let bearer = bearer();
    let mut texts = vec![bearer.replace('.', "; b=")];
    for at in 0..bearer.len() {
        let mut damaged = bearer.clone().into_bytes();
        damaged[at] = [b'!', b'*', b'A', b'=', b'.'][at % 5];
        texts.push(String::from_utf8(damaged).unwrap());
        texts.push(format!("{}; b={}", &bearer[..at], &bearer[at..]));
        texts.push(format!("{}{}", &bearer[..at], &bearer[at + 1..]));
    }
    for text in texts {
        let odd = message(&format!("GET /a HTTP/1.1\nCookie: a={text}\nX-Other: {text}\n"), &text);
        let e = exchange(
            message(&format!("GET /a HTTP/1.1\nAuthorization: Bearer {bearer}\n"), ""),
            message(
                "HTTP/1.1 200 OK\nContent-Type: application/json\n",
                format!(r#"{{"email":"{EMAIL}","t":"{text}"}}"#),
            ),
        );
        let exchanges = [e, exchange(odd, message("HTTP/1.1 200 OK\n", &text))];
        let (masked, masker) = run(&exchanges);
        assert_eq!(audit(masker.auditor(), &masked), Ok(()), "{text}\n{}", everything(&masked));
    }
}

#[test]
fn cut_bodies_are_withheld() {
    let mut cut = exchange(
        message("POST / HTTP/1.1\n", "a".repeat(20)),
        message("HTTP/1.1 200 OK\n", format!("b {}", &SID[..20])),
    );
    cut.flags.set(Flag::BodyCut);
    for (limit, kept) in [(Some(22), [20, 0]), (Some(20), [0, 0]), (None, [0, 0]), (Some(99), [20, 22])] {
        let policy = limit.map_or(Policy::built_in(), |limit| Policy::built_in().with_max_body(limit));
        let mut stream = crate::Stream::new(policy, Key::from([3; 32]));
        let masked = stream.mask(cut.clone()).unwrap().into_inner();
        let lengths = [&masked.request, &masked.response].map(|m| m.as_ref().unwrap().body.len());
        assert_eq!(lengths, kept, "{limit:?}");
        let withheld = kept.iter().filter(|len| **len == 0).count() as u64;
        assert_eq!(stream.report().quarantined_total(), withheld);
        assert_eq!(masked.flags.has(Flag::BodyWithheld), withheld > 0);
    }
}

#[test]
fn what_stands_in_json_byte_for_byte_is_replaced_by_json() {
    // What a form says is known as it is; in JSON the same bytes are escapes, or a part of one.
    let secret = r"k3J9xQ\u006b2mLp0Zr8";
    for (learnt, json) in [
        (secret, format!(r#"{{"x":"{secret}","y":"at {secret}\n","{secret}":1}}"#)),
        ("n3J9xQ2mLp0Zr8", r#"{"x":"line\n3J9xQ2mLp0Zr8 \"a\"","y":"\\n3J9xQ2mLp0Zr8"}"#.to_owned()),
        ("06b3J9xQ2mLp0Zr8", r#"{"x":"\u006b3J9xQ2mLp0Zr8"}"#.to_owned()),
        (r"k3J9xQ2mLp0Zr8\", r#"{"x":"k3J9xQ2mLp0Zr8\n","y":"k3J9xQ2mLp0Zr8\u00e9"}"#.to_owned()),
        (r#"k3J9xQ2mLp\"0Zr8"#, r#"{"x":"k3J9xQ2mLp\"0Zr8"}"#.to_owned()),
    ] {
        let form = mynah_message::percent::encode(learnt.as_bytes(), |b| b.is_ascii_alphanumeric(), false);
        let asks = message(
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n",
            [b"token=", &form[..]].concat(),
        );
        let told = message("HTTP/1.1 200 OK\nContent-Type: application/json\n", &json);
        let again = exchange(message("GET / HTTP/1.1\n", ""), told.clone());
        for e in &proven(&[exchange(asks, told), again])[..] {
            let body = String::from_utf8(e.response.as_ref().unwrap().body.to_vec()).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok_and(|v| v.is_object()), "{body}");
            assert!(!body.contains("J9xQ") && body.ends_with(&json[json.len() - 1..]), "{body}");
        }
    }
}
