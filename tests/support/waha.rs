//! A WAHA over real HTTP, as strict as its contract (2026.7.1): it refuses what WAHA refuses, answers
//! in the form of the engine, remembers what was sent, and fails on command. Beside it
//! [`webhook`], which makes the requests that a WAHA sends to us.
//!
//! ```ignore
//! let waha = FakeWaha::start().await;
//! waha.fail_next(Fault::TooMany { retry_after: Some("1".into()) });
//! // ... the gateway sends to waha.url() with the key waha.api_key() ...
//! let sent = waha.wait_for(1, Duration::from_secs(5)).await;
//! assert_eq!(sent[0].text(), Some("hello"));
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use contract::Refusal;

use crate::wire::{Plug, Wires};

mod answer;
mod contract;
pub mod webhook;

pub use answer::Engine;

/// Runs until it is dropped.
#[derive(Debug)]
pub struct FakeWaha {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// One message that WAHA took.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    /// `/api/sendText`.
    pub path: String,
    pub session: String,
    /// Of a reaction: the chat of the message it is for.
    pub chat: String,
    /// The request.
    pub body: Value,
    /// The serialized id that WAHA gave it.
    pub id: String,
}

impl Sent {
    pub fn text(&self) -> Option<&str> {
        self.body["text"].as_str()
    }
}

/// What goes wrong with one request. Faults are used up in order, one a request with the right key.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 429; nothing is sent.
    TooMany { retry_after: Option<String> },
    /// 503; nothing is sent.
    Unavailable { retry_after: Option<String> },
    /// 500 with the whole request in its body, as WAHA does; nothing is sent.
    Error,
    /// The same, but the message was sent.
    ErrorAfterSending,
    /// The message is sent, and no answer ever comes.
    HangAfterSending,
    /// Nothing is sent, and no answer ever comes.
    Hang,
    /// The connection is reset; nothing is sent.
    Reset,
    /// The connection is reset after the message was sent.
    ResetAfterSending,
    /// The message is sent and the answer comes a byte at a time, this far apart.
    Drip { pause: Duration },
}

#[derive(Debug)]
struct Shared {
    state: Mutex<Model>,
    /// Somebody sent something.
    sent: Notify,
}

#[derive(Debug)]
struct Model {
    api_key: String,
    engine: Engine,
    /// Status by session.
    sessions: BTreeMap<String, String>,
    sent: Vec<Sent>,
    faults: VecDeque<Fault>,
    refused: Vec<(u16, String)>,
    requests: usize,
}

impl Shared {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.state.lock().expect("no test panics while it holds the model")
    }
}

impl FakeWaha {
    /// On a free port, with the session `default` working, engine GOWS.
    pub async fn start() -> Self {
        Self::start_as(Engine::Gows).await
    }

    pub async fn start_as(engine: Engine) -> Self {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), engine).await
    }

    /// At an address that was not answered until now.
    pub async fn start_on(address: SocketAddr) -> Self {
        Self::listen(address, Engine::Gows).await
    }

    async fn listen(address: SocketAddr, engine: Engine) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let model = Model {
            api_key: "waha-api-key".into(),
            engine,
            sessions: BTreeMap::from([("default".into(), "WORKING".into())]),
            sent: Vec::new(),
            faults: VecDeque::new(),
            refused: Vec::new(),
            requests: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(model), sent: Notify::new() });
        let app = Router::new().fallback(serve).with_state(shared.clone());
        let service = app.into_make_service_with_connect_info::<Plug>();
        let server = tokio::spawn(async move {
            let _ = axum::serve(Wires(listener), service).await;
        });
        FakeWaha { url, shared, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn api_key(&self) -> String {
        self.shared.model().api_key.clone()
    }

    pub fn set_engine(&self, engine: Engine) {
        self.shared.model().engine = engine;
    }

    /// `WORKING`, `STARTING`, `SCAN_QR_CODE`, ...
    pub fn set_session(&self, session: &str, status: &str) {
        self.shared.model().sessions.insert(session.into(), status.into());
    }

    pub fn remove_session(&self, session: &str) {
        self.shared.model().sessions.remove(session);
    }

    /// The fault of the next request that no fault is set for yet.
    pub fn fail_next(&self, fault: Fault) {
        self.shared.model().faults.push_back(fault);
    }

    pub fn fail_next_times(&self, times: usize, fault: Fault) {
        self.shared.model().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Everything that was sent, in the order WAHA took it.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.model().sent.clone()
    }

    pub fn sent_to(&self, chat: &str) -> Vec<Sent> {
        self.shared.model().sent.iter().filter(|sent| sent.chat == chat).cloned().collect()
    }

    /// The texts sent to a chat, in order.
    pub fn texts_to(&self, chat: &str) -> Vec<String> {
        self.sent_to(chat).iter().filter_map(|sent| sent.text().map(str::to_owned)).collect()
    }

    /// What was refused, with status and words: a gateway that keeps to the contract has none.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.shared.model().refused.clone()
    }

    /// All requests, whatever became of them.
    pub fn requests(&self) -> usize {
        self.shared.model().requests
    }

    /// Waits until `n` messages have been sent.
    ///
    /// # Panics
    /// When the time is over, saying what was sent and what was refused.
    pub async fn wait_for(&self, n: usize, deadline: Duration) -> Vec<Sent> {
        self.wait_until(&format!("{n} messages"), deadline, |sent| sent.len() >= n).await
    }

    /// Waits until what was sent is enough.
    ///
    /// # Panics
    /// When the time is over, saying what was sent and what was refused.
    pub async fn wait_until(
        &self,
        what: &str,
        deadline: Duration,
        enough: impl Fn(&[Sent]) -> bool,
    ) -> Vec<Sent> {
        let waiting = async {
            loop {
                let more = self.shared.sent.notified();
                tokio::pin!(more);
                // Listen first, then look, so that nothing falls between.
                more.as_mut().enable();
                let sent = self.sent();
                if enough(&sent) {
                    return sent;
                }
                more.await;
            }
        };
        match tokio::time::timeout(deadline, waiting).await {
            Ok(sent) => sent,
            Err(_) => panic!(
                "waited {deadline:?} for {what}; sent so far: {:#?}\nrefused: {:#?}",
                self.sent(),
                self.refused()
            ),
        }
    }
}

impl Drop for FakeWaha {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The order of the checks is WAHA's: key, path, body, session.
async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Plug>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = {
        let mut model = shared.model();
        model.requests += 1;
        match contract::key(&headers, &model.api_key) {
            Err(refusal) => Err(refusal),
            Ok(()) => match model.faults.pop_front() {
                None => Ok(None),
                Some(fault) => Ok(Some(fault)),
            },
        }
    };
    let fault = match read {
        Err(refusal) => return refuse(&shared, refusal),
        Ok(fault) => fault,
    };
    match &fault {
        Some(Fault::TooMany { retry_after }) => return later(429, retry_after.as_deref()),
        Some(Fault::Unavailable { retry_after }) => return later(503, retry_after.as_deref()),
        Some(Fault::Error) => return error(&uri, &method, &body),
        Some(Fault::Reset) => return wire.reset().await,
        Some(Fault::Hang) => return std::future::pending().await,
        _ => {}
    }
    let sent = contract::call(&method, uri.path(), &headers, &body).and_then(|call| {
        let mut model = shared.model();
        contract::session(&model.sessions, &call.session)?;
        Ok(take(&mut model, call))
    });
    let (sent, engine) = match sent {
        Err(refusal) => return refuse(&shared, refusal),
        Ok(taken) => taken,
    };
    shared.sent.notify_waiters();
    let answer = answer::to(engine, &sent);
    match fault {
        Some(Fault::ErrorAfterSending) => error(&uri, &method, &body),
        Some(Fault::HangAfterSending) => std::future::pending().await,
        Some(Fault::ResetAfterSending) => wire.reset().await,
        Some(Fault::Drip { pause }) => drip(&answer, pause),
        _ => respond(201, &answer),
    }
}

fn take(model: &mut Model, call: contract::Call) -> (Sent, Engine) {
    let id = format!("true_{}_3EB0{:016X}", call.chat, model.sent.len() + 1);
    let contract::Call { path, session, chat, body } = call;
    let sent = Sent { at: Instant::now(), path, session, chat, body, id };
    model.sent.push(sent.clone());
    (sent, model.engine)
}

fn refuse(shared: &Shared, refusal: Refusal) -> Response {
    shared.model().refused.push((refusal.status, refusal.body.to_string()));
    respond(refusal.status, &refusal.body)
}

fn respond(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status of the contract");
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Body::from(body.to_string()))
        .expect("the parts are valid")
}

fn later(status: u16, retry_after: Option<&str>) -> Response {
    let mut response = respond(status, &json!({ "statusCode": status, "message": "Try again later" }));
    if let Some(after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, after.parse().expect("a header value"));
    }
    response
}

/// WAHA's answer to an unhandled exception: it echoes the request.
fn error(uri: &Uri, method: &Method, body: &[u8]) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    respond(
        500,
        &json!({
            "statusCode": 500,
            "timestamp": "2026-03-01T12:00:00.000Z",
            "exception": { "name": "TimeoutError", "message": format!("Timed out: {request}"), "stack": "" },
            "request": { "path": uri.path(), "method": method.as_str(), "body": request, "query": {} },
            "version": { "version": "2026.7.1", "engine": "GOWS", "tier": "CORE", "browser": null },
        }),
    )
}

fn drip(answer: &Value, pause: Duration) -> Response {
    let bytes = answer.to_string().into_bytes();
    let stream = futures::stream::unfold(bytes.into_iter(), move |mut rest| async move {
        tokio::time::sleep(pause).await;
        let byte = rest.next()?;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), rest))
    });
    Response::builder()
        .status(201)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Body::from_stream(stream))
        .expect("the parts are valid")
}
