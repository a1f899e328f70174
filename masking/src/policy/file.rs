//! `masking.toml`: read with the place of every word, so that an error names it.

use std::ops::Range;

use mynah_message::{Limits, Side};
use mynah_traffic::{nearest, units};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Policy;
use super::glob::Glob;
use super::place::{self, Where, meant};
use super::rule::{ACTIONS, Action, OwnRule};

/// Line and column, and what is wrong.
type Wrong = (Option<(usize, usize)>, String);

/// A span of the text, and what is wrong there.
type At = (Range<usize>, String);

/// More rules than a value's kind can tell apart.
const MOST: usize = 200;

/// Nobody nests deeper, and a message that does is made to waste time.
const DEEPEST: u8 = 16;

/// Reads a policy.
pub(super) fn parse(text: &str) -> Result<Policy, Wrong> {
    let table = DeTable::parse(text)
        .map_err(|error| (error.span().map(|span| position(text, span.start)), error.message().to_owned()))?;
    policy(table.get_ref()).map_err(|(span, message)| (Some(position(text, span.start)), message))
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

fn policy(table: &DeTable<'_>) -> Result<Policy, At> {
    let mut policy = Policy::built_in();
    let mut rules = Vec::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "extends" => match string(value, "extends")? {
                "built-in" => {}
                "none" => policy.built_in = false,
                other => {
                    let hint = meant(other, ["built-in", "none"]);
                    return Err((value.span(), format!("extends = \"{other}\" is not known{hint}")));
                }
            },
            "strict" => {
                policy.strict = value
                    .get_ref()
                    .as_bool()
                    .ok_or_else(|| (value.span(), "strict: expected true or false".to_owned()))?;
            }
            "k" => {
                let k = integer(value, "k", 2, 1000)?;
                policy.k = Some(k as u32);
            }
            "limits" => limits(value, &mut policy)?,
            "rule" => {
                let array = value.get_ref().as_array().ok_or_else(|| {
                    (value.span(), "expected [[rule]] with two brackets: there may be several".to_owned())
                })?;
                for each in array {
                    rules.push(rule(each)?);
                    if rules.len() > MOST {
                        return Err((
                            each.span(),
                            format!("expected at most {MOST} rules; one may have a list in its where"),
                        ));
                    }
                }
            }
            other => return Err(unknown(key.span(), other, &["extends", "strict", "k", "limits", "rule"])),
        }
    }
    policy.own = rules.into();
    Ok(policy.indexed(|_| true))
}

fn limits(value: &Spanned<DeValue<'_>>, policy: &mut Policy) -> Result<(), At> {
    let table = value
        .get_ref()
        .as_table()
        .ok_or_else(|| (value.span(), "expected [limits] with depth, ratio or decoded in it".to_owned()))?;
    let default = Limits::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "depth" => policy.depth = integer(value, "depth", 0, u64::from(DEEPEST))? as u8,
            "ratio" => policy.limits.ratio = integer(value, "ratio", 1, 100_000)?,
            "decoded" => {
                let text = string(value, "decoded")?;
                policy.limits.decoded_bytes =
                    units::parse_size(text).map_err(|error| (value.span(), error.to_string()))?;
            }
            other => return Err(unknown(key.span(), other, &["depth", "ratio", "decoded"])),
        }
    }
    policy.limits.json_depth = default.json_depth;
    Ok(())
}

const KEYS: [&str; 8] = ["name", "where", "in", "host", "path", "what", "value", "as"];

fn rule(value: &Spanned<DeValue<'_>>) -> Result<OwnRule, At> {
    let table = value
        .get_ref()
        .as_table()
        .ok_or_else(|| (value.span(), "expected [[rule]] with two brackets".to_owned()))?;
    let mut rule = OwnRule {
        label: String::new(),
        places: Vec::new(),
        texts: Vec::new(),
        side: None,
        host: None,
        path: None,
        action: Action::Token,
        counts_as: None,
    };
    let mut what = None;
    let mut constant = None;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => string(value, "name")?.clone_into(&mut rule.label),
            "where" => {
                let list = match value.get_ref() {
                    DeValue::Array(list) => list.iter().collect(),
                    _ => vec![value],
                };
                for item in list {
                    let text = string(item, "where")?;
                    rule.places.push(Where::parse(text).map_err(|why| (item.span(), why))?);
                    rule.texts.push(text.to_owned());
                }
            }
            "in" => {
                rule.side = Some(match string(value, "in")? {
                    "request" => Side::Request,
                    "response" => Side::Response,
                    other => {
                        let hint = meant(other, ["request", "response"]);
                        return Err((value.span(), format!("in = \"{other}\" is not known{hint}")));
                    }
                });
            }
            "host" => rule.host = Some(Glob::folded(string(value, "host")?)),
            "path" => {
                let text = string(value, "path")?;
                if !text.starts_with(['/', '*']) {
                    let message = format!("path = \"{text}\": expected a path such as /v1/*");
                    return Err((value.span(), message));
                }
                rule.path = Some(Glob::exact(text));
            }
            "what" => {
                let text = string(value, "what")?;
                let action = Action::from_name(text).ok_or_else(|| {
                    (value.span(), format!("what = \"{text}\" is no action{}", meant(text, ACTIONS)))
                })?;
                what = Some((action, value.span()));
            }
            "value" => constant = Some((string(value, "value")?.to_owned(), value.span())),
            "as" => {
                let kind =
                    place::kind(string(value, "as")?).map_err(|why| (value.span(), format!("as: {why}")))?;
                rule.counts_as = Some(kind);
            }
            other => return Err(unknown(key.span(), other, &KEYS)),
        }
    }
    if rule.places.is_empty() {
        return Err((
            value.span(),
            "the rule has no where: say what it is about, such as where = \"header:X-Ref\"".into(),
        ));
    }
    if rule.label.is_empty() {
        rule.label = rule.texts.join(", ");
    }
    rule.action = match (what, constant) {
        (Some((Action::Constant(_), _)), Some((text, _))) => Action::Constant(text),
        (Some((Action::Constant(_), span)), None) => {
            return Err((span, "what = \"constant\" wants a value, such as value = \"REDACTED\"".into()));
        }
        (_, Some((_, span))) => {
            return Err((span, "value is for what = \"constant\" only".into()));
        }
        (Some((action, _)), None) => action,
        // A kind alone says how its values are written.
        (None, None) => rule.counts_as.map_or(Action::Token, Action::As),
    };
    Ok(rule)
}

fn string<'v>(value: &'v Spanned<DeValue<'_>>, key: &str) -> Result<&'v str, At> {
    value.get_ref().as_str().ok_or_else(|| (value.span(), format!("{key}: expected a text in quotes")))
}

fn integer(value: &Spanned<DeValue<'_>>, key: &str, least: u64, most: u64) -> Result<u64, At> {
    let number = value
        .get_ref()
        .as_integer()
        .and_then(|integer| u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| (value.span(), format!("{key}: expected a number from {least} to {most}")))
}

fn unknown(span: Range<usize>, key: &str, known: &[&str]) -> At {
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => format!("; known here: {}", known.join(", ")),
    };
    (span, format!("unknown key '{key}'{hint}"))
}
