//! A Gupshup webhook becomes events. Version 2 has one event in a body: `{app, timestamp, version, type,
//! payload}`, and the payload has a `type` and a `payload` of its own. Version 3 is WhatsApp's own form
//! with the app's id at the top, and is read where Meta's is.
//!
//! What cannot be read is unread and acknowledged: an error makes Gupshup send the same again. A body that
//! names no app is read as well; whose it is is then said by the address that it came to.

use serde_json::Value;

use crate::channel::DecodeError;
use crate::channel::cloud::value::{missing, person, time_of};
use crate::channel::cloud::{self, Dialect, short, word};
use crate::channel::gupshup::{content, event, outcome};
use crate::channel::json::{self, Object, kind};
use crate::channel::said::Found;
use crate::event::{Event, Ignored, Own, Topic, Unread};
use crate::identity::{self, Address};
use crate::message::{ContactKey, Inbound, Provider, Timestamp};

/// The names of our message's ids in version 3; the first is the one given when it was taken.
const OWN_IDS: [&str; 3] = ["gs_id", "id", "meta_msg_id"];

/// Reads a body of either version.
pub fn events(body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
    let body: Object = json::parse(body)?;
    if json::field(&body, "gs_app_id").is_some() || json::field(&body, "entry").is_some() {
        let app = named(&body, "gs_app_id")?;
        let dialect = Dialect {
            provider: Provider::Gupshup,
            account: Some(app),
            groups,
            own_ids: &OWN_IDS,
            file: &["url", "id"],
            fate: outcome::fate,
        };
        return cloud::events(&body, &dialect);
    }
    let app = named(&body, "app")?;
    let webhook = Webhook {
        app,
        event: if app.is_empty() && json::field(&body, "payload").is_none() {
            // Neither the one nor the other: this is no event.
            required(&body, "app")?
        } else {
            required(&body, "type")?
        },
        at: time_of(&body, &["timestamp"]),
        ours: word(&body, "phone").and_then(|phone| person(&phone).ok()),
    };
    let nothing = Object::new();
    let payload = match json::field(&body, "payload") {
        Some(Value::Object(payload)) => payload,
        None => &nothing,
        Some(other) => {
            let what = format!("expected an object, found {}", kind(other));
            let error = DecodeError { what, place: "payload".into() };
            return Ok(vec![webhook.unreadable(&error, &nothing)]);
        }
    };
    Ok(webhook.read(payload).unwrap_or_else(|error| vec![webhook.unreadable(&error, payload)]))
}

/// Whose the body is; empty where it does not say.
fn named<'a>(body: &'a Object, name: &str) -> Result<&'a str, DecodeError> {
    match json::field(body, name) {
        None => Ok(""),
        Some(Value::String(text)) if text.is_empty() => Ok(""),
        Some(_) => required(body, name),
    }
}

fn required<'a>(body: &'a Object, name: &str) -> Result<&'a str, DecodeError> {
    match json::field(body, name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        found => {
            let found = match found {
                None => "nothing",
                Some(Value::String(_)) => "none",
                Some(other) => kind(other),
            };
            Err(DecodeError { what: format!("expected text, found {found}"), place: name.into() })
        }
    }
}

/// The envelope of version 2, read.
pub(super) struct Webhook<'a> {
    pub app: &'a str,
    event: &'a str,
    /// When Gupshup had it.
    pub at: Option<Timestamp>,
    /// Our own number, which few bodies tell.
    ours: Option<ContactKey>,
}

impl Webhook<'_> {
    fn read(&self, payload: &Object) -> Result<Vec<Event>, DecodeError> {
        let event = match self.event {
            "message" => self.message(payload, None)?,
            // An order says so outside, whatever it says inside.
            "order" => self.message(payload, Some("order"))?,
            "message-event" => event::of_message(self, payload)?,
            "user-event" => event::of_user(self, payload)?,
            "preference-event" => return event::of_preference(self, payload),
            "template-event" => event::of_template(self, payload)?,
            "account-event" | "onboarding-event" => event::of_account(self, payload),
            // Its payload has no type.
            "billing-event" => self.ignored("billing", payload),
            unknown => self.ignored(&format!("unknown event {}", short(unknown)), payload),
        };
        Ok(vec![event])
    }

    fn topic(&self) -> Topic {
        match self.event {
            "message-event" => Topic::Receipt,
            "user-event" | "preference-event" => Topic::Consent,
            "template-event" => Topic::Template,
            "message" | "order" => Topic::Message,
            _ => Topic::Item,
        }
    }

    /// `known`: what it is, whatever it says.
    fn message(&self, payload: &Object, known: Option<&str>) -> Result<Event, DecodeError> {
        let id = word(payload, "id").ok_or_else(|| missing(payload, "id", "payload"))?;
        let told = || json::strict_text(payload, "type", "payload");
        let kind = match known {
            Some(known) => known,
            None => {
                told()?.filter(|kind| !kind.is_empty()).ok_or_else(|| missing(payload, "type", "payload"))?
            }
        };
        if self.is_group(payload) {
            return Ok(self.ignored("group", payload));
        }
        let Some(sender) = sender(payload) else {
            return Ok(self.unread("unreadable sender address", payload));
        };
        let own = self.ours.as_ref() == Some(&sender.contact);
        let content = match (content::read(payload, kind)?, own) {
            (Found::Content(content), _) => Some(content),
            (_, true) => None,
            (Found::Nothing(reason), false) => return Ok(self.ignored(reason, payload)),
            (Found::Unknown(word), false) => {
                return Ok(self.unread(&format!("message of an unknown kind {}", short(&word)), payload));
            }
        };
        let sent_at = self.time(payload).unwrap_or(Timestamp::ZERO);
        let (account, quoted) = (self.app.to_owned(), quoted(payload));
        let profile = json::object(payload, &["sender"]);
        Ok(match content {
            Some(content) if !own => Event::Message(Box::new(Inbound {
                provider: Provider::Gupshup,
                account,
                id,
                contact: sender.contact,
                aliases: sender.aliases,
                from_raw: sender.raw,
                display_name: profile.and_then(|profile| json::text(profile, "name")).and_then(display_name),
                sent_at,
                content,
                quoted,
                referral: json::object(payload, &["referral"]).and_then(cloud::content::referral),
            })),
            content => {
                let to = word(payload, "destination");
                Event::Own(Box::new(Own {
                    provider: Provider::Gupshup,
                    account,
                    id,
                    contact: to.as_deref().and_then(|to| person(to).ok()),
                    from_raw: Some(sender.raw),
                    to_raw: to,
                    sent_at,
                    content,
                    quoted,
                    origin: None,
                }))
            }
        })
    }

    fn is_group(&self, payload: &Object) -> bool {
        word(payload, "source")
            .is_some_and(|source| matches!(identity::address(&source), Ok(Address::Group(_))))
    }

    /// The payload's own time, in whatever unit; else the envelope's.
    pub fn time(&self, payload: &Object) -> Option<Timestamp> {
        time_of(payload, &["ts", "timestamp"]).or(self.at)
    }

    fn unreadable(&self, error: &DecodeError, payload: &Object) -> Event {
        self.unread(&format!("unreadable item: {error}"), payload)
    }

    /// As [`Webhook::ignored`], for what should have been read.
    pub fn unread(&self, why: &str, payload: &Object) -> Event {
        match self.ignored(why, payload) {
            Event::Ignored(left) => Event::Unread(Unread { topic: self.topic(), left }),
            other => other,
        }
    }

    /// As much as the payload tells; nothing of it is needed.
    pub fn ignored(&self, reason: &str, payload: &Object) -> Event {
        let sender = || json::object(payload, &["sender"]).and_then(|sender| word(sender, "phone"));
        let from =
            ["source", "phone", "destination"].iter().find_map(|name| word(payload, name)).or_else(sender);
        Event::Ignored(Ignored {
            provider: Provider::Gupshup,
            account: Some(self.app.to_owned()),
            message_id: word(payload, "id").or_else(|| word(payload, "gsId")),
            contact: from.as_deref().and_then(|from| person(from).ok()),
            from_raw: from,
            sent_at: self.time(payload),
            reason: reason.to_owned(),
        })
    }
}

/// By phone where it is told; the ids that only this business sees are aliases. Two phones are two
/// people, and the first one wrote. People with a username may have no phone.
fn sender(payload: &Object) -> Option<Sender> {
    let profile = json::object(payload, &["sender"]);
    let of_sender = |name: &str| profile.and_then(|profile| word(profile, name));
    let named = [word(payload, "source"), of_sender("phone"), of_sender("userId"), of_sender("parentUserId")];
    let mut known: Vec<(ContactKey, String)> = Vec::new();
    for raw in named.into_iter().flatten() {
        if let Ok(key) = person(&raw)
            && known.iter().all(|(other, _)| *other != key)
        {
            known.push((key, raw));
        }
    }
    let at = known.iter().position(|(key, _)| identity::is_phone(key)).unwrap_or(0);
    if known.is_empty() {
        return None;
    }
    let (contact, raw) = known.remove(at);
    let ids = known.into_iter().map(|(key, _)| key);
    let aliases = ids.filter(|key| !identity::is_phone(key) || !identity::is_phone(&contact)).collect();
    Some(Sender { contact, raw, aliases })
}

struct Sender {
    contact: ContactKey,
    raw: String,
    aliases: Vec<ContactKey>,
}

/// WhatsApp shows `~` for those who have no name.
fn display_name(name: &str) -> Option<String> {
    let name = name.trim();
    name.chars().any(char::is_alphanumeric).then(|| name.to_owned())
}

/// By the id that we got when we sent it, else WhatsApp's. Null and empty ids quote nothing.
fn quoted(payload: &Object) -> Option<String> {
    let context = json::object(payload, &["context"])?;
    ["gsId", "id"].iter().find_map(|name| json::text(context, name)).map(str::to_owned)
}
