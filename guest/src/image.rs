//! The finished form of a set, for further instances of the same process.
//!
//! `cedargate-image NUL version NUL length sha256 body`: the body is the bundle whose texts have passed the
//! gate. It is checked for damage and version, not for malice: it never leaves the process.

use crate::bundle::Bundle;
use crate::load::{self, LoadError, Trust};
use crate::set::PolicySet;
use crate::strict;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8] = b"cedargate-image\0";

const VERSION: &str = env!("CARGO_PKG_VERSION");

const HASH_BYTES: usize = 32;

const LENGTH_BYTES: usize = 8;

#[derive(Serialize, Deserialize)]
struct Body {
    digest: String,
    bundle: Bundle,
}

/// The image of a set.
#[must_use]
pub fn image(set: &PolicySet) -> Vec<u8> {
    let body = Body { digest: set.digest.clone(), bundle: set.bundle.clone() };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut out = head();
    out.extend((body.len() as u64).to_le_bytes());
    out.extend(Sha256::digest(&body));
    out.extend(body);
    out
}

/// The set of an image.
///
/// # Errors
/// What is wrong with the image.
pub fn restore(image: &[u8]) -> Result<PolicySet, String> {
    let rest = image.strip_prefix(head().as_slice()).ok_or("the image is of another version of this component")?;
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or("the image is cut short")?;
    let (hash, body) = rest.split_first_chunk::<HASH_BYTES>().ok_or("the image is cut short")?;
    if u64::from_le_bytes(*length) != body.len() as u64 {
        return Err("the image is cut short".into());
    }
    if Sha256::digest(body).as_slice() != hash {
        return Err("the image was changed".into());
    }
    let body = std::str::from_utf8(body).map_err(|_| "the image was changed")?;
    let Body { digest, bundle } = strict::from_str(body)?;
    load::build(bundle, digest, Trust::Checked).map_err(|error: LoadError| error.to_string())
}

fn head() -> Vec<u8> {
    [MAGIC, VERSION.as_bytes(), b"\0"].concat()
}
