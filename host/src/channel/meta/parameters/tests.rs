//! Values in their places.

use super::*;

fn template(changes: Value) -> Template {
    let mut template =
        json!({ "name": "viewing", "language": "en_US", "category": "utility", "body": "Hello" });
    for (name, value) in changes.as_object().expect("an object") {
        template[name] = value.clone();
    }
    serde_json::from_value(template).expect("a template")
}

fn parameter(name: &str, kind: &str) -> Value {
    let example = match kind {
        "number" => "12.50",
        "currency" => "EUR 12.50",
        "date" => "2026-03-01",
        "media" => "https://example.com/a.jpg",
        _ => "Sara",
    };
    json!({ "name": name, "kind": kind, "example": example })
}

fn sent(template: &Template, given: &[(&str, &str)], media: Option<&media::Source>) -> Result<Value, String> {
    let given: Vec<TemplateParameter> = given
        .iter()
        .map(|(name, value)| TemplateParameter { name: (*name).into(), value: (*value).into() })
        .collect();
    part(template, &given, media).map_err(|error| error.to_string())
}

#[test]
fn without_parameters_there_are_no_components() {
    let expected = json!({ "name": "viewing", "language": { "code": "en_US" } });
    assert_eq!(sent(&template(json!({})), &[], None), Ok(expected));
}

#[test]
fn numbered_values_go_in_their_order_with_their_kind() {
    let numbered = template(json!({
        "header": { "type": "text", "text": "For {{1}}" },
        "body": "{{2}} asks {{3}} for {{1}} on {{4}}, again {{2}}.",
        "parameters": [parameter("4", "date"), parameter("3", "currency"), parameter("2", "text"), parameter("1", "number")],
    }));
    let given = [("1", "12.50"), ("2", "Sara"), ("3", "EUR 12.5"), ("4", "2026-03-01")];
    let text = |text: &str| json!({ "type": "text", "text": text });
    let expected = json!([
        { "type": "header", "parameters": [text("12.50")] },
        { "type": "body", "parameters": [
            text("12.50"),
            text("Sara"),
            { "type": "currency", "currency": { "fallback_value": "EUR 12.5", "code": "EUR", "amount_1000": 12500 } },
            { "type": "date_time", "date_time": { "fallback_value": "2026-03-01" } },
        ] },
    ]);
    assert_eq!(sent(&numbered, &given, None).map(|part| part["components"].clone()), Ok(expected));
}

#[test]
fn named_values_go_under_their_names() {
    let named = template(json!({
        "header": { "type": "text", "text": "For {{customer}}" },
        "body": "It is {{price}} for {{customer}}.",
        "parameters": [parameter("customer", "text"), parameter("price", "currency")],
    }));
    let text = |name: &str, text: &str| json!({ "type": "text", "parameter_name": name, "text": text });
    let expected = json!([
        { "type": "header", "parameters": [text("customer", "Sara")] },
        { "type": "body", "parameters": [text("price", "AED 900"), text("customer", "Sara")] },
    ]);
    let given = [("customer", "Sara"), ("price", "AED 900")];
    assert_eq!(sent(&named, &given, None).map(|part| part["components"].clone()), Ok(expected));
}

#[test]
fn files_in_headers() {
    for (header, kind) in [("image", "image"), ("video", "video"), ("document", "document")] {
        let template =
            template(json!({ "header": { "type": header }, "parameters": [parameter("header", "media")] }));
        let components = |value: &str, source: Option<&media::Source>| {
            sent(&template, &[("header", value)], source).map(|part| part["components"].clone())
        };
        let expected = |mut file: Value, name: &str| {
            if kind == "document" {
                file["filename"] = name.into();
            }
            json!([{ "type": "header", "parameters": [{ "type": kind, kind: file }] }])
        };
        let link = "https://example.com/a.jpg";
        assert_eq!(components(link, None), Ok(expected(json!({ "link": link }), "a.jpg")));
        let uploaded = media::Source {
            place: media::Place::Uploaded("77".into()),
            mime_type: "application/pdf".into(),
            filename: Some("Homes.pdf".into()),
        };
        let found = components("m-0123456789abcdef", Some(&uploaded));
        assert_eq!(found, Ok(expected(json!({ "id": "77" }), "Homes.pdf")));
        assert!(components("m-0123456789abcdef", None).is_err());
    }
}

#[test]
fn buttons_have_their_places() {
    let template = template(json!({
        "buttons": [
            { "type": "quick_reply", "text": "Yes" },
            { "type": "url", "text": "See", "url": "https://example.com/{{unit}}" },
            { "type": "url", "text": "Home", "url": "https://example.com/" },
            { "type": "copy_code", "example": "SPRING25" },
        ],
        "parameters": [parameter("unit", "url"), parameter("code", "text")],
    }));
    let expected = json!([
        { "type": "button", "sub_type": "url", "index": "1", "parameters": [{ "type": "text", "text": "17?x=1" }] },
        { "type": "button", "sub_type": "copy_code", "index": "3",
          "parameters": [{ "type": "coupon_code", "coupon_code": "SPRING25" }] },
    ]);
    let given = [("unit", "17?x=1"), ("code", "SPRING25")];
    assert_eq!(sent(&template, &given, None).map(|part| part["components"].clone()), Ok(expected));
}

#[test]
fn a_code_goes_into_the_body_and_the_button() {
    let code = |body: &str, parameter: Value, buttons: Value| {
        template(json!({
            "category": "authentication", "body": body, "parameters": [parameter], "buttons": buttons,
        }))
    };
    let button = json!([{ "type": "copy_code", "example": "123456" }]);
    let text = json!({ "type": "text", "text": "491827" });
    let expected = json!([
        { "type": "body", "parameters": [text] },
        { "type": "button", "sub_type": "url", "index": "0", "parameters": [text] },
    ]);
    for (template, name) in [
        (code("Your code", parameter("code", "text"), button), "code"),
        (code("It is {{1}} today", parameter("1", "number"), json!([])), "1"),
    ] {
        let found = sent(&template, &[(name, "491827")], None).map(|part| part["components"].clone());
        assert_eq!(found, Ok(expected.clone()), "{name}");
    }
    let none = template(json!({ "category": "authentication" }));
    assert!(sent(&none, &[], None).is_err_and(|error| error.contains("declare `code`")));
}

#[test]
fn what_does_not_fit_is_named() {
    let template = template(json!({ "body": "It is {{1}}.", "parameters": [parameter("1", "number")] }));
    for (given, words) in [
        (&[][..], "template viewing: parameter 1: is missing"),
        (&[("1", "two")], "template viewing: parameter 1: is no number"),
        (&[("1", "2"), ("2", "3")], "template viewing: parameter 2: there is no such parameter"),
        (&[("1", "2"), ("1", "3")], "template viewing: parameter 1: is given twice"),
    ] {
        let error = sent(&template, given, None).expect_err(words);
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn amounts() {
    for (value, expected) in [
        ("EUR 12.50", Some(("EUR", 12_500))),
        ("EUR 12", Some(("EUR", 12_000))),
        ("EUR 0.1239", Some(("EUR", 123))),
        ("EUR 99999999999999999999", None),
        ("EUR 9223372036854775807", None),
        ("12.50", None),
    ] {
        assert_eq!(amount(value), expected, "{value}");
    }
}
