//! `script = "hooks.js"`, `--script` and `--shape FILE.js`: each hook as a server and a report see it, and each mistake with its place.

use serde_json::Value;

use crate::common::site::{Site, reply};
use crate::common::{Place, Run, run_json};

/// Answers with a number of its own.
fn start() -> Site {
    Site::start(|_, number| {
        reply("200 OK", "Content-Type: application/json\r\n", &format!("{{\"token\":\"t{number}\"}}"))
    })
}

const SCENARIO: &str = "version = 1
name = \"hooked\"
script = \"hooks.js\"

[[profile]]
name = \"buyer\"
[[profile.step]]
request = \"GET /token\"
[[profile.step]]
request = \"POST /use\"
headers = { X-Token = \"${script.token:-none}\" }
json = '{\"a\": 1}'
";

/// Writes a script and plays the scenario with it.
fn play(place: &Place, script: &str, flags: &[&str]) -> (Run, Site) {
    place.write("s.toml", SCENARIO);
    place.write("hooks.js", script);
    let site = start();
    let load: &[&str] = if flags.iter().any(|flag| flag.starts_with("--")) {
        &[]
    } else {
        &["--rate", "10/s", "--for", "1s"]
    };
    let args = ["replay", "s.toml", "--target", &site.url(), "--threads", "2", "-o", "run", "--force"];
    let run = place.mynah(&[&args[..], load, flags].concat());
    (run, site)
}

fn figures(place: &Place) -> Value {
    run_json(&place.file("run"))
}

#[test]
fn each_hook_has_its_say() {
    let place = Place::new();
    let script = "
export function setup() { metrics.add('set up'); return { key: 'k9' } }
export function teardown(data) { metrics.add('torn down ' + data.key) }
export function onSession(session, data) { session.vars.mine = data.key + '-' + session.number + '-' + session.profile }
export function onRequest(request, session) {
  request.headers['X-Mine'] = session.vars.mine
  if (request.method == 'POST') {
    request.path += '?signed=1'
    request.body = JSON.stringify({ ...JSON.parse(request.body), b: session.data.key })
  }
}
export function onResponse(response, request, session) {
  session.vars.token = JSON.parse(response.body).token
  metrics.trend('length', response.body.length)
  metrics.add('answers to ' + request.method)
  if (response.headers['content-type'] != 'application/json') return 'no JSON'
}
";
    let (run, site) = play(&place, script, &[]);
    run.ok();
    let counts = site.counts();
    let sessions = counts["GET /token"];
    assert!(sessions > 0 && counts["POST /use?signed=1"] == sessions, "{counts:?}");
    let mut mine = Vec::new();
    for request in site.kept() {
        mine.push(request.field("x-mine").to_owned());
        if request.line.starts_with("POST") {
            assert_eq!(request.body, r#"{"a":1,"b":"k9"}"#);
            assert!(request.field("x-token").starts_with('t'), "{}", request.head);
        }
    }
    mine.sort();
    mine.dedup();
    assert_eq!(mine.len(), sessions, "each session has vars of its own: {mine:?}");
    let run = figures(&place);
    assert_eq!((&run["failures"], &run["verdict"]), (&0.into(), &"pass".into()));
    let metric = |name: &str| {
        run["metrics"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!((&metric("set up")["sum"], &metric("torn down k9")["count"]), (&1.0.into(), &1.into()));
    assert_eq!(metric("answers to GET")["count"], sessions);
    let length = metric("length");
    assert_eq!((&length["kind"], &length["count"]), (&"trend".into(), &(sessions * 2).into()));
    assert!(length["max"].as_f64().unwrap() >= 14.0 && length["min"].as_f64().unwrap() >= 13.0, "{length}");
    place.mynah(&["report", "run"]).ok().stdout().lines().find(|line| line.contains("length: ")).unwrap();
}

#[test]
fn a_request_can_be_skipped() {
    let place = Place::new();
    let (run, site) = play(&place, "export const onRequest = request => request.method != 'POST'", &[]);
    run.ok();
    let counts = site.counts();
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["GET /token"]);
    let run = figures(&place);
    assert_eq!((run["requests"].as_u64(), &run["failures"]), (Some(counts["GET /token"] as u64), &0.into()));
}

#[test]
fn what_fails_is_counted_with_its_place() {
    let place = Place::new();
    for (script, wanted, errors) in [
        (
            "export function onRequest(request) {\n  if (request.method == 'POST') request.no.such = 1\n}",
            "script: hooks.js:2",
            true,
        ),
        (
            "export function onResponse(response, request) {\n  if (request.method == 'POST') nothing()\n}",
            "script: hooks.js:2",
            true,
        ),
        ("export function onSession() {\n  throw new Error('closed')\n}", "Error: closed", true),
        ("export function onResponse(response) { return 'too green' }", "too green", false),
        (
            "let n = 0;\nexport function onRequest() {\n  if (n++ == 0) while (true) {}\n}",
            "did not end within 1 s",
            true,
        ),
        (
            "export function onRequest() {\n  const all = []; for (;;) all.push('x'.repeat(1 << 20) + all.length)\n}",
            "memory",
            true,
        ),
    ] {
        let (run, _site) = play(&place, script, &[]);
        // A loop that is interrupted keeps a thread busy: the run may be invalid, and says so.
        drop(run);
        let run = figures(&place);
        let failures = run["failure_rows"].to_string();
        assert!(failures.contains(wanted), "{script}: {failures}");
        let counted = run["generator"]["errors"]["script"].as_u64().unwrap_or(0);
        assert_eq!(counted > 0, errors, "{script}: {}", run["generator"]);
        assert!(run["failures"].as_u64().unwrap() > 0);
    }
}

#[test]
fn what_is_wrong_before_the_run_ends_it_with_its_place() {
    let place = Place::new();
    for (script, wanted) in [
        ("export function setup() {\n  throw new Error('no key')\n}", "hooks.js:2"),
        ("export function setup() {\n  for (;;) {}\n}", "did not end within"),
        ("export function onRequest( {", "hooks.js:1"),
        ("nothing()", "hooks.js:1"),
        ("export function onrequest() {}", "did you mean 'onRequest'?"),
    ] {
        let (run, site) = play(&place, script, &[]);
        run.exits(2).says(wanted);
        assert!(site.kept().is_empty());
    }
    place.write("s.toml", SCENARIO.replace("script = \"hooks.js\"\n", ""));
    let site = start();
    let args = ["replay", "s.toml", "--target", &site.url(), "--rate", "5/s", "--for", "1s"];
    place.mynah(&args).exits(2).says("there is no script to hand it out");
    place.mynah(&[&args[..], &["--script", "none.js"]].concat()).exits(3);
}

#[test]
fn a_curve_is_a_function_of_time() {
    let place = Place::new();
    place.write("s.toml", SCENARIO);
    place.write("hooks.js", "export const onRequest = () => true");
    place.write(
        "up.js",
        "export const duration = '10s'\nexport function shape(t) { return t < 5 ? 2 : 2 + t }",
    );
    let out = place
        .mynah(&["replay", "s.toml", "--shape", "up.js", "--arrivals", "uniform", "--preview"])
        .ok()
        .stdout();
    assert!(out.starts_with("up.js") && out.contains("12 sessions/s at the peak"), "{out}");
    // 2/s for 5 s, then from 7/s to 12/s within 5 s.
    assert!(["57 sessions", "58 sessions"].iter().any(|all| out.contains(all)), "{out}");
    place.write("flat.js", "export const shape = t => 4");
    let out = place
        .mynah(&[
            "replay",
            "s.toml",
            "--shape",
            "flat.js",
            "--for",
            "3s",
            "--arrivals",
            "uniform",
            "--preview",
        ])
        .ok()
        .stdout();
    assert!(out.contains("4 sessions/s at the peak; 12 sessions"), "{out}");
    place.write("bad.js", "export function shape(t) {\n  return t > 1 ? undefined_name : 1\n}");
    place.mynah(&["replay", "s.toml", "--shape", "bad.js", "--preview"]).exits(2).says("bad.js:2");
    // A script's own.
    place.write("hooks.js", "export const unit = 'users'\nexport const shape = t => t > 2 ? null : 3");
    let out = place.mynah(&["replay", "s.toml", "--preview"]).ok().stdout();
    assert!(out.contains("3 users at the most"), "{out}");
}
