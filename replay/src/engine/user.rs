//! One simulated client: its connections, cookies, correlated values and identity.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use tokio::sync::Mutex;

use crate::cookies::Jar;
use crate::net::{Connection, Failure};
use crate::script::Visit;
use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Draw, RowOrder};

use super::Setup;
use super::line::Link;
use super::protocol::Line;
use crate::template::{Need, NeedPart, NeedSource};

/// A place for one connection, used by one request at a time.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) connection: Option<Box<Connection>>,
    /// When the last request on it ended.
    pub(crate) free_at: u64,
}

/// Number of the session's connection, and of the target.
type SlotKey = (u32, usize);

/// A virtual user.
pub(crate) struct User {
    pub(crate) identity: u64,
    /// Number of its session in the run, whichever thread plays it.
    number: u64,
    /// Profile and session whose log-in the session has.
    person: Cell<Option<(u32, u32)>>,
    /// By value made anew: how many the session has had.
    made: RefCell<Vec<u64>>,
    pub(crate) jar: RefCell<Jar>,
    /// By correlation: the latest values handed out.
    values: RefCell<Vec<Vec<String>>>,
    slots: RefCell<Vec<(SlotKey, Rc<Mutex<Slot>>)>>,
    /// By target, where requests share a connection.
    links: RefCell<Vec<(usize, Rc<Link>)>>,
    /// By peer, where other protocols are spoken.
    lines: RefCell<Vec<(u32, Line)>>,
    /// Whether it logged in as a row of the identities' file that another user has had.
    reuses: Cell<bool>,
    /// When it leaves, if it does before the end, and whether a step was not played for that.
    leaves: Cell<Option<u64>>,
    left: Cell<bool>,
    /// Rank of its session, and of its first one, among those that share rows of data.
    nth: Cell<u64>,
    first: Cell<Option<u64>>,
    /// It does what users do last, also when the run is over.
    stopping: Cell<bool>,
    /// Its session, as a script knows it.
    pub(super) visit: RefCell<Option<Visit>>,
    /// Why a script did not let its session begin.
    pub(super) refused: RefCell<Option<Failure>>,
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
    /// `number`: of its first session.
    pub(crate) fn new(identity: u64, number: u64) -> User {
        User {
            identity,
            number,
            person: Cell::default(),
            made: RefCell::default(),
            jar: RefCell::default(),
            values: RefCell::default(),
            slots: RefCell::default(),
            links: RefCell::default(),
            lines: RefCell::default(),
            reuses: Cell::default(),
            leaves: Cell::default(),
            left: Cell::default(),
            nth: Cell::default(),
            first: Cell::default(),
            stopping: Cell::default(),
            visit: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    /// Number of its session in the run.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Its session has this rank among those that share rows of data with it.
    pub(crate) fn ranks(&self, nth: u64) {
        self.nth.set(nth);
        if self.first.get().is_none() {
            self.first.set(Some(nth));
        }
    }

    /// From now on it does what users do last.
    pub(crate) fn stops(&self) {
        self.stopping.set(true);
        self.leaves.set(None);
    }

    /// Whether it does what users do last.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Rank of the session whose row it has.
    pub(crate) fn rank(&self, kept: bool) -> u64 {
        let first = self.first.get().filter(|_| kept);
        first.unwrap_or_else(|| self.nth.get())
    }

    /// Until this moment; to the end when there is none.
    pub(crate) fn stays(&self, leaves: Option<u64>) {
        self.leaves.set(leaves);
        self.left.set(false);
    }

    /// Whether it will be gone by then; which is remembered.
    pub(crate) fn leaves_before(&self, moment: u64) -> bool {
        let gone = self.leaves.get().is_some_and(|leaves| leaves <= moment);
        if gone {
            self.left.set(true);
        }
        gone
    }

    /// Whether a step was not played as it will be gone by then.
    pub(crate) fn left(&self) -> bool {
        self.left.get()
    }

    /// Whether it had to share an identity; told once.
    pub(crate) fn shared_identity(&self, setup: &Setup) -> bool {
        let rows = setup.plan.identities.len() as u64;
        self.identity >= rows && self.reuses.replace(false)
    }

    /// The session has the log-in of this profile's recorded session.
    pub(crate) fn is(&self, profile: u32, session: Option<u32>) {
        self.person.set(session.map(|session| (profile, session)));
    }

    /// Is somebody else from now on, over the same connections: who plays the session with this number and rank.
    pub(crate) fn becomes(&mut self, number: u64, nth: u64) {
        self.identity = number;
        self.stopping.set(false);
        self.first.set(None);
        self.renew(number, false);
        self.ranks(nth);
    }

    /// Begins another session: cookies and values are gone, unless it keeps them; connections stay.
    pub(crate) fn renew(&mut self, number: u64, keeps: bool) {
        self.number = number;
        self.made.get_mut().clear();
        if keeps {
            return;
        }
        *self.jar.get_mut() = Jar::default();
        self.values.get_mut().clear();
        *self.visit.get_mut() = None;
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

    /// The connection to a target that all requests share.
    pub(crate) fn link(&self, place: usize) -> Rc<Link> {
        let mut links = self.links.borrow_mut();
        if let Some((_, link)) = links.iter().find(|(known, _)| *known == place) {
            return link.clone();
        }
        let link = Rc::new(Link::default());
        links.push((place, link.clone()));
        link
    }

    /// The connection to a peer, which is given back with [`User::keep_line`].
    pub(super) fn take_line(&self, peer: u32) -> Line {
        let mut lines = self.lines.borrow_mut();
        let known = lines.iter().position(|(known, _)| *known == peer);
        known.map(|at| lines.swap_remove(at).1).unwrap_or_default()
    }

    pub(super) fn keep_line(&self, peer: u32, line: Line) {
        self.lines.borrow_mut().push((peer, line));
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
    /// `inline`: of a step written by hand, which means the value that it says and no other.
    pub(crate) fn find(&self, need: &Need, inline: bool, setup: &Setup) -> Found {
        match &need.source {
            NeedSource::Joined(parts) => self.join(parts, inline, setup),
            source if inline && self.lacks(source) => Found::Missing,
            source => self.look_up(source, need.around.as_ref(), setup),
        }
    }

    /// Several in one: it is there when each is.
    fn join(&self, parts: &[NeedPart], inline: bool, setup: &Setup) -> Found {
        let mut text = String::new();
        for part in parts {
            match part {
                NeedPart::Text(own) => text.push_str(own),
                NeedPart::Value(source, Some(default)) if inline && self.lacks(source) => {
                    text.push_str(default);
                }
                NeedPart::Value(source, None) if inline && self.lacks(source) => return Found::Missing,
                NeedPart::Value(source, default) => match (self.look_up(source, None, setup), default) {
                    (Found::Value(value), _) => text.push_str(&value),
                    (_, Some(default)) => text.push_str(default),
                    (none, None) => return none,
                },
            }
        }
        Found::Value(text)
    }

    /// Whether fewer values were handed out than it takes for the one that is meant.
    fn lacks(&self, source: &NeedSource) -> bool {
        let NeedSource::Correlation { number: Some(number), index } = source else { return false };
        let values = self.values.borrow();
        values.get(*number as usize).is_some_and(|values| values.len() <= *index as usize)
    }

    fn look_up(&self, source: &NeedSource, around: Option<&(String, String)>, setup: &Setup) -> Found {
        let dress = |value: &str| match around {
            Some((before, after)) => Found::Value(format!("{before}{value}{after}")),
            None => Found::Value(value.to_owned()),
        };
        match *source {
            NeedSource::Correlation { number: None, .. } | NeedSource::Vary { number: None, .. } => {
                Found::Recorded
            }
            NeedSource::Identity { column: None, recorded } => {
                let person = self.person.get().zip(recorded).and_then(|((profile, session), column)| {
                    let profile = setup.plan.profiles.get(profile as usize)?;
                    profile.people.get(session as usize)?.get(column)?.as_deref()
                });
                person.map_or(Found::Recorded, dress)
            }
            NeedSource::Vary { number: Some(number), back } => {
                self.make(number, back, setup).map_or(Found::Recorded, |value| dress(&value))
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
            NeedSource::Identity { column: Some(column), .. } => {
                self.reuses.set(true);
                setup.plan.identities.value(self.identity, column).map_or(Found::Missing, dress)
            }
            NeedSource::Data { set, column, kept } => self
                .row(set, kept, setup)
                .and_then(|row| row.get(column))
                .map_or(Found::Missing, |v| dress(v)),
            // One is not joined within another.
            NeedSource::Joined(_) => Found::Missing,
        }
    }

    /// Its session's row of a data set.
    fn row<'s>(&self, set: u32, kept: bool, setup: &'s Setup) -> Option<&'s [String]> {
        let rows = &setup.plan.data.get(set as usize)?.rows.rows;
        let at = (self.rank(kept) % rows.len().max(1) as u64) as usize;
        let at = setup.orders.get(set as usize).and_then(|order| order.get(at)).map_or(at, |at| *at as usize);
        rows.get(at).map(Vec::as_slice)
    }

    /// The data set of which there is no row left for its session.
    pub(crate) fn lacks_row<'s>(&self, used: &[(u32, bool)], setup: &'s Setup) -> Option<&'s str> {
        used.iter().find_map(|(set, kept)| {
            let data = setup.plan.data.get(*set as usize)?;
            let over = data.pick == RowOrder::Once && self.rank(*kept) >= data.rows.rows.len() as u64;
            over.then_some(data.name.as_str())
        })
    }

    /// A value made anew, or one that the session has had.
    fn make(&self, number: u32, back: Option<u32>, setup: &Setup) -> Option<String> {
        let plan = setup.plan.vary.get(number as usize)?;
        let mut made = self.made.borrow_mut();
        if made.len() <= number as usize {
            made.resize(number as usize + 1, 0);
        }
        let count = made.get_mut(number as usize)?;
        let index = if let Some(index) = back.and_then(|back| count.checked_sub(1 + u64::from(back))) {
            index
        } else {
            *count += 1;
            *count - 1
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(plan.maker.make(&Draw {
            seed: setup.seed,
            maker: u64::from(number),
            session: self.number,
            index,
            per_session: plan.per_session * setup.vary_room,
            now: Nanos::from(now),
        }))
    }
}
