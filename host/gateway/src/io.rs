//! A client's connection, which is given up when the client takes nothing or asks nothing for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::activity::Activity;

/// A connection with limits of time.
///
/// The head of a request, on a new connection and on one that is kept, must have come before the first of them has
/// passed, however its bytes trickle in: only a request that is whole counts. What is written must be taken within the
/// second. A request's body has a limit of its own.
pub(crate) struct TimedIo {
    stream: TokioIo<TcpStream>,
    activity: Arc<Activity>,
    read: Timer,
    write: Timer,
}

/// A timer that is only set while something is waited for.
struct Timer {
    patience: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Timer {
    fn new(patience: Duration) -> Self {
        Self { patience, sleep: None, waiting: false }
    }

    /// Whether the time is over, counted from when the wait began. Wakes the task when it will be.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.waiting {
            self.waiting = true;
            self.set(self.patience);
        }
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }

    fn set(&mut self, wait: Duration) {
        let now = Instant::now();
        let moment = now.checked_add(wait).unwrap_or(now);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(moment),
            None => self.sleep = Some(Box::pin(sleep_until(moment))),
        }
    }
}

impl TimedIo {
    pub(crate) fn new(stream: TcpStream, activity: Arc<Activity>, read: Duration, write: Duration) -> Self {
        Self { stream: TokioIo::new(stream), activity, read: Timer::new(read), write: Timer::new(write) }
    }

    fn watch_write<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write.waiting = false;
            return polled;
        }
        if self.write.is_over(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }

    /// Whether the connection had no request for too long. The timer goes on from one request to the next, and is
    /// set anew when it rings too early.
    fn is_idle_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        while self.read.is_over(cx) {
            match self.activity.idle() {
                Some(idle) if idle >= self.read.patience => return true,
                Some(idle) => self.read.set(self.read.patience.saturating_sub(idle)),
                None => self.read.set(self.read.patience),
            }
        }
        false
    }
}

impl Read for TimedIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.is_idle_too_long(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl Write for TimedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch_write(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch_write(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch_write(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch_write(cx, polled)
    }
}
