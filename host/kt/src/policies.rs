//! The policy set that a command works with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use cedargate::{BuildError, Bundle, Diagnostic, Diagnostics, LoadError, Pdp};
use clap::Args;

use crate::waiting;

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
        let folder = self.policies.as_deref();
        let cannot = |cause: &dyn fmt::Display| match folder {
            Some(folder) => anyhow!("cannot load the policies of `{}`: {cause}", folder.display()),
            None => anyhow!("cannot load the built-in policies: {cause}"),
        };
        let bundle = match folder {
            Some(folder) => Bundle::from_dir(folder).map_err(|error| cannot(&error))?,
            None => Bundle::default_set(),
        };
        build(bundle, instances).map_err(|error| match error {
            BuildError::Load(LoadError::Refused(diagnostics)) => {
                let shown = Rendered { diagnostics: &diagnostics, folder };
                cannot(&format_args!("they have errors: mend them, and look with `kt policy check`\n\n{shown}"))
            }
            error => cannot(&error),
        })
    }
}

/// Builds a decision point for a bundle.
pub(crate) fn build(bundle: Bundle, instances: usize) -> Result<Pdp, BuildError> {
    waiting::while_showing("compiling the component: only the first start takes so long", || {
        Pdp::builder().bundle(bundle).deadline(DEADLINE).instances_max(instances).build()
    })
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
