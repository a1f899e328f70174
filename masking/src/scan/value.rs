//! One decoded value: under a name that says what it is, or free.

use std::ops::Range;

use mynah_message::{Encoding, percent};

use super::hints::{
    has_percent, is_graphql, is_markup, is_percent_encoded, is_schemed, refers, script_escapes, unquoted,
};
use super::idle::{IDLE_QUERY, QUERY};
use super::inlaid;
use super::layer::{Layer, splice};
use super::opened::Opened;
use super::settle::{among, merge_decoded};
use super::signature::signatures;
use super::{Context, Patch, Scanner, Unreadable, Why, merge, nested, said, shift};
use crate::detect::signs::Look;
use crate::detect::{self, Detectors, links, words};
use crate::kind::Kind;
use crate::learned::{Learning, Match, Seen};
use crate::memo::Values;
use crate::names::{self, Rule};

/// Nothing shorter is learnt, and no address is.
pub(crate) const SHORTEST: usize = 6;

/// How URIs begin that are what they stand for.
pub(super) const DATA: &[u8] = b"data:";

/// What stands in them before base64.
pub(super) const MARK: &[u8] = b";base64,";

impl Scanner<'_> {
    /// The patches of a value, in order.
    pub(crate) fn value(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        if value.is_empty() {
            return Vec::new();
        }
        let is_below = match context.rule {
            Some(Rule::Below(kind, below)) => names::may_be_secret(kind, below, value, self.answers),
            _ => false,
        };
        if self.is_unsearched(context)
            && let Some(kind) = self.sink.known(value)
        {
            let why = match context.why() {
                // Known or not, it would have been found.
                Why::Known if is_below => Why::Name,
                Why::Known if detect::shape(value) == Some(kind) => Why::Detector,
                why => why,
            };
            return self.replaced(kind, value, why);
        }
        if !matches!(context.rule, Some(Rule::Without(_)) | None) {
            self.note_runs(value);
        }
        match context.rule {
            Some(Rule::Own(number)) => self.own(number, value, context),
            Some(Rule::Id) => self.id(value, context),
            Some(_) if self.policy.index.whole_match(value).is_some() => self.free(value, context),
            Some(Rule::Keep) => Vec::new(),
            Some(Rule::Mask(kind)) => self.named(kind, value, context),
            Some(Rule::Below(kind, _)) if is_below => self.named(kind, value, context),
            Some(Rule::Below(..)) => self.free(value, Context { rule: None, ..context }),
            Some(Rule::Credentials) => self.credentials(value, context, false),
            Some(Rule::Challenge) => self.credentials(value, context, true),
            Some(Rule::Code) => {
                let mut patches = self.code(value, context.inner(None));
                merge(&mut patches, self.free(value, Context { rule: None, ..context }));
                patches
            }
            Some(Rule::Signatures) => {
                let mut patches = Vec::new();
                for range in signatures(value) {
                    let found = self.named(Kind::Signature, &value[range.clone()], context);
                    merge(&mut patches, shift(found, range.start));
                }
                patches
            }
            Some(Rule::Without(_)) | None => self.free(value, context),
        }
    }

    /// The whole value is one sensitive value.
    pub(crate) fn whole(&mut self, kind: Kind, value: &[u8]) -> Vec<Patch> {
        self.whole_because(kind, value, Why::Name)
    }

    /// A value whose name says that it is sensitive.
    pub(super) fn named(&mut self, kind: Kind, value: &[u8], context: Context) -> Vec<Patch> {
        let (start, inner) = unquoted(value);
        if inner.is_empty() {
            return Vec::new();
        }
        if inner.len() < value.len() {
            return shift(self.value(inner, Context { rule: Some(Rule::Mask(kind)), ..context }), start);
        }
        if kind.is_machine_made() && names::is_no_secret(value) {
            return Vec::new();
        }
        if self.answers && names::is_about(kind, value) {
            return self.free(value, context.inner(None));
        }
        if let Some(patches) = self.named_nested(kind, value, context) {
            return patches;
        }
        if kind == Kind::Ip {
            return self.addresses(value);
        }
        // A message's code goes by the name of an interface's address.
        let kind = if kind == Kind::Mac && !detect::mac::is_mac(value) { Kind::Signature } else { kind };
        // What was noted under that kind already has no other form.
        let shape = if self.sink.noted(kind, value) { None } else { detect::shape(value) };
        self.whole(shape.unwrap_or(kind), value)
    }

    /// Under the name of addresses there may stand a list of them, with ports, words and the servers' own: each is one value.
    fn addresses(&mut self, value: &[u8]) -> Vec<Patch> {
        let found = detect::ip::addresses(value);
        if found.is_empty() && !detect::ip::holds_any(value) {
            // An address as one number, or hashed; but not `unknown`.
            return if value.iter().any(u8::is_ascii_digit) {
                self.whole(Kind::Ip, value)
            } else {
                Vec::new()
            };
        }
        let mut patches = Vec::new();
        for range in found {
            let text = &value[range.clone()];
            patches.extend(shift(self.whole(Kind::Ip, text), range.start));
        }
        patches
    }

    /// Under the name of a secret there may stand something that holds the secret.
    fn named_nested(&mut self, kind: Kind, value: &[u8], context: Context) -> Option<Vec<Patch>> {
        let rule = Some(Rule::Mask(kind));
        // What is nested too deep is replaced as a whole: under such a name that is no loss.
        if context.depth >= self.policy.depth {
            return None;
        }
        if matches!(value.first(), Some(b'{' | b'['))
            && let Some(patches) = self.json(value, context.inner(rule))
        {
            return Some(patches);
        }
        if let Some(patches) = self.schemed(value, context) {
            return Some(patches);
        }
        if kind == Kind::Cookie && (value.starts_with(b"/") || value.starts_with(b"http")) {
            return Some(self.free(value, context.inner(None)));
        }
        if is_percent_encoded(value) {
            let decoded = percent::decode(value, false);
            // A password with a percent sign and two digits in it: what these would mean cannot be searched for, it can.
            let as_written = kind == Kind::Password
                && Learning::would_take(kind, value)
                && !Learning::would_take(kind, &decoded);
            if !as_written && std::str::from_utf8(&decoded).is_ok() {
                let patches = self.value(&decoded, context.inner(rule));
                return Some(Layer::new(value, &decoded, Encoding::Percent).lift(patches));
            }
        }
        // A number with its check digit that its name says it is: some are the hex of digits by chance.
        if detect::number_shape(value, Detectors::DEFAULT) == Some(kind) {
            return None;
        }
        let opened =
            Opened::of(value, &self.policy.limits).ok().flatten().filter(|opened| opened.is_certain(kind))?;
        let met = self.met;
        let patches = self.value(&opened.text, context.inner(rule));
        // Should nothing be found in it after all, the whole is the secret.
        (self.met > met).then(|| closed(&opened, value, &patches).unwrap_or_default())
    }

    /// `Bearer …`, `Basic …`, `Token …`: credentials, wherever they stand.
    fn schemed(&mut self, value: &[u8], context: Context) -> Option<Vec<Patch>> {
        let space = memchr::memchr(b' ', value.get(..8.min(value.len()))?)?;
        let scheme = value[..space].to_ascii_lowercase();
        matches!(scheme.as_slice(), b"bearer" | b"basic" | b"token")
            .then(|| self.credentials(value, context.inner(None), false))
    }

    /// The patches of what is within a value's base64 or hex, also in a `data:` URI.
    fn enclosed(&mut self, value: &[u8], context: Context) -> Option<Vec<Patch>> {
        let start = if value.starts_with(DATA) {
            memchr::memmem::find(&value[..value.len().min(256)], MARK)? + MARK.len()
        } else {
            0
        };
        let inner = &value[start..];
        let Ok(opened) = Opened::of(inner, &self.policy.limits) else {
            self.over = Some(Unreadable("nested-too-large"));
            return None;
        };
        let opened = opened?;
        // Of numbers some are hex of a text by chance; those are not what the audit sees.
        self.inlaid |= inlaid::may_hold(inner);
        if !self.may_open(context, opened.text.len()) {
            return None;
        }
        let found = self.free(&opened.text, context.inner(None));
        closed(&opened, inner, &found).map(|patches| shift(patches, start))
    }

    /// Tells apart what may be found in a short value that stands by itself and of which its name says nothing; `None` where
    /// more has a say in that than its bytes: what was learnt, a rule of the user's, what it stands in.
    pub(super) fn sort_of_short(&self, value: &[u8], context: Context) -> Option<u32> {
        let detectors = match context.rule {
            None => Detectors::NONE,
            Some(Rule::Without(detectors)) => detectors,
            Some(_) => return None,
        };
        let alone = context.depth == 0 && self.over.is_none() && (context.searched || self.sink.learns());
        // Tags within it are looked at in values only, and an answer may speak of a secret that is in one.
        let about = [context.cards, context.between, self.answers];
        let about = about.into_iter().fold(0, |about, is| about << 1 | u32::from(is));
        (Values::takes(value) && alone && self.policy.is_steady())
            .then(|| u32::from(detectors.number()) << 5 | about << 2)
    }

    /// A value of which nothing is known: what is nested in it, what was learnt, what gives itself away.
    pub(super) fn free_value(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        if value.len() < SHORTEST {
            return Vec::new();
        }
        if words::holds_nothing(value) || words::is_plain_path(value) {
            return self.learnt_within(value, context);
        }
        // These two are every third value of an interface: all that could be in them is what was learnt.
        let holds_uuids = context.detectors(self.policy.detectors).has(Detectors::UUID);
        if detect::is_moment(value) || !holds_uuids && detect::is_plain_uuid(value) {
            return self.learnt_within(value, context);
        }
        let sort = self.sort_of_short(value, context);
        if sort.is_some_and(|sort| self.memo.values.has(sort, value)) || self.is_idle_link(value, context) {
            return Vec::new();
        }
        // Neither JSON nor a link with pairs: all that it could be is an encoding.
        if links::is_plain_code(value)
            && !value.starts_with(DATA)
            && matches!(Opened::of(value, &self.policy.limits), Ok(None))
        {
            return self.learnt_within(value, context);
        }
        let look = Look::of(value);
        let (signs, possible) = (look.signs(), look.possible(context.detectors(self.policy.detectors)));
        let Some(sort) = sort.filter(|_| !signs.has_angle()) else {
            return self.signed_value(value, context, &look, possible);
        };
        let mut patches = Vec::new();
        if self.holds(|scanner| patches = scanner.signed_value(value, context, &look, possible)) {
            return patches;
        }
        self.memo.values.note(sort, value);
        patches
    }

    /// Whether something was met in what is looked at here, or there is a value within a value in it, or more than may be opened.
    fn holds(&mut self, look: impl FnOnce(&mut Self)) -> bool {
        let (met, within) = (self.met, std::mem::replace(&mut self.within, false));
        look(self);
        let holds = self.met != met || self.within || self.over.is_some();
        self.within |= within;
        holds
    }

    /// The patches of what was learnt, where the search of the whole did not see all of the value.
    fn learnt_within(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        let matches = self.matches_within(value, context);
        self.sink.sweep(self.policy, value, matches, false)
    }

    /// Where that is written.
    fn matches_within(&mut self, value: &[u8], context: Context) -> Vec<Match> {
        if self.is_unsearched(context) { self.sink.matches(value) } else { Vec::new() }
    }

    /// The same, where it is known what signs are in it of something to be found.
    fn signed_value(
        &mut self,
        value: &[u8],
        context: Context,
        look: &Look<'_>,
        possible: Detectors,
    ) -> Vec<Patch> {
        let signs = look.signs();
        let mut patches = Vec::new();
        let mut is_json = false;
        let text = value.trim_ascii_start();
        match text.first() {
            Some(b'{' | b'[') => {
                if context.depth < self.policy.depth {
                    let found = self.json(value, context.inner(None));
                    is_json = found.is_some();
                    patches = found.unwrap_or_default();
                } else if nested::is_json(value) {
                    self.may_open(context, value.len());
                }
            }
            // A scheme and credentials; but `token of thanks` is a text.
            Some(b'B' | b'b') if is_schemed(value) => {
                if let Some(found) = self.schemed(value, context) {
                    patches = found;
                }
            }
            _ => {}
        }
        if context.depth < self.policy.depth {
            let object = |at: usize| value.get(at + 1) == Some(&b'"');
            if signs.has_brace() && patches.is_empty() && memchr::memchr_iter(b'{', value).any(object) {
                patches = self.json_within(value, context);
            }
            if patches.is_empty()
                && signs.has_line_break()
                && let Some(found) = self.table(value, context)
            {
                patches = found;
            }
            if signs.may_hold_url() {
                merge(&mut patches, self.connections(value, context));
            }
            // In a page or an XML body these are leaves already; here they are written in something else.
            if signs.has_angle()
                && !context.between
                && is_markup(value)
                && self.may_open(context, value.len())
            {
                merge(&mut patches, self.markup(value, context));
            }
        }
        if signs.has_brace()
            && matches!(text.first(), Some(b'q' | b'm' | b's' | b'{'))
            && is_graphql(text)
            && self.may_open(context, value.len())
        {
            merge(&mut patches, self.code(value, context.inner(None)));
        }
        if (signs.may_be_enclosed() || value.starts_with(DATA))
            && let Some(found) = self.enclosed(value, context)
        {
            merge(&mut patches, found);
        }
        let mut matches = self.matches_within(value, context);
        let query = self.query_by_itself(value, context, look);
        let idle_query = query.is_some_and(|(sort, query)| self.memo.values.has(sort, query));
        if context.depth < self.policy.depth && signs.may_hold_url() && !idle_query {
            let mut found = false;
            let holds = self.holds(|scanner| {
                let urls = scanner.urls(value, context);
                let mut assigned = scanner.assignments(value, context);
                let known = Seen::of(&matches);
                assigned.retain(|patch| !said::is_instead(&known, value, &patch.range));
                for more in [urls, assigned] {
                    found |= !more.is_empty();
                    merge(&mut patches, more);
                }
            });
            if let Some((sort, query)) = query
                && !(holds || found || refers(query))
            {
                self.memo.values.note(sort, query);
            }
        }
        let put = |patch: &Patch| patch.bytes.clone();
        let rests = self.settle_with(value, &mut matches, &mut patches, |patch| &patch.range, put);
        merge(&mut patches, rests);
        // Of JSON the strings have been looked into.
        if context.depth < self.policy.depth && signs.may_hold_names() && !is_json {
            merge(&mut patches, self.said(value, signs, &matches, context));
        }
        if let Some((sort, query)) = query.filter(|_| idle_query) {
            let look = Look::of(query);
            let detectors = context.detectors(self.policy.detectors);
            let quiet = look.possible(detectors) == Detectors::NONE
                && !(look.may_hold_inlaid() && inlaid::may_hold(query))
                && !said::may_be(query, look.signs());
            if look.signs().is_query() && quiet {
                self.memo.values.note(sort & !QUERY | IDLE_QUERY, query);
            }
        }
        let found =
            if possible == Detectors::NONE { Vec::new() } else { detect::detect_possible(value, possible) };
        let rests = self.settle_with(value, &mut matches, &mut patches, |patch| &patch.range, put);
        merge(&mut patches, rests);
        let learnt = self.sink.sweep(self.policy, value, matches, false);
        // Of JSON the strings have been looked into.
        if !is_json && look.may_hold_inlaid() {
            merge(&mut patches, self.inlaid(value, context, &found, &learnt));
        }
        merge(&mut patches, learnt);
        if !found.is_empty() {
            let mut detected = Vec::new();
            let over: Vec<_> = found
                .iter()
                .map(|found| found.range.clone())
                .filter(|range| overlaps(&patches, range))
                .collect();
            for found in found {
                let range = found.range;
                let text = &value[range.clone()];
                // Known or not, it would have been found.
                let there = patches.partition_point(|p| p.range.start < range.start);
                if let Some(known) = patches.get_mut(there)
                    && known.range == range
                    && known.why == Why::Known
                {
                    known.why = Why::Detector;
                    continue;
                }
                detected.extend(shift(self.whole_because(found.kind, text, Why::Detector), range.start));
            }
            merge(&mut patches, detected);
            if !over.is_empty() {
                let covered: Vec<_> = patches.iter().map(|patch| patch.range.clone()).collect();
                let rests = self.rests(value, &over, &covered);
                merge(&mut patches, rests);
            }
        }
        if signs.has_percent() && has_percent(value) && self.may_open(context, value.len()) {
            let decoded = percent::decode(value, false);
            let found = self.free(&decoded, context.inner(None));
            let found = Layer::new(value, &decoded, Encoding::Percent).lift(found);
            merge_decoded(value, &mut patches, found);
        }
        // Written for a page or a JSON text, and put into something else as it was.
        if signs.has_ampersand() && !idle_query {
            let found = self.escaped(value, Encoding::HtmlText, context);
            merge_decoded(value, &mut patches, found);
        }
        if signs.has_backslash() {
            let found = self.escaped(value, Encoding::JsonString, context);
            merge_decoded(value, &mut patches, found);
            // As scripts have it, and logs: JSON has no such escapes.
            if script_escapes(value) {
                merge(&mut patches, self.escaped(value, Encoding::ScriptString, context));
            }
        }
        patches
    }

    /// The patches of what shows in a text when character references or backslashes are undone.
    fn escaped(&mut self, value: &[u8], encoding: Encoding, context: Context) -> Vec<Patch> {
        let Some(decoded) = encoding.decode(value).filter(|decoded| **decoded != *value) else {
            return Vec::new();
        };
        if !self.may_open(context, decoded.len()) {
            return Vec::new();
        }
        let found = self.free(&decoded, context.inner(None));
        if found.is_empty() { found } else { Layer::new(value, &decoded, encoding).lift(found) }
    }
}

/// Whether a patch has some bytes in common with a range, and others before or behind it. They are in order.
fn overlaps(patches: &[Patch], with: &Range<usize>) -> bool {
    let there = patches.get(among(patches, |patch| &patch.range, with)).unwrap_or_default();
    there.iter().any(|Patch { range, .. }| (range.start < with.start) != (range.end > with.end))
}

/// What is written in place of a value that was opened; `None` when nothing in it changes.
pub(super) fn closed(opened: &Opened, value: &[u8], patches: &[Patch]) -> Option<Vec<Patch>> {
    let (kind, why) = patches.first().map(|p| (p.kind, p.why))?;
    let bytes = opened.close(&splice(&opened.text, patches))?;
    Some(vec![Patch { range: 0..value.len(), bytes, kind, why }])
}
