//! What base64 and hex in the midst of bytes are of: there a learnt value can be written with escapes, or compressed, so that the
//! search for base64 of it does not see it.

use mynah_message::Limits;

use super::views::{has_escapes, views};
use crate::learned::Known;
use crate::scan::inlaid::Inlaid;
use crate::scan::{OPENABLE, OPENABLE_EACH};

/// How deep it is looked, as deep as a policy allows who masks.
const DEPTH: usize = 6;

/// How often learnt values show in any text that stands in base64 or hex within the bytes; and whether there was any.
pub(super) fn count(known: &Known, bytes: &[u8], limits: &Limits, met: &mut bool) -> u64 {
    // Where there is more, who masks withholds it.
    let room = OPENABLE.max(bytes.len().saturating_mul(OPENABLE_EACH));
    let mut search = Search { known, limits, room, met: false };
    let found = search.within(bytes, DEPTH);
    *met |= search.met;
    found
}

struct Search<'s> {
    known: &'s Known,
    limits: &'s Limits,
    room: usize,
    met: bool,
}

impl Search<'_> {
    fn within(&mut self, bytes: &[u8], depth: usize) -> u64 {
        let mut found = 0;
        let mut all = Inlaid::of(bytes, self.limits);
        while let Some(next) = all.next() {
            // What is too large was withheld.
            let Ok((range, opened)) = next else {
                self.met = true;
                continue;
            };
            // A web token's claims have been seen to, and there are some in every other head.
            let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
            self.met |= before != Some(&b'.') && bytes.get(range.end) != Some(&b'.');
            let Some(room) = self.room.checked_sub(opened.text.len() + std::mem::take(&mut all.work)) else {
                break;
            };
            self.room = room;
            found = found.max(self.text(&opened.text, depth));
        }
        found
    }

    fn text(&mut self, text: &[u8], depth: usize) -> u64 {
        let mut found = self.known.count(text, false);
        let Some(deeper) = depth.checked_sub(1) else { return found };
        found = found.max(self.within(text, deeper));
        if has_escapes(text) {
            for view in views(self.known, text) {
                found = found.max(self.known.count(&view.bytes, view.spaces));
                found = found.max(self.within(&view.bytes, deeper));
            }
        }
        found
    }
}
