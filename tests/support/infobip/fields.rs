//! The bodies that Infobip's calls take, from the models of its client libraries: which fields there
//! are, which must be there, and how long they may be. A field that no model has is refused, so that a
//! misspelt one is seen.

use serde_json::{Map, Value};

use super::refusal;
use crate::peer::{Call, Reply};

/// A field, and what it must be.
struct Field {
    name: &'static str,
    required: bool,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// At least one character, at most this many.
    Text(usize),
    Flag,
    /// Within plus and minus this.
    Coordinate(f64),
    /// An address of a file.
    Address,
    /// Digits, or a scoped id.
    Number,
    One(&'static [&'static str]),
    Object(&'static [Field]),
    /// From 1 to this many.
    List(usize, &'static [Field]),
    Texts,
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, required: true, kind }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, required: false, kind }
}

const BODY: Field = must("body", Kind::Object(&[must("text", Kind::Text(1024))]));
const FOOTER: Field = may("footer", Kind::Object(&[must("text", Kind::Text(60))]));
const HEADER: Field = may(
    "header",
    Kind::Object(&[
        must("type", Kind::One(&["TEXT", "IMAGE", "VIDEO", "DOCUMENT"])),
        may("text", Kind::Text(60)),
        may("mediaUrl", Kind::Address),
        may("filename", Kind::Text(240)),
    ]),
);
const FILE: Field = must("mediaUrl", Kind::Address);
const CAPTION: Field = may("caption", Kind::Text(3000));

const BUTTONS: &[Field] = &[
    BODY,
    must(
        "action",
        Kind::Object(&[must(
            "buttons",
            Kind::List(
                3,
                &[
                    must("type", Kind::One(&["REPLY"])),
                    must("id", Kind::Text(256)),
                    must("title", Kind::Text(20)),
                ],
            ),
        )]),
    ),
    HEADER,
    FOOTER,
];
const LIST: &[Field] = &[
    BODY,
    must(
        "action",
        Kind::Object(&[
            must("title", Kind::Text(20)),
            must(
                "sections",
                Kind::List(10, &[may("title", Kind::Text(24)), must("rows", Kind::List(10, ROW))]),
            ),
        ]),
    ),
    HEADER,
    FOOTER,
];
const ROW: &[Field] =
    &[must("id", Kind::Text(200)), must("title", Kind::Text(24)), may("description", Kind::Text(72))];
const TEMPLATE: &[Field] = &[
    must("templateName", Kind::Text(512)),
    must("language", Kind::Text(16)),
    must(
        "templateData",
        Kind::Object(&[
            must("body", Kind::Object(&[must("placeholders", Kind::Texts)])),
            may(
                "header",
                Kind::Object(&[
                    must("type", Kind::One(&["TEXT", "IMAGE", "VIDEO", "DOCUMENT"])),
                    may("placeholder", Kind::Text(60)),
                    may("mediaUrl", Kind::Address),
                    may("filename", Kind::Text(240)),
                ]),
            ),
            may(
                "buttons",
                Kind::List(
                    10,
                    &[
                        must("type", Kind::One(&["QUICK_REPLY", "URL", "COPY_CODE"])),
                        may("parameter", Kind::Text(128)),
                    ],
                ),
            ),
        ]),
    ),
];
/// Of an authentication template, whose words WhatsApp fixes.
const CODE: Field = must(
    "structure",
    Kind::Object(&[
        must("body", Kind::Object(&[may("addSecurityRecommendation", Kind::Flag)])),
        must("footer", Kind::Object(&[])),
        must(
            "buttons",
            Kind::List(1, &[must("otpType", Kind::One(&["COPY_CODE"])), may("text", Kind::Text(25))]),
        ),
    ]),
);
const STRUCTURE: Field = must(
    "structure",
    Kind::Object(&[
        must("body", Kind::Object(&[must("text", Kind::Text(1024)), may("examples", Kind::Texts)])),
        may(
            "header",
            Kind::Object(&[
                must("format", Kind::One(&["TEXT", "IMAGE", "VIDEO", "DOCUMENT"])),
                may("text", Kind::Text(60)),
                may("example", Kind::Text(2048)),
            ]),
        ),
        may("footer", Kind::Object(&[must("text", Kind::Text(60))])),
        may(
            "buttons",
            Kind::List(
                10,
                &[
                    must("type", Kind::One(&["QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE"])),
                    may("text", Kind::Text(25)),
                    may("url", Kind::Address),
                    may("phoneNumber", Kind::Text(20)),
                    may("example", Kind::Text(2000)),
                ],
            ),
        ),
    ]),
);
const CATEGORY: Field = must("category", Kind::One(&["MARKETING", "UTILITY", "AUTHENTICATION"]));

const TEXT: &[Field] = &[must("text", Kind::Text(4096)), may("previewUrl", Kind::Flag)];
const CAPTIONED: &[Field] = &[FILE, CAPTION];
const BARE: &[Field] = &[FILE];
const DOCUMENT: &[Field] = &[FILE, CAPTION, may("filename", Kind::Text(240))];
const LOCATION: &[Field] = &[
    must("latitude", Kind::Coordinate(90.0)),
    must("longitude", Kind::Coordinate(180.0)),
    may("name", Kind::Text(1000)),
    may("address", Kind::Text(1000)),
];
const CONTACTS: &[Field] = &[must(
    "contacts",
    Kind::List(
        100,
        &[
            must(
                "name",
                Kind::Object(&[must("firstName", Kind::Text(1000)), must("formattedName", Kind::Text(1000))]),
            ),
            may("phones", Kind::List(100, &[must("phone", Kind::Text(1000)), may("waId", Kind::Number)])),
            may("emails", Kind::List(100, &[must("email", Kind::Text(1000))])),
            may("org", Kind::Object(&[must("company", Kind::Text(1000))])),
        ],
    ),
)];
/// What surrounds a content.
const ENVELOPE: &[Field] = &[
    must("from", Kind::Text(24)),
    must("to", Kind::Number),
    // Infobip makes one up where there is none; the gateway must not leave it to that.
    must("messageId", Kind::Text(50)),
    may("context", Kind::Object(&[must("replyToMessageId", Kind::Text(200))])),
    may("callbackData", Kind::Text(4000)),
    may("notifyUrl", Kind::Address),
];
const CREATED: &[Field] =
    &[must("name", Kind::Text(512)), must("language", Kind::Text(16)), CATEGORY, STRUCTURE];
const CHANGED: &[Field] = &[CATEGORY, STRUCTURE];
const CREATED_CODE: &[Field] =
    &[must("name", Kind::Text(512)), must("language", Kind::Text(16)), CATEGORY, CODE];
const CHANGED_CODE: &[Field] = &[CATEGORY, CODE];
const EVENT: &[Field] = &[
    must("sender", Kind::Text(24)),
    must("destinations", Kind::List(1, &[must("to", Kind::Number)])),
    must(
        "content",
        Kind::Object(&[must("type", Kind::One(&["TYPING_INDICATOR"])), must("messageId", Kind::Text(200))]),
    ),
];

/// The content of each call that sends a message.
fn content(path: &str) -> Option<&'static [Field]> {
    Some(match path.strip_prefix("/whatsapp/1/message/")? {
        "text" => TEXT,
        "image" | "video" => CAPTIONED,
        "audio" | "sticker" => BARE,
        "document" => DOCUMENT,
        "location" => LOCATION,
        "contact" => CONTACTS,
        "interactive/buttons" => BUTTONS,
        "interactive/list" => LIST,
        "template" => TEMPLATE,
        _ => return None,
    })
}

pub fn exists(path: &str) -> bool {
    content(path).is_some()
}

/// A body that must be JSON and say so.
pub fn body(call: &Call) -> Result<Value, Reply> {
    let content_type = call.header("content-type").unwrap_or_default();
    if !content_type.starts_with("application/json") {
        return Err(refusal(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", ""));
    }
    serde_json::from_slice(&call.body).map_err(|_| refusal(400, "BAD_REQUEST", "Bad request", "body"))
}

pub fn message(path: &str, message: &Value) -> Result<(), Reply> {
    let Some(mut rest) = message.as_object().cloned() else { return wrong("body") };
    let Some(found) = rest.remove("content") else { return wrong("content") };
    object(&rest, ENVELOPE, "")?;
    value(&found, Kind::Object(content(path).unwrap_or_default()), "content")?;
    if path.ends_with("/interactive/list") {
        return rows(&found);
    }
    let header = &found["templateData"]["header"];
    if header["type"] == "DOCUMENT" && header["filename"].is_null() {
        return wrong("content.templateData.header.filename");
    }
    Ok(())
}

/// Ten rows in all, and titles where there are several sections.
fn rows(content: &Value) -> Result<(), Reply> {
    let sections = content["action"]["sections"].as_array().cloned().unwrap_or_default();
    let rows: usize = sections.iter().map(|section| section["rows"].as_array().map_or(0, Vec::len)).sum();
    let untitled = sections.len() > 1 && sections.iter().any(|section| section["title"].is_null());
    if rows > 10 || untitled { wrong("content.action.sections") } else { Ok(()) }
}

/// The list that templates are sent in.
pub fn templates(body: &Value) -> Result<(), Reply> {
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let Some(messages) = messages else { return wrong("messages") };
    if body.as_object().is_some_and(|body| body.keys().any(|name| name != "messages" && name != "bulkId")) {
        return wrong("body");
    }
    messages.iter().try_for_each(|it| message("/whatsapp/1/message/template", it))
}

/// A template as it is created, or changed.
pub fn template(template: &Value, new: bool) -> Result<(), Reply> {
    let Some(fields) = template.as_object() else { return wrong("body") };
    let code = template["category"] == "AUTHENTICATION";
    let known = match (new, code) {
        (true, false) => CREATED,
        (false, false) => CHANGED,
        (true, true) => CREATED_CODE,
        (false, true) => CHANGED_CODE,
    };
    object(fields, known, "")?;
    let structure = &template["structure"];
    let is_file = structure["header"]["format"].as_str().is_some_and(|format| format != "TEXT");
    if is_file && !is_address(&structure["header"]["example"]) {
        return wrong("structure.header.example");
    }
    for button in structure["buttons"].as_array().into_iter().flatten() {
        let dynamic = button["url"].as_str().is_some_and(|url| url.contains("{{"));
        let shown = &button["example"];
        let whole = is_address(shown) && shown.as_str().is_some_and(|shown| !shown.contains("{{"));
        if button["type"] == "URL" && dynamic != whole {
            return wrong("structure.buttons.example");
        }
    }
    let placeholders = structure["body"]["text"].as_str().unwrap_or_default().matches("{{").count();
    let examples = structure["body"]["examples"].as_array().map_or(0, Vec::len);
    if placeholders == examples { Ok(()) } else { wrong("structure.body.examples") }
}

pub fn events(body: &Value) -> Result<(), Reply> {
    let Some(body) = body.as_object() else { return wrong("body") };
    object(body, &[must("events", Kind::List(1, EVENT))], "")
}

fn object(found: &Map<String, Value>, fields: &[Field], at: &str) -> Result<(), Reply> {
    let place = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    if let Some(name) = found.keys().find(|name| !fields.iter().any(|field| field.name == **name)) {
        return wrong(&place(name));
    }
    for field in fields {
        match found.get(field.name) {
            None if field.required => return wrong(&place(field.name)),
            None => {}
            Some(found) => value(found, field.kind, &place(field.name))?,
        }
    }
    Ok(())
}

fn value(found: &Value, kind: Kind, at: &str) -> Result<(), Reply> {
    let fits = match kind {
        Kind::Text(most) => {
            found.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= most)
        }
        Kind::Flag => found.is_boolean(),
        Kind::Coordinate(most) => found.as_f64().is_some_and(|number| number.abs() <= most),
        Kind::Address => is_address(found),
        Kind::Number => found.as_str().is_some_and(is_destination),
        Kind::One(words) => found.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Texts => found.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        Kind::Object(fields) => {
            let Some(found) = found.as_object() else { return wrong(at) };
            return object(found, fields, at);
        }
        Kind::List(most, fields) => {
            let Some(list) = found.as_array().filter(|list| (1..=most).contains(&list.len())) else {
                return wrong(at);
            };
            return list.iter().try_for_each(|it| value(it, Kind::Object(fields), at));
        }
    };
    if fits { Ok(()) } else { wrong(at) }
}

fn is_address(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() <= 2048 && (text.starts_with("https://") || text.starts_with("http://"))
    })
}

/// `385919998888`, or `HR.1234`.
fn is_destination(to: &str) -> bool {
    let digits =
        (7..=15).contains(&to.len()) && to.bytes().all(|b| b.is_ascii_digit()) && !to.starts_with('0');
    let scoped = to.as_bytes().get(2) == Some(&b'.') && to[..2].bytes().all(|b| b.is_ascii_uppercase());
    digits || scoped
}

fn wrong(field: &str) -> Result<(), Reply> {
    Err(refusal(400, "BAD_REQUEST", "Bad request", field))
}
