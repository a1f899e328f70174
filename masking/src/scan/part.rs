//! A head or a body: every leaf under its name, what lies between the leaves, and the whole by learnt value.

use std::ops::Range;

use mynah_message::{BodyKind, Coverage, Detail, Error, Leaf, Locator, Part, Side, View, content, head};

use super::again::{Notes, sort};
use super::changes::HeadPlan;
use super::document::touches;
use super::fitting::fitted;
use super::layer::splice;
use super::opened::compressed;
use super::settle::settle;
use super::signature;
use super::{Context, OPENABLE, OPENABLE_EACH, Patch, Scanner, Unreadable, Why, inlaid};
use crate::kind::Kind;
use crate::learned::Match;
use crate::plan::Step;

/// A range of a part and what is to stand there.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) range: Range<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Kind,
    /// Who found it.
    pub(crate) why: Why,
    /// What held the value: `header`, `json`, …
    pub(crate) place: &'static str,
}

/// A part that was taken apart.
pub(super) struct Apart {
    /// What is to be done in it, in order.
    pub(super) plan: Vec<Planned>,
    /// Where to look when the same is met again; `None` when that cannot be said.
    pub(super) steps: Option<Vec<Step>>,
    /// Whether nobody can read it.
    opaque: bool,
}

/// The same, or what is to be done in an archive.
pub(super) enum Taken {
    Apart(Apart),
    Archive(Vec<Patch>),
}

impl Scanner<'_> {
    /// What is to be done in a body, in order and without overlaps. Where a rule takes all of it, it is read all the
    /// same: its values may stand elsewhere.
    pub(crate) fn body(&mut self, view: &View<'_>) -> Result<Vec<Planned>, Unreadable> {
        self.inherited.clear();
        let Some((number, whole)) = self.body_rule() else { return self.part_by_values(view, Part::Body) };
        self.inherited.push((0..view.body().len(), number));
        let plan = self.part_by_values(view, Part::Body);
        let opaque = matches!(view.kind(), BodyKind::Binary);
        if whole || opaque { Ok(self.whole_body(number, view.body())) } else { plan }
    }

    /// What is to be done in a head, in order and without overlaps.
    pub(crate) fn head(&mut self, view: &View<'_>) -> Result<HeadPlan, Unreadable> {
        self.inherited.clear();
        if !self.policy.is_steady() {
            let plan = self.part_by_values(view, Part::Head).map(HeadPlan::of);
            self.runs |= inlaid::may_hold(&view.message().head);
            return plan;
        }
        self.begin(view, Part::Head)?;
        self.steady_head(view.head())
    }

    /// Makes ready for a part.
    fn begin(&mut self, view: &View<'_>, part: Part) -> Result<(), Unreadable> {
        let len = match part {
            Part::Head => view.message().head.len(),
            Part::Body => view.body().len(),
        };
        self.over = None;
        self.inlaid = false;
        self.runs = false;
        self.opened = 0;
        self.partly = false;
        self.answers = view.side() == Side::Response;
        self.code =
            part == Part::Body && matches!(view.kind(), BodyKind::Html | BodyKind::Xml | BodyKind::Script);
        self.openable = OPENABLE.max(len.saturating_mul(OPENABLE_EACH));
        match part {
            Part::Body => legible(view)?,
            Part::Head if view.side() == Side::Request && !self.sink.learns() => {
                self.signed = signature::scheme(view.head());
            }
            Part::Head => {}
        }
        Ok(())
    }

    fn part_by_values(&mut self, view: &View<'_>, part: Part) -> Result<Vec<Planned>, Unreadable> {
        let bytes = match part {
            Part::Head => view.message().head.as_ref(),
            Part::Body => view.body(),
        };
        self.begin(view, part)?;
        let learns = self.sink.learns();
        let sort = if part == Part::Body && self.policy.is_steady() { sort(view.kind()) } else { None };
        let print = sort.and_then(|sort| self.memo.plans.print(view.side(), sort, bytes, learns));
        if !learns && print.is_some_and(|print| self.memo.done.is_unchanged(print)) {
            return Ok(Vec::new());
        }
        // One search for all that was learnt; values in which it saw nothing need not be searched again.
        let matches = self.sink.matches(bytes);
        let is_json = part == Part::Body && *view.kind() == BodyKind::Json;
        if let Some(known) = print.and_then(|print| self.memo.plans.get(print)) {
            if learns {
                return Ok(Vec::new());
            }
            let followed = if is_json {
                self.follow(bytes, &matches, &known).map(settle)
            } else {
                self.follow_leaves(bytes, &matches, &known)
            };
            self.within_limits()?;
            if let Some(plan) = followed {
                let mut plan = self.labelled(view, part, &matches, plan);
                self.anywhere(bytes, matches, false, &mut plan);
                plan = settle(plan);
                if is_json {
                    plan = fitted(bytes, plan)?;
                }
                if let (true, Some(print)) = (plan.is_empty(), print) {
                    self.memo.done.note_unchanged(print);
                }
                return Ok(plan);
            }
        }
        if is_json {
            let (plan, steps, coverage) = self.document(bytes, &matches);
            readable(view, coverage, false)?;
            self.within_limits()?;
            if let Some(steps) = steps {
                if let (true, Some(print)) = (learns, print) {
                    self.memo.plans.put(print, &steps);
                }
                self.memo.room.take_back(steps);
            }
            let mut plan = settle(plan);
            self.anywhere(bytes, matches, false, &mut plan);
            return fitted(bytes, settle(plan));
        }
        let notes = Notes::new(learns && print.is_some());
        let Apart { mut plan, steps, opaque } =
            if part == Part::Body && *view.kind() == BodyKind::Html && self.policy.is_plain() {
                self.unread = false;
                let (plan, steps) = self.page(view, &matches, notes);
                Apart { plan: settle(plan), steps, opaque: false }
            } else {
                match self.apart(view, part, &matches, notes)? {
                    Taken::Apart(apart) => apart,
                    Taken::Archive(patches) => return Ok(planned(patches, "body")),
                }
            };
        self.within_limits()?;
        if let (Some(print), Some(steps)) = (print, steps) {
            self.memo.plans.put(print, &steps);
        }
        plan = self.labelled(view, part, &matches, plan);
        self.anywhere(bytes, matches, opaque, &mut plan);
        Ok(settle(plan))
    }

    /// Leaf by leaf, then what lies between them.
    pub(super) fn apart(
        &mut self,
        view: &View<'_>,
        part: Part,
        matches: &[Match],
        mut notes: Notes,
    ) -> Result<Taken, Unreadable> {
        let bytes = match part {
            Part::Head => view.message().head.as_ref(),
            Part::Body => view.body(),
        };
        let places = self.policy.index.has_places();
        let mut plan = Vec::new();
        let mut leaves: Vec<Range<usize>> = Vec::new();
        let mut visit = |leaf: Leaf<'_>| {
            // The pieces of a composite come by themselves; of a chosen option only this leaf has the name.
            if leaf.part != part {
                return;
            }
            if leaf.composite && !matches!(leaf.locator, Locator::Input { .. }) {
                self.composite(&leaf, &mut plan, bytes);
                return;
            }
            // The option's own value is a leaf too.
            if !leaf.composite {
                leaves.push(leaf.span.clone());
            }
            let raw = bytes.get(leaf.span.clone());
            let searched = raw == Some(&*leaf.value) && !touches(matches, &leaf.span);
            let context = Context { searched, ..self.context(bytes, &leaf, view.side()) };
            notes.begin(self);
            self.leaf(bytes, &leaf, context, &mut plan);
            notes.leaf(self, bytes, &leaf, context);
        };
        // Rules of the user's may ask for one leaf of many.
        let detail = if places { Detail::Full } else { Detail::Names };
        let coverage = if part == Part::Head {
            view.head_leaves(detail, &mut |_| true, &mut visit);
            Coverage::Whole
        } else {
            view.body_leaves(detail, &mut visit)
        };
        let opaque = part == Part::Body && coverage == Coverage::Opaque;
        if part == Part::Body {
            readable(view, coverage, leaves.is_empty())?;
            if opaque && let Some(patches) = self.archive(bytes)? {
                return Ok(Taken::Archive(patches));
            }
            self.unread = opaque && !bytes.is_empty();
        }
        let mut plan = settle(plan);
        if !opaque {
            let gaps = gaps(leaves, bytes.len());
            let between = gaps.flat_map(|gap| {
                let searched = !touches(matches, &gap);
                let context = Context { searched, between: true, ..Context::new(None) };
                notes.begin(self);
                let patches = bytes.get(gap.clone()).map_or_else(Vec::new, |text| self.free(text, context));
                notes.gap(self, &gap);
                planned(super::shift(patches, gap.start), "between")
            });
            plan.extend(between.collect::<Vec<_>>());
            plan = settle(plan);
        }
        Ok(Taken::Apart(Apart { plan, steps: notes.finish(), opaque }))
    }

    /// Whether everything that could be opened was.
    pub(super) fn within_limits(&mut self) -> Result<(), Unreadable> {
        self.over.take().map_or(Ok(()), Err)
    }

    /// The patches of a body that is compressed without the head saying so, a file that is sent, say. `None` when it is not.
    fn archive(&mut self, body: &[u8]) -> Result<Option<Vec<Patch>>, Unreadable> {
        let Some(coding) = compressed(body) else { return Ok(None) };
        let text = match content::decode_coding(coding, body, &self.policy.limits) {
            Ok(text) => text,
            Err(Error::TooLarge { .. }) => return Err(Unreadable("too-large")),
            Err(_) => return Ok(None),
        };
        let patches = self.free(&text, Context::new(None));
        self.within_limits()?;
        let Some((kind, why)) = patches.first().map(|p| (p.kind, p.why)) else { return Ok(Some(Vec::new())) };
        match content::encode_content(&[coding], &splice(&text, &patches)) {
            Ok(bytes) => Ok(Some(vec![Patch { range: 0..body.len(), bytes, kind, why }])),
            Err(_) => Err(Unreadable("coding-damaged")),
        }
    }

    /// Adds to a plan, which is in order, what was learnt, wherever it stands.
    pub(super) fn anywhere(
        &mut self,
        bytes: &[u8],
        mut matches: Vec<Match>,
        in_place: bool,
        plan: &mut Vec<Planned>,
    ) {
        if matches.is_empty() {
            return;
        }
        let put = |planned: &Planned| planned.bytes.clone();
        let rests = self.settle_with(bytes, &mut matches, plan, |planned| &planned.range, put);
        plan.extend(planned(rests, "anywhere"));
        if !matches.is_empty() {
            plan.extend(planned(self.sink.sweep(self.policy, bytes, matches, in_place), "anywhere"));
        }
    }
}

/// Whether the text of a body is in an encoding of which ASCII is a part: in others no value would be seen.
fn legible(view: &View<'_>) -> Result<(), Unreadable> {
    let wide = view.body().starts_with(b"\xff\xfe") || view.body().starts_with(b"\xfe\xff");
    if wide && *view.kind() != BodyKind::Binary {
        return Err(Unreadable("charset"));
    }
    // As nearly all say it.
    let says_utf8 =
        |value: &str| value.strip_suffix("; charset=utf-8").is_some_and(|media| !media.contains(';'));
    let content_type = view.head().get("content-type").filter(|value| !says_utf8(value));
    let charset = content_type.and_then(|value| head::parameter(value, "charset"));
    let foreign = charset.is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        [
            "utf-16", "utf16", "utf-32", "utf32", "utf-7", "ucs-", "iso-2022", "hz-gb", "ebcdic", "ibm037",
            "cp037",
        ]
        .iter()
        .any(|begin| charset.starts_with(begin))
    });
    // Many say so of what is UTF-8 all the same.
    let plain = || std::str::from_utf8(view.body()).is_ok_and(|text| !text.contains(['\0', '\u{1b}']));
    if foreign && !plain() { Err(Unreadable("charset")) } else { Ok(()) }
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
