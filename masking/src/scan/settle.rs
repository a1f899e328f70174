//! Which of several changes stays where they are about the same bytes, and what becomes of what is left then.

use std::collections::HashSet;
use std::ops::Range;

use super::part::Planned;
use super::{Patch, Scanner, Why};
use crate::kind::Kind;
use crate::learned::Match;
use crate::variant::base64_run;

/// Letters and digits of a secret that tell something; fewer tell nothing.
pub(crate) const FEW: usize = 4;

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

impl Scanner<'_> {
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
