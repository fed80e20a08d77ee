//! The store's side of what is read page by page.

use crate::conversation::{HistoryEntry, JournalEntry};
use crate::message::{ConversationKey, Timestamp};
use crate::store::engine::Engine;
use crate::store::pages::{Page, Pages, Span, Stretch};
use crate::store::rules::{audit_log, listing, pages};
use crate::store::{AuditEntry, Filter, Result, SendId, SendSummary, TurnSummary};
use async_trait::async_trait;

#[async_trait]
impl<E: Engine> Pages for E {
    async fn history_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<HistoryEntry>> {
        let (key, span) = (key.clone(), span.clone());
        self.read(move |rows| pages::lines(rows, &key, &span)).await
    }

    async fn journal_span(&self, key: &ConversationKey, span: &Span) -> Result<Stretch<JournalEntry>> {
        let (key, span) = (key.clone(), span.clone());
        self.read(move |rows| pages::journal(rows, &key, &span)).await
    }

    async fn turns_page(&self, filter: &Filter, bytes: usize) -> Result<Page<TurnSummary>> {
        let (index, filter) = (self.index().clone(), filter.clone());
        self.read(move |rows| listing::page(rows, &index, &filter, bytes)).await
    }

    async fn outbox_page(&self, filter: &Filter, bytes: usize) -> Result<Page<SendSummary>> {
        let (index, filter) = (self.index().clone(), filter.clone());
        self.read(move |rows| listing::page(rows, &index, &filter, bytes)).await
    }

    async fn turns_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        let (index, filter) = (self.index().clone(), filter.clone());
        self.read(move |rows| listing::ids::<TurnSummary, _>(rows, &index, &filter, most)).await
    }

    async fn sends_like(&self, filter: &Filter, most: usize) -> Result<Vec<SendId>> {
        let (index, filter) = (self.index().clone(), filter.clone());
        self.read(move |rows| listing::ids::<SendSummary, _>(rows, &index, &filter, most)).await
    }

    async fn audit_page(&self, limit: usize, bytes: usize) -> Result<Page<AuditEntry>> {
        self.read(move |rows| audit_log::page(rows, limit, bytes)).await
    }

    async fn turn(&self, id: &str) -> Result<Option<TurnSummary>> {
        let Some(id) = SendId::parse(id) else { return Ok(None) };
        self.read(move |rows| listing::turn(rows, &id)).await
    }

    async fn send(&self, id: &str) -> Result<Option<SendSummary>> {
        let Some(id) = SendId::parse(id) else { return Ok(None) };
        self.read(move |rows| listing::send(rows, &id)).await
    }

    async fn is_settled(&self, key: &ConversationKey, now: Timestamp) -> Result<bool> {
        let waiting = listing::waiting_in(self.index(), key);
        if waiting.is_empty() {
            return Ok(true);
        }
        let tenant = key.tenant;
        self.read(move |rows| listing::is_settled(rows, tenant, &waiting, now)).await
    }
}
