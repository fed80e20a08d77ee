//! Asks WAHA whose phone a hidden id (`@lid`) is. Contacts come in under what they wrote from and wait
//! for nobody; what is learnt afterwards joins the two keys. Who is not known is asked for again, at
//! first soon, because WAHA learns as well, and then seldom.
//!
//! Whatever comes of an answer, its row moves on: it is due later, or never. Should one not, the floor
//! keeps WAHA from being asked for the same hidden id again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::Sessions;
use super::calls::Answered;
use crate::channel::waha::session::{self as api, Refusal};
use crate::clock;
use crate::event::{SameBecause, SamePerson};
use crate::identity;
use crate::message::{ContactKey, SenderName};
use crate::retry::Backoff;
use crate::store::contacts::Lookup;
use crate::tenant::Sender;
use crate::vitals;

const TICK: Duration = Duration::from_secs(1);
/// A store that says that something is due and hands out nothing is not asked without a pause.
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: usize = 256;
/// Asked for at the same time, and through one sender: one that hangs leaves places to the others.
const AT_ONCE: usize = 32;
const OF_SENDER: usize = 4;

/// From a minute or two to a day.
const MISSES: Backoff = Backoff { base_ms: 120_000, max_ms: 86_400_000 };
/// Where the session keeps nothing to look up in: until it does, which the watchdog sees to.
const STORE_OFF: Backoff = Backoff { base_ms: 120_000, max_ms: 3_600_000 };
/// As many are asked for at once when it does; the others in their time.
const ANEW: usize = 10_000;
/// Where WAHA refuses the call as it is.
const REFUSED_MS: i64 = 86_400_000;
/// Where WAHA could not be asked.
const PUT_OFF_MS: i64 = 60_000;
/// Between two questions for the same hidden id.
const FLOOR: Duration = Duration::from_secs(60);

/// What came of asking.
enum Found {
    Phone(SamePerson),
    /// Not known, today.
    Nobody,
    /// Nobody can tell: not WAHA's, or a WAHA or an engine without this call.
    Never,
    /// Nobody could tell, until the session's store is on.
    StoreOff,
    Refused,
    /// WAHA could not be asked, which says nothing of the hidden id.
    Unasked,
}

/// When each hidden id was asked for last, as far as that matters.
#[derive(Default)]
struct Floor(HashMap<ContactKey, Instant>);

impl Floor {
    /// What it need not remember any more.
    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, asked| now.saturating_duration_since(*asked) < FLOOR);
    }

    /// May it be asked for now? Then it is.
    fn passes(&mut self, contact: &ContactKey, now: Instant) -> bool {
        let passes = self.0.get(contact).is_none_or(|asked| now.saturating_duration_since(*asked) >= FLOOR);
        if passes {
            self.0.insert(contact.clone(), now);
        }
        passes
    }
}

/// Hidden ids that are being asked for, and through whom.
#[derive(Default)]
struct Busy(HashMap<ContactKey, SenderName>);

impl Busy {
    /// Of those that are due what may be asked for beside them: then it is one of them.
    fn take(&mut self, due: Vec<Lookup>) -> Vec<Lookup> {
        let mut may = |lookup: &Lookup| {
            let of_sender = self.0.values().filter(|sender| **sender == lookup.sender).count();
            let may =
                self.0.len() < AT_ONCE && of_sender < OF_SENDER && !self.0.contains_key(&lookup.contact);
            if may {
                self.0.insert(lookup.contact.clone(), lookup.sender.clone());
            }
            may
        };
        due.into_iter().filter(|lookup| may(lookup)).collect()
    }
}

impl Sessions {
    /// Looks up what is due, for as long as the gateway runs. Those whose WAHA takes its time wait for it
    /// alone.
    pub async fn look_up(self: Arc<Self>) {
        let mut floor = Floor::default();
        let mut asking = FuturesUnordered::new();
        let mut busy = Busy::default();
        loop {
            floor.forget(Instant::now());
            let next = if busy.0.len() < AT_ONCE { busy.take(self.due().await) } else { Vec::new() };
            for lookup in next {
                let passes = floor.passes(&lookup.contact, Instant::now());
                let this = self.clone();
                asking.push(async move {
                    let found = match passes {
                        // A panic would only come again at once.
                        true => vitals::survived(this.whose_phone(&lookup)).await.unwrap_or(Found::Unasked),
                        false => Found::Unasked,
                    };
                    if !this.keep(&lookup, found).await {
                        // What could not be kept is still due: without a nap WAHA would be asked without end.
                        tokio::time::sleep(TICK).await;
                    }
                    lookup.contact
                });
            }
            let nap = clock::nap(self.store.next_lookup_at(), TICK).max(PAUSE);
            tokio::select! {
                Some(contact) = asking.next() => drop(busy.0.remove(&contact)),
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    async fn due(&self) -> Vec<Lookup> {
        self.store.due_lookups(clock::now(), BATCH).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the hidden ids that wait for a lookup cannot be read; trying again");
            Vec::new()
        })
    }

    /// The session begins to keep what hidden ids are looked up in: what it did not know is asked for anew.
    pub(super) async fn look_up_again(&self, sender: &Sender) {
        if let Err(error) = self.store.look_up_again(&sender.name, clock::now(), ANEW).await {
            tracing::warn!(sender = %sender.name, %error, "hidden ids could not be made due; they are asked for later");
        }
    }

    async fn whose_phone(&self, lookup: &Lookup) -> Found {
        let directory = self.store.directory();
        let Some(sender) = directory.senders.get(&lookup.sender) else { return Found::Never };
        if !sender.provider().has_sessions() || !identity::is_hidden(&lookup.contact) {
            return Found::Never;
        }
        let Ok(request) = api::phone_of(sender, &lookup.contact) else { return Found::Unasked };
        match self.send(sender, request, api::read_phone_of).await {
            // A number of our own is nobody's who writes to us.
            Ok(Answered::Done(Some(phone))) if sender.number.as_deref() != Some(phone.as_str()) => {
                Found::Phone(SamePerson {
                    provider: sender.provider(),
                    account: sender.account.clone(),
                    known: lookup.contact.clone(),
                    also: phone,
                    message_id: None,
                    at: clock::now(),
                    because: SameBecause::LookedUp,
                })
            }
            Ok(Answered::Done(_)) => Found::Nobody,
            Ok(Answered::Refused(Refusal::NoCall(what))) => {
                tracing::debug!(sender = %sender.name, what, "WAHA looks up no hidden ids");
                Found::Never
            }
            Ok(Answered::Refused(Refusal::StoreOff)) => {
                tracing::debug!(sender = %sender.name, "the session keeps nothing that hidden ids could be looked up in");
                Found::StoreOff
            }
            Ok(Answered::Refused(Refusal::Refused(what))) => {
                tracing::debug!(sender = %sender.name, what, "WAHA refuses to look a hidden id up");
                Found::Refused
            }
            Ok(Answered::Refused(refusal)) => {
                tracing::debug!(sender = %sender.name, ?refusal, "a hidden id could not be looked up");
                Found::Unasked
            }
            Err(error) => {
                tracing::debug!(sender = %sender.name, %error, "a hidden id could not be looked up");
                Found::Unasked
            }
        }
    }

    /// Is it kept?
    async fn keep(&self, lookup: &Lookup, found: Found) -> bool {
        let (now, contact) = (clock::now(), &lookup.contact);
        let after = |backoff: Backoff| {
            let wait = backoff.delay_ms(lookup.misses.saturating_add(1), None, rand::random());
            Some(now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX)))
        };
        let kept = match found {
            Found::Phone(same) => {
                tracing::debug!(
                    contact = contact.masked(),
                    phone = same.also.masked(),
                    "a hidden id has a phone"
                );
                // Also where the two are not joined: what was answered is answered.
                match self.store.learn(same, now).await {
                    Ok(_) => self.store.lookup_missed(contact, None).await,
                    Err(error) => Err(error),
                }
            }
            Found::Never => self.store.lookup_missed(contact, None).await,
            Found::Nobody => self.store.lookup_missed(contact, after(MISSES)).await,
            Found::StoreOff => self.store.lookup_missed(contact, after(STORE_OFF)).await,
            Found::Refused => self.store.lookup_missed(contact, Some(now.plus_ms(REFUSED_MS))).await,
            Found::Unasked => {
                // Those that could not be asked together are not asked together again.
                let wait = rand::random_range(PUT_OFF_MS..2 * PUT_OFF_MS);
                self.store.lookup_put_off(contact, now.plus_ms(wait)).await
            }
        };
        if let Err(error) = &kept {
            tracing::error!(contact = contact.masked(), %error, "what a lookup said could not be kept; it is asked again");
        }
        kept.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_takes_no_places_of_others() {
        let lookup = |sender: &str, n: usize| Lookup {
            contact: ContactKey::from_stored(format!("{sender}{n}@lid")),
            sender: SenderName::new(sender),
            misses: 0,
        };
        let mut busy = Busy::default();
        let hang = (0..100).map(|n| lookup("hangs", n));
        let taken = busy.take(hang.clone().chain([lookup("well", 0)]).collect());
        assert_eq!(taken.len(), OF_SENDER + 1, "{taken:?}");
        assert!(taken.iter().any(|taken| taken.sender.as_str() == "well"));
        let again = busy.take(vec![lookup("hangs", 0), lookup("hangs", 99)]);
        assert!(again.is_empty(), "one is being asked for, the other waits: {again:?}");
        busy.0.remove(&taken[0].contact);
        assert_eq!(busy.take(hang.collect()).len(), 1);
        busy.take((0..100).map(|n| lookup(&format!("s{n}-"), n)).collect());
        assert_eq!(busy.0.len(), AT_ONCE);
    }

    #[test]
    fn a_hidden_id_is_not_asked_for_twice_within_a_minute() {
        let (one, other) = (ContactKey::from_stored("111@lid"), ContactKey::from_stored("222@lid"));
        let (mut floor, began) = (Floor::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        for (contact, seconds, expected) in [
            (&one, 0, true),
            (&one, 1, false),
            (&other, 1, true),
            (&one, 59, false),
            (&one, 60, true),
            (&other, 60, false),
            (&other, 61, true),
        ] {
            assert_eq!(floor.passes(contact, at(seconds)), expected, "{contact} at {seconds}");
        }
        floor.forget(at(120));
        assert_eq!(floor.0.len(), 1, "nothing piles up");
    }
}
