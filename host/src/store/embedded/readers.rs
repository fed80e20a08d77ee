//! Threads that read for those who serve, so that a page which lies on the disk holds up nobody's webhook. They are
//! few, and so is what waits for them: a caller that goes away while it waits reads nothing.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use crate::priority;
use crate::store::{Error, Result};

const THREADS: usize = 4;

pub struct Readers {
    pool: Pool,
    places: Arc<Semaphore>,
}

/// `None` once it is dropped.
struct Pool(Option<Runtime>);

impl Readers {
    pub fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(THREADS).thread_name("store-reader").build()?;
        Ok(Readers { pool: Pool(Some(runtime)), places: Arc::new(Semaphore::new(THREADS)) })
    }

    /// On one of the threads, or on the caller's where that gives way to all who serve: nobody waits for it, and what
    /// it reads costs its own time.
    pub fn read<T, F>(&self, read: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (places, pool) = (self.places.clone(), self.pool.0.as_ref().map(|pool| pool.handle().clone()));
        async move {
            if priority::gives_way() {
                return Ok(read());
            }
            aside(places, pool, read).await
        }
    }
}

async fn aside<T: Send + 'static>(
    places: Arc<Semaphore>,
    pool: Option<Handle>,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let closed = || Error::Failed("it is closed".into());
    let (place, pool) = (places.acquire_owned().await.map_err(|_| closed())?, pool.ok_or_else(closed)?);
    let reading = pool.spawn_blocking(move || {
        let _place = place;
        read()
    });
    reading.await.map_err(|error| Error::Failed(format!("a read broke off: {error}")))
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The last to drop it may be a thread that must not wait for others.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn here() -> Option<String> {
        thread::current().name().map(str::to_owned)
    }

    #[tokio::test]
    async fn who_serves_does_not_read_and_who_gives_way_reads_for_itself() {
        let readers = Readers::start().expect("threads");
        assert_eq!(readers.read(here).await.expect("read").as_deref(), Some("store-reader"));
        let patient = thread::Builder::new().name("patient".into());
        let asked = readers.read(here);
        let handle = Handle::current();
        let told = patient.spawn(move || {
            priority::lower(1);
            handle.block_on(asked)
        });
        let told = tokio::task::spawn_blocking(|| told.expect("a thread").join()).await.expect("joined");
        assert_eq!(told.expect("no panic").expect("read").as_deref(), Some("patient"));
    }

    /// However many ask, few read; who goes away while it waits does not.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn few_read_at_a_time_and_who_went_away_not_at_all() {
        let readers = Readers::start().expect("threads");
        let (begins, begun) = mpsc::channel();
        let (mut doors, mut asking) = (Vec::new(), Vec::new());
        for n in 0..THREADS * 4 {
            let (door, opened) = mpsc::channel::<()>();
            let begins = begins.clone();
            let read = readers.read(move || {
                begins.send(n).expect("it is listened to");
                // Until its door is dropped.
                let _ = opened.recv();
            });
            doors.push(door);
            asking.push(tokio::spawn(read));
        }
        let (first, begun) = tokio::task::spawn_blocking(move || {
            let first: Vec<usize> = begun.iter().take(THREADS).collect();
            (first, begun)
        })
        .await
        .expect("they begin");
        for (n, waits) in asking.into_iter().enumerate().filter(|(n, _)| !first.contains(n)) {
            waits.abort();
            assert!(waits.await.is_err_and(|error| error.is_cancelled()), "{n} waits");
        }
        doors.clear();
        readers.read(|| ()).await.expect("there is a place");
        assert_eq!(begun.try_iter().count(), 0, "nobody else has read");
    }

    #[tokio::test]
    async fn one_that_panics_takes_no_place_along() {
        let readers = Readers::start().expect("threads");
        for _ in 0..THREADS * 2 {
            let broken: Result<()> = readers.read(|| panic!("on purpose")).await;
            assert!(broken.is_err_and(|error| error.to_string().contains("broke off")));
        }
        readers.read(|| ()).await.expect("there is a place");
    }
}
