//! What providers tell of what we sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{conversation_key, pack, read_place};
use super::mirror::{Effect, lock};
use super::rows::{Kept, Spoken, WaitingKind};
use super::{inbox, lines, templates};
use crate::conversation::{Mode, Trigger};
use crate::message::{ContactKey, ConversationKey, DeliveryState, Receipt, Timestamp};

/// Receipts that came before the answer to the request they are about. In memory only: one that is
/// lost with the process costs a check mark, and the provider's next report makes up for it.
#[derive(Default)]
pub struct Early(Mutex<Noted>);

#[derive(Default)]
struct Noted {
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
pub fn record(batch: &mut Batch<'_>, id: &[u8; 16], receipt: &Receipt, now: Timestamp) -> Step<()> {
    let state = receipt.state;
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
        templates::reported(batch, &place, line.payload, after, receipt.reason.as_deref(), now)?;
        let (tenant, contact) = (read_place(&place).1, ContactKey::from_stored(line.contact));
        let report =
            Report { message_id: &receipt.message_id, state: after, reason: receipt.reason.as_deref() };
        tell(batch, &ConversationKey { tenant, contact }, report, now)?;
    }
    Ok(())
}

/// What a brain is told of a reply of its.
pub struct Report<'a> {
    pub message_id: &'a str,
    pub state: DeliveryState,
    pub reason: Option<&'a str>,
}

/// A turn of its own, where the brain wants it and is asked at all.
pub fn tell(batch: &mut Batch<'_>, key: &ConversationKey, report: Report<'_>, now: Timestamp) -> Step<()> {
    let kept = lines::kept(batch, &conversation_key(key))?;
    let wants = |kept: &Kept| kept.conversation.wants_receipts && kept.conversation.mode != Mode::Human;
    let Some(kept) = kept.filter(wants) else { return Ok(()) };
    let payload = pack(&Trigger::Receipt {
        message_id: report.message_id.to_owned(),
        state: report.state,
        reason: report.reason.map(str::to_owned),
    });
    inbox::enter(batch, key, &kept.conversation, WaitingKind::Receipt, now, &payload, now)
}
