//! The finished form of a set, for further instances of the same process.
//!
//! `cedargate-image NUL version NUL length sha256 body`: the body is the compiled
//! form, and the bundle whose texts have passed the gate. Nothing of it is parsed or validated again. It is checked for damage and version, not for malice: it never leaves the process.

use crate::contract::bundle::BundleKind;
use crate::contract::strict;
use crate::decide::policy_set::{Parts, PolicySet};
use crate::load::{self, LoadError, Trust};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

const MAGIC: &[u8] = b"cedargate-image\0";

const VERSION: &str = env!("CARGO_PKG_VERSION");

const HASH_BYTES: usize = 32;

const LENGTH_BYTES: usize = 8;

/// Why an image was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ImageError {
    /// It was made by something else.
    #[error("the image was made by another component or another version of this one: load the bundle")]
    Foreign,
    /// Its end is missing.
    #[error("the image is cut short: ask for it again")]
    Short,
    /// It is not what was made.
    #[error("the image was changed: ask for it again")]
    Changed,
}

/// The image of a set.
#[must_use]
pub fn image(set: &PolicySet) -> Vec<u8> {
    // An image without a body is not restored.
    let body = set.write_parts().unwrap_or_default();
    let mut out = head();
    out.extend((body.len() as u64).to_le_bytes());
    out.extend(Sha256::digest(&body));
    out.extend(body);
    out
}

/// The set of an image.
///
/// # Errors
/// [`ImageError`].
pub fn restore(image: &[u8]) -> Result<PolicySet, ImageError> {
    let rest = image.strip_prefix(head().as_slice()).ok_or(ImageError::Foreign)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(ImageError::Short)?;
    let (hash, body) = rest.split_first_chunk::<HASH_BYTES>().ok_or(ImageError::Short)?;
    if u64::from_le_bytes(*length) != body.len() as u64 {
        return Err(ImageError::Short);
    }
    if Sha256::digest(body).as_slice() != hash {
        return Err(ImageError::Changed);
    }
    let parts: Parts = postcard::from_bytes(body).map_err(|_| ImageError::Changed)?;
    if parts.kind == BundleKind::Profile {
        return Ok(PolicySet::new(parts, None));
    }
    let bundle = strict::object_from_str(&parts.source).map_err(|_| ImageError::Changed)?;
    load::build(bundle, parts.digest, Trust::Checked).map_err(|_: LoadError| ImageError::Changed)
}

fn head() -> Vec<u8> {
    [MAGIC, VERSION.as_bytes(), b"\0"].concat()
}
