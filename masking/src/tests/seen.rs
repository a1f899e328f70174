//! What the audit would see, who masks has seen to: no recording is refused because of what was placed somewhere, and what cannot be
//! rewritten is withheld by itself.

use super::again::percent;
use super::*;

const SECRET: &str = "k3J9xQ2m/Lp0+Zr8aB";

fn hexed(bytes: &[u8]) -> Vec<u8> {
    mynah_message::hex::encode(bytes, false)
}

fn encoded(bytes: &[u8], way: u8) -> Vec<u8> {
    match way {
        0 => STANDARD.encode(bytes).into(),
        1 => URL_SAFE_NO_PAD.encode(bytes).into(),
        2 => hexed(bytes),
        3 => STANDARD.encode(encode_content(&[mynah_message::Coding::Gzip], bytes).unwrap()).into(),
        4 => mynah_message::percent::encode(bytes, |b| b.is_ascii_alphanumeric(), false),
        5 => bytes.iter().flat_map(|b| format!("%{b:02X}").into_bytes()).collect(),
        6 => hexed(
            STANDARD.encode(encode_content(&[mynah_message::Coding::Deflate], bytes).unwrap()).as_bytes(),
        ),
        7 => serde_json::to_string(&String::from_utf8_lossy(bytes)).unwrap().into(),
        _ => bytes.to_vec(),
    }
}

/// An exchange in which that stands somewhere.
fn placed(text: &str, place: u8) -> Exchange {
    let asks = |head: &str, body: &str| {
        exchange(message(head, body), message("HTTP/1.1 200 OK\nX-Kept: 1\n", "kept"))
    };
    let answers = |media: &str, body: &str| {
        let head = format!("HTTP/1.1 200 OK\nContent-Type: {media}\n");
        exchange(message("GET /kept HTTP/1.1\nX-Kept: 1\n", ""), message(&head, body))
    };
    let bare = text.replace([' ', '"'], "");
    match place {
        0 => asks(&format!("GET /a?z={bare}&y=1 HTTP/1.1\nHost: a.example\n"), ""),
        1 => asks(&format!("GET /a/{bare}/b HTTP/1.1\nHost: a.example\n"), ""),
        2 => asks(&format!("GET /a HTTP/1.1\nX-State: {text}\n"), ""),
        3 => asks(&format!("GET /a HTTP/1.1\nCookie: a=1; state={bare}; b=2\n"), ""),
        4 => answers(
            "application/json",
            &serde_json::json!({ "a": 1, "x": text, "etag": text, "id": bare }).to_string(),
        ),
        5 => asks(
            "POST /a HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n",
            &format!("a=1&z={bare}&b=2"),
        ),
        6 => asks(
            "POST /a HTTP/1.1\nContent-Type: multipart/form-data; boundary=x\n",
            &format!("--x\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n{text}\r\n--x--\r\n"),
        ),
        7 => answers("text/plain", &format!("it is {text} now")),
        8 => answers("text/html", &format!("<p title='{bare}'>it is {text} now</p>")),
        9 => answers(
            "text/html",
            &format!("<a href=\"/a/{bare}/b?z={bare}\">a</a><script>x = '{bare}'</script>"),
        ),
        10 => answers("text/css", &format!("a{{b:url(/a/{bare}/b)}}")),
        11 => asks(
            &format!(
                "GET /a HTTP/1.1\nETag: \"{bare}\"\nContent-MD5: {bare}\nReferer: https://a.example/b/{bare}?z={bare}\n"
            ),
            "",
        ),
        _ => {
            let mut e = answers("text/plain", "kept");
            let head = format!("HTTP/1.1 302 Found\nLocation: /b/{bare}?z={bare}\n");
            e.response = Some(message(&head, ""));
            e
        }
    }
}

const PLACES: u8 = 13;

fn login() -> Exchange {
    let body = serde_json::json!({ "token": SECRET }).to_string();
    exchange(
        message("POST /login HTTP/1.1\nContent-Type: application/json\n", body),
        message("HTTP/1.1 204 No Content\n", ""),
    )
}

/// Masks them behind a login with the secret. The audit must agree; says why anything was withheld.
fn masked(exchanges: &[Exchange]) -> Result<(Vec<Exchange>, Vec<String>), TestCaseError> {
    let all = [&[login()], exchanges].concat();
    let (masked, masker) = run(&all);
    prop_assert_eq!(audit(masker.auditor(), &masked), Ok(()));
    let kept = everything(&masked[..1]);
    prop_assert!(kept.contains("POST /login") && !kept.contains(SECRET));
    Ok((masked, masker.report().quarantined.keys().cloned().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn nothing_that_was_placed_somewhere_has_a_recording_refused(
        ways in prop::collection::vec(0_u8..8, 0..4),
        before in prop::sample::select(vec!["", "", "%", "/", "x=", "%2F", "a/", "a+", "%25", "is+", "0x", "\\n"]),
        behind in prop::sample::select(vec!["", "", "/a", "+", ".", "%20now", "=", "/Ab1"]),
        whole in any::<bool>(),
        place in 0..PLACES,
    ) {
        let text = if whole { SECRET.to_owned() } else { format!(">>~~ is {{\"n\":\"~?>\",\"x\":\"{SECRET}\"}} or~>") };
        let coded = ways.iter().fold(text.into_bytes(), |text, way| encoded(&text, *way));
        let written = format!("{before}{}{behind}", String::from_utf8(coded).unwrap());
        let e = placed(&written, place);
        let (all, withheld) = masked(&[e.clone(), e])?;
        // Hex of base64 is two; escapes around it, or in front of it, make one more.
        let layers: usize = ways.iter().map(|way| if *way == 6 { 2 } else { 1 }).sum();
        let deep = layers + usize::from(!before.is_empty()) + usize::from(!behind.is_empty()) >= 6;
        let may_be = |reason: &String| match reason.as_str() {
            "hides-original" | "json-broken" => true,
            "nested-too-deep" => deep,
            _ => false,
        };
        prop_assert!(withheld.iter().all(may_be), "{withheld:?}");
        for e in &all[1..] {
            // At most one part is missing.
            let kept = parts(e).into_iter().flatten().filter(|part| part.contains("ept")).count();
            prop_assert!(kept >= 1 && e.request.is_some() && e.response.is_some());
        }
    }
}

fn parts(e: &Exchange) -> [Option<String>; 2] {
    [&e.request, &e.response].map(|m| {
        Some(String::from_utf8_lossy(&[&m.as_ref()?.head[..], &m.as_ref()?.body].concat()).into_owned())
    })
}

#[test]
fn base64_in_base64_is_seen_by_who_masks_as_by_the_audit() {
    let text = format!(">>~~ is {{\"n\":\"~?>\",\"x\":\"{SECRET}\"}} or~>");
    let coded = [3, 7, 3].iter().fold(text.into_bytes(), |text, way| encoded(&text, *way));
    let e = placed(&String::from_utf8(coded).unwrap(), 5);
    let (all, masker) = run(&[login(), e.clone(), e]);
    assert_eq!(audit(masker.auditor(), &all), Ok(()));
}

#[test]
fn as_little_as_can_be_is_withheld() {
    let packed = STANDARD.encode(format!(r#"{{"c":"😀","x":"{}"}}"#, SECRET.replace('/', r"\u002f")));
    // Digests are none of our business. Twice, as lines are kept in mind.
    let head = format!("HTTP/1.1 200 OK\nContent-MD5: a {packed}\nX-Kept: 1\n");
    let e = exchange(message("GET /kept HTTP/1.1\n", ""), message(&head, "kept"));
    let (all, masker) = run(&[login(), e.clone(), e.clone(), e]);
    assert_eq!(audit(masker.auditor(), &all), Ok(()));
    for e in &all[1..] {
        let [Some(request), Some(response)] = parts(e) else { panic!("both are there") };
        assert!(request.starts_with("GET /kept"), "{request}");
        let kept = ["HTTP/1.1 200 OK\r\nContent-MD5: a ", "\r\nX-Kept: 1\r\nContent-Length: 4\r\n\r\nkept"];
        let tag = response.strip_prefix(kept[0]).and_then(|rest| rest.strip_suffix(kept[1])).unwrap();
        assert!(tag != packed && tag.len() == packed.len(), "{response}");
        assert!(!e.flags.has(Flag::BodyWithheld));
    }
    let withheld = &masker.report().quarantined;
    assert_eq!(withheld.get("hides-original"), Some(&3), "{:?}", parts(&all[1]));
}

#[test]
fn what_is_known_and_only_partly_replaced_is_withheld_and_not_the_end_of_all() {
    // A token of a table, and the same with more of it where a script names it.
    let table = message("HTTP/1.1 200 OK\nContent-Type: text/csv\n", "u,token\n,😀m5😀gp3b😀d403 😀");
    let script = message(
        "HTTP/1.1 200 OK\nContent-Type: text/html\n",
        "<script>\"Authorization\":\"😀m5😀gp3b😀d403 😀m",
    );
    let asks = || message("GET / HTTP/1.1\nHost: a.example\n", "");
    let masked = proven(&[exchange(asks(), table), exchange(asks(), script)]);
    for exchange in &masked {
        let body = &exchange.response.as_ref().unwrap().body;
        assert!(!String::from_utf8_lossy(body).contains("m5😀gp3b😀d403"));
    }
}

#[test]
fn no_half_of_what_is_known_stays_where_a_value_would_end() {
    let ends = [
        " ", "\"", "'", "<", ">", "&", ";", ",", ")", "(", "]", "}", "#", "?", "=", "%", "+", "\\", "`", "|",
        "!", "/",
    ];
    for end in ends {
        let (first, second) = ("TFBk5Wq2", "3bKxpAgytQ7");
        let secret = format!("{first}{end}{second}");
        let form = |text: &str| percent(text.as_bytes());
        let json = |text: &str| serde_json::json!({ "u": text }).to_string();
        let link = format!("https://a.example/?token={secret}&x=1");
        let head = |media: &str| format!("HTTP/1.1 200 OK\nContent-Type: {media}\n");
        let get = |target: &str| message(&format!("GET {target} HTTP/1.1\nHost: a.example\n"), "");
        let asks = || get("/kept");
        let answers = |media: &str, text: &str| exchange(asks(), message(&head(media), text));
        let posts = |text: &str| {
            let media = "Content-Type: application/x-www-form-urlencoded";
            exchange(message(&format!("POST /a HTTP/1.1\n{media}\n"), text), message("HTTP/1.1 204 No\n", ""))
        };
        let referred = message(&format!("GET /a HTTP/1.1\nReferer: {link}\nX-Note: see {link} now\n"), "");
        let learnt = exchange(
            message(
                "POST /login HTTP/1.1\nContent-Type: application/json\n",
                serde_json::json!({ "password": secret }).to_string(),
            ),
            message("HTTP/1.1 204 No Content\n", ""),
        );
        let others = [
            answers("text/plain", &format!("see {link} now")),
            answers("text/plain", &format!("see https://a.example/p/{secret}/q now")),
            answers("text/plain", &format!("see password={secret} now; token={secret}.")),
            answers("text/html", &format!("<p>see {} now</p>", link.replace('<', "&lt;"))),
            answers("application/json", &json(&link)),
            answers("application/json", &json(&format!("see {link} now"))),
            answers("application/json", &json(&format!("password={secret}"))),
            posts(&format!("a={}", form(&link))),
            posts(&format!("a=1&u={}", form(&format!("token={secret}")))),
            exchange(referred, message("HTTP/1.1 204 No Content\n", "")),
            exchange(get(&format!("/a?u={}", form(&link))), message("HTTP/1.1 204 No Content\n", "")),
        ];
        for other in others {
            // Twice: of what comes again something is kept.
            let masked = proven(&[learnt.clone(), other.clone(), other]);
            let all = everything(&masked);
            assert!(!all.contains(first) && !all.contains(second), "{end}: {all}");
            assert!(masked[1..].iter().all(|e| !e.flags.has(Flag::BodyWithheld)), "{end}: {all}");
        }
    }
}

/// The bodies of answers, masked behind requests that send these secrets.
fn told(secrets: &serde_json::Value, answers: &[(&str, &str)]) -> Vec<String> {
    let head = "POST /login HTTP/1.1\nContent-Type: application/json\n";
    let login = exchange(message(head, secrets.to_string()), message("HTTP/1.1 204 No Content\n", ""));
    let get = || message("GET /kept HTTP/1.1\nHost: a.example\n", "");
    let answer = |(media, text): &(&str, &str)| {
        exchange(get(), message(&format!("HTTP/1.1 200 OK\nContent-Type: {media}\n"), text))
    };
    let all: Vec<_> = std::iter::once(login).chain(answers.iter().map(answer)).collect();
    let masked = proven(&all);
    let body = |e: &Exchange| String::from_utf8(e.response.as_ref().unwrap().body.to_vec()).unwrap();
    masked[1..].iter().map(body).collect()
}

#[test]
fn what_reaches_over_the_end_of_what_is_known_goes_too() {
    let link = "https://b.example/cb?token=Zk81LmQ2vT9wX4&user=anna.berg@mail-x.net";
    let json = serde_json::json!({ "u": link }).to_string();
    for known in ["Zk81LmQ2vT9wX4&user=anna", link] {
        let secrets = serde_json::json!({ "token": known });
        for masked in told(&secrets, &[("text/plain", link), ("application/json", &json)]) {
            assert!(!masked.contains("Zk81LmQ2vT9wX4") && !masked.contains("mail-x"), "{masked}");
            assert!(masked.contains("https://b.example/cb?token="), "{masked}");
        }
    }
    // Two that have letters in common.
    let (a, b, c) = ("aKd83Xm2", "b9QrT5wZ", "c7LpV4yN");
    for sign in ["&", " ", "'", ";"] {
        let secrets = serde_json::json!({ "a": { "password": format!("{a}{sign}{b}") }, "b": { "password": format!("{b}{sign}{c}") } });
        let text = format!("{a}{sign}{b}{sign}{c}");
        let (said, link, form) = (
            format!("x {text} y"),
            format!("see https://a.example/?token={text}&x=1"),
            format!("a=1&password={text}&y=2"),
        );
        let json = serde_json::json!({ "u": text, "v": link }).to_string();
        let answers = [
            ("text/plain", &*said),
            ("text/plain", &*link),
            ("text/plain", &*form),
            ("application/json", &*json),
        ];
        for masked in told(&secrets, &answers) {
            assert!([a, b, c].iter().all(|piece| !masked.contains(piece)), "{masked}");
        }
    }
}

#[test]
fn what_is_known_is_seen_with_quotes_written_twice() {
    for quote in ['"', '\''] {
        let secret = format!("xpLZS9YMn4b{quote}Tx4Fp6EP5UPyWMk5Y");
        let twice = secret.replace(quote, &format!("{quote}{quote}"));
        let table = format!("id,note\n1,{quote}{twice}{quote}\n");
        let sql =
            format!("INSERT INTO t VALUES ({quote}{twice}{quote}, 1); SET PASSWORD {quote}{twice}{quote};");
        let plain = format!("it is {secret} now");
        let answers = [("text/plain", &*plain), ("text/csv", &*table), ("text/plain", &*sql)];
        let masked = told(&serde_json::json!({ "password": secret }), &answers);
        let other = masked[0].strip_prefix("it is ").unwrap().strip_suffix(" now").unwrap();
        assert!(other != secret);
        let other = other.replace(quote, &format!("{quote}{quote}"));
        assert_eq!([&masked[1], &masked[2]], [&table.replace(&twice, &other), &sql.replace(&twice, &other)]);
    }
}

#[test]
fn a_secret_that_another_one_begins_goes_to_its_end() {
    let (begin, whole) = ("ckUc2Rb}XsF8", "ckUc2Rb}XsF8%26xfp8qf");
    let text = format!("x {whole} y");
    let json = serde_json::json!({ "u": text }).to_string();
    let pairs = format!("Server=db;Password={begin}");
    let answers = [("text/plain", &*pairs), ("text/plain", &*text), ("application/json", &*json)];
    for secrets in
        [serde_json::json!({ "token": whole }), serde_json::json!({ "password": begin, "token": whole })]
    {
        for masked in &told(&secrets, &answers)[1..] {
            assert!(!masked.contains("xfp8qf") && !masked.contains("ckUc2Rb"), "{masked}");
        }
    }
}

#[test]
fn what_still_shows_is_withheld_rather_than_cut_in_two() {
    let secrets = serde_json::json!({ "password": "aKd83Xm2=b9QrT5wZ>c7LpV4y" });
    let page = "<a href=\"/r?aKd83Xm2=b9QrT5wZ&gt;c7LpV4y 198.51.100.221&amp;b=1\">l</a>";
    for masked in told(&secrets, &[("text/html", page)]) {
        assert!(!masked.contains("b9QrT5wZ") && !masked.contains("c7LpV4y"), "{masked}");
    }
}
