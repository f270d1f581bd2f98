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

    /// The models to list, in the order in which they are listed.
    fn models(&self) -> &[ModelEntry];
}
