//! 360dialog's API as all its calls see it: where it is, and whose key opens it.

use http::Method;
use serde_json::Value;

use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

const API: &str = "https://waba-v2.360dialog.io";

/// A call with a body; `path` without a slash before it.
pub fn call(sender: &Sender, method: Method, path: &str, body: &Value) -> Result<Request, EncodeError> {
    Ok(authorized(sender, Request::json(method, url(sender, path)?, body)))
}

pub fn get(sender: &Sender, path: &str) -> Result<Request, EncodeError> {
    Ok(authorized(sender, Request::get(url(sender, path)?)))
}

pub fn authorized(sender: &Sender, request: Request) -> Request {
    let (name, value) = key(sender);
    request.header(&name, value)
}

pub fn key(sender: &Sender) -> (String, String) {
    ("D360-API-KEY".into(), sender.api_key.expose().to_owned())
}

/// A test's own, or 360dialog's.
pub fn base_url(sender: &Sender) -> &str {
    match sender.base_url.as_deref().map(|base| base.trim_end_matches('/')) {
        None | Some("") => API,
        Some(base) => base,
    }
}

pub fn url(sender: &Sender, path: &str) -> Result<String, EncodeError> {
    if sender.api_key.is_empty() {
        return Err(EncodeError(format!(
            "the sender {} has no api_key: the key that 360dialog gave the number",
            sender.name
        )));
    }
    Ok(format!("{}/{path}", base_url(sender)))
}
