//! An Infobip over real HTTP, as strict as its contract: paths, methods, the key, fields with their
//! lengths, registered senders and approved templates. What does not fit it refuses in Infobip's words;
//! an id that it has seen, taken or refused, it refuses in a 200. Beside it [`webhook`], which makes what an Infobip sends
//! to us.
//!
//! ```ignore
//! let infobip = Peer::start(Infobip::with(&["41793026731"])).await;
//! // ... the gateway sends to infobip.url() with the key infobip::KEY ...
//! let sent = infobip.wait_for(1, SOON).await;
//! assert_eq!(sent[0].text(), Some("hello"));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Value, json};

use crate::peer::{Call, Contract, Reply};

mod fields;
pub mod log;
pub mod webhook;

/// The account's API key.
pub const KEY: &str = "0123456789abcdef0123456789abcdef-00000000-0000-4000-8000-000000000000";

/// One message that Infobip took.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `/whatsapp/1/message/text`.
    pub path: String,
    pub from: String,
    pub to: String,
    /// As the gateway chose it.
    pub id: String,
    pub content: Value,
    /// The message that it quotes.
    pub reply_to: Option<String>,
}

impl Sent {
    pub fn text(&self) -> Option<&str> {
        self.content["text"].as_str()
    }
}

/// One account.
#[derive(Debug, Default)]
pub struct Infobip {
    senders: BTreeSet<String>,
    /// By name, as they were created.
    pub templates: BTreeMap<String, Value>,
    /// By the path of their address.
    pub files: BTreeMap<String, (String, Vec<u8>)>,
    /// Where files lie that Infobip lets a network deliver, by the path of their address.
    pub delivered: BTreeMap<String, String>,
    ids: BTreeSet<String>,
    /// Messages that were marked as read, and those that were answered with typing.
    pub read: Vec<String>,
    pub typing: Vec<String>,
    pub log: log::Log,
    /// What the next message is refused with, in a 200: a status's group and name, an error's name.
    pub rejects_next: Option<(&'static str, &'static str, &'static str)>,
}

impl Infobip {
    /// With these numbers registered.
    pub fn with(senders: &[&str]) -> Self {
        Infobip { senders: senders.iter().map(|it| (*it).to_owned()).collect(), ..Infobip::default() }
    }

    fn sender(&self, from: &Value) -> Result<(), Reply> {
        match from.as_str().is_some_and(|from| self.senders.contains(from)) {
            true => Ok(()),
            false => Err(refusal(400, "BAD_REQUEST", "The sender is not registered", "from")),
        }
    }

    fn message(&mut self, path: &str, message: &Value) -> Result<(Option<Sent>, Value), Reply> {
        self.sender(&message["from"])?;
        let kind = path.strip_prefix("/whatsapp/1/message/").unwrap_or_default();
        if kind == "template" {
            self.template(&message["content"])?;
        }
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let (to, id) = (text("to"), text("messageId"));
        let answer = |group_id: u8, group: &str, id_of: u8, name: &str| {
            json!({
                "to": to, "messageCount": 1, "messageId": id,
                "status": {"groupId": group_id, "groupName": group, "id": id_of, "name": name, "description": name},
            })
        };
        // An id that was refused was seen too.
        if !self.ids.insert(id.clone()) {
            return Ok((None, answer(5, "REJECTED", 23, "REJECTED_DUPLICATE_MESSAGE_ID")));
        }
        let reply_to = message["context"]["replyToMessageId"].as_str().map(str::to_owned);
        let content = message["content"].clone();
        let sent = Sent {
            path: path.to_owned(),
            from: text("from"),
            to: to.clone(),
            id: id.clone(),
            content,
            reply_to,
        };
        if let Some((group, name, error)) = self.rejects_next.take() {
            self.log.note(&sent, (group, name));
            let mut answer = answer(if group == "REJECTED" { 5 } else { 2 }, group, 0, name);
            answer["error"] =
                json!({"groupId": 1, "groupName": "USER_ERRORS", "id": 0, "name": error, "permanent": true});
            return Ok((None, answer));
        }
        self.log.note(&sent, ("PENDING", "PENDING_ENROUTE"));
        let answer = answer(1, "PENDING", 7, "PENDING_ENROUTE");
        Ok((Some(sent), answer))
    }

    /// The template must be approved, and be given as many values as it has placeholders.
    fn template(&self, content: &Value) -> Result<(), Reply> {
        let wrong = |what: &str| Err(refusal(400, "BAD_REQUEST", what, "content.templateName"));
        let name = content["templateName"].as_str().unwrap_or_default();
        let Some(template) = self.templates.get(name) else { return wrong("Template not found") };
        if template["status"] != "APPROVED" || template["language"] != content["language"] {
            return wrong("Template not approved in this language");
        }
        let wanted = template["structure"]["body"]["text"].as_str().unwrap_or_default().matches("{{").count();
        let given = content["templateData"]["body"]["placeholders"].as_array().map_or(0, Vec::len);
        if wanted != given {
            return wrong("Placeholders count does not match the template");
        }
        let header = |of: &Value, name: &str| of["header"][name].as_str().map(str::to_owned);
        let wanted = header(&template["structure"], "format").filter(|format| format != "TEXT");
        let given = header(&content["templateData"], "type").filter(|format| format != "TEXT");
        if wanted != given {
            return wrong("Header does not match the template");
        }
        Ok(())
    }

    fn messages(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        let body = fields::body(call)?;
        if call.path != "/whatsapp/1/message/template" {
            fields::message(&call.path, &body)?;
            let (sent, answer) = self.message(&call.path, &body)?;
            return Ok((sent, Reply::json(200, &answer)));
        }
        fields::templates(&body)?;
        let mut last = None;
        let mut answers = Vec::new();
        for message in body["messages"].as_array().into_iter().flatten() {
            let (sent, answer) = self.message(&call.path, message)?;
            last = sent;
            answers.push(answer);
        }
        Ok((last, Reply::json(200, &json!({"messages": answers, "bulkId": "2034072219640523073"}))))
    }

    /// `/whatsapp/2/senders/{sender}/templates[/{id or name}]`
    fn management(&mut self, call: &Call, sender: &str, which: Option<&str>) -> Result<Reply, Reply> {
        self.sender(&json!(sender))?;
        let unknown = || refusal(404, "NOT_FOUND", "Template not found", "");
        match (call.method.as_str(), which) {
            ("GET", None) => {
                let templates: Vec<&Value> = self.templates.values().collect();
                Ok(Reply::json(200, &json!({ "templates": templates })))
            }
            ("POST", None) => {
                let mut template = fields::body(call)?;
                fields::template(&template, true)?;
                let name = template["name"].as_str().unwrap_or_default().to_owned();
                template["id"] = json!(format!("{}", 111 + self.templates.len()));
                template["businessAccountId"] = json!(222);
                template["status"] = json!("PENDING");
                self.templates.insert(name, template.clone());
                Ok(Reply::json(201, &template))
            }
            ("PATCH", Some(id)) => {
                let changes = fields::body(call)?;
                fields::template(&changes, false)?;
                let template = self.templates.values_mut().find(|it| it["id"] == *id).ok_or_else(unknown)?;
                template["category"] = changes["category"].clone();
                template["structure"] = changes["structure"].clone();
                template["status"] = json!("PENDING");
                Ok(Reply::json(200, template))
            }
            ("DELETE", Some(name)) => {
                self.templates.remove(name).ok_or_else(unknown)?;
                Ok(Reply::bytes(204, "application/json", Vec::new()))
            }
            _ => Err(no_path(call)),
        }
    }

    /// The file, or where it is delivered from.
    fn file(&self, path: &str) -> Result<Reply, Reply> {
        if let Some(address) = self.delivered.get(path) {
            let headers = vec![("location", address.clone())];
            return Ok(Reply { status: 302, headers, body: Vec::new() });
        }
        match self.files.get(path) {
            Some((mime_type, file)) => Ok(Reply::bytes(200, mime_type, file.clone())),
            None => Err(refusal(404, "NOT_FOUND", "Media not found", "")),
        }
    }

    fn typing(&mut self, call: &Call) -> Result<Reply, Reply> {
        let body = fields::body(call)?;
        fields::events(&body)?;
        for event in body["events"].as_array().into_iter().flatten() {
            self.sender(&event["sender"])?;
            self.typing.push(event["content"]["messageId"].as_str().unwrap_or_default().to_owned());
        }
        Ok(Reply::json(200, &json!({"bulkId": "1", "messages": []})))
    }
}

impl Contract for Infobip {
    type Sent = Sent;

    fn call(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        if call.header("authorization") != Some(&format!("App {KEY}")) {
            return Err(refusal(401, "UNAUTHORIZED", "Invalid login details", ""));
        }
        let parts: Vec<&str> = call.path.split('/').skip(1).collect();
        let reply = match (&call.method, parts.as_slice()) {
            (&Method::POST, ["whatsapp", "1", "message", ..]) if fields::exists(&call.path) => {
                return self.messages(call);
            }
            (&Method::POST, ["whatsapp", "1", "events"]) => self.typing(call),
            (&Method::POST, ["whatsapp", "1", "senders", sender, "message", id, "read"]) => {
                self.sender(&json!(sender))?;
                let id = percent_decoded(id);
                self.read.push(id);
                Ok(Reply::bytes(204, "application/json", Vec::new()))
            }
            (&Method::GET, ["whatsapp", "2", "logs"]) => self.log.asked(call),
            (&Method::GET, ["whatsapp", "1", "senders", _, "media", _]) => self.file(&call.path),
            (_, ["whatsapp", "2", "senders", sender, "templates"]) => self.management(call, sender, None),
            (_, ["whatsapp", "2", "senders", sender, "templates", which]) => {
                self.management(call, sender, Some(which))
            }
            _ => Err(no_path(call)),
        }?;
        Ok((None, reply))
    }

    fn failure(&self, status: u16, _call: &Call) -> Reply {
        match status {
            429 => refusal(429, "TOO_MANY_REQUESTS", "Too many requests", ""),
            503 => refusal(503, "SERVICE_UNAVAILABLE", "Service unavailable", ""),
            status => refusal(status, "GENERAL_ERROR", "Something went wrong. Please contact support.", ""),
        }
    }

    fn spared(&self, call: &Call) -> bool {
        !call.path.starts_with("/whatsapp/1/message/")
    }
}

fn percent_decoded(part: &str) -> String {
    let whole = format!("a={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(whole.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn no_path(call: &Call) -> Reply {
    refusal(404, "NOT_FOUND", &format!("Requested URL not found: {}", call.path), "")
}

/// Infobip's words for a request that it does not take; `field` is what is wrong with it.
pub fn refusal(status: u16, code: &str, text: &str, field: &str) -> Reply {
    let mut exception = json!({"messageId": code, "text": text});
    if !field.is_empty() {
        exception["validationErrors"] = json!({ field: ["is not valid"] });
    }
    Reply::json(status, &json!({"requestError": {"serviceException": exception}}))
}
