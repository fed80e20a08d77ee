//! Template management: the requests, and what their answers mean.

use super::*;
use crate::message::Fate;

fn sender() -> Sender {
    serde_json::from_value(json!({
        "name": "main", "provider": "meta", "account": "1122334455667", "api_key": "token",
        "business_account": "102290129340398",
    }))
    .expect("a sender")
}

fn template(changes: Value) -> Template {
    let mut template =
        json!({ "name": "viewing", "language": "en_US", "category": "utility", "body": "Hello" });
    for (name, value) in changes.as_object().expect("an object") {
        template[name] = value.clone();
    }
    serde_json::from_value(template).expect("a template")
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[test]
fn a_template_of_every_part() {
    let full = template(json!({
        "header": { "type": "text", "text": "For {{1}}" },
        "body": "{{2}} comes at {{1}}.",
        "footer": "Demo Homes",
        "buttons": [
            { "type": "quick_reply", "text": "Yes" },
            { "type": "url", "text": "See", "url": "https://example.com/{{unit}}" },
            { "type": "phone", "text": "Call", "number": "+971500000001" },
            { "type": "copy_code", "example": "SPRING25" },
        ],
        "parameters": [
            { "name": "1", "example": "ten" }, { "name": "2", "example": "Sara" },
            { "name": "unit", "kind": "url", "example": "17" }, { "name": "code", "example": "SPRING25" },
        ],
    }));
    let request = Templates.submit(&sender(), &full).expect("a request");
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url, "https://graph.facebook.com/v23.0/102290129340398/message_templates");
    let components = json!([
        { "type": "HEADER", "format": "TEXT", "text": "For {{1}}", "example": { "header_text": ["ten"] } },
        { "type": "BODY", "text": "{{2}} comes at {{1}}.", "example": { "body_text": [["ten", "Sara"]] } },
        { "type": "FOOTER", "text": "Demo Homes" },
        { "type": "BUTTONS", "buttons": [
            { "type": "QUICK_REPLY", "text": "Yes" },
            { "type": "URL", "text": "See", "url": "https://example.com/{{1}}", "example": ["https://example.com/17"] },
            { "type": "PHONE_NUMBER", "text": "Call", "phone_number": "+971500000001" },
            { "type": "COPY_CODE", "example": "SPRING25" },
        ] },
    ]);
    let expected =
        json!({ "name": "viewing", "language": "en_US", "category": "UTILITY", "components": components });
    assert_eq!(body(&request), expected);
    let request = Templates.update(&sender(), "1689556908129832", &full).expect("a request");
    assert_eq!(request.url, "https://graph.facebook.com/v23.0/1689556908129832");
    assert_eq!(body(&request), json!({ "components": components }));
}

#[test]
fn named_parameters_files_and_codes() {
    let named = template(json!({
        "header": { "type": "image" }, "body": "Dear {{customer}}, hello.",
        "parameters": [
            { "name": "customer", "example": "Sara" },
            { "name": "header", "kind": "media", "example": "https://example.com/a.jpg" },
        ],
    }));
    let sent = body(&Templates.submit(&sender(), &named).expect("a request"));
    assert_eq!(sent["parameter_format"], "NAMED");
    assert_eq!(
        sent["components"],
        json!([
            { "type": "HEADER", "format": "IMAGE", "example": { "header_handle": ["https://example.com/a.jpg"] } },
            { "type": "BODY", "text": "Dear {{customer}}, hello.",
              "example": { "body_text_named_params": [{ "param_name": "customer", "example": "Sara" }] } },
        ])
    );
    let code = template(json!({
        "category": "authentication", "body": "Your code is {{code}} now",
        "parameters": [{ "name": "code", "example": "123456" }],
    }));
    let sent = body(&Templates.submit(&sender(), &code).expect("a request"));
    assert_eq!(sent.get("parameter_format"), None);
    let expected = json!([{ "type": "BODY" }, { "type": "BUTTONS", "buttons": [{ "type": "OTP", "otp_type": "COPY_CODE" }] }]);
    assert_eq!(sent["components"], expected);
}

#[test]
fn one_language_is_deleted_and_pages_are_followed() {
    let plain = template(json!({}));
    let request = Templates.delete(&sender(), Some("77"), &plain).expect("a request");
    assert_eq!(request.method, Method::DELETE);
    let base = "https://graph.facebook.com/v23.0/102290129340398/message_templates";
    assert_eq!(request.url, format!("{base}?hsm_id=77&name=viewing"));
    assert!(request.body.is_empty());
    let error = Templates.delete(&sender(), None, &plain).expect_err("all languages").to_string();
    assert!(error.contains("all its languages"), "{error}");
    let fields = "limit=100&fields=id,name,language,status,category,rejected_reason";
    let request = Templates.list(&sender(), None).expect("a request");
    assert_eq!((request.method, request.url), (Method::GET, format!("{base}?{fields}")));
    let request = Templates.list(&sender(), Some("a+b=&c")).expect("a request");
    assert_eq!(request.url, format!("{base}?{fields}&after=a%2Bb%3D%26c"));
    let homeless: Sender =
        serde_json::from_value(json!({"name": "main", "provider": "meta", "account": "1"}))
            .expect("a sender");
    let error = Templates.list(&homeless, None).expect_err("no account").to_string();
    assert_eq!(
        error,
        "the sender main has no business_account: the id of the WhatsApp business account at Meta"
    );
    assert!(Templates.update(&sender(), "../1", &plain).is_err());
}

fn submitted(status: u16, body: &str) -> Result<Submitted, Outcome> {
    Templates.submitted(status, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn answers_to_submissions() {
    let taken =
        |id: Option<&str>, status, category| Submitted { id: id.map(str::to_owned), status, category };
    for (body, expected) in [
        (
            r#"{"id":"594425479261596","status":"PENDING","category":"MARKETING"}"#,
            taken(Some("594425479261596"), Status::Pending, Some(Category::Marketing)),
        ),
        (
            r#"{"id":594425479261596,"status":"APPROVED"}"#,
            taken(Some("594425479261596"), Status::Approved, None),
        ),
        (r#"{"success":true}"#, taken(None, Status::Pending, None)),
    ] {
        assert_eq!(submitted(200, body), Ok(expected), "{body}");
    }
    for (status, body, fate) in [
        (400, r#"{"error":{"code":100,"message":"Invalid parameter"}}"#, Fate::Permanent),
        (401, r#"{"error":{"code":190}}"#, Fate::KeyRefused),
        (400, r#"{"error":{"code":80008}}"#, Fate::Retry),
        (200, "{}", Fate::Unknown),
        (500, "", Fate::Unknown),
    ] {
        let failed = submitted(status, body);
        assert!(
            matches!(&failed, Err(Outcome::Failed { fate: it, .. }) if *it == fate),
            "{body}: {failed:?}"
        );
    }
}

#[test]
fn answers_to_deletions() {
    for (status, body, deleted) in [
        (200, r#"{"success":true}"#, true),
        (
            404,
            r#"{"error":{"code":100,"message":"Invalid parameter","error_user_title":"Message Template Not Found"}}"#,
            true,
        ),
        (
            400,
            r#"{"error":{"code":100,"error_user_msg":"The template does not exist in this account"}}"#,
            true,
        ),
        (400, r#"{"error":{"code":100,"message":"Invalid parameter"}}"#, false),
        (401, r#"{"error":{"code":190,"message":"the token was not found"}}"#, false),
        (404, "", false),
        (500, "", false),
    ] {
        let answer = Templates.deleted(status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(answer.is_ok(), deleted, "{status} {body}");
    }
}

#[test]
fn answers_to_lists() {
    let body = json!({
        "data": [
            { "id": "1", "name": "a", "language": "en", "status": "APPROVED", "category": "UTILITY", "rejected_reason": "NONE" },
            { "id": "2", "name": "b", "language": "fa", "status": "REJECTED", "category": "MARKETING", "rejected_reason": "PROMOTIONAL" },
            { "id": "3", "name": "c", "language": "en", "status": "SOMETHING_NEW", "category": "OTHER" },
            { "id": "4", "language": "en" },
            "nonsense",
        ],
        "paging": { "cursors": { "before": "x", "after": "MAZDZD" }, "next": "https://graph.facebook.com/…" },
    });
    let page = Templates.listed(200, &HeaderMap::new(), body.to_string().as_bytes()).expect("a page");
    let listed = |id: &str, name: &str, language: &str, status, category, reason: Option<&str>| Listed {
        id: Some(id.into()),
        name: name.into(),
        language: language.into(),
        status,
        category,
        reason: reason.map(str::to_owned),
    };
    assert_eq!(
        page.templates,
        [
            listed("1", "a", "en", Status::Approved, Some(Category::Utility), None),
            listed("2", "b", "fa", Status::Rejected, Some(Category::Marketing), Some("PROMOTIONAL")),
            listed("3", "c", "en", Status::Unknown, None, Some("SOMETHING_NEW")),
        ]
    );
    assert_eq!(page.next.as_deref(), Some("MAZDZD"));
    let last = json!({ "data": [], "paging": { "cursors": { "after": "MAZDZD" } } }).to_string();
    assert_eq!(Templates.listed(200, &HeaderMap::new(), last.as_bytes()), Ok(Page::default()));
    for body in ["", "{}", "[]", r#"{"data":{}}"#] {
        assert!(Templates.listed(200, &HeaderMap::new(), body.as_bytes()).is_err(), "{body}");
    }
}
