//! A reply becomes a call of Gupshup's API: a form in which the message is JSON in text. Null is refused
//! there, so that what is missing is left out.
//!
//! Gupshup writes to phone numbers alone: no groups, no business-scoped ids. It takes no id of ours, so
//! that what may have gone out cannot be asked after.

use serde_json::{Value, json};

use crate::channel::card::{self, Spelling};
use crate::channel::gupshup::media::link;
use crate::channel::gupshup::{api, menu, templates};
use crate::channel::length::Most;
use crate::channel::media::{FILENAME_CHARS, Source, file_name};
use crate::channel::{EncodeError, Outgoing, Request, fallback};
use crate::identity::{self, Address};
use crate::message::{MediaKind, OutboundContent, OutboundMedia, Reaction};
use crate::tenant::Sender;
use crate::whatsapp_limits as limits;

const TEXT: Most = most(limits::TEXT);
const CAPTION: Most = most(limits::CAPTION);
const FILENAME: Most = most(FILENAME_CHARS);

const fn most(chars: usize) -> Most {
    Most { chars, by: "WhatsApp", rest: "" }
}

/// The one request that sends a reply.
pub fn request(outgoing: &Outgoing<'_>) -> Result<Request, EncodeError> {
    let Outgoing { sender, to, outbound, .. } = *outgoing;
    let mut fields = vec![
        ("channel", "whatsapp".to_owned()),
        ("source", source(sender)?),
        ("destination", destination(to)?),
        ("src.name", sender.account.clone()),
    ];
    let path = match &outbound.content {
        OutboundContent::Template(wanted) => {
            fields.extend(templates::fields(outgoing, wanted)?);
            "/wa/api/v1/template/msg"
        }
        content => {
            let mut message = message(content, outgoing)?;
            let quoted = outbound.reply_to.as_deref().filter(|id| !id.is_empty());
            if let Some(quoted) = quoted
                && !matches!(content, OutboundContent::Reaction(_))
            {
                message["context"] = json!({ "msgId": quoted });
            }
            fields.push(("message", message.to_string()));
            "/wa/api/v1/msg"
        }
    };
    api::form(sender, http::Method::POST, path, &fields)
}

fn source(sender: &Sender) -> Result<String, EncodeError> {
    let wrong = |what: &dyn std::fmt::Display| {
        EncodeError(format!("the sender {} has no number that Gupshup could send from: {what}", sender.name))
    };
    let number = sender.number.as_deref().ok_or_else(|| wrong(&"set its number"))?;
    identity::phone_digits(number).map_err(|error| wrong(&error))
}

/// The digits as they were received: the network may know only an old form of the number.
fn destination(raw: &str) -> Result<String, EncodeError> {
    let refused =
        |why: &dyn std::fmt::Display| EncodeError(format!("no message can be sent to this address: {why}"));
    if identity::network_id(raw).is_ok_and(|key| key.as_str() == raw && identity::is_phone(&key)) {
        return Ok(raw.to_owned());
    }
    match identity::address(raw).map_err(|error| refused(&error))? {
        Address::Person(key) if identity::is_phone(&key) => {
            let number = raw.rsplit_once('@').map_or(raw, |(number, _)| number);
            identity::phone_digits(number).map_err(|error| refused(&error))
        }
        Address::Person(_) => Err(refused(&"Gupshup writes to phone numbers alone")),
        _ => Err(refused(&"Gupshup knows no groups, stories or channels")),
    }
}

fn message(content: &OutboundContent, outgoing: &Outgoing<'_>) -> Result<Value, EncodeError> {
    match content {
        OutboundContent::Text { text } => words(text),
        OutboundContent::Buttons(buttons) => match menu::buttons(buttons, outgoing.reference) {
            Some(menu) => Ok(menu),
            None => words(&fallback::buttons(buttons)),
        },
        OutboundContent::List(list) => match menu::list(list, outgoing.reference) {
            Some(menu) => Ok(menu),
            None => words(&fallback::list(list)),
        },
        OutboundContent::Media(media) => file(media, outgoing.media),
        OutboundContent::Location(location) => {
            if !(location.latitude.is_finite() && location.longitude.is_finite()) {
                return Err(EncodeError("the location's coordinates are no numbers".into()));
            }
            let mut message = json!({
                "type": "location", "latitude": location.latitude, "longitude": location.longitude,
            });
            for (field, text) in [("name", &location.name), ("address", &location.address)] {
                if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                    message[field] = text.into();
                }
            }
            Ok(message)
        }
        OutboundContent::Contacts { contacts } => {
            match card::write(contacts, Spelling::Gupshup)?.as_slice() {
                [card] => Ok(json!({ "type": "contact", "contact": card })),
                _ => words(&fallback::cards(contacts)),
            }
        }
        OutboundContent::Reaction(Reaction { message_id, .. }) if message_id.is_empty() => {
            Err(EncodeError("the reaction names no message".into()))
        }
        OutboundContent::Reaction(Reaction { message_id, emoji }) => {
            Ok(json!({ "type": "reaction", "msgId": message_id, "emoji": emoji }))
        }
        OutboundContent::Template(template) => {
            Err(EncodeError(format!("the template `{}` has a call of its own", template.name)))
        }
    }
}

fn words(text: &str) -> Result<Value, EncodeError> {
    if text.trim().is_empty() {
        return Err(EncodeError("the text is empty".into()));
    }
    TEXT.allow("the text", text)?;
    Ok(json!({ "type": "text", "text": text }))
}

fn file(media: &OutboundMedia, source: Option<&Source>) -> Result<Value, EncodeError> {
    let link = link(&media.source, source)?;
    let caption = media.caption.as_deref().filter(|caption| !caption.is_empty());
    if let Some(caption) = caption {
        CAPTION.allow("the caption", caption)?;
        if matches!(media.kind, MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker) {
            return Err(EncodeError(
                "audio and stickers have no caption on WhatsApp: send the words as text".into(),
            ));
        }
    }
    let mut message = match media.kind {
        MediaKind::Image => json!({ "type": "image", "originalUrl": link, "previewUrl": link }),
        MediaKind::Video => json!({ "type": "video", "url": link }),
        MediaKind::Audio | MediaKind::Voice => json!({ "type": "audio", "url": link }),
        MediaKind::Sticker => json!({ "type": "sticker", "url": link }),
        MediaKind::Document => {
            let name = file_name(media.filename.as_deref(), &media.source, source);
            FILENAME.allow("the file's name", &name)?;
            json!({ "type": "file", "url": link, "filename": name })
        }
    };
    if let Some(caption) = caption {
        message["caption"] = caption.into();
    }
    Ok(message)
}
