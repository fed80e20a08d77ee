//! Who is calling: the operator, or one tenant with a key of its own. A key is 32 random bytes; the
//! store keeps its SHA-256 only. Another tenant's things do not exist for a tenant: 404, never 403.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::api::App;
use crate::api::error::{Error, Result};
use crate::api::failed_keys;
use crate::clock;
use crate::message::TenantId;
use crate::repeats::Kind;
use crate::store::api_keys::ApiKeys;
use crate::store::{self, ApiKey};
use crate::tenant::{Secret, Tenant};

/// Put into a request's extensions by whoever serves this machine's own command line: who can open
/// the data directory is the operator. Nothing that comes over the network can carry it.
#[derive(Clone, Copy, Debug)]
pub struct OwnMachine;

/// Put into a request's extensions by the listener: the network it came from, where it came over one.
#[derive(Clone, Copy, Debug)]
pub struct From(pub Option<IpAddr>);

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Operator {
        /// The key's name, or that of this machine's command line.
        name: String,
        own_machine: bool,
    },
    Tenant {
        id: TenantId,
        name: String,
    },
}

impl Caller {
    /// For the audit log: `operator (laptop)`, `tenant 2 (ci)`.
    pub fn actor(&self) -> String {
        match self {
            Caller::Operator { name, .. } if name == "operator" => name.clone(),
            Caller::Operator { name, .. } => format!("operator ({name})"),
            Caller::Tenant { id, name } => format!("tenant {id} ({name})"),
        }
    }

    pub fn operator(&self) -> Result<()> {
        match self {
            Caller::Operator { .. } => Ok(()),
            Caller::Tenant { .. } => Err(Error::operator_only()),
        }
    }

    pub fn on_own_machine(&self) -> bool {
        matches!(self, Caller::Operator { own_machine: true, .. })
    }

    /// The tenant that the caller is confined to.
    pub fn confined_to(&self) -> Option<TenantId> {
        match self {
            Caller::Operator { .. } => None,
            Caller::Tenant { id, .. } => Some(*id),
        }
    }

    /// The tenant of an address, if there is one and the caller may see it.
    pub fn tenant(&self, app: &App, id: u32) -> Result<Arc<Tenant>> {
        let found = TenantId::new(id).filter(|id| self.confined_to().is_none_or(|own| own == *id));
        found.and_then(|id| app.store.directory().tenant(id).cloned()).ok_or_else(|| Error::no_tenant(id))
    }
}

/// Lets those in who prove who they are, and tells the handler who it is.
pub async fn known(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    match identify(&app, &request).await {
        Ok(caller) => {
            let actor = caller.actor();
            request.extensions_mut().insert(caller);
            let answer = next.run(request).await;
            refused(&app, &actor, answer.status());
            answer
        }
        Err(error) => {
            let turned_away = turned_away(&app, &request, error);
            drop(request);
            turned_away.answer().await
        }
    }
}

/// Whoever proved who it is, and was refused all the same, is counted and told of too.
fn refused(app: &App, actor: &str, status: StatusCode) {
    let kind = match status {
        StatusCode::FORBIDDEN => Kind::NotAllowed,
        StatusCode::TOO_MANY_REQUESTS => Kind::TooOften,
        _ => return,
    };
    if let Some(left_out) = app.metrics.repeats.say(kind, None) {
        tracing::warn!(reason = kind.name(), actor, left_out, "a request of the API was refused");
    }
}

/// Lets the operator in.
pub async fn operator_only(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    match identify(&app, &request).await.and_then(|caller| caller.operator().map(|()| caller)) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            let turned_away = turned_away(&app, &request, error);
            drop(request);
            turned_away.answer().await
        }
    }
}

/// What whoever did not prove who it is gets, and when.
pub struct TurnedAway {
    error: Error,
    after: Duration,
}

impl TurnedAway {
    pub async fn answer(self) -> Response {
        tokio::time::sleep(self.after).await;
        self.error.into_response()
    }
}

/// Counts it and says so once a minute; where keys are tried one after the other the answer comes late.
pub fn turned_away(app: &App, request: &Request, error: Error) -> TurnedAway {
    if !error.is_unauthorized() {
        refused(app, "(a tenant)", error.status());
        return TurnedAway { error, after: Duration::ZERO };
    }
    let peer = request.extensions().get::<From>().and_then(|from| from.0);
    let tried = bearer(request.headers()).is_some();
    let kind = if tried { Kind::KeyWrong } else { Kind::KeyMissing };
    if let Some(left_out) = app.metrics.repeats.say(kind, None) {
        let peer = peer.map(|ip| ip.to_string());
        tracing::warn!(reason = kind.name(), peer, left_out, "a request of the API was refused");
    }
    let most = app.config.http.failed_keys_per_minute;
    if tried && app.failed_keys.too_many(peer, most, Instant::now()) {
        return TurnedAway { error: Error::too_many_keys(most), after: failed_keys::DELAY };
    }
    TurnedAway { error, after: Duration::ZERO }
}

/// Who sent this request; an error if it does not prove it.
pub fn identify<'a>(
    app: &'a App,
    request: &Request,
) -> impl Future<Output = Result<Caller>> + Send + use<'a> {
    let own_machine = request.extensions().get::<OwnMachine>().is_some();
    let token = bearer(request.headers());
    async move {
        if own_machine {
            return Ok(Caller::Operator { name: "command line".into(), own_machine: true });
        }
        by_key(app, &token.ok_or_else(Error::unauthorized)?).await
    }
}

async fn by_key(app: &App, token: &Secret) -> Result<Caller> {
    let hash = hash(token);
    let key = app.store.api_key(&hash).await?.ok_or_else(Error::unauthorized)?;
    // The lookup found it by its hash; this says so without a doubt and in constant time.
    if !bool::from(key.hash.as_bytes().ct_eq(hash.as_bytes())) {
        return Err(Error::unauthorized());
    }
    match key.tenant {
        None => Ok(Caller::Operator { name: key.name, own_machine: false }),
        Some(id) => Ok(Caller::Tenant { id, name: key.name }),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// Hex SHA-256.
fn hash(token: &Secret) -> String {
    hex::encode(Sha256::digest(token.expose().as_bytes()))
}

/// Makes a key and keeps its hash. The key itself is returned this once.
pub async fn make_key(
    store: &dyn ApiKeys,
    tenant: Option<TenantId>,
    name: &str,
    actor: &str,
) -> store::Result<(Secret, ApiKey)> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| store::Error::Failed(format!("the system gives no random numbers: {error}")))?;
    let prefix = if tenant.is_some() { "sbt" } else { "sbo" };
    let token = Secret::new(format!("{prefix}_{}", hex::encode(random)));
    let key = ApiKey { hash: hash(&token), tenant, name: name.to_owned(), created_at: clock::now() };
    store.put_api_key(key.clone(), actor).await?;
    Ok((token, key))
}

/// The operator's token, made when the store has none: at the first start.
pub async fn first_operator_token(store: &dyn ApiKeys) -> store::Result<Option<Secret>> {
    if store.api_keys().await?.iter().any(|key| key.tenant.is_none()) {
        return Ok(None);
    }
    let (token, _) = make_key(store, None, "operator", "gateway").await?;
    Ok(Some(token))
}
