use super::*;

fn signed(scheme: &str, secret: &str, request: &str, now: u64) -> Option<String> {
    let signer = Signer::new(scheme, secret.as_bytes()).unwrap();
    signer.sign(request.as_bytes(), now).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn the_services_own_examples() {
    let aws = "GET /test.txt HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\nRange: bytes=0-9\r\n\
        x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\nx-amz-date: 20200101T000000Z\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=X/20200101/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=0\r\n\r\n";
    let key = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let done = signed("aws-sigv4", key, aws, 1_369_353_600).unwrap();
    assert!(done.contains("x-amz-date: 20130524T000000Z\r\n"), "{done}");
    assert!(
        done.ends_with("Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n\r\n"),
        "{done}"
    );

    let github = "POST / HTTP/1.1\r\nX-Hub-Signature-256: x\r\nContent-Length: 13\r\n\r\nHello, World!";
    let done = signed("github-webhook", "It's a Secret to Everybody\n", github, 0).unwrap();
    assert!(
        done.contains("256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n"),
        "{done}"
    );

    let slack = "POST / HTTP/1.1\r\nX-Slack-Request-Timestamp: 1\r\nX-Slack-Signature: v0=x\r\nTransfer-Encoding: chunked\r\n\r\n\
        179\r\ntoken=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c\r\n0\r\n\r\n";
    let size = slack.split("179\r\n").nth(1).unwrap().split("\r\n").next().unwrap().len();
    let slack = slack.replace("179\r\n", &format!("{size:x}\r\n"));
    let done = signed("slack-webhook", "8f742231b10e8888abcd99yyyzzz85a5", &slack, 1_531_420_618).unwrap();
    assert!(
        done.contains("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503\r\n"),
        "{done}"
    );
    assert!(done.contains("Timestamp: 1531420618\r\n"), "{done}");

    let standard = "POST / HTTP/1.1\r\nwebhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n\r\n{\"test\": 2432232314}";
    let done = signed("standard-webhook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", standard, 1_614_265_330)
        .unwrap();
    assert!(done.contains("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"), "{done}");
}

#[test]
fn stripe_and_shopify_have_their_forms() {
    let stripe = "POST / HTTP/1.1\r\nStripe-Signature: t=1,v1=0,v0=0\r\n\r\n{}";
    let done = signed("stripe-webhook", "whsec_test", stripe, 1_492_774_577).unwrap();
    let v1 = done.split("t=1492774577,v1=").nth(1).unwrap().split('\r').next().unwrap();
    assert_eq!(v1.as_bytes(), hex(&hmac_sha256(b"whsec_test", &[b"1492774577.{}"])));
    let shopify = "POST / HTTP/1.1\r\nX-Shopify-Hmac-Sha256: 0\r\n\r\n{}";
    assert!(signed("shopify-webhook", "s", shopify, 0).unwrap().contains("Sha256: "));
}

#[test]
fn what_is_not_signed_stays_as_it_is() {
    for scheme in Signer::schemes() {
        let secret = if scheme == "standard-webhook" { "whsec_AAAA" } else { "key:secret" };
        for request in [
            "GET / HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            "x",
        ] {
            assert_eq!(signed(scheme, secret, request, 0), None, "{scheme} {request}");
        }
    }
}

#[test]
fn wrong_schemes_and_secrets_are_told_without_the_secret() {
    for (scheme, secret) in [
        ("github", "s3cret"),
        ("aws-sigv4", "s3cret"),
        ("standard-webhook", "whsec_s3cret!"),
        ("slack-webhook", " \n"),
    ] {
        let error = Signer::new(scheme, secret.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains("s3cret") || scheme == "github", "{error}");
    }
    assert!(Signer::new("github", b"x").unwrap_err().to_string().contains("github-webhook"));
}
