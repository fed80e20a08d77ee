//! What the tests of the gateway as a whole stand on: the gateway as a process, providers faked over
//! real HTTP, a disk that loses its power.

pub mod cast;
pub mod client;
pub mod clock;
pub mod dialog360;
pub mod gateway;
pub mod gupshup;
pub mod hook;
pub mod hostile;
pub mod infobip;
pub mod meta;
pub mod package;
pub mod peer;
mod plain_disk;
pub mod power_loss;
pub mod process;
pub mod simulation;
pub mod waha;
pub mod wait;
mod wire;
