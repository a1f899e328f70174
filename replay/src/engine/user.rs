//! One simulated client: its connections, cookies, correlated values and identity.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Mutex;

use crate::cookies::Jar;
use crate::net::Connection;
use crate::prepared::Identities;
use crate::template::{Need, NeedSource};

/// A place for one connection, used by one request at a time.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) connection: Option<Connection>,
    /// When the last request on it ended.
    pub(crate) free_at: u64,
}

/// Number of the session's connection, and of the target.
type SlotKey = (u32, usize);

/// A virtual user.
pub(crate) struct User {
    pub(crate) identity: u64,
    pub(crate) jar: RefCell<Jar>,
    /// By correlation: the latest values handed out.
    values: RefCell<Vec<Vec<String>>>,
    slots: RefCell<Vec<(SlotKey, Rc<Mutex<Slot>>)>>,
}

/// What came of looking for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// With the text around it.
    Value(String),
    /// None was handed out, although one should have been.
    Missing,
    /// It is switched off, or there is no such file: the recorded value is meant.
    Recorded,
}

impl User {
    pub(crate) fn new(identity: u64) -> User {
        User { identity, jar: RefCell::default(), values: RefCell::default(), slots: RefCell::default() }
    }

    /// Begins another session: cookies and values are gone, connections stay.
    pub(crate) fn renew(&mut self) {
        *self.jar.get_mut() = Jar::default();
        self.values.get_mut().clear();
    }

    pub(crate) fn slot(&self, connection: u32, place: usize) -> Rc<Mutex<Slot>> {
        let key = (connection, place);
        let mut slots = self.slots.borrow_mut();
        if let Some((_, slot)) = slots.iter().find(|(known, _)| *known == key) {
            return slot.clone();
        }
        let slot = Rc::new(Mutex::new(Slot::default()));
        slots.push((key, slot.clone()));
        slot
    }

    /// Keeps what a response handed out.
    pub(crate) fn learn(&self, correlation: u32, found: Vec<String>) {
        let mut values = self.values.borrow_mut();
        let at = correlation as usize;
        if values.len() <= at {
            values.resize(at + 1, Vec::new());
        }
        values[at] = found;
    }

    /// The value that a request needs.
    pub(crate) fn find(&self, need: &Need, identities: &Identities) -> Found {
        let dress = |value: &str| match &need.around {
            Some((before, after)) => Found::Value(format!("{before}{value}{after}")),
            None => Found::Value(value.to_owned()),
        };
        match need.source {
            NeedSource::Correlation { number: None, .. } | NeedSource::Identity { column: None } => {
                Found::Recorded
            }
            NeedSource::Correlation { number: Some(number), index } => {
                let values = self.values.borrow();
                match values.get(number as usize).filter(|values| !values.is_empty()) {
                    // Fewer values than in the recording: the list is gone round, so that each is still a real one.
                    Some(values) => {
                        values.get(index as usize % values.len()).map_or(Found::Missing, |v| dress(v))
                    }
                    None => Found::Missing,
                }
            }
            NeedSource::Identity { column: Some(column) } => {
                identities.value(self.identity, column).map_or(Found::Missing, dress)
            }
        }
    }
}
