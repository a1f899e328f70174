//! One leaf of a part: what its place says, and what is to be done in it.

use std::ops::Range;

use mynah_message::{Encoding, Leaf, Locator, Part, Side};

use super::head::header_rule;
use super::layer::Layer;
use super::nested::split;
use super::part::{Planned, planned};
use super::{Context, Scanner, shift};
use crate::kind::Kind;
use crate::memo::{NameInfo, Says};
use crate::names::{Around, Names, Rule};

impl Scanner<'_> {
    pub(super) fn leaf(&mut self, bytes: &[u8], leaf: &Leaf<'_>, context: Context, plan: &mut Vec<Planned>) {
        let Some(raw) = bytes.get(leaf.span.clone()) else { return };
        let bare =
            matches!(leaf.encoding, Encoding::JsonLiteral | Encoding::JsonNumber | Encoding::ScriptNumber);
        if let Some(Rule::Own(number)) = context.rule
            && bare
            && let Some(patches) = self.bare(number, raw, leaf.encoding == Encoding::JsonLiteral)
        {
            plan.extend(planned(shift(patches, leaf.span.start), place(&leaf.locator)));
            return;
        }
        if leaf.encoding == Encoding::JsonLiteral || leaf.value.is_empty() {
            return;
        }
        let layer = Layer::new(raw, &leaf.value, leaf.encoding);
        let lifted = match leaf.encoding {
            Encoding::JsonNumber | Encoding::ScriptNumber => layer.lift(self.number(&leaf.value, context)),
            _ => match self.variables(leaf, context) {
                Some(patches) => layer.lift(patches),
                None => self.written(raw, &leaf.value, leaf.encoding, context),
            },
        };
        // Of a head the one value goes, not all of the message.
        let lifted = match self.over {
            Some(_) if leaf.part == Part::Head => {
                self.over = None;
                layer.lift(self.whole(Kind::Random, &leaf.value))
            }
            _ => lifted,
        };
        plan.extend(planned(shift(lifted, leaf.span.start), place(&leaf.locator)));
    }

    /// What the leaf's place in these bytes says.
    pub(super) fn context(&mut self, bytes: &[u8], leaf: &Leaf<'_>, side: Side) -> Context {
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut named = |name: &str| memo.name(names, name.as_bytes()).rule;
        let rule = match &leaf.locator {
            Locator::Cookie { name } => Names::cookie(named(name), name, &leaf.value),
            Locator::Header { name, .. } => header_rule(name, side).or_else(|| named(name)),
            Locator::Query { name, .. }
            | Locator::Form { name, .. }
            | Locator::Multipart { name, .. }
            | Locator::Input { name, .. }
            | Locator::Meta { name } => named(name),
            Locator::Attr { attr, .. } => named(attr).or_else(|| is_event(attr).then_some(Rule::Code)),
            // A template is code: the secret comes in when it runs.
            Locator::Script { .. } if memchr::memmem::find(&leaf.value, b"${").is_some() => None,
            Locator::Script { key, .. } => named(key),
            Locator::Json { path } => named(&split(path.as_str()).1),
            Locator::Xml { path, .. } => element_rule(path, |name| memo.name(names, name.as_bytes())),
            Locator::Link { pattern, .. } | Locator::Location { pattern } => {
                pattern_name(pattern).and_then(named)
            }
            _ => None,
        };
        let control = match &leaf.locator {
            Locator::Input { .. } => true,
            Locator::Attr { attr, .. } => attr == "value",
            _ => false,
        };
        let told = !matches!(rule, None | Some(Rule::Without(_) | Rule::Id));
        let rule = if control && !told && hides_input(bytes, &leaf.span) {
            Some(Rule::Mask(Kind::Password))
        } else {
            rule
        };
        let path = match &leaf.locator {
            Locator::PathSegment { .. } => true,
            Locator::Link { pattern, .. } | Locator::Location { pattern } => pattern_name(pattern).is_none(),
            _ => false,
        };
        Context { cards: !path, ..Context::new(self.placed(leaf, rule)) }
    }
}

/// What the names of an element, or an attribute, and of those around it say.
fn element_rule(path: &str, mut named: impl FnMut(&str) -> NameInfo) -> Option<Rule> {
    // A namespace's prefix is not part of the name.
    let mut info = |name: &str| named(name.rsplit(':').next().unwrap_or(name));
    let (parents, last) = path.rsplit_once('/').unwrap_or(("", path));
    let rule = info(last).rule;
    if !matches!(rule, None | Some(Rule::Without(_))) || parents.is_empty() {
        return rule;
    }
    let around = Around::at(parents.split('/').map(&mut info));
    // Most attributes say how an element is to be read.
    let key = info(last.strip_prefix('@').unwrap_or(last));
    match around {
        Some(around) if key.says(Says::IS_BARE) || !last.starts_with('@') => around.on(key).rule,
        _ => rule,
    }
}

/// Whether an attribute's value is a script that runs when something happens.
fn is_event(attribute: &str) -> bool {
    attribute.len() > 4 && attribute.starts_with("on") && attribute.bytes().all(|b| b.is_ascii_lowercase())
}

/// Whether the tag that a value stands in says that nobody is to see what is typed there.
fn hides_input(page: &[u8], value: &Range<usize>) -> bool {
    /// Tags are seldom longer.
    const LONGEST: usize = 1024;
    let (Some(before), Some(behind)) = (page.get(..value.start), page.get(value.end..)) else { return false };
    let Some(start) = memchr::memrchr(b'<', before).filter(|at| before.len() - at <= LONGEST) else {
        return false;
    };
    let behind = behind.get(..LONGEST).unwrap_or(behind);
    let end = memchr::memchr(b'>', behind).unwrap_or(behind.len());
    let tag = [before.get(start..).unwrap_or_default(), behind.get(..end).unwrap_or_default()];
    let tag = tag.map(<[u8]>::to_ascii_lowercase);
    let says = |text: &[u8]| {
        memchr::memmem::find_iter(text, b"type").any(|at| {
            let begins = at.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_whitespace);
            let rest = text.get(at + 4..).unwrap_or_default().trim_ascii_start();
            let Some(rest) = rest.strip_prefix(b"=").filter(|_| begins) else { return false };
            let rest = rest.trim_ascii_start();
            let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
            rest.strip_prefix(b"password")
                .is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
        })
    };
    tag.first().is_some_and(|tag| tag.starts_with(b"<input")) && tag.iter().any(|text| says(text))
}

/// `token` of `/reset?token={}`; `None` when the pattern's place is in the path.
pub(super) fn pattern_name(pattern: &str) -> Option<&str> {
    pattern.split_once('?').and_then(|(_, query)| query.strip_suffix("={}"))
}

pub(super) fn place(locator: &Locator) -> &'static str {
    match locator {
        Locator::Header { .. } => "header",
        Locator::Cookie { .. } => "cookie",
        Locator::Query { .. } => "query",
        Locator::PathSegment { .. } => "path",
        Locator::Json { .. } => "json",
        Locator::Form { .. } => "form",
        Locator::Multipart { .. } => "multipart",
        Locator::Input { .. } => "input",
        Locator::Meta { .. } => "meta",
        Locator::Attr { .. } => "attribute",
        Locator::Link { .. } => "link",
        Locator::Location { .. } => "location",
        Locator::Script { .. } => "script",
        Locator::Text { .. } => "text",
        Locator::Xml { .. } => "xml",
        Locator::Body => "body",
        _ => "other",
    }
}
