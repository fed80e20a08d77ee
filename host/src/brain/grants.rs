//! What a brain may be granted, and the gateway's side of each grant. A grant is an interface of the
//! contract; `plugin.toml` names the ones a package uses, and only those are linked: what is not
//! granted is not there. Every call is counted against the turn's budget and written down for the
//! journal.

use serde::{Deserialize, Serialize};
use wasmtime::component::{HasSelf, Linker};

use super::abi::bindings::switchboard::brain as interfaces;
use super::budget::Exceeded;
use super::sandbox::{State, clock, poll};

mod details;
mod history;
mod log;
mod media;
mod personality;
mod records;

/// So many calls to the gateway before a brain gives way to others.
const CALLS_BETWEEN_YIELDS: u32 = 16;

/// So many bytes of texts between a brain and the gateway before others get their chance.
const BYTES_BETWEEN_YIELDS: usize = 64 << 10;

/// What a byte between a brain and the gateway costs, in fuel: it is copied, written down and digested.
const BYTE_FUEL: u64 = 4;

/// Nothing that a brain asks for by name has a longer one; what is longer is not there.
const NAME_BYTES: usize = 1 << 10;

/// What one answer may hold. A guest's own memory is larger, and every guest that asks holds it twice.
const ANSWER_BYTES: usize = 512 << 10;

/// An interface of the contract that a package may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    Log,
    Personality,
    History,
    Records,
    Llm,
    Http,
    Media,
    Details,
}

impl Grant {
    pub const ALL: [Grant; 8] = [
        Grant::Log,
        Grant::Personality,
        Grant::History,
        Grant::Records,
        Grant::Llm,
        Grant::Http,
        Grant::Media,
        Grant::Details,
    ];

    /// Those that reach nothing but the tenant's own texts, data and conversation. A tenant's own
    /// upload may have them without an operator's word.
    pub const HARMLESS: [Grant; 6] =
        [Grant::Log, Grant::Personality, Grant::History, Grant::Records, Grant::Media, Grant::Details];

    /// The interface's name in the contract, and the word in `plugin.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Grant::Log => "log",
            Grant::Personality => "personality",
            Grant::History => "history",
            Grant::Records => "records",
            Grant::Llm => "llm",
            Grant::Http => "http",
            Grant::Media => "media",
            Grant::Details => "details",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }

    /// Is it built? The rest of the contract is declared, so that it need not change when they come.
    pub const fn offered(self) -> bool {
        !matches!(self, Grant::Llm | Grant::Http)
    }
}

/// Links WASI, the contract's types and the granted interfaces.
pub fn link(linker: &mut Linker<State>, grants: &[Grant]) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    clock::link(linker)?;
    poll::link(linker)?;
    interfaces::types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    for grant in grants {
        match grant {
            Grant::Log => interfaces::log::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?,
            Grant::Personality => {
                interfaces::personality::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::History => {
                interfaces::history::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::Records => {
                interfaces::records::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::Media => interfaces::media::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?,
            Grant::Details => {
                interfaces::details::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
            }
            Grant::Llm | Grant::Http => {}
        }
    }
    Ok(())
}

impl interfaces::types::Host for State {}

impl State {
    /// Counts a call; after the turn's last one the guest is stopped. Now and then others get their
    /// chance: the gateway's own work costs the guest no fuel, which is where it gives way otherwise.
    async fn count(&mut self) -> Result<(), Exceeded> {
        self.meter.host_call()?;
        if self.meter.host_calls().is_multiple_of(CALLS_BETWEEN_YIELDS) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// For bytes that are about to be looked at or copied.
    fn pay(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.meter.charge(BYTE_FUEL.saturating_mul(bytes as u64))
    }

    /// Copying and writing down long texts is the gateway's work too, and its memory for as long as the
    /// call lasts.
    async fn carry(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.pay(bytes)?;
        self.meter.hold(bytes)?;
        self.carried += bytes;
        if self.carried >= BYTES_BETWEEN_YIELDS {
            self.carried = 0;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes a call down for the journal, as JSON. What is kept of it is the guest's memory until the
    /// turn ends.
    fn record(&mut self, function: &str, arguments: String, answer: String) -> Result<(), Exceeded> {
        let kept = self.journal.record(function, arguments, answer);
        self.meter.keep(kept)
    }
}

/// Could anything have this name?
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES
}
