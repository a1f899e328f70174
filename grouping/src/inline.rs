//! Steps written out in the scenario file, so that a small one is readable and editable as a whole.

use mynah_message::{BodyKind, Edit, Encoding, Locator, View, patch};
use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Injection, InlineStep, SessionScript, Source, Step};
use mynah_traffic::units::format_duration;

use crate::correlate::open_view;

/// The session's steps as text, or `None` when one of them cannot be written so that the same is sent.
/// `host` is the one that goes without saying.
pub(crate) fn steps(script: &SessionScript, host: Option<&str>) -> Option<Vec<InlineStep>> {
    let mut inline = Vec::with_capacity(script.steps.len());
    // Inline steps follow one another: where a browser had several requests under way, they come one by one.
    let mut ended = Nanos(0);
    let mut ends: Vec<Nanos> = Vec::new();
    for step in &script.steps {
        let base = step.waits_for.and_then(|before| ends.get(before as usize)).copied().unwrap_or_default();
        let start = base.plus(step.think);
        let written = write(step, host, start.since(ended))?;
        inline.push(written);
        ended = ended.max(start);
        ends.push(start);
    }
    Some(inline)
}

/// The `${…}` that stands for an injection, and whether the recorded value is in it as the default.
///
/// Log-ins and places in the path have one: without a CSV, or where the page that hands the value out has changed, what
/// was recorded may still be right. A stale token never is.
fn placeholder(injection: &Injection, recorded: &str) -> Option<(String, bool)> {
    let name = match &injection.source {
        Source::Correlation { name, index: 0 } => name.clone(),
        Source::Correlation { name, index } => format!("{name}[{index}]"),
        Source::Identity { column } => format!("identity.{column}"),
        Source::Vary { name } => format!("vary.{name}"),
        // Nothing recorded has these.
        Source::Data { .. } | Source::Joined { .. } => return None,
    };
    let (before, after) =
        injection.format.as_deref().and_then(|format| format.split_once("{}")).unwrap_or_default();
    let keeps = matches!(injection.source, Source::Identity { .. })
        || matches!(injection.at, Locator::PathSegment { .. });
    let value = if keeps {
        let recorded = recorded.strip_prefix(before)?.strip_suffix(after)?;
        // A bracket would end the placeholder too early: such a step is not written inline.
        if recorded.contains('}') {
            return None;
        }
        format!("${{{name}:-{recorded}}}")
    } else {
        format!("${{{name}}}")
    };
    Some((format!("{before}{value}{after}"), keeps))
}

fn write(step: &Step, host: Option<&str>, think: Nanos) -> Option<InlineStep> {
    let view = open_view(&step.request)?;
    let mut edits: Vec<Edit> = Vec::new();
    // What is read back has the default, or a zero where a number's placeholder stood bare.
    let mut filled: Vec<Edit> = Vec::new();
    for injection in &step.injections {
        let leaf = view.find(&injection.at).into_iter().next()?;
        let (text, has_default) = placeholder(injection, leaf.text()?)?;
        let text = text.into_bytes();
        // Bare where percent signs would make it unreadable, and where quotes would make a number a string.
        let number = leaf.encoding == Encoding::JsonNumber;
        let plain = number || matches!(leaf.locator, Locator::PathSegment { .. } | Locator::Query { .. });
        let edit = if plain {
            Edit { part: leaf.part, span: leaf.span.clone(), bytes: text }
        } else {
            leaf.edit(&text)
        };
        match (has_default, number) {
            (true, _) => {}
            (false, true) => filled.push(leaf.edit(b"0")),
            (false, false) => filled.push(edit.clone()),
        }
        edits.push(edit);
    }
    let filled = patch(&view, filled).ok()?;
    let patched = patch(&view, edits).ok()?;
    let view = open_view(&patched)?;
    let head = view.head();
    let (method, target) = (head.method()?, head.target()?);
    let path = match target.find("://") {
        Some(scheme) => target[scheme + 3..].find('/').map_or("/", |slash| &target[scheme + 3 + slash..]),
        None => target,
    };
    let request = match host {
        Some(own) if own == step.host => format!("{method} {path}"),
        _ => format!("{method} {}://{}{path}", step.scheme.as_str(), step.host),
    };
    let mut headers = toml::Table::new();
    for field in head.fields() {
        let (name, value) = (field.name, field.text()?);
        let implied = field.is("host") || field.is("content-length");
        let form_type = field.is("content-type")
            && *view.kind() == BodyKind::Form
            && value.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if implied || form_type {
            continue;
        }
        if name.is_empty() || headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        headers.insert(name.to_owned(), toml::Value::String(value.to_owned()));
    }
    let body = std::str::from_utf8(&patched.body).ok()?;
    let mut inline = InlineStep {
        request,
        think: (think.0 > 0).then(|| format_duration(think)),
        headers,
        expect: step.expect.status,
        expect_type: step.expect.content_type.clone(),
        ..InlineStep::default()
    };
    match view.kind() {
        _ if body.is_empty() => {}
        BodyKind::Form => inline.form = Some(form(&view)?),
        BodyKind::Json if has(&inline, "content-type") => inline.json = Some(body.to_owned()),
        _ => inline.body = Some(body.to_owned()),
    }
    is_same(&inline, step, &filled).then_some(inline)
}

fn has(inline: &InlineStep, name: &str) -> bool {
    inline.headers.keys().any(|known| known.eq_ignore_ascii_case(name))
}

fn form(view: &View<'_>) -> Option<toml::Table> {
    let mut table = toml::Table::new();
    let mut fine = true;
    view.leaves(&mut |leaf| {
        if let Locator::Form { name, .. } = &leaf.locator {
            let value = leaf.text().filter(|_| !name.is_empty() && !table.contains_key(name));
            match value {
                Some(value) => {
                    table.insert(name.clone(), toml::Value::String(value.to_owned()));
                }
                None => fine = false,
            }
        }
    });
    fine.then_some(table)
}

/// Reads the step back as replay does and compares: same target, same values in the body, same injections.
fn is_same(inline: &InlineStep, step: &Step, filled: &mynah_message::Message) -> bool {
    let Ok(back) = inline.to_step(step.endpoint, &step.host, None) else { return false };
    let injections = |step: &Step| {
        let mut all: Vec<String> = step
            .injections
            .iter()
            .map(|one| format!("{} {:?} {:?}", one.at, one.source, one.format))
            .collect();
        all.sort();
        all
    };
    let values = |message: &mynah_message::Message| {
        let mut all: Vec<String> = Vec::new();
        if let Some(view) = open_view(message) {
            view.leaves(&mut |leaf| {
                let implied = match &leaf.locator {
                    Locator::Header { name, .. } => ["host", "content-length", "content-type"]
                        .iter()
                        .any(|known| name.eq_ignore_ascii_case(known)),
                    _ => false,
                };
                if !implied {
                    all.push(format!("{} {}", leaf.locator, String::from_utf8_lossy(&leaf.value)));
                }
            });
        }
        all.sort();
        all
    };
    injections(&back) == injections(step) && values(&back.request) == values(filled)
}
