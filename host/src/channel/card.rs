//! Contact cards in JSON. Each provider spells their fields in its own way: `formatted_name`,
//! `formattedName`. What comes in is read however it is spelled. WAHA's cards are text, see
//! [`crate::channel::vcard`].

use serde_json::{Value, json};

use crate::channel::EncodeError;
use crate::channel::json::{self, Object};
use crate::identity;
use crate::message::ContactCard;

/// What is read of a message at most; people send a few, and machines anything.
pub const CARDS: usize = 100;

/// Telephone numbers, and e-mail addresses, of a card that are read.
pub const PHONES: usize = 50;
pub const EMAILS: usize = 50;

/// Every card, as many as anybody sends.
pub fn read(cards: &[Value]) -> Vec<ContactCard> {
    cards.iter().filter_map(Value::as_object).take(CARDS).map(card).collect()
}

fn card(card: &Object) -> ContactCard {
    let name = json::object(card, &["name"]);
    let part = |spellings: [&str; 2]| {
        let name = name?;
        spellings.iter().find_map(|spelling| json::text(name, spelling))
    };
    let spoken =
        [["first_name", "firstName"], ["middle_name", "middleName"], ["last_name", "lastName"]].map(part);
    let spoken = spoken.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let whole = part(["formatted_name", "formattedName"]).map(str::to_owned);
    let organization = json::object(card, &["org"]).and_then(|org| json::text(org, "company"));
    let organization = organization.map(str::to_owned);
    ContactCard {
        name: whole
            .or_else(|| Some(spoken).filter(|spoken| !spoken.is_empty()))
            .or_else(|| organization.clone())
            .unwrap_or_default(),
        phones: listed(card, "phones", &["phone", "wa_id", "waId"], PHONES),
        emails: listed(card, "emails", &["email"], EMAILS),
        organization,
    }
}

/// The first of these fields of each item, each text once.
fn listed(card: &Object, list: &str, fields: &[&str], most: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let items = json::field(card, list).and_then(Value::as_array);
    for item in items.into_iter().flatten().filter_map(Value::as_object) {
        let text = fields.iter().find_map(|field| text(item, field));
        found.extend(text.filter(|text| found.len() < most && !found.contains(text)));
    }
    found
}

/// Text that is not empty, also where a number is written as one.
fn text(item: &Object, field: &str) -> Option<String> {
    match json::field(item, field)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// How a provider spells a card that it is sent.
#[derive(Clone, Copy, Debug)]
pub enum Spelling {
    Meta,
    Infobip,
    Gupshup,
}

/// WhatsApp shows the whole name, and takes none that has no part.
pub fn write(cards: &[ContactCard], spelling: Spelling) -> Result<Vec<Value>, EncodeError> {
    named(cards)?;
    Ok(cards.iter().map(|card| written(card, spelling)).collect())
}

/// There is a card, and each has a name.
pub fn named(cards: &[ContactCard]) -> Result<(), EncodeError> {
    match cards {
        [] => Err(EncodeError("there is no contact card to send".into())),
        cards if cards.iter().any(|card| card.name.trim().is_empty()) => {
            Err(EncodeError("a contact card has no name".into()))
        }
        _ => Ok(()),
    }
}

fn written(card: &ContactCard, spelling: Spelling) -> Value {
    let (whole, first, id) = match spelling {
        Spelling::Meta => ("formatted_name", "first_name", "wa_id"),
        Spelling::Infobip => ("formattedName", "firstName", "waId"),
        Spelling::Gupshup => ("formattedName", "firstName", "wa_id"),
    };
    let item = |field: &str, text: &str| {
        let mut item = json!({ field: text });
        if matches!(spelling, Spelling::Gupshup) {
            item["type"] = "WORK".into();
        }
        item
    };
    let phones = card.phones.iter().map(|phone| {
        let mut item = item("phone", phone);
        if let Some(known) = whatsapp_id(phone) {
            item[id] = known.into();
        }
        item
    });
    let mut value = json!({ "name": { whole: card.name, first: card.name } });
    let emails = card.emails.iter().map(|email| item("email", email));
    for (field, items) in [("phones", phones.collect::<Vec<_>>()), ("emails", emails.collect())] {
        if !items.is_empty() {
            value[field] = items.into();
        }
    }
    if let Some(organization) = card.organization.as_deref().filter(|text| !text.is_empty()) {
        value["org"] = json!({ "company": organization });
    }
    value
}

/// By which WhatsApp knows a number that is written with its country, so that its owner can be written to
/// from the card.
pub fn whatsapp_id(phone: &str) -> Option<String> {
    phone.trim().starts_with('+').then(|| identity::phone_digits(phone).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jane() -> ContactCard {
        ContactCard {
            name: "Jane Doe".into(),
            phones: vec!["+44 113 496 0019".into(), "0113 496 0020".into()],
            emails: vec!["jane@example.com".into()],
            organization: Some("Acme".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for spelling in [Spelling::Meta, Spelling::Infobip, Spelling::Gupshup] {
            let bare = ContactCard { name: "Bare".into(), ..ContactCard::default() };
            let cards = [jane(), bare];
            assert_eq!(read(&write(&cards, spelling).expect("cards")), cards, "{spelling:?}");
        }
        let expected = json!([{
            "name": { "formatted_name": "Jane Doe", "first_name": "Jane Doe" }, "org": { "company": "Acme" },
            "phones": [{ "phone": "+44 113 496 0019", "wa_id": "441134960019" }, { "phone": "0113 496 0020" }],
            "emails": [{ "email": "jane@example.com" }],
        }]);
        assert_eq!(write(&[jane()], Spelling::Meta).map(Value::from), Ok(expected));
    }

    #[test]
    fn what_nobody_could_show_is_refused() {
        let none = write(&[], Spelling::Meta).expect_err("no card");
        assert_eq!(none.to_string(), "there is no contact card to send");
        let nameless = ContactCard { name: " ".into(), ..jane() };
        let error = write(&[jane(), nameless], Spelling::Infobip).expect_err("no name");
        assert_eq!(error.to_string(), "a contact card has no name");
    }

    #[test]
    fn no_more_is_read_than_anybody_sends() {
        let phones: Vec<Value> = (0..200).map(|n| json!({ "phone": n })).collect();
        let emails: Vec<Value> = (0..200).map(|n| json!({ "email": format!("{n}@example.com") })).collect();
        let card = json!({ "name": {}, "org": { "company": "Shop" }, "phones": phones, "emails": emails });
        let found = read(&vec![card; 200]);
        assert_eq!((found.len(), found[0].phones.len(), found[0].emails.len()), (CARDS, PHONES, EMAILS));
        assert_eq!((found[0].name.as_str(), found[0].phones[7].as_str()), ("Shop", "7"));
    }
}
