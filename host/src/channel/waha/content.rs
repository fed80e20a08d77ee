//! What a WAHA message holds: the normal fields first, and the engine's raw data (`_data`) for what
//! has no normal field: answers to buttons and lists, voice and stickers, sizes, names of files.
//!
//! The raw message is a WhatsApp protobuf as JSON. NOWEB prints it under `message`, GOWS under
//! `Message` with Go's spelling (`selectedRowID`, and a level more for its "one of" fields); WEBJS has
//! flat fields of its own.

use serde_json::Value;

use crate::channel::json::{self, Object};
use crate::channel::waha::referral;
use crate::channel::{DecodeError, card, vcard};
use crate::message::{Choice, Content, Location, Media, MediaKind, Referral};

/// A kind that is not known here is shown to the brain with its data, up to this size; thumbnails
/// alone may be hundreds of kilobytes.
const UNKNOWN_DATA_BYTES: usize = 4096;

pub enum Found {
    Content(Content),
    /// Not something the contact said, and what it is.
    Nothing(&'static str),
}

/// Reads a message that came in.
pub fn read(payload: &Object) -> Result<Found, DecodeError> {
    let raw = Raw::of(payload);
    let body = json::strict_text(payload, "body", "payload")?.filter(|body| !body.is_empty());
    let text = body.or_else(|| raw.text());
    if json::object(payload, &["reaction"]).is_some() || raw.is("reactionMessage") || raw.type_is("reaction")
    {
        return Ok(Found::Nothing("reaction"));
    }
    if raw.is("editedMessage")
        || raw.part("protocolMessage").is_some_and(|it| json::object(it, &["editedMessage"]).is_some())
    {
        return Ok(Found::Nothing("edit"));
    }
    let content = if let Some(choice) = raw.choice(text) {
        Content::Choice(choice)
    } else if let Some(location) = location(payload, &raw) {
        Content::Location(location)
    } else if let Some(contacts) = contacts(payload, &raw) {
        contacts
    } else if json::flag(payload, "hasMedia") || json::object(payload, &["media"]).is_some() {
        Content::Media(media(payload, &raw, text))
    } else if raw.is_notice() && text.is_none() {
        return Ok(Found::Nothing("system notice"));
    } else if let Some(text) = text {
        Content::Text { text: text.to_owned() }
    } else {
        raw.unknown()
    };
    Ok(Found::Content(content))
}

/// The advertisement that led here, if there is one.
pub fn referral(payload: &Object) -> Option<Referral> {
    let raw = Raw::of(payload);
    referral::read(raw.data, raw.message)
}

/// The engine's own form of the message.
struct Raw<'a> {
    data: Option<&'a Object>,
    /// The protobuf, without wrappers.
    message: Option<&'a Object>,
}

impl<'a> Raw<'a> {
    fn of(payload: &'a Object) -> Self {
        /// Disappearing, view-once and captioned messages come wrapped, sometimes twice.
        const WRAPPERS: [&str; 10] = [
            "ephemeralMessage",
            "viewOnceMessage",
            "viewOnceMessageV2",
            "viewOnceMessageV2Extension",
            "documentWithCaptionMessage",
            "deviceSentMessage",
            "botInvokeMessage",
            "lottieStickerMessage",
            "groupMentionedMessage",
            // A picture of an album.
            "associatedChildMessage",
        ];
        let data = json::object(payload, &["_data"]);
        let mut message = data.and_then(|data| json::object(data, &["message"]));
        for _ in 0..4 {
            let inner = message.and_then(|message| {
                WRAPPERS.iter().find_map(|wrapper| json::object(message, &[wrapper, "message"]))
            });
            match inner {
                Some(_) => message = inner,
                None => break,
            }
        }
        Raw { data, message }
    }

    fn part(&self, name: &str) -> Option<&'a Object> {
        json::object(self.message?, &[name])
    }

    fn is(&self, name: &str) -> bool {
        self.part(name).is_some()
    }

    /// WEBJS's word for the kind: `chat`, `ptt`, `list_response`.
    fn kind(&self) -> Option<&'a str> {
        json::text(self.data?, "type")
    }

    fn type_is(&self, kind: &str) -> bool {
        self.kind() == Some(kind)
    }

    /// What the normalized field should have said.
    fn text(&self) -> Option<&'a str> {
        let message = self.message?;
        json::text(message, "conversation").or_else(|| json::text(self.part("extendedTextMessage")?, "text"))
    }

    /// The answer to buttons or to a list, if it is one.
    fn choice(&self, body: Option<&str>) -> Option<Choice> {
        let (id, title) = self.protobuf_choice().or_else(|| self.webjs_choice())?;
        let title = title.or_else(|| body.map(str::to_owned)).unwrap_or_else(|| id.clone());
        Some(Choice { id, title })
    }

    fn protobuf_choice(&self) -> Option<(String, Option<String>)> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        if let Some(list) = self.part("listResponseMessage") {
            let id = json::text(json::object(list, &["singleSelectReply"])?, "selectedRowId")?;
            return Some((id.to_owned(), owned(json::text(list, "title"))));
        }
        if let Some(button) = self.part("buttonsResponseMessage") {
            let title = json::text(button, "selectedDisplayText")
                .or_else(|| json::text(json::object(button, &["Response"])?, "selectedDisplayText"));
            return Some((json::text(button, "selectedButtonId")?.to_owned(), owned(title)));
        }
        if let Some(button) = self.part("templateButtonReplyMessage") {
            let title = json::text(button, "selectedDisplayText");
            return Some((json::text(button, "selectedId")?.to_owned(), owned(title)));
        }
        let answer = self.part("interactiveResponseMessage")?;
        let flow = json::object(answer, &["nativeFlowResponseMessage"])
            .or_else(|| json::object(answer, &["InteractiveResponseMessage", "NativeFlowResponseMessage"]))?;
        // The parameters are JSON in text.
        let parameters: Object = serde_json::from_str(json::text(flow, "paramsJson")?).ok()?;
        let title = json::object(answer, &["body"]).and_then(|body| json::text(body, "text"));
        Some((json::text(&parameters, "id")?.to_owned(), owned(title)))
    }

    fn webjs_choice(&self) -> Option<(String, Option<String>)> {
        let data = self.data?;
        if let Some(list) = json::object(data, &["listResponse"]) {
            let id = json::text(json::object(list, &["singleSelectReply"])?, "selectedRowId")?;
            return Some((id.to_owned(), json::text(list, "title").map(str::to_owned)));
        }
        ["selectedRowId", "selectedButtonId", "selectedId"]
            .iter()
            .find_map(|name| json::text(data, name))
            .map(|id| (id.to_owned(), None))
    }

    /// Messages that WhatsApp makes for itself: encryption notices, key exchange, calls in the chat.
    fn is_notice(&self) -> bool {
        const TYPES: [&str; 11] = [
            "e2e_notification",
            "notification",
            "notification_template",
            "gp2",
            "protocol",
            "call_log",
            "ciphertext",
            "debug",
            "broadcast_notification",
            "pinned_message",
            "revoked",
        ];
        const PARTS: [&str; 10] = [
            "protocolMessage",
            "senderKeyDistributionMessage",
            "callLogMesssage",
            "callLogMessage",
            "pollUpdateMessage",
            "encReactionMessage",
            "encEventResponseMessage",
            "pinInChatMessage",
            "keepInChatMessage",
            // Says how many pictures follow; each comes as a message of its own.
            "albumMessage",
        ];
        let only_inner = self.message.is_some_and(|message| {
            let mut parts = message.keys().filter(|name| !name.eq_ignore_ascii_case("messageContextInfo"));
            parts.clone().next().is_some()
                && parts.all(|name| PARTS.iter().any(|part| name.eq_ignore_ascii_case(part)))
        });
        only_inner || self.kind().is_some_and(|kind| TYPES.contains(&kind))
    }

    fn unknown(&self) -> Content {
        let part = self.message.and_then(|message| {
            message
                .iter()
                .find(|(name, value)| !value.is_null() && !name.eq_ignore_ascii_case("messageContextInfo"))
        });
        let kind = part.map(|(name, _)| name.as_str()).or_else(|| self.kind()).unwrap_or("empty");
        let data = part.map(|(_, value)| value.to_string()).filter(|data| data.len() <= UNKNOWN_DATA_BYTES);
        Content::Unknown { kind: kind.to_owned(), data: data.unwrap_or_else(|| "{}".into()) }
    }

    /// The raw part of a media message, and its kind.
    fn media(&self) -> Option<(MediaKind, Option<&'a Object>)> {
        for (name, kind) in [
            ("imageMessage", MediaKind::Image),
            ("videoMessage", MediaKind::Video),
            ("ptvMessage", MediaKind::Video),
            ("audioMessage", MediaKind::Audio),
            ("documentMessage", MediaKind::Document),
            ("stickerMessage", MediaKind::Sticker),
        ] {
            if let Some(part) = self.part(name) {
                let voice = kind == MediaKind::Audio && json::flag(part, "ptt");
                return Some((if voice { MediaKind::Voice } else { kind }, Some(part)));
            }
        }
        let info = || json::text(json::object(self.data?, &["Info"])?, "MediaType");
        let kind = match self.kind().or_else(info)? {
            "image" => MediaKind::Image,
            "video" | "gif" | "ptv" => MediaKind::Video,
            "audio" => MediaKind::Audio,
            "ptt" => MediaKind::Voice,
            "document" => MediaKind::Document,
            "sticker" => MediaKind::Sticker,
            _ => return None,
        };
        Some((kind, self.data))
    }
}

/// WAHA may not have downloaded the file, or not kept it: then the handle is empty.
fn media(payload: &Object, raw: &Raw<'_>, text: Option<&str>) -> Media {
    let nothing = Object::new();
    let media = json::object(payload, &["media"]).unwrap_or(&nothing);
    let (kind, part) = raw.media().map_or((None, None), |(kind, part)| (Some(kind), part));
    let of_part = |name| part.and_then(|part| json::text(part, name));
    let mime_type = json::text(media, "mimetype").or_else(|| of_part("mimetype"));
    let failed = json::field(media, "error").is_some();
    let url = json::text(media, "url").or_else(|| json::text(payload, "mediaUrl")).filter(|_| !failed);
    let size = part.and_then(|part| {
        let size = json::field(part, "fileLength").or_else(|| json::field(part, "size"))?;
        // A protobuf long, as JavaScript prints it.
        json::number(size).or_else(|| json::number(size.get("low")?))
    });
    Media {
        kind: kind.unwrap_or_else(|| kind_of(mime_type)),
        handle: url.unwrap_or_default().to_owned(),
        mime_type: mime_type.map(str::to_owned),
        filename: json::text(media, "filename").or_else(|| of_part("fileName")).map(str::to_owned),
        caption: text.or_else(|| of_part("caption")).map(str::to_owned),
        size: size.filter(|size| (0.0..9e15).contains(size)).map(|size| size as u64),
    }
}

/// By mime type alone: WhatsApp's voice messages are Ogg, its stickers WebP.
fn kind_of(mime_type: Option<&str>) -> MediaKind {
    let mime_type = mime_type.unwrap_or_default().trim().to_ascii_lowercase();
    let (main, _) = mime_type.split_once(';').unwrap_or((&mime_type, ""));
    match main.trim() {
        "image/webp" => MediaKind::Sticker,
        "audio/ogg" | "audio/opus" => MediaKind::Voice,
        main if main.starts_with("image/") => MediaKind::Image,
        main if main.starts_with("video/") => MediaKind::Video,
        main if main.starts_with("audio/") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

/// Coordinates are text in WAHA, numbers in the raw data.
fn location(payload: &Object, raw: &Raw<'_>) -> Option<Location> {
    let found = |object: &Object, latitude: &str, longitude: &str| {
        let latitude = json::number(json::field(object, latitude)?)?;
        let longitude = json::number(json::field(object, longitude)?)?;
        let named = |name: &str| json::text(object, name).map(str::to_owned);
        let there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        let description = json::text(object, "description").and_then(|text| text.lines().next());
        there.then(|| Location {
            latitude,
            longitude,
            name: named("name").or_else(|| description.map(str::to_owned)),
            address: named("address"),
        })
    };
    let normal = json::object(payload, &["location"]).and_then(|it| found(it, "latitude", "longitude"));
    normal
        .or_else(|| found(raw.part("locationMessage")?, "degreesLatitude", "degreesLongitude"))
        .or_else(|| found(raw.part("liveLocationMessage")?, "degreesLatitude", "degreesLongitude"))
        .or_else(|| if raw.type_is("location") { found(raw.data?, "lat", "lng") } else { None })
}

fn contacts(payload: &Object, raw: &Raw<'_>) -> Option<Content> {
    let mut cards = Vec::new();
    match json::field(payload, "vCards") {
        Some(Value::Array(texts)) => {
            cards.extend(texts.iter().filter_map(Value::as_str).flat_map(vcard::read).take(card::CARDS));
        }
        Some(Value::String(text)) => cards.extend(vcard::read(text)),
        _ => {}
    }
    if cards.is_empty() {
        let one = raw.part("contactMessage").into_iter();
        let many =
            raw.part("contactsArrayMessage").and_then(|array| json::field(array, "contacts")?.as_array());
        let many = many.into_iter().flatten().filter_map(Value::as_object);
        cards.extend(
            one.chain(many)
                .filter_map(|found| json::text(found, "vcard"))
                .flat_map(vcard::read)
                .take(card::CARDS),
        );
    }
    (!cards.is_empty()).then_some(Content::Contacts { contacts: cards })
}
