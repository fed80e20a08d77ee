//! A WAHA over real HTTP, as strict as its contract (2026.7.1): it refuses what WAHA refuses, answers
//! in the form of the engine, keeps sessions that can be scanned, remembers what was sent, and fails on
//! command. Beside it [`webhook`], which makes the requests that a WAHA sends to us.
//!
//! ```ignore
//! let waha = FakeWaha::start().await;
//! waha.fail_next(Fault::TooMany { retry_after: Some("1".into()) });
//! // ... the gateway sends to waha.url() with the key waha.api_key() ...
//! let sent = waha.wait_for(1, Duration::from_secs(5)).await;
//! assert_eq!(sent[0].text(), Some("hello"));
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::client;
use crate::gateway::Answer;
pub use crate::peer::Fault;
use crate::peer::{Call, Contract, Peer, Reply};

mod answer;
mod contract;
pub mod sessions;
pub mod webhook;

pub use answer::Engine;
use sessions::{Session, Sessions};
use webhook::Webhook;

/// Runs until it is dropped.
#[derive(Debug)]
pub struct FakeWaha(Peer<Waha>);

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

/// What it takes, and what it knows.
#[derive(Debug)]
pub struct Waha {
    api_key: String,
    engine: Engine,
    sent: usize,
    /// What it shows of its chats.
    said: Vec<Sent>,
    pub sessions: Sessions,
}

/// The order of the checks is WAHA's: key, path, body, session.
impl Contract for Waha {
    type Sent = Sent;

    fn call(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        contract::key(call, &self.api_key)?;
        if let Some(answer) = self.sessions.call(call) {
            return Ok((None, answer?));
        }
        if let Some(chat) = contract::recall(call)? {
            self.sessions.working(&chat.session)?;
            let said = self.said.iter().filter(|sent| sent.session == chat.session && sent.chat == chat.chat);
            return Ok((None, Reply::json(200, &Value::Array(said.map(answer::recalled).collect()))));
        }
        let message = contract::message(call)?;
        self.sessions.working(&message.session)?;
        if !message.sends {
            return Ok((None, Reply::json(201, &json!({ "result": true }))));
        }
        self.sent += 1;
        let id = format!("true_{}_3EB0{:016X}", message.chat, self.sent);
        let contract::Message { session, chat, body, .. } = message;
        let sent = Sent { at: Instant::now(), path: call.path.clone(), session, chat, body, id };
        let reply = Reply::json(201, &answer::to(self.engine, &sent));
        self.said.push(sent.clone());
        Ok((Some(sent), reply))
    }

    fn failure(&self, status: u16, call: &Call) -> Reply {
        if status != 500 {
            return Reply::json(status, &json!({ "statusCode": status, "message": "Try again later" }));
        }
        // WAHA's answer to an unhandled exception: it echoes the request.
        let request = call.json();
        Reply::json(
            500,
            &json!({
                "statusCode": 500,
                "timestamp": "2026-03-01T12:00:00.000Z",
                "exception": { "name": "TimeoutError", "message": format!("Timed out: {request}"), "stack": "" },
                "request": { "path": call.path, "method": call.method.as_str(), "body": request, "query": {} },
                "version": { "version": "2026.7.1", "engine": "GOWS", "tier": "CORE", "browser": null },
            }),
        )
    }

    /// Faults are for messages, and for callers who have the key.
    fn spared(&self, call: &Call) -> bool {
        !is_message(call) || contract::key(call, &self.api_key).is_err()
    }
}

fn is_message(call: &Call) -> bool {
    (call.path.starts_with("/api/send") || call.path == "/api/reaction") && !contract::is_signal(&call.path)
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
        let mut sessions = Sessions { engine: engine.name(), ..Sessions::default() };
        sessions.sessions.insert("default".into(), Session::new("WORKING"));
        let waha = Waha { api_key: "waha-api-key".into(), engine, sent: 0, said: Vec::new(), sessions };
        FakeWaha(Peer::start_on(address, waha).await)
    }

    pub fn url(&self) -> &str {
        self.0.url()
    }

    pub fn api_key(&self) -> String {
        self.0.with(|waha| waha.api_key.clone())
    }

    /// From now on it takes this key only.
    pub fn set_api_key(&self, key: &str) {
        self.0.with(|waha| waha.api_key = key.into());
    }

    pub fn set_engine(&self, engine: Engine) {
        self.0.with(|waha| {
            waha.engine = engine;
            waha.sessions.engine = engine.name();
        });
    }

    /// `WORKING`, `STARTING`, `SCAN_QR_CODE`, ...
    pub fn set_session(&self, session: &str, status: &str) {
        self.0.with(|waha| {
            let known = waha.sessions.sessions.entry(session.into()).or_insert_with(|| Session::new(status));
            known.status = status.into();
        });
    }

    pub fn remove_session(&self, session: &str) {
        self.0.with(|waha| waha.sessions.sessions.remove(session));
    }

    /// The session as it is, if there is one.
    pub fn session(&self, session: &str) -> Option<Session> {
        self.0.with(|waha| waha.sessions.sessions.get(session).cloned())
    }

    /// Looks at what it knows beside messages, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Sessions) -> T) -> T {
        self.0.with(|waha| look(&mut waha.sessions))
    }

    /// The phone with this number scans the session's code; the webhooks hear of it.
    ///
    /// # Panics
    /// When the session does not show a code.
    pub async fn scan(&self, session: &str, number: &str) -> Vec<Answer> {
        self.with(|known| {
            let known = known.sessions.get_mut(session).expect("there is such a session");
            assert_eq!(known.status, "SCAN_QR_CODE", "there is nothing to scan");
            known.status = "WORKING".into();
            known.number = Some(number.into());
            known.linked = true;
        });
        self.tell(session, &Webhook::session("WORKING")).await
    }

    /// Posts an event to the webhooks that the session is configured with, as they are configured: those
    /// that asked for it, signed with their keys. What they answered.
    pub async fn tell(&self, session: &str, event: &Webhook) -> Vec<Answer> {
        let known = self.session(session).expect("there is such a session");
        let mut event = event.clone().on_session(session);
        event.envelope["me"] = known.me();
        let name = event.envelope["event"].clone();
        let mut answers = Vec::new();
        for webhook in known.config["webhooks"].as_array().into_iter().flatten() {
            let events = webhook["events"].as_array().expect("the contract was kept");
            if !events.iter().any(|wanted| *wanted == name || wanted == "*") {
                continue;
            }
            let mut event = event.clone();
            if let Some(key) = webhook["hmac"]["key"].as_str() {
                event = event.signed(key);
            }
            let headers = webhook["customHeaders"].as_array().into_iter().flatten();
            for header in headers {
                let text = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
                event = event.with_header(&text("name"), &text("value"));
            }
            let url = webhook["url"].as_str().expect("the contract was kept");
            let request = client().post(url).body(event.body());
            let headers = event.headers().into_iter();
            let request = headers.fold(request, |request, (name, value)| request.header(name, value));
            answers.push(Answer::of(request).await.expect("the webhook is answered"));
        }
        answers
    }

    /// The engine's line to WhatsApp is closed under the next message.
    pub fn close_connection(&self) {
        let exception = json!({ "message": "Connection Closed", "isBoom": true, "data": null });
        let body =
            json!({ "statusCode": 500, "exception": exception, "request": { "path": "/api/sendText" } });
        self.fail_next(Fault::Say { status: 500, body });
    }

    /// The fault of the next message that no fault is set for yet.
    pub fn fail_next(&self, fault: Fault) {
        self.0.fail_next(fault);
    }

    pub fn fail_next_times(&self, times: usize, fault: Fault) {
        self.0.fail_next_times(times, fault);
    }

    /// Everything that was sent, in the order WAHA took it.
    pub fn sent(&self) -> Vec<Sent> {
        self.0.sent()
    }

    pub fn sent_to(&self, chat: &str) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| sent.chat == chat).collect()
    }

    /// The texts sent to a chat, in order.
    pub fn texts_to(&self, chat: &str) -> Vec<String> {
        self.sent_to(chat).iter().filter_map(|sent| sent.text().map(str::to_owned)).collect()
    }

    /// What was refused, with status and words: a gateway that keeps to the contract has none.
    pub fn refused(&self) -> Vec<(u16, String)> {
        self.0.refused()
    }

    /// All requests, whatever became of them.
    pub fn calls(&self) -> Vec<Call> {
        self.0.calls()
    }

    pub fn hang_at(&self, part: &str) {
        self.0.hang_at(part);
    }

    pub fn asked(&self, part: &str) -> usize {
        self.0.asked(part)
    }

    /// Those that were to send a message.
    pub fn requests(&self) -> usize {
        self.calls().iter().filter(|call| is_message(call)).count()
    }

    /// Waits until `n` messages have been sent.
    ///
    /// # Panics
    /// When the time is over, saying what was sent and what was refused.
    pub async fn wait_for(&self, n: usize, deadline: Duration) -> Vec<Sent> {
        self.0.wait_for(n, deadline).await
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
        self.0.wait_until(what, deadline, enough).await
    }
}
