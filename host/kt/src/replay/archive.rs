//! The policy sets that records were made under, as a gateway kept them beside its recording.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cedargate::Bundle;

use super::judge::Rules;
use crate::clean::clean;
use crate::policies;

/// What the name of a folder of bundles ends in, beside a file of records.
const ENDING: &str = ".bundles";

/// Folders of bundles, each named by the digest of its policy set. A set is loaded when a record asks for it.
pub(crate) struct Archive {
    folders: Vec<PathBuf>,
    instances: usize,
    loaded: Mutex<HashMap<String, Arc<OnceLock<Loaded>>>>,
}

type Loaded = Result<Arc<Rules>, String>;

impl Archive {
    /// The sets in these folders.
    pub(crate) fn new(folders: Vec<PathBuf>, instances: usize) -> Self {
        Self { folders, instances, loaded: Mutex::default() }
    }

    /// The folder beside a file of records, where there is one.
    pub(crate) fn beside(file: &std::path::Path) -> Option<PathBuf> {
        let mut name = file.file_name()?.to_owned();
        name.push(ENDING);
        Some(file.with_file_name(name)).filter(|folder| folder.is_dir())
    }

    /// The set with this digest.
    ///
    /// # Errors
    ///
    /// Why it cannot be used: it is missing, or is not what its name says.
    pub(crate) fn get(&self, digest: &str) -> Loaded {
        let place = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loaded.entry(digest.to_owned()).or_default())
        };
        // Outside the lock: a set takes its time, and the other threads need others.
        place.get_or_init(|| self.load(digest).map(Arc::new)).clone()
    }

    fn load(&self, digest: &str) -> Result<Rules, String> {
        let name = digest.replace(':', "-");
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let found = self.folders.iter().map(|folder| folder.join(&name)).find(|folder| plain && folder.is_dir());
        let Some(folder) = found else {
            let folders: Vec<_> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
            return Err(format!(
                "the policies that decided it are missing: there is no `{}` in {}; with `--policies` others decide",
                clean(&name),
                folders.join(" or ")
            ));
        };
        let bundle = Bundle::from_dir(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
        let pdp =
            policies::build(bundle, self.instances).map_err(|error| format!("`{}`: {error}", folder.display()))?;
        if pdp.info().digest() != digest {
            return Err(format!("`{}` holds other policies than its name says", folder.display()));
        }
        Ok(Rules::new(pdp))
    }
}
