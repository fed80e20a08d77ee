//! What the tests of the gateway as a whole stand on: providers faked over real HTTP, a disk that
//! loses its power.

pub mod client;
pub mod power_loss;
pub mod waha;
