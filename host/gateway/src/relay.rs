//! A provider's reply on its way to the client: the bytes pass unchanged, are metered, and are waited for only so long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::{BodyError, Source};
use crate::usage::{CountStripper, Meter, Usage};

/// Why a reply did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RelayError {
    /// The provider broke the connection, or sent something else than it announced.
    #[error("the provider broke off its reply")]
    Broken,
    /// The provider sent nothing for too long.
    #[error("the provider stopped sending its reply")]
    Idle,
    /// The reply took too long in all.
    #[error("the provider's reply took too long")]
    Endless,
    /// The reply is too long.
    #[error("the provider's reply is larger than the gateway takes")]
    TooLarge,
    /// The client went away, or the gateway stopped.
    #[error("the client went away before the end of the reply")]
    Abandoned,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// What the provider said that it used.
    pub(crate) usage: Option<Usage>,
    /// Whether the reply reached its end.
    pub(crate) result: Result<(), RelayError>,
}

/// Is told once how a reply ended.
pub(crate) trait OnEnd: Send {
    /// The reply ended so.
    fn ended(self: Box<Self>, ending: Ending);
}

/// How long a reply may be, in time and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Between two parts.
    pub(crate) idle: Duration,
    /// When the whole must have come.
    pub(crate) until: Instant,
    /// Bytes that may still come.
    pub(crate) bytes: u64,
}

/// A reply on its way.
pub(crate) struct Relay {
    source: Source,
    meter: Meter,
    /// Takes away the count that the client did not ask for.
    stripper: Option<CountStripper>,
    patience: Patience,
    /// Set while a part is waited for: what comes at once needs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    on_end: Option<Box<dyn OnEnd>>,
}

impl Relay {
    pub(crate) fn new(source: Source, meter: Meter, patience: Patience, on_end: Box<dyn OnEnd>) -> Self {
        Self { source, meter, stripper: None, patience, timer: None, waiting: false, on_end: Some(on_end) }
    }

    /// The same reply without the event that only counts.
    pub(crate) fn without_count(mut self) -> Self {
        self.stripper = Some(CountStripper::default());
        self
    }

    fn end(&mut self, result: Result<(), RelayError>) {
        if let Some(on_end) = self.on_end.take() {
            on_end.ended(Ending { usage: self.meter.usage(), result });
        }
    }

    fn fail(&mut self, error: RelayError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.end(Err(error));
        Poll::Ready(Some(Err(error.into())))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<RelayError> {
        let now = Instant::now();
        if !self.waiting {
            self.waiting = true;
            let idle = now.checked_add(self.patience.idle).unwrap_or(self.patience.until);
            let moment = idle.min(self.patience.until);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(moment),
                None => self.timer = Some(Box::pin(sleep_until(moment))),
            }
        }
        let still = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_pending());
        match still {
            true => Poll::Pending,
            false if now >= self.patience.until => Poll::Ready(RelayError::Endless),
            false => Poll::Ready(RelayError::Idle),
        }
    }
}

impl Relay {
    /// Meters a part, and returns what of it may pass.
    fn note(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, RelayError> {
        let Ok(data) = frame.into_data() else { return Ok(Frame::data(Bytes::new())) };
        self.meter.read(&data);
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.patience.bytes = self.patience.bytes.checked_sub(bytes).ok_or(RelayError::TooLarge)?;
        Ok(Frame::data(match &mut self.stripper {
            Some(stripper) => stripper.pass(&data),
            None => data,
        }))
    }

    /// The end: what was held back passes now.
    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.end(Ok(()));
        let rest = self.stripper.as_mut().map(CountStripper::rest).filter(|rest| !rest.is_empty());
        Poll::Ready(rest.map(|rest| Ok(Frame::data(rest))))
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if this.on_end.is_none() {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.source).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    return match this.poll_timer(cx) {
                        Poll::Ready(error) => this.fail(error),
                        Poll::Pending => Poll::Pending,
                    };
                }
            };
            // A provider that always has something to say would never meet the timer above.
            if this.waiting && Instant::now() >= this.patience.until {
                return this.fail(RelayError::Endless);
            }
            this.waiting = false;
            let frame = match frame {
                Some(Ok(frame)) => match this.note(frame) {
                    Ok(frame) => frame,
                    Err(error) => return this.fail(error),
                },
                Some(Err(_)) => return this.fail(RelayError::Broken),
                None => return this.finish(),
            };
            if frame.data_ref().is_some_and(Bytes::is_empty) {
                continue;
            }
            if this.stripper.is_none() && this.source.is_end_stream() {
                this.end(Ok(()));
            }
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.on_end.is_none() || (self.stripper.is_none() && self.source.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.stripper.is_some() { SizeHint::default() } else { self.source.size_hint() }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let result = if self.source.is_end_stream() { Ok(()) } else { Err(RelayError::Abandoned) };
        self.end(result);
    }
}
