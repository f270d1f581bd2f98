//! `kt policy bench`: what decisions cost.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use cedargate::BuildError;
use clap::Args;
use indicatif::ProgressBar;

use crate::answer::Answer;
use crate::bench::compare::Earlier;
use crate::bench::figure::Kind;
use crate::bench::measure::{Bench, Effort};
use crate::bench::row::{Row, SetName};
use crate::bench::subject::Subject;
use crate::bench::{instances, memory, recorded, table, threads};
use crate::format::{Format, FormatArg};
use crate::policies::PoliciesArg;
use crate::{own_file, stderr, stdout};

/// How long one kind of decision is measured in one round.
const BUDGET: Duration = Duration::from_millis(500);

/// The largest generated set: what the component takes by default.
const POLICIES_MAX: i64 = 20_000;

const AFTER_HELP: &str = "\
Measured are, for the policies and for generated sets of each size:

  plain Cedar          cedar-policy in process: the entities of a record, its context, the authorizer
  cold                 a principal that was seen, a request that was not
  warm                 a request that was seen, a millisecond later every time
  warm, component      the same, nothing remembered outside of the component
  warm, counters       the same with a budget and a rate that change every time
  first                a principal that was never seen, prepared and asked about once
  batch                one of 64 requests of a principal at once

Of the rounds the best median counts; kinds take turns within each round. While it measures, the command compares the
component's decisions with those of plain Cedar, and stops where they differ. `--compare` looks at times as multiples
of plain Cedar's, so that a slower machine is no regression, and at memory, full scans and what a second thread brings.

Exit codes: 0 measured, no regression; 1 a regression past the threshold; 2 cannot say.

Examples:
  kt policy bench
  kt policy bench --policies ./policies --requests requests.jsonl --scale 1000
  kt policy bench --save before.json
  kt policy bench --compare before.json --threshold 20";

/// Measures what decisions cost, beside plain Cedar in process.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    policies: PoliciesArg,
    /// Recorded requests to measure the policies with; `-` is standard input. Default: generated ones.
    #[arg(long, value_name = "FILE.jsonl")]
    requests: Option<PathBuf>,
    /// Sizes of the generated sets to measure, too.
    #[arg(
        long, value_name = "N,...", value_delimiter = ',', default_value = "10,100,1000,10000",
        value_parser = clap::value_parser!(u32).range(1..=POLICIES_MAX)
    )]
    scale: Vec<u32>,
    /// What sets and requests are generated from: the same number, the same ones.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    format: FormatArg,
    /// Write the measures to a file, too, as JSON.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Compare with measures that were saved before.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// How much worse, in percent, a measure may be before it is a regression.
    #[arg(long, value_name = "PERCENT", requires = "compare", default_value_t = 25, value_parser = clap::value_parser!(u32).range(..=100_000))]
    threshold: u32,
    /// How often every kind is measured.
    #[arg(long, value_name = "N", hide = true, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    rounds: u16,
    /// Calls of each kind in one round, at most.
    #[arg(long, value_name = "N", hide = true, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    calls: u32,
    /// Measure nothing but memory in this process, of the generated set of this size or, with 0, of the policies.
    #[arg(long, value_name = "N", hide = true)]
    memory_of: Option<u32>,
}

impl BenchArgs {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        if let Some(size) = self.memory_of {
            stdout::print_json(&memory::here(&self.subject(size)?, self.calls()?)?)?;
            return Ok(Answer::Yes);
        }
        let earlier = self.compare.as_deref().map(Earlier::read).transpose()?;
        self.check_save()?;
        let mut rows = Vec::new();
        for size in [0].iter().chain(&self.scale) {
            let subject = self.subject(*size)?;
            let row = self.measure(subject)?;
            rows.push(row);
        }
        if let Some(path) = &self.save {
            let text = serde_json::to_string_pretty(&rows)?;
            own_file::replace(path, format!("{text}\n").as_bytes())
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        match self.format.format {
            Format::Json => stdout::print_json(&rows)?,
            Format::Text => stdout::print(&table::table(&rows))?,
        }
        earlier.map_or(Ok(Answer::Yes), |earlier| self.judge(&earlier, &rows))
    }

    fn calls(&self) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.calls)?)
    }

    /// The generated set of a size or, with 0, the policies of the command.
    fn subject(&self, size: u32) -> anyhow::Result<Subject> {
        if size > 0 {
            return Ok(Subject::generated(usize::try_from(size)?, self.seed)?);
        }
        let set = if self.policies.folder().is_some() { SetName::Given } else { SetName::Default };
        let recorded = match &self.requests {
            Some(path) if self.memory_of.is_none() => Some(recorded::read(path)?),
            _ => None,
        };
        Ok(Subject::own(set, self.policies.bundle()?, self.seed, recorded))
    }

    /// Refuses, before the work is done, what could not be written after it.
    fn check_save(&self) -> anyhow::Result<()> {
        let Some(path) = &self.save else { return Ok(()) };
        let shown = path.display();
        if path.file_name().is_none() || path.is_dir() {
            bail!("cannot write `{shown}`: it is not the name of a file");
        }
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                bail!("cannot write `{shown}`: there is no folder `{}`", folder.display())
            }
            _ => Ok(()),
        }
    }

    fn measure(&self, mut subject: Subject) -> anyhow::Result<Row> {
        let progress = Progress::start(&subject);
        let effort = Effort { rounds: usize::from(self.rounds), calls: self.calls()?, budget: BUDGET };
        progress.say("loading");
        let built = Bench::new(&mut subject, effort);
        let mut bench = built.map_err(|error| match error.downcast::<BuildError>() {
            Ok(refused) if subject.size().is_none() => self.policies.not_built(refused),
            Ok(refused) => refused.into(),
            Err(error) => error,
        })?;
        for round in 0..effort.rounds {
            progress.say(&format!("round {} of {}", round + 1, effort.rounds));
            bench.round(effort.rounds - round)?;
        }
        let measured = bench.finish();
        let Some(cold) = measured.figures.get(&Kind::Cold) else {
            bail!("there are too few requests to measure with: none is left that was not seen");
        };
        progress.say("instances");
        let instance_ns = instances::ready_ns(&measured.pdp)?;
        progress.say("two threads");
        // Recorded requests are too few for as many fresh ones as that takes.
        let recorded = subject.set != SetName::Generated && self.requests.is_some();
        let threads_speedup =
            if recorded { None } else { Some(threads::speedup(&subject, cold.median_ns, effort.calls)?) };
        progress.say("memory");
        let memory = memory::of(&subject, self.policies.folder(), effort.calls)?;
        progress.end();
        Ok(Row {
            set: subject.set,
            policies: measured.policies,
            seed: subject.seed,
            figures: measured.figures,
            decisions: measured.decisions,
            full_scans: measured.full_scans,
            threads_speedup,
            instance_ns,
            memory,
        })
    }

    fn judge(&self, earlier: &Earlier, rows: &[Row]) -> anyhow::Result<Answer> {
        let found = earlier.compare(rows, self.threshold)?;
        if found.compared == 0 {
            return Err(anyhow!("nothing was compared: no set, size and seed is the same as in the earlier measures"));
        }
        for set in &found.unknown {
            stderr::say(format_args!("warning: {set} is not in the earlier measures"));
        }
        for regression in &found.regressions {
            stderr::say(format_args!("regression: {}", table::regression(regression)));
        }
        Ok(Answer::yes_if(found.regressions.is_empty()))
    }
}

/// What is being measured, on a terminal.
struct Progress {
    bar: ProgressBar,
    set: String,
}

impl Progress {
    fn start(subject: &Subject) -> Self {
        let set = subject
            .size()
            .map_or_else(|| format!("{} policies", subject.set.name()), |size| format!("{size} generated policies"));
        if !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), set };
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, set }
    }

    fn say(&self, what: &str) {
        self.bar.set_message(format!("{}: {what}", self.set));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
