//! Known behaviours in generated traffic, by a program that shares nothing with the grouping: sessions, behaviours with
//! their weights, and endpoint templates are found. With 20,000 sessions: `bench/grouping/check.py`.

use crate::common::{Place, bench, fixture};

#[test]
fn sessions_behaviours_and_templates_are_found() {
    let args = ["--sessions", "2000", "--seed", "3", "--urls", "3000"];
    let Some((_, said)) = bench("grouping/check.py", &args) else { return };
    for wanted in [
        "ok    sessions",
        "ok    behaviours",
        "ok    weights",
        "ok    scenario",
        "ok    endpoints",
        "ok    3000 distinct URLs",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
}

#[test]
fn each_session_says_which_rung_held_and_each_profile_what_sets_it_apart() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    let why = place.mynah(&["inspect", "shop.mynah", "--sessions", "--why"]).ok().stdout();
    assert!(why.contains("exchanges carry the cookie"), "{why}");
    let explained =
        place.mynah(&["profile", "shop.mynah", "-o", "a.toml", "--explain", "--json"]).ok().json();
    place.mynah(&["profile", "shop.mynah", "-o", "b.toml", "--html", "b.html"]).ok().says("wrote b.html");
    let page = std::fs::read_to_string(place.file("b.html")).unwrap();
    assert!(
        page.contains("checkout") && page.contains("POST /login → GET /account: 100% of those there"),
        "{page}"
    );
    assert_eq!(explained["sessions"].as_array().unwrap().len(), 240);
    for profile in explained["profiles"].as_array().unwrap() {
        assert!(profile["silhouette"].is_number(), "{profile}");
        assert!(!profile["telling"].as_array().unwrap().is_empty(), "{profile}");
        assert!(!profile["medoid"]["steps"].as_array().unwrap().is_empty(), "{profile}");
    }
}

#[test]
fn a_template_that_cannot_be_is_an_error() {
    let place = Place::new();
    let said = place
        .mynah(&["inspect", &fixture("shop.pcap"), "--endpoints", "--endpoint", "GET /u/{*rest}/more"])
        .exits(2);
    said.says("nothing may follow");
    for (template, wanted) in [
        ("GET /items/{x", "the '{' at character 12 is not closed"),
        ("GET /items/x}/y", "the '}' at character 13 closes nothing"),
        ("GET /items/{a/b}", "not closed before '/'"),
        ("GET /items/a{b}", "a place is a whole segment"),
        ("/items/{x}", "expected METHOD"),
    ] {
        let said =
            place.mynah(&["profile", &fixture("shop.pcap"), "-o", "a.toml", "--endpoint", template]).exits(2);
        said.says(wanted);
    }
}

#[test]
fn a_template_that_fits_nothing_is_told_with_the_nearest() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    let said =
        place.mynah(&["profile", "shop.mynah", "-o", "a.toml", "--endpoint", "GET /itemz/{name}"]).ok();
    said.says("no request fits the endpoint 'GET /itemz/{name}'; the nearest endpoint is 'GET /items/{id}'");
}
