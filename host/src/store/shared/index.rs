//! What the store knows without asking its engine: the directory, the counters, and who is next. It
//! changes after a commit and only by what was committed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::asleep::Asleep;
use super::cursors::{Cursors, Trims};
use super::effect::Effect;
use super::fetches::Fetches;
use super::lock::lock;
use super::meters::Meters;
use super::parsed::Parsed;
use super::pending_receipts::PendingReceipts;
use super::schedules::{Sends, Turns, schedules};
use super::settings::Settings;
use super::state::State;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::seal::Ring;
use crate::store::quotas::Usage;
use crate::store::{Counters, Wakes};
use crate::tenant::Directory;

#[derive(Debug, Default)]
struct Counted {
    state: State,
    users: BTreeMap<u32, u64>,
    usage: HashMap<TenantId, Usage>,
}

pub struct Index {
    pub settings: Settings,
    pub wakes: Wakes,
    pub directory: ArcSwap<Directory>,
    counted: Mutex<Counted>,
    turns: Mutex<Turns>,
    sends: Mutex<Sends>,
    files: Mutex<Fetches>,
    next_timer: AtomicI64,
    next_lookup: AtomicI64,
    /// How many want no messages.
    opted_out: AtomicI64,
    /// The conversations that a human has taken over.
    humans: Mutex<HashSet<ConversationKey>>,
    pub asleep: Asleep,
    pub cursors: Cursors,
    pub parsed: Parsed,
    pub pending_receipts: PendingReceipts,
    /// What tenants used within minutes and hours, in this process.
    pub meters: Mutex<Meters>,
    /// Those of the settings, until others are given.
    pub keys: ArcSwap<Ring>,
    /// Operations that were refused after they had written. Each is a bug: the others of its group were
    /// applied again.
    pub late_refusals: AtomicU64,
    pub commits: AtomicU64,
    /// Makes seeds that no contact can foresee.
    pub secret: [u8; 32],
}

impl Index {
    pub fn new(settings: Settings, keys: Ring, secret: [u8; 32]) -> Self {
        let (turns, sends, files) = schedules(&settings);
        Index {
            keys: ArcSwap::from_pointee(keys),
            settings,
            wakes: Wakes::default(),
            directory: ArcSwap::default(),
            counted: Mutex::default(),
            turns: Mutex::new(turns),
            sends: Mutex::new(sends),
            files: Mutex::new(files),
            next_timer: AtomicI64::new(i64::MAX),
            next_lookup: AtomicI64::new(i64::MAX),
            opted_out: AtomicI64::new(0),
            humans: Mutex::default(),
            asleep: Asleep::default(),
            cursors: Cursors::default(),
            parsed: Parsed::default(),
            pending_receipts: PendingReceipts::default(),
            meters: Mutex::default(),
            late_refusals: AtomicU64::default(),
            commits: AtomicU64::default(),
            secret,
        }
    }

    pub fn state(&self) -> State {
        lock(&self.counted).state
    }

    pub fn counters(&self) -> Counters {
        let counted = lock(&self.counted);
        counted.state.counters(counted.users.clone())
    }

    /// What a tenant keeps and spends, as far as the last commit tells.
    pub fn usage(&self, tenant: TenantId) -> Usage {
        lock(&self.counted).usage.get(&tenant).copied().unwrap_or_default()
    }

    pub fn usages(&self) -> HashMap<TenantId, Usage> {
        lock(&self.counted).usage.clone()
    }

    pub fn turns(&self) -> MutexGuard<'_, Turns> {
        lock(&self.turns)
    }

    pub fn sends(&self) -> MutexGuard<'_, Sends> {
        lock(&self.sends)
    }

    pub fn files(&self) -> MutexGuard<'_, Fetches> {
        lock(&self.files)
    }

    /// How long this tenant's messages wait for each other; 0: not at all.
    pub fn coalesce_ms(&self, tenant: TenantId) -> u64 {
        let directory = self.directory.load();
        let own = directory.tenant(tenant).and_then(|tenant| tenant.limits.coalesce_ms);
        own.unwrap_or(self.settings.coalesce_ms)
    }

    /// When the first timer is due; far in the future if there is none.
    pub fn next_timer(&self) -> Timestamp {
        Timestamp::from_ms(self.next_timer.load(Ordering::Acquire))
    }

    /// When the first phone number is to be asked for; far in the future if none is.
    pub fn next_lookup(&self) -> Timestamp {
        Timestamp::from_ms(self.next_lookup.load(Ordering::Acquire))
    }

    /// Then nobody needs to be looked up before a send.
    pub fn nobody_opted_out(&self) -> bool {
        self.opted_out.load(Ordering::Acquire) == 0
    }

    /// Does a human answer, as far as the last commit tells?
    pub fn is_human(&self, key: &ConversationKey) -> bool {
        lock(&self.humans).contains(key)
    }

    /// Everything anew, from what a start or a repair read. What this process has claimed stays
    /// claimed: nobody claims in between, because the schedules are held meanwhile.
    pub fn replace(&self, mut loaded: Loaded) {
        let mut directory = loaded.directory;
        directory.set_waha(self.directory.load().waha().clone());
        self.directory.store(Arc::new(directory));
        *lock(&self.counted) = Counted { state: loaded.state, users: loaded.users, usage: loaded.usage };
        {
            let (mut turns, mut sends) = (self.turns(), self.sends());
            for (key, id) in turns.claimed() {
                loaded.turns.reclaim(key, id);
            }
            for (key, id) in sends.claimed() {
                loaded.sends.reclaim(key, id);
            }
            self.hold_turns(&mut loaded.turns, self.usages().into_keys());
            (*turns, *sends) = (loaded.turns, loaded.sends);
            let mut files = self.files();
            files.hand_claims_to(&mut loaded.files);
            self.hold_files(&mut loaded.files, self.usages().into_keys());
            *files = loaded.files;
        }
        self.next_timer.store(loaded.next_timer.as_ms(), Ordering::Release);
        self.next_lookup.store(loaded.next_lookup.as_ms(), Ordering::Release);
        self.opted_out.store(loaded.opted_out, Ordering::Release);
        *lock(&self.humans) = loaded.humans;
        self.parsed.clear();
        *lock(&self.cursors.trims) = Trims::default();
        self.wakes.turns.notify_one();
        self.wakes.sends.notify_one();
        self.wakes.files.notify_one();
    }

    /// What a commit changed, before anybody hears of the commit.
    pub fn apply(&self, state: State, sealed: Sealed, effects: Vec<Effect>, now: Timestamp) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        {
            let mut counted = lock(&self.counted);
            counted.state = state;
            counted.usage.extend(sealed.usage.iter().copied());
            for (tenant, now) in sealed.users {
                if now == 0 {
                    counted.users.remove(&tenant);
                } else {
                    counted.users.insert(tenant, now);
                }
            }
        }
        if self.hold_turns(&mut self.turns(), sealed.usage.iter().map(|(tenant, _)| *tenant)) {
            self.wakes.turns.notify_one();
        }
        if self.hold_files(&mut self.files(), sealed.usage.iter().map(|(tenant, _)| *tenant)) {
            self.wakes.files.notify_one();
        }
        if let Some(at) = sealed.next_timer {
            self.next_timer.store(at.as_ms(), Ordering::Release);
            self.wakes.turns.notify_one();
        }
        if let Some(at) = sealed.next_lookup {
            self.next_lookup.store(at.as_ms(), Ordering::Release);
        }
        if effects.is_empty() {
            return;
        }
        let woken = self.apply_effects(effects, now);
        if woken.turns {
            self.wakes.turns.notify_one();
        }
        if woken.sends {
            self.wakes.sends.notify_one();
        }
        for watchers in woken.watchers {
            watchers.notify_waiters();
        }
        if woken.files {
            self.wakes.files.notify_one();
        }
    }

    fn apply_effects(&self, effects: Vec<Effect>, now: Timestamp) -> Woken<'_> {
        let (mut woken, mut given, mut directory) = (Woken::default(), Vec::new(), None::<Directory>);
        let present = || (**self.directory.load()).clone();
        let (mut turns, mut sends, mut files) = (self.turns(), self.sends(), self.files());
        for effect in effects {
            match effect {
                Effect::Organization(it) => directory.get_or_insert_with(present).put_organization(it),
                Effect::Tenant(tenant) => {
                    // It may have been given more.
                    turns.resume(&());
                    woken.turns = true;
                    given.push(tenant.id);
                    directory.get_or_insert_with(present).put_tenant(tenant);
                }
                Effect::Sender(sender) => {
                    woken.by_sender(&sender.name, &self.asleep, (&mut turns, &mut sends), now);
                    directory.get_or_insert_with(present).put_sender(sender);
                }
                Effect::SenderGone(name) => {
                    woken.by_sender(&name, &self.asleep, (&mut turns, &mut sends), now);
                    directory.get_or_insert_with(present).remove_sender(&name);
                }
                Effect::Waha(waha) => directory.get_or_insert_with(present).set_waha(waha),
                Effect::Keys(keys) => self.keys.store(Arc::new(keys)),
                Effect::Collection(tenant, name) => self.parsed.forget(tenant, &name),
                Effect::Waits { key, id, due, class, alone } => {
                    turns.put(&key, id, due.item(((), key.tenant), class, alone, now));
                    self.asleep.call(&key, &key, &mut turns, now);
                    woken.turns = true;
                }
                Effect::TurnDone { key, gone } => {
                    gone.iter().for_each(|id| turns.remove(&key, id));
                    turns.release(&key);
                    woken.turns |= turns.next_at().is_some();
                    woken.watchers.push(self.wakes.history.of(&key));
                }
                Effect::Queued { key, seq, sender, due, class } => {
                    sends.put(&key, seq, due.item((sender, key.tenant), class, true, now));
                    woken.sends = true;
                    woken.watchers.push(self.wakes.history.of(&key));
                }
                Effect::Unqueued { key, seq } => {
                    sends.remove(&key, &seq);
                    woken.watchers.push(self.wakes.history.of(&key));
                }
                Effect::SendDone { key, seq } => {
                    sends.release_claim(&key, &seq);
                    woken.sends |= sends.next_at().is_some();
                }
                Effect::Human { key, answers: true } => drop(lock(&self.humans).insert(key)),
                Effect::Human { key, answers: false } => drop(lock(&self.humans).remove(&key)),
                Effect::Moved(moved) => {
                    woken.watchers.extend([&moved.from, &moved.into].map(|key| self.wakes.history.of(key)));
                    moved.apply(&mut turns, &mut sends, &self.asleep, now);
                    (woken.turns, woken.sends) = (true, true);
                }
                Effect::OptedOut(by) => drop(self.opted_out.fetch_add(by, Ordering::AcqRel)),
                Effect::Line(key) => woken.watchers.push(self.wakes.history.of(&key)),
                Effect::File { key, waits } => {
                    given.push(key.tenant);
                    woken.files |= files.settle(&key, waits);
                }
            }
        }
        directory.into_iter().for_each(|directory| self.directory.store(Arc::new(directory)));
        woken.files |= self.hold_files(&mut files, given.iter().copied());
        self.hold_turns(&mut turns, given);
        woken
    }
}

#[derive(Default)]
struct Woken<'m> {
    turns: bool,
    sends: bool,
    watchers: Vec<&'m Notify>,
    files: bool,
}

impl Woken<'_> {
    /// It was switched on or given another rate, or nobody waits for it any more.
    fn by_sender(
        &mut self,
        name: &SenderName,
        asleep: &Asleep,
        (turns, sends): (&mut Turns, &mut Sends),
        now: Timestamp,
    ) {
        sends.resume(name);
        asleep.call_of(name, turns, now);
        (self.turns, self.sends) = (true, true);
    }
}

/// What a start reads.
pub struct Loaded {
    pub directory: Directory,
    pub state: State,
    pub users: BTreeMap<u32, u64>,
    pub usage: HashMap<TenantId, Usage>,
    pub turns: Turns,
    pub sends: Sends,
    pub files: Fetches,
    pub next_timer: Timestamp,
    pub next_lookup: Timestamp,
    pub opted_out: i64,
    pub humans: HashSet<ConversationKey>,
}

/// Read at the end of a transaction, for what is kept in memory.
pub struct Sealed {
    pub users: Vec<(u32, u64)>,
    pub usage: Vec<(TenantId, Usage)>,
    /// `None`: unchanged.
    pub next_timer: Option<Timestamp>,
    /// `None`: unchanged.
    pub next_lookup: Option<Timestamp>,
}
