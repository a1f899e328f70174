//! JSON within strings, and web tokens.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mynah_message::view::Detail;
use mynah_message::{Encoding, Locator, Message, Side, View, json, script};

use super::layer::{Layer, splice};
use super::part::Planned;
use super::settle::settle;
use super::{Context, Met, Patch, Scanner, Why, merge, shift};
use crate::detect;
use crate::entropy;
use crate::kind::Kind;
use crate::memo::{Memo, NameInfo};
use crate::names::{Around, Below, Names, Rule};

/// So random a value in a cookie is one, whatever its name.
const COOKIE_BITS: f64 = 30.0;
/// Nesting of JSON within one string.
const JSON_DEPTH: usize = 64;

/// Claims that say who the bearer is, besides those whose names do so everywhere.
const CLAIMS: [(&str, Kind); 7] = [
    ("sub", Kind::User),
    ("jti", Kind::Token),
    ("sid", Kind::Session),
    ("oid", Kind::User),
    ("name", Kind::Name),
    ("nickname", Kind::Name),
    ("unique_name", Kind::User),
];

impl Scanner<'_> {
    /// The patches of a text that is JSON from end to end; `None` when it is not. What has no name of its own goes by the
    /// rule of the context.
    pub(super) fn json(&mut self, text: &[u8], context: Context) -> Option<Vec<Patch>> {
        let mut leaves = Vec::new();
        let mut persons = Persons::default();
        let mut labels = HashMap::new();
        let mut around = Surroundings::default();
        let (names, memo) = (&self.policy.names, &mut *self.memo);
        let end = json::scan(text, JSON_DEPTH, &mut |found| {
            let (parent, key) = split(found.path);
            persons.note(names, parent, &key);
            if found.kind == json::Kind::String && Names::is_label(&key) {
                labels.insert(parent.to_owned(), found.raw);
            }
            if found.kind != json::Kind::Literal {
                let outer = match context.rule {
                    // Of a cookie of unknown meaning that is JSON, the names in it say what is what.
                    Some(Rule::Mask(Kind::Cookie)) if !key.is_empty() => {
                        entropy::is_random(found.raw, COOKIE_BITS).then_some(Rule::Mask(Kind::Cookie))
                    }
                    rule => rule,
                };
                let info = memo.name(names, key.as_bytes());
                let rule = Rule::stronger(info.rule, outer);
                let told = !matches!(rule, None | Some(Rule::Without(_)));
                let below =
                    around.of(names, memo, parent).map(|around| around.on(info).rule).filter(|_| !told);
                let rule = below.unwrap_or(rule);
                let asked = rule.is_none().then(|| around.asked(names, memo, parent, info)).flatten();
                // Whose name it is shows when all siblings are known.
                let waits = rule.is_none() && key == "name" || !told && Names::is_value(&key);
                let parent = waits.then(|| (parent.to_owned(), key == "name"));
                leaves.push((rule, parent, asked, found.kind, found.span));
            }
            ControlFlow::Continue(())
        });
        if end != json::End::Whole {
            return None;
        }
        let mut patches = Vec::new();
        for (rule, parent, asked, kind, span) in leaves {
            let raw = text.get(span.clone())?;
            let beside = parent.and_then(|parent| match parent {
                (object, true) => persons.rule(&object),
                (object, false) => {
                    let label = json::unescape(labels.get(&object)?);
                    let said = self.policy.names.rule(&String::from_utf8_lossy(&label));
                    said.filter(|rule| matches!(rule, Rule::Mask(_) | Rule::Own(_)))
                }
            });
            let memo = &mut *self.memo;
            let said = asked.and_then(|(object, key): (String, NameInfo)| {
                let label = memo.json_key(&self.policy.names, labels.get(&object)?);
                Around::at(std::iter::once(label)).and_then(|around| around.on(key).rule)
            });
            // What stands beside it says more than what is around it.
            let rule = beside.or(rule).or(said);
            let inner = Context { rule, ..context };
            merge(&mut patches, shift(self.json_leaf(raw, kind, inner), span.start));
        }
        Some(patches)
    }

    /// The patches of JSON objects in the midst of a text: in a line of a log, behind `data:` of an event, in a call of JSONP.
    pub(super) fn json_within(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut from = 0;
        for at in memchr::memmem::find_iter(text, b"{\"") {
            if at < from {
                continue;
            }
            let rest = &text[at..];
            let end = match json::scan(rest, JSON_DEPTH, &mut |_| ControlFlow::Continue(())) {
                json::End::Garbage(end) => end,
                json::End::Whole | json::End::Stopped => rest.len(),
            };
            let object = rest[..end].trim_ascii_end();
            from = at + end.max(1);
            if object.ends_with(b"}") && self.may_open(context, object.len()) {
                let found = self.json(object, context.inner(None)).unwrap_or_default();
                merge(&mut patches, shift(found, at));
            }
        }
        patches
    }

    /// The patches of HTML or XML within a value: of a fragment of a page in JSON, of XML in an element's text.
    pub(super) fn markup(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        const PAGE: [&[u8]; 8] =
            [b"<input", b"<meta", b"<script", b"<form", b"<div", b"<span", b"<a ", b"<html"];
        let lower = text.to_ascii_lowercase();
        let page = PAGE.iter().any(|tag| memchr::memmem::find(&lower, tag).is_some());
        let media = if page { "text/html" } else { "text/xml" };
        let message = Message {
            head: format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n\r\n").into(),
            body: text.to_vec().into(),
            ..Message::default()
        };
        let Ok(view) = View::open(&message, &self.policy.limits) else { return Vec::new() };
        let mut plan = Vec::new();
        view.body_leaves(Detail::Names, &mut |leaf| {
            if leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
                return;
            }
            let mut here = self.context(text, &leaf, Side::Response);
            // `mysql -p <password> shop`: no element, and nobody's end of one.
            if matches!(leaf.locator, Locator::Xml { .. }) && !is_closed(text, leaf.span.end) {
                here.rule = None;
            }
            self.leaf(text, &leaf, Context { depth: context.depth + 1, ..here }, &mut plan);
        });
        let patch = |p: Planned| Patch { range: p.range, bytes: p.bytes, kind: p.kind, why: p.why };
        settle(plan).into_iter().map(patch).collect()
    }

    /// The patches of the strings and numbers in code, each under the name that it is bound to.
    pub(super) fn code(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let mut found = Vec::new();
        let _ = script::scan(text, &mut |value| {
            found.push(value);
            ControlFlow::Continue(())
        });
        let mut patches = Vec::new();
        for script::Value { key, raw, span, string } in found {
            let rule = self.memo.name(&self.policy.names, key).rule;
            let inner = Context { rule, ..context };
            let (value, encoding) = if string {
                (script::unescape(raw), Encoding::ScriptString)
            } else {
                (Cow::Borrowed(raw), Encoding::ScriptNumber)
            };
            let here = if string { self.value(&value, inner) } else { self.number(&value, inner) };
            merge(&mut patches, shift(Layer::new(raw, &value, encoding).lift(here), span.start));
        }
        patches
    }

    /// The patches of a string (without its quotes) or a number.
    fn json_leaf(&mut self, raw: &[u8], kind: json::Kind, context: Context) -> Vec<Patch> {
        if kind == json::Kind::String {
            let value = json::unescape(raw);
            let patches = self.value(&value, context);
            return Layer::new(raw, &value, Encoding::JsonString).lift(patches);
        }
        Layer::new(raw, raw, Encoding::JsonNumber).lift(self.number(raw, context))
    }

    /// The patches of a number: whole or not at all.
    pub(crate) fn number(&mut self, raw: &[u8], context: Context) -> Vec<Patch> {
        self.is_unsearched(context);
        let rule = match context.rule {
            Some(Rule::Below(kind, Below::Value)) => Some(Rule::Mask(kind)),
            Some(Rule::Below(..)) => None,
            rule => rule,
        };
        let context = Context { rule, ..context };
        // No shorter value is known, and nobody's number is shorter.
        let named = context.rule.is_some_and(|rule| !matches!(rule, Rule::Without(_)));
        if !named && raw.len() < entropy::UNIQUE_BYTES && !self.policy.index.has_expressions() {
            return Vec::new();
        }
        let patches = match context.rule {
            Some(rule) if !matches!(rule, Rule::Without(_)) => self.value(raw, context),
            _ => match self.sink.known(raw) {
                Some(kind) => self.replaced(kind, raw, Why::Known),
                None if self.policy.index.whole_match(raw).is_some() => self.free(raw, context),
                None => match detect::number_shape(raw, context.detectors(self.policy.detectors)) {
                    Some(kind) => self.whole_because(kind, raw, Why::Detector),
                    None => Vec::new(),
                },
            },
        };
        patches.into_iter().filter(|p| p.range == (0..raw.len())).collect()
    }

    /// A web token with its claims masked and another signature: the header stays, so that it is still read as one.
    pub(super) fn jwt(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        match self.sink.met_jwt(token) {
            Met::New => {}
            Met::Noted => return None,
            Met::Replaced(made) => return Some(made),
        }
        let masked = self.masked_jwt(token);
        self.sink.replace_jwt(token, masked)
    }

    fn masked_jwt(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        if !detect::is_jwt(token) {
            return None;
        }
        let parts: Vec<&[u8]> = token.split(|b| *b == b'.').collect();
        let mut out = vec![parts.first()?.to_vec()];
        match parts.as_slice() {
            [_, payload, signature] => {
                out.push(self.payload(payload)?);
                out.push(self.sink.sign(token, signature)?);
            }
            // Encrypted: key, nonce, ciphertext and tag say nothing.
            [_, rest @ ..] => {
                for part in rest {
                    out.push(self.sink.sign(&[token, part].concat(), part)?);
                }
            }
            [] => return None,
        }
        // The header stays as it is; but for what was found to be a secret elsewhere, a piece of the token, say.
        let masked = out.join(&b'.');
        let matches = self.sink.matches(&masked);
        let patches = self.sink.sweep(self.policy, &masked, matches, true);
        let masked = splice(&masked, &patches);
        Some(self.policy.jwt_key.as_ref().and_then(|key| key.sign(&masked)).unwrap_or(masked))
    }

    fn payload(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let Some(claims) = detect::decode_part(payload) else {
            return self.sink.sign(payload, payload);
        };
        let mut leaves = Vec::new();
        let mut around = Surroundings::default();
        let (names, memo) = (&self.policy.names, &mut *self.memo);
        let end = json::scan(&claims, JSON_DEPTH, &mut |found| {
            let (parent, key) = split(found.path);
            if found.kind != json::Kind::Literal {
                let claim =
                    CLAIMS.iter().find(|(claim, _)| *claim == key && found.path.len() == key.len() + 2);
                let rule = if let Some((_, kind)) = claim {
                    Some(Rule::Mask(*kind))
                } else {
                    let info = memo.name(names, key.as_bytes());
                    around.of(names, memo, parent).map_or(info.rule, |around| around.on(info).rule)
                };
                leaves.push((rule, found.kind, found.span));
            }
            ControlFlow::Continue(())
        });
        if end != json::End::Whole {
            // Compressed, or not JSON: nothing of it may stay.
            return self.sink.sign(payload, payload);
        }
        let mut patches = Vec::new();
        for (rule, kind, span) in leaves {
            let raw = claims.get(span.clone())?;
            let context = Context { depth: 1, ..Context::new(rule) };
            merge(&mut patches, shift(self.json_leaf(raw, kind, context), span.start));
        }
        if patches.is_empty() {
            Some(payload.to_vec())
        } else {
            Some(URL_SAFE_NO_PAD.encode(splice(&claims, &patches)).into())
        }
    }
}

/// Whether a text is JSON from end to end.
pub(super) fn is_json(text: &[u8]) -> bool {
    json::scan(text, JSON_DEPTH, &mut |_| ControlFlow::Continue(())) == json::End::Whole
}

/// Whether an element, or one around it, ends behind a text or an attribute that ends there.
fn is_closed(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default().trim_ascii_start();
    match rest.first() {
        Some(b'<') => rest.starts_with(b"</") || rest.starts_with(b"<!"),
        // An attribute, or a section of characters.
        Some(b'"' | b'\'' | b'>' | b'/') => true,
        _ => rest.starts_with(b"]]>"),
    }
}

/// What holds in the objects of a document because of the names under which they stand; the last one is kept in mind.
#[derive(Default)]
struct Surroundings {
    path: String,
    around: Option<Around>,
}

impl Surroundings {
    /// What holds in the object at that path.
    fn of(&mut self, names: &Names, memo: &mut Memo, path: &str) -> Option<Around> {
        if path.len() <= 1 {
            return None;
        }
        if self.path != path {
            let mut keys = Vec::new();
            let mut rest = path;
            loop {
                let (parent, key) = split(rest);
                if parent.len() >= rest.len() {
                    break;
                }
                keys.push(key);
                rest = parent;
            }
            self.around = Around::at(keys.iter().rev().map(|key| memo.name(names, key.as_bytes())));
            path.clone_into(&mut self.path);
        }
        self.around
    }
}

impl Surroundings {
    /// For a value in the object at that path, which has this key and says nothing by it: where the object's name may stand.
    fn asked(
        &mut self,
        names: &Names,
        memo: &mut Memo,
        path: &str,
        key: NameInfo,
    ) -> Option<(String, NameInfo)> {
        let (object, holder) = split(path);
        let asks = Names::is_value(&holder)
            && memo.name(names, holder.as_bytes()).rule.is_none()
            && matches!(Around::said().on(key).rule, Some(Rule::Below(_, Below::Said)))
            && self.of(names, memo, path).is_none()
            && self.of(names, memo, object).is_none();
        asks.then(|| (object.to_owned(), key))
    }
}

/// Objects in a JSON document that are about a person.
#[derive(Default)]
pub(super) struct Persons {
    persons: HashSet<String>,
    things: HashSet<String>,
}

impl Persons {
    /// Takes note of a key and the object that it stands in.
    pub(super) fn note(&mut self, names: &Names, parent: &str, key: &str) {
        if names.tells_person(key) && !self.persons.contains(parent) {
            self.persons.insert(parent.to_owned());
        }
        if Names::tells_thing(key) && !self.things.contains(parent) {
            self.things.insert(parent.to_owned());
        }
    }

    /// What a `name` in that object is.
    pub(super) fn rule(&self, parent: &str) -> Option<Rule> {
        let person = self.persons.contains(parent) && !self.things.contains(parent)
            || Names::is_person(&split(parent).1);
        person.then_some(Rule::Mask(Kind::Name))
    }
}

/// The object and the last key of a canonical JSON path: `$.a`, `b` of `$.a.b[0]`; `$`, `c d` of `$['c d']`.
pub(super) fn split(path: &str) -> (&str, Cow<'_, str>) {
    let mut rest = path;
    while let Some((before, index)) = rest.strip_suffix(']').and_then(|r| r.rsplit_once('['))
        && !index.is_empty()
        && index.bytes().all(|b| b.is_ascii_digit())
    {
        rest = before;
    }
    if let Some(inner) = rest.strip_suffix("']") {
        let Some((parent, key)) = inner.rsplit_once("['") else { return ("", inner.into()) };
        let key = if key.contains('\\') {
            key.replace("\\'", "'").replace("\\\\", "\\").into()
        } else {
            key.into()
        };
        return (parent, key);
    }
    rest.rsplit_once('.').map_or((rest, "".into()), |(parent, key)| (parent, key.into()))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn keys_of_paths() {
        for (path, key) in [
            ("$.a.b", "b"),
            ("$.a.b[0]", "b"),
            ("$.a[3].c[0][1]", "c"),
            ("$['a b']", "a b"),
            ("$['a.b'][2]", "a.b"),
            (r"$['it\'s']", "it's"),
            ("$", ""),
            ("$[0]", ""),
            ("$1.x", "x"),
        ] {
            assert_eq!(split(path).1, key, "{path}");
        }
        assert_eq!(split("$.users[3].name").0, "$.users[3]");
        assert_eq!(split("$.a['b c'].name").0, "$.a['b c']");
    }
}
