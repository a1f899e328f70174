//! Objects under a secret's name: what in them is the secret, and what describes it.

use super::*;

/// What is left of JSON in an answer, in a request, and as a text in another value.
fn places(json: &str) -> [String; 3] {
    let answer = body_of("application/json", json);
    let asks = message("POST / HTTP/1.1\nContent-Type: application/json\n", json);
    let asked = proven(&[exchange(asks, message("HTTP/1.1 204 No Content\n", ""))]);
    let asked = String::from_utf8(asked[0].request.as_ref().unwrap().body.to_vec()).unwrap();
    let nested = body_of("application/json", &serde_json::json!({ "x": json }).to_string());
    let nested: serde_json::Value = serde_json::from_str(&nested).unwrap();
    [answer, asked, nested["x"].as_str().unwrap().to_owned()]
}

#[test]
fn the_values_of_an_object_under_a_secrets_name_are_secrets() {
    // Those that are words under no name that says that they are values may be told, in an answer.
    for (json, words) in [
        (r#"{"user": {"password": {"hash": "plain-hash", "x": "abc"}}}"#, &["plain-hash", "abc"][..]),
        (r#"{"passwd": {"history": ["first-one", {"value": "second one"}]}}"#, &["first-one", "second one"]),
        (r#"{"password": [{"for": "admin", "is": {"x": {"y": "hunterpass"}}}]}"#, &["hunterpass"]),
        (r#"{"secret": {"data": "correcthorse", "save": "Change it", "new": "New"}}"#, &["correcthorse"]),
        (r#"{"password": {"rule": "required|min8", "de": "mindestens 8 Zeichen"}}"#, &["Zeichen"]),
    ] {
        let [answer, asked, nested] = places(json);
        assert_eq!((&*answer, &*nested), (json, json));
        assert!(words.iter().all(|word| !asked.contains(word)), "{asked}");
    }
    for (json, secrets) in [
        (r#"{"password": {"value": "hunterpass"}}"#, &["hunterpass"][..]),
        (r#"{"password": {"new": "hunter2pass", "old": "sesame"}}"#, &["hunter2pass", "sesame"]),
        (
            r#"{"user": {"password": {"before": "opensesame", "x": "k3J9xQ2mLp"}}}"#,
            &["opensesame", "k3J9xQ2mLp"],
        ),
        (r#"{"passwd": {"history": [{"value": "second"}], "value": 12345678}}"#, &["second", "12345678"]),
        (r#"{"client_secret": {"value": "batterystaple"}}"#, &["batterystaple"]),
        (
            r#"{"private_key": {"kty": "EC", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}}"#,
            &["870MB6gfuTJ4"],
        ),
        (
            r#"{"token": {"access": "acc3ssvalue", "refresh": "r3freshvalue"}}"#,
            &["acc3ssvalue", "r3freshvalue"],
        ),
        (r#"{"api_key": {"live": "abc123def", "test": ["abc124def"]}}"#, &["abc123def", "abc124def"]),
        (
            r#"{"ssn": {"number": "21909999"}, "passport": {"no": "C01X00T47", "country": "DE"}}"#,
            &["21909999", "C01X00T47"],
        ),
        (r#"{"cvv": {"value": 123}, "pin": {"code": "48213", "old": 4711}}"#, &["123", "48213", "4711"]),
        (
            r#"{"otp": {"sent": "482 139"}, "credit_card": {"number": "4000000000000003"}}"#,
            &["482 139", "4000000000000003"],
        ),
        (r#"{"session": {"key": "k3J9xQ2mLp", "value": "9xQ2mLk3Jp"}}"#, &["k3J9xQ2mLp", "9xQ2mLk3Jp"]),
        (
            r#"{"name": "password", "value": {"new": "hunter2pass", "x": ["k3J9xQ2mLp"]}}"#,
            &["hunter2pass", "k3J9xQ2mLp"],
        ),
        (
            r#"{"a": [{"value": [{"value": "acc3ssvalue"}, {"raw": "r3freshvalue"}], "key": "api_key"}]}"#,
            &["acc3ssvalue", "r3freshvalue"],
        ),
        (
            r#"{"name": "x", "value": {"name": "password", "value": "sesame", "old": {"token": "abc123def"}}}"#,
            &["sesame", "abc123def"],
        ),
        (r#"{"tokens": {"access": "k3J9xQ2mLp0"}}"#, &["k3J9xQ2mLp0"]),
        (r#"{"api_keys": [{"live": "k3J9xQ2mLp0"}]}"#, &["k3J9xQ2mLp0"]),
        (r#"{"api_keys": ["k3J9xQ2mLp0"], "client_secrets": "9xQ2mLk3Jp"}"#, &["k3J9xQ2mLp0", "9xQ2mLk3Jp"]),
        (r#"{"passwords": ["hunter2pass", "abc123x"]}"#, &["hunter2pass", "abc123x"]),
        (r#"{"secrets": {"items": [{"value": "x"}], "db": "9xQ2mLk3Jp"}}"#, &["9xQ2mLk3Jp"]),
        (
            r#"{"password": {"name": "x", "value": "hunterpass"}, "token": {"name": "password", "value": "sesame"}}"#,
            &["hunterpass", "sesame"],
        ),
    ] {
        for masked in places(json) {
            let masked_json: serde_json::Value = serde_json::from_str(&masked).unwrap();
            assert!(
                masked_json.is_object() && secrets.iter().all(|secret| !masked.contains(secret)),
                "{masked}"
            );
            assert_eq!(masked.len(), json.len());
        }
    }
}

#[test]
fn what_describes_a_secret_stays() {
    for json in [
        r#"{"token": {"type": "Bearer", "expires_in": 3600, "scope": "read write", "id": "a12b34cd"}}"#,
        r#"{"access_token": {"alg": "HS256", "signedWith": "RS256", "issuer": "https://id.example/v2", "at": "2026-11-22T14:00:00Z"}}"#,
        r#"{"session": {"id2": 17, "user": {"plan": "pro2026", "cart": [{"size": "42a"}]}, "started": "2026-11-22T14:00:00Z", "step": "checkout-2"}}"#,
        r#"{"auth": {"method": "oauth", "provider": "google", "flow": "oauth2", "level": 2}}"#,
        r#"{"card": {"brand": "visa", "last4": "4242", "exp_month": 12}, "credit_card": {"brand": "visa", "last4": "4242", "check": "pass1"}}"#,
        r#"{"address": {"city": "Ulm"}, "key": {"value": "abc123def", "name": "x1"}}"#,
        r#"{"password": {"type": "string", "min_length": 8, "required": true, "code": "too_short", "created_at": "2026-11-22", "strength": "strong", "expires": "never"}}"#,
        r#"{"password": {"id": "field-7", "label": "Your password", "policy": {"pattern": "[a-z0-9]+", "tries": 3}}}"#,
        r#"{"ssn": {"country": "US", "state": "verified", "by": "Bureau of Records"}, "cvv": {"check": "match"}}"#,
        r#"{"token": {"count": 3, "valid": true, "for": "mobile", "words": "two words 2", "n": "1700000000", "version": "v2beta3"}}"#,
        r#"{"token": {"when": "20240101T000000Z", "ver": "v1.2.3", "on": "2024-05-01"}, "session": {"videoId": "dQw4w9WgXcQ"}}"#,
        r#"{"secret": {"secretName": "db", "items": [{"key": "tls1.crt", "path": "my-group/data-1"}, {"key": "x1y2z3abc", "path": "a"}]}}"#,
        r#"{"name": "size", "value": {"x": "k3J9xQ2m", "name": "abc123def"}, "key": {"value": {"x": "abc123def"}}}"#,
        r#"{"name": "password", "value": {"type": "hashed1", "rules": {"x": "hunter2pass"}}}"#,
        r#"{"tokens": {"primary": "a1b2c3", "text": "blue-500", "n": ["hello", "w0rld"]}, "max_tokens": {"x": "gpt-4o-mini"}}"#,
        r#"{"secrets": ["DB_PASSWORD_2", "none", "v1.2.3", 17, "arn:aws:secretsmanager:us-east-1:1:secret:prod/db1-AbCdEf"], "tokens": ["k3J9xQ2mLp0"], "num_api_keys": 2}"#,
        r#"{"csrf": {"header": "X-CSRF-Token", "param": "_csrf", "path": "/a1/b2"}}"#,
        r#"{"next_token": {"value": "abc123def"}, "token_type": {"x": "abc123def"}}"#,
    ] {
        for masked in places(json) {
            assert_eq!(masked, json);
        }
    }
    // An answer tells what to do; nobody asks so.
    let told = r#"{"password": {"save": "Change your password", "forgot": "Forgot it?"}}"#;
    let [answer, asked, _] = places(told);
    assert_eq!(answer, told);
    assert!(asked != told && !asked.contains("Forgot"), "{asked}");
}

#[test]
fn elements_under_a_secrets_name_are_secrets_too() {
    let xml = "<a><password type=\"text\" xmlns=\"urn:x\"><value>hunterpass</value><created>2026-11-22</created></password>\
               <s:token><s:access>acc3ssvalue</s:access><s:kind>Bearer</s:kind></s:token><ssn value=\"21909999\"/></a>";
    let masked = body_of("application/xml", xml);
    for secret in ["hunterpass", "acc3ssvalue", "21909999"] {
        assert!(!masked.contains(secret), "{masked}");
    }
    for kept in ["type=\"text\" xmlns=\"urn:x\"", "<created>2026-11-22</created>", "<s:kind>Bearer</s:kind>"]
    {
        assert!(masked.contains(kept), "{masked}");
    }
    let security = "<Security><UsernameToken Id=\"UsernameToken-12ab\"><Created>2026-11-22T14:00:00.123Z</Created></UsernameToken>\
                    <Assertion ID=\"_a75adf55\" Version=\"2.0\"><Issuer>https://id1.example</Issuer><Level>urn:loa:2a</Level></Assertion></Security>";
    assert_eq!(body_of("application/xml", security), security);
}

#[test]
fn it_is_the_same_secret_elsewhere() {
    let body = r#"{"password":{"new":"correct7horse8battery"}}"#;
    let asks = message("POST / HTTP/1.1\nContent-Type: application/json\n", body);
    let told = message("HTTP/1.1 200 OK\n", "it is correct7horse8battery now");
    let masked = proven(&[exchange(asks, told)]);
    let made = request(&masked[0], "json:$.password.new");
    let told = String::from_utf8(masked[0].response.as_ref().unwrap().body.to_vec()).unwrap();
    assert_eq!(told, format!("it is {made} now"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A body, and a text within one, are read by different code.
    #[test]
    fn both_readers_agree(
        names in prop::collection::vec(prop::sample::select(vec![
            "password", "token", "session", "x", "value", "new", "id", "type", "pin", "card_number", "number", "name", "email", "hash",
        ]), 1..5),
        value in prop::sample::select(vec!["hunterpass", "abc123def", "k3J9xQ2mLp0Zr8", "12345", "two words", "Bearer"]),
        array in any::<bool>(),
    ) {
        let bracket = if array { "[" } else { "" };
        let open = names.iter().fold(String::new(), |open, name| format!("{open}{{\"{name}\":{bracket}"));
        let close = if array { "]}" } else { "}" }.repeat(names.len());
        let json = format!("{open}\"{value}\"{close}");
        let [answer, asked, nested] = places(&json);
        prop_assert_eq!(&answer, &nested, "{}", &json);
        // An answer may speak of what is asked for.
        prop_assert!(answer == json || asked != json, "{}", &json);
    }

    /// What stands beside an object, and what is in it.
    #[test]
    fn both_readers_agree_on_labels(
        label in prop::sample::select(vec!["password", "token", "session", "pin", "x", "tokens", "address"]),
        keys in prop::collection::vec(prop::sample::select(vec!["value", "name", "key", "x", "new", "token", "type", "id"]), 1..4),
        value in prop::sample::select(vec!["hunterpass", "abc123def", "k3J9xQ2mLp0Zr8", "12345", "password"]),
        array in any::<bool>(),
        first in any::<bool>(),
    ) {
        let (open, close) = if array { ("[", "]") } else { ("", "") };
        let inner = keys.iter().rfold(format!("\"{value}\""), |inner, key| {
            format!("{open}{{\"name\":\"{label}\",\"{key}\":{inner}}}{close}")
        });
        let json = if first {
            format!("{{\"name\":\"{label}\",\"value\":{inner}}}")
        } else {
            format!("{{\"value\":{inner},\"name\":\"{label}\"}}")
        };
        let [answer, _, nested] = places(&json);
        prop_assert_eq!(&answer, &nested, "{}", &json);
    }
}
