//! How fast may be sent: a tenant's rate, a sender's, and that of a sender to one contact.
//!
//! A place in a sender's row is given out at the moment it can be used, to whoever's turn it is then.
//! Until the next one comes the whole sender waits; a tenant at its own rate waits alone and leaves no
//! gaps in its sender's row. Nothing is remembered of what waits, however much it is.

use std::collections::HashMap;

use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::policy::rate::{Meter, Rate};
use crate::policy::recent::Recent;
use crate::schedule::Pace;

/// Contacts whose pace is remembered. One that is forgotten has a fresh burst.
const PAIRS: usize = 50_000;

/// What holds for one reply. `None`: no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub tenant: Option<Rate>,
    pub sender: Option<Rate>,
    pub pair: Option<Rate>,
}

#[derive(Debug)]
pub struct Pacer {
    tenants: HashMap<TenantId, Meter>,
    senders: HashMap<SenderName, Meter>,
    pairs: Recent<(SenderName, ContactKey), Meter>,
}

impl Pacer {
    pub fn new() -> Self {
        Pacer { tenants: HashMap::new(), senders: HashMap::new(), pairs: Recent::new(PAIRS) }
    }

    /// Takes a place of the sender's and of the tenant's, or says who waits for one, and until when.
    pub fn take(&mut self, sender: &SenderName, tenant: TenantId, rates: &Rates, now: Timestamp) -> Pace {
        if let Some(rate) = rates.sender {
            let free_at = self.sender(sender).free_at(rate, now);
            if free_at > now {
                return Pace::GroupWaits(free_at);
            }
        }
        if let Some(rate) = rates.tenant {
            let meter = self.tenants.entry(tenant).or_default();
            let free_at = meter.free_at(rate, now);
            if free_at > now {
                return Pace::TenantWaits(free_at);
            }
            meter.take(rate, now);
        }
        if let Some(rate) = rates.sender {
            self.sender(sender).take(rate, now);
        }
        Pace::Go
    }

    /// The places are not used after all.
    pub fn give_back(&mut self, sender: &SenderName, tenant: TenantId, rates: &Rates) {
        if let Some((rate, meter)) = rates.sender.zip(self.senders.get_mut(sender)) {
            meter.give_back(rate);
        }
        if let Some((rate, meter)) = rates.tenant.zip(self.tenants.get_mut(&tenant)) {
            meter.give_back(rate);
        }
    }

    /// Counts one more to this contact, or says when there may be one. One reply of a conversation asks
    /// at a time, so that nobody takes its place.
    pub fn take_pair(
        &mut self,
        sender: &SenderName,
        contact: &ContactKey,
        rates: &Rates,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let rate = rates.pair?;
        let meter = self.pairs.at(&(sender.clone(), contact.clone()));
        let free_at = meter.free_at(rate, now);
        if free_at > now {
            return Some(free_at);
        }
        meter.take(rate, now);
        None
    }

    fn sender(&mut self, sender: &SenderName) -> &mut Meter {
        // A name is copied only when its sender comes up.
        if !self.senders.contains_key(sender) {
            self.senders.insert(sender.clone(), Meter::default());
        }
        self.senders.get_mut(sender).expect("it is there since the line above at the latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_772_366_400_000 + ms)
    }

    fn tenant(id: u32) -> TenantId {
        TenantId::from_stored(id)
    }

    #[test]
    fn a_sender_at_its_limit_waits_as_a_whole_until_its_next_place() {
        let mut pacer = Pacer::new();
        let (slow, quick) = (SenderName::new("slow"), SenderName::new("quick"));
        let rates = |per_second| Rates { sender: Some(Rate::per_second(per_second, 1)), ..Rates::default() };
        assert_eq!(pacer.take(&slow, tenant(1), &rates(1), at(0)), Pace::Go);
        for asked in [0, 1, 999] {
            let told = pacer.take(&slow, tenant(2), &rates(1), at(asked));
            assert_eq!(told, Pace::GroupWaits(at(1_000)), "asking takes no place");
        }
        assert_eq!(
            pacer.take(&quick, tenant(2), &rates(1_000), at(0)),
            Pace::Go,
            "another's limit is not its"
        );
        assert_eq!(pacer.take(&slow, tenant(2), &rates(1), at(1_000)), Pace::Go);
    }

    #[test]
    fn a_tenant_at_its_limit_waits_alone() {
        let mut pacer = Pacer::new();
        let main = SenderName::new("main");
        let limited =
            Rates { tenant: Some(Rate::per_second(1, 1)), sender: Some(Rate::per_second(10, 2)), pair: None };
        let unlimited = Rates { tenant: None, ..limited };
        assert_eq!(pacer.take(&main, tenant(1), &limited, at(0)), Pace::Go);
        assert_eq!(pacer.take(&main, tenant(1), &limited, at(0)), Pace::TenantWaits(at(1_000)));
        assert_eq!(pacer.take(&main, tenant(2), &unlimited, at(0)), Pace::Go, "it left its place to another");
        assert_eq!(pacer.take(&main, tenant(2), &unlimited, at(0)), Pace::GroupWaits(at(100)));
    }

    #[test]
    fn what_is_not_used_is_another_s() {
        let mut pacer = Pacer::new();
        let main = SenderName::new("main");
        let rate = Some(Rate::per_second(1, 1));
        let rates = Rates { tenant: rate, sender: rate, pair: None };
        for _ in 0..3 {
            assert_eq!(pacer.take(&main, tenant(1), &rates, at(0)), Pace::Go);
            pacer.give_back(&main, tenant(1), &rates);
        }
        assert_eq!(pacer.take(&main, tenant(1), &rates, at(0)), Pace::Go);
        assert_eq!(pacer.take(&main, tenant(1), &rates, at(0)), Pace::GroupWaits(at(1_000)));
    }

    #[test]
    fn a_contact_that_is_written_to_too_often_waits_alone() {
        let mut pacer = Pacer::new();
        let (main, rates) =
            (SenderName::new("main"), Rates { pair: Some(Rate::every_ms(6_000, 1)), ..Rates::default() });
        let mut ask = |who: &str, ms| pacer.take_pair(&main, &ContactKey::from_stored(who), &rates, at(ms));
        assert_eq!((ask("971501", 0), ask("971501", 10)), (None, Some(at(6_000))));
        assert_eq!((ask("971502", 10), ask("971501", 6_000)), (None, None));
    }
}
