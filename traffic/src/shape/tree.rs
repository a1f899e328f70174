//! JSON documents laid over one another: the paths that there are, how often each is there, and as what.
//!
//! The elements of an array share one path (`$.items[*]`); so do the keys of an object that are data rather than names
//! (`$.prices.{*}`): those that look like numbers, dates, identifiers or addresses at once, others when there are too many that
//! come and go. A document is walked once; on a path that is known nothing is allocated, as a key is first compared with the
//! one that came next the last time.

#[cfg(test)]
mod tests;

use mynah_message::json::End;
use mynah_message::locator::JsonPath;

use super::claims::{Fault, NodeClaim};
use super::visit::{self, Frame};

/// Paths that are kept of one endpoint's answers; what comes beyond is not looked at.
pub const PATHS: usize = 256;
/// Objects and arrays within one another; what is nested deeper is not looked at.
pub const DEPTH: usize = 16;
/// Keys of one object, above which those that come and go count as data.
const KEYS: usize = 48;

pub(super) const ROOT: u32 = 0;
/// No node: what is not looked at.
pub(super) const NONE: u32 = u32::MAX;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `null`
    Null,
    /// `true`, `false`
    Bool,
    /// A number, whole or not.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Type {
    /// All of them, by number.
    pub const ALL: [Type; 6] =
        [Type::Null, Type::Bool, Type::Number, Type::String, Type::Array, Type::Object];

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }

    /// `null`, `boolean`, `number`, `string`, `array`, `object`.
    pub fn name(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Bool => "boolean",
            Type::Number => "number",
            Type::String => "string",
            Type::Array => "array",
            Type::Object => "object",
        }
    }
}

/// The step from a node's parent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Root,
    /// Without escapes.
    Key(Box<[u8]>),
    AnyKey,
    Element,
}

/// One path.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) step: Step,
    pub(super) parent: u32,
    /// By name, in the order in which they were first seen.
    pub(super) children: Vec<u32>,
    pub(super) any: u32,
    pub(super) element: u32,
    /// Its keys were found to be data: one that is not known is another of them.
    pub(super) folded: bool,
    /// Answers in which it was.
    pub(super) answers: u64,
    /// Objects (its parent's) in which it was.
    pub(super) there: u64,
    /// Times that it was an object.
    pub(super) objects: u64,
    /// Answers in which it was of that type.
    pub(super) types: [u64; 6],
    /// The answer that was seen last, the types seen in it, and the object in which this was last.
    pub(super) answer: u64,
    pub(super) seen: u8,
    pub(super) inside: u64,
}

impl Node {
    fn new(step: Step, parent: u32) -> Node {
        Node {
            step,
            parent,
            children: Vec::new(),
            any: NONE,
            element: NONE,
            folded: false,
            answers: 0,
            there: 0,
            objects: 0,
            types: [0; 6],
            answer: 0,
            seen: 0,
            inside: 0,
        }
    }

    /// Bits of the types that it was seen as.
    pub(super) fn mask(&self) -> u8 {
        Type::ALL
            .iter()
            .filter(|kind| self.types[**kind as usize] > 0)
            .fold(0, |mask, kind| mask | kind.bit())
    }

    pub(super) fn is_key(&self, raw: &[u8]) -> bool {
        matches!(&self.step, Step::Key(name) if same(name, raw))
    }
}

/// Whether two keys are the same. They are short: without a call it takes half as long.
fn same(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        len if len != other.len() => false,
        4..8 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk()
        }
        0..4 => one.iter().eq(other),
        _ => one == other,
    }
}

/// All paths of one endpoint's answers.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// Nodes that were folded into others and can be used again.
    free: Vec<u32>,
    /// How often the answer in hand counts; less than nothing, in two's complement, where it is taken back.
    pub(super) weight: u64,
    /// Number of the answer in hand, and of the object.
    pub(super) answer: u64,
    pub(super) object: u64,
    pub(super) frames: Vec<Frame>,
    /// There was no room for a path, or an object has many keys.
    crowded: bool,
    /// Not to be tidied up before this answer.
    patience: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            nodes: vec![Node::new(Step::Root, NONE)],
            free: Vec::new(),
            weight: 1,
            answer: 0,
            object: 0,
            frames: Vec::new(),
            crowded: false,
            patience: 2,
        }
    }
}

impl Tree {
    /// Whether no document was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.first().is_none_or(|root| root.answers == 0)
    }

    /// Paths that there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Lays a document over what there is, unless the paths get more than `room`, and compares with what was claimed of nodes by
    /// number: what is wrong with it first, or where it is no JSON.
    pub(super) fn lay(
        &mut self,
        body: &[u8],
        room: usize,
        claims: &[NodeClaim],
    ) -> (Result<(), usize>, Option<Fault>) {
        self.answer += 1;
        let (end, fault) = visit::walk(self, body, room, claims);
        if matches!(end, End::Garbage(_)) {
            // What stands before that is none of a document's: the same way again takes it back.
            self.answer += 1;
            self.weight = self.weight.wrapping_neg();
            visit::walk(self, body, room, claims);
            self.weight = self.weight.wrapping_neg();
        }
        self.frames.clear();
        let end = match end {
            End::Garbage(at) => Err(at),
            End::Whole | End::Stopped if self.nodes[0].answer == self.answer => Ok(()),
            // Nothing but space.
            End::Whole | End::Stopped => Err(0),
        };
        (end, fault)
    }

    /// Folds keys that are data, where there are too many. Numbers of nodes change their meaning.
    pub(super) fn tidy(&mut self) {
        if !self.crowded || self.answer < self.patience {
            return;
        }
        self.crowded = false;
        // Where it was of no use, it is tried again when twice as much was seen.
        self.patience = self.answer * 2;
        for number in 0..self.nodes.len() as u32 {
            let Some(node) = self.nodes.get(number as usize) else { continue };
            if node.children.len() < KEYS / 2 || node.objects < 2 {
                continue;
            }
            let rare =
                |child: &u32| self.nodes.get(*child as usize).is_some_and(|c| c.there * 2 <= node.objects);
            let rare: Vec<u32> = node.children.iter().copied().filter(rare).collect();
            if rare.len() >= KEYS / 2 {
                self.fold(number, &rare);
            }
        }
    }

    fn fold(&mut self, number: u32, rare: &[u32]) {
        self.nodes[number as usize].folded = true;
        let mut any = self.nodes[number as usize].any;
        for &child in rare {
            self.nodes[number as usize].children.retain(|known| *known != child);
            if any == NONE {
                any = child;
                self.nodes[number as usize].any = any;
                self.nodes[any as usize].step = Step::AnyKey;
            } else {
                self.pour(child, any);
            }
        }
    }

    /// Puts a node's counts and children into another's, and frees it.
    fn pour(&mut self, from: u32, to: u32) {
        let gone = std::mem::replace(&mut self.nodes[from as usize], Node::new(Step::Root, NONE));
        self.free.push(from);
        let into = &mut self.nodes[to as usize];
        into.there += gone.there;
        into.objects += gone.objects;
        // Which answers had both is not known: what is sure.
        into.answers = into.answers.max(gone.answers);
        for (own, more) in into.types.iter_mut().zip(gone.types) {
            *own = (*own).max(more);
        }
        for child in gone.children {
            let name = self.nodes[child as usize].step.clone();
            let same = self.nodes[to as usize].children.iter().copied();
            let same = same.into_iter().find(|known| self.nodes[*known as usize].step == name);
            if let Some(same) = same {
                self.pour(child, same);
            } else {
                self.nodes[child as usize].parent = to;
                self.nodes[to as usize].children.push(child);
            }
        }
        for (child, element) in [(gone.any, false), (gone.element, true)] {
            if child == NONE {
                continue;
            }
            let into = &mut self.nodes[to as usize];
            let own = if element { &mut into.element } else { &mut into.any };
            if *own == NONE {
                *own = child;
                self.nodes[child as usize].parent = to;
            } else {
                let own = *own;
                self.pour(child, own);
            }
        }
    }

    /// Adds what another tree has seen, in other answers.
    pub(super) fn absorb(&mut self, other: &Tree) {
        self.absorb_node(ROOT, other, ROOT);
    }

    fn absorb_node(&mut self, to: u32, other: &Tree, from: u32) {
        let (Some(source), Some(into)) = (other.nodes.get(from as usize), self.nodes.get_mut(to as usize))
        else {
            return;
        };
        into.there += source.there;
        into.objects += source.objects;
        into.answers += source.answers;
        for (own, more) in into.types.iter_mut().zip(source.types) {
            *own += more;
        }
        let special = [source.any, source.element];
        for &child in source.children.iter().chain(&special) {
            let Some(step) = other.nodes.get(child as usize).map(|node| node.step.clone()) else { continue };
            let own = self.child(to, &step).unwrap_or_else(|| self.add(to, step, PATHS));
            if own != NONE {
                self.absorb_node(own, other, child);
            }
        }
    }

    fn child(&self, node: u32, step: &Step) -> Option<u32> {
        let own = self.nodes.get(node as usize)?;
        let found = match step {
            Step::AnyKey => own.any,
            Step::Element => own.element,
            Step::Root => NONE,
            Step::Key(name) => {
                let mut children = own.children.iter().copied();
                children.find(|child| self.nodes.get(*child as usize).is_some_and(|c| c.is_key(name)))?
            }
        };
        (found != NONE).then_some(found)
    }

    /// Adds a node, if there is room; else [`NONE`].
    pub(super) fn add(&mut self, parent: u32, step: Step, room: usize) -> u32 {
        if self.len() >= room.min(PATHS) {
            self.crowded = true;
            return NONE;
        }
        let node = Node::new(step, parent);
        let number = if let Some(number) = self.free.pop() {
            self.nodes[number as usize] = node;
            number
        } else {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        };
        let step = self.nodes[number as usize].step.clone();
        let Some(own) = self.nodes.get_mut(parent as usize) else { return NONE };
        match step {
            Step::AnyKey => own.any = number,
            Step::Element => own.element = number,
            Step::Root => {}
            Step::Key(_) => {
                own.children.push(number);
                self.crowded |= own.children.len() > KEYS;
            }
        }
        number
    }

    /// The same paths, nothing counted.
    pub(super) fn blank(&self) -> Tree {
        let mut tree = self.clone();
        for node in &mut tree.nodes {
            *node = Node {
                children: std::mem::take(&mut node.children),
                step: node.step.clone(),
                any: node.any,
                element: node.element,
                folded: node.folded,
                ..Node::new(Step::Root, node.parent)
            };
        }
        tree.answer = 0;
        tree
    }

    /// Each path and type that was counted, and how often.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, Type, u64)> {
        let counted = (0..self.nodes.len() as u32).filter(|&number| self.is_live(number));
        counted.flat_map(move |number| {
            let types = self.nodes.get(number as usize).map_or([0; 6], |node| node.types);
            let seen = Type::ALL.into_iter().zip(types).filter(|(_, count)| *count > 0);
            seen.map(move |(kind, count)| (self.path(number), kind, count))
        })
    }

    /// Whether a node is one that paths go through.
    pub(super) fn is_live(&self, number: u32) -> bool {
        number == ROOT || self.nodes.get(number as usize).is_some_and(|node| node.parent != NONE)
    }

    /// `$.items[*].id`, `$.prices.{*}`.
    pub(super) fn path(&self, number: u32) -> String {
        let mut steps = Vec::new();
        let mut at = number;
        while let Some(node) = self.nodes.get(at as usize).filter(|_| steps.len() <= DEPTH) {
            steps.push(&node.step);
            at = node.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => path.push('$'),
                Step::AnyKey => path.push_str(".{*}"),
                Step::Element => path.push_str("[*]"),
                Step::Key(name) => {
                    let name: String = String::from_utf8_lossy(name)
                        .chars()
                        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                        .collect();
                    let mut one = JsonPath::root();
                    one.push_key(&name);
                    path.push_str(one.as_str().strip_prefix('$').unwrap_or_default());
                }
            }
        }
        path
    }
}
