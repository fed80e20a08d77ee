//! The gateway as a whole, part by part.

mod power_loss;
mod store;
