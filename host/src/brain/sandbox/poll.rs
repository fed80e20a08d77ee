//! Waiting, as WASI has it. Nothing that a guest can wait for takes time: its clock stands still,
//! standard output always has room and standard input is at its end. What is left of a poll is the list
//! of what is waited for, which is the gateway's work by its length, and therefore short.

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll;

use super::State;

/// A program waits for a handful of things at once.
const LIST: usize = 256;

/// Puts our poll in the place of WASI's, which takes lists of any length.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    poll::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > LIST {
            wasmtime::bail!("waits for {} things at once; at most {LIST}", pollables.len());
        }
        poll::Host::poll(&mut self.table, pollables).await
    }
}

impl poll::HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::block(&mut self.table, pollable).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}
