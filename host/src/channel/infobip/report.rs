//! What Infobip tells of messages that we sent, of templates and of contacts' preferences. Reports name
//! a message by the id that we had given it.

use crate::channel::DecodeError;
use crate::channel::answer::without_numbers;
use crate::channel::infobip::item::{account, at_time, ignored, preference, unread};
use crate::channel::infobip::outcome;
use crate::channel::json::{self, Object, required, word};
use crate::event::{Consent, Event, Receipt, TemplateChange, Topic};
use crate::identity;
use crate::message::{DeliveryState, Fate, Provider, Timestamp};
use crate::opt_out::{self, Wish};

/// Reads an item that is no message.
pub fn read(item: &Object, place: &str) -> Result<Event, DecodeError> {
    let has = |name| json::field(item, name).is_some();
    if has("seenAt") {
        return seen(item, place);
    }
    if has("deletedAt") {
        return Ok(ignored("revoke", item));
    }
    if has("messageTemplateName") || has("messageTemplateId") {
        return Ok(template(item));
    }
    if has("status") || has("doneAt") || has("error") {
        return delivery(item, place);
    }
    if let Some(preference) = preference(item) {
        return Ok(consent(item, preference));
    }
    if has("content") && has("createdAt") {
        return Ok(ignored("system notice", item));
    }
    if item.is_empty() {
        return Ok(ignored("nothing in it", item));
    }
    Ok(ignored("unknown event", item))
}

/// Infobip's own pages disagree on whose `from` and `to` are: only the id is believed.
fn seen(item: &Object, place: &str) -> Result<Event, DecodeError> {
    let message_id = required(item, "messageId", place)?;
    Ok(Event::Receipt(Receipt {
        contact: None,
        from_raw: None,
        at: at_time(item, "seenAt").or_else(|| at_time(item, "sentAt")).unwrap_or(Timestamp::ZERO),
        ..receipt(message_id, DeliveryState::Read)
    }))
}

fn delivery(item: &Object, place: &str) -> Result<Event, DecodeError> {
    let message_id = required(item, "messageId", place)?;
    if outcome::is_duplicate(item) {
        // The one sent first has reports of its own, under the same id.
        return Ok(ignored("receipt of a duplicate", item));
    }
    let Some(state) = state(item) else {
        return Ok(unread(Topic::Receipt, "receipt of an unknown state", item));
    };
    let to = word(item, "to").or_else(|| word(item, "destination"));
    let failed = state == DeliveryState::Failed;
    Ok(Event::Receipt(Receipt {
        contact: to.as_deref().and_then(|to| identity::contact(to).ok()),
        from_raw: to,
        at: at_time(item, "doneAt").or_else(|| at_time(item, "sentAt")).unwrap_or(Timestamp::ZERO),
        reason: failed.then(|| reason(item)),
        fate: failed.then(|| outcome::fate(item).unwrap_or(Fate::Permanent)),
        ..receipt(message_id, state)
    }))
}

fn receipt(message_id: String, state: DeliveryState) -> Receipt {
    Receipt {
        provider: Provider::Infobip,
        account: None,
        reference: Some(message_id.clone()),
        message_id,
        other_ids: Vec::new(),
        contact: None,
        from_raw: None,
        state,
        at: Timestamp::ZERO,
        reason: None,
        fate: None,
    }
}

/// The group decides. `DELIVERED_TO_OPERATOR` is not there yet, although its group says so.
fn state(item: &Object) -> Option<DeliveryState> {
    let status = json::object(item, &["status"]);
    let name = status.and_then(|status| json::text(status, "name"));
    Some(match outcome::group(status?)? {
        outcome::Group::Accepted | outcome::Group::Pending => DeliveryState::Queued,
        outcome::Group::Delivered if name == Some("DELIVERED_TO_OPERATOR") => DeliveryState::Sent,
        outcome::Group::Delivered => DeliveryState::Delivered,
        outcome::Group::Seen => DeliveryState::Read,
        outcome::Group::Undeliverable | outcome::Group::Expired | outcome::Group::Rejected => {
            DeliveryState::Failed
        }
    })
}

/// `EC_USER_NOT_REGISTERED: Destination not registered`
fn reason(item: &Object) -> String {
    let said = |part: &str| {
        let part = json::object(item, &[part])?;
        let name = json::text(part, "name").filter(|name| *name != "NO_ERROR")?;
        Some(match json::text(part, "description") {
            Some(description) => format!("{name}: {description}"),
            None => name.to_owned(),
        })
    };
    let said = said("error").or_else(|| said("status"));
    said.map_or_else(|| "Infobip gave no reason".into(), |said| without_numbers(&said))
}

/// `change.type` says which of the fields are there.
fn template(item: &Object) -> Event {
    let nothing = Object::new();
    let change = json::object(item, &["change"]).unwrap_or(&nothing);
    let quality = || {
        let new = json::text(change, "newQualityScore")?;
        let old = json::text(change, "previousQualityScore").unwrap_or("unknown");
        Some(format!("quality {new}, was {old}"))
    };
    let category = json::text(change, "newCategory").map(str::to_owned);
    let moved = || category.as_deref().map(|category| format!("category {category}"));
    Event::Template(TemplateChange {
        provider: Provider::Infobip,
        account: None,
        template_id: word(item, "messageTemplateId"),
        name: word(item, "messageTemplateName"),
        language: word(item, "messageTemplateLanguage"),
        status: json::text(change, "newStatus").map(str::to_owned),
        reason: json::text(change, "reason").map(str::to_owned).or_else(quality).or_else(moved),
        category,
        at: at_time(item, "timestamp").unwrap_or(Timestamp::ZERO),
    })
}

/// WhatsApp's own switch.
fn consent(item: &Object, preference: &Object) -> Event {
    let told = word(preference, "notificationMessagesStatus").unwrap_or_default();
    let Some(wish) = opt_out::of_switch(&told) else {
        return unread(Topic::Consent, "unknown wish", item);
    };
    let (Some(account), Some(from_raw)) = (account(Ok(item)), word(preference, "from")) else {
        return unread(Topic::Consent, "nobody's wish", item);
    };
    let Ok(contact) = identity::contact(&from_raw) else {
        return unread(Topic::Consent, "unreadable sender address", item);
    };
    Event::Consent(Consent {
        provider: Provider::Infobip,
        account,
        contact,
        aliases: Vec::new(),
        from_raw,
        opted_in: wish == Wish::Again,
        at: at_time(item, "createdAt").unwrap_or(Timestamp::ZERO),
    })
}
