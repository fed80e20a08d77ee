//! What comes for a conversation that a human has taken over: into its history, past the brain.

use super::{Held, conversation_of, entries_of, hear, use_up};
use crate::clock;
use crate::message::ConversationKey;
use crate::store::embedded::batch::{Batch, Fault, Step};
use crate::store::embedded::codec::conversation_key;
use crate::store::embedded::mirror::Effect;
use crate::store::embedded::rows::way::Dealt;
use crate::store::embedded::rows::{Waiting, WaitingKind};
use crate::store::embedded::ways::{self, Done};
use crate::store::embedded::writer::Writer;
use crate::store::embedded::{lines, timers};
use crate::store::{Error, InboxId};
use crate::way;

/// Conversations whose entries are taken in for a human in one commit.
const TAKEN_IN: usize = 64;

impl Held {
    /// What came for a human is taken in, in one commit, which ends these claims; if it could not be, they
    /// are given back.
    pub fn take_in(
        &mut self,
        mut humans: Vec<(ConversationKey, Vec<InboxId>)>,
        writer: &Writer,
    ) -> impl Future<Output = crate::store::Result<()>> + Send + use<> {
        humans.truncate(TAKEN_IN);
        let (keys, others) = std::mem::take(&mut self.keys)
            .into_iter()
            .partition(|key| humans.iter().any(|(human, _)| human == key.as_ref()));
        self.keys = others;
        let mut held = Held { shared: self.shared.clone(), keys };
        let done = writer.submit(move |batch| absorb_all(batch, &humans));
        async move {
            let taken_in = done.await?;
            held.keys.clear();
            taken_in.iter().for_each(|(message, key)| way::for_human(*message, key));
            Ok(())
        }
    }
}

/// Messages that were left to the human who answers.
type TakenIn = Vec<(u64, ConversationKey)>;

fn absorb_all(batch: &mut Batch<'_>, humans: &[(ConversationKey, Vec<InboxId>)]) -> Step<TakenIn> {
    let mut taken_in = Vec::new();
    for (key, entries) in humans {
        match absorb(batch, key, entries, &mut taken_in) {
            // What is not there any more needs no taking in, and keeps nobody waiting.
            Err(Fault::Refused(Error::Conflict(_))) => {
                batch.effects.push(Effect::TurnDone { key: key.clone(), gone: Vec::new() });
            }
            done => done?,
        }
    }
    Ok(taken_in)
}

/// Entries of a conversation that a human has taken over since they came: into the history without a
/// turn. Timers meant for the brain wait until it is asked again.
fn absorb(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    entries: &[InboxId],
    taken_in: &mut TakenIn,
) -> Step<()> {
    let row = conversation_key(key);
    let rows = entries_of(batch, key, entries)?;
    let mut kept = conversation_of(batch, &row)?;
    hear(&mut kept, &rows)?;
    for (_, row) in &rows {
        let entry = Waiting::read(row)?;
        if entry.kind == WaitingKind::Timer {
            match timers::put_back(batch, key, &entry) {
                Err(Fault::Row(error)) => {
                    tracing::error!(conversation = %key, %error, "a timer cannot be read and does not ring");
                }
                done => done?,
            }
        }
    }
    let lines = use_up(batch, key, &mut kept, &rows)?;
    let done = Done { dealt: Dealt::PutDown, journal: None, replies: &[], now: clock::now() };
    ways::write(batch, key.tenant, &rows, &lines, &done)?;
    lines::keep(batch, &row, &kept)?;
    let told = rows.iter().zip(&lines).filter(|(_, line)| **line > 0);
    taken_in.extend(told.map(|((id, _), _)| (id.seq, key.clone())));
    batch.effects.push(Effect::TurnDone { key: key.clone(), gone: entries.to_vec() });
    Ok(())
}
