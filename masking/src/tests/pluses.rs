//! Queries and forms in which a `+` stands as it is.

use super::*;

/// A text in base64 with a `+` in it.
fn encoded(password: &str) -> String {
    let text = (0..).map(|n| format!("{{\"n\":{n},\"x\":\">>~~>>\",\"password\":\"{password}\"}}"));
    text.map(|text| STANDARD.encode(text)).find(|text| text.contains('+')).unwrap()
}

/// The same masked: as it becomes where nobody reads a `+` for a space.
fn masked(encoded: &str) -> String {
    let head = format!("GET /a HTTP/1.1\nX-State: {encoded}\n");
    let masked = proven(&[exchange(message(&head, ""), message("HTTP/1.1 204 No Content\n", ""))]);
    request(&masked[0], "header:X-State")
}

/// An exchange in which that stands bare in a query, a form, a link of a page, and where it leads to.
fn placed(value: &str) -> Exchange {
    let page = format!("<p>a</p><a href=\"/b?z={value}&y=2\">b</a><a href='/c?y=3&amp;z={value}'>c</a>");
    exchange(
        message(
            &format!("POST /a?x=1&z={value} HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n"),
            format!("x=1&z={value}&y=some+words"),
        ),
        message(&format!("HTTP/1.1 302 Found\nContent-Type: text/html\nLocation: /d?z={value}#top\n"), page),
    )
}

fn parts(e: &Exchange) -> String {
    let messages = [e.request.as_ref().unwrap(), e.response.as_ref().unwrap()];
    messages.map(|m| String::from_utf8([&m.head[..], &m.body].concat()).unwrap()).concat()
}

#[test]
fn base64_is_opened_where_a_plus_stands_bare() {
    for password in ["correct7horse8", "k3J9x/Q2mLp0Zr8aB"] {
        let value = encoded(password);
        let wanted = masked(&value);
        assert!(wanted != value && wanted.contains(">>~~>>") == value.contains(">>~~>>"));
        let data = |value: &str| format!("data:application/json;base64,{value}");
        let said = |value: &str| format!("it+is+now+{value}");
        for (value, wanted) in [
            (value.clone(), wanted.clone()),
            (value.trim_end_matches('=').to_owned(), wanted.trim_end_matches('=').to_owned()),
            (data(&value), data(&wanted)),
            (said(&value), said(&wanted)),
        ] {
            // What is met twice goes by what was read before.
            for e in proven(&[placed(&value), placed(&value)]) {
                assert_eq!(parts(&e), parts(&placed(&wanted)), "{value}");
            }
        }
    }
}

#[test]
fn words_with_pluses_between_stay_words() {
    for words in
        ["correct+horse+battery+staple", "a+b", "1+1+is+2+and+2+2+is+4+as+everybody+knows", "C%2B%2B+14+17"]
    {
        assert_eq!(parts(&proven(&[placed(words)])[0]), parts(&placed(words)));
    }
}

#[test]
fn a_secret_with_a_plus_is_found_where_that_stands_bare() {
    let login = |secret: &str| {
        exchange(
            message(
                "POST /login HTTP/1.1\nContent-Type: application/json\n",
                format!(r#"{{"token":"{secret}"}}"#),
            ),
            message("HTTP/1.1 204 No Content\n", ""),
        )
    };
    for secret in ["Zk3J9x/Q2mLp0+Zq81aaWWTT==", "k3J9xQ2+mLp0Zr8aB"] {
        for written in [secret.to_owned(), secret.replace('/', "%2F").replace('=', "%3D")] {
            let all = proven(&[login(secret), placed(&written), placed(&format!("is+{written}"))]);
            let other = extract(all[0].request.as_ref().unwrap(), "json:$.token");
            for (e, before) in all[1..].iter().zip(["", "is+"]) {
                let query = request(e, "query:z");
                assert_eq!(query.replace(' ', "+"), format!("{before}{other}"), "{written}");
                assert!(!everything(std::slice::from_ref(e)).contains(&secret[..6]), "{}", parts(e));
            }
        }
        // Under its own name in a query alone it is the same secret elsewhere.
        let asked = message(&format!("GET /a?token={secret} HTTP/1.1\n"), "");
        let told = message(
            "HTTP/1.1 200 OK\nContent-Type: application/json\n",
            format!(r#"{{"x":"at {secret}."}}"#),
        );
        let spaced = message("HTTP/1.1 200 OK\n", format!("at {}.", secret.replace('+', " ")));
        let all = proven(&[exchange(asked, told), exchange(message("GET / HTTP/1.1\n", ""), spaced)]);
        let other = request(&all[0], "query:token").replace(' ', "+");
        assert_eq!(response(&all[0], "json:$.x"), format!("at {other}."));
        assert!(other != secret && other.contains('+') && !parts(&all[1]).contains(&secret[..6]));
    }
}

#[test]
fn a_secret_is_known_with_its_plus_and_with_a_space() {
    let text = |head: &str, body: &str| message(&format!("HTTP/1.1 200 OK\n{head}"), body);
    let form = "Content-Type: application/x-www-form-urlencoded\n";
    for name in ["password", "token"] {
        let login =
            message(&format!("POST /login HTTP/1.1\n{form}"), format!("{name}=A1b2C3+%26d4E5f6G7&x=1"));
        let plus = message("GET /a?z=A1b2C3%252B%2526d4E5f6G7 HTTP/1.1\n", "");
        let space = message("GET /a?z=A1b2C3%2520%2526d4E5f6G7&y=A1b2C3+%26d4E5f6G7 HTTP/1.1\n", "");
        let json =
            text("Content-Type: application/json\n", r#"{"x":"A1b2C3+&d4E5f6G7","y":"A1b2C3 &d4E5f6G7"}"#);
        let told = text("", "it is A1b2C3+&d4E5f6G7 now");
        let all = proven(&[exchange(login, json), exchange(plus, told), exchange(space, text("", "a"))]);
        let spaced = request(&all[0], &format!("form:{name}"));
        let plain = spaced.replace(' ', "+");
        assert!(spaced.contains(" &") && spaced != "A1b2C3 &d4E5f6G7", "{spaced}");
        assert!(!everything(&all).contains("A1b2C3"), "{}", everything(&all));
        assert_eq!(
            [response(&all[0], "json:$.x"), response(&all[0], "json:$.y")],
            [plain.clone(), spaced.clone()]
        );
        let once = |text: &str| text.replace('+', "%2B").replace(' ', "%20").replace('&', "%26");
        assert_eq!(request(&all[1], "query:z"), once(&plain));
        assert_eq!([request(&all[2], "query:z"), request(&all[2], "query:y")], [once(&spaced), spaced]);
        assert!(parts(&all[1]).ends_with(&format!("it is {plain} now")), "{}", parts(&all[1]));
    }
}

#[test]
fn credentials_in_a_query_are_no_base64() {
    let head = "GET /a?auth=Bearer+k3J9xQ2mLp0Zr8aB HTTP/1.1\nAuthorization: Bearer k3J9xQ2mLp0Zr8aB\n";
    let masked = proven(&[exchange(message(head, ""), message("HTTP/1.1 204 No Content\n", ""))]);
    assert_eq!(request(&masked[0], "query:auth"), request(&masked[0], "header:Authorization"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_look_passes_over_a_bare_plus(
        noise in "[ -~]{0,9}[>~?]{4,9}[ -~]{0,9}",
        before in "([a-zA-Z0-9]{1,9}\\+){0,3}",
        behind in "(\\+[a-zA-Z0-9]{1,9}){0,2}",
        padded in any::<bool>(),
    ) {
        let text = serde_json::json!({ "n": noise, "password": "correct7horse8" }).to_string();
        let value = STANDARD.encode(&text);
        prop_assume!(value.contains('+'));
        let value = if padded { value } else { value.trim_end_matches('=').to_owned() };
        // Without padding nobody can tell where it ends.
        let behind = if value.ends_with('=') { behind } else { String::new() };
        let written = format!("{before}{value}{behind}");
        let opens = |e: &Exchange| {
            parts(e).split(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c)).any(|run| {
                (0..run.len()).any(|at| {
                    let rest = &run[at..];
                    let bytes = STANDARD_NO_PAD.decode(&rest[..rest.len() / 4 * 4]).unwrap_or_default();
                    String::from_utf8_lossy(&bytes).contains("correct7hor")
                })
            })
        };
        let original = [placed(&written), placed(&written)];
        prop_assert!(original.iter().all(opens));
        for e in proven(&original) {
            prop_assert!(!opens(&e), "{}", parts(&e));
        }
    }
}

#[test]
fn a_private_key_in_a_form_is_one() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgVcB/UNP+alR9zDYAjQIfjoj=\n-----END PRIVATE KEY-----\n";
    let written = pem.replace('+', "%2B").replace(' ', "+").replace('\n', "%0A").replace('=', "%3D");
    for name in ["private_key", "token", "x"] {
        let moved = format!("HTTP/1.1 302 Found\nLocation: https://a.example/b?{name}={written}\n");
        let asked = format!("POST /a?{name}={written} HTTP/1.1\n");
        let all = proven(&[exchange(message(&asked, ""), message(&moved, ""))]);
        let key = request(&all[0], &format!("query:{name}"));
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n") && key != pem, "{name}: {key}");
        let location = String::from_utf8(all[0].response.as_ref().unwrap().head.to_vec()).unwrap();
        assert!(location.contains("=-----BEGIN+PRIVATE+KEY-----%0A"), "{location}");
        assert!(!everything(&all).contains("MIGEAgEA"), "{}", parts(&all[0]));
    }
}
