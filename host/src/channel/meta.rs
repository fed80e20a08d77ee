//! Meta's own Cloud API: webhooks signed with the app's secret, replies through the Graph API.
//!
//! - `cloud` reads a webhook; resellers of the Cloud API pass the same form on.
//! - [`encode`] makes the Graph API's call that sends a reply, or marks a message as read.
//! - [`graph`] says where the Graph API is, and shows it the sender's token.
//! - [`menu`] says what buttons and lists Meta shows as they are.
//! - [`parameters`] puts a template's values where they belong.
//! - [`outcome`] reads what became of a call, by the [`codes`] of its errors.
//! - [`templates`] and [`media`] are Meta's template management and its files.

use http::HeaderMap;

use crate::channel::claim::Look;
use crate::channel::cloud::{self, Dialect};
use crate::channel::json::{self, Object};
use crate::channel::meta::outcome::Answering;
use crate::channel::probe::Unwell;
use crate::channel::signature::Signature;
use crate::channel::{
    Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Request, Signal, Unverified, proof, signature,
};
use crate::event::Event;
use crate::message::{OutboundContent, Provider};
use crate::tenant::Sender;
use crate::tenant::settings::HmacAlgorithm;

pub mod codes;
pub mod encode;
pub mod graph;
mod media;
mod menu;
pub mod outcome;
mod parameters;
pub mod templates;

/// Longer than any challenge.
const CHALLENGE_BYTES: usize = 1024;

const META: Answering = Answering { who: "Meta", address: "base_url and api_version" };

#[derive(Debug)]
pub struct Meta;

impl Adapter for Meta {
    fn claims(&self) -> &'static Look {
        &cloud::CLAIMS
    }

    /// The signature is made of the raw bytes: Meta writes `\u00e9` and `\/`, which no other writer of
    /// JSON does. It has no time in it; what is sent again is known by the message's id.
    fn knock(&self, sender: &Sender, head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        if sender.is_keyless() {
            return Err(Unverified::NoKeyConfigured);
        }
        proof::path(sender, head)?;
        proof::key(sender, head, sender.webhook_header.as_deref().unwrap_or("x-api-key"))?;
        if sender.hmac_key.is_empty() {
            return Ok(None);
        }
        let given = proof::signature_text(head, "x-hub-signature-256")?;
        let given = given.strip_prefix("sha256=").ok_or(Unverified::WrongSignature)?;
        Signature::hex(HmacAlgorithm::Sha256, &sender.hmac_key, given).map(Some)
    }

    fn decode(&self, body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
        let dialect = Dialect {
            provider: Provider::Meta,
            account: None,
            groups,
            own_ids: &["id"],
            // The address beside the id is good for minutes only.
            file: &["id", "url"],
            fate: |code| codes::rule(code).map(|rule| rule.fate),
        };
        cloud::events(&json::parse::<Object>(body)?, &dialect)
    }

    fn encode(&self, outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        encode::request(outgoing).map(Some)
    }

    fn outcome(&self, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome {
        outcome::read(&META, status, headers, body, to)
    }

    /// The bare challenge, as text, to whoever knows the token that the operator entered at Meta.
    fn challenge(&self, sender: &Sender, query: &[(String, String)]) -> Option<String> {
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let token = value("hub.verify_token")?;
        let known = sender.settings.own().handshake()?;
        let known = signature::is_key(known.expose().as_bytes(), token.as_bytes());
        let asked = value("hub.mode") == Some("subscribe") && known;
        let challenge = value("hub.challenge").filter(|it| asked && it.len() <= CHALLENGE_BYTES)?;
        Some(challenge.to_owned())
    }

    fn shows(&self, content: &OutboundContent) -> bool {
        encode::shows(content)
    }

    fn signal(&self, sender: &Sender, _to: &str, message_id: &str, signal: Signal) -> Option<Request> {
        encode::signal(sender, message_id, signal)
    }

    /// The number, by its id: only a token that may use it sees it.
    fn probe(&self, sender: &Sender) -> Option<Request> {
        let path = format!("{}?fields=display_phone_number,verified_name", graph::account(sender).ok()?);
        graph::get(sender, &path).ok()
    }

    fn probed(&self, _sender: &Sender, status: u16, body: &[u8]) -> Result<String, Unwell> {
        let answer = match outcome::success(&META, status, &HeaderMap::new(), body) {
            Ok(answer) => answer,
            Err(Outcome::Failed { error, .. }) if outcome::is_token_refused(body) => {
                return Err(Unwell::key_refused(format!("Meta refuses its key: {error}")));
            }
            Err(Outcome::Failed { error, .. }) => {
                return Err(match status {
                    401 | 403 => Unwell::key_refused(error),
                    404 => Unwell::not_known(error),
                    _ => Unwell::other(error),
                });
            }
            Err(Outcome::Sent { .. }) => return Err(Unwell::other(format!("Meta answers {status}"))),
        };
        match json::text(&answer, "id") {
            Some(_) => Ok("Meta knows its number and takes its key".into()),
            None => Err(Unwell::other("this is no Graph API: the number has no id; check base_url")),
        }
    }

    fn templates(&self) -> Option<&dyn crate::channel::templates::Api> {
        Some(&templates::Templates)
    }

    fn media(&self) -> Option<&dyn crate::channel::media::Api> {
        Some(&media::Files)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::Hook;
    use crate::channel::testing;

    const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[{"id":"0","changes":[]}]}"#;
    /// Of [`BODY`] under `meta-app-secret-for-tests`.
    const SIGNATURE: &str = "sha256=c1941c9662eb7853592222b7dc32ef35cec1539c58472a932f28f47aa763f143";
    const SECRET: &str = "meta-app-secret-for-tests";

    fn sender(keys: serde_json::Value) -> Sender {
        let mut sender = json!({ "name": "main", "provider": "meta", "account": "1122334455667" });
        for (name, value) in keys.as_object().expect("an object") {
            sender[name] = value.clone();
        }
        serde_json::from_value(sender).expect("a sender")
    }

    fn verify(sender: &Sender, path_key: Option<&str>, headers: &[(&str, &str)]) -> Result<(), Unverified> {
        let headers = testing::headers(headers);
        Meta.verify(sender, &Hook { headers: &headers, path_key, body: BODY })
    }

    #[test]
    fn every_key_must_be_proven() {
        let signed = sender(json!({ "hmac_key": SECRET }));
        let header = "X-Hub-Signature-256";
        let capitals = format!("sha256={}", SIGNATURE[7..].to_uppercase());
        let algorithm = SIGNATURE.replace("sha256", "sha1");
        for (case, headers, expected) in [
            ("signed", vec![(header, SIGNATURE)], Ok(())),
            ("in capitals", vec![(header, capitals.as_str())], Ok(())),
            ("unsigned", vec![], Err(Unverified::MissingSignature)),
            ("by the older header", vec![("X-Hub-Signature", SIGNATURE)], Err(Unverified::MissingSignature)),
            ("empty", vec![(header, "")], Err(Unverified::WrongSignature)),
            ("the name alone", vec![(header, "sha256=")], Err(Unverified::WrongSignature)),
            ("without the name", vec![(header, &SIGNATURE[7..])], Err(Unverified::WrongSignature)),
            ("by another name", vec![(header, &algorithm)], Err(Unverified::WrongSignature)),
            ("cut", vec![(header, &SIGNATURE[..70])], Err(Unverified::WrongSignature)),
        ] {
            assert_eq!(verify(&signed, None, &headers), expected, "{case}");
        }
        let right = [(header, SIGNATURE)];
        let other = sender(json!({ "hmac_key": "meta-app-secret-for-test" }));
        assert_eq!(verify(&other, None, &right), Err(Unverified::WrongSignature));
        assert_eq!(verify(&sender(json!({})), None, &right), Err(Unverified::NoKeyConfigured));
        let token_only = sender(json!({ "verify_token": "t", "api_key": "k" }));
        assert_eq!(verify(&token_only, None, &right), Err(Unverified::NoKeyConfigured));
        let both = sender(json!({ "hmac_key": SECRET, "webhook_path": "end" }));
        assert_eq!(verify(&both, Some("end"), &right), Ok(()));
        assert_eq!(verify(&both, None, &right), Err(Unverified::WrongPath));
        assert_eq!(verify(&both, Some("End"), &right), Err(Unverified::WrongPath));
        assert_eq!(verify(&both, Some("end"), &[]), Err(Unverified::MissingSignature));
        let keyed =
            sender(json!({ "hmac_key": SECRET, "webhook_key": "k", "webhook_header": "X-Proxy-Key" }));
        assert_eq!(verify(&keyed, None, &right), Err(Unverified::MissingKey));
        assert_eq!(verify(&keyed, None, &[(header, SIGNATURE), ("x-proxy-key", "k")]), Ok(()));
    }

    #[test]
    fn the_challenge_is_for_who_knows_the_token() {
        let known = sender(json!({ "verify_token": "token" }));
        let asked = |sender: &Sender, pairs: &[(&str, &str)]| {
            let query: Vec<_> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Meta.challenge(sender, &query)
        };
        let (mode, challenge) = (("hub.mode", "subscribe"), ("hub.challenge", "1158201444"));
        let right = [mode, ("hub.verify_token", "token"), challenge];
        assert_eq!(asked(&known, &right), Some("1158201444".into()));
        for (case, pairs) in [
            ("another token", [mode, ("hub.verify_token", "tokem"), challenge]),
            ("no token", [mode, ("hub.verify_token", ""), challenge]),
            ("no mode", [("hub.mode", "unsubscribe"), ("hub.verify_token", "token"), challenge]),
            ("nothing to say", [mode, ("hub.verify_token", "token"), ("challenge", "1")]),
        ] {
            assert_eq!(asked(&known, &pairs), None, "{case}");
        }
        assert_eq!(asked(&known, &right[..1]), None);
        let long = "1".repeat(2000);
        assert_eq!(asked(&known, &[mode, ("hub.verify_token", "token"), ("hub.challenge", &long)]), None);
        let tokenless = sender(json!({}));
        assert_eq!(
            asked(&tokenless, &[mode, ("hub.verify_token", ""), challenge]),
            None,
            "empty never matches"
        );
    }

    #[test]
    fn claimed_accounts_are_numbers_and_business_accounts() {
        let value = |number: &str| json!({ "field": "messages", "value": { "metadata": { "phone_number_id": number } } });
        let entry = |id: &str, changes: Vec<serde_json::Value>| json!({ "id": id, "changes": changes });
        let body = json!({ "entry": [
            entry("10", vec![value("1"), value("2"), value("1")]),
            entry("20", vec![json!({ "field": "account_update", "value": {} }), json!(7), json!({ "value": [] })]),
            entry("10", vec![value("3")]),
            "nonsense", { "id": 30, "changes": {} }, { "id": { "id": "40" } },
        ]});
        let claimed = |body: &str| Meta.claimed(body.as_bytes()).map(|claims| claims.accounts);
        assert_eq!(claimed(&body.to_string()).expect("accounts"), ["10", "1", "2", "20", "3", "30"]);
        for nothing in ["{}", r#"{"entry":{}}"#, r#"{"entry":[null]}"#] {
            assert_eq!(claimed(nothing), Ok(vec![]), "{nothing}");
        }
        for broken in ["", "[]", "oops", r#"{"entry":"#] {
            assert!(claimed(broken).is_err(), "{broken}");
        }
        let many = |most: usize| {
            let changes = (0..most).map(|n| value(&n.to_string())).collect();
            claimed(&json!({ "entry": [entry("10", changes)] }).to_string())
        };
        assert_eq!(many(1_000).expect("as many as Meta sends").len(), 1_000);
        assert!(many(5_000).is_err(), "more than anybody sends");
    }
}
