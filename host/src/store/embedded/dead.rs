//! Dead turns of files from before they had places.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::batch::Step;
use super::codec::{place, read_under};
use super::tables::define;

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
