//! `kt component export`.

use cedargate::Component;
use clap::Args;

use super::new_file::NewFile;
use crate::answer::Answer;
use crate::stderr;

const AFTER_HELP: &str = "\
Examples:
  kt component export cedargate.wasm
  kt component export - | sha256sum";

/// Writes the component to a file, for hosts that are not Rust.
///
/// Its contract is the WIT package `cedargate:authz`; it imports nothing.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Export {
    #[command(flatten)]
    file: NewFile,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        self.file.check()?;
        let component = Component::built_in();
        if let Some(path) = self.file.write(component.bytes())? {
            let size = component.bytes().len();
            stderr::say(format_args!("wrote {size} bytes to {}, {}", path.display(), component.digest()));
        }
        Ok(Answer::Yes)
    }
}
