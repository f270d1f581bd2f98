//! Receives a request's body, within limits of bytes, of time, and of what all bodies together may take.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cedargate_http::reply::{Invalid, Refusal, Unavailable};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bodies up to this size take no room of the shared one: there are no more of them than connections.
const SMALL_BYTES: usize = 16 << 10;

/// The unit of the shared room.
const ROOM_BYTES: usize = 1 << 10;

/// A body, and its room for as long as it is held.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    room: Option<OwnedSemaphorePermit>,
}

/// Receives a whole body.
pub(crate) async fn receive<B>(
    body: B,
    bytes_max: usize,
    patience: Duration,
    room: &Arc<Semaphore>,
) -> Result<Received, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Received { bytes: Bytes::new(), room: None });
    }
    match timeout(patience, collect(body, bytes_max, room)).await {
        Ok(received) => received,
        Err(_) => Err(Refusal::RequestTimeout),
    }
}

async fn collect<B>(mut body: B, bytes_max: usize, room: &Arc<Semaphore>) -> Result<Received, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut received = Received { bytes: Bytes::new(), room: None };
    // Most bodies come in one part, which is taken as it is.
    let mut parts: Option<BytesMut> = None;
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::from(Invalid::BodyUnreadable))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > bytes_max {
            return Err(if bytes_max == 0 { Invalid::BodyUnexpected.into() } else { Refusal::BodyTooLarge });
        }
        received.make_room(length, room)?;
        match &mut parts {
            Some(parts) => parts.extend_from_slice(&data),
            None if received.bytes.is_empty() => received.bytes = data,
            None => {
                let mut joined = BytesMut::with_capacity(length.saturating_mul(2).min(bytes_max));
                joined.extend_from_slice(&received.bytes);
                joined.extend_from_slice(&data);
                parts = Some(joined);
            }
        }
    }
    if let Some(parts) = parts {
        received.bytes = parts.freeze();
    }
    Ok(received)
}

impl Received {
    /// Takes room for this many bytes. Where there is none, the gateway is busy.
    fn make_room(&mut self, bytes: usize, room: &Arc<Semaphore>) -> Result<(), Refusal> {
        if bytes <= SMALL_BYTES {
            return Ok(());
        }
        let held = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(ROOM_BYTES).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let busy = || Refusal::Unavailable(Unavailable::Overloaded);
        let more = u32::try_from(more).map_err(|_| busy())?;
        let taken = Arc::clone(room).try_acquire_many_owned(more).map_err(|_| busy())?;
        match &mut self.room {
            Some(room) => room.merge(taken),
            None => self.room = Some(taken),
        }
        Ok(())
    }
}

/// Room for this many bytes.
pub(crate) fn room(bytes: u64) -> Arc<Semaphore> {
    let units = usize::try_from(bytes).unwrap_or(usize::MAX) / ROOM_BYTES;
    Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body::Frame;

    use super::*;

    struct Parts(VecDeque<Bytes>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
        }
    }

    fn parts(sizes: &[usize]) -> Parts {
        Parts(sizes.iter().map(|size| Bytes::from(vec![b'x'; *size])).collect())
    }

    #[tokio::test]
    async fn a_body_is_joined_and_bounded() {
        let room = room(64 << 10);
        let patience = Duration::from_secs(5);
        let received = receive(parts(&[3, 0, 4]), 7, patience, &room).await.unwrap();
        assert_eq!(received.bytes.len(), 7);
        assert_eq!(receive(parts(&[4, 4]), 7, patience, &room).await.err(), Some(Refusal::BodyTooLarge));
        let unexpected = receive(parts(&[1]), 0, patience, &room).await.err();
        assert_eq!(unexpected, Some(Invalid::BodyUnexpected.into()));
    }

    #[tokio::test]
    async fn all_bodies_together_are_bounded_and_give_back_what_they_took() {
        let room = room(64 << 10);
        let patience = Duration::from_secs(5);
        let one = receive(parts(&[20 << 10, 20 << 10]), 1 << 20, patience, &room).await.unwrap();
        assert_eq!(room.available_permits(), 24);
        let busy = receive(parts(&[30 << 10]), 1 << 20, patience, &room).await.err();
        assert_eq!(busy, Some(Refusal::Unavailable(Unavailable::Overloaded)));
        assert!(receive(parts(&[SMALL_BYTES]), 1 << 20, patience, &room).await.is_ok(), "small ones still come in");
        drop(one);
        assert_eq!(room.available_permits(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_send_is_not_waited_for() {
        let late = receive(Stuck, 10, Duration::from_secs(3), &room(0)).await.err();
        assert_eq!(late, Some(Refusal::RequestTimeout));
    }

    struct Stuck;

    impl Body for Stuck {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::Poll::Pending
        }
    }
}
