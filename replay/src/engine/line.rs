//! What a request goes over: a connection that is its own for the time, or one that it shares.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Context;
use super::user::Slot;
use crate::net::{Answer, Broken, Connection, Dialled, Exchanged, Failure, Http2, Patience, Place, Sending};
use crate::stats::Dial;

/// A user's connection to an origin where HTTP/2 is spoken.
#[derive(Default)]
pub(crate) struct Link {
    /// Locked for as long as one is made: the requests of a user wait for the same one.
    current: Mutex<Option<Rc<Http2>>>,
}

/// Where a request gets its connection from, and gives it back to.
pub(crate) enum Way<'a> {
    Slot(&'a mut Slot),
    Link(Rc<Link>),
}

/// See the module's documentation.
pub(crate) enum Line {
    /// In a box, so that handing it over and back is a pointer's worth.
    Own(Box<Connection>),
    Shared {
        http2: Rc<Http2>,
        answer: Answer,
    },
}

impl Way<'_> {
    /// The connection if it is still good, else a new one. Connecting, and waiting for a server that takes no more streams, is not
    /// the generator's fault: what it takes is added to the moment from which the lag counts.
    pub(crate) async fn line(
        &mut self,
        context: &Context,
        place: &Place,
        ready: &mut u64,
    ) -> Result<Line, Failure> {
        let slot = match self {
            // Users of HTTP/1 need not have room for it.
            Way::Link(link) => return Box::pin(link.line(context, place, ready)).await,
            Way::Slot(slot) => slot,
        };
        if let Some(mut connection) = slot.connection.take()
            && connection.ready().await
        {
            return Ok(Line::Own(connection));
        }
        let before = context.clock.now();
        let opened = Connection::open(place, context.clock, &context.deadlines, &context.buffers).await;
        let (connection, dialled) = counted(context, before, ready, opened)?;
        context.recorder.borrow_mut().dialled(dialled);
        Ok(Line::Own(Box::new(connection)))
    }

    /// When the last request on it ended; requests that share one do not wait for each other.
    pub(crate) fn free_at(&self) -> u64 {
        match self {
            Way::Slot(slot) => slot.free_at,
            Way::Link(_) => 0,
        }
    }

    /// A request on it has ended.
    pub(crate) fn freed(&mut self, at: u64) {
        if let Way::Slot(slot) = self {
            slot.free_at = at;
        }
    }

    /// Takes a connection back. One that is over is closed at once rather than when it would be used again.
    pub(crate) fn keep(&mut self, line: Line) {
        if let (Way::Slot(slot), Line::Own(connection)) = (self, line)
            && connection.is_open()
        {
            slot.connection = Some(connection);
        }
    }
}

impl Link {
    async fn line(&self, context: &Context, place: &Place, ready: &mut u64) -> Result<Line, Failure> {
        let before = context.clock.now();
        let mut waited = false;
        let http2 = loop {
            let mut current = if let Ok(current) = self.current.try_lock() {
                current
            } else {
                waited = true;
                self.current.lock().await
            };
            let open = current.as_ref().filter(|http2| http2.is_open()).cloned();
            let http2 = if let Some(http2) = open {
                http2
            } else {
                waited = true;
                let begun = context.clock.now();
                let opened = Http2::open(place, context.clock, &context.deadlines, &context.buffers).await;
                let (http2, dialled) = counted(context, begun, &mut 0, opened)?;
                context.recorder.borrow_mut().dialled(dialled);
                current.insert(Rc::new(http2)).clone()
            };
            drop(current);
            if http2.has_room() {
                break http2;
            }
            if !waited {
                context.recorder.borrow_mut().counters().held_back += 1;
            }
            waited = true;
            http2.room().await;
        };
        if waited {
            *ready += context.clock.now().saturating_sub(before);
        }
        Ok(Line::Shared { http2, answer: Answer::default() })
    }
}

/// What came of opening a connection, and how long that took.
fn counted<C>(
    context: &Context,
    before: u64,
    ready: &mut u64,
    opened: Result<(C, Dialled), Failure>,
) -> Result<(C, Dial), Failure> {
    let now = context.clock.now();
    *ready += now.saturating_sub(before);
    let (connection, dialled) = opened?;
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Ok((connection, Dial { end: now, connect: nanos(dialled.connect), tls: dialled.tls.map(nanos) }))
}

impl Line {
    /// Whether a request was answered on it before.
    pub(crate) fn is_used(&self) -> bool {
        match self {
            Line::Own(connection) => connection.used,
            Line::Shared { http2, .. } => http2.is_used(),
        }
    }

    /// Whether it is HTTP/2.
    pub(crate) fn is_h2(&self) -> bool {
        matches!(self, Line::Shared { .. })
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn exchange(
        &mut self,
        sending: Sending,
        patience: Patience,
    ) -> Result<Exchanged, Broken> {
        match self {
            Line::Own(connection) => connection.exchange(sending, patience).await,
            // Users of HTTP/1 need not have room for it.
            Line::Shared { http2, answer } => Box::pin(http2.exchange(sending, answer, patience)).await,
        }
    }

    /// The answer that was read last.
    pub(crate) fn answer(&mut self) -> &mut Answer {
        match self {
            Line::Own(connection) => connection.answer(),
            Line::Shared { answer, .. } => answer,
        }
    }
}
