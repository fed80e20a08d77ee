//! A reply becomes a call of Infobip's WhatsApp API. Our reference is its `messageId`, by which reports
//! name it, and by which Infobip knows a repeat.
//!
//! Infobip has a call of its own for each kind of message. It has none for reactions; it takes files as
//! addresses only.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::card::{self, Spelling};
use crate::channel::infobip::menu;
use crate::channel::infobip::placeholders::filled;
use crate::channel::length::Most;
use crate::channel::media::{FILENAME_CHARS, Place, Source, file_name};
use crate::channel::{EncodeError, Outgoing, Request, Signal, fallback};
use crate::identity::{self, Address};
use crate::message::{self, Location, MediaKind, OutboundContent, OutboundMedia};
use crate::template::{self, Button, Category, Header, Template};
use crate::tenant::Sender;
use crate::whatsapp_limits as limits;

/// Infobip's models, where they are not WhatsApp's own.
const TEXT: Most = most(limits::TEXT, " in a text");
const CAPTION: Most = most(3000, " in a caption");
const FILENAME: Most = most(FILENAME_CHARS, " in a file name");
const ADDRESS: Most = most(2048, " in an address");
const PLACE_NAME: Most = most(1000, " in a location's name");
const PLACE_ADDRESS: Most = most(1000, " in a location's address");
const MESSAGE_ID: Most = most(50, " in messageId");

const fn most(chars: usize, rest: &'static str) -> Most {
    Most { chars, by: "Infobip", rest }
}

/// The one request that sends a reply.
pub fn request(outgoing: &Outgoing<'_>) -> Result<Request, EncodeError> {
    let Outgoing { sender, to, outbound, reference, .. } = *outgoing;
    let (path, content) = call(outgoing)?;
    MESSAGE_ID.allow("the reference", reference)?;
    let mut message = json!({
        "from": number(sender), "to": destination(to)?, "messageId": reference, "content": content,
    });
    if let Some(quoted) = outbound.reply_to.as_deref().filter(|id| !id.is_empty()) {
        message["context"] = json!({ "replyToMessageId": quoted });
    }
    // Templates alone are sent in a list.
    let body = match outbound.content {
        OutboundContent::Template(_) => json!({ "messages": [message] }),
        _ => message,
    };
    let url = format!("{}/whatsapp/1/message/{path}", base(sender)?);
    authorized(Request::json(http::Method::POST, url, &body), sender)
}

/// `.../read` for one message; typing is an event of its own, and says which message is answered.
pub fn signal(sender: &Sender, to: &str, message_id: &str, signal: Signal) -> Result<Request, EncodeError> {
    let base = base(sender)?;
    let request = match signal {
        Signal::Read => {
            let id = utf8_percent_encode(message_id, NON_ALPHANUMERIC);
            let url = format!("{base}/whatsapp/1/senders/{}/message/{id}/read", number(sender));
            Request { method: http::Method::POST, ..Request::get(url) }
        }
        Signal::Typing => {
            let body = json!({ "events": [{
                "sender": number(sender),
                "destinations": [{ "to": destination(to)? }],
                "content": { "type": "TYPING_INDICATOR", "messageId": message_id },
            }] });
            Request::json(http::Method::POST, format!("{base}/whatsapp/1/events"), &body)
        }
    };
    authorized(request, sender)
}

/// Where this account's API is. Every account has an address of its own.
pub fn base(sender: &Sender) -> Result<String, EncodeError> {
    let base = sender.base_url.as_deref().unwrap_or_default().trim().trim_end_matches('/');
    if base.is_empty() {
        return Err(EncodeError(format!(
            "the sender {} has no base_url: Infobip gives each account one, such as https://xxxxx.api.infobip.com",
            sender.name
        )));
    }
    Ok(base.to_owned())
}

pub fn authorized(request: Request, sender: &Sender) -> Result<Request, EncodeError> {
    let key = sender.api_key.expose();
    if key.is_empty() {
        return Err(EncodeError(format!("the sender {} has no api_key", sender.name)));
    }
    // A key may come with its scheme: `Basic …`, `Bearer …`, `IBSSO …`.
    let value = if key.contains(' ') { key.to_owned() } else { format!("App {key}") };
    Ok(request.header("Authorization", value).header("Accept", "application/json"))
}

/// Our number in Infobip's form.
pub fn number(sender: &Sender) -> String {
    identity::phone_digits(&sender.account).unwrap_or_else(|_| sender.account.clone())
}

/// The digits stay as they were received: the network may know only an old form of the number.
fn destination(to: &str) -> Result<String, EncodeError> {
    let refused =
        |why: &dyn std::fmt::Display| EncodeError(format!("no message can be sent to this address: {why}"));
    match identity::address(to).map_err(|error| refused(&error))? {
        Address::Person(key) if identity::is_phone(&key) => {
            let number = to.rsplit_once('@').map_or(to, |(number, _)| number);
            identity::phone_digits(number).map_err(|error| refused(&error))
        }
        Address::Person(key) if !key.as_str().contains('@') => Ok(key.as_str().to_owned()),
        Address::Person(_) => Err(refused(&"Infobip knows no hidden ids")),
        _ => Err(refused(&"only people are answered through Infobip")),
    }
}

fn call(outgoing: &Outgoing<'_>) -> Result<(&'static str, Value), EncodeError> {
    Ok(match &outgoing.outbound.content {
        OutboundContent::Text { text } => ("text", words(text)?),
        OutboundContent::Media(media) => file(outgoing, media)?,
        OutboundContent::Buttons(buttons) if menu::shows_buttons(buttons) => {
            ("interactive/buttons", menu::buttons(buttons))
        }
        OutboundContent::Buttons(buttons) => ("text", words(&fallback::buttons(buttons))?),
        OutboundContent::List(list) if menu::shows_list(list) => ("interactive/list", menu::list(list)),
        OutboundContent::List(list) => ("text", words(&fallback::list(list))?),
        OutboundContent::Location(location) => ("location", place(location)?),
        OutboundContent::Contacts { contacts } => {
            ("contact", json!({ "contacts": card::write(contacts, Spelling::Infobip)? }))
        }
        OutboundContent::Template(asked) => ("template", template(outgoing, asked)?),
        OutboundContent::Reaction(_) => {
            return Err(EncodeError("Infobip's API has no call for reactions: send text".into()));
        }
    })
}

fn words(text: &str) -> Result<Value, EncodeError> {
    if text.trim().is_empty() {
        return Err(EncodeError("the text is empty".into()));
    }
    TEXT.allow("the text", text)?;
    Ok(json!({ "text": text }))
}

fn file(outgoing: &Outgoing<'_>, media: &OutboundMedia) -> Result<(&'static str, Value), EncodeError> {
    let mut content = json!({ "mediaUrl": address(outgoing, &media.source)? });
    let caption = media.caption.as_deref().filter(|caption| !caption.is_empty());
    let path = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Sticker => "sticker",
    };
    match (media.kind, caption) {
        (MediaKind::Image | MediaKind::Video | MediaKind::Document, Some(caption)) => {
            CAPTION.allow("the caption", caption)?;
            content["caption"] = caption.into();
        }
        (_, Some(_)) => {
            return Err(EncodeError(format!(
                "WhatsApp shows no caption beside this ({path}): send the words as text"
            )));
        }
        (_, None) => {}
    }
    if media.kind == MediaKind::Document {
        let name = file_name(media.filename.as_deref(), &media.source, outgoing.media);
        FILENAME.allow("the file name", &name)?;
        content["filename"] = name.into();
    }
    Ok((path, content))
}

/// Where Infobip finds the file.
fn address(outgoing: &Outgoing<'_>, source: &str) -> Result<String, EncodeError> {
    let found = match outgoing.media {
        Some(Source { place: Place::Link(link), .. }) => link,
        Some(_) => return Err(EncodeError("Infobip takes files by their address only".into())),
        None => source,
    };
    if !is_address(found) {
        return Err(EncodeError("the media's source is neither an https address nor a received file".into()));
    }
    ADDRESS.allow("the file's address", found)?;
    Ok(found.to_owned())
}

fn place(location: &Location) -> Result<Value, EncodeError> {
    let Location { latitude, longitude, .. } = *location;
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Err(EncodeError(
            "the location is not on Earth: latitude -90 to 90, longitude -180 to 180".into(),
        ));
    }
    let mut content = json!({ "latitude": latitude, "longitude": longitude });
    for (name, text, most) in
        [("name", &location.name, PLACE_NAME), ("address", &location.address, PLACE_ADDRESS)]
    {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            most.allow(&format!("the location's {name}"), text)?;
            content[name] = text.into();
        }
    }
    Ok(content)
}

/// Placeholders go by place, so that the template itself is needed. Of its buttons only those that
/// have something to fill in are named.
fn template(outgoing: &Outgoing<'_>, asked: &message::Template) -> Result<Value, EncodeError> {
    let Some(template) = outgoing.template else {
        return Err(EncodeError(format!(
            "there is no approved template `{}` in `{}`; see `switchboard template list`",
            asked.name, asked.language
        )));
    };
    let values = template::values(template, &asked.parameters)
        .map_err(|mistake| EncodeError(format!("the template `{}`: {mistake}", template.name)))?;
    if template.category == Category::Authentication {
        return code(template, &values);
    }
    let fill = |text: &str| filled(template, text, &values);
    // The parameters that stand in no text: a header's file, a coupon's code.
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    let mut data = json!({ "body": { "placeholders": fill(&template.body)? } });
    let file = || address(outgoing, value("header"));
    match &template.header {
        Some(Header::Text { text }) => {
            if let Some(value) = fill(text)?.first() {
                data["header"] = json!({ "type": "TEXT", "placeholder": value });
            }
        }
        Some(Header::Image) => data["header"] = json!({ "type": "IMAGE", "mediaUrl": file()? }),
        Some(Header::Video) => data["header"] = json!({ "type": "VIDEO", "mediaUrl": file()? }),
        Some(Header::Document) => {
            let name = file_name(None, value("header"), outgoing.media);
            data["header"] = json!({ "type": "DOCUMENT", "mediaUrl": file()?, "filename": name });
        }
        None => {}
    }
    let mut buttons = Vec::new();
    for button in &template.buttons {
        match button {
            Button::QuickReply { text } => buttons.push(json!({ "type": "QUICK_REPLY", "parameter": text })),
            Button::Url { url, .. } => {
                if let Some(value) = fill(url)?.first() {
                    buttons.push(json!({ "type": "URL", "parameter": value }));
                }
            }
            Button::CopyCode { .. } => {
                buttons.push(json!({ "type": "COPY_CODE", "parameter": value("code") }));
            }
            Button::Phone { .. } => {}
        }
    }
    if !buttons.is_empty() {
        data["buttons"] = buttons.into();
    }
    Ok(json!({ "templateName": template.name, "templateData": data, "language": template.language }))
}

/// WhatsApp writes the words of an authentication template itself: its code stands in the body, and once
/// more behind the button that copies it.
fn code(template: &Template, values: &BTreeMap<&str, &str>) -> Result<Value, EncodeError> {
    let code = template.code().and_then(|name| values.get(name)).ok_or_else(|| {
        EncodeError(format!(
            "the template `{}`: an authentication template has a parameter for its code; declare `code`",
            template.name
        ))
    })?;
    let data = json!({
        "body": { "placeholders": [code] }, "buttons": [{ "type": "URL", "parameter": code }],
    });
    Ok(json!({ "templateName": template.name, "templateData": data, "language": template.language }))
}

pub fn is_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace)
}
