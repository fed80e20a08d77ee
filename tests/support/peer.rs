//! A provider over real HTTP: a contract that refuses what the provider refuses, behind a server that
//! fails on command. Each fake provider is a [`Contract`]; the server, the faults and the memory of
//! what was sent are the same for all.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::wire::{Plug, Wires};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the provider says.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply { status, headers, body: body.to_string().into_bytes() }
    }

    pub fn bytes(status: u16, mime_type: &str, body: Vec<u8>) -> Self {
        Reply { status, headers: vec![("content-type", mime_type.to_owned())], body }
    }
}

/// What a provider takes and how it answers.
pub trait Contract: Send + 'static {
    /// A message that it took.
    type Sent: Clone + Debug + Send;
    /// `Ok`: the request fits the contract, and this is the answer; a message is remembered. `Err`: the
    /// provider refuses it so. Called once a request, in order.
    fn call(&mut self, call: &Call) -> Result<(Option<Self::Sent>, Reply), Reply>;
    /// Its words for 429, 500 and 503.
    fn failure(&self, status: u16, call: &Call) -> Reply;
    /// Does a fault meant for the next message spare this request? Look-ups and the like.
    fn spared(&self, _call: &Call) -> bool {
        false
    }
}

/// What goes wrong with one request. Faults are used up in order.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 429; nothing is sent.
    TooMany { retry_after: Option<String> },
    /// 503; nothing is sent.
    Unavailable { retry_after: Option<String> },
    /// 500; nothing is sent.
    Error,
    /// 500, but the message was sent.
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
    /// Nothing is sent, and this is said: an error body under 200, an expired token.
    Say { status: u16, body: Value },
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Peer<C: Contract> {
    url: String,
    shared: Arc<Shared<C>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared<C: Contract> {
    state: Mutex<Model<C>>,
    /// Somebody sent something.
    sent: Notify,
}

#[derive(Debug)]
struct Model<C: Contract> {
    contract: C,
    sent: Vec<C::Sent>,
    faults: VecDeque<Fault>,
    refused: Vec<(u16, String)>,
    calls: Vec<Call>,
    /// What a path has in it that gets no answer.
    hangs: Vec<String>,
}

impl<C: Contract> Shared<C> {
    fn model(&self) -> MutexGuard<'_, Model<C>> {
        self.state.lock().expect("no test panics while it holds the model")
    }
}

impl<C: Contract> Peer<C> {
    /// On a free port of the loopback address.
    pub async fn start(contract: C) -> Self {
        Peer::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), contract).await
    }

    /// At an address that was not answered until now.
    pub async fn start_on(address: SocketAddr, contract: C) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let model = Model {
            contract,
            sent: Vec::new(),
            faults: VecDeque::new(),
            refused: Vec::new(),
            calls: Vec::new(),
            hangs: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(model), sent: Notify::new() });
        let app = Router::new().fallback(serve::<C>).with_state(shared.clone());
        let service = app.into_make_service_with_connect_info::<Plug>();
        let server = tokio::spawn(async move {
            let _ = axum::serve(Wires(listener), service).await;
        });
        Peer { url, shared, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks at the contract's own state, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut C) -> T) -> T {
        look(&mut self.shared.model().contract)
    }

    pub fn fail_next(&self, fault: Fault) {
        self.shared.model().faults.push_back(fault);
    }

    pub fn fail_next_times(&self, times: usize, fault: Fault) {
        self.shared.model().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// From now on no request whose path has this in it is answered, nor does it do anything.
    pub fn hang_at(&self, part: &str) {
        self.shared.model().hangs.push(part.to_owned());
    }

    /// Everything is answered again, but what hangs already.
    pub fn answer_again(&self) {
        self.shared.model().hangs.clear();
    }

    /// How many requests had this in their path.
    pub fn asked(&self, part: &str) -> usize {
        self.shared.model().calls.iter().filter(|call| call.path.contains(part)).count()
    }

    /// Every message that was taken, in order.
    pub fn sent(&self) -> Vec<C::Sent> {
        self.shared.model().sent.clone()
    }

    /// What was refused, with status and words: a gateway that keeps to the contract has none.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.shared.model().refused.clone()
    }

    /// All requests, whatever became of them.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.model().calls.clone()
    }

    /// Waits until `n` messages have been sent.
    ///
    /// # Panics
    /// When the time is over, saying what was sent and what was refused.
    pub async fn wait_for(&self, n: usize, deadline: Duration) -> Vec<C::Sent> {
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
        enough: impl Fn(&[C::Sent]) -> bool,
    ) -> Vec<C::Sent> {
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

impl<C: Contract> Drop for Peer<C> {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve<C: Contract>(
    State(shared): State<Arc<Shared<C>>>,
    ConnectInfo(wire): ConnectInfo<Plug>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let call = Call { method, path: uri.path().to_owned(), query, headers, body };
    let fault = {
        let mut model = shared.model();
        model.calls.push(call.clone());
        if model.hangs.iter().any(|part| call.path.contains(part.as_str())) {
            Some(Fault::Hang)
        } else if model.contract.spared(&call) {
            None
        } else {
            model.faults.pop_front()
        }
    };
    let said = |status| shared.model().contract.failure(status, &call);
    match &fault {
        Some(Fault::TooMany { retry_after }) => return later(said(429), retry_after.as_deref()),
        Some(Fault::Unavailable { retry_after }) => return later(said(503), retry_after.as_deref()),
        Some(Fault::Error) => return respond(said(500)),
        Some(Fault::Say { status, body }) => return respond(Reply::json(*status, body)),
        Some(Fault::Reset) => return wire.reset().await,
        Some(Fault::Hang) => return std::future::pending().await,
        _ => {}
    }
    let answer = {
        let mut model = shared.model();
        match model.contract.call(&call) {
            Ok((sent, reply)) => {
                model.sent.extend(sent);
                reply
            }
            Err(refusal) => {
                let words =
                    format!("{} {}: {}", call.method, call.path, String::from_utf8_lossy(&refusal.body));
                model.refused.push((refusal.status, words));
                return respond(refusal);
            }
        }
    };
    shared.sent.notify_waiters();
    match fault {
        Some(Fault::ErrorAfterSending) => respond(said(500)),
        Some(Fault::HangAfterSending) => std::future::pending().await,
        Some(Fault::ResetAfterSending) => wire.reset().await,
        Some(Fault::Drip { pause }) => drip(answer, pause),
        _ => respond(answer),
    }
}

fn respond(reply: Reply) -> Response {
    build(&reply).body(Body::from(reply.body)).expect("the parts are valid")
}

fn build(reply: &Reply) -> axum::http::response::Builder {
    let mut builder = Response::builder().status(StatusCode::from_u16(reply.status).expect("a status"));
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    builder
}

fn later(reply: Reply, retry_after: Option<&str>) -> Response {
    let mut response = respond(reply);
    if let Some(after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, after.parse().expect("a header value"));
    }
    response
}

fn drip(reply: Reply, pause: Duration) -> Response {
    let builder = build(&reply);
    let stream = futures::stream::unfold(reply.body.into_iter(), move |mut rest| async move {
        tokio::time::sleep(pause).await;
        let byte = rest.next()?;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), rest))
    });
    builder.body(Body::from_stream(stream)).expect("the parts are valid")
}
