//! `bundle.toml`: the settings of a bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::layout;
use crate::limits::Limits;

/// The settings of a bundle. What is absent keeps the component's default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Teams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_cache_ms: Option<u64>,
    #[serde(skip_serializing, deserialize_with = "limits")]
    limits: Limits,
}

/// Whether a team that the bundle does not declare is refused.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Teams {
    Open,
    Closed,
}

impl Settings {
    pub(crate) fn read(text: Option<&str>) -> Result<Self, BundleError> {
        match text {
            None => Ok(Self::default()),
            Some(text) => toml::from_str(text)
                .map_err(|error| BundleError::Settings { detail: error.to_string().trim_end().to_owned() }),
        }
    }

    /// The settings of the set that comes with the crate.
    pub(crate) fn of_default_set(files: &[(&str, &str)]) -> Self {
        let text = files.iter().find(|(name, _)| *name == layout::SETTINGS).map(|(_, text)| *text);
        // A test holds that it can be read.
        Self::read(text).unwrap_or_default()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Limits by name. A misspelt one would be a limit that does not hold.
fn limits<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    use serde::de::Error;
    let values = BTreeMap::<String, u64>::deserialize(deserializer)?;
    if let Some(unknown) = values.keys().find(|name| !Limits::NAMES.contains(&name.as_str())) {
        return Err(D::Error::custom(format!("unknown limit `{unknown}`, expected one of {:?}", Limits::NAMES)));
    }
    serde_json::to_value(values).and_then(serde_json::from_value).map_err(D::Error::custom)
}
