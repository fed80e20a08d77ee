//! What the store knows without asking the file: the directory, the counters, and who is next. It
//! changes after a commit and only by what was committed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::Settings;
use super::asleep::Asleep;
use super::batch::Sealed;
use super::codec::{Eye, Pen, Unreadable};
use super::collections::Parsed;
use super::early::Early;
use super::fetches::{Fetches, FileKey};
use super::merge::moved::Moved;
use super::quotas::Meters;
use super::trim::Trims;
use crate::clock;
use crate::message::{ConversationKey, SenderName, TenantId, Timestamp};
use crate::schedule::{Class, Item, Limits, SET_BACK_MS, Schedule};
use crate::seal::Ring;
use crate::store::quotas::Usage;
use crate::store::{Counters, InboxId, Wakes};
use crate::tenant::{Directory, HouseWaha, Organization, Sender, Tenant};

/// All in one group.
pub type Turns = Schedule<ConversationKey, (), InboxId>;
/// In groups of one sender each.
pub type Sends = Schedule<ConversationKey, SenderName, u64>;

/// The one row that nearly every commit writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub next_seq: u64,
    pub users: u64,
    pub inbox: u64,
    pub outbox_waiting: u64,
    pub outbox_dead: u64,
    pub outbox_unknown: u64,
    pub dead_turns: u64,
    pub conflicts: u64,
    pub accepted: u64,
    pub last_updated: Timestamp,
}

impl State {
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, 1);
        for number in [
            self.next_seq,
            self.users,
            self.inbox,
            self.outbox_waiting,
            self.outbox_dead,
            self.outbox_unknown,
            self.dead_turns,
            self.conflicts,
            self.accepted,
        ] {
            pen.u64(number);
        }
        pen.time(self.last_updated);
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut eye = Eye::new("meta", bytes, 1)?;
        Ok(State {
            next_seq: eye.u64()?,
            users: eye.u64()?,
            inbox: eye.u64()?,
            outbox_waiting: eye.u64()?,
            outbox_dead: eye.u64()?,
            outbox_unknown: eye.u64()?,
            dead_turns: eye.u64()?,
            conflicts: eye.u64()?,
            accepted: eye.u64()?,
            last_updated: eye.time()?,
        })
    }

    pub fn counters(&self, users_per_tenant: BTreeMap<u32, u64>) -> Counters {
        Counters {
            users: self.users,
            users_per_tenant,
            inbox: self.inbox,
            outbox_waiting: self.outbox_waiting,
            outbox_dead: self.outbox_dead,
            outbox_unknown: self.outbox_unknown,
            dead_turns: self.dead_turns,
            conflicts: self.conflicts,
            accepted: self.accepted,
            last_updated: self.last_updated,
        }
    }

    /// Something was counted at `now`.
    pub fn touch(&mut self, now: Timestamp) {
        self.last_updated = self.last_updated.max(now);
    }
}

/// When something is due, and when that was decided.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub at: Timestamp,
    pub decided_at: Timestamp,
}

impl Due {
    /// Where the clock was set back since, an answer keeps its distance from now, as in the schedules.
    fn item<G>(self, group: G, tenant: TenantId, class: Class, alone: bool) -> Item<G> {
        let back_ms = self.decided_at.as_ms().saturating_sub(clock::now().as_ms());
        let shifts = class == Class::Answer && back_ms > SET_BACK_MS;
        let due = if shifts { self.at.plus_ms(back_ms.saturating_neg()) } else { self.at };
        Item { group, tenant, due, class, alone }
    }
}

/// Something that a commit changed and a mirror shows.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large ones are rare, and each lives for one commit")]
pub enum Effect {
    Organization(Organization),
    Tenant(Tenant),
    Sender(Sender),
    SenderGone(SenderName),
    /// These keys open from now on, and the last of them seals.
    Keys(Ring),
    /// Senders that name no WAHA have this one from now on.
    Waha(HouseWaha),
    /// This tenant's collection of this name is another one now.
    Collection(TenantId, String),
    /// An entry came, or came back with another due time.
    Waits {
        key: ConversationKey,
        id: InboxId,
        due: Due,
        class: Class,
        alone: bool,
    },
    /// The claim of a turn ends; these entries are gone.
    TurnDone {
        key: ConversationKey,
        gone: Vec<InboxId>,
    },
    /// A reply waits, or waits for another time.
    Queued {
        key: ConversationKey,
        seq: u64,
        sender: SenderName,
        due: Due,
        class: Class,
    },
    /// A reply no longer waits.
    Unqueued {
        key: ConversationKey,
        seq: u64,
    },
    /// The claim of this reply ends.
    SendDone {
        key: ConversationKey,
        seq: u64,
    },
    /// A human took the conversation over, or gave it back.
    Human {
        key: ConversationKey,
        answers: bool,
    },
    /// What waits in a conversation waits under another key.
    Moved(Box<Moved>),
    /// So many contacts more, or fewer, want no messages.
    OptedOut(i64),
    /// A conversation's history changed, and nothing else did.
    Line(ConversationKey),
    /// A file is to be fetched then, through this sender; `None`: no longer.
    File {
        key: FileKey,
        waits: Option<(SenderName, Timestamp)>,
    },
}

#[derive(Debug, Default)]
struct Counted {
    state: State,
    users: BTreeMap<u32, u64>,
    usage: HashMap<TenantId, Usage>,
}

pub struct Mirror {
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
    pub(super) asleep: Asleep,
    pub parsed: Parsed,
    pub early: Early,
    /// What tenants used within minutes and hours, in this process.
    pub meters: Mutex<Meters>,
    /// Where those are trimmed who keep too much.
    pub trims: Mutex<Trims>,
    /// How far pruning has come among the tenants' sent templates.
    pub template_tenant: Mutex<u32>,
    /// How far pruning has come among the dead turns, and among the replies that have ended.
    pub ended: (Mutex<Vec<u8>>, Mutex<Vec<u8>>),
    /// How far pruning has come among the strangers.
    pub stranger: Mutex<Vec<u8>>,
    /// And among the hidden ids that were asked for.
    pub lookup: Mutex<Vec<u8>>,
    /// Those of the settings, until others are given.
    pub keys: ArcSwap<Ring>,
    /// Operations that were refused after they had written. Each is a bug: the others of its group were
    /// applied again.
    pub late_refusals: AtomicU64,
    pub commits: AtomicU64,
    /// Makes seeds that no contact can foresee.
    pub secret: [u8; 32],
}

/// A thread that panicked while it held a lock left at worst a stale schedule behind, which the next
/// commit or start corrects; serving on is better than not serving.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With nobody in them yet.
pub fn schedules(settings: &Settings) -> (Turns, Sends, Fetches) {
    // How many turns run at the same time their loop knows.
    let turns = Limits { in_all: usize::MAX, per_group: usize::MAX, per_tenant: settings.turns_per_tenant };
    (Schedule::new(turns), Schedule::new(settings.sends), Fetches::new(settings.fetches))
}

impl Mirror {
    pub fn new(settings: Settings, secret: [u8; 32]) -> Self {
        let (turns, sends, files) = schedules(&settings);
        Mirror {
            keys: ArcSwap::from_pointee(settings.keys.clone()),
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
            parsed: Parsed::default(),
            early: Early::default(),
            meters: Mutex::default(),
            trims: Mutex::default(),
            template_tenant: Mutex::default(),
            ended: Default::default(),
            stranger: Mutex::default(),
            lookup: Mutex::default(),
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
        *lock(&self.trims) = Trims::default();
        self.wakes.turns.notify_one();
        self.wakes.sends.notify_one();
        self.wakes.files.notify_one();
    }

    /// What a commit changed, before anybody hears of the commit.
    pub fn apply(&self, state: State, sealed: Sealed, effects: Vec<Effect>) {
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
        let woken = self.apply_effects(effects);
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

    fn apply_effects(&self, effects: Vec<Effect>) -> Woken<'_> {
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
                    woken.by_sender(&sender.name, &self.asleep, &mut turns, &mut sends);
                    directory.get_or_insert_with(present).put_sender(sender);
                }
                Effect::SenderGone(name) => {
                    woken.by_sender(&name, &self.asleep, &mut turns, &mut sends);
                    directory.get_or_insert_with(present).remove_sender(&name);
                }
                Effect::Waha(waha) => directory.get_or_insert_with(present).set_waha(waha),
                Effect::Keys(keys) => self.keys.store(Arc::new(keys)),
                Effect::Collection(tenant, name) => self.parsed.forget(tenant, &name),
                Effect::Waits { key, id, due, class, alone } => {
                    turns.put(&key, id, due.item((), key.tenant, class, alone));
                    self.asleep.call(&key, &key, &mut turns);
                    woken.turns = true;
                }
                Effect::TurnDone { key, gone } => {
                    gone.iter().for_each(|id| turns.remove(&key, id));
                    turns.release(&key);
                    woken.turns |= turns.next_at().is_some();
                    woken.watchers.push(self.wakes.history.of(&key));
                }
                Effect::Queued { key, seq, sender, due, class } => {
                    sends.put(&key, seq, due.item(sender, key.tenant, class, true));
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
                    moved.apply(&mut turns, &mut sends, &self.asleep);
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
    fn by_sender(&mut self, name: &SenderName, asleep: &Asleep, turns: &mut Turns, sends: &mut Sends) {
        sends.resume(name);
        asleep.call_of(name, turns, clock::now());
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
