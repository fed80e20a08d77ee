//! The one thread that writes. It takes what is queued, up to [`GROUP`] operations and without
//! waiting for more, applies all in one transaction, commits, brings the mirrors up to date and
//! answers each. While it commits the next group gathers: load makes the groups larger by itself.
//!
//! An operation that panics or meets an unreadable row fails alone. If it had written by then, the
//! transaction is given up and the others of its group are applied again: whoever could bring that about
//! would make everybody pay for it, so what may be refused is looked at before anything is written, and
//! a refusal that comes late is counted as a bug. An error of the file fails the whole group; the file
//! is then opened again, after a pause that grows while it goes on failing, and until that succeeds
//! every operation is answered with the error. A compaction has the file to itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{Batch, Fault, Step, file_error};
use super::disk::{failed, is_full};
use super::opened::Shared;
use crate::clock;
use crate::store::rows::Rows as _;
use crate::store::rules::{load, seal};
use crate::store::shared::index::Sealed;
use crate::store::{Error, Result};
use crate::vitals::Vitals;

/// More operations than this are not put into one transaction.
const GROUP: usize = 1024;

/// Between two attempts to open a failed file again.
const REOPEN_AFTER: Duration = Duration::from_millis(250);

const REOPEN_AT_MOST: Duration = Duration::from_secs(5);

/// Opening repairs, and nothing can be read meanwhile: the pause is so many times what it took last time.
const PAUSE_PER_REPAIR: u32 = 10;

/// Failures in a row that make one line of the log.
const SAID_EVERY: u32 = 60;

/// What is queued.
enum Task {
    Apply(Box<dyn Job>),
    Compact(oneshot::Sender<Result<()>>),
}

pub struct Writer {
    /// `None` once the store is closing.
    queue: Option<SyncSender<Task>>,
    capacity: usize,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(shared: Arc<Shared>, capacity: usize, vitals: &Arc<Vitals>) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(capacity.max(1));
        let name = std::thread::Builder::new().name("store-writer".into());
        let running = vitals.thread("store-writer");
        let thread = name.spawn(move || {
            let _running = running;
            Loop::new(shared).run(&jobs);
        })?;
        Ok(Writer { queue: Some(queue), capacity, thread: Some(thread) })
    }

    /// Queues the operation at once and returns its answer to be awaited. Dropping the answer does
    /// not undo the operation.
    pub fn submit<T, F>(&self, op: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&mut Batch<'_>) -> Step<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Apply(Box::new(Call { op, result: None, reply })), answer)
    }

    /// Queues a compaction behind what is queued already.
    pub fn compact(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Compact(reply), answer)
    }

    fn send<T: Send + 'static>(
        &self,
        task: Task,
        answer: oneshot::Receiver<Result<T>>,
    ) -> impl Future<Output = Result<T>> + Send + use<T> {
        let refused = match self.queue.as_ref().map(|queue| queue.try_send(task)) {
            Some(Ok(())) => None,
            Some(Err(TrySendError::Full(_))) => Some(Error::Busy(format!(
                "{} operations wait for the disk already ([store] queue); nothing was kept",
                self.capacity
            ))),
            Some(Err(TrySendError::Disconnected(_))) | None => Some(Error::Failed("it is closed".into())),
        };
        async move {
            match refused {
                Some(error) => Err(error),
                None => answer.await.unwrap_or_else(|_| Err(Error::Failed("its writer has stopped".into()))),
            }
        }
    }
}

/// Applies one operation on this thread, before there is a writer.
pub fn apply_now<T: Send + 'static>(
    shared: &Arc<Shared>,
    op: impl Fn(&mut Batch<'_>) -> Step<T> + Send + 'static,
) -> Result<T> {
    let (reply, mut answer) = oneshot::channel();
    let mut writer = Loop::new(shared.clone());
    let mut group: Vec<Box<dyn Job>> = vec![Box::new(Call { op, result: None, reply })];
    writer.commit(&mut group);
    match writer.broken {
        Some(broken) => Err(failed(&broken.error)),
        None => answer.try_recv().unwrap_or_else(|_| Err(Error::Failed("it was not applied".into()))),
    }
}

/// Closes the queue and waits until what was queued is done.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // The writer catches panics of operations; if it died nevertheless, its callers know.
            let _ = thread.join();
        }
    }
}

/// An operation in the queue, whatever it returns.
trait Job: Send {
    /// May be called again, in another transaction, if the first one is given up.
    fn apply(&mut self, batch: &mut Batch<'_>) -> Step<()>;
    /// Was it refused, by the rules, when it was applied?
    fn refusal(&self) -> Option<&Error>;
    /// It failed without having written anything; the others of its group stand.
    fn fail(&mut self, error: Error);
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Call<F, T> {
    op: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Call<F, T>
where
    F: Fn(&mut Batch<'_>) -> Step<T> + Send,
    T: Send,
{
    fn apply(&mut self, batch: &mut Batch<'_>) -> Step<()> {
        self.result = Some(match (self.op)(batch) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(other) => return Err(other),
        });
        Ok(())
    }

    fn refusal(&self) -> Option<&Error> {
        self.result.as_ref().and_then(|result| result.as_ref().err())
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let result = match (outcome, self.result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(Error::Failed("the operation was not applied".into())),
        };
        // Nobody may be waiting any more; the commit stands.
        let _ = self.reply.send(result);
    }
}

/// How an attempt at a group ended without a commit.
enum Setback {
    /// By this operation alone.
    One(usize, Error),
    /// By the file.
    All(redb::Error),
}

impl From<redb::Error> for Setback {
    fn from(error: redb::Error) -> Self {
        Setback::All(error)
    }
}

struct Broken {
    error: redb::Error,
    tried: Instant,
    /// Until it is tried again.
    pause: Duration,
}

struct Loop {
    shared: Arc<Shared>,
    broken: Option<Broken>,
    /// How often the file failed since it was written to last. Said at the first time, and now and then.
    failures: u32,
    /// How long it took to open it last time.
    repair: Duration,
}

impl Loop {
    fn new(shared: Arc<Shared>) -> Self {
        Loop { shared, broken: None, failures: 0, repair: Duration::ZERO }
    }

    fn run(mut self, tasks: &Receiver<Task>) {
        let mut group = Vec::with_capacity(GROUP);
        while let Ok(first) = tasks.recv() {
            let mut next = Some(first);
            let compaction = loop {
                match next {
                    Some(Task::Apply(job)) => group.push(job),
                    Some(Task::Compact(reply)) => break Some(reply),
                    None => break None,
                }
                next = if group.len() < GROUP { tasks.try_recv().ok() } else { None };
            };
            if self.usable() && !group.is_empty() {
                self.commit(&mut group);
            }
            if let Some(broken) = &self.broken {
                for job in group.drain(..) {
                    job.answer(Err(failed(&broken.error)));
                }
            }
            if let Some(reply) = compaction {
                // Nobody may be waiting any more; it is done all the same.
                let _ = reply.send(self.compact());
            }
        }
    }

    fn compact(&mut self) -> Result<()> {
        if let Some(broken) = &self.broken {
            return Err(failed(&broken.error));
        }
        let mut done = Ok(false);
        let ran = guarded(|| {
            done = self.shared.disk.compact();
            Ok(())
        });
        if let Err(Setback::All(error)) = ran {
            done = Err(error);
        }
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Busy("it is being read, a backup perhaps: compact it later".into())),
            Err(error) => {
                let told = failed(&error);
                self.fail(error, 0);
                Err(told)
            }
        }
    }

    /// The file failed. It is opened again after a pause, which grows as long as it goes on failing.
    fn fail(&mut self, error: redb::Error, operations: usize) {
        let pause = REOPEN_AFTER.saturating_mul(1 << self.failures.min(6)).min(REOPEN_AT_MOST);
        let pause = pause.max(self.repair * PAUSE_PER_REPAIR);
        if self.failures.is_multiple_of(SAID_EVERY) {
            tracing::error!(%error, operations, "the store's file failed; nothing of the group was acknowledged");
        }
        self.failures += 1;
        self.broken = Some(Broken { error, tried: Instant::now(), pause });
    }

    /// Leaves in `group` what the file failed under.
    fn commit(&mut self, group: &mut Vec<Box<dyn Job>>) {
        while !group.is_empty() {
            match guarded(|| self.attempt(group)) {
                Ok(()) => {
                    if std::mem::take(&mut self.failures) > 0 {
                        tracing::warn!("the store's file takes commits again");
                    }
                    for job in group.drain(..) {
                        job.answer(Ok(()));
                    }
                }
                Err(Setback::One(culprit, error)) => {
                    tracing::error!(%error, "an operation of the store failed and was left out of its group");
                    group.remove(culprit).answer(Err(error));
                }
                Err(Setback::All(error)) => {
                    self.fail(error, group.len());
                    return;
                }
            }
        }
    }

    fn attempt(&self, group: &mut [Box<dyn Job>]) -> std::result::Result<(), Setback> {
        let attempted = self.shared.disk.with(|database| {
            let mut transaction = database.begin_write().map_err(redb::Error::from)?;
            transaction.set_two_phase_commit(true);
            let (done, writes) = {
                let mut batch = Batch::new(&transaction, &self.shared.index);
                let sealed = apply(group, &mut batch).and_then(|()| seal(&mut batch));
                let writes = batch.tally.writes();
                (sealed.map(|sealed| (batch.changes.state, sealed, batch.changes.effects)), writes)
            };
            if done.is_err() || writes == 0 {
                transaction.abort().map_err(redb::Error::from)?;
            } else {
                transaction.commit().map_err(redb::Error::from)?;
            }
            let (state, sealed, effects) = done?;
            self.shared.index.apply(state, sealed, effects, clock::now());
            Ok(())
        });
        attempted.unwrap_or(Err(Setback::All(redb::Error::DatabaseClosed)))
    }

    /// Is the file fit to be written, if need be after opening it again?
    fn usable(&mut self) -> bool {
        let Some(broken) = &mut self.broken else { return true };
        if broken.tried.elapsed() < broken.pause {
            return false;
        }
        // What is committed can be read as long as it stays as it is.
        if is_full(&broken.error) && !self.shared.space.may_be_written() {
            broken.tried = Instant::now();
            return false;
        }
        let began = Instant::now();
        let reopened = guarded(|| {
            self.shared.disk.reopen().map_err(redb::Error::from)?;
            load_again(&self.shared).map_err(Setback::All)
        });
        self.repair = began.elapsed();
        match reopened {
            Ok(()) => {
                tracing::debug!(after = %broken.error, "the store's file is open again");
                self.broken = None;
                true
            }
            Err(setback) => {
                let error = match setback {
                    Setback::All(error) => error,
                    Setback::One(_, error) => redb::Error::Corrupted(error.to_string()),
                };
                self.fail(error, 0);
                false
            }
        }
    }
}

fn seal(batch: &mut Batch<'_>) -> std::result::Result<Sealed, Setback> {
    seal::seal(batch).map_err(|fault| match fault {
        Fault::Engine(error) => Setback::All(file_error(error)),
        other => Setback::All(redb::Error::Corrupted(other.to_string())),
    })
}

/// After an error of the file: the last commit may or may not have reached it, so everything is read again.
fn load_again(shared: &Shared) -> std::result::Result<(), redb::Error> {
    let read = || -> Step<()> {
        let loaded = load::load(&shared.disk.snapshot()?, &shared.index, clock::now())?;
        shared.index.replace(loaded);
        Ok(())
    };
    read().map_err(|fault| match fault {
        Fault::Engine(error) => file_error(error),
        other => redb::Error::Corrupted(other.to_string()),
    })
}

/// A panic in redb itself, on a page that is not what it was, must not end the writer.
fn guarded(work: impl FnOnce() -> std::result::Result<(), Setback>) -> std::result::Result<(), Setback> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Setback::All(redb::Error::Corrupted(format!("a panic: {}", panic_text(&*panic)))))
    })
}

pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

fn apply(group: &mut [Box<dyn Job>], batch: &mut Batch<'_>) -> std::result::Result<(), Setback> {
    for (at, job) in group.iter_mut().enumerate() {
        let one = |what: String| Setback::One(at, Error::Failed(what));
        match catch_unwind(AssertUnwindSafe(|| apply_one(job.as_mut(), batch))) {
            Ok(Ok(())) => {}
            Ok(Err(Fault::Engine(error))) => return Err(Setback::All(file_error(error))),
            Ok(Err(other)) => return Err(one(other.to_string())),
            Err(panic) => {
                return Err(one(format!("an operation panicked: {}", panic_text(&*panic))));
            }
        }
    }
    Ok(())
}

/// Holds the operation to its rule: what is refused has written nothing.
fn apply_one(job: &mut dyn Job, batch: &mut Batch<'_>) -> Step<()> {
    let before = batch.footprint();
    let done = job.apply(batch);
    let untouched = batch.footprint() == before;
    match (done, job.refusal()) {
        (Err(Fault::Row(error)), _) if untouched => {
            tracing::error!(%error, "an operation of the store failed");
            job.fail(Error::Failed(error.to_string()));
            Ok(())
        }
        (Ok(()), Some(error)) if !untouched => {
            batch.index().late_refusals.fetch_add(1, Ordering::Relaxed);
            let what = format!("refused after it had written: {error}");
            Err(Fault::Row(crate::store::rows::Unreadable { table: "(any)", what }))
        }
        (done, _) => done,
    }
}

#[cfg(test)]
mod tests;
