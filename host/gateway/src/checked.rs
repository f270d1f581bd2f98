//! What a client sends, which reaches hyper only as far as it can be read in one way.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::activity::Over;
use crate::framing::{Flaw, Framing};
use crate::gateway::Gateway;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

/// Bytes that are read and forgotten when a connection ends: what the peer sent and nobody read would have the system
/// reset the connection, and the reply be lost on its way.
const FORGOTTEN_BYTES_MAX: usize = 256 << 10;

/// What hyper reads in place of a head with a flaw: no head is one that holds a zero, wherever this begins. hyper
/// answers 400 and closes the connection.
const POISON: &[u8] = b"\0\r\n\r\n";

/// Bytes beyond the limit of heads that are read along: hyper itself says that a head is too large.
const HEAD_SLACK_BYTES: usize = 64 << 10;

/// A stream of which only what can be read in one way is read.
pub(crate) struct CheckedIo<S> {
    stream: S,
    gateway: Arc<Gateway>,
    framing: Framing,
    refused: Option<Refused>,
}

/// What is read after a flaw.
enum Refused {
    /// In a head: what is left of the poison.
    Head(&'static [u8]),
    /// In a body: it cannot be read.
    Body,
}

impl<S> CheckedIo<S> {
    pub(crate) fn new(stream: S, gateway: Arc<Gateway>, header_bytes: u32) -> Self {
        let header_bytes = usize::try_from(header_bytes).unwrap_or(usize::MAX);
        let framing = Framing::new(header_bytes.saturating_add(HEAD_SLACK_BYTES));
        Self { stream, gateway, framing, refused: None }
    }

    fn refuse(&mut self, flaw: Flaw) {
        tracing::debug!(why = flaw.why, "a request can be read in more than one way");
        self.gateway.metrics.ended_early(Over::Malformed);
        self.refused = Some(if flaw.in_head { Refused::Head(POISON) } else { Refused::Body });
    }
}

impl<S: AsyncRead + Unpin> Read for CheckedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.refused.is_none() {
            let mut room = [const { MaybeUninit::<u8>::uninit() }; READ_BYTES];
            let room = room.get_mut(..READ_BYTES.min(buf.remaining())).unwrap_or_default();
            let mut read = ReadBuf::uninit(room);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            let bytes = read.filled();
            let good = match this.framing.read(bytes) {
                Ok(()) => bytes,
                Err(flaw) => {
                    this.refuse(flaw);
                    bytes.get(..flaw.good).unwrap_or_default()
                }
            };
            buf.put_slice(good);
            if !good.is_empty() || bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        match &mut this.refused {
            Some(Refused::Head(poison)) => {
                let (now, later) = poison.split_at_checked(buf.remaining()).unwrap_or((poison, &[]));
                buf.put_slice(now);
                *poison = later;
                Poll::Ready(Ok(()))
            }
            Some(Refused::Body) | None => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for CheckedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        let mut room = [const { MaybeUninit::<u8>::uninit() }; READ_BYTES];
        let mut forgotten = 0_usize;
        while forgotten < FORGOTTEN_BYTES_MAX {
            let mut read = ReadBuf::uninit(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    forgotten = forgotten.saturating_add(read.filled().len());
                }
                // Nothing is there any more, or nobody.
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
