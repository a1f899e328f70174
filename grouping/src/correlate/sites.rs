//! The places that are looked at: which leaves of a response may hand out, which of a request may send back.

use mynah_message::{Leaf, Locator};
use mynah_traffic::Template;
use mynah_traffic::endpoint::Segment;

use crate::endpoints::kind::kind;

use super::values;

/// Response fields that say how the message travels, not what it is about.
const RESPONSE_FIELDS: [&str; 31] = [
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-security-policy",
    "content-type",
    "date",
    "expires",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "p3p",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "server",
    "set-cookie",
    "server-timing",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "x-powered-by",
];

/// Request fields that clients make by themselves.
const REQUEST_FIELDS: [&str; 35] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
];

/// The general place of a leaf of a response, if values may be taken from there.
pub(crate) fn producer(leaf: &Leaf<'_>, value: &str) -> Option<Locator> {
    if leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
        return None;
    }
    let strong = || values::is_strong(value) || values::is_code(value);
    match &leaf.locator {
        Locator::Header { name, .. } => {
            let plain = RESPONSE_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
            (!plain && !starts_with(name, "access-control-")).then(|| leaf.locator.clone())
        }
        Locator::Cookie { .. } | Locator::Meta { .. } => Some(leaf.locator.clone()),
        Locator::Json { .. } | Locator::Input { .. } => Some(leaf.locator.generalise().0),
        Locator::Script { key, .. } if !key.is_empty() => Some(leaf.locator.generalise().0),
        Locator::Attr { .. } | Locator::Text { .. } | Locator::Xml { .. } if strong() => {
            Some(leaf.locator.generalise().0)
        }
        Locator::Body if strong() => Some(Locator::Body),
        Locator::Link { pattern, .. } if strong() => {
            Some(Locator::Link { pattern: open_up(pattern), nth: mynah_message::Nth::All })
        }
        Locator::Location { pattern } if strong() => Some(Locator::Location { pattern: open_up(pattern) }),
        _ => None,
    }
}

/// `/orders/{}/lines/77` → `/orders/{}/lines/*`: other values in a link's path differ from link to link.
fn open_up(pattern: &str) -> String {
    let (path, query) = pattern.split_once('?').map_or((pattern, None), |(path, query)| (path, Some(query)));
    let mut opened = String::with_capacity(pattern.len());
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            opened.push('/');
        }
        let value = segment != "{}"
            && kind(segment).is_some_and(|kind| kind.is_certain() || values::is_strong(segment));
        opened.push_str(if value { "*" } else { segment });
    }
    if let Some(query) = query {
        opened.push('?');
        opened.push_str(query);
    }
    opened
}

fn starts_with(name: &str, beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

/// The general place of a leaf of a request, if values may be put there.
pub(crate) fn consumer(leaf: &Leaf<'_>, template: &Template) -> Option<Locator> {
    if leaf.composite {
        return None;
    }
    match &leaf.locator {
        Locator::PathSegment { index } => {
            let open = match template.segments().get(*index) {
                Some(Segment::Any(_) | Segment::Rest(_)) => true,
                Some(Segment::Literal(_)) => false,
                None => matches!(template.segments().last(), Some(Segment::Rest(_))),
            };
            open.then(|| leaf.locator.clone())
        }
        Locator::Header { name, .. } => {
            let plain = REQUEST_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
            let own = ["sec-", "x-forwarded-", "x-amzn-", "cf-", "x-b3-"]
                .iter()
                .any(|start| starts_with(name, start));
            (!plain && !own).then(|| leaf.locator.clone())
        }
        Locator::Json { .. } => Some(leaf.locator.generalise().0),
        Locator::Query { .. } | Locator::Form { .. } | Locator::Multipart { .. } | Locator::Cookie { .. } => {
            Some(leaf.locator.clone())
        }
        _ => None,
    }
}

/// A request's value without what stands around it (`Bearer `), and that as a format.
pub(crate) fn unwrapped(value: &str) -> (Option<String>, &str) {
    match values::without_scheme(value) {
        ("", value) => (None, value),
        (scheme, value) => (Some(format!("{scheme}{{}}")), value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_opened_up() {
        assert_eq!(open_up("/orders/{}/lines/77"), "/orders/{}/lines/*");
        assert_eq!(open_up("/items/{}"), "/items/{}");
        assert_eq!(open_up("/checkout?basket={}"), "/checkout?basket={}");
        assert_eq!(open_up("/o/123456/pay?t={}"), "/o/*/pay?t={}");
    }

    #[test]
    fn schemes_become_formats() {
        assert_eq!(unwrapped("Bearer abc"), (Some("Bearer {}".to_owned()), "abc"));
        assert_eq!(unwrapped("abc"), (None, "abc"));
    }
}
