//! Timers: one per conversation and key. A due one becomes an inbox entry, in a commit of its own,
//! unless a human answers: then it waits until the conversation is given back. After so many that rang
//! without a word of the contact (the quota `turns_unprompted`) the others wait for one.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{history, inbox};
use crate::conversation::{Mode, TimerChange};
use crate::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use crate::store::quotas::Shelf;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::inbox::What;
use crate::store::rows::place::Place;
use crate::store::rows::timer::TimerRow;
use crate::store::rows::{Fault, Inbox, Read, ReadRows, Rows, Step, Timers, TimersDue};
use crate::store::shared::effect::Effect;
use crate::store::{Error, InboxId, Limit};
use crate::tenant::quotas::Kind;

/// How many become due in one commit at most,
const AT_ONCE: usize = 1000;

/// and how many bytes of timers and conversations that may write, nearly.
const RING_BYTES: usize = 4 << 20;

/// What a row takes besides its texts, about.
const ROW_BYTES: usize = 64;

/// Timers that a conversation may have, those that have rung and wait for their turn among them.
const MOST: usize = 64;

/// Names a timer.
type Name = (ConversationKey, String);

fn name(key: &ConversationKey, timer: &str) -> Name {
    (key.clone(), timer.to_owned())
}

fn due((key, timer): Name, at: Timestamp) -> (Timestamp, ConversationKey, String) {
    (at, key, timer)
}

/// Rings then.
fn ring_at(rows: &mut impl Rows, name: Name, at: Timestamp) -> Step<()> {
    rows.put::<TimersDue>(&due(name, at), &())?;
    rows.changes_mut().timers_changed = true;
    Ok(())
}

pub fn set(
    rows: &mut impl Rows,
    key: &ConversationKey,
    timer: &str,
    at: Timestamp,
    payload: &str,
) -> Step<()> {
    cancel(rows, key, timer)?;
    let name = name(key, timer);
    rows.put::<Timers>(&name, &TimerRow { at, payload: payload.to_owned() })?;
    ring_at(rows, name, at)
}

pub fn cancel(rows: &mut impl Rows, key: &ConversationKey, timer: &str) -> Step<()> {
    let name = name(key, timer);
    let at = match rows.get::<Timers>(&name) {
        Ok(None) => return Ok(()),
        Ok(Some(timer)) => Some(timer.at),
        // Without its time it rings no more: see [`ring`].
        Err(Fault::Row(_)) => None,
        Err(other) => return Err(other),
    };
    rows.remove::<Timers>(&name)?;
    if let Some(at) = at {
        rows.remove::<TimersDue>(&due(name, at))?;
    }
    rows.changes_mut().timers_changed = true;
    Ok(())
}

/// When the first is due; far in the future if there is none.
pub fn first_due(rows: &impl ReadRows) -> Step<Timestamp> {
    let first = rows.first::<TimersDue>(&start())?;
    Ok(first.map_or(Timestamp::from_ms(i64::MAX), |(at, ..)| at))
}

/// Before every other.
fn start() -> (Timestamp, ConversationKey, String) {
    let nobody = ConversationKey { tenant: TenantId::GATEWAY, contact: ContactKey::from_stored("") };
    (Timestamp::ZERO, nobody, String::new())
}

/// Makes inbox entries of the timers that are due. One that cannot be read rings no more and keeps
/// nobody else's from ringing. Tenants take turns, so that who has many that are large does not fill a
/// commit alone.
pub fn ring(rows: &mut impl Rows, now: Timestamp) -> Step<()> {
    let mut bytes = 0;
    let mut tenants = all_due(rows, now)?;
    while !tenants.is_empty() {
        for timers in &mut tenants {
            let Some((at, key, timer)) = timers.pop_front() else { continue };
            rows.remove::<TimersDue>(&(at, key.clone(), timer.clone()))?;
            rows.changes_mut().timers_changed = true;
            match ring_one(rows, (key, timer), now) {
                Err(Fault::Row(error)) => tracing::error!(%error, "a timer cannot be read and does not ring"),
                written => bytes += written?,
            }
            if bytes >= RING_BYTES {
                return Ok(());
            }
        }
        tenants.retain(|timers| !timers.is_empty());
    }
    Ok(())
}

type Ringing = VecDeque<(Timestamp, ConversationKey, String)>;

/// The first that are due, by tenant, and in order within each and among them.
fn all_due(rows: &impl ReadRows, now: Timestamp) -> Step<Vec<Ringing>> {
    let (mut tenants, mut known) = (Vec::<Ringing>::new(), HashMap::new());
    let is_due = |(at, ..): &(Timestamp, ConversationKey, String)| *at <= now;
    rows.each_of::<TimersDue>(&start(), AT_ONCE, is_due, |due, _| {
        let at = *known.entry(due.1.tenant).or_insert_with(|| {
            tenants.push(VecDeque::new());
            tenants.len() - 1
        });
        tenants[at].push_back(due);
        Ok(())
    })?;
    Ok(tenants)
}

/// How many bytes that took, about.
fn ring_one(rows: &mut impl Rows, name: Name, now: Timestamp) -> Step<usize> {
    let Some(TimerRow { at, payload }) = rows.get::<Timers>(&name)? else { return Ok(0) };
    let key = &name.0;
    let row = history::conversation(rows, key)?;
    // What the brain wanted to be reminded of is not the human's business: it stays, due at no time,
    // until the conversation is given back.
    if row.as_ref().is_some_and(|row| row.conversation.mode == Mode::Human) {
        return Ok(0);
    }
    let Some(mut row) = row else {
        rows.remove::<Timers>(&name)?;
        return Ok(0);
    };
    let written = row.conversation.memory.as_ref().map_or(0, String::len) + 4 * ROW_BYTES;
    let most = rows.index().quotas_of(key.tenant).turns_unprompted;
    if u64::from(row.rang) >= most {
        if !std::mem::replace(&mut row.silenced, true) {
            rows.changes_mut().count_silenced(key.tenant, 1);
            rows.index().tell_silenced(key, most, now);
            history::keep(rows, key, &row)?;
        }
        return Ok(written);
    }
    row.rang += 1;
    history::keep(rows, key, &row)?;
    rows.remove::<Timers>(&name)?;
    let written = written + 2 * payload.len();
    let what = What::Timer { key: name.1.clone(), payload };
    inbox::enter(rows, key, &row.conversation, what, (at, now))?;
    Ok(written)
}

/// A timer that rang for a brain that is not asked any more waits on with the others. One that was
/// set again meanwhile stands.
pub fn put_back(rows: &mut impl Rows, key: &ConversationKey, timer: &str, row: &TimerRow) -> Step<()> {
    let name = name(key, timer);
    if !rows.has::<Timers>(&name)? {
        rows.put::<Timers>(&name, row)?;
    }
    Ok(())
}

/// The contact has written, and nothing less: timers ring again. The caller keeps the conversation.
pub fn awake(rows: &mut impl Rows, key: &ConversationKey, row: &mut ConversationRow) -> Step<()> {
    row.rang = 0;
    if std::mem::take(&mut row.silenced) {
        rows.changes_mut().count_silenced(key.tenant, -1);
        resume(rows, key)?;
    }
    Ok(())
}

/// The brain is asked again: what was due meanwhile rings.
pub fn resume(rows: &mut impl Rows, key: &ConversationKey) -> Step<()> {
    for (timer, row) in of(rows, key)? {
        match row {
            Ok(row) => ring_at(rows, (key.clone(), timer), row.at)?,
            Err(error) => {
                tracing::error!(conversation = %key, %error, "a timer cannot be read and does not ring");
            }
        }
    }
    Ok(())
}

/// The conversation goes on under another key. A timer that is set there under the same name stands, and
/// there are not more than there may be. Whether there were any.
pub fn rename(rows: &mut impl Rows, from: &ConversationKey, into: &ConversationKey) -> Step<bool> {
    let timers = of(rows, from)?;
    let any = !timers.is_empty();
    let mut there = of(rows, into)?.len();
    for (timer, row) in timers {
        let old = name(from, &timer);
        rows.remove::<Timers>(&old)?;
        let Ok(row) = row else { continue };
        rows.remove::<TimersDue>(&due(old, row.at))?;
        let new = name(into, &timer);
        if there < MOST && !rows.has::<Timers>(&new)? {
            there += 1;
            rows.put::<Timers>(&new, &row)?;
            // While a human answers it does not ring, due or not.
            ring_at(rows, new, row.at)?;
        }
    }
    rows.changes_mut().timers_changed |= any;
    Ok(any)
}

/// A conversation's timers: names and rows.
fn of(rows: &impl ReadRows, key: &ConversationKey) -> Step<Vec<(String, Read<TimerRow>)>> {
    let mut found = Vec::new();
    rows.each::<Timers>(
        &(key.clone(), String::new()),
        |(of, _)| of == key,
        |(_, timer), row| {
            found.push((timer, row));
            Ok(())
        },
    )?;
    Ok(found)
}

/// Timers of a conversation that have rung and whose turn has not come, by their keys.
fn rung(rows: &impl Rows, key: &ConversationKey) -> Step<Vec<(InboxId, String)>> {
    let mut ids: Vec<InboxId> = rows.index().turns().alone(key).copied().collect();
    if rows.changes().timers_changed {
        // The index does not show yet what rang in this very transaction.
        ids.extend(rows.changes().effects.iter().filter_map(|effect| match effect {
            Effect::Waits { key: other, id, alone: true, .. } if other == key => Some(*id),
            _ => None,
        }));
    }
    let mut found = Vec::new();
    for id in ids {
        let entry = match rows.get::<Inbox>(&Place::new(id.seq, key.tenant)) {
            Ok(Some(entry)) => entry,
            // One that cannot be read is told of where it is claimed; it must not stop this turn.
            Ok(None) | Err(Fault::Row(_)) => continue,
            Err(other) => return Err(other),
        };
        if let What::Timer { key: timer, .. } = entry.what
            && entry.contact == key.contact
        {
            found.push((id, timer));
        }
    }
    Ok(found)
}

/// What a timer takes, about.
fn size(timer: &str, payload: &str) -> i64 {
    i64::try_from(ROW_BYTES + timer.len() + payload.len()).unwrap_or(i64::MAX)
}

/// Before a turn is committed: may it change these timers? Returns what has rung already and is
/// overtaken by its changes. `used`: the entries that the turn uses up.
pub fn check(
    rows: &impl Rows,
    key: &ConversationKey,
    changes: &[TimerChange],
    used: &[InboxId],
) -> Step<Vec<InboxId>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut rung = rung(rows, key)?;
    rung.retain(|(id, _)| !used.contains(id));
    let mut timers: HashSet<String> = rung.iter().map(|(_, timer)| timer.clone()).collect();
    let mut sizes = HashMap::new();
    for (timer, row) in of(rows, key)? {
        let payload = row.map_or(0, |row| row.payload.len());
        sizes.insert(timer.clone(), size(&timer, "").saturating_add_unsigned(payload as u64));
        timers.insert(timer);
    }
    let before: i64 = sizes.values().sum();
    let mut changed = HashSet::new();
    for change in changes {
        let (TimerChange::Set { key: timer, .. } | TimerChange::Cancel { key: timer }) = change;
        changed.insert(timer.as_str());
        match change {
            TimerChange::Set { payload, .. } => {
                sizes.insert(timer.clone(), size(timer, payload));
                timers.insert(timer.clone());
            }
            TimerChange::Cancel { .. } => {
                sizes.remove(timer);
                timers.remove(timer);
            }
        }
    }
    if timers.len() > MOST {
        let message = format!(
            "the conversation would have {} timers; the limit is {MOST}. Set them under keys that are used \
             again, and cancel those that are not needed",
            timers.len()
        );
        return Err(Error::Limit { of: Limit::Timers, message }.into());
    }
    let more = sizes.values().sum::<i64>() - before;
    if more > 0 {
        let kept = rows.usage(key.tenant).of(Shelf::Timers).bytes;
        rows.index().allow(key.tenant, Kind::TimerBytes, kept.saturating_add_signed(more))?;
    }
    Ok(rung.into_iter().filter(|(_, timer)| changed.contains(timer.as_str())).map(|(id, _)| id).collect())
}
