//! The listener: HTTP/1 over TCP for the world and over the control socket for this machine's
//! command line, both into one router. Everything a peer can make us wait for has an end: headers,
//! bodies, answers nobody reads, and connections beyond the limit. Knows no message and no tenant.

use std::any::Any;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::util::option_layer;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::api::auth::From;
use crate::api::{self, App};
use crate::body::held::keep;
use crate::config;
use crate::http::browser::Pages;
use crate::http::connection::Impatient;
use crate::http::slots::{Full, Limits, Peer, Slot, Slots};
use crate::metrics::Metrics;
use crate::repeats::Kind;
use crate::webhook::{self, Webhook};

mod browser;
mod connection;
pub mod control;
mod kept;
pub mod own;
mod slots;
mod unread;

/// A request line and its headers together.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Every door of the gateway behind one router.
pub fn router(app: Arc<App>, webhook: Arc<Webhook>) -> Router {
    // A simulated contact can be anyone, so its door is the operator's.
    let simulator = webhook::simulator_routes(webhook.clone())
        .merge(kept::routes(app.clone(), webhook.clone()))
        .layer(middleware::from_fn_with_state(app.clone(), api::auth::operator_only));
    let http = &app.config.http;
    let public = http.public_url.as_ref().and_then(|url| url::Url::parse(url).ok());
    let metrics = app.metrics.clone();
    let pages = Pages { public, origins: http.cors_origins.clone().into(), metrics };
    let no_pages = Pages { origins: Arc::default(), ..pages.clone() };
    let cors = option_layer(browser::cors(&http.cors_origins));
    let refuse = |pages| middleware::from_fn_with_state(pages, browser::refuse_other_sites);
    // A page reads errors as it reads answers, so that what lets it lies around all that makes them.
    let api = with_errors(api::router(app).merge(simulator).layer(refuse(pages))).layer(cors);
    let webhooks = webhook::provider_routes(webhook).layer(refuse(no_pages));
    dress(api.merge(with_own_errors(webhooks)))
}

/// A router that answers whatever it is asked.
fn with_errors(router: Router) -> Router {
    with_own_errors(router.fallback(|| async { api::error::Error::no_such_address() }))
}

/// One that is merged with another, which answers what neither has.
fn with_own_errors(router: Router) -> Router {
    router
        .method_not_allowed_fallback(|| async { api::error::Error::wrong_method() })
        .layer(CatchPanicLayer::custom(panicked))
}

/// What every answer has in common.
fn dress(router: Router) -> Router {
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    // One layer of many: axum boxes a route's future once a layer.
    let every = ServiceBuilder::new()
        .layer(header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(middleware::from_fn(unread::close))
        .layer(middleware::from_fn(log));
    router.layer(every)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)");
    tracing::error!(
        panic = message,
        "a request made the gateway panic; it was answered 500, the gateway goes on"
    );
    api::error::Error::internal().into_response()
}

/// One line a request, without its body, its query and whatever its path says of a contact.
async fn log(request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    tracing::debug!(
        %method,
        path = path.as_ref().map_or("(unknown)", MatchedPath::as_str),
        status = response.status().as_u16(),
        ms = began.elapsed().as_millis() as u64,
        "answered"
    );
    response
}

/// How patient a listener is.
#[derive(Clone, Debug)]
pub struct Settings {
    pub connections: Limits,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    /// After the stop, for requests that are being answered.
    pub drain: Duration,
}

impl Settings {
    pub fn new(config: &config::Config) -> Self {
        Settings {
            connections: Limits {
                all: config.http.max_connections,
                of_peer: config.http.connections_per_peer,
                trusted: config.http.trusted_proxies.clone(),
            },
            header_timeout: Duration::from_millis(config.http.header_timeout_ms),
            write_timeout: Duration::from_millis(config.http.write_timeout_ms),
            drain: Duration::from_millis(config.drain_timeout_ms),
        }
    }
}

/// Serves until `stop`, then takes no new connection and lets the requests that have begun end.
pub async fn serve<L>(
    mut listener: L,
    router: Router,
    settings: Settings,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) where
    L: Listener<Addr: Peer>,
    L::Io: 'static,
{
    let slots = Slots::new(settings.connections.clone());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (io, address) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        while connections.try_join_next().is_some() {}
        // Closed at once: a peer that waits in vain learns nothing, one that is refused tries again.
        let slot = match slots.take(address.ip()) {
            Ok(slot) => Arc::new(slot),
            Err(full) => {
                refused(full, address.ip(), &settings.connections, &metrics);
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(
                TokioIo::new(Impatient::new(io, settings.write_timeout)),
                service(router.clone(), From(address.ip().map(slots::network)), slot.clone()),
            );
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            tokio::select! {
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke off");
                    }
                }
                () = slot.close.cancelled() => {}
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            connections = slots.open(),
            after_ms = settings.drain.as_millis() as u64,
            "requests were cut off that did not end in time (drain_timeout_ms)"
        );
    }
    connections.shutdown().await;
}

fn service(
    router: Router,
    from: From,
    slot: Arc<Slot>,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future: Send + 'static,
> + Clone {
    hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (work, router) = (slot.works(), router.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(from);
        async move {
            let response = router.oneshot(request).await?;
            Ok(response.map(|body| keep(body, work)))
        }
    })
}

fn refused(full: Full, peer: Option<IpAddr>, limits: &Limits, metrics: &Metrics) {
    let kind = match full {
        Full::All => Kind::ConnectionsAll,
        Full::OfPeer => Kind::ConnectionsOfPeer,
    };
    let Some(left_out) = metrics.repeats.say(kind, None) else { return };
    let peer = peer.map(|ip| ip.to_string());
    match full {
        Full::All => tracing::warn!(
            limit = limits.all,
            left_out,
            "connections are refused: as many are at work as http.max_connections allows; raise it, or find \
             out who holds them"
        ),
        Full::OfPeer => tracing::warn!(
            limit = limits.of_peer,
            peer,
            left_out,
            "connections are refused: one peer has as many as http.connections_per_peer allows; if it is a \
             proxy, name it in http.trusted_proxies"
        ),
    }
}

#[cfg(test)]
mod tests;
