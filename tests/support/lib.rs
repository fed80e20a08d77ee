//! What the integration tests stand on.

pub mod power_loss;
//! What the tests of the gateway as a whole stand on: providers faked over real HTTP.
pub mod client;
pub mod waha;
