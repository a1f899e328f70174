//! The HTML report in a real browser: nothing loaded, nothing complained about, nothing beyond the screen's edge, for a run of a
//! thousand endpoints whose names are as bad as recorded traffic's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mynah_traffic::run::{
    EndpointFigures, FailureRow, GeneratorFigures, Latency, RunDocument, RunFolder, SecondFigures, TagName,
    Tally, ThresholdResult, Verdict, new_histogram,
};

use crate::common::Place;
use crate::common::chromium::{Chromium, Look};

const ENDPOINTS: u32 = 1000;
const SECONDS: u32 = 40;

/// What traffic calls its paths.
pub fn name(number: u32) -> String {
    match number {
        0 => "</script><script>document.title='owned'</script>".into(),
        1 => "\"><img src=\"http://127.0.0.1:9/x.png\" onerror=\"document.title='owned'\">".into(),
        2 => "/emoji/🐦/{id}".into(),
        3 => "/مرحبا/بالعالم/\u{202e}{id}".into(),
        4 => format!("/long/{}", "segment-without-end".repeat(110)),
        5 => "/c\u{1b}[31m/\u{7}<!--".into(),
        6 => "/a'b\"c&amp;d`e{{ run.seed }}".into(),
        n => format!("/api/v{}/things-{n}/{{id}}/parts", n % 3),
    }
}

/// A run with all that a report can show.
pub fn write_large_run(folder: &Path, slower: f64) -> RunDocument {
    let folder = RunFolder::create(folder).unwrap();
    let mut log = folder.intervals_writer(SystemTime::UNIX_EPOCH).unwrap();
    let mut tallies: Vec<Tally> = (0..ENDPOINTS).map(|_| Tally::default()).collect();
    let mut all = Tally::default();
    for second in 0..SECONDS {
        let mut intervals = BTreeMap::new();
        for number in (0..ENDPOINTS).filter(|n| *n < 20 || n % SECONDS == second) {
            let mut histogram = new_histogram();
            for answer in 1..=12_u32 {
                let micros = f64::from(2_000 + number * 3 + answer * 400 + second % 7 * 90) * slower;
                let stalled = if second == 21 && answer > 9 { 40.0 } else { 1.0 };
                histogram.record((micros * stalled) as u64).unwrap();
            }
            let tally = &mut tallies[number as usize];
            tally.requests += 12;
            tally.response.add(&histogram).unwrap();
            tally.service.add(&histogram).unwrap();
            *tally.status.entry(200).or_default() += 12;
            if number.is_multiple_of(50) {
                tally.failures += 1;
            }
            intervals.insert(format!("e{number}.response"), histogram);
        }
        log.write(second, &intervals).unwrap();
    }
    log.finish().unwrap();
    for tally in &tallies {
        all.merge(tally);
    }
    let seconds = f64::from(SECONDS);
    let endpoints: Vec<EndpointFigures> = tallies
        .iter()
        .zip(0..)
        .map(|(tally, n)| EndpointFigures::of(format!("e{n}"), "GET", &name(n), tally, seconds))
        .collect();
    let document: RunDocument = RunDocument {
        verdict: Verdict::Fail,
        reasons: vec!["p99 < 1ms: failed, 9ms seen".into(), "a reason with <b>marks</b>".into()],
        started: "2026-11-20T09:15:00.000Z".into(),
        duration_s: seconds,
        scenario: "a thousand <endpoints>".into(),
        target: "http://127.0.0.1:1".into(),
        requests: all.requests,
        failures: all.failures,
        total: mynah_traffic::run::TotalFigures {
            requests: all.requests,
            failures: all.failures,
            response_time_ms: Latency::of(&all.response),
            service_time_ms: Latency::of(&all.service),
            status: all.status.clone(),
            mismatches: 0,
            ..mynah_traffic::run::TotalFigures::default()
        },
        thresholds: vec![
            ThresholdResult {
                expr: "p99 < 1ms".into(),
                ok: false,
                value: Some(9e6),
                text: "p99 < 1ms: failed, 9ms seen".into(),
            },
            ThresholdResult {
                expr: "p50 < 1s".into(),
                ok: true,
                value: Some(5e6),
                text: "p50 < 1s: holds, 5ms seen".into(),
            },
        ],
        generator: GeneratorFigures { threads: 2, ..GeneratorFigures::default() },
        seconds: (0..SECONDS)
            .map(|t| SecondFigures { t, requests: 540, failures: u64::from(t % 3), users: 20 + t, ..SecondFigures::default() })
            .collect(),
        failure_rows: endpoints
            .iter()
            .filter(|endpoint| endpoint.failures > 0)
            .map(|endpoint| FailureRow {
                method: "GET".into(),
                name: endpoint.name.clone(),
                error: "status 500 instead of 200 </td>".into(),
                occurrences: endpoint.failures,
                ..FailureRow::default()
            })
            .collect(),
        tags: endpoints
            .iter()
            .map(|endpoint| TagName { tag: endpoint.tag.clone(), endpoint: format!("GET {}", endpoint.name) })
            .collect(),
        endpoints,
        ..serde_json::from_value(serde_json::json!({
            "schema": mynah_traffic::run::SCHEMA, "verdict": "pass", "reasons": [], "started": "", "duration_s": 0.0, "seed": 7,
            "scenario": "", "target": "", "requests": 0, "failures": 0, "requests_per_s": 540.0, "bytes_in": 0, "bytes_out": 0,
            "total": {"response_time_ms": Latency::default(), "service_time_ms": Latency::default(), "status": {}, "mismatches": 0},
            "endpoints": [], "profiles": [], "thresholds": [],
            "arrivals": {"model": "open", "asked": "50/s", "scheduled": 3, "started": 3, "completed": 3},
            "generator": GeneratorFigures::default(), "seconds": [], "failure_rows": [], "mismatch_samples": [], "tags": [],
        }))
        .unwrap()
    };
    folder.write(&document).unwrap();
    document
}

const LOOKS: [Look; 4] = [
    Look { width: 1280, dark: false, script: true },
    Look { width: 1280, dark: true, script: true },
    Look { width: 390, dark: false, script: true },
    Look { width: 1280, dark: false, script: false },
];

/// Loads it in every way, and asserts that it is at peace with the browser and within its screen.
fn is_well(browser: &mut Chromium, page: &Path) {
    let bytes = std::fs::metadata(page).unwrap().len();
    assert!(bytes < 3_000_000, "{}: {bytes} bytes", page.display());
    for look in LOOKS {
        let loaded = browser.load(page, look);
        let how =
            format!("{} at {}, dark: {}, script: {}", page.display(), look.width, look.dark, look.script);
        assert!(loaded.complaints.is_empty(), "{how}: {:?}", loaded.complaints);
        assert!(loaded.requests.is_empty(), "{how}: {:?}", loaded.requests);
        let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(look.width), "{how}: {wide} wide");
        assert!(browser.evaluate("document.documentElement.scrollHeight").as_u64().unwrap() > 1500, "{how}");
        assert_ne!(browser.evaluate("document.title"), "owned", "{how}");
        let back = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        assert_eq!(back == "rgb(255, 255, 255)", !look.dark, "{how}: {back}");
    }
}

#[test]
fn a_thousand_endpoints_in_a_browser() {
    let place = Place::new();
    write_large_run(&place.path().join("run"), 1.0);
    place.mynah(&["report", "run", "--html", "run.html"]).ok();
    let page = place.path().join("run.html");
    let Some(mut browser) = Chromium::start() else { return };
    is_well(&mut browser, &page);

    let look = LOOKS[0];
    browser.load(&page, look);
    assert_eq!(browser.evaluate("document.querySelectorAll('#endpoints tbody tr').length"), ENDPOINTS);
    // What traffic said is text, all of it.
    assert_eq!(browser.evaluate("document.querySelectorAll('img, tbody b, script').length"), 2);
    assert_eq!(
        browser.evaluate("endpoints.tBodies[0].rows[0].cells[0].textContent"),
        format!("GET {}", name(0))
    );
    // Sorted by p99, the slowest comes first; filtered, only what was asked for is left.
    browser.evaluate("document.querySelectorAll('#endpoints thead tr:last-child th')[8].firstChild.click()");
    let p99 = "[...endpoints.tBodies[0].rows].slice(0, 50).map(row => Number(row.cells[8].textContent.replace(/\\s/g, '')))";
    let p99: Vec<f64> = serde_json::from_value(browser.evaluate(p99)).unwrap();
    assert!(p99.is_sorted_by(|a, b| a >= b) && p99[0] > p99[49], "{p99:?}");
    browser.evaluate(
        "(() => { const f = document.querySelector('#tools input'); f.value = 'things-77 parts'; f.dispatchEvent(new Event('input')) })()",
    );
    // 77, and 770 to 779.
    assert_eq!(browser.evaluate("[...endpoints.tBodies[0].rows].filter(row => !row.hidden).length"), 11);
    assert_eq!(browser.evaluate("document.querySelector('#tools output').textContent"), "11 of 1000");
    // Choosing an endpoint draws its curve.
    let drawn = "document.querySelectorAll('#more .line').length";
    let before = browser.evaluate(drawn).as_u64().unwrap();
    browser.evaluate("[...endpoints.tBodies[0].rows].find(row => !row.hidden).querySelector('code').click()");
    assert_eq!(browser.evaluate(drawn), before + 1);
    assert!(browser.pdf() > 10_000);
}

#[test]
fn a_comparison_in_a_browser() {
    let place = Place::new();
    write_large_run(&place.path().join("before"), 1.0);
    write_large_run(&place.path().join("after"), 1.6);
    place.mynah(&["compare", "before", "after", "--html", "compare.html"]).exits(10);
    let page = place.path().join("compare.html");
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("class=\"reach slower\"") && text.contains("dashed: the baseline"));
    let Some(mut browser) = Chromium::start() else { return };
    is_well(&mut browser, &page);
    browser.load(&page, LOOKS[0]);
    assert!(browser.evaluate("document.querySelectorAll('#more .base').length").as_u64().unwrap() >= 3);
    assert_eq!(browser.evaluate("document.querySelectorAll('#endpoints tbody tr').length"), ENDPOINTS);
}

/// The test above can fail: each page here does one thing that no report may.
#[test]
fn a_page_that_misbehaves_is_found_out() {
    let Some(mut browser) = Chromium::start() else { return };
    let place = Place::new();
    let page = |name: &str, body: &str| -> PathBuf {
        place.write(name, format!("<!doctype html><title>x</title><body>{body}")).into()
    };
    let look = LOOKS[0];
    let loads = page("loads.html", "<img src='http://127.0.0.1:9/x.png'>");
    assert_eq!(browser.load(&loads, look).requests, ["http://127.0.0.1:9/x.png"]);
    let fetches =
        page("fetches.html", "<script>setTimeout(() => fetch('http://mynah.invalid/'), 20)</script>");
    assert_eq!(browser.load(&fetches, look).requests, ["http://mynah.invalid/"]);
    let throws = page("throws.html", "<script>throw new Error('no')</script>");
    assert!(browser.load(&throws, look).complaints[0].contains("no"));
    let barred = page(
        "barred.html",
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\"><script>1</script>",
    );
    assert!(!browser.load(&barred, look).complaints.is_empty());
    let wide = page("wide.html", "<div style='width: 3000px'>x</div>");
    browser.load(&wide, look);
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth > innerWidth"), true);
}
