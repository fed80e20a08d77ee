//! One tenant's conversations under two keys become one. Lines and journal stay where they lie, as
//! chains of their own that readers follow together; what waits, died, rings or is on its way is
//! written under the new key.

use redb::ReadableTable;

use super::moved::{Moved, Send, Turn, waiting_sends, waiting_turns};
use crate::conversation::{Conversation, Mode};
use crate::message::{ContactKey, ConversationKey, SenderName, Timestamp};
use crate::store::OutboxState;
use crate::store::embedded::batch::{Batch, Step};
use crate::store::embedded::codec::{conversation_key, conversation_prefix, place, read_under, under};
use crate::store::embedded::mirror::Effect;
use crate::store::embedded::rows::{Chain, Dead, Kept, Reply, Waiting};
use crate::store::embedded::{lines, timers};

/// Whether there was anything.
pub fn join(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let moved = Moved {
        from: from.clone(),
        into: into.clone(),
        turns: turns(batch, from, into)?,
        sends: sends(batch, from, into)?,
    };
    let dead =
        dead_turns(batch, from, into)? | ended_sends(batch, from, into)? | timers::rename(batch, from, into)?;
    let (old, new) = (conversation_key(from), conversation_key(into));
    let theirs = lines::kept(batch, &old)?;
    let anything = theirs.is_some() || dead || !moved.is_empty();
    if !moved.is_empty() {
        // Messages wait: nothing that comes now is the first.
        batch.met.insert(into.clone());
        batch.effects.push(Effect::Moved(Box::new(moved)));
    }
    if let Some(theirs) = theirs {
        let ours = lines::kept(batch, &new)?;
        let before = ours.as_ref().map(|ours| ours.conversation.mode);
        let was_human = theirs.conversation.mode == Mode::Human;
        let ours = ours.unwrap_or_default();
        if ours.silenced && theirs.silenced {
            batch.count_silenced(from.tenant, -1);
        }
        let kept = combined(ours, theirs, &from.contact);
        lines::keep(batch, &new, &kept)?;
        batch.tables.conversations.put()?.remove(old.as_slice())?;
        if was_human {
            batch.tables.humans.put()?.remove(old.as_slice())?;
            batch.effects.push(Effect::Human { key: from.clone(), answers: false });
        }
        if was_human && before != Some(Mode::Human) {
            batch.tables.humans.put()?.insert(new.as_slice(), ())?;
            batch.effects.push(Effect::Human { key: into.clone(), answers: true });
        }
        batch.effects.extend([from, into].map(|key| Effect::Line(key.clone())));
    }
    Ok(anything)
}

/// The memory of the one that stays, where it has any; of everything else the newer or the stricter.
fn combined(ours: Kept, theirs: Kept, from: &ContactKey) -> Kept {
    let Kept { conversation: kept, last_line, last_journal, handed_off, rang, silenced, mut chains } = ours;
    let Kept { conversation: other, .. } = theirs;
    let (rang, silenced) = (rang.max(theirs.rang), silenced || theirs.silenced);
    let mode = match (kept.mode, other.mode, kept.created_at == Timestamp::ZERO) {
        (Mode::Human, ..) | (_, Mode::Human, _) => Mode::Human,
        (_, mode, true) => mode,
        (Mode::Ended, Mode::Ended, _) => Mode::Ended,
        _ => Mode::Bot,
    };
    let handed_off = match (kept.mode, other.mode) {
        (Mode::Human, Mode::Human) => handed_off.min(theirs.handed_off),
        (Mode::Human, _) => handed_off,
        _ => theirs.handed_off,
    };
    let (newer, elder) =
        if other.last_inbound_at > kept.last_inbound_at { (&other, &kept) } else { (&kept, &other) };
    let mind = if kept.memory.is_some() || kept.turns > 0 { &kept } else { &other };
    let created = [kept.created_at, other.created_at].into_iter().filter(|at| *at > Timestamp::ZERO).min();
    let first = if created == Some(other.created_at) { [&other, &kept] } else { [&kept, &other] };
    let conversation = Conversation {
        memory: mind.memory.clone(),
        mode,
        turns: kept.turns + other.turns,
        brain_version: mind.brain_version.clone(),
        wants_receipts: mind.wants_receipts,
        sender: newer.sender.clone().or_else(|| elder.sender.clone()),
        reply_to: if newer.reply_to.is_empty() { elder.reply_to.clone() } else { newer.reply_to.clone() },
        display_name: newer.display_name.clone().or_else(|| elder.display_name.clone()),
        last_inbound_at: newer.last_inbound_at,
        wrote_at: kept.wrote_at.max(other.wrote_at),
        created_at: created.unwrap_or_default(),
        source: first[0].source.clone().or_else(|| first[1].source.clone()),
    };
    if theirs.last_line > 0 || theirs.last_journal > 0 {
        let Kept { last_line, last_journal, .. } = theirs;
        chains.push(Chain { contact: from.clone(), last_line, last_journal });
    }
    chains.extend(theirs.chains);
    Kept { conversation, last_line, last_journal, handed_off, rang, silenced, chains }
}

fn turns(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<Vec<Turn>> {
    let mut turns = Vec::new();
    for id in waiting_turns(batch, from) {
        let at = place(id.seq, from.tenant);
        let row = batch.tables.inbox.get()?.get(&at)?.map(|row| row.value().to_vec());
        let Some(row) = row else { continue };
        let entry = Waiting::read(&row)?;
        if entry.contact != from.contact.as_str() {
            continue;
        }
        turns.push(Turn { id, due: entry.due, class: entry.class(), alone: entry.alone() });
        Waiting { contact: into.contact.as_str(), ..entry }.write(&mut batch.buffer);
        batch.tables.inbox.put()?.insert(&at, batch.buffer.as_slice())?;
    }
    Ok(turns)
}

fn sends(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<Vec<Send>> {
    let mut sends = Vec::new();
    for seq in waiting_sends(batch, from) {
        let at = place(seq, from.tenant);
        let row = batch.tables.outbox.get()?.get(&at)?.map(|row| row.value().to_vec());
        let Some(row) = row else { continue };
        let reply = Reply::read(&row)?;
        if reply.contact != from.contact.as_str() {
            continue;
        }
        let (sender, sending) = (SenderName::new(reply.sender), reply.state == OutboxState::Sending);
        sends.push(Send { seq, sender, due: reply.due, class: reply.class(), sending });
        Reply { contact: into.contact.as_str(), ..reply }.write(&mut batch.buffer);
        batch.tables.outbox.put()?.insert(&at, batch.buffer.as_slice())?;
    }
    Ok(sends)
}

type Row = (Vec<u8>, Vec<u8>);

/// The rows of a conversation in a table whose keys begin with it: what follows it in the key, and the
/// row.
fn rows_of(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    name: &'static str,
    key: &ConversationKey,
) -> Step<Vec<Row>> {
    let prefix = conversation_prefix(key);
    let mut rows = Vec::new();
    for row in table.range::<&[u8]>(prefix.as_slice()..)? {
        let (key, row) = row?;
        if !key.value().starts_with(&prefix) {
            break;
        }
        rows.push((read_under(name, key.value())?.1.to_vec(), row.value().to_vec()));
    }
    Ok(rows)
}

fn dead_turns(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let rows = rows_of(batch.tables.dead_turns.get()?, "dead_turns", from)?;
    for (rest, row) in &rows {
        let dead = Dead::read(row)?;
        let mut entries = Vec::with_capacity(dead.entries.len());
        for (seq, entry) in &dead.entries {
            let mut bytes = Vec::with_capacity(entry.len());
            Waiting { contact: into.contact.as_str(), ..Waiting::read(entry)? }.write(&mut bytes);
            entries.push((*seq, bytes));
        }
        let entries = entries.iter().map(|(seq, entry)| (*seq, entry.as_slice())).collect();
        Dead { at: dead.at, error: dead.error, entries }.write(&mut batch.buffer);
        let table = batch.tables.dead_turns.put()?;
        table.remove(under(from, rest).as_slice())?;
        table.insert(under(into, rest).as_slice(), batch.buffer.as_slice())?;
        if let Some(seq) = rest.first_chunk::<8>() {
            let at = place(u64::from_be_bytes(*seq), into.tenant);
            batch.tables.dead_places.put()?.insert(&at, into.contact.as_str().as_bytes())?;
        }
    }
    Ok(!rows.is_empty())
}

fn ended_sends(batch: &mut Batch<'_>, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let rows = rows_of(batch.tables.ended_sends.get()?, "ended_sends", from)?;
    for (rest, row) in &rows {
        Reply { contact: into.contact.as_str(), ..Reply::read(row)? }.write(&mut batch.buffer);
        let table = batch.tables.ended_sends.put()?;
        table.remove(under(from, rest).as_slice())?;
        table.insert(under(into, rest).as_slice(), batch.buffer.as_slice())?;
        if let Some(seq) = rest.first_chunk::<8>() {
            let at = place(u64::from_be_bytes(*seq), into.tenant);
            batch.tables.ended_places.put()?.insert(&at, into.contact.as_str().as_bytes())?;
        }
    }
    Ok(!rows.is_empty())
}
