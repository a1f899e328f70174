//! Values that are the same by accident, or because everybody has them, are no correlations.

use std::collections::BTreeSet;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::run;
use crate::testing::Traffic;
use crate::{Explanation, Options};

const JSON: &str = "Content-Type: application/json\r\n";
const CATEGORIES: [&str; 6] = ["CAT-1001", "CAT-1002", "CAT-2001", "CAT-2002", "CAT-3001", "CAT-4001"];
const CURRENCIES: [&str; 3] = ["EUR2024", "USD2024", "GBP2024"];

/// Sessions in which two values are really carried, an order's number and a form's token, among many that only look so.
fn traffic(seed: u64, sessions: u64) -> Traffic {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut traffic = Traffic::new();
    for number in 0..sessions {
        let mut ask = |line: &str, headers: &str, body: &str, answer: &str| {
            let length =
                if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
            traffic.raw(
                number,
                &format!("{line} HTTP/1.1\r\nHost: shop.test\r\nCookie: sid=visitor{number:04}x7\r\n{headers}{length}\r\n{body}"),
                &format!("HTTP/1.1 200 OK\r\n{JSON}\r\n{answer}"),
            );
            traffic.now += 300;
        };
        let mut pick = |most: u64| rng.random_range(0..most);
        // A menu with the same entries for everybody; prices and totals in the thousands; a calendar.
        let totals: Vec<String> = (0..30).map(|_| (1_000 + 50 * pick(40)).to_string()).collect();
        let days: Vec<String> = (1..=28).map(|day| format!("\"2026-11-{day:02}\"")).collect();
        ask(
            "GET /menu",
            "",
            "",
            &format!(
                "{{\"categories\":[\"{}\"],\"currencies\":[\"{}\"],\"prices\":[{}],\"days\":[{}]}}",
                CATEGORIES.join("\",\""),
                CURRENCIES.join("\",\""),
                totals.join(","),
                days.join(",")
            ),
        );
        // An enumeration, a currency, a page's offset, a date: chosen, not carried.
        let (category, currency) = (CATEGORIES[pick(6) as usize], CURRENCIES[pick(3) as usize]);
        let (offset, day) = (1_000 + 50 * pick(40), 1 + pick(28));
        ask(
            &format!(
                "GET /goods?category={category}&currency={currency}&offset={offset}&day=2026-11-{day:02}"
            ),
            "",
            "",
            &format!("{{\"offset\":{offset},\"category\":\"{category}\"}}"),
        );
        // A number that a person typed, shown on the page, and then sent again.
        let typed = 40_000_000 + pick(9_000_000);
        ask(&format!("GET /track?parcel={typed}"), "", "", &format!("{{\"parcel\":\"{typed}\"}}"));
        ask(
            &format!("POST /parcels/{typed}/notes"),
            JSON,
            &format!("{{\"parcel\":\"{typed}\",\"stars\":{}}}", 1 + pick(5)),
            "{}",
        );
        // Carried: a token in a script, and an order's number that the answer hands out.
        let token = format!("tk{:016x}", pick(u64::MAX));
        let order = format!("ORD-{:08X}7Q", pick(1 << 32));
        ask("GET /cart", "", "", &format!("{{\"form\":{{\"token\":\"{token}\"}}}}"));
        ask(
            "POST /orders",
            JSON,
            &format!("{{\"token\":\"{token}\",\"currency\":\"{currency}\",\"version\":\"v2026.1101\"}}"),
            &format!("{{\"order\":\"{order}\",\"version\":\"v2026.1101\"}}"),
        );
        ask(&format!("GET /orders/{order}"), "", "", "{\"version\":\"v2026.1101\"}");
    }
    traffic
}

fn accepted(explanation: &Explanation) -> BTreeSet<String> {
    explanation.correlations.iter().flat_map(|one| one.to.clone()).collect()
}

#[test]
fn only_what_was_carried_is_accepted() {
    let wanted: BTreeSet<String> =
        ["GET /orders/{token} path:1", "POST /orders json:$.token"].map(str::to_owned).into();
    let mut all = 0;
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let explanation = run(&traffic(seed, 90), &Options::default(), &folder).explanation;
        assert_eq!(accepted(&explanation), wanted, "seed {seed}\n{explanation}");
        all += explanation.correlations.len();
        // What was not is told of, each with its reason.
        let reason = |to: &str| {
            let one = explanation.rejected.iter().find(|one| one.to.ends_with(to));
            one.map_or_else(|| panic!("{to} is not told of\n{explanation}"), |one| one.reason.clone())
        };
        for (to, wanted) in [
            ("GET /goods query:category", "an enumeration"),
            ("GET /goods query:day", "dates"),
            ("POST /orders json:$.currency", "an enumeration"),
            ("json:$.parcel", "typed, not handed out"),
        ] {
            assert!(reason(to).contains(wanted), "{to}: {}\n{explanation}", reason(to));
        }
    }
    assert_eq!(all, 12);
}

#[test]
fn a_few_sessions_are_no_evidence_for_numbers() {
    // The second of two sessions sends what the first was handed, in its own answers as well.
    let folder = tempfile::tempdir().unwrap();
    let explanation = run(&traffic(9, 3), &Options::default(), &folder).explanation;
    for to in accepted(&explanation) {
        assert!(
            ["GET /orders/{token} path:1", "POST /orders json:$.token"].contains(&to.as_str()),
            "{explanation}"
        );
    }
}
