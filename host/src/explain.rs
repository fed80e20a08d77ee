//! What a webhook body would become, for operators and tests: one flat object an event, nothing
//! stored. Every key is always there; what is not known or does not apply is null.

use serde::{Deserialize, Serialize};

use crate::channel::{self, DecodeError};
use crate::deep_link;
use crate::event::{Event, Ignored, Own};
use crate::message::{ContactKey, Content, Provider, TenantId, Timestamp};
use crate::route::{self, Decision, Lock};
use crate::tenant::Directory;

/// One event of a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    pub kind: Kind,
    /// Why it is ignored; of a receipt its state, of a session its status.
    pub reason: Option<String>,
    pub provider: Provider,
    /// Session, app, phone number id or number.
    pub account: Option<String>,
    pub message_id: Option<String>,
    /// The canonical key.
    pub contact: Option<ContactKey>,
    pub from_raw: Option<String>,
    /// RFC 3339, UTC.
    pub sent_at: Option<String>,
    /// As the brain would see it.
    pub content: Option<Content>,
    /// `routed`, or `ignored: ` and why. See [`Explained::decide`].
    pub decision: Option<String>,
    pub tenant_id: Option<TenantId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Message,
    Receipt,
    Session,
    Template,
    /// Known for what it is, and kept until it can be read.
    Unreadable,
    Ignored,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a webhook body: {0}")]
    Unreadable(#[from] DecodeError),
    /// One of several bodies in a file, counted from 1.
    #[error("body {number} is not a webhook body: {error}")]
    UnreadableOf { number: usize, error: DecodeError },
}

/// Explains a body, or a JSON list of bodies. `groups`: does the sender want group messages?
pub fn explain(provider: Provider, file: &[u8], groups: bool) -> Result<Vec<Explained>, Error> {
    let bodies = channel::bodies(file)?;
    let mut explained = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        let events = channel::decode(provider, body, groups).map_err(|error| match bodies.len() {
            1 => Error::Unreadable(error),
            _ => Error::UnreadableOf { number: at + 1, error },
        })?;
        explained.extend(events.into_iter().map(Explained::from));
    }
    Ok(explained)
}

impl Explained {
    /// Whose message it is; what it finds depends on the lock of this contact.
    pub fn contact(&self) -> Option<&ContactKey> {
        self.contact.as_ref().filter(|_| self.kind == Kind::Message)
    }

    /// Fills in `decision` and `tenant_id` of a message, as `accept` would decide now.
    pub fn decide(
        &mut self,
        directory: &Directory,
        prefixes: &[String],
        lock: Option<&Lock>,
        now: Timestamp,
    ) {
        if self.contact().is_none() {
            return;
        }
        let Some(account) = &self.account else {
            self.decision = Some(
                "for the sender whose own address (webhook_path) it comes to; kept unread elsewhere".into(),
            );
            return;
        };
        let Some(sender) = directory.sender_of(self.provider, account) else {
            self.decision = Some("ignored: no sender has this account".into());
            return;
        };
        if let Some(content) = &mut self.content {
            sender.hears(content);
        }
        let text = self.content.as_ref().and_then(Content::text);
        let link = text.and_then(|text| deep_link::parse(text, prefixes));
        match route::decide(directory, sender, link.as_ref(), lock, now) {
            Decision::Routed { tenant, .. } => {
                self.decision = Some(route::routed(directory, sender, tenant).to_owned());
                self.tenant_id = Some(tenant);
            }
            Decision::Ignored(reason) => self.decision = Some(format!("ignored: {reason}")),
        }
    }

    /// What our own number said is nothing to answer.
    fn own(own: Own) -> Self {
        Explained {
            reason: Some("own message".into()),
            account: Some(own.account),
            message_id: Some(own.id),
            contact: own.contact,
            from_raw: own.from_raw,
            sent_at: readable(own.sent_at),
            ..Explained::new(Kind::Ignored, own.provider)
        }
    }

    fn left(kind: Kind, left: Ignored) -> Self {
        Explained {
            reason: Some(left.reason),
            account: left.account.filter(|account| !account.is_empty()),
            message_id: left.message_id,
            contact: left.contact,
            from_raw: left.from_raw,
            sent_at: left.sent_at.and_then(readable),
            ..Explained::new(kind, left.provider)
        }
    }

    /// Nothing known but what it is and from whom.
    fn new(kind: Kind, provider: Provider) -> Self {
        Explained {
            kind,
            reason: None,
            provider,
            account: None,
            message_id: None,
            contact: None,
            from_raw: None,
            sent_at: None,
            content: None,
            decision: None,
            tenant_id: None,
        }
    }
}

impl From<Event> for Explained {
    fn from(event: Event) -> Self {
        match event {
            Event::Message(inbound) => Explained {
                account: Some(inbound.account).filter(|account| !account.is_empty()),
                message_id: Some(inbound.id),
                contact: Some(inbound.contact),
                from_raw: Some(inbound.from_raw),
                sent_at: readable(inbound.sent_at),
                content: Some(inbound.content),
                ..Explained::new(Kind::Message, inbound.provider)
            },
            Event::Receipt(receipt) => Explained {
                reason: Some(match receipt.reason {
                    Some(reason) => format!("{}: {reason}", receipt.state.name()),
                    None => receipt.state.name().into(),
                }),
                account: receipt.account,
                message_id: Some(receipt.message_id),
                contact: receipt.contact,
                from_raw: receipt.from_raw,
                sent_at: readable(receipt.at),
                ..Explained::new(Kind::Receipt, receipt.provider)
            },
            Event::Session(change) => Explained {
                reason: Some(change.status.into()),
                account: Some(change.account),
                sent_at: readable(change.at),
                ..Explained::new(Kind::Session, change.provider)
            },
            Event::Own(own) => Explained::own(*own),
            Event::Template(change) => Explained {
                reason: change.status.or(change.reason),
                account: change.account,
                message_id: change.template_id,
                sent_at: readable(change.at),
                ..Explained::new(Kind::Template, change.provider)
            },
            Event::SamePerson(same) => Explained {
                reason: Some(same.because.name().into()),
                account: Some(same.account),
                message_id: same.message_id,
                contact: Some(same.known),
                sent_at: readable(same.at),
                ..Explained::new(Kind::Ignored, same.provider)
            },
            Event::Consent(consent) => Explained {
                reason: Some(if consent.opted_in { "opted in" } else { "opted out" }.into()),
                account: Some(consent.account),
                contact: Some(consent.contact),
                from_raw: Some(consent.from_raw),
                sent_at: readable(consent.at),
                ..Explained::new(Kind::Ignored, consent.provider)
            },
            Event::Unread(unread) => Explained::left(Kind::Unreadable, unread.left),
            Event::Alert(left) | Event::Ignored(left) => Explained::left(Kind::Ignored, left),
        }
    }
}

fn readable(at: Timestamp) -> Option<String> {
    (at != Timestamp::ZERO).then(|| at.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &[u8] =
        br#"{"id":"1","from":"+971 50 123 4567","text":"start_realty_2","sent_at":1772366400}"#;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        for id in [1, 2] {
            directory.put_tenant(
                serde_json::from_value(
                    json!({"id": id, "name": "Homes", "organization": 1, "brain": "echo"}),
                )
                .expect("a tenant"),
            );
        }
        for (name, account, active) in [("demo", "simulator", true), ("old", "old", false)] {
            let sender = json!({"name": name, "provider": "simulator", "account": account, "active": active});
            directory.put_sender(serde_json::from_value(sender).expect("a sender"));
        }
        directory
    }

    fn decided(body: &[u8], lock: Option<u32>) -> (Option<String>, Option<u32>) {
        let mut explained = explain(Provider::Simulator, body, false).expect("a body").remove(0);
        let lock = lock.and_then(TenantId::new).map(|tenant| Lock {
            tenant,
            since: Timestamp::ZERO,
            attribution: None,
            sender: None,
        });
        let prefixes = ["start_realty_".to_owned()];
        explained.decide(&directory(), &prefixes, lock.as_ref(), Timestamp::ZERO);
        (explained.decision, explained.tenant_id.map(TenantId::get))
    }

    #[test]
    fn every_key_is_there() {
        let explained = explain(Provider::Simulator, BODY, false).expect("a body");
        assert_eq!(
            serde_json::to_value(&explained).expect("JSON"),
            json!([{
                "kind": "message", "reason": null, "provider": "simulator", "account": "simulator",
                "message_id": "1", "contact": "971501234567", "from_raw": "+971 50 123 4567",
                "sent_at": "2026-03-01T12:00:00.000Z", "content": {"type": "text", "text": "start_realty_2"},
                "decision": null, "tenant_id": null,
            }])
        );
    }

    #[test]
    fn decisions() {
        let hello = br#"{"id":"1","from":"971501234567","text":"hello"}"#;
        let elsewhere = br#"{"id":"1","from":"971501234567","text":"hello","account":"elsewhere"}"#;
        let old = br#"{"id":"1","from":"971501234567","text":"hello","account":"old"}"#;
        for (body, lock, decision, tenant) in [
            (BODY, None, "routed", Some(2)),
            (BODY, Some(1), "routed", Some(1)),
            (hello, None, "ignored: user not associated with any tenant", None),
            (hello, Some(1), "routed", Some(1)),
            (elsewhere, Some(1), "ignored: no sender has this account", None),
            (old, Some(1), "routed; it waits until the sender is switched on", Some(1)),
        ] {
            assert_eq!(decided(body, lock), (Some(decision.to_owned()), tenant));
        }
    }

    #[test]
    fn several_bodies() {
        let list = [b"[", BODY, b",", BODY, b"]"].concat();
        assert_eq!(explain(Provider::Simulator, &list, false).expect("two bodies").len(), 2);
        let broken = [b"[", BODY, b", {\"id\": 7}]"].concat();
        let error = explain(Provider::Simulator, &broken, false).expect_err("a broken body");
        assert!(error.to_string().starts_with("body 2 is not a webhook body: invalid type"), "{error}");
        assert_eq!(explain(Provider::Simulator, b"[]", false), Ok(vec![]));
        let error = explain(Provider::Waha, b"oops", false).expect_err("no JSON");
        assert_eq!(error.to_string(), "not a webhook body: expected an object at line 1 column 1");
    }
}
