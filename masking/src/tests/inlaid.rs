//! Base64 and hex in the midst of texts.

use super::*;

const SECRET: &str = "hunter2-hunter2";

fn hexed(text: &str) -> String {
    String::from_utf8(mynah_message::hex::encode(text.as_bytes(), false)).unwrap()
}

#[test]
fn what_is_inlaid_in_a_text_is_masked_and_written_as_before() {
    let json = format!(r#"{{"password":"{SECRET}"}}"#);
    let plain = body_of("application/json", &json);
    let signed = "sid=s%3Ak3J9xQ2mLp0Zr8aB%2Ftail";
    let other = body_of("text/plain", signed);
    assert!(other != signed && !other.contains("k3J9xQ2mLp0Zr8aB"), "{other}");
    let encode = |how: &str, text: &str| match how {
        "base64" => STANDARD.encode(text),
        "base64url" => URL_SAFE_NO_PAD.encode(text),
        "twice" => STANDARD.encode(STANDARD.encode(text)),
        _ => hexed(text),
    };
    for how in ["base64", "base64url", "twice", "hex"] {
        for (media, text) in [
            ("text/plain", "state is X now, and X."),
            ("text/plain", "12:01 GET /a?state=X&b=1 200\n12:02 /state/X/next\n"),
            ("text/css", "a{background:url(data:application/json;base64,X)}b{color:red}"),
            (
                "text/html",
                "<p>state is X now</p><i style=\"background:url('data:text/plain;base64,X')\">x</i>",
            ),
            ("text/html", "<script>const state = 'data:application/json;base64,X', b = `at X or`;</script>"),
            (
                "application/json",
                r#"{"a":"state is X now","b":["data:text/plain;base64,X#x"],"c":"line\nX\n"}"#,
            ),
            ("application/json", r#"{"log":"got {\"state\":\"is X now\"} at noon","d":"a%20X%20b"}"#),
            ("text/xml", "<a><b>state is X now</b></a>"),
        ] {
            for (inner, masked) in [(json.as_str(), plain.as_str()), (signed, other.as_str())] {
                let wanted = text.replace('X', &encode(how, masked));
                assert_eq!(
                    body_of(media, &text.replace('X', &encode(how, inner))),
                    wanted,
                    "{how} in {media}"
                );
            }
        }
    }
    // Under names that say nothing, in a head.
    let head = format!("GET /a HTTP/1.1\nX-Debug: at {} or so\n", STANDARD.encode(&json));
    let masked = proven(&[exchange(message(&head, ""), message("HTTP/1.1 204 No Content\n", ""))]);
    let value = request(&masked[0], "header:X-Debug");
    assert_eq!(value, format!("at {} or so", STANDARD.encode(&plain)));
}

#[test]
fn web_tokens_in_texts_stay_web_tokens() {
    let token = bearer();
    let token = token.trim_start_matches("Bearer ");
    let masked = body_of("text/plain", &format!("the token is {token} now"));
    let masked = masked.strip_prefix("the token is ").unwrap().strip_suffix(" now").unwrap();
    assert_eq!(masked, body_of("text/plain", token));
    assert_eq!(masked.split('.').next(), token.split('.').next());
}

#[test]
fn a_known_value_is_seen_behind_escapes_in_base64_by_the_audit() {
    let value = "k3J9/xQ2mLp0Zr8aB";
    let login = exchange(
        message("POST / HTTP/1.1\nContent-Type: application/json\n", format!(r#"{{"token":"{value}"}}"#)),
        message("HTTP/1.1 204 No Content\n", ""),
    );
    let (_, masker) = run(std::slice::from_ref(&login));
    for inner in [
        format!("see {} there", value.replace('/', "%2F")),
        format!("see {} there", value.replace('/', "\\/")),
        format!("see {} there", value.replace('/', "&#47;")),
        format!("see {} there", STANDARD.encode(format!("a {value} b"))),
    ] {
        for coded in [STANDARD.encode(&inner), URL_SAFE_NO_PAD.encode(&inner), hexed(&inner)] {
            let answer = message("HTTP/1.1 200 OK\nContent-Type: text/plain\n", format!("at {coded} or so"));
            let said = exchange(message("GET / HTTP/1.1\n", ""), answer);
            assert!(audit(masker.auditor(), std::slice::from_ref(&said)).is_err(), "{inner}");
            let masked = proven(&[login.clone(), said]);
            assert!(!masked[1].response.as_ref().unwrap().body.is_empty());
        }
    }
}

#[test]
fn what_is_no_text_in_base64_stays_byte_for_byte() {
    let noise: Vec<u8> = (0..6000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for text in [
        format!("a{{background:url(data:font/woff2;base64,{})}}", STANDARD.encode(&noise)),
        format!(
            "<img src=\"data:image/png;base64,{}\">",
            STANDARD.encode([b"\x89PNG\r\n\x1a\n", &noise[..]].concat())
        ),
        "getElementsByClassName and InternalServerErrorException of Application/Vnd_Api".to_owned(),
        format!(
            "{} and {}",
            STANDARD.encode("what is said here says nothing"),
            hexed("nor does what is said here")
        ),
    ] {
        assert_eq!(body_of("text/html", &text), text);
    }
}

#[test]
fn many_in_one_text_are_all_masked() {
    let line = |n: u32| STANDARD.encode(format!(r#"{{"n":{n},"password":"hunter{n}-hunter2"}}"#));
    let text = (0..3000).fold(String::new(), |text, n| text + &format!("{n} state {} end\n", line(n)));
    let masked = body_of("text/plain", &text);
    assert_eq!(masked.len(), text.len());
    for (before, after) in text.lines().zip(masked.lines()) {
        let inner = un64(after.split(' ').nth(2).unwrap());
        assert!(before != after && inner.starts_with(r#"{"n":"#) && !inner.contains("-hunter2"), "{inner}");
    }
}

fn un64(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}
