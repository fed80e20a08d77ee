//! One tenant's conversations under two keys become one. Lines and journal stay where they lie, as
//! chains of their own that readers follow together; what waits, died, rings or is on its way is
//! written under the new key.

use crate::conversation::{Conversation, Mode};
use crate::message::{ContactKey, ConversationKey, Timestamp};
use crate::store::OutboxState;
use crate::store::rows::conversation::{Chain, ConversationRow};
use crate::store::rows::inbox::InboxRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Conversations, Humans, Inbox, Outbox, Rows, Step};
use crate::store::rules::{dead_turns, ended, history, timers, waiting};
use crate::store::shared::effect::Effect;
use crate::store::shared::moved::{Moved, Send, Turn};

/// Whether there was anything.
pub fn join(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let moved = Moved {
        from: from.clone(),
        into: into.clone(),
        turns: turns(rows, from, into)?,
        sends: replies(rows, from, into)?,
    };
    let others = dead_turns::rename(rows, from, into)?
        | ended::rename(rows, from, into)?
        | timers::rename(rows, from, into)?;
    let theirs = history::conversation(rows, from)?;
    let anything = theirs.is_some() || others || !moved.is_empty();
    if !moved.is_empty() {
        // Messages wait: nothing that comes now is the first.
        rows.changes_mut().met.insert(into.clone());
        rows.effect(Effect::Moved(Box::new(moved)));
    }
    if let Some(theirs) = theirs {
        let ours = history::conversation(rows, into)?;
        let before = ours.as_ref().map(|ours| ours.conversation.mode);
        let was_human = theirs.conversation.mode == Mode::Human;
        let ours = ours.unwrap_or_default();
        if ours.silenced && theirs.silenced {
            rows.changes_mut().count_silenced(from.tenant, -1);
        }
        let row = combined(ours, theirs, &from.contact);
        history::keep(rows, into, &row)?;
        rows.remove::<Conversations>(from)?;
        if was_human {
            rows.remove::<Humans>(from)?;
            rows.effect(Effect::Human { key: from.clone(), answers: false });
        }
        if was_human && before != Some(Mode::Human) {
            rows.put::<Humans>(into, &())?;
            rows.effect(Effect::Human { key: into.clone(), answers: true });
        }
        for key in [from, into] {
            rows.effect(Effect::Line(key.clone()));
        }
    }
    Ok(anything)
}

/// The memory of the one that stays, where it has any; of everything else the newer or the stricter.
fn combined(ours: ConversationRow, theirs: ConversationRow, from: &ContactKey) -> ConversationRow {
    let ConversationRow {
        conversation: kept,
        last_line,
        last_journal,
        handed_off,
        rang,
        silenced,
        mut chains,
    } = ours;
    let ConversationRow { conversation: other, .. } = theirs;
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
    // One that has only been merged into has no ends of its own, and yet lines: replies that were on their way
    // then were written down under its key.
    if theirs.last_line > 0 || theirs.last_journal > 0 || !theirs.chains.is_empty() {
        let ConversationRow { last_line, last_journal, .. } = theirs;
        chains.push(Chain { contact: from.clone(), last_line, last_journal });
    }
    chains.extend(theirs.chains);
    ConversationRow { conversation, last_line, last_journal, handed_off, rang, silenced, chains }
}

fn turns(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<Vec<Turn>> {
    let mut turns = Vec::new();
    for id in waiting::turns(rows, from) {
        let at = Place::new(id.seq, from.tenant);
        let entry = rows.get::<Inbox>(&at)?.filter(|entry| entry.contact == from.contact);
        let Some(entry) = entry else { continue };
        turns.push(Turn { id, due: entry.due, class: entry.what.class(), alone: entry.what.alone() });
        rows.put::<Inbox>(&at, &InboxRow { contact: into.contact.clone(), ..entry })?;
    }
    Ok(turns)
}

fn replies(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<Vec<Send>> {
    let mut sends = Vec::new();
    for seq in waiting::sends(rows, from) {
        let at = Place::new(seq, from.tenant);
        let reply = rows.get::<Outbox>(&at)?.filter(|reply| reply.contact == from.contact);
        let Some(reply) = reply else { continue };
        let (sender, sending) = (reply.sender.clone(), reply.state == OutboxState::Sending);
        sends.push(Send { seq, sender, due: reply.due, class: reply.class(), sending });
        rows.put::<Outbox>(&at, &OutboxRow { contact: into.contact.clone(), ..reply })?;
    }
    Ok(sends)
}
