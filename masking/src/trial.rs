//! One message tried out: what a policy finds in it, where, why, and what becomes of it. For the user's own file on the user's
//! own screen, as values are shown.

use std::ops::Range;

use mynah_message::{Head, Message, Part, View};
use mynah_traffic::{Exchange, Side};
use serde::Serialize;

use crate::message::{self, Place};
use crate::report::acted;
use crate::scan::Unreadable;
use crate::tally::Sort;
use crate::{Error, Key, Learner, Policy};

/// What became of a message, or of a request and its response.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// Every span that was replaced, in order.
    pub changes: Vec<Change>,
    /// Parts that would be withheld, and why.
    pub withheld: Vec<String>,
    /// The rule that leaves the exchange out.
    pub rejected: Option<String>,
    /// The masked request, its body decoded.
    pub request: Option<String>,
    /// The masked response, its body decoded.
    pub response: Option<String>,
}

/// One span that was replaced.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// `request` or `response`.
    pub side: &'static str,
    /// Where it stands, as rules name it: `json:$.customer.ref`. Outside of every value, `between`.
    pub place: String,
    /// What acted: `name password`, `detector card`, `rule customer reference`, …
    pub rule: String,
    /// What it was found to be.
    pub kind: &'static str,
    /// What was done.
    pub action: &'static str,
    /// As it was written.
    pub before: String,
    /// As it is written now.
    pub after: String,
}

/// Reads a file with one HTTP/1 message as on the wire, or a request and the response to it, and masks it. Lines may end with
/// LF alone; a wrong or absent `Content-Length` is forgiven.
///
/// # Errors
/// [`Error::NoMessage`].
pub fn attempt(text: &[u8], policy: Policy, key: &Key) -> Result<Trial, Error> {
    let exchange = parse(text)?;
    let mut learner = Learner::new(policy, key.clone());
    learner.learn(&exchange);
    let mut masker = learner.finish();
    let scope = masker.scopes().scope(&exchange);
    let mut trial = Trial::default();
    for (side, message) in [(Side::Request, exchange.request), (Side::Response, exchange.response)] {
        let Some(message) = message else { continue };
        let word = if side == Side::Request { "request" } else { "response" };
        let mut scanner = masker.parts(&scope, side);
        let limits = scanner.policy.limits;
        let mut found: Vec<(Place, String, Vec<u8>)> = Vec::new();
        let with_body = match message::body(&mut scanner, &message) {
            Ok((masked, places)) => {
                if let Ok(view) = View::open(&message, &limits) {
                    let leaves = leaves(&view, Part::Body);
                    found.extend(places.into_iter().map(|place| described(place, &leaves, view.body())));
                }
                masked
            }
            Err(unreadable) => {
                trial.withheld.push(format!("{word} body: {}", unreadable.0));
                Message { body: bytes::Bytes::new(), ..message.clone() }
            }
        };
        let mut heads = Vec::new();
        let masked = match message::head(&mut scanner, &with_body) {
            Ok((masked, places)) => {
                if let Ok(view) = View::open_head(&with_body) {
                    let leaves = leaves(&view, Part::Head);
                    heads.extend(places.into_iter().map(|place| described(place, &leaves, &with_body.head)));
                }
                Some(masked)
            }
            Err(unreadable) => {
                trial.withheld.push(format!("{word}: {}", unreadable.0));
                None
            }
        };
        if std::mem::take(&mut scanner.blotted) {
            trial.withheld.push(format!("{word} head, in part: {}", Unreadable::HIDES.0));
        }
        let rejected = scanner.rejected;
        let policy = masker.scopes().policy();
        if let Some(rule) = rejected.and_then(|number| policy.rule(number)) {
            trial.rejected.get_or_insert_with(|| rule.label.clone());
        }
        let head = masked.as_ref().map_or(&[][..], |masked| &masked.head);
        for (place, locator, before) in heads.into_iter().chain(found) {
            trial.changes.push(Change {
                side: word,
                place: locator,
                rule: acted(policy, Sort::of(&place)),
                kind: place.name,
                action: policy.action_name(place.kind),
                before: String::from_utf8_lossy(&before).into_owned(),
                after: String::from_utf8_lossy(place.written(head)).into_owned(),
            });
        }
        let shown = masked.map(|masked| {
            let body = View::open(&masked, &limits)
                .map_or_else(|_| masked.body.to_vec(), |view| view.body().to_vec());
            String::from_utf8_lossy(&[&masked.head[..], &body].concat()).into_owned()
        });
        match side {
            Side::Request => trial.request = shown,
            Side::Response => trial.response = shown,
        }
    }
    Ok(trial)
}

fn leaves(view: &View<'_>, part: Part) -> Vec<(Range<usize>, String)> {
    let mut leaves = Vec::new();
    view.leaves(&mut |leaf| {
        if leaf.part == part {
            leaves.push((leaf.span.clone(), leaf.locator.to_string()));
        }
    });
    leaves
}

/// The place with its locator's text, that of the smallest value around it, and the bytes that gave way.
fn described(place: Place, leaves: &[(Range<usize>, String)], bytes: &[u8]) -> (Place, String, Vec<u8>) {
    let old = place.moved().0;
    let around = leaves
        .iter()
        .filter(|(span, _)| span.start <= old.start && old.end <= span.end)
        .min_by_key(|(span, _)| span.len());
    let text = around.map_or_else(|| place.holder.to_owned(), |(_, text)| text.clone());
    let before = bytes.get(old).unwrap_or_default().to_vec();
    (place, text, before)
}

/// One message, or a request and its response.
fn parse(text: &[u8]) -> Result<Exchange, Error> {
    let (first, rest) = message(text.trim_ascii_start())?;
    let mut exchange = Exchange::default();
    let is_request = first.head.get(..5) != Some(b"HTTP/");
    if is_request {
        exchange.request = Some(first);
        if !rest.trim_ascii().is_empty() {
            exchange.response = Some(message(rest.trim_ascii_start())?.0);
        }
    } else {
        exchange.response = Some(first);
    }
    Ok(exchange)
}

/// The message that a text begins with, and what follows it.
fn message(text: &[u8]) -> Result<(Message, &[u8]), Error> {
    let mut head = Vec::new();
    let mut rest = text;
    // A head without anything behind it may lack the empty line.
    while let Some((line, after)) = line(rest) {
        rest = after;
        if line.is_empty() {
            break;
        }
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let parsed = Head::parse(&head).map_err(|error| Error::NoMessage(error.to_string()))?;
    let is_request = parsed.method().is_some();
    let (body, rest) = if parsed.is_chunked() {
        dechunk(rest).ok_or_else(|| {
            Error::NoMessage(
                "the body is chunked, and a chunk's size or end is not where it should be".into(),
            )
        })?
    } else {
        let next = memchr::memmem::find(rest, b"HTTP/1.").filter(|_| is_request);
        let starts_response =
            |rest: &[u8]| rest.trim_ascii().is_empty() || rest.trim_ascii_start().starts_with(b"HTTP/");
        match parsed.content_length().and_then(|len| usize::try_from(len).ok()) {
            Some(len) if rest.get(len..).is_some_and(starts_response) => {
                let (body, rest) = rest.split_at(len);
                (body.to_vec(), rest)
            }
            _ => match next.filter(|at| *at == 0 || rest.get(at - 1) == Some(&b'\n')) {
                Some(at) => {
                    let body = rest.get(..at).unwrap_or_default();
                    (body.trim_ascii_end().to_vec(), rest.get(at..).unwrap_or_default())
                }
                None => (rest.to_vec(), &b""[..]),
            },
        }
    };
    Ok((Message { head: head.into(), body: body.into(), ..Message::default() }, rest))
}

/// A chunked body, decoded, without its trailers; and what follows.
fn dechunk(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    let mut rest = text;
    loop {
        let (line, after) = line(rest)?;
        let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = after;
        if size == 0 {
            break;
        }
        body.extend_from_slice(rest.get(..size)?);
        let (end, after) = self::line(rest.get(size..)?)?;
        if !end.is_empty() {
            return None;
        }
        rest = after;
    }
    while let Some((trailer, after)) = line(rest) {
        rest = after;
        if trailer.is_empty() {
            break;
        }
    }
    Some((body, rest))
}

/// The line at the beginning of a text, without its end, and what follows it; `None` where nothing is left.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let line = text.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), text.get(end + 1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(text: &str) -> Trial {
        let policy = "[[rule]]\nname = \"reference\"\nwhere = \"json:$.customer.ref\"\nwhat = \"fpe\"\n";
        let policy = Policy::parse(policy, "masking.toml").unwrap();
        super::attempt(text.as_bytes(), policy, &Key::from([4; 32])).unwrap()
    }

    #[test]
    fn a_request_and_its_response_as_typed() {
        let trial = attempt(
            "POST /a HTTP/1.1\nHost: shop.example\nCookie: sid=k3J9xQ2mLp0Zq81aWT; theme=dark\n\
             Content-Type: application/json\nContent-Length: 999\n\n\
             {\"customer\":{\"ref\":\"AB-123456\"},\"password\":\"open sesame 7\"}\n\n\
             HTTP/1.1 200 OK\nContent-Type: text/plain\n\nfor AB-123456, ann@shop.example k3J9xQ2mLp0Zq81aWT\n",
        );
        let seen: Vec<_> = trial
            .changes
            .iter()
            .map(|c| (c.side, c.place.as_str(), c.rule.as_str(), c.before.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("request", "cookie:sid", "name session", "k3J9xQ2mLp0Zq81aWT"),
                ("request", "json:$.customer.ref", "rule reference", "AB-123456"),
                ("request", "json:$.password", "name password", "open sesame 7"),
                ("response", "body", "detector email", "ann@shop.example"),
                ("response", "body", "known from elsewhere", "k3J9xQ2mLp0Zq81aWT"),
            ]
        );
        assert_eq!(trial.changes[0].after, trial.changes[4].after);
        assert!(trial.request.unwrap().contains("theme=dark") && trial.withheld.is_empty());
    }

    #[test]
    fn a_secrets_name_acts_on_the_values_of_its_object() {
        let body = r#"{"token": {"type": "Bearer", "access": "q81aWTb7x8Kq2mLp0Z"}}"#;
        let trial = attempt(&format!("POST / HTTP/1.1\nContent-Type: application/json\n\n{body}"));
        let [change] = &trial.changes[..] else { panic!("{:?}", trial.changes) };
        assert_eq!((&*change.place, &*change.rule), ("json:$.token.access", "name token"));
    }

    #[test]
    fn chunks_are_put_together() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nann@s\r\nb;x=y\r\nhop.example\r\n0\r\n\r\n";
        let trial = attempt(text);
        assert_eq!(trial.changes.len(), 1);
        assert_eq!(trial.changes[0].before, "ann@shop.example");
    }

    #[test]
    fn what_is_no_message_is_said() {
        for text in ["", "hello", "\n\n", "GET / HTTP/1.1\nTransfer-Encoding: chunked\n\nxyz"] {
            let error = super::attempt(text.as_bytes(), Policy::built_in(), &Key::from([4; 32])).unwrap_err();
            assert!(error.to_string().starts_with("expected an HTTP message"), "{text}: {error}");
        }
    }
}
