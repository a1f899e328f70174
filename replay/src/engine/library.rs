//! Sessions that are not in memory: a thread beside each sending one reads and compiles them, mostly ahead of the time at which they
//! are due.
//!
//! What is to come is known from the timetable and the decks, so that much is asked for as there is room for. A session that is not
//! there in time is waited for; its steps keep the moments at which they were to start, so that this is lag like any other.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Setup;
use crate::prepared::Recorded;
use crate::timetable::Card;
use crate::{Error, Stop};

/// Of the memory that sessions may take, this part is read ahead, and as much stays of what was read last; within these bounds.
const PART: u64 = 16;
const LEAST: u64 = 4 << 20;
const MOST: u64 = 64 << 20;
/// Sessions that are looked ahead to at most, also where they take next to nothing.
const LOOKED_AHEAD: usize = 4096;
/// Sessions that are asked for at once, when there is room again: that takes the sending thread's time.
const AT_ONCE: usize = 16;

/// A session, or why it cannot be had.
type Answer = Result<Arc<Recorded>, String>;

enum Ask {
    Read(Card, oneshot::Sender<Answer>),
    /// To be told when all that was asked for before is there.
    Tell(Sender<()>),
}

/// Bytes of sessions that were asked for and are not played yet, of so many.
struct Room {
    used: AtomicU64,
    most: u64,
}

/// What one sending thread asks.
pub(crate) struct Library {
    setup: Arc<Setup>,
    asks: Sender<Ask>,
    room: Arc<Room>,
}

/// A session that was asked for. Its room is free again when it is fetched, or not wanted any more.
pub(crate) struct Ticket {
    answer: oneshot::Receiver<Answer>,
    room: Arc<Room>,
    bytes: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Ticket {
    /// The session, as soon as it is there.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    pub(crate) async fn fetch(mut self) -> Answer {
        (&mut self.answer).await.unwrap_or_else(|_| Err("the thread that reads them has ended".to_owned()))
    }
}

/// The session of a ticket; `None` without one, as it is in memory then.
///
/// # Errors
/// As [`Ticket::fetch`].
pub(crate) async fn fetched(ticket: Option<Ticket>) -> Result<Option<Arc<Recorded>>, String> {
    match ticket {
        Some(ticket) => ticket.fetch().await.map(Some),
        None => Ok(None),
    }
}

impl Library {
    /// For each sending thread its own; none where all sessions are in memory.
    ///
    /// # Errors
    /// [`Error::Engine`] when there can be no thread.
    pub(crate) fn start(setup: &Arc<Setup>, threads: usize) -> Result<Vec<Library>, Error> {
        let Some(stream) = &setup.plan.stream else { return Ok(Vec::new()) };
        let all = (stream.memory / PART).clamp(LEAST, MOST);
        let shelf = Arc::new(Shelf::new(all));
        let library = |_| {
            let (asks, inbox) = mpsc::channel();
            let (own, shelf) = (setup.clone(), shelf.clone());
            // It ends when nobody can ask any more; a file system that hangs must not keep the run from its end.
            std::thread::Builder::new()
                .name("mynah-reader".to_owned())
                .spawn(move || serve(&inbox, &own, &shelf))
                .map_err(|error| Error::Engine(format!("no thread to read sessions: {error}")))?;
            let room = Room { used: AtomicU64::new(0), most: all / threads.max(1) as u64 };
            Ok(Library { setup: setup.clone(), asks, room: Arc::new(room) })
        };
        (0..threads).map(library).collect()
    }

    /// Asks for a session; `None` where it is in memory.
    pub(crate) fn ask(&self, card: Card) -> Option<Ticket> {
        let bytes = self.setup.reads(card)?;
        let (sender, answer) = oneshot::channel();
        self.room.used.fetch_add(bytes, Ordering::Relaxed);
        // Nobody there: that is told where it is fetched.
        let _ = self.asks.send(Ask::Read(card, sender));
        Some(Ticket { answer, room: self.room.clone(), bytes })
    }

    /// The same of one that is not due yet, where there is room for it.
    pub(crate) fn ask_ahead(&self, card: Card) -> Option<Ticket> {
        if self.has_room() { self.ask(card) } else { None }
    }

    /// A session that is due, with its ticket where it has one. `None` where it is in memory.
    ///
    /// # Errors
    /// As [`Ticket::fetch`].
    pub(crate) async fn fetch(
        &self,
        ticket: Option<Ticket>,
        card: Card,
    ) -> Result<Option<Arc<Recorded>>, String> {
        fetched(ticket.or_else(|| self.ask(card))).await
    }

    /// Waits until all that was asked for so far is there.
    pub(crate) fn settle(&self, stop: &Stop) {
        let (sender, told) = mpsc::channel();
        if self.asks.send(Ask::Tell(sender)).is_err() {
            return;
        }
        while !stop.is_triggered() && told.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {}
    }

    fn has_room(&self) -> bool {
        self.room.used.load(Ordering::Relaxed) < self.room.most
    }

    /// Whether half of what was asked for ahead is gone.
    fn is_low(&self) -> bool {
        self.room.used.load(Ordering::Relaxed) < self.room.most / 2
    }
}

/// How often it is looked whether the wait was interrupted.
const LOOK: Duration = Duration::from_millis(100);

/// Reads what is asked for, in that order.
fn serve(inbox: &Receiver<Ask>, setup: &Setup, shelf: &Shelf) {
    for ask in inbox {
        match ask {
            // Nobody waits for it any more.
            Ask::Read(_, answer) if answer.is_closed() => {}
            Ask::Read(card, answer) => {
                let found = match shelf.get(card) {
                    Some(known) => Ok(known),
                    None => setup.read(card).map(|read| shelf.put(card, read)),
                };
                let _ = answer.send(found);
            }
            Ask::Tell(told) => {
                let _ = told.send(());
            }
        }
    }
}

/// Sessions that were read, shared by the reading threads: those that are played, and some that were read last.
struct Shelf {
    known: Mutex<Known>,
    /// Bytes that may stay.
    most: u64,
}

#[derive(Default)]
struct Known {
    by_card: HashMap<Card, Weak<Recorded>>,
    /// Those that stay, the oldest first, and their bytes.
    last: VecDeque<Arc<Recorded>>,
    bytes: u64,
    /// Cards at which those are taken out whose sessions are gone.
    full: usize,
}

impl Shelf {
    fn new(most: u64) -> Shelf {
        Shelf { known: Mutex::default(), most }
    }

    fn get(&self, card: Card) -> Option<Arc<Recorded>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_card.get(&card)?.upgrade()
    }

    fn put(&self, card: Card, read: Recorded) -> Arc<Recorded> {
        let read = Arc::new(read);
        let mut gone = Vec::new();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        known.bytes += read.bytes;
        known.last.push_back(read.clone());
        while known.bytes > self.most
            && let Some(oldest) = known.last.pop_front()
        {
            known.bytes = known.bytes.saturating_sub(oldest.bytes);
            gone.push(oldest);
        }
        known.by_card.insert(card, Arc::downgrade(&read));
        if known.by_card.len() >= known.full {
            drop(gone);
            known.by_card.retain(|_, session| session.strong_count() > 0);
            known.full = known.by_card.len() * 2 + LOOKED_AHEAD;
        }
        read
    }
}

/// What is to come, in order, each with its session where that had to be asked for.
pub(crate) struct Ahead<T>(VecDeque<(T, Card, Option<Ticket>)>);

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Ahead(VecDeque::new())
    }
}

impl<T> Ahead<T> {
    /// Asks for what is to come, as far as there is room.
    pub(crate) fn fill(&mut self, library: &Library, more: &mut impl FnMut() -> Option<(T, Card)>) {
        self.ask(library, more, LOOKED_AHEAD);
    }

    /// The same, until there are so many.
    fn ask(&mut self, library: &Library, more: &mut impl FnMut() -> Option<(T, Card)>, most: usize) {
        while self.0.len() < most.min(LOOKED_AHEAD) && (self.0.is_empty() || library.has_room()) {
            let Some((what, card)) = more() else { return };
            self.0.push_back((what, card, library.ask(card)));
        }
    }

    /// The next one. `more`: gives those behind it.
    pub(crate) fn next(
        &mut self,
        library: Option<&Library>,
        more: &mut impl FnMut() -> Option<(T, Card)>,
    ) -> Option<(T, Card, Option<Ticket>)> {
        let Some(library) = library else { return more().map(|(what, card)| (what, card, None)) };
        if self.0.is_empty() || library.is_low() {
            self.ask(library, more, self.0.len() + AT_ONCE);
        }
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(session: u32) -> Card {
        Card { profile: 0, session }
    }

    fn recorded(bytes: u64) -> Recorded {
        Recorded { bytes, ..Recorded::empty() }
    }

    #[test]
    fn what_is_played_or_was_read_last_is_known() {
        let shelf = Shelf::new(100);
        let played = shelf.put(card(1), recorded(60));
        drop(shelf.put(card(2), recorded(60)));
        drop(shelf.put(card(3), recorded(30)));
        assert!(shelf.get(card(1)).is_some_and(|known| Arc::ptr_eq(&known, &played)), "somebody plays it");
        assert!(shelf.get(card(2)).is_some() && shelf.get(card(3)).is_some(), "there is room for both");
        drop(played);
        assert!(shelf.get(card(1)).is_none());
        drop(shelf.put(card(4), recorded(1000)));
        assert!(
            (1..5).all(|session| shelf.get(card(session)).is_none()),
            "one that is too large stays alone"
        );
        for session in 0..3 * LOOKED_AHEAD as u32 {
            drop(shelf.put(card(session), recorded(50)));
        }
        let known = shelf.known.lock().unwrap();
        assert!(known.by_card.len() <= LOOKED_AHEAD + 4 && known.last.len() == 2, "{}", known.by_card.len());
    }
}
