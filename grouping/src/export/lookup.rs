//! Where a value is found in a response, free of any language.

use mynah_message::locator::Step;
use mynah_message::{Locator, Nth};

use super::text::pattern;

/// What looks a value up.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lookup {
    Header {
        name: String,
    },
    Cookie {
        name: String,
    },
    /// `document`: which of several in the body; `None`: all.
    Json {
        document: Option<usize>,
        path: Vec<JsonStep>,
    },
    Control {
        name: String,
    },
    Meta {
        name: String,
    },
    Attr {
        tag: String,
        attr: String,
    },
    /// In links of a page.
    Link(UrlPattern),
    /// In the `Location` field.
    Location(UrlPattern),
    Script {
        key: String,
    },
    Text {
        tag: String,
    },
    Xml {
        path: String,
    },
    Body,
}

/// A regular expression over whole URLs: what stands before the value, the value, what stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UrlPattern {
    before: String,
    value: &'static str,
    after: &'static str,
    rest: String,
    /// The value stands in the query.
    pub(super) query: bool,
}

impl UrlPattern {
    /// With the value as its one group.
    pub(super) fn grouped(&self) -> String {
        format!("{}({}){}{}", self.before, self.value, self.rest, self.after)
    }

    /// For Perl's expressions: what fits is the value alone.
    pub(super) fn alone(&self) -> String {
        format!("{}\\K{}(?={}{})", self.before, self.value, self.rest, self.after)
    }
}

/// One step into a JSON document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JsonStep {
    Key(String),
    Index(usize),
    Any,
}

/// The lookup, and which of the values that it finds; `None`: all.
pub(super) fn lookup(at: &Locator) -> Option<(Lookup, Option<usize>)> {
    let which = match at.nth() {
        Some(Nth::Index(index)) => Some(index),
        _ => None,
    };
    let lookup = match at {
        Locator::Header { name, .. } => Lookup::Header { name: name.clone() },
        Locator::Cookie { name } => Lookup::Cookie { name: name.clone() },
        Locator::Json { path } => {
            let root = path.as_str().trim_start_matches('$');
            let number: String = root.chars().take_while(char::is_ascii_digit).collect();
            let document = if root.starts_with('*') { None } else { Some(number.parse().unwrap_or(0)) };
            let steps = path.steps().map(|step| match step {
                Step::Key(key) => JsonStep::Key(key.into_owned()),
                Step::Index(index) => JsonStep::Index(index),
                Step::AnyIndex => JsonStep::Any,
            });
            Lookup::Json { document, path: steps.collect() }
        }
        Locator::Input { name, .. } => Lookup::Control { name: name.clone() },
        Locator::Meta { name } => Lookup::Meta { name: name.clone() },
        Locator::Attr { tag, attr, .. } => Lookup::Attr { tag: tag.clone(), attr: attr.clone() },
        Locator::Link { pattern, .. } => Lookup::Link(url_pattern(pattern)),
        Locator::Location { pattern } => Lookup::Location(url_pattern(pattern)),
        Locator::Script { key, .. } if !key.is_empty() => Lookup::Script { key: key.clone() },
        Locator::Text { tag, .. } => Lookup::Text { tag: tag.clone() },
        Locator::Xml { path, .. } => Lookup::Xml { path: path.clone() },
        Locator::Body => Lookup::Body,
        _ => return None,
    };
    Some((lookup, which))
}

/// `/orders/{}/lines/*` as a regular expression over URLs, absolute or not.
fn url_pattern(template: &str) -> UrlPattern {
    let any_site = "^(?:(?:[a-zA-Z]+:)?//[^/?#]*)?";
    let path_of = |path: &str| {
        let segments = path.split('/').map(|segment| match segment {
            "*" => "[^/?#]+".to_owned(),
            text => pattern(text),
        });
        segments.collect::<Vec<_>>().join("/")
    };
    if let Some((path, query)) = template.split_once('?') {
        let name = query.strip_suffix("{}").unwrap_or(query);
        let before = format!("{any_site}{}\\?(?:[^#]*&)?{}", path_of(path), pattern(name));
        return UrlPattern { before, value: "[^&#]*", after: "", rest: String::new(), query: true };
    }
    let (before, after) = template.split_once("{}").unwrap_or((template, ""));
    UrlPattern {
        before: format!("{any_site}{}", path_of(before)),
        value: "[^/?#]+",
        rest: path_of(after),
        after: "(?:[?#].*)?$",
        query: false,
    }
}

/// A key's pattern in a script: what stands at `key = "…"`, `key: "…"` and `key("…")`, as text or as a number.
pub(super) fn script_pattern(key: &str) -> String {
    format!(
        r#"(?:^|[^\w$]){}["']?\]?\s*[=:(]\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(-?\d[\w.]*))"#,
        pattern(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups() {
        let of = |at: &str| lookup(&at.parse().unwrap()).unwrap();
        assert_eq!(of("input:csrf#*"), (Lookup::Control { name: "csrf".to_owned() }, None));
        assert_eq!(of("header:X-T"), (Lookup::Header { name: "X-T".to_owned() }, Some(0)));
        assert_eq!(
            of("json:$1.items[*]['a b'][2]"),
            (
                Lookup::Json {
                    document: Some(1),
                    path: vec![
                        JsonStep::Key("items".to_owned()),
                        JsonStep::Any,
                        JsonStep::Key("a b".to_owned()),
                        JsonStep::Index(2)
                    ]
                },
                None
            )
        );
        assert_eq!(lookup(&"form:a".parse().unwrap()), None, "no response holds one");
    }

    #[test]
    fn patterns_of_urls() {
        let fits = |template: &str, url: &str| {
            let regex = regex::Regex::new(&url_pattern(template).grouped()).unwrap();
            regex.captures(url).map(|found| found[1].to_owned())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(fits("/items/{}", "/items/77"), some("77"));
        assert_eq!(fits("/items/{}", "https://a.example/items/77?x=1#y"), some("77"));
        assert_eq!(fits("/items/{}", "/items/77/more"), None);
        assert_eq!(fits("/o/*/l/{}", "/o/9/l/abc"), some("abc"));
        assert_eq!(fits("/search?cursor={}", "/search?a=1&cursor=zz&b=2"), some("zz"));
        assert_eq!(fits("/search?cursor={}", "/search?acursor=zz"), None);
        assert_eq!(fits("{}", "next"), some("next"));
    }
}
