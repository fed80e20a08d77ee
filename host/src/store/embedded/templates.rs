//! Templates and their use. A tenant's lie together; whoever looks for one at an account asks the
//! tenants that its senders serve.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};
use sha2::{Digest as _, Sha256};

use super::Embedded;
use super::admin::entry;
use super::batch::{Batch, Fault, Step};
use super::codec::{Place, Unreadable, after_prefix, owned_by, pack, read_place, unpack};
use super::rows::Reply;
use super::sends::text_of;
use super::tables::define;
use crate::event::TemplateChange;
use crate::message::{DeliveryState, Outbound, OutboundContent, SenderName, TenantId, Timestamp};
use crate::store::limit::Limit;
use crate::store::templates::{PER_TENANT, Templates};
use crate::store::{Error, Result, SendId};
use crate::template::news::News;
use crate::template::{Key, Registered, Status, Template, Use};
use crate::tenant::{Directory, Sender};

#[async_trait]
impl Templates for Embedded {
    fn template(
        &self,
        tenant: TenantId,
        sender: &SenderName,
        name: &str,
        language: &str,
    ) -> Result<Option<Registered>> {
        let directory = self.mirror().directory.load();
        self.read(|snapshot| {
            let table = snapshot.open_table(define::templates)?;
            find(&table, &directory, tenant, sender, name, language)
        })
    }

    fn templates(&self, tenant: TenantId) -> Result<Vec<Registered>> {
        self.read(|snapshot| below(&snapshot.open_table(define::templates)?, &owned_by(tenant.get(), "")))
    }

    fn templates_at(&self, senders: &[SenderName]) -> Result<Vec<Registered>> {
        self.read(|snapshot| at(snapshot, &self.mirror().directory.load(), senders))
    }

    async fn put_template(&self, template: Registered, actor: &str, now: Timestamp) -> Result<()> {
        let (key, actor) = (template.key(), actor.to_owned());
        let detail = written(&template);
        self.write(move |batch| {
            fits(batch, &key)?;
            if template.status == Status::Draft && is_submitted(batch, &key)? {
                return Err(changed_meanwhile(&key));
            }
            put(batch, &template)?;
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
            let mut row = get(batch, &key)?;
            let same = row.template == known.template
                && row.status == known.status
                && row.provider_id == known.provider_id;
            if !same {
                return Err(changed_meanwhile(&key));
            }
            row.begin(template.clone(), now);
            put(batch, &row)?;
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
            let mut known = get(batch, &key)?;
            known.end(&news, before.as_ref(), now);
            put(batch, &known)?;
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
            let mut known = get(batch, &key)?;
            known.hear(&news, now);
            put(batch, &known)?;
            let detail = serde_json::json!({ "status": known.status, "reason": known.reason });
            batch.audit(&entry(&actor, &action, &key, detail, now))?;
            Ok(known)
        })
        .await
    }

    async fn remove_template(&self, key: &Key, actor: &str, now: Timestamp) -> Result<Registered> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(move |batch| {
            let known = get(batch, &key)?;
            batch.tables.templates.put()?.remove(row_key(&key).as_slice())?;
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
        let keys = spoken_of(&self.templates_at(&senders)?, &change);
        if keys.is_empty() {
            return Ok(0);
        }
        let news = News::of(&change);
        let told = keys.into_iter().map(|key| (key, news.clone())).collect();
        let changed = self.write(hear(told, None, now)).await?;
        Ok(changed.len())
    }

    async fn record_template_sync(&self, told: Vec<(Key, News)>, now: Timestamp) -> Result<Vec<Registered>> {
        self.write(hear(told, Some(now), now)).await
    }

    fn template_log(&self, tenant: TenantId, before: Option<u64>, limit: usize) -> Result<Vec<(u64, Use)>> {
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

/// The templates that a webhook speaks of. An id that we know is the last word; where one is not known,
/// the name is, and without an account only if there is no doubt whose it is.
fn spoken_of(found: &[Registered], change: &TemplateChange) -> Vec<Key> {
    let by_id = |known: &&Registered| change.template_id.is_some() && known.provider_id == change.template_id;
    let ids: Vec<Key> = found.iter().filter(by_id).map(Registered::key).collect();
    if !ids.is_empty() {
        return ids;
    }
    let by_name = |known: &&Registered| {
        change.name.as_deref() == Some(known.template.name.as_str())
            && change.language.as_deref() == Some(known.template.language.as_str())
            && (change.template_id.is_none() || known.provider_id.is_none())
            // A draft of the same name is not what the provider speaks of.
            && known.is_submitted()
    };
    let mut names: Vec<Key> = found.iter().filter(by_name).map(Registered::key).collect();
    if change.account.is_none() && names.len() > 1 {
        names.clear();
    }
    names
}

/// What providers say of several, in one commit; those in which something changed. One that was removed
/// meanwhile is left alone.
fn hear(
    told: Vec<(Key, News)>,
    synced_at: Option<Timestamp>,
    now: Timestamp,
) -> impl Fn(&mut Batch<'_>) -> Step<Vec<Registered>> + Send + 'static {
    move |batch| {
        let mut changed = Vec::new();
        for (key, news) in &told {
            let row = batch.tables.templates.get()?.get(row_key(key).as_slice())?;
            let row = row.map(|row| unpack::<Registered>("templates", row.value())).transpose()?;
            let Some(mut known) = row else { continue };
            let news_there = known.hear(news, now);
            known.synced_at = synced_at.or(known.synced_at);
            put(batch, &known)?;
            if news_there {
                let detail = serde_json::json!({
                    "status": known.status, "category": known.category_in_force(), "reason": known.reason,
                });
                batch.audit(&entry("provider", "template changed", key, detail, now))?;
                changed.push(known);
            }
        }
        Ok(changed)
    }
}

/// `tenant name 0 language 0 sender`: names and languages hold no zero.
fn row_key(key: &Key) -> Vec<u8> {
    owned_by(key.tenant.get(), &format!("{}\0{}\0{}", key.name, key.language, key.sender))
}

fn put(batch: &mut Batch<'_>, template: &Registered) -> Step<()> {
    let key = row_key(&template.key());
    batch.tables.templates.put()?.insert(key.as_slice(), pack(template).as_slice())?;
    Ok(())
}

fn get(batch: &Batch<'_>, key: &Key) -> Step<Registered> {
    let row = batch.tables.templates.get()?.get(row_key(key).as_slice())?;
    let Some(row) = row else {
        let what = format!("there is no template {} ({}) at {}", key.name, key.language, key.sender);
        return Err(Error::NotFound(what).into());
    };
    Ok(unpack("templates", row.value())?)
}

fn is_submitted(batch: &Batch<'_>, key: &Key) -> Step<bool> {
    match batch.tables.templates.get()?.get(row_key(key).as_slice())? {
        None => Ok(false),
        Some(row) => Ok(unpack::<Registered>("templates", row.value())?.is_submitted()),
    }
}

fn changed_meanwhile(key: &Key) -> Fault {
    Error::Conflict(format!("the template {} ({}) was changed meanwhile", key.name, key.language)).into()
}

/// The rows whose keys begin so.
fn below(table: &impl ReadableTable<&'static [u8], &'static [u8]>, prefix: &[u8]) -> Step<Vec<Registered>> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let end = after_prefix(prefix);
    let end = end.as_deref().map_or(Unbounded, Excluded);
    let mut found = Vec::new();
    for row in table.range::<&[u8]>((Included(prefix), end))? {
        found.push(unpack("templates", row?.1.value())?);
    }
    Ok(found)
}

/// Are these two senders at one account?
fn share_templates(directory: &Directory, one: &SenderName, other: &SenderName) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (directory.senders.get(one), directory.senders.get(other)) else {
        return false;
    };
    one.provider == other.provider && one.template_account() == other.template_account()
}

fn find(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    directory: &Directory,
    tenant: TenantId,
    sender: &SenderName,
    name: &str,
    language: &str,
) -> Step<Option<Registered>> {
    let mut found = below(table, &owned_by(tenant.get(), &format!("{name}\0")))?;
    found.retain(|known| share_templates(directory, &known.sender, sender));
    let exact = found.iter().position(|known| known.template.language == language);
    Ok(match (exact, found.len()) {
        (Some(at), _) => Some(found.swap_remove(at)),
        (None, 1) => found.pop(),
        (None, _) => None,
    })
}

/// Those at these senders. A dedicated sender's are its tenant's; a shared one's may be anybody's.
fn at(snapshot: &ReadTransaction, directory: &Directory, senders: &[SenderName]) -> Step<Vec<Registered>> {
    let table = snapshot.open_table(define::templates)?;
    let there = senders.iter().filter_map(|sender| directory.senders.get(sender)).map(Arc::as_ref);
    let mut found = Vec::new();
    for tenant in served(directory, there) {
        found.extend(below(&table, &owned_by(tenant.get(), ""))?);
    }
    found.retain(|known| senders.contains(&known.sender));
    Ok(found)
}

/// The tenants that speak through these senders, each once.
fn served<'s>(directory: &Directory, senders: impl Iterator<Item = &'s Sender>) -> BTreeSet<TenantId> {
    let mut tenants = BTreeSet::new();
    for sender in senders {
        match sender.tenant {
            Some(tenant) => drop(tenants.insert(tenant)),
            None => return directory.tenants.keys().copied().collect(),
        }
    }
    tenants
}

/// One template of a name and language at an account, whoever's it is: they would be one there.
fn fits(batch: &Batch<'_>, key: &Key) -> Step<()> {
    let directory = batch.mirror.directory.load();
    if directory.tenant(key.tenant).is_none() {
        return Err(Error::NotFound(format!("there is no tenant {}", key.tenant)).into());
    }
    let table = batch.tables.templates.get()?;
    if table.get(row_key(key).as_slice())?.is_some() {
        return Ok(());
    }
    let own = below(table, &owned_by(key.tenant.get(), ""))?;
    if own.len() >= PER_TENANT {
        let message = format!("tenant {}: limit {PER_TENANT} templates, used {}", key.tenant, own.len());
        return Err(Error::Limit { of: Limit::Templates, message }.into());
    }
    let taken = |known: &Registered| {
        known.template.name == key.name
            && known.template.language == key.language
            && share_templates(&directory, &known.sender, &key.sender)
    };
    let there = directory.senders.values().map(Arc::as_ref);
    let there = there.filter(|sender| share_templates(&directory, &sender.name, &key.sender));
    for tenant in served(&directory, there) {
        let same_name = owned_by(tenant.get(), &format!("{}\0{}\0", key.name, key.language));
        if below(table, &same_name)?.iter().any(taken) {
            let what = format!(
                "the name {} ({}) is taken at the account of sender {}",
                key.name, key.language, key.sender
            );
            return Err(Error::Conflict(what).into());
        }
    }
    Ok(())
}

pub fn use_key(tenant: TenantId, place: u64) -> Vec<u8> {
    let mut key = tenant.get().to_be_bytes().to_vec();
    key.extend_from_slice(&place.to_be_bytes());
    key
}

/// The template that a reply is. Nearly all are none, which their bytes tell before they are read.
pub fn template_of(payload: &[u8]) -> std::result::Result<Option<crate::message::Template>, Unreadable> {
    const WORD: &[u8] = b"template";
    if !payload.windows(WORD.len()).any(|window| window == WORD) {
        return Ok(None);
    }
    let outbound: Outbound = unpack("outbox", payload)?;
    Ok(match outbound.content {
        OutboundContent::Template(template) => Some(template),
        _ => None,
    })
}

/// Writes down that a template was sent, or was not and why, if the reply is one.
pub fn used(
    batch: &mut Batch<'_>,
    id: &SendId,
    reply: &Reply<'_>,
    (state, error): (DeliveryState, Option<&str>),
    now: Timestamp,
) -> Step<()> {
    let Some(template) = template_of(reply.payload)? else { return Ok(()) };
    let (directory, sender) = (batch.mirror.directory.load(), SenderName::new(reply.sender));
    let table = batch.tables.templates.get()?;
    let known = find(table, &directory, id.key.tenant, &sender, &template.name, &template.language)?;
    let row = Use {
        id: text_of(id),
        at: reply.created_at,
        contact: id.key.contact.clone(),
        sender,
        name: template.name,
        language: template.language,
        category: known.map(|known| known.category_in_force()),
        parameters: template.parameters.into_iter().map(|parameter| parameter.name).collect(),
        state,
        settled_at: now,
        error: error.map(str::to_owned),
    };
    let key = use_key(id.key.tenant, id.seq);
    batch.tables.template_uses.put()?.insert(key.as_slice(), pack(&row).as_slice())?;
    Ok(())
}

/// What a receipt told of a template that was sent.
pub fn reported(
    batch: &mut Batch<'_>,
    place: &Place,
    payload: &[u8],
    state: DeliveryState,
    reason: Option<&str>,
    now: Timestamp,
) -> Step<()> {
    if template_of(payload)?.is_none() {
        return Ok(());
    }
    let (seq, tenant) = read_place(place);
    let key = use_key(tenant, seq);
    let row = batch.tables.template_uses.get()?.get(key.as_slice())?;
    let row = row.map(|row| unpack::<Use>("template_uses", row.value())).transpose()?;
    let Some(mut known) = row else { return Ok(()) };
    (known.state, known.settled_at) = (state, now);
    known.error = reason.filter(|_| state == DeliveryState::Failed).map(str::to_owned);
    batch.tables.template_uses.put()?.insert(key.as_slice(), pack(&known).as_slice())?;
    Ok(())
}
