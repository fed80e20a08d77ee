//! A Gupshup over real HTTP, as strict as its contract: paths, methods, the key, forms with JSON inside
//! that has no nulls, apps with their numbers, templates by id. What does not fit it refuses in Gupshup's
//! words. Beside it [`webhook`], which makes what a Gupshup sends to us.
//!
//! ```ignore
//! let gupshup = Peer::start(Gupshup::with(&[("DemoApp", "app-1", "918400000048")])).await;
//! // ... the gateway sends to gupshup.url() with the key gupshup::KEY ...
//! let sent = gupshup.wait_for(1, SOON).await;
//! assert_eq!(sent[0].text(), Some("hello"));
//! ```

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::peer::{Call, Contract, Reply};

mod message;
mod template;
pub mod webhook;

/// The account's key, which all of its apps share.
pub const KEY: &str = "sk_0123456789abcdef0123456789abcdef";

/// One message that Gupshup took.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The app's name.
    pub app: String,
    pub source: String,
    pub destination: String,
    /// Null of a template without a file.
    pub message: Value,
    /// `{id, params}`, of a template.
    pub template: Option<Value>,
    /// As Gupshup names it: `messageId` in the answer, `gsId` in webhooks.
    pub id: String,
}

impl Sent {
    pub fn text(&self) -> Option<&str> {
        self.message["text"].as_str()
    }
}

#[derive(Debug)]
struct App {
    id: String,
    number: String,
}

/// One account.
#[derive(Debug, Default)]
pub struct Gupshup {
    /// By name.
    apps: BTreeMap<String, App>,
    /// As Gupshup lists them; every app has the same.
    pub templates: Vec<Value>,
    /// Messages that were marked as read.
    pub read: Vec<String>,
    /// By path, with their kind: received files, which lie open.
    pub files: BTreeMap<String, (String, Vec<u8>)>,
    taken: usize,
}

impl Gupshup {
    /// With these apps: name, id, number.
    pub fn with(apps: &[(&str, &str, &str)]) -> Self {
        let app = |(name, id, number): &(&str, &str, &str)| {
            ((*name).to_owned(), App { id: (*id).to_owned(), number: (*number).to_owned() })
        };
        Gupshup { apps: apps.iter().map(app).collect(), ..Gupshup::default() }
    }

    fn knows(&self, app_id: &str) -> Result<(), Reply> {
        match self.apps.values().any(|app| app.id == app_id) {
            true => Ok(()),
            false => Err(refusal(400, "Invalid App ID")),
        }
    }

    fn file(&self, call: &Call) -> Result<Reply, Reply> {
        if call.header("apikey").is_some() {
            return Err(refusal(400, "A file lies open; the key does not belong here"));
        }
        match self.files.get(&call.path) {
            Some((kind, bytes)) => Ok(Reply::bytes(200, kind, bytes.clone())),
            None => Err(refusal(404, "Not Found")),
        }
    }

    /// A message, in either of its two calls.
    fn send(&mut self, call: &Call, is_template: bool) -> Result<(Option<Sent>, Reply), Reply> {
        let fields = form(call)?;
        let known: &[&str] = match is_template {
            true => &["channel", "source", "destination", "src.name", "template", "message", "postbackTexts"],
            false => &["channel", "source", "destination", "src.name", "message", "disablePreview", "encode"],
        };
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(refusal(400, &format!("Unknown parameter {unknown}")));
        }
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        if field("channel") != "whatsapp" {
            return Err(refusal(400, "Invalid Channel"));
        }
        let app = self.apps.get(field("src.name")).ok_or_else(|| refusal(400, "Invalid App Details"))?;
        if app.number != field("source") {
            return Err(refusal(400, "Invalid Source"));
        }
        let destination = field("destination");
        let digits = destination.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(7..=15).contains(&destination.len()) || destination.starts_with('0') {
            return Err(refusal(400, "Invalid Destination"));
        }
        let json = |name: &str| -> Result<Value, Reply> {
            let value: Value = serde_json::from_str(field(name))
                .map_err(|_| refusal(400, &format!("Invalid {name}: it is no JSON")))?;
            message::without_nulls(&value)
                .map_err(|place| refusal(400, &format!("Null value in {name}{place}")))?;
            Ok(value)
        };
        let (message, template) = if is_template {
            let template = json("template")?;
            let message = if field("message").is_empty() { Value::Null } else { json("message")? };
            template::check(&self.templates, &template, &message)?;
            (message, Some(template))
        } else {
            let message = json("message")?;
            message::check(&message).map_err(|what| refusal(400, &what))?;
            (message, None)
        };
        self.taken += 1;
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.taken);
        let (app, source) = (field("src.name").to_owned(), field("source").to_owned());
        let sent =
            Sent { app, source, destination: destination.to_owned(), message, template, id: id.clone() };
        Ok((Some(sent), Reply::json(202, &json!({"status": "submitted", "messageId": id}))))
    }
}

impl Contract for Gupshup {
    type Sent = Sent;

    fn call(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        let path = call.path.trim_matches('/').split('/').map(decoded).collect::<Vec<_>>();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if let ["files", ..] = path.as_slice() {
            return self.file(call).map(|reply| (None, reply));
        }
        if call.header("apikey") != Some(KEY) {
            return Err(Reply::json(
                401,
                &json!({"message": {"message": "Authentication Failed"}, "status": "error"}),
            ));
        }
        match (&call.method, path.as_slice()) {
            (&Method::POST, ["wa", "api", "v1", "msg"]) => self.send(call, false),
            (&Method::POST, ["wa", "api", "v1", "template", "msg"]) => self.send(call, true),
            (&Method::PUT, ["wa", "app", app, "msg", message, "read"]) => {
                self.knows(app)?;
                if call.header("authorization") != Some(KEY) {
                    return Err(refusal(401, "Authorization is missing"));
                }
                self.read.push((*message).to_owned());
                Ok((None, Reply { status: 202, headers: vec![], body: vec![] }))
            }
            (method, ["wa", "app", app, "template", rest @ ..]) => {
                self.knows(app)?;
                let form = if call.body.is_empty() { BTreeMap::new() } else { form(call)? };
                let reply = template::manage(&mut self.templates, method, rest, &form)?;
                Ok((None, reply))
            }
            _ => Err(refusal(404, "Not Found")),
        }
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        refusal(status, if status == 429 { "Too Many Requests" } else { "Internal Server Error" })
    }

    fn spared(&self, call: &Call) -> bool {
        !call.path.ends_with("/msg")
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"status": "error", "message": message}))
}

/// A part of the path, as it was before it was escaped.
fn decoded(part: &str) -> String {
    // A plus stands for itself in a path.
    let escaped = format!("x={}", part.replace('+', "%2B"));
    let value = url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

/// The fields of a form, each once.
fn form(call: &Call) -> Result<BTreeMap<String, String>, Reply> {
    if call.header("content-type") != Some("application/x-www-form-urlencoded") {
        return Err(refusal(415, "Unsupported Media Type"));
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(&call.body).into_owned() {
        if fields.insert(name.clone(), value).is_some() {
            return Err(refusal(400, &format!("Parameter {name} is given twice")));
        }
    }
    Ok(fields)
}
