//! What a message may be: for each type its fields, which must be there, and how long they may be. The
//! limits of menus are WhatsApp's.

use serde_json::{Map, Value};

#[derive(Clone, Copy)]
enum Kind {
    /// Text of so many characters at most, and of some.
    Text(usize),
    /// The same, but it may be empty.
    Anything(usize),
    Address,
    Number,
    /// One, with a name, `phones`, `emails` and `org`.
    Card,
    /// `{msgId}`
    Context,
    /// `{type: "text", text, header?, caption?}`
    Content,
    /// 1 to 3 of `{type: "text", title, postbackText}`
    Buttons,
    /// One of `{type: "text", title}`
    GlobalButton,
    /// `{title, subtitle, options: [{type: "text", title, description?, postbackText}]}`, 1 to 10 options
    Items,
}

struct Field(&'static str, Kind, bool);

const TYPE: Field = Field("type", Kind::Text(20), true);
const CONTEXT: Field = Field("context", Kind::Context, false);
const CAPTION: Field = Field("caption", Kind::Text(1024), false);

fn fields(kind: &str) -> Option<Vec<Field>> {
    Some(match kind {
        "text" => vec![TYPE, CONTEXT, Field("text", Kind::Text(4096), true)],
        "image" => vec![
            TYPE,
            CONTEXT,
            CAPTION,
            Field("originalUrl", Kind::Address, true),
            Field("previewUrl", Kind::Address, true),
        ],
        "video" => vec![TYPE, CONTEXT, CAPTION, Field("url", Kind::Address, true)],
        "audio" | "sticker" => vec![TYPE, CONTEXT, Field("url", Kind::Address, true)],
        "file" => vec![
            TYPE,
            CONTEXT,
            CAPTION,
            Field("url", Kind::Address, true),
            Field("filename", Kind::Text(240), true),
        ],
        "location" => vec![
            TYPE,
            CONTEXT,
            Field("latitude", Kind::Number, true),
            Field("longitude", Kind::Number, true),
            Field("name", Kind::Text(1000), false),
            Field("address", Kind::Text(1000), false),
        ],
        "contact" => vec![TYPE, CONTEXT, Field("contact", Kind::Card, true)],
        "reaction" => {
            vec![TYPE, Field("msgId", Kind::Text(256), true), Field("emoji", Kind::Anything(16), true)]
        }
        "quick_reply" => vec![
            TYPE,
            CONTEXT,
            Field("msgid", Kind::Text(256), false),
            Field("content", Kind::Content, true),
            Field("options", Kind::Buttons, true),
        ],
        "list" => vec![
            TYPE,
            CONTEXT,
            Field("title", Kind::Text(60), true),
            Field("body", Kind::Text(1024), true),
            Field("msgid", Kind::Text(256), true),
            Field("globalButtons", Kind::GlobalButton, true),
            Field("items", Kind::Items, true),
        ],
        _ => return None,
    })
}

/// The first thing that is wrong.
pub fn check(message: &Value) -> Result<(), String> {
    let object = message.as_object().ok_or("Invalid message: it is no object")?;
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let fields = fields(kind).ok_or_else(|| format!("Invalid message type {kind:?}"))?;
    all("message", object, &fields)
}

fn all(place: &str, object: &Map<String, Value>, fields: &[Field]) -> Result<(), String> {
    if let Some(unknown) = object.keys().find(|name| !fields.iter().any(|Field(known, ..)| known == name)) {
        return Err(format!("Unknown field {place}.{unknown}"));
    }
    for Field(name, kind, required) in fields {
        match object.get(*name) {
            None if *required => return Err(format!("Missing field {place}.{name}")),
            None => {}
            Some(value) => one(&format!("{place}.{name}"), value, *kind)?,
        }
    }
    Ok(())
}

fn one(place: &str, value: &Value, kind: Kind) -> Result<(), String> {
    let is = |fits: bool| if fits { Ok(()) } else { Err(format!("Invalid value of {place}")) };
    let object = || value.as_object().ok_or_else(|| format!("Invalid value of {place}"));
    match kind {
        Kind::Text(most) => {
            is(value.as_str().is_some_and(|text| !text.trim().is_empty() && text.chars().count() <= most))
        }
        Kind::Anything(most) => is(value.as_str().is_some_and(|text| text.chars().count() <= most)),
        Kind::Address => {
            is(value.as_str().is_some_and(|it| it.starts_with("https://") || it.starts_with("http://")))
        }
        Kind::Number => is(value.is_number()),
        Kind::Card => card(place, object()?),
        Kind::Context => all(place, object()?, &[Field("msgId", Kind::Text(256), true)]),
        Kind::Content => {
            let (text, header, caption) = (Kind::Text(1024), Kind::Text(60), Kind::Text(60));
            let fields = [
                TYPE,
                Field("text", text, true),
                Field("header", header, false),
                Field("caption", caption, false),
            ];
            is(value["type"] == "text")?;
            all(place, object()?, &fields)
        }
        Kind::Buttons => {
            let fields =
                [TYPE, Field("title", Kind::Text(20), true), Field("postbackText", Kind::Text(256), true)];
            options(place, value, 3, &fields)
        }
        Kind::GlobalButton => options(place, value, 1, &[TYPE, Field("title", Kind::Text(20), true)]),
        Kind::Items => items(place, value),
    }
}

fn card(place: &str, card: &Map<String, Value>) -> Result<(), String> {
    let known = ["name", "phones", "emails", "org"];
    if let Some(unknown) = card.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("Unknown field {place}.{unknown}"));
    }
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let named = card.get("name").is_some_and(|name| text(&name["formattedName"]) && text(&name["firstName"]));
    let listed = |list: &str, field: &str| {
        let items = card.get(list).map(|items| items.as_array().cloned().unwrap_or_default());
        items.is_none_or(|items| {
            !items.is_empty() && items.iter().all(|item| text(&item[field]) && text(&item["type"]))
        })
    };
    let whole = named && listed("phones", "phone") && listed("emails", "email");
    if whole && card.get("org").is_none_or(|org| text(&org["company"])) {
        return Ok(());
    }
    Err(format!("Invalid value of {place}"))
}

fn items(place: &str, value: &Value) -> Result<(), String> {
    let Some(items) = value.as_array().filter(|items| (1..=10).contains(&items.len())) else {
        return Err(format!("Invalid value of {place}"));
    };
    let count: usize = items.iter().map(|item| item["options"].as_array().map_or(0, Vec::len)).sum();
    if count > 10 {
        return Err(format!("{place} have {count} options; 10 at most"));
    }
    let row = [
        TYPE,
        Field("title", Kind::Text(24), true),
        Field("description", Kind::Text(72), true),
        Field("postbackText", Kind::Text(200), true),
    ];
    for item in items {
        for name in ["title", "subtitle"] {
            one(&format!("{place}.{name}"), &item[name], Kind::Text(24))?;
        }
        options(&format!("{place}.options"), &item["options"], 10, &row)?;
        if item.as_object().is_none_or(|item| item.len() != 3) {
            return Err(format!("Unknown field in {place}"));
        }
    }
    Ok(())
}

fn options(place: &str, value: &Value, most: usize, fields: &[Field]) -> Result<(), String> {
    let options = value.as_array().filter(|options| (1..=most).contains(&options.len()));
    let options = options.ok_or_else(|| format!("{place} must have 1 to {most} options"))?;
    let mut titles = Vec::new();
    for option in options {
        let option = option.as_object().ok_or_else(|| format!("Invalid value of {place}"))?;
        all(place, option, fields)?;
        if option["type"] != "text" || titles.contains(&&option["title"]) {
            return Err(format!("Invalid option in {place}"));
        }
        titles.push(&option["title"]);
    }
    Ok(())
}

/// The place of the first null; there must be none anywhere.
pub fn without_nulls(value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err(String::new()),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, value)| without_nulls(value).map_err(|place| format!(".{name}{place}"))),
        Value::Array(items) => items.iter().try_for_each(without_nulls),
        _ => Ok(()),
    }
}
