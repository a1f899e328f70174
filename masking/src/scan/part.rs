//! A head or a body: every leaf under its name, what lies between the leaves, and the whole by learnt value.

use std::borrow::Cow;
use std::ops::Range;

use mynah_message::{BodyKind, Coverage, Encoding, Leaf, Locator, Part, Side, View};

use super::layer::Layer;
use super::nested::{Persons, split};
use super::{Context, Patch, Scanner};
use crate::kind::Kind;
use crate::names::Rule;

/// A range of a part and what is to stand there.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) range: Range<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Kind,
    /// What held the value: `header`, `json`, …
    pub(crate) place: &'static str,
}

/// Why a part cannot be masked. The text is the reason in reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl Scanner<'_> {
    /// What is to be done in a part, in order and without overlaps.
    pub(crate) fn part(&mut self, view: &View<'_>, part: Part) -> Result<Vec<Planned>, Unreadable> {
        let bytes = match part {
            Part::Head => view.message().head.as_ref(),
            Part::Body => view.body(),
        };
        let mut plan = Vec::new();
        let mut leaves: Vec<Range<usize>> = Vec::new();
        let mut persons = Persons::default();
        let mut waiting = Vec::new();
        let coverage = view.leaves(&mut |leaf| {
            // The pieces of a composite come by themselves; of a chosen option only this leaf has the name.
            if leaf.part != part || leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
                return;
            }
            leaves.push(leaf.span.clone());
            if let Locator::Json { path } = &leaf.locator {
                let (parent, key) = split(path.as_str());
                persons.note(&self.policy.names, parent, &key);
                if key == "name" {
                    // Whose name it is shows when all siblings are known.
                    waiting.push((parent.to_owned(), owned(leaf)));
                    return;
                }
            }
            let context = self.context(&leaf, view.side());
            self.leaf(bytes, &leaf, context, &mut plan);
        });
        for (parent, leaf) in waiting {
            self.leaf(bytes, &leaf, Context::new(persons.rule(&parent)), &mut plan);
        }
        if part == Part::Body {
            readable(view, coverage, leaves.is_empty())?;
        }
        let opaque = part == Part::Body && coverage == Coverage::Opaque;
        let mut plan = settle(plan);
        if !opaque {
            let gaps = gaps(leaves, bytes.len());
            let between = gaps.flat_map(|gap| {
                let context = Context::new(None);
                let patches =
                    bytes.get(gap.clone()).map_or_else(Vec::new, |text| self.between(text, context));
                planned(super::shift(patches, gap.start), "between")
            });
            plan.extend(between.collect::<Vec<_>>());
            plan = settle(plan);
        }
        // Longer than a leaf, across leaves, or in what nobody can read: what was learnt is found there too.
        plan.extend(planned(self.sink.sweep(self.policy, bytes, opaque), "anywhere"));
        Ok(settle(plan))
    }

    /// Text that is no value by itself: names, tags, comments.
    fn between(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        self.free(text, context)
    }

    fn leaf(&mut self, bytes: &[u8], leaf: &Leaf<'_>, context: Context, plan: &mut Vec<Planned>) {
        let Some(raw) = bytes.get(leaf.span.clone()) else { return };
        if leaf.encoding == Encoding::JsonLiteral || leaf.value.is_empty() {
            return;
        }
        let patches = match leaf.encoding {
            Encoding::JsonNumber | Encoding::ScriptNumber => self.number(&leaf.value, context),
            _ => self.value(&leaf.value, context),
        };
        let lifted = Layer::new(raw, &leaf.value, leaf.encoding).lift(patches);
        plan.extend(planned(super::shift(lifted, leaf.span.start), place(&leaf.locator)));
    }

    /// What the leaf's place says.
    fn context(&self, leaf: &Leaf<'_>, side: Side) -> Context {
        let names = &self.policy.names;
        let rule = match &leaf.locator {
            Locator::Cookie { name } => names.cookie_rule(name, &leaf.value),
            // On the wrong side these are not taken apart, so all of them goes.
            Locator::Header { name, .. } if name.eq_ignore_ascii_case("cookie") && side == Side::Response => {
                Some(Rule::Mask(Kind::Cookie))
            }
            Locator::Header { name, .. }
                if name.eq_ignore_ascii_case("set-cookie") && side == Side::Request =>
            {
                Some(Rule::Mask(Kind::Cookie))
            }
            Locator::Header { name, .. }
            | Locator::Query { name, .. }
            | Locator::Form { name, .. }
            | Locator::Multipart { name, .. }
            | Locator::Input { name, .. }
            | Locator::Meta { name } => names.rule(name),
            Locator::Attr { attr, .. } => names.rule(attr),
            // A template is code: the secret comes in when it runs.
            Locator::Script { .. } if memchr::memmem::find(&leaf.value, b"${").is_some() => None,
            Locator::Script { key, .. } => names.rule(key),
            Locator::Json { path } => names.rule(&split(path.as_str()).1),
            Locator::Xml { path, .. } => {
                let last = path.rsplit('/').next().unwrap_or(path);
                // A namespace's prefix is not part of the name.
                names.rule(last.rsplit(':').next().unwrap_or(last))
            }
            Locator::Link { pattern, .. } | Locator::Location { pattern } => {
                pattern_name(pattern).and_then(|name| names.rule(name))
            }
            _ => None,
        };
        let path = match &leaf.locator {
            Locator::PathSegment { .. } => true,
            Locator::Link { pattern, .. } | Locator::Location { pattern } => pattern_name(pattern).is_none(),
            _ => false,
        };
        Context { cards: !path, ..Context::new(rule) }
    }
}

/// The leaf, to keep.
fn owned(leaf: Leaf<'_>) -> Leaf<'static> {
    let Leaf { locator, value, part, span, encoding, composite } = leaf;
    Leaf { locator, value: Cow::Owned(value.into_owned()), part, span, encoding, composite }
}

/// `token` of `/reset?token={}`; `None` when the pattern's place is in the path.
fn pattern_name(pattern: &str) -> Option<&str> {
    pattern.split_once('?').and_then(|(_, query)| query.strip_suffix("={}"))
}

/// A body that is not what it says, or only in part, may hold names that were not seen.
fn readable(view: &View<'_>, coverage: Coverage, no_leaves: bool) -> Result<(), Unreadable> {
    let body = view.body();
    match (view.kind(), coverage) {
        // A word under a JSON media type is text, and has been searched as such.
        (BodyKind::Json, Coverage::Until(0))
            if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) =>
        {
            Ok(())
        }
        (BodyKind::Json, Coverage::Until(_)) => Err(Unreadable("json-broken")),
        (_, Coverage::Until(_)) => Err(Unreadable("body-broken")),
        (BodyKind::Multipart { .. }, _) if no_leaves && !body.is_empty() => {
            Err(Unreadable("multipart-broken"))
        }
        _ => Ok(()),
    }
}

fn planned(patches: Vec<Patch>, place: &'static str) -> Vec<Planned> {
    patches.into_iter().map(|p| Planned { range: p.range, bytes: p.bytes, kind: p.kind, place }).collect()
}

/// In order; of those that overlap the earlier in the list stays.
fn settle(plan: Vec<Planned>) -> Vec<Planned> {
    let mut order: Vec<(usize, Planned)> = plan.into_iter().enumerate().collect();
    if !order.windows(2).all(|w| w[0].1.range.end <= w[1].1.range.start) {
        let mut taken = std::collections::BTreeMap::<usize, usize>::new();
        order.retain(|(_, p)| {
            let before =
                taken.range(..=p.range.start).next_back().is_none_or(|(_, end)| *end <= p.range.start);
            let after = taken.range(p.range.start..).next().is_none_or(|(start, _)| *start >= p.range.end);
            if before && after {
                taken.insert(p.range.start, p.range.end);
            }
            before && after
        });
        order.sort_by_key(|(_, p)| p.range.start);
    }
    order.into_iter().map(|(_, p)| p).collect()
}

/// What lies between the leaves.
fn gaps(mut leaves: Vec<Range<usize>>, len: usize) -> impl Iterator<Item = Range<usize>> {
    leaves.sort_by_key(|l| l.start);
    leaves.push(len..len);
    let mut at = 0;
    leaves.into_iter().filter_map(move |leaf| {
        let gap = at..leaf.start;
        at = at.max(leaf.end);
        // No address and no learnt value is shorter.
        (gap.len() >= 6).then_some(gap)
    })
}

fn place(locator: &Locator) -> &'static str {
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
