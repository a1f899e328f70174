//! JUnit XML, as CI systems read it: a test for each threshold, and for each row of a comparison.

use minijinja::{AutoEscape, Environment, Value, context};
use mynah_traffic::run::{RunDocument, Verdict};
use serde::Serialize;

use crate::Error;
use crate::compare::{Change, Comparison};

/// One test.
#[derive(Debug, Serialize)]
struct Case {
    class: String,
    name: String,
    /// What failed it.
    failure: String,
    /// Why it could not be decided.
    skipped: String,
}

/// A run's thresholds; and whether the run is valid, and failed for another reason.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn run(document: &RunDocument) -> Result<String, Error> {
    let mut cases: Vec<Case> = document
        .thresholds
        .iter()
        .map(|threshold| case("threshold", &threshold.expr, if threshold.ok { "" } else { &threshold.text }))
        .collect();
    let invalid = document.verdict == Verdict::Invalid;
    let why = if invalid { document.reasons.join("; ") } else { String::new() };
    cases.push(case("run", "the generator was not the bottleneck", &why));
    write(&document.scenario, &document.started, document.duration_s, &cases)
}

/// A comparison's rows: what is slower fails; what cannot be told is skipped, for it was not shown.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn comparison(comparison: &Comparison) -> Result<String, Error> {
    let mut cases: Vec<Case> = comparison
        .rows
        .iter()
        .map(|row| {
            let name = format!("{} {}", row.endpoint, row.metric);
            let failure =
                if row.verdict == Change::Slower { crate::compare::sentence(row) } else { String::new() };
            let skipped = if row.verdict == Change::CantTell {
                format!("can't tell: {}", row.hint)
            } else {
                String::new()
            };
            Case { skipped: clean(&skipped), ..case("comparison", &name, &failure) }
        })
        .collect();
    for difference in &comparison.differences {
        // One that is only told is none of the reasons.
        let failure = crate::compare::difference(difference);
        let failure = if comparison.reasons.contains(&failure) { failure } else { String::new() };
        cases.push(case("answers", &format!("{} {}", difference.endpoint, difference.what), &failure));
    }
    let invalid = comparison.verdict == Verdict::Invalid;
    let why = if invalid { comparison.reasons.join("; ") } else { String::new() };
    cases.push(case("run", "the generator was not the bottleneck", &why));
    write("comparison", "", 0.0, &cases)
}

fn case(class: &str, name: &str, failure: &str) -> Case {
    Case {
        class: format!("mynah.{class}"),
        name: clean(name),
        failure: clean(failure),
        skipped: String::new(),
    }
}

fn write(suite: &str, started: &str, seconds: f64, cases: &[Case]) -> Result<String, Error> {
    let mut environment = Environment::new();
    // What the built-in escaping does to slashes is right, and nobody can read it.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("xml", xml);
    environment.add_template("junit.xml", include_str!("junit.xml.j2"))?;
    let count = |is: fn(&Case) -> bool| cases.iter().filter(|case| is(case)).count();
    let text = environment.get_template("junit.xml")?.render(context! {
        suite => clean(suite),
        // As the schema has it: without a zone.
        started => started.split('.').next().unwrap_or_default().trim_end_matches('Z'),
        seconds => format!("{seconds:.3}"),
        failures => count(|case| !case.failure.is_empty()),
        skipped => count(|case| !case.skipped.is_empty()),
        cases => Value::from(minijinja::value::Serde(cases)),
    })?;
    Ok(text)
}

/// As an attribute's or element's text.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        // In an attribute they would become spaces.
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;")
}

/// Without what no XML may hold.
fn clean(text: &str) -> String {
    let allowed = |c: &char| matches!(*c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(allowed).collect()
}
