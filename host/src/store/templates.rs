//! What is kept of templates.

use async_trait::async_trait;

use super::Result;
use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::template::news::News;
use crate::template::{Key, Registered, Template, Use};

/// Templates that one tenant may have.
pub const PER_TENANT: usize = 1_000;

/// Templates: as a tenant wrote them, and as they are at the providers.
#[async_trait]
pub trait Templates: Send + Sync {
    /// The template that a tenant may send through this sender by this name, in this language or, if
    /// there is none, in the only one that there is.
    async fn template(
        &self,
        tenant: TenantId,
        sender: &SenderName,
        name: &str,
        language: &str,
    ) -> Result<Option<Registered>>;
    /// All of a tenant's, by name and language.
    async fn templates(&self, tenant: TenantId) -> Result<Vec<Registered>>;
    /// Everybody's at these senders.
    async fn templates_at(&self, senders: &[SenderName]) -> Result<Vec<Registered>>;
    /// Puts one in the place of the one of its key, if there is one. Refused with
    /// [`super::Error::Conflict`] where another of its name and language is at the same account, and where
    /// it is a draft for what was submitted meanwhile.
    async fn put_template(&self, template: Registered, actor: &str, now: Timestamp) -> Result<()>;
    /// It goes to the provider with this content, and waits for its word. Refused with
    /// [`super::Error::Conflict`] where it is not any more what is `known` of it.
    async fn begin_template(
        &self,
        known: Registered,
        template: Template,
        by: (&str, &str),
        now: Timestamp,
    ) -> Result<()>;
    /// What the provider answered to that. A status that was told since then stays. `before`: nothing
    /// was changed there; it is again as it was.
    async fn end_template(
        &self,
        key: &Key,
        news: News,
        before: Option<Registered>,
        by: (&str, &str),
        now: Timestamp,
    ) -> Result<Registered>;
    /// `by`: whoever asked the provider, and what for.
    async fn record_template_news(
        &self,
        key: &Key,
        news: News,
        by: (&str, &str),
        now: Timestamp,
    ) -> Result<Registered>;
    /// It is not kept any more. What it was; [`super::Error::NotFound`] where there is none.
    async fn remove_template(&self, key: &Key, actor: &str, now: Timestamp) -> Result<Registered>;
    /// What a webhook told, of templates at these senders; of how many something changed. The name
    /// counts where an id is not known, and where it fits one only.
    async fn record_template_change(
        &self,
        change: TemplateChange,
        senders: Vec<SenderName>,
        now: Timestamp,
    ) -> Result<usize>;
    /// What the provider's list said, whole; of which something changed.
    async fn record_template_sync(&self, told: Vec<(Key, News)>, now: Timestamp) -> Result<Vec<Registered>>;
    /// The templates that a tenant has sent, newest first, before the place `before`; each with its
    /// place.
    async fn template_log(
        &self,
        tenant: TenantId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Use)>>;
}
