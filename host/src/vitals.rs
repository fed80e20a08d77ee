//! What runs by itself for as long as the gateway does: threads, loops, listeners. One that ends although
//! nobody stopped it is known at once: `/health` names it and `/ready` turns red. What the way of a message
//! needs takes the gateway along, which whoever keeps it running starts again as a whole; what may begin
//! anew does so, after a pause that grows while it goes on ending.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Before a part that has ended begins anew: at first, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AT_MOST: Duration = Duration::from_secs(60);

/// Who ran for so long begins anew after the first pause.
const WELL: Duration = Duration::from_secs(300);

/// The parts of one gateway.
#[derive(Debug)]
pub struct Vitals {
    dead: Mutex<BTreeSet<String>>,
    /// The first part whose end is the gateway's.
    lost: watch::Sender<Option<String>>,
    /// Before a part that has ended begins anew, at first.
    pause: Duration,
}

impl Default for Vitals {
    fn default() -> Self {
        Vitals { dead: Mutex::default(), lost: watch::Sender::default(), pause: PAUSE }
    }
}

impl Vitals {
    /// The parts that have ended and do not run at this moment.
    pub fn dead(&self) -> Vec<String> {
        self.parts().iter().cloned().collect()
    }

    /// The part without which the gateway cannot go on, once there is one.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        let part = lost.wait_for(Option::is_some).await.ok().and_then(|part| part.clone());
        match part {
            Some(part) => part,
            // The sender is in `self`.
            None => std::future::pending().await,
        }
    }

    pub fn is_lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    /// Held by a thread for as long as it runs: a panic that ends it is the gateway's end.
    pub fn thread(self: &Arc<Self>, name: impl Into<String>) -> Running {
        Running { vitals: self.clone(), part: name.into() }
    }

    /// Runs what the way of a message needs. It may end only once `stop` was called for.
    pub async fn needed(
        self: Arc<Self>,
        part: &'static str,
        stop: CancellationToken,
        work: impl Future<Output = ()>,
    ) {
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        if ended.is_err() || !stop.is_cancelled() {
            self.lose(part.to_owned());
        }
    }

    /// Runs what may begin anew, until `stop` or for as long as it is awaited.
    pub async fn keep<F: Future<Output = ()>>(
        self: Arc<Self>,
        part: &'static str,
        stop: CancellationToken,
        mut begin: impl FnMut() -> F,
    ) {
        let mut pause = self.pause;
        loop {
            self.parts().remove(part);
            let began = Instant::now();
            // The panic hook has said why.
            AssertUnwindSafe(async { begin().await }).catch_unwind().await.ok();
            if stop.is_cancelled() {
                return;
            }
            self.parts().insert(part.to_owned());
            if began.elapsed() >= WELL {
                pause = self.pause;
            }
            tracing::error!(
                part,
                again_in_s = pause.as_secs(),
                "a part of the gateway ended; it begins anew"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (2 * pause).min(PAUSE_AT_MOST);
        }
    }

    fn lose(&self, part: String) {
        tracing::error!(part, "a part of the gateway ended that it cannot be without");
        self.parts().insert(part.clone());
        self.lost.send_if_modified(|lost| {
            lost.is_none() && {
                *lost = Some(part);
                true
            }
        });
    }

    fn parts(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a part does for one of many: a panic costs that one, and neither the part nor the others. `None`:
/// it panicked, and the panic hook has said why.
pub async fn survived<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// A thread that runs.
#[derive(Debug)]
#[must_use]
pub struct Running {
    vitals: Arc<Vitals>,
    part: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.vitals.lose(std::mem::take(&mut self.part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_panics_is_lost_and_one_that_ends_is_not() {
        let vitals = Arc::new(Vitals::default());
        let running = vitals.thread("well");
        std::thread::spawn(move || drop(running)).join().expect("it ended");
        assert_eq!((vitals.is_lost(), vitals.dead()), (None, vec![]));
        let running = vitals.thread("writer");
        let panics = move || {
            let _running = running;
            panic!("as a test");
        };
        std::thread::spawn(panics).join().expect_err("it panicked");
        assert_eq!(vitals.lost().await, "writer");
        assert_eq!(vitals.dead(), ["writer"]);
    }

    #[tokio::test]
    async fn what_is_needed_may_end_only_when_it_is_stopped() {
        let (vitals, stop) = (Arc::new(Vitals::default()), CancellationToken::new());
        let stopped = stop.clone();
        stop.cancel();
        vitals.clone().needed("well", stop, async move { stopped.cancelled().await }).await;
        assert_eq!(vitals.is_lost(), None);
        vitals.clone().needed("turns", CancellationToken::new(), async {}).await;
        vitals.clone().needed("later", CancellationToken::new(), async { panic!("as a test") }).await;
        assert_eq!(vitals.is_lost().as_deref(), Some("turns"), "the first is named");
        assert_eq!(vitals.dead(), ["later", "turns"]);
    }

    #[tokio::test]
    async fn what_may_begin_anew_does_so_and_is_dead_in_between() {
        let vitals = Arc::new(Vitals { pause: Duration::from_millis(5), ..Vitals::default() });
        let (runs, mut ran) = tokio::sync::mpsc::unbounded_channel();
        let (looked, stop) = (vitals.clone(), CancellationToken::new());
        let mut times = 0;
        let kept = tokio::spawn(vitals.clone().keep("prune", stop.clone(), move || {
            times += 1;
            runs.send(looked.dead()).expect("the test listens");
            let ends = times < 4;
            async move {
                match ends {
                    true if times == 2 => {}
                    true => panic!("as a test"),
                    false => std::future::pending().await,
                }
            }
        }));
        for _ in 0..4 {
            assert_eq!(ran.recv().await.expect("it begins anew"), [""; 0], "it runs");
        }
        assert_eq!((vitals.dead(), vitals.is_lost()), (vec![], None));
        stop.cancel();
        kept.abort();
    }

    #[tokio::test]
    async fn one_of_many_panics_alone() {
        assert_eq!(survived(async { 7 }).await, Some(7));
        assert_eq!(survived(async { panic!("as a test") }).await, None::<u8>);
    }

    #[tokio::test]
    async fn a_part_that_has_ended_is_dead_until_it_begins_anew() {
        let (vitals, stop) = (Arc::new(Vitals::default()), CancellationToken::new());
        let kept = tokio::spawn(vitals.clone().keep("prune", stop.clone(), || async {}));
        for _ in 0..10_000 {
            if vitals.dead() == ["prune"] {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(vitals.dead(), ["prune"]);
        stop.cancel();
        kept.await.expect("a stop is not waited for");
    }
}
