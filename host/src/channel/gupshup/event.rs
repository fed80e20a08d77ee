//! What is no message in version 2: what became of one of ours, what a contact wishes, what became of a
//! template, what happened to the account.
//!
//! A message of ours has two ids. `enqueued` and an early `failed` have Gupshup's own in `id`, which is
//! the one we got when we sent it; all others have WhatsApp's there and Gupshup's in `gsId`, and a late
//! `failed` may have nothing but `gsId`.

use serde_json::Value;

use crate::channel::cloud::{person, status, wish};
use crate::channel::gupshup::envelope::Webhook;
use crate::channel::gupshup::outcome;
use crate::channel::json::{self, Object, Wanted, missing, short, word};
use crate::channel::{DecodeError, said};
use crate::event::{Consent, Event, Receipt, SameBecause, SamePerson, TemplateChange};
use crate::message::{DeliveryState, Fate, Provider, Timestamp};
use crate::opt_out::{self, Wish};

/// `message-event`.
pub fn of_message(webhook: &Webhook<'_>, payload: &Object) -> Result<Event, DecodeError> {
    let told = told(payload)?;
    let inner = json::object(payload, &["payload"]);
    let state = match told {
        "enqueued" => DeliveryState::Queued,
        "sent" => DeliveryState::Sent,
        "delivered" => DeliveryState::Delivered,
        "read" | "played" => DeliveryState::Read,
        "failed" => DeliveryState::Failed,
        "mismatch" => return Ok(mismatch(webhook, payload)),
        "deleted" => return Ok(webhook.ignored("revoke", payload)),
        // What led a contact here, without the message; the message brings it as well.
        "referral" => return Ok(webhook.ignored("referral", payload)),
        "payment" => return Ok(webhook.ignored(said::PAYMENT, payload)),
        _ => return Ok(webhook.unread("receipt of an unknown state", payload)),
    };
    let mut ids: Vec<String> = Vec::new();
    let network = inner.and_then(|inner| word(inner, "whatsappMessageId"));
    for id in [word(payload, "gsId"), word(payload, "id"), network].into_iter().flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut ids = ids.into_iter();
    let message_id = ids.next().ok_or_else(|| missing(payload, "id", "payload"))?;
    let to = word(payload, "destination").or_else(|| word(payload, "userId"));
    let failed = state == DeliveryState::Failed;
    let cause = inner.filter(|inner| json::field(inner, "code").or(json::field(inner, "reason")).is_some());
    let cause = failed.then(|| cause.unwrap_or(payload));
    Ok(Event::Receipt(Receipt {
        provider: Provider::Gupshup,
        account: Some(webhook.app.to_owned()),
        message_id,
        other_ids: ids.collect(),
        reference: None,
        contact: to.as_deref().and_then(|to| person(to).ok()),
        from_raw: to,
        state,
        at: webhook.time(payload).unwrap_or(Timestamp::ZERO),
        reason: cause.map(|cause| status::failure(cause).unwrap_or_else(|| "no reason given".into())),
        fate: cause.map(|cause| status::code(cause).and_then(outcome::fate).unwrap_or(Fate::Permanent)),
    }))
}

/// WhatsApp knows the number in another form than we wrote it in.
fn mismatch(webhook: &Webhook<'_>, payload: &Object) -> Event {
    let inner = json::object(payload, &["payload"]).unwrap_or(payload);
    let written = word(inner, "phone").or_else(|| word(payload, "destination"));
    let key = |raw: Option<String>| raw.and_then(|raw| person(&raw).ok());
    match (key(written), key(word(inner, "wa_id"))) {
        (Some(known), Some(also)) if known != also => Event::SamePerson(SamePerson {
            provider: Provider::Gupshup,
            account: webhook.app.to_owned(),
            known,
            also,
            message_id: word(payload, "gsId").or_else(|| word(payload, "id")),
            at: webhook.time(payload).unwrap_or(Timestamp::ZERO),
            because: SameBecause::NumberForm,
        }),
        (Some(_), Some(_)) => webhook.ignored("number form", payload),
        _ => webhook.unread("unreadable sender address", payload),
    }
}

/// `user-event`. The word `callbackSetPhone` stands where the phone should when Gupshup asks whether
/// this address is alive.
pub fn of_user(webhook: &Webhook<'_>, payload: &Object) -> Result<Event, DecodeError> {
    let told = told(payload)?;
    let phone = word(payload, "phone").unwrap_or_default();
    if told == "sandbox-start" || phone == "callbackSetPhone" {
        return Ok(webhook.ignored("handshake", payload));
    }
    let Some(wish) = opt_out::of_switch(told) else {
        return Ok(webhook.ignored(&format!("unknown event {}", short(told)), payload));
    };
    let Ok(contact) = person(&phone) else {
        return Ok(webhook.unread("unreadable sender address", payload));
    };
    Ok(Event::Consent(Consent {
        provider: Provider::Gupshup,
        account: webhook.app.to_owned(),
        contact,
        aliases: Vec::new(),
        from_raw: phone,
        opted_in: wish == Wish::Again,
        at: webhook.time(payload).unwrap_or(Timestamp::ZERO),
    }))
}

/// `preference-event`: WhatsApp's own switch for messages that advertise, passed on as it is.
pub fn of_preference(webhook: &Webhook<'_>, payload: &Object) -> Result<Vec<Event>, DecodeError> {
    let inner = json::object(payload, &["payload"]).unwrap_or(payload);
    let items = match json::field(inner, "user_preferences") {
        Some(Value::Array(items)) => items,
        other => return Err(json::unlike(Wanted::List, other, "payload.payload.user_preferences")),
    };
    let at = webhook.at.unwrap_or(Timestamp::ZERO);
    let read = |item: &Value| match item.as_object().ok_or("no object").and_then(wish::read) {
        Ok(wish) => Event::Consent(wish.consent(Provider::Gupshup, webhook.app.to_owned(), at)),
        Err(why) => webhook.unread(why, item.as_object().unwrap_or(payload)),
    };
    Ok(items.iter().map(read).collect())
}

/// `template-event`. Before WhatsApp changes a category it announces the change: then the category is
/// still the `current` one.
pub fn of_template(webhook: &Webhook<'_>, payload: &Object) -> Result<Event, DecodeError> {
    let told = told(payload)?;
    let owned = |name: &str| json::text(payload, name).map(str::to_owned);
    let category = json::object(payload, &["category"]);
    let named = |name: &str| category.and_then(|category| json::text(category, name));
    let announced = named("correct").map(|correct| format!("WhatsApp will make it {correct}"));
    match told {
        "status-update" | "category-update" | "quality-update" => {}
        _ => return Ok(webhook.ignored(&format!("unknown event {}", short(told)), payload)),
    }
    if told == "quality-update" {
        return Ok(webhook.ignored("template quality", payload));
    }
    Ok(Event::Template(TemplateChange {
        provider: Provider::Gupshup,
        account: Some(webhook.app.to_owned()),
        template_id: word(payload, "id"),
        name: owned("elementName"),
        language: owned("languageCode"),
        status: owned("status"),
        category: named("new").or(named("current")).map(str::to_owned).or_else(|| owned("category")),
        reason: owned("rejectedReason")
            .or_else(|| owned("reason"))
            .or_else(|| owned("description"))
            .or(announced),
        at: webhook.time(payload).unwrap_or(Timestamp::ZERO),
    }))
}

/// `account-event` and `onboarding-event`: for the operator's log.
pub fn of_account(webhook: &Webhook<'_>, payload: &Object) -> Event {
    let inner = json::object(payload, &["payload"]);
    let words = [
        json::text(payload, "type"),
        inner.and_then(|inner| json::text(inner, "status").or_else(|| json::text(inner, "event"))),
    ];
    let words: Vec<String> = words.into_iter().flatten().map(short).collect();
    match words.is_empty() {
        true => webhook.ignored("account change", payload),
        false => webhook.ignored(&format!("account change: {}", words.join(" ")), payload),
    }
}

fn told(payload: &Object) -> Result<&str, DecodeError> {
    let told = json::strict_text(payload, "type", "payload")?.filter(|told| !told.is_empty());
    told.ok_or_else(|| missing(payload, "type", "payload"))
}
