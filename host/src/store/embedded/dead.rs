//! Dead turns: they lie by conversation, for who looks at one, and by their places, so that the oldest of a
//! tenant are found first. Both change together, here alone.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::batch::{Batch, Step};
use super::codec::{place, read_under, under};
use super::rows::Dead;
use super::tables::define;
use crate::message::ConversationKey;

/// `seq`: of its first entry.
pub fn keep(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64, dead: &Dead<'_>) -> Step<()> {
    dead.write(&mut batch.buffer);
    let name = under(key, &seq.to_be_bytes());
    batch.tables.dead_turns.put()?.insert(name.as_slice(), batch.buffer.as_slice())?;
    let contact = key.contact.as_str().as_bytes();
    batch.tables.dead_places.put()?.insert(&place(seq, key.tenant), contact)?;
    batch.state.dead_turns += 1;
    Ok(())
}

pub fn forget(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64) -> Step<()> {
    let name = under(key, &seq.to_be_bytes());
    batch.tables.dead_places.put()?.remove(&place(seq, key.tenant))?;
    if batch.tables.dead_turns.put()?.remove(name.as_slice())?.is_some() {
        batch.state.dead_turns = batch.state.dead_turns.saturating_sub(1);
    }
    Ok(())
}

/// Gives the dead turns of a file from before they had places theirs.
pub fn complete(database: &Database) -> Step<()> {
    let snapshot = database.begin_read().map_err(redb::Error::from)?;
    let turns = snapshot.open_table(define::dead_turns)?;
    if turns.len()? == snapshot.open_table(define::dead_places)?.len()? {
        return Ok(());
    }
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    transaction.set_two_phase_commit(true);
    {
        let mut places = transaction.open_table(define::dead_places)?;
        for row in turns.iter()? {
            let (name, _) = row?;
            let (key, seq) = read_under("dead_turns", name.value())?;
            let Some(seq) = seq.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else { continue };
            places.insert(&place(seq, key.tenant), key.contact.as_str().as_bytes())?;
        }
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}
