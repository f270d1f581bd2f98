//! What a model's id stands for: the models that a gateway knows, and who serves them.

mod builder;
mod candidate;
mod model_id;
mod table;

pub use builder::{ModelTableBuilder, ModelTableError};
pub use candidate::{Candidate, Candidates, Resolution};
pub use model_id::{ID_BYTES_MAX, ModelId, ModelIdError, is_provider_id};
pub use table::{ModelEntry, ModelTable, Unlisted};

/// The models that a host serves.
///
/// [`ModelTable`] is the one to use; a host with a router of its own implements this.
pub trait Catalogue: Send + Sync {
    /// What an id stands for. Ids are compared byte for byte: an id that differs from a known one by case alone is
    /// [`Resolution::Unroutable`], since a provider that ignores case would serve what a policy did not see.
    fn resolve(&self, id: &ModelId) -> Resolution;

    /// Whether a provider takes a field of [`ROUTING_FIELDS`](crate::extract::ROUTING_FIELDS), which could lead it to
    /// another model, server or bill than what was decided about. None does unless it is said.
    fn takes_field(&self, provider: &str, field: &str) -> bool {
        let _ = (provider, field);
        false
    }

    /// The models to list, in the order in which they are listed.
    fn models(&self) -> &[ModelEntry];
}
