use mynah_message::Locator;

use super::*;
use crate::exchange::Nanos;
use crate::{Endpoint, Error};

const HAND_WRITTEN: &str = r#"
version = 1
name = "shop"

[load]
rate = "10x"
for = "30s"

[[threshold]]
expr = "p99 < 500ms"

[[profile]]
name = "buyer"
weight = 25

[[profile.step]]
request = "GET /login"
expect = 200

[[profile.step]]
request = "POST /login?from=${csrf}"
think = "1.5s"
headers = { Accept = "text/html", Authorization = "Bearer ${csrf[2]}" }
form = { csrf = "${csrf}", email = "${identity.email}", note = "a b&c" }
expect = 303

[[correlation]]
name = "csrf"
from = ["GET /login input:csrf"]
to = ["POST /login form:csrf"]
"#;

#[test]
fn a_hand_written_scenario_becomes_steps() {
    let scenario = Scenario::parse(HAND_WRITTEN, "s.toml").unwrap();
    let step = scenario.profiles[0].steps[1].to_step(3, "shop.test", Some(0)).unwrap();
    assert_eq!((step.endpoint, step.waits_for, step.think), (3, Some(0), Nanos(1_500_000_000)));
    let head = String::from_utf8_lossy(&step.request.head).into_owned();
    assert!(
        head.starts_with("POST /login?from=${csrf} HTTP/1.1\r\nHost: shop.test\r\nAccept: text/html\r\n"),
        "{head}"
    );
    assert!(head.contains("Content-Type: application/x-www-form-urlencoded\r\n"), "{head}");
    assert_eq!(&step.request.body[..], b"csrf=%24%7Bcsrf%7D&email=%24%7Bidentity.email%7D&note=a+b%26c");
    assert!(head.contains(&format!("Content-Length: {}\r\n", step.request.body.len())));
    let mut found: Vec<String> =
        step.injections.iter().map(|i| format!("{} {:?} {:?}", i.at, i.source, i.format)).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "form:csrf Correlation { name: \"csrf\", index: 0 } None",
            "form:email Identity { column: \"email\" } None",
            "header:Authorization Correlation { name: \"csrf\", index: 2 } Some(\"Bearer {}\")",
            "query:from Correlation { name: \"csrf\", index: 0 } None",
        ]
    );
}

#[test]
fn a_placeholder_outside_of_quotes_is_a_number() {
    let step = InlineStep {
        request: "POST /api".to_owned(),
        json: Some(
            r#"{"a": "x\"${no", "id":${item_id[2]}, "n": [1, ${count}], "s": "${csrf}"}"#
                .replace("${no", "no"),
        ),
        ..InlineStep::default()
    };
    let step = step.to_step(0, "shop.test", None).unwrap();
    assert_eq!(&step.request.body[..], br#"{"a": "x\"no", "id":0, "n": [1, 0], "s": "${csrf}"}"#);
    let found: Vec<String> = step.injections.iter().map(|i| format!("{} {:?}", i.at, i.source)).collect();
    assert_eq!(
        found,
        [
            "json:$.id Correlation { name: \"item_id\", index: 2 }",
            "json:$.n[1] Correlation { name: \"count\", index: 0 }",
            "json:$.s Correlation { name: \"csrf\", index: 0 }",
        ]
    );
}

#[test]
fn a_default_stands_in_the_request_and_makes_the_value_optional() {
    let step = InlineStep {
        request: "PUT /a/${id:-17}?q=${word}".into(),
        json: Some(r#"{"n": ${n:-5}, "m": ${m}, "s": "x${s:-y}z"}"#.into()),
        headers: toml::Table::from_iter([("Authorization".to_owned(), "Bearer ${token:-t0}".into())]),
        ..InlineStep::default()
    };
    let step = step.to_step(0, "a", None).unwrap();
    assert_eq!(&step.request.body[..], br#"{"n": 5, "m": 0, "s": "xyz"}"#);
    let head = String::from_utf8_lossy(&step.request.head).into_owned();
    assert!(
        head.starts_with("PUT /a/17?q=${word} HTTP/1.1\r\n") && head.contains("Authorization: Bearer t0\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("Content-Length: {}\r\n", step.request.body.len())), "{head}");
    let required: Vec<String> =
        step.injections.iter().filter(|one| one.required).map(|one| one.at.to_string()).collect();
    assert_eq!((step.injections.len(), required), (6, vec!["query:q".to_owned(), "json:$.m".to_owned()]));
}

#[test]
fn what_is_written_is_read() {
    let scenario = Scenario::parse(HAND_WRITTEN, "s.toml").unwrap();
    let text = scenario.to_toml().unwrap();
    assert_eq!(Scenario::parse(&text, "s.toml").unwrap(), scenario, "{text}");
}

/// As mynah wrote them before sections by name.
const OLD: &str = r#"
version = 1
name = "old"

[[profile]]
name = "a"
weight = 60.0
sessions = 3
sessions_from = "old.sessions#a"

[profile.think_s]
p50 = 0.3
p95 = 0.9

[[identities.column]]
name = "email"
to = ["POST /login form:email"]

[[correlation]]
name = "c s"
from = ["GET / input:csrf"]
to = ["POST /login form:csrf"]
format = "Bearer {}"
enabled = false
evidence = "held in 3 of 3 sessions"

[[endpoint]]
match = "GET /"
requests = 7

[[endpoint]]
match = "GET /u/{name}"
"#;

#[test]
fn old_scenarios_are_read_and_written_anew() {
    let old = Scenario::parse(OLD, "s.toml").unwrap();
    let text = old.to_toml().unwrap();
    for line in [
        "weight = 60.0  # 3 sessions; pauses: median 0.3 s, 95 % up to 0.9 s",
        "column.email = [\"POST /login form:email\"]",
        "[correlation.\"c s\"]  # held in 3 of 3 sessions",
        "enabled = false",
        "\"GET /\" = 7",
        "\"GET /u/{name}\" = 0",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    let mut wanted = old.clone();
    wanted.correlations[0].evidence = None;
    (wanted.profiles[0].sessions, wanted.profiles[0].think_s) = (None, None);
    assert_eq!(Scenario::parse(&text, "s.toml").unwrap(), wanted, "{text}");
}

#[test]
fn sections_by_name_are_checked_as_lists_are() {
    let base = "version = 1\nname = \"x\"\nbehaviour = \"markov\"\n[[profile]]\nname = \"a\"\nweight = 1\nbehaviour = \"recorded\"\nthink_time = \"x0.5\"\n[[profile.step]]\nrequest = \"POST /register\"\nform = { email = \"${vary.mail}\" }\n[vary.mail]\nmake = \"user+{n}@shop.example\"\n[correlation.csrf]\nfrom = []\nto = []\n";
    let scenario = Scenario::parse(base, "s.toml").unwrap();
    assert_eq!((scenario.behaviour, scenario.vary.len()), (Some(Behaviour::Markov), 1));
    assert_eq!(Scenario::parse(&scenario.to_toml().unwrap(), "s.toml").unwrap(), scenario);
    for (from, to, wanted) in [
        ("[vary.mail]", "[vary.male]", "there is no [vary.mail]; did you mean '${vary.male}'?"),
        ("make = ", "mkae = ", "s.toml:13:1: unknown key 'mkae'; did you mean 'make'?"),
        ("user+{n}", "user", "every session would send the same"),
        ("from = []", "fron = []", "unknown key 'fron'; did you mean 'from'?"),
        ("\"markov\"", "\"makrov\"", "expected 'recorded' or 'markov'"),
        ("[correlation.csrf]", "[corelation.csrf]", "did you mean 'correlation'?"),
        ("[[profile]]", "[load]\nrate = \"1x\"\nusers = 3\n[[profile]]", "both rate (open model) and users"),
    ] {
        let said = Scenario::parse(&base.replace(from, to), "s.toml").unwrap_err().to_string();
        assert!(said.contains(wanted), "{to}: {said}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let with = |from: &str, to: &str| {
        Scenario::parse(&HAND_WRITTEN.replace(from, to), "s.toml").unwrap_err().to_string()
    };
    for (from, to, wanted) in [
        ("weight = 25", "wieght = 25", "s.toml:14:1: unknown key 'wieght'; did you mean 'weight'?"),
        ("weight = 25", "weight = -1", "weight -1 must be zero or more"),
        ("weight = 25", "weight = \"much\"", "s.toml:14:"),
        ("\"10x\"", "\"10 bananas\"", "expected '10x'"),
        ("p99 < 500ms", "p99 ~ 500ms", "expected a comparison"),
        ("name = \"csrf\"", "name = \"crsf\"", "did you mean '${crsf}'?"),
        ("\"GET /login\"", "\"GET login\"", "the path begins with '/'"),
        ("version = 1", "version = 9", "version 9"),
        ("input:csrf", "inptu:csrf", "inptu"),
        ("think = \"1.5s\"", "think = \"1.5\"", "expected a number with a unit"),
    ] {
        let message = with(from, to);
        assert!(message.contains(wanted), "{to}: {message}");
    }
}

fn script() -> SessionScript {
    let step = Step {
        host: "a".into(),
        request: mynah_message::Message { head: "GET / HTTP/1.1\r\n\r\n".into(), ..Default::default() },
        ..Step::default()
    };
    let injection = Injection {
        at: "json:$.a[2].b".parse::<Locator>().unwrap(),
        source: Source::Correlation { name: "x".into(), index: 2 },
        format: Some("Bearer {}".into()),
        required: false,
    };
    let second = Step { endpoint: 1, waits_for: Some(0), injections: vec![injection], ..step.clone() };
    SessionScript { start: Nanos(5), steps: vec![step, second] }
}

#[test]
fn sessions_are_read_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sessions");
    let endpoints: Vec<Endpoint> = vec!["GET /".parse().unwrap(), "GET a:81/{id}".parse().unwrap()];
    let tables = Tables { endpoints, profiles: vec!["one".into(), "two".into()] };
    let mut writer = SessionsWriter::create(&path, &tables).unwrap();
    for number in 0..10 {
        let script = SessionScript { start: Nanos(number), ..script() };
        writer.write(number as u32 % 2, &script).unwrap();
    }
    assert!(writer.write(2, &script()).is_err());
    writer.finish().unwrap();
    let mut reader = SessionsReader::open(&path).unwrap();
    assert_eq!(*reader.tables(), tables);
    assert_eq!(reader.by_profile()["two"], [1, 3, 5, 7, 9]);
    for position in [9, 0, 4] {
        assert_eq!(
            reader.read(position).unwrap(),
            SessionScript { start: Nanos(position as u64), ..script() }
        );
    }
    assert!(reader.read(10).is_err());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    assert!(matches!(SessionsReader::open(&path), Err(Error::Damaged { .. })));
}

#[test]
fn every_version_of_a_session_file_is_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/versions/v1.sessions");
    let mut reader = SessionsReader::open(path).unwrap();
    assert!(reader.shapes().is_empty());
    assert_eq!(reader.read(0).unwrap().steps.len(), 70);
}

#[test]
fn shapes_come_back() {
    use crate::shape::{Answer, Claims, Shapes};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sessions");
    let answer = |body: &'static str| Answer {
        content_type: b"application/json",
        body: body.as_bytes(),
        length: body.len() as u64,
        ..Answer::default()
    };
    let mut shapes = Shapes::default();
    for _ in 0..25 {
        shapes.note(1, 200, &answer(r#"{"a":[{"b":1}],"17":null}"#));
    }
    let tables = Tables { endpoints: vec!["GET /".parse().unwrap(); 2], profiles: vec!["one".into()] };
    let mut writer = SessionsWriter::create(&path, &tables).unwrap();
    writer.write(0, &script()).unwrap();
    writer.shapes(shapes);
    writer.finish().unwrap();
    let reader = SessionsReader::open(&path).unwrap();
    let shape = reader.shapes().get(1, 2).unwrap();
    assert_eq!((shape.answers(), shape.paths()), (25, 5));
    let unlike = shape.blank().check(&answer(r#"{"a":[{}]}"#), &Claims::of(shape)).1.unwrap();
    assert_eq!(unlike.wanted, "$.a[*].b");
    // Any byte of it that is wrong is noticed.
    let bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 30;
    let wrong = [&bytes[..at], &[bytes[at] ^ 4], &bytes[at + 1..]].concat();
    std::fs::write(&path, wrong).unwrap();
    assert!(matches!(SessionsReader::open(&path), Err(Error::Damaged { .. })));
}

const BY_HAND: &str = r#"
version = 1
name = "hand"
behaviour = "recorded"

[variables]
base = "/v2"
n = 7

[rewrite]
headers = { X-Test = 1 }
host = "recorded"
path = ["^/v1/=/v2/"]

[[profile]]
name = "a"
users = 3
tags = ["all"]
order = "weighted"
steps_per_session = 10
wait = "between 1s 5s"
think_time = "1s..2s"

[[profile.on_start]]
request = "GET ${var.base}/login"
extract = { csrf = "css:input[name=csrf]@value", id = { from = 'regex:order-(\d+)', optional = true } }

[[profile.step]]
name = "an item"
tags = ["read"]
weight = 2.5
request = "GET ${var.base}/${csrf}-${data.people.name:-x}/?n=${var.n}"
think = "1s..5s"
check = ["status == 200", "body contains 'a \"b\"'"]

[[profile.on_stop]]
request = "GET /bye"

[data.people]
file = "people.csv"
pick = "once"
"#;

#[test]
fn what_is_written_by_hand_is_read_and_written() {
    let scenario = Scenario::parse(BY_HAND, "s.toml").unwrap();
    let text = scenario.to_toml().unwrap();
    assert_eq!(Scenario::parse(&text, "s.toml").unwrap(), scenario, "{text}");
    let profile = &scenario.profiles[0];
    assert_eq!((profile.weight.to_string(), profile.all_steps().count()), ("1".to_owned(), 3));
    let step = profile.steps[0].to_step(0, "h", None).unwrap();
    assert!(step.request.head.starts_with(b"GET /v2/"), "{:?}", step.request.head);
    assert_eq!(step.think, Nanos(3_000_000_000));
    let data = Source::Data { set: "people".into(), column: "name".into() };
    let joined = Source::Joined {
        portions: vec![
            Portion::Value { source: Source::Correlation { name: "csrf".into(), index: 0 }, default: None },
            Portion::Text("-".into()),
            Portion::Value { source: data, default: Some("x".into()) },
        ],
    };
    assert_eq!(step.injections[0].source, joined);
}

#[test]
fn what_cannot_be_meant_is_told() {
    let with = |from: &str, to: &str| {
        assert!(BY_HAND.contains(from), "{from}");
        Scenario::parse(&BY_HAND.replace(from, to), "s.toml").unwrap_err().to_string()
    };
    for (from, to, wanted) in [
        ("users = 3", "users = 0", "users = 0 is nobody"),
        ("order = \"weighted\"", "order = \"sequence\"", "steps_per_session goes with"),
        ("steps_per_session = 10", "steps_per_session = 0", "plays nothing"),
        ("weight = 2.5", "weight = 0", "none can be drawn"),
        ("weight = 2.5", "weight = -1", "must be zero or more"),
        ("name = \"an item\"", "name = \" \"", "its name is empty"),
        ("tags = [\"read\"]", "tags = [\"\"]", "has an empty tag"),
        ("request = \"GET /bye\"", "request = \"GET /bye\"\nweight = 1", "is not drawn"),
        ("csrf = \"css", "\"a b\" = \"css", "'a b' is no name for a value"),
        ("data.people.name", "data.people", "expected ${data.SET.COLUMN}"),
        ("X-Test = 1", "X-Test = []", "expected a text or a number"),
        ("pick = \"once\"", "pick = \"twice\"", "unknown variant"),
        ("n = 7", "m = 7", "there is no 'n' in [variables]"),
    ] {
        let message = with(from, to);
        assert!(message.contains(wanted), "{to}: {message}");
    }
    let clash = BY_HAND.replace("[data.people]", "[correlation.csrf]\nfrom = []\nto = []\n[data.people]");
    let message = Scenario::parse(&clash, "s.toml").unwrap_err().to_string();
    assert!(message.contains("extracts 'csrf', and there is a correlation 'csrf'"), "{message}");
}

proptest::proptest! {
    #[test]
    fn no_step_panics(
        path in "[ -~é]{0,30}",
        header in "[ -~é]{0,30}",
        json in "[ -~é]{0,30}",
        think in "[0-9.smh ]{0,8}",
    ) {
        let step = InlineStep {
            request: format!("GET /{path}"),
            headers: toml::Table::from_iter([("X".to_owned(), header.clone().into())]),
            json: Some(json),
            think: Some(think.clone()),
            ..InlineStep::default()
        };
        let _ = step.to_step(0, "h", None);
        let spoken = InlineStep {
            protocol: Some(think.clone()),
            send: Some(header.clone()),
            to: Some(path.clone()),
            ..InlineStep::default()
        };
        let _ = (spoken.to_step(0, "h", None), spoken.check_protocol());
        let _ = (path.parse::<Wait>(), path.parse::<PathRewrite>(), path.parse::<Span>());
    }

    #[test]
    fn placeholders_come_apart_as_they_were_put_together(
        parts in proptest::collection::vec(("[a-z ]{1,5}", "[a-z]{1,6}"), 2..5),
    ) {
        let value = parts.iter().fold(String::new(), |all, (text, name)| format!("{all}{text}${{{name}}}"));
        let step = InlineStep {
            request: "GET /".into(),
            headers: toml::Table::from_iter([("X".to_owned(), format!("({value})").into())]),
            ..InlineStep::default()
        };
        let step = step.to_step(0, "h", None).unwrap();
        let name = |source: &Source| match source {
            Source::Correlation { name, .. } => name.clone(),
            other => format!("{other:?}"),
        };
        let names: Vec<String> = step.injections[0].source.singles().into_iter().map(name).collect();
        proptest::prop_assert_eq!(names, parts.into_iter().map(|(_, name)| name).collect::<Vec<_>>());
    }
}

const SPOKEN: &str = "version = 1\nname = \"x\"\n[[profile]]\nname = \"a\"\n[[profile.step]]\nprotocol = \"redis\"\n\
                      send = 'SET user:${id:-7} \"${data.people.name}\"'\nto = \"redis://127.0.0.1\"\n[data.people]\nfile = \"p.csv\"\n[vary.id]\nmake = \"{n}\"\n";

#[test]
fn a_step_of_another_protocol_is_read_and_written_as_it_was() {
    let text = SPOKEN.replace("${id:-7}", "${vary.id:-7}");
    let scenario = Scenario::parse(&text, "x.toml").unwrap();
    let step = &scenario.profiles[0].steps[0];
    assert_eq!((step.request.as_str(), step.text()), ("", "SET user:${vary.id:-7} \"${data.people.name}\""));
    let again = Scenario::parse(&scenario.to_toml().unwrap(), "x.toml").unwrap();
    assert_eq!(again.profiles, scenario.profiles);
    let made = step.to_step(0, "h", None).unwrap();
    let sources: Vec<&Source> = made.injections.iter().flat_map(|one| one.source.singles()).collect();
    assert_eq!(sources.len(), 2, "{sources:?}");
    assert!(step.parts().is_err());
    // One value with a text for where there is none; several; none.
    let (filled, injection) = fill_places("s", "user:${vary.id:-7}!").unwrap();
    assert_eq!((filled.as_str(), injection.map(|one| one.required)), ("user:7!", Some(false)));
    let (filled, injection) = fill_places("s", "${a}${b}").unwrap();
    assert_eq!((filled.as_str(), injection.map(|one| one.required)), ("${a}${b}", Some(true)));
    assert_eq!(fill_places("s", "$a {b}").unwrap(), ("$a {b}".to_owned(), None));
    // What is not there is told where it stands, in either kind of quotes.
    let error = Scenario::parse(&text.replace("vary.id:", "vary.di:"), "x.toml").unwrap_err().to_string();
    assert!(error.starts_with("x.toml:7:8: ") && error.ends_with("there is no [vary.di]"), "{error}");
}
