//! A Gupshup webhook becomes events. Version 2 has one event in a body: `{app, timestamp, version, type,
//! payload}`, and the payload has a `type` and a `payload` of its own. Version 3 is WhatsApp's own form
//! with the app's id at the top, and is read where Meta's is.
//!
//! What cannot be read is left alone and acknowledged: an error makes Gupshup send the same again.

use serde_json::Value;

use crate::channel::DecodeError;
use crate::channel::cloud::value::{missing, person, time_of};
use crate::channel::cloud::{self, Dialect, short, word};
use crate::channel::gupshup::content::{self, Found};
use crate::channel::gupshup::{event, outcome};
use crate::channel::json::{self, Object, kind};
use crate::event::{Event, Ignored, Own};
use crate::identity::{self, Address};
use crate::message::{ContactKey, Inbound, Provider, Timestamp};

/// The names of our message's ids in version 3; the first is the one given when it was taken.
const OWN_IDS: [&str; 3] = ["gs_id", "id", "meta_msg_id"];

/// Reads a body of either version.
pub fn events(body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
    let body: Object = json::parse(body)?;
    if json::field(&body, "gs_app_id").is_some() || json::field(&body, "entry").is_some() {
        let app = required(&body, "gs_app_id")?;
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
    let webhook = Webhook {
        app: required(&body, "app")?,
        event: required(&body, "type")?,
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
    let event = webhook.read(payload).unwrap_or_else(|error| webhook.unreadable(&error, payload));
    Ok(vec![event])
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
    fn read(&self, payload: &Object) -> Result<Event, DecodeError> {
        match self.event {
            "message" => self.message(payload, None),
            "order" => self.message(payload, Some("order")),
            "message-event" => event::of_message(self, payload),
            "user-event" => event::of_user(self, payload),
            "template-event" => event::of_template(self, payload),
            "account-event" | "onboarding-event" => Ok(event::of_account(self, payload)),
            // Its payload has no type.
            "billing-event" => Ok(self.ignored("billing", payload)),
            unknown => Ok(self.ignored(&format!("unknown event {}", short(unknown)), payload)),
        }
    }

    /// `assumed`: what it is if it does not say.
    fn message(&self, payload: &Object, assumed: Option<&str>) -> Result<Event, DecodeError> {
        let id = word(payload, "id").ok_or_else(|| missing(payload, "id", "payload"))?;
        let kind = json::strict_text(payload, "type", "payload")?
            .filter(|kind| !kind.is_empty())
            .or(assumed)
            .ok_or_else(|| missing(payload, "type", "payload"))?;
        let sender = match self.sender(payload) {
            Ok(sender) => sender,
            Err(reason) => return Ok(self.ignored(reason, payload)),
        };
        let own = self.ours.as_ref() == Some(&sender.contact);
        let content = match (content::read(payload, kind)?, own) {
            (Found::Content(content), _) => Some(content),
            (Found::Nothing(_), true) => None,
            (Found::Nothing(reason), false) => return Ok(self.ignored(reason, payload)),
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
                display_name: profile.and_then(|profile| json::text(profile, "name")).and_then(named),
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

    /// By phone where it is told, because nothing can be sent to another id; the id is the alias. Two
    /// phones are two people, and the first one wrote.
    fn sender(&self, payload: &Object) -> Result<Sender, &'static str> {
        let source = word(payload, "source");
        let phone = json::object(payload, &["sender"]).and_then(|sender| word(sender, "phone"));
        if let Some(source) = &source
            && matches!(identity::address(source), Ok(Address::Group(_)))
        {
            return Err("group");
        }
        let mut known: Vec<(ContactKey, String)> =
            [source, phone].into_iter().flatten().filter_map(|raw| Some((person(&raw).ok()?, raw))).collect();
        if let [(first, _), (second, _)] = known.as_slice() {
            match (identity::is_phone(first), identity::is_phone(second)) {
                (false, true) => known.swap(0, 1),
                (true, false) if first != second => {}
                _ => known.truncate(1),
            }
        }
        let mut known = known.into_iter();
        let (contact, raw) = known.next().ok_or("unreadable sender address")?;
        Ok(Sender { contact, raw, aliases: known.map(|(alias, _)| alias).collect() })
    }

    /// The payload's own time, in whatever unit; else the envelope's.
    pub fn time(&self, payload: &Object) -> Option<Timestamp> {
        time_of(payload, &["ts", "timestamp"]).or(self.at)
    }

    fn unreadable(&self, error: &DecodeError, payload: &Object) -> Event {
        self.ignored(&format!("unreadable item: {error}"), payload)
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

struct Sender {
    contact: ContactKey,
    raw: String,
    aliases: Vec<ContactKey>,
}

/// WhatsApp shows `~` for those who have no name.
fn named(name: &str) -> Option<String> {
    let name = name.trim();
    name.chars().any(char::is_alphanumeric).then(|| name.to_owned())
}

/// By the id that we got when we sent it, else WhatsApp's. Null and empty ids quote nothing.
fn quoted(payload: &Object) -> Option<String> {
    let context = json::object(payload, &["context"])?;
    ["gsId", "id"].iter().find_map(|name| json::text(context, name)).map(str::to_owned)
}
