//! The answers about models, in the forms that clients know.

use bytes::Bytes;
use http::Uri;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::catalogue::{Catalogue, ModelEntry, ModelId};
use crate::reply::{Invalid, Refusal};
use crate::route::Dialect;

/// Entries of one page in Anthropic's form, where the client does not say.
const PAGE_DEFAULT: usize = 20;

/// Entries of one page at most, as Anthropic has it.
const PAGE_MAX: usize = 1_000;

/// A model as it is shown to somebody who may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'c> {
    /// Its id.
    pub id: &'c str,
    /// Its name for people.
    pub display_name: &'c str,
    /// The provider that serves it to him: others are not named.
    pub owned_by: &'c str,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub created: i64,
}

impl<'c> Shown<'c> {
    /// An entry of a catalogue, served by this provider.
    #[must_use]
    pub fn entry(entry: &'c ModelEntry, provider: &'c str) -> Self {
        Self { id: entry.id.as_str(), display_name: &entry.display_name, owned_by: provider, created: entry.created }
    }

    /// A model that was asked for by its id, listed or not, served by this provider.
    #[must_use]
    pub fn asked(catalogue: &'c dyn Catalogue, id: &'c ModelId, provider: &'c str) -> Self {
        let unlisted = Self { id: id.as_str(), display_name: id.as_str(), owned_by: provider, created: 0 };
        catalogue.models().iter().find(|entry| entry.id == *id).map_or(unlisted, |entry| Self::entry(entry, provider))
    }
}

/// The body of `GET /v1/models`: `models` are those that the caller may read.
///
/// OpenAI's clients get all of them; Anthropic's a page, as `limit`, `after_id` and `before_id` of the query say.
///
/// # Errors
///
/// [`Refusal::RequestInvalid`] where the query asks for a page that cannot be.
pub fn list(dialect: Dialect, uri: &Uri, models: &[Shown<'_>]) -> Result<Bytes, Refusal> {
    Ok(match dialect {
        Dialect::Anthropic => anthropic_page(&Page::of(uri.query().unwrap_or_default())?, models),
        Dialect::OpenAi | Dialect::Azure | Dialect::Gemini => {
            written(&OpenAiList { object: "list", data: models.iter().map(OpenAiModel::of).collect() })
        }
    })
}

/// The body of `GET /v1/models/{id}`.
#[must_use]
pub fn one(dialect: Dialect, model: &Shown<'_>) -> Bytes {
    match dialect {
        Dialect::Anthropic => written(&AnthropicModel::of(model)),
        Dialect::OpenAi | Dialect::Azure | Dialect::Gemini => written(&OpenAiModel::of(model)),
    }
}

fn written(value: &impl Serialize) -> Bytes {
    // Texts and numbers can always be written.
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

impl<'a> OpenAiModel<'a> {
    fn of(model: &'a Shown<'a>) -> Self {
        Self { id: model.id, object: "model", created: model.created, owned_by: model.owned_by }
    }
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

impl<'a> AnthropicModel<'a> {
    fn of(model: &'a Shown<'a>) -> Self {
        let created = cedargate::model::Timestamp::from_millis(model.created.saturating_mul(1_000));
        Self { r#type: "model", id: model.id, display_name: model.display_name, created_at: created.to_string() }
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    limit: Option<usize>,
    after: Option<String>,
    before: Option<String>,
}

impl Page {
    fn of(query: &str) -> Result<Self, Invalid> {
        let mut page = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let id = || percent_decode_str(value).decode_utf8().map(String::from).map_err(|_| Invalid::Encoding);
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
                    page.limit = Some(limit.ok_or(Invalid::Query)?);
                }
                "after_id" => page.after = Some(id()?),
                "before_id" => page.before = Some(id()?),
                _ => {}
            }
        }
        if page.after.is_some() && page.before.is_some() { Err(Invalid::Query) } else { Ok(page) }
    }
}

fn anthropic_page(page: &Page, models: &[Shown<'_>]) -> Bytes {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    let place = |id: &String| models.iter().position(|model| model.id == id);
    // A mark that is not in the list is of a model that was taken away: the list begins anew.
    let after = page.after.as_ref().and_then(place).map_or(0, |place| place + 1);
    let before = page.before.as_ref().and_then(place);
    let (shown, has_more): (Vec<_>, bool) = match before {
        Some(end) => (models.iter().take(end).skip(end.saturating_sub(limit)).collect(), end > limit),
        None => (models.iter().skip(after).take(limit).collect(), models.len() > after.saturating_add(limit)),
    };
    written(&AnthropicList {
        has_more,
        first_id: shown.first().map(|model| model.id),
        last_id: shown.last().map(|model| model.id),
        data: shown.into_iter().map(AnthropicModel::of).collect(),
    })
}
