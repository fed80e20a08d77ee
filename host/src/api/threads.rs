//! The threads on which requests behind a key are carried out. What they read, and how long that takes, is
//! up to whoever asks: so they keep no webhook and no `/health` waiting, which have the other threads, and
//! yield to them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::priority;

const THREADS: usize = 2;

/// Above that of guests that compute, below that of everything on the way of a message.
const NICE: i32 = 5;

/// Dropping it breaks off what still runs.
#[derive(Debug)]
pub struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    pub fn start() -> io::Result<Self> {
        let number = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name_fn(move || format!("api-{}", number.fetch_add(1, Ordering::Relaxed)))
            .on_thread_start(|| priority::lower(NICE))
            .enable_all()
            .build()?;
        Ok(Threads { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(work)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last to drop it may be a thread that must not wait for others.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_on_threads_of_their_own_that_end_with_them() {
        let threads = Threads::start().expect("threads");
        let name = threads.spawn(async { std::thread::current().name().map(str::to_owned) });
        assert!(name.await.expect("done").is_some_and(|name| name.starts_with("api-")));
        let endless = threads.spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.expect_err("broken off").is_cancelled());
    }
}
