//! What contacts say about messages themselves: kept in the commit that takes the word in, and confirmed
//! in the gateway's name.

use super::batch::{Batch, Step};
use super::codec::pack;
use super::replies::Why;
use super::rows::Kept;
use super::{opt_outs, replies};
use crate::conversation::Author;
use crate::message::{Content, ConversationKey, Outbound, Timestamp};
use crate::opt_out::{self, Wish};
use crate::store::contacts::OptOut;
use crate::store::quotas::Shelf;
use crate::tenant::quotas::Kind;

/// A wish with the contact's own word for it.
pub struct Word {
    wish: Wish,
    said: String,
}

impl Word {
    /// A caption is about its picture; what is written or pressed may be a word.
    pub fn of(content: &Content) -> Option<Self> {
        let said = match content {
            Content::Text { .. } | Content::Choice(_) => content.text()?,
            _ => return None,
        };
        let wish = opt_out::read(said)?;
        Some(Word { wish, said: said.trim().to_owned() })
    }

    pub fn is_stop(&self) -> bool {
        self.wish == Wish::NoMore
    }

    /// Does it change anything? `at`: when it was said.
    pub fn matters(&self, batch: &Batch<'_>, key: &ConversationKey, at: Timestamp) -> Step<bool> {
        match self.wish {
            Wish::NoMore => Ok(opt_outs::may_refuse(batch, key)? && !opt_outs::is_past(batch, key, at)?),
            Wish::Again => opt_outs::is_opted_out(batch, key),
        }
    }

    /// Keeps the wish and tells the contact so, in its tenant's language. The caller keeps the row. `at`:
    /// when it was said, by the message of this number. The confirmation's place, if there is one.
    pub fn keep(
        &self,
        batch: &mut Batch<'_>,
        key: &ConversationKey,
        kept: &mut Kept,
        (message, at, now): (u64, Timestamp, Timestamp),
    ) -> Step<Option<u64>> {
        let directory = batch.mirror.directory.load_full();
        let language = directory.tenant(key.tenant).map_or("", |tenant| tenant.language.as_str());
        let payload = pack(&Outbound::text(opt_out::confirmation(self.wish, language)));
        // Who says it over and over is heard each time, and told as often as there is room for it.
        let waiting = batch.usage(key.tenant).of(Shelf::Outbox).rows + 1;
        let room = batch.mirror.allow(key.tenant, Kind::WaitingReplies, waiting);
        let place = match kept.conversation.sender.clone().filter(|_| room.is_ok()) {
            Some(sender) => {
                let why = Why::answer(Author::Gateway, message, now);
                Some(replies::queue(batch, key, (kept, sender), why, &payload, now)?)
            }
            None => None,
        };
        match self.wish {
            Wish::NoMore => {
                opt_outs::refuse(batch, key, OptOut::by_contact(now, &self.said, place))?;
            }
            Wish::Again => {
                opt_outs::lift(batch, key, at)?;
            }
        }
        Ok(place)
    }
}
