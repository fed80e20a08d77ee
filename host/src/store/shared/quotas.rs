//! Where it is decided whether a tenant may: before a turn is handed out, before something more of it is
//! kept, before a change of its own is made. A turn waits, everything else is refused with the limit, what
//! is used, and when there is some again; a line in the log says so once a level and hour.

use sha2::{Digest as _, Sha256};

use super::fetches::Fetches;
use super::index::Index;
use super::lock::lock;
use super::schedules::Turns;
use crate::conversation::JournalEntry;
use crate::message::{ConversationKey, TenantId, Timestamp};
use crate::policy::quota::{Level, Meter, day_of, next_day, refusal};
use crate::schedule::Admits;
use crate::store::quotas::{Gauge, Shelf, Usage};
use crate::store::rows::packed::Packed;
use crate::store::{Error, Limit, Result};
use crate::tenant::quotas::{Kind, Quotas};

/// One use of a quota, as it is judged.
struct Use {
    tenant: TenantId,
    kind: Kind,
    used: u64,
    limit: u64,
}

impl Use {
    /// Says it, if it is news.
    fn tell(&self, meter: &mut Meter, steady_ms: u64, level: Level) {
        if !meter.is_news(self.kind, level, steady_ms) {
            return;
        }
        let Use { tenant, kind, used, limit } = self;
        let (quota, unit) = (kind.name(), kind.unit().name());
        if level == Level::Over {
            tracing::warn!(%tenant, quota, unit, used, limit, "a tenant's quota is used up; see `switchboard tenant quotas`");
        } else {
            tracing::warn!(%tenant, quota, unit, used, limit, "four fifths of a tenant's quota are used");
        }
    }
}

/// What is kept is not asked by the clock; what is said of it goes by the time that was told last.
impl Index {
    pub fn quotas_of(&self, tenant: TenantId) -> Quotas {
        match self.directory.load().tenant(tenant) {
            Some(tenant) => self.settings.quotas.with(&tenant.quotas),
            None => self.settings.quotas,
        }
    }

    /// Is it earlier than when this was asked last?
    pub fn was_set_back(&self, now: Timestamp) -> bool {
        lock(&self.meters).last.replace(now).is_some_and(|last| now < last)
    }

    /// May the tenant begin a turn? Then it is counted; else, when to ask again.
    pub fn admit(&self, tenant: TenantId, now: Timestamp) -> std::result::Result<(), Timestamp> {
        let (quotas, usage) = (self.quotas_of(tenant), self.usage(tenant));
        let (turns, fuel) = usage.on(day_of(now));
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(tenant, now);
        let lately = meter.turns.used(steady_ms);
        let mut until = None;
        for (kind, used, frees_at) in [
            (Kind::TurnsPerDay, turns, next_day(now)),
            (Kind::FuelPerDay, fuel, next_day(now)),
            (
                Kind::TurnsPerMinute,
                lately,
                later(now, meter.turns.frees_in(quotas.turns_per_minute, steady_ms)),
            ),
        ] {
            let limit = quotas.of(kind);
            if used >= limit {
                until = until.max(Some(frees_at));
            }
            Use { tenant, kind, used, limit }.tell(meter, steady_ms, Level::of(used, limit));
        }
        match until {
            Some(until) => Err(until),
            None => {
                meter.turns.add(1, steady_ms);
                Ok(())
            }
        }
    }

    /// The turn that was just admitted does not run.
    pub fn take_back(&self, tenant: TenantId, now: Timestamp) {
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(tenant, now);
        meter.turns.take_back(1, steady_ms);
    }

    /// May the tenant have this much of what is kept? Refused with [`Error::Limit`].
    pub fn allow(&self, tenant: TenantId, kind: Kind, wanted: u64) -> Result<()> {
        let quotas = self.quotas_of(tenant);
        let limit = quotas.of(kind);
        let level = if wanted > limit { Level::Over } else { Level::of(wanted, limit).min(Level::Near) };
        if level > Level::Fine {
            self.tell(&Use { tenant, kind, used: wanted, limit }, level);
        }
        if level == Level::Over {
            return Err(used_up(kind, &quotas, wanted, None));
        }
        Ok(())
    }

    /// Holds these tenants to the replies that may wait: from four fifths on their timers wait, at the
    /// limit all their turns do. So they do while more is kept of them than can be trimmed in passing, and
    /// for as long as they are not active.
    /// Whether one is held otherwise than before.
    pub fn hold_turns(&self, turns: &mut Turns, tenants: impl IntoIterator<Item = TenantId>) -> bool {
        let kind = Kind::WaitingReplies;
        let mut changed = false;
        for tenant in tenants {
            let (usage, quotas) = (self.usage(tenant), self.quotas_of(tenant));
            let (used, limit) = (used(kind, &usage, Timestamp::ZERO), quotas.of(kind));
            let level = Level::of(used, limit);
            if level > Level::Fine {
                self.tell(&Use { tenant, kind, used, limit }, level);
            }
            let piles_up = self.piles_up(tenant, &usage, &quotas);
            let asleep = self.directory.load().tenant(tenant).is_some_and(|tenant| !tenant.active);
            let admits = match level {
                _ if asleep || piles_up => Admits::Nothing,
                Level::Fine => Admits::All,
                Level::Near => Admits::Answers,
                Level::Over => Admits::Nothing,
            };
            let is_news = turns.admit(tenant, admits);
            if piles_up && is_news {
                self.wakes.trims.notify_one();
            }
            changed |= is_news;
        }
        changed
    }

    /// Holds these tenants to the room that they have for files. Whether something may be claimed now that
    /// could not before.
    pub fn hold_files(&self, files: &mut Fetches, tenants: impl IntoIterator<Item = TenantId>) -> bool {
        let mut news = false;
        for tenant in tenants {
            // Most tenants wait for no file.
            if !files.is_known(tenant) {
                continue;
            }
            let (usage, quotas) = (self.usage(tenant), self.quotas_of(tenant));
            let fits = usage.of(Shelf::Files).rows <= quotas.of(Kind::Files);
            let room = quotas.of(Kind::FileBytes).saturating_sub(usage.file_bytes);
            if fits && room == 0 {
                self.tell_used_up(tenant, Kind::FileBytes, usage.file_bytes);
            }
            news |= files.give(tenant, if fits { room } else { 0 });
        }
        news
    }

    /// Is so much more kept of the tenant than it may have that it cannot wait to be trimmed?
    fn piles_up(&self, tenant: TenantId, usage: &Usage, quotas: &Quotas) -> bool {
        let mut piles_up = false;
        for kind in
            [Kind::HistoryBytes, Kind::EndedRepliesBytes, Kind::DeadTurnsBytes, Kind::TemplateUseBytes]
        {
            let (used, limit) = (used(kind, usage, Timestamp::ZERO), quotas.of(kind));
            if used > with_an_eighth(limit) {
                self.tell(&Use { tenant, kind, used, limit }, Level::Over);
                piles_up = true;
            }
        }
        piles_up
    }

    /// May this be added to a tenant's history past its turns? Refused with [`Error::Limit`].
    pub fn allow_line(&self, tenant: TenantId, usage: &Usage) -> Result<()> {
        let (kind, quotas) = (Kind::HistoryBytes, self.quotas_of(tenant));
        let used = usage.of(Shelf::History).bytes;
        if used > with_an_eighth(quotas.of(kind)) {
            return Err(used_up(kind, &quotas, used, None));
        }
        Ok(())
    }

    /// May a conversation begin? Refused with [`Error::Limit`].
    pub fn allow_conversation(&self, tenant: TenantId, usage: &Usage) -> Result<()> {
        let kept = usage.of(Shelf::Conversations);
        self.allow(tenant, Kind::Conversations, kept.rows + 1)?;
        self.allow(tenant, Kind::ConversationBytes, kept.bytes + 1)
    }

    /// Says that nothing is left of it, if that is news.
    pub fn tell_used_up(&self, tenant: TenantId, kind: Kind, used: u64) {
        let limit = self.quotas_of(tenant).of(kind);
        self.tell(&Use { tenant, kind, used, limit }, Level::Over);
    }

    fn tell(&self, told: &Use, level: Level) {
        let mut meters = lock(&self.meters);
        let now = meters.last.unwrap_or_default();
        let (meter, steady_ms) = meters.at(told.tenant, now);
        told.tell(meter, steady_ms, level);
    }

    /// The entry as it is written: whole, or, from a tenant that has written too much, with what is long
    /// in it replaced by its length and digest.
    pub fn journaled(&self, tenant: TenantId, entry: &JournalEntry, now: Timestamp) -> Packed<JournalEntry> {
        let whole = Packed::new(entry);
        let quotas = self.quotas_of(tenant);
        let bytes = whole.as_kept().len() as u64;
        let kept = self.usage(tenant).of(Shelf::Journal).bytes;
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(tenant, now);
        let lately = meter.journal.used(steady_ms).saturating_add(bytes);
        let most = with_an_eighth(quotas.journal_bytes);
        let fits = lately <= quotas.journal_bytes_per_minute && kept.saturating_add(bytes) <= most;
        for (kind, used) in [(Kind::JournalBytesPerMinute, lately), (Kind::JournalBytes, kept)] {
            let limit = quotas.of(kind);
            Use { tenant, kind, used, limit }.tell(meter, steady_ms, Level::of(used, limit));
        }
        if fits {
            meter.journal.add(bytes, steady_ms);
            return whole;
        }
        drop(meters);
        let digest = hex::encode(Sha256::digest(whole.as_kept()));
        Packed::new(&entry.brief(whole.as_kept().len(), &digest))
    }

    /// How much of every quota the tenant has used.
    pub fn gauges(&self, tenant: TenantId, now: Timestamp) -> Vec<Gauge> {
        let (quotas, usage) = (self.quotas_of(tenant), self.usage(tenant));
        let own = self.directory.load().tenant(tenant).map(|tenant| tenant.quotas).unwrap_or_default();
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(tenant, now);
        let gauge = |kind: &Kind| {
            let (kind, limit) = (*kind, quotas.of(*kind));
            let (used, frees_at) = match meter.window(kind) {
                Some(window) => (window.used(steady_ms), later(now, window.frees_in(limit, steady_ms))),
                None => (used(kind, &usage, now), next_day(now)),
            };
            let (level, by_time) = match kind {
                Kind::TurnsUnprompted if used > 0 => (Level::Over, false),
                Kind::TurnsUnprompted => (Level::Fine, false),
                Kind::TurnsPerDay | Kind::FuelPerDay => (Level::of(used, limit), true),
                _ => (Level::of(used, limit), meter.window(kind).is_some()),
            };
            Gauge {
                name: kind.name(),
                unit: kind.unit(),
                limit,
                used,
                level,
                frees_at: (by_time && level == Level::Over).then_some(frees_at),
                own: own.of(kind).is_some(),
            }
        };
        Kind::ALL.iter().map(gauge).collect()
    }

    /// Refused with [`Error::Limit`] where a window has no room.
    pub fn spend(&self, tenant: TenantId, kind: Kind, amount: u64, now: Timestamp) -> Result<()> {
        let quotas = self.quotas_of(tenant);
        let limit = quotas.of(kind);
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(tenant, now);
        let Some(window) = meter.window(kind) else { return Ok(()) };
        let (used, frees_in) = (window.used(steady_ms), window.frees_in(limit, steady_ms));
        if frees_in == 0 {
            window.add(amount, steady_ms);
        }
        Use { tenant, kind, used, limit }.tell(meter, steady_ms, Level::of(used, limit));
        match frees_in {
            0 => Ok(()),
            ms => Err(used_up(kind, &quotas, used, Some(later(now, ms)))),
        }
    }

    /// A conversation's timers rang too often without a word.
    pub fn tell_silenced(&self, key: &ConversationKey, limit: u64, now: Timestamp) {
        let mut meters = lock(&self.meters);
        let (meter, steady_ms) = meters.at(key.tenant, now);
        let silenced = Use { tenant: key.tenant, kind: Kind::TurnsUnprompted, used: limit, limit };
        silenced.tell(meter, steady_ms, Level::Over);
    }
}

/// What is kept is trimmed now and then, and may pass its limit by this until then.
fn with_an_eighth(limit: u64) -> u64 {
    limit.saturating_add(limit / 8)
}

fn later(now: Timestamp, ms: u64) -> Timestamp {
    now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn used_up(kind: Kind, quotas: &Quotas, used: u64, frees_at: Option<Timestamp>) -> Error {
    let of = if frees_at.is_some() { Limit::Rate } else { Limit::Quota };
    Error::Limit { of, message: refusal(kind, quotas, used, frees_at) }
}

/// How much of a quota is used by what is kept and by the day; what windows measure is not in it.
fn used(kind: Kind, usage: &Usage, now: Timestamp) -> u64 {
    match kind {
        Kind::TurnsPerDay => usage.on(day_of(now)).0,
        Kind::FuelPerDay => usage.on(day_of(now)).1,
        // So many conversations are at it.
        Kind::TurnsUnprompted => usage.silenced,
        Kind::JournalBytes => usage.of(Shelf::Journal).bytes,
        Kind::HistoryBytes => usage.of(Shelf::History).bytes,
        Kind::EndedRepliesBytes => usage.of(Shelf::EndedSends).bytes,
        Kind::DeadTurnsBytes => usage.of(Shelf::DeadTurns).bytes,
        Kind::TemplateUseBytes => usage.of(Shelf::TemplateUses).bytes,
        Kind::Conversations => usage.of(Shelf::Conversations).rows,
        Kind::ConversationBytes => usage.of(Shelf::Conversations).bytes,
        Kind::TimerBytes => usage.of(Shelf::Timers).bytes,
        Kind::OptOuts => usage.of(Shelf::OptOuts).rows,
        Kind::WaitingTurns => usage.of(Shelf::Inbox).rows,
        Kind::WaitingReplies => usage.of(Shelf::Outbox).rows,
        Kind::Collections => usage.of(Shelf::Collections).rows,
        Kind::CollectionBytes => usage.of(Shelf::Collections).bytes,
        Kind::Files => usage.of(Shelf::Files).rows,
        Kind::FileBytes => usage.file_bytes,
        Kind::TurnsPerMinute
        | Kind::JournalBytesPerMinute
        | Kind::LogBytesPerMinute
        | Kind::UploadsPerHour
        | Kind::ChangesPerHour => 0,
    }
}
