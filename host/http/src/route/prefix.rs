//! Where paths begin, for hosts that tell requests apart by the way they came in.

use std::fmt;
use std::str::FromStr;

use super::{Endpoint, Route};

/// The beginning of the paths of some endpoints: whole segments, and none that a client writes.
///
/// It is compared with the endpoint that was found, and not with what was sent: however a client spells a path, it has
/// the route that it has, or none.
///
/// ```
/// use cedargate_http::route::{PathPrefix, Route};
/// use http::{HeaderMap, Method};
///
/// let embeddings: PathPrefix = "/v1/embeddings".parse()?;
/// let route = Route::of(&Method::POST, "/v1/embeddings", &HeaderMap::new()).unwrap();
/// assert!(embeddings.holds(&route));
/// // A typing error does not wait for a request that never comes.
/// assert!("/v1/embedings".parse::<PathPrefix>().is_err());
/// # Ok::<(), cedargate_http::route::PathPrefixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPrefix {
    text: Box<str>,
}

/// No endpoint has such a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no path of an endpoint begins so: write whole segments, none from the model's name on and no `/` at the end, for \
     example `/v1/embeddings`, `/v1/images` or `/openai/deployments`"
)]
pub struct PathPrefixError;

impl PathPrefix {
    /// Whether the path of a route begins so.
    #[must_use]
    pub fn holds(&self, route: &Route) -> bool {
        begins(route.endpoint.fixed_path(route.dialect), &self.text)
    }

    /// The prefix as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PathPrefix {
    type Err = PathPrefixError;

    fn from_str(text: &str) -> Result<Self, PathPrefixError> {
        let is_one = text.len() > 1 && Endpoint::fixed_paths().any(|path| begins(path, text));
        if is_one { Ok(Self { text: text.into() }) } else { Err(PathPrefixError) }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a path begins with these segments.
fn begins(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
