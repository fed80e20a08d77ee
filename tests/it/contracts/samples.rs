//! Samples of everything that can be sent, and of what providers refused once.

use serde_json::{Value, json};
use switchboard::channel::media;
use switchboard::message::{Outbound, OutboundContent, Provider};
use switchboard::template::{Header, Template};

use super::OURS;

pub const ADDRESS: &str = "https://example.com/files/Plan%20A.pdf?v=2";

/// Every kind but templates, which are made beside their use.
pub const KINDS: [&str; 7] = ["buttons", "contacts", "list", "location", "media", "reaction", "text"];

/// A new kind of message wants a sample here.
pub fn kind(content: &OutboundContent) -> &'static str {
    match content {
        OutboundContent::Text { .. } => "text",
        OutboundContent::Media(_) => "media",
        OutboundContent::Buttons(_) => "buttons",
        OutboundContent::List(_) => "list",
        OutboundContent::Location(_) => "location",
        OutboundContent::Contacts { .. } => "contacts",
        OutboundContent::Template(_) => "template",
        OutboundContent::Reaction(_) => "reaction",
    }
}

/// Does it show a file of ours?
pub fn is_ours(content: &OutboundContent) -> bool {
    media::handle_in(&Outbound { content: content.clone(), reply_to: None }).is_some()
}

fn list(rows: usize, titled: bool) -> Value {
    let row = |n: usize| {
        json!({ "id": format!("r{n}"), "title": format!("Row {n}"),
        "description": (n.is_multiple_of(2)).then_some("by the sea") })
    };
    let rows: Vec<Value> = (0..rows).map(row).collect();
    let sections = match titled {
        false => json!([{ "title": null, "rows": rows }]),
        true => json!([{ "title": "Dubai", "rows": rows },
            { "title": "Elsewhere", "rows": [{ "id": "x", "title": "Other", "description": "" }] }]),
    };
    json!({ "type": "list", "body": "Which area?", "footer": titled.then_some("Choose"), "button": "Areas",
        "sections": sections })
}

/// `quoted`: the id of a message of the contact's.
pub fn contents(quoted: &str) -> Vec<OutboundContent> {
    let jane = json!({ "name": "Jane Doe", "phones": ["+971 50 123 4567", "04 123 4567"],
        "emails": ["jane@example.com"], "organization": "Marina Homes" });
    let mut samples = vec![
        json!({ "type": "text", "text": "سلام، see https://example.com/a?b=1&c=2" }),
        json!({ "type": "text", "text": "ش".repeat(4096) }),
        json!({ "type": "location", "latitude": 25.0772, "longitude": 55.1392, "name": null, "address": null }),
        json!({ "type": "location", "latitude": -25, "longitude": 55, "name": "Marina", "address": "Al Marsa Street" }),
        json!({ "type": "reaction", "message_id": quoted, "emoji": "👍" }),
        json!({ "type": "reaction", "message_id": quoted, "emoji": "" }),
        json!({ "type": "template", "name": "unknown", "language": "en", "parameters": [] }),
        json!({ "type": "contacts", "contacts": [jane] }),
        json!({ "type": "contacts", "contacts": [{ "name": "Office", "phones": [] }] }),
        json!({ "type": "contacts", "contacts": [jane, { "name": "علی، B;C", "phones": ["0501234567"] }] }),
        json!({ "type": "contacts", "contacts": [jane, jane, jane, jane, jane, jane] }),
        list(1, false),
        list(10, false),
        list(11, false),
        list(9, true),
    ];
    for count in [1, 3, 4] {
        let buttons: Vec<Value> =
            (0..count).map(|n| json!({ "id": format!("b{n}"), "title": format!("Title {n}") })).collect();
        let footer = (count > 1).then_some("Choose");
        samples
            .push(json!({ "type": "buttons", "body": "Buy or rent?", "footer": footer, "buttons": buttons }));
    }
    for (kind, captioned) in [
        ("image", true),
        ("video", true),
        ("document", true),
        ("audio", false),
        ("voice", false),
        ("sticker", false),
    ] {
        for source in [ADDRESS, "https://example.com/tour.webm", "https://example.com", OURS] {
            let mut media =
                json!({ "type": "media", "kind": kind, "source": source, "caption": null, "filename": null });
            samples.push(media.clone());
            media["filename"] = json!("Said.pdf");
            media["caption"] = json!(captioned.then_some("A view"));
            samples.push(media);
        }
    }
    samples.into_iter().map(|sample| serde_json::from_value(sample).expect("a content")).collect()
}

/// Each header, each button, placeholders by name and by number, and a code.
pub fn templates(provider: Provider) -> Vec<Template> {
    // Infobip shows WhatsApp an address; the others want the handle of a sample handed over before.
    let sample = if provider == Provider::Infobip { "https://example.com/sample.pdf" } else { "4::aW1n" };
    let header = json!({ "name": "header", "kind": "media", "example": sample });
    let file = |kind: &str| {
        json!({ "name": format!("with_{kind}"), "language": "fa", "category": "marketing",
            "header": { "type": kind }, "body": "Our homes of {{2}} in {{1}}, {{2}} of them.",
            "parameters": [{ "name": "1", "example": "Dubai" },
                { "name": "2", "kind": "number", "example": "12" }, header] })
    };
    let templates = [
        json!({ "name": "plain", "language": "en_US", "category": "utility", "body": "It is done." }),
        json!({ "name": "viewing", "language": "en", "category": "utility",
            "header": { "type": "text", "text": "Dear {{customer}}," },
            "body": "your viewing is on {{when}}, {{customer}}. It costs {{price}} in all.", "footer": "Homes",
            "buttons": [{ "type": "quick_reply", "text": "Cancel" },
                { "type": "url", "text": "Map", "url": "https://example.com/to/{{map}}" },
                { "type": "url", "text": "Home", "url": "https://example.com/" },
                { "type": "phone", "text": "Call", "number": "+971501234567" }, { "type": "copy_code", "example": "SUN10" }],
            "parameters": [{ "name": "customer", "example": "Sara" },
                { "name": "when", "kind": "date", "example": "2026-03-01" },
                { "name": "price", "kind": "currency", "example": "AED 100" },
                { "name": "map", "kind": "url", "example": "17" }, { "name": "code", "example": "SUN10" }] }),
        json!({ "name": "written_out", "language": "en", "category": "utility", "header": { "type": "text", "text": "Hello" },
            "body": "It is {{1}} now, for {{2}}.",
            "buttons": [{ "type": "url", "text": "Map", "url": "https://example.com/to/{{map}}" }],
            "parameters": [{ "name": "1", "kind": "currency", "example": "AED 100" }, { "name": "2", "example": "you" },
                { "name": "map", "kind": "url", "example": "https://example.com/to/17" }] }),
        json!({ "name": "code", "language": "en", "category": "authentication",
            "body": "{{code}} is your verification code.", "buttons": [{ "type": "copy_code", "example": "123456" }],
            "parameters": [{ "name": "code", "example": "123456" }] }),
        json!({ "name": "bare_code", "language": "en", "category": "authentication", "body": "Your code is {{1}}.",
            "parameters": [{ "name": "1", "example": "123456" }] }),
        file("image"),
        file("video"),
        file("document"),
    ];
    templates.into_iter().map(|template| serde_json::from_value(template).expect("a template")).collect()
}

/// A use of the template, with its own examples and this file.
pub fn of_template(template: &Template, file: &str) -> OutboundContent {
    let is_file = template.header.as_ref().is_some_and(Header::is_file);
    let value = |name: &str, example: &str| {
        if is_file && name == "header" { file.to_owned() } else { example.to_owned() }
    };
    let given = template.parameters.iter();
    let given: Vec<Value> = given
        .map(|known| json!({ "name": known.name, "value": value(&known.name, &known.example) }))
        .collect();
    let content = json!({ "type": "template", "name": template.name, "language": template.language, "parameters": given });
    serde_json::from_value(content).expect("a content")
}

/// Bodies that providers refused.
pub fn refused() -> Vec<(Provider, &'static str, &'static str, Value)> {
    let waha = |path, file: Value, more: Value| {
        let mut body = json!({ "session": "default", "chatId": "971501234567@c.us", "file": file });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        (Provider::Waha, "POST", path, body)
    };
    let mp4 = json!({ "mimetype": "video/mp4", "url": "https://example.com/a.mp4", "filename": "a.mp4" });
    let nameless = json!({ "mimetype": "video/mp4", "url": "https://example.com/a.mp4" });
    let button = |example: &str| {
        json!({ "structure": { "body": { "text": "On the way." }, "buttons": [{ "type": "URL", "text": "Map",
            "url": "https://example.com/{{1}}", "example": example }] }, "category": "UTILITY" })
    };
    let headed = json!({ "messages": [{ "from": "41793026731", "to": "971501234567", "messageId": "r-1", "content": {
        "templateName": "brochure", "language": "en", "templateData": { "body": { "placeholders": [] },
            "header": { "type": "DOCUMENT", "mediaUrl": "https://example.com/a.pdf" } } } }] });
    let form = |message: Value| {
        json!({ "channel": "whatsapp", "source": "971500000001", "destination": "971501234567",
            "src.name": "DemoApp", "message": message.to_string() })
    };
    let rows = json!([{ "type": "text", "title": "Marina", "postbackText": "m" }]);
    let list = form(json!({ "type": "list", "title": "Areas", "body": "Which?", "msgid": "r-1",
        "globalButtons": [{ "type": "text", "title": "Areas" }], "items": [{ "options": rows }] }));
    let submitted = |name: &str, category: &str, content: &str| {
        json!({ "elementName": name, "languageCode": "en", "vertical": "Messages", "category": category,
            "content": content, "example": content.replace("{{1}}", "42"), "templateType": "TEXT", "enableSample": "true" })
    };
    let document = json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "to": "971501234567",
        "type": "document", "document": { "link": "https://example.com/a.pdf" } });
    vec![
        waha("/api/sendVideo", mp4, json!({})),
        waha("/api/sendVideo", nameless, json!({ "convert": true })),
        (Provider::Waha, "PUT", "/api/sessions/default", json!({ "config": { "proxy": null } })),
        (Provider::Infobip, "PATCH", "/whatsapp/2/senders/41793026731/templates/1", button("17")),
        (Provider::Infobip, "POST", "/whatsapp/1/message/template", headed),
        (Provider::Gupshup, "POST", "/wa/api/v1/msg", list),
        (
            Provider::Gupshup,
            "POST",
            "/wa/app/app-1/template",
            submitted(&"n".repeat(181), "UTILITY", "It is {{1}} now."),
        ),
        (
            Provider::Gupshup,
            "POST",
            "/wa/app/app-1/template",
            submitted("code", "AUTHENTICATION", "Your code is {{1}}."),
        ),
        (Provider::Meta, "POST", "/v23.0/106540352242922/messages", document),
    ]
}
