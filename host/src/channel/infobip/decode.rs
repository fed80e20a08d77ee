//! An Infobip webhook becomes events. One address receives everything: what an item is follows from
//! the fields that it has. An item that cannot be read becomes [`Event::Unread`] with its place, and
//! costs the others nothing; only a body that is no object, or whose `results` are no list, is an
//! error.
//!
//! | has | is |
//! |---|---|
//! | `message` | a message; `to` is our number |
//! | `event: MO` | a message in the form of the Messages API; `destination` is our number |
//! | `seenAt`, `deletedAt` | a report; whose numbers are in it is contradictory at Infobip: neither is believed |
//! | `status`, `doneAt` | a delivery report; `to` is the contact |
//! | `messageTemplateName`, `change` | a template's new status, category or quality |
//! | `content` and `createdAt` | a notice: marketing preference, changed identity |

use serde_json::Value;

use crate::channel::claim::{Claim, Look, Words};
use crate::channel::cloud::short;
use crate::channel::infobip::{content, report};
use crate::channel::json::{self, Object, kind};
use crate::channel::said::Found;
use crate::channel::{DecodeError, time};
use crate::event::{Event, Ignored, Topic, Unread};
use crate::identity;
use crate::message::{ContactKey, Inbound, Provider, Referral, Timestamp};

/// Whose an item is, see [`account`]; a body without `results` is an item itself.
pub const CLAIMS: Look = Look::Object(
    &[("results", Look::Each(&ITEM)), MESSAGE, TO, FROM, CONTENT, MESSAGE_ID, EVENT, DESTINATION],
    claim,
);

const ITEM: Look = Look::Object(&[MESSAGE, TO, FROM, CONTENT, MESSAGE_ID, EVENT, DESTINATION], claim);

const MESSAGE: (&str, Look) = ("message", Look::There(0));
const TO: (&str, Look) = ("to", Look::Word(1));
const FROM: (&str, Look) = ("from", Look::Word(2));
const CONTENT: (&str, Look) =
    ("content", Look::Fields(&[("notificationMessagesStatus", Look::There(3)), ("sender", Look::Word(4))]));
const MESSAGE_ID: (&str, Look) = ("messageId", Look::Word(5));
const EVENT: (&str, Look) = ("event", Look::Word(6));
const DESTINATION: (&str, Look) = ("destination", Look::Word(7));

fn claim(words: &Words) -> Claim {
    let [message, to, from, preference, sender, message_id, event, destination] =
        words.each_ref().map(|word| word.as_deref());
    let written = |word: Option<&str>| word.filter(|word| !word.trim().is_empty()).map(str::to_owned);
    if message.is_none() && event.is_some_and(is_message) {
        return written(destination).map_or(Claim::Nobodys, Claim::Account);
    }
    let account = match (message, preference) {
        (Some(_), _) => written(to),
        (None, Some(_)) => written(sender).or_else(|| written(from)),
        (None, None) => return written(message_id).map_or(Claim::Nobodys, Claim::Report),
    };
    account.map_or(Claim::Nobodys, Claim::Account)
}

/// Reads a body.
pub fn events(body: &[u8]) -> Result<Vec<Event>, DecodeError> {
    let body: Object = json::parse(body)?;
    Ok(items(&body)?.into_iter().map(|(place, item)| event(item, &place)).collect())
}

/// The items of a body with their places. A body without `results` is one item itself.
fn items(body: &Object) -> Result<Vec<(String, Item<'_>)>, DecodeError> {
    match json::field(body, "results") {
        Some(Value::Array(results)) => Ok(results
            .iter()
            .enumerate()
            .map(|(at, item)| (format!("results.{at}"), item.as_object().ok_or(item)))
            .collect()),
        Some(other) => Err(DecodeError {
            what: format!("expected a list, found {}", kind(other)),
            place: "results".into(),
        }),
        None if body.contains_key("results") => Ok(Vec::new()),
        None => Ok(vec![("the body".into(), Ok(body))]),
    }
}

/// An object, or what stands in its place.
type Item<'a> = Result<&'a Object, &'a Value>;

/// Our number, of a message or of a notice that names it.
pub fn account(item: Item<'_>) -> Option<String> {
    let item = item.ok()?;
    if json::field(item, "message").is_some() {
        return written(item, "to");
    }
    if is_of_messages_api(item) {
        return written(item, "destination");
    }
    let preference = report::preference(item)?;
    written(preference, "sender").or_else(|| written(item, "from"))
}

fn event(item: Item<'_>, place: &str) -> Event {
    let nothing = Object::new();
    let object = match item {
        Ok(object) => object,
        Err(other) => {
            return unreadable(&nothing, &format!("expected an object, found {}", kind(other)), place);
        }
    };
    let read = if json::field(object, "message").is_some() || is_of_messages_api(object) {
        message(object, place)
    } else {
        report::read(object, place)
    };
    read.unwrap_or_else(|error| unreadable(object, &error.what, &error.place))
}

/// Is this the Messages API's word for a message that came in?
fn is_message(event: &str) -> bool {
    event.eq_ignore_ascii_case("MO")
}

fn is_of_messages_api(item: &Object) -> bool {
    json::text(item, "event").is_some_and(is_message)
}

fn unreadable(item: &Object, what: &str, place: &str) -> Event {
    let has = |name| json::field(item, name).is_some();
    let topic = if has("message") || is_of_messages_api(item) {
        Topic::Message
    } else if has("messageId") {
        Topic::Receipt
    } else {
        Topic::Item
    };
    unread(topic, &format!("unreadable item: {what} at {place}"), item)
}

/// As [`ignored`], for what should have been read.
pub fn unread(topic: Topic, why: &str, item: &Object) -> Event {
    match ignored(why, item) {
        Event::Ignored(left) => Event::Unread(Unread { topic, left }),
        other => other,
    }
}

/// What the item holds, and where that stands. The Messages API has a list of parts, of which WhatsApp
/// knows one.
fn held<'a>(item: &'a Object, place: &str) -> Result<(&'a Object, String), DecodeError> {
    let classic = !is_of_messages_api(item) || json::field(item, "message").is_some();
    let (name, held) = match classic {
        true => ("message".to_owned(), json::field(item, "message")),
        false => match json::field(item, "content") {
            Some(Value::Array(parts)) => ("content.0".to_owned(), parts.first()),
            other => ("content".to_owned(), other),
        },
    };
    match held {
        Some(Value::Object(held)) => Ok((held, format!("{place}.{name}"))),
        other => Err(missing("an object", other, &format!("{place}.{name}"))),
    }
}

fn message(item: &Object, place: &str) -> Result<Event, DecodeError> {
    let (message, place_of_message) = held(item, place)?;
    let id = required(item, "messageId", place)?;
    let ours = if json::field(item, "message").is_some() { "to" } else { "destination" };
    let account = required(item, ours, place)?;
    let carried_by = json::text(item, "integrationType").or_else(|| json::text(item, "channel"));
    if carried_by.is_some_and(|it| !it.eq_ignore_ascii_case("whatsapp")) {
        return Ok(ignored("not WhatsApp", item));
    }
    let addresses = addresses(item);
    let Some(from_raw) = addresses.first().cloned() else {
        return Err(missing("text", json::field(item, "from"), &format!("{place}.from")));
    };
    if in_group(item, message) {
        return Ok(ignored("group", item));
    }
    let mut keys: Vec<ContactKey> = Vec::new();
    for key in addresses.iter().filter_map(|address| identity::contact(address).ok()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // The phone is the key where it is known.
    let Some(at) = keys.iter().position(identity::is_phone).or((!keys.is_empty()).then_some(0)) else {
        return Ok(unread(Topic::Message, "unreadable sender address", item));
    };
    let contact = keys.remove(at);
    if identity::contact(&account).is_ok_and(|ours| ours == contact) {
        return Ok(ignored("own message", item));
    }
    let content = match content::read(message, &place_of_message)? {
        Found::Content(content) => content,
        Found::Nothing(reason) => return Ok(ignored(reason, item)),
        Found::Unknown(word) => {
            return Ok(unread(Topic::Message, &format!("message of an unknown kind {}", short(&word)), item));
        }
    };
    Ok(Event::Message(Box::new(Inbound {
        provider: Provider::Infobip,
        account,
        id,
        contact,
        // Two phones are two people, whatever the payload says.
        aliases: keys.into_iter().filter(|key| !identity::is_phone(key)).collect(),
        from_raw,
        display_name: display_name(item),
        sent_at: at_time(item, "receivedAt").unwrap_or(Timestamp::ZERO),
        content,
        quoted: context(item, message).and_then(|context| written(context, "id")),
        referral: json::object(message, &["referral"])
            .or_else(|| json::object(item, &["referral"]))
            .and_then(referral),
    })))
}

/// Everything that the item calls its author by. People with a username may have no phone.
fn addresses(item: &Object) -> Vec<String> {
    let contact = json::object(item, &["contact"]);
    let of_contact = |name| contact.and_then(|contact| written(contact, name));
    let from = written(item, "from").or_else(|| written(item, "sender"));
    [from, of_contact("phoneNumber"), of_contact("userId"), of_contact("parentUserId")]
        .into_iter()
        .flatten()
        .collect()
}

fn context<'a>(item: &'a Object, message: &'a Object) -> Option<&'a Object> {
    json::object(message, &["context"]).or_else(|| json::object(item, &["context"]))
}

fn in_group(item: &Object, message: &Object) -> bool {
    let context = context(item, message);
    [Some(item), Some(message), context]
        .into_iter()
        .flatten()
        .any(|object| written(object, "groupId").is_some())
}

/// The profile's name. Older renderers have no `contact`.
fn display_name(item: &Object) -> Option<String> {
    let contact = json::object(item, &["contact"])?;
    let profile = json::object(contact, &["profile"]);
    [
        json::text(contact, "name"),
        profile.and_then(|it| json::text(it, "name")),
        json::text(contact, "username"),
    ]
    .into_iter()
    .flatten()
    .map(str::trim)
    .find(|name| name.chars().any(|c| !c.is_ascii_punctuation() && !c.is_whitespace()))
    .map(str::to_owned)
}

/// Infobip writes `ctwaClickId` and capital kinds: `AD`, `POST`, `UNKNOWN`.
fn referral(referral: &Object) -> Option<Referral> {
    let owned = |name| written(referral, name);
    let found = Referral {
        kind: json::text(referral, "sourceType").unwrap_or_default().to_lowercase(),
        source_id: owned("sourceId"),
        url: owned("sourceUrl"),
        headline: owned("headline"),
        body: owned("body"),
        click_id: owned("ctwaClickId"),
    };
    (found != Referral::default()).then_some(found)
}

/// As much as the item tells; nothing of it is needed. Only a message's `to` is our number, only its
/// `from` the contact.
pub fn ignored(reason: &str, item: &Object) -> Event {
    let is_message = json::field(item, "message").is_some() || is_of_messages_api(item);
    let from_raw = if is_message { addresses(item).into_iter().next() } else { None };
    Event::Ignored(Ignored {
        provider: Provider::Infobip,
        account: account(Ok(item)),
        message_id: written(item, "messageId"),
        contact: from_raw.as_deref().and_then(|from| identity::contact(from).ok()),
        from_raw,
        sent_at: ["receivedAt", "seenAt", "deletedAt", "doneAt", "sentAt", "createdAt", "timestamp"]
            .into_iter()
            .find_map(|name| at_time(item, name)),
        reason: reason.to_owned(),
    })
}

pub fn at_time(item: &Object, name: &str) -> Option<Timestamp> {
    time::read(json::field(item, name)?)
}

/// Text that is not empty, also where it is written as a whole number.
pub fn written(object: &Object, name: &str) -> Option<String> {
    match json::field(object, name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// The same, for what an item is nothing without.
pub fn required(object: &Object, name: &str, place: &str) -> Result<String, DecodeError> {
    written(object, name)
        .ok_or_else(|| missing("text", json::field(object, name), &format!("{place}.{name}")))
}

pub fn missing(wanted: &str, found: Option<&Value>, place: &str) -> DecodeError {
    let found = match found {
        // Of a wanted text: an empty one.
        Some(Value::String(_)) if wanted == "text" => "none",
        other => other.map_or("nothing", kind),
    };
    DecodeError { what: format!("expected {wanted}, found {found}"), place: place.to_owned() }
}
