//! WAHA's session API as a codec: one session is one WhatsApp number that is logged in, or about to
//! be. Requests on one side, readings of the answers on the other; when they are made is not decided
//! here. From the 2026.7.1 specification, and from what 2026.4.1 says where that is not in it. What the
//! settings of a session must be is in [`super::settings`].

use base64::Engine as _;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::json::{self, Object};
use crate::channel::waha::api::request;
use crate::channel::waha::outcome::{describe, exception, words};
use crate::channel::{EncodeError, Request};
use crate::event::session::Status;
use crate::glyph;
use crate::identity;
use crate::message::ContactKey;
use crate::tenant::Sender;

/// Of what WAHA explains at length, this much.
const WORDS_CHARS: usize = 400;

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A session as WAHA shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub status: Status,
    /// Our number, once logged in.
    pub number: Option<ContactKey>,
    pub config: Object,
    /// What WAHA runs beside it; told to those who ask by [`look_with_apps`].
    pub apps: Option<Vec<Value>>,
    /// `NOWEB`, `GOWS`, `WEBJS`, where that is told.
    pub engine: Option<String>,
}

/// Why WAHA did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoSession,
    /// There is a session of this name already.
    Exists,
    /// The session must be in another status.
    NotNow {
        status: Status,
    },
    /// This WAHA holds one session, which is called otherwise. In its words.
    OneSession(String),
    /// The engine keeps nothing that this could be looked up in, until it is told to.
    StoreOff,
    /// WAHA or its engine has no such call.
    NoCall(String),
    /// It does not take the key.
    KeyRefused(String),
    /// The call is refused as it is.
    Refused(String),
    /// Nothing was done: WAHA was about something else with this session for too long.
    Busy(String),
    /// It failed, or a proxy did.
    Failed(String),
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
    /// Forgets the login, keeps the configuration. Of a stopped session the phone hears nothing of it.
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
    Ok(Session {
        status: Status::read(word),
        number,
        config: json::object(&answer, &["config"]).cloned().unwrap_or_default(),
        apps: json::field(&answer, "apps").and_then(Value::as_array).cloned(),
        engine: engine(&answer),
    })
}

/// `{"engine": "NOWEB"}`, or the bare word.
fn engine(answer: &Object) -> Option<String> {
    let engine = json::object(answer, &["engine"]).and_then(|engine| json::text(engine, "engine"));
    engine.or_else(|| json::text(answer, "engine")).map(str::to_uppercase)
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
    if (200..=299).contains(&status) {
        return answer
            .ok_or_else(|| Refusal::Failed("WAHA's answer is no JSON; check the sender's base_url".into()));
    }
    let told = describe(status, answer.as_ref());
    let answer = answer.unwrap_or_default();
    let said = words(&answer).or_else(|| exception(&answer)).unwrap_or_default().to_lowercase();
    let says = |part: &str| said.contains(part);
    Err(match status {
        404 if says("cannot ") => Refusal::NoCall(told),
        404 if says("session") || said == "not found" => Refusal::NoSession,
        422 if says("already exists") => Refusal::Exists,
        422 if says("support only") && says("session") => {
            Refusal::OneSession(glyph::shown(words(&answer).unwrap_or_default(), WORDS_CHARS))
        }
        422 if says("session") && (says("not found") || says("didn't find")) => Refusal::NoSession,
        422 => match json::text(&answer, "status") {
            Some(now) => Refusal::NotNow { status: Status::read(now) },
            // A call that names a session that is not there: it has no status to tell.
            None if json::text(&answer, "session").is_some() => Refusal::NoSession,
            None => Refusal::Refused(told),
        },
        400 | 500 if says("noweb") && says("store") => Refusal::StoreOff,
        500 if says("async-lock") => Refusal::Busy(format!("{told}; its lock on the session timed out")),
        501 => Refusal::NoCall(told),
        401 | 403 => Refusal::KeyRefused(told),
        408 | 425 | 429 | 500 | 502.. => Refusal::Failed(told),
        _ => Refusal::Refused(told),
    })
}

/// What a person does next, by the session's status.
pub fn next_step(status: &Status) -> &'static str {
    match status {
        Status::Working => "nothing: messages come in and go out",
        Status::Starting => "wait a few seconds and look again",
        Status::ScanQrCode => {
            "scan the QR code with WhatsApp on the phone: Settings, Linked devices, Link a device"
        }
        Status::PasskeyRequired => "confirm the passkey that WhatsApp asks for, in WAHA's own dashboard",
        Status::PasskeyConfirmationRequired => {
            "compare the code in WAHA's own dashboard with the one on the phone, and confirm it there"
        }
        Status::Stopped => "connect it",
        Status::Failed => "connect it again; if it keeps failing, disconnect it first and scan anew",
        Status::Other(_) => "look into WAHA's own dashboard: this status is not known to the gateway",
    }
}

#[cfg(test)]
mod tests;
