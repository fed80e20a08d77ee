//! What stands before every reply on its way out: the policy, the templates, the pace. Nothing has
//! begun when it is asked; what it holds back costs the reply no attempt.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::pace::{Pacer, Rates};
use super::patience::Patience;
use crate::channel;
use crate::config;
use crate::egress::circuits::{Circuits, Hold, Lane, Of};
use crate::egress::{self, LOOK};
use crate::message::{self, Outbound, OutboundContent, SenderName, Timestamp};
use crate::policy::circuit::Held;
use crate::policy::quota::Steady;
use crate::policy::rate::{self, Rate};
use crate::policy::{self, Contact, OptedOut, Reply, Rules, Verdict, window};
use crate::refused_keys::RefusedKeys;
use crate::route;
use crate::schedule::{Candidate, Pace};
use crate::store::contacts::Contacts;
use crate::store::conversations::Conversations;
use crate::store::templates::Templates;
use crate::store::{self, SendClaim, Settlement};
use crate::template::{Registered, Status};
use crate::tenant::policy::Policy;
use crate::tenant::{Directory, Sender, Tenant};

/// A reply that the store cannot tell enough about is looked at again after this time.
const STORE_PAUSE_MS: i64 = 250;

/// What waits for a sender that is switched off is looked at again after this time, to see whether it
/// has waited for too long.
const SWITCHED_OFF_MS: i64 = 30_000;

/// What the gate asks of the store.
pub trait GateStore: Contacts + Conversations + Templates {}

impl<T: Contacts + Conversations + Templates> GateStore for T {}

pub struct Gate {
    store: Arc<dyn GateStore>,
    settings: config::Policy,
    patience: Patience,
    pacer: Pacer,
    /// What the pacer goes by: a clock that is set back makes nobody wait.
    steady: Steady,
    circuits: Arc<Circuits>,
    refused_keys: Arc<RefusedKeys>,
    /// Senders whose replies wait for room, and where, since this was last asked for.
    held_up: Vec<(Hold, SenderName)>,
    /// Senders that were found switched off and have not been found switched on since.
    switched_off: HashSet<SenderName>,
}

/// What becomes of a claimed reply.
#[derive(Debug)]
pub enum Decision {
    Send(Box<Parcel>),
    /// Nothing is wrong, it is only not its turn: to be claimed again then.
    Wait(Timestamp),
    Settle(Settlement),
}

/// May a reply go out, by the policy and the templates?
enum Checked {
    Goes(Box<Parcel>),
    /// It may not, and that is what becomes of it.
    Ends(Settlement),
}

/// Is there all that is needed to send a reply?
pub enum Packed {
    Whole(Box<Parcel>),
    /// It goes out as a template, and there is none. Why, and what to do.
    Lacks(String),
}

/// A reply with all that is needed to send it.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub sender: Arc<Sender>,
    /// Goes out in place of what was to be said.
    pub instead: Option<Outbound>,
    /// Of a template: as it was approved.
    pub template: Option<Registered>,
}

impl Gate {
    pub fn new(
        store: Arc<dyn GateStore>,
        settings: config::Policy,
        patience: Patience,
        (circuits, refused_keys): (Arc<Circuits>, Arc<RefusedKeys>),
    ) -> Self {
        Gate {
            store,
            settings,
            patience,
            pacer: Pacer::new(),
            steady: Steady::default(),
            circuits,
            refused_keys,
            held_up: Vec::new(),
            switched_off: HashSet::new(),
        }
    }

    /// May this be claimed now? It has a place of its sender's and its tenant's rate then, until it is
    /// decided otherwise.
    pub fn pace(
        &mut self,
        candidate: &Candidate<'_, SenderName>,
        directory: &Directory,
        now: Timestamp,
    ) -> Pace {
        // Without a sender that carries it it comes to its end, and takes nobody's place.
        let Some(sender) = directory.senders.get(candidate.group) else { return Pace::Go };
        if route::carries(sender, candidate.tenant, None).is_err() {
            return Pace::Go;
        }
        if !sender.active {
            return self.switched_off(candidate, now);
        }
        if !self.switched_off.is_empty() && self.switched_off.remove(&sender.name) {
            tracing::info!(sender = %sender.name, "the sender is switched on: its replies go out");
        }
        let rates = self.rates(sender, directory.tenant(candidate.tenant).map(Arc::as_ref));
        // Looked at before anything is taken: what waits anyway takes nobody's place.
        if let Some(wait) = self.refused_keys.holds(sender, now) {
            return self.waits(candidate, wait, now);
        }
        let steady = self.steady(now);
        match self.pacer.take(&sender.name, candidate.tenant, &rates, steady) {
            Pace::Go => {}
            Pace::GroupWaits(until) => return Pace::GroupWaits(until.moved(steady, now)),
            Pace::TenantWaits(until) => return Pace::TenantWaits(until.moved(steady, now)),
        }
        let wait = self.held(sender).or_else(|| {
            let wait = self.refused_keys.waits(sender, now, rand::random());
            wait.inspect(|_| self.circuits.leave(Lane::Replies, &of(sender)))
        });
        let Some(wait) = wait else { return Pace::Go };
        self.pacer.give_back(&sender.name, candidate.tenant, &rates);
        self.waits(candidate, wait, now)
    }

    /// All of its sender wait so long, but for what has waited for too long.
    fn waits(&self, candidate: &Candidate<'_, SenderName>, wait: Duration, now: Timestamp) -> Pace {
        self.too_old(candidate, now).unwrap_or_else(|end| Pace::GroupWaits(end.min(after(now, wait))))
    }

    /// How long all its replies wait for who does not answer, or has no room; else this one has a place.
    fn held(&mut self, sender: &Sender) -> Option<Duration> {
        let hold = self.circuits.admits(Lane::Replies, &of(sender)).err()?;
        match hold.held {
            Held::For(wait) => Some(wait),
            Held::Full | Held::Asking => {
                self.held_up.push((hold, sender.name.clone()));
                Some(LOOK)
            }
        }
    }

    /// Whose replies are to be looked at again when there is room. Not called while they are claimed.
    pub fn held_up(&mut self) -> Vec<(Hold, SenderName)> {
        std::mem::take(&mut self.held_up)
    }

    fn steady(&mut self, now: Timestamp) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.steady.at(now)).unwrap_or(i64::MAX))
    }

    /// What has waited for too long comes to its end, whatever holds it up; else when it will have.
    fn too_old(&self, candidate: &Candidate<'_, SenderName>, now: Timestamp) -> Result<Pace, Timestamp> {
        let end = self.patience.ends(candidate.due);
        if end <= now { Ok(Pace::Go) } else { Err(end) }
    }

    /// All of them wait, and that is said once. What has waited for too long comes to its end.
    fn switched_off(&mut self, candidate: &Candidate<'_, SenderName>, now: Timestamp) -> Pace {
        let sender = candidate.group;
        if !self.switched_off.contains(sender) {
            tracing::warn!(%sender, "the sender is switched off: its replies wait");
            self.switched_off.insert(sender.clone());
        }
        let look = now.plus_ms(SWITCHED_OFF_MS);
        self.too_old(candidate, now).unwrap_or_else(|end| Pace::TenantWaits(end.min(look)))
    }

    pub async fn decide(&mut self, claim: &SendClaim, directory: &Directory, now: Timestamp) -> Decision {
        let Some(sender) = directory.senders.get(&claim.entry.sender) else {
            let error = format!("there is no sender named {}", claim.entry.sender);
            return Decision::Settle(Settlement::Dead { error });
        };
        // Whose the contact is on a shared sender is asked when the reply begins, in the same commit.
        if let Err(why) = route::carries(sender, claim.id.key.tenant, None) {
            return Decision::Settle(Settlement::Dead { error: why.to_string() });
        }
        let switched_off = (!sender.active).then(|| format!("the sender {} is switched off", sender.name));
        let why = switched_off.as_deref().unwrap_or("it waited for too long");
        if let Some(settlement) = self.patience.end(&claim.entry, why, now) {
            return Decision::Settle(settlement);
        }
        if switched_off.is_some() {
            return Decision::Wait(now.plus_ms(SWITCHED_OFF_MS));
        }
        // The gateway's own words have no tenant.
        let tenant = directory.tenant(claim.id.key.tenant).map(Arc::as_ref);
        let rates = self.rates(sender, tenant);
        let steady = self.steady(now);
        let decision = match self.check(claim, sender, tenant, now).await {
            Ok(Checked::Goes(parcel)) => {
                match self.pacer.take_pair(&sender.name, &claim.id.key.contact, &rates, steady) {
                    None => return Decision::Send(parcel),
                    Some(at) => Decision::Wait(at.moved(steady, now)),
                }
            }
            Ok(Checked::Ends(settlement)) => Decision::Settle(settlement),
            Err(error) => {
                tracing::error!(msg = claim.entry.message, conversation = %claim.id.key, reply = claim.id.seq, %error, "a reply cannot be checked; trying again");
                Decision::Wait(now.plus_ms(STORE_PAUSE_MS))
            }
        };
        self.pacer.give_back(&sender.name, claim.id.key.tenant, &rates);
        self.circuits.leave(Lane::Replies, &of(sender));
        self.refused_keys.untried(sender, now);
        decision
    }

    /// May it go out, and as what?
    async fn check(
        &self,
        claim: &SendClaim,
        sender: &Arc<Sender>,
        tenant: Option<&Tenant>,
        now: Timestamp,
    ) -> store::Result<Checked> {
        let entry = &claim.entry;
        let opt_out = self.store.opt_out(&claim.id.key).await?;
        let window_ms = sender.provider().window_ms();
        // Asked only where it matters.
        let heard_at = match window_ms {
            Some(_) => {
                self.store.conversation(&claim.id.key).await?.map(|conversation| conversation.wrote_at)
            }
            None => None,
        };
        let default = Policy::default();
        let policy = tenant.map_or(&default, |tenant| &tenant.policy);
        let rules = Rules { window_ms, policy, zone: &zone(tenant) };
        let contact = Contact {
            opted_out: opt_out.as_ref().map(|it| OptedOut {
                since: it.since,
                reason: &it.note,
                confirmed_by_this: it.lets_out(&claim.id),
            }),
            heard_at: heard_at.unwrap_or(Timestamp::ZERO),
        };
        let reply =
            Reply { content: &entry.outbound.content, author: entry.author, occasion: entry.occasion };
        let instead = match policy::decide(&reply, &contact, &rules, now) {
            Verdict::Send => None,
            Verdict::Instead(template) => Some(template),
            Verdict::Later { at, why } => {
                return Ok(Checked::Ends(Settlement::Postponed { until: at, why }));
            }
            Verdict::Never { why } => return Ok(Checked::Ends(Settlement::Dead { error: why })),
        };
        Ok(match parcel(&*self.store, claim, sender, instead).await? {
            Packed::Whole(parcel) => Checked::Goes(parcel),
            Packed::Lacks(error) => Checked::Ends(Settlement::Dead { error }),
        })
    }

    fn rates(&self, sender: &Sender, tenant: Option<&Tenant>) -> Rates {
        let own = tenant.and_then(|tenant| tenant.policy.rate_per_second);
        let tenant = own.unwrap_or(self.settings.tenant_per_second);
        Rates {
            tenant: (tenant > 0).then(|| Rate::per_second(tenant, tenant / 10)),
            sender: rate::of_sender(sender.provider(), sender.rate_per_second),
            pair: (sender.provider().facts().platform.pair_limit)
                .then(|| Rate::every_ms(self.settings.pair_every_ms, self.settings.pair_burst)),
        }
    }
}

/// Whom its replies are for.
pub fn of(sender: &Sender) -> Of {
    Of::new(&sender.name, egress::host_of(sender))
}

/// At least a millisecond later.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1))
}

/// The tenant's fallback template in place of a reply that the provider found the window closed for;
/// else why there is none.
pub async fn fallback(
    store: &dyn Templates,
    claim: &SendClaim,
    sender: &Arc<Sender>,
    policy: Option<&Policy>,
) -> store::Result<Packed> {
    let template = policy.and_then(|policy| policy.fallback_template.as_ref());
    match window::instead(&claim.entry.outbound.content, template) {
        Err(why) => Ok(Packed::Lacks(why)),
        Ok(template) => parcel(store, claim, sender, Some(template)).await,
    }
}

/// A template goes out as it was approved, or not at all.
async fn parcel(
    store: &dyn Templates,
    claim: &SendClaim,
    sender: &Arc<Sender>,
    instead: Option<message::Template>,
) -> store::Result<Packed> {
    let instead =
        instead.map(|template| Outbound { content: OutboundContent::Template(template), reply_to: None });
    let outbound = instead.as_ref().unwrap_or(&claim.entry.outbound);
    let template = match &outbound.content {
        // Where there are none, the adapter says so in its own words.
        OutboundContent::Template(wanted) if channel::adapter(sender.provider()).templates().is_some() => {
            let tenant = claim.id.key.tenant;
            match store.template(tenant, &sender.name, &wanted.name, &wanted.language).await? {
                Some(known) if known.status == Status::Approved => Some(known),
                Some(known) => {
                    let reason = known.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                    return Ok(Packed::Lacks(format!(
                        "the template {} ({}) is not approved: its status is {}{reason}; retry this when it is",
                        wanted.name, wanted.language, known.status
                    )));
                }
                None => {
                    return Ok(Packed::Lacks(format!(
                        "tenant {tenant} has no template {} ({}) at the sender {}; create it and have it \
                         approved, then retry this",
                        wanted.name, wanted.language, sender.name
                    )));
                }
            }
        }
        _ => None,
    };
    Ok(Packed::Whole(Box::new(Parcel { sender: sender.clone(), instead, template })))
}

/// Checked when the tenant was declared; without one the hours are UTC's.
fn zone(tenant: Option<&Tenant>) -> TimeZone {
    let quiet = tenant.filter(|tenant| tenant.policy.quiet_hours.is_some());
    quiet.and_then(|tenant| TimeZone::get(&tenant.time_zone).ok()).unwrap_or(TimeZone::UTC)
}
