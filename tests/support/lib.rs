//! What the tests of the gateway as a whole stand on: providers faked over real HTTP.

pub mod client;
pub mod waha;
