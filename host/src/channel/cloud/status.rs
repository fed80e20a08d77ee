//! What became of a message of ours: sent, delivered, read, failed and why.

use serde_json::Value;

use crate::channel::answer::without_numbers;
use crate::channel::cloud::{Item, Surroundings, person};
use crate::channel::json::{self, Object, missing, word};
use crate::channel::{DecodeError, said, time};
use crate::event::{Event, Receipt, Topic};
use crate::message::{DeliveryState, Fate, Timestamp};

pub(super) fn read(status: &Object, around: &Surroundings<'_>, place: &str) -> Result<Event, DecodeError> {
    let dialect = around.dialect;
    let ids = ids(status, dialect.own_ids);
    let to = ["recipient_id", "recipient_user_id", "recipient_participant_id"]
        .iter()
        .find_map(|name| word(status, name));
    let at = time::of(status, &["timestamp"]).or(around.at);
    let item = || Item { id: ids.first().cloned(), from: to.clone(), at };
    // Of a message that asked for money: what became of the money, and not of the message.
    if json::text(status, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("payment")) {
        return Ok(around.ignored(said::PAYMENT, item()));
    }
    let Some(told) = json::strict_text(status, "status", place)?.filter(|told| !told.is_empty()) else {
        // Gupshup asks whether the address is alive: a status without any.
        return match json::text(status, "type") {
            Some("set-callback") => Ok(around.ignored("handshake", item())),
            _ => Err(missing(status, "status", place)),
        };
    };
    let [id, others @ ..] = ids.as_slice() else { return Err(missing(status, dialect.own_ids[0], place)) };
    if json::text(status, "recipient_type").is_some_and(|kind| kind.eq_ignore_ascii_case("group")) {
        return Ok(around.ignored("group receipt", item()));
    }
    if told.eq_ignore_ascii_case("deleted") {
        return Ok(around.ignored("revoke", item()));
    }
    let Some(state) = state(told) else {
        return Ok(around.unread(Topic::Receipt, "receipt of an unknown state", item()));
    };
    let failed = state == DeliveryState::Failed;
    let cause = failed.then(|| cause(status));
    Ok(Event::Receipt(Receipt {
        provider: dialect.provider,
        account: around.account.clone(),
        message_id: id.clone(),
        other_ids: others.to_vec(),
        reference: json::text(status, "biz_opaque_callback_data").map(str::to_owned),
        contact: to.as_deref().and_then(|to| person(to).ok()),
        from_raw: to,
        state,
        at: at.unwrap_or(Timestamp::ZERO),
        fate: cause.map(|cause| {
            let known = cause.and_then(code).and_then(dialect.fate);
            known.unwrap_or(Fate::Permanent)
        }),
        reason: cause.map(|cause| cause.and_then(failure).unwrap_or_else(|| "no reason given".into())),
    }))
}

/// Each once, in the order of the names.
fn ids(status: &Object, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for id in names.iter().filter_map(|name| word(status, name)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn state(told: &str) -> Option<DeliveryState> {
    Some(match told.to_ascii_lowercase().as_str() {
        "accepted" | "pending" | "queued" | "enqueued" => DeliveryState::Queued,
        "sent" => DeliveryState::Sent,
        "delivered" => DeliveryState::Delivered,
        "read" | "played" => DeliveryState::Read,
        "failed" | "undelivered" => DeliveryState::Failed,
        _ => return None,
    })
}

/// The first of `errors`, or the status itself where code and reason stand in it.
fn cause(status: &Object) -> Option<&Object> {
    let errors = json::field(status, "errors").and_then(Value::as_array);
    let first = errors.into_iter().flatten().find_map(Value::as_object);
    first.or_else(|| json::object(status, &["error"])).or_else(|| {
        let told = json::field(status, "code").or_else(|| json::field(status, "reason"));
        told.map(|_| status)
    })
}

/// The provider's number for it, also where it is written as text.
pub fn code(error: &Object) -> Option<i64> {
    let code = json::number(json::field(error, "code")?)?;
    (code.fract() == 0.0 && code.abs() < 1e15).then_some(code as i64)
}

/// `131047 Re-engagement message: more than 24 hours have passed`; numbers of people masked.
pub fn failure(error: &Object) -> Option<String> {
    let title = ["title", "reason", "message"].iter().find_map(|name| json::text(error, name));
    let data = json::object(error, &["error_data"]);
    let details = data
        .and_then(|data| json::text(data, "details"))
        .or_else(|| json::text(error, "details"))
        .filter(|details| Some(*details) != title);
    let code = code(error).map(|code| code.to_string());
    let head = [code.as_deref(), title].into_iter().flatten().collect::<Vec<_>>().join(" ");
    match [Some(head.as_str()).filter(|head| !head.is_empty()), details] {
        [None, None] => None,
        parts => Some(without_numbers(parts.into_iter().flatten().collect::<Vec<_>>().join(": ").trim())),
    }
}
