//! Who wrote: a provider's address becomes the canonical key of a contact. Two ways to write one
//! person give one key; two people never do. Pure.
//!
//! The key is for finding the person again. Replies go to the address as it was received, because
//! the network may know only that form of the number.
//!
//! | received | key |
//! |---|---|
//! | `971501234567@c.us`, `971501234567:12@s.whatsapp.net`, `+971 50 123-4567`, `00971501234567` | `971501234567` |
//! | `558591203123` (Brazilian mobile as registered before the ninth digit) | `5585991203123` |
//! | `5215512345678` (Mexico with the old mobile `1`) | `525512345678` |
//! | `541123456789` (Argentina without the mobile `9`) | `5491123456789` |
//! | `245800000000182@lid` | the same: its digits are no phone number |
//! | `US.1234` (business-scoped user id) | the same |

use crate::glyph::plain;
use crate::message::ContactKey;

/// The shortest international number has a country code of three digits and four more (Niue).
const MIN_DIGITS: usize = 7;
/// E.164.
const MAX_DIGITS: usize = 15;
/// Longer than any id a provider uses; nothing longer becomes a key.
const MAX_ID_CHARS: usize = 128;
/// Business-scoped ids have as many, behind their country and perhaps `ENT`.
const MAX_SCOPED_CHARS: usize = "US.ENT.".len() + MAX_ID_CHARS;

/// What an address stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Person(ContactKey),
    /// Kept whole: `120363000000000002@g.us`.
    Group(ContactKey),
    /// `status@broadcast`: stories.
    Status,
    Broadcast,
    Newsletter,
}

/// Why an address is nobody's. The address itself is not repeated: it may be a person's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the address is empty")]
    Empty,
    #[error("`{0}` does not belong in a phone number")]
    Character(char),
    #[error("a phone number with its country code has {MIN_DIGITS} to {MAX_DIGITS} digits, this one has {0}")]
    Length(usize),
    #[error("the number begins with 0: write it with its country code, as in 971501234567")]
    NoCountryCode,
    #[error("an id of more than {MAX_ID_CHARS} characters")]
    TooLong,
    #[error("`@{0}` is no kind of WhatsApp address known here")]
    Server(String),
    #[error("the address is not a person's")]
    NotAPerson,
}

/// Reads an address in any of the forms that providers, operators and people use.
pub fn address(raw: &str) -> Result<Address, Error> {
    // Room for formatting and marks around an id; what is longer is no address.
    if raw.len() > 8 * MAX_ID_CHARS {
        return Err(Error::TooLong);
    }
    let text = plain(raw);
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let Some((user, server)) = text.rsplit_once('@') else {
        if is_scoped_id(text) {
            return Ok(Address::Person(ContactKey::from_stored(scoped_id(text)?)));
        }
        return Ok(Address::Person(ContactKey::from_stored(canonical(phone_digits(text)?))));
    };
    let server = server.to_ascii_lowercase();
    match server.as_str() {
        "c.us" | "s.whatsapp.net" | "hosted" => {
            let digits = phone_digits(user)?;
            Ok(Address::Person(ContactKey::from_stored(canonical(digits))))
        }
        "lid" | "hosted.lid" => {
            Ok(Address::Person(ContactKey::from_stored(format!("{}@lid", opaque(user)?))))
        }
        "g.us" => Ok(Address::Group(ContactKey::from_stored(format!("{}@g.us", group(user)?)))),
        "broadcast" if user.eq_ignore_ascii_case("status") => Ok(Address::Status),
        "broadcast" => Ok(Address::Broadcast),
        "newsletter" => Ok(Address::Newsletter),
        _ => Err(Error::Server(server.chars().filter(|c| c.is_ascii_graphic()).take(32).collect())),
    }
}

/// Is this WhatsApp's own, which tells of itself, or one of its bots? Nobody's words come from there.
pub fn is_service(raw: &str) -> bool {
    raw.trim()
        .rsplit_once('@')
        .is_some_and(|(user, server)| user == "0" || server.eq_ignore_ascii_case("bot"))
}

/// The key of a person.
pub fn contact(raw: &str) -> Result<ContactKey, Error> {
    match address(raw)? {
        Address::Person(key) => Ok(key),
        _ => Err(Error::NotAPerson),
    }
}

/// The key of a person whom the network itself names. It gives services numbers of fewer digits than any
/// telephone line has, and its word on them is final.
pub fn network_id(raw: &str) -> Result<ContactKey, Error> {
    match contact(raw) {
        Err(Error::Length(1..MIN_DIGITS)) if raw.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(ContactKey::from_stored(raw))
        }
        other => other,
    }
}

/// Is this key a phone number, and not an id that only the provider can resolve?
pub fn is_phone(key: &ContactKey) -> bool {
    key.as_str().bytes().all(|b| b.is_ascii_digit())
}

/// Is this key WhatsApp's hidden id of a person, whose phone its provider may tell?
pub fn is_hidden(key: &ContactKey) -> bool {
    key.as_str().ends_with("@lid")
}

/// The digits of a phone number as they were written: `+55 (85) 9120-3123` is `558591203123`. For
/// addressing; the key may have other digits.
pub fn phone_digits(raw: &str) -> Result<String, Error> {
    let text = plain(raw);
    let text = without_device(text.trim());
    let (text, international) = match text.strip_prefix('+') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut digits = String::with_capacity(MAX_DIGITS);
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '.' | '-' | '(' | ')' | '[' | ']' | '\u{00A0}' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            c if c.is_whitespace() => {}
            c => return Err(Error::Character(c)),
        }
        // Enough to say that it is too long; hostile input may go on for megabytes.
        if digits.len() > 2 * MAX_DIGITS {
            return Err(Error::Length(digits.len()));
        }
    }
    if !international && let Some(rest) = digits.strip_prefix("00") {
        digits = rest.to_owned();
    }
    if digits.is_empty() {
        return Err(Error::Empty);
    }
    if digits.starts_with('0') {
        return Err(Error::NoCountryCode);
    }
    if !(MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
        return Err(Error::Length(digits.len()));
    }
    Ok(digits)
}

/// One key for the forms that one line is known under.
///
/// - Brazil: mobiles got a ninth digit, a leading 9, from 2012 to 2016; accounts from before keep
///   the old id. Eight digits that begin with 6 to 9 were mobiles; 2 to 5 are landlines and get none.
/// - Mexico: mobiles were called with a 1 after the country code until 2019.
/// - Argentina: mobiles are called with a 9 after the country code, and written without it. Area
///   codes begin with 1, 2 or 3.
fn canonical(digits: String) -> String {
    let at = |place: usize| digits.as_bytes().get(place).copied().unwrap_or(0);
    match digits.len() {
        12 if digits.starts_with("55") && at(2) != b'0' && (b'6'..=b'9').contains(&at(4)) => {
            format!("{}9{}", &digits[..4], &digits[4..])
        }
        13 if digits.starts_with("521") && at(3) >= b'2' => format!("52{}", &digits[3..]),
        12 if digits.starts_with("54") && (b'1'..=b'3').contains(&at(2)) => format!("549{}", &digits[2..]),
        _ => digits,
    }
}

/// `971501234567:12` and `971501234567.0:12` are devices of `971501234567`.
fn without_device(user: &str) -> &str {
    let Some((user, device)) = user.rsplit_once(':') else { return user };
    if !device.bytes().all(|b| b.is_ascii_digit()) {
        return user;
    }
    match user.rsplit_once('.') {
        Some((number, agent)) if agent.len() == 1 && agent.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => user,
    }
}

/// The user part of a hidden id, whole but for the device.
fn opaque(user: &str) -> Result<&str, Error> {
    let user = without_device(user.trim());
    match user.chars().find(|c| !c.is_ascii_alphanumeric()) {
        Some(c) => Err(Error::Character(c)),
        None if user.is_empty() => Err(Error::Empty),
        None if user.len() > MAX_ID_CHARS => Err(Error::TooLong),
        None => Ok(user),
    }
}

/// Old groups are named after their founder: `971501234567-1612345678`.
fn group(user: &str) -> Result<&str, Error> {
    match user.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
        Some(c) => Err(Error::Character(c)),
        None if user.is_empty() => Err(Error::Empty),
        None if user.len() > MAX_ID_CHARS => Err(Error::TooLong),
        None => Ok(user),
    }
}

/// `US.1234`, `US.ENT.1234`: a country, a dot, an id.
fn is_scoped_id(text: &str) -> bool {
    let mut parts = text.split('.');
    let country = parts.next().unwrap_or("");
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_alphabetic())
        && text.len() > 3
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The country in capitals; the rest is the provider's and stays as it is.
fn scoped_id(text: &str) -> Result<String, Error> {
    let id = text.rsplit('.').next().unwrap_or_default();
    if text.len() > MAX_SCOPED_CHARS || id.len() > MAX_ID_CHARS {
        return Err(Error::TooLong);
    }
    Ok(format!("{}{}", text[..2].to_ascii_uppercase(), &text[2..]))
}

#[cfg(test)]
mod people;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_network_may_name_shorter_numbers_than_a_telephone_line_has() {
        for (raw, expected) in [
            ("5678", Some("5678")),
            ("+971 50 123 4567", Some("971501234567")),
            ("US.1234", Some("US.1234")),
            ("0678", None),
            ("56 78", None),
            ("", None),
            ("callbackSetPhone", None),
        ] {
            assert_eq!(network_id(raw).ok().as_ref().map(ContactKey::as_str), expected, "{raw}");
        }
    }

    fn key(raw: &str) -> String {
        contact(raw).map_or_else(|error| format!("error: {error}"), |key| key.as_str().to_owned())
    }

    #[test]
    fn one_person_one_key() {
        for (raw, expected) in [
            ("971501234567", "971501234567"),
            ("971501234567@c.us", "971501234567"),
            ("971501234567@s.whatsapp.net", "971501234567"),
            ("971501234567@C.US", "971501234567"),
            ("971501234567:12@c.us", "971501234567"),
            ("971501234567:3@s.whatsapp.net", "971501234567"),
            ("971501234567.0:3@s.whatsapp.net", "971501234567"),
            ("971501234567:12", "971501234567"),
            ("+971501234567", "971501234567"),
            ("00971501234567", "971501234567"),
            ("+971 50 123-4567", "971501234567"),
            ("+971 (50) 123.45.67", "971501234567"),
            ("[971] 50\u{00A0}123–4567", "971501234567"),
            ("\u{200E}+971 50 123 4567\u{202C}", "971501234567"),
            ("  971501234567\n", "971501234567"),
            ("٩٧١٥٠١٢٣٤٥٦٧", "971501234567"),
            ("۹۷۱۵۰۱۲۳۴۵۶۷", "971501234567"),
            ("+９７１５０１２３４５６７", "971501234567"),
            ("6834000", "6834000"),
            // Brazil: with and without the ninth digit; landlines stay; the South as well.
            ("5585991203123", "5585991203123"),
            ("558591203123", "5585991203123"),
            ("+55 85 9120-3123", "5585991203123"),
            ("558591203123@c.us", "5585991203123"),
            ("551161234567", "5511961234567"),
            ("551131234567", "551131234567"),
            ("551151234567", "551151234567"),
            ("5511900000002", "5511900000002"),
            // Mexico and Argentina.
            ("5215512345678", "525512345678"),
            ("525512345678", "525512345678"),
            ("5491123456789", "5491123456789"),
            ("541123456789", "5491123456789"),
            ("542901234567", "5492901234567"),
            ("548005551234", "548005551234"),
            // Hidden and scoped ids stay whole.
            ("245800000000182@lid", "245800000000182@lid"),
            ("245800000000182:7@lid", "245800000000182@lid"),
            ("245800000000182@LID", "245800000000182@lid"),
            ("011111111111111@lid", "011111111111111@lid"),
            ("245800000000182@hosted.lid", "245800000000182@lid"),
            ("971501234567:99@hosted", "971501234567"),
            ("971501234567@lid", "971501234567@lid"),
            ("US.1234", "US.1234"),
            ("us.1234AbC", "US.1234AbC"),
            ("US.ENT.11815799212886844830", "US.ENT.11815799212886844830"),
        ] {
            assert_eq!(key(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn not_people() {
        for (raw, expected) in [
            ("120363000000000002@g.us", Address::Group(ContactKey::from_stored("120363000000000002@g.us"))),
            (
                "971501234567-1612345678@g.us",
                Address::Group(ContactKey::from_stored("971501234567-1612345678@g.us")),
            ),
            ("status@broadcast", Address::Status),
            ("1612345678@broadcast", Address::Broadcast),
            ("120363400000000821@newsletter", Address::Newsletter),
        ] {
            assert_eq!(address(raw), Ok(expected), "{raw:?}");
            assert_eq!(contact(raw), Err(Error::NotAPerson), "{raw:?}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        for (raw, expected) in [
            ("", Error::Empty),
            (" \u{200F} ", Error::Empty),
            ("+", Error::Empty),
            ("@c.us", Error::Empty),
            ("@lid", Error::Empty),
            ("me", Error::Character('m')),
            ("Maria", Error::Character('M')),
            ("97150x234567", Error::Character('x')),
            ("9715012+34567", Error::Character('+')),
            ("callbackSetPhone", Error::Character('c')),
            ("0501234567", Error::NoCountryCode),
            ("0@c.us", Error::NoCountryCode),
            ("+00971501234567", Error::NoCountryCode),
            ("000971501234567", Error::NoCountryCode),
            ("12345", Error::Length(5)),
            ("1234567890123456", Error::Length(16)),
            ("245-8@lid", Error::Character('-')),
            ("1@example.org", Error::Server("example.org".into())),
            ("867051314767696@bot", Error::Server("bot".into())),
            ("US.", Error::Character('U')),
            ("U.S.1", Error::Character('U')),
        ] {
            assert_eq!(address(raw), Err(expected), "{raw:?}");
        }
        for (prefix, id, fits) in
            [("US.", 128, true), ("US.", 129, false), ("US.ENT.", 128, true), ("US.ENT.", 129, false)]
        {
            let raw = format!("{prefix}{}", "7".repeat(id));
            assert_eq!(contact(&raw).is_ok(), fits, "{prefix} and {id} digits");
        }
        assert!(matches!(address(&"1".repeat(10 << 20)), Err(Error::TooLong)));
        assert!(matches!(address(&"1".repeat(500)), Err(Error::Length(_))));
        assert!(matches!(address(&format!("{}@lid", "1".repeat(500))), Err(Error::TooLong)));
    }

    /// E.164 numbers outside the documented variants.
    fn plain_number() -> impl Strategy<Value = String> {
        "[1-9][0-9]{6,14}".prop_filter("no variants", |number| {
            !["55", "52", "54"].iter().any(|code| number.starts_with(code))
        })
    }

    proptest! {
        #[test]
        fn never_panics(raw in any::<String>()) {
            let _ = address(&raw);
            let _ = address(&format!("{raw}@c.us"));
            let _ = address(&format!("{raw}@lid"));
        }

        #[test]
        fn idempotent(raw in "[+0-9 ()@a-zA-Z.:-]{0,24}|[1-9][0-9]{9,13}|55[1-9][1-9][0-9]{8,9}|52[0-9]{10,11}|54[0-9]{10,11}") {
            if let Ok(key) = contact(&raw) {
                prop_assert_eq!(contact(key.as_str()), Ok(key.clone()));
                prop_assert_eq!(contact(&format!("{}@c.us", key)).ok(), is_phone(&key).then_some(key));
            }
        }

        #[test]
        fn two_people_never_share_a_key(one in plain_number(), other in plain_number()) {
            prop_assert_eq!(key(&one), one.clone());
            prop_assert_eq!(key(&one) == key(&other), one == other);
        }

        /// Within a country with variants only the documented one is the same person.
        #[test]
        fn variants_merge_nobody_else(one in "5[245][0-9]{8,11}", other in "5[245][0-9]{8,11}") {
            let line = |number: &str| match (number.len(), &number[..2]) {
                (13, "55") if number.as_bytes()[4] == b'9' => format!("{}{}", &number[..4], &number[5..]),
                (13, "52") if number.as_bytes()[2] == b'1' => format!("52{}", &number[3..]),
                (13, "54") if number.as_bytes()[2] == b'9' => format!("54{}", &number[3..]),
                _ => number.to_owned(),
            };
            if key(&one) == key(&other) {
                prop_assert_eq!(line(&one), line(&other));
            }
        }

        #[test]
        fn a_lid_is_never_a_phone(digits in "[1-9][0-9]{6,14}") {
            prop_assert_ne!(contact(&format!("{digits}@lid")), contact(&digits));
        }

        #[test]
        fn formatting_changes_nothing(number in plain_number(), places in prop::collection::vec((0_usize..16, 0_usize..6), 0..6)) {
            let mut written: Vec<String> = number.chars().map(String::from).collect();
            for (place, mark) in places {
                let place = place.min(written.len());
                written.insert(place, ["-", " ", ".", "(", ")", "\u{200E}"][mark].to_owned());
            }
            let written = written.concat();
            prop_assert_eq!(key(&format!("+{written}")), number);
        }
    }
}
