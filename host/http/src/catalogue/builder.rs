//! Makes a catalogue out of providers, their models, and names that stand for several.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::{Candidate, Candidates};
use super::model_id::{ModelId, ModelIdError, is_provider_id};
use super::table::{ModelEntry, ModelTable, Unlisted};
use crate::extract::routing_field;

/// Why a catalogue cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelTableError {
    /// The text is no provider's id.
    #[error("`{id}` is not a provider's id: write lower-case letters, digits, `.`, `_` and `-`, at most 64")]
    Provider {
        /// What was written.
        id: String,
    },
    /// The text is no model's id.
    #[error("`{id}` is not a model's id: {cause}")]
    Model {
        /// What was written.
        id: String,
        /// Why it is none.
        cause: ModelIdError,
    },
    /// A name stands for a model at a provider that the catalogue does not hold.
    #[error("`{name}` stands for a model at `{provider}`, which is not among the providers: declare it first")]
    ProviderUnknown {
        /// The name.
        name: String,
        /// The provider.
        provider: String,
    },
    /// Two models of one provider differ by case alone, so that nobody could say which was meant.
    #[error("`{id}` is at its provider in other letters already: list the one that the provider knows")]
    Case {
        /// The later of the two.
        id: String,
    },
    /// A name could be read as a provider and a model.
    #[error("`{name}` would be read as a model at the provider before its slash: rename it")]
    NameIsQualified {
        /// The name.
        name: String,
    },
    /// The text is none of [`ROUTING_FIELDS`](crate::extract::ROUTING_FIELDS).
    #[error("`{field}` is no field that is refused: leave it away, it passes")]
    Field {
        /// What was written.
        field: String,
    },
    /// A name stands for nothing.
    #[error("`{name}` stands for no model: name at least one")]
    NameIsEmpty {
        /// The name.
        name: String,
    },
}

/// Fills a [`ModelTable`].
///
/// ```
/// use cedargate_http::catalogue::{ModelTable, Unlisted};
///
/// let mut builder = ModelTable::builder();
/// builder.provider("openai", Unlisted::Admitted).model("openai", "gpt-4o").model("openai", "gpt-4o-mini");
/// builder.provider("azure", Unlisted::Refused).model("azure", "gpt-4o");
/// builder.name("fast", [("openai", "gpt-4o-mini"), ("azure", "gpt-4o")]);
/// let table = builder.build()?;
/// assert!(table.has_model("gpt-4o") && table.has_model("azure/gpt-4o") && table.has_model("fast"));
/// # Ok::<(), cedargate_http::catalogue::ModelTableError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ModelTableBuilder {
    providers: Vec<(String, Unlisted)>,
    models: Vec<(String, String)>,
    names: Vec<(String, Vec<(String, String)>)>,
    about: HashMap<String, (String, i64)>,
    fields: Vec<(String, String)>,
}

impl ModelTableBuilder {
    /// Declares a provider.
    pub fn provider(&mut self, id: impl Into<String>, unlisted: Unlisted) -> &mut Self {
        self.providers.push((id.into(), unlisted));
        self
    }

    /// Lists a model of a provider. It can be asked for as `provider/model`, and by its bare name together with
    /// other providers' models of that name, in the order in which they are listed.
    pub fn model(&mut self, provider: impl Into<String>, model: impl Into<String>) -> &mut Self {
        self.models.push((provider.into(), model.into()));
        self
    }

    /// Lets a provider take a field of [`ROUTING_FIELDS`](crate::extract::ROUTING_FIELDS). Whatever it leads to there is
    /// not decided about.
    pub fn field(&mut self, provider: impl Into<String>, field: impl Into<String>) -> &mut Self {
        self.fields.push((provider.into(), field.into()));
        self
    }

    /// Lets a name stand for models, in the order in which a router tries them. It takes the place of a bare name.
    pub fn name<P: Into<String>, M: Into<String>>(
        &mut self,
        name: impl Into<String>,
        candidates: impl IntoIterator<Item = (P, M)>,
    ) -> &mut Self {
        let candidates = candidates.into_iter().map(|(provider, model)| (provider.into(), model.into())).collect();
        self.names.push((name.into(), candidates));
        self
    }

    /// Says how `/v1/models` shows an id: a name for people, and when the model was made, in seconds since
    /// 1970-01-01T00:00:00Z. Otherwise it is the id, and zero.
    pub fn about(&mut self, id: impl Into<String>, display_name: impl Into<String>, created: i64) -> &mut Self {
        self.about.insert(id.into(), (display_name.into(), created));
        self
    }

    /// The catalogue.
    ///
    /// # Errors
    ///
    /// [`ModelTableError`], the first declaration that cannot be.
    pub fn build(&self) -> Result<ModelTable, ModelTableError> {
        let mut table = ModelTable::default();
        for (id, unlisted) in &self.providers {
            if !is_provider_id(id) {
                return Err(ModelTableError::Provider { id: id.clone() });
            }
            table.providers.insert(id.as_str().into(), *unlisted);
        }
        for (provider, written) in &self.fields {
            let field = routing_field(written).ok_or_else(|| ModelTableError::Field { field: written.clone() })?;
            table.fields.entry(provider.as_str().into()).or_default().push(field);
        }
        let names = self.bare_names(&mut table)?;
        for (name, candidates) in names {
            let Some(candidates) = Candidates::new(candidates) else { continue };
            table.folded.insert(name.to_ascii_lowercase().into());
            table.ids.insert(name.as_str().into(), candidates.clone());
            let id = model_id(&name)?;
            table.models.push(self.entry(id, candidates));
        }
        Ok(table)
    }

    /// Enters what is qualified, and returns the bare names with what they stand for, in their order.
    fn bare_names(&self, table: &mut ModelTable) -> Result<Vec<(String, Vec<Candidate>)>, ModelTableError> {
        let mut order: Vec<(String, Vec<Candidate>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut qualified_only = Vec::new();
        for (provider, model) in &self.models {
            let candidate = candidate(table, model, provider, model)?;
            let qualified = format!("{provider}/{model}");
            model_id(&qualified)?;
            if table.ids.contains_key(qualified.as_str()) {
                continue;
            }
            if !table.folded.insert(qualified.to_ascii_lowercase().into()) {
                return Err(ModelTableError::Case { id: qualified });
            }
            table.ids.insert(qualified.as_str().into(), Candidates::one(candidate.clone()));
            if is_qualified(table, model) {
                // Its bare name means another provider, so it is asked for by its whole name alone.
                qualified_only.push((qualified, vec![candidate]));
                continue;
            }
            let place = *places.entry(model.clone()).or_insert(order.len());
            match order.get_mut(place) {
                Some((_, candidates)) => candidates.push(candidate),
                None => order.push((model.clone(), vec![candidate])),
            }
        }
        for (name, written) in &self.names {
            model_id(name)?;
            if is_qualified(table, name) {
                return Err(ModelTableError::NameIsQualified { name: name.clone() });
            }
            let candidates: Result<Vec<_>, _> =
                written.iter().map(|(provider, model)| candidate(table, name, provider, model)).collect();
            let candidates = candidates?;
            if candidates.is_empty() {
                return Err(ModelTableError::NameIsEmpty { name: name.clone() });
            }
            let place = *places.entry(name.clone()).or_insert(order.len());
            match order.get_mut(place) {
                Some((_, standing)) => *standing = candidates,
                None => order.push((name.clone(), candidates)),
            }
        }
        order.append(&mut qualified_only);
        Ok(order)
    }

    fn entry(&self, id: ModelId, candidates: Candidates) -> ModelEntry {
        let (display_name, created) = match self.about.get(id.as_str()) {
            Some((display_name, created)) => (display_name.as_str().into(), *created),
            None => (id.as_str().into(), 0),
        };
        ModelEntry { id, display_name, created, candidates }
    }
}

/// Whether an id without a provider before it would be read as if it had one.
fn is_qualified(table: &ModelTable, id: &str) -> bool {
    id.split_once('/').is_some_and(|(provider, _)| table.has_provider(provider))
}

fn model_id(text: &str) -> Result<ModelId, ModelTableError> {
    ModelId::new(text).map_err(|cause| ModelTableError::Model { id: text.to_owned(), cause })
}

fn candidate(table: &ModelTable, name: &str, provider: &str, model: &str) -> Result<Candidate, ModelTableError> {
    model_id(model)?;
    let unknown = || ModelTableError::ProviderUnknown { name: name.to_owned(), provider: provider.to_owned() };
    let (provider, _) = table.providers.get_key_value(provider).ok_or_else(unknown)?;
    Ok(Candidate::new(Arc::clone(provider), model))
}
