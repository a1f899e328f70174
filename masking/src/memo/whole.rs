//! Messages that come again as they were, to the byte: polls, health checks, what every page asks for. With these there is nothing to do
//! that was not done.

use bytes::Bytes;
use hashbrown::HashTable;
use mynah_message::Message;
use mynah_traffic::Side;

use crate::hash::{Prints, Strong};
use crate::message::Outcome;
use crate::worth::Worth;

/// No longer message is kept: with those what is read once for all takes more time than what is done with it.
const LONGEST: usize = 4096;
/// Messages of which it is kept what became of them, some four megabytes; then they are collected anew.
const OUTCOMES: usize = 1 << 9;
/// Fingerprints kept of messages that were met, a megabyte or two.
const PRINTS: usize = 1 << 16;

/// Stands for whole messages: a keyed fingerprint of 128 bits over all of their bytes.
#[derive(Default)]
pub(crate) struct Looks {
    hasher: Strong,
    /// Of requests, and of responses.
    worth: [Worth; 2],
}

impl Looks {
    /// Stands for a message of that side; `None` for one that is not to be looked up.
    pub(crate) fn print(&mut self, message: &Message, side: Side) -> Option<u128> {
        let Message { head, body, trailers } = message;
        let looks = head.len() + body.len() + trailers.len() <= LONGEST && self.worth_of(side).look();
        looks.then(|| {
            let parts = [&head[..], body, trailers];
            parts.iter().fold(side as u128, |print, part| self.hasher.hash(print as u64, part) ^ print)
        })
    }

    /// Whether one was known that was looked up.
    pub(crate) fn note(&mut self, side: Side, known: bool) {
        self.worth_of(side).note(known);
    }

    fn worth_of(&mut self, side: Side) -> &mut Worth {
        let [requests, responses] = &mut self.worth;
        match side {
            Side::Request => requests,
            Side::Response => responses,
        }
    }
}

/// What is kept of them.
#[derive(Default)]
pub(crate) struct Whole {
    looks: Looks,
    met: Prints,
    outcomes: HashTable<(u128, Outcome)>,
}

impl Whole {
    /// Stands for a message that was met before. From now on it was.
    pub(crate) fn meet(&mut self, message: &Message, side: Side) -> Option<u128> {
        let print = self.looks.print(message, side)?;
        let met = self.met.contains(print);
        self.looks.note(side, met);
        if !met {
            self.met.keep(print, PRINTS);
        }
        met.then_some(print)
    }

    /// What became of it, with all known that is known now.
    pub(crate) fn outcome(&self, print: u128) -> Option<Outcome> {
        self.outcomes.find(print as u64, |(there, _)| *there == print).map(|(_, outcome)| outcome.clone())
    }

    /// That became of it.
    pub(crate) fn put(&mut self, print: u128, outcome: &Outcome) {
        if self.outcomes.len() >= OUTCOMES {
            self.outcomes.clear();
        }
        let mut outcome = outcome.clone();
        // What it was read from may be much longer.
        if let Some(Message { head, body, trailers }) = &mut outcome.message {
            for part in [head, body, trailers] {
                *part = Bytes::copy_from_slice(part);
            }
        }
        self.outcomes.insert_unique(print as u64, (print, outcome), |(print, _)| *print as u64);
    }

    pub(crate) fn begin_epoch(&mut self) {
        self.outcomes.clear();
    }
}
