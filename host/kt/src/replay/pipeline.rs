//! Reading, deciding and reporting at the same time, in the order of the input.
//!
//! One thread reads, some decide, the caller's reports. Batches go round the deciding threads in turn and are
//! collected in the same turn, so the order needs no sorting, and what is held is bounded: [`QUEUE`] batches before
//! and after each thread.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::entry::Piece;
use super::input::Input;
use super::judge::Judge;
use super::lines::Line;
use super::progress::Counter;

/// Lines of a batch.
const BATCH_LINES: usize = 128;

/// Bytes of a batch, after which no line is added.
const BATCH_BYTES: usize = 256 << 10;

/// Batches that wait before each thread, and as many after it.
const QUEUE: usize = 4;

/// What a thread is handed.
enum Batch {
    Lines(Vec<Line>),
    /// Passed on as it is, in its place.
    Piece(Piece),
}

/// The pieces of the inputs, in order.
pub(crate) struct Pieces {
    outputs: Vec<Receiver<Piece>>,
    turn: usize,
}

/// Starts to replay.
///
/// # Errors
///
/// Those of the system, where a thread cannot be made.
pub(crate) fn start(inputs: Vec<Input>, judge: Judge, jobs: usize, counter: Counter) -> io::Result<Pieces> {
    let judge = Arc::new(judge);
    let (mut to_judges, mut outputs) = (Vec::new(), Vec::new());
    for n in 0..jobs.max(1) {
        let (to_judge, batches) = sync_channel(QUEUE);
        let (to_caller, output) = sync_channel(QUEUE);
        let judge = Arc::clone(&judge);
        thread::Builder::new().name(format!("judge-{n}")).spawn(move || run_judge(&judge, &batches, &to_caller))?;
        to_judges.push(to_judge);
        outputs.push(output);
    }
    thread::Builder::new().name("reader".to_owned()).spawn(move || {
        let mut reader = Reader { to_judges, turn: 0, counter };
        // Nobody listens any more: nothing is left to do.
        let _ = inputs.iter().try_for_each(|input| reader.read(input));
    })?;
    Ok(Pieces { outputs, turn: 0 })
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        // INVARIANT: the reader hands out batches in the same turn, so where there is none the input has ended.
        let piece = self.outputs.get(self.turn)?.recv().ok();
        self.turn = next_turn(self.turn, self.outputs.len());
        piece
    }
}

fn next_turn(turn: usize, of: usize) -> usize {
    let next = turn.saturating_add(1);
    if next < of { next } else { 0 }
}

fn run_judge(judge: &Judge, batches: &Receiver<Batch>, to_caller: &SyncSender<Piece>) {
    for batch in batches {
        let piece = match batch {
            Batch::Lines(lines) => Piece::Entries(lines.into_iter().map(|line| judge.judge(line)).collect()),
            Batch::Piece(piece) => piece,
        };
        if to_caller.send(piece).is_err() {
            return;
        }
    }
}

/// Nobody listens any more.
struct Unheard;

struct Reader {
    to_judges: Vec<SyncSender<Batch>>,
    turn: usize,
    counter: Counter,
}

impl Reader {
    fn read(&mut self, input: &Input) -> Result<(), Unheard> {
        self.send(Batch::Piece(Piece::Begin(input.name())))?;
        match self.read_lines(input) {
            Ok(sent) => sent?,
            Err(error) => self.send(Batch::Piece(Piece::Failed(error.to_string())))?,
        }
        self.send(Batch::Piece(Piece::End))
    }

    fn read_lines(&mut self, input: &Input) -> io::Result<Result<(), Unheard>> {
        let mut lines = input.open(self.counter.clone())?;
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        loop {
            // What was read is decided before more is waited for: a live log is reported as it comes.
            let full = batch.len() >= BATCH_LINES || bytes >= BATCH_BYTES || lines.may_wait();
            if full && !batch.is_empty() && self.send(Batch::Lines(std::mem::take(&mut batch))).is_err() {
                return Ok(Err(Unheard));
            }
            if full {
                bytes = 0;
            }
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    let sent = if batch.is_empty() { Ok(()) } else { self.send(Batch::Lines(batch)) };
                    return if sent.is_err() { Ok(Err(Unheard)) } else { Err(error) };
                }
            };
            bytes = bytes.saturating_add(line.text.as_ref().map_or(0, String::len));
            batch.push(line);
        }
        Ok(if batch.is_empty() { Ok(()) } else { self.send(Batch::Lines(batch)) })
    }

    fn send(&mut self, batch: Batch) -> Result<(), Unheard> {
        let judge = self.to_judges.get(self.turn).ok_or(Unheard)?;
        judge.send(batch).map_err(|_| Unheard)?;
        self.turn = next_turn(self.turn, self.to_judges.len());
        Ok(())
    }
}
