//! An item of an Infobip webhook before it is known what it is: whose it is, whom it is from, and what is said of
//! one that is left alone or cannot be read.

use serde_json::Value;

use crate::channel::json::{self, Object, word};
use crate::channel::time;
use crate::event::{Event, Ignored, Topic, Unread};
use crate::identity;
use crate::message::{Provider, Timestamp};

/// An object, or what stands in its place.
pub type Item<'a> = Result<&'a Object, &'a Value>;

/// Our number, of a message or of a notice that names it.
pub fn account(item: Item<'_>) -> Option<String> {
    let item = item.ok()?;
    if json::field(item, "message").is_some() {
        return word(item, "to");
    }
    if is_of_messages_api(item) {
        return word(item, "destination");
    }
    let preference = preference(item)?;
    word(preference, "sender").or_else(|| word(item, "from"))
}

/// The notice that a contact stopped or resumed marketing messages.
pub fn preference(item: &Object) -> Option<&Object> {
    let content = json::object(item, &["content"])?;
    json::field(content, "notificationMessagesStatus").map(|_| content)
}

/// Is this the Messages API's word for a message that came in?
pub fn is_message(event: &str) -> bool {
    event.eq_ignore_ascii_case("MO")
}

pub fn is_of_messages_api(item: &Object) -> bool {
    json::text(item, "event").is_some_and(is_message)
}

/// Everything that the item calls its author by. People with a username may have no phone.
pub fn addresses(item: &Object) -> Vec<String> {
    let contact = json::object(item, &["contact"]);
    let of_contact = |name| contact.and_then(|contact| word(contact, name));
    let from = word(item, "from").or_else(|| word(item, "sender"));
    [from, of_contact("phoneNumber"), of_contact("userId"), of_contact("parentUserId")]
        .into_iter()
        .flatten()
        .collect()
}

/// As [`ignored`], for what should have been read.
pub fn unread(topic: Topic, why: &str, item: &Object) -> Event {
    match ignored(why, item) {
        Event::Ignored(left) => Event::Unread(Unread { topic, left }),
        other => other,
    }
}

/// As much as the item tells; nothing of it is needed. Only a message's `to` is our number, only its
/// `from` the contact.
pub fn ignored(reason: &str, item: &Object) -> Event {
    let is_message = json::field(item, "message").is_some() || is_of_messages_api(item);
    let from_raw = if is_message { addresses(item).into_iter().next() } else { None };
    Event::Ignored(Ignored {
        provider: Provider::Infobip,
        account: account(Ok(item)),
        message_id: word(item, "messageId"),
        contact: from_raw.as_deref().and_then(|from| identity::contact(from).ok()),
        from_raw,
        sent_at: ["receivedAt", "seenAt", "deletedAt", "doneAt", "sentAt", "createdAt", "timestamp"]
            .into_iter()
            .find_map(|name| at_time(item, name)),
        reason: reason.to_owned(),
    })
}

pub fn at_time(item: &Object, name: &str) -> Option<Timestamp> {
    time::of(item, &[name])
}
