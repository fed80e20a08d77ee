//! A row for each rule: what is changed in a good template, and what is said about it.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::message::TemplateParameter;
use crate::template::values;

fn good() -> Value {
    json!({
        "name": "viewing_reminder", "language": "en_US", "category": "utility",
        "header": {"type": "text", "text": "Viewing on {{when}}"},
        "body": "Hello {{customer}}, we meet at {{place}} on {{when}}. It costs {{price}} a year.",
        "footer": "Marina Homes",
        "buttons": [
            {"type": "quick_reply", "text": "I will be there"},
            {"type": "url", "text": "Directions", "url": "https://example.com/to/{{place_id}}"},
            {"type": "copy_code", "example": "VIEW25"},
        ],
        "parameters": [
            {"name": "customer", "example": "Sara"},
            {"name": "place", "example": "Marina Gate 1"},
            {"name": "when", "kind": "date", "example": "2026-03-01"},
            {"name": "price", "kind": "currency", "example": "AED 90000"},
            {"name": "place_id", "kind": "url", "example": "17"},
            {"name": "code", "example": "VIEW25"},
        ],
    })
}

fn said(template: Value) -> String {
    let template: Template = serde_json::from_value(template).expect("a template");
    check(&template).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_has_its_row() {
    let plain = |body: &str| json!({"name": "a", "language": "en", "category": "utility", "body": body});
    let with = |key: &str, value: Value| {
        let mut template = good();
        let (place, last) = key.rsplit_once('/').unwrap();
        template.pointer_mut(place).unwrap()[last] = value;
        template
    };
    let button = |button: Value| {
        let mut template = plain("Hello.");
        template["buttons"] = json!([button]);
        template
    };
    let replies = |n: usize| vec![json!({"type": "quick_reply", "text": "Yes"}); n];
    let rows: Vec<(Value, &str)> = vec![
        (good(), ""),
        (plain("Hello."), ""),
        (
            json!({"name": "a", "language": "en", "category": "authentication",
                "body": "{{code}} is your verification code.",
                "parameters": [{"name": "code", "example": "123456"}]}),
            "",
        ),
        (with("/name", json!("Viewing")), "name: \"Viewing\" is not a name"),
        (with("/name", json!("a".repeat(513))), "name: "),
        (with("/language", json!("english")), "language: \"english\" is not a language"),
        (with("/language", json!("en-US")), "language: "),
        (with("/footer", json!("x".repeat(61))), "footer: has 61 characters; 60 at most"),
        (with("/footer", json!("by {{customer}}")), "footer: has a placeholder"),
        (
            with("/header/text", json!(format!("{} {{{{when}}}}", "x".repeat(60)))),
            "header: has 69 characters",
        ),
        (with("/header/text", json!("*{{when}}*")), "header: has line breaks or asterisks"),
        (with("/header/text", json!("{{when}} {{when}}")), "header: has more than one placeholder"),
        (with("/category", json!("authentication")), "header: stands in an authentication template"),
        (plain(&"x".repeat(1025)), "body: has 1025 characters; 1024 at most"),
        (plain(" "), "body: is empty"),
        (plain("{{1}} is it."), "body: begins or ends with a placeholder"),
        (plain("Is it {{1}}"), "body: begins or ends with a placeholder"),
        (plain("It is {{1}}{{2}}."), "body: has placeholders side by side"),
        (plain("It is {{1}} or {{customer}}."), "body: mixes numbers and names"),
        (plain("It is {{1}} or {{3}}."), "body: leaves numbers of placeholders out"),
        (plain("It is {{2}} or so."), "body: leaves numbers of placeholders out"),
        (plain("It is {{1}} or so."), "body: {{1}} is not declared; add a parameter \"1\""),
        (plain("It is {{ x }} or so."), "body: {{ x }} is no placeholder"),
        (with("/buttons", json!(replies(11))), "buttons: are 11; 10 at most"),
        (button(json!({"type": "quick_reply", "text": "x".repeat(26)})), "buttons[0]: has 26 characters; 25"),
        (
            button(json!({"type": "quick_reply", "text": "{{1}}"})),
            "buttons[0]: has a placeholder in its text",
        ),
        (
            button(json!({"type": "phone", "text": "Call", "number": "call me"})),
            "buttons[0]: \"call me\" is no",
        ),
        (button(json!({"type": "copy_code", "example": "A B"})), "buttons[0]: the example is no code"),
        (
            button(json!({"type": "url", "text": "Go", "url": "ftp://x/"})),
            "buttons[0]: \"ftp://x/\" is no address",
        ),
        (
            button(json!({"type": "url", "text": "Go", "url": "https://x.com/{{1}}/a"})),
            "buttons[0]: has a placeholder elsewhere",
        ),
        (
            button(json!({"type": "url", "text": "Go", "url": "https://x.com{{1}}"})),
            "buttons[0]: has a placeholder in its host",
        ),
        (with("/parameters/0/name", json!("custumer")), "body: {{customer}} is not declared"),
        (with("/parameters/0/name", json!("place")), "parameter place: is declared twice"),
        (with("/parameters/3/example", json!("dear")), "parameter price, example: is no amount of money"),
        (with("/parameters/0/kind", json!("media")), "parameter customer: is of the wrong kind"),
        (with("/header", json!({"type": "image"})), "header: {{header}} is not declared"),
    ];
    for (template, expected) in rows {
        let told = said(template.clone());
        if expected.is_empty() {
            assert_eq!(told, "", "{template}");
        } else {
            assert!(told.lines().any(|line| line.starts_with(expected)), "{expected:?} in {told:?}");
        }
    }
    let mut mixed = plain("Hello.");
    mixed["buttons"] = json!([
        {"type": "quick_reply", "text": "Yes"},
        {"type": "phone", "text": "Call", "number": "+971501234567"},
        {"type": "quick_reply", "text": "No"},
        {"type": "phone", "text": "Call", "number": "+971501234568"},
    ]);
    let told = said(mixed);
    assert!(told.contains("buttons: mix quick replies with others"), "{told}");
    assert!(told.contains("buttons: have 2 phone numbers; 1 at most"), "{told}");
}

#[test]
fn values_are_complete_typed_and_short_enough() {
    let template: Template = serde_json::from_value(good()).unwrap();
    let all = [
        ("customer", "Sara"),
        ("place", "Marina Gate 1"),
        ("when", "2026-03-01"),
        ("price", "AED 90000"),
        ("place_id", "17"),
        ("code", "VIEW25"),
    ];
    let told = |given: &[(&str, &str)]| {
        let parameter = |(name, value): &(&str, &str)| TemplateParameter {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let given: Vec<TemplateParameter> = given.iter().map(parameter).collect();
        match values(&template, &given) {
            Ok(values) => {
                assert_eq!(values.len(), template.parameters.len());
                String::new()
            }
            Err(mistake) => mistake.to_string(),
        }
    };
    let with = |name: &'static str, value: &'static str| {
        all.map(|(known, given)| if known == name { (name, value) } else { (known, given) })
    };
    let long: &'static str = Box::leak("x".repeat(1000).into_boxed_str());
    let rows: [(&[(&str, &str)], &str); 7] = [
        (&all, ""),
        (&all[1..], "parameter customer: is missing; give it, such as \"Sara\""),
        (&[&all[..], &[("customer", "Ali")]].concat(), "parameter customer: is given twice; give it once"),
        (
            &[&all[..], &[("custumer", "Ali")]].concat(),
            "parameter custumer: there is no such parameter; \
             template viewing_reminder has customer, place, when, price, place_id, code",
        ),
        (
            &with("price", "90000"),
            "parameter price: is no amount of money; write a currency, a space and a number, such as EUR 12.50",
        ),
        (
            &with("customer", "Sara\nAli"),
            "parameter customer: has line breaks, tabs or control characters; write it in one line",
        ),
        (
            &with("customer", long),
            "body: has 1074 characters with these values; 1024 at most; give shorter values",
        ),
    ];
    for (given, expected) in rows {
        assert_eq!(told(given), expected);
    }
}
