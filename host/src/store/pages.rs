//! What is read page by page: lines, journals and listings, each within a number of entries and of bytes.
//! However much is kept, reading a page costs about as much as the page.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::Deserialize;

use super::{AuditEntry, Filter, Result, SendId, SendSummary, TurnSummary};
use crate::conversation::{HistoryEntry, JournalEntry};
use crate::message::{ConversationKey, Timestamp};

/// Which entries of a conversation: the newest of those after `after` and before `before`, as far as they
/// fit.
#[derive(Clone, Debug)]
pub struct Span {
    pub after: Option<u64>,
    pub before: Option<Before>,
    pub limit: usize,
    /// As they are kept. The newest is read however large it is.
    pub bytes: usize,
}

impl Span {
    /// However large they are.
    pub fn newest(limit: usize) -> Self {
        Span { after: None, before: None, limit, bytes: usize::MAX }
    }
}

/// Where reading goes on, backwards: the place of an entry, and where several chains make one conversation
/// (it was merged), the next place in each. Text form `812`, `812,640,17`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Before {
    pub seq: u64,
    pub chains: Vec<u64>,
}

impl fmt::Display for Before {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.seq)?;
        self.chains.iter().try_for_each(|place| write!(formatter, ",{place}"))
    }
}

impl FromStr for Before {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let places: std::result::Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
        let mut places = places.map_err(|_| "before: is no place; write an entry's `seq`".to_owned())?;
        let seq = places.remove(0);
        Ok(Before { seq, chains: places })
    }
}

impl TryFrom<String> for Before {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

/// Entries of a conversation in order, with their places.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch<T> {
    pub entries: Vec<(u64, T)>,
    /// Where those before them are; `None`: there are none.
    pub earlier: Option<Before>,
}

/// What fits of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub entries: Vec<T>,
    /// There are others.
    pub more: bool,
    /// Where they begin, for a filter's `after`.
    pub next: Option<String>,
}

/// What is listed, and the lines and journals of conversations.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Lines of a conversation.
    async fn history_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<HistoryEntry>>;
    /// What the turns of a conversation came to.
    async fn journal_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<JournalEntry>>;
    /// Turns that wait or died, within `bytes`: the dead come first, and a page is in the order of arrival.
    async fn turns_page(&self, filter: &Filter, bytes: usize) -> Result<Page<TurnSummary>>;
    /// The same of replies that ended, and of those that wait or are being sent.
    async fn outbox_page(&self, filter: &Filter, bytes: usize) -> Result<Page<SendSummary>>;
    /// The audit log, newest first.
    async fn audit_page(&self, limit: usize, bytes: usize) -> Result<Page<AuditEntry>>;
    /// Every turn that the filter lets through, `most` at most.
    async fn turns_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>>;
    /// The same of replies.
    async fn sends_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>>;
    /// A turn that waits or died, by its id.
    async fn turn(&self, id: &str) -> Result<Option<TurnSummary>>;
    /// A reply that waits or ended, by its id.
    async fn send(&self, id: &str) -> Result<Option<SendSummary>>;
    /// Has everything the contact said been answered, as far as it will be?
    async fn is_settled(&self, key: &ConversationKey, now: Timestamp) -> Result<bool>;

    // However large they are: for those who bound what is kept, or how many they read.

    /// The newest `limit` entries after `after`, in order, with their places.
    async fn history(
        &self,
        key: &ConversationKey,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, HistoryEntry)>> {
        Ok(self.history_span(key, &Span { after, ..Span::newest(limit) }).await?.entries)
    }

    /// What the newest `limit` turns came to, oldest first.
    async fn journal(&self, key: &ConversationKey, limit: usize) -> Result<Vec<JournalEntry>> {
        let newest = self.journal_span(key, &Span::newest(limit)).await?;
        Ok(newest.entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// [`Pages::turns_page`] of any size.
    async fn turns(&self, filter: &Filter) -> Result<Vec<TurnSummary>> {
        Ok(self.turns_page(filter, usize::MAX).await?.entries)
    }

    /// [`Pages::outbox_page`] of any size.
    async fn outbox(&self, filter: &Filter) -> Result<Vec<SendSummary>> {
        Ok(self.outbox_page(filter, usize::MAX).await?.entries)
    }

    /// [`Pages::audit_page`] of any size.
    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>> {
        Ok(self.audit_page(limit, usize::MAX).await?.entries)
    }
}

/// What is free of a page. The first entry always has room.
pub struct Free {
    entries: usize,
    bytes: usize,
    is_empty: bool,
}

impl Free {
    pub fn new(entries: usize, bytes: usize) -> Self {
        Free { entries, bytes, is_empty: true }
    }

    /// What one more entry may take.
    pub fn room(&self) -> usize {
        match (self.entries, self.is_empty) {
            (0, _) => 0,
            (_, true) => usize::MAX,
            (_, false) => self.bytes,
        }
    }

    /// Takes an entry of this size in; `false`: there is no room for it.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.entries = self.entries.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_empty = false;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_go_on_is_read_as_it_was_written() {
        for (seq, chains) in [(812, vec![]), (812, vec![640, 17]), (0, vec![0])] {
            let before = Before { seq, chains };
            assert_eq!(before.to_string().parse(), Ok(before));
        }
        for wrong in ["", ",", "x", "1,", "-1", "1,x", "1 2"] {
            assert!(wrong.parse::<Before>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_page_has_room_for_its_first_entry_and_for_what_fits_beside_it() {
        let mut free = Free::new(3, 100);
        assert!(free.take(60) && free.take(40));
        assert!(!free.take(1), "the bytes are used up");
        let mut free = Free::new(3, 100);
        assert!(free.take(1000), "the first is never too large");
        assert!(!free.take(1));
        let mut free = Free::new(1, 100);
        assert!(free.take(1) && !free.take(1), "there may be one");
        assert!(!Free::new(0, 100).take(1));
    }
}
