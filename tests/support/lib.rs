//! What the integration tests stand on.

pub mod power_loss;
