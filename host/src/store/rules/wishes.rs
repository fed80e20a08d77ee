//! What contacts say about messages themselves: kept in the commit that takes the word in, and confirmed
//! in the gateway's name.

use super::replies::Why;
use super::{opt_outs, replies};
use crate::conversation::Author;
use crate::message::{Content, ConversationKey, Outbound, Timestamp};
use crate::opt_out::{self, Wish};
use crate::store::contacts::OptOut;
use crate::store::quotas::Shelf;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::{ReadRows, Rows, Step};
use crate::tenant::quotas::Kind;

/// A wish with the contact's own word for it.
pub struct Word {
    wish: Wish,
    said: String,
}

/// A message with such a word.
#[derive(Clone, Copy)]
pub struct Saying {
    /// Its arrival number.
    pub message: u64,
    /// When it was said,
    pub at: Timestamp,
    /// and when it came.
    pub now: Timestamp,
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
    pub fn matters(&self, rows: &impl ReadRows, key: &ConversationKey, at: Timestamp) -> Step<bool> {
        match self.wish {
            Wish::NoMore => Ok(opt_outs::may_refuse(rows, key)? && !opt_outs::is_past(rows, key, at)?),
            Wish::Again => opt_outs::is_opted_out(rows, key),
        }
    }

    /// Keeps the wish and tells the contact so, in its tenant's language. The caller keeps the conversation. The
    /// confirmation's place, if there is one.
    pub fn keep(
        &self,
        rows: &mut impl Rows,
        key: &ConversationKey,
        row: &mut ConversationRow,
        Saying { message, at, now }: Saying,
    ) -> Step<Option<u64>> {
        let directory = rows.index().directory.load_full();
        let language = directory.tenant(key.tenant).map_or("", |tenant| tenant.language.as_str());
        let said = Packed::new(&Outbound::text(opt_out::confirmation(self.wish, language)));
        // Who says it over and over is heard each time, and told as often as there is room for it.
        let waiting = rows.usage(key.tenant).of(Shelf::Outbox).rows + 1;
        let room = rows.index().allow(key.tenant, Kind::WaitingReplies, waiting);
        let place = match row.conversation.sender.clone().filter(|_| room.is_ok()) {
            Some(sender) => {
                let why = Why::answer(Author::Gateway, Some(message), Some(now));
                Some(replies::queue(rows, key, (row, sender), why, said, now)?)
            }
            None => None,
        };
        match self.wish {
            Wish::NoMore => {
                opt_outs::refuse(rows, key, OptOut::by_contact(now, &self.said, place))?;
            }
            Wish::Again => {
                opt_outs::lift(rows, key, at)?;
            }
        }
        Ok(place)
    }
}
