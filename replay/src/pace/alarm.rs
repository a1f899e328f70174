//! One alarm a thread: a timerfd on Linux, exact to some ten microseconds; tokio's timer elsewhere or where no timerfd is to
//! be had.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// tokio's timer is up to a millisecond late.
const COARSE_LEAD: u64 = 1_500_000;

pub(super) enum Alarm {
    #[cfg(target_os = "linux")]
    Fine(fine::Timer),
    Coarse(Option<Pin<Box<tokio::time::Sleep>>>),
}

impl Alarm {
    /// Must be called within a runtime.
    pub(super) fn new() -> Alarm {
        #[cfg(target_os = "linux")]
        if let Some(timer) = fine::Timer::new() {
            return Alarm::Fine(timer);
        }
        Alarm::Coarse(None)
    }

    /// How long before a moment to wake, so as not to be late for it.
    pub(super) fn lead(&self) -> u64 {
        match self {
            #[cfg(target_os = "linux")]
            Alarm::Fine(_) => fine::LEAD,
            Alarm::Coarse(_) => COARSE_LEAD,
        }
    }

    /// Goes off after this many nanoseconds; `None`: never.
    pub(super) fn set(&mut self, span: Option<u64>) {
        match self {
            #[cfg(target_os = "linux")]
            Alarm::Fine(timer) => {
                if !timer.set(span.unwrap_or(0)) {
                    *self = Alarm::Coarse(span.map(sleep));
                }
            }
            Alarm::Coarse(slot) => *slot = span.map(sleep),
        }
    }

    /// Ready once it has gone off.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            #[cfg(target_os = "linux")]
            Alarm::Fine(timer) => timer.poll(cx),
            Alarm::Coarse(Some(sleep)) => sleep.as_mut().poll(cx),
            Alarm::Coarse(None) => Poll::Pending,
        }
    }
}

fn sleep(span: u64) -> Pin<Box<tokio::time::Sleep>> {
    Box::pin(tokio::time::sleep(Duration::from_nanos(span)))
}

#[cfg(target_os = "linux")]
mod fine {
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// What waking up costs, measured generously.
    pub(super) const LEAD: u64 = 60_000;

    pub(in crate::pace) struct Timer {
        fd: AsyncFd<OwnedFd>,
    }

    impl Timer {
        #[expect(
            deprecated,
            reason = "its replacement is unsafe, for types that lie about their descriptor; OwnedFd does not"
        )]
        pub(super) fn new() -> Option<Timer> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            Some(Timer { fd: AsyncFd::with_interest(fd, Interest::READABLE).ok()? })
        }

        /// Zero disarms it. Whether it could be set.
        pub(super) fn set(&mut self, span: u64) -> bool {
            let value = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: (span / 1_000_000_000) as i64,
                    tv_nsec: (span % 1_000_000_000) as _,
                },
            };
            timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &value).is_ok()
        }

        pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            loop {
                let Ok(mut ready) = ready!(self.fd.poll_read_ready(cx)) else { return Poll::Ready(()) };
                let mut count = [0; 8];
                // Setting the timer anew takes back what an earlier alarm left unread, so a read may find nothing.
                match rustix::io::read(self.fd.get_ref(), &mut count) {
                    Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                    _ => return Poll::Ready(()),
                }
            }
        }
    }
}
