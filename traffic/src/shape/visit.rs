//! One document, walked once: each of its values finds its node in the tree, and what was claimed of that is looked at.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use mynah_message::json::{self, End, Events, Kind};

use super::claims::{Fault, NodeClaim};
use super::tree::{DEPTH, NONE, ROOT, Step, Tree, Type};

/// A document nested deeper than this is no JSON to us.
const DEEPEST: usize = 512;
/// Longer keys are data.
const LONGEST_KEY: usize = 64;

/// A container in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    node: u32,
    /// Number of this object; 0 for an array.
    object: u64,
    /// Which of the children by name is expected next.
    next: usize,
    /// It is of a type that it never was: fine as long as it is empty.
    wrong: Option<Type>,
}

/// Walks a document through a tree: how it ends, and what is wrong with it first.
pub(super) fn walk(tree: &mut Tree, body: &[u8], room: usize, claims: &[NodeClaim]) -> (End, Option<Fault>) {
    let mut visit = Visit { tree, claims, room, at: ROOT, fault: None };
    let end = json::walk(body, DEEPEST, &mut visit);
    (end, visit.fault)
}

/// One document as it is walked.
struct Visit<'t> {
    tree: &'t mut Tree,
    claims: &'t [NodeClaim],
    room: usize,
    /// The node of the value that comes next.
    at: u32,
    fault: Option<Fault>,
}

impl Visit<'_> {
    fn wrong(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Counts the value in hand as of a type; whether it was ever of it.
    fn is(&mut self, kind: Type) -> bool {
        let (answer, weight) = (self.tree.answer, self.tree.weight);
        let Some(node) = self.tree.nodes.get_mut(self.at as usize) else { return true };
        if node.answer != answer {
            node.answer = answer;
            node.seen = 0;
            node.answers = node.answers.wrapping_add(weight);
        }
        if node.seen & kind.bit() == 0 {
            node.seen |= kind.bit();
            let count = &mut node.types[kind as usize];
            *count = count.wrapping_add(weight);
        }
        self.claims.get(self.at as usize).is_none_or(|claim| claim.allows & kind.bit() != 0)
    }

    /// What is not empty is of the type that it is.
    fn filled(&mut self) {
        if let Some(frame) = self.tree.frames.last_mut()
            && let Some(kind) = frame.wrong.take()
        {
            let node = frame.node;
            // What is within it was never seen there.
            frame.node = NONE;
            self.wrong(Fault::Type { node, kind });
        }
    }

    /// The node of a key in the object in hand.
    fn step_in(&mut self, raw: &[u8]) -> u32 {
        let deep = self.tree.frames.len() > DEPTH;
        let Some(frame) = self.tree.frames.last_mut() else { return NONE };
        let Some(node) = self.tree.nodes.get(frame.node as usize).filter(|_| !deep) else { return NONE };
        let is = |child: &u32| self.tree.nodes.get(*child as usize).is_some_and(|child| child.is_key(raw));
        let place = if node.children.get(frame.next).is_some_and(is) {
            Some(frame.next)
        } else {
            node.children.iter().position(is)
        };
        if let Some(place) = place {
            frame.next = place + 1;
            return node.children.get(place).copied().unwrap_or(NONE);
        }
        let parent = frame.node;
        if node.any != NONE && (node.folded || node.children.is_empty() || is_data(raw)) {
            return node.any;
        }
        let step = if is_data(raw) { Step::AnyKey } else { Step::Key(raw.into()) };
        self.tree.add(parent, step, self.room)
    }
}

impl<'a> Events<'a> for Visit<'_> {
    fn document(&mut self) {
        self.at = ROOT;
        self.tree.frames.clear();
    }

    fn open(&mut self, array: bool) {
        let kind = if array { Type::Array } else { Type::Object };
        let known = self.is(kind);
        let (node, mut wrong) = (self.at, None);
        if !known {
            let other = if array { Type::Object } else { Type::Array };
            let claim = self.claims.get(node as usize);
            // PHP and Lua write the same for an empty list and an empty map.
            if claim.is_some_and(|claim| claim.allows & other.bit() != 0) {
                wrong = Some(kind);
            } else {
                self.wrong(Fault::Type { node, kind });
            }
        }
        let mut object = 0;
        if !array {
            self.tree.object += 1;
            object = self.tree.object;
            if let Some(node) = self.tree.nodes.get_mut(node as usize) {
                node.objects = node.objects.wrapping_add(self.tree.weight);
            }
        }
        self.tree.frames.push(Frame { node, object, next: 0, wrong });
    }

    fn close(&mut self) {
        let Some(frame) = self.tree.frames.pop() else { return };
        if frame.object == 0 || frame.wrong.is_some() {
            return;
        }
        let Some(claim) = self.claims.get(frame.node as usize) else { return };
        let gone = claim.required.iter().find(|child| {
            self.tree.nodes.get(**child as usize).is_some_and(|child| child.inside != frame.object)
        });
        if let Some(&node) = gone {
            self.wrong(Fault::Missing { node });
        }
    }

    fn key(&mut self, raw: &'a [u8]) -> bool {
        self.written_key(raw, true)
    }

    fn written_key(&mut self, raw: &'a [u8], escaped: bool) -> bool {
        self.filled();
        let raw = if escaped { json::unescape(raw) } else { Cow::Borrowed(raw) };
        self.at = self.step_in(&raw);
        let object = self.tree.frames.last().map_or(0, |frame| frame.object);
        if let Some(node) = self.tree.nodes.get_mut(self.at as usize)
            && node.inside != object
        {
            node.inside = object;
            node.there = node.there.wrapping_add(self.tree.weight);
        }
        true
    }

    fn element(&mut self) {
        self.filled();
        let deep = self.tree.frames.len() > DEPTH;
        let node = self.tree.frames.last().map_or(NONE, |frame| frame.node);
        let Some(own) = self.tree.nodes.get(node as usize).filter(|_| !deep) else {
            self.at = NONE;
            return;
        };
        self.at = own.element;
        if self.at == NONE {
            self.at = self.tree.add(node, Step::Element, self.room);
        }
    }

    fn value(&mut self, kind: Kind, raw: &'a [u8], _: Range<usize>) -> ControlFlow<()> {
        let kind = match kind {
            Kind::String => Type::String,
            Kind::Number => Type::Number,
            Kind::Literal if raw.first() == Some(&b'n') => Type::Null,
            Kind::Literal => Type::Bool,
        };
        if !self.is(kind) {
            self.wrong(Fault::Type { node: self.at, kind });
        }
        ControlFlow::Continue(())
    }
}

/// Whether a key looks like a number, a date, an identifier or an address rather than a name.
pub(super) fn is_data(key: &[u8]) -> bool {
    let digits = key.iter().filter(|byte| byte.is_ascii_digit()).count();
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':' | b'/' | b'_' | b'+');
    key.is_empty()
        || key.len() > LONGEST_KEY
        || key.contains(&b'@')
        || digits >= 5
        || (digits > 0 && key.iter().all(plain))
}
