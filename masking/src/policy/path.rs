//! JSON paths of rules: a [`JsonPath`] with `*` in keys and `..` for any depth, which takes in all that is below it.

use mynah_message::json::path::Step as Found;
use mynah_message::{JsonPath, json};

use super::glob::Glob;

/// `$.customer.ref`, `$.items[*].id`, `$..email`, `$.meta.x_*`, `$['a b']`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PathPattern(Vec<Step>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(Glob),
    Index(usize),
    AnyIndex,
    /// Any number of levels, none too.
    Deep,
}

const EXPECTED: &str = "a JSON path, such as $.items[*].id, $.customer.*_ref, $..email or $['a b']";

impl PathPattern {
    /// Reads the text form. A leading `$` stands for every document in the body.
    pub(crate) fn parse(text: &str) -> Result<PathPattern, String> {
        let wrong = || format!("expected {EXPECTED}");
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                steps.push(Step::Deep);
                // A key or a bracket must follow.
                rest = after;
                if !rest.starts_with('[') {
                    rest = key(rest, &mut steps).ok_or_else(wrong)?;
                }
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = key(after, &mut steps).ok_or_else(wrong)?;
            } else if let Some(after) = rest.strip_prefix("['") {
                let (name, after) = after.split_once("']").ok_or_else(wrong)?;
                steps.push(Step::Key(Glob::exact(&name.replace("\\'", "'").replace("\\\\", "\\"))));
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']').ok_or_else(wrong)?;
                steps.push(match index {
                    "*" => Step::AnyIndex,
                    index => Step::Index(index.parse().map_err(|_| wrong())?),
                });
                rest = after;
            } else {
                return Err(wrong());
            }
        }
        Ok(PathPattern(steps))
    }

    /// A GraphQL variable of that name, at any depth of the variables of one request or of several in a batch.
    pub(crate) fn variable(name: &str) -> Result<PathPattern, String> {
        let below = PathPattern::parse(&format!("$..{name}"))?;
        let mut steps = vec![Step::Key(Glob::exact("variables"))];
        steps.extend(below.0);
        Ok(PathPattern(steps))
    }

    /// Whether it takes in the value at that canonical path: it names it, or what it is in.
    pub(crate) fn covers(&self, path: &str) -> bool {
        path.parse::<JsonPath>().is_ok_and(|path| covers(&self.0, &path.steps().collect::<Vec<_>>()))
    }

    /// The same for a variable's pattern: the request may stand in an array of them.
    pub(crate) fn covers_variable(&self, path: &str) -> bool {
        let Ok(path) = path.parse::<JsonPath>() else { return false };
        let steps: Vec<_> = path.steps().collect();
        let from = usize::from(matches!(steps.first(), Some(Found::Index(_))));
        covers(&self.0, steps.get(from..).unwrap_or_default())
    }
}

fn key<'t>(text: &'t str, steps: &mut Vec<Step>) -> Option<&'t str> {
    let len = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(len);
    let named = !name.is_empty() && !name.contains([']', '\'', ' ']);
    steps.push(Step::Key(Glob::exact(name)));
    named.then_some(rest)
}

fn covers(pattern: &[Step], path: &[Found<'_>]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if *first == Step::Deep {
        return (0..=path.len()).any(|from| covers(rest, path.get(from..).unwrap_or_default()));
    }
    let Some((step, below)) = path.split_first() else { return false };
    let fit = match (first, step) {
        (Step::Key(glob), Found::Key(name)) => glob.fits(name),
        (Step::Index(wanted), Found::Index(index)) => wanted == index,
        (Step::AnyIndex, Found::Index(_)) => true,
        _ => false,
    };
    fit && covers(rest, below)
}

/// Whether a JSON body is a GraphQL request, or a batch of them: it has a query, or the name or hash of a stored one.
pub(crate) fn is_graphql(body: &[u8]) -> bool {
    let mut seen = false;
    let _ = json::scan(body, 16, &mut |found| {
        let path = found.path.trim_start_matches('$');
        let path = match path.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or(path, |(_, rest)| rest),
            None => path,
        };
        seen |= matches!(path, ".query" | ".operationName") && found.kind == json::Kind::String
            || path.starts_with(".extensions.persistedQuery.");
        if seen { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_in_what_they_name_and_what_is_below() {
        for (pattern, path, fit) in [
            ("$.customer.ref", "$.customer.ref", true),
            ("$.customer", "$.customer.ref", true),
            ("$.customer.ref", "$.customer", false),
            ("$.customer.ref", "$1.customer.ref", true),
            ("$.items[*].id", "$.items[3].id", true),
            ("$.items[2].id", "$.items[3].id", false),
            ("$..email", "$.a[1].b.email", true),
            ("$..email", "$.email", true),
            ("$..email", "$.emails", false),
            ("$.meta.x_*", "$.meta.x_ref", true),
            ("$['a b']", "$['a b'].c", true),
            ("$", "$.anything", true),
        ] {
            assert_eq!(PathPattern::parse(pattern).unwrap().covers(path), fit, "{pattern} {path}");
        }
        for wrong in ["customer", "$.", "$.a[", "$.a[x]", "$x", "$.a b", "$['a"] {
            assert!(PathPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn graphql_is_told_by_its_query() {
        assert!(is_graphql(br#"{"query":"{a}","variables":{"email":"x"}}"#));
        assert!(is_graphql(br#"[{"variables":{},"operationName":"A"}]"#));
        assert!(!is_graphql(br#"{"variables":{"email":"x"}}"#) && !is_graphql(b"no"));
        let email = PathPattern::variable("email").unwrap();
        assert!(
            email.covers_variable("$.variables.input.email") && email.covers_variable("$[2].variables.email")
        );
        assert!(!email.covers_variable("$.email"));
    }
}
