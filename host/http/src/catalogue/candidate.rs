//! Where a request could go.

use std::ops::Deref;
use std::sync::Arc;

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The model, as the provider names it.
    pub model: Arc<str>,
}

impl Candidate {
    /// A model at a provider.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self { provider: provider.into(), model: model.into() }
    }
}

/// Candidates in the order in which a router would try them. There is at least one. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    // INVARIANT: not empty.
    list: Arc<[Candidate]>,
}

impl Candidates {
    /// These candidates; `None` where there are none.
    pub fn new(list: impl Into<Arc<[Candidate]>>) -> Option<Self> {
        let list = list.into();
        (!list.is_empty()).then_some(Self { list })
    }

    /// The only candidate.
    #[must_use]
    pub fn one(candidate: Candidate) -> Self {
        Self { list: Arc::new([candidate]) }
    }
}

impl Deref for Candidates {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        &self.list
    }
}

/// What a model's id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Somebody serves it.
    Candidates(Candidates),
    /// Nobody serves it. The policies are asked all the same, so that who may not use it hears that, and only who
    /// could use it hears that it is not there.
    Unroutable {
        /// The provider that the id names, known or not.
        provider: Option<Box<str>>,
        /// The model that the id names.
        model: Box<str>,
    },
}
