//! WAHA's session API as a codec: one session is one WhatsApp number that is logged in, or about to
//! be. Requests on one side, readings of the answers on the other; when they are made is not decided
//! here. From the 2026.7.1 specification.
//!
//! A session's configuration is only ever replaced as a whole, so that [`with_webhook`] starts from
//! what is there and changes nothing but the gateway's own webhook.

use base64::Engine as _;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::json::{self, Object};
use crate::channel::waha::outcome::describe;
use crate::channel::{EncodeError, Request};
use crate::identity;
use crate::message::ContactKey;
use crate::tenant::Sender;

pub const WORKING: &str = "WORKING";
pub const FAILED: &str = "FAILED";
pub const STOPPED: &str = "STOPPED";
pub const SCAN_QR_CODE: &str = "SCAN_QR_CODE";

/// What the gateway wants to hear of. `message.any` has the messages from both sides, so that
/// `message` beside it would bring every incoming one twice.
const EVENTS: [&str; 4] = ["message.any", "message.ack", "session.status", "poll.vote"];
const EVENTS_IN_OTHERS: [&str; 1] = ["message"];

/// Where WAHA's webhooks may come in at the gateway.
pub const DOORS: [&str; 2] = ["/api/webhook/waha", "/api/gateway/waha"];

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A session as WAHA shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// WAHA's word; there may be words that are not known here.
    pub status: String,
    /// Our number, once logged in.
    pub number: Option<ContactKey>,
    pub config: Object,
    /// What WAHA runs beside it; told to those who ask by [`look_with_apps`].
    pub apps: Option<Vec<Value>>,
}

/// Why WAHA did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoSession,
    /// There is a session of this name already.
    Exists,
    /// The session must be in another status.
    NotNow {
        status: String,
    },
    /// WAHA or its engine has no such call, or refuses it for good.
    Refused(String),
    /// It failed, or a proxy did.
    Failed(String),
}

/// The gateway's own webhook in a session's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Webhook<'a> {
    /// The gateway's address, as WAHA sees it, without a slash at its end.
    pub gateway: &'a str,
    /// Below it: one of [`DOORS`], with what follows.
    pub path: &'a str,
    pub hmac_key: &'a str,
    /// A shared key that goes in `X-Api-Key` beside the signature; empty: none.
    pub shared_key: &'a str,
}

/// Creates and starts.
pub fn create(sender: &Sender, config: &Object) -> Result<Request, EncodeError> {
    let body = json!({ "name": sender.account, "start": true, "config": config });
    request(sender, Method::POST, "/api/sessions", Some(&body))
}

pub fn look(sender: &Sender) -> Result<Request, EncodeError> {
    request(sender, Method::GET, &format!("/api/sessions/{}", name(sender)?), None)
}

/// The same with the session's apps, which WAHA shows only when asked to.
pub fn look_with_apps(sender: &Sender) -> Result<Request, EncodeError> {
    request(sender, Method::GET, &format!("/api/sessions/{}?expand=apps", name(sender)?), None)
}

/// Replaces the configuration, and with it the apps: what is not said is gone. A running session is
/// restarted by it. WAHA shows as null what is not set, and does not take that back.
pub fn replace(sender: &Sender, config: &Object, apps: Option<&[Value]>) -> Result<Request, EncodeError> {
    let path = format!("/api/sessions/{}", name(sender)?);
    let mut body = json!({ "config": without_nulls(&Value::Object(config.clone())) });
    if let Some(apps) = apps {
        body["apps"] = apps.into();
    }
    request(sender, Method::PUT, &path, Some(&body))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            said.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// What can be told to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing happens to one that runs.
    Start,
    Stop,
    Restart,
    /// Forgets the login, keeps the configuration.
    LogOut,
}

pub fn order(sender: &Sender, order: Order) -> Result<Request, EncodeError> {
    let word = match order {
        Order::Start => "start",
        Order::Stop => "stop",
        Order::Restart => "restart",
        Order::LogOut => "logout",
    };
    request(sender, Method::POST, &format!("/api/sessions/{}/{word}", name(sender)?), None)
}

/// The code to scan, as a PNG.
pub fn qr_picture(sender: &Sender) -> Result<Request, EncodeError> {
    let path = format!("/api/{}/auth/qr?format=image", name(sender)?);
    Ok(request(sender, Method::GET, &path, None)?.header("Accept", "image/png"))
}

/// The code to scan, as the text that it holds.
pub fn qr_text(sender: &Sender) -> Result<Request, EncodeError> {
    let path = format!("/api/{}/auth/qr?format=raw", name(sender)?);
    Ok(request(sender, Method::GET, &path, None)?.header("Accept", "application/json"))
}

/// A code to type on the phone that has this number, instead of scanning.
pub fn pairing_code(sender: &Sender, digits: &str) -> Result<Request, EncodeError> {
    let path = format!("/api/{}/auth/request-code", name(sender)?);
    request(sender, Method::POST, &path, Some(&json!({ "phoneNumber": digits })))
}

/// Which phone a hidden id belongs to.
pub fn phone_of(sender: &Sender, lid: &ContactKey) -> Result<Request, EncodeError> {
    let lid = utf8_percent_encode(lid.as_str(), IN_PATH);
    request(sender, Method::GET, &format!("/api/{}/lids/{lid}", name(sender)?), None)
}

/// Is this number on WhatsApp? Its answer comes from WhatsApp itself, and so says whether the session
/// still talks to it.
pub fn exists(sender: &Sender, digits: &str) -> Result<Request, EncodeError> {
    let path = format!("/api/contacts/check-exists?phone={digits}&session={}", name(sender)?);
    request(sender, Method::GET, &path, None)
}

/// The chats that were written in last, with their last messages.
pub fn chats(sender: &Sender) -> Result<Request, EncodeError> {
    request(sender, Method::GET, &format!("/api/{}/chats/overview?limit=20&offset=0", name(sender)?), None)
}

/// The session's name as a part of a path.
fn name(sender: &Sender) -> Result<String, EncodeError> {
    match sender.account.as_str() {
        "" | "." | ".." => Err(EncodeError(format!(
            "the sender {} has the account {:?}, which cannot name a WAHA session",
            sender.name, sender.account
        ))),
        account => Ok(utf8_percent_encode(account, IN_PATH).to_string()),
    }
}

/// A call of WAHA's API, with the sender's key.
pub fn request(
    sender: &Sender,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Request, EncodeError> {
    let base = sender.base_url.as_deref().unwrap_or_default().trim_end_matches('/');
    if base.is_empty() {
        return Err(EncodeError(format!("the sender {} has no base_url: where is its WAHA?", sender.name)));
    }
    let url = format!("{base}{path}");
    let request = match body {
        Some(body) => Request::json(method, url, body),
        None => Request { method, url, headers: Vec::new(), body: Vec::new() },
    };
    Ok(match sender.api_key.is_empty() {
        true => request,
        false => request.header("X-Api-Key", sender.api_key.expose()),
    })
}

/// The answer to all that shows the session.
pub fn read(status: u16, body: &[u8]) -> Result<Session, Refusal> {
    let answer = taken(status, body)?;
    let Some(word) = json::text(&answer, "status") else {
        return Err(Refusal::Failed(
            "WAHA's answer names no status of the session; check the sender's base_url".into(),
        ));
    };
    let me = json::object(&answer, &["me"]);
    let number = ["id", "jid"].into_iter().find_map(|name| {
        let key = identity::contact(json::text(me?, name)?).ok()?;
        identity::is_phone(&key).then_some(key)
    });
    let config = json::object(&answer, &["config"]).cloned().unwrap_or_default();
    let apps = json::field(&answer, "apps").and_then(Value::as_array).cloned();
    Ok(Session { status: word.to_owned(), number, config, apps })
}

/// The answer to an order. Some versions answer with nothing, and what became of the session is asked
/// anyway.
pub fn done(status: u16, body: &[u8]) -> Result<(), Refusal> {
    match status {
        200..=299 => Ok(()),
        _ => taken(status, body).map(drop),
    }
}

/// The answer to [`qr_picture`]; versions that do not heed `Accept` put the picture into JSON.
pub fn read_picture(status: u16, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    if (200..=299).contains(&status) && body.starts_with(PNG) {
        return Ok(body.to_vec());
    }
    let answer = taken(status, body)?;
    let decode = |text| base64::engine::general_purpose::STANDARD.decode(text).ok();
    let picture = json::text(&answer, "data").and_then(decode);
    picture
        .filter(|picture| picture.starts_with(PNG))
        .ok_or_else(|| Refusal::Failed("WAHA's answer is no picture in PNG".into()))
}

/// The answer to [`qr_text`].
pub fn read_qr_text(status: u16, body: &[u8]) -> Result<String, Refusal> {
    named(status, body, "value")
}

/// The answer to [`pairing_code`]: `ABCD-ABCD`.
pub fn read_pairing_code(status: u16, body: &[u8]) -> Result<String, Refusal> {
    named(status, body, "code")
}

fn named(status: u16, body: &[u8], field: &str) -> Result<String, Refusal> {
    let answer = taken(status, body)?;
    let text = json::text(&answer, field).map(str::to_owned);
    text.ok_or_else(|| Refusal::Failed(format!("WAHA's answer has no {field}")))
}

/// The answer to [`phone_of`]; `None`: WAHA does not know, today.
pub fn read_phone_of(status: u16, body: &[u8]) -> Result<Option<ContactKey>, Refusal> {
    // A wrong key is put right some day; it says nothing of the call.
    if matches!(status, 401 | 403) {
        return Err(Refusal::Failed(format!("WAHA refuses its key ({status})")));
    }
    let answer = taken(status, body)?;
    let phone = json::text(&answer, "pn").and_then(|phone| identity::contact(phone).ok());
    Ok(phone.filter(identity::is_phone))
}

/// The answer to [`chats`]: when something was last written in a chat with a person, in milliseconds;
/// `None`: nothing is known.
pub fn read_last_written_ms(status: u16, body: &[u8]) -> Result<Option<i64>, Refusal> {
    if !(200..=299).contains(&status) {
        return taken(status, body).map(|_| None);
    }
    // WAHA answers well, with what says nothing here: no reason to take the session for dead.
    let chats = json::parse_list(body).map_err(|error| Refusal::Refused(format!("WAHA's chats: {error}")))?;
    let written = |chat: &Value| {
        let chat = chat.as_object()?;
        identity::contact(json::text(chat, "id")?).ok()?;
        let last = json::object(chat, &["lastMessage"])?;
        Some((json::number(json::field(last, "timestamp")?)? * 1000.0) as i64)
    };
    Ok(chats.iter().filter_map(written).max())
}

/// The object of an answer that is no refusal.
fn taken(status: u16, body: &[u8]) -> Result<Object, Refusal> {
    let answer: Option<Object> = json::parse(body).ok();
    let words = || describe(status, answer.as_ref());
    let says = |part: &str| {
        let text = answer.as_ref().and_then(|answer| json::text(answer, "message"));
        text.is_some_and(|text| text.to_lowercase().contains(part))
    };
    match status {
        200..=299 => answer
            .ok_or_else(|| Refusal::Failed("WAHA's answer is no JSON; check the sender's base_url".into())),
        404 if says("session") && !says("cannot ") => Err(Refusal::NoSession),
        422 if says("already exists") => Err(Refusal::Exists),
        422 if says("session") && (says("not found") || says("didn't find")) => Err(Refusal::NoSession),
        422 => match answer.as_ref().and_then(|answer| json::text(answer, "status")) {
            Some(now) => Err(Refusal::NotNow { status: now.to_owned() }),
            None => Err(Refusal::Refused(words())),
        },
        408 | 425 | 429 | 500 | 502.. => Err(Refusal::Failed(words())),
        _ => Err(Refusal::Refused(words())),
    }
}

/// The configuration with the gateway's webhook in it; `None` where it is there already, just so.
/// Everything else stays: the other webhooks, and of ours the retries and the events it has beyond
/// what is needed.
pub fn with_webhook(config: &Object, webhook: &Webhook<'_>) -> Option<Object> {
    let mut webhooks = Vec::new();
    let mut placed = false;
    for known in json::field(config, "webhooks").and_then(Value::as_array).into_iter().flatten() {
        match known.as_object().filter(|known| is_ours(known, webhook)) {
            None => webhooks.push(known.clone()),
            // One is enough: a second would bring everything twice.
            Some(_) if placed => {}
            Some(known) => {
                placed = true;
                webhooks.push(Value::Object(ours(known, webhook)));
            }
        }
    }
    if !placed {
        webhooks.push(Value::Object(ours(&Object::new(), webhook)));
    }
    let webhooks = Value::Array(webhooks);
    if config.get("webhooks") == Some(&webhooks) {
        return None;
    }
    let mut config = config.clone();
    config.insert("webhooks".into(), webhooks);
    Some(config)
}

/// Does it lead to this gateway? An earlier one may have had another door or tenant in it.
fn is_ours(known: &Object, webhook: &Webhook<'_>) -> bool {
    let path = json::text(known, "url").and_then(|url| url.strip_prefix(webhook.gateway));
    path.is_some_and(|path| DOORS.iter().any(|door| path.starts_with(door)))
}

fn ours(known: &Object, webhook: &Webhook<'_>) -> Object {
    let mut ours = known.clone();
    ours.insert("url".into(), format!("{}{}", webhook.gateway, webhook.path).into());
    let before = json::field(known, "events").and_then(Value::as_array);
    let mut events: Vec<Value> = before.into_iter().flatten().cloned().collect();
    events.retain(|event| !EVENTS_IN_OTHERS.iter().any(|other| event == other));
    if !events.iter().any(|event| event == "*") {
        let lacking = EVENTS.into_iter().filter(|event| !events.iter().any(|known| known == event));
        let lacking: Vec<Value> = lacking.map(Value::from).collect();
        events.extend(lacking);
    }
    ours.insert("events".into(), events.into());
    ours.insert("hmac".into(), json!({ "key": webhook.hmac_key }));
    if json::object(known, &["retries"]).is_none() {
        // By itself WAHA gives up after half a minute; this way it tries for hours.
        let retries = json!({ "policy": "exponential", "delaySeconds": 2, "attempts": 15 });
        ours.insert("retries".into(), retries);
    }
    if !webhook.shared_key.is_empty() {
        let before = json::field(known, "customHeaders").and_then(Value::as_array);
        let is_key = |header: &&Value| {
            header["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("x-api-key"))
        };
        let mut headers: Vec<Value> =
            before.into_iter().flatten().filter(|header| !is_key(header)).cloned().collect();
        headers.push(json!({ "name": "X-Api-Key", "value": webhook.shared_key }));
        ours.insert("customHeaders".into(), headers.into());
    }
    ours
}

/// What a person does next, by the session's status.
pub fn next_step(status: &str) -> &'static str {
    match status {
        WORKING => "nothing: messages come in and go out",
        "STARTING" => "wait a few seconds and look again",
        SCAN_QR_CODE => {
            "scan the QR code with WhatsApp on the phone: Settings, Linked devices, Link a device"
        }
        "PASSKEY_REQUIRED" => "confirm the passkey that WhatsApp asks for, in WAHA's own dashboard",
        "PASSKEY_CONFIRMATION_REQUIRED" => {
            "compare the code in WAHA's own dashboard with the one on the phone, and confirm it there"
        }
        STOPPED => "connect it",
        FAILED => "connect it again; if it keeps failing, disconnect it first and scan anew",
        _ => "look into WAHA's own dashboard: this status is not known to the gateway",
    }
}

#[cfg(test)]
mod tests;
