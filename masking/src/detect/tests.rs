use super::*;

const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
const PEM: &str =
    "-----BEGIN PRIVATE KEY-----\nMIGEAgEAMBAGByqGSM49AgEGBS\nuBBAAKBG0wawIBAQQg\n-----END PRIVATE KEY-----";

/// The shortest and strangest of each, by what finds them.
pub(super) const ONE_OF_EACH: &[(Detectors, &str, &str)] = &[
    (Detectors::EMAIL, "email", "a@b.co"),
    (Detectors::JWT, "jwt", JWT),
    (Detectors::CARD, "card", "4222222222222"),
    (Detectors::CARD, "card", "30569309025904"),
    (Detectors::IBAN, "iban", "NO9386011117947"),
    (Detectors::IBAN, "iban", "MT84MALT011000012345MTLCAST001S"),
    (Detectors::IBAN, "iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
    (Detectors::SSN, "ssn", "219-09-9999"),
    (Detectors::NATIONAL, "national-id", "12345678Z"),
    (Detectors::NATIONAL, "national-id", "x1234567l"),
    (Detectors::NATIONAL, "national-id", "131052-308T"),
    (Detectors::NATIONAL, "national-id", "RCCMNL83S18D969H"),
    (Detectors::PHONE, "phone", "+29051234"),
    (Detectors::PHONE, "phone", "+1 (415) 555-2671"),
    (Detectors::IP, "ip", "8.8.8.99"),
    (Detectors::IP, "ip", "2001:db8::7"),
    (Detectors::IP, "ip", "fe80::1ff:fe23:4567:890a"),
    (Detectors::MAC, "mac", "3c:a4:d8:01:aa:bb"),
    (Detectors::MAC, "mac", "ab-cd-ef-ab-cd-ef"),
    (Detectors::MAC, "mac", "abcd.efab.cdef"),
    (Detectors::PRIVATE_KEY, "private-key", PEM),
    (Detectors::VENDOR_KEY, "vendor-key", "AKIAIOSFODNN7EXAMPLE"),
    (Detectors::RANDOM, "random", "wJa7rXUtnF3MIK7mDKNGbPxRf1CYz"),
    (Detectors::UUID, "uuid", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
];

fn names(text: &str) -> Vec<(&str, Kind)> {
    let found = detect(text.as_bytes(), Detectors::DEFAULT);
    found.into_iter().map(|f| (&text[f.range], f.kind)).collect()
}

/// Each is found in the middle of a text, and is of that kind as a whole.
fn are(kind: Kind, values: &[&str]) {
    for value in values {
        assert_eq!(names(value), [(*value, kind)], "{value}");
        assert_eq!(names(&format!("It is {value}, thanks")), [(*value, kind)], "{value}");
        assert_eq!(names(&format!("a=\"{value}\"")), [(*value, kind)], "{value}");
        if kind != Kind::Random {
            assert_eq!(shape(value.as_bytes()), Some(kind), "{value}");
        }
    }
}

fn are_none(values: &[&str]) {
    for value in values {
        assert_eq!(names(value), [], "{value}");
    }
}

#[test]
fn detectors_have_names_and_can_be_switched_off() {
    for (detector, name, words) in Detectors::ALL {
        assert_eq!(Detectors::from_name(name), Some(*detector));
        assert!(!words.is_empty());
    }
    assert_eq!(Detectors::from_name("passport"), None);
    for (which, name, text) in ONE_OF_EACH {
        assert!(!detect(text.as_bytes(), *which).is_empty(), "{name}: {text}");
        let all = Detectors::DEFAULT.with(Detectors::UUID);
        let others = detect(text.as_bytes(), all.without(*which));
        let kind = detect(text.as_bytes(), *which)[0].kind;
        assert!(others.iter().all(|f| f.kind != kind || kind == Kind::NationalId), "{name}: {text}");
    }
    assert!(!Detectors::DEFAULT.has(Detectors::UUID) && Detectors::DEFAULT.has(Detectors::EMAIL));
    assert!(!Detectors::DEFAULT.in_path().has(Detectors::RANDOM));
    let mut text = String::new();
    Detectors::DEFAULT.explain(&mut text);
    assert!(text.contains("detector uuid (off): ") && text.contains("detector card: 13"), "{text}");
}

#[test]
fn emails_in_text() {
    assert_eq!(
        names("Write to <Ann.Lee+x@mail.shop.example>, or 'bob@x.io'."),
        [("Ann.Lee+x@mail.shop.example", Kind::Email), ("bob@x.io", Kind::Email)]
    );
    are_none(&[
        "logo@2x.png",
        "react@17.0.2",
        "git@github.com:a/b",
        "@media screen",
        "a@b",
        "x@y.css",
        "@a.com",
    ]);
    assert_eq!(shape(b"a@b.co"), Some(Kind::Email));
    assert_eq!(shape(b"a@b.co,"), None);
}

#[test]
fn web_tokens_in_text() {
    assert_eq!(names(&format!("var t='{JWT}';")), [(JWT, Kind::Jwt)]);
    assert_eq!(names(&format!("It is {JWT}.")), [(JWT, Kind::Jwt)]);
    assert!(names(&format!("x{JWT}")).iter().all(|f| f.1 != Kind::Jwt));
    are_none(&["eyJub3QiOiJqd3QifQ.eyJub3QiOiJqd3QifQ.x", "hey.they.were there. eye.of.tiger"]);
    assert_eq!(shape(JWT.as_bytes()), Some(Kind::Jwt));
}

#[test]
fn cards_in_text() {
    are(
        Kind::Card,
        &[
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "4222222222222",
        ],
    );
    assert_eq!(names("12 4111 1111 1111 1111 05/29"), [("4111 1111 1111 1111", Kind::Card)]);
    are_none(&[
        "4111111111111112",
        "1612345678901234",
        "a4111111111111111",
        "0.4111111111111111",
        "4111111111111111.5",
        "411111111111111111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "9999999999999995",
        "--4111111111111111",
        // A bar code that passes for an old Visa number: both check digits hold.
        "4000000000006",
    ]);
}

#[test]
fn ibans_in_text() {
    // Of the registry.
    are(
        Kind::Iban,
        &[
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29NWBK60161331926819",
            "gb29nwbk60161331926819",
            "NL91ABNA0417164300",
            "FR1420041010050500013M02606",
            "MT84MALT011000012345MTLCAST001S",
            "NO9386011117947",
            "CH93 0076 2011 6238 5295 7",
            "BR1800360305000010009795493C1",
        ],
    );
    are_none(&[
        "DE89370400440532013001",
        "XX89370400440532013000",
        "DE8937040044053201300",
        "DE89-3704-0044-0532-0130-00",
    ]);
    assert!(is_iban(b"gb29NWBK60161331926819") && !is_iban(b"") && !is_iban(b"DE8"));
}

#[test]
fn national_ids_in_text() {
    are(
        Kind::NationalId,
        &[
            "219-09-9999",
            "54362315K",
            "12345678Z",
            "X1234567L",
            "02070803628",
            "44051401359",
            "390.533.447-05",
            "11.444.777/0001-61",
            "2341 2341 2346",
            "234123412346",
            "811228-9874",
            "19811228-9874",
            "295109912611193",
            "2 95 10 99 126 111 93",
            "RCCMNL83S18D969H",
            "85.07.30-033.28",
            "15108695088",
            "131052-308T",
            "17291716060",
            "11010519491231002X",
            "8001015009087",
            "756.9217.0769.85",
        ],
    );
    are_none(&[
        "000-09-9999",
        "666-09-9999",
        "900-09-9999",
        "219-00-9999",
        "219-09-0000",
        "219-09-99991",
        "1219-09-9999",
        "219-09-9999-1",
        "12345678A",
        "44051401358",
        "390.533.447-06",
        "2341 2341 2347",
        "811228-9873",
        "811328-9874",
        "295109912611192",
        "RCCMNL83S18D969X",
        "131052-308U",
        "110105194912310021",
        "11111111111",
        "222222222222",
        // German, Dutch, Canadian ones go by their names.
        "36574261809",
        "111222333",
        "046 454 286",
    ]);
}

#[test]
fn phones_in_text() {
    are(
        Kind::Phone,
        &[
            "+14155552671",
            "+1 (415) 555-2671",
            "+49 30 901820",
            "+442079460958",
            "+33 1 42 68 53 00",
            "+3725551234",
        ],
    );
    are_none(&[
        "+0155552671",
        "+1 155 555 2671",
        "+4930",
        "1+14155552671",
        "+12345678901234567",
        "2026-11-21T10:00:00+02:00",
        "+99912345678",
        "x+4930901820x",
    ]);
}

#[test]
fn addresses_of_hosts_in_text() {
    are(
        Kind::Ip,
        &[
            "203.0.113.7",
            "10.0.0.1",
            "192.168.1.20",
            "2001:db8::7",
            "fe80::1ff:fe23:4567:890a",
            "::ffff:203.0.113.7",
        ],
    );
    assert_eq!(names("from [2001:db8::7]:443."), [("2001:db8::7", Kind::Ip)]);
    assert_eq!(names("from 203.0.113.7:8080."), [("203.0.113.7", Kind::Ip)]);
    are_none(&[
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "ff02::1",
        "1.2.3.4",
        "Chrome/141.0.77.99",
        "version 81.2.69.142",
        "v81.2.69.142",
        "81.2.69.142.5",
        "81.2.69.142-beta",
        "281.2.69.142",
        "http://81.2.69.142/x",
        "https://ann@81.2.69.142/x",
        "http://[2001:db8::7]/",
        "10:00:00",
        "std::vec",
        "a::b",
        "2026-11-21T10:00:00Z",
    ]);
    let list = b"203.0.113.7, 1.2.3.4, [2001:db8::7]:4711, unknown, 127.0.0.1";
    let all: Vec<&[u8]> = ip::addresses(list).into_iter().map(|r| &list[r]).collect();
    assert_eq!(all, [&b"203.0.113.7"[..], b"1.2.3.4", b"2001:db8::7"]);
}

#[test]
fn interface_addresses_in_text() {
    are(Kind::Mac, &["3c:a4:d8:01:aa:bb", "3C-A4-D8-01-AA-BB", "3ca4.d801.aabb"]);
    are_none(&[
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "3c:a4:d8:01:aa",
        "3c:a4:d8:01:aa:bb:cc",
        "10-11-12-13-14-15",
        "3c:a4-d8:01:aa:bb",
        "3ca4.d801.aabb.ccdd",
    ]);
}

#[test]
fn keys_in_text() {
    are(Kind::PrivateKey, &[PEM]);
    assert_eq!(names("-----BEGIN PUBLIC KEY-----\nMIGE\n-----END PUBLIC KEY-----"), []);
    let cut = &PEM[..60];
    assert_eq!(names(cut), [(cut, Kind::PrivateKey)]);
    let github = format!("ghp_{0}{1}", "zz7aBcDeFgHiJkLmNoPqRsTuVwXyZ1", "4Nk0Ab");
    let live = ["sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"].concat();
    let slack = ["xoxb-", "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"].concat();
    let google = ["AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"].concat();
    let mail = ["SG.", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"].concat();
    are(Kind::VendorKey, &["AKIAIOSFODNN7EXAMPLE", &github, &live, &slack, &google, &mail]);
    are(
        Kind::VendorKey,
        &[
            "AKIAZFRNURUMYIMDEDBS",
            &["AIza", "GTj4B734R3k5swzogML7CBXW-CWYA5fNgZ-"].concat(),
            &["sk_test_", "AbcDefGhiJklMnoPqrStuvWx"].concat(),
        ],
    );
    assert_eq!(names("credential=AKIAIOSFODNN7EXAMPLE/20130524/us")[0].0, "AKIAIOSFODNN7EXAMPLE");
    are_none(&[
        "AKIAIOSFODNN7EXAMPL",
        "AKIAIOSFODNN7EXAMPLEX",
        "sk_live_short",
        "AIzaSyDa",
        "SKILLS",
        "sk-learn-some-more-of-it-please",
    ]);
}

#[test]
fn github_checksums() {
    // CRC-32 of "123456789" is cbf43926, the check value of the catalogue: 3421780262 in base 62.
    assert_eq!(&vendor::github_check(b"123456789"), b"3jZRME");
}

#[test]
fn random_values_in_text() {
    are(
        Kind::Random,
        &[
            "wJa7rXUtnF3MIK7mDKNGbPxRf1CYz",
            "Zk3J9xQ2mLp0Zq81aaWc77Tt0VbNm4",
            "k3j9xq2mlp0zq81bbwc77tt0vbnm4xz",
            "7Fq1/kP0z+Xw93LmVtYc5BnRj2Hd8sGa",
        ],
    );
    are_none(&[
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "getElementsByClassNameAndThenSome2",
        "/assets/images/2026/wireless-headphones",
        "wireless-headphones-black-leather-case-2026",
        "sha384-oqVuAfXRKap7fdgcCY5uykM6R9GqQ8Kuxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
        "data:image/png;base64,Zk3J9xQ2mLp0Zq81aaWc77Tt0VbNm4",
        "KFOmCnqEu92Fr1Mu4mxKAbCd77Tt0VbNm4.woff2",
        "aGVsbG8gd29ybGQsIHRoaXMgaXMgcGxhaW4gdGV4dCAxMjM",
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "short7Fq1kP0zXw",
    ]);
}

#[test]
fn numbers_of_json() {
    let shape = |raw: &str| number_shape(raw.as_bytes(), Detectors::DEFAULT);
    assert_eq!(shape("4111111111111111"), Some(Kind::Card));
    assert_eq!(shape("44051401359"), Some(Kind::NationalId));
    for none in ["1760000000123", "1760000000000123", "12345", "4.111111111111111", "-4111111111111111"] {
        assert_eq!(shape(none), None, "{none}");
    }
    assert_eq!(number_shape(b"44051401359", Detectors::DEFAULT.without(Detectors::NATIONAL)), None);
}

#[test]
fn overlapping_finds_are_settled() {
    assert_eq!(names("::ffff:203.0.113.7").len(), 1);
    // A key of a vendor is random too.
    assert_eq!(names("AKIAIOSFODNN7EXAMPLE").len(), 1);
}

proptest::proptest! {
    #[test]
    fn any_text_is_no_trouble(text: Vec<u8>, digits in "[0-9 .:+()/a-zX-]{0,50}") {
        let all = Detectors::DEFAULT.with(Detectors::UUID);
        for text in [&text[..], digits.as_bytes()] {
            let found = detect(text, all);
            proptest::prop_assert!(found.windows(2).all(|w| w[0].range.end <= w[1].range.start));
            proptest::prop_assert!(found.iter().all(|f| f.range.end <= text.len() && !f.range.is_empty()));
            let _ = (shape(text), number_shape(text, all), ip::addresses(text));
        }
    }

    #[test]
    fn calling_codes_are_whole(digits in "[1-9][0-9]{7,14}") {
        if let Some(code) = phone::code_length(digits.as_bytes()) {
            proptest::prop_assert!((1..=3).contains(&code));
        }
    }
}
