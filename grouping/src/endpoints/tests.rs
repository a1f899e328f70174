use proptest::prelude::*;

use super::*;
use crate::testing::Traffic;

fn templates(paths: impl IntoIterator<Item = String>, options: &Options) -> Vec<(String, u64)> {
    let mut traffic = Traffic::new();
    for path in paths {
        traffic.get(1, &path);
    }
    let found = endpoints(&traffic.open(), options).unwrap();
    let mut found: Vec<(String, u64)> =
        found.into_iter().map(|count| (count.endpoint.template.to_string(), count.requests)).collect();
    found.sort();
    found
}

fn names(paths: impl IntoIterator<Item = String>) -> Vec<String> {
    templates(paths, &Options::default()).into_iter().map(|(name, _)| name).collect()
}

fn uuid(number: u64) -> String {
    let hash = crate::hash::hash(&number.to_le_bytes());
    format!("{:08x}-1111-4222-8333-{:012x}", hash >> 32, hash & 0xffff_ffff_ffff)
}

#[test]
fn every_style_of_id_folds() {
    let hex = |n: u64| format!("{:016x}", crate::hash::hash(&n.to_le_bytes()));
    let paths = (0..400).flat_map(|n: u64| {
        [
            format!("/users/{}", n + 1),
            format!("/orders/{}", uuid(n)),
            format!("/blobs/1{}", hex(n)),
            format!("/days/2026-{:02}-{:02}", n % 12 + 1, n % 28 + 1),
            format!("/articles/a-fine-story-{n}"),
            format!("/users/{}/orders/{}", n + 1, n * 7),
            format!("/tickets/T{}-{}", n % 10, hex(n).to_uppercase()),
            format!("/u/{}", ["anna", "bert", "carl", "dora"][n as usize % 4].repeat(1 + n as usize / 4 % 9)),
        ]
    });
    let found = names(paths.chain(["/users/me".to_owned(), "/users/me/settings".to_owned()]));
    assert_eq!(
        found,
        [
            "/articles/{slug}",
            "/blobs/{hex}",
            "/days/{date}",
            "/orders/{uuid}",
            "/tickets/{token}",
            "/u/{name}",
            "/users/me",
            "/users/me/settings",
            "/users/{id}",
            "/users/{id}/orders/{order_id}",
        ]
    );
}

#[test]
fn a_code_without_a_digit_folds_with_its_siblings() {
    let found = names(
        ["ORD-7K2M9QX4AB", "ORD-PFLJSJCYCZ", "ORD-K2M9QX4AB7", "latest", "PENDING"]
            .map(|code| format!("/orders/{code}")),
    );
    assert_eq!(found, ["/orders/PENDING", "/orders/latest", "/orders/{token}"]);
}

#[test]
fn words_stay_words() {
    let found = names(
        [
            "/",
            "/about",
            "/api/v1/items",
            "/api/v2/items",
            "/api/2/a",
            "/api/2/b",
            "/oauth2/token",
            "/step-1",
            "/a/",
        ]
        .map(str::to_owned),
    );
    assert_eq!(
        found,
        [
            "/",
            "/a/",
            "/about",
            "/api/2/a",
            "/api/2/b",
            "/api/v1/items",
            "/api/v2/items",
            "/oauth2/token",
            "/step-1"
        ]
    );
}

#[test]
fn a_name_that_stands_out_stays() {
    let names_of_users = (0..60).map(|n: u8| {
        let letter = |n: u8| char::from(b'a' + n % 26);
        format!("/people/{}{}{}/photos", letter(n), letter(n / 3), letter(n / 7))
    });
    let often = std::iter::repeat_n("/people/search/photos".to_owned(), 200);
    let found = names(names_of_users.chain(often).chain(["/people/me/inbox".to_owned()]));
    assert_eq!(found, ["/people/me/inbox", "/people/search/photos", "/people/{name}/photos"]);
}

#[test]
fn files_fold_only_when_there_are_many() {
    let few = names((0..20).map(|n| format!("/static/file{}.css", char::from(b'a' + n))));
    assert_eq!(few.len(), 20);
    let many = names(
        (0..90).map(|n| format!("/static/{}{}.css", char::from(b'a' + n % 26), char::from(b'a' + n / 26))),
    );
    assert_eq!(many, ["/static/{file}"]);
}

#[test]
fn the_users_templates_win_and_hosts_show_where_there_are_several() {
    let options = Options { templates: vec!["GET /u/{name}".parse().unwrap()], ..Options::default() };
    let found = templates(["/u/anna", "/u/bert", "/v/anna"].map(str::to_owned), &options);
    assert_eq!(found, [("/u/{name}".to_owned(), 2), ("/v/anna".to_owned(), 1)]);
    let mut traffic = Traffic::new();
    traffic.get(1, "/a");
    traffic.raw(1, "GET /a HTTP/1.1\r\nHost: other.test\r\n\r\n", "HTTP/1.1 404 No\r\n\r\n");
    let found = endpoints(&traffic.open(), &Options::default()).unwrap();
    let texts: Vec<String> = found.iter().map(|count| count.endpoint.to_string()).collect();
    assert_eq!(texts, ["GET other.test/a", "GET shop.test/a"]);
    assert_eq!(found[0].status, BTreeMap::from([(404, 1)]));
}

#[test]
fn the_number_of_endpoints_is_bounded() {
    let word = |mut n: u32| {
        let mut text = String::new();
        for _ in 0..5 {
            text.push(char::from(b'a' + (n % 26) as u8));
            n = n / 26 + 7;
        }
        text
    };
    let paths = (0..3_000_u32).map(|n| format!("/{}/{}/x{}", word(n % 60), word(n * 31), word(n * 17)));
    let options = Options { max_endpoints: 50, ..Options::default() };
    let found = templates(paths, &options);
    assert!(found.len() <= 50, "{}", found.len());
    assert_eq!(found.iter().map(|(_, requests)| requests).sum::<u64>(), 3_000);
}

proptest! {
    /// Whatever is asked for, its endpoint fits it, and still does when it has been written and read.
    #[test]
    fn every_request_fits_its_endpoint(paths in prop::collection::vec("(/([a-c]|[0-9a-f]{8}|[{}x* -]{0,3}|me)){1,4}", 1..60)) {
        let mut traffic = Traffic::new();
        for path in &paths {
            traffic.get(1, path);
        }
        let scan = Scan::read(&traffic.open(), &Options::default()).unwrap();
        let all: Vec<u32> = (0..paths.len() as u32).collect();
        let table = Table::build(&scan, &all, &Options::default());
        for &number in &all {
            let endpoint = &table.endpoints[table.of(number) as usize];
            let path = scan.paths.text(scan.records[number as usize].path);
            prop_assert!(endpoint.matches("GET", "shop.test", path), "{endpoint} and {path}");
            let back: Endpoint = endpoint.to_string().parse().unwrap();
            prop_assert!(back.matches("GET", "shop.test", path), "{back} and {path}");
        }
        prop_assert_eq!(table.requests.iter().sum::<u64>(), paths.len() as u64);
    }
}

#[test]
fn operations_are_endpoints_and_templates_that_fit_nothing_are_told() {
    let options = Options {
        templates: vec!["GET /shop.php?action=pay".parse().unwrap(), "GET /itemz/{name}".parse().unwrap()],
        ..Options::default()
    };
    let mut traffic = Traffic::new();
    for path in [
        "/shop.php?action=show&id=1",
        "/shop.php?action=show&id=2",
        "/shop.php?action=pay",
        "/items/17",
        "/shop.php",
    ] {
        traffic.get(1, path);
    }
    // A value that is no name: too many of them.
    for number in 0..300_u32 {
        let letters: String =
            (0..4).map(|place| char::from(b'a' + (number >> (place * 3) & 7) as u8)).collect();
        traffic.get(1, &format!("/q?op={letters}"));
    }
    let scan = Scan::read(&traffic.open(), &options).unwrap();
    let all: Vec<u32> = (0..scan.records.len() as u32).collect();
    let table = Table::build(&scan, &all, &options);
    let found: Vec<(String, u64)> =
        table.endpoints.iter().map(ToString::to_string).zip(table.requests.iter().copied()).collect();
    let wanted = [
        ("GET /items/{id}", 1),
        ("GET /q", 300),
        ("GET /shop.php", 1),
        ("GET /shop.php?action=pay", 1),
        ("GET /shop.php?action=show", 2),
    ];
    assert_eq!(found, wanted.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!(
        table.warnings,
        ["no request fits the endpoint 'GET /itemz/{name}'; the nearest endpoint is 'GET /items/{id}'"]
    );
}
