//! What goes over an HTTP/2 connection, counted: bytes, and when the next of them were taken by the socket.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::net::wire::Stream;
use crate::pace::Clock;

/// A stream that tells of itself.
pub(super) struct Counted {
    stream: Stream,
    ledger: Rc<Ledger>,
}

/// What is told.
#[derive(Debug)]
pub(super) struct Ledger {
    clock: Clock,
    read: Account,
    written: Account,
    /// Requests that were handed over since bytes were last taken: each is told when the next are.
    waiting: RefCell<Vec<Rc<Cell<u64>>>>,
    /// Something has come, or a stream has ended: there may be room for another one.
    pub(super) moved: Notify,
}

/// Bytes of a connection, shared out among its requests.
#[derive(Debug, Default)]
struct Account {
    total: Cell<u64>,
    shared: Cell<u64>,
}

impl Account {
    fn share(&self, bytes: u64) -> u64 {
        self.shared.set(self.shared.get() + bytes);
        bytes
    }

    fn rest(&self) -> u64 {
        self.share(self.total.get().saturating_sub(self.shared.get()))
    }
}

impl Ledger {
    pub(super) fn new(clock: Clock) -> Rc<Ledger> {
        Rc::new(Ledger {
            clock,
            read: Account::default(),
            written: Account::default(),
            waiting: RefCell::default(),
            moved: Notify::new(),
        })
    }

    /// `started` becomes the moment at which the socket takes the next bytes.
    pub(super) fn handed_over(&self, started: Rc<Cell<u64>>) {
        self.waiting.borrow_mut().push(started);
    }

    /// All bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.total.get()
    }

    /// Takes these as a request's own.
    pub(super) fn own_read(&self, bytes: u64) -> u64 {
        self.read.share(bytes)
    }

    /// See [`Ledger::own_read`].
    pub(super) fn own_written(&self, bytes: u64) -> u64 {
        self.written.share(bytes)
    }

    /// What nobody has taken yet, read and written: heads, frames, windows.
    pub(super) fn rest(&self) -> (u64, u64) {
        (self.read.rest(), self.written.rest())
    }
}

impl Counted {
    pub(super) fn new(stream: Stream, ledger: Rc<Ledger>) -> Counted {
        Counted { stream, ledger }
    }

    fn write(
        &mut self,
        write: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        // Before the call: on loopback the answer can be there when it returns.
        let waits = !self.ledger.waiting.borrow().is_empty();
        let now = if waits { self.ledger.clock.now() } else { 0 };
        let count = ready!(write(Pin::new(&mut self.stream)))?;
        if waits {
            for started in self.ledger.waiting.borrow_mut().drain(..) {
                started.set(now);
            }
        }
        let total = &self.ledger.written.total;
        total.set(total.get() + count as u64);
        Poll::Ready(Ok(count))
    }
}

// === impl AsyncRead, AsyncWrite ===

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(AsyncRead::poll_read(Pin::new(&mut self.stream), cx, buffer))?;
        let total = &self.ledger.read.total;
        total.set(total.get() + (buffer.filled().len() - before) as u64);
        self.ledger.moved.notify_waiters();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|stream| AsyncWrite::poll_write(stream, cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
