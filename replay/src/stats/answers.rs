//! What answers were, by endpoint and block: `shapes.json`.

use std::collections::BTreeMap;

use mynah_traffic::run::{ANSWERS_SCHEMA, Answers, BLOCKS, Blocks, ClassAnswers, EndpointAnswers, Tally};
use mynah_traffic::shape::Shape;

use super::recorder::Looks;
use crate::prepared::Plan;

/// Counts as they come in.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By number of the shape: by block.
    shapes: BTreeMap<usize, [Option<Box<Shape>>; BLOCKS]>,
    /// By endpoint and status: by block, and all that were counted.
    statuses: BTreeMap<(u32, u16), (Blocks, u64)>,
}

impl Seen {
    /// Takes in what a thread has seen in a block.
    pub(super) fn looked(&mut self, block: u32, looks: Looks) {
        for (number, shape) in looks {
            let Some(own) = self.shapes.entry(number).or_default().get_mut(block as usize % BLOCKS) else {
                continue;
            };
            match own {
                Some(own) => own.absorb(&shape),
                None => *own = Some(shape),
            }
        }
    }

    /// Takes in the statuses at the end of a block: those that were not there before are of this one.
    pub(super) fn statuses(&mut self, block: u32, endpoints: &[Tally]) {
        for (tally, endpoint) in endpoints.iter().zip(0..) {
            for (&status, &count) in &tally.status {
                let (blocks, known) = self.statuses.entry((endpoint, status)).or_default();
                blocks[block as usize % BLOCKS] += count.saturating_sub(*known);
                *known = count;
            }
        }
    }

    /// The document; `names` are the endpoints'.
    pub(super) fn document(&self, plan: &Plan, block_s: u32, names: &[String]) -> Answers {
        let mut classes: BTreeMap<u32, BTreeMap<u8, ClassAnswers>> = BTreeMap::new();
        for (&number, blocks) in &self.shapes {
            let Some((endpoint, class)) = plan.shapes.place(number) else { continue };
            let own = classes.entry(endpoint).or_default().entry(class).or_default();
            own.class = class;
            for (block, shape) in blocks.iter().enumerate() {
                if let Some(shape) = shape {
                    own.add(block, shape);
                }
            }
        }
        let mut endpoints: BTreeMap<u32, EndpointAnswers> = BTreeMap::new();
        for (&(endpoint, status), (blocks, _)) in &self.statuses {
            endpoints.entry(endpoint).or_default().statuses.insert(status, *blocks);
        }
        for (endpoint, classes) in classes {
            endpoints.entry(endpoint).or_default().classes = classes.into_values().collect();
        }
        let named = |(number, answers): (u32, EndpointAnswers)| {
            let endpoint = names.get(number as usize).cloned().unwrap_or_default();
            EndpointAnswers { endpoint, ..answers }
        };
        Answers { schema: ANSWERS_SCHEMA, block_s, endpoints: endpoints.into_iter().map(named).collect() }
    }
}
