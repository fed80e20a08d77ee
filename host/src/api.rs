//! The HTTP JSON API: what operators, tenants and the command line ask and do. Every handler checks
//! who is calling, asks the store or the brains, and answers JSON; every change writes the audit log
//! with its actor. Knows nothing of connections, webhooks and loops.
//!
//! | address | who | what |
//! |---|---|---|
//! | `GET /health`, `/ready`, `/metrics` | see [`health`] | is it up, can it work, counters |
//! | `GET /api/gateway/stats`, `/api/gateway/user/{phone}/tenant`, `DELETE .../mapping` | operator | locks and their numbers |
//! | `/api/mapping/*` | operator | locks in bulk |
//! | `/api/contacts/{key}`, `.../merge`, `.../unmerge` | operator | who is who |
//! | `/api/organizations`, `/api/tenants`, `/api/senders` | operator; a tenant reads itself | who is served |
//! | `/api/tenants/{id}/brain`, `/personality`, `/collections/{name}` | operator, that tenant | what answers, and with what |
//! | `/api/tenants/{id}/quotas` | operator, that tenant | what it may use, and what it has used |
//! | `/api/tenants/{id}/media`, `.../{handle}` | operator, that tenant | files received, files to send |
//! | `/media/{token}` | who was given the address | one file, for a while |
//! | `/api/tenants/{id}/conversations/{contact}/*` | operator, that tenant | what was said, and who answers |
//! | `/api/tenants/{id}/templates/*` | operator, that tenant | message templates, and which were sent |
//! | `/api/store`, `.../compact` | operator | the store's file and its disk |
//! | `/api/doctor` | operator | what is wrong, or soon will be |
//! | `/api/route` | operator | where a message to one of our numbers would go |
//! | `/api/secrets` | operator | the keys that senders' secrets are sealed with |
//! | `/api/tenants/{id}/whatsapp/*`, `/api/senders/{name}/whatsapp/*` | operator, that tenant | logging a WAHA number in and out |
//! | `/api/tenants/{id}/opt-outs` | operator, that tenant | who wants no messages |
//! | `/api/turns`, `/api/outbox` | operator, a tenant its own | what waits, what died and why |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};

use crate::body::Bounds;
use crate::brain::Brains;
use crate::clock;
use crate::config::Config;
use crate::egress::Egress;
use crate::media::Media;
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::store::{AuditEntry, Store};
use crate::template_sync::Desk;

mod audit;
pub mod auth;
mod brains;
mod contacts;
mod conversations;
mod doctor;
pub mod error;
pub mod explain;
pub mod health;
mod mapping;
mod media;
mod opt_outs;
mod outbox;
mod quotas;
mod request;
mod route;
mod secrets;
mod senders;
mod templates;
mod tenants;
mod turns;
mod upkeep;
mod users;
mod whatsapp;

/// What the handlers work with.
pub struct App {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub brains: Arc<Brains>,
    pub media: Arc<Media>,
    pub metrics: Arc<Metrics>,
    pub egress: Egress,
    pub sessions: Arc<Sessions>,
    pub templates: Arc<Desk>,
    /// Set while the gateway stops.
    pub draining: Arc<AtomicBool>,
    /// Brains, collections, imports.
    pub uploads: Bounds,
    pub readiness: health::Readiness,
}

impl App {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// For what does not change the store and is an administrator's deed all the same.
    async fn audit(
        &self,
        caller: &auth::Caller,
        action: &str,
        subject: String,
        detail: serde_json::Value,
    ) -> error::Result<()> {
        let entry =
            AuditEntry { at: clock::now(), actor: caller.actor(), action: action.into(), subject, detail };
        Ok(self.store.audit(entry).await?)
    }
}

pub fn router(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/api/gateway/stats", get(users::stats))
        .route("/api/gateway/user/{phone}/tenant", get(users::tenant_of))
        .route("/api/gateway/user/{phone}/mapping", delete(users::unlock))
        .route("/api/mapping/export", get(mapping::export))
        .route("/api/mapping/import", post(mapping::import))
        .route("/api/contacts/{contact}", get(contacts::show))
        .route("/api/contacts/{contact}/merge", post(contacts::merge))
        .route("/api/contacts/{contact}/unmerge", post(contacts::unmerge))
        .route("/api/organizations", get(tenants::organizations))
        .route("/api/organizations/{id}", put(tenants::put_organization))
        .route("/api/tenants", get(tenants::list))
        .route("/api/tenants/{id}", get(tenants::show).put(tenants::put))
        .route("/api/tenants/{id}/quotas", get(quotas::show))
        .route("/api/tenants/{id}/collections/{name}", get(tenants::collection).put(tenants::put_collection))
        .route("/api/tenants/{id}/media", get(media::list).post(media::put))
        .route("/api/tenants/{id}/media/{handle}", get(media::show))
        .route("/api/tenants/{id}/brain", get(brains::of_tenant).put(brains::push))
        .route("/api/tenants/{id}/brain/rollback", post(brains::rollback_of_tenant))
        .route("/api/tenants/{id}/personality", put(brains::push_personality))
        .route("/api/tenants/{id}/whatsapp/connect", post(whatsapp::connect))
        .route("/api/tenants/{id}/whatsapp/status", get(whatsapp::status))
        .route("/api/tenants/{id}/whatsapp/disconnect", post(whatsapp::disconnect))
        .route("/api/tenants/{id}/whatsapp/qr", get(whatsapp::qr))
        .route("/api/tenants/{id}/whatsapp/pairing-code", post(whatsapp::pairing_code))
        .route("/api/tenants/{id}/conversations/{contact}", get(conversations::show))
        .route("/api/tenants/{id}/conversations/{contact}/messages", get(conversations::messages))
        .route("/api/tenants/{id}/conversations/{contact}/journal", get(conversations::journal))
        .route("/api/tenants/{id}/conversations/{contact}/handoff", post(conversations::take_over))
        .route("/api/tenants/{id}/conversations/{contact}/handback", post(conversations::hand_back))
        .route("/api/tenants/{id}/opt-outs", get(opt_outs::list))
        .route(
            "/api/tenants/{id}/opt-outs/{contact}",
            get(opt_outs::show).put(opt_outs::add).delete(opt_outs::remove),
        )
        .merge(templates::routes())
        .route("/api/brains", get(brains::list))
        .route("/api/brains/{package}/rollback", post(brains::rollback))
        .route("/api/senders", get(senders::list))
        .route("/api/senders/{name}", get(senders::show).put(senders::put))
        .route("/api/senders/{name}/whatsapp/connect", post(whatsapp::connect))
        .route("/api/senders/{name}/whatsapp/status", get(whatsapp::status))
        .route("/api/senders/{name}/whatsapp/disconnect", post(whatsapp::disconnect))
        .route("/api/senders/{name}/whatsapp/qr", get(whatsapp::qr))
        .route("/api/senders/{name}/whatsapp/pairing-code", post(whatsapp::pairing_code))
        .route("/api/turns", get(turns::list))
        .route("/api/turns/{id}", get(turns::show))
        .route("/api/turns/{id}/retry", post(turns::retry))
        .route("/api/outbox", get(outbox::list))
        .route("/api/outbox/{id}", get(outbox::show))
        .route("/api/outbox/{id}/retry", post(outbox::retry))
        .route("/api/outbox/{id}/drop", post(outbox::drop))
        .route("/api/keys", get(audit::keys).post(audit::make_key))
        .route("/api/keys/{id}", delete(audit::remove_key))
        .merge(secrets::routes())
        .route("/api/audit", get(audit::log))
        .route("/api/backup", post(audit::backup))
        .route("/api/store", get(upkeep::show))
        .route("/api/store/compact", post(upkeep::compact))
        .route("/api/doctor", get(doctor::examine))
        .route("/api/route", get(route::route))
        .route("/api/webhook/explain", post(explain::explain))
        .layer(middleware::from_fn(carry_out))
        .layer(middleware::from_fn_with_state(app.clone(), quotas::counted))
        .layer(middleware::from_fn_with_state(app.clone(), auth::known));
    let open = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/media/{token}", get(media::linked));
    open.merge(guarded).with_state(app)
}

/// What a request changes is carried out to its end, even if the caller goes away meanwhile.
async fn carry_out(request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => error::Error::internal().into_response(),
        },
    }
}
