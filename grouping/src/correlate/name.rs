//! What a correlation is called: by the field that sends the value back, else by the one that hands it out.

use mynah_message::{Locator, locator::Step};
use mynah_traffic::Site as Place;
use mynah_traffic::endpoint::Segment;

use super::sample::Consumer;
use crate::endpoints::{Table, singular};

/// Names that say nothing by themselves.
const BARE: [&str; 10] =
    ["id", "token", "value", "key", "code", "data", "uuid", "slug", "hash", "authorization"];

/// The name of a field, in snake case; `None` for places without one.
pub(super) fn field(at: &Locator) -> Option<String> {
    let text = match at {
        Locator::Form { name, .. }
        | Locator::Query { name, .. }
        | Locator::Multipart { name, .. }
        | Locator::Input { name, .. }
        | Locator::Meta { name }
        | Locator::Cookie { name } => name.clone(),
        Locator::Header { name, .. } => {
            let bare = name.get(..2).filter(|start| start.eq_ignore_ascii_case("x-")).and(name.get(2..));
            bare.unwrap_or(name).to_owned()
        }
        Locator::Script { key, .. } => key.clone(),
        Locator::Attr { attr, .. } => attr.strip_prefix("data-").unwrap_or(attr).to_owned(),
        Locator::Json { path } => path.steps().filter_map(key).last()?,
        Locator::Xml { path, .. } => path.rsplit(['/', '@']).next()?.to_owned(),
        Locator::Link { pattern, .. } | Locator::Location { pattern } => linked(pattern)?,
        _ => return None,
    };
    let name = snake(&text);
    let name = match name.strip_suffix("_token") {
        Some(stem @ ("csrf" | "xsrf")) => stem.to_owned(),
        _ => name,
    };
    (!name.is_empty()).then_some(name)
}

fn key(step: Step<'_>) -> Option<String> {
    match step {
        Step::Key(key) => Some(key.into_owned()),
        _ => None,
    }
}

/// `/items/{}` → `item_id`, `/checkout?basket={}` → `basket`.
fn linked(pattern: &str) -> Option<String> {
    let before = pattern.split("{}").next()?;
    if let Some((_, pair)) = before.rsplit_once(['?', '&']) {
        return pair.strip_suffix('=').map(str::to_owned);
    }
    let word = before.trim_end_matches('/').rsplit('/').next()?;
    (!word.is_empty() && word != "*").then(|| format!("{}_id", singular(word)))
}

/// `apiToken`, `API-Token`, `api.token` → `api_token`.
fn snake(text: &str) -> String {
    let mut out = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower_before {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
            lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        } else {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            lower_before = false;
        }
    }
    out.trim_matches('_').to_owned()
}

/// Whether a name says more than another.
pub(super) fn is_better(one: &str, than: &str) -> bool {
    let rank = |name: &str| (BARE.contains(&name), name.ends_with("_2"), name.len());
    rank(one) < rank(than)
}

/// The name for what is sent at this place.
pub(super) fn of(consumer: &Consumer, from: &[Place], table: &Table) -> String {
    let endpoint = table.endpoints.get(consumer.endpoint as usize);
    let segments = endpoint.map(|endpoint| endpoint.template.segments()).unwrap_or_default();
    let word_before = |end: usize| {
        segments.iter().take(end).rev().find_map(|segment| match segment {
            Segment::Literal(word) if !word.is_empty() => Some(singular(word)),
            _ => None,
        })
    };
    let own = match &consumer.at {
        Locator::PathSegment { index } => {
            let kind = match segments.get(*index) {
                Some(Segment::Any(name)) if name.ends_with("slug") || name == "name" => "slug",
                _ => "id",
            };
            word_before(*index).map(|word| format!("{word}_{kind}"))
        }
        other => field(other),
    };
    let handed = from.first().and_then(|place| field(&place.at));
    let chosen = match (own, handed) {
        (Some(own), Some(handed)) if BARE.contains(&own.as_str()) && !BARE.contains(&handed.as_str()) => {
            handed
        }
        (Some(own), _) => own,
        (None, Some(handed)) => handed,
        (None, None) => "value".to_owned(),
    };
    if !BARE.contains(&chosen.as_str()) {
        return chosen;
    }
    match word_before(segments.len()) {
        Some(word) => format!("{word}_{chosen}"),
        None => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (locator, wanted) in [
            ("header:X-CSRF-Token", Some("csrf")),
            ("script:apiToken#*", Some("api_token")),
            ("json:$.items[*].id", Some("id")),
            ("link:/items/{}#*", Some("item_id")),
            ("link:/checkout?basket={}", Some("basket")),
            ("location:/orders/{}", Some("order_id")),
            ("attr:code@data-code", Some("code")),
            ("form:basketId", Some("basket_id")),
            ("body", None),
        ] {
            assert_eq!(field(&locator.parse().unwrap()).as_deref(), wanted, "{locator}");
        }
    }
}
