//! The policy set that a command works with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use cedargate::{BuildError, Bundle, Diagnostic, Diagnostics, LoadError, Pdp, PdpBuilder};
use clap::Args;

use crate::cache;

/// How long one decision may take. A tool would rather wait for a busy machine than report a timeout that no
/// gateway has seen.
const DEADLINE: Duration = Duration::from_secs(1);

/// The option `--policies`.
#[derive(Args, Debug)]
pub(crate) struct PoliciesArg {
    /// The folder of the policies: `schema.cedarschema`, `**/*.cedar`, `entities.json`, `*.links.json`,
    /// `bundle.toml`. Default: the policies that are built in.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

impl PoliciesArg {
    /// Loads the policies, for this many decisions at a time.
    pub(crate) fn load(&self, instances: usize) -> anyhow::Result<Pdp> {
        build(self.bundle()?, instances).map_err(|error| self.not_built(error))
    }

    /// These policies, or the ones of another folder where none were named.
    pub(crate) fn or(&self, other: Option<PathBuf>) -> Self {
        Self { policies: self.policies.clone().or(other) }
    }

    /// The folder; absent for the built-in set.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.policies.as_deref()
    }

    /// The policies as they are, not loaded yet.
    pub(crate) fn bundle(&self) -> anyhow::Result<Bundle> {
        match self.folder() {
            Some(folder) => Bundle::from_dir(folder).map_err(|error| self.cannot(&error)),
            None => Ok(Bundle::default_set()),
        }
    }

    /// Why no decision point was built for these policies.
    pub(crate) fn not_built(&self, error: BuildError) -> anyhow::Error {
        match error {
            BuildError::Load(LoadError::Refused(diagnostics)) => {
                let shown = Rendered { diagnostics: &diagnostics, folder: self.folder() };
                self.cannot(&format_args!("they have errors: mend them, and look with `kt policy check`\n\n{shown}"))
            }
            error => self.cannot(&error),
        }
    }

    fn cannot(&self, cause: &dyn fmt::Display) -> anyhow::Error {
        match self.folder() {
            Some(folder) => anyhow!("cannot load the policies of `{}`: {cause}", folder.display()),
            None => anyhow!("cannot load the built-in policies: {cause}"),
        }
    }
}

/// Builds a decision point for a bundle. It remembers nothing: what a tool says is what the component said.
pub(crate) fn build(bundle: Bundle, instances: usize) -> Result<Pdp, BuildError> {
    builder(bundle, instances).remember(0).build()
}

/// The settings of a decision point of a tool.
pub(crate) fn builder(bundle: Bundle, instances: usize) -> PdpBuilder {
    Pdp::builder().bundle(bundle).deadline(DEADLINE).instances_max(instances).cache_dir(cache::of_command())
}

/// Diagnostics with the paths that a person can open.
pub(crate) struct Rendered<'a> {
    /// What to show.
    pub(crate) diagnostics: &'a Diagnostics,
    /// The folder that the files lie in; absent for the built-in set.
    pub(crate) folder: Option<&'a Path>,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            let mut diagnostic: Diagnostic = diagnostic.clone();
            if let (Some(folder), Some(file)) = (self.folder, &diagnostic.file) {
                diagnostic.file = Some(folder.join(file).display().to_string());
            }
            write!(f, "{diagnostic}")?;
        }
        match self.diagnostics.count().saturating_sub(self.diagnostics.iter().len()) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more that are not shown"),
        }
    }
}
