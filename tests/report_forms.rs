//! Every form of report is what its readers take: JSON by its schema, JUnit by the schema of Jenkins, CSV by what reads Locust's.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Anything, Place, fixture};
use crate::report_pages::{name, write_large_run};

fn published(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the schema says of a document, one line each.
fn faults(schema: &Value, document: &Value) -> Vec<String> {
    jsonschema::meta::validate(schema).unwrap();
    let validator = jsonschema::draft202012::new(schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// A field more or less in a type is a field more or less here, and the other way round.
#[test]
fn the_published_schemas_are_those_of_the_types() {
    let place = Place::new();
    for (flag, file) in [("--schema", "run.schema.json"), ("--schema=compare", "compare.schema.json")] {
        let printed = place.mynah(&["report", flag]).ok().json();
        assert!(
            printed == published(file),
            "docs/{file} is not what the types say; write it anew: mynah report {flag} > docs/{file}"
        );
    }
    place.mynah(&["report", "--schema", "run"]).exits(2);
    place.mynah(&["report"]).exits(2);
}

/// Each object's each field says what it is.
#[test]
fn every_field_is_described() {
    fn walk(place: &str, schema: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string() || field["$ref"].is_string(), "{place}.{name}: {field}");
        }
        for (name, nested) in schema["$defs"].as_object().into_iter().flatten() {
            assert!(nested["description"].is_string(), "{name}");
            walk(name, nested);
        }
    }
    for file in ["run.schema.json", "compare.schema.json"] {
        walk(file, &published(file));
    }
}

/// As wide as it is told to be, a line an endpoint, and none of what traffic wrote moves the cursor.
#[test]
fn a_terminals_table_fits_it() {
    let place = Place::new();
    write_large_run(&place.path().join("run"), 1.0);
    write_large_run(&place.path().join("after"), 1.6);
    for width in [60, 80, 100, 160] {
        for line in [&["report", "run"][..], &["compare", "run", "after"]] {
            let output = place.command(line).env("COLUMNS", width.to_string()).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let table: Vec<&str> = text.lines().skip_while(|line| !line.contains("──")).collect();
            assert!(table.len() > 20 && !text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
            // Emoji take two columns and Arabic marks none: what is plain is counted.
            let wide = table.iter().filter(|line| line.is_ascii() || line.starts_with('─'));
            for line in wide.take_while(|line| !line.contains("Times")) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
    let piped = place.mynah(&["report", "run"]).ok().stdout();
    assert!(piped.lines().count() > 1000, "what is piped on has every endpoint");
}

/// What a run was compared with when it was made stands in its page, and `--against` makes a page of both sides.
#[test]
fn pages_show_what_a_run_was_compared_with() {
    let place = Place::new();
    real_run(&place);
    let page = |path: &str| std::fs::read_to_string(place.path().join(path)).unwrap();
    assert!(!page("run/report.html").contains("Against the baseline"));
    let (a, b) = (Anything::start(), Anything::start());
    let common = ["replay", "one.toml", "--rate", "40/s"];
    let next = ["--target", &a.url(), "--for", "2s", "--baseline", "run", "-o", "next"];
    let made = place.mynah(&[&common[..], &next].concat());
    assert!(matches!(made.output.status.code(), Some(0 | 10 | 11)), "{}", made.stderr());
    let next = page("next/report.html");
    assert!(next.contains("Against the baseline") && next.contains("baseline: requests/s"));
    let turns = ["--against", &a.url(), &b.url(), "--for", "6s", "--block", "1s", "-o", "ab"];
    let made = place.mynah(&[&common[..], &turns].concat());
    assert!(matches!(made.output.status.code(), Some(0 | 10 | 11)), "{}", made.stderr());
    assert!(page("ab/report.html").contains("One run with both targets in turn"));
    assert!(page("ab/candidate/report.html").contains("Against the baseline"));
    assert!(!page("ab/baseline/report.html").contains("Against the baseline"));
    // A log that is cut short is told, and no page is written for it.
    let log = place.path().join("run/intervals.hlog");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, &text[..text.len() - 30]).unwrap();
    let refused = place.mynah(&["report", "run", "--html", "cut.html"]).exits(3);
    assert!(refused.stderr().contains("intervals.hlog") && !place.path().join("cut.html").exists());
    // Without a log there are the seconds of run.json.
    std::fs::remove_file(&log).unwrap();
    place.mynah(&["report", "run", "--html", "less.html"]).ok();
    assert!(page("less.html").contains("requests/s") && !page("less.html").contains("Where the answers lie"));
}

const SCENARIO: &str = r#"
version = 1
name = "one"
[[profile]]
name = "all"
weight = 1
[[profile.step]]
request = "GET /a"
[[profile.step]]
request = "GET /b"
expect = 404
"#;

/// A run's folder, of a real run in which some answers are not as wanted.
fn real_run(place: &Place) -> Value {
    let server = Anything::start();
    let scenario = place.write("one.toml", SCENARIO);
    let line = ["replay", &scenario, "--target", &server.url(), "--rate", "40/s", "--for", "2s", "-o", "run"];
    let thresholds = ["--threshold", "failure_rate < 1%", "--threshold", "p99 < 60s", "--force"];
    let run = place.mynah(&[&line[..], &thresholds].concat());
    assert!(matches!(run.output.status.code(), Some(10 | 11)), "{}", run.stderr());
    place.mynah(&["report", "run", "--json"]).ok().json()
}

#[test]
fn runs_and_comparisons_are_as_their_schemas_say_and_what_is_not_is_found() {
    let place = Place::new();
    let run = real_run(&place);
    let schema = published("run.schema.json");
    assert_eq!(faults(&schema, &run), [""; 0]);
    write_large_run(&place.path().join("before"), 1.0);
    write_large_run(&place.path().join("after"), 1.6);
    let large: Value =
        serde_json::from_str(&std::fs::read_to_string(place.path().join("after/run.json")).unwrap()).unwrap();
    assert_eq!(faults(&schema, &large), [""; 0]);
    let comparison = place.mynah(&["compare", "before", "after", "--json"]).exits(10).json();
    let of_comparison = published("compare.schema.json");
    assert_eq!(faults(&of_comparison, &comparison), [""; 0]);

    // Each of these has one thing wrong.
    let without = |pointer: &str, field: &str| {
        let mut broken = run.clone();
        broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field).unwrap();
        broken
    };
    let with = |pointer: &str, value: Value| {
        let mut broken = run.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        broken
    };
    for broken in [
        without("", "verdict"),
        without("/endpoints/0", "response_time_ms"),
        without("/total/service_time_ms", "p999"),
        without("/thresholds/0", "value"),
        with("/verdict", json!("maybe")),
        with("/requests", json!("many")),
        with("/requests", json!(-1)),
        with("/endpoints/0/status/200", json!(1.5)),
        with("/endpoints/0/status", json!({"OK": 3})),
        with("/seconds/0/p99", json!(null)),
        with("/reasons/0", json!(7)),
    ] {
        assert_eq!(faults(&schema, &broken).len(), 1, "{:?}", faults(&schema, &broken));
    }
    let mut broken = comparison;
    broken["rows"][0]["interval"] = json!([1.0]);
    assert_eq!(faults(&of_comparison, &broken).len(), 1);
}

/// Whether `xmllint` takes it by the schema; `None` where there is no `xmllint`.
fn by_xmllint(file: &Path) -> Option<(bool, String)> {
    let schema = fixture("schemas/junit-10.xsd");
    let run = Command::new("xmllint").args(["--noout", "--nonet", "--schema", &schema]).arg(file).output();
    let Ok(output) = run else {
        println!("skipped: there is no xmllint");
        return None;
    };
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Well-formed, and counted right; the names of its tests.
#[track_caller]
fn tests_of(file: &Path) -> Vec<String> {
    if let Some((fine, said)) = by_xmllint(file) {
        assert!(fine, "{said}");
    }
    let text = std::fs::read_to_string(file).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let suites = document.root_element();
    let suite = suites.first_element_child().unwrap();
    assert_eq!((suites.tag_name().name(), suite.tag_name().name()), ("testsuites", "testsuite"));
    let cases: Vec<_> = suite.children().filter(roxmltree::Node::is_element).collect();
    let with = |tag: &str| {
        cases
            .iter()
            .filter(|case| case.children().any(|child| child.tag_name().name() == tag))
            .count()
            .to_string()
    };
    for of in [suites, suite] {
        assert_eq!(of.attribute("tests"), Some(cases.len().to_string().as_str()));
        assert_eq!(of.attribute("failures"), Some(with("failure").as_str()));
        assert_eq!(of.attribute("errors"), Some("0"));
    }
    assert_eq!(suite.attribute("skipped"), Some(with("skipped").as_str()));
    cases
        .iter()
        .map(|case| {
            assert!(case.tag_name().name() == "testcase" && case.attribute("classname").is_some());
            case.attribute("name").unwrap().to_owned()
        })
        .collect()
}

#[test]
fn junit_is_what_jenkins_takes() {
    let place = Place::new();
    let run = real_run(&place);
    place.mynah(&["report", "run", "--junit", "run.xml"]).ok();
    let tests = tests_of(&place.path().join("run.xml"));
    assert_eq!(tests, ["failure_rate < 1%", "p99 < 60s", "the generator was not the bottleneck"]);

    // What no XML may hold, what ends a CDATA section, and what XML would change.
    let mut odd = run;
    let name_of_it = "GET /\u{0}\u{1b}[31m\u{fffe}]]>&amp;<!--\t\n\r\"'\u{1f426}: p95 < 1s";
    odd["thresholds"][0]["expr"] = json!(name_of_it);
    odd["thresholds"][0]["text"] = json!(format!("{name_of_it}: failed]]>\u{ffff}"));
    odd["scenario"] = json!("a\u{8}\"<shop>");
    std::fs::create_dir(place.path().join("odd")).unwrap();
    place.write("odd/run.json", odd.to_string());
    place.mynah(&["report", "odd", "--junit", "odd.xml"]).ok();
    let tests = tests_of(&place.path().join("odd.xml"));
    assert_eq!(tests[0], "GET /[31m]]>&amp;<!--\t\n\r\"'\u{1f426}: p95 < 1s");
    // Half a surrogate pair is no text: the run is refused, nothing is written.
    place.write("odd/run.json", odd.to_string().replace("a\\b", "a\\ud800"));
    assert!(place.mynah(&["report", "odd", "--junit", "half.xml"]).exits(3).stderr().contains("run.json"));
    assert!(!place.path().join("half.xml").exists());

    write_large_run(&place.path().join("before"), 1.0);
    write_large_run(&place.path().join("after"), 1.6);
    place.mynah(&["compare", "before", "after", "--junit", "compare.xml"]).exits(10);
    let tests = tests_of(&place.path().join("compare.xml"));
    assert!(
        tests.len() > 1000 && tests.iter().any(|test| *test == format!("GET {} p95", name(0))),
        "{}",
        tests.len()
    );

    // The schema can say no.
    let text = std::fs::read_to_string(place.path().join("run.xml")).unwrap();
    place.write("bad.xml", text.replace("<testcase classname", "<testcase colour=\"red\" classname"));
    if let Some((fine, _)) = by_xmllint(&place.path().join("bad.xml")) {
        assert!(!fine);
    }
}

#[test]
fn csv_is_what_reads_locusts() {
    let place = Place::new();
    let run = real_run(&place);
    assert!(run["failures"].as_u64().unwrap() > 0);
    place.mynah(&["report", "run", "--csv", "locust"]).ok();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/locust_csv.py");
    let read = |prefix: &str| {
        Command::new("python3").arg(&script).args([prefix, "run/run.json"]).current_dir(place.path()).output()
    };
    let Ok(output) = read("locust") else {
        println!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("all read"), "{said}");
    // A column that is called otherwise is found.
    for file in ["stats", "stats_history", "failures", "exceptions"] {
        let text = std::fs::read_to_string(place.path().join(format!("locust_{file}.csv"))).unwrap();
        place.write(&format!("other_{file}.csv"), text.replace("Failures/s", "Failed/s"));
    }
    assert!(!read("other").unwrap().status.success());
}
