//! WAHA: a WhatsApp Web client behind an HTTP API. Built from the 2026.7.1 specification; its engines
//! (WEBJS, WPP, NOWEB, GOWS) differ in details, which [`decode`] and [`outcome`] even out.
//!
//! - [`decode`] reads a webhook: which event, whose message, what is ignored and why.
//! - [`own`] reads what our own number said.
//! - [`content`] reads what a message holds, from the normal fields and from the engine's raw data, which
//!   [`raw`] finds; [`referral`] the advertisement that led here.
//! - [`person`] finds the sender's other addresses and name.
//! - [`encode`] makes the API call that sends a reply.
//! - [`outcome`] reads what became of that call.
//! - [`media`] says where files are fetched; [`name`] what a message's id names.
//! - [`session`] makes and reads the calls that log a number in and out; [`settings`] says what the
//!   settings of its session must be.

use std::borrow::Cow;

use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::claim::Look;
use crate::channel::probe::Unwell;
use crate::channel::signature::Signature;
use crate::channel::{
    self, Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Recall, Recalls, Request, Signal,
    Unverified, json, proof,
};
use crate::event::Event;
use crate::event::session::Status;
use crate::message::OutboundContent;
use crate::tenant::Sender;
use crate::tenant::settings::HmacAlgorithm;

mod api;
mod content;
mod decode;
mod encode;
mod media;
mod name;
mod outcome;
mod own;
mod person;
mod raw;
mod referral;
pub mod session;
pub mod settings;

#[derive(Debug)]
pub struct Waha;

/// So many messages of a chat are asked for.
const RECALLED: usize = 100;

impl Adapter for Waha {
    fn claims(&self) -> &'static Look {
        &Look::Fields(&[("session", Look::Account)])
    }

    /// Every key the sender has must be proven, and it must have one. The `X-Webhook-Hmac-Algorithm`
    /// header is not read: it is the attacker's word. Neither is `X-Webhook-Timestamp`: it is not
    /// signed, and honest retries carry old ones. Whether `auth = "none"` may be honoured depends on
    /// where the gateway listens, see [`crate::channel::unproven_allowed`].
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        if sender.is_keyless() {
            return Err(Unverified::NoKeyConfigured);
        }
        proof::path(sender, head)?;
        proof::key(sender, head, "x-api-key")?;
        if sender.hmac_key.is_empty() {
            return Ok(None);
        }
        let given = proof::signature_text(head, "x-webhook-hmac")?;
        Signature::hex(HmacAlgorithm::Sha512, &sender.hmac_key, given).map(Some)
    }

    fn decode(&self, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
        decode::events(body, groups)
    }

    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        encode::request(outgoing).map(Some)
    }

    /// Its session, which WAHA tells with its status.
    fn probe(&self, sender: &Sender) -> Option<Request> {
        let session = utf8_percent_encode(&sender.account, NON_ALPHANUMERIC);
        api::request(sender, http::Method::GET, &format!("/api/sessions/{session}"), None).ok()
    }

    fn probed(&self, _sender: &Sender, status: u16, body: &[u8]) -> Result<String, Unwell> {
        match status {
            200..=299 => {
                let session: json::Object =
                    json::parse(body).map_err(|error| Unwell::other(format!("this is no WAHA: {error}")))?;
                match json::text(&session, "status").map(Status::read) {
                    Some(working @ Status::Working) => {
                        Ok(format!("WAHA knows its session, which is {working}"))
                    }
                    Some(state) => Err(Unwell::other(format!("WAHA says that its session is {state}"))),
                    None => Err(Unwell::other("this is no WAHA: its session has no status")),
                }
            }
            401 | 403 => Err(Unwell::key_refused(format!("WAHA refuses its key ({status})"))),
            404 => Err(Unwell::not_known("WAHA has no such session")),
            status => Err(Unwell::other(format!("WAHA answers {status}"))),
        }
    }

    fn recalls(&self) -> Recalls {
        Recalls::Chats
    }

    fn recall(&self, sender: &Sender, recall: &Recall<'_>) -> Option<Request> {
        let Recall::Chat { to, since } = *recall else { return None };
        let session = utf8_percent_encode(&sender.account, NON_ALPHANUMERIC);
        let chat = utf8_percent_encode(to, NON_ALPHANUMERIC);
        let seconds = since.as_ms().div_euclid(1_000);
        let path = format!(
            "/api/{session}/chats/{chat}/messages?limit={RECALLED}&downloadMedia=false&filter.fromMe=true\
             &filter.timestamp.gte={seconds}"
        );
        api::request(sender, http::Method::GET, &path, None).ok()
    }

    /// A chat's messages have the form of the webhook's.
    fn recalled(&self, sender: &Sender, body: &[u8]) -> Option<Vec<Event>> {
        let messages = serde_json::from_slice::<Vec<Value>>(body).ok()?;
        let mut events = Vec::new();
        for message in messages.into_iter().take(RECALLED) {
            let webhook = json!({"event": "message.any", "session": sender.account, "payload": message});
            events.extend(self.decode(webhook.to_string().as_bytes(), false).unwrap_or_default());
        }
        Some(events)
    }

    /// WAHA documents its own buttons and lists as deprecated: they may not show.
    fn shows(&self, content: &OutboundContent) -> bool {
        !matches!(content, OutboundContent::Buttons(_) | OutboundContent::List(_))
    }

    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome {
        outcome::read(status, headers, body, to)
    }

    fn bare_id<'a>(&self, id: &'a str) -> &'a str {
        name::bare(id)
    }

    fn heard_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        name::heard(id)
    }

    fn signal(&self, sender: &Sender, to: &str, message_id: &str, signal: Signal) -> Option<Request> {
        encode::signal(sender, to, message_id, signal)
    }

    fn media(&self) -> Option<&dyn channel::media::Api> {
        Some(self)
    }
}

/// What is left of a serialized id without its chat: the same on every engine, however it names the
/// chat. Of one that is bare already: nothing.
fn bare_id(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_"))?;
    let bare = match chat_of(id) {
        Some(chat) => rest.strip_prefix(chat)?.strip_prefix('_')?,
        None => rest,
    };
    Some(bare).filter(|bare| !bare.is_empty())
}

/// The chat in a message id: `true_971501234567@c.us_3EB0…` is about `971501234567@c.us`. Ids may
/// hold more underscores, and some have two parts only.
fn chat_of(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_"))?;
    let at = rest.find('@')?;
    let end = rest[at..].find('_').map_or(rest.len(), |end| at + end);
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Hook;
    use crate::channel::testing;
    use crate::message::Provider;

    #[test]
    fn the_chat_in_an_id() {
        for (id, chat) in [
            ("true_971501234567@c.us_3EB0", Some("971501234567@c.us")),
            ("false_120363000000000002@g.us_3EB0_5511900000002@c.us", Some("120363000000000002@g.us")),
            ("false_status@broadcast_3AB8_5511900000002@c.us", Some("status@broadcast")),
            ("false_1_2@lid_A_B", Some("1_2@lid")),
            ("true_971501234567@c.us", Some("971501234567@c.us")),
            ("true_3EB0AAAA", None),
            ("3EB0AAAA", None),
            ("", None),
        ] {
            assert_eq!(chat_of(id), chat, "{id}");
        }
    }

    #[test]
    fn ids_without_their_chat() {
        for (id, bare) in [
            ("true_971501234567@c.us_3EB0", Some("3EB0")),
            ("true_245@lid_3EB0", Some("3EB0")),
            ("false_1_2@lid_A_B", Some("A_B")),
            ("true_3EB0AAAA", Some("3EB0AAAA")),
            ("true_971501234567@c.us", None),
            ("true_971501234567@c.us_", None),
            ("3EB0AAAA", None),
            ("", None),
        ] {
            assert_eq!(bare_id(id), bare, "{id}");
        }
    }

    fn sender(hmac_key: &str, webhook_key: &str) -> Sender {
        serde_json::from_value(serde_json::json!({
            "name": "main", "provider": Provider::Waha, "account": "default",
            "hmac_key": hmac_key, "webhook_key": webhook_key,
        }))
        .expect("a sender")
    }

    #[test]
    fn every_key_must_be_proven() {
        const BODY: &[u8] = br#"{"event":"message","session":"default","engine":"WEBJS"}"#;
        const HMAC: &str = "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89";
        let wrong = HMAC.replace("208f", "308f");
        for (case, keys, headers, expected) in [
            ("no keys", ("", ""), vec![("x-webhook-hmac", HMAC)], Err(Unverified::NoKeyConfigured)),
            ("signed", ("my-secret-key", ""), vec![("X-Webhook-Hmac", HMAC)], Ok(())),
            ("unsigned", ("my-secret-key", ""), vec![], Err(Unverified::MissingSignature)),
            (
                "a key instead",
                ("my-secret-key", ""),
                vec![("x-api-key", "k")],
                Err(Unverified::MissingSignature),
            ),
            ("empty", ("my-secret-key", ""), vec![("x-webhook-hmac", "")], Err(Unverified::WrongSignature)),
            (
                "wrong",
                ("my-secret-key", ""),
                vec![("x-webhook-hmac", &wrong)],
                Err(Unverified::WrongSignature),
            ),
            ("another key", ("other", ""), vec![("x-webhook-hmac", HMAC)], Err(Unverified::WrongSignature)),
            (
                "an algorithm of the sender's choice changes nothing",
                ("my-secret-key", ""),
                vec![("x-webhook-hmac", HMAC), ("x-webhook-hmac-algorithm", "none")],
                Ok(()),
            ),
            ("keyed", ("", "k"), vec![("x-api-key", "k")], Ok(())),
            ("unkeyed", ("", "k"), vec![], Err(Unverified::MissingKey)),
            ("wrong key", ("", "k"), vec![("x-api-key", "K")], Err(Unverified::WrongKey)),
            ("both", ("my-secret-key", "k"), vec![("x-api-key", "k"), ("x-webhook-hmac", HMAC)], Ok(())),
            (
                "one of both",
                ("my-secret-key", "k"),
                vec![("x-api-key", "k")],
                Err(Unverified::MissingSignature),
            ),
            (
                "the other of both",
                ("my-secret-key", "k"),
                vec![("x-webhook-hmac", HMAC)],
                Err(Unverified::MissingKey),
            ),
        ] {
            let headers = testing::headers(&headers);
            let hook = Hook { headers: &headers, path_key: None, body: BODY };
            assert_eq!(Waha.verify(&sender(keys.0, keys.1), &hook), expected, "{case}");
        }
    }

    #[test]
    fn the_claimed_account_is_the_session() {
        for (body, expected) in [
            (r#"{"session":"036322","payload":{"session":"other"}}"#, Ok(vec!["036322".to_owned()])),
            (r#"{"session":null}"#, Ok(vec![])),
            (r#"{"session":{"session":"a"}}"#, Ok(vec![])),
            // Whichever of the two is read, it has been verified.
            (r#"{"session":"a","session":"b"}"#, Ok(vec!["a".to_owned(), "b".to_owned()])),
            ("{}", Ok(vec![])),
        ] {
            let claimed = Waha.claimed(body.as_bytes()).map(|claims| claims.accounts);
            assert_eq!(claimed, expected, "{body}");
        }
        for (body, place) in [
            ("[]", "line 1 column 1"),
            (r#"["default"]"#, "line 1 column 1"),
            (r#"{"session":"#, "line 1 column 11"),
        ] {
            let error = Waha.claimed(body.as_bytes()).expect_err(body);
            assert_eq!(error.place, place, "{body}: {error}");
        }
    }
}
