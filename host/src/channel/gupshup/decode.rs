//! A Gupshup webhook becomes events. Version 2 has one event in a body: `{app, timestamp, version, type,
//! payload}`, and the payload has a `type` and a `payload` of its own. Version 3 is WhatsApp's own form
//! with the app's id at the top, and is read where Meta's is.
//!
//! What cannot be read is unread and acknowledged: an error makes Gupshup send the same again. A body that
//! names no app is read as well; whose it is is then said by the address that it came to.

use serde_json::Value;

use crate::channel::cloud::{self, Dialect, person};
use crate::channel::gupshup::envelope::Webhook;
use crate::channel::gupshup::{content, event, outcome};
use crate::channel::json::{self, Object, Wanted, missing, short, word};
use crate::channel::said::Found;
use crate::channel::{DecodeError, time};
use crate::event::{Event, Own};
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
            json::required_text(&body, "app", "")?
        } else {
            json::required_text(&body, "type", "")?
        },
        at: time::of(&body, &["timestamp"]),
        ours: word(&body, "phone").and_then(|phone| person(&phone).ok()),
    };
    let nothing = Object::new();
    let payload = match json::field(&body, "payload") {
        Some(Value::Object(payload)) => payload,
        None => &nothing,
        other => {
            let error = json::unlike(Wanted::Object, other, "payload");
            return Ok(vec![webhook.unreadable(&error, &nothing)]);
        }
    };
    Ok(read(&webhook, payload).unwrap_or_else(|error| vec![webhook.unreadable(&error, payload)]))
}

/// Whose the body is; empty where it does not say.
fn named<'a>(body: &'a Object, name: &str) -> Result<&'a str, DecodeError> {
    match json::field(body, name) {
        None => Ok(""),
        Some(Value::String(text)) if text.is_empty() => Ok(""),
        Some(_) => json::required_text(body, name, ""),
    }
}

fn read(webhook: &Webhook<'_>, payload: &Object) -> Result<Vec<Event>, DecodeError> {
    let event = match webhook.event {
        "message" => message(webhook, payload, None)?,
        // An order says so outside, whatever it says inside.
        "order" => message(webhook, payload, Some("order"))?,
        "message-event" => event::of_message(webhook, payload)?,
        "user-event" => event::of_user(webhook, payload)?,
        "preference-event" => return event::of_preference(webhook, payload),
        "template-event" => event::of_template(webhook, payload)?,
        "account-event" | "onboarding-event" => event::of_account(webhook, payload),
        // Its payload has no type.
        "billing-event" => webhook.ignored("billing", payload),
        unknown => webhook.ignored(&format!("unknown event {}", short(unknown)), payload),
    };
    Ok(vec![event])
}

/// `known`: what it is, whatever it says.
fn message(webhook: &Webhook<'_>, payload: &Object, known: Option<&str>) -> Result<Event, DecodeError> {
    let id = json::required(payload, "id", "payload")?;
    let told = || json::strict_text(payload, "type", "payload");
    let kind = match known {
        Some(known) => known,
        None => told()?.filter(|kind| !kind.is_empty()).ok_or_else(|| missing(payload, "type", "payload"))?,
    };
    if is_group(payload) {
        return Ok(webhook.ignored("group", payload));
    }
    let Some(sender) = sender(payload) else {
        return Ok(webhook.unread("unreadable sender address", payload));
    };
    let own = webhook.ours.as_ref() == Some(&sender.contact);
    let content = match (content::read(payload, kind)?, own) {
        (Found::Content(content), _) => Some(content),
        (_, true) => None,
        (Found::Nothing(reason), false) => return Ok(webhook.ignored(reason, payload)),
        (Found::Unknown(word), false) => {
            return Ok(webhook.unread(&format!("message of an unknown kind {}", short(&word)), payload));
        }
    };
    let sent_at = webhook.time(payload).unwrap_or(Timestamp::ZERO);
    let (account, quoted) = (webhook.app.to_owned(), quoted(payload));
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

fn is_group(payload: &Object) -> bool {
    word(payload, "source").is_some_and(|source| matches!(identity::address(&source), Ok(Address::Group(_))))
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
