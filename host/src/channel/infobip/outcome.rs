//! What became of a call, or of a message that a report speaks of. Infobip's names decide: of an
//! error, of a status, of a refused request; [`FATES`] has them. Its numbers do not, because several
//! of its registers use the same ones. Where the name is not in the table, `error.permanent` decides,
//! then the group, then the HTTP status:
//!
//! | answer | fate | because |
//! |---|---|---|
//! | 2xx, group ACCEPTED, PENDING or DELIVERED, or unreadable | sent | Infobip has taken it |
//! | 2xx, group REJECTED, UNDELIVERABLE or EXPIRED | by name | a 200 may refuse |
//! | 2xx, `REJECTED_DUPLICATE_MESSAGE_ID` | sent | it has our message under our id already |
//! | 408, 421, 425, 429 | retry, not before `Retry-After` | the request was not taken |
//! | 503 with `Retry-After` | retry, not before it | whoever answers says so about a request not taken |
//! | 500, 502, 503, 504, ... | unknown | it may have gone out before it failed |
//! | 401, 403 | key refused | everything waits for another key |
//! | 501, other 4xx, 1xx, 3xx | permanent | the request or the address is wrong |
//!
//! Errors never repeat the request: of an answer only its codes and descriptions are taken, without
//! long numbers.

use http::HeaderMap;
use serde_json::Value;

use crate::channel::Outcome;
use crate::channel::answer::{retry_after_ms, without_numbers};
use crate::channel::json::{self, Object};
use crate::message::Fate;

/// What follows from Infobip's names. Statuses and errors: "Response status and error codes" in its API
/// essentials, families "General status codes" and "Chat error codes", as of July 2026; codes of refused
/// requests: its error reference and the official client libraries.
pub const FATES: &[(&str, Fate)] = &[
    // Statuses that say more than their group.
    ("REJECTED_DND", Fate::OptedOut),
    ("REJECTED_DESTINATION_BLOCKLISTED", Fate::OptedOut),
    ("REJECTED_NETWORK", Fate::Permanent),
    ("REJECTED_PREFIX_MISSING", Fate::Permanent),
    ("REJECTED_SOURCE", Fate::Permanent),
    ("REJECTED_SENDER", Fate::Permanent),
    ("REJECTED_DESTINATION", Fate::Permanent),
    ("REJECTED_DESTINATION_NOT_REGISTERED", Fate::Permanent),
    ("REJECTED_ROUTE_NOT_AVAILABLE", Fate::Permanent),
    ("REJECTED_MESSAGE_TOO_LONG", Fate::Permanent),
    ("REJECTED_VALIDATION_FAILED", Fate::Permanent),
    ("MISSING_TO", Fate::Permanent),
    ("SIGNALS_BLOCKED", Fate::Permanent),
    // Somebody can top up the account while the reply waits.
    ("REJECTED_NOT_ENOUGH_CREDITS", Fate::Retry),
    ("REJECTED_PREPAID_PACKAGE_EXPIRED", Fate::Retry),
    ("REJECTED_FLOODING_FILTER", Fate::Retry),
    ("REJECTED_SYSTEM_ERROR", Fate::Retry),
    ("REJECTED_INTERNAL_ERROR", Fate::Retry),
    // Nobody told whether it arrived.
    ("EXPIRED_DLR_UNKNOWN", Fate::Unknown),
    // Errors: the contact.
    ("EC_BLOCKED_USER", Fate::OptedOut),
    ("EC_MARKETING_OPT_OUT", Fate::OptedOut),
    ("EC_NO_SESSION", Fate::WindowClosed),
    ("EC_UNKNOWN_USER", Fate::Permanent),
    ("EC_TEMPLATE_BLOCKED_BY_USER", Fate::Permanent),
    ("EC_FREQUENCY_CAPPING", Fate::Permanent),
    ("EC_USER_IDENTITY_CHANGED", Fate::Permanent),
    // The message.
    ("EC_BAD_REQUEST", Fate::Permanent),
    ("EC_INVALID_TEMPLATE", Fate::Permanent),
    ("EC_INVALID_TEMPLATE_ARGS", Fate::Permanent),
    ("EC_MEDIA_UNSUPPORTED", Fate::Permanent),
    ("EC_MEDIA_METADATA_ERROR", Fate::Permanent),
    ("EC_BLOCKED_CONTENT", Fate::Permanent),
    ("EC_MEDIA_HOSTING_ERROR", Fate::Retry),
    ("EC_MEDIA_UPLOAD_ERROR", Fate::Retry),
    ("EC_TEMPLATE_NOT_SYNCED", Fate::Retry),
    ("EC_TEMPLATE_NOT_AVAILABLE", Fate::Retry),
    // Our account and number.
    ("EC_UNAUTHORIZED_ACCESS", Fate::Permanent),
    ("EC_FORBIDDEN_ACCESS", Fate::Permanent),
    ("EC_ACCOUNT_ISSUE", Fate::Permanent),
    ("EC_SENDER_NOT_REGISTERED", Fate::Permanent),
    ("EC_SPAM_RATE", Fate::Permanent),
    ("EC_PROVIDER_BILLING_ERROR", Fate::Permanent),
    ("EC_DEPLOYMENT_CONFIGURATION_ERROR", Fate::Retry),
    ("EC_TOO_MANY_REQUESTS", Fate::Retry),
    ("EC_NOT_ALLOWED_SENDING_TIME", Fate::Retry),
    // Behind Infobip.
    ("EC_PROVIDER_INTERNAL_ERROR", Fate::Retry),
    ("EC_PROVIDER_TIMEOUT", Fate::Unknown),
    ("EC_PROVIDER_DR_ERROR", Fate::Unknown),
    // Requests that were refused. The word of `requestError.serviceException.messageId`, and the newer
    // `errorCode`.
    ("BAD_REQUEST", Fate::Permanent),
    ("UNAUTHORIZED", Fate::KeyRefused),
    ("FORBIDDEN", Fate::KeyRefused),
    ("NOT_FOUND", Fate::Permanent),
    ("TOO_MANY_REQUESTS", Fate::Retry),
    ("E400", Fate::Permanent),
    ("E401", Fate::KeyRefused),
    ("E403", Fate::KeyRefused),
    ("E404", Fate::Permanent),
    ("E429", Fate::Retry),
];

/// Of the fields that are wrong, at most this many are named.
const FIELDS: usize = 5;

/// Of a repeat of our own id, in statuses and errors.
const DUPLICATES: [&str; 2] = ["REJECTED_DUPLICATE_MESSAGE_ID", "EC_DUPLICATE_REQUEST"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Accepted,
    Pending,
    Undeliverable,
    Delivered,
    Seen,
    Expired,
    Rejected,
}

/// By its name; by its number where there is no name.
pub fn group(status: &Object) -> Option<Group> {
    let number = json::field(status, "groupId").and_then(json::number).map(|number| number as i64);
    Some(match (json::text(status, "groupName").map(str::to_ascii_uppercase).as_deref(), number) {
        (Some("ACCEPTED" | "OK"), _) | (None, Some(0)) => Group::Accepted,
        (Some("PENDING"), _) | (None, Some(1)) => Group::Pending,
        (Some("UNDELIVERABLE"), _) | (None, Some(2)) => Group::Undeliverable,
        (Some("DELIVERED"), _) | (None, Some(3)) => Group::Delivered,
        (Some("SEEN"), _) => Group::Seen,
        (Some("EXPIRED"), _) | (None, Some(4)) => Group::Expired,
        (Some("REJECTED"), _) | (None, Some(5)) => Group::Rejected,
        _ => return None,
    })
}

fn names(item: &Object) -> impl Iterator<Item = &str> {
    ["error", "status"].into_iter().filter_map(|part| json::text(json::object(item, &[part])?, "name"))
}

/// Was it refused because Infobip has a message of ours under this id already?
pub fn is_duplicate(item: &Object) -> bool {
    names(item).any(|name| DUPLICATES.contains(&name))
}

/// What follows from the names in a report or an answer, or from its `error.permanent`.
pub fn fate(item: &Object) -> Option<Fate> {
    let permanent = || {
        let error = json::object(item, &["error"])?;
        // Success comes with an error too, whose name says that there is none.
        json::text(error, "name").filter(|name| *name != "NO_ERROR")?;
        match json::field(error, "permanent")? {
            Value::Bool(true) => Some(Fate::Permanent),
            Value::Bool(false) => Some(Fate::Retry),
            _ => None,
        }
    };
    names(item).find_map(by_name).or_else(permanent)
}

fn by_name(name: &str) -> Option<Fate> {
    FATES.iter().find(|(known, _)| *known == name).map(|(_, fate)| *fate)
}

/// Reads the answer to a request that sent a message.
pub fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let answer: Option<Object> = json::parse(body).ok();
    let Some(answer) = answer.filter(|answer| (200..300).contains(&status) && refused(answer).is_none())
    else {
        return failure(status, headers, body);
    };
    // Templates are sent as a list of one.
    let listed =
        json::field(&answer, "messages").and_then(|messages| messages.as_array()?.first()?.as_object());
    let message = listed.unwrap_or(&answer);
    let id = json::text(message, "messageId").map(str::to_owned);
    let refusal = json::object(message, &["status"])
        .and_then(group)
        .filter(|group| matches!(group, Group::Undeliverable | Group::Expired | Group::Rejected));
    match refusal {
        None => Outcome::sent(id),
        Some(_) if is_duplicate(message) => Outcome::sent(id),
        Some(_) => Outcome::Failed {
            fate: fate(message).unwrap_or(Fate::Permanent),
            after_ms: retry_after_ms(headers),
            error: format!("Infobip did not take the message: {}", said(message)),
        },
    }
}

/// Reads an answer that is no success: of a message or of any other call.
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let answer: Option<Object> = json::parse(body).ok();
    let refused = answer.as_ref().and_then(refused);
    let fate = match (status, refused.as_ref().and_then(|(code, _)| by_name(code))) {
        // Nothing to read, but taken.
        (200..=299, None) if refused.is_none() => return Outcome::sent(None),
        // A server that failed cannot vouch for what it did before.
        (500, Some(Fate::Permanent)) | (500, None) => Fate::Unknown,
        (_, Some(fate)) => fate,
        (401 | 403, None) => Fate::KeyRefused,
        (408 | 421 | 425 | 429, None) => Fate::Retry,
        (503, None) if retry_after_ms(headers).is_some() => Fate::Retry,
        (501, None) => Fate::Permanent,
        (500.., None) => Fate::Unknown,
        (_, None) => Fate::Permanent,
    };
    let after_ms = retry_after_ms(headers).filter(|_| fate == Fate::Retry);
    Outcome::Failed { fate, after_ms, error: describe(status, refused) }
}

/// The code and the words of a refused request, in both of Infobip's forms. Of what is wrong with its
/// fields only their names: the rest may quote them.
fn refused(answer: &Object) -> Option<(String, String)> {
    let owned = |object: &Object, name: &str| json::text(object, name).unwrap_or_default().to_owned();
    let about = |words: String, fields: Vec<&str>| match fields.is_empty() {
        true => words,
        false => format!("{words} ({})", fields.join(", ")),
    };
    if let Some(error) = json::object(answer, &["requestError"]) {
        let exception = json::object(error, &["serviceException"])
            .or_else(|| json::object(error, &["policyException"]))
            .unwrap_or(error);
        let wrong = json::object(exception, &["validationErrors"]);
        let fields = wrong.into_iter().flat_map(Object::keys).map(String::as_str).take(FIELDS).collect();
        return Some((owned(exception, "messageId"), about(owned(exception, "text"), fields)));
    }
    let code = json::text(answer, "errorCode")?.to_owned();
    let violations = json::field(answer, "violations").and_then(Value::as_array).into_iter().flatten();
    let fields = violations.filter_map(|it| json::text(it.as_object()?, "property")).take(FIELDS).collect();
    Some((code, about(owned(answer, "description"), fields)))
}

/// The names and descriptions of a message that was refused in a 200.
fn said(message: &Object) -> String {
    let parts = ["error", "status"].into_iter().filter_map(|part| {
        let part = json::object(message, &[part])?;
        let name = json::text(part, "name").filter(|name| *name != "NO_ERROR")?;
        Some(match json::text(part, "description") {
            Some(description) => format!("{name} ({description})"),
            None => name.to_owned(),
        })
    });
    let said = parts.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "without a reason".into() } else { without_numbers(&said) }
}

fn describe(status: u16, refused: Option<(String, String)>) -> String {
    let mut text = format!("Infobip answered {status}");
    let (code, words) = refused.unwrap_or_default();
    for part in [code, words].iter().filter(|part| !part.is_empty()) {
        text.push_str(": ");
        text.push_str(&without_numbers(part));
    }
    match status {
        401 | 403 => text.push_str("; check the sender's api_key and its scopes"),
        300..=399 | 404 | 405 => text.push_str("; check the sender's base_url"),
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests;
