//! Which endpoint a request is for. What is not in this table does not exist.

mod dialect;
mod endpoint;
mod path;
mod prefix;

use std::borrow::Cow;

use http::{HeaderMap, Method};

pub use dialect::{ANTHROPIC_VERSION, Dialect};
pub use endpoint::{Action, BodyForms, Endpoint};
pub(crate) use path::is_well_encoded;
pub use prefix::{PathPrefix, PathPrefixError};

use crate::catalogue::ModelId;
use crate::reply::{Invalid, Refusal};

/// An endpoint, the dialect that it speaks, and the model where the path names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    endpoint: Endpoint,
    dialect: Dialect,
    model: Option<ModelId>,
}

impl Route {
    /// The route of a request. Fixed parts of a path are compared byte for byte, so a spelling that a server behind
    /// could read as another path is no route.
    ///
    /// # Errors
    ///
    /// [`Refusal::RouteUnknown`] where no endpoint has this path, [`Refusal::MethodNotAllowed`] where it has another
    /// method, [`Refusal::RequestInvalid`] where the path names a model by an id that cannot be one.
    pub fn of(method: &Method, path: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let dialect = Dialect::of(path, headers);
        let (endpoint, model) = match Endpoint::at(path) {
            Some(endpoint) => (endpoint, None),
            None => {
                let (endpoint, written) = Endpoint::with_model_at(path).ok_or(Refusal::RouteUnknown)?;
                (endpoint, Some(written))
            }
        };
        if method != endpoint.method() {
            return Err(Refusal::MethodNotAllowed { allow: endpoint.method() });
        }
        let model = model.map(path::model).transpose()?;
        Ok(Self { endpoint, dialect, model })
    }

    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The dialect that the caller speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The model that the path names.
    #[must_use]
    pub const fn model(&self) -> Option<&ModelId> {
        self.model.as_ref()
    }

    /// The path of this endpoint at a provider, for a model as that provider names it.
    #[must_use]
    pub fn path_for(&self, model: &str) -> Cow<'static, str> {
        self.endpoint.path_for(self.dialect, model)
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::RequestInvalid(invalid)
    }
}
