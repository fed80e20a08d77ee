//! Asks WAHA whose phone a hidden id (`@lid`) is. Contacts come in under what they wrote from and wait
//! for nobody; what is learnt afterwards joins the two keys. Who is not known is asked for again, at
//! first soon, because WAHA learns as well, and then seldom.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use super::Sessions;
use crate::channel::waha::session as api;
use crate::clock;
use crate::event::SamePerson;
use crate::identity;
use crate::message::{ContactKey, Provider};
use crate::retry::Backoff;
use crate::store::contacts::Lookup;

const TICK: Duration = Duration::from_secs(1);
/// A store that says that something is due and hands out nothing is not asked without a pause.
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: usize = 64;
const AT_ONCE: usize = 4;

/// From a minute to a day.
const MISSES: Backoff = Backoff { base_ms: 60_000, max_ms: 86_400_000 };
/// How often whom was not known is remembered of this many; a start forgets it as well.
const REMEMBERED: usize = 65_536;

/// What came of asking.
enum Found {
    Phone(SamePerson),
    /// Not known, today.
    Nobody,
    /// Nobody can tell: not WAHA's, or a WAHA or an engine without this call.
    Never,
}

impl Sessions {
    /// Looks up what is due, for as long as the gateway runs.
    pub async fn look_up(self: Arc<Self>) {
        let mut misses: HashMap<ContactKey, u32> = HashMap::new();
        loop {
            let due = self.store.due_lookups(clock::now(), BATCH).unwrap_or_else(|error| {
                tracing::error!(%error, "the hidden ids that wait for a lookup cannot be read; trying again");
                Vec::new()
            });
            let full = due.len() == BATCH;
            let this = &self;
            let asked = due.into_iter().map(|lookup| async move {
                let found = this.whose_phone(&lookup).await;
                (lookup.contact, found)
            });
            let answers: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
            for (contact, found) in answers {
                self.keep(contact, found, &mut misses).await;
            }
            if !full {
                let nap = clock::nap(self.store.next_lookup_at(), TICK);
                tokio::time::sleep(nap.max(PAUSE)).await;
            }
        }
    }

    async fn whose_phone(&self, lookup: &Lookup) -> Found {
        let directory = self.store.directory();
        let Some(sender) = directory.senders.get(&lookup.sender) else { return Found::Never };
        if sender.provider != Provider::Waha || !identity::is_hidden(&lookup.contact) {
            return Found::Never;
        }
        let sender = self.located(sender);
        match self.ask(api::phone_of(&sender, &lookup.contact), api::read_phone_of).await {
            // A number of our own is nobody's who writes to us.
            Ok(Some(phone)) if sender.number.as_deref() != Some(phone.as_str()) => Found::Phone(SamePerson {
                provider: Provider::Waha,
                account: sender.account,
                known: lookup.contact.clone(),
                also: phone,
                message_id: None,
                at: clock::now(),
                reason: "hidden id looked up".into(),
            }),
            Ok(_) => Found::Nobody,
            Err(error) => {
                tracing::debug!(sender = %sender.name, %error, "a hidden id could not be looked up");
                Found::Nobody
            }
        }
    }

    async fn keep(&self, contact: ContactKey, found: Found, misses: &mut HashMap<ContactKey, u32>) {
        let now = clock::now();
        let kept = match found {
            Found::Phone(same) => {
                misses.remove(&contact);
                tracing::debug!(
                    contact = contact.masked(),
                    phone = same.also.masked(),
                    "a hidden id has a phone"
                );
                self.store.learn(same, now).await.map(drop)
            }
            Found::Never => self.store.lookup_missed(&contact, None).await,
            Found::Nobody => {
                if misses.len() >= REMEMBERED {
                    misses.clear();
                }
                let times = misses.entry(contact.clone()).or_insert(0);
                *times = times.saturating_add(1);
                let wait = MISSES.delay_ms(*times, None, rand::random());
                let again = now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX));
                self.store.lookup_missed(&contact, Some(again)).await
            }
        };
        if let Err(error) = kept {
            tracing::error!(contact = contact.masked(), %error, "what a lookup said could not be kept; it is asked again");
        }
    }
}
