//! The gateway as a whole: a real process, a real store, real brains, and providers faked over real
//! HTTP. One binary; each file below is one promise.

mod api;
mod cli;
