//! Turns that are handed out, until they are committed, put off or given back.

use std::collections::HashSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::conversation::{Mode, Trigger};
use crate::message::{ConversationKey, SenderName, Timestamp};
use crate::schedule::Pace;
use crate::store::rows::place::Place;
use crate::store::rows::{Fault, Inbox, Leads, ReadRows, Step};
use crate::store::rules::history;
use crate::store::shared::asleep;
use crate::store::shared::index::Index;
use crate::store::{InboxId, TurnClaim};

/// More messages than this do not make one turn, however close together they came.
pub const TOGETHER: usize = 20;

/// What a claimed conversation turned out to hold.
pub enum Found {
    Turn(Box<TurnClaim>),
    /// A human answers now: these entries are not for the brain.
    ForHuman(ConversationKey, Vec<InboxId>),
    /// Its number is switched off: what would be said could not leave.
    Asleep(ConversationKey, InboxId, SenderName),
    /// The entries have gone.
    Nothing,
}

/// Reads what a turn needs.
fn read(rows: &impl ReadRows, index: &Index, key: &ConversationKey, entries: Vec<InboxId>) -> Step<Found> {
    let mut row = history::conversation(rows, key)?.unwrap_or_default();
    if row.conversation.mode == Mode::Human {
        return Ok(Found::ForHuman(key.clone(), entries));
    }
    let mut failures = 0;
    let mut triggers = Vec::with_capacity(1);
    for id in &entries {
        let Some(entry) = rows.get::<Inbox>(&Place::new(id.seq, key.tenant))? else {
            return Ok(Found::Nothing);
        };
        failures = failures.max(entry.failures);
        row.hear(&entry);
        triggers.push(entry.trigger()?);
    }
    let Some(trigger) = together(triggers) else { return Ok(Found::Nothing) };
    let directory = index.directory.load();
    let sender = row.conversation.sender.as_ref().and_then(|name| directory.senders.get(name));
    if let Some(first) = entries.first()
        && let Some(sender) = sender.filter(|sender| !sender.active)
    {
        return Ok(Found::Asleep(key.clone(), *first, sender.name.clone()));
    }
    let lead = match directory.organization_of(key.tenant) {
        None => None,
        Some(organization) => rows.get::<Leads>(&(organization, key.contact.clone()))?,
    };
    let seed = seed(&index.secret, key, &entries);
    let conversation = row.conversation;
    let claim = TurnClaim { key: key.clone(), entries, trigger, conversation, lead, failures, seed };
    Ok(Found::Turn(Box::new(claim)))
}

/// Several plain messages make one trigger; everything else comes alone.
fn together(triggers: Vec<Trigger>) -> Option<Trigger> {
    let mut triggers = triggers.into_iter();
    let mut first = triggers.next()?;
    if let Trigger::Messages { messages } = &mut first {
        for other in triggers {
            if let Trigger::Messages { messages: others } = other {
                messages.extend(others);
            }
        }
    }
    Some(first)
}

/// Random to whoever does not know the store's secret, and the same for every attempt at a turn.
fn seed(secret: &[u8; 32], key: &ConversationKey, entries: &[InboxId]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(secret);
    hash.update(key.tenant.get().to_be_bytes());
    hash.update(key.contact.as_str());
    hash.update([0]);
    hash.update(entries.first().map_or(0, |id| id.seq).to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The claims of one call. Those that are not handed over are given back when this is dropped, be it
/// because the caller went away.
pub struct Held {
    index: Arc<Index>,
    keys: Vec<Arc<ConversationKey>>,
}

impl Held {
    pub fn claim(index: &Arc<Index>, n: usize, now: Timestamp) -> Self {
        let mut turns = index.turns();
        if index.was_set_back(now) {
            turns.resume(&());
        }
        let keys = turns.claim(n, now, &mut |candidate| match index.admit(candidate.tenant, now) {
            Ok(()) => Pace::Go,
            Err(until) => Pace::TenantWaits(until),
        });
        drop(turns);
        Held { index: index.clone(), keys }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What each claimed conversation holds. One that cannot be read stays claimed, out of the way of
    /// the others, until the next start: asked again it would fail again.
    pub fn read(&mut self, rows: &impl ReadRows) -> Step<Vec<Found>> {
        let index = &self.index;
        let entries: Vec<Vec<InboxId>> = {
            let turns = index.turns();
            let cap = |key: &ConversationKey| if index.coalesce_ms(key.tenant) > 0 { TOGETHER } else { 1 };
            self.keys.iter().map(|key| turns.run(key, cap(key))).collect()
        };
        let mut found = Vec::with_capacity(self.keys.len());
        let mut unreadable = Vec::new();
        for (key, entries) in self.keys.iter().zip(entries) {
            match read(rows, index, key, entries) {
                Ok(one) => found.push(one),
                Err(Fault::Row(error)) => {
                    tracing::error!(conversation = %key, %error, "a turn cannot be read and waits for the next start");
                    unreadable.push(key.clone());
                }
                Err(other) => return Err(other),
            }
        }
        self.keys.retain(|key| !unreadable.contains(key));
        Ok(found)
    }

    /// These claims are the caller's now.
    pub fn hand_over(&mut self, claims: &[TurnClaim]) {
        let handed: HashSet<&ConversationKey> = claims.iter().map(|claim| &claim.key).collect();
        self.keys.retain(|key| !handed.contains(key.as_ref()));
    }

    /// This one waits, and has cost its tenant no turn.
    pub fn put_to_sleep(&mut self, key: ConversationKey, first: &InboxId, of: SenderName, now: Timestamp) {
        let index = &self.index;
        let mut turns = index.turns();
        // Switched on since it was read: nobody called what was claimed then. It is given back with the others.
        if index.directory.load().senders.get(&of).is_none_or(|sender| sender.active) {
            return;
        }
        self.keys.retain(|held| held.as_ref() != &key);
        turns.postpone(&key, first, now.plus_ms(asleep::AGAIN_MS));
        let tenant = key.tenant;
        index.asleep.put(key, of);
        drop(turns);
        index.take_back(tenant, now);
    }
}

/// So many conversations whose entries are for a human are taken in at once.
const TAKEN_IN: usize = 64;

impl Held {
    /// Of these conversations, whose entries are for a human, those that are taken in now, and their claims. They end
    /// with the commit; if it could not be, they are given back.
    pub fn for_humans(
        &mut self,
        mut humans: Vec<(ConversationKey, Vec<InboxId>)>,
    ) -> (Held, Vec<(ConversationKey, Vec<InboxId>)>) {
        humans.truncate(TAKEN_IN);
        let (keys, others) = std::mem::take(&mut self.keys)
            .into_iter()
            .partition(|key| humans.iter().any(|(human, _)| human == key.as_ref()));
        self.keys = others;
        (Held { index: self.index.clone(), keys }, humans)
    }

    /// The commit has ended them.
    pub fn ended(mut self) {
        self.keys.clear();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut turns = self.index.turns();
        for key in self.keys.drain(..) {
            turns.release(&key);
        }
    }
}
