//! Templates and their use. A tenant's lie together; whoever looks for one at an account asks the
//! tenants that its senders serve.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::rows::packed::pack;
use crate::store::rows::{self, Rows as _};
use crate::store::rules::template_uses;
use crate::store::rules::templates::{self, changed_meanwhile};
use crate::store::templates::Templates;
use crate::template::news::News;
use crate::template::{Key, Registered, Status, Template, Use};

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
        let (key, actor) = (template.key(), actor.to_owned());
        let detail = written(&template);
        self.submit(move |rows| {
            templates::fits(rows, &key)?;
            if template.status == Status::Draft && templates::is_submitted(rows, &key)? {
                return Err(changed_meanwhile(&key));
            }
            templates::put(rows, &template)?;
            rows.audit(&entry(&actor, "put template", &key, detail.clone(), now))
        })
        .await
    }

    async fn begin_template(
        &self,
        known: Registered,
        template: Template,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<()> {
        let (key, actor, action) = (known.key(), actor.to_owned(), action.to_owned());
        self.submit(move |rows| {
            let mut row = templates::get(rows, &key)?;
            let same = row.template == known.template
                && row.status == known.status
                && row.provider_id == known.provider_id;
            if !same {
                return Err(changed_meanwhile(&key));
            }
            row.begin(template.clone(), now);
            templates::put(rows, &row)?;
            rows.audit(&entry(&actor, &action, &key, written(&row), now))
        })
        .await
    }

    async fn end_template(
        &self,
        key: &Key,
        news: News,
        before: Option<Registered>,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<Registered> {
        let (key, actor, action) = (key.clone(), actor.to_owned(), action.to_owned());
        self.submit(move |rows| {
            let mut known = templates::get(rows, &key)?;
            known.end(&news, before.as_ref(), now);
            templates::put(rows, &known)?;
            let detail = serde_json::json!({ "status": known.status, "reason": known.reason });
            rows.audit(&entry(&actor, &action, &key, detail, now))?;
            Ok(known)
        })
        .await
    }

    async fn record_template_news(
        &self,
        key: &Key,
        news: News,
        (actor, action): (&str, &str),
        now: Timestamp,
    ) -> Result<Registered> {
        let (key, actor, action) = (key.clone(), actor.to_owned(), action.to_owned());
        self.submit(move |rows| {
            let mut known = templates::get(rows, &key)?;
            known.hear(&news, now);
            templates::put(rows, &known)?;
            let detail = serde_json::json!({ "status": known.status, "reason": known.reason });
            rows.audit(&entry(&actor, &action, &key, detail, now))?;
            Ok(known)
        })
        .await
    }

    async fn remove_template(&self, key: &Key, actor: &str, now: Timestamp) -> Result<Registered> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.submit(move |rows| {
            let known = templates::get(rows, &key)?;
            rows.remove::<rows::Templates>(&key)?;
            let detail = serde_json::json!({ "status": known.status });
            rows.audit(&entry(&actor, "remove template", &key, detail, now))?;
            Ok(known)
        })
        .await
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

/// In the audit log, which is kept for years: what it says by its digest. Its name is the entry's subject.
fn written(template: &Registered) -> serde_json::Value {
    let digest = hex::encode(Sha256::digest(pack(&template.template)));
    serde_json::json!({ "status": template.status, "sha256": digest })
}
