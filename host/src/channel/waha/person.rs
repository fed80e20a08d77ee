//! Whom a WAHA message is from, beyond its `from`: the same person's other address and their name, from
//! the engine's raw data; who we are ourselves; and how an address is written to WAHA.

use serde_json::Value;

use crate::channel::EncodeError;
use crate::channel::json::{self, Object};
use crate::identity::{self, Address};
use crate::message::ContactKey;

/// What the engine adds: another address of the same person, and their name.
pub struct Person<'a>(Option<&'a Object>);

impl<'a> Person<'a> {
    pub fn of(payload: &'a Object) -> Self {
        Person(json::object(payload, &["_data"]))
    }

    /// The phone is the key where it is known, the hidden id an alias; only a pair of the two kinds
    /// is believed, and never one that names ourselves.
    pub fn keys(&self, key: ContactKey, me: &[ContactKey]) -> (ContactKey, Vec<ContactKey>) {
        let other = self
            .addresses()
            .filter_map(|address| identity::contact(address).ok())
            .find(|other| identity::is_phone(other) != identity::is_phone(&key) && !me.contains(other));
        match other {
            None => (key, Vec::new()),
            Some(other) if identity::is_phone(&key) => (key, vec![other]),
            Some(other) => (other, vec![key]),
        }
    }

    /// Of a message of ours: the phone of whom it went to, where only the hidden id is known.
    pub fn recipient(&self, key: ContactKey, me: &[ContactKey]) -> ContactKey {
        if identity::is_phone(&key) {
            return key;
        }
        let part = |name: &str| json::object(self.0?, &[name]);
        let named = [
            part("key").and_then(|key| json::text(key, "remoteJidAlt")),
            part("Info").and_then(|info| json::text(info, "RecipientAlt")),
        ];
        let phones = named.into_iter().flatten().filter_map(|address| identity::contact(address).ok());
        phones.into_iter().find(|other| identity::is_phone(other) && !me.contains(other)).unwrap_or(key)
    }

    /// NOWEB names them in the key, GOWS in the info.
    fn addresses(&self) -> impl Iterator<Item = &'a str> {
        const KEY: [&str; 5] = ["remoteJidAlt", "participantAlt", "senderPn", "senderLid", "remoteJid"];
        const INFO: [&str; 4] = ["SenderAlt", "SenderPN", "Sender", "Chat"];
        let part = |name: &str| json::object(self.0?, &[name]);
        let of = |part: Option<&'a Object>, names: &'static [&'static str]| {
            names.iter().filter_map(move |name| json::text(part?, name))
        };
        of(part("key"), &KEY).chain(of(part("Info"), &INFO))
    }

    /// WhatsApp shows `~` for those who have no name.
    pub fn display_name(&self) -> Option<String> {
        let raw = self.0?;
        let info = json::object(raw, &["Info"]);
        [
            json::text(raw, "notifyName"),
            json::text(raw, "pushName"),
            info.and_then(|info| json::text(info, "PushName")),
        ]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|name| name.chars().any(|c| !c.is_ascii_punctuation() && !c.is_whitespace()))
        .map(str::to_owned)
    }
}

/// Our own addresses. Not logged in: none.
pub fn ourselves(me: &Value) -> Vec<ContactKey> {
    let Some(me) = me.as_object() else { return Vec::new() };
    let mut keys = Vec::new();
    for name in ["id", "jid", "lid"] {
        if let Some(key) = json::text(me, name).and_then(|address| identity::contact(address).ok())
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// The address in WAHA's form. The digits stay as they were received: the network may know only an
/// old form of the number.
pub fn chat_id(raw: &str) -> Result<String, EncodeError> {
    let refused =
        |why: &dyn std::fmt::Display| EncodeError(format!("no message can be sent to this address: {why}"));
    match identity::address(raw).map_err(|error| refused(&error))? {
        Address::Group(key) => Ok(key.as_str().to_owned()),
        Address::Person(key) if key.as_str().ends_with("@lid") => Ok(key.as_str().to_owned()),
        Address::Person(key) if !identity::is_phone(&key) => {
            Err(refused(&"WAHA knows no business-scoped ids"))
        }
        Address::Person(_) => {
            let number = raw.rsplit_once('@').map_or(raw, |(number, _)| number);
            Ok(format!("{}@c.us", identity::phone_digits(number).map_err(|error| refused(&error))?))
        }
        Address::Status | Address::Broadcast | Address::Newsletter => {
            Err(refused(&"stories, broadcasts and channels are not answered"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_ids() {
        for (raw, expected) in [
            ("971501234567@c.us", Some("971501234567@c.us")),
            ("971501234567@s.whatsapp.net", Some("971501234567@c.us")),
            ("971501234567:12@c.us", Some("971501234567@c.us")),
            ("971501234567", Some("971501234567@c.us")),
            ("+971 50 123 4567", Some("971501234567@c.us")),
            // As received, not the canonical form.
            ("558591203123@c.us", Some("558591203123@c.us")),
            ("558591203123", Some("558591203123@c.us")),
            ("5215512345678@s.whatsapp.net", Some("5215512345678@c.us")),
            ("245800000000182@lid", Some("245800000000182@lid")),
            ("120363000000000002@g.us", Some("120363000000000002@g.us")),
            ("status@broadcast", None),
            ("120363400000000821@newsletter", None),
            ("US.1234", None),
            ("Maria", None),
            ("", None),
        ] {
            assert_eq!(chat_id(raw).ok().as_deref(), expected, "{raw:?}");
        }
    }
}
