//! Finds the sensitive values of a message. Learning and masking run the same code and differ in the [`Sink`]: the learner
//! notes the values, the masker answers with pseudonyms.
//!
//! | module | looks into |
//! |---|---|
//! | [`part`] | a head or a body: its leaves, what lies between them, and the whole by learnt value |
//! | [`leaf`] | one leaf of it: what its place says |
//! | [`blots`] | what of a head nobody could rewrite |
//! | [`head`], [`lines`], [`changes`] | a head line by line, where no rule is about a place; what is done in it |
//! | [`quiet`] | what evidently holds nothing |
//! | [`document`] | a JSON body: keys, values and what lies between them in one go |
//! | [`room`] | what is collected while JSON is read |
//! | [`seams`] | what stands between the values of JSON, found out once |
//! | [`fitting`] | what JSON would not be JSON with |
//! | [`page`], [`trails`] | an HTML body; what stands between its values, found out once |
//! | [`pieces`] | what came behind what, for [`seams`] and [`trails`] |
//! | [`again`] | a body that was taken apart before |
//! | [`value`] | one decoded value, under a name or not |
//! | [`pluses`] | values of queries and forms in which a `+` is one |
//! | [`hints`] | what a value may be, by a few of its signs |
//! | [`idle`] | links with a query that was seen before |
//! | [`nested`] | JSON in strings, web tokens, queries of GraphQL |
//! | [`opened`] | base64 and hex, compressed or not |
//! | [`inlaid`] | base64 and hex in the midst of a text |
//! | [`signature`] | what is signed, and by which scheme |
//! | [`own`] | the user's rules |
//! | [`ids`] | resource ids, where they are to go |
//! | [`table`] | CSV: columns with names |
//! | [`said`] | names and their values in the midst of a text |
//! | [`url`] | queries and user information of URLs within text |
//! | [`connection`] | connection strings: `Server=db;Password=…` |
//! | [`credentials`] | `Authorization` and its like |
//! | [`settle`] | which of several changes stays where they overlap |
//! | [`layer`] | back from decoded to written |

mod again;
mod blots;
pub(crate) mod changes;
mod connection;
mod credentials;
mod document;
mod fitting;
mod head;
pub(crate) mod hints;
mod idle;
mod ids;
pub(crate) mod inlaid;
pub(crate) mod layer;
mod leaf;
pub(crate) mod lines;
mod nested;
pub(crate) mod opened;
mod own;
mod page;
pub(crate) mod part;
mod pieces;
pub(crate) mod pluses;
pub(crate) mod quiet;
pub(crate) mod room;
mod said;
pub(crate) mod seams;
pub(crate) mod settle;
mod signature;
mod table;
pub(crate) mod trails;
mod url;
pub(crate) mod value;

use std::ops::Range;

use mynah_message::{BodyKind, Encoding, Limits};

use crate::detect::Detectors;
use crate::kind::Kind;
use crate::learned::Match;
use crate::memo::Memo;
use crate::names::Rule;
use crate::policy::Policy;

/// What to write in place of a range of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Patch {
    pub(crate) range: Range<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) why: Why,
}

/// Who found a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Why {
    /// A built-in name, or what its place means.
    Name,
    /// A detector, by its form.
    Detector,
    /// A rule of the user's, by its number.
    Rule(u8),
    /// It was found sensitive elsewhere.
    Known,
    /// It is a resource's identifier, and these are to go.
    Strict,
    /// Too few clients share it.
    Rare,
}

/// What becomes of the values found.
pub(crate) trait Sink {
    /// A sensitive value, decoded. The answer is what to put in its place; none while learning.
    fn replace(&mut self, kind: Kind, value: &[u8]) -> Option<Vec<u8>>;

    /// A web token is replaced by its masked self, made by the scanner; `None` while learning, when it is noted.
    fn replace_jwt(&mut self, value: &[u8], masked: Option<Vec<u8>>) -> Option<Vec<u8>>;

    /// The signature for a web token; the one it has when there is nothing to sign.
    fn sign(&mut self, token: &[u8], signature: &[u8]) -> Option<Vec<u8>>;

    /// The kind under which a whole value was learnt; none while learning.
    fn known(&self, value: &[u8]) -> Option<Kind>;

    /// Whether a value was noted under that very kind, by name and form; only while learning.
    fn noted(&self, kind: Kind, value: &[u8]) -> bool {
        let _ = (kind, value);
        false
    }

    /// What became of this web token when it was met before, if that is still known.
    fn met_jwt(&mut self, value: &[u8]) -> Met;

    /// Whether values are learnt, and nothing is replaced.
    fn learns(&self) -> bool {
        false
    }

    /// Whether most of what is met stays as it is.
    fn leaves_most(&self) -> bool {
        false
    }

    /// Whether learnt values may be written so that they are seen only when escapes are undone.
    fn may_hide(&self, raw: &[u8], encoding: Encoding) -> bool {
        let _ = (raw, encoding);
        true
    }

    /// Whether learnt values show in bytes that are masked, when escapes are undone; with `runs`, also within base64 and hex, and with
    /// `written` as they are.
    fn hides(&self, masked: &[u8], limits: &Limits, runs: bool, written: bool) -> bool {
        let _ = (masked, limits, runs, written);
        false
    }

    /// Whether any value that was learnt when so many were known already shows in a text, as it is or in anything within it.
    fn shows_later(&self, text: &[u8], limits: &Limits, known: usize) -> bool {
        let _ = (text, limits, known);
        true
    }

    /// Base64 or hex of a text was met, or a body that nobody can read.
    fn note_inlaid(&self) {}

    /// What to put in place of a value that is not to be read any more; none while learning.
    fn blot(&self, value: &[u8]) -> Option<Vec<u8>> {
        let _ = value;
        None
    }

    /// Whether a learnt value may have a line break in it.
    fn may_cross_lines(&self) -> bool {
        true
    }

    /// Where learnt values are written in a text, overlapping ones too; nowhere while learning.
    fn matches(&self, text: &[u8]) -> Vec<Match>;

    /// These [`matches`](Sink::matches) of a text, with their pseudonyms written as the values were; in order, without
    /// overlaps. `in_place` asks for pseudonyms of the very same length.
    fn sweep(&mut self, policy: &Policy, text: &[u8], matches: Vec<Match>, in_place: bool) -> Vec<Patch>;
}

/// Whether a web token was met before.
pub(crate) enum Met {
    /// Not that anyone remembers.
    New,
    /// It was noted, with its claims.
    Noted,
    /// It was given this pseudonym.
    Replaced(Vec<u8>),
}

/// Why a part cannot be masked. The text is the reason in reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl Unreadable {
    /// Learnt values would show to who undoes encodings.
    pub(crate) const HIDES: Unreadable = Unreadable("hides-original");

    /// The reason where it is all of a head that cannot be masked.
    pub(crate) fn of_head(self) -> &'static str {
        if self == Unreadable::HIDES { self.0 } else { "head-unreadable" }
    }
}

/// What is known about a value before it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// What its name says.
    pub(crate) rule: Option<Rule>,
    /// False in path segments, where resource ids stand that are as random as secrets: these stay there.
    pub(crate) cards: bool,
    /// How many values it is in.
    pub(crate) depth: u8,
    /// Whether tags in it are those of the page around it, which has been taken apart.
    pub(crate) between: bool,
    /// Whether it is known that no learnt value is written in it: all of the part was searched before.
    pub(crate) searched: bool,
}

impl Context {
    pub(crate) fn new(rule: Option<Rule>) -> Context {
        Context { rule, cards: true, depth: 0, between: false, searched: false }
    }

    /// Who is to be named when a value is replaced that was known before it was looked at.
    fn why(self) -> Why {
        match self.rule {
            Some(Rule::Own(number)) => Why::Rule(number),
            Some(Rule::Id | Rule::Without(_) | Rule::Below(..)) | None => Why::Known,
            Some(_) => Why::Name,
        }
    }

    /// Those of these detectors that look at it.
    pub(crate) fn detectors(self, all: Detectors) -> Detectors {
        let which = if self.cards { all } else { all.in_path() };
        match self.rule {
            Some(Rule::Without(detectors)) => which.without(detectors),
            _ => which,
        }
    }

    /// For a value within this one.
    fn inner(self, rule: Option<Rule>) -> Context {
        // It may have been decoded, so that the search did not see it.
        Context { rule, depth: self.depth + 1, between: false, searched: false, ..self }
    }
}

/// The rules at work on values.
pub(crate) struct Scanner<'s> {
    pub(crate) policy: &'s Policy,
    pub(crate) sink: &'s mut dyn Sink,
    pub(crate) memo: &'s mut Memo,
    /// Sensitive values met so far.
    pub(crate) met: u64,
    /// Whether base64 or hex stands in the part at hand, or it was not read, so that there may be some.
    inlaid: bool,
    /// Whether there may be some in a part that was masked, be it opened or not.
    runs: bool,
    /// Whether something that was learnt stands in the part at hand where something else is replaced: what is left of it may still show.
    partly: bool,
    /// Bytes of the part at hand that were within others, and how many may be.
    opened: usize,
    openable: usize,
    /// Set when a value could be opened and was not, because of a limit: it may hold anything.
    over: Option<Unreadable>,
    /// Whether nobody can read the body that was looked at last: an image, say.
    pub(crate) unread: bool,
    /// Under which scheme the request is signed whose head was looked at last, if it is.
    pub(crate) signed: Option<&'static str>,
    /// Whether the part at hand is a response's: what it says under the name of a secret may be about it.
    pub(crate) answers: bool,
    /// Whether what lies between the values of the part at hand may be code.
    code: bool,
    /// Rules about more than one value of the part at hand: over which bytes, and which rule.
    inherited: Vec<(Range<usize>, u8)>,
    /// Whether something in the head that was looked at last was not to be read any more, as nobody could rewrite it.
    pub(crate) blotted: bool,
    /// The rule under which the exchange is to be left out.
    pub(crate) rejected: Option<u8>,
    /// Whether values are a web token's claims, whose names always count.
    in_claims: bool,
    /// A value within a value was come by, in which the search of the whole may not see what was learnt.
    pub(crate) within: bool,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(policy: &'s Policy, sink: &'s mut dyn Sink, memo: &'s mut Memo) -> Scanner<'s> {
        Scanner {
            policy,
            sink,
            memo,
            met: 0,
            over: None,
            inlaid: false,
            runs: false,
            partly: false,
            opened: 0,
            openable: OPENABLE,
            unread: false,
            signed: None,
            answers: false,
            code: false,
            inherited: Vec::new(),
            blotted: false,
            rejected: None,
            in_claims: false,
            within: false,
        }
    }

    /// Whether so much that can be opened may be: below the limit on depth, and on work, which layers of different encodings on top of
    /// each other multiply.
    fn may_open(&mut self, context: Context, bytes: usize) -> bool {
        self.opened += bytes;
        let may = context.depth < self.policy.depth && self.opened <= self.openable;
        if !may {
            self.over = Some(Unreadable("nested-too-deep"));
        }
        may
    }

    /// Whether learnt values show in a body that was masked just now, in a way that the audit would see. Of JSON each value was looked at
    /// as a whole; of others some pieces by themselves.
    pub(crate) fn body_hides(&mut self, kind: &BodyKind, masked: &[u8]) -> bool {
        self.runs |= *kind != BodyKind::Json && inlaid::may_hold(masked);
        self.hides(masked)
    }

    /// Base64 or hex may stand in a value into which nobody looked for that.
    fn note_runs(&mut self, value: &[u8]) {
        if value.len() >= inlaid::SHORTEST && inlaid::may_hold(value) {
            (self.runs, self.within) = (true, true);
        }
    }

    /// The same of any part. Of a head it was said, line by line, whether there may be base64 or hex.
    pub(crate) fn hides(&self, masked: &[u8]) -> bool {
        if self.inlaid || self.unread {
            self.sink.note_inlaid();
        }
        let runs = self.runs || self.inlaid || self.unread;
        self.sink.hides(masked, &self.policy.limits, runs, self.partly)
    }

    /// The same of a piece of it, in which base64 and hex are always opened.
    fn piece_hides(&self, masked: &[u8]) -> bool {
        self.sink.hides(masked, &self.policy.limits, true, self.partly)
    }

    /// Whether a value must be looked at for what was learnt. Takes note of it where the value is within another one.
    fn is_unsearched(&mut self, context: Context) -> bool {
        self.within |= context.depth > 0 && !context.searched;
        !context.searched
    }
}

/// Bytes that may be opened in any part, and for each byte of a larger one.
pub(crate) const OPENABLE: usize = 1 << 20;
pub(crate) const OPENABLE_EACH: usize = 24;

/// Adds the patches that overlap none so far. Both lists are in order, and so is what comes out.
#[inline]
fn merge(first: &mut Vec<Patch>, second: Vec<Patch>) {
    if !second.is_empty() {
        merge_some(first, second);
    }
}

fn merge_some(first: &mut Vec<Patch>, second: Vec<Patch>) {
    let mut fresh: Vec<Patch> = Vec::new();
    for patch in second {
        let before = first.partition_point(|p| p.range.end <= patch.range.start);
        let free = first.get(before).is_none_or(|p| p.range.start >= patch.range.end);
        let follows = fresh.last().is_none_or(|p| p.range.end <= patch.range.start);
        if free && follows {
            fresh.push(patch);
        }
    }
    let in_order = match (first.last(), fresh.first()) {
        (Some(last), Some(next)) => last.range.end <= next.range.start,
        _ => true,
    };
    first.append(&mut fresh);
    if !in_order {
        first.sort_by_key(|p| p.range.start);
    }
}

/// The patches of a piece, moved to where the piece stands.
fn shift(mut patches: Vec<Patch>, by: usize) -> Vec<Patch> {
    for patch in &mut patches {
        patch.range.start += by;
        patch.range.end += by;
    }
    patches
}
