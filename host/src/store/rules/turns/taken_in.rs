//! What comes for a conversation that a human has taken over: into its history, past the brain.

use super::{entries_of, hear, use_up};
use crate::message::{ConversationKey, Timestamp};
use crate::store::rows::inbox::What;
use crate::store::rows::timer::TimerRow;
use crate::store::rows::way::Dealt;
use crate::store::rows::{Fault, Rows, Step};
use crate::store::rules::ways::{self, Done};
use crate::store::rules::{history, timers};
use crate::store::shared::effect::Effect;
use crate::store::{Error, InboxId};

/// Messages that were left to the human who answers.
pub type TakenIn = Vec<(u64, ConversationKey)>;

/// The entries of these conversations, which a human has taken over since they came.
pub fn all(
    rows: &mut impl Rows,
    humans: &[(ConversationKey, Vec<InboxId>)],
    now: Timestamp,
) -> Step<TakenIn> {
    let mut taken_in = Vec::new();
    for (key, ids) in humans {
        match one(rows, key, ids, (&mut taken_in, now)) {
            // What is not there any more needs no taking in, and keeps nobody waiting.
            Err(Fault::Refused(Error::Conflict(_))) => {
                rows.effect(Effect::TurnDone { key: key.clone(), gone: Vec::new() });
            }
            done => done?,
        }
    }
    Ok(taken_in)
}

/// Timers meant for the brain wait until it is asked again.
fn one(
    rows: &mut impl Rows,
    key: &ConversationKey,
    ids: &[InboxId],
    (taken_in, now): (&mut TakenIn, Timestamp),
) -> Step<()> {
    let entries = entries_of(rows, key, ids)?;
    let mut row = history::conversation(rows, key)?.unwrap_or_default();
    hear(&mut row, &entries);
    for (_, entry) in &entries {
        if let What::Timer { key: timer, payload } = &entry.what {
            timers::put_back(rows, key, timer, &TimerRow { at: entry.at, payload: payload.clone() })?;
        }
    }
    let lines = use_up(rows, key, &mut row, &entries)?;
    let done = Done { dealt: Dealt::PutDown, journal: None, replies: &[], now };
    ways::write(rows, key.tenant, &entries, &lines, &done)?;
    history::keep(rows, key, &row)?;
    let told = entries.iter().zip(&lines).filter(|(_, line)| line.is_some());
    taken_in.extend(told.map(|((id, _), _)| (id.seq, key.clone())));
    rows.effect(Effect::TurnDone { key: key.clone(), gone: ids.to_vec() });
    Ok(())
}
