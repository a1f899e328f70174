//! An HTML body: its leaves and what lies between them in one go. Where names and detectors alone say what is sensitive, most leaves
//! evidently hold nothing, and what lies between them has been there before.

use std::borrow::Cow;
use std::ops::Range;

use mynah_message::{Encoding, Leaf, Locator, Onward, PageEvents, Side, Spot, View};

use super::again::{Noted, Notes};
use super::document::touches;
use super::part::{Planned, planned};
use super::pieces::Behind;
use super::trails::{From, To};
use super::value::SHORTEST;
use super::{Context, Scanner, shift};
use crate::detect::words;
use crate::entropy;
use crate::learned::Match;
use crate::memo::Values;
use crate::names::Rule;
use crate::plan::Step;

/// Links that are longer, or have more segments or pairs, are left to who counts them.
const LONGEST_LINK: usize = 1024;
const MOST_PIECES: usize = 64;

struct Page<'p, 's> {
    scanner: &'p mut Scanner<'s>,
    side: Side,
    bytes: &'p [u8],
    matches: &'p [Match],
    plan: Vec<Planned>,
    notes: Notes,
    /// Where the last value ended.
    end: usize,
    /// What it stands in, where what follows is read alike whatever came before.
    from: Option<From>,
    /// The trail that led to it.
    behind: Behind,
    /// The last link, between its quotes, and whether its pieces are as they are written.
    link: Range<usize>,
    link_is_plain: bool,
    /// Where it was last looked for what follows.
    asked: Option<usize>,
}

impl Scanner<'_> {
    /// What is to be done in a page, and where to look when the same page is met again.
    pub(super) fn page(
        &mut self,
        view: &View<'_>,
        matches: &[Match],
        notes: Notes,
    ) -> (Vec<Planned>, Option<Vec<Step>>) {
        let mut page = Page {
            scanner: self,
            side: view.side(),
            bytes: view.body(),
            matches,
            plan: Vec::new(),
            notes,
            end: 0,
            from: None,
            behind: Behind::default(),
            link: 0..0,
            link_is_plain: false,
            asked: None,
        };
        view.page_values(&mut page);
        let last = page.end..page.bytes.len();
        page.between(&last);
        (page.plan, page.notes.finish())
    }
}

impl Page<'_, '_> {
    /// Looks at what lies between two leaves. Says whether there is nothing in it, nor can be but what was learnt.
    fn between(&mut self, gap: &Range<usize>) -> bool {
        // No address and no learnt value is shorter.
        if gap.len() < SHORTEST {
            return true;
        }
        let Some(text) = self.bytes.get(gap.clone()) else { return false };
        let context = Context { searched: !touches(self.matches, gap), between: true, ..Context::new(None) };
        // What is short is among the values that are kept in mind.
        let print = (context.searched && !Values::takes(text))
            .then(|| self.scanner.memo.trails.print(self.scanner.answers, text));
        if print.is_some_and(|print| self.scanner.memo.trails.is_clean(print)) {
            return true;
        }
        self.notes.begin(self.scanner);
        let met = self.scanner.met;
        let patches = self.scanner.free(text, context);
        let idle = context.searched
            && patches.is_empty()
            && self.scanner.met == met
            && !self.scanner.within
            && self.scanner.over.is_none();
        self.notes.gap(self.scanner, gap);
        self.plan.extend(planned(shift(patches, gap.start), "between"));
        if let (true, Some(print)) = (idle, print) {
            self.scanner.memo.trails.note_clean(print);
        }
        idle
    }

    /// Whether there is evidently nothing in a leaf.
    fn is_idle(&self, span: &Range<usize>, encoding: Encoding, context: Context) -> bool {
        let Some(raw) = self.bytes.get(span.clone()) else { return false };
        let escapes = match encoding {
            Encoding::HtmlAttr | Encoding::HtmlAttrUnquoted | Encoding::HtmlText => b'&',
            Encoding::Percent => b'%',
            Encoding::FormPercent => b'+',
            Encoding::ScriptString | Encoding::ScriptNumber => b'\\',
            _ => return false,
        };
        if !matches!(context.rule, None | Some(Rule::Without(_))) || touches(self.matches, span) {
            return false;
        }
        if encoding == Encoding::ScriptNumber {
            return raw.len() < entropy::UNIQUE_BYTES;
        }
        if raw.len() < SHORTEST {
            return !raw.iter().any(|b| *b == escapes || *b == b'%');
        }
        // What is quiet has no other of these signs in it.
        (escapes != b'+' || memchr::memchr(b'+', raw).is_none())
            && self.scanner.is_quiet(raw, context.detectors(self.scanner.policy.detectors))
    }

    /// Looks at a leaf that is written like that.
    fn look(&mut self, span: Range<usize>, encoding: Encoding, context: Context, place: &'static str) {
        if self.is_idle(&span, encoding, context) {
            return;
        }
        let Some(raw) = self.bytes.get(span.clone()) else { return };
        let Some(value) = encoding.decode(raw) else { return };
        let escaped = matches!(value, Cow::Owned(_)) && *raw != *value;
        let context = Context { searched: !escaped && !touches(self.matches, &span), ..context };
        self.notes.begin(self.scanner);
        let is_idle =
            self.scanner.pluses_hold_nothing(raw, encoding) && self.is_idle_decoded(&value, context);
        let lifted = if is_idle { Vec::new() } else { self.scanner.written(raw, &value, encoding, context) };
        let noted = Noted { span: &span, raw, value: &value, encoding, place };
        self.notes.value(self.scanner, &noted, context);
        self.plan.extend(planned(shift(lifted, span.start), place));
    }

    /// Whether there is evidently nothing in what a leaf means. While learning nothing is searched for.
    fn is_idle_decoded(&self, value: &[u8], context: Context) -> bool {
        self.scanner.sink.learns()
            && matches!(context.rule, None | Some(Rule::Without(_)))
            && (words::with_quotes_holds_nothing(value)
                || self.scanner.is_quiet(value, context.detectors(self.scanner.policy.detectors)))
    }

    /// The trail behind the last value led to this one.
    fn note(&mut self, leaf: &Leaf<'_>, spot: &Spot, rule: Option<Rule>) {
        let gap = self.end..leaf.span.start;
        let idle = self.between(&gap);
        let first = self.follow(spot);
        match (self.from, self.bytes.get(gap), self.to(leaf, spot, first, rule)) {
            (Some(from), Some(bytes), Some(to)) => {
                let trails = &mut self.scanner.memo.trails;
                trails.note(&mut self.behind, from, self.scanner.answers, bytes, (to, idle));
            }
            _ => self.behind = Behind::default(),
        }
    }

    /// Keeps in mind which link is at hand. Says whether it is a new one.
    fn follow(&mut self, spot: &Spot) -> bool {
        let Spot::Piece { url, quote, .. } = spot else { return false };
        let first = self.link != *url;
        if first {
            self.link = url.clone();
            self.link_is_plain = self.is_plain_link(url, *quote);
        }
        first
    }

    /// What a trail leads to that leads to this leaf; `None` where it may be something else when it is come by again.
    fn to(&self, leaf: &Leaf<'_>, spot: &Spot, first: bool, rule: Option<Rule>) -> Option<To> {
        match *spot {
            Spot::Text { plain: true } => Some(To::Text),
            Spot::Attribute { quote, plain: true } => Some(To::Attribute { quote, rule }),
            Spot::Piece { ref url, quote, plain: true } if self.link_is_plain => {
                let before = self.bytes.get(url.start..leaf.span.start)?;
                match (first, is_pair(leaf)) {
                    (true, false) => is_root(before).then_some(To::Link { quote, before: before.len() }),
                    (true, true) => None,
                    (false, false) => Some(To::Segment),
                    // One without a name has no equals sign before it.
                    (false, true) => before.ends_with(b"=").then_some(To::Pair { rule }),
                }
            }
            _ => None,
        }
    }

    /// What this leaf stands in, where that says all of how what follows is read.
    fn from(&self, leaf: &Leaf<'_>, spot: &Spot) -> Option<From> {
        match *spot {
            Spot::Text { .. } => Some(From::Text),
            Spot::Attribute { quote, .. } | Spot::Link { quote } => {
                (self.bytes.get(leaf.span.end) == Some(&quote)).then_some(From::Quoted(quote))
            }
            Spot::Piece { quote, .. } if self.link_is_plain => {
                Some(if is_pair(leaf) { From::Query(quote) } else { From::Path(quote) })
            }
            _ => None,
        }
    }

    /// Whether the pieces of a link are written as they are but for percent signs, so that they end where there is a delimiter.
    fn is_plain_link(&self, link: &Range<usize>, quote: u8) -> bool {
        let Some(text) = self.bytes.get(link.clone()) else { return false };
        let (Some(first), Some(last)) = (text.first(), text.last()) else { return false };
        let many = || memchr::memchr_iter(b'/', text).count() > MOST_PIECES;
        if first.is_ascii_whitespace()
            || last.is_ascii_whitespace()
            || self.bytes.get(link.end) != Some(&quote)
            || text.len() > LONGEST_LINK
            || text.len() > MOST_PIECES && many()
        {
            return false;
        }
        let Some(pair) = memchr::memchr(b'&', text) else { return true };
        let in_query = memchr::memchr(b'?', text).is_some_and(|question| question < pair);
        in_query
            && memchr::memchr_iter(b'&', text).count() <= MOST_PIECES
            && memchr::memchr_iter(b'&', text).all(|at| divides_pairs(text.get(at + 1..).unwrap_or_default()))
    }

    /// Where the value ends to which a trail leads that ends there, and what that stands in; `None` where it is not what the trail
    /// led to before.
    fn reach(&mut self, from: From, to: To, start: usize) -> Option<(usize, From)> {
        match to {
            To::Text => {
                let rest = self.bytes.get(start..)?;
                if rest.first().is_none_or(|b| b.is_ascii_whitespace() || *b == b'<') {
                    return None;
                }
                let markup = |at: &usize| {
                    let next = rest.get(at + 1);
                    next.is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'!' | b'?' | b'/'))
                };
                let text = rest.get(..memchr::memchr_iter(b'<', rest).find(markup)?)?;
                Some((start + text.trim_ascii_end().len(), From::Text))
            }
            To::Attribute { quote, .. } => {
                let len = memchr::memchr(quote, self.bytes.get(start..)?)?;
                Some((start + len, From::Quoted(quote)))
            }
            To::Link { quote, before } => {
                let len = memchr::memchr(quote, self.bytes.get(start..)?)?;
                let link = start.checked_sub(before)?..start + len;
                if !self.is_plain_link(&link, quote) {
                    return None;
                }
                let end = self.segment(start, link.end)?;
                (self.link, self.link_is_plain) = (link, true);
                Some((end, From::Path(quote)))
            }
            To::Segment => Some((self.segment(start, self.link.end)?, from)),
            To::Pair { .. } => {
                let rest = self.bytes.get(start..self.link.end)?;
                let len = memchr::memchr2(b'&', b'#', rest).unwrap_or(rest.len());
                let (From::Path(quote) | From::Query(quote)) = from else { return None };
                Some((start + len, From::Query(quote)))
            }
        }
    }

    /// Where the segment of a path ends that begins there, if it is not empty.
    fn segment(&self, start: usize, end: usize) -> Option<usize> {
        let rest = self.bytes.get(start..end)?;
        let len = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
        (len > 0).then_some(start + len)
    }
}

/// Whether a piece of a link is the value of a pair.
fn is_pair(leaf: &Leaf<'_>) -> bool {
    matches!(&leaf.locator, Locator::Link { pattern, .. } if pattern.contains('?'))
}

/// Whether a link that begins so goes on with its path, whatever follows.
fn is_root(before: &[u8]) -> bool {
    let rest = [&b"https:"[..], b"http:"].into_iter().find_map(|scheme| before.strip_prefix(scheme));
    let host = rest.unwrap_or(before).strip_prefix(b"//").and_then(|host| host.strip_suffix(b"/"));
    before == b"/" || host.is_some_and(|host| !host.is_empty() && !host.iter().any(|b| b"/?#&".contains(b)))
}

/// Whether an ampersand divides pairs that has this behind it: it is written as a character reference, or is none as the name of the
/// next pair follows.
fn divides_pairs(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    rest.starts_with(b"amp;") || name > 0 && rest.get(name) == Some(&b'=')
}

impl PageEvents for Page<'_, '_> {
    fn value(&mut self, leaf: Leaf<'_>, spot: &Spot) {
        let control = matches!(leaf.locator, Locator::Input { .. });
        // The pieces of a composite come by themselves; of a chosen option only this leaf has the name.
        if leaf.composite && !control {
            return;
        }
        let context = self.scanner.context(self.bytes, &leaf, self.side);
        if !leaf.composite {
            self.note(&leaf, spot, context.rule);
            self.end = self.end.max(leaf.span.end);
            self.from = self.from(&leaf, spot);
            let raw = self.bytes.get(leaf.span.clone());
            if raw == Some(&*leaf.value) && self.is_idle(&leaf.span, leaf.encoding, context) {
                return;
            }
        }
        let raw = self.bytes.get(leaf.span.clone());
        let searched = raw == Some(&*leaf.value) && !touches(self.matches, &leaf.span);
        let context = Context { searched, ..context };
        self.notes.begin(self.scanner);
        self.scanner.leaf(self.bytes, &leaf, context, &mut self.plan);
        self.notes.leaf(self.scanner, self.bytes, &leaf, context);
    }

    fn ahead(&mut self) -> Option<Onward> {
        if self.asked == Some(self.end) {
            return None;
        }
        let begun = self.end;
        while let Some(from) = self.from {
            let trails = &self.scanner.memo.trails;
            let rest = self.bytes.get(self.end..).unwrap_or_default();
            let Some((behind, trail)) = trails.next(self.behind, from, self.scanner.answers, rest) else {
                break;
            };
            let (to, idle, start) = (trail.to, trail.idle, self.end + trail.len());
            let Some((end, next)) = self.reach(from, to, start) else { break };
            let gap = self.end..start;
            (self.behind, self.from, self.end) = (behind, Some(next), end);
            if !idle || touches(self.matches, &gap) {
                self.between(&gap);
            }
            let (rule, cards, encoding, place) = match to {
                To::Text => (None, true, Encoding::HtmlText, "text"),
                To::Attribute { rule, .. } => (rule, true, Encoding::HtmlAttr, "attribute"),
                To::Link { .. } | To::Segment => (None, false, Encoding::Percent, "link"),
                To::Pair { rule } => (rule, true, Encoding::FormPercent, "link"),
            };
            self.look(start..end, encoding, Context { cards, ..Context::new(rule) }, place);
        }
        self.asked = Some(self.end);
        if self.end == begun {
            return None;
        }
        Some(match self.from? {
            From::Text => Onward::Text(self.end),
            From::Quoted(_) => Onward::Tag(self.end + 1),
            From::Path(_) | From::Query(_) if self.end == self.link.end => Onward::Tag(self.end + 1),
            From::Path(_) | From::Query(_) => Onward::Link(self.link.clone(), self.end),
        })
    }
}

#[cfg(test)]
mod tests;
