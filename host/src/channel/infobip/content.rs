//! What an Infobip message holds, by its `type`. A file has neither name nor kind in the webhook: they
//! are in the answer when it is fetched. Types that are not known here are shown to the brain with
//! their data.

use serde_json::Value;

use crate::channel::cloud::content::form;
use crate::channel::json::{self, Object, missing, required, short, word};
use crate::channel::said::{self, Found, Kind, Said};
use crate::channel::{DecodeError, card};
use crate::message::{Choice, ContactCard, Content, Location, Media, MediaKind, Order, OrderItem};

/// The data of an unknown type is shown up to this size.
const UNKNOWN_DATA_BYTES: usize = 4096;

/// Articles of an order that are read.
const ARTICLES: usize = 500;

/// Reads the `message` of an item, or a part of one in the other form.
pub fn read(message: &Object, place: &str) -> Result<Found, DecodeError> {
    let told = json::strict_text(message, "type", place)?.unwrap_or_default().to_ascii_uppercase();
    match told.as_str() {
        // May still carry text; the type decides.
        "UNSUPPORTED" => return Ok(Found::Nothing("unsupported message")),
        "" => {
            return Ok(match text(message, place)? {
                Some(text) => Found::Content(Content::Text { text }),
                None => Found::Unknown("none".into()),
            });
        }
        _ => {}
    }
    let said = match said::kind(&told) {
        Kind::Said(said) => said,
        Kind::Nothing(what) => return Ok(Found::Nothing(what)),
        Kind::Unknown => return Ok(Found::Unknown(told)),
    };
    Ok(Found::Content(match said {
        Said::Text => Content::Text { text: text(message, place)?.unwrap_or_default() },
        Said::Media(kind) => return media(kind, message, place),
        Said::Location => location(message).map_or_else(|| unknown(&told, message), Content::Location),
        Said::Contacts => Content::Contacts { contacts: contacts(message) },
        Said::Choice => pressed(message, place)?,
        Said::Form => form(None, text(message, place)?.as_deref(), json::field(message, "response")),
        Said::Order => Content::Order(order(message, place)?),
        Said::Menu | Said::Other => unknown(&told, message),
    }))
}

/// A button's id, and its words. A template's button has its words in `text` and, in `payload`, what the
/// template had hidden behind them.
fn pressed(message: &Object, place: &str) -> Result<Content, DecodeError> {
    let id = ["id", "payload", "postbackData"].iter().find_map(|name| word(message, name));
    let title = word(message, "title").map_or_else(|| text(message, place), |title| Ok(Some(title)))?;
    choice(id, title, message, place)
}

/// Null and none are the same; anything but text would be lost if it were read on.
fn text(message: &Object, place: &str) -> Result<Option<String>, DecodeError> {
    Ok(json::strict_text(message, "text", place)?.map(str::to_owned))
}

/// Infobip may not have the file any more: then the handle is empty.
fn media(kind: MediaKind, message: &Object, place: &str) -> Result<Found, DecodeError> {
    let caption = json::strict_text(message, "caption", place)?.filter(|caption| !caption.is_empty());
    Ok(Found::Content(Content::Media(Media {
        kind,
        handle: json::text(message, "url").unwrap_or_default().to_owned(),
        mime_type: None,
        filename: json::text(message, "filename").map(str::to_owned),
        caption: caption.map(str::to_owned),
        size: None,
    })))
}

fn location(message: &Object) -> Option<Location> {
    let coordinate = |name| json::number(json::field(message, name)?);
    let (latitude, longitude) = (coordinate("latitude")?, coordinate("longitude")?);
    let there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    let named = |name| json::text(message, name).map(str::to_owned);
    there.then(|| Location { latitude, longitude, name: named("name"), address: named("address") })
}

fn contacts(message: &Object) -> Vec<ContactCard> {
    let cards = json::field(message, "contacts").and_then(Value::as_array);
    cards.map(|cards| card::read(cards)).unwrap_or_default()
}

/// One of both is enough.
fn choice(
    id: Option<String>,
    title: Option<String>,
    message: &Object,
    place: &str,
) -> Result<Content, DecodeError> {
    let title = title.filter(|title| !title.is_empty());
    let id = id.or_else(|| title.clone()).ok_or_else(|| {
        let name = if json::field(message, "payload").is_some() { "payload" } else { "id" };
        missing(message, name, place)
    })?;
    let title = title.unwrap_or_else(|| id.clone());
    Ok(Content::Choice(Choice { id, title }))
}

fn order(message: &Object, place: &str) -> Result<Order, DecodeError> {
    let items = json::field(message, "productItems").and_then(Value::as_array).into_iter().flatten();
    let items = items.filter_map(Value::as_object).take(ARTICLES).filter_map(|item| {
        let quantity = json::field(item, "quantity").and_then(json::number).unwrap_or(1.0);
        Some(OrderItem {
            product_id: word(item, "productRetailerId")?,
            quantity: quantity.clamp(0.0, f64::from(u32::MAX)) as u32,
            price: price(json::field(item, "itemPrice")),
            currency: json::text(item, "currency").unwrap_or_default().to_owned(),
        })
    });
    Ok(Order {
        catalog_id: required(message, "catalogId", place)?,
        text: text(message, place)?.filter(|text| !text.is_empty()),
        items: items.collect(),
    })
}

/// As it was written: `30.5` stays `30.5`.
fn price(price: Option<&Value>) -> String {
    match price {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        _ => String::new(),
    }
}

fn unknown(kind: &str, message: &Object) -> Content {
    let data = Some(message).and_then(|message| serde_json::to_string(message).ok());
    let data = data.filter(|data| data.len() <= UNKNOWN_DATA_BYTES);
    Content::Unknown { kind: short(kind), data: data.unwrap_or_else(|| "{}".into()) }
}
