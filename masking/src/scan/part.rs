//! A head or a body: every leaf under its name, what lies between the leaves, and the whole by learnt value.

use std::cell::Cell;
use std::ops::Range;

use mynah_message::{BodyKind, Coverage, Encoding, Leaf, Locator, Part, Side, View};

use super::again::{Notes, sort};
use super::document::touches;
use super::layer::Layer;
use super::nested::split;
use super::{Context, Patch, Scanner};
use crate::kind::Kind;
use crate::learned::Match;
use crate::memo::{Known, LineInfo};
use crate::names::Rule;

/// A range of a part and what is to stand there.
#[derive(Clone, Debug)]
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
        let lines = if part == Part::Head { self.lines(view) } else { Lines::default() };
        // One search for all that was learnt; values in which it saw nothing need not be searched again.
        let matches = match part {
            Part::Head => lines.search(self, bytes),
            Part::Body => self.sink.matches(bytes),
        };
        let learns = self.sink.learns();
        let sort = if part == Part::Body { sort(view.kind()) } else { None };
        let print = sort.and_then(|sort| self.memo.plans.print(view.side(), sort, bytes, learns));
        let is_json = sort.is_some() && *view.kind() == BodyKind::Json;
        if let Some(known) = print.and_then(|print| self.memo.plans.get(print)) {
            if learns {
                return Ok(Vec::new());
            }
            let followed = if is_json {
                self.follow(bytes, &matches, &known).map(settle)
            } else {
                self.follow_leaves(bytes, &matches, &known)
            };
            if let Some(mut plan) = followed {
                plan.extend(self.anywhere(bytes, matches, false, &plan));
                return Ok(settle(plan));
            }
        }
        if is_json {
            let (plan, steps, coverage) = self.document(bytes, &matches);
            readable(view, coverage, false)?;
            if let (true, Some(print), Some(steps)) = (learns, print, steps) {
                self.memo.plans.put(print, steps);
            }
            let mut plan = settle(plan);
            plan.extend(self.anywhere(bytes, matches, false, &plan));
            return Ok(settle(plan));
        }
        let mut plan = lines.planned();
        let mut leaves: Vec<Range<usize>> = Vec::new();
        let mut notes = Notes::new(learns && print.is_some());
        let mut visit = |leaf: Leaf<'_>| {
            // The pieces of a composite come by themselves; of a chosen option only this leaf has the name.
            if leaf.part != part || leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
                return;
            }
            leaves.push(leaf.span.clone());
            let raw = bytes.get(leaf.span.clone());
            let searched = raw == Some(&*leaf.value) && !touches(&matches, &leaf.span);
            let context = Context { searched, ..self.context(&leaf, view.side()) };
            let met = self.met;
            notes.begin(self);
            self.leaf(bytes, &leaf, context, &mut plan);
            notes.leaf(self, bytes, &leaf, context);
            if self.met > met {
                lines.soil(leaf.span.start);
            }
        };
        let coverage = if part == Part::Head {
            view.head_leaves(&mut |field| !lines.is_known(field.value_span.start), &mut visit);
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
                if lines.is_known_within(&gap) {
                    return Vec::new();
                }
                let context = Context { searched: !touches(&matches, &gap), ..Context::new(None) };
                let met = self.met;
                notes.begin(self);
                let patches = bytes.get(gap.clone()).map_or_else(Vec::new, |text| self.free(text, context));
                if self.met > met {
                    lines.soil_all(&gap);
                }
                notes.gap(self, &gap);
                planned(super::shift(patches, gap.start), "between")
            });
            plan.extend(between.collect::<Vec<_>>());
            plan = settle(plan);
        }
        if let (Some(print), Some(steps)) = (print, notes.finish()) {
            self.memo.plans.put(print, steps);
        }
        // Longer than a leaf, across leaves, or in what nobody can read: what was learnt is found there too.
        for range in matches.iter().map(|m| &m.range).chain(plan.iter().map(|p| &p.range)) {
            lines.soil_all(range);
        }
        lines.remember(self, bytes, &plan, &matches);
        plan.extend(self.anywhere(bytes, matches, opaque, &plan));
        Ok(settle(plan))
    }

    /// What was learnt, wherever it stands, but for what the plan (in order) sees to.
    fn anywhere(
        &mut self,
        bytes: &[u8],
        matches: Vec<Match>,
        in_place: bool,
        plan: &[Planned],
    ) -> Vec<Planned> {
        if matches.iter().all(|m| sees_to(plan, &m.range)) {
            return Vec::new();
        }
        planned(self.sink.sweep(self.policy, bytes, matches, in_place), "anywhere")
    }

    /// The field lines of a head, and of which of them it is known what they hold.
    fn lines(&self, view: &View<'_>) -> Lines {
        let side = u8::from(view.side() == Side::Response);
        // Where a value may reach over the end of a line, a line does not say what is in it.
        let apart = !self.sink.may_cross_lines();
        let head = &*view.message().head;
        let breaks = |at: usize| matches!(head.get(at), None | Some(b'\r' | b'\n'));
        let mut start = 0;
        let each = view
            .head()
            .field_ends()
            .map(|end| {
                let span = start..end;
                start = end;
                let whole = apart && breaks(span.start) && breaks(span.end);
                let text = head.get(span.clone()).filter(|_| whole);
                let known = text.and_then(|text| self.memo.line(side, text));
                Line { span, whole, known, soiled: Cell::new(false) }
            })
            .collect();
        Lines { side, apart, each }
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
    fn context(&mut self, leaf: &Leaf<'_>, side: Side) -> Context {
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut named = |name: &str| memo.name(names, name.as_bytes()).rule;
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
        Context { cards: !path, ..Context::new(rule) }
    }
}

/// The lines of a head, each from the end of the one before to the end of its value; the first one begins with the start
/// line, which differs from request to request.
#[derive(Default)]
struct Lines {
    side: u8,
    /// No learnt value has a line break in it.
    apart: bool,
    each: Vec<Line>,
}

struct Line {
    span: Range<usize>,
    /// A line break stands before and behind it, and no value reaches over one.
    whole: bool,
    /// What it is known to hold.
    known: Option<Known>,
    /// Something was found in it now.
    soiled: Cell<bool>,
}

impl Lines {
    fn line(&self, at: usize) -> Option<&Line> {
        self.each.get(self.each.partition_point(|l| l.span.end < at))
    }

    /// Whether it is known what the line at that offset holds.
    fn is_known(&self, at: usize) -> bool {
        self.line(at).is_some_and(|l| l.known.is_some())
    }

    /// What is to be done in the lines of which that is known.
    fn planned(&self) -> Vec<Planned> {
        let mut plan = Vec::new();
        for Line { span, known, .. } in &self.each {
            if let Some(Known { info: LineInfo::Planned(there), .. }) = known {
                plan.extend(there.iter().map(|planned| planned.clone().moved(|at| at + span.start)));
            }
        }
        plan
    }

    /// The same of a range, which may begin in the line before: behind the pairs of a `Set-Cookie`, say.
    fn is_known_within(&self, range: &Range<usize>) -> bool {
        self.line(range.end).is_some_and(|l| l.known.is_some() && l.span.start <= range.start)
    }

    /// The lines of which it is known what they hold.
    fn known(&self) -> impl Iterator<Item = Range<usize>> {
        self.each.iter().filter(|l| l.known.is_some()).map(|l| l.span.clone())
    }

    fn soil(&self, at: usize) {
        if let Some(line) = self.line(at) {
            line.soiled.set(true);
        }
    }

    fn soil_all(&self, range: &Range<usize>) {
        let first = self.each.partition_point(|l| l.span.end < range.start);
        for line in self.each.iter().skip(first).take_while(|l| l.span.start <= range.end) {
            line.soiled.set(true);
        }
    }

    /// Where learnt values are written, but for lines that were searched before.
    fn search(&self, scanner: &Scanner<'_>, head: &[u8]) -> Vec<Match> {
        if !self.apart {
            return scanner.sink.matches(head);
        }
        let mut found = Vec::new();
        let mut search = |range: Range<usize>| {
            let text = head.get(range.clone()).unwrap_or_default();
            found.extend(scanner.sink.matches(text).into_iter().map(|m| m.behind(range.start)));
        };
        let mut from = 0;
        for line in &self.each {
            if line.known.as_ref().is_some_and(|known| known.searched) {
                search(from..line.span.start);
                from = line.span.end;
            }
        }
        search(from..head.len());
        found
    }

    /// Notes what was found in the lines: `plan` is all that is to be done, but for what was learnt.
    fn remember(&self, scanner: &mut Scanner<'_>, head: &[u8], plan: &[Planned], matches: &[Match]) {
        let learns = scanner.sink.learns();
        let fresh = |l: &&Line| l.whole && l.known.as_ref().is_none_or(|known| !known.searched);
        for line in self.each.iter().skip(1).filter(fresh) {
            let Some(text) = head.get(line.span.clone()) else { continue };
            if !scanner.memo.comes_again(self.side, text) {
                continue;
            }
            let span = &line.span;
            let info = if learns || !line.soiled.get() {
                LineInfo::Clean
            } else {
                let inside = |range: &Range<usize>| range.start < span.end && range.end > span.start;
                let here = || plan.iter().filter(|p| inside(&p.range));
                // What lies between leaves may begin in the line before; and the search must have no more to say.
                if here().any(|p| p.place == "between" || crosses(&p.range, span))
                    || matches.iter().any(|m| inside(&m.range) && !sees_to(plan, &m.range))
                    || here().next().is_none()
                {
                    continue;
                }
                LineInfo::Planned(here().map(|p| p.clone().moved(|at| at - span.start)).collect())
            };
            scanner.memo.note_line(self.side, text, info);
        }
    }
}

/// Whether something is to be done with these bytes. The plan is in order.
fn sees_to(plan: &[Planned], range: &Range<usize>) -> bool {
    let first = plan.partition_point(|p| p.range.end <= range.start);
    plan.get(first).is_some_and(|p| p.range.start < range.end)
}

impl Planned {
    fn moved(mut self, to: impl Fn(usize) -> usize) -> Planned {
        self.range = to(self.range.start)..to(self.range.end);
        self
    }
}

/// Whether a range reaches over an end of a span.
fn crosses(range: &Range<usize>, span: &Range<usize>) -> bool {
    let over = |at: usize| range.start < at && at < range.end;
    over(span.start) || over(span.end)
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
    patches.into_iter().map(|p| Planned { range: p.range, bytes: p.bytes, kind: p.kind, place }).collect()
}

/// In order; of those that overlap the earlier in the list stays.
pub(super) fn settle(plan: Vec<Planned>) -> Vec<Planned> {
    let in_order = |plan: &[Planned]| plan.windows(2).all(|w| w[0].range.end <= w[1].range.start);
    if in_order(&plan) {
        return plan;
    }
    let mut plan = plan;
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    plan.retain(|p| {
        let before = taken.range(..=p.range.start).next_back().is_none_or(|(_, end)| *end <= p.range.start);
        let after = taken.range(p.range.start..).next().is_none_or(|(start, _)| *start >= p.range.end);
        if before && after {
            taken.insert(p.range.start, p.range.end);
        }
        before && after
    });
    plan.sort_by_key(|p| p.range.start);
    plan
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
