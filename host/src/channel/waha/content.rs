//! What a WAHA message holds: the normal fields first, and the engine's raw data (`_data`) for what
//! has no normal field: answers to buttons and lists, voice and stickers, sizes, names of files. What
//! kind of message it is is the raw data's word alone, see [`super::raw`]: `body` is text only where it
//! says so, because WEBJS puts the pictures of carts and places there.

use serde_json::Value;

use crate::channel::cloud::content::form;
use crate::channel::json::{self, Object};
use crate::channel::said::{self, Found, Kind, Said};
use crate::channel::waha::raw::Raw;
use crate::channel::waha::referral;
use crate::channel::{DecodeError, card, vcard};
use crate::message::{Choice, ContactCard, Content, Location, Media, MediaKind, Order, OrderItem, Referral};

/// Reads a message that came in.
pub fn read(payload: &Object) -> Result<Found, DecodeError> {
    let raw = Raw::of(payload);
    let body = json::strict_text(payload, "body", "payload")?.filter(|body| !body.is_empty());
    if json::object(payload, &["reaction"]).is_some() {
        return Ok(Found::Nothing("reaction"));
    }
    if let Some(what) = raw.undoes() {
        return Ok(Found::Nothing(what));
    }
    let Some(word) = raw.word() else { return Ok(untold(payload, &raw, body)) };
    Ok(match said::kind(word) {
        Kind::Said(said) => match content(said, payload, &raw, body) {
            Some(content) => Found::Content(content),
            None if said == Said::Text => Found::Nothing(said::EMPTY),
            None => Found::Content(raw.unknown(word)),
        },
        Kind::Nothing(what) => Found::Nothing(what),
        Kind::Unknown => Found::Unknown(word.to_owned()),
    })
}

/// What was said, if it can be read as that.
fn content(said: Said, payload: &Object, raw: &Raw<'_>, body: Option<&str>) -> Option<Content> {
    let text = || body.or_else(|| raw.text()).map(|text| Content::Text { text: text.to_owned() });
    match said {
        Said::Text | Said::Menu => text(),
        Said::Media(kind) => Some(Content::Media(media(payload, raw, Some(kind), body))),
        Said::Location => location(payload, raw).map(Content::Location),
        Said::Contacts => contacts(payload, raw).or_else(|| cards_of(vcard::read(body?))),
        // What engines call an answer may be a form, and one without an id is what it says.
        Said::Choice | Said::Form => {
            choice(raw, body).map(Content::Choice).or_else(|| answers(raw)).or_else(text)
        }
        Said::Order => Some(Content::Order(order(raw))),
        Said::Other => None,
    }
}

/// By the normal fields alone, where the engine shows no more.
fn untold(payload: &Object, raw: &Raw<'_>, body: Option<&str>) -> Found {
    let location = || location(payload, raw).map(Content::Location);
    let has_file = json::flag(payload, "hasMedia") || json::object(payload, &["media"]).is_some();
    let media = || has_file.then(|| Content::Media(media(payload, raw, None, body)));
    let text = || body.map(|text| Content::Text { text: text.to_owned() });
    match location().or_else(|| contacts(payload, raw)).or_else(media).or_else(text) {
        Some(content) => Found::Content(content),
        None => Found::Nothing(raw.stub().unwrap_or(said::EMPTY)),
    }
}

/// The advertisement that led here, if there is one.
pub fn referral(payload: &Object) -> Option<Referral> {
    let raw = Raw::of(payload);
    referral::read(raw.data, raw.message)
}

/// The answer to buttons or to a list, if it is one.
fn choice(raw: &Raw<'_>, body: Option<&str>) -> Option<Choice> {
    let (id, title) = protobuf_choice(raw).or_else(|| webjs_choice(raw))?;
    let title = title.or_else(|| body.map(str::to_owned)).unwrap_or_else(|| id.clone());
    Some(Choice { id, title })
}

fn protobuf_choice(raw: &Raw<'_>) -> Option<(String, Option<String>)> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    if let Some(list) = raw.part("listResponseMessage") {
        let id = json::text(json::object(list, &["singleSelectReply"])?, "selectedRowId")?;
        return Some((id.to_owned(), owned(json::text(list, "title"))));
    }
    if let Some(button) = raw.part("buttonsResponseMessage") {
        let title = json::text(button, "selectedDisplayText")
            .or_else(|| json::text(json::object(button, &["Response"])?, "selectedDisplayText"));
        return Some((json::text(button, "selectedButtonId")?.to_owned(), owned(title)));
    }
    if let Some(button) = raw.part("templateButtonReplyMessage") {
        let title = json::text(button, "selectedDisplayText");
        return Some((json::text(button, "selectedId")?.to_owned(), owned(title)));
    }
    let (answer, _, parameters) = native_flow(raw)?;
    let title = json::object(answer, &["body"]).and_then(|body| json::text(body, "text"));
    Some((json::text(parameters.as_object()?, "id")?.to_owned(), owned(title)))
}

/// The answer that is neither a button nor a row: its name, and its parameters, which are JSON in text.
fn native_flow<'a>(raw: &Raw<'a>) -> Option<(&'a Object, &'a Object, Value)> {
    let answer = raw.part("interactiveResponseMessage")?;
    let flow = json::object(answer, &["nativeFlowResponseMessage"])
        .or_else(|| json::object(answer, &["InteractiveResponseMessage", "NativeFlowResponseMessage"]))?;
    let parameters = serde_json::from_str(json::text(flow, "paramsJson")?).ok()?;
    Some((answer, flow, parameters))
}

/// A form filled in, whose answers stand where a button's id would.
fn answers(raw: &Raw<'_>) -> Option<Content> {
    let (answer, flow, parameters) = native_flow(raw)?;
    let body = json::object(answer, &["body"]).and_then(|body| json::text(body, "text"));
    Some(form(json::text(flow, "name"), body, Some(&parameters)))
}

fn webjs_choice(raw: &Raw<'_>) -> Option<(String, Option<String>)> {
    let data = raw.data?;
    if let Some(list) = json::object(data, &["listResponse"]) {
        let id = json::text(json::object(list, &["singleSelectReply"])?, "selectedRowId")?;
        return Some((id.to_owned(), json::text(list, "title").map(str::to_owned)));
    }
    ["selectedRowId", "selectedButtonId", "selectedId"]
        .iter()
        .find_map(|name| json::text(data, name))
        .map(|id| (id.to_owned(), None))
}

/// Of a cart WhatsApp Web is told no articles, only what they come to: the cart is one item of that
/// price, under the order's id.
fn order(raw: &Raw<'_>) -> Order {
    let nothing = Object::new();
    let part = raw.part("orderMessage").or(raw.data).unwrap_or(&nothing);
    let thousandth = json::field(part, "totalAmount1000").and_then(long);
    let item = json::text(part, "orderId").map(|id| OrderItem {
        product_id: id.to_owned(),
        quantity: 1,
        price: thousandth.map(|amount| (amount / 1e3).to_string()).unwrap_or_default(),
        currency: json::text(part, "totalCurrencyCode").unwrap_or_default().to_owned(),
    });
    Order {
        catalog_id: json::text(part, "catalogId").unwrap_or_default().to_owned(),
        text: json::text(part, "message").map(str::to_owned),
        items: item.into_iter().collect(),
    }
}

/// A number, also as JavaScript prints a protobuf's long one.
fn long(value: &Value) -> Option<f64> {
    json::number(value).or_else(|| json::number(value.get("low")?))
}

/// WAHA may not have downloaded the file, or not kept it: then the handle is empty. `kind`: what the
/// engine says it is.
fn media(payload: &Object, raw: &Raw<'_>, kind: Option<MediaKind>, body: Option<&str>) -> Media {
    let nothing = Object::new();
    let media = json::object(payload, &["media"]);
    let part = raw.named_part();
    let of_part = |name| part.and_then(|part| json::text(part, name));
    // WEBJS has the picture's small form in `body` where there is no file.
    let thumbnail = raw.data.and_then(|data| json::text(data, "body"));
    let with_file = json::flag(payload, "hasMedia") || media.is_some();
    let caption = body.filter(|body| with_file && Some(*body) != thumbnail).or_else(|| of_part("caption"));
    let media = media.unwrap_or(&nothing);
    let mime_type = json::text(media, "mimetype").or_else(|| of_part("mimetype"));
    let failed = json::field(media, "error").is_some();
    let url = json::text(media, "url").or_else(|| json::text(payload, "mediaUrl")).filter(|_| !failed);
    let size =
        part.and_then(|part| long(json::field(part, "fileLength").or_else(|| json::field(part, "size"))?));
    let is_voice = part.is_some_and(|part| json::flag(part, "ptt"));
    Media {
        kind: match kind {
            Some(MediaKind::Audio) if is_voice => MediaKind::Voice,
            Some(kind) => kind,
            None => kind_of(mime_type),
        },
        handle: url.unwrap_or_default().to_owned(),
        mime_type: mime_type.map(str::to_owned),
        filename: json::text(media, "filename").or_else(|| of_part("fileName")).map(str::to_owned),
        caption: caption.map(str::to_owned),
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
        .or_else(|| found(raw.data?, "lat", "lng"))
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
    cards_of(cards)
}

fn cards_of(cards: Vec<ContactCard>) -> Option<Content> {
    (!cards.is_empty()).then_some(Content::Contacts { contacts: cards })
}
