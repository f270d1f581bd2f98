//! Receives a body, as much of it as may be.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::reply::{Invalid, Refusal};

/// The whole body. How long a client may take for it is the host's to bound.
///
/// # Errors
///
/// [`Refusal::BodyTooLarge`] where it is larger than `bytes_max`, and [`Refusal::RequestInvalid`] where there should
/// be none, or where it breaks off.
pub async fn collect<B>(body: B, bytes_max: usize) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || if bytes_max == 0 { Invalid::BodyUnexpected.into() } else { Refusal::BodyTooLarge };
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Invalid::BodyUnreadable.into()),
    }
}
