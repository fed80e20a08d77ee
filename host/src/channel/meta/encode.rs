//! A reply becomes a call of the Graph API: `POST /{version}/{phone_number_id}/messages`.
//!
//! A contact is addressed as it was received: a phone number as `to`, a business-scoped id as
//! `recipient`. Buttons and lists within Meta's limits are shown as such; larger ones go out as text
//! with numbered options. Our reference travels as `biz_opaque_callback_data` and comes back with
//! every report.

use http::Method;
use serde_json::{Value, json};

use crate::channel::card::{self, Spelling};
use crate::channel::length::Most;
use crate::channel::media::{FILENAME_CHARS, Source, file_name};
use crate::channel::meta::media::reference;
use crate::channel::meta::{graph, menu, parameters};
use crate::channel::{EncodeError, Outgoing, Request, Signal, fallback};
use crate::identity;
use crate::message::{Location, MediaKind, OutboundContent, OutboundMedia, Reaction};
use crate::template::Category;
use crate::tenant::Sender;
use crate::whatsapp_limits as limits;

/// Of those who are known by a business-scoped id.
const RECIPIENT: &str = "recipient";

const TEXT: Most = most(limits::TEXT);
const CAPTION: Most = most(limits::CAPTION);
const FILENAME: Most = most(FILENAME_CHARS);

const fn most(chars: usize) -> Most {
    Most { chars, by: "Meta", rest: ": send it in parts" }
}

/// The one request that sends a reply.
pub fn request(outgoing: &Outgoing<'_>) -> Result<Request, EncodeError> {
    let (sender, body) = (outgoing.sender, body(outgoing)?);
    graph::call(sender, Method::POST, &format!("{}/messages", graph::account(sender)?), &body)
}

/// The message as the Cloud API takes it, whoever passes it on.
pub fn body(outgoing: &Outgoing<'_>) -> Result<Value, EncodeError> {
    let Outgoing { to, outbound, reference, .. } = *outgoing;
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": reference,
    });
    let (field, address) = recipient(to)?;
    body[field] = address.into();
    let wants_a_phone = outgoing.template.is_some_and(|it| it.category == Category::Authentication);
    if field == RECIPIENT && wants_a_phone {
        return Err(EncodeError("an authentication template goes to phone numbers only".into()));
    }
    let (kind, content) = content(outgoing)?;
    body["type"] = kind.into();
    body[kind] = content;
    // A reaction names its message itself.
    let quotes = !matches!(outbound.content, OutboundContent::Reaction(_));
    if let Some(quoted) = outbound.reply_to.as_deref().filter(|id| quotes && !id.is_empty()) {
        body["context"] = json!({ "message_id": quoted });
    }
    Ok(body)
}

pub fn signal(sender: &Sender, message_id: &str, signal: Signal) -> Option<Request> {
    let body = signal_body(message_id, signal)?;
    graph::call(sender, Method::POST, &format!("{}/messages", graph::account(sender).ok()?), &body).ok()
}

/// Marks a message as read; to show that one writes is to have read.
pub fn signal_body(message_id: &str, signal: Signal) -> Option<Value> {
    let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": message_id });
    if signal == Signal::Typing {
        // Ends by itself after 25 seconds, or with the answer.
        body["typing_indicator"] = json!({ "type": "text" });
    }
    (!message_id.is_empty()).then_some(body)
}

/// Is this shown as it is?
pub fn shows(content: &OutboundContent) -> bool {
    match content {
        OutboundContent::Buttons(buttons) => menu::buttons(buttons).is_some(),
        OutboundContent::List(list) => menu::list(list).is_some(),
        OutboundContent::Contacts { contacts } => contacts.len() <= limits::CARDS,
        _ => true,
    }
}

/// The field of the address, and the address as Meta writes it. The digits stay as they were
/// received: the network may know only an old form of the number.
fn recipient(to: &str) -> Result<(&'static str, String), EncodeError> {
    let refused =
        |why: &dyn std::fmt::Display| EncodeError(format!("no message can be sent to this address: {why}"));
    let key = identity::network_id(to).map_err(|error| refused(&error))?;
    if identity::is_phone(&key) {
        let number = to.rsplit_once('@').map_or(to, |(number, _)| number);
        return Ok(("to", identity::phone_digits(number).unwrap_or_else(|_| key.as_str().to_owned())));
    }
    match key.as_str().contains('@') {
        true => Err(refused(&"Meta knows no hidden ids of WhatsApp Web")),
        false => Ok((RECIPIENT, key.as_str().to_owned())),
    }
}

/// The kind of the message, which is also the name of its part, and the part.
fn content(outgoing: &Outgoing<'_>) -> Result<(&'static str, Value), EncodeError> {
    match &outgoing.outbound.content {
        OutboundContent::Text { text } => text_part(text),
        OutboundContent::Buttons(buttons) => match menu::buttons(buttons) {
            Some(part) => Ok(("interactive", part)),
            None => text_part(&fallback::buttons(buttons)),
        },
        OutboundContent::List(list) => match menu::list(list) {
            Some(part) => Ok(("interactive", part)),
            None => text_part(&fallback::list(list)),
        },
        OutboundContent::Media(media) => media_part(media, outgoing.media),
        OutboundContent::Location(location) => location_part(location),
        OutboundContent::Contacts { contacts } if contacts.len() > limits::CARDS => {
            text_part(&fallback::cards(contacts))
        }
        OutboundContent::Contacts { contacts } => {
            Ok(("contacts", card::write(contacts, Spelling::Meta)?.into()))
        }
        OutboundContent::Reaction(reaction) => reaction_part(reaction),
        OutboundContent::Template(template) => {
            let approved = outgoing.template.ok_or_else(|| {
                EncodeError(format!(
                    "the template {} ({}) is not known here",
                    template.name, template.language
                ))
            })?;
            Ok(("template", parameters::part(approved, &template.parameters, outgoing.media)?))
        }
    }
}

fn text_part(text: &str) -> Result<(&'static str, Value), EncodeError> {
    if text.trim().is_empty() {
        return Err(EncodeError("the text is empty".into()));
    }
    TEXT.allow("the text", text)?;
    let linked = text.contains("https://") || text.contains("http://");
    Ok(("text", json!({ "body": text, "preview_url": linked })))
}

fn media_part(media: &OutboundMedia, source: Option<&Source>) -> Result<(&'static str, Value), EncodeError> {
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    };
    let mut part = reference(&media.source, source)?;
    let caption = media.caption.as_deref().filter(|caption| !caption.is_empty());
    match (media.kind, caption) {
        (_, None) => {}
        (MediaKind::Image | MediaKind::Video | MediaKind::Document, Some(caption)) => {
            CAPTION.allow("the caption", caption)?;
            part["caption"] = caption.into();
        }
        (MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker, Some(_)) => {
            return Err(EncodeError(format!(
                "{kind} has no caption on WhatsApp: send the words as a text of their own"
            )));
        }
    }
    if media.kind == MediaKind::Document {
        let name = file_name(media.filename.as_deref(), &media.source, source);
        FILENAME.allow("the file's name", &name)?;
        part["filename"] = name.into();
    }
    Ok((kind, part))
}

fn location_part(location: &Location) -> Result<(&'static str, Value), EncodeError> {
    let (latitude, longitude) = (location.latitude, location.longitude);
    if !((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)) {
        return Err(EncodeError("the location's coordinates are not on Earth".into()));
    }
    let mut part = json!({ "latitude": latitude, "longitude": longitude });
    for (name, text) in [("name", &location.name), ("address", &location.address)] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            part[name] = text.into();
        }
    }
    Ok(("location", part))
}

fn reaction_part(reaction: &Reaction) -> Result<(&'static str, Value), EncodeError> {
    if reaction.message_id.is_empty() {
        return Err(EncodeError("the reaction names no message".into()));
    }
    Ok(("reaction", json!({ "message_id": reaction.message_id, "emoji": reaction.emoji })))
}

#[cfg(test)]
mod tests;
