//! What is known of a request before its body is read.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::asked::{Asked, Reading};
use super::limits::Limits;
use super::media_type::{self, BodyForm};
use super::{json, multipart, query};
use crate::catalogue::{Catalogue, ID_BYTES_MAX, ModelId, Resolution};
use crate::credential::is_credential_header;
use crate::hygiene::{TEAM, named_in_connection};
use crate::reply::{Invalid, Refusal};
use crate::route::{Dialect, Route};

/// A request whose path, query and headers were read and found to have one reading.
///
/// Whoever sends a request can be told that it cannot be before its body, which may be large, is received.
#[derive(Clone, Debug)]
pub struct Envelope {
    route: Route,
    form: BodyForm,
    body_bytes_max: usize,
    team: Option<Box<str>>,
    /// Models that the query names.
    in_query: Vec<ModelId>,
}

impl Envelope {
    /// Reads path, query and headers.
    ///
    /// # Errors
    ///
    /// [`Refusal::RouteUnknown`], [`Refusal::MethodNotAllowed`], [`Refusal::MediaTypeUnsupported`],
    /// [`Refusal::BodyTooLarge`] where the length is said to be, and [`Refusal::RequestInvalid`] with the cause.
    pub fn open(parts: &Parts, limits: &Limits) -> Result<Self, Refusal> {
        let route = Route::of(&parts.method, parts.uri.path(), &parts.headers)?;
        let in_query = parts.uri.query().map(query::models).transpose()?.unwrap_or_default();
        refuse_hidden_headers(&parts.headers)?;
        let form = media_type::form(route.endpoint().body(), &parts.headers)?;
        let body_bytes_max = match form {
            BodyForm::Nothing => 0,
            BodyForm::Json => limits.json_bytes,
            BodyForm::Multipart { .. } => limits.multipart_bytes,
        };
        let team = team(&parts.headers)?;
        let envelope = Self { route, form, body_bytes_max, team, in_query };
        envelope.refuse_length(&parts.headers)?;
        Ok(envelope)
    }

    /// Where it arrived.
    #[must_use]
    pub const fn route(&self) -> &Route {
        &self.route
    }

    /// How much of a body to read, in bytes: a larger one is [`Refusal::BodyTooLarge`]. Zero where none is expected.
    #[must_use]
    pub const fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }

    /// Reads the body, whole and as it was sent.
    ///
    /// # Errors
    ///
    /// [`Refusal::BodyTooLarge`], [`Refusal::MediaTypeUnsupported`] where it is not UTF-8, and
    /// [`Refusal::RequestInvalid`] with the cause.
    pub fn read(self, body: &[u8], catalogue: &dyn Catalogue) -> Result<Asked, Refusal> {
        if body.len() > self.body_bytes_max {
            let unexpected = Refusal::RequestInvalid(Invalid::BodyUnexpected);
            return Err(if self.body_bytes_max == 0 { unexpected } else { Refusal::BodyTooLarge });
        }
        let reading = match &self.form {
            BodyForm::Nothing => Reading::default(),
            _ if body.is_empty() => return Err(Invalid::BodyEmpty.into()),
            BodyForm::Json => json::read(body, self.route.dialect() == Dialect::Gemini)?,
            BodyForm::Multipart { boundary } => multipart::read(body, boundary)?,
        };
        let model = self.model(&reading)?.map(|id| {
            let resolution = catalogue.resolve(&id);
            (id, resolution)
        });
        refuse_routing(&reading, model.as_ref().map(|(_, resolution)| resolution), catalogue)?;
        let Self { route, team, .. } = self;
        Ok(Asked { route, model, team, body: reading })
    }

    /// The only model that path, query and body name.
    fn model(&self, reading: &Reading) -> Result<Option<ModelId>, Invalid> {
        let mut named = self.route.model().into_iter().chain(reading.model.as_ref());
        let takes_model = self.route.endpoint().action().is_some_and(|action| action.takes_model());
        let first = match (named.next(), takes_model) {
            (Some(first), true) => first,
            // A query alone names no model: no provider reads it there, and this gateway does not either.
            (None, true) => return Err(Invalid::ModelMissing),
            (None, false) if self.in_query.is_empty() => return Ok(None),
            (_, false) => return Err(Invalid::Query),
        };
        if named.chain(&reading.mentions).chain(&self.in_query).any(|other| other != first) {
            return Err(Invalid::ModelConflict);
        }
        Ok(Some(first.clone()))
    }

    fn refuse_length(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(()) };
        let length = length.to_str().ok().and_then(|text| text.parse::<u64>().ok()).ok_or(Invalid::Header)?;
        match (length, self.body_bytes_max) {
            (1.., 0) => Err(Invalid::BodyUnexpected.into()),
            (length, max) if length > u64::try_from(max).unwrap_or(u64::MAX) => Err(Refusal::BodyTooLarge),
            _ => Ok(()),
        }
    }
}

/// A field by which a server behind could be led elsewhere is for those alone who are said to take it.
fn refuse_routing(
    reading: &Reading,
    resolution: Option<&Resolution>,
    catalogue: &dyn Catalogue,
) -> Result<(), Invalid> {
    let candidates = match resolution {
        Some(Resolution::Candidates(candidates)) => &**candidates,
        Some(Resolution::Unroutable { .. }) | None => &[],
    };
    let takes = |field| {
        !candidates.is_empty() && candidates.iter().all(|candidate| catalogue.takes_field(&candidate.provider, field))
    };
    match reading.routing.iter().find(|field| !takes(**field)) {
        Some(field) => Err(Invalid::KeyReroutes(field)),
        None => Ok(()),
    }
}

/// A header that says how to read the request is for everybody on the way, so `connection` may not name it: whoever
/// took it away would read another request.
fn refuse_hidden_headers(headers: &HeaderMap) -> Result<(), Invalid> {
    let read_by_all: [HeaderName; 5] = [AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST];
    let hides = |name: &HeaderName| read_by_all.contains(name) || is_credential_header(name.as_str()) || *name == TEAM;
    if named_in_connection(headers).iter().any(hides) { Err(Invalid::Header) } else { Ok(()) }
}

/// The team that a client claims.
fn team(headers: &HeaderMap) -> Result<Option<Box<str>>, Invalid> {
    let mut claims = headers.get_all(TEAM).iter();
    let claim = match (claims.next(), claims.next()) {
        (None, _) => return Ok(None),
        (Some(claim), None) => claim.to_str().map_err(|_| Invalid::Header)?,
        (Some(_), Some(_)) => return Err(Invalid::Header),
    };
    let fits = !claim.is_empty() && claim.len() <= ID_BYTES_MAX && claim.trim() == claim;
    if fits && !claim.contains(char::is_control) { Ok(Some(claim.into())) } else { Err(Invalid::Header) }
}
