//! Brains and personalities: what runs, putting another in its place, going back.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::quotas;
use crate::api::request::{Params, Sent, Whole};
use crate::api::{App, Gone};
use crate::backup;
use crate::brain::{By, PackageStatus, Refused, Uploaded};
use crate::tenant::Tenant;

/// What a tenant's key may push. A Rust brain has 50 KB to 2 MB; larger ones, which take the compiler
/// long, are the operator's to push.
const TENANT_COMPONENT_BYTES: usize = 8 << 20;

/// Every package, and whom it answers for.
pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let packages = app.brains.list();
    let mut users: Vec<(u32, String)> = directory
        .tenants
        .values()
        .map(|tenant| (tenant.id.get(), package_of(&packages, tenant).to_owned()))
        .collect();
    users.sort();
    let shown: Vec<Value> = packages
        .iter()
        .map(|package| {
            let tenants: Vec<u32> =
                users.iter().filter(|(_, name)| *name == package.package).map(|(id, _)| *id).collect();
            let mut value = json!(package);
            value["live_since"] = json!(package.live_since.map(|at| at.to_string()));
            value["tenants"] = json!(tenants);
            value
        })
        .collect();
    Ok(Json(json!({"brains": shown})))
}

/// The package that answers for a tenant: its own if one was uploaded, else the one it names.
fn package_of<'n>(packages: &'n [PackageStatus], tenant: &'n Tenant) -> &'n str {
    packages
        .iter()
        .find(|package| package.tenant == Some(tenant.id))
        .map_or(tenant.brain.as_str(), |package| package.package.as_str())
}

pub async fn of_tenant(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?;
    let packages = app.brains.list();
    let name = package_of(&packages, &tenant);
    let package = packages.iter().find(|package| package.package == name).ok_or_else(|| {
        Error::not_found(format!("the package \"{name}\" is not in the plugins directory"), "push a brain")
    })?;
    let mut value = json!(package);
    value["live_since"] = json!(package.live_since.map(|at| at.to_string()));
    value["own"] = json!(package.tenant == Some(tenant.id));
    Ok(Json(value))
}

/// The body is the component. It is checked, put into the plugins directory and live, or refused.
pub async fn push(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(gone): Extension<Gone>,
    Params(id): Params<u32>,
    Whole(component): Whole,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?;
    if caller.confined_to().is_some() && component.len() > TENANT_COMPONENT_BYTES {
        return Err(Error::too_large(
            format!("the component: limit {TENANT_COMPONENT_BYTES} bytes, used {}", component.len()),
            "build with `opt-level = \"s\"` and `strip = true`, or let the operator push it",
        ));
    }
    quotas::upload(&app, &caller)?;
    let brains = app.brains.clone();
    let wanted = json!({"bytes": component.len()});
    let change = async move |by| brains.put_brain(tenant.id, component, by).await;
    audited(app, caller, gone, "push brain", format!("tenant {id}"), wanted, change).await
}

/// The body is the personality as TOML. The next turn sees it.
pub async fn push_personality(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(gone): Extension<Gone>,
    Params(id): Params<u32>,
    Whole(text): Whole,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?;
    let text = String::from_utf8(text.to_vec()).map_err(|error| {
        Error::malformed(
            format!("byte {} of the body is not UTF-8", error.utf8_error().valid_up_to() + 1),
            "send the personality as TOML in UTF-8",
        )
    })?;
    quotas::upload(&app, &caller)?;
    let brains = app.brains.clone();
    let wanted = json!({"bytes": text.len()});
    let change = async move |by| brains.put_personality(tenant.id, text, by).await;
    audited(app, caller, gone, "push personality", format!("tenant {id}"), wanted, change).await
}

/// A package of the tenant's own that is gone was taken away on purpose.
pub async fn forget(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let tenant = caller.tenant(&app, id)?.id;
    let (known, here) = (app.store.own_packages().await?, app.brains.list());
    let missing = backup::missing(&known, &here).into_iter().find(|(lacks, _)| *lacks == tenant);
    let Some((_, what)) = missing else {
        return Err(Error::conflict(
            format!("nothing of tenant {id}'s own package is missing"),
            "to take a package away, remove its folder from the plugins directory",
        ));
    };
    let left = here.iter().find(|status| status.tenant == Some(tenant)).and_then(backup::remembered);
    app.store.put_own_package(tenant, left).await?;
    app.audit(&caller, "forget brain", format!("tenant {id}"), json!({"missing": what})).await?;
    Ok(Json(json!({"tenant": id, "forgotten": what})))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Back {
    /// The version before the live one where none is named.
    digest: Option<String>,
}

pub async fn rollback_of_tenant(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(gone): Extension<Gone>,
    Params(id): Params<u32>,
    Sent(back): Sent<Back>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?;
    let own = app.brains.list().into_iter().find(|package| package.tenant == Some(tenant.id));
    // A shared package is rolled back for everyone who uses it, so a tenant cannot.
    let own = own.ok_or_else(|| {
        Error::not_found(
            format!("tenant {id} has no brain of its own; \"{}\" answers for it", tenant.brain),
            "push one, or roll the shared package back: switchboard brain rollback --package NAME",
        )
    })?;
    roll_back(app, caller, gone, own.package, back).await
}

pub async fn rollback(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(gone): Extension<Gone>,
    Params(package): Params<String>,
    Sent(back): Sent<Back>,
) -> Result<Json<Value>> {
    caller.operator()?;
    if !app.brains.list().iter().any(|status| status.package == package) {
        return Err(Error::not_found(
            format!("there is no package \"{package}\""),
            "`switchboard brain list` shows them",
        ));
    }
    roll_back(app, caller, gone, package, back).await
}

async fn roll_back(
    app: Arc<App>,
    caller: Caller,
    gone: Gone,
    package: String,
    back: Back,
) -> Result<Json<Value>> {
    let (brains, subject) = (app.brains.clone(), package.clone());
    let wanted = json!({"to": back.digest});
    let change = async move |by| brains.rollback(&package, back.digest.as_deref(), by).await;
    audited(app, caller, gone, "roll back brain", subject, wanted, change).await
}

/// Audits who wants what before it happens, so that nothing changes unseen, and how it ended after.
/// A caller who goes away takes along what was not built by then, and changes nothing else. A refusal
/// goes to the log and the caller.
async fn audited<F>(
    app: Arc<App>,
    caller: Caller,
    Gone(gone): Gone,
    action: &'static str,
    subject: String,
    wanted: Value,
    change: impl FnOnce(By) -> F + Send + 'static,
) -> Result<Json<Value>>
where
    F: Future<Output = std::result::Result<Uploaded, Refused>> + Send,
{
    let by = By { actor: caller.actor(), gone };
    let done = tokio::spawn(async move {
        let mut begun = wanted;
        begun["state"] = json!("begun");
        app.audit(&caller, action, subject.clone(), begun).await?;
        let result = change(by).await;
        let ended = match &result {
            Ok(uploaded) => json!({"state": "live", "package": uploaded.package, "digest": uploaded.digest}),
            Err(refused) => {
                tracing::warn!(actor = caller.actor(), action, subject, reason = %refused.reason, "refused");
                json!({"state": "refused", "reason": refused.reason})
            }
        };
        if let Ok(uploaded) = &result
            && let Some(status) = app.brains.list().iter().find(|status| status.package == uploaded.package)
            && let (Some(tenant), Some(own)) = (status.tenant, backup::remembered(status))
            && let Err(error) = app.store.put_own_package(tenant, Some(own)).await
        {
            // It is done again when the packages are looked at next.
            tracing::warn!(%tenant, %error, "that the tenant has a package of its own could not be kept yet");
        }
        // What is live is live: the entry above names who did it.
        if app.audit(&caller, action, subject.clone(), ended).await.is_err() {
            tracing::error!(actor = caller.actor(), action, subject, "how it ended is not in the audit log");
        }
        Ok(Json(json!(result?)))
    });
    done.await.unwrap_or_else(|panic| {
        tracing::error!(%panic, action, "a deployment broke off");
        Err(Error::internal())
    })
}
