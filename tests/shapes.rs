//! Answers' bodies against the recorded ones: what is always so is missed, what differs by itself is not.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::apps::record;
use crate::apps::web::{App, Browser, Dice, Reply, Request, Server};
use crate::common::{Place, run_json};

/// What became of the application since it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Release {
    Same,
    FieldRenamed,
    NumberAsText,
    ListEmpty,
    ErrorPage,
    NoBody,
    CutOff,
    TitleGone,
}

/// A catalogue whose every answer is another: identifiers, times, optional fields, a map by identifier, lists of any length.
struct Catalogue {
    dice: Dice,
    release: Release,
}

impl Catalogue {
    fn new(seed: u64, release: Release) -> Catalogue {
        Catalogue { dice: Dice::new(seed), release }
    }

    fn item(&mut self) -> Value {
        let mut item = Map::new();
        item.insert("id".into(), self.dice.uuid().into());
        let name = if self.release == Release::FieldRenamed { "label" } else { "name" };
        item.insert(name.into(), self.dice.token(8).into());
        let price = self.dice.number();
        let text = self.release == Release::NumberAsText;
        item.insert("price".into(), if text { price.to_string().into() } else { price.into() });
        if self.dice.chance(30) {
            item.insert("note".into(), self.dice.token(12).into());
        }
        item.insert(
            "sale".into(),
            if self.dice.chance(50) { Value::Null } else { self.dice.below(90).into() },
        );
        item.into()
    }

    fn list(&mut self) -> Value {
        let count = if self.release == Release::ListEmpty { 0 } else { 1 + self.dice.below(4) };
        let items: Vec<Value> = (0..count).map(|_| self.item()).collect();
        let stock: Map<String, Value> =
            items.iter().map(|item| (item["id"].as_str().unwrap().to_owned(), 3.into())).collect();
        let at = format!("2026-11-21T10:{:02}:{:02}Z", self.dice.below(60), self.dice.below(60));
        json!({ "items": items, "stock": stock, "served": { "at": at, "by": self.dice.hex(4) } })
    }
}

impl App for Catalogue {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.path == "/about" {
            let title =
                if self.release == Release::TitleGone { String::new() } else { "About us. ".repeat(200) };
            return Reply::html(200, format!("<html><h1>{title}</h1></html>"));
        }
        let body = if request.path == "/items" { self.list() } else { self.item() };
        match self.release {
            Release::ErrorPage => Reply::html(200, "<html>Sorry</html>"),
            Release::NoBody => Reply { body: String::new(), ..Reply::json(200, &body) },
            Release::CutOff => {
                let mut reply = Reply::json(200, &body);
                reply.body.truncate(reply.body.len() / 2);
                reply
            }
            _ => Reply::json(200, &body),
        }
    }
}

fn visit(address: SocketAddr, number: usize) {
    let mut browser = Browser::to(address, "catalogue");
    let ids = browser.get("/items").is(200).json();
    let id = ids["items"][0]["id"].as_str().unwrap().to_owned();
    browser.get(&format!("/items/{id}")).is(200);
    if number.is_multiple_of(2) {
        browser.get("/about").is(200);
    }
}

#[test]
fn two_sides_that_answer_differently_are_told_apart() {
    let place = recorded(&["--unmasked"]);
    for (name, seed, release) in
        [("a", 21, Release::Same), ("b", 22, Release::Same), ("c", 23, Release::FieldRenamed)]
    {
        let server = Server::start(Catalogue::new(seed, release));
        let target = server.url();
        let line =
            ["replay", "s.toml", "--target", &target, "--users", "4", "--for", "2s", "--think-time", "0"];
        place.mynah(&[&line[..], &["-o", name]].concat()).ok();
    }
    // Whatever the times say, which this machine decides.
    let compared = |side: &str, options: &[&str]| {
        let line = [
            "compare",
            "a",
            side,
            "--confidence",
            "99.9%",
            "--relative",
            "100%",
            "--absolute",
            "10s",
            "--json",
        ];
        let run = place.mynah(&[&line[..], options].concat());
        (run.output.status.code(), run.json())
    };
    let (_, same) = compared("b", &["--fail-on-differences"]);
    assert_eq!(same["differences"], json!([]), "{same:#}");
    let (told, changed) = compared("c", &[]);
    let found: Vec<&str> =
        changed["differences"].as_array().unwrap().iter().filter_map(|one| one["what"].as_str()).collect();
    for what in ["$.items[*].name: string", "$.items[*].label: string", "$.name: string", "$.label: string"] {
        assert!(found.contains(&what), "{what}: {found:?}");
    }
    assert_eq!(found.len(), 4, "{found:?}");
    let (failed, _) = compared("c", &["--fail-on-differences"]);
    // 11 where the machine was too busy for either.
    assert!(matches!((told, failed), (Some(0 | 11), Some(10 | 11))), "{told:?} {failed:?}");
}

/// Mismatches of a replay against a release, and what they are.
fn replayed(place: &Place, release: Release, options: &[&str], code: i32) -> (u64, String) {
    let server = Server::start(Catalogue::new(77, release));
    let target = server.url();
    let line = ["replay", "s.toml", "--target", &target, "--users", "4", "--for", "1s", "--think-time", "0"];
    let run = place.mynah(&[&line[..], &["-o", "run", "--force"], options].concat());
    if code == 0 {
        run.ok()
    } else {
        run.exits(code)
    };
    let run = run_json(&place.file("run"));
    assert!(run["requests"].as_u64().unwrap() > 100 && run["failures"] == 0, "{run}");
    let samples = run["mismatch_samples"].as_array().unwrap();
    let mut told: Vec<String> = samples
        .iter()
        .map(|s| format!("{}: {}, recorded {}", s["endpoint"], s["got"], s["wanted"]).replace('"', ""))
        .collect();
    told.sort();
    told.dedup();
    (run["total"]["mismatches"].as_u64().unwrap(), told.join("\n"))
}

fn recorded(options: &[&str]) -> Place {
    let place = Place::new();
    let server = Server::start(Catalogue::new(5, Release::Same));
    record(&place, &server.url(), options, &visit);
    place.mynah(&["profile", "t.mynah", "-o", "s.toml"]).ok();
    place
}

#[test]
fn what_differs_by_itself_is_no_mismatch() {
    for options in [&["--unmasked"][..], &["--key-file", "k"]] {
        let place = recorded(options);
        assert_eq!(replayed(&place, Release::Same, &[], 0), (0, String::new()), "{options:?}");
    }
}

#[test]
fn what_changed_is_found_and_named() {
    let place = recorded(&["--unmasked"]);
    let (_, told) = replayed(&place, Release::FieldRenamed, &["--threshold", "mismatch_rate < 1%"], 10);
    assert!(told.contains("GET /items: no $.items[*].name, recorded $.items[*].name"), "{told}");
    assert!(told.contains("GET /items/{uuid}: no $.name, recorded $.name"), "{told}");
    let (count, told) = replayed(&place, Release::NumberAsText, &[], 0);
    let text = "a string at $.items[*].price, recorded a number at $.items[*].price";
    assert!(count > 50 && told.contains(text), "{told}");
    let (count, told) = replayed(&place, Release::ErrorPage, &[], 0);
    assert!(count > 50 && told.contains("GET /items: text/html, recorded application/json"), "{told}");
    let (_, told) = replayed(&place, Release::NoBody, &[], 0);
    assert!(told.contains("GET /items/{uuid}: an empty one, recorded a body"), "{told}");
    let (_, told) = replayed(&place, Release::CutOff, &[], 0);
    assert!(told.contains("something else from byte") && told.contains("recorded JSON"), "{told}");
    let (_, told) = replayed(&place, Release::TitleGone, &[], 0);
    assert!(told.starts_with("GET /about: 22 bytes, recorded 505 to"), "{told}");
    // No value is ever told.
    assert!(!told.contains("About"), "{told}");

    assert_eq!(replayed(&place, Release::ListEmpty, &[], 0), (0, String::new()));
    for release in [Release::FieldRenamed, Release::TitleGone] {
        assert_eq!(replayed(&place, release, &["--no-body-checks"], 0), (0, String::new()), "{release:?}");
    }
}
