//! `kt replay`: recorded requests, decided again.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::answer::Answer;
use crate::clean::clean;
use crate::policies::PoliciesArg;
use crate::replay::archive::Archive;
use crate::replay::entry::{Entry, Piece, Verdict};
use crate::replay::input::Input;
use crate::replay::judge::Judge;
use crate::replay::pipeline;
use crate::replay::progress::Progress;
use crate::replay::summary::{Summary, Tally};
use crate::report::{self, Explained, Report, ReportFormat};
use crate::stdout::CANNOT_WRITE;
use crate::{ruling, stderr, words};

/// Denials that are told in full at most: each is a dozen lines.
const EXPLAIN_MAX: u16 = 1_000;

const AFTER_HELP: &str = "\
A file holds one JSON record a line; `kt authorize --help` shows one. A record may say what it expects:

  \"expect\":{\"decision\":\"deny\",\"status\":403,\"code\":\"model_not_allowed\",\"policies\":[\"model-not-in-scope\"]}

What `expect` does not name is not compared; `policies` are exactly the determining ones, in any order. A line that is
not a record is reported with file and line number, and does not stop the rest.

Exit codes: 0 all matched, 1 mismatches, 2 cannot say (unreadable lines or files, bad policies).

Examples:
  kt replay requests.jsonl
  kt replay monday.jsonl tuesday.jsonl.gz --policies ./policies
  kt replay requests.jsonl --explain 3
  kt replay cases/*.jsonl --format junit > report.xml
  tail -f requests.jsonl | kt replay -";

/// Replays recorded requests and compares the decisions with what was expected.
///
/// Each record is decided as of the time in it, so a replay is exact. Prints each mismatch with what was expected,
/// what came and which policies decided, then a summary.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Replay {
    /// Files of records, plain or compressed by gzip; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policies: PoliciesArg,
    /// The folder in which a gateway kept the policies of its recording, each set by its digest: every record is
    /// decided by the set that decided it then. Default: `FILE.bundles` beside each file, where it is there.
    #[arg(long, value_name = "DIR", conflicts_with = "policies")]
    bundles: Option<PathBuf>,
    /// In which form to print.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Threads that decide. Default: the number of cores. The output does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Explain up to N denials in words, the first of each code.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=i64::from(EXPLAIN_MAX)))]
    explain: u16,
}

impl Replay {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let inputs: Vec<_> = self.files.into_iter().map(Input::from_argument).collect();
        if inputs.iter().filter(|input| matches!(input, Input::Stdin)).count() > 1 {
            bail!("`-` stands more than once: standard input can be read only once");
        }
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let jobs = self.jobs.map_or_else(cores, usize::from);
        let pdp = self.policies.load(jobs)?;
        let archive = archive(self.bundles, &self.policies, &inputs, jobs);
        let progress = Progress::start(&inputs);
        let started = Instant::now();
        let session = Session {
            tally: Tally::new(pdp.info().digest()),
            report: report::to_stdout(self.format),
            explainer: Explainer { codes: BTreeSet::new(), left: self.explain, explained: Vec::new() },
            file: "".into(),
            first_of_another_set: None,
            progress,
        };
        let files = inputs.len();
        let pieces = pipeline::start(inputs, Judge::new(pdp, archive), jobs, session.progress.counter())
            .context("a thread cannot be made")?;
        session.run(pieces, files, started)
    }
}

/// The policies that records were made under, unless others were named to decide them.
fn archive(named: Option<PathBuf>, policies: &PoliciesArg, inputs: &[Input], jobs: usize) -> Option<Archive> {
    if policies.folder().is_some() {
        return None;
    }
    let beside = inputs.iter().filter_map(|input| match input {
        Input::File(path) => Archive::beside(path),
        Input::Stdin => None,
    });
    let folders: Vec<_> = match named {
        Some(folder) => vec![folder],
        None => beside.collect(),
    };
    (!folders.is_empty()).then(|| Archive::new(folders, jobs))
}

/// A replay that goes on.
struct Session {
    tally: Tally,
    report: Box<dyn Report>,
    explainer: Explainer,
    file: Arc<str>,
    first_of_another_set: Option<String>,
    progress: Progress,
}

impl Session {
    fn run(mut self, pieces: pipeline::Pieces, files: usize, started: Instant) -> anyhow::Result<Answer> {
        let mut ended = 0_usize;
        for piece in pieces {
            match piece {
                Piece::Begin(file) => {
                    self.tally.note_file();
                    self.report.begin(&file).context(CANNOT_WRITE)?;
                    self.file = file;
                }
                Piece::Entries(entries) => self.entries(entries)?,
                Piece::Failed(error) => self.failed(&error)?,
                Piece::End => {
                    ended = ended.saturating_add(1);
                    self.report.end().context(CANNOT_WRITE)?;
                }
            }
            self.progress.show(self.tally.total());
        }
        self.progress.end();
        if ended < files {
            bail!("a thread ended early, and the rest was not replayed: please report this");
        }
        let Self { tally, mut report, explainer, first_of_another_set, .. } = self;
        let summary = tally.finish(started.elapsed());
        report.finish(&summary, &explainer.explained).context(CANNOT_WRITE)?;
        warn(&summary, first_of_another_set.as_deref());
        Ok(summary.answer())
    }

    fn entries(&mut self, entries: Vec<Entry>) -> anyhow::Result<()> {
        let is_finding =
            |entry: &Entry| entry.result.as_ref().map_or(true, |judged| judged.verdict == Verdict::Mismatched);
        if entries.iter().any(is_finding) {
            let Self { progress, report, file, .. } = self;
            progress.aside(|| {
                for entry in &entries {
                    if let Err(reason) = &entry.result {
                        stderr::say(format_args!("error: {}:{}: {}", clean(file), entry.line, clean(reason)));
                    }
                    report.entry(entry)?;
                }
                report.flush()
            })
        } else {
            entries.iter().try_for_each(|entry| self.report.entry(entry))
        }
        .context(CANNOT_WRITE)?;
        for entry in entries {
            self.tally.note(&entry);
            self.note_set(&entry);
            self.explainer.note(&self.file, entry)?;
        }
        Ok(())
    }

    fn note_set(&mut self, entry: &Entry) {
        if let Ok(judged) = &entry.result
            && self.first_of_another_set.is_none()
            && self.tally.is_of_another_set(judged)
        {
            let digest = judged.record.policy_set().unwrap_or_default();
            self.first_of_another_set = Some(format!("{}:{}, made under {digest}", self.file, entry.line));
        }
    }

    fn failed(&mut self, error: &str) -> anyhow::Result<()> {
        self.tally.note_unread_file();
        let Self { progress, report, file, .. } = self;
        progress
            .aside(|| {
                stderr::say(format_args!("error: cannot read `{}`: {}", clean(file), clean(error)));
                report.failed(error)
            })
            .context(CANNOT_WRITE)
    }
}

/// What a person should know beside the counts.
fn warn(summary: &Summary, first_of_another_set: Option<&str>) {
    if let Some(first) = first_of_another_set {
        stderr::say(format_args!(
            "warning: {} of {} records were made under another policy set than {} (first: {})",
            summary.other_policy_set,
            summary.total,
            summary.policy_set,
            clean(first),
        ));
    }
    if summary.total == 0 && summary.errors == 0 && summary.unread_files == 0 {
        stderr::say(format_args!("warning: there was no record to replay"));
    }
}

/// Keeps the first denial of each code.
struct Explainer {
    codes: BTreeSet<String>,
    left: u16,
    explained: Vec<Explained>,
}

impl Explainer {
    fn note(&mut self, file: &str, entry: Entry) -> anyhow::Result<()> {
        let Entry { line, result: Ok(judged) } = entry else { return Ok(()) };
        let Some(code) = judged.ruling.code() else { return Ok(()) };
        if self.left == 0 || self.codes.contains(code) {
            return Ok(());
        }
        self.codes.insert(code.to_owned());
        self.left = self.left.saturating_sub(1);
        let prepared = ruling::prepare(&judged.pdp, judged.record.principal())?;
        let decision = ruling::decision_text(&judged.pdp, &prepared, &judged.record, &judged.ruling)?;
        let words = words::explain(&judged.pdp.info(), &judged.record, &judged.ruling, &words::errors(&decision));
        self.explained.push(Explained { place: format!("{file}:{line}"), judged, words });
        Ok(())
    }
}
