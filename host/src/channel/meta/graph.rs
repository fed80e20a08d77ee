//! The Graph API as all its calls see it: where it is, which version is spoken, whose token is sent.

use http::Method;
use serde_json::Value;

use crate::channel::{EncodeError, Request};
use crate::tenant::Sender;
use crate::tenant::settings::Settings;

const API: &str = "https://graph.facebook.com";
/// A version lives for about two years; a sender may name another one as its `api_version`.
const VERSION: &str = "v23.0";

/// A call with a body. `path` is what follows the version.
pub fn call(sender: &Sender, method: Method, path: &str, body: &Value) -> Result<Request, EncodeError> {
    Ok(authorized(sender, Request::json(method, url(sender, path)?, body)))
}

pub fn get(sender: &Sender, path: &str) -> Result<Request, EncodeError> {
    Ok(authorized(sender, Request::get(url(sender, path)?)))
}

pub fn authorized(sender: &Sender, request: Request) -> Request {
    let (name, value) = bearer(sender);
    request.header(&name, value)
}

pub fn bearer(sender: &Sender) -> (String, String) {
    ("Authorization".into(), format!("Bearer {}", sender.api_key.expose()))
}

/// Where the Graph API is; a test's own, or Meta's.
pub fn base_url(sender: &Sender) -> &str {
    match sender.base_url.as_deref().map(|base| base.trim_end_matches('/')) {
        None | Some("") => API,
        Some(base) => base,
    }
}

pub fn url(sender: &Sender, path: &str) -> Result<String, EncodeError> {
    if sender.api_key.is_empty() {
        return Err(EncodeError(format!("the sender {} has no api_key: Meta's access token", sender.name)));
    }
    let version = match &sender.settings {
        Settings::Meta(own) => own.api_version.as_deref(),
        _ => None,
    };
    let version = version.map(|version| version.trim_matches('/'));
    let version = version.filter(|version| !version.is_empty()).unwrap_or(VERSION);
    Ok(format!("{}/{version}/{path}", base_url(sender)))
}

/// The sender's phone number id, which is a part of addresses.
pub fn account(sender: &Sender) -> Result<&str, EncodeError> {
    id(&sender.account).ok_or_else(|| {
        EncodeError(format!("the account of the sender {} is no phone number id of Meta's", sender.name))
    })
}

/// An id that can stand in an address as it is.
pub fn id(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (!text.is_empty() && text.bytes().all(plain)).then_some(text)
}
