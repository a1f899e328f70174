//! What recorded answers let one claim of others, and what an answer has against it.
//!
//! | claim | needs |
//! |---|---|
//! | a path is of one of these types; the body is JSON; its media type is one of these | [`SOME`] answers |
//! | an object always has this key; it is never `null`; there is always a body; its size lies in a band | [`ENOUGH`] answers |
//!
//! Types seldom differ from answer to answer: a place that holds two of them equally often shows only one in five answers once in
//! sixteen. What is always there is harder to know: a field that is left out of one answer in seven is in all of twenty once in
//! twenty. One answer, such as the single one of a HAR's step, is evidence for neither.

use super::tree::{NONE, Tree, Type};
use super::{Answer, Band, Looked, Shape, list};

/// Answers that show what types there are.
pub const SOME: u64 = 5;
/// Answers that show what is always so.
pub const ENOUGH: u64 = 20;

/// What is claimed of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeClaim {
    /// Bits of the types that it may be of.
    pub(super) allows: u8,
    /// Bits of the types that it was.
    pub(super) seen: u8,
    /// Of an object: the nodes that are in each.
    pub(super) required: Box<[u32]>,
}

/// What is wrong within a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing { node: u32 },
    Type { node: u32, kind: Type },
}

/// How an answer is unlike those that were recorded, in words. They name paths and never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// `a number at $.items[*].id`
    pub wanted: String,
    /// `a string at $.items[*].id`
    pub got: String,
}

/// What is claimed of one endpoint's answers of one status class. Cheap to hold against an answer; made once.
#[derive(Clone, Debug)]
pub struct Claims {
    /// Media types that bodies have; `None`: any.
    types: Option<Vec<String>>,
    /// Those of them whose bodies are JSON without fail.
    json: Vec<String>,
    filled: bool,
    nodes: Vec<NodeClaim>,
    /// As they are, and with a content coding: least and most bytes.
    sizes: [Option<(u64, u64)>; 2],
}

impl Claims {
    /// What these answers let one claim.
    pub fn of(shape: &Shape) -> Claims {
        let filled = shape.answers - shape.empty.min(shape.answers);
        let named = |of: &dyn Fn(&super::MediaType) -> bool| {
            shape.types.iter().filter(|known| of(known)).map(|known| known.name.clone()).collect::<Vec<_>>()
        };
        let any_type =
            shape.more_types || filled < SOME || shape.types.iter().any(|known| known.name.is_empty());
        Claims {
            types: (!any_type).then(|| named(&|_| true)),
            json: named(&|known| known.json >= SOME && known.other == 0),
            filled: shape.answers >= ENOUGH && shape.empty == 0,
            nodes: nodes(&shape.tree),
            sizes: shape.sizes.map(Band::claim),
        }
    }

    /// Whether a media type is one that such answers were seen to have.
    pub fn knows(&self, media_type: &str) -> bool {
        let known = |types: &Vec<String>| types.iter().any(|known| known.eq_ignore_ascii_case(media_type));
        self.types.as_ref().is_some_and(known)
    }

    pub(super) fn nodes(&self) -> &[NodeClaim] {
        &self.nodes
    }

    /// What an answer has against it.
    pub(super) fn judge(
        &self,
        answer: &Answer<'_>,
        (looked, fault): (Looked, Option<Fault>),
        tree: &Tree,
    ) -> Option<Unlike> {
        let unlike = |wanted: String, got: String| Some(Unlike { wanted, got });
        if answer.length == 0 {
            return if self.filled { unlike("a body".to_owned(), "an empty one".to_owned()) } else { None };
        }
        let media_type = answer.media_type();
        if let Some(types) = self.types.as_ref().filter(|_| !self.knows(media_type)) {
            let got = if media_type.is_empty() {
                "no content type".to_owned()
            } else {
                media_type.to_ascii_lowercase()
            };
            return unlike(list(types), got);
        }
        if looked == Looked::Json {
            return fault.map(|fault| self.told(fault, tree));
        }
        let is_json = self.json.iter().any(|known| known.eq_ignore_ascii_case(media_type));
        match looked {
            Looked::Other(at) if is_json => {
                unlike("JSON".to_owned(), format!("something else from byte {at} on"))
            }
            Looked::Damaged if is_json => {
                unlike("JSON".to_owned(), "a body whose content coding cannot be undone".to_owned())
            }
            _ => {
                let (least, most) = self.sizes[usize::from(answer.is_coded())]?;
                if (least..=most).contains(&answer.length) || is_json {
                    return None;
                }
                unlike(format!("{least} to {most} bytes"), format!("{} bytes", answer.length))
            }
        }
    }

    fn told(&self, fault: Fault, tree: &Tree) -> Unlike {
        match fault {
            Fault::Missing { node } => {
                let path = tree.path(node);
                Unlike { got: format!("no {path}"), wanted: path }
            }
            Fault::Type { node, kind } => {
                let path = tree.path(node);
                let seen = self.nodes.get(node as usize).map_or(0, |claim| claim.seen);
                let types =
                    Type::ALL.iter().filter(|kind| seen & kind.bit() != 0).map(|kind| with_article(*kind));
                let wanted: Vec<&str> = types.collect();
                Unlike {
                    wanted: format!("{} at {path}", list(&wanted)),
                    got: format!("{} at {path}", with_article(kind)),
                }
            }
        }
    }
}

fn with_article(kind: Type) -> &'static str {
    match kind {
        Type::Null => "null",
        Type::Bool => "a boolean",
        Type::Number => "a number",
        Type::String => "a string",
        Type::Array => "an array",
        Type::Object => "an object",
    }
}

fn nodes(tree: &Tree) -> Vec<NodeClaim> {
    let is_always = |child: u32, parent: u32| {
        let (child, parent) = (tree.nodes.get(child as usize), tree.nodes.get(parent as usize));
        child.zip(parent).is_some_and(|(child, parent)| {
            parent.types[Type::Object as usize] >= ENOUGH && child.there == parent.objects
        })
    };
    let claim = |(number, node): (usize, &super::tree::Node)| {
        let seen = node.mask();
        let values = seen & !Type::Null.bit();
        let mut allows = u8::MAX;
        // Of what was never more than null nothing is known.
        if values != 0 && node.answers >= SOME {
            allows = seen;
            // Null is taken for what is left out: it is wrong where that would be.
            let by_name =
                tree.nodes.get(node.parent as usize).is_some_and(|p| p.children.contains(&(number as u32)));
            let always = if by_name { is_always(number as u32, node.parent) } else { node.answers >= ENOUGH };
            if !always {
                allows |= Type::Null.bit();
            }
        }
        let required =
            node.children.iter().copied().filter(|&child| is_always(child, number as u32)).collect();
        NodeClaim { allows, seen, required }
    };
    debug_assert!(tree.nodes.len() < NONE as usize);
    tree.nodes.iter().enumerate().map(claim).collect()
}
