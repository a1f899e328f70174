//! How much of a body is kept.

use mynah_traffic::shape::{self, Worth};

use super::{Answer, Keep};

/// Of a body that values are taken from, this much is kept.
const KEPT_BODY: usize = 16 << 20;
/// Of one that is looked into only where it is JSON, and is not: what shows that.
const KEPT_BEGINNING: usize = 64;

/// What is left to be kept of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::net) struct Room {
    left: usize,
    /// How much it is, is to be seen from the beginning.
    sniffs: bool,
}

impl Room {
    /// For an answer whose head is here.
    pub(in crate::net) fn new(keep: Keep, answer: &Answer, length: Option<u64>) -> Room {
        let (left, sniffs) = match keep {
            Keep::Nothing => (0, false),
            Keep::All => (KEPT_BODY, false),
            Keep::Shape => match shape::worth_reading(&answer.shaped(), length) {
                Worth::Nothing => (0, false),
                Worth::Sniffing => (shape::LOOKED_INTO, true),
                Worth::Reading => (shape::LOOKED_INTO, false),
            },
        };
        Room { left, sniffs }
    }

    /// Takes more of the body in.
    pub(in crate::net) fn keep(&mut self, answer: &mut Answer, data: &[u8]) {
        answer.body_bytes += data.len() as u64;
        if self.left == 0 {
            return;
        }
        if self.sniffs
            && let Some(first) = data.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.sniffs = false;
            if !matches!(first, b'{' | b'[') {
                self.left = KEPT_BEGINNING;
            }
        }
        let count = self.left.min(data.len());
        self.left -= count;
        answer.body.extend_from_slice(data.get(..count).unwrap_or(data));
    }
}
