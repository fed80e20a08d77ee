//! A WAHA that takes everything at once and remembers of each chat how much it was sent and the last
//! text: it must not be what slows the neighbour down. On a thread of its own, for as long as it lives.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    chats: Arc<Chats>,
    runtime: Handle,
    /// Dropped with this, which ends the thread.
    _stop: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Chats {
    by_phone: Mutex<HashMap<String, Chat>>,
}

#[derive(Clone, Debug, Default)]
struct Chat {
    sent: usize,
    last: String,
    grown: Arc<Notify>,
}

impl Chats {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Chat>> {
        self.by_phone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider {
    pub async fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (started, begun) = oneshot::channel();
        let chats = Arc::new(Chats::default());
        let serves = chats.clone();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
                let address = listener.local_addr().expect("a bound address");
                let app = Router::new().fallback(take).with_state(serves);
                tokio::spawn(async move { axum::serve(listener, app).await });
                let _ = started.send((address, Handle::current()));
                let _ = stopped.await;
            });
        });
        let (address, runtime) = begun.await.expect("the provider starts");
        Provider { address, chats, runtime, _stop: stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What runs beside a case runs here too, apart from whoever makes the case's load.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// How many texts this contact was sent.
    pub fn sent_to(&self, phone: &str) -> usize {
        self.chats.lock().get(phone).map_or(0, |chat| chat.sent)
    }

    /// The last text after the first `before`, once there is one.
    pub fn next(&self, phone: &str, before: usize) -> impl Future<Output = String> + Send + 'static {
        let (chats, phone) = (self.chats.clone(), phone.to_owned());
        async move {
            loop {
                let grown = {
                    let mut all = chats.lock();
                    let chat = all.entry(phone.clone()).or_default();
                    if chat.sent > before {
                        return chat.last.clone();
                    }
                    chat.grown.clone().notified_owned()
                };
                // What came between the look and this is found at the next look.
                let _ = tokio::time::timeout(Duration::from_millis(100), grown).await;
            }
        }
    }
}

async fn take(State(chats): State<Arc<Chats>>, uri: Uri, body: Bytes) -> impl IntoResponse {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let chat = body["chatId"].as_str().unwrap_or_default().to_owned();
    let Some(text) = body["text"].as_str().filter(|_| uri.path().starts_with("/api/send")) else {
        return (StatusCode::CREATED, axum::Json(json!({"result": true})));
    };
    let phone = chat.split('@').next().unwrap_or_default().to_owned();
    let mut all = chats.lock();
    let entry = all.entry(phone).or_default();
    entry.sent += 1;
    entry.last = text.to_owned();
    let id = format!("true_{chat}_3EB0{:016X}", entry.sent);
    entry.grown.notify_waiters();
    (StatusCode::CREATED, axum::Json(json!({"id": id})))
}
