//! 360dialog: WhatsApp's Cloud API, passed through for one number a key. Webhooks, messages and errors are
//! Meta's own, see [`cloud`] and [`meta`]; what differs is where the API is, whose key opens it, and who
//! proves a webhook.
//!
//! - [`api`] says where the API is, and shows it the number's key.
//! - [`media`] and [`templates`] are its files and its template management.
//!
//! Source: docs.360dialog.com, "The Basics", "Upload, retrieve or delete media", "Create and manage Template
//! Messages" and "Webhooks"; courier's handler of the same name.

use http::{HeaderMap, Method};

use crate::channel::claim::Look;
use crate::channel::cloud::{self, Dialect};
use crate::channel::json::{self, Object};
use crate::channel::meta::outcome::Answering;
use crate::channel::meta::{self, codes};
use crate::channel::signature::Signature;
use crate::channel::{
    Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Request, Signal, Unverified, proof,
};
use crate::event::Event;
use crate::message::{OutboundContent, Provider};
use crate::tenant::Sender;

mod api;
mod media;
mod templates;

const ANSWERING: Answering = Answering { who: Provider::Dialog360.title(), address: "base_url" };

#[derive(Debug)]
pub struct Dialog360;

impl Adapter for Dialog360 {
    fn claims(&self) -> &'static Look {
        &cloud::CLAIMS
    }

    /// What Meta signs it signs for 360dialog, whose app it is; nothing of that arrives here. 360dialog
    /// sends the headers that it was told to send with the address. Every proof that the sender has must
    /// hold, and it must have one.
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        if sender.webhook_path.is_empty() && sender.webhook_key.is_empty() {
            return Err(Unverified::NoKeyConfigured);
        }
        proof::path(sender, head)?;
        proof::key(sender, head, sender.webhook_header.as_deref().unwrap_or("x-api-key"))?;
        Ok(None)
    }

    fn decode(&self, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
        let dialect = Dialect {
            provider: Provider::Dialog360,
            account: None,
            groups,
            own_ids: &["id"],
            file: &["id", "url"],
            fate: |code| codes::rule(code).map(|rule| rule.fate),
        };
        cloud::events(&json::parse::<Object>(body)?, &dialect)
    }

    /// The key is the number's, so that the address need not say by which number it leaves.
    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        let body = meta::encode::body(outgoing)?;
        api::call(outgoing.sender, Method::POST, "messages", &body).map(Some)
    }

    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome {
        meta::outcome::read(&ANSWERING, status, headers, body, to)
    }

    fn shows(&self, content: &OutboundContent) -> bool {
        meta::encode::shows(content)
    }

    fn signal(&self, sender: &Sender, _to: &str, message_id: &str, signal: Signal) -> Option<Request> {
        let body = meta::encode::signal_body(message_id, signal)?;
        api::call(sender, Method::POST, "messages", &body).ok()
    }

    /// One of its templates: only the number's key sees them.
    fn probe(&self, sender: &Sender) -> Option<Request> {
        api::get(sender, "v1/configs/templates?limit=1").ok()
    }

    fn templates(&self) -> Option<&dyn crate::channel::templates::Api> {
        Some(&templates::Templates)
    }

    fn media(&self) -> Option<&dyn crate::channel::media::Api> {
        Some(&media::Files)
    }
}

#[cfg(test)]
mod tests;
