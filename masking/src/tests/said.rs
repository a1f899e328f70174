//! Names and their values in the midst of texts.

use super::*;

/// What becomes of a text by itself, in JSON, in a page, and in a head.
fn places(text: &str) -> Vec<String> {
    let json = body_of("application/json", &serde_json::json!({ "x": text }).to_string());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut all = vec![body_of("text/plain", text), json["x"].as_str().unwrap().to_owned()];
    if !text.contains(['<', '>', '&']) {
        let page = body_of("text/html", &format!("<html><p>{text}</p></html>"));
        all.push(page.strip_prefix("<html><p>").unwrap().strip_suffix("</p></html>").unwrap().to_owned());
    }
    if !text.contains('\n') {
        let asks = message(&format!("GET / HTTP/1.1\nX-Note: {text}\n"), "");
        let masked = proven(&[exchange(asks, message("HTTP/1.1 204 No Content\n", ""))]);
        all.push(request(&masked[0], "header:X-Note"));
    }
    all
}

#[test]
fn what_a_text_says_to_be_a_secret_is_one() {
    for (before, secret, behind) in [
        ("login of ann, password: ", "hunter2pass", ", from 4 hosts"),
        ("Your new password : ", "hunter2pass", ". Keep it"),
        ("password = ", "hunter2pass", "\nnext"),
        ("the \"password\": \"", "hunter2pass", "\" is set"),
        ("with 'password': '", "hunter!pass", "' in it"),
        ("params \"password\"=>\"", "hunter2pass", "\", \"a\"=>\"b\""),
        ("password := \"", "hunter2pass", "\""),
        ("x password=\"", "hunter2pass", "\" y"),
        ("password:\"", "hunter2pass", "\""),
        ("config api_key: ", "abc123def456", " end"),
        ("Your API key: ", "abc123def456", " (do not share)"),
        ("Your verification code: ", "483920", " is valid"),
        ("Client secret\t:  ", "kJ3x9QmLp0", ""),
        ("curl -H 'Authorization: Bearer ", "k3J9xQ2m", "' x"),
        ("Authorization: Bearer ", "k3J9xQ2m", " sent"),
        ("\"Authorization\": \"Bearer ", "k3J9xQ2m", "\" sent"),
        ("Authorization: ", "k3J9xQ2mLp", " sent"),
        ("- PASSWORD: ", "Sommer2026", "\n- USER: ann"),
        ("session: ", "k3J9xQ2mLp", " ended"),
        ("CVV: ", "123", " ok"),
    ] {
        let text = format!("{before}{secret}{behind}");
        for masked in places(&text) {
            assert!(masked.starts_with(before) && masked.ends_with(behind), "{masked}");
            assert!(masked.len() == text.len() && !masked.contains(secret), "{masked}");
        }
    }
}

#[test]
fn what_a_text_says_about_a_secret_stays() {
    for text in [
        "Password: required",
        "| Name | Type |\n| Password | varchar(255) |\n",
        "| Name | Type |\n| Password | VARCHAR2 |\n| Token | CHAR64 |\n",
        "| Password | 2024-01-05 | changed |\n",
        "1Password: 8.10.2b4",
        "{password:password2, token:token1}",
        "run --password %PASSWORD1% now",
        "password: utf8mb4",
        "token: see below",
        "the session: 2 hours",
        "key: value",
        "key: value2 and id: abc12345",
        "Your password: at least 8 characters, 1 digit",
        "Password: 8-16 characters",
        "password: ********, token: [FILTERED]",
        "\"password\": \"${PASSWORD_1}\" and \"password\": \"[FILTERED]\"",
        "\"password\": \"change me\" and 'password': 'required'",
        "password: https://shop.example/help/2",
        "Authorization: Bearer realm is wrong",
        "authentication: oauth2, algorithm: HS256, token: sha256",
        "token = getToken(1); session = sessions[0]",
        "session: 2026-11-22T14:00:00Z",
        "at 12:30:45 10:20 in pass: 12ms fail: 3",
        "max_token: 4096",
        "password_changed_at: 2026-11-22, tokenType: Bearer1234",
        "pin: 12 and otp: off",
        "https://shop.example:8080/token: 1",
        "password == hunter2pass",
        "sign in: XMLHttpRequest token: HTTPSConnectionPool",
    ] {
        for masked in places(text) {
            assert_eq!(masked, text);
        }
    }
}

#[test]
fn the_same_secret_has_one_pseudonym() {
    let text = format!(
        "password: {PASSWORD}\n\"password\": \"{PASSWORD}\"\npassword={PASSWORD}\nit is {PASSWORD} now"
    );
    let masked = body_of("text/plain", &text);
    let one = masked.lines().next().unwrap().strip_prefix("password: ").unwrap();
    assert_eq!(masked, text.replace(PASSWORD, one));
    assert_ne!(masked, text);
    // In quotes a text means what its escapes say.
    let escaped =
        body_of("text/plain", r#"log "password": "a\"b2\u0063d" and password: a1, {"password": "a\"b2cd"}"#);
    let made = escaped.split("\"password\": \"").nth(2).unwrap().strip_suffix("\"}").unwrap();
    let first: serde_json::Value = serde_json::from_str(&format!(
        "\"{}\"",
        escaped.split("\" and").next().unwrap().strip_prefix("log \"password\": \"").unwrap()
    ))
    .unwrap();
    let last: serde_json::Value = serde_json::from_str(&format!("\"{made}\"")).unwrap();
    assert!(first == last && !escaped.contains("b2"), "{escaped}");
}

#[test]
fn code_of_pages_stays_code() {
    let page = "<html><script>var a = {password: e1.password2, token: r2t5.k3J9xQ2mLp}; b(a)</script><!-- password: !hunter2 --></html>";
    let masked = body_of("text/html", page);
    assert!(
        masked.starts_with(&page[..page.find("<!--").unwrap()]) && !masked.contains("hunter2"),
        "{masked}"
    );
    let script = "const login = {password: form1.password2.value, secret: x1y2z3}; session = k3J9xQ2mLp;";
    assert_eq!(body_of("text/javascript", script), script);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whoever says at one look that there is nothing looks for names as well.
    #[test]
    fn no_look_passes_over_what_is_said(
        before in "(http(s://a.example/b)?|[a-z0-9]{0,9}|[a-z ]{0,20}|/[a-z]{1,5}|W/|\"|\\{)[ ,:]?",
        name in prop::sample::select(vec!["password", "passwd", "api_key", "secret"]),
        between in prop::sample::select(vec![": ", " = ", "\":\"", "': '", ":\"", "=\"", "\t:\t"]),
        behind in "\"?'?([ ,?][a-z0-9=&:/.]{0,20})?",
        again in any::<bool>(),
    ) {
        let quote = between.chars().last().filter(|c| "\"'".contains(*c)).map(String::from).unwrap_or_default();
        let text = format!("{before}{name}{between}k3j9xq2mlp{quote}{behind}");
        let texts = if again { vec![format!("https://a.example/{behind}"), text.clone(), text.clone()] } else { vec![text.clone()] };
        let name_begins = before.chars().last().is_none_or(|c| !c.is_ascii_alphanumeric());
        prop_assume!(name_begins);
        let body = serde_json::json!(texts).to_string();
        let masked = body_of("application/json", &body);
        prop_assert!(!masked.contains("k3j9xq2mlp"), "{}", masked);
        for masked in places(&text) {
            prop_assert!(!masked.contains("k3j9xq2mlp"), "{}", masked);
        }
    }

    /// The same of all other ways in which it may be said.
    #[test]
    fn no_look_passes_over_another_way_of_saying_it(
        before in "([a-z0-9]{0,9}|[a-z ]{0,20}|[A-Z][a-z]{1,12}, [a-z]{1,9}|/[a-z]{1,5}|[0-9]{4}-[0-9]{2}|[bB]earer|basic)[ (;]",
        (open, close) in prop::sample::select(vec![
            ("password:", ""), ("api_key:", ""), ("curl -u a:", ""), ("curl --user 'a:", "'"), ("--password ", ""), ("--token \"", "\""),
            ("set('password', '", "')"), ("(\"token\",\"", "\")"), ("identified by '", "'"), ("password '", "'"),
            ("x['password'] = '", "'"), ("password: `", "`"), ("\n|password|", "|"), ("\n| api key | ", "|"), ("\n**token:** ", ""),
            ("<b>password:</b> ", ""), ("<th>token</th><td>", "</td>"),
        ]),
        secret in prop::sample::select(vec!["k3j9xq2mlp", "0123456789abcdef", "kd7fh2ks8"]),
        behind in "( [a-z0-9=&:/.]{0,20})?",
        again in any::<bool>(),
        alone in any::<bool>(),
    ) {
        let before = if alone { String::new() } else { before };
        let text = format!("{before}{open}{secret}{close}{behind}");
        let others = if again { 3 } else { 1 };
        let body = serde_json::json!(vec![text.clone(); others]).to_string();
        // What stands behind a bar ends with the cell.
        prop_assume!(!open.contains('|') || behind.is_empty());
        let masked = body_of("application/json", &body);
        prop_assert!(!masked.contains(secret), "{}", masked);
        for masked in places(&text) {
            prop_assert!(!masked.contains(secret), "{}", masked);
        }
    }
}

#[test]
fn what_is_known_is_no_part_of_what_a_name_says() {
    const V: &str = "horse7battery9staple2";
    for (password, log) in [
        ("abcd1234 V", "password: abcd1234 V"),
        ("abcd1234,V", "password: abcd1234,V"),
        ("8111 V", "PIN: 8111 V"),
        ("8111 V", "PIN=8111 V"),
        ("1 V", "PIN: 8111 V"),
        ("1 V", "PIN=8111 V"),
        ("1 V", "otp: 123451 V and more"),
    ] {
        for token in [r#""token":"V","#, ""] {
            let json = format!(r#"{{{token}"password":"{password}","log":"{log}"}}"#).replace('V', V);
            let answer = body_of("application/json", &json);
            assert!(!answer.contains("horse7"), "{json}: {answer}");
            let log = log.replace('V', V);
            let asked =
                message("POST / HTTP/1.1\nContent-Type: application/json\n", json.replace(&log, "nothing"));
            for media in ["text/plain", "text/html"] {
                let told = message(&format!("HTTP/1.1 200 OK\nContent-Type: {media}\n"), format!("<p>{log}"));
                let masked = proven(&[exchange(asked.clone(), told)]);
                assert!(!everything(&masked).contains("horse7"), "{log}: {}", everything(&masked));
            }
        }
    }
}

#[test]
fn marks_around_a_value_are_none_of_it() {
    for (before, behind) in
        [("\u{201c}", "\u{201d}"), ("\u{ab}", "\u{bb}"), ("**", "**"), ("_", "_"), ("", "\u{2026}")]
    {
        let json = format!(
            r#"{{"password":"hunter2pass9zQ","log":"your password: {before}hunter2pass9zQ{behind}"}}"#
        );
        let masked: serde_json::Value = serde_json::from_str(&body_of("application/json", &json)).unwrap();
        let made = masked["password"].as_str().unwrap();
        assert_eq!(masked["log"], format!("your password: {before}{made}{behind}"), "{json}");
    }
}

#[test]
fn a_word_in_angle_brackets_is_no_element() {
    for text in [
        "usage: mysql -p <password> shop\nThe database is chosen by name behind it.\n",
        "expected <token> but found identifier foo in line 3",
        "curl -u user:<password> https://a.example/x and then wait",
        "ArrayList<Session>(); and more code here",
    ] {
        assert_eq!(body_of("text/plain", text), text);
        let json = serde_json::json!({ "error": text }).to_string();
        assert_eq!(body_of("application/json", &json), json);
        let page = format!("<p>{}</p>", text.replace('<', "&lt;").replace('>', "&gt;"));
        assert_eq!(body_of("text/html", &page), page);
    }
    for text in [
        "it says <password>hunterpass</password> there",
        "it says <a><password>hunterpass</password><b/></a> there",
        "it says <password><![CDATA[hunterpass]]></password> there",
        "it says <user password=\"hunterpass\"/> there",
    ] {
        assert!(!body_of("text/plain", text).contains("hunterpass"), "{text}");
    }
}

#[test]
fn the_usual_ways_of_writing_a_name_and_its_value_are_heard() {
    for (before, secret, behind) in [
        ("login of ann, password:", "x1y2z3", " ok"),
        ("api_key:", "abc123def456", ", end"),
        ("Your API key:", "abc123def456", ""),
        ("pwd:", "Sommer2026", ""),
        ("{user:ann,password:", "x1y2z3", "}"),
        ("config[\"password\"] = \"", "hunter2pass", "\";"),
        ("$cfg['db_password'] = '", "x1y2z3", "';"),
        ("$cfg['db']['password'] => '", "x1y2z3", "',"),
        ("os.environ[\"DB_PASSWORD\"] = \"", "x1y2z3", "\""),
        ("ENV['API_KEY']='", "abc123def456", "'"),
        ("define('DB_PASSWORD', '", "x1y2z3", "');"),
        ("map.set( \"password\" , \"", "x1y2z3", "\" )"),
        (".put(\"password\",\"", "hunter!pass", "\");"),
        (".header(\"Authorization\", \"Bearer ", "k3J9xQ2m", "\")"),
        ("user.setPassword(\"", "x1y2z3", "\");"),
        ("SELECT PASSWORD('", "x1y2z3", "')"),
        ("mysql --user root --password ", "x1y2z3", " shop"),
        ("--password ", "x1y2z3", ""),
        ("run --db-password '", "x1y2z3", "' --port 3306"),
        ("gh --token ", "k3J9xQ2mLp", " x"),
        ("curl -u ann:", "x1y2z3", " https://a.example/"),
        ("curl -sS https://a.example/ --user \"ann:", "x1y2z3", "\""),
        ("curl -uann:", "x1y2z3", " https://a.example/"),
        ("curl --proxy-user ann:", "x1y2z3", " https://a.example/"),
        ("CREATE USER 'ann'@'a' IDENTIFIED BY '", "x1y2z3", "';"),
        ("identified with native_password by '", "x1y2z3", "'"),
        ("ALTER ROLE ann WITH ENCRYPTED PASSWORD '", "x1y2z3", "' LOGIN"),
        ("SET PASSWORD = '", "x1y2z3", "'"),
        ("**Password:** ", "x1y2z3", "\nnext"),
        ("- **Password**: ", "x1y2z3", ""),
        ("*Password*: ", "x1y2z3", " and more"),
        ("your password: `", "x1y2z3", "`"),
        ("| Password | ", "x1y2z3", " |"),
        ("|User|ann|\n|Password|", "x1y2z3", "|\n"),
        ("a\n| **API key** | `", "abc123def456", "` | b |"),
        ("  user     | ann\n  password | ", "x1y2z3", "\n"),
        ("password                                        : ", "x1y2z3", ""),
        ("password:                                        ", "x1y2z3", ""),
        ("<b>Password:</b> ", "x1y2z3", " and more"),
        ("<strong>Password</strong>: ", "x1y2z3", "<br>"),
        ("<p><b>Password:</b><br>\n<code>", "x1y2z3", "</code></p>"),
        ("<table><tr><th>Password</th>\n<td>", "x1y2z3", "</td></tr></table>"),
        ("<dl><dt>Password</dt><dd>", "x1y2z3", "</dd></dl>"),
        ("<a><name>password</name><value>", "x1y2z3", "</value></a>"),
        ("<dict><key>password</key><string>", "x1y2z3", "</string></dict>"),
    ] {
        let text = format!("{before}{secret}{behind}");
        for masked in places(&text) {
            assert!(masked.starts_with(before) && masked.ends_with(behind), "{masked}");
            assert!(masked.len() == text.len() && !masked.contains(secret), "{masked}");
        }
    }
    for text in ["password: пароль123", "| password | κωδικός1 |", "password: größe12"] {
        for masked in places(text) {
            let value =
                |text: &str| text.split(' ').nth(text.split(' ').count().min(4) - 1).map(str::to_owned);
            assert_ne!(value(&masked), value(text), "{masked}");
        }
    }
}

#[test]
fn labels_of_pages_name_what_is_in_the_next_element() {
    for (before, secret, behind) in [
        ("<p><b>Password:</b> ", "x1y2z3", " and more</p>"),
        (
            "<table><tr><th>User</th><td>ann</td></tr><tr><th>Password</th>\n  <td>",
            "x1y2z3",
            "</td></tr></table>",
        ),
        ("<dl><dt>Your password:</dt><dd class=\"x\"><code>", "x1y2z3", "</code></dd></dl>"),
        ("<label for=\"k\">API key</label> <span id=\"k\">", "abc123def456", "</span>"),
        ("<td>Password</td><td>", "x1&amp;y2z3", "</td>"),
    ] {
        let page = format!("<html><body>{before}{secret}{behind}</body></html>");
        for media in ["text/html", "application/xhtml+xml"] {
            let masked = body_of(media, &page);
            assert!(masked.len() == page.len() && !masked.contains(secret), "{masked}");
            assert_eq!(masked.find(before), page.find(before), "{masked}");
        }
        // When the page comes again it is not taken apart again.
        let told = message("HTTP/1.1 200 OK\nContent-Type: text/html\n", &page);
        let again = vec![exchange(message("GET / HTTP/1.1\n", ""), told); 4];
        assert!(!everything(&proven(&again)).contains(secret), "{page}");
    }
    let xml = "<a><entry><name>password</name><value>x1y2z3</value></entry></a>";
    let masked = body_of("application/xml", xml);
    assert!(
        masked.starts_with("<a><entry><name>password</name><value>") && !masked.contains("x1y2z3"),
        "{masked}"
    );
    for page in [
        "<html><th>Password</th><th>Email2</th></html>",
        "<html><tr><th>Password</th></tr><tr><td>ann12345</td></tr></html>",
        "<html><label>Password</label><input type=\"text\"><p>step12</p></html>",
        "<html><b>Password</b> reset12 <dt>Token</dt><dd>v1.2.3</dd> <dt>Password</dt><dd>8 characters</dd></html>",
    ] {
        assert_eq!(body_of("text/html", page), page);
    }
}

#[test]
fn what_is_written_like_a_name_and_its_value_stays() {
    for text in [
        "time 12:30:45, http://a.example/password:x1y2z3 and token:refresh:user123",
        "token:abc123def@shop key:abc12345 user:pass1x",
        "password:string, token:string1, secret:e1.password2",
        "{color:red1,width:12px} content:x1y2z3",
        "password:8文字以上",
        "docker run -u 1000:1000 x; id -u ann:x1y2z3",
        "curl -u $NAME:$PASSWORD1 https://a.example/",
        "cp --user ann --token-type x1y2z3 --password-file x1y2z3",
        "--password $PASSWORD1 --token <token1>",
        "cat password | base64 -d",
        "let pass = pass.map(|pass| decoded1(pass));",
        "| Password | 2 |\n| name | password | email2 |",
        "| token | 2026-11-22 |\n| version | v1.2.3 |",
        "ORDER BY 'x1y2z3', don't 'x1y2z3'",
        "t('password', 'Passwort') get(\"key\", \"x1y2z3\")",
        "set(\"password\", \"${PASSWORD1}\") assert(\"token\", \"two words 2\")",
        "labels[\"token\"] = 12 config[password] == x1y2z3",
        "<th>Password</th><th>Email2</th>",
        "<tr><th>Password</th></tr><tr><td>ann12345</td></tr>",
        "<b>Password</b> reset12 <b>token</b> of a1b2c3d4",
        "session: 2024-05-01, token: v1.2.3, auth: passport-jwt@4.0.1",
        "def get(session: _OAuth2Session) -> _OAuth2Session: pass: 9.429439",
        "$password = ConvertTo-SecureString \"x\"",
        "PIN: 2024 edition, otp: 20240101T000000Z",
    ] {
        for masked in places(text) {
            assert_eq!(masked, text);
        }
    }
}

#[test]
fn a_secret_is_the_same_whatever_sign_stands_behind_it() {
    let secret = "Zq8k2w9xTr4mW7pL";
    let answers = |media: &str, text: &str| {
        let head = format!("HTTP/1.1 200 OK\nContent-Type: {media}\n");
        exchange(message("GET / HTTP/1.1\nHost: a.example\n", ""), message(&head, text))
    };
    let texts = [
        "Password=X;",
        "Server=a;Password=X;Encrypt=yes",
        "Password=X;Server=a",
        "x; Password=X; y",
        "see password=X.",
        "see password=X. Or not",
        "is it password=X:",
        "(password=X)",
        "password=X, and more",
        "a=1&password=X;",
        "https://a.example/?password=X;b=2",
        "password: X.",
        "\"password\": \"X\"",
    ];
    for text in texts {
        // By itself, and where it is known.
        for (login, media) in [(false, "text/plain"), (true, "text/plain"), (false, "json"), (true, "json")] {
            let written = text.replace('X', secret);
            let mut all = vec![answers("text/plain", &format!("password={secret}"))];
            if media == "json" {
                let written = serde_json::json!({ "a": written, "b": 1 }).to_string();
                all.insert(0, answers("application/json", &written));
            } else {
                all.insert(0, answers(media, &written));
            }
            if login {
                all.push(answers("application/json", &serde_json::json!({ "password": secret }).to_string()));
            }
            let masked = proven(&all);
            let body = |e: &Exchange| String::from_utf8(e.response.as_ref().unwrap().body.to_vec()).unwrap();
            let other = body(&masked[1]).strip_prefix("password=").unwrap().to_owned();
            assert!(other != secret);
            let there = body(&masked[0]);
            let there = serde_json::from_str::<serde_json::Value>(&there)
                .map_or(there, |json| json["a"].as_str().unwrap().to_owned());
            assert_eq!(there, text.replace('X', &other), "{media} {login}");
        }
    }
}

#[test]
fn a_value_in_a_list_of_pairs_ends_with_its_pair() {
    for text in [
        "Host=db;Port=1;Password=X",
        "Server=db;Uid=u;Pwd=X;Database=x",
        "Password=X;Server=db",
        "Server=db;User=sa;Password=X;",
        "a=1&password=X&b=2",
    ] {
        for sign in [",", "(", "[", "{", ")"] {
            let written = text.replace('X', &format!("Tx9kQ2{sign}vb7Lm8"));
            let masked = body_of("application/json", &serde_json::json!({ "a": written }).to_string());
            assert!(!masked.contains("Tx9kQ2") && !masked.contains("vb7Lm8"), "{masked}");
            let kept = text.split('X').flat_map(|piece| piece.split(['&', ';']));
            assert!(kept.into_iter().all(|piece| masked.contains(piece)), "{masked}");
        }
    }
}

#[test]
fn a_quote_written_twice_does_not_end_a_value() {
    for (text, ends) in [
        ("ALTER USER ann IDENTIFIED BY 'hunter2x''s1x4b' NOW", " NOW"),
        ("password: 'hunter2x''s1x4b', a: ''", ", a: ''"),
    ] {
        let masked = body_of("text/plain", text);
        assert!(!masked.contains("hunter2x") && !masked.contains("s1x4b"), "{masked}");
        assert!(masked.ends_with(ends), "{masked}");
    }
    // It may end one all the same.
    for (text, ends) in [
        ("password='FeGR9kT2xNh6EMUQ'' WHERE id='7'", "'' WHERE id='7'"),
        ("password='FeGR9kT2xNh6EMUQ''; token='abc'", "''; token='abc'"),
        ("password: \"FeGR9kT2xNh6EMUQ\"\" and \"more\"", "\"\" and \"more\""),
    ] {
        let masked = body_of("text/plain", text);
        assert!(!masked.contains("FeGR9kT2xNh6EMUQ") && masked.ends_with(ends), "{masked}");
    }
    for text in ["password: '', a: 'x1y2z3'", "password = \"\"; x = \"x1y2z3\""] {
        assert_eq!(body_of("text/plain", text), text);
    }
}
