//! The HTTP JSON API: what operators, tenants and the command line ask and do. Every handler checks
//! who is calling, asks the store or the brains, and answers JSON; every change writes the audit log
//! with its actor. Knows nothing of connections, webhooks and loops.
//!
//! [`routes`] is the table of all of it: who may do what, and what each parameter names. [`scoped`] makes
//! contacts out of what callers write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;

use crate::api::uploads::Uploads;
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
pub mod failed_keys;
pub mod health;
mod mapping;
mod media;
mod opt_outs;
mod outbox;
mod page;
mod quotas;
mod request;
mod route;
pub mod routes;
mod scoped;
mod secrets;
mod senders;
mod templates;
mod tenants;
mod turns;
mod upkeep;
pub mod uploads;
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
    pub uploads: Uploads,
    pub readiness: health::Readiness,
    pub failed_keys: failed_keys::FailedKeys,
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
    let (guarded, open) = routes::routers(&app);
    let guarded = guarded
        .layer(middleware::from_fn(carry_out))
        .layer(middleware::from_fn_with_state(app.clone(), quotas::counted))
        .layer(middleware::from_fn_with_state(app.clone(), auth::known));
    open.merge(guarded).with_state(app)
}

/// Cancelled when the caller has gone away: for what need not be carried out then.
#[derive(Clone)]
pub struct Gone(pub CancellationToken);

/// What a request changes is carried out to its end, even if the caller goes away meanwhile; it is told
/// of that.
async fn carry_out(mut request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let gone = CancellationToken::new();
    request.extensions_mut().insert(Gone(gone.clone()));
    let _gone = gone.drop_guard();
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => error::Error::internal().into_response(),
        },
    }
}
