//! The gateway as a whole, with its providers faked over real HTTP. One binary, so that it is built
//! and started once; one module a subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so")]

mod api;
mod brain;
mod cards;
mod chat;
mod cli;
mod contracts;
mod cors;
mod declared;
mod delivery;
mod fake_meta;
mod fake_waha;
mod follow;
mod guarantees;
mod hostile;
mod journey;
mod kill;
mod loops;
mod media;
mod old_clients;
mod payloads;
mod policy;
mod power_loss;
mod providers;
mod secrets;
mod sessions;
mod simulation;
mod store;
mod templates;
mod tidy;
mod webhook;
