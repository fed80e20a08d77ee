//! What strangers can make the gateway say as often as they like: the first of a kind is said at once, the
//! rest are counted and said together, once a minute. Every one is counted for the metrics.
//!
//! It knows kinds and no texts: who has something to say asks here whether to say it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::message::Provider;

use self::alike::Alike;

mod alike;

/// Of many so many are named.
const NAMED: usize = 5;

/// Between two lines of one kind.
pub const EVERY: Duration = Duration::from_secs(60);

/// `a, b, c, d, e and 295 more`.
pub fn some_of(names: &[&str]) -> String {
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A webhook's body did not come whole.
    WebhookBody,
    WebhookUnreadable,
    WebhookUnproven,
    WebhookNotKept,
    /// An item of a proven webhook for a sender whose keys it does not prove.
    ItemUnproven,
    /// An item for an account that no sender has.
    AccountUnknown,
    /// An item that should be readable, and is not.
    ItemUnreadable,
    /// An address that leads to no tenant, or to another than the webhook's own words.
    TenantDisputed,
    Handshake,
    /// A request of the API without a key.
    KeyMissing,
    /// And with one that is none.
    KeyWrong,
    /// With a right one, for what is not its to do.
    NotAllowed,
    /// With a right one, too often.
    TooOften,
    /// A page of another site had a browser send it.
    AnotherSite,
    /// An address of a file that nobody signed, or that is too old.
    LinkWrong,
    ConnectionsAll,
    ConnectionsOfPeer,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Kind::WebhookBody => "webhook_body",
            Kind::WebhookUnreadable => "webhook_unreadable",
            Kind::WebhookUnproven => "webhook_unproven",
            Kind::WebhookNotKept => "webhook_not_kept",
            Kind::ItemUnproven => "item_unproven",
            Kind::AccountUnknown => "account_unknown",
            Kind::ItemUnreadable => "item_unreadable",
            Kind::TenantDisputed => "tenant_disputed",
            Kind::Handshake => "handshake",
            Kind::KeyMissing => "key_missing",
            Kind::KeyWrong => "key_wrong",
            Kind::NotAllowed => "not_allowed",
            Kind::TooOften => "too_often",
            Kind::AnotherSite => "another_site",
            Kind::LinkWrong => "link_wrong",
            Kind::ConnectionsAll => "connections_all",
            Kind::ConnectionsOfPeer => "connections_of_peer",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabels {
    pub reason: &'static str,
}

/// Bounded by itself: there are as many entries as kinds and providers.
#[derive(Debug, Default)]
pub struct Repeats {
    said: Mutex<BTreeMap<(Kind, Option<Provider>), Said>>,
    pub counted: Family<ReasonLabels, Counter>,
    /// Of senders.
    pub alike: Alike,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

/// A state that lasts: told when it begins and when it ends, and not with each try in between.
#[derive(Debug, Default)]
pub struct Lasting(AtomicBool);

impl Lasting {
    /// It is so now. Is that news?
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// It is so no more. Is that news?
    pub fn ends(&self) -> bool {
        // Nearly always it was not.
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

impl Repeats {
    /// Counts it. If it is to be said now: how many like it were left out since the last one was.
    pub fn say(&self, kind: Kind, provider: Option<Provider>) -> Option<u64> {
        self.counted.get_or_create(&ReasonLabels { reason: kind.name() }).inc();
        self.say_at(kind, provider, Instant::now())
    }

    fn say_at(&self, kind: Kind, provider: Option<Provider>, now: Instant) -> Option<u64> {
        let mut said = self.lock();
        let Some(last) = said.get_mut(&(kind, provider)) else {
            said.insert((kind, provider), Said { at: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(last.at) < EVERY {
            last.left_out += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.left_out))
    }

    /// Says what was left out and is not going to be said by one more of its kind.
    pub fn sum_up(&self) {
        self.alike.sum_up();
        for (kind, provider, times) in self.left_out(Instant::now()) {
            let provider = provider.map(Provider::name);
            tracing::warn!(kind, provider, times, "the same again, so many times since it was told");
        }
    }

    fn left_out(&self, now: Instant) -> Vec<(&'static str, Option<Provider>, u64)> {
        let mut said = self.lock();
        let due =
            said.iter_mut().filter(|(_, said)| said.left_out > 0 && now.duration_since(said.at) >= EVERY);
        due.map(|((kind, provider), said)| {
            said.at = now;
            (kind.name(), *provider, std::mem::take(&mut said.left_out))
        })
        .collect()
    }

    /// Whatever broke off in between, at worst a line is said once more.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Kind, Option<Provider>), Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_and_the_rest_are_told_together() {
        let repeats = Repeats::default();
        let began = Instant::now();
        let say =
            |kind, provider, after_s| repeats.say_at(kind, provider, began + Duration::from_secs(after_s));
        assert_eq!(say(Kind::KeyWrong, None, 0), Some(0));
        for _ in 0..1_000 {
            assert_eq!(say(Kind::KeyWrong, None, 59), None);
        }
        assert_eq!(say(Kind::KeyMissing, None, 59), Some(0), "another kind");
        let (waha, meta) = (Some(Provider::Waha), Some(Provider::Meta));
        assert_eq!(say(Kind::WebhookUnproven, waha, 59), Some(0));
        assert_eq!(say(Kind::WebhookUnproven, meta, 59), Some(0), "another provider");
        assert_eq!(say(Kind::KeyWrong, None, 60), Some(1_000));
        assert_eq!(say(Kind::KeyWrong, None, 61), None);
        assert_eq!(repeats.left_out(began + Duration::from_secs(100)), [], "not long enough ago");
        let later = began + Duration::from_secs(121);
        assert_eq!(repeats.left_out(later), [("key_wrong", None, 1)], "nobody came to say it");
        assert_eq!(repeats.left_out(later), []);
    }
}
