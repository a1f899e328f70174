//! Pseudonyms that keep a form: each is valid, and another one for another value.

use super::*;
use crate::detect::national::{Field, SCHEMES, Scheme, scheme_of};
use crate::detect::{ip as ip_form, mac as mac_form, pem, vendor as vendor_form};

fn made(kind: Kind, value: &str) -> String {
    let p = pseudonyms();
    let masked = String::from_utf8(p.make(kind, value.as_bytes())).unwrap();
    assert_eq!(masked.as_bytes(), p.make(kind, value.as_bytes()));
    masked
}

/// A valid number of the scheme, from a seed.
fn number_of(scheme: &Scheme, mut seed: u64) -> Vec<u8> {
    loop {
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (seed >> 24) % n
        };
        let mut out = Vec::new();
        for field in scheme.fields {
            match *field {
                Field::Digits(n) => out.extend((0..n).map(|_| b'0' + next(10) as u8)),
                Field::Range(n, low, high) => {
                    let width = usize::from(n);
                    out.extend(
                        format!("{:0width$}", u64::from(low) + next(u64::from(high - low) + 1)).bytes(),
                    );
                }
                Field::Date(date) => {
                    let (first, last) = date.span();
                    out.extend(date.write(first + next((last - first) as u64 + 1) as i64));
                }
                Field::Letters(n) => out.extend((0..n).map(|_| b'A' + next(26) as u8)),
                Field::One(set) => out.push(set[next(set.len() as u64) as usize]),
                Field::Check(n) => out.extend((0..n).map(|_| b'0')),
            }
        }
        if (scheme.repair)(&mut out) && scheme.is_valid(&out) {
            return out;
        }
    }
}

#[test]
fn every_scheme_has_pseudonyms_of_its_own() {
    let p = pseudonyms();
    for scheme in SCHEMES {
        let mut seen = HashSet::new();
        for seed in 0..60 {
            let number = number_of(scheme, seed);
            let masked = p.make(Kind::NationalId, &number);
            let (was, is) = (scheme_of(&number).unwrap(), scheme_of(&masked).unwrap());
            assert_eq!(was.0, is.0, "{}: {number:?}", scheme.name);
            assert_eq!(number[0] == b'0', masked[0] == b'0', "{}", scheme.name);
            assert!(masked != number && masked == p.make(Kind::NationalId, &number));
            seen.insert((number, masked));
        }
        let (olds, news): (HashSet<_>, HashSet<_>) = seen.into_iter().unzip();
        assert_eq!(olds.len(), news.len(), "{}", scheme.name);
    }
}

#[test]
fn national_ids_are_one_however_they_are_written() {
    let plain = made(Kind::NationalId, "39053344705");
    let dotted = made(Kind::NationalId, "390.533.447-05");
    assert_eq!(dotted.replace(['.', '-'], ""), plain);
    assert_eq!((dotted.as_bytes()[3], dotted.as_bytes()[11]), (b'.', b'-'));
    assert_eq!(made(Kind::NationalId, "12345678z"), made(Kind::NationalId, "12345678Z").to_lowercase());
    assert_eq!(made(Kind::NationalId, "219-09-9999").replace('-', ""), made(Kind::NationalId, "219099999"));
    let finn = made(Kind::NationalId, "131052-308T");
    assert!(crate::detect::national::written(finn.as_bytes()) == Some(11), "{finn}");
    let social = made(Kind::NationalId, "219-09-9999");
    assert!(crate::detect::national::ssn(social.as_bytes()) == Some(11), "{social}");
    // A number that fits two schemes goes on doing so: this one Turkey's and Poland's.
    let both = "74082668647";
    let fits = |n: &str| crate::detect::national::schemes_of(n.as_bytes());
    assert!(fits(both)[1].is_some());
    assert_eq!(fits(&made(Kind::NationalId, both)), fits(both));
    // What fits no scheme is a token.
    assert_eq!(classes(&made(Kind::NationalId, "L01X00T47")), classes("L01X00T47"));
}

#[test]
fn addresses_keep_their_networks() {
    let p = pseudonyms();
    let ip = |text: &str| p.ip(&text.parse().unwrap()).to_string();
    let shared = |a: &str, b: &str| {
        let bits = |t: &str| match t.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
            IpAddr::V6(v6) => u128::from(v6),
        };
        (bits(a) ^ bits(b)).leading_zeros()
    };
    for (a, b) in [
        ("203.0.113.7", "203.0.113.9"),
        ("203.0.113.7", "203.0.200.9"),
        ("203.0.113.7", "203.200.1.2"),
        ("10.1.2.3", "10.1.200.3"),
        ("192.168.1.20", "192.168.1.21"),
        ("172.16.9.1", "172.16.10.1"),
        ("2001:db8::7", "2001:db8::8:1"),
        ("fe80::1", "fe80::2"),
    ] {
        assert_eq!(shared(&ip(a), &ip(b)), shared(a, b), "{a} {b}");
        assert!(ip(a) != a && ip(b) != b);
        assert_eq!(made(Kind::Ip, a), ip(a));
    }
    for kept in ["127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.251", "::1", "::", "ff02::1"] {
        assert_eq!(ip(kept), kept);
    }
    assert!(ip("192.168.7.7").starts_with("192.168.") && ip("10.0.0.1").starts_with("10."));
    assert!(ip("fe80::1").starts_with("fe80::") && ip("fd00::1").starts_with("fd"));
    assert!(ip("::ffff:203.0.113.7").ends_with(&ip("203.0.113.7")));
    assert_eq!(made(Kind::Ip, "2001:DB8::7"), ip("2001:db8::7").to_uppercase());
}

#[test]
fn private_addresses_are_a_world_of_their_own() {
    let p = pseudonyms();
    let private = |a: std::net::Ipv4Addr| {
        let [first, second, ..] = a.octets();
        a.is_private() || a.is_link_local() || first == 100 && (64..128).contains(&second)
    };
    let mut seen = HashSet::new();
    for first in 1..=239_u8 {
        for second in (0..=255_u8).filter(|b| b % 16 == 15 || b % 16 == 0 || matches!(b, 168 | 254)) {
            let plain = std::net::Ipv4Addr::new(first, second, 7, 9);
            let IpAddr::V4(masked) = p.ip(&plain.into()) else { panic!("another version") };
            assert_eq!(private(plain), private(masked), "{plain} -> {masked}");
            assert_eq!(ip_form::is_hosts(plain.into()), ip_form::is_hosts(masked.into()));
            assert!(seen.insert(masked));
        }
    }
}

#[test]
fn interface_addresses_keep_their_writing_and_two_bits() {
    for mac in
        ["3c:a4:d8:01:aa:bb", "3C-A4-D8-01-AA-BB", "3ca4.d801.aabb", "02:00:00:00:00:01", "01:00:5e:00:00:fb"]
    {
        let masked = made(Kind::Mac, mac);
        assert!(mac_form::is_mac(masked.as_bytes()) && masked != mac, "{mac} -> {masked}");
        let flags = |m: &str| u8::from_str_radix(&m[1..2], 16).unwrap() & 3;
        assert_eq!(flags(&masked), flags(mac));
    }
    let (colons, dots) = (made(Kind::Mac, "3c:a4:d8:01:aa:bb"), made(Kind::Mac, "3ca4.d801.aabb"));
    assert_eq!(colons.replace(':', ""), dots.replace('.', ""));
}

#[test]
fn keys_of_vendors_stay_theirs() {
    let body = "zz7aBcDeFgHiJkLmNoPqRsTuVwXyZ1";
    let check = String::from_utf8(vendor_form::github_check(body.as_bytes()).into()).unwrap();
    let github = format!("ghp_{body}{check}");
    let masked = made(Kind::VendorKey, &github);
    assert_eq!(vendor_form::github_check(&masked.as_bytes()[4..34]), masked.as_bytes()[34..]);
    let unchecked = format!("gho_{body}aaaaaa");
    let stripe = ["sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"].concat();
    let slack = ["xoxb-", "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"].concat();
    let mail = ["SG.", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"].concat();
    let twilio = format!("SK{}", "0123456789abcdef".repeat(2));
    for key in [&github, &unchecked, &stripe, &slack, &mail, &twilio, "AKIAIOSFODNN7EXAMPLE"] {
        let masked = made(Kind::VendorKey, key);
        assert!(vendor_form::is_key(masked.as_bytes()), "{key} -> {masked}");
        assert_eq!((masked.len(), &masked[..4].len()), (key.len(), &4));
        assert!(masked != *key && masked.starts_with(&key[..2]));
        if *key != github {
            assert_eq!(classes(&masked), classes(key));
        }
    }
}

#[test]
fn private_keys_keep_their_armour() {
    use base64::engine::general_purpose::STANDARD;
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgVcB/UNPxalR9zDYAjQIf\njojUDiQuGnSJrFEEzZPT/92haA==\n-----END PRIVATE KEY-----";
    let masked = made(Kind::PrivateKey, pem);
    assert!(pem::is_private_key(masked.as_bytes()), "{masked}");
    let lines = |t: &str| t.lines().map(str::len).collect::<Vec<_>>();
    assert_eq!(lines(&masked), lines(pem));
    let body = |t: &str| STANDARD.decode(t.lines().filter(|l| !l.starts_with('-')).collect::<String>());
    assert_eq!(body(&masked).unwrap().len(), body(pem).unwrap().len());
    assert_ne!(masked.lines().nth(2), pem.lines().nth(2));
    let crlf = made(Kind::PrivateKey, &pem.replace('\n', "\r\n"));
    assert!(pem::is_private_key(crlf.as_bytes()) && crlf.contains("=\r\n-----END"));
    let escaped = made(Kind::PrivateKey, &pem.replace('\n', "\\n"));
    assert!(pem::is_private_key(escaped.as_bytes()) && escaped.matches("\\n").count() == 3, "{escaped}");
    assert!(!escaped.contains("MIGEAgEA"));
    let encrypted = pem.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n", 1);
    assert!(made(Kind::PrivateKey, &encrypted).contains("Proc-Type: 4,ENCRYPTED\n"));
}

#[test]
fn names_can_be_spoken() {
    let shape = |t: &str| -> String {
        let vowel = |c: char| "aeiou".contains(c.to_ascii_lowercase());
        t.chars()
            .map(|c| match c {
                c if !c.is_ascii_alphabetic() => c,
                c if c.is_uppercase() => {
                    if vowel(c) {
                        'V'
                    } else {
                        'C'
                    }
                }
                c => {
                    if vowel(c) {
                        'v'
                    } else {
                        'c'
                    }
                }
            })
            .collect()
    };
    for name in ["Ann", "Leslie Rossi", "O'Brien-Smith", "J. R. Miller", &"Very Long Name ".repeat(9)] {
        let masked = made(Kind::Name, name);
        assert_eq!(shape(&masked), shape(name), "{name} -> {masked}");
        assert_ne!(masked, name);
    }
    assert_eq!(made(Kind::Name, "山田太郎").len(), 12);
    let short: HashSet<String> = ('a'..='z')
        .flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}")))
        .map(|n| made(Kind::Name, &n))
        .collect();
    assert_eq!(short.len(), 26 * 26);
}

#[test]
fn numbers_of_telephones_keep_their_country() {
    for phone in
        ["+14155552671", "+1 (415) 555-2671", "+49 30 901820", "+39 06 6982", "+3725551234", "+442079460958"]
    {
        let masked = made(Kind::Phone, phone);
        assert_eq!(detect::shape(masked.as_bytes()), Some(Kind::Phone), "{phone} -> {masked}");
        assert_eq!((masked.len(), &masked[..2]), (phone.len(), &phone[..2]));
        assert_ne!(masked, phone);
    }
    let plain = made(Kind::Phone, "+14155552671");
    let grouped: String =
        made(Kind::Phone, "+1 (415) 555-2671").chars().filter(|c| *c == '+' || c.is_ascii_digit()).collect();
    assert_eq!(plain, grouped);
    assert!(made(Kind::Phone, "+39 06 6982 0000").starts_with("+39 0"));
    assert_eq!(classes(&made(Kind::Phone, "(0170) 123 45 67")), classes("(0170) 123 45 67"));
}

#[test]
fn nothing_is_its_own_pseudonym_in_small_domains() {
    for n in 0..1000 {
        let code = format!("{n:03}");
        assert_ne!(made(Kind::Cvc, &code), code);
    }
    for n in 0..10 {
        assert_ne!(made(Kind::Otp, &n.to_string()), n.to_string());
    }
}

#[test]
fn account_numbers_keep_check_digits_in_every_writing() {
    let compact = made(Kind::Iban, "GB29NWBK60161331926819");
    assert!(detect::is_iban(compact.as_bytes()) && compact.starts_with("GB"));
    assert_eq!(made(Kind::Iban, "gb29nwbk60161331926819"), compact.to_lowercase());
    assert_eq!(made(Kind::Iban, "GB29 NWBK 6016 1331 9268 19").replace(' ', ""), compact);
}

proptest! {
    #[test]
    fn unequal_addresses_stay_unequal(a: u32, b: u32, c: u128, d: u128) {
        let p = pseudonyms();
        let four = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
        let six = |n: u128| IpAddr::from(std::net::Ipv6Addr::from(n));
        prop_assert_eq!(p.ip(&four(a)) == p.ip(&four(b)), a == b);
        prop_assert_eq!(p.ip(&six(c)) == p.ip(&six(d)), c == d);
        for address in [four(a), six(c)] {
            prop_assert_eq!(p.ip(&address) == address, !ip_form::is_hosts(address));
            prop_assert_eq!(ip_form::is_hosts(p.ip(&address)), ip_form::is_hosts(address));
        }
    }

    #[test]
    fn unequal_interfaces_stay_unequal(a in 1_u64..(1 << 48) - 1, b in 1_u64..(1 << 48) - 1) {
        let mac = |n: u64| -> String {
            format!("{n:012x}").as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":")
        };
        let (x, y) = (made(Kind::Mac, &mac(a)), made(Kind::Mac, &mac(b)));
        prop_assert!(mac_form::is_mac(x.as_bytes()) && x != mac(a));
        prop_assert_eq!(x == y, a == b);
    }

    #[test]
    fn unequal_telephones_stay_unequal(a in 2_000_000_u32..10_000_000, b in 2_000_000_u32..10_000_000) {
        let phone = |n: u32| made(Kind::Phone, &format!("+1415{n}"));
        prop_assert_eq!(phone(a) == phone(b), a == b);
    }

    #[test]
    fn unequal_names_stay_unequal(a in "[A-Z][a-z]{1,9}", b in "[A-Z][a-z]{1,9}") {
        prop_assert_eq!(made(Kind::Name, &a) == made(Kind::Name, &b), a == b);
    }

    #[test]
    fn unequal_national_ids_stay_unequal(a: u64, b: u64, scheme in 0..SCHEMES.len()) {
        let (x, y) = (number_of(&SCHEMES[scheme], a), number_of(&SCHEMES[scheme], b));
        let p = pseudonyms();
        prop_assert_eq!(p.make(Kind::NationalId, &x) == p.make(Kind::NationalId, &y), x == y);
    }
}
