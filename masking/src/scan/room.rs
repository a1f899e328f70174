//! What is collected while a JSON document is read: where in it one is, and what must wait until all of it is known.

use std::ops::Range;

use mynah_message::json;

use super::seams::{self, Does};
use crate::memo::{NameInfo, Says};
use crate::names::{Around, Below, Rule};
use crate::plan::Step;

/// Where in the document the scan is.
#[derive(Clone, Copy, Default)]
pub(super) struct At {
    /// What the nearest key says.
    pub(super) key: NameInfo,
    /// The way to the object that this key stands in, as a hash: an object that is there twice under one name is one.
    pub(super) object: u64,
    /// The way to the object or array at hand.
    pub(super) base: u64,
    /// The last step on the way to the value at hand: the key's number, or the number of the array's element.
    pub(super) step: u64,
}

/// What is collected while a document is read; kept from one to the next, so that each need not ask for memory of its own.
#[derive(Default)]
pub(crate) struct Room {
    pub(super) at: At,
    /// Where it goes on when the container at hand ends.
    stack: Vec<At>,
    /// What holds in the object at hand by the name of a secret under which it stands.
    pub(super) around: Option<Around>,
    /// How many containers were open, what held and what was asked for before: of the few in which that is something else.
    outer: Vec<(usize, Option<Around>, u64)>,
    /// The steps from the last value to the next one.
    pub(super) steps: Vec<seams::Step>,
    /// Objects that are persons by their name, those that seem to be by what is in them, and those that are goods.
    pub(super) persons: Objects,
    pub(super) persons_within: Objects,
    pub(super) things: Objects,
    /// Values under `name`, and whether they may have escapes: whose name it is shows when all siblings are known.
    pub(super) waiting: Vec<(u64, json::Kind, Range<usize>, bool)>,
    /// Values whose names are values beside them, and what these say: `{"name": "password", "value": "…"}`.
    /// And what they are by the object in which they stand.
    pub(super) labelled: Vec<(u64, json::Kind, Range<usize>, Option<Rule>)>,
    pub(super) labels: Vec<(u64, Range<usize>)>,
    /// Values in an object whose name may be a value beside it: the object in which both stand, the one at hand, and their own names.
    pub(super) beside: Vec<([u64; 2], NameInfo, json::Kind, Range<usize>)>,
    /// In which object the name of the object at hand may stand.
    pub(super) asked: u64,
    /// Where to look when the same body is met again.
    pub(super) noted: Vec<Step>,
}

impl Room {
    /// Nothing of a document that was larger is kept.
    const MOST: usize = 1 << 12;

    /// Takes back where to look in a document, when that is kept elsewhere.
    pub(super) fn take_back(&mut self, mut noted: Vec<Step>) {
        noted.clear();
        if noted.capacity() <= Room::MOST {
            self.noted = noted;
        }
    }

    pub(super) fn clear(&mut self) {
        let all =
            [self.stack.len(), self.waiting.len(), self.labelled.len(), self.labels.len(), self.beside.len()];
        let objects = [&self.persons, &self.persons_within, &self.things].map(|objects| objects.0.len());
        if all.iter().chain(&objects).any(|len| *len > Room::MOST) {
            *self = Room::default();
            return;
        }
        self.begin();
        self.steps.clear();
        self.waiting.clear();
        self.labelled.clear();
        self.labels.clear();
        self.beside.clear();
        for objects in [&mut self.persons, &mut self.persons_within, &mut self.things] {
            objects.0.clear();
        }
    }

    /// A document begins.
    pub(super) fn begin(&mut self) {
        self.stack.clear();
        self.outer.clear();
        self.around = None;
    }

    /// A key: the value behind it goes by its name.
    #[inline]
    pub(super) fn key(&mut self, key: NameInfo) {
        // Most objects stand under no secret's name.
        self.at.key = if self.around.is_none() { key } else { self.below(key) };
        self.at.step = key.number;
    }

    /// What a key says in an object under a secret's name.
    #[cold]
    #[inline(never)]
    fn below(&self, key: NameInfo) -> NameInfo {
        self.around.map_or(key, |around| around.on(key))
    }

    /// An object begins in which something else holds.
    #[cold]
    #[inline(never)]
    fn enter(&mut self) {
        let key = self.at.key;
        if key.says(Says::IS_VALUE) && matches!(key.rule, Some(Rule::Below(_, Below::Said))) {
            self.ask();
            return;
        }
        self.outer.push((self.stack.len(), self.around, self.asked));
        self.around = Around::within(self.around, self.at.key);
    }

    /// An object begins whose name may stand beside it.
    #[cold]
    #[inline(never)]
    fn ask(&mut self) {
        self.outer.push((self.stack.len(), self.around, self.asked));
        self.around = Some(Around::said());
        self.asked = self.at.object;
    }

    /// A container ends, so many are still open.
    #[cold]
    #[inline(never)]
    fn leave(&mut self) {
        if let Some((_, around, asked)) = self.outer.pop_if(|(open, _, _)| *open == self.stack.len()) {
            (self.around, self.asked) = (around, asked);
        }
    }

    /// A step of those between two values.
    #[expect(clippy::inline_always, reason = "there are some for each value, and most are only a key")]
    #[inline(always)]
    pub(super) fn step(&mut self, step: &seams::Step) {
        // Most are keys.
        if step.does == Does::Key {
            self.key(step.key);
            return;
        }
        match step.does {
            Does::Key => {}
            Does::Element => self.at.step += 1,
            Does::OpenArray => {
                self.stack.push(self.at);
                // Its elements go by its name.
                self.at = At { base: onward(self.at.base, self.at.step), step: 0, ..self.at };
            }
            Does::OpenObject => {
                let way = onward(self.at.base, self.at.step);
                if self.at.key.says(Says::IS_PERSON) {
                    self.persons.insert(way);
                }
                if self.around.is_some() || self.at.key.below.is_some() {
                    self.enter();
                } else if self.at.key.says(Says::IS_VALUE) && self.at.key.rule.is_none() {
                    self.ask();
                }
                self.stack.push(self.at);
                self.at = At { key: NameInfo::default(), object: way, base: way, step: 0 };
            }
        }
    }

    /// The container at hand ends.
    #[inline]
    pub(super) fn close(&mut self) {
        self.at = self.stack.pop().unwrap_or_default();
        if !self.outer.is_empty() {
            self.leave();
        }
    }
}

/// Some of the objects in a document: noted while it is read, looked up when all are known.
#[derive(Default)]
pub(super) struct Objects(Vec<u64>);

impl Objects {
    pub(super) fn insert(&mut self, object: u64) {
        if self.0.last() != Some(&object) {
            self.0.push(object);
        }
    }

    /// Before the first look.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    pub(super) fn contains(&self, object: u64) -> bool {
        self.0.binary_search(&object).is_ok()
    }
}

/// One step on the way to a value. Two ways with one hash would make a name that is no person's be masked, no more.
fn onward(way: u64, step: u64) -> u64 {
    ((way ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(29)
        ^ way.wrapping_mul(0xa076_1d64_78bd_642f)
}
