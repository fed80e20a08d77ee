//! The store's side of what is read page by page.

use super::{Embedded, listing};
use crate::conversation::{HistoryEntry, JournalEntry};
use crate::message::{ConversationKey, Timestamp};
use crate::store::engine::told;
use crate::store::pages::{Page, Pages, Span, Stretch};
use crate::store::rules::{audit_log, pages};
use crate::store::{AuditEntry, Filter, Result, SendId, SendSummary, TurnSummary};
use async_trait::async_trait;

#[async_trait]
impl Pages for Embedded {
    async fn history_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<HistoryEntry>> {
        self.read(|snapshot| pages::lines(snapshot, key, span))
    }

    async fn journal_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<JournalEntry>> {
        self.read(|snapshot| pages::journal(snapshot, key, span))
    }

    async fn turns_page(&self, filter: &Filter, bytes: usize) -> Result<Page<TurnSummary>> {
        self.read(|snapshot| listing::page(self.index(), snapshot, filter, bytes))
    }

    async fn outbox_page(&self, filter: &Filter, bytes: usize) -> Result<Page<SendSummary>> {
        self.read(|snapshot| listing::page(self.index(), snapshot, filter, bytes))
    }

    async fn turns_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        self.read(|snapshot| listing::ids::<TurnSummary>(self.index(), snapshot, filter, most))
    }

    async fn sends_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        self.read(|snapshot| listing::ids::<SendSummary>(self.index(), snapshot, filter, most))
    }

    async fn audit_page(&self, limit: usize, bytes: usize) -> Result<Page<AuditEntry>> {
        self.read(|snapshot| audit_log::page(snapshot, limit, bytes))
    }

    async fn turn(&self, id: &str) -> Result<Option<TurnSummary>> {
        let Some(id) = SendId::parse(id) else { return Ok(None) };
        self.read(|snapshot| listing::turn(snapshot, &id))
    }

    async fn send(&self, id: &str) -> Result<Option<SendSummary>> {
        let Some(id) = SendId::parse(id) else { return Ok(None) };
        self.read(|snapshot| listing::send(snapshot, &id))
    }

    async fn is_settled(&self, key: &ConversationKey, now: Timestamp) -> Result<bool> {
        listing::is_settled(self.index(), || self.snapshot(), key, now).map_err(told::<Embedded>)
    }
}
