//! Requests that have each their own place in the timetable, and the users who make them.
//!
//! A request that is due is the next step of a session that has one ready, the longest waiting first. Where none is, a user more comes
//! in and begins a session, up to as many as there may be; beyond that the request waits for the first step that becomes ready. So
//! the target is sent what the timetable says, whatever it does, over no more connections than that takes
//! ([wrk2](https://github.com/giltene/wrk2) does the same with a fixed number).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;

use super::library::Ticket;
use super::{Ahead, Context, Deal, Library};
use crate::timetable::Card;

/// A request's place, as it is given to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// When it was to start.
    pub(crate) intended: u64,
    /// From when on it is the generator's fault that it did not: when it was due and a step was ready for it.
    pub(crate) free: u64,
}

impl Turn {
    /// Due then, and nothing in its way.
    pub(crate) fn at(moment: u64) -> Turn {
        Turn { intended: moment, free: moment }
    }
}

/// A step that is ready.
struct Ready {
    since: u64,
    turn: Cell<Option<Turn>>,
    told: Notify,
}

/// The users of one thread.
pub(crate) struct Crew {
    /// Steps that wait for a request to make, the longest first.
    ready: RefCell<VecDeque<Rc<Ready>>>,
    /// Requests that wait for a step to be made by.
    due: RefCell<VecDeque<u64>>,
    /// Requests that were due and have not ended.
    open: Cell<u64>,
    /// Told when there is none any more.
    caught_up: Notify,
    hand: RefCell<Hand>,
    library: Option<Library>,
}

/// Sessions to come: every one whose number is `next` now and more by `step` each time.
pub(crate) struct Hand {
    deal: Box<Deal>,
    next: u64,
    step: u64,
    /// Those that were dealt already, each with its number and its rank.
    ahead: Ahead<(u64, u64)>,
}

impl Hand {
    /// `stripe`: every session whose number is `.0` modulo `.1` is this thread's.
    pub(crate) fn new(deal: Box<Deal>, stripe: (usize, usize)) -> Hand {
        Hand { deal, next: stripe.0 as u64, step: stripe.1.max(1) as u64, ahead: Ahead::default() }
    }

    /// Asks for sessions to come.
    pub(crate) fn look_ahead(&mut self, library: &Library) {
        let Hand { deal, next, step, ahead } = self;
        ahead.fill(library, &mut || dealt(deal, next, *step));
    }

    fn session(&mut self, library: Option<&Library>) -> Option<(u64, Card, u64, Option<Ticket>)> {
        let Hand { deal, next, step, ahead } = self;
        let ((number, rank), card, ticket) = ahead.next(library, &mut || dealt(deal, next, *step))?;
        Some((number, card, rank, ticket))
    }
}

fn dealt(deal: &mut Deal, next: &mut u64, step: u64) -> Option<((u64, u64), Card)> {
    let turn = *next;
    *next += step;
    let (number, card, rank) = deal.next(0, turn)?;
    Some(((number, rank), card))
}

impl Crew {
    pub(crate) fn new(hand: Hand, library: Option<Library>) -> Rc<Crew> {
        Rc::new(Crew {
            ready: RefCell::default(),
            due: RefCell::default(),
            open: Cell::default(),
            caught_up: Notify::new(),
            hand: RefCell::new(hand),
            library,
        })
    }

    /// The next session: its number, what it is, its rank, and itself where it is not in memory.
    pub(crate) fn session(&self) -> Option<(u64, Card, u64, Option<Ticket>)> {
        self.hand.borrow_mut().session(self.library.as_ref())
    }

    /// A request that is due now goes to the step that has waited longest. Whether there was one; if not, it waits.
    pub(crate) fn give(&self, intended: u64) -> bool {
        self.open.set(self.open.get() + 1);
        if let Some(ready) = self.ready.borrow_mut().pop_front() {
            ready.turn.set(Some(Turn { intended, free: intended.max(ready.since) }));
            ready.told.notify_one();
            return true;
        }
        self.due.borrow_mut().push_back(intended);
        false
    }

    /// What a step that is ready since then is to make.
    pub(crate) async fn turn(&self, since: u64) -> Turn {
        let waiting = self.due.borrow_mut().pop_front();
        if let Some(intended) = waiting {
            return Turn { intended, free: intended.max(since) };
        }
        let ready = Rc::new(Ready { since, turn: Cell::new(None), told: Notify::new() });
        self.ready.borrow_mut().push_back(ready.clone());
        loop {
            ready.told.notified().await;
            if let Some(turn) = ready.turn.get() {
                return turn;
            }
        }
    }

    /// Requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.due.borrow().len()
    }

    /// A request that was given has ended, or was not to be made any more.
    pub(crate) fn ended(&self) {
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 {
            self.caught_up.notify_one();
        }
    }

    /// Resolves when all that was due has ended.
    pub(crate) async fn caught_up(&self) {
        while self.open.get() > 0 {
            self.caught_up.notified().await;
        }
    }
}

/// By what a session's steps begin.
pub(crate) enum Pace<'a> {
    /// The pauses of its steps.
    Own,
    /// The timetable of requests; the first has been given.
    Crew { crew: &'a Crew, first: Cell<Option<Turn>> },
}

impl Pace<'_> {
    /// What a step began for has ended.
    pub(crate) fn ended(&self) {
        if let Pace::Crew { crew, .. } = self {
            crew.ended();
        }
    }

    /// Waits until a step may begin that has `think` to wait from `from` on. `None`: the user has left by then, or there are no turns any
    /// more. `light`: whose sleep the end of the run ends.
    pub(crate) async fn turn(
        &self,
        context: &Context,
        user: &super::User,
        (from, think): (u64, u64),
        light: bool,
    ) -> Option<Turn> {
        match self {
            Pace::Own => {
                let intended = from.saturating_add(think);
                if user.leaves_before(intended) {
                    return None;
                }
                if light {
                    tokio::select! {
                        biased;
                        () = context.halted() => {}
                        () = context.until(intended) => {}
                    }
                } else {
                    context.until(intended).await;
                }
                Some(Turn::at(intended))
            }
            Pace::Crew { crew, first } => {
                let given = first.take();
                if given.is_some() {
                    return given;
                }
                tokio::select! {
                    biased;
                    turn = crew.turn(from) => Some(turn),
                    () = context.halted() => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::timetable::Share;

    fn crew() -> Rc<Crew> {
        let shares = [Share { weight: 1.0, sessions: 1 }];
        let deal = Deal::new(&shares, 1, Arc::new([0]), None, 1);
        Crew::new(Hand::new(Box::new(deal), (1, 3)), None)
    }

    #[test]
    fn sessions_are_striped() {
        let crew = crew();
        let numbers: Vec<u64> = (0..3).filter_map(|_| crew.session()).map(|(number, ..)| number).collect();
        assert_eq!(numbers, [1, 4, 7]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_longest_is_first_and_waiting_is_nobodys_fault() {
        let crew = crew();
        assert!(!crew.give(10) && !crew.give(20));
        assert_eq!(crew.turn(500).await, Turn { intended: 10, free: 500 });
        assert_eq!(crew.waiting(), 1);
        assert_eq!(crew.turn(600).await, Turn { intended: 20, free: 600 });
        assert_eq!(crew.open.get(), 2);
        crew.ended();
        crew.ended();
        crew.caught_up().await;
        let (one, other) = tokio::join!(
            async {
                let turn = crew.turn(700).await;
                assert!(!crew.give(800), "nobody is left");
                turn
            },
            async {
                tokio::task::yield_now().await;
                assert!(crew.give(750));
                tokio::task::yield_now().await;
                crew.turn(900).await
            }
        );
        assert_eq!(one, Turn { intended: 750, free: 750 });
        assert_eq!(other, Turn { intended: 800, free: 900 });
    }
}
