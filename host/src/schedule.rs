//! Whose turn it is. Conversations hold pending items in order; they belong to tenants, and tenants to
//! groups (senders). Groups are served one after the other, in a group its tenants, of a tenant what
//! is due longest; answers before reminders everywhere, but for a small share. Pure: no clock, no
//! I/O. Every operation is O(log n).
//!
//! At most one claim is out per conversation, and a given number per group, per tenant and in all. The
//! last slots of a group are for tenants that hold none there, and no tenant has them all: whoever's
//! claims last long keeps nobody else waiting.
//!
//! The first item of a conversation decides for it: its due time and its group. An item behind it
//! waits, however long it has been due, because order is promised; what somebody waits for takes
//! along what stands before it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use crate::message::{TenantId, Timestamp};

pub use queues::{Admits, Limits};
use queues::{Queues, Slot};
use round::Id;
pub use round::{Class, REMINDER_EVERY};

mod queues;
mod round;

/// A clock that shows so much less than it did was set back; less of it is not worth the trouble.
pub const SET_BACK_MS: i64 = 100;

/// What the schedule knows of an item besides its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<G> {
    pub group: G,
    pub tenant: TenantId,
    pub due: Timestamp,
    pub class: Class,
    /// Not to be handed out together with its neighbours.
    pub alone: bool,
}

/// What is about to be claimed.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a, G> {
    pub group: &'a G,
    pub tenant: TenantId,
    pub due: Timestamp,
}

/// May it be claimed now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Go,
    /// Nothing of its group before then.
    GroupWaits(Timestamp),
    /// Nothing of its tenant in this group before then.
    TenantWaits(Timestamp),
}

/// Pending items `I` of conversations `C` in groups `G`.
#[derive(Debug)]
pub struct Schedule<C, G, I> {
    conversations: BTreeMap<Arc<C>, Pending<C, I>>,
    queues: Queues<C, G>,
}

/// As it is kept of an item.
#[derive(Clone, Copy, Debug)]
struct Entry {
    line: Id,
    due: Timestamp,
    class: Class,
    alone: bool,
}

#[derive(Debug)]
struct Pending<C, I> {
    key: Arc<C>,
    /// Sorted by `I`. A deque, because items come at the back and leave at the front.
    items: VecDeque<(I, Entry)>,
    /// So many of them are answers.
    answers: usize,
    place: Place<I>,
}

#[derive(Debug)]
enum Place<I> {
    Nowhere,
    Waiting(Slot),
    Ready(Id, Class, Slot),
    /// With the item that stood first when it was claimed: it names the claim.
    Claimed(Id, I),
}

impl<C: Ord, G: Clone + Eq + Hash, I: Ord + Clone> Schedule<C, G, I> {
    pub fn new(limits: Limits) -> Self {
        Schedule { conversations: BTreeMap::new(), queues: Queues::new(limits) }
    }

    /// Adds an item, or gives one that is there another due time, group or class.
    pub fn put(&mut self, conversation: &C, id: I, item: Item<G>)
    where
        C: Clone,
    {
        let Item { group, tenant, due, class, alone } = item;
        let entry = Entry { line: self.queues.line(&group, tenant), due, class, alone };
        let Some(pending) = self.conversations.get_mut(conversation) else {
            let key = Arc::new(conversation.clone());
            let mut pending =
                Pending { key: key.clone(), items: VecDeque::new(), answers: 0, place: Place::Nowhere };
            pending.insert(0, id, entry);
            pending.settle(&mut self.queues);
            self.conversations.insert(key, pending);
            return;
        };
        let before = pending.class();
        let at = match pending.items.back() {
            Some((last, _)) if *last < id => pending.items.len(),
            _ => match pending.find(&id) {
                Ok(at) => {
                    pending.take_out(at);
                    at
                }
                Err(at) => at,
            },
        };
        pending.insert(at, id, entry);
        if at == 0 || pending.class() != before {
            pending.settle(&mut self.queues);
        }
    }

    /// Takes an item away, wherever its conversation is.
    pub fn remove(&mut self, conversation: &C, id: &I) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        let Ok(at) = pending.find(id) else { return };
        let before = pending.class();
        pending.take_out(at);
        if (at == 0 || pending.class() != before) && pending.settle(&mut self.queues) {
            self.conversations.remove(conversation);
        }
    }

    /// Claims up to `n` conversations whose first item is due. `pace` is asked before each, and may
    /// make its group or its tenant wait.
    pub fn claim(
        &mut self,
        n: usize,
        now: Timestamp,
        pace: &mut dyn FnMut(&Candidate<'_, G>) -> Pace,
    ) -> Vec<Arc<C>> {
        let back_ms = self.queues.asked_at().as_ms().saturating_sub(now.as_ms());
        if back_ms > SET_BACK_MS {
            self.set_back(back_ms);
        }
        self.ripen(now);
        let mut claimed = Vec::new();
        while claimed.len() < n {
            let Some(next) = self.queues.next() else { break };
            let (group, tenant) = self.queues.whose(next.line);
            match pace(&Candidate { group, tenant, due: next.due }) {
                Pace::GroupWaits(until) => self.queues.pause_group(next.line, until),
                Pace::TenantWaits(until) => self.queues.pause_line(next.line, until),
                Pace::Go => {
                    let Some(key) = self.queues.take(next) else { break };
                    if let Some(pending) = self.conversations.get_mut(&key)
                        && let Some((first, _)) = pending.items.front()
                    {
                        pending.place = Place::Claimed(next.line, first.clone());
                    }
                    claimed.push(key);
                }
            }
        }
        claimed
    }

    /// Whatever this group, or a tenant in it, was made to wait for is to be asked again.
    pub fn resume(&mut self, group: &G) {
        self.queues.resume(group);
    }

    /// From now on this much of what the tenant has may be claimed. Whether that is news.
    pub fn admit(&mut self, tenant: TenantId, admits: Admits) -> bool {
        self.queues.admit(tenant, admits)
    }

    /// Ends a claim: what is left of the conversation may be claimed again.
    pub fn release(&mut self, conversation: &C) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        if pending.is_claimed() {
            pending.leave(&mut self.queues);
            if pending.settle(&mut self.queues) {
                self.conversations.remove(conversation);
            }
        }
    }

    /// Ends the claim that began with this item, and no other claim of the conversation: what is
    /// told late of a claim that is over must not end the one that came after it.
    pub fn release_claim(&mut self, conversation: &C, id: &I) {
        if self.is_claimed_for(conversation, id) {
            self.release(conversation);
        }
    }

    /// Ends the claim that began with this item, which becomes due at another time if it is still there.
    pub fn postpone(&mut self, conversation: &C, id: &I, due: Timestamp) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        if matches!(&pending.place, Place::Claimed(_, of) if of == id) {
            if let Ok(at) = pending.find(id) {
                pending.items[at].1.due = due;
            }
            self.release(conversation);
        }
    }

    /// Its first item is due now, if it is not claimed.
    pub fn call(&mut self, conversation: &C, now: Timestamp) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        if let Some((_, first)) = pending.items.front_mut().filter(|(_, first)| first.due > now) {
            first.due = now;
            pending.settle(&mut self.queues);
        }
    }

    /// The clock was set back by so much. What somebody waits for keeps its distance from now; what is to
    /// be said at a time of day keeps that. Pauses are asked for again.
    fn set_back(&mut self, by_ms: i64) {
        let queues = &mut self.queues;
        queues.resume_all();
        for pending in self.conversations.values_mut() {
            for (_, entry) in pending.items.iter_mut().filter(|(_, entry)| entry.class == Class::Answer) {
                entry.due = entry.due.plus_ms(by_ms.saturating_neg());
            }
            pending.settle(queues);
        }
    }

    /// Answers of this group that stand first in their conversations and are not due are due now.
    pub fn hurry(&mut self, group: &G, now: Timestamp) {
        let queues = &mut self.queues;
        for pending in self.conversations.values_mut().filter(|pending| !pending.is_claimed()) {
            if let Some((_, first)) = pending.items.front_mut()
                && first.class == Class::Answer
                && first.due > now
                && queues.whose(first.line).0 == group
            {
                first.due = now;
                pending.settle(queues);
            }
        }
    }

    /// Has the claim that began with this item not ended?
    pub fn is_claimed_for(&self, conversation: &C, id: &I) -> bool {
        let pending = self.conversations.get(conversation);
        pending.is_some_and(|pending| matches!(&pending.place, Place::Claimed(_, of) if of == id))
    }

    /// The items to hand out together: the first, and those after it that do not stand alone, at
    /// most `cap`.
    pub fn run(&self, conversation: &C, cap: usize) -> Vec<I> {
        let Some(pending) = self.conversations.get(conversation) else { return Vec::new() };
        let cap = if pending.items.front().is_some_and(|(_, first)| first.alone) { 1 } else { cap };
        let together = pending.items.iter().enumerate().take_while(|(at, (_, item))| *at == 0 || !item.alone);
        together.take(cap).map(|(_, (id, _))| id.clone()).collect()
    }

    pub fn is_claimed(&self, conversation: &C) -> bool {
        self.conversations.get(conversation).is_some_and(Pending::is_claimed)
    }

    /// The claims that are out, with the items that they began with.
    pub fn claimed(&self) -> impl Iterator<Item = (&Arc<C>, &I)> {
        self.conversations.values().filter_map(|pending| match &pending.place {
            Place::Claimed(_, id) => Some((&pending.key, id)),
            _ => None,
        })
    }

    /// Claims a conversation by name, due or not; for a schedule that is built anew while claims of
    /// the one before it are out.
    pub fn reclaim(&mut self, conversation: &C, id: &I) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        let Some((_, first)) = pending.items.front() else { return };
        let line = first.line;
        pending.leave(&mut self.queues);
        self.queues.occupy(line);
        pending.place = Place::Claimed(line, id.clone());
    }

    /// When [`Schedule::claim`] will next find something; in the past if it would now. `None`: not
    /// before something is put or released.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.queues.next_at()
    }

    /// A conversation's items in order.
    pub fn items(&self, conversation: &C) -> impl DoubleEndedIterator<Item = &I> {
        let pending = self.conversations.get(conversation);
        pending.into_iter().flat_map(|pending| pending.items.iter().map(|(id, _)| id))
    }

    /// Those of a conversation's items that stand alone.
    pub fn alone(&self, conversation: &C) -> impl Iterator<Item = &I> {
        let items = self.conversations.get(conversation).into_iter().flat_map(|pending| &pending.items);
        items.filter(|(_, item)| item.alone).map(|(id, _)| id)
    }

    /// Conversations with their items in order, from `first` on.
    pub fn from<'a, Q: Ord>(
        &'a self,
        first: Bound<&'a Q>,
    ) -> impl Iterator<Item = (&'a C, impl Iterator<Item = &'a I>)>
    where
        Arc<C>: Borrow<Q>,
    {
        self.conversations
            .range::<Q, _>((first, Bound::Unbounded))
            .map(|(key, pending)| (key.as_ref(), pending.items.iter().map(|(id, _)| id)))
    }

    /// Moves what has become due from the waiting to its line, and ends the pauses that are over.
    fn ripen(&mut self, now: Timestamp) {
        self.queues.wake(now);
        while let Some((slot, key)) = self.queues.due(now) {
            let Some(pending) = self.conversations.get_mut(&key) else { continue };
            let Some((_, first)) = pending.items.front() else { continue };
            let (line, class) = (first.line, pending.class());
            pending.place = Place::Ready(line, class, slot);
            self.queues.make_ready(line, class, slot, key);
        }
    }
}

impl<C, I: Ord> Pending<C, I> {
    fn find(&self, id: &I) -> Result<usize, usize> {
        self.items.binary_search_by(|(other, _)| other.cmp(id))
    }

    fn insert(&mut self, at: usize, id: I, entry: Entry) {
        self.answers += usize::from(entry.class == Class::Answer);
        self.items.insert(at, (id, entry));
    }

    fn take_out(&mut self, at: usize) {
        if let Some((_, entry)) = self.items.remove(at) {
            self.answers -= usize::from(entry.class == Class::Answer);
        }
    }

    fn is_claimed(&self) -> bool {
        matches!(self.place, Place::Claimed(..))
    }

    /// Who waits for one of them waits for those before it too.
    fn class(&self) -> Class {
        if self.answers > 0 { Class::Answer } else { Class::Reminder }
    }

    /// Puts a conversation where its first item belongs; a claimed one stays claimed. Says whether it
    /// has nothing left and belongs nowhere.
    fn settle<G: Clone + Eq + Hash>(&mut self, queues: &mut Queues<C, G>) -> bool {
        if self.is_claimed() {
            return false;
        }
        self.leave(queues);
        let Some((_, first)) = self.items.front() else { return true };
        self.place = Place::Waiting(queues.wait(first.due, self.key.clone()));
        false
    }

    fn leave<G: Clone + Eq + Hash>(&mut self, queues: &mut Queues<C, G>) {
        match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Nowhere => {}
            Place::Waiting(slot) => queues.stop_waiting(slot),
            Place::Ready(line, class, slot) => queues.take_back(line, class, slot),
            Place::Claimed(line, _) => queues.free(line),
        }
    }
}

#[cfg(test)]
mod tests;
