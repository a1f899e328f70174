//! Values within values, and what stands in the way of looking.

use super::*;

/// The body of a JSON answer `{"x": value}` among exchanges that teach nothing.
fn under_x(value: &str) -> String {
    let body = serde_json::json!({ "x": value }).to_string();
    let masked: serde_json::Value = serde_json::from_str(&body_of("application/json", &body)).unwrap();
    masked["x"].as_str().unwrap().to_owned()
}

fn un64(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn encodings_are_opened_under_names_that_say_nothing() {
    let json = format!(r#"{{"step":3,"password":"{PASSWORD}","theme":"dark"}}"#);
    let opened = un64(&under_x(&STANDARD.encode(&json)));
    assert!(opened.starts_with(r#"{"step":3,"password":""#) && opened.ends_with(r#"","theme":"dark"}"#));
    assert!(!opened.contains(PASSWORD), "{opened}");

    let twice = un64(&un64(&under_x(&STANDARD.encode(STANDARD.encode(&json)))));
    assert_eq!(twice, opened, "one value, one pseudonym, however deep");

    let hexed = under_x(&String::from_utf8(mynah_message::hex::encode(json.as_bytes(), true)).unwrap());
    assert_eq!(hexed, String::from_utf8(mynah_message::hex::encode(opened.as_bytes(), true)).unwrap());

    let uri = under_x(&format!("data:application/json;base64,{}", STANDARD.encode(&json)));
    assert_eq!(un64(uri.strip_prefix("data:application/json;base64,").unwrap()), opened);

    let gzip = |text: &str| encode_content(&[mynah_message::Coding::Gzip], text.as_bytes()).unwrap();
    let packed = STANDARD.decode(under_x(&STANDARD.encode(gzip(&json)))).unwrap();
    let coding = mynah_message::Coding::Gzip;
    let unpacked = mynah_message::content::decode_coding(coding, &packed, &Limits::default()).unwrap();
    assert_eq!(String::from_utf8(unpacked).unwrap(), opened);
}

#[test]
fn an_encoded_secret_under_its_name_is_the_same_secret() {
    let body = format!(
        r#"{{"password":"{PASSWORD}","a":{{"password":"{}"}},"b":{{"password":"{}"}},"c":"Basic {}"}}"#,
        STANDARD.encode(PASSWORD),
        String::from_utf8(mynah_message::hex::encode(PASSWORD.as_bytes(), false)).unwrap(),
        STANDARD.encode(format!("ann:{PASSWORD}")),
    );
    let masked: serde_json::Value = serde_json::from_str(&body_of("application/json", &body)).unwrap();
    let plain = masked["password"].as_str().unwrap();
    assert_ne!(plain, PASSWORD);
    assert_eq!(un64(masked["a"]["password"].as_str().unwrap()), plain);
    let hexed = masked["b"]["password"].as_str().unwrap();
    assert_eq!(hexed.as_bytes(), mynah_message::hex::encode(plain.as_bytes(), false));
    let basic = un64(masked["c"].as_str().unwrap().strip_prefix("Basic ").unwrap());
    assert_eq!(basic.split_once(':').unwrap().1, plain);
}

#[test]
fn what_is_nested_too_deep_is_withheld_in_its_smallest_part() {
    let mut text = format!(r#"{{"password":"{PASSWORD}"}}"#);
    for _ in 0..6 {
        text = serde_json::json!({ "x": text }).to_string();
    }
    let deep = |body: &str| message("HTTP/1.1 200 OK\nContent-Type: application/json\nX-Kept: 1\n", body);
    let inner = text.clone();
    for (body, head_value, reason) in [
        (&*text, "1", None),
        (&*serde_json::json!({ "x": inner }).to_string(), "1", Some("nested-too-deep")),
        ("{}", &*serde_json::json!({ "x": text }).to_string(), None),
    ] {
        let mut response = deep(body);
        let head = String::from_utf8(response.head.to_vec()).unwrap();
        response.head = head.replace("X-Kept: 1", &format!("X-Kept: {head_value}")).into();
        let exchanges = [exchange(message("GET / HTTP/1.1\n", ""), response.clone())];
        let (masked, masker) = run(&exchanges);
        let reasons: Vec<_> = masker.report().quarantined.keys().map(String::as_str).collect();
        assert_eq!(reasons, reason.into_iter().collect::<Vec<_>>());
        assert_eq!(masked[0].flags.has(Flag::BodyWithheld), reason.is_some());
        assert!(!everything(&masked).contains(PASSWORD), "{}", everything(&masked));
        let kept = masked[0].response.as_ref().unwrap();
        assert_eq!(kept.body.is_empty(), reason.is_some());
        assert!(kept.head.starts_with(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Kept: "));
    }
}

#[test]
fn what_cannot_be_read_is_withheld_with_the_reason() {
    let bomb = encode_content(&[mynah_message::Coding::Gzip], &vec![b'['; 200 << 20]).unwrap();
    let inner_bomb = encode_content(&[mynah_message::Coding::Gzip], &vec![b' '; 8 << 20]).unwrap();
    let utf16: Vec<u8> = "{\"password\":\"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (head, body, reason) in [
        ("Content-Encoding: gzip\n", b"\x1f\x8b\x08 damaged".to_vec(), "coding-damaged"),
        ("Content-Encoding: compress\n", b"x".to_vec(), "coding-unknown"),
        ("Content-Encoding: gzip\n", bomb, "too-large"),
        ("Content-Type: application/octet-stream\n", inner_bomb.clone(), "too-large"),
        (
            "Content-Type: application/json\n",
            format!("{{\"x\":\"{}\"}}", STANDARD.encode(inner_bomb)).into_bytes(),
            "nested-too-large",
        ),
        ("Content-Type: text/plain; charset=UTF-16LE\n", utf16, "charset"),
        ("Content-Type: application/json\n", b"{\"password\":\"x\",,,".to_vec(), "json-broken"),
    ] {
        let bad = message(&format!("HTTP/1.1 200 OK\n{head}Content-MD5: AAAA\n"), &body);
        let good = message("HTTP/1.1 200 OK\n", "good");
        let exchanges = [
            exchange(message("GET /1 HTTP/1.1\n", ""), bad),
            exchange(message("GET /2 HTTP/1.1\n", ""), good.clone()),
        ];
        let (masked, masker) = run(&exchanges);
        assert_eq!(audit(masker.auditor(), &masked), Ok(()));
        assert_eq!(masker.report().quarantined.iter().collect::<Vec<_>>(), [(&reason.to_owned(), &1)]);
        assert!(masked[0].flags.has(Flag::BodyWithheld) && !masked[1].flags.has(Flag::BodyWithheld));
        let withheld = masked[0].response.as_ref().unwrap();
        assert!(withheld.body.is_empty() && !withheld.head.windows(3).any(|w| w == b"MD5"));
        assert_eq!(masked[1].response.as_ref(), Some(&good), "the rest is written");
    }
}

#[test]
fn files_within_messages_are_opened() {
    let json = format!(r#"{{"email":"{EMAIL}"}}"#);
    let file = encode_content(&[mynah_message::Coding::Gzip], json.as_bytes()).unwrap();
    let head = "PUT /upload HTTP/1.1\nContent-Type: application/gzip\n";
    let masked = proven(&[exchange(message(head, file), message("HTTP/1.1 200 OK\n", ""))]);
    let body = &masked[0].request.as_ref().unwrap().body;
    let coding = mynah_message::Coding::Gzip;
    let text = mynah_message::content::decode_coding(coding, body, &Limits::default()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with(r#"{"email":""#) && !text.contains("Ann.Lee"), "{text}");
}

#[test]
fn names_may_stand_beside_their_values() {
    let pairs = r#"[{"name":"DB_PASSWORD","value":"hunter2!"},{"value":"hunter3!","key":"api_key"},{"name":"colour","value":"red-ish"},{"Field":"pin","Value":4821}]"#;
    let nested = serde_json::json!({ "form": pairs }).to_string();
    for body in [pairs, &nested] {
        let masked = body_of("application/json", body);
        for secret in ["hunter2!", "hunter3!", "4821"] {
            assert!(!masked.contains(secret), "{masked}");
        }
        assert!(masked.contains("red-ish") && masked.contains("DB_PASSWORD"), "{masked}");
    }
}

#[test]
fn arguments_of_graphql_go_by_their_names() {
    let query = format!(
        r#"mutation {{ login(email: "{EMAIL}", password: "hunter2!", remember: true) {{ token user {{ name }} }} }}"#
    );
    let body = serde_json::json!({ "query": query, "variables": { "pin": "4821" } }).to_string();
    let masked = body_of("application/json", &body);
    assert!(
        !masked.contains("hunter2!") && !masked.contains("4821") && !masked.contains("Ann.Lee"),
        "{masked}"
    );
    assert!(masked.contains("remember: true) { token user { name } } }"), "{masked}");
}

#[test]
fn assignments_in_texts_are_seen_and_code_is_left() {
    let log = format!("12:01 login ok password={PASSWORD} user=7, next: token=abc12345; page=2\n");
    let masked = body_of("text/plain", &log);
    assert!(!masked.contains(PASSWORD) && !masked.contains("abc12345"), "{masked}");
    assert!(masked.starts_with("12:01 login ok password=") && masked.ends_with("; page=2\n"), "{masked}");
    let page = format!(
        "<html><!-- password={PASSWORD} --><script>token=readToken(); password=form.password.value;</script></html>"
    );
    let masked = body_of("text/html", &page);
    assert!(!masked.contains(PASSWORD), "{masked}");
    assert!(
        masked.ends_with("<script>token=readToken(); password=form.password.value;</script></html>"),
        "{masked}"
    );
}

/// What is in «» is one value; all else must come out as it went in.
fn only_marked(marked: &str) {
    let pieces: Vec<&str> = marked.split(['«', '»']).collect();
    let [before, secret, behind] = pieces[..] else { panic!("{marked}") };
    let text = pieces.concat();
    let json = serde_json::json!({ "message": text }).to_string();
    let in_json = serde_json::from_str::<serde_json::Value>(&body_of("application/json", &json)).unwrap();
    for masked in [&body_of("text/plain", &text), in_json["message"].as_str().unwrap()] {
        let inner = masked.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
        assert!(inner.is_some_and(|inner| inner.len() == secret.len()), "{marked}: {masked}");
        let words = secret.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(words.filter(|word| word.len() > 3).all(|word| !masked.contains(word)), "{marked}: {masked}");
    }
}

#[test]
fn a_password_in_a_list_of_pairs_goes_with_its_slashes() {
    for marked in [
        "Server=db;User Id=sa;Password=«Tx9kQ2/vb7Lm8»",
        "Server=db;User Id=sa;Password=«Tx9kQ2?vb7Lm8»;Encrypt=true",
        "Server=db;User Id=sa;Password=«sesame/open»;Encrypt=true",
        "Server=db;User Id=sa;Password=«!Tx9kQ2vb7Lm8»;Encrypt=true",
        "open Server=db;Password=«Tx9kQ2/vb7Lm8»;Encrypt=true failed",
        "auth(user=sa password=«Tx9kQ2vb7Lm8»).",
        "path=/shop;jsessionid=«A1B2C3D4E5F6»/cart?id=5 status=200",
        "(Server=db;Password=«Tx9kQ2#vb7Lm8»)",
        "jdbc:sqlserver://db:1433;password=«Tx9kQ2/vb7Lm8»;user=sa",
        "jdbc:sqlserver://db:1433;user=sa;password=«Tx9kQ2/vb7Lm8»;encrypt=true",
        "see /a;p=1;token=«k3J9xQ2mLp0Z»/b?c=1",
        "see https://x.example/a;p=1;token=«k3J9xQ2mLp0Z»/b",
        "a=1;token=«k3J9xQ2mLp0Z»&b=2;c=3",
        "f(a=1,token=«k3J9xQ2mLp0Z»)",
        "Пароль: «Tx9kQ2vb7Lm8»",
        "hasło=«Tx9kQ2vb7Lm8» x",
        "登录密码: «Tx9kQ2vb7Lm8»",
        "您的pwd: «Tx9kQ2vb7Lm8»",
        "您的pwd=«Tx9kQ2vb7Lm8»",
        "CREATE LOGIN web WITH PASSWORD = N'«Tx9kQ2;vb7Lm8»', CHECK_POLICY = ON",
        "ALTER USER web WITH PASSWORD E'«Tx9kQ2,vb7Lm8»' VALID UNTIL 'infinity'",
        "password = b\"«Tx9kQ2,vb7Lm8»\"",
        "exec sp_addlogin @loginame=N'web', @password=N'«Tx9kQ2,vb7Lm8»'",
        "密码：«Tx9kQ2vb7Lm8»，请妥善保管。",
        "您的登录密码： «Tx9kQ2vb7Lm8»。",
        "パスワード＝«Tx9kQ2vb7Lm8»、",
        "密码: «Tx9kQ2vb7Lm8»，谢谢",
    ] {
        only_marked(marked);
    }
}

#[test]
fn digests_follow_and_signatures_go_without_their_form() {
    use sha2::Digest as _;
    const SHA: &str = "5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";
    let head = format!(
        "POST /hook HTTP/1.1\nContent-Type: application/json\nContent-Digest: sha-256=:AAAA:\nStripe-Signature: t=1492774577,v1={SHA}\nX-Hub-Signature-256: sha256={SHA}\n"
    );
    let body = format!(r#"{{"email":"{EMAIL}"}}"#);
    let (masked, masker) = run(&[exchange(message(&head, body), message("HTTP/1.1 200 OK\n", ""))]);
    assert_eq!(masker.report().signed["stripe-webhook"], 1);
    let request = masked[0].request.as_ref().unwrap();
    let digest = STANDARD.encode(sha2::Sha256::digest(&request.body));
    assert_eq!(extract(request, "header:Content-Digest"), format!("sha-256=:{digest}:"));
    let stripe = extract(request, "header:Stripe-Signature");
    let v1 = stripe.strip_prefix("t=1492774577,v1=").unwrap();
    assert!(v1.len() == 64 && v1 != SHA && v1.bytes().all(|b| b.is_ascii_hexdigit()), "{stripe}");
    assert_eq!(extract(request, "header:X-Hub-Signature-256"), format!("sha256={v1}"));
}

#[test]
fn odd_documents_keep_every_byte_outside_of_the_masked_spans() {
    // What is in «» is sensitive; all else must come out as it went in.
    let odd = [
        ("duplicate keys", r#"{"password":"«first-one-77»","password":"«second-one-78»","a":1,"a":2}"#),
        ("numbers beyond a double", r#"{"n":1e400,"m":-1E-400,"email":"«a@b.example»"}"#),
        ("lone surrogates", r#"{"s":"\ud83d","t":"\uDE00x","email":"«a@b.example»"}"#),
        ("a byte order mark", "\u{feff}{\"email\":\"«a@b.example»\"}"),
        ("big integers", r#"{"id":123456789012345678901234567890,"email":"«a@b.example»"}"#),
        ("1.0 is not 1", r#"{"a":1.0,"b":1,"c":1.00e0,"d":-0,"e":0.10,"email":"«a@b.example»"}"#),
        ("escaped slashes", r#"{"u":"https:\/\/x.example\/a","email":"«a@b.example»","v":"a\/b"}"#),
        ("documents in a row", "{\"email\":\"«a@b.example»\"}\n{\"email\":\"«c@d.example»\"}{\"n\":1}"),
        ("white space", " \t\r\n[ {\r\n\t\"email\" : \"«a@b.example»\" } ,\n\n 1 ] \n"),
        ("escapes nobody needs", r#"{"\u0065mail":"«a@b.example»","x":"\u0041\u00e9\u002F"}"#),
        ("control characters", "{\"x\":\"a\tb\u{1}c\",\"email\":\"«a@b.example»\"}"),
        ("empty and odd keys", r#"{"":0,"a.b[0]":1,"'":2,"email":"«a@b.example»","\"":3}"#),
        ("deep nesting", r#"[[[[[[[[[[[[[[[[[[[[{"a":[{"email":"«a@b.example»"}]}]]]]]]]]]]]]]]]]]]]]"#),
        ("scalars as documents", "\"«a@b.example»\"\n42\nnull\n\"x\""),
        ("a secret as a number", r#"{"card_number":«4111111111111111»,"cvc":«123»,"n":4111111111111112}"#),
        (
            "literals and nulls under telling names",
            r#"{"password":null,"token":false,"email":"","pin":"«4821»"}"#,
        ),
    ];
    for (what, marked) in odd {
        let pieces: Vec<&str> = marked.split(['«', '»']).collect();
        let masked = body_of("application/json", &pieces.concat());
        let mut rest = masked.as_str();
        for (i, piece) in pieces.iter().enumerate() {
            if i % 2 == 0 {
                rest = rest.strip_prefix(piece).unwrap_or_else(|| panic!("{what}: {piece:?} in {masked:?}"));
            } else {
                let end = rest.find(pieces[i + 1].chars().next().unwrap()).unwrap();
                assert_ne!(&rest[..end], *piece, "{what}: {masked}");
                assert!(end > 0, "{what}: {masked}");
                rest = &rest[end..];
            }
        }
        assert_eq!(rest, "", "{what}: {masked}");
    }
    // Bytes that are no UTF-8 are kept, too.
    let body = [&b"{\"x\":\"\xff\xfe\xc3\",\"email\":\"a@b.example\"}"[..]].concat();
    let head = "HTTP/1.1 200 OK\nContent-Type: application/json\n";
    let masked = proven(&[exchange(message("GET / HTTP/1.1\n", ""), message(head, body))]);
    assert!(masked[0].response.as_ref().unwrap().body.starts_with(b"{\"x\":\"\xff\xfe\xc3\",\"email\":\""));
}

#[test]
fn clients_have_pseudonyms_that_are_theirs_in_fields_too() {
    let from = |client: &str| {
        let ip = client.rsplit_once(':').unwrap().0;
        let mut e = exchange(
            message(&format!("GET / HTTP/1.1\nX-Forwarded-For: {ip}\n"), ""),
            message("HTTP/1.1 200 OK\n", ""),
        );
        e.connection.client = Some(client.parse().unwrap());
        e
    };
    let masked = proven(&[from("93.184.216.34:4711"), from("93.184.216.35:4712"), from("127.0.0.1:4713")]);
    let clients: Vec<_> = masked.iter().map(|e| e.connection.client.unwrap()).collect();
    assert_ne!(clients[0].ip(), "93.184.216.34".parse::<std::net::IpAddr>().unwrap());
    assert_ne!(clients[0].ip(), clients[1].ip());
    assert_eq!([clients[0].port(), clients[2].port()], [4711, 4713]);
    assert_eq!(clients[2].to_string(), "127.0.0.1:4713", "nobody's address");
    for (e, client) in masked.iter().zip(clients) {
        assert_eq!(request(e, "header:X-Forwarded-For"), client.ip().to_string());
    }
    let policy = Policy::parse("[[rule]]\nwhere = \"kind:ip\"\nwhat = \"keep\"\n", "masking.toml").unwrap();
    let mut masker = Learner::new(policy, Key::from([3; 32])).finish();
    let kept = masker.mask(from("93.184.216.34:4711")).unwrap().into_inner();
    assert_eq!(kept.connection.client.unwrap().to_string(), "93.184.216.34:4711");
}

#[test]
fn texts_that_were_escaped_for_something_else_are_seen() {
    for text in [
        "Dear nalfel&period;wesdwe&commat;fynwesgwi&period;com,",
        r"log: \u006e\u0061lfel.wesdwe@fynwesgwi.com",
        "twice &amp;#110;alfel.wesdwe@fynwesgwi.com",
        "both %26%23110%3balfel.wesdwe@fynwesgwi.com",
    ] {
        let e = exchange(
            message(
                "POST / HTTP/1.1\nContent-Type: application/json\n",
                r#"{"email":"nalfel.wesdwe@fynwesgwi.com"}"#,
            ),
            message("HTTP/1.1 200 OK\n", text),
        );
        let masked = proven(&[e]);
        let body = String::from_utf8(masked[0].response.as_ref().unwrap().body.to_vec()).unwrap();
        assert!(!body.contains("fynwesgwi"), "{body}");
    }
}

#[test]
fn layers_of_many_encodings_do_not_multiply_the_work() {
    let mut text = "&amp;\\\\%25".repeat(2000);
    for _ in 0..3 {
        text = text.replace('&', "&amp;").replace('\\', "\\\\").replace('%', "%25");
    }
    let e = exchange(message("GET / HTTP/1.1\n", ""), message("HTTP/1.1 200 OK\n", &text));
    let (masked, masker) = run(&[e]);
    assert_eq!(masker.report().quarantined["nested-too-deep"], 1);
    assert!(masked[0].response.as_ref().unwrap().body.is_empty());
}

#[test]
fn documents_within_texts_are_opened() {
    for (what, media, body) in [
        ("events", "text/event-stream", "event: x\ndata: {\"password\":\"hunter22x\"}\n\n"),
        ("jsonp", "application/json", "cb({\"password\":\"hunter22x\"})"),
        ("a comment", "application/json", "/* c */ {\"password\":\"hunter22x\"}"),
        ("a log", "text/plain", "INFO user={\"password\":\"hunter22x\"} done"),
        (
            "a page in JSON",
            "application/json",
            r#"{"html":"<p>Hi</p><input name=\"password\" value=\"hunter22x\">"}"#,
        ),
        ("XML in XML", "text/xml", "<a><b>&lt;password&gt;hunter22x&lt;/password&gt;</b></a>"),
        ("XML in JSON", "application/json", r#"{"xml":"<u><password>hunter22x</password></u>"}"#),
        ("CDATA", "text/xml", "<a><![CDATA[<password>hunter22x</password>]]></a>"),
        ("a table", "text/csv", "id,first_name,password\n1,Annabella,hunter22x\n2,\"Bo, b\",\"hunter22x\"\n"),
        ("JSON as an image", "image/png", "{\"password\":\"hunter22x\"}"),
        ("numbered", "application/x-www-form-urlencoded", "new_password1=hunter22x&password_again=hunter22x"),
    ] {
        let head = format!("HTTP/1.1 200 OK\nContent-Type: {media}\n");
        let masked = proven(&[exchange(message("GET / HTTP/1.1\n", ""), message(&head, body))]);
        let masked = String::from_utf8(masked[0].response.as_ref().unwrap().body.to_vec()).unwrap();
        assert!(!masked.contains("hunter22x") && !masked.contains("Annabella"), "{what}: {masked}");
        assert_eq!(masked.len(), body.len(), "{what}: {masked}");
    }
}

#[test]
fn what_speaks_of_a_secret_is_none() {
    let body = r#"{"errors":{"password":"Password must be at least 8 characters","token":"Your session has expired, please log in again"},"otp":"required"}"#;
    assert_eq!(body_of("application/json", body), body);
    let passphrase = r#"{"password":"correct horse battery staple"}"#;
    assert_ne!(body_of("application/json", passphrase), passphrase);
}

#[test]
fn signs_without_letters_cost_nothing() {
    for secret in ["••••••••", "•••••••• ••••", "★★★★★★", "🔑🔑🔑🔑🔑", "—————————"]
    {
        let body = format!(r#"{{"password":"{secret}","first_name":"{secret}","address":"{secret}"}}"#);
        let _ = body_of("application/json", &body);
    }
}

#[test]
fn xml_that_is_too_deep_is_withheld() {
    let body = format!("{}<password>hunter22x</password>", "<a>".repeat(130));
    let e = exchange(
        message("GET / HTTP/1.1\n", ""),
        message("HTTP/1.1 200 OK\nContent-Type: text/xml\n", &body),
    );
    let (masked, masker) = run(&[e]);
    assert_eq!(masker.report().quarantined["body-broken"], 1);
    assert!(masked[0].response.as_ref().unwrap().body.is_empty());
}

#[test]
fn web_tokens_by_a_rule_that_are_none_go_all_the_same() {
    let policy = Policy::parse("[[rule]]\nwhere = \"json:$.v\"\nwhat = \"jwt\"\n", "masking.toml").unwrap();
    let mut masker = Learner::new(policy, Key::from([3; 32])).finish();
    let head = "HTTP/1.1 200 OK\nContent-Type: application/json\n";
    let e = exchange(message("GET / HTTP/1.1\n", ""), message(head, r#"{"v":"R-77-abc"}"#));
    let masked = masker.mask(e).unwrap().into_inner();
    assert!(!everything(&[masked]).contains("R-77-abc"));
}

#[test]
fn a_password_in_a_connection_string_goes_with_all_its_signs() {
    for marked in [
        "Server=db;User Id=sa;Password=«Tx9kQ2)vb7Lm8»;Encrypt=true",
        "Server=db;User Id=sa;Password=«Tx9k, Q2&vb7Lm8»",
        "Server=db;User Id=sa;Password=«Tx9kQ2=[vb7Lm8»;",
        "Server=db;User Id=sa;Password=\"«Tx9kQ2;vb7Lm8»\";Encrypt=true",
        "Driver={SQL Server};Server=db;Pwd={«Tx9kQ2;vb7Lm8»}",
        "Server=db;Database=shop;Uid=sa;Pwd=«sesame open»",
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=«AbCd+fGhIjKl/nOpQrStUvWxYz0123456789aaaa»;EndpointSuffix=core.windows.net",
        "Endpoint=sb://shop.servicebus.example/;SharedAccessKeyName=Root;SharedAccessKey=«AbCd+fGhIjKl/nOpQrStUvWxYz0123456789aaaa=»",
        "jdbc:sqlserver://db:1433;user=sa;password=«Tx9kQ2)?vb7Lm8»;encrypt=true",
        "host=db user=web password=«Tx9kQ2),vb7Lm8» dbname=shop",
        "host=db password='«Tx9kQ2 vb7Lm8»' dbname=shop",
        "x: 1\nDSN=\"host=db port=5432 password=«Tx9kQ2),vb7Lm8»\"\ny: 2",
    ] {
        only_marked(marked);
    }
    // What else is found in a text is found in these as well.
    for (text, secret) in [
        ("jdbc:mysql://ann:Hunter22xq@db/x;useSSL=false", "Hunter22xq"),
        ("jdbc:postgresql://db/x?user=ann&password=Hunter22x&options=-c%20a;b=c", "Hunter22x"),
        ("ann:p)7k@tcp(db:3306)/x?password=Hunter22x&tls=true", "Hunter22x"),
        ("API_SECRET=Server=db;Region=hunter22x", "Server=db"),
        ("password=ann:x7)k@tcp(db)/Zk8", "/Zk8"),
        ("Server=db;Uid=sa;Pwd='BLH>Rxn<MFT'", "MFT"),
        ("Server=db;Uid=sa;Pwd={xgG6}}CDKW>spR*gPsfS<bJz}", "bJz"),
        ("host=web1 msg=retry;next token=Kj38dkqPq92mxZ", "Kj38dkqPq92mxZ"),
        ("host=db user=ann password=bN7;z2q dbname=s", "z2q"),
    ] {
        let masked = under_x(text);
        assert!(!masked.contains(secret), "{text}: {masked}");
    }
    for (text, secrets) in [
        ("ann:Tx9kQ2),v@b7Lm8@tcp(db:3306)/shop?parseTime=true", ["Tx9kQ2", "b7Lm8"]),
        ("jdbc:oracle:thin:scott/Tx9kQ2),vb7Lm8@//db:1521/shop", ["Tx9kQ2", "vb7Lm8"]),
    ] {
        let masked = under_x(text);
        let kept = text.rsplit('@').next().unwrap();
        assert!(masked.ends_with(kept) && !secrets.iter().any(|s| masked.contains(s)), "{masked}");
    }
}
