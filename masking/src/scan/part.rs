//! A head or a body: every leaf under its name, what lies between the leaves, and the whole by learnt value.

use std::cell::Cell;
use std::ops::Range;

use mynah_message::{BodyKind, Coverage, Encoding, Leaf, Locator, Part, Side, View};

use super::document::touches;
use super::layer::Layer;
use super::nested::split;
use super::{Context, Patch, Scanner, Why};
use crate::kind::Kind;
use crate::names::{Names, Rule};

/// A range of a part and what is to stand there.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) range: Range<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Kind,
    /// Who found it.
    pub(crate) why: Why,
    /// What held the value: `header`, `json`, …
    pub(crate) place: &'static str,
}

/// Why a part cannot be masked. The text is the reason in reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl Scanner<'_> {
    /// What is to be done in a part, in order and without overlaps. Where a rule takes the whole body, it is read all the
    /// same: its values may stand elsewhere.
    pub(crate) fn part(&mut self, view: &View<'_>, part: Part) -> Result<Vec<Planned>, Unreadable> {
        self.inherited.clear();
        let rule = if part == Part::Body { self.body_rule() } else { None };
        let Some((number, whole)) = rule else { return self.part_by_values(view, part) };
        self.inherited.push((0..view.body().len(), number));
        let plan = self.part_by_values(view, part);
        let opaque = matches!(view.kind(), BodyKind::Binary);
        if whole || opaque { Ok(self.whole_body(number, view.body())) } else { plan }
    }

    fn part_by_values(&mut self, view: &View<'_>, part: Part) -> Result<Vec<Planned>, Unreadable> {
        let bytes = match part {
            Part::Head => view.message().head.as_ref(),
            Part::Body => view.body(),
        };
        // One search for all that was learnt; values in which it saw nothing need not be searched again.
        let matches = self.sink.matches(bytes);
        if part == Part::Body && *view.kind() == BodyKind::Json {
            let (plan, coverage) = self.document(bytes, &matches);
            readable(view, coverage, false)?;
            let mut plan = settle(plan);
            plan.extend(planned(self.sink.sweep(self.policy, bytes, matches, false), "anywhere"));
            return Ok(settle(plan));
        }
        let lines = if part == Part::Head { self.lines(view) } else { Lines::default() };
        let mut plan = Vec::new();
        let mut leaves: Vec<Range<usize>> = Vec::new();
        let mut visit = |leaf: Leaf<'_>| {
            // The pieces of a composite come by themselves; of a chosen option only this leaf has the name.
            if leaf.part != part {
                return;
            }
            if leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
                let met = self.met;
                self.composite(&leaf, &mut plan, bytes);
                if self.met > met {
                    lines.soil(leaf.span.start);
                }
                return;
            }
            leaves.push(leaf.span.clone());
            let raw = bytes.get(leaf.span.clone());
            let searched = raw == Some(&*leaf.value) && !touches(&matches, &leaf.span);
            let context = Context { searched, ..self.context(&leaf, view.side()) };
            let met = self.met;
            self.leaf(bytes, &leaf, context, &mut plan);
            if self.met > met {
                lines.soil(leaf.span.start);
            }
        };
        let coverage = if part == Part::Head {
            view.head_leaves(&mut |field| !lines.is_clean(field.value_span.start), &mut visit);
            leaves.extend(lines.known());
            Coverage::Whole
        } else {
            view.body_leaves(&mut visit)
        };
        if part == Part::Body {
            readable(view, coverage, leaves.is_empty())?;
        }
        let opaque = part == Part::Body && coverage == Coverage::Opaque;
        let mut plan = settle(plan);
        if !opaque {
            let gaps = gaps(leaves, bytes.len());
            let between = gaps.flat_map(|gap| {
                if lines.is_clean_within(&gap) {
                    return Vec::new();
                }
                let context = Context { searched: !touches(&matches, &gap), ..Context::new(None) };
                let met = self.met;
                let patches = bytes.get(gap.clone()).map_or_else(Vec::new, |text| self.free(text, context));
                if self.met > met {
                    lines.soil_all(&gap);
                }
                planned(super::shift(patches, gap.start), "between")
            });
            plan.extend(between.collect::<Vec<_>>());
            plan = settle(plan);
        }
        // Longer than a leaf, across leaves, or in what nobody can read: what was learnt is found there too.
        for range in matches.iter().map(|m| &m.range).chain(plan.iter().map(|p| &p.range)) {
            lines.soil_all(range);
        }
        lines.remember(self, bytes);
        plan.extend(planned(self.sink.sweep(self.policy, bytes, matches, opaque), "anywhere"));
        Ok(settle(plan))
    }

    /// The field lines of a head, and which of them are known to hold nothing.
    fn lines(&self, view: &View<'_>) -> Lines {
        let side = u8::from(view.side() == Side::Response);
        let mut start = 0;
        let lines = view
            .head()
            .fields()
            .map(|field| {
                let span = start..field.value_span.end;
                start = span.end;
                let known =
                    view.message().head.get(span.clone()).is_some_and(|l| self.memo.is_clean(side, l));
                Line { span, known, soiled: Cell::new(false) }
            })
            .collect();
        Lines { side, lines }
    }

    pub(super) fn leaf(&mut self, bytes: &[u8], leaf: &Leaf<'_>, context: Context, plan: &mut Vec<Planned>) {
        let Some(raw) = bytes.get(leaf.span.clone()) else { return };
        let bare =
            matches!(leaf.encoding, Encoding::JsonLiteral | Encoding::JsonNumber | Encoding::ScriptNumber);
        if let Some(Rule::Own(number)) = context.rule
            && bare
            && let Some(patches) = self.bare(number, raw, leaf.encoding == Encoding::JsonLiteral)
        {
            plan.extend(planned(super::shift(patches, leaf.span.start), place(&leaf.locator)));
            return;
        }
        if leaf.encoding == Encoding::JsonLiteral || leaf.value.is_empty() {
            return;
        }
        let patches = match leaf.encoding {
            Encoding::JsonNumber | Encoding::ScriptNumber => self.number(&leaf.value, context),
            _ => match self.variables(leaf, context) {
                Some(patches) => patches,
                None => self.value(&leaf.value, context),
            },
        };
        let lifted = Layer::new(raw, &leaf.value, leaf.encoding).lift(patches);
        plan.extend(planned(super::shift(lifted, leaf.span.start), place(&leaf.locator)));
    }

    /// What the leaf's place says.
    fn context(&mut self, leaf: &Leaf<'_>, side: Side) -> Context {
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut named = |name: &str| memo.name(names, name.as_bytes()).rule;
        let rule = match &leaf.locator {
            Locator::Cookie { name } => Names::cookie(named(name), name, &leaf.value),
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
            | Locator::Meta { name } => named(name),
            Locator::Attr { attr, .. } => named(attr),
            // A template is code: the secret comes in when it runs.
            Locator::Script { .. } if memchr::memmem::find(&leaf.value, b"${").is_some() => None,
            Locator::Script { key, .. } => named(key),
            Locator::Json { path } => named(&split(path.as_str()).1),
            Locator::Xml { path, .. } => {
                let last = path.rsplit('/').next().unwrap_or(path);
                // A namespace's prefix is not part of the name.
                named(last.rsplit(':').next().unwrap_or(last))
            }
            Locator::Link { pattern, .. } | Locator::Location { pattern } => {
                pattern_name(pattern).and_then(named)
            }
            _ => None,
        };
        let path = match &leaf.locator {
            Locator::PathSegment { .. } => true,
            Locator::Link { pattern, .. } | Locator::Location { pattern } => pattern_name(pattern).is_none(),
            _ => false,
        };
        Context { cards: !path, ..Context::new(self.placed(leaf, rule)) }
    }
}

/// The lines of a head, each from the end of the one before to the end of its value; the first one begins with the start
/// line, which differs from request to request.
#[derive(Default)]
struct Lines {
    side: u8,
    lines: Vec<Line>,
}

struct Line {
    span: Range<usize>,
    /// Known to hold nothing.
    known: bool,
    /// Something was found in it now.
    soiled: Cell<bool>,
}

impl Lines {
    fn line(&self, at: usize) -> Option<&Line> {
        self.lines.get(self.lines.partition_point(|l| l.span.end < at))
    }

    /// Whether the line at that offset is known to hold nothing.
    fn is_clean(&self, at: usize) -> bool {
        self.line(at).is_some_and(|l| l.known)
    }

    /// The same of a range, which may begin in the line before: behind the pairs of a `Set-Cookie`, say.
    fn is_clean_within(&self, range: &Range<usize>) -> bool {
        self.line(range.end).is_some_and(|l| l.known && l.span.start <= range.start)
    }

    /// The lines that are known to hold nothing.
    fn known(&self) -> impl Iterator<Item = Range<usize>> {
        self.lines.iter().filter(|l| l.known).map(|l| l.span.clone())
    }

    fn soil(&self, at: usize) {
        if let Some(line) = self.line(at) {
            line.soiled.set(true);
        }
    }

    fn soil_all(&self, range: &Range<usize>) {
        let first = self.lines.partition_point(|l| l.span.end < range.start);
        for line in self.lines.iter().skip(first).take_while(|l| l.span.start <= range.end) {
            line.soiled.set(true);
        }
    }

    /// Notes the lines in which nothing was found.
    fn remember(&self, scanner: &mut Scanner<'_>, head: &[u8]) {
        for line in self.lines.iter().skip(1).filter(|l| !l.known && !l.soiled.get()) {
            if let Some(text) = head.get(line.span.clone()) {
                scanner.memo.clean(self.side, text);
            }
        }
    }
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

pub(super) fn planned(patches: Vec<Patch>, place: &'static str) -> Vec<Planned> {
    patches
        .into_iter()
        .map(|p| Planned { range: p.range, bytes: p.bytes, kind: p.kind, why: p.why, place })
        .collect()
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
