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
//! | `/api/tenants/{id}/media`, `.../{handle}` | operator, that tenant | files received, files to send |
//! | `/media/{token}` | who was given the address | one file, for a while |
//! | `/api/tenants/{id}/conversations/{contact}/*` | operator, that tenant | what was said, and who answers |
//! | `/api/tenants/{id}/templates/*` | operator, that tenant | message templates, and which were sent |
//! | `/api/doctor` | operator | what is wrong, or soon will be |
//! | `/api/route` | operator | where a message to one of our numbers would go |
//! | `/api/secrets` | operator | the keys that senders' secrets are sealed with |
//! | `/api/tenants/{id}/whatsapp/*`, `/api/senders/{name}/whatsapp/*` | operator, that tenant | logging a WAHA number in and out |
//! | `/api/tenants/{id}/opt-outs` | operator, that tenant | who wants no messages |
//! | `/api/turns`, `/api/outbox` | operator, a tenant its own | what waits, what died and why |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::api::access::{Limit, Routes, up_to};
use crate::api::uploads::Uploads;
use crate::brain::{Brains, package};
use crate::clock;
use crate::config::Config;
use crate::egress::Egress;
use crate::media::Media;
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::store::{AuditEntry, Store};
use crate::template_sync::Desk;

pub mod access;
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
mod request;
mod route;
mod secrets;
mod senders;
mod templates;
mod tenants;
mod turns;
pub mod uploads;
mod users;
mod whatsapp;

/// A tenant with its personality and labels.
const TENANT_BYTES: usize = 1 << 20;

/// Some hundred thousand contacts; more come in several requests.
const MAPPING_BYTES: usize = 8 << 20;

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
    pub uploads: Uploads,
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
    let http = &app.config.http;
    let files = Limit::of(http.upload_body_bytes);
    let component = Limit { operator: http.upload_body_bytes, tenant: brains::TENANT_COMPONENT_BYTES };
    let explained = Limit::of(http.webhook_body_bytes);
    let guarded = Routes::new(app.clone())
        .operator("/api/gateway/stats", get(users::stats))
        .operator("/api/gateway/user/{phone}/tenant", get(users::tenant_of))
        .operator("/api/gateway/user/{phone}/mapping", delete(users::unlock))
        .operator("/api/mapping/export", get(mapping::export))
        .operator("/api/mapping/import", up_to(Limit::of(MAPPING_BYTES), post(mapping::import)))
        .operator("/api/contacts/{contact}", get(contacts::show))
        .operator("/api/contacts/{contact}/merge", post(contacts::merge))
        .operator("/api/contacts/{contact}/unmerge", post(contacts::unmerge))
        .operator("/api/organizations", get(tenants::organizations))
        .operator("/api/organizations/{id}", put(tenants::put_organization))
        .anyone("/api/tenants", get(tenants::list))
        .tenant("/api/tenants/{id}", get(tenants::show))
        .operator("/api/tenants/{id}", up_to(Limit::of(TENANT_BYTES), put(tenants::put)))
        .tenant(
            "/api/tenants/{id}/collections/{name}",
            up_to(tenants::COLLECTION, get(tenants::collection).put(tenants::put_collection)),
        )
        .tenant("/api/tenants/{id}/media", up_to(files, get(media::list).post(media::put)))
        .tenant("/api/tenants/{id}/media/{handle}", get(media::show))
        .tenant("/api/tenants/{id}/brain", up_to(component, get(brains::of_tenant).put(brains::push)))
        .tenant("/api/tenants/{id}/brain/rollback", post(brains::rollback_of_tenant))
        .tenant(
            "/api/tenants/{id}/personality",
            up_to(Limit::of(package::PERSONALITY_BYTES), put(brains::push_personality)),
        )
        .tenant("/api/tenants/{id}/whatsapp/connect", post(whatsapp::connect))
        .tenant("/api/tenants/{id}/whatsapp/status", get(whatsapp::status))
        .tenant("/api/tenants/{id}/whatsapp/disconnect", post(whatsapp::disconnect))
        .tenant("/api/tenants/{id}/whatsapp/qr", get(whatsapp::qr))
        .tenant("/api/tenants/{id}/whatsapp/pairing-code", post(whatsapp::pairing_code))
        .tenant("/api/tenants/{id}/conversations/{contact}", get(conversations::show))
        .tenant("/api/tenants/{id}/conversations/{contact}/messages", get(conversations::messages))
        .tenant("/api/tenants/{id}/conversations/{contact}/journal", get(conversations::journal))
        .tenant("/api/tenants/{id}/conversations/{contact}/handoff", post(conversations::take_over))
        .tenant("/api/tenants/{id}/conversations/{contact}/handback", post(conversations::hand_back))
        .tenant("/api/tenants/{id}/opt-outs", get(opt_outs::list))
        .tenant(
            "/api/tenants/{id}/opt-outs/{contact}",
            get(opt_outs::show).put(opt_outs::add).delete(opt_outs::remove),
        )
        .operator("/api/brains", get(brains::list))
        .operator("/api/brains/{package}/rollback", post(brains::rollback))
        .operator("/api/senders", get(senders::list))
        .operator("/api/senders/{name}", get(senders::show).put(senders::put))
        .operator("/api/senders/{name}/whatsapp/connect", post(whatsapp::connect))
        .operator("/api/senders/{name}/whatsapp/status", get(whatsapp::status))
        .operator("/api/senders/{name}/whatsapp/disconnect", post(whatsapp::disconnect))
        .operator("/api/senders/{name}/whatsapp/qr", get(whatsapp::qr))
        .operator("/api/senders/{name}/whatsapp/pairing-code", post(whatsapp::pairing_code))
        .anyone("/api/turns", get(turns::list))
        .anyone("/api/turns/{id}", get(turns::show))
        .anyone("/api/turns/{id}/retry", post(turns::retry))
        .anyone("/api/outbox", get(outbox::list))
        .anyone("/api/outbox/{id}", get(outbox::show))
        .anyone("/api/outbox/{id}/retry", post(outbox::retry))
        .anyone("/api/outbox/{id}/drop", post(outbox::drop))
        .operator("/api/keys", get(audit::keys).post(audit::make_key))
        .operator("/api/keys/{id}", delete(audit::remove_key))
        .operator("/api/audit", get(audit::log))
        .operator("/api/backup", post(audit::backup))
        .operator("/api/doctor", get(doctor::examine))
        .operator("/api/route", get(route::route))
        .operator("/api/webhook/explain", up_to(explained, post(explain::explain)));
    let guarded = secrets::routes(templates::routes(guarded));
    let open = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/media/{token}", get(media::linked));
    open.merge(guarded.into_router()).with_state(app)
}
