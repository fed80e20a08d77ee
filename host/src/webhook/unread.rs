//! What a webhook told that should be readable and is not: it is counted, said and kept, and taken in when
//! a program can read it.

use serde::Serialize;
use serde_json::Value;

use super::proven::{Found, Proven};
use super::{Refusal, Webhook, ignored};
use crate::channel::{self, DecodeError};
use crate::clock;
use crate::event::{Event, Topic, Unread};
use crate::message::Provider;
use crate::repeats::Kind;
use crate::store;
use crate::store::unread::{UnreadBody, UnreadId};
use crate::tenant::{Directory, Sender};

/// What became of the kept webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Read whole now, and kept no longer.
    pub taken: u64,
    /// Something of it still cannot be read.
    pub left: u64,
}

/// A body that is JSON and none of the provider's events.
pub fn strange(provider: Provider, error: &DecodeError) -> Unread {
    Unread::nameless(Topic::Item, provider, format!("no event of {provider}'s: {error}"))
}

/// The body, if it is to be kept: because something in it could not be read, for a sender that it proved
/// itself to.
pub fn to_keep(
    provider: Provider,
    body: &[u8],
    events: &[Event],
    proven: &Proven,
    directory: &Directory,
) -> Option<UnreadBody> {
    let mut topics: Vec<Topic> = Vec::new();
    let mut reason = None;
    for event in events {
        if let Event::Unread(unread) = event
            && matches!(proven.sender_of(directory, event), Found::Sender(_))
        {
            topics.push(unread.topic);
            reason.get_or_insert_with(|| unread.left.reason.clone());
        }
    }
    topics.sort_unstable();
    topics.dedup();
    Some(UnreadBody {
        provider,
        received_at: clock::now(),
        topics,
        reason: reason?,
        body: String::from_utf8_lossy(body).into_owned(),
        proven: proven.names(),
        at_its_address: proven.address().cloned(),
        tenant: None,
    })
}

impl Webhook {
    /// Counted and said; the provider need not send it again.
    pub(super) fn unreadable(&self, sender: &Sender, unread: &Unread) -> Value {
        let (provider, reason) = (sender.provider(), unread.left.reason.as_str());
        self.metrics.unreadable(provider, unread.topic);
        if let Some(left_out) = self.metrics.repeats.say(Kind::ItemUnreadable, Some(provider)) {
            let event = unread.topic.name();
            tracing::warn!(%provider, sender = %sender.name, event, reason, left_out, "an event of a known kind cannot be read; it is kept for `switchboard webhook replay` after an upgrade");
        }
        ignored(reason, None)
    }

    /// Reads what is kept again, and takes in what can be read now. What was taken in before is found as a
    /// duplicate, as ever.
    pub async fn replay(&self) -> store::Result<Replayed> {
        let mut replayed = Replayed::default();
        let mut after: Option<UnreadId> = None;
        while let Some((id, body)) = self.store.unread(after.as_ref(), 1).await?.pop() {
            if self.read_again(&body).await? {
                self.store.forget_unread(id.clone()).await?;
                replayed.taken += 1;
            } else {
                replayed.left += 1;
            }
            after = Some(id);
        }
        Ok(replayed)
    }

    /// Was all of it read and taken in?
    async fn read_again(&self, kept: &UnreadBody) -> store::Result<bool> {
        let directory = self.store.directory();
        let (adapter, body) = (channel::adapter(kept.provider), kept.body.as_bytes());
        let Ok(claims) = adapter.claimed(body) else { return Ok(false) };
        let proven = Proven::again(kept, claims, &directory);
        let Ok(events) = channel::decode(kept.provider, body, proven.wants_groups()) else {
            return Ok(false);
        };
        let mut whole = true;
        for event in events.into_iter().map(|event| proven.settled(event)) {
            let taken = match (proven.sender_of(&directory, &event), event) {
                (_, Event::Alert(_) | Event::Ignored(_)) => Ok(Value::Null),
                (_, Event::Template(change)) => self.keep_template(&proven, &directory, change).await,
                (_, Event::Unread(_)) => {
                    whole = false;
                    continue;
                }
                (Found::Sender(sender), event) if sender.active => {
                    self.keep_for(&sender, event, kept.tenant).await
                }
                _ => {
                    whole = false;
                    continue;
                }
            };
            match taken {
                Ok(_) => {}
                Err(Refusal::Store(error)) => return Err(error),
                Err(_) => whole = false,
            }
        }
        Ok(whole)
    }
}
