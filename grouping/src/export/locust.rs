//! A Locust file: a user class for each profile, a method for each recorded session, a call for each request.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_message::Encoding;

use super::lookup::{JsonStep, Lookup, UrlPattern, script_pattern};
use super::outline::{Outline, ProfileOutline, Session, Step};
use super::request::{Body, Origin, Piece, Text, Value};
use super::text::{Case, Names, comment, python, seconds};

/// The class that plays sessions.
const BASE: &str = include_str!("locust/base.py");
/// How values are found; of these functions the script gets those that it uses.
const VALUES: &str = include_str!("locust/values.py");

/// What is imported, and the word that shows that it is needed.
const IMPORTS: [(&str, &str); 12] = [
    ("import base64", "base64."),
    ("import csv", "csv."),
    ("import html", "html."),
    ("import itertools", "itertools."),
    ("import json", "json."),
    ("import os", "os."),
    ("import re", "re."),
    ("import time", "time."),
    ("from html.parser import HTMLParser", "HTMLParser"),
    ("from urllib.parse import {}", ""),
    ("\nimport gevent", ""),
    ("from locust import HttpUser, events, task", ""),
];

const WIDTH: usize = 110;

/// Writes the file.
pub(super) fn write(outline: &Outline) -> String {
    let mut profiles = String::new();
    let mut names = Names::default();
    for name in ["RecordedUser", "Quotas", "Page", "HttpUser", "HTMLParser"] {
        names.give(name, Case::Camel, "");
    }
    for profile in &outline.profiles {
        let class = names.give(&profile.name, Case::Camel, "User");
        write_profile(&mut profiles, outline, profile, &class);
    }
    let settings = settings(outline);
    let values = used(VALUES, "\n\n\n", &[BASE, &profiles]);
    let code = [settings.as_str(), BASE, &values, &profiles].concat();
    format!("{}\n{}\n{code}", docstring(outline), imports(&code))
}

/// Of a text's blocks those that are used by `code` or by each other: a block is used when its first name, or any that it
/// assigns at its beginning, is.
pub(super) fn used(blocks: &str, separator: &str, code: &[&str]) -> String {
    let all: Vec<&str> = blocks.trim_matches('\n').split(separator).collect();
    let name = |block: &str| {
        let first = block.lines().find(|line| !line.starts_with(['#', '/']) && !line.is_empty())?;
        let declared =
            ["def ", "class ", "function ", "const "].iter().find_map(|word| first.strip_prefix(word));
        let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        declared.unwrap_or(first).split(end).next().filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let mut taken = vec![false; all.len()];
    loop {
        let mut more = false;
        for (number, block) in all.iter().enumerate() {
            if taken[number] {
                continue;
            }
            let Some(name) = name(block) else { continue };
            let by_others = all.iter().zip(&taken).any(|(other, taken)| *taken && mentions(other, &name));
            if by_others || code.iter().any(|code| mentions(code, &name)) {
                taken[number] = true;
                more = true;
            }
        }
        if !more {
            break;
        }
    }
    let mut out = String::new();
    for (block, _) in all.iter().zip(&taken).filter(|(_, taken)| **taken) {
        out.push_str(separator);
        out.push_str(block);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Whether a name stands in code as a word.
fn mentions(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn docstring(outline: &Outline) -> String {
    let count: usize = outline.profiles.iter().map(|profile| profile.sessions.len()).sum();
    let mut out = format!(
        "\"\"\"{}: {count} recorded sessions of {} profiles, as a Locust file.\n\nMade by 'mynah export' from {}.\n\
         Of each profile these sessions are in it, chosen so that together they send the profile's mix of requests:\n\n",
        comment(&outline.name),
        outline.profiles.len(),
        comment(&outline.origin)
    );
    for profile in &outline.profiles {
        let _ = writeln!(
            out,
            "  {:6.2} %  {}: {} of {}",
            profile.share * 100.0,
            comment(&profile.name),
            profile.sessions.len(),
            profile.of_sessions
        );
    }
    let host = if outline.target.is_some() { "" } else { " --host http://127.0.0.1:8080" };
    let _ = write!(
        out,
        "\nRun it:\n\n  locust -f THIS_FILE --headless -u 50 -r 10 -t 5m{host}\n\nTHINK=0.5 halves the recorded pauses, \
         SESSIONS=500 ends after so many sessions.\n\"\"\"\n"
    );
    out
}

fn imports(code: &str) -> String {
    let mut out = String::new();
    for (line, word) in IMPORTS {
        if line.contains("{}") {
            let names: Vec<&str> = ["quote", "quote_plus", "unquote", "unquote_plus"]
                .into_iter()
                .filter(|name| code.contains(&format!("{name}(")) && mentions(code, name))
                .collect();
            if !names.is_empty() {
                let _ = writeln!(out, "{}", line.replace("{}", &names.join(", ")));
            }
        } else if word.is_empty() || code.contains(word) {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

fn settings(outline: &Outline) -> String {
    let mut out = String::from(
        "\n# How recorded pauses are kept: 1 as they were, 0.5 half as long, 0 none.\n\
         THINK = float(os.environ.get(\"THINK\", \"1\"))\n\
         # End after so many sessions, each profile its share of them; 0: when Locust is told to. It is counted in each\n\
         # process by itself.\n\
         SESSIONS = int(os.environ.get(\"SESSIONS\", \"0\"))\n",
    );
    out.push_str(if outline.https {
        "# It was recorded over TLS: cookies marked Secure go to a plain target, too.\nPLAIN_TARGET_OF_TLS = True\n"
    } else {
        "# Whether cookies marked Secure go to a plain target, too.\nPLAIN_TARGET_OF_TLS = False\n"
    });
    out.push_str(
        "\n# Log-ins of the users, one row each; without any, what was recorded is sent.\nIDENTITIES = []\n",
    );
    if let Some(file) = &outline.identities {
        let _ = writeln!(
            out,
            "with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), {}), newline=\"\") as rows:\n    \
             IDENTITIES = list(csv.DictReader(rows))",
            python(file)
        );
    }
    out.push_str("IDENTITY = itertools.count()\n");
    if outline.hosts.len() > 1 {
        out.push_str("\n# Where requests to the other recorded hosts go; \"\" is the host that Locust is given.\nHOSTS = {\n");
        for host in outline.hosts.iter().skip(1) {
            let _ = writeln!(out, "    {}: \"\",", python(host));
        }
        out.push_str("}\n");
    }
    if !outline.headers.is_empty() {
        out.push_str("\n# What the recorded clients said of themselves and of what they wanted.\n");
    }
    for (number, set) in outline.headers.iter().enumerate() {
        let _ = writeln!(out, "HEADERS_{} = {{", number + 1);
        for (name, value) in set {
            let _ = writeln!(out, "    {}: {},", python(name), python(value));
        }
        out.push_str("}\n");
    }
    out
}

fn write_profile(out: &mut String, outline: &Outline, profile: &ProfileOutline, class: &str) {
    let _ = write!(
        out,
        "\n\nclass {class}(RecordedUser):\n    \"\"\"{}: {:.2} % of the sessions.\"\"\"\n\n",
        comment(&profile.name),
        profile.share * 100.0
    );
    if let Some(target) = &outline.target {
        let _ = writeln!(out, "    host = {}", python(target));
    }
    let _ = writeln!(
        out,
        "    share, pauses, requests = {:.4}, {:.2}, {:.1}",
        profile.share, profile.pauses_s, profile.requests
    );
    for (number, session) in profile.sessions.iter().enumerate() {
        let _ = write!(out, "\n    def session_{}(self):\n", number + 1);
        write_session(out, outline, session);
    }
    out.push_str("\n    sessions = [\n");
    for number in 1..=profile.sessions.len() {
        let _ = writeln!(out, "        session_{number},");
    }
    out.push_str("    ]\n");
}

fn write_session(out: &mut String, outline: &Outline, session: &Session) {
    for step in &session.steps {
        if step.pause.0 >= 500_000 {
            let _ = writeln!(out, "        self.pause({})", seconds(step.pause));
        }
        out.push_str("        ");
        if !step.keeps.is_empty() {
            out.push_str("response = ");
        }
        let arguments = arguments(outline, step);
        let line = format!("self.send({})", arguments.join(", "));
        if line.len() <= WIDTH - 8 {
            out.push_str(&line);
        } else {
            out.push_str("self.send(\n");
            let _ = writeln!(out, "            {},", arguments[..4.min(arguments.len())].join(", "));
            for argument in arguments.iter().skip(4) {
                let _ = writeln!(out, "            {argument},");
            }
            out.push_str("        )");
        }
        out.push('\n');
        for keep in &step.keeps {
            let found = find(&keep.lookup);
            let which = keep.which.map(|which| format!(", which={which}")).unwrap_or_default();
            let _ = writeln!(out, "        self.keep({}, {found}{which})", python(&keep.name));
        }
    }
    if session.steps.is_empty() {
        out.push_str("        pass\n");
    }
}

fn arguments(outline: &Outline, step: &Step) -> Vec<String> {
    let mut url = expression(&step.path);
    if let Some(host) = (step.host > 0).then(|| outline.hosts.get(step.host)).flatten() {
        url = format!("HOSTS[{}] + {url}", python(host));
    }
    let host = step.endpoint.host.as_deref().unwrap_or_default();
    let name = format!("{host}{}", step.endpoint.template);
    let want = step.want.map_or("None".to_owned(), |want| want.to_string());
    let mut arguments = vec![python(&step.method), url, python(&name), want];
    let pairs = |pairs: &[(String, Text)]| {
        let all: Vec<String> =
            pairs.iter().map(|(name, text)| format!("{}: {}", python(name), expression(text))).collect();
        all.join(", ")
    };
    match (step.set.map(|set| format!("HEADERS_{}", set + 1)), step.headers.is_empty()) {
        (None, true) => {}
        (Some(set), true) => arguments.push(format!("headers={set}")),
        (None, false) => arguments.push(format!("headers={{{}}}", pairs(&step.headers))),
        (Some(set), false) => arguments.push(format!("headers={{**{set}, {}}}", pairs(&step.headers))),
    }
    if !step.cookies.is_empty() {
        arguments.push(format!("cookies={{{}}}", pairs(&step.cookies)));
    }
    match &step.body {
        Body::None => {}
        Body::Text(text) => arguments.push(format!("body={}", expression(text))),
        Body::Form(form) => {
            let all: Vec<String> =
                form.iter().map(|(name, text)| format!("({}, {})", python(name), expression(text))).collect();
            arguments.push(format!("body=[{}]", all.join(", ")));
        }
        Body::Binary(bytes) => {
            arguments.push(format!("body=base64.b64decode(\"{}\")", STANDARD.encode(bytes)));
        }
    }
    arguments
}

fn expression(text: &Text) -> String {
    let pieces: Vec<String> = text
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => python(literal),
            Piece::Target => "self.here".to_owned(),
            Piece::Value(value) => self::value(value),
        })
        .collect();
    if pieces.is_empty() { "\"\"".to_owned() } else { pieces.join(" + ") }
}

fn value(value: &Value) -> String {
    let recorded = value.recorded.as_deref().map(|recorded| format!(", {}", python(recorded)));
    let call = match &value.origin {
        Origin::Kept { name, index } => {
            let index = if *index > 0 { format!(", index={index}") } else { String::new() };
            format!("self.value({}{}{index})", python(name), recorded.unwrap_or_default())
        }
        Origin::Login { column } => {
            format!("self.login({}{})", python(column), recorded.unwrap_or_default())
        }
    };
    match value.encoding {
        Encoding::Percent => format!("quote({call}, safe=\"\")"),
        Encoding::FormPercent => format!("quote_plus({call})"),
        Encoding::JsonString | Encoding::ScriptString => format!("in_json({call})"),
        Encoding::JsonNumber | Encoding::JsonLiteral => format!("as_json({call})"),
        Encoding::HtmlAttr | Encoding::HtmlText | Encoding::HtmlAttrUnquoted => {
            format!("html.escape({call})")
        }
        _ => call,
    }
}

fn find(lookup: &Lookup) -> String {
    let url = |function: &str, pattern: &UrlPattern| {
        let query = if pattern.query { ", query=True" } else { "" };
        format!("{function}(response, {}{query})", python(&pattern.grouped()))
    };
    match lookup {
        Lookup::Header { name } => format!("header_values(response, {})", python(name)),
        Lookup::Cookie { name } => format!("cookie_values(response, {})", python(name)),
        Lookup::Json { document, path } => {
            let steps: Vec<String> = path
                .iter()
                .map(|step| match step {
                    JsonStep::Key(key) => python(key),
                    JsonStep::Index(index) => index.to_string(),
                    JsonStep::Any => "ANY".to_owned(),
                })
                .collect();
            let document = match document {
                Some(0) => String::new(),
                Some(number) => format!(", document={number}"),
                None => ", document=ANY".to_owned(),
            };
            let path = if steps.is_empty() { String::new() } else { format!(", {}", steps.join(", ")) };
            format!("json_values(response{path}{document})")
        }
        Lookup::Control { name } => format!("control_values(response, {})", python(name)),
        Lookup::Meta { name } => format!("meta_values(response, {})", python(name)),
        Lookup::Attr { tag, attr } => {
            format!("attribute_values(response, {}, {})", python(tag), python(attr))
        }
        Lookup::Link(pattern) => url("link_values", pattern),
        Lookup::Location(pattern) => url("location_values", pattern),
        Lookup::Script { key } => format!("script_values(response, {})", python(&script_pattern(key))),
        Lookup::Text { tag } => format!("text_values(response, {})", python(tag)),
        Lookup::Xml { path } => format!("xml_values(response, {})", python(path)),
        Lookup::Body => "[text_of(response)]".to_owned(),
    }
}
