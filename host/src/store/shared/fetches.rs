//! Whose file is fetched next. Senders take turns, at a sender its tenants do, and of a tenant's files the
//! longest due comes first ([`Schedule`]). The files of a tenant that has no room wait, and so does
//! one that is larger than the room that there is: nothing is asked or written for them until there is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::message::{SenderName, TenantId, Timestamp};
use crate::schedule::{Admits, Class, Item, Limits, Pace, Schedule};

/// Names a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKey {
    pub tenant: TenantId,
    pub handle: String,
}

/// All files that wait to be fetched.
#[derive(Debug)]
pub struct Fetches {
    schedule: Schedule<FileKey, SenderName, ()>,
    /// Those of whom files wait.
    tenants: HashMap<TenantId, Waiting>,
}

/// A tenant's.
#[derive(Debug, Default)]
struct Waiting {
    files: usize,
    /// Those that there was no room for, the smallest first.
    parked: BTreeMap<(u64, String), SenderName>,
    bytes: HashMap<String, Known>,
    /// What those take together that were called and have not come to anything yet.
    called: u64,
}

/// A file of which is known how large it is.
#[derive(Debug)]
enum Known {
    Parked(u64),
    /// There was room for it: it is fetched again.
    Called(u64),
}

impl Waiting {
    fn forget(&mut self, handle: &str) {
        match self.bytes.remove(handle) {
            Some(Known::Parked(bytes)) => drop(self.parked.remove(&(bytes, handle.to_owned()))),
            Some(Known::Called(bytes)) => self.called = self.called.saturating_sub(bytes),
            None => {}
        }
    }

    /// The next one that there is room for.
    fn call(&mut self, room: u64) -> Option<(String, SenderName)> {
        let first = self.parked.first_entry()?;
        let bytes = first.key().0;
        if self.called.saturating_add(bytes) > room {
            return None;
        }
        let ((_, handle), sender) = first.remove_entry();
        self.called += bytes;
        self.bytes.insert(handle.clone(), Known::Called(bytes));
        Some((handle, sender))
    }
}

impl Fetches {
    pub fn new(limits: Limits) -> Self {
        Fetches { schedule: Schedule::new(limits), tenants: HashMap::new() }
    }

    fn waits(&self, key: &FileKey) -> bool {
        self.schedule.items(key).next().is_some()
    }

    /// As a commit leaves it: it waits, for this sender and time, or it waits no longer. Which of the two.
    pub fn settle(&mut self, key: &FileKey, waits: Option<(SenderName, Timestamp)>) -> bool {
        match waits {
            Some((sender, due)) => {
                self.put(key, sender, due);
                true
            }
            None => {
                self.remove(key);
                false
            }
        }
    }

    /// It waits, or waits for another time.
    pub fn put(&mut self, key: &FileKey, sender: SenderName, due: Timestamp) {
        let is_new = !self.waits(key);
        self.tenants.entry(key.tenant).or_default().files += usize::from(is_new);
        let item = Item { group: sender, tenant: key.tenant, due, class: Class::Answer, alone: true };
        self.schedule.put(key, (), item);
    }

    /// It waits no longer.
    fn remove(&mut self, key: &FileKey) {
        if !self.waits(key) {
            return;
        }
        self.schedule.remove(key, &());
        if let Some(waiting) = self.tenants.get_mut(&key.tenant) {
            waiting.files -= 1;
            waiting.forget(&key.handle);
            if waiting.files == 0 {
                self.tenants.remove(&key.tenant);
            }
        }
    }

    pub fn claim(&mut self, n: usize, now: Timestamp) -> Vec<Arc<FileKey>> {
        self.schedule.claim(n, now, &mut |_| Pace::Go)
    }

    /// Ends a claim; what still waits may be claimed again.
    pub fn release(&mut self, key: &FileKey) {
        self.schedule.release(key);
    }

    /// Ends a claim; it is due again then.
    pub fn postpone(&mut self, key: &FileKey, until: Timestamp) {
        self.schedule.postpone(key, &(), until);
    }

    /// What was postponed is due. What waits for room is called by nothing but room.
    pub fn call(&mut self, key: &FileKey, now: Timestamp) {
        let bytes = self.tenants.get(&key.tenant).and_then(|waiting| waiting.bytes.get(&key.handle));
        if !matches!(bytes, Some(Known::Parked(_))) {
            self.schedule.call(key, now);
        }
    }

    /// Ends the claim of a file of which there are more bytes than there is room for.
    pub fn park(&mut self, key: &FileKey, sender: SenderName, bytes: u64) {
        if let Some(waiting) = self.tenants.get_mut(&key.tenant).filter(|_| self.schedule.is_claimed(key)) {
            waiting.forget(&key.handle);
            waiting.parked.insert((bytes, key.handle.clone()), sender);
            waiting.bytes.insert(key.handle.clone(), Known::Parked(bytes));
            self.schedule.postpone(key, &(), Timestamp::from_ms(i64::MAX));
        }
    }

    /// So many bytes more the tenant may have. Whether anything that waited for that may be claimed now.
    pub fn give(&mut self, tenant: TenantId, room: u64) -> bool {
        let Some(waiting) = self.tenants.get_mut(&tenant) else { return false };
        let mut news = self.schedule.admit(tenant, if room > 0 { Admits::All } else { Admits::Nothing });
        while let Some((handle, group)) = waiting.call(room) {
            let due = Timestamp::ZERO;
            let item = Item { group, tenant, due, class: Class::Answer, alone: true };
            self.schedule.put(&FileKey { tenant, handle }, (), item);
            news = true;
        }
        news && room > 0
    }

    pub fn has_waited_for_room(&self, tenant: TenantId, handle: &str) -> bool {
        self.tenants.get(&tenant).is_some_and(|waiting| waiting.bytes.contains_key(handle))
    }

    pub fn is_known(&self, tenant: TenantId) -> bool {
        self.tenants.contains_key(&tenant)
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        self.schedule.next_at()
    }

    /// What this process has claimed stays claimed in the schedule that takes the place of this one.
    pub fn hand_claims_to(&self, other: &mut Fetches) {
        for (key, id) in self.schedule.claimed() {
            other.schedule.reclaim(key, id);
        }
    }
}

#[cfg(test)]
mod tests;
