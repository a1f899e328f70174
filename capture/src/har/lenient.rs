//! JSON as its writers mean it: numbers in strings, `null` for what is absent, half of a surrogate pair.

use serde_json::Value;

/// Reads the JSON of an entry. Lone surrogates, which browsers write for text that is none, become U+FFFD.
pub(super) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&without_lone_surrogates(text)).ok())
}

fn without_lone_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let second = escape.get(6..).and_then(unit);
        let length = match (unit(escape), second) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A member as text; numbers and booleans are written out.
pub(super) fn text(of: &Value, key: &str) -> Option<String> {
    match of.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A member as a number, also when it is one in a string.
pub(super) fn number(of: &Value, key: &str) -> Option<f64> {
    match of.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

/// A member as a number that is not negative: `-1` says that it is not known.
pub(super) fn known(of: &Value, key: &str) -> Option<f64> {
    number(of, key).filter(|number| *number >= 0.0)
}

/// The elements of a member that is an array; none when it is something else.
pub(super) fn array<'v>(of: &'v Value, key: &str) -> &'v [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `name` and `value` of the elements of a member.
pub(super) fn pairs(of: &Value, key: &str) -> Vec<(String, String)> {
    array(of, key)
        .iter()
        .filter_map(|pair| Some((text(pair, "name")?, text(pair, "value").unwrap_or_default())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_do_not_cost_the_entry() {
        let value = parse(r#"{"a":"\ud83d\ude00 \ud83d x \\ud83d \n \udc00\u00e9"}"#).unwrap();
        assert_eq!(value["a"], "😀 \u{fffd} x \\ud83d \n \u{fffd}é");
        assert!(parse("{").is_none());
    }

    #[test]
    fn numbers_as_strings() {
        let value = parse(r#"{"a":"12.5","b":-1,"c":null,"d":7}"#).unwrap();
        assert_eq!(known(&value, "a"), Some(12.5));
        assert_eq!(known(&value, "b"), None);
        assert_eq!(known(&value, "c"), None);
        assert_eq!(text(&value, "d").as_deref(), Some("7"));
    }

    proptest::proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = parse(&text);
            let _ = without_lone_surrogates(&text);
        }
    }
}
