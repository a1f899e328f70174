//! Values with a form of their own, where they stand in messages.

use super::*;

/// One request with these field lines, masked; its head.
fn head_of(target: &str, fields: &str) -> String {
    let masked = proven(&[exchange(
        message(&format!("GET {target} HTTP/1.1\n{fields}"), ""),
        message("HTTP/1.1 204 No Content\n", ""),
    )]);
    String::from_utf8(masked[0].request.as_ref().unwrap().head.to_vec()).unwrap()
}

fn field<'h>(head: &'h str, name: &str) -> &'h str {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[test]
fn addresses_of_clients_go_and_those_of_servers_stay() {
    let head = head_of(
        "/a?client_ip=203.0.113.7&remote_addr=2001%3Adb8%3A%3A7",
        "Host: 198.51.100.40:8080\n\
         X-Forwarded-For: 203.0.113.7, 127.0.0.1, unknown\n\
         Forwarded: for=\"[2001:db8::7]:4711\";proto=https, for=_hidden;by=203.0.113.7\n\
         X-Forwarded-Host: 198.51.100.40\n\
         Origin: http://198.51.100.40\n\
         Referer: http://198.51.100.40/x\n\
         X-Real-Ip: ::1\n\
         X-Client-Ip: 3405803783\n\
         User-Agent: Mozilla/5.0 Chrome/141.77.99.141 App 81.2.69.142\n\
         Via: 1.1 198.51.100.40\n\
         X-Api-Version: 81.2.69.142\n",
    );
    assert!(!head.contains("203.0.113.7") && !head.contains("2001:db8::7"), "{head}");
    assert!(!head.contains("2001%3Adb8") && !head.contains("3405803783"), "{head}");
    let list: Vec<&str> = field(&head, "X-Forwarded-For").split(", ").collect();
    assert_eq!(&list[1..], ["127.0.0.1", "unknown"]);
    assert!(
        list[0].parse::<std::net::Ipv4Addr>().is_ok() && head.contains(&format!("client_ip={}", list[0]))
    );
    let forwarded = field(&head, "Forwarded");
    assert!(
        forwarded.contains("]:4711\";proto=https, for=_hidden;by=") && forwarded.ends_with(list[0]),
        "{head}"
    );
    for (name, kept) in [
        ("Host", "198.51.100.40:8080"),
        ("X-Forwarded-Host", "198.51.100.40"),
        ("Origin", "http://198.51.100.40"),
        ("Referer", "http://198.51.100.40/x"),
        ("X-Real-Ip", "::1"),
        ("Via", "1.1 198.51.100.40"),
        ("X-Api-Version", "81.2.69.142"),
    ] {
        assert_eq!(field(&head, name), kept);
    }
    assert!(field(&head, "User-Agent").ends_with("App 81.2.69.142"));
}

#[test]
fn forms_are_found_in_paths_and_resource_ids_stay() {
    for gone in [
        "4111111111111111",
        "44051401359",
        "234123412346",
        "390.533.447-05",
        "219-09-9999",
        "DE89370400440532013000",
        "12345678Z",
        "3c:a4:d8:01:aa:bb",
        "AKIAIOSFODNN7EXAMPLE",
        "ann@shop.com",
        "+14155552671",
    ] {
        let head = head_of(&format!("/v1/lookup/{gone}/details"), "Host: a.example\n");
        assert!(!head.contains(gone), "{head}");
    }
    for stays in [
        "4711",
        "1760000000123",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "9f86d081884c7d659a2feaa0c55ad015",
        "Zk3J9xQ2mLp0Zq81aaWc77Tt0VbNm4",
        "4000000000006",
    ] {
        let head = head_of(&format!("/v1/lookup/{stays}/details"), "Host: a.example\n");
        assert!(head.contains(stays), "{head}");
    }
}

#[test]
fn numbers_in_json_keep_their_form() {
    let body =
        r#"{"a":44051401359,"b":"44051401359","c":4111111111111111,"d":1760000000123,"ean":"4006381333931"}"#;
    let masked = body_of("application/json", body);
    let number = &masked[5..16];
    assert_ne!(number, "44051401359");
    assert_eq!(
        crate::detect::number_shape(number.as_bytes(), crate::detect::Detectors::DEFAULT),
        Some(crate::kind::Kind::NationalId)
    );
    assert!(masked.contains(&format!("\"b\":\"{number}\"")), "{masked}");
    assert!(
        !masked.contains("4111111111111111")
            && masked.ends_with(r#""d":1760000000123,"ean":"4006381333931"}"#)
    );
}

#[test]
fn names_of_goods_stay_where_a_persons_address_is_beside() {
    let masked = body_of(
        "application/json",
        r#"[{"name":"Walnut lamp","price":9,"email":"shop@oak.com"},{"name":"Leslie Rossi","email":"a@b.co"},{"customer":{"name":"Kim Oak","weight":3}}]"#,
    );
    assert!(
        masked.contains("Walnut lamp") && !masked.contains("Rossi") && !masked.contains("Kim Oak"),
        "{masked}"
    );
    let nested = body_of(
        "application/json",
        r#"{"x":"{\"name\":\"Walnut lamp\",\"sku\":\"L-1\",\"email\":\"shop@oak.com\"}"}"#,
    );
    assert!(nested.contains("Walnut lamp"), "{nested}");
}

#[test]
fn what_is_random_goes_unless_its_name_says_that_it_is_no_secret() {
    const RANDOM: &str = "Zk3J9xQ2mLp0Zq81aaWc77Tt0VbNm4";
    let masked = body_of("application/json", &format!(r#"{{"blob":"{RANDOM}"}}"#));
    assert!(!masked.contains(RANDOM), "{masked}");
    for name in ["id", "trace_id", "etag", "hash", "cursor"] {
        let masked = body_of("application/json", &format!(r#"{{"{name}":"{RANDOM}"}}"#));
        assert!(masked.contains(RANDOM), "{masked}");
    }
    let head = head_of(
        "/",
        &format!(
            "ETag: \"{RANDOM}\"\nContent-Type: multipart/form-data; boundary={RANDOM}\nX-Blob: {RANDOM}x\n"
        ),
    );
    assert!(field(&head, "ETag").contains(RANDOM) && field(&head, "Content-Type").ends_with(RANDOM));
    assert!(!field(&head, "X-Blob").contains(RANDOM));
    // Under the name of a secret a field that says little is one.
    let masked = body_of("application/json", r#"{"a":"{\"token\":{\"id\":\"abcdef-secret-17\"}}"}"#);
    assert!(masked.contains("token"), "{masked}");
}

#[test]
fn codes_of_messages_are_no_interfaces() {
    let masked =
        body_of("application/json", r#"{"mac":"q83vEjRWeJC7zN3u/w==","device":{"mac":"3c:a4:d8:01:aa:bb"}}"#);
    assert!(!masked.contains("q83vEjRWeJC7zN3u") && !masked.contains("3c:a4:d8"), "{masked}");
    assert!(masked.contains("==\""), "{masked}");
    let mac = masked.rsplit('"').nth(1).unwrap();
    assert!(crate::detect::mac::is_mac(mac.as_bytes()), "{masked}");
}

#[test]
fn words_before_a_name_change_nothing() {
    let head = head_of(
        "/",
        "X-Ssn: 219099999\nX-Dob: 1985-07-21\nX-First-Name: Leslie\nX-Order-Number: 219099999\n",
    );
    assert!(!field(&head, "X-Ssn").contains("219099999") && field(&head, "X-Dob") != "1985-07-21", "{head}");
    assert!(
        field(&head, "X-First-Name") != "Leslie" && field(&head, "X-Order-Number") == "219099999",
        "{head}"
    );
    let html = body_of("text/html", r#"<div data-birth-date="1985-07-21" data-order="1985-07-21"></div>"#);
    assert!(!html.contains(r#"birth-date="1985-07-21""#) && html.contains(r#"order="1985-07-21""#), "{html}");
}

#[test]
fn private_keys_are_found_in_any_text() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQg\nVcB/UNPxalR9zDYAjQIfjoj=\n-----END PRIVATE KEY-----";
    for (media, text) in [
        ("text/plain", format!("The key:\n{pem}\nKeep it.\n")),
        ("application/json", format!(r#"{{"note":"{}"}}"#, pem.replace('\n', "\\n"))),
        ("text/html", format!("<pre>{pem}</pre>")),
    ] {
        let masked = body_of(media, &text);
        assert!(masked.len() == text.len() && masked.contains("-----END PRIVATE KEY-----"), "{masked}");
        assert!(!masked.contains("VcB/UNPxalR9zDYAjQIf") && !masked.contains("AjQIfjoj"), "{masked}");
    }
}

#[test]
fn a_password_that_looks_percent_encoded_goes_wherever_it_stands() {
    for password in ["Lovchokar%095zY0", "Ergklelov%201l5D"] {
        let page =
            format!("<p>Your password: <b>{}</b></p><p>{password}</p>", password.replace('%', "&percnt;"));
        let masked = proven(&[
            exchange(
                message(
                    "POST /login HTTP/1.1\nContent-Type: application/json\n",
                    format!(r#"{{"user":"ann","password":"{password}"}}"#),
                ),
                message("HTTP/1.1 200 OK\nContent-Type: text/html\n", &page),
            ),
            exchange(
                message("POST /note HTTP/1.1\nContent-Type: text/plain\n", format!("Write down: {password}")),
                message("HTTP/1.1 204 No Content\n", ""),
            ),
        ]);
        let body = |m: &Option<Message>| String::from_utf8(m.as_ref().unwrap().body.to_vec()).unwrap();
        let login = body(&masked[0].request);
        let new = login.split('"').nth(7).unwrap();
        assert_ne!(new, password);
        assert_eq!(body(&masked[1].request), format!("Write down: {new}"));
        let page = body(&masked[0].response);
        assert!(page.ends_with(&format!("<p>{new}</p>")) && !page.contains(&password[..9]), "{page}");
    }
}

#[test]
fn a_number_that_is_hex_of_digits_by_chance_stays_a_number() {
    for body in [r#"{"aadhaar":"703735373838"}"#, r#"{"aadhaar":"NzAzNzM1MzczODM4"}"#] {
        let masked = body_of("application/json", body);
        let value = masked.split('"').nth(3).unwrap().as_bytes();
        let value = base64::prelude::BASE64_STANDARD
            .decode(value)
            .ok()
            .filter(|_| value.len() > 12)
            .unwrap_or(value.into());
        assert_ne!(value, b"703735373838");
        let all = crate::detect::Detectors::DEFAULT;
        assert_eq!(crate::detect::number_shape(&value, all), Some(crate::kind::Kind::NationalId), "{masked}");
    }
}

#[test]
fn a_matrix_parameter_ends_with_its_segment() {
    let json = "HTTP/1.1 200 OK\nContent-Type: application/json\n";
    let text = "HTTP/1.1 200 OK\nContent-Type: text/plain\n";
    let answer =
        |head: &str, body: &str| exchange(message("GET / HTTP/1.1\nHost: a\n", ""), message(head, body));
    let kept = "\"/c.node1?productId=f7d9d3f45520ee5a\"";
    let masked = proven(&[
        answer(json, "{\"u\":\"/c;jsessionid=qxlokodf/view/item.jpg?id=c48a48ce134b08b7\"}"),
        answer(
            text,
            "http://a.b/c;jsessionid=0A1B2C3D4E5F60718293A4B5C6D7E8F9.node1?productId=f7d9d3f45520ee5a x",
        ),
        answer(json, kept),
    ]);
    let body = |n: usize| String::from_utf8(masked[n].response.as_ref().unwrap().body.to_vec()).unwrap();
    assert!(
        !body(0).contains("qxlokodf") && body(0).ends_with("/view/item.jpg?id=c48a48ce134b08b7\"}"),
        "{}",
        body(0)
    );
    assert!(
        !body(1).contains("0A1B2C3D") && body(1).ends_with("?productId=f7d9d3f45520ee5a x"),
        "{}",
        body(1)
    );
    assert_eq!(body(2), kept);
}
