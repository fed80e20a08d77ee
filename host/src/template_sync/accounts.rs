//! The lists of templates at the providers: every account's is looked at every so often, once, however
//! many senders share it. What webhooks did not tell, or told while nobody listened, is found here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Desk, Error, Result, is_past, locked};
use crate::channel;
use crate::channel::templates::Listed;
use crate::clock;
use crate::egress;
use crate::message::{Provider, SenderName, TenantId, Timestamp};
use crate::policy::circuit::leaves_room;
use crate::retry::Backoff;
use crate::template::news::News;
use crate::template::{Key, Registered, Status};
use crate::tenant::{Directory, Sender};
use crate::vitals;

const MINUTE_MS: i64 = 60_000;

/// The loop looks this often whose time has come.
const TICK: Duration = Duration::from_secs(2);

/// After a start, accounts that are due are looked at within this time and not all at once.
const SPREAD_MS: u64 = 5_000;

/// Accounts that are looked at at the same time.
const AT_ONCE: usize = 8;

/// Pages of one list; Meta's have a hundred templates. Behind them nothing is looked at, and what is not
/// found is not taken for deleted.
const PAGES: usize = 60;

/// A provider's list may not have what was submitted just before.
const SETTLING_MS: i64 = 10 * MINUTE_MS;

/// What templates belong to at a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    pub provider: Provider,
    pub id: String,
}

/// When an account's list was looked at, and when it is to be again.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// When the provider was asked for it last, whatever it answered.
    at: Option<Timestamp>,
    next: Timestamp,
    /// Since it last went well.
    failures: u32,
}

/// What a look came to.
#[derive(Debug, Default)]
pub struct Synced {
    pub templates: usize,
    /// Those whose status or category became another one.
    pub changed: Vec<Registered>,
    /// Senders whose lists were asked for a short while ago, each with when they may be again.
    pub later: Vec<(SenderName, Timestamp)>,
}

impl Account {
    pub fn of(sender: &Sender) -> Self {
        Account { provider: sender.provider(), id: sender.template_account().to_owned() }
    }
}

/// The accounts that have templates, each with its active senders in the order of their names.
fn accounts(directory: &Directory) -> BTreeMap<Account, Vec<Arc<Sender>>> {
    let mut accounts: BTreeMap<Account, Vec<Arc<Sender>>> = BTreeMap::new();
    for sender in directory.senders.values().filter(|sender| sender.active) {
        if channel::adapter(sender.provider()).templates().is_some() {
            accounts.entry(Account::of(sender)).or_default().push(sender.clone());
        }
    }
    for senders in accounts.values_mut() {
        senders.sort_by(|left, right| left.name.cmp(&right.name));
    }
    accounts
}

impl Desk {
    /// Looks at the lists until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        if self.settings.sync_minutes == 0 {
            // Off.
            return stop.cancelled().await;
        }
        let (mut looks, mut busy) = (FuturesUnordered::new(), HashMap::new());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(account) = looks.next() => drop(busy.remove(&account)),
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            for (account, senders) in self.due(clock::now()).await {
                let host = senders.first().map(|sender| egress::host_of(sender)).unwrap_or_default();
                // One that takes its time leaves places to the others, and so does a host of many.
                let at_host = busy.values().filter(|other| **other == host).count();
                if busy.contains_key(&account) || !leaves_room(at_host, AT_ONCE.saturating_sub(busy.len())) {
                    continue;
                }
                busy.insert(account.clone(), host);
                let this = self.clone();
                looks.push(async move {
                    // After a panic too it was asked for just now, and is not again at once.
                    vitals::survived(this.look_again(&account, &senders)).await;
                    account
                });
            }
        }
    }

    /// Whose time has come. Accounts that are gone are forgotten.
    async fn due(&self, now: Timestamp) -> Vec<(Account, Vec<Arc<Sender>>)> {
        let all = accounts(&self.store.directory());
        locked(&self.accounts).retain(|account, _| all.contains_key(account));
        let mut due = Vec::new();
        for (account, senders) in all {
            self.look_up(&account, &senders, now).await;
            if locked(&self.accounts).get(&account).is_some_and(|known| known.next <= now) {
                due.push((account, senders));
            }
        }
        due
    }

    /// An account that is new, or was not asked for since the start, is known after this.
    async fn look_up(&self, account: &Account, senders: &[Arc<Sender>], now: Timestamp) {
        if !locked(&self.accounts).contains_key(account) {
            let first = self.first(senders, now).await;
            locked(&self.accounts).entry(account.clone()).or_insert(first);
        }
    }

    /// After a start: when it would have been time anyway, so that starting again and again asks nobody
    /// more often.
    async fn first(&self, senders: &[Arc<Sender>], now: Timestamp) -> Looked {
        let known = self.store.templates_at(&names(senders)).await.unwrap_or_default();
        let at = known.iter().filter_map(|known| known.synced_at).max();
        let spread = i64::try_from(rand::random_range(0..SPREAD_MS)).unwrap_or(0);
        let every = senders.first().map_or(0, |sender| self.every_ms(sender.provider()));
        let next = match at {
            Some(at) if !is_past(Some(at), every, now) => at.plus_ms(every),
            _ => now.plus_ms(spread),
        };
        Looked { at, next, failures: 0 }
    }

    fn every_ms(&self, provider: Provider) -> i64 {
        let minutes = i64::from(self.settings.sync_minutes);
        (minutes * MINUTE_MS).max(pause_ms(provider))
    }

    /// Whoever takes an account is the only one to ask for its list until the pause is over; else when
    /// it is.
    async fn take(
        &self,
        account: &Account,
        senders: &[Arc<Sender>],
        now: Timestamp,
    ) -> std::result::Result<Looked, Timestamp> {
        self.look_up(account, senders, now).await;
        let mut looked = locked(&self.accounts);
        // Forgotten in between, with its last sender: there is nobody to ask any more.
        let Some(known) = looked.get_mut(account) else {
            return Err(now.plus_ms(pause_ms(account.provider)));
        };
        let pause = pause_ms(account.provider);
        if let Some(at) = known.at.filter(|at| !is_past(Some(*at), pause, now)) {
            known.next = known.next.max(at.plus_ms(pause));
            return Err(at.plus_ms(pause));
        }
        let before = *known;
        known.at = Some(now);
        Ok(before)
    }

    async fn look_again(&self, account: &Account, senders: &[Arc<Sender>]) {
        let looked = self.look(account, senders).await;
        // Somebody else has just asked.
        if let Err(error) = looked.or_else(|error| match error {
            Error::TooSoon { .. } => Ok(Synced::default()),
            error => Err(error),
        }) {
            let provider = account.provider;
            tracing::warn!(%provider, account = account.id, %error, "the list of templates cannot be had; trying again later");
        }
    }

    /// Looks at the lists of a tenant's accounts now, unless they were looked at right before. Only what
    /// is the tenant's is told.
    pub async fn sync(&self, tenant: TenantId, sender: Option<&SenderName>) -> Result<Synced> {
        let directory = self.store.directory();
        let mut synced = Synced::default();
        let (mut asked, mut soon) = (0, None);
        for (account, senders) in accounts(&directory) {
            let its = |one: &&Arc<Sender>| one.serves(tenant) && sender.is_none_or(|name| one.name == *name);
            if !senders.iter().any(|one| its(&one)) {
                continue;
            }
            match self.look(&account, &senders).await {
                Ok(mut found) => {
                    found.changed.retain(|known| known.tenant == tenant);
                    synced.changed.append(&mut found.changed);
                    asked += 1;
                }
                Err(Error::TooSoon { again, provider }) => {
                    let its = senders.iter().filter(its).map(|sender| (sender.name.clone(), again));
                    synced.later.extend(its);
                    soon = soon.or(Some(Error::TooSoon { again, provider }));
                }
                Err(error) => return Err(error),
            }
        }
        if asked == 0 {
            if let Some(soon) = soon {
                return Err(soon);
            }
            let other = directory
                .senders
                .values()
                .find(|one| one.serves(tenant) && sender.is_none_or(|name| one.name == *name));
            return Err(other.map_or(Error::NoSenders, |one| Error::NoTemplates(one.provider())));
        }
        synced.templates = self.store.templates(tenant).await?.len();
        Ok(synced)
    }

    /// Looks at one account's list, and says when it is to be looked at next.
    async fn look(&self, account: &Account, senders: &[Arc<Sender>]) -> Result<Synced> {
        let (began, provider) = (clock::now(), account.provider);
        let before = self.take(account, senders, began).await;
        let before = before.map_err(|again| Error::TooSoon { provider, again })?;
        let result = self.compare(senders, began).await;
        let every = self.every_ms(provider);
        let mut looked = locked(&self.accounts);
        let known = looked.entry(account.clone()).or_insert(before);
        known.failures = if result.is_ok() { 0 } else { known.failures.saturating_add(1) };
        let wait = if result.is_ok() {
            // Accounts that began together do not stay together.
            every.saturating_add(rand::random_range(0..=every / 10))
        } else {
            let backoff = Backoff { base_ms: MINUTE_MS.unsigned_abs(), max_ms: every.unsigned_abs() };
            let delay = backoff.delay_ms(known.failures, None, rand::random());
            i64::try_from(delay).unwrap_or(every).max(pause_ms(provider))
        };
        // Where nothing is known, or no request can be made, nobody was asked.
        let asked =
            !matches!(&result, Ok(Synced { templates: 0, .. }) | Err(Error::Encode(_) | Error::NotAsked(_)));
        let at = if asked { Some(began) } else { before.at };
        *known = Looked { at, next: began.plus_ms(wait), ..*known };
        result
    }

    async fn compare(&self, senders: &[Arc<Sender>], began: Timestamp) -> Result<Synced> {
        let known = self.store.templates_at(&names(senders)).await?;
        let Some(sender) = senders.first().filter(|_| !known.is_empty()) else {
            return Ok(Synced::default());
        };
        let list = self.list(sender).await?;
        let directory = self.store.directory();
        // What has become another one since the list was asked for is not what the list speaks of.
        let under_way = locked(&self.under_way).clone();
        let known: Vec<Registered> = self.store.templates_at(&names(senders)).await?;
        let told: Vec<(Key, News)> = known
            .iter()
            .filter(|known| known.changed_at <= began && !under_way.contains(&known.key()))
            .map(|known| {
                let dedicated =
                    directory.senders.get(&known.sender).is_some_and(|sender| sender.tenant.is_some());
                (known.key(), list.news(known, dedicated, began))
            })
            .collect();
        let changed = self.store.record_template_sync(told, clock::now()).await?;
        for known in &changed {
            let template = &known.template;
            tracing::info!(
                tenant = %known.tenant, sender = %known.sender, template = template.name,
                language = template.language, status = %known.status, "a template changed at the provider"
            );
        }
        Ok(Synced { templates: known.len(), changed, later: Vec::new() })
    }

    /// All pages, one after the other.
    async fn list(&self, sender: &Sender) -> Result<List> {
        let adapter = channel::adapter(sender.provider());
        let api = adapter.templates().ok_or(Error::NoTemplates(sender.provider()))?;
        let mut list = List { templates: Vec::new(), whole: false };
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let request = api.list(sender, after.as_deref())?;
            let page = self
                .ask(sender, request, |answer| api.listed(answer.status, &answer.headers, &answer.body))
                .await?;
            list.templates.extend(page.templates);
            // A page that names itself as the next one would be asked for without end.
            if page.next.is_none() || page.next == after {
                list.whole = page.next.is_none();
                return Ok(list);
            }
            after = page.next;
        }
        tracing::warn!(sender = %sender.name, pages = PAGES, "the list of templates is longer than is looked at");
        Ok(list)
    }
}

/// Between two looks at one list, however urgent the second.
fn pause_ms(provider: Provider) -> i64 {
    i64::from(provider.facts().list_minutes) * MINUTE_MS
}

fn names(senders: &[Arc<Sender>]) -> Vec<SenderName> {
    senders.iter().map(|sender| sender.name.clone()).collect()
}

/// What a provider has.
struct List {
    templates: Vec<Listed>,
    /// Is what is not in it not there?
    whole: bool,
}

impl List {
    fn news(&self, known: &Registered, dedicated: bool, began: Timestamp) -> News {
        // On a number that many share, a draft may have the name of what somebody else has there.
        let speaks_of_it = known.is_submitted() || dedicated;
        match self.find(known).filter(|_| speaks_of_it) {
            Some(listed) => News {
                provider_id: listed.id.clone(),
                status: Some(listed.status),
                category: listed.category,
                reason: listed.reason.clone(),
                told_at: None,
            },
            None if self.whole
                && known.is_submitted()
                && is_past(Some(known.changed_at), SETTLING_MS, began) =>
            {
                News {
                    status: Some(Status::Deleted),
                    reason: Some("the provider's list no longer has it".into()),
                    ..News::default()
                }
            }
            None => News::default(),
        }
    }

    /// By the provider's id; else by name and language, where the list has one.
    fn find(&self, known: &Registered) -> Option<&Listed> {
        let same_id = |listed: &&Listed| listed.id.is_some() && listed.id == known.provider_id;
        let same_name = |listed: &&Listed| {
            listed.name == known.template.name
                && (listed.language == known.template.language || listed.language.is_empty())
        };
        self.templates.iter().find(same_id).or_else(|| self.templates.iter().find(same_name))
    }
}

#[cfg(test)]
mod tests;
