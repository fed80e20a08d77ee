//! The session codec: what is kept of a configuration, and what answers mean.

use serde_json::json;

use super::*;
use crate::message::Provider;

fn sender(account: &str) -> Sender {
    serde_json::from_value(json!({
        "name": "tenant-2", "provider": Provider::Waha, "account": account,
        "base_url": "http://127.0.0.1:3000/", "api_key": "key",
    }))
    .expect("a sender")
}

#[test]
fn requests() {
    let sender = sender("tenant 2/x");
    let lid = ContactKey::from_stored("245@lid");
    for (request, method, url) in [
        (look(&sender), "GET", "/api/sessions/tenant%202%2Fx"),
        (order(&sender, Order::LogOut), "POST", "/api/sessions/tenant%202%2Fx/logout"),
        (qr_picture(&sender), "GET", "/api/tenant%202%2Fx/auth/qr?format=image"),
        (phone_of(&sender, &lid), "GET", "/api/tenant%202%2Fx/lids/245%40lid"),
        (look_with_apps(&sender), "GET", "/api/sessions/tenant%202%2Fx?expand=apps"),
        (replace(&sender, &Object::new(), None), "PUT", "/api/sessions/tenant%202%2Fx"),
    ] {
        let request = request.expect("a request");
        assert_eq!(request.method.as_str(), method);
        assert_eq!(request.url, format!("http://127.0.0.1:3000{url}"));
        assert!(request.headers.contains(&("X-Api-Key".into(), "key".into())));
    }
    for account in ["", ".", ".."] {
        let mut nameless = sender.clone();
        nameless.account = account.into();
        assert!(look(&nameless).is_err(), "{account:?}");
    }
}

#[test]
fn answers() {
    let failed = |text: &str| Err(Refusal::Failed(text.into()));
    for (status, body, expected) in [
        (
            200,
            r#"{"name":"a","status":"WORKING","me":{"id":"5511900000001@c.us"}}"#,
            Ok(("WORKING", Some("5511900000001"))),
        ),
        (201, r#"{"name":"a","status":"STARTING","me":null,"config":null}"#, Ok(("STARTING", None))),
        (
            200,
            r#"{"status":"NEW_WORD","me":{"id":"144@lid","jid":"5511900000001:42@s.whatsapp.net"}}"#,
            Ok(("NEW_WORD", Some("5511900000001"))),
        ),
        (
            404,
            r#"{"statusCode":404,"message":"Session not found","error":"Not Found"}"#,
            Err(Refusal::NoSession),
        ),
        (
            404,
            r#"{"message":"Cannot GET /api/sessions/a"}"#,
            Err(Refusal::NoCall(
                "WAHA answered 404: Cannot GET /api/sessions/a; check the sender's base_url".into(),
            )),
        ),
        (404, r#"{"message":"Not Found","statusCode":404}"#, Err(Refusal::NoSession)),
        (422, r#"{"error":"Session \"a\" does not exist","session":"a"}"#, Err(Refusal::NoSession)),
        (422, r#"{"message":"Session 'a' already exists. Use PUT to update it."}"#, Err(Refusal::Exists)),
        (
            422,
            r#"{"message":"WAHA Core support only 'default' session. You tried to access 'a' session.","statusCode":422}"#,
            Err(Refusal::OneSession(
                "WAHA Core support only 'default' session. You tried to access 'a' session.".into(),
            )),
        ),
        (
            400,
            r#"{"message":"Enable NOWEB store \"config.noweb.store.enabled=True\""}"#,
            Err(Refusal::StoreOff),
        ),
        (
            500,
            r#"{"exception":{"name":"Error","message":"async-lock timed out in queue a"}}"#,
            Err(Refusal::Busy("WAHA answered 500: Error; its lock on the session timed out".into())),
        ),
        (
            422,
            r#"{"error":"Session status is not as expected","status":"STOPPED","expected":["WORKING"]}"#,
            Err(Refusal::NotNow { status: Status::Stopped }),
        ),
        (
            401,
            r#"{"message":"Unauthorized"}"#,
            Err(Refusal::KeyRefused("WAHA answered 401: Unauthorized; check the sender's api_key".into())),
        ),
        (500, r#"{"exception":{"name":"Error","message":"secret"}}"#, failed("WAHA answered 500: Error")),
        (200, "<html>", failed("WAHA's answer is no JSON; check the sender's base_url")),
        (200, "{}", failed("WAHA's answer names no status of the session; check the sender's base_url")),
    ] {
        let read = read(status, body.as_bytes());
        let told = read
            .map(|session| (session.status.to_string(), session.number.map(|key| key.as_str().to_owned())));
        let expected = expected.map(|(word, number)| (word.to_owned(), number.map(str::to_owned)));
        assert_eq!(told, expected, "{status} {body}");
    }
}

#[test]
fn pictures_and_codes() {
    let png = b"\x89PNG\r\n\x1a\nrest";
    assert_eq!(read_picture(200, png).as_deref(), Ok(png.as_slice()));
    let text = base64::engine::general_purpose::STANDARD.encode(png);
    let wrapped = json!({"mimetype": "image/png", "data": text}).to_string();
    assert_eq!(read_picture(200, wrapped.as_bytes()).as_deref(), Ok(png.as_slice()));
    for body in [b"<svg onload=alert(1)>".as_slice(), br#"{"data":"AAAA"}"#, b"{}"] {
        assert!(read_picture(200, body).is_err());
    }
    assert_eq!(read_qr_text(200, br#"{"value":"2@a"}"#).as_deref(), Ok("2@a"));
    assert_eq!(read_pairing_code(201, br#"{"code":"ABCD-ABCD"}"#).as_deref(), Ok("ABCD-ABCD"));
}

#[test]
fn hidden_ids() {
    let phone = |body: &str| read_phone_of(200, body.as_bytes()).map(|key| key.map(|key| key.to_string()));
    for (body, expected) in [
        (r#"{"lid":"123123123@lid","pn":"123456789@c.us"}"#, Some("123456789")),
        (r#"{"lid":"123123123@lid","pn":null}"#, None),
        (r#"{"lid":"123123123@lid","pn":"123123123@lid"}"#, None),
        (r#"{"lid":"123123123@lid","pn":"nobody"}"#, None),
    ] {
        assert_eq!(phone(body), Ok(expected.map(str::to_owned)), "{body}");
    }
}

#[test]
fn the_newest_line_of_a_person() {
    let chats = json!([
        {"id": "120363000000000002@g.us", "lastMessage": {"timestamp": 1_900_000_000}},
        {"id": "971501234567@c.us", "lastMessage": {"timestamp": 1_700_000_000}},
        {"id": "245@lid", "lastMessage": {"timestamp": "1700000001"}},
        {"id": "971501234568@c.us", "lastMessage": null},
    ]);
    assert_eq!(read_last_written_ms(200, chats.to_string().as_bytes()), Ok(Some(1_700_000_001_000)));
    assert_eq!(read_last_written_ms(200, b"[]"), Ok(None));
    assert!(matches!(read_last_written_ms(400, b"{}"), Err(Refusal::Refused(_))));
    // Cut off, or a proxy's page: it says nothing, and is no failure.
    for unreadable in [&b"[{\"id\": \"9715"[..], b"<html>", b"", b"{}"] {
        assert!(matches!(read_last_written_ms(200, unreadable), Err(Refusal::Refused(_))));
    }
    assert!(matches!(read_last_written_ms(503, b""), Err(Refusal::Failed(_))));
}

#[test]
fn every_status_says_what_to_do() {
    for status in [
        Status::Working,
        Status::Starting,
        Status::ScanQrCode,
        Status::PasskeyRequired,
        Status::PasskeyConfirmationRequired,
        Status::Stopped,
        Status::Failed,
    ] {
        assert!(!next_step(&status).contains("not known"), "{status}");
    }
    assert!(next_step(&Status::read("SOMETHING_NEW")).contains("not known"));
}
