//! Waiting for something to become true, in bounded time. Nothing in the tests sleeps for longer
//! than a look takes.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is something. Panics after `within`, saying what did not happen.
#[track_caller]
pub fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let what = what.to_owned();
    let place = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + within;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(Instant::now() < deadline, "{place}: not within {} ms: {what}", within.as_millis());
            tokio::time::sleep(PAUSE).await;
        }
    }
}
