//! A shell script of curl commands: one session of each profile, to look at by hand.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_message::{Encoding, percent};

use super::lookup::{JsonStep, Lookup, UrlPattern};
use super::outline::{Outline, Step};
use super::request::{Body, Origin, Piece, Text, Value};
use super::text::{comment, pattern, seconds, shell};

const BASE: &str = include_str!("curl/base.sh");
const VALUES: &str = include_str!("curl/values.sh");

/// Writes the script. What a shell has no means for is told in `notes`.
pub(super) fn write(outline: &Outline, notes: &mut Vec<String>) -> String {
    let mut sessions = String::new();
    for profile in &outline.profiles {
        for (number, session) in profile.sessions.iter().enumerate() {
            let title = if profile.sessions.len() == 1 {
                profile.name.clone()
            } else {
                format!("{} ({} of {})", profile.name, number + 1, profile.sessions.len())
            };
            let share = profile.share * 100.0;
            let _ = write!(
                sessions,
                "\n# {}: {share:.2} % of the sessions.\nbegin {}\n",
                comment(&title),
                shell(&title)
            );
            for step in &session.steps {
                write_step(&mut sessions, outline, step, notes);
            }
        }
    }
    if outline.identities.is_some() {
        notes.push("the script logs in as recorded: it does not read the identities' file".to_owned());
    }
    let mut code = String::from(BASE);
    if ["keep", "percent ", "in_json ", "as_json ", "unescape"].iter().any(|word| sessions.contains(word)) {
        let _ = write!(code, "\n{VALUES}");
    }
    let jq = if code.contains(VALUES) && ["json_values ", "_json "].iter().any(|word| sessions.contains(word))
    {
        "command -v jq >/dev/null || { echo \"this script needs jq\" >&2; exit 2; }\n"
    } else {
        ""
    };
    format!(
        "{}{jq}{code}{sessions}\nprintf '%s requests, %s of them with another answer than recorded\\n' \"$SENT\" \
         \"$FAILED\"\n[ \"$FAILED\" -eq 0 ]\n",
        head(outline)
    )
}

fn head(outline: &Outline) -> String {
    let mut out = format!(
        "#!/usr/bin/env bash\n# {}: recorded sessions as curl commands, {} of {} profiles.\n#\n# Made by 'mynah export' from {}.\n#\n",
        comment(&outline.name),
        outline.profiles.iter().map(|profile| profile.sessions.len()).sum::<usize>(),
        outline.profiles.len(),
        comment(&outline.origin)
    );
    for profile in &outline.profiles {
        let _ = writeln!(
            out,
            "#   {:6.2} %  {}: {} of {}",
            profile.share * 100.0,
            comment(&profile.name),
            profile.sessions.len(),
            profile.of_sessions
        );
    }
    out.push_str("#\n# Run it: bash THIS_FILE http://127.0.0.1:8080     THINK=0 leaves the recorded pauses out\n\nset -eu\n\n");
    match &outline.target {
        Some(target) => {
            let _ = write!(out, "TARGET=${{1:-}}\n[ -n \"$TARGET\" ] || TARGET={}\n", shell(target));
        }
        None => out.push_str("TARGET=${1:?where do requests go? bash $0 http://127.0.0.1:8080}\n"),
    }
    out.push_str("TARGET=${TARGET%/}\nTHINK=${THINK:-1}\n");
    out
}

fn write_step(out: &mut String, outline: &Outline, step: &Step, notes: &mut Vec<String>) {
    if step.pause.0 >= 500_000 {
        let _ = writeln!(out, "pause {}", seconds(step.pause));
    }
    let want = step.want.map_or("any".to_owned(), |want| want.to_string());
    let url = format!("\"$TARGET\"{}", expression(&step.path));
    let _ = write!(out, "send {} {want} {url}", shell(&step.name()));
    let mut options: Vec<String> = Vec::new();
    match step.method.as_str() {
        "GET" if step.body == Body::None => {}
        "HEAD" => options.push("--head".to_owned()),
        method => options.push(format!("--request {}", shell(method))),
    }
    let fixed = step.set.and_then(|set| outline.headers.get(set)).into_iter().flatten();
    let has = |name: &str| {
        let in_set = step.set.and_then(|set| outline.headers.get(set)).into_iter().flatten();
        in_set
            .map(|(name, _)| name)
            .chain(step.headers.iter().map(|(name, _)| name))
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    for (name, value) in fixed {
        let line = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        options.push(format!("--header {}", shell(&line)));
    }
    for (name, text) in &step.headers {
        options.push(format!("--header {}", behind(&format!("{name}: "), text)));
    }
    for name in ["User-Agent", "Accept", "Accept-Encoding"].into_iter().filter(|name| !has(name)) {
        options.push(format!("--header {}", shell(&format!("{name}:"))));
    }
    for (name, text) in &step.cookies {
        options.push(format!("--cookie {}", behind(&format!("{name}="), text)));
    }
    if step.body != Body::None && !has("content-type") {
        options.push("--header Content-Type:".to_owned());
    }
    match &step.body {
        Body::None => {}
        Body::Text(text) => options.push(format!("--data-raw {}", expression(text))),
        Body::Form(form) => {
            for (name, text) in form {
                if name.is_empty() {
                    // curl takes what stands behind a bare '=' for a field without one.
                    options.push(format!("--data-raw =\"$(percent {})\"", expression(text)));
                    continue;
                }
                let name = percent::encode(name.as_bytes(), percent::form_safe, true);
                let name = format!("{}=", String::from_utf8_lossy(&name));
                options.push(format!("--data-urlencode {}", behind(&name, text)));
            }
        }
        Body::Binary(bytes) => {
            options.push(format!("--data-binary @<(base64 -d <<<{})", STANDARD.encode(bytes)));
        }
    }
    for option in &options {
        let _ = write!(out, " \\\n  {option}");
    }
    out.push('\n');
    for keep in &step.keeps {
        if let Some(found) = find(&keep.lookup) {
            let which = keep.which.unwrap_or(0);
            let _ = writeln!(out, "keep {} {which} < <({found})", shell(&keep.name));
            continue;
        }
        let note = format!("curl: '{}' is sent as recorded: the shell has no means to find it", keep.name);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

fn expression(text: &Text) -> String {
    let pieces: Vec<String> = text
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => shell(literal),
            Piece::Target => "\"$TARGET\"".to_owned(),
            Piece::Value(value) => format!("\"$({})\"", self::value(value)),
        })
        .collect();
    if pieces.is_empty() { "''".to_owned() } else { pieces.concat() }
}

/// The text with another before it, as one word.
fn behind(before: &str, text: &Text) -> String {
    let (first, rest) = match text.split_first() {
        Some((Piece::Literal(first), rest)) => (first.as_str(), rest),
        _ => ("", text.as_slice()),
    };
    let mut whole = vec![Piece::Literal(format!("{before}{first}"))];
    whole.extend_from_slice(rest);
    expression(&whole)
}

fn value(value: &Value) -> String {
    let recorded = value.recorded.as_deref().map(|recorded| format!(" {}", shell(recorded)));
    let recorded = recorded.unwrap_or_default();
    let call = match &value.origin {
        // Of several values the first is kept.
        Origin::Kept { name, .. } => format!("value {}{recorded}", shell(name)),
        Origin::Login { .. } if recorded.is_empty() => "printf ''".to_owned(),
        Origin::Login { .. } => format!("printf '%s'{recorded}"),
    };
    match value.encoding {
        Encoding::Percent | Encoding::FormPercent => format!("percent \"$({call})\""),
        Encoding::JsonString | Encoding::ScriptString => format!("in_json \"$({call})\""),
        Encoding::JsonNumber | Encoding::JsonLiteral => format!("as_json \"$({call})\""),
        _ => call,
    }
}

fn find(lookup: &Lookup) -> Option<String> {
    let named = |function: &str, name: &str| format!("{function} {}", shell(name));
    let url = |function: &str, pattern: &UrlPattern| format!("{function} {}", shell(&pattern.alone()));
    // Names that go into a pattern of sed and awk.
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    Some(match lookup {
        Lookup::Header { name } if plain(name) => named("header_values", name),
        Lookup::Cookie { name } if !name.contains('\\') => named("cookie_values", name),
        Lookup::Json { path, .. } => {
            let mut program = String::from(".");
            for step in path {
                match step {
                    JsonStep::Key(key) => {
                        let _ = write!(program, "[{}]?", serde_json::Value::from(key.as_str()));
                    }
                    JsonStep::Index(index) => {
                        let _ = write!(program, "[{index}]?");
                    }
                    JsonStep::Any => program.push_str("[]?"),
                }
            }
            named("json_values", &program)
        }
        Lookup::Control { name } => named("control_values", name),
        Lookup::Meta { name } => named("meta_values", name),
        Lookup::Attr { tag, attr } if plain(tag) && plain(attr) => {
            format!("attribute_values {} {}", shell(tag), shell(attr))
        }
        Lookup::Text { tag } if plain(tag.trim_start_matches('/')) => named("text_values", tag),
        Lookup::Link(pattern) => url("link_values", pattern),
        Lookup::Location(pattern) => url("location_values", pattern),
        Lookup::Script { key } => {
            let key = pattern(key);
            let text = format!(r#"(?:^|[^\w$]){key}["']?\]?\s*[=:(]\s*["']?\K[^"',;)\s}}]+"#);
            named("script_values", &text)
        }
        Lookup::Body => "body_values".to_owned(),
        _ => return None,
    })
}
