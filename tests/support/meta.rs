//! Meta's Graph API over real HTTP, as strict as it is: messages, read marks, files and templates, with
//! errors in Meta's form. Beside it [`webhook`], which makes the requests that Meta sends to us.
//!
//! ```ignore
//! let meta = meta::start().await;
//! meta.fail_next(Fault::Say { status: 401, body: meta::error(190, "Session has expired") });
//! // ... the gateway sends to meta.url() with the token meta::TOKEN as the number meta::NUMBER ...
//! let sent = meta.wait_for(1, Duration::from_secs(5)).await;
//! assert_eq!(sent[0].text(), Some("hello"));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::peer::{Call, Contract, Peer, Reply};

mod files;
mod message;
mod templates;
pub mod webhook;

pub type FakeMeta = Peer<Meta>;

/// The access token that it takes.
pub const TOKEN: &str = "EAAG-token-for-tests";
/// The only version of the API that it has.
pub const VERSION: &str = "v23.0";
/// Ids of the numbers that the token is for, and of the business account that they belong to.
pub const NUMBER: &str = "106540352242922";
pub const OTHER_NUMBER: &str = "106540352242923";
pub const BUSINESS: &str = "102290129340398";
/// The app's secret, which signs its webhooks.
pub const SECRET: &str = "meta-app-secret-for-tests";

/// What Meta knows.
#[derive(Debug)]
pub struct Meta {
    numbers: BTreeSet<String>,
    /// Under which id the network knows a number, where that is another one.
    wa_ids: BTreeMap<String, String>,
    files: BTreeMap<String, files::File>,
    templates: Vec<templates::Kept>,
    /// Every message that was marked as read, with whether we showed that we write.
    reads: Vec<(String, bool)>,
    /// What goes wrong goes wrong with changes of templates, not with messages.
    pub fails_templates: bool,
    /// Its own address, which it hands out for files.
    url: String,
    next: u64,
}

/// A message that Meta took.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The id of the number that it left by.
    pub number: String,
    /// A phone number, or a business-scoped id.
    pub to: String,
    pub body: Value,
    pub id: String,
}

impl Sent {
    pub fn text(&self) -> Option<&str> {
        self.body["text"]["body"].as_str()
    }

    /// Our own name for it.
    pub fn reference(&self) -> Option<&str> {
        self.body["biz_opaque_callback_data"].as_str()
    }
}

/// A running Meta with two numbers.
pub async fn start() -> FakeMeta {
    let peer = Peer::start(Meta::at("")).await;
    let url = peer.url().to_owned();
    peer.with(|meta| meta.url = url);
    peer
}

impl Meta {
    /// One with two numbers that says that its files lie at this address.
    pub fn at(url: &str) -> Self {
        Meta {
            numbers: [NUMBER, OTHER_NUMBER].map(str::to_owned).into(),
            wa_ids: BTreeMap::new(),
            files: BTreeMap::new(),
            templates: Vec::new(),
            reads: Vec::new(),
            fails_templates: false,
            url: url.to_owned(),
            next: 1,
        }
    }

    /// The network knows this number under another id.
    pub fn known_as(&mut self, number: &str, wa_id: &str) {
        self.wa_ids.insert(number.to_owned(), wa_id.to_owned());
    }

    /// A file that a contact sent; its id.
    pub fn received(&mut self, mime_type: &str, bytes: &[u8]) -> String {
        let id = self.number();
        self.files.insert(id.clone(), files::File { mime_type: mime_type.to_owned(), bytes: bytes.to_vec() });
        id
    }

    /// What was handed over to it, or received: type and bytes.
    pub fn file(&self, id: &str) -> Option<(String, Vec<u8>)> {
        self.files.get(id).map(|file| (file.mime_type.clone(), file.bytes.clone()))
    }

    pub fn reads(&self) -> Vec<(String, bool)> {
        self.reads.clone()
    }

    /// Meta makes up its mind about a template.
    pub fn judge(&mut self, name: &str, status: &str) {
        for kept in self.templates.iter_mut().filter(|kept| kept.name == name) {
            kept.status = status.to_owned();
        }
    }

    /// As long as Meta's own.
    fn number(&mut self) -> String {
        self.next += 1;
        (1_166_846_181_421_000 + self.next).to_string()
    }

    /// `wamid.` and base64, as Meta's.
    fn wamid(&mut self, to: &str) -> String {
        self.next += 1;
        let inside = format!("\u{1d}\u{4}\u{b}{to}\u{15}\u{2}\u{11}{:020X}", self.next);
        format!("wamid.{}", base64::engine::general_purpose::STANDARD.encode(inside))
    }
}

impl Contract for Meta {
    type Sent = Sent;

    fn call(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        if call.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Err(Reply::json(
                401,
                &error(190, "Invalid OAuth access token - Cannot parse access token"),
            ));
        }
        let path: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
        let answer = |reply| Ok((None, reply));
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["whatsapp_business", "attachments", id]) => answer(files::bytes(self, id)?),
            (_, [version, ..]) if *version != VERSION => Err(refused(
                2635,
                &format!("You are calling a version of the API that is not there: {version}"),
            )),
            ("POST", [_, number, "messages"]) => {
                self.own(number)?;
                message::take(self, number, call)
            }
            ("POST", [_, number, "media"]) => {
                self.own(number)?;
                answer(files::upload(self, call)?)
            }
            ("GET" | "POST" | "DELETE", [_, BUSINESS, "message_templates"]) => {
                answer(templates::call(self, call)?)
            }
            ("GET", [_, id]) if self.numbers.contains(*id) => answer(self.number_shown(id)),
            ("GET", [_, id]) => answer(files::locate(self, id, call)?),
            ("POST", [_, id]) => answer(templates::replace(self, id, call)?),
            _ => Err(missing(&call.path)),
        }
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        let body = match status {
            429 => error(130_429, "(#130429) Rate limit hit"),
            503 => json!({ "error": { "message": "Service temporarily unavailable", "type": "OAuthException",
                "code": 2, "is_transient": true, "fbtrace_id": "AbCdEfGh" } }),
            _ => error(1, "An unknown error has occurred."),
        };
        Reply::json(status, &body)
    }

    /// Faults are for messages, or for templates.
    fn spared(&self, call: &Call) -> bool {
        if self.fails_templates {
            let parts = call.path.split('/').count();
            return call.method != "POST" || !(call.path.ends_with("/message_templates") || parts == 3);
        }
        !call.path.ends_with("/messages") || call.json().get("status").is_some()
    }
}

impl Meta {
    fn number_shown(&self, id: &str) -> Reply {
        let number =
            json!({ "display_phone_number": "+1 555-078-3881", "verified_name": "Marina Homes", "id": id });
        Reply::json(200, &number)
    }

    fn own(&self, number: &str) -> Result<(), Reply> {
        if self.numbers.contains(number) { Ok(()) } else { Err(missing(number)) }
    }
}

/// An error body of the Graph API.
pub fn error(code: i64, message: &str) -> Value {
    json!({ "error": { "message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEfGh" } })
}

fn refused(code: i64, message: &str) -> Reply {
    Reply::json(400, &error(code, message))
}

/// A parameter that is missing, wrong or unknown.
fn parameter(message: String) -> Reply {
    refused(100, &format!("(#100) {message}"))
}

fn missing(what: &str) -> Reply {
    parameter(format!("Unsupported request. Object with ID '{what}' does not exist"))
}

/// The body as an object of JSON, as the Graph API takes it.
fn object(call: &Call) -> Result<serde_json::Map<String, Value>, Reply> {
    let is_json = call.header("content-type").is_some_and(|it| it.starts_with("application/json"));
    match call.json() {
        Value::Object(body) if is_json => Ok(body),
        _ => Err(parameter("The parameter messaging_product is required.".into())),
    }
}

/// No field but these.
fn only(body: &Value, place: &str, known: &[&str]) -> Result<(), Reply> {
    let Some(fields) = body.as_object() else {
        return Err(parameter(format!("Param {place} must be a JSON object.")));
    };
    match fields.iter().find(|(name, value)| !known.contains(&name.as_str()) || value.is_null()) {
        Some((name, _)) => Err(parameter(format!("Unexpected key \"{name}\" on param \"{place}\"."))),
        None => Ok(()),
    }
}

/// Text of 1 to `most` characters.
fn text<'a>(body: &'a Value, place: &str, name: &str, most: usize) -> Result<&'a str, Reply> {
    match body[name].as_str() {
        Some(text) if text.trim().is_empty() => {
            Err(parameter(format!("The parameter {place}['{name}'] is required.")))
        }
        Some(text) if text.chars().count() > most => {
            Err(parameter(format!("Param {place}['{name}'] must be at most {most} characters long.")))
        }
        Some(text) => Ok(text),
        None => Err(parameter(format!("The parameter {place}['{name}'] is required."))),
    }
}

/// The same, where it may be left out.
fn maybe(body: &Value, place: &str, name: &str, most: usize) -> Result<(), Reply> {
    if body.get(name).is_some() { text(body, place, name, most).map(drop) } else { Ok(()) }
}

fn list<'a>(body: &'a Value, place: &str, name: &str, most: usize) -> Result<&'a Vec<Value>, Reply> {
    match body[name].as_array() {
        Some(items) if (1..=most).contains(&items.len()) => Ok(items),
        _ => Err(parameter(format!("Param {place}['{name}'] must have 1 to {most} items."))),
    }
}
