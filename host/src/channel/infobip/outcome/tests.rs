//! The table, row by row.

use serde_json::json;

use super::*;
use crate::channel::testing;

/// The fate in a word, with its id or wait.
fn fate_of(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers = testing::headers(headers);
    match read(status, &headers, body.as_bytes()) {
        Outcome::Sent { provider_id, known_as: None } => {
            format!("sent {}", provider_id.unwrap_or_default())
        }
        Outcome::Failed { fate, after_ms: Some(after), .. } => format!("{fate:?} after {after}"),
        Outcome::Failed { fate, .. } => format!("{fate:?}"),
        other => panic!("{other:?}"),
    }
}

/// Every row of the table holds in a 200, in a refused request and in a report.
#[test]
fn every_name_has_its_fate() {
    for (name, expected) in FATES {
        let told = format!("{expected:?}");
        let by_status = json!({"messageId": "A", "status": {"groupName": "REJECTED", "name": name}});
        assert_eq!(fate_of(200, &[], &by_status.to_string()), told, "{name}");
        let by_error = json!({"messages": [{"messageId": "A", "error": {"name": name},
            "status": {"groupName": "UNDELIVERABLE", "name": "UNDELIVERABLE_NOT_DELIVERED"}}]});
        assert_eq!(fate_of(200, &[], &by_error.to_string()), told, "{name}");
        let refused = json!({"requestError": {"serviceException": {"messageId": name}}});
        assert_eq!(fate_of(400, &[], &refused.to_string()), told, "{name}");
        assert_eq!(fate_of(400, &[], &json!({"errorCode": name}).to_string()), told, "{name}");
        let report = json!({"error": {"name": name, "permanent": true}});
        assert_eq!(fate(report.as_object().expect("an object")), Some(*expected), "{name}");
        assert_eq!(FATES.iter().filter(|(other, _)| other == name).count(), 1, "{name} stands once");
    }
}

#[test]
fn every_row_of_the_answers() {
    let answer = |group: &str, name: &str, error: Value| {
        json!({"messageId": "A", "status": {"groupName": group, "name": name}, "error": error}).to_string()
    };
    let exception = |code: &str| {
        json!({"requestError": {"serviceException": {"messageId": code, "text": "t"}}}).to_string()
    };
    let new = |permanent: bool| json!({"name": "EC_NEW", "permanent": permanent});
    let none = json!({"name": "NO_ERROR", "permanent": false});
    let later = [("retry-after", "7")];
    for (status, headers, body, expected) in [
        (200, &[][..], answer("PENDING", "PENDING_ENROUTE", json!(null)), "sent A"),
        (200, &[], answer("ACCEPTED", "MESSAGE_ACCEPTED", none.clone()), "sent A"),
        (200, &[], answer("DELIVERED", "DELIVERED_TO_HANDSET", none.clone()), "sent A"),
        (200, &[], answer("SOMETHING", "NEW", none.clone()), "sent A"),
        (
            200,
            &[],
            r#"{"messages":[{"messageId":"B","status":{"groupId":1}}],"bulkId":"2"}"#.into(),
            "sent B",
        ),
        (200, &[], r#"{"messages":[]}"#.into(), "sent "),
        (200, &[], "".into(), "sent "),
        (202, &[], "<html>".into(), "sent "),
        (200, &[], answer("REJECTED", "REJECTED_NEW", none.clone()), "Permanent"),
        (200, &[], answer("REJECTED", "REJECTED_NEW", new(true)), "Permanent"),
        (200, &[], answer("REJECTED", "REJECTED_NEW", new(false)), "Retry"),
        (200, &later, answer("REJECTED", "REJECTED_FLOODING_FILTER", none.clone()), "Retry after 7000"),
        (200, &[], answer("EXPIRED", "EXPIRED_EXPIRED", none.clone()), "Permanent"),
        (200, &[], answer("REJECTED", "REJECTED_DUPLICATE_MESSAGE_ID", none), "sent A"),
        (200, &[], r#"{"messageId":"A","status":{"groupId":5}}"#.into(), "Permanent"),
        (200, &[], exception("BAD_REQUEST"), "Permanent"),
        (200, &[], exception("SOMETHING"), "Permanent"),
        (200, &[], exception("TOO_MANY_REQUESTS"), "Retry"),
        (400, &[], exception("BAD_REQUEST"), "Permanent"),
        (400, &[], "".into(), "Permanent"),
        (401, &[], exception("UNAUTHORIZED"), "KeyRefused"),
        (403, &[], exception("FORBIDDEN"), "KeyRefused"),
        (404, &[], "<html>".into(), "Permanent"),
        (408, &[], "".into(), "Retry"),
        (421, &[], "".into(), "Retry"),
        (425, &[], "".into(), "Retry"),
        (429, &[], exception("TOO_MANY_REQUESTS"), "Retry"),
        (429, &later, exception("TOO_MANY_REQUESTS"), "Retry after 7000"),
        (429, &later, "".into(), "Retry after 7000"),
        (500, &[], exception("GENERAL_ERROR"), "Unknown"),
        (500, &[], exception("BAD_REQUEST"), "Unknown"),
        (500, &later, "".into(), "Unknown"),
        (501, &[], "".into(), "Permanent"),
        (502, &[], "<html>".into(), "Unknown"),
        (503, &[], exception("SERVICE_UNAVAILABLE"), "Unknown"),
        (503, &later, "".into(), "Retry after 7000"),
        (504, &[], "".into(), "Unknown"),
        (302, &[], "".into(), "Permanent"),
        (100, &[], "".into(), "Permanent"),
    ] {
        assert_eq!(fate_of(status, headers, &body), expected, "{status} {headers:?} {body}");
    }
}

#[test]
fn errors_say_what_to_do_and_never_repeat_the_request() {
    for (status, body, expected) in [
        (
            401,
            json!({"requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}}}),
            "Infobip answered 401: UNAUTHORIZED: Invalid login details; check the sender's api_key and its scopes",
        ),
        (
            400,
            json!({"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "Bad request",
            "validationErrors": {"to": ["385919998888 is not a number", "my secret"]}}}}),
            "Infobip answered 400: BAD_REQUEST: Bad request (to)",
        ),
        (
            400,
            json!({"errorCode": "E400", "description": "385919998888 is wrong",
            "violations": [{"property": "content.text", "violation": "my secret"}]}),
            "Infobip answered 400: E400: ***** is wrong (content.text)",
        ),
        (404, json!({}), "Infobip answered 404; check the sender's base_url"),
        (
            200,
            json!({"messageId": "A", "status": {"groupName": "REJECTED", "name": "REJECTED_DND",
            "description": "385919998888 wants none"}}),
            "Infobip did not take the message: REJECTED_DND (***** wants none)",
        ),
        (
            200,
            json!({"messageId": "A", "status": {"groupId": 5}}),
            "Infobip did not take the message: without a reason",
        ),
    ] {
        match read(status, &HeaderMap::new(), body.to_string().as_bytes()) {
            Outcome::Failed { error, .. } => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
}
