//! Whose turn it is. Conversations hold pending items in order; they belong to groups (tenants,
//! senders) that are served round robin; at most one claim is out per conversation and at most a
//! given number per group. Pure: no clock, no I/O. Every operation is O(log n).
//!
//! The first item of a conversation decides for it: its due time and its group. An item behind it
//! waits, however long it has been due, because order is promised.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use crate::message::Timestamp;

/// What the schedule knows of an item besides its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<G> {
    pub group: G,
    pub due: Timestamp,
    /// Not to be handed out together with its neighbours.
    pub alone: bool,
}

/// Pending items `I` of conversations `C` in groups `G`.
#[derive(Debug)]
pub struct Schedule<C, G, I> {
    conversations: BTreeMap<Arc<C>, Pending<C, G, I>>,
    queues: Queues<C, G>,
}

#[derive(Debug)]
struct Pending<C, G, I> {
    key: Arc<C>,
    /// Sorted by `I`. A deque, because items come at the back and leave at the front.
    items: VecDeque<(I, Item<G>)>,
    place: Place<G, I>,
}

#[derive(Debug)]
enum Place<G, I> {
    Nowhere,
    Waiting(Slot),
    Ready(G, Slot),
    /// With the item that stood first when it was claimed: it names the claim.
    Claimed(G, I),
}

/// Orders what is queued: by due time, then by when it was queued.
type Slot = (Timestamp, u64);

/// Where the conversations stand.
#[derive(Debug)]
struct Queues<C, G> {
    per_group: usize,
    /// Conversations that are not due yet.
    waiting: BTreeMap<Slot, Arc<C>>,
    groups: HashMap<G, Group<C>>,
    /// The groups that have something ready, are below their limit and not held, each once.
    ring: VecDeque<G>,
    /// The groups that are held, and until when.
    held: BTreeMap<Slot, G>,
    ticks: u64,
}

#[derive(Debug)]
struct Group<C> {
    ready: BTreeMap<Slot, Arc<C>>,
    claimed: usize,
    in_ring: bool,
    held: Option<Slot>,
}

impl<C: Ord, G: Clone + Eq + Hash, I: Ord + Clone> Schedule<C, G, I> {
    /// At most `per_group` conversations of a group are claimed at the same time.
    pub fn new(per_group: usize) -> Self {
        let queues = Queues {
            per_group: per_group.max(1),
            waiting: BTreeMap::new(),
            groups: HashMap::new(),
            ring: VecDeque::new(),
            held: BTreeMap::new(),
            ticks: 0,
        };
        Schedule { conversations: BTreeMap::new(), queues }
    }

    /// Adds an item, or gives one that is there another due time or group.
    pub fn put(&mut self, conversation: &C, id: I, item: Item<G>)
    where
        C: Clone,
    {
        let Some(pending) = self.conversations.get_mut(conversation) else {
            let key = Arc::new(conversation.clone());
            let items = VecDeque::from([(id, item)]);
            let mut pending = Pending { key: key.clone(), items, place: Place::Nowhere };
            self.queues.settle(&mut pending);
            self.conversations.insert(key, pending);
            return;
        };
        let at = match pending.items.back() {
            Some((last, _)) if *last < id => pending.items.len(),
            _ => match pending.find(&id) {
                Ok(at) => {
                    pending.items.remove(at);
                    at
                }
                Err(at) => at,
            },
        };
        pending.items.insert(at, (id, item));
        if at == 0 {
            self.queues.settle(pending);
        }
    }

    /// Takes an item away, wherever its conversation is.
    pub fn remove(&mut self, conversation: &C, id: &I) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        let Ok(at) = pending.find(id) else { return };
        pending.items.remove(at);
        if at == 0 && self.queues.settle(pending) {
            self.conversations.remove(conversation);
        }
    }

    /// Claims up to `n` conversations whose first item is due, a group at a time.
    pub fn claim(&mut self, n: usize, now: Timestamp) -> Vec<Arc<C>> {
        self.claim_where(n, now, |_| Ok(()))
    }

    /// The same, of the groups that `admit` lets have one more. One that it does not is held, and not
    /// asked for before the time that it names.
    pub fn claim_where(
        &mut self,
        n: usize,
        now: Timestamp,
        mut admit: impl FnMut(&G) -> Result<(), Timestamp>,
    ) -> Vec<Arc<C>> {
        self.ripen(now);
        let mut claimed = Vec::new();
        while claimed.len() < n {
            let Some(next) = self.queues.ring.front() else { break };
            if let Err(until) = admit(next) {
                // Held for no time it would be asked again at once.
                self.queues.hold(until.max(now.plus_ms(1)));
                continue;
            }
            let Some((name, key)) = self.queues.next() else { break };
            if let Some(pending) = self.conversations.get_mut(&key)
                && let Some((first, _)) = pending.items.front()
            {
                pending.place = Place::Claimed(name, first.clone());
            }
            claimed.push(key);
        }
        claimed
    }

    /// What the groups are held by has changed: they are asked for anew.
    pub fn release_held(&mut self) {
        self.queues.release_held(Timestamp::from_ms(i64::MAX));
    }

    /// Ends a claim: what is left of the conversation may be claimed again.
    pub fn release(&mut self, conversation: &C) {
        let Some(pending) = self.conversations.get_mut(conversation) else { return };
        if pending.is_claimed() {
            self.queues.leave(&mut pending.place);
            if self.queues.settle(pending) {
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
        let Some((_, item)) = pending.items.front() else { return };
        let name = item.group.clone();
        self.queues.leave(&mut pending.place);
        self.queues.group(&name).claimed += 1;
        pending.place = Place::Claimed(name, id.clone());
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

    /// Moves what has become due from the waiting to its group, and lets go of who was held until now.
    fn ripen(&mut self, now: Timestamp) {
        self.queues.release_held(now);
        while let Some((slot, key)) = self.queues.due(now) {
            let Some(pending) = self.conversations.get_mut(&key) else { continue };
            let Some((_, first)) = pending.items.front() else { continue };
            let name = first.group.clone();
            pending.place = Place::Ready(name.clone(), slot);
            self.queues.group(&name).ready.insert(slot, key);
            self.queues.ring_if_eligible(&name);
        }
    }
}

impl<C, G, I: Ord> Pending<C, G, I> {
    fn find(&self, id: &I) -> Result<usize, usize> {
        self.items.binary_search_by(|(other, _)| other.cmp(id))
    }

    fn is_claimed(&self) -> bool {
        matches!(self.place, Place::Claimed(..))
    }
}

impl<C, G: Clone + Eq + Hash> Queues<C, G> {
    /// Puts a conversation where its first item belongs; a claimed one stays claimed. Says whether it
    /// has nothing left and belongs nowhere.
    fn settle<I>(&mut self, pending: &mut Pending<C, G, I>) -> bool {
        if matches!(pending.place, Place::Claimed(..)) {
            return false;
        }
        self.leave(&mut pending.place);
        let Some((_, first)) = pending.items.front() else { return true };
        self.ticks += 1;
        let slot = (first.due, self.ticks);
        pending.place = Place::Waiting(slot);
        self.waiting.insert(slot, pending.key.clone());
        false
    }

    fn leave<I>(&mut self, place: &mut Place<G, I>) {
        match std::mem::replace(place, Place::Nowhere) {
            Place::Nowhere => {}
            Place::Waiting(slot) => drop(self.waiting.remove(&slot)),
            Place::Ready(name, slot) => {
                self.group(&name).ready.remove(&slot);
                self.ring_if_eligible(&name);
            }
            Place::Claimed(name, _) => {
                let group = self.group(&name);
                group.claimed = group.claimed.saturating_sub(1);
                self.ring_if_eligible(&name);
            }
        }
    }

    /// The first that waits, if it is due.
    fn due(&mut self, now: Timestamp) -> Option<(Slot, Arc<C>)> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove_entry())
    }

    /// The next group's next conversation, counted as claimed.
    fn next(&mut self) -> Option<(G, Arc<C>)> {
        let name = self.ring.pop_front()?;
        let group = self.group(&name);
        group.in_ring = false;
        let (_, key) = group.ready.pop_first()?;
        group.claimed += 1;
        self.ring_if_eligible(&name);
        Some((name, key))
    }

    fn next_at(&self) -> Option<Timestamp> {
        let ready = self.ring.front().and_then(|name| self.groups.get(name));
        let ready = ready.and_then(|group| group.ready.keys().next()).map(|(due, _)| *due);
        let waiting = self.waiting.keys().next().map(|(due, _)| *due);
        let held = self.held.keys().next().map(|(until, _)| *until);
        ready.into_iter().chain(waiting).chain(held).min()
    }

    /// Holds the group whose turn it is.
    fn hold(&mut self, until: Timestamp) {
        let Some(name) = self.ring.pop_front() else { return };
        self.ticks += 1;
        let slot = (until, self.ticks);
        let group = self.group(&name);
        (group.in_ring, group.held) = (false, Some(slot));
        self.held.insert(slot, name);
    }

    fn release_held(&mut self, now: Timestamp) {
        while let Some(first) = self.held.first_entry().filter(|first| first.key().0 <= now) {
            let name = first.remove();
            self.group(&name).held = None;
            self.ring_if_eligible(&name);
        }
    }

    fn group(&mut self, name: &G) -> &mut Group<C> {
        // A name is copied only when its group comes up.
        if !self.groups.contains_key(name) {
            let group = Group { ready: BTreeMap::new(), claimed: 0, in_ring: false, held: None };
            self.groups.insert(name.clone(), group);
        }
        self.groups.get_mut(name).expect("it is there since the line above at the latest")
    }

    /// A group stands in the ring exactly while it has something ready, is below its limit and not
    /// held. One that has neither ready nor claimed conversations is forgotten, unless it is held.
    fn ring_if_eligible(&mut self, name: &G) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let eligible = !group.ready.is_empty() && group.claimed < self.per_group && group.held.is_none();
        if eligible && !group.in_ring {
            group.in_ring = true;
            self.ring.push_back(name.clone());
        } else if !eligible && group.in_ring {
            // Only when the last ready conversation of a group is taken away from outside a claim:
            // as rare as an operator who drops a reply.
            group.in_ring = false;
            self.ring.retain(|other| other != name);
        }
        if group.ready.is_empty() && group.claimed == 0 && group.held.is_none() {
            self.groups.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
