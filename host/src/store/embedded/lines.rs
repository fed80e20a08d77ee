//! A conversation's row and its lines. Lines lie in order of arrival, whoever they belong to; each
//! names the one before it in its conversation, and the conversation's row names the last.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::place;
use super::rows::{Kept, Spoken, Waiting};
use crate::conversation::Author;
use crate::message::{ConversationKey, Timestamp};

/// What a contact said, to be put into the history.
pub struct NewLine<'a> {
    at: Timestamp,
    payload: &'a [u8],
}

impl<'a> NewLine<'a> {
    pub fn heard(entry: &Waiting<'a>) -> Self {
        NewLine { at: entry.received_at, payload: entry.payload }
    }
}

pub fn kept(batch: &Batch<'_>, row: &[u8]) -> Step<Option<Kept>> {
    let found = batch.tables.conversations.get()?.get(row)?;
    Ok(found.map(|found| Kept::read(found.value())).transpose()?)
}

pub fn keep(batch: &mut Batch<'_>, row: &[u8], kept: &Kept) -> Step<()> {
    kept.write(&mut batch.buffer);
    batch.tables.conversations.put()?.insert(row, batch.buffer.as_slice())?;
    Ok(())
}

/// Adds a line under `seq`; the caller keeps the row.
pub fn append(
    batch: &mut Batch<'_>,
    key: &ConversationKey,
    kept: &mut Kept,
    line: NewLine<'_>,
    seq: u64,
) -> Step<()> {
    let spoken = Spoken {
        at: line.at,
        author: Author::Contact,
        said: false,
        state: None,
        previous: kept.last_line,
        sent_id: None,
        contact: key.contact.as_str(),
        payload: line.payload,
    };
    put(batch, key, seq, &spoken)?;
    kept.last_line = seq;
    Ok(())
}

pub fn put(batch: &mut Batch<'_>, key: &ConversationKey, seq: u64, line: &Spoken<'_>) -> Step<()> {
    line.write(&mut batch.buffer);
    batch.tables.history.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    Ok(())
}
