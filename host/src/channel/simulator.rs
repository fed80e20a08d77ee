//! The built-in provider: chat with a tenant in a terminal or a browser, without WhatsApp. Its
//! webhook is our own small JSON:
//!
//! ```json
//! {"id": "1", "from": "971501234567", "text": "hello"}
//! {"id": "2", "from": "971501234567", "choice": {"id": "buy", "title": "Buy"}, "name": "Maria"}
//! {"id": "3", "from": "971501234567", "content": {"type": "location", "latitude": 25.1, "longitude": 55.2},
//!  "sent_at": "2026-03-01T12:00:00Z", "account": "simulator"}
//! ```
//!
//! Whoever may post it has shown the API's bearer token, so there is nothing more to verify; what is
//! sent to the contact is read from the history, so there is nothing to call.

use http::HeaderMap;
use serde::Deserialize;

use crate::channel::claim::{Claim, Look, Words};
use crate::channel::signature::Signature;
use crate::channel::{
    Adapter, DecodeError, EncodeError, Head, Outcome, Outgoing, Request, Unverified, json, time,
};
use crate::event::Event;
use crate::identity;
use crate::message::{Choice, Content, Inbound, Provider, Timestamp};
use crate::tenant::Sender;

/// The account of bodies that name none.
pub const ACCOUNT: &str = "simulator";

#[derive(Debug)]
pub struct Simulator;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Body {
    id: String,
    from: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    choice: Option<Choice>,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    name: Option<String>,
    /// Any form of time that a provider uses.
    #[serde(default)]
    sent_at: serde_json::Value,
    #[serde(default)]
    account: Option<String>,
    /// The message this one answers.
    #[serde(default)]
    quoted: Option<String>,
}

impl Adapter for Simulator {
    fn claims(&self) -> &'static Look {
        fn named(words: &Words) -> Claim {
            Claim::Account(words[0].clone().unwrap_or_else(|| ACCOUNT.into()))
        }
        &Look::Object(&[("account", Look::Word(0))], named)
    }

    fn knock(&self, _sender: &Sender, _head: &Head<'_>) -> Result<Option<Signature>, Unverified> {
        Ok(None)
    }

    fn decode(&self, body: &[u8], _groups: bool) -> Result<Vec<Event>, DecodeError> {
        let body: Body = json::parse(body)?;
        let wrong = |what: &str, place: &str| Err(DecodeError { what: what.into(), place: place.into() });
        if body.id.is_empty() {
            return wrong("expected text, found none", "id");
        }
        let contact = match identity::contact(&body.from) {
            Ok(contact) => contact,
            Err(error) => return wrong(&error.to_string(), "from"),
        };
        let content = match (body.text, body.choice, body.content) {
            (Some(text), None, None) => Content::Text { text },
            (None, Some(choice), None) => Content::Choice(choice),
            (None, None, Some(content)) => content,
            _ => return wrong("expected one of text, choice and content", "text"),
        };
        let sent_at = match &body.sent_at {
            serde_json::Value::Null => Timestamp::ZERO,
            at => match time::read(at) {
                Some(at) => at,
                None => return wrong("expected a time such as 2026-03-01T12:00:00Z", "sent_at"),
            },
        };
        Ok(vec![Event::Message(Box::new(Inbound {
            provider: Provider::Simulator,
            account: body.account.unwrap_or_else(|| ACCOUNT.into()),
            id: body.id,
            contact,
            aliases: Vec::new(),
            from_raw: body.from,
            display_name: body.name.filter(|name| !name.trim().is_empty()),
            sent_at,
            content,
            quoted: body.quoted,
            referral: None,
        }))])
    }

    fn encode(&self, _outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        Ok(None)
    }

    /// Never asked, since nothing is called.
    fn outcome(&self, _status: u16, _headers: &HeaderMap, _body: &[u8], _to: &str) -> Outcome {
        Outcome::sent(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Outbound;

    fn decode(body: &str) -> Result<Inbound, DecodeError> {
        let events = Simulator.decode(body.as_bytes(), false)?;
        match events.as_slice() {
            [Event::Message(inbound)] => Ok((**inbound).clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_choices_and_content() {
        let text = decode(r#"{"id":"1","from":"+971 50 123 4567","text":"hello"}"#).expect("a message");
        assert_eq!(text.contact.as_str(), "971501234567");
        assert_eq!(text.from_raw, "+971 50 123 4567");
        assert_eq!(text.account, "simulator");
        assert_eq!(text.sent_at, Timestamp::ZERO);
        assert_eq!(text.content, Content::Text { text: "hello".into() });
        let choice = decode(
            r#"{"id":"2","from":"971501234567","choice":{"id":"buy","title":"Buy"},"name":"Maria","sent_at":"2026-03-01T12:00:00Z","account":"web"}"#,
        )
        .expect("a message");
        assert_eq!(choice.content, Content::Choice(Choice { id: "buy".into(), title: "Buy".into() }));
        assert_eq!(choice.display_name.as_deref(), Some("Maria"));
        assert_eq!(choice.sent_at, Timestamp::from_ms(1_772_366_400_000));
        assert_eq!(choice.account, "web");
        let content =
            decode(r#"{"id":"3","from":"971501234567","content":{"type":"text","text":"x"},"quoted":"2"}"#)
                .expect("a message");
        assert_eq!(content.content, Content::Text { text: "x".into() });
        assert_eq!(content.quoted.as_deref(), Some("2"));
    }

    #[test]
    fn errors_name_the_place() {
        for (body, place) in [
            (r#"{"id":"1","from":"Maria","text":"hello"}"#, "from"),
            (r#"{"id":"","from":"971501234567","text":"hello"}"#, "id"),
            (r#"{"id":"1","from":"971501234567"}"#, "text"),
            (r#"{"id":"1","from":"971501234567","text":"a","choice":{"id":"a","title":"a"}}"#, "text"),
            (r#"{"id":"1","from":"971501234567","text":"a","sent_at":"soon"}"#, "sent_at"),
            (r#"{"id":"1","from":"971501234567","txt":"a"}"#, "line 1 column 37"),
            ("[]", "line 1 column 1"),
        ] {
            assert_eq!(decode(body).expect_err(body).place, place, "{body}");
        }
    }

    #[test]
    fn nothing_is_called() {
        let sender: Sender = serde_json::from_value(serde_json::json!({
            "name": "demo", "provider": Provider::Simulator, "account": ACCOUNT,
        }))
        .expect("a sender");
        let outbound = Outbound::text("hi");
        let (to, reference) = ("971501234567", "r-0123456789abcdef");
        let outgoing = Outgoing {
            sender: &sender,
            to,
            outbound: &outbound,
            reference,
            template: None,
            template_id: None,
            media: None,
        };
        assert_eq!(Simulator.encode(&outgoing), Ok(None));
        let headers = HeaderMap::new();
        assert_eq!(Simulator.knock(&sender, &Head { headers: &headers, path_key: None }), Ok(None));
        let body = br#"{"id":"1","from":"971501234567","text":"hello"}"#;
        assert_eq!(Simulator.claimed(body).expect("claims").accounts, ["simulator"]);
    }
}
