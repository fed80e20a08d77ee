//! Gupshup: WhatsApp's Cloud API behind apps. An app has a name, an id and one number. Its webhooks
//! come in a form of Gupshup's own (version 2) or as WhatsApp's own with Gupshup's ids beside it
//! (version 3); both are understood at the same address.
//!
//! - [`decode`] reads a webhook of either version: which event, whose message, what is ignored and why.
//! - [`content`] reads what a message holds, [`event`] what is no message.
//! - [`encode`] makes the API call that sends a reply; [`menu`] its buttons and lists.
//! - [`outcome`] reads what became of that call.
//! - [`templates`] fills templates and manages them; [`media`] says where files are fetched.
//!
//! An answer has to be empty: any other body counts as a refusal, and the same is sent again.

use http::HeaderMap;

use crate::channel::claim::Look;
use crate::channel::signature::Signature;
use crate::channel::{
    self, Acknowledgement, Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Request, Signal,
    Unverified, proof,
};
use crate::event::Event;
use crate::message::OutboundContent;
use crate::tenant::Sender;

mod api;
mod content;
mod decode;
mod encode;
mod envelope;
mod event;
mod media;
mod menu;
mod outcome;
mod templates;

#[derive(Debug)]
pub struct Gupshup;

impl Adapter for Gupshup {
    /// The app's name in version 2, its id in version 3.
    fn claims(&self) -> &'static Look {
        &Look::Fields(&[("app", Look::Account), ("gs_app_id", Look::Account)])
    }

    /// Gupshup signs nothing: the secret end of the address, a header that it was told to send, or
    /// both. Every one that the sender has must be proven, and it must have one.
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        if sender.webhook_path.is_empty() && sender.webhook_key.is_empty() {
            return Err(Unverified::NoKeyConfigured);
        }
        proof::path(sender, head)?;
        proof::key(sender, head, sender.webhook_header.as_deref().unwrap_or("x-api-key"))?;
        Ok(None)
    }

    fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement::Empty
    }

    fn decode(&self, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
        decode::events(body, groups)
    }

    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        encode::request(outgoing).map(Some)
    }

    fn shows(&self, content: &OutboundContent) -> bool {
        match content {
            OutboundContent::Buttons(buttons) => menu::buttons(buttons, "").is_some(),
            OutboundContent::List(list) => menu::list(list, "").is_some(),
            // Gupshup sends one card at a time.
            OutboundContent::Contacts { contacts } => contacts.len() == 1,
            _ => true,
        }
    }

    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], _to: &str) -> Outcome {
        outcome::read(status, headers, body)
    }

    /// Gupshup documents no call that shows an app typing.
    fn signal(&self, sender: &Sender, _to: &str, message_id: &str, signal: Signal) -> Option<Request> {
        let app = sender.settings.own().other_account().filter(|app| !app.is_empty())?;
        if signal == Signal::Typing || message_id.is_empty() {
            return None;
        }
        let path = format!("/wa/app/{}/msg/{}/read", templates::part(app), templates::part(message_id));
        // Alone among the calls this one is documented with the key in `Authorization`.
        let call = api::call(sender, http::Method::PUT, &path).ok()?;
        Some(call.header("Authorization", sender.api_key.expose()))
    }

    fn unasked(&self) -> Option<&'static str> {
        Some("Gupshup has no small question that takes an app's key; send a message to see")
    }

    fn templates(&self) -> Option<&dyn channel::templates::Api> {
        Some(&templates::Management)
    }

    fn media(&self) -> Option<&dyn channel::media::Api> {
        Some(&media::Files)
    }
}
