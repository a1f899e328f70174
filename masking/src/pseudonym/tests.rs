use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::detect;

mod forms;

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(&Key::from([42; 32]))
}

fn token(value: &str) -> String {
    String::from_utf8(pseudonyms().make(Kind::Password, value.as_bytes())).unwrap()
}

fn classes(value: &str) -> Vec<(bool, bool, bool, Option<char>)> {
    value
        .chars()
        .map(|c| {
            (
                c.is_ascii_digit(),
                c.is_ascii_lowercase(),
                c.is_ascii_uppercase(),
                (!c.is_alphanumeric()).then_some(c),
            )
        })
        .collect()
}

#[test]
fn tokens_keep_length_and_classes() {
    for value in
        ["k3J9-xQ2m_Lp0Z==", "a", "Zz9", "hunter2", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "+49 170 1234567"]
    {
        let masked = token(value);
        assert_eq!(classes(&masked), classes(value), "{value} -> {masked}");
        assert_eq!(masked, token(value));
    }
    let hex = token("3f2504e04f8941d39a0c0305e82c3301");
    assert!(hex.bytes().all(|b| b.is_ascii_hexdigit()), "{hex}");
    assert_ne!(token("correct horse battery"), token("correct horse batterz"));
    let odd = pseudonyms().make(Kind::Token, b"\xff\xfeab");
    assert_eq!(odd.len(), 4);
    let other = Pseudonyms::new(&Key::from([43; 32])).make(Kind::Token, b"hunter2hunter2");
    assert_ne!(other, token("hunter2hunter2").into_bytes());
}

#[test]
fn long_values_keep_their_length() {
    let long = "é1x".repeat(30_000);
    let masked = token(&long);
    assert_eq!((masked.len(), masked.chars().count()), (long.len(), 90_000));
}

#[test]
fn other_scripts_do_not_survive() {
    for value in ["Jürgen Großmann", "山田太郎", "Анна", "김철수", "ßæđ"] {
        let masked = token(value);
        assert_eq!(masked.len(), value.len(), "{value} -> {masked}");
        for (a, b) in masked.chars().zip(value.chars()) {
            assert!(a.is_alphanumeric() == b.is_alphanumeric());
        }
        assert_ne!(masked, value);
    }
}

#[test]
fn numbers_stay_numbers_of_their_range() {
    for value in [
        "7",
        "42",
        "1234567",
        "2147483647",
        "4000000000",
        "9007199254740991",
        "9223372036854775807",
        "-17",
        "3.25",
        "0.5",
    ] {
        let masked = token(value);
        assert!(mynah_message::json::is_number(masked.as_bytes()), "{value} -> {masked}");
        assert_eq!(masked.len(), value.len(), "{value} -> {masked}");
    }
    assert!(token("2000000000").parse::<i32>().is_ok());
    assert!(token("9223372036854775807").parse::<i64>().is_ok());
    assert!(token("0123").starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(token("123456789012345678901234567890").len(), 30);
}

/// All of a small domain, masked: as many values as before.
fn assert_injective(values: impl Iterator<Item = String>) {
    let values: Vec<String> = values.collect();
    let masked: HashSet<String> = values.iter().map(|v| token(v)).collect();
    assert_eq!(masked.len(), values.len());
    assert!(masked.iter().all(|m| m.len() == values[0].len()));
}

#[test]
fn unequal_stays_unequal_in_small_domains() {
    assert_injective((0..10).map(|n| n.to_string()));
    assert_injective((0..1000).map(|n| format!("{n:03}")));
    assert_injective((0..10_000).map(|n| format!("{n:04}")));
    assert_injective(('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}"))));
}

#[test]
fn composite_tokens_are_masked_by_segment() {
    let p = pseudonyms();
    let id = b"Zk3J9xQ2mLp0Zq81aa";
    let whole = p.make(Kind::Session, b"s:Zk3J9xQ2mLp0Zq81aa.fRw4wxqEW7dBnQyx0pQ2");
    let parts: Vec<_> = segments(&whole).collect();
    assert_eq!(parts[1], p.make(Kind::Session, id));
    assert_eq!((parts.len(), whole.len()), (3, 41));
    assert_eq!(
        p.make(Kind::Password, id),
        p.make(Kind::Session, id),
        "one pseudonym, whatever the name says"
    );
}

#[test]
fn emails_are_one_address_in_any_case() {
    let p = pseudonyms();
    let mask = |v: &str| String::from_utf8(p.make(Kind::Email, v.as_bytes())).unwrap();
    let masked = mask("Ann.Lee@Shop.com");
    assert_eq!(masked, mask("ann.lee@shop.com"));
    assert!(
        masked.ends_with(".example") && detect::shape(masked.as_bytes()) == Some(Kind::Email),
        "{masked}"
    );
    assert_eq!(masked.split('@').nth(1), mask("bob@shop.com").split('@').nth(1));
    assert_ne!(masked, mask("ann.lee@shop.org"));
    assert_eq!(mask("not an address").len(), 14);
}

#[test]
fn cards_stay_cards() {
    let p = pseudonyms();
    for card in ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444", "4222222222222"] {
        let masked = p.make(Kind::Card, card.as_bytes());
        assert!(detect::is_card(&masked));
        assert_eq!(masked[..4], card.as_bytes()[..4]);
        assert_ne!(masked, card.as_bytes());
    }
    let grouped = p.make(Kind::Card, b"4111 1111 1111 1111");
    let plain: Vec<u8> = grouped.into_iter().filter(|b| *b != b' ').collect();
    assert_eq!(plain, p.make(Kind::Card, b"4111111111111111"));
    assert_eq!(p.make(Kind::Card, b"1234").len(), 4);
}

#[test]
fn ibans_and_dates_keep_their_form() {
    let p = pseudonyms();
    let iban = p.make(Kind::Iban, b"DE89 3704 0044 0532 0130 00");
    assert!(detect::is_iban(&iban) && iban.starts_with(b"DE") && iban[4] == b' ');
    let compact: Vec<u8> = iban.iter().copied().filter(|b| *b != b' ').collect();
    assert_eq!(compact, p.make(Kind::Iban, b"DE89370400440532013000"));
    let date = String::from_utf8(p.make(Kind::Birthdate, b"1985-07-21")).unwrap();
    assert!(date != "1985-07-21" && (date.starts_with("19") || date.starts_with("20")), "{date}");
    assert_eq!(p.make(Kind::Birthdate, b"1985-07-21T00:00:00Z")[10..], *b"T00:00:00Z");
    assert_eq!(p.make(Kind::Birthdate, b"19850721"), date.replace('-', "").into_bytes());
    assert_eq!(p.make(Kind::Birthdate, b"1985-02-30").len(), 10);
}

#[test]
fn every_day_has_its_own() {
    let key = Key::from([1; 32]).sub("date");
    let days: HashSet<Vec<u8>> = (1..=28)
        .flat_map(|d| (1..=12).map(move |m| format!("1980-{m:02}-{d:02}")))
        .map(|d| token::date(&key, d.as_bytes()).unwrap())
        .collect();
    assert_eq!(days.len(), 28 * 12);
}

proptest! {
    #[test]
    fn permutations_are_one_to_one(n in 2_u64..2000, tweak: u8) {
        let key = Key::from([9; 32]).sub("p");
        let seen: HashSet<u64> = (0..n).map(|x| permute::permute(&key, &[tweak], n, x)).collect();
        prop_assert_eq!(seen.len() as u64, n);
        prop_assert!(seen.iter().all(|x| *x < n));
        prop_assert!((0..n).all(|x| permute::permute(&key, &[tweak], n, x) != x));
    }

    #[test]
    fn anything_can_be_masked(value: Vec<u8>, kind in 0..Kind::ALL.len()) {
        let p = pseudonyms();
        let masked = p.make(Kind::ALL[kind], &value);
        prop_assert_eq!(&masked, &p.make(Kind::ALL[kind], &value));
        if !matches!(Kind::ALL[kind], Kind::Email | Kind::Ip) {
            prop_assert_eq!(masked.len(), value.len());
        }
    }

    #[test]
    fn unequal_short_values_stay_unequal(a in "[a-z0-9]{1,9}", b in "[a-z0-9]{1,9}") {
        prop_assert_eq!(token(&a) == token(&b), a == b);
    }

    #[test]
    fn unequal_cards_stay_unequal(a in 0_u32..1_000_000_000, b in 0_u32..1_000_000_000) {
        let p = pseudonyms();
        let card = |n: u32| {
            let stem = format!("411111{n:09}0");
            let digits: Vec<u8> = stem.bytes().map(|c| c - b'0').collect();
            format!("{}{}", &stem[..15], (10 - detect::luhn_sum(&digits) % 10) % 10)
        };
        prop_assert_eq!(
            p.make(Kind::Card, card(a).as_bytes()) == p.make(Kind::Card, card(b).as_bytes()),
            a == b
        );
    }
}

#[test]
fn days_are_written_as_they_were() {
    let p = Pseudonyms::new(&Key::from([4; 32]));
    let text = |value: &str| String::from_utf8(p.make(Kind::Birthdate, value.as_bytes())).unwrap();
    let iso = text("1980-03-12");
    let (y, m, d) = (&iso[..4], &iso[5..7], &iso[8..]);
    assert!(d <= "12");
    assert_eq!(text("12.03.1980"), format!("{d}.{m}.{y}"), "one day, one pseudonym");
    assert_eq!(text("03/12/1980"), format!("{m}/{d}/{y}"));
    assert_eq!(text("19800312"), format!("{y}{m}{d}"));
    assert_eq!(text("1980/03/12 10:00"), format!("{y}/{m}/{d} 10:00"));
    let late = text("25/12/1980");
    assert!(late[..2] > *"12" && late[3..5] <= *"12", "{late}");
    let year: u32 = text("1980").parse().unwrap();
    assert!((1920..2020).contains(&year));
}
