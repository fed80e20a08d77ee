//! What WAHA's answer means for the reply. The question is always the same: may it have gone out?
//!
//! | answer | fate | because |
//! |---|---|---|
//! | 2xx | sent | WAHA answers after the engine took it; the id differs by engine |
//! | 401, 403 | key refused | everything waits for another key |
//! | 400, 405, 413, ... | permanent | the same request will be refused again |
//! | 404 `Session not found` | retry | an operator can create the session; nothing went out |
//! | 404 otherwise | permanent | the address is not a WAHA's |
//! | 408, 421, 425 | retry | the request was not taken |
//! | 422 about the session | retry | it is not `WORKING` now; nothing went out |
//! | 422 otherwise, 501 | permanent | the engine cannot do this |
//! | 429 | retry, not before `Retry-After` | nothing went out |
//! | 503 with `Retry-After` | retry, not before it | whoever answers says so about a request not taken |
//! | 500, 502, 503, 504, ... | unknown | it may have gone out before it failed; a proxy cannot tell |
//! | 1xx, 3xx | permanent | the address is not a WAHA's |
//!
//! Errors never repeat the request: WAHA's 500 has the whole of it in its body, and so of the answer
//! only the error's own words are taken, without long numbers.

use http::HeaderMap;
use serde_json::Value;

use crate::channel::Outcome;
use crate::channel::answer::{retry_after_ms, without_numbers};
use crate::channel::json::{self, Object};
use crate::channel::waha::chat_of;
use crate::channel::waha::person::chat_id;
use crate::message::Fate;

/// The engine's own messages are a few words.
const CAUSE_BYTES: usize = 80;

/// Reads the answer to a request that was sent to `to`.
pub fn read(status: u16, headers: &HeaderMap, body: &[u8], to: &str) -> Outcome {
    let answer: Option<Object> = json::parse(body).ok();
    let about_session = answer.as_ref().is_some_and(is_about_session);
    let error = || describe(status, answer.as_ref());
    match status {
        200..=299 => Outcome::sent(answer.as_ref().and_then(|answer| sent_id(answer, to))),
        404 | 422 if about_session => Outcome::retry(None, error()),
        408 | 421 | 425 | 429 => Outcome::retry(retry_after_ms(headers), error()),
        503 if retry_after_ms(headers).is_some() => Outcome::retry(retry_after_ms(headers), error()),
        401 | 403 => Outcome::failed(Fate::KeyRefused, error()),
        501 => Outcome::failed(Fate::Permanent, error()),
        500.. => Outcome::failed(Fate::Unknown, error()),
        _ => Outcome::failed(Fate::Permanent, error()),
    }
}

/// GOWS: `id`, serialized. WEBJS: `id._serialized`. NOWEB: `key.id`, bare; receipts will name it with
/// chat and all, so it is completed.
fn sent_id(answer: &Object, to: &str) -> Option<String> {
    let raw = || json::object(answer, &["_data"]);
    let serialized = |object: &Object| match json::field(object, "id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Object(id) => {
            json::text(id, "_serialized").or_else(|| json::text(id, "id")).map(str::to_owned)
        }
        _ => None,
    };
    let key = json::object(answer, &["key"]).or_else(|| json::object(raw()?, &["key"]));
    let chat = || {
        let remote = key.and_then(|key| json::text(key, "remoteJid"));
        remote.and_then(|remote| chat_id(remote).ok()).or_else(|| chat_id(to).ok())
    };
    let id = serialized(answer)
        .or_else(|| serialized(raw()?))
        .or_else(|| json::text(key?, "id").map(str::to_owned))
        .or_else(|| json::text(json::object(raw()?, &["Info"])?, "ID").map(str::to_owned))?;
    if chat_of(&id).is_some() || id.starts_with("true_") {
        return Some(id);
    }
    match chat() {
        Some(chat) => Some(format!("true_{chat}_{id}")),
        None => Some(id),
    }
}

/// `{"error": "Session status is not as expected …", "session", "status", "expected"}`, or NestJS's
/// `{"message": "Session not found"}` and its older and newer wordings.
fn is_about_session(answer: &Object) -> bool {
    json::field(answer, "expected").is_some()
        || words(answer).is_some_and(|words| {
            let words = words.to_lowercase();
            // Of an address that is no WAHA's, with the word in its path.
            words.contains("session") && !words.starts_with("cannot ")
        })
}

/// NestJS's `message` is text or a list of texts; WAHA's own errors have `error` alone.
pub fn words(answer: &Object) -> Option<String> {
    match json::field(answer, "message") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(texts)) => {
            Some(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
        }
        _ => json::text(answer, "error").map(str::to_owned),
    }
}

/// The message of an unhandled exception. It may quote what was to be sent.
pub fn exception(answer: &Object) -> Option<String> {
    let exception = json::object(answer, &["exception"])?;
    json::text(exception, "message").map(str::to_owned)
}

/// What may be shown of an unhandled exception: its kind, and its message where that is the engine's own.
/// Any other message may quote what was to be sent; so may the engine's, which is found out by what WAHA
/// says it was asked.
fn cause(answer: &Object) -> Option<String> {
    let exception = json::object(answer, &["exception"])?;
    let name = json::text(exception, "name").map(str::to_owned);
    let engines_own = json::field(exception, "isBoom").and_then(Value::as_bool) == Some(true);
    let message = json::text(exception, "message").filter(|message| {
        engines_own
            && message.len() <= CAUSE_BYTES
            && !json::object(answer, &["request"])
                .is_some_and(|asked| json::field(asked, "body").is_some_and(|body| quotes(message, body)))
    });
    match (name, message) {
        (Some(name), Some(message)) if name != "Error" => Some(format!("{name}: {message}")),
        (name, message) => message.map(str::to_owned).or(name),
    }
}

/// Does the text repeat any of the texts in this value?
fn quotes(text: &str, value: &Value) -> bool {
    match value {
        Value::String(part) => !part.is_empty() && text.contains(part.as_str()),
        Value::Array(parts) => parts.iter().any(|part| quotes(text, part)),
        Value::Object(parts) => parts.values().any(|part| quotes(text, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// WAHA's words, as far as they may be shown, and what to check.
pub fn describe(status: u16, answer: Option<&Object>) -> String {
    let words = match answer {
        Some(answer) if status >= 500 => cause(answer),
        Some(answer) => words(answer),
        None => None,
    };
    let state = answer.filter(|_| status == 422).and_then(|answer| json::text(answer, "status"));
    let mut text = format!("WAHA answered {status}");
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        text.push_str(": ");
        text.push_str(&without_numbers(&words));
    }
    if let Some(state) = state {
        text.push_str(&format!(" (the session is {})", without_numbers(state)));
    }
    match status {
        401 | 403 => text.push_str("; check the sender's api_key"),
        300..=399 | 404 | 405 if answer.is_none_or(|answer| !is_about_session(answer)) => {
            text.push_str("; check the sender's base_url");
        }
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::testing;

    /// The fate in a word, with its id or wait.
    fn fate(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let headers = testing::headers(headers);
        match read(status, &headers, body.as_bytes(), "971501234567@c.us") {
            Outcome::Sent { provider_id, .. } => format!("sent {}", provider_id.unwrap_or_default()),
            Outcome::Failed { fate: Fate::Retry, after_ms: Some(after), .. } => {
                format!("retry after {after}")
            }
            Outcome::Failed { fate: Fate::Retry, .. } => "retry".into(),
            Outcome::Failed { fate: Fate::Permanent, .. } => "permanent".into(),
            Outcome::Failed { fate: Fate::KeyRefused, .. } => "key refused".into(),
            Outcome::Failed { fate: Fate::OptedOut, .. } => "opted out".into(),
            Outcome::Failed { fate: Fate::WindowClosed, .. } => "window closed".into(),
            Outcome::Failed { fate: Fate::Unknown, .. } => "unknown".into(),
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let not_working = r#"{"error":"Session status is not as expected. Try again later or restart the session","session":"default","status":"STARTING","expected":["WORKING"]}"#;
        let no_session = r#"{"statusCode":404,"message":"Session not found","error":"Not Found"}"#;
        let older = r#"{"statusCode":422,"message":"We didn't find a session with name 'default'. Please start it first by using POST /sessions/start request","error":"Unprocessable Entity"}"#;
        let no_path = r#"{"statusCode":404,"message":"Cannot POST /waha/api/sendText","error":"Not Found"}"#;
        let engine = r#"{"statusCode":422,"message":"The method is not implemented by the engine.","error":"Unprocessable Entity"}"#;
        let date =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")];
        let past =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")];
        for (status, headers, body, expected) in [
            (201, &[][..], r#"{"id":"true_1@c.us_A"}"#, "sent true_1@c.us_A"),
            (200, &[], r#"{"id":"true_1@lid_A_B"}"#, "sent true_1@lid_A_B"),
            (201, &[], r#"{"id":{"_serialized":"true_1@c.us_A","id":"A"}}"#, "sent true_1@c.us_A"),
            (201, &[], r#"{"_data":{"id":{"_serialized":"true_1@c.us_A"}}}"#, "sent true_1@c.us_A"),
            (
                201,
                &[],
                r#"{"key":{"id":"A","remoteJid":"9715099@s.whatsapp.net"}}"#,
                "sent true_9715099@c.us_A",
            ),
            (201, &[], r#"{"key":{"id":"A"}}"#, "sent true_971501234567@c.us_A"),
            (201, &[], r#"{"id":"3EB0"}"#, "sent true_971501234567@c.us_3EB0"),
            (201, &[], "", "sent "),
            (201, &[], "null", "sent "),
            (201, &[], r#"{"id":7}"#, "sent "),
            (202, &[], "<html>", "sent "),
            (
                400,
                &[],
                r#"{"statusCode":400,"message":["text must be a string"],"error":"Bad Request"}"#,
                "permanent",
            ),
            (401, &[], r#"{"message":"Unauthorized","statusCode":401}"#, "key refused"),
            (403, &[], r#"{"message":"Forbidden","statusCode":403}"#, "key refused"),
            (404, &[], no_session, "retry"),
            (404, &[], no_path, "permanent"),
            (404, &[], "", "permanent"),
            (405, &[], "", "permanent"),
            (408, &[], "", "retry"),
            (413, &[], "", "permanent"),
            (422, &[], not_working, "retry"),
            (422, &[], older, "retry"),
            (422, &[], engine, "permanent"),
            (422, &[], "", "permanent"),
            (425, &[], "", "retry"),
            (429, &[], "", "retry"),
            (429, &[("retry-after", "7")], "", "retry after 7000"),
            (429, &[("retry-after", "0.5")], "", "retry after 500"),
            (429, &[("retry-after", "-7")], "", "retry"),
            (429, &[("retry-after", "soon")], "", "retry"),
            (429, &date, "", "retry after 30000"),
            (429, &past, "", "retry after 0"),
            (429, &date[1..], "", "retry"),
            (500, &[], r#"{"statusCode":500,"exception":{"name":"Error"}}"#, "unknown"),
            (500, &[("retry-after", "7")], "", "unknown"),
            (501, &[], r#"{"message":"The method is not implemented by 'GOWS' engine."}"#, "permanent"),
            (502, &[], "<html>", "unknown"),
            (503, &[], "", "unknown"),
            (503, &[("retry-after", "7")], "", "retry after 7000"),
            (504, &[], "", "unknown"),
            (599, &[], "", "unknown"),
            (302, &[], "", "permanent"),
            (100, &[], "", "permanent"),
        ] {
            assert_eq!(fate(status, headers, body), expected, "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn errors_say_what_to_do_and_never_repeat_the_request() {
        let echo = json!({
            "statusCode": 500,
            "exception": {"name": "TimeoutError", "message": "sending 'my secret' to 971501234567", "stack": "my secret"},
            "request": {"path": "/api/sendText", "body": {"text": "my secret", "chatId": "971501234567@c.us"}},
        });
        for (status, body, expected) in [
            (500, echo.to_string(), "WAHA answered 500: TimeoutError"),
            (
                401,
                r#"{"message":"Unauthorized"}"#.into(),
                "WAHA answered 401: Unauthorized; check the sender's api_key",
            ),
            (404, String::new(), "WAHA answered 404; check the sender's base_url"),
            (404, r#"{"message":"Session not found"}"#.into(), "WAHA answered 404: Session not found"),
            (
                422,
                r#"{"error":"Session status is not as expected","status":"STARTING","expected":["WORKING"]}"#
                    .into(),
                "WAHA answered 422: Session status is not as expected (the session is STARTING)",
            ),
            (
                400,
                r#"{"message":["chatId 971501234567@c.us is not\non WhatsApp","text must be a string"]}"#
                    .into(),
                "WAHA answered 400: chatId *****@c.us is not on WhatsApp; text must be a string",
            ),
            (400, "<html>my secret</html>".into(), "WAHA answered 400"),
            (
                500,
                r#"{"exception":{"message":"Connection Closed","isBoom":true},"request":{"body":{"text":"my secret"}}}"#
                    .into(),
                "WAHA answered 500: Connection Closed",
            ),
            (
                500,
                r#"{"exception":{"message":"no my secret","isBoom":true},"request":{"body":{"text":"my secret"}}}"#
                    .into(),
                "WAHA answered 500",
            ),
            (
                422,
                r#"{"error":"Session \"main\" does not exist","session":"main"}"#.into(),
                "WAHA answered 422: Session \"main\" does not exist",
            ),
        ] {
            let error = match read(status, &HeaderMap::new(), body.as_bytes(), "971501234567@c.us") {
                Outcome::Failed { error, .. } => error,
                other => panic!("{other:?}"),
            };
            assert_eq!(error, expected);
        }
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(10_000));
        let Outcome::Failed { error, .. } = read(400, &HeaderMap::new(), long.as_bytes(), "1") else {
            panic!("400 is permanent");
        };
        assert!(error.len() < 300);
    }
}
