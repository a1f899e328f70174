//! `${…}` in the text of a hand-written step: what each stands for.

use mynah_message::Locator;

use super::script::{Injection, Portion, Source};
use crate::Error;

fn wrong(request: &str, message: impl Into<String>) -> Error {
    Error::syntax("step", request, message)
}

/// What stands between `${` and `}`: the name, and what is sent where it has no value.
fn with_default(inner: &str) -> (&str, Option<&str>) {
    match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    }
}

/// JSON with a value for each placeholder that stands outside of quotes, and those with their places.
pub(super) type Filled = (String, Vec<(usize, String)>);

/// Puts the default, or a zero, where a `${…}` stands outside of quotes in JSON, so that it is JSON: the text, and each
/// with its place.
pub(super) fn fill_bare(request: &str, json: &str) -> Result<Filled, Error> {
    let (mut out, mut bare) = (String::with_capacity(json.len()), Vec::new());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        if !quoted
            && rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            let begins = out.trim_end().ends_with([':', ',', '[']) || out.trim_end().is_empty();
            let after = rest[end + 1..].trim_start();
            if !begins || !(after.is_empty() || after.starts_with([',', ']', '}'])) {
                return Err(wrong(
                    request,
                    format!(
                        "'{}' outside of quotes is a whole value; put quotes around the text",
                        &rest[..=end]
                    ),
                ));
            }
            bare.push((out.len(), rest[..=end].to_owned()));
            out.push_str(with_default(&rest[2..end]).1.unwrap_or("0"));
            rest = &rest[end + 1..];
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    Ok((out, bare))
}

/// From a value that holds `${…}`, and the whole value where a default stands in for it.
pub(super) fn injection(
    request: &str,
    at: &Locator,
    text: &str,
) -> Result<(Injection, Option<String>), Error> {
    let mut portions = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("${") {
        if open > 0 {
            portions.push(Portion::Text(rest[..open].to_owned()));
        }
        let close = rest[open..]
            .find('}')
            .map(|end| open + end)
            .ok_or_else(|| wrong(request, format!("'{text}' has ${{ without }}")))?;
        let (name, default) = with_default(&rest[open + 2..close]);
        portions.push(Portion::Value { source: source(request, name)?, default: default.map(str::to_owned) });
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() {
        portions.push(Portion::Text(rest.to_owned()));
    }
    let (before, value, after) = match portions.as_slice() {
        [value @ Portion::Value { .. }] => ("", value, ""),
        [Portion::Text(before), value @ Portion::Value { .. }] => (before.as_str(), value, ""),
        [value @ Portion::Value { .. }, Portion::Text(after)] => ("", value, after.as_str()),
        [Portion::Text(before), value @ Portion::Value { .. }, Portion::Text(after)] => {
            (before.as_str(), value, after.as_str())
        }
        _ => {
            let source = Source::Joined { portions };
            return Ok((Injection { at: at.clone(), source, format: None, required: true }, None));
        }
    };
    let Portion::Value { source, default } = value else {
        return Err(wrong(request, format!("'{text}' has no ${{…}}")));
    };
    let format = (!before.is_empty() || !after.is_empty()).then(|| format!("{before}{{}}{after}"));
    let injection = Injection { at: at.clone(), source: source.clone(), format, required: default.is_none() };
    Ok((injection, default.as_ref().map(|default| format!("{before}{default}{after}"))))
}

/// What a placeholder's name means.
fn source(request: &str, name: &str) -> Result<Source, Error> {
    if let Some(column) = name.strip_prefix("identity.") {
        return Ok(Source::Identity { column: column.to_owned() });
    }
    if let Some(name) = name.strip_prefix("vary.") {
        return Ok(Source::Vary { name: name.to_owned() });
    }
    if let Some(name) = name.strip_prefix("data.") {
        let (set, column) = name
            .split_once('.')
            .ok_or_else(|| wrong(request, format!("'${{data.{name}}}': expected ${{data.SET.COLUMN}}")))?;
        return Ok(Source::Data { set: set.to_owned(), column: column.to_owned() });
    }
    let Some((name, index)) = name.strip_suffix(']').and_then(|inner| inner.split_once('[')) else {
        return Ok(Source::Correlation { name: name.to_owned(), index: 0 });
    };
    let index = index
        .parse()
        .map_err(|_| wrong(request, format!("'${{{name}[{index}]}}': the index must be a number")))?;
    Ok(Source::Correlation { name: name.to_owned(), index })
}
