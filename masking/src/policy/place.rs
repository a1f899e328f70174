//! The `where` of a rule: its text form, and whether a value stands there.

use std::sync::Arc;

use mynah_message::{Locator, Nth};
use mynah_traffic::nearest;
use regex::bytes::Regex;

use super::glob::Glob;
use super::path::PathPattern;
use crate::detect::Detectors;
use crate::kind::Kind;
use crate::names;

/// Where a rule acts.
#[derive(Clone, Debug)]
pub(crate) enum Where {
    /// A place in messages.
    Place(Place),
    /// A value under such a name, wherever names are: the folded name, in which `*` stands for anything.
    Name(Glob),
    /// What the built-in policy finds to be of that kind.
    Kind(Kind),
    /// What one detector finds.
    Detector(Detectors),
    /// What the expression matches in any decoded value or text: its first group, or all of it.
    Matches(Arc<Regex>),
    /// A variable of GraphQL requests.
    Variable(PathPattern),
    /// The whole body.
    Body,
}

/// A place in messages.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// What goes by a name: header, cookie, query, form, multipart, input, meta, script, text.
    Named {
        /// `header`, …
        sort: Sort,
        /// Its name.
        name: Glob,
        /// Which of those of that name.
        nth: Nth,
    },
    /// An attribute of an HTML element.
    Attr {
        /// The element's name.
        tag: Glob,
        /// The attribute's.
        attr: Glob,
        /// Which of them.
        nth: Nth,
    },
    /// A path segment; any when absent.
    Segment(Option<usize>),
    /// A value in a JSON body, or all that is below it.
    Json(PathPattern),
    /// Text or an attribute in an XML body, or all that is below it.
    Xml {
        /// `/order/*/email`
        path: String,
        /// Which of them.
        nth: Nth,
    },
    /// A link or a `Location`, by its pattern.
    Link(Locator),
}

/// What goes by a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sort {
    Header,
    Cookie,
    Query,
    Form,
    Multipart,
    Input,
    Meta,
    Script,
    Text,
}

/// The forms there are, for messages.
pub(crate) const FORMS: [&str; 21] = [
    "header",
    "cookie",
    "query",
    "path",
    "json",
    "graphql",
    "form",
    "multipart",
    "xml",
    "input",
    "meta",
    "attr",
    "link",
    "location",
    "script",
    "text",
    "body",
    "name",
    "kind",
    "detector",
    "matches",
];

impl Where {
    /// Reads the text form.
    pub(crate) fn parse(text: &str) -> Result<Where, String> {
        if text == "body" {
            return Ok(Where::Body);
        }
        if text == "websocket" || text.starts_with("websocket:") {
            return Err(
                "recordings keep a WebSocket's opening request and no frames, so there is nothing to mask; remove the rule"
                    .into(),
            );
        }
        let Some((form, rest)) = text.split_once(':') else {
            return Err(format!(
                "where = \"{text}\": expected form:name, such as header:X-Ref, json:$.customer.ref, name:*ref, \
                 detector:card or matches:REGEX, or the word body{}",
                meant(text, FORMS)
            ));
        };
        let wrong = |expected: &str| format!("where = \"{text}\": expected {expected}");
        // Of several under one name all are meant, unless one is named.
        let (name, nth) = match rest.rsplit_once('#') {
            Some((name, "*")) => (name, Nth::All),
            Some((name, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => {
                (name, Nth::Index(n.parse().map_err(|_| wrong("a number behind #"))?))
            }
            _ => (rest, Nth::All),
        };
        let named = |sort: Sort, name: Glob| Ok(Where::Place(Place::Named { sort, name, nth }));
        if rest.is_empty() && !matches!(form, "query" | "script" | "text" | "multipart") {
            return Err(wrong("something behind the colon"));
        }
        match form {
            "header" => named(Sort::Header, Glob::folded(name)),
            "cookie" => named(Sort::Cookie, Glob::exact(rest)),
            "query" => named(Sort::Query, Glob::exact(name)),
            "form" => named(Sort::Form, Glob::exact(name)),
            "multipart" => named(Sort::Multipart, Glob::exact(name)),
            "input" => named(Sort::Input, Glob::exact(name)),
            "meta" => named(Sort::Meta, Glob::folded(rest)),
            "script" => named(Sort::Script, Glob::exact(name)),
            "text" => named(Sort::Text, Glob::folded(name)),
            "attr" => {
                let (tag, attr) = name
                    .split_once('@')
                    .ok_or_else(|| wrong("tag@attribute, such as attr:body@data-user or attr:*@data-user"))?;
                Ok(Where::Place(Place::Attr { tag: Glob::folded(tag), attr: Glob::folded(attr), nth }))
            }
            "path" if rest == "*" => Ok(Where::Place(Place::Segment(None))),
            "path" => {
                let index = rest
                    .parse()
                    .map_err(|_| wrong("a segment's number from 0, such as path:2, or path:*"))?;
                Ok(Where::Place(Place::Segment(Some(index))))
            }
            "json" => {
                let path = PathPattern::parse(rest).map_err(|why| format!("where = \"{text}\": {why}"))?;
                Ok(Where::Place(Place::Json(path)))
            }
            "graphql" => {
                let path = PathPattern::variable(rest.trim_start_matches('$'))
                    .map_err(|_| wrong("a variable's name, such as graphql:email or graphql:input.email"))?;
                Ok(Where::Variable(path))
            }
            "xml" if rest.starts_with('/') => {
                Ok(Where::Place(Place::Xml { path: name.trim_end_matches('/').to_owned(), nth }))
            }
            "xml" => {
                Err(wrong("a path from the root, such as xml:/order/email, xml:/order/*/@id or xml://email"))
            }
            "link" | "location" => {
                let text = if form == "link" { format!("link:{name}#*") } else { text.to_owned() };
                let locator = text.parse::<Locator>().map_err(|error| error.to_string())?;
                Ok(Where::Place(Place::Link(locator)))
            }
            "name" => {
                let folded = names::fold_pattern(rest);
                if folded.is_empty() || folded.bytes().all(|b| b == b'*') {
                    return Err(wrong("a name with a letter or digit in it, such as name:*ref"));
                }
                Ok(Where::Name(Glob::exact(&folded)))
            }
            "kind" => kind(rest).map(Where::Kind),
            "detector" => Detectors::from_name(rest).map(Where::Detector).ok_or_else(|| {
                let names: Vec<_> = Detectors::ALL.iter().map(|(_, name, _)| *name).collect();
                format!("where = \"{text}\": '{rest}' is no detector{}", meant(rest, names))
            }),
            "matches" => {
                let expression = Regex::new(rest).map_err(|error| {
                    let why = error.to_string();
                    wrong(&format!("a regular expression; {}", why.lines().last().unwrap_or(&why).trim()))
                })?;
                if expression.is_match(b"") {
                    return Err(wrong("an expression that does not match nothing at all"));
                }
                Ok(Where::Matches(Arc::new(expression)))
            }
            other => Err(format!("where = \"{text}\": '{other}' is no form{}", meant(other, FORMS))),
        }
    }
}

/// The kind of that name.
pub(crate) fn kind(name: &str) -> Result<Kind, String> {
    let names = || Kind::ALL.iter().map(|kind| kind.name());
    Kind::from_name(name).ok_or_else(|| format!("'{name}' is no kind{}", meant(name, names())))
}

/// `; did you mean …?`, or what there is.
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => format!("; there are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

impl Place {
    /// Whether a value with that concrete locator stands here.
    pub(crate) fn covers(&self, locator: &Locator) -> bool {
        use Locator as L;
        match self {
            Place::Named { sort, name, nth } => {
                let found = match (sort, locator) {
                    (Sort::Header, L::Header { name, .. })
                    | (Sort::Cookie, L::Cookie { name })
                    | (Sort::Query, L::Query { name, .. })
                    | (Sort::Form, L::Form { name, .. })
                    | (Sort::Multipart, L::Multipart { name, .. })
                    | (Sort::Input, L::Input { name, .. })
                    | (Sort::Meta, L::Meta { name }) => name,
                    (Sort::Script, L::Script { key, .. }) => key,
                    (Sort::Text, L::Text { tag, .. }) => tag,
                    _ => return false,
                };
                name.fits(found) && takes(*nth, locator)
            }
            Place::Attr { tag, attr, nth } => match locator {
                L::Attr { tag: t, attr: a, .. } => tag.fits(t) && attr.fits(a) && takes(*nth, locator),
                _ => false,
            },
            Place::Segment(wanted) => {
                matches!(locator, L::PathSegment { index } if wanted.is_none_or(|wanted| wanted == *index))
            }
            Place::Json(pattern) => matches!(locator, L::Json { path } if pattern.covers(path.as_str())),
            Place::Xml { path: wanted, nth } => match locator {
                L::Xml { path, .. } => covers_xml(wanted, path) && takes(*nth, locator),
                _ => false,
            },
            Place::Link(wanted) => wanted.covers(locator),
        }
    }
}

fn takes(nth: Nth, locator: &Locator) -> bool {
    match locator.nth() {
        Some(Nth::Index(index)) => nth.takes(index),
        _ => true,
    }
}

/// By elements, `*` within one for any characters; `//name` at any depth. Takes in what is below.
fn covers_xml(wanted: &str, path: &str) -> bool {
    fn from(wanted: &[&str], found: &[&str]) -> bool {
        match wanted.split_first() {
            None => true,
            Some((&"", rest)) => (0..=found.len()).any(|at| from(rest, found.get(at..).unwrap_or_default())),
            Some((first, rest)) => match found.split_first() {
                // A namespace's prefix counts only where the rule has one.
                Some((step, below)) => {
                    let local = step.rsplit(':').next().unwrap_or(step);
                    let glob = Glob::exact(first);
                    (glob.fits(step) || !first.contains(':') && !step.starts_with('@') && glob.fits(local))
                        && from(rest, below)
                }
                None => false,
            },
        }
    }
    let steps = |path: &str| path.strip_prefix('/').unwrap_or(path).to_owned();
    let (wanted, path) = (steps(wanted), steps(path));
    from(&wanted.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_their_locators() {
        for (place, locator, fit) in [
            ("header:x-*", "header:X-Ref#3", true),
            ("header:X-Ref#0", "header:x-ref#1", false),
            ("cookie:a*", "cookie:ab", true),
            ("query:page", "query:page#2", true),
            ("query:page", "form:page", false),
            ("path:1", "path:1", true),
            ("path:*", "path:7", true),
            ("json:$.a[*].b", "json:$.a[2].b", true),
            ("attr:*@data-*", "attr:body@data-user#1", true),
            ("meta:User", "meta:user", true),
            ("script:user*", "script:userRef#1", true),
            ("text:td#2", "text:td#3", false),
            ("text:td", "text:td#3", true),
            ("xml:/order/*/email", "xml:/order/buyer/email#2", true),
            ("xml:/order", "xml:/order/buyer/@id", true),
            ("xml://email", "xml:/s:Envelope/s:Body/x:email", true),
            ("xml:/order/email", "xml:/order/buyer/email", false),
            ("link:/items/{}", "link:/items/{}#4", true),
            ("location:/o/{}", "location:/o/{}", true),
        ] {
            let Ok(Where::Place(found)) = Where::parse(place) else { panic!("{place}") };
            assert_eq!(found.covers(&locator.parse().unwrap()), fit, "{place} {locator}");
        }
    }

    #[test]
    fn what_is_no_place_is_said() {
        for (text, said) in [
            ("hedaer:X", "did you mean 'header'?"),
            ("nothing", "expected form:name"),
            ("path:x", "a segment's number"),
            ("json:customer", "a JSON path"),
            ("attr:body", "tag@attribute"),
            ("kind:emial", "did you mean 'email'?"),
            ("detector:cards", "did you mean 'card'?"),
            ("matches:(", "a regular expression"),
            ("matches:x*", "does not match nothing"),
            ("websocket", "no frames"),
            ("name:*", "a letter or digit"),
            ("header:", "something behind the colon"),
            ("link:/items", "{}"),
        ] {
            let error = Where::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
