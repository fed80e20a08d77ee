//! Infobip. One request may hold two thousand items, for several numbers: messages, reports on ours
//! and notices, told apart item by item.
//!
//! - [`decode`] reads a webhook: what each item is, and whose.
//! - [`content`] reads what a message holds.
//! - [`report`] reads reports on what we sent, and notices about templates and contacts.
//! - [`signed`] checks the signature of a webhook, where the account signs.
//! - [`encode`] makes the API call that sends a reply; [`menu`] says which buttons and lists can be shown.
//! - [`log`] asks what became of what we sent.
//! - [`placeholders`] fills a template's placeholders; [`templates`] manages the templates themselves.
//! - [`media`] fetches received files.
//! - [`outcome`] reads what became of a call or a message, from one table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::channel::claim::Look;
use crate::channel::signature::Signature;
use crate::channel::{
    Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Recall, Recalls, Request, Signal, Unverified,
    proof, signature,
};
use crate::event::Event;
use crate::message::OutboundContent;
use crate::tenant::Sender;

mod content;
mod decode;
mod encode;
mod item;
mod log;
mod media;
mod menu;
mod outcome;
mod placeholders;
mod report;
mod signed;
mod templates;

#[derive(Debug)]
pub struct Infobip;

impl Adapter for Infobip {
    /// The numbers that messages came to. Reports do not say whose they are, but of which message.
    fn claims(&self) -> &'static Look {
        &decode::CLAIMS
    }

    /// Infobip proves nothing by itself; its notification profile can be told to use Basic
    /// authentication, a header of its own, or a signature. Every key that the sender has must be
    /// proven, and it must have one. A signature needs to know its header: without `hmac_header` the
    /// `hmac_key` is no key.
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        let proof = sender.settings.own().proof();
        let header = proof.header.filter(|header| !header.is_empty());
        let signed = header.filter(|_| !sender.hmac_key.is_empty());
        if sender.webhook_key.is_empty() && sender.webhook_path.is_empty() && signed.is_none() {
            return Err(Unverified::NoKeyConfigured);
        }
        proof::path(sender, head)?;
        match proof.user.filter(|user| !user.is_empty()) {
            Some(user) => basic(sender, user, head)?,
            None => proof::key(sender, head, sender.webhook_header.as_deref().unwrap_or("x-api-key"))?,
        }
        let Some(header) = signed else { return Ok(None) };
        let given = proof::signature_text(head, header)?;
        signed::read(proof.algorithm, &sender.hmac_key, given).map(Some)
    }

    fn decode(&self, body: &[u8], _groups: bool) -> Result<Vec<Event>, DecodeError> {
        decode::events(body)
    }

    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        encode::request(outgoing).map(Some)
    }

    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], _to: &str) -> Outcome {
        outcome::read(status, headers, body)
    }

    fn shows(&self, content: &OutboundContent) -> bool {
        match content {
            OutboundContent::Buttons(buttons) => menu::shows_buttons(buttons),
            OutboundContent::List(list) => menu::shows_list(list),
            _ => true,
        }
    }

    fn signal(&self, sender: &Sender, to: &str, message_id: &str, signal: Signal) -> Option<Request> {
        encode::signal(sender, to, message_id, signal).ok()
    }

    /// Its templates, which every number has a list of.
    fn probe(&self, sender: &Sender) -> Option<Request> {
        crate::channel::templates::Api::list(&templates::Templates, sender, None).ok()
    }

    fn recalls(&self) -> Recalls {
        log::BY
    }

    fn recall(&self, sender: &Sender, recall: &Recall<'_>) -> Option<Request> {
        let Recall::Names(names) = recall else { return None };
        log::request(sender, names).ok()
    }

    fn recalled(&self, sender: &Sender, body: &[u8]) -> Option<Vec<Event>> {
        log::read(sender, body)
    }

    fn templates(&self) -> Option<&dyn crate::channel::templates::Api> {
        Some(&templates::Templates)
    }

    fn media(&self) -> Option<&dyn crate::channel::media::Api> {
        Some(&media::Media)
    }
}

/// `Authorization: Basic …` with the sender's user, whose password is the webhook key.
fn basic(sender: &Sender, user: &str, head: &Head<'_>) -> Result<(), Unverified> {
    if sender.webhook_key.is_empty() {
        return Ok(());
    }
    let given = head.headers.get(AUTHORIZATION).ok_or(Unverified::MissingKey)?;
    let given = given.to_str().map_err(|_| Unverified::WrongKey)?;
    let (scheme, credentials) = given.trim().split_once(' ').ok_or(Unverified::WrongKey)?;
    let credentials = STANDARD.decode(credentials.trim()).map_err(|_| Unverified::WrongKey)?;
    let expected = format!("{user}:{}", sender.webhook_key.expose());
    match scheme.eq_ignore_ascii_case("basic") && signature::is_key(expected.as_bytes(), &credentials) {
        true => Ok(()),
        false => Err(Unverified::WrongKey),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::channel::Hook;
    use crate::channel::testing;
    use crate::message::Provider;

    const BODY: &[u8] = br#"{"results":[]}"#;
    /// HMAC-SHA256 of [`BODY`] under `secret`.
    const HEX: &str = "ab717fc160300a68632d8373db61e33bd2a0af542dd557783ff126ddefee40f3";

    fn sender(keys: Value) -> Sender {
        let mut sender = json!({"name": "main", "provider": Provider::Infobip, "account": "41793026731"});
        for (name, value) in keys.as_object().expect("keys") {
            sender[name] = value.clone();
        }
        serde_json::from_value(sender).expect("a sender")
    }

    fn verified(keys: Value, path: Option<&str>, headers: &[(&str, &str)]) -> Result<(), Unverified> {
        let headers = testing::headers(headers);
        Infobip.verify(&sender(keys), &Hook { headers: &headers, path_key: path, body: BODY })
    }

    #[test]
    fn every_key_must_be_proven() {
        let basic = ("authorization", "Basic aG9vazpzZWNyZXQ=");
        let user = json!({"webhook_user": "hook", "webhook_key": "secret"});
        let header = json!({"webhook_header": "X-Ours", "webhook_key": "secret"});
        let signed = json!({"hmac_header": "X-Sign", "hmac_key": "secret"});
        let both =
            json!({"hmac_header": "X-Sign", "hmac_key": "secret", "webhook_key": "k", "webhook_path": "p"});
        let wrong = HEX.replacen('a', "0", 1);
        for (case, keys, path, headers, expected) in [
            ("no keys", json!({}), None, vec![basic], Err(Unverified::NoKeyConfigured)),
            (
                "a signature in no header",
                json!({"hmac_key": "secret"}),
                None,
                vec![],
                Err(Unverified::NoKeyConfigured),
            ),
            ("basic", user.clone(), None, vec![basic], Ok(())),
            (
                "basic in small letters",
                user.clone(),
                None,
                vec![("authorization", "basic aG9vazpzZWNyZXQ=")],
                Ok(()),
            ),
            ("no basic", user.clone(), None, vec![("x-api-key", "secret")], Err(Unverified::MissingKey)),
            (
                "another password",
                user.clone(),
                None,
                vec![("authorization", "Basic aG9vazpzZWNyZXR0")],
                Err(Unverified::WrongKey),
            ),
            (
                "another user",
                user.clone(),
                None,
                vec![("authorization", "Basic aG9va3M6c2VjcmV0")],
                Err(Unverified::WrongKey),
            ),
            (
                "a bearer",
                user.clone(),
                None,
                vec![("authorization", "Bearer aG9vazpzZWNyZXQ=")],
                Err(Unverified::WrongKey),
            ),
            (
                "no base64",
                user,
                None,
                vec![("authorization", "Basic hook:secret")],
                Err(Unverified::WrongKey),
            ),
            ("a header", header.clone(), None, vec![("x-ours", "secret")], Ok(())),
            (
                "another header",
                header.clone(),
                None,
                vec![("x-api-key", "secret")],
                Err(Unverified::MissingKey),
            ),
            ("a wrong key", header, None, vec![("x-ours", "Secret")], Err(Unverified::WrongKey)),
            ("by itself x-api-key", json!({"webhook_key": "k"}), None, vec![("X-Api-Key", "k")], Ok(())),
            ("a path", json!({"webhook_path": "p"}), Some("p"), vec![], Ok(())),
            ("no path", json!({"webhook_path": "p"}), None, vec![], Err(Unverified::WrongPath)),
            ("signed", signed.clone(), None, vec![("x-sign", HEX)], Ok(())),
            ("unsigned", signed.clone(), None, vec![], Err(Unverified::MissingSignature)),
            ("wrongly signed", signed, None, vec![("x-sign", &wrong)], Err(Unverified::WrongSignature)),
            ("all", both.clone(), Some("p"), vec![("x-api-key", "k"), ("x-sign", HEX)], Ok(())),
            (
                "all but one",
                both.clone(),
                Some("p"),
                vec![("x-api-key", "k")],
                Err(Unverified::MissingSignature),
            ),
            (
                "all but another",
                both,
                None,
                vec![("x-api-key", "k"), ("x-sign", HEX)],
                Err(Unverified::WrongPath),
            ),
        ] {
            assert_eq!(verified(keys, path, &headers), expected, "{case}");
        }
    }

    #[test]
    fn the_claimed_accounts_are_where_messages_came_to() {
        let message =
            |to: Value| json!({"to": to, "from": "1", "messageId": "A", "message": {"type": "TEXT"}});
        for (results, expected) in [
            (json!([]), vec![]),
            (json!(null), vec![]),
            (
                json!([message(json!("41793026731")), message(json!("447860064956"))]),
                vec!["41793026731", "447860064956"],
            ),
            (json!([message(json!("+41793026731")), message(json!("+41793026731"))]), vec!["+41793026731"]),
            (json!([message(json!(41_793_026_731_i64))]), vec!["41793026731"]),
            // A report's `to` is the contact.
            (json!([{"to": "41793026731", "messageId": "A", "status": {"groupName": "DELIVERED"}}]), vec![]),
            (json!([{"to": "41793026731", "messageId": "A", "message": null}]), vec![]),
            (json!([7, null, [], {"to": {}, "message": {}}, message(json!("1234"))]), vec!["1234"]),
        ] {
            let body = json!({"results": results}).to_string();
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            let claimed = Infobip.claimed(body.as_bytes()).map(|claims| claims.accounts);
            assert_eq!(claimed, Ok(expected), "{body}");
        }
        for (body, place) in [("[]", "line 1 column 1"), (r#"{"results":"#, "line 1 column 11")] {
            assert_eq!(Infobip.claimed(body.as_bytes()).expect_err(body).place, place);
        }
    }

    #[test]
    fn reports_say_which_messages_they_are_about() {
        let report = |id: &str| json!({"to": "41793026731", "messageId": id, "doneAt": "now"});
        let results: Vec<Value> = ["a", "b", "a", "c", "d", "e"].into_iter().map(report).collect();
        let claims = Infobip.claimed(json!({"results": results}).to_string().as_bytes()).expect("claims");
        assert_eq!(
            (claims.accounts, claims.reports.join(" ")),
            (vec![], "a b c d".to_owned()),
            "the first few"
        );
        let alone = report("x").to_string();
        assert_eq!(Infobip.claimed(alone.as_bytes()).expect("claims").reports, ["x"], "without a list");
    }
}
