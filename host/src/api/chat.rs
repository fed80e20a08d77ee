//! `POST /api/tenants/{tenant}/chat`: talking to a tenant without WhatsApp. The words take the way of every
//! other message, by a simulated number; what is answered is read from the conversation.
//!
//! The operator may write as anybody. A tenant's key writes as a number that nobody has, and by a simulated
//! number of the tenant's own: so it meets no contact, no lock and no lead of anybody else.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::{Params, Sent};
use crate::channel;
use crate::clock;
use crate::event::Event;
use crate::message::{Inbound, Provider, SenderName, TenantId};
use crate::route::Answer;
use crate::store::Arrival;
use crate::tenant::Sender;

/// 555 01xx is kept for examples in North America; with two more digits nobody has the number.
const NOBODYS: &str = "1555010";
const DIGITS: usize = 11;

pub async fn say(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(id): Params<u32>,
    Sent(mut said): Sent<Map<String, Value>>,
) -> Result<Json<Value>> {
    let tenant = caller.tenant(&app, id)?.id;
    said.remove("account");
    let mut inbound = read(&Value::Object(said))?;
    if caller.confined_to().is_some() && !is_nobodys(inbound.contact.as_str()) {
        return Err(Error::invalid(
            "a tenant's key writes as nobody's number only",
            format!("choose one of {NOBODYS}0000 to {NOBODYS}9999, or leave out --as"),
        ));
    }
    let sender = simulated(&app, &caller, tenant).await?;
    inbound.account.clone_from(&sender.account);
    let (contact, id) = (inbound.contact.clone(), inbound.id.clone());
    let arrival = Arrival { inbound, sender: sender.name.clone(), tenant: None, received_at: clock::now() };
    let accepted = app.store.accept(arrival).await?;
    accepted.tell(&contact, &sender, &id);
    let sender = &sender.name;
    Ok(Json(match accepted.answer {
        Answer::Routed { tenant, contact, .. } => {
            json!({"status": "routed", "tenant_id": tenant, "phone_number": contact, "sender": sender})
        }
        Answer::Ignored(reason) => {
            json!({"status": "ignored", "reason": reason.to_string(), "sender": sender})
        }
    }))
}

fn read(said: &Value) -> Result<Inbound> {
    let unreadable = |what: String| Error::malformed(what, "send {\"id\", \"from\", \"text\"}");
    let events = channel::decode(Provider::Simulator, said.to_string().as_bytes(), false)
        .map_err(|error| unreadable(format!("the body cannot be read: {error}")))?;
    match events.into_iter().next() {
        Some(Event::Message(inbound)) => Ok(*inbound),
        _ => Err(unreadable("the body holds no message".into())),
    }
}

fn is_nobodys(contact: &str) -> bool {
    contact.len() == DIGITS && contact.starts_with(NOBODYS)
}

/// The simulated number by which this caller talks to the tenant: one of the tenant's own, for the operator
/// also one that all share; where there is none it is made.
async fn simulated(app: &App, caller: &Caller, tenant: TenantId) -> Result<Arc<Sender>> {
    let directory = app.store.directory();
    let all = directory.senders_of(Provider::Simulator).into_iter().filter(|sender| sender.active);
    let (own, others): (Vec<_>, Vec<_>) = all.partition(|sender| sender.tenant == Some(tenant));
    let shared = others.into_iter().filter(|sender| sender.tenant.is_none() && caller.operator().is_ok());
    if let Some(sender) = own.into_iter().chain(shared).next() {
        return Ok(sender.clone());
    }
    let name = format!("chat-{tenant}");
    if directory.senders.contains_key(&SenderName::new(name.as_str())) {
        let what =
            format!("the sender {name} is there and is no simulated number that is used for this tenant");
        return Err(Error::conflict(what, "`switchboard sender list` shows it; switch it on, or remove it"));
    }
    let made = json!({"name": name, "provider": Provider::Simulator, "account": name, "tenant": tenant});
    let sender: Sender = serde_json::from_value(made).expect("these are all that a simulated number needs");
    app.store.put_sender(sender.clone(), &caller.actor()).await?;
    Ok(Arc::new(sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_nobody_has() {
        for (number, expected) in [
            ("15550100002", true),
            ("15550109999", true),
            ("971501234567", false),
            ("1555010000", false),
            ("155501000021", false),
            ("1555010000@lid", false),
            ("15550200002", false),
        ] {
            assert_eq!(is_nobodys(number), expected, "{number}");
        }
    }
}
