//! What became of a reply, by Gupshup's answer. A code decides where there is one that is known, else
//! the HTTP status. A message that is taken is only `submitted`: what becomes of it comes by webhook,
//! with the same codes.
//!
//! | answer | outcome | why |
//! |---|---|---|
//! | 2xx | sent | the id is `messageId`, the one that webhooks call `gsId` |
//! | 2xx with `status: error` | by its code, else permanent | it says itself that nothing went out |
//! | any with a known code | by [`RULES`] | the code says more than the status |
//! | 401, 403 | key refused | everything waits for another key |
//! | 400, 404, 405, 413, 422, ... | permanent | the same request fails again |
//! | 408, 421, 425, 429 | retry, not before `Retry-After` | the request was not taken |
//! | 503 with `Retry-After` | retry, not before it | whoever answers says so about a request not taken |
//! | 500, 502, 503, 504, ... | unknown | it may have gone out before it failed; Gupshup takes no id of ours |
//! | 1xx, 3xx | permanent | the address is not Gupshup's |

use http::HeaderMap;

use crate::channel::Outcome;
use crate::channel::answer::{retry_after_ms, without_numbers};
use crate::channel::cloud::status::code;
use crate::channel::json::{self, Object, word};
use crate::channel::meta::codes::{self, Rule};
use crate::message::Fate;

/// Gupshup's own codes, from its page "Error Codes". It passes WhatsApp's on, which are Meta's.
pub const RULES: &[Rule] = &[
    rule(500, 500, Fate::Unknown, ""),
    rule(1001, 1001, Fate::Permanent, "the app is a sandbox that the contact has not joined"),
    rule(1002, 1002, Fate::Permanent, "the contact is not on WhatsApp"),
    rule(1003, 1003, Fate::Permanent, "fill the account's wallet at Gupshup"),
    // More than 24 hours, and: templates are switched off, it is none, the contact wants none.
    rule(1004, 1008, Fate::WindowClosed, "only an approved template may go out now"),
    rule(1010, 1011, Fate::Permanent, "is the file's address public, and its size allowed?"),
    rule(1012, 1012, Fate::OptedOut, "the contact wants no messages"),
    rule(4001, 4001, Fate::Retry, "the app sends too fast; lower the sender's rate_per_second"),
    // "Invalid Response From WhatsApp": nobody knows what it did.
    rule(4002, 4002, Fate::Unknown, ""),
    rule(
        4003,
        4003,
        Fate::Permanent,
        "compare the template with what was approved: `switchboard template list`",
    ),
    rule(4004, 4004, Fate::Permanent, "the number is not on the Cloud API"),
    rule(4005, 4005, Fate::Permanent, "the template is paused"),
];

const fn rule(first: i64, last: i64, fate: Fate, advice: &'static str) -> Rule {
    Rule { first, last, fate, advice }
}

/// What is known of a code.
fn known(code: i64) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.first..=rule.last).contains(&code)).or_else(|| codes::rule(code))
}

/// What follows from a code, if it is known.
pub fn fate(code: i64) -> Option<Fate> {
    known(code).map(|rule| rule.fate)
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
    let known = code.and_then(known);
    let by_status = match status {
        401 | 403 => Fate::KeyRefused,
        408 | 421 | 425 | 429 => Fate::Retry,
        503 if retry_after_ms(headers).is_some() => Fate::Retry,
        500.. => Fate::Unknown,
        _ => Fate::Permanent,
    };
    let fate = known.map_or(by_status, |rule| rule.fate);
    let after_ms = if fate == Fate::Retry { retry_after_ms(headers) } else { None };
    Some(Outcome::Failed { fate, after_ms, error: describe(status, code, answer, known) })
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

fn describe(status: u16, code: Option<i64>, answer: Option<&Object>, rule: Option<&Rule>) -> String {
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
    let advice = rule.map(|rule| rule.advice).filter(|advice| !advice.is_empty());
    match (advice, status) {
        (Some(advice), _) => text.push_str(&format!("; {advice}")),
        (None, 401 | 403) => text.push_str("; check the sender's api_key"),
        (None, 404 | 405 | 300..=399) => text.push_str("; check the sender's base_url and app_id"),
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::testing;

    fn outcome(status: u16, retry_after: Option<&str>, body: &str) -> Outcome {
        let headers: Vec<_> = retry_after.map(|after| ("retry-after", after)).into_iter().collect();
        read(status, &testing::headers(&headers), body.as_bytes())
    }

    #[test]
    fn every_row_of_the_codes() {
        for (fate, codes) in [
            (Fate::Permanent, vec![1001, 1002, 1003, 1010, 1011, 4003, 4004, 4005]),
            (Fate::WindowClosed, vec![1004, 1005, 1006, 1007, 1008]),
            (Fate::OptedOut, vec![1012]),
            (Fate::Retry, vec![4001]),
            (Fate::Unknown, vec![500, 4002]),
            // Passed on.
            (Fate::WindowClosed, vec![470, 131_047]),
            (Fate::OptedOut, vec![131_050]),
            (Fate::Retry, vec![130_429, 131_056]),
            (Fate::Permanent, vec![131_026, 131_049, 132_000]),
        ] {
            for code in codes {
                assert_eq!(super::fate(code), Some(fate), "{code}");
                for (status, body) in [
                    (400, format!(r#"{{"status":"error","code":{code},"message":"no"}}"#)),
                    (500, format!(r#"{{"status":"error","code":"{code}"}}"#)),
                    (200, format!(r#"{{"status":"error","message":{{"code":{code},"message":"no"}}}}"#)),
                ] {
                    let Outcome::Failed { fate: found, error, .. } = outcome(status, None, &body) else {
                        panic!("{code} is a failure")
                    };
                    assert_eq!(found, fate, "{status} {code}");
                    assert!(error.contains(&format!("code {code}")), "{error}");
                }
            }
        }
        for code in [999, 1009, 1013, 4000, 4006, -1, i64::MAX] {
            assert_eq!(super::fate(code), None, "{code}");
        }
        for wanted in RULES {
            assert_eq!(
                (known(wanted.first), known(wanted.last)),
                (Some(wanted), Some(wanted)),
                "every row is reached"
            );
        }
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
                    Fate::KeyRefused,
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
                Outcome::retry(
                    Some(3_000),
                    "Gupshup answered 400 with code 4001: slow down; the app sends too fast; lower the sender's rate_per_second",
                ),
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
