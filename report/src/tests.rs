use std::collections::BTreeMap;

use mynah_traffic::Nanos;
use mynah_traffic::run::{
    Arrivals, EndpointFigures, FailureRow, Fidelity, GeneratorFigures, Latency, MismatchSample,
    ProfileFigures, RunDocument, SCHEMA, SecondFigures, Shard, TagName, Tally, ThresholdResult, TotalFigures,
    Verdict, record,
};

use crate::timeline::Timeline;
use crate::{behaviour, csv, history, html, junit, markdown, table};

pub(crate) fn document() -> RunDocument {
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
        interleaved: None,
        shard: None,
        merged_from: Vec::new(),
        mirror: None,
        measured: None,
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
            first_byte_ms: Latency::of(&tally.service),
            connections: 3,
            ..TotalFigures::default()
        },
        endpoints: vec![EndpointFigures::of("e0".into(), "GET", "/items/{id}", &tally, 10.04)],
        profiles: vec![ProfileFigures {
            name: "browse".into(),
            sessions: 60,
            completed: 59,
            ..ProfileFigures::default()
        }],
        metrics: Vec::new(),
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
            planned_s: 10.0,
            scheduled: 60,
            scheduled_requests: None,
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
        tags: vec![TagName { tag: "e0".into(), endpoint: "GET /items/{id}".into() }],
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
    let page = html::render(&document(), &Timeline::of(&document()), None).unwrap();
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
    for forbidden in ["src=", "<link", "@import", "url(", "fetch(", "eval("] {
        assert!(!page.contains(forbidden), "the page must not load anything: {forbidden}");
    }
}

#[test]
fn every_report_says_which_part_of_a_run_it_is() {
    let shard = Some(Shard { number: 2, of: 3, timetable: String::new() });
    let part = RunDocument { shard, ..document() };
    let merged = RunDocument { merged_from: vec!["one".into(), "two".into()], ..document() };
    for (run, wanted) in [(part, "shard 2 of 3"), (merged, "2 shards merged")] {
        let page = html::render(&run, &Timeline::of(&run), None).unwrap();
        for text in [table::render(&run, table::Style::default()), markdown::run(&run), page] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
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
    assert!(html::render(&empty, &Timeline::of(&empty), None).unwrap().contains("</html>"));
    assert!(table::render(&empty, table::Style::default()).contains("all"));
}

#[test]
fn locusts_columns() {
    let mut out = Vec::new();
    csv::stats(&document(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"
    );
    assert!(lines[1].starts_with("GET,/items/{id},1200,3,6,6.006,0.01,12"), "{text}");
    assert!(lines[2].starts_with(",Aggregated,1200,3,"), "{text}");
    assert!(lines.iter().all(|line| line.split(',').count() == 22));

    let folder = tempfile::tempdir().unwrap();
    let folder = mynah_traffic::run::RunFolder::create(folder.path()).unwrap();
    let mut log = folder.intervals_writer(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let mut second = mynah_traffic::run::new_histogram();
    second.record(2_600).unwrap();
    log.write(3, &BTreeMap::from([("e0.response".to_owned(), second)])).unwrap();
    log.finish().unwrap();
    let mut out = Vec::new();
    csv::history(&document(), &folder.intervals().unwrap(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%")
            && lines[0].ends_with("Total Average Content Size")
    );
    assert_eq!(lines.len(), 11);
    assert!(lines[1].starts_with("1795166100,0,,Aggregated,120,0,N/A,N/A,"), "{text}");
    assert!(lines[4].starts_with("1795166103,0,,Aggregated,120,0,3,3,"), "{text}");

    let mut out = Vec::new();
    csv::failures(&document(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "Method,Name,Error,Occurrences,First Seen,Last Seen\nGET,/items/{id},timeout,3,2026-11-20T09:15:00Z,2026-11-20T09:15:00Z\n"
    );
}

#[test]
fn tests_for_ci() {
    let mut document = document();
    document.thresholds[0].text = "p99 < 1us: \u{1b}[failed & \"so\"".into();
    let text = junit::run(&document).unwrap();
    assert!(text.contains(r#"tests="2" failures="1""#), "{text}");
    assert!(
        text.contains(r#"name="p99 &lt; 1us""#) && text.contains("[failed &amp; &quot;so&quot;"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}') && text.contains(r#"timestamp="2026-11-20T09:15:00""#), "{text}");
    let invalid = RunDocument { verdict: Verdict::Invalid, ..document };
    assert!(junit::run(&invalid).unwrap().contains(r#"failures="2""#));
}

#[test]
fn a_pull_requests_comment() {
    let mut document = document();
    document.endpoints[0].name = "/a|`b`".into();
    document.reasons.push("<img> [x](y)\nz".into());
    let text = markdown::run(&document);
    assert!(text.starts_with("### ❌ fail: `shop & <b>` at `http://127.0.0.1:1`"), "{text}");
    assert!(text.contains(r"| `GET /a\|'b'` |") && text.contains(r"- &lt;img> \[x\](y) z"), "{text}");
    assert_eq!(
        markdown::annotations("a: b", Verdict::Fail, &["100% off\nnow".into()]),
        "::error title=a%3A b::100%25 off%0Anow\n"
    );
    assert_eq!(markdown::annotations("x", Verdict::Pass, &[]), "::notice title=x::pass\n");
}

#[test]
fn runs_one_below_the_other() {
    let older = RunDocument { started: "2026-11-19T09:15:00.000Z".into(), ..document() };
    let mut newer = document();
    newer.total.response_time_ms.p95 *= 1.5;
    let text = history::render(&[("new".into(), newer), ("old".into(), older)], table::Style::default());
    assert!(text.find("old") < text.find("new") && text.contains("+50.0%"), "{text}");
}

#[test]
fn a_page_of_profiles_stands_alone() {
    let profile = behaviour::Profile {
        name: "<b>".into(),
        weight: 60.0,
        sessions: 3,
        telling: vec![("GET /\"<i>".into(), 1.0, 0.0)],
        medoid: vec!["GET /\"<i>".into()],
        visits: vec![("GET /\"<i>".into(), 6, 0.0), ("POST /b".into(), 3, 1.0)],
        transitions: vec![
            (None, Some("GET /\"<i>".into()), 3, 0.0),
            (Some("GET /\"<i>".into()), Some("GET /\"<i>".into()), 3, 1.5),
            (Some("GET /\"<i>".into()), Some("POST /b".into()), 3, 0.25),
            (Some("POST /b".into()), Some("GET /\"<i>".into()), 1, 0.25),
            (Some("POST /b".into()), None, 2, 0.0),
            (Some("GET /gone".into()), None, 2, 0.0),
        ],
        ..behaviour::Profile::default()
    };
    let page = behaviour::render("a & b", &[profile, behaviour::Profile::default()]).unwrap();
    assert!(
        page.contains("GET /&quot;&lt;i&gt; → POST /b: 50% of those there, 3 times, median pause 0.25 s"),
        "{page}"
    );
    assert!(
        page.contains("a &amp; b") && page.matches("<svg").count() == 2 && page.ends_with("</html>"),
        "{page}"
    );
    for forbidden in ["<script", "src=", "<link", "@import", "<i>", "<b>"] {
        assert!(!page.contains(forbidden), "{forbidden}: {page}");
    }
}
