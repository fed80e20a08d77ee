//! What a message holds, by its `type`. A kind that is not known here is shown to the brain with its
//! data.

use serde_json::{Value, json};

use crate::channel::json::{self, Object, as_object, list, short, word};
use crate::channel::said::{self, Found, Kind, Said};
use crate::channel::{DecodeError, card};
use crate::message::{Choice, Content, Location, Media, MediaKind, Order, OrderItem, Referral};

/// Of an unknown kind, no more data than this.
const UNKNOWN_DATA_BYTES: usize = 4096;
/// Of a filled-in form, which a person wrote.
const FORM_DATA_BYTES: usize = 64 << 10;
/// Products of an order that are read.
const PRODUCTS: usize = 1000;

/// Reads a message that came in. `file`: where a file's place is said, see
/// [`crate::channel::cloud::Dialect::file`].
pub fn read(message: &Object, file: &[&str], place: &str) -> Result<Found, DecodeError> {
    let told = json::strict_text(message, "type", place)?.filter(|told| !told.is_empty());
    // One that does not say what it is has a field of that name.
    let fields = message.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str());
    let kind = told.or_else(|| fields.into_iter().find(|name| said::kind(name) != Kind::Unknown));
    let Some(kind) = kind else { return Ok(Found::Unknown("none".into())) };
    let said = match said::kind(kind) {
        Kind::Said(said) => said,
        Kind::Nothing(what) => return Ok(Found::Nothing(what)),
        Kind::Unknown => return Ok(Found::Unknown(kind.to_owned())),
    };
    let nothing = Object::new();
    let place = format!("{place}.{kind}");
    let part = match json::field(message, kind) {
        Some(part) if !matches!(said, Said::Contacts | Said::Other) => as_object(part, &place)?,
        Some(Value::Object(part)) => part,
        _ => &nothing,
    };
    let content = match said {
        Said::Text => json::strict_text(part, "body", &place)?
            .filter(|body| !body.is_empty())
            .map(|text| Content::Text { text: text.to_owned() }),
        Said::Media(MediaKind::Audio) if json::flag(part, "voice") => {
            Some(Content::Media(media(part, MediaKind::Voice, file)))
        }
        Said::Media(kind) => Some(Content::Media(media(part, kind, file))),
        Said::Location => location(part).map(Content::Location),
        Said::Contacts => cards(message, &place)?,
        Said::Menu => return interactive(part, &place),
        Said::Choice => choice(part, "payload", "text", &place)?,
        Said::Form => Some(reply(part)),
        Said::Order => Some(Content::Order(order(part, &place)?)),
        // It may at least be known what it was that cannot be shown.
        Said::Other => match json::text(part, "type").map(said::kind) {
            Some(Kind::Nothing(what)) => return Ok(Found::Nothing(what)),
            _ => None,
        },
    };
    Ok(Found::Content(content.unwrap_or_else(|| unknown(message, kind))))
}

fn unknown(message: &Object, kind: &str) -> Content {
    of_unknown_kind(kind, json::field(message, kind).or_else(|| json::field(message, "errors")))
}

pub fn of_unknown_kind(kind: &str, data: Option<&Value>) -> Content {
    let data = data.map(Value::to_string).filter(|data| data.len() <= UNKNOWN_DATA_BYTES);
    Content::Unknown { kind: short(kind), data: data.unwrap_or_else(|| "{}".into()) }
}

/// Where the file is: an id to ask for, an address, or nothing.
fn media(part: &Object, kind: MediaKind, file: &[&str]) -> Media {
    let owned = |name: &str| json::text(part, name).map(str::to_owned);
    let size = ["file_size", "size"].iter().find_map(|name| json::number(json::field(part, name)?));
    Media {
        kind,
        handle: file.iter().find_map(|name| word(part, name)).unwrap_or_default(),
        mime_type: owned("mime_type"),
        filename: owned("filename"),
        caption: owned("caption"),
        size: size.filter(|size| (0.0..9e15).contains(size)).map(|size| size as u64),
    }
}

/// Coordinates are numbers, or text; outside the world there is no place.
pub fn location(part: &Object) -> Option<Location> {
    let latitude = json::number(json::field(part, "latitude")?)?;
    let longitude = json::number(json::field(part, "longitude")?)?;
    let named = |name: &str| json::text(part, name).map(str::to_owned);
    let there = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    there.then(|| Location { latitude, longitude, name: named("name"), address: named("address") })
}

/// Of the message itself, not the profiles beside it.
fn cards(message: &Object, place: &str) -> Result<Option<Content>, DecodeError> {
    let cards = list(message, "contacts", place)?.map(|cards| card::read(cards)).unwrap_or_default();
    Ok((!cards.is_empty()).then_some(Content::Contacts { contacts: cards }))
}

/// An answer to a menu or a form; which one is its own field's name.
fn interactive(part: &Object, place: &str) -> Result<Found, DecodeError> {
    for name in ["button_reply", "list_reply"] {
        if let Some(reply) = json::object(part, &[name]) {
            let place = format!("{place}.{name}");
            let content = choice(reply, "id", "title", &place)?;
            return Ok(Found::Content(
                content.unwrap_or_else(|| of_unknown_kind("interactive", json::field(part, name))),
            ));
        }
    }
    if let Some(form) = json::object(part, &["nfm_reply"]) {
        return Ok(Found::Content(reply(form)));
    }
    let kind = json::text(part, "type").unwrap_or("interactive");
    Ok(match said::kind(kind) {
        Kind::Said(_) => Found::Content(of_unknown_kind(kind, json::field(part, kind))),
        Kind::Nothing(what) => Found::Nothing(what),
        Kind::Unknown => Found::Unknown(kind.to_owned()),
    })
}

/// What was chosen; without an id its words are the id, without words the id is shown.
fn choice(part: &Object, id: &str, title: &str, place: &str) -> Result<Option<Content>, DecodeError> {
    let id = json::strict_text(part, id, place)?.filter(|id| !id.is_empty());
    let title = json::strict_text(part, title, place)?.filter(|title| !title.is_empty());
    Ok(id.or(title).map(|known| {
        Content::Choice(Choice { id: known.to_owned(), title: title.unwrap_or(known).to_owned() })
    }))
}

/// The reply to a form of ours.
pub fn reply(part: &Object) -> Content {
    let answers =
        ["response_json", "responseJson", "response"].iter().find_map(|name| json::field(part, name));
    form(json::text(part, "name"), json::text(part, "body"), answers)
}

/// A filled-in form. The answers are JSON, or JSON inside text.
pub fn form(name: Option<&str>, body: Option<&str>, answers: Option<&Value>) -> Content {
    let answers = match answers {
        Some(Value::String(text)) => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())))
        }
        other => other.cloned(),
    };
    let data = json!({ "name": name, "body": body, "response": answers });
    let data = Some(data.to_string()).filter(|data| data.len() <= FORM_DATA_BYTES);
    Content::Unknown { kind: "flow reply".into(), data: data.unwrap_or_else(|| "{}".into()) }
}

/// Whatever case its fields are written in.
pub fn order(part: &Object, place: &str) -> Result<Order, DecodeError> {
    let either = |object: &Object, names: [&str; 2]| names.iter().find_map(|name| word(object, name));
    let name = ["product_items", "productItems", "products"]
        .into_iter()
        .find(|name| json::field(part, name).is_some());
    let products = match name {
        Some(name) => list(part, name, &format!("{place}.{name}"))?,
        None => None,
    };
    let product = |item: &Object| OrderItem {
        product_id: either(item, ["product_retailer_id", "productRetailerId"]).unwrap_or_default(),
        quantity: json::field(item, "quantity").and_then(json::number).map_or(0, |count| count as u32),
        // As it was written: a number is not to become another one on the way.
        price: match json::field(item, "item_price").or_else(|| json::field(item, "itemPrice")) {
            Some(Value::Number(price)) => price.to_string(),
            Some(Value::String(price)) => price.clone(),
            _ => String::new(),
        },
        currency: json::text(item, "currency").unwrap_or_default().to_owned(),
    };
    Ok(Order {
        catalog_id: either(part, ["catalog_id", "catalogId"]).unwrap_or_default(),
        text: json::text(part, "text").map(str::to_owned),
        items: products
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .take(PRODUCTS)
            .map(product)
            .collect(),
    })
}

/// What led here, if it says anything.
pub fn referral(part: &Object) -> Option<Referral> {
    let owned = |name: &str| word(part, name);
    let referral = Referral {
        kind: json::text(part, "source_type").unwrap_or("unknown").to_ascii_lowercase(),
        source_id: owned("source_id"),
        url: owned("source_url"),
        headline: owned("headline"),
        body: owned("body"),
        click_id: owned("ctwa_clid"),
    };
    let empty = Referral { kind: referral.kind.clone(), ..Referral::default() };
    (referral != empty || json::text(part, "source_type").is_some()).then_some(referral)
}
