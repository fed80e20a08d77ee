//! Templates and their use. A tenant's lie together; whoever looks for one at an account asks the
//! tenants that its senders serve.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::Embedded;
use super::codec::{pack, unpack};
use super::tables::define;
use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::audit::entry;
use crate::store::rows::{self, Rows as _};
use crate::store::rules::templates::{self, changed_meanwhile};
use crate::store::templates::Templates;
use crate::template::news::News;
use crate::template::{Key, Registered, Status, Template, Use};

#[async_trait]
impl Templates for Embedded {
    async fn template(
        &self,
        tenant: TenantId,
        sender: &SenderName,
        name: &str,
        language: &str,
    ) -> Result<Option<Registered>> {
        let directory = self.index().directory.load();
        self.read(|snapshot| templates::find(snapshot, &directory, (tenant, sender), name, language))
    }

    async fn templates(&self, tenant: TenantId) -> Result<Vec<Registered>> {
        self.read(|snapshot| templates::of_tenant(snapshot, tenant, None))
    }

    async fn templates_at(&self, senders: &[SenderName]) -> Result<Vec<Registered>> {
        self.read(|snapshot| templates::at(snapshot, &self.index().directory.load(), senders))
    }

    async fn put_template(&self, template: Registered, actor: &str, now: Timestamp) -> Result<()> {
        let (key, actor) = (template.key(), actor.to_owned());
        let detail = written(&template);
        self.write(move |batch| {
            templates::fits(batch, &key)?;
            if template.status == Status::Draft && templates::is_submitted(batch, &key)? {
                return Err(changed_meanwhile(&key));
            }
            templates::put(batch, &template)?;
            batch.audit(&entry(&actor, "put template", &key, detail.clone(), now))
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
        self.write(move |batch| {
            let mut row = templates::get(batch, &key)?;
            let same = row.template == known.template
                && row.status == known.status
                && row.provider_id == known.provider_id;
            if !same {
                return Err(changed_meanwhile(&key));
            }
            row.begin(template.clone(), now);
            templates::put(batch, &row)?;
            batch.audit(&entry(&actor, &action, &key, written(&row), now))
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
        self.write(move |batch| {
            let mut known = templates::get(batch, &key)?;
            known.end(&news, before.as_ref(), now);
            templates::put(batch, &known)?;
            let detail = serde_json::json!({ "status": known.status, "reason": known.reason });
            batch.audit(&entry(&actor, &action, &key, detail, now))?;
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
        self.write(move |batch| {
            let mut known = templates::get(batch, &key)?;
            known.hear(&news, now);
            templates::put(batch, &known)?;
            let detail = serde_json::json!({ "status": known.status, "reason": known.reason });
            batch.audit(&entry(&actor, &action, &key, detail, now))?;
            Ok(known)
        })
        .await
    }

    async fn remove_template(&self, key: &Key, actor: &str, now: Timestamp) -> Result<Registered> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(move |batch| {
            let known = templates::get(batch, &key)?;
            batch.remove::<rows::Templates>(&key)?;
            let detail = serde_json::json!({ "status": known.status });
            batch.audit(&entry(&actor, "remove template", &key, detail, now))?;
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
        let changed = self.write(move |batch| templates::hear(batch, &told, None, now)).await?;
        Ok(changed.len())
    }

    async fn record_template_sync(&self, told: Vec<(Key, News)>, now: Timestamp) -> Result<Vec<Registered>> {
        self.write(move |batch| templates::hear(batch, &told, Some(now), now)).await
    }

    async fn template_log(
        &self,
        tenant: TenantId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Use)>> {
        let (from, end) = (use_key(tenant, 0), use_key(tenant, before.unwrap_or(u64::MAX)));
        self.read(|snapshot| {
            let table = snapshot.open_table(define::template_uses)?;
            let mut uses = Vec::new();
            for row in table.range::<&[u8]>(from.as_slice()..end.as_slice())?.rev().take(limit) {
                let (key, row) = row?;
                let place = key.value().last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                uses.push((place, unpack("template_uses", row.value())?));
            }
            Ok(uses)
        })
    }
}

/// In the audit log, which is kept for years: what it says by its digest. Its name is the entry's subject.
fn written(template: &Registered) -> serde_json::Value {
    let digest = hex::encode(Sha256::digest(pack(&template.template)));
    serde_json::json!({ "status": template.status, "sha256": digest })
}

pub fn use_key(tenant: TenantId, place: u64) -> Vec<u8> {
    let mut key = tenant.get().to_be_bytes().to_vec();
    key.extend_from_slice(&place.to_be_bytes());
    key
}
