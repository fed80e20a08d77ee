//! What became of a request to the Graph API, from its answer.
//!
//! | answer | fate | because |
//! |---|---|---|
//! | 2xx with a message id, or with `success` | sent | a failure may still be reported later |
//! | an error with a code of [`codes::RULES`] | as written there | whatever the status, 200 and 500 too |
//! | an error that calls itself transient | retry | nothing went out |
//! | 2xx cut off in the middle | sent | the status holds; reports bring our reference |
//! | 2xx with neither id nor error | unknown | it is not Meta's answer; what became of the message? |
//! | 408, 421, 425, 429 | retry, not before `Retry-After` | the request was not taken |
//! | 503 with `Retry-After` | retry, not before it | whoever answers says so about a request not taken |
//! | 500, 502, 503, 504, ... | unknown | it may have gone out before it failed |
//! | 401, 403 without such a code | key refused | everything waits for another key |
//! | everything else | permanent | the same again will fail again |
//!
//! Of the answer only the error's own words are taken, cut and without long numbers.

use http::HeaderMap;
use serde_json::Value;

use crate::channel::Outcome;
use crate::channel::answer::{retry_after_ms, without_numbers};
use crate::channel::json::{self, Object};
use crate::channel::meta::codes;
use crate::identity;
use crate::message::Fate;

/// Who answers: Meta, or whoever passes the Cloud API on.
#[derive(Debug)]
pub struct Answering {
    pub who: &'static str,
    /// The settings that say where it is.
    pub address: &'static str,
}

/// Reads the answer to a message that was sent to `to`.
pub fn read(from: &Answering, status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome {
    let answer = match success(from, status, headers, body) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    match first(&answer, "messages").and_then(|message| json::text(message, "id")) {
        Some(id) => Outcome::Sent { provider_id: Some(id.to_owned()), known_as: known_as(&answer, to) },
        // Marking as read, and showing that one writes.
        None if json::flag(&answer, "success") || is_cut(body) => Outcome::sent(None),
        None => Outcome::failed(
            Fate::Unknown,
            format!("{} answered {status} without a message id; check the sender's base_url", from.who),
        ),
    }
}

/// An object that was not read to its end.
fn is_cut(body: &[u8]) -> bool {
    let begins = body.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| *byte == b'{');
    begins && json::parse::<Object>(body).is_err()
}

/// The answer of a call that went well; else what the lack of one means. For all calls.
pub fn success(from: &Answering, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Object, Outcome> {
    let answer: Option<Object> = json::parse(body).ok();
    let error = answer.as_ref().and_then(|answer| json::object(answer, &["error"]));
    match (status, error, &answer) {
        (200..=299, None, _) => Ok(answer.unwrap_or_default()),
        _ => Err(failure(from, status, headers, error)),
    }
}

/// Does it say that the token is not, or no longer, valid?
pub fn is_token_refused(body: &[u8]) -> bool {
    let answer: Option<Object> = json::parse(body).ok();
    let error = answer.as_ref().and_then(|answer| json::object(answer, &["error"]));
    error.and_then(|error| json::number(json::field(error, "code")?)) == Some(190.0)
}

fn failure(from: &Answering, status: u16, headers: &HeaderMap, error: Option<&Object>) -> Outcome {
    let code = error.and_then(code);
    let rule = code.and_then(codes::rule);
    let words = describe(from, status, code, error);
    let transient = error.is_some_and(|error| json::flag(error, "is_transient"));
    let after_ms = retry_after_ms(headers);
    let fate = match (rule, status) {
        (Some(rule), _) => rule.fate,
        (None, _) if transient => Fate::Retry,
        (None, 408 | 421 | 425 | 429) => Fate::Retry,
        (None, 503) if after_ms.is_some() => Fate::Retry,
        (None, 401 | 403) => Fate::KeyRefused,
        (None, 200..=299 | 500..) => Fate::Unknown,
        (None, _) => Fate::Permanent,
    };
    match fate {
        Fate::Retry => Outcome::retry(after_ms, words),
        fate => Outcome::failed(fate, words),
    }
}

fn code(error: &Object) -> Option<i64> {
    let code = json::number(json::field(error, "code")?)?;
    (code.fract() == 0.0 && code.abs() < 1e15).then_some(code as i64)
}

/// The first object in the list of this name.
fn first<'a>(answer: &'a Object, name: &str) -> Option<&'a Object> {
    json::field(answer, name)?.as_array()?.first()?.as_object()
}

/// `contacts` shows what was written (`input`) beside what the network knows: another form of the
/// number, or only the business-scoped id.
fn known_as(answer: &Object, to: &str) -> Option<String> {
    let contact = first(answer, "contacts")?;
    let written = json::text(contact, "input").unwrap_or(to);
    let plain = |address: &str| identity::phone_digits(address).unwrap_or_else(|_| address.trim().to_owned());
    ["wa_id", "user_id"]
        .into_iter()
        .filter_map(|name| json::text(contact, name))
        .find(|address| identity::network_id(address).is_ok() && plain(address) != plain(written))
        .map(str::to_owned)
}

fn describe(from: &Answering, status: u16, code: Option<i64>, error: Option<&Object>) -> String {
    let mut text = format!("{} answered {status}", from.who);
    if let Some(code) = code {
        text.push_str(&format!(", code {code}"));
    }
    if let Some(error) = error {
        let data = json::field(error, "error_data").and_then(Value::as_object);
        let details = data.and_then(|data| json::text(data, "details"));
        let words = [json::text(error, "message"), details.or_else(|| json::text(error, "error_user_msg"))];
        for (mark, words) in [": ", ": "].into_iter().zip(words.into_iter().flatten()) {
            text.push_str(mark);
            text.push_str(&without_numbers(words));
        }
    }
    match code.and_then(codes::rule).map(|rule| rule.advice).filter(|advice| !advice.is_empty()) {
        Some(advice) => text.push_str(&format!("; {advice}")),
        None if error.is_none() && matches!(status, 401 | 403) => {
            text.push_str("; check the sender's api_key and base_url");
        }
        None if error.is_none() && matches!(status, 100..=199 | 300..=399 | 404 | 405) => {
            text.push_str(&format!("; check the sender's {}", from.address));
        }
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::meta::META;
    use crate::channel::testing;

    /// The fate in a word, with its id or wait.
    fn fate(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let headers = testing::headers(headers);
        match read(&META, status, &headers, body.as_bytes(), "971501234567") {
            Outcome::Sent { provider_id, known_as } => {
                let also = known_as.map(|address| format!(", known as {address}")).unwrap_or_default();
                format!("sent {}{also}", provider_id.unwrap_or_default())
            }
            Outcome::Failed { fate: Fate::Retry, after_ms: Some(after), .. } => {
                format!("retry after {after}")
            }
            Outcome::Failed { fate, .. } => format!("{fate:?}"),
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let sent = |contact: &str| format!(r#"{{"contacts":[{contact}],"messages":[{{"id":"wamid.A"}}]}}"#);
        let after = [("retry-after", "7")];
        for (status, headers, body, expected) in [
            (200, &[][..], sent(r#"{"input":"971501234567","wa_id":"971501234567"}"#), "sent wamid.A"),
            (200, &[], sent(r#"{"input":"+971 50 123 4567","wa_id":"971501234567"}"#), "sent wamid.A"),
            (
                200,
                &[],
                sent(r#"{"input":"5585991203123","wa_id":"558591203123"}"#),
                "sent wamid.A, known as 558591203123",
            ),
            (
                200,
                &[],
                sent(r#"{"input":"971501234567","user_id":"US.1234"}"#),
                "sent wamid.A, known as US.1234",
            ),
            (200, &[], sent(r#"{"input":"US.1234","user_id":"US.1234"}"#), "sent wamid.A"),
            (200, &[], sent(r#"{"wa_id":"971501234567"}"#), "sent wamid.A"),
            (200, &[], sent(r#"{"wa_id":"nobody"}"#), "sent wamid.A"),
            (
                200,
                &[],
                r#"{"messages":[{"id":"wamid.A","message_status":"held_for_quality_assessment"}]}"#.into(),
                "sent wamid.A",
            ),
            (200, &[], r#"{"success":true}"#.into(), "sent "),
            (200, &[], r#"{"messages":[{"id":""}]}"#.into(), "Unknown"),
            (200, &[], r#"{"messages":[]}"#.into(), "Unknown"),
            (200, &[], "<html>".into(), "Unknown"),
            (200, &[], String::new(), "sent "),
            (200, &[], r#"{"messaging_product":"whatsapp","contacts":[{"inp"#.into(), "sent "),
            (200, &[], "{}".into(), "Unknown"),
            (200, &[], r#"{"error":{"code":131026}}"#.into(), "Permanent"),
            (200, &[], r#"{"error":{"code":130429}}"#.into(), "Retry"),
            (200, &[], r#"{"error":{"code":99}}"#.into(), "Unknown"),
            (400, &[], r#"{"error":{"code":131047}}"#.into(), "WindowClosed"),
            (400, &[], r#"{"error":{"code":"131047"}}"#.into(), "WindowClosed"),
            (400, &[], r#"{"error":{"code":131050}}"#.into(), "OptedOut"),
            (400, &[], r#"{"error":{"code":100}}"#.into(), "Permanent"),
            (400, &[], r#"{"error":{"code":99}}"#.into(), "Permanent"),
            (400, &[], r#"{"error":{"code":99,"is_transient":true}}"#.into(), "Retry"),
            (400, &[], r#"{"error":"no object"}"#.into(), "Permanent"),
            (401, &[], r#"{"error":{"code":190}}"#.into(), "KeyRefused"),
            (403, &[], r#"{"error":{"code":131056}}"#.into(), "Retry"),
            (429, &after, r#"{"error":{"code":80007}}"#.into(), "retry after 7000"),
            (429, &after, String::new(), "retry after 7000"),
            (408, &[], String::new(), "Retry"),
            (425, &[], String::new(), "Retry"),
            (500, &[], r#"{"error":{"code":131000}}"#.into(), "Retry"),
            (500, &[], r#"{"error":{"code":1}}"#.into(), "Unknown"),
            (500, &[], r#"{"error":{"code":131026}}"#.into(), "Permanent"),
            (500, &[], String::new(), "Unknown"),
            (502, &[], "<html>".into(), "Unknown"),
            (503, &[], String::new(), "Unknown"),
            (503, &after, String::new(), "retry after 7000"),
            (503, &[], r#"{"error":{"code":2,"is_transient":true}}"#.into(), "Retry"),
            (504, &[], String::new(), "Unknown"),
            (404, &[], String::new(), "Permanent"),
            (302, &[], String::new(), "Permanent"),
            (100, &[], String::new(), "Permanent"),
        ] {
            assert_eq!(fate(status, headers, &body), expected, "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn errors_say_what_to_do_and_name_nobody() {
        for (status, body, expected) in [
            (
                401,
                json!({"error": {"code": 190, "message": "Session has expired", "fbtrace_id": "A"}})
                    .to_string(),
                "Meta answered 401, code 190: Session has expired; give the sender a new api_key: a token with the \
                 permission whatsapp_business_messaging",
            ),
            (
                400,
                json!({"error": {"code": 131026, "message": "(#131026) Message undeliverable",
                    "error_data": {"details": "971501234567 is\nnot there"}}})
                .to_string(),
                "Meta answered 400, code 131026: (#131026) Message undeliverable: ***** is not there; the contact is \
                 not on WhatsApp, or cannot take this",
            ),
            (
                403,
                "<html>my secret</html>".into(),
                "Meta answered 403; check the sender's api_key and base_url",
            ),
            (404, String::new(), "Meta answered 404; check the sender's base_url and api_version"),
            (500, "my secret".into(), "Meta answered 500"),
        ] {
            match read(&META, status, &HeaderMap::new(), body.as_bytes(), "971501234567") {
                Outcome::Failed { error, .. } => assert_eq!(error, expected),
                other => panic!("{other:?}"),
            }
        }
        let long =
            json!({"error": {"message": "x".repeat(10_000), "error_data": {"details": "y".repeat(10_000)}}});
        let Outcome::Failed { error, .. } =
            read(&META, 400, &HeaderMap::new(), long.to_string().as_bytes(), "1")
        else {
            panic!("400 is permanent");
        };
        assert!(error.len() < 500);
    }
}
