//! `POST /api/gateway/{provider}`: which senders, verify, decode, keep, answer. A 2xx is given after
//! the durable commit and never before. Nothing here calls a brain or a provider.
//!
//! A body may hold many items, for several senders and tenants. Each item is kept by the sender whose
//! account it names, if the body proves itself by that sender's keys too; one that does not is left
//! out and costs the others nothing.
//!
//! What a provider must not resend is answered 200, even if nobody wants it; what was not kept is
//! answered with an error, so that it is sent again.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::future::join_all;
use serde_json::{Value, json};

use self::hearing::{Hearing, Knock};
use self::proven::Proven;
use crate::body;
use crate::channel::{self, Acknowledgement, DecodeError, Unverified, signature};
use crate::clock;
use crate::event::session::Status;
use crate::event::{Event, Own, Receipt, TemplateChange};
use crate::message::{Inbound, Provider, TenantId};
use crate::metrics::Metrics;
use crate::repeats::{Kind, Repeats};
use crate::route::{Answer, Reason};
use crate::session::pulse::Pulse;
use crate::store::arrivals::Arrivals;
use crate::store::contacts::{Contacts, OwnKept};
use crate::store::locks::Locks;
use crate::store::receipts::Receipts;
use crate::store::registry::Registry;
use crate::store::sessions::Sessions;
use crate::store::templates::Templates;
use crate::store::unread::Unread;
use crate::store::{self, Accepted, Arrival};
use crate::tenant::{Directory, Sender};
use crate::way;

pub mod hearing;
mod lately;
mod proven;
mod tenant;
pub mod unread;

/// What webhooks ask of the store.
pub trait WebhookStore:
    Arrivals + Contacts + Locks + Receipts + Registry + Sessions + Templates + Unread
{
}

impl<T: Arrivals + Contacts + Locks + Receipts + Registry + Sessions + Templates + Unread> WebhookStore
    for T
{
}

/// Everything a webhook needs.
pub struct Webhook {
    pub store: Arc<dyn WebhookStore>,
    pub metrics: Arc<Metrics>,
    /// Told of every proven webhook.
    pub pulse: Arc<Pulse>,
    pub hearing: Arc<Hearing>,
}

/// The doors that providers knock at. Each request proves itself by its sender's keys.
pub fn provider_routes(webhook: Arc<Webhook>) -> Router {
    let mut router = Router::new();
    for provider in Provider::ALL.into_iter().filter(|provider| !provider.is_simulated()) {
        let take = async move |State(webhook): State<Arc<Webhook>>, request: Request<Body>| {
            webhook.receive(provider, None, request).await
        };
        let take_at = async move |State(webhook): State<Arc<Webhook>>,
                                  Path(key): Path<String>,
                                  request: Request<Body>| {
            webhook.receive(provider, Some(key), request).await
        };
        let challenge = async move |State(webhook): State<Arc<Webhook>>, Query(query): Query<Pairs>| {
            webhook.challenge(provider, None, &query)
        };
        let challenge_at = async move |State(webhook): State<Arc<Webhook>>,
                                       Path(key): Path<String>,
                                       Query(query): Query<Pairs>| {
            webhook.challenge(provider, Some(&key), &query)
        };
        router = router
            .route(&format!("/api/gateway/{provider}"), post(take).get(challenge))
            .route(&format!("/api/gateway/{provider}/{{key}}"), post(take_at).merge(get(challenge_at)));
    }
    router.with_state(webhook.clone()).merge(tenant::routes(webhook))
}

/// The simulator's door. Whoever mounts it must check that the caller is the operator: a simulated
/// contact can be anyone.
pub fn simulator_routes(webhook: Arc<Webhook>) -> Router {
    let mut router = Router::new();
    for provider in Provider::ALL.into_iter().filter(|provider| provider.is_simulated()) {
        let take = async move |State(webhook): State<Arc<Webhook>>, request: Request<Body>| {
            webhook.receive(provider, None, request).await
        };
        router = router.route(&format!("/api/gateway/{provider}"), post(take));
    }
    router.with_state(webhook)
}

type Pairs = Vec<(String, String)>;

impl Webhook {
    async fn receive(
        &self,
        provider: Provider,
        path_key: Option<String>,
        request: Request<Body>,
    ) -> Response {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let knock = Knock { provider, path_key, headers: parts.headers };
        let response = match self.take(knock, body).await {
            Ok(answer) => answer.into_response(),
            Err(refusal) => {
                self.metrics.webhook(provider, refusal.counted_as());
                refusal.log(provider, &self.metrics.repeats);
                refusal.into_response()
            }
        };
        self.metrics.webhook_took(began.elapsed());
        response
    }

    async fn take(&self, knock: Knock, body: Body) -> Result<Taken, Refusal> {
        let provider = knock.provider;
        let mut heard = self.hearing.hear(knock, body).await?;
        let (proven, directory) = (&heard.proven, &*heard.directory);
        // Handed to the store in the order of the body, and committed together.
        let events = std::mem::take(&mut heard.events).into_iter();
        let kept = events.map(|event| self.keep(provider, proven, directory, event));
        let answers: Vec<Value> = join_all(kept).await.into_iter().collect::<Result<_, _>>()?;
        if let Some(unread) = heard.unread.take() {
            self.store.keep_unread(unread).await.map_err(Refusal::Store)?;
        }
        Ok(match channel::adapter(provider).acknowledgement() {
            Acknowledgement::Empty => Taken::Silently,
            Acknowledgement::Json => Taken::As(all(answers)),
        })
    }

    /// Keeps one event and says what became of it.
    async fn keep(
        &self,
        provider: Provider,
        proven: &Proven,
        directory: &Directory,
        event: Event,
    ) -> Result<Value, Refusal> {
        if let Event::Template(change) = event {
            return self.keep_template(proven, directory, change).await;
        }
        let account = event.account().map(str::to_owned);
        match proven.sender_of(directory, &event) {
            // Switched off it sends nothing; what it is told is kept, and waits.
            proven::Found::Sender(sender) => {
                self.hears(&sender);
                self.keep_for(&sender, event, None).await
            }
            proven::Found::Unproven => {
                self.metrics.webhook(provider, "unverified");
                let account = account.unwrap_or_default();
                if let Some(left_out) = self.metrics.repeats.say(Kind::ItemUnproven, Some(provider)) {
                    tracing::warn!(%provider, account, left_out, "an item of a webhook is for a sender whose keys the webhook does not prove; it was left out");
                }
                Ok(ignored("the webhook does not prove that it is for this account", None))
            }
            proven::Found::Nobody => {
                self.metrics.webhook(provider, "unknown_account");
                let account = account.unwrap_or_else(|| "(none)".into());
                if let Some(left_out) = self.metrics.repeats.say(Kind::AccountUnknown, Some(provider)) {
                    tracing::warn!(
                        %provider,
                        account,
                        left_out,
                        "a webhook for an account that no sender has was left alone; add it with `switchboard sender add`"
                    );
                }
                Ok(ignored("no sender has this account", Some("check_the_sender_configuration")))
            }
        }
    }

    /// `tenant`: whose it is on a shared number, where its address said so.
    async fn keep_for(
        &self,
        sender: &Sender,
        event: Event,
        tenant: Option<TenantId>,
    ) -> Result<Value, Refusal> {
        let provider = sender.provider();
        match event {
            Event::Message(inbound) => {
                let accepted = self.accept(sender, *inbound, tenant).await?;
                let labels = self.labels(&accepted.answer);
                Ok(answer_body(&accepted.answer, labels))
            }
            Event::Receipt(mut receipt) => {
                if receipt.account.is_some() {
                    receipt.account = Some(sender.account.clone());
                }
                self.keep_receipt(sender, receipt).await?;
                self.metrics.webhook(provider, "receipt");
                Ok(json!({"status": "received", "kind": "receipt"}))
            }
            Event::Session(change) => {
                let known = self.store.session(&sender.name).await.map_err(Refusal::Store)?;
                // Some versions tell the same every few seconds.
                let news = known.is_none_or(|known| known.status != change.status);
                // A server that is restarted tells it of each of its numbers.
                let server = sender.base_url.as_deref().unwrap_or_default();
                if news
                    && self.metrics.repeats.alike.is_first(server, change.status.word(), sender.name.as_str())
                {
                    log_session(sender, &change.status);
                }
                self.store.record_session(sender.name.clone(), change).await.map_err(Refusal::Store)?;
                self.metrics.webhook(provider, "session");
                Ok(json!({"status": "received", "kind": "session"}))
            }
            Event::Own(own) => self.keep_own(sender, *own, tenant).await,
            // Templates are an account's and no sender's; see `keep_template`.
            Event::Template(_) => Ok(ignored("template", None)),
            Event::SamePerson(mut same) => {
                same.account.clone_from(&sender.account);
                let merged = self.store.learn(same, clock::now()).await.map_err(Refusal::Store)?;
                self.metrics.webhook(provider, "same_person");
                Ok(json!({"status": "received", "kind": "same_person", "merged": merged}))
            }
            Event::Consent(consent) => {
                let kept = self.store.record_consent(consent, sender.name.clone(), tenant, clock::now());
                kept.await.map_err(Refusal::Store)?;
                self.metrics.webhook(provider, "consent");
                Ok(json!({"status": "received", "kind": "consent"}))
            }
            Event::Alert(left) => {
                self.metrics.webhook(provider, "alert");
                tracing::warn!(sender = %sender.name, told = left.reason, "the provider reports on the account; see its console");
                Ok(ignored(&left.reason, None))
            }
            Event::Unread(unread) => Ok(self.unreadable(sender, &unread)),
            Event::Ignored(left) => {
                self.metrics.webhook(provider, "ignored");
                tracing::debug!(sender = %sender.name, reason = left.reason, "left alone");
                Ok(ignored(&left.reason, None))
            }
        }
    }

    /// Keeps a message. `tenant`: whose it is on a shared number, where its address said so.
    async fn accept(
        &self,
        sender: &Sender,
        mut inbound: Inbound,
        tenant: Option<TenantId>,
    ) -> Result<Accepted, Refusal> {
        let (contact, id) = (inbound.contact.clone(), inbound.id.clone());
        sender.hears(&mut inbound.content);
        // One name for the account, whichever of its names the provider used: it is part of what makes
        // a message one of a kind.
        inbound.account.clone_from(&sender.account);
        let arrival = Arrival { inbound, sender: sender.name.clone(), tenant, received_at: clock::now() };
        let accepted = self.store.accept(arrival).await.map_err(Refusal::Store)?;
        let outcome = match (&accepted.answer, accepted.duplicate) {
            (_, true) => "duplicate",
            (Answer::Routed { .. }, false) => "routed",
            (Answer::Ignored(_), false) => "ignored",
        };
        self.metrics.webhook(sender.provider(), outcome);
        accepted.tell(&contact, sender, &id);
        Ok(accepted)
    }

    async fn keep_receipt(&self, sender: &Sender, receipt: Receipt) -> Result<(), Refusal> {
        let (id, reason) = (receipt.message_id.clone(), receipt.reason.clone());
        let moved = self.store.record_receipt(receipt).await.map_err(Refusal::Store)?;
        let Some(moved) = moved else { return Ok(()) };
        if moved.returned {
            self.metrics.returned(sender.provider());
        }
        let told = way::Told {
            seq: moved.id.seq,
            state: moved.state,
            sender: &sender.name,
            provider: sender.provider(),
            id: channel::adapter(sender.provider()).bare_id(&id),
            reason: reason.as_deref(),
        };
        way::told(moved.message, &moved.id.key, &told);
        Ok(())
    }

    fn hears(&self, sender: &Sender) {
        if sender.provider().has_sessions() {
            self.pulse.heard(&sender.name, clock::now());
        }
    }

    /// What our own number said: kept if a human said it, and known already if we did.
    async fn keep_own(
        &self,
        sender: &Sender,
        mut own: Own,
        tenant: Option<TenantId>,
    ) -> Result<Value, Refusal> {
        own.account.clone_from(&sender.account);
        let kept = self.store.record_own(own, sender.name.clone(), tenant, clock::now()).await;
        match kept.map_err(Refusal::Store)? {
            OwnKept::Said => {
                self.metrics.webhook(sender.provider(), "own");
                Ok(json!({"status": "received", "kind": "own"}))
            }
            OwnKept::Known | OwnKept::Nothing => {
                self.metrics.webhook(sender.provider(), "ignored");
                Ok(ignored("own message", None))
            }
        }
    }

    /// Templates belong to an account that many senders may share.
    async fn keep_template(
        &self,
        proven: &Proven,
        directory: &Directory,
        change: TemplateChange,
    ) -> Result<Value, Refusal> {
        let provider = change.provider;
        let senders = proven.senders_at(directory, change.account.as_deref());
        if senders.is_empty() {
            let account = change.account.as_deref().unwrap_or("(none)");
            self.metrics.webhook(provider, "unknown_account");
            if let Some(left_out) = self.metrics.repeats.say(Kind::AccountUnknown, Some(provider)) {
                tracing::warn!(%provider, account, left_out, "what was told of a template is about an account that no proven sender has; it was left alone");
            }
            return Ok(ignored("no sender has this account", Some("check_the_sender_configuration")));
        }
        let names = senders.iter().map(|sender| sender.name.clone()).collect();
        let (name, status) = (change.name.clone(), change.status.clone());
        let recorded = self.store.record_template_change(change, names, clock::now()).await;
        let changed = recorded.map_err(Refusal::Store)?;
        self.metrics.webhook(provider, "template");
        tracing::info!(%provider, template = name, status, changed, "the provider told of a template");
        Ok(json!({"status": "received", "kind": "template"}))
    }

    /// What the operator's other systems call the tenant that a message went to.
    fn labels(&self, answer: &Answer) -> Value {
        let Answer::Routed { tenant, .. } = answer else { return json!({}) };
        self.store.directory().tenant(*tenant).map_or_else(|| json!({}), |tenant| json!(tenant.labels))
    }

    /// The handshake by which a provider asks whether this address is ours.
    fn challenge(&self, provider: Provider, path_key: Option<&str>, query: &[(String, String)]) -> Response {
        let directory = self.store.directory();
        let at_this_address = |sender: &&Arc<Sender>| {
            let expected = sender.webhook_path.expose().as_bytes();
            expected.is_empty() || path_key.is_some_and(|key| signature::is_key(expected, key.as_bytes()))
        };
        let adapter = channel::adapter(provider);
        let senders = directory.senders_of(provider);
        let echo =
            senders.into_iter().filter(at_this_address).find_map(|sender| adapter.challenge(sender, query));
        match echo {
            Some(echo) => {
                tracing::info!(%provider, "the provider asked whether this address is ours, and was told so");
                echo.into_response()
            }
            None => {
                self.metrics.webhook(provider, "unverified");
                if let Some(left_out) = self.metrics.repeats.say(Kind::Handshake, Some(provider)) {
                    tracing::warn!(%provider, left_out, "a handshake brought no sender's verify_token");
                }
                let body = refused(
                    "this is no handshake of a known sender",
                    "set the sender's verify_token to the one entered at the provider",
                );
                (StatusCode::FORBIDDEN, Json(body)).into_response()
            }
        }
    }
}

fn log_session(sender: &Sender, status: &Status) {
    if *status == Status::Failed {
        tracing::error!(sender = %sender.name, "the WhatsApp session failed; replies wait until it works again");
    } else {
        tracing::info!(sender = %sender.name, %status, "the WhatsApp session changed");
    }
}

/// What a webhook is answered with.
enum Taken {
    As(Value),
    Silently,
}

impl IntoResponse for Taken {
    fn into_response(self) -> Response {
        match self {
            Taken::As(answer) => Json(answer).into_response(),
            Taken::Silently => StatusCode::OK.into_response(),
        }
    }
}

/// One item: its answer. Several: a list of theirs, in the order of the body.
fn all(mut answers: Vec<Value>) -> Value {
    match answers.len() {
        0 => ignored("nothing in it", None),
        1 => answers.remove(0),
        _ => json!({"status": "received", "results": answers}),
    }
}

/// The body that a provider gets for a message. A duplicate gets the same.
///
/// A tenant's labels follow: `user_id`, `chatbot_id`, `agent_id` and whatever else it has.
fn answer_body(answer: &Answer, labels: Value) -> Value {
    match answer {
        Answer::Routed { tenant, contact, is_new_session } => {
            let mut body = json!({
                "status": "routed",
                "tenant_id": tenant,
                "phone_number": contact,
                "is_new_session": is_new_session,
            });
            if let (Value::Object(body), Value::Object(labels)) = (&mut body, labels) {
                for (name, label) in labels {
                    body.entry(name).or_insert(label);
                }
            }
            body
        }
        // A tenant that is not there is no more than no link at all.
        Answer::Ignored(Reason::NoTenant | Reason::UnknownTenant) => {
            ignored("user not associated with any tenant", Some("please_use_agent_link"))
        }
    }
}

fn ignored(reason: &str, action: Option<&str>) -> Value {
    match action {
        Some(action) => json!({"status": "ignored", "reason": reason, "action": action}),
        None => json!({"status": "ignored", "reason": reason}),
    }
}

/// The body of every refusal. Some who read it look for `message`, others for `reason`.
fn refused(reason: &str, action: &str) -> Value {
    json!({"status": "error", "message": reason, "reason": reason, "action": action})
}

/// Why a webhook was not taken. Nothing of it was kept, or what was kept is found as a duplicate
/// when the provider sends it again.
#[derive(Debug)]
enum Refusal {
    Body(body::Error),
    Malformed(DecodeError),
    Unverified(Unverified),
    Store(store::Error),
}

impl Refusal {
    fn counted_as(&self) -> &'static str {
        match self {
            Refusal::Body(body::Error::NoRoom { .. }) => "unavailable",
            Refusal::Body(_) | Refusal::Malformed(_) => "malformed",
            Refusal::Store(_) => "unavailable",
            Refusal::Unverified(_) => "unverified",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Refusal::Body(_) => Kind::WebhookBody,
            Refusal::Malformed(_) => Kind::WebhookUnreadable,
            Refusal::Unverified(_) => Kind::WebhookUnproven,
            Refusal::Store(_) => Kind::WebhookNotKept,
        }
    }

    fn log(&self, provider: Provider, repeats: &Repeats) {
        let Some(left_out) = repeats.say(self.kind(), Some(provider)) else { return };
        match self {
            Refusal::Body(error) => tracing::warn!(%provider, %error, left_out, "a webhook was given up"),
            Refusal::Malformed(error) => {
                tracing::warn!(%provider, %error, left_out, "a webhook body cannot be read");
            }
            Refusal::Unverified(why) => {
                tracing::warn!(%provider, %why, left_out, "a webhook did not prove where it comes from");
            }
            // Said once by the store, as a state.
            Refusal::Store(error @ (store::Error::Limit { .. } | store::Error::Full(_))) => {
                tracing::debug!(%provider, %error, left_out, "a webhook was not kept");
            }
            Refusal::Store(error) => {
                tracing::error!(%provider, %error, left_out, "a webhook was not kept");
            }
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::Body(body::Error::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Body(body::Error::TooSlow { .. }) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Body(body::Error::NoRoom { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Body(body::Error::Broken(_)) | Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
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
            Refusal::Body(error @ body::Error::NoRoom { .. }) => (error.to_string(), "send it again later"),
            Refusal::Body(error) => (error.to_string(), "send the whole body at once"),
            Refusal::Malformed(error) => {
                (format!("the body cannot be read: {error}"), "send the provider's JSON unchanged")
            }
            // Which key was wrong is the log's business, not a stranger's.
            Refusal::Unverified(_) => (
                "the webhook does not prove where it comes from".into(),
                "sign the body or send the key that the sender is configured with",
            ),
            Refusal::Store(_) => ("the message could not be kept".into(), "send it again later"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (reason, action) = self.sentences();
        let mut response = (self.status(), Json(refused(&reason, action))).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}
