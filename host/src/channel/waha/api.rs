//! The calls of WAHA's API: where it is, and how a sender proves itself.

use http::Method;
use serde_json::Value;

use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

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
