//! The session API of the fake: logging in and out, the configuration with its webhooks, the QR code;
//! and what else is asked of a session and sends nothing: hidden ids, files, whether numbers exist,
//! the chats that were written in last.

use std::collections::BTreeMap;

use axum::http::Method;
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::contract::{nest, no_such_call, read};
use crate::peer::{Call, Reply};

/// A picture of one dot, as WAHA's documentation has it.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

const CONFIG: [&str; 9] =
    ["metadata", "webhooks", "proxy", "ignore", "client", "noweb", "gows", "webjs", "debug"];
const WEBHOOK: [&str; 5] = ["url", "events", "hmac", "retries", "customHeaders"];
const EVENTS: [&str; 12] = [
    "*",
    "session.status",
    "message",
    "message.any",
    "message.reaction",
    "message.ack",
    "message.edited",
    "message.revoked",
    "poll.vote",
    "call.received",
    "group.v2.join",
    "presence.update",
];

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    pub status: String,
    /// Our number, once logged in.
    pub number: Option<String>,
    pub config: Value,
    /// What runs beside it; null where there is none.
    pub apps: Value,
    /// How often it was started; each start has a QR code of its own.
    pub starts: usize,
    /// Its line to WhatsApp is dead, and it does not notice.
    pub deaf: bool,
    /// It fails whenever it is started.
    pub broken: bool,
    /// Looks for it that still find nothing, as if it had just been made.
    pub unseen: usize,
    /// The chats, the newest first, as WAHA lists them.
    pub chats: Vec<Value>,
    /// The phone has it among its linked devices. Only a session that runs can take itself out there.
    pub linked: bool,
}

impl Session {
    pub fn new(status: &str) -> Self {
        let number = (status == "WORKING").then(|| "971500000001".to_owned());
        Session {
            status: status.into(),
            number,
            config: json!({}),
            apps: Value::Null,
            starts: 0,
            deaf: false,
            broken: false,
            unseen: 0,
            chats: Vec::new(),
            linked: status == "WORKING",
        }
    }

    fn is_running(&self) -> bool {
        self.status != "STOPPED"
    }

    fn start(&mut self) {
        self.starts += 1;
        self.deaf = false;
        self.status = match self.number {
            _ if self.broken => "FAILED",
            Some(_) => "WORKING",
            None => "SCAN_QR_CODE",
        }
        .into();
    }

    /// A start takes a moment; whoever asks for it sees it begin.
    fn starting(&self, name: &str, engine: &str) -> Value {
        let mut shown = self.shown(name, engine);
        shown["status"] = "STARTING".into();
        shown
    }

    pub fn me(&self) -> Value {
        match &self.number {
            Some(number) => json!({ "id": format!("{number}@c.us"), "pushName": "Homes" }),
            None => Value::Null,
        }
    }

    fn shown(&self, name: &str, engine: &str) -> Value {
        json!({
            "name": name, "status": self.status, "config": self.config, "me": self.me(),
            "engine": { "engine": engine },
        })
    }

    /// NOWEB keeps chats and hidden ids only if it is told to.
    fn keeps_chats(&self) -> bool {
        self.config["noweb"]["store"]["enabled"] == true
    }

    fn qr(&self, name: &str) -> String {
        format!("2@{name},{}", self.starts)
    }
}

/// All that is not a message.
#[derive(Debug, Default)]
pub struct Sessions {
    pub engine: &'static str,
    /// It holds the session `default` and no other.
    pub is_core: bool,
    /// So many calls about sessions more find it busy with another.
    pub busy: usize,
    pub sessions: BTreeMap<String, Session>,
    /// The phone of each hidden id that is known.
    pub lids: BTreeMap<String, String>,
    /// Content type and bytes, by the path below `/api/files/`.
    pub files: BTreeMap<String, (String, Vec<u8>)>,
}

impl Sessions {
    /// `None`: it is no call about a session.
    pub fn call(&mut self, call: &Call) -> Option<Result<Reply, Reply>> {
        let path = percent_decoded(&call.path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let get = call.method == Method::GET;
        let post = call.method == Method::POST;
        if parts.starts_with(&["api", "sessions"]) && self.busy > 0 {
            self.busy -= 1;
            let exception = json!({ "name": "Error", "message": "async-lock timed out in queue default" });
            return Some(Err(Reply::json(500, &json!({ "statusCode": 500, "exception": exception }))));
        }
        Some(match parts.as_slice() {
            ["api", "sessions"] if post => self.create(call),
            ["api", "sessions"] if get => Ok(self.list(call)),
            ["api", "sessions", name] if get => self.look(name, call),
            ["api", "sessions", name] if call.method == Method::PUT => self.replace(name, call),
            ["api", "sessions", name] if call.method == Method::DELETE => {
                self.sessions.remove(*name);
                Ok(Reply::json(200, &json!({})))
            }
            ["api", "sessions", name, "me"] if get => self.of(name).map(|it| Reply::json(200, &it.me())),
            ["api", "sessions", name, order] if post => self.order(name, order, call),
            ["api", name, "auth", "qr"] if get => self.qr(name, call),
            ["api", name, "auth", "request-code"] if post => self.pairing_code(name, call),
            ["api", name, "lids", lid] if get => self.phone_of(name, lid),
            ["api", name, "chats", "overview"] if get => {
                self.keeping(name).map(|it| Reply::json(200, &Value::Array(it.chats.clone())))
            }
            ["api", "contacts", "check-exists"] if get => self.check_exists(call),
            ["api", "files", rest @ ..] if get => match self.files.get(&rest.join("/")) {
                Some((mime_type, bytes)) => Ok(Reply::bytes(200, mime_type, bytes.clone())),
                None => Err(nest(404, json!("File not found"), "Not Found")),
            },
            _ => return None,
        })
    }

    pub fn of(&mut self, name: &str) -> Result<&mut Session, Reply> {
        self.sessions.get_mut(name).ok_or_else(|| nest(404, json!("Session not found"), "Not Found"))
    }

    pub fn working(&mut self, name: &str) -> Result<&mut Session, Reply> {
        // Of one that is not there these calls have no status to tell.
        if !self.sessions.contains_key(name) {
            let error = format!("Session \"{name}\" does not exist");
            return Err(Reply::json(422, &json!({ "error": error, "session": name })));
        }
        self.expect(name, "WORKING")
    }

    /// One that works, and keeps what is asked for.
    fn keeping(&mut self, name: &str) -> Result<&mut Session, Reply> {
        let noweb = self.engine == "NOWEB";
        let session = self.working(name)?;
        if noweb && !session.keeps_chats() {
            let words = "Enable NOWEB store \"config.noweb.store.enabled=True\" and \
                         \"config.noweb.store.full_sync=True\" when starting a new session.";
            return Err(nest(400, json!(words), "Bad Request"));
        }
        Ok(session)
    }

    /// What a restart leaves of a session of WAHA CORE, which keeps settings in memory: nothing but the
    /// login. With `WHATSAPP_START_SESSION` it runs again.
    pub fn lose_settings(&mut self, name: &str, status: &str) {
        let session = self.sessions.get_mut(name).expect("there is such a session");
        session.config = Value::Null;
        session.status = status.into();
    }

    fn expect(&mut self, name: &str, status: &str) -> Result<&mut Session, Reply> {
        let session = self.of(name)?;
        match session.status == status {
            true => Ok(session),
            false => Err(Reply::json(
                422,
                &json!({
                    "error": "Session status is not as expected. Try again later or restart the session",
                    "session": name,
                    "status": session.status,
                    "expected": [status],
                }),
            )),
        }
    }

    fn create(&mut self, call: &Call) -> Result<Reply, Reply> {
        let body = read(call)?;
        fits(&body, &["name", "start", "config", "apps"])?;
        let name = body["name"].as_str().unwrap_or("session_01k");
        if self.is_core && name != "default" {
            let words = format!(
                "WAHA Core support only 'default' session. You tried to access '{name}' session. If you want to run \
                 more then one WhatsApp account - please get WAHA PLUS version. Check this out: \
                 https://waha.devlike.pro/docs/how-to/waha-plus"
            );
            return Err(nest(422, json!(words), "Unprocessable Entity"));
        }
        if self.sessions.contains_key(name) {
            let words = format!("Session '{name}' already exists. Use PUT to update it.");
            return Err(nest(422, json!(words), "Unprocessable Entity"));
        }
        let mut session = Session { config: body["config"].clone(), ..Session::new("STOPPED") };
        let starts = body["start"].as_bool().unwrap_or(true);
        if starts {
            session.start();
        }
        let shown =
            if starts { session.starting(name, self.engine) } else { session.shown(name, self.engine) };
        session.apps = body["apps"].clone();
        self.sessions.insert(name.to_owned(), session);
        Ok(Reply::json(201, &shown))
    }

    fn look(&mut self, name: &str, call: &Call) -> Result<Reply, Reply> {
        let engine = self.engine;
        let session = self.of(name)?;
        if session.unseen == 0 {
            let mut shown = session.shown(name, engine);
            if call.query.iter().any(|(name, value)| name == "expand" && value == "apps") {
                shown["apps"] = session.apps.clone();
            }
            return Ok(Reply::json(200, &shown));
        }
        session.unseen -= 1;
        Err(nest(404, json!("Session not found"), "Not Found"))
    }

    fn list(&self, call: &Call) -> Reply {
        let all = call.query.iter().any(|(name, value)| name == "all" && value == "true");
        let shown = self.sessions.iter().filter(|(_, session)| all || session.is_running());
        Reply::json(200, &shown.map(|(name, session)| session.shown(name, self.engine)).collect())
    }

    /// The whole configuration and all apps: what is not in it is gone.
    fn replace(&mut self, name: &str, call: &Call) -> Result<Reply, Reply> {
        let body = read(call)?;
        fits(&body, &["name", "config", "apps"])?;
        let engine = self.engine;
        let session = self.of(name)?;
        session.config = body["config"].clone();
        session.apps = body["apps"].clone();
        if !session.is_running() {
            return Ok(Reply::json(200, &session.shown(name, engine)));
        }
        session.start();
        Ok(Reply::json(200, &session.starting(name, engine)))
    }

    fn order(&mut self, name: &str, order: &str, call: &Call) -> Result<Reply, Reply> {
        if order == "stop" && !self.sessions.contains_key(name) {
            return Ok(Reply::bytes(201, "application/json", Vec::new()));
        }
        let engine = self.engine;
        let session = self.of(name)?;
        let running = session.is_running();
        match order {
            "start" if running => return Ok(Reply::json(201, &session.shown(name, engine))),
            "start" | "restart" => session.start(),
            "stop" => {
                session.status = "STOPPED".into();
                return Ok(Reply::json(201, &session.shown(name, engine)));
            }
            "logout" => {
                // Without a login or a line to WhatsApp the phone hears nothing of it.
                session.linked &= !(running && session.number.is_some());
                session.number = None;
                if !running {
                    return Ok(Reply::json(201, &session.shown(name, engine)));
                }
                session.start();
            }
            _ => return Err(no_such_call(call)),
        }
        Ok(Reply::json(201, &session.starting(name, engine)))
    }

    fn qr(&mut self, name: &str, call: &Call) -> Result<Reply, Reply> {
        let session = self.expect(name, "SCAN_QR_CODE")?;
        let format = call.query.iter().find(|(name, _)| name == "format").map(|(_, value)| value.as_str());
        let wants_json = call.header("accept").is_some_and(|it| it.contains("application/json"));
        let decoded = || base64::engine::general_purpose::STANDARD.decode(PNG).expect("it is base64");
        match format {
            Some("raw") => Ok(Reply::json(200, &json!({ "value": session.qr(name) }))),
            None | Some("image") if wants_json => {
                Ok(Reply::json(200, &json!({ "mimetype": "image/png", "data": PNG })))
            }
            None | Some("image") => Ok(Reply::bytes(200, "image/png", decoded())),
            Some(_) => Err(nest(400, json!(["format must be one of image, raw"]), "Bad Request")),
        }
    }

    fn pairing_code(&mut self, name: &str, call: &Call) -> Result<Reply, Reply> {
        let body = read(call)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !body["phoneNumber"].as_str().is_some_and(digits) {
            return Err(nest(400, json!(["phoneNumber must be a string"]), "Bad Request"));
        }
        self.expect(name, "SCAN_QR_CODE")?;
        Ok(Reply::json(201, &json!({ "code": "ABCD-ABCD" })))
    }

    fn phone_of(&mut self, name: &str, lid: &str) -> Result<Reply, Reply> {
        self.keeping(name)?;
        let lid = if lid.contains('@') { lid.to_owned() } else { format!("{lid}@lid") };
        let phone = self.lids.get(&lid).map(|phone| format!("{phone}@c.us"));
        Ok(Reply::json(200, &json!({ "lid": lid, "pn": phone })))
    }

    fn check_exists(&mut self, call: &Call) -> Result<Reply, Reply> {
        let asked = |name: &str| {
            let found = call.query.iter().find(|(asked, _)| asked == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let session = self.working(&asked("session"))?;
        if session.deaf {
            return Err(Reply::json(
                500,
                &json!({ "statusCode": 500, "exception": { "name": "TimeoutError" } }),
            ));
        }
        let chat = format!("{}@c.us", asked("phone"));
        Ok(Reply::json(200, &json!({ "numberExists": true, "chatId": chat })))
    }
}

/// The fields of a session's body, its configuration and the webhooks in it.
fn fits(body: &Value, known: &[&str]) -> Result<(), Reply> {
    let mut wrong = Vec::new();
    let config = &body["config"];
    if body.get("config").is_some() {
        nulls(&mut wrong, config, "config");
    }
    unknown(&mut wrong, body.as_object(), "", known);
    unknown(&mut wrong, config.as_object(), "config.", &CONFIG);
    for webhook in config["webhooks"].as_array().into_iter().flatten() {
        unknown(&mut wrong, webhook.as_object(), "config.webhooks.", &WEBHOOK);
        if !webhook["url"].as_str().is_some_and(|url| url.starts_with("http")) {
            wrong.push("config.webhooks.0.url must be a URL address".into());
        }
        let events = webhook["events"].as_array().filter(|events| !events.is_empty());
        if !events.is_some_and(|events| events.iter().all(|event| EVENTS.iter().any(|known| event == known)))
        {
            wrong.push("each value in config.webhooks.0.events must be one of the events".into());
        }
        let hmac = &webhook["hmac"];
        if !hmac.is_null() && !hmac["key"].is_string() {
            wrong.push("config.webhooks.0.hmac.key must be a string".into());
        }
        let retries = &webhook["retries"];
        let whole = retries["delaySeconds"].is_number() && retries["attempts"].is_number();
        if !retries.is_null() && !whole {
            wrong.push("config.webhooks.0.retries must have delaySeconds and attempts".into());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(nest(400, json!(wrong), "Bad Request")) }
}

/// What is shown as null is not taken so.
fn nulls(wrong: &mut Vec<String>, value: &Value, at: &str) {
    match value {
        Value::Null => wrong.push(format!("{at} must be an object")),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| nulls(wrong, value, &format!("{at}.{name}")));
        }
        Value::Array(items) => items.iter().for_each(|value| nulls(wrong, value, at)),
        _ => {}
    }
}

fn unknown(wrong: &mut Vec<String>, object: Option<&Map<String, Value>>, at: &str, known: &[&str]) {
    let names = object.into_iter().flat_map(Map::keys).filter(|name| !known.contains(&name.as_str()));
    wrong.extend(names.map(|name| format!("property {at}{name} should not exist")));
}

/// `%40` is `@`: the paths of the tests are ASCII.
fn percent_decoded(path: &str) -> String {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => {
                decoded.push(byte.into());
                rest = &after[2..];
            }
            None => {
                decoded.push('%');
                rest = after;
            }
        }
    }
    decoded + rest
}
