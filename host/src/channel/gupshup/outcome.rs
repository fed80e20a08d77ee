//! What became of a reply, by Gupshup's answer. A code decides where there is one that is known, else
//! the HTTP status. A message that is taken is only `submitted`: what becomes of it comes by webhook,
//! with the same codes.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | 2xx | sent | the id is `messageId`, the one that webhooks call `gsId` |
//! | 2xx with `status: error` | by its code, else permanent | it says itself that nothing went out |
//! | any with a known code | by [`CODES`] | the code says more than the status |
//! | 400, 401, 403, 404, 405, 413, 422, ... | permanent | the same request fails again |
//! | 408, 421, 425, 429 | retry, not before `Retry-After` | the request was not taken |
//! | 503 with `Retry-After` | retry, not before it | whoever answers says so about a request not taken |
//! | 500, 502, 503, 504, ... | unknown | it may have gone out before it failed; Gupshup takes no id of ours |
//! | 1xx, 3xx | permanent | the address is not Gupshup's |

use http::HeaderMap;

use crate::channel::Outcome;
use crate::channel::answer::{retry_after_ms, without_numbers};
use crate::channel::cloud::status::code;
use crate::channel::cloud::word;
use crate::channel::json::{self, Object};
use crate::message::Fate;

/// Codes from, to, and what follows. Gupshup's own are those of its page "Error Codes", the others are
/// WhatsApp's, from Meta's page of the same name; Gupshup passes them on.
pub const CODES: &[(i64, i64, Fate)] = &[
    // "Internal Server Error".
    (500, 500, Fate::Unknown),
    // Sandbox: the contact has not joined it. Not on WhatsApp. Wallet empty.
    (1001, 1003, Fate::Permanent),
    // No session, and: templates switched off, not a template, not opted in for templates.
    (1004, 1008, Fate::WindowClosed),
    // A file whose address or size is refused.
    (1010, 1011, Fate::Permanent),
    (1012, 1012, Fate::OptedOut),
    (4001, 4001, Fate::Retry),
    // "Invalid Response From WhatsApp": nobody knows what it did.
    (4002, 4002, Fate::Unknown),
    // No such template, only for the Cloud API, template paused.
    (4003, 4005, Fate::Permanent),
    // Tokens and permissions, of Gupshup itself.
    (0, 0, Fate::Permanent),
    (3, 3, Fate::Permanent),
    (10, 10, Fate::Permanent),
    (190, 190, Fate::Permanent),
    (200, 299, Fate::Permanent),
    // Temporarily down; too many calls.
    (2, 2, Fate::Retry),
    (4, 4, Fate::Retry),
    (613, 613, Fate::Retry),
    (80007, 80007, Fate::Retry),
    // Banned for policy.
    (368, 368, Fate::Permanent),
    // More than 24 hours: as the old API and as this one calls it.
    (470, 470, Fate::WindowClosed),
    (131047, 131047, Fate::WindowClosed),
    // The number's throughput; the number's quality; this contact's.
    (130429, 130429, Fate::Retry),
    (131048, 131048, Fate::Retry),
    (131056, 131056, Fate::Retry),
    (133016, 133016, Fate::Retry),
    // The contact takes part in an experiment and gets no advertising.
    (130472, 130472, Fate::Permanent),
    // Something went wrong; unavailable; files; maintenance.
    (131000, 131000, Fate::Retry),
    (131016, 131016, Fate::Retry),
    (131053, 131053, Fate::Retry),
    (131057, 131057, Fate::Retry),
    // Undeliverable; locked account; payment; kept from this contact for its own good.
    (131026, 131026, Fate::Permanent),
    (131031, 131031, Fate::Permanent),
    (131042, 131042, Fate::Permanent),
    (131049, 131049, Fate::Permanent),
    // The contact has stopped advertising from this business.
    (131050, 131050, Fate::OptedOut),
    // Templates: parameters, names, lengths, policy, paused, disabled.
    (132000, 132016, Fate::Permanent),
];

/// What follows from a code, if it is known.
pub fn fate(code: i64) -> Option<Fate> {
    CODES.iter().find(|(from, to, _)| (*from..=*to).contains(&code)).map(|(_, _, fate)| *fate)
}

/// Reads the answer to a message.
pub fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let answer: Option<Object> = json::parse(body).ok();
    match failed(status, headers, answer.as_ref()) {
        Some(outcome) => outcome,
        None => Outcome::sent(answer.as_ref().and_then(|answer| word(answer, "messageId"))),
    }
}

/// The failure that an answer of any of Gupshup's calls tells; none if it is none.
pub fn failed(status: u16, headers: &HeaderMap, answer: Option<&Object>) -> Option<Outcome> {
    let refused = answer.is_some_and(|answer| json::text(answer, "status") == Some("error"));
    if (200..=299).contains(&status) && !refused {
        return None;
    }
    let code = answer.and_then(self::code_of);
    let known = code.and_then(fate);
    let by_status = match status {
        408 | 421 | 425 | 429 => Fate::Retry,
        503 if retry_after_ms(headers).is_some() => Fate::Retry,
        500.. => Fate::Unknown,
        _ => Fate::Permanent,
    };
    let fate = known.unwrap_or(by_status);
    let after_ms = if fate == Fate::Retry { retry_after_ms(headers) } else { None };
    Some(Outcome::Failed { fate, after_ms, error: describe(status, code, answer) })
}

/// Beside the message or inside it.
fn code_of(answer: &Object) -> Option<i64> {
    let inner = ["message", "error"].iter().find_map(|name| json::object(answer, &[name]));
    code(answer).or_else(|| code(inner?))
}

/// `message` is text, or an object with a `message`.
fn words(answer: &Object) -> Option<&str> {
    ["message", "error", "reason"].iter().find_map(|name| {
        let inner = json::object(answer, &[name]);
        json::text(answer, name).or_else(|| json::text(inner?, "message"))
    })
}

fn describe(status: u16, code: Option<i64>, answer: Option<&Object>) -> String {
    let mut text = format!("Gupshup answered {status}");
    if let Some(code) = code {
        text.push_str(&format!(" with code {code}"));
    }
    // An unhandled failure may quote the request.
    let words = answer.filter(|_| status < 500).and_then(words);
    if let Some(words) = words {
        text.push_str(": ");
        text.push_str(&without_numbers(words));
    }
    match (status, code) {
        (401 | 403, None) => text.push_str("; check the sender's api_key"),
        (404 | 405, None) | (300..=399, _) => text.push_str("; check the sender's base_url and app_id"),
        (_, Some(1003)) => text.push_str("; fill the account's wallet"),
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, retry_after: Option<&str>, body: &str) -> Outcome {
        let mut headers = HeaderMap::new();
        if let Some(after) = retry_after {
            headers.insert("retry-after", after.parse().expect("a value"));
        }
        read(status, &headers, body.as_bytes())
    }

    #[test]
    fn every_row_of_the_codes() {
        for (from, to, expected) in CODES {
            for code in [*from, *to] {
                assert_eq!(fate(code), Some(*expected), "{code}");
                for (status, body) in [
                    (400, format!(r#"{{"status":"error","code":{code},"message":"no"}}"#)),
                    (500, format!(r#"{{"status":"error","code":"{code}"}}"#)),
                    (200, format!(r#"{{"status":"error","message":{{"code":{code},"message":"no"}}}}"#)),
                ] {
                    let Outcome::Failed { fate, error, .. } = outcome(status, None, &body) else {
                        panic!("{code} is a failure")
                    };
                    assert_eq!(fate, *expected, "{status} {code}");
                    assert!(error.contains(&format!("code {code}")), "{error}");
                }
            }
        }
        for (from, to, _) in CODES {
            let known = CODES.iter().filter(|(first, last, _)| from <= last && first <= to).count();
            assert_eq!((from <= to, known), (true, 1), "{from} to {to} stands there once");
        }
        assert_eq!((fate(1009), fate(132_017), fate(-1), fate(199)), (None, None, None, None));
    }

    #[test]
    fn every_row_of_the_answers() {
        let error = r#"{"status":"error","message":"Invalid Destination"}"#;
        for (status, retry_after, body, expected) in [
            (200, None, r#"{"status":"submitted","messageId":"g-1"}"#, Outcome::sent(Some("g-1".into()))),
            (202, None, r#"{"status":"success","messageId":"g-1"}"#, Outcome::sent(Some("g-1".into()))),
            (202, None, "", Outcome::sent(None)),
            (200, None, "<html>", Outcome::sent(None)),
            (200, None, error, Outcome::failed(Fate::Permanent, "Gupshup answered 200: Invalid Destination")),
            (400, None, error, Outcome::failed(Fate::Permanent, "Gupshup answered 400: Invalid Destination")),
            (
                401,
                None,
                r#"{"message":{"message":"Authentication Failed"},"status":"error"}"#,
                Outcome::failed(
                    Fate::Permanent,
                    "Gupshup answered 401: Authentication Failed; check the sender's api_key",
                ),
            ),
            (
                404,
                None,
                "",
                Outcome::failed(
                    Fate::Permanent,
                    "Gupshup answered 404; check the sender's base_url and app_id",
                ),
            ),
            (
                302,
                None,
                "",
                Outcome::failed(
                    Fate::Permanent,
                    "Gupshup answered 302; check the sender's base_url and app_id",
                ),
            ),
            (408, None, "", Outcome::retry(None, "Gupshup answered 408")),
            (429, Some("7"), "Too Many Requests", Outcome::retry(Some(7_000), "Gupshup answered 429")),
            (429, None, "", Outcome::retry(None, "Gupshup answered 429")),
            (500, Some("7"), error, Outcome::failed(Fate::Unknown, "Gupshup answered 500")),
            (502, None, "<html>", Outcome::failed(Fate::Unknown, "Gupshup answered 502")),
            (503, None, "", Outcome::failed(Fate::Unknown, "Gupshup answered 503")),
            (503, Some("2"), "", Outcome::retry(Some(2_000), "Gupshup answered 503")),
            (
                400,
                Some("3"),
                r#"{"status":"error","code":4001,"message":"slow down"}"#,
                Outcome::retry(Some(3_000), "Gupshup answered 400 with code 4001: slow down"),
            ),
            (
                400,
                None,
                r#"{"status":"error","message":"918298002134 is\nno number"}"#,
                Outcome::failed(Fate::Permanent, "Gupshup answered 400: ***** is no number"),
            ),
        ] {
            assert_eq!(outcome(status, retry_after, body), expected, "{status} {body}");
        }
    }
}
