//! `shapes.json`: what a run's answers were, so that two runs can be held against each other.
//!
//! By endpoint, the statuses; by endpoint and status class, in how many answers each path was of each type, and which media types
//! there were. Every count is kept by block: what a run differs by from itself is noise, and shows between its blocks. The file
//! holds names of fields and no values.
//!
//! ```json
//! { "schema": 1, "block_s": 5, "endpoints": [
//!   { "endpoint": "GET /items", "statuses": { "200": [50, 48, 0, 0, 0, 0, 0, 0] }, "classes": [
//!     { "class": 2, "answers": [50, 48, …], "json": [50, 48, …], "types": { "application/json": [50, 48, …] },
//!       "paths": { "$.items[*].id: number": [50, 47, …] } } ] } ] }
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::shape::Shape;

/// Blocks that counts are kept by: the n-th stretch of a run counts in block n modulo 8.
pub const BLOCKS: usize = 8;

/// A count by block.
pub type Blocks = [u64; BLOCKS];

/// The version of `shapes.json` that this mynah writes.
pub const ANSWERS_SCHEMA: u32 = 1;

/// The whole of `shapes.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Version of this form; see [`ANSWERS_SCHEMA`].
    pub schema: u32,
    /// Seconds that a block takes.
    pub block_s: u32,
    /// By endpoint.
    pub endpoints: Vec<EndpointAnswers>,
}

/// What one endpoint answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointAnswers {
    /// `GET /items/{id}`
    pub endpoint: String,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, Blocks>,
    /// By status class, what was looked at: all answers, or a sample where nothing is known of the recorded ones.
    pub classes: Vec<ClassAnswers>,
}

/// What one endpoint's answers of one status class were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassAnswers {
    /// 2 for 200 to 299.
    pub class: u8,
    /// Answers that were looked at.
    pub answers: Blocks,
    /// Of those, with a JSON body.
    pub json: Blocks,
    /// Media types, in lower case; empty: none. Answers without a body are under `no body`.
    pub types: BTreeMap<String, Blocks>,
    /// `$.items[*].id: number`: JSON bodies that had such a value at such a place.
    pub paths: BTreeMap<String, Blocks>,
}

impl ClassAnswers {
    /// Adds what was seen in a block.
    pub fn add(&mut self, block: usize, shape: &Shape) {
        let block = block % BLOCKS;
        self.answers[block] += shape.answers();
        self.json[block] += shape.json();
        if shape.empty() > 0 {
            self.types.entry("no body".to_owned()).or_default()[block] += shape.empty();
        }
        for (name, count) in shape.media_types() {
            self.types.entry(name.to_owned()).or_default()[block] += count;
        }
        for (path, kind, count) in shape.values() {
            self.paths.entry(format!("{path}: {}", kind.name())).or_default()[block] += count;
        }
    }
}
