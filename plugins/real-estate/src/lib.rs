//! The estate agent: from a greeting to a booked viewing, in English, Arabic and Persian.
//!
//! ```text
//!  trigger ─▶ flow ─▶ understand ─▶ criteria ─▶ ask ─▶ reply
//!             what     what the      what is     the next question, the homes (search),
//!             happened text says     looked for  or the viewing (viewing, opening, when)
//! ```
//!
//! Questions are asked in a fixed order (`step::Step`); a text may answer several at once, and
//! what is answered is not asked. Texts live in `personality.toml`, named by `texts::Text`; which
//! texts there are and what they may contain is written in `personality.schema.json`.

mod ask;
mod criteria;
mod flow;
mod language;
mod lead;
mod memory;
mod opening;
mod search;
mod selftest;
mod step;
mod talk;
mod texts;
mod understand;
mod viewing;
mod when;
mod words;

use switchboard_sdk::{Action, Brain, Fault, Reply, Turn};

use crate::memory::Memory;
use crate::talk::Talk;

struct RealEstate;

impl Brain for RealEstate {
    fn handle(turn: &Turn, reply: &mut Reply) -> Result<(), Fault> {
        // A memory that does not read costs the contact the search, not the conversation.
        let memory = turn.memory::<Memory>().unwrap_or_else(|fault| {
            log::error!("{fault}; starting anew");
            Memory::default()
        });
        let mut talk = Talk::new(turn, reply, memory);
        flow::run(&mut talk)?;
        let handed_off = talk.reply.actions().iter().any(|action| matches!(action, Action::HandOff { .. }));
        if !handed_off {
            lead::update(&mut talk, false);
        }
        let Talk { reply, memory, .. } = talk;
        reply.remember(&memory)?;
        Ok(())
    }

    fn selftest() -> Result<(), Fault> {
        selftest::run()
    }
}

switchboard_sdk::export!(RealEstate with selftest);

#[cfg(test)]
mod tests;
