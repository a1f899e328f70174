//! A JSON body: keys, values and what lies between them in one go, without a path for each value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use mynah_message::json::{Nesting, Reader, Scalar};
use mynah_message::{Coverage, json};

use super::part::{Planned, planned};
use super::pieces::Behind;
use super::room::{At, Room};
use super::seams::{self, Does, Told};
use super::{Context, Scanner, layer::Layer, shift, value};
use crate::detect::{self, Detectors};
use crate::entropy;
use crate::kind::Kind;
use crate::learned::Match;
use crate::memo::{NameInfo, Says};
use crate::names::{Around, Below, Rule};
use crate::plan::{Step, What};
use mynah_message::Encoding;

struct Document<'d, 's> {
    scanner: &'d mut Scanner<'s>,
    body: &'d [u8],
    matches: &'d [Match],
    room: Room,
    documents: u64,
    /// Where the last value ended.
    end: usize,
    /// Whether all keys since then are plain.
    plain: bool,
    plan: Vec<Planned>,
    /// Where values begin that rules of the user's are about, and the rules.
    own: Vec<(usize, u8)>,
    /// Where to look when the same body is met again; `None` when that cannot be said.
    steps: Option<Vec<Step>>,
    /// Whether the policy asks for no more than names and detectors.
    policy_is_plain: bool,
    /// Whether a value can be passed over whose name says nothing, and which shows nothing: for nothing is known that may be in it.
    may_skip: bool,
    /// Whether no detector looks for UUIDs.
    uuids_stay: bool,
    /// How deep containers may be nested.
    depth: usize,
    /// The seam behind which the value at hand stands.
    behind: Behind,
    /// What is being read step by step: where it begins, in which containers, and how many of these have been closed.
    seam: Option<(usize, Nesting, usize)>,
}

impl Scanner<'_> {
    /// What is to be done in a JSON body, and how much of it could be read; and where to look when the same body is met again.
    pub(super) fn document(
        &mut self,
        body: &[u8],
        matches: &[Match],
    ) -> (Vec<Planned>, Option<Vec<Step>>, Coverage) {
        let mut document = Document::new(self, body, matches);
        let depth = document.scanner.policy.limits.json_depth;
        let coverage = match json::walk(body, depth, &mut document) {
            json::End::Garbage(at) => Coverage::Until(at),
            json::End::Whole | json::End::Stopped => Coverage::Whole,
        };
        document.between(body.len());
        let mut room = std::mem::take(&mut document.room);
        for objects in [&mut room.persons, &mut room.persons_within, &mut room.things] {
            objects.sort();
        }
        for (object, kind, span, may_escape) in &room.waiting {
            let person = room.persons.contains(*object)
                || room.persons_within.contains(*object) && !room.things.contains(*object);
            let rule = person.then_some(Rule::Mask(Kind::Name));
            if rule.is_some() || !document.is_idle(*kind, span, None, *may_escape) {
                document.leaf(*kind, span, rule, *may_escape);
            }
        }
        if !room.labelled.is_empty() {
            let labels = document.said_by_labels(&room.labels);
            for (object, kind, span, around) in &room.labelled {
                document.leaf(*kind, span, labels.get(object).copied().or(*around), true);
            }
        }
        if !room.beside.is_empty() {
            let (labels, said) =
                (document.said_by_labels(&room.labels), document.said_of_objects(&room.labels));
            for ([asked, object], key, kind, span) in &room.beside {
                let beside = labels.get(object).filter(|_| key.says(Says::IS_VALUE)).copied();
                let rule = beside.or_else(|| said.get(asked).and_then(|around| around.on(*key).rule));
                if rule.is_some() || !document.is_idle(*kind, span, None, true) {
                    document.leaf(*kind, span, rule, true);
                }
            }
        }
        if let Some(steps) = &mut document.steps {
            steps.sort_by_key(|step| step.span().start);
        }
        let (plan, steps) = (document.plan, document.steps);
        room.clear();
        self.memo.room = room;
        (plan, steps, coverage)
    }

    /// The same of a body that was taken apart before, looking only where there was something. `None` when what has been learnt
    /// since stands anywhere else.
    pub(super) fn follow(&mut self, body: &[u8], matches: &[Match], steps: &[Step]) -> Option<Vec<Planned>> {
        let mut rest = steps.iter().map(Step::span);
        let mut span = rest.next();
        for found in matches {
            while span.as_ref().is_some_and(|span| span.end <= found.range.start) {
                span = rest.next();
            }
            if span.as_ref().is_none_or(|span| span.start > found.range.start) {
                return None;
            }
        }
        let mut document = Document::new(self, body, matches);
        for step in steps {
            let span = step.span();
            match step.what {
                What::Leaf(kind) => {
                    // Nothing was found in it, and the search of the whole would have seen what was learnt.
                    let seen = step.only_escaped
                        && !touches(matches, &span)
                        && body
                            .get(span.clone())
                            .is_some_and(|raw| !document.scanner.sink.may_hide(raw, Encoding::JsonString));
                    if !seen {
                        document.leaf(kind, &span, step.rule, true);
                    }
                }
                What::Between => document.free(&span),
                What::Value { .. } => return None,
            }
        }
        let (plan, mut room) = (document.plan, document.room);
        room.take_back(document.steps.unwrap_or_default());
        self.memo.room = room;
        Some(plan)
    }
}

impl<'d, 's> Document<'d, 's> {
    fn new(scanner: &'d mut Scanner<'s>, body: &'d [u8], matches: &'d [Match]) -> Document<'d, 's> {
        let mut room = std::mem::take(&mut scanner.memo.room);
        let steps = Some(std::mem::take(&mut room.noted));
        Document {
            own: scanner.policy.index.json(body, scanner.policy.limits.json_depth),
            policy_is_plain: scanner.policy.is_plain(),
            uuids_stay: !scanner.policy.detectors.has(Detectors::UUID),
            may_skip: scanner.policy.is_plain() && matches.is_empty(),
            depth: scanner.policy.limits.json_depth,
            behind: Behind::default(),
            seam: None,
            room,
            scanner,
            body,
            matches,
            documents: 0,
            end: 0,
            plain: true,
            plan: Vec::new(),
            steps,
        }
    }

    /// What labels say, by the objects that they stand in.
    fn said_by_labels(&mut self, labels: &[(u64, Range<usize>)]) -> HashMap<u64, Rule> {
        let mut said = HashMap::new();
        for (object, span) in labels {
            let label = self.body.get(span.clone()).unwrap_or_default();
            let rule = self.scanner.memo.json_key(&self.scanner.policy.names, label).rule;
            if let Some(rule @ (Rule::Mask(_) | Rule::Own(_))) = rule {
                said.insert(*object, rule);
            }
        }
        said
    }

    /// What labels say about values that are objects, by the objects that they stand in.
    fn said_of_objects(&mut self, labels: &[(u64, Range<usize>)]) -> HashMap<u64, Around> {
        let mut said = HashMap::new();
        for (object, span) in labels {
            let label = self.body.get(span.clone()).unwrap_or_default();
            let label = self.scanner.memo.json_key(&self.scanner.policy.names, label);
            said.extend(Around::at(std::iter::once(label)).map(|around| (*object, around)));
        }
        said
    }

    /// What lies between the last value and this offset.
    fn between(&mut self, to: usize) {
        let span = self.end..to;
        // Keys of letters in JSON's own punctuation can give themselves away only by being known; behind the last value there may be
        // anything.
        let plain = std::mem::replace(&mut self.plain, true)
            && (to < self.body.len() || self.body.get(span.clone()).is_some_and(is_end));
        // No address and no learnt value is shorter.
        if span.len() < 6 || plain && !touches(self.matches, &span) {
            return;
        }
        let met = self.begin();
        self.free(&span);
        self.note(met, &span, What::Between, None, false);
    }

    fn free(&mut self, span: &Range<usize>) {
        let Some(text) = self.body.get(span.clone()) else { return };
        let context = Context { searched: !touches(self.matches, span), ..Context::new(None) };
        let patches = self.scanner.free(text, context);
        self.plan.extend(planned(shift(patches, span.start), "between"));
    }

    /// The rule of the user's for the value that begins there, if one is about it, its name, or the whole body; else what its
    /// name says.
    fn rule(&self, start: usize, named: Option<Rule>) -> Option<Rule> {
        if self.scanner.policy.own.is_empty() {
            return named;
        }
        let by_place = self.own.binary_search_by_key(&start, |(at, _)| *at).ok();
        let by_place = by_place.and_then(|at| self.own.get(at)).map(|(_, number)| *number);
        let by_name = if let Some(Rule::Own(number)) = named { Some(number) } else { None };
        let by_body = self.scanner.body_rule().map(|(number, _)| number);
        [by_place, by_name, by_body].into_iter().flatten().min().map(Rule::Own).or(named)
    }

    /// Before a piece is looked at.
    fn begin(&mut self) -> u64 {
        self.scanner.within = false;
        self.scanner.met
    }

    /// Takes note of a piece that was looked at, if it is to be looked at again.
    fn note(&mut self, met: u64, span: &Range<usize>, what: What, rule: Option<Rule>, escaped: bool) {
        let held = self.scanner.met != met || self.scanner.within;
        if held || escaped {
            let step = Step::new(span, what, rule, !held);
            match (&mut self.steps, step) {
                (Some(steps), Some(step)) => steps.push(step),
                (steps, _) => *steps = None,
            }
        }
    }

    fn leaf(&mut self, kind: json::Kind, span: &Range<usize>, rule: Option<Rule>, may_escape: bool) {
        let met = self.begin();
        let escaped = self.look(kind, span, rule, may_escape);
        self.note(met, span, What::Leaf(kind), rule, escaped);
    }

    /// Whether there can be nothing in a leaf whose name says nothing, which shows at one look in most.
    #[inline]
    fn is_idle(&self, kind: json::Kind, span: &Range<usize>, rule: Option<Rule>, may_escape: bool) -> bool {
        self.policy_is_plain
            && (self.matches.is_empty() || !touches(self.matches, span))
            && self.shows_nothing(kind, span, rule, may_escape)
    }

    /// Whether nothing in a leaf can give itself away by its form, as shows at one look.
    #[inline]
    fn shows_nothing(
        &self,
        kind: json::Kind,
        span: &Range<usize>,
        rule: Option<Rule>,
        may_escape: bool,
    ) -> bool {
        is_slight(kind, span, may_escape)
            || kind == json::Kind::String && !may_escape && self.text_shows_nothing(span, rule)
    }

    /// The same of a string without escapes that is not short.
    fn text_shows_nothing(&self, span: &Range<usize>, rule: Option<Rule>) -> bool {
        let raw = self.body.get(span.clone()).unwrap_or_default();
        match raw.first() {
            Some(b'/') => detect::words::is_plain_path(raw),
            Some(b'0'..=b'9') => detect::is_moment(raw) || self.is_idle_uuid(raw),
            Some(b'h') if self.is_idle_link(raw, rule) => true,
            _ => detect::words::holds_nothing(raw) || self.is_idle_uuid(raw),
        }
    }

    /// Whether a value is a link in which there is nothing, with a query, if any, in which there was nothing.
    #[inline]
    fn is_idle_link(&self, raw: &[u8], rule: Option<Rule>) -> bool {
        let Some((_, query)) = detect::links::plain(raw).and_then(|end| raw.split_at_checked(end)) else {
            return false;
        };
        let context = Context { searched: true, ..Context::new(rule) };
        query.is_empty() || self.scanner.is_idle_query(query, context)
    }

    /// Whether a value is a UUID, and nobody looks for any.
    #[inline]
    fn is_idle_uuid(&self, raw: &[u8]) -> bool {
        raw.len() == 36 && self.uuids_stay && detect::is_plain_uuid(raw)
    }

    /// Says whether the leaf has escapes.
    fn look(&mut self, kind: json::Kind, span: &Range<usize>, rule: Option<Rule>, may_escape: bool) -> bool {
        let Some(raw) = self.body.get(span.clone()) else { return false };
        if raw.is_empty() {
            return false;
        }
        let rule = self.rule(span.start, rule);
        if let Some(Rule::Own(number)) = rule
            && kind != json::Kind::String
            && let Some(patches) = self.scanner.bare(number, raw, kind == json::Kind::Literal)
        {
            self.plan.extend(planned(shift(patches, span.start), "json"));
            return false;
        }
        let mut escaped = false;
        let context = Context { searched: !touches(self.matches, span), ..Context::new(rule) };
        let lifted = match kind {
            json::Kind::Literal => return false,
            json::Kind::Number => {
                let patches = self.scanner.number(raw, context);
                if patches.is_empty() {
                    return false;
                }
                Layer::new(raw, raw, Encoding::JsonNumber).lift(patches)
            }
            json::Kind::String => {
                // While learning nothing is searched for.
                if may_escape
                    && self.policy_is_plain
                    && matches!(rule, None | Some(Rule::Without(_)))
                    && self.scanner.sink.learns()
                    && let Some(escaped) = detect::words::quoted_holds_nothing(raw)
                {
                    return escaped;
                }
                let value = if may_escape { json::unescape(raw) } else { Cow::Borrowed(raw) };
                // The search saw the bytes as they are written.
                escaped = matches!(value, Cow::Owned(_));
                let searched = context.searched && !escaped;
                let patches = self.scanner.value(&value, Context { searched, ..context });
                if patches.is_empty() {
                    return escaped;
                }
                Layer::new(raw, &value, Encoding::JsonString).lift(patches)
            }
        };
        self.plan.extend(planned(shift(lifted, span.start), "json"));
        escaped
    }
}

/// What a key can say about the values beside its own.
const ABOUT_OTHERS: Says = Says::TELLS_PERSON.or(Says::TELLS_THING).or(Says::IS_LABEL);

impl Document<'_, '_> {
    /// A value in its place, whose first byte is at that offset.
    #[inline]
    fn found(&mut self, first: usize, kind: json::Kind, span: Range<usize>, may_escape: bool) {
        self.note_seam(first);
        self.between(span.start);
        self.end = span.end;
        let key = self.room.at.key;
        if key.says(ABOUT_OTHERS) {
            self.tell(key, kind, &span);
        }
        if !key.says(Says::TELLS_NOTHING) {
            self.told(kind, span, may_escape);
        } else if !self.is_idle(kind, &span, key.rule, may_escape) {
            self.leaf(kind, &span, key.rule, may_escape);
        }
    }

    /// A value of which its key says something, or what stands beside it may.
    fn told(&mut self, kind: json::Kind, span: Range<usize>, may_escape: bool) {
        let At { key, object, .. } = self.room.at;
        if key.says(Says::IS_NAME) && key.rule.is_none() {
            self.room.waiting.push((object, kind, span, may_escape));
        } else if matches!(key.rule, Some(Rule::Below(_, Below::Said))) {
            self.room.beside.push(([self.room.asked, object], key.with_rule(None), kind, span));
        } else if key.says(Says::IS_VALUE)
            && (key.rule.is_none()
                || self.room.around.is_some() && matches!(key.rule, Some(Rule::Mask(_) | Rule::Below(..))))
        {
            // What stands beside it says more than what is around it.
            self.room.labelled.push((object, kind, span, key.rule));
        } else {
            self.leaf(kind, &span, key.rule, may_escape);
        }
    }

    /// Takes note of what a key says about the values beside its own.
    fn tell(&mut self, key: NameInfo, kind: json::Kind, span: &Range<usize>) {
        let object = self.room.at.object;
        if key.says(Says::TELLS_PERSON) {
            self.room.persons_within.insert(object);
        }
        if key.says(Says::TELLS_THING) {
            self.room.things.insert(object);
        }
        if key.says(Says::IS_LABEL) && kind == json::Kind::String {
            self.room.labels.push((object, span.clone()));
        }
    }

    /// Takes note of the seam that ends here, if it was read step by step.
    #[inline]
    fn note_seam(&mut self, end: usize) {
        let Some((start, nesting, closes)) = self.seam.take() else { return };
        if let Some(bytes) = self.body.get(start..end) {
            let told = Told { nesting, closes, steps: &self.room.steps, plain: self.plain };
            self.scanner.memo.seams.note(&mut self.behind, bytes, &told);
        }
    }

    /// The same of a step that is read.
    fn read(&mut self, step: seams::Step) {
        if self.seam.is_some() {
            self.room.steps.push(step);
        }
        self.room.step(&step);
    }
}

/// Whether a value is too short for anything that gives itself away by its form, or is one of three words.
#[inline]
fn is_slight(kind: json::Kind, span: &Range<usize>, may_escape: bool) -> bool {
    match kind {
        json::Kind::Literal => true,
        json::Kind::Number => span.len() < entropy::UNIQUE_BYTES,
        json::Kind::String => !may_escape && span.len() < value::SHORTEST,
    }
}

/// Whether there is nothing but what ends a document.
fn is_end(text: &[u8]) -> bool {
    text.iter().all(|b| matches!(b, b'"' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether a match begins in that span. They are in the order of their beginnings.
pub(super) fn touches(matches: &[Match], span: &Range<usize>) -> bool {
    if matches.is_empty() {
        return false;
    }
    let first = matches.partition_point(|m| m.range.start < span.start);
    matches.get(first).is_some_and(|m| m.range.start < span.end)
}

impl<'b> json::Events<'b> for Document<'_, '_> {
    fn document(&mut self) {
        self.room.begin();
        (self.seam, self.behind) = (None, Behind::default());
        self.documents += 1;
        self.room.at = At { step: self.documents, ..At::default() };
    }

    fn open(&mut self, array: bool) {
        self.read(if array { Does::OpenArray } else { Does::OpenObject }.into());
    }

    fn element(&mut self) {
        self.read(Does::Element.into());
    }

    fn close(&mut self) {
        self.room.close();
        match &mut self.seam {
            Some((_, _, closes)) if self.room.steps.is_empty() => *closes += 1,
            // An array or object without anything in it: that is no seam.
            seam => *seam = None,
        }
    }

    fn written_key(&mut self, raw: &'b [u8], escaped: bool) -> bool {
        let names = &self.scanner.policy.names;
        let key =
            if escaped { self.scanner.memo.json_key(names, raw) } else { self.scanner.memo.name(names, raw) };
        self.plain &= key.says(Says::IS_PLAIN);
        self.read(seams::Step::key(key));
        true
    }

    fn value(&mut self, kind: json::Kind, _raw: &'b [u8], span: Range<usize>) -> ControlFlow<()> {
        self.found(span.start, kind, span, true);
        ControlFlow::Continue(())
    }

    fn string(&mut self, _raw: &'b [u8], span: Range<usize>, escaped: bool) -> ControlFlow<()> {
        self.found(span.start - 1, json::Kind::String, span, escaped);
        ControlFlow::Continue(())
    }

    #[inline]
    fn ahead(&mut self, reader: &mut Reader<'b>) {
        let Some(mut ahead) = reader.ahead() else { return };
        let mut behind = self.behind;
        let mut next = self.scanner.memo.seams.after(behind);
        loop {
            let seams = &self.scanner.memo.seams;
            let (rest, nesting) = (ahead.rest(), ahead.nesting());
            let Some((there, seam)) = seams.next(next, rest, nesting, self.depth) else { break };
            (behind, next) = (there, seam.next);
            if let Some(key) = seam.key {
                self.room.key(key);
                ahead.step(seam.leap.len);
            } else {
                (0..seam.leap.closes).for_each(|_| self.room.close());
                seam.steps.iter().for_each(|step| self.room.step(step));
                ahead.leap(&seam.leap);
            }
            let plain = seam.plain;
            let first = ahead.at();
            let Some(Scalar { kind, span, escaped }) = ahead.value() else {
                // It will be told of, and then nobody knows what came before it.
                self.behind = Behind::default();
                self.plain = plain;
                reader.go_on(&ahead, true);
                return;
            };
            if !plain || !self.may_skip {
                self.plain = plain;
                self.found(first, kind, span, escaped);
                continue;
            }
            // Nothing is in a seam of plain keys.
            self.end = span.end;
            if self.room.at.key.says(ABOUT_OTHERS) {
                self.tell(self.room.at.key, kind, &span);
            }
            if !self.room.at.key.says(Says::TELLS_NOTHING) {
                self.told(kind, span, escaped);
            } else if !is_slight(kind, &span, escaped) {
                let rule = self.room.at.key.rule;
                let is_text = kind == json::Kind::String && !escaped;
                if !(is_text && self.text_shows_nothing(&span, rule)) {
                    self.leaf(kind, &span, rule, escaped);
                }
            }
        }
        self.behind = behind;
        let (end, nesting) = (ahead.at(), ahead.nesting());
        reader.go_on(&ahead, false);
        self.room.steps.clear();
        self.seam = Some((end, nesting, 0));
    }
}
