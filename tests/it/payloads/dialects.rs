//! One table of what contacts and providers can tell, in every dialect that it is told in. A cell is a
//! body and what it must become, or that the dialect has no such thing; a new concept or a new dialect
//! does not compile until every cell of it is written.

use serde_json::{Value, json};
use switchboard::channel;
use switchboard::event::Event;
use switchboard::message::{ContactKey, Content, Inbound, Provider};
use switchboard::opt_out::{self, Wish};

mod people;
mod said;
mod wishes;

const US: &str = "5511900000001";
const PHONE: &str = "5521977770040";
const HIDDEN: &str = "99900011122255@lid";
const SCOPED: &str = "BR.1000000000000040";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Webjs,
    Noweb,
    Gows,
    Infobip,
    InfobipMessages,
    Gupshup2,
    Gupshup3,
    Meta,
}

const DIALECTS: [Dialect; 8] = [
    Dialect::Webjs,
    Dialect::Noweb,
    Dialect::Gows,
    Dialect::Infobip,
    Dialect::InfobipMessages,
    Dialect::Gupshup2,
    Dialect::Gupshup3,
    Dialect::Meta,
];

impl Dialect {
    fn provider(self) -> Provider {
        match self {
            Dialect::Webjs | Dialect::Noweb | Dialect::Gows => Provider::Waha,
            Dialect::Infobip | Dialect::InfobipMessages => Provider::Infobip,
            Dialect::Gupshup2 | Dialect::Gupshup3 => Provider::Gupshup,
            Dialect::Meta => Provider::Meta,
        }
    }

    /// A message that holds this, in the dialect's own words, and with some fields of its own.
    fn message(self, held: Value, more: Value) -> Value {
        let mut body = match self {
            Dialect::Webjs | Dialect::Noweb | Dialect::Gows => self.of_waha(held),
            Dialect::Infobip => json!({"results": [{"from": PHONE, "to": US, "integrationType": "WHATSAPP",
                "receivedAt": "2026-08-01T16:00:00.000+0000", "messageId": "A", "message": held}]}),
            Dialect::InfobipMessages => {
                json!({"results": [{"event": "MO", "channel": "WHATSAPP", "sender": PHONE,
                "destination": US, "receivedAt": "2026-08-01T16:00:00.000+0000", "messageId": "A", "content": [held]}]})
            }
            Dialect::Gupshup2 => self.event("message", held),
            Dialect::Gupshup3 | Dialect::Meta => self.event("messages", json!({"messages": [held]})),
        };
        let place = match self {
            Dialect::Webjs | Dialect::Noweb | Dialect::Gows | Dialect::Gupshup2 => "/payload",
            Dialect::Infobip | Dialect::InfobipMessages => "/results/0",
            Dialect::Gupshup3 | Dialect::Meta => "/entry/0/changes/0/value/messages/0",
        };
        let place = body.pointer_mut(place).unwrap().as_object_mut().unwrap();
        if matches!(self, Dialect::Gupshup3 | Dialect::Meta) {
            place.extend([("from".to_owned(), json!(PHONE)), ("id".to_owned(), json!("A"))]);
        }
        if self == Dialect::Gupshup2 {
            place.extend([("source".to_owned(), json!(PHONE)), ("id".to_owned(), json!("A"))]);
        }
        place.extend(more.as_object().unwrap().clone());
        body
    }

    /// `held`: the engine's raw data, and the text that WAHA makes of it.
    fn of_waha(self, held: Value) -> Value {
        let raw = match self {
            Dialect::Webjs => held.clone(),
            Dialect::Noweb => json!({"key": {"fromMe": false}, "message": held}),
            _ => json!({"Info": {"IsFromMe": false}, "Message": held}),
        };
        let text =
            ["/conversation", "/body", "/extendedTextMessage/text"].iter().find_map(|at| held.pointer(at));
        super::envelope(
            "message",
            json!({"id": format!("false_{PHONE}@c.us_A"), "timestamp": 1_785_600_000, "from": format!("{PHONE}@c.us"),
                "fromMe": false, "body": text, "hasMedia": false, "_data": raw}),
        )
    }

    /// Another event of a dialect that has events.
    fn event(self, name: &str, payload: Value) -> Value {
        let mut value = payload;
        match self {
            Dialect::Gupshup2 => {
                json!({"app": "DemoApp", "timestamp": 1_785_600_000_000_i64, "version": 2, "type": name, "payload": value})
            }
            Dialect::Gupshup3 | Dialect::Meta => {
                value["metadata"] = json!({"display_phone_number": US, "phone_number_id": "42"});
                let mut body = json!({"object": "whatsapp_business_account",
                    "entry": [{"id": "1", "changes": [{"field": name, "value": value}]}]});
                if self == Dialect::Gupshup3 {
                    body["gs_app_id"] = json!("82ed52f4");
                }
                body
            }
            _ => super::envelope(name, value),
        }
    }

    fn text(self, text: &str) -> Value {
        let held = match self {
            Dialect::Webjs => json!({"type": "chat", "body": text}),
            Dialect::Noweb | Dialect::Gows => json!({"conversation": text}),
            Dialect::Infobip | Dialect::InfobipMessages => json!({"type": "TEXT", "text": text}),
            Dialect::Gupshup2 => json!({"type": "text", "payload": {"text": text}}),
            Dialect::Gupshup3 | Dialect::Meta => json!({"type": "text", "text": {"body": text}}),
        };
        self.message(held, json!({}))
    }
}

/// A body and what it must become; `None`: the dialect has no such thing.
type Cell = Option<(Value, &'static str)>;
type Concept = fn(Dialect) -> Cell;

const CONCEPTS: [(&str, Concept); 15] = [
    ("opt-out", wishes::opt_out),
    ("the way back", wishes::again),
    ("a scoped id alone", people::scoped_id),
    ("an alias", people::alias),
    ("our own message", people::own),
    ("a new id", people::renamed),
    ("an edit", said::edit),
    ("an order", said::order),
    ("a button", said::button),
    ("a row", said::row),
    ("a form", said::form),
    ("a payment", said::payment),
    ("a call", said::call),
    ("not readable yet", said::not_yet),
    ("nothing said", said::nothing),
];

#[test]
fn every_concept_is_read_in_every_dialect_that_has_it() {
    let mut wrong = Vec::new();
    for (name, concept) in CONCEPTS {
        for dialect in DIALECTS {
            let Some((body, expected)) = concept(dialect) else { continue };
            let became = became(dialect.provider(), &body);
            if became != expected {
                wrong.push(format!(
                    "{name} in {dialect:?}\n  became   {became}\n  expected {expected}\n  of {body}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn became(provider: Provider, body: &Value) -> String {
    match channel::decode(provider, body.to_string().as_bytes(), false) {
        Ok(events) => events.iter().map(told).collect::<Vec<_>>().join(" + "),
        Err(error) => format!("error: {error}"),
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Message(inbound) => {
            format!("{} of {}", content(inbound), person(&inbound.contact, &inbound.aliases))
        }
        Event::Own(own) => {
            format!("own to {}", own.contact.as_ref().map_or("nobody", |key| key.as_str()))
        }
        Event::Consent(consent) => {
            let wish = if consent.opted_in { "wants messages" } else { "wants none" };
            format!("{wish}: {}", person(&consent.contact, &consent.aliases))
        }
        Event::SamePerson(same) => format!("{} is {}", same.known, same.also),
        Event::Ignored(left) => format!("left: {}", left.reason),
        Event::Unread(unread) => format!("kept: {}", unread.left.reason),
        other => format!("{other:?}"),
    }
}

fn person(key: &ContactKey, aliases: &[ContactKey]) -> String {
    let names: Vec<&str> = std::iter::once(key).chain(aliases).map(|key| key.as_str()).collect();
    names.join("=")
}

fn content(inbound: &Inbound) -> String {
    match &inbound.content {
        Content::Text { text } => match opt_out::read(text) {
            Some(Wish::NoMore) => "the wish for none".into(),
            Some(Wish::Again) => "the wish for messages".into(),
            None => format!("text {text}"),
        },
        Content::Choice(choice) => format!("choice {} {}", choice.id, choice.title),
        Content::Order(order) => {
            let items: Vec<String> = order
                .items
                .iter()
                .map(|item| format!("{}x{}={}{}", item.quantity, item.product_id, item.price, item.currency))
                .collect();
            format!("order {} {:?}", items.join(","), order.text.as_deref().unwrap_or_default())
        }
        Content::Unknown { kind, data } => format!("{kind} {data}"),
        other => format!("{other:?}"),
    }
}
