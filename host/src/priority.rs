//! How much of the processor a thread gets while others want it too.

use std::cell::Cell;

use tokio::sync::oneshot;

/// How far long work beside the way of a message gives way.
const ASIDE: i32 = 15;

/// Long work that nobody's message waits for, on a thread of its own that gives way to all others. An error
/// tells that there is no such thread, or that the work panicked.
pub async fn aside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        lower(ASIDE);
        // Whoever waited may have gone.
        let _ = done.send(work());
    });
    thread.map_err(|error| format!("there is no thread for it: {error}"))?;
    ended.await.map_err(|_| "it broke off; the log says why".to_owned())
}

thread_local! {
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Was the calling thread made to give way? Then nobody's message waits for it, and it may wait for the disk itself.
pub fn gives_way() -> bool {
    GIVES_WAY.get()
}

/// Makes the calling thread give way: its number is this much higher than the process's, and a higher number is
/// a lower priority. Where the system refuses, it merely competes with all others.
pub fn lower(nice: i32) {
    GIVES_WAY.set(true);
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
        tracing::debug!(nice, %error, "a thread keeps its priority");
    }
}
