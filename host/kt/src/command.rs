//! The commands, one file each.

mod audit;
mod authorize;
mod component;
mod events;
mod policy_bench;
mod policy_check;
mod policy_lock;
mod replay;
mod serve;
mod store;
mod tokens;
mod usage;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::answer::Answer;
use crate::{cache, stderr};

/// What `kt --help` says at its end.
const AFTER_HELP: &str = "\
Exit codes:
  0  yes: allowed, matched, no errors
  1  no: denied, mismatched, refused
  2  cannot say: bad input, bad policies

Data goes to standard output, everything else to standard error. `-` is standard input.
With `CEDARGATE_LOG=warn` (error, info, debug, trace) in the environment, the log goes to standard error too.

Examples:
  kt replay requests.jsonl                          replay what a gateway recorded
  kt replay requests.jsonl --policies ./policies    what would these policies have decided?
  kt authorize request.json                         why was this request denied?
  kt policy check ./policies                        what is wrong with these policies?
  kt tokens create --type access --name my-app      a token, its key, and what it may do
  kt events tail --follow                           who asks for what, and what becomes of it
  kt serve --demo                                   a gateway to try, with three tokens";

/// Asks cedargate for decisions: what may this API token do, and why?
#[derive(Debug, Parser)]
#[command(name = "kt", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Where compiled code is kept between commands. Default: `$CEDARGATE_CACHE_DIR`, else `cedargate` in
    /// `$XDG_CACHE_HOME` or `~/.cache`.
    #[arg(long, value_name = "DIR", global = true)]
    cache_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decide one recorded request and say why.
    Authorize(authorize::Authorize),
    /// Replay recorded requests and compare the decisions with what was expected.
    Replay(replay::Replay),
    /// Check policies, write their lock, measure what their decisions cost.
    #[command(subcommand)]
    Policy(Policy),
    /// The decision component itself, for hosts that are not Rust.
    #[command(subcommand)]
    Component(component::Component),
    /// Tokens: make, list, change, rotate and end them.
    #[command(subcommand)]
    Tokens(Box<tokens::Tokens>),
    /// What the gateway decided.
    #[command(subcommand)]
    Events(events::Events),
    /// Show what a token was used for.
    Usage(usage::Usage),
    /// Show who changed which token, and whether the log is whole.
    Audit(audit::Audit),
    /// Back up the token store, put a backup in its place, look whether it is sound.
    #[command(subcommand)]
    Store(store::Store),
    /// Run the gateway, a proxy for AI traffic that asks the policies about every request.
    Serve(Box<serve::Serve>),
}

#[derive(Debug, Subcommand)]
enum Policy {
    /// Show everything that is wrong with a folder of policies.
    Check(policy_check::Check),
    /// Write `policies.lock`, which names the files of a folder and their digests.
    Lock(policy_lock::Lock),
    /// Measure what decisions cost, beside plain Cedar.
    Bench(policy_bench::BenchArgs),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        if let Some(folder) = self.cache_dir {
            cache::keep_in(folder);
        }
        if !matches!(self.command, Command::Serve(_)) {
            stderr::log_if_asked();
        }
        match self.command {
            Command::Authorize(command) => command.run(),
            Command::Replay(command) => command.run(),
            Command::Policy(Policy::Check(command)) => command.run(),
            Command::Policy(Policy::Lock(command)) => command.run(),
            Command::Policy(Policy::Bench(command)) => command.run(),
            Command::Component(command) => command.run(),
            Command::Tokens(command) => command.run(),
            Command::Events(command) => command.run(),
            Command::Usage(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Store(command) => command.run(),
            Command::Serve(command) => command.run(),
        }
    }
}
