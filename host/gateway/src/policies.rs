//! The bundle in force: a folder or the built-in policies, with what the configuration says of teams and groups.
//!
//! A decision depends on nothing but a bundle, a principal and a request, so that it can be replayed. Hence groups of
//! models and restrictions of teams become static entities of the bundle, and not facts that the gateway adds.

mod entities;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cedargate::{Bundle, BundleError};
use cedargate_tokens::Catalogue;

use crate::config::Config;
use entities::Entities;

/// The static entities of a bundle.
const ENTITIES: &str = "entities.json";

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoliciesError {
    /// The folder is not a bundle.
    #[error("the policies in `{}`: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        cause: BundleError,
    },
    /// A folder without a lock is not loaded.
    #[error(
        "the policies in `{0}` have no `policies.lock`, without which a half-copied folder is a valid and more \
         permissive set: where the folder is whole, write it with `kt policy lock {0}`, or take folders as they are \
         with `--unlocked`",
        folder.display()
    )]
    NoLock {
        /// The folder.
        folder: PathBuf,
    },
    /// The static entities of the bundle and of the configuration do not go together.
    #[error("`entities.json` of the policies: {0}")]
    Entities(String),
    /// What comes of both is not a bundle.
    #[error("the policies with the teams and groups of the configuration: {0}")]
    Merged(BundleError),
}

/// Whether a folder must have a lock. One that is there must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The configuration says that folders are always whole.
    IfThere,
    /// Nothing but the lock says so.
    Required,
}

impl Lock {
    /// What the configuration asks for.
    pub(crate) fn of(config: &Config) -> Self {
        if config.unlocked { Self::IfThere } else { Self::Required }
    }
}

/// The bundle of a folder, or the built-in one, as its authors wrote it.
pub(crate) fn read(folder: Option<&Path>, lock: Lock) -> Result<Bundle, PoliciesError> {
    let Some(folder) = folder else { return Ok(Bundle::default_set()) };
    let read = match lock {
        Lock::IfThere => Bundle::from_dir(folder),
        Lock::Required => Bundle::from_locked_dir(folder),
    };
    read.map_err(|cause| match (cause, folder.to_owned()) {
        (BundleError::NoLock, folder) => PoliciesError::NoLock { folder },
        (cause, folder) => PoliciesError::Folder { folder, cause },
    })
}

/// The bundle with the teams and groups of a configuration. Without any it is the same bundle, with the same digest.
pub(crate) fn merge(bundle: &Bundle, config: &Config) -> Result<Bundle, PoliciesError> {
    if !entities::are_any(config) {
        return Ok(bundle.clone());
    }
    let mut files: BTreeMap<String, String> =
        bundle.files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let text = files.get(ENTITIES).map_or("[]", String::as_str);
    let mut entities = Entities::read(text).map_err(PoliciesError::Entities)?;
    entities.add(config).map_err(PoliciesError::Entities)?;
    files.insert(ENTITIES.to_owned(), entities.to_text());
    Bundle::from_files(files).map_err(PoliciesError::Merged)
}

/// The bundle that a gateway with this configuration decides by.
///
/// # Errors
///
/// [`PoliciesError`]: the folder is not a bundle, has no lock, or does not go together with the configuration's teams
/// and groups.
pub fn bundle(config: &Config) -> Result<Bundle, PoliciesError> {
    merge(&read(config.policies.as_deref(), Lock::of(config))?, config)
}

/// The bundle that is decided beside it; none where the configuration names no candidates.
///
/// # Errors
///
/// [`PoliciesError`] as of [`bundle`].
pub fn candidates(config: &Config) -> Result<Option<Bundle>, PoliciesError> {
    let Some(folder) = config.shadow.as_deref() else { return Ok(None) };
    merge(&read(Some(folder), Lock::of(config))?, config).map(Some)
}

/// What tokens may be bound to at a gateway with this configuration and [its bundle](bundle).
#[must_use]
pub fn catalogue(config: &Config, bundle: &Bundle) -> Catalogue {
    let listed = |provider: &str| config.providers.get(provider).is_some_and(|provider| !provider.any_model);
    let models = config.models.iter().filter(|model| listed(&model.provider));
    let models = models.map(|model| (model.provider.clone(), model.name.clone()));
    let catalogue = Catalogue::new(models, groups(bundle));
    config.providers.keys().fold(catalogue, |catalogue, provider| catalogue.with_provider(provider))
}

/// The groups of models that a bundle names.
fn groups(bundle: &Bundle) -> Vec<String> {
    let text = bundle.files().find(|(name, _)| *name == ENTITIES).map_or("[]", |(_, text)| text);
    Entities::read(text).map(|entities| entities.named("ModelGroup")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "gateway.toml", Path::new("")).unwrap()
    }

    #[test]
    fn without_teams_and_groups_the_bundle_is_the_same() {
        let bundle = merge(&read(None, Lock::Required).unwrap(), &Config::default()).unwrap();
        assert_eq!(bundle.lock_text(), Bundle::default_set().lock_text());
    }

    #[test]
    fn teams_and_groups_become_entities() {
        let config = config(
            "[providers.echo]\ndialect = \"echo\"\n[[models]]\nid = \"echo/a\"\ngroups = [\"small\"]\n\
             [teams.web]\nmodels = [\"group:small\", \"echo/*\", \"echo/b\", \"c\"]\nproviders = [\"echo\"]\n",
        );
        let merged = merge(&Bundle::default_set(), &config).unwrap();
        let text = merged.files().find(|(name, _)| *name == ENTITIES).unwrap().1.to_owned();
        let entities: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let team = entities.iter().find(|entity| entity["uid"]["type"] == "Team").unwrap();
        assert_eq!(team["attrs"]["models"]["exact"][0]["__entity"]["id"], "echo/b");
        assert_eq!(team["attrs"]["models"]["groups"][0]["__entity"]["id"], "small");
        let model = entities.iter().find(|entity| entity["uid"]["id"] == "echo/a").unwrap();
        assert_eq!(model["parents"][0]["id"], "small");
        let pdp = cedargate::Pdp::builder().bundle(merged).build();
        assert!(pdp.is_ok(), "{:?}", pdp.err());
    }

    #[test]
    fn tokens_may_be_bound_to_groups_that_are_only_named_as_parents() {
        let text = r#"[{"uid":{"type":"Model","id":"echo/a"},"attrs":{},"parents":[{"__entity":{"type":"ModelGroup","id":"small"}}]},
                       {"uid":{"__entity":{"type":"ModelGroup","id":"large"}},"attrs":{},"parents":[]}]"#;
        let named = Entities::read(text).unwrap().named("ModelGroup");
        assert_eq!(named, ["large", "small"]);
    }

    #[test]
    fn a_team_is_declared_once() {
        let config = config("[teams.web]\nproviders = [\"echo\"]\n[providers.echo]\ndialect = \"echo\"\n");
        let mut entities = Entities::read(r#"[{"uid":{"type":"Team","id":"web"},"attrs":{},"parents":[]}]"#).unwrap();
        assert!(entities.add(&config).unwrap_err().contains("`web`"));
    }
}
