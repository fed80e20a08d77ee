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

use crate::channel::DecodeError;
use crate::channel::claim::{Claim, Look, Words};
use crate::channel::infobip::item::{
    Item, addresses, at_time, ignored, is_message, is_of_messages_api, unread,
};
use crate::channel::infobip::{content, report};
use crate::channel::json::{self, Object, Wanted, required, short, word};
use crate::channel::said::Found;
use crate::event::{Event, Topic};
use crate::identity;
use crate::message::{ContactKey, Content, Inbound, Media, Provider, Referral, Timestamp};

/// Whose an item is, see [`crate::channel::infobip::item::account`]; a body without `results` is an item itself.
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
    Ok(items(&body)?.into_iter().flat_map(|(place, item)| event(item, &place)).collect())
}

/// The items of a body with their places. A body without `results` is one item itself.
fn items(body: &Object) -> Result<Vec<(String, Item<'_>)>, DecodeError> {
    match json::field(body, "results") {
        Some(Value::Array(results)) => Ok(results
            .iter()
            .enumerate()
            .map(|(at, item)| (format!("results.{at}"), item.as_object().ok_or(item)))
            .collect()),
        Some(other) => Err(json::unlike(Wanted::List, Some(other), "results")),
        None if body.contains_key("results") => Ok(Vec::new()),
        None => Ok(vec![("the body".into(), Ok(body))]),
    }
}

fn event(item: Item<'_>, place: &str) -> Vec<Event> {
    let nothing = Object::new();
    let object = match item {
        Ok(object) => object,
        Err(other) => {
            let error = json::unlike(Wanted::Object, Some(other), place);
            return vec![unreadable(&nothing, &error.what, &error.place)];
        }
    };
    let read = if json::field(object, "message").is_some() || is_of_messages_api(object) {
        message(object, place)
    } else {
        report::read(object, place).map(|event| vec![event])
    };
    read.unwrap_or_else(|error| vec![unreadable(object, &error.what, &error.place)])
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

/// What the item holds, and where that stands: one thing, or the parts of the Messages API's list.
fn held<'a>(item: &'a Object, place: &str) -> Vec<(Result<&'a Object, DecodeError>, String)> {
    let classic = !is_of_messages_api(item) || json::field(item, "message").is_some();
    let name = if classic { "message" } else { "content" };
    let parts: Vec<(Option<&Value>, String)> = match json::field(item, name) {
        Some(Value::Array(parts)) if !classic && !parts.is_empty() => {
            let place = |at| format!("{place}.{name}.{at}");
            parts.iter().enumerate().map(|(at, part)| (Some(part), place(at))).collect()
        }
        other => vec![(other, format!("{place}.{name}"))],
    };
    let object = |(part, place): (Option<&'a Value>, String)| match part {
        Some(Value::Object(part)) => (Ok(part), place),
        other => (Err(json::unlike(Wanted::Object, other, &place)), place),
    };
    parts.into_iter().map(object).collect()
}

/// Parts that say one thing together: words, and a file with its words. What cannot be said in one message is
/// the next one.
fn together(mut said: Vec<Content>, next: Content) -> Vec<Content> {
    let lines = |one: String, other: String| match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        _ => format!("{one}\n{other}"),
    };
    match (said.pop(), next) {
        (Some(Content::Text { text }), Content::Text { text: more }) => {
            said.push(Content::Text { text: lines(text, more) });
        }
        (Some(Content::Text { text }), Content::Media(media)) => {
            let caption = Some(lines(text, media.caption.unwrap_or_default()));
            said.push(Content::Media(Media { caption, ..media }));
        }
        (Some(Content::Media(media)), Content::Text { text }) => {
            let caption = Some(lines(media.caption.unwrap_or_default(), text));
            said.push(Content::Media(Media { caption, ..media }));
        }
        (before, next) => {
            said.extend(before);
            said.push(next);
        }
    }
    said
}

/// What its parts say, and why others are left alone.
fn contents(
    item: &Object,
    parts: Vec<(Result<&Object, DecodeError>, String)>,
) -> Result<(Vec<Content>, Vec<Event>), DecodeError> {
    let (mut said, mut left, alone) = (Vec::new(), Vec::new(), parts.len() == 1);
    for (part, place) in parts {
        match part.and_then(|part| content::read(part, &place)) {
            Ok(Found::Content(content)) => said = together(said, content),
            Ok(Found::Nothing(reason)) => left.push(ignored(reason, item)),
            Ok(Found::Unknown(word)) => {
                let why = format!("message of an unknown kind {}", short(&word));
                left.push(unread(Topic::Message, &why, item));
            }
            Err(error) if alone => return Err(error),
            Err(error) => left.push(unreadable(item, &error.what, &error.place)),
        }
    }
    // Beside what was said, a part that says nothing is no news.
    left.retain(|event| said.is_empty() || !matches!(event, Event::Ignored(_)));
    Ok((said, left))
}

/// The item's own id is its first message's.
fn id_of(id: &str, at: usize) -> String {
    if at == 0 { id.to_owned() } else { format!("{id}#{}", at + 1) }
}

fn message(item: &Object, place: &str) -> Result<Vec<Event>, DecodeError> {
    let parts = held(item, place);
    if let [(Err(error), _)] = parts.as_slice() {
        return Err(DecodeError { what: error.what.clone(), place: error.place.clone() });
    }
    let objects: Vec<&Object> = parts.iter().filter_map(|(part, _)| part.as_ref().ok().copied()).collect();
    let id = required(item, "messageId", place)?;
    let ours = if json::field(item, "message").is_some() { "to" } else { "destination" };
    // Where it does not say it is for the address that it came to.
    let account = match json::field(item, ours) {
        Some(Value::String(text)) if text.trim().is_empty() => String::new(),
        Some(_) => required(item, ours, place)?,
        None => String::new(),
    };
    let carried_by = json::text(item, "integrationType").or_else(|| json::text(item, "channel"));
    if carried_by.is_some_and(|it| !it.eq_ignore_ascii_case("whatsapp")) {
        return Ok(vec![ignored("not WhatsApp", item)]);
    }
    let addresses = addresses(item);
    let Some(from_raw) = addresses.first().cloned() else {
        return Err(json::missing(item, "from", place));
    };
    if objects.iter().any(|part| in_group(item, part)) {
        return Ok(vec![ignored("group", item)]);
    }
    let mut keys: Vec<ContactKey> = Vec::new();
    for key in addresses.iter().filter_map(|address| identity::contact(address).ok()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // The phone is the key where it is known.
    let Some(at) = keys.iter().position(identity::is_phone).or((!keys.is_empty()).then_some(0)) else {
        return Ok(vec![unread(Topic::Message, "unreadable sender address", item)]);
    };
    let contact = keys.remove(at);
    if identity::contact(&account).is_ok_and(|ours| ours == contact) {
        return Ok(vec![ignored("own message", item)]);
    }
    // Two phones are two people, whatever the payload says.
    let aliases: Vec<ContactKey> = keys.into_iter().filter(|key| !identity::is_phone(key)).collect();
    let (said, left) = contents(item, parts)?;
    let referred = objects.iter().find_map(|part| json::object(part, &["referral"]));
    let referral = referred.or_else(|| json::object(item, &["referral"])).and_then(referral);
    let quoted = objects.iter().find_map(|part| word(context(item, part)?, "id"));
    let messages = said.into_iter().enumerate().map(|(at, content)| {
        Event::Message(Box::new(Inbound {
            provider: Provider::Infobip,
            account: account.clone(),
            id: id_of(&id, at),
            contact: contact.clone(),
            aliases: aliases.clone(),
            from_raw: from_raw.clone(),
            display_name: display_name(item),
            sent_at: at_time(item, "receivedAt").unwrap_or(Timestamp::ZERO),
            content,
            quoted: quoted.clone(),
            referral: referral.clone(),
        }))
    });
    Ok(messages.chain(left).collect())
}

fn context<'a>(item: &'a Object, message: &'a Object) -> Option<&'a Object> {
    json::object(message, &["context"]).or_else(|| json::object(item, &["context"]))
}

fn in_group(item: &Object, message: &Object) -> bool {
    let context = context(item, message);
    [Some(item), Some(message), context].into_iter().flatten().any(|object| word(object, "groupId").is_some())
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
    let owned = |name| word(referral, name);
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
