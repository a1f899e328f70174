//! The user's rules at work: on a value by its place or name, on what an expression matches, on a whole body.

use std::ops::Range;

use mynah_message::{Encoding, Leaf, Locator, json, percent};

use super::hints::unquoted;
use super::layer::Layer;
use super::part::Planned;
use super::{Context, Patch, Scanner, Why, merge, shift};
use crate::kind::Kind;
use crate::names::Rule;
use crate::policy::rule::Action;

/// What comes before a credential in a header's value.
const SCHEMES: [&[u8]; 5] = [b"bearer", b"basic", b"token", b"digest", b"apikey"];

impl Scanner<'_> {
    /// The whole value is one sensitive value; `why` says who found it. A rule about its kind may know better.
    pub(crate) fn whole_because(&mut self, kind: Kind, value: &[u8], why: Why) -> Vec<Patch> {
        match self.settled(kind, why) {
            Some((kind, why)) => self.replaced(kind, value, why),
            None => Vec::new(),
        }
    }

    /// The whole value goes under that kind, whatever rules there are: it is known.
    pub(super) fn replaced(&mut self, kind: Kind, value: &[u8], why: Why) -> Vec<Patch> {
        self.met += 1;
        let constant = match kind {
            Kind::Custom(number) => self.policy.rule(number).map(|rule| &rule.action),
            _ => None,
        };
        // It was masked before: what is its own pseudonym is no secret.
        let done = matches!(constant, Some(Action::Constant(text)) if text.as_bytes() == value);
        let replaced = match kind {
            _ if done => Some(value.to_vec()),
            Kind::Jwt => {
                // Its claims go with it, whoever found it.
                let before = std::mem::replace(&mut self.in_claims, true);
                let made = self.jwt(value);
                self.in_claims = before;
                made
            }
            _ => self.sink.replace(kind, value),
        };
        replaced.map(|bytes| Patch { range: 0..value.len(), bytes, kind, why }).into_iter().collect()
    }

    /// Under which kind a value goes that was found to be of that kind; `None` when it stays.
    fn settled(&mut self, kind: Kind, why: Why) -> Option<(Kind, Why)> {
        let rule = match why {
            Why::Name => self.policy.index.kind(kind),
            Why::Detector => self.policy.index.detector(kind),
            Why::Rule(_) | Why::Known | Why::Strict | Why::Rare => return Some((kind, why)),
        };
        let Some(number) = rule else {
            return (self.policy.built_in || self.in_claims).then_some((kind, why));
        };
        let rule = self.policy.rule(number)?;
        match rule.action {
            Action::Keep => return None,
            Action::Reject => self.rejected = self.rejected.or(Some(number)),
            _ => {}
        }
        Some((rule.kind(number), Why::Rule(number)))
    }

    /// The patches of a value that a rule of the user's is about.
    pub(super) fn own(&mut self, number: u8, value: &[u8], context: Context) -> Vec<Patch> {
        // An expression further up in the file comes first.
        let number = match self.policy.index.whole_match(value) {
            Some(earlier) if earlier < number => earlier,
            _ => number,
        };
        let Some(rule) = self.policy.rule(number) else { return Vec::new() };
        let kind = rule.kind(number);
        match rule.action {
            Action::Keep => return Vec::new(),
            Action::Reject => {
                self.rejected = self.rejected.or(Some(number));
                return self.whole_because(kind, value, Why::Rule(number));
            }
            Action::Drop | Action::Constant(_) => return self.whole_because(kind, value, Why::Rule(number)),
            Action::Token | Action::Fpe | Action::As(_) => {}
        }
        // As under a built-in name; nor is a scheme before it.
        let (start, inner) = unquoted(value);
        if inner.is_empty() {
            return Vec::new();
        }
        if inner.len() < value.len() {
            return shift(self.own(number, inner, context), start);
        }
        if context.depth < self.policy.depth {
            let below = context.inner(Some(Rule::Own(number)));
            if matches!(value.first(), Some(b'{' | b'['))
                && let Some(patches) = self.json(value, below)
            {
                return patches;
            }
            if let Some(space) = memchr::memchr(b' ', value)
                && SCHEMES.iter().any(|scheme| value[..space].eq_ignore_ascii_case(scheme))
            {
                let start = value.len() - value[space..].trim_ascii_start().len();
                return shift(self.value(&value[start..], below), start);
            }
            let decoded = percent::decode(value, false);
            if *decoded != *value && std::str::from_utf8(&decoded).is_ok() {
                let patches = self.value(&decoded, below);
                return Layer::new(value, &decoded, Encoding::Percent).lift(patches);
            }
        }
        self.whole_because(kind, value, Why::Rule(number))
    }

    /// The patch of a JSON or script value without quotes, as it is to be written there, when a rule does with it what is done
    /// with no text: all of a literal, and of a number what makes it none.
    pub(super) fn bare(&mut self, number: u8, raw: &[u8], literal: bool) -> Option<Vec<Patch>> {
        let rule = self.policy.rule(number)?;
        let kind = rule.kind(number);
        let bytes = match &rule.action {
            Action::Keep => return Some(Vec::new()),
            Action::Constant(text) => Encoding::JsonLiteral.encode(text.as_bytes()),
            Action::Drop => b"null".to_vec(),
            Action::Reject => {
                self.rejected = self.rejected.or(Some(number));
                b"null".to_vec()
            }
            // Of true and false nothing can be made that tells nothing.
            _ if literal => b"null".to_vec(),
            _ => return None,
        };
        self.met += 1;
        if !literal && bytes != raw {
            let _ = self.sink.replace(kind, raw);
        }
        Some(vec![Patch { range: 0..raw.len(), bytes, kind, why: Why::Rule(number) }])
    }

    /// What a value's place says: a rule of the user's, if one is about it or about what it is a piece of; else what its name
    /// says.
    pub(super) fn placed(&self, leaf: &Leaf<'_>, named: Option<Rule>) -> Option<Rule> {
        let place =
            if self.policy.index.has_places() { self.policy.index.place(&leaf.locator) } else { None };
        let around = self
            .inherited
            .iter()
            .filter(|(range, _)| range.start <= leaf.span.start && leaf.span.end <= range.end)
            .map(|(_, number)| *number)
            .min();
        let name = match named {
            Some(Rule::Own(number)) => Some(number),
            _ => None,
        };
        if let Some(first) = [place, around, name].into_iter().flatten().min() {
            return Some(Rule::Own(first));
        }
        if named.is_some() || !(self.policy.strict || self.policy.k.is_some()) {
            return named;
        }
        match &leaf.locator {
            Locator::PathSegment { .. } => Some(Rule::Id),
            Locator::Query { .. } if self.policy.k.is_some() => Some(Rule::Id),
            Locator::Link { pattern, .. } | Locator::Location { pattern }
                if self.policy.k.is_some() || !pattern.contains('?') =>
            {
                Some(Rule::Id)
            }
            _ => named,
        }
    }

    /// A header whose pieces come by themselves: a rule about all of it either replaces it as a whole or is the rule of each
    /// piece.
    pub(super) fn composite(&mut self, leaf: &Leaf<'_>, plan: &mut Vec<Planned>, bytes: &[u8]) {
        let by_name = match &leaf.locator {
            Locator::Header { name, .. } => match self.memo.name(&self.policy.names, name.as_bytes()).rule {
                Some(Rule::Own(number)) => Some(number),
                _ => None,
            },
            _ => None,
        };
        let number = [self.policy.index.place(&leaf.locator), by_name].into_iter().flatten().min();
        let Some(number) = number else { return };
        self.inherited.push((leaf.span.clone(), number));
        if self.policy.rule(number).is_some_and(|rule| rule.action.is_blunt()) {
            self.leaf(bytes, leaf, Context::new(Some(Rule::Own(number))), plan);
        }
    }

    /// The rule for the whole body, and whether that goes as a whole.
    pub(super) fn body_rule(&self) -> Option<(u8, bool)> {
        let number = self.policy.index.body()?;
        Some((number, self.policy.rule(number)?.action.is_blunt()))
    }

    /// A body that goes as a whole.
    pub(super) fn whole_body(&mut self, number: u8, body: &[u8]) -> Vec<Planned> {
        let Some(rule) = self.policy.rule(number).filter(|_| !body.is_empty()) else { return Vec::new() };
        let kind = rule.kind(number);
        let patches = if rule.action == Action::Reject {
            self.rejected = self.rejected.or(Some(number));
            Vec::new()
        } else {
            self.whole_because(kind, body, Why::Rule(number))
        };
        super::part::planned(patches, "body")
    }

    /// A value of which nothing is known but what the user's expressions say.
    pub(crate) fn free(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        let mut patches = self.free_value(value, context);
        if self.policy.strict || self.policy.rare.is_some() {
            merge(&mut patches, self.ids_in_urls(value));
        }
        if self.policy.index.has_expressions() {
            patches = self.expressions(value, patches);
        }
        patches
    }

    /// The patches without those that lie within what an expression matches, and with its own; but for learnt values, and for
    /// what is more than the match.
    fn expressions(&mut self, value: &[u8], mut patches: Vec<Patch>) -> Vec<Patch> {
        let mut taken: Vec<Range<usize>> = Vec::new();
        for (range, number) in self.policy.index.matches(value) {
            let within = |inner: &Range<usize>| range.start <= inner.start && inner.end <= range.end;
            let meets = |other: &Range<usize>| other.start < range.end && range.start < other.end;
            let Some(rule) = self.policy.rule(number) else { continue };
            // An earlier rule, or a learnt value, has its say here.
            if taken.iter().any(meets) {
                continue;
            }
            if rule.action == Action::Keep {
                patches.retain(|p| p.why == Why::Known || !within(&p.range));
                taken.push(range);
                continue;
            }
            if patches.iter().any(|p| meets(&p.range) && !within(&p.range)) {
                continue;
            }
            let Some(text) = value.get(range.clone()) else { continue };
            if rule.action == Action::Reject {
                self.rejected = self.rejected.or(Some(number));
            }
            let kind = self.sink.known(text).unwrap_or_else(|| rule.kind(number));
            patches.retain(|p| !meets(&p.range));
            merge(&mut patches, shift(self.whole_because(kind, text, Why::Rule(number)), range.start));
            taken.push(range);
        }
        patches
    }

    /// The variables of a GraphQL request in its query.
    pub(super) fn variables(&mut self, leaf: &Leaf<'_>, context: Context) -> Option<Vec<Patch>> {
        let Locator::Query { name, .. } = &leaf.locator else { return None };
        if name != "variables" {
            return None;
        }
        let found = self.policy.index.variables(&leaf.value);
        if found.is_empty() {
            return None;
        }
        let mut patches = Vec::new();
        for (kind, span, number) in found {
            let raw = leaf.value.get(span.clone())?;
            let inner = Context { depth: context.depth + 1, ..Context::new(Some(Rule::Own(number))) };
            let bare =
                (kind != json::Kind::String).then(|| self.bare(number, raw, kind == json::Kind::Literal));
            let made = match (bare.flatten(), kind) {
                (Some(made), _) => made,
                (None, json::Kind::String) => {
                    let text = json::unescape(raw);
                    let made = self.value(&text, inner);
                    Layer::new(raw, &text, Encoding::JsonString).lift(made)
                }
                (None, _) => Layer::new(raw, raw, Encoding::JsonNumber).lift(self.number(raw, inner)),
            };
            merge(&mut patches, shift(made, span.start));
        }
        merge(&mut patches, self.free(&leaf.value, context));
        Some(patches)
    }
}
