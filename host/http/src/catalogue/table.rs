//! A catalogue out of lists.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Catalogue;
use super::builder::ModelTableBuilder;
use super::candidate::{Candidate, Candidates, Resolution};
use super::model_id::ModelId;

/// A model as `/v1/models` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The id by which clients ask for it.
    pub id: ModelId,
    /// A name for people.
    pub display_name: Box<str>,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub created: i64,
    /// Who serves it.
    pub candidates: Candidates,
}

/// A catalogue out of lists. Made by [`ModelTable::builder`], and then unchanging.
#[derive(Clone, Debug, Default)]
pub struct ModelTable {
    pub(super) providers: HashMap<Arc<str>, Unlisted>,
    /// Every id that can be asked for: bare names, and `provider/model`.
    pub(super) ids: HashMap<Box<str>, Candidates>,
    /// The same ids in lower case.
    pub(super) folded: HashSet<Box<str>>,
    pub(super) models: Vec<ModelEntry>,
    /// Fields that providers take although they could lead elsewhere.
    pub(super) fields: HashMap<Arc<str>, Vec<&'static str>>,
}

/// What becomes of a model that a provider is asked for and that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// It is not there.
    Refused,
    /// The provider is asked, if the policies admit it: a new model can be used before it is listed.
    Admitted,
}

impl ModelTable {
    /// A builder without providers.
    #[must_use]
    pub fn builder() -> ModelTableBuilder {
        ModelTableBuilder::default()
    }

    /// Whether a provider of this id is known.
    #[must_use]
    pub fn has_provider(&self, id: &str) -> bool {
        self.providers.contains_key(id)
    }

    /// Whether somebody serves this id as it is written.
    #[must_use]
    pub fn has_model(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    fn unlisted(&self, provider: &str, model: &str) -> Option<Candidates> {
        let (id, unlisted) = self.providers.get_key_value(provider)?;
        (*unlisted == Unlisted::Admitted).then(|| Candidates::one(Candidate::new(Arc::clone(id), model)))
    }

    /// Whether the id, or the model that it names at a provider, is a known one in other letters.
    fn differs_by_case(&self, id: &ModelId, model: &str) -> bool {
        // The bare name counts, too: `azure/GPT-4o` is no way around what is said of `gpt-4o`.
        [id.as_str(), model]
            .iter()
            .any(|text| !self.ids.contains_key(*text) && self.folded.contains(text.to_ascii_lowercase().as_str()))
    }
}

impl Catalogue for ModelTable {
    fn resolve(&self, id: &ModelId) -> Resolution {
        if let Some(candidates) = self.ids.get(id.as_str()) {
            return Resolution::Candidates(candidates.clone());
        }
        let Some((provider, model)) = id.split() else {
            return Resolution::Unroutable { provider: None, model: id.as_str().into() };
        };
        match self.unlisted(provider, model) {
            Some(candidates) if !self.differs_by_case(id, model) => Resolution::Candidates(candidates),
            _ => Resolution::Unroutable { provider: Some(provider.into()), model: model.into() },
        }
    }

    fn takes_field(&self, provider: &str, field: &str) -> bool {
        self.fields.get(provider).is_some_and(|fields| fields.contains(&field))
    }

    fn models(&self) -> &[ModelEntry] {
        &self.models
    }
}
