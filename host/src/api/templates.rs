//! A tenant's message templates: written here, approved by WhatsApp through the provider of one of the
//! tenant's senders, and the list of which were sent to whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::page::Limit;
use crate::api::request::{Asked, Params, Sent};
use crate::api::{App, change};
use crate::channel;
use crate::clock;
use crate::message::{SenderName, TenantId};
use crate::template::{Registered, Template, Use, rules};
use crate::template_sync::accounts::Account;
use crate::tenant::Sender;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Through {
    /// The sender at whose account it is; needed where the tenant has several.
    sender: Option<String>,
}

pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Asked(through): Asked<Through>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let mut templates = app.store.templates(tenant).await?;
    if let Some(sender) = &through.sender {
        templates.retain(|known| known.sender.as_str() == sender);
    }
    Ok(Json(json!({"templates": templates.iter().map(shown).collect::<Vec<_>>()})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name, language)): Params<(u32, String, String)>,
    Asked(through): Asked<Through>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    Ok(Json(shown(&known(&app, tenant, &name, &language, &through).await?)))
}

/// Makes a draft of the body; refused if it is there already.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Asked(through): Asked<Through>,
    Sent(template): Sent<Template>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    check(&template)?;
    let sender = sender(&app, tenant, &through)?;
    let same = |known: &Registered| {
        known.template.name == template.name
            && known.template.language == template.language
            && known.sender == sender.name
    };
    if app.store.templates(tenant).await?.iter().any(same) {
        return Err(Error::conflict(
            format!("tenant {tenant} has a template {} ({}) already", template.name, template.language),
            "put it at its own address to replace it",
        ));
    }
    let draft = Registered::draft(tenant, sender.name.clone(), template, clock::now());
    app.store.put_template(draft.clone(), &caller.actor(), clock::now()).await?;
    Ok(Json(shown(&draft)))
}

/// Puts a draft, or changes what is there; what is left out stays. What the provider has already is
/// replaced there too, and waits for approval again.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name, language)): Params<(u32, String, String)>,
    Asked(through): Asked<Through>,
    Sent(mut body): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    change::is_one(&body)?;
    for (key, value) in [("name", &name), ("language", &language)] {
        let named = body.insert(key.into(), json!(value));
        if named.is_some_and(|named| named != json!(value)) {
            let what = format!("the body's {key} is not the address's");
            return Err(Error::invalid(what, format!("leave `{key}` out of the body")));
        }
    }
    let known = match find(&app, tenant, &name, &language, &through).await?.as_slice() {
        [] => None,
        [known] => Some(known.clone()),
        several => return Err(ambiguous(several.iter().map(|known| &known.sender))),
    };
    let before = known.as_ref().map(|known| &known.template);
    let template: Template = change::onto(before, body, "see docs/tenants.md")?;
    check(&template)?;
    if let Some(known) = known.as_ref().filter(|known| known.is_submitted()) {
        return Ok(Json(shown(&app.templates.replace(known, template, &caller.actor()).await?)));
    }
    let draft = match known {
        Some(known) => Registered {
            changes: known.changes,
            ..Registered::draft(tenant, known.sender, template, clock::now())
        },
        None => {
            let sender = sender(&app, tenant, &through)?;
            Registered::draft(tenant, sender.name.clone(), template, clock::now())
        }
    };
    app.store.put_template(draft.clone(), &caller.actor(), clock::now()).await?;
    Ok(Json(shown(&draft)))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Away {
    sender: Option<String>,
    /// Even where the provider deletes the other languages of the name too.
    all_languages: bool,
}

pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name, language)): Params<(u32, String, String)>,
    Asked(away): Asked<Away>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let through = Through { sender: away.sender };
    let known = known(&app, tenant, &name, &language, &through).await?;
    let removed = app.templates.delete(&known, away.all_languages, &caller.actor()).await?;
    Ok(Json(
        json!({"status": "deleted", "at_provider": removed.is_submitted(), "name": name, "language": language}),
    ))
}

/// Asks the provider for WhatsApp's approval.
pub async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params((id, name, language)): Params<(u32, String, String)>,
    Asked(through): Asked<Through>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let known = known(&app, tenant, &name, &language, &through).await?;
    Ok(Json(shown(&app.templates.submit(&known, &caller.actor()).await?)))
}

/// Looks at the provider's list now.
pub async fn sync(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Asked(through): Asked<Through>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let sender = through.sender.as_deref().map(|name| usable(&app, tenant, name)).transpose()?;
    let synced = app.templates.sync(tenant, sender.as_deref().map(|sender| &sender.name)).await?;
    let changed: Vec<Value> = synced.changed.iter().map(shown).collect();
    let detail = json!({"templates": synced.templates, "changed": changed.len()});
    app.audit(&caller, "sync templates", format!("tenant {tenant}"), detail).await?;
    let later = synced.later.iter();
    let later: Vec<Value> =
        later.map(|(sender, again)| json!({"sender": sender, "again_at": again.to_string()})).collect();
    Ok(Json(json!({"templates": synced.templates, "changed": changed, "later": later})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default)]
    limit: Limit,
    /// Those before this place: the last answer's `next`.
    before: Option<u64>,
}

/// Which templates were sent to whom, newest first.
pub async fn log(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Asked(page): Asked<Page>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    let limit = page.limit.up_to(10_000)?;
    let uses = app.store.template_log(tenant, page.before, limit).await?;
    let next = uses.last().filter(|_| uses.len() == limit).map(|(place, _)| *place);
    let shown = |(_, sent): &(u64, Use)| {
        let mut value = json!(sent);
        value["at"] = json!(sent.at.to_string());
        value["settled_at"] = json!(sent.settled_at.to_string());
        value
    };
    Ok(Json(json!({"sent": uses.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

fn shown(known: &Registered) -> Value {
    let changes: Vec<Value> = known
        .changes
        .iter()
        .map(|change| json!({"at": change.at.to_string(), "what": change.what, "reason": change.reason}))
        .collect();
    json!({
        "name": known.template.name,
        "language": known.template.language,
        "sender": known.sender,
        "status": known.status,
        "reason": known.reason,
        "category": known.category_in_force(),
        "provider_id": known.provider_id,
        "changed_at": known.changed_at.to_string(),
        "synced_at": known.synced_at.map(|at| at.to_string()),
        "changes": changes,
        "template": known.template,
    })
}

fn check(template: &Template) -> Result<()> {
    let mistakes = rules::check(template);
    if mistakes.is_empty() {
        return Ok(());
    }
    let told: Vec<String> =
        mistakes.iter().map(|mistake| format!("{}: {}", mistake.place, mistake.what)).collect();
    let actions: Vec<&str> = mistakes.iter().map(|mistake| mistake.action.as_str()).collect();
    Err(Error::invalid(told.join("; "), actions.join("; ")))
}

/// A sender that the tenant speaks through. Another tenant's does not exist for it.
fn usable(app: &App, tenant: TenantId, name: &str) -> Result<Arc<Sender>> {
    let directory = app.store.directory();
    let found = directory.senders.get(&SenderName::new(name)).filter(|sender| sender.serves(tenant));
    found.cloned().ok_or_else(|| {
        Error::not_found(
            format!("tenant {tenant} has no sender \"{name}\""),
            "`switchboard sender list` shows those there are",
        )
    })
}

/// The sender that is asked for, or the only one whose account can have templates.
fn sender(app: &App, tenant: TenantId, through: &Through) -> Result<Arc<Sender>> {
    let has_templates = |sender: &Sender| channel::adapter(sender.provider()).templates().is_some();
    if let Some(name) = &through.sender {
        let sender = usable(app, tenant, name)?;
        if !has_templates(&sender) {
            return Err(crate::template_sync::Error::NoTemplates(sender.provider()).into());
        }
        return Ok(sender);
    }
    let directory = app.store.directory();
    let all = directory.senders.values().filter(|sender| sender.serves(tenant) && has_templates(sender));
    let mut accounts: BTreeMap<Account, Arc<Sender>> = BTreeMap::new();
    for sender in all {
        let first = accounts.entry(Account::of(sender)).or_insert_with(|| sender.clone());
        if sender.name < first.name {
            *first = sender.clone();
        }
    }
    let mut senders: Vec<Arc<Sender>> = accounts.into_values().collect();
    match senders.len() {
        1 => Ok(senders.remove(0)),
        0 => Err(Error::invalid(
            format!("tenant {tenant} has no sender whose provider has templates"),
            format!(
                "{} have templates; elsewhere no window closes and none are needed",
                channel::with_templates("and")
            ),
        )),
        _ => Err(ambiguous(senders.iter().map(|sender| &sender.name))),
    }
}

fn ambiguous<'s>(senders: impl Iterator<Item = &'s SenderName>) -> Error {
    let mut names: Vec<&str> = senders.map(SenderName::as_str).collect();
    names.sort_unstable();
    let action = format!("name one with ?sender= (--sender): {}", names.join(", "));
    Error::invalid("there are several senders that could be meant", action)
}

/// A tenant's templates of a name and language, at the sender that is asked for or at any.
async fn find(
    app: &App,
    tenant: TenantId,
    name: &str,
    language: &str,
    through: &Through,
) -> Result<Vec<Registered>> {
    let mut found = app.store.templates(tenant).await?;
    found.retain(|known| {
        known.template.name == name
            && known.template.language == language
            && through.sender.as_deref().is_none_or(|sender| known.sender.as_str() == sender)
    });
    Ok(found)
}

async fn known(
    app: &App,
    tenant: TenantId,
    name: &str,
    language: &str,
    through: &Through,
) -> Result<Registered> {
    let mut found = find(app, tenant, name, language, through).await?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::not_found(
            format!("tenant {tenant} has no template {name} ({language})"),
            "`switchboard template list` shows those there are",
        )),
        _ => Err(ambiguous(found.iter().map(|known| &known.sender))),
    }
}
