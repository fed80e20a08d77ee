//! Templates: filled and sent, submitted, changed, deleted, listed.

use axum::http::HeaderMap;
use serde_json::{Value, json};
use switchboard::channel::media::{Place, Source};
use switchboard::channel::{EncodeError, Outcome, Outgoing, Request, templates};
use switchboard::message::{self, Fate, Outbound, OutboundContent, TemplateParameter};
use switchboard::template::{Category, Status, Template};

use super::requests::{fields, sender};
use super::{PHONE, gupshup};

fn viewing() -> Template {
    serde_json::from_value(json!({
        "name": "viewing", "language": "en", "category": "utility",
        "header": {"type": "text", "text": "Dear {{customer}},"},
        "body": "your viewing is on {{when}} at {{where}}, {{customer}}. It costs {{price}} in all.",
        "footer": "Demo Realty",
        "buttons": [{"type": "url", "text": "Map", "url": "https://example.com/{{map}}"},
            {"type": "phone", "text": "Call", "number": "+971501234567"}, {"type": "quick_reply", "text": "Cancel"}],
        "parameters": [
            {"name": "customer", "example": "Sara"}, {"name": "when", "kind": "date", "example": "2026-03-01"},
            {"name": "where", "example": "Marina"}, {"name": "price", "kind": "currency", "example": "AED 100"},
            {"name": "map", "kind": "url", "example": "17"},
        ],
    }))
    .unwrap()
}

fn brochure() -> Template {
    serde_json::from_value(json!({
        "name": "brochure", "language": "fa", "category": "marketing", "header": {"type": "document"},
        "body": "Our homes of {{2}} in {{1}}, {{2}} of them.",
        "parameters": [{"name": "1", "example": "Dubai"}, {"name": "2", "kind": "number", "example": "12"},
            {"name": "header", "kind": "media", "example": "4::aW1n"}],
    }))
    .unwrap()
}

fn encoded(
    template: Option<&Template>,
    template_id: Option<&str>,
    given: &[(&str, &str)],
    media: Option<&Source>,
) -> Result<Request, EncodeError> {
    let parameters = given
        .iter()
        .map(|(name, value)| TemplateParameter { name: (*name).into(), value: (*value).into() })
        .collect();
    let name = template.map_or("viewing", |template| &template.name);
    let content =
        OutboundContent::Template(message::Template { name: name.into(), language: "en".into(), parameters });
    let outbound = Outbound { content, reply_to: None };
    let sender = sender(json!({}));
    let reference = "r-0123456789abcdef";
    let outgoing =
        Outgoing { sender: &sender, to: PHONE, outbound: &outbound, reference, template, template_id, media };
    gupshup().encode(&outgoing).map(Option::unwrap)
}

const GIVEN: [(&str, &str); 5] =
    [("price", "AED 99"), ("customer", "Ali"), ("when", "2026-04-01"), ("where", "Palm"), ("map", "palm/1")];

/// Under Gupshup's own id, the values in the order in which they stand: header, body, buttons.
#[test]
fn a_template_is_sent_by_its_id_with_a_list_of_values() {
    let request = encoded(Some(&viewing()), Some("t-1"), &GIVEN, None).unwrap();
    assert_eq!(request.url, "https://api.gupshup.io/wa/api/v1/template/msg");
    let sent = fields(&request);
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["channel", "source", "destination", "src.name", "template"]);
    let template: Value = serde_json::from_str(&sent[4].1).unwrap();
    assert_eq!(
        template,
        json!({"id": "t-1", "params": ["Ali", "2026-04-01", "Palm", "Ali", "AED 99", "palm/1"]})
    );

    let link = "https://example.com/homes.pdf";
    let given = [("1", "Dubai"), ("2", "12"), ("header", link)];
    let sent = fields(&encoded(Some(&brochure()), Some("t-2"), &given, None).unwrap());
    let template: Value = serde_json::from_str(&sent[4].1).unwrap();
    assert_eq!(template, json!({"id": "t-2", "params": ["Dubai", "12"]}));
    let file: Value = serde_json::from_str(&sent[5].1).unwrap();
    assert_eq!(
        (sent[5].0.as_str(), file),
        ("message", json!({"type": "document", "document": {"link": link, "filename": "homes.pdf"}}))
    );
    let received = [("1", "Dubai"), ("2", "12"), ("header", "m-1")];
    let shared = Source {
        place: Place::Link("https://gateway.example.com/files/m-1".into()),
        mime_type: "application/pdf".into(),
        filename: Some("Our homes.pdf".into()),
    };
    let sent = fields(&encoded(Some(&brochure()), Some("t-2"), &received, Some(&shared)).unwrap());
    let file: Value = serde_json::from_str(&sent[5].1).unwrap();
    let document = json!({"link": "https://gateway.example.com/files/m-1", "filename": "Our homes.pdf"});
    assert_eq!(file["document"], document);
}

/// The code stands in the text and in the button that copies it.
#[test]
fn a_code_is_given_twice() {
    let code: Template = serde_json::from_value(json!({
        "name": "code", "language": "en", "category": "authentication", "body": "Your code is {{1}}.",
        "buttons": [{"type": "copy_code", "example": "123456"}], "parameters": [{"name": "1", "example": "123456"}],
    }))
    .unwrap();
    let sent = fields(&encoded(Some(&code), Some("t-3"), &[("1", "42")], None).unwrap());
    assert_eq!(sent[4].1, r#"{"id":"t-3","params":["42","42"]}"#);
}

/// WhatsApp's own words with the code at their start, and the button, whatever its tenant wrote.
#[test]
fn an_authentication_template_is_submitted_in_whatsapps_words() {
    for (body, buttons) in [
        ("Your code is {{1}}.", json!([{"type": "copy_code", "example": "123456"}])),
        ("{{code}} is your verification code.", json!([])),
    ] {
        let mut code = json!({
            "name": "code", "language": "en", "category": "authentication", "body": body, "buttons": buttons,
            "parameters": [{"name": "code", "example": "123456"}, {"name": "1", "example": "123456"}],
        });
        if !body.contains("{{1}}") {
            code["parameters"].as_array_mut().unwrap().pop();
        }
        let code: Template = serde_json::from_value(code).unwrap();
        let sent = fields(&api().submit(&sender(json!({})), &code).unwrap());
        let field =
            |wanted: &str| sent.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(
            (field("content"), field("example")),
            (Some("{{1}} is your verification code."), Some("123456 is your verification code."))
        );
        let buttons: Value = serde_json::from_str(field("buttons").unwrap()).unwrap();
        assert_eq!(buttons, json!([{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}]));
        let given: &[(&str, &str)] =
            if body.contains("{{1}}") { &[("code", "42"), ("1", "42")] } else { &[("code", "42")] };
        let sent = fields(&encoded(Some(&code), Some("t-3"), given, None).unwrap());
        assert_eq!(sent[4].1, r#"{"id":"t-3","params":["42","42"]}"#);
    }
    let nameless = Template { name: "n".repeat(181), ..viewing() };
    let error = api().submit(&sender(json!({})), &nameless).expect_err("refused").to_string();
    assert_eq!(error, "the template's name has 181 characters; Gupshup takes 180");
}

#[test]
fn what_does_not_fit_the_template_is_named() {
    let template = viewing();
    let mut wrong = GIVEN;
    wrong[0].1 = "99";
    for (given, says) in [
        (GIVEN[1..].to_vec(), "parameter price: is missing"),
        ([GIVEN.to_vec(), vec![("colour", "red")]].concat(), "parameter colour: there is no such parameter"),
        (wrong.to_vec(), "parameter price: is no amount of money"),
    ] {
        let error = encoded(Some(&template), Some("t-1"), &given, None).expect_err("refused").to_string();
        assert!(error.starts_with("the template `viewing` (en) ") && error.contains(says), "{error}");
    }
    let unknown = encoded(None, None, &GIVEN, None).expect_err("refused").to_string();
    assert_eq!(unknown, "the template `viewing` (en) is not one of this sender's");
    let nameless = encoded(Some(&template), None, &GIVEN, None).expect_err("refused").to_string();
    assert!(nameless.contains("has no id yet"), "{nameless}");
    let nowhere = [("1", "Dubai"), ("2", "12"), ("header", "m-1")];
    assert!(encoded(Some(&brochure()), Some("t-2"), &nowhere, None).is_err(), "a file without an address");
}

fn api() -> &'static dyn templates::Api {
    gupshup().templates().unwrap()
}

#[test]
fn a_template_is_submitted_with_numbers_and_examples() {
    let request = api().submit(&sender(json!({})), &viewing()).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://api.gupshup.io/wa/app/app-1/template")
    );
    let sent = fields(&request);
    let field = |wanted: &str| sent.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    for (name, value) in [
        ("elementName", "viewing"),
        ("languageCode", "en"),
        ("category", "UTILITY"),
        ("templateType", "TEXT"),
        ("header", "Dear {{1}},"),
        ("exampleHeader", "Dear Sara,"),
        ("content", "your viewing is on {{1}} at {{2}}, {{3}}. It costs {{4}} in all."),
        ("example", "your viewing is on 2026-03-01 at Marina, Sara. It costs AED 100 in all."),
        ("footer", "Demo Realty"),
        ("enableSample", "true"),
    ] {
        assert_eq!(field(name), Some(value), "{name}");
    }
    let buttons: Value = serde_json::from_str(field("buttons").unwrap()).unwrap();
    assert_eq!(
        buttons,
        json!([
            {"type": "URL", "text": "Map", "url": "https://example.com/{{1}}", "example": ["https://example.com/17"]},
            {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+971501234567"},
            {"type": "QUICK_REPLY", "text": "Cancel"},
        ])
    );
    let sent = fields(&api().submit(&sender(json!({})), &brochure()).unwrap());
    let field = |wanted: &str| sent.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    assert_eq!(
        (field("templateType"), field("exampleMedia"), field("header")),
        (Some("DOCUMENT"), Some("4::aW1n"), None)
    );
    assert_eq!(field("content"), Some("Our homes of {{2}} in {{1}}, {{2}} of them."));
}

#[test]
fn a_template_is_changed_deleted_and_asked_after() {
    let sender = sender(json!({"app_id": "a/b"}));
    let update = api().update(&sender, "t-1", &viewing()).unwrap();
    assert_eq!(
        (update.method.as_str(), update.url.as_str()),
        ("PUT", "https://api.gupshup.io/wa/app/a%2Fb/template/t-1")
    );
    assert!(fields(&update).iter().all(|(name, _)| name != "elementName"), "a name stays");
    for (id, url) in [
        (None, "https://api.gupshup.io/wa/app/a%2Fb/template/viewing"),
        (Some("t-1"), "https://api.gupshup.io/wa/app/a%2Fb/template/viewing/t-1"),
    ] {
        let delete = api().delete(&sender, id, &viewing()).unwrap();
        assert_eq!((delete.method.as_str(), delete.url.as_str()), ("DELETE", url));
    }
    let list = api().list(&sender, None).unwrap();
    assert_eq!(
        (list.method.as_str(), list.url.as_str()),
        ("GET", "https://api.gupshup.io/wa/app/a%2Fb/template")
    );
    assert_eq!(list.headers, [("apikey".to_owned(), "key".to_owned())]);
}

#[test]
fn what_cannot_be_submitted_is_refused_here() {
    let nameless = sender(json!({"app_id": null}));
    for error in [api().submit(&nameless, &viewing()), api().list(&nameless, None)] {
        let error = error.expect_err("refused").to_string();
        assert_eq!(error, "the sender main has no app_id: Gupshup keeps templates under it");
    }
    let mut shown = brochure();
    shown.parameters[2].example = "https://example.com/homes.pdf".into();
    let error = api().submit(&sender(json!({})), &shown).expect_err("refused").to_string();
    assert!(error.contains("handle id"), "{error}");
    let long = Template { name: "Not A Name".into(), ..viewing() };
    assert!(api().submit(&sender(json!({})), &long).is_err());
}

#[test]
fn answers() {
    let headers = HeaderMap::new();
    let body = json!({"status": "success", "template": {"id": "t-1", "status": "PENDING", "category": "MARKETING", "elementName": "viewing"}});
    let submitted = api().submitted(200, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(
        (submitted.id.as_deref(), submitted.status, submitted.category),
        (Some("t-1"), Status::Pending, Some(Category::Marketing))
    );
    let bare = api().submitted(202, &headers, br#"{"status":"success"}"#).unwrap();
    assert_eq!((bare.id, bare.status, bare.category), (None, Status::Pending, None));
    let error = api()
        .submitted(400, &headers, br#"{"status":"error","message":"Template Already exists"}"#)
        .expect_err("refused");
    assert_eq!(error, Outcome::failed(Fate::Permanent, "Gupshup answered 400: Template Already exists"));

    assert_eq!(api().deleted(200, &headers, br#"{"status":"success"}"#), Ok(()));
    assert_eq!(
        api().deleted(400, &headers, br#"{"status":"error","message":"Template Does not exists."}"#),
        Ok(())
    );
    assert!(api().deleted(400, &headers, br#"{"status":"error","message":"Invalid App ID"}"#).is_err());
    assert!(api().deleted(200, &headers, b"<html>").is_err());

    let listed = json!({"status": "success", "templates": [
        {"id": "t-1", "elementName": "viewing", "languageCode": "en", "status": "APPROVED", "category": "UTILITY"},
        {"id": "t-2", "elementName": "brochure", "languageCode": "fa", "status": "REJECTED", "category": "SONG", "reason": "INVALID_FORMAT"},
        {"id": "t-3"}, null,
    ]});
    let page = api().listed(200, &headers, listed.to_string().as_bytes()).unwrap();
    let found: Vec<_> = page
        .templates
        .iter()
        .map(|it| (it.name.as_str(), it.status, it.category, it.reason.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("viewing", Status::Approved, Some(Category::Utility), None),
            ("brochure", Status::Rejected, None, Some("INVALID_FORMAT"))
        ]
    );
    assert_eq!(page.next, None);
    let limited = api().listed(429, &headers, b"").expect_err("refused");
    assert_eq!(limited, Outcome::retry(None, "Gupshup answered 429"));
    assert!(api().listed(200, &headers, b"{}").is_err());
}
