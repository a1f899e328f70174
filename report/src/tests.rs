use std::collections::BTreeMap;

use mynah_traffic::Nanos;
use mynah_traffic::run::{
    Arrivals, EndpointFigures, FailureRow, Fidelity, GeneratorFigures, Latency, MismatchSample,
    ProfileFigures, RunDocument, SCHEMA, SecondFigures, Tally, ThresholdResult, TotalFigures, Verdict,
    record,
};

use crate::{html, table};

fn document() -> RunDocument {
    let mut tally = Tally { requests: 1200, failures: 3, ..Tally::default() };
    for n in 1..=1200 {
        record(&mut tally.response, Nanos(n * 10_000));
        record(&mut tally.service, Nanos(n * 5_000));
    }
    tally.status = BTreeMap::from([(200, 1197), (500, 3)]);
    RunDocument {
        schema: SCHEMA,
        verdict: Verdict::Fail,
        reasons: vec!["p99 < 1us: failed, 11.9ms seen".into()],
        started: "2026-11-20T09:15:00.000Z".into(),
        duration_s: 10.04,
        seed: 7,
        scenario: "shop & <b>".into(),
        target: "http://127.0.0.1:1".into(),
        interrupted: false,
        requests: 1200,
        failures: 3,
        requests_per_s: 119.5,
        bytes_in: 1,
        bytes_out: 1,
        total: TotalFigures {
            requests: 1200,
            failures: 3,
            response_time_ms: Latency::of(&tally.response),
            service_time_ms: Latency::of(&tally.service),
            status: tally.status.clone(),
            mismatches: 1,
        },
        endpoints: vec![EndpointFigures::of("e0".into(), "GET", "/items/{id}", &tally, 10.04)],
        profiles: vec![ProfileFigures { name: "browse".into(), sessions: 60, completed: 59 }],
        thresholds: vec![ThresholdResult {
            expr: "p99 < 1us".into(),
            ok: false,
            value: Some(1.0),
            text: "p99 < 1us: failed".into(),
        }],
        fidelity: Some(Fidelity {
            behaviour: "markov".into(),
            endpoint_mix: 0.0123,
            transitions: Some(0.0254),
            status_parity: 0.9975,
            ..Fidelity::default()
        }),
        arrivals: Arrivals {
            model: "open".into(),
            asked: "10x = 6/s".into(),
            scheduled: 60,
            started: 60,
            completed: 59,
        },
        generator: GeneratorFigures {
            threads: 2,
            errors: BTreeMap::from([("timeout".into(), 3)]),
            ..GeneratorFigures::default()
        },
        seconds: (0..10)
            .map(|t| SecondFigures {
                t,
                requests: 120,
                p50: 1.0,
                p95: 2.0,
                p99: 3.0,
                ..SecondFigures::default()
            })
            .collect(),
        failure_rows: vec![FailureRow {
            method: "GET".into(),
            name: "/items/{id}".into(),
            error: "timeout".into(),
            occurrences: 3,
            ..FailureRow::default()
        }],
        mismatch_samples: vec![MismatchSample {
            endpoint: "GET /".into(),
            wanted: "text/html".into(),
            got: "application/json".into(),
        }],
        tags: Vec::new(),
    }
}

#[test]
fn the_table_says_what_matters() {
    let text = table::render(&document(), table::Style::default());
    for wanted in [
        "FAIL",
        "p99 < 1us: failed, 11.9ms seen",
        "GET /items/{id}",
        "3 (0.25%)",
        "browse 100%",
        "99.75% of the answers",
        "endpoint mix 0.012, transitions 0.025",
        "10x = 6/s",
        "1 mismatch\n",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains('\x1b'), "no colour where none was asked for");
    assert!(
        table::render(&document(), table::Style { color: true, width: Some(100) }).contains("\x1b[1;31mFAIL")
    );
}

#[test]
fn the_page_is_whole_and_stands_alone() {
    let page = html::render(&document()).unwrap();
    for wanted in [
        "shop &amp; &lt;b&gt;",
        "GET &#x2f;items&#x2f;{id}",
        "timeout",
        "<svg",
        "application&#x2f;json",
        "99.75%",
        "Jensen–Shannon",
        "0.0254",
        "Sessions were made so: markov",
        "</html>",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for forbidden in ["http-equiv", "<script", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(forbidden), "the page must not load anything: {forbidden}");
    }
}

#[test]
fn an_empty_run_has_a_report_too() {
    let empty = RunDocument {
        requests: 0,
        endpoints: Vec::new(),
        seconds: Vec::new(),
        total: TotalFigures::default(),
        profiles: Vec::new(),
        fidelity: None,
        ..document()
    };
    assert!(html::render(&empty).unwrap().contains("</html>"));
    assert!(table::render(&empty, table::Style::default()).contains("all"));
}
