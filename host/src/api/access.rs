//! Who may use an address, decided from a request's head, before a byte of its body is read or a
//! handler knows of it. A route is added with its role and in no other way, so that none can be without
//! one; and with it comes how much its body may be, which is little unless the route says more.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use axum::{Extension, Router};

use crate::api::App;
use crate::api::auth::{self, Caller};
use crate::api::error::{Error, Result};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Operator,
    /// The operator, and the tenant whose number is the address's `{id}`.
    Tenant,
    /// Whoever has a key: each is shown its own.
    Anyone,
}

/// How large a route's body may be, in bytes: a JSON object that somebody wrote, unless it says more.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub operator: usize,
    pub tenant: usize,
}

impl Limit {
    pub const JSON: Limit = Limit::of(64 << 10);

    pub const fn of(bytes: usize) -> Self {
        Limit { operator: bytes, tenant: bytes }
    }

    pub fn for_caller(self, caller: &Caller) -> usize {
        match caller {
            Caller::Operator { .. } => self.operator,
            Caller::Tenant { .. } => self.tenant,
        }
    }
}

/// The same methods, with larger bodies.
pub fn up_to(limit: Limit, methods: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    methods.layer(Extension(limit))
}

/// The routes that want a key.
pub struct Routes {
    app: Arc<App>,
    router: Router<Arc<App>>,
}

impl Routes {
    pub fn new(app: Arc<App>) -> Self {
        Routes { app, router: Router::new() }
    }

    /// For the operator alone.
    pub fn operator(self, address: &str, methods: MethodRouter<Arc<App>>) -> Self {
        self.add(Role::Operator, address, methods)
    }

    /// For the operator, and for the tenant whose number is the address's `{id}`.
    pub fn tenant(self, address: &str, methods: MethodRouter<Arc<App>>) -> Self {
        assert!(address.contains("/{id}"), "{address} names no tenant");
        self.add(Role::Tenant, address, methods)
    }

    /// For everyone who has a key. The handler shows each no more than its own.
    pub fn anyone(self, address: &str, methods: MethodRouter<Arc<App>>) -> Self {
        self.add(Role::Anyone, address, methods)
    }

    pub fn into_router(self) -> Router<Arc<App>> {
        self.router
    }

    fn add(mut self, role: Role, address: &str, methods: MethodRouter<Arc<App>>) -> Self {
        let guard = middleware::from_fn_with_state((self.app.clone(), role), guard);
        let methods = methods.layer(middleware::from_fn(carry_out)).layer(guard);
        self.router = self.router.route(address, methods);
        self
    }
}

/// Lets those in who may, and tells the handler who it is.
async fn guard(State((app, role)): State<(Arc<App>, Role)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match admit(&app, role, &mut parts).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    parts.extensions.insert(caller);
    next.run(Request::from_parts(parts, body)).await
}

/// For a door elsewhere that is the operator's.
pub async fn operator_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    guard(State((app, Role::Operator)), request, next).await
}

async fn admit(app: &App, role: Role, parts: &mut Parts) -> Result<Caller> {
    let caller = auth::identify(app, parts)?;
    match role {
        Role::Operator => caller.operator()?,
        Role::Tenant => {
            let params = RawPathParams::from_request_parts(parts, &()).await;
            let id = params.ok().and_then(|params| {
                let id = params.iter().find(|(name, _)| *name == "id");
                id.map(|(_, id)| id.parse::<u32>())
            });
            match id {
                Some(Ok(id)) => caller.tenant(app, id).map(|_| ())?,
                _ => return Err(Error::malformed("the address names no tenant", "write its number in it")),
            }
        }
        Role::Anyone => {}
    }
    Ok(caller)
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
            Err(_) => Error::internal().into_response(),
        },
    }
}
