//! `[variables]`: texts that stand in a scenario as `${var.NAME}`, wherever it has text, and that a flag may replace.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use toml::{Table, Value};

use crate::nearest;

/// What is said outside of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Flags: each must be a variable of the scenario or of a file that it uses.
    pub flags: Vec<(String, String)>,
    /// The environment: names without regard to case, `_` for `-`; what is no variable says nothing.
    pub environment: Vec<(String, String)>,
}

impl Overrides {
    fn of(&self, name: &str) -> Option<&str> {
        let same = |known: &str| known.eq_ignore_ascii_case(&name.replace('-', "_"));
        let flag = self.flags.iter().rev().find(|(known, _)| known == name);
        flag.or_else(|| self.environment.iter().find(|(known, _)| same(known)))
            .map(|(_, value)| value.as_str())
    }
}

/// The variables of one file, by name.
pub(super) type Variables = BTreeMap<String, String>;

const OPEN: &str = "${var.";

/// The file's variables, each put in where a later one names it.
pub(super) fn of(table: &Table, overrides: &Overrides) -> Result<Variables, String> {
    let mut variables = Variables::new();
    let Some(section) = table.get("variables") else { return Ok(variables) };
    let section = section.as_table().ok_or("[variables] is a table of names and texts")?;
    for (name, value) in section {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err(format!("[variables] '{name}': letters, digits, '_' and '-' make a name"));
        }
        let text = match (overrides.of(name), value) {
            (Some(said), _) => said.to_owned(),
            (None, Value::String(text)) => put_in(text, &variables).map_err(|(why, _)| why)?,
            (None, Value::Integer(number)) => number.to_string(),
            (None, Value::Float(number)) => number.to_string(),
            (None, Value::Boolean(truth)) => truth.to_string(),
            (None, _) => return Err(format!("[variables] {name}: expected a text or a number")),
        };
        match variables.entry(name.clone()) {
            Entry::Vacant(entry) => entry.insert(text),
            Entry::Occupied(_) => return Err(format!("[variables] {name} is there twice")),
        };
    }
    Ok(variables)
}

/// What is wrong, in words; and the text of the file that is.
type Wrong = (String, String);

/// The text with its variables put in.
fn put_in(text: &str, variables: &Variables) -> Result<String, Wrong> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.push_str(&rest[..at]);
        let inner = &rest[at + OPEN.len()..];
        let end =
            inner.find('}').ok_or_else(|| (format!("'{text}' has ${{ without }}"), rest[at..].to_owned()))?;
        let (name, default) = match inner[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let value = variables.get(name).map(String::as_str).or(default).ok_or_else(|| {
            let hint = nearest(name, variables.keys().map(String::as_str))
                .map(|meant| format!("; did you mean '${{var.{meant}}}'?"))
                .unwrap_or_default();
            let why = format!("'{text}': there is no '{name}' in [variables] (before it){hint}");
            (why, format!("{OPEN}{name}}}"))
        })?;
        out.push_str(value);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Puts variables in everywhere but in `[variables]`; whether there was any place for one.
pub(super) fn put_in_all(table: &mut Table, variables: &Variables) -> Result<bool, Wrong> {
    fn walk(value: &mut Value, variables: &Variables) -> Result<bool, Wrong> {
        match value {
            Value::String(text) if text.contains(OPEN) => {
                *text = put_in(text, variables)?;
                Ok(true)
            }
            Value::Array(all) => all.iter_mut().try_fold(false, |any, one| Ok(walk(one, variables)? | any)),
            Value::Table(all) => {
                all.iter_mut().try_fold(false, |any, (_, one)| Ok(walk(one, variables)? | any))
            }
            _ => Ok(false),
        }
    }
    let others = table.iter_mut().filter(|(name, _)| *name != "variables");
    others.map(|(_, value)| walk(value, variables)).try_fold(false, |any, found| Ok(found? | any))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, overrides: &Overrides) -> Result<String, String> {
        let mut table: Table = text.parse().unwrap();
        let variables = of(&table, overrides)?;
        put_in_all(&mut table, &variables).map_err(|(why, _)| why)?;
        Ok(table["x"].to_string())
    }

    #[test]
    fn variables_are_put_in_and_replaced() {
        let text = "x = [\"${var.api}/a?n=${var.n}\", { y = \"${var.none:-d}${csrf}\" }]\n[variables]\nbase = \"/v2\"\napi = \"${var.base}/api\"\nn = 7\n";
        assert_eq!(put(text, &Overrides::default()).unwrap(), "[\"/v2/api/a?n=7\", { y = \"d${csrf}\" }]");
        let overrides = Overrides {
            flags: vec![("base".into(), "/v3".into())],
            environment: vec![
                ("BASE".into(), "/v4".into()),
                ("N".into(), "8".into()),
                ("OTHER".into(), "1".into()),
            ],
        };
        assert_eq!(put(text, &overrides).unwrap(), "[\"/v3/api/a?n=8\", { y = \"d${csrf}\" }]");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("x = \"${var.bse}\"\n[variables]\nbase = \"/v2\"\n", "did you mean '${var.base}'?"),
            ("x = \"${var.base\"\n[variables]\nbase = \"/v2\"\n", "without }"),
            ("x = 1\n[variables]\nbase = []\n", "expected a text or a number"),
            ("x = 1\nvariables = 3\n", "is a table"),
            ("x = 1\n[variables]\n\"a.b\" = 1\n", "make a name"),
        ] {
            let said = put(text, &Overrides::default()).unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
