//! `POST /api/webhook/waha?tenant_id=`: the door that is told which tenant a webhook is for, for WAHA
//! sessions of one tenant each. Three things may name the tenant, and all that do must agree:
//!
//! 1. the address, by `tenant_id`;
//! 2. the session, by its sender's tenant or by its name, `tenant_2`;
//! 3. on a number that tenants share, the contact's lock. (A number of one's own decides by itself,
//!    whomever its contact belongs to elsewhere.)
//!
//! Where nothing names one, a link in the message may, as everywhere. The webhook proves itself first:
//! a stranger learns nothing of tenants here. What is refused is answered 200, because WAHA would send
//! the same again and again.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::hearing::Knock;
use super::proven::Found;
use super::{Refusal, Webhook, refused};
use crate::channel;
use crate::event::{Event, Unread};
use crate::message::{ContactKey, Provider, TenantId};
use crate::repeats::Kind;
use crate::route::Answer;
use crate::session::naming;
use crate::store::unread::UnreadBody;
use crate::tenant::{Directory, Sender};

const WAHA: Provider = Provider::Waha;

pub fn routes(webhook: Arc<Webhook>) -> Router {
    let take =
        async |State(webhook): State<Arc<Webhook>>, RawQuery(query): RawQuery, request: Request<Body>| {
            webhook.receive_for_tenant(query.as_deref().unwrap_or_default(), request).await
        };
    Router::new().route("/api/webhook/waha", post(take)).with_state(webhook)
}

/// Whose a webhook is.
enum Whose {
    Tenant(TenantId),
    /// Nothing names a tenant, and nothing has to: it is about a shared number, or its message may name one.
    Nobodys,
    /// Nothing is taken. WAHA need not send it again.
    Left(Left),
}

impl Whose {
    fn tenant(&self) -> Option<TenantId> {
        match self {
            Whose::Tenant(tenant) => Some(*tenant),
            Whose::Nobodys | Whose::Left(_) => None,
        }
    }
}

impl From<Option<TenantId>> for Whose {
    fn from(tenant: Option<TenantId>) -> Self {
        tenant.map_or(Whose::Nobodys, Whose::Tenant)
    }
}

/// Why nothing was taken.
enum Left {
    /// Nothing names a tenant, or what is named is not there.
    Unknown,
    Disputed,
}

impl Left {
    fn counted_as(&self) -> &'static str {
        match self {
            Left::Unknown => "tenant_unknown",
            Left::Disputed => "tenant_disputed",
        }
    }

    fn body(&self) -> Value {
        match self {
            Left::Unknown => json!({"status": "error", "message": "Tenant not found"}),
            Left::Disputed => refused(
                "The address, the session and the contact do not name the same tenant",
                "check tenant_id in the webhook's address at WAHA",
            ),
        }
    }
}

impl Webhook {
    async fn receive_for_tenant(&self, query: &str, request: Request<Body>) -> Response {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let knock = Knock { provider: WAHA, path_key: None, headers: parts.headers };
        let response = match self.take_for_tenant(query, knock, body).await {
            Ok(Whose::Left(left)) => {
                self.metrics.webhook(WAHA, left.counted_as());
                Json(left.body()).into_response()
            }
            Ok(whose) => Json(json!({"status": "received", "tenant_id": whose.tenant()})).into_response(),
            Err(refusal) => {
                self.metrics.webhook(WAHA, refusal.counted_as());
                refusal.log(WAHA, &self.metrics.repeats);
                refusal.into_response()
            }
        };
        self.metrics.webhook_took(began.elapsed());
        response
    }

    async fn take_for_tenant(&self, query: &str, knock: Knock, body: Body) -> Result<Whose, Refusal> {
        let mut heard = self.hearing.hear(knock, body).await?;
        let events = std::mem::take(&mut heard.events);
        let unread = heard.unread.take();
        let (proven, directory) = (&heard.proven, &*heard.directory);
        let mut taken = Whose::Nobodys;
        // WAHA sends one at a time.
        for event in events {
            let account = event.account().map(str::to_owned);
            let sender = match proven.sender_of(directory, &event) {
                Found::Sender(sender) => sender,
                Found::Unproven => return Err(Refusal::Unverified(channel::Unverified::WrongKey)),
                Found::Nobody => {
                    if let Some(left_out) = self.metrics.repeats.say(Kind::AccountUnknown, Some(WAHA)) {
                        tracing::warn!(
                            session = account,
                            left_out,
                            "a webhook for a session that no sender has was left alone; connect it with `switchboard tenant connect`"
                        );
                    }
                    return Ok(Whose::Left(Left::Unknown));
                }
            };
            self.hears(&sender);
            taken = match self.named(query, &sender, &event, directory).await? {
                Whose::Left(left) => Whose::Left(left),
                whose => self.keep_as(&sender, whose.tenant(), event).await?,
            };
        }
        if let Some(unread) = unread {
            let tenant = taken.tenant().or(asked(query).unwrap_or(None));
            let unread = UnreadBody { tenant, ..unread };
            self.store.keep_unread(unread).await.map_err(Refusal::Store)?;
        }
        Ok(taken)
    }

    /// The tenant that everything names which names one.
    async fn named(
        &self,
        query: &str,
        sender: &Sender,
        event: &Event,
        directory: &Directory,
    ) -> Result<Whose, Refusal> {
        let Ok(by_address) = asked(query) else { return Ok(Whose::Left(Left::Unknown)) };
        // Whatever the others name: that address is wrong.
        if by_address.is_some_and(|id| directory.tenant(id).is_none()) {
            return Ok(Whose::Left(Left::Unknown));
        }
        let by_session = sender.tenant.or_else(|| naming::tenant_of(&sender.account));
        let by_contact = match sender.tenant {
            None => self.locked_to(event).await?,
            Some(_) => None,
        };
        let mut named = [by_address, by_session, by_contact].into_iter().flatten();
        let tenant = named.next();
        if named.any(|other| Some(other) != tenant) {
            let number = |tenant: Option<TenantId>| tenant.map_or("none".into(), |id| id.to_string());
            let Some(left_out) = self.metrics.repeats.say(Kind::TenantDisputed, Some(WAHA)) else {
                return Ok(Whose::Left(Left::Disputed));
            };
            tracing::warn!(
                sender = %sender.name,
                left_out,
                by_address = number(by_address),
                by_session = number(by_session),
                by_contact = number(by_contact),
                "a webhook names more than one tenant and was refused; check the webhook's address at WAHA"
            );
            return Ok(Whose::Left(Left::Disputed));
        }
        Ok(match tenant {
            Some(tenant) if directory.tenant(tenant).is_none() => Whose::Left(Left::Unknown),
            tenant => tenant.into(),
        })
    }

    async fn locked_to(&self, event: &Event) -> Result<Option<TenantId>, Refusal> {
        let keys: Vec<&ContactKey> = match event {
            Event::Message(inbound) => std::iter::once(&inbound.contact).chain(&inbound.aliases).collect(),
            Event::Own(own) => own.contact.iter().collect(),
            Event::Receipt(receipt) => receipt.contact.iter().collect(),
            Event::Ignored(left) | Event::Alert(left) | Event::Unread(Unread { left, .. }) => {
                left.contact.iter().collect()
            }
            Event::Consent(consent) => std::iter::once(&consent.contact).chain(&consent.aliases).collect(),
            Event::Session(_) | Event::Template(_) | Event::SamePerson(_) => Vec::new(),
        };
        for key in keys {
            if let Some(lock) = self.store.lock_of(key).await.map_err(Refusal::Store)? {
                return Ok(Some(lock.tenant));
            }
        }
        Ok(None)
    }

    async fn keep_as(
        &self,
        sender: &Sender,
        tenant: Option<TenantId>,
        event: Event,
    ) -> Result<Whose, Refusal> {
        // What is about the number and nobody's words is taken, whoever it is for.
        let about_the_number = matches!(event, Event::Session(_));
        match event {
            Event::Message(inbound) => {
                let accepted = self.accept(sender, *inbound, tenant).await?;
                Ok(match accepted.answer {
                    Answer::Routed { tenant, .. } => Whose::Tenant(tenant),
                    Answer::Ignored(_) => Whose::Left(Left::Unknown),
                })
            }
            event => {
                self.keep_for(sender, event, tenant).await?;
                Ok(match tenant {
                    None if !about_the_number => Whose::Left(Left::Unknown),
                    tenant => tenant.into(),
                })
            }
        }
    }
}

/// The `tenant_id` of the address, if it has one; an error if it is no tenant's number.
fn asked(query: &str) -> Result<Option<TenantId>, ()> {
    let mut found = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "tenant_id" {
            continue;
        }
        let tenant = value.parse().ok().and_then(TenantId::new).ok_or(())?;
        if found.is_some_and(|before| before != tenant) {
            return Err(());
        }
        found = Some(tenant);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_in_addresses() {
        for (query, expected) in [
            ("", Ok(None)),
            ("x=1", Ok(None)),
            ("tenant_id=2", Ok(Some(2))),
            ("a=b&tenant_id=2", Ok(Some(2))),
            ("tenant%5Fid=2&tenant_id=2", Ok(Some(2))),
            ("tenant_id=2&tenant_id=1", Err(())),
            ("tenant_id=", Err(())),
            ("tenant_id=0", Err(())),
            ("tenant_id=-2", Err(())),
            ("tenant_id=two", Err(())),
            ("tenant_id=4294967298", Err(())),
        ] {
            assert_eq!(asked(query).map(|id| id.map(TenantId::get)), expected, "{query}");
        }
    }
}
