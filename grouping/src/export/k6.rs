//! A k6 script: a scenario for each profile, a function for each recorded session, a call for each request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_message::Encoding;
use mynah_traffic::threshold::{Figure, Metric, Op, Threshold};

use super::locust::used;
use super::lookup::{JsonStep, Lookup, UrlPattern, script_pattern};
use super::outline::{Outline, Session, Step};
use super::request::{Body, Origin, Piece, Text, Value};
use super::text::{Case, Names, comment, javascript, seconds};

const BASE: &str = include_str!("k6/base.js");
/// How values are found; of these functions the script gets those that it uses.
const VALUES: &str = include_str!("k6/values.js");

const WIDTH: usize = 110;

/// Writes the script. Thresholds that k6 has no word for are told in `notes`.
pub(super) fn write(outline: &Outline, notes: &mut Vec<String>) -> String {
    let mut names = Names::default();
    // What the script and the language call by these names.
    for name in [
        "http",
        "check",
        "sleep",
        "exec",
        "encoding",
        "play",
        "form",
        "elements",
        "attribute",
        "scenarios",
        "options",
        "default",
        "function",
        "class",
        "new",
        "delete",
        "import",
        "export",
    ] {
        names.give(name, Case::Snake, "");
    }
    let mut profiles = String::new();
    let mut functions = String::new();
    for profile in &outline.profiles {
        let name = names.give(&profile.name, Case::Snake, "");
        let _ = writeln!(
            profiles,
            "  {{ name: \"{name}\", share: {:.4}, pauses: {:.2}, requests: {:.1} }},",
            profile.share, profile.pauses_s, profile.requests
        );
        let _ = write!(
            functions,
            "\n// {}: {:.2} % of the sessions.\nexport function {name}() {{\n  play([\n",
            comment(&profile.name),
            profile.share * 100.0
        );
        let sessions: Vec<String> = (1..=profile.sessions.len())
            .map(|number| names.give(&format!("{name} session {number}"), Case::Snake, ""))
            .collect();
        for session in &sessions {
            let _ = writeln!(functions, "    {session},");
        }
        functions.push_str("  ]);\n}\n");
        for (name, session) in sessions.iter().zip(&profile.sessions) {
            let _ = write!(functions, "\nfunction {name}(user) {{\n");
            write_session(&mut functions, outline, session);
            functions.push_str("}\n");
        }
    }
    let settings = settings(outline, &profiles, notes);
    let values = used(VALUES, "\n\n", &[BASE, &functions]);
    let code = [settings.as_str(), BASE, &values, &functions].concat();
    format!("{}{}\n{code}", head(outline), imports(&code))
}

fn head(outline: &Outline) -> String {
    let count: usize = outline.profiles.iter().map(|profile| profile.sessions.len()).sum();
    let mut out = format!(
        "// {}: {count} recorded sessions of {} profiles, as a k6 script.\n//\n// Made by 'mynah export' from {}.\n\
         // Of each profile these sessions are in it, chosen so that together they send the profile's mix of requests:\n//\n",
        comment(&outline.name),
        outline.profiles.len(),
        comment(&outline.origin)
    );
    for profile in &outline.profiles {
        let _ = writeln!(
            out,
            "//   {:6.2} %  {}: {} of {}",
            profile.share * 100.0,
            comment(&profile.name),
            profile.sessions.len(),
            profile.of_sessions
        );
    }
    let target = if outline.target.is_some() { "" } else { " -e TARGET=http://127.0.0.1:8080" };
    let _ = write!(
        out,
        "//\n// Run it:\n//\n//   k6 run{target} -e USERS=50 -e SESSIONS=1000 THIS_FILE\n//   k6 run{target} -e RATE=5 -e \
         DURATION=5m THIS_FILE    (sessions a second)\n//\n// -e THINK=0.5 halves the recorded pauses.\n\n"
    );
    out
}

fn imports(code: &str) -> String {
    let mut out = String::new();
    for (line, word) in [
        ("import { check, sleep } from \"k6\";", ""),
        ("import encoding from \"k6/encoding\";", "encoding."),
        ("import exec from \"k6/execution\";", ""),
        ("import { parseHTML } from \"k6/html\";", "parseHTML("),
        ("import http from \"k6/http\";", ""),
    ] {
        if word.is_empty() || code.contains(word) {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

fn settings(outline: &Outline, profiles: &str, notes: &mut Vec<String>) -> String {
    let mut out = String::from("\n// Where requests go.\n");
    let _ = writeln!(
        out,
        "const TARGET = (__ENV.TARGET || {}).replace(/\\/+$/, \"\");\nif (TARGET === \"\") throw new Error(\"say where \
         requests go: k6 run -e TARGET=http://127.0.0.1:8080 …\");",
        javascript(outline.target.as_deref().unwrap_or_default())
    );
    out.push_str(
        "// How recorded pauses are kept: 1 as they were, 0.5 half as long, 0 none.\n\
         const THINK = Number(__ENV.THINK || 1);\n\
         // So many users play so many sessions; or, where a RATE is given, so many sessions begin each second.\n\
         const USERS = Number(__ENV.USERS || 50);\nconst SESSIONS = Number(__ENV.SESSIONS || 1000);\n\
         const RATE = Number(__ENV.RATE || 0);\nconst DURATION = __ENV.DURATION || \"5m\";\n\
         // Whether cookies marked Secure go to a plain target, too: so where it was recorded over TLS.\n",
    );
    let _ = writeln!(out, "const PLAIN_TARGET_OF_TLS = {};", outline.https);
    out.push_str("// Log-ins of the users, one row each; without any, what was recorded is sent.\n");
    match &outline.identities {
        Some(file) => {
            let _ = writeln!(
                out,
                "const IDENTITIES = rows(open({}));\n\nfunction rows(text) {{\n  const table = text.trim().split(/\\r?\\n/).map((line) =>\n    Array.from(line.matchAll(/(?:^|,)(?:\"((?:[^\"]|\"\")*)\"|([^,]*))/g), (cell) =>\n      cell[1] !== undefined ? cell[1].replace(/\"\"/g, '\"') : cell[2],\n    ),\n  );\n  const names = table.shift();\n  return table.map((row) => Object.fromEntries(row.map((cell, column) => [names[column], cell])));\n}}",
                javascript(&path_of(file))
            );
        }
        None => out.push_str("const IDENTITIES = [];\n"),
    }
    let _ = write!(
        out,
        "\nconst PROFILES = [\n{profiles}];\n\nexport const options = {{\n  scenarios: scenarios(),\n"
    );
    out.push_str(
        "  summaryTrendStats: [\"avg\", \"min\", \"med\", \"max\", \"p(90)\", \"p(95)\", \"p(99)\"],\n",
    );
    let thresholds = thresholds(&outline.thresholds, notes);
    if !thresholds.is_empty() {
        out.push_str("  thresholds: {\n");
        for (metric, wanted) in &thresholds {
            let wanted: Vec<String> = wanted.iter().map(|one| javascript(one)).collect();
            let _ = writeln!(out, "    {}: [{}],", javascript(metric), wanted.join(", "));
        }
        out.push_str("  },\n");
    }
    out.push_str("};\n");
    if outline.hosts.len() > 1 {
        out.push_str("\n// Where requests to the other recorded hosts go.\nconst HOSTS = {\n");
        for host in outline.hosts.iter().skip(1) {
            let _ = writeln!(out, "  {}: TARGET,", javascript(host));
        }
        out.push_str("};\n");
    }
    if !outline.headers.is_empty() {
        out.push_str("\n// What the recorded clients said of themselves and of what they wanted.\n");
    }
    for (number, set) in outline.headers.iter().enumerate() {
        let _ = writeln!(out, "const HEADERS_{} = {{", number + 1);
        for (name, value) in set {
            let _ = writeln!(out, "  {}: {},", javascript(name), javascript(value));
        }
        out.push_str("};\n");
    }
    out
}

/// k6 looks for a file beside the script only where its name says so.
fn path_of(file: &str) -> String {
    if file.starts_with(['/', '.']) { file.to_owned() } else { format!("./{file}") }
}

/// k6's thresholds by metric. Those for which it has no word are told.
fn thresholds(all: &[Threshold], notes: &mut Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for threshold in all {
        match k6_threshold(threshold) {
            Some((metric, expr)) => out.entry(metric).or_default().push(expr),
            None => notes.push(format!("k6 has no threshold like '{}'; it is left out", threshold.expr)),
        }
    }
    out
}

fn k6_threshold(threshold: &Threshold) -> Option<(String, String)> {
    // Nor for a profile, nor for a stretch of a run: abortOnFail looks at all of it up to then.
    if threshold.window.is_some() || threshold.profile.is_some() {
        return None;
    }
    let (metric, figure, value) = match threshold.metric {
        Metric::Response(figure)
        | Metric::Service(figure)
        | Metric::FirstByte(figure)
        | Metric::Connect(figure)
        | Metric::Tls(figure) => {
            let name = match figure {
                Figure::Quantile(q) => format!("p({})", (q * 1e6).round() / 1e4),
                Figure::Mean => "avg".to_owned(),
                Figure::Min => "min".to_owned(),
                Figure::Max => "max".to_owned(),
            };
            let metric = match threshold.metric {
                Metric::FirstByte(_) => "http_req_waiting",
                Metric::Connect(_) => "http_req_connecting",
                Metric::Tls(_) => "http_req_tls_handshaking",
                // k6 has one kind of time, from sending to the last byte.
                _ => "http_req_duration",
            };
            (metric, name, threshold.wanted / 1e6)
        }
        Metric::FailureRate => ("http_req_failed", "rate".to_owned(), threshold.wanted),
        Metric::RequestsPerSecond => ("http_reqs", "rate".to_owned(), threshold.wanted),
        Metric::Requests => ("http_reqs", "count".to_owned(), threshold.wanted),
        Metric::MismatchRate | Metric::Failures | Metric::Mismatches | Metric::SendLag(_) => return None,
    };
    let op = match threshold.op {
        Op::Less => "<",
        Op::AtMost => "<=",
        Op::More => ">",
        Op::AtLeast => ">=",
    };
    let metric = match &threshold.endpoint {
        None => metric.to_owned(),
        // A comma would begin another tag.
        Some(endpoint) if endpoint.contains([',', '"', '\'']) => return None,
        Some(endpoint) => format!("{metric}{{name:{endpoint}}}"),
    };
    Some((metric, format!("{figure}{op}{value}")))
}

fn write_session(out: &mut String, outline: &Outline, session: &Session) {
    if session.steps.iter().any(|step| !step.keeps.is_empty()) {
        out.push_str("  let response;\n");
    }
    for step in &session.steps {
        if step.pause.0 >= 500_000 {
            let _ = writeln!(out, "  user.pause({});", seconds(step.pause));
        }
        out.push_str(if step.keeps.is_empty() { "  " } else { "  response = " });
        let (first, more) = arguments(outline, step);
        let more_line = if more.is_empty() { String::new() } else { format!(", {{ {} }}", more.join(", ")) };
        let line = format!("user.send({}{more_line});", first.join(", "));
        if line.len() <= WIDTH {
            out.push_str(&line);
        } else {
            let _ = write!(out, "user.send({}", first.join(", "));
            if !more.is_empty() {
                out.push_str(", {\n");
                for argument in &more {
                    let _ = writeln!(out, "    {argument},");
                }
                out.push_str("  }");
            }
            out.push_str(");");
        }
        out.push('\n');
        for keep in &step.keeps {
            let which = keep.which.map(|which| format!(", {which}")).unwrap_or_default();
            let _ = writeln!(out, "  user.keep({}, {}{which});", javascript(&keep.name), find(&keep.lookup));
        }
    }
}

fn arguments(outline: &Outline, step: &Step) -> (Vec<String>, Vec<String>) {
    let mut url = expression(&step.path);
    if let Some(host) = (step.host > 0).then(|| outline.hosts.get(step.host)).flatten() {
        url = format!("HOSTS[{}] + {url}", javascript(host));
    }
    let want = step.want.map_or("null".to_owned(), |want| want.to_string());
    let first = vec![javascript(&step.method), url, javascript(&step.name()), want];
    let mut more = Vec::new();
    let pairs = |pairs: &[(String, Text)]| {
        let all: Vec<String> = pairs
            .iter()
            .map(|(name, text)| format!("[{}]: {}", javascript(name), expression(text)))
            .collect();
        all.join(", ")
    };
    match (step.set.map(|set| format!("HEADERS_{}", set + 1)), step.headers.is_empty()) {
        (None, true) => {}
        (Some(set), true) => more.push(format!("headers: {set}")),
        (None, false) => more.push(format!("headers: {{ {} }}", pairs(&step.headers))),
        (Some(set), false) => more.push(format!("headers: {{ ...{set}, {} }}", pairs(&step.headers))),
    }
    if !step.cookies.is_empty() {
        more.push(format!("cookies: {{ {} }}", pairs(&step.cookies)));
    }
    match &step.body {
        Body::None => {}
        Body::Text(text) => more.push(format!("body: {}", expression(text))),
        Body::Form(form) => {
            let all: Vec<String> = form
                .iter()
                .map(|(name, text)| format!("[{}, {}]", javascript(name), expression(text)))
                .collect();
            more.push(format!("body: form([{}])", all.join(", ")));
        }
        Body::Binary(bytes) => more.push(format!("body: encoding.b64decode(\"{}\")", STANDARD.encode(bytes))),
    }
    (first, more)
}

fn expression(text: &Text) -> String {
    let pieces: Vec<String> = text
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => javascript(literal),
            Piece::Target => "TARGET".to_owned(),
            Piece::Value(value) => self::value(value),
        })
        .collect();
    if pieces.is_empty() { "\"\"".to_owned() } else { pieces.join(" + ") }
}

fn value(value: &Value) -> String {
    let recorded = value.recorded.as_deref().map(javascript);
    let call = match &value.origin {
        Origin::Kept { name, index: 0 } => {
            let recorded = recorded.map(|recorded| format!(", {recorded}")).unwrap_or_default();
            format!("user.value({}{recorded})", javascript(name))
        }
        Origin::Kept { name, index } => {
            let recorded = recorded.unwrap_or_else(|| "\"\"".to_owned());
            format!("user.value({}, {recorded}, {index})", javascript(name))
        }
        Origin::Login { column } => {
            let recorded = recorded.map(|recorded| format!(", {recorded}")).unwrap_or_default();
            format!("user.login({}{recorded})", javascript(column))
        }
    };
    match value.encoding {
        Encoding::Percent => format!("inPath({call})"),
        Encoding::FormPercent => format!("inQuery({call})"),
        Encoding::JsonString | Encoding::ScriptString => format!("inJson({call})"),
        Encoding::JsonNumber | Encoding::JsonLiteral => format!("asJson({call})"),
        Encoding::HtmlAttr | Encoding::HtmlText | Encoding::HtmlAttrUnquoted => format!("inMarkup({call})"),
        _ => call,
    }
}

fn find(lookup: &Lookup) -> String {
    let url = |function: &str, pattern: &UrlPattern| {
        let query = if pattern.query { ", true" } else { "" };
        format!("{function}(response, {}{query})", javascript(&pattern.grouped()))
    };
    let named = |function: &str, name: &str| format!("{function}(response, {})", javascript(name));
    match lookup {
        Lookup::Header { name } => named("headerValues", name),
        Lookup::Cookie { name } => named("cookieValues", name),
        Lookup::Json { document, path } => {
            let steps: Vec<String> = path
                .iter()
                .map(|step| match step {
                    JsonStep::Key(key) => javascript(key),
                    JsonStep::Index(index) => index.to_string(),
                    JsonStep::Any => "ANY".to_owned(),
                })
                .collect();
            let document = match document {
                Some(0) => String::new(),
                Some(number) => format!(", {number}"),
                None => ", ANY".to_owned(),
            };
            format!("jsonValues(response, [{}]{document})", steps.join(", "))
        }
        Lookup::Control { name } => named("controlValues", name),
        Lookup::Meta { name } => named("metaValues", name),
        Lookup::Attr { tag, attr } => {
            format!("attributeValues(response, {}, {})", javascript(tag), javascript(attr))
        }
        Lookup::Link(pattern) => url("linkValues", pattern),
        Lookup::Location(pattern) => url("locationValues", pattern),
        Lookup::Script { key } => named("scriptValues", &script_pattern(key)),
        Lookup::Text { tag } => named("textValues", tag),
        Lookup::Xml { path } => named("xmlValues", path),
        Lookup::Body => "[textOf(response)]".to_owned(),
    }
}
