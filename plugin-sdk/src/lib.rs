//! Write a Switchboard brain: one trait, one macro.
//!
//! ```
//! use switchboard_sdk::{Brain, Fault, Reply, Turn};
//!
//! struct Hello;
//!
//! impl Brain for Hello {
//!     fn handle(_: &Turn, reply: &mut Reply) -> Result<(), Fault> {
//!         reply.text("hello");
//!         Ok(())
//!     }
//! }
//! # #[cfg(any())]
//! switchboard_sdk::export!(Hello);
//! ```
//!
//! - A turn is a function: what happened and what was remembered go in as [`Turn`], what to do and to
//!   remember comes out of [`Reply`]. Nothing is sent before the turn ends well.
//! - Any standard error becomes a [`Fault`] with `?`. A panic costs the turn, and its message, file and
//!   line reach the gateway's log. So does what is written with the `log` and `tracing` crates.
//! - Texts and settings live in the package's `personality.toml`: [`Turn::phrase`], [`Turn::setting`].
//! - [`records()`] asks the tenant's collections, [`media`] reads the files that contacts sent.
//! - Tests need no WebAssembly: [`Bot`] talks to a brain from a `#[test]`, [`script`] runs the `.chat`
//!   files beside it, and the gateway runs the same files against the built component.
//!
//! Reading order: `brain.rs` (trait and macro), `turn.rs`, `reply.rs`; `message.rs` and `action.rs`
//! are the shapes; `bindings.rs` is the component's edge, `conversation.rs` a test's.

mod action;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod brain;
mod fault;
mod host;
mod level;
pub mod limits;
mod logging;
pub mod media;
mod message;
mod phrase;
mod query;
mod records;
mod reply;
mod time;
mod turn;
mod zone;

#[cfg(not(target_family = "wasm"))]
mod bot;
#[cfg(not(target_family = "wasm"))]
mod collection;
#[cfg(not(target_family = "wasm"))]
mod conversation;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
mod package;
#[cfg(not(target_family = "wasm"))]
mod refused;
#[cfg(not(target_family = "wasm"))]
mod replies;
#[cfg(not(target_family = "wasm"))]
pub mod script;
#[cfg(not(target_family = "wasm"))]
mod sources;

/// Everything a brain needs, in one list.
pub use crate::{
    action::{
        Action, Buttons, LeadUpdate, ListMenu, ListRow, ListSection, Outgoing, OutgoingContent,
        OutgoingMedia, Schedule, Template, TemplateParameter,
    },
    brain::{Brain, CONTRACT, STAMP, section},
    fault::{Fault, Refusal},
    level::Level,
    message::{
        Author, Choice, Contact, ContactCard, Content, Context, DeliveryState, HistoryEntry, LeadSummary,
        Location, Media, MediaKind, Message, Order, OrderItem, Reaction, Referral, Trigger,
    },
    phrase::{Phrase, setting},
    query::{Comparison, Filter, Found, Query, Sort},
    records::{record, records},
    reply::Reply,
    time::{Span, Timestamp, days, hours, minutes, seconds},
    turn::Turn,
    zone::{Date, Local, Zone},
};

/// Everything a test needs besides.
#[cfg(not(target_family = "wasm"))]
pub use crate::{
    bot::Bot,
    brain::Packaged,
    collection::Collections,
    conversation::{Answer, Ask, Conversation, Mode, Subject},
    native::Native,
    package::{Package, read_collection},
    replies::Replies,
    sources::{File, Files, LogLine},
};
