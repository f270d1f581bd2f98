//! Bodies of requests and replies.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::activity::{Exchange, Part};
use crate::relay::Relay;

/// Why a body ended early.
pub(crate) type BodyError = Box<dyn Error + Send + Sync>;

/// What a client gets, and what lasts as long as it.
pub(crate) struct ReplyBody {
    kind: Kind,
    exchange: Option<Arc<Exchange>>,
}

enum Kind {
    /// Bytes that are there already.
    Full(Option<Bytes>),
    /// A provider's reply, as it comes.
    Relay(Box<Relay>),
}

impl ReplyBody {
    /// A body that is there already.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Full(Some(bytes.into()).filter(|bytes| !bytes.is_empty())), exchange: None }
    }

    /// No body.
    pub(crate) const fn empty() -> Self {
        Self { kind: Kind::Full(None), exchange: None }
    }

    /// A provider's reply, as it comes.
    pub(crate) fn relay(relay: Relay) -> Self {
        Self { kind: Kind::Relay(Box::new(relay)), exchange: None }
    }

    /// The same body, which keeps its request open.
    pub(crate) fn of(mut self, exchange: Arc<Exchange>) -> Self {
        match self.kind {
            Kind::Full(_) => exchange.replies_itself(),
            Kind::Relay(_) => {}
        }
        if self.is_end_stream() {
            exchange.is_whole();
        }
        self.exchange = Some(exchange);
        self
    }
}

impl Body for ReplyBody {
    type Data = Part;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Part>, BodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.kind {
            Kind::Full(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Kind::Relay(relay) => match Pin::new(relay.as_mut()).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return Poll::Pending,
            },
        };
        let Some(exchange) = &this.exchange else {
            return Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(Part::unwatched))));
        };
        let frame = frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| exchange.hand_over(bytes))));
        let is_end = match &frame {
            Some(frame) => frame.is_ok() && this.is_end_stream(),
            None => true,
        };
        if is_end {
            exchange.is_whole();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Relay(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
            }
            Kind::Relay(relay) => relay.size_hint(),
        }
    }
}

/// Where a provider's reply comes from.
pub(crate) enum Source {
    /// A connection.
    Incoming(Incoming),
    /// The built-in provider.
    Parts(std::vec::IntoIter<Bytes>),
}

impl Source {
    /// These parts, one frame each.
    pub(crate) fn parts(parts: Vec<Bytes>) -> Self {
        Self::Parts(parts.into_iter())
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            Self::Parts(parts) => Poll::Ready(parts.next().map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Parts(parts) => parts.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            Self::Parts(parts) => match parts.as_slice() {
                [] => SizeHint::with_exact(0),
                [part] => SizeHint::with_exact(u64::try_from(part.len()).unwrap_or(u64::MAX)),
                // A stream: nobody knows its length before its end.
                _ => SizeHint::new(),
            },
        }
    }
}
