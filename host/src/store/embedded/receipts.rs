//! What providers tell of what we sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::mirror::{Effect, lock};
use super::rows::Spoken;
use crate::message::DeliveryState;

/// Receipts that came before the answer to the request they are about. In memory only: one that is
/// lost with the process costs a check mark, and the provider's next report makes up for it.
#[derive(Default)]
pub struct Early(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    states: HashMap<[u8; 16], DeliveryState>,
    order: VecDeque<[u8; 16]>,
}

/// Receipts of messages that are not ours come too, and must not pile up.
const EARLY: usize = 4096;

impl Early {
    pub fn note(&self, id: [u8; 16], state: DeliveryState) {
        let mut kept = lock(&self.0);
        match kept.states.get_mut(&id) {
            Some(known) => *known = known.after(state),
            None => {
                kept.states.insert(id, state);
                kept.order.push_back(id);
            }
        }
        if kept.order.len() > EARLY
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.states.remove(&oldest);
        }
    }

    pub fn find(&self, id: &[u8; 16]) -> Option<DeliveryState> {
        lock(&self.0).states.get(id).copied()
    }
}

/// Moves the line's state forward; back it never goes. Receipts of what is not ours are forgotten.
pub fn record(batch: &mut Batch<'_>, id: &[u8; 16], state: DeliveryState) -> Step<()> {
    let Some(place) = batch.tables.sent_ids.get()?.get(id)?.map(|row| *row.value()) else {
        batch.mirror.early.note(*id, state);
        return Ok(());
    };
    let row = batch.tables.history.get()?.get(&place)?.map(|row| row.value().to_vec());
    let Some(row) = row else { return Ok(()) };
    let line = Spoken::read(&row)?;
    let before = line.state.unwrap_or(DeliveryState::Sent);
    let after = before.after(state);
    if after != before {
        Spoken { state: Some(after), ..line }.write(&mut batch.buffer);
        batch.tables.history.put()?.insert(&place, batch.buffer.as_slice())?;
        batch.effects.push(Effect::Line);
    }
    Ok(())
}
