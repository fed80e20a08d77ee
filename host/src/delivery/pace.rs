//! Who may send now, and who when. Each rate has its meters: a tenant's, a sender's, and one for each
//! contact of a sender.
//!
//! A reply that comes too early is given a place by one meter at a time, first by its tenant's and
//! then by its sender's, and keeps it while it waits; a place in the sender's row is only given out
//! when it can be used, so that a slow tenant leaves no gaps in it. Which place a reply has is known
//! to this process only: after a restart the rows form anew.

use std::collections::HashMap;

use crate::message::{ContactKey, SenderName, TenantId, Timestamp};
use crate::policy::rate::{Meter, Rate};
use crate::policy::recent::Recent;
use crate::store::SendId;

/// Contacts whose pace is remembered. One that is forgotten has a fresh burst.
const PAIRS: usize = 50_000;

/// Places of replies that were dropped while they waited are looked for when there are so many.
const PLACES: usize = 10_000;

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
    places: HashMap<SendId, Place>,
    /// So many places may be kept before those of nobody are looked for.
    places_before_sweep: usize,
}

/// Which row a reply stands in, and when it is its turn.
#[derive(Clone, Copy, Debug)]
enum Place {
    Tenant(Timestamp),
    Sender(Timestamp),
}

impl Pacer {
    pub fn new() -> Self {
        Pacer {
            tenants: HashMap::new(),
            senders: HashMap::new(),
            pairs: Recent::new(PAIRS),
            places: HashMap::new(),
            places_before_sweep: PLACES,
        }
    }

    /// Counts the reply as sent, or says when to ask again.
    pub fn admit(
        &mut self,
        id: &SendId,
        sender: &SenderName,
        rates: &Rates,
        now: Timestamp,
    ) -> Option<Timestamp> {
        // One reply of a conversation asks at a time, so that nobody takes its place with the contact.
        if let Some(rate) = rates.pair {
            let at = self.pair(id, sender).free_at(rate, now);
            if at > now {
                return Some(at);
            }
        }
        let place = self.places.get(id).copied();
        let wait = match place {
            Some(Place::Tenant(at) | Place::Sender(at)) if at > now => Some(at),
            Some(Place::Sender(_)) => None,
            Some(Place::Tenant(_)) => self.enter_sender(id, sender, rates, now),
            None => self.enter_tenant(id, rates, now).or_else(|| self.enter_sender(id, sender, rates, now)),
        };
        if wait.is_none() {
            if place.is_some() {
                self.places.remove(id);
            }
            if let Some(rate) = rates.pair {
                self.pair(id, sender).take(rate, now);
            }
        }
        wait
    }

    /// The reply will not be sent: its place is nobody's.
    pub fn forget(&mut self, id: &SendId) {
        self.places.remove(id);
    }

    fn pair(&mut self, id: &SendId, sender: &SenderName) -> &mut Meter {
        self.pairs.at(&(sender.clone(), id.key.contact.clone()))
    }

    fn enter_tenant(&mut self, id: &SendId, rates: &Rates, now: Timestamp) -> Option<Timestamp> {
        let at = self.tenants.entry(id.key.tenant).or_default().take(rates.tenant?, now);
        (at > now).then(|| self.keep(id, Place::Tenant(at), at, now))
    }

    fn enter_sender(
        &mut self,
        id: &SendId,
        sender: &SenderName,
        rates: &Rates,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let rate = rates.sender?;
        if !self.senders.contains_key(sender) {
            self.senders.insert(sender.clone(), Meter::default());
        }
        let at = self.senders.get_mut(sender)?.take(rate, now);
        (at > now).then(|| self.keep(id, Place::Sender(at), at, now))
    }

    fn keep(&mut self, id: &SendId, place: Place, at: Timestamp, now: Timestamp) -> Timestamp {
        const LONG_GONE_MS: i64 = 10 * 60_000;
        if self.places.len() >= self.places_before_sweep {
            self.places.retain(|_, place| {
                let (Place::Tenant(at) | Place::Sender(at)) = place;
                at.plus_ms(LONG_GONE_MS) > now
            });
            self.places_before_sweep = PLACES.max(self.places.len() * 2);
        }
        self.places.insert(id.clone(), place);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ConversationKey;

    fn id(tenant: u32, who: usize, seq: u64) -> SendId {
        let contact = ContactKey::from_stored(format!("97150{who}"));
        SendId { key: ConversationKey { tenant: TenantId::from_stored(tenant), contact }, seq }
    }

    /// Everybody asks whenever told to; `(who, when it went)` in the order of going.
    fn run(
        pacer: &mut Pacer,
        wants: &[(SendId, &str)],
        rates: impl Fn(&SendId) -> Rates,
    ) -> Vec<(SendId, i64)> {
        let mut waiting: Vec<(i64, usize)> = (0..wants.len()).map(|n| (0, n)).collect();
        let mut went = Vec::new();
        while !waiting.is_empty() {
            waiting.sort();
            let (at, n) = waiting.remove(0);
            let (id, sender) = &wants[n];
            let now = Timestamp::from_ms(1_772_366_400_000 + at);
            match pacer.admit(id, &SenderName::new(*sender), &rates(id), now) {
                None => went.push((id.clone(), at)),
                Some(again) => {
                    let again = again.as_ms() - 1_772_366_400_000;
                    assert!(again > at, "it is told to come later");
                    waiting.push((again, n));
                }
            }
        }
        assert!(pacer.places.is_empty(), "nobody keeps a place");
        went
    }

    #[test]
    fn a_limited_sender_delays_only_itself() {
        let rates = |per_second| Rates { sender: Some(Rate::per_second(per_second, 1)), ..Rates::default() };
        let wants: Vec<_> =
            (0..20).map(|n| (id(1, n, n as u64), if n < 10 { "slow" } else { "quick" })).collect();
        let went = run(&mut Pacer::new(), &wants, |id| rates(if id.seq < 10 { 1 } else { 1_000 }));
        let last = |slow: bool| went.iter().filter(|(id, _)| (id.seq < 10) == slow).map(|(_, at)| *at).max();
        assert_eq!((last(true), last(false)), (Some(9_000), Some(9)));
        let slow: Vec<u64> = went.iter().map(|(id, _)| id.seq).filter(|seq| *seq < 10).collect();
        assert!(slow.is_sorted(), "in the order in which they came: {slow:?}");
    }

    #[test]
    fn a_limited_tenant_leaves_no_gaps_in_its_senders_row() {
        let wants: Vec<_> = (0..20).map(|n| (id(1 + n as u32 % 2, n, n as u64), "main")).collect();
        let went = run(&mut Pacer::new(), &wants, |id| Rates {
            tenant: (id.key.tenant.get() == 1).then(|| Rate::per_second(1, 1)),
            sender: Some(Rate::per_second(10, 1)),
            pair: None,
        });
        let times = |tenant: u32| -> Vec<i64> {
            went.iter().filter(|(id, _)| id.key.tenant.get() == tenant).map(|(_, at)| *at).collect()
        };
        assert!(times(2).last() <= Some(&1_000), "ten, of ten a second: {:?}", times(2));
        assert!(times(1).last() >= Some(&9_000), "ten, of one a second: {:?}", times(1));
    }

    #[test]
    fn a_contact_that_is_written_to_too_often_delays_only_itself() {
        let wants: Vec<_> = (0..10).map(|n| (id(1, usize::from(n >= 3) * n, n as u64), "main")).collect();
        let went = run(&mut Pacer::new(), &wants, |_| Rates {
            tenant: None,
            sender: Some(Rate::per_second(100, 1)),
            pair: Some(Rate::every_ms(6_000, 1)),
        });
        let to = |who: &str| -> Vec<i64> {
            let of = went.iter().filter(|(id, _)| id.key.contact.as_str() == who);
            of.map(|(_, at)| *at).collect()
        };
        let slow = to("971500");
        assert!(slow.len() == 3 && slow[1] >= 6_000 && slow[2] >= 12_000, "{slow:?}");
        assert!(went.iter().filter(|(id, _)| id.seq >= 3).all(|(_, at)| *at < 1_000), "{went:?}");
    }

    #[test]
    fn places_of_nobody_are_swept_out() {
        let mut pacer = Pacer::new();
        let rates = Rates { sender: Some(Rate::per_second(1_000, 1)), ..Rates::default() };
        let sender = SenderName::new("main");
        for n in 0..30_000_u64 {
            // An hour apart every thousand: those before it never come back.
            let now = Timestamp::from_ms(1_772_366_400_000 + (n as i64 / 1_000) * 3_600_000);
            pacer.admit(&id(1, 0, n), &sender, &rates, now);
        }
        assert!(pacer.places.len() <= PLACES, "{}", pacer.places.len());
        let known = id(1, 0, 29_999);
        assert!(pacer.places.contains_key(&known));
        pacer.forget(&known);
        assert!(!pacer.places.contains_key(&known));
    }
}
