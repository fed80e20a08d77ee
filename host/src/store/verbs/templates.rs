//! Templates and their use. A tenant's lie together; whoever looks for one at an account asks the
//! tenants that its senders serve.

use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::rules::{template_uses, templates};
use crate::store::templates::Templates;
use crate::template::news::News;
use crate::template::{Key, Registered, Template, Use};
use async_trait::async_trait;

#[async_trait]
impl<E: Engine> Templates for E {
    async fn template(
        &self,
        tenant: TenantId,
        sender: &SenderName,
        name: &str,
        language: &str,
    ) -> Result<Option<Registered>> {
        let directory = self.index().directory.load_full();
        let (sender, name, language) = (sender.clone(), name.to_owned(), language.to_owned());
        self.read(move |rows| templates::find(rows, &directory, (tenant, &sender), &name, &language)).await
    }

    async fn templates(&self, tenant: TenantId) -> Result<Vec<Registered>> {
        self.read(move |rows| templates::of_tenant(rows, tenant, None)).await
    }

    async fn templates_at(&self, senders: &[SenderName]) -> Result<Vec<Registered>> {
        let (directory, senders) = (self.index().directory.load_full(), senders.to_vec());
        self.read(move |rows| templates::at(rows, &directory, &senders)).await
    }

    async fn put_template(&self, template: Registered, actor: &str, now: Timestamp) -> Result<()> {
        let by = entry(actor, "put template", template.key(), templates::written(&template), now);
        self.submit(move |rows| templates::take(rows, &template, &by)).await
    }

    async fn begin_template(
        &self,
        known: Registered,
        template: Template,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<()> {
        let by = entry(actor, action, known.key(), serde_json::Value::Null, now);
        self.submit(move |rows| templates::begin(rows, &known, &template, &by)).await
    }

    async fn end_template(
        &self,
        key: &Key,
        news: News,
        before: Option<Registered>,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<Registered> {
        let by = entry(actor, action, key, serde_json::Value::Null, now);
        let key = key.clone();
        self.submit(move |rows| templates::end(rows, &key, &news, before.as_ref(), &by)).await
    }

    async fn record_template_news(
        &self,
        key: &Key,
        news: News,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<Registered> {
        let by = entry(actor, action, key, serde_json::Value::Null, now);
        let key = key.clone();
        self.submit(move |rows| templates::told(rows, &key, &news, &by)).await
    }

    async fn remove_template(&self, key: &Key, actor: &str, now: Timestamp) -> Result<Registered> {
        let by = entry(actor, "remove template", key, serde_json::Value::Null, now);
        let key = key.clone();
        self.submit(move |rows| templates::remove(rows, &key, &by)).await
    }

    async fn record_template_change(
        &self,
        change: TemplateChange,
        senders: Vec<SenderName>,
        now: Timestamp,
    ) -> Result<usize> {
        // Looked for among all of the account's here, so that the writer need not.
        let keys = templates::spoken_of(&self.templates_at(&senders).await?, &change);
        if keys.is_empty() {
            return Ok(0);
        }
        let news = News::of(&change);
        let told: Vec<_> = keys.into_iter().map(|key| (key, news.clone())).collect();
        let changed = self.submit(move |rows| templates::hear(rows, &told, None, now)).await?;
        Ok(changed.len())
    }

    async fn record_template_sync(&self, told: Vec<(Key, News)>, now: Timestamp) -> Result<Vec<Registered>> {
        self.submit(move |rows| templates::hear(rows, &told, Some(now), now)).await
    }

    async fn template_log(
        &self,
        tenant: TenantId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Use)>> {
        self.read(move |rows| template_uses::list(rows, tenant, before, limit)).await
    }
}
