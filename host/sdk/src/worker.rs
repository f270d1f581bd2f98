//! The SDK's own thread: compiles, loads and reloads, one job after the other.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::reply::{Promise, Reply, pair};

/// Loading parses deep texts on the host's side too, and the compiler wants its share.
const STACK_BYTES: usize = 8 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that ends when this is dropped and its last job is done.
pub(crate) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        thread::Builder::new().name("cedargate-load".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            for job in queue {
                job();
            }
        })?;
        Ok(Self { jobs })
    }

    /// Queues a job. Jobs run in the order in which they were queued.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Reply<T> {
        let (promise, reply): (Promise<T>, Reply<T>) = pair();
        // A job that cannot be queued drops its promise, and the reply says so.
        let _ = self.jobs.send(Box::new(move || promise.keep(job())));
        reply
    }
}
