//! `GET /api/route?to=NUMBER`: where a message to one of our numbers would go, and why. Nothing is
//! stored.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::Asked;
use crate::api::scoped;
use crate::clock;
use crate::deep_link::{self, Link};
use crate::route::{self, Decision, Lock};
use crate::tenant::{Directory, Sender};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Our number, in any form, or what the provider calls the sender.
    to: String,
    /// The contact that writes; on a shared sender its lock decides.
    from: Option<String>,
    /// What it writes; a deep link decides for those who have no lock.
    text: Option<String>,
}

pub async fn route(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Asked(question): Asked<Question>,
) -> Result<Json<Value>> {
    caller.operator()?;
    let directory = app.store.directory();
    let lock = match &question.from {
        Some(from) => app.store.lock_of(&scoped::anybody(&caller, from)?).await?,
        None => None,
    };
    let text = question.text.as_deref();
    let link = text.and_then(|text| deep_link::parse(text, &app.config.routing.prefixes));
    let senders = directory.senders_at(&question.to);
    if senders.is_empty() {
        return Err(Error::not_found(
            format!(
                "no sender has the number {}: a message to it would be counted, logged and left to nobody",
                question.to
            ),
            "`switchboard sender list` shows the numbers there are; `switchboard sender add` adds one",
        ));
    }
    let answers: Vec<Value> =
        senders.into_iter().map(|sender| answer(&directory, sender, link.as_ref(), lock.as_ref())).collect();
    Ok(Json(json!({"to": question.to, "senders": answers})))
}

fn answer(directory: &Directory, sender: &Sender, link: Option<&Link>, lock: Option<&Lock>) -> Value {
    let mut answer = json!({
        "sender": sender.name,
        "provider": sender.provider(),
        "account": sender.account,
        "number": sender.number,
    });
    let because = match (sender.tenant, lock, link) {
        (Some(_), _, _) => "the number is this tenant's own",
        (None, Some(_), _) => "the contact is locked to this tenant",
        (None, None, Some(_)) => "the message carries this tenant's link",
        (None, None, None) => "the number is shared: the contact's lock or a link decides",
    };
    answer["because"] = json!(because);
    match route::decide(directory, sender, link, lock, clock::now()) {
        Decision::Ignored(reason) => answer["decision"] = json!(format!("ignored: {reason}")),
        Decision::Routed { tenant, .. } => {
            answer["decision"] = json!(route::routed(directory, sender, tenant));
            answer["tenant_id"] = json!(tenant);
            if let Some(tenant) = directory.tenant(tenant) {
                answer["tenant_name"] = json!(tenant.name);
                for (name, label) in &tenant.labels {
                    answer[name] = json!(label);
                }
            }
        }
    }
    answer
}
