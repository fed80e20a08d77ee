//! What strangers and tenants try, as data. `tests/hostile/` holds a file for each case: what it does,
//! the verdict that is due, and the bound that it meets. Here they are read, made into components and
//! requests, and run against a gateway that serves an honest neighbour meanwhile.

pub mod beside;
pub mod caller;
pub mod case;
pub mod ground;
pub mod guest;
pub mod load;
pub mod provider;
pub mod recipe;
pub mod smith;
pub mod trial;
pub mod usage;
