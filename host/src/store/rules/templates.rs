//! Templates. A tenant's lie together; whoever looks for one at an account asks the tenants that its senders serve.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::event::TemplateChange;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::store::rows::packed::pack;
use crate::store::rows::{Fault, ReadRows, Rows, Step, Templates};
use crate::store::templates::PER_TENANT;
use crate::store::{AuditEntry, Error, Limit};
use crate::template::news::News;
use crate::template::{Key, Registered, Status, Template};
use crate::tenant::{Directory, Sender};

/// The templates that a webhook speaks of. An id that we know is the last word; where one is not known,
/// the name is, and without an account only if there is no doubt whose it is.
pub fn spoken_of(found: &[Registered], change: &TemplateChange) -> Vec<Key> {
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
pub fn hear(
    rows: &mut impl Rows,
    told: &[(Key, News)],
    synced_at: Option<Timestamp>,
    now: Timestamp,
) -> Step<Vec<Registered>> {
    let mut changed = Vec::new();
    for (key, news) in told {
        let Some(mut known) = rows.get::<Templates>(key)? else { continue };
        let news_there = known.hear(news, now);
        known.synced_at = synced_at.or(known.synced_at);
        put(rows, &known)?;
        if news_there {
            let (status, category, reason) = (known.status, known.category_in_force(), &known.reason);
            let detail = json!({ "status": status, "category": category, "reason": reason });
            rows.audit(&AuditEntry {
                at: now,
                actor: "provider".into(),
                action: "template changed".into(),
                subject: key.to_string(),
                detail,
            })?;
            changed.push(known);
        }
    }
    Ok(changed)
}

fn put(rows: &mut impl Rows, template: &Registered) -> Step<()> {
    rows.put::<Templates>(&template.key(), template)?;
    Ok(())
}

fn get(rows: &impl ReadRows, key: &Key) -> Step<Registered> {
    let found = rows.get::<Templates>(key)?;
    Ok(found.ok_or_else(|| {
        Error::NotFound(format!("there is no template {} ({}) at {}", key.name, key.language, key.sender))
    })?)
}

fn changed_meanwhile(key: &Key) -> Fault {
    Error::Conflict(format!("the template {} ({}) was changed meanwhile", key.name, key.language)).into()
}

/// In the audit log, which is kept for years: what it says by its digest. Its name is the entry's subject.
pub fn written(template: &Registered) -> Value {
    let digest = hex::encode(Sha256::digest(pack(&template.template)));
    json!({ "status": template.status, "sha256": digest })
}

/// Takes a template in, or another text for it. A draft does not take the place of what the provider has.
pub fn take(rows: &mut impl Rows, template: &Registered, by: &AuditEntry) -> Step<()> {
    let key = template.key();
    fits(rows, &key)?;
    let known = rows.get::<Templates>(&key)?;
    if template.status == Status::Draft && known.is_some_and(|known| known.is_submitted()) {
        return Err(changed_meanwhile(&key));
    }
    put(rows, template)?;
    rows.audit(by)
}

/// Its provider is asked for it from now on, with this text. Refused where it is not as `known` any more.
pub fn begin(rows: &mut impl Rows, known: &Registered, template: &Template, by: &AuditEntry) -> Step<()> {
    let key = known.key();
    let mut row = get(rows, &key)?;
    let same =
        row.template == known.template && row.status == known.status && row.provider_id == known.provider_id;
    if !same {
        return Err(changed_meanwhile(&key));
    }
    row.begin(template.clone(), by.at);
    put(rows, &row)?;
    rows.audit(&AuditEntry { detail: written(&row), ..by.clone() })
}

/// What became of it. `before`: as it was before it began.
pub fn end(
    rows: &mut impl Rows,
    key: &Key,
    news: &News,
    before: Option<&Registered>,
    by: &AuditEntry,
) -> Step<Registered> {
    let mut known = get(rows, key)?;
    known.end(news, before, by.at);
    stands(rows, known, by)
}

/// What its provider says of it.
pub fn told(rows: &mut impl Rows, key: &Key, news: &News, by: &AuditEntry) -> Step<Registered> {
    let mut known = get(rows, key)?;
    known.hear(news, by.at);
    stands(rows, known, by)
}

fn stands(rows: &mut impl Rows, known: Registered, by: &AuditEntry) -> Step<Registered> {
    put(rows, &known)?;
    let detail = json!({ "status": known.status, "reason": known.reason });
    rows.audit(&AuditEntry { detail, ..by.clone() })?;
    Ok(known)
}

pub fn remove(rows: &mut impl Rows, key: &Key, by: &AuditEntry) -> Step<Registered> {
    let known = get(rows, key)?;
    rows.remove::<Templates>(key)?;
    rows.audit(&AuditEntry { detail: json!({ "status": known.status }), ..by.clone() })?;
    Ok(known)
}

/// A tenant's; of this name where one is given.
pub fn of_tenant(rows: &impl ReadRows, tenant: TenantId, name: Option<&str>) -> Step<Vec<Registered>> {
    let first = Key {
        tenant,
        sender: SenderName::new(""),
        name: name.unwrap_or_default().to_owned(),
        language: String::new(),
    };
    let mut found = Vec::new();
    let is_one = |key: &Key| key.tenant == tenant && name.is_none_or(|name| key.name == name);
    rows.each::<Templates>(&first, is_one, |_, template| {
        found.push(template?);
        Ok(())
    })?;
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
    one.provider() == other.provider() && one.template_account() == other.template_account()
}

/// That of a tenant under a name, at the account of this sender: in this language, or the only one that there is.
pub fn find(
    rows: &impl ReadRows,
    directory: &Directory,
    (tenant, sender): (TenantId, &SenderName),
    name: &str,
    language: &str,
) -> Step<Option<Registered>> {
    let mut found = of_tenant(rows, tenant, Some(name))?;
    found.retain(|known| share_templates(directory, &known.sender, sender));
    let exact = found.iter().position(|known| known.template.language == language);
    Ok(match (exact, found.len()) {
        (Some(at), _) => Some(found.swap_remove(at)),
        (None, 1) => found.pop(),
        (None, _) => None,
    })
}

/// Those at these senders. A dedicated sender's are its tenant's; a shared one's may be anybody's.
pub fn at(rows: &impl ReadRows, directory: &Directory, senders: &[SenderName]) -> Step<Vec<Registered>> {
    let there = senders.iter().filter_map(|sender| directory.senders.get(sender)).map(Arc::as_ref);
    let mut found = Vec::new();
    for tenant in served(directory, there) {
        found.extend(of_tenant(rows, tenant, None)?);
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
fn fits(rows: &impl Rows, key: &Key) -> Step<()> {
    let directory = rows.index().directory.load();
    if directory.tenant(key.tenant).is_none() {
        return Err(Error::NotFound(format!("there is no tenant {}", key.tenant)).into());
    }
    if rows.has::<Templates>(key)? {
        return Ok(());
    }
    let own = of_tenant(rows, key.tenant, None)?;
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
        if of_tenant(rows, tenant, Some(&key.name))?.iter().any(taken) {
            let what = format!(
                "the name {} ({}) is taken at the account of sender {}",
                key.name, key.language, key.sender
            );
            return Err(Error::Conflict(what).into());
        }
    }
    Ok(())
}
