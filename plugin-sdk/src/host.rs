//! What a brain may ask of the gateway. In a component these are imports; in a native test they are
//! served from [`Sources`] on this thread, so that a brain's code is the same in both.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::host::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::sources::*;
