//! What a message of version 2 holds: `payload.type` says the kind, `payload.payload` has its fields.
//! Coordinates and amounts are text. A reply to a menu brings three ids: ours of the option
//! (`postbackText`), ours of the menu (`id`), and the message's own beside it.

use crate::channel::cloud::content::{location, of_unknown_kind, order, reply};
use crate::channel::json::{self, Object};
use crate::channel::said::{self, Found, Kind, Said};
use crate::channel::{DecodeError, card};
use crate::message::{Choice, Content, Media, MediaKind};

pub fn read(payload: &Object, kind: &str) -> Result<Found, DecodeError> {
    // Where nothing is inside, the fields stand outside.
    let part = json::object(payload, &["payload"]).unwrap_or(payload);
    const PLACE: &str = "payload.payload";
    let said = match said::kind(kind) {
        Kind::Said(said) => said,
        Kind::Nothing(what) => return Ok(Found::Nothing(what)),
        Kind::Unknown => return Ok(Found::Unknown(kind.to_owned())),
    };
    let within = |name: &str| json::object(part, &[name]).unwrap_or(part);
    let content = match said {
        Said::Text => json::strict_text(part, "text", PLACE)?
            .filter(|text| !text.is_empty())
            .map(|text| Content::Text { text: text.to_owned() }),
        // Voice messages come as audio too, and nothing tells them apart.
        Said::Media(kind) => Some(Content::Media(media(part, kind))),
        Said::Location => location(part).map(Content::Location),
        Said::Contacts => cards(part),
        Said::Choice => choice(part, PLACE)?,
        Said::Form => Some(reply(within("nfm_reply"))),
        Said::Order => Some(Content::Order(order(within("order"), PLACE)?)),
        Said::Menu | Said::Other => None,
    };
    Ok(Found::Content(content.unwrap_or_else(|| of_unknown_kind(kind, json::field(payload, "payload")))))
}

/// The file lies open at an address until `urlExpiry`.
fn media(part: &Object, kind: MediaKind) -> Media {
    let owned = |names: &[&str]| names.iter().find_map(|name| json::text(part, name)).map(str::to_owned);
    Media {
        kind,
        handle: owned(&["url"]).unwrap_or_default(),
        mime_type: owned(&["contentType", "mimeType"]),
        filename: owned(&["name", "filename"]),
        caption: owned(&["caption"]),
        size: None,
    }
}

fn cards(part: &Object) -> Option<Content> {
    let cards = card::read(json::field(part, "contacts")?.as_array()?);
    (!cards.is_empty()).then_some(Content::Contacts { contacts: cards })
}

/// `title` (or `text`, of a template's button) is what was pressed; `reply` has a number after it.
/// `id` names the menu and not the option, so that without `postbackText` the title stands for it.
fn choice(part: &Object, place: &str) -> Result<Option<Content>, DecodeError> {
    let mut title = None;
    for name in ["title", "text"] {
        title = title.or(json::strict_text(part, name, place)?.filter(|title| !title.is_empty()));
    }
    let title = title.or_else(|| json::text(part, "reply").map(without_number));
    let id = json::strict_text(part, "postbackText", place)?.filter(|id| !id.is_empty());
    Ok(id.or(title).map(|known| {
        Content::Choice(Choice { id: known.to_owned(), title: title.unwrap_or(known).to_owned() })
    }))
}

/// `First 1` is `First`.
fn without_number(reply: &str) -> &str {
    match reply.rsplit_once(' ') {
        Some((title, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            title
        }
        _ => reply,
    }
}
