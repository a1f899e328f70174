use std::rc::Rc;

use proptest::prelude::*;

use super::shape::sampled;
use super::*;

fn script(source: &str) -> Result<Script, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooks.js");
    std::fs::write(&path, source).unwrap();
    Script::load(&path).map_err(|error| error.to_string())
}

fn hooks(source: &str, names: &[&str]) -> Rc<Hooks> {
    let scripted = Scripted::new(script(source).unwrap(), 1);
    scripted.set_up().unwrap();
    let names: Vec<String> = names.iter().map(|name| format!("{PREFIX}{name}")).collect();
    Rc::new(scripted.start(0, &names).unwrap().unwrap())
}

fn visit(hooks: &Rc<Hooks>) -> (Visit, Handed) {
    let person = Person { number: 7, profile: "buyer", identity: vec![("email", "a@b")] };
    hooks.session(None, &person).unwrap()
}

const POST: &str =
    "POST /a?b=1 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nAccept: a\r\nAccept: b\r\nContent-Length: 2\r\n\r\n{}";

/// What is sent in place of a request.
fn sent(body: &str) -> Result<Option<String>, String> {
    let hooks = hooks(&format!("export function onRequest(request, session) {{\n{body}\n}}"), &[]);
    let (asked, _) = visit(&hooks).0.request(POST.as_bytes())?;
    Ok(asked.changed.map(|bytes| String::from_utf8(bytes).unwrap()))
}

#[test]
fn what_is_not_changed_is_sent_as_it_was() {
    assert_eq!(sent("").unwrap(), None);
    assert_eq!(sent("request.headers['x-one'] = '1'; return true").unwrap(), None);
    assert_eq!(sent("request.body = request.body + ''").unwrap(), None);
}

#[test]
fn everything_of_a_request_can_be_changed() {
    assert_eq!(
        sent("request.method = 'PUT'; request.path += '&c=2'").unwrap().unwrap(),
        POST.replace("POST /a?b=1", "PUT /a?b=1&c=2")
    );
    let changed =
        sent("request.headers['x-one'] = 2; request.headers['X-New'] = 'n'; delete request.headers.host")
            .unwrap();
    assert_eq!(
        changed.unwrap(),
        POST.replace("Host: h\r\n", "")
            .replace("X-One: 1", "X-One: 2")
            .replace("\r\n\r\n", "\r\nX-New: n\r\n\r\n")
    );
    // In other letters it is the same header.
    assert_eq!(
        sent("request.headers['X-ONE'] = 'z'").unwrap().unwrap(),
        POST.replace("X-One: 1", "X-One: z")
    );
    assert_eq!(
        sent("request.headers.accept = ['c']").unwrap().unwrap(),
        POST.replace("Accept: a\r\nAccept: b", "Accept: c")
    );
    let changed =
        sent("request.body = JSON.stringify({ a: 'ü', of: session.number, who: session.identity.email })");
    let body = r#"{"a":"ü","of":7,"who":"a@b"}"#;
    let changed = changed.unwrap().unwrap();
    assert!(changed.ends_with(&format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len())), "{changed}");
    assert!(sent("request.body = new Uint8Array([65, 66, 67])").unwrap().unwrap().ends_with("\r\n\r\nABC"));
    assert!(sent("request.body = null").unwrap().unwrap().ends_with("Content-Length: 0\r\n\r\n"));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    for (body, wanted) in [
        ("request.method = 'G T'", "request.method is 'G T'"),
        ("request.path = 'http://other/'", "begins with /"),
        ("request.path = '/a b'", "no space"),
        ("request.headers['x-one'] = 'a\\r\\nX-Evil: 1'", "the value holds a character"),
        ("request.headers['a:b'] = '1'", "the name holds a character"),
        ("request.headers = 1", "request.headers is no object"),
        ("request.body = {}", "JSON.stringify"),
        ("request.body = '\\ud800'", "surrogate"),
    ] {
        let why = sent(body).unwrap_err();
        assert!(why.starts_with("hooks.js") && why.contains(wanted), "{body}: {why}");
    }
}

#[test]
fn errors_have_their_place() {
    let why = sent("\n\n  session.nothing.there = 1").unwrap_err();
    assert!(why.starts_with("hooks.js:4:") && why.contains("TypeError"), "{why}");
    let why = sent("throw 'a text'").unwrap_err();
    assert_eq!(why, "hooks.js: a text (thrown)");
    let why = sent("throw new Error('no\\nway')").unwrap_err();
    assert!(why.contains("Error: no way"), "{why}");
    let why = sent("metrics.add('', 1)").unwrap_err();
    assert!(why.starts_with("hooks.js:2") && why.contains("metrics:"), "{why}");
    let why = sent("return new Promise(() => {})").unwrap_err();
    assert!(why.contains("no timers"), "{why}");
    let why = script("export function onRequest() {\n  let a = ;\n}").unwrap_err();
    assert!(why.starts_with("hooks.js:2") && why.contains("SyntaxError"), "{why}");
    let why = script("export const onRequest = 1").unwrap_err();
    assert!(why.contains("no function"), "{why}");
    assert!(script("export function onrequest() {}").unwrap_err().contains("did you mean 'onRequest'"));
    assert!(script("let a = 1").unwrap_err().contains("exports nothing that is called"));
    assert!(script("import fs from 'fs';\nexport function setup() {}").unwrap_err().starts_with("hooks.js"));
}

#[test]
fn a_loop_without_end_is_interrupted() {
    let hooks = hooks(
        "let n = 0;\nexport function onRequest() {\n  if (n++ == 0) for (;;) {}\n  return false\n}",
        &[],
    );
    let (visit, _) = visit(&hooks);
    let why = visit.request(POST.as_bytes()).unwrap_err();
    assert!(why.contains("did not end within 1 s"), "{why}");
    // A script cannot catch it, and goes on with the next call.
    assert!(visit.request(POST.as_bytes()).unwrap().0.skipped);
}

#[test]
fn memory_and_stack_have_an_end() {
    let hooks = hooks(
        "let kept = [];
export function onRequest(request) {
  if (request.path.includes('deep')) { const f = () => f() + 1; f() }
  for (let n = 0; n < 100; n++) kept.push('x'.repeat(1 << 20) + n);
}
export function onResponse(response) { kept = []; }",
        &[],
    );
    let (visit, _) = visit(&hooks);
    for _ in 0..3 {
        let why = visit.request(POST.as_bytes()).unwrap_err();
        assert!(why.contains("memory"), "{why}");
    }
    visit.response((b"HTTP/1.1 200 OK\r\n\r\n", b""), None).unwrap();
    let why = visit.request(b"GET /deep HTTP/1.1\r\n\r\n").unwrap_err();
    assert!(why.contains("stack"), "{why}");
}

#[test]
fn answers_are_judged_and_values_handed_out() {
    let hooks = hooks(
        "export function onSession(session, data) { session.vars.begun = [session.profile, 2]; }
export function onResponse(response, request, session) {
  if (response.status >= 500) return `status ${response.status} of ${request.path}`;
  if (response.body == '') return false;
  session.vars.token = JSON.parse(response.body).token;
  metrics.add('tokens'); metrics.trend('length', response.body.length);
}",
        &["token", "begun", "none"],
    );
    assert!(hooks.sees_requests() && hooks.sees_answers());
    let (visit, handed) = visit(&hooks);
    assert_eq!(handed, [(0, vec![]), (1, vec!["buyer".to_owned(), "2".to_owned()]), (2, vec![])]);
    let (asked, _) = visit.request(POST.as_bytes()).unwrap();
    let hear = |head: &str, body: &str| {
        visit.response((format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body.as_bytes()), Some(&asked))
    };
    assert_eq!(hear("503 No", "").unwrap().0.unwrap(), "status 503 of /a?b=1");
    assert_eq!(hear("200 OK", "").unwrap().0.unwrap(), "onResponse says no");
    let (wrong, handed) = hear("200 OK", "{\"token\": \"t\"}").unwrap();
    assert_eq!((wrong, &handed[0]), (None, &(0, vec!["t".to_owned()])));
    assert!(hear("200 OK", "<html>").unwrap_err().starts_with("hooks.js:5"));
    let metrics = hooks.metrics();
    assert_eq!((metrics["tokens"].count, metrics["length"].sum), (1, 14.0));
}

#[test]
fn what_setup_returns_reaches_every_thread_and_teardown() {
    let scripted = Scripted::new(
        script(
            "export async function setup() { return { n: 5 } }
export function teardown(data) { metrics.add('end', data.n); if (data.n != 5) throw new Error('lost') }
export function onSession(session, data) { session.vars.n = data.n + session.data.n }",
        )
        .unwrap(),
        1,
    );
    let master = scripted.set_up().unwrap().unwrap();
    let hooks = Rc::new(scripted.start(0, &["script.n".to_owned()]).unwrap().unwrap());
    assert_eq!(visit(&hooks).1, [(0, vec!["10".to_owned()])]);
    let (wrong, metrics) = scripted.tear_down(&master);
    assert_eq!((wrong, metrics["end"].sum), (None, 5.0));
    let broken = Scripted::new(script("export function setup() {\n throw new Error('no') }").unwrap(), 1);
    let why = broken.set_up().err().unwrap().to_string();
    assert!(why.starts_with("hooks.js:2:") && why.contains("in setup"), "{why}");
}

#[test]
fn chance_follows_the_seed() {
    let draw = |seed| {
        let source = "export function onSession(session) { session.vars.r = Math.random() }";
        let scripted = Scripted::new(script(source).unwrap(), seed);
        let hooks = Rc::new(scripted.start(0, &["script.r".to_owned()]).unwrap().unwrap());
        visit(&hooks).1
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn shapes_are_sampled() {
    let curve = sampled(
        "s.js",
        "export const duration = '2s';\nexport function shape(t) { return t < 1 ? 10 : 20 * t }",
    )
    .unwrap();
    assert!(curve.ends && (curve.points.last().unwrap().0 - 2.0).abs() < 1e-9, "{curve:?}");
    assert!((curve.points.last().unwrap().1.value - 40.0).abs() < 1e-9, "{curve:?}");
    // The level stretch is two points, and each 100 ms of the rise one.
    assert_eq!(curve.points.len(), 2 + 11);
    let ends =
        sampled("s.js", "export const unit = 'users';\nexport const shape = t => t > 3 ? null : 5").unwrap();
    assert_eq!((ends.ends, ends.points.len(), ends.points[1].0), (true, 2, 3.0));
    let endless = sampled("s.js", "export const shape = t => 5").unwrap();
    assert_eq!((endless.ends, endless.points[1].0), (false, 86_400.0));
    for (source, wanted) in [
        ("export function shape(t) {\n return -1 }", "returned -1"),
        ("export function shape(t) {\n return 'many' }", "returned many"),
        ("export function shape(t) {\n return t.x.y }", "s.js:2"),
        ("export function shape(t) { return null }", "ends at 0 s"),
        ("export const unit = 'cats'; export function shape(t) { return 1 }", "unit is 'cats'"),
        ("export const duration = 'soon'; export function shape(t) { return 1 }", "duration is 'soon'"),
        ("export function shape(t) { return Date.now() }", "Date"),
        ("export function form(t) { return 1 }", "no function 'shape'"),
    ] {
        let why = sampled("s.js", source).unwrap_err();
        assert!(why.starts_with("s.js") && why.contains(wanted), "{source}: {why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_source_is_an_error_at_most(source in "\\PC{0,60}") {
        let _ = sampled("s.js", &source);
        let _ = script(&source);
    }

    #[test]
    fn any_bytes_are_shown_or_refused(head in "[A-Z]{1,4} /[a-z]{0,5} HTTP/1.1\r\n([a-z]{1,3}: \\PC{0,5}\r\n){0,3}\r\n", body: Vec<u8>) {
        let hooks = hooks("export function onRequest(request) { request.headers.added = '1' }", &[]);
        let whole = [head.as_bytes(), &body].concat();
        if let Ok((asked, _)) = visit(&hooks).0.request(&whole) {
            let changed = asked.changed.unwrap();
            prop_assert!(changed.ends_with(&body));
        }
    }
}
