//! What WAHA takes of messages: paths, methods, fields with their types, chat ids. What it does not
//! take it answers in NestJS's form: `message` is a list of texts for a body that does not fit, one
//! text for everything else.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::peer::{Call, Reply};

/// A request about a message that fits the contract.
#[derive(Debug)]
pub struct Message {
    pub session: String,
    pub chat: String,
    pub body: Value,
    /// Something goes out; else a chat was only marked as read, or as being written in.
    pub sends: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
    Texts,
    ChatId,
    MessageId,
    /// `{mimetype, url | data, filename?}`
    File,
    /// The same with its name.
    NamedFile,
    /// Some of `{vcard}`
    Cards,
}

struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const SESSION: Field = must("session", Kind::Text);
const CHAT: Field = must("chatId", Kind::ChatId);
const REPLY_TO: Field = may("reply_to", Kind::Text);
const FILE: Field = must("file", Kind::File);
const NAMED_FILE: Field = must("file", Kind::NamedFile);
const CAPTION: Field = may("caption", Kind::Text);
const CONVERT: Field = must("convert", Kind::Flag);

/// The calls that exist, with the fields they know.
fn fields(method: &Method, path: &str) -> Option<Vec<Field>> {
    let text = vec![
        SESSION,
        CHAT,
        must("text", Kind::Text),
        REPLY_TO,
        may("mentions", Kind::Texts),
        may("linkPreview", Kind::Flag),
        may("linkPreviewHighQuality", Kind::Flag),
        may("id", Kind::Text),
    ];
    Some(match (method.as_str(), path) {
        ("POST", "/api/sendText") => text,
        ("POST", "/api/sendImage" | "/api/sendFile") => vec![SESSION, CHAT, FILE, CAPTION, REPLY_TO],
        ("POST", "/api/sendVideo") => {
            vec![SESSION, CHAT, NAMED_FILE, CAPTION, REPLY_TO, CONVERT, may("asNote", Kind::Flag)]
        }
        ("POST", "/api/sendVoice") => vec![SESSION, CHAT, NAMED_FILE, REPLY_TO, CONVERT],
        ("POST", "/api/sendLocation") => vec![
            SESSION,
            CHAT,
            must("latitude", Kind::Number),
            must("longitude", Kind::Number),
            must("title", Kind::Text),
            REPLY_TO,
        ],
        ("POST", "/api/sendContactVcard") => vec![SESSION, CHAT, must("contacts", Kind::Cards), REPLY_TO],
        ("PUT", "/api/reaction") => {
            vec![SESSION, must("messageId", Kind::MessageId), must("reaction", Kind::Text)]
        }
        ("POST", "/api/sendSeen") => {
            vec![SESSION, CHAT, may("messageIds", Kind::Texts), may("participant", Kind::Text)]
        }
        ("POST", "/api/startTyping" | "/api/stopTyping") => vec![SESSION, CHAT],
        _ => return None,
    })
}

/// Does it only tell of us, and send nothing?
pub fn is_signal(path: &str) -> bool {
    matches!(path, "/api/sendSeen" | "/api/startTyping" | "/api/stopTyping")
}

pub fn key(call: &Call, api_key: &str) -> Result<(), Reply> {
    match call.header("x-api-key") {
        Some(given) if given == api_key => Ok(()),
        _ => Err(Reply::json(401, &json!({ "message": "Unauthorized", "statusCode": 401 }))),
    }
}

pub fn message(call: &Call) -> Result<Message, Reply> {
    let Some(fields) = fields(&call.method, &call.path) else { return Err(no_such_call(call)) };
    let body = read(call)?;
    let object = body.as_object().expect("it was read as an object");
    let wrong = check(object, &fields);
    if !wrong.is_empty() {
        return Err(nest(400, json!(wrong), "Bad Request"));
    }
    let named = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let chat = match chat_of(&named("messageId")) {
        Some(chat) => chat.to_owned(),
        None => named("chatId"),
    };
    let (session, sends) = (named("session"), !is_signal(&call.path));
    Ok(Message { session, chat, sends, body })
}

/// A chat that is asked for what was said in it.
pub struct Recall {
    pub session: String,
    pub chat: String,
}

/// `GET /api/{session}/chats/{chatId}/messages`, with what the real one insists on.
pub fn recall(call: &Call) -> Result<Option<Recall>, Reply> {
    let parts: Vec<&str> = call.path.split('/').collect();
    let ["", "api", session, "chats", chat, "messages"] = parts[..] else { return Ok(None) };
    if call.method != "GET" {
        return Ok(None);
    }
    let given = |name: &str| call.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let limit = given("limit").and_then(|limit| limit.parse::<usize>().ok());
    let since = given("filter.timestamp.gte").map(str::parse::<i64>);
    if limit.is_none() || matches!(since, Some(Err(_))) {
        return Err(nest(400, json!(["limit must be a number"]), "Bad Request"));
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok(Some(Recall { session: decoded(session), chat: decoded(chat) }))
}

/// The body, which must be an object.
pub fn read(call: &Call) -> Result<Value, Reply> {
    let content_type = call.header("content-type").unwrap_or("");
    let is_json =
        content_type.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"));
    // Express reads only JSON; anything else is an empty body to what comes after.
    let body: Value = serde_json::from_slice(if is_json { &call.body } else { b"{}" })
        .map_err(|error| nest(400, json!(format!("Unexpected token in JSON: {error}")), "Bad Request"))?;
    match body.is_object() {
        true => Ok(body),
        false => Err(nest(400, json!("The body is not an object"), "Bad Request")),
    }
}

pub fn no_such_call(call: &Call) -> Reply {
    nest(404, json!(format!("Cannot {} {}", call.method, call.path)), "Not Found")
}

pub fn nest(status: u16, message: Value, error: &str) -> Reply {
    Reply::json(status, &json!({ "statusCode": status, "message": message, "error": error }))
}

/// Everything that does not fit, in the words of NestJS's validation.
fn check(object: &Map<String, Value>, fields: &[Field]) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in object.keys().filter(|name| !fields.iter().any(|field| field.name == **name)) {
        wrong.push(format!("property {name} should not exist"));
    }
    for Field { name, kind, required } in fields {
        let value = object.get(*name).unwrap_or(&Value::Null);
        if value.is_null() && !required {
            continue;
        }
        wrong.extend(fits(name, *kind, value).err());
    }
    wrong
}

fn fits(name: &str, kind: Kind, value: &Value) -> Result<(), String> {
    let is = |fits: bool, what: &str| if fits { Ok(()) } else { Err(format!("{name} must be {what}")) };
    match kind {
        Kind::Text => is(value.is_string(), "a string"),
        Kind::Number => is(value.is_number(), "a number conforming to the specified constraints"),
        Kind::Flag => is(value.is_boolean(), "a boolean value"),
        Kind::Texts => {
            let texts = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
            is(texts, "an array of strings")
        }
        Kind::ChatId => is(value.as_str().is_some_and(is_chat_id), "a chat id"),
        Kind::MessageId => is(value.as_str().and_then(chat_of).is_some_and(is_chat_id), "a message id"),
        Kind::Cards => {
            let is_card = |card: &Value| {
                let text = card["vcard"].as_str().unwrap_or_default();
                let whole = text.starts_with("BEGIN:VCARD\n") && text.ends_with("\nEND:VCARD");
                whole && text.contains("\nFN:") && card.as_object().is_some_and(|card| card.len() == 1)
            };
            let cards = value.as_array().is_some_and(|cards| !cards.is_empty() && cards.iter().all(is_card));
            is(cards, "cards with a vcard")
        }
        Kind::File | Kind::NamedFile => {
            let Some(file) = value.as_object() else { return is(false, "an object") };
            let text = |part: &str| file.get(part).and_then(Value::as_str).filter(|text| !text.is_empty());
            is(text("mimetype").is_some_and(|it| it.contains('/')), "a file with a mimetype")?;
            let url =
                text("url").is_some_and(|url| url.starts_with("http://") || url.starts_with("https://"));
            is(url || text("data").is_some(), "a file with a url or data")?;
            let known = |part: &String| ["mimetype", "url", "data", "filename"].contains(&part.as_str());
            is(file.keys().all(known), "a file with mimetype, url or data, and filename")?;
            let named = !matches!(kind, Kind::NamedFile) || text("filename").is_some();
            is(named, "a file with a filename")
        }
    }
}

/// `971501234567@c.us`, `245800000000182@lid`, `120363000000000002@g.us`. Raw data's
/// `@s.whatsapp.net` must have been converted, a device cut.
fn is_chat_id(chat: &str) -> bool {
    let Some((user, server)) = chat.split_once('@') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match server {
        "c.us" => digits(user) && (7..=15).contains(&user.len()) && !user.starts_with('0'),
        "lid" => digits(user),
        "g.us" => user.split('-').all(digits),
        _ => false,
    }
}

/// `true_971501234567@c.us_3EB0…`
fn chat_of(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_"))?;
    let (chat, id) = rest.split_at(rest.find('@')? + rest[rest.find('@')?..].find('_')?);
    (id.len() > 1).then_some(chat)
}
