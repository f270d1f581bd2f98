//! `kt component compile`.

use anyhow::Context;
use cedargate::Component;
use clap::Args;

use super::new_file::NewFile;
use crate::answer::Answer;
use crate::stderr;

const AFTER_HELP: &str = "\
The code fits only this version of cedargate. A host built without the feature `compiler` takes it with
`PdpBuilder::precompiled`. It is machine code that runs unchecked: build it into the host, do not download it.

Examples:
  kt component compile cedargate.code
  kt component compile --target aarch64-unknown-linux-gnu cedargate.code";

/// Compiles the component ahead of time, for hosts without a compiler.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Compile {
    #[command(flatten)]
    file: NewFile,
    /// The machine that it is for. Default: this one, with all that its processor can do.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
}

impl Compile {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        self.file.check()?;
        stderr::say(format_args!("compiling the component, which takes some seconds"));
        let code = cedargate::precompile(&Component::built_in(), self.target.as_deref())
            .context("the component cannot be compiled")?;
        if let Some(path) = self.file.write(&code)? {
            stderr::say(format_args!("wrote {} bytes to {}", code.len(), path.display()));
        }
        Ok(Answer::Yes)
    }
}
