//! A head or a body: every leaf under its name, what lies between the leaves, and the whole by learnt value.

use std::collections::HashSet;
use std::ops::Range;

use mynah_message::{BodyKind, Coverage, Detail, Error, Leaf, Locator, Part, Side, View, content, head};

use super::again::{Notes, sort};
use super::changes::HeadPlan;
use super::document::touches;
use super::fitting::fitted;
use super::layer::splice;
use super::opened::compressed;
use super::signature;
use super::{Context, OPENABLE, OPENABLE_EACH, Patch, Scanner, Unreadable, Why, inlaid};
use crate::kind::Kind;
use crate::learned::Match;
use crate::plan::Step;
use crate::variant::base64_run;

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

    /// Settles what is known in a text with changes that are in order, so that no two are about the same bytes. Changes within a known value
    /// that says more give way: a link's value ends at a sign that a password may have in it, and half of the password would stay. All
    /// others stay, and what is known there goes; what neither they nor other known values cover of it is replaced by itself.
    pub(super) fn settle_with<P>(
        &mut self,
        text: &[u8],
        matches: &mut Vec<Match>,
        changes: &mut Vec<P>,
        range: impl Fn(&P) -> &Range<usize>,
        put: impl Fn(&P) -> Vec<u8>,
    ) -> Vec<Patch> {
        let mut end = 0;
        let (mut gone, mut given_up): (Vec<Range<usize>>, _) = (Vec::new(), Vec::new());
        matches.retain(|m| {
            // Of those that overlap the first and longest counts.
            if m.range.start < end {
                if m.range.end > end {
                    given_up.push(m.range.clone());
                }
                return false;
            }
            let place = among(changes, &range, &m.range);
            let there = changes.get(place.clone()).unwrap_or_default();
            if !there.is_empty() {
                if !says_more(text, &m.range, there.iter().map(&range)) {
                    if there.iter().any(|change| *range(change) != m.range) {
                        self.partly = true;
                        // What still shows is withheld with all around it, and must not be cut in two.
                        let shows = |change: &P| still_shows(text, &m.range, range(change), &put(change));
                        if !there.iter().any(shows) {
                            given_up.push(m.range.clone());
                        }
                    }
                    return false;
                }
                gone.push(place);
            }
            end = m.range.end;
            true
        });
        leave_out(changes, gone);
        if given_up.is_empty() {
            return Vec::new();
        }
        loop {
            let mut covered: Vec<_> =
                changes.iter().map(&range).chain(matches.iter().map(|m| &m.range)).cloned().collect();
            covered.sort_unstable_by_key(|range| range.start);
            let rests = self.rests(text, &given_up, &covered);
            let more = given_up_with(text, matches, &rests);
            if more.is_empty() {
                return rests;
            }
            given_up.extend(more);
            given_up.sort_by_key(|range| range.start);
        }
    }

    /// Replaces what is left of some ranges, by where they begin, where all that is covered, which is in order, does not reach; but not
    /// a letter or two, which tell nothing.
    pub(super) fn rests(
        &mut self,
        text: &[u8],
        ranges: &[Range<usize>],
        covered: &[Range<usize>],
    ) -> Vec<Patch> {
        const FEW: usize = 4;
        let (mut patches, mut done) = (Vec::new(), 0);
        for range in ranges {
            let mut at = range.start.max(done);
            let first = covered.partition_point(|there| there.end <= at);
            let there =
                covered.get(first..).unwrap_or_default().iter().take_while(|there| there.start < range.end);
            for end in there.cloned().chain(std::iter::once(range.end..range.end)) {
                let rest = text.get(at..end.start).unwrap_or_default();
                if rest.iter().filter(|b| is_telling(**b)).count() >= FEW {
                    patches.extend(super::shift(self.replaced(Kind::Random, rest, Why::Known), at));
                }
                at = at.max(end.end);
            }
            done = at;
        }
        patches
    }
}

/// Gives up what is known and stands in base64 of which a piece is replaced by itself: what is rewritten of base64 begins with a group of
/// four and goes to the end. All are in order.
fn given_up_with(text: &[u8], matches: &mut Vec<Match>, rests: &[Patch]) -> Vec<Range<usize>> {
    let mut given_up = Vec::new();
    if rests.is_empty() {
        return given_up;
    }
    // Where the base64 at hand ends, of either alphabet.
    let mut ends = [0; 2];
    matches.retain(|m| {
        let Some(url) = m.base64() else { return true };
        let end = &mut ends[usize::from(url)];
        if *end <= m.range.start {
            *end = m.range.start + base64_run(text.get(m.range.start..).unwrap_or_default(), url);
        }
        let next = rests.partition_point(|rest| rest.range.end + GROUP <= m.range.start);
        let stays = rests.get(next).is_none_or(|rest| rest.range.start >= *end);
        if !stays {
            given_up.push(m.range.clone());
        }
        stays
    });
    given_up
}

/// Characters of base64 that are written together.
const GROUP: usize = 4;

/// Whether what stands in place of a range still has some letters in a row of what a value had in there.
fn still_shows(text: &[u8], value: &Range<usize>, range: &Range<usize>, put: &[u8]) -> bool {
    const FEW: usize = 4;
    let common = text.get(value.start.max(range.start)..value.end.min(range.end)).unwrap_or_default();
    let mut words = common.split(|b| !is_telling(*b));
    // The same word may stand there very often.
    let mut looked = HashSet::new();
    words.any(|word| word.len() >= FEW && looked.insert(word) && memchr::memmem::find(put, word).is_some())
}

/// Whether a byte says more than a sign does.
pub(crate) fn is_telling(b: u8) -> bool {
    b.is_ascii_alphanumeric() || !b.is_ascii()
}

/// Adds the patches of what shows in a text when escapes are undone. One that says more than those that are there takes their place: a
/// secret may be written with some escapes, and what stands before them be another one.
pub(super) fn merge_decoded(text: &[u8], patches: &mut Vec<Patch>, more: Vec<Patch>) {
    let mut gone = Vec::new();
    for patch in &more {
        let place = among(patches, |there| &there.range, &patch.range);
        let there = patches.get(place.clone()).unwrap_or_default();
        let shows = |there: &Patch| still_shows(text, &there.range, &patch.range, &patch.bytes);
        if !there.is_empty()
            && says_more(text, &patch.range, there.iter().map(|there| &there.range))
            && !there.iter().any(shows)
        {
            gone.push(place);
        }
    }
    leave_out(patches, gone);
    super::merge(patches, more);
}

/// Leaves out those of these numbers, which are in order.
fn leave_out<P>(list: &mut Vec<P>, gone: Vec<Range<usize>>) {
    if !gone.is_empty() {
        let (mut gone, mut number) = (gone.into_iter().flatten().peekable(), 0);
        list.retain(|_| {
            number += 1;
            gone.next_if_eq(&(number - 1)).is_none()
        });
    }
}

/// Whether these ranges lie in a value that is more than they are and signs around them.
fn says_more<'r>(text: &[u8], value: &Range<usize>, within: impl Iterator<Item = &'r Range<usize>>) -> bool {
    let tells = |range: Range<usize>| text.get(range).is_some_and(|more| more.iter().any(|b| is_telling(*b)));
    let (mut at, mut more) = (value.start, false);
    for range in within {
        if range.start < value.start || value.end < range.end {
            return false;
        }
        more |= tells(at..range.start);
        at = range.end;
    }
    more || tells(at..value.end)
}

/// Which of these changes are about bytes of that range. They are in order.
pub(super) fn among<P>(
    changes: &[P],
    range: impl Fn(&P) -> &Range<usize>,
    with: &Range<usize>,
) -> Range<usize> {
    let first = changes.partition_point(|change| range(change).end <= with.start);
    let rest = changes.get(first..).unwrap_or_default();
    first..first + rest.partition_point(|change| range(change).start < with.end)
}

/// Whether a range reaches over an end of a span.
pub(super) fn crosses(range: &Range<usize>, span: &Range<usize>) -> bool {
    let over = |at: usize| range.start < at && at < range.end;
    over(span.start) || over(span.end)
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

/// In order; of those that overlap the earlier in the list stays.
pub(super) fn settle(plan: Vec<Planned>) -> Vec<Planned> {
    settled(plan, |planned| &planned.range)
}

/// The same of whatever has a range.
pub(super) fn settled<P>(mut plan: Vec<P>, range: impl Fn(&P) -> &Range<usize>) -> Vec<P> {
    if plan.windows(2).all(|w| range(&w[0]).end <= range(&w[1]).start) {
        return plan;
    }
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    plan.retain(|p| {
        let range = range(p);
        let before = taken.range(..=range.start).next_back().is_none_or(|(_, end)| *end <= range.start);
        let after = taken.range(range.start..).next().is_none_or(|(start, _)| *start >= range.end);
        if before && after {
            taken.insert(range.start, range.end);
        }
        before && after
    });
    plan.sort_by_key(|p| range(p).start);
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
