//! Providers, models and groups that exist, so that a mistyped one is noticed.

use std::collections::BTreeSet;

use cedargate::model::Bindings;

/// Names that are this many changes apart are taken for a typing mistake.
const TYPING_MISTAKES: usize = 2;

/// Providers, models and groups of models that a token may be bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    providers: BTreeSet<String>,
    /// Provider and model.
    models: BTreeSet<(String, String)>,
    groups: BTreeSet<String>,
}

/// What is said of a name that looks like no other.
const ELSEWHERE: &str = "the gateway's configuration names those that there are";

/// A name that the catalogue does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} `{name}`: {}", .near.as_ref().map_or_else(|| ELSEWHERE.to_owned(), |near| format!("did you mean `{near}`?")))]
pub struct NotInCatalogue {
    /// `model`, `provider` or `group of models`.
    pub kind: &'static str,
    /// What was asked for.
    pub name: String,
    /// A name that looks much like it.
    pub near: Option<String>,
}

impl Catalogue {
    /// A catalogue of models with their providers, and of groups.
    pub fn new<P: Into<String>, M: Into<String>, G: Into<String>>(
        models: impl IntoIterator<Item = (P, M)>,
        groups: impl IntoIterator<Item = G>,
    ) -> Self {
        let models: BTreeSet<(String, String)> =
            models.into_iter().map(|(provider, model)| (provider.into(), model.into())).collect();
        let providers = models.iter().map(|(provider, _)| provider.clone()).collect();
        Self { providers, models, groups: groups.into_iter().map(Into::into).collect() }
    }

    /// Adds a provider whose models are not known: any model of it passes.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.providers.insert(provider.into());
        self
    }

    /// Models with their providers.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.models.iter().map(|(provider, model)| (provider.as_str(), model.as_str()))
    }

    /// Whether everything that a token is to be bound to exists.
    ///
    /// # Errors
    ///
    /// [`NotInCatalogue`] for the first name that does not.
    pub fn check(&self, bindings: &Bindings) -> Result<(), NotInCatalogue> {
        for provider in bindings.providers.iter().flatten() {
            self.check_provider(provider)?;
        }
        bindings.models.iter().flatten().try_for_each(|model| self.check_model(model))
    }

    fn check_provider(&self, provider: &str) -> Result<(), NotInCatalogue> {
        let known = || self.providers.iter().map(String::as_str);
        if self.providers.contains(provider) { Ok(()) } else { Err(missing("provider", provider, known())) }
    }

    /// A binding is read as the component reads it: `group:NAME`, `PROVIDER/*`, `PROVIDER/MODEL` or `MODEL`.
    fn check_model(&self, binding: &str) -> Result<(), NotInCatalogue> {
        if let Some(group) = binding.strip_prefix("group:") {
            let known = self.groups.iter().map(String::as_str);
            return if self.groups.contains(group) { Ok(()) } else { Err(missing("group of models", group, known)) };
        }
        let Some((provider, model)) = binding.split_once('/') else {
            let known = self.models.iter().any(|(_, model)| model == binding);
            let names = self.models.iter().map(|(_, model)| model.as_str());
            return if known || self.any_model_passes() { Ok(()) } else { Err(missing("model", binding, names)) };
        };
        self.check_provider(provider)?;
        let mut of_provider = self.models.iter().filter(|(known, _)| known == provider).peekable();
        if model == "*" || of_provider.peek().is_none() {
            return Ok(());
        }
        let names: Vec<_> = of_provider.map(|(provider, model)| format!("{provider}/{model}")).collect();
        if names.iter().any(|name| name == binding) {
            return Ok(());
        }
        Err(missing("model", binding, names.iter().map(String::as_str)))
    }

    /// Whether there is a provider whose models are not known.
    fn any_model_passes(&self) -> bool {
        self.providers.iter().any(|provider| !self.models.iter().any(|(known, _)| known == provider))
    }
}

fn missing<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> NotInCatalogue {
    let near = known.map(|known| (distance(name, known), known)).min().filter(|(far, _)| *far <= TYPING_MISTAKES);
    NotInCatalogue { kind, name: name.to_owned(), near: near.map(|(_, known)| known.to_owned()) }
}

/// How many letters must be added, removed or changed to make one text the other; case does not count.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, letter) in one.to_lowercase().chars().enumerate() {
        let mut next = vec![n + 1];
        for (left, (above, target)) in row.iter().skip(1).zip(&other).enumerate() {
            let diagonal = row.get(left).copied().unwrap_or(usize::MAX);
            let before = next.last().copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(letter != *target)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_noticed() {
        let catalogue = Catalogue::new([("openai", "gpt-4o"), ("openai", "gpt-4o-mini")], ["small"]);
        let bound = |model: &str| {
            let mut bindings = Bindings::default();
            bindings.models = Some(vec![model.to_owned()]);
            catalogue.check(&bindings).map_err(|error| error.to_string())
        };
        for known in ["gpt-4o", "openai/gpt-4o-mini", "openai/*", "group:small"] {
            assert_eq!(bound(known), Ok(()));
        }
        assert_eq!(bound("gpt4o"), Err("there is no model `gpt4o`: did you mean `gpt-4o`?".to_owned()));
        assert_eq!(bound("opnai/*"), Err("there is no provider `opnai`: did you mean `openai`?".to_owned()));
        assert_eq!(
            bound("claude-sonnet-4-5"),
            Err("there is no model `claude-sonnet-4-5`: the gateway's configuration names those that there are"
                .to_owned())
        );
    }
}
