//! The HTTP JSON API: what operators, tenants and the command line ask and do. Every handler checks
//! who is calling, asks the store or the brains, and answers JSON; every change writes the audit log
//! with its actor. Knows nothing of connections, webhooks and loops.
//!
//! [`routes`] is the table of all of it: who may do what, and what each parameter names. [`scoped`] makes
//! contacts out of what callers write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::auth::Caller;
use crate::api::threads::Threads;
use crate::api::under_way::UnderWay;
use crate::api::uploads::Uploads;
use crate::brain::Brains;
use crate::clock;
use crate::config::Config;
use crate::doctor::DoctorStore;
use crate::egress::Egress;
use crate::media::Media;
use crate::metrics::{KeptStore, Metrics};
use crate::refused_keys::RefusedKeys;
use crate::reload::Reload;
use crate::session::Sessions;
use crate::store::upkeep::StoreFile;
use crate::store::{AuditEntry, Store};
use crate::template_sync::Desk;
use crate::vitals::Vitals;

mod answers;
mod audit;
pub mod auth;
mod brains;
mod change;
mod chat;
mod contacts;
mod conversations;
mod doctor;
pub mod error;
pub mod explain;
pub mod failed_keys;
pub mod health;
mod mapping;
mod media;
mod messages;
mod opt_outs;
mod outbox;
mod page;
mod quotas;
mod reload;
mod request;
mod route;
pub mod routes;
mod scoped;
mod secrets;
mod senders;
mod templates;
mod tenants;
pub mod threads;
mod turns;
pub mod under_way;
mod upkeep;
pub mod uploads;
mod users;
mod whatsapp;

/// The whole store: between them the handlers ask for nearly everything. Of what they hand on, each asks for its part.
pub trait ApiStore: Store + DoctorStore + KeptStore {}

impl<T: Store> ApiStore for T {}

/// What the handlers work with.
pub struct App {
    pub config: Arc<Config>,
    pub store: Arc<dyn ApiStore>,
    pub file: Arc<dyn StoreFile>,
    pub brains: Arc<Brains>,
    pub media: Arc<Media>,
    pub metrics: Arc<Metrics>,
    pub egress: Egress,
    pub sessions: Arc<Sessions>,
    pub reload: Arc<Reload>,
    pub refused_keys: Arc<RefusedKeys>,
    pub templates: Arc<Desk>,
    /// Set while the gateway stops.
    pub draining: Arc<AtomicBool>,
    /// Brains, collections, imports; large answers.
    pub uploads: Uploads,
    pub threads: Arc<Threads>,
    pub vitals: Arc<Vitals>,
    pub under_way: UnderWay,
    pub readiness: health::Readiness,
    pub failed_keys: failed_keys::FailedKeys,
}

impl App {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// For what does not change the store and is an administrator's deed all the same.
    pub async fn audit(
        &self,
        caller: &Caller,
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
        .layer(middleware::from_fn_with_state(app.clone(), quotas::counted))
        .layer(middleware::from_fn_with_state(app.clone(), carry_out))
        .layer(middleware::from_fn_with_state(app.clone(), auth::known));
    open.merge(guarded).with_state(app)
}

/// Cancelled when the caller has gone away: for what need not be carried out then.
#[derive(Clone)]
pub struct Gone(pub CancellationToken);

/// On the API's own threads. What a request changes is carried out to its end, even if the caller goes away
/// meanwhile; it is told of that. What is only read then is not read any further.
async fn carry_out(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return error::Error::unauthorized().into_response();
    };
    let memory = app.uploads.memory_of(caller);
    let begun = match caller.confined_to().map(|tenant| app.under_way.begin(tenant)) {
        Some(None) => return error::Error::too_many_at_once(under_way::MOST).into_response(),
        begun => begun.flatten(),
    };
    let reads = request.method() == Method::GET;
    let gone = CancellationToken::new();
    request.extensions_mut().insert(Gone(gone.clone()));
    let _gone = gone.drop_guard();
    let work = app.threads.spawn(async move {
        let answer = next.run(request).await;
        drop(begun);
        answers::held(&memory, answer)
    });
    let done = if reads { AbortOnDropHandle::new(work).await } else { work.await };
    match done {
        Ok(answer) => answer,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => error::Error::internal().into_response(),
        },
    }
}
