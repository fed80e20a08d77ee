//! 360dialog over real HTTP, as strict as it is: one number a key, which stands in a header of its own; no
//! number and no version in its addresses; files passed on under Meta's path at its own address; templates in
//! a list of its own form. What a message may hold it leaves to the [`Meta`] behind it. Webhooks are
//! [`crate::meta::webhook::Webhook`]s, which it sends with the headers that it was told to send.

use http::HeaderValue;
use serde_json::{Value, json};

use crate::meta::{self, BUSINESS, Meta, NUMBER, Sent, TOKEN, VERSION};
use crate::peer::{Call, Contract, Peer, Reply};

pub type FakeDialog360 = Peer<Dialog360>;

/// The key of the only number that it has, [`meta::NUMBER`].
pub const KEY: &str = "d360-key-for-tests";

/// Where Meta says that its files lie.
const LOOKASIDE: &str = "https://lookaside.fbsbx.com";

#[derive(Debug)]
pub struct Dialog360 {
    /// The Cloud API behind it.
    pub meta: Meta,
}

pub async fn start() -> FakeDialog360 {
    Peer::start(Dialog360 { meta: Meta::at(LOOKASIDE) }).await
}

impl Contract for Dialog360 {
    type Sent = Sent;

    fn call(&mut self, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
        if call.header("d360-api-key") != Some(KEY) {
            return Err(own_error(401, "Invalid api key"));
        }
        if call.header("authorization").is_some() {
            return Err(own_error(400, "Meta's tokens are not for us"));
        }
        let path: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
        let answer = |reply| Ok((None, reply));
        match (call.method.as_str(), path.as_slice()) {
            ("POST", ["messages"]) => self.behind(call, &format!("{NUMBER}/messages")),
            ("POST", ["media"]) => self.behind(call, &format!("{NUMBER}/media")),
            ("GET", ["whatsapp_business", "attachments", ""]) => answer(self.bytes(call)?),
            ("POST", ["v1", "configs", "templates"]) => answer(self.submit(call)?),
            ("GET", ["v1", "configs", "templates"]) => answer(self.list(call)?),
            ("DELETE", ["v1", "configs", "templates", name]) => answer(self.delete(call, name)?),
            ("GET", [id]) if call.query.is_empty() => answer(self.locate(call, id)?),
            _ => Err(own_error(404, "Not found")),
        }
    }

    fn failure(&self, status: u16, call: &Call) -> Reply {
        self.meta.failure(status, call)
    }

    /// Faults are for messages.
    fn spared(&self, call: &Call) -> bool {
        call.path != "/messages" || call.json().get("status").is_some()
    }
}

impl Dialog360 {
    /// Meta's answer to the same request under its own path and with a token of its own.
    fn behind(&mut self, call: &Call, path: &str) -> Result<(Option<Sent>, Reply), Reply> {
        let mut passed = call.clone();
        passed.path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/{VERSION}/{path}"),
        };
        let token = HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a header value");
        passed.headers.insert("authorization", token);
        self.meta.call(&passed)
    }

    fn told(&mut self, call: &Call, path: &str) -> Result<Value, Reply> {
        let (_, reply) = self.behind(call, path)?;
        Ok(serde_json::from_slice(&reply.body).expect("Meta answers in JSON"))
    }

    fn locate(&mut self, call: &Call, id: &str) -> Result<Reply, Reply> {
        let mut body = self.told(call, id)?;
        body["url"] =
            format!("{LOOKASIDE}/whatsapp_business/attachments/?mid={id}&ext=1797043223&hash=ATt").into();
        Ok(Reply::json(200, &body))
    }

    fn bytes(&mut self, call: &Call) -> Result<Reply, Reply> {
        let value = |wanted: &str| call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let (Some(id), Some(_), Some(_)) = (value("mid"), value("ext"), value("hash")) else {
            return Err(own_error(400, "The address is not as it was given"));
        };
        let (_, reply) = self.behind(call, &format!("/whatsapp_business/attachments/{id}"))?;
        Ok(reply)
    }

    fn submit(&mut self, call: &Call) -> Result<Reply, Reply> {
        let taken = self.told(call, &format!("{BUSINESS}/message_templates"))?;
        let mut body = call.json();
        body["id"] = taken["id"].clone();
        body["status"] = "submitted".into();
        body["namespace"] = "d8bcb6bd_2ab2_439c_9d9e_947501266c77".into();
        Ok(Reply::json(201, &body))
    }

    fn list(&mut self, call: &Call) -> Result<Reply, Reply> {
        let number = |wanted: &str, usual: usize| {
            let value = call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            value.map_or(Ok(usual), str::parse).map_err(|_| own_error(400, "Wrong payload"))
        };
        if let Some((name, _)) = call
            .query
            .iter()
            .find(|(name, _)| !["limit", "offset", "sort", "filters"].contains(&name.as_str()))
        {
            return Err(own_error(400, &format!("Unknown parameter {name}")));
        }
        let (limit, offset) = (number("limit", 1000)?, number("offset", 0)?);
        let mut all = call.clone();
        all.query = vec![("limit".into(), "100000".into())];
        let told = self.told(&all, &format!("{BUSINESS}/message_templates"))?;
        let known = told["data"].as_array().cloned().unwrap_or_default();
        let total = known.len();
        let page: Vec<Value> = known
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(|mut template| {
                let status = template["status"].as_str().unwrap_or_default();
                template["status"] =
                    if status == "PENDING" { "submitted".into() } else { status.to_lowercase().into() };
                template
            })
            .collect();
        let body = json!({ "count": page.len(), "filters": {}, "limit": limit, "offset": offset, "sort": ["id"],
            "total": total, "waba_templates": page });
        Ok(Reply::json(200, &body))
    }

    fn delete(&mut self, call: &Call, name: &str) -> Result<Reply, Reply> {
        let mut by_name = call.clone();
        by_name.query = vec![("name".into(), name.to_owned())];
        self.told(&by_name, &format!("{BUSINESS}/message_templates"))?;
        Ok(Reply::json(
            200,
            &json!({ "meta": { "success": true, "http_code": 200, "developer_message": "Deleted" } }),
        ))
    }
}

/// An error of 360dialog's own; those of the Cloud API it passes on as they are.
pub fn own_error(status: u16, words: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "meta": { "success": false, "http_code": status, "developer_message": words } }),
    )
}

/// An error of the Cloud API.
pub fn error(code: i64, message: &str) -> Value {
    meta::error(code, message)
}
