//! The store's side of what is read page by page.

use super::{Embedded, listing, reads, told};
use crate::conversation::{HistoryEntry, JournalEntry};
use crate::message::{ConversationKey, Timestamp};
use crate::store::pages::{Page, Pages, Span, Stretch};
use crate::store::{AuditEntry, Filter, Result, SendId, SendSummary, TurnSummary};

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

impl Pages for Embedded {
    fn history_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<HistoryEntry>> {
        self.read(|snapshot| reads::history(snapshot, key, span))
    }

    fn journal_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<JournalEntry>> {
        self.read(|snapshot| reads::journal(snapshot, key, span))
    }

    fn turns_page(&self, filter: &Filter, bytes: usize) -> Result<Page<TurnSummary>> {
        self.read(|snapshot| listing::page(self.mirror(), snapshot, filter, bytes))
    }

    fn outbox_page(&self, filter: &Filter, bytes: usize) -> Result<Page<SendSummary>> {
        self.read(|snapshot| listing::page(self.mirror(), snapshot, filter, bytes))
    }

    fn turns_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        self.read(|snapshot| listing::ids::<TurnSummary>(self.mirror(), snapshot, filter, most))
    }

    fn sends_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        self.read(|snapshot| listing::ids::<SendSummary>(self.mirror(), snapshot, filter, most))
    }

    fn audit_page(&self, limit: usize, bytes: usize) -> Result<Page<AuditEntry>> {
        self.read(|snapshot| reads::audit_log(snapshot, limit, bytes))
    }

    fn turn(&self, id: &str) -> Result<Option<TurnSummary>> {
        let Some(id) = listing::parse(id) else { return Ok(None) };
        self.read(|snapshot| listing::turn(snapshot, &id))
    }

    fn send(&self, id: &str) -> Result<Option<SendSummary>> {
        let Some(id) = listing::parse(id) else { return Ok(None) };
        self.read(|snapshot| listing::send(snapshot, &id))
    }

    fn is_settled(&self, key: &ConversationKey, now: Timestamp) -> Result<bool> {
        listing::is_settled(self.mirror(), || self.snapshot(), key, now).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
