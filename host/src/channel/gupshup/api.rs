//! The calls of Gupshup's API: where it is, and how a sender proves itself.

use url::form_urlencoded::Serializer;

use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;

/// Where apps are, if a sender does not say otherwise.
const BASE: &str = "https://api.gupshup.io";

/// A call with a form as its body.
pub fn form(
    sender: &Sender,
    method: http::Method,
    path: &str,
    fields: &[(&str, String)],
) -> Result<Request, EncodeError> {
    let mut body = Serializer::new(String::new());
    for (name, value) in fields {
        body.append_pair(name, value);
    }
    let mut request = call(sender, method, path)?;
    request.body = body.finish().into_bytes();
    Ok(request.header("Content-Type", "application/x-www-form-urlencoded"))
}

/// A call without a body.
pub fn call(sender: &Sender, method: http::Method, path: &str) -> Result<Request, EncodeError> {
    if sender.api_key.is_empty() {
        return Err(EncodeError(format!("the sender {} has no api_key: Gupshup asks for one", sender.name)));
    }
    let base = sender.base_url.as_deref().filter(|base| !base.is_empty()).unwrap_or(BASE);
    let url = format!("{}{path}", base.trim_end_matches('/'));
    Ok(Request { method, ..Request::get(url) }.header("apikey", sender.api_key.expose()))
}
