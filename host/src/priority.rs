//! How much of the processor a thread gets while others want it too.

/// Makes the calling thread give way: its number is this much higher than the process's, and a higher number is
/// a lower priority. Where the system refuses, it merely competes with all others.
pub fn lower(nice: i32) {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
        tracing::debug!(nice, %error, "a thread keeps its priority");
    }
}
