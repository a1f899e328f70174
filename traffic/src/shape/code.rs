//! How shapes are laid out in a session file: what was counted, so that what is made of it can change.

use bincode::{Decode, Encode};

use super::tree::{NONE, PATHS, ROOT, Step, Tree};
use super::{Band, Last, MediaType, Shape};

#[derive(Encode, Decode)]
pub(crate) struct ShapeCode {
    endpoint: u32,
    class: u8,
    answers: u64,
    empty: u64,
    more_types: bool,
    types: Vec<(String, u64, u64, u64)>,
    sizes: [(u64, u64, u64); 2],
    /// The root first, and each behind its parent.
    nodes: Vec<NodeCode>,
}

#[derive(Encode, Decode)]
struct NodeCode {
    parent: u32,
    step: StepCode,
    folded: bool,
    answers: u64,
    there: u64,
    objects: u64,
    types: [u64; 6],
}

#[derive(Encode, Decode)]
enum StepCode {
    Root,
    Key(Vec<u8>),
    AnyKey,
    Element,
}

impl ShapeCode {
    pub(crate) fn new(endpoint: u32, class: u8, shape: &Shape) -> ShapeCode {
        let mut nodes = Vec::new();
        put(&shape.tree, ROOT, 0, &mut nodes);
        ShapeCode {
            endpoint,
            class,
            answers: shape.answers,
            empty: shape.empty,
            more_types: shape.more_types,
            types: shape.types.iter().map(|t| (t.name.clone(), t.answers, t.json, t.other)).collect(),
            sizes: shape.sizes.map(|band| (band.count, band.least, band.most)),
            nodes,
        }
    }

    /// Endpoint, status class and shape.
    pub(crate) fn read(self) -> Result<(u32, u8, Shape), String> {
        let mut tree = Tree::default();
        if self.nodes.len() > PATHS {
            return Err(format!("a shape has {} paths, more than {PATHS}", self.nodes.len()));
        }
        for (number, code) in self.nodes.into_iter().enumerate() {
            let step = match code.step {
                StepCode::Root => Step::Root,
                StepCode::Key(name) => Step::Key(name.into()),
                StepCode::AnyKey => Step::AnyKey,
                StepCode::Element => Step::Element,
            };
            let at = if number == 0 {
                ROOT
            } else if step != Step::Root && (code.parent as usize) < number {
                tree.add(code.parent, step, PATHS)
            } else {
                return Err(format!("path {number} of a shape comes before the one that it is within"));
            };
            let Some(node) = tree.nodes.get_mut(at as usize) else { continue };
            node.folded = code.folded;
            node.answers = code.answers;
            node.there = code.there;
            node.objects = code.objects;
            node.types = code.types;
        }
        let shape = Shape {
            answers: self.answers,
            empty: self.empty,
            more_types: self.more_types,
            types: self
                .types
                .into_iter()
                .map(|(name, answers, json, other)| MediaType { name, answers, json, other })
                .collect(),
            sizes: self.sizes.map(|(count, least, most)| Band { count, least, most }),
            tree,
            last: Last::default(),
        };
        Ok((self.endpoint, self.class, shape))
    }
}

fn put(tree: &Tree, number: u32, parent: u32, nodes: &mut Vec<NodeCode>) {
    let Some(node) = tree.nodes.get(number as usize) else { return };
    let own = nodes.len() as u32;
    nodes.push(NodeCode {
        parent,
        step: match &node.step {
            Step::Root => StepCode::Root,
            Step::Key(name) => StepCode::Key(name.to_vec()),
            Step::AnyKey => StepCode::AnyKey,
            Step::Element => StepCode::Element,
        },
        folded: node.folded,
        answers: node.answers,
        there: node.there,
        objects: node.objects,
        types: node.types,
    });
    for &child in node.children.iter().chain([&node.any, &node.element]).filter(|child| **child != NONE) {
        put(tree, child, own, nodes);
    }
}
