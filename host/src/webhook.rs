//! `POST /api/gateway/{provider}`: which sender, verify, decode, keep, answer. A 2xx is given after
//! the durable commit and never before. Nothing here calls a brain or a provider.
//!
//! What a provider must not resend is answered 200, even if nobody wants it; what was not kept is
//! answered with an error, so that it is sent again.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::body;
use crate::channel::{self, Adapter, DecodeError, Unverified};
use crate::clock;
use crate::message::{Event, Provider};
use crate::metrics::Metrics;
use crate::route::{Answer, Reason};
use crate::store::{self, Arrival, Store};
use crate::tenant::Sender;

/// A webhook for an account that no sender has is checked against this many senders' keys, and only
/// up to this size; past either it is refused like any other that proves nothing.
const UNKNOWN_ACCOUNT_SENDERS: usize = 16;
const UNKNOWN_ACCOUNT_BYTES: usize = 64 << 10;

/// Everything a webhook needs.
pub struct Webhook {
    pub store: Arc<dyn Store>,
    pub metrics: Arc<Metrics>,
    /// Does the gateway listen on loopback only? Then senders may do without a key.
    pub loopback: bool,
    pub body: body::Bounds,
}

/// The doors that providers knock at. Each request proves itself by its sender's keys.
pub fn provider_routes(webhook: Arc<Webhook>) -> Router {
    Router::new().route("/api/gateway/waha", post(waha)).with_state(webhook)
}

/// The simulator's door. Whoever mounts it must check that the caller is the operator: a simulated
/// contact can be anyone.
pub fn simulator_routes(webhook: Arc<Webhook>) -> Router {
    Router::new().route("/api/gateway/simulator", post(simulator)).with_state(webhook)
}

async fn waha(State(webhook): State<Arc<Webhook>>, request: Request<Body>) -> Response {
    webhook.receive(Provider::Waha, request).await
}

async fn simulator(State(webhook): State<Arc<Webhook>>, request: Request<Body>) -> Response {
    webhook.receive(Provider::Simulator, request).await
}

impl Webhook {
    async fn receive(&self, provider: Provider, request: Request<Body>) -> Response {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let response = match body::read(body, &self.body).await {
            Ok(bytes) => match self.take(provider, &parts.headers, &bytes).await {
                Ok(answer) => Json(answer).into_response(),
                Err(refusal) => {
                    self.metrics.webhook(provider, refusal.counted_as());
                    refusal.log(provider);
                    refusal.into_response()
                }
            },
            Err(error) => {
                self.metrics.webhook(provider, "malformed");
                let refusal = Refusal::Body(error);
                refusal.log(provider);
                refusal.into_response()
            }
        };
        self.metrics.webhook_took(began.elapsed());
        response
    }

    /// Everything after the body is there.
    async fn take(&self, provider: Provider, headers: &HeaderMap, body: &Bytes) -> Result<Value, Refusal> {
        let adapter = channel::adapter(provider).ok_or(Refusal::NoAdapter)?;
        let Some(sender) = self.sender(provider, adapter, headers, body)? else {
            self.metrics.webhook(provider, "unknown_account");
            return Ok(ignored("no sender has this account", Some("check_the_sender_configuration")));
        };
        if !sender.active {
            return Ok(ignored("the sender is switched off", None));
        }
        let events = adapter.decode(body, sender.groups).map_err(Refusal::Malformed)?;
        let mut answer = None;
        for event in events {
            let one = self.keep(&sender, event).await?;
            answer.get_or_insert(one);
        }
        Ok(answer.unwrap_or_else(|| ignored("nothing in it", None)))
    }

    /// The sender that this webhook proves to be for. `None`: it is proven, but by a sender other
    /// than the one whose account it names, so nobody's.
    fn sender(
        &self,
        provider: Provider,
        adapter: &dyn Adapter,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Option<Arc<Sender>>, Refusal> {
        let directory = self.store.directory();
        let account = adapter.claimed_account(body).map_err(Refusal::Malformed)?;
        let named = account.as_deref().and_then(|account| directory.sender_of(provider, account));
        if let Some(sender) = named {
            self.verify(adapter, sender, headers, body).map_err(Refusal::Unverified)?;
            return Ok(Some(sender.clone()));
        }
        // A stranger must not make us hash a large body once for every sender there is.
        let proven = body.len() <= UNKNOWN_ACCOUNT_BYTES
            && directory
                .senders
                .values()
                .filter(|sender| sender.provider == provider)
                .take(UNKNOWN_ACCOUNT_SENDERS)
                .any(|sender| self.verify(adapter, sender, headers, body).is_ok());
        if !proven {
            return Err(Refusal::Unverified(Unverified::WrongKey));
        }
        tracing::warn!(
            %provider,
            account = account.as_deref().unwrap_or("(none)"),
            "a webhook for an account that no sender has was left alone; add it with `switchboard sender add`"
        );
        Ok(None)
    }

    fn verify(
        &self,
        adapter: &dyn Adapter,
        sender: &Sender,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(), Unverified> {
        if channel::unproven_allowed(sender, self.loopback) {
            return Ok(());
        }
        adapter.verify(sender, headers, body)
    }

    /// Keeps one event and says what became of it.
    async fn keep(&self, sender: &Sender, event: Event) -> Result<Value, Refusal> {
        let provider = sender.provider;
        match event {
            Event::Message(inbound) => {
                let contact = inbound.contact.masked();
                let arrival =
                    Arrival { inbound: *inbound, sender: sender.name.clone(), received_at: clock::now() };
                let accepted = self.store.accept(arrival).await.map_err(Refusal::Store)?;
                let outcome = match (&accepted.answer, accepted.duplicate) {
                    (_, true) => "duplicate",
                    (Answer::Routed { .. }, false) => "routed",
                    (Answer::Ignored(_), false) => "ignored",
                };
                self.metrics.webhook(provider, outcome);
                tracing::debug!(sender = %sender.name, contact, outcome, "message");
                Ok(answer_body(&accepted.answer))
            }
            Event::Receipt(receipt) => {
                self.store.record_receipt(receipt).await.map_err(Refusal::Store)?;
                self.metrics.webhook(provider, "receipt");
                Ok(json!({"status": "received", "kind": "receipt"}))
            }
            Event::Session(change) => {
                if change.status == "FAILED" {
                    tracing::error!(sender = %sender.name, "the WhatsApp session failed; replies wait until it works again");
                } else {
                    tracing::info!(sender = %sender.name, status = change.status, "the WhatsApp session changed");
                }
                self.store.record_session(sender.name.clone(), change).await.map_err(Refusal::Store)?;
                self.metrics.webhook(provider, "session");
                Ok(json!({"status": "received", "kind": "session"}))
            }
            Event::Ignored(left) => {
                self.metrics.webhook(provider, "ignored");
                tracing::debug!(sender = %sender.name, reason = left.reason, "left alone");
                Ok(ignored(&left.reason, None))
            }
        }
    }
}

/// The body that a provider gets for a message. A duplicate gets the same.
fn answer_body(answer: &Answer) -> Value {
    match answer {
        Answer::Routed { tenant, contact, is_new_session } => json!({
            "status": "routed",
            "tenant_id": tenant,
            "phone_number": contact,
            "is_new_session": is_new_session,
        }),
        // A link to a tenant that is not there says no more than no link at all.
        Answer::Ignored(Reason::NoTenant | Reason::UnknownTenant) => {
            ignored("user not associated with any tenant", Some("please_use_agent_link"))
        }
        Answer::Ignored(Reason::InactiveTenant) => ignored("the tenant is not active", None),
    }
}

fn ignored(reason: &str, action: Option<&str>) -> Value {
    match action {
        Some(action) => json!({"status": "ignored", "reason": reason, "action": action}),
        None => json!({"status": "ignored", "reason": reason}),
    }
}

/// Why a webhook was not taken. Nothing of it was kept, or what was kept is found as a duplicate
/// when the provider sends it again.
#[derive(Debug)]
enum Refusal {
    Body(body::Error),
    NoAdapter,
    Malformed(DecodeError),
    Unverified(Unverified),
    Store(store::Error),
}

impl Refusal {
    fn counted_as(&self) -> &'static str {
        match self {
            Refusal::Body(body::Error::NoRoom) => "unavailable",
            Refusal::Body(_) | Refusal::Malformed(_) => "malformed",
            Refusal::NoAdapter | Refusal::Store(_) => "unavailable",
            Refusal::Unverified(_) => "unverified",
        }
    }

    fn log(&self, provider: Provider) {
        match self {
            Refusal::Body(error) => tracing::warn!(%provider, %error, "a webhook was given up"),
            Refusal::NoAdapter => tracing::error!(%provider, "this provider is not spoken yet"),
            Refusal::Malformed(error) => tracing::warn!(%provider, %error, "a webhook body cannot be read"),
            Refusal::Unverified(why) => {
                tracing::warn!(%provider, %why, "a webhook did not prove where it comes from");
            }
            Refusal::Store(error) => tracing::error!(%provider, %error, "a webhook was not kept"),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::Body(body::Error::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Body(body::Error::TooSlow { .. }) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Body(body::Error::NoRoom) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Body(body::Error::Broken(_)) | Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::NoAdapter => StatusCode::NOT_FOUND,
            Refusal::Unverified(_) => StatusCode::UNAUTHORIZED,
            Refusal::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn sentences(&self) -> (String, &'static str) {
        match self {
            Refusal::Body(body::Error::TooLarge { limit }) => (
                format!("the body is larger than {limit} bytes"),
                "raise http.webhook_body_bytes or send less",
            ),
            Refusal::Body(error @ body::Error::NoRoom) => (error.to_string(), "send it again later"),
            Refusal::Body(error) => (error.to_string(), "send the whole body at once"),
            Refusal::NoAdapter => ("this provider is not spoken".into(), "use another provider"),
            Refusal::Malformed(error) => {
                (format!("the body cannot be read: {error}"), "send the provider's JSON unchanged")
            }
            // Which key was wrong is the log's business, not a stranger's.
            Refusal::Unverified(_) => (
                "the webhook does not prove where it comes from".into(),
                "sign the body (X-Webhook-Hmac) or send the sender's key (X-Api-Key)",
            ),
            Refusal::Store(_) => ("the message could not be kept".into(), "send it again later"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (reason, action) = self.sentences();
        let body = Json(json!({"status": "error", "reason": reason, "action": action}));
        let mut response = (self.status(), body).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}
