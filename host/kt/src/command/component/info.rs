//! `kt component info`.

use anyhow::Context;
use cedargate::Component;
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::format::{Format, FormatArg};
use crate::{cache, stdout};

const AFTER_HELP: &str = "\
Examples:
  kt component info
  kt component info --format json";

/// Prints digest, size, contract version and Cedar language version of the component.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Info {
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Serialize)]
struct Described {
    v: u8,
    digest: String,
    size: usize,
    contract: String,
    plugin: String,
    cedar_language: String,
}

impl Info {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let info = Component::built_in().info(&cache::of_command()).context("the component cannot be described")?;
        let described = Described {
            v: 1,
            digest: info.digest,
            size: info.size,
            contract: info.contract,
            plugin: info.plugin,
            cedar_language: info.cedar_language,
        };
        match self.format.format {
            Format::Json => stdout::print_json(&described)?,
            Format::Text => stdout::print(&described.words())?,
        }
        Ok(Answer::Yes)
    }
}

impl Described {
    fn words(&self) -> String {
        let rows = [
            ("digest", self.digest.as_str()),
            ("size", &format!("{} bytes", self.size)),
            ("contract", &format!("cedargate:authz@{}", self.contract)),
            ("plug-in", self.plugin.as_str()),
            ("cedar", &format!("language {}", self.cedar_language)),
        ];
        rows.map(|(name, value)| format!("{name:<10}{value}")).join("\n")
    }
}
