//! Threads for what blocks: one for the disk, a few for bcrypt.

use crate::clock::Clock;
use host::{DiskJob, DiskWorker, Host};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{JoinHandle, Thread},
};

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Threads that end when told to, after what was asked of them before is done.
#[derive(Default)]
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts the disk's thread and `workers` threads for bcrypt.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        host: &Arc<Host>,
        clock: Clock,
        worker: DiskWorker,
        workers: usize,
    ) -> std::io::Result<Self> {
        let mut threads = Self::default();
        let (disk_host, stop) = (host.clone(), threads.stop.clone());
        let disk = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || run_disk(&disk_host, clock, worker, &stop))?;
        host.disk_signal.listen(Waker::from(Arc::new(Unpark(disk.thread().clone()))));
        disk.thread().unpark();
        threads.handles.push(disk);
        let mut sleepers = Vec::new();
        for number in 0..workers {
            let (host, stop) = (host.clone(), threads.stop.clone());
            let thread = std::thread::Builder::new()
                .name(format!("bcrypt-{number}"))
                .spawn(move || run_work(&host, clock, &stop))?;
            sleepers.push(thread.thread().clone());
            threads.handles.push(thread);
        }
        host.work_signal.listen(Waker::from(Arc::new(UnparkAll(sleepers))));
        // The disk's thread runs already: work that it brought before this was told to nobody.
        host.work_signal.raise();
        Ok(threads)
    }

    /// Lets the threads finish what is queued, and waits for them.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        for handle in self.handles {
            handle.thread().unpark();
            // A thread that panicked has halted its node; there is nothing more to say.
            let _ = handle.join();
        }
    }
}

/// Wakes all of them: whoever comes first takes the work.
struct UnparkAll(Vec<Thread>);

impl Wake for UnparkAll {
    fn wake(self: Arc<Self>) {
        for thread in &self.0 {
            thread.unpark();
        }
    }
}

fn run_disk(host: &Host, clock: Clock, mut worker: DiskWorker, stop: &AtomicBool) {
    loop {
        let jobs = host.take_disk_jobs();
        if jobs.is_empty() {
            if stop.load(Ordering::Acquire) {
                return;
            }
            std::thread::park();
            continue;
        }
        let durable = jobs.iter().any(|job| matches!(job, DiskJob::Persist { .. }));
        let begun = std::time::Instant::now();
        let done = worker.run(jobs);
        if durable {
            host.tally.fsync.observe(begun.elapsed());
        }
        host.disk_done(clock.now(), done);
    }
}

fn run_work(host: &Host, clock: Clock, stop: &AtomicBool) {
    loop {
        match host.take_work() {
            Some(work) => host.worked(clock.now(), work.run()),
            None if stop.load(Ordering::Acquire) => return,
            None => std::thread::park(),
        }
    }
}
