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
